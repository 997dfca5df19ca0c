"""Drives: what turns the values that are shown into features, with a memory that is given in and out."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from hrsnn.analysis.cost import Costs, count_costs
from hrsnn.encode import PopulationCode
from hrsnn.engine import Record, Recording, simulate
from hrsnn.forecast.task import ForecastTask, sample_streams
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.readout import ReadoutSpec
from hrsnn.spikes import Spikes


@dataclass(frozen=True, slots=True)
class _Encoder:
    """The population code with its phase, or its generators, as memory."""

    code: PopulationCode
    seed: int | None  # of Poisson spikes; None for regular ones

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[Spikes, Any]:
        generators, phase = memory or (None, None)
        if self.seed is not None:  # a copy of given generators: going on twice from one memory gives the same twice
            fresh = generators is None
            generators = sample_streams(len(values), "encode", self.seed) if fresh else copy.deepcopy(generators)
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

    def forget(self) -> None:
        """Leave out of the counts what was done so far: a drive without end keeps none."""
        self._done.clear()

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
        self._mean, self._scale = task.training_shown.mean(axis=0), task.training_shown.std(axis=0)

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        scaled = (values - self._mean) / self._scale
        state = np.zeros((len(values), len(self._recurrent))) if memory is None else memory
        features = np.empty((*values.shape[:2], state.shape[1] + values.shape[2]))
        for t in range(values.shape[1]):
            state = np.tanh(state @ self._recurrent + scaled[:, t] @ self._input + self._bias)
            features[:, t] = np.concatenate([state, scaled[:, t]], axis=1)
        return features, state


class LagDrive:
    """The present and the last values, `n_lags` in all, the oldest first: what vector autoregression is linear in."""

    def __init__(self, task: ForecastTask, n_lags: int) -> None:
        self._n_lags = n_lags
        self._mean, self._scale = task.training_shown.mean(axis=0), task.training_shown.std(axis=0)

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        scaled = (values - self._mean) / self._scale
        past = np.repeat(scaled[:, :1], self._n_lags - 1, axis=1) if memory is None else memory
        known = np.concatenate([past, scaled], axis=1)
        n = values.shape[1]
        return np.concatenate([known[:, k : k + n] for k in range(self._n_lags)], axis=2), known[:, n:]


class NvarDrive:
    """Present and past values and all their products (Gauthier et al. 2021, next generation reservoir computing)."""

    def __init__(self, task: ForecastTask, *, n_delays: int = 2) -> None:
        self._lags = LagDrive(task, n_delays)

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        linear, memory = self._lags.run(values, memory)
        first, second = np.triu_indices(linear.shape[2])
        return np.concatenate([linear, linear[..., first] * linear[..., second]], axis=2), memory


def order_of(task: ForecastTask) -> int:
    """Number of lags of the vector autoregression with the least AIC, corrected for small samples.

    Over the training part, among 1, 2, 3, 4, 6, 8, 12, ... up to `n_warmup` values and a quarter of the fitted values
    over the variables; all are judged on the same values.
    """
    target = task.transform.targets(task.training_values)
    n_variables = target.shape[1]
    most = max(1, min(task.spec.n_warmup, (len(target) - task.spec.n_washout) // (4 * n_variables)))
    orders = sorted({m for k in range(most.bit_length()) for m in (2**k, 3 * 2**k // 2) if m <= most})
    first = max(task.spec.n_washout, most - 1)
    features = LagDrive(task, most).run(task.training_shown[None, :-1], None)[0][0][first:]
    y = target[first:] - target[first:].mean(axis=0)
    n = len(y)
    found = {}
    for order in orders:
        x = features[:, -order * n_variables :]
        x = x - x.mean(axis=0)
        rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        covariance = rest.T @ rest / n + 1e-10 * np.diag(np.maximum(y.var(axis=0), 1e-30))
        n_free = n_variables * (n_variables * order + 1)
        if n - n_free / n_variables - 1 > 0:
            penalty = 2 * n_free * n / (n - n_free / n_variables - 1)
            found[order] = n * float(np.linalg.slogdet(covariance)[1]) + penalty
    return min(found, key=lambda order: found[order]) if found else 1
