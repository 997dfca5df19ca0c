"""The ledger of claims: the rule of verdicts, the committed results against it, and a run from end to end."""

from __future__ import annotations

import json
import re
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from documents import assert_same
from hrsnn._checks import InputError, MissingExtraError, RunError
from hrsnn.cli import main
from hrsnn.engine import Record, simulate
from hrsnn.pruning.drive import rates_on
from hrsnn.report.claims import claims_markdown, page
from hrsnn.report.parts.page import render_page
from hrsnn.reproduce import REPRODUCTIONS, measurements, reproduce
from hrsnn.reproduce.claims import document_of, judged, work_of
from hrsnn.reproduce.ledger import CLAIMS
from hrsnn.reproduce.measurements import coalition_spec, drive_spec, learning_stream, map_axes, spread_spec
from hrsnn.reproduce.mechanisms import MECHANISMS, matched, mean_efficacy, with_mechanism, with_weights_delivered
from hrsnn.reproduce.scales import SCALES
from hrsnn.reproduce.store import measured
from hrsnn.reproduce.units import ARMS, coalition_name, coalitions, game_unit, plan
from hrsnn.reproduce.verdict import judge, surviving_holm, verdict_of
from hrsnn.spec import NetworkSpec, ShortTermSpec
from hrsnn.spikes import Spikes
from hrsnn.tables import ADAPTATION, SHORT_TERM
from hrsnn.wiring import build
from hrsnn.work.unit import Unit

DOCS = Path(__file__).parents[1] / "docs"
COMMITTED = DOCS / "results" / "claims.json"


@pytest.fixture(scope="module")
def document():
    return json.loads(COMMITTED.read_bytes())


def every_test(document):
    return [
        test
        for claim in document["claims"]
        for test in [*(t for c in claim["conditions"] for t in c["tests"]), *claim["also"]]
    ]


# -- the rule ----------------------------------------------------------------------------------------------------------

UP, DOWN, NOWHERE = [[2.0, 1.0], [2.1, 1.0], [1.9, 1.0]], [[1.0, 2.0], [1.0, 2.1], [1.0, 1.9]], [[1.0, 1.1], [1.1, 1.0]]
ALIKE, FAR = [[10.0, 10.1], [10.1, 10.0], [10.0, 10.0]], [[15.0, 10.0], [15.1, 10.0], [14.9, 10.0]]


@pytest.mark.parametrize(
    ("pairs", "side", "reading"),
    [
        (UP, "above", "supports"),
        (UP, "below", "against"),
        (DOWN, "above", "against"),
        (DOWN, "below", "supports"),
        (NOWHERE, "above", "not shown"),
        (NOWHERE, "below", "not shown"),
        (ALIKE, "same", "supports"),
        (FAR, "same", "against"),
        ([[10.9, 10.0], [11.1, 10.0], [10.7, 10.0]], "same", "not shown"),  # crosses the bound of 10 %
        ([[2.0, 1.0]], "above", "not shown"),  # one pair has no interval
        ([], "above", "not shown"),
    ],
)
def test_reading_of_known_pairs(pairs, side, reading):
    assert judge(pairs, side).reading == reading


def test_an_interval_that_ends_at_zero_shows_nothing():
    # Differences 0 and 2 r with r such that the lower bound of the t-interval is 0 up to rounding, and just beyond.
    half = stats.t.ppf(0.975, 1)
    touching = [[1 + half, 0.0], [1 - half, 0.0]]  # mean 1, SD sqrt(2) half: the interval reaches below 0
    assert judge(touching, "above").reading == "not shown"
    assert judge([[1.01, 0.0], [0.99, 0.0]], "above").reading == "supports"


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=30))
@settings(max_examples=60, deadline=None)
def test_effect_interval_and_p_are_those_of_scipy(pairs):
    a, b = np.array(pairs).T
    difference = a - b
    if difference.std() < 1e-6:
        return
    found, oracle = judge(pairs, "above"), stats.ttest_rel(a, b)
    interval = oracle.confidence_interval()
    np.testing.assert_allclose([found.effect, *found.ci95], [difference.mean(), *interval], rtol=1e-9, atol=1e-9)
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-12)
    assert found.d_z == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert judge([(-x, -y) for x, y in pairs], "below").reading == found.reading


