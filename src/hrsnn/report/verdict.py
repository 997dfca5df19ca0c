"""The first words of a report: at most three sentences from results, and the score they speak of.

How well the network does on data it has never met, what that costs beside the readout alone, and what was left after
pruning. The score is that of unseen groups where there are any, else the headline score; one that
is the same for all arms gives way to the next.
"""

from __future__ import annotations

from hrsnn.report.findings import group_word
from hrsnn.report.parts.document import Part
from hrsnn.report.parts.words import listed, plain, plural, quantity, signed, with_interval
from hrsnn.report.pruned import of_equal_size, pruned_of, synops
from hrsnn.report.source import Comparison, Estimate, Key, Results, Row
from hrsnn.vocabulary import LADDERS, METRICS, baselines, higher_is_better, unit_of, words_of

UNSEEN = "accuracy_unseen"


def leading(results: Results) -> str | None:
    """The score that the first screen speaks of."""
    headline, reference = results.headline, results.row(results.reference)
    ladder = [UNSEEN, *([headline, *LADDERS.get(headline, ())] if headline else ())]
    known = [metric for metric in ladder if reference.mean(metric) is not None]
    differing = (metric for metric in known if len({row.mean(metric) for row in results.rows} - {None}) > 1)
    return next(differing, next(iter(known), headline))


def sample_name(results: Results) -> str:
    """What costs are counted per: a value of a series, or a recording."""
    return "recording" if any("accuracy" in row.metrics for row in results.rows) else "value"


def verdict(results: Results) -> list[str]:
    """At most three sentences; one that says so where there is nothing to speak of."""
    metric = leading(results)
    if metric is None:
        return ["This run holds no measured values."]
    row = results.row(results.reference)
    if row.mean(metric) is None:
        return ["This run holds no network with a score."]
    said = [_level(results, row, metric), _cost(results, row, metric), _pruned(results, metric)]
    return [sentence for sentence in said if sentence]


def _level(results: Results, row: Row, metric: str) -> str:
    """The score itself, with what it is over; of forecasts also against repeating the last value."""
    name = "accuracy" if metric == UNSEEN else words_of(metric)
    said = f"{_over(results, row.key, metric)} ({plural(row.n_seeds, 'seed')}), {row.key.label} has {name} "
    said += _value(row.score(metric), metric)
    seen = row.mean("accuracy_seen")
    if metric == UNSEEN and seen is not None:
        said += f", and {plain(seen)[0]} on recordings of {group_word(results, row.key)}s seen in training"
    last = results.compared(row.key, Key("Persistence"), metric)
    said += "" if last is None else f", {_difference(last)} repeating the last value"
    return f"{said}{_rivals(results, row, metric)}."


def _rivals(results: Results, row: Row, metric: str) -> str:
    """Which models without spikes are better, but those that the sentences speak of anyway; best first."""
    arms = set(baselines()) - {"InputOnly", "Persistence"}
    asked = ((o, results.compared(row.key, o.key, metric)) for o in results.rows if o.key.arm in arms)
    better = [other for other, c in asked if c is not None and c.reading == "loss"]
    better.sort(key=lambda other: other.mean(metric) or 0.0, reverse=higher_is_better(metric) is not False)
    names = listed([f"{other.key.label} ({plain(other.mean(metric) or 0.0)[0]})" for other in better])
    return f"; {names} {'is' if len(better) == 1 else 'are'} better without a spiking network" if better else ""


def _cost(results: Results, row: Row, metric: str) -> str:
    """Spikes and operations, and what the readout alone reaches without them."""
    operations, alone = synops(row), results.row(Key("InputOnly"))
    counted = ((row.costs.get("spikes_per_sample"), "spikes"), (operations, "synaptic operations"))
    spent = [f"{quantity(_rounded(n))} {words}" for n, words in counted if n is not None]
    costs = f"{' and '.join(spent)} a {sample_name(results)}" if spent else ""
    if alone.mean(metric) is None:
        return f"It spends {costs}; no readout without a network stands beside it." if costs else ""
    said = f"The same readout without a network has {_value(alone.score(metric), metric)}"
    compared = results.compared(row.key, alone.key, metric)
    said += f": {row.key.label} is {_difference(compared)} that" if compared is not None else ""
    least = synops(alone)
    times = quantity(_rounded(operations / least)) if operations and least else ""
    ratio = f", {times} times the operations of the readout alone" if times else ""
    return f"{said}, for {costs}{ratio}." if costs else f"{said}."


def _pruned(results: Results, metric: str) -> str:
    """What pruning left, and whether other cuts of the same size are as good."""
    methods = pruned_of(results)
    row = results.row(methods[0].key if methods else None)
    if row.mean(metric) is None or methods[0].n_synapses is None:
        return ""
    first, *others = methods
    before, after = methods[0].n_synapses
    said = f"Pruned ({first.key.method}) to {after:,.0f} of {before:,.0f} recurrent synapses it has "
    said += _value(row.score(metric), metric)
    if (compared := results.compared(first.key, first.dense, metric)) is not None:
        said += f", {_difference(compared)} the unpruned network"
    said += f", with {first.fewer_synops:.3g} times fewer operations" if first.fewer_synops else ""
    equal = [other.key for other in others if of_equal_size(results, first.key, other.key)]
    rivals = [(str(key.method), c) for key in equal if (c := results.compared(first.key, key, metric))]
    told = [f"{_difference(c)} {name}" for name, c in rivals if c.reading != "none"]
    same = [name for name, c in rivals if c.reading == "none"]
    told += [f"not to be told from {listed(same)}"] if same else []
    return f"{said}; among cuts of the same size it is {listed(told)}." if told else f"{said}."


def _over(results: Results, reference: Key, metric: str) -> str:
    """Over what the score is a mean: so many recordings of whom, so many starts."""
    details = next((unit.details for unit in results.units_of(reference) if unit.details.values), Part({}))
    if metric == UNSEEN:
        unseen, groups = details.items("unseen"), [str(group) for group in details.items("unseen_groups")]
        n = f"{sum(map(bool, unseen)):,} recordings" if unseen else "recordings"
        names = f" {listed(groups[:8])}," if groups else ""
        whose = group_word(results, reference) + ("" if len(groups) == 1 else "s")
        return f"On {n} of {whose}{names} not seen in training"
    labels, starts = details.items("labels"), details.part("by_start").items(metric)
    if labels:
        return f"On {len(labels):,} test recordings"
    return f"Over {plural(len(starts), 'start')}" if starts else "On the test part"


def _value(estimate: Estimate, metric: str) -> str:
    return f"{with_interval(plain, estimate.mean or 0.0, estimate.ci95)}{unit_of(metric)}"


def _difference(c: Comparison) -> str:
    """How the first stands to the second, whose name can follow."""
    if c.diff is None:
        return "without a value to compare with"
    difference = with_interval(signed, c.diff, c.ci95)
    if c.ci95 is None:
        return f"{difference} (no interval, so no finding) against" if c.diff else "equal to"
    if c.reading == "none":
        return f"not measurably different ({difference}) from"
    judged = {"gain": "better", "loss": "worse"}[c.reading]
    word = judged if c.metric in METRICS else "higher" if c.diff > 0 else "lower"
    return f"{with_interval(plain, abs(c.diff), sorted(map(abs, c.ci95)))} {word} than"


def _rounded(value: float) -> float:
    """Two digits: enough for a sentence."""
    return float(f"{value:.2g}")
