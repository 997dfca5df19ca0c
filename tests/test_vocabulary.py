"""The tables of words: everything that results hold stands in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hrsnn.tasks import TaskSpec
from hrsnn.vocabulary import CONTROLS, COSTS, LADDERS, METRICS, MOST_HETEROGENEOUS, NETWORKS, baselines

ROOT = Path(__file__).parent.parent
RESULTS = [
    path for path in sorted((ROOT / "docs/results").glob("*.json")) if '"comparisons"' in path.read_text("utf-8")
]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_what_results_hold_is_known(path: Path) -> None:
    for row in json.loads(path.read_text("utf-8")).get("summary", ()):
        assert row["arm"] in (*NETWORKS, *baselines())
        assert row["metrics"].keys() <= METRICS.keys()
        assert row["costs"].keys() - {"energy_pj"} <= COSTS.keys()


def test_tables_name_each_other() -> None:
    assert {metric for ladder in LADDERS.items() for metric in (ladder[0], *ladder[1])} <= METRICS.keys()
    assert set(MOST_HETEROGENEOUS) <= set(NETWORKS)
    assert len(set(baselines())) == sum(bool(control.arm) for control in CONTROLS.values())


def test_a_config_takes_the_controls_of_the_table_and_no_others() -> None:
    every = list(CONTROLS)
    assert TaskSpec(controls=every).controls == every
    with pytest.raises(ValueError, match=r"untrained.*nvar"):
        TaskSpec(controls=["oracle"])