def test_sameness_is_two_one_sided_tests():
    rng = np.random.default_rng(0)
    b = np.full(20, 5.0)
    a = b + rng.normal(0.1, 0.3, 20)
    found = judge(np.stack([a, b], axis=1), "same")
    assert found.margin == pytest.approx(0.5)
    sides = [stats.ttest_1samp(a - b, -0.5, alternative="greater"), stats.ttest_1samp(a - b, 0.5, alternative="less")]
    assert found.p == pytest.approx(2 * max(side.pvalue for side in sides))  # 95 % interval: 2.5 % each


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=12),
    st.sampled_from(["above", "below", "same"]),
)
@settings(max_examples=100, deadline=None)
def test_p_and_reading_agree(pairs, side):
    found = judge(pairs, side)
    assert (found.p < 0.05) == (found.reading != "not shown") or abs(found.p - 0.05) < 1e-9


def test_verdicts():
    assert verdict_of({"x": True, "y": True}) == ("holds", ("x", "y"))
    assert verdict_of({"x": False, "y": True}) == ("holds only when", ("y",))
    assert verdict_of({"x": False, "y": False}) == ("does not hold", ())
    assert verdict_of({"x": False}) == ("does not hold", ())


def test_holm_stops_at_the_first_that_fails():
    # 0.01 <= 0.05 / 4, 0.013 <= 0.05 / 3, 0.03 > 0.05 / 2: the last is significant alone, but comes after.
    assert surviving_holm([0.03, 0.01, None, 0.04, 0.013]) == [False, True, False, False, True]


# -- the ledger and its networks ---------------------------------------------------------------------------------------


def test_claims_have_conditions_of_their_own():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.conditions
        assert all(claim.conditions.values())
        assert all(getattr(claim, field).strip() for field in ("published", "reading", "test", "source", "holds_if"))


def test_units_of_every_scale_have_names_that_are_safe_and_distinct():
    for scale in SCALES.values():
        names = [unit.name for unit in plan(scale)]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[A-Za-z0-9._+-]+", name) for name in names)


def test_arms_are_coalitions():
    spec = drive_spec(20)
    for arm, groups in ARMS.items():
        assert coalition_spec(spec, coalition_name(groups)) == spec.arm(arm)
    specs = {coalition_spec(spec, coalition).model_dump_json() for coalition in coalitions()}
    assert len(specs) == 16
    names = {unit.name for unit in plan(SCALES["smoke"])}
    assert {game_unit(0, coalition).name for coalition in coalitions()} <= names


def test_networks_of_a_pair_begin_with_the_same_weights():
    networks = [build(drive_spec(30).arm(arm), seed=5) for arm in ARMS]
    for network in networks[1:]:
        for name in ("weight", "post"):
            np.testing.assert_array_equal(getattr(network.recurrent, name), getattr(networks[0].recurrent, name))
            np.testing.assert_array_equal(getattr(network.inputs, name), getattr(networks[0].inputs, name))


@pytest.mark.parametrize("cv", [0.0, 0.5, 1.0])
def test_spread_changes_the_cv_of_the_time_constants_alone(cv):
    spec = drive_spec(20)
    law = spread_spec(spec, cv).excitatory.tau_mem_ms
    assert law.mean == spec.excitatory.tau_mem_ms.mean
    assert law.variance == pytest.approx((cv * law.mean) ** 2)
    assert spread_spec(spec, 0.0) == spec.arm("HoNHoS")


def test_learning_stream_is_white_and_of_its_own():
    spec = drive_spec(20)
    spikes = learning_stream(spec, 40, seed=3)
    assert (spikes.n_samples, spikes.n_steps, spikes.n_units) == (40, 500, 100)
    assert spikes.n_events / (40 * 0.5 * 100) == pytest.approx(10.0, rel=0.05)  # Hz per channel
    assert learning_stream(spec, 2, seed=4) != learning_stream(spec, 2, seed=3)


def test_map_has_the_published_number_of_points_and_the_ranges_of_the_specification():
    lengths, weights = map_axes(SCALES["paper"].n_map_points)
    assert len(lengths) * len(weights) == 81
    assert (lengths[0], lengths[-1], weights[0], weights[-1]) == (0.5, 4.5, 0.1, 10.0)
    np.testing.assert_allclose(np.diff(np.log(weights)), np.log(100) / 8)


