"""Step IV of Lyapunov noise pruning: membrane time constants that bring the dense spectrum back (method.md 12.5).

Symbols: N neurons; a law is a gamma law of the membrane time constants of one group, which is the neurons of one sign
in one cluster; u in (0, 1) is the rank of a neuron in its group. The search moves laws, and every neuron goes where its
rank is in the new law (quantile transport): the slow ones stay slow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import qmc, rankdata, wasserstein_distance

from hrsnn._checks import check_column, require
from hrsnn.analysis.lyapunov import LyapunovSpectrum, lyapunov_spectrum
from hrsnn.analysis.lyapunov.tangent import SURROGATE_GAIN, n_state_rows
from hrsnn.distributions import Constant, Distribution, Gamma
from hrsnn.network import Network
from hrsnn.pruning.drive import DRIVE_HZ, standard_drive
from hrsnn.randomness import stream
from hrsnn.wiring import clipped_tau_mem_ms

Array = NDArray[np.float64]
Objective = Callable[[Array], float]

N_EXPONENTS = 64
N_STEPS = 500
BAND_PER_MS = (-0.02, 0.0)  # lambda_low and lambda*: the largest exponent is to lie between them
PENALTY = 10.0  # c_1 = c_2
MOST_MEAN_CHANGE = 2.0  # of the mean of a law, and its inverse
MOST_SHAPE_CHANGE = 4.0

N_WARM_UP_STEPS = 100
_LEAST_STEPS = 20  # one for each batch of the error bars
_INTERVAL = 25  # steps between two factorisations, at most: with long delays these are nearly all of the time
LEAST_EXPONENT_PER_MS = -10.0  # what a direction counts as that dies out within a step, of exponent minus infinity
_SILENT = -100.0  # the objective of a network without a spike: its leak may look like any spectrum
_LOG2_SOBOL_POINTS = 4
_N_COORDINATE_STEPS = 9
_FIRST_WIDTH = 0.125  # of a coordinate step, as a share of its range
_LEAST_CV = 1e-3  # of membrane time constants; below it they count as alike


class Optimiser(Protocol):
    """Looks for the point of a box where a function is largest; any search that fits this signature will do."""

    def __call__(self, objective: Objective, bounds: Array, *, start: Array, seed: int) -> Array:
        """The best point found, (d,). `bounds` is (d, 2), `start` (d,) inside it."""


@dataclass(frozen=True, slots=True, eq=False)
class TimescaleMatch:
    """What `match_timescales` did.

    spectrum_before_per_ms, spectrum_after_per_ms   leading exponents under the standard drive, descending
    objective_before, objective_after               see `spectral_fit`; after >= before
    n_evaluations    spectra that were computed
    laws             of the groups of neurons, by name ("excitatory" or "excitatory 2", in cluster 2), in the network
                     that came out; empty where nothing better was found and time constants stayed
    """

    spectrum_before_per_ms: Array
    spectrum_after_per_ms: Array
    objective_before: float
    objective_after: float
    n_evaluations: int
    laws: dict[str, Distribution]

    @property
    def changed(self) -> bool:
        """Whether time constants are others than before."""
        return bool(self.laws)


def spectrum_under_drive(
    network: Network,
    *,
    seed: int,
    n_exponents: int = N_EXPONENTS,
    n_steps: int = N_STEPS,
    surrogate_gain: float = SURROGATE_GAIN,
    drive_hz: float = DRIVE_HZ,
) -> Array:
    """The leading exponents of `network` under the standard drive, float64 (k,), per ms, descending.

    k is `n_exponents`, or the dimension of the state where that is less. The first 100 steps of the drive,
    `drive_hz` on every channel, are not measured. An exponent of minus infinity counts as -10. Networks with as many
    input channels are seen under the same drive for the same seed. Raises `InputError` where numbers do not fit.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4, excitatory={"bias": 1.5}), seed=0)
    >>> spectrum_under_drive(network, seed=0, n_steps=100).shape
    (60,)
    """
    owner = "spectrum_under_drive"
    return _exponents(_measured(owner, network, seed, n_exponents, n_steps, surrogate_gain, drive_hz))


def _measured(
    owner: str,
    network: Network,
    seed: int,
    n_exponents: int,
    n_steps: int,
    surrogate_gain: float,
    drive_hz: float,
) -> LyapunovSpectrum:
    require(n_exponents >= 1, owner, "n_exponents", "must be >= 1", n_exponents)
    require(n_steps >= _LEAST_STEPS, owner, "n_steps", f"must be >= {_LEAST_STEPS}", n_steps)
    spikes = standard_drive(network, (N_WARM_UP_STEPS + n_steps) * network.dt_ms, seed=seed, rate_hz=drive_hz)
    return lyapunov_spectrum(
        network, spikes, k=min(n_exponents, n_state_rows(network)), surrogate_gain=surrogate_gain,
        n_warm_up_steps=N_WARM_UP_STEPS, interval=_INTERVAL,
    )  # fmt: skip


def _exponents(spectrum: LyapunovSpectrum) -> Array:
    return np.maximum(spectrum.exponents_per_ms, LEAST_EXPONENT_PER_MS)


def spectral_fit(exponents_per_ms: ArrayLike, dense_exponents_per_ms: ArrayLike) -> float:
    """How well a spectrum fits that of the dense network; 0 is best (the objective of method.md 12.5).

    -W1 - 10 max(0, l1 - 0) - 10 max(0, -0.02 - l1), with l1 the largest exponent. W1 compares the two by quantile, so
    that they may differ in length.

    >>> round(spectral_fit([0.01, -0.03], [0.0, -0.02, -0.02, -0.04]), 9)
    -0.115
    """
    spectrum, largest = np.asarray(exponents_per_ms, dtype=np.float64), float(np.max(exponents_per_ms))
    low, high = BAND_PER_MS
    outside = max(0.0, largest - high) + max(0.0, low - largest)
    return -float(wasserstein_distance(spectrum, np.asarray(dense_exponents_per_ms))) - PENALTY * outside


def sobol_then_coordinates(objective: Objective, bounds: Array, *, start: Array, seed: int) -> Array:
    """The best of the start, 16 Sobol points and 9 steps from the best of them along one coordinate after the other.

    A step that does not pay is undone, and the next one along the same coordinate is half as long and the other way.

    >>> box = np.array([[-1.0, 1.0], [-1.0, 1.0]])
    >>> best = sobol_then_coordinates(lambda x: -float(np.abs(x - 0.3).sum()), box, start=np.zeros(2), seed=0)
    >>> bool(np.abs(best - 0.3).max() < 0.2)
    True
    """
    low, high = bounds[:, 0], bounds[:, 1]
    unit = qmc.Sobol(len(bounds), seed=stream(seed, "prune.sobol")).random_base2(_LOG2_SOBOL_POINTS)
    points = [start, *(low + unit * (high - low))]
    values = [objective(point) for point in points]
    best = int(np.argmax(values))
    point: Array = points[best]
    value, step = values[best], _FIRST_WIDTH * (high - low)
    for axis in np.arange(_N_COORDINATE_STEPS) % len(bounds):
        there = point.copy()
        there[axis] = np.clip(point[axis] + step[axis], low[axis], high[axis])
        if (found := objective(there)) > value:
            point, value = there, found
        else:
            step[axis] /= -2
    return point


def match_timescales(
    network: Network,
    dense_exponents_per_ms: ArrayLike,
    *,
    seed: int,
    optimiser: Optimiser = sobol_then_coordinates,
    n_exponents: int = N_EXPONENTS,
    n_steps: int = N_STEPS,
    surrogate_gain: float = SURROGATE_GAIN,
    drive_hz: float = DRIVE_HZ,
) -> tuple[Network, TimescaleMatch]:
    """`network` with membrane time constants that bring its spectrum near that of the dense one, and how.

    dense_exponents_per_ms   (k,), of `spectrum_under_drive` with the same seed, numbers, gain and drive
    seed                     of the drive and of the search
    optimiser                what searches; see `Optimiser`

    A search point has, for excitatory and for inhibitory neurons, the logarithm of a factor on the mean of each law,
    between 1/2 and 2, and on its shape, between 1/4 and 4. Clusters of one sign share the two factors, and so keep the
    ratios of their means. The laws that factors act on are the gamma laws of the present means and variances. Neurons
    of one sign that are all alike in each cluster stay so: only their mean is searched. Time constants are clipped to
    2..200 steps.

    It never makes the fit worse: the present time constants are a candidate. Rates change with time constants, and are
    not brought back here. Raises `InputError` where numbers do not fit.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4, excitatory={"bias": 1.5}), seed=0)
    >>> slower, told = match_timescales(network, [-0.01, -0.02], seed=0, n_exponents=2, n_steps=40)
    >>> told.objective_after >= told.objective_before, told.n_evaluations
    (True, 27)
    """
    owner = "match_timescales"
    dense = check_column(owner, "dense_exponents_per_ms", dense_exponents_per_ms, dtype=np.float64)
    require(dense.size >= 1, owner, "dense_exponents_per_ms", "must hold at least one exponent", "none")
    groups = _groups(network)
    seen: dict[bytes, tuple[float, Array]] = {}

    def judged(candidate: Network) -> tuple[float, Array]:
        spectrum = _measured(owner, candidate, seed, n_exponents, n_steps, surrogate_gain, drive_hz)
        is_silent = not spectrum.rates_hz.any()
        exponents = _exponents(spectrum)
        return _SILENT if is_silent else spectral_fit(exponents, dense), exponents

    def objective(point: Array) -> float:
        key = np.asarray(point, dtype=np.float64).tobytes()
        if key not in seen:
            seen[key] = judged(_with_laws(network, groups, _laws_at(groups, point)))
        return seen[key][0]

    before = judged(network)
    bounds = _bounds(groups)
    best = np.asarray(optimiser(objective, bounds, start=np.zeros(len(bounds)), seed=seed), dtype=np.float64)
    inside = best.shape == (len(bounds),) and bool(((bounds[:, 0] <= best) & (best <= bounds[:, 1])).all())
    require(inside, owner, "optimiser", f"must return a point of {len(bounds)} numbers inside the bounds", best)
    is_better = objective(best) > before[0]
    after = seen[best.tobytes()] if is_better else before
    laws = _laws_at(groups, best) if is_better else []
    matched = _with_laws(network, groups, laws).with_history("time constants matched") if is_better else network
    return matched, TimescaleMatch(
        spectrum_before_per_ms=before[1],
        spectrum_after_per_ms=after[1],
        objective_before=before[0],
        objective_after=after[0],
        n_evaluations=1 + len(seen),
        laws={group.name: law for group, law in zip(groups, laws, strict=bool(laws))},
    )


# -- laws of groups of neurons -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Neurons of one sign in one cluster: their indices, their ranks u in (0, 1), their present law.

    mean_axis, shape_axis   coordinates of the search point that change it; None: the shape stays
    """

    name: str
    members: NDArray[np.int64]
    rank: Array
    law: Distribution
    mean_axis: int
    shape_axis: int | None


