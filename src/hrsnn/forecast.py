"""Forecasts of a series: drive a dynamic system with it, read out the next value, feed the forecast back.

A `Drive` is whatever turns values into features: a spiking network, the encoded input alone, an echo state network.
All of them share one protocol, one ridge readout and one score, so that only the features differ.

Every forecast value is kept within the range of the training part widened by half its width on both sides, for all
arms and controls alike: a forecast that runs away is scored as far off, not as infinite.

Shapes: B starts forecast side by side, T values, D variables, F features.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.signal import lfilter

from hrsnn._checks import require
from hrsnn.analysis.cost import Costs, count_costs
from hrsnn.data.dataset import Series
from hrsnn.encode import PopulationCode
from hrsnn.engine import Record, Recording, simulate
from hrsnn.evaluation import Evaluation, Label, facts_of_network, versions, warnings_of_activity
from hrsnn.metrics import nrmse, rmse_course, smape, valid_prediction_steps
from hrsnn.network import Network
from hrsnn.outcome import Outcome
from hrsnn.randomness import stream
from hrsnn.readout import Choice, Readout, ReadoutSpec, fit_regression, units_read
from hrsnn.spec import Table
from hrsnn.spikes import Spikes
from hrsnn.train import Progress, ProgressEvent, no_progress

VPT_THRESHOLDS = {"": 0.1, "_04": 0.4}  # suffix of the metric -> error that ends a valid prediction
_VALIDATION_SHARE = 0.2  # of the training part, its end
_N_VALIDATION_STARTS = 10
_PENALTIES_WITHOUT_NOISE = [1e-8, 1e-6]  # alternatives for features that are not spikes, beside those of the readout


class ForecastSpec(Table):
    """The table `[task.forecast]`: how a series is encoded, split and forecast (MATH.md 6.5, 7.4).

    variables         names of those that are shown and forecast; none is all. The rest has to be told from the past
    dt, substeps      step of a computed series in its own time, 0 for its default; solver steps per dt
    n_train           values of the training part; the end of it chooses the penalty, then all of it is fitted
    n_washout         first values of the training part that are not fitted
    n_horizon         values forecast freely from each start
    n_starts          forecasts, from starts spread over what follows the training part
    n_warmup          true values that drive the system before each start
    target            what the readout gives: the next "value" or its "increment" over the present one
    n_per_variable, f_max_hz, hold_ms, step_ms   population code; regular spikes, or Poisson with `poisson`
    """

    variables: list[str] = []
    dt: Annotated[float, Field(ge=0)] = 0.0
    substeps: Annotated[int, Field(ge=1)] = 1
    n_train: Annotated[int, Field(ge=20)] = 500
    n_washout: Annotated[int, Field(ge=0)] = 50
    n_horizon: Annotated[int, Field(ge=1)] = 100
    n_starts: Annotated[int, Field(ge=1)] = 20
    n_warmup: Annotated[int, Field(ge=1)] = 50
    target: Literal["increment", "value"] = "increment"
    n_per_variable: Annotated[int, Field(ge=2)] = 50
    f_max_hz: Annotated[float, Field(gt=0)] = 100.0
    hold_ms: Annotated[float, Field(gt=0)] = 20.0
    step_ms: Annotated[float, Field(gt=0)] = 1.0
    poisson: bool = False

    @property
    def n_values(self) -> int:
        """Values a computed series needs: training, then starts one horizon apart."""
        return self.n_train + (self.n_starts + 1) * self.n_horizon


@dataclass(frozen=True, slots=True)
class ForecastTask:
    """A series with its protocol.

    spread  (D,), standard deviation of each variable over the training part: the unit of every error
    limits  (D,) each, between which every forecast is kept: the training range widened by half its width on both sides
    """

    series: Series
    spec: ForecastSpec
    code: PopulationCode
    spread: NDArray[np.float64]
    limits: tuple[NDArray[np.float64], NDArray[np.float64]]

    @classmethod
    def of(cls, series: Series, spec: ForecastSpec) -> ForecastTask:
        """Raises `InputError` when the series is too short for the protocol, or has not the variables."""
        if spec.variables:
            series = series.select(spec.variables)
        needed = spec.n_train + spec.n_horizon
        require(series.n_steps >= needed, "ForecastSpec", "n_train + n_horizon",
                f"must be <= {series.n_steps}, the length of {series.name}", needed)  # fmt: skip
        require(spec.n_washout + 10 <= spec.n_train, "ForecastSpec", "n_washout",
                f"must leave 10 of {spec.n_train} training values", spec.n_washout)  # fmt: skip
        require(spec.n_warmup <= spec.n_train * (1 - _VALIDATION_SHARE), "ForecastSpec", "n_warmup",
                "must fit into the training part before its end that validates", spec.n_warmup)  # fmt: skip
        code = PopulationCode.fit(
            series.values[: spec.n_train], n_per_variable=spec.n_per_variable, f_max_hz=spec.f_max_hz,
            hold_ms=spec.hold_ms, dt_ms=spec.step_ms,
        )  # fmt: skip
        training = series.values[: spec.n_train]
        low, high = training.min(axis=0), training.max(axis=0)
        return cls(series, spec, code, training.std(axis=0), (low - (high - low) / 2, high + (high - low) / 2))

    @property
    def name(self) -> str:
        return self.series.name

    @property
    def n_inputs(self) -> int:
        return self.code.n_units

    @property
    def class_names(self) -> tuple[str, ...]:
        """None: values are forecast, not classes."""
        return ()

    @property
    def dt_ms(self) -> float:
        return self.code.dt_ms

    @property
    def training_values(self) -> NDArray[np.float64]:
        """(n_train, D)."""
        return self.series.values[: self.spec.n_train]

    @property
    def train(self) -> Spikes:
        """The training part as spikes, cut into samples of 50 values: what unsupervised learning sees."""
        length = min(50, self.spec.n_train)
        n = self.spec.n_train // length
        values = self.training_values[: n * length].reshape(n, length, -1)
        return self.code.encode(values, _generators(n, "learn") if self.spec.poisson else None)[0]

    @property
    def starts(self) -> NDArray[np.int64]:
        """Index of the first value of each test forecast, rising, all after the training part."""
        last = self.series.n_steps - self.spec.n_horizon
        return np.unique(np.linspace(self.spec.n_train, last, self.spec.n_starts).astype(np.int64))

    @property
    def description(self) -> str:
        """One line for people."""
        s, p = self.series, self.spec
        return (
            f"{s.n_steps:,} values of {s.n_variables} variables · dt {s.dt:g} ({s.solver}) · "
            f"{p.n_train:,} to train, {len(self.starts)} forecasts of {p.n_horizon}"
        )


class Drive(Protocol):
    """Turns values into features, keeping a memory between calls that is given in and out."""

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        """Features (B, T, F) after each of the values (B, T, D), and the memory to go on with; None starts anew."""


# -- drives --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Encoder:
    """The population code with its phase, or its generators, as memory."""

    code: PopulationCode
    seed: int | None  # of Poisson spikes; None for regular ones

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[Spikes, Any]:
        generators, phase = memory or (None, None)
        if self.seed is not None:  # a copy of given generators: going on twice from one memory gives the same twice
            fresh = generators is None
            generators = _generators(len(values), "encode", self.seed) if fresh else copy.deepcopy(generators)
        spikes, phase = self.code.encode(values, generators, phase=phase)
        return spikes, (generators, phase)


class NetworkDrive:
    """Filtered spike trains of a network at the end of each value; counts what it does on the way."""

    def __init__(self, network: Network, task: ForecastTask, readout: ReadoutSpec, seed: int) -> None:
        self._network = network
        self._encoder = _Encoder(task.code, seed if task.spec.poisson else None)
        self._every = task.code.n_hold_steps
        self._record = Record(filtered_every=self._every, tau_filter_ms=readout.tau_filter_ms, state=True)
        self._done: list[Costs] = []
        self._spikes_of_neuron: NDArray[Any] = np.zeros(network.n_neurons)

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        phase, state = memory or (None, None)
        spikes, phase = self._encoder.run(values, phase)
        recording: Recording = simulate(self._network, spikes, record=self._record, state=state)
        self._done.append(count_costs(self._network, spikes, recording))
        self._spikes_of_neuron = self._spikes_of_neuron + recording.spike_counts.sum(axis=0)
        assert recording.filtered is not None
        return recording.filtered, (phase, recording.state)

    @property
    def spikes_per_value(self) -> NDArray[np.float64]:
        """Mean number of spikes of each neuron, (N,), while one value is shown."""
        return self._spikes_of_neuron / self._n_values

    def costs(self, synops_readout: int, readout_bytes: int) -> dict[str, Any]:
        """Mean costs of one value, with those of the readout."""
        totals = {
            name: sum(getattr(part, name) for part in self._done)
            for name in ("spikes", "synops_input", "synops_recurrent")
        }
        n = self._n_values
        return replace(
            self._done[0], **totals, n_samples=n, n_steps=self._every, synops_readout=n * synops_readout,
            footprint_bytes=self._done[0].footprint_bytes + readout_bytes, bytes_readout=readout_bytes,
        ).to_dict()  # fmt: skip

    @property
    def _n_values(self) -> int:
        return sum(part.n_samples * part.n_steps for part in self._done) // self._every


class InputDrive:
    """Filtered spike trains of the encoded input; with a projection, ReLU(W x) of them."""

    def __init__(
        self, task: ForecastTask, readout: ReadoutSpec, seed: int, *, n_random_features: int | None = None
    ) -> None:
        self._encoder = _Encoder(task.code, seed if task.spec.poisson else None)
        self._decay = float(np.exp(-task.code.dt_ms / readout.tau_filter_ms))
        self._every = task.code.n_hold_steps
        self._projection: NDArray[np.float64] | None = None
        if n_random_features is not None:
            rng = stream(seed, "random-features")
            self._projection = rng.standard_normal((task.n_inputs, n_random_features)) / np.sqrt(task.n_inputs)

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        n, n_values, n_units = *values.shape[:2], self._encoder.code.n_units
        encoder, filtered = memory or (None, np.zeros((n, 1, n_units)))
        spikes, encoder = self._encoder.run(values, encoder)
        # What is left of each spike at the end of its value; the filter then goes from value to value.
        sample = np.repeat(np.arange(n), np.diff(spikes.sample_ptr))
        value, step = np.divmod(spikes.step.astype(np.int64), self._every)
        cell = (sample * n_values + value) * n_units + spikes.unit
        left = np.bincount(cell, self._decay ** (self._every - 1 - step), n * n_values * n_units)
        features, filtered = lfilter(
            [1.0], [1.0, -(self._decay**self._every)], left.reshape(n, n_values, n_units), axis=1, zi=filtered
        )
        if self._projection is not None:
            features = np.maximum(features @ self._projection, 0)
        return features, (encoder, filtered)


class EchoStateDrive:
    """A tanh echo state network (Jaeger 2001) with its input beside its state: the classic of this work.

    The biases matter: without them the state is an odd function of the input, and Lorenz's products are even.
    """

    def __init__(self, task: ForecastTask, seed: int, *, n_units: int = 100, radius: float = 0.9) -> None:
        rng = stream(seed, "echo-state")
        recurrent = rng.standard_normal((n_units, n_units))
        self._recurrent = recurrent * (radius / np.abs(np.linalg.eigvals(recurrent)).max())
        self._input = rng.uniform(-0.5, 0.5, (task.series.n_variables, n_units))
        self._bias = rng.uniform(-1, 1, n_units)
        self._mean, self._scale = task.training_values.mean(axis=0), task.training_values.std(axis=0)

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        scaled = (values - self._mean) / self._scale
        state = np.zeros((len(values), len(self._recurrent))) if memory is None else memory
        features = np.empty((*values.shape[:2], state.shape[1] + values.shape[2]))
        for t in range(values.shape[1]):
            state = np.tanh(state @ self._recurrent + scaled[:, t] @ self._input + self._bias)
            features[:, t] = np.concatenate([state, scaled[:, t]], axis=1)
        return features, state


class NvarDrive:
    """Present and past values and all their products (Gauthier et al. 2021, next generation reservoir computing)."""

    def __init__(self, task: ForecastTask, *, n_delays: int = 2) -> None:
        self._n_delays = n_delays
        self._mean, self._scale = task.training_values.mean(axis=0), task.training_values.std(axis=0)

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        scaled = (values - self._mean) / self._scale
        past = np.repeat(scaled[:, :1], self._n_delays - 1, axis=1) if memory is None else memory
        known = np.concatenate([past, scaled], axis=1)
        n = values.shape[1]
        linear = np.concatenate([known[:, k : k + n] for k in range(self._n_delays)], axis=2)
        first, second = np.triu_indices(linear.shape[2])
        features = np.concatenate([linear, linear[..., first] * linear[..., second]], axis=2)
        return features, known[:, n:]


# -- protocol ------------------------------------------------------------------------------------------------------


def evaluate_network(
    network: Network, task: ForecastTask, readout: ReadoutSpec, *, label: Label, progress: Progress = no_progress
) -> Evaluation:
    """Forecasts by the readout of `network`'s filtered spike trains."""
    drive = NetworkDrive(network, task, readout, label.seed)
    evaluation = _evaluate(
        drive, task, readout, label=label, units=units_read(network, readout), network=network, progress=progress
    )
    evaluation.details["rate_hz"] = 1000 * drive.spikes_per_value / task.spec.hold_ms
    return evaluation


