"""Networks as NIR graphs and back, and graphs of others with known answers."""

from __future__ import annotations

import json
import re
import sys
import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hrsnn
from hrsnn import Network, Spikes
from hrsnn._checks import FileError, InputError, MissingExtraError, RunError
from hrsnn.cli import main
from hrsnn.engine import Record
from hrsnn.exchange import PARTNERS, read_network, to_nir, write_graph
from hrsnn.exchange.check import is_there
from hrsnn.exchange.written import has_one_current
from hrsnn.layers import stack
from networks import examples, random_network

DT = 0.001


def mixed(rng: np.random.Generator, n: int = 6, n_inputs: int = 3, **options: Any) -> Network:
    """A network of mixed signs with delays, refractory times, rests, biases and thresholds of its own."""
    w_rec = rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.5)
    own = {
        "tau_mem_ms": rng.uniform(5, 30, n), "tau_syn_exc_ms": rng.uniform(2, 9, n), "t_ref_ms": rng.integers(0, 4, n),
        "tau_syn_inh_ms": rng.uniform(2, 9, n), "v_th": rng.uniform(0.5, 2, n), "v_reset": rng.uniform(-1, 0.2, n),
        "v_rest": rng.normal(size=n) / 9, "v_init": rng.normal(size=n), "bias": rng.normal(size=n) / 3,
        "delay_ms": rng.integers(1, 4, (n, n)), "population": rng.integers(0, 3, n), "position": rng.random((n, 3)),
    }  # fmt: skip
    return Network.from_arrays(w_rec, rng.normal(size=(n, n_inputs)), **{**own, **options})


def spikes_of(network: Network, drive: Spikes) -> list[tuple[int, int]]:
    recording = hrsnn.simulate(network, drive, record=Record(spikes=True), backend="reference", dtype=np.float64)
    assert recording.spikes is not None
    return list(zip(recording.spikes.step.tolist(), recording.spikes.unit.tolist(), strict=True))


def trains(network: Network, drive: Spikes) -> dict[float, list[int]]:
    """Steps of the spikes of each neuron, by its threshold."""
    found: dict[float, list[int]] = {float(one): [] for one in network.neurons.v_th}
    for step, unit in spikes_of(network, drive):
        found[float(network.neurons.v_th[unit])].append(step)
    return found


def lif(n: int, **columns: Any) -> nir.LIF:
    """`n` neurons whose spikes are jumps by their weight."""
    own = {"tau": 0.02, "r": 20.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0, **columns}
    return nir.LIF(**{name: np.broadcast_to(np.float64(value), n).copy() for name, value in own.items()})


def cuba(n: int, **columns: Any) -> nir.CubaLIF:
    own = {
        "tau_mem": 0.02, "tau_syn": 0.005, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0, "w_in": 5.0,
        **columns,
    }  # fmt: skip
    return nir.CubaLIF(**{name: np.broadcast_to(np.float64(value), n).copy() for name, value in own.items()})


def chain(*nodes: nir.NIRNode) -> nir.NIRGraph:
    return nir.NIRGraph.from_list(*nodes)


# -- there and back ----------------------------------------------------------------------------------------------------

OPTIONS = [{}, {"split_populations": True}, {"decay": "euler"}, {"flavour": "1.0.4"}]


def examples_of_networks() -> dict[str, Network]:
    rng = np.random.default_rng(3)
    dynamics = {"u": 0.5, "tau_rec_ms": 200.0, "tau_fac_ms": 20.0, "a_plus": 0.1}
    return {
        "two currents": mixed(rng), "one current": mixed(rng, tau_syn_inh_ms=4.0, tau_syn_exc_ms=4.0),
        "jumps": mixed(rng, synapse="delta"), "adaptive": mixed(rng, adapt=0.1, tau_adapt_ms=90.0, reset="subtract"),
        "short term": mixed(rng, recurrent=dynamics), "drawn": random_network(rng, longest_delay=3),
        "output units": mixed(rng, w_out=rng.normal(size=(2, 6)), tau_out_ms=[9.0, 30.0], bias_out=[0.0, 0.5]),
        "no synapses": Network.from_arrays(np.zeros((2, 2)), np.zeros((2, 1)), tau_mem_ms=9.0, population=[1, 4]),
    }  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", examples_of_networks())
