"""`hrsnn prune`: what it leaves, what it prints, what it refuses, and that it goes on where it was stopped."""

from __future__ import annotations

import json
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hrsnn
from hrsnn import cli
from hrsnn._checks import InputError
from hrsnn.console import Display
from hrsnn.network import Network
from hrsnn.pruning.lnp import LyapunovNoise
from hrsnn.pruning.methods import KINDS, criterion_of
from hrsnn.pruning.options import Options
from hrsnn.pruning.session import prune_into
from hrsnn.pruning.spec import LnpSpec, PruneSpec
from hrsnn.pruning.target import Target, target_of

QUICK = LnpSpec(timescales=False)


@pytest.fixture(scope="module")
def dense() -> Network:
    inputs = {"subset_share": 1.0, "p_connect": 0.35, "weight_excitatory": 1.0, "weight_inhibitory": 0.5}
    return hrsnn.build(
        hrsnn.NetworkSpec.preset("HeNHeS", n_inputs=30, n_neurons=80, input=inputs, synapses={"length_scale": 4.0}),
        seed=0,
    )


@pytest.fixture
def saved(dense: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    hrsnn.save(dense, "dense.safetensors")
    return "dense.safetensors"


def told(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> tuple[str, str]:
    """Standard output and error of a call that ends with `code`."""
    assert cli.main(["prune", *arguments]) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return said.out, said.err


# -- from the table to criteria ----------------------------------------------------------------------------------------


def test_options_of_the_table_are_those_of_the_criterion_with_its_defaults() -> None:
    default = LyapunovNoise()
    options = {f.name: getattr(default, f.name) for f in fields(default)}
    assert {**LnpSpec().model_dump(), "n_threads": 1} == options
    assert criterion_of("lnp", Options(LnpSpec(mode="w", edges="none"))) == LyapunovNoise(mode="w", edges="none")


def test_every_method_has_a_criterion_of_its_name() -> None:
    assert [criterion_of(method).name for method in KINDS] == list(KINDS)


def test_a_share_has_a_point_and_a_count_has_none(dense: Network) -> None:
    n = len(dense.recurrent)
    assert target_of(PruneSpec(), dense) == Target(n_synapses=round(0.05 * n))
    both = PruneSpec(keep_synapses=0.5, keep_neurons=60)
    assert target_of(both, dense) == Target(n_neurons=60, n_synapses=round(0.5 * n))
    assert target_of(PruneSpec(max_bytes=5000), dense) == Target(n_bytes=5000)
    assert target_of(PruneSpec(keep_neurons=1.0, max_synops_per_s=9.5), dense) == Target(n_neurons=80, synops_per_s=9.5)
    with pytest.raises(InputError, match=r"must not come with"):
        target_of(PruneSpec(keep_synapses=100, max_bytes=5000), dense)


# -- the directory and its document ------------------------------------------------------------------------------------


def test_the_document_tells_what_the_networks_are(dense: Network, tmp_path: Path) -> None:
    spec = PruneSpec(keep_synapses=0.2, keep_neurons=0.75, n_iterations=3, lnp=QUICK)
    document = prune_into(tmp_path / "a", dense, spec, name="mine", seed=3).document
    assert document == json.loads((tmp_path / "a" / "trajectory.json").read_text())
    pruned = hrsnn.load(tmp_path / "a" / "pruned.safetensors")
    n_synapses = len(dense.recurrent)
    for when, network in (("before", dense), ("after", pruned)):
        facts = document[when]
        assert facts["hash"] == network.hash
        assert (facts["n_neurons"], facts["n_recurrent_synapses"]) == (network.n_neurons, len(network.recurrent))
        assert facts["synops_per_s"] == pytest.approx(facts["synops_recurrent_per_s"] + facts["synops_input_per_s"])
        assert facts["lyapunov_max_per_ms"] == document["lyapunov"][f"{when}_per_ms"][0]
    assert (pruned.n_neurons, len(pruned.recurrent)) == (60, round(0.2 * n_synapses))
    course = document["trajectory"]
    assert course["n_synapses"][0] == n_synapses
    assert course["n_synapses"][-1] == len(pruned.recurrent)
    assert all(len(values) == 4 for name, values in course.items() if name != "weight_quantiles")
    assert (document["method"], document["stopped"], document["name"]) == ("lnp", None, "mine")
    tau = document["histograms"]["tau_mem_ms_excitatory"]
    assert (sum(tau["before"]), sum(tau["after"])) == (dense.n_excitatory, pruned.n_excitatory)
    weights = [document["histograms"][f"weight_{sign}"] for sign in ("excitatory", "inhibitory")]
    assert sum(sum(w["after"]) for w in weights) == np.count_nonzero(pruned.recurrent.weight)


def test_the_same_seed_gives_the_same_network_and_another_one_another(dense: Network, tmp_path: Path) -> None:
    spec = PruneSpec(keep_synapses=0.1, lnp=QUICK)
    hashes = [prune_into(tmp_path / str(k), dense, spec, seed=s).network.hash for k, s in enumerate((0, 0, 1))]
    assert hashes[0] == hashes[1] != hashes[2]


# -- the command -------------------------------------------------------------------------------------------------------


def test_a_saved_network(saved: str, dense: Network, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told(capsys, 0, saved, "--keep-synapses", "0.2", "--method", "uniform", "--out", "a")
    rows = {line.partition("  ")[0]: line.split() for line in out.splitlines()}
    assert out.startswith("dense, pruned (uniform)\n")
    assert rows["recurrent synapses"][2:4] == [f"{len(dense.recurrent):,}", f"{round(0.2 * len(dense.recurrent)):,}"]
    assert out.endswith("Network: a/pruned.safetensors\nReport: a/pruning.html\n")
    assert "0 of 1: 80 neurons" in err
    names = {path.name for path in Path("a").iterdir()}
    assert names == {"pruned.safetensors", "trajectory.json", "pruning.html", "snapshots"}
    again, err = told(
        capsys, 0, "a/pruned.safetensors", "--keep-synapses", "100", "--method", "magnitude", "--out", "b", "--json",
        "--quiet",
    )  # fmt: skip
    assert err == ""
    assert json.loads(again) == json.loads(Path("b/trajectory.json").read_text())
    assert json.loads(again)["after"]["n_recurrent_synapses"] == 100


def test_a_config_with_its_table_and_an_option_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.toml").write_text(
        '[task]\nname = "lorenz63"\n[network]\nn_neurons = 60\n[input]\nsubset_share = 1.0\np_connect = 0.3\n'
        '[prune]\nmethods = ["magnitude", "lnp"]\nkeep_synapses = 0.5\nkeep_neurons = 55\n'
    )
    documents = [
        json.loads(told(capsys, 0, "c.toml", "--quiet", "--json", *more)[0])
        for more in (
            ["--out", "a"],
            ["--out", "b", "--keep-synapses", "0.25", "--method", "uniform", "--arm", "HoNHoS"],
        )
    ]
    a, b = documents
    assert (a["method"], a["name"], a["after"]["n_neurons"]) == ("magnitude", "lorenz63, HeNHeS, untrained", 55)
    assert (b["method"], b["name"], b["after"]["n_neurons"]) == ("uniform", "lorenz63, HoNHoS, untrained", 55)
    n = a["before"]["n_recurrent_synapses"]
    assert [d["after"]["n_recurrent_synapses"] for d in documents] == [round(0.5 * n), round(0.25 * n)]


def test_memory_takes_the_place_of_synapses(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [saved, "--max-bytes", "15000", "--method", "magnitude", "--out", "a", "--json", "--quiet"]
    found = json.loads(told(capsys, 0, *arguments)[0])
    assert 0.95 * 15_000 < found["after"]["footprint_bytes"] <= 15_000 < found["before"]["footprint_bytes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keep-synapses", "1.5"], "`prune.keep_synapses`: must be a share up to 1"),
        (["--keep-synapses", "many"], "`prune.keep_synapses`: "),
        (["--keep-synapses", "5000"], "can be pruned to"),
        (["--keep-neurons", "3"], "`n_neurons` of `Target` must be in 50..80"),
        (["--keep-synapses", "1.0", "--keep-neurons", "1.0"], "which is that small"),
        (["--method", "lpn"], '`method` of `prune` must be a known method, got lpn; did you mean "lnp"?'),
        (["--max-bytes", "10", "--method", "magnitude"], "the least that can be reached is"),
        (["--keep-synapses", "10", "--max-bytes", "9000"], "must not come with"),
        (["--set", "network.n_neurons=3"], "is for networks that are built from a config"),
        (["--arm", "HeNHeS"], "`arm` of `prune` must not stand beside a network"),
        (["--resume", "--force"], "give one of them"),
        (["--iterations", "0"], "--iterations"),
        (["--out", "dense.safetensors"], "is a file; give a directory"),
    ],
)
def test_bad_input_is_one_sentence(
    saved: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = told(capsys, 2, saved, *arguments, "--quiet", *([] if "--out" in arguments else ["--out", "a"]))
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not Path("a/trajectory.json").exists()


def test_what_was_changed_is_made_again(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [saved, "--method", "uniform", "--out", "a", "--json", "--quiet"]
    first = json.loads(told(capsys, 0, *arguments)[0])
    network = Path("a/pruned.safetensors").read_bytes()
    snapshot = Path("a/snapshots/snapshot-001.json")
    snapshot.write_text(snapshot.read_text().replace('"mean_rate_hz": ', '"mean_rate_hz": 1'))
    for content in ("", json.dumps({**first, "after": first["before"]})):
        Path("a/trajectory.json").write_text(content)
        Path("a/pruned.safetensors").write_bytes(b"")
        assert json.loads(told(capsys, 0, *arguments, "--resume")[0])["after"] == first["after"]
        assert json.loads(Path("a/trajectory.json").read_text())["after"] == first["after"]
        assert Path("a/pruned.safetensors").read_bytes() == network


def test_what_is_there_is_kept(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [saved, "--method", "uniform", "--out", "a", "--json", "--quiet"]
    first = json.loads(told(capsys, 0, *arguments)[0])
    assert "--force" in told(capsys, 2, *arguments)[1]
    assert json.loads(told(capsys, 0, *arguments, "--resume")[0])["after"] == first["after"]
    assert "holds snapshots of other pruning" in told(capsys, 2, *arguments, "--resume", "--seed", "1")[1]
    forced = json.loads(told(capsys, 0, *arguments, "--force", "--seed", "1")[0])
    assert forced["after"]["hash"] != first["after"]["hash"]
    Path("mine").mkdir()
    Path("mine/snapshots").mkdir()
    Path("mine/snapshots/notes.txt").touch()
    assert "was not finished" in told(capsys, 2, saved, "--out", "mine")[1]
    assert "no snapshots of hrsnn" in told(capsys, 2, saved, "--out", "mine", "--resume")[1]
    assert "not snapshots of hrsnn (notes.txt)" in told(capsys, 2, saved, "--out", "mine", "--force")[1]
    for name in ("trajectory.json", "pruned.safetensors", "pruning.html"):
        Path("other").mkdir(exist_ok=True)
        Path("other", name).write_text("mine")
        assert "not from pruning" in told(capsys, 2, saved, "--out", "other", "--force")[1]
        assert Path("other", name).read_text() == "mine"


def test_an_interrupted_run_goes_on_with_the_line_it_prints(
    saved: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [saved, "--method", "weight-proportional", "--iterations", "5", "--keep-synapses", "0.2", "--quiet"]
    whole = json.loads(told(capsys, 0, *arguments, "--out", "whole", "--json")[0])
    shown = Display.pruned

    def interrupted(self: Display, snapshot: Any, n_iterations: int) -> None:
        if snapshot.index == 3:
            raise KeyboardInterrupt
        shown(self, snapshot, n_iterations)

    monkeypatch.setattr(Display, "pruned", interrupted)
    _, err = told(capsys, 130, *arguments, "--out", "a b")
    assert not Path("a b/trajectory.json").exists()
    assert "was not finished" in told(capsys, 2, *arguments, "--out", "a b")[1]
    monkeypatch.setattr(Display, "pruned", shown)
    line = err.splitlines()[-1].strip()
    assert cli.main([*shlex.split(line)[1:], "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {**found, "created": ""} == {**whole, "created": ""}
