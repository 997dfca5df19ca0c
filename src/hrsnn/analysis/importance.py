"""How much it matters that a parameter is heterogeneous: its Shapley value (method.md 10.5).

A game: players are groups of parameters, and v(S) is a quantity of the network in which the groups of S keep their laws
and all others stand at the means of theirs, everything else the same under the same seed. The Shapley value of a group
is what making it heterogeneous adds, averaged over all orders in which the groups could become so. Over all groups the
values sum to v(all) - v(none).

Departs: SAGE (Covert et al. 2020), which the paper of method.md 10.5 names, is this value for the game of what features
contribute to the predictions of a fitted model. Here the game is the quantity of the network itself; nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import check_all, extra, require
from hrsnn.distributions import Distribution
from hrsnn.metrics import interval_of_mean
from hrsnn.spec import NetworkSpec

Value = Callable[[NetworkSpec, int], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Group:
    """A player: laws of a spec, by dotted name, that are heterogeneous together or not at all."""

    name: str
    laws: tuple[str, ...]


# `cluster_tau_ratio` is no law, but as a ladder of means over clusters it spreads the membrane time constants.
GROUPS = (
    Group("tau_mem", ("excitatory.tau_mem_ms", "inhibitory.tau_mem_ms", "cluster_tau_ratio")),
    Group("v_th", ("excitatory.v_th", "inhibitory.v_th")),
    Group("a", ("plasticity.a_plus", "plasticity.a_minus")),
    Group("tau_stdp", ("plasticity.tau_plus_ms", "plasticity.tau_minus_ms")),
)


def with_homogeneous(spec: NetworkSpec, groups: Iterable[Group]) -> NetworkSpec:
    """`spec` with the laws of `groups` at their means.

    >>> spec = NetworkSpec(n_inputs=4)
    >>> with_homogeneous(spec, GROUPS[:2]) == spec.arm("HoNHeS"), with_homogeneous(spec, GROUPS) == spec.arm("HoNHoS")
    (True, True)
    """
    for group in groups:
        for law in group.laws:
            spec = _at_mean(spec, law.split("."), law)
    return spec


def _at_mean(table: Any, path: Sequence[str], law: str) -> Any:
    name, *rest = path
    require(name in getattr(type(table), "model_fields", ()), "Group", "laws", "must be names of a spec's laws", law)
    value = getattr(table, name)
    if rest:
        new = _at_mean(value, rest, law)
    elif law == "cluster_tau_ratio":
        new = 1.0
    else:
        require(isinstance(value, Distribution), "Group", "laws", "must be names of a spec's laws", law)
        new = value.homogenised()
    return table.model_copy(update={name: new})


@dataclass(frozen=True, slots=True, eq=False)
class Importance:
    """Shapley values of groups for some quantities, seed by seed.

    groups       names of the players, n_groups
    quantities   names of what was measured, n_quantities
    seeds        n_seeds; every seed is a game of its own
    coalitions   bool (n_coalitions, n_groups), which groups were heterogeneous in each evaluated coalition; the first
                 row is none of them, the last one all
    values       float64 (n_seeds, n_coalitions, n_quantities), what was measured
    shapley      float64 (n_seeds, n_groups, n_quantities), in units of the quantity
    exact        whether all coalitions were evaluated
    """

    groups: tuple[str, ...]
    quantities: tuple[str, ...]
    seeds: tuple[int, ...]
    coalitions: NDArray[np.bool_]
    values: NDArray[np.float64]
    shapley: NDArray[np.float64]
    exact: bool

    def interval(self, group: str, quantity: str, level: float = 0.95) -> list[float] | None:
        """The t-interval of the mean Shapley value over seeds; None for one seed."""
        return interval_of_mean(self.of(group, quantity), level)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: quantity -> means of v(none) and v(all), and of each group mean, interval and seeds."""
        return {
            quantity: {
                "none": self.values[:, 0, q].mean().item(),
                "all": self.values[:, -1, q].mean().item(),
                "groups": {
                    group: {
                        "mean": self.of(group, quantity).mean().item(),
                        "ci95": self.interval(group, quantity),
                        "seeds": self.of(group, quantity).tolist(),
                    }
                    for group in self.groups
                },
            }
            for q, quantity in enumerate(self.quantities)
        }

    def of(self, group: str, quantity: str) -> NDArray[np.float64]:
        """Shapley value of a group for a quantity, float64 (n_seeds,)."""
        for name, value, known in (("group", group, self.groups), ("quantity", quantity, self.quantities)):
            require(value in known, "Importance", name, f"must be one of {', '.join(known)}", value)
        return self.shapley[:, self.groups.index(group), self.quantities.index(quantity)]


