"""The input as a list of what is not 0 in it."""

from __future__ import annotations

from typing import Any

import numpy as np


def count_events(given: Any, counts: Any, first: int, last: int) -> bool:
    """How many numbers of each of the rows are not 0; whether all of those are 1."""
    odd = 0
    for r in range(first, last):
        n, row = 0, given[r]
        for c in range(np.uint64(row.size)):
            n += row[c] != 0
            odd += (row[c] != 0) & (row[c] != 1)
        counts[r] = n
    return odd == 0


def list_events(given: Any, events: Any, first: int, last: int) -> None:
    """Write the channels and, where `events` has room for them, the values."""
    for r in range(first, last):
        n, row = events.ptr[r], given[r]
        for c in range(np.uint64(row.size)):
            if row[c] != 0:
                events.unit[n] = c
                if events.value.size > 0:
                    events.value[n] = row[c]
                n += 1
