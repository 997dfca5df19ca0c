"""From the table `[prune]` to criteria and targets."""

from __future__ import annotations

from collections.abc import Callable

from numpy.typing import ArrayLike

from hrsnn._checks import among, did_you_mean, require
from hrsnn.network import Network
from hrsnn.prune.criteria import (
    Activity,
    Magnitude,
    RandomGraph,
    Regrowth,
    Uniform,
    WeightProportional,
)
from hrsnn.prune.criterion import Criterion
from hrsnn.prune.lnp import LyapunovNoise
from hrsnn.prune.spec import LnpSpec, PruneSpec
from hrsnn.prune.target import Target


def criterion_of(
    method: str,
    lnp: LnpSpec,
    *,
    activity: Callable[[Network], ArrayLike] | None = None,
    retrain: Callable[[Network], Network] | None = None,
    n_threads: int = 1,
) -> Criterion:
    """The criterion of a name in `spec.Method`.

    `lnp` has the options of "lnp"; `activity` and `retrain` are those of "activity".

    No number depends on `n_threads`.

    >>> criterion_of("uniform", LnpSpec()).name
    'uniform'
    """
    made: dict[str, Callable[[], Criterion]] = {
        "lnp": lambda: LyapunovNoise(**lnp.model_dump(), n_threads=n_threads),
        "activity": lambda: Activity(activity, retrain),
        "random": RandomGraph,
        "magnitude": Magnitude,
        "weight-proportional": WeightProportional,
        "uniform": Uniform,
        "regrowth": Regrowth,
    }
    rule, remedy = "must be a known method", did_you_mean(method, made)
    require(among(method, made), "criterion_of", "method", rule, method, remedy=remedy)
    return made[method]()


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
