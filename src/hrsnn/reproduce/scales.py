"""What is asked for, and how much is done at each scale: sizes of networks, lengths of drives, numbers of seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from hrsnn._checks import FileError, require

_SEEDS = ("n_seeds", "n_spread_seeds", "n_digit_seeds", "n_map_seeds", "n_mechanism_seeds", "n_backprop_seeds")


class Sizes:
    """How much is done: what scales have in common."""

    __slots__ = ()

    def with_seeds(self, n: int) -> Self:
        """The same sizes with `n` seeds everywhere. Raises `InputError` for fewer than two, which have no interval."""
        require(n >= 2, "hrsnn reproduce", "--seeds", "must be >= 2: one repeat has no interval", n)
        return replace(self, **{name: n for name in _SEEDS if hasattr(self, name)})  # type: ignore[type-var]

    def sizes(self) -> dict[str, Any]:
        """What the numbers of a unit may depend on: everything but how many of them there are."""
        rest = ("name", "series", "cases", *_SEEDS)
        return {name: value for name, value in asdict(self).items() if name not in rest}  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class Scale(Sizes):
    """Sizes of the experiments behind the claims; seeds go from 0 on, and pairs share a seed.

    Under the white drive:
    n_neurons, n_recordings   N, and recordings of 500 ms that STDP learns from
    n_delays, n_samples   of a memory capacity, in input samples of 20 ms: the longest delay, and how many it is
                      measured on; None is 20 per neuron, at least 40 per delay
    n_seeds           pairs of each comparison, and games of the Shapley values
    spread_cvs, n_spread_seeds   of the regression: coefficients of variation of tau_mem, and networks for each of them

    On spoken digits:
    digit_sizes, n_digit_neurons   N of the comparison of sizes, rising, and of all others
    fractions         shares of the training part, rising to 1
    n_digit_seeds     pairs
    n_digit_recordings  recordings of each part; None is all
    n_map_*           of the map over length_scale and weight_scale: N, points along each axis, seeds per point, and
                      recordings that STDP learns from at each point

    With and without a mechanism, under the white drive with its sizes, and on the delayed tasks:
    n_delayed_neurons, n_delayed_recordings   on the tasks: N, and recordings of each part; None is all
    n_mechanism_seeds   pairs

    Trained by backpropagation, on all of spoken digits:
    n_backprop_neurons, n_backprop_epochs, n_backprop_seeds   N, epochs at most, and pairs
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
    n_delayed_neurons: int
    n_delayed_recordings: int | None
    n_mechanism_seeds: int
    n_backprop_neurons: int
    n_backprop_epochs: int
    n_backprop_seeds: int


