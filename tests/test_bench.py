"""The performance suite: what is simulated, the conversation with measured processes, rows, page and verb."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hrsnn import cli
from hrsnn._checks import InputError, RunError
from hrsnn.bench import Engine, Workload, arrays_of, measure, network_of, peer_folder, plan, run_suite, spikes_of
from hrsnn.bench.peers.protocol import Job
from hrsnn.bench.process import Process
from hrsnn.bench.simulators import PEERS, limit, ours, peers_in
from hrsnn.bench.suite import SIMULATIONS
from hrsnn.engine import simulate, simulate_stdp
from hrsnn.report.bench import exponent, findings, page
from hrsnn.report.parts.page import render_page
from hrsnn.speed import read

TINY = Workload("W1", n_neurons=40, synapses_per_neuron=10, n_steps=50)
REQUIRED = {
    "workload", "engine", "n_neurons", "synapses_per_neuron", "threads", "events", "plastic_events", "spikes", "user_s",
    "wall_s", "compile_s", "peak_mb", "events_per_s", "ratio_to_limit", "load",
}  # fmt: skip

FAKE = """
import json, sys
def say(**told):
    print(json.dumps(told), flush=True)
say(compile_s=0.5, versions={"fake": "1"})
for number, line in enumerate(sys.stdin):
    if line.strip() != "run":
        break
    if number == LAST:
        raise SystemExit("it is tired")
    say(user_s=2.0 + number, wall_s=3.0, events=100, plastic_events=0, spikes=10, peak_mb=1.5)
