"""The figures of the page of `hrsnn analyse`: pure functions from the document to figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from hrsnn._checks import require
from hrsnn.report.figures import style
from hrsnn.report.measures import (
    MEASURES,
    N_ERRORS,
    Part,
    Player,
    by_gain,
    called,
    dimensions,
    measure,
    signed,
    told,
    within,
)
from hrsnn.report.parts.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALE,
    VERMILION,
    Figure,
    curve,
    error_bars,
    faded,
    figure_of,
    layout_with,
    marks,
    names_axis,
    number_axis,
    round_numbers,
    short,
    shown,
)
from hrsnn.report.parts.words import quantity
from hrsnn.report.source import Key

MAX_COMPARED = 12

# In H, or beside it.
PARAMETERS = {
    "tau_mem_ms": ("membrane time constant", True),
    "v_th": ("threshold", True),
    "a_plus": ("STDP amplitude a₊", True),
    "a_minus": ("STDP amplitude a₋", True),
    "tau_plus_ms": ("STDP time constant τ₊", True),
    "tau_minus_ms": ("STDP time constant τ₋", True),
    "t_ref_ms": ("refractory period", False),
    "weight": ("weight", False),
    "delay_ms": ("delay", False),
}


def per_delay(memory: Part) -> Figure | None:
    rows = memory.columns("per_delay", "per_delay_raw")
    values = [
        (tau, kept if raw is None else raw, kept > 0) for tau, (kept, raw) in enumerate(rows, 1) if kept is not None
    ]
    points = [point for point in values if point[1] > 0]
    if not points:
        return None
    threshold = memory.number("threshold")
    lowest = (threshold or min(value for _, value, _ in points)) / 30
    data = [
        marks(
            [tau for tau, *_ in some],
            [short(value) for _, value, _ in some],
            marker={"color": colour, "symbol": symbol, "size": size},
            name=name,
            showlegend=True,
            cliponaxis=True,
            hovertext=[f"τ = {tau}<br>C(τ) = {told(value)}" for tau, value, _ in some],
        )
        for name, colour, symbol, size, some in (
            ("counts", BLUE, "circle", 7, [p for p in points if p[2]]),
            ("below", PALE, "circle-open", 5, [p for p in points if not p[2]]),
        )
        if some
    ]
    if threshold:
        data.append(curve([1, len(rows)], [threshold] * 2, GREY, "dot", name="threshold"))
    layout = layout_with(xaxis=_delay_axis(len(rows)), yaxis=_decades("C(τ)", lowest, 1.6), showlegend=True)
    return figure_of(data, layout, "squared correlation per delay", 330, title="Squared correlation at each delay")


def running_sum(memory: Part, capacity: float | None) -> Figure | None:
    kept = [value or 0.0 for value in memory.numbers("per_delay")]
    if not kept:
        return None
    n, interval, alone = len(kept), memory.interval("ci95"), memory.number("input_only")
    data: list[dict[str, Any]] = []
    if interval is not None:
        data.append(_band([1, n], [interval[0]] * 2, [interval[1]] * 2, BLUE))
    sums = list(accumulate(kept))
    data.append(curve(range(1, n + 1), sums, BLUE, "solid", name="network", hover="Σ C up to τ = %{x}: %{y:.3g}"))
    if alone is not None:
        data.append(curve([1, n], [alone] * 2, GREY, "dash", name="readout alone"))
    top = max(sums[-1], capacity or 0.0, alone or 0.0, interval[1] if interval else 0.0)
    axis = {**number_axis("sum of C up to τ (samples)"), "range": [0, 1.08 * top or 1.0]}
    layout = layout_with(xaxis=_delay_axis(n), yaxis=axis, showlegend=True)
    return figure_of(data, layout, "memory summed over delays", 330, title="Summed up to each delay")


def singular_values(whole: Part) -> Figure | None:
    separation = whole.part("separation")
    curves = (
        ("different stimuli", "singular_values", "effective", BLUE, "solid", "circle", "top right"),
        (
            "jittered copies",
            "generalisation_singular_values",
            "generalisation",
            ORANGE,
            "dash",
            "square",
            "bottom left",
        ),
    )
    data: list[dict[str, Any]] = []
    drawn: list[list[float]] = []
    for name, column, rank_name, colour, dash, symbol, place in curves:
        found = [value for value in separation.numbers(column) if value and value > 0]
        if not found:
            continue
        drawn.append(found)
        hover = f"{name}<br>λ<sub>%{{x}}</sub> = %{{y:.3g}}"
        data.append(curve(range(1, len(found) + 1), found, colour, dash, name=name, hover=hover))
        rank = int(separation.number(rank_name) or 0)
        if 1 <= rank <= len(found):
            tip = f"{name}<br>{dimensions(rank)} make up 99 %"
            ring = {"color": "#ffffff", "symbol": symbol, "size": 11, "line": {"color": colour, "width": 2.5}}
            data.append(curve([rank] * 2, [found[rank - 1], 1e-30], colour, "dot"))
            data.append(
                marks(
                    [rank], [short(found[rank - 1])], mode="markers+text", marker=ring, hovertext=[tip],
                    text=[f"<b>{rank}</b>"], textposition=place, textfont={"color": colour, "size": 12},
                )
            )  # fmt: skip
    if not data:
        return None
    highest = max(map(max, drawn))
    lowest = max(min(map(min, drawn)), 1e-6 * highest)  # below are the roundings of single precision
    length = max(sum(value >= lowest for value in found) for found in drawn)
    layout = layout_with(
        xaxis={**number_axis("index k"), "range": [0, 1.08 * length + 1]},
        yaxis=_decades("singular value λₖ", lowest / 2, 3 * highest),
        showlegend=True,
    )
    return figure_of(data, layout, "singular values of the states", 380)


def plane(whole: Part) -> Figure | None:
    compared = whole.values.get("compare") or []
    require(isinstance(compared, list), "analysis.json", "compare", "must be a list of networks", compared)
    others = Part("compare.", {str(i): one for i, one in enumerate(compared[:MAX_COMPARED])})
    networks = [*(others.part(name) for name in others.values), whole]
    points = [
        (str(one.values.get("name") or "network"), x, y)
        for one in networks
        if (x := one.number("spikes_per_neuron")) is not None and (y := one.number("memory_capacity")) is not None
    ]
    widest = 1.35 * max((x for _, x, _ in points), default=0.0)
    highest = 1.35 * max((y for *_, y in points), default=0.0)
    if widest <= 0 or highest <= 0:
        return None
    data, notes = [], []
    for efficiency in round_numbers(0.2 * highest / widest, 6 * highest / widest):
        x = min(widest, highest / efficiency)
        data.append(curve([0, x], [0, x * efficiency], PALE, "solid", width=1))
        notes.append(
            {
                "x": short(0.9 * x), "y": short(0.9 * x * efficiency), "text": f"E = {quantity(efficiency)}",
                "showarrow": False, "bgcolor": "#ffffff", "borderpad": 1, "font": {"size": 11, "color": GREY},
            }
        )  # fmt: skip
    for i, (name, x, y) in enumerate(points):
        own = i == len(points) - 1
        colour, symbol, _ = style(Key(name))
        per_spike = f"<br>E = {told(y / x)}" if x else ""
        outline = {"color": INK, "width": 1.5 if own else 0}
        marker = {"color": colour, "symbol": symbol, "size": 14 if own else 10, "line": outline}
        tip = f"{shown(name)}<br>C = {told(y)}<br>{told(x)} spikes per neuron{per_spike}"
        data.append(marks([short(x)], [short(y)], marker=marker, name=shown(name), showlegend=True, hovertext=[tip]))
    layout = layout_with(
        xaxis={**number_axis("spikes per neuron per input sample"), "range": [0, widest]},
        yaxis={**number_axis("memory capacity C (input samples)"), "range": [0, highest]},
        annotations=notes,
        showlegend=True,
    )
    return figure_of(data, layout, "memory capacity against spikes", 400 + 14 * len(points))


def spectrum(lyapunov: Part) -> Figure | None:
    rows = lyapunov.columns("exponents_per_ms", "standard_error_per_ms")
    found = [(k, y, N_ERRORS * (error or 0.0)) for k, (y, error) in enumerate(rows, 1) if y is not None]
    if not found:
        return None
    ks, ys = [k for k, *_ in found], [y for _, y, _ in found]
    low, high = ([y - e for _, y, e in found], [y + e for _, y, e in found])
    line = curve(ks, ys, BLUE, "solid", hover="λ<sub>%{x}</sub> = %{y:.4g} per ms")
    if len(found) <= 60:
        line |= {"mode": "lines+markers", "marker": {"color": BLUE, "size": 5}}
    data = [_band(ks, low, high, BLUE), curve([0, len(rows) + 1], [0, 0], INK, "solid", width=1), line]
    layout = layout_with(
        xaxis={**number_axis("index k"), "range": [0, len(rows) + 1]},
        yaxis=number_axis("exponent λₖ (per ms)"),
        showlegend=False,
    )
    return figure_of(data, layout, "Lyapunov spectrum", 360)


def convergence(lyapunov: Part) -> Figure | None:
    points = lyapunov.pairs("running_steps", "running_max_per_ms")
    if not points:
        return None
    dt_ms, error = lyapunov.number("dt_ms"), next(iter(lyapunov.numbers("standard_error_per_ms")), None)
    xs, ys = [x * (dt_ms or 1.0) for x, _ in points], [y for _, y in points]
    ends, half = [0.0, xs[-1]], N_ERRORS * (error or 0.0)
    hover = "after %{x:,.0f}" + (" ms" if dt_ms else " steps") + "<br>%{y:.4g} per ms"
    line = curve(xs, ys, BLUE, "solid", hover=hover) | {"mode": "lines+markers", "marker": {"color": BLUE, "size": 6}}
    data = [
        _band(ends, [ys[-1] - half] * 2, [ys[-1] + half] * 2, BLUE),
        curve(ends, [0, 0], INK, "solid", width=1),
        line,
    ]
    xaxis = {**number_axis("measured time (ms)" if dt_ms else "measured steps"), "range": [0, 1.02 * xs[-1]]}
    layout = layout_with(xaxis=xaxis, yaxis=number_axis("largest exponent (per ms)"), showlegend=False)
    return figure_of(data, layout, "convergence of the largest exponent", 300)


def gains(lyapunov: Part) -> Figure | None:
    points = by_gain(lyapunov)
    if len(points) < 2:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    used = lyapunov.number("surrogate_gain")
    line = curve(xs, ys, BLUE, "solid", hover="gain %{x}<br>%{y:.4g} per ms")
    line |= {"mode": "lines+markers", "marker": {"color": BLUE, "size": 8}}
    edges = [xs[0] / 1.2, xs[-1] * 1.2]
    data = [curve(edges, [0, 0], INK, "solid", width=1), line]
    at = [(x, y) for x, y in points if x == used]
    ring = {"color": "rgba(0,0,0,0)", "size": 17, "line": {"color": VERMILION, "width": 2}}
    data += [marks([x], [y], marker=ring, hoverinfo="skip") for x, y in at]
    xaxis = {
        **number_axis("surrogate gain γ"), "type": "log", "range": [math.log10(edge) for edge in edges],
        "tickvals": xs, "ticktext": [quantity(x) for x in xs],
    }  # fmt: skip
    layout = layout_with(xaxis=xaxis, yaxis=number_axis("largest exponent (per ms)"), showlegend=False)
    return figure_of(data, layout, "largest exponent against surrogate gain", 300)


def nodes(lyapunov: Part) -> Figure | None:
    points = lyapunov.pairs("node_rates_hz", "node_exponents_per_ms")
    if not any(rate for rate, _ in points):  # without a spike there is nothing to compare with
        return None
    marker = {"color": BLUE, "size": 6, "opacity": 0.55}
    tips = [f"{told(x)} Hz<br>{told(y)} per ms" for x, y in points]
    data = [marks([short(x) for x, _ in points], [short(y) for _, y in points], marker=marker, hovertext=tips)]
    layout = layout_with(
        xaxis={**number_axis("firing rate (Hz)"), "rangemode": "tozero"},
        yaxis=number_axis("exponent of the neuron λᵢ (per ms)"),
    )
    return figure_of(data, layout, "exponents of neurons against firing rates", 360)


def cvs(cvs: Mapping[str, float]) -> Figure | None:
    if not cvs:
        return None
    rows = [(PARAMETERS.get(name, (name, False)), value) for name, value in cvs.items()]
    inside = [of_h for (_, of_h), _ in rows]
    bars = {
        "type": "bar", "orientation": "h", "x": [short(value) for _, value in rows], "y": list(range(len(rows))),
        "marker": {
            "color": [faded(BLUE if i else GREY) for i in inside],
            "line": {"color": [BLUE if i else GREY for i in inside], "width": 1.2},
        },
        "text": [quantity(round(value, 6)) for _, value in rows], "textposition": "outside", "cliponaxis": False,
        "textfont": {"size": 11, "color": GREY}, "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip
    widest = max(value for _, value in rows)
    xaxis = {**number_axis("coefficient of variation"), "range": [0, 1.12 * widest or 1.0]}
    layout = layout_with(xaxis=xaxis, yaxis=names_axis([shown(name) for (name, _), _ in rows]), bargap=0.4)
    return figure_of([bars], layout, "coefficients of variation", 90 + 26 * len(rows))


def shapley(name: str, players: Sequence[Player]) -> Figure:
    colours = [GREY if player.kind == "none" else BLUE if player.mean >= 0 else VERMILION for player in players]
    ranges = [(player.mean, player.within or (player.mean, player.mean)) for player in players]
    bars = {
        "type": "bar", "orientation": "h", "x": [short(player.mean) for player in players],
        "y": list(range(len(players))), "showlegend": False, "hoverinfo": "text",
        "marker": {"color": [faded(c) for c in colours], "line": {"color": colours, "width": 1.2}},
        "error_x": {**error_bars(ranges, INK), "thickness": 1.2, "width": 3},
        "hovertext": [f"{shown(called(p))}<br>{signed(p.mean)} {within(p.within)}".rstrip() for p in players],
    }  # fmt: skip
    unit = MEASURES[name][1] if name in MEASURES else ""
    zero = {"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": INK, "width": 1}}
    layout = layout_with(
        xaxis={**number_axis(f"adds ({unit})" if unit else "adds"), "rangemode": "tozero"},
        yaxis=names_axis([shown(called(player)) for player in players]),
        shapes=[zero],
        bargap=0.45,
    )
    title = measure(name)
    return figure_of([bars], layout, f"importance for {title}", 100 + 34 * len(players), title=title)


def _band(x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> dict[str, Any]:
    """Between two lines over the same x."""
    return {
        "type": "scatter", "mode": "lines", "x": [short(v) for v in (*x, *reversed(x))],
        "y": [short(v) for v in (*low, *reversed(high))], "fill": "toself", "fillcolor": faded(colour),
        "line": {"width": 0, "color": faded(colour)}, "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip


def _decades(title: str, low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis with ticks at powers of ten, written out where there are few."""
    ends = [math.log10(low), math.log10(high)]
    powers = range(math.ceil(ends[0]), math.floor(ends[1]) + 1, max(1, math.ceil((ends[1] - ends[0]) / 7)))
    ticks = [float(f"1e{power}") for power in powers]
    is_short = all(1e-3 <= tick <= 1e3 for tick in ticks)
    texts = [f"{tick:g}" if is_short else with_power(tick, ".0e") for tick in ticks]
    return {**number_axis(title), "type": "log", "range": ends, "tickvals": ticks, "ticktext": texts}


def with_power(value: float, form: str = ".1e") -> str:
    """A number with a power of ten.

    >>> with_power(2.9e8), with_power(1e-5, ".0e"), with_power(1.0, ".0e")
    ('2.9·10⁸', '10⁻⁵', '1')
    """
    digits, power = f"{value:{form}}".split("e")
    if int(power) == 0:
        return digits
    head = "" if digits == "1" else f"{digits}·"
    return f"{head}10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _delay_axis(n: int) -> dict[str, Any]:
    """Delays 1 to `n`, logarithmic: what a network remembers ends early."""
    ticks = [tick for tick in round_numbers(1, n) if tick == int(tick)]
    ends = [math.log10(0.9), math.log10(1.1 * max(n, 2))]
    axis = {**number_axis("delay τ (input samples)"), "type": "log", "range": ends}
    return {**axis, "tickvals": ticks, "ticktext": [f"{tick:,.0f}" for tick in ticks]}
