"""The page of a search, from its document alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from hrsnn._checks import InputError
from hrsnn.console import search_text
from hrsnn.optimisation.space import Law, Scalar
from hrsnn.report.parts.page import render_page
from hrsnn.report.search import findings, page

LAW, SCALE = Law("network.excitatory.tau_mem_ms", mean=(5.0, 80.0)), Scalar("synapses.weight_scale", 0.25, 4.0)
PRIOR = LAW.prior().tolist()


def document(objectives: Sequence[str] = ("task",), **changes: Any) -> dict[str, Any]:
    """Twelve trials; every fourth is infeasible, and would be the best."""
    rows = [
        {
            "number": k, "state": "complete", "feasible": k % 4 != 3, "params": {},
            "values": [0.5 + 0.01 * k, -2.0 - k][: len(objectives)], "facts": {"spikes": -2.0 - k},
            "limits": {"dead": -1.0, "over its budget of footprint_bytes": 0.5 if k % 4 == 3 else -0.5},
        }
        for k in range(12)
    ]  # fmt: skip
    one = len(objectives) == 1
    found = {LAW.name: {"gamma": {"mean": 30.0, "shape": 4.0}}, SCALE.name: 2.0}
    space = [{"name": LAW.name, "kind": "law", "mean": [5.0, 80.0], "prior": PRIOR},
             {"name": SCALE.name, "kind": "scalar", "low": 0.25, "high": 4.0}]  # fmt: skip
    return {
        "schema": "hrsnn.search/1", "created": "2026-01-01T00:00:00+00:00", "name": "digits, HeNHeS",
        "objectives": list(objectives), "settings": {"n_trials": 12}, "versions": {"hrsnn": "0"}, "trials": rows,
        "space": space, "best": {"number": 10, "value": 0.6, "values": found} if one else None,
        "front": [] if one else [0, 5, 10], "importance": {f"{LAW.name}.mean": 0.75, SCALE.name: 0.25}, **changes,
    }  # fmt: skip


def sections(of: dict[str, Any]) -> list[str]:
    return [section.id for section in page(of).shown]


def test_sections_follow_from_what_there_is() -> None:
    assert sections(document())[:6] == ["convergence", "plane", "found", "laws", "importance", "trials"]
    assert sections(document(("task", "spikes"), importance={}))[:2] == ["plane", "trials"]
    older = document()
    for row in older["trials"]:
        del row["facts"]
    del older["space"][0]["prior"]
    assert sections(older)[:3] == ["convergence", "found", "importance"]


def test_what_is_told() -> None:
    said = [finding.text for finding in findings(document())]
    assert said == [
        "The best of 12 trials is number 11, with 0.6; first of all was 0.5.",
        "Infeasible: 3 over its budget of footprint_bytes.",
    ]
    energy = findings(document(("energy",), best={"number": 10, "value": 6.0, "expected": 5.5, "values": {}}))[0].text
    assert "with 6, of which 5.5 is expected again (energy per sample (µJ): 1); first" in energy
    front = [finding.text for finding in findings(document(("task", "spikes")))]
    assert front[0] == "3 of 12 trials are on the front: none is better in both."
    none = document(best=None, trials=[{**row, "feasible": False} for row in document()["trials"]])
    assert findings(none)[0].text == "No trial was feasible."
    assert search_text(document()).splitlines()[-2].split() == [
        "network.excitatory.tau_mem_ms", "gamma,", "mean", "30,", "CV", "0.5", "5", "to", "80",
    ]  # fmt: skip


def test_what_the_values_depend_on_stands_below_the_title() -> None:
    asked = {"n_trials": 12, "energy profile": "loihi", "budget per sample": "200,000 synaptic operations"}
    assert page(document(settings=asked)).lines[1:] == [
        "energy profile loihi · budget per sample 200,000 synaptic operations"
    ]
    assert len(page(document()).lines) == 1


def test_a_short_length_stands_first() -> None:
    shown = render_page(page(document(lengths={SCALE.name: 3.25, LAW.name: 0.125})))
    assert 0 < shown.index("0.125") < shown.index("3.25")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", shown)


def test_the_best_so_far_is_of_feasible_trials() -> None:
    (figure,) = page(document()).shown[0].figures
    assert figure is not None
    steps = re.search(r'"x":\[([^\]]*)\],"y":\[([^\]]*)\],"name":"best so far"', figure.json)
    assert steps is not None
    assert steps[2].split(",")[:5] == ["0.5", "0.51", "0.52", "0.52", "0.54"]


def test_all_laws_of_a_box_lie_around_it() -> None:
    assert sorted(PRIOR) == PRIOR
    assert 5.0 < PRIOR[15] < PRIOR[35] < 80.0
    assert PRIOR[0] < 5.0 < 80.0 < PRIOR[-1]


def test_another_document_is_refused() -> None:
    with pytest.raises(InputError, match=r"must be hrsnn.search/1, got hrsnn.bench/1"):
        page(document(schema="hrsnn.bench/1"))
