"""The page of `hrsnn search`: what was found, how the search went there, and what mattered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hrsnn.distributions import Distribution, from_toml
from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.document import Part
from hrsnn.report.parts.drawing import BLUE, GREY, VERMILION, Figure
from hrsnn.report.parts.page import Page, Section
from hrsnn.report.parts.table import Cell, Table, named, table_of
from hrsnn.report.parts.words import Finding, quantity
from hrsnn.vocabulary import OBJECTIVES, SEARCH


def page(document: Mapping[str, Any]) -> Page:
    """The page of a document of `hrsnn search`; raises `InputError` for a document of another schema."""
    whole = Part(SEARCH.checked(document), owner=SEARCH.file)
    trials = whole.parts("trials")
    objectives = [OBJECTIVES.get(str(name), str(name)) for name in whole.items("objectives")]
    sections = [
        Section("convergence", "How the search went",
            "Each point is a trial, hollow where the network was dead or exploding; the line is the best so far.",
            [_convergence(trials, objectives)] if len(objectives) == 1 else [_front(trials, objectives)], folded=False),
        Section("found", "Laws and numbers of the best trial",
            "Beside the box that was searched. The value of the best is the largest of many and so too large: measure "
            "it again with fresh seeds.", tables=[found_table(document)], folded=False),
        Section("importance", "What mattered",
            "Shares in what sets the better trials apart (PED-ANOVA).",
            tables=[named(whole.part("importance").known(), "coordinate", "share")]),
        Section("trials", "All trials", tables=[_trials(trials, objectives)]),
        Section("settings", "Settings", tables=[named(whole.part("settings").values, "setting", "value")]),
    ]  # fmt: skip
    return Page(
        kind="hrsnn search", title=str(document.get("name") or "search"), created=str(document.get("created") or ""),
        facts=(f"{len(trials)} trials · larger is better: {', '.join(objectives)}",), found=findings(document),
        sections=sections, versions=whole.part("versions").values,
    )  # fmt: skip


def findings(document: Mapping[str, Any]) -> list[Finding]:
    """What came out, in sentences."""
    whole = Part(SEARCH.checked(document), owner=SEARCH.file)
    trials, best = whole.parts("trials"), whole.part("best")
    told = []
    if best.values:
        told.append(
            Finding("plain", f"The best of {len(trials)} trials is number {best.whole('number') + 1}, with "
                    f"{quantity(best.number('value'))}; first of all was {quantity(_value(trials[0], 0))}.")
        )  # fmt: skip
    n_bad = sum(not trial.values.get("feasible") for trial in trials if trial.text("state") == "complete")
    n_failed = sum(trial.text("state") == "fail" for trial in trials)
    if n_bad:
        told.append(Finding("plain", f"{n_bad} trials had networks that were dead or exploding."))
    if n_failed:
        told.append(Finding("plain", f"{n_failed} trials failed."))
    return told or [Finding("plain", "No trial was feasible.")]


def _value(trial: Part, k: int) -> float | None:
    values = trial.numbers("values")
    return values[k] if len(values) > k else None


def _convergence(trials: list[Part], objectives: list[str]) -> Figure | None:
    known = [(trial.whole("number") + 1, value, bool(trial.values.get("feasible"))) for trial in trials
             if (value := _value(trial, 0)) is not None]  # fmt: skip
    best, line = -math.inf, []
    for number, value, feasible in known:
        best = max(best, value) if feasible else best
        line.append((number, best if math.isfinite(best) else None))
    traces = [
        _points([(n, v) for n, v, ok in known if ok], "trial", GREY, "circle"),
        _points([(n, v) for n, v, ok in known if not ok], "dead or exploding", VERMILION, "circle-open"),
        {"type": "scatter", "mode": "lines", "x": [n for n, _ in line], "y": [v for _, v in line],
         "name": "best so far", "line": {"color": BLUE, "width": 2, "shape": "hv"}},
    ]  # fmt: skip
    shown = [trace for trace in traces if trace["x"]]
    x, y = draw.number_axis("trial"), draw.number_axis(objectives[0])
    return draw.chart(shown, x, y, f"{objectives[0]} of each trial and the best so far", 320)


def _front(trials: list[Part], objectives: list[str]) -> Figure | None:
    pairs = [(_value(trial, 0), _value(trial, 1)) for trial in trials if trial.values.get("feasible")]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    traces = [_points(known, "trial", BLUE, "circle")] if known else []
    x, y = (draw.number_axis(name) for name in objectives)
    return draw.chart(traces, x, y, f"{objectives[1]} against {objectives[0]}", 360)


def _points(at: list[tuple[float, float]], name: str, colour: str, symbol: str) -> dict[str, Any]:
    return {"type": "scatter", "mode": "markers", "x": [x for x, _ in at], "y": [y for _, y in at], "name": name,
            "marker": {"color": colour, "symbol": symbol, "size": 7}}  # fmt: skip


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


def _trials(trials: list[Part], objectives: list[str]) -> Table | None:
    """Trials with their values; what each of them was stands in the document."""
    columns: dict[str, Any] = {"trial": lambda t: Cell(str(t.whole("number") + 1)), "state": lambda t: Cell(_state(t))}
    columns |= {name: lambda t, k=k: Cell(quantity(_value(t, k))) for k, name in enumerate(objectives)}
    return table_of(trials, columns, n_names=2, folded=True)


def _state(trial: Part) -> str:
    infeasible = trial.text("state") == "complete" and not trial.values.get("feasible")
    return "infeasible" if infeasible else str(trial.text("state"))
