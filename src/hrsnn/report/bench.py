"""The page of `hrsnn bench`: what was measured, how, against what, and how it grows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hrsnn.report.parts.drawing import (
    BLUE,
    GREY,
    INK,
    VERMILION,
    Figure,
    error_bars,
    faded,
    figure_of,
    layout_with,
    names_axis,
    number_axis,
    short,
    shown,
)
from hrsnn.report.parts.page import Page, Section, present, render_page, replace_file, versions_of, warnings_of
from hrsnn.report.parts.table import Cell, Table
from hrsnn.report.parts.words import quantity
from hrsnn.report.speed import (
    CALLS,
    GROWTH,
    LEARNING,
    SIMULATIONS,
    Measured,
    Measurements,
    Place,
    findings,
    growth_sentences,
    learning_of,
    read,
    size,
    span,
    times,
)

LINES = {"none": (BLUE, "circle", "solid"), "recurrent": (VERMILION, "triangle-up", "dash")}


def write_bench_report(document: Mapping[str, Any], path: Path) -> Path:
    """Write the page of a document of `hrsnn bench --json` to `path`, complete in itself; return the path.

    Raises `InputError` for a document of another schema, `RunError` when the page cannot be written.
    """
    return replace_file(path, render(read(document)))


def render(measurements: Measurements) -> str:
    """The whole page as text."""
    machine = measurements.machine
    again = (
        "Environments of the other simulators are made by the first line; without them only hrsnn and the limit are "
        "measured."
    )
    closing = [
        warnings_of(measurements.failures, "Left out"),
        Section("method", "How it was measured", paragraphs=_method(measurements)),
        versions_of(_versions(measurements)),
        Section("reproduce", "How to reproduce", again, code="python benchmarks/make_peers.py .peers\nhrsnn bench"),
    ]
    return render_page(
        Page(
            kind="hrsnn bench",
            title="Performance",
            created=measurements.created,
            facts=(f"{machine['processor']} · {machine['cores']} cores · {machine['system']}",),
            found=findings(measurements),
            sections=[*sections(measurements), *closing],
            key=f"Values in brackets are the smallest and the largest of {measurements.rounds} rounds. ▲ faster than "
            "every other \u2002 ▼ slower than another \u2002 ○ within the range of the rounds",
        )
    )


def _method(measurements: Measurements) -> tuple[str, ...]:
    loads, cores = [row.load for row in measurements.rows if row.load is not None], measurements.machine["cores"]
    busy = (
        f" While this was measured {min(loads):.1f} to {max(loads):.1f} processes wanted to run on {cores} cores"
        if loads
        else ""
    )
    if loads and max(loads) > cores:
        busy += ", so take CPU seconds and ratios for the result, not times on the clock"
    return (
        "Every engine is a process of its own that builds its network once and is then asked to run it from the "
        "initial state, again and again. A round asks every engine once, one after the other, so that a change of the "
        "machine’s speed meets all alike; ratios are formed within a round, and what is told is the median over "
        f"{measurements.rounds} rounds. Runs shorter than 0.3 s are repeated within a round. CPU seconds are those in "
        "user mode.",
        "hrsnn is timed as a whole call of a public function, after one call to warm up; the others at their time loop "
        "alone, without set-up, code generation or the reading of results. An event is the delivery of one spike over "
        "one recurrent or input synapse, counted from spikes and out-degrees: a simulator that fires at another rate "
        "is compared per event all the same.",
        "The networks: leaky integrate-and-fire neurons (membrane time constants from 10 to 30 ms, steps of 1 ms, "
        "synapses onto the potential, one step of delay), K random synapses onto each neuron, 700 Poisson inputs."
        f"{busy}{'.' if busy else ''}",
    )


def sections(measurements: Measurements) -> list[Section]:
    """Everything between the findings and the method, in order; empty sections included."""
    places = measurements.places
    growth = present(*(_growth(measurements, name) for name in GROWTH))
    return [
        Section(
            "peers",
            "Against other simulators",
            "How many times as many events hrsnn delivers in a CPU second as each of the others, on the same network, "
            "one thread each; the thin line is the range over the rounds. Left of 1 the other one is faster.",
            present(*(_ratios(measurements, place) for place in places)),
            small=True,
            folded=False,
        ),
        Section(
            "limit",
            "Against the machine",
            "Events per CPU second of hrsnn, as a share of what a bare loop reaches that only adds random rows of "
            "weights to a vector of the same size. No simulator can reach 1: neurons and spike lists take time too.",
            present(_limits(measurements)),
        ),
        Section(
            "growth",
            "Growth",
            " ".join(growth_sentences(measurements)),
            growth,
            small=True,
        ),
        Section(
            "tables",
            "All simulations",
            f"Medians of {measurements.rounds} rounds, ranges in brackets. Set-up is building the network and making "
            "code for it, before the first measured run.",
            tables=tuple(table for name in SIMULATIONS if (table := _table(measurements, name)).rows),
            folded=False,
        ),
        Section(
            "calls",
            "Other calls",
            "Building, saving and loading are those of a network of 5,000 neurons; new processes are timed with the "
            "start of Python and all imports.",
            tables=(table,) if (table := _calls(measurements)).rows else (),
        ),
    ]


# -- figures -----------------------------------------------------------------------------------------------------------


def _ratios(measurements: Measurements, place: Place) -> Figure | None:
    peers = measurements.peers(place)
    if not peers:
        return None
    ratios = [row.hrsnn_ratio or 0.0 for row in peers]
    ranges = [row.hrsnn_ratio_range or (ratio, ratio) for row, ratio in zip(peers, ratios, strict=True)]
    colours = [BLUE if ratio >= 1 else VERMILION for ratio in ratios]
    low, high = min(1.0, *(r[0] for r in ranges)), max(1.0, *(r[1] for r in ranges))
    bars = {
        "type": "bar", "orientation": "h", "base": 1, "x": [short(ratio - 1) for ratio in ratios],
        "y": list(range(len(peers))), "showlegend": False, "hoverinfo": "text",
        "marker": {"color": [faded(c) for c in colours], "line": {"color": colours, "width": 1.2}},
        "hovertext": [_tip(row) for row in peers],
    }  # fmt: skip
    lines = {
        "type": "scatter", "mode": "markers+text", "x": ratios, "y": list(range(len(peers))), "showlegend": False,
        "marker": {"color": colours, "size": 5}, "hoverinfo": "skip", "cliponaxis": False,
        "error_x": {**error_bars(list(zip(ratios, ranges, strict=True)), INK), "thickness": 1.2, "width": 3},
        "text": [f" {quantity(ratio)}" for ratio in ratios], "textposition": "top right", "textfont": {"size": 11},
    }  # fmt: skip
    one = {"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": INK, "width": 1}}
    layout = layout_with(
        xaxis={
            **_log_axis("events per CPU s, hrsnn / other", low, high),
            "range": [_log(low / 1.3), _log(high * 2.2)],
        },
        yaxis=names_axis([shown(row.engine) for row in peers]),
        shapes=[one],
        bargap=0.5,
    )
    title = size(place)
    return figure_of([bars, lines], layout, f"hrsnn against others, {title}", 96 + 34 * len(peers), title=title)


def _tip(row: Measured) -> str:
    note = f"<br>{shown(row.note, 90)}" if row.note else ""
    return f"{shown(row.engine)}<br>hrsnn is {times(row.hrsnn_ratio, row.hrsnn_ratio_range)} times as fast{note}"


def _limits(measurements: Measurements) -> Figure | None:
    rows = [row for place in measurements.places if (row := measurements.ours(place)) and row.ratio_to_limit]
    if not rows:
        return None
    shares = [row.ratio_to_limit or 0.0 for row in rows]
    bars = {
        "type": "bar", "orientation": "h", "x": [short(share) for share in shares], "y": list(range(len(rows))),
        "marker": {"color": faded(BLUE), "line": {"color": BLUE, "width": 1.2}}, "showlegend": False,
        "text": [quantity(share) for share in shares], "textposition": "outside", "cliponaxis": False,
        "hoverinfo": "skip", "textfont": {"size": 11, "color": GREY},
    }  # fmt: skip
    axis = {**number_axis("share of the limit"), "range": [0, 1]}
    layout = layout_with(xaxis=axis, yaxis=names_axis([shown(size(row.place), 40) for row in rows]), bargap=0.4)
    return figure_of([bars], layout, "share of the limit", 80 + 26 * len(rows))


def _growth(measurements: Measurements, workload: str) -> Figure | None:
    grows = GROWTH[workload]
    data: list[dict[str, Any]] = []
    for plastic, words in LEARNING.items():
        points = measurements.growth(workload, plastic)
        if len(points) < 2:
            continue
        colour, symbol, dash = LINES[plastic]
        ranges = [
            (row.cpu_per_simulated, (row.user_s_range[0] / row.simulated_s, row.user_s_range[1] / row.simulated_s))
            for _, row in points
        ]
        data.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": words, "x": [short(x) for x, _ in points],
                "y": [short(row.cpu_per_simulated) for _, row in points],
                "error_y": {**error_bars(ranges, colour), "thickness": 1.2, "width": 3},
                "line": {"color": colour, "dash": dash, "width": 2},
                "marker": {"color": colour, "symbol": symbol, "size": 7},
            }
        )  # fmt: skip
    if not data:
        return None
    ticks = [round(x) for x in data[0]["x"]]
    costs = [y for line in data for y in line["y"]]
    name = f"{grows.name} ({grows.unit})" if grows.unit else grows.name
    xaxis = {**number_axis(name), "type": "log", "tickvals": ticks, "ticktext": [f"{x:,}" for x in ticks]}
    layout = layout_with(xaxis=xaxis, yaxis=_log_axis("CPU s per simulated s", min(costs), max(costs)), showlegend=True)
    return figure_of(data, layout, f"CPU time against the {grows.name}", 300, title=f"Against the {grows.name}")


def _log_axis(title: str, low: float, high: float) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 of every decade, at the ones alone where there are many."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    digits = (1,) if len(decades) > 5 else (1, 2, 5)
    ticks = [digit * 10.0**decade for decade in decades for digit in digits]
    texts = [f"{tick:,.0f}" if tick >= 1 else f"{tick:.6g}" for tick in ticks]
    return {**number_axis(title), "type": "log", "tickvals": ticks, "ticktext": texts}


def _log(value: float) -> float:
    return short(math.log10(value))


# -- tables ------------------------------------------------------------------------------------------------------------


def _table(measurements: Measurements, workload: str) -> Table:
    rows = tuple(
        (
            Cell(row.label, row.note),
            Cell(f"{row.n_neurons:,}"),
            Cell(f"{row.synapses_per_neuron:,}"),
            _speed(row),
            Cell(quantity(row.ratio_to_limit)),
            _with_range(row.hrsnn_ratio, row.hrsnn_ratio_range),
            _with_range(row.user_s, row.user_s_range),
            _with_range(row.wall_s, row.wall_s_range),
            Cell(quantity(row.compile_s)),
            Cell(quantity(row.peak_mb)),
        )
        for row in measurements.rows
        if row.workload == workload
    )
    columns = (
        f"{workload}: {SIMULATIONS[workload]}", "N", "K", "million events per CPU s", "of the limit", "hrsnn faster by",
        "CPU s", "s on the clock", "set-up, s", "MB",
    )  # fmt: skip
    return Table(columns, rows, title=workload)


def _calls(measurements: Measurements) -> Table:
    rows = tuple(
        (
            Cell(CALLS[row.workload], learning_of(row)),
            Cell(f"{row.n_neurons:,}"),
            _with_range(row.wall_s, row.wall_s_range),
            Cell(quantity(row.user_s)),
            Cell(row.more_text),
        )
        for row in measurements.rows
        if row.workload in CALLS
    )
    return Table(("call", "N", "s on the clock", "CPU s", ""), rows, title="other calls")


def _speed(row: Measured) -> Cell:
    scaled = None if row.events_per_s_range is None else tuple(value / 1e6 for value in row.events_per_s_range)
    speed = None if row.events_per_s is None else row.events_per_s / 1e6
    return _with_range(speed, None if scaled is None else (scaled[0], scaled[1]))


def _with_range(value: float | None, within: tuple[float, float] | None) -> Cell:
    return Cell(quantity(value), span(within))


def _versions(measurements: Measurements) -> dict[str, str]:
    found = dict(measurements.versions)
    for row in measurements.rows:
        found |= {name: version for name, version in row.versions.items() if name not in ("numpy", "python", *found)}
    return found