def test_smaller_shares_are_parts_of_larger_ones():
    data = measurements.digit_task(None).train
    tenth, quarter = (data.select(measurements.rows_of_share(data, share, seed=1)) for share in (0.1, 0.25))
    assert 0 < tenth.n_samples < quarter.n_samples < data.n_samples
    assert set(np.unique(tenth.labels)) == set(range(20))
    rows = {tuple(one.spikes.step[:20]) for one in (quarter.select([k]) for k in range(quarter.n_samples))}
    assert {tuple(tenth.select([k]).spikes.step[:20]) for k in range(tenth.n_samples)} <= rows


# -- mechanisms --------------------------------------------------------------------------------------------------------

ROOMY = {"subset_share": 1.0, "p_connect": 0.5, "weight_excitatory": 1.5}


@pytest.mark.parametrize(("pair", "delivered"), [("ee", 0.04), ("ei", 0.26), ("ie", 0.06), ("ii", 0.22)])
def test_mean_efficacy_comes_to_what_the_specification_says_of_20_hz(pair, delivered):
    laws = getattr(ShortTermSpec(), pair)
    constants = [np.array([getattr(laws, name).mean]) for name in SHORT_TERM]
    found = mean_efficacy(*constants, rate_hz=20.0, duration_ms=1e5)
    assert found[0] == pytest.approx(delivered, abs=0.005)


def test_mean_efficacy_is_what_the_engine_delivers():
    # Channel 0 spikes every 50 ms; what arrives at a neuron that never fires is its potential, with delta synapses.
    neuron, inputs = {"v_th": 1e6, "tau_mem_ms": 2.0, "v_init": 0.0}, {**ROOMY, "p_connect": 1.0}
    dynamic = {"short_term": {"inputs": True}}
    spec = NetworkSpec(
        n_neurons=1, n_inputs=1, synapse="delta", input=inputs, synapses=dynamic, excitatory=neuron
    )  # fmt: skip
    network = build(spec, seed=1)
    raster = np.zeros((1, 400, 1), dtype=bool)
    raster[0, ::50] = True
    v = simulate(network, Spikes.from_dense(raster, dt_ms=1.0), record=Record(v=1), backend="reference").v[0, :, 0]
    table = network.inputs
    found = mean_efficacy(
        *(np.asarray(getattr(table, name), float) for name in SHORT_TERM),
        rate_hz=20.0, duration_ms=400.0,
    )  # fmt: skip
    assert v[1::50].mean() / table.weight[0] == pytest.approx(found[0], rel=1e-5)


@pytest.fixture(scope="module")
def drive():
    rng = np.random.default_rng(0)
    return Spikes.from_dense(rng.random((4, 400, 10)) < 0.05, dt_ms=1.0)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_mechanism_is_all_that_a_pair_differs_in_and_rates_are_matched(mechanism, drive):
    spec = NetworkSpec(n_neurons=60, n_inputs=10, input=ROOMY).arm("HeNHoS")
    partner, drawn = build(spec, seed=3), build(with_mechanism(spec, mechanism), seed=3)
    tells, own = {"dynamic": ("recurrent", set(SHORT_TERM)), "adaptive": ("neurons", set(ADAPTATION))}[mechanism]
    for table in ("neurons", "recurrent", "inputs"):
        before, after = (getattr(network, table) for network in (partner, drawn))
        assert after.columns().keys() - before.columns().keys() == (own if table == tells else set())
        for name, column in before.columns().items():
            np.testing.assert_array_equal(column, after.columns()[name])
    rate_hz = rates_on(partner, drive).mean()
    found = matched(drawn, partner, drive, seed=0)
    assert rates_on(drawn, drive).mean() < 0.93 * rate_hz
    assert rates_on(found, drive).mean() == pytest.approx(rate_hz, rel=0.03)
    if mechanism == "adaptive":
        inhibitory = partner.neurons.sign < 0
        ratio = found.neurons.v_th / partner.neurons.v_th
        np.testing.assert_array_equal(ratio[inhibitory], 1.0)
        assert ratio[~inhibitory].max() < 1
        np.testing.assert_allclose(ratio[~inhibitory], ratio[~inhibitory][0], rtol=1e-5)
        np.testing.assert_array_equal(found.recurrent.weight, partner.recurrent.weight)


