"""Readouts: recorded activity -> class or value, fitted by scikit-learn, kept as plain arrays (method.md 7).

Activity is an array `windows` of shape (n_samples, n_windows, n_units): spike counts per time bin, or filtered spike
trains at certain steps. Fitting and applying are separate; a `Readout` is a value that can be saved and needs no
scikit-learn to predict.
"""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator
from threadpoolctl import threadpool_limits

from hrsnn._checks import (
    FileError,
    InputError,
    among,
    as_array,
    check_all,
    check_column,
    listed,
    real_array,
    real_number,
    require,
    shortened,
    time_step,
    whole_number,
)
from hrsnn._shown import Shown
from hrsnn.augmentation import Copies
from hrsnn.graph import betweenness
from hrsnn.network import Network
from hrsnn.network_file import load_tensors, save_tensors
from hrsnn.spec import Table
from hrsnn.spikes import STEPS_END

Transform = Literal["none", "sqrt", "log"]
Model = Literal["logistic", "ridge", "mlp"]
Features = Literal["counts", "filtered"]
Layer = tuple[NDArray[np.float64], NDArray[np.float64]]  # weights (n_in, n_out), offsets (n_out,)

SCHEMA = "hrsnn.readout/3"
_SCHEMA_WITHOUT_GRID = "hrsnn.readout/2"
_FACTS = ("features", "n_bins", "transform", "tau_filter_ms", "last_ms")
_HIDDEN = 20  # neurons of the hidden layer of the MLP, method.md 7.2
_TRANSFORMS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "none": lambda x: x,
    "sqrt": np.sqrt,
    "log": np.log1p,
}


class ReadoutSpec(Table):
    """The table `[readout]`. Lists are alternatives: validation data chooses among all combinations.

    features         "counts": spikes per time bin; "filtered": filtered spike trains, the final state (method.md 7.1)
    n_bins           time bins of the counts; "filtered" has one window whatever stands here
    channel_pools    for the controls that read the input itself: neighbouring channels summed, how many
    transform        of every feature before it is standardised: none, sqrt, or log (log(1 + x))
    model            logistic, ridge, or mlp (one hidden layer of 20)
    regularisation   L2 penalty per training sample, so that it means the same for any amount of data
    scale_floor      features are divided by their spread plus this share of the mean spread, so that those that hardly
                     ever change do not shout
    last_ms          of the counts, for recordings: only so much of the end of each is seen, and cut into bins; 0 is all
    neurons          "all", or the share `neuron_share` with the highest betweenness, at least 10 (method.md 7.2)
    populations      of these alone: clusters, or layers of a stack; empty: of all
    augment          copies of the training recordings, changed at random, that it is fitted on beside them
    """

    features: Features = "counts"
    n_bins: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = [5]
    channel_pools: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = [1]
    transform: Annotated[list[Transform], Field(min_length=1)] = ["none"]
    model: Model = "logistic"
    regularisation: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] = [0.01, 0.1]
    scale_floor: Annotated[float, Field(ge=0)] = 0.0
    last_ms: Annotated[float, Field(ge=0)] = 0.0
    neurons: Literal["all", "betweenness"] = "all"
    neuron_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    tau_filter_ms: Annotated[float, Field(gt=0)] = 30.0
    populations: list[Annotated[int, Field(ge=0)]] = []
    augment: Copies = Copies()

    @model_validator(mode="after")
    def _last_ms_is_of_counts(self) -> Self:
        remedy = "filtered spike trains forget by themselves, with tau_filter_ms"
        ok = self.features == "counts" or not self.last_ms
        require(ok, "ReadoutSpec", "last_ms", 'must be 0 where features = "filtered"', self.last_ms, remedy=remedy)
        return self

    @property
    def n_bins_recorded(self) -> int:
        """The number of bins from which every alternative can be summed up."""
        return 1 if self.features == "filtered" else math.lcm(*self.n_bins)


