"""The atlas: what is compared, how many cells are corrected for, what the page advises, and runs of a small one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from documents import assert_same
from hrsnn._checks import InputError
from hrsnn.classification import simulated
from hrsnn.cli import main
from hrsnn.console import reproduction_text
from hrsnn.data import chaos
from hrsnn.report.atlas import findings, page
from hrsnn.report.parts.page import render_page
from hrsnn.reproduce import ATLAS_SCALES
from hrsnn.reproduce.atlas import Atlas, document_of, followed, network_of, spec_of
from hrsnn.reproduce.atlas_tasks import CASES, shapes, world_of
from hrsnn.reproduce.conditions import CONDITIONS, KINDS, Networks, sharing
from hrsnn.reproduce.store import measured
from hrsnn.vocabulary import GROUPS, METRICS

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SMOKE = ATLAS_SCALES["smoke"]
TINY = replace(SMOKE, n_recordings=20)
NEURONS = [kind.name for kind in KINDS.values() if kind.twin == "HoN"]


def fake_document(effects=(), *, n_seeds=20, left_out=()):
    """A document whose twins score 0.5 and errors 1, and all kinds the same with noise.

    effects   (name of a condition, name of a kind, what is added to its scores)
    """
    atlas = Atlas(replace(ATLAS_SCALES["small"], n_seeds=n_seeds))
    added = {effect[:2]: effect[2] for effect in effects}
    values = {}
    for unit in atlas.plan():
        _, kind, some = atlas._of(unit)
        rng = np.random.default_rng(list(unit.name.encode()))
        values[unit.name] = {
            one.name: {
                "score": (1.0 if one.metric == "rmse" else 0.5)
                + added.get((one.name, kind.name), 0.0)
                + rng.normal(0, 0.01),
                "spikes": 10.0 if not kind.twin else 11.0,
            }
            for one in some
        }
    told = dict.fromkeys(left_out, "there is no file")
    return document_of(atlas, values, command="hrsnn reproduce atlas", tasks={"digits": "so many"}, left_out=told)


def said_of(document, kind):
    return " ".join(one.text for one in findings(document) if one.kind == kind)


# -- what is compared --------------------------------------------------------------------------------------------------


def test_records_name_what_there_is():
    names = [one.name for one in CONDITIONS]
    assert len(set(names)) == len(names)
    assert {one.of.case for one in CONDITIONS} == CASES.keys()
    assert {one.metric for one in CONDITIONS} <= METRICS.keys()
    for kind in KINDS.values():
        assert set(kind.spread) <= GROUPS.keys()
        assert (kind.twin == "") == (not kind.spread)
        if kind.twin:
            assert KINDS[kind.twin].learned == kind.learned
    units = Atlas(ATLAS_SCALES["small"]).plan()
    assert len({unit.name for unit in units}) == len(units)
    assert all(re.fullmatch(r"[A-Za-z0-9._+-]+", unit.name) for unit in units)
    assert ATLAS_SCALES["small"].n_seeds == 20
    assert set(SMOKE.cases) <= CASES.keys()


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.twin], ids=lambda kind: kind.name)
def test_a_pair_differs_in_the_spread_alone(kind):
    world, networks = world_of("digits", TINY), Networks(tau=2.0)
    ours, twin = (network_of(replace_learning(world), networks, one, 3) for one in (kind, KINDS[kind.twin]))
    spreads = {"tau_mem": "tau_mem_ms", "v_th": "v_th"}
    for column in ("tau_mem_ms", "v_th", "v_reset", "v_init", "t_ref_ms", "sign"):
        same = np.array_equal(getattr(ours.neurons, column), getattr(twin.neurons, column))
        assert same == (column not in {spreads.get(group) for group in kind.spread})
    assert np.array_equal(ours.recurrent.post, twin.recurrent.post)
    assert np.array_equal(ours.inputs.pre(), twin.inputs.pre())
    if kind.gain == "resistance" and not kind.learned:
        assert np.array_equal(ours.recurrent.weight, twin.recurrent.weight)
    laws = [spec_of(world.spec, networks, one).excitatory.tau_mem_ms.mean for one in (kind, KINDS[kind.twin])]
    assert laws == [40.0, 40.0]


def replace_learning(world):
    return replace(world, learner=world.learner.model_copy(update={"n_samples": 1}))


def test_factors_set_networks_apart():
    spec = world_of("digits", TINY).spec
    found = spec_of(spec, Networks(tau=0.25, drive=2.0, size=0.5), KINDS["both-C"])
    assert found.excitatory.tau_mem_ms == replace(spec.excitatory.tau_mem_ms, mean=5.0)
    assert found.input.weight_excitatory == 2 * spec.input.weight_excitatory
    assert (found.n_neurons, found.gain) == (20, "capacitance")
    assert spec_of(spec, Networks(), KINDS["HoN"]).arm("HoNHoS") == spec_of(spec, Networks(), KINDS["HoN"])


def test_conditions_that_share_networks_share_a_simulation():
    world, conditions = world_of("digits", TINY), sharing(CONDITIONS)[Networks()]
    assert len(conditions) >= 10
    network = network_of(world, Networks(), KINDS["HoN"], 0)
    bins = world.readout.model_copy(update={"n_bins": [6]})
    count = world.readout.model_copy(update={"n_bins": [1]})
    state = count.model_copy(update={"features": "filtered", "tau_filter_ms": 50.0})
    spikes = world.task.test.spikes
    (of_bins, of_count, of_state), counts = simulated(network, spikes, [bins, count, state])
    assert np.array_equal(of_bins.sum(axis=1), of_count[:, 0])
    assert np.array_equal(of_count[:, 0], counts)
    for readout, windows in ((bins, of_bins), (state, of_state)):
        assert np.array_equal(simulated(network, spikes, [readout])[0][0], windows)
    with pytest.raises(InputError, match="must share"):
        simulated(network, spikes, [state, state.model_copy(update={"tau_filter_ms": 20.0})])


def test_shapes_are_what_they_are_called():
    task = shapes()
    assert (task.train.n_samples, task.test.n_samples, task.class_names) == (90, 300, ("cylinder", "bell", "funnel"))
    assert np.bincount(task.test.labels).tolist() == [100, 100, 100]


def test_lorenz96_of_two_scales():
    # Without coupling the large variables are those of three scales, with it they are not.
    free = [chaos.lorenz96(50, coupling=0.0, n_scales=n, n_discard=0).values for n in (2, 3)]
    np.testing.assert_array_equal(*free)
    assert not np.array_equal(*(chaos.lorenz96(50, n_scales=n, n_discard=0).values for n in (2, 3)))
    with pytest.raises(InputError, match="n_scales"):
        chaos.lorenz96(5, n_scales=4)


# -- what follows ------------------------------------------------------------------------------------------------------


def test_a_document_follows_from_its_raw_values():
    document = json.loads(json.dumps(fake_document()))
    made = {"cells", "n_cells", "n_alone", "n_surviving_holm", "alpha"}
    assert json.loads(json.dumps(followed({k: v for k, v in document.items() if k not in made}))) == document
    n_learned = sum(one.learned for one in CONDITIONS)
    assert document["n_cells"] == len(document["cells"]) == len(CONDITIONS) * len(NEURONS) + n_learned


def test_cells_by_an_independent_count():
    document = fake_document([("digits_tau2", "tau-C", 0.05), ("lorenz63", "v_th", 0.2)])
    cells = {(cell["condition"], cell["kind"]): cell for cell in document["cells"]}
    for name, unit in (("digits_tau2", 100), ("lorenz63", None)):
        raw = document["raw"][name]
        for kind in NEURONS:
            a, b = (np.array(raw[one]["score"]) for one in (kind, "HoN"))
            if unit is None:  # errors that hardly differ
                a = np.where(np.abs(a - b) < 1e-3 * np.maximum(a, b), b, a)
            cell, test = cells[name, kind], stats.ttest_rel(a, b)
            factor = unit or -100 / b.mean()
            assert cell["p"] == pytest.approx(test.pvalue)
            assert cell["shown"]["effect"] == pytest.approx(factor * (a - b).mean())
            np.testing.assert_allclose(
                cell["shown"]["ci95"], sorted(factor * end for end in test.confidence_interval())
            )
            assert cell["spikes_ratio"] == pytest.approx(1.1)
    assert cells["digits_tau2", "tau-C"]["verdict"] == "better"
    assert cells["lorenz63", "v_th"]["verdict"] == "worse"  # of an error more is worse


def test_many_cells_are_corrected_for():
    """Of several hundred cells without any effect some are significant alone, and none when corrected together."""
    document = fake_document()
    p_values = sorted(cell["p"] for cell in document["cells"])
    assert p_values[0] < 0.05  # chance, as there are many
    assert document["n_alone"] > 0
    by_hand = 0
    for k, p in enumerate(p_values):
        if p > 0.05 / (len(p_values) - k):
            break
        by_hand += 1
    assert document["n_surviving_holm"] == by_hand == 0
    assert {cell["verdict"] for cell in document["cells"]} == {"not shown"}
    # The same p alone, as the one cell of an atlas, would be certain.
    least = min(document["cells"], key=lambda cell: cell["p"])
    conditions = [one for one in document["conditions"] if one["name"] == least["condition"]]
    kinds = [kind for kind in document["kinds"] if kind["name"] == least["kind"]]
    (alone,) = followed({**document, "conditions": conditions, "kinds": kinds})["cells"]
    assert alone["p"] == least["p"]
    assert alone["verdict"] != "not shown"


def test_errors_that_hardly_differ_are_equal():
    document = fake_document()
    raw = document["raw"]["wind"]
    for factor, verdict in ((1.0005, "no answer"), (1.002, "worse")):
        raw["tau-C"]["score"] = [factor * score for score in raw["HoN"]["score"]]
        cells = followed(document)["cells"]
        cell = next(c for c in cells if (c["condition"], c["kind"]) == ("wind", "tau-C"))
        assert cell["verdict"] == verdict
        assert cell["shown"]["effect"] == pytest.approx(0.0 if verdict == "no answer" else -0.2, abs=1e-6)


def test_few_pairs_are_never_certain():
    effects = [("digits", "tau-C", 0.3)]
    for n_seeds, verdict in ((2, "not shown"), (4, "not shown"), (20, "better")):
        document = fake_document(effects, n_seeds=n_seeds)
        cell = next(c for c in document["cells"] if (c["condition"], c["kind"]) == effects[0][:2])
        assert cell["verdict"] == verdict


# -- what the page advises ---------------------------------------------------------------------------------------------

SLOW, WIND = "membranes are twice too slow", "wind is forecast"


@pytest.mark.parametrize("sign", [1, -1])
def test_advice_follows_the_numbers(sign):
    document = fake_document([("digits_tau2", "tau-C", 0.05 * sign), ("wind", "v_th", 0.2 * sign)])
    use, avoid = (SLOW, WIND) if sign > 0 else (WIND, SLOW)  # the error of the wind rises where accuracy does
    said = {"gain": said_of(document, "gain"), "loss": said_of(document, "loss")}
    assert said["gain"].startswith(f"Use heterogeneous neurons when {use} (")
    assert said["loss"].startswith(f"Do not use heterogeneous neurons when {avoid} (")
    assert use not in said["loss"]
    assert avoid not in said["gain"]
    assert all(text.endswith(", 1.1 times the spikes). 20 pairs each.") for text in said.values())
    of_wind = said["loss" if sign > 0 else "gain"]
    assert re.search(
        rf"{WIND} \(spread of thresholds: \d\d(\.\d)? % {'more' if sign > 0 else 'less'} error \[", of_wind
    )
    assert re.search(
        rf"{SLOW} \(spread of time constants, equal capacitance: [+−]\d(\.\d)? points \[", " ".join(said.values())
    )
    texts = [one.text for one in findings(document)]
    assert texts.index(said["gain"]) == 0
    assert render_page(page(document)).index(use) < render_page(page(document)).index("The map")


def test_a_condition_where_any_kind_gains_is_none_to_avoid():
    document = fake_document([("digits_tau2", "tau-C", 0.05), ("digits_tau2", "v_th", -0.05)])
    assert SLOW in said_of(document, "gain")
    assert not said_of(document, "loss")
    assert "Nothing speaks against heterogeneous neurons" in said_of(document, "none")


def test_without_any_effect_nothing_is_advised():
    document = fake_document(left_out=["wind"])
    assert not said_of(document, "gain")
    assert not said_of(document, "loss")
    assert f"Heterogeneous neurons: no gain and no loss is certain under any of the {len(CONDITIONS)}" in said_of(
        document, "none"
    )
    assert said_of(document, "open") == "Left out: there is no file."
    halves = [np.ptp(cell["shown"]["ci95"]) / 2 for cell in document["cells"]]
    assert f"Half of the intervals are narrower than ±{np.median(halves):.1f}." in said_of(document, "plain")


def test_plasticity_is_told_apart():
    document = fake_document([("digits", "HeS", 0.05)])
    assert said_of(document, "gain").startswith("Use heterogeneous plasticity when ")
    assert "Heterogeneous neurons: no gain" in said_of(document, "none")


def test_the_page_is_complete_in_itself():
    document = fake_document([("digits_tau2", "tau-C", 0.05)])
    shown = render_page(page(document))
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", shown)
    assert shown.count('class="plot') == 1
    assert len(shown.encode()) < 1_000_000
    assert "Use heterogeneous neurons when" in reproduction_text(document)
    with pytest.raises(InputError, match=r"must be hrsnn.atlas/1, got hrsnn.claims/1"):
        page({**document, "schema": "hrsnn.claims/1"})


def test_committed_results_follow_from_their_raw_values_and_have_enough_seeds():
    path = RESULTS / "atlas.json"
    if path.exists():
        document = json.loads(path.read_bytes())
        assert document["scale"]["n_seeds"] >= 20
        assert_same(json.loads(json.dumps(followed(document))), document)


# -- running -----------------------------------------------------------------------------------------------------------


def small_atlas():
    return Atlas(
        TINY, tuple(one for one in CONDITIONS if one.of in (Networks(), Networks(drive=2.0), Networks("shapes")))
    )


@pytest.mark.slow
def test_two_processes_give_the_same_numbers(tmp_path):
    atlas = small_atlas()
    one, two = (measured(atlas.work(tmp_path / str(n)), lambda line: None, n_jobs=n) for n in (1, 2))
    assert one == two


@pytest.mark.slow
def test_killed_and_started_again(tmp_path, capsys):
    out = tmp_path / "out"
    words = ["reproduce", "atlas", "--scale", "smoke", "--jobs", "1", "--data-dir", str(tmp_path), "--out", str(out)]
    process = subprocess.Popen([sys.executable, "-m", "hrsnn", *words, "--quiet"])
    while process.poll() is None and len(list(out.glob("units/*.json"))) < 5:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("units/*.json")}
    assert len(kept) >= 5
    assert not (out / "atlas.json").exists()
    assert main([*words, "--quiet"]) == 0
    assert kept.items() <= {path.name: path.stat().st_mtime_ns for path in out.glob("units/*.json")}.items()
    document = json.loads((out / "atlas.json").read_bytes())
    assert list(document["left_out"]) == ["wind"]
    assert document["n_surviving_holm"] == 0  # two pairs
    assert capsys.readouterr().out.endswith(f"Report: {out / 'atlas.html'}\n")
    scores = [score for kinds in document["raw"].values() for of in kinds.values() for score in of["score"]]
    assert np.isfinite(scores).all()
