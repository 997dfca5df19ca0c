"""Firing statistics: trains with known answers, and sums over all pairs and triples as the judge."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hrsnn._checks import InputError
from hrsnn.analysis.firing import _triples, firing_statistics
from hrsnn.spikes import Spikes


def poisson(rng: np.random.Generator, *, p: float, n_units: int, n_steps: int, n_samples: int = 1) -> Spikes:
    return Spikes.from_dense(rng.random((n_samples, n_steps, n_units)) < p, dt_ms=1.0)


def test_a_clock_by_hand() -> None:
    """Unit 0 every 10 ms, unit 1 after 10 and then 20 ms in turn, unit 2 twice, unit 3 never."""
    trains = [np.arange(0, 120, 10), np.array([0, 10, 30, 40, 60, 70, 90]), np.array([5, 50]), np.array([])]
    times, units = np.concatenate(trains), np.repeat(np.arange(4), [len(t) for t in trains])
    found = firing_statistics(Spikes.from_times([times], [units], n_units=4, n_steps=120, dt_ms=1.0))
    assert found.mean_activation == pytest.approx(21 / 120 / 4)
    assert found.mean_rate_hz == pytest.approx(21 / 4 / 0.12)
    assert found.silent_share == 0.25
    # Unit 1: intervals 10, 20, 10, 20, 10, 20 with mean 15 and sample variance 6 * 25 / 5.
    assert found.interval_cv == pytest.approx((0 + np.sqrt(30) / 15) / 2)
    assert found.n_regular == 2  # unit 2 has a single interval


def test_poisson_trains_are_irregular_and_independent() -> None:
    rng = np.random.default_rng(0)
    found = firing_statistics(poisson(rng, p=0.02, n_units=40, n_steps=40_000), bin_ms=20)
    assert found.mean_rate_hz == pytest.approx(20, rel=0.01)
    assert found.interval_cv == pytest.approx(np.sqrt(1 - 0.02), rel=0.01)  # of a geometric law
    assert found.pairwise_correlation == pytest.approx(0, abs=4 / np.sqrt(780 * 2000))
    assert found.third_order == pytest.approx(found.third_order_by_chance, rel=0.05)
    assert (found.n_bins, found.n_triples, found.n_varying) == (2000, 2000, 40)


def test_common_input_shows_in_both_orders() -> None:
    rng = np.random.default_rng(1)
    common = rng.random((1, 20_000, 1)) < 0.01
    found = firing_statistics(Spikes.from_dense((rng.random((1, 20_000, 12)) < 0.01) | common, dt_ms=1.0), bin_ms=10)
    # In a bin, counts of own spikes o_i and of common ones c, both of variance v = 10 * 0.01 to first order in p:
    # corr = 1/2, and the third co-moment is that of c, v, over (2v)^(3/2).
    assert found.pairwise_correlation == pytest.approx(0.5, abs=0.05)
    assert found.third_order == pytest.approx(0.1 / 0.2**1.5, rel=0.15)
    assert found.third_order > 20 * found.third_order_by_chance


@pytest.mark.parametrize("max_triples", [1000, 7])
def test_correlations_are_the_sums_over_pairs_and_triples(max_triples: int) -> None:
    rng = np.random.default_rng(2)
    spikes = poisson(rng, p=0.1, n_units=7, n_steps=95, n_samples=3)
    raster = spikes.dense().astype(float)
    raster[:, :, 4] = 0
    spikes = Spikes.from_dense(raster, dt_ms=1.0)
    counts = raster[:, :90].reshape(27, 10, 7).sum(axis=1)  # the last five steps fill no bin
    kept = [0, 1, 2, 3, 5, 6]
    z = (counts - counts.mean(axis=0))[:, kept] / counts[:, kept].std(axis=0)
    found = firing_statistics(spikes, bin_ms=10, max_triples=max_triples)
    r = np.corrcoef(counts[:, kept].T)
    assert found.pairwise_correlation == pytest.approx(np.mean([r[i, j] for i, j in combinations(range(6), 2)]))
    triples = list(combinations(range(6), 3)) if max_triples > 20 else _triples(6, max_triples, 0)
    assert found.third_order == pytest.approx(np.mean([abs(np.mean(z[:, list(t)].prod(axis=1))) for t in triples]))
    assert (found.n_varying, found.n_neurons, found.n_bins, found.n_triples) == (6, 7, 27, len(triples))


def test_triples_are_of_different_units_and_all_as_likely() -> None:
    drawn = _triples(6, 6, 0)
    assert drawn.shape == (6, 3)
    many = np.concatenate([_triples(6, 19, seed) for seed in range(600)])
    assert all(len(set(t)) == 3 for t in many.tolist())
    which = [tuple(sorted(t)) for t in many.tolist()]
    counts = np.array([which.count(t) for t in combinations(range(6), 3)])
    expected = len(which) / 20
    assert np.sum((counts - expected) ** 2 / expected) < 36.2  # chi-squared, 19 degrees of freedom, p = 0.01


def test_intervals_end_with_their_sample() -> None:
    spikes = Spikes.from_times([[0, 10, 20], [3, 43]], [[0] * 3, [0] * 2], n_units=1, n_steps=60, dt_ms=1.0)
    found = firing_statistics(spikes)
    assert found.interval_cv == pytest.approx(np.std([10, 10, 40], ddof=1) / 20)


def test_silence_has_no_correlations() -> None:
    found = firing_statistics(Spikes.empty(2, n_units=5, n_steps=100, dt_ms=1.0))
    assert (found.mean_rate_hz, found.silent_share, found.n_varying) == (0.0, 1.0, 0)
    assert found.interval_cv is found.pairwise_correlation is found.third_order is None


@pytest.mark.parametrize("bin_ms", [0.0, 0.5, 101.0, np.nan, np.inf])
def test_bins_are_whole_steps_within_a_sample(bin_ms: float) -> None:
    with pytest.raises(InputError, match="`bin_ms` of `firing_statistics` must be"):
        firing_statistics(Spikes.empty(1, n_units=2, n_steps=100, dt_ms=1.0), bin_ms=bin_ms)


def test_no_sample_is_refused() -> None:
    with pytest.raises(InputError, match="at least one sample"):
        firing_statistics(Spikes.empty(0, n_units=2, n_steps=100, dt_ms=1.0))
