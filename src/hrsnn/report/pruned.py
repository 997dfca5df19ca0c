"""Pruned networks of a run beside the one that was pruned: their sizes and what they spend, as ratios."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from hrsnn.report.source import Key, Results, Row, Unit, detail, number
from hrsnn.vocabulary import SYNOPS, higher_is_better


@dataclass(frozen=True, slots=True)
class Pruned:
    """One method. Sizes are (before, after), means over seeds; `fewer_*` says how many times less it spends.

    `fewer_synops` counts input, recurrent and readout; `rate_ratio` is the mean rate on the data over that of the dense
    network, both before learning. None where something was not counted.
    """

    key: Key
    dense: Key
    n_neurons: tuple[float, float] | None
    n_synapses: tuple[float, float] | None
    fewer_recurrent: float | None
    fewer_synops: float | None
    rate_ratio: float | None


def pruned_of(results: Results) -> list[Pruned]:
    """Every pruned network whose dense one is in the run, first the method that the others are compared with.

    Comparisons stand in the order of the config.
    """
    found = []
    for row in results.rows:
        dense = results.row(Key(row.key.arm))
        if row.key.stage == "pruned" and dense is not None:
            pairs = [(u, v) for u in results.units_of(dense.key) for v in results.units_of(row.key) if u.seed == v.seed]
            found.append(
                Pruned(
                    row.key,
                    dense.key,
                    _sizes(pairs, "n_neurons"),
                    _sizes(pairs, "n_recurrent_synapses"),
                    _ratio(dense.costs.get("synops_recurrent"), row.costs.get("synops_recurrent")),
                    _ratio(synops(dense), synops(row)),
                    _mean(number(detail(u, "pruning", "on_data", "ratio")) for u in results.units_of(row.key)),
                )
            )
    order = list(dict.fromkeys(c.a for c in results.comparisons))
    return sorted(found, key=lambda one: order.index(one.key) if one.key in order else len(order))


def of_equal_size(results: Results, a: Key, b: Key) -> bool:
    """Whether two methods left exactly as many neurons and recurrent synapses, seed by seed."""
    sizes = [
        {u.seed: [number(u.network.get(n)) for n in ("n_neurons", "n_recurrent_synapses")] for u in results.units_of(k)}
        for k in (a, b)
    ]
    return sizes[0] == sizes[1] and not any(None in size for size in sizes[0].values())


def gap_kept(results: Results, pruned: Pruned, metric: str) -> float | None:
    """The share of what recurrence adds that is left after pruning, from means; None where it adds nothing measurable.

    (pruned - none) / (dense - none), with the same network without recurrent synapses for "none".
    """
    none = Key(pruned.dense.arm, "control", "no-recurrence")
    recurrence = results.compared(pruned.dense, none, metric)
    left = results.compared(pruned.key, none, metric)
    if recurrence is None or left is None or recurrence.diff is None or left.diff is None or recurrence.ci95 is None:
        return None
    low, high = recurrence.ci95
    better = high < 0 if higher_is_better(metric) is False else low > 0
    return left.diff / recurrence.diff if better else None


def synops(row: Row) -> float | None:
    """Synaptic operations per sample, of all kinds that were counted."""
    known = [value for name in SYNOPS if (value := row.costs.get(name)) is not None]
    return sum(known) if known else None


def _sizes(pairs: list[tuple[Unit, Unit]], name: str) -> tuple[float, float] | None:
    sizes = [(number(u.network.get(name)), number(v.network.get(name))) for u, v in pairs]
    known = [(a, b) for a, b in sizes if a is not None and b is not None]
    return (fmean(a for a, _ in known), fmean(b for _, b in known)) if known else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _ratio(over: float | None, under: float | None) -> float | None:
    return None if over is None or not under else over / under
