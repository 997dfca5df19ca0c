"""Pruned networks of a run beside the one that was pruned: their sizes and what they spend, as ratios."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from hrsnn.report.source import Key, Results, Row
from hrsnn.vocabulary import SYNOPS

SIZES = ("n_neurons", "n_recurrent_synapses")


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
        if row.key.stage == "pruned" and dense in results.rows:
            before, after = synops(dense), synops(row)
            fewer = before / after if before is not None and after else None
            on_data = (u.details.part("pruning").part("on_data").number("ratio") for u in results.units_of(row.key))
            recurrent = results.ratio(dense.key, row.key, "synops_recurrent")
            neurons, synapses = (_sizes(results, dense.key, row.key, name) for name in SIZES)
            found.append(Pruned(row.key, dense.key, neurons, synapses, recurrent, fewer, _mean(on_data)))
    order = list(dict.fromkeys(c.a for c in results.comparisons))
    return sorted(found, key=lambda one: order.index(one.key) if one.key in order else len(order))


def of_equal_size(results: Results, a: Key, b: Key) -> bool:
    """Whether two methods left exactly as many neurons and recurrent synapses, seed by seed."""
    one, other = ({u.seed: [u.network.number(n) for n in SIZES] for u in results.units_of(key)} for key in (a, b))
    return one == other and not any(None in size for size in one.values())


def gap_kept(results: Results, pruned: Pruned, metric: str) -> float | None:
    """The share of what recurrence adds that is left after pruning, from means; None where it adds nothing measurable.

    (pruned - none) / (dense - none), with the same network without recurrent synapses for "none".
    """
    none = pruned.dense.without_recurrence
    recurrence, left = (results.compared(key, none, metric) for key in (pruned.dense, pruned.key))
    if recurrence is None or left is None or left.diff is None or recurrence.diff is None:
        return None
    return left.diff / recurrence.diff if recurrence.reading == "gain" else None


def synops(row: Row) -> float | None:
    """Synaptic operations per sample, of all kinds that were counted."""
    known = [value for name in SYNOPS if (value := row.costs.get(name)) is not None]
    return sum(known) if known else None


def _sizes(results: Results, dense: Key, pruned: Key, name: str) -> tuple[float, float] | None:
    before = {unit.seed: unit.network.number(name) for unit in results.units_of(dense)}
    pairs = [(before.get(unit.seed), unit.network.number(name)) for unit in results.units_of(pruned)]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return (fmean(a for a, _ in known), fmean(b for _, b in known)) if known else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