"""


def fake(name: str = "fake", last: int = -1, code: str = FAKE) -> Engine:
    return Engine(name, (sys.executable, "-c", code.replace("LAST", str(last))))


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.npz"
    np.savez(path, **arrays_of(TINY))  # type: ignore[arg-type]
    return path


# -- workloads -------------------------------------------------------------------------------------------------------


def test_w1_fires_as_often_as_known() -> None:
    arrays = arrays_of(SIMULATIONS["W1"])
    spikes = simulate(network_of(arrays), spikes_of(arrays)).spike_counts.sum()
    # 169,952 in another program with sums in another order; the dynamics are chaotic, so spikes differ by a few.
    assert spikes == pytest.approx(169_952, rel=0.005)


@pytest.mark.parametrize("plastic", ["none", "recurrent", "all"])
def test_only_what_learns_changes(plastic: Any) -> None:
    arrays = arrays_of(replace(TINY, n_steps=500, plastic=plastic))
    network = network_of(arrays)
    trained, recording = simulate_stdp(network, spikes_of(arrays), backend="reference")
    assert recording.spike_counts.sum() > 0
    changed = {name: getattr(trained, name) != getattr(network, name) for name in ("recurrent", "inputs")}
    assert changed == {"recurrent": plastic != "none", "inputs": plastic == "all"}


def test_equal_workloads_are_equal_and_plasticity_changes_nothing_else() -> None:
    plain, again, plastic = arrays_of(TINY), arrays_of(TINY), arrays_of(replace(TINY, plastic="all"))
    assert all(np.array_equal(plain[name], again[name]) for name in plain)
    assert all(np.array_equal(plain[name], plastic[name]) for name in plain if name != "plastic")


def test_every_neuron_has_k_sources_and_none_its_own() -> None:
    table = network_of(arrays_of(TINY)).recurrent
    assert np.bincount(table.post, minlength=40).tolist() == [10] * 40
    assert (table.pre() != table.post).all()
    assert len(set(zip(table.pre().tolist(), table.post.tolist(), strict=True))) == 400


def test_longer_input_begins_with_the_shorter() -> None:
    short, long = (spikes_of(arrays_of(replace(TINY, n_steps=n))) for n in (30, 60))
    assert np.array_equal(long.unit[long.step < 30], short.unit)


# -- the conversation ------------------------------------------------------------------------------------------------


def test_a_job_is_the_workload_read_back(job_file: Path) -> None:
    job, network = Job(str(job_file)), network_of(arrays_of(TINY))
    assert (job.n_neurons, job.n_steps, job.n_samples) == (40, 50, 1)
    assert np.array_equal(job.recurrent.pre, network.recurrent.pre())
    assert np.array_equal(job.recurrent.weight, network.recurrent.weight)
    assert not job.recurrent.plastic
    ones = np.ones(40)
    by_hand = len(network.recurrent) + sum(int(network.inputs.out_degree[unit]) for unit in job.unit)
    assert job.deliveries(ones) == {"spikes": 40, "events": by_hand, "plastic_events": 0}
    assert job.raster().sum() == job.unit.size


def test_bounds_and_amplitudes_carry_the_sign_of_the_synapse(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", **arrays_of(replace(TINY, plastic="all")))  # type: ignore[arg-type]
    job = Job(str(tmp_path / "all.npz"))
    for table in (job.recurrent, job.inputs):
        assert table.plastic
        assert ((table.low <= table.weight) & (table.weight <= table.high)).all()
        assert (np.sign(table.a_plus) == np.sign(table.weight)).all()
    assert job.deliveries(np.ones(40))["plastic_events"] == job.deliveries(np.ones(40))["events"]


def test_a_process_answers_as_often_as_it_is_asked(job_file: Path) -> None:
    with Process(fake(), job_file) as process:
        assert (process.compile_s, process.versions) == (0.5, {"fake": "1"})
        answers = [process.run() for _ in range(3)]
    assert [answer.user_s for answer in answers] == [2.0, 3.0, 4.0]
    assert answers[0].events_per_s == 50.0
    assert (answers[0].spikes, answers[0].peak_mb) == (10, 1.5)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit('no such library')", "ended without an answer; its last words: no such library"),
        ("print('Welcome!')", "answered 'Welcome!', which is no JSON object"),
        ("print('{}')", "`compile_s` in the answer of fake must be a number >= 0, got None"),
        ("import time; time.sleep(60)", "ended without an answer"),
    ],
)
def test_a_process_that_does_not_hold_the_conversation_is_told(job_file: Path, code: str, message: str) -> None:
    with pytest.raises(RunError) as caught, Process(fake(code=code), job_file, patience_s=2.0):
        pass
    assert message in str(caught.value)


def test_a_program_that_is_not_there_is_told(job_file: Path) -> None:
    with pytest.raises(RunError, match="fake could not be started"):
        Process(Engine("fake", ("/nowhere/python",)), job_file)


# -- rows ------------------------------------------------------------------------------------------------------------


def test_rows_are_medians_and_ratios_are_formed_within_rounds() -> None:
    twice = fake(code=FAKE.replace("events=100", "events=200"))
    rows, failures = measure(TINY, [replace(fake(), name="hrsnn"), twice], rounds=3)
    assert failures == []
    ours_, peer = rows
    assert (ours_.user_s, ours_.user_s_range, ours_.rounds) == (3.0, (2.0, 4.0), 3)
    assert ours_.hrsnn_ratio is None
    assert (peer.hrsnn_ratio, peer.hrsnn_ratio_range) == (0.5, (0.5, 0.5))
    assert peer.ratio_to_limit is None


def test_a_peer_that_dies_is_reported_and_left_out() -> None:
    told: list[str] = []
    rows, failures = measure(TINY, [fake("well"), fake("ill", last=1)], rounds=3, say=told.append)
    assert [row.engine for row in rows] == ["well"]
    assert [(f.engine, f.sentence) for f in failures] == [
        ("ill", "ill ended without an answer; its last words: it is tired")
    ]
    assert any("left out" in line for line in told)


def test_hrsnn_that_fails_is_an_error() -> None:
    with pytest.raises(RunError, match="it is tired"):
        measure(TINY, [fake("hrsnn", last=0)], rounds=1)


def test_hrsnn_and_the_limit_hold_the_conversation() -> None:
    rows, _ = measure(replace(TINY, plastic="recurrent"), [limit(), ours()], rounds=1)
    limit_, own = rows
    assert (limit_.spikes, limit_.ratio_to_limit) == (None, 1.0)
    assert own.spikes is not None
    assert own.events is not None
    assert own.plastic_events is not None
    assert 0 < own.plastic_events < own.events
    assert own.events_per_s is not None
    assert own.ratio_to_limit is not None
    assert own.versions["hrsnn"]


def test_other_calls_are_measured_in_the_same_way() -> None:
    workload = Workload("load", n_neurons=120, synapses_per_neuron=10, n_steps=1)
    ((row,), _) = measure(workload, [ours()], rounds=1)
    assert (row.events, row.spikes) == (None, None)
    assert row.more["n_synapses"] > 1000
    assert row.wall_s > 0


def test_a_stream_spikes_as_the_batch_does_and_tells_its_latency() -> None:
    workload = replace(TINY, name="stream")
    ((row,), _) = measure(workload, [ours()], rounds=1)
    arrays = arrays_of(workload)
    recording = simulate(network_of(arrays), spikes_of(arrays))
    assert row.spikes == recording.spike_counts.sum()
    assert 0 < row.more["step_us_median"] <= row.more["step_us_p99"]


# -- the suite -------------------------------------------------------------------------------------------------------


def test_the_plan_has_every_workload_and_a_filter() -> None:
    names = {step.workload.name for step in plan()}
    calls = {"build", "save", "load", "stream", "first-call", "growth-rate"}
    assert {"W1", "W2", "W2-inputs", "W3", *calls} <= names
    assert [s.workload.size for s in plan(["W1"])] == [
        "N = 1000, K = 100", "N = 2000, K = 100", "N = 5000, K = 100", "N = 5000, K = 1000",
    ]  # fmt: skip
    assert [engine.threads for engine in plan(["W3"], quick=True)[0].engines] == [1, 1, 2]
    with pytest.raises(InputError, match='did you mean "W2"'):
        plan(["W22"])
    with pytest.raises(InputError, match="must be > 100"):
        plan(["W1"], neurons=[50])


def test_peers_are_found_in_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HRSNN_PEERS", raising=False)
    assert peer_folder(None) is None
    python = tmp_path / ".peers" / "nest" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    folder = peer_folder(None)
    assert folder is not None
    assert [peer.name for peer in peers_in(folder)] == ["nest"]
    steps = {step.workload.name: step for step in plan(peers=folder, quick=True)}
    assert [e.name for e in steps["W2"].engines] == ["scatter-limit", "hrsnn", "nest"]
    assert "nest" not in [e.name for e in steps["W2-inputs"].engines]
    with pytest.raises(InputError, match="must be a folder"):
        peer_folder(tmp_path / "nowhere")


def test_every_peer_has_its_script() -> None:
    scripts = Path(sys.modules["hrsnn.bench"].__file__ or "").parent / "peers"
    assert {peer.script for peer in PEERS} == {path.stem for path in scripts.glob("run_*.py")}


@pytest.fixture
def document() -> dict[str, Any]:
    """A suite of invented numbers: three sizes of growth, one workload with peers, one of them faster."""

    def engine(name: str, events: int) -> Engine:
        return fake(name, code=FAKE.replace("events=100", f"events={events}"))

    workload = replace(TINY, n_neurons=400)
    engines = tuple(engine(n, e) for n, e in (("hrsnn", 100), ("<b>slow</b>", 30), ("dead", 1)))
    steps = [
        *(replace(step, workload=workload, engines=engines) for step in plan(["W1"], quick=True)),
        *(replace(step, engines=engines[:1]) for step in plan(["growth-neurons", "first-call", "second-call"])),
    ]
    return run_suite(steps, rounds=2)


def test_the_document_keeps_its_contract(document: dict[str, Any]) -> None:
    assert document["schema"] == "hrsnn.bench/1"
    assert all(row.keys() >= REQUIRED for row in document["rows"])
    assert json.loads(json.dumps(document, allow_nan=False))["rows"][0]["workload"] == "W1"


def test_the_page_tells_what_was_measured(document: dict[str, Any]) -> None:
    shown = render_page(page(json.loads(json.dumps(document))))
    assert "<b>slow</b>" not in shown
    assert "Against other simulators" in shown
    assert "CPU time grows with the number of neurons" in shown
    kinds = {finding.kind for finding in findings(read(document))}
    assert "gain" in kinds
    with pytest.raises(InputError, match=r"must be hrsnn\.bench/1"):
        read({"schema": "other"})


def test_the_exponent_is_that_of_a_power_law() -> None:
    assert exponent([(n, 3 * n**1.5) for n in (1, 2, 5, 10)]) == pytest.approx(1.5)


# -- the verb --------------------------------------------------------------------------------------------------------


def test_the_verb_prints_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["bench", "--workload", "W3", "--neurons", "120", "--rounds", "1", "--no-peers"]
    assert cli.main([*arguments, "--json", "--quiet"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    rows = json.loads(said.out)["rows"]
    assert [(row["engine"], row["threads"]) for row in rows] == [("scatter-limit", 1), ("hrsnn", 1), ("hrsnn", 2)]
    assert json.loads(Path("bench-results/bench.json").read_text()) == json.loads(said.out)
    assert "Performance" in Path("bench-results/bench.html").read_text()


def test_the_verb_prints_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = replace(TINY, n_neurons=40)
    monkeypatch.setattr("hrsnn.bench.plan", lambda *_, **__: [replace(plan(["W1"])[0], workload=workload)])
    assert cli.main(["bench", "--rounds", "1", "--no-peers", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "hrsnn delivers" in said.out
    assert "of limit" in said.out
    assert "round 1 of 1" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workload", "W9"], "must be a workload"),
        (["--rounds", "0"], "rounds"),
        (["--peers", "nowhere"], "must be a folder"),
        (["--peers", "nowhere", "--no-peers"], "must not stand beside --no-peers"),
        (["--neurons", "100"], "must be > 100"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["bench", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert message in said.err
    assert not list(tmp_path.iterdir())
