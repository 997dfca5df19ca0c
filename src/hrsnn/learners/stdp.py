"""Unsupervised STDP over recordings (method.md 4.6)."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn.data.dataset import Dataset
from hrsnn.engine import simulate_stdp
from hrsnn.learners.learner import Learner
from hrsnn.network import Network
from hrsnn.progress import Progress, ProgressEvent
from hrsnn.randomness import stream
from hrsnn.spikes import Spikes


class Stdp(Learner):
    """The table `[learn]` of `rule = "stdp"`: how long plasticity runs. Labels are not used.

    n_epochs    passes over the recordings, each in a new random order
    n_samples   recordings per pass, drawn anew without replacement; 0 takes all
    batch_size  0: every recording changes the weights that the next one meets. n: another algorithm, mini-batches of n
                that meet the same weights and whose changes are summed up (`batch_size` of `simulate_stdp`)
    """

    rule: Literal["stdp"] = "stdp"
    n_epochs: Annotated[int, Field(ge=1)] = 1
    n_samples: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=0)] = 0

    def learn(
        self, network: Network, data: Dataset | Spikes, *, seed: int, progress: Progress, dtype: type = np.float32
    ) -> Network:
        """Every recording starts from the initial state. `seed` orders the recordings; mini-batches are cut from that
        order, through all epochs. `progress` is told of each recording."""
        if not any(
            rate.any() for table in (network.recurrent, network.inputs) for rate in (table.a_plus, table.a_minus)
        ):
            text = (
                "no synapse of this network learns: a_plus and a_minus are 0 everywhere, and weights stay as they are; "
                'give them rates (`recurrent={"a_plus": ...}` of Network.from_arrays, `[plasticity]` of a config)'
            )
            warnings.warn(text, RuntimeWarning, stacklevel=3)
        spikes = data if isinstance(data, Spikes) else data.spikes
        order = self.order(spikes.n_samples, seed)
        learned, _ = simulate_stdp(
            network, spikes.select(order), progress=_Watch(progress, order.size, network.n_neurons), dtype=dtype,
            batch_size=self.batch_size or None,
        )  # fmt: skip
        in_batches = f" in batches of {self.batch_size}" if self.batch_size else ""
        return learned.with_history(f"learned by STDP on {order.size} recordings{in_batches}")

    def order(self, n: int, seed: int) -> NDArray[np.int64]:
        """Which of `n` recordings are met, one after the other, through all epochs."""
        per_epoch = min(n, self.n_samples or n)
        epochs = [stream(seed, "learn.order", epoch).permutation(n)[:per_epoch] for epoch in range(self.n_epochs)]
        return np.concatenate(epochs)


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
