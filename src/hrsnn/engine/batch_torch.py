"""The batch engine: all samples of a batch at once in dense tensors of torch, bit for bit equal to `reference`.

A step is a call of each part of it, which are kernels: Triton's where the device is CUDA and Triton is there, else
plain torch. Within a chunk of steps nothing waits for the device, but plasticity in plain torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hrsnn._checks import MissingExtraError, extra, require
from hrsnn.engine import batch_layout
from hrsnn.engine.batch_layout import Samples
from hrsnn.engine.coefficients import Coefficients
from hrsnn.engine.job import Job
from hrsnn.engine.record import Record
from hrsnn.engine.reference import Drive, Live, Magnitudes, Trains

# A batch is split so that its tensors stay below this: enough work to fill a large device, room on a small one. It also
# keeps every index below 2**31, so that kernels can compute with 32 bits.
_MEMORY_BYTES = 2 << 30

_STEPS_PER_CHUNK = 64  # steps whose input is sent, and whose spikes are fetched, at a time


def available_device() -> str | None:
    """Return "cuda" if torch is installed and finds such a device, else None."""
    try:
        torch = _torch()
    except MissingExtraError:
        return None
    return "cuda" if torch.cuda.is_available() else None


def run_batch(
    c: Coefficients,
    magnitudes: Magnitudes,
    drives: Sequence[Drive],
    lives: Sequence[Live],
    record: Record,
    factor: Any,
    changes: Sequence[Magnitudes] | None,
    device: str,
) -> list[Trains]:
    """Simulate every sample as `reference.run` does with fixed weights, `lives[i]` being moved to the end of sample i.

    drives   inputs of the samples, all with the same `n_steps`
    lives    states of the samples, in NumPy arrays, changed in place
    factor   that of the filtered trains (`filter_factor`)
    changes  None, or per sample two arrays of zeros, one number per synapse, that receive what STDP would have added to
             `magnitudes`: the sum over steps, one after the other, with fixed weights and without clipping
    device   "cuda" or "cpu"

    Returns the trains in the order of the samples. Raises `MissingExtraError` without torch, `InputError` if there is
    no such device.
    """
    return Engine(c, record, factor, device, learns=changes is not None).run(magnitudes, drives, lives, changes)


class Engine:
    """`run_batch` bound to a network, which is put in order and moved to the device once."""

    def __init__(self, c: Coefficients, record: Record, factor: Any, device: str, *, learns: bool) -> None:
        torch = _torch()
        found = device == "cpu" or (device == "cuda" and torch.cuda.is_available())
        require(found, "run_batch", "device", "must be cpu, or cuda where torch finds such a device", device)
        self._c, self._record, self._device, self._learns = c, record, device, learns
        self._layout = _moved(batch_layout.layout(c, factor, learns=learns), device)

    def run(
        self,
        magnitudes: Magnitudes,
        drives: Sequence[Drive],
        lives: Sequence[Live],
        changes: Sequence[Magnitudes] | None,
    ) -> list[Trains]:
        """See `run_batch`; `changes` are for an engine that `learns`."""
        weights = _moved(batch_layout.weights(self._c, magnitudes, learns=self._learns), self._device)
        kernels = _kernels(self._device)(self._layout, weights)
        n_at_once = self._samples_at_once(drives)
        trains: list[Trains] = []
        # What a step does is little: on a busy machine threads would wait for each other many times longer than work.
        with threadpool_limits(1):
            for first in range(0, len(drives), n_at_once):
                chosen = slice(first, first + n_at_once)
                trains += self._run(
                    kernels, drives[chosen], lives[chosen], None if changes is None else changes[chosen]
                )
        return trains

    def _run(
        self, kernels: Any, drives: Sequence[Drive], lives: Sequence[Live], changes: Sequence[Magnitudes] | None
    ) -> list[Trains]:
        """Run samples that fit into memory together."""
        samples = _moved(batch_layout.samples(self._c, lives, learns=self._learns), self._device)
        trains = _trains_of(self._c, kernels, samples, drives, self._record, self._device)
        end = _fetched(samples)
        batch_layout.write_lives(end, lives, drives[0].n_steps)
        if changes is not None:
            batch_layout.write_changes(end, changes)
        return trains

    def _samples_at_once(self, drives: Sequence[Drive]) -> int:
        n_steps = drives[0].n_steps if drives else 0
        one = batch_layout.bytes_per_sample(self._c, self._record, n_steps, _STEPS_PER_CHUNK, learns=self._learns)
        return max(1, _MEMORY_BYTES // one)


class Static:
    """Runs samples with fixed weights, on a CUDA device where there is one."""

    def __init__(self, job: Job, magnitudes: Magnitudes) -> None:
        self._job, self._magnitudes = job, magnitudes
        self._engine = _engine(job, learns=False)

    def run(self, samples: range) -> None:
        _enter(self._job, self._engine, self._magnitudes, samples, None)


class Frozen:
    """Collects the changes of all samples of a mini-batch at once."""

    def __init__(self, job: Job) -> None:
        self._job, self._engine = job, _engine(job, learns=True)

    def changes(self, magnitudes: Magnitudes, samples: range) -> Iterator[Magnitudes]:
        """One pair of arrays per sample, in order."""
        changes = [(np.zeros_like(magnitudes[0]), np.zeros_like(magnitudes[1])) for _ in samples]
        _enter(self._job, self._engine, magnitudes, samples, changes)
        yield from changes


def _engine(job: Job, *, learns: bool) -> Engine:
    return Engine(job.c, job.record, job.factor, available_device() or "cpu", learns=learns)


def _enter(
    job: Job, engine: Engine, magnitudes: Magnitudes, samples: range, changes: Sequence[Magnitudes] | None
) -> None:
    """Run `samples` and enter what they leave into the results of the job."""
    lives = [job.start(sample) for sample in samples]
    trains = engine.run(magnitudes, [job.drive(sample) for sample in samples], lives, changes)
    for sample, of_sample, live in zip(samples, trains, lives, strict=True):
        job.results.put(sample, of_sample, live)


def _torch() -> Any:
    with extra("torch", "the batch engine", "torch"):
        import torch
    return torch


def _kernels(device: str) -> Any:
    """The class of kernels for a device."""
    if device == "cuda":
        try:
            from hrsnn.engine import triton_kernels
        except ImportError:  # not made for every system that has CUDA
            pass
        else:
            return triton_kernels.Kernels
    from hrsnn.engine import torch_kernels

    return torch_kernels.Kernels


# -- time ------------------------------------------------------------------------------------------------------------


def _trains_of(
    c: Coefficients, kernels: Any, samples: Samples, drives: Sequence[Drive], record: Record, device: str
) -> list[Trains]:
    """Simulate all steps of `samples`, which are moved to the end."""
    torch = _torch()
    n_steps, n_samples, every = drives[0].n_steps, len(drives), record.filtered_every
    counts = torch.zeros((record.n_bins, c.n_neurons, n_samples), dtype=torch.int32, device=device)
    windows = samples.filtered.new_zeros((n_steps // every if every else 0, c.n_neurons, n_samples))
    potentials = samples.v.new_zeros((n_steps // record.v if record.v else 0, c.n_neurons, n_samples))
    events = _merged(drives)
    log: list[NDArray[np.int64]] = []  # rows (step, unit, sample)
    for first in range(0, n_steps, _STEPS_PER_CHUNK):
        steps = range(first, min(first + _STEPS_PER_CHUNK, n_steps))
        raster = _raster(c, events, steps, n_samples, device)
        for t, active in zip(steps, raster, strict=True):
            kernels.advance(samples, active, counts[t * record.n_bins // n_steps], t)
            kernels.deliver(samples, active, t)
            if len(samples.change):
                kernels.learn(samples, active, t)
            if every and (t + 1) % every == 0:
                windows[(t + 1) // every - 1] = samples.filtered
            if record.v and (t + 1) % record.v == 0:
                potentials[(t + 1) // record.v - 1] = samples.v
        if record.spikes:
            log.append(raster[:, : c.n_neurons].nonzero().cpu().numpy() + np.array([first, 0, 0]))
    kept = windows if every else None, potentials if record.v else None
    return _trains(counts, *kept, log if record.spikes else None)


def _merged(drives: Sequence[Drive]) -> NDArray[np.int64]:
    """The input events of all samples as columns (step, unit, sample) sorted by step."""
    sample = np.repeat(np.arange(len(drives)), [drive.step.size for drive in drives])
    step, unit = np.concatenate([drive.step for drive in drives]), np.concatenate([drive.unit for drive in drives])
    events: NDArray[np.int64] = np.stack([step, unit, sample])[:, np.argsort(step, kind="stable")]
    return events


def _raster(c: Coefficients, events: NDArray[np.int64], steps: range, n_samples: int, device: str) -> Any:
    """Which units spike in `steps`, (len(steps), U, B) bool, with the input channels filled in."""
    torch = _torch()
    first, last = np.searchsorted(events[0], [steps.start, steps.stop])
    step, unit, sample = torch.tensor(events[:, first:last], device=device)
    raster = torch.zeros((len(steps), c.n_neurons + c.inputs.n_pre, n_samples), dtype=torch.bool, device=device)
    raster[step - steps.start, unit + c.n_neurons, sample] = True
    return raster


# -- to and from the device ------------------------------------------------------------------------------------------


def _moved(layout: Any, device: str) -> Any:
    """A copy of a dataclass of arrays, and of dataclasses in it, with tensors on the device for arrays."""
    torch = _torch()

    def moved(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return torch.tensor(value, device=device).contiguous()  # kernels compute places of their own
        return _moved(value, device) if is_dataclass(value) else value

    return replace(layout, **{f.name: moved(getattr(layout, f.name)) for f in fields(layout)})


def _fetched(samples: Samples) -> Samples:
    """A copy with arrays of NumPy for what is wanted of tensors."""
    wanted = ("v", "filtered", "refractory", "arrivals", "change")
    return replace(samples, **{name: getattr(samples, name).cpu().numpy() for name in wanted})


def _by_sample(tensor: Any) -> NDArray[Any]:
    """A tensor (..., B) as an array (B, ...)."""
    array: NDArray[Any] = np.ascontiguousarray(np.moveaxis(tensor.cpu().numpy(), -1, 0))
    return array


def _trains(counts: Any, windows: Any, potentials: Any, log: list[NDArray[np.int64]] | None) -> list[Trains]:
    """Trains from counts (n_bins, N, B), windows and potentials (n_windows, N, B), rows (step, unit, sample)."""
    n_samples = counts.shape[-1]
    filtered, v = ([None] * n_samples if kept is None else _by_sample(kept) for kept in (windows, potentials))
    events: Any = [(None, None)] * n_samples
    if log is not None:
        step, unit, sample = np.concatenate([np.empty((0, 3), dtype=np.int64), *log]).T
        by_sample = np.argsort(sample, kind="stable")  # stays sorted by step, then unit
        ends = np.cumsum(np.bincount(sample, minlength=n_samples))[:-1]
        parts = (np.split(column[by_sample].astype(np.int32), ends) for column in (step, unit))
        events = list(zip(*parts, strict=True))
    return [
        Trains(counts=of_sample, filtered=trains, v=potential, step=step, unit=unit)
        for of_sample, trains, potential, (step, unit) in zip(_by_sample(counts), filtered, v, events, strict=True)
    ]
