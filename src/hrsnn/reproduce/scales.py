"""How much is done at each scale: sizes of networks, lengths of drives, numbers of seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from hrsnn._checks import require


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of the experiments behind the claims; seeds go from 0 on, and pairs share a seed.

    Under the white drive:
    n_neurons         N
    n_delays          longest delay of a memory capacity, in input samples of 20 ms
    n_samples         input samples a capacity is measured on; None is 20 per neuron, at least 40 per delay
    n_recordings      recordings of 500 ms that STDP learns from
    n_seeds           pairs of each comparison, and games of the Shapley values
    spread_cvs        coefficients of variation of tau_mem of the regression
    n_spread_seeds    networks for each of them

    On spoken digits:
    digit_sizes       N of the comparison of sizes, rising
    n_digit_neurons   N of all others
    fractions         shares of the training part, rising to 1
    n_digit_seeds     pairs
    n_digit_recordings  recordings of each part; None is all
    n_map_neurons, n_map_points, n_map_seeds   of the map over length_scale and weight_scale: N, points along each axis,
                      seeds per point
    n_map_recordings  recordings that STDP learns from at each point
    """

    name: str
    n_neurons: int
    n_delays: int
    n_samples: int | None
    n_recordings: int
    n_seeds: int
    spread_cvs: tuple[float, ...]
    n_spread_seeds: int
    digit_sizes: tuple[int, ...]
    n_digit_neurons: int
    fractions: tuple[float, ...]
    n_digit_seeds: int
    n_digit_recordings: int | None
    n_map_neurons: int
    n_map_points: int
    n_map_seeds: int
    n_map_recordings: int

    def with_seeds(self, n: int) -> Scale:
        """The same sizes with `n` seeds everywhere. Raises `InputError` for fewer than two, which have no interval."""
        require(n >= 2, "hrsnn reproduce", "--seeds", "must be >= 2: one pair has no interval", n)
        return replace(self, n_seeds=n, n_spread_seeds=n, n_digit_seeds=n, n_map_seeds=n)

    def sizes(self) -> dict[str, Any]:
        """What the number a unit measures may depend on: everything but how many seeds there are."""
        return {name: value for name, value in asdict(self).items() if name not in (*_SEEDS, "name")}


_SEEDS = ("n_seeds", "n_spread_seeds", "n_digit_seeds", "n_map_seeds")

# A row for each size; a column for each scale.
_NAMES = ("smoke", "small", "paper")
_SIZES: dict[str, tuple[Any, Any, Any]] = {
    "n_neurons": (30, 300, 2000),
    "n_delays": (5, 100, 100),
    "n_samples": (400, None, None),
    "n_recordings": (3, 100, 400),
    "n_seeds": (2, 24, 50),
    "spread_cvs": ((0.0, 0.5, 1.0), (0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.25, 0.5, 0.75, 1.0)),
    "n_spread_seeds": (2, 24, 50),
    "digit_sizes": ((20, 30), (100, 250, 500), (100, 250, 500, 1000, 2000)),
    "n_digit_neurons": (30, 250, 2000),
    "fractions": ((0.1, 0.25, 1.0), (0.1, 0.25, 1.0), (0.1, 0.25, 0.5, 1.0)),
    "n_digit_seeds": (2, 10, 50),
    "n_digit_recordings": (60, None, None),
    "n_map_neurons": (20, 100, 1000),
    "n_map_points": (3, 9, 9),
    "n_map_seeds": (2, 5, 5),
    "n_map_recordings": (5, 140, 560),
}
SCALES = {
    name: Scale(name, **{size: values[column] for size, values in _SIZES.items()}) for column, name in enumerate(_NAMES)
}
