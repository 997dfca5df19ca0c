"""The ledger of claims for people: a page and a Markdown file, both made from the document of claims.json alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.drawing import Axis, Figure, Trace, shown, small_print
from hrsnn.report.parts.page import Page, Section
from hrsnn.report.parts.table import Cell, Table, table_of
from hrsnn.report.parts.words import Finding, Kind, quantity, with_sign, within
from hrsnn.vocabulary import CLAIMS, GROUPS

# Of a verdict: what claims do, and the kind of finding that it is.
VERDICTS: dict[str, tuple[str, Kind]] = {
    "holds": ("hold", "gain"),
    "holds only when": ("hold only under some of their conditions", "plain"),
    "does not hold": ("do not hold", "loss"),
}
TOLD = {
    "published": "Published", "source": "Source", "reading": "Read here as", "test": "Test", "networks": "Networks",
    "holds_if": "Holds if", "caution": "Mind",
}  # fmt: skip
LOOKS = {
    "supports": (draw.BLUE, "circle"), "against": (draw.VERMILION, "diamond"), "not shown": (draw.GREY, "circle-open"),
}  # fmt: skip
SIDES = {"above": "> 0", "below": "< 0", "same": "inside the margin"}
MAPS = {"active_share": "active neurons (share)", "accuracy": "accuracy", "rank": "effective rank"}
SHAPLEY = {"memory": "memory capacity C", "spikes": "spikes per neuron and sample"}
AGAINST = {"log_participation": "log 1/J", "squared_correlation": "squared correlation"}
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


def page(document: Document) -> Page:
    """The page of a document of `hrsnn reproduce claims`; raises `InputError` for a document of another schema."""
    CLAIMS.checked(document)
    sections = [
        Section("verdicts", "Verdicts", "One line per claim; what was published and how it was tested stands below.",
            tables=[_verdicts(document)], folded=False),
        Section("effects", "Effects", "The effect of every test in units of the standard deviation of its differences "
            "(d_z), with its 95 % interval, turned so that the side of the claim is on the right. Blue supports the "
            "claim, red speaks against it, open grey shows neither. Tests of sameness stand as they are.",
            [_forest(document)], folded=False),
        Section("importance", "Importance of each kind of heterogeneity", "Shapley values: what making a group of "
            "parameters heterogeneous adds to the memory capacity and to the spikes per neuron and sample, averaged "
            "over all orders; 95 % intervals over seeds. Their sum is the difference between HeNHeS and HoNHoS.",
            [_shapley(document, name, words) for name, words in SHAPLEY.items()], small=True),
        Section("map", "The map of figure 7", f"Means over {document['map']['n_seeds']} seeds on spoken digits, over "
            "the length scale λ of connections and the scale of their weights.",
            [_heat(document, arm, name) for name in MAPS for arm in ("HoNHoS", "HeNHeS")], small=True),
        Section("mechanism", "Memory against evenness and correlation of states", _regression_words(document),
            [_scatter(document, name) for name in AGAINST], small=True),
        Section("activity", _ALIVE, "Mean firing rates with 95 % intervals over seeds, the share of neurons without a "
            "spike, and the mean memory capacity in input samples. 'No network' is the control: what the filter of the "
            "readout remembers of the input by itself.", tables=[_activity(document)]),
        *(
            Section(claim["id"], claim["title"], f"{_verdict(claim)}. {claim['sentence']}", tables=[_tests(claim)],
                items=[Cell(one) for one in _told(claim)])
            for claim in document["claims"]
        ),
        Section("method", "How a verdict is made", paragraphs=(RULE, _multiplicity(document))),
    ]  # fmt: skip
    return Page(kind="hrsnn reproduce claims", title="Published claims, tested", created=document["created"],
        facts=(_scale_in_words(document),), found=findings(document), sections=sections, key="▲ holds \u2002 · holds "
        "only under some conditions \u2002 ▼ does not hold \u2002 † not significant when all tests are corrected "
        "together", versions=document["versions"], again="Stopped and started again, it goes on where it was, and "
        "gives the same numbers:", code=document["command"])  # fmt: skip


def findings(document: Document) -> list[Finding]:
    """The counts of verdicts, and what a reader must know before them."""
    claims, found = document["claims"], []
    for verdict, (words, kind) in VERDICTS.items():
        if names := [claim["title"] for claim in claims if claim["verdict"] == verdict]:
            found.append(Finding(kind, f"{len(names)} of {len(claims)} claims {words}: {'; '.join(names)}."))
    return [*found, Finding("plain", _multiplicity(document))]


# -- the file ----------------------------------------------------------------------------------------------------------


def claims_markdown(document: Document) -> str:
    """The ledger as Markdown: a table of all verdicts, then a section for every claim.

    Raises `InputError` for a document of another schema.
    """
    CLAIMS.checked(document)
    made = f"Made by `{document['command']}` from `claims.json`; do not edit by hand. {_scale_in_words(document)}"
    columns = {
        "claim": lambda claim: f"[{claim['title']}](#{_anchor(claim['title'])})",
        "verdict": _verdict,
        "effect (first test of each condition)": lambda claim: "<br>".join(
            f"{condition['name']}: {_effect(condition['tests'][0])}" for condition in claim["conditions"]
        ),
        "pairs": _n_pairs,
    }
    lines = ["# Published claims, tested", "", made, "", *(f"- {one.text}" for one in findings(document)), ""]
    lines += [*_markdown(table_of(document["claims"], columns)), "", "## How a verdict is made", "", RULE, ""]
    lines += [_multiplicity(document), ""]
    for claim in document["claims"]:
        lines += [f"## {claim['title']}", "", f"**{_verdict(claim)}.** {claim['sentence']}", ""]
        lines += [*(f"- {one}" for one in _told(claim)), "", *_markdown(_tests(claim)), ""]
    return "\n".join([*lines, f"## {_ALIVE}", "", *_markdown(_activity(document))]) + "\n"


def _markdown(table: Table | None) -> Iterator[str]:
    if table is not None:
        yield from (f"| {' | '.join(table.columns)} |", "|" + "---|" * len(table.columns))
        for row in table.rows:
            yield f"| {' | '.join(_escaped(f'{cell.text} {cell.note}') for cell in row)} |"


def _escaped(text: str) -> str:
    return text.strip().replace("|", "\\|")


def _anchor(title: str) -> str:
    """How renderers of Markdown name a heading, to link to it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


