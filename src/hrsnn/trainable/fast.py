"""The compiled step: what `SpikingModule` computes, as one function of autograd with its gradients written by hand.

Forwards it visits the synapses of the neurons that spike, and keeps the potentials. Backwards it carries the gradients
by potential, adaptation and currents from step to step; those by weights it adds up where a spike met a synapse. With
`checkpoint_steps` it keeps no more than the state every so many steps, and does those between again on the way back.

Forwards samples are independent of each other, and backwards each chunk of `LANES` of them is; their sums are taken in
the order of the chunks. So the number of threads changes no bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hrsnn._compiled import KernelCache
from hrsnn.trainable.backward import run_backward
from hrsnn.trainable.events import count_events, list_events
from hrsnn.trainable.forward import run_forward
from hrsnn.trainable.lanes import LANES
from hrsnn.trainable.layout import WeightLayout
from hrsnn.trainable.parts import (
    ALPHA,
    BatchState,
    Carry,
    Gradients,
    InputEvents,
    NetworkKind,
    NeuronConstants,
    Tape,
    Weights,
)
from hrsnn.trainable.surrogate import Surrogate

Tensor = torch.Tensor
Array = NDArray[Any]

_TRAINED = ("alpha", "k_exc", "k_inh", "beta_exc", "beta_inh", "drive", "to_rest", "v_th", "adapt")
_CURRENTS = {"k_exc", "k_inh", "beta_exc", "beta_inh"}  # their gradients need the currents of every step
_ROWS = 64  # of the input, in one piece of work

_FILES = ("backward.py", "events.py", "forward.py", "lanes.py", "parts.py")
_bind = KernelCache(Path(__file__).with_name(name) for name in _FILES).bind


class Given(NamedTuple):
    """What the function is of. `coefficients` are those of `_TRAINED`, None where a network has none.

    inh and pending_inh are None with delta synapses, current without analogue input.
    """

    recurrent: Tensor
    inputs: Tensor
    spikes: Tensor
    current: Tensor | None
    v: Tensor
    exc: Tensor
    inh: Tensor | None
    adaptation: Tensor
    pending_exc: Tensor
    pending_inh: Tensor | None
    coefficients: tuple[Tensor | None, ...]

    @classmethod
    def of(cls, flat: Iterable[Any]) -> Given:
        """From the arguments one after the other."""
        first = tuple(flat)
        n = len(cls._fields) - 1
        return cls._make((*first[:n], first[n:]))


@dataclass(frozen=True, slots=True)
class Steps:
    """What of a module the function needs besides tensors with gradients.

    layouts           of recurrent and input synapses
    fixed             rho (zeros without adaptive thresholds), v_rest, v_reset (N,)
    refractory        (B, N), steps to be held still; n_ref (N,)
    plain             the plain form, (given) -> spikes and state in the order of `outputs`, for gradients of gradients
    checkpoint_steps  None: everything is kept
    """

    layouts: tuple[WeightLayout, WeightLayout]
    fixed: tuple[Tensor, Tensor, Tensor]
    refractory: Tensor
    n_ref: Tensor
    is_exp: bool
    subtracts: bool
    adapts: bool
    surrogate: Surrogate
    plain: Callable[[Given], tuple[Any, ...]]
    checkpoint_steps: int | None

    def __call__(self, given: Given, coefficients: dict[str, Tensor]) -> tuple[Any, ...]:
        """Spikes, v, exc, inh, adaptation, pending_exc, pending_inh, refractory."""
        given = given._replace(coefficients=tuple(coefficients.get(name) for name in _TRAINED))
        outputs: tuple[Any, ...] = _Function.apply(self, torch.is_grad_enabled(), *given[:-1], *given.coefficients)
        return outputs


def named(coefficients: tuple[Tensor | None, ...]) -> dict[str, Tensor]:
    """The coefficients that there are, by name."""
    return {name: c for name, c in zip(_TRAINED, coefficients, strict=True) if c is not None}


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, steps: Steps, is_recorded: bool, *flat: Tensor | None) -> tuple[Any, ...]:
        ctx.save_for_backward(*flat)
        ctx.set_materialize_grads(False)
        given, wanted = Given.of(flat), Given.of(ctx.needs_input_grad[2:])
        run = _Run(steps, given, wanted, is_recorded and any(ctx.needs_input_grad))
        ctx.steps, ctx.run = steps, run if run.is_recorded else None
        outputs = (*run.forward(), run.refractory())
        ctx.mark_non_differentiable(outputs[-1])
        return outputs

    @staticmethod
    def backward(ctx: Any, *by: Tensor | None) -> tuple[Any, ...]:
        flat = ctx.saved_tensors
        if torch.is_grad_enabled():
            return None, None, *_by_plain(ctx.steps, flat, ctx.needs_input_grad[2:], by)
        return None, None, *ctx.run.backward(by)


def _by_plain(steps: Steps, flat: Any, wanted: Any, by: Any) -> list[Any]:
    """The gradients as functions that have gradients themselves, by autograd through the plain form."""
    with torch.enable_grad():
        outputs = steps.plain(Given.of(flat))
        pairs = [(out, g) for out, g in zip(outputs, by, strict=False) if g is not None and out.requires_grad]
        asked = [value for value, is_asked in zip(flat, wanted, strict=True) if is_asked]
        found = iter(
            torch.autograd.grad(
                [out for out, _ in pairs], asked, [g for _, g in pairs], create_graph=True, allow_unused=True
            )
        )
    return [next(found) if is_asked else None for is_asked in wanted]


class _Run:
    """One call forwards, and what the way back needs of it."""

    def __init__(self, steps: Steps, given: Given, wanted: Given, is_recorded: bool) -> None:
        self._steps, self._given, self._wanted, self.is_recorded = steps, given, wanted, is_recorded
        self._n_steps, self._n_samples = given.spikes.shape[:2]
        self._n, self._dtype = given.v.shape[1], _array(given.v).dtype
        self._n_kinds, self._n_rows = 2 if steps.is_exp else 1, 1 + given.pending_exc.shape[0]
        self._n_threads = torch.get_num_threads()
        self._neurons, self._rule = self._constants()
        weights = (_array(given.recurrent), _array(given.inputs))
        self._tables: list[Weights] = [layout.table(w) for layout, w in zip(steps.layouts, weights, strict=True)]
        self._events = self._listed(_array(given.spikes))
        self._current = self._nothing() if given.current is None else _array(given.current)
        length = self._n_steps if steps.checkpoint_steps is None else steps.checkpoint_steps
        self._spans = [(t, min(t + length, self._n_steps)) for t in range(0, self._n_steps, length)]
        self._kept: list[BatchState] = []
        self._record: Tape | None = None

    def forward(self) -> tuple[Any, ...]:
        given, shape = self._given, (self._n_steps, self._n_samples, self._n)
        v, refractory, adaptation = (
            np.ascontiguousarray(_array(x)) for x in (given.v, self._steps.refractory, given.adaptation)
        )
        window = self._joined(given.exc, given.inh, given.pending_exc, given.pending_inh)
        frame, out = BatchState(v, refractory, adaptation, window), np.empty(shape, self._dtype)
        for span in self._spans:
            if self.is_recorded:
                self._kept.append(frame)
            keeps = self.is_recorded and len(self._spans) == 1
            record = self._new_record(self._n_steps if keeps else 0)
            frame = self._advance(frame, out, record, span)
            self._record = record if keeps else None
        self._end = frame
        exc, inh, pending_exc, pending_inh = self._apart(frame.window)
        left = (out, frame.v, exc, inh, frame.adaptation, pending_exc, pending_inh)
        return tuple(None if part is None else torch.from_numpy(part) for part in left)

    def refractory(self) -> Tensor:
        """Steps to be held still after the last one."""
        return torch.from_numpy(self._end.refractory)

    def backward(self, by: tuple[Tensor | None, ...]) -> list[Any]:
        """Gradients by what was given, from those by what came out."""
        n_chunks = -(-self._n_samples // LANES)
        carry, gradients = self._carry(n_chunks, by), self._gradients(n_chunks)
        seen = self._seen(by[0])
        for span, frame in zip(reversed(self._spans), reversed(self._kept), strict=True):
            record = self._record
            if record is None:
                record = self._new_record(span[1] - span[0])
                self._advance(frame, self._nothing(), record, span)
            arguments = (
                self._neurons, self._rule, *self._tables, self._events, self._current, record, seen, carry, gradients,
                span,
            )  # fmt: skip
            self._spread(partial(_bind(run_backward, (*arguments, 0)), *arguments), range(n_chunks))
        return self._told(carry, gradients)

    # -- forwards ------------------------------------------------------------------------------------------------------

    def _constants(self) -> tuple[NeuronConstants, NetworkKind]:
        steps, zeros = self._steps, np.zeros(self._n, self._dtype)
        columns = [*self._given.coefficients, *steps.fixed, steps.n_ref]
        neurons = NeuronConstants._make(zeros if c is None else np.ascontiguousarray(_array(c)) for c in columns)
        surrogate, number = steps.surrogate, self._dtype.type
        assert surrogate.slope is not None
        is_atan = surrogate.kind == "atan"
        slope = math.pi / 2 * surrogate.slope if is_atan else surrogate.slope
        rule = NetworkKind(
            is_exp=steps.is_exp, subtracts=steps.subtracts, adapts=steps.adapts,
            holds=bool(neurons.n_ref.any() or _array(steps.refractory).any()), n_rows=self._n_rows, is_atan=is_atan,
            slope=number(slope), height=number(surrogate.height), zero=number(0), one=number(1),
        )  # fmt: skip
        return neurons, rule

    def _listed(self, spikes: Array) -> InputEvents:
        rows = np.ascontiguousarray(spikes).reshape(-1, spikes.shape[2])
        counts = np.zeros(len(rows), np.int64)
        pieces = [(first, min(first + _ROWS, len(rows))) for first in range(0, len(rows), _ROWS)]
        count = _bind(count_events, (rows, counts, 0, 0))
        are_ones = all(self._spread(lambda piece: count(rows, counts, *piece), pieces))
        ptr = np.concatenate([[0], np.cumsum(counts)])
        n = int(ptr[-1])
        events = InputEvents(ptr, np.empty(n, np.uint32), np.empty(0 if are_ones else n, self._dtype))
        write = _bind(list_events, (rows, events, 0, 0))
        self._spread(lambda piece: write(rows, events, *piece), pieces)
        return events

    def _new_record(self, n_steps: int) -> Tape:
        def room(is_needed: bool, width: int, dtype: Any) -> Array:
            return np.empty((n_steps, self._n_samples, width) if is_needed and n_steps else (0, 0, 0), dtype)

        asked = {name for name, is_asked in zip(_TRAINED, self._wanted.coefficients, strict=True) if is_asked}
        return Tape(
            v=room(True, self._n, self._dtype),
            held=room(self._rule.holds, -(-self._n // 8), np.uint8),
            adaptation=room(self._rule.adapts, self._n, self._dtype),
            currents=room(self._rule.is_exp and bool(asked & _CURRENTS), 2 * self._n, self._dtype),
        )

    def _advance(self, start: BatchState, out: Array, record: Tape, span: tuple[int, int]) -> BatchState:
        end = BatchState(*(np.empty_like(part) for part in start))
        arguments = (
            self._neurons, self._rule, *self._tables, self._events, self._current, start, end, out, record, span,
        )  # fmt: skip
        size = max(1, self._n_samples // (4 * self._n_threads))
        pieces = [(first, min(first + size, self._n_samples)) for first in range(0, self._n_samples, size)]
        kernel = _bind(run_forward, (*arguments, (0, 0)))
        self._spread(lambda piece: kernel(*arguments, piece), pieces)
        return end

    def _spread(self, work: Callable[[Any], Any], pieces: Iterable[Any]) -> list[Any]:
        """`work` on all pieces, by the threads that torch has; kernels let go of the interpreter."""
        pieces = list(pieces)
        if self._n_threads == 1 or len(pieces) == 1:
            return [work(piece) for piece in pieces]
        with ThreadPoolExecutor(min(self._n_threads, len(pieces))) as pool:
            return list(pool.map(work, pieces))

    # -- backwards -----------------------------------------------------------------------------------------------------

    def _seen(self, by_spikes: Tensor | None) -> Array:
        if by_spikes is None:
            return np.zeros((1, self._n_samples, self._n), self._dtype)
        if by_spikes.stride(0) == 0:  # as of a mean over time: one for all steps
            by_spikes = by_spikes[:1]
        return np.ascontiguousarray(_array(by_spikes))

    def _carry(self, n_chunks: int, by: tuple[Tensor | None, ...]) -> Carry:
        _, v, exc, inh, adaptation, pending_exc, pending_inh = by[:7]
        window = self._joined(exc, inh, pending_exc, pending_inh)

        def in_chunks(values: Array | None, width: int) -> Array:
            whole = np.zeros((n_chunks * LANES, width), self._dtype)
            if values is not None:
                whole[: self._n_samples] = values
            return whole.reshape(n_chunks, LANES, width)

        v_, adaptation_ = (None if part is None else _array(part) for part in (v, adaptation))
        return Carry(
            in_chunks(v_, self._n), in_chunks(None, self._n), in_chunks(adaptation_, self._n),
            in_chunks(window, window.shape[1]),
        )  # fmt: skip

    def _gradients(self, n_chunks: int) -> Gradients:
        wanted, given = self._wanted, self._given

        def room(is_wanted: Any, *shape: int) -> Array:
            return np.zeros(shape if is_wanted else (0,) * len(shape), self._dtype)

        recurrent, inputs = (table.weight.size for table in self._tables)
        shape = (self._n_steps, self._n_samples)
        return Gradients(
            wanted=np.array(wanted.coefficients, np.bool_),
            coefficients=room(True, n_chunks, len(_TRAINED), self._n),
            recurrent=room(wanted.recurrent, n_chunks, recurrent),
            inputs=room(wanted.inputs, n_chunks, inputs),
            spikes=room(wanted.spikes, *shape, given.spikes.shape[2]),
            current=room(wanted.current, *shape, self._n),
        )

    def _told(self, carry: Carry, gradients: Gradients) -> list[Any]:
        """In the order of what was given; sums over the chunks are taken in their order."""
        given, wanted = self._given, self._wanted
        v, free, adaptation, window = (part.reshape(-1, part.shape[2])[: self._n_samples] for part in carry)
        exc, inh, pending_exc, pending_inh = self._apart(window)
        weights: list[Array | None] = []
        for name, layout in zip(("recurrent", "inputs"), self._steps.layouts, strict=True):
            is_wanted, summed = getattr(wanted, name), getattr(gradients, name).sum(axis=0)
            weights.append(layout.by_synapse(summed, _array(getattr(given, name))) if is_wanted else None)
        coefficients = gradients.coefficients.sum(axis=0)
        with np.errstate(invalid="ignore", over="ignore"):  # gradients that are not finite are for the optimiser to see
            coefficients[ALPHA] += (free * (_array(given.v) - self._neurons.v_rest)).sum(axis=0)
        found = [
            *weights, gradients.spikes, gradients.current, v, exc, inh, adaptation, pending_exc, pending_inh,
            *coefficients,
        ]  # fmt: skip
        asked = [*wanted[:-1], *wanted.coefficients]
        return [torch.from_numpy(np.ascontiguousarray(g)) if a else None for g, a in zip(found, asked, strict=True)]

    # -- windows -------------------------------------------------------------------------------------------------------

    def _joined(
        self, exc: Tensor | None, inh: Tensor | None, pending_exc: Tensor | None, pending_inh: Tensor | None
    ) -> Array:
        """Currents and what is under way as windows (B, n_rows kinds N); zeros for what is None."""
        window = np.zeros((self._n_samples, self._n_rows, self._n_kinds, self._n), self._dtype)
        for kind, (now, coming) in enumerate(((exc, pending_exc), (inh, pending_inh))):
            if now is not None:
                window[:, 0, kind] = _array(now)
            if coming is not None:
                window[:, 1:, kind] = _array(coming).transpose(1, 0, 2)
        return window.reshape(self._n_samples, -1)

    def _apart(self, window: Array) -> tuple[Array, Array | None, Array, Array | None]:
        """exc, inh, pending_exc, pending_inh; no inh with delta synapses."""
        rows = window.reshape(self._n_samples, self._n_rows, self._n_kinds, self._n)
        now = [np.ascontiguousarray(rows[:, 0, kind]) for kind in range(self._n_kinds)]
        coming = [np.ascontiguousarray(rows[:, 1:, kind].transpose(1, 0, 2)) for kind in range(self._n_kinds)]
        return now[0], now[1] if self._n_kinds == 2 else None, coming[0], coming[1] if self._n_kinds == 2 else None

    def _nothing(self) -> Array:
        return np.empty((0, 0, 0), self._dtype)


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().numpy()
    return array
