"""Continuous time: spikes against closed forms, an ODE solver and the engine on a fine grid; tangents against central
differences; exponents against closed forms and of the two estimators against each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from hrsnn._checks import InputError, RunError
from hrsnn.analysis.lyapunov.event_kernel import Cell, potential, slope, time_to_threshold
from hrsnn.analysis.lyapunov.event_simulation import EventState, flow_jacobian, simulate_events
from hrsnn.analysis.lyapunov.events import saltation_spectrum, two_trajectories
from hrsnn.engine import Record, simulate
from hrsnn.network import Network
from hrsnn.spikes import Spikes
from networks import neuron_table, random_network, random_spikes, synapse_table


def network_of(
    n: int, pre: Any = (), post: Any = (), *, synapse: Any = "exp", dt_ms: float = 1.0, **columns: Any
) -> Network:
    """`n` neurons with these columns, edges with `weight` and `delay_ms`, and one input channel without synapses."""
    edges = {name: columns.pop(name) for name in ("weight", "delay_ms") if name in columns}
    recurrent = synapse_table(pre, post, n_pre=n, **edges)
    return Network(neuron_table(n, **columns), recurrent, synapse_table([], [], n_pre=1), dt_ms=dt_ms, synapse=synapse)


def lively(seed: int, *, synapse: Any = "exp", t_ref_ms: float = 2.0, longest_delay: int = 1, n: int = 4) -> Network:
    """A few neurons that fire by themselves at some 20 Hz and push each other about, every constant random."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, n=n, n_inputs=2, density=0.8, dt_ms=0.5, synapse=synapse, longest_delay=longest_delay)
    neurons = network.neurons
    gap = neurons.v_th - neurons.v_reset
    moved = replace(
        neurons,
        bias=neurons.v_th + rng.uniform(0.1, 0.6, n) * gap - neurons.v_rest,
        v_init=neurons.v_th - rng.uniform(0.05, 1, n) * gap,
        t_ref_ms=np.full(n, t_ref_ms),
    )
    scale = np.float32(0.06 if synapse == "delta" else 0.1)
    weak = network.with_weights(scale * network.recurrent.weight, inputs=scale * network.inputs.weight)
    return replace(weak, neurons=moved)


def silence(network: Network, duration_ms: float) -> Spikes:
    n_steps = round(duration_ms / network.dt_ms)
    return Spikes.empty(1, n_units=network.n_inputs, n_steps=n_steps, dt_ms=network.dt_ms)


# -- between events --------------------------------------------------------------------------------------------------

constants = st.sampled_from([1.0, 3.0, 3.0000001, 10.0, 20.0, 60.0])  # equal and nearly equal ones on purpose
cells = st.builds(
    Cell,
    v=st.floats(-2, 0.99), exc=st.floats(-1, 12), inh=st.floats(-12, 1), drift=st.floats(-1, 2), v_th=st.just(1.0),
    tau_mem=constants, tau_exc=constants, tau_inh=constants,
)  # fmt: skip