def importance(
    spec: NetworkSpec,
    value: Value,
    *,
    seeds: Sequence[int],
    groups: Sequence[Group] = GROUPS,
    budget: int | None = None,
    executor: Executor | None = None,
) -> Importance:
    """Shapley values of the heterogeneity of each of `groups` in `spec`, for all quantities that `value` measures.

    spec      the fully heterogeneous network; laws that are constants in it make groups without importance
    value     measures one network: (spec, seed) -> quantity -> finite number, the same names at every call. It is
              called once for each coalition and seed, so one simulation serves all its quantities. For an executor of
              processes it must be a function of a module
    seeds     one game each. Coalitions with one seed share everything that is drawn from other laws, so that a value is
              a mean of paired differences; intervals are over seeds
    budget    None evaluates all 2^n_groups coalitions, exactly. A number evaluates that many (none and all among them),
              chosen alike for every seed, and fits the values by weighted least squares (KernelSHAP, Lundberg and Lee
              2017); they still sum to v(all) - v(none)
    executor  runs the calls of `value`; None runs them here

    Raises `InputError` for what breaks these rules, and `MissingExtraError` without shapiq (Muschalik et al. 2024).

    >>> def spread(spec, seed):  # a quantity that needs no simulation
    ...     return {"sum of variances": spec.excitatory.v_th.variance + spec.plasticity.tau_plus_ms.variance}
    >>> found = importance(NetworkSpec(n_inputs=4), spread, seeds=[0])
    >>> {name: round(float(found.of(name, "sum of variances")[0]), 6) for name in found.groups}
    {'tau_mem': 0.0, 'v_th': 0.04, 'a': 0.0, 'tau_stdp': 133.333333}
    """
    n = len(groups)
    names = [group.name for group in groups]
    _check_groups(groups)
    _check_seeds(seeds)
    require(budget is None or budget >= 2 * n + 2, "importance", "budget", f"must be >= {2 * n + 2} or None", budget)
    shapiq = require_shapiq()
    exact = budget is None or budget >= 2**n
    evaluated = _Evaluated(spec, value, tuple(seeds), tuple(groups), executor)
    if exact:
        evaluated.add(np.array([[bool(mask >> g & 1) for g in range(n)] for mask in range(2**n)]))
    else:  # what an approximation asks for depends on the seed of its own alone
        shapiq.KernelSHAP(n, random_state=0).approximate(budget, evaluated.game(0, 0))
    shapley = np.empty((len(seeds), n, len(evaluated.quantities)))
    for s in range(len(seeds)):
        for q in range(len(evaluated.quantities)):
            game = evaluated.game(s, q)
            if exact:
                found = shapiq.ExactComputer(game, n)("SV", 1)
            else:
                found = shapiq.KernelSHAP(n, random_state=0).approximate(budget, game)
            shapley[s, :, q] = found.get_n_order_values(1)
    coalitions, values = evaluated.tables()
    return Importance(tuple(names), evaluated.quantities, tuple(seeds), coalitions, values, shapley, exact)


