"""States as the kernels read and write them: currents and arrivals under way in one row, synapses in their places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.engine.coefficients import Coefficients
from hrsnn.engine.cpu import loop, parts
from hrsnn.engine.record import State
from hrsnn.engine.reference import LONG_AGO

Places = tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]  # of recurrent and input synapses


def places(c: Coefficients, *, in_tiles: tuple[bool, bool] = (False, False)) -> Places:
    """Where synapses with short-term dynamics stand in the rows of the kernels; None for a table without."""
    recurrent, inputs = (
        None if table.short_term is None else parts.places(table, in_tiles=tiled)
        for table, tiled in zip((c.recurrent, c.inputs), in_tiles, strict=True)
    )
    return recurrent, inputs


def frame_of(state: State, c: Coefficients, where: Places) -> loop.Frame:
    """A state as the kernels read it: rows of currents, then of arrivals under way."""

    def joined(current: NDArray[Any], pending: NDArray[Any]) -> NDArray[Any]:
        rows = np.zeros((len(current), c.n_pending + 1, parts.stride(c)), c.dtype)
        rows[:, 0, : c.n_neurons], rows[:, 1:, : c.n_neurons] = current, pending
        return rows.reshape(len(current), (c.n_pending + 1) * parts.stride(c))

    adaptation = state.adaptation
    return loop.Frame(
        np.asarray(state.v, c.dtype),
        joined(state.current_exc, state.pending_exc),
        joined(state.current_inh, state.pending_inh),
        np.asarray(state.refractory, np.int32),
        np.asarray(state.filtered, c.dtype),
        None if adaptation is None else np.asarray(adaptation, c.dtype),
        _dynamics(state.recurrent_u, state.recurrent_r, state.recurrent_since, where[0], c.recurrent.mixed),
        _dynamics(state.inputs_u, state.inputs_r, state.inputs_since, where[1], c.inputs.mixed),
    )


def _dynamics(u: Any, r: Any, since: Any, place: Any, mixed: Any) -> loop.Dynamics:
    if place is None:
        return loop.Dynamics(None, None, None)
    n_entries = -(-(int(place.max(initial=-1)) + 1) // parts.LANES) * parts.LANES  # tiles are filled up
    rows = np.zeros((2, len(u), n_entries), u.dtype)
    rows[0][:, place], rows[1][:, place] = u, r
    return loop.Dynamics(rows[0], rows[1], np.repeat(-since.astype(np.int64), 1 if mixed is None else 2, axis=1))


def clamps(start: loop.Frame, c: Coefficients) -> bool:
    """Whether a neuron can be refractory."""
    return bool(c.neurons.n_ref.any() or start.refractory.any())


def write_state(
    frame: loop.Frame, state: State, samples: range, c: Coefficients, where: Places, n_steps: int
) -> None:  # fmt: skip
    """The state that the kernels left for `samples` after `n_steps` steps."""
    rows = slice(samples.start, samples.stop)
    for name in ("v", "refractory", "filtered", "adaptation"):
        if getattr(state, name) is not None:
            getattr(state, name)[rows] = getattr(frame, name)[rows]
    for joined, current, pending in (
        (frame.exc, state.current_exc, state.pending_exc),
        (frame.inh, state.current_inh, state.pending_inh),
    ):
        both = joined[rows].reshape(len(samples), c.n_pending + 1, parts.stride(c))[:, :, : c.n_neurons]
        current[rows], pending[rows] = both[:, 0], both[:, 1:]
    for name, dynamics, place, table in zip(
        ("recurrent", "inputs"), (frame.recurrent, frame.inputs), where, (c.recurrent, c.inputs), strict=True
    ):
        if place is not None:
            getattr(state, f"{name}_u")[rows] = dynamics.u[rows][:, place]
            getattr(state, f"{name}_r")[rows] = dynamics.r[rows][:, place]
            last = dynamics.last[rows][:, :: 1 if table.mixed is None else 2]
            getattr(state, f"{name}_since")[rows] = np.minimum(n_steps - last, LONG_AGO)
