"""Every central type, every kind of it, written and read back, equals itself."""

from __future__ import annotations

import itertools
import json
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn.distributions import (
    KINDS,
    Constant,
    Curve,
    Distribution,
    Empirical,
    Gamma,
    LogNormal,
    Normal,
    Uniform,
    from_toml,
)
from hrsnn.network import SynapseModel
from hrsnn.network_file import load, save
from hrsnn.outcome import Outcome, Stage
from hrsnn.readout import Features, Readout, Transform
from hrsnn.spec import PRESETS, NetworkSpec, Wiring
from hrsnn.spikes import Spikes
from hrsnn.tables import Pairing, StdpRule
from networks import networks_with_spikes, random_network

awkward = st.floats(1e-6, 1e6)  # every double there, not only the short ones
LAWS: dict[str, st.SearchStrategy[Distribution]] = {
    "constant": st.builds(Constant, awkward | awkward.map(lambda x: -x)),
    "uniform": st.builds(lambda low, width: Uniform(low, low + width), awkward, awkward),
    "normal": st.builds(Normal, awkward.map(lambda x: -x), awkward),
    "lognormal": st.builds(LogNormal, awkward, awkward),
    "gamma": st.builds(Gamma, awkward, awkward),
    "empirical": st.builds(Empirical, st.lists(awkward, min_size=1, max_size=5).map(tuple)),
    "curve": st.builds(Curve, st.lists(awkward, min_size=2, max_size=5, unique=True).map(lambda x: tuple(sorted(x)))),
}
examples = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def test_laws_of_every_kind_are_tried() -> None:
    assert set(LAWS) == set(KINDS)


@pytest.mark.parametrize("kind", LAWS)
@examples
@given(st.data())
def test_distribution(kind: str, data: st.DataObject) -> None:
    law = data.draw(LAWS[kind])
    text = tomli_w.dumps({"tau": law.to_toml()})
    assert from_toml(tomllib.loads(text)["tau"]) == law
    assert from_toml(json.loads(json.dumps(law.to_toml()))) == law
    assert from_toml(law) is law


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("wiring", get_args(Wiring))
def test_network_spec(preset: Any, wiring: str) -> None:
    laws = (
        {"empirical": {"values": [0.1, 0.7]}},
        {"lognormal": {"mean": 0.1, "sd": 0.3}},
        {"uniform": {"low": 0, "high": 1 / 3}},
    )
    tables = {"v_th": laws[0], "bias": {"normal": {"mean": 0.1, "sd": 1e-5}}, "v_reset": -1}
    spec = NetworkSpec.preset(
        preset,
        n_inputs=3,
        synapses={"wiring": wiring, "delay_ms": laws[2]},
        excitatory=tables,
        inhibitory={"v_th": laws[1]},
    )
    for back in (tomllib.loads(tomli_w.dumps(spec.to_dict())), json.loads(json.dumps(spec.to_dict()))):
        assert NetworkSpec.from_dict(back) == spec
    assert NetworkSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("synapse", get_args(SynapseModel))
@pytest.mark.parametrize("pairing", get_args(Pairing))
def test_network(synapse: str, pairing: Any, tmp_path: Path) -> None:
    rule = StdpRule(pairing, soft_bound=1 / 3, normalise=pairing == "nearest")
    network = random_network(np.random.default_rng(0), synapse=synapse, longest_delay=9, dt_ms=0.1, rule=rule)
    network = replace(
        network, provenance={"spec": {"x": [1, 2.5, None, True, "ü\n"]}, "seed": 3, "history": ("a", "b")}
    )
    save(network, tmp_path / "n")
    assert load(tmp_path / "n") == network
    assert load(tmp_path / "n").hash == network.hash


@examples
@given(pair=networks_with_spikes(longest_delay=4))
def test_network_of_odd_sizes_and_spikes(tmp_path_factory: pytest.TempPathFactory, pair: Any) -> None:
    network, spikes = pair
    path = tmp_path_factory.getbasetemp() / "odd.safetensors"
    save(network, path)
    assert load(path) == network
    assert Spikes.from_dense(spikes.dense(), dt_ms=spikes.dt_ms) == spikes
    ptr = spikes.sample_ptr
    events = [(spikes.step[a:b], spikes.unit[a:b]) for a, b in itertools.pairwise(ptr)]
    times = [(step + 0.5) * spikes.dt_ms for step, _ in events]
    grid = {"n_units": spikes.n_units, "n_steps": spikes.n_steps, "dt_ms": spikes.dt_ms}
    assert Spikes.from_times(times, [unit for _, unit in events], **grid) == spikes


@pytest.mark.parametrize("features", get_args(Features))
@pytest.mark.parametrize("transform", get_args(Transform))
@pytest.mark.parametrize("sizes", [(3,), (20, 3), (5, 4, 1)])
def test_readout(features: Any, transform: Any, sizes: tuple[int, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n_bins = 1 if features == "filtered" else 2
    shapes = itertools.pairwise((4 * n_bins, *sizes))
    layers = tuple((rng.normal(size=shape), rng.normal(size=shape[1])) for shape in shapes)
    layers[-1][1][1:2] = -np.inf  # a class without training samples
    readout = Readout(
        np.array([0, 2, 3, 7]), features, n_bins, transform, 1 / 3,
        mean=rng.normal(size=4 * n_bins), scale=rng.random(4 * n_bins), layers=layers,
    )  # fmt: skip
    readout.save(tmp_path / "r")
    back = Readout.load(tmp_path / "r")
    assert back == readout
    assert back != replace(readout, tau_filter_ms=1.0)
    windows = rng.random((6, n_bins, 8))
    np.testing.assert_array_equal(back.outputs(windows), readout.outputs(windows))


@pytest.mark.parametrize("stage", get_args(Stage))
@pytest.mark.parametrize("method", [None, "lnp"])
def test_outcome(stage: Any, method: str | None) -> None:
    outcome = Outcome(
        arm="HeNHeS", stage=stage, method=method, seed=3, metrics={"accuracy": 1 / 3, "vpt_lyapunov": float("nan")},
        costs={"energy_pj": {"loihi": 1e9}, "spikes_per_sample": float("inf")}, network={"n_neurons": 5, "hash": None},
        wall_s=0.1, warnings=("one", 'two <b>"'), versions={"hrsnn": "1"},
    )  # fmt: skip
    back = Outcome.from_dict(json.loads(json.dumps(outcome.to_dict(), allow_nan=False)))
    assert back == outcome
    assert set(outcome.to_dict()) == {f.name for f in fields(Outcome)}
