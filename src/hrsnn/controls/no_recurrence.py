"""The network without recurrent synapses, which learns as the whole one does."""

from __future__ import annotations

from dataclasses import replace

from hrsnn.arms import Arm, CutRecurrence


def of_arm(arm: Arm) -> Arm:
    return replace(arm, steps=(CutRecurrence(), *arm.steps))
