"""The figures of the page of `hrsnn analyse`: pure functions from the document to figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from hrsnn.report.figures import style
from hrsnn.report.measures import MEASURES, N_ERRORS, Player, by_gain, dimensions, measure
from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.document import Part
from hrsnn.report.parts.drawing import BLUE, GREY, INK, ORANGE, PALE, VERMILION, Axis, Figure, Trace, shown
from hrsnn.report.parts.words import quantity
from hrsnn.report.source import Key

MAX_COMPARED = 12
LARGEST = "largest exponent (per ms)"
X, Y = "spikes_per_neuron", "memory_capacity"  # of the plane of networks

# In H, or beside it.
PARAMETERS = {
    "tau_mem_ms": ("membrane time constant", True), "v_th": ("threshold", True), "a_plus": ("STDP amplitude a₊", True),
    "a_minus": ("STDP amplitude a₋", True), "tau_plus_ms": ("STDP time constant τ₊", True),
    "tau_minus_ms": ("STDP time constant τ₋", True), "t_ref_ms": ("refractory period", False),
    "weight": ("weight", False), "delay_ms": ("delay", False),
}  # fmt: skip


def per_delay(memory: Part) -> Figure | None:
    rows = memory.columns("per_delay", "per_delay_raw")
    known = ((tau, raw, kept) for tau, (kept, raw) in enumerate(rows, 1) if kept is not None and raw is not None)
    points = [(tau, raw, kept > 0) for tau, raw, kept in known if raw > 0]
    if not points:
        return None
    threshold = memory.number("threshold")
    lowest = (threshold or min(value for _, value, _ in points)) / 30
    data = []
    for counts, name, colour, symbol, size in (
        (True, "counts", BLUE, "circle", 7), (False, "below", PALE, "circle-open", 5)
    ):  # fmt: skip
        some = [(tau, value) for tau, value, is_counted in points if is_counted == counts]
        tips = [f"τ = {tau}<br>C(τ) = {quantity(value)}" for tau, value in some]
        parts: dict[str, Any] = {"name": name, "marker": {"color": colour, "symbol": symbol, "size": size}}
        parts |= {"showlegend": True, "cliponaxis": True, "hovertext": tips}
        data += [draw.marks(*zip(*some, strict=True), **parts)] if some else []
    if threshold:
        data.append(draw.level(1, len(rows), threshold, GREY, "dot", name="threshold", width=2))
    y, title = draw.decades_axis("C(τ)", lowest, 1.6), "Squared correlation at each delay"
    return draw.chart(data, _delay_axis(len(rows)), y, "squared correlation per delay", 330, title=title)


def running_sum(memory: Part, capacity: float | None) -> Figure | None:
    kept = [value or 0.0 for value in memory.numbers("per_delay")]
    if not kept:
        return None
    n, interval, alone = len(kept), memory.interval("ci95"), memory.number("input_only")
    sums = list(accumulate(kept))
    data = [draw.band([1, n], [interval[0]] * 2, [interval[1]] * 2, BLUE)] if interval else []
    data += [draw.curve(range(1, n + 1), sums, BLUE, name="network", hover="Σ C up to τ = %{x}: %{y:.3g}")]
    data += [] if alone is None else [draw.level(1, n, alone, GREY, "dash", name="readout alone", width=2)]
    top = max(sums[-1], capacity or 0.0, alone or 0.0, interval[1] if interval else 0.0)
    y = draw.number_axis("sum of C up to τ (samples)", range=[0, 1.08 * top or 1.0])
    return draw.chart(data, _delay_axis(n), y, "memory summed over delays", 330, title="Summed up to each delay")


def singular_values(whole: Part) -> Figure | None:
    separation, drawn = whole.part("separation"), list[list[float]]()
    data: list[Trace] = []
    for name, stem, rank_name, colour, dash, symbol, place in (
        ("different stimuli", "", "effective", BLUE, "solid", "circle", "top right"),
        ("jittered copies", "generalisation_", "generalisation", ORANGE, "dash", "square", "bottom left"),
    ):
        found = [value for value in separation.numbers(f"{stem}singular_values") if value and value > 0]
        if not found:
            continue
        drawn.append(found)
        hover = f"{name}<br>λ<sub>%{{x}}</sub> = %{{y:.3g}}"
        data.append(draw.curve(range(1, len(found) + 1), found, colour, dash, name=name, hover=hover))
        rank = int(separation.number(rank_name) or 0)
        if 1 <= rank <= len(found):
            ring = {"color": "#ffffff", "symbol": symbol, "size": 11, "line": {"color": colour, "width": 2.5}}
            written = {"text": [f"<b>{rank}</b>"], "textposition": place, "textfont": {"color": colour, "size": 12}}
            tip = f"{name}<br>{dimensions(rank)} make up 99 %"
            data.append(draw.curve([rank] * 2, [found[rank - 1], 1e-30], colour, "dot"))
            at = draw.marks([rank], [found[rank - 1]], mode="markers+text", marker=ring, hovertext=[tip], **written)
            data.append(at)
    if not data:
        return None
    highest = max(map(max, drawn))
    lowest = max(min(map(min, drawn)), 1e-6 * highest)  # below are the roundings of single precision
    length = max(sum(value >= lowest for value in found) for found in drawn)
    x = draw.number_axis("index k", range=[0, 1.08 * length + 1])
    y = draw.decades_axis("singular value λₖ", lowest / 2, 3 * highest)
    return draw.chart(data, x, y, "singular values of the states", 380)


def plane(whole: Part) -> Figure | None:
    networks = [*whole.parts("compare")[:MAX_COMPARED], whole]
    each = [(str(one.values.get("name") or "network"), one.number(X), one.number(Y)) for one in networks]
    points = [(name, x, y) for name, x, y in each if x is not None and y is not None]
    widest = 1.35 * max((x for _, x, _ in points), default=0.0)
    highest = 1.35 * max((y for *_, y in points), default=0.0)
    if widest <= 0 or highest <= 0:
        return None
    data, notes = [], []
    for efficiency in draw.round_numbers(0.2 * highest / widest, 6 * highest / widest):
        x = min(widest, highest / efficiency)
        data.append(draw.curve([0, x], [0, x * efficiency], PALE, width=1))
        look = {"showarrow": False, "bgcolor": "#ffffff", "borderpad": 1, "font": {"size": 11, "color": GREY}}
        place = {"x": draw.short(0.9 * x), "y": draw.short(0.9 * x * efficiency)}
        notes.append({**place, "text": f"E = {quantity(efficiency)}", **look})
    for i, (name, x, y) in enumerate(points):
        own = i == len(points) - 1
        colour, symbol, _ = style(Key(name))
        per_spike = f"<br>E = {quantity(y / x)}" if x else ""
        border = {"color": INK, "width": 1.5 if own else 0}
        marker = {"color": colour, "symbol": symbol, "size": 14 if own else 10, "line": border}
        tip = f"{shown(name)}<br>C = {quantity(y)}<br>{quantity(x)} spikes per neuron{per_spike}"
        data.append(draw.marks([x], [y], marker=marker, name=shown(name), showlegend=True, hovertext=[tip]))
    across = draw.number_axis("spikes per neuron per input sample", range=[0, widest])
    up = draw.number_axis("memory capacity C (input samples)", range=[0, highest])
    label, height_px = "memory capacity against spikes", 400 + 14 * len(points)
    return draw.chart(data, across, up, label, height_px, annotations=notes)


def spectrum(lyapunov: Part) -> Figure | None:
    rows = lyapunov.columns("exponents_per_ms", "standard_error_per_ms")
    found = [(k, y, N_ERRORS * (error or 0.0)) for k, (y, error) in enumerate(rows, 1) if y is not None]
    if not found:
        return None
    ks, ys = [k for k, *_ in found], [y for _, y, _ in found]
    low, high = ([y + sign * e for _, y, e in found] for sign in (-1, 1))
    mark = "circle" if len(found) <= 60 else ""
    line = draw.curve(ks, ys, BLUE, hover="λ<sub>%{x}</sub> = %{y:.4g} per ms", mark=mark, size=5)
    data = [draw.band(ks, low, high, BLUE), draw.level(0, len(rows) + 1), line]
    x = draw.number_axis("index k", range=[0, len(rows) + 1])
    return draw.chart(data, x, "exponent λₖ (per ms)", "Lyapunov spectrum", 360)


def convergence(lyapunov: Part) -> Figure | None:
    points, dt_ms = lyapunov.pairs("running_steps", "running_max_per_ms"), lyapunov.number("dt_ms")
    if not points or dt_ms is None:
        return None
    xs, ys = [x * dt_ms for x, _ in points], [y for _, y in points]
    half = N_ERRORS * (next(iter(lyapunov.numbers("standard_error_per_ms")), None) or 0.0)
    band = draw.band([0.0, xs[-1]], [ys[-1] - half] * 2, [ys[-1] + half] * 2, BLUE)
    line = draw.curve(xs, ys, BLUE, hover="after %{x:,.0f} ms<br>%{y:.4g} per ms", mark="circle")
    data, x = [band, draw.level(0.0, xs[-1]), line], draw.number_axis("measured time (ms)", range=[0, 1.02 * xs[-1]])
    return draw.chart(data, x, LARGEST, "convergence of the largest exponent", 300)


def gains(lyapunov: Part) -> Figure | None:
    points = by_gain(lyapunov)
    if len(points) < 2:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = xs[0] / 1.2, xs[-1] * 1.2
    line = draw.curve(xs, ys, BLUE, hover="gain %{x}<br>%{y:.4g} per ms", mark="circle", size=8)
    ring = {"color": "rgba(0,0,0,0)", "size": 17, "line": {"color": VERMILION, "width": 2}}
    used = [(x, y) for x, y in points if x == lyapunov.number("surrogate_gain")]
    data = [draw.level(low, high), line, *(draw.marks([x], [y], marker=ring, hoverinfo="skip") for x, y in used)]
    x_axis = draw.log_axis("surrogate gain γ", low, high, xs) | {"ticktext": [quantity(x) for x in xs]}
    return draw.chart(data, x_axis, LARGEST, "largest exponent against surrogate gain", 300)


def nodes(lyapunov: Part) -> Figure | None:
    points = lyapunov.pairs("node_rates_hz", "node_exponents_per_ms")
    if not any(rate for rate, _ in points):  # without a spike there is nothing to compare with
        return None
    look = {"color": BLUE, "size": 6, "opacity": 0.55}
    tips = [f"{quantity(x)} Hz<br>{quantity(y)} per ms" for x, y in points]
    data = [draw.marks(*zip(*points, strict=True), marker=look, hovertext=tips)]
    x, y = draw.axis_from_zero("firing rate (Hz)"), "exponent of the neuron λᵢ (per ms)"
    return draw.chart(data, x, y, "exponents of neurons against firing rates", 360)


def cvs(cvs: Mapping[str, float]) -> Figure | None:
    if not cvs:
        return None
    names, inside = zip(*(PARAMETERS.get(name, (name, False)) for name in cvs), strict=True)
    values, texts = list(cvs.values()), [quantity(round(value, 6)) for value in cvs.values()]
    data = [draw.bars(values, [BLUE if of_h else GREY for of_h in inside], texts=texts)]
    x = draw.number_axis("coefficient of variation", range=[0, 1.12 * max(values) or 1.0])
    y = draw.names_axis([shown(name) for name in names])
    return draw.chart(data, x, y, "coefficients of variation", 90 + 26 * len(values), bargap=0.4)


def shapley(name: str, players: Sequence[Player]) -> Figure | None:
    colours = [GREY if player.kind == "none" else BLUE if player.mean >= 0 else VERMILION for player in players]
    tips = [f"{shown(player.name)}<br>{player.value}" for player in players]
    data = [draw.bars([p.mean for p in players], colours, tips=tips, ranges=[p.within for p in players])]
    unit, title = MEASURES[name][1] if name in MEASURES else "", measure(name)
    x = draw.axis_from_zero(f"adds ({unit})" if unit else "adds")
    y = draw.names_axis([shown(player.name) for player in players])
    more: dict[str, Any] = {"shapes": [draw.upright()], "bargap": 0.45}
    return draw.chart(data, x, y, f"importance for {title}", 100 + 34 * len(players), title=title, **more)


def _delay_axis(n: int) -> Axis:
    """Delays 1 to `n`, logarithmic: what a network remembers ends early."""
    ticks = [tick for tick in draw.round_numbers(1, n) if tick == int(tick)]
    axis = draw.log_axis("delay τ (input samples)", 0.9, 1.1 * max(n, 2), ticks)
    return {**axis, "ticktext": [f"{tick:,.0f}" for tick in ticks]}
