"""The ledger of claims for people: a page and a Markdown file, both made from the document of claims.json alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hrsnn.report.parts.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    ZERO,
    Figure,
    error_bars,
    faded,
    figure_of,
    layout_with,
    marks,
    names_axis,
    number_axis,
    short,
    shown,
    small_print,
)
from hrsnn.report.parts.page import Page, Section, render_page, replace_file, versions_of
from hrsnn.report.parts.table import Cell, Table
from hrsnn.report.parts.words import Finding, quantity
from hrsnn.vocabulary import CLAIMS

VERDICTS = ("holds", "holds only when", "does not hold")
READINGS = {"supports": (BLUE, "circle"), "against": (VERMILION, "diamond"), "not shown": (GREY, "circle-open")}
SIDES = {"above": "> 0", "below": "< 0", "same": "inside the margin"}
GROUP_NAMES = {"tau_mem": "τ_m", "v_th": "v_th", "a": "A±", "tau_stdp": "τ±"}
MAPS = {
    "active_share": "active neurons (share)",
    "accuracy": "accuracy",
    "rank": "effective rank",
}
_ALIVE = "Are the networks alive, and what do they remember?"
# What stands before and after the claims, in the file and on the page.
RULE = (
    "Every number of a test is a difference a − b within a pair of networks that share their seed. The effect is its "
    "mean over pairs with the 95 % t-interval; d_z is the effect over the standard deviation of the differences. A "
    "test supports the claim when the whole interval lies where the claim puts it, speaks against it when the whole "
    "interval lies elsewhere, and shows nothing otherwise. A claim of sameness has a margin of 10 % of what it is "
    "compared with on either side. A condition holds when all its tests support it. A claim holds when all its "
    "conditions hold, holds only when some do, and does not hold when none does: what could not be shown does not "
    "hold, and beside it stands how large an effect the interval leaves room for. Several of the papers' claims say "
    "'at least'; of those an interval around 0 refutes nothing, but it shows no gain either. Claims, conditions and "
    "networks were fixed before these numbers were seen, after trials with other seeds that looked at firing rates and "
    "run times; nothing was tuned afterwards."
)

Document = Mapping[str, Any]


def write_claims_page(document: Document, path: Path) -> Path:
    """Write the page of a document of `hrsnn reproduce claims` to `path`, complete in itself; return the path.

    Raises `InputError` for a document of another schema, `RunError` when the page cannot be written.
    """
    return replace_file(path, render(document))


def render(document: Document) -> str:
    """The whole page as text."""
    _check(document)
    full = "Effects are mean differences with 95 % intervals. † not significant when all tests are corrected together."
    again = "Stopped and started again, it goes on where it was, and gives the same numbers:"
    closing = [
        *(_in_full(claim, full) for claim in document["claims"]),
        Section("method", "How a verdict is made", paragraphs=(RULE, _multiplicity(document))),
        versions_of(document["versions"]),
        Section("reproduce", "How to reproduce", again, code=document["command"]),
    ]
    return render_page(
        Page(
            kind="hrsnn reproduce claims",
            title="Published claims, tested",
            created=document["created"],
            facts=(_scale_in_words(document),),
            found=findings(document),
            sections=[*sections(document), *closing],
            key="▲ holds \u2002 · holds only under some conditions \u2002 ▼ does not hold",
        )
    )


def findings(document: Document) -> list[Finding]:
    """The counts of verdicts, and what a reader must know before them."""
    claims = document["claims"]
    found = []
    for verdict, kind in zip(VERDICTS, ("gain", "plain", "loss"), strict=True):
        names = [claim["title"] for claim in claims if claim["verdict"] == verdict]
        if names:
            words = {"holds only when": "hold only under some of their conditions", "holds": "hold"}
            told = words.get(verdict, "do not hold")
            text = f"{len(names)} of {len(claims)} claims {told}: {'; '.join(name for name in names)}."
            found.append(Finding(kind, text))  # type: ignore[arg-type]
    return [*found, Finding("plain", _multiplicity(document))]


def sections(document: Document) -> list[Section]:
    """Everything between the findings and the claims in full."""
    return [
        Section(
            "verdicts",
            "Verdicts",
            "One line per claim; what was published and how it was tested stands below.",
            tables=(_verdicts(document),),
            folded=False,
        ),
        Section(
            "effects",
            "Effects",
            "The effect of every test in units of the standard deviation of its differences (d_z), with its 95 % "
            "interval, turned so that the side of the claim is on the right. Blue supports the claim, red speaks "
            "against it, open grey shows neither. Tests of sameness stand as they are.",
            (_forest(document),),
            folded=False,
        ),
        Section(
            "importance",
            "Importance of each kind of heterogeneity",
            "Shapley values: what making a group of parameters heterogeneous adds to the memory capacity and to the "
            "spikes per neuron and sample, averaged over all orders; 95 % intervals over seeds. Their sum is the "
            "difference between HeNHeS and HoNHoS.",
            tuple(_shapley(document, name, words) for name, words in
                  (("memory", "memory capacity C"), ("spikes", "spikes per neuron and sample"))),
            small=True,
        ),
        Section(
            "map",
            "The map of figure 7",
            f"Means over {document['map']['n_seeds']} seeds on spoken digits, over the length scale λ of connections "
            "and the scale of their weights.",
            tuple(
                _heat(document, arm, name, words) for name, words in MAPS.items() for arm in ("HoNHoS", "HeNHeS")
            ),
            small=True,
        ),
        Section(
            "mechanism",
            "Memory against evenness and correlation of states",
            _regression_words(document),
            tuple(_scatter(document, name, words) for name, words in
                  (("log_participation", "log 1/J"), ("squared_correlation", "squared correlation"))),
            small=True,
        ),
        Section(
            "activity",
            _ALIVE,
            "Mean firing rates with 95 % intervals over seeds, the share of neurons without a spike, and the mean "
            "memory capacity in input samples. 'No network' is the control: what the filter of the readout remembers "
            "of the input by itself.",
            tables=(_activity(document),),
        ),
    ]  # fmt: skip


# -- the file ----------------------------------------------------------------------------------------------------------


def claims_markdown(document: Document) -> str:
    """The ledger as Markdown: a table of all verdicts, then a section for every claim.

    Raises `InputError` for a document of another schema.
    """
    _check(document)
    lines = [
        "# Published claims, tested",
        "",
        f"Made by `{document['command']}` from `claims.json`; do not edit by hand. {_scale_in_words(document)}",
        "",
        *(f"- {finding.text}" for finding in findings(document)),
        "",
        "| claim | verdict | effect (first test of each condition) | pairs |",
        "|---|---|---|---|",
    ]
    for claim in document["claims"]:
        effects = "<br>".join(f"{c['name']}: {_effect(c['tests'][0])}" for c in claim["conditions"])
        row = [f"[{claim['title']}](#{_anchor(claim['title'])})", _verdict(claim), effects, _n_pairs(claim)]
        lines.append("| " + " | ".join(_cell(text) for text in row) + " |")
    lines += ["", "## How a verdict is made", "", RULE, "", _multiplicity(document), ""]
    for claim in document["claims"]:
        lines += _claim_lines(claim)
    lines += _activity_lines(document)
    return "\n".join(lines) + "\n"


def _claim_lines(claim: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"## {claim['title']}", "")
    yield from (f"**{_verdict(claim)}.** {claim['sentence']}", "")
    for words, key in (
        ("Published", "published"), ("Source", "source"), ("Read here as", "reading"), ("Test", "test"),
        ("Networks", "networks"), ("Holds if", "holds_if"), ("Mind", "caution"),
    ):  # fmt: skip
        if claim[key]:
            yield f"- {words}: {claim[key]}"
    yield from ("", "| condition | test | claimed | effect [95 % interval] | d_z | pairs | reading |", "|" + "---|" * 7)
    for name, test in _rows(claim):
        effect = [SIDES[test["claimed"]], _effect(test), _d_z(test), str(test["n"]), _reading(name, test)]
        cells = [name or "beside it", test["what"], *effect]
        yield "| " + " | ".join(_cell(text) for text in cells) + " |"
    yield ""


def _activity_lines(document: Document) -> Iterator[str]:
    table = _activity(document)
    yield from (f"## {_ALIVE}", "", "| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns))
    for row in table.rows:
        yield "| " + " | ".join(_cell(f"{cell.text} {cell.note}".strip()) for cell in row) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(title: str) -> str:
    """How renderers of Markdown name a heading, to link to it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


