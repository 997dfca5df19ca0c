"""A network that is fed step by step, for sensors that never end; made by `hrsnn.stream`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import as_array, check_column, require
from hrsnn.engine.coefficients import Coefficients
from hrsnn.engine.engines import Stepper
from hrsnn.engine.inputs import checked_current
from hrsnn.engine.record import State

_RULE, _REMEDY = "must be indices of channels", "np.flatnonzero makes them of a mask or a frame"


class Stream:
    """One sample of a network with fixed weights, as long as wanted, in constant memory.

    Spikes and state are those of `simulate`, bit for bit. Not for several threads at once.

    >>> import hrsnn
    >>> network = hrsnn.build(hrsnn.NetworkSpec(n_neurons=20, n_inputs=4), seed=0)
    >>> stream = hrsnn.stream(network, backend="reference")
    >>> for channels in ([0, 3], [], [2]):
    ...     fired = stream.step(channels)
    >>> fired.dtype, stream.n_steps, stream.filtered.shape
    (dtype('int32'), 3, (20,))
    """

    __slots__ = ("_c", "_engine", "_first_outputs", "_n_inputs", "_n_steps", "_outputs")

    def __init__(self, engine: Stepper, c: Coefficients, outputs: NDArray[Any] | None) -> None:
        self._engine, self._c, self._n_inputs, self._n_steps = engine, c, c.inputs.n_pre, 0
        self._first_outputs = outputs
        self._outputs = None if outputs is None else outputs[0].copy()

    def step(self, channels: ArrayLike, *, current: ArrayLike | None = None) -> NDArray[np.int32]:
        """Go on by one step of time, `network.dt_ms`; the neurons that spike in it, rising, a new array.

        channels  indices of the input channels that spike in this step; in any order, those given twice count once
        current   analogue input of this step, (N,), as in `simulate`; None is none

        Raises `InputError`, and makes no step, unless these are whole numbers, 0 <= channel < n_inputs; and for what
        can only be a frame: as many zeros and ones as there are channels.
        """
        given = channels if type(channels) is np.ndarray else as_array("Stream.step", "channels", channels)
        if given.dtype.kind not in "iu" or given.ndim != 1 or given.size > self._n_inputs:
            given = self._rising(given)
        analogue = checked_current("Stream.step", current, (self._c.n_neurons,), self._c)
        fired = self._engine.step(given, analogue)
        if fired is None:  # looked for by the engine, since looking here would take longer than the step
            fired = self._engine.step(self._rising(given), analogue)
            assert fired is not None
        self._n_steps += 1
        if self._outputs is not None and self._c.outputs is not None:
            self._c.outputs.run(self._outputs, np.zeros_like(fired), fired, 1, 1)
        return fired

    def _rising(self, channels: NDArray[Any]) -> NDArray[np.integer[Any]]:
        may_be = channels.dtype.kind in "iuf" and channels.ndim == 1 and channels.size == self._n_inputs > 2
        is_frame = may_be and bool(((channels == 0) | (channels == 1)).all())
        require(not is_frame, "Stream.step", "channels", _RULE, "a frame of zeros and ones", remedy=_REMEDY)
        if channels.dtype.kind in "iu" and channels.ndim == 1:
            rising = np.unique(channels)
            if rising[0] >= 0 and rising[-1] < self._n_inputs:
                return rising
        return np.unique(self._checked(channels))

    def _checked(self, channels: NDArray[Any]) -> NDArray[np.int64]:
        require(channels.dtype != np.bool_, "Stream.step", "channels", _RULE, "a mask", remedy=_REMEDY)
        return check_column(
            "Stream.step", "channels", channels, dtype=np.int64, at_least=0, at_most=self._n_inputs - 1
        )  # fmt: skip

    @property
    def n_steps(self) -> int:
        """Steps since the start or the last `reset`."""
        return self._n_steps

    @property
    def filtered(self) -> NDArray[Any]:
        """The filtered spike trains after the last step (`Record.filtered_every`), shape (N,), a copy."""
        return self._engine.filtered()

    @property
    def outputs(self) -> NDArray[Any] | None:
        """The potentials of the output units after the last step, (n_outputs,), a copy; None without any."""
        return None if self._outputs is None else self._outputs.copy()

    @property
    def state(self) -> State:
        """All there is to go on from, a copy: a `State` of one sample for `simulate(..., state=)` or another stream."""
        state = self._engine.state()
        if self._outputs is not None and state.outputs is not None:
            state.outputs[0] = self._outputs
        return state

    def reset(self) -> None:
        """Back to where the stream started."""
        self._engine.restart()
        self._n_steps = 0
        self._outputs = None if self._first_outputs is None else self._first_outputs[0].copy()
