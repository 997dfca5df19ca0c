"""Mixed signs, reset by subtraction, adaptive thresholds, short-term dynamics and analogue input: the compiled engine
and streams give the bits of the reference, and the reference gives what is known in closed form."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hrsnn
from hrsnn import Network
from hrsnn._checks import InputError
from hrsnn.engine import Record, State, simulate, simulate_stdp, stream
from hrsnn.spikes import Spikes
from networks import assert_same_fields, examples, random_network, random_spikes, same_bits

EVERYTHING: dict[str, Any] = {
    "mixed": True, "adapts": True, "reset": "subtract", "dynamic": ("recurrent", "inputs"), "longest_delay": 4,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "mixed": {"mixed": True},
    "everything": EVERYTHING,
    "everything-delta": {**EVERYTHING, "synapse": "delta"},
    "adapting": {"adapts": True},
    "dynamic": {"dynamic": ("recurrent",)},
}
# 20 of each kind here; a thousand and more in all by HRSNN_RANDOM_NETWORKS=200.
N_NETWORKS = int(os.environ.get("HRSNN_RANDOM_NETWORKS", "20"))
KEPT = Record(n_bins=2, spikes=True, state=True, filtered_every=5, v=3)


def current_for(rng: np.random.Generator, network: Network, spikes: Spikes) -> Any:
    return rng.normal(0, 0.3, (spikes.n_samples, spikes.n_steps, network.n_neurons))


def drawn(seed: int, **kind: Any) -> tuple[np.random.Generator, Network, Spikes]:
    rng = np.random.default_rng(seed)
    network = random_network(rng, n=int(rng.integers(1, 40)), density=float(rng.random()), **kind)
    return rng, network, random_spikes(rng, network, n_samples=3, n_steps=40)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("mixed", np.float32), ("everything", np.float32), ("everything", np.float64), ("everything-delta", np.float32),
     ("adapting", np.float32), ("dynamic", np.float32)],
)  # fmt: skip
def test_the_bits_of_the_reference(kind: str, dtype: Any) -> None:
    """On one thread and on two, and when they go on from the state that is left."""
    for seed in range(N_NETWORKS):
        rng, network, spikes = drawn(seed, **KINDS[kind])
        current = current_for(rng, network, spikes) if kind == "everything" else None
        options: dict[str, Any] = {"record": KEPT, "dtype": dtype, "current": current}
        state = None
        for _ in range(2):
            there = simulate(network, spikes, state=state, backend="reference", **options)
            here = simulate(network, spikes, state=state, backend="cpu", n_threads=1 + seed % 2, **options)
            assert there.spikes == here.spikes
            for name in ("counts", "filtered", "v"):
                assert same_bits(getattr(there, name), getattr(here, name)), (seed, name)
            assert there.state is not None
            assert here.state is not None
            assert_same_fields(there.state, here.state)
            state = here.state


@pytest.mark.parametrize("kind", ["mixed", "everything"])
def test_learning_has_the_bits_of_the_reference(kind: str) -> None:
    for seed in range(N_NETWORKS):
        _, network, spikes = drawn(seed, **KINDS[kind])
        (there, left), (here, right) = (
            simulate_stdp(network, spikes, record=KEPT, backend=backend)  # type: ignore[arg-type]
            for backend in ("reference", "cpu")
        )
        for name in ("recurrent", "inputs"):
            one, other = getattr(there, name).weight, getattr(here, name).weight
            assert same_bits(one, other)
            assert np.array_equal(np.signbit(one), np.signbit(getattr(network, name).weight))  # also of those at 0
        assert left.state is not None
        assert right.state is not None
        assert_same_fields(left.state, right.state)


@pytest.mark.parametrize("kind", ["everything"])
def test_a_stream_is_the_simulation_step_by_step(kind: str) -> None:
    rng, network, spikes = drawn(3, **KINDS[kind])
    current = current_for(rng, network, spikes).astype(np.float32)
    whole = simulate(network, spikes, record=KEPT, current=current, backend="reference")
    assert whole.spikes is not None
    raster, fired = spikes.dense()[1], whole.spikes.dense()[1]
    for backend in ("reference", "cpu"):
        live = stream(network, backend=backend)  # type: ignore[arg-type]
        for _ in range(2):
            for t in range(10):
                live.step(np.flatnonzero(raster[t]), current=current[1, t])
            middle = live.state
            live.step([0])  # without current, and then not at all
            live = stream(network, state=middle, backend=backend)  # type: ignore[arg-type]
            for t in range(10, spikes.n_steps):
                now = live.step(np.flatnonzero(raster[t]), current=current[1, t])
                assert now.tolist() == np.flatnonzero(fired[t]).tolist()
            assert whole.state is not None
            assert_same_fields(live.state, State(**{k: v[1:2] for k, v in whole.state.columns().items()}))
            live = stream(network, backend=backend)  # type: ignore[arg-type]


# -- known answers -----------------------------------------------------------------------------------------------------


def run(network: Network, spikes: Spikes, **options: Any) -> Any:
    """By the definition: that the compiled engine has its bits is told above."""
    return simulate(network, spikes, backend="reference", **options)


def one_synapse(**columns: Any) -> Network:
    """One input channel onto one delta neuron that never spikes: its potential after a step is what was delivered."""
    return Network.from_arrays([[0.0]], [[1.0]], tau_mem_ms=1.0, v_th=9e9, synapse="delta", dt_ms=1.0, inputs=columns)


@pytest.mark.parametrize(("u", "rec", "fac"), [(0.5, 1100.0, 50.0), (0.05, 125.0, 1200.0), (0.25, 700.0, 20.0)])
def test_a_regular_train_reaches_the_efficacy_in_closed_form(u: float, rec: float, fac: float) -> None:
    """Tsodyks and Markram: u* = U / (1 - (1-U) e_f), r* = (1 - e_r) / (1 - (1-u*) e_r), efficacy u* r*."""
    every, n = 20, 400
    network = one_synapse(u=u, tau_rec_ms=rec, tau_fac_ms=fac)
    spikes = Spikes.from_times([every * np.arange(n)], [np.zeros(n, int)], n_units=1, n_steps=every * n + 1, dt_ms=1.0)
    got = run(network, spikes, record=Record(v=True), dtype=np.float64).v
    assert got is not None
    delivered = got[0, 1::every, 0]
    e_f, e_r = math.exp(-every / fac), math.exp(-every / rec)
    in_use = u / (1 - (1 - u) * e_f)
    left = (1 - e_r) / (1 - (1 - in_use) * e_r)
    single = {name: float(np.float32(value)) for name, value in (("u", u), ("rec", rec), ("fac", fac))}
    assert delivered[0] == single["u"]
    assert delivered[-1] == pytest.approx(in_use * left, rel=1e-6)


def test_a_threshold_rises_at_a_spike_and_decays() -> None:
    """A neuron held at 2 fires at each step that its threshold allows: b_n after n spikes is known."""
    adapt, tau = 0.7, 5.0
    network = Network.from_arrays([[0.0]], [[0.0]], tau_mem_ms=1.0, bias=2.0, adapt=adapt, tau_adapt_ms=tau)
    network = replace(network, neurons=replace(network.neurons, tau_mem_ms=[1e-3]))  # there within a step
    spikes = Spikes.empty(1, n_units=1, n_steps=30, dt_ms=1.0)
    found = run(network, spikes, record=Record(spikes=True, state=True), dtype=np.float64)
    b, fired = 0.0, []
    for t in range(30):
        b *= math.exp(-1 / tau)
        if 1.0 + b <= 2.0:
            fired.append(t)
            b += adapt
    assert found.spikes is not None
    assert found.spikes.step.tolist() == fired
    assert 0 < len(fired) < 30
    assert found.state is not None
    assert found.state.adaptation is not None
    assert found.state.adaptation[0, 0] == pytest.approx(b, rel=1e-12)


def test_subtraction_keeps_what_is_above_the_threshold() -> None:
    """A leak-free integrator of a constant c per step fires c times a step in the mean, whatever c is."""
    network = Network.from_arrays([[0.0]], [[0.3]], tau_mem_ms=1e9, synapse="delta", reset="subtract")
    spikes = Spikes.from_dense(np.ones((1, 1001, 1), bool), dt_ms=1.0)
    assert run(network, spikes).spike_counts.item() == 300
    hard = replace(network, reset="hard")
    assert run(hard, spikes).spike_counts.item() == 250  # four steps each time


def test_while_refractory_the_potential_stays_after_subtraction() -> None:
    network = Network.from_arrays([[0.0]], [[1.75]], tau_mem_ms=1e9, synapse="delta", reset="subtract", t_ref_ms=3.0)
    spikes = Spikes.from_times([[0.0]], [[0]], n_units=1, n_steps=6, dt_ms=1.0)
    v = run(network, spikes, record=Record(v=True)).v
    assert v is not None
    assert v[0, :, 0].tolist() == pytest.approx([0, 0.75, 0.75, 0.75, 0.75, 0.75])


@pytest.mark.parametrize("reset", ["hard", "subtract"])
@pytest.mark.parametrize("n_ref", [0, 1, 2, 3])
def test_a_neuron_is_silent_for_its_whole_refractory_period(reset: Any, n_ref: int) -> None:
    """Also where it stays above its threshold after subtraction."""
    network = Network.from_arrays([[0.0]], [[9.0]], tau_mem_ms=1e9, synapse="delta", reset=reset, t_ref_ms=n_ref)
    spikes = Spikes.from_dense(np.ones((1, 40, 1), bool), dt_ms=1.0)
    fired = run(network, spikes, record=Record(spikes=True)).spikes.step
    assert fired.tolist() == list(range(1, 40, n_ref + 1))


def test_output_units_leak_and_add_up_the_spikes() -> None:
    rng, plain, spikes = drawn(6, mixed=True)
    w_out = rng.normal(size=(3, plain.n_neurons))
    read = {"w_out": w_out, "tau_out_ms": [5.0, 20.0, 80.0], "bias_out": [0.0, 0.5, -0.5]}
    network = Network.from_arrays(**plain.to_arrays(), **read)
    assert Network.from_arrays(**network.to_arrays()) == network
    run = simulate(
        network, spikes, record=Record(outputs=True, spikes=True, state=True), backend="reference", dtype=np.float64
    )
    assert run.spikes is not None
    fired, alpha = run.spikes.dense(), np.exp(-spikes.dt_ms / np.array(read["tau_out_ms"]))
    y = np.zeros((spikes.n_samples, 3))
    for t in range(spikes.n_steps):
        weight = np.asarray(w_out, np.float32).astype(float)
        y = alpha * y + (1 - alpha) * np.array(read["bias_out"]) + fired[:, t] @ weight.T
        assert run.outputs is not None
        np.testing.assert_allclose(run.outputs[:, t], y, rtol=0, atol=1e-12)
    assert np.ptp(y) > 0
    halves = [Spikes.from_dense(spikes.dense()[:, part], dt_ms=spikes.dt_ms) for part in (slice(17), slice(17, None))]
    options: dict[str, Any] = {"record": Record(state=True, outputs=1), "dtype": np.float64, "backend": "reference"}
    first = simulate(network, halves[0], **options)
    second = simulate(network, halves[1], state=first.state, **options)
    assert first.outputs is not None
    assert second.outputs is not None
    assert same_bits(np.concatenate([first.outputs, second.outputs], axis=1), run.outputs)
    live = stream(network, backend="reference", dtype=np.float64)
    for t, channels in enumerate(spikes.dense()[1]):
        live.step(np.flatnonzero(channels))
        assert live.outputs is not None
        assert same_bits(live.outputs, run.outputs[1, t])
    live.reset()
    assert live.outputs is not None
    assert not live.outputs.any()
    kept = network.keep_neurons(np.arange(network.n_neurons) % 2 == 0)
    assert kept.outputs is not None
    assert same_bits(kept.outputs.weight, np.ascontiguousarray(network.outputs.weight[:, ::2]))  # type: ignore[union-attr]
    with pytest.raises(InputError, match=r"`record\.outputs` of `simulate` must be None for a network without"):
        simulate(plain, spikes, record=Record(outputs=1), backend="reference")


def test_analogue_input_is_a_bias_that_moves() -> None:
    _, network, spikes = drawn(5, zero=("bias",))
    bias = np.random.default_rng(0).uniform(-0.5, 0.5, network.n_neurons)
    held = replace(network, neurons=replace(network.neurons, bias=bias))
    current = np.broadcast_to(bias, (spikes.n_samples, spikes.n_steps, network.n_neurons))
    moved = run(network, spikes, current=current, record=KEPT, dtype=np.float64)
    fixed = run(held, spikes, record=KEPT, dtype=np.float64)
    assert moved.v is not None
    np.testing.assert_allclose(moved.v, fixed.v, rtol=0, atol=1e-12)
    assert moved.spike_counts.sum() > 0


@given(st.integers(0, 2**32))
@examples(20)
def test_a_sign_of_its_own_is_a_neuron_of_its_own(seed: int) -> None:
    """A network of mixed signs is a network with Dale's law of twice as many neurons: one for each sign of output."""
    _, network, spikes = drawn(seed, mixed=True)
    arrays = network.to_arrays(dense=True)
    w_rec, w_in = np.asarray(arrays["w_rec"], float), np.asarray(arrays["w_in"], float)
    n = network.n_neurons
    columns = {k: np.tile(v, 2) for k, v in network.neurons.columns().items() if k != "position"}
    both = {
        name: np.block([[np.maximum(w, 0), np.minimum(w, 0)]] * 2) for name, w in (("w_rec", w_rec), ("w_in", w_in))
    }
    columns["sign"] = np.repeat([1, -1], n)
    twice = Network.from_arrays(**both, **columns, dt_ms=network.dt_ms)
    given_twice = Spikes.from_dense(np.tile(spikes.dense(), (1, 1, 2)), dt_ms=spikes.dt_ms)
    one = run(network, spikes, record=Record(v=True), dtype=np.float64)
    two = run(twice, given_twice, record=Record(v=True), dtype=np.float64)
    assert one.v is not None
    assert two.v is not None
    np.testing.assert_allclose(np.tile(one.v, (1, 1, 2)), two.v, rtol=0, atol=1e-9)


