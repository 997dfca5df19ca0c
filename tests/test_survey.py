"""analyse: one document with every quantity, plain JSON, the same for any number of threads; and its verb."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hrsnn
from hrsnn import cli
from hrsnn._checks import InputError
from hrsnn.network import Network
from hrsnn.survey import Depth, importance_of
from hrsnn.vocabulary import ANALYSIS

# names that `hrsnn analyse --json` shares with results.json (docs/how-to/analyse.md)
METRICS = ("memory_capacity", "spike_efficiency", "separation_rank", "lyapunov_max_per_ms", "heterogeneity")
SHALLOW = Depth(n_delays=5, n_exponents=4, exponent_ms=200, firing_ms=400)


@pytest.fixture(scope="module")
def network() -> Network:
    spec = hrsnn.NetworkSpec.preset(
        "HeNHeS", n_neurons=30, n_inputs=8, input={"subset_share": 1.0, "p_connect": 0.5, "weight_excitatory": 2.0}
    )
    return hrsnn.build(spec, seed=1)


@pytest.fixture(scope="module")
def document(network: Network) -> dict[str, Any]:
    return hrsnn.analyse(network, name="small", seed=3, depth=SHALLOW)


def undated(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "created"}


def test_the_document_is_plain_and_has_the_names_of_the_contract(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["schema"] == ANALYSIS.text
    assert all(isinstance(document[name], (int, float)) for name in METRICS)


def test_quantities_are_consistent(network: Network, document: dict[str, Any]) -> None:
    memory, exponents = document["memory"], document["lyapunov"]
    assert document["memory_capacity"] == pytest.approx(sum(memory["per_delay"]))
    assert document["spike_efficiency"] == pytest.approx(document["memory_capacity"] / document["spikes_per_neuron"])
    assert document["lyapunov_max_per_ms"] == max(exponents["exponents_per_ms"])
    assert exponents["dimension"] == 3 * network.n_neurons
    shares = np.multiply(exponents["node_exponents_per_ms"], exponents["node_weights"])
    assert shares.sum() == pytest.approx(sum(exponents["exponents_per_ms"]))
    assert set(exponents["gains"]) == {"1", "3", "5", "10"}
    assert exponents["gains"]["3"] == pytest.approx(document["lyapunov_max_per_ms"], abs=0.02)
    assert document["separation"]["effective"] == document["separation_rank"] <= network.n_neurons
    # energy is per input sample of 20 ms, and so are the counts it is made from
    costs = document["costs"]
    synops = costs["synops_input"] + costs["synops_recurrent"]
    assert document["energy_pj"]["loihi"] == pytest.approx(23.6 * synops)
    assert costs["spikes_per_neuron"] == pytest.approx(document["mean_rate_hz"] * 0.020)


def test_threads_and_repetition_change_nothing(network: Network, document: dict[str, Any]) -> None:
    assert undated(hrsnn.analyse(network, name="small", seed=3, depth=SHALLOW, n_threads=2)) == undated(document)


def test_a_silent_network_has_no_memory_and_the_exponents_of_its_leak() -> None:
    no_input = {"weight_excitatory": 0.0, "weight_inhibitory": 0.0}
    spec = hrsnn.NetworkSpec.preset(
        "HeNHeS", n_neurons=20, n_inputs=8, input=no_input, excitatory={"v_init": 0.0}, inhibitory={"v_init": 0.0}
    )
    silent = hrsnn.build(spec, seed=0)
    found = hrsnn.analyse(silent, depth=SHALLOW)
    assert (found["memory_capacity"], found["separation_rank"], found["spike_efficiency"]) == (0.0, 0, None)
    assert found["lyapunov_max_per_ms"] == pytest.approx(-1 / silent.neurons.tau_mem_ms.max())
    assert any("100 %" in w or "100%" in w for w in found["warnings"])


@pytest.mark.parametrize(
    ("depth", "words"),
    [
        (Depth(n_exponents=91), "must be in 1..90"),
        (Depth(n_delays=100, n_samples=200), "n_samples"),
        (Depth(n_delays=5, n_exponents=2, exponent_ms=math.inf), "must be times > 0"),
        (Depth(n_delays=5, n_exponents=2, firing_ms=-1.0), "must be times > 0"),
    ],
)
def test_what_cannot_be_measured_is_told(network: Network, depth: Depth, words: str) -> None:
    with pytest.raises(InputError, match=words):
        hrsnn.analyse(network, depth=depth)


# -- the verb ----------------------------------------------------------------------------------------------------------

QUICK = ["--delays", "3", "--exponents", "2"]


def test_a_saved_network(tmp_path: Path, network: Network, capsys: pytest.CaptureFixture[str]) -> None:
    hrsnn.save(network, tmp_path / "mine.safetensors")
    out = tmp_path / "out"
    assert cli.main(["analyse", str(tmp_path / "mine.safetensors"), *QUICK, "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((out / "analysis.json").read_text())
    assert (printed["name"], printed["network"]["hash"]) == ("mine", network.hash)
    assert (out / "analysis.html").stat().st_size > 5e5  # plotly is inside
    kept = (out / "analysis.json").read_bytes()
    assert cli.main(["analyse", str(tmp_path / "mine.safetensors"), *QUICK, "--out", str(out)]) == 2
    assert "--force to replace it" in capsys.readouterr().err
    assert (out / "analysis.json").read_bytes() == kept
    assert cli.main(["analyse", str(tmp_path / "mine.safetensors"), *QUICK, "--out", str(out), "--force"]) == 0


def test_without_a_directory_nothing_is_replaced(
    tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    hrsnn.save(network, "mine.safetensors")
    for k in (1, 2):
        assert cli.main(["analyse", "mine.safetensors", *QUICK]) == 0
        assert Path(f"analysis/mine-{k}/analysis.html").is_file()
    assert [line[:7] for line in capsys.readouterr().err.splitlines()] == [f"{k} of 4:" for k in (1, 2, 3, 4)] * 2


def test_a_config_and_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["--set", "network.n_neurons=40", "--arm", "HoNHoS", *QUICK]
    assert cli.main(["analyse", *changes, "--out", str(tmp_path), "--quiet"]) == 0
    told = capsys.readouterr()
    assert "HoNHoS" in told.out
    assert "memory capacity" in told.out
    assert told.err == ""
    found = json.loads((tmp_path / "analysis.json").read_text())
    assert found["heterogeneity"] == pytest.approx(np.log(1e-4))  # homogeneous in everything


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.safetensors"], "nowhere.safetensors"),
        (["spoken-digit"], 'did you mean "spoken-digits"'),
        (["--arm", "HeNHoT"], "did you mean"),
        (["mine.safetensors", "--arm", "HeNHoS"], "`arm` of `analyse` must not stand beside a network"),
        (["--set", "network.n_neurons=20", "--exponents", "61"], "must be in 1..60"),
        (["saved.safetensors", "--importance", "2"], "`importance` of `analyse` needs a config"),
    ],
)
def test_wrong_usage_is_one_sentence(
    arguments: list[str],
    words: str,
    network: Network,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    hrsnn.save(network, "saved.safetensors")
    assert cli.main(["analyse", *arguments, "--quiet"]) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert told.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["saved.safetensors"]  # nothing else is left behind


def test_importance_has_the_shape_of_the_document() -> None:
    spec = hrsnn.NetworkSpec(n_neurons=20, n_inputs=8, input={"subset_share": 1.0, "p_connect": 0.5})
    found = importance_of(spec, n_seeds=2, seed=1, depth=Depth(n_delays=2, n_samples=400))
    assert found["players"] == ["tau_mem", "v_th", "a", "tau_stdp"]
    assert set(found["quantities"]) == {"memory_capacity", "spikes_per_neuron", "spike_efficiency"}
    assert all(set(shares) == set(found["players"]) for shares in found["quantities"].values())
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    fewer = importance_of(spec.arm("HoNHoS"), n_seeds=1, depth=Depth(n_delays=2, n_samples=400))
    assert all(share["mean"] == 0 for shares in fewer["quantities"].values() for share in shares.values())
