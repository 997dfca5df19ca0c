"""What criteria are made of: the table `[prune.lnp]`, and all that a run offers, of which each takes what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from numpy.typing import ArrayLike
from pydantic import Field

from hrsnn.network import Network
from hrsnn.spec import Table

MatrixMode = Literal["hm", "literal", "hm*w", "w"]
Diagonal = Literal["adjust", "keep"]
NodeExponents = Literal["local", "qr"]
EdgeMode = Literal["ipr", "paper", "min-variance", "none"]


class LnpSpec(Table):
    """The table `[prune.lnp]`: choices of Lyapunov noise pruning.

    mode        Lyapunov matrix: "hm", the harmonic mean of exponents; "literal", with their signs; "hm*w", times the
                weight; "w", the weight alone
    diagonal    "adjust": the leak makes up for what a neuron's inputs gained or lost by chance; "keep": it stays
    shot_noise  x in 0..1: the variance of the noise on a neuron, in step I, is its rate to the power x
    exponents   of neurons: "local", growth over 20 steps, or "qr", shares of the whole spectrum
    edges       step III: "min-variance" and "ipr" add synapses that delocalise eigenvectors, "paper" as
                published, "none"
    timescales  step IV: time constants are fitted to the spectrum of the dense network
    noise, nodes   false leaves out step I or II: what has to go goes by chance
    """

    mode: MatrixMode = "hm*w"
    diagonal: Diagonal = "keep"
    shot_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    exponents: NodeExponents = "local"
    edges: EdgeMode = "min-variance"
    timescales: bool = True
    noise: bool = True
    nodes: bool = True


LNP = LnpSpec()  # the one place of these defaults: functions and criteria take theirs from here


@dataclass(frozen=True, slots=True)
class Options:
    """What `Criterion.of` chooses from.

    lnp        the table `[prune.lnp]`
    activity   spikes of each neuron on training data, (N,), >= 0; None where there are no data
    retrain    what is learned before a cut; None where nothing is
    n_threads  no number depends on it
    """

    lnp: LnpSpec = LNP
    activity: Callable[[Network], ArrayLike] | None = None
    retrain: Callable[[Network], Network] | None = None
    n_threads: int = 1
