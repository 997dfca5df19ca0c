"""What every figure of a report is drawn with: colours, axes, traces, and the chart they make.

Texts from outside (arms, methods, class and variable names) enter a figure through `shown` only: plotly renders tags
and entities in labels, so they are shortened and escaped there. Axes that carry names are numeric with tick texts,
so that no name is taken for a number or a date.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

# Okabe and Ito's colours, told apart by every kind of colour vision; grey for what is no network of ours.
BLUE, SKY, GREEN, VERMILION, ORANGE, PURPLE = "#0072B2", "#56B4E9", "#009E73", "#D55E00", "#E69F00", "#CC79A7"
INK, GREY, PALE, RULE = "#222222", "#6b6b6b", "#b8b8b8", "#e4e4e4"
LEGEND = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "font": {"size": 12},
          "traceorder": "normal"}  # fmt: skip
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

Trace = dict[str, Any]
Axis = dict[str, Any]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """`json`: data, layout and what of the layout is otherwise on a phone; `note`: what the caption must add."""

    json: str
    label: str
    height_px: int
    title: str = ""
    square: bool = False
    note: str = ""
    narrow_height_px: int | None = None


def shown(text: object, limit: int = 26) -> str:
    """`text` on one line, at most `limit` characters, escaped for plotly.

    >>> shown("</script> <b>bold</b>")
    '&lt;/script&gt; &lt;b&gt;bold&lt;/b&gt;'
    """
    line = " ".join(str(text).split())
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return html.escape(line).replace("$", "&#36;")  # a pair of dollars would be taken for mathematics


def chart(
    data: Sequence[Trace], x: Axis | str, y: Axis | str, label: str, height_px: int, *, title: str = "",
    square: bool = False, note: str = "", narrow: Mapping[str, Any] | None = None, narrow_height_px: int | None = None,
    **layout: Any,
) -> Figure | None:  # fmt: skip
    """The traces over two axes (a text is the title of one of numbers), None where there are none.

    `layout` is what plotly's layout has besides.
    """
    if not data:
        return None
    x, y = (number_axis(axis) if isinstance(axis, str) else axis for axis in (x, y))
    font = {"family": FONT, "size": 13, "color": INK}
    whole = {
        "autosize": True, "font": font, "margin": {"l": 8, "r": 14, "t": 8, "b": 8, "pad": 4},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "modebar": {"bgcolor": "rgba(255,255,255,0.85)", "color": GREY, "activecolor": INK},
        "dragmode": False, "hovermode": "closest",
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": PALE, "font": font, "align": "left"}, "legend": LEGEND,
        "showlegend": any(trace.get("showlegend", bool(trace.get("name"))) for trace in data),
        "xaxis": x, "yaxis": y, **layout,
    }  # fmt: skip
    figure = {"data": data, "layout": whole, **({"narrow": narrow} if narrow else {})}
    text = json.dumps(figure, allow_nan=False, separators=(",", ":"))
    return Figure(text, label, height_px, title, square, note, narrow_height_px)


# -- axes --------------------------------------------------------------------------------------------------------------


def number_axis(title: str, **parts: Any) -> Axis:
    return {
        "title": {"text": title, "standoff": 10, "font": {"size": 13, "color": INK}},
        "type": "linear", "automargin": True, "gridcolor": RULE, "zeroline": False, "linecolor": PALE, "showline": True,
        "ticks": "outside", "tickcolor": PALE, "ticklen": 4, "tickfont": {"size": 12, "color": "#444444"},
        "nticks": 6, **parts,
    }  # fmt: skip


def axis_from_zero(title: str, **parts: Any) -> Axis:
    """Zero is on it, wherever the values are."""
    return number_axis(title, rangemode="tozero", **parts)


def log_axis(title: str, low: float, high: float, ticks: Sequence[float] | None = None) -> Axis:
    """A logarithmic axis from `low` to `high`; ticks are, if not given, round numbers, at most seven."""
    if ticks is None:
        ticks = round_numbers(low, high)
        ticks = ticks[:: -(-len(ticks) // 7) or 1]
    texts = [f"{tick / 1000:g}k" if tick >= 10_000 else f"{tick:g}" for tick in ticks]
    return number_axis(title, type="log", range=[math.log10(low), math.log10(high)], tickvals=ticks, ticktext=texts)


def decades_axis(title: str, low: float, high: float) -> Axis:
    """A logarithmic axis with ticks at powers of ten, written out where there are few."""
    ends = math.log10(low), math.log10(high)
    powers = range(math.ceil(ends[0]), math.floor(ends[1]) + 1, max(1, math.ceil((ends[1] - ends[0]) / 7)))
    axis = log_axis(title, low, high, [float(f"1e{power}") for power in powers])
    if not all(1e-3 <= tick <= 1e3 for tick in axis["tickvals"]):
        axis["ticktext"] = [with_power(tick, ".0e") for tick in axis["tickvals"]]
    return axis


def span(data: Iterable[Trace], below: float = 1.3, above: float = 1.3) -> Range:
    """What a logarithmic vertical axis of these traces must hold, with some room."""
    values = [value for trace in data for value in trace["y"] if value > 0] or [1.0]
    return min(values) / below, max(values) * above


def round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 of every decade from `low` to `high`.

    >>> round_numbers(0.4, 12)
    [0.5, 1.0, 2.0, 5.0, 10.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    return [value for value in values if low <= value <= high]


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


def iterations_axis(n: int) -> Axis:
    """Iterations 0 to `n`, each with its tick where they are few."""
    few = {"tickvals": list(range(n + 1))} if n <= 10 else {}
    return number_axis("iteration", range=[-0.03 * n, 1.03 * n], **few)


def names_axis(names: Sequence[str]) -> Axis:
    """A vertical axis of names, the first on top."""
    return {
        "type": "linear", "tickvals": list(range(len(names))), "ticktext": names, "range": [len(names) - 0.4, -0.6],
        "automargin": True, "showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True,
        "tickfont": {"size": 12, "color": INK},
    }  # fmt: skip


def small_print(escaped: str) -> str:
    return f'<span style="color:{GREY};font-size:11px">{escaped}</span>'


# -- traces ------------------------------------------------------------------------------------------------------------


def marks(x: Iterable[float], y: Iterable[float], **parts: Any) -> Trace:
    """Points; `hovertext` tells of each."""
    base = {"type": "scatter", "mode": "markers", "x": [short(v) for v in x], "y": [short(v) for v in y]}
    return {**base, "showlegend": False, "hoverinfo": "text", "cliponaxis": False, **parts}


def curve(
    x: Iterable[float], y: Iterable[float | None], colour: str, dash: str = "solid", *, name: str = "",
    hover: str | None = "", width: float = 2, mark: str = "", size: int = 6, **parts: Any,
) -> Trace:  # fmt: skip
    """A line, with a `mark` (the symbol) at every point or without; `hover` is a template, None plotly's own."""
    tip = {} if hover is None else {"hovertemplate": f"{hover}<extra></extra>"} if hover else {"hoverinfo": "skip"}
    line = {
        "type": "scatter", "mode": "lines", "x": [short(v) for v in x],
        "y": [None if v is None else short(v) for v in y], "name": name, "showlegend": bool(name),
        "line": {"color": colour, "dash": dash, "width": width},
        **tip,
    }  # fmt: skip
    marked = {"mode": "lines+markers", "marker": {"color": colour, "symbol": mark, "size": size}} if mark else {}
    return {**line, **marked, **parts}


