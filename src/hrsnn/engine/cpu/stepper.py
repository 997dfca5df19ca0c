"""One sample, step by step from Python: what is needed is bound once, and a step is one call of compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.engine.coefficients import Coefficients
from hrsnn.engine.cpu import loop, parts
from hrsnn.engine.cpu.compiled import bind
from hrsnn.engine.cpu.frames import clamps, frame_of, write_state
from hrsnn.engine.job import empty_state
from hrsnn.engine.record import State
from hrsnn.engine.reference import Magnitudes


class Stepper:
    """A network with fixed weights in the state `start`, of one sample."""

    def __init__(self, c: Coefficients, magnitudes: Magnitudes, factor: Any, start: State) -> None:
        self._c, self._start = c, frame_of(start, c)
        refractory = clamps(self._start, c)
        self._body, self._trains = parts.body(c, refractory), np.zeros(c.n_neurons, c.dtype)
        self._channels = np.zeros(c.inputs.n_pre, np.int64)
        self._arguments = (
            parts.neurons(c, refractory),
            self._body,
            *(parts.rows(c, table, m) for table, m in zip((c.recurrent, c.inputs), magnitudes, strict=True)),
            self._trains,
            factor,
            self._channels,
        )
        self.restart()
        self._step = bind(loop.step, (*self._arguments, 0)).entry(*self._arguments, 0)
        self.restart()  # the call that compiled was a step

    def restart(self) -> None:
        """Back to the start."""
        body, start = self._body, self._start
        body.base[0] = 0
        for column, of_start in (
            (body.v, start.v), (body.exc, start.exc), (body.inh, start.inh), (body.refractory, start.refractory),
            (self._trains, start.filtered),
        ):  # fmt: skip
            if column is not None:
                column[: of_start.shape[1]] = of_start[0]
                column[of_start.shape[1] :] = 0

    def step(self, channels: NDArray[np.integer[Any]]) -> NDArray[np.int32] | None:
        """The neurons that spike; None, and no step, if `channels` are not rising channels."""
        n_given = channels.size
        self._channels[:n_given] = channels
        n_fired = self._step(*self._arguments, n_given)
        if n_fired < 0:
            return None
        fired: NDArray[np.int32] = self._body.fired[:n_fired].copy()
        return fired

    def filtered(self) -> NDArray[Any]:
        """The filtered spike trains of now, a copy."""
        return self._trains.copy()

    def state(self) -> State:
        """The state of now, a copy."""
        body, start, state = self._body, self._start, empty_state(1, self._c)

        def row(column: Any, like: NDArray[Any], first: Any = 0) -> NDArray[Any]:
            return np.zeros_like(like) if column is None else column[None, first : first + like.shape[1]]

        base = body.base[0]
        now = loop.Frame(
            v=row(body.v, start.v),
            exc=row(body.exc, start.exc, base),
            inh=row(body.inh, start.inh, base),
            refractory=row(body.refractory, start.refractory),
            filtered=row(self._trains, start.filtered),
        )
        write_state(now, state, range(1), self._c)
        return state