# -- words -------------------------------------------------------------------------------------------------------------


def _verdict(claim: Mapping[str, Any]) -> str:
    """The verdict as the beginning of a sentence."""
    return f"Holds only {' and '.join(claim['when'])}" if claim["when"] else str(claim["verdict"]).capitalize()


def _told(claim: Mapping[str, Any]) -> list[str]:
    """What is told of a claim beside its verdict."""
    return [f"{words}: {claim[name]}" for name, words in TOLD.items() if claim[name]]


def _reading(condition: str, test: Mapping[str, Any]) -> str:
    if not condition:
        return f"({test['reading']})"
    return str(test["reading"]) + (" †" if test["reading"] != "not shown" and not test["survives_holm"] else "")


def _effect(test: Mapping[str, Any]) -> str:
    if test["effect"] is None:
        return "–"
    margin = "" if test["margin"] is None else f", margin ±{quantity(test['margin'])}"
    return f"{with_sign(test['effect'])} {within(test['ci95'], with_sign)}".rstrip() + margin


def _two_digits(value: float, sign: str = "") -> str:
    return f"{value:{sign}.2f}".replace("-", "−")


def _n_pairs(claim: Mapping[str, Any]) -> str:
    numbers = sorted({test["n"] for condition in claim["conditions"] for test in condition["tests"]})
    return ", ".join(str(n) for n in numbers)