@dataclass(frozen=True, slots=True)
class Grid:
    """What a readout was fitted on, and belongs to: recordings, or the values of a forecast.

    n_units    channels of the input
    n_steps    steps of every recording; of a forecast, the steps for which one value is shown
    dt_ms      step of time
    stretched  (duration_ms, tail_ms) where every recording was stretched to last `duration_ms`, then silent for
               `tail_ms`; None where recordings keep their time
    code       of a forecast: the fields of the population code that shows the values; else None
    """

    n_units: int
    n_steps: int
    dt_ms: float
    stretched: tuple[float, float] | None = None
    code: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("n_units", "n_steps"):
            value = whole_number("Grid", name, getattr(self, name), at_least=1, below=STEPS_END)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "dt_ms", time_step("Grid", self.dt_ms))
        require(self.code is None or isinstance(self.code, Mapping), "Grid", "code", "must be a table", self.code)
        # As JSON gives it back, so that a grid equals the one that was saved.
        object.__setattr__(self, "code", json.loads(json.dumps(self.code)))
        if self.stretched is not None:
            ok = isinstance(self.stretched, (tuple, list)) and len(self.stretched) == 2
            require(ok, "Grid", "stretched", "must be duration and tail", self.stretched)
            duration_ms, tail_ms = self.stretched
            stretched = (
                real_number("Grid", "stretched", duration_ms, above=0),
                real_number("Grid", "stretched", tail_ms),
            )
            object.__setattr__(self, "stretched", stretched)

    @property
    def duration_ms(self) -> float:
        return self.n_steps * self.dt_ms


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Readout(Shown):
    """A fitted readout.

    units            int64 (n_read,), the units it reads
    mean, scale      (n_features,), standardisation of the transformed features; n_features = n_bins * n_read
    layers           weights and offsets; ReLU between layers. Outputs are class scores or predicted values
    last_ms          only so much of the end of a recording is in the windows; 0 is all of it
    grid             what it was fitted on; None where that is not known, as in a file of an older version

    Raises `InputError` when these do not fit together.
    """

    units: NDArray[np.int64]
    features: Features
    n_bins: int
    transform: Transform
    tau_filter_ms: float
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    layers: tuple[Layer, ...]
    last_ms: float = 0.0
    grid: Grid | None = None

    def __post_init__(self) -> None:
        known = among(self.features, get_args(Features)) and among(self.transform, get_args(Transform))
        given = f"{self.features}, {self.transform}"
        require(known, "Readout", "features, transform", "must be known", given)
        object.__setattr__(self, "n_bins", whole_number("Readout", "n_bins", self.n_bins, at_least=1, below=2**31))
        for name, limits in (("tau_filter_ms", {"above": 0}), ("last_ms", {"at_least": 0})):
            object.__setattr__(self, name, real_number("Readout", name, getattr(self, name), **limits))
        units = check_column("Readout", "units", self.units, dtype=np.int64, at_least=0)
        n_features = self.n_bins * units.size
        for name in ("mean", "scale"):
            column = check_column("Readout", name, getattr(self, name), dtype=np.float64, length=n_features)
            object.__setattr__(self, name, column)
        object.__setattr__(self, "units", units)
        check_all("Readout", "scale", "must be > 0", self.scale, self.scale > 0)
        pairs = [listed("Readout", "layers", layer) for layer in listed("Readout", "layers", self.layers)]
        ok = len(pairs) >= 1 and all(len(pair) == 2 for pair in pairs)
        require(ok, "Readout", "layers", "must hold at least one pair of weights and offsets", f"{len(pairs)} layers")
        layers = tuple((_real("weight", weight, 2), _real("offset", offset, 1)) for weight, offset in pairs)
        sizes = [n_features, *(offset.size for _, offset in layers)]
        shapes = list(pairwise(sizes))
        given_shapes = [weight.shape for weight, _ in layers]
        require(given_shapes == shapes, "Readout", "layers", f"must have weights of shapes {shapes}", given_shapes)
        for k, (weight, offset) in enumerate(layers):
            # In the last layer a class without training samples has the score minus infinity.
            known_offset = np.isfinite(offset) | (np.isneginf(offset) & (k == len(layers) - 1))
            check_all(
                "Readout", f"layer{k}.weight", "must be finite", weight.reshape(-1), np.isfinite(weight).reshape(-1)
            )
            check_all("Readout", f"layer{k}.offset", "must be finite", offset, known_offset)
        ok = bool(np.isfinite(layers[-1][1]).any()) or layers[-1][1].size == 0
        require(ok, "Readout", "layers", "must have a finite offset for one output at least", "none")
        object.__setattr__(self, "layers", layers)

    def _glance(self) -> dict[str, object]:
        return {
            "features": self.features, "n_units": self.units.size, "n_bins": self.n_bins, "transform": self.transform,
            "n_outputs": self.layers[-1][1].size, "n_layers": len(self.layers),
        }  # fmt: skip

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Readout):
            return NotImplemented
        return self._saved_facts() == other._saved_facts() and all(
            np.array_equal(a, b) for a, b in zip(self._columns().values(), other._columns().values(), strict=True)
        )

    def outputs(self, windows: ArrayLike) -> NDArray[np.float64]:
        """Outputs for activity (n_samples, n_windows, n_units), shape (n_samples, n_outputs), float64.

        Raises `InputError` for another shape than the readout was fitted for.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            x: NDArray[Any] = feature_matrix(self._read(windows), self.n_bins, self.transform)
        known = bool(np.isfinite(x).all())
        require(known, "Readout", "windows", "must hold numbers whose features fit float32", "infinity or NaN")
        x = (x - self.mean) / self.scale
        for k, (weight, offset) in enumerate(self.layers):
            x = np.maximum(x, 0) @ weight + offset if k else x @ weight + offset
        return np.asarray(x, dtype=np.float64)

    def classes(self, windows: ArrayLike) -> NDArray[np.int64]:
        """The class with the highest score for each sample, shape (n_samples,)."""
        return np.asarray(self.outputs(windows).argmax(axis=1))

    def count_synops(self, windows: ArrayLike) -> int:
        """Multiply-accumulates over all samples: features that are not zero times outputs, hidden layers in full."""
        summed = merge_bins(self._read(windows), self.n_bins)
        hidden = sum(int(weight.size) for weight, _ in self.layers[1:])
        n_outputs: int = self.layers[0][1].size
        return int(np.count_nonzero(summed)) * n_outputs + len(summed) * hidden

    def _read(self, windows: ArrayLike) -> NDArray[Any]:
        """The activity of the units that are read."""
        activity = as_array("Readout", "windows", windows)
        require(activity.dtype.kind in "biuf", "Readout", "windows", "must be real numbers", f"dtype {activity.dtype}")
        n_least = int(self.units.max(initial=-1)) + 1
        ok = activity.ndim == 3 and activity.shape[2] >= n_least
        rule = f"must have shape (samples, windows, units) with at least {n_least} units"
        require(ok, "Readout", "windows", rule, activity.shape)
        return np.asarray(activity[:, :, self.units])

    @property
    def n_bytes(self) -> int:
        """Bytes of the weights and offsets in single precision, standardisation folded in."""
        return 4 * sum(int(array.size) for layer in self.layers for array in layer)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a safetensors file, atomically."""
        save_tensors(path, self._columns(), self._saved_facts())

    def _columns(self) -> dict[str, NDArray[Any]]:
        columns: dict[str, NDArray[Any]] = {"units": self.units, "mean": self.mean, "scale": self.scale}
        for k, (weight, offset) in enumerate(self.layers):
            columns |= {f"layer{k}.weight": weight, f"layer{k}.offset": offset}
        return columns

    def _saved_facts(self) -> dict[str, Any]:
        facts = {**{name: getattr(self, name) for name in _FACTS}, "n_layers": len(self.layers)}
        if self.grid is None:
            return {**facts, "schema": _SCHEMA_WITHOUT_GRID}
        return {**facts, "grid": asdict(self.grid), "schema": SCHEMA}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Readout:
        """Read back what `save` wrote. Raises `FileError` for a missing, damaged or incomplete file.

        Files of `hrsnn.readout/2` are read as well; they do not tell the grid.
        """
        columns, facts = load_tensors(path, SCHEMA, _SCHEMA_WITHOUT_GRID)
        try:
            layers = tuple(
                (columns[f"layer{k}.weight"], columns[f"layer{k}.offset"])
                for k in range(whole_number("Readout", "n_layers", facts["n_layers"]))
            )
            known = {name: facts[name] for name in _FACTS}
            told = facts["grid"] if facts["schema"] == SCHEMA else None
            grid = None if told is None else Grid(**told)  # those of a first version of this schema may not tell it
            return cls(
                columns["units"], mean=columns["mean"], scale=columns["scale"], layers=layers, grid=grid, **known
            )
        except (KeyError, TypeError) as error:
            raise FileError(f"{path} is not a complete readout file: {shortened(str(error))}") from error
        except InputError as error:
            raise FileError(f"{path} holds a readout that breaks a rule: {error}") from error


