"""Scores with closed form, and intervals against known answers and by their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import root_mean_squared_error

from hrsnn._checks import InputError
from hrsnn.metrics import (
    interval_of_errors,
    interval_of_mean,
    interval_of_positive,
    interval_of_share,
    nrmse,
    paired_interval,
    rmse_course,
    smape,
    valid_prediction_steps,
)


def test_rmse_course_is_per_step_over_variables_in_units_of_their_spread() -> None:
    truth = np.zeros((2, 3, 2))
    forecast = truth.copy()
    forecast[1, 2] = [3.0, 8.0]
    course = rmse_course(forecast, truth, [1.0, 2.0])
    np.testing.assert_allclose(course, [[0, 0, 0], [0, 0, math.sqrt((9 + 16) / 2)]], rtol=1e-15)


def test_errors_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, forecast = rng.normal(size=(2, 4, 50, 3))
    scale = np.array([1.0, 2.0, 5.0])
    for k in range(4):
        whole = root_mean_squared_error((truth[k] / scale).ravel(), (forecast[k] / scale).ravel())
        assert nrmse(forecast, truth, scale)[k] == pytest.approx(whole, rel=1e-12)
        for t in (0, 49):
            step = root_mean_squared_error(truth[k, t] / scale, forecast[k, t] / scale)
            assert rmse_course(forecast, truth, scale)[k, t] == pytest.approx(step, rel=1e-12)


def test_predicting_the_mean_has_an_nrmse_of_one() -> None:
    truth = np.random.default_rng(1).normal(3.0, 7.0, size=(200, 2))
    assert nrmse(np.broadcast_to(truth.mean(axis=0), truth.shape), truth, truth.std(axis=0)) == pytest.approx(1.0)


def test_valid_prediction_of_a_perfect_forecast_is_the_horizon() -> None:
    assert valid_prediction_steps(np.zeros(100), 0.1) == 100


def test_valid_prediction_ends_at_the_first_error_that_reaches_the_threshold() -> None:
    courses = [[0.1, 0.0], [0.0999, 0.1], [0.0, np.nan], [np.inf, 0.0], [0.0, 0.0]]
    assert valid_prediction_steps(courses, 0.1).tolist() == [0, 1, 1, 0, 2]
    # never longer for a stricter threshold
    course = np.abs(np.random.default_rng(2).normal(size=(50, 30)))
    assert (valid_prediction_steps(course, 0.5) <= valid_prediction_steps(course, 1.0)).all()


def test_smape() -> None:
    assert smape([[1.0], [3.0]], [[1.0], [1.0]]) == pytest.approx((0 + 2 * 2 / 4) / 2)
    assert smape([[1.0]], [[-1.0]]) == 2  # the largest there is
    assert smape([[0.0]], [[0.0]]) == 0  # nothing forecast rightly
    assert smape(np.ones((4, 5, 2)), np.ones((4, 5, 2))).shape == (4,)


def test_interval_of_mean_is_that_of_scipy() -> None:
    sample = np.random.default_rng(3).normal(5.0, 2.0, size=7)
    for level in (0.5, 0.95):
        low, high = stats.t.interval(level, 6, loc=sample.mean(), scale=stats.sem(sample))
        assert interval_of_mean(sample, level) == pytest.approx([low, high], rel=1e-12)
    assert interval_of_mean([1.0]) is None
    assert interval_of_mean([]) is None
    assert interval_of_mean([2.0, 2.0]) == [2.0, 2.0]


def test_intervals_of_positive_means() -> None:
    """Above zero, around the mean, that of the t-interval to first order, and free of units."""
    few = [0.01, 0.02, 5.0]
    assert (interval_of_mean(few) or [0])[0] < 0
    low, high = interval_of_positive(few) or (0, 0)
    assert 0 < low < np.mean(few) < high
    assert interval_of_positive(1000 * np.array(few)) == pytest.approx([1000 * low, 1000 * high], rel=1e-12)
    near = 100 + np.random.default_rng(0).normal(size=8)
    assert interval_of_positive(near) == pytest.approx(interval_of_mean(near), rel=1e-4)
    assert interval_of_positive([1.0]) is None
    assert interval_of_positive([0.0, 0.0]) == [0.0, 0.0]
    assert interval_of_positive([3.0, 3.0]) == [3.0, 3.0]
    with pytest.raises(InputError, match="must be >= 0, got -1"):
        interval_of_positive([1.0, -1.0])


def test_interval_of_a_share_at_its_bound_is_that_of_clopper_and_pearson() -> None:
    for n in (1, 20, 300):
        expected = stats.binomtest(n, n).proportion_ci(0.95, "exact")
        assert interval_of_share(np.ones((5, n))) == pytest.approx([expected.low, 1.0], rel=1e-12)
        assert interval_of_share(np.zeros((5, n))) == pytest.approx([0.0, 1 - expected.low], rel=1e-12)
    assert interval_of_share(np.ones((1, 20))) is None
    mixed = np.random.default_rng(0).random((4, 30)) < 0.9
    assert interval_of_share(mixed) == paired_interval(mixed)


def test_errors_that_are_all_but_equal_are_not_told_apart_by_one_seed() -> None:
    """Four seeds differ by a millionth, the fifth by much: no resample without it is evidence."""
    b = np.full((5, 20), 0.2)
    a = b * (1 + 1e-6)
    a[3] += 1.5
    assert (paired_interval(a - b) or [0])[0] > 0
    low, high = interval_of_errors(a, b) or (1, 0)
    assert low == 0 < high
    c = np.random.default_rng(0).gamma(2.0, size=(5, 20))
    assert interval_of_errors(c, b) == paired_interval(c - b)
    assert interval_of_errors(c[:1], b[:1]) is None


def test_paired_interval_needs_two_seeds_and_two_dimensions() -> None:
    assert paired_interval(np.ones((1, 50))) is None
    with pytest.raises(InputError, match="must have shape"):
        paired_interval(np.ones(5))


def test_paired_interval_of_a_constant_difference_is_that_constant() -> None:
    assert paired_interval(np.full((5, 20), 0.25)) == [0.25, 0.25]


def test_paired_interval_shifts_scales_and_mirrors_with_the_data() -> None:
    d = np.random.default_rng(4).normal(size=(4, 30))
    low, high = paired_interval(d) or (0, 0)
    assert paired_interval(3 + 2 * d) == pytest.approx([3 + 2 * low, 3 + 2 * high], rel=1e-12)
    assert paired_interval(-d) == pytest.approx([-high, -low], rel=1e-12)
    assert paired_interval(d) == [low, high]  # the same bits again
    assert low < d.mean() < high
    narrow = paired_interval(d, level=0.5) or (0, 0)
    assert low < narrow[0] < narrow[1] < high


@pytest.mark.parametrize(("seeds", "recordings"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_paired_interval_holds_both_sources_of_chance(seeds: float, recordings: float) -> None:
    rng = np.random.default_rng(5)
    n_seeds, n_recordings = 40, 60
    d = seeds * rng.normal(size=(n_seeds, 1)) + recordings * rng.normal(size=(1, n_recordings))
    low, high = paired_interval(d) or (0, 0)
    # effects that add: the bootstrap deviation of the mean is that of the two means together
    deviation = math.hypot(d.mean(axis=1).std() / math.sqrt(n_seeds), d.mean(axis=0).std() / math.sqrt(n_recordings))
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.05)  # 10,000 draws: 2 % on a quantile


def test_paired_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(6)
    n_seeds, n_recordings, hits, n = 20, 40, 0, 200
    for _ in range(n):
        d = (
            rng.normal(size=(n_seeds, 1))
            + rng.normal(size=(1, n_recordings))
            + rng.normal(size=(n_seeds, n_recordings))
        )
        low, high = paired_interval(d) or (0, 0)
        hits += low <= 0 <= high
    # nominal 0.95, a little less for 20 seeds; three standard deviations of 200 trials are 0.05
    assert 0.87 <= hits / n <= 0.995
