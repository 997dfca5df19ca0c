"""The page of the atlas: first advice in sentences, then the map of all cells, all from its document alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.drawing import Figure, shown
from hrsnn.report.parts.page import Page, Section
from hrsnn.report.parts.table import Cell, Table, table_of
from hrsnn.report.parts.words import Finding, capital, listed, plural, quantity, with_sign, within
from hrsnn.vocabulary import ATLAS, higher_is_better, label_of

N_TOLD = 5  # conditions named in a sentence, those of the largest effects
_LARGEST = 12.0  # effect, in points or per cent, that has the darkest colour

Document = Mapping[str, Any]
Entry = Mapping[str, Any]
# A condition and the cell that speaks for its verdict.
_Told = tuple[Entry, Entry]


def page(document: Document) -> Page:
    """The page of a document of `hrsnn reproduce atlas`; raises `InputError` for a document of another schema."""
    ATLAS.checked(document)
    scale, n = document["scale"], document["n_cells"]
    sections = [
        Section("map", "The map", "Each cell holds the effect of one kind of heterogeneity under one condition, over "
            "half the width of its 95 % interval: points of accuracy; of forecasts, by how many per cent the error is "
            "smaller. Blue is better than the homogeneous twin, red is worse, and white is not certain once all "
            f"{n} cells are corrected together. R, √ and C: neurons of different time constants share their "
            "resistance, the variance of their potential, or their capacitance. Digits without any factor are the row "
            "of time bins.", [_map(document)], folded=False),
        Section("kinds", "Which kind", "How often each kind is better or worse than its twin, and what it spends.",
            tables=tables(document), folded=False),
        Section("cells", "All cells", "Mean scores over seeds; p is that of the paired t-test by itself.",
            tables=_cell_tables(document)),
        Section("tasks", "Tasks", items=[Cell(f"{case}: {words}") for case, words in document["tasks"].items()]),
        Section("method", "How it was made", paragraphs=_method(document)),
    ]  # fmt: skip
    facts = f"{scale['n_neurons']} neurons · {plural(scale['n_seeds'], 'paired seed')} · {n} cells"
    return Page(kind="hrsnn reproduce atlas", title=document["title"], created=document["created"],
        facts=(f"scale {scale['name']} · {facts}",), found=findings(document), sections=sections, key="▲ use \u2002 ▼ "
        "do not use \u2002 ○ no difference that is certain", versions=document["versions"], again="Stopped and started "
        "again, it goes on where it was, and gives the same numbers:", code=document["command"])  # fmt: skip


def _method(document: Document) -> tuple[str, ...]:
    n_learned, n, alpha = document["scale"]["n_learned"], document["n_cells"], 100 * document["alpha"]
    return (
        "Both networks of a pair have the same seed: positions, synapses, first weights, delays and input are the same "
        "numbers, and the means of all laws are the same. They differ in the spread of the laws that a kind names, "
        "which is that of the config, and in the gain that goes with it. Neurons are compared without learning; "
        f"networks of the column STDP learn without labels, from at most {n_learned} recordings.",
        "A linear readout is fitted for each network. Its penalty is chosen on validation data, the test part is "
        "scored once, and nothing is chosen by what stands here. Conditions that share networks share their "
        "simulations, so cells of one group are not independent of each other.",
        f"A cell counts as better or worse where the t-test of its pairs survives Holm's correction (1979) for all {n} "
        f"cells at {alpha:g} %, which holds however cells depend on each other. Intervals are those of single cells, "
        "and over networks: the recordings of a test part are the same for all of them.",
    )


# -- advice ------------------------------------------------------------------------------------------------------------


def findings(document: Document) -> list[Finding]:
    """Advice: when to use heterogeneity and when not, then which kind, its cost, and how certain all that is."""
    kinds = {kind["name"]: kind for kind in document["kinds"]}
    neurons = [cell for cell in document["cells"] if not kinds[cell["kind"]]["learned"]]
    synapses = [cell for cell in document["cells"] if kinds[cell["kind"]]["learned"]]
    found = _advice(document, neurons, "heterogeneous neurons")
    found += _advice(document, synapses, "heterogeneous plasticity")
    found += [Finding("plain", sentence) for sentence in (_which(document, neurons), _spent(neurons)) if sentence]
    found.append(Finding("plain", _certainty(document)))
    mute = [
        condition["label"]
        for condition in document["conditions"]
        if (of := [cell for cell in document["cells"] if cell["condition"] == condition["name"]])
        and all(cell["verdict"] == "no answer" for cell in of)
    ]
    if mute:
        found.append(Finding("open", f"No answer from {listed(mute)}: the readout takes nothing from these networks."))
    return found + [Finding("open", f"Left out: {why}.") for why in document["left_out"].values()]


def _advice(document: Document, cells: Sequence[Entry], subject: str) -> list[Finding]:
    """What to do with a subject: a condition speaks for it where any kind is better, against it where only worse."""
    pro: list[_Told] = []
    contra: list[_Told] = []
    neither: list[Entry] = []
    for condition in document["conditions"]:
        of = [c for c in cells if c["condition"] == condition["name"] and c["verdict"] != "no answer"]
        better, worse = ([cell for cell in of if cell["verdict"] == verdict] for verdict in ("better", "worse"))
        if better:
            pro.append((condition, max(better, key=_effect)))
        elif worse:
            contra.append((condition, min(worse, key=_effect)))
        elif of:
            neither.append(condition)
    n = len(pro) + len(contra) + len(neither)
    if not (pro or contra):
        measured = "the one condition measured" if n == 1 else f"any of the {n} conditions measured"
        nothing = f"{capital(subject)}: no gain and no loss is certain under {measured}."
        return [Finding("none", nothing)] if n else []
    pro.sort(key=lambda told: -_effect(told[1]))
    contra.sort(key=lambda told: _effect(told[1]))
    found = [
        Finding("gain", f"Use {subject} when {_listed(document, pro)}.")
        if pro
        else Finding("none", f"Nothing speaks for {subject}: no gain is certain under any of {n} conditions."),
        Finding("loss", f"Do not use {subject} when {_listed(document, contra)}.")
        if contra
        else Finding("none", f"Nothing speaks against {subject}: no condition has certain losses alone."),
    ]
    if neither:
        found.append(Finding("none", f"It makes no difference that is certain when {_some(neither)}."))
    return found


def _effect(cell: Entry) -> float:
    return float(cell["shown"]["effect"])


def _some(conditions: Sequence[Entry]) -> str:
    words = [condition["when"] for condition in conditions[:N_TOLD]]
    return "; ".join([*words, *_more(len(conditions))])


def _more(n: int) -> list[str]:
    return [f"and under {plural(n - N_TOLD, 'more condition')} of the map"] if n > N_TOLD else []


def _listed(document: Document, told: Sequence[_Told]) -> str:
    words = "; ".join([*(_in_words(document, *one) for one in told[:N_TOLD]), *_more(len(told))])
    return f"{words}. {plural(told[0][1]['n'], 'pair')} each"


def _in_words(document: Document, condition: Entry, cell: Entry) -> str:
    """The clause of a condition, with the kind, its effect and cost."""
    kind = next(kind for kind in document["kinds"] if kind["name"] == cell["kind"])
    spikes = "" if cell["spikes_ratio"] is None else f", {quantity(cell['spikes_ratio'])} times the spikes"
    over = f" over the twin's {quantity(cell['twin'])}" if higher_is_better(condition["metric"]) else ""
    return f"{condition['when']} ({kind['words']}: {_amount(condition, cell)}{over}{spikes})"


def _amount(condition: Entry, cell: Entry) -> str:
    """An effect with its interval and unit."""
    effect, ends = round(_effect(cell), 1), [round(end, 1) for end in cell["shown"]["ci95"] or ()]
    if higher_is_better(condition["metric"]):
        return f"{with_sign(effect)} points {within(ends or None, with_sign)}".rstrip()
    if effect < 0:
        effect, ends = -effect, [-end for end in reversed(ends)]
        return f"{quantity(effect)} % more error {within(ends or None)}".rstrip()
    return f"{quantity(effect)} % less error {within(ends or None)}".rstrip()


def _which(document: Document, cells: Sequence[Entry]) -> str:
    """The kinds that are better most often and worse most often; "" where nothing is certain."""
    counts = {
        kind["name"]: {verdict: sum(c["kind"] == kind["name"] and c["verdict"] == verdict for c in cells)
                       for verdict in ("better", "worse")}
        for kind in document["kinds"]
    }  # fmt: skip
    words = {kind["name"]: kind["words"] for kind in document["kinds"]}
    said = []
    for verdict in ("better", "worse"):
        most = max((of[verdict] for of in counts.values()), default=0)
        if most:
            names = [words[name] for name, of in counts.items() if of[verdict] == most]
            n = len({cell["condition"] for cell in cells if cell["verdict"] != "no answer"})
            said.append(f"{verdict} most often, in {most} of {n} conditions: {listed(names)}")
    return capital("; ".join(said)) + "." if said else ""


def _spent(cells: Sequence[Entry]) -> str:
    """What heterogeneous neurons cost in spikes, over all cells."""
    ratios = sorted(cell["spikes_ratio"] for cell in cells if cell["spikes_ratio"] is not None)
    if not ratios:
        return ""
    return (
        f"Cost: heterogeneous neurons fire {quantity(ratios[len(ratios) // 2])} times the spikes of their twins in the "
        f"median of all cells, from {quantity(ratios[0])} to {quantity(ratios[-1])} times."
    )


def _certainty(document: Document) -> str:
    n, alone, kept = (document[name] for name in ("n_cells", "n_alone", "n_surviving_holm"))
    answered = [cell["shown"]["ci95"] for cell in document["cells"] if cell["verdict"] != "no answer"]
    ends = [of for of in answered if of is not None]
    halves = sorted((high - low) / 2 for low, high in ends)
    room = f"Half of the intervals are narrower than ±{halves[len(halves) // 2]:.1f}. " if halves else ""
    return (
        f"{kept} of {n} cells, {plural(document['scale']['n_seeds'], 'pair')} each, are certain when all are corrected "
        f"together (Holm); {alone} would be alone, where about {quantity(document['alpha'] * n)} would be by chance. "
        f"{room}Where no other task is named it is the spoken digits."
    )


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(document: Document) -> list[Table]:
    """One line for each kind: how often it is better, worse, neither, and its spikes."""
    rows = []
    for kind in document["kinds"]:
        of = [c for c in document["cells"] if c["kind"] == kind["name"] and c["verdict"] != "no answer"]
        ratios = sorted(cell["spikes_ratio"] for cell in of if cell["spikes_ratio"] is not None)
        if of:
            count = {
                verdict: sum(cell["verdict"] == verdict for cell in of) for verdict in ("better", "worse", "not shown")
            }
            rows.append((kind, count, sum(map(_effect, of)) / len(of), ratios[len(ratios) // 2] if ratios else None))
    columns: dict[str, Any] = {
        "kind": lambda row: Cell(capital(row[0]["words"]), row[0]["label"]),
        "better": lambda row: str(row[1]["better"]),
        "worse": lambda row: str(row[1]["worse"]),
        "not certain": lambda row: str(row[1]["not shown"]),
        "mean effect": lambda row: with_sign(round(row[2], 2)),
        "spikes, times": lambda row: quantity(row[3]),
    }
    made = table_of(rows, columns, title="kinds")
    return [] if made is None else [made]


def _cell_tables(document: Document) -> Iterator[Table | None]:
    """One table for each group of conditions."""
    conditions = {condition["name"]: condition for condition in document["conditions"]}
    labels = {kind["name"]: kind["label"] for kind in document["kinds"]}
    columns: dict[str, Any] = {
        "condition": lambda cell: Cell(conditions[cell["condition"]]["label"], labels[cell["kind"]]),
        "score": lambda cell: Cell(quantity(cell["mean"]), label_of(conditions[cell["condition"]]["metric"])),
        "twin": lambda cell: quantity(cell["twin"]),
        "effect": lambda cell: _amount(conditions[cell["condition"]], cell),
        "p": lambda cell: quantity(cell["p"]),
        "verdict": lambda cell: cell["verdict"],
        "spikes, times": lambda cell: quantity(cell["spikes_ratio"]),
    }
    for group in dict.fromkeys(condition["group"] for condition in document["conditions"]):
        cells = [cell for cell in document["cells"] if conditions[cell["condition"]]["group"] == group]
        yield table_of(cells, columns, title=capital(group), folded=True)


# -- the map -----------------------------------------------------------------------------------------------------------


def _map(document: Document) -> Figure | None:
    """Conditions down, kinds across; what is certain has a colour, every cell its numbers."""
    kinds = [kind for kind in document["kinds"] if any(cell["kind"] == kind["name"] for cell in document["cells"])]
    cells = {(cell["condition"], cell["kind"]): cell for cell in document["cells"]}
    names: list[str] = []
    rows: list[list[Entry | None]] = []
    heads: list[draw.Trace] = []
    for group in dict.fromkeys(condition["group"] for condition in document["conditions"]):
        head = {"text": f"<b>{shown(capital(group), 40)}</b>", "x": -0.5, "xanchor": "left", "y": len(rows)}
        heads.append({**head, "yanchor": "middle", "showarrow": False, "font": {"size": 12}})
        names.append("")
        rows.append([None] * len(kinds))
        for condition in (one for one in document["conditions"] if one["group"] == group):
            names.append(shown(condition["label"]))
            rows.append([cells.get((condition["name"], kind["name"])) for kind in kinds])
    when = {condition["name"]: condition for condition in document["conditions"]}
    z = [[None if cell is None else _colour(cell) for cell in row] for row in rows]
    trace = draw.heat(z, -_LARGEST, _LARGEST, {}, colours=draw.DIVERGING)
    trace |= {
        "showscale": False, "texttemplate": "%{text}", "textfont": {"size": 10}, "hoverinfo": "text",
        "text": [["" if cell is None else _written(cell) for cell in row] for row in rows],
        "hovertext": [
            ["" if cell is None else f"{shown(when[cell['condition']]['when'], 60)}<br>{shown(kind['words'], 60)}<br>"
             f"{shown(_amount(when[cell['condition']], cell), 60)}" for cell, kind in zip(row, kinds, strict=True)]
            for row in rows
        ],
    }  # fmt: skip
    ticks = [shown(kind["label"]).replace(", ", "<br>") for kind in kinds]
    x = draw.number_axis("", tickvals=list(range(len(kinds))), ticktext=ticks, side="top", showgrid=False, ticks="",
                         tickangle=0, tickfont={"size": 11, "color": draw.INK},
                         showline=False, fixedrange=True)  # fmt: skip
    y = {**draw.names_axis(names), "range": [len(names) - 0.5, -0.5]}
    height_px, margin = 70 + 30 * len(names), {"l": 8, "r": 8, "t": 40, "b": 8}
    return draw.chart([trace], x, y, "effects of all cells", height_px, margin=margin, annotations=heads)


def _colour(cell: Entry) -> float:
    return _effect(cell) if cell["survives_holm"] else 0.0


def _written(cell: Entry) -> str:
    """The effect over half the width of its interval."""
    if cell["verdict"] == "no answer":
        return "–"
    ends, effect = cell["shown"]["ci95"], _one_decimal(_effect(cell), "+")
    half = "" if ends is None else f'<span style="font-size:9px">±{_one_decimal((ends[1] - ends[0]) / 2)}</span>'
    return f"<b>{effect}</b><br>{half}" if cell["survives_holm"] else f"{effect}<br>{half}"


def _one_decimal(value: float, sign: str = "") -> str:
    rounded = round(value, 1) + 0.0
    return f"{rounded:{sign if rounded else ''}.{0 if abs(rounded) >= 10 else 1}f}".replace("-", "−")