def test_thresholds_of_a_network_that_is_not_quieter_stay_and_have_a_lowest(drive):
    spec = NetworkSpec(n_neurons=30, n_inputs=10, input=ROOMY).arm("HeNHoS")
    adaptive = build(with_mechanism(spec, "adaptive"), seed=3)
    assert matched(adaptive, adaptive, drive, seed=0) is adaptive
    loud = build(NetworkSpec(n_neurons=30, n_inputs=10, input={**ROOMY, "weight_excitatory": 60.0}), seed=3)
    found = matched(adaptive, loud, drive, seed=0)
    assert (found.neurons.v_th / adaptive.neurons.v_th).min() == pytest.approx(0.1)


def test_weights_of_dynamic_synapses_deliver_what_static_ones_do(drive):
    network = build(with_mechanism(NetworkSpec(n_neurons=200, n_inputs=10, input=ROOMY), "dynamic"), seed=3)
    rates_hz = np.where(network.neurons.sign > 0, 10.0, 30.0)
    found = with_weights_delivered(network, rates_hz, 500.0).recurrent
    before, sign = network.recurrent, network.neurons.sign
    constants = [np.asarray(getattr(before, name), float) for name in SHORT_TERM]
    at_10_hz, at_30_hz = (mean_efficacy(*constants, rate_hz=rate_hz, duration_ms=500.0) for rate_hz in (10.0, 30.0))
    share = np.where(sign[before.pre()] > 0, at_10_hz, at_30_hz)
    for pre, post in product((1, -1), repeat=2):
        rows = (sign[before.pre()] == pre) & (sign[before.post] == post)
        assert rows.sum() > 4
        assert (found.weight * share)[rows].sum() == pytest.approx(before.weight[rows].sum(), rel=1e-5)
        ratio = found.weight[rows] / before.weight[rows]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)


# -- the committed results ---------------------------------------------------------------------------------------------


def test_committed_verdicts_follow_from_the_raw_pairs(document):
    raw = json.loads(json.dumps(document))
    for test in every_test(raw):
        for made in set(test) - {"what", "claimed", "seeds", "pairs"}:
            del test[made]
    for claim in raw["claims"]:
        for made in ("verdict", "when", "n_pairs", "sentence"):
            del claim[made]
        for condition in claim["conditions"]:
            del condition["holds"]
    again = json.loads(json.dumps(judged(raw)))
    assert_same(again, document)


def test_committed_numbers_by_an_independent_count(document):
    for test in every_test(document):
        a, b = np.array(test["pairs"]).T
        assert test["n"] == len(a) == len(test["seeds"]) == len(set(test["seeds"]))
        assert test["effect"] == pytest.approx((a - b).mean(), abs=1e-12)
        if (a - b).std() > 0:
            interval = stats.ttest_rel(a, b).confidence_interval()
            np.testing.assert_allclose(test["ci95"], interval, rtol=1e-9, atol=1e-12)


def test_committed_results_have_the_claims_of_the_ledger_and_enough_pairs(document):
    assert [claim["id"] for claim in document["claims"]] == [claim.id for claim in CLAIMS]
    for claim, words in zip(document["claims"], CLAIMS, strict=True):
        for name in ("title", "published", "reading", "test", "holds_if", "source", "caution", "networks"):
            assert claim[name] == getattr(words, name)
        names = [[name, [test.what for test in tests]] for name, tests in words.conditions.items()]
        assert names == [[c["name"], [t["what"] for t in c["tests"]]] for c in claim["conditions"]]
        assert all(test["n"] >= 5 for condition in claim["conditions"] for test in condition["tests"])
    of_drive = [t for t in every_test(document) if t["what"].startswith(("C, ", "E, ", "effective rank, He"))]
    assert of_drive
    assert all(test["n"] >= 20 for test in of_drive)
    assert document["scale"]["name"] == "small"
    assert len(document["regression"]["points"]["memory"]) >= 100


def test_mechanisms_were_measured_against_the_networks_of_the_claims_before_them(document):
    # Under the white drive the network without a mechanism is the untrained heterogeneous one, bit for bit.
    claims = {claim["id"]: claim["conditions"][0]["tests"][0] for claim in document["claims"]}
    untrained = {seed: a for seed, (a, _) in zip(*(claims["s2-t1-memory"][n] for n in ("seeds", "pairs")), strict=True)}
    for name in ("dynamic-synapses-memory", "adaptive-thresholds-memory"):
        pairs = dict(zip(*(claims[name][n] for n in ("seeds", "pairs")), strict=True))
        assert len(pairs) == 20
        assert all(without == untrained[seed] for seed, (_, without) in pairs.items())


