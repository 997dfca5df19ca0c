"""The page of `hrsnn bench`: what was measured, how, against what, how it grows, and all that in sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from statistics import linear_regression
from typing import Any

from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.drawing import BLUE, VERMILION, Figure, shown
from hrsnn.report.parts.page import Page, Section, warnings_of
from hrsnn.report.parts.table import Cell, Table, table_of
from hrsnn.report.parts.words import Finding, Kind, quantity, within
from hrsnn.speed import CALLS, FRESH, GROWTH, LEARNING, OURS, SIMULATIONS, Measured, Measurements, Place, Range, read

Column = Callable[[Measured], Cell | str]
LINES = {"none": (BLUE, "circle", "solid"), "recurrent": (VERMILION, "triangle-up", "dash")}


def page(document: Mapping[str, Any]) -> Page:
    """The page of a document of `hrsnn bench`; raises `InputError` for a document of another schema."""
    measurements = read(document)
    machine = measurements.machine
    versions = dict(measurements.versions)
    for row in measurements.rows:
        versions |= {n: version for n, version in row.versions.items() if n not in ("numpy", "python", *versions)}
    places, rounds = measurements.places, measurements.rounds
    sections = [
        Section("peers", "Against other simulators",
            "How many times as many events hrsnn delivers in a CPU second as each of the others, on the same network, "
            "one thread each; the thin line is the range over the rounds. Left of 1 the other one is faster.",
            [_ratios(measurements, place) for place in places], small=True, folded=False),
        Section("limit", "Against the machine", "Events per CPU second of hrsnn, as a share of what a bare loop "
            "reaches that only adds random rows of weights to a vector of the same size. No simulator can reach 1: "
            "neurons and spike lists take time too.", [_limits(measurements)]),
        Section("growth", "Growth", " ".join(growth_sentences(measurements)),
            [_growth(measurements, name) for name in GROWTH], small=True),
        Section("tables", "All simulations", f"Medians of {rounds} rounds, ranges in brackets. Set-up is building the "
            "network and making code for it, before the first measured run.",
            tables=[_table(measurements, name) for name in SIMULATIONS], folded=False),
        Section("calls", "Other calls", "Building, saving and loading are those of a network of 5,000 neurons; new "
            "processes are timed with the start of Python and all imports.", tables=[_calls(measurements)]),
        warnings_of(measurements.failures, "Left out"),
        Section("method", "How it was measured", paragraphs=_method(measurements)),
    ]  # fmt: skip
    return Page(kind="hrsnn bench", title="Performance", created=measurements.created,
        facts=(f"{machine['processor']} · {machine['cores']} cores · {machine['system']}",),
        found=findings(measurements), sections=sections, key="Values in brackets are the smallest and the largest of "
        f"{rounds} rounds. ▲ faster than every other \u2002 ▼ slower than another \u2002 ○ within the range of the "
        "rounds", versions=versions, again="Environments of the other simulators are made by the first line; without "
        "them only hrsnn and the limit are measured.",
        code="python benchmarks/make_peers.py .peers\nhrsnn bench")  # fmt: skip


def _method(measurements: Measurements) -> tuple[str, ...]:
    loads, cores = [row.load for row in measurements.rows if row.load is not None], measurements.machine["cores"]
    busy = ""
    if loads:
        slow = ", so take CPU seconds and ratios for the result, not times on the clock" if max(loads) > cores else ""
        wanted = f"{min(loads):.1f} to {max(loads):.1f} processes wanted to run on {cores} cores"
        busy = f" While this was measured {wanted}{slow}."
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
        + busy,
    )


# -- in sentences ------------------------------------------------------------------------------------------------------


def findings(measurements: Measurements) -> list[Finding]:
    """What was measured, one sentence each: every workload and size, the threads, the first call."""
    told = [of(measurements, place) for of in (_speed, _threads) for place in measurements.places]
    said = [finding for finding in (*told, _first(measurements)) if finding is not None]
    return said or [Finding("plain", "Nothing was measured that compares.")]


def growth_sentences(measurements: Measurements) -> list[str]:
    """How CPU time grows, one sentence for each quantity of which at least three values were measured."""
    sentences = []
    for workload, axis in GROWTH.items():
        parts = []
        grown = ((words, measurements.growth(workload, plastic)) for plastic, words in LEARNING.items())
        for words, points in ((words, points) for words, points in grown if len(points) >= 3):
            power = exponent([(x, row.cpu_per_simulated) for x, row in points])
            (low, first), (high, last) = points[0], points[-1]
            stretch = f"from {quantity(low)} to {quantity(high)} {axis.unit}".rstrip()
            costs = " to ".join(quantity(_ns_per_event(row)) for row in (first, last))
            parts.append(f"{words} as {axis.symbol}^{power:.2f} {stretch} ({costs} ns per event)")
        if parts:
            sentences.append(f"CPU time grows with the {axis.name}: {'; '.join(parts)}.")
    return sentences


def exponent(points: Iterable[tuple[float, float]]) -> float:
    """The slope of a straight line through the points on two logarithmic scales, by least squares.

    >>> round(exponent([(1, 3), (2, 12), (4, 48)]), 6)
    2.0
    """
    logs = [(math.log(x), math.log(y)) for x, y in points]
    return linear_regression(*zip(*logs, strict=True)).slope


def times(ratio: float | None, ends: Range | None = None) -> str:
    """A ratio in three digits, with its range where there is one.

    >>> times(1.8834, (1.71, 2.0)), times(None)
    ('1.88 [1.71, 2]', '–')
    """
    return f"{quantity(ratio)} {span(ends)}".rstrip()


def span(ends: Range | None) -> str:
    """A range in brackets; "" where it is not known or a single round has none."""
    return within(None if ends is None or ends[0] == ends[1] else ends, quantity)


def learning_of(row: Measured) -> str:
    """Whether a new process learns or not, "" for other calls."""
    return LEARNING[row.plastic] if row.workload in FRESH else ""


def more_of(row: Measured) -> str:
    """What its workload tells besides."""
    return ", ".join(f"{name} {quantity(value)}" for name, value in row.more.items())


def size(place: Place) -> str:
    """Workload and size in words."""
    workload, n, k = place
    return f"{workload}, N = {n:,}" + ("" if k == 100 else f", K = {k:,}")


def _speed(measurements: Measurements, place: Place) -> Finding | None:
    ours = measurements.ours(place)
    if ours is None or ours.events_per_s is None:
        return None
    speed = f"{ours.events_per_s / 1e6:,.0f} million events per CPU second"
    share = "" if ours.ratio_to_limit is None else f", {100 * ours.ratio_to_limit:.0f} % of the limit"
    sentence = f"{size(place)} ({SIMULATIONS[place[0]]}): hrsnn delivers {speed}{share}"
    peers = measurements.peers(place)
    if not peers:
        return Finding("plain", f"{sentence}.")
    near = peers[0]
    ratio, ends = near.hrsnn_ratio or 0.0, near.hrsnn_ratio_range or (0.0, math.inf)
    which = f", the fastest of {len(peers)} other simulators" if len(peers) > 1 else ""
    kind: Kind = "gain" if ends[0] > 1 else "loss" if ends[1] < 1 else "none"
    return Finding(kind, f"{sentence}, {times(ratio, ends)} times as many as {near.engine}{which}.")


def _threads(measurements: Measurements, place: Place) -> Finding | None:
    wall_s = {row.threads: row.wall_s for row in measurements.at(place) if row.engine == OURS}
    if not {1, 2} <= wall_s.keys():
        return None
    share = f"{quantity(wall_s[2] / wall_s[1])} of the time on the clock that one needs"
    return Finding("plain", f"{size(place)}: two threads take {share}.")


def _first(measurements: Measurements) -> Finding | None:
    wall_s = {(row.workload, row.plastic): row.wall_s for row in measurements.rows}
    parts = [
        f"{LEARNING[plastic]} {wall_s['first-call', plastic]:.1f} s, and {wall_s['second-call', plastic]:.1f} s once "
        "compiled code is kept"
        for plastic in LEARNING
        if ("first-call", plastic) in wall_s and ("second-call", plastic) in wall_s
    ]
    return Finding("plain", f"From the start of Python to the first spikes: {'; '.join(parts)}.") if parts else None


def _ns_per_event(row: Measured) -> float | None:
    return 1e9 / row.events_per_s if row.events_per_s else None


# -- figures -----------------------------------------------------------------------------------------------------------


def _ratios(measurements: Measurements, place: Place) -> Figure | None:
    peers = measurements.peers(place)
    ratios = [row.hrsnn_ratio or 0.0 for row in peers]
    ranges = [row.hrsnn_ratio_range or (ratio, ratio) for row, ratio in zip(peers, ratios, strict=True)]
    colours = [BLUE if ratio >= 1 else VERMILION for ratio in ratios]
    low, high = min((r[0] for r in ranges), default=1.0), max((r[1] for r in ranges), default=1.0)
    bars = draw.bars([ratio - 1 for ratio in ratios], colours, tips=[_tip(row) for row in peers], base=1)
    ends = draw.error_bars(ratios, ranges, draw.INK, 1.2, 3)
    lines = draw.marks(
        ratios, range(len(peers)), mode="markers+text", marker={"color": colours, "size": 5}, hoverinfo="skip",
        text=[f" {quantity(ratio)}" for ratio in ratios], textposition="top right", textfont={"size": 11}, error_x=ends,
    )  # fmt: skip
    x = draw.log_axis("events per CPU s, hrsnn / other", min(low, 1.0) / 1.3, max(high, 1.0) * 2.2)
    title, names = size(place), draw.names_axis([shown(row.engine) for row in peers])
    data, more = [bars, lines] if peers else [], dict[str, Any](title=title, shapes=[draw.upright(1)], bargap=0.5)
    return draw.chart(data, x, names, f"hrsnn against others, {title}", 96 + 34 * len(peers), **more)


def _tip(row: Measured) -> str:
    note = f"<br>{shown(row.note, 90)}" if row.note else ""
    return f"{shown(row.engine)}<br>hrsnn is {times(row.hrsnn_ratio, row.hrsnn_ratio_range)} times as fast{note}"


def _limits(measurements: Measurements) -> Figure | None:
    rows = [row for place in measurements.places if (row := measurements.ours(place)) and row.ratio_to_limit]
    shares = [row.ratio_to_limit or 0.0 for row in rows]
    data = [draw.bars(shares, BLUE, texts=[quantity(share) for share in shares])] if rows else []
    x, y = draw.number_axis("share of the limit", range=[0, 1]), [shown(size(row.place), 40) for row in rows]
    return draw.chart(data, x, draw.names_axis(y), "share of the limit", 80 + 26 * len(rows), bargap=0.4)


def _growth(measurements: Measurements, workload: str) -> Figure | None:
    grows, data = GROWTH[workload], []
    courses = [(plastic, measurements.growth(workload, plastic)) for plastic in LEARNING]
    for plastic, points in ((plastic, points) for plastic, points in courses if len(points) > 1):
        (colour, symbol, dash), words = LINES[plastic], LEARNING[plastic]
        costs = [row.cpu_per_simulated for _, row in points]
        ranges = [(row.user_s_range[0] / row.simulated_s, row.user_s_range[1] / row.simulated_s) for _, row in points]
        bars = draw.error_bars(costs, ranges, colour, 1.2, 3)
        look: dict[str, Any] = {"name": words, "mark": symbol, "size": 7, "hover": f"{words} at %{{x:,}}: %{{y:.3g}}"}
        data.append(draw.curve([x for x, _ in points], costs, colour, dash, **look, error_y=bars))
    ticks = [round(x) for x in data[0]["x"]] if data else []
    name = f"{grows.name} ({grows.unit})" if grows.unit else grows.name
    x = draw.number_axis(name, type="log", tickvals=ticks, ticktext=[f"{x:,}" for x in ticks])
    y = draw.log_axis("CPU s per simulated s", *draw.span(data))
    return draw.chart(data, x, y, f"CPU time against the {grows.name}", 300, title=f"Against the {grows.name}")


# -- tables ------------------------------------------------------------------------------------------------------------


def _table(measurements: Measurements, workload: str) -> Table | None:
    columns: dict[str, Column] = {
        f"{workload}: {SIMULATIONS[workload]}": lambda row: Cell(row.label, row.note),
        "N": lambda row: f"{row.n_neurons:,}",
        "K": lambda row: f"{row.synapses_per_neuron:,}",
        "million events per CPU s": lambda row: _with_range(row.events_per_s, row.events_per_s_range, 1e6),
        "of the limit": lambda row: quantity(row.ratio_to_limit),
        "hrsnn faster by": lambda row: _with_range(row.hrsnn_ratio, row.hrsnn_ratio_range),
        "CPU s": lambda row: _with_range(row.user_s, row.user_s_range),
        "s on the clock": lambda row: _with_range(row.wall_s, row.wall_s_range),
        "set-up, s": lambda row: quantity(row.compile_s),
        "MB": lambda row: quantity(row.peak_mb),
    }
    return table_of([row for row in measurements.rows if row.workload == workload], columns, title=workload)


def _calls(measurements: Measurements) -> Table | None:
    columns: dict[str, Column] = {
        "call": lambda row: Cell(CALLS[row.workload], learning_of(row)),
        "N": lambda row: f"{row.n_neurons:,}",
        "s on the clock": lambda row: _with_range(row.wall_s, row.wall_s_range),
        "CPU s": lambda row: quantity(row.user_s),
        "": more_of,
    }
    return table_of([row for row in measurements.rows if row.workload in CALLS], columns, title="other calls")


def _with_range(value: float | None, ends: Range | None, over: float = 1.0) -> Cell:
    scaled = None if ends is None else (ends[0] / over, ends[1] / over)
    return Cell(quantity(None if value is None else value / over), span(scaled))
