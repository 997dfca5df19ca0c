"""The figures of the page of `hrsnn prune`: pure functions from the document to figures.

The dense network is grey and dotted, the pruned one coloured and solid, in every figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hrsnn.report.measures import Part
from hrsnn.report.parts.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    Figure,
    curve,
    density,
    figure_of,
    layout_with,
    log_axis,
    number_axis,
    outline,
    short,
)

MAX_MARKED = 40  # iterations that are marked one by one


def shrinking(course: Part) -> Figure | None:
    """Neurons and recurrent synapses after each iteration, in shares of what there was."""
    data = []
    for name, words, colour, dash in (
        ("n_neurons", "neurons", BLUE, "dash"), ("n_synapses", "recurrent synapses", VERMILION, "solid"),
    ):  # fmt: skip
        found = _per_iteration(course, name)
        if found and found[0][1] > 0:
            first = found[0][1]
            line = _marked(found, [value / first for _, value in found], colour, dash, words)
            line["customdata"] = [short(value) for _, value in found]
            line["hovertemplate"] = f"after %{{x}}: %{{customdata:,}} {words}<br>%{{y:.1%}}<extra></extra>"
            data.append(line)
    if not data:
        return None
    axis = log_axis("kept", *_ends(data))
    axis["ticktext"] = [f"{100 * tick:g} %" for tick in axis["tickvals"]]
    layout = layout_with(xaxis=_iterations(course), yaxis=axis, showlegend=True)
    return figure_of(data, layout, "neurons and synapses per iteration", 320)


def rate(course: Part) -> Figure | None:
    found = _per_iteration(course, "mean_rate_hz")
    if len(found) < 2:
        return None
    line = _marked(found, [value for _, value in found], BLUE, "solid", "")
    line["hovertemplate"] = "after %{x}: %{y:.3g} Hz<extra></extra>"
    first = found[0][1]
    band = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": first / 2, "y1": 2 * first}
    layout = layout_with(
        xaxis=_iterations(course),
        yaxis={**number_axis("mean rate (Hz)"), "rangemode": "tozero"},
        shapes=[{**band, "fillcolor": "rgba(107,107,107,0.1)", "line": {"width": 0}, "layer": "below"}],
        showlegend=False,
    )
    return figure_of([line], layout, "mean rate per iteration", 290, title="Mean rate")


def operations(course: Part) -> Figure | None:
    lines = []
    for name, words, colour, dash in (
        ("synops_recurrent_per_s", "recurrent", VERMILION, "solid"), ("synops_input_per_s", "input", GREY, "dash"),
    ):  # fmt: skip
        found = [(k, value) for k, value in _per_iteration(course, name) if value > 0]
        line = _marked(found, [value for _, value in found], colour, dash, words)
        lines.append({**line, "hovertemplate": f"after %{{x}}: %{{y:,.0f}} {words}<extra></extra>"})
    axis, title = "operations per second", "Synaptic operations"
    return _on_a_log_axis(lines, course, axis=axis, label="synaptic operations per iteration", title=title)


def weights_on_the_way(course: Part) -> Figure | None:
    """Quantiles of the sizes of recurrent weights, over those of the dense network's median."""
    quantiles = course.part("weight_quantiles")
    start = [value for _, value in _per_iteration(quantiles, "0.5")][:1]
    if not start or start[0] <= 0:
        return None
    lines = []
    for name, words, dash in (("0.25", "25 %", "dot"), ("0.5", "median", "solid"), ("0.95", "95 %", "dash")):
        found = [(k, value) for k, value in _per_iteration(quantiles, name) if value > 0]
        line = _marked(found, [value / start[0] for _, value in found], ORANGE, dash, words)
        lines.append({**line, "hovertemplate": f"after %{{x}}: {words} %{{y:.3g}}<extra></extra>"})
    axis, title = "over the first median", "Recurrent weights"
    return _on_a_log_axis(lines, course, axis=axis, label="weights per iteration", title=title)


