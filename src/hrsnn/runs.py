"""Run directory: units of work, files that are whole or absent, resume, processes (DESIGN.md 3.3).

A run is a list of units (arm, stage, method, seed). A finished unit is its file in outcomes/, written after the network
and readout that belong to it; it carries the digest of those files, of the config and of itself, so a unit is redone
exactly when something of it is missing or was changed. results.json is made from these files alone, whoever wrote
them and when: it is the same for any number of processes, and for a run that was killed and resumed.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import platform
import re
import shlex
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any, Protocol, TextIO

from threadpoolctl import threadpool_limits

from hrsnn._checks import FileError, HrsnnError, InputError, RunError
from hrsnn._version import __version__
from hrsnn.config import Config, first_difference, load_config, to_toml
from hrsnn.evaluation import versions as versions_of_packages
from hrsnn.network import Network
from hrsnn.network_file import save, write_atomically
from hrsnn.outcome import Outcome, without_nan
from hrsnn.train import Progress, ProgressEvent

try:
    import fcntl
except ImportError:  # Windows: two processes in one directory are not noticed there
    fcntl = None  # type: ignore[assignment]

RESULTS_SCHEMA = "hrsnn.results/1"

_MARK = "# Written by hrsnn"
_UNIT_FILE = re.compile(r"[^/]+-s\d+(-[^/]+)?\.(json|safetensors)")
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOP_FILES = ("results.json", "report.html", "config.toml")
_FOLDERS = ("outcomes", "networks", "readouts")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_SECONDS_BETWEEN_EVENTS = 0.1


# -- what is run -------------------------------------------------------------------------------------------------------


class Unit(Protocol):
    """One piece of work; `name` is unique in a run and safe as a file name, e.g. `HeNHeS-s0-control-untrained`."""

    @property
    def arm(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def method(self) -> str | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def name(self) -> str: ...


class Saveable(Protocol):
    def save(self, path: Path, /) -> object: ...


class UnitResult(Protocol):
    """What a unit leaves: numbers, details for the report (plain values), and what can predict."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def details(self) -> dict[str, Any]: ...
    @property
    def network(self) -> Network | None: ...
    @property
    def readout(self) -> Saveable | None: ...


@dataclass(frozen=True, slots=True)
class Experiment:
    """The functions a run consists of. They go to other processes by name, so they are functions of a module.

    plan        config -> units
    run_unit    (config, unit, data_dir=, progress=) -> UnitResult; the same numbers in any process and order
    summarise   (config, [(outcome, details)], data_dir=) -> results.json but its schema, date and versions
    """

    plan: Callable[[Config], Sequence[Unit]]
    run_unit: Callable[..., UnitResult]
    summarise: Callable[..., dict[str, Any]]


class Watcher:
    """Is told how a run goes; this one does nothing. `progress` may be called from another thread."""

    def opened(self, path: Path, units: Sequence[Unit], n_done: int) -> None:
        """The directory is ours and this many units are finished in it already."""

    def progress(self, unit: Unit, event: ProgressEvent) -> None:
        """A unit went on."""

    def finished(self, unit: Unit, outcome: Outcome) -> None:
        """A unit is on disk."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A complete run directory. `n_kept` units of `n_units` were there before; `was_complete`: nothing was to do."""

    path: Path
    results: dict[str, Any]
    n_units: int
    n_kept: int
    was_complete: bool


def execute(
    config: Config,
    experiment: Experiment,
    *,
    out: Path | None = None,
    data_dir: Path | None = None,
    jobs: int | None = None,
    resume: bool = False,
    force: bool = False,
    watcher: Watcher | None = None,
) -> Finished:
    """Run all units of `config` and leave a complete run directory.

    out       the directory; None is the next free `runs/<task>-<k>`
    jobs      processes, 1 runs in this one; None is one per usable core
    resume    keep the units finished in `out` under the same config; force: start over, removing only files of a run

    Raises `InputError` when `out` may not be used, `RunError` when a unit fails or a file cannot be written (finished
    units are kept). `KeyboardInterrupt` passes through when all processes are stopped.
    """
    if resume and force:
        raise InputError("--resume keeps what is there and --force clears it; give one of them")
    if resume and out is None:
        raise InputError("--resume needs the directory to go on in; give it with --out")
    if jobs is not None and jobs < 1:
        raise InputError(f"--jobs must be >= 1, got {jobs}")
    units = _checked(experiment.plan(config))
    watcher = watcher or Watcher()
    directory = RunDirectory(out) if out else RunDirectory.next_free(config.task.name)
    try:
        with directory.claimed() as log:
            done = _prepare(directory, config, units, log, resume=resume, force=force)
            try:
                watcher.opened(directory.path, units, len(done))
                return _run(_Job(config, experiment, directory, data_dir), units, done, log, watcher, jobs)
            except Exception as error:
                if not isinstance(error, (HrsnnError, OSError)):
                    log("failed", error=repr(error), traceback=traceback.format_exc())
                raise
    except OSError as error:
        raise RunError(_cannot_write(directory.path, error)) from error


