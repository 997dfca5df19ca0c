"""What every figure of a report is drawn with: colours, axes, marks, and the figure as JSON.

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
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


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


def figure_of(
    data: list[dict[str, Any]],
    layout: dict[str, Any],
    label: str,
    height_px: int,
    *,
    title: str = "",
    square: bool = False,
    note: str = "",
    narrow: Mapping[str, Any] | None = None,
    narrow_height_px: int | None = None,
) -> Figure:
    figure = {"data": data, "layout": layout, **({"narrow": narrow} if narrow else {})}
    text = json.dumps(figure, allow_nan=False, separators=(",", ":"))
    return Figure(text, label, height_px, title, square, note, narrow_height_px)


def layout_with(**parts: Any) -> dict[str, Any]:
    return {
        "autosize": True,
        "font": {"family": FONT, "size": 13, "color": INK},
        "margin": {"l": 8, "r": 14, "t": 8, "b": 8, "pad": 4},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "modebar": {"bgcolor": "rgba(255,255,255,0.85)", "color": GREY, "activecolor": INK},
        "dragmode": False,
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": "#ffffff", "bordercolor": PALE, "font": {"family": FONT, "size": 13, "color": INK},
            "align": "left",
        },
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "font": {"size": 12},
                   "traceorder": "normal"},
        **parts,
    }  # fmt: skip


def number_axis(title: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "standoff": 10, "font": {"size": 13, "color": INK}},
        "type": "linear", "automargin": True, "gridcolor": RULE, "zeroline": False, "linecolor": PALE, "showline": True,
        "ticks": "outside", "tickcolor": PALE, "ticklen": 4, "tickfont": {"size": 12, "color": "#444444"},
        "nticks": 6,
    }  # fmt: skip


def log_axis(title: str, low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis from `low` to `high` with round numbers for ticks, at most seven."""
    ticks = round_numbers(low, high)
    every = -(-len(ticks) // 7) or 1
    return {
        **number_axis(title), "type": "log", "range": [math.log10(low), math.log10(high)], "tickvals": ticks[::every],
        "ticktext": [f"{tick / 1000:g}k" if tick >= 10_000 else f"{tick:g}" for tick in ticks[::every]],
    }  # fmt: skip


def round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 of every decade from `low` to `high`.

    >>> round_numbers(0.4, 12)
    [0.5, 1.0, 2.0, 5.0, 10.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    return [value for value in values if low <= value <= high]


def names_axis(names: list[str]) -> dict[str, Any]:
    """A vertical axis of names, the first on top."""
    return {
        "type": "linear", "tickvals": list(range(len(names))), "ticktext": names, "range": [len(names) - 0.4, -0.6],
        "automargin": True, "showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True,
        "tickfont": {"size": 12, "color": INK},
    }  # fmt: skip


def small_print(escaped: str) -> str:
    return f'<span style="color:{GREY};font-size:11px">{escaped}</span>'


def marks(x: Sequence[Any], y: Sequence[float], **parts: Any) -> dict[str, Any]:
    base = {"type": "scatter", "mode": "markers", "x": list(x), "y": list(y), "showlegend": False}
    return {**base, "hoverinfo": "text", "cliponaxis": False, **parts}


def curve(
    x: Iterable[float], y: Iterable[float], colour: str, dash: str, *, name: str = "", hover: str = "", width: float = 2
) -> dict[str, Any]:  # fmt: skip
    tip = {"hovertemplate": f"{hover}<extra></extra>"} if hover else {"hoverinfo": "skip"}
    return {
        "type": "scatter", "mode": "lines", "x": [short(v) for v in x], "y": [short(v) for v in y],
        "name": name, "showlegend": bool(name), "line": {"color": colour, "dash": dash, "width": width}, **tip,
    }  # fmt: skip


def outline(
    edges: list[float], values: Sequence[float], colour: str, dash: str, name: str, *, fill: bool
) -> dict[str, Any]:
    """The outline of a histogram, closed at both ends."""
    x = [edges[0], *edges]
    y = [0.0, *values, 0.0]
    return {
        "type": "scatter", "mode": "lines", "x": [short(v) for v in x], "y": [short(v) for v in y], "name": name,
        "line": {"shape": "hv", "color": colour, "dash": dash, "width": 1.8},
        **({"fill": "tozeroy", "fillcolor": faded(colour)} if fill else {}),
    }  # fmt: skip


def density(edges: list[float], counts: list[float]) -> list[float]:
    """Shares per unit of the axis, so that outlines over other edges enclose the same area."""
    total = sum(counts) or 1.0
    return [c / total / (b - a) for c, (a, b) in zip(counts, pairwise(edges), strict=True)]


def error_bars(bars: list[tuple[float, tuple[float, float]]], colour: str) -> dict[str, Any]:
    return {
        "type": "data", "symmetric": False, "color": colour, "thickness": 2, "width": 5, "visible": bool(bars),
        "array": [high - mean for mean, (_, high) in bars], "arrayminus": [mean - low for mean, (low, _) in bars],
    }  # fmt: skip


def estimate_mark(
    value: float,
    place: float,
    interval: tuple[float, float] | None,
    look: tuple[str, str],
    tip: str,
    *,
    up: bool = False,
) -> dict[str, Any]:
    """A mean with its interval across the page or `up` it, in a colour and a symbol."""
    colour, symbol = look
    bars = error_bars([] if interval is None else [(value, interval)], colour)
    x, y = (place, value) if up else (value, place)
    drawn = {"color": colour, "symbol": symbol, "size": 11, "line": {"width": 1.5, "color": colour}}
    return marks([short(x)], [short(y)], marker=drawn, hovertext=[tip], **{"error_y" if up else "error_x": bars})


ZERO = {"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": INK, "width": 1}}


def faded(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def short(value: float) -> float:
    """Five significant digits: finer than any screen, a third of the bytes."""
    return float(f"{value:.5g}")
