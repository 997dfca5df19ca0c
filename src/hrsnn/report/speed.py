"""The document of `hrsnn bench`: its rows, as they are measured and read back, and what they say in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from statistics import linear_regression
from typing import Any

from hrsnn._checks import require
from hrsnn.report.parts.words import Finding, Kind, quantity

SCHEMA = "hrsnn.bench/1"
OURS = "hrsnn"

SIMULATIONS = {
    "W1": "inference, one sample",
    "W2": "STDP on recurrent synapses",
    "W2-inputs": "STDP on recurrent and input synapses",
    "W3": "inference, 64 samples of 250 ms",
}
CALLS = {
    "build": "hrsnn.build",
    "save": "hrsnn.save",
    "load": "hrsnn.load",
    "stream": "stream, step by step",
    "first-call": "new process to its first spikes, nothing compiled yet",
    "second-call": "new process to its first spikes, compiled before",
}
LEARNING = {"none": "inference", "recurrent": "STDP"}

Range = tuple[float, float]
Place = tuple[str, int, int]

FRESH = ("first-call", "second-call")


@dataclass(frozen=True, slots=True)
class Axis:
    """A quantity that is made to grow: its name, its symbol, its field of `Measured`."""

    name: str
    symbol: str
    column: str
    unit: str = ""


GROWTH = {
    "growth-neurons": Axis("number of neurons", "N", "n_neurons"),
    "growth-synapses": Axis("synapses per neuron", "K", "synapses_per_neuron"),
    "growth-rate": Axis("firing rate", "rate", "rate_hz", "Hz"),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What one engine did with one workload: medians over the rounds, ranges are (smallest, largest).

    events, plastic_events   deliveries over recurrent and input synapses in one run, and those of them over synapses
                             that learn
    user_s, wall_s           of one run; user is CPU time of all threads in user mode
    compile_s                to build the network and make code for it, before the first run; imports not included
    peak_mb                  the most memory the process has held, in 1e6 bytes; more where it compiled code first
    events_per_s             per user second
    ratio_to_limit           its events per second over those of the scatter-add of the same round
    hrsnn_ratio              events per second of hrsnn on one thread over its own, of the same round
    load                     mean number of processes that wanted to run (load average of one minute)
    more                     what this workload tells besides

    None is unknown, or does not apply.
    """

    workload: str
    engine: str
    n_neurons: int
    synapses_per_neuron: int
    threads: int
    plastic: str
    input_rate_hz: float
    n_samples: int
    n_steps: int
    rounds: int
    events: int | None
    plastic_events: int | None
    spikes: int | None
    user_s: float
    user_s_range: Range
    wall_s: float
    wall_s_range: Range
    compile_s: float
    peak_mb: float | None
    events_per_s: float | None
    events_per_s_range: Range | None
    ratio_to_limit: float | None
    hrsnn_ratio: float | None
    hrsnn_ratio_range: Range | None
    load: float | None
    note: str
    versions: Mapping[str, str]
    more: Mapping[str, float]

    @property
    def place(self) -> Place:
        """What it can be compared within: workload and size."""
        return (self.workload, self.n_neurons, self.synapses_per_neuron)

    @property
    def label(self) -> str:
        """The engine, with its threads where there are several."""
        return self.engine if self.threads == 1 else f"{self.engine}, {self.threads} threads"

    @property
    def simulated_s(self) -> float:
        """Biological seconds of one run, of all samples together."""
        return self.n_steps * self.n_samples / 1000

    @property
    def cpu_per_simulated(self) -> float:
        """CPU seconds for a biological second."""
        return self.user_s / self.simulated_s

    @property
    def rate_hz(self) -> float | None:
        """Mean firing rate."""
        return None if self.spikes is None else self.spikes / self.n_neurons / self.simulated_s

    @property
    def more_text(self) -> str:
        """What this workload tells besides."""
        return ", ".join(f"{name} {quantity(value)}" for name, value in self.more.items())