def resume_command(path: Path, *, data_dir: Path | None = None, jobs: int | None = None) -> str:
    """The line that finishes the run in `path`.

    >>> resume_command(Path("my runs/a"), jobs=2)
    "hrsnn run 'my runs/a/config.toml' --out 'my runs/a' --resume --jobs 2"
    """
    words = ["hrsnn", "run", str(path / "config.toml"), "--out", str(path), "--resume"]
    words += ["--data-dir", str(data_dir)] if data_dir else []
    return shlex.join([*words, "--jobs", str(jobs)] if jobs else words)


def usable_cpus() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {"python": platform.python_version(), **versions_of_packages()}


def _checked(units: Sequence[Unit]) -> list[Unit]:
    names = [unit.name for unit in units]
    unsafe = next((name for name in names if not _SAFE_NAME.fullmatch(name)), None)
    if not names or unsafe is not None or len(set(names)) != len(names):
        what = "no unit" if not names else f"unsafe name {unsafe!r}" if unsafe is not None else "a name twice"
        raise InputError(f"the plan of a run must hold units with distinct names that are safe in files, got {what}")
    return list(units)


# -- the directory -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Names of the files of a run."""

    path: Path

    @classmethod
    def next_free(cls, task: str, base: Path = Path("runs")) -> RunDirectory:
        """Make `runs/<task>-<k>` with the smallest k that is free."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", task).strip(".-") or "run"
        k = 1
        try:
            base.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    (base / f"{stem}-{k}").mkdir()
                    return cls(base / f"{stem}-{k}")
                except FileExistsError:
                    k += 1
        except OSError as error:
            raise RunError(_cannot_write(base, error)) from error

    @property
    def config_file(self) -> Path:
        return self.path / "config.toml"

    @property
    def log_file(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def results_file(self) -> Path:
        return self.path / "results.json"

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    def outcome_file(self, unit: Unit) -> Path:
        return self.path / "outcomes" / f"{unit.name}.json"

    @property
    def is_begun(self) -> bool:
        """A run was started here."""
        return self.config_file.exists() or self.results_file.exists() or any(self._unit_files("outcomes"))

    @contextmanager
    def claimed(self) -> Iterator[Log]:
        """Make the directory if need be and hold it: no other process can run in it meanwhile.

        The lock is on log.jsonl and ends with the process. Raises `InputError` for a directory that is something
        else, `RunError` when another process holds it.
        """
        self._require_usable()
        self.path.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("a+", encoding="utf-8") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise RunError(
                        f"another hrsnn process is working in {self.path}; wait for it, stop it, or give another --out"
                    ) from None
                except OSError:  # a file system without locks
                    pass
            yield Log(file)

    def _require_usable(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise InputError(f"--out {self.path} is a file; give a directory")
        names = {entry.name for entry in self.path.iterdir()}
        if not names or "log.jsonl" in names:
            return
        if "config.toml" in names:
            with self.config_file.open("rb") as file:
                if file.readline().startswith(_MARK.encode()):
                    return
        raise InputError(f"--out {self.path} holds files but no run of hrsnn; give another directory")

    def clear(self) -> None:
        """Remove the files of a run, nothing else; the mark that it is complete goes first, the log is emptied."""
        self.results_file.unlink(missing_ok=True)
        for folder in _FOLDERS:
            for file in self._unit_files(folder):
                file.unlink()
            with suppress(OSError):
                (self.path / folder).rmdir()
        self.clear_partial()
        for name in _TOP_FILES:
            (self.path / name).unlink(missing_ok=True)
        os.truncate(self.log_file, 0)

    def clear_partial(self) -> None:
        """Remove files that a process had not finished writing when it ended."""
        for folder in (".", *_FOLDERS):
            for file in (self.path / folder).glob(".*.tmp"):
                file.unlink(missing_ok=True)

    def _unit_files(self, folder: str) -> Iterator[Path]:
        place = self.path / folder
        if place.is_dir():
            yield from (file for file in place.iterdir() if _UNIT_FILE.fullmatch(file.name))


@dataclass(frozen=True, slots=True)
class Log:
    """log.jsonl: one JSON object per event."""

    file: TextIO

    def __call__(self, event: str, **facts: Any) -> None:
        """Append one event."""
        line = json.dumps({"time": _now(), "event": event, **facts}, default=str)
        self.file.write(("" if self._ends_whole() else "\n") + line + "\n")
        self.file.flush()

    def _ends_whole(self) -> bool:
        """False after a process was killed within a line."""
        size = self.file.seek(0, os.SEEK_END)
        if size == 0:
            return True
        with open(self.file.fileno(), "rb", closefd=False, buffering=0) as raw:
            raw.seek(-1, os.SEEK_END)
            return raw.read(1) == b"\n"


def _prepare(
    directory: RunDirectory, config: Config, units: list[Unit], log: Log, *, resume: bool, force: bool
) -> dict[str, _Stored]:
    """Make `directory` ready for `config`; the finished units in it, by name."""
    path = directory.path
    if directory.is_begun and force:
        directory.clear()
    if directory.is_begun and not resume:
        if directory.results_file.exists():
            raise InputError(f"{path} holds a complete run; give another --out, or --force to replace it")
        raise InputError(f"{path} holds an unfinished run; finish it with `{resume_command(path)}`, or add --force")
    if directory.is_begun and directory.config_file.exists():
        difference = first_difference(load_config(directory.config_file), config)
        if difference:
            key, theirs, ours = difference
            raise InputError(
                f"{path} was made by another config: `{key}` is {theirs} there and {ours} here; "
                "give another --out, or --force to start over"
            )
    directory.clear_partial()
    if not directory.config_file.exists():
        write_atomically(directory.config_file, _config_text(config).encode())
    for folder in _FOLDERS:
        (path / folder).mkdir(exist_ok=True)
    done = {}
    for unit in units:
        try:
            done[unit.name] = _stored(directory, unit, config)
        except FileError as error:
            if directory.outcome_file(unit).exists():
                log("redo", unit=unit.name, reason=str(error))
    return done


def _config_text(config: Config) -> str:
    return f"{_MARK} {__version__}: complete, `hrsnn run` with this file gives the same numbers.\n\n{to_toml(config)}"


# -- the run -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Job:
    """What every unit of a run has in common."""

    config: Config
    experiment: Experiment
    directory: RunDirectory
    data_dir: Path | None


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a unit could not be finished; `known` when the message alone says it."""

    message: str
    is_input: bool
    known: bool
    traceback: str


