"""Work whose next unit is known only when others are finished: its seed follows from the values of two before it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn.progress import Progress
from hrsnn.work.loop import Failure, finished
from hrsnn.work.store import Store
from hrsnn.work.unit import Unit


@dataclass(frozen=True)
class Steps:
    """`n` units of each of two sequences; two sequences can go on at the same time."""

    path: Path
    n: int = 12
    pause_s: float = 0.0

    def plan(self, done: Mapping[str, Any]) -> list[Unit]:
        return [unit for which in ("a", "b") for unit in self.sequence(which, done)]

    def sequence(self, which: str, done: Mapping[str, Any]) -> list[Unit]:
        units = [Unit(which, 1, ("0",)), Unit(which, 2, ("1",))]
        while len(units) < self.n and units[-1].name in done and units[-2].name in done:
            seed = (7 * done[units[-2].name]["x"] + done[units[-1].name]["x"]) % 10007
            units.append(Unit(which, seed, (str(len(units)),)))
        return units

    def read(self, unit: Unit) -> Any | None:
        return Store(self.path).found(unit.name, unit=unit.name)

    def do(self, unit: Unit, progress: Progress) -> None:
        time.sleep(self.pause_s)
        x = int(np.random.default_rng([len(unit.kind), ord(unit.kind), unit.seed]).integers(10**6))
        Store(self.path).keep(unit.name, {"unit": unit.name, "x": x})


@dataclass(frozen=True)
class Killed(Steps):
    """Units that are named kill their process, the first time or `always`; each leaves a line when it begins."""

    once: tuple[str, ...] = ()
    always: tuple[str, ...] = ()

    def do(self, unit: Unit, progress: Any) -> None:
        with (self.path / "begun").open("a") as file:
            n_before = (self.path / "begun").read_text().split().count(unit.name)
            file.write(unit.name + "\n")
        if unit.name in self.always or (unit.name in self.once and n_before == 0):
            os.kill(os.getpid(), signal.SIGKILL)
        Steps.do(self, unit, progress)


def complete(work: Steps, n_jobs: int = 1, executor: Any = None) -> dict[str, Any]:
    done: dict[str, Any] = {}
    with closing(finished(work, done, tell=lambda *_: None, say=print, n_jobs=n_jobs, executor=executor)) as ended:
        assert not any(isinstance(value, Failure) for _, value in ended)
    return done


if __name__ == "__main__":
    path, n_jobs, pause_s = sys.argv[1:]
    complete(Steps(Path(path), pause_s=float(pause_s)), int(n_jobs))