class _Evaluated:
    """What `value` gave for every coalition asked for so far, each for all seeds."""

    def __init__(
        self,
        spec: NetworkSpec,
        value: Value,
        seeds: tuple[int, ...],
        groups: tuple[Group, ...],
        executor: Executor | None,
    ) -> None:
        self.quantities: tuple[str, ...] = ()
        self._spec, self._value, self._seeds, self._groups = spec, value, seeds, groups
        self._map: Callable[..., Iterable[Mapping[str, float]]] = map if executor is None else executor.map
        self._values: dict[tuple[bool, ...], NDArray[np.float64]] = {}  # coalition -> (n_seeds, n_quantities)

    def add(self, coalitions: NDArray[np.bool_]) -> None:
        """Evaluate those of `coalitions` (n, n_groups) that are new."""
        asked = dict.fromkeys(tuple(map(bool, row)) for row in coalitions)
        new = [coalition for coalition in asked if coalition not in self._values]
        specs = [
            with_homogeneous(self._spec, (g for g, kept in zip(self._groups, coalition, strict=True) if not kept))
            for coalition in new
        ]
        n_seeds = len(self._seeds)
        results = self._map(self._value, [spec for spec in specs for _ in self._seeds], list(self._seeds) * len(new))
        for k, measured in enumerate(results):
            coalition, seed = new[k // n_seeds], self._seeds[k % n_seeds]
            row = self._values.setdefault(coalition, np.empty((n_seeds, len(measured))))
            row[k % n_seeds] = self._checked(measured, coalition, seed)

    def _checked(self, measured: Mapping[str, float], coalition: tuple[bool, ...], seed: int) -> list[float]:
        self.quantities = self.quantities or tuple(measured)
        hetero = [g.name for g, kept in zip(self._groups, coalition, strict=True) if kept]
        place = f"for seed {seed} with {' and '.join(hetero) or 'nothing'} heterogeneous"
        same = len(measured) > 0 and set(measured) == set(self.quantities)
        rule = f"must give the quantities {', '.join(self.quantities)} at every call"
        require(same, "importance", "value", rule, ", ".join(measured) or "none", place=place)
        for name in self.quantities:
            number = measured[name]
            ok = isinstance(number, (int, float, np.number)) and np.isfinite(number)
            require(ok, "importance", "value", f"must give a finite number for {name}", number, place=place)
        return [float(measured[name]) for name in self.quantities]

    def game(self, s: int, q: int) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
        """Quantity q of seed s as shapiq wants it: coalitions (n, n_groups) -> values (n,)."""

        def play(coalitions: NDArray[Any]) -> NDArray[np.float64]:
            rows = np.atleast_2d(coalitions).astype(bool)
            self.add(rows)
            return np.array([self._values[tuple(map(bool, row))][s, q] for row in rows])

        return play

    def tables(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Coalitions, the smaller ones first, and their values (n_seeds, n_coalitions, n_quantities)."""
        order = sorted(self._values, key=lambda coalition: (sum(coalition), [not kept for kept in coalition]))
        return np.array(order), np.stack([self._values[coalition] for coalition in order], axis=1)


def _check_groups(groups: Sequence[Group]) -> None:
    require(len(groups) >= 1, "importance", "groups", "must hold at least one group", "none")
    for what, names in (("names", [g.name for g in groups]), ("laws", [law for g in groups for law in g.laws])):
        twice = sorted({name for name in names if names.count(name) > 1})
        require(not twice, "importance", "groups", f"must have {what} of their own", f"twice {', '.join(twice)}")


def _check_seeds(seeds: Sequence[int]) -> None:
    require(len(seeds) >= 1, "importance", "seeds", "must hold at least one seed", "none")
    column = np.asarray(seeds)
    require(column.ndim == 1 and column.dtype.kind in "iu", "importance", "seeds", "must be whole numbers", seeds)
    check_all("importance", "seeds", "must be >= 0", column, column >= 0)
    require(len(set(seeds)) == len(seeds), "importance", "seeds", "must differ from each other", list(seeds))


def require_shapiq() -> Any:
    """The package shapiq; raises `MissingExtraError` without it. Called first by what takes long before it is used."""
    with extra("explain", "`importance`", "shapiq"):
        import shapiq
    return shapiq
