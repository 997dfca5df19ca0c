"""Memory capacity: how much of an input a network holds, and for how long (method.md 9.1).

Symbols: T samples that count, N units, tau the delay in input samples, C(tau) the squared correlation of x(t - tau)
with its best linear reconstruction from the state at t. Training half and test half of the T samples follow each other
in time; the last quarter of the training half chooses the penalties of the ridge readouts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from threadpoolctl import threadpool_limits

from hrsnn._checks import among, check_column, require
from hrsnn.analysis.drive import WhiteDrive, mean_rate_hz
from hrsnn.analysis.efficiency import spike_efficiency
from hrsnn.analysis.ridge import Frame, Moments, Ridge, fit
from hrsnn.analysis.states import SquaredCorrelation, participation_of, squared_correlation_of, state_matrix
from hrsnn.encode.rates import PopulationCode
from hrsnn.engine import Record, State, simulate
from hrsnn.engine.engines import Backend
from hrsnn.network import Network
from hrsnn.spikes import Spikes

Array = NDArray[np.float64]
StateKind = Literal["filtered", "counts"]

N_DELAYS = 100  # of a memory, in input samples, where nobody says how many
SIGNIFICANCE = 0.01  # a C(tau) that independent data exceed more often than this counts as none
SAMPLES_PER_UNIT = 20
SAMPLES_PER_DELAY = 40  # then each of the blocks of the interval is as long as the longest delay
N_BLOCKS = 20

_VALIDATION_SHARE = 0.25
_LEAST_WASHOUT = 100  # samples; 2 s by default, ten of the longest membrane time constants of method.md 2.3
_ROWS_AT_A_TIME = 2048
_SILENT_SHARE_TO_WARN_OF = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class MemoryCapacity:
    """Memory of the states of one run; capacities are in input samples.

    memory_capacity   C, the sum of `per_delay`
    ci95              its 95 % interval, by jackknife over 20 blocks of the test half. The readout, the network and the
                      delays that count are held, so this is the chance of the finite test half alone. What a readout
                      loses because its training was finite, and what zeroing takes away, is not in it: C is a little
                      low on average
    per_delay         (n_delays,) C(tau) for tau = 1, 2, ...; 0 where below `threshold`
    per_delay_raw     (n_delays,) the same, nothing set to 0
    at_zero           C(0), the present sample, as in `per_delay`; not part of C
    threshold         the 99 % quantile of chi-squared with one degree of freedom over n_test: a C(tau) below it may as
                      well come from independent data
    bias_floor        n_delays / n_test, what `per_delay_raw` of independent data adds up to on average; of this
                      `per_delay` keeps 8 %
    rank              dimensions of the states: eigenvalues of their covariance beyond rounding
    participation_ratio   1 / J, how many of these share the variance (method.md 9.6)
    squared_correlation   of the states of different units, the mean; rank and these two are of the training half
    n_samples, n_test   T, and the part that C is computed on
    penalties         (n_delays + 1,) of the readouts of tau = 0, 1, ..., in units of the mean variance of a state
    spikes_per_neuron   spikes per recurrent neuron per input sample; None where there is no network
    silent_share      share of recurrent neurons without a spike; None where there is no network
    settings          how it was measured, plain JSON values
    warnings          sentences
    """

    memory_capacity: float
    ci95: tuple[float, float]
    per_delay: Array
    per_delay_raw: Array
    at_zero: float
    threshold: float
    bias_floor: float
    rank: int
    participation_ratio: float
    squared_correlation: SquaredCorrelation
    n_samples: int
    n_test: int
    penalties: Array
    spikes_per_neuron: float | None = None
    silent_share: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def bound(self) -> int:
        """min(n_delays, rank), which C cannot exceed but by chance (method.md 9.1)."""
        return min(self.per_delay.size, self.rank)

    @property
    def spike_efficiency(self) -> float | None:
        """C over the spikes per neuron per input sample (method.md 9.2); None without a spike or without a network."""
        spikes = self.spikes_per_neuron
        return None if spikes is None else spike_efficiency(self.memory_capacity, spikes)


def capacity_of(states: ArrayLike, x: ArrayLike, *, n_delays: int = N_DELAYS) -> MemoryCapacity:
    """Memory capacity of any states under any input: of an echo state network, of a recording, of somebody else's.

    states     (n_samples, N), row t read when x(t) has been shown; start-up left out by the caller
    x          (n_samples,), independent samples
    n_delays   tau goes from 1 to this, in samples

    The first `n_delays` samples serve as past only. Raises `InputError` for a drive that is too short for the delays,
    NaN or infinite values, and an x that never changes.

    A delay line of three places holds x(t), x(t - 1), x(t - 2):

    >>> x = np.random.default_rng(0).uniform(-1, 1, 500)
    >>> line = np.stack([x, np.roll(x, 1), np.roll(x, 2)], axis=1)
    >>> found = capacity_of(line, x, n_delays=5)
    >>> found.per_delay.round(6).tolist(), round(found.at_zero, 6)
    ([1.0, 1.0, 0.0, 0.0, 0.0], 1.0)
    """
    owner = "capacity_of"
    values = check_column(owner, "x", x, dtype=np.float64)
    matrix = np.asarray(states)
    ok = matrix.ndim == 2 and len(matrix) == values.size and matrix.shape[1] >= 1
    rule = f"must have shape ({values.size}, units), one row per value of x"
    require(ok, owner, "states", rule, f"shape {matrix.shape}")
    require(n_delays >= 1, owner, "n_delays", "must be >= 1", n_delays)
    n_needed = (SAMPLES_PER_DELAY + 1) * n_delays
    remedy = f"ask for fewer delays, or give at least {n_needed} samples"
    rule = f"must hold at least {SAMPLES_PER_DELAY + 1} values per delay, {n_needed}"
    require(values.size >= n_needed, owner, "x", rule, values.size, remedy=remedy)
    rows = (matrix[first : first + _ROWS_AT_A_TIME] for first in range(0, len(matrix), _ROWS_AT_A_TIME))
    found = _measured(owner, rows, values, first=n_delays, n_delays=n_delays)
    return replace(found, settings={"n_delays": n_delays, "n_samples": found.n_samples})


def memory_capacity(
    network: Network,
    *,
    seed: int = 0,
    n_delays: int = N_DELAYS,
    n_samples: int | None = None,
    drive: WhiteDrive = WhiteDrive(),  # noqa: B008 - frozen
    state: StateKind = "filtered",
    tau_filter_ms: float = 30.0,
    backend: Backend = "auto",
) -> MemoryCapacity:
    """Memory capacity of `network` under the white drive, with fixed weights.

    seed            of the drive and its spikes
    n_delays        tau goes from 1 to this, in input samples
    n_samples       T, after a start-up of max(100, n_delays) samples; None is 20 per neuron, at least 40 per delay
    drive           length of a sample, rate of the input, kind of spikes
    state           what is read at the end of each sample: "filtered" spike trains (method.md 7.1), which by themselves
                    remember tau_filter_ms, or "counts", the spikes within the sample, which do not
    tau_filter_ms   time constant of the filter
    backend         as in `simulate`

    The network runs through all samples without a break. Time grows as T (N^2 + synaptic events), memory as N^2.
    The filter alone remembers what `input_memory_capacity` finds: a capacity below that owes nothing to the network.
    Raises `InputError` for a drive that is too short for the delays, and a network with fewer than two channels.

    Penalties of the ridge are chosen on validation data, for each delay; the papers do not say how (method.md 9.1).

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=10), seed=0)
    >>> found = memory_capacity(network, n_delays=3, backend="reference")
    >>> found.n_samples, found.per_delay.shape, found.memory_capacity <= 3
    (400, (3,), True)
    """
    run = _Run.of(
        "memory_capacity", network, n_units=network.n_neurons, seed=seed, n_delays=n_delays, n_samples=n_samples,
        drive=drive, state=state, tau_filter_ms=tau_filter_ms,
    )  # fmt: skip
    neurons = _Neurons(network, run, backend)
    found = run.measured(neurons.states())
    silent_share = float(np.mean(neurons.spike_counts == 0))
    return replace(
        found,
        spikes_per_neuron=float(neurons.spike_counts.mean()) / found.n_samples,
        silent_share=silent_share,
        settings={**found.settings, "network": network.hash},
        warnings=found.warnings + _told_of_silence(silent_share),
    )


def input_memory_capacity(
    network: Network,
    *,
    seed: int = 0,
    n_delays: int = N_DELAYS,
    n_samples: int | None = None,
    drive: WhiteDrive = WhiteDrive(),  # noqa: B008 - frozen
    state: StateKind = "filtered",
    tau_filter_ms: float = 30.0,
) -> MemoryCapacity:
    """The control of `memory_capacity`: the same readout on the input spikes themselves, without the network.

    Arguments as there; of `network` only the number of channels and the step of time matter. With `state="counts"` and
    Poisson spikes it is 0 but for chance.
    """
    run = _Run.of(
        "input_memory_capacity", network, n_units=network.n_inputs, seed=seed, n_delays=n_delays, n_samples=n_samples,
        drive=drive, state=state, tau_filter_ms=tau_filter_ms,
    )  # fmt: skip
    return run.measured(_input_states(run))


# -- states, sample by sample ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """A drive that is about to be shown: its values `x`, the first `n_washout` of which do not count."""

    owner: str
    seed: int
    n_delays: int
    n_washout: int
    x: Array
    drive: WhiteDrive
    code: PopulationCode
    state: StateKind
    tau_filter_ms: float

    @classmethod
    def of(
        cls,
        owner: str,
        network: Network,
        *,
        n_units: int,
        seed: int,
        n_delays: int,
        n_samples: int | None,
        drive: WhiteDrive,
        state: StateKind,
        tau_filter_ms: float,
    ) -> _Run:
        """With all checks; `n_units` states are to be read."""
        known = get_args(StateKind)
        require(among(state, known), owner, "state", f"must be one of {', '.join(known)}", state)
        ok = np.isfinite(tau_filter_ms) and tau_filter_ms > 0
        require(ok, owner, "tau_filter_ms", "must be a finite number > 0", tau_filter_ms)
        require(n_delays >= 1, owner, "n_delays", "must be >= 1", n_delays)
        n_least = SAMPLES_PER_DELAY * n_delays
        n = max(SAMPLES_PER_UNIT * n_units, n_least) if n_samples is None else n_samples
        rule = f"must be >= {n_least}, {SAMPLES_PER_DELAY} per delay"
        require(n >= n_least, owner, "n_samples", rule, n, remedy="make the drive longer or ask for fewer delays")
        n_washout = max(_LEAST_WASHOUT, n_delays)
        x = drive.values(n_washout + n, seed=seed)
        code = drive.code(network.n_inputs, network.dt_ms)
        return cls(owner, seed, n_delays, n_washout, x, drive, code, state, tau_filter_ms)

    def pieces(self) -> Iterator[tuple[int, Spikes]]:
        """The drive as spikes, in pieces of whole samples: how many samples, and their spikes."""
        for spikes in self.drive.pieces(self.x, self.code, seed=self.seed):
            yield spikes.n_steps // self.code.n_hold_steps, spikes

    def measured(self, states: Iterable[NDArray[Any]]) -> MemoryCapacity:
        """What these states, in pieces (n, N), remember of the drive."""
        found = _measured(self.owner, states, self.x, first=self.n_washout, n_delays=self.n_delays)
        reached_hz = mean_rate_hz(self.code, regular=self.drive.regular)
        settings = {
            "seed": self.seed,
            "n_delays": self.n_delays,
            "n_samples": found.n_samples,
            "n_washout": self.n_washout,
            "sample_ms": self.drive.sample_ms,
            "mean_rate_hz": reached_hz,
            "peak_rate_hz": self.code.f_max_hz,
            "input_spikes": "regular" if self.drive.regular else "poisson",
            "state": self.state,
            "tau_filter_ms": self.tau_filter_ms if self.state == "filtered" else None,
        }
        return replace(found, settings=settings, warnings=found.warnings + _told_of_rate(self, reached_hz))


class _Neurons:
    """The neurons of a network under a drive; counts their spikes on the way, those of the start-up left out."""

    def __init__(self, network: Network, run: _Run, backend: Backend) -> None:
        self._network, self._run, self._backend = network, run, backend
        self.spike_counts = np.zeros(network.n_neurons, dtype=np.int64)

    def states(self) -> Iterator[NDArray[Any]]:
        """States (n, N) at the end of every sample, in pieces, once."""
        run = self._run
        live: State | None = None
        n_to_skip = run.n_washout
        for n, spikes in run.pieces():
            every = run.code.n_hold_steps if run.state == "filtered" else None
            record = Record(n_bins=n, filtered_every=every, tau_filter_ms=run.tau_filter_ms, state=True)
            recording = simulate(self._network, spikes, record=record, state=live, backend=self._backend)
            live, counts = recording.state, recording.counts[0]
            self.spike_counts += counts[n_to_skip:].sum(axis=0, dtype=np.int64)
            n_to_skip = max(n_to_skip - n, 0)
            yield counts if recording.filtered is None else recording.filtered[0]


def _input_states(run: _Run) -> Iterator[NDArray[Any]]:
    """States of the input channels themselves, as if they were neurons."""
    n_hold, n_units = run.code.n_hold_steps, run.code.n_units
    decay = np.exp(-run.code.dt_ms / run.tau_filter_ms)
    weight = decay ** np.arange(n_hold - 1, -1, -1.0)  # of a spike by its step, at the end of its sample
    filtered = np.zeros(n_units)
    for n, spikes in run.pieces():
        if run.state == "counts":
            yield spikes.counts(n)[0]
            continue
        sample, step = np.divmod(spikes.step, n_hold)
        cell = sample.astype(np.int64) * n_units + spikes.unit
        rows = np.bincount(cell, weight[step], minlength=n * n_units).reshape(n, n_units)
        for row in rows:
            filtered = row + decay**n_hold * filtered
            row[:] = filtered
        yield rows


def _told_of_rate(run: _Run, reached_hz: float) -> tuple[str, ...]:
    wanted_hz = run.drive.mean_rate_hz
    if reached_hz >= wanted_hz * (1 - 1e-6):
        return ()
    return (
        f"The input has {reached_hz:.3g} Hz per channel, not {wanted_hz:g}: a channel at its peak already spikes in "
        f"every step, because {run.code.n_units} channels share one value and each responds to few.",
    )


def _told_of_silence(share: float) -> tuple[str, ...]:
    if share <= _SILENT_SHARE_TO_WARN_OF:
        return ()
    what = "it remembers nothing" if share == 1 else "these hold no memory"
    return (f"{100 * share:.3g} % of the neurons are silent under the drive: {what}. Stronger input wakes them.",)


def _told_of_training(n: int, n_training: int, n_units: int) -> tuple[str, ...]:
    if n >= SAMPLES_PER_UNIT * n_units:
        return ()
    return (
        f"The readout was trained on {n_training} samples for {n_units} states, fewer than {SAMPLES_PER_UNIT // 2} for "
        "each: the capacity is a lower bound.",
    )


# -- capacity ----------------------------------------------------------------------------------------------------------


def _measured(owner: str, pieces: Iterable[NDArray[Any]], x: Array, *, first: int, n_delays: int) -> MemoryCapacity:
    """Capacities from states in pieces (n, N), one row per value of x; samples before `first` are past only."""
    require(x.max() > x.min(), owner, "x", "must vary", "one and the same value")
    n = x.size - first
    n_training = n // 2
    n_fitted = round(n_training * (1 - _VALIDATION_SHARE))
    bounds = np.array([0, n_fitted, n_training, n]) + first
    past = np.lib.stride_tricks.sliding_window_view(x, n_delays + 1)[:, ::-1]  # row t: x(t + n_delays), ..., x(t)
    moments: list[Moments] = []
    predictions: list[Array] = []
    readout: Ridge | None = None
    with threadpool_limits(1):
        for part, start, rows in _parts(pieces, bounds):
            states = state_matrix(owner, rows, first_row=start)
            targets = past[start - n_delays : start - n_delays + len(rows)]
            if not moments:
                moments = [Moments(states[0], n_delays + 1) for _ in range(2)]
            if part < 2:
                moments[part].add(states, targets)
                continue
            if readout is None:
                readout = fit(*moments)
            predictions.append(readout(states))
        covariance = moments[0].within(Frame.of(moments[0]))[0]  # of both parts, since they were fitted together
    assert readout is not None
    predicted, actual = np.concatenate(predictions), past[bounds[2] - n_delays : bounds[3] - n_delays]
    threshold = float(stats.chi2.isf(SIGNIFICANCE, 1)) / len(actual)
    raw = _squared_correlation(_sums(predicted, actual, 1)[0])
    counted = np.where(raw < threshold, 0.0, raw)
    total = float(counted[1:].sum())
    return MemoryCapacity(
        memory_capacity=total,
        ci95=_interval(total, predicted, actual, counted > 0),
        per_delay=counted[1:],
        per_delay_raw=raw[1:],
        at_zero=float(counted[0]),
        threshold=threshold,
        bias_floor=n_delays / len(actual),
        rank=readout.rank,
        participation_ratio=participation_of(covariance),
        squared_correlation=squared_correlation_of(covariance),
        n_samples=n,
        n_test=len(actual),
        penalties=readout.penalties,
        warnings=_told_of_training(n, n_training, readout.weights.shape[0]),
    )


def _parts(pieces: Iterable[NDArray[Any]], bounds: NDArray[Any]) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Cut a stream of rows at `bounds`: number of the part, first row, rows; what lies before the first is left out."""
    start = 0
    for piece in pieces:
        stop = start + len(piece)
        for part, (low, high) in enumerate(pairwise(bounds.tolist())):
            a, b = max(start, low), min(stop, high)
            if a < b:
                yield part, a, piece[a - start : b - start]
        start = stop


