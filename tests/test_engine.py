"""Known answers and properties of a simulation. Engines agree by test_engines_agree, so one of them will do here."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hrsnn._checks import InputError
from hrsnn.engine import Record, Recording, State, simulate, simulate_stdp
from hrsnn.engine.coefficients import coefficients
from hrsnn.engine.reference import decay
from hrsnn.network import Network
from hrsnn.spikes import Spikes
from hrsnn.tables import NeuronTable, StdpRule
from networks import assert_same_fields, neuron_table, random_network, random_spikes, synapse_table

NO_NORM = StdpRule(normalise=False)


def network_of(neurons: NeuronTable, recurrent: Any = (), inputs: Any = (), **options: Any) -> Network:
    """A network from edges `(pre, post, weight, other columns)`; one input channel more than any edge needs."""

    def table(edges: Any, n_pre: int) -> Any:
        columns = {name: [e[3][name] for e in edges] for name in (edges[0][3] if edges else {})}
        pre, post, weight = ([e[i] for e in edges] for i in range(3))
        return synapse_table(pre, post, n_pre=n_pre, weight=weight, **columns)

    n_inputs = 1 + max([e[0] for e in inputs], default=0)
    return Network(
        neurons, table(recurrent, len(neurons)), table(inputs, n_inputs), **{"dt_ms": 1.0, "rule": NO_NORM, **options}
    )


def spikes_at(steps: Any, n_steps: int, *, n_units: int = 1, dt_ms: float = 1.0) -> Spikes:
    """One sample; `steps[u]` are the steps in which unit u spikes."""
    raster = np.zeros((1, n_steps, n_units))
    for unit, when in enumerate(steps):
        raster[0, when, unit] = 1
    return Spikes.from_dense(raster, dt_ms=dt_ms)


def spike_steps(recording: Recording, unit: int = 0) -> list[int]:
    assert recording.spikes is not None
    return recording.spikes.step[recording.spikes.unit == unit].tolist()


# -- dynamics --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau_syn_exc_ms", [3.0, 15.0, 15.0003])
def test_one_step_is_exact(tau_syn_exc_ms: float) -> None:
    """Acceptance check 1: both currents and a bias, against an ODE solver; also with tau_syn close to tau_mem."""
    tau_mem, tau_inh, rest, bias, n_steps = 15.0, 6.0, -0.1, 0.3, 25
    neurons = neuron_table(
        1, tau_mem_ms=tau_mem, v_rest=rest, v_init=0.2, v_th=1e9, bias=bias, tau_syn_exc_ms=tau_syn_exc_ms,
        tau_syn_inh_ms=tau_inh,
    )  # fmt: skip
    network = network_of(neurons)
    row = dict.fromkeys(("v", "current_exc", "current_inh", "refractory", "filtered"), np.zeros((1, 1)))
    start = State(**{
        **row, "v": np.array([[0.2]]), "current_exc": np.array([[0.9]]), "current_inh": np.array([[-0.7]]),
        "pending_exc": np.zeros((1, 0, 1)), "pending_inh": np.zeros((1, 0, 1)),
    })  # fmt: skip
    quiet = Spikes.empty(1, n_units=1, n_steps=n_steps, dt_ms=1.0)
    end = simulate(network, quiet, state=start, record=Record(state=True), dtype=np.float64).state
    assert end is not None

    def flow(_: float, y: Any) -> list[float]:
        v, exc, inh = y
        return [(rest - v + exc + inh + bias) / tau_mem, -exc / tau_syn_exc_ms, -inh / tau_inh]

    # A solver tighter than the 1e-12 of the check, so that what is left is the error of the steps: 4e-14.
    truth = solve_ivp(flow, (0, n_steps), [0.2, 0.9, -0.7], method="DOP853", rtol=3e-14, atol=1e-16, max_step=0.5)
    found = [end.v[0, 0], end.current_exc[0, 0], end.current_inh[0, 0]]
    np.testing.assert_allclose(found, truth.y[:, -1], rtol=0, atol=4e-14)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_rate_under_constant_drive(backend: Any) -> None:
    """With bias b the potential reaches b (1 - alpha^k) after k steps: the period is the first k beyond threshold,
    plus n_ref steps during which the neuron is clamped."""
    tau, bias, t_ref = np.array([5.0, 20.0, 40.0]), np.array([1.5, 1.2, 3.0]), np.array([0.0, 3.0, 2.0])
    network = network_of(neuron_table(3, tau_mem_ms=tau, bias=bias, t_ref_ms=t_ref))
    n_steps = 2000
    rec = simulate(network, spikes_at([[]], n_steps), dtype=np.float64, backend=backend)
    climb = np.ceil(tau * np.log(bias / (bias - 1)))
    np.testing.assert_array_equal(rec.spike_counts[0], 1 + (n_steps - climb) // (climb + t_ref))


@pytest.mark.parametrize("synapse", ["exp", "delta"])
@pytest.mark.parametrize("delay", [1, 2, 7])
def test_delay_first_acts_after_that_many_steps(synapse: str, delay: int) -> None:
    table = {"delay_ms": delay}
    network = network_of(
        neuron_table(2), [(0, 1, 1e3, table)], [(0, 0, 1e3, {"delay_ms": 2.0})], synapse=synapse
    )  # fmt: skip
    rec = simulate(network, spikes_at([[5]], 30), record=Record(spikes=True))
    first = spike_steps(rec, 0)[0]
    assert first == 7
    assert spike_steps(rec, 1)[0] == first + delay


@pytest.mark.parametrize("n_ref", [0, 1, 4])
def test_refractory_clamps_exactly(n_ref: int) -> None:
    """Under overwhelming drive a neuron spikes as soon as it is let go."""
    network = network_of(neuron_table(1, bias=1e6, t_ref_ms=n_ref, v_reset=-0.25))
    rec = simulate(network, spikes_at([[]], 30), record=Record(spikes=True, state=True))
    assert spike_steps(rec) == list(range(0, 30, n_ref + 1))
    assert rec.state is not None
    if 29 % (n_ref + 1) < n_ref:
        assert rec.state.v[0, 0] == np.float32(-0.25)


def test_delta_arrivals_are_lost_while_clamped() -> None:
    network = network_of(neuron_table(1, t_ref_ms=3.0), [], [(0, 0, 1.5, {})], synapse="delta")
    # Input at 0 makes a spike at 1; clamped at 2, 3, 4. Input at 1..3 acts at 2..4 and is lost; that at 4 acts at 5.
    lost = simulate(network, spikes_at([[0, 1, 2, 3]], 20), record=Record(spikes=True))
    assert spike_steps(lost) == [1]
    kept = simulate(network, spikes_at([[0, 1, 2, 3, 4]], 20), record=Record(spikes=True))
    assert spike_steps(kept) == [1, 5]


def test_filtered_trains_and_counts_follow_from_spikes() -> None:
    rng = np.random.default_rng(3)
    network = random_network(rng, n=8, longest_delay=3)
    rec = simulate(
        network, random_spikes(rng, network), dtype=np.float64,
        record=Record(n_bins=4, filtered_every=10, tau_filter_ms=12.0, spikes=True),
    )  # fmt: skip
    assert rec.spikes is not None
    assert rec.filtered is not None
    np.testing.assert_array_equal(rec.counts, rec.spikes.counts(4))
    raster = rec.spikes.dense()
    for window in range(4):
        end = 10 * (window + 1)
        age = end - 1 - np.arange(end)
        expected = np.einsum("t,stn->sn", np.exp(-age / 12.0), raster[:, :end])
        np.testing.assert_allclose(rec.filtered[:, window], expected, rtol=1e-12)


# -- properties ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("synapse", ["exp", "delta"])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_two_parts_joined_by_state_are_the_whole(synapse: str, backend: Any) -> None:
    rng = np.random.default_rng(4)
    network = random_network(rng, n=20, synapse=synapse, longest_delay=5)
    raster = random_spikes(rng, network, n_samples=3, n_steps=50).dense()
    options: dict[str, Any] = {"record": Record(spikes=True, state=True), "backend": backend}
    whole = simulate(network, Spikes.from_dense(raster, dt_ms=1.0), **options)
    first = simulate(network, Spikes.from_dense(raster[:, :23], dt_ms=1.0), **options)
    second = simulate(network, Spikes.from_dense(raster[:, 23:], dt_ms=1.0), state=first.state, **options)
    assert_same_fields(whole.state, second.state)
    parts = [rec.spikes.dense() for rec in (first, second)]  # type: ignore[union-attr]
    assert whole.spikes is not None
    assert whole.spikes.n_events > 20
    np.testing.assert_array_equal(whole.spikes.dense(), np.concatenate(parts, axis=1))


def coarse_weights(network: Network) -> Network:
    """The network with weights and rates that are multiples of a power of two: sums do not depend on their order."""

    def rounded(x: Any) -> Any:
        return np.round(np.asarray(x) * 64) / 64

    tables = {
        name: replace(table, **{f: rounded(getattr(table, f)) for f in ("weight", "a_plus", "a_minus", "w_max")})
        for name, table in (("recurrent", network.recurrent), ("inputs", network.inputs))
    }
    return replace(network, **tables)


def permuted(network: Network, order: Any) -> Network:
    """The same network with neuron order[i] as the i-th."""
    place = np.argsort(order)
    columns = ("weight", "delay_ms", "a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms", "w_max")

    def table(old: Any, pre: Any) -> Any:
        values = {name: getattr(old, name) for name in columns}
        return synapse_table(pre, place[old.post], n_pre=old.n_pre, **values)

    neurons = NeuronTable(**{name: column[order] for name, column in network.neurons.columns().items()})
    recurrent, inputs = network.recurrent, network.inputs
    return replace(
        network, neurons=neurons, recurrent=table(recurrent, place[recurrent.pre()]), inputs=table(inputs, inputs.pre())
    )


def test_permuting_neurons_permutes_the_result() -> None:
    rng = np.random.default_rng(5)
    network = coarse_weights(random_network(rng, n=30, synapse="delta", longest_delay=3, rule=NO_NORM))
    spikes, order = random_spikes(rng, network), rng.permutation(30)
    record = Record(n_bins=10, state=True)
    straight, mixed = (simulate(n, spikes, record=record) for n in (network, permuted(network, order)))
    assert straight.counts.sum() > 100
    np.testing.assert_array_equal(straight.counts[:, :, order], mixed.counts)
    trained, learnt = simulate_stdp(network, spikes)
    mixed_trained, mixed_learnt = simulate_stdp(permuted(network, order), spikes)
    np.testing.assert_array_equal(learnt.counts[:, :, order], mixed_learnt.counts)
    assert permuted(trained, order) == mixed_trained


def test_removing_a_silent_neuron_changes_nothing() -> None:
    rng = np.random.default_rng(6)
    network = random_network(rng, n=30, longest_delay=3)
    deaf = np.arange(30) == 11
    network = replace(network, neurons=replace(network.neurons, v_th=np.where(deaf, 1e9, network.neurons.v_th)))
    spikes = random_spikes(rng, network)
    whole, part = (simulate(n, spikes, record=Record(n_bins=8)) for n in (network, network.keep_neurons(~deaf)))
    assert whole.counts.sum() > 100
    assert whole.counts[:, :, deaf].sum() == 0
    np.testing.assert_array_equal(whole.counts[:, :, ~deaf], part.counts)


def test_homogeneous_is_heterogeneous_without_spread() -> None:
    """Acceptance check 12: columns drawn from a law of no width are the columns of equal numbers."""
    rng = np.random.default_rng(7)
    network = random_network(rng, n=25, one_tau_recurrent=True, one_tau_inputs=True)
    constant = replace(network.neurons, tau_mem_ms=np.full(25, 18.0), v_th=np.full(25, 0.9), v_reset=np.full(25, -0.1))
    cv_0 = {"tau_mem_ms": 18.0 * np.exp(0.0 * rng.normal(size=25)), "v_th": 0.9 + 0.0 * rng.normal(size=25)}
    drawn = replace(constant, **cv_0)
    spikes = random_spikes(rng, network)
    a, b = (simulate_stdp(replace(network, neurons=n), spikes, record=Record(spikes=True)) for n in (constant, drawn))
    assert a[1].counts.sum() > 100
    assert a[1].spikes == b[1].spikes
    assert a[0].recurrent == b[0].recurrent


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_traces_per_neuron_equal_traces_per_synapse(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Acceptance check 11, here between the two compiled kernels."""
    from hrsnn.engine.cpu import parts

    rng = np.random.default_rng(8)
    network = random_network(rng, n=30, one_tau_recurrent=True, one_tau_inputs=True)
    spikes = random_spikes(rng, network, n_samples=3)
    a = simulate_stdp(network, spikes, dtype=dtype, backend="cpu")
    monkeypatch.setattr(parts, "shares_traces", lambda table: False)
    b = simulate_stdp(network, spikes, dtype=dtype, backend="cpu")
    assert a[1].counts.sum() > 100
    assert a[0] == b[0]
    assert a[0] != network