def _real(name: str, values: ArrayLike, n_dimensions: int) -> NDArray[np.float64]:
    array = real_array("Readout", f"layers {name}", values)
    rule = f"must have {n_dimensions} dimensions"
    require(array.ndim == n_dimensions, "Readout", f"layers {name}", rule, f"shape {array.shape}")
    return array


@dataclass(frozen=True, slots=True)
class Choice:
    """A fitted readout and every alternative that validation data saw, as plain values for the report."""

    readout: Readout
    chosen: dict[str, Any]
    tried: list[dict[str, Any]]
    warnings: tuple[str, ...] = ()


def units_read(network: Network, spec: ReadoutSpec) -> NDArray[np.int64]:
    """Indices of the neurons the readout reads, rising."""
    population = network.neurons.population
    known = sorted(set(population.tolist()))
    for one in spec.populations:
        rule = f"must be among those of the network, {', '.join(map(str, known))}"
        require(one in known, "ReadoutSpec", "populations", rule, one)
    among = np.flatnonzero(np.isin(population, spec.populations)) if spec.populations else np.arange(population.size)
    if spec.neurons == "all":
        return among
    n = min(among.size, max(10, math.ceil(spec.neuron_share * among.size)))
    ranked = among[np.argsort(-betweenness(network)[among], kind="stable")]
    return np.sort(ranked[:n])


