"""What networks score against what they spend: the first figure of a report, and pruned networks by themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hrsnn.report.figures import style
from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.drawing import GREY, INK, PALE, Axis, Figure, Range, Trace, shown
from hrsnn.report.parts.labels import Spot, placed
from hrsnn.report.parts.page import Section
from hrsnn.report.parts.table import Cell, Table, table_of
from hrsnn.report.parts.words import plain, quantity, signed, told_interval
from hrsnn.report.pruned import Pruned, gap_kept, pruned_of, synops
from hrsnn.report.source import Estimate, Key, Results, Row
from hrsnn.vocabulary import higher_is_better, kind_of, label_of

HEIGHT_PX, NARROW_HEIGHT_PX = 440, 520
# What is left for the points of a page 1200 or 390 pixels wide, without axes.
WIDE_PX, NARROW_PX = (840, HEIGHT_PX - 70), (280, NARROW_HEIGHT_PX - 70)


@dataclass(frozen=True, slots=True)
class Point:
    """A row of the table as a mark; `name` is escaped when it is drawn."""

    row: Row
    operations: float
    mean: float
    ci95: Range | None
    name: str

    @property
    def ends(self) -> Range:
        return self.ci95 or (self.mean, self.mean)


def against_operations(
    rows: Sequence[Row], metric: str, words: str, name: Callable[[Key], str],
    spent: Callable[[Row], float | None] = synops, floor: Estimate | None = None,
) -> Figure | None:  # fmt: skip
    """Mean and interval of a score against operations on a logarithmic axis, every row a named mark.

    A row that spends nothing stands at the left end, where the axis says so. `floor` is drawn as a band from edge to
    edge.
    """
    estimates = [(row, e) for row in rows if (e := row.score(metric)).mean is not None]
    known = [x for row, _ in estimates if (x := spent(row))]
    if len(estimates) < 2 or not known:
        return None
    nothing = min(known) / 3
    points = [Point(row, spent(row) or nothing, e.mean or 0.0, e.ci95, name(row.key)) for row, e in estimates]
    x_ends = min(p.operations for p in points) / 1.5, max(p.operations for p in points) * 1.5
    lows, band = [p.ends[0] for p in points], []
    if floor is not None and floor.mean is not None:
        ends = floor.ci95 or (floor.mean, floor.mean)
        across = {"xref": "paper", "x0": 0, "x1": 1, "y0": floor.mean, "y1": floor.mean, "layer": "below"}
        band = [draw.stripe(*ends), {"type": "line", **across, "line": {"color": GREY, "dash": "dot"}}]
        lows.append(ends[0])
    y_ends, y_axis = _score_axis(metric, min(lows), max(p.ends[1] for p in points))
    x_axis = draw.log_axis(words, *x_ends)
    if any(not spent(row) for row, _ in estimates):
        after = [(v, t) for v, t in zip(x_axis["tickvals"], x_axis["ticktext"], strict=True) if v > 1.5 * nothing]
        x_axis |= {"tickvals": [nothing, *(v for v, _ in after)], "ticktext": ["none", *(t for _, t in after)]}
    scale: Callable[[float], float] = math.log10 if y_axis["type"] == "log" else float
    wide, narrow = (_names(points, x_ends, y_ends, *size, scale) for size in ((WIDE_PX, 40), (NARROW_PX, 22)))
    return draw.chart(
        [_mark(point) for point in points], x_axis, y_axis, f"{label_of(metric)} against {words}", HEIGHT_PX,
        narrow={"annotations": narrow}, narrow_height_px=NARROW_HEIGHT_PX, annotations=wide, shapes=band,
        showlegend=False)  # fmt: skip


def pruned_networks(results: Results, metric: str | None) -> Section:
    """Figure and table of the pruned networks of a run; empty where nothing was pruned."""
    found = pruned_of(results)
    if not found or metric is None:
        return Section("pruning", "")
    side, dense = "down" if higher_is_better(metric) is False else "up", found[0].dense
    caption = (
        f"Cut before learning and without the task, then learned and read out like {dense.label}: look how "
        f"far {side} a pruned network stays while it goes left, and whether {found[0].key.method} stands apart from "
        "the other choices of synapses. The band is the same network without recurrent synapses, within its 95 % "
        "interval."
    )
    figure = against_operations(
        [results.row(key) for key in (dense, *(p.key for p in found))], metric, "recurrent operations per sample",
        lambda key: key.method or "unpruned", lambda row: row.costs.get("synops_recurrent"),
        results.row(dense.without_recurrence).score(metric),
    )  # fmt: skip
    return Section("pruning", "Pruned networks", caption, [figure], [_table(results, found, metric)])


def _mark(point: Point) -> Trace:
    interval = point.ci95 if point.ends[0] < point.ends[1] else None
    tip = f"{shown(point.row.key.label)}<br>{quantity(point.operations)} operations<br>mean {plain(point.mean)[0]}"
    tip += f"<br>{told_interval(plain, interval)}"
    return draw.estimate_mark(point.mean, point.operations, interval, style(point.row.key)[:2], tip, up=True)


def _score_axis(metric: str, low: float, high: float) -> tuple[Range, Axis]:
    """The ends of the axis of a score, and the axis: logarithmic for errors that lie decades apart."""
    title = shown(label_of(metric), 40)
    if higher_is_better(metric) is False and low > 0 and high > 20 * low:
        ends = low / 1.3, high * 1.3
        return ends, draw.log_axis(title, *ends)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 0.1
    most = 1.02 if kind_of(metric) == "share" else math.inf  # at most 1, whose mark is seen whole
    ends = low - room, min(high + room, most)
    return ends, draw.number_axis(title, range=list(ends))


def _names(
    points: Sequence[Point], x_ends: Range, y_ends: Range, size: Range, limit: int, scale: Callable[[float], float]
) -> list[dict[str, Any]]:
    """The names as annotations, placed for figures of `size`; `scale` is that of the vertical axis."""

    def across(x: float) -> float:
        return size[0] * math.log(x / x_ends[0]) / math.log(x_ends[1] / x_ends[0])

    def down(y: float) -> float:
        return size[1] * (scale(y_ends[1]) - scale(max(y, y_ends[0]))) / (scale(y_ends[1]) - scale(y_ends[0]))

    spots = [Spot(across(p.operations), down(p.mean), p.name[:limit], down(p.ends[1]), down(p.ends[0])) for p in points]
    return [
        {
            "x": draw.short(math.log10(p.operations)), "y": draw.short(scale(p.mean)), "ax": round(dx), "ay": round(dy),
            "text": shown(p.name, limit), "showarrow": True, "arrowhead": 0, "arrowwidth": 0.8, "arrowcolor": PALE,
            "standoff": 7, "font": {"size": 12, "color": INK}, "bgcolor": "rgba(255, 255, 255, 0.7)",
        }
        for p, (dx, dy) in zip(points, placed(spots, *size), strict=True)
    ]  # fmt: skip


def _table(results: Results, found: list[Pruned], metric: str) -> Table | None:
    shares = {p.key: gap_kept(results, p, metric) for p in found}
    unpruned = {p.key: results.compared(p.key, p.dense, metric) for p in found}
    columns: dict[str, Callable[[Pruned], Cell | str]] = {
        "method": lambda p: str(p.key.method),
        "neurons": lambda p: _sizes(p.n_neurons),
        "recurrent synapses": lambda p: _sizes(p.n_synapses),
        "fewer recurrent ops": lambda p: _known(p.fewer_recurrent, lambda ratio: f"{quantity(ratio)}×"),
        "fewer ops in all": lambda p: _known(p.fewer_synops, lambda ratio: f"{quantity(ratio)}×"),
    }
    if any(p.rate_ratio is not None for p in found):
        columns["rate over dense, when cut"] = lambda p: _known(p.rate_ratio, lambda ratio: f"{ratio:.2f}")
    columns[label_of(metric)] = lambda p: Cell.of(plain, (e := results.row(p.key).score(metric)).mean, e.ci95)
    columns["− unpruned"] = lambda p: Cell.of(signed, c.diff, c.ci95) if (c := unpruned[p.key]) else Cell("–")
    if any(share is not None for share in shares.values()):
        columns["kept of what recurrence adds"] = lambda p: _known(shares[p.key], lambda share: f"{100 * share:.0f} %")
    return table_of(found, columns)


def _sizes(sizes: Range | None) -> Cell:
    return Cell("–") if sizes is None else Cell(quantity(round(sizes[1])), f"of {quantity(round(sizes[0]))}")


def _known(value: float | None, written: Callable[[float], str]) -> str:
    return "–" if value is None else written(value)
