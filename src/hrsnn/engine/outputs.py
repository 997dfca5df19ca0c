"""Output units: potentials that leak and that spikes of the neurons raise; the same function behind every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.tables import OutputTable

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True)
class OutputCoefficients:
    """Coefficients: y <- alpha y + drive + (the weights of the neurons that spike, added up in ascending order).

    weight   (N, n_outputs); the others (n_outputs,)
    """

    weight: Floats
    alpha: Floats
    drive: Floats

    @classmethod
    def of(cls, table: OutputTable, dt_ms: float, dtype: np.dtype[Any]) -> OutputCoefficients:
        to_rest = -np.expm1(-dt_ms / table.tau_ms)
        weight = np.ascontiguousarray(table.weight.T.astype(dtype))
        return cls(weight, np.exp(-dt_ms / table.tau_ms).astype(dtype), (to_rest * table.bias).astype(dtype))

    def run(self, y: Floats, step: NDArray[np.int32], unit: NDArray[np.int32], n_steps: int, every: int) -> Floats:
        """Potentials after every `every` steps, (n_steps // every, n_outputs); `y` is moved to the end in place.

        `step` and `unit` are the spikes of the neurons, sorted by step, then unit.
        """
        raised = np.zeros((n_steps, y.size), y.dtype)
        np.add.at(raised, step, self.weight[unit])  # one after the other
        kept = np.zeros((n_steps // every, y.size), y.dtype)
        for t in range(n_steps):
            y[:] = self.alpha * y + self.drive + raised[t]
            if (t + 1) % every == 0:
                kept[(t + 1) // every - 1] = y
        return kept
