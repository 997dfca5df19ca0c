"""The page of `hrsnn search`: what was found, how the search went there, and what mattered."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from hrsnn.distributions import Distribution, from_toml
from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.document import Part
from hrsnn.report.parts.drawing import BLUE, GREY, VERMILION, Figure
from hrsnn.report.parts.page import Page, Section
from hrsnn.report.parts.table import Cell, Table, named, table_of
from hrsnn.report.parts.words import Finding, listed, plural, quantity
from hrsnn.vocabulary import OBJECTIVES, SEARCH, Objective

_SHOWN = 12  # coordinates whose importance is drawn
_ASKED = ("energy profile", "budget per sample", "pruned by")  # settings that the values depend on


def page(document: Mapping[str, Any]) -> Page:
    """The page of a document of `hrsnn search`; raises `InputError` for a document of another schema."""
    whole = Part(SEARCH.checked(document), owner=SEARCH.file)
    trials, objectives = whole.parts("trials"), _objectives(whole)
    lengths, settings = whole.part("lengths").known(), whole.part("settings")
    asked = [f"{name} {settings.text(name)}" for name in _ASKED if settings.text(name)]
    one = len(objectives) == 1
    sections = [
        Section("convergence", "How the search went",
            "Each point is a trial, open where it was infeasible; the line is the best so far.",
            [_convergence(trials, objectives[0]) if one else None], folded=False),
        Section("plane", "What it costs" if one else "The front",
            "Each point is a feasible trial, on validation data. " + ("The best trial is filled." if one else
            "None is better in both quantities than a filled one."),
            [_plane(whole, trials, objectives)], folded=False),
        Section("found", "Laws and numbers of the best trial",
            "Beside the box that was searched. The value of the best is the largest of many and so too large: measure "
            "it again with fresh seeds.", tables=[found_table(document)], folded=False),
        Section("laws", "Laws that were found",
            "Filled, against all laws of the box together, dashed; densities over logarithmic axes.",
            list(_laws(whole)), small=True, folded=False),
        Section("importance", "What mattered",
            "Shares in what sets the better trials apart (PED-ANOVA). Lengths are those of the Gaussian process, in "
            "standard deviations over the box: the shorter one is, the more the parameter matters.",
            [_importance(whole.part("importance").known())],
            [named(dict(sorted(lengths.items(), key=lambda pair: pair[1])), "parameter", "length")]),
        Section("trials", "All trials", tables=[_trials(trials, objectives)]),
        Section("settings", "Settings", tables=[named(settings.values, "setting", "value")]),
    ]  # fmt: skip
    return Page(
        kind="hrsnn search", title=str(document.get("name") or "search"), created=str(document.get("created") or ""),
        facts=(f"{plural(len(trials), 'trial')} · larger is better: {'; '.join(o.words for o in objectives)}",
               " · ".join(asked)),
        found=findings(document), sections=sections, versions=whole.part("versions").values,
    )  # fmt: skip


def _objectives(whole: Part) -> list[Objective]:
    """Those of the document; one that stands in no table is called by its own name."""
    names = map(str, whole.items("objectives"))
    return [OBJECTIVES.get(name) or Objective(name, name, name) for name in names]


def findings(document: Mapping[str, Any]) -> list[Finding]:
    """What came out, in sentences."""
    whole = Part(SEARCH.checked(document), owner=SEARCH.file)
    trials, best, front = whole.parts("trials"), whole.part("best"), whole.items("front")
    told = []
    if best.values:
        value, first = quantity(best.number("value")), quantity(_value(trials[0], 0))
        expected, objective = best.number("expected"), _objectives(whole)[0]
        said = f"{value}, of which {quantity(expected)} is expected again" if expected is not None else value
        if objective.of != "itself" and (seen := best.number("value")) is not None:
            said += f" ({objective.quantity}: {quantity(objective.as_read(seen))})"
        number = best.whole("number") + 1
        told.append(f"The best of {len(trials)} trials is number {number}, with {said}; first of all was {first}.")
    elif front:
        told.append(f"{len(front)} of {plural(len(trials), 'trial')} are on the front: none is better in both.")
    if not any(trial.values.get("feasible") for trial in trials):
        told.append("No trial was feasible.")
    broken = [name for trial in trials for name, limit in trial.part("limits").known().items() if limit > 0]
    each = [f"{broken.count(name)} {name}" for name in dict.fromkeys(broken)]
    told += [f"Infeasible: {listed(each)}."] if each else []
    n_failed = sum(trial.text("state") == "fail" for trial in trials)
    told += [f"{plural(n_failed, 'trial')} failed."] if n_failed else []
    return [Finding("plain", sentence) for sentence in told]


def _value(trial: Part, k: int) -> float | None:
    values = trial.numbers("values")
    return values[k] if len(values) > k else None


# -- figures -----------------------------------------------------------------------------------------------------------


def _convergence(trials: Sequence[Part], objective: Objective) -> Figure | None:
    """The quantity behind the objective, as people read it."""
    known = [(trial.whole("number") + 1, value, bool(trial.values.get("feasible"))) for trial in trials
             if (value := _value(trial, 0)) is not None]  # fmt: skip
    best, line = -math.inf, list[tuple[int, float]]()
    for number, value, feasible in known:
        best = max(best, value) if feasible else best
        line += [(number, objective.as_read(best))] if math.isfinite(best) else []
    looks = ((True, "trial", GREY, "circle"), (False, "infeasible", VERMILION, "circle-open"))
    traces = [
        _points([(n, objective.as_read(v)) for n, v, feasible in known if feasible is ok], name, colour, symbol)
        for ok, name, colour, symbol in looks
    ]
    steps = draw.curve(*_columns(line), BLUE, name="best so far")
    steps["line"]["shape"] = "hv"
    shown = [trace for trace in (*traces, steps) if trace["x"]]
    y = _axis(objective, [objective.as_read(v) for _, v, _ in known]) if known else ""
    return draw.chart(shown, "trial", y, f"{objective.quantity} of each trial and the best so far", 340)


def _plane(whole: Part, trials: Sequence[Part], objectives: Sequence[Objective]) -> Figure | None:
    """Two objectives against each other, or one against spikes, as people read them."""
    feasible = [trial for trial in trials if trial.values.get("feasible")]
    if len(objectives) == 2:
        first, second = objectives
        places = {trial.whole("number"): (_value(trial, 0), _value(trial, 1)) for trial in feasible}
    else:
        first, second = OBJECTIVES["spikes"], objectives[0]
        places = {t.whole("number"): (t.part("facts").number("spikes"), _value(t, 0)) for t in feasible}
    known = {k: (first.as_read(x), second.as_read(y)) for k, (x, y) in places.items() if not (x is None or y is None)}
    if len(known) < 2 or (len(objectives) == 1 and first.name == second.name):
        return None
    chosen = [int(k) for k in whole.items("front")] or [whole.part("best").whole("number")]
    on_it = sorted(known[k] for k in chosen if k in known)
    rest = _points([at for k, at in known.items() if k not in chosen], "trial", GREY, "circle-open")
    traces = [rest, _points(on_it, "best" if len(objectives) == 1 else "front", BLUE, "circle")]
    x, y = (_axis(one, [at[k] for at in known.values()]) for k, one in enumerate((first, second)))
    return draw.chart([t for t in traces if t["x"]], x, y, f"{second.quantity} against {first.quantity}", 380)


def _axis(objective: Objective, values: Sequence[float]) -> draw.Axis:
    if "logarithm" in objective.of and max(values) > 8 * min(values) > 0:
        return draw.log_axis(objective.quantity, min(values) / 1.2, max(values) * 1.2)
    return draw.number_axis(objective.quantity)


def _points(at: Sequence[tuple[float, float]], name: str, colour: str, symbol: str) -> draw.Trace:
    marker = {"color": colour, "symbol": symbol, "size": 7}
    return draw.marks(*_columns(at), marker=marker, name=name, showlegend=True, hoverinfo="x+y")


def _columns(at: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in at], [y for _, y in at]


def _laws(whole: Part) -> Iterator[Figure | None]:
    """One small figure for each law: its density over the logarithm, and that of all laws of the box together."""
    best = whole.part("best").part("values").values
    for part in whole.parts("space"):
        name, prior = str(part.text("name")), [q for q in part.numbers("prior") if q is not None]
        if name not in best or len(prior) < 10:
            continue
        law: Distribution = from_toml(best[name])
        levels = [(k + 0.5) / len(prior) for k in range(len(prior))]
        found = law.quantile(levels).tolist() if law.variance > 0 else []
        curves = {"box": _density(prior), "found": _density(found)}
        looks = {"box": (GREY, "dash"), "found": (BLUE, "solid")}
        data = [draw.curve(*_columns(at), *looks[of], name=of, hover=None) for of, at in curves.items() if at]
        for trace in data[1:]:
            trace |= {"fill": "tozeroy", "fillcolor": draw.faded(BLUE)}
        axis = draw.decades_axis if max(prior) < 0.05 else draw.log_axis  # small numbers are long ones
        x = axis(_short(name), min(prior), max(prior))
        y = draw.axis_from_zero("density", showticklabels=False)
        yield draw.chart(data, x, y, f"{name}: found and searched", 260)


def _density(quantiles: Sequence[float]) -> list[tuple[float, float]]:
    """(value, share per unit of its logarithm), of quantiles at equal levels."""
    pairs = [(a, b) for a, b in pairwise(quantiles) if 0 < a < b]
    return [(math.sqrt(a * b), 1 / len(quantiles) / math.log(b / a)) for a, b in pairs]


def _importance(shares: Mapping[str, float]) -> Figure | None:
    """The largest first."""
    largest = sorted(shares.items(), key=lambda pair: -pair[1])[:_SHOWN]
    names, values = [draw.shown(_short(name), 34) for name, _ in largest], [share for _, share in largest]
    data = [draw.bars(values, BLUE, texts=[quantity(value) for value in values])] if values else []
    x = draw.axis_from_zero("share", range=[0, 1.15 * max(values, default=1.0)])
    return draw.chart(data, x, draw.names_axis(names), "importance of coordinates", 60 + 26 * len(names))


def _short(name: str) -> str:
    """A dotted name without its table.

    >>> _short("network.excitatory.tau_mem_ms.cv"), _short("scale")
    ('excitatory.tau_mem_ms.cv', 'scale')
    """
    return name.partition(".")[2] or name


# -- tables ------------------------------------------------------------------------------------------------------------


def found_table(document: Mapping[str, Any]) -> Table | None:
    """The laws and numbers of the best trial, and the box of their means; None where there is none."""
    whole = Part(SEARCH.checked(document), owner=SEARCH.file)
    best = whole.part("best").part("values").values
    parts = [part for part in whole.parts("space") if part.text("name") in best]

    def box(part: Part) -> str:
        bounds = part.numbers("mean") if part.text("kind") == "law" else [part.number("low"), part.number("high")]
        return " to ".join(map(quantity, bounds))

    columns = {
        "parameter": lambda part: Cell(str(part.text("name"))),
        "found": lambda part: Cell(_law(best[str(part.text("name"))])),
        "mean searched": lambda part: Cell(box(part)),
    }
    return table_of(parts, columns, n_names=2)


def _law(value: Any) -> str:
    """A law in words: its mean and coefficient of variation."""
    law: Distribution = from_toml(value)
    if law.variance == 0:
        return quantity(law.mean)
    return f"{law.kind}, mean {quantity(law.mean)}, CV {quantity(math.sqrt(law.variance) / law.mean)}"


def _trials(trials: Sequence[Part], objectives: Sequence[Objective]) -> Table | None:
    """Trials with their values; what each of them was stands in the document."""
    columns: dict[str, Any] = {"trial": lambda t: Cell(str(t.whole("number") + 1)), "state": lambda t: Cell(_state(t))}
    columns |= {o.words: lambda t, k=k: Cell(quantity(_value(t, k))) for k, o in enumerate(objectives)}
    return table_of(trials, columns, n_names=2)


def _state(trial: Part) -> str:
    infeasible = trial.text("state") == "complete" and not trial.values.get("feasible")
    return "infeasible" if infeasible else str(trial.text("state"))
