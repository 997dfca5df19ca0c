"""One sample, step by step from Python: what is needed is bound once, and a step is one call of compiled code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.engine.coefficients import Coefficients
from hrsnn.engine.cpu import loop, parts
from hrsnn.engine.cpu.compiled import bind
from hrsnn.engine.cpu.frames import clamps, frame_of, places, write_state
from hrsnn.engine.job import empty_state
from hrsnn.engine.record import State
from hrsnn.engine.reference import Magnitudes


class Stepper:
    """A network with fixed weights in the state `start`, of one sample."""

    def __init__(self, c: Coefficients, magnitudes: Magnitudes, factor: Any, start: State) -> None:
        self._where = places(c)
        self._c, self._start = c, frame_of(start, c, self._where)
        refractory = clamps(self._start, c)
        self._body, self._trains = parts.body(c, refractory), np.zeros(c.n_neurons, c.dtype)
        self._channels = np.zeros(c.inputs.n_pre, np.int64)
        self._arguments = (
            parts.neurons(c, refractory),
            self._body,
            *(parts.rows(c, table, m) for table, m in zip((c.recurrent, c.inputs), magnitudes, strict=True)),
            self._trains,
            factor,
            np.zeros(1, np.int64),
            self._channels,
        )
        self._clock = self._arguments[-2]
        self.restart()
        self._step = self._bound(None)
        self._step_with_current: Callable[..., Any] | None = None

    def _bound(self, current: NDArray[Any] | None) -> Any:
        """The compiled step for this kind of input; the call that compiles is a step, which is taken back."""
        before = [(array, array.copy()) for array in _arrays(self._arguments)]
        compiled = bind(loop.step, (*self._arguments, 0, current)).entry(*self._arguments, 0, current)
        for array, values in before:
            array[...] = values
        return compiled

    def restart(self) -> None:
        """Back to the start."""
        body, start = self._body, self._start
        body.base[0], self._clock[0] = 0, 0
        for column, of_start in (
            (body.v, start.v), (body.exc, start.exc), (body.inh, start.inh), (body.refractory, start.refractory),
            (self._trains, start.filtered), (body.adaptation, start.adaptation),
        ):  # fmt: skip
            if column is not None:
                column[: of_start.shape[1]] = of_start[0]
                column[of_start.shape[1] :] = 0
        for table, of_start in zip(self._arguments[2:4], (start.recurrent, start.inputs), strict=True):
            if table.short_term is not None:
                for name in ("u", "r", "last"):
                    column = getattr(table.short_term, name)
                    column[:] = getattr(of_start, name)[0, : column.size]

    def step(
        self, channels: NDArray[np.integer[Any]], current: NDArray[Any] | None
    ) -> NDArray[np.int32] | None:  # fmt: skip
        """The neurons that spike; None, and no step, if `channels` are not rising channels."""
        n_given = channels.size
        self._channels[:n_given] = channels
        if current is None:
            n_fired = self._step(*self._arguments, n_given, None)
        else:
            if self._step_with_current is None:
                self._step_with_current = self._bound(current)
            n_fired = self._step_with_current(*self._arguments, n_given, current)
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
            adaptation=None if body.adaptation is None else body.adaptation[None],
            recurrent=self._dynamics(2),
            inputs=self._dynamics(3),
        )
        write_state(now, state, range(1), self._c, self._where, int(self._clock[0]))
        return state

    def _dynamics(self, table: int) -> loop.Dynamics:
        dynamics = self._arguments[table].short_term
        if dynamics is None:
            return loop.Dynamics(None, None, None)
        return loop.Dynamics(dynamics.u[None], dynamics.r[None], dynamics.last[None])


def _arrays(value: Any) -> Iterator[NDArray[Any]]:
    """All arrays in named tuples that can be written to."""
    if isinstance(value, np.ndarray):
        if value.flags.writeable:
            yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _arrays(part)
