"""Networks from matrices of weights and back, and layers as populations."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import hrsnn
from hrsnn import Network
from hrsnn._checks import InputError
from hrsnn.layers import stack
from hrsnn.network import SCHEMA, SCHEMA_2, facts_of
from hrsnn.readout import ReadoutSpec, units_read
from hrsnn.tables import StdpRule
from networks import random_network, same_bits


def mixed(rng: np.random.Generator, n: int = 6, n_inputs: int = 4, **options: Any) -> Network:
    w_rec, w_in = rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.5), rng.normal(size=(n, n_inputs))
    return Network.from_arrays(w_rec, w_in, **{"tau_mem_ms": rng.uniform(5, 30, n), **options})


def test_there_and_back() -> None:
    rng = np.random.default_rng(0)
    for longest in (1, 3):
        network = random_network(rng, longest_delay=longest, rule=StdpRule(soft_bound=0.5))
        assert Network.from_arrays(**network.to_arrays()) == network
    dynamics = {"u": 0.5, "tau_rec_ms": 200.0, "tau_fac_ms": rng.uniform(1, 50, (6, 6)), "a_plus": 0.1}
    adaptation = {"adapt": 0.1, "tau_adapt_ms": rng.uniform(50, 100, 6)}
    own = mixed(rng, reset="subtract", delay_ms=2.0, recurrent=dynamics, **adaptation)
    assert Network.from_arrays(**own.to_arrays()) == own
    assert Network.from_arrays(**own.to_arrays(dense=True)) == own


def test_a_matrix_is_post_by_pre_dense_or_sparse() -> None:
    w_rec, w_in = np.array([[0, -2.0], [3, 0]]), np.array([[1.0, 0, -1], [0, 5, 0]])
    network = Network.from_arrays(w_rec, w_in, tau_mem_ms=10.0)
    assert network.recurrent.pre().tolist() == [0, 1]
    assert network.recurrent.post.tolist() == [1, 0]
    assert network.inputs.weight.tolist() == [1, 5, -1]
    assert network.neurons.sign.tolist() == [1, -1]
    for kind in (sparse.csr_matrix, sparse.coo_array, sparse.csc_array):
        assert Network.from_arrays(kind(w_rec), kind(w_in), tau_mem_ms=[10.0, 10.0]) == network
    kept = Network.from_arrays(sparse.coo_array(([0.0], ([0], [1])), shape=(2, 2)), w_in, tau_mem_ms=1.0)
    assert kept.recurrent.weight.tolist() == [0]  # what is stored is a synapse


@pytest.mark.parametrize("kind", ["csc", "csr", "coo", "bsr", "dia", "lil", "dok"])
def test_a_matrix_of_any_kind_is_read_and_left_as_it_was(kind: str) -> None:
    """Entries of one place are added up in a copy."""
    several = sparse.csc_array((np.array([1.0, 2, 3]), np.array([1, 1, 0]), np.array([0, 0, 3])), shape=(2, 2))
    given = several if kind == "csc" else several.asformat(kind)
    before, data = given.toarray(), np.array(several.data)
    network = Network.from_arrays(given, sparse.eye_array(2).asformat(kind), tau_mem_ms=10.0)
    assert network.recurrent.weight.tolist() == [3, 3]
    assert (given.toarray() == before).all()
    np.testing.assert_array_equal(several.data, data)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.float16, np.longdouble])
def test_weights_of_any_type_of_numbers(dtype: Any) -> None:
    """The bound of a weight is its magnitude, also of the one whole number that has none in its own type."""
    weight = np.array([[0, np.iinfo(dtype).min if np.issubdtype(dtype, np.signedinteger) else 1], [1, 0]], dtype=dtype)
    network = Network.from_arrays(weight, np.ones((2, 1), dtype), tau_mem_ms=10.0)
    assert network.recurrent.weight.tolist() == [1, float(weight[0, 1])]
    assert network.recurrent.w_max.tolist() == [1, abs(float(weight[0, 1]))]


def test_a_column_that_is_none_is_not_given() -> None:
    rng = np.random.default_rng(8)
    w_rec, w_in = rng.normal(size=(4, 4)), rng.normal(size=(4, 2))
    nothing = dict.fromkeys(("delay_ms", "a_plus", "w_max", "u"))
    given = Network.from_arrays(w_rec, w_in, tau_mem_ms=9.0, recurrent=nothing, inputs=nothing, sign=None, adapt=None)
    assert given == Network.from_arrays(w_rec, w_in, tau_mem_ms=9.0)


def test_output_units_from_a_sparse_matrix() -> None:
    made = [
        Network.from_arrays(np.eye(3), np.ones((3, 1)), tau_mem_ms=9.0, w_out=kind(np.eye(2, 3)), bias_out=[0.0, 1.0])
        for kind in (np.asarray, sparse.csr_array)
    ]
    assert made[0] == made[1]
    assert made[0].outputs is not None
    assert made[0].outputs.tau_ms.tolist() == [20, 20]
    assert made[0].outputs.bias.tolist() == [0, 1]


def test_equal_networks_have_one_hash() -> None:
    """A weight of -0.0 acts as a negative one, so that it is not that of 0.0."""
    rng = np.random.default_rng(9)
    network = mixed(rng)
    zeros = [network.with_weights(np.full(len(network.recurrent), zero)) for zero in (0.0, -0.0)]
    assert zeros[0] != zeros[1]
    assert zeros[0].hash != zeros[1].hash
    for one in zeros:
        again = Network.from_arrays(**one.to_arrays())
        assert again == one
        assert again.hash == one.hash


def test_only_what_is_used_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    plain = random_network(rng)
    assert facts_of(plain)["schema"] == SCHEMA
    assert not {"dale", "reset"} & facts_of(plain).keys()
    for own in (mixed(rng), mixed(rng, adapt=1.0, tau_adapt_ms=9.0), mixed(rng, reset="subtract")):
        assert facts_of(own)["schema"] == SCHEMA_2
        hrsnn.save(own, tmp_path / "own.safetensors")
        loaded = hrsnn.load(tmp_path / "own.safetensors")
        assert loaded == own
        assert loaded.hash == own.hash


def test_dale_is_a_property_of_the_network() -> None:
    w = [[0.0, 1.0], [-1.0, 0.0]]
    assert Network.from_arrays(w, [[1.0], [1.0]], tau_mem_ms=9.0, dale=True).dale
    for w_rec, w_in, name in (([[0, 1.0], [-1, 1]], [[1.0], [1]], None), (w, [[-1.0], [1]], "inputs.weight")):
        if name is None:  # a neuron of both signs
            w_rec = [[0, 1.0, 0], [0, 0, 0], [0, -1.0, 0]]
            w_in, name = np.ones((3, 1)).tolist(), "recurrent.weight"
        with pytest.raises(InputError, match=f"`{name}` of `Network` must have the sign .*dale = false"):
            Network.from_arrays(w_rec, w_in, tau_mem_ms=9.0, dale=True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"w_in": np.ones((2, 3))}, "`w_in` of `Network.from_arrays` must have a row for each of the 3 neurons"),
        ({"w_in": np.ones((2, 3))}, "it is W[pre, post]: give its transpose w_in.T"),
        ({"w_rec": np.ones((3, 4))}, "`w_rec` of `Network.from_arrays` must be square, W[post, pre], got shape (3, 4)"),
        ({"w_rec": np.ones(3)}, "must be a matrix W[post, pre]"),
        ({"w_rec": [["a"] * 3] * 3}, "must be real numbers"),
        ({"w_rec": np.full((3, 3), np.nan)}, "`weight` of `SynapseTable` must be finite"),
        ({"tau_mem_ms": [1.0, 2.0]}, "`tau_mem_ms` of `Network.from_arrays` must be a number or a vector of 3"),
        ({"tau_mem_ms": 0.0}, "must be > 0"),
        ({"adapt": 1.0}, "`tau_adapt_ms` of `NeuronTable` must be given with adapt, tau_adapt_ms"),
        ({"adapt": -1.0, "tau_adapt_ms": 1.0}, "`adapt` of `NeuronTable` must be >= 0"),
        ({"recurrent": {"u": 0.5}}, "must be given with u, tau_rec_ms, tau_fac_ms"),
        ({"inputs": {"u": 1.5, "tau_rec_ms": 1.0, "tau_fac_ms": 1.0}}, "`u` of `SynapseTable` must be <= 1"),
        ({"inputs": {"speed": 0.5}}, "`inputs` of `Network.from_arrays` must name columns of synapses"),
        ({"recurrent": {"a_plus": np.ones((2, 3))}}, "`recurrent.a_plus` of `Network.from_arrays` must be a number"),
        ({"delay_ms": 1.5}, "must be a multiple of dt_ms"),
        ({"reset": "soft"}, "`reset` of `Network` must be one of hard, subtract"),
        ({"tau_mem_ms": None}, "`tau_mem_ms` of `Network.from_arrays` must be a number or a vector of 3, got None"),
        ({"population": None}, "`population` of `Network.from_arrays` must be a number or a vector of 3, got None"),
        ({"recurrent": [0.1]}, "`recurrent` of `Network.from_arrays` must be a table of columns, name -> number"),
        ({"inputs": "a_plus"}, "`inputs` of `Network.from_arrays` must be a table of columns, name -> number"),
        ({"delay_ms": [[1], [1, 2]]}, "`delay_ms` of `Network.from_arrays` cannot be made an array"),
        ({"inputs": {"u": [[1], [1, 2]]}}, "`inputs.u` of `Network.from_arrays` cannot be made an array"),
        ({"w_rec": sparse.coo_array(np.ones(3))}, "`w_rec` of `Network.from_arrays` must be a matrix W[post, pre]"),
        ({"w_rec": sparse.csr_array(np.ones((3, 3)) * 1j)}, "`w_rec` of `Network.from_arrays` must be real numbers"),
        ({"tau_out_ms": 5.0}, "`tau_out_ms` of `Network.from_arrays` must be None without w_out"),
        ({"bias_out": [1.0]}, "`bias_out` of `Network.from_arrays` must be None without w_out"),
        ({"dale": "yes"}, "`dale` of `Network` must be true or false"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(change: dict[str, Any], told: str) -> None:
    given: dict[str, Any] = {"w_rec": np.ones((3, 3)), "w_in": np.ones((3, 2)), "tau_mem_ms": 9.0, **change}
    with pytest.raises(InputError, match=re.escape(told)):
        Network.from_arrays(**given)


def test_seconds_are_told() -> None:
    with pytest.warns(RuntimeWarning, match=r"below 1 ms \(the longest is 0.02\).*give seconds times 1000"):
        Network.from_arrays(np.ones((2, 2)), np.ones((2, 1)), tau_mem_ms=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Network.from_arrays(np.ones((2, 2)), np.ones((2, 1)), tau_mem_ms=[0.9, 1.0])


def test_two_synapses_between_two_units_have_no_matrix() -> None:
    network = random_network(np.random.default_rng(2), n=3)
    twice = hrsnn.stack([network])
    table = type(twice.inputs).from_edges([0, 1, 1], [0, 2, 2], n_pre=twice.n_inputs, **dict.fromkeys(
        ("weight", "delay_ms", "a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms", "w_max"), 1.0))  # fmt: skip
    several = Network(twice.neurons, twice.recurrent, table, dt_ms=1.0)
    with pytest.raises(InputError, match=r"`inputs` of `Network\.to_arrays` .* several from unit 1 to neuron 2"):
        several.to_arrays()


def test_layers_become_populations() -> None:
    rng = np.random.default_rng(3)
    first, second = mixed(rng, n=4, n_inputs=3), mixed(rng, n=5, n_inputs=4, adapt=0.5, tau_adapt_ms=40.0)
    both = stack([first, second]).to_arrays(dense=True)
    one, two = first.to_arrays(dense=True), second.to_arrays(dense=True)
    assert same_bits(both["w_rec"][:4, :4], one["w_rec"])
    assert same_bits(both["w_rec"][4:, 4:], two["w_rec"])
    assert same_bits(both["w_rec"][4:, :4], two["w_in"])
    assert not both["w_rec"][:4, 4:].any()
    assert same_bits(both["w_in"][:4], one["w_in"])
    assert not both["w_in"][4:].any()
    assert both["adapt"].tolist() == [0] * 4 + [0.5] * 5
    assert both["population"].tolist() == [0] * 4 + [1] * 5
    assert stack([first]).recurrent == first.recurrent


def test_layers_come_apart_again() -> None:
    rng = np.random.default_rng(5)
    first = mixed(rng, n=4, n_inputs=3, delay_ms=2.0)
    second = mixed(rng, n=5, n_inputs=4, w_out=rng.normal(size=(2, 5)))
    third = stack([first, second])
    parts = hrsnn.unstack(third)
    assert stack(parts) == third
    for part, layer in zip(parts, (first, second), strict=True):
        for name in ("recurrent", "inputs", "outputs"):
            assert getattr(part, name) == getattr(layer, name)
    smaller = hrsnn.prune(parts[1], keep_synapses=3, keep_neurons=5, method="magnitude").network
    pruned = stack([parts[0], smaller])
    assert len(pruned.recurrent) == len(first.recurrent) + len(second.inputs) + 3
    assert hrsnn.unstack(pruned)[0] == parts[0]
    back = third.to_arrays(dense=True)["w_rec"]
    back[0, 6] = 1.0
    with pytest.raises(InputError, match=re.escape("`recurrent.post` of `unstack` must lead to neurons of the pop")):
        hrsnn.unstack(Network.from_arrays(back, np.ones((9, 1)), tau_mem_ms=9.0, population=[0] * 4 + [1] * 5))
    with pytest.raises(InputError, match=re.escape("`inputs.post` of `unstack` must be neurons of the first")):
        hrsnn.unstack(Network.from_arrays(np.zeros((2, 2)), np.ones((2, 1)), tau_mem_ms=9.0, population=[0, 1]))
    reads_both = replace(third, outputs=replace(parts[1].outputs, weight=np.ones((2, 9))))
    told = (
        "`outputs.weight` of `unstack` must read neurons of the last population alone, got weights of neurons [0, 1, 2"
    )
    with pytest.raises(InputError, match=re.escape(told)):
        hrsnn.unstack(reads_both)


def test_dales_law_comes_through_a_stack() -> None:
    """Input weights of a later layer have the signs of neurons that are not in it."""
    rng = np.random.default_rng(7)
    sign = np.array([1, 1, -1, 1, -1])
    within, into = np.abs(rng.normal(size=(5, 5))) * sign, np.abs(rng.normal(size=(4, 5))) * sign
    first = Network.from_arrays(within, np.ones((5, 2)), tau_mem_ms=9.0, dale=True)
    second = Network.from_arrays(np.ones((4, 4)), into, tau_mem_ms=9.0)
    both = stack([first, second])
    assert both.dale
    assert [layer.dale for layer in hrsnn.unstack(both)] == [True, False]
    assert stack(hrsnn.unstack(both)) == both
    of_other_signs = replace(second, inputs=second.inputs.with_weight(-second.inputs.weight))
    assert not stack([first, of_other_signs]).dale
    assert not stack([replace(first, dale=False), second]).dale


def test_a_readout_reads_the_populations_it_is_told() -> None:
    rng = np.random.default_rng(6)
    both = stack([mixed(rng, n=4, n_inputs=3), mixed(rng, n=5)])
    assert units_read(both, ReadoutSpec(populations=[1])).tolist() == [4, 5, 6, 7, 8]
    assert units_read(both, ReadoutSpec()).size == 9
    assert units_read(both, ReadoutSpec(populations=[0], neurons="betweenness")).tolist() == [0, 1, 2, 3]
    with pytest.raises(
        InputError, match=re.escape("`populations` of `ReadoutSpec` must be among those of the network")
    ):
        units_read(both, ReadoutSpec(populations=[2]))


def test_layers_that_do_not_fit() -> None:
    rng = np.random.default_rng(4)
    first, second = mixed(rng, n=4), mixed(rng, n=5, n_inputs=3)
    with pytest.raises(InputError, match=re.escape("`layers[1]` of `stack` must have as many inputs as the layer")):
        stack([first, second])
    with pytest.raises(InputError, match=re.escape("`layers[1].reset` of `stack` must be that of the first, hard")):
        stack([first, mixed(rng, n=5, reset="subtract")])
    with pytest.raises(InputError, match="must be at least one network"):
        stack([])
