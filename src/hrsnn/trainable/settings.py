"""How a network is trained by backpropagation through time, as a table: without torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hrsnn._checks import require
from hrsnn.augmentation import Augmentation, Count, Share
from hrsnn.spec import Table

Trained = Literal["recurrent", "inputs", "tau_mem", "tau_syn", "v_th", "adapt"]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]

_COLUMNS = {
    "tau_mem": ("tau_mem_ms",), "tau_syn": ("tau_syn_exc_ms", "tau_syn_inh_ms"), "v_th": ("v_th",), "adapt": ("adapt",),
}  # fmt: skip


class Settings(Table):
    """What `[learn]` of `rule = "backprop"` says beside the rule.

    train                what is trained: recurrent, inputs (weights), tau_mem, tau_syn, v_th, adapt
    n_epochs             passes over the recordings at most
    batch_size           recordings of one step
    learning_rate        of weights and head, at its highest
    tau_rate             that of time constants, thresholds and adaptation, in units of it
    weight_decay         of weights, as in AdamW
    warm_up_share        of all steps, in which the rate rises from 0; it falls as a cosine after
    clip_norm            gradients are scaled down to this norm together; 0 leaves them
    validation_share     held out to choose the epoch by: whole groups (speakers) where there are some. A validation
                         part that is given is taken in its place; with 0 nothing is held out
    patience             epochs without a better one after which training ends; 0 trains through all
    surrogate, slope     see `hrsnn.torch.Surrogate`; slope 0: what is customary
    n_bins               of the counts that the head reads
    last_ms              only so much of the end of recordings with classes is read; 0: all. A run takes what its
                         readout reads, `readout.last_ms`, where nothing else is said
    tau_filter_ms        of the filtered spike trains that it reads without classes
    ahead_ms             how much of the input is foretold there
    dropout              of neurons, for the head alone
    label_smoothing      of the cross-entropy
    rate_penalty         adds that many times the mean square of what neurons fire above `rate_hz`, in units of it
    rate_hz              no penalty below
    truncate_ms          gradients go no further back than such a stretch; 0: through the whole recording
    checkpoint_steps     states are kept every so many steps and what is between is computed again: less memory, half as
                         much time again; 0 keeps everything
    n_threads            of torch. The same bits need the same number
    device               "cpu" or "cuda"
    """

    train: Annotated[list[Trained], Field(min_length=1)] = ["recurrent", "inputs"]
    n_epochs: Annotated[int, Field(ge=1)] = 30
    batch_size: Annotated[int, Field(ge=1)] = 32
    learning_rate: Positive = 2e-3
    tau_rate: Positive = 1.0
    weight_decay: NonNegative = 1e-3
    warm_up_share: Share = 0.05
    clip_norm: NonNegative = 1.0
    validation_share: Share = 0.1
    patience: Count = 0
    surrogate: Literal["fast-sigmoid", "atan", "superspike"] = "fast-sigmoid"
    slope: NonNegative = 0.0
    n_bins: Annotated[int, Field(ge=1)] = 5
    last_ms: NonNegative = 0.0
    tau_filter_ms: Positive = 30.0
    ahead_ms: Positive = 10.0
    dropout: Share = 0.0
    label_smoothing: Share = 0.0
    rate_penalty: NonNegative = 0.0
    rate_hz: Positive = 20.0
    truncate_ms: NonNegative = 0.0
    checkpoint_steps: Count = 0
    n_threads: Annotated[int, Field(ge=1)] = 1
    device: Literal["cpu", "cuda"] = "cpu"
    augment: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _patience_needs_validation(self) -> Self:
        rule, remedy = "must be > 0 where training ends by patience", "hold out 0.1, or take patience = 0"
        ok = self.validation_share > 0 or not self.patience
        require(ok, "learn", "validation_share", rule, self.validation_share, remedy=remedy)
        whole = not self.checkpoint_steps or self.device == "cpu"
        rule = 'must be 0 with device = "cuda", where the step keeps everything'
        require(whole, "learn", "checkpoint_steps", rule, self.checkpoint_steps)
        twice = len(set(self.train)) < len(self.train)
        require(not twice, "learn", "train", "must name each once", self.train)
        return self

    @property
    def changes(self) -> frozenset[str]:
        """The columns of neurons that training changes, beside weights."""
        return frozenset(column for name in self.train for column in _COLUMNS.get(name, ()))
