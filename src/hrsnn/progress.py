"""What long work tells on its way: events, and who is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """How far a phase of a unit of work has come, how alive the network is, and how well it does.

    loss    that is made smaller
    score   on what is held out to choose by, larger is better
    """

    phase: Literal["pruning", "learning", "simulating", "fitting"]
    done: int
    total: int
    spikes_per_neuron: float | None = None
    silent_share: float | None = None
    loss: float | None = None
    score: float | None = None


Progress = Callable[[ProgressEvent], None]


def clock(seconds: float) -> str:
    """A stretch of time.

    >>> clock(3725.4)
    '1:02:05'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def no_progress(event: ProgressEvent) -> None:
    """Tell nobody."""


class ProgressLine:
    """Progress as text on standard error: one line that changes on a terminal, else a line each tenth of the way."""

    def __init__(self) -> None:
        self._is_terminal, self._told_at, self._tenth = sys.stderr.isatty(), 0.0, -1

    def __call__(self, event: ProgressEvent) -> None:
        is_last, tenth, now = event.done >= event.total, 10 * event.done // event.total, time.monotonic()
        if not (is_last or (now - self._told_at > 0.1 if self._is_terminal else tenth > self._tenth)):
            return
        self._told_at, self._tenth = now, tenth
        text = f"{event.phase} {event.done} of {event.total}"
        if event.spikes_per_neuron is not None and event.silent_share is not None:
            text += f", {event.spikes_per_neuron:.1f} spikes/neuron, {event.silent_share:.0%} silent"
        named = {"loss": event.loss, "score": event.score}
        text += "".join(f", {name} {value:.3g}" for name, value in named.items() if value is not None)
        if self._is_terminal:
            print(f"\r{text:<79}", end="\n" if is_last else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)