def merge_bins(windows: NDArray[Any], n_bins: int) -> NDArray[Any]:
    """Sum (n_samples, k * n_bins, n_units) up to (n_samples, n_bins, n_units)."""
    n, n_fine, n_units = windows.shape
    require(n_fine % n_bins == 0, "merge_bins", "n_bins", f"must divide {n_fine}, the bins recorded", n_bins)
    if n_fine == n_bins:
        return windows
    return np.asarray(windows.reshape(n, n_bins, n_fine // n_bins, n_units).sum(axis=2))


def feature_matrix(windows: NDArray[Any], n_bins: int, transform: Transform) -> NDArray[np.float32]:
    """Features (n_samples, n_bins * n_units), float32, of activity (n_samples, n_windows, n_units)."""
    merged = merge_bins(windows, n_bins)
    return _TRANSFORMS[transform](merged.reshape(len(merged), merged.shape[1] * merged.shape[2]).astype(np.float32))


def fit_classifier(
    train: ArrayLike,
    train_labels: ArrayLike,
    validation: ArrayLike,
    validation_labels: ArrayLike,
    spec: ReadoutSpec,
    *,
    n_classes: int,
    units: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Choice:
    """The alternative of `spec` with the best accuracy on the validation part, fitted again on both parts.

    train, validation  activity (n_samples, n_windows, n_units); labels int in [0, n_classes). Ties go to the
    alternative that stands first in the spec.
    Raises `InputError` for labels out of range or of another number than samples, and for a single class.
    """
    labels = [
        check_column(
            "fit_classifier", name, y, dtype=np.int64, length=len(np.asarray(x)), at_least=0, at_most=n_classes - 1
        )
        for name, x, y in (("train_labels", train, train_labels), ("validation_labels", validation, validation_labels))
    ]
    n_present = np.unique(labels[0]).size
    require(n_present >= 2, "fit_classifier", "train_labels", "must hold at least two classes", n_present)
    targets = [np.eye(n_classes)[y] for y in labels]

    def accuracy(outputs: NDArray[np.float64], target: NDArray[np.float64]) -> float:
        return float(np.mean(outputs.argmax(axis=1) == target.argmax(axis=1)))

    return _choose(
        (train, targets[0]), (validation, targets[1]), spec, _CLASSIFIERS[spec.model], "accuracy",
        lambda readout: accuracy(readout.outputs(validation), targets[1]), units=units, seed=seed,
    )  # fmt: skip


def fit_regression(
    train: ArrayLike,
    train_values: ArrayLike,
    validation: ArrayLike,
    validation_values: ArrayLike,
    spec: ReadoutSpec,
    *,
    units: NDArray[np.int64] | None = None,
    score: Callable[[Readout], Scores] | None = None,
    seed: int = 0,
) -> Choice:
    """As `fit_classifier` for real targets (n_samples, n_outputs): least squares with penalty, `ridge` or `mlp`.

    The alternatives are judged by `score`, higher is better, for instance of their free-running forecasts; the
    default is minus the root mean square error on the validation part. Where `score` gives several numbers, one per
    validation forecast, their means are compared, and what is taken is the largest penalty that is worse than the best
    by no more than one standard error of the paired difference (or half a percent): two arms that differ by chance get
    the same penalty.

    Where the penalty taken is the least or the largest of two or more, the next ones beyond are tried too, down to
    1e-10 and up to 1e6; that is told in the warnings of the choice.
    """
    require(spec.model in _REGRESSORS, "ReadoutSpec", "model", "must be ridge or mlp for values", spec.model)
    values = [np.asarray(train_values, dtype=float), np.asarray(validation_values, dtype=float)]

    def minus_rmse(readout: Readout) -> float:
        return -float(np.sqrt(np.mean(np.square(readout.outputs(validation) - values[1]))))

    return _choose(
        (train, values[0]), (validation, values[1]), spec, _REGRESSORS[spec.model], "score", score or minus_rmse,
        units=units, seed=seed, widens=True,
    )  # fmt: skip


Scores = float | NDArray[np.float64]  # higher is better; several are of one kind each, and their mean counts
Part = tuple[ArrayLike, NDArray[np.float64]]  # activity windows and targets


def _choose(
    train: Part,
    validation: Part,
    spec: ReadoutSpec,
    fitter: Callable[..., Fits],
    score_name: str,
    score: Callable[[Readout], Scores],
    *,
    units: NDArray[np.int64] | None,
    seed: int,
    widens: bool = False,
) -> Choice:
    windows = np.asarray(train[0])
    read = np.arange(windows.shape[2]) if units is None else units

    def fits(windows: NDArray[Any], target: NDArray[np.float64], penalties: Sequence[float], **how: Any) -> Any:
        x, mean, scale = _standardised(feature_matrix(windows[:, :, read], **how), spec.scale_floor)
        for regularisation, layers in fitter(x, target, penalties, seed):
            yield regularisation, Readout(read, spec.features, **how, tau_filter_ms=spec.tau_filter_ms,
                                          mean=mean, scale=scale, layers=layers, last_ms=spec.last_ms)  # fmt: skip

    found: list[_Tried] = []

    def judge(penalties: Sequence[float], how: dict[str, Any]) -> None:
        for regularisation, readout in fits(windows, train[1], penalties, **how):
            found.append(_Tried(how, regularisation, np.atleast_1d(np.asarray(score(readout), dtype=float))))

    with threadpool_limits(1):  # the same bits whatever the number of cores
        for n_bins in [1] if spec.features == "filtered" else spec.n_bins:
            for transform in spec.transform:
                judge(spec.regularisation, {"n_bins": n_bins, "transform": transform})
        taken = _taken(found)
        while widens and (beyond := _beyond(taken, found)) is not None:
            judge([beyond], taken.how)
            taken = _taken(found)
        both = np.concatenate([windows, np.asarray(validation[0])])
        target = np.concatenate([train[1], validation[1]])
        ((_, readout),) = fits(both, target, [taken.regularisation], **taken.how)
    tried = [
        {**t.how, "regularisation": t.regularisation, f"validation_{score_name}": float(t.scores.mean())} for t in found
    ]
    chosen = {"model": spec.model, **tried[found.index(taken)]}
    told = _told_of_penalty(taken.regularisation, spec.regularisation, widens)
    return Choice(readout, chosen, tried, () if _as_good_inside(taken, found) else told)


@dataclass(frozen=True, slots=True, eq=False)
class _Tried:
    how: dict[str, Any]
    regularisation: float
    scores: NDArray[np.float64]


def _taken(found: Sequence[_Tried]) -> _Tried:
    """The best; of those that differ in the penalty alone the largest that is as good but for chance.

    That is within one standard error of the paired difference, or half a percent of the score: a plateau is not
    followed to its end.
    """
    best = max(found, key=lambda t: float(t.scores.mean()))
    n = best.scores.size
    if n < 2:
        return best

    def close(other: _Tried) -> bool:
        less = best.scores - other.scores
        error = float(less.std(ddof=1)) / math.sqrt(n)
        return float(less.mean()) <= max(error, _PLATEAU * abs(float(best.scores.mean())))

    alike = [t for t in found if t.how == best.how and t.regularisation >= best.regularisation]
    return max((t for t in alike if t is best or close(t)), key=lambda t: t.regularisation)


_PLATEAU = 0.005  # of a score, that no smaller penalty is taken for
_PENALTIES_AT_MOST = (1e-10, 1e6)


def _beyond(taken: _Tried, found: Sequence[_Tried]) -> float | None:
    """The next penalty on the side of the list where the one taken is the last; None inside, at the end of all, and
    where there is one alone, which is given and not chosen.
    """
    grid = sorted(t.regularisation for t in found if t.how == taken.how)
    if len(grid) < 2 or taken.regularisation not in (grid[0], grid[-1]):
        return None
    low = taken.regularisation == grid[0]
    ratio = min(100.0, max(10.0, grid[1] / grid[0] if low else grid[-1] / grid[-2]))
    # rounded: 1e-4 / 10 / 10 is told as 1e-06
    following = float(f"{grid[0] / ratio if low else grid[-1] * ratio:.6g}")
    least, most = _PENALTIES_AT_MOST
    return following if least <= following <= most else None


def _as_good_inside(taken: _Tried, found: Sequence[_Tried]) -> bool:
    """Whether another penalty is just as good, so that the one taken is at the edge by its place in the list alone."""
    score = float(taken.scores.mean())
    return any(t is not taken and t.how == taken.how and float(t.scores.mean()) == score for t in found)


def _told_of_penalty(penalty: float, given: Sequence[float], widened: bool) -> tuple[str, ...]:
    """A sentence where the penalty taken is at the edge of those given, or beyond."""
    low, high = min(given), max(given)
    if low == high or low < penalty < high:
        return ()
    if not widened:
        if len(set(given)) < 3:  # of two each is an edge
            return ()
        edge, way = ("the largest", "larger") if penalty >= high else ("the least", "smaller")
        return (f"validation chose the penalty {penalty:g}, {edge} of readout.regularisation; add {way} ones",)
    if low <= penalty <= high:  # those beyond were tried and not taken
        return ()
    if penalty >= _PENALTIES_AT_MOST[1] / 100:
        says = "; the features say next to nothing about the next value"
    else:
        says = ", which was widened"
    return (f"validation chose the penalty {penalty:g}, beyond readout.regularisation{says}",)


def _standardised(
    x: NDArray[np.float32], scale_floor: float
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """`x` (overwritten) with mean 0 and about unit spread per column, and the means and scales taken out."""
    mean, scale = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    scale += scale_floor * scale.mean()
    scale[scale < 1e-6] = 1.0  # a feature that never changes stays out: it is all zero after centring
    x -= mean.astype(np.float32)
    x /= scale.astype(np.float32)
    return x, mean, scale


Fits = Iterator[tuple[float, tuple[Layer, ...]]]


def _ridge(
    x: NDArray[np.float32],
    target: NDArray[np.float64],
    regularisations: Sequence[float],
    seed: int,
    *,
    gram_dtype: type = np.float32,
) -> Fits:
    """Least squares with an L2 penalty; in the dual, with one Gram matrix for all penalties, when that is smaller.

    A Gram matrix in single precision is singular for penalties below about 1e-4, which forecasts use.
    """
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import Ridge

    n = x.shape[0]
    offset = target.mean(axis=0)
    centred = target - offset
    if x.shape[1] > n:
        wide: NDArray[Any] = x.astype(gram_dtype, copy=False)
        gram = (wide @ wide.T).astype(np.float64)
        for regularisation in regularisations:
            dual = KernelRidge(alpha=regularisation * n, kernel="precomputed").fit(gram, centred).dual_coef_
            yield regularisation, ((np.asarray(wide.T @ dual.astype(gram_dtype), dtype=np.float64), offset),)
    else:
        for regularisation in regularisations:
            model = Ridge(alpha=regularisation * n, fit_intercept=False, solver="cholesky")
            coefficients = model.fit(x.astype(np.float64), centred).coef_
            yield regularisation, ((np.atleast_2d(coefficients).T, offset),)


def _logistic(x: NDArray[np.float32], target: NDArray[np.float64], regularisations: Sequence[float], seed: int) -> Fits:
    """Multinomial logistic regression."""
    from sklearn.linear_model import LogisticRegression

    labels = target.argmax(axis=1)
    for regularisation in regularisations:
        model = LogisticRegression(C=1 / (regularisation * x.shape[0]), max_iter=1000, tol=1e-4).fit(x, labels)
        yield regularisation, (_for_all_classes((model.coef_.T, model.intercept_), model.classes_, target.shape[1]),)


def _mlp(
    x: NDArray[np.float32],
    target: NDArray[np.float64],
    regularisations: Sequence[float],
    seed: int,
    *,
    classes: bool = False,
) -> Fits:
    """One hidden layer of 20 ReLU, Adam 1e-3, 200 epochs, early stop on 10 % of the training part (method.md 7.2)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    for regularisation in regularisations:
        model = (MLPClassifier if classes else MLPRegressor)(
            hidden_layer_sizes=(_HIDDEN,), alpha=regularisation, learning_rate_init=1e-3, max_iter=200,
            early_stopping=True, validation_fraction=0.1, random_state=seed,
        )  # fmt: skip
        values = target.argmax(axis=1) if classes else target
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # 200 epochs are the recipe, not a failure
                model.fit(x, values.ravel() if values.ndim == 2 and values.shape[1] == 1 else values)
        except ValueError as error:  # scikit-learn's own sentence on classes with too few samples for its early stop
            raise InputError(f"`readout.model` mlp cannot be fitted to {len(x)} samples: {error}") from error
        *hidden, last = zip(model.coefs_, model.intercepts_, strict=True)
        if classes:
            last = _for_all_classes(last, model.classes_, target.shape[1])
        layers = [*hidden, last]
        yield regularisation, tuple((np.asarray(w, dtype=float), np.asarray(b, dtype=float)) for w, b in layers)


def _for_all_classes(layer: tuple[Any, Any], present: NDArray[np.int64], n_classes: int) -> Layer:
    """A last layer with one score per class: scikit-learn keeps one for two classes and none for absent ones.

    A class without a training sample has score minus infinity: it is never predicted.
    """
    weight = np.zeros((layer[0].shape[0], n_classes))
    offset = np.full(n_classes, -np.inf)
    if present.size == 2:
        weight[:, present[1]], offset[present] = layer[0][:, 0], (0.0, layer[1][0])
    else:
        weight[:, present], offset[present] = layer
    return weight, offset


_CLASSIFIERS: dict[Model, Callable[..., Fits]] = {
    "ridge": _ridge,
    "logistic": _logistic,
    "mlp": partial(_mlp, classes=True),
}
_REGRESSORS: dict[Model, Callable[..., Fits]] = {"ridge": partial(_ridge, gram_dtype=np.float64), "mlp": _mlp}
