"""Units of work: one network each, named by its experiment, its seed and what sets it apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from hrsnn.analysis.importance import GROUPS
from hrsnn.reproduce.mechanisms import MECHANISMS
from hrsnn.reproduce.scales import Scale
from hrsnn.work.unit import Unit

Values = Mapping[str, Any]  # quantity -> plain values, of the claims a number or None where it does not exist

# The arms as coalitions of heterogeneous groups of parameters.
NEURONS, SYNAPSES = ("tau_mem", "v_th"), ("a", "tau_stdp")
ARMS: dict[str, tuple[str, ...]] = {
    "HoNHoS": (),
    "HeNHoS": NEURONS,
    "HoNHeS": SYNAPSES,
    "HeNHeS": NEURONS + SYNAPSES,
}


# Where mechanisms are compared, and the networks of a seed there: without one, with one and what it takes made up for
# (`hrsnn.reproduce.mechanisms`), and with one as it is drawn.
WHITE_DRIVE = "white-drive"
MECHANISM_TASKS = ("delayed-recall", "delayed-match")
PLAIN, AS_DRAWN = "plain", "-as-drawn"
TRAINED = ("weights", "weights+tau")  # what backpropagation changes
VARIANTS = (PLAIN, *(f"{mechanism}{end}" for mechanism in MECHANISMS for end in ("", AS_DRAWN)))


def plan(scale: Scale) -> list[Unit]:
    """All units of a scale, experiment by experiment, each seed by seed."""
    units: list[Unit] = []
    for seed in range(scale.n_seeds):
        units += [Unit("untrained", seed, (arm,)) for arm in ("HoN", "HeN")]
        units += [Unit("learned", seed, (arm,)) for arm in ARMS]
        units += [Unit("input", seed)]
    for seed in range(scale.n_digit_seeds):
        units += [digit_unit(seed, arm, scale.n_digit_neurons, 1.0) for arm in ARMS]
        for arm in ("HoNHoS", "HeNHeS"):
            units += [digit_unit(seed, arm, n, 1.0) for n in scale.digit_sizes if n != scale.n_digit_neurons]
            units += [digit_unit(seed, arm, scale.n_digit_neurons, share) for share in scale.fractions if share != 1.0]
    for seed in range(scale.n_spread_seeds):
        units += [Unit("spread", seed, (f"{cv:g}",)) for cv in scale.spread_cvs]
    for seed in range(scale.n_seeds):
        units += [Unit("game", seed, (coalition,)) for coalition in coalitions() if coalition not in _ARM_OF]
    for seed in range(scale.n_map_seeds):
        units += [unit for arm in ("HoNHoS", "HeNHeS") for unit in map_units(seed, arm, scale.n_map_points)]
    for seed in range(scale.n_mechanism_seeds):
        units += [mechanism_unit(seed, *of) for of in product((WHITE_DRIVE, *MECHANISM_TASKS), VARIANTS)]
    for seed in range(scale.n_backprop_seeds):
        units += [backprop_unit(seed, *of) for of in product(("HoNB", "HeNB"), TRAINED)]
    return units


def map_units(seed: int, arm: str, n_points: int) -> list[Unit]:
    """The points of the map, those of one length scale together."""
    return [Unit("map", seed, (arm, str(i), str(j))) for i, j in product(range(n_points), repeat=2)]


def digit_unit(seed: int, arm: str, n_neurons: int, share: float) -> Unit:
    return Unit("digits", seed, (arm, str(n_neurons), f"{share:g}"))


def mechanism_unit(seed: int, where: str, variant: str) -> Unit:
    """Under the white drive or on a task, a network of `VARIANTS`."""
    return Unit("mechanism", seed, (where, variant))


def backprop_unit(seed: int, arm: str, trained: str) -> Unit:
    """On spoken digits, HoNB or HeNB, one of `TRAINED`."""
    return Unit("backprop", seed, (arm, trained))


def coalitions() -> list[str]:
    """Names of all coalitions of heterogeneous groups, the empty one first."""
    names = [group.name for group in GROUPS]
    masks = range(2 ** len(names))
    return [coalition_name([name for k, name in enumerate(names) if mask >> k & 1]) for mask in masks]


def coalition_name(names: Sequence[str]) -> str:
    return "+".join(names) or "none"


_ARM_OF = {coalition_name(groups): arm for arm, groups in ARMS.items()}


def game_unit(seed: int, coalition: str) -> Unit:
    """The unit that holds the values of a coalition; those of the four arms are units of their own."""
    arm = _ARM_OF.get(coalition)
    return Unit("game", seed, (coalition,)) if arm is None else Unit("learned", seed, (arm,))
