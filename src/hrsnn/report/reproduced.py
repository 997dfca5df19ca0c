"""The page of a figure or table about pruning, made again: drawn from its document alone (`hrsnn reproduce`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.document import Part
from hrsnn.report.parts.drawing import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, VERMILION, Figure, Trace, shown
from hrsnn.report.parts.page import Page, Section, warnings_of
from hrsnn.report.parts.table import Cell, Table, table_of
from hrsnn.report.parts.words import Finding, Kind, capital, plural, quantity, signed, with_interval
from hrsnn.report.pruning import before_and_after, shrinking
from hrsnn.vocabulary import REPRODUCTION, label_of

TASKS = {
    "lorenz63": "Lorenz-63", "rossler": "Rössler", "google-stock": "Google stock", "wind": "wind",
    "spoken-digits": "spoken digits",
}  # fmt: skip
# What is shown, where a task has it; valid prediction times are those at an error of 0.1.
METRICS = ("accuracy", "rmse", "vpt_steps", "vpt_lyapunov")
COSTS = {"synops_recurrent": "recurrent operations per sample", "synops": "all synaptic operations per sample"}
LOOKS = {
    "unpruned": (INK, "solid", "circle"), "no-recurrence": (GREY, "dot", "circle"),
    "activity": (ORANGE, "dash", "square"), "random": (SKY, "dash", "diamond"),
    "lnp-published": (BLUE, "solid", "circle"), "lnp": (VERMILION, "solid", "triangle-up"),
    "step-1": (SKY, "dash", "square"), "step-2": (PURPLE, "dash", "diamond"), "steps-12": (BLUE, "solid", "circle"),
    "steps-123": (ORANGE, "dash", "cross"), "steps-124": (GREEN, "dash", "x"),
    "steps-1234": (GREEN, "solid", "hexagon"), "random-1": (GREY, "dash", "diamond-open"),
}  # fmt: skip
MAX_BANDS = 4  # more of them over each other show nothing
SIDES = {"below": "less", "above": "more"}
KINDS: dict[str, Kind] = {"supports": "gain", "against": "loss", "not shown": "none"}

Document = Mapping[str, Any]
Entry = Mapping[str, Any]
Column = Callable[[Entry], Cell | str]


def page(document: Document) -> Page:
    """The page of a document of `hrsnn reproduce`; raises `InputError` for a document of another schema."""
    REPRODUCTION.checked(document)
    scale, words = document["scale"], document["methods"]
    stopped = [f"{_setting(s)}, {words[s['method']]}, seed {s['seed']}: {s['why']}" for s in document["stopped"]]
    figures = list(_on_the_way(document))
    sections = [
        Section("sizes", "Neurons and synapses on the way", "Every method leaves exactly these sizes after each "
            "iteration, so that scores can be compared.", [_sizes(document) if figures else None]),
        Section("scores", "Scores and operations on the way", "Means over seeds, where lines are few with bands of one "
            "standard deviation on either side. Each network is trained by itself after it was pruned. The dotted line "
            "is the unpruned network without recurrent synapses: where the others begin, at iteration 0, no better "
            "than that, any pruning looks good.", figures, folded=False),
        Section("time-constants", "Time constants",
            "Membrane time constants of the neurons that are left, of all seeds together; those beyond the axis are "
            "counted in its last bar.", _time_constants(document), [_time_constant_table(document)], small=True),
        Section("against", "Error against operations",
            "Each mark is one row of the tables below with its 95 % interval: the further left, the cheaper. HRSNN is "
            "filled, CHRSNN open.", _against(document) if not figures else (), small=True, folded=False),
        Section("ends", "At the end of the way", "Means over seeds ± one standard deviation. Valid prediction ends at "
            "an error of 0.1. Operations are per sample, in forecasts per value shown; 'all' counts input and readout. "
            "Published numbers are of networks of other sizes and of other recordings: claims, which nothing here was "
            "fitted to.", tables=tables(document), folded=False),
        Section("comparisons", "Compared by seed", "Differences a − b over seeds with 95 % t-intervals, each for "
            "itself, and the side that is claimed.", tables=[_comparisons(document)]),
        warnings_of(stopped, "Stopped early"),
        Section("method", "How it was made", paragraphs=_method(document)),
    ]  # fmt: skip
    return Page(kind=f"hrsnn reproduce {document['name']}", title=document["title"], created=document["created"],
        facts=(f"scale {scale['name']} · {scale['n_neurons']} neurons · {plural(scale['n_seeds'], 'seed')}",),
        found=findings(document), sections=sections, key="▲ as claimed \u2002 ▼ the opposite \u2002 ○ nothing "
        "measurable \u2002 ? open", versions=document["versions"], again="Stopped and started again, it goes on where "
        "it was, and gives the same numbers:", code=document["command"])  # fmt: skip


def _method(document: Document) -> tuple[str, ...]:
    return (
        *(f"{_task(case)}: {words}" for case, words in document["tasks"].items()),
        "HRSNN is a directed small world of heterogeneous neurons, CHRSNN four of them, sparsely joined, each with "
        "time constants of its own; on the digits the network is the built-in one. A way has "
        f"{document['scale']['n_iterations']} iterations to 4.94 % of the recurrent synapses, as published, and 45 % "
        "of the neurons: the published 6 % cannot hold so many synapses. Firing rates are brought back to those of the "
        "unpruned network after each step, for all methods alike. Pruning sees no data and no scores, but for activity "
        "pruning, which learns on the training part and counts spikes there. What was pruned learns by STDP, and a "
        "linear readout is fitted; a random graph has the neurons and synapses of the others, drawn anew in each "
        "iteration.",
        "LNP as published: harmonic means of exponents, noise of equal strength on all neurons, one step after the "
        "other to the end, new synapses by variance of degree, time constants in every tenth iteration. LNP as "
        "shipped: what the library does when nobody asks for anything else, in one step from the unpruned network to "
        "each size. In branches of the ablation, what a step that is left out would have chosen goes by chance.",
    )


# -- in words ----------------------------------------------------------------------------------------------------------


def findings(document: Document) -> list[Finding]:
    """What the paired comparisons say, one sentence for each question, in the order in which they were asked."""
    asked: dict[tuple[str, str, str], list[Entry]] = {}
    for comparison in document["comparisons"]:
        asked.setdefault((comparison["a"], comparison["b"], comparison["metric"]), []).append(comparison)
    said = [_answer(document, *question, answers) for question, answers in asked.items()]
    said += [_spread_of_tau(document)] if document["time_constants"] else []
    said += [Finding("open", f"Left out: {why}.") for why in document["left_out"].values()]
    return said or [Finding("plain", "Nothing was compared.")]


def _answer(document: Document, a: str, b: str, metric: str, answers: Sequence[Entry]) -> Finding:
    words, score = document["methods"], label_of(metric)
    question = f"{capital(words[a])} against {words[b]}, {score}"
    first, n = answers[0], len(answers)
    if n == 1 and first["ci95"] is None:
        return Finding("open", f"{question}: too few seeds for an interval.")
    if n == 1:
        said = f"{_difference(first)}, claimed {SIDES[first['claimed']]}"
        return Finding(KINDS[first["reading"]], f"{question}: {said}.")
    supports, against, nothing = (sum(one["reading"] == reading for one in answers) for reading in KINDS)
    told = f"better in {supports} of {n} settings, worse in {against}, nothing measurable in {nothing}"
    kind: Kind = "gain" if 2 * supports > n else "loss" if 2 * against > n else "none"
    return Finding(kind, f"{question}: {told}.")


def _spread_of_tau(document: Document) -> Finding:
    found = [one for one in document["time_constants"] if one["sign"] == "excitatory"]
    each = [f"{document['methods'][one['method']]} {one['mean_ms']:.1f} ± {quantity(one['sd_ms'])} ms" for one in found]
    return Finding(
        "plain", f"Membrane time constants of excitatory neurons, mean ± standard deviation: {'; '.join(each)}."
    )


def _difference(one: Entry) -> str:
    if one["effect"] is None:
        return "–"
    return with_interval(signed, round(one["effect"], 9), one["ci95"] and [round(end, 9) for end in one["ci95"]])


def _task(case: str) -> str:
    return TASKS.get(case, case)


def _setting(one: Entry) -> str:
    return f"{_task(one['case'])}, {one['model']}"


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(document: Document) -> list[Table]:
    """One table for each task: the end of the way, all methods and models."""
    return [table for case in document["tasks"] if (table := _table(document, case)) is not None]


def _table(document: Document, case: str) -> Table | None:
    words, rows = document["methods"], [row for row in document["rows"] if row["case"] == case]
    several = len({row["model"] for row in rows}) > 1
    columns: dict[str, Column] = {
        _task(case): lambda row: Cell(words[row["method"]], row["model"] if several else ""),
        "neurons": lambda row: Cell(quantity(row["n_neurons"]), f"{quantity(row['n_synapses'])} synapses"),
        "recurrent ops": lambda row: _spent(row, "synops_recurrent", None),
        "all ops": lambda row: _spent(row, "synops", row["published"]["fewer_operations"]),
    }
    for name in _metrics_of(rows):
        columns[label_of(name)] = partial(_score, name=name)
    return table_of(rows, columns, title=_task(case))


def _metrics_of(rows: Sequence[Entry]) -> list[str]:
    return [name for name in METRICS if rows and name in rows[0]["metrics"]]


def _spent(row: Entry, name: str, claimed: float | None) -> Cell:
    """Operations, and how many times fewer than those of the unpruned network."""
    fewer = row["fewer"][name]
    ratio = "" if fewer is None or fewer == 1 else f"÷ {quantity(fewer)}"
    note = ratio if claimed is None else f"{ratio}, published ÷ {quantity(claimed)}"
    return Cell(quantity(row["costs"][name]["mean"]), note)


def _score(row: Entry, name: str) -> Cell:
    found, claimed = row["metrics"][name], row["published"]["metrics"].get(name)
    if found["mean"] is None:
        return Cell("–")
    spread = "" if found["sd"] is None else f" ± {quantity(found['sd'])}"
    note = "" if claimed is None else f"published {claimed['mean']:g}"
    return Cell(f"{quantity(found['mean'])}{spread}", note)


def _comparisons(document: Document) -> Table | None:
    words, rows = document["methods"], document["comparisons"]
    columns: dict[str, Column] = {
        "a against b": lambda one: Cell(words[one["a"]], f"against {words[one['b']]}"),
        "setting": _setting,
        "score": lambda one: Cell(label_of(one["metric"]), f"claimed {SIDES[one['claimed']]}"),
        "reading": lambda one: one["reading"],
        "a − b": _difference,
        "seeds": lambda one: str(one["n"]),
    }
    return table_of(rows, columns, n_names=4, title="comparisons", folded=len(rows) > 12)


def _time_constant_table(document: Document) -> Table | None:
    columns: dict[str, Column] = {
        "neurons": lambda one: Cell(document["methods"][one["method"]], one["sign"]),
        "of all seeds": lambda one: quantity(one["n"]),
        "mean (ms)": lambda one: quantity(one["mean_ms"]),
        "standard deviation (ms)": lambda one: quantity(one["sd_ms"]),
        "median (ms)": lambda one: quantity(one["median_ms"]),
    }
    return table_of(document["time_constants"], columns)


# -- figures -----------------------------------------------------------------------------------------------------------


def _sizes(document: Document) -> Figure | None:
    """Of the method that takes all iterations and got furthest: the others have the same."""
    ways = [way["sizes"] for way in document["ways"]]
    longest = max(ways, key=lambda way: len(way["iteration"]))
    return shrinking(Part(longest)) if len(longest["iteration"]) > 2 else None


def _on_the_way(document: Document) -> list[Figure | None]:
    """One figure for each score and each kind of operations, where there is a way between its ends."""
    ways = [way for way in document["ways"] if way["metrics"]]
    if not any(len(way["iteration"]) > 1 for way in ways):
        return []
    scores = {n: label_of(n) for n in _metrics_of(ways) if n != "vpt_lyapunov"}  # the steps in another unit
    of = {"metrics": scores, "costs": COSTS}
    return [_course(document, ways, part, *name) for part, names in of.items() for name in names.items()]


def _course(document: Document, ways: Sequence[Entry], part: str, name: str, words: str) -> Figure | None:
    """Lines over iterations, each from the unpruned network on; those without a way are levels. Costs by powers."""
    last, logarithmic = document["scale"]["n_iterations"], part == "costs"
    start = next((way[part][name][0] for way in ways if way["method"] == "unpruned"), None)
    bands = not logarithmic and sum(len(way["iteration"]) > 1 for way in ways) <= MAX_BANDS
    data: list[Trace] = []
    for way in (way for way in ways if way["method"] != "unpruned"):
        found = list(zip(way["iteration"], way[part][name], strict=True))
        if way["iteration"] == [0]:
            found = [(0, found[0][1]), (last, found[0][1])]
        elif start is not None:
            found = [(0, start), *found]
        known = [(k, one) for k, one in found if one["mean"] is not None and (one["mean"] > 0 or not logarithmic)]
        if known:
            data += _lines(document, way, known, with_band=bands and way["iteration"] != [0])
    y = draw.log_axis(words, *draw.span(data)) if logarithmic else draw.number_axis(words)
    return draw.chart(data, draw.iterations_axis(last), y, f"{words} on the way", 360, title=capital(words))


def _lines(document: Document, way: Entry, known: Sequence[tuple[int, Entry]], *, with_band: bool) -> list[Trace]:
    colour, dash, symbol = LOOKS[way["method"]]
    x, means = [k for k, _ in known], [one["mean"] for _, one in known]
    words = shown(document["methods"][way["method"]], 40)
    mark = symbol if with_band or len(set(x)) > 2 else ""
    line = draw.curve(
        x, means, colour, dash, name=words, mark=mark, size=7,
        hover=f"{words}, after %{{x}}: %{{y:.4g}} %{{customdata}}",
        customdata=[f"± {quantity(one['sd'])}, {one['n']} seeds" for _, one in known],
    )  # fmt: skip
    low, high = ([one["mean"] + sign * (one["sd"] or 0.0) for _, one in known] for sign in (-1, 1))
    return [draw.band(x, low, high, colour, 0.10), line] if with_band else [line]


def _against(document: Document) -> Iterator[Figure | None]:
    """For each task the error of every row against all operations."""
    for case in document["tasks"]:
        rows = [row for row in document["rows"] if row["case"] == case]
        metric = next(iter(_metrics_of(rows)), "")
        points = [row for row in rows if metric and row["metrics"][metric]["mean"] is not None]
        if len(points) < 2:
            continue
        data = [_point(document, row, metric) for row in points]
        spent, words = [row["costs"]["synops"]["mean"] for row in points], COSTS["synops"]
        wide = max(spent) > 8 * min(spent)
        x = draw.log_axis(words, min(spent) / 1.2, max(spent) * 1.2) if wide else draw.axis_from_zero(words)
        label = f"{metric} against operations, {_task(case)}"
        yield draw.chart(data, x, label_of(metric), label, 440, title=_task(case))


def _point(document: Document, row: Entry, metric: str) -> Trace:
    score, spent = row["metrics"][metric], row["costs"]["synops"]["mean"]
    (colour, _, symbol), is_open = LOOKS[row["method"]], row["model"] == "CHRSNN"
    name = shown(document["methods"][row["method"]], 40)
    marker = {"color": colour, "symbol": f"{symbol}-open" if is_open else symbol, "size": 10}
    ends = draw.error_bars([score["mean"]], [score["ci95"]], colour, 1, 0)
    tip = f"{name}<br>{row['model']}, {quantity(spent)} operations<br>{_score(row, metric).text}"
    legend = {"name": name, "showlegend": not is_open, "legendgroup": row["method"]}
    return draw.marks([spent], [score["mean"]], marker=marker, hovertext=[tip], error_y=ends, **legend)


def _time_constants(document: Document) -> Iterator[Figure | None]:
    """A panel for each method and sign: the unpruned networks dotted, what is left of them filled."""
    found = [one for one in document["time_constants"] if one["method"] != "unpruned"]
    titles = [f"{capital(document['methods'][one['method']])}: {one['sign']}" for one in found]
    each = zip(titles, found, strict=True)
    yield from before_and_after((title, "membrane time constant (ms)", Part(one)) for title, one in each)
