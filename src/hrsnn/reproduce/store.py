"""Finished units, kept as files: what a run that was stopped has done is not done again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hrsnn._checks import RunError
from hrsnn.network_file import write_atomically
from hrsnn.outcome import plain_values
from hrsnn.reproduce import measurements
from hrsnn.reproduce.measurements import digit_spec, drive_spec
from hrsnn.reproduce.scales import Scale
from hrsnn.reproduce.units import Unit, Values, plan
from hrsnn.run_directory import as_json, versions

_EDITION = 1  # of what units measure: raised when it changes, so that older files are no units any more
_UNITS_BETWEEN_LINES = 25


@dataclass(frozen=True, slots=True)
class Store:
    """Finished units of a scale in a folder, one file each; a file that is damaged or of other sizes is no unit."""

    folder: Path
    scale: Scale

    def read(self, unit: Unit) -> Values | None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            document = json.loads((self.folder / f"{unit.name}.json").read_bytes())
            if document["key"] == self._key(unit):
                values: Values = document["values"]
                return values
        return None

    def write(self, unit: Unit, values: Values, wall_s: float) -> Values:
        kept = plain_values(dict(values))
        document = {"unit": unit.name, "key": self._key(unit), "values": kept, "wall_s": round(wall_s, 3)}
        write_atomically(self.folder / f"{unit.name}.json", as_json(document))
        return json.loads(as_json(kept))  # type: ignore[no-any-return]

    def _key(self, unit: Unit) -> str:
        return hashlib.sha256(f"{unit.name} {_facts(self.scale)}".encode()).hexdigest()


@lru_cache(maxsize=4)
def _facts(scale: Scale) -> str:
    """What the numbers of all units of a scale depend on beside their names."""
    specs = [drive_spec(scale.n_neurons).to_dict(), digit_spec(scale.n_digit_neurons).to_dict()]
    return json.dumps([_EDITION, scale.sizes(), specs, versions()], sort_keys=True, default=str)


def measured(scale: Scale, folder: Path, say: Callable[[str], None]) -> dict[str, Values]:
    """Unit name -> values of all units; what the folder holds is kept, what it lacks is done and added to it."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".*.tmp"):
        left.unlink(missing_ok=True)
    store, units = Store(folder, scale), plan(scale)
    found = {unit.name: values for unit in units if (values := store.read(unit)) is not None}
    if found:
        say(f"{len(found)} of {len(units)} units were finished before")
    pending = [unit for unit in units if unit.name not in found]
    begun = time.monotonic()
    for n_done, unit in enumerate(pending, start=1):
        started = time.monotonic()
        try:
            values = measurements.measure(unit, scale)
        except Exception as error:
            raise RunError(f"unit {unit.name} failed: {type(error).__name__}: {error}") from error
        found[unit.name] = store.write(unit, values, time.monotonic() - started)
        if n_done % _UNITS_BETWEEN_LINES == 0 or n_done == len(pending):
            say(f"{len(found)} of {len(units)} units, {time.monotonic() - begun:.0f} s; the last was {unit.name}")
    return found
