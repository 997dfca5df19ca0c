"""Two spoken digits, one after the other, from the built-in recordings; the label is the first of them.

A readout that sees the end alone (`last_ms` of `[readout]`) sees the second digit, which tells nothing of the first.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hrsnn._checks import require
from hrsnn.data.dataset import Dataset, Splits
from hrsnn.data.spoken_digits import spoken_digits
from hrsnn.encode.duration import in_sequence, stretch
from hrsnn.randomness import stream

_SEED = 0  # of the data set, not of a run


def digit_pairs(*, dt_ms: float = 2.0, n_classes: int = 10, digit_ms: float = 150.0, n_pairs: int = 3) -> Splits:
    """Pairs of digits by one speaker, each stretched to `digit_ms`; the label is the class of the first.

    n_classes  the first so many classes of the built-in recordings: 10 are the English digits, 20 all
    digit_ms   duration of each of the two digits
    n_pairs    pairs that begin with each recording; their second digits are drawn, whatever their class, from the
               recordings of the same speaker in the same part

    The parts are those of `spoken_digits`, with its speakers as groups.

    >>> digit_pairs(n_pairs=1).train.spikes.n_steps
    150
    """
    require(n_pairs >= 1, "digit-pairs", "n_pairs", "must be >= 1", n_pairs)
    splits = spoken_digits(dt_ms=dt_ms)
    most = len(splits.class_names)
    require(2 <= n_classes <= most, "digit-pairs", "n_classes", f"must be 2..{most}", n_classes)

    def pairs(part: str) -> Dataset:
        whole: Dataset = getattr(splits, part)
        single = replace(whole.select(whole.labels < n_classes), class_names=whole.class_names[:n_classes])
        assert single.groups is not None  # the built-in recordings have speakers
        spikes = stretch(single.spikes, duration_ms=digit_ms)
        rng = stream(_SEED, f"digit-pairs.{part}")
        first = np.tile(np.arange(single.n_samples), n_pairs)
        second = np.empty_like(first)
        for speaker in np.unique(single.groups):
            rows = np.flatnonzero(single.groups[first] == speaker)
            second[rows] = rng.choice(np.flatnonzero(single.groups == speaker), size=rows.size)
        both = in_sequence(spikes.select(first), spikes.select(second))
        return replace(single.select(first), spikes=both)

    return Splits(
        pairs("train"), pairs("validation"), pairs("test"), "digit-pairs", splits.licence,
        f"pairs of {splits.source}", group_word=splits.group_word,
    )  # fmt: skip
