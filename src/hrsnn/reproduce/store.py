"""Finished units, kept as files: what a reproduction that was stopped has done is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from hrsnn._checks import RunError
from hrsnn.progress import Progress
from hrsnn.reproduce.units import Values
from hrsnn.run_directory import versions
from hrsnn.work.cluster import executor_of
from hrsnn.work.loop import Failure, finished, to_do
from hrsnn.work.store import Store, cannot_write, key_of
from hrsnn.work.unit import Unit

_LINES = 40  # of progress, at most, for all units together


@dataclass(frozen=True, slots=True)
class Measuring:
    """The `Work` of measuring units. It goes to other processes, so its functions are those of modules or of values.

    path      the folder of their files, one each
    units     gives all units, in the order in which they are done
    facts     gives what the numbers of a unit follow from, beside its name and the versions of packages: plain values
    measure   gives the values of a unit
    """

    path: Path
    units: Callable[[], Sequence[Unit]]
    facts: Callable[[Unit], Any]
    measure: Callable[[Unit], Values]

    def plan(self, done: Mapping[str, Any]) -> Sequence[Unit]:
        return self.units()

    def read(self, unit: Unit) -> Values | None:
        found = Store(self.path).found(unit.name, key=self._key(unit))
        return None if found is None else found["values"]

    def do(self, unit: Unit, progress: Progress) -> None:
        """Measure a unit and keep it; `progress` is not told."""
        Store(self.path).once(unit.name, self._key(unit), lambda: self.measure(unit))

    def _key(self, unit: Unit) -> str:
        return key_of(unit.name, self.facts(unit), _versions())


_versions = lru_cache(versions)


def document_head(schema: str, scale: Any, command: str) -> dict[str, Any]:
    """What every document begins with."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return {"schema": schema, "created": created, "command": command, "scale": asdict(scale), "versions": versions()}


def measured(
    work: Measuring,
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
    work = replace(work, path=work.path.absolute())
    with executor_of(executor, jobs=n_jobs, say=say) as workers:
        try:
            work.path.mkdir(parents=True, exist_ok=True)
            Store(work.path).sweep()
        except OSError as error:
            raise RunError(cannot_write(work.path, error)) from error
        done = dict[str, Values]()
        pending = to_do(work, done)
        n_units, begun = len(done) + len(pending), time.monotonic()
        n_jobs = max(1, min(n_jobs or 1, len(pending)))
        if done:
            say(f"{len(done)} of {n_units} units were finished before")
        if pending:
            say(f"{len(pending)} units to do" + (f", {n_jobs} at a time" if workers is None else ""))
        with closing(finished(work, done, tell=lambda *_: None, say=say, n_jobs=n_jobs, executor=workers)) as ended:
            for n_done, (unit, values) in enumerate(ended, start=1):
                if isinstance(values, Failure):
                    raise values.error(unit)
                to_go = len(pending) - n_done
                if n_done % max(1, n_units // _LINES) == 0 or not to_go:
                    took_s = time.monotonic() - begun
                    soon = f", about {took_s / n_done * to_go:.0f} s left" if to_go else ""
                    say(f"{len(done)} of {n_units} units, {took_s:.0f} s{soon}; the last was {unit.name}")
    return done
