"""Training by backpropagation through time: what is held out, epochs, the choice among them, and going on after a stop.

Everything random follows from (seed, epoch, batch), so training that goes on from a checkpoint has the same numbers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hrsnn._checks import InputError, require
from hrsnn.augmentation import changed_events
from hrsnn.data.dataset import Dataset
from hrsnn.encode.rates import whole_steps
from hrsnn.network import Network
from hrsnn.progress import Progress, ProgressEvent
from hrsnn.randomness import stream
from hrsnn.spikes import Spikes
from hrsnn.trainable.batches import batch_of, raster_of
from hrsnn.trainable.exchange import module_of, network_of
from hrsnn.trainable.heads import AheadHead, Batch, ClassHead, counts_in_stretches
from hrsnn.trainable.held_out import divided
from hrsnn.trainable.module import SpikingModule
from hrsnn.trainable.settings import Settings
from hrsnn.trainable.standing import Standing, key_of_training

_DTYPE = torch.float32


def fit(
    network: Network,
    data: Dataset | Spikes,
    table: Settings,
    *,
    seed: int,
    progress: Progress,
    checkpoint: Path | None,
    validation: Dataset | Spikes | None,
) -> Network:
    """See `Backprop.learn`."""
    if table.device == "cuda" and not torch.cuda.is_available():
        raise InputError('`device` of `learn` must be one that is there, got cuda; take "cpu"')
    with _threads(table.n_threads):
        training = _Training.of(network, data, table, seed, validation)
        standing = Standing.read(checkpoint, training.key, training.parts, chooses=training.held_out.size > 0)
        n = training.chosen.size
        while standing.epoch < table.n_epochs and not standing.is_over(table.patience):
            before = n * standing.epoch
            for course in training.epoch(standing.epoch):
                if course.n < n:
                    progress(course.event(before, n * table.n_epochs))
            score = training.score(course)
            standing.after(score, training.parts)
            standing.write(checkpoint, training.key, training.parts)
            is_last = standing.epoch == table.n_epochs or standing.is_over(table.patience)
            progress(course.event(before, n * (standing.epoch if is_last else table.n_epochs), score))
        standing.restore_best(training.parts)
        history = f"learned by backpropagation on {n} recordings, epoch {standing.best_epoch} of {standing.epoch}"
        return network_of(training.module, history=history)


@dataclass(slots=True)
class _Course:
    """An epoch so far: sums over the `n` recordings that were seen.

    counts  spikes of neurons (N,); `read` of what the head reads of them, in its own units
    """

    counts: NDArray[np.float64]
    read: float = 0.0
    n: int = 0
    loss: float = 0.0
    score: float = 0.0

    def event(self, before: int, total: int, score: float | None = None) -> ProgressEvent:
        """After `before` recordings of earlier epochs."""
        per_neuron, silent = float(self.counts.mean()) / self.n, float(np.mean(self.counts == 0))
        return ProgressEvent("learning", before + self.n, total, per_neuron, silent, self.loss / self.n, score)


@dataclass(slots=True)
class _Training:
    """What training is made of. `chosen` and `held_out` are rows of `spikes`."""

    table: Settings
    seed: int
    spikes: Spikes
    labels: NDArray[np.int64] | None
    chosen: NDArray[np.int64]
    held_out: NDArray[np.int64]
    module: SpikingModule
    head: ClassHead | AheadHead
    optimiser: torch.optim.AdamW
    key: str

    @classmethod
    def of(
        cls, network: Network, data: Dataset | Spikes, table: Settings, seed: int, validation: Dataset | Spikes | None
    ) -> _Training:  # fmt: skip
        spikes = data if isinstance(data, Spikes) else data.spikes
        rule = f"must have the {network.n_inputs} channels of the network"
        require(spikes.n_units == network.n_inputs, "learn", "data", rule, spikes.n_units)
        rule = f"must have the time step of the network, {network.dt_ms:g} ms"
        require(spikes.dt_ms == network.dt_ms, "learn", "data", rule, spikes.dt_ms)
        data, chosen, held_out = divided(data, validation, table.validation_share, seed)
        spikes = data if isinstance(data, Spikes) else data.spikes
        module = module_of(
            network, surrogate=table.surrogate, slope=table.slope or None, dtype=_DTYPE, train=table.train,
            checkpoint_steps=table.checkpoint_steps or None,
        ).to(table.device)  # fmt: skip
        head = _head(network, data, chosen, table).to(table.device)
        labels = data.labels if isinstance(data, Dataset) else None
        n_classes = data.n_classes if isinstance(data, Dataset) else 0
        key = key_of_training(network, spikes, labels, n_classes, chosen, table, seed)
        optimiser = _optimiser(module, head, table)
        return cls(table, seed, spikes, labels, chosen, held_out, module, head, optimiser, key)

    @property
    def parts(self) -> dict[str, Any]:
        """Whose state is that of training."""
        return {"module": self.module, "head": self.head, "optimiser": self.optimiser}

    def epoch(self, number: int) -> Iterator[_Course]:
        """One pass over the recordings; what was seen so far after each step."""
        size, n_steps_before = self.table.batch_size, number * -(-self.chosen.size // self.table.batch_size)
        order = stream(self.seed, "learn.order", number).permutation(self.chosen)
        rng = stream(self.seed, "learn.augment", number)
        generator = torch.Generator().manual_seed(int(stream(self.seed, "learn.dropout", number).integers(2**62)))
        course = _Course(np.zeros(self.module.network.n_neurons))
        for index, rows in enumerate(_by(order, size)):
            self._set_rate(n_steps_before + index)
            self.optimiser.zero_grad(set_to_none=True)
            events = changed_events(self.spikes, self.labels, rows, self.table.augment, rng, among=self.chosen)
            raster = raster_of(events, rows.size, self.spikes, _DTYPE)
            loss = self._backward(self._batch(raster, rows), generator, course)
            if number == index == 0:
                self._look(course)
            if self.table.clip_norm:
                torch.nn.utils.clip_grad_norm_(self._parameters(), self.table.clip_norm)
            self.optimiser.step()
            self._check(loss, number, index)
            course.n += rows.size
            course.loss += loss * rows.size
            yield course

    @torch.no_grad()
    def score(self, course: _Course) -> float:
        """What chooses among epochs: the score on what is held out, that of training where nothing is."""
        if not self.held_out.size:
            return course.score / course.n
        score = 0.0
        for rows in _by(self.held_out, max(64, self.table.batch_size)):
            batch = self._batch(batch_of(self.spikes, rows, _DTYPE), rows)
            spikes, _ = self.module(batch.inputs)
            score += self.head.read(spikes, 0, batch, None, None)[0].score
        return score / self.held_out.size

    def _batch(self, raster: torch.Tensor, rows: NDArray[np.int64]) -> Batch:
        device = self.table.device
        labels = None if self.labels is None else torch.tensor(self.labels[rows], device=device)
        return Batch(raster.to(device), labels)

    def _backward(self, batch: Batch, generator: torch.Generator, course: _Course) -> float:
        """Gradients of a batch, piece by piece; returns the mean loss."""
        n_steps, length = len(batch.inputs), self._piece_steps(len(batch.inputs))
        state, memory, loss, score = None, None, 0.0, 0.0
        for first in range(0, n_steps, length):
            part = batch.inputs[first : first + length]
            if len(part) < self.head.piece_steps:
                break
            share = self.head.share(first, len(part), n_steps)
            with torch.set_grad_enabled(bool(share or self.table.rate_penalty)):
                spikes, state = self.module(part, None if state is None else state.detach())
                told, memory = self.head.read(spikes, first, batch, memory, generator)
                whole = told.loss * share + self._penalty(spikes) * (len(part) / n_steps)
            if whole.requires_grad:
                whole.backward()
            loss, score = loss + float(whole.detach()), told.score
            course.counts += spikes.detach().sum((0, 1)).cpu().numpy()
        course.read += 0.0 if memory is None else float(memory.abs().sum())
        course.score += score
        return loss

    def _piece_steps(self, n_steps: int) -> int:
        if not self.table.truncate_ms:
            return n_steps
        of_head = self.head.piece_steps
        return max(1, round(self.table.truncate_ms / self.spikes.dt_ms / of_head)) * of_head

    def _penalty(self, spikes: torch.Tensor) -> torch.Tensor | float:
        if not self.table.rate_penalty:
            return 0.0
        rate = spikes.mean((0, 1)) * (1000 / self.spikes.dt_ms)
        return self.table.rate_penalty * (rate / self.table.rate_hz - 1).clamp(min=0).square().mean()

    def _set_rate(self, step: int) -> None:
        """Linear warm-up, then a cosine down to 0."""
        n_steps = self.table.n_epochs * -(-self.chosen.size // self.table.batch_size)
        n_warm_up = self.table.warm_up_share * n_steps
        if step + 1 < n_warm_up:
            factor = (step + 1) / n_warm_up
        else:
            factor = 0.5 + 0.5 * math.cos(math.pi * (step - n_warm_up + 1) / (n_steps - n_warm_up + 1))
        for group in self.optimiser.param_groups:
            group["lr"] = self.table.learning_rate * group["rate"] * factor

    def _parameters(self) -> Iterator[torch.nn.Parameter]:
        for group in self.optimiser.param_groups:
            yield from group["params"]

    def _look(self, course: _Course) -> None:
        """After the first gradients: a network that does not spike cannot learn from spikes."""
        silent = float(np.mean(course.counts == 0))
        remedy = "raise the weights of the input ([input] calibrate = true finds them), or lower the thresholds"
        if silent == 1:
            raise InputError(
                "`network` of `learn` must spike on the recordings it learns from, got a silent one: 100% of the "
                f"neurons, so all gradients are zero; {remedy}"
            )
        if not course.read:
            # A control without recurrence may be so, and what it cannot do is what is asked.
            text = f"no neuron spikes in the last {self.table.last_ms:g} ms of the first batch, which the head reads"
            remedy = "raise learn.last_ms, or take delays and time constants that last until then"
            warnings.warn(f"{text}, so all gradients are zero; {remedy}", RuntimeWarning, stacklevel=6)
        elif silent > 0.5:
            text = f"{silent:.0%} of the neurons are silent in the first batch; no gradient comes from their spikes"
            warnings.warn(f"{text}; {remedy}", RuntimeWarning, stacklevel=6)

    def _check(self, loss: float, epoch: int, batch: int) -> None:
        """Raises `InputError` where training has left the numbers."""
        parts = [*self.module.named_parameters(), *self.head.named_parameters(prefix="head")]
        names = [name for name, p in parts if not bool(p.isfinite().all())]
        what = f"the loss became {loss}" if not math.isfinite(loss) else f"{', '.join(names)} ceased to be finite"
        if names or not math.isfinite(loss):
            before = "; a checkpoint, where one is kept, holds the epoch before" if epoch else ""
            raise InputError(
                f"training left the numbers: {what} in epoch {epoch + 1}, batch {batch + 1}; lower "
                f"learn.learning_rate{before}"
            )


def _head(
    network: Network, data: Dataset | Spikes, chosen: NDArray[np.int64], table: Settings
) -> ClassHead | AheadHead:  # fmt: skip
    n, dt_ms = network.n_neurons, network.dt_ms
    if isinstance(data, Dataset):
        n_steps = data.spikes.n_steps
        n_read = whole_steps("learn", "last_ms", table.last_ms, dt_ms) if table.last_ms else n_steps
        rule = f"must be at most {n_steps * dt_ms:g}, the duration of the recordings"
        require(n_read <= n_steps, "learn", "last_ms", rule, table.last_ms)
        rule = f"must be at most {n_read}, the steps that are read"
        require(table.n_bins <= n_read, "learn", "n_bins", rule, table.n_bins)
        return ClassHead(n, data.n_classes, table.n_bins, n_steps - n_read, table.dropout, table.label_smoothing)
    n_ahead = max(1, round(table.ahead_ms / dt_ms))
    rule = "must be at most half of the recordings, to be foretold within them"
    require(2 * n_ahead <= data.n_steps, "learn", "ahead_ms", rule, table.ahead_ms)
    counts = [counts_in_stretches(batch_of(data, rows, _DTYPE), n_ahead).flatten(0, 1) for rows in _by(chosen, 64)]
    mean, std = torch.cat(counts).mean(0), torch.cat(counts).std(0)
    return AheadHead(n, mean, std, n_ahead, math.exp(-dt_ms / table.tau_filter_ms), table.dropout)


def _by(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [rows[first : first + size] for first in range(0, rows.size, size)]


def _optimiser(module: SpikingModule, head: torch.nn.Module, table: Settings) -> torch.optim.AdamW:
    weights = [p for name, p in module.named_parameters() if name in ("recurrent", "inputs")]
    constants = [p for name, p in module.named_parameters() if name not in ("recurrent", "inputs")]
    groups = [
        {"params": weights, "rate": 1.0, "weight_decay": table.weight_decay},
        {"params": constants, "rate": table.tau_rate, "weight_decay": 0.0},
        {"params": list(head.parameters()), "rate": 1.0, "weight_decay": table.weight_decay},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=table.learning_rate)


@contextmanager
def _threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
