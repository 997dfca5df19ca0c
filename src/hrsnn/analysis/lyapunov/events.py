"""Lyapunov exponents of a spiking network in continuous time, without grid and surrogate (method.md 12.1).

(E) `saltation_spectrum` carries perturbations to first order. (F) `two_trajectories` follows a second trajectory beside
the first. Both stand on `event_simulation`, so they agree as far as a perturbation of finite size is small enough.

The size of a perturbation is the Euclidean norm of: changes of potentials or, of neurons that are held at their reset,
shifts of their last spikes in units of `tau_mem_ms`; changes of currents; shifts of spikes on their way, in the same
units. Exponents do not depend on that choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from hrsnn._checks import RunError, require
from hrsnn.analysis.lyapunov.event_simulation import Floats, Simulation, drive_end_ms
from hrsnn.analysis.lyapunov.nodes import node_exponents
from hrsnn.analysis.lyapunov.qr import qr_exponents
from hrsnn.analysis.lyapunov.tangent import n_state_rows
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.spikes import Spikes

_STEPS_PER_INTERVAL = 8  # an interval between two factorisations can be halved three times
_LOST = 1e-13  # a vector of which less than this is not a combination of those before it
_LOOKS = 20  # per interval, for a time at which two trajectories have the same spikes behind them


@dataclass(frozen=True, slots=True, eq=False)
class EventSpectrum:
    """The leading k exponents of a network under one drive in continuous time, per millisecond. float64.

    exponents_per_ms       (k,), descending; -inf where a perturbation is forgotten (see `saltation_spectrum`)
    standard_error_per_ms  (k,), by batch means (see `QrExponents`); NaN beside -inf
    running_per_ms         (n_batches, k), the estimates after each batch
    node_exponents_per_ms  (N,), the shares of the neurons; they add up to the sum of the exponents. NaN with -inf
    rates_hz               (N,), firing rates in the measured time
    conditions             condition number of R of every measured factorisation
    intervals_ms           the time before it
    dimension              of the state without spikes on their way: N with delta, 3 N with exponential synapses
    warnings               whole sentences
    """

    exponents_per_ms: Floats
    standard_error_per_ms: Floats
    running_per_ms: Floats
    node_exponents_per_ms: Floats
    rates_hz: Floats
    conditions: Floats
    intervals_ms: Floats
    dimension: int
    duration_ms: float
    warm_up_ms: float
    warnings: tuple[str, ...]

    @property
    def lyapunov_max_per_ms(self) -> float:
        """The largest exponent."""
        return float(self.exponents_per_ms[0])


def saltation_spectrum(
    network: Network,
    spikes: Spikes,
    *,
    k: int | None = None,
    duration_ms: float | None = None,
    warm_up_ms: float = 500.0,
    interval_ms: float = 5.0,
    n_batches: int = 20,
    seed: int = 0,
) -> EventSpectrum:
    """The leading `k` Lyapunov exponents of `network`, at most 200 neurons, under `spikes`: estimator (E).

    spikes       the drive, one sample; the exponents are conditional on it
    k            how many, at most 3 N, or N with delta synapses; None is all of them
    duration_ms  how much of the drive is used; None is all
    warm_up_ms   how much of that is not measured
    interval_ms  time between two factorisations, at most; less where the condition number of R exceeds 1e10
    n_batches    error bars are over this many equal parts of the measured time
    seed         of the first tangent vectors

    A change dv of the potential of a neuron becomes, when it reaches the threshold, a shift of its spike by
    dt = -dv / v'. The neuron keeps dt while it is held at its reset and is let go with dv = -v' dt. Where the spike
    arrives, a synapse of weight w adds w/tau_syn dt to the current, and -w/tau_mem dt to the potential unless that is
    held (method.md 12.1). A delta synapse adds w/tau_mem dt to the potential. The slopes v' are those right before and
    right after. Because of delays spikes on their way are part of the state, and of the tangent vectors.

    A silent network has the exponents of its leak, -1/tau_mem and with exponential synapses -1/tau_syn. With delta
    synapses a neuron that an arrival lifts over its threshold fires at the time of that arrival, wherever it was
    before: the flow has no inverse, and exponents of -inf are right, the largest among them if nothing else makes
    neurons fire. Raises `InputError` where numbers do not fit, `RunError` if activity runs away.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=10, n_inputs=1, excitatory={"bias": 1.5}), seed=0)
    >>> silence = Spikes.empty(1, n_units=1, n_steps=1000, dt_ms=1.0)
    >>> found = saltation_spectrum(network, silence, k=3)
    >>> bool(np.isclose(found.node_exponents_per_ms.sum(), found.exponents_per_ms.sum()))
    True
    """
    owner = "saltation_spectrum"
    end = drive_end_ms(owner, network, spikes, duration_ms)
    step_ms = _positive(owner, "interval_ms", interval_ms) / _STEPS_PER_INTERVAL
    n_warm, n_steps = _schedule(owner, end, warm_up_ms, step_ms, n_batches)
    dimension = n_state_rows(network)
    k = dimension if k is None else k
    rule = f"must be in 1..{dimension}, the dimension of the state with {network.synapse} synapses"
    require(1 <= k <= dimension, owner, "k", rule, k)
    n_slots, found = 1, None
    while found is None:
        flow = _Flow(network, spikes, k, step_ms, n_warm, n_slots)
        try:
            found = qr_exponents(
                flow, flow.n_rows, n_steps=n_steps, k=k, dt=step_ms, n_warm_up_steps=n_warm,
                interval=_STEPS_PER_INTERVAL, n_batches=n_batches, seed=seed,
            )  # fmt: skip
        except _MoreRows:
            n_slots += 1
    measured_ms = n_steps * step_ms
    return EventSpectrum(
        exponents_per_ms=found.exponents,
        standard_error_per_ms=found.standard_error,
        running_per_ms=found.running,
        node_exponents_per_ms=node_exponents(found.row_exponents, network.n_neurons),
        rates_hz=flow.counts / measured_ms * 1e3,
        conditions=found.conditions,
        intervals_ms=found.intervals.astype(np.float64) * step_ms,
        dimension=dimension,
        duration_ms=measured_ms,
        warm_up_ms=n_warm * step_ms,
        warnings=_warnings(flow.counts, found.exponents),
    )


class _MoreRows(Exception):
    """More spikes of a neuron are on their way at once than there are rows for."""


class _Flow:
    """The tangent map of the flow, in steps of `step_ms`, for `qr_exponents`. counts: spikes after `n_warm` steps."""

    def __init__(self, network: Network, spikes: Spikes, k: int, step_ms: float, n_warm: int, n_slots: int) -> None:
        self._simulation = Simulation(network, spikes, perturbations=np.zeros((1, k)), n_slots=n_slots)
        self._step, self._step_ms, self._n_warm = 0, step_ms, n_warm
        self._at_start = np.zeros(network.n_neurons, dtype=np.int64)
        self.n_rows = self._simulation.n_rows

    @property
    def counts(self) -> NDArray[np.int64]:
        return self._simulation.counts - self._at_start

    def __call__(self, q: Floats, n: int) -> Floats:
        if self._step == self._n_warm:
            self._at_start = self._simulation.counts.copy()
        self._simulation.perturbations[:] = q
        self._step += n
        self._simulation.advance(self._step * self._step_ms)
        if self._simulation.n_rows > self.n_rows:
            raise _MoreRows
        moved = np.asfortranarray(self._simulation.perturbations)
        if self._simulation.take_forgotten():
            moved[:, _is_lost(moved)] = 0.0
        return moved


def _is_lost(vectors: Floats) -> NDArray[np.bool_]:
    """Which columns (k,) are combinations of those before them, up to rounding. With zeros in their place R has zeros
    on its diagonal, and not rounding errors, of which nobody should take the logarithm."""
    diagonal = np.abs(np.diagonal(linalg.qr(vectors, mode="r", check_finite=False)[0]))
    lost: NDArray[np.bool_] = diagonal <= _LOST * np.linalg.norm(vectors, axis=0)
    return lost


def _warnings(counts: NDArray[np.int64], exponents: Floats) -> tuple[str, ...]:
    found = []
    n_silent, n = int(np.count_nonzero(counts == 0)), counts.size
    if n_silent:
        share = f"{n_silent} of {n} neurons ({n_silent / n:.0%}) never spike in the measured time"
        whole = "; the network is silent, and the exponents are those of its leak" if n_silent == n else ""
        found.append(share + whole)
    n_lost = int(np.count_nonzero(np.isneginf(exponents)))
    if n_lost:
        found.append(
            f"{n_lost} of {exponents.size} exponents are -inf: arrivals make neurons fire, which forget their potential"
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class TwoTrajectories:
    """The largest exponent of a network under one drive in continuous time, per millisecond, from a finite distance.

    exponent_per_ms        -inf if the two trajectories became one
    standard_error_per_ms  by batch means
    batches_per_ms         (n_batches,) float64
    n_intervals            intervals that were measured
    n_postponed            how many of these were made longer, until both had the same spikes behind them
    n_dropped              intervals that were left out, because the two had different spikes for good
    """

    exponent_per_ms: float
    standard_error_per_ms: float
    batches_per_ms: Floats
    n_intervals: int
    n_postponed: int
    n_dropped: int


def two_trajectories(
    network: Network,
    spikes: Spikes,
    *,
    distance: float = 1e-6,
    duration_ms: float | None = None,
    warm_up_ms: float = 500.0,
    interval_ms: float = 10.0,
    n_batches: int = 20,
    seed: int = 0,
) -> TwoTrajectories:
    """The largest Lyapunov exponent of `network`, at most 200 neurons, by two trajectories: estimator (F).

    distance     at which the second trajectory starts, and to which it is put back every `interval_ms` in the
                 direction that it has then (Benettin, Galgani and Strelcyn 1976, Phys. Rev. A 14:2338)
    seed         of the first direction

    Other arguments and errors as in `saltation_spectrum`.

    Right after one of the two has fired and before the other has, their potentials differ by the whole reset, however
    near they are. So a neuron that is held in both is compared by the times of its spikes; and while held neurons,
    spike counts or spikes on their way differ, the comparison waits, a twentieth of the interval at a time. What still
    differs after another whole interval is another sequence of spikes and no longer a small distance: the stretch is
    left out and counted, and the second trajectory starts anew beside the first.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=10, n_inputs=1), seed=0)
    >>> silence = Spikes.empty(1, n_units=1, n_steps=1000, dt_ms=1.0)
    >>> found = two_trajectories(network, silence)
    >>> found.exponent_per_ms < 0, found.n_intervals, found.n_dropped
    (True, 50, 0)
    """
    owner = "two_trajectories"
    drive_ms = drive_end_ms(owner, network, spikes, duration_ms)
    _positive(owner, "distance", distance)
    _positive(owner, "interval_ms", interval_ms)
    n_warm, n_measured = _schedule(owner, drive_ms, warm_up_ms, interval_ms, n_batches)
    begin, end = n_warm * interval_ms, (n_warm + n_measured) * interval_ms
    pair = _Pair(network, spikes, distance, stream(seed, "lyapunov-direction"))
    growth: list[float] = []
    lengths: list[float] = []
    n_postponed = n_dropped = 0
    while pair.t <= end - 0.999 * interval_ms:
        start, is_measured = pair.t, pair.t >= begin - 1e-6 * interval_ms
        found = pair.log_growth(start + interval_ms, min(start + 2 * interval_ms, end), interval_ms / _LOOKS)
        if not is_measured:
            continue
        n_postponed += pair.t > start + 1.001 * interval_ms
        n_dropped += found is None
        if found is not None:
            growth.append(found)
            lengths.append(pair.t - start)
    if len(growth) < n_batches:
        raise RunError(
            f"two trajectories had different spikes in {n_dropped} of {n_dropped + len(growth)} intervals; "
            "make `distance` or `interval_ms` smaller"
        )
    batches = np.array_split(np.array(growth), n_batches)
    spans = np.array([part.sum() for part in np.array_split(np.array(lengths), n_batches)])
    batches_per_ms = np.array([part.sum() for part in batches]) / spans
    with np.errstate(invalid="ignore"):  # the error of -inf is NaN
        error = float(batches_per_ms.std(ddof=1) / np.sqrt(n_batches))
    return TwoTrajectories(sum(growth) / sum(lengths), error, batches_per_ms, len(growth), n_postponed, n_dropped)


class _Pair:
    """Two trajectories, `distance` apart at the start and after each look at them."""

    def __init__(self, network: Network, spikes: Spikes, distance: float, rng: np.random.Generator) -> None:
        self._first, self._second = Simulation(network, spikes), Simulation(network, spikes)
        self._distance = distance
        self._n_state_rows = n_state_rows(network)
        self._direction: Floats = rng.standard_normal(self._n_state_rows)
        self._put_back()

    @property
    def t(self) -> float:
        return self._first.t

    def log_growth(self, t: float, latest: float, look_ms: float) -> float | None:
        """ln of the growth of the distance at time t or, if the trajectories have different spikes behind them then,
        soon after; None if they still have at the time `latest`."""
        apart = self._apart(t)
        while apart is None and self.t < latest:
            apart = self._apart(min(self.t + look_ms, latest))
        if apart is None:  # spikes on their way are others by now
            self._direction = self._direction[: self._n_state_rows]
            self._put_back()
            return None
        size = float(np.linalg.norm(apart))
        if size == 0:
            self._direction = self._direction[: self._n_state_rows]
            self._put_back()
            return -np.inf
        self._direction = apart
        self._put_back()
        return float(np.log(size / self._distance))

    def _apart(self, t: float) -> Floats | None:
        self._first.advance(t)
        self._second.advance(t)
        return self._second.minus(self._first)

    def _put_back(self) -> None:
        apart = self._direction * (self._distance / np.linalg.norm(self._direction))
        self._second.place_beside(self._first, apart)


def _positive(owner: str, name: str, value: float) -> float:
    require(np.isfinite(value) and value > 0, owner, name, "must be > 0", value)
    return value


def _schedule(owner: str, end: float, warm_up_ms: float, step_ms: float, n_batches: int) -> tuple[int, int]:
    """Steps before and in the measured time."""
    require(np.isfinite(warm_up_ms) and warm_up_ms >= 0, owner, "warm_up_ms", "must be >= 0", warm_up_ms)
    require(n_batches >= 2, owner, "n_batches", "must be >= 2, or there is no error bar", n_batches)
    n_warm = int(np.ceil(warm_up_ms / step_ms - 1e-6))
    n_steps = int(np.floor(end / step_ms + 1e-6)) - n_warm
    rule = f"must be at least {n_batches} intervals of {step_ms:g} ms beyond `warm_up_ms` = {warm_up_ms:g}"
    remedy = "give a longer drive or a shorter warm-up"
    require(n_steps >= n_batches, owner, "duration_ms", rule, end, remedy=remedy)
    return n_warm, n_steps
