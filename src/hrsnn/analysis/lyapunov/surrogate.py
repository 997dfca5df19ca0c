"""The Lyapunov spectrum of a spiking network by the QR method with a surrogate Jacobian: (S) of method.md 12.1.

The exponents are conditional on the drive, and they depend on the gain of the surrogate: report it with every number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hrsnn._checks import require
from hrsnn.analysis.lyapunov.activity import Activity, activity
from hrsnn.analysis.lyapunov.nodes import check_surrogate, node_exponents
from hrsnn.analysis.lyapunov.qr import QrExponents, ends_of_batches, qr_exponents
from hrsnn.analysis.lyapunov.tangent import ONLY_AT_SPIKES, SURROGATE_GAIN, NetworkTangent, n_state_rows
from hrsnn.network import Network
from hrsnn.spikes import Spikes

Matrix = NDArray[np.float64]

MAX_CONDITION = 1e10


@dataclass(frozen=True, slots=True, eq=False)
class LyapunovSpectrum:
    """The leading k exponents of a network under one drive, per millisecond. float64.

    exponents_per_ms       (k,), descending
    standard_error_per_ms  (k,), by batch means (see `QrExponents`)
    running_per_ms         (n_batches, k), the estimates after each batch; `batch_ends` (n_batches,) in measured steps
    node_exponents_per_ms  (N,), the shares of the neurons; they add up to the sum of the exponents
    node_weights           (N,), the part that neurons take in the k directions; they add up to k. With all exponents
                           they are 1 (delta) or 3 (exp). With fewer, divide by them to compare neurons: one that has
                           no part in the leading directions has a share of 0
    rates_hz               (N,), firing rates in the measured steps
    conditions, intervals  of every measured factorisation: condition number of R, steps before it
    dimension              of the state: N with delta, 3 N with exponential synapses
    surrogate_gain         of the spike; 0 where the network is silent and the exponents are those of the leak
    warnings               whole sentences
    """

    exponents_per_ms: Matrix
    standard_error_per_ms: Matrix
    running_per_ms: Matrix
    batch_ends: NDArray[np.int64]
    node_exponents_per_ms: Matrix
    node_weights: Matrix
    rates_hz: Matrix
    conditions: Matrix
    intervals: NDArray[np.int64]
    dimension: int
    surrogate_gain: float
    only_at_spikes: bool
    dt_ms: float
    n_steps: int
    n_warm_up_steps: int
    warnings: tuple[str, ...]

    @property
    def lyapunov_max_per_ms(self) -> float:
        """The largest exponent."""
        return float(self.exponents_per_ms[0])


def lyapunov_spectrum(
    network: Network,
    spikes: Spikes,
    *,
    k: int | None = None,
    surrogate_gain: float = SURROGATE_GAIN,
    only_at_spikes: bool = ONLY_AT_SPIKES,
    n_warm_up_steps: int = 100,
    interval: int = 5,
    n_batches: int = 20,
    n_threads: int = 1,
    seed: int = 0,
) -> LyapunovSpectrum:
    """The leading `k` Lyapunov exponents of `network` under `spikes`, and the shares of its neurons in them.

    network          N neurons; the tangent vector is (v, I_exc, I_inh), or v with delta synapses
    spikes           the drive, one sample, `dt_ms` and `n_units` those of the network
    k                how many exponents, at most 3 N, or N with delta synapses; None is all of them
    surrogate_gain   gamma of g(u) = gamma / (1 + 10 |u|)^2, which stands for the derivative of a spike
    only_at_spikes   g counts in steps in which the neuron spikes, and its tail does not couple the others
    n_warm_up_steps  steps that are not measured: activity settles, tangent vectors turn towards their directions
    interval         steps between two factorisations, at most; fewer where the condition number of R exceeds 1e10
    n_batches        error bars are over this many equal parts of the measured steps
    n_threads        the tangent vectors are spread over this many threads; the result does not depend on it
    seed             of the first tangent vectors

    Which surrogate? On 40 networks from stable to chaotic the largest exponents with gain 3 at spikes alone rank as the
    event-driven ones do (Spearman 0.93 and 0.87 in two halves), have their sign in 33 and are of their size; with the
    surrogate in every step, as method.md 12.1 has it, ranks hardly agree at any gain (docs/explanation/lyapunov.md).

    A neuron keeps its tangent while it is clamped. A network without a spike in the measured steps has the exponents
    of its leak, -1/tau_mem and with exponential synapses -1/tau_syn, without any surrogate; a warning says so.
    Where delays are longer than one step the state has more dimensions, and exponents, than are given here.

    Raises `InputError` where numbers do not fit.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4, excitatory={"bias": 1.5}), seed=0)
    >>> spikes = Spikes.empty(1, n_units=4, n_steps=300, dt_ms=1.0)
    >>> spectrum = lyapunov_spectrum(network, spikes, k=5)
    >>> spectrum.exponents_per_ms.shape, spectrum.node_exponents_per_ms.shape, spectrum.dimension
    ((5,), (20,), 60)
    """
    owner = "lyapunov_spectrum"
    dimension = n_state_rows(network)
    k = dimension if k is None else k
    rule = f"must be in 1..{dimension}, the dimension of the state with {network.synapse} synapses"
    require(1 <= k <= dimension, owner, "k", rule, k)
    check_surrogate(owner, surrogate_gain, n_threads)
    require(interval >= 1, owner, "interval", "must be >= 1 step", interval)
    require(n_batches >= 2, owner, "n_batches", "must be >= 2, or there is no error bar", n_batches)
    seen = activity(owner, network, spikes, n_warm_up_steps, n_batches)
    n_steps = spikes.n_steps - n_warm_up_steps
    if seen.is_silent:
        return _of_the_leak(network, k, seen, n_steps, n_warm_up_steps, n_batches)
    # Linear algebra on one thread: the same bits whatever the number of cores. Two would halve what is half of the time
    # on an idle machine, and wait for each other in busy loops on any other.
    with threadpool_limits(1):
        tangent = NetworkTangent(network, spikes, surrogate_gain, n_threads, only_at_spikes=only_at_spikes)
        found = qr_exponents(
            tangent, tangent.n_rows, n_steps=n_steps, k=k, dt=network.dt_ms, n_warm_up_steps=n_warm_up_steps,
            interval=interval, max_condition=MAX_CONDITION, n_batches=n_batches, seed=seed,
        )  # fmt: skip
    return LyapunovSpectrum(
        exponents_per_ms=found.exponents,
        standard_error_per_ms=found.standard_error,
        running_per_ms=found.running,
        batch_ends=found.batch_ends,
        node_exponents_per_ms=node_exponents(found.row_exponents, network.n_neurons),
        node_weights=found.row_weights.reshape(-1, network.n_neurons).sum(axis=0),
        rates_hz=seen.rates_hz,
        conditions=found.conditions,
        intervals=found.intervals,
        dimension=dimension,
        surrogate_gain=surrogate_gain,
        only_at_spikes=only_at_spikes,
        dt_ms=network.dt_ms,
        n_steps=n_steps,
        n_warm_up_steps=n_warm_up_steps,
        warnings=seen.warnings + _ill_conditioned(found),
    )


def _ill_conditioned(found: QrExponents) -> tuple[str, ...]:
    n_bad, n_all = int(np.count_nonzero(found.conditions > MAX_CONDITION)), found.conditions.size
    if n_bad == 0:
        return ()
    share = f"{n_bad} of {n_all} factorisations have a condition number above {MAX_CONDITION:g}"
    return (f"{share}, at most {found.conditions.max():.1e}; the lowest exponents lose digits",)


def _of_the_leak(
    network: Network, k: int, seen: Activity, n_steps: int, n_warm_up_steps: int, n_batches: int
) -> LyapunovSpectrum:  # fmt: skip
    """In closed form: without a spike potentials and currents decay, whatever the weights."""
    neurons, n = network.neurons, network.n_neurons
    taus_ms = [neurons.tau_mem_ms]
    if network.synapse == "exp":
        taus_ms += [neurons.tau_syn_exc_ms, neurons.tau_syn_inh_ms]
    of_row = -1 / np.concatenate(taus_ms)
    leading = np.argsort(-of_row, kind="stable")[:k]
    return LyapunovSpectrum(
        exponents_per_ms=of_row[leading],
        standard_error_per_ms=np.zeros(k),
        running_per_ms=np.tile(of_row[leading], (n_batches, 1)),
        batch_ends=ends_of_batches(n_steps, n_batches),
        node_exponents_per_ms=np.bincount(leading % n, of_row[leading], minlength=n).astype(np.float64),
        node_weights=np.bincount(leading % n, minlength=n).astype(np.float64),
        rates_hz=seen.rates_hz,
        conditions=np.zeros(0),
        intervals=np.zeros(0, dtype=np.int64),
        dimension=of_row.size,
        surrogate_gain=0.0,
        only_at_spikes=False,
        dt_ms=network.dt_ms,
        n_steps=n_steps,
        n_warm_up_steps=n_warm_up_steps,
        warnings=seen.warnings,
    )
