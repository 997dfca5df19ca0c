"""The network as it was drawn: nothing is learned."""

from __future__ import annotations

from dataclasses import replace

from hrsnn.arms import Arm, Learn


def of_arm(arm: Arm) -> Arm:
    return replace(arm, steps=tuple(step for step in arm.steps if not isinstance(step, Learn)))
