"""What every encoder keeps to (`hrsnn.encode`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.spikes import Spikes
from hrsnn.testing.claims import claim, refuses, sentence_of

Generators = Sequence[np.random.Generator]
Encode = Callable[[Sequence[NDArray[Any]], Generators], Spikes]


@dataclass(frozen=True, slots=True)
class Example:
    """An encoder, as a function of samples and one generator for each, and samples that it takes.

    samples   at least two arrays of whole numbers (in any type), of different length where that is allowed
    constant  a sample without content: silence, a constant, no event
    """

    name: str
    encode: Encode
    samples: Sequence[NDArray[Any]]
    constant: NDArray[Any]
    dt_ms: float = 1.0

    def encoded(self, samples: Sequence[NDArray[Any]], seeds: Sequence[int] | None = None) -> Spikes:
        """Sample k is drawn with seed k, or with those given."""
        seeds = range(len(samples)) if seeds is None else seeds
        return self.encode(samples, [np.random.default_rng(seed) for seed in seeds])


def check(example: Example) -> None:
    """Hold an encoder to all `CHECKS`; raises `AssertionError` for the first rule that it breaks."""
    for one in CHECKS:
        one(example)


def gives_valid_spikes(example: Example) -> None:
    """One sample of spikes per sample, on the grid of its step of time, rising, not all of them empty."""
    spikes = example.encoded(example.samples)
    claim(Spikes(spikes.sample_ptr, spikes.step, spikes.unit, *spikes.grid) == spikes, example.name, "must be valid")
    claim(spikes.n_samples == len(example.samples), example.name, "must give a sample per sample", spikes.n_samples)
    claim(spikes.dt_ms == example.dt_ms, example.name, "must keep to its step of time", spikes.dt_ms)
    claim(spikes.n_events > 0, example.name, "must give spikes of the examples")


def gives_the_same_bits(example: Example) -> None:
    """For the same seeds, and leaves what it is given as it was."""
    before = [sample.tobytes() for sample in example.samples]
    first, second = example.encoded(example.samples), example.encoded(example.samples)
    claim(first == second, example.name, "must give the same spikes for the same seeds")
    claim([s.tobytes() for s in example.samples] == before, example.name, "must leave samples as they were")


def encodes_each_by_itself(example: Example) -> None:
    """The spikes of a sample are the same bits alone, in another order, and beside others."""
    n = len(example.samples)
    together = _events(example.encoded(example.samples))
    alone = [_events(example.encoded([sample], [k]))[0] for k, sample in enumerate(example.samples)]
    claim(alone == together, example.name, "must encode a sample alone as beside others")
    backwards = _events(example.encoded(example.samples[::-1], list(range(n))[::-1]))
    claim(backwards[::-1] == together, example.name, "must encode samples alike in any order")
    beside = _events(example.encoded([example.constant, *example.samples], [n, *range(n)]))
    claim(beside[1:] == together, example.name, "must encode a sample alike whatever is beside it")


def takes_what_is_empty_or_constant(example: Example) -> None:
    """As valid spikes, none or many; a batch of nothing as nothing, or refused."""
    spikes = example.encoded([example.constant])
    claim(spikes.n_samples == 1, example.name, "must give a sample of what is constant")
    sentence_of(example.name, "a batch of nothing", partial(example.encoded, []))


def refuses_what_is_no_number(example: Example) -> None:
    """NaN and infinity, at either end; text."""
    good, other = (example.samples[k].astype(np.float64) for k in (0, 1))
    for value in (np.nan, np.inf, -np.inf):
        for place in (0, -1):
            bad = good.copy()
            bad.reshape(-1)[place] = value
            refuses(example.name, f"a value of {value}", partial(example.encoded, [other, bad]))
    refuses(example.name, "text", partial(example.encoded, [good.astype(str)]))


def refuses_other_shapes(example: Example) -> None:
    good = example.samples[0]
    for bad in (good[..., None, None], good[None, None]):
        refuses(example.name, f"samples of shape {bad.shape}", partial(example.encoded, [bad]))


def takes_every_type_of_number(example: Example) -> None:
    """Whole numbers give the same spikes in single and double precision and as integers of 16 to 64 bits."""
    first = example.encoded(example.samples)
    for dtype in (np.float32, np.float64, np.int16, np.int32, np.int64):
        other = example.encoded([sample.astype(dtype) for sample in example.samples])
        claim(other == first, example.name, f"must give the same spikes of {np.dtype(dtype).name}")
    read_only = [sample.copy() for sample in example.samples]
    for sample in read_only:
        sample.flags.writeable = False
    claim(example.encoded(read_only) == first, example.name, "must take arrays that nobody can write to")


def _events(spikes: Spikes) -> list[list[tuple[int, int]]]:
    """Step and unit of the events of each sample: the grid may be that of the longest."""
    events = list(zip(spikes.step.tolist(), spikes.unit.tolist(), strict=True))
    ptr = spikes.sample_ptr.tolist()
    return [events[start:stop] for start, stop in pairwise(ptr)]


CHECKS: tuple[Callable[[Example], None], ...] = (
    gives_valid_spikes,
    gives_the_same_bits,
    encodes_each_by_itself,
    takes_what_is_empty_or_constant,
    refuses_what_is_no_number,
    refuses_other_shapes,
    takes_every_type_of_number,
)
