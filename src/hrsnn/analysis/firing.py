"""Statistics of spike trains: rates, regularity, and correlations of second and third order (method.md 10.3, 14)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.analysis.states import standardised
from hrsnn.randomness import stream
from hrsnn.spikes import Spikes

_TRIPLES_AT_A_TIME = 64


@dataclass(frozen=True, slots=True)
class FiringStatistics:
    """What `firing_statistics` finds; n_i(b) is the spike count of neuron i in time bin b, z_i(b) = (n_i - mean) / SD.

    mean_rate_hz            spikes per neuron and second
    mean_activation         spikes per neuron and step: mean over neurons of (1/T) sum over t of s_i(t) (method.md 14)
    silent_share            share of neurons without a spike
    interval_cv             mean over neurons of SD / mean of their interspike intervals (SD with n - 1), over neurons
                            with at least two intervals, that is three spikes; 0 is a clock, 1 a Poisson process
    pairwise_correlation    mean over pairs i < j of the mean over bins of z_i z_j: the sign is kept
    third_order             mean over triples i < j < k of |mean over bins of z_i z_j z_k|, the standardised third-order
                            co-moment of different neurons: "higher-order correlations"
    third_order_by_chance   what `third_order` comes to for independent neurons, sqrt(2 / (pi * n_bins))
    n_neurons               all neurons
    n_regular               neurons in `interval_cv`
    n_varying               neurons whose count varies: the others have no z and are left out of correlations
    n_bins, n_triples       how much the correlations are means over

    None where there are too few neurons, or too few spikes.
    """

    mean_rate_hz: float
    mean_activation: float
    silent_share: float
    interval_cv: float | None
    pairwise_correlation: float | None
    third_order: float | None
    third_order_by_chance: float
    n_neurons: int
    n_regular: int
    n_varying: int
    n_bins: int
    n_triples: int


def firing_statistics(
    spikes: Spikes, *, bin_ms: float = 20.0, max_triples: int = 2000, seed: int = 0
) -> FiringStatistics:
    """Rates, regularity and correlations of the spike trains of neurons, over all samples together.

    spikes        of neurons, as a run with `Record(spikes=True)` leaves them
    bin_ms        length of the bins in which spikes are counted for correlations, a whole number of steps; steps at
                  the end of a sample that fill no bin are left out there
    max_triples   triples of neurons are drawn at random up to this number, all are taken where there are not more
    seed          of that draw

    Intervals do not reach from one sample into the next. Raises `InputError` where a sample holds no whole bin.

    >>> clock = Spikes.from_times([range(0, 100, 10)], [[0] * 10], n_units=2, n_steps=100, dt_ms=1.0)
    >>> found = firing_statistics(clock)
    >>> found.mean_rate_hz, found.silent_share, found.interval_cv
    (50.0, 0.5, 0.0)
    """
    owner = "firing_statistics"
    require(spikes.n_samples >= 1, owner, "spikes", "must hold at least one sample", "none")
    require(max_triples >= 1, owner, "max_triples", "must be >= 1", max_triples)
    counts = _binned(owner, spikes, bin_ms)
    z = standardised(counts)
    n_bins, n_varying = z.shape
    cv, n_regular = _interval_cv(spikes)
    third_order, n_triples = _third_order(z, max_triples, seed)
    per_neuron_and_step = spikes.n_events / (spikes.n_samples * spikes.n_steps * spikes.n_units)
    n_active = np.unique(spikes.unit).size
    return FiringStatistics(
        mean_rate_hz=1000 * per_neuron_and_step / spikes.dt_ms,
        mean_activation=per_neuron_and_step,
        silent_share=1 - n_active / spikes.n_units,
        interval_cv=cv,
        pairwise_correlation=_pairwise(z),
        third_order=third_order,
        third_order_by_chance=math.sqrt(2 / (math.pi * n_bins)),
        n_neurons=spikes.n_units,
        n_regular=n_regular,
        n_varying=n_varying,
        n_bins=n_bins,
        n_triples=n_triples,
    )


def _binned(owner: str, spikes: Spikes, bin_ms: float) -> NDArray[np.float64]:
    """Spike counts in bins of equal length, all samples below each other, shape (n_samples * n_bins, n_units)."""
    n_steps = round(bin_ms / spikes.dt_ms) if np.isfinite(bin_ms) else 0
    is_whole = n_steps >= 1 and abs(n_steps * spikes.dt_ms - bin_ms) < 1e-6 * spikes.dt_ms
    require(is_whole, owner, "bin_ms", f"must be a whole number of steps of {spikes.dt_ms:g} ms", bin_ms)
    n_bins = spikes.n_steps // n_steps
    require(n_bins >= 1, owner, "bin_ms", f"must be <= {spikes.n_steps * spikes.dt_ms:g}, a whole sample", bin_ms)
    counted = spikes.step < n_bins * n_steps
    row = spikes.sample_of_event()[counted] * n_bins + spikes.step[counted] // n_steps
    n_rows = spikes.n_samples * n_bins
    flat = np.bincount(row * spikes.n_units + spikes.unit[counted], minlength=n_rows * spikes.n_units)
    return flat.reshape(n_rows, spikes.n_units).astype(np.float64)


def _interval_cv(spikes: Spikes) -> tuple[float | None, int]:
    """Mean CV of the intervals of the neurons that have at least two, and the number of these neurons."""
    sample = spikes.sample_of_event()
    order = np.lexsort((spikes.step, sample, spikes.unit))
    unit, step, sample = spikes.unit[order], spikes.step[order].astype(np.float64), sample[order]
    is_interval = (unit[1:] == unit[:-1]) & (sample[1:] == sample[:-1])
    interval, of_unit = np.diff(step)[is_interval], unit[1:][is_interval]
    n = np.bincount(of_unit, minlength=spikes.n_units)
    enough = n >= 2
    if not enough.any():
        return None, 0
    mean = np.bincount(of_unit, interval, minlength=spikes.n_units) / np.maximum(n, 1)
    squares = np.bincount(of_unit, np.square(interval - mean[of_unit]), minlength=spikes.n_units)
    cv = np.sqrt(squares[enough] / (n[enough] - 1)) / mean[enough]
    return float(cv.mean()), int(enough.sum())


def _pairwise(z: NDArray[np.float64]) -> float | None:
    """Mean correlation over pairs, from the variance of the sum: sum over i, j of r_ij is that of sum over i of z_i."""
    n = z.shape[1]
    return float(np.mean(np.square(z.sum(axis=1))) - n) / (n * (n - 1)) if n >= 2 else None


def _third_order(z: NDArray[np.float64], max_triples: int, seed: int) -> tuple[float | None, int]:
    """Mean |third-order co-moment| over triples of different columns, and the number of triples."""
    triples = _triples(z.shape[1], max_triples, seed)
    if len(triples) == 0:
        return None, 0
    columns = np.ascontiguousarray(z.T)
    total = 0.0
    for first in range(0, len(triples), _TRIPLES_AT_A_TIME):
        i, j, k = triples[first : first + _TRIPLES_AT_A_TIME].T
        total += float(np.abs(np.einsum("tb,tb,tb->t", columns[i], columns[j], columns[k])).sum())
    return total / len(z) / len(triples), len(triples)


def _triples(n: int, max_triples: int, seed: int) -> NDArray[np.int64]:
    """Triples of different numbers below `n`, shape (n_triples, 3): all of them, or `max_triples` at random."""
    if math.comb(n, 3) <= max_triples:
        return np.array(list(combinations(range(n), 3)), dtype=np.int64).reshape(-1, 3)
    drawn = stream(seed, "firing.triples").integers(0, [n, n - 1, n - 2], size=(max_triples, 3))
    # The second and third number are places among those not yet taken.
    drawn[:, 1] += drawn[:, 1] >= drawn[:, 0]
    low, high = drawn[:, :2].min(axis=1), drawn[:, :2].max(axis=1)
    drawn[:, 2] += drawn[:, 2] >= low
    drawn[:, 2] += drawn[:, 2] >= high
    return drawn
