"""The figures of the report of a run: pure functions from results to figures.

One arm has one colour and one marker in every figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hrsnn.report.findings import reading
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
    density,
    estimate_mark,
    faded,
    figure_of,
    layout_with,
    marks,
    names_axis,
    number_axis,
    outline,
    short,
    shown,
    small_print,
)
from hrsnn.report.parts.words import Kind, plain, quantity, signed
from hrsnn.report.source import (
    Comparison,
    Key,
    Results,
    Row,
    Unit,
    column,
    damaged,
    detail,
    number,
)
from hrsnn.vocabulary import BASELINES, METRICS, higher_is_better, label_of

STYLES = {
    "HoNHoS": (BLUE, "circle", "solid"),
    "HeNHoS": (SKY, "square", "dash"),
    "HoNHeS": (GREEN, "diamond", "dot"),
    "HeNHeS": (VERMILION, "triangle-up", "solid"),
    "HoNB": (PURPLE, "hexagon", "dash"),
    "HeNB": (ORANGE, "star", "solid"),
    "InputOnly": (GREY, "x", "dot"),
    "RandomFeatures": (GREY, "cross", "dash"),
    "Persistence": (GREY, "triangle-down", "dot"),
    "SeasonalNaive": (GREY, "triangle-up", "dashdot"),
    "AR": (GREEN, "star", "dot"),
    "ESN-100": (PURPLE, "hexagon", "dash"),
    "NVAR": (ORANGE, "pentagon", "dashdot"),
}
OTHERS = ((PURPLE, "star-square", "dash"), (ORANGE, "hourglass", "dot"), (INK, "bowtie", "dashdot"))

MAX_ROWS = 30  # arms in one figure; the table holds all
MAX_SPIKES = 12_000  # spikes drawn of one raster
MAX_STEPS = 2_000  # steps drawn of one forecast
MAX_VARIABLES = 3


def style(key: Key) -> tuple[str, str, str]:
    """Colour, marker and dash of an arm; controls and pruned networks keep the colour and change the marker."""
    known = STYLES.get(key.arm) or OTHERS[sum(key.arm.encode("utf-8", "replace")) % len(OTHERS)]
    suffix = {"control": "-open", "pruned": "-dot"}.get(key.stage, "")
    return known[0], known[1] + suffix, known[2]


# -- arms against each other -------------------------------------------------------------------------------------------


def metric_per_arm(results: Results, metric: str) -> Figure | None:
    """Mean and interval of every arm, and below each its seeds."""
    rows = [row for row in results.rows if (e := row.metrics.get(metric)) and e.mean is not None][:MAX_ROWS]
    if not rows:
        return None
    data = []
    for y, row in enumerate(rows):
        colour, symbol, _ = style(row.key)
        estimate = row.metrics[metric]
        mean, interval = estimate.mean or 0.0, estimate.ci95
        seeds = [(u.metrics.get(metric), u.seed) for u in results.units_of(row.key)]
        points = [(value, seed) for value, seed in seeds if value is not None and len(seeds) > 1]
        data.append(
            marks(
                [value for value, _ in points],
                [y + 0.26] * len(points),
                marker={"color": colour, "symbol": "circle-open", "size": 6, "opacity": 0.8},
                hovertext=[f"{shown(row.key.label)}<br>seed {seed}: {plain(value)[0]}" for value, seed in points],
            )
        )
        within = f"<br>95 % interval [{', '.join(plain(*interval))}]" if interval else "<br>no interval"
        tip = f"{shown(row.key.label)}<br>mean {plain(mean)[0]}{within}"
        data.append(estimate_mark(mean, y, interval, (colour, symbol), tip))
    layout = layout_with(
        xaxis=number_axis(shown(label_of(metric), 60)),
        yaxis=names_axis([_two_lines(row.key) for row in rows]),
    )
    return figure_of(data, layout, f"{metric} per arm", 70 + 42 * len(rows))


def comparisons(results: Results, metric: str) -> Figure | None:
    """Forest plot of the paired differences of one metric, with a line at zero."""
    found = [c for c in results.told if c.metric == metric and c.diff is not None][:MAX_ROWS]
    if not found:
        return None
    data = []
    for y, c in enumerate(found):
        diff = c.diff or 0.0
        kind = reading(c)
        within = "no interval" if c.ci95 is None else f"95 % interval [{', '.join(signed(*c.ci95))}]"
        what = f"{shown(c.a.label)} against {shown(c.b.label)}<br>{signed(diff)[0]}, {within}<br>{told(c)}"
        data.append(estimate_mark(diff, y, c.ci95, MARKS[kind], what))
    names = [f"{shown(c.a.label)}<br>{small_print('− ' + shown(c.b.label))}" for c in found]
    name = shown(label_of(metric), 40)
    worse = " (left is better)" if higher_is_better(metric) is False else ""
    axis = {**number_axis(f"difference in {name}{worse}"), "rangemode": "tozero"}
    layout = layout_with(xaxis=axis, yaxis=names_axis(names), shapes=[ZERO])
    return figure_of(data, layout, f"paired differences of {metric}", 70 + 42 * len(found))


def told(c: Comparison) -> str:
    """A comparison in a few words."""
    if c.diff is None:
        return "no value"
    if c.ci95 is None:
        return "one seed, no interval" if c.n_pairs == 1 else "no interval"
    if reading(c) == "none":
        return "no measurable difference"
    better = {True: " (better)", False: " (worse)"}[reading(c) == "gain"] if c.metric in METRICS else ""
    return ("higher" if c.ci95[0] > 0 else "lower") + better


MARKS: dict[Kind, tuple[str, str]] = {
    "gain": (BLUE, "circle"),
    "loss": (VERMILION, "square"),
    "none": (GREY, "circle-open"),
    "open": (PALE, "diamond-open"),
    "plain": (INK, "circle"),
}


def costs_per_arm(results: Results) -> list[Figure]:
    """Spikes per neuron, and synaptic operations per sample, of every arm that has a spiking network."""
    figures = []
    for title, parts in (
        ("spikes per neuron and sample", (("spikes_per_neuron", ""),)),
        ("synaptic operations per sample", (("synops_recurrent", "recurrent"), ("synops_input", "input"))),
    ):
        networks = [row for row in results.rows if row.key.arm not in BASELINES]
        rows = [row for row in networks if any(row.costs.get(cost) for cost, _ in parts)][:MAX_ROWS]
        if rows:
            figures.append(_bars(rows, title, parts))
    return figures


def _bars(rows: list[Row], title: str, parts: tuple[tuple[str, str], ...]) -> Figure:
    """Stacked bars; the first part is filled in the colour of its arm, the second pale with an outline."""

    def marker(colours: list[str], part: int) -> dict[str, Any]:
        fills = colours if part == 0 else [faded(colour) for colour in colours]
        return {"color": fills, "line": {"color": colours, "width": 1.2}}

    data: list[dict[str, Any]] = []
    for part, (cost, name) in enumerate(parts):
        values = [row.costs.get(cost) for row in rows]
        tips = [
            f"{shown(row.key.label)}<br>{quantity(value)} {name or 'spikes per neuron'}"
            for row, value in zip(rows, values, strict=True)
        ]
        colours = [style(row.key)[0] for row in rows]
        bars = {"type": "bar", "orientation": "h", "x": values, "y": list(range(len(rows))), "showlegend": False}
        data.append({**bars, "marker": marker(colours, part), "hovertext": tips, "hoverinfo": "text"})
    if len(parts) > 1:  # the legend's own squares are grey: the arms have the colours
        for part, (_, name) in enumerate(parts):
            data.append({"type": "bar", "x": [None], "y": [0], "name": name, "marker": marker([GREY], part)})
    axis = {**number_axis(""), "rangemode": "tozero", "tickformat": "~s"}
    layout = layout_with(
        xaxis=axis, yaxis=names_axis([_two_lines(row.key) for row in rows]), barmode="stack", bargap=0.35
    )
    return figure_of(data, layout, title, 96 + 40 * len(rows), title=title)


# -- inside one network ------------------------------------------------------------------------------------------------


def raster(unit: Unit) -> Figure | None:
    """The spikes of one sample: input channels above, excitatory then inhibitory neurons below."""
    times, neurons = column(unit, "raster", "time_ms"), column(unit, "raster", "unit")
    if times is None or neurons is None:
        return None
    damaged(unit, "raster", "must have one unit per time", len(times) == len(neurons))
    spikes = [(t, n) for t, n in zip(times, neurons, strict=True) if t is not None and n is not None]
    last = max((n for _, n in spikes), default=0)
    n_excitatory = _count(unit, "raster", "n_excitatory") or int(last) + 1
    n_neurons = _count(unit, "raster", "n_neurons") or int(last) + 1
    groups = [
        ("excitatory", INK, [s for s in spikes if s[1] < n_excitatory], "y"),
        ("inhibitory", ORANGE, [s for s in spikes if s[1] >= n_excitatory], "y"),
    ]
    input_times, channels = column(unit, "raster", "input_time_ms"), column(unit, "raster", "input_unit")
    events: list[tuple[float, float]] = []
    if input_times and channels:
        damaged(unit, "raster", "must have one input unit per input time", len(input_times) == len(channels))
        events = [(t, c) for t, c in zip(input_times, channels, strict=True) if t is not None and c is not None]
        groups.insert(0, ("input", PURPLE, events, "y2"))
    n_inputs = _count(unit, "raster", "n_inputs") or int(max((c for _, c in events), default=0)) + 1
    every = -(-max(len(spikes), len(events)) // MAX_SPIKES) or 1
    data = []
    for name, colour, members, axis in groups:
        tall = max(0.45, (n_inputs / 130 if axis == "y2" else n_neurons / 300))
        x: list[float | None] = []
        y: list[float | None] = []
        for t, n in members[::every]:
            x += [short(t), short(t), None]
            y += [short(n - tall), short(n + tall), None]
        data.append(
            {
                "type": "scatter", "mode": "lines", "x": x, "y": y, "yaxis": axis, "name": f"{name} ({len(members):,})",
                "hoverinfo": "skip", "connectgaps": False,
                "line": {"color": colour, "width": 1.2, "simplify": False},
            }
        )  # fmt: skip
    split = 0.66 if events else 1.0
    duration = _number(unit, "raster", "duration_ms") or max((t for t, _ in spikes + events), default=1.0)
    layout = layout_with(
        xaxis={**number_axis("time (ms)"), "range": [0, duration]},
        yaxis={**number_axis("neuron"), "domain": [0, split - 0.03 if events else 1], "range": [-1, n_neurons]},
        yaxis2={**number_axis("channel"), "domain": [split + 0.03, 1], "range": [-1, n_inputs]},
    )
    if not events:
        del layout["yaxis2"]
    thin = "" if every == 1 else f" Only every {_ordinal(every)} spike is drawn."
    label = detail(unit, "raster", "label")
    said = "" if label is None else f' labelled "{label}"'
    return figure_of(data, layout, f"spikes of one sample{said}", 470, note=thin)


def histograms(unit: Unit, names: dict[str, tuple[str, str]]) -> list[Figure]:
    """One small figure for each histogram of `names` (name -> title, axis) that `unit` has."""
    figures = []
    for name, (title, axis) in names.items():
        bars = _histogram(unit, name)
        if bars is None:
            continue
        edges, counts = bars
        colour = style(unit.key)[0]
        data = [outline(edges, counts, colour, "solid", title, fill=True)]
        layout = layout_with(
            xaxis=number_axis(axis), yaxis={**number_axis("count"), "rangemode": "tozero"}, showlegend=False
        )
        figures.append(figure_of(data, layout, title, 250, title=title))
    return figures


def weights(unit: Unit) -> list[Figure]:
    """Weights before and after learning, one small figure for recurrent and one for input synapses."""
    figures = []
    for part in ("recurrent", "input"):
        data = []
        for when, colour, dash in (("before", GREY, "dot"), ("after", style(unit.key)[0], "solid")):
            bars = _histogram(unit, f"weight_{part}_{when}")
            if bars is not None:
                data.append(outline(bars[0], density(*bars), colour, dash, when, fill=when == "after"))
        if data:
            layout = layout_with(
                xaxis=number_axis("weight"), yaxis={**number_axis("density"), "rangemode": "tozero"}, showlegend=True
            )
            figures.append(figure_of(data, layout, f"{part} weights", 280, title=f"{part} synapses"))
    return figures


def rates(units: Sequence[Unit]) -> Figure | None:
    """Firing rates of the neurons, one outline per arm."""
    data = []
    for unit in units:
        bars = _histogram(unit, "rate_hz")
        if bars is not None:
            colour, _, dash = style(unit.key)
            shares = [100 * d for d in density(*bars)]
            data.append(outline(bars[0], shares, colour, dash, shown(unit.key.label), fill=False))
    if not data:
        return None
    layout = layout_with(
        xaxis=number_axis("firing rate (Hz)"),
        yaxis={**number_axis("% of neurons per Hz"), "rangemode": "tozero"},
        showlegend=True,
    )
    return figure_of(data, layout, "firing rates", 320)


def learning(units: Sequence[Unit]) -> list[Figure]:
    """Spikes per neuron and share of silent neurons while learning, one line per arm."""
    figures = []
    for name, title, scale in (
        ("spikes_per_neuron", "spikes per neuron and sample", 1.0),
        ("silent_share", "silent neurons (%)", 100.0),
    ):
        data = []
        for unit in units:
            x, y = column(unit, "learning", "sample"), column(unit, "learning", name)
            if x is None or y is None:
                continue
            damaged(unit, f"learning.{name}", "must have one value per sample", len(x) == len(y))
            colour, symbol, dash = style(unit.key)
            data.append(
                {
                    "type": "scatter", "mode": "lines+markers" if len(x) <= 40 else "lines",
                    "x": x, "y": [None if v is None else short(scale * v) for v in y],
                    "name": shown(unit.key.label), "line": {"color": colour, "dash": dash, "width": 2},
                    "marker": {"color": colour, "symbol": symbol, "size": 6},
                }
            )  # fmt: skip
        if data:
            layout = layout_with(
                xaxis=number_axis("samples seen"), yaxis={**number_axis(""), "rangemode": "tozero"}, showlegend=True
            )
            # Below the axis: four names in half the width would lie under the buttons.
            layout["legend"] = {**layout["legend"], "y": -0.3, "yanchor": "top"}
            figures.append(figure_of(data, layout, f"{title} while learning", 330, title=title))
    return figures


# -- predictions -------------------------------------------------------------------------------------------------------


def confusion(units: Sequence[Unit]) -> Figure | None:
    """What was said (columns) when each class was meant (rows), summed over `units`, each row a share of 1."""
    pairs: list[tuple[int, int]] = []
    names: list[str] = []
    for unit in units:
        labels, said = column(unit, "labels"), column(unit, "predictions")
        if labels is None or said is None:
            continue
        damaged(unit, "predictions", "must have one value per label", len(labels) == len(said))
        pairs += [(int(a), int(b)) for a, b in zip(labels, said, strict=True) if a is not None and b is not None]
        damaged(unit, "labels", "and predictions must be >= 0", all(a >= 0 and b >= 0 for a, b in pairs))
        given = detail(unit, "class_names")
        names = names or ([str(name) for name in given] if isinstance(given, list) else [])
    if not pairs:
        return None
    n = max(len(names), 1 + max(max(pair) for pair in pairs))
    if n > 200:
        return None
    names += [str(i) for i in range(len(names), n)]
    counts = [[0] * n for _ in range(n)]
    for meant, said_ in pairs:
        counts[meant][said_] += 1
    totals = [sum(row) for row in counts]
    share = [[c / total if total else None for c in row] for row, total in zip(counts, totals, strict=True)]
    tips = [
        [
            f"meant {shown(names[i], 40)}<br>said {shown(names[j], 40)}<br>{counts[i][j]} of {totals[i]}"
            for j in range(n)
        ]
        for i in range(n)
    ]
    heat: dict[str, Any] = {
        "type": "heatmap", "z": [[None if s is None else round(s, 4) for s in row] for row in share],
        "zmin": 0, "zmax": 1, "hoverinfo": "text", "hovertext": tips, "xgap": 1, "ygap": 1,
        "colorscale": [[0, "#f4f6f8"], [0.5, "#5b9cc9"], [1, "#08306b"]],
        "colorbar": {
            "title": {"text": "share of the row", "side": "top", "font": {"size": 12}}, "orientation": "h",
            "thickness": 8, "len": 0.5, "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom", "outlinewidth": 0,
            "tickvals": [0, 0.5, 1], "tickfont": {"size": 11},
        },
    }  # fmt: skip
    if n <= 10:
        heat["text"] = [[f"{s:.2f}" if s else "" for s in row] for row in share]
        heat["texttemplate"] = "%{text}"
    step = -(-n // 40)
    ticks = {
        "tickvals": list(range(0, n, step)), "ticktext": [shown(name, 11) for name in names[::step]],
        "tickfont": {"size": 12 if n <= 10 else 10}, "showgrid": False, "zeroline": False, "automargin": True,
        "range": [-0.5, n - 0.5], "ticks": "",
    }  # fmt: skip
    layout = layout_with(
        xaxis={
            **ticks,
            "title": {"text": "said", "standoff": 8, "font": {"size": 13}},
            "tickangle": -90 if n > 6 else 0,
        },
        yaxis={**ticks, "title": {"text": "meant", "standoff": 8, "font": {"size": 13}}, "range": [n - 0.5, -0.5]},
    )
    return figure_of([heat], layout, "confusion matrix", 620, square=True)


def forecast(unit: Unit) -> Figure | None:
    """The true course and the predicted one, the first variables, over time in Lyapunov times where that is known."""
    truth, prediction = detail(unit, "forecast", "truth"), detail(unit, "forecast", "prediction")
    if not truth or not prediction:
        return None
    for name, table in (("truth", truth), ("prediction", prediction)):
        rectangular = isinstance(table, list) and all(isinstance(r, list) and len(r) == len(truth[0]) for r in table)
        damaged(unit, f"forecast.{name}", "must be a list of steps with one value per variable", rectangular)
    n_variables = min(len(truth[0]), MAX_VARIABLES)
    if n_variables == 0:
        return None
    given = detail(unit, "forecast", "variable_names")
    names = [str(name) for name in given] if isinstance(given, list) else []
    names += [f"variable {i + 1}" for i in range(len(names), n_variables)]
    dt, exponent = _number(unit, "forecast", "dt"), _number(unit, "forecast", "lyapunov_exponent")
    in_lyapunov = dt is not None and exponent is not None and dt > 0 and exponent > 0
    per_step = (dt or 0) * (exponent or 0) if in_lyapunov else 1.0
    data, layout = [], layout_with(showlegend=True)
    for v in range(n_variables):
        suffix = "" if v == 0 else str(v + 1)
        for name, table, colour, dash in (
            ("truth", truth, INK, "solid"),
            ("prediction", prediction, style(unit.key)[0], "dash"),
        ):
            values = [number(step[v]) for step in table[:MAX_STEPS]]
            data.append(
                {
                    "type": "scatter", "mode": "lines", "y": [None if x is None else short(x) for x in values],
                    "x": [short(i * per_step) for i in range(len(values))], "yaxis": f"y{suffix}",
                    "name": name, "legendgroup": name, "showlegend": v == 0,
                    "line": {"color": colour, "dash": dash, "width": 1.6},
                }
            )  # fmt: skip
        true = [x for step in truth[:MAX_STEPS] if (x := number(step[v])) is not None]
        low, high = (min(true), max(true)) if true else (0.0, 1.0)
        room = 0.15 * (high - low) or 1.0
        top, bottom = 1 - v / n_variables, 1 - (v + 1) / n_variables
        layout[f"yaxis{suffix}"] = {
            **number_axis(shown(names[v], 16)), "range": [low - room, high + room],
            "domain": [bottom + (0.03 if v < n_variables - 1 else 0), top],
        }  # fmt: skip
    layout["xaxis"] = {
        **number_axis("time (Lyapunov times)" if in_lyapunov else "time (steps)"),
        "anchor": f"y{suffix}",
    }
    rest = len(truth[0]) - n_variables
    note = f" The first {n_variables} of {len(truth[0])} variables are drawn." if rest else ""
    return figure_of(data, layout, "truth and prediction", 110 + 150 * n_variables, note=note)


def vpt_per_start(results: Results) -> Figure | None:
    """Valid prediction time from each start, one row of points per arm, with its mean, as in the tables."""
    rows = []
    for row in results.rows:
        found = [column(u, "forecast", "vpt_lyapunov_by_start") or [] for u in results.units_of(row.key)]
        values = sorted(v for one in found for v in one if v is not None)
        if values:
            rows.append((row.key, values))
    if not rows:
        return None
    data = []
    for y, (key, values) in enumerate(rows[:MAX_ROWS]):
        colour, symbol, _ = style(key)
        spread = [y + 0.3 * ((i * 0.618034) % 1 - 0.5) for i in range(len(values))]
        drawn = {"color": colour, "symbol": symbol, "size": 7, "opacity": 0.55}
        tips = [f"{shown(key.label)}<br>{quantity(v)} Lyapunov times" for v in values]
        data.append(marks([short(v) for v in values], spread, marker=drawn, hovertext=tips))
        mean = sum(values) / len(values)
        bar = {"type": "scatter", "mode": "lines", "x": [mean, mean], "y": [y - 0.32, y + 0.32]}
        tip = {"hoverinfo": "text", "hovertext": f"{shown(key.label)}<br>mean {quantity(mean)}"}
        data.append({**bar, **tip, "showlegend": False, "line": {"color": INK, "width": 2.5}})
    axis = {**number_axis("valid prediction (Lyapunov times)"), "rangemode": "tozero"}
    layout = layout_with(xaxis=axis, yaxis=names_axis([_two_lines(key) for key, _ in rows[:MAX_ROWS]]))
    return figure_of(data, layout, "valid prediction time per start", 70 + 48 * len(rows[:MAX_ROWS]))


# -- the parts they share ----------------------------------------------------------------------------------------------


def _two_lines(key: Key) -> str:
    if key.label == key.arm:
        return shown(key.arm, 18)
    return f"{shown(key.arm, 18)}<br>{small_print(shown(key.label[len(key.arm) + 2 :], 22))}"


def _histogram(unit: Unit, name: str) -> tuple[list[float], list[float]] | None:
    edges, counts = column(unit, "histograms", name, "edges"), column(unit, "histograms", name, "counts")
    if edges is None or counts is None:
        return None
    where = f"histograms.{name}"
    damaged(unit, where, "must have one edge more than counts", len(edges) == len(counts) + 1)
    known = [e for e in edges if e is not None]
    rises = len(known) == len(edges) and all(a < b for a, b in pairwise(known))
    damaged(unit, where, "must have rising edges", rises)
    return known, [c or 0.0 for c in counts]


def _number(unit: Unit, *path: str) -> float | None:
    return number(detail(unit, *path))


def _count(unit: Unit, *path: str) -> int | None:
    value = _number(unit, *path)
    return None if value is None or value < 0 else int(value)


def _ordinal(n: int) -> str:
    return {2: "second", 3: "third"}.get(n, f"{n}th")