def evaluate_control(task: ForecastTask, readout: ReadoutSpec, *, label: Label, n_features: int) -> Evaluation:
    """Forecasts of a control without a spiking network; `label.arm` names it.

    InputOnly, RandomFeatures (with `n_features`), ESN-100, NVAR, or Persistence, which says that nothing changes.
    ESN-100 and NVAR see the values themselves, not spikes: validation chooses among smaller penalties as well.
    """
    drives: dict[str, Callable[[], Drive]] = {
        "InputOnly": lambda: InputDrive(task, readout, label.seed),
        "RandomFeatures": lambda: InputDrive(task, readout, label.seed, n_random_features=n_features),
        "ESN-100": lambda: EchoStateDrive(task, label.seed),
        "NVAR": lambda: NvarDrive(task),
    }
    if label.arm == "Persistence":
        started = time.perf_counter()
        last = task.series.values[task.starts - 1]
        forecast = np.repeat(last[:, None, :], task.spec.n_horizon, axis=1)
        return _scored(forecast, last[:, None, :], task, label=label, started=started)
    require(label.arm in drives, "evaluate_control", "arm", f"must be one of {', '.join(drives)}", label.arm)
    if label.arm in ("ESN-100", "NVAR"):
        penalties = sorted({*readout.regularisation, *_PENALTIES_WITHOUT_NOISE})
        readout = readout.model_copy(update={"regularisation": penalties})
    return _evaluate(drives[label.arm](), task, readout, label=label)