def spectra(lyapunov: Part) -> Figure | None:
    """The leading exponents of the dense and the pruned network."""
    data: list[dict[str, Any]] = []
    n = 0
    for name, words, colour, dash in (
        ("before_per_ms", "dense", GREY, "dot"), ("after_per_ms", "pruned", VERMILION, "solid"),
    ):  # fmt: skip
        found = [(k, y) for k, y in enumerate(lyapunov.numbers(name), 1) if y is not None]
        if found:
            n = max(n, found[-1][0])
            hover = f"{words}<br>λ<sub>%{{x}}</sub> = %{{y:.4g}} per ms"
            data.append(curve([k for k, _ in found], [y for _, y in found], colour, dash, name=words, hover=hover))
    if not data:
        return None
    data.insert(0, curve([0, n + 1], [0, 0], INK, "solid", width=1))
    layout = layout_with(
        xaxis={**number_axis("index k"), "range": [0, n + 1]},
        yaxis=number_axis("exponent λₖ (per ms)"),
        showlegend=True,
    )
    return figure_of(data, layout, "Lyapunov spectra of the dense and the pruned network", 360)


def before_and_after(whole: Part, names: dict[str, tuple[str, str]]) -> list[Figure]:
    """One small figure for each histogram of `names` (name -> title, axis): dense outlined, pruned filled."""
    histograms = whole.part("histograms")
    figures = []
    for name, (title, axis) in names.items():
        part = histograms.part(name)
        edges = [edge for edge in part.numbers("edges") if edge is not None]
        data = [
            outline(edges, density(edges, counts), colour, dash, words, fill=words == "pruned")
            for key, words, colour, dash in (("before", "dense", GREY, "dot"), ("after", "pruned", VERMILION, "solid"))
            if (counts := [count or 0.0 for count in part.numbers(key)]) and len(edges) == len(counts) + 1
        ]
        if data:
            layout = layout_with(
                xaxis={**number_axis(axis), **_powers(edges, part.values.get("log10") is True)},
                yaxis={**number_axis("density"), "rangemode": "tozero", "showticklabels": False},
                showlegend=True,
            )
            figures.append(figure_of(data, layout, title, 280, title=title))
    return figures


# -- the parts they share ----------------------------------------------------------------------------------------------


def _per_iteration(course: Part, name: str) -> list[tuple[int, float]]:
    """Iteration (0 is the dense network) and value, where there is one."""
    return [(k, value) for k, value in enumerate(course.numbers(name)) if value is not None]


def _marked(
    points: Sequence[tuple[int, float]], values: Sequence[float], colour: str, dash: str, name: str
) -> dict[str, Any]:
    line = curve([k for k, _ in points], values, colour, dash, name=name)
    del line["hoverinfo"]
    if len(points) <= MAX_MARKED:
        line |= {"mode": "lines+markers", "marker": {"color": colour, "size": 6}}
    return line


def _on_a_log_axis(
    lines: Sequence[dict[str, Any]], course: Part, *, axis: str, label: str, title: str
) -> Figure | None:
    """Those of the lines that have two points at least, over iterations."""
    data = [line for line in lines if len(line["x"]) > 1]
    if not data:
        return None
    layout = layout_with(xaxis=_iterations(course), yaxis=log_axis(axis, *_ends(data)), showlegend=True)
    return figure_of(data, layout, label, 290, title=title)


def _ends(data: list[dict[str, Any]]) -> tuple[float, float]:
    """What a logarithmic axis must span, with some room."""
    values = [value for line in data for value in line["y"] if value > 0]
    return min(values) / 1.3, max(values) * 1.15


def _iterations(course: Part) -> dict[str, Any]:
    n = max(len(course.numbers("n_neurons")) - 1, 1)
    axis = {**number_axis("iteration"), "range": [-0.03 * n, 1.03 * n]}
    return axis | ({"tickvals": list(range(n + 1))} if n <= 6 else {})


def _powers(edges: Sequence[float], logarithmic: bool) -> dict[str, Any]:
    """Ticks of an axis that is drawn in powers of ten."""
    if not logarithmic:
        return {}
    powers = range(math.ceil(edges[0]), math.floor(edges[-1]) + 1)
    return {"tickvals": list(powers), "ticktext": [f"{10.0**power:g}" for power in powers]}
