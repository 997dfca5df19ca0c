"""What a simulation keeps (`Record`), what it leaves (`Recording`) and what it can go on from (`State`)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import real_number, require, whole_number
from hrsnn._shown import Shown
from hrsnn.spikes import STEPS_END, Spikes


@dataclass(frozen=True, slots=True)
class Record:
    """What to keep of a simulation. Spike counts are always kept: every cost is counted from them.

    n_bins          time bins of the counts; bin of step t is `t * n_bins // n_steps`
    filtered_every  keep the filtered spike trains y <- exp(-dt/tau_filter) y + s (method.md 7.1) after every this many
                    steps; `n_steps` keeps the final state alone; None keeps none
    tau_filter_ms   time constant of that filter
    spikes          keep every spike
    v               keep the membrane potentials after every this many steps, True after every one; None keeps none. A
                    neuron that spiked in a step is at its reset after it
    state           keep the dynamic state after the last step, to go on from it
    outputs         keep the potentials of the output units (`Network.outputs`) after every this many steps, True after
                    every one; None keeps none
    """

    n_bins: int = 1
    filtered_every: int | None = None
    tau_filter_ms: float = 30.0
    spikes: bool = False
    state: bool = False
    v: int | None = None
    outputs: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_bins", whole_number("Record", "n_bins", self.n_bins, at_least=1))
        for name in ("v", "outputs"):
            if isinstance(getattr(self, name), (bool, np.bool_)):
                object.__setattr__(self, name, 1 if getattr(self, name) else None)
        for name in ("filtered_every", "v", "outputs"):
            every = getattr(self, name)
            if every is not None:
                object.__setattr__(self, name, whole_number("Record", name, every, at_least=1, below=STEPS_END))
        tau_filter_ms = real_number("Record", "tau_filter_ms", self.tau_filter_ms, above=0)
        object.__setattr__(self, "tau_filter_ms", tau_filter_ms)
        for name in ("spikes", "state"):
            value = getattr(self, name)
            require(isinstance(value, (bool, np.bool_)), "Record", name, "must be true or false", value)


@dataclass(frozen=True, slots=True, repr=False)
class State(Shown):
    """All dynamic state of `n_samples` independent copies of a network between two steps.

    v, current_exc, current_inh   (n_samples, N), the engine's dtype; with delta synapses `current_exc` holds the sum
                                  of arrivals of the next step and `current_inh` is zero
    refractory                    (n_samples, N) int32, steps still clamped
    pending_exc, pending_inh      (n_samples, longest delay in steps - 1, N), arrivals under way: [:, k] joins the
                                  current at the end of the k-th coming step, before that step's own deliveries
    filtered                      (n_samples, N), the filtered spike trains
    adaptation                    (n_samples, N), what the thresholds have risen by; None without adaptive thresholds

    outputs                       (n_samples, n_outputs), the potentials of the output units; None without any

    Of tables with short-term dynamics, else None:

    recurrent_u, recurrent_r, inputs_u, inputs_r   (n_samples, n_synapses), the share in use at the last spike of the
                                                   presynaptic unit, and what was left available after it
    recurrent_since, inputs_since                  (n_samples, n_pre) int32, steps since that spike
    """

    v: NDArray[Any]
    current_exc: NDArray[Any]
    current_inh: NDArray[Any]
    refractory: NDArray[np.int32]
    pending_exc: NDArray[Any]
    pending_inh: NDArray[Any]
    filtered: NDArray[Any]
    adaptation: NDArray[Any] | None = None
    recurrent_u: NDArray[Any] | None = None
    recurrent_r: NDArray[Any] | None = None
    recurrent_since: NDArray[np.int32] | None = None
    inputs_u: NDArray[Any] | None = None
    inputs_r: NDArray[Any] | None = None
    inputs_since: NDArray[np.int32] | None = None
    outputs: NDArray[Any] | None = None

    def columns(self) -> dict[str, NDArray[Any]]:
        """Every array that there is, by name."""
        return {f.name: column for f in fields(self) if (column := getattr(self, f.name)) is not None}

    def _glance(self) -> dict[str, object]:
        return {"n_samples": len(self.v), "n_neurons": self.v.shape[1], "n_pending": self.pending_exc.shape[1]}


@dataclass(frozen=True, slots=True, repr=False)
class Recording(Shown):
    """What a simulation left.

    counts     int32 (n_samples, n_bins, N), spikes per time bin
    filtered   (n_samples, n_steps // filtered_every, N) in the engine's dtype, or None
    spikes     the spikes of the neurons, or None
    state      the state after the last step, or None
    v          (n_samples, n_steps // `Record.v`, N), membrane potentials in the engine's dtype, or None
    outputs    (n_samples, n_steps // `Record.outputs`, n_outputs), potentials of the output units, or None
    """

    counts: NDArray[np.int32]
    filtered: NDArray[Any] | None
    spikes: Spikes | None
    state: State | None
    v: NDArray[Any] | None = None
    outputs: NDArray[Any] | None = None

    def _glance(self) -> dict[str, object]:
        return {
            "n_samples": self.n_samples, "n_bins": self.counts.shape[1], "n_neurons": self.counts.shape[2],
            "n_spikes": int(self.counts.sum()),
            "keeps": [f.name for f in fields(self) if getattr(self, f.name) is not None],
        }  # fmt: skip

    @property
    def n_samples(self) -> int:
        return int(self.counts.shape[0])

    @property
    def spike_counts(self) -> NDArray[np.int64]:
        """Spikes per sample and neuron, shape `(n_samples, N)`."""
        totals: NDArray[np.int64] = self.counts.sum(axis=1, dtype=np.int64)
        return totals