def _evaluate(
    drive: Drive,
    task: ForecastTask,
    readout: ReadoutSpec,
    *,
    label: Label,
    units: NDArray[np.int64] | None = None,
    network: Network | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Fit on the training part, choose by free forecasts inside its end, forecast from the test starts once."""
    started = time.perf_counter()
    rule = "must be 0 for a forecast, which reads filtered spike trains"
    require(not readout.last_ms, "ReadoutSpec", "last_ms", rule, readout.last_ms)
    progress(ProgressEvent("simulating", 0, 3))
    features = drive.run(task.training_values[None], None)[0][0]
    choice = _fit(drive, features, task, readout, units, label.seed)
    progress(ProgressEvent("simulating", 1, 3))
    warm = _warm_up(drive, task.starts, task)
    progress(ProgressEvent("simulating", 2, 3))
    forecast = _free_run(drive, choice.readout, *warm, task, task.spec.n_horizon)
    one_step = _next(choice.readout, *warm[:2], task)
    progress(ProgressEvent("simulating", 3, 3))
    return _scored(
        forecast, one_step[:, None, :], task, label=label, started=started, choice=choice, network=network,
        drive=drive if isinstance(drive, NetworkDrive) else None,
    )  # fmt: skip


def _fit(
    drive: Drive,
    features: NDArray[Any],
    task: ForecastTask,
    readout: ReadoutSpec,
    units: NDArray[np.int64] | None,
    seed: int,
) -> Choice:
    """The readout of features at k for value k + 1; alternatives are judged by their free forecasts."""
    spec, values = task.spec, task.training_values
    target = (values[1:] - values[:-1] if spec.target == "increment" else values[1:]) / task.spread
    windows = features[:-1, None, :]
    n_fit = round((1 - _VALIDATION_SHARE) * spec.n_train)
    horizon = min(spec.n_horizon, (spec.n_train - n_fit) // 2)
    starts = np.unique(np.linspace(n_fit, spec.n_train - horizon, _N_VALIDATION_STARTS).astype(np.int64))
    warm = _warm_up(drive, starts, task)
    truth = _segments(task.series.values, starts, horizon)

    def score(fitted: Readout) -> float:
        """Minus the mean error, each step's cut at 1, the error of knowing nothing."""
        course = rmse_course(_free_run(drive, fitted, *warm, task, horizon), truth, task.spread)
        return -float(np.minimum(course, 1.0).mean())

    fit, rest = slice(spec.n_washout, n_fit - 1), slice(n_fit - 1, None)
    filtered = readout.model_copy(
        update={"features": "filtered", "model": "ridge" if readout.model == "logistic" else readout.model}
    )
    return fit_regression(
        windows[fit], target[fit], windows[rest], target[rest], filtered, units=units, score=score, seed=seed
    )


def _warm_up(
    drive: Drive, starts: NDArray[np.int64], task: ForecastTask
) -> tuple[NDArray[Any], NDArray[np.float64], Any]:
    """Features and values just before each start, and the memory of a drive that saw the true values up to there."""
    values = _segments(task.series.values, starts - task.spec.n_warmup, task.spec.n_warmup)
    features, memory = drive.run(values, None)
    return features[:, -1], values[:, -1], memory


def _free_run(
    drive: Drive,
    readout: Readout,
    features: NDArray[Any],
    value: NDArray[np.float64],
    memory: Any,
    task: ForecastTask,
    n_steps: int,
) -> NDArray[np.float64]:
    """Forecasts (B, n_steps, D), each fed back as the next value."""
    forecast = np.empty((len(value), n_steps, value.shape[1]))
    for step in range(n_steps):
        value = _next(readout, features, value, task)
        forecast[:, step] = value
        if step + 1 < n_steps:
            now, memory = drive.run(value[:, None, :], memory)
            features = now[:, 0]
    return forecast


def _next(
    readout: Readout, features: NDArray[Any], value: NDArray[np.float64], task: ForecastTask
) -> NDArray[np.float64]:
    """The value after `value`, kept within the limits of the task."""
    output = readout.outputs(features[:, None, :]) * task.spread
    following = value + output if task.spec.target == "increment" else output
    return np.clip(following, *task.limits)


def _scored(
    forecast: NDArray[np.float64],
    one_step: NDArray[np.float64],
    task: ForecastTask,
    *,
    label: Label,
    started: float,
    choice: Choice | None = None,
    network: Network | None = None,
    drive: NetworkDrive | None = None,
) -> Evaluation:
    series, horizon = task.series, task.spec.n_horizon
    truth = _segments(series.values, task.starts, horizon)
    course = rmse_course(forecast, truth, task.spread)
    by_start = {"rmse": course.mean(axis=1), "nrmse": nrmse(forecast, truth, task.spread),
                "smape": smape(forecast, truth)}  # fmt: skip
    for suffix, threshold in VPT_THRESHOLDS.items():
        steps = valid_prediction_steps(course, threshold)
        by_start[f"vpt_steps{suffix}"] = steps.astype(float)
        if series.lyapunov_exponent is not None:
            by_start[f"vpt_lyapunov{suffix}"] = steps * series.dt * series.lyapunov_exponent
    metrics = {name: float(np.median(v) if name.startswith("vpt") else v.mean()) for name, v in by_start.items()}
    metrics["nrmse_one_step"] = float(nrmse(one_step, truth[:, :1], task.spread).mean())
    outcome = Outcome(
        arm=label.arm, stage=label.stage, method=label.method, seed=label.seed, metrics=metrics,
        costs=_costs(drive, choice), network=facts_of_network(network), wall_s=time.perf_counter() - started,
        warnings=() if drive is None else warnings_of_activity(drive.spikes_per_value, task.spec.hold_ms),
        versions=versions(),
    )  # fmt: skip
    details: dict[str, Any] = {
        "by_start": {name: v.tolist() for name, v in by_start.items()},
        "forecast": {
            "dt": series.dt, "lyapunov_exponent": series.lyapunov_exponent,
            "variable_names": list(series.variable_names),
            "truth": truth[0].tolist(), "prediction": forecast[0].tolist(),
            "vpt_lyapunov_by_start": by_start.get("vpt_lyapunov_04", by_start["vpt_steps_04"]).tolist(),
        },
    }  # fmt: skip
    if choice is not None:
        details["readout"] = {**choice.chosen, "tried": choice.tried}
    return Evaluation(outcome, None if choice is None else choice.readout, details)


def _costs(drive: NetworkDrive | None, choice: Choice | None) -> dict[str, Any]:
    """Costs per value shown to the network, over all that were, with one application of the readout each."""
    if choice is None:
        return {}
    synops_readout = sum(weight.size for weight, _ in choice.readout.layers)
    if drive is None:
        return {"synops_readout": synops_readout, "footprint_bytes": choice.readout.n_bytes}
    return drive.costs(synops_readout, choice.readout.n_bytes)


def _segments(values: NDArray[np.float64], starts: NDArray[np.int64], length: int) -> NDArray[np.float64]:
    """(B, length, D) from each start on."""
    return np.asarray(values[starts[:, None] + np.arange(length)])


def _generators(n: int, label: str, seed: int = 0) -> list[np.random.Generator]:
    return [stream(seed, label, sample) for sample in range(n)]
