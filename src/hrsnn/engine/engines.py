"""The engines behind `simulate` and `simulate_stdp`, each in three roles.

static    runs samples with fixed weights
plastic   runs samples one after the other while weights change
frozen    collects the changes that samples make under weights that stay: mini-batches
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import numpy as np

from hrsnn._checks import require
from hrsnn.engine import reference
from hrsnn.engine.coefficients import Coefficients
from hrsnn.engine.job import Job
from hrsnn.engine.reference import Magnitudes

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


def static(owner: str, backend: Backend, job: Job, magnitudes: Magnitudes, n_threads: int) -> Static:
    match _chosen(owner, backend):
        case "cpu":
            from hrsnn.engine import cpu

            return cpu.Static(job, magnitudes, n_threads)
        case "torch":
            from hrsnn.engine import batch_torch

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

            return batch_torch.Frozen(job)
        case _:
            return _Reference(job, magnitudes, plastic=True)


_warned_about_numba = False


def _chosen(owner: str, backend: str) -> str:
    """The engine to use: "cpu", "reference" or "torch"."""
    known = ("auto", "cpu", "reference", "torch")
    require(backend in known, owner, "backend", "must be auto, cpu, reference or torch", backend)
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


def normaliser(c: Coefficients, magnitudes: Magnitudes) -> Callable[[], None]:
    """A function that scales incoming excitatory recurrent and input magnitudes back to their sums of now, in place."""
    excitatory = np.flatnonzero(c.recurrent.sign[c.recurrent.pre()] > 0)
    parts = []
    for table, m, chosen in ((c.recurrent, magnitudes[0], excitatory), (c.inputs, magnitudes[1], slice(None))):
        post, w_max = table.post[chosen], table.w_max[chosen]
        parts.append((m, chosen, post, w_max, reference.incoming(m[chosen], post, c.n_neurons)))

    def normalise() -> None:
        for m, chosen, post, w_max, first in parts:
            m[chosen] = reference.normalised(m[chosen], post, first, w_max)

    return normalise
