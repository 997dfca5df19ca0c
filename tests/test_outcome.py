"""Outcome: names, order, and JSON without NaN."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hrsnn._checks import InputError
from hrsnn.outcome import Outcome, plain_values


def outcome(**changes: Any) -> Outcome:
    fields = {"arm": "HeNHeS", "stage": "trained", "method": None, "seed": 0, "metrics": {}, "costs": {}, "network": {}}
    return Outcome(**{**fields, "wall_s": 0.0, **changes})  # type: ignore[arg-type]


def test_labels_are_the_names_of_comparisons() -> None:
    assert outcome().label == "HeNHeS"
    assert outcome(stage="pruned", method="lnp").label == "HeNHeS/pruned/lnp"
    assert outcome(stage="control", method="no-recurrence").label == "HeNHeS/control/no-recurrence"
    assert outcome(stage="trial").label == "HeNHeS/trial"


def test_order_is_arm_stage_method_seed() -> None:
    keys = [
        outcome(arm=arm, stage=stage, method=method, seed=seed).sort_key
        for arm in ("A", "B") for stage, method in (("control", "untrained"), ("trained", None), ("trained", "x"))
        for seed in (2, 10)
    ]  # fmt: skip
    assert keys == sorted(keys)


def test_no_nan_and_no_infinity_inside() -> None:
    nan = float("nan")
    found = outcome(
        metrics={"a": nan, "b": [1.0, np.inf]}, costs={"energy_pj": {"x": -np.inf}}, network={"h": np.float64(nan)}
    )
    assert found.metrics == {"a": None, "b": [1.0, None]}
    assert found.costs == {"energy_pj": {"x": None}}
    assert found.network == {"h": None}
    json.dumps(found.to_dict(), allow_nan=False)


def test_plain_values_leaves_the_rest() -> None:
    value = {"a": [1, "nan", True, None, (2.5,)]}
    assert plain_values(value) == {"a": [1, "nan", True, None, [2.5]]}


def test_missing_fields_are_named() -> None:
    whole = outcome().to_dict()
    for name in whole:
        rest = {key: value for key, value in whole.items() if key != name}
        if name in ("warnings", "versions"):
            assert Outcome.from_dict(rest) == outcome()
        else:
            with pytest.raises(InputError, match=f"`{name}` of `Outcome` must be given"):
                Outcome.from_dict(rest)
    assert Outcome.from_dict({**whole, "from_the_future": 1}) == outcome()
