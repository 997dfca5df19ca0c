"""Exponents of neurons: shares of the spectrum, and the growth of a perturbation of one neuron.

A spectrum is sorted by growth and says nothing of neurons. Both readings here are from method.md 12.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.analysis.lyapunov.activity import activity
from hrsnn.analysis.lyapunov.tangent import ONLY_AT_SPIKES, SURROGATE_GAIN, NetworkTangent
from hrsnn.network import Network
from hrsnn.spikes import Spikes

Matrix = NDArray[np.float64]


def node_exponents(row_exponents: Matrix, n_neurons: int) -> Matrix:
    """The shares of rows added up by neuron, (N,): row i belongs to neuron i modulo N.

    With those of `qr_exponents`: (1 / T dt) sum_t sum_k Q[i, k]^2 ln R_kk, and their sum is that of the exponents.

    >>> node_exponents(np.array([-1.0, -2.0, -10.0, -20.0, -100.0, -200.0]), 2).tolist()
    [-111.0, -222.0]
    """
    total: Matrix = row_exponents.reshape(-1, n_neurons).sum(axis=0)
    return total


@dataclass(frozen=True, slots=True, eq=False)
class LocalExponents:
    """Mean growth rate of a small change of the potential of one neuron over the next `n_horizon_steps`. float64.

    exponents_per_ms       (N,), (1 / H dt) <ln ||J_{t+H-1} ... J_t e_i||> over the times t
    standard_error_per_ms  (N,), standard deviation over the times divided by the root of their number
    start_steps            int64, the times t
    rates_hz               (N,), firing rates in the measured steps
    surrogate_gain         of the spike; 0 where the network is silent and the exponents are those of the leak
    warnings               whole sentences
    """

    exponents_per_ms: Matrix
    standard_error_per_ms: Matrix
    start_steps: NDArray[np.int64]
    rates_hz: Matrix
    n_horizon_steps: int
    surrogate_gain: float
    dt_ms: float
    warnings: tuple[str, ...]


def local_exponents(
    network: Network,
    spikes: Spikes,
    *,
    n_horizon_steps: int = 20,
    n_times: int = 10,
    n_warm_up_steps: int = 100,
    surrogate_gain: float = SURROGATE_GAIN,
    only_at_spikes: bool = ONLY_AT_SPIKES,
    n_threads: int = 1,
) -> LocalExponents:
    """The cheap exponents of neurons: how fast a change of each one alone grows for a short while (method.md 12.1).

    network, spikes   as in `lyapunov_spectrum`
    n_horizon_steps   H, steps that a change is followed
    n_times           changes are made at this many times, evenly spread over the steps after `n_warm_up_steps`, each
                      after the end of the one before
    surrogate_gain, only_at_spikes, n_threads   as in `lyapunov_spectrum`

    Time grows with n_times H times synapses times N. With `only_at_spikes` a change is followed from the first spike of
    its neuron on, along the synapses of neurons that spike, and that is a small share of it.

    Raises `InputError` where numbers do not fit.

    Departs from the printed form, which has H + 1 factors over a time of H steps: here there are H.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4, excitatory={"bias": 1.5}), seed=0)
    >>> spikes = Spikes.empty(1, n_units=4, n_steps=400, dt_ms=1.0)
    >>> local_exponents(network, spikes).exponents_per_ms.shape
    (20,)
    """
    owner = "local_exponents"
    require(n_horizon_steps >= 1, owner, "n_horizon_steps", "must be >= 1", n_horizon_steps)
    require(n_times >= 2, owner, "n_times", "must be >= 2, or there is no error bar", n_times)
    check_surrogate(owner, surrogate_gain, n_threads)
    seen = activity(owner, network, spikes, n_warm_up_steps, n_times * n_horizon_steps)
    n_steps = spikes.n_steps - n_warm_up_steps
    start_steps = n_warm_up_steps + np.arange(n_times, dtype=np.int64) * (n_steps // n_times)
    if seen.is_silent:
        exponents, error = -1 / network.neurons.tau_mem_ms, np.zeros(network.n_neurons)
    else:
        tangent = NetworkTangent(network, spikes, surrogate_gain, n_threads, only_at_spikes=only_at_spikes)
        logs, now = np.empty((n_times, network.n_neurons)), 0
        for row, start in zip(logs, start_steps.tolist(), strict=True):
            tangent.skip(start - now)
            with np.errstate(divide="ignore"):  # what has died out is -inf
                row[:] = np.log(tangent.growth(tangent.linearised(n_horizon_steps)))
            now = start + n_horizon_steps
        rates = logs / (n_horizon_steps * network.dt_ms)
        exponents, error = rates.mean(axis=0), rates.std(axis=0, ddof=1) / np.sqrt(n_times)
    return LocalExponents(
        exponents_per_ms=exponents,
        standard_error_per_ms=error,
        start_steps=start_steps,
        rates_hz=seen.rates_hz,
        n_horizon_steps=n_horizon_steps,
        surrogate_gain=0.0 if seen.is_silent else surrogate_gain,
        dt_ms=network.dt_ms,
        warnings=seen.warnings,
    )


def check_surrogate(owner: str, surrogate_gain: float, n_threads: int) -> None:
    """Raise `InputError` unless the gain is finite and > 0 and there is a thread."""
    ok = np.isfinite(surrogate_gain) and surrogate_gain > 0
    require(ok, owner, "surrogate_gain", "must be > 0 and finite", surrogate_gain)
    require(n_threads >= 1, owner, "n_threads", "must be >= 1", n_threads)
