"""The tables of the report: pure functions from results to rows of text, escaped later by the template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hrsnn.report.parts.document import number
from hrsnn.report.parts.table import Cell, Columns, Table, as_text, table_of
from hrsnn.report.parts.words import plain, quantity, signed
from hrsnn.report.pruned import synops
from hrsnn.report.source import Comparison, Key, Repeat, Results, Row
from hrsnn.vocabulary import COSTS, higher_is_better, label_of

MAX_TRIED = 60
READOUT_NAMES = {
    "n_bins": "time bins", "transform": "transform", "model": "model", "regularisation": "regularisation",
    "validation_accuracy": "accuracy on validation", "validation_nrmse": "NRMSE on validation",
    "validation_score": "score on validation",
}  # fmt: skip
Readouts = tuple[Key, list[Mapping[str, Any]]]  # what each seed of a row chose


def first(results: Results, metric: str, sample: str) -> Table | None:
    """Every arm with the score that the first screen speaks of, what it spends and how far that is from the readout.

    `sample` is what costs are counted per.
    """
    columns: dict[str, Callable[[Row], Cell | str]] = {"": _name, label_of(metric): _score(metric)}
    differs = any(row.mean("accuracy") != row.mean(metric) for row in results.rows)
    if metric != "accuracy" and differs and "accuracy" in results.metrics:
        columns[f"{label_of('accuracy')}, all"] = _score("accuracy")
    if any(row.costs.get("spikes_per_neuron") for row in results.rows):
        columns["spikes / neuron"] = lambda row: quantity(row.costs.get("spikes_per_neuron") or None)
    columns[f"operations / {sample}"] = lambda row: quantity(synops(row) or None)
    return table_of([row for row in results.rows if row.mean(metric) is not None], columns, title="The arms")


def everything(results: Results) -> list[Table | None]:
    """Every arm with its metrics, its costs, and its energy by profile, whose name always stands beside it.

    Columns and tables without any value are left out.
    """
    rows = results.rows
    scored = {label_of(metric): _score(metric) for metric in results.metrics}
    named = {cost.name: cost.label for cost in COSTS.values() if cost.label}
    known = {n: label for n, label in named.items() if any(row.costs.get(n) is not None for row in rows)}
    counted, energies = {label: _spent("costs", name) for name, label in known.items()}, {}
    for profile in sorted({name for row in rows for name, pj in row.energy_pj.items() if pj is not None}):
        scale, unit = energy_unit(row.energy_pj.get(profile) for row in rows)
        energies[f"energy, {unit} ({profile})"] = _spent("energy_pj", profile, scale)
    return [
        table_of(rows, {"arm": _name, "seeds": lambda row: str(row.n_seeds), **scored}),
        table_of(rows if counted else (), {"arm": _name, **counted}),
        table_of(rows if energies else (), {"arm": _name, **energies}),
    ]


def energy_unit(values_pj: Iterable[float | None]) -> tuple[float, str]:
    """What to divide energies by, and the unit that they are in then.

    >>> energy_unit([2.0e4, None, 5.0])
    (1000.0, 'nJ')
    """
    largest = max((v for v in values_pj if v is not None), default=0.0)
    units = ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"))
    return next(((scale, unit) for scale, unit in units if largest >= scale), (1.0, "pJ"))


def comparisons(results: Results) -> Table | None:
    """Every comparison of every metric, in words."""
    columns: Columns[Comparison] = {
        "a": lambda c: _label(c.a),
        "b": lambda c: _label(c.b),
        "metric": lambda c: label_of(c.metric),
        "a is": lambda c: c.words,
        "a − b": lambda c: Cell.of(signed, c.diff, c.ci95),
        "paired seeds": lambda c: str(c.n_pairs),
    }
    return table_of(results.told, columns, n_names=4)


def readouts(results: Results) -> list[Table | None]:
    """The readout each arm chose on validation, one row per arm, and all that the reference arm tried."""
    chosen = ((row.key, [u.details.part("readout").values for u in results.units_of(row.key)]) for row in results.rows)
    rows = [(key, known) for key, several in chosen if (known := [one for one in several if one])]
    names = dict.fromkeys(str(n) for _, several in rows for one in several for n in one if n != "tried")
    columns: dict[str, Callable[[Readouts], Cell | str]] = {
        "arm": lambda row: _label(row[0]),
        "seeds": lambda row: str(len(row[1])),
        **{READOUT_NAMES.get(name, name): _over_seeds(name) for name in sorted(names, key=_is_score)},
    }
    tried = [u for u in results.units_of(results.reference) if u.details.part("readout").items("tried")]
    return [table_of(rows, columns), *map(_tried, tried[:1])]


def warnings(results: Results) -> list[Cell]:
    """Every distinct warning, with the units of work that gave it."""
    found: dict[str, list[str]] = {}
    for unit in results.units:
        for text in unit.warnings:
            found.setdefault(text, []).append(f"{unit.key.label}, seed {unit.seed}")
    more = {text: f"; and {len(where) - 6} more" if len(where) > 6 else "" for text, where in found.items()}
    return [Cell(text, "; ".join(where[:6]) + more[text]) for text, where in found.items()]


def _tried(unit: Repeat) -> Table | None:
    settings = [t for t in unit.details.part("readout").items("tried") if isinstance(t, dict)]
    names = list(dict.fromkeys(str(name) for t in settings for name in t))
    best = next((name for name in names if _is_score(name)), None)
    if best is not None:
        sign = 1.0 if higher_is_better(best.removeprefix("validation_")) is False else -1.0
        settings.sort(key=lambda t: (number(t.get(best)) is None, sign * (number(t.get(best)) or 0.0)))
    part = f", the best {MAX_TRIED}" if len(settings) > MAX_TRIED else ""
    title = f"What was tried for {unit.key.label}, seed {unit.seed} ({len(settings)} readouts{part})"
    columns = {READOUT_NAMES.get(name, name): _of_setting(name) for name in names}
    return table_of(settings[:MAX_TRIED], columns, n_names=0, title=title, folded=True)


def _name(row: Row) -> Cell:
    return _label(row.key)


def _label(key: Key) -> Cell:
    return Cell(key.arm, key.rest)


def _score(metric: str) -> Callable[[Row], Cell]:
    return lambda row: Cell.of(plain, row.mean(metric), row.score(metric).ci95)


def _spent(of: str, name: str, scale: float = 1.0) -> Callable[[Row], str]:
    """Costs or energies of one name, in units of `scale`."""
    return lambda row: quantity(None if (spent := getattr(row, of).get(name)) is None else spent / scale)


def _of_setting(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda one: _mean([number(one.get(name))]) if _is_score(name) else _text(one.get(name))


def _over_seeds(name: str) -> Callable[[Readouts], str]:
    """What several seeds chose: of scores the mean, else the value where they agree, else each with how often."""

    def text(row: Readouts) -> str:
        if _is_score(name):
            return _mean([number(one.get(name)) for one in row[1]])
        counts = Counter(_text(one.get(name)) for one in row[1]).most_common()
        return counts[0][0] if len(counts) == 1 else ", ".join(f"{value} ×{n}" for value, n in counts)

    return text


def _is_score(name: object) -> bool:
    return str(name).startswith("validation_")


def _mean(values: Iterable[float | None]) -> str:
    known = [v for v in values if v is not None]
    return plain(sum(known) / len(known))[0] if known else "–"


def _text(value: object) -> str:
    value = as_text(value)
    return value if len(value) <= 60 else value[:59] + "…"
