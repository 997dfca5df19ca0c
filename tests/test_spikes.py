"""Event lists: what is legal, binning, slicing, joining, dense form."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn._checks import InputError
from hrsnn.spikes import Spikes, n_steps_of, nearest_steps, to_steps

GRID = {"n_units": 3, "n_steps": 5, "dt_ms": 1.0}


def spikes(ptr: list[int], step: list[int], unit: list[int], **grid: Any) -> Spikes:
    return Spikes(ptr, step, unit, **{**GRID, **grid})  # type: ignore[arg-type]


@st.composite
def batches(draw: st.DrawFn) -> Spikes:
    shape = draw(st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(1, 4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Spikes.from_dense(rng.random(shape) < draw(st.sampled_from([0.0, 0.3, 1.0])), dt_ms=0.5)


examples = settings(max_examples=50, deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: spikes([0, 2], [2, 1], [0, 0]), "`step` of `Spikes` must be sorted by sample, step, unit"),
        (lambda: spikes([0, 2], [1, 1], [2, 1]), "sorted by sample, step, unit without duplicates, got 1 at index 1"),
        (lambda: spikes([0, 2], [1, 1], [2, 2]), "without duplicates"),
        (lambda: spikes([0, 1], [1], [3]), "`unit` of `Spikes` must be <= 2, got 3 at index 0"),
        (lambda: spikes([0, 1], [1], [-1]), "`unit` of `Spikes` must be >= 0, got -1"),
        (lambda: spikes([0, 1], [5], [0]), "`step` of `Spikes` must be <= 4, got 5"),
        (lambda: spikes([0, 1], [-1], [0]), "`step` of `Spikes` must be >= 0, got -1"),
        (lambda: spikes([0, 1], [1, 2], [0]), "`step` of `Spikes` must have length 1, got length 2"),
        (lambda: spikes([0, 1], [1.5], [0]), "`step` of `Spikes` must be whole numbers"),  # type: ignore[list-item]
        (lambda: spikes([0, 2, 1], [1, 2], [0, 0]), "`sample_ptr` of `Spikes` must rise from 0 to"),
        (lambda: spikes([1, 2], [1, 2], [0, 0]), "must rise from 0"),
        (lambda: spikes([], [], []), "must rise from 0"),
        (lambda: spikes([0, 0], [], [], n_units=0), "`n_units` of `Spikes` must be a whole number >= 1, got 0"),
        (lambda: spikes([0, 0], [], [], n_steps=2.5), "`n_steps` of `Spikes` must be a whole number >= 1, got 2.5"),
        (lambda: spikes([0, 0], [], [], dt_ms=np.nan), "`dt_ms` of `Spikes` must be > 0, got nan"),
    ],
)  # fmt: skip
def test_rules(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        make()


def test_the_same_event_in_two_samples_is_no_duplicate() -> None:
    assert spikes([0, 1, 2], [4, 0], [2, 0]).n_samples == 2  # and steps may fall from sample to sample
    assert spikes([0, 1, 1, 2], [1, 1], [2, 2]).sample_of_event().tolist() == [0, 2]


def test_empty_samples_are_legal() -> None:
    empty = Spikes.empty(2, **GRID)
    assert (empty.n_samples, empty.n_events) == (2, 0)
    assert empty.dense().shape == (2, 5, 3)
    assert empty.counts(2).tolist() == [[[0] * 3] * 2] * 2
    assert Spikes.empty(0, **GRID).dense().shape == (0, 5, 3)


@pytest.mark.parametrize(
    ("times", "units", "options", "message"),
    [
        ([[-0.1]], [[0]], {}, "`times_ms` of `Spikes.from_times, sample 0` must be >= 0, got -0.1"),
        ([[0.0], [np.nan]], [[0], [0]], {}, "`times_ms` of `Spikes.from_times, sample 1` must be finite, got nan"),
        ([[np.inf]], [[0]], {"late": "drop"}, "must be finite, got inf"),
        ([[5.0]], [[0]], {}, "must be < 5, the end of the grid, got 5.0 at index 0"),
        ([[1.0]], [[3]], {}, "`units` of `Spikes.from_times, sample 0` must be <= 2, got 3"),
        ([[1.0]], [[0.5]], {}, "must be whole numbers"),
        ([[1.0]], [["a"]], {}, "must be real numbers"),
        ([["a"]], [[0]], {}, "must be real numbers"),
        ([[1.0, 2.0]], [[0]], {}, "`units` of `Spikes.from_times, sample 0` must have length 2, got length 1"),
        ([[1.0]], [[0], [1]], {}, "`units` of `Spikes.from_times` must have 1 samples, got 2"),
        ([[1.0]], [[0]], {"late": "keep"}, 'must be "error" or "drop"'),
        ([[1.0]], [[0]], {"dt_ms": 0.0}, "`dt_ms` of `Spikes.from_times` must be > 0"),
        ([[1.0]], [[0]], {"n_steps": 0}, "`n_steps` of `Spikes.from_times` must be a whole number >= 1"),
        ([[1.0]], [[0]], {"n_steps": 2**31}, "`n_steps` of `Spikes.from_times` must be < 2147483648"),
        ([[1.0]], [[0]], {"n_units": 2**40}, "`n_units` of `Spikes.from_times` must be < 2147483648"),
        ([[1.0]], [[0]], {"n_units": True}, "`n_units` of `Spikes.from_times` must be a whole number"),
        ([[1.0]], [[0]], {"dt_ms": "1"}, "`dt_ms` of `Spikes.from_times` must be > 0, got 1"),
        ([[1.0]], [[0]], {"dt_ms": None}, "`dt_ms` of `Spikes.from_times` must be > 0, got None"),
        (5.0, [[0]], {}, "`times_ms` of `Spikes.from_times` must be a sequence"),
        ([[1.0]], None, {}, "`units` of `Spikes.from_times` must be a sequence"),
        ([np.ma.masked_array([1.0], [True])], [[0]], {}, "must have no masked values, got 1 of 1"),
        ([[1.0]], [np.ma.masked_array([1], [True])], {}, "must have no masked values, got 1 of 1"),
        ([[10**400]], [[0]], {}, "must be real numbers"),
    ],
)
def test_times_that_are_wrong(times: Any, units: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        Spikes.from_times(times, units, **{**GRID, **options})


def test_times_are_binned_sorted_and_merged() -> None:
    found = Spikes.from_times([[3.9, 0.0, 0.9, 1.0], []], [[2, 1, 1, 0], []], **GRID)
    assert found == spikes([0, 3, 3], [0, 1, 3], [1, 0, 2])


def test_a_time_that_is_a_whole_number_of_steps_up_to_rounding_belongs_to_that_step() -> None:
    times = np.arange(100) * 0.1  # 0.3 / 0.1 is below 3 in floating point
    found = Spikes.from_times([times], [np.zeros(100, int)], n_units=1, n_steps=100, dt_ms=0.1)
    assert found.step.tolist() == list(range(100))


FINE = (np.float64, np.float32)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(FINE),
    st.sampled_from([0.1, 0.2, 0.3, 0.05, 0.01, 1.0, 0.25, 1 / 3]),
    st.lists(st.integers(0, 100_000), min_size=1, max_size=20),
    st.sampled_from(["rounded", "computed in the type", "seconds"]),
)
def test_whole_steps_survive_the_rounding_of_the_type_of_times(
    dtype: Any, dt_ms: float, k: list[int], how: str
) -> None:
    """At 100,000 steps half a unit in the last place of single precision is 0.004 steps."""
    steps = np.array(k)
    if how == "computed in the type":
        times = steps.astype(dtype) * dtype(dt_ms)
    elif how == "rounded":
        times = (steps * dt_ms).astype(dtype)
    else:
        times = (steps * (dt_ms / 1000)).astype(dtype)
    unit_ms = 1000.0 if how == "seconds" else 1.0
    assert to_steps(times, dt_ms, unit_ms=unit_ms).tolist() == k
    assert to_steps(((steps + 0.5) * (dt_ms / unit_ms)).astype(dtype), dt_ms, unit_ms=unit_ms).tolist() == k


@examples
@given(st.sampled_from([np.int64, np.uint32, np.uint64, np.int32]), st.lists(st.integers(0, 2**31 - 1), max_size=20))
def test_whole_microseconds_are_exact(dtype: Any, times: list[int]) -> None:
    given_us = np.array(times, dtype=dtype)
    assert to_steps(given_us, 1.0, unit_ms=1e-3).tolist() == [t // 1000 for t in times]
    assert to_steps(given_us, 0.3, unit_ms=1e-3).tolist() == [t // 300 for t in times]


def test_whole_numbers_beyond_double_precision_are_exact() -> None:
    assert to_steps(np.array([2**60 - 1], dtype=np.int64), 2.0).tolist() == [2**59 - 1]
    assert to_steps(np.array([2**64 - 1], dtype=np.uint64), 1.0).tolist() == [2**62]


def test_half_precision_keeps_the_steps_that_it_can_tell_apart() -> None:
    k = np.arange(1000)  # 64 ms and more stand 0.6 steps apart
    assert to_steps((k * 0.1).astype(np.float16), 0.1).tolist() == k.tolist()


def test_late_times_in_double_precision_do_not_slip() -> None:
    k = np.arange(10**8, 10**8 + 1000)
    for dt_ms in (0.1, 0.3, 0.7, 1e-3):
        assert np.array_equal(to_steps(k * dt_ms, dt_ms), k)
    drift = np.cumsum(np.full(10_000, 0.1))  # rounded ten thousand times
    assert np.array_equal(to_steps(drift, 0.1), np.arange(1, 10_001))


@examples
@given(st.integers(1, 10**7), st.sampled_from([0.1, 0.3, 0.7, 1.0, 2.0]), st.sampled_from(FINE))
def test_durations_of_whole_steps_have_that_many(n: int, dt_ms: float, dtype: Any) -> None:
    if dtype is np.float32:
        n %= 100_000
    duration_ms = dtype(n * dt_ms)
    assert n_steps_of(duration_ms, dt_ms) == n
    assert nearest_steps(duration_ms, dt_ms) == (n, True)
    assert n_steps_of((n + 0.5) * dt_ms, dt_ms) == n + 1
    assert nearest_steps((n + 0.3) * dt_ms, dt_ms) == (n, False)


@pytest.mark.filterwarnings("error")
def test_late_events_are_dropped_on_request_however_late() -> None:
    found = Spikes.from_times([[1.0, 5.0, 1e300]], [[0, 1, 2]], **GRID, late="drop")
    assert (found.step.tolist(), found.unit.tolist()) == ([1], [0])


def test_numbers_of_numpy_are_numbers() -> None:
    found = Spikes.from_times([[1.0]], [[0]], n_units=np.int8(3), n_steps=np.array(5), dt_ms=np.float32(1.0))
    assert found == Spikes.from_times([np.ma.masked_array([1.0], [False])], [[0]], **GRID)
    assert [type(value) for value in found.grid] == [int, int, float]


@pytest.mark.parametrize("samples", [[9], [True], 1.5, ["a"], [[0], [0, 1]], None, slice("a", None)])
def test_samples_that_are_not_there(samples: Any) -> None:
    with pytest.raises(InputError, match=r"`samples` of `Spikes.select`"):
        Spikes.empty(3, **GRID).select(samples)


def test_raster_that_is_wrong() -> None:
    with pytest.raises(InputError, match="must be 0 or 1, got 2"):
        Spikes.from_dense([[[0, 2]]], dt_ms=1.0)
    with pytest.raises(InputError, match="must be 0 or 1, got nan"):
        Spikes.from_dense([[[np.nan]]], dt_ms=1.0)
    with pytest.raises(InputError, match=re.escape("must have shape (samples, steps, units)")):
        Spikes.from_dense([[0, 1]], dt_ms=1.0)


@examples
@given(batches(), st.data())
def test_select_is_select_of_the_raster(batch: Spikes, data: st.DataObject) -> None:
    some = st.lists(st.integers(0, batch.n_samples - 1), max_size=6) if batch.n_samples else st.just([])
    chosen = data.draw(some)  # repeats and any order
    np.testing.assert_array_equal(batch.select(chosen).dense(), batch.dense()[np.array(chosen, dtype=int)])
    mask = data.draw(st.lists(st.booleans(), min_size=batch.n_samples, max_size=batch.n_samples))
    np.testing.assert_array_equal(
        batch.select(np.array(mask, dtype=bool)).dense(), batch.dense()[np.array(mask, dtype=bool)]
    )
    assert batch.select(slice(1, 3)) == batch.select(np.arange(batch.n_samples)[1:3])


@examples
@given(batches(), st.data())
def test_counts_are_sums_of_the_raster(batch: Spikes, data: st.DataObject) -> None:
    n_bins = data.draw(st.integers(1, batch.n_steps))
    of_step = np.arange(batch.n_steps) * n_bins // batch.n_steps
    expected = np.stack([batch.dense()[:, of_step == b].sum(axis=1) for b in range(n_bins)], axis=1)
    np.testing.assert_array_equal(batch.counts(n_bins), expected)
    assert batch.counts(n_bins).dtype == np.int32


@examples
@given(batches())
def test_join_of_the_single_samples_is_the_batch(batch: Spikes) -> None:
    if batch.n_samples:
        assert Spikes.join([batch.select([k]) for k in range(batch.n_samples)]) == batch


def test_join_needs_one_grid_and_at_least_one_part() -> None:
    with pytest.raises(InputError, match="must share one grid"):
        Spikes.join([Spikes.empty(1, **GRID), Spikes.empty(1, **{**GRID, "n_steps": 6})])
    with pytest.raises(InputError, match="at least one batch"):
        Spikes.join([])


def test_counts_need_as_many_steps_as_bins() -> None:
    with pytest.raises(InputError, match=re.escape("`n_bins` of `Spikes.counts` must be 1..5, got 6")):
        Spikes.empty(1, **GRID).counts(6)


def test_equal_only_on_one_grid() -> None:
    assert Spikes.empty(1, **GRID) != Spikes.empty(1, **{**GRID, "dt_ms": 2.0})
    assert Spikes.empty(1, **GRID) != Spikes.empty(2, **GRID)
    assert Spikes.empty(1, **GRID) != "spikes"
