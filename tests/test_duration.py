"""Recordings of different length brought to one, cut in time, and joined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn._checks import InputError
from hrsnn.encode.duration import in_sequence, split_before_last, stretch
from hrsnn.spikes import Spikes

examples = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@st.composite
def batches(draw: st.DrawFn) -> Spikes:
    shape = draw(st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(1, 3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Spikes.from_dense(rng.random(shape) < draw(st.sampled_from([0.0, 0.2, 1.0])), dt_ms=0.5)


def single(spikes: Spikes, sample: int) -> Spikes:
    return spikes.select([sample])


@examples
@given(batches(), st.integers(1, 30), st.integers(0, 5))
def test_every_sample_ends_at_the_duration_and_keeps_its_order(spikes: Spikes, n_event: int, n_tail: int) -> None:
    found = stretch(spikes, duration_ms=0.5 * n_event, tail_ms=0.5 * n_tail)
    assert found.grid == (spikes.n_units, n_event + n_tail, 0.5)
    assert found.n_samples == spikes.n_samples
    for sample in range(spikes.n_samples):
        before, after = single(spikes, sample), single(found, sample)
        if before.n_events == 0:
            assert after.n_events == 0
            continue
        last = before.step.max() + 1
        assert after.step.max() == n_event - 1
        assert after.n_events <= before.n_events  # merged, never made
        np.testing.assert_array_equal(np.unique(after.unit), np.unique(before.unit))
        if n_event >= last:  # stretched: nothing merges, and each unit keeps its number of events
            np.testing.assert_array_equal(after.counts(1), before.counts(1))
            for unit in range(spikes.n_units):
                image, origin = after.step[after.unit == unit], before.step[before.unit == unit]
                assert (np.diff(image) > 0).all()
                # the middle of every step but the last lands within a step of where proportion puts it
                away = np.abs(image + 0.5 - (origin + 0.5) * n_event / last)
                assert (away[origin < last - 1] <= 0.5).all()


@examples
@given(batches(), st.integers(1, 30), st.integers(0, 5))
def test_stretching_once_more_changes_nothing(spikes: Spikes, n_event: int, n_tail: int) -> None:
    once = stretch(spikes, duration_ms=0.5 * n_event, tail_ms=0.5 * n_tail)
    assert stretch(once, duration_ms=0.5 * n_event, tail_ms=0.5 * n_tail) == once


@examples
@given(batches())
def test_stretching_to_its_own_length_changes_nothing(spikes: Spikes) -> None:
    for sample in range(spikes.n_samples):
        one = single(spikes, sample)
        if one.n_events:
            found = stretch(one, duration_ms=0.5 * (int(one.step.max()) + 1))
            np.testing.assert_array_equal(found.step, one.step)
            np.testing.assert_array_equal(found.unit, one.unit)


@examples
@given(batches(), st.integers(1, 30))
def test_samples_do_not_meet(spikes: Spikes, n_event: int) -> None:
    if spikes.n_samples:
        alone = [stretch(single(spikes, k), duration_ms=0.5 * n_event) for k in range(spikes.n_samples)]
        assert Spikes.join(alone) == stretch(spikes, duration_ms=0.5 * n_event)


def test_squeezed_events_of_one_unit_merge() -> None:
    spikes = Spikes.from_dense(np.ones((1, 10, 2)), dt_ms=1.0)
    assert stretch(spikes, duration_ms=2.0, tail_ms=1.0).dense()[0].tolist() == [[1, 1], [1, 1], [0, 0]]


def test_no_room() -> None:
    spikes = Spikes.empty(1, n_units=1, n_steps=2, dt_ms=1.0)
    with pytest.raises(InputError, match=r"`duration_ms` of `stretch` must be at least one step of 1, got 0.3"):
        stretch(spikes, duration_ms=0.3)
    with pytest.raises(InputError, match="`tail_ms` of `stretch` must be >= 0"):
        stretch(spikes, duration_ms=3.0, tail_ms=-2.0)


@examples
@given(batches(), st.integers(1, 12))
def test_what_is_cut_and_joined_again_is_the_same(spikes: Spikes, n_last: int) -> None:
    n_last = min(n_last, spikes.n_steps)
    before, last = split_before_last(spikes, last_ms=0.5 * n_last)
    np.testing.assert_array_equal(last.dense(), spikes.dense()[:, spikes.n_steps - n_last :])
    if before is None:
        assert last == spikes
    else:
        np.testing.assert_array_equal(before.dense(), spikes.dense()[:, : spikes.n_steps - n_last])
        assert in_sequence(before, last) == spikes


def test_cuts_and_joints_that_cannot_be() -> None:
    spikes = Spikes.empty(2, n_units=3, n_steps=5, dt_ms=1.0)
    with pytest.raises(
        InputError, match="`last_ms` of `split_before_last` must be at least one step and at most 5, the"
    ):
        split_before_last(spikes, last_ms=6.0)
    with pytest.raises(InputError, match="`last_ms` of `split_before_last` must be a whole number"):
        split_before_last(spikes, last_ms=1.5)
    other = Spikes.empty(2, n_units=4, n_steps=5, dt_ms=1.0)
    with pytest.raises(
        InputError, match=r"`second` of `in_sequence` must have the samples, units .* \(2, 3, 1.0\), got"
    ):
        in_sequence(spikes, other)
