"""The table of criteria: `prune.methods` holds keys of `KINDS`."""

from __future__ import annotations

from hrsnn._checks import among, did_you_mean, require
from hrsnn.pruning.criteria import Activity, Magnitude, RandomGraph, Regrowth, Uniform, WeightProportional
from hrsnn.pruning.criterion import Criterion
from hrsnn.pruning.lnp import LyapunovNoise
from hrsnn.pruning.options import Options

KINDS: dict[str, type[Criterion]] = {
    "lnp": LyapunovNoise,
    "activity": Activity,
    "random": RandomGraph,
    "magnitude": Magnitude,
    "weight-proportional": WeightProportional,
    "uniform": Uniform,
    "regrowth": Regrowth,
}


def criterion_of(method: str, options: Options = Options()) -> Criterion:  # noqa: B008 - frozen
    """The criterion of this name, with what it takes of `options`. Raises `InputError` for an unknown name.

    >>> criterion_of("uniform")
    Uniform()
    """
    return KINDS[known_method(method)].of(options)


def known_method(method: str) -> str:
    """`method`, where it is a key of `KINDS`; else raises `InputError`."""
    remedy = did_you_mean(method, KINDS)
    require(among(method, KINDS), "prune", "method", "must be a known method", method, remedy=remedy)
    return method