# -- words -------------------------------------------------------------------------------------------------------------


def _verdict(claim: Mapping[str, Any]) -> str:
    """The verdict as the beginning of a sentence."""
    if claim["when"]:
        return f"Holds only {' and '.join(claim['when'])}"
    return str(claim["verdict"]).capitalize()


def _rows(claim: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All tests of a claim with the name of their condition, "" for those without a part in the verdict."""
    for condition in claim["conditions"]:
        for test in condition["tests"]:
            yield condition["name"], test
    for test in claim["also"]:
        yield "", test


def _reading(condition: str, test: Mapping[str, Any]) -> str:
    if not condition:
        return f"({test['reading']})"
    return str(test["reading"]) + (" †" if test["reading"] != "not shown" and not test["survives_holm"] else "")


def _effect(test: Mapping[str, Any]) -> str:
    if test["effect"] is None:
        return "–"
    margin = "" if test["margin"] is None else f", margin ±{quantity(test['margin'])}"
    interval = "" if test["ci95"] is None else f" [{', '.join(_signed(bound) for bound in test['ci95'])}]"
    return f"{_signed(test['effect'])}{interval}{margin}"


def _d_z(test: Mapping[str, Any]) -> str:
    return "–" if test["d_z"] is None else f"{test['d_z']:+.2f}".replace("-", "−")


def _n_pairs(claim: Mapping[str, Any]) -> str:
    numbers = sorted({test["n"] for condition in claim["conditions"] for test in condition["tests"]})
    return ", ".join(str(n) for n in numbers)


def _signed(value: float) -> str:
    return ("+" if value > 0 else "−" if value < 0 else "") + quantity(abs(value))


def _multiplicity(document: Document) -> str:
    n, kept = document["n_tests"], document["n_surviving_holm"]
    return (
        f"{n} tests decide the verdicts, each at 95 % (one that two conditions share counts twice). {kept} of them "
        "stay significant when all are corrected together (Holm); † marks those that do so only alone. The verdicts "
        "use the intervals as they are."
    )


def _scale_in_words(document: Document) -> str:
    scale = document["scale"]
    return (
        f"Scale {scale['name']}: {scale['n_seeds']} pairs of networks of {scale['n_neurons']} neurons under the white "
        f"drive, {scale['n_digit_seeds']} pairs on spoken digits, {scale['n_map_seeds']} seeds per point of the map of "
        f"figure 7. The networks of the papers have 100 to 5000 neurons and other tasks: this says what holds here."
    )


def _regression_words(document: Document) -> str:
    words = []
    names = {"log_participation": "log 1/J", "squared_correlation": "the mean squared correlation"}
    for x, line in document["regression"]["lines"].items():
        low, high = line["ci95"]
        words.append(
            f"C against {names[x]}: slope {_signed(line['slope'])} [{_signed(low)}, {_signed(high)}], "
            f"r = {line['r']:.2f}".replace("-", "−")
            + f", {line['n_networks']} networks."
        )
    return (
        "Untrained networks that differ in the CV of their membrane time constants, pooled over seeds; the claim is "
        f"tested within seeds. {' '.join(words)}"
    )


# -- tables ------------------------------------------------------------------------------------------------------------


def _verdicts(document: Document) -> Table:
    rows = tuple(
        (Cell(claim["title"], claim["sentence"]), Cell(claim["verdict"]), Cell(_n_pairs(claim)))
        for claim in document["claims"]
    )
    return Table(("claim", "verdict", "pairs"), rows, n_names=2, title="verdicts")


def _activity(document: Document) -> Table:
    rows = tuple(
        (
            Cell(row["networks"]),
            Cell(str(row["n"])),
            Cell(
                quantity(row["rate_hz"]),
                "" if row["rate_ci95"] is None else f"[{', '.join(quantity(bound) for bound in row['rate_ci95'])}]",
            ),
            Cell("–" if row["silent_share"] is None else f"{100 * row['silent_share']:.1f} %"),
            Cell(quantity(row["memory"])),
            Cell(quantity(row["memory_counts"])),
        )
        for row in document["activity"]
    )
    columns = ("networks", "seeds", "mean rate (Hz)", "silent", "C, filtered spikes", "C, spike counts")
    return Table(columns, rows, title="activity")


def _in_full(claim: Mapping[str, Any], caption: str) -> Section:
    rows = tuple(
        (
            Cell(test["what"], name or "no part in the verdict"),
            Cell(SIDES[test["claimed"]]),
            Cell(_effect(test)),
            Cell(_d_z(test)),
            Cell(str(test["n"])),
            Cell(_reading(name, test)),
        )
        for name, test in _rows(claim)
    )
    columns = ("test", "claimed", "effect", "d_z", "pairs", "reading")
    said = (
        f"{_verdict(claim)}. {claim['sentence']}",
        f"Published ({claim['source']}): {claim['published']}",
        f"Read here as: {claim['reading']}",
        f"Test: {claim['test']} Networks: {claim['networks']}. Holds if: {claim['holds_if']}",
        *((f"Mind: {claim['caution']}",) if claim["caution"] else ()),
    )
    table = Table(columns, rows, title=claim["title"])
    return Section(claim["id"], claim["title"], caption, tables=(table,), paragraphs=said)


# -- figures -----------------------------------------------------------------------------------------------------------


def _forest(document: Document) -> Figure:
    names: list[str] = []
    points: dict[str, list[tuple[float, float, float, int, str]]] = {reading: [] for reading in READINGS}
    for claim in document["claims"]:
        names.append(f"<b>{shown(claim['title'], 72)}</b>")
        for condition in claim["conditions"]:
            for test in condition["tests"]:
                names.append(small_print(shown(f"{condition['name']}: {test['what']}", 72)))
                if not test["sd"]:
                    continue
                unit = test["sd"] * (-1 if test["claimed"] == "below" else 1)
                low, high = sorted(bound / unit for bound in test["ci95"])
                tip = f"{shown(test['what'], 60)}<br>{shown(_effect(test), 60)}, {test['n']} pairs"
                points[test["reading"]].append((test["effect"] / unit, low, high, len(names) - 1, tip))
    data = [
        marks(
            [short(x) for x, *_ in found], [row for *_, row, _ in found], name=reading, showlegend=True,
            hovertext=[tip for *_, tip in found],
            marker={"color": READINGS[reading][0], "symbol": READINGS[reading][1], "size": 8},
            error_x={**error_bars([(x, (low, high)) for x, low, high, *_ in found], READINGS[reading][0]), "width": 0},
        )
        for reading, found in points.items() if found
    ]  # fmt: skip
    layout = layout_with(
        xaxis={**number_axis("d_z, right: as claimed"), "nticks": 8},
        yaxis=names_axis(names),
        shapes=[ZERO],
        showlegend=True,
    )
    return figure_of(data, layout, "effects of all tests", 110 + 21 * len(names))


def _shapley(document: Document, name: str, words: str) -> Figure:
    groups = document["importance"][name]["groups"]
    means = [group["mean"] for group in groups.values()]
    bars = [
        (mean, (low, high))
        for mean, (low, high) in ((group["mean"], group["ci95"] or [group["mean"]] * 2) for group in groups.values())
    ]
    data = {
        "type": "bar", "orientation": "h", "x": [short(mean) for mean in means], "y": list(range(len(means))),
        "marker": {"color": faded(BLUE), "line": {"color": BLUE, "width": 1.2}}, "showlegend": False,
        "error_x": {**error_bars(bars, INK), "thickness": 1.2, "width": 3},
        "hoverinfo": "x",
    }  # fmt: skip
    layout = layout_with(
        xaxis={**number_axis(f"added to the {words}"), "zeroline": True, "zerolinecolor": INK},
        yaxis=names_axis([GROUP_NAMES.get(group, shown(group)) for group in groups]),
        bargap=0.45,
    )
    return figure_of([data], layout, f"Shapley values for the {words}", 250, title=words)


def _heat(document: Document, arm: str, name: str, words: str) -> Figure:
    values: Sequence[Sequence[float]] = document["map"]["mean"][arm][name]
    both = [v for a in document["map"]["mean"] for row in document["map"]["mean"][a][name] for v in row]
    lengths, weights = document["map"]["length_scale"], document["map"]["weight_scale"]
    heat = {
        "type": "heatmap", "z": [[short(v) for v in row] for row in values], "zmin": short(min(both)),
        "zmax": short(max(both)), "xgap": 1, "ygap": 1,
        "colorscale": [[0, "#f4f6f8"], [0.5, "#5b9cc9"], [1, "#08306b"]], "hovertemplate": "%{z}<extra></extra>",
        "colorbar": {"thickness": 8, "outlinewidth": 0, "tickfont": {"size": 10}, "nticks": 4},
    }  # fmt: skip

    def axis(title: str, ticks: Sequence[float]) -> dict[str, Any]:
        return {
            **number_axis(title), "tickvals": list(range(0, len(ticks), 2)),
            "ticktext": [f"{tick:.2g}" for tick in ticks[::2]], "showgrid": False, "tickfont": {"size": 10},
        }  # fmt: skip

    layout = layout_with(
        xaxis=axis("weight scale", weights),
        yaxis=axis("length scale λ", lengths),
        margin={"l": 8, "r": 8, "t": 34, "b": 8, "pad": 2},  # above the colour bar is room for the tools
    )
    return figure_of([heat], layout, f"{words} of {arm} over the map", 290, title=f"{arm}: {words}")


def _scatter(document: Document, name: str, words: str) -> Figure:
    points = document["regression"]["points"]
    colours = (BLUE, SKY, GREEN, ORANGE, VERMILION, PURPLE, PALE)
    data = []
    for k, cv in enumerate(dict.fromkeys(points["cv"])):
        chosen = [
            (x, y)
            for c, x, y in zip(points["cv"], points[name], points["memory"], strict=True)
            if c == cv and x is not None and y is not None
        ]
        xs, ys = [short(x) for x, _ in chosen], [short(y) for _, y in chosen]
        symbol = {"color": colours[k % len(colours)], "size": 6, "opacity": 0.8}
        data.append(marks(xs, ys, name=f"CV {cv:g}", showlegend=True, marker=symbol, hoverinfo="x+y"))
    layout = layout_with(xaxis=number_axis(words), yaxis=number_axis("memory capacity C"), showlegend=True)
    return figure_of(data, layout, f"memory capacity against {words}", 330, title=f"C against {words}")


def _check(document: Document) -> None:
    CLAIMS.checked(document)