_SMALL = Scale(
    "small", n_neurons=300, n_delays=100, n_samples=None, n_recordings=100, n_seeds=24,
    spread_cvs=(0.0, 0.25, 0.5, 0.75, 1.0), n_spread_seeds=24,
    digit_sizes=(100, 250, 500), n_digit_neurons=250, fractions=(0.1, 0.25, 1.0), n_digit_seeds=10,
    n_digit_recordings=None, n_map_neurons=100, n_map_points=9, n_map_seeds=5, n_map_recordings=140,
    n_delayed_neurons=500, n_delayed_recordings=200, n_mechanism_seeds=20,
    n_backprop_neurons=100, n_backprop_epochs=12, n_backprop_seeds=20,
)  # fmt: skip
SCALES = {
    "smoke": Scale(
        "smoke", n_neurons=30, n_delays=5, n_samples=400, n_recordings=3, n_seeds=2,
        spread_cvs=(0.0, 0.5, 1.0), n_spread_seeds=2,
        digit_sizes=(20, 30), n_digit_neurons=30, fractions=(0.1, 0.25, 1.0), n_digit_seeds=2,
        n_digit_recordings=60, n_map_neurons=20, n_map_points=3, n_map_seeds=2, n_map_recordings=5,
        n_delayed_neurons=40, n_delayed_recordings=60, n_mechanism_seeds=2,
        n_backprop_neurons=20, n_backprop_epochs=1, n_backprop_seeds=2,
    ),
    "small": _SMALL,
    "paper": replace(
        _SMALL, name="paper", n_neurons=2000, n_recordings=400, n_seeds=50, n_spread_seeds=50,
        digit_sizes=(100, 250, 500, 1000, 2000), n_digit_neurons=2000, fractions=(0.1, 0.25, 0.5, 1.0),
        n_digit_seeds=50, n_map_neurons=1000, n_map_recordings=560,
        n_delayed_neurons=2000, n_delayed_recordings=None, n_mechanism_seeds=50,
        n_backprop_neurons=1000, n_backprop_epochs=30, n_backprop_seeds=50,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PruningScale(Sizes):
    """Sizes of figures 10 to 12 and table 5; repeats have the seeds from 0 on.

    n_neurons           N before pruning
    n_neighbours        out-neighbours per neuron of the small-world start graph
    n_iterations        of a schedule, from the start to the end
    n_between           iterations from one scored network to the next, where a figure follows the way
    n_seeds             repeats of every row and line
    series              of table 5
    n_train, n_horizon, n_starts   of the forecasts: values to train, values forecast freely, number of forecasts
    n_digit_recordings  of each part of the spoken digits; None is all
    fits_timescales     False leaves out step IV, which takes longer than all others together
    """

    name: str
    n_neurons: int
    n_neighbours: int
    n_iterations: int
    n_between: int
    n_seeds: int
    series: tuple[str, ...] = ("lorenz63", "rossler", "google-stock", "wind")
    n_train: int = 500
    n_horizon: int = 100
    n_starts: int = 20
    n_digit_recordings: int | None = None
    fits_timescales: bool = True

    @property
    def scored(self) -> tuple[int, ...]:
        """Iterations after which networks are scored, the last among them.

        >>> PRUNING_SCALES["small"].scored
        (2, 4, 6, 8, 10)
        """
        return tuple(range(self.n_iterations, 0, -self.n_between))[::-1]


PRUNING_SCALES = {
    "smoke": PruningScale(
        "smoke", n_neurons=60, n_neighbours=8, n_iterations=2, n_between=1, n_seeds=1,
        series=("lorenz63", "google-stock"), n_train=120, n_horizon=5, n_starts=2, n_digit_recordings=60,
        fits_timescales=False,
    ),
    "small": PruningScale("small", n_neurons=300, n_neighbours=25, n_iterations=10, n_between=2, n_seeds=5),
    "paper": PruningScale("paper", n_neurons=2000, n_neighbours=50, n_iterations=100, n_between=5, n_seeds=10),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AtlasScale(Sizes):
    """Sizes of the atlas; pairs have the seeds from 0 on.

    n_neurons      N, but where a condition is about it
    n_seeds        pairs of each cell
    n_recordings   of each part of a task at most; None is all
    n_learned      recordings that STDP learns from at most
    forecast       changes of `[task.forecast]` of the configs
    cases          tasks; () is all
    """

    name: str
    n_neurons: int
    n_seeds: int
    n_recordings: int | None
    n_learned: int
    forecast: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()


ATLAS_SCALES = {
    "smoke": AtlasScale(
        "smoke", n_neurons=40, n_seeds=2, n_recordings=20, n_learned=5,
        forecast=tuple(f"task.forecast.{given}" for given in ("n_train=120", "n_horizon=5", "n_starts=2")),
        cases=("digits", "lorenz63", "recall-150", "wind"),
    ),
    "small": AtlasScale("small", n_neurons=200, n_seeds=20, n_recordings=560, n_learned=200),
    "paper": AtlasScale("paper", n_neurons=2000, n_seeds=50, n_recordings=None, n_learned=1000),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchScale(Sizes):
    """Sizes of figures 6 and 9: searches on the spoken digits, repeats with the seeds from 0 on.

    n_neurons     sizes of networks, each searched by itself
    n_trials      of a search, one seed each; the first `n_startup` before any model
    n_recordings  that STDP learns from
    n_fresh       seeds that every design found is measured again with
    n_seeds       repeats of every search
    """

    name: str
    n_neurons: tuple[int, ...]
    n_trials: int
    n_startup: int
    n_recordings: int
    n_fresh: int
    n_seeds: int


SEARCH_SCALES = {
    "smoke": SearchScale("smoke", (30,), n_trials=4, n_startup=3, n_recordings=5, n_fresh=1, n_seeds=2),
    "small": SearchScale("small", (100,), n_trials=60, n_startup=20, n_recordings=140, n_fresh=8, n_seeds=5),
    "paper": SearchScale("paper", (100, 2000), n_trials=80, n_startup=20, n_recordings=560, n_fresh=20, n_seeds=10),
}


Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """How a reproduction is to be made: what `reproduce` was asked for; `data_dir` is that of all processes."""

    sizes: Any
    out: Path
    command: str
    data_dir: Path | None
    n_jobs: int | None
    executor: Executor | str | None
    say: Say

    def described(self, cases: Iterable[str], of: Callable[[str], str]) -> tuple[dict[str, str], dict[str, str]]:
        """A line on each case whose data are there, by `of`, and why the others are left out, which is told."""
        there, left_out = dict[str, str](), dict[str, str]()
        for case in cases:
            try:
                there[case] = of(case)
            except FileError as error:
                left_out[case] = str(error)
                self.say(f"left out: {error}")
        return there, left_out