# -- plasticity ------------------------------------------------------------------------------------------------------


def pair_of_spikes(pre_step: int, post_step: int, sign: int, **options: Any) -> float:
    """Change of magnitude of the synapse 0 -> 1 when each of the two neurons spikes once."""
    plastic = {"a_plus": 0.02, "a_minus": 0.03, "tau_plus_ms": 17.0, "tau_minus_ms": 29.0, "w_max": 1.0}
    fixed = {"a_plus": 0.0, "a_minus": 0.0, "tau_plus_ms": 20.0, "tau_minus_ms": 20.0, "w_max": 100.0}
    network = network_of(
        neuron_table(2, sign=[sign, 1], v_th=[1.0, 5.0]),
        [(0, 1, 0.5 * sign, plastic)],
        [(0, 0, 10.0, fixed), (1, 1, 10.0, fixed)],
        synapse="delta",
        **options,
    )
    drive = spikes_at([[pre_step - 1], [post_step - 1]], 60, n_units=2)
    trained, rec = simulate_stdp(network, drive, record=Record(spikes=True), dtype=np.float64)
    assert (spike_steps(rec, 0), spike_steps(rec, 1)) == ([pre_step], [post_step])
    assert np.sign(trained.recurrent.weight[0]) == sign
    return float(abs(trained.recurrent.weight[0])) - 0.5


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("gap", [1, 13, 40])
def test_stdp_of_one_pair(sign: int, gap: int) -> None:
    potentiated = 0.02 * np.exp(-gap / 17.0)
    depressed = -0.03 * np.exp(-gap / 29.0)
    # Weights are kept in single precision between runs: half a unit in the last place of 0.5 is 3e-8.
    assert pair_of_spikes(5, 5 + gap, sign) == pytest.approx(potentiated, abs=5e-8)
    assert pair_of_spikes(5 + gap, 5, sign) == pytest.approx(depressed, abs=5e-8)
    assert pair_of_spikes(5, 5, sign) == 0  # coincident: neither sees the trace of the other