def level(low: float, high: float, y: float = 0.0, colour: str = INK, dash: str = "solid", **parts: Any) -> Trace:
    """A straight line across, from `low` to `high`: the zero of what is above and below it."""
    return curve([low, high], [y, y], colour, dash, **{"width": 1, **parts})


def band(x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str, share: float = 0.18) -> Trace:
    """Between two lines over the same x."""
    area = curve([*x, *reversed(x)], [*low, *reversed(high)], faded(colour), width=0)
    return {**area, "fill": "toself", "fillcolor": faded(colour, share)}


def outline(edges: Sequence[float], values: Sequence[float], look: tuple[str, str], name: str, *, fill: bool) -> Trace:
    """The outline of a histogram in a colour and a dash, closed at both ends."""
    line = curve([edges[0], *edges], [0.0, *values, 0.0], *look, name=name, hover=None, width=1.8)
    line["line"]["shape"] = "hv"
    return {**line, "fill": "tozeroy", "fillcolor": faded(look[0])} if fill else line


def density(edges: Sequence[float], counts: Sequence[float]) -> list[float]:
    """Shares per unit of the axis, so that outlines over other edges enclose the same area."""
    total = sum(counts) or 1.0
    return [c / total / (b - a) for c, (a, b) in zip(counts, pairwise(edges), strict=True)]


