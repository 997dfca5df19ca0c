"""Pruned networks in the report of a run: what they score against what they spend, beside controls of the same size."""

from __future__ import annotations

from typing import Any

from hrsnn.report.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    Figure,
    error_bars,
    faded,
    figure_of,
    layout_with,
    log_axis,
    marks,
    number_axis,
    quantity,
    short,
    shown,
)
from hrsnn.report.figures import style
from hrsnn.report.findings import METRIC_LABELS, plain, signed
from hrsnn.report.page import Section
from hrsnn.report.pruned import Pruned, gap_kept, pruned_of, synops
from hrsnn.report.source import HIGHER_IS_BETTER, Estimate, Key, Results, Row
from hrsnn.report.tables import Cell, Table

# The method that others are compared with is drawn like its arm, the controls in these.
CONTROLS = (
    (GREY, "circle"), (BLUE, "square"), (GREEN, "diamond"), (ORANGE, "cross"), (PURPLE, "x"), (SKY, "hexagon"),
)  # fmt: skip


def pruned_networks(results: Results, metric: str | None) -> Section:
    """Figures and table of the pruned networks of a run; empty where nothing was pruned."""
    found = pruned_of(results)
    title = "Pruned networks"
    if not found or metric is None:
        return Section("pruning", title)
    side = {True: "up", False: "down"}.get(HIGHER_IS_BETTER.get(metric, True), "up")
    caption = (
        f"Cut before learning and without the task, then learned and read out like {found[0].dense.label}: look how "
        f"far {side} a pruned network stays while it goes left, and whether {found[0].key.method} stands apart from "
        "the other choices of synapses. The band is the same network without recurrent synapses, within its 95 % "
        "interval."
    )
    panels = [
        _against(results, found, metric, words, spent)
        for words, spent in (
            ("recurrent operations per sample", lambda row: row.costs.get("synops_recurrent")),
            ("all synaptic operations per sample", synops),
        )
    ]
    figures = tuple(panel for panel in panels if panel is not None)
    return Section("pruning", title, caption, figures, (_table(results, found, metric),), small=True)


def _against(results: Results, found: list[Pruned], metric: str, words: str, spent: Any) -> Figure | None:
    """Mean and interval of the metric against operations, one mark per network."""
    rows = [row for key in (found[0].dense, *(p.key for p in found)) if (row := results.row(key)) is not None]
    points = [
        (row, x, e.mean, e)
        for row in rows
        if (x := spent(row)) and (e := row.metrics.get(metric)) and e.mean is not None
    ]
    if len(points) < 2:
        return None
    data: list[dict[str, Any]] = []
    shapes = []
    none = results.row(Key(found[0].dense.arm, "control", "no-recurrence"))
    floor = none.metrics.get(metric) if none else None
    if floor is not None and floor.mean is not None:
        low, high = floor.ci95 or (floor.mean, floor.mean)
        across = {"xref": "paper", "x0": 0, "x1": 1}
        shapes += [
            {"type": "rect", **across, "y0": low, "y1": high, "fillcolor": faded(GREY), "line": {"width": 0}},
            {"type": "line", **across, "y0": floor.mean, "y1": floor.mean, "line": {"color": GREY, "dash": "dot"}},
        ]
        data.append(_floor_mark(floor))
    for row, x, mean, estimate in points:
        colour, symbol = _look(found, row.key)
        bars = [] if estimate.ci95 is None else [(mean, estimate.ci95)]
        data.append(
            marks(
                [short(x)],
                [short(mean)],
                marker={"color": colour, "symbol": symbol, "size": 11, "line": {"color": INK, "width": 0.5}},
                error_y=error_bars(bars, colour),
                name=shown(row.key.method or "unpruned"),
                showlegend=True,
                hovertext=[f"{shown(row.key.label)}<br>{quantity(x)} operations<br>{_estimate(estimate)}"],
            )
        )
    xs = [x for _, x, *_ in points]
    wide = max(xs) > 8 * min(xs)
    axis = log_axis(words, min(xs) / 1.3, max(xs) * 1.3) if wide else {**number_axis(words), "rangemode": "tozero"}
    layout = layout_with(
        xaxis=axis,
        yaxis=number_axis(METRIC_LABELS.get(metric, shown(metric, 40))),
        shapes=shapes,
        showlegend=True,
    )
    return figure_of(data, layout, f"{metric} against {words}", 380, title=words[:1].upper() + words[1:])


def _floor_mark(floor: Estimate) -> dict[str, Any]:
    """Only for the legend: the line itself is a shape, which runs from edge to edge."""
    line = {"color": GREY, "dash": "dot"}
    return {"type": "scatter", "mode": "lines", "x": [None], "y": [floor.mean], "name": "no recurrence", "line": line}


def _look(found: list[Pruned], key: Key) -> tuple[str, str]:
    colour, symbol, _ = style(Key(key.arm))
    if key == found[0].dense:
        return INK, symbol
    if key == found[0].key:
        return colour, symbol
    return CONTROLS[([p.key for p in found].index(key) - 1) % len(CONTROLS)]


def _table(results: Results, found: list[Pruned], metric: str) -> Table:
    name = METRIC_LABELS.get(metric, metric)
    shares = {p.key: gap_kept(results, p, metric) for p in found}
    has_gap = any(share is not None for share in shares.values())
    columns = ["method", "neurons", "recurrent synapses", "fewer recurrent ops", "fewer ops in all"]
    has_rates = any(p.rate_ratio is not None for p in found)
    columns += ["rate over dense"] if has_rates else []
    columns += [name, "− unpruned"] + (["kept of what recurrence adds"] if has_gap else [])
    rows = []
    for p in found:
        row = results.row(p.key)
        cells = [Cell(str(p.key.method)), _sizes(p.n_neurons), _sizes(p.n_synapses)]
        cells += [_times(p.fewer_recurrent), _times(p.fewer_synops)]
        cells += [Cell("–" if p.rate_ratio is None else f"{p.rate_ratio:.2f}")] if has_rates else []
        cells += [_score(row, metric), _difference(results, p, metric)]
        share = shares[p.key]
        cells += [Cell("–" if share is None else f"{100 * share:.0f} %")] if has_gap else []
        rows.append(tuple(cells))
    return Table(tuple(columns), tuple(rows))


def _sizes(sizes: tuple[float, float] | None) -> Cell:
    return Cell("–") if sizes is None else Cell(quantity(round(sizes[1])), f"of {quantity(round(sizes[0]))}")


def _times(ratio: float | None) -> Cell:
    return Cell("–" if ratio is None else f"{quantity(ratio)}×")


def _score(row: Row | None, metric: str) -> Cell:
    estimate = row.metrics.get(metric) if row else None
    if estimate is None or estimate.mean is None:
        return Cell("–")
    mean, *ends = plain(estimate.mean, *(estimate.ci95 or ()))
    return Cell(mean, f"[{', '.join(ends)}]" if ends else "")


def _difference(results: Results, p: Pruned, metric: str) -> Cell:
    c = results.compared(p.key, p.dense, metric)
    if c is None or c.diff is None:
        return Cell("–")
    diff, *ends = signed(c.diff, *(c.ci95 or ()))
    return Cell(diff, f"[{', '.join(ends)}]" if ends else "")


def _estimate(estimate: Estimate) -> str:
    mean, *ends = plain(estimate.mean or 0.0, *(estimate.ci95 or ()))
    return f"mean {mean}" + (f"<br>95 % interval [{', '.join(ends)}]" if ends else "")
