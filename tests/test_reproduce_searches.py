"""Figures 6 and 9: what is compared, what follows from raw values, and a run from end to end."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from documents import assert_same
from hrsnn._checks import InputError
from hrsnn.cli import main
from hrsnn.console import reproduction_text
from hrsnn.optimisation.compared import METHODS, searched
from hrsnn.report.parts.page import render_page
from hrsnn.report.searches import LOOKS, page
from hrsnn.reproduce import SEARCH_SCALES, reproduce
from hrsnn.reproduce.searches import DESIGNS, HAND, SearchExperiment, best_so_far, document_of, followed, quantity
from hrsnn.work.unit import Unit
from search_objectives import SPACE, Distance

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SMALL = SEARCH_SCALES["small"]


def fake_values(unit: Unit, n_trials: int, n_fresh: int) -> dict[str, Any]:
    """Values that depend on the name of the unit alone; the first trial is infeasible, the fourth repeats the third."""
    rng = np.random.default_rng(list(unit.name.encode()))
    n = 0 if unit.options[2] == HAND else n_trials
    fresh = [
        {
            "task": rng.uniform(0.4, 0.6), "spikes": -rng.uniform(5, 20), "memory": rng.uniform(0.5, 1.5),
            "efficiency": rng.normal(), "rate_hz": 20.0, "accuracy": rng.uniform(0.5, 0.7),
        }
        for _ in range(n_fresh)
    ]  # fmt: skip
    return {
        "values": rng.uniform(0.3, 0.6, n).tolist(), "feasible": [k > 0 for k in range(n)],
        "points": [2 if k == 3 else k for k in range(n)], "expected": 0.5 if n else None, "found": {}, "fresh": fresh,
    }  # fmt: skip


def fake_document(name: str, **changes: Any) -> dict[str, Any]:
    experiment = SearchExperiment(name, replace(SMALL, **changes))
    scale = experiment.scale
    values = {unit.name: fake_values(unit, scale.n_trials, scale.n_fresh) for unit in experiment.plan()}
    return document_of(experiment, values, command="hrsnn reproduce")


# -- what is compared --------------------------------------------------------------------------------------------------


def test_designs_name_what_there_is() -> None:
    for name, design in DESIGNS.items():
        assert {way for question in design.questions for way in (question.a, question.b)} <= set(design.ways)
        assert {(way.objective, way.arm, way.method) for way in design.ways} <= LOOKS.keys()
        assert {way.method for way in design.ways} <= {*METHODS, HAND}
        names = [unit.name for unit in SearchExperiment(name, SMALL).plan()]
        assert len(set(names)) == len(names) == 5 * len(design.ways)
        assert all(re.fullmatch(r"[A-Za-z0-9._+-]+", one) for one in names)
    assert all(SEARCH_SCALES[name].n_seeds >= 5 for name in ("small", "paper"))


@pytest.mark.parametrize("method", METHODS)
def test_a_search_in_memory_tells_what_it_saw(method: str) -> None:
    found = searched(SPACE, Distance(noise=0.05), method, n_trials=12, n_startup=4, seed=1)
    again = searched(SPACE, Distance(noise=0.05), method, n_trials=12, n_startup=4, seed=1)
    assert found == again
    assert [len(found[name]) for name in ("values", "feasible", "points")] == [12] * 3
    assert all(first <= k for k, first in enumerate(found["points"]))
    if method != "laws":
        best = max(v for v, feasible in zip(found["values"], found["feasible"], strict=True) if feasible)
        assert found["expected"] == best
    assert Distance()(SPACE.values(found["params"]), 0).limits["large"] <= 0


def test_an_unknown_method_is_told() -> None:
    with pytest.raises(InputError, match="must be one of laws, tpe, sobol, got tp"):
        searched(SPACE, Distance(), "tp", n_trials=1, n_startup=1, seed=0)


# -- what follows from raw values --------------------------------------------------------------------------------------


def test_the_best_so_far_is_of_feasible_points_by_their_means() -> None:
    unit = {"values": [9.0, 1.0, 3.0, 1.0, 2.5], "feasible": [False, True, True, True, True],
            "points": [0, 1, 2, 2, 4]}  # fmt: skip
    assert best_so_far(unit) == [None, 1.0, 3.0, 2.0, 2.5]
    assert quantity(unit, "course") == pytest.approx((1 + 3 + 2 + 2.5) / 4)
    assert quantity(unit, "pace") == 2.0  # 90 % of the way from 1 to 2.5, counted from the first feasible trial
    assert quantity({**unit, "feasible": [False] * 5}, "pace") is None


@pytest.mark.parametrize("name", DESIGNS)
def test_a_document_follows_from_its_raw_values(name: str) -> None:
    document = json.loads(json.dumps(fake_document(name)))
    raw = {key: value for key, value in document.items() if key not in ("ways", "comparisons")}
    assert json.loads(json.dumps(followed(raw))) == document


def test_numbers_by_an_independent_count() -> None:
    document = fake_document("figure6", n_neurons=(30, 100))
    of = {(u["arm"], u["method"], u["n_neurons"], u["seed"]): u for u in document["units"]}
    one = next(c for c in document["comparisons"] if (c["b"]["method"], c["quantity"]) == ("tpe", "task"))
    a, b = ([np.mean([f["task"] for f in of["HeNHeS", m, 30, k]["fresh"]]) for k in range(5)] for m in ("laws", "tpe"))
    assert one["n_neurons"] == 30
    np.testing.assert_allclose(one["ci95"], stats.ttest_rel(a, b).confidence_interval())
    way = next(w for w in document["ways"] if (w["method"], w["n_neurons"]) == ("sobol", 100))
    units = [of["HeNHeS", "sobol", 100, k] for k in range(5)]
    ends = []
    for unit in units:
        merged = [
            *unit["values"][1:2],
            np.mean(unit["values"][2:4]),
            *unit["values"][4:],
        ]  # as the last trial sees them
        ends.append(list(accumulate(merged, max))[-1])
    gaps = [end - np.mean([f["task"] for f in unit["fresh"]]) for end, unit in zip(ends, units, strict=True)]
    assert way["gap_of_seen"]["mean"] == pytest.approx(np.mean(gaps))
    assert way["gap_of_seen"]["sd"] == pytest.approx(np.std(gaps, ddof=1))


def test_spikes_and_efficiency_are_told_as_people_read_them() -> None:
    document = fake_document("figure9")
    unit = document["units"][0]
    assert quantity(unit, "spikes") == pytest.approx(-np.mean([one["spikes"] for one in unit["fresh"]]))
    assert quantity(unit, "efficiency") == pytest.approx(stats.gmean([np.exp(o["efficiency"]) for o in unit["fresh"]]))
    unit["fresh"][0].pop("efficiency")  # of a network without a spike
    assert quantity(unit, "efficiency") is None


@pytest.mark.parametrize(("name", "n_figures"), [("figure6", 2), ("figure9", 2 * 3)])
def test_pages_are_complete_in_themselves(name: str, n_figures: int) -> None:
    document = fake_document(name, n_neurons=(30, 100))
    shown = render_page(page(document))
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", shown)
    assert shown.count('class="plot') == n_figures
    assert "5 repeats of 60 trials" in shown
    assert DESIGNS[name].title in reproduction_text(document)
    with pytest.raises(InputError, match=r"must be hrsnn.searches/1"):
        page({**document, "schema": "hrsnn.claims/1"})


def test_a_search_without_a_feasible_trial_is_a_dash() -> None:
    experiment = SearchExperiment("figure6", replace(SMALL, n_seeds=2))
    values = {unit.name: fake_values(unit, 60, 8) for unit in experiment.plan()}
    for unit in experiment.plan():
        if unit.options[2] == "tpe":
            nothing = {"feasible": [False] * 60, "expected": None, "found": None, "fresh": []}
            values[unit.name] |= nothing
    document = document_of(experiment, values, command="x")
    way = next(way for way in document["ways"] if way["method"] == "tpe")
    assert way["seen"]["mean"] is None
    assert way["designs"] == [{}, {}]
    asked = [one for one in document["comparisons"] if one["b"]["method"] == "tpe"]
    assert all((one["n"], one["reading"]) == (0, "not shown") for one in asked)
    assert "too few repeats" in render_page(page(document))


def test_committed_results_follow_from_their_raw_values_and_have_enough_repeats() -> None:
    for path in (RESULTS / f"{name}.json" for name in DESIGNS):
        if path.exists():
            document = json.loads(path.read_bytes())
            assert document["scale"]["n_seeds"] >= 5
            assert_same(json.loads(json.dumps(followed(document))), document)


# -- running -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_smoke_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    line = ["reproduce", "figure9", "--scale", "smoke", "--jobs", "1", "--out", str(out), "--quiet"]
    assert main(line) == 0
    told = capsys.readouterr().out
    assert told.startswith(DESIGNS["figure9"].title)
    assert told.endswith(f"Report: {out / 'figure9.html'}\n")
    document = json.loads((out / "figure9.json").read_bytes())
    for unit in document["units"]:
        assert len(unit["values"]) == (0 if unit["method"] == HAND else 4)
        assert (unit["found"] == {}) == (unit["method"] == HAND)
        assert len(unit["fresh"]) == 1
    by_hand = {u["arm"]: u["fresh"][0] for u in document["units"] if (u["method"], u["seed"]) == (HAND, 0)}
    assert by_hand["HeNHoS"]["memory"] == by_hand["HeNHeS"]["memory"]  # before plasticity
    assert by_hand["HoNHoS"]["memory"] != by_hand["HeNHoS"]["memory"]
    plasticity = {u["objective"]: any(name.startswith("plasticity.") for name in u["found"]) for u in document["units"]}
    assert plasticity == {"task": True, "memory": False, "spikes": True, "efficiency": False, "": False}
    one = out / "units" / "searched-s1-memory-HeNHeS-laws-30.json"
    before = json.loads(one.read_bytes())["values"]
    one.write_text("{")  # damaged: done again, with the same numbers
    _, again = reproduce("figure9", scale="smoke", out=out)
    assert json.loads(one.read_bytes())["values"] == before
    assert {**again, "created": ""} == {**document, "created": ""}
