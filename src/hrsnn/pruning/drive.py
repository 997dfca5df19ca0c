"""The input under which pruning looks at a network: it needs no task and no data (method.md 12.6). Rates may
be looked at on data instead, where there are any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.encode.rates import poisson_rate, whole_steps
from hrsnn.engine import simulate
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.spikes import Spikes

DRIVE_HZ = 10.0  # of every channel
DURATION_MS = 4000.0  # that rates are measured over
AWAKE_HZ = 1.0  # mean rate of a network that has an operating point to be looked at
_MOST_DOUBLINGS = 6
_MOST_RECORDINGS, _LONGEST_MS = 32, 20_000.0  # of data


def standard_drive(network: Network, duration_ms: float, *, seed: int, rate_hz: float = DRIVE_HZ) -> Spikes:
    """One sample of independent Poisson spikes on every input channel of `network`.

    duration_ms   a whole number of steps of the network, at least one
    rate_hz       of every channel; what falls into one step is one spike
    seed          networks with as many channels and the same step of time get the same spikes for the same seed

    Raises `InputError` for a duration off the grid and a rate that is not > 0.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> spikes = standard_drive(build(NetworkSpec(n_neurons=20, n_inputs=50), seed=0), 20_000.0, seed=1)
    >>> spikes.n_samples, spikes.n_steps, round(spikes.n_events / 50 / 20)
    (1, 20000, 10)
    """
    owner = "standard_drive"
    whole_steps(owner, "duration_ms", duration_ms, network.dt_ms)
    require(np.isfinite(rate_hz) and rate_hz > 0, owner, "rate_hz", "must be > 0", rate_hz)
    return poisson_rate(
        np.ones((1, network.n_inputs)),
        rng=stream(seed, "prune.drive"),
        f_max_hz=rate_hz,
        duration_ms=duration_ms,
        silence_ms=0.0,
        dt_ms=network.dt_ms,
    )


def on_grid_ms(duration_ms: float, dt_ms: float) -> float:
    """The duration next to `duration_ms` that is a whole number of steps, at least one.

    >>> on_grid_ms(100.0, 0.75)
    99.75
    """
    return max(1, round(duration_ms / dt_ms)) * dt_ms


def rates_under_drive(
    network: Network, *, seed: int, duration_ms: float | None = None, rate_hz: float = DRIVE_HZ
) -> NDArray[np.float64]:
    """Firing rates (N,) in Hz of `network` under the standard drive with channels of `rate_hz`, float64.

    duration_ms   a whole number of steps of the network; None is the one next to 4 s

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4, excitatory={"bias": 1.5}), seed=0)
    >>> rates_under_drive(network, seed=0, duration_ms=500.0).shape
    (20,)
    """
    measured_ms = on_grid_ms(DURATION_MS, network.dt_ms) if duration_ms is None else duration_ms
    spikes = standard_drive(network, measured_ms, seed=seed, rate_hz=rate_hz)
    rates: NDArray[np.float64] = simulate(network, spikes).spike_counts[0] / (measured_ms / 1000)
    return rates


def rates_on(network: Network, spikes: Spikes) -> NDArray[np.float64]:
    """Firing rates (N,) in Hz of `network` on recordings, all together, float64.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4), seed=0)
    >>> rates_on(network, Spikes.empty(3, n_units=4, n_steps=10, dt_ms=1.0)).shape
    (20,)
    """
    seconds = spikes.n_samples * spikes.n_steps * spikes.dt_ms / 1000
    rates: NDArray[np.float64] = counts_on(network, spikes) / seconds
    return rates


def counts_on(network: Network, spikes: Spikes) -> NDArray[np.int64]:
    """Spikes of each neuron on all recordings together, int64 (N,)."""
    counts: NDArray[np.int64] = simulate(network, spikes).spike_counts.sum(axis=0)
    return counts


def excerpt(spikes: Spikes) -> Spikes:
    """What rates are looked at under on data: 32 recordings, evenly over all of them, or 20 s of a single one.

    >>> excerpt(Spikes.empty(100, n_units=4, n_steps=10, dt_ms=1.0)).n_samples
    32
    """
    if spikes.n_samples > 1:
        every = np.linspace(0, spikes.n_samples - 1, min(spikes.n_samples, _MOST_RECORDINGS))
        return spikes.select(np.unique(np.rint(every).astype(np.int64)))
    n_steps = min(spikes.n_steps, round(_LONGEST_MS / spikes.dt_ms))
    n = int(np.searchsorted(spikes.step, n_steps))
    return Spikes(np.array([0, n]), spikes.step[:n], spikes.unit[:n], spikes.n_units, n_steps, spikes.dt_ms)


def waking_rate_hz(network: Network, *, seed: int, duration_ms: float | None = None) -> float:
    """The rate of the drive under which `network` is looked at: 10 Hz, doubled until its mean rate is 1 Hz or more.

    A network that is made for bursts of input is silent under 10 Hz on every channel, and silence tells nothing of what
    its synapses do. One that is silent under 640 Hz as well is looked at under 10 Hz.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> waking_rate_hz(build(NetworkSpec(n_neurons=50, n_inputs=40, input={"subset_share": 1.0}), seed=0), seed=0)
    80.0
    """
    for doublings in range(_MOST_DOUBLINGS + 1):
        rate_hz = DRIVE_HZ * 2**doublings
        if rates_under_drive(network, seed=seed, duration_ms=duration_ms, rate_hz=rate_hz).mean() >= AWAKE_HZ:
            return float(rate_hz)
    return DRIVE_HZ
