"""calibrate: gains on the input under which a network fires at a given rate on given recordings.

How strongly channels spike differs by orders of magnitude between kinds of data, so input weights that suit one leave a
network silent, or firing without pause, on another. One gain per population brings the mean rate of its neurons to a
target; weights keep their ratios. It is found on training recordings, by the same rule for every network compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import instance, real_number, require, whole_number
from hrsnn.data.dataset import Dataset
from hrsnn.engine import simulate
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.spec import InputSpec
from hrsnn.spikes import Spikes

MOST_GAIN = 64.0  # of input weights, and its inverse
TOLERANCE = 0.02  # of the target

_N_ROUNDS = 3  # the gain of one population changes the rate of the other
_N_HALVINGS = 12
_N_HALVINGS_OF_RECURRENCE = 4
_REACHED = 0.1  # of the target: nearer than this is reached

_INPUT = InputSpec()  # its defaults are those of `calibrate`

_Ratios = NDArray[np.float64]  # of the mean rates of excitatory and of inhibitory neurons to their targets


def calibrate(
    network: Network,
    data: Dataset | Spikes,
    target_hz: float = _INPUT.target_hz,
    *,
    inhibitory_ratio: float = _INPUT.inhibitory_ratio,
    n_recordings: int = 48,
    seed: int = 0,
) -> Network:
    """`network` with input weights under which its two populations fire at given rates in the mean.

    data          recordings of the training part; labels are not used
    target_hz     mean rate of excitatory neurons from the start of a recording to its last event
    inhibitory_ratio   rate of inhibitory neurons over it: they fire faster, as in cortex and in the demonstration
    n_recordings  so many are looked at, drawn by `seed`; all, if there are fewer

    Each population has one gain on its input, between 1/64 and 64, found by bisection: first one for both, then one
    after the other, three times. Where no such gain leads to the target, because recurrent excitation keeps itself up
    or inhibition holds everything down, recurrent weights are halved, up to four times, and gains are looked for again.
    Weights keep their ratios and signs, `w_max` grows with its weight, and the history tells the gains. Recordings
    without an event, and a network without input synapses, leave the network as it is.

    Raises `InputError` for data that do not fit the network, and a target that is not > 0.

    >>> import hrsnn
    >>> inputs = {"subset_share": 1.0, "p_connect": 0.5}
    >>> spec = hrsnn.NetworkSpec.preset("HeNHeS", n_inputs=8, n_neurons=60, input=inputs)
    >>> spikes = hrsnn.Spikes.from_dense(np.random.default_rng(0).random((9, 500, 8)) < 0.05, dt_ms=1.0)
    >>> quiet = hrsnn.build(spec, seed=0)
    >>> alive = hrsnn.calibrate(quiet, spikes, target_hz=20.0)
    >>> excitatory = quiet.neurons.sign > 0
    >>> rates = [hrsnn.simulate(net, spikes).spike_counts[:, excitatory].mean() / 0.5 for net in (quiet, alive)]
    >>> bool(rates[0] < 10), bool(abs(rates[1] - 20) < 1)
    (True, True)
    """
    instance("calibrate", "network", network, Network)
    instance("calibrate", "data", data, Dataset, Spikes)
    target_hz = real_number("calibrate", "target_hz", target_hz, above=0)
    inhibitory_ratio = real_number("calibrate", "inhibitory_ratio", inhibitory_ratio, above=0)
    require(math.isfinite(inhibitory_ratio * target_hz), "calibrate", "inhibitory_ratio", "must leave a rate",
            inhibitory_ratio)  # fmt: skip
    n_recordings = whole_number("calibrate", "n_recordings", n_recordings, at_least=1)
    seed = whole_number("calibrate", "seed", seed, at_least=0)
    spikes = data.spikes if isinstance(data, Dataset) else data
    if spikes.n_samples > n_recordings:
        chosen = stream(seed, "calibrate").permutation(spikes.n_samples)[:n_recordings]
        spikes = spikes.select(np.sort(chosen))
    seconds = _seconds_with_events(spikes)
    if seconds == 0 or len(network.inputs) == 0:
        return network.with_history("not calibrated: no event or no input synapse")
    excitatory = network.neurons.sign > 0
    populations = [rows for rows in (excitatory, ~excitatory) if rows.any()]

    wanted_hz = np.array(
        [target_hz if network.neurons.sign[rows][0] > 0 else inhibitory_ratio * target_hz for rows in populations]
    )

    def ratios(gains: _Gains, recurrence: float) -> _Ratios:
        counts = simulate(_with_gains(network, gains, recurrence), spikes).spike_counts.sum(axis=0)
        return np.asarray(np.array([counts[rows].mean() for rows in populations]) / seconds / wanted_hz)

    recurrence = 1.0
    for halvings in range(_N_HALVINGS_OF_RECURRENCE + 1):
        recurrence = 0.5**halvings
        gains, reached = _found(lambda tried, share=recurrence: ratios(tried, share), len(populations))  # type: ignore[misc]
        if reached or len(network.recurrent) == 0:
            break
    both = gains if len(gains) == 2 else gains * 2
    told = f"calibrated to {target_hz:g} Hz: input times {both[0]:.4g} (excitatory), {both[1]:.4g} (inhibitory neurons)"
    told += "" if recurrence == 1 else f", recurrent weights times {recurrence:g}"
    return _with_gains(network, gains, recurrence).with_history(told if reached else f"{told}; not reached")


_Gains = tuple[float, ...]  # one per population that has neurons


def _seconds_with_events(spikes: Spikes) -> float:
    """From the start of each sample to the end of the step of its last event, summed up."""
    filled = np.diff(spikes.sample_ptr) > 0
    last = spikes.step[spikes.sample_ptr[1:][filled] - 1].astype(np.int64)
    return float((last + 1).sum()) * spikes.dt_ms / 1000


def _found(ratios: Callable[[_Gains], _Ratios], n: int) -> tuple[_Gains, bool]:
    """Gains of the `n` populations, and whether the ratios of rates to their targets are all next to 1."""
    gains = [_bisected(lambda gain: float(ratios((gain,) * n).mean()), 1.0, MOST_GAIN)] * n
    for _ in range(_N_ROUNDS if n > 1 else 0):
        for k in range(n):

            def ratio(gain: float, k: int = k) -> float:
                return float(ratios((*gains[:k], gain, *gains[k + 1 :]))[k])

            gains[k] = _bisected(ratio, gains[k], 4.0)
        if _are_near(ratios(tuple(gains)), TOLERANCE):
            break
    return tuple(gains), _are_near(ratios(tuple(gains)), _REACHED)


def _are_near(ratios: _Ratios, tolerance: float) -> bool:
    return bool((np.abs(ratios - 1) <= tolerance).all())


def _bisected(ratio: Callable[[float], float], start: float, reach: float) -> float:
    """The gain within a factor `reach` of `start` where the ratio, which rises with it, is next to 1."""
    low, high = -math.log(reach), math.log(reach)
    middle, best, least = 0.0, start, math.inf
    for _ in range(_N_HALVINGS):
        gain = float(np.clip(start * math.exp(middle), 1 / MOST_GAIN, MOST_GAIN))
        excess = ratio(gain) - 1
        if abs(excess) < least:
            best, least = gain, abs(excess)
        if abs(excess) <= TOLERANCE:
            break
        low, high = (low, middle) if excess > 0 else (middle, high)
        middle = (low + high) / 2
    return best


def _with_gains(network: Network, gains: _Gains, recurrence: float) -> Network:
    of_neuron = np.where(network.neurons.sign > 0, gains[0], gains[-1])
    recurrent = network.recurrent if recurrence == 1 else network.recurrent.scaled(recurrence)
    return replace(network, inputs=network.inputs.scaled(of_neuron[network.inputs.post]), recurrent=recurrent)
