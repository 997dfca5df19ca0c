"""Finished units, kept as files: what a reproduction that was stopped has done is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from hrsnn._checks import RunError
from hrsnn.progress import Progress
from hrsnn.reproduce.units import Values
from hrsnn.run_directory import versions
from hrsnn.work.cluster import executor_of
from hrsnn.work.loop import Failure, finished, to_do
from hrsnn.work.store import Store, cannot_write, key_of
from hrsnn.work.unit import Unit

_LINES = 40  # of progress, at most, for all units together


class Experiment(Protocol):
    """Units and what is measured of them, as a value that can be sent to another process."""

    def plan(self) -> list[Unit]:
        """All units, in the order in which they are done."""

    def facts(self, unit: Unit) -> Any:
        """Plain values: what the numbers of a unit follow from, beside its name and the versions of packages."""

    def measure(self, unit: Unit) -> Values: ...


@dataclass(frozen=True, slots=True)
class Measuring:
    """The `Work` of an experiment: what is measured of a unit is kept in the folder `path`, one file each."""

    path: Path
    experiment: Experiment

    def plan(self, done: Mapping[str, Any]) -> Sequence[Unit]:
        return self.experiment.plan()

    def read(self, unit: Unit) -> Values | None:
        found = Store(self.path).found(unit.name, key=self._key(unit))
        return None if found is None else found["values"]

    def do(self, unit: Unit, progress: Progress) -> None:
        """Measure a unit and keep it; `progress` is not told."""
        Store(self.path).once(unit.name, self._key(unit), lambda: self.experiment.measure(unit))

    def _key(self, unit: Unit) -> str:
        return key_of(unit.name, self.experiment.facts(unit), _versions())


_versions = lru_cache(versions)


def measured(
    experiment: Experiment,
    folder: Path,
    say: Callable[[str], None],
    *,
    n_jobs: int | None = None,
    executor: Executor | str | None = None,
) -> dict[str, Values]:
    """Unit name -> values of all units; what the folder holds is kept, what it lacks is done and added to it.

    n_jobs     processes; 1, or None, works in this one. No number depends on it
    executor   instead of processes, as of `hrsnn.runs.execute`

    Raises `RunError` when a unit fails or a file cannot be written, `InputError` where a unit does; finished units are
    kept.
    """
    with executor_of(executor, jobs=n_jobs, say=say) as workers:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            Store(folder).sweep()
        except OSError as error:
            raise RunError(cannot_write(folder, error)) from error
        work, done = Measuring(folder.absolute(), experiment), dict[str, Values]()
        pending = to_do(work, done)
        n_units = len(done) + len(pending)
        if done:
            say(f"{len(done)} of {n_units} units were finished before")
        n_jobs = max(1, min(n_jobs or 1, len(pending)))
        if pending:
            say(f"{len(pending)} units to do" + (f", {n_jobs} at a time" if workers is None else ""))
        begun, every = time.monotonic(), max(1, n_units // _LINES)
        with closing(finished(work, done, tell=lambda *_: None, n_jobs=n_jobs, executor=workers)) as ended:
            for n_done, (unit, values) in enumerate(ended, start=1):
                if isinstance(values, Failure):
                    raise values.error(unit)
                if n_done % every == 0 or n_done == len(pending):
                    took_s = time.monotonic() - begun
                    to_go = len(pending) - n_done
                    soon = f", about {took_s / n_done * to_go:.0f} s left" if to_go else ""
                    say(f"{len(done)} of {n_units} units, {took_s:.0f} s{soon}; the last was {unit.name}")
    return done
