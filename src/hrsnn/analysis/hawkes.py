"""Hawkes processes of an excitatory and an inhibitory population; inhibition multiplies (method.md 10.1, 10.2).

Population A excites itself and B; B excites itself and divides the intensity of A. With kernels h(t) = alpha e^(-t/tau)
and the test functions of method.md 10.2, neuron i has the intensity

    A:  (mu_a + x_i) / (1 + y_i)      x_i, y_i   sums of h over the past events of A and of B
    B:  mu_b + x_i + y_i

The four kernels are A to A (h1), B to A (h2), B to B (h3), A to B (h4). In `HawkesModel` a neuron feels the mean of h
over the events of a population; in `SynapticHawkesModel` each pair of neurons has an alpha of its own.

How it is simulated: thinning (Ogata 1981). Sums decay between events, so excitation only falls, but an intensity can
rise while inhibition wears off: its value at the last event is no bound. What bounds it for a window of two mean
waiting times is excitation as at the start of the window with inhibition as at its end. The bound is made anew at every
candidate and at the end of a window without one; that a Poisson process has no memory makes this exact. The length of
the window changes the speed alone: a short one often ends without a candidate, and an endless one, which takes
inhibition as gone, throws most candidates of a strongly inhibited model away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import RunError, check_all, check_column, require
from hrsnn.engine.cpu.compiled import bind, inlined

_CHUNK = 1 << 16  # events per call of the compiled loop
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


@dataclass(frozen=True, slots=True)
class Kernel:
    """h(t) = alpha exp(-t / tau_ms) for t > 0: what an event adds, and how it fades.

    alpha  height at 0, >= 0; a rate per ms, but from B to A, where it is a number without unit
    """

    alpha: float
    tau_ms: float

    def __post_init__(self) -> None:
        require(math.isfinite(self.alpha) and self.alpha >= 0, "Kernel", "alpha", "must be >= 0", self.alpha)
        require(math.isfinite(self.tau_ms) and self.tau_ms > 0, "Kernel", "tau_ms", "must be > 0", self.tau_ms)

    @property
    def integral(self) -> float:
        """alpha tau: the sum of h in the long run per event per ms."""
        return self.alpha * self.tau_ms


@dataclass(frozen=True, slots=True)
class HawkesModel:
    """Two populations whose neurons feel means over populations, the model of Duval, Lucon and Pouzat 2022.

    n_a, n_b                    neurons of A (excitatory) and B (inhibitory)
    mu_a_per_ms, mu_b_per_ms    intensities without any input, >= 0
    a_to_a, b_to_a, b_to_b, a_to_b   the kernels h1, h2, h3, h4; an event adds alpha / (neurons of its population)
    """

    n_a: int
    n_b: int
    mu_a_per_ms: float
    mu_b_per_ms: float
    a_to_a: Kernel
    b_to_a: Kernel
    b_to_b: Kernel
    a_to_b: Kernel

    def __post_init__(self) -> None:
        _check_common(self)


@dataclass(frozen=True, slots=True, eq=False)
class SynapticHawkesModel:
    """Two populations with a kernel per synapse, h_ij(t) = alpha_ij e^(-t/tau), tau by the populations of j and i.

    n_a, n_b                    neurons of A, which come first, and of B
    mu_a_per_ms, mu_b_per_ms    intensities without any input, >= 0
    alpha                       float64 (N, N), alpha[i, j] >= 0 from neuron j to neuron i; units as in `Kernel`
    tau_*_ms                    time constants of the four pairs of populations, > 0
    """

    n_a: int
    n_b: int
    mu_a_per_ms: float
    mu_b_per_ms: float
    alpha: NDArray[np.float64]
    tau_a_to_a_ms: float
    tau_b_to_a_ms: float
    tau_b_to_b_ms: float
    tau_a_to_b_ms: float

    def __post_init__(self) -> None:
        _check_common(self)
        n = self.n_a + self.n_b
        alpha = np.array(self.alpha, dtype=np.float64, order="C")
        require(alpha.shape == (n, n), "SynapticHawkesModel", "alpha", f"must have shape ({n}, {n})", alpha.shape)
        flat = alpha.reshape(-1)
        check_all("SynapticHawkesModel", "alpha", "must be finite and >= 0", flat, np.isfinite(flat) & (flat >= 0))
        alpha.flags.writeable = False
        object.__setattr__(self, "alpha", alpha)
        for name in ("tau_a_to_a_ms", "tau_b_to_a_ms", "tau_b_to_b_ms", "tau_a_to_b_ms"):
            tau = getattr(self, name)
            require(math.isfinite(tau) and tau > 0, "SynapticHawkesModel", name, "must be > 0", tau)


@dataclass(frozen=True, slots=True)
class Rates:
    """Mean intensity of one neuron of A and of one of B, per ms."""

    a_per_ms: float
    b_per_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class HawkesTrain:
    """The events of one run, from rest at time 0.

    time_ms       float64 (n_events,), rising, from 0 to `duration_ms`
    neuron        int32 (n_events,); those below `n_a` belong to A, those from `n_a` to `n_a + n_b - 1` to B
    n_candidates  points that the thinning proposed, of which the events are left; 0 for events of another origin
    """

    time_ms: NDArray[np.float64]
    neuron: NDArray[np.int32]
    n_a: int
    n_b: int
    duration_ms: float
    n_candidates: int = 0

    def __post_init__(self) -> None:
        times = check_column(
            "HawkesTrain", "time_ms", self.time_ms, dtype=np.float64, at_least=0, at_most=self.duration_ms
        )
        rises = np.diff(times, prepend=0.0) >= 0
        check_all("HawkesTrain", "time_ms", "must rise", times, rises)
        last = self.n_a + self.n_b - 1
        neurons = check_column(
            "HawkesTrain", "neuron", self.neuron, dtype=np.int32, length=times.size, at_least=0, at_most=last
        )
        object.__setattr__(self, "time_ms", times)
        object.__setattr__(self, "neuron", neurons)

    @property
    def in_a(self) -> NDArray[np.bool_]:
        """Which events are of population A, shape (n_events,)."""
        return self.neuron < self.n_a

    def rates(self, *, since_ms: float = 0.0) -> Rates:
        """Events per neuron and ms from `since_ms` to the end."""
        ok = 0 <= since_ms < self.duration_ms
        require(ok, "HawkesTrain", "since_ms", f"must lie in [0, {self.duration_ms:g})", since_ms)
        late = self.time_ms >= since_ms
        span = self.duration_ms - since_ms
        n_of_a = int(np.count_nonzero(late & self.in_a))
        n_of_b = int(np.count_nonzero(late)) - n_of_a
        return Rates(n_of_a / self.n_a / span, n_of_b / self.n_b / span)


def simulate_hawkes(
    model: HawkesModel | SynapticHawkesModel,
    duration_ms: float,
    *,
    rng: np.random.Generator,
    max_events: int = 10_000_000,
) -> HawkesTrain:
    """The events of `model` from rest until `duration_ms`, by thinning; compiled, equal for equal states of `rng`.

    Raises `InputError` for a duration that is not > 0, and `RunError` when there are more than `max_events`: nothing
    bounds an intensity whose self-excitation outgrows inhibition.

    >>> model = HawkesModel(10, 10, 0.02, 0.01, Kernel(0.02, 10), Kernel(1, 10), Kernel(0.01, 10), Kernel(0.02, 10))
    >>> train = simulate_hawkes(model, 1000.0, rng=np.random.default_rng(0))
    >>> bool((np.diff(train.time_ms) > 0).all()), train.neuron.dtype
    (True, dtype('int32'))
    """
    ok = math.isfinite(duration_ms) and duration_ms > 0
    require(ok, "simulate_hawkes", "duration_ms", "must be > 0", duration_ms)
    require(max_events >= 1, "simulate_hawkes", "max_events", "must be >= 1", max_events)
    ok = isinstance(rng, np.random.Generator)
    require(ok, "simulate_hawkes", "rng", "must be a NumPy Generator", type(rng).__name__)
    units = _units(model)
    sums = np.zeros((2, units.size.size))
    clock = np.zeros(2)  # time, candidates so far
    times, marks, n_events = [], [], 0
    while True:
        time_ms = np.empty(min(_CHUNK, max_events - n_events + 1))
        mark = np.empty(time_ms.size, dtype=np.int32)
        arguments = (*units.arguments(), sums, clock, float(duration_ms), rng, time_ms, mark)
        n = bind(_thin, arguments)(*arguments)
        times.append(time_ms[:n])
        marks.append(mark[:n])
        n_events += n
        if n_events > max_events:
            raise RunError(
                f"`simulate_hawkes` had more than max_events = {max_events} events by {clock[0]:g} of {duration_ms:g} "
                "ms; lower the alpha of a_to_a or b_to_b if intensities run away, else raise max_events"
            )
        if n < time_ms.size:
            break
    return HawkesTrain(
        np.concatenate(times), np.concatenate(marks), model.n_a, model.n_b, float(duration_ms), int(clock[1])
    )  # fmt: skip


# -- the limit of large populations ----------------------------------------------------------------------------------


def fixed_point_rates(model: HawkesModel) -> Rates:
    """The stationary rates of infinitely large populations (method.md 10.2).

    They solve m_A = (mu_a + k1 m_A) / (1 + k2 m_B), m_B = mu_b + k3 m_B + k4 m_A with k = alpha tau. Rates of finite
    populations lie within the order of N^(-1/2) of them, if the fixed point attracts (`growth_per_ms`).

    Raises `InputError` where there are none: b_to_b with an integral of 1 or more, or an excitation of A by itself
    that nothing holds.

    >>> rates = fixed_point_rates(
    ...     HawkesModel(10, 10, 0.02, 0.01, Kernel(0.0, 10), Kernel(5.0, 10), Kernel(0.0, 10), Kernel(0.0, 10)))
    >>> round(rates.a_per_ms, 9), rates.b_per_ms  # A divided by 1 + 5 * 10 * 0.01
    (0.013333333, 0.01)
    """
    from scipy.optimize import brentq

    k1, k2, k3, k4 = (k.integral for k in (model.a_to_a, model.b_to_a, model.b_to_b, model.a_to_b))
    rule = "must have an integral alpha tau < 1, or B runs away"
    require(k3 < 1, "fixed_point_rates", "b_to_b", rule, k3)

    def b_of(a: float) -> float:
        return (model.mu_b_per_ms + k4 * a) / (1 - k3)

    def excess(a: float) -> float:
        return (model.mu_a_per_ms + k1 * a) / (1 + k2 * b_of(a)) - a

    if model.mu_a_per_ms == 0:  # from rest A stays silent
        return Rates(0.0, b_of(0.0))
    # excess falls from above 0, or never comes down: its slope tends to k1 / (1 + k2 mu_b / (1 - k3)) - 1, or below
    held = k2 * k4 > 0 or k1 < 1 + k2 * b_of(0.0)
    rule = "must be held by inhibition: alpha tau < 1 + (alpha tau of b_to_a) m_B, or B driven by A"
    require(held, "fixed_point_rates", "a_to_a", rule, k1)
    high = model.mu_a_per_ms
    while excess(high) > 0:
        high *= 2
    a = float(brentq(excess, 0.0, high, xtol=1e-300, rtol=1e-14))
    return Rates(a, b_of(a))


def growth_per_ms(model: HawkesModel, rates: Rates) -> float:
    """Rate at which a small deviation from the fixed point `rates` grows in infinitely large populations.

    The largest real part of the eigenvalues of x' = -x / tau + alpha m, linearised for the four sums. Below 0 the fixed
    point attracts; above 0 it does not, and activity goes round a limit cycle or runs away.
    """
    y = model.b_to_a.integral * rates.b_per_ms
    kernels = (model.a_to_a, model.b_to_a, model.b_to_b, model.a_to_b)
    a_by_sums = np.array([1 / (1 + y), -rates.a_per_ms / (1 + y), 0.0, 0.0])  # of m_A by the sums of h1 ... h4
    b_by_sums = np.array([0.0, 0.0, 1.0, 1.0])
    by_source = (a_by_sums, b_by_sums, b_by_sums, a_by_sums)
    jacobian = np.array([k.alpha * slope for k, slope in zip(kernels, by_source, strict=True)])
    jacobian -= np.diag([1 / k.tau_ms for k in kernels])
    return float(np.linalg.eigvals(jacobian).real.max())


# -- time rescaling --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class TimeRescaling:
    """Increments of the compensator between events, which are independent and Exp(1) if the model made the events.

    residuals_a, residuals_b   float64, one per event of the population: its summed intensity, integrated since the
                               event before
    p_value_a, p_value_b       Kolmogorov-Smirnov test against Exp(1); None without events
    """

    residuals_a: NDArray[np.float64]
    residuals_b: NDArray[np.float64]
    p_value_a: float | None
    p_value_b: float | None


def time_rescaling(model: HawkesModel | SynapticHawkesModel, train: HawkesTrain) -> TimeRescaling:
    """Whether `train` could be of `model`: residuals of both populations and their tests (Brown et al. 2002).

    Intensities are integrated from the events alone by Gauss-Legendre quadrature, in pieces no longer than the shortest
    time constant; what the simulation knew of them is not used. Raises `InputError` if the numbers of neurons differ.
    """
    from scipy.stats import kstest

    same = (train.n_a, train.n_b) == (model.n_a, model.n_b)
    rule = f"must be of {model.n_a} and {model.n_b} neurons"
    require(same, "time_rescaling", "train", rule, f"{train.n_a} and {train.n_b}")
    # In a model of means every neuron of a population is alike: its one unit stands for all of them.
    units = _units(model)
    unit = train.neuron if isinstance(model, SynapticHawkesModel) else (~train.in_a).astype(np.int32)
    arguments = (*units.arguments(), train.time_ms, unit, _NODES, _WEIGHTS)
    compensator = bind(_integrate, arguments)(*arguments)
    residuals = [np.diff(compensator[p, mask], prepend=0.0) for p, mask in ((0, train.in_a), (1, ~train.in_a))]
    p_values = [float(kstest(r, "expon").pvalue) if r.size else None for r in residuals]
    return TimeRescaling(residuals[0], residuals[1], p_values[0], p_values[1])


# -- kernels ---------------------------------------------------------------------------------------------------------
# Symbols: U units, A's first. A unit stands for `size` neurons that are alike: all of a population, or one. `sums`
# (2, U): the sums of h over events of A (row 0) and of B (row 1) that a neuron of the unit feels. `alpha` (U, U): row u
# is what an event of one neuron of unit u adds. `tau_ms` (2, 2): by population of the source, then of the target.


@dataclass(frozen=True, slots=True)
class _Units:
    n_units_of_a: int
    size: NDArray[np.float64]
    mu_per_ms: NDArray[np.float64]
    alpha: NDArray[np.float64]
    tau_ms: NDArray[np.float64]

    def arguments(self) -> tuple[Any, ...]:
        return self.n_units_of_a, self.size, self.mu_per_ms, self.alpha, self.tau_ms


def _units(model: HawkesModel | SynapticHawkesModel) -> _Units:
    mu = np.array([model.mu_a_per_ms, model.mu_b_per_ms], dtype=np.float64)
    if isinstance(model, SynapticHawkesModel):
        tau = np.array(
            [[model.tau_a_to_a_ms, model.tau_a_to_b_ms], [model.tau_b_to_a_ms, model.tau_b_to_b_ms]], dtype=np.float64
        )
        n = model.n_a + model.n_b
        return _Units(model.n_a, np.ones(n), mu, np.ascontiguousarray(model.alpha.T), tau)
    kernels = ((model.a_to_a, model.a_to_b), (model.b_to_a, model.b_to_b))
    size = np.array([model.n_a, model.n_b], dtype=np.float64)
    alpha = np.array([[k.alpha for k in row] for row in kernels]) / size[:, None]
    return _Units(1, size, mu, alpha, np.array([[k.tau_ms for k in row] for row in kernels], dtype=np.float64))


@inlined
def _intensity(a: Any, mu_per_ms: Any, x: Any, y: Any) -> Any:
    """Of one neuron that feels `x` from A and `y` from B."""
    return (mu_per_ms[0] + x) / (1.0 + y) if a else mu_per_ms[1] + x + y


@inlined
def _total(first: Any, last: Any, a: Any, size: Any, mu_per_ms: Any, sums: Any, fade_x: Any, fade_y: Any) -> Any:
    """Summed intensity of units `first` to `last` of one population, sums from A and B multiplied by `fade`."""
    total = 0.0
    for u in range(first, last):
        total += size[u] * _intensity(a, mu_per_ms, sums[0, u] * fade_x, sums[1, u] * fade_y)
    return total


@inlined
def _decay(n_units_of_a: Any, tau_ms: Any, sums: Any, time_ms: Any) -> Any:
    for source in range(2):
        for target in range(2):
            factor = np.exp(-time_ms / tau_ms[source, target])
            first, last = (n_units_of_a, sums.shape[1]) if target else (0, n_units_of_a)
            for u in range(first, last):
                sums[source, u] *= factor


def _thin(
    n_units_of_a: Any, size: Any, mu_per_ms: Any, alpha: Any, tau_ms: Any,
    sums: Any, clock: Any, until_ms: Any, rng: Any, time_ms: Any, mark: Any,
) -> Any:  # fmt: skip
    """Events until `until_ms` or until `time_ms` is full; their number. `sums` and `clock` go on from call to call."""
    n_a, n_units = n_units_of_a, size.size
    n_events = 0
    now = clock[0]
    while n_events < time_ms.size:
        of_b = _total(n_a, n_units, False, size, mu_per_ms, sums, 1.0, 1.0)
        intensity = _total(0, n_a, True, size, mu_per_ms, sums, 1.0, 1.0) + of_b
        if intensity <= 0.0:  # inhibition divides, so what is 0 stays 0
            now = until_ms
            break
        window = 2.0 / intensity
        worn = np.exp(-window / tau_ms[1, 0])
        bound = _total(0, n_a, True, size, mu_per_ms, sums, 1.0, worn) + of_b
        wait = rng.standard_exponential() / bound
        step = min(wait, window)
        if now + step >= until_ms:
            now = until_ms
            break
        now += step
        _decay(n_a, tau_ms, sums, step)
        if wait > window:
            continue
        clock[1] += 1.0
        # The level falls into the stretch of the neuron that fires, or above all of them.
        level = rng.random() * bound
        first_neuron = 0
        for u in range(n_units):
            one = _intensity(u < n_a, mu_per_ms, sums[0, u], sums[1, u])
            if level < size[u] * one:
                time_ms[n_events] = now
                mark[n_events] = first_neuron + min(int(level / one), int(size[u]) - 1)
                n_events += 1
                source = 0 if u < n_a else 1
                for v in range(n_units):
                    sums[source, v] += alpha[u, v]
                break
            level -= size[u] * one
            first_neuron += int(size[u])
    clock[0] = now
    return n_events


def _integrate(
    n_units_of_a: Any, size: Any, mu_per_ms: Any, alpha: Any, tau_ms: Any,
    time_ms: Any, unit: Any, nodes: Any, weights: Any,
) -> Any:  # fmt: skip
    """Summed intensity of A (row 0) and B (row 1), integrated from 0 to each event."""
    n_a, n_units = n_units_of_a, size.size
    sums = np.zeros((2, n_units))
    compensator = np.zeros((2, time_ms.size))
    shortest = tau_ms.min()
    of_a, of_b, now = 0.0, 0.0, 0.0
    for event in range(time_ms.size):
        n_pieces = int((time_ms[event] - now) / shortest) + 1
        piece = (time_ms[event] - now) / n_pieces
        for _ in range(n_pieces):
            for k in range(nodes.size):
                at = 0.5 * piece * (1.0 + nodes[k])
                share = 0.5 * piece * weights[k]
                x, y = np.exp(-at / tau_ms[0, 0]), np.exp(-at / tau_ms[1, 0])
                of_a += share * _total(0, n_a, True, size, mu_per_ms, sums, x, y)
                x, y = np.exp(-at / tau_ms[0, 1]), np.exp(-at / tau_ms[1, 1])
                of_b += share * _total(n_a, n_units, False, size, mu_per_ms, sums, x, y)
            _decay(n_a, tau_ms, sums, piece)
        now = time_ms[event]
        compensator[0, event] = of_a
        compensator[1, event] = of_b
        u = unit[event]
        source = 0 if u < n_a else 1
        for v in range(n_units):
            sums[source, v] += alpha[u, v]
    return compensator


def _check_common(model: HawkesModel | SynapticHawkesModel) -> None:
    owner = type(model).__name__
    for name in ("n_a", "n_b"):
        n = getattr(model, name)
        require(isinstance(n, (int, np.integer)) and n >= 1, owner, name, "must be a whole number >= 1", n)
    for name in ("mu_a_per_ms", "mu_b_per_ms"):
        mu = getattr(model, name)
        require(math.isfinite(mu) and mu >= 0, owner, name, "must be >= 0", mu)