def test_flow_solves_the_equations() -> None:
    cell = Cell(0.3, 2.0, -1.5, 0.4, 9.9, 20.0, 3.0, 6.0)

    def equations(t: float, z: Any) -> list[float]:
        return [(cell.drift - z[0] + z[1] + z[2]) / cell.tau_mem, -z[1] / cell.tau_exc, -z[2] / cell.tau_inh]

    times = np.linspace(0, 50, 20)
    solved = solve_ivp(equations, (0, 50), [cell.v, cell.exc, cell.inh], t_eval=times, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose([potential(cell, t) for t in times], solved.y[0], atol=1e-11)
    slopes = [equations(t, z)[0] for t, z in zip(times, solved.y.T, strict=True)]
    np.testing.assert_allclose([slope(cell, t) for t in times], slopes, atol=1e-11)


@settings(max_examples=300, deadline=None)
@given(cell=cells)
@example(cell=Cell(0.0, 3.0, 0.0, 0.0, 1.0, 1.0, 1.0, 20.0))  # v' is below the smallest number long before the end
def test_the_first_crossing_is_found(cell: Cell) -> None:
    found = time_to_threshold(cell)
    times = np.concatenate([np.linspace(0, 30, 3001), np.geomspace(30, 3000, 1000)])
    v = np.array([potential(cell, t) for t in times])
    before = v[times < found]
    assert (before < cell.v_th + 1e-9).all()  # a grid point at the crossing may be above by rounding
    if np.isfinite(found):
        assert potential(cell, found) == pytest.approx(cell.v_th, abs=1e-12 * (1 + abs(cell.exc) + abs(cell.inh)))
        assert slope(cell, found) >= -1e-12


@settings(max_examples=200, deadline=None)
@given(cell=cells, height=st.sampled_from([1e-13, 1e-9, 1e-4]))
def test_the_shortest_visit_above_threshold_is_seen(cell: Cell, height: float) -> None:
    times = np.linspace(0, 200, 4001)
    v = np.array([potential(cell, t) for t in times])
    top = int(v.argmax())
    if top in (0, times.size - 1):  # no maximum inside
        return
    fine = np.linspace(times[top - 1], times[top + 1], 2001)
    summit = max(potential(cell, t) for t in fine)
    assert np.isfinite(time_to_threshold(cell._replace(v_th=summit - height)))
    if cell.drift < summit:
        assert time_to_threshold(cell._replace(v_th=summit + 1e-4)) == np.inf


# -- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_interval_of_a_driven_neuron(synapse: str) -> None:
    network = network_of(1, synapse=synapse, bias=1.5, t_ref_ms=2.0)
    run = simulate_events(network, silence(network, 200))
    period = 20 * np.log(1.5 / 0.5) + 2
    np.testing.assert_allclose(run.time_ms, np.arange(run.time_ms.size) * period + period - 2, rtol=1e-14)
    assert run.time_ms.size == 8


def test_who_starts_above_threshold_fires_at_once() -> None:
    network = network_of(2, v_init=[1.0, 0.5], t_ref_ms=2.0)
    run = simulate_events(network, silence(network, 1))
    assert run.time_ms.tolist() == [0.0]
    assert run.state.refractory_left_ms.tolist() == [1.0, 0.0]


def test_delays_weights_and_arrivals_of_delta_synapses() -> None:
    # 0 fires at 0, lifts 1 over the threshold 2 ms later and leaves 2 below; 3 is held while the spike arrives.
    network = network_of(
        4, [0, 0, 0], [1, 2, 3], synapse="delta", weight=[0.6, 0.4, 0.7], delay_ms=[2.0, 3.0, 1.0],
        v_init=[1.0, 0.5, 0.5, 1.0], tau_mem_ms=10.0, t_ref_ms=5.0,
    )  # fmt: skip
    run = simulate_events(network, silence(network, 4))
    assert list(zip(run.unit.tolist(), run.time_ms.tolist(), strict=True)) == [(0, 0.0), (3, 0.0), (1, 2.0)]
    expected = (0.5 * np.exp(-0.3) + 0.4) * np.exp(-0.1)
    np.testing.assert_allclose(run.state.v, [0, 0, expected, 0], atol=1e-15)
    assert run.state.refractory_left_ms.tolist() == [1.0, 3.0, 0.0, 1.0]


@pytest.mark.parametrize("t_ref_ms", [0.3, 5.0])
def test_what_arrives_as_a_refractory_period_ends_is_lost_as_on_the_grid(t_ref_ms: float) -> None:
    # 3 steps of 0.1 ms are a bit more than 0.3 ms.
    network = network_of(
        2, [0], [1], synapse="delta", dt_ms=0.1, weight=5.0, delay_ms=t_ref_ms, v_init=2.0, t_ref_ms=t_ref_ms
    )  # fmt: skip
    spikes = silence(network, 8)
    assert simulate_events(network, spikes).unit.tolist() == [0, 1]
    counts = simulate(network, spikes, dtype=np.float64, backend="reference").spike_counts
    assert counts.tolist() == [[1, 1]]


def test_arrivals_at_one_instant_are_added_up_first() -> None:
    # Excitation alone would make 2 fire; both spikes arrive at 1 ms, and in the other order it would not.
    for order in ([0, 1], [1, 0]):
        sign = np.array([1, -1])[order]
        network = network_of(
            3, [0, 1], [2, 2], synapse="delta", sign=[*sign, 1], weight=sign * 0.9, v_init=[1.0, 1.0, 0.5],
        )  # fmt: skip
        run = simulate_events(network, silence(network, 2))
        assert run.unit.tolist() == [0, 1]


@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_a_fine_grid_comes_to_the_same_spikes(synapse: str) -> None:
    coarse = lively(3, synapse=synapse, longest_delay=4)
    rng = np.random.default_rng(0)
    spikes = random_spikes(rng, coarse, n_samples=1, n_steps=160, rate=0.05)
    exact = simulate_events(coarse, spikes)
    errors = []
    for refinement in (20, 80):
        dt_ms = coarse.dt_ms / refinement
        fine = replace(coarse, dt_ms=dt_ms)
        given = Spikes.from_times([spikes.step * 0.5], [spikes.unit], n_units=2, n_steps=160 * refinement, dt_ms=dt_ms)
        found = simulate(fine, given, record=Record(spikes=True), dtype=np.float64, backend="reference").spikes
        assert found is not None
        assert found.n_events == exact.time_ms.size > 15
        by_unit = np.lexsort((exact.time_ms, exact.unit))
        order = np.lexsort((found.step, found.unit))
        assert np.array_equal(found.unit[order], exact.unit[by_unit])
        errors.append(np.abs((found.step[order] + 0.5) * dt_ms - exact.time_ms[by_unit]).max())
    assert errors[1] < errors[0] / 2.5  # of first order in the step
    assert errors[1] < 0.05


def test_going_on_from_a_state_changes_nothing() -> None:
    network = lively(5, longest_delay=20, t_ref_ms=3.0)
    whole = simulate_events(network, silence(network, 80))
    n_flights, n_held = 0, 0
    for cut in (7.3, 20.1, 33.0, 41.7):
        first = simulate_events(network, silence(network, 80), duration_ms=cut)
        n_flights += first.state.flight_pre.size
        n_held += np.count_nonzero(first.state.refractory_left_ms)
        second = simulate_events(network, silence(network, 80), duration_ms=80 - cut, state=first.state)
        assert np.array_equal(np.concatenate([first.unit, second.unit]), whole.unit)
        np.testing.assert_allclose(np.concatenate([first.time_ms, cut + second.time_ms]), whole.time_ms, rtol=1e-12)
        np.testing.assert_allclose(second.state.v, whole.state.v, atol=1e-11)
    assert n_flights > 4
    assert n_held > 0


# -- perturbations to first order ------------------------------------------------------------------------------------


def central_differences(network: Network, spikes: Spikes, duration_ms: float, step: float) -> Any:
    """Derivative of the last state by the first, of fourth order in `step`; every run must have the same spikes."""
    n = network.n_neurons
    size = n if network.synapse == "delta" else 3 * n
    first = simulate_events(network, spikes, duration_ms=duration_ms)

    def end(column: int, shift: float) -> Any:
        z = np.concatenate([network.neurons.v_init, np.zeros(2 * n)])
        z[column] += shift
        nothing = np.zeros(0, dtype=np.int64)
        start = EventState(z[:n], z[n : 2 * n], z[2 * n :], np.zeros(n), nothing, nothing.astype(float))
        run = simulate_events(network, spikes, duration_ms=duration_ms, state=start)
        assert np.array_equal(run.unit, first.unit)
        state = run.state
        held = state.refractory_left_ms > 0
        potential = np.where(held, state.refractory_left_ms / network.neurons.tau_mem_ms, state.v)
        return np.concatenate([potential, state.current_exc, state.current_inh])[:size]

    columns = [
        (8 * (end(c, step) - end(c, -step)) - (end(c, 2 * step) - end(c, -2 * step))) / (12 * step) for c in range(size)
    ]
    return np.array(columns).T, first


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("synapse", "t_ref_ms", "longest_delay"),
    [("exp", 2.0, 1), ("exp", 0.0, 1), ("exp", 2.0, 20), ("exp", 0.0, 20), ("delta", 2.0, 1), ("delta", 0.0, 20)],
)
def test_tangent_is_the_derivative_of_the_flow(synapse: str, t_ref_ms: float, longest_delay: int, seed: int) -> None:
    """method.md 17, check 2: to rounding of spike times over the step of the differences."""
    network = lively(seed, synapse=synapse, t_ref_ms=t_ref_ms, longest_delay=longest_delay)
    spikes = random_spikes(np.random.default_rng(seed), network, n_samples=1, n_steps=200, rate=0.02)
    expected, run = central_differences(network, spikes, 61.3, 1e-5)
    found = flow_jacobian(network, spikes, duration_ms=61.3)
    assert run.time_ms.size >= 8
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-8 * max(1, np.abs(expected).max()))


