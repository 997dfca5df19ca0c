"""States as the kernels read and write them: currents and arrivals under way in one row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.engine.coefficients import Coefficients
from hrsnn.engine.cpu import loop, parts
from hrsnn.engine.record import State


def frame_of(state: State, c: Coefficients) -> loop.Frame:
    """A state as the kernels read it: rows of currents, then of arrivals under way."""

    def joined(current: NDArray[Any], pending: NDArray[Any]) -> NDArray[Any]:
        rows = np.zeros((len(current), c.n_pending + 1, parts.stride(c)), c.dtype)
        rows[:, 0, : c.n_neurons], rows[:, 1:, : c.n_neurons] = current, pending
        return rows.reshape(len(current), (c.n_pending + 1) * parts.stride(c))

    return loop.Frame(
        np.asarray(state.v, c.dtype),
        joined(state.current_exc, state.pending_exc),
        joined(state.current_inh, state.pending_inh),
        np.asarray(state.refractory, np.int32),
        np.asarray(state.filtered, c.dtype),
    )


def clamps(start: loop.Frame, c: Coefficients) -> bool:
    """Whether a neuron can be refractory."""
    return bool(c.neurons.n_ref.any() or start.refractory.any())


def write_state(frame: loop.Frame, state: State, samples: range, c: Coefficients) -> None:
    """The state that the kernels left for `samples`."""
    rows = slice(samples.start, samples.stop)
    for name in ("v", "refractory", "filtered"):
        getattr(state, name)[rows] = getattr(frame, name)[rows]
    for joined, current, pending in (
        (frame.exc, state.current_exc, state.pending_exc),
        (frame.inh, state.current_inh, state.pending_inh),
    ):
        both = joined[rows].reshape(len(samples), c.n_pending + 1, parts.stride(c))[:, :, : c.n_neurons]
        current[rows], pending[rows] = both[:, 0], both[:, 1:]