def test_a_network_comes_back_equal(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    network = examples_of_networks()[name]
    graph, _ = to_nir(network, **options)
    assert hrsnn.from_nir(graph) == network
    write_graph(graph, tmp_path / "a.nir", flavour=options.get("flavour", "current"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hrsnn.from_nir(tmp_path / "a.nir") == network


@examples(40)
@given(
    seed=st.integers(0, 10**6), synapse=st.sampled_from(["exp", "delta"]), decay=st.sampled_from(["exact", "euler"]),
    n=st.integers(1, 6), one_current=st.booleans(),
)  # fmt: skip
def test_the_graph_alone_says_the_equation(seed: int, synapse: str, decay: Any, n: int, one_current: bool) -> None:
    same = {"tau_syn_inh_ms": 4.0, "tau_syn_exc_ms": 4.0} if one_current else {}
    network = mixed(np.random.default_rng(seed), n, synapse=synapse, t_ref_ms=0.0, **same)
    graph, _ = to_nir(network, decay=decay)
    graph.metadata = {}
    back = hrsnn.from_nir(graph, dt_ms=network.dt_ms, decay=decay)
    table, said = network.neurons, back.neurons
    assert back.synapse == synapse
    np.testing.assert_allclose(said.tau_mem_ms, table.tau_mem_ms, rtol=1e-12)
    np.testing.assert_allclose(said.v_rest + said.bias, table.v_rest + table.bias, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(said.v_th, table.v_th)
    np.testing.assert_array_equal(said.v_reset, table.v_reset)
    for one, other in ((back.recurrent, network.recurrent), (back.inputs, network.inputs)):
        np.testing.assert_array_equal(one.post, other.post)
        np.testing.assert_array_equal(one.delay_ms, other.delay_ms)
        np.testing.assert_allclose(one.weight, other.weight, rtol=1e-6)  # they are in single precision
        if synapse == "exp":
            for side, name in ((one.weight > 0, "tau_syn_exc_ms"), (one.weight < 0, "tau_syn_inh_ms")):
                post = one.post[side]
                np.testing.assert_allclose(getattr(said, name)[post], getattr(table, name)[post], rtol=1e-12)


@examples(40)
@given(seed=st.integers(0, 10**6), n_populations=st.integers(1, 4))
def test_populations_as_nodes_spike_as_one_graph_does(seed: int, n_populations: int) -> None:
    """Read without metadata, each population is told a constant number of steps sooner, or as here."""
    rng = np.random.default_rng(seed)
    n, population = 8, rng.integers(0, n_populations, 8)
    weight = rng.normal(0.3, 0.5, (n, n)) * (rng.random((n, n)) < 0.2)
    v_th = 1 + np.arange(n) / 100  # tells neurons apart
    given = Network.from_arrays(
        weight, rng.uniform(0, 1, (n, 2)), tau_mem_ms=rng.uniform(5, 30, n), v_th=v_th, population=population,
        delay_ms=rng.integers(1, 4, (n, n)), synapse="delta",
    )  # fmt: skip
    graph, _ = to_nir(given, split_populations=True)
    graph.metadata = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of loops of several populations
        back = hrsnn.from_nir(graph, dt_ms=1.0)
    drive = Spikes.from_dense(np.pad(rng.random((1, 40, 2)) < 0.4, ((0, 0), (0, 60), (0, 0))), dt_ms=1.0)
    ours, theirs = trains(given, drive), trains(back, drive)
    for name in np.unique(population):
        shifts = {
            int(a - b) for one in v_th[population == name] for a, b in zip(ours[one], theirs[one], strict=True)
        }  # fmt: skip
        assert len(shifts) <= 1


def test_columns_that_a_graph_has_no_words_for_are_counted() -> None:
    rng = np.random.default_rng(0)
    dynamics = {"u": 0.5, "tau_rec_ms": 200.0, "tau_fac_ms": 20.0, "a_plus": 0.1}
    network = mixed(rng, recurrent=dynamics, t_ref_ms=[0, 0, 1, 2, 3, 0.2], v_init=[0, 0, 0, 0, 1, 1], v_reset=0.0)
    n = len(network.recurrent)
    assert [str(one) for one in to_nir(network).dropped] == [
        "t_ref_ms of 3 neurons", "v_init of 2 neurons", f"recurrent plasticity of {n} synapses",
        f"recurrent.u of {n} synapses",
    ]  # fmt: skip
    subtracts = mixed(rng, 4, reset="subtract", t_ref_ms=0.0, v_init=0.0, v_reset=0.0)
    assert [str(one) for one in to_nir(subtracts).dropped] == ["reset of 4 neurons"]
    assert not to_nir(subtracts, flavour="1.0.4").dropped


def test_a_changed_graph_counts(tmp_path: Path) -> None:
    network = mixed(np.random.default_rng(1), synapse="delta")
    graph, _ = to_nir(network)
    graph.nodes["lif"].v_threshold = graph.nodes["lif"].v_threshold + 1
    write_graph(graph, tmp_path / "a.nir")
    with pytest.warns(RuntimeWarning, match="refractory times"):
        back = hrsnn.from_nir(tmp_path / "a.nir")
    np.testing.assert_array_equal(back.neurons.v_th, network.neurons.v_th + 1)
    assert not back.neurons.t_ref_ms.any()
    graph, _ = to_nir(network)
    graph.metadata["hrsnn_network"] = graph.metadata["hrsnn_network"][:-1]
    with pytest.warns(RuntimeWarning, match="not the one hrsnn wrote"):
        assert hrsnn.from_nir(graph).dt_ms == network.dt_ms
    for form in (3, ["exact"], {"decay": "soon"}, {**json.loads(graph.metadata["hrsnn"])["form"], "flavour": 1}):
        graph.metadata["hrsnn"] = json.dumps({"dt_ms": network.dt_ms, "form": form})
        with pytest.warns(RuntimeWarning, match="not the one hrsnn wrote"), pytest.raises(InputError, match="`dt_ms`"):
            hrsnn.from_nir(graph)


def test_layers_are_nodes_without_delays_and_come_back() -> None:
    rng = np.random.default_rng(2)
    sizes = [4, 5, 3]
    layers = [
        Network.from_arrays(np.zeros((n, n)), rng.random((n, m)) + 0.5, tau_mem_ms=20.0, synapse="delta")
        for m, n in zip([2, *sizes], sizes, strict=False)
    ]
    network = stack(layers)
    graph, _ = to_nir(network, split_populations=True)
    assert [name for name, node in graph.nodes.items() if isinstance(node, nir.Delay)] == []
    graph.metadata = {}
    back = hrsnn.from_nir(graph, dt_ms=1.0)
    assert back.recurrent.delay_ms.tolist() == network.recurrent.delay_ms.tolist()
    drive = Spikes.from_dense(rng.random((1, 30, 2)) < 0.4, dt_ms=1.0)
    assert spikes_of(back, drive) == spikes_of(network, drive) != []


# -- graphs of others --------------------------------------------------------------------------------------------------


def test_a_neuron_jumps_by_its_weight_and_leaks_as_told() -> None:
    graph = chain(nir.Affine(weight=np.array([[0.6]]), bias=np.array([0.002])), lif(1, v_leak=0.1))
    network = hrsnn.from_nir(graph, dt_ms=1.0)
    assert (network.synapse, network.reset, network.dale) == ("delta", "hard", False)
    assert network.neurons.bias.tolist() == [0.04]
    assert network.neurons.v_init.tolist() == [0.1]
    drive = Spikes.from_dense(np.array([[[1], [1], [0], [0]]], dtype=bool), dt_ms=1.0)
    v = 0.1
    spiked = []
    for t, jump in enumerate([0, 0.6, 0.6, 0]):
        v = 0.14 + np.exp(-1 / 20) * (v - 0.14) + jump
        if v >= 1:
            spiked.append((t, 0))
            v = 0.0
    assert spikes_of(network, drive) == spiked == [(2, 0)]


def test_a_step_of_euler_is_met_exactly() -> None:
    """What a framework with steps 1 - dt/tau computes, spike by spike, a step later here; with and without currents."""
    rng = np.random.default_rng(5)
    n, n_steps = 7, 300
    w_in, w_rec = rng.normal(0.4, 1, (n, 3)), rng.normal(0, 0.6, (n, n))
    tau, tau_syn, th = rng.uniform(0.005, 0.03, n), rng.uniform(0.003, 0.009, n), rng.uniform(0.5, 1.5, n)
    x = rng.random((n_steps, 3)) < 0.3
    for neurons in (lif(n, tau=tau, v_threshold=th, r=tau / DT), cuba(n, tau_mem=tau, tau_syn=tau_syn, v_threshold=th)):
        nodes = {
            "input": nir.Input(np.array([3])), "w": nir.Linear(w_in), "n": neurons, "back": nir.Linear(w_rec),
            "output": nir.Output(np.array([n])),
        }  # fmt: skip
        graph = nir.NIRGraph(nodes, [("input", "w"), ("w", "n"), ("n", "back"), ("back", "n"), ("n", "output")])
        v, current, s, expected = np.zeros(n), np.zeros(n), np.zeros(n), []
        for t in range(n_steps - 1):
            arrives = w_in @ x[t] + w_rec @ s
            if isinstance(neurons, nir.CubaLIF):
                current = current + DT / tau_syn * (neurons.w_in * arrives - current)
                arrives = current
            v = v + DT / tau * (neurons.r * arrives - v)
            s = v > th
            v = np.where(s, 0, v)
            expected += [(t + 1, int(unit)) for unit in np.flatnonzero(s)]
        network = hrsnn.from_nir(graph, dt_ms=1.0, decay="euler")
        got = spikes_of(network, Spikes.from_dense(x[None], dt_ms=1.0))
        assert len(expected) > 100
        assert got == expected


def test_two_currents_are_two_leaky_integrators() -> None:
    one = np.ones(2)
    nodes = {
        "input": nir.Input(np.array([2])), "+": nir.Linear(np.array([[1.0, 0], [0, 2]])),
        "-": nir.Linear(np.array([[0.0, -1], [-3, 0]])),
        "e": nir.LI(tau=0.003 * one, r=3 * one, v_leak=0 * one),
        "i": nir.LI(tau=0.006 * one, r=6 * one, v_leak=0 * one),
        "n": lif(2, r=1.0), "output": nir.Output(np.array([2])),
    }  # fmt: skip
    edges = [("input", "+"), ("input", "-"), ("+", "e"), ("-", "i"), ("e", "n"), ("i", "n"), ("n", "output")]
    network = hrsnn.from_nir(nir.NIRGraph(nodes, edges), dt_ms=1.0)
    assert network.neurons.tau_syn_exc_ms.tolist() == [3, 3]
    assert network.neurons.tau_syn_inh_ms.tolist() == [6, 6]
    assert network.to_arrays(dense=True)["w_in"].tolist() == [[1, -1], [-3, 2]]
    assert not has_one_current(network)
    nodes["-"] = nir.Linear(-nodes["-"].weight)
    with pytest.raises(InputError, match=r"node `n` .* several time constants for one sign"):
        hrsnn.from_nir(nir.NIRGraph(nodes, edges), dt_ms=1.0)


def test_layers_nested_graphs_scalars_scales_and_delays() -> None:
    """A layer with a graph of its own for its recurrence, as snnTorch writes it, after one with single numbers."""
    inner = nir.NIRGraph(
        {
            "input": nir.Input(np.array([2])), "lif": lif(2), "w_rec": nir.Linear(np.array([[0, 0.5], [0.25, 0]])),
            "output": nir.Output(np.array([2])),
        },
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )  # fmt: skip
    nodes = {
        "input": nir.Input(np.array([1, 3])), "flat": nir.Flatten({"input": np.array([1, 3])}, 0, -1),
        "fc1": nir.Linear(np.full((4, 3), 0.5)), "first": lif(1),
        "late": nir.Delay(np.array([0.0, 0.002, 0.0, 0.003])), "twice": nir.Scale(2 * np.ones(4)),
        "fc2": nir.Linear(np.full((2, 4), 0.25)), "rnn": inner, "output": nir.Output(np.array([2])),
    }  # fmt: skip
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(pairwise(names)), type_check=False)
    network = hrsnn.from_nir(graph, dt_ms=1.0)
    assert (network.n_neurons, network.n_inputs) == (6, 3)
    assert network.neurons.population.tolist() == [0, 0, 0, 0, 1, 1]
    dense = network.to_arrays(dense=True)
    assert (dense["w_rec"][4:, :4] == 0.5).all()
    assert dense["w_rec"][4:, 4:].tolist() == [[0, 0.5], [0.25, 0]]
    assert dense["recurrent"]["delay_ms"][4].tolist() == [1, 3, 1, 4, 0, 1]


def test_paths_of_different_length_meet_in_the_same_step() -> None:
    nodes = {
        "input": nir.Input(np.array([1])), "a": nir.Linear(np.array([[1.5]])), "first": lif(1),
        "b": nir.Linear(np.array([[0.7]])), "skip": nir.Linear(np.array([[0.7]])), "last": lif(1),
        "output": nir.Output(np.array([1])),
    }  # fmt: skip
    edges = [
        ("input", "a"), ("a", "first"), ("first", "b"), ("b", "last"), ("input", "skip"), ("skip", "last"),
        ("last", "output"),
    ]  # fmt: skip
    network = hrsnn.from_nir(nir.NIRGraph(nodes, edges), dt_ms=1.0)
    drive = Spikes.from_dense(np.array([[[1], [0], [0], [0]]], dtype=bool), dt_ms=1.0)
    assert spikes_of(network, drive) == [(1, 0), (2, 1)]  # 0.7 alone is not enough


def test_what_only_leads_to_an_output_is_left_out() -> None:
    graph = chain(nir.Linear(np.ones((2, 1))), lif(2), nir.Linear(np.ones((1, 2))), nir.Scale(np.ones(1)))
    with pytest.warns(RuntimeWarning, match="left out, as it leads to an output alone: linear_1, scale"):
        assert hrsnn.from_nir(graph, dt_ms=1.0).n_neurons == 2


def test_leaky_units_behind_the_neurons_are_output_units() -> None:
    readout = nir.LI(tau=np.array([0.05]), r=np.array([50.0]), v_leak=np.array([0.25]))
    graph = chain(nir.Linear(np.ones((2, 1))), lif(2), nir.Linear(np.array([[2.0, -1.0]])), readout)
    outputs = hrsnn.from_nir(graph, dt_ms=1.0).outputs
    assert outputs is not None
    assert outputs.weight.tolist() == [[2, -1]]
    assert outputs.tau_ms.tolist() == [50]
    assert outputs.bias.tolist() == [0.25]
    network = examples_of_networks()["output units"]
    for decay in ("exact", "euler"):
        written = to_nir(network, decay=decay).graph  # type: ignore[arg-type]
        written.metadata = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            back = hrsnn.from_nir(written, dt_ms=1.0, decay=decay).outputs  # type: ignore[arg-type]
        assert back is not None
        assert network.outputs is not None
        for name, column in network.outputs.columns().items():
            np.testing.assert_allclose(getattr(back, name), column, rtol=1e-6)


def test_a_bias_over_a_current_is_told() -> None:
    graph = chain(nir.Affine(np.ones((1, 1)), np.array([0.02])), cuba(1))
    with pytest.warns(RuntimeWarning, match="from the first step"):
        assert hrsnn.from_nir(graph, dt_ms=1.0).neurons.bias.tolist() == [pytest.approx(0.1)]


def test_neurons_of_the_old_release_reset_by_subtraction(tmp_path: Path) -> None:
    graph = chain(nir.Linear(np.ones((1, 1))), lif(1))
    write_graph(graph, tmp_path / "old.nir", flavour="1.0.4")
    assert nir.serialization.read_version(tmp_path / "old.nir") == "1.0.4"
    assert hrsnn.from_nir(tmp_path / "old.nir", dt_ms=1.0).reset == "subtract"
    write_graph(graph, tmp_path / "new.nir")
    assert hrsnn.from_nir(tmp_path / "new.nir", dt_ms=1.0).reset == "hard"


# -- what cannot be ----------------------------------------------------------------------------------------------------


def between(*nodes: nir.NIRNode, extra: Any = ()) -> nir.NIRGraph:
    """A chain whose nodes are called 0, 1, ... between input and output."""
    named = {"input": nir.Input(nodes[0].input_type), **{str(k): node for k, node in enumerate(nodes)}}
    named["output"] = nir.Output(nodes[-1].output_type)
    names = list(named)
    return nir.NIRGraph(named, [*pairwise(names), *extra], type_check=False)


W = nir.Linear(np.ones((2, 2)))
REFUSED: dict[str, tuple[nir.NIRGraph, str]] = {
    "no leak": (between(W, nir.IF(np.ones(2), np.ones(2))), "node `1` .* kind IF, .*make it a LIF with a long tau"),
    "threshold": (between(W, nir.Threshold(np.ones(2))), "node `1` .* kind Threshold, which is not read: read are LIF"),
    "nothing": (between(W), "no node of the kind LIF or CubaLIF"),
    "instant": (between(W, W, lif(2), extra=[("1", "0")]), "node `1` .* has no time: 1 -> 0 -> 1"),
    "two models": (between(W, lif(2), W, cuba(2)), "node `1` .* as jumps of the potential, and `3` over currents"),
    "sizes": (between(nir.Linear(np.ones((3, 2))), lif(2)), "node `1` .* takes 2 units, and gets 3 from `0`"),
    "delay": (between(W, nir.Delay(np.full(2, 0.0005)), lif(2)), "node `2` .* delay of 0.5 ms, .* no multiple"),
    "negative": (between(W, nir.Delay(np.full(2, -1.0)), lif(2)), "node `1` .* delays that are negative"),
    "tau": (between(W, lif(2, tau=0.0)), "node `1` .* tau that are not above 0"),
    "not finite": (between(nir.Linear(np.full((2, 2), np.nan)), lif(2)), "node `0` .* weights that are not finite"),
    "complex": (between(nir.Linear(np.eye(2) * 1j), lif(2)), "node `0` .* values of weight that are not real numbers"),
    "texts": (between(nir.Affine(np.eye(2), np.array(["a", "b"])), lif(2)), "node `0` .* bias that are not real"),
    "current": (between(W, nir.LI(*np.ones((3, 2))), W, lif(2)), "node `1` .* leads to `3` over weights"),
    "reset": (between(W, lif(2, v_reset=2.0)), "`v_reset` of `NeuronTable` must be < v_th"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_network_cannot_say_is_refused(name: str) -> None:
    graph, sentence = REFUSED[name]
    with pytest.raises(InputError, match=sentence):
        hrsnn.from_nir(graph, dt_ms=1.0)


def test_a_step_must_be_known_and_fit() -> None:
    graph = between(W, lif(2))
    with pytest.raises(InputError, match=r"`dt_ms` of `from_nir` must be given: .*snnTorch writes for 0.1"):
        hrsnn.from_nir(graph)
    with pytest.raises(InputError, match=r"node `1` .* has tau of one step or less"):
        hrsnn.from_nir(graph, dt_ms=20.0, decay="euler")
    with pytest.raises(InputError, match="`decay` of `from_nir` must be exact or euler"):
        hrsnn.from_nir(graph, dt_ms=1.0, decay="middle")  # type: ignore[arg-type]
    ours, _ = to_nir(mixed(np.random.default_rng(0)))
    with pytest.raises(InputError, match="must be the step that the graph was written for, 1"):
        hrsnn.from_nir(ours, dt_ms=0.5)


def test_files_that_are_none(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "a.nir"
    with pytest.raises(FileError, match=r"does not exist; give the path of a \.nir file"):
        hrsnn.from_nir(path)
    path.write_text("no")
    with pytest.raises(FileError, match="is truncated or not a NIR file"):
        hrsnn.from_nir(path)
    write_graph(to_nir(mixed(np.random.default_rng(0))).graph, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="is truncated or not a NIR file"):
        hrsnn.from_nir(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(FileError, match="is HDF5, but no NIR graph"):
        hrsnn.from_nir(path)
    with h5py.File(path, "w") as file:
        file["node/type"] = "NIRGraph"
    with pytest.raises(FileError, match="holds no NIR graph that can be read"):
        hrsnn.from_nir(path)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        del file["node/nodes/lif/type"]
        file["node/nodes/lif/type"] = "Soma"
    with pytest.raises(FileError, match=r"holds no NIR graph that can be read: \w.*; write it again"):
        hrsnn.from_nir(path)
    nir.write(path, lif(2))
    with pytest.raises(FileError, match="holds a single node, LIF"):
        hrsnn.from_nir(path)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'hrsnn[nir]'")):
        to_nir(mixed(np.random.default_rng(0)))


def test_a_partner_is_told_what_it_cannot_have() -> None:
    rng = np.random.default_rng(0)
    plain = {"t_ref_ms": 0.0, "v_init": 0.0, "v_reset": 0.0, "v_rest": 0.0, "bias": 0.0, "delay_ms": 1.0, "v_th": 1.0}
    network = mixed(rng, synapse="delta", **plain)
    for partner, dropped in (("norse", []), ("snntorch", []), ("spyx", ["reset of 6 neurons"])):
        graph, told = to_nir(network, partner=partner)
        assert [str(one) for one in told] == dropped
        assert hrsnn.from_nir(graph) == network
        graph.metadata = {}
        back = hrsnn.from_nir(graph, dt_ms=1.0, decay="euler")
        np.testing.assert_allclose(back.recurrent.weight, network.recurrent.weight, rtol=1e-6)
    for changed, partner, sentence in (
        ({"delay_ms": 2.0}, "norse", "`recurrent.delay_ms` of `to_nir` must be one step for norse"),
        ({}, "sinabs", "`recurrent` of `to_nir` must be empty for sinabs"),
        ({"synapse": "exp"}, "norse", "`tau_syn_inh_ms` of `to_nir` must be that of tau_syn_exc_ms"),
        ({"v_th": [1, 1, 1, 1, 1, 2.0]}, "snntorch", "`v_th` of `to_nir` must be one for all neurons of snntorch"),
        ({}, "sinab", 'did you mean "sinabs"'),
    ):
        with pytest.raises(InputError, match=sentence):
            to_nir(mixed(rng, **{"synapse": "delta", **plain, **changed}), partner=partner)
    quiet = replace(network, recurrent=network.recurrent.select(np.zeros(len(network.recurrent), dtype=bool)))
    assert [one.column for one in to_nir(quiet, partner="sinabs").dropped] == ["reset"]
    with pytest.raises(InputError, match=re.escape("`flavour` of `to_nir` must be 1.0.4, which sinabs reads")):
        to_nir(quiet, partner="sinabs", flavour="current")
    with pytest.raises(InputError, match="`split_populations` of `to_nir` must be true or false"):
        to_nir(quiet, split_populations=1)  # type: ignore[arg-type]


# -- the verb ----------------------------------------------------------------------------------------------------------


def plain_network(rng: np.random.Generator, **options: Any) -> Network:
    weight = rng.normal(0, 0.3, (5, 5)) * (rng.random((5, 5)) < 0.5)
    own = {"tau_mem_ms": rng.uniform(5, 30, 5), "synapse": "delta", "v_th": 0.4, **options}
    return Network.from_arrays(weight, rng.uniform(0, 1, (5, 3)), **own)


def test_the_verb_writes_what_every_verb_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = plain_network(np.random.default_rng(0), t_ref_ms=2.0)
    hrsnn.save(network, tmp_path / "a.safetensors")
    out = tmp_path / "a.nir"
    assert main(["export", "nir", str(tmp_path / "a.safetensors"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "5 neurons, 3 inputs, in " in said
    assert "Only hrsnn sees: t_ref_ms (5 neurons)." in said
    assert read_network(out) == network
    assert main(["export", "nir", str(out), "--flavour", "1.0.4", "--out", str(tmp_path / "b.nir"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["network"]["hash"] == network.hash
    assert [one["column"] for one in document["dropped"]] == ["t_ref_ms", "reset"]
    assert document["check"] is None
    done = hrsnn.export("nir", network, out=tmp_path / "c.nir", partner="norse")
    assert (done.path, done.document["decay"]) == (tmp_path / "c.nir", "euler")
    line = ["prune", str(out), "--method", "magnitude", "--keep-synapses", "2", "--out", str(tmp_path / "small")]
    assert main([*line, "--json", "--quiet"]) == 0
    assert hrsnn.load(tmp_path / "small" / "pruned.safetensors").recurrent.weight.size == 2


def test_the_verb_takes_graphs_of_others_with_their_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nir.write(tmp_path / "theirs.nir", chain(nir.Linear(np.ones((2, 1))), lif(2)))
    line = ["export", "nir", str(tmp_path / "theirs.nir"), "--out", str(tmp_path / "a.nir")]
    assert main(line) == 2
    assert "the graph says no step" in capsys.readouterr().err
    assert main([*line, "--dt-ms", "0.5"]) == 0
    assert read_network(tmp_path / "a.nir").dt_ms == 0.5


def test_bad_wishes_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.safetensors"
    hrsnn.save(plain_network(np.random.default_rng(0)), path)
    for options, sentence in (
        (["--flavour", "2"], "`flavour` of `to_nir` must be one of current, 1.0.4"),
        (["--for", "nest"], "`partner` of `to_nir` must be a known one"),
        (["--for", "norse", "--check", "spyx"], "`--for` of `export` must be the partner of --check"),
        (["--check", "norse"], "norse has no environment in "),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HRSNN_PARTNERS", str(tmp_path / "nowhere"))
            assert main(["export", "nir", str(path), "--out", str(tmp_path / "a.nir"), *options]) == 2
        assert sentence in capsys.readouterr().err
    with pytest.raises(InputError, match="`dt_ms` of `analyse` must not stand beside what is no NIR graph"):
        hrsnn.analyse(path, dt_ms=1.0)
    with pytest.raises(InputError, match="`kind` of `export` must be nir"):
        hrsnn.export("onnx", path)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="`partner` of `export` must be given with check"):
        hrsnn.export("nir", path, check=True)


def fake_partner(folder: Path, body: str) -> None:
    """An environment of norse whose runner is `body`, and whose python is the one of the tests."""
    python = folder / "norse" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (folder / "norse" / "run.py").write_text(body)


@pytest.mark.skipif(sys.platform == "win32", reason="environments have another layout there")
def test_a_check_counts_what_is_lost_and_gained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partner that never spikes loses all; one that writes nothing fails with its last words."""
    network = plain_network(np.random.default_rng(0))
    monkeypatch.setenv("HRSNN_PARTNERS", str(tmp_path))
    silent = """
import sys, numpy as np
given = np.load(sys.argv[2])
assert given["dt"] == 0.001 and not given["x"][0].any()
np.savez(sys.argv[3], spikes=np.zeros((len(given["x"]), 5), dtype=bool))
"""
    fake_partner(tmp_path, silent)
    found = hrsnn.export("nir", network, partner="norse", check=True, out=tmp_path / "a.nir").document["check"]
    assert found["lost"] == found["n_spikes"] > 0
    assert (found["gained"], found["n_spikes_partner"], found["potential_bound"]) == (0, 0, 0)
    exact = hrsnn.export("nir", network, partner="norse", decay="exact", check=True, out=tmp_path / "a.nir")
    shortest = network.neurons.tau_mem_ms.min()
    bound = 1 - shortest * (1 - np.exp(-1 / shortest))
    assert exact.document["check"]["potential_bound"] == pytest.approx(bound)
    (tmp_path / "norse" / "run.py").write_text("raise SystemExit('no such neuron')")
    with pytest.raises(RunError, match="norse could not run the graph: no such neuron"):
        hrsnn.export("nir", network, partner="norse", check=True, out=tmp_path / "a.nir")


@pytest.mark.parametrize("partner", ["norse", "sinabs", "snntorch", "spyx"])
def test_a_partner_spikes_as_we_do(partner: str, tmp_path: Path) -> None:
    """With time constants for its steps; rounding to single precision there leaves these networks as they are."""
    if not is_there(partner):
        pytest.skip(f"no environment of {partner}: python benchmarks/partners/make.py {partner}")
    rng = np.random.default_rng(1)
    currents = {"synapse": "exp", "tau_syn_exc_ms": 5.0, "tau_syn_inh_ms": 5.0}
    reads = PARTNERS[partner]
    reset = {"reset": "subtract" if reads.subtracts else "hard"}
    for options in ({}, currents):
        if (partner == "spyx" and not options) or (options and not reads.has_currents):
            continue  # spyx lowers the potential of a LIF after its leak
        network = plain_network(rng, **options, **reset)
        if reads.loop == "none":
            network = network.keep_synapses(np.zeros(len(network.recurrent), dtype=bool))
        found = hrsnn.export("nir", network, partner=partner, check=True, out=tmp_path / "a.nir").document["check"]
        assert (found["lost"], found["gained"]) == (0, 0)
        assert found["n_spikes"] > 20
