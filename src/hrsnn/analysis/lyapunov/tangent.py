"""The tangent map of a network along the trajectory that its input drives, with a surrogate for the spike.

One step of the definition (`hrsnn.engine.reference`) with s replaced by its value at the trajectory and the derivative
g(u) = gain / (1 + 10 |u|)^2, u = vp - v_th (method.md 2.4, 12.1), gives for exponential synapses and delays of one step

    dvp = alpha dv + k_exc dI_exc + k_inh dI_inh
    dv' = (1 - s + (v_reset - vp) g) dvp
    dI' = beta dI + W (g dvp)

Clamped neurons keep dv (in an event-driven picture it stands for the shift of their spike) and have g = 0. Input acts
on the trajectory alone. A synapse acts on the current of the sign of its weight. Reset by subtraction is
v = vp - s (v_th - v_reset), of which

    dv' = (1 - (v_th - v_reset) g) dvp

Delta synapses need no current: vp of the next step follows from vp of this one, and the tangent vector is dvp,

    dvp' = alpha (1 - s + (v_reset - vp) g) dvp + W (g dvp),

with alpha and W left out where the neuron is clamped in the next step, whose arrivals are lost. Delays of more steps
reach back to g dvp of the steps before; those are rows of the tangent vector behind the others.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.analysis.lyapunov.activity import channels_by_step
from hrsnn.engine import stream
from hrsnn.engine.coefficients import Coefficients, coefficients
from hrsnn.network import Network
from hrsnn.spikes import Spikes

Matrix = NDArray[np.float64]

SURROGATE_SLOPE = 10.0
SURROGATE_GAIN, ONLY_AT_SPIKES = 3.0, True  # the surrogate that ranks networks as the event-driven exponents do
_WIDTH = 64  # columns per panel: with 1000 neurons what synapses read of a panel stays in the second cache
_COLUMNS_AT_A_TIME = 512  # 60 MB with 5000 neurons and exponential synapses


@dataclass(frozen=True, slots=True)
class Linearised:
    """Some steps of a trajectory, as far as the tangent map depends on them; all (n_steps, N).

    held, held_next   whether a neuron is clamped in this step and in the next
    factor            of dvp in dv', and 1 where clamped
    gain              g, and 0 where clamped
    """

    held: NDArray[np.bool_]
    held_next: NDArray[np.bool_]
    factor: Matrix
    gain: Matrix


class NetworkTangent:
    """`network` under one sample of input, and its tangent map; it moves on as it is used.

    `n_state` is the length of a tangent vector without the history of delays, N or 3 N, and `n_rows` with it. Row i
    belongs to neuron i modulo N. For one caller at a time; `n_threads` share the columns. With `only_at_spikes` g is 0
    in every step in which the neuron does not spike, and time grows with the spikes instead of with all synapses.
    """

    def __init__(
        self, network: Network, spikes: Spikes, surrogate_gain: float, n_threads: int, *, only_at_spikes: bool = False
    ) -> None:
        self._c: Coefficients = coefficients(network, np.float64)
        self._live = stream(network, dtype=np.float64)
        self._state = self._live.state
        self._channels = channels_by_step(spikes)
        self._surrogate_gain, self._n_threads = surrogate_gain, n_threads
        self._subtracts = network.reset == "subtract"
        self._only_at_spikes = only_at_spikes
        n = network.n_neurons
        self.n_state = n_state_rows(network)
        source, target, weight = _recurrent(network, self._c)
        self._n_lags = n_lags = int(source.max(initial=0)) // n + 1
        self.n_rows = self.n_state + (n_lags - 1) * n
        if only_at_spikes:
            self._synapses = _in_rows(source, target, weight, n_lags * n)
        else:
            first = self.n_state - 2 * n if self._c.synapse == "exp" else 0  # of the rows that receive
            self._synapses = _in_rows(target - first, source, weight, self.n_state - first)
            self._scratch = [
                (np.empty((self.n_state, _WIDTH)), np.empty((n_lags * n, _WIDTH))) for _ in range(n_threads)
            ]

    def __call__(self, q: Matrix, n: int) -> Matrix:
        """J_n ... J_1 q over the next n steps, in place where q (n_rows, k) is in Fortran order."""
        return self.apply(self.linearised(n), q)

    def skip(self, n: int) -> None:
        """On by n steps."""
        for _ in range(n):
            self._step()

    def linearised(self, n_steps: int) -> Linearised:
        """On by `n_steps`, which come out linearised."""
        neurons, shape = self._c.neurons, (n_steps, self._c.n_neurons)
        steps = Linearised(np.empty(shape, bool), np.empty(shape, bool), np.empty(shape), np.empty(shape))
        for t in range(n_steps):
            held = self._state.refractory[0] > 0
            of_held = self._state.v[0] if self._subtracts else neurons.v_reset
            vp = np.where(held, of_held, candidate_potential(self._c, self._state))
            fired = self._step()
            gain = np.where(held, 0.0, surrogate(vp - neurons.v_th, self._surrogate_gain))
            if self._only_at_spikes:
                gain[np.isin(np.arange(gain.size), fired, invert=True)] = 0.0
            if self._subtracts:
                factor = 1 + (neurons.v_reset - neurons.v_th) * gain
            else:
                factor = 1 + (neurons.v_reset - vp) * gain
                factor[fired] -= 1
            steps.held[t], steps.held_next[t] = held, self._state.refractory[0] > 0
            steps.factor[t], steps.gain[t] = factor, gain
        return steps

    def apply(self, steps: Linearised, q: Matrix) -> Matrix:
        """J_n ... J_1 q of these steps, in place where q (n_rows, k) is in Fortran order."""
        from hrsnn.analysis.lyapunov import kernels

        q = np.asfortranarray(q)
        if self._only_at_spikes:
            past = q[self.n_state :].any(axis=1).reshape(-1, self._c.n_neurons)[::-1]
            net = self._at_spikes(steps, past)
            self._on_threads(kernels.carry_at_spikes, (q.T,), (net,), self._rooms(net))
            return q
        neurons = self._c.neurons
        given: tuple[Any, ...]
        if self._c.synapse == "exp":
            function: Any = kernels.carry_exp
            beta = np.concatenate([neurons.beta_exc, neurons.beta_inh])
            given = (neurons.alpha, neurons.k_exc, neurons.k_inh, beta, *self._synapses, steps.held)
        else:
            function = kernels.carry_delta
            given = (neurons.alpha, *self._synapses, steps.held_next)
        self._on_threads(function, (q.T,), (*given, steps.factor, steps.gain), self._scratch)
        return q

    def growth(self, steps: Linearised) -> Matrix:
        """||J_n ... J_1 e_i|| of these steps for the potential of each neuron i, (N,)."""
        if self._only_at_spikes:
            return self._growth_at_spikes(steps)
        n = self._c.n_neurons
        lengths = np.empty(n)
        for first in range(0, n, _COLUMNS_AT_A_TIME):
            neurons = np.arange(first, min(first + _COLUMNS_AT_A_TIME, n))
            q = np.zeros((self.n_rows, neurons.size), order="F")
            q[neurons, neurons - first] = 1.0
            lengths[neurons] = np.linalg.norm(self.apply(steps, q), axis=0)
        return lengths

    def _growth_at_spikes(self, steps: Linearised) -> Matrix:
        """A change of a neuron stays its own until the neuron spikes; where it does not, a product tells all."""
        from hrsnn.analysis.lyapunov import kernels

        n_steps, n = steps.gain.shape
        net = self._at_spikes(steps, np.zeros((self._n_lags - 1, n), bool))
        lengths: Matrix = np.abs(np.prod(np.where(net.held, 1.0, net.alpha) * net.factor, axis=0))
        spikes = steps.gain != 0
        first_spike = np.where(spikes.any(axis=0), spikes.argmax(axis=0), n_steps)
        # Neurons that spike late share panels, which stay empty for long; each thread gets as many of those.
        starts = np.argsort(first_spike, kind="stable")[: np.count_nonzero(first_spike < n_steps)]
        starts = np.concatenate([starts[part :: self._n_threads] for part in range(self._n_threads)])
        squares = np.empty(starts.size)
        self._on_threads(kernels.grow_at_spikes, (squares, starts), (net,), self._rooms(net))
        lengths[starts] = np.sqrt(squares)
        return lengths

    def _at_spikes(self, steps: Linearised, past: NDArray[np.bool_]) -> Any:
        """`kernels.AtSpikes` of these steps and of the spikes of the `past` (n_lags - 1, N), the oldest step first."""
        from hrsnn.analysis.lyapunov.kernels import AtSpikes

        c = self._c.neurons
        spikes = np.concatenate([past, steps.gain != 0])
        spike_ptr = np.concatenate([[0], np.cumsum(spikes.sum(axis=1))])
        held = steps.held if self._c.synapse == "exp" else steps.held_next
        return AtSpikes(
            c.alpha, c.k_exc, c.k_inh, c.beta_exc, c.beta_inh, self._n_lags, *self._synapses,
            held, steps.factor, steps.gain, spike_ptr, np.flatnonzero(spikes) % spikes.shape[1],
        )  # fmt: skip

    def _rooms(self, net: Any) -> list[tuple[Any, ...]]:
        """Work space of each thread."""
        from hrsnn.analysis.lyapunov.kernels import Room

        n, n_spikes = self._c.n_neurons, net.spiker.size
        shapes: Any = (((self.n_state, _WIDTH), float), ((n_spikes, _WIDTH), float), (n, bool), (n_spikes, bool))
        return [(Room(*(np.empty(*shape) for shape in shapes)),) for _ in range(self._n_threads)]

    def _on_threads(
        self, function: Any, by_column: tuple[Any, ...], given: tuple[Any, ...], scratch: list[tuple[Any, ...]]
    ) -> None:
        """The kernel `function` on shares of the arrays `by_column` that have a row per column of Q."""
        from hrsnn.engine.cpu.compiled import bind

        kernel, n, n_threads = bind(function, (*by_column, *given, *scratch[0])), len(by_column[0]), self._n_threads

        def call(part: int) -> None:
            share = slice(part * n // n_threads, (part + 1) * n // n_threads)
            kernel(*(array[share] for array in by_column), *given, *scratch[part])

        if n_threads == 1:
            call(0)
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                list(pool.map(call, range(n_threads)))

    def _step(self) -> NDArray[np.int32]:
        fired = self._live.step(self._channels[self._live.n_steps])
        self._state = self._live.state
        return fired


def n_state_rows(network: Network) -> int:
    """Length of a tangent vector: v, I_exc and I_inh of every neuron, or the potential alone with delta synapses."""
    return (3 if network.synapse == "exp" else 1) * network.n_neurons


def surrogate(u: Matrix, gain: float) -> Matrix:
    """g(u) = gain / (1 + 10 |u|)^2, the derivative that stands for that of a spike (method.md 2.4)."""
    g: Matrix = gain / (1 + SURROGATE_SLOPE * np.abs(u)) ** 2
    return g


def candidate_potential(c: Coefficients, state: Any) -> Matrix:
    """The potential before clamp, threshold and reset in the step that follows `state`, bit for bit the engines'."""
    n, exc = c.neurons, state.current_exc[0]
    v = n.v_rest + n.alpha * (state.v[0] - n.v_rest)
    vp: Matrix
    if c.synapse == "exp":
        vp = v + n.k_exc * exc + n.k_inh * state.current_inh[0] + n.drive
    else:
        vp = v + exc + n.drive
    return vp


def _recurrent(network: Network, c: Coefficients) -> tuple[NDArray[np.int64], NDArray[np.int64], Matrix]:
    """Source, target and weight of the recurrent synapses, those of weight 0 left out.

    Sources are N (delay - 1) + pre. Targets are the rows of the tangent vector that receive: neurons, or with
    exponential synapses their excitatory and inhibitory currents.
    """
    n, table = network.n_neurons, c.recurrent
    pre, target = table.pre().astype(np.int64), table.post.astype(np.int64)
    if c.synapse == "exp":
        target += np.where(table.signs() < 0, 2 * n, n)
    source = (table.delay.astype(np.int64) - 1) * n + pre
    live = np.flatnonzero(network.recurrent.weight)
    return source[live], target[live], network.recurrent.weight[live].astype(np.float64)


def _in_rows(
    row: NDArray[np.int64], column: NDArray[np.int64], weight: Matrix, n_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32], Matrix]:
    """Pointer, column and weight, by row and then by column."""
    order = np.lexsort((column, row))
    ptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n_rows))]).astype(np.int64)
    return ptr, column[order].astype(np.uint32), weight[order]