def _run(
    job: _Job, units: list[Unit], done: dict[str, _Stored], log: Log, watcher: Watcher, jobs: int | None
) -> Finished:
    directory = job.directory
    pending = [unit for unit in units if unit.name not in done]
    results = None if pending else _read_results(directory)
    was_complete = results is not None
    n_kept = len(done)
    if results is None:
        directory.results_file.unlink(missing_ok=True)
        directory.report_file.unlink(missing_ok=True)
        n_jobs = max(1, min(jobs or usable_cpus(), len(pending)))
        log("start", pid=os.getpid(), units=len(units), kept=n_kept, jobs=n_jobs, versions=versions())
        started = time.monotonic()
        try:
            with closing((_in_pool if n_jobs > 1 else _in_process)(job, pending, watcher, n_jobs)) as attempts:
                for unit, failure in attempts:
                    if failure is not None:
                        _fail(directory, unit, failure, log)
                    done[unit.name] = _stored(directory, unit, job.config)
                    log("unit", unit=unit.name, wall_s=done[unit.name].outcome.wall_s)
                    watcher.finished(unit, done[unit.name].outcome)
            results = _summarised(job, [done[unit.name] for unit in units])
            write_atomically(directory.results_file, as_json(results))
        except BaseException as error:
            directory.clear_partial()
            with suppress(OSError):
                kind = "interrupted" if isinstance(error, KeyboardInterrupt) else "stopped"
                log(kind, finished=len(done), units=len(units), reason=str(error) or type(error).__name__)
            raise
        log("results", wall_s=round(time.monotonic() - started, 3))
    if not directory.report_file.exists():
        _report(directory, log)
    return Finished(directory.path, results, len(units), n_kept, was_complete)