def test_documents_from_before_the_mechanisms_are_read(document):
    older = {name: value for name, value in document["scale"].items() if "mechanism" not in name}
    assert "without a mechanism" in claims_markdown(document)
    assert "without a mechanism" not in claims_markdown({**document, "scale": older})


def test_networks_of_the_committed_results_are_alive(document):
    rows = [row for row in document["activity"] if "no network" not in row["networks"]]
    assert len(rows) == 10
    for row in rows:
        assert 5 < row["rate_hz"] < 80, row
        assert row["silent_share"] < 0.1, row


def test_shapley_values_add_up(document):
    for quantity in document["importance"].values():
        total = sum(group["mean"] for group in quantity["groups"].values())
        assert total == pytest.approx(quantity["all"] - quantity["none"], abs=1e-9)


def test_markdown_is_made_from_the_document(document):
    assert (DOCS / "CLAIMS.md").read_text(encoding="utf-8") == claims_markdown(document)


def test_page_is_complete_in_itself(document):
    shown = render_page(page(document))
    for claim in document["claims"]:
        assert claim["title"] in shown
        assert claim["id"] in shown
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", shown)
    assert shown.count('class="plot') == 1 + 2 + 6 + 2


def test_another_schema_is_refused(document):
    with pytest.raises(InputError, match=r"`schema` of `claims.json` must be hrsnn.claims/1, got hrsnn.bench/1"):
        claims_markdown({**document, "schema": "hrsnn.bench/1"})


# -- running -----------------------------------------------------------------------------------------------------------


def fake_measure(unit, scale):
    """Numbers that depend on the name of the unit alone."""
    rng = np.random.default_rng(list(unit.name.encode()))
    names = [
        "memory", "spikes", "efficiency", "rate_hz", "silent_share", "log_participation", "squared_correlation", "rank",
        "accuracy", "accuracy_train", "accuracy_untrained", "accuracy_seen", "accuracy_unseen",
        "active_share", "n_synapses", "mean_activation", "interval_cv", "pairwise_correlation", "third_order",
    ]  # fmt: skip
    ends = ("", "_counts", "_regular", "_counts_regular")
    return {f"{name}{end}": float(rng.uniform(1, 2)) for name in names for end in ends}


def test_stopped_and_started_again_gives_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(measurements, "measure", fake_measure)
    scale = SCALES["smoke"]
    whole = measured(work_of(scale, tmp_path / "a"), lambda line: None)
    n_done = 0

    def stopping(unit, scale):
        nonlocal n_done
        n_done += 1
        if n_done > 30:
            raise KeyboardInterrupt
        return fake_measure(unit, scale)

    monkeypatch.setattr(measurements, "measure", stopping)
    with pytest.raises(KeyboardInterrupt):
        measured(work_of(scale, tmp_path / "b"), lambda line: None)
    files = sorted((tmp_path / "b" / "units").glob("*.json"))
    assert len(files) == 30
    files[0].write_text("{")  # damaged: done again
    document = json.loads(files[1].read_bytes())
    files[1].write_text(json.dumps({**document, "key": "another"}))  # made with other sizes: done again
    asked = []

    def watching(unit, scale):
        asked.append(unit.name)
        return fake_measure(unit, scale)

    monkeypatch.setattr(measurements, "measure", watching)
    lines: list[str] = []
    again = measured(work_of(scale, tmp_path / "b"), lines.append)
    assert again == whole
    assert len(asked) == len(plan(scale)) - 28
    assert lines[0] == f"28 of {len(plan(scale))} units were finished before"
    first, second = (document_of(scale, values, command="x") for values in (whole, again))
    assert {**first, "created": ""} == {**second, "created": ""}


def test_what_was_changed_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(measurements, "measure", fake_measure)
    out = tmp_path / "claims"
    reproduce("claims", scale="smoke", out=out)
    files = {path: path.read_bytes() for path in (out / "claims.json", out / "CLAIMS.md", *(out / "units").iterdir())}
    unit = out / "units" / "learned-s0-HeNHeS.json"
    unit.write_bytes(unit.read_bytes().replace(b'"memory": 1.', b'"memory": 9.'))
    (out / "CLAIMS.md").write_text("")
    for content in (b"", files[out / "claims.json"].replace(b'"verdict": "', b'"verdict": "not ')):
        (out / "claims.json").write_bytes(content)
        reproduce("claims", scale="smoke", out=out)
        for path, before in files.items():
            assert without_date(path.read_bytes()) == without_date(before), path


