"""Finished units, kept as files: what a reproduction that was stopped has done is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from hrsnn._checks import RunError
from hrsnn.progress import Progress
from hrsnn.reproduce.units import Values
from hrsnn.run_directory import versions
from hrsnn.work.store import Store, cannot_write, key_of
from hrsnn.work.unit import Unit
from hrsnn.work.workers import attempts

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
    """The work of an experiment: what is measured of a unit is kept in the folder `path`, one file each."""

    path: Path
    experiment: Experiment

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
    experiment: Experiment, folder: Path, say: Callable[[str], None], *, n_jobs: int = 1
) -> dict[str, Values]:  # fmt: skip
    """Unit name -> values of all units; what the folder holds is kept, what it lacks is done and added to it.

    n_jobs   processes; 1 works in this one. No number depends on it

    Raises `RunError` when a unit fails or a file cannot be written; finished units are kept.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        Store(folder).sweep()
    except OSError as error:
        raise RunError(cannot_write(folder, error)) from error
    store, units = Measuring(folder, experiment), experiment.plan()
    found = {unit.name: values for unit in units if (values := store.read(unit)) is not None}
    if found:
        say(f"{len(found)} of {len(units)} units were finished before")
    pending = [unit for unit in units if unit.name not in found]
    begun, every = time.monotonic(), max(1, len(units) // _LINES)
    n_jobs = max(1, min(n_jobs, len(pending)))
    if pending:
        say(f"{len(pending)} units to do, {n_jobs} at a time")
    with closing(attempts(store, pending, tell=lambda unit, event: None, n_jobs=n_jobs)) as ended:
        for n_done, (unit, failure) in enumerate(ended, start=1):
            values = store.read(unit)
            if failure is not None or values is None:
                why = "its file is gone" if failure is None else failure.message
                raise RunError(f"unit {unit.name} failed: {why}")
            found[unit.name] = values
            if n_done % every == 0 or n_done == len(pending):
                took_s = time.monotonic() - begun
                to_do = len(pending) - n_done
                soon = f", about {took_s / n_done * to_do:.0f} s left" if to_do else ""
                say(f"{len(found)} of {len(units)} units, {took_s:.0f} s{soon}; the last was {unit.name}")
    return found