def _fail(directory: RunDirectory, unit: Unit, failure: _Failure, log: Log) -> None:
    with suppress(OSError):  # on a full disk the sentence below still comes
        log("failed", unit=unit.name, error=failure.message, traceback=failure.traceback)
    if failure.is_input:
        raise InputError(f"{failure.message} (unit {unit.name})")
    if failure.known:
        raise RunError(f"unit {unit.name} failed: {failure.message}")
    raise RunError(f"unit {unit.name} failed: {failure.message}; the traceback is in {directory.log_file}")


def _summarised(job: _Job, finished: list[_Stored]) -> dict[str, Any]:
    ordered = sorted(finished, key=lambda stored: stored.outcome.sort_key)
    pairs = [(stored.outcome, stored.details) for stored in ordered]
    summary = job.experiment.summarise(job.config, pairs, data_dir=job.data_dir)
    results: dict[str, Any] = plain_values(summary)
    return {**results, "schema": RESULTS_SCHEMA, "created": _now(), "versions": versions()}


def _read_results(directory: RunDirectory) -> dict[str, Any] | None:
    try:
        results = json.loads(directory.results_file.read_bytes())
    except (OSError, ValueError):
        return None
    return results if isinstance(results, dict) and results.get("schema") == RESULTS_SCHEMA else None


def _report(directory: RunDirectory, log: Log) -> None:
    try:
        from hrsnn.report import write_report

        write_report(directory.path)
    except Exception as error:
        with suppress(OSError):
            log("failed", file="report.html", error=str(error), traceback=traceback.format_exc())
        again = f"build it again with `{shlex.join(['hrsnn', 'report', str(directory.path)])}`"
        raise RunError(f"results.json is complete, but report.html could not be written: {error}; {again}") from error
    log("complete")


# -- one unit ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stored:
    """A finished unit, read from its files."""

    outcome: Outcome
    details: dict[str, Any]


def _attempt(job: _Job, unit: Unit, progress: Progress) -> _Failure | None:
    """Do one unit and write its files; None when all is well."""
    try:
        with threadpool_limits(1):
            result = job.experiment.run_unit(job.config, unit, data_dir=job.data_dir, progress=progress)
        _store(job, unit, result)
    except OSError as error:
        return _Failure(_cannot_write(job.directory.path, error), False, True, traceback.format_exc())
    except (InputError, RunError) as error:
        return _Failure(str(error), isinstance(error, InputError), True, traceback.format_exc())
    except Exception as error:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return _Failure(text, False, False, traceback.format_exc())
    return None


def _store(job: _Job, unit: Unit, result: UnitResult) -> None:
    """Write the files of a unit; the outcome comes last and holds the digests of all others."""
    identity = (unit.arm, unit.stage, unit.method, unit.seed)
    outcome = result.outcome
    if (outcome.arm, outcome.stage, outcome.method, outcome.seed) != identity:
        raise RunError(f"the outcome of unit {unit.name} says that it is {outcome.label}, seed {outcome.seed}")
    digests = {}
    for folder, thing in (("networks", result.network), ("readouts", result.readout)):
        if thing is not None:
            name = f"{folder}/{unit.name}.safetensors"
            file = job.directory.path / name
            if isinstance(thing, Network):
                save(thing, file)
            else:
                thing.save(file)
            digests[name] = _digest(file.read_bytes())
    facts = {
        **outcome.to_dict(), "details": result.details, "files": digests, "config_sha256": _config_digest(job.config),
    }  # fmt: skip
    facts = plain_values(facts)
    write_atomically(job.directory.outcome_file(unit), as_json({**facts, "sha256": _digest(as_json(facts))}))


def _stored(directory: RunDirectory, unit: Unit, config: Config) -> _Stored:
    """Read a finished unit back. Raises `FileError` when anything of it is missing or was changed."""
    path = directory.outcome_file(unit)
    try:
        facts = json.loads(path.read_bytes())
        expected = facts.pop("sha256")
        digests, details = facts["files"], facts["details"]
        identity = (facts["arm"], facts["stage"], facts["method"], facts["seed"])
        same_config = facts["config_sha256"] == _config_digest(config)
        intact = expected == _digest(as_json(facts))
        outcome = Outcome.from_dict(facts)
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{path} is damaged: {error}") from error
    if not intact:
        raise FileError(f"{path} was changed since it was written")
    if not same_config or identity != (unit.arm, unit.stage, unit.method, unit.seed):
        raise FileError(f"{path} was made under another config")
    for name, digest in digests.items():
        file = directory.path / name
        if not file.is_file() or _digest(file.read_bytes()) != digest:
            raise FileError(f"{file} is missing or was changed since it was written")
    return _Stored(outcome, details)