def bars(
    values: Sequence[float | None], colours: Sequence[str] | str, *, texts: Sequence[str] = (),
    tips: Sequence[str] = (), ranges: Sequence[Range | None] = (), filled: bool = False, **parts: Any,
) -> Trace:  # fmt: skip
    """Bars across, the first on top, pale with an outline or `filled`; with texts at their ends, tips and intervals."""
    each = [colours] * len(values) if isinstance(colours, str) else list(colours)
    fills = each if filled else [faded(colour) for colour in each]
    written = {"text": list(texts), "textposition": "outside", "textfont": {"size": 11, "color": GREY}}
    intervals = {"error_x": error_bars(values, ranges, INK, 1.2, 3)} if ranges else {}
    return {
        "type": "bar", "orientation": "h", "x": [None if value is None else short(value) for value in values],
        "y": list(range(len(values))), "showlegend": False,
        "marker": {"color": fills, "line": {"color": each, "width": 1.2}},
        **({"hoverinfo": "text", "hovertext": list(tips)} if tips else {"hoverinfo": "skip"}),
        **({**written, "cliponaxis": False} if texts else {}), **intervals, **parts,
    }  # fmt: skip


PALE_TO_DARK = ((0.0, "#f4f6f8"), (0.5, "#5b9cc9"), (1.0, "#08306b"))
DIVERGING = ((0.0, "#a63c00"), (0.25, "#e8915c"), (0.5, "#ffffff"), (0.75, "#6fb0da"), (1.0, "#004c7a"))


def heat(
    rows: Sequence[Sequence[float | None]], low: float, high: float, colorbar: Mapping[str, Any],
    colours: Sequence[tuple[float, str]] = PALE_TO_DARK,
) -> Trace:  # fmt: skip
    """Cells from pale to dark blue, or in other `colours`, at shares of the way from `low` to `high`."""
    return {
        "type": "heatmap", "z": [[None if v is None else short(v) for v in row] for row in rows], "zmin": short(low),
        "zmax": short(high), "xgap": 1, "ygap": 1, "colorscale": [list(one) for one in colours],
        "colorbar": {"thickness": 8, "outlinewidth": 0, **colorbar},
    }  # fmt: skip


def error_bars(
    values: Sequence[float | None], ranges: Sequence[Range | None], colour: str, thickness: float = 2, width: float = 5
) -> dict[str, Any]:
    """Intervals around values; where there is none, none is drawn."""
    ends = [(v or 0.0, within or (v or 0.0, v or 0.0)) for v, within in zip(values, ranges, strict=True)]
    return {
        "type": "data", "symmetric": False, "color": colour, "thickness": thickness, "width": width,
        "visible": any(ranges),
        "array": [high - mean for mean, (_, high) in ends], "arrayminus": [mean - low for mean, (low, _) in ends],
    }  # fmt: skip


def estimate_mark(
    value: float, place: float, interval: Range | None, look: tuple[str, str], tip: str, *, up: bool = False
) -> Trace:
    """A mean with its interval across the page or `up` it, in a colour and a symbol."""
    colour, symbol = look
    x, y = (place, value) if up else (value, place)
    drawn = {"color": colour, "symbol": symbol, "size": 11, "line": {"width": 1.5, "color": colour}}
    ends = {"error_y" if up else "error_x": error_bars([value], [interval], colour)}
    return marks([x], [y], marker=drawn, hovertext=[tip], **ends)


# -- shapes and colours ------------------------------------------------------------------------------------------------


def upright(x: float = 0.0) -> dict[str, Any]:
    """A line from bottom to top."""
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": INK, "width": 1}}


def stripe(low: float, high: float, share: float = 0.18) -> dict[str, Any]:
    """A grey rectangle from edge to edge, below everything."""
    across = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": low, "y1": high, "layer": "below"}
    return {**across, "fillcolor": faded(GREY, share), "line": {"width": 0}}


def faded(colour: str, share: float = 0.18) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"


def short(value: float) -> float:
    """Five significant digits: finer than any screen, a third of the bytes."""
    return value if isinstance(value, int) else float(f"{value:.5g}")
