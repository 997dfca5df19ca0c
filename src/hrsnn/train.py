"""learn: unsupervised STDP over recordings; a network goes in, one with other weights comes out (method.md 4.6)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn._checks import instance, require, whole_number
from hrsnn.data.dataset import Dataset
from hrsnn.engine import simulate_stdp
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.spec import Table
from hrsnn.spikes import Spikes


class LearnSpec(Table):
    """The table `[learn]`: how long plasticity runs.

    n_epochs    passes over the recordings, each in a new random order
    n_samples   recordings per pass, drawn anew without replacement; 0 takes all
    batch_size  0: every recording changes the weights that the next one meets. n: another algorithm, mini-batches of n
                that meet the same weights and whose changes are summed up (`batch_size` of `simulate_stdp`)
    """

    n_epochs: Annotated[int, Field(ge=1)] = 1
    n_samples: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """How far a phase of a unit of work has come, and how alive the network is."""

    phase: Literal["pruning", "learning", "simulating", "fitting"]
    done: int
    total: int
    spikes_per_neuron: float | None = None
    silent_share: float | None = None


Progress = Callable[[ProgressEvent], None]


def no_progress(event: ProgressEvent) -> None:
    """Tell nobody."""


def learn(
    network: Network,
    data: Dataset | Spikes,
    spec: LearnSpec | None = None,
    *,
    seed: int = 0,
    progress: Progress | bool = no_progress,
    dtype: type = np.float32,
) -> Network:
    """The network with the weights that STDP leaves after it saw `data`; labels are not used.

    Every recording starts from the initial state. `seed` orders the recordings; mini-batches (`spec.batch_size`) are
    cut from that order, through all epochs. `progress` is called after each recording; True tells on standard error.

    >>> import hrsnn
    >>> spec = hrsnn.NetworkSpec.preset("HoNHoS", n_inputs=2, n_neurons=20)
    >>> spikes = hrsnn.Spikes.from_times([[1, 2, 3]], [[0, 1, 0]], n_units=2, n_steps=20, dt_ms=1.0)
    >>> hrsnn.learn(hrsnn.build(spec, seed=0), spikes).provenance["history"]
    ['built', 'learned by STDP on 1 recordings']
    """
    instance("learn", "network", network, Network)
    instance("learn", "data", data, Dataset, Spikes)
    spec = LearnSpec() if spec is None else instance("learn", "spec", spec, LearnSpec)
    spikes = data if isinstance(data, Spikes) else data.spikes
    require(spikes.n_samples >= 1, "learn", "data", "must hold at least one recording", "none")
    seed = whole_number("learn", "seed", seed, at_least=0)
    told = isinstance(progress, bool) or callable(progress)
    require(told, "learn", "progress", "must be true, false or a function", progress)
    if isinstance(progress, bool):
        progress = _Line() if progress else no_progress
    order = _order(spikes.n_samples, spec, seed)
    watch = _Watch(progress, order.size, network.n_neurons)
    learned, _ = simulate_stdp(
        network, spikes.select(order), progress=watch, dtype=dtype, batch_size=spec.batch_size or None
    )  # fmt: skip
    in_batches = f" in batches of {spec.batch_size}" if spec.batch_size else ""
    return learned.with_history(f"learned by STDP on {order.size} recordings{in_batches}")


def _order(n: int, spec: LearnSpec, seed: int) -> NDArray[np.int64]:
    per_epoch = min(n, spec.n_samples or n)
    epochs = [stream(seed, "learn.order", epoch).permutation(n)[:per_epoch] for epoch in range(spec.n_epochs)]
    return np.concatenate(epochs)


class _Line:
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
        if self._is_terminal:
            print(f"\r{text:<79}", end="\n" if is_last else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


class _Watch:
    """Turns the spike counts of each sample into progress events over a sliding window of samples."""

    def __init__(self, progress: Progress, total: int, n_neurons: int, window: int = 20) -> None:
        self._progress, self._total, self._window = progress, total, window
        self._recent: list[NDArray[Any]] = []
        self._n_neurons = n_neurons

    def __call__(self, sample: int, counts: NDArray[np.int64]) -> None:
        self._recent = [*self._recent[-self._window + 1 :], counts]
        spikes = sum(self._recent)
        self._progress(
            ProgressEvent(
                phase="learning",
                done=sample + 1,
                total=self._total,
                spikes_per_neuron=float(np.sum(spikes)) / self._n_neurons / len(self._recent),
                silent_share=float(np.mean(spikes == 0)),
            )
        )
