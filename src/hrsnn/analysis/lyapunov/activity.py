"""What a network does under the drive that exponents are measured for: checked input, rates, the silent share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.engine import stream
from hrsnn.network import Network, mechanisms
from hrsnn.spikes import Spikes


@dataclass(frozen=True, slots=True)
class Activity:
    """Firing rates (N,) in Hz in the measured steps, and one sentence if there are silent neurons."""

    rates_hz: NDArray[np.float64]
    warnings: tuple[str, ...]

    @property
    def is_silent(self) -> bool:
        """No neuron spikes."""
        return not self.rates_hz.any()


def without_tangent(network: Network) -> list[str]:
    """The columns of `network` whose mechanisms the tangent map does not have: adaptation and short-term dynamics.

    Those of the input act on the trajectory alone.

    >>> net = Network.from_arrays(np.zeros((2, 2)), np.ones((2, 1)), tau_mem_ms=20.0, adapt=0.1, tau_adapt_ms=100.0)
    >>> without_tangent(net)
    ['adapt', 'tau_adapt_ms']
    """
    return [name for name in mechanisms(network) if not name.startswith("inputs.")]


def no_exponents(names: list[str]) -> str:
    """The sentence of a document about a network `without_tangent`."""
    return f"No Lyapunov exponents: the tangent map has no {', '.join(names)}"


def activity(owner: str, network: Network, spikes: Spikes, n_warm_up_steps: int, n_needed: int) -> Activity:
    """Simulate the one sample of `spikes` in float64; rates are those after the warm-up.

    Raises `InputError` if the network is one `without_tangent`, if the input does not fit it, if there is not one
    sample, or if there are fewer than `n_needed` steps after the warm-up.
    """
    untold = ", ".join(without_tangent(network))
    remedy = (
        "exponents are of networks with fixed thresholds and static recurrent synapses; others are pruned by a method "
        "without exponents, such as magnitude"
    )
    require(not untold, owner, "network", "must have no mechanism that the tangent map lacks", untold, remedy=remedy)
    rule = f"must have as many units as the network has input channels, {network.n_inputs}"
    require(spikes.n_units == network.n_inputs, owner, "spikes", rule, f"n_units = {spikes.n_units}")
    rule = f"must have the network's step of time, dt_ms = {network.dt_ms!r}"
    require(spikes.dt_ms == network.dt_ms, owner, "spikes", rule, f"dt_ms = {spikes.dt_ms!r}")
    remedy = "exponents belong to one drive, take it with spikes.select([0])"
    require(spikes.n_samples == 1, owner, "spikes", "must hold one sample", spikes.n_samples, remedy=remedy)
    require(n_warm_up_steps >= 0, owner, "n_warm_up_steps", "must be >= 0", n_warm_up_steps)
    n_steps = spikes.n_steps - n_warm_up_steps
    require(
        n_steps >= n_needed, owner, "spikes", f"must have {n_needed} steps or more beyond `n_warm_up_steps`",
        f"{spikes.n_steps} steps with {n_warm_up_steps} of warm-up",
        remedy="give a longer drive or a shorter warm-up",
    )  # fmt: skip
    counts, live = np.zeros(network.n_neurons), stream(network, dtype=np.float64)
    for t, channels in enumerate(channels_by_step(spikes)):
        fired = live.step(channels)
        if t >= n_warm_up_steps:
            counts[fired] += 1
    rates_hz = counts / (n_steps * network.dt_ms / 1000)
    return Activity(rates_hz, _warnings(int(np.count_nonzero(counts == 0)), network.n_neurons))


def channels_by_step(spikes: Spikes) -> list[NDArray[np.int32]]:
    """The channels that spike in each step of the one sample of `spikes`."""
    return np.split(spikes.unit, np.searchsorted(spikes.step, np.arange(1, spikes.n_steps)))


def _warnings(n_silent: int, n_neurons: int) -> tuple[str, ...]:
    if n_silent == 0:
        return ()
    share = f"{n_silent} of {n_neurons} neurons ({n_silent / n_neurons:.0%}) never spike in the measured steps"
    if n_silent < n_neurons:
        return (f"{share}; their part in the exponents is the leak and the tail of the surrogate",)
    return (f"{share}: the network is silent, and the exponents are those of its leak",)
