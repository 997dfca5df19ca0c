"""Mechanisms of synapses and neurons against networks without them, with what they take from the activity made up for.

A dynamic synapse delivers a share of its weight, and an adaptive threshold is higher than a fixed one, so a network
that is given either is also a quieter one, and whatever else differs may follow from that. A pair therefore shares
seed, wiring, weights and input, and what the mechanism takes is given back where it takes it (`matched`), by rules that
look at firing rates on training data and at nothing else:

* Dynamic synapses: the weights of each pair of types are divided by what its synapses deliver of them in the mean, in
  closed form from the rates of the network without the mechanism (`with_weights_delivered`). Then one factor on all
  excitatory recurrent weights makes the mean rate that of the network without it (`hrsnn.pruning.restore_rates`).
* Adaptive thresholds: the thresholds of the neurons that adapt come nearer to rest, all by one factor, until the mean
  rate is that of the network without it.

Gains on the input would match rates as well (`hrsnn.calibrate`), but a network that keeps itself active hardly answers
to them: they change by factors, and with them what the input is worth beside the recurrence.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import bisect

from hrsnn.distributions import Gamma
from hrsnn.network import Network
from hrsnn.pruning.drive import rates_on
from hrsnn.pruning.homeostasis import restore_rates
from hrsnn.spec import NetworkSpec, ShortTermSpec
from hrsnn.spikes import Spikes
from hrsnn.tables import SHORT_TERM

MECHANISMS = ("dynamic", "adaptive")

_LOWEST = 0.1  # of the distance of thresholds from rest
_TOLERANCE = 0.005  # of that factor

_Column = NDArray[np.float64]


def with_mechanism(spec: NetworkSpec, mechanism: str) -> NetworkSpec:
    """`spec` with recurrent synapses that depress and facilitate ("dynamic"), or adaptive thresholds ("adaptive").

    Constants of synapses are those of method.md 3.4. Every spike of an excitatory neuron raises its threshold by 0.1, a
    tenth of the mean distance of thresholds from rest, for 200 ms; both are means of gamma laws with standard
    deviations of half of them, as those of synapses are. Inhibitory neurons do not adapt, as fast-spiking ones do not.

    >>> with_mechanism(NetworkSpec(n_inputs=1), "adaptive").excitatory.adapt
    Gamma(mean=0.1, shape=4.0)
    """
    if mechanism == "dynamic":
        synapses = spec.synapses.model_copy(update={"short_term": ShortTermSpec()})
        return spec.model_copy(update={"synapses": synapses})
    assert mechanism == "adaptive", mechanism
    laws = {"adapt": Gamma(0.1, 4.0), "tau_adapt_ms": Gamma(200.0, 4.0)}
    return spec.model_copy(update={"excitatory": spec.excitatory.model_copy(update=laws)})


def matched(network: Network, partner: Network, data: Spikes, *, seed: int) -> Network:
    """`network`, with a mechanism, at the mean rate that `partner`, the same without it, has on `data`."""
    rates_hz = rates_on(partner, data)
    if network.recurrent.u is not None:
        delivering = with_weights_delivered(network, rates_hz, data.n_steps * data.dt_ms)
        return restore_rates(delivering, rates_hz, seed=seed, match="population", data=data)[0]

    def excess_hz(factor: float) -> float:
        return float(rates_on(_with_thresholds(network, factor), data).mean() - rates_hz.mean())

    if excess_hz(1.0) >= 0:
        return network
    if excess_hz(_LOWEST) <= 0:
        return _with_thresholds(network, _LOWEST)
    return _with_thresholds(network, float(bisect(excess_hz, _LOWEST, 1.0, xtol=_TOLERANCE)))


def _with_thresholds(network: Network, factor: float) -> Network:
    """Those of neurons that adapt, at a factor times their distance from rest."""
    neurons = network.neurons
    assert neurons.adapt is not None
    nearer = neurons.v_rest + factor * (neurons.v_th - neurons.v_rest)
    return replace(network, neurons=replace(neurons, v_th=np.where(neurons.adapt > 0, nearer, neurons.v_th)))


def with_weights_delivered(network: Network, rates_hz: _Column, duration_ms: float) -> Network:
    """`network` with recurrent weights of which dynamic synapses deliver, by pair of types, as much as static ones.

    rates_hz      (N,), of which those of the excitatory and of the inhibitory neurons are taken in the mean
    duration_ms   of a recording, which all synapses begin rested

    Of a pair of types it is the sum over its synapses that is the same; which of them deliver more stays as drawn.
    """
    recurrent, inhibitory = network.recurrent, (network.neurons.sign < 0).astype(np.int64)
    from_inhibitory = inhibitory[recurrent.pre()]
    constants = [np.asarray(getattr(recurrent, name), np.float64) for name in SHORT_TERM]
    share = np.ones(len(recurrent))
    for k in (0, 1):
        rows = from_inhibitory == k
        if rows.any():
            rate_hz = float(rates_hz[inhibitory == k].mean())
            share[rows] = mean_efficacy(*(c[rows] for c in constants), rate_hz=rate_hz, duration_ms=duration_ms)
    pair, weight = 2 * from_inhibitory + inhibitory[recurrent.post], np.abs(recurrent.weight).astype(np.float64)
    delivered, whole = (np.bincount(pair, weights=of, minlength=4) for of in (weight * share, weight))
    factor = np.divide(whole, delivered, out=np.ones(4), where=delivered > 0)
    return replace(network, recurrent=recurrent.scaled(factor[pair]))


def mean_efficacy(
    u: _Column, tau_rec_ms: _Column, tau_fac_ms: _Column, *, rate_hz: float, duration_ms: float
) -> _Column:
    """What synapses deliver of their weights, in the mean over the spikes of a regular train (method.md 3.4).

    The train begins at rest and has at least one spike.

    >>> constants = (np.array([0.5]), np.array([1100.0]), np.array([50.0]))
    >>> mean_efficacy(*constants, rate_hz=20.0, duration_ms=1e5).round(2).tolist()
    [0.04]
    >>> mean_efficacy(*constants, rate_hz=20.0, duration_ms=50.0).tolist()
    [0.5]
    """
    n_spikes = max(1, round(rate_hz * duration_ms / 1000))
    interval_ms = duration_ms / n_spikes
    forgotten, decayed = np.exp(-interval_ms / tau_rec_ms), np.exp(-interval_ms / tau_fac_ms)
    used, available, total = u, np.ones_like(u), np.zeros_like(u)
    for _ in range(n_spikes):
        total += used * available
        available = 1 + (available * (1 - used) - 1) * forgotten
        used = u + used * (1 - u) * decayed
    return np.asarray(total / n_spikes)