def test_tangent_of_a_held_neuron_is_the_shift_of_its_spike() -> None:
    network = lively(1)
    spikes = silence(network, 100)
    end = float(simulate_events(network, spikes).time_ms[9]) + 1
    expected, run = central_differences(network, spikes, end, 1e-5)
    held = run.state.refractory_left_ms > 0
    assert held.any()
    found = flow_jacobian(network, spikes, duration_ms=end)
    np.testing.assert_allclose(found[:4][held], expected[:4][held], atol=1e-9)


# -- exponents with a known answer -----------------------------------------------------------------------------------


def test_silence_has_the_exponents_of_the_leak() -> None:
    taus = {"tau_mem_ms": [20.0, 9.0], "tau_syn_exc_ms": [3.0, 5.0], "tau_syn_inh_ms": [6.0, 9.0]}
    network = network_of(2, [0], [1], **taus)
    found = saltation_spectrum(network, silence(network, 3000))
    rates = np.sort(-1 / np.concatenate([taus[name] for name in taus]))[::-1]
    np.testing.assert_allclose(found.exponents_per_ms, rates, atol=2e-3)  # 9 ms twice: not even a difference of rates
    np.testing.assert_allclose(found.exponents_per_ms[0], -1 / 20, rtol=1e-12)
    assert found.rates_hz.tolist() == [0, 0]
    assert found.warnings == (
        "2 of 2 neurons (100%) never spike in the measured time; the network is silent, and the exponents are those of "
        "its leak",
    )
    largest = two_trajectories(network, silence(network, 3000))
    assert largest.exponent_per_ms == pytest.approx(-1 / 20, rel=1e-6)