def _groups(network: Network) -> list[_Group]:
    neurons, n_axes = network.neurons, 0
    groups = []
    for sign, word in ((1, "excitatory"), (-1, "inhibitory")):
        of_sign = [
            np.flatnonzero((neurons.sign == sign) & (neurons.population == c)) for c in np.unique(neurons.population)
        ]
        of_sign = [members for members in of_sign if members.size]
        laws = [_law_of(neurons.tau_mem_ms[members]) for members in of_sign]
        is_varied = any(isinstance(law, Gamma) for law in laws)
        for members, law in zip(of_sign, laws, strict=True):
            name = word if len(of_sign) == 1 else f"{word} {neurons.population[members[0]]}"
            rank = (rankdata(neurons.tau_mem_ms[members], method="ordinal") - 0.5) / members.size
            groups.append(_Group(name, members, rank, law, n_axes, n_axes + 1 if is_varied else None))
        n_axes += bool(of_sign) + is_varied
    return groups


def _law_of(tau_ms: Array) -> Distribution:
    """The gamma law of this mean and variance, or a constant where all are alike."""
    mean, variance = float(tau_ms.mean()), float(tau_ms.var())
    return Constant(mean) if variance <= (_LEAST_CV * mean) ** 2 else Gamma(mean, mean**2 / variance)