def _sums(predicted: Array, actual: Array, n_blocks: int) -> Array:
    """Sums over each block of samples of 1, y, x, y^2, x^2, xy for every delay, shape (n_blocks, 6, n_delays + 1)."""
    y, x = predicted - predicted.mean(axis=0), actual - actual.mean(axis=0)
    terms = (np.ones_like(y), y, x, np.square(y), np.square(x), x * y)
    starts = np.arange(n_blocks) * len(y) // n_blocks
    return np.stack([np.add.reduceat(term, starts, axis=0) for term in terms], axis=1)


def _squared_correlation(sums: Array) -> Array:
    """C from sums (..., 6, n_delays + 1): cov^2 / (var var), 0 where a prediction never changes."""
    n, y, x, yy, xx, xy = np.moveaxis(sums, -2, 0)
    covariance, variances = xy - x * y / n, (yy - y * y / n) * (xx - x * x / n)
    squared = np.divide(np.square(covariance), variances, out=np.zeros_like(variances), where=variances > 0)
    return np.asarray(squared)


def _interval(total: float, predicted: Array, actual: Array, counts: NDArray[np.bool_]) -> tuple[float, float]:
    """The jackknife interval of the sum over the delays that count, C(0) left out.

    Blocks as long as the longest delay or longer, because neighbouring samples share their past. A jackknife, because
    C is a smooth function of sums: no random numbers, and no bias from blocks that are drawn twice.
    """
    blocks = _sums(predicted, actual, N_BLOCKS)
    without = _squared_correlation(blocks.sum(axis=0) - blocks)  # (N_BLOCKS, n_delays + 1)
    totals = without[:, 1:][:, counts[1:]].sum(axis=1)
    error = np.sqrt((N_BLOCKS - 1) * np.mean(np.square(totals - totals.mean())))
    half = float(stats.t.ppf(0.975, N_BLOCKS - 1) * error)
    return max(total - half, 0.0), total + half