def test_silence_with_delta_synapses() -> None:
    network = network_of(3, [0], [1], synapse="delta", tau_mem_ms=[20.0, 10.0, 5.0])
    found = saltation_spectrum(network, silence(network, 2000))
    np.testing.assert_allclose(found.exponents_per_ms, [-1 / 20, -1 / 10, -1 / 5], rtol=1e-9)
    np.testing.assert_allclose(found.node_exponents_per_ms, [-1 / 20, -1 / 10, -1 / 5], rtol=1e-9)
    assert found.dimension == 3


@pytest.mark.parametrize("t_ref_ms", [0.0, 2.0])
@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_a_neuron_that_fires_by_itself_forgets_no_shift_of_time(synapse: str, t_ref_ms: float) -> None:
    network = network_of(1, synapse=synapse, bias=1.5, t_ref_ms=t_ref_ms)
    found = saltation_spectrum(network, silence(network, 5000))
    expected = [0, -1 / 6, -1 / 3][: found.dimension]
    np.testing.assert_allclose(found.exponents_per_ms, expected, atol=2e-4)  # the phase at both ends
    assert found.rates_hz[0] == pytest.approx(1e3 / (20 * np.log(3) + t_ref_ms), abs=0.3)


def test_a_network_without_input_has_an_exponent_of_zero() -> None:
    network = lively(3, n=5)
    strong = network.with_weights(np.float32(5) * network.recurrent.weight)
    found = saltation_spectrum(strong, silence(network, 4000), interval_ms=4)
    assert np.count_nonzero(np.abs(found.exponents_per_ms) < 1e-3) == 1


def volume_growth(network: Network, duration_ms: float) -> float:
    """ln |det| of the flow: leak while not held, decay of currents, and the ratio of the slopes at each spike. Holds
    where spikes have arrived before their neuron is let go."""
    neurons = network.neurons
    run = simulate_events(network, silence(network, duration_ms))
    total = -duration_ms * float((1 / neurons.tau_syn_exc_ms + 1 / neurons.tau_syn_inh_ms).sum())
    free_ms = np.full(network.n_neurons, duration_ms)
    for time_ms, j in zip(run.time_ms, run.unit, strict=True):
        drift = neurons.v_rest[j] + neurons.bias[j]
        for at_ms, v, sign in ((time_ms, neurons.v_th[j], -1), (time_ms + neurons.t_ref_ms[j], neurons.v_reset[j], 1)):
            if at_ms > duration_ms:  # what it is let go with has not been divided out: count the shift, not the slope
                free_ms[j] -= duration_ms - time_ms
                break
            state = simulate_events(network, silence(network, duration_ms), duration_ms=at_ms).state
            slope = (drift - v + state.current_exc[j] + state.current_inh[j]) / neurons.tau_mem_ms[j]
            total += sign * np.log(slope * neurons.tau_mem_ms[j])
        else:
            free_ms[j] -= neurons.t_ref_ms[j]
    return total - float((free_ms / neurons.tau_mem_ms).sum())


