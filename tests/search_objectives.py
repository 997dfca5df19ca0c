"""Objectives that cost nothing, for searches in tests; a module, for other processes import them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn.distributions import Constant, Gamma, wasserstein2
from hrsnn.optimisation.objective import Score
from hrsnn.optimisation.space import Law, Scalar, Space, constants

SPACE = Space((Law("tau", mean=(5.0, 100.0)), Scalar("scale", 0.1, 10.0, log=True)))
FIRST_SEED = 1_000_000  # of trials
BEST = {"tau": Gamma(30.0, 4.0), "scale": Constant(2.0)}


@dataclass(frozen=True)
class Distance:
    """Minus the squared distance of the laws from the best ones; `noise` per seed, `wait_s` before the answer.

    grave   a file: where it is not yet, trial 5 makes it and kills its process
    """

    noise: float = 0.0
    wait_s: float = 0.0
    fails: str = ""
    grave: str = ""
    names: tuple[str, ...] = ("distance",)

    @property
    def facts(self) -> Any:
        return [self.noise, self.fails]

    def __call__(self, values: Mapping[str, Any], seed: int) -> Score:
        time.sleep(self.wait_s)
        if self.grave and seed == FIRST_SEED + 5 and not Path(self.grave).exists():
            Path(self.grave).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if (
            self.fails == "always"
            or (self.fails == "sometimes" and seed % 3 == 0)
            or (self.fails == "later" and seed >= FIRST_SEED + 3)
        ):
            raise ZeroDivisionError("no")
        if self.fails == "nan":
            return Score((float("nan"),))
        if self.fails == "number":
            return 1.0  # type: ignore[return-value]
        if self.fails == "two":
            return Score((1.0, 2.0))
        found = constants(values)
        loss = sum(wasserstein2(found[name], law) ** 2 / law.mean**2 for name, law in BEST.items())
        noise = self.noise * np.random.default_rng(seed).standard_normal()
        return Score((float(noise - loss),), {"large": found["scale"].mean - 5.0}, {"pid": float(os.getpid())})
