"""The tables of the report: pure functions from results to rows of text, escaped later by the template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hrsnn.report.figures import told
from hrsnn.report.parts.table import Cell, Table, as_text
from hrsnn.report.parts.words import plain, quantity, signed
from hrsnn.report.pruned import synops
from hrsnn.report.source import Key, Results, Row, Unit, detail, number
from hrsnn.vocabulary import COSTS, METRICS, higher_is_better, label_of

MAX_TRIED = 60
PREFIXES = ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"), (1.0, "pJ"))
READOUT_NAMES = {
    "n_bins": "time bins",
    "transform": "transform",
    "model": "model",
    "regularisation": "regularisation",
    "validation_accuracy": "accuracy on validation",
    "validation_nrmse": "NRMSE on validation",
}


def first(results: Results, metric: str, sample: str) -> Table:
    """Every arm with the score that the first screen speaks of, what it spends and how far that is from the readout.

    `sample` is what costs are counted per.
    """
    beside = "accuracy" if metric != "accuracy" and any("accuracy" in row.metrics for row in results.rows) else None
    spiking = any(row.costs.get("spikes_per_neuron") for row in results.rows)
    rows = [
        (
            _name(row.key),
            _estimate(row, metric),
            *([_estimate(row, beside)] if beside else []),
            *([Cell(quantity(row.costs.get("spikes_per_neuron") or None))] if spiking else []),
            Cell(quantity(synops(row) or None)),
        )
        for row in results.rows
        if row.score(metric).mean is not None
    ]
    columns = ["", label_of(metric)]
    columns += [f"{label_of(beside)}, all"] if beside else []
    columns += ["spikes / neuron"] if spiking else []
    return Table((*columns, f"operations / {sample}"), tuple(rows), title="The arms")


def scores(results: Results) -> Table | None:
    """Every arm with its metrics; columns without any value are left out."""
    found = {name for row in results.rows for name, e in row.metrics.items() if e.mean is not None}
    metrics = [name for name in [*METRICS, *sorted(found - set(METRICS))] if name in found]
    rows = [
        (_name(row.key), Cell(str(row.n_seeds)), *(_estimate(row, name) for name in metrics)) for row in results.rows
    ]
    return Table(("arm", "seeds", *(label_of(name) for name in metrics)), tuple(rows)) if rows else None


def costs(results: Results) -> Table | None:
    """Every arm with its spikes and synaptic operations; columns without any value are left out."""
    counted = {
        cost.name: cost.label
        for cost in COSTS.values()
        if cost.label and any(row.costs.get(cost.name) is not None for row in results.rows)
    }
    rows = [(_name(row.key), *(Cell(quantity(row.costs.get(cost))) for cost in counted)) for row in results.rows]
    return Table(("arm", *counted.values()), tuple(rows)) if counted else None


def energies(results: Results) -> Table | None:
    """The energy of every arm by profile, whose name always stands beside it; None where nothing has any."""
    profiles = sorted({name for row in results.rows for name, pj in row.energy_pj.items() if pj is not None})
    if not profiles:
        return None
    units = {name: _energy_unit(row.energy_pj.get(name) for row in results.rows) for name in profiles}
    rows = [
        (_name(row.key), *(Cell(_energy(row.energy_pj.get(name), units[name][0])) for name in profiles))
        for row in results.rows
    ]
    return Table(("arm", *(f"energy, {units[name][1]} ({name})" for name in profiles)), tuple(rows))


def comparisons(results: Results) -> Table | None:
    """Every comparison of every metric, in words."""
    rows = []
    for c in results.told:
        names = (_name(c.a), _name(c.b), Cell(label_of(c.metric)))
        rows.append((*names, Cell(told(c)), Cell.of(signed, c.diff, c.ci95), Cell(str(c.n_pairs))))
    columns = ("a", "b", "metric", "a is", "a − b", "paired seeds")
    return Table(columns, tuple(rows), n_names=4) if rows else None


def readouts(results: Results) -> list[Table]:
    """The readout each arm chose on validation, one row per arm, and all that the reference arm tried."""
    chosen = {
        row.key: [readout for u in results.units_of(row.key) if isinstance(readout := detail(u, "readout"), dict)]
        for row in results.rows
    }
    names = list(dict.fromkeys(str(n) for rs in chosen.values() for r in rs for n in r if n != "tried"))
    names.sort(key=_is_score)
    rows = []
    for key, several in chosen.items():
        if several:
            values = (
                _mean(number(r.get(n)) for r in several) if _is_score(n) else _counted(_text(r.get(n)) for r in several)
                for n in names
            )
            rows.append((_name(key), Cell(str(len(several))), *(Cell(value) for value in values)))
    columns = ("arm", "seeds", *(READOUT_NAMES.get(name, name) for name in names))
    tried = next((u for u in results.units_of(results.reference) if detail(u, "readout", "tried")), None)
    tables = [Table(columns, tuple(rows)), *([] if tried is None else [_tried(tried)])]
    return [table for table in tables if table.rows]


def warnings(results: Results) -> list[Cell]:
    """Every distinct warning, with the units of work that gave it."""
    found: dict[str, list[str]] = {}
    for unit in results.units:
        for text in unit.warnings:
            found.setdefault(text, []).append(f"{unit.key.label}, seed {unit.seed}")
    return [
        Cell(text, "; ".join(where[:6]) + (f"; and {len(where) - 6} more" if len(where) > 6 else ""))
        for text, where in found.items()
    ]


def _tried(unit: Unit) -> Table:
    given = detail(unit, "readout", "tried")
    settings = [t for t in given if isinstance(t, dict)] if isinstance(given, list) else []
    names = list(dict.fromkeys(str(name) for t in settings for name in t))
    best = next((name for name in names if _is_score(name)), None)
    if best is not None:
        sign = 1.0 if higher_is_better(best.removeprefix("validation_")) is False else -1.0
        settings.sort(key=lambda t: (number(t.get(best)) is None, sign * (number(t.get(best)) or 0.0)))
    shown = settings[:MAX_TRIED]
    rows = tuple(
        tuple(Cell(_mean([number(t.get(n))]) if _is_score(n) else _text(t.get(n))) for n in names) for t in shown
    )
    part = f", the best {MAX_TRIED}" if len(settings) > MAX_TRIED else ""
    title = f"What was tried for {unit.key.label}, seed {unit.seed} ({len(settings)} readouts{part})"
    return Table(tuple(READOUT_NAMES.get(name, name) for name in names), rows, n_names=0, title=title, folded=True)


def _name(key: Key) -> Cell:
    return Cell(key.arm, key.label[len(key.arm) + 2 :])


def _estimate(row: Row, metric: str) -> Cell:
    return Cell.of(plain, row.score(metric).mean, row.score(metric).ci95)


def _energy_unit(values: Iterable[float | None]) -> tuple[float, str]:
    largest = max((v for v in values if v is not None), default=0.0)
    return next(((scale, name) for scale, name in PREFIXES if largest >= scale), PREFIXES[-1])


def _energy(pj: float | None, scale: float) -> str:
    return quantity(None if pj is None else pj / scale)


def _is_score(name: object) -> bool:
    return str(name).startswith("validation_")


def _counted(values: Iterable[str]) -> str:
    """What several seeds chose: the value alone where they agree, else each with how often it was chosen."""
    counts = Counter(values).most_common()
    return counts[0][0] if len(counts) == 1 else ", ".join(f"{value} ×{n}" for value, n in counts)


def _mean(values: Iterable[float | None]) -> str:
    known = [v for v in values if v is not None]
    return plain(sum(known) / len(known))[0] if known else "–"


def _text(value: object) -> str:
    value = as_text(value)
    return value if len(value) <= 60 else value[:59] + "…"