def _config_digest(config: Config) -> str:
    return _digest(to_toml(config).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def as_json(value: Any) -> bytes:
    """Canonical JSON: sorted keys, shortest exact floats, never NaN."""
    return (json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def plain_values(value: Any) -> Any:
    """`value` as what JSON can hold: NumPy arrays and scalars as lists and numbers, NaN and infinity as None.

    >>> import numpy as np
    >>> plain_values({1: np.array([0.5, np.nan]), "n": np.int64(3), "t": ("a", None)})
    {'1': [0.5, None], 'n': 3, 't': ['a', None]}
    """
    if isinstance(value, dict):
        return {str(key): plain_values(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_values(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "tolist"):
        return without_nan(value.tolist())
    raise RunError(f"a result holds {value!r} of type {type(value).__name__}, which a JSON file cannot hold")


# -- processes ---------------------------------------------------------------------------------------------------------

_Attempts = Generator[tuple[Unit, _Failure | None], None, None]


def _in_process(job: _Job, pending: list[Unit], watcher: Watcher, n_jobs: int) -> _Attempts:
    for unit in pending:
        yield unit, _attempt(job, unit, lambda event, unit=unit: watcher.progress(unit, event))  # type: ignore[misc]


def _in_pool(job: _Job, pending: list[Unit], watcher: Watcher, n_jobs: int) -> _Attempts:
    """Units in fresh processes, as they finish. The processes end with this one, however it ends."""
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    events.cancel_join_thread()
    receiver, held_open = context.Pipe(duplex=False)  # processes end when `held_open` is closed
    listener = threading.Thread(target=_listen, args=(events, watcher, pending), daemon=True)
    listener.start()
    with _one_thread_each():
        pool = ProcessPoolExecutor(n_jobs, context, initializer=_start_process, initargs=(events, receiver))
        try:
            with _signals_held_back():
                futures: dict[Future[_Failure | None], Unit] = {
                    pool.submit(_attempt_in_pool, job, unit): unit for unit in pending
                }
            waiting = set(futures)
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in sorted(finished, key=lambda f: futures[f].name):
                    yield futures[future], future.result()
            pool.shutdown()
        except BrokenProcessPool as error:
            raise RunError(
                "a worker process was killed by the system, often for lack of memory; try a smaller --jobs"
            ) from error
        finally:
            held_open.close()
            pool.shutdown(cancel_futures=True)
            events.put(None)
            listener.join(timeout=1.0)
            receiver.close()


_events: Any = None  # in a worker: the queue on which progress goes to the parent


def _start_process(events: Any, receiver: Connection) -> None:
    global _events
    _events = events
    events.cancel_join_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(receiver,), daemon=True).start()


def _end_with_parent(receiver: Connection) -> None:
    parent = multiprocessing.parent_process()
    wait_for_any([receiver, *([parent.sentinel] if parent else [])])
    os._exit(1)


def _attempt_in_pool(job: _Job, unit: Unit) -> _Failure | None:
    last_sent, last_phase = 0.0, ""

    def progress(event: ProgressEvent) -> None:
        nonlocal last_sent, last_phase
        now = time.monotonic()
        if event.phase != last_phase or event.done >= event.total or now - last_sent >= _SECONDS_BETWEEN_EVENTS:
            last_sent, last_phase = now, event.phase
            _events.put((unit.name, event))

    return _attempt(job, unit, progress)


def _listen(events: Any, watcher: Watcher, units: list[Unit]) -> None:
    by_name = {unit.name: unit for unit in units}
    with suppress(EOFError, OSError):
        while (message := events.get()) is not None:
            name, event = message
            watcher.progress(by_name[name], event)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside compute on one thread; libraries read these variables when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Processes started inside never see Ctrl-C or SIGTERM, which a terminal sends to all: the parent stops them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cannot_write(path: Path, error: OSError) -> str:
    place = error.filename or path
    return f"cannot read or write {place}: {error.strerror or error}; check the space and the permissions there"