def test_soft_bounds_scale_the_change() -> None:
    full = pair_of_spikes(5, 10, 1)
    soft = pair_of_spikes(5, 10, 1, rule=StdpRule(soft_bound=0.5, normalise=False))
    assert soft == pytest.approx(full * 0.5**0.5, abs=5e-8)


def test_nearest_pairing_forgets_older_spikes() -> None:
    fixed = {"a_plus": 0.0, "a_minus": 0.0, "w_max": 100.0}
    plastic = {"a_plus": 0.01, "a_minus": 0.0, "w_max": 1.0}
    neurons = neuron_table(1, v_th=5.0)
    changes = []
    for pairing in ("all-to-all", "nearest"):
        edges = [(0, 0, 0.25, plastic), (1, 0, 10.0, fixed)]
        network = network_of(neurons, [], edges, synapse="delta", rule=StdpRule(pairing, normalise=False))  # type: ignore[arg-type]
        trained, _ = simulate_stdp(network, spikes_at([[2, 6], [9]], 20, n_units=2), dtype=np.float64)
        changes.append(float(trained.inputs.weight[0]) - 0.25)
    assert changes[0] == pytest.approx(0.01 * (np.exp(-4 / 20) + np.exp(-8 / 20)), abs=5e-8)
    assert changes[1] == pytest.approx(0.01 * np.exp(-4 / 20), abs=5e-8)


