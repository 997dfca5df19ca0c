"""The page of a figure or table about pruning, made again: drawn from its document alone (`hrsnn reproduce`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hrsnn.report.measures import Part
from hrsnn.report.parts.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Figure,
    curve,
    error_bars,
    faded,
    figure_of,
    layout_with,
    log_axis,
    marks,
    number_axis,
    short,
    shown,
)
from hrsnn.report.parts.page import Page, Section, present, render_page, replace_file, versions_of, warnings_of
from hrsnn.report.parts.table import Cell, Table
from hrsnn.report.parts.words import Finding, Kind, plural, quantity, signed
from hrsnn.report.pruning_figures import before_and_after, shrinking
from hrsnn.vocabulary import REPRODUCTION

TASKS = {
    "lorenz63": "Lorenz-63",
    "rossler": "Rössler",
    "google-stock": "Google stock",
    "wind": "wind",
    "spoken-digits": "spoken digits",
}
# What is shown, where a task has it; valid prediction times are those at an error of 0.1.
METRICS = {"accuracy": "accuracy", "rmse": "RMSE", "vpt_steps": "VPT (steps)", "vpt_lyapunov": "VPT (Lyapunov times)"}
COSTS = {"synops_recurrent": "recurrent operations per sample", "synops": "all synaptic operations per sample"}
LOOKS = {
    "unpruned": (INK, "solid", "circle"),
    "no-recurrence": (GREY, "dot", "circle"),
    "activity": (ORANGE, "dash", "square"),
    "random": (SKY, "dash", "diamond"),
    "lnp-published": (BLUE, "solid", "circle"),
    "lnp": (VERMILION, "solid", "triangle-up"),
    "step-1": (SKY, "dash", "square"),
    "step-2": (PURPLE, "dash", "diamond"),
    "steps-12": (BLUE, "solid", "circle"),
    "steps-123": (ORANGE, "dash", "cross"),
    "steps-124": (GREEN, "dash", "x"),
    "steps-1234": (GREEN, "solid", "hexagon"),
    "random-1": (GREY, "dash", "diamond-open"),
}
MAX_BANDS = 4  # more of them over each other show nothing
SIDES = {"below": "less", "above": "more"}

Document = Mapping[str, Any]
Entry = Mapping[str, Any]


def write_reproduction_page(document: Document, path: Path) -> Path:
    """Write the page of a document of `hrsnn reproduce` to `path`, complete in itself; return the path.

    Raises `InputError` for a document of another schema, `RunError` when the page cannot be written.
    """
    return replace_file(path, render(document))


def render(document: Document) -> str:
    """The whole page as text."""
    _check(document)
    scale = document["scale"]
    again = "Stopped and started again, it goes on where it was, and gives the same numbers:"
    closing = [
        warnings_of(_warnings(document), "Stopped early"),
        Section("method", "How it was made", paragraphs=_method(document)),
        versions_of(document["versions"]),
        Section("reproduce", "How to reproduce", again, code=document["command"]),
    ]
    size = f"scale {scale['name']} · {scale['n_neurons']} neurons · {plural(scale['n_seeds'], 'seed')}"
    return render_page(
        Page(
            kind=f"hrsnn reproduce {document['name']}",
            title=document["title"],
            created=document["created"],
            facts=(size,),
            found=findings(document),
            sections=[*sections(document), *closing],
            key="▲ as claimed \u2002 ▼ the opposite \u2002 ○ nothing measurable \u2002 ? open",
        )
    )


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


def sections(document: Document) -> list[Section]:
    """Everything between the findings and the method; empty sections included."""
    _check(document)
    figures = list(_on_the_way(document))
    return [
        Section(
            "sizes",
            "Neurons and synapses on the way",
            "Every method leaves exactly these sizes after each iteration, so that scores can be compared.",
            present(_sizes(document)) if figures else (),
        ),
        Section(
            "scores",
            "Scores and operations on the way",
            "Means over seeds, where lines are few with bands of one standard deviation on either side. Each network "
            "is trained by itself after it was pruned. The dotted line is the unpruned network without recurrent "
            "synapses: where the others begin, at iteration 0, no better than that, any pruning looks good.",
            tuple(figures),
            folded=False,
        ),
        Section(
            "time-constants",
            "Time constants",
            "Membrane time constants of the neurons that are left, of all seeds together; those beyond the axis are "
            "counted in its last bar.",
            tuple(_time_constants(document)),
            (_time_constant_table(document),) if document["time_constants"] else (),
            small=True,
        ),
        Section(
            "against",
            "Error against operations",
            "Each mark is one row of the tables below with its 95 % interval: the further left, the cheaper. HRSNN is "
            "filled, CHRSNN open.",
            tuple(_against(document)) if not figures else (),
            small=True,
            folded=False,
        ),
        Section(
            "ends",
            "At the end of the way",
            "Means over seeds ± one standard deviation. VPT is the valid prediction time at an error of 0.1. "
            "Operations are per sample, in forecasts per value shown; 'all' counts input and readout. Published "
            "numbers are of networks of other sizes and of other recordings: claims, which nothing here was fitted to.",
            tables=tuple(tables(document)),
            folded=False,
        ),
        Section(
            "comparisons",
            "Compared by seed",
            "Differences a − b over seeds with 95 % t-intervals, each for itself, and the side that is claimed.",
            tables=(_comparisons(document),) if document["comparisons"] else (),
        ),
    ]


# -- in words ----------------------------------------------------------------------------------------------------------


def findings(document: Document) -> list[Finding]:
    """What the paired comparisons say, one sentence for each question, in the order in which they were asked."""
    _check(document)
    asked: dict[tuple[str, str, str], list[Entry]] = {}
    for comparison in document["comparisons"]:
        asked.setdefault((comparison["a"], comparison["b"], comparison["metric"]), []).append(comparison)
    said = [_answer(document, *question, answers) for question, answers in asked.items()]
    said += [_spread_of_tau(document)] if document["time_constants"] else []
    said += [Finding("open", f"Left out: {why}.") for why in document["left_out"].values()]
    return said or [Finding("plain", "Nothing was compared.")]


def _answer(document: Document, a: str, b: str, metric: str, answers: Sequence[Entry]) -> Finding:
    words, score = document["methods"], METRICS[metric]
    question = f"{_capital(words[a])} against {words[b]}, {score}"
    if len(answers) == 1:
        (one,) = answers
        if one["ci95"] is None:
            return Finding("open", f"{question}: too few seeds for an interval.")
        text = f"{question}: {_difference(one)}, claimed {SIDES[one['claimed']]}."
        return Finding(_kind(one["reading"]), text)
    counts = {reading: sum(one["reading"] == reading for one in answers) for reading in _KINDS}
    supports, against, nothing = counts.values()
    n = len(answers)
    told = f"better in {supports} of {n} settings, worse in {against}, nothing measurable in {nothing}"
    kind: Kind = "gain" if 2 * supports > n else "loss" if 2 * against > n else "none"
    return Finding(kind, f"{question}: {told}.")


_KINDS: dict[str, Kind] = {"supports": "gain", "against": "loss", "not shown": "none"}


def _kind(reading: str) -> Kind:
    return _KINDS[reading]


def _spread_of_tau(document: Document) -> Finding:
    told = "; ".join(
        f"{document['methods'][one['method']]} {one['mean_ms']:.1f} ± {quantity(one['sd_ms'])} ms"
        for one in document["time_constants"]
        if one["sign"] == "excitatory"
    )
    return Finding("plain", f"Membrane time constants of excitatory neurons, mean ± standard deviation: {told}.")


def _difference(one: Entry) -> str:
    if one["effect"] is None:
        return "–"
    effect, *ends = signed(*(round(value, 9) for value in (one["effect"], *(one["ci95"] or ()))))
    return f"{effect} [{', '.join(ends)}]" if ends else effect


def _warnings(document: Document) -> list[str]:
    return [
        f"{_setting(one)}, {document['methods'][one['method']]}, seed {one['seed']}: {one['why']}"
        for one in document["stopped"]
    ]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _task(case: str) -> str:
    return TASKS.get(case, case)


def _setting(one: Entry) -> str:
    return f"{_task(one['case'])}, {one['model']}"


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(document: Document) -> Iterator[Table]:
    """One table for each task: the end of the way, all methods and models."""
    _check(document)
    for case in document["tasks"]:
        rows = [row for row in document["rows"] if row["case"] == case]
        if rows:
            yield _table(document, case, rows)


def _table(document: Document, case: str, rows: Sequence[Entry]) -> Table:
    metrics = [name for name in METRICS if name in rows[0]["metrics"]]
    columns = [_task(case), "neurons", "recurrent ops", "all ops"]
    several = len({row["model"] for row in rows}) > 1
    lines = []
    for row in rows:
        printed = row["published"]
        cells = [Cell(document["methods"][row["method"]], row["model"] if several else "")]
        cells += [Cell(quantity(row["n_neurons"]), f"{quantity(row['n_synapses'])} synapses")]
        claimed = {"synops": printed["fewer_operations"]}
        cells += [_spent(row["costs"][name]["mean"], row["fewer"][name], claimed.get(name)) for name in COSTS]
        cells += [_score(row["metrics"][name], printed["metrics"].get(name)) for name in metrics]
        lines.append(tuple(cells))
    return Table((*columns, *(METRICS[name] for name in metrics)), tuple(lines), title=_task(case))


def _spent(operations: float, fewer: float | None, claimed: float | None) -> Cell:
    """Operations, and how many times fewer than those of the unpruned network."""
    ratio = "" if fewer is None or fewer == 1 else f"÷ {quantity(fewer)}"
    return Cell(quantity(operations), ratio if claimed is None else f"{ratio}, published ÷ {quantity(claimed)}")


def _score(found: Entry, claimed: Entry | None) -> Cell:
    if found["mean"] is None:
        return Cell("–")
    spread = "" if found["sd"] is None else f" ± {quantity(found['sd'])}"
    note = "" if claimed is None else f"published {claimed['mean']:g}"
    return Cell(f"{quantity(found['mean'])}{spread}", note)


def _comparisons(document: Document) -> Table:
    words = document["methods"]
    rows = tuple(
        (
            Cell(words[one["a"]], f"against {words[one['b']]}"), Cell(_setting(one)),
            Cell(METRICS[one["metric"]], f"claimed {SIDES[one['claimed']]}"),
            Cell(one["reading"]), Cell(_difference(one)), Cell(str(one["n"])),
        )
        for one in document["comparisons"]
    )  # fmt: skip
    columns = ("a against b", "setting", "score", "reading", "a − b", "seeds")
    return Table(columns, rows, n_names=4, title="comparisons", folded=len(rows) > 12)


def _time_constant_table(document: Document) -> Table:
    rows = tuple(
        (
            Cell(document["methods"][one["method"]], one["sign"]), Cell(quantity(one["n"])),
            Cell(quantity(one["mean_ms"])), Cell(quantity(one["sd_ms"])), Cell(quantity(one["median_ms"])),
        )
        for one in document["time_constants"]
    )  # fmt: skip
    return Table(("neurons", "of all seeds", "mean (ms)", "standard deviation (ms)", "median (ms)"), rows)


# -- figures -----------------------------------------------------------------------------------------------------------


def _sizes(document: Document) -> Figure | None:
    """Of the method that takes all iterations and got furthest: the others have the same."""
    ways = [way["sizes"] for way in document["ways"]]
    longest = max(ways, key=lambda way: len(way["iteration"]))
    return shrinking(Part("", longest, f"{document['name']}.json")) if len(longest["iteration"]) > 2 else None


def _on_the_way(document: Document) -> Iterator[Figure]:
    """One figure for each score and each kind of operations, where there is a way between its ends."""
    ways = [way for way in document["ways"] if way["metrics"]]
    if not any(len(way["iteration"]) > 1 for way in ways):
        return
    for metric, words in METRICS.items():
        if metric in ways[0]["metrics"] and metric != "vpt_lyapunov":  # the steps in another unit
            yield _course(document, ways, ("metrics", metric), words)
    for cost, words in COSTS.items():
        yield _course(document, ways, ("costs", cost), words, logarithmic=True)


def _course(
    document: Document, ways: Sequence[Entry], of: tuple[str, str], words: str, *, logarithmic: bool = False
) -> Figure:
    """Lines over iterations, each from the unpruned network on; those without a way are levels."""
    last = document["scale"]["n_iterations"]
    part, name = of
    start = next((way[part][name][0] for way in ways if way["method"] == "unpruned"), None)
    bands = not logarithmic and sum(len(way["iteration"]) > 1 for way in ways) <= MAX_BANDS
    data: list[dict[str, Any]] = []
    for way in ways:
        if way["method"] == "unpruned":
            continue
        found = list(zip(way["iteration"], way[part][name], strict=True))
        if way["iteration"] == [0]:
            found = [(0, found[0][1]), (last, found[0][1])]
        elif start is not None:
            found = [(0, start), *found]
        known = [(k, one) for k, one in found if one["mean"] is not None and (one["mean"] > 0 or not logarithmic)]
        if known:
            data += _line(document, way, known, band=bands and way["iteration"] != [0])
    y = number_axis(words)
    if logarithmic:
        heights = [value for line in data for value in line["y"] if value > 0]
        y = log_axis(words, min(heights) / 1.3, max(heights) * 1.3) if heights else y
    x = {**number_axis("iteration"), "range": [-0.03 * last, 1.03 * last]}
    x |= {"tickvals": list(range(last + 1))} if last <= 10 else {}
    layout = layout_with(xaxis=x, yaxis=y, showlegend=True)
    return figure_of(data, layout, f"{words} on the way", 360, title=_capital(words))


def _line(document: Document, way: Entry, known: Sequence[tuple[int, Entry]], *, band: bool) -> list[dict[str, Any]]:
    colour, dash, symbol = LOOKS[way["method"]]
    x, words = [k for k, _ in known], shown(document["methods"][way["method"]], 40)
    line = curve(x, [one["mean"] for _, one in known], colour, dash, name=words)
    line |= {"mode": "lines+markers", "marker": {"color": colour, "symbol": symbol, "size": 7}}
    del line["hoverinfo"]
    line["customdata"] = [f"± {quantity(one['sd'])}, {one['n']} seeds" for _, one in known]
    line["hovertemplate"] = f"{words}, after %{{x}}: %{{y:.4g}} %{{customdata}}<extra></extra>"
    if not band:
        return [{**line, "mode": "lines"}] if len(set(x)) <= 2 else [line]
    low, high = ([one["mean"] + sign * (one["sd"] or 0.0) for _, one in known] for sign in (-1, 1))
    area = curve([*x, *x[::-1]], [*high, *low[::-1]], colour, "solid", width=0)
    return [{**area, "fill": "toself", "fillcolor": faded(colour)[:-5] + "0.10)"}, line]


def _against(document: Document) -> Iterator[Figure]:
    """For each task the error of every row against all operations."""
    for case in document["tasks"]:
        rows = [row for row in document["rows"] if row["case"] == case]
        metric = next((name for name in METRICS if rows and name in rows[0]["metrics"]), None)
        points = [row for row in rows if metric and row["metrics"][metric]["mean"] is not None]
        if metric is None or len(points) < 2:
            continue
        data = []
        for row in points:
            score, spent = row["metrics"][metric], row["costs"]["synops"]["mean"]
            colour, _, symbol = LOOKS[row["method"]]
            is_open = row["model"] == "CHRSNN"
            name = shown(document["methods"][row["method"]], 40)
            tip = f"{name}<br>{row['model']}, {quantity(spent)} operations<br>{_score(score, None).text}"
            data.append(
                marks(
                    [short(spent)], [short(score["mean"])], name=name, showlegend=not is_open,
                    legendgroup=row["method"], hovertext=[tip],
                    marker={"color": colour, "symbol": f"{symbol}-open" if is_open else symbol, "size": 10},
                    error_y={
                        **error_bars([] if score["ci95"] is None else [(score["mean"], tuple(score["ci95"]))], colour),
                        "thickness": 1, "width": 0,
                    },
                )
            )  # fmt: skip
        spents = [row["costs"]["synops"]["mean"] for row in points]
        wide = max(spents) > 8 * min(spents)
        x = log_axis(COSTS["synops"], min(spents) / 1.2, max(spents) * 1.2) if wide else number_axis(COSTS["synops"])
        layout = layout_with(
            xaxis=x if wide else {**x, "rangemode": "tozero"},
            yaxis=number_axis(METRICS[metric]),
            showlegend=True,
        )
        yield figure_of(data, layout, f"{metric} against operations, {_task(case)}", 440, title=_task(case))


def _time_constants(document: Document) -> Iterator[Figure]:
    """A panel for each method and sign: the unpruned networks dotted, what is left of them filled."""
    found = [one for one in document["time_constants"] if one["method"] != "unpruned"]
    histograms = {f"{k}": one for k, one in enumerate(found)}
    names = {
        key: (f"{_capital(document['methods'][one['method']])}: {one['sign']}", "membrane time constant (ms)")
        for key, one in histograms.items()
    }
    whole = Part("", {"histograms": histograms}, f"{document['name']}.json")
    yield from before_and_after(whole, names)


def _check(document: Document) -> None:
    REPRODUCTION.checked(document)
