"""The tangent map of a network along the trajectory that its input drives, with a surrogate for the spike.

One step of the definition (`hrsnn.engine.reference`) with s replaced by its value at the trajectory and the derivative
g(u) = gain / (1 + 10 |u|)^2, u = vp - v_th (MATH.md 2.4, 12.1), gives, for exponential synapses and delays of one step,

    dvp = alpha dv + k_exc dI_exc + k_inh dI_inh
    dv' = (1 - s + (v_reset - vp) g) dvp
    dI' = beta dI + W (g dvp)

Clamped neurons keep dv (in an event-driven picture it stands for the shift of their spike) and have g = 0. Input acts
on the trajectory alone.

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
_WIDTH = 64  # columns per panel: with 1000 neurons what synapses read of a panel stays in the second cache


@dataclass(frozen=True, slots=True)
class Linearised:
    """Some steps of a trajectory, as far as the tangent map depends on them; all (n_steps, N).

    held, held_next   whether a neuron is clamped in this step and in the next
    factor            1 - s + (v_reset - vp) g, and 1 where clamped
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
    in every step in which the neuron does not spike.
    """

    def __init__(
        self, network: Network, spikes: Spikes, surrogate_gain: float, n_threads: int, *, only_at_spikes: bool = False
    ) -> None:
        self._c: Coefficients = coefficients(network, np.float64)
        self._live = stream(network, dtype=np.float64)
        self._state = self._live.state
        self._channels = channels_by_step(spikes)
        self._surrogate_gain, self._n_threads = surrogate_gain, n_threads
        self._only_at_spikes = only_at_spikes
        n = network.n_neurons
        self.n_state = n_state_rows(network)
        self._synapses = _by_target(network, self._c)
        self._n_lags = int(self._synapses[1].max(initial=0)) // n + 1
        self.n_rows = self.n_state + (self._n_lags - 1) * n
        self._scratch = [
            (np.empty((self.n_state, _WIDTH)), np.empty((self._n_lags * n, _WIDTH))) for _ in range(n_threads)
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
            vp = np.where(held, neurons.v_reset, candidate_potential(self._c, self._state))
            fired = self._step()
            gain = np.where(held, 0.0, surrogate(vp - neurons.v_th, self._surrogate_gain))
            if self._only_at_spikes:
                gain[np.isin(np.arange(gain.size), fired, invert=True)] = 0.0
            factor = 1 + (neurons.v_reset - vp) * gain
            factor[fired] -= 1
            steps.held[t], steps.held_next[t] = held, self._state.refractory[0] > 0
            steps.factor[t], steps.gain[t] = factor, gain
        return steps

    def apply(self, steps: Linearised, q: Matrix) -> Matrix:
        """J_n ... J_1 q of these steps, in place where q (n_rows, k) is in Fortran order."""
        from hrsnn.analysis.lyapunov import kernels
        from hrsnn.engine.cpu.compiled import bind

        q = np.asfortranarray(q)
        neurons, columns = self._c.neurons, q.T
        given: tuple[Any, ...]
        if self._c.synapse == "exp":
            function: Any = kernels.carry_exp
            beta = np.concatenate([neurons.beta_exc, neurons.beta_inh])
            given = (neurons.alpha, neurons.k_exc, neurons.k_inh, beta, *self._synapses, steps.held)
        else:
            function = kernels.carry_delta
            given = (neurons.alpha, *self._synapses, steps.held_next)
        given = (*given, steps.factor, steps.gain)
        kernel = bind(function, (columns, *given, *self._scratch[0]))

        def carry(part: int) -> None:
            share = columns[part * len(columns) // self._n_threads : (part + 1) * len(columns) // self._n_threads]
            kernel(share, *given, *self._scratch[part])

        if self._n_threads == 1:
            carry(0)
        else:
            with ThreadPoolExecutor(self._n_threads) as pool:
                list(pool.map(carry, range(self._n_threads)))
        return q

    def _step(self) -> NDArray[np.int32]:
        fired = self._live.step(self._channels[self._live.n_steps])
        self._state = self._live.state
        return fired


def n_state_rows(network: Network) -> int:
    """Length of a tangent vector: v, I_exc and I_inh of every neuron, or the potential alone with delta synapses."""
    return (3 if network.synapse == "exp" else 1) * network.n_neurons


def surrogate(u: Matrix, gain: float) -> Matrix:
    """g(u) = gain / (1 + 10 |u|)^2, the derivative that stands for that of a spike (MATH.md 2.4)."""
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


def _by_target(network: Network, c: Coefficients) -> tuple[NDArray[np.int64], NDArray[np.uint32], Matrix]:
    """Pointer, source and weight of the recurrent synapses by the row that receives, as the kernels want them.

    Rows are the neurons; with exponential synapses N excitatory currents and then N inhibitory ones. Sources are
    (delay - 1) N + pre. Synapses of weight 0 are left out.
    """
    n, table = network.n_neurons, c.recurrent
    pre, weight = table.pre().astype(np.int64), network.recurrent.weight.astype(np.float64)
    target = table.post.astype(np.int64)
    n_targets = n
    if c.synapse == "exp":
        target += n * (table.sign[pre] < 0)
        n_targets = 2 * n
    source = (table.delay.astype(np.int64) - 1) * n + pre
    live = np.flatnonzero(weight)
    order = live[np.lexsort((source[live], target[live]))]
    ptr = np.concatenate([[0], np.cumsum(np.bincount(target[order], minlength=n_targets))]).astype(np.int64)
    return ptr, source[order].astype(np.uint32), weight[order]
