"""What an installation can do, told as a list of findings."""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hrsnn._version import __version__


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `needed` says whether `hrsnn run` can do without."""

    topic: str
    ok: bool
    text: str
    needed: bool = False


def examine(data_dir: Path | None = None) -> list[Finding]:
    """All findings; none of them raises."""
    found = [Finding("hrsnn", True, f"{__version__} on Python {platform.python_version()}, {platform.platform()}")]
    for topic, part in (
        ("packages", _packages),
        ("processors", _processors),
        ("threads", _threads),
        ("compiled code", _cache),
        ("engine", _engine),
        ("extras", _extras),
        ("GPU", _gpu),
        ("data", lambda: _data(data_dir)),
    ):
        try:
            found.extend(part())
        except Exception as error:  # a doctor that falls ill says so and goes on
            needed = topic in ("packages", "engine")
            found.append(Finding(topic, False, f"could not be examined: {type(error).__name__}: {error}", needed))
    return found


def _packages() -> Iterator[Finding]:
    missing, present = _split(line for line in metadata.requires("hrsnn") or [] if "extra ==" not in line)
    yield Finding("packages", True, ", ".join(present))
    if missing:
        yield Finding("packages", False, f"missing: {', '.join(missing)}; `pip install hrsnn` installs them", True)


def _processors() -> Iterator[Finding]:
    from hrsnn.work.pool import usable_cpus

    usable, all_ = usable_cpus(), os.cpu_count() or 1
    yield Finding("processors", True, f"{usable} of {all_} cores usable: `hrsnn run` uses {usable} processes")


def _threads() -> Iterator[Finding]:
    import numpy  # noqa: F401 - its libraries are to be listed
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    pools = [
        f"{p['internal_api']} {p['version'] or ''} with {p['num_threads']}".replace("  ", " ")
        for p in threadpool_info()
    ]
    yield Finding("threads", True, f"{'; '.join(pools) or 'no library with threads of its own'}; every fit uses 1")


def _cache() -> Iterator[Finding]:
    import hrsnn.engine

    place = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(hrsnn.engine.__file__).parent / "cpu" / "__pycache__")
    if _is_writable(place):
        yield Finding("compiled code", True, f"is kept in {place}")
    else:
        yield Finding(
            "compiled code", False,
            f"{place} cannot be written: it is kept elsewhere or compiled again in each process; "
            "NUMBA_CACHE_DIR names another place",
        )  # fmt: skip


def _is_writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def _engine() -> Iterator[Finding]:
    import numpy as np

    from hrsnn.engine import simulate
    from hrsnn.spec import NetworkSpec
    from hrsnn.spikes import Spikes
    from hrsnn.wiring import build

    network = build(NetworkSpec.preset("HeNHeS", n_inputs=4, n_neurons=30), seed=0)
    spikes = Spikes.from_times([np.arange(40.0)], [np.arange(40) % 4], n_units=4, n_steps=50, dt_ms=1.0)
    slow = simulate(network, spikes, backend="reference").counts
    try:
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            fast = simulate(network, spikes, backend="cpu").counts
    except Exception as error:
        yield Finding(
            "engine", True, f"the compiled engine does not work ({type(error).__name__}: {error}); the slow one does"
        )
        yield Finding("engine", False, "runs take about a hundred times longer; reinstall numba")
        return
    for warning in told:
        yield Finding("compiled code", False, str(warning.message))
    same = bool(np.array_equal(slow, fast))
    text = f"compiled, ready in {time.perf_counter() - started:.1f} s, "
    yield Finding(
        "engine", same, text + ("spikes as the reference" if same else "but NOT the reference's spikes"), True
    )


def _extras() -> Iterator[Finding]:
    facts = metadata.metadata("hrsnn")
    for extra in facts.get_all("Provides-Extra") or []:
        marker = re.compile(rf"extra == ['\"]{re.escape(extra)}['\"]")
        missing, present = _split(line for line in metadata.requires("hrsnn") or [] if marker.search(line))
        if missing:
            text = f"{extra}: missing {', '.join(missing)}; `pip install 'hrsnn[{extra}]'` installs them"
        else:
            text = f"{extra}: {', '.join(present)}"
        yield Finding("extras", not missing, text)


def _split(requirements: Iterator[str]) -> tuple[list[str], list[str]]:
    """Names of the missing packages, names and versions of the present ones."""
    missing, present = [], []
    for line in requirements:
        name = re.split(r"[\s<>=!~;\[(]", line, maxsplit=1)[0]
        try:
            present.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    return missing, present


def _gpu() -> Iterator[Finding]:
    use = 'simulate(..., backend="torch")'
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        yield Finding("GPU", False, f"not looked for: torch is not installed; only {use} needs it")
        return
    if torch.cuda.is_available():
        yield Finding("GPU", True, f"torch {torch.__version__}: {torch.cuda.get_device_name(0)}; {use} runs on it")
    else:
        yield Finding("GPU", False, f"torch {torch.__version__} finds none; {use} runs on the processor")


def _data(data_dir: Path | None) -> Iterator[Finding]:
    from hrsnn.data import cache, catalogue, check, data_directory

    directory = data_directory(data_dir)
    there = "" if directory.is_dir() else ", which does not exist yet"
    yield Finding("data", True, f"directory {directory}{there}")
    kept = cache.directory()
    if kept is None or _is_writable(kept):
        yield Finding("data", True, "encoded recordings are not kept" if kept is None else f"encoded, kept in {kept}")
    else:
        text = f"{kept} cannot be written: recordings are encoded in every process; HRSNN_CACHE names another place"
        yield Finding("data", False, text)
    check("spoken-digits")  # the default task: raises when its file is damaged
    yield Finding("data", True, "spoken-digits: built in, intact", True)
    for entry in catalogue():
        if not entry.files:
            continue
        files = [directory / path for path, _ in entry.files]
        here = all(file.is_file() or file.with_suffix("").is_file() for file in files)
        how = {"download": f"`hrsnn data download {entry.name}` gets it"}.get(
            entry.availability, f"put {files[0]} there"
        )
        yield Finding("data", here, f"{entry.name}: {'there' if here else 'not there; ' + how}")