def test_normalisation_restores_incoming_sums() -> None:
    rng = np.random.default_rng(9)
    network = random_network(rng, n=20)
    for name in ("recurrent", "inputs"):  # no weight reaches a bound, where sums could not be restored
        table = getattr(network, name)
        slow = replace(table, w_max=np.full(len(table), 1e3), a_minus=0.01 * table.a_minus)
        network = replace(network, **{name: slow})
    trained, rec = simulate_stdp(network, random_spikes(rng, network, n_samples=4), dtype=np.float64)
    assert rec.counts.sum() > 100
    excites = network.neurons.sign[network.recurrent.pre()] > 0
    for name, chosen in (("recurrent", excites), ("inputs", slice(None))):
        before, after = getattr(network, name), getattr(trained, name)
        sums = [np.bincount(t.post[chosen], weights=t.weight[chosen], minlength=20) for t in (before, after)]
        assert not np.array_equal(before.weight, after.weight)
        np.testing.assert_allclose(sums[0], sums[1], rtol=1e-6)


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1.5e-7), (np.float64, 5e-16)])
def test_trace_decay(dtype: type, bound: float) -> None:
    """2**-(n r) by polynomial: rounding error only, for the rate as rounded to the precision."""
    exp2 = coefficients(random_network(np.random.default_rng(0)), dtype).exp2
    rng = np.random.default_rng(1)
    n = rng.integers(0, 200, 100_000).astype(np.int32)
    rate = rng.uniform(0, 0.35, n.size).astype(dtype)
    z = -(n.astype(dtype) * rate)
    truth = np.exp2(z.astype(np.longdouble))
    assert float(np.max(np.abs(decay(n, rate, exp2) / truth - 1))) < bound
    assert decay(np.zeros(1, dtype=np.int32), rate[:1], exp2)[0] == 1
    long_gap = decay(np.full(1, 2**30, dtype=np.int32), np.ones(1, dtype=dtype), exp2)[0]
    assert np.finfo(dtype).tiny * 1e3 < long_gap < 1e-30


