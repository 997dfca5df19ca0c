"""One workload measured on several engines, in rounds; one `Row` for each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from hrsnn._checks import RunError
from hrsnn.bench.process import Answer, Process
from hrsnn.bench.simulators import LIMIT, OURS, Engine
from hrsnn.bench.workloads import Plastic, Workload, arrays_of

Say = Callable[[str], None]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Row:
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
    plastic: Plastic
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
    versions: dict[str, str]
    more: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """The row as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Failure:
    """An engine that gave no numbers, and why, in one sentence."""

    workload: str
    engine: str
    sentence: str


@dataclass(slots=True)
class _Entrant:
    """An engine in the middle of its rounds."""

    engine: Engine
    workload: Workload
    process: Process
    answers: list[Answer]


def measure(
    workload: Workload, engines: Iterable[Engine], *, rounds: int = 5, say: Say = lambda _: None
) -> tuple[list[Row], list[Failure]]:
    """Start every engine, let each run once per round, one after the other, and sum up.

    Rounds alternate, so that a change of the machine's speed meets all engines alike; ratios are formed within a round.
    An engine that fails is left out from then on and told; when hrsnn fails that is a `RunError`.
    """
    failures: list[Failure] = []

    def fails(engine: Engine, error: RunError) -> None:
        if engine.name == OURS:
            raise error
        failures.append(Failure(workload.name, engine.name, str(error)))
        say(f"{workload.name} ({workload.size}): {error}; left out")

    with ExitStack() as open_now:
        folder = Path(open_now.enter_context(tempfile.TemporaryDirectory(prefix="hrsnn-bench-")))
        entrants: list[_Entrant] = []
        for engine in engines:
            cut = replace(workload, n_steps=min(workload.n_steps, engine.max_steps or workload.n_steps))
            say(f"{workload.name} ({workload.size}): {engine.name} is made ready")
            try:
                process = open_now.enter_context(Process(engine, _file_of(cut, folder)))
            except RunError as error:
                fails(engine, error)
            else:
                entrants.append(_Entrant(engine, cut, process, []))
        for number in range(rounds):
            say(f"{workload.name} ({workload.size}): round {number + 1} of {rounds}")
            for entrant in list(entrants):
                try:
                    entrant.answers.append(entrant.process.run())
                except RunError as error:
                    fails(entrant.engine, error)
                    entrants.remove(entrant)
    return [_row(entrant, entrants) for entrant in entrants], failures


def _file_of(workload: Workload, folder: Path) -> Path:
    path = folder / f"{workload.n_steps}-steps.npz"
    if not path.exists():
        np.savez(path, **arrays_of(workload))  # type: ignore[arg-type]
    return path


def _row(entrant: _Entrant, entrants: Sequence[_Entrant]) -> Row:
    engine, workload, answers = entrant.engine, entrant.workload, entrant.answers
    single = {e.engine.name: e.answers for e in reversed(entrants) if e.engine.threads == 1}
    speeds = [answer.events_per_s for answer in answers]
    to_limit = _ratios(speeds, [a.events_per_s for a in single.get(LIMIT, ())])
    over_peer = [] if engine.name in (OURS, LIMIT) else _ratios([a.events_per_s for a in single.get(OURS, ())], speeds)
    known_speeds = [speed for speed in speeds if speed is not None]
    user_s, wall_s = [a.user_s for a in answers], [a.wall_s for a in answers]
    return Row(
        workload=workload.name,
        engine=engine.name,
        n_neurons=workload.n_neurons,
        synapses_per_neuron=workload.synapses_per_neuron,
        threads=engine.threads,
        plastic=workload.plastic,
        input_rate_hz=workload.input_rate_hz,
        n_samples=workload.n_samples,
        n_steps=workload.n_steps,
        rounds=len(answers),
        events=answers[-1].events,
        plastic_events=answers[-1].plastic_events,
        spikes=answers[-1].spikes,
        user_s=median(user_s),
        user_s_range=(min(user_s), max(user_s)),
        wall_s=median(wall_s),
        wall_s_range=(min(wall_s), max(wall_s)),
        compile_s=entrant.process.compile_s,
        peak_mb=max((a.peak_mb for a in answers if a.peak_mb is not None), default=None),
        events_per_s=_median(known_speeds),
        events_per_s_range=_range(known_speeds),
        ratio_to_limit=_median(to_limit),
        hrsnn_ratio=_median(over_peer),
        hrsnn_ratio_range=_range(over_peer),
        load=fmean(loads) if (loads := [a.load for a in answers if a.load is not None]) else None,
        note=engine.note,
        versions=entrant.process.versions,
        more={name: median(a.more[name] for a in answers) for name in answers[-1].more},
    )


def _ratios(over: Sequence[float | None], under: Sequence[float | None]) -> list[float]:
    """Round by round, where both are known; an engine that fell out has no rounds to compare."""
    return [a / b for a, b in zip(over, under, strict=False) if a is not None and b]


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _range(values: Sequence[float]) -> Range | None:
    return (min(values), max(values)) if values else None
