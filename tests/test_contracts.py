"""Every criterion, learner, reader and encoder is held to its contract: an entry of a table without being named, and
an example where the suite cannot make one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

import hrsnn.encode
from hrsnn._checks import RunError
from hrsnn.data.readers import READERS, Found, Wanted
from hrsnn.data.readers.npz import Events
from hrsnn.encode import AudioCode, PopulationCode, level_crossing, poisson_rate, pool_events, temporal_difference
from hrsnn.encode.duration import regrid, stretch
from hrsnn.encode.values import ValueCode
from hrsnn.learners import KINDS as LEARNERS
from hrsnn.learners import Learner, Stdp, learner_of
from hrsnn.network import Network
from hrsnn.pruning.criteria import Magnitude, Uniform
from hrsnn.pruning.criterion import Size, Step
from hrsnn.pruning.methods import KINDS as METHODS
from hrsnn.pruning.methods import criterion_of
from hrsnn.spikes import Spikes
from hrsnn.testing import criteria, encoders, learners, readers


def named(value: Any) -> str:
    return str(value.__name__) if inspect.isfunction(value) or inspect.isclass(value) else getattr(value, "name", "")


# -- criteria and learners: all that stand in the tables ---------------------------------------------------------------


@pytest.mark.parametrize("check", criteria.CHECKS, ids=named)
@pytest.mark.parametrize("method", METHODS)
def test_criteria(method: str, check: Callable[[Any], None]) -> None:
    check(criterion_of(method))


@pytest.mark.parametrize("page", ["reference/config.md", "reference/command-line.md", "how-to/prune.md"])
def test_pages_name_every_method(page: str) -> None:
    text = (Path(__file__).parent.parent / "docs" / page).read_text("utf-8")
    assert [method for method in METHODS if method not in text] == []


@pytest.mark.parametrize("check", learners.CHECKS, ids=named)
@pytest.mark.parametrize(
    "learner", [*(learner_of({"rule": r}) for r in LEARNERS), Stdp(n_epochs=2, n_samples=3)], ids=str
)
def test_learners(learner: Learner, check: Callable[[Any], None]) -> None:
    check(learner)


# -- readers: an example of each of their forms -----------------------------------------------------------------------

VALUES = np.round(np.sin(np.arange(12) + np.arange(8)[:, None]), 6)
LABELS = ["yes", "no"] * 4


def sounds(path: Path) -> None:
    for k in range(4):
        (path / LABELS[k]).mkdir(parents=True, exist_ok=True)
        wave = np.int16(9000 * np.sin(np.arange(400) * (k + 1) / 9))
        wavfile.write(path / LABELS[k] / f"{k}.wav", 8000, wave)


def events(path: Path) -> None:
    sample = np.repeat(np.arange(6), 3)
    columns = {"times_ms": np.tile([1.0, 2.0, 7.5], 6), "units": np.arange(18) % 5, "sample": sample}
    np.savez(path, **columns, labels=np.arange(6) % 2, groups=np.array(list("aabbcc")))


def rows(path: Path) -> None:
    header = ",".join(["class", *(f"t{t}" for t in range(12))])
    path.write_text("\n".join([header, *(f"{y},{','.join(map(str, x))}" for y, x in zip(LABELS, VALUES, strict=True))]))


def archive(path: Path) -> None:
    lines = [f"{','.join(map(str, x))}:{y}" for y, x in zip(LABELS, VALUES, strict=True)]
    path.write_text("\n".join(["@classLabel true yes no", "@data", *lines]))


def weka(path: Path) -> None:
    lines = [f"{','.join(map(str, x))},{y}" for y, x in zip(LABELS, VALUES, strict=True)]
    names = [*(f"@attribute t{t} numeric" for t in range(12)), "@attribute target {yes,no}"]
    path.write_text("\n".join(["@relation waves", *names, "@data", *lines]))


def arrays(path: Path) -> None:
    np.savez(path, values=VALUES, labels=np.array(LABELS))


def folder(path: Path) -> None:
    path.mkdir()
    for k, (y, x) in enumerate(zip(LABELS, VALUES, strict=True)):
        np.save(path / f"{y}_{k}.npy", x)


def series(path: Path) -> None:
    path.write_text("wind,sun\n" + "".join(f"{np.sin(t):.6f},{t / 7:.6f}\n" for t in range(40)))


FILES: list[tuple[str, str, Callable[[Path], None]]] = [
    ("Sounds", "sounds", sounds),
    ("Events", "events.npz", events),
    ("Labelled", "rows.csv", rows),
    ("Labelled", "archive.ts", archive),
    ("Labelled", "weka.arff", weka),
    ("Labelled", "arrays.npz", arrays),
    ("Labelled", "folder", folder),
    ("CsvSeries", "series.csv", series),
]


@pytest.mark.parametrize("check", readers.CHECKS, ids=named)
@pytest.mark.parametrize(("kind", "file"), [(kind, file) for kind, file, _ in FILES])
def test_readers(kind: str, file: str, check: Callable[[Any], None], tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    for _, name, write in FILES:
        write(tmp_path / name)
    (reader,) = (reader for reader in READERS if type(reader).__name__ == kind)
    others = [tmp_path / name for other, name, _ in FILES if other != kind]
    check(readers.Example(reader, tmp_path / file, tmp_path / "scratch", others))


def test_every_reader_has_an_example() -> None:
    assert {type(reader).__name__ for reader in READERS} == {kind for kind, _, _ in FILES}


# -- encoders: one line for each ---------------------------------------------------------------------------------------


def spikes_of(samples: Any) -> Spikes:
    """Of arrays of times, of one unit."""
    return Spikes.from_times(samples, [np.zeros(np.size(s), int) for s in samples], n_units=1, n_steps=40, dt_ms=1.0)


def pooled(samples: Any) -> Spikes:
    columns = [[s[..., k] if s.shape[-1] == 4 else s for s in samples] for k in range(4)]
    return pool_events(*columns, sensor=(8, 8), grid=(2, 2), n_steps=40, dt_ms=1.0)


rng = np.random.default_rng(0)
POPULATION = PopulationCode((0.0,), (4.0,), n_per_variable=5, hold_ms=10.0)
WAVES = [rng.integers(0, 5, (30, 1)) for _ in range(3)]
VALUE_CODE = ValueCode.fit(WAVES, n_target_steps=60)
BRIGHT = [rng.integers(0, 2, 6) for _ in range(3)]
FRAMES = [rng.integers(0, 2, (4, 3, 3)) for _ in range(3)]
TONES = [rng.integers(-1, 2, n) for n in (900, 700)]
TIMES = [np.sort(rng.integers(0, 40, 9)) for _ in range(3)]
PIXELS = [np.column_stack([times, *rng.integers(0, 8, (2, 9)), rng.integers(0, 2, 9)]) for times in TIMES]
ENCODERS = [
    encoders.Example("poisson_rate", lambda x, r: poisson_rate(x, rng=r), BRIGHT, np.zeros(6)),
    encoders.Example("PopulationCode", lambda x, r: POPULATION.encode(x)[0], WAVES, np.zeros((30, 1))),
    encoders.Example("PopulationCode, drawn", lambda x, r: POPULATION.encode(x, r)[0], WAVES, np.zeros((30, 1))),
    encoders.Example("ValueCode", lambda x, r: VALUE_CODE.encode(x), WAVES, np.zeros((30, 1))),
    encoders.Example("AudioCode", lambda x, r: AudioCode(n_channels=4).encode(x, 16000), TONES, np.zeros(900)),
    encoders.Example("level_crossing", lambda x, r: level_crossing(x, threshold=1, dt_ms=1), WAVES, np.ones((30, 1))),
    encoders.Example("temporal_difference", lambda x, r: temporal_difference(x, fps=100), FRAMES, np.ones((4, 3, 3))),
    encoders.Example("pool_events", lambda x, r: pooled(x), PIXELS, np.zeros((0, 4))),
    encoders.Example("stretch", lambda x, r: stretch(spikes_of(x), duration_ms=60.0), TIMES, np.zeros(0)),
    encoders.Example("regrid", lambda x, r: regrid(spikes_of(x), dt_ms=0.5), TIMES, np.zeros(0), dt_ms=0.5),
]


@pytest.mark.parametrize("check", encoders.CHECKS, ids=named)
@pytest.mark.parametrize("example", ENCODERS, ids=lambda example: example.name)
def test_encoders(example: encoders.Example, check: Callable[[Any], None]) -> None:
    check(example)


def test_every_encoder_of_the_package_has_an_example() -> None:
    assert set(hrsnn.encode.__all__) <= {example.name for example in ENCODERS}


# -- the suites can fail -----------------------------------------------------------------------------------------------


class Inexact(Uniform):
    """One synapse too few."""

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, dict[str, Any]]:
        return super().__call__(network, Size(size.n_neurons, size.n_synapses - 1), step)


class Forgetful(Uniform):
    """History is lost, and what is told is no JSON."""

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, dict[str, Any]]:
        pruned, _ = super().__call__(network, size, step)
        return replace(pruned, provenance={"history": ["pruned by uniform"]}), {"graph": pruned}


class Certain(Uniform):
    by_chance = False


class Drawn(Magnitude):
    by_chance = True


class Restless(Stdp):
    """Neurons change, nothing is told, and labels are looked at."""

    def learn(self, network: Network, data: Any, *, seed: int, progress: Any, dtype: type = np.float32) -> Network:
        gain = 2.0 + (data.labels[0] if hasattr(data, "labels") else 0)
        return replace(network, neurons=replace(network.neurons, tau_mem_ms=gain * network.neurons.tau_mem_ms))


class Careless(Events):
    """Takes everything, counts a label too many, and breaks on what is damaged."""

    def takes(self, path: Path) -> bool:
        return True

    def read(self, path: Path, wanted: Wanted) -> Found:
        with np.load(path) as file:
            return Found([np.ones((3, 1))] * 6, ["a"] * (file["labels"].size + 1))


def alike(x: Any, r: Any) -> Spikes:
    """All samples are scaled by the largest value in the batch; what is no number is nothing."""
    scaled = np.nan_to_num(np.stack(x).astype(float).reshape(len(x), -1))
    return Spikes.from_dense((scaled >= max(scaled.max(), 1))[:, :, None], dt_ms=1.0)


ALIKE = encoders.Example("alike", alike, [np.eye(3), 2 * np.eye(3)], np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (partial(criteria.reaches_exact_sizes, Inexact()), "must make a network of"),
        (partial(criteria.leaves_a_line, Forgetful()), "must keep the history"),
        (partial(criteria.reaches_exact_sizes, Forgetful()), "which a JSON file cannot hold"),
        (partial(criteria.depends_on_the_seed_alone, Certain()), "must be the same"),
        (partial(criteria.depends_on_the_seed_alone, Drawn()), "must differ"),
        (partial(learners.changes_weights_alone, Restless()), "must leave `tau_mem_ms` of neurons as it was"),
        (partial(learners.leaves_a_line, Restless()), "must add one line"),
        (partial(learners.tells_how_far_it_is, Restless()), "must tell how far it is"),
        (partial(learners.needs_labels_or_ignores_them, Restless()), "must give the same bits without them"),
        (partial(encoders.encodes_each_by_itself, ALIKE), "must encode a sample alone"),
        (partial(encoders.refuses_what_is_no_number, ALIKE), "must refuse a value of nan"),
    ],
)  # fmt: skip
def test_a_suite_can_fail(check: Callable[[], None], sentence: str) -> None:
    with pytest.raises((AssertionError, RunError), match=sentence):
        check()


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (readers.takes_its_own_alone, "must take its own"),
        (readers.tells_as_much_of_each, "must tell one of `labels` per recording"),
        (readers.tells_damage, "must refuse a file that is empty with an InputError"),
    ],
)
def test_the_suite_of_readers_can_fail(check: Callable[[Any], None], sentence: str, tmp_path: Path) -> None:
    events(tmp_path / "events.npz")
    with pytest.raises(AssertionError, match=sentence):
        check(readers.Example(Careless(), tmp_path / "events.npz", tmp_path))
