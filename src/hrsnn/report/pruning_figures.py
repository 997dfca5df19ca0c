"""The figures of the page of `hrsnn prune`: pure functions from the document to figures.

The dense network is grey and dotted, the pruned one coloured and solid, in every figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.document import Part
from hrsnn.report.parts.drawing import BLUE, GREY, ORANGE, VERMILION, Axis, Figure, Trace

MAX_MARKED = 40  # iterations that are marked one by one
DENSE, PRUNED = (GREY, "dot"), (VERMILION, "solid")


def shrinking(course: Part) -> Figure | None:
    """Neurons and recurrent synapses after each iteration, in shares of what there was."""
    data = []
    for name, words, colour, dash in (
        ("n_neurons", "neurons", BLUE, "dash"),
        ("n_synapses", "recurrent synapses", VERMILION, "solid"),
    ):
        found = _per_iteration(course, name)
        if found and found[0][1] > 0:
            hover = f"after %{{x}}: %{{customdata:,}} {words}<br>%{{y:.1%}}"
            line = _line(found, colour, dash, words, hover, over=found[0][1])
            data.append({**line, "customdata": [draw.short(value) for _, value in found]})
    axis = _log_axis("kept", data)
    axis["ticktext"] = [f"{100 * tick:g} %" for tick in axis["tickvals"]]
    return draw.chart(data, _iterations(course), axis, "neurons and synapses per iteration", 320)


def along(course: Part) -> Iterator[Figure | None]:
    """Mean rate, synaptic operations, and quantiles of recurrent weights over the first median."""
    rates, quantiles = _per_iteration(course, "mean_rate_hz"), course.part("weight_quantiles")
    stripes = [draw.stripe(rate / 2, 2 * rate, 0.1) for _, rate in rates[:1]]
    line = _line(rates, BLUE, "solid", "", "after %{x}: %{y:.3g} Hz")
    axis, label = draw.axis_from_zero("mean rate (Hz)"), "mean rate per iteration"
    yield _over_iterations([line], course, axis, label, "Mean rate", shapes=stripes)
    lines = [
        _line(
            _per_iteration(course, f"synops_{name}_per_s", 0), colour, dash, name,
            f"after %{{x}}: %{{y:,.0f}} {name}",
        )
        for name, colour, dash in (("recurrent", VERMILION, "solid"), ("input", GREY, "dash"))
    ]  # fmt: skip
    label, title = "synaptic operations per iteration", "Synaptic operations"
    yield _over_iterations(lines, course, _log_axis("operations per second", lines), label, title)
    lines = [
        _line(_per_iteration(quantiles, q, 0), ORANGE, dash, words, f"after %{{x}}: {words} %{{y:.3g}}", over=start)
        for _, start in _per_iteration(quantiles, "0.5", 0)[:1]
        for q, words, dash in (("0.25", "25 %", "dot"), ("0.5", "median", "solid"), ("0.95", "95 %", "dash"))
    ]
    axis = _log_axis("over the first median", lines)
    yield _over_iterations(lines, course, axis, "weights per iteration", "Recurrent weights")


def spectra(lyapunov: Part) -> Figure | None:
    """The leading exponents of the dense and the pruned network."""
    data: list[Trace] = []
    for name, words, look in (("before_per_ms", "dense", DENSE), ("after_per_ms", "pruned", PRUNED)):
        found = [(k, y) for k, y in enumerate(lyapunov.numbers(name), 1) if y is not None]
        hover = f"{words}<br>λ<sub>%{{x}}</sub> = %{{y:.4g}} per ms"
        ks, ys = [k for k, _ in found], [y for _, y in found]
        data += [draw.curve(ks, ys, *look, name=words, hover=hover)] if found else []
    n = max((line["x"][-1] for line in data), default=0)
    data = [draw.level(0, n + 1), *data] if data else []
    x, y = draw.number_axis("index k", range=[0, n + 1]), draw.number_axis("exponent λₖ (per ms)")
    return draw.chart(data, x, y, "Lyapunov spectra of the dense and the pruned network", 360)


def before_and_after(histograms: Iterable[tuple[str, str, Part]]) -> Iterator[Figure | None]:
    """One small figure for each histogram (title, axis, values): dense outlined, pruned filled."""
    for title, axis, part in histograms:
        edges = [edge for edge in part.numbers("edges") if edge is not None]
        data = [
            draw.outline(edges, draw.density(edges, counts), look, words, fill=words == "pruned")
            for key, words, look in (("before", "dense", DENSE), ("after", "pruned", PRUNED))
            if (counts := [count or 0.0 for count in part.numbers(key)]) and len(edges) == len(counts) + 1
        ]
        x = draw.number_axis(axis, **_powers(edges, part.values.get("log10") is True and bool(data)))
        yield draw.chart(data, x, draw.axis_from_zero("density", showticklabels=False), title, 280, title=title)


# -- the parts they share ----------------------------------------------------------------------------------------------


def _per_iteration(course: Part, name: str, above: float = -math.inf) -> list[tuple[int, float]]:
    """Iteration (0 is the dense network) and value, where there is one above `above`."""
    return [(k, value) for k, value in enumerate(course.numbers(name)) if value is not None and value > above]


def _line(
    points: Sequence[tuple[int, float]], colour: str, dash: str, name: str, hover: str, over: float = 1.0
) -> Trace:
    mark = "circle" if len(points) <= MAX_MARKED else ""
    ks, values = [k for k, _ in points], [value / over for _, value in points]
    return draw.curve(ks, values, colour, dash, name=name, hover=hover, mark=mark)


def _log_axis(title: str, lines: Sequence[Trace]) -> Axis:
    return draw.log_axis(title, *draw.span(lines, above=1.15))


def _over_iterations(
    lines: Sequence[Trace], course: Part, y: Axis, label: str, title: str, **layout: Any
) -> Figure | None:
    """Those of the lines that have two points at least."""
    data = [line for line in lines if len(line["x"]) > 1]
    return draw.chart(data, _iterations(course), y, label, 290, title=title, **layout)


def _iterations(course: Part) -> Axis:
    return draw.iterations_axis(max(len(course.numbers("n_neurons")) - 1, 1))


def _powers(edges: Sequence[float], logarithmic: bool) -> dict[str, Any]:
    """Ticks of an axis that is drawn in powers of ten."""
    if not logarithmic:
        return {}
    powers = range(math.ceil(edges[0]), math.floor(edges[-1]) + 1)
    return {"tickvals": list(powers), "ticktext": [f"{10.0**power:g}" for power in powers]}