def _multiplicity(document: Document) -> str:
    n, kept = document["n_tests"], document["n_surviving_holm"]
    return (
        f"{n} tests decide the verdicts, each at 95 % (one that two conditions share counts twice). {kept} of them "
        "stay significant when all are corrected together (Holm); † marks those that do so only alone. The verdicts "
        "use the intervals as they are."
    )


def _scale_in_words(document: Document) -> str:
    scale = document["scale"]
    mechanisms = ""
    if "n_mechanism_seeds" in scale:  # older documents have no such claims
        n = scale["n_delayed_recordings"]
        mechanisms = (
            f", {scale['n_mechanism_seeds']} pairs of networks with and without a mechanism, on the delayed tasks of "
            f"{scale['n_delayed_neurons']} neurons with {'all' if n is None else n} recordings of each part"
        )
    if "n_backprop_seeds" in scale:
        mechanisms += (
            f", {scale['n_backprop_seeds']} pairs of {scale['n_backprop_neurons']} neurons trained by backpropagation"
        )
    return (
        f"Scale {scale['name']}: {scale['n_seeds']} pairs of networks of {scale['n_neurons']} neurons under the white "
        f"drive, {scale['n_digit_seeds']} pairs on spoken digits, {scale['n_map_seeds']} seeds per point of the map of "
        f"figure 7{mechanisms}. The networks of the papers have 100 to 5000 neurons and other tasks: this says what "
        "holds here."
    )


def _regression_words(document: Document) -> str:
    names = {"log_participation": "log 1/J", "squared_correlation": "the mean squared correlation"}
    said = "Untrained networks that differ in the CV of their membrane time constants, pooled over seeds; the claim is "
    said += "tested within seeds."
    for x, line in document["regression"]["lines"].items():
        slope = f"{with_sign(line['slope'])} {within(line['ci95'], with_sign)}, r = {_two_digits(line['r'])}"
        said += f" C against {names[x]}: slope {slope}, {line['n_networks']} networks."
    return said


# -- tables ------------------------------------------------------------------------------------------------------------


def _verdicts(document: Document) -> Table | None:
    told = {"claim": lambda claim: Cell(claim["title"], claim["sentence"]), "verdict": lambda claim: claim["verdict"]}
    return table_of(document["claims"], {**told, "pairs": _n_pairs}, n_names=2, title="verdicts")


def _activity(document: Document) -> Table | None:
    columns = {
        "networks": lambda row: row["networks"],
        "seeds": lambda row: str(row["n"]),
        "mean rate (Hz)": lambda row: Cell(quantity(row["rate_hz"]), within(row["rate_ci95"], quantity)),
        "silent": lambda row: "–" if row["silent_share"] is None else f"{100 * row['silent_share']:.1f} %",
        "C, filtered spikes": lambda row: quantity(row["memory"]),
        "C, spike counts": lambda row: quantity(row["memory_counts"]),
    }
    return table_of(document["activity"], columns, title="activity")


def _tests(claim: Mapping[str, Any]) -> Table | None:
    rows = [(condition["name"], test) for condition in claim["conditions"] for test in condition["tests"]]
    columns = {
        "condition": lambda row: row[0] or "no part in the verdict",
        "test": lambda row: row[1]["what"],
        "claimed": lambda row: SIDES[row[1]["claimed"]],
        "effect [95 % interval]": lambda row: _effect(row[1]),
        "d_z": lambda row: "–" if row[1]["d_z"] is None else _two_digits(row[1]["d_z"], "+"),
        "pairs": lambda row: str(row[1]["n"]),
        "reading": lambda row: _reading(*row),
    }
    return table_of([*rows, *(("", test) for test in claim["also"])], columns, n_names=2, title=claim["title"])


# -- figures -----------------------------------------------------------------------------------------------------------


