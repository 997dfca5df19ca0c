"""The engines behind `simulate` and `simulate_stdp`, each in three roles.

static    runs samples with fixed weights
plastic   runs samples one after the other while weights change
frozen    collects the changes that samples make under weights that stay: mini-batches

and, behind `stream`, a stepper: one sample with fixed weights, step by step.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import among, require
from hrsnn.engine import reference
from hrsnn.engine.coefficients import Coefficients
from hrsnn.engine.job import Job, live_of
from hrsnn.engine.record import Record, State
from hrsnn.engine.reference import Drive, Magnitudes

Backend = Literal["auto", "cpu", "reference", "torch"]


class Static(Protocol):
    def run(self, samples: range) -> None: ...


class Plastic(Protocol):
    def run(self, samples: range) -> None: ...

    @property
    def magnitudes(self) -> Magnitudes: ...

    def normaliser(self) -> Callable[[], None]: ...


class Frozen(Protocol):
    def changes(self, magnitudes: Magnitudes, samples: range) -> Iterator[Magnitudes]: ...


class Stepper(Protocol):
    """`step` gives the neurons that spike; None, and no step, if `channels` are not rising channels."""

    def restart(self) -> None: ...

    def step(self, channels: NDArray[np.integer[Any]], current: NDArray[Any] | None) -> NDArray[np.int32] | None: ...

    def filtered(self) -> NDArray[Any]: ...

    def state(self) -> State: ...


def static(owner: str, backend: Backend, job: Job, magnitudes: Magnitudes, n_threads: int) -> Static:
    match _chosen(owner, backend):
        case "cpu":
            from hrsnn.engine import cpu

            return cpu.Static(job, magnitudes, n_threads)
        case "torch":
            from hrsnn.engine import batch_torch

            _check_batch(owner, job)
            return batch_torch.Static(job, magnitudes)
        case _:
            return _Reference(job, magnitudes, plastic=False)


def plastic(owner: str, backend: Backend, job: Job, magnitudes: Magnitudes) -> Plastic:
    chosen = _chosen(owner, backend)
    rule, remedy = "must not be torch without batch_size", "samples one after the other are for the other engines"
    require(chosen != "torch", owner, "backend", rule, backend, remedy=remedy)
    if chosen == "cpu":
        from hrsnn.engine import cpu

        return cpu.Plastic(job, magnitudes)
    return _Reference(job, magnitudes, plastic=True)


def frozen(owner: str, backend: Backend, job: Job, magnitudes: Magnitudes, n_threads: int) -> Frozen:
    match _chosen(owner, backend):
        case "cpu":
            from hrsnn.engine import cpu

            return cpu.Frozen(job, magnitudes, n_threads)
        case "torch":
            from hrsnn.engine import batch_torch

            _check_batch(owner, job)
            return batch_torch.Frozen(job)
        case _:
            return _Reference(job, magnitudes, plastic=True)


def stepper(
    owner: str, backend: Backend, c: Coefficients, magnitudes: Magnitudes, factor: Any, start: State
) -> Stepper:  # fmt: skip
    chosen = _chosen(owner, backend)
    rule, remedy = "must not be torch", "one sample step by step is for the other engines"
    require(chosen != "torch", owner, "backend", rule, backend, remedy=remedy)
    if chosen == "cpu":
        from hrsnn.engine.cpu.stepper import Stepper

        return Stepper(c, magnitudes, factor, start)
    return _ReferenceStepper(c, magnitudes, factor, start)


def _check_batch(owner: str, job: Job) -> None:
    """What the batch engine does not have is told by name."""
    c = job.c
    found = {
        "reset by subtraction": c.subtracts,
        "adaptive thresholds": c.neurons.adapt is not None,
        "short-term dynamics": c.recurrent.short_term is not None or c.inputs.short_term is not None,
        "analogue input": job.current is not None,
    }
    names = ", ".join(name for name, is_there in found.items() if is_there)
    rule, remedy = f"must not be torch with {names}", 'they are for the others, backend="cpu" or "reference"'
    require(not names, owner, "backend", rule, "torch", remedy=remedy)


_warned_about_numba = False


def _chosen(owner: str, backend: str) -> str:
    """The engine to use: "cpu", "reference" or "torch"."""
    known = ("auto", "cpu", "reference", "torch")
    require(among(backend, known), owner, "backend", "must be auto, cpu, reference or torch", backend)
    if backend != "auto":
        return backend
    try:
        import numba  # noqa: F401
    except ImportError as why:
        global _warned_about_numba
        if not _warned_about_numba:
            _warned_about_numba = True
            message = f"numba cannot be imported ({why}); using the slow reference engine, which gives the same numbers"
            warnings.warn(message, RuntimeWarning, stacklevel=4)
        return "reference"
    return "cpu"


class _Reference:
    """The definition, in all three roles."""

    def __init__(self, job: Job, magnitudes: Magnitudes, *, plastic: bool) -> None:
        self._job, self._plastic = job, plastic
        self.magnitudes = magnitudes[0].copy(), magnitudes[1].copy()

    def run(self, samples: range) -> None:
        for sample in samples:
            self._run(sample, self.magnitudes, None)

    def changes(self, magnitudes: Magnitudes, samples: range) -> Iterator[Magnitudes]:
        for sample in samples:
            changes = np.zeros_like(magnitudes[0]), np.zeros_like(magnitudes[1])
            self._run(sample, magnitudes, changes)
            yield changes

    def _run(self, sample: int, magnitudes: Magnitudes, changes: Magnitudes | None) -> None:
        job = self._job
        live = job.start(sample)
        trains = reference.run(
            job.c, magnitudes, job.drive(sample), live, job.record, job.factor, self._plastic, changes
        )  # fmt: skip
        job.results.put(sample, trains, live)

    def normaliser(self) -> Callable[[], None]:
        return normaliser(self._job.c, self.magnitudes)


class _ReferenceStepper:
    """Every step is a sample of one step that goes on from the one before."""

    _record = Record(spikes=True)

    def __init__(self, c: Coefficients, magnitudes: Magnitudes, factor: Any, start: State) -> None:
        self._c, self._magnitudes, self._factor, self._start = c, magnitudes, factor, start
        self.restart()

    def restart(self) -> None:
        self._live = live_of(self._start, 0, self._c)

    def step(
        self, channels: NDArray[np.integer[Any]], current: NDArray[Any] | None
    ) -> NDArray[np.int32] | None:  # fmt: skip
        unit = channels.astype(np.int64)
        if (np.diff(unit, prepend=-1, append=self._c.inputs.n_pre) <= 0).any():
            return None
        analogue = None if current is None else current[None]
        drive = Drive(np.zeros(unit.size, np.int32), unit.astype(np.int32), 1, analogue)
        return reference.run(
            self._c, self._magnitudes, drive, self._live, self._record, self._factor, plastic=False
        ).unit  # fmt: skip

    def filtered(self) -> NDArray[Any]:
        filtered: NDArray[Any] = self._live.filtered.copy()
        return filtered

    def state(self) -> State:
        columns = {f.name: column for f in fields(State) if (column := getattr(self._live, f.name)) is not None}
        return State(**{name: column[None].copy() for name, column in columns.items()})


def normaliser(c: Coefficients, magnitudes: Magnitudes) -> Callable[[], None]:
    """A function that scales incoming excitatory recurrent and input magnitudes back to their sums of now, in place."""
    parts = []
    for table, m in zip((c.recurrent, c.inputs), magnitudes, strict=True):
        chosen = np.flatnonzero(table.signs() > 0)
        post, w_max = table.post[chosen], table.w_max[chosen]
        parts.append((m, chosen, post, w_max, reference.incoming(m[chosen], post, c.n_neurons)))

    def normalise() -> None:
        for m, chosen, post, w_max, first in parts:
            m[chosen] = reference.normalised(m[chosen], post, first, w_max)

    return normalise
