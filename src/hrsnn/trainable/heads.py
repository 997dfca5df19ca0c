"""What is read from spikes while a network is trained, and the loss of it; left behind afterwards.

Under truncation a recording comes in pieces. What a head remembers of those before goes in and out, without gradients.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import torch
from torch import nn

Tensor = torch.Tensor


class Batch(NamedTuple):
    """Recordings [T, B, N_in] and their classes (B,), or None."""

    inputs: Tensor
    labels: Tensor | None


class Reading(NamedTuple):
    """The mean loss of a piece, and the sum over its recordings of what chooses: larger is better."""

    loss: Tensor
    score: float


class Head(Protocol):
    """`read` tells of the piece that begins at step `first` from its spikes [T', B, N], and what to remember.

    `generator` draws dropout in training; without one there is none, nor anything else that is for training alone.
    `piece_steps` is what the length of a piece must be a multiple of, `share` the weight of the loss of one.
    """

    @property
    def piece_steps(self) -> int: ...
    def share(self, first: int, length: int, n_steps: int) -> float: ...
    def read(
        self, spikes: Tensor, first: int, batch: Batch, memory: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Reading, Tensor]: ...


class ClassHead(nn.Module):
    """Classes from spike counts in bins of time, from step `start` on: cross-entropy, and how many are right.

    It starts at 0, so that all classes are alike. The counts of a piece are read together with those before it.
    """

    piece_steps = 1

    def __init__(
        self, n_neurons: int, n_classes: int, n_bins: int, start: int, dropout: float, smoothing: float
    ) -> None:  # fmt: skip
        super().__init__()
        self.n_bins, self.start, self.dropout, self.smoothing = n_bins, start, dropout, smoothing
        self.linear = _zeros(n_bins * n_neurons, n_classes)

    def share(self, first: int, length: int, n_steps: int) -> float:
        """Of a piece of recordings of `n_steps`, that of what is read."""
        return max(0, first + length - max(first, self.start)) / (n_steps - self.start)

    def read(
        self, spikes: Tensor, first: int, batch: Batch, memory: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Reading, Tensor]:
        assert batch.labels is not None
        counts = self._counts(spikes, first, batch.inputs.shape[0])
        if memory is not None:
            counts = counts + memory
        logits = self.linear(_dropped(counts, self.dropout, generator))
        smoothing = 0.0 if generator is None else self.smoothing
        loss = nn.functional.cross_entropy(logits, batch.labels, label_smoothing=smoothing)
        return Reading(loss, float((logits.argmax(1) == batch.labels).sum())), counts.detach()

    def _counts(self, spikes: Tensor, first: int, n_steps: int) -> Tensor:
        """(B, n_bins N), in units of the square root of the steps of a bin: alike for any number of steps."""
        n_read = n_steps - self.start
        step = torch.arange(max(first, self.start), max(first + len(spikes), self.start))  # of those that are read
        of_bin = torch.zeros(self.n_bins, len(spikes), dtype=spikes.dtype)
        of_bin[(step - self.start) * self.n_bins // n_read, step - first] = math.sqrt(self.n_bins / n_read)
        counts: Tensor = torch.tensordot(of_bin.to(spikes.device), spikes, dims=1)
        return counts.transpose(0, 1).flatten(1)


class AheadHead(nn.Module):
    """The input of the next `n_ahead` steps from filtered spike trains, at the end of every such stretch.

    Counts of each channel are foretold in units of their spread over the training data; the score is minus the squared
    error. It starts at 0, which foretells the mean.
    """

    def __init__(
        self, n_neurons: int, counts_mean: Tensor, counts_std: Tensor, n_ahead: int, decay: float, dropout: float
    ) -> None:
        super().__init__()
        self.n_ahead, self.decay, self.dropout = n_ahead, decay, dropout
        self.linear = _zeros(n_neurons, len(counts_mean))
        self.register_buffer("mean", counts_mean)
        self.register_buffer("scale", 1 / torch.where(counts_std > 0, counts_std, torch.ones_like(counts_std)))

    @property
    def piece_steps(self) -> int:
        return self.n_ahead

    def share(self, first: int, length: int, n_steps: int) -> float:
        """Of a piece of recordings of `n_steps`, that of its steps."""
        return length / n_steps

    def read(
        self, spikes: Tensor, first: int, batch: Batch, memory: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Reading, Tensor]:
        traces, state = [], memory
        weight = self.decay ** torch.arange(self.n_ahead - 1, -1, -1, dtype=spikes.dtype, device=spikes.device)
        whole = spikes[: len(spikes) // self.n_ahead * self.n_ahead].unflatten(0, (-1, self.n_ahead))
        for stretch in torch.einsum("t,ktbn->kbn", weight, whole).unbind(0):
            state = stretch if state is None else state * self.decay**self.n_ahead + stretch
            traces.append(state)
        assert state is not None
        coming = counts_in_stretches(batch.inputs[first + self.n_ahead :], self.n_ahead)
        told = torch.stack(traces)[: len(coming)] * math.sqrt(1 - self.decay)  # the noise of a rate, alike for any step
        wanted = (coming[: len(told)] - self.get_buffer("mean")) * self.get_buffer("scale")
        error = (self.linear(_dropped(told, self.dropout, generator)) - wanted).square()
        loss = error.mean() if len(told) else error.sum()
        return Reading(loss, -float(loss.detach()) * spikes.shape[1]), state.detach()


def counts_in_stretches(raster: Tensor, n_steps: int) -> Tensor:
    """Counts [K, B, N_in] in stretches of `n_steps` of [T, B, N_in]; a rest that is shorter is left out."""
    whole: Tensor = raster[: len(raster) // n_steps * n_steps].unflatten(0, (-1, n_steps))
    return whole.sum(1)


def _zeros(n_in: int, n_out: int) -> nn.Linear:
    linear: nn.Linear = nn.utils.skip_init(nn.Linear, n_in, n_out)  # without a draw from the global generator
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def _dropped(features: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    if generator is None or not share:
        return features
    kept = torch.rand(features.shape, generator=generator, dtype=features.dtype) >= share
    return features * kept.to(features.device) / (1 - share)