def _bounds(groups: list[_Group]) -> Array:
    limits = {group.mean_axis: np.log(MOST_MEAN_CHANGE) for group in groups}
    limits |= {group.shape_axis: np.log(MOST_SHAPE_CHANGE) for group in groups if group.shape_axis is not None}
    most = np.array([limits[axis] for axis in sorted(limits)])
    return np.stack([-most, most], axis=1)


def _laws_at(groups: list[_Group], point: Array) -> list[Distribution]:
    laws: list[Distribution] = []
    for group in groups:
        mean = float(group.law.mean * np.exp(point[group.mean_axis]))
        if isinstance(group.law, Gamma) and group.shape_axis is not None:
            laws.append(Gamma(mean, float(group.law.shape * np.exp(point[group.shape_axis]))))
        else:
            laws.append(Constant(mean))
    return laws


def _with_laws(network: Network, groups: list[_Group], laws: list[Distribution]) -> Network:
    """Quantile transport: every neuron gets the value of its rank in the new law of its group."""
    tau_ms = network.neurons.tau_mem_ms.copy()
    for group, law in zip(groups, laws, strict=True):
        tau_ms[group.members] = law.quantile(group.rank)
    tau_ms = clipped_tau_mem_ms(tau_ms, network.dt_ms)
    return replace(network, neurons=replace(network.neurons, tau_mem_ms=tau_ms))
