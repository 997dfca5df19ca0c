"""How small a network is to become, and the sizes on the way there (method.md 12.7)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from hrsnn._checks import real_number, require, whole_number
from hrsnn.network import Network
from hrsnn.pruning.criterion import Size
from hrsnn.pruning.nodes import N_MIN
from hrsnn.pruning.spec import PruneSpec

_LEAST_NEURON_PACE = 1 - 0.008  # neurons kept per iteration where nothing says how many
_SMALLEST_SHARE = 0.02  # of the synapses, down to which a target that has to be measured is looked for


@dataclass(frozen=True, slots=True)
class Target:
    """When a network is small enough: all that is given must hold. One is needed at least.

    n_neurons, n_synapses   counts, which are met exactly; `n_synapses` are the recurrent ones
    synops_per_s            recurrent and input operations per second under the standard drive, at most
    n_bytes                 memory that the network takes (`footprint_bytes` of its costs), at most

    Operations and memory decide how many synapses are left, so `n_synapses` does not go with them.

    >>> Target(n_synapses=1000).is_measured, Target(n_neurons=100, n_bytes=50_000).is_measured
    (False, True)
    """

    n_neurons: int | None = None
    n_synapses: int | None = None
    synops_per_s: float | None = None
    n_bytes: int | None = None

    def __post_init__(self) -> None:
        given = self._given()
        require(given, "Target", "target", "must be given", "none", remedy="for example Target(n_synapses=1000)")
        for name, value in given.items():
            if name == "synops_per_s":
                object.__setattr__(self, name, real_number("Target", name, value, above=0))
            else:
                object.__setattr__(self, name, whole_number("Target", name, value, at_least=1))
        ok = self.n_synapses is None or not self.is_measured
        rule, remedy = "must not come with synops_per_s or n_bytes", "these decide how many are left"
        require(ok, "Target", "n_synapses", rule, self.n_synapses, remedy=remedy)

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self._given().items())

    def _given(self) -> dict[str, int | float]:
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    @property
    def is_measured(self) -> bool:
        """It takes a network to see whether it is met."""
        return self.synops_per_s is not None or self.n_bytes is not None


def target_of(spec: PruneSpec, network: Network) -> Target:
    """How small `network` is to become; raises `InputError` where the keys of the table contradict each other."""
    return Target(
        n_neurons=_count(spec.keep_neurons, network.n_neurons),
        n_synapses=_count(spec.keep_synapses, len(network.recurrent)),
        synops_per_s=spec.max_synops_per_s or None,
        n_bytes=spec.max_bytes or None,
    )


def _count(amount: int | float, n: int) -> int | None:
    """How many of `n` an amount is: an integer is a count, another number a share; None where it is left open.

    >>> _count(0.05, 1000), _count(200, 1000), _count(0, 1000)
    (50, 200, None)
    """
    if not amount:
        return None
    return amount if isinstance(amount, int) else max(1, round(amount * n))


def sizes_on_the_way(start: Size, target: Target, n_iterations: int) -> tuple[Size, ...]:
    """The size after each iteration: the same share of neurons, and of synapses, stays in each; the last is the target.

    Where the number of neurons is not given, one shot keeps all, and a schedule the cube root of the share of synapses
    that stay, but never less than 99.2 % per iteration: synapses that go with their neurons are then a part of those
    that have to go anyway. Where synapses are not given, their share is the cube of that of neurons; if the target has
    to be measured, the way leads down to 2 % of them and ends when the target is met.

    Raises `InputError` for a target that is met already, or out of reach.

    >>> [size.n_synapses for size in sizes_on_the_way(Size(100, 10_000), Target(n_synapses=100), 4)]
    [3162, 1000, 316, 100]
    """
    n_iterations = whole_number("prune", "n_iterations", n_iterations, at_least=1, below=10**6)
    require(start.n_synapses >= 1, "prune", "network", "must have recurrent synapses", "none")
    end = _end(start, target, n_iterations)
    shares = np.arange(1, n_iterations + 1) / n_iterations

    def way(first: int, last: int) -> list[int]:
        counts = np.rint(first * (last / first) ** shares).astype(np.int64)
        return [*counts[:-1].tolist(), last]

    counts = zip(way(start.n_neurons, end.n_neurons), way(start.n_synapses, end.n_synapses), strict=True)
    return tuple(Size(*count) for count in counts)


def _end(start: Size, target: Target, n_iterations: int) -> Size:
    floor = min(N_MIN, start.n_neurons)
    n_neurons, n_synapses = target.n_neurons, target.n_synapses
    if n_neurons is not None:
        rule = f"must be in {floor}..{start.n_neurons}, what a network of {start} can be pruned to"
        require(floor <= n_neurons <= start.n_neurons, "Target", "n_neurons", rule, n_neurons)
    if n_synapses is None:
        share = 1.0 if n_neurons is None else n_neurons / start.n_neurons
        share = _SMALLEST_SHARE * share if target.is_measured else share**3
        n_synapses = max(1, round(share * start.n_synapses))
    rule = f"must be in 1..{start.n_synapses}, what a network of {start} can be pruned to"
    require(1 <= n_synapses <= start.n_synapses, "Target", "n_synapses", rule, n_synapses)
    if n_neurons is None and n_iterations > 1:
        pace = max(_LEAST_NEURON_PACE, (n_synapses / start.n_synapses) ** (1 / 3 / n_iterations))
        n_neurons = max(floor, round(start.n_neurons * pace**n_iterations))
    end = Size(start.n_neurons if n_neurons is None else n_neurons, n_synapses)
    require(end != start, "prune", "target", "must be below the size of the network, which is that small", str(start))
    return end