def without_date(content):
    return re.sub(rb"20\d\d-\d\d-\d\d[T0-9:+]*", b"", content)


def test_a_unit_that_fails_is_named(tmp_path, monkeypatch):
    def failing(unit, scale):
        raise ZeroDivisionError("no")

    monkeypatch.setattr(measurements, "measure", failing)
    with pytest.raises(RunError, match="unit untrained-s0-HoN failed: ZeroDivisionError: no"):
        measured(work_of(SCALES["smoke"], tmp_path), lambda line: None)


def test_a_pair_without_a_value_is_left_out(tmp_path):
    scale = SCALES["small"]
    values = {unit.name: fake_measure(unit, scale) for unit in plan(scale)}
    values[Unit("learned", 0, ("HeNHeS",)).name]["efficiency"] = None  # it never spiked
    claims = {claim["id"]: claim for claim in document_of(scale, values, command="x")["claims"]}
    test = claims["s2-t2-efficiency"]["conditions"][0]["tests"][0]
    assert test["n"] == scale.n_seeds - 1
    assert 0 not in test["seeds"]


def test_seeds_do_not_change_what_a_unit_is(tmp_path):
    scale = SCALES["smoke"]
    assert scale.with_seeds(7).sizes() == scale.sizes()
    assert {unit.name for unit in plan(scale)} <= {unit.name for unit in plan(scale.with_seeds(7))}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["reproduce", "clams"],
            "`NAME` of `hrsnn reproduce` must be one of claims, figure6, figure9, figure10, figure11, figure12, "
            'table5, atlas, got clams; did you mean "claims"?',
        ),
        (
            ["reproduce", "claims", "--scale", "smal"],
            'must be one of smoke, small, paper, got smal; did you mean "small"?',
        ),
        (["reproduce"], "must be given"),
        (["reproduce", "claims", "--seeds", "1"], "--seeds"),
    ],
)
def test_bad_names_are_told(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert not printed.out
    assert not list(tmp_path.iterdir())


def test_list(capsys):
    assert main(["reproduce", "--list"]) == 0
    assert capsys.readouterr().out.startswith("claims     every published claim")
    assert main(["reproduce", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == REPRODUCTIONS.keys()


def test_files_of_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measurements, "measure", fake_measure)
    out = tmp_path / "out"
    assert (
        main(["reproduce", "claims", "--scale", "smoke", "--seeds", "3", "--out", str(out), "--jobs", "1", "--json"])
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((out / "claims.json").read_bytes())
    assert document["command"] == "hrsnn reproduce claims --scale smoke --seeds 3"
    assert (out / "CLAIMS.md").read_text(encoding="utf-8") == claims_markdown(document)
    assert document["scale"]["n_seeds"] == 3


@pytest.mark.slow
def test_smoke_from_end_to_end(tmp_path):
    out = tmp_path / "out"
    folder, document = reproduce("claims", scale="smoke", out=out)
    assert folder == out
    assert sorted(path.name for path in out.iterdir()) == ["CLAIMS.md", "claims.html", "claims.json", "units"]
    assert [claim["id"] for claim in document["claims"]] == [claim.id for claim in CLAIMS]
    assert all(np.isfinite(test["pairs"]).all() for test in every_test(document))
    removed = [out / "units" / f"{name}.json" for name in ("learned-s1-HeNHeS", "map-s0-HoNHoS-1-1", "spread-s0-0.5")]
    before = [path.read_bytes() for path in removed]
    for path in removed:
        path.unlink()
    _, again = reproduce("claims", scale="smoke", out=out)
    assert {**again, "created": ""} == {**document, "created": ""}
    values = [[json.loads(text)["values"] for text in texts] for texts in (before, [p.read_bytes() for p in removed])]
    assert values[0] == values[1]


def test_without_shapiq_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shapiq", None)
    with pytest.raises(MissingExtraError, match="explain"):
        reproduce("claims", scale="smoke", out=tmp_path / "claims")
    assert list(tmp_path.iterdir()) == []