def test_sum_of_the_spectrum_is_the_growth_of_volume() -> None:
    network = lively(4, t_ref_ms=2.0, longest_delay=3)
    jacobian = flow_jacobian(network, silence(network, 60), duration_ms=60.0)
    sign, log_det = np.linalg.slogdet(jacobian)
    assert sign != 0
    assert log_det == pytest.approx(volume_growth(network, 60.0), abs=1e-6)


@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_shares_of_the_neurons_add_up(synapse: str) -> None:
    network = lively(3, synapse=synapse, longest_delay=20, t_ref_ms=0.0)  # spikes on their way longer than held
    if synapse == "delta":  # without excitation no arrival makes a neuron fire
        network = network.with_weights(np.minimum(network.recurrent.weight, 0))
    found = saltation_spectrum(network, silence(network, 1500), interval_ms=2)
    assert found.node_exponents_per_ms.sum() == pytest.approx(found.exponents_per_ms.sum(), rel=1e-10)
    assert found.exponents_per_ms.shape == (found.dimension,)
    leading = saltation_spectrum(network, silence(network, 1500), interval_ms=2, k=2)
    np.testing.assert_allclose(leading.exponents_per_ms, found.exponents_per_ms[:2], atol=1e-3)


def test_arrivals_that_make_delta_neurons_fire_forget() -> None:
    # The neurons never cross by themselves: every spike has the time of an input spike.
    inputs = synapse_table([0, 0], [0, 1], n_pre=1, weight=0.7)
    recurrent = synapse_table([0, 1], [1, 0], n_pre=2, weight=0.2)
    network = Network(neuron_table(2, tau_mem_ms=10.0), recurrent, inputs, dt_ms=1.0, synapse="delta")
    spikes = Spikes.from_times([np.arange(0.0, 2000, 5)], [np.zeros(400)], n_units=1, n_steps=2000, dt_ms=1.0)
    found = saltation_spectrum(network, spikes)
    assert np.isneginf(found.exponents_per_ms).all()
    assert np.isnan(found.node_exponents_per_ms).all()
    assert found.warnings == ("2 of 2 exponents are -inf: arrivals make neurons fire, which forget their potential",)
    assert np.isneginf(two_trajectories(network, spikes).exponent_per_ms)


def test_a_delta_neuron_that_follows_another_keeps_the_time_of_that_one_alone() -> None:
    # 1 is lifted over its threshold by each spike of 0: what it carries is a multiple of what 0 does, up to rounding.
    network = network_of(2, [0], [1], synapse="delta", bias=[1.5, 0.3], weight=2.0, t_ref_ms=1.0)
    found = saltation_spectrum(network, silence(network, 5000), interval_ms=40)
    assert found.exponents_per_ms[0] == pytest.approx(0, abs=2e-4)
    assert found.exponents_per_ms[1] == -np.inf
    assert found.rates_hz[0] == found.rates_hz[1] > 40


# -- the two estimators ----------------------------------------------------------------------------------------------


def pulsed(seed: int, *, weight: float, bias: float, input_weight: float, n: int = 60) -> tuple[Network, Spikes]:
    """Neurons with slow currents, random signed synapses of this mean size, and one input channel each at 20 Hz."""
    rng = np.random.default_rng(seed)
    sign = np.where(np.arange(n) < 0.8 * n, 1, -1)
    neurons = neuron_table(
        n, sign=sign, bias=bias, t_ref_ms=2.0, v_init=rng.uniform(0, 1, n), tau_syn_exc_ms=10.0, tau_syn_inh_ms=10.0
    )  # fmt: skip
    pre, post = np.nonzero(rng.random((n, n)) < 0.3)
    size = rng.exponential(weight, pre.size) * np.where(sign[pre] > 0, 1.0, -6.0)
    recurrent = synapse_table(pre, post, n_pre=n, weight=size, delay_ms=1.0)
    channels = synapse_table(np.arange(n), np.arange(n), n_pre=n, weight=input_weight)
    network = Network(neurons, recurrent, channels, dt_ms=1.0)
    return network, random_spikes(rng, network, n_samples=1, n_steps=3000, rate=0.02)


