"""What the verbs of the command print is what the functions of the same name give, whatever they are given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hrsnn
from fake_experiment import TINY
from hrsnn import cli
from hrsnn._checks import InputError
from hrsnn.config import load_config
from hrsnn.network import Network
from hrsnn.survey import Depth

ALL_INPUTS = {"subset_share": 1.0, "p_connect": 0.35, "weight_excitatory": 1.0, "weight_inhibitory": 0.5}
SPEC = hrsnn.NetworkSpec.preset("HeNHeS", n_inputs=10, n_neurons=60, input=ALL_INPUTS)
OF_A_CONFIG = ("input.subset_share=1.0", "input.p_connect=0.35", "network.n_neurons=60", "prune.lnp.timescales=false")
SHALLOW = Depth(n_delays=3, n_exponents=2)


@pytest.fixture(scope="module")
def network() -> Network:
    return hrsnn.build(SPEC, seed=0)


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """The JSON of a verb."""
    assert cli.main([*map(str, arguments), "--json", "--quiet"]) == 0
    return undated(json.loads(capsys.readouterr().out))


def undated(document: dict[str, Any]) -> dict[str, Any]:
    """Without what differs between two calls that do the same."""
    outcomes = {"outcomes": [{**o, "wall_s": 0} for o in document["outcomes"]]} if "outcomes" in document else {}
    return {**document, **outcomes, "created": ""}


def as_options(changes: tuple[str, ...]) -> list[str]:
    return [word for change in changes for word in ("--set", change)]


# -- run ---------------------------------------------------------------------------------------------------------------


def test_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = "network.n_neurons=15"
    of_verb = printed(
        capsys, "run", TINY, "--set", change, "--seed", 3, "--seeds", 1, "--jobs", 1, "--out", tmp_path / "a"
    )
    for k, config in enumerate((str(TINY), load_config(TINY))):
        run = hrsnn.run(config, set=[change], seed=3, n_seeds=1, jobs=1, out=str(tmp_path / str(k)))
        assert undated(run.results) == of_verb
        assert run.path == tmp_path / str(k)
        assert (run.path / "report.html").is_file()


def in_a_script(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    names = "hrsnn.experiments", "hrsnn.summary"
    fake = f"import sys, fake_experiment\nsys.modules |= dict.fromkeys({names}, fake_experiment)\n"
    (folder / "script.py").write_text(f"{fake}import hrsnn\n{code}\n")
    path = os.pathsep.join([str(Path(hrsnn.__file__).parents[1]), str(Path(__file__).parent)])
    return subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True,
        text=True, check=False, timeout=100,
    )  # fmt: skip


def test_a_script_guards_its_calls_or_is_told_to(tmp_path: Path) -> None:
    call = f"print(hrsnn.run({str(TINY)!r}, jobs=2).n_units)"
    told = in_a_script(call, tmp_path)
    assert told.returncode == 1
    assert 'hrsnn.run starts processes, which import this script: put the call below `if __name__ == "__main__":`' in (
        told.stderr
    )
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["lorenz63-1"]
    done = in_a_script(f"if __name__ == '__main__':\n    {call}", tmp_path)
    assert (done.returncode, done.stdout) == (0, "12\n")


@pytest.mark.parametrize("wrong", ["network.n_neurons=15", [3]])
def test_changes_are_a_list_of_texts(wrong: Any) -> None:
    with pytest.raises(InputError, match=r'`set` of `run` must be a list of texts "table.key=value"'):
        hrsnn.run(TINY, set=wrong)


def test_what_is_no_config_is_told() -> None:
    with pytest.raises(InputError, match="must be of the class str or PathLike, got int"):
        hrsnn.run(5)  # type: ignore[arg-type]


# -- prune -------------------------------------------------------------------------------------------------------------


def test_prune_a_network(network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hrsnn.save(network, tmp_path / "mine.safetensors")
    of_verb = printed(
        capsys, "prune", tmp_path / "mine.safetensors", "--keep-synapses", 0.2, "--keep-neurons", 55, "--method",
        "uniform", "--iterations", 2, "--seed", 4, "--out", tmp_path / "a",
    )  # fmt: skip
    how: dict[str, Any] = {"keep_neurons": np.int64(55), "method": "uniform", "n_iterations": 2, "seed": 4}
    given = hrsnn.prune(network, keep_synapses=np.float64(0.2), **how)
    assert undated(given.document) == {**of_verb, "name": "network"}
    saved = hrsnn.prune(tmp_path / "mine.safetensors", keep_synapses=0.2, out=tmp_path / "b", **how)
    assert undated(saved.document) == of_verb
    assert hrsnn.load(tmp_path / "b" / "pruned.safetensors") == saved.network == given.network
    files = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in "ab"]
    assert files[0] == files[1]


def test_prune_a_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [*as_options(OF_A_CONFIG), "--arm", "HoNHeS", "--max-bytes", "30000", "--out", str(tmp_path / "a")]
    of_verb = printed(capsys, "prune", TINY, *options)
    steps: list[tuple[int, int]] = []
    pruned = hrsnn.prune(
        load_config(TINY), set=OF_A_CONFIG, arm="HoNHeS", max_bytes=30_000,
        on_snapshot=lambda one, n: steps.append((one.index, n)),
    )  # fmt: skip
    assert undated(pruned.document) == of_verb
    assert pruned.document["after"]["footprint_bytes"] <= 30_000
    assert steps == [(0, 1), (1, 1)]


def test_a_spec_is_built_and_pruned(network: Network) -> None:
    how: dict[str, Any] = {"method": "magnitude", "set": ["prune.correct=false"]}
    assert hrsnn.prune(SPEC, **how).network == hrsnn.prune(network, **how).network
    with pytest.raises(InputError, match="for networks that are built from a config"):
        hrsnn.prune(SPEC, set=["network.n_neurons=3"])
    with pytest.raises(InputError, match="must be a share up to 1"):
        hrsnn.prune(network, keep_synapses=True)


# -- analyse -----------------------------------------------------------------------------------------------------------


def test_analyse(network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hrsnn.save(network, tmp_path / "mine.safetensors")
    shallow = ["--delays", 3, "--exponents", 2, "--gain", 2.5, "--seed", 4]
    of_verb = printed(capsys, "analyse", tmp_path / "mine.safetensors", *shallow, "--out", tmp_path / "a")
    how: dict[str, Any] = {"depth": SHALLOW, "surrogate_gain": 2.5, "seed": 4}
    assert undated(hrsnn.analyse(network, name="mine", **how)) == of_verb
    hrsnn.analyse(tmp_path / "mine.safetensors", out=tmp_path / "b", **how)
    kept = json.loads((tmp_path / "b" / "analysis.json").read_text())
    assert undated(kept) == of_verb
    assert (tmp_path / "b" / "analysis.html").is_file()
    with pytest.raises(InputError, match="must not hold an analysis"):
        hrsnn.analyse(network, out=tmp_path / "b", **how)


def test_analyse_a_config_with_importance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ("network.n_neurons=15",)
    options = ["--arm", "HoNHeS", "--delays", 3, "--samples", 300, "--exponents", 2, "--importance", 1, "--jobs", 1]
    of_verb = printed(capsys, "analyse", TINY, *as_options(changes), *options, "--out", tmp_path / "a")
    depth = Depth(n_delays=3, n_samples=300, n_exponents=2)
    found = hrsnn.analyse(TINY, set=changes, arm="HoNHeS", depth=depth, importance=1, jobs=1)
    assert undated(found) == of_verb
    assert found["name"] == "lorenz63, HoNHeS, untrained"
    assert found["importance"]["n_seeds"] == 1
