"""Lyapunov noise pruning: its four steps as one criterion (method.md 12)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self, get_args

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import among, did_you_mean, require
from hrsnn.analysis.lyapunov import local_exponents, lyapunov_spectrum
from hrsnn.analysis.lyapunov.tangent import n_state_rows
from hrsnn.network import Network
from hrsnn.pruning.criteria import Diagnostics, at_random, check_left, recorded, sampled, without_neurons
from hrsnn.pruning.criterion import Criterion, Size, Step, summary_of
from hrsnn.pruning.drive import rates_under_drive, standard_drive
from hrsnn.pruning.edges import add_edges, n_possible
from hrsnn.pruning.nodes import prune_by_betweenness
from hrsnn.pruning.noise import prune_by_noise
from hrsnn.pruning.options import LNP, Diagonal, EdgeMode, MatrixMode, NodeExponents, Options
from hrsnn.pruning.timescales import (
    LEAST_EXPONENT_PER_MS,
    N_EXPONENTS,
    N_STEPS,
    N_WARM_UP_STEPS,
    match_timescales,
    spectrum_under_drive,
)

Array = NDArray[np.float64]
ADDED_SHARE = 0.01  # of the synapses asked for, by step III
ITERATIONS_PER_MATCH = 10  # of time constants, step IV; and one at the end
_LEAST_RATE_HZ = 0.5


@dataclass(frozen=True, slots=True)
class LyapunovNoise(Criterion):
    """Neurons of least betweenness go (II), synapses are kept by noise (I), some are added (III), time constants follow
    the spectrum of the dense network (IV).

    mode, diagonal   of step I, as in `prune_by_noise`
    exponents        of neurons, for step I: "local", their growth over 20 steps, or "qr", their shares of the leading
                     64 exponents; both under the standard drive, with the surrogate at spikes alone and gain 3
    shot_noise       x in [0, 1]: in step I the variance of the noise on a neuron is its rate under the standard drive
                     to the power x. 0 has the same noise on all, 1 that of spikes
    edges            of step III, as in `add_edges`: 1 % of the synapses are new, or fewer where not as many can be
                     added; "none" leaves it out. With "paper" none of them was there before step I
    timescales       step IV, in every tenth step of a schedule and in the last
    noise, nodes     False leaves out step I or II: what has to go goes by chance (the branches of method.md 12.8)
    n_threads        the result does not depend on it

    Departs: the paper removes neurons after synapses. Here they go first, on the graph that the step before has left.
    In a schedule that is the same cycle. In one shot a neuron that is removed after the choice takes along synapses
    which the choice counted on, and the number of synapses has to be made exact against the probabilities: on
    small-world networks of 400 neurons pruned to half of them and 5 % of the synapses the mean rate was 59-63 Hz this
    way and 70-76 Hz the other, of 48 Hz before. Exponents are those of the network before neurons went.

    Step IV comes when rates have been restored (`settle`): it is the spectrum of the network that comes out which is to
    be near that of the dense one.
    """

    mode: MatrixMode = LNP.mode
    diagonal: Diagonal = LNP.diagonal
    shot_noise: float = LNP.shot_noise
    exponents: NodeExponents = LNP.exponents
    edges: EdgeMode = LNP.edges
    timescales: bool = LNP.timescales
    noise: bool = LNP.noise
    nodes: bool = LNP.nodes
    n_threads: int = 1
    name: ClassVar[str] = "lnp"

    @classmethod
    def of(cls, options: Options) -> Self:
        return cls(**options.lnp.model_dump(), n_threads=options.n_threads)

    def __post_init__(self) -> None:
        known_words = {"mode": MatrixMode, "diagonal": Diagonal, "exponents": NodeExponents, "edges": EdgeMode}
        for option, words in known_words.items():
            word, known = getattr(self, option), get_args(words)
            rule, remedy = f"must be one of {', '.join(known)}", did_you_mean(str(word), known)
            require(among(word, known), "LyapunovNoise", option, rule, word, remedy=remedy)
        ok = 0 <= self.shot_noise <= 1
        require(ok, "LyapunovNoise", "shot_noise", "must be in [0, 1]", self.shot_noise)

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, Diagnostics]:
        n_add = 0 if self.edges == "none" else min(math.ceil(ADDED_SHARE * size.n_synapses), size.n_synapses - 1)
        left, told = self._neurons_kept(network, size, step)
        kept = told.get("neurons", slice(None))
        exponents, noise = np.zeros(network.n_neurons), np.zeros(0)
        if self.noise:
            exponents = exponents if self.mode == "w" else self._node_exponents(network, step)
            noise = self._noise(network, step)
        before = (left.recurrent.pre(), left.recurrent.post) if self.edges == "paper" else None
        while True:  # in a small network few pairs may be two steps apart: what cannot be added is kept instead
            check_left(self.name, left, size, n_added=n_add)
            n_keep = size.n_synapses - n_add
            if self.noise:
                pruned, of_noise = prune_by_noise(
                    left, exponents[kept], n_keep=n_keep, seed=step.seed, mode=self.mode, diagonal=self.diagonal,
                    noise=noise[kept], n_threads=self.n_threads,
                )  # fmt: skip
                told["noise"] = summary_of(of_noise)
            else:
                pruned = sampled(self.name, left, np.ones(len(left.recurrent)), Size(size.n_neurons, n_keep), step)
            most = n_possible(pruned, forbidden=before) if n_add else 0
            if most >= n_add:
                break
            n_add = most
        if n_add:
            pruned, edges = add_edges(
                pruned, n_add=n_add, seed=step.seed, mode=self.edges, forbidden=before, n_threads=self.n_threads
            )  # fmt: skip
            told["edges"] = summary_of(edges)
        return recorded(pruned, self.name, size), told

    def settle(self, network: Network, step: Step) -> tuple[Network, Diagnostics]:
        """Step IV."""
        if not self.timescales or (step.index % ITERATIONS_PER_MATCH and step.index < step.n_steps):
            return network, {}
        start = network if step.start is None else step.start
        dense = spectrum_under_drive(start, seed=step.seed, drive_hz=step.drive_hz)
        matched, match = match_timescales(network, dense, seed=step.seed, drive_hz=step.drive_hz)
        return matched, {"timescales": summary_of(match)}

    def _neurons_kept(self, network: Network, size: Size, step: Step) -> tuple[Network, Diagnostics]:
        if not self.nodes:
            return without_neurons(network, size, at_random(network, step))
        if size.n_neurons == network.n_neurons:
            return network, {}
        pruned, nodes = prune_by_betweenness(
            network, n_keep=size.n_neurons, seed=step.seed, n_threads=self.n_threads
        )  # fmt: skip
        return pruned, {"neurons": np.flatnonzero(nodes.kept), "nodes": summary_of(nodes)}

    def _noise(self, network: Network, step: Step) -> Array:
        """Standard deviations (N,); a neuron that was silent for the while may spike another time."""
        if self.shot_noise == 0:
            return np.ones(network.n_neurons)
        rates_hz = rates_under_drive(network, seed=step.seed, rate_hz=step.drive_hz)
        deviation: Array = (rates_hz + _LEAST_RATE_HZ) ** (self.shot_noise / 2)
        return deviation

    def _node_exponents(self, network: Network, step: Step) -> Array:
        drive = standard_drive(
            network, (N_WARM_UP_STEPS + N_STEPS) * network.dt_ms, seed=step.seed, rate_hz=step.drive_hz
        )  # fmt: skip
        if self.exponents == "local":
            found = local_exponents(
                network, drive, n_warm_up_steps=N_WARM_UP_STEPS, n_threads=self.n_threads,
            ).exponents_per_ms  # fmt: skip
        else:
            spectrum = lyapunov_spectrum(
                network, drive, k=min(N_EXPONENTS, n_state_rows(network)),
                n_warm_up_steps=N_WARM_UP_STEPS, n_threads=self.n_threads,
            )  # fmt: skip
            # A neuron with little part in the leading directions has a small share for that reason alone.
            weights, found = spectrum.node_weights, np.full(network.n_neurons, -np.inf)
            np.divide(spectrum.node_exponents_per_ms, weights, out=found, where=weights > 0)
        exponents: Array = np.maximum(found, LEAST_EXPONENT_PER_MS)
        return exponents