def _forest(document: Document) -> Figure | None:
    names: list[str] = []
    points: dict[str, list[tuple[float, int, tuple[float, float], str]]] = {reading: [] for reading in LOOKS}
    for claim in document["claims"]:
        names.append(f"<b>{shown(claim['title'], 72)}</b>")
        for condition, test in ((c["name"], test) for c in claim["conditions"] for test in c["tests"]):
            names.append(small_print(shown(f"{condition}: {test['what']}", 72)))
            if test["sd"]:
                unit = test["sd"] * (-1 if test["claimed"] == "below" else 1)
                low, high = sorted(bound / unit for bound in test["ci95"])
                tip = f"{shown(test['what'], 60)}<br>{shown(_effect(test), 60)}, {test['n']} pairs"
                points[test["reading"]].append((test["effect"] / unit, len(names) - 1, (low, high), tip))
    data: list[Trace] = []
    for reading, found in points.items():
        if found:
            (colour, symbol), (x, y, ranges, tips) = LOOKS[reading], zip(*found, strict=True)
            ends = draw.error_bars(x, ranges, colour, 2, 0)
            look = {"name": reading, "showlegend": True, "marker": {"color": colour, "symbol": symbol, "size": 8}}
            data.append(draw.marks(x, y, hovertext=tips, error_x=ends, **look))
    axis, height_px = draw.number_axis("d_z, right: as claimed", nticks=8), 110 + 21 * len(names)
    return draw.chart(data, axis, draw.names_axis(names), "effects of all tests", height_px, shapes=[draw.upright()])


def _shapley(document: Document, name: str, words: str) -> Figure | None:
    groups = document["importance"][name]["groups"]
    means, ranges = ([group[of] for group in groups.values()] for of in ("mean", "ci95"))
    data = [draw.bars(means, draw.BLUE, ranges=ranges, hoverinfo="x")]
    axis = draw.number_axis(f"added to the {words}", zeroline=True, zerolinecolor=draw.INK)
    names = draw.names_axis([GROUPS[group].symbol if group in GROUPS else shown(group) for group in groups])
    return draw.chart(data, axis, names, f"Shapley values for the {words}", 250, title=words, bargap=0.45)


def _heat(document: Document, arm: str, name: str) -> Figure | None:
    found, words = document["map"], MAPS[name]
    both = [v for of_arm in found["mean"].values() for row in of_arm[name] for v in row]
    colorbar = {"tickfont": {"size": 10}, "nticks": 4}
    cells = draw.heat(found["mean"][arm][name], min(both), max(both), colorbar)
    cells["hovertemplate"] = "%{z}<extra></extra>"
    axes = _map_axis("weight scale", found["weight_scale"]), _map_axis("length scale λ", found["length_scale"])
    margin = {"l": 8, "r": 8, "t": 34, "b": 8, "pad": 2}  # above the colour bar is room for the tools
    label, title = f"{words} of {arm} over the map", f"{arm}: {words}"
    return draw.chart([cells], *axes, label, 290, title=title, margin=margin)


def _map_axis(title: str, ticks: Sequence[float]) -> Axis:
    vals, texts = list(range(0, len(ticks), 2)), [f"{tick:.2g}" for tick in ticks[::2]]
    return draw.number_axis(title, tickvals=vals, ticktext=texts, showgrid=False, tickfont={"size": 10})


def _scatter(document: Document, name: str) -> Figure | None:
    points, words = document["regression"]["points"], AGAINST[name]
    colours = (draw.BLUE, draw.SKY, draw.GREEN, draw.ORANGE, draw.VERMILION, draw.PURPLE, draw.PALE)
    rows = [row for row in zip(points["cv"], points[name], points["memory"], strict=True) if None not in row]
    data = []
    for k, cv in enumerate(dict.fromkeys(points["cv"])):
        xs, ys = [x for c, x, _ in rows if c == cv], [y for c, _, y in rows if c == cv]
        symbol = {"color": colours[k % len(colours)], "size": 6, "opacity": 0.8}
        data.append(draw.marks(xs, ys, name=f"CV {cv:g}", showlegend=True, marker=symbol, hoverinfo="x+y"))
    label = f"memory capacity against {words}"
    return draw.chart(data, words, "memory capacity C", label, 330, title=f"C against {words}")
