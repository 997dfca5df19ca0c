"""One workload measured on several engines, in rounds; one `Measured` for each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median

import numpy as np

from hrsnn._checks import RunError
from hrsnn.bench.process import Answer, Process
from hrsnn.bench.simulators import LIMIT, Engine
from hrsnn.bench.workloads import Workload, arrays_of
from hrsnn.speed import OURS, Measured, Range

Say = Callable[[str], None]


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
) -> tuple[list[Measured], list[Failure]]:
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


def _row(entrant: _Entrant, entrants: Sequence[_Entrant]) -> Measured:
    engine, workload, answers = entrant.engine, entrant.workload, entrant.answers
    single = {e.engine.name: e.answers for e in reversed(entrants) if e.engine.threads == 1}
    speeds = [answer.events_per_s for answer in answers]
    to_limit = _ratios(speeds, [a.events_per_s for a in single.get(LIMIT, ())])
    over_peer = [] if engine.name in (OURS, LIMIT) else _ratios([a.events_per_s for a in single.get(OURS, ())], speeds)
    known_speeds = [speed for speed in speeds if speed is not None]
    user_s, wall_s = [a.user_s for a in answers], [a.wall_s for a in answers]
    return Measured(
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