@dataclass(frozen=True, slots=True)
class Measurements:
    """The whole document."""

    created: str
    rounds: int
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    rows: tuple[Measured, ...]
    failures: tuple[str, ...]

    @property
    def places(self) -> list[Place]:
        """Workloads and sizes of the simulations, in the order they were measured."""
        return list(dict.fromkeys(row.place for row in self.rows if row.workload in SIMULATIONS))

    def at(self, place: Place) -> list[Measured]:
        """Everything measured at `place`."""
        return [row for row in self.rows if row.place == place]

    def ours(self, place: Place) -> Measured | None:
        """hrsnn on one thread at `place`."""
        return next((row for row in self.at(place) if row.engine == OURS and row.threads == 1), None)

    def peers(self, place: Place) -> list[Measured]:
        """The other simulators at `place`, those hrsnn is least faster than first."""
        others = [row for row in self.at(place) if row.hrsnn_ratio is not None]
        return sorted(others, key=lambda row: row.hrsnn_ratio or 0.0)

    def growth(self, workload: str, plastic: str) -> list[tuple[float, Measured]]:
        """The rows of hrsnn that show a growth, each with the quantity that grows."""
        rows = [r for r in self.rows if (r.workload, r.plastic, r.engine) == (workload, plastic, OURS)]
        column = GROWTH[workload].column
        return [(float(x), row) for row in rows if (x := getattr(row, column))]


def read(document: Mapping[str, Any]) -> Measurements:
    """The document of `hrsnn bench --json`; raises `InputError` for another schema."""
    require(document.get("schema") == SCHEMA, "bench.json", "schema", f"must be {SCHEMA}", document.get("schema"))
    names = [f.name for f in fields(Measured)]
    return Measurements(
        created=document["created"],
        rounds=document["rounds"],
        machine=document["machine"],
        versions=document["versions"],
        rows=tuple(Measured(**{name: row[name] for name in names}) for row in document["rows"]),
        failures=tuple(f"{f['workload']}: {f['sentence']}" for f in document["failures"]),
    )


# -- in sentences ------------------------------------------------------------------------------------------------------


def findings(measurements: Measurements) -> list[Finding]:
    """What was measured, one sentence each: every workload and size, the threads, the first call."""
    told = [_speed(measurements, place) for place in measurements.places]
    told += [_threads(measurements, place) for place in measurements.places]
    told += [_first(measurements)]
    said = [finding for finding in told if finding is not None]
    return said or [Finding("plain", "Nothing was measured that compares.")]


def growth_sentences(measurements: Measurements) -> list[str]:
    """How CPU time grows, one sentence for each quantity of which at least three values were measured."""
    sentences = []
    for workload, axis in GROWTH.items():
        parts = []
        for plastic, words in LEARNING.items():
            points = measurements.growth(workload, plastic)
            if len(points) < 3:
                continue
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


def times(ratio: float | None, within: Range | None = None) -> str:
    """A ratio in three digits, with its range where there is one.

    >>> times(1.8834, (1.71, 2.0)), times(None)
    ('1.88 [1.71, 2]', '–')
    """
    return f"{quantity(ratio)} {span(within)}".rstrip()


def span(within: Range | None) -> str:
    """A range in brackets; "" where it is not known or a single round has none."""
    return "" if within is None or within[0] == within[1] else f"[{', '.join(quantity(v) for v in within)}]"


def learning_of(row: Measured) -> str:
    """Whether a new process learns or not, "" for other calls."""
    return LEARNING[row.plastic] if row.workload in FRESH else ""


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
    ratio, within = near.hrsnn_ratio or 0.0, near.hrsnn_ratio_range or (0.0, math.inf)
    which = f", the fastest of {len(peers)} other simulators" if len(peers) > 1 else ""
    kind: Kind = "gain" if within[0] > 1 else "loss" if within[1] < 1 else "none"
    return Finding(kind, f"{sentence}, {times(ratio, within)} times as many as {near.engine}{which}.")


def _threads(measurements: Measurements, place: Place) -> Finding | None:
    one, two = (
        next((row for row in measurements.at(place) if row.engine == OURS and row.threads == n), None) for n in (1, 2)
    )
    if one is None or two is None:
        return None
    share = f"{quantity(two.wall_s / one.wall_s)} of the time on the clock that one needs"
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
