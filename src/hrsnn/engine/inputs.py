"""Analogue input of a simulation, checked."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from hrsnn._checks import as_array, check_column, require
from hrsnn.engine.coefficients import Coefficients, Floats
from hrsnn.tables import LARGEST


def checked_current(
    owner: str, current: ArrayLike | None, shape: tuple[int, ...], c: Coefficients
) -> Floats | None:  # fmt: skip
    """`current` in the type of the engine. Raises `InputError` for another shape and for numbers that do not fit."""
    if current is None:
        return None
    given = as_array(owner, "current", current)
    require(given.shape == shape, owner, "current", f"must have shape {shape}", f"shape {given.shape}")
    limits: dict[str, Any] = {"dtype": c.dtype.type, "at_least": -LARGEST, "at_most": LARGEST}
    # A copy can be written to, whatever it was made from: kernels are compiled for one kind of array.
    checked: Floats = check_column(owner, "current", given.reshape(-1), **limits).reshape(shape).copy()
    return checked