CHAOTIC = {"weight": 0.8, "bias": 2.5, "input_weight": 0.1}


@pytest.mark.parametrize(
    ("columns", "sign"),
    [
        ({"weight": 0.02, "bias": 0.5, "input_weight": 1.5}, -1),
        ({"weight": 0.02, "bias": 1.5, "input_weight": 0.1}, 0),
        (CHAOTIC, 1),
    ],
)
def test_saltation_and_two_trajectories_agree(columns: dict[str, float], sign: int) -> None:
    """Looked at together every 10 ms, both see one and the same trajectory."""
    network, spikes = pulsed(0, **columns)
    first = saltation_spectrum(network, spikes, k=1, interval_ms=10)
    second = two_trajectories(network, spikes, interval_ms=10)
    value, error = first.lyapunov_max_per_ms, float(first.standard_error_per_ms[0])
    assert second.n_dropped == 0
    assert abs(value - second.exponent_per_ms) < min(error, second.standard_error_per_ms)
    if sign:
        assert sign * value > 4 * error
    else:
        assert abs(value) < 0.004


def test_what_two_trajectories_do_when_their_spikes_differ() -> None:
    network, spikes = pulsed(0, **CHAOTIC)
    fine = two_trajectories(network, spikes)
    coarse = two_trajectories(network, spikes, distance=0.03)
    assert fine.n_intervals == 250
    assert fine.n_postponed + fine.n_dropped == 0
    assert coarse.n_postponed > coarse.n_dropped >= 1  # both happen
    assert coarse.n_intervals + coarse.n_dropped < 250  # and take longer
    assert coarse.exponent_per_ms == pytest.approx(fine.exponent_per_ms, abs=3 * fine.standard_error_per_ms)
    with pytest.raises(RunError, match="make `distance` or `interval_ms` smaller"):
        two_trajectories(network, spikes, distance=10.0)


# -- bad input -------------------------------------------------------------------------------------------------------


def test_input_that_does_not_fit() -> None:
    network = lively(0)
    spikes = Spikes.empty(1, n_units=2, n_steps=2000, dt_ms=0.5)
    for estimator in (saltation_spectrum, two_trajectories, simulate_events, flow_jacobian):
        large = network_of(201)
        with pytest.raises(InputError, match=r"at most 200 neurons.*got 201; use lyapunov_spectrum"):
            estimator(large, silence(large, 10))
        for duration_ms in (0, -1.0, 1000.5, np.nan):
            with pytest.raises(InputError, match=r"`duration_ms` of .* must be > 0 and at most 1000"):
                estimator(network, spikes, duration_ms=duration_ms)
        with pytest.raises(InputError, match="must hold one sample, got 2"):
            estimator(network, Spikes.join([spikes, spikes]))
        with pytest.raises(InputError, match="as many units as the network has input channels, 2"):
            estimator(network, Spikes.empty(1, n_units=3, n_steps=2000, dt_ms=0.5))
        with pytest.raises(InputError, match="the network's step of time"):
            estimator(network, Spikes.empty(1, n_units=2, n_steps=2000, dt_ms=1.0))
    nothing = np.zeros(0)
    state = EventState(np.zeros(4), np.zeros(4), np.zeros(3), np.zeros(4), nothing.astype(int), nothing)
    with pytest.raises(InputError, match="`current_inh` of `EventState` must have length 4"):
        simulate_events(network, spikes, state=state)
    for estimator in (saltation_spectrum, two_trajectories):
        for wrong in ({"warm_up_ms": -1}, {"warm_up_ms": 999}, {"interval_ms": 0}, {"n_batches": 1}):
            with pytest.raises(InputError, match="must"):
                estimator(network, spikes, **wrong)
    for k in (0, 13):
        with pytest.raises(InputError, match=r"must be in 1\.\.12, the dimension of the state with exp synapses"):
            saltation_spectrum(network, spikes, k=k)
    with pytest.raises(InputError, match="`distance` of `two_trajectories` must be > 0"):
        two_trajectories(network, spikes, distance=0.0)


def test_activity_that_runs_away_is_stopped() -> None:
    n = 10
    pre, post = np.nonzero(~np.eye(n, dtype=bool))
    network = network_of(n, pre, post, bias=1.5, weight=5.0)
    with pytest.raises(RunError, match="runs away"):
        simulate_events(network, silence(network, 1000))
