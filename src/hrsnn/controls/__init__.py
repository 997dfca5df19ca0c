"""What networks are compared with: one file for each control, by its name in the table `CONTROLS` of the vocabulary.

A control does a task without a network, by `on_recordings` or `on_series` or both, or is an arm from which something
was taken, by `of_arm`. Train fits, validation chooses, test is read once, as for a network.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from hrsnn._checks import InputError
from hrsnn.arms import Arm
from hrsnn.classification import check_readout, with_copies
from hrsnn.data.dataset import Splits
from hrsnn.evaluation import Evaluation, Label
from hrsnn.forecast import ForecastTask
from hrsnn.readout import ReadoutSpec
from hrsnn.vocabulary import CONTROLS, known_control

__all__ = ["control_arm", "evaluate_control"]

_TASKS = {"on_recordings": "recordings", "on_series": "forecasts"}


def evaluate_control(
    name: str, task: Splits | ForecastTask, readout: ReadoutSpec, *, seed: int = 0, n_features: int
) -> Evaluation:
    """What a control without a network makes of a task, with as many features as the network beside it has neurons.

    Raises `InputError` for an unknown control, and for one of another kind of task.
    """
    module, label = _module(name), Label(CONTROLS[name].arm, seed=seed)
    wanted = "on_series" if isinstance(task, ForecastTask) else "on_recordings"
    if not hasattr(module, wanted):
        kinds = [words for function, words in _TASKS.items() if hasattr(module, function)]
        of = " and ".join(kinds) or "networks"
        raise InputError(f"`task.controls` of {task.name} must not hold {name}: it is a control of {of}")
    if isinstance(task, Splits):
        check_readout(task, readout)
        task = with_copies(task, readout, seed)
    found: Evaluation = getattr(module, wanted)(task, readout, label=label, n_features=n_features)
    return found


def control_arm(name: str, arm: Arm) -> Arm:
    """The arm that a control which is a network makes of the arm that it is a control of."""
    found: Arm = _module(name).of_arm(arm)
    return found


def _module(name: str) -> ModuleType:
    return import_module(f"{__name__}.{known_control(name).replace('-', '_')}")
