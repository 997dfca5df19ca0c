"""What all units of a run say together: means over seeds with intervals, and paired comparisons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.config import Config
from hrsnn.data.dataset import Splits
from hrsnn.metrics import (
    interval_of_errors,
    interval_of_mean,
    interval_of_positive,
    interval_of_share,
    paired_interval,
    spread,
)
from hrsnn.outcome import Outcome
from hrsnn.tasks import shared_task
from hrsnn.vocabulary import COSTS, METRICS, kind_of


def summarise(
    config: Config, results: Sequence[tuple[Outcome, dict[str, Any]]], *, data_dir: Path | None = None
) -> dict[str, Any]:
    """The document of results.json without its head: outcomes, means over seeds, paired comparisons.

    docs/reference/run-directory.md describes it.
    """
    results = sorted(results, key=lambda result: result[0].sort_key)
    groups: dict[str, list[tuple[Outcome, dict[str, Any]]]] = defaultdict(list)
    for outcome, details in results:
        groups[outcome.label].append((outcome, details))
    task = shared_task(config.task, data_dir)
    facts = {"description": task.description}
    if isinstance(task, Splits):
        facts |= {"licence": task.licence, "source": task.source}
    return {
        "task": config.task.name,
        "data": facts,
        **({"own_values": [arm for arm in config.task.arms if arm in config.arms]} if config.arms else {}),
        "outcomes": [outcome.to_dict() for outcome, _ in results],
        "summary": [_summary(group) for group in groups.values()],
        "comparisons": _comparisons(config, groups),
    }


def _summary(group: list[tuple[Outcome, dict[str, Any]]]) -> dict[str, Any]:
    outcomes = [outcome for outcome, _ in group]
    first = outcomes[0]
    scores = [_scores(details) for _, details in group]

    costs: dict[str, Any] = {}
    for name, value in first.costs.items():
        if isinstance(value, dict):
            costs[name] = {key: spread((o.costs[name][key] for o in outcomes), _cost_interval) for key in value}
        else:
            interval = _share_interval if name in COSTS and COSTS[name].is_share else _cost_interval
            costs[name] = spread((o.costs[name] for o in outcomes), interval)
    return {
        "arm": first.arm,
        "stage": first.stage,
        "method": first.method,
        "n_seeds": len(outcomes),
        "metrics": {
            name: spread((o.metrics.get(name) for o in outcomes), _interval_of_metric(name, scores))
            for name in first.metrics
        },
        "costs": costs,
    }


def _interval_of_metric(name: str, scores: list[dict[str, NDArray[np.float64]]]) -> Callable[[Any], list[float] | None]:
    """An interval that stays where the metric can be: errors above 0, shares and prediction times within their bounds.

    Shares and times are resampled over seeds and test recordings (or starts); without those the t-interval is cut.
    """
    if kind_of(name) == "error":
        return interval_of_positive
    of_seeds = [seed[name] for seed in scores if name in seed]
    if len(of_seeds) == len(scores) and len({v.size for v in of_seeds}) == 1 and np.isfinite(of_seeds).all():
        whole = interval_of_share if kind_of(name) == "share" else paired_interval
        return lambda _: whole(np.array(of_seeds))
    if kind_of(name) in ("share", "time"):
        return lambda known: _cut(interval_of_mean(known), 0.0, 1.0 if kind_of(name) == "share" else np.inf)
    return interval_of_mean


def _cost_interval(known: NDArray[np.float64]) -> list[float] | None:
    """Costs are counts and shares of them; none is negative."""
    if known.min() < 0:  # a file made by hand
        return interval_of_mean(known)
    return interval_of_positive(known)


def _share_interval(known: NDArray[np.float64]) -> list[float] | None:
    return _cut(_cost_interval(known), 0.0, 1.0)


def _cut(interval: list[float] | None, low: float, high: float) -> list[float] | None:
    return None if interval is None else [min(max(bound, low), high) for bound in interval]


def _comparisons(config: Config, groups: dict[str, list[tuple[Outcome, dict[str, Any]]]]) -> list[dict[str, Any]]:
    """The last arm against every other arm and control, the arms against the first, pruned networks, each paired."""
    reference: str = config.task.arms[-1]
    pruned = _pruned_labels(config)
    pairs = [(reference, label) for label in groups if label != reference and label not in pruned]
    pairs += [(str(arm), str(config.task.arms[0])) for arm in config.task.arms[1:-1]]
    pairs += [(label, reference) for label in pruned]
    pairs += [(label, f"{reference}/control/no-recurrence") for label in pruned]
    pairs += [(label, other) for label in pruned[:1] for other in pruned[1:]]
    return [row for a, b in pairs if a in groups and b in groups for row in _compared(a, b, groups[a], groups[b])]


def _compared(
    a: str, b: str, of_a: list[tuple[Outcome, dict[str, Any]]], of_b: list[tuple[Outcome, dict[str, Any]]]
) -> list[dict[str, Any]]:
    """One row per score that both have; none for one and the same network under two names."""
    by_seed = [{o.seed: (o, _scores(details), _cut_share(details)) for o, details in group} for group in (of_a, of_b)]
    seeds = sorted(by_seed[0].keys() & by_seed[1].keys())
    units = [(by_seed[0][seed], by_seed[1][seed]) for seed in seeds]
    hashes = [(x.network.get("hash"), y.network.get("hash")) for (x, *_), (y, *_) in units]
    if hashes and all(x is not None and x == y for x, y in hashes):
        return []
    found = []
    for metric in units[0][0][1] if units else ():
        if not all(metric in y for _, (_, y, _) in units):
            continue
        pair = [np.array([unit[k][1][metric] for unit in units]) for k in (0, 1)]
        difference = pair[0] - pair[1]
        known = bool(np.isfinite(difference).all())
        interval = None
        if known and kind_of(metric) == "error":
            favoured = _favoured_by_limits(difference, [(x, y) for (*_, x), (*_, y) in units])
            interval = interval_of_errors(pair[0], pair[1], favoured)
        elif known:
            interval = paired_interval(difference)
        diff = float(difference.mean()) if known else None
        found.append({"a": a, "b": b, "metric": metric, "diff": diff, "ci95": interval, "n_pairs": len(seeds)})
    return found


def _favoured_by_limits(
    difference: NDArray[np.float64], cut: list[tuple[NDArray[Any] | float, NDArray[Any] | float]]
) -> NDArray[np.bool_]:
    """Where the arm with the smaller error ran away and was cut: it may owe that to the limits of forecasts."""
    ran_a, ran_b = (np.array([np.broadcast_to(pair[k], difference.shape[1:]) > 0 for pair in cut]) for k in (0, 1))
    return np.asarray(np.where(difference < 0, ran_a, ran_b) & (difference != 0))


def _cut_share(details: dict[str, Any]) -> NDArray[np.float64] | float:
    """Per start of a forecast, the share of values that were cut to the limits."""
    return np.asarray(details.get("by_start", {}).get("cut", 0.0), dtype=float)


def _pruned_labels(config: Config) -> list[str]:
    """The names of pruned networks in comparisons, in the order of the config."""
    methods = config.prune.methods if config.prune is not None else []
    return list(dict.fromkeys(f"{config.task.arms[-1]}/pruned/{method}" for method in methods))


def _scores(details: dict[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Per test recording, or per start of a forecast, the scores that comparisons are made of."""
    if "predictions" in details:
        right = np.asarray(details["predictions"]) == np.asarray(details["labels"])
        scores = {"accuracy": right.astype(float)}
        for part in ("seen", "unseen"):
            rows = np.asarray(details.get(part, []), dtype=bool)
            if rows.any():
                scores[f"accuracy_{part}"] = right[rows].astype(float)
        return scores
    by_start = details.get("by_start", {})
    compared = (metric.name for metric in METRICS.values() if metric.compared)
    return {name: np.asarray(by_start[name], dtype=float) for name in compared if name in by_start}
