"""Rates of a pruned network brought back to those of the dense one, as homeostasis in a cortex does.

What synapses pruning leaves are few and strong, and the rates that they make are others than before, lower or, where
excitation feeds on itself, several times higher. Synaptic scaling multiplies excitatory weights until the rate is right
again and keeps their ratios (Turrigiano et al. 1998, Nature 391:892); inhibition is scaled the other way (Kilman et
al. 2002, J. Neurosci. 22:1328). By default each neuron has a factor, on its recurrent synapses alone, and then all have
one more in common, on the input as well: neurons that no factor of their own slows down enough leave the mean rate too
high, and networks that are compared have to spend the same. Without the input it is inhibition, twenty times what it
was, that has to slow them down; that cost accuracy and did not always get there (docs/explanation/pruning.md).

Departs from closed forms, which were tried and left. Weights that keep the mean current of each neuron do not bring its
rate back, because the same mean in fewer and larger pieces fluctuates more. Weights that keep the variance of each
input, with the rest of the mean as a bias, do; but the few synapses are weak then, and the memory of the network is
nearly that of one without recurrence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import among, check_column, did_you_mean, require
from hrsnn.network import Network
from hrsnn.pruning.drive import DRIVE_HZ, DURATION_MS, rates_on, rates_under_drive
from hrsnn.spikes import Spikes

Array = NDArray[np.float64]
Match = Literal["balance", "population", "neurons", "bias"]

MOST_FACTOR = 8.0  # of a weight, and its inverse
MOST_BIAS = 2.0  # mean threshold gaps, either way
MOST_IN_COMMON = 4.5  # one more factor for all neurons, and its inverse
TOLERANCE = 0.02  # of the mean rate; counts of a few seconds tell no more

_N_HALVINGS = 10
_N_STEPS = 15
_RATE_OF_LEARNING = 0.3
_SOFTENING_HZ = 1.0  # ratios of rates are those of rates plus this: a neuron that is to be silent has one
_BIAS_PER_FACTOR = 0.5  # mean threshold gaps for a factor of e: v_th is about 1


@dataclass(frozen=True, slots=True, eq=False)
class RateRestoring:
    """What `restore_rates` did. Rates are those under the drive that it was told.

    rates_before_hz, rates_after_hz   (N,), of the network that was given and of the one that came out
    factors       (N,), on the recurrent excitatory weights that lead to each neuron; with "balance" and "neurons" its
                  inhibitory ones are divided by it; 1 with "bias"
    input_factors   (N,), on the weights of its input, negative ones are divided by it; 1 with "population" and "bias"
    bias_change   (N,), mean threshold gaps; 0 without "bias"
    """

    rates_before_hz: Array
    rates_after_hz: Array
    factors: Array
    input_factors: Array
    bias_change: Array


def restore_rates(
    network: Network,
    rates_hz: ArrayLike,
    *,
    seed: int,
    match: Match = "balance",
    duration_ms: float = DURATION_MS,
    drive_hz: float = DRIVE_HZ,
    data: Spikes | None = None,
) -> tuple[Network, RateRestoring]:
    """`network` with the rates that its neurons had before pruning, as far as they can be reached, and how.

    rates_hz      (N,), of these neurons in the dense network: `rates_under_drive` with the same drive
    seed          of the drive
    match         "balance": each neuron's own, by a factor on its recurrent excitatory weights; its recurrent
                  inhibitory ones are divided by it. Then the mean rate, by one more factor for all, on the weights
                  of the input as well.
                  "population": the mean rate, by one factor on all recurrent excitatory weights.
                  "neurons": like "balance", with the factor on the weights of its input as well.
                  "bias": like "balance", with a constant drive for a factor; weights stay
    duration_ms   of the drive
    drive_hz      of its channels
    data          recordings that rates are measured on instead of the standard drive; `rates_hz` are `rates_on` them

    Own factors are between 1/8 and 8, changes of bias within 2; what all have in common is between 1/4.5 and 4.5, and
    0.75 of bias. Signs stay, and `w_max` grows with its weight. Of own factors the best of those tried are taken, none
    at all among them, and nothing is changed in common if the mean rate is right within 2 %.

    A neuron that lost its recurrent excitatory inputs cannot get them back by factors. "balance" weakens its
    inhibition, "population" leaves it as it is and makes up for its rate elsewhere, "neurons" turns up its input. Only
    "bias" gives it a current; it is not the default, because a neuron that is driven by a constant fires like a clock:
    it answers to the input less, and the largest exponent rises.

    Raises `InputError` where numbers do not fit.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> dense = build(NetworkSpec(n_neurons=50, n_inputs=20, input={"p_connect": 0.5, "subset_share": 1.0}), seed=0)
    >>> rates_hz = rates_under_drive(dense, seed=1)
    >>> weak = dense.with_weights(0.5 * dense.recurrent.weight)
    >>> restored, told = restore_rates(weak, rates_hz, seed=1)
    >>> bool(abs(told.rates_after_hz.mean() / rates_hz.mean() - 1) < 0.05), bool(told.factors.mean() > 1)
    (True, True)
    """
    owner, n = "restore_rates", network.n_neurons
    target = check_column(owner, "rates_hz", rates_hz, dtype=np.float64, length=n, at_least=0)
    known = get_args(Match)
    remedy = did_you_mean(str(match), known)
    require(among(match, known), owner, "match", f"must be one of {', '.join(known)}", match, remedy=remedy)

    def measured(own: Array, common: float) -> Array:
        changed = _changed(network, own, common, match)
        if data is not None:
            return rates_on(changed, data)
        return rates_under_drive(changed, seed=seed, duration_ms=duration_ms, rate_hz=drive_hz)

    before = measured(np.zeros(n), 0.0)
    own, most = np.zeros(n), float(np.log(MOST_FACTOR))
    if match != "population":
        own, most = _for_neurons(measured, target, match), _unit(match) * float(np.log(MOST_IN_COMMON))
    common, after = _for_all(measured, target, own, most)
    change, none, restored = own + common, np.zeros(n), network
    if change.any():
        restored = _changed(network, own, common, match).with_history(f"rates restored: {match}")
    return restored, RateRestoring(
        rates_before_hz=before,
        rates_after_hz=after,
        factors=np.exp(none if match == "bias" else change),
        input_factors=np.exp(_of_input(own, common, match)),
        bias_change=change if match == "bias" else none,
    )


# -- changes, logarithms of factors or biases: what each neuron has of its own, (N,), and what all have in common ------

_Measured = Callable[[Array, float], Array]


def _for_neurons(measured: _Measured, target: Array, match: Match) -> Array:
    """The best change of all steps, each of which goes against the logarithms of rates over the target."""
    most = MOST_BIAS if match == "bias" else np.log(MOST_FACTOR)
    change, best, least = np.zeros(target.size), np.zeros(target.size), np.inf
    for _ in range(_N_STEPS):
        excess = _log_ratio(measured(change, 0.0), target)
        misfit = float(np.square(excess).mean())
        if misfit < least:
            best, least = change, misfit
        change = np.clip(change - _RATE_OF_LEARNING * _unit(match) * np.clip(excess, -1, 1), -most, most)
    return best


def _for_all(measured: _Measured, target: Array, own: Array, most: float) -> tuple[float, Array]:
    """The best change in common, and the rates that it makes, by halving: the mean rate rises with it."""
    low, high, middle = -most, most, 0.0
    best, least = (0.0, np.zeros(target.size)), np.inf
    for _ in range(_N_HALVINGS):
        rates = measured(own, middle)
        excess = float(rates.mean() - target.mean())
        if abs(excess) < least:
            best, least = (middle, rates), abs(excess)
        if abs(excess) <= TOLERANCE * target.mean():
            break
        low, high = (low, middle) if excess > 0 else (middle, high)
        middle = (low + high) / 2
    return best


def _unit(match: Match) -> float:
    return _BIAS_PER_FACTOR if match == "bias" else 1.0


def _log_ratio(rates: Array, target: Array) -> Array:
    ratio: Array = np.log((rates + _SOFTENING_HZ) / (target + _SOFTENING_HZ))
    return ratio


def _of_input(own: Array, common: float, match: Match) -> Array:
    """Logarithms of factors on the input of each neuron, (N,)."""
    return {"balance": np.full_like(own, common), "neurons": own + common}.get(match, np.zeros_like(own))


def _changed(network: Network, own: Array, common: float, match: Match) -> Network:
    """`network` with other biases with "bias", else with weights times the exponentials, by postsynaptic neuron."""
    neurons, recurrent, inputs = network.neurons, network.recurrent, network.inputs
    change = own + common
    if match == "bias":
        return replace(network, neurons=replace(neurons, bias=neurons.bias + change))
    of_inhibitory = 0.0 if match == "population" else -1.0
    gain = np.exp(np.where(network.excites(), 1.0, of_inhibitory) * change[recurrent.post])
    of_input = np.where(network.excites("inputs"), 1.0, -1.0) * _of_input(own, common, match)[inputs.post]
    return replace(network, recurrent=recurrent.scaled(gain), inputs=inputs.scaled(np.exp(of_input)))