@pytest.mark.slow
def test_memory_stays_flat_over_many_stdp_samples() -> None:
    """10,000 samples with HRSNN_LONG=1, else 1,000; what grows is the record of counts, which is small and known."""
    n_samples = 10_000 if os.environ.get("HRSNN_LONG") else 1_000
    rng = np.random.default_rng(10)
    network = random_network(rng, n=60)
    spikes = random_spikes(rng, network, n_samples=n_samples, n_steps=20)
    peak: list[int] = []

    def progress(sample: int, counts: Any) -> None:
        if sample % (n_samples // 10) == 0:
            peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # KiB

    simulate_stdp(network, spikes, progress=progress)
    assert peak[-1] - peak[1] < 4096  # all of the counts is 2.4 MB at most, and they are there from the start


# -- around a run ----------------------------------------------------------------------------------------------------


def test_clear_errors() -> None:
    rng = np.random.default_rng(11)
    network = random_network(rng, n=4, n_inputs=3, longest_delay=4)
    good = random_spikes(rng, network)
    with pytest.raises(InputError, match=r"3.*n_units = 5"):
        simulate(network, Spikes.empty(1, n_units=5, n_steps=9, dt_ms=1.0))
    with pytest.raises(InputError, match=r"dt_ms = 1\.0.*dt_ms = 0\.5"):
        simulate(network, Spikes.empty(1, n_units=3, n_steps=9, dt_ms=0.5))
    with pytest.raises(InputError, match="n_steps of the spikes, 40"):
        simulate(network, good, record=Record(n_bins=41))
    state = simulate(network, good, record=Record(state=True)).state
    with pytest.raises(InputError, match=r"state\.v.*must have shape \(1, 4\)"):
        simulate(network, good.select([0]), state=state)
    with pytest.raises(InputError, match="backend"):
        simulate(network, good, backend="gpu")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="float16"):
        simulate(network, good, dtype=np.float16)
    with pytest.raises(InputError, match="n_threads"):
        simulate(network, good, n_threads=0)
    tight = replace(network, recurrent=replace(network.recurrent, w_max=0 * network.recurrent.w_max))
    with pytest.raises(InputError, match=r"recurrent\.weight.*w_max"):
        simulate_stdp(tight, good)


