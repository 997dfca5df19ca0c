"""The fast engine: event-driven kernels compiled by numba, bit for bit equal to `reference`.

Neurons are advanced in vectors; synapses are touched only when their presynaptic unit spikes. Nothing is allocated in
the loop over time. No fast-math, no fused multiply-add: the operations and their order are those of the reference.

    parts       what the kernels are given, made from `Coefficients`
    neurons     one step of all neurons
    arrivals    currents, delays, delivery along fixed synapses
    short_term  what spikes use and leave of dynamic synapses, and the rows of units of mixed signs
    decay       decay over whole steps
    plasticity  STDP by deferred rows
    normalise   normalisation after a sample
    loop        samples and time
    frames      states, as the kernels read and write them
    stepper     one sample, step by step, from Python
    compiled    specialisation and cache
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hrsnn.engine.coefficients import Coefficients, SynapseCoefficients
from hrsnn.engine.cpu import loop, normalise, parts
from hrsnn.engine.cpu.compiled import bind
from hrsnn.engine.cpu.frames import clamps, frame_of, places, write_state
from hrsnn.engine.job import Job, empty_state, initial_state
from hrsnn.engine.reference import Magnitudes

_Work = TypeVar("_Work")
_Done = TypeVar("_Done")

_LOG_CHUNK = 1 << 16  # spikes logged between two returns to Python
_SAMPLES = 32  # samples between two returns to Python, where an interrupt is heard


class Static:
    """Runs samples with fixed weights on several threads."""

    def __init__(self, job: Job, magnitudes: Magnitudes, n_threads: int) -> None:
        self._job, self._n_threads, self._frames = job, n_threads, _Frames(job)
        self._fixed = [parts.rows(job.c, table, m) for table, m in zip(_tables(job.c), magnitudes, strict=True)]

    def run(self, samples: range) -> None:
        size = max(1, min(_SAMPLES, len(samples) // (4 * self._n_threads)))
        chunks = [samples[first : first + size] for first in range(0, len(samples), size)]
        loops = [
            _Loop(self._job, self._frames, [parts.with_own_state(rows) for rows in self._fixed])
            for _ in range(self._n_threads)
        ]
        for _ in _spread(loops, chunks):
            pass


class Plastic:
    """Runs samples one after the other while STDP changes the weights; tables it cannot change are run as fixed ones.

    With `frozen` weights stay, and the changes that a sample would have made are collected.
    """

    def __init__(self, job: Job, magnitudes: Magnitudes, *, frozen: bool = False) -> None:
        c = job.c
        self._magnitudes = magnitudes
        self._learns = [parts.is_plastic(table) for table in _tables(c)]
        shared = [parts.shares_traces(t) for t, learns in zip(_tables(c), self._learns, strict=True) if learns]
        fixed, self._plastic = [], []
        for table, m, learns in zip(_tables(c), magnitudes, self._learns, strict=True):
            none = parts.without_synapses(table)
            rows = parts.rows(c, none, m[:0]) if learns else parts.rows(c, table, m)
            # A copy can be written to, whatever it was made from; numba would compile for either kind of array.
            fixed.append(rows._replace(ptr=rows.ptr.copy()))
            of_kind = parts.shares_traces(table) if learns else all(shared)  # no kernel for a kind that does not occur
            here, there = (table, m) if learns else (none, m[:0])
            self._plastic.append(parts.PlasticTable(c, here, there, shared_traces=of_kind, frozen=frozen))
        learning = parts.learning(c, _tables(c), frozen=frozen)
        frames = _Frames(job, (self._learns[0], self._learns[1]))
        self.run = _Loop(job, frames, fixed, (*(plastic.tiles for plastic in self._plastic), learning))

    @property
    def magnitudes(self) -> Magnitudes:
        """The weights of now, as new arrays."""
        return self._of_tables(0, self._magnitudes)

    def changes(self, magnitudes: Magnitudes, sample: int) -> Magnitudes:
        """The changes that a sample makes under `magnitudes` (`frozen`)."""
        for plastic, m, learns in zip(self._plastic, magnitudes, self._learns, strict=True):
            if learns:
                plastic[0] = m
        self.run(range(sample, sample + 1))
        return self._of_tables(-1, (np.zeros_like(magnitudes[0]), np.zeros_like(magnitudes[1])))

    def _of_tables(self, field: int, otherwise: Magnitudes) -> Magnitudes:
        """A field of both tables; `otherwise` for those that are fixed."""
        recurrent, inputs = (
            plastic[field] if learns else m.copy()
            for plastic, m, learns in zip(self._plastic, otherwise, self._learns, strict=True)
        )
        return recurrent, inputs

    def normaliser(self) -> Normaliser:
        return Normaliser([p.tiles for p, learns in zip(self._plastic, self._learns, strict=True) if learns])


class Normaliser:
    """Scales incoming excitatory magnitudes back to their sums at the time it was made, in place."""

    def __init__(self, tables: list[parts.Tiles]) -> None:
        self._parts = []
        for tiles in tables:
            n = int(tiles.post.max(initial=0)) + 1
            first, sums = np.zeros(n), np.zeros(n)
            bind(normalise.incoming, (tiles, first))(tiles, first)
            self._parts.append((bind(normalise.normalise, (tiles, first, sums)), (tiles, first, sums)))

    def __call__(self) -> None:
        for kernel, arguments in self._parts:
            kernel(*arguments)


class Frozen:
    """Collects the changes of single samples, on several threads (mini-batches)."""

    def __init__(self, job: Job, magnitudes: Magnitudes, n_threads: int) -> None:
        self._engines = [Plastic(job, magnitudes, frozen=True) for _ in range(n_threads)]

    def changes(self, magnitudes: Magnitudes, samples: range) -> Iterator[Magnitudes]:
        """One pair of arrays per sample, in order."""
        return _spread([partial(engine.changes, magnitudes) for engine in self._engines], samples)


def _spread(workers: Sequence[Callable[[_Work], _Done]], work: Iterable[_Work]) -> Iterator[_Done]:
    """What `workers` make of `work`, in its order; each worker in one thread at a time."""
    idle: SimpleQueue[Callable[[_Work], _Done]] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def done(piece: _Work) -> _Done:
        worker = idle.get()
        try:
            return worker(piece)
        finally:
            idle.put(worker)

    if len(workers) == 1:
        yield from map(done, work)
    else:
        with ThreadPoolExecutor(len(workers)) as pool:
            yield from pool.map(done, work)


# -- the loop, from Python -------------------------------------------------------------------------------------------


class _Frames:
    """Where samples start and what they leave, as the kernels read and write it; shared by threads."""

    def __init__(self, job: Job, in_tiles: tuple[bool, bool] = (False, False)) -> None:
        c, state = job.c, job.results.state
        self.where = places(c, in_tiles=in_tiles)
        self.start = frame_of(initial_state(c) if job.state is None else job.state, c, self.where)
        self.end = frame_of(empty_state(0, c) if state is None else state, c, self.where)
        self.refractory = clamps(self.start, c)


class _Loop:
    """The compiled loop over samples and time, with a machine of its own: for one thread at a time."""

    def __init__(
        self, job: Job, frames: _Frames, fixed: list[parts.Rows], plastic: tuple[Any, ...] = ()
    ) -> None:  # fmt: skip
        c, spikes, record, results = job.c, job.spikes, job.record, job.results
        self._job, self._frames = job, frames
        self._log = _Log(max(_LOG_CHUNK, c.n_neurons) if record.spikes else 0)
        self._place = loop.Place(*(np.zeros(1, np.int64) for _ in loop.Place._fields))
        filters = record.filtered_every is not None or record.state
        self._arguments = (
            parts.neurons(c, frames.refractory),
            parts.body(c, frames.refractory),
            *fixed,
            frames.start,
            loop.Input(
                spikes.sample_ptr,
                spikes.step,
                spikes.unit,
                spikes.n_steps,
                np.empty(spikes.n_units, np.int32),
                job.current,
            ),
            loop.Output(
                counts=results.counts,
                windows=np.zeros((0, 0, 0), c.dtype) if results.filtered is None else results.filtered,
                every=record.filtered_every or spikes.n_steps + 1,
                trains=np.zeros(c.n_neurons if filters else 0, c.dtype),
                factor=job.factor,
                log_step=self._log.step,
                log_unit=self._log.unit,
                end=frames.end,
                v=results.v,
                v_every=record.v or 1,
            ),
            self._place,
        )
        self._plastic = plastic
        self._kernel = bind(loop.run_plastic if plastic else loop.run_static, (*self._arguments, 0, *plastic))

    def __call__(self, samples: range) -> None:
        place = self._place
        place.sample[0], place.step[0] = samples.start, 0
        while place.sample[0] < samples.stop:
            self._kernel(*self._arguments, samples.stop, *self._plastic)
            self._log.flush(int(place.n_logged[0]))
            place.n_logged[0] = 0
        self._log.hand_over(self._job, samples)
        if self._job.results.state is not None:
            frames, n_steps = self._frames, self._job.spikes.n_steps
            write_state(frames.end, self._job.results.state, samples, self._job.c, frames.where, n_steps)


class _Log:
    """A buffer for spikes that a kernel fills, and what has been taken out of it."""

    def __init__(self, size: int) -> None:
        self.step = np.empty(size, dtype=np.int32)
        self.unit = np.empty(size, dtype=np.int32)
        self._taken: list[NDArray[np.int32]] = []

    def flush(self, n: int) -> None:
        if n:
            self._taken.append(np.stack([self.step[:n], self.unit[:n]]))

    def hand_over(self, job: Job, samples: range) -> None:
        """The spikes of finished samples to the results."""
        if self.step.size:
            events = np.concatenate([np.zeros((2, 0), np.int32), *self._taken], axis=1)
            ends = np.cumsum(job.results.counts[samples.start : samples.stop].sum(axis=(1, 2), dtype=np.int64))
            for sample, (step, unit) in zip(samples, np.split(events, ends[:-1], axis=1), strict=True):
                job.results.events[sample] = (step, unit)
            self._taken.clear()


def _tables(c: Coefficients) -> tuple[SynapseCoefficients, SynapseCoefficients]:
    return c.recurrent, c.inputs
