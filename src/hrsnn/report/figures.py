"""The figures of the report of a run: pure functions from results to figures.

One arm has one colour and one marker in every figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.document import number
from hrsnn.report.parts.drawing import Axis, Figure, Trace, shown, small_print
from hrsnn.report.parts.words import Kind, plain, quantity, signed, told_interval
from hrsnn.report.source import Key, Repeat, Results
from hrsnn.vocabulary import baselines, higher_is_better, label_of, unit_of

LOOKS = {
    "HoNHoS": (draw.BLUE, "circle", "solid"), "HeNHoS": (draw.SKY, "square", "dash"),
    "HoNHeS": (draw.GREEN, "diamond", "dot"), "HeNHeS": (draw.VERMILION, "triangle-up", "solid"),
    "HoNB": (draw.PURPLE, "hexagon", "dash"), "HeNB": (draw.ORANGE, "star", "solid"),
    "InputOnly": (draw.GREY, "x", "dot"), "RandomFeatures": (draw.GREY, "cross", "dash"),
    "Persistence": (draw.GREY, "triangle-down", "dot"), "SeasonalNaive": (draw.GREY, "triangle-up", "dashdot"),
    "AR": (draw.GREEN, "star", "dot"), "ESN-100": (draw.PURPLE, "hexagon", "dash"),
    "NVAR": (draw.ORANGE, "pentagon", "dashdot"),
}  # fmt: skip
OTHERS = ((draw.PURPLE, "star-square", "dash"), (draw.ORANGE, "hourglass", "dot"), (draw.INK, "bowtie", "dashdot"))
MARKS: dict[Kind, tuple[str, str]] = {
    "gain": (draw.BLUE, "circle"), "loss": (draw.VERMILION, "square"), "none": (draw.GREY, "circle-open"),
    "open": (draw.PALE, "diamond-open"), "plain": (draw.INK, "circle"),
}  # fmt: skip

MAX_ROWS = 30  # arms in one figure; the table holds all
MAX_SPIKES = 12_000  # spikes drawn of one raster
MAX_STEPS = 2_000  # steps drawn of one forecast
MAX_VARIABLES = 3
MAX_CLASSES = 200


def style(key: Key) -> tuple[str, str, str]:
    """Colour, marker and dash of an arm; controls and pruned networks keep the colour and change the marker."""
    known = LOOKS.get(key.arm) or OTHERS[sum(key.arm.encode("utf-8", "replace")) % len(OTHERS)]
    suffix = {"control": "-open", "pruned": "-dot"}.get(key.stage, "")
    return known[0], known[1] + suffix, known[2]


# -- arms against each other -------------------------------------------------------------------------------------------


def metric_per_arm(results: Results, metric: str) -> Figure | None:
    """Mean and interval of every arm, and below each its seeds."""
    rows = [row for row in results.rows if row.mean(metric) is not None][:MAX_ROWS]
    data = []
    for y, row in enumerate(rows):
        colour, symbol, _ = style(row.key)
        name, mean, ends = shown(row.key.label), row.mean(metric) or 0.0, row.score(metric).ci95
        seeds = [(u.outcome.part("metrics").number(metric), u.seed) for u in results.units_of(row.key)]
        points = [(value, seed) for value, seed in seeds if value is not None and len(seeds) > 1]
        small = {"color": colour, "symbol": "circle-open", "size": 6, "opacity": 0.8}
        tips = [f"{name}<br>seed {seed}: {plain(value)[0]}" for value, seed in points]
        data.append(draw.marks([x for x, _ in points], [y + 0.26] * len(points), marker=small, hovertext=tips))
        tip = f"{name}<br>mean {plain(mean)[0]}<br>{told_interval(plain, ends)}"
        data.append(draw.estimate_mark(mean, y, ends, (colour, symbol), tip))
    names = _arms_axis([row.key for row in rows])
    return draw.chart(data, shown(label_of(metric), 60), names, f"{metric} per arm", 70 + 42 * len(rows))


def comparisons(results: Results, metric: str) -> Figure | None:
    """Forest plot of the paired differences of one metric, with a line at zero."""
    found = [c for c in results.told if c.metric == metric and c.diff is not None][:MAX_ROWS]
    data = []
    for y, c in enumerate(found):
        diff = c.diff or 0.0
        what = f"{shown(c.a.label)} against {shown(c.b.label)}<br>{signed(diff)[0]}, {told_interval(signed, c.ci95)}"
        data.append(draw.estimate_mark(diff, y, c.ci95, MARKS[c.reading], f"{what}<br>{c.words}"))
    names = [f"{shown(c.a.label)}<br>{small_print('− ' + shown(c.b.label))}" for c in found]
    worse = " (left is better)" if higher_is_better(metric) is False else ""
    axis = draw.axis_from_zero(f"difference in {shown(label_of(metric), 40)}{worse}")
    label, shapes = f"paired differences of {metric}", [draw.upright()]
    return draw.chart(data, axis, draw.names_axis(names), label, 70 + 42 * len(found), shapes=shapes)


def costs_per_arm(results: Results) -> list[Figure | None]:
    """Spikes per neuron, and synaptic operations per sample, of every arm that has a spiking network."""
    spikes, operations = {"spikes_per_neuron": ""}, {"synops_recurrent": "recurrent", "synops_input": "input"}
    titles = {"spikes per neuron and sample": spikes, "synaptic operations per sample": operations}
    return [_stacked(results, title, parts) for title, parts in titles.items()]


def _stacked(results: Results, title: str, parts: Mapping[str, str]) -> Figure | None:
    """Stacked bars; the first part is filled in the colour of its arm, the second pale with an outline."""
    networks = [row for row in results.rows if row.key.arm not in baselines()]
    rows = [row for row in networks if any(row.costs.get(cost) for cost in parts)][:MAX_ROWS]
    data: list[Trace] = []
    for cost, name in parts.items() if rows else ():
        values = [row.costs.get(cost) for row in rows]
        words = name or "spikes per neuron"
        tips = [f"{shown(row.key.label)}<br>{quantity(v)} {words}" for row, v in zip(rows, values, strict=True)]
        data.append(draw.bars(values, [style(row.key)[0] for row in rows], tips=tips, filled=not data))
    if len(data) > 1:  # the legend's own squares are grey: the arms have the colours
        named = enumerate(parts.values())
        data += [draw.bars([None], draw.GREY, filled=k == 0, name=name, showlegend=True) for k, name in named]
    axis, names = draw.axis_from_zero("", tickformat="~s"), _arms_axis([row.key for row in rows])
    return draw.chart(data, axis, names, title, 96 + 40 * len(rows), title=title, barmode="stack", bargap=0.35)


def vpt_per_start(results: Results, metric: str) -> Figure | None:
    """Valid prediction time (`metric`) from each start, one row of points per arm, with its mean, as in the tables."""
    keys = [row.key for row in results.rows]
    each = [[u.details.part("by_start").numbers(metric) for u in results.units_of(key)] for key in keys]
    found = [sorted(v for one in of_key for v in one if v is not None) for of_key in each]
    rows = [(key, values) for key, values in zip(keys, found, strict=True) if values][:MAX_ROWS]
    data = []
    for y, (key, values) in enumerate(rows):
        colour, symbol, _ = style(key)
        spread = [y + 0.3 * ((i * 0.618034) % 1 - 0.5) for i in range(len(values))]
        drawn = {"color": colour, "symbol": symbol, "size": 7, "opacity": 0.55}
        tips = [f"{shown(key.label)}<br>{quantity(v)}{unit_of(metric)}" for v in values]
        data.append(draw.marks(values, spread, marker=drawn, hovertext=tips))
        mean = sum(values) / len(values)
        tip = f"{shown(key.label)}<br>mean {quantity(mean)}"
        data.append(draw.curve([mean, mean], [y - 0.32, y + 0.32], draw.INK, width=2.5, hover=tip))
    x, names = draw.axis_from_zero(label_of(metric)), _arms_axis([key for key, _ in rows])
    return draw.chart(data, x, names, "valid prediction time per start", 70 + 48 * len(rows))


def _arms_axis(keys: Sequence[Key]) -> Axis:
    small = [f"<br>{small_print(shown(key.rest, 22))}" if key.rest else "" for key in keys]
    return draw.names_axis([shown(key.arm, 18) + rest for key, rest in zip(keys, small, strict=True)])


# -- inside one network ------------------------------------------------------------------------------------------------


def raster(unit: Repeat) -> Figure | None:
    """The spikes of one sample: input channels above, excitatory then inhibitory neurons below."""
    part = unit.details.part("raster")
    spikes, events = part.pairs("time_ms", "unit"), part.pairs("input_time_ms", "input_unit")
    if not spikes:
        return None
    n_neurons, n_inputs, n_excitatory = (part.whole(name) for name in ("n_neurons", "n_inputs", "n_excitatory"))
    groups = [("input", draw.PURPLE, events, "y2")] if events else []
    groups += [("excitatory", draw.INK, [s for s in spikes if s[1] < n_excitatory], "y")]
    groups += [("inhibitory", draw.ORANGE, [s for s in spikes if s[1] >= n_excitatory], "y")]
    every = -(-max(len(spikes), len(events)) // MAX_SPIKES)
    data = []
    for name, colour, members, axis in groups:
        tall = max(0.45, n_inputs / 130 if axis == "y2" else n_neurons / 300)
        dashes = [(draw.short(t), draw.short(n - tall), draw.short(n + tall)) for t, n in members[::every]]
        data.append({
            "type": "scatter", "mode": "lines", "yaxis": axis, "name": f"{name} ({len(members):,})",
            "x": [x for t, *_ in dashes for x in (t, t, None)], "hoverinfo": "skip", "connectgaps": False,
            "y": [y for _, low, high in dashes for y in (low, high, None)],
            "line": {"color": colour, "width": 1.2, "simplify": False},
        })  # fmt: skip
    x = draw.number_axis("time (ms)", range=[0, part.number("duration_ms")])
    y = draw.number_axis("neuron", domain=[0, 0.63 if events else 1], range=[-1, n_neurons])
    channels = draw.number_axis("channel", domain=[0.69, 1], range=[-1, n_inputs])
    above: dict[str, Any] = {"yaxis2": channels} if events else {}
    ordinal, label = {2: "second", 3: "third"}.get(every, f"{every}th"), part.values.get("label")
    note = "" if every == 1 else f" Only every {ordinal} spike is drawn."
    said = "" if label is None else f' labelled "{label}"'
    return draw.chart(data, x, y, f"spikes of one sample{said}", 470, note=note, **above)


def histograms(unit: Repeat, names: Mapping[str, tuple[str, str]]) -> list[Figure | None]:
    """One small figure for each histogram of `names` (name -> title, axis) that `unit` has."""
    look, figures = (style(unit.key)[0], "solid"), []
    for name, (title, axis) in names.items():
        data = [draw.outline(*bars, look, title, fill=True) for bars in _histogram(unit, name)]
        figures.append(draw.chart(data, axis, draw.axis_from_zero("count"), title, 250, title=title, showlegend=False))
    return figures


def weights(unit: Repeat) -> list[Figure | None]:
    """Weights before and after learning, one small figure for recurrent and one for input synapses."""
    looks = {"before": (draw.GREY, "dot"), "after": (style(unit.key)[0], "solid")}
    figures = []
    for part in ("recurrent", "input"):
        data = [
            draw.outline(bars[0], draw.density(*bars), look, when, fill=when == "after")
            for when, look in looks.items()
            for bars in _histogram(unit, f"weight_{part}_{when}")
        ]
        y, title = draw.axis_from_zero("density"), f"{part} synapses"
        figures.append(draw.chart(data, "weight", y, f"{part} weights", 280, title=title, showlegend=True))
    return figures


def rates(units: Sequence[Repeat]) -> Figure | None:
    """Firing rates of the neurons, one outline per arm."""
    data = []
    for unit in units:
        colour, _, dash = style(unit.key)
        for edges, counts in _histogram(unit, "rate_hz"):
            shares = [100 * d for d in draw.density(edges, counts)]
            data.append(draw.outline(edges, shares, (colour, dash), shown(unit.key.label), fill=False))
    y = draw.axis_from_zero("% of neurons per Hz")
    return draw.chart(data, "firing rate (Hz)", y, "firing rates", 320, showlegend=True)


def _histogram(unit: Repeat, name: str) -> list[tuple[list[float], list[float]]]:
    """Edges and counts, where there are any."""
    part = unit.details.part("histograms").part(name)
    edges, counts = part.numbers("edges"), part.numbers("counts")
    if not edges or not counts:
        return []
    known = [e for e in edges if e is not None]
    part.check(len(edges) == len(counts) + 1, "edges", "must have one edge more than counts")
    part.check(len(known) == len(edges) and all(a < b for a, b in pairwise(known)), "edges", "must have rising edges")
    return [(known, [c or 0.0 for c in counts])]


def learning(units: Sequence[Repeat]) -> list[Figure | None]:
    """Spikes per neuron and share of silent neurons while learning, loss and score where told; one line per arm."""
    # Below the axis: four names in half the width would lie under the buttons.
    legend = {**draw.LEGEND, "y": -0.3, "yanchor": "top"}
    figures: list[Figure | None] = []
    columns = {
        "spikes per neuron and sample": "spikes_per_neuron", "silent neurons (%)": "silent_share", "loss": "loss",
        "score on what is held out": "score",
    }  # fmt: skip
    for title, name in columns.items():
        data, scale = [], 100.0 if name == "silent_share" else 1.0
        for unit in units:
            colour, symbol, dash = style(unit.key)
            points = unit.details.part("learning").pairs("sample", name)
            x, y, mark = [x for x, _ in points], [scale * y for _, y in points], symbol if len(points) <= 40 else ""
            line = draw.curve(x, y, colour, dash, name=shown(unit.key.label), mark=mark, hover=None)
            data += [line] if points else []
        if not data and name in ("loss", "score"):
            continue
        y_axis, label = draw.axis_from_zero(""), f"{title} while learning"
        figures.append(draw.chart(data, "samples seen", y_axis, label, 330, title=title, legend=legend))
    return figures


# -- predictions -------------------------------------------------------------------------------------------------------


def confusion(units: Sequence[Repeat]) -> Figure | None:
    """What was said (columns) when each class was meant (rows), summed over `units`, each row a share of 1."""
    pairs, names = list[tuple[int, int]](), list[str]()
    for unit in units:
        found = unit.details.pairs("labels", "predictions")
        unit.details.check(all(a >= 0 and b >= 0 for a, b in found), "labels", "and predictions must be >= 0")
        pairs += [(int(a), int(b)) for a, b in found]
        names = names or [str(name) for name in unit.details.items("class_names")]
    n = max(len(names), 1 + max((max(pair) for pair in pairs), default=0))
    if not pairs or n > MAX_CLASSES:
        return None
    names += [str(i) for i in range(len(names), n)]
    counts = [[0] * n for _ in range(n)]
    for a, b in pairs:
        counts[a][b] += 1
    share = [[c / sum(row) if any(row) else None for c in row] for row in counts]
    words = [shown(name, 40) for name in names]
    tips = [[f"meant {a}<br>said {b}<br>{c} of {sum(row)}" for b, c in zip(words, row, strict=True)]
            for a, row in zip(words, counts, strict=True)]  # fmt: skip
    colorbar = {
        "title": {"text": "share of the row", "side": "top", "font": {"size": 12}}, "orientation": "h", "len": 0.5,
        "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom", "tickvals": [0, 0.5, 1], "tickfont": {"size": 11},
    }  # fmt: skip
    cells = draw.heat(share, 0, 1, colorbar) | {"hoverinfo": "text", "hovertext": tips}
    if n <= 10:
        cells |= {"text": [[f"{s:.2f}" if s else "" for s in row] for row in share], "texttemplate": "%{text}"}
    x = _classes_axis("said", names, [-0.5, n - 0.5]) | {"tickangle": -90 if n > 6 else 0}
    return draw.chart([cells], x, _classes_axis("meant", names, [n - 0.5, -0.5]), "confusion matrix", 620, square=True)


def _classes_axis(title: str, names: Sequence[str], ends: list[float]) -> Axis:
    n, step = len(names), -(-len(names) // 40)
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": 13}}, "tickvals": list(range(0, n, step)),
        "ticktext": [shown(name, 11) for name in names[::step]], "tickfont": {"size": 12 if n <= 10 else 10},
        "showgrid": False, "zeroline": False, "automargin": True, "range": ends, "ticks": "",
    }  # fmt: skip


def forecast(unit: Repeat) -> Figure | None:
    """The true course and the predicted one, the first variables, over time in Lyapunov times where that is known."""
    part = unit.details.part("forecast")
    truth, prediction = part.items("truth"), part.items("prediction")
    if not truth or not prediction:
        return None
    for name in ("truth", "prediction"):
        rectangular = all(isinstance(row, list) and len(row) == len(truth[0]) for row in part.items(name))
        part.check(rectangular, name, "must be a list of steps with one value per variable")
    n_variables = min(len(truth[0]), MAX_VARIABLES)
    names = [str(name) for name in part.items("variable_names")]
    names += [f"variable {i + 1}" for i in range(len(names), n_variables)]
    per_step = (part.number("dt") or 0.0) * (part.number("lyapunov_exponent") or 0.0)
    unit_words = "Lyapunov times" if per_step > 0 else "steps"
    courses = ("truth", truth, (draw.INK, "solid")), ("prediction", prediction, (style(unit.key)[0], "dash"))
    data, axes = list[Trace](), dict[str, Any]()
    for v in range(n_variables):
        suffix = "" if v == 0 else str(v + 1)
        for name, table, look in courses:
            values = [number(step[v]) for step in table[:MAX_STEPS]]
            times = [i * (per_step if per_step > 0 else 1.0) for i in range(len(values))]
            parts: dict[str, Any] = {"yaxis": f"y{suffix}", "legendgroup": name, "showlegend": v == 0}
            data.append(draw.curve(times, values, *look, name=name, width=1.6, hover=None, **parts))
        true = [x for step in truth[:MAX_STEPS] if (x := number(step[v])) is not None] or [0.0, 1.0]
        low, high = min(true), max(true)
        room = 0.15 * (high - low) or 1.0
        domain = [1 - (v + 1) / n_variables + (0.03 if v < n_variables - 1 else 0), 1 - v / n_variables]
        axes[f"yaxis{suffix}"] = draw.number_axis(shown(names[v], 16), range=[low - room, high + room], domain=domain)
    note = f" The first {n_variables} of {len(truth[0])} variables are drawn." if len(truth[0]) > n_variables else ""
    across = draw.number_axis(f"time ({unit_words})", anchor=f"y{'' if n_variables == 1 else n_variables}")
    up = axes.pop("yaxis", {})
    return draw.chart(data, across, up, "truth and prediction", 110 + 150 * n_variables, note=note, **axes)
