"""Decay over whole steps: the numbers of `reference.decay`."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn.engine.cpu.compiled import inlined, power_of_two


@inlined
def decay(n_steps: Any, rate: Any, rule: Any) -> Any:
    """2**(-n_steps rate); `rule` has the `lowest` and the `polynomial` of `Exp2`."""
    z = max(-(type(rate)(n_steps) * rate), rule.lowest)
    whole = np.floor(z)
    fraction = z - whole
    value = rule.polynomial[-1]
    for k in range(len(rule.polynomial) - 2, -1, -1):
        value = value * fraction + rule.polynomial[k]
    return value * power_of_two(whole)
