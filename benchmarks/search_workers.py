"""Two workers of a search against one: the same trials, each about a second of one core.

    python benchmarks/search_workers.py [--trials 40] [--seconds 1]

What is told: seconds on the clock of the whole search, the start of the processes and the asking for points among them,
and the ratio. On an idle machine of two cores or more it is at most 0.6.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrsnn.evaluation import versions
from hrsnn.optimisation.objective import Score
from hrsnn.optimisation.space import Law, Scalar, Space
from hrsnn.optimisation.study import search

SPACE = Space((Law("tau_ms", mean=(5.0, 100.0)), Scalar("scale", 0.1, 10.0, log=True)))


def work(n_rounds: int) -> float:
    values = np.random.default_rng(0).random(100_000)
    return sum(float(np.sort(values)[k % 7]) for k in range(n_rounds))


@dataclass(frozen=True)
class Busy:
    """So many rounds of `work` before the answer."""

    n_rounds: int
    names: tuple[str, ...] = ("busy",)

    @property
    def facts(self) -> Any:
        return self.n_rounds

    def __call__(self, values: Mapping[str, Any], seed: int) -> Score:
        work(self.n_rounds)
        return Score((-abs(np.log(values["tau_ms"].mean / 30)) - abs(np.log(values["scale"])),))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one trial")
    arguments = parser.parse_args()
    began = time.process_time()
    work(100)
    objective = Busy(round(100 * arguments.seconds / (time.process_time() - began)))
    wall_s = {}
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory() as out:
            began = time.monotonic()
            search(SPACE, objective, out, n_trials=arguments.trials, jobs=jobs)
            wall_s[jobs] = round(time.monotonic() - began, 2)
    document = {"trials": arguments.trials, "wall_s": wall_s, "ratio": round(wall_s[2] / wall_s[1], 3)}
    print(json.dumps({**document, "versions": versions()}, indent=2))


if __name__ == "__main__":
    main()
