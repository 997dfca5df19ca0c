"""Recordings changed at random, as another speaker or another moment would have changed them."""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hrsnn._checks import require
from hrsnn.spec import Table
from hrsnn.spikes import Spikes, rising

Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=0)]
Events = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]  # number among the rows, step, channel


class Augmentation(Table):
    """The table `[learn.augment]`: what is done to each recording anew every time it is seen in training.

    shift_channels  moved along the channels by a whole number, up to this far either way; what leaves is dropped
    warp_share      stretched or shortened in time by a factor, up to this share either way
    drop_share      of the events left out
    blend_share     of the recordings mixed with one of the same class that is drawn, now and then themselves: half of
                    the events of each, at the same mean time. Without classes nothing is mixed
    """

    shift_channels: Count = 0
    warp_share: Share = 0.0
    drop_share: Share = 0.0
    blend_share: Annotated[float, Field(ge=0, le=1)] = 0.0


class Copies(Augmentation):
    """The table `[readout.augment]`: changed copies of the training part that a readout is fitted on beside it.

    n_copies        of each recording, changed as the other keys say, as in `[learn.augment]`; 0: none
    """

    n_copies: Count = 0

    @model_validator(mode="after")
    def _copies_are_changed(self) -> Self:
        is_changed = any(getattr(self, name) for name in Augmentation.model_fields)
        remedy = "say how they are changed, for instance shift_channels = 10, or take n_copies = 0"
        require(
            is_changed or not self.n_copies, "readout.augment", "n_copies", "must be 0 where nothing is changed",
            self.n_copies, remedy=remedy,
        )  # fmt: skip
        return self


def changed_events(
    spikes: Spikes,
    labels: NDArray[np.int64] | None,
    rows: NDArray[np.int64],
    how: Augmentation,
    rng: np.random.Generator,
    *,
    among: NDArray[np.int64],
) -> Events:
    """The events of `rows` of `spikes`, changed as `how` says, in no order and some twice.

    labels   (n_samples,), those of all of `spikes`, or None
    among    rows that may be mixed in: of what is held out nothing may be
    """
    events = _events(spikes, rows)
    if how.blend_share and labels is not None:
        of_class = {label: among[labels[among] == label] for label in np.unique(labels[rows])}
        partners = np.array([rng.choice(of_class[label]) for label in labels[rows]])
        events = _blended(events, _events(spikes, partners), rows.size, how.blend_share, rng)
    number, step, unit = events
    if how.shift_channels:
        unit = unit + rng.integers(-how.shift_channels, how.shift_channels, rows.size, endpoint=True)[number]
    if how.warp_share:
        step = np.floor(step * rng.uniform(1 - how.warp_share, 1 + how.warp_share, rows.size)[number]).astype(np.int64)
    kept = (unit >= 0) & (unit < spikes.n_units) & (step >= 0) & (step < spikes.n_steps)
    if how.drop_share:
        kept &= rng.random(number.size) >= how.drop_share
    return number[kept], step[kept], unit[kept]


def changed(
    spikes: Spikes, labels: NDArray[np.int64] | None, how: Augmentation, rng: np.random.Generator
) -> Spikes:  # fmt: skip
    """All of `spikes`, each recording changed once as `how` says.

    >>> spikes = Spikes.from_times([[0.0, 2.0]], [[0, 1]], n_units=2, n_steps=3, dt_ms=1.0)
    >>> changed(spikes, None, Augmentation(), np.random.default_rng(0)) == spikes
    True
    """
    n_units, n_steps, dt_ms = spikes.grid
    everyone = np.arange(spikes.n_samples)
    number, step, unit = changed_events(spikes, labels, everyone, how, rng, among=everyone)
    place = rising((number * n_steps + step) * n_units + unit)
    ptr = np.searchsorted(place, np.arange(spikes.n_samples + 1) * (n_steps * n_units))
    step, unit = np.divmod(place % (n_steps * n_units), n_units)
    return Spikes(ptr, step.astype(np.int32), unit.astype(np.int32), n_units, n_steps, dt_ms)


def _events(spikes: Spikes, rows: NDArray[np.int64]) -> Events:
    chosen = spikes.select(rows)
    return chosen.sample_of_event(), chosen.step.astype(np.int64), chosen.unit.astype(np.int64)


def _blended(events: Events, others: Events, n: int, share: float, rng: np.random.Generator) -> Events:
    """Some of `n` recordings give up about half of their events for about half of those of their partner."""
    is_mixed = rng.random(n) < share
    number, step, unit = events
    other_number, other_step, other_unit = others
    shift = np.rint(_mean_step(events, n) - _mean_step(others, n))
    other_step = other_step + shift.astype(np.int64)[other_number]
    ours = ~is_mixed[number] | (rng.random(number.size) < 0.5)
    theirs = is_mixed[other_number] & (rng.random(other_number.size) < 0.5)
    parts = ((number[ours], other_number[theirs]), (step[ours], other_step[theirs]), (unit[ours], other_unit[theirs]))
    both: Any = tuple(np.concatenate(part) for part in parts)
    return both  # type: ignore[no-any-return]


def _mean_step(events: Events, n: int) -> NDArray[np.float64]:
    number, step, _ = events
    return np.bincount(number, step, n) / np.maximum(np.bincount(number, minlength=n), 1)
