"""The document of `hrsnn bench`: its rows, as they are measured and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from hrsnn.vocabulary import BENCH

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
    BENCH.checked(document)
    names = [f.name for f in fields(Measured)]
    return Measurements(
        created=document["created"],
        rounds=document["rounds"],
        machine=document["machine"],
        versions=document["versions"],
        rows=tuple(Measured(**{name: row[name] for name in names}) for row in document["rows"]),
        failures=tuple(f"{f['workload']}: {f['sentence']}" for f in document["failures"]),
    )
