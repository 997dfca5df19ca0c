"""Spikes on another grid of time: recordings of different length brought to one, another step, cut, joined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import instance, real_number, require, time_step
from hrsnn.encode.rates import whole_steps
from hrsnn.spikes import STEPS_END, Spikes, n_steps_of, nearest_steps, rising, to_steps


def stretch(spikes: Spikes, *, duration_ms: float, tail_ms: float = 0.0) -> Spikes:
    """Every sample stretched or squeezed in time so that it lasts `duration_ms`, then silence for `tail_ms`.

    A sample lasts from the start of the grid to the end of the step of its last event, which therefore comes to lie in
    the last step of the duration: stretching once more changes nothing. Events of one unit that come to lie in one step
    become one. The step `dt_ms` stays. An empty sample stays empty.

    >>> s = Spikes.from_times([[0.0, 3.0], [0.0, 9.0]], [[0, 1], [0, 1]], n_units=2, n_steps=10, dt_ms=1.0)
    >>> stretch(s, duration_ms=8.0).step.tolist()
    [1, 7, 0, 7]
    """
    instance("stretch", "spikes", spikes, Spikes)
    duration_ms = real_number("stretch", "duration_ms", duration_ms, above=0)
    tail_ms = real_number("stretch", "tail_ms", tail_ms, at_least=0)
    n_event_steps, n_tail_steps = (nearest_steps(time_ms, spikes.dt_ms)[0] for time_ms in (duration_ms, tail_ms))
    require(n_event_steps >= 1, "stretch", "duration_ms", f"must be at least one step of {spikes.dt_ms:g}", duration_ms)
    _check_n_steps("stretch", "duration_ms", n_event_steps + n_tail_steps, duration_ms, spikes.dt_ms)
    sample = spikes.sample_of_event()
    last = np.zeros(spikes.n_samples, dtype=np.int64)
    filled = np.diff(spikes.sample_ptr) > 0
    last[filled] = spikes.step[spikes.sample_ptr[1:][filled] - 1]  # events are sorted by step
    # The middle of a step goes to the step that holds its image; the end of the last one is that of the duration, which
    # the image of its middle misses where a sample is stretched to more than twice its length.
    step = ((2 * spikes.step.astype(np.int64) + 1) * n_event_steps) // (2 * (last[sample] + 1))
    step[spikes.step == last[sample]] = n_event_steps - 1
    n_steps = n_event_steps + n_tail_steps
    return _moved(spikes, sample, step, n_steps, spikes.dt_ms)


def regrid(spikes: Spikes, *, dt_ms: float) -> Spikes:
    """The same events on steps of `dt_ms`, each at the start of the step it was in.

    On a coarser grid events of one unit that come to lie in one step become one.

    >>> s = Spikes.from_times([[0.0, 6.0]], [[0, 1]], n_units=2, n_steps=5, dt_ms=2.0)
    >>> fine = regrid(s, dt_ms=1.0)
    >>> fine.step.tolist(), fine.n_steps
    ([0, 6], 10)
    """
    instance("regrid", "spikes", spikes, Spikes)
    dt_ms = time_step("regrid", dt_ms)
    if dt_ms == spikes.dt_ms:
        return spikes
    n_steps = n_steps_of(spikes.n_steps * spikes.dt_ms, dt_ms)
    _check_n_steps("regrid", "dt_ms", n_steps, dt_ms, dt_ms)
    return _moved(spikes, spikes.sample_of_event(), to_steps(spikes.step * spikes.dt_ms, dt_ms), n_steps, dt_ms)


def split_before_last(spikes: Spikes, *, last_ms: float) -> tuple[Spikes | None, Spikes]:
    """Every sample before its last `last_ms`, and those, each beginning at its own step 0.

    The first is None where `last_ms` is the whole duration. Raises `InputError` for more than that, or no whole steps.

    >>> s = Spikes.from_times([[0.0, 3.0], [8.0]], [[0, 1], [1]], n_units=2, n_steps=10, dt_ms=1.0)
    >>> before, last = split_before_last(s, last_ms=7.0)
    >>> before.step.tolist(), last.step.tolist(), last.sample_ptr.tolist()
    ([0], [0, 5], [0, 1, 2])
    """
    n_last = whole_steps("split_before_last", "last_ms", last_ms, spikes.dt_ms)
    duration_ms = spikes.n_steps * spikes.dt_ms
    rule = f"must be at least one step and at most {duration_ms:g}, the duration of the samples"
    require(1 <= n_last <= spikes.n_steps, "split_before_last", "last_ms", rule, last_ms)
    start = spikes.n_steps - n_last
    return (_steps(spikes, 0, start) if start else None), _steps(spikes, start, spikes.n_steps)


def in_sequence(first: Spikes, second: Spikes) -> Spikes:
    """Each sample of `first` and, after its end, the same sample of `second`.

    Raises `InputError` where they differ in samples, units or step of time.

    >>> s = Spikes.from_times([[0.0, 3.0]], [[0, 1]], n_units=2, n_steps=5, dt_ms=1.0)
    >>> in_sequence(s, s).step.tolist()
    [0, 3, 5, 8]
    """
    facts = [(s.n_samples, s.n_units, s.dt_ms) for s in (first, second)]
    rule = f"must have the samples, units and step of time of the first, {facts[0]}"
    require(facts[1] == facts[0], "in_sequence", "second", rule, facts[1])
    sample = np.concatenate([first.sample_of_event(), second.sample_of_event()])
    step = np.concatenate([first.step, second.step.astype(np.int64) + first.n_steps])
    unit = np.concatenate([first.unit, second.unit])
    order = np.argsort(sample, kind="stable")  # within a sample both are in order, the first before the second
    n_steps = first.n_steps + second.n_steps
    return Spikes(first.sample_ptr + second.sample_ptr, step[order], unit[order], first.n_units, n_steps, first.dt_ms)


def first_steps(spikes: Spikes, n_steps: int) -> Spikes:
    """The first `n_steps` steps of every sample; where there are fewer, silence follows.

    >>> s = Spikes.from_times([[0.0, 3.0]], [[0, 1]], n_units=2, n_steps=5, dt_ms=1.0)
    >>> first_steps(s, 3).step.tolist(), first_steps(s, 9).n_steps
    ([0], 9)
    """
    return _steps(spikes, 0, n_steps)


def _check_n_steps(owner: str, name: str, n_steps: int, value: float, dt_ms: float) -> None:
    require(n_steps < STEPS_END, owner, name, f"must give less than {STEPS_END} steps of {dt_ms:g} ms", value)


def _steps(spikes: Spikes, start: int, stop: int) -> Spikes:
    """The events of the steps from `start` up to `stop`, which is not among them."""
    inside = (spikes.step >= start) & (spikes.step < stop)
    ptr = np.concatenate([[0], np.cumsum(inside)])[spikes.sample_ptr]
    return Spikes(ptr, spikes.step[inside] - start, spikes.unit[inside], spikes.n_units, stop - start, spikes.dt_ms)


def _moved(spikes: Spikes, sample: NDArray[np.int64], step: NDArray[np.int64], n_steps: int, dt_ms: float) -> Spikes:
    """The events at other steps, sorted again and each once."""
    keys = (sample * n_steps + step) * spikes.n_units + spikes.unit
    sample_and_step, unit = np.divmod(rising(keys), spikes.n_units)
    new_sample, new_step = np.divmod(sample_and_step, n_steps)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(new_sample, minlength=spikes.n_samples))])
    return Spikes(ptr, new_step.astype(np.int32), unit.astype(np.int32), spikes.n_units, n_steps, dt_ms)