def test_progress_can_end_the_run() -> None:
    rng = np.random.default_rng(12)
    network = random_network(rng, n=4)
    seen = []

    def progress(sample: int, counts: Any) -> None:
        seen.append((sample, counts.shape, counts.dtype))
        if sample == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_stdp(network, random_spikes(rng, network, n_samples=5), progress=progress)
    assert seen == [(0, (4,), np.int64), (1, (4,), np.int64)]


def test_a_log_longer_than_its_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    from hrsnn.engine import cpu

    rng = np.random.default_rng(13)
    network = random_network(rng, n=30, longest_delay=3)
    spikes = random_spikes(rng, network, n_samples=2)
    whole = simulate(network, spikes, record=Record(spikes=True, state=True), backend="cpu")
    monkeypatch.setattr(cpu, "_LOG_CHUNK", 1)
    pieces = simulate(network, spikes, record=Record(spikes=True, state=True), backend="cpu")
    assert whole.spikes is not None
    assert whole.spikes.n_events > 60
    assert whole.spikes == pieces.spikes
    np.testing.assert_array_equal(whole.state.v, pieces.state.v)  # type: ignore[union-attr]


def test_weights_come_back_without_negative_zero() -> None:
    neurons = neuron_table(1, sign=-1)
    network = network_of(neurons, [(0, 0, -0.0, {})], [])
    trained, _ = simulate_stdp(network, spikes_at([[]], 5))
    assert not np.signbit(trained.recurrent.weight).any()


SCRIPT = """
import warnings
import numpy as np
from networks import random_network, random_spikes
from hrsnn.engine import simulate
rng = np.random.default_rng(0)
network = random_network(rng, n=10)
spikes = random_spikes(rng, network)
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    counts = [simulate(network, spikes, backend=b).counts for b in ("cpu", "reference")]
assert np.array_equal(*counts)
print(len([w for w in seen if "cache" in str(w.message)]))
"""


def run_script(script: str, **environment: str) -> str:
    here = Path(__file__).parent
    env = {**os.environ, "PYTHONPATH": str(here), **environment}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_cache_that_cannot_be_written_is_survived(tmp_path: Path) -> None:
    """Below a file there can be no directory, not even for root; numba is kept from its other places as well."""
    blocked = tmp_path / "file"
    blocked.touch()
    locators = "UserProvidedCacheLocator"
    out = run_script(SCRIPT, NUMBA_CACHE_DIR=str(blocked / "cache"), NUMBA_CACHE_LOCATOR_CLASSES=locators)
    assert out == "1"


def test_a_damaged_cache_is_survived(tmp_path: Path) -> None:
    assert run_script(SCRIPT, NUMBA_CACHE_DIR=str(tmp_path)) == "0"
    kept = list(tmp_path.rglob("*.nb[ic]"))
    assert kept
    for file in kept:
        file.write_bytes(b"nonsense")
    assert run_script(SCRIPT, NUMBA_CACHE_DIR=str(tmp_path)) == "1"


def test_without_numba_the_reference_takes_over_and_says_so_once() -> None:
    out = run_script("""
        import sys, warnings
        sys.modules["numba"] = None
        import numpy as np
        from networks import random_network, random_spikes
        from hrsnn.engine import simulate
        rng = np.random.default_rng(0)
        network = random_network(rng, n=3)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            for _ in range(2):
                simulate(network, random_spikes(rng, network, n_steps=5))
        print([str(w.message)[:28] for w in seen])
    """)
    assert out == "['numba cannot be imported (im']" or out.startswith("['numba cannot be imported")
    assert out.count("numba cannot be imported") == 1