def test_static_dynamics_are_static_synapses() -> None:
    """U = 1 and a recovery within a step: every spike delivers all."""
    _, network, spikes = drawn(7, mixed=True)
    at_once = {"u": 1.0, "tau_rec_ms": 1e-6, "tau_fac_ms": 1e-6}
    tables = {
        name: replace(table, **{k: np.full(len(table), v, np.float32) for k, v in at_once.items()})
        for name, table in (("recurrent", network.recurrent), ("inputs", network.inputs))
    }
    dynamic = replace(network, **tables)
    assert same_bits(run(dynamic, spikes).counts, run(network, spikes).counts)


# -- what does not fit -------------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_told() -> None:
    _, network, spikes = drawn(0, **EVERYTHING)
    state = simulate(network, spikes, record=Record(state=True), backend="reference").state
    assert state is not None
    with pytest.raises(InputError, match=r"`state\.adaptation` of `simulate` must be there for this network, got none"):
        simulate(network, spikes, state=replace(state, adaptation=None), backend="reference")
    _, plain, given_plain = drawn(0)
    with pytest.raises(InputError, match="must be absent, as the network has no use for it"):
        simulate(plain, given_plain, state=state, backend="reference")
    with pytest.raises(InputError, match=r"`current` of `simulate` must have shape \(3, 40, \d+\), got shape \(2,\)"):
        simulate(plain, given_plain, current=[1.0, 2.0])
    everywhere = np.full((3, 40, plain.n_neurons), np.nan)
    with pytest.raises(InputError, match="`current` of `simulate` must be finite, got nan"):
        simulate(plain, given_plain, current=everywhere)
    with pytest.raises(InputError, match=r"`current` of `Stream\.step` must have shape"):
        stream(plain, backend="reference").step([], current=[1.0] * 99)


def test_the_batch_engine_says_what_it_lacks() -> None:
    for kind, told in (
        ({"adapts": True}, "adaptive thresholds"), ({"reset": "subtract"}, "reset by subtraction"),
        ({"dynamic": ("inputs",)}, "short-term dynamics"),
    ):  # fmt: skip
        _, network, spikes = drawn(1, **kind)
        with pytest.raises(
            InputError, match=f"`backend` of `simulate` must not be torch with {told}, got 'torch'|{told}"
        ):
            simulate(network, spikes, backend="torch")


def test_the_batch_engine_has_mixed_signs() -> None:
    pytest.importorskip("torch")
    _, network, spikes = drawn(2, mixed=True)
    assert same_bits(
        simulate(network, spikes, backend="torch").counts, simulate(network, spikes, backend="reference").counts
    )


def test_a_network_of_any_kind_goes_through_its_file(tmp_path: Any) -> None:
    _, network, spikes = drawn(4, **EVERYTHING)
    hrsnn.save(network, tmp_path / "net.safetensors")
    loaded = hrsnn.load(tmp_path / "net.safetensors")
    assert loaded == network
    one, other = (simulate(n, spikes, backend="reference").counts for n in (network, loaded))
    assert same_bits(one, other)
