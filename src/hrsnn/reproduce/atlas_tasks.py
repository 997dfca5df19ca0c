"""The tasks of the atlas: data, network, readout and learner of each, from built-in configs and what is recommended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from hrsnn import data, tasks
from hrsnn._checks import FileError
from hrsnn.config import Config, load_config
from hrsnn.data.dataset import Dataset, Series, Splits
from hrsnn.encode.values import ValueCode
from hrsnn.forecast import ForecastTask
from hrsnn.learners import Stdp
from hrsnn.randomness import stream
from hrsnn.readout import ReadoutSpec
from hrsnn.recommendation import recommended, recommended_readout
from hrsnn.reproduce.measurements import fewer_recordings
from hrsnn.reproduce.scales import AtlasScale
from hrsnn.spec import NetworkSpec

_FSDD = "fsdd/recordings"  # in the data directory: WAV files, unpacked


@dataclass(frozen=True, slots=True)
class World:
    """A task with what its networks have in common; `spec` is the most heterogeneous of them, `digest` that of data."""

    task: tasks.Task
    spec: NetworkSpec
    readout: ReadoutSpec
    learner: Stdp
    digest: str


@dataclass(frozen=True, slots=True)
class Case:
    """A task.

    config    a built-in config, or a folder of own data in the data directory; "": what is recommended for `made`
    changes   overrides of the config
    made      gives the data, where it is not what the config loads
    """

    config: str = ""
    changes: tuple[str, ...] = ()
    made: Callable[[Config | None], tasks.Task] | None = None


@lru_cache(maxsize=32)
def world_of(case: str, scale: AtlasScale, data_dir: Path | None = None) -> World:
    """The task of one of `CASES` at a scale. Raises `FileError` where its data are missing."""
    of = CASES[case]
    if not of.config:
        assert of.made is not None
        task = of.made(None)
        spec, readout, learner = recommended(task, n_neurons=scale.n_neurons), recommended_readout(task), Stdp()
    else:
        config = _config(of, scale, data_dir)
        task = of.made(config) if of.made is not None else tasks.load_task(config.task, data_dir=data_dir)
        spec, readout = config.network, config.readout
        learner = config.learn if isinstance(config.learn, Stdp) else Stdp()
    learner = Stdp(n_samples=min(learner.n_samples or scale.n_learned, scale.n_learned))
    if isinstance(task, Splits):
        task = fewer_recordings(task, scale.n_recordings)
        # One number of bins, the finest, and one transform, the first; validation chooses the penalty.
        readout = readout.model_copy(update={"n_bins": readout.n_bins[-1:], "transform": readout.transform[:1]})
    return World(task, spec, readout, learner, task.digest)


def _config(case: Case, scale: AtlasScale, data_dir: Path | None) -> Config:
    source = case.config
    if "/" in source:
        folder = data.data_directory(data_dir) / source
        if not folder.is_dir():
            raise FileError(f"there is no folder {folder}; unpack the recordings there")
        source = str(folder)
    given = [*case.changes, *scale.forecast, f"network.n_neurons={scale.n_neurons}", "prune=false"]
    return load_config(source, given, data_dir=data_dir)


# -- data of the atlas's own -------------------------------------------------------------------------------------------


def lorenz96_of_two_scales(config: Config | None) -> ForecastTask:
    """The 8 large variables of Lorenz-96 with 64 small ones, by the protocol of `config`."""
    assert config is not None
    spec = config.task.forecast
    series = data.load("lorenz96", n_scales=2, n_steps=spec.n_values, dt=spec.dt, substeps=spec.substeps)
    assert isinstance(series, Series)
    return ForecastTask.of(series, spec)


def delayed(name: str, delay_ms: float) -> Callable[[Config | None], Splits]:
    """A delayed task with another delay than that of its config."""

    def made(config: Config | None) -> Splits:
        splits = data.load(name, delay_ms=delay_ms)
        assert isinstance(splits, Splits)
        return splits

    return made


_SHAPES = ("cylinder", "bell", "funnel")
_N_SHAPES = {"train": 90, "validation": 60, "test": 300}
_NOISE = 3.0  # standard deviation, where the height is about 6: with 1, as Saito has it, hardly a mistake is made


def shapes(config: Config | None = None) -> Splits:
    """Labelled series of 128 values: is a stretch of it level, rising or falling? Noise is everywhere.

    The cylinders, bells and funnels of Saito 1994 (PhD thesis, Yale), with more noise.
    """
    values, labels = {}, {}
    for part, n in _N_SHAPES.items():
        rng = stream(0, f"atlas.shapes.{part}")
        t, labels[part] = np.arange(1, 129), np.arange(n) % len(_SHAPES)
        begin = rng.integers(16, 33, size=(n, 1))
        length = rng.integers(32, 97, size=(n, 1))
        inside, way = (t >= begin) & (t <= begin + length), (t - begin) / length
        ramp = np.select([labels[part][:, None] == k for k in range(3)], [np.ones_like(way), way, 1 - way])
        values[part] = (6 + rng.normal(size=(n, 1))) * ramp * inside + _NOISE * rng.normal(size=(n, t.size))
    code = ValueCode.fit(list(values["train"]))
    train, validation, test = (
        Dataset(code.encode(list(values[part])), labels[part], _SHAPES) for part in ("train", "validation", "test")
    )
    return Splits(train, validation, test, "shapes", "Apache-2.0", "computed from a fixed seed")


# The built-in configs, with what makes another task of them; tasks are the same for all kinds of heterogeneity.
CASES = {
    "digits": Case("spoken-digits"),
    "digits-1ms": Case("spoken-digits", ("task.dt_ms=1.0", "network.dt_ms=1.0")),  # no time constant below 2 steps
    "hd-spikes": Case("hd-spikes"),
    "fsdd": Case(_FSDD, (r"task.group_pattern='_(?P<speaker>[a-z]+)_'", 'task.test_groups=["george"]')),
    "lorenz63": Case("lorenz63"),
    "lorenz96": Case(
        "lorenz63",  # with as many input synapses per neuron for 8 variables as for 3
        ("task.name=lorenz96", "task.forecast.dt=0.02", "task.forecast.substeps=4", "task.forecast.n_train=1000",
         "task.forecast.n_horizon=10", "input.p_connect=0.0375"),
        lorenz96_of_two_scales,
    ),
    "mackey-glass": Case("mackey-glass-recurrent", ("task.forecast.n_horizon=100",)),
    "wind": Case("google-stock", ("task.name=wind", "task.forecast.n_train=600", "task.forecast.n_horizon=10")),
    "recall-150": Case("delayed-recall", made=delayed("delayed-recall", 150.0)),
    "recall-300": Case("delayed-recall", made=delayed("delayed-recall", 300.0)),
    "match-150": Case("delayed-match", made=delayed("delayed-match", 150.0)),
    "match-300": Case("delayed-match", made=delayed("delayed-match", 300.0)),
    "shapes": Case(made=shapes),
}  # fmt: skip
