"""Lyapunov exponents: closed forms, central differences of an independent map, dense linear algebra, sum rules."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hrsnn._checks import InputError, RunError
from hrsnn.analysis.lyapunov import local_exponents, lyapunov_spectrum, node_exponents, qr_exponents
from hrsnn.analysis.lyapunov.qr import condition_number, factorised
from hrsnn.analysis.lyapunov.tangent import NetworkTangent, candidate_potential, surrogate
from hrsnn.engine import Record, simulate, stream
from hrsnn.engine.coefficients import coefficients
from hrsnn.network import Network
from hrsnn.randomness import stream as random_stream
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.wiring import build
from networks import networks_with_spikes, neuron_table, random_network, random_spikes, synapse_table

Matrix = NDArray[np.float64]

# The surrogate as it is printed, in every step: nearly all that is tested here does not depend on which.
literal_spectrum = partial(lyapunov_spectrum, surrogate_gain=1.0, only_at_spikes=False)
literal_local = partial(local_exponents, surrogate_gain=1.0, only_at_spikes=False)

# -- the QR method -----------------------------------------------------------------------------------------------------


def linear(jacobian: Matrix) -> Any:
    return lambda q, n: np.linalg.matrix_power(jacobian, n) @ q


def test_exponents_of_a_linear_map_are_the_logarithms_of_its_eigenvalues() -> None:
    rng = np.random.default_rng(0)
    eigenvalues = np.array([3.0, -1.5, 1.0, 0.5, -0.1])
    basis = rng.standard_normal((5, 5))
    jacobian = basis @ np.diag(eigenvalues) @ np.linalg.inv(basis)
    found = qr_exponents(linear(jacobian), 5, n_steps=200, n_warm_up_steps=400, dt=0.5)
    np.testing.assert_allclose(found.exponents, np.log(np.abs(eigenvalues)) / 0.5, atol=1e-9)
    leading = qr_exponents(linear(jacobian), 5, k=2, n_steps=200, n_warm_up_steps=400, dt=0.5)
    np.testing.assert_allclose(leading.exponents, found.exponents[:2], atol=1e-9)


def test_the_transpose_would_give_other_vectors() -> None:
    """The leading vector is the eigenvector of J, not of its transpose: the row shares tell which is iterated."""
    jacobian = np.array([[2.0, 1.0], [0.0, 1.0]])  # leading eigenvector (1, 0); of the transpose (1, 1) / sqrt 2
    found = qr_exponents(linear(jacobian), 2, k=1, n_steps=100, n_warm_up_steps=100)
    np.testing.assert_allclose(found.row_exponents, [np.log(2), 0], atol=1e-9)


def rk4_with_tangents(f: Any, jacobian: Any, state: Matrix, dt: float) -> Any:
    """The tangent map of Runge-Kutta's fourth-order step: the variational equation integrated along."""

    def tangent(q: Matrix, n: int) -> Matrix:
        for _ in range(n):
            x1 = state
            k1, d1 = f(x1), jacobian(x1) @ q
            x2 = x1 + dt / 2 * k1
            k2, d2 = f(x2), jacobian(x2) @ (q + dt / 2 * d1)
            x3 = x1 + dt / 2 * k2
            k3, d3 = f(x3), jacobian(x3) @ (q + dt / 2 * d2)
            x4 = x1 + dt * k3
            k4, d4 = f(x4), jacobian(x4) @ (q + dt * d3)
            state[:] = x1 + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            q = q + dt / 6 * (d1 + 2 * d2 + 2 * d3 + d4)
        return q

    return tangent


def test_lorenz_63() -> None:
    """method.md 17, check 19. The sum is the divergence of the flow, -(10 + 1 + 8/3), but for the solver's error."""

    def f(x: Matrix) -> Matrix:
        return np.array([10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]])

    def jacobian(x: Matrix) -> Matrix:
        return np.array([[-10.0, 10.0, 0.0], [28 - x[2], -1.0, -x[0]], [x[1], x[0], -8 / 3]])

    tangent = rk4_with_tangents(f, jacobian, np.array([-8.0, 7.0, 27.0]), 0.01)
    found = qr_exponents(tangent, 3, n_steps=50_000, n_warm_up_steps=2_000, dt=0.01)
    assert found.exponents.sum() == pytest.approx(-(10 + 1 + 8 / 3), abs=2e-3)
    assert (found.standard_error < [0.03, 0.015, 0.03]).all()
    assert (np.abs(found.exponents - [0.9056, 0, -14.5723]) < 3 * found.standard_error + 1e-3).all()


def test_henon_map() -> None:
    """0.4192 and -1.6231 (a = 1.4, b = 0.3); the sum is ln 0.3 exactly."""
    x = np.array([0.1, 0.1])

    def tangent(q: Matrix, n: int) -> Matrix:
        for _ in range(n):
            q = np.array([[-2.8 * x[0], 1.0], [0.3, 0.0]]) @ q
            x[:] = 1 - 1.4 * x[0] ** 2 + x[1], 0.3 * x[0]
        return q

    found = qr_exponents(tangent, 2, n_steps=40_000, n_warm_up_steps=500)
    assert found.exponents.sum() == pytest.approx(np.log(0.3), abs=1e-12)
    assert (np.abs(found.exponents - [0.4192, -1.6231]) < 3 * found.standard_error).all()


def test_error_bars_are_those_of_independent_growth() -> None:
    """One dimension, ln of the factors standard normal: the error of the mean is 1 / sqrt T."""
    n_steps, runs = 4000, []
    for seed in range(40):
        factors = np.exp(np.random.default_rng(seed).standard_normal(n_steps))
        steps = iter(np.split(factors, n_steps // 5))
        runs.append(qr_exponents(lambda q, n, s=steps: next(s).prod() * q, 1, n_steps=n_steps))
    error = np.array([run.standard_error[0] for run in runs])
    z = np.array([run.exponents[0] for run in runs]) / error
    assert error.mean() == pytest.approx(1 / np.sqrt(n_steps), rel=0.1)
    assert np.sqrt(np.mean(z**2)) == pytest.approx(1, abs=0.35)  # three standard errors of 40 draws


def test_the_running_estimate_ends_at_the_exponents() -> None:
    found = qr_exponents(linear(np.diag([2.0, 0.5])), 2, n_steps=103, n_batches=10)
    np.testing.assert_array_equal(found.running[-1], found.exponents)
    assert found.running.shape == (10, 2)
    assert found.batch_ends[-1] == 103
    assert found.intervals.sum() == 103


def test_the_interval_shrinks_until_factors_are_well_conditioned() -> None:
    jacobian = np.diag([1.0, 1e-4])  # 1e20 in five steps, 1e8 in two
    found = qr_exponents(linear(jacobian), 2, n_steps=400, n_warm_up_steps=10)
    assert found.conditions.max() < 1e10
    assert found.intervals.max() == 2
    np.testing.assert_allclose(found.exponents, np.log([1.0, 1e-4]), atol=1e-12)


def test_the_interval_grows_again_after_a_bad_stretch() -> None:
    here = [0]

    def tangent(q: Matrix, n: int) -> Matrix:
        for _ in range(n):
            q = np.diag([1.0, 1e-6 if here[0] < 40 else 0.9]) @ q
            here[0] += 1
        return q

    found = qr_exponents(tangent, 2, n_steps=400, n_batches=2)
    assert found.intervals[:40].min() == 1
    assert found.intervals[-2] == 5


def test_a_singular_map_loses_vectors() -> None:
    found = qr_exponents(linear(np.diag([2.0, 0.0])), 2, n_steps=40, n_warm_up_steps=5)
    assert found.exponents[0] == pytest.approx(np.log(2))
    assert found.exponents[1] == -np.inf
    assert found.conditions.max() == np.inf


def test_overflow_is_told() -> None:
    with np.errstate(over="ignore"), pytest.raises(RunError, match="smaller `interval`"):
        qr_exponents(linear(np.diag([1e200, 1.0])), 2, n_steps=40)


def test_factors() -> None:
    a = np.random.default_rng(0).standard_normal((7, 4))
    q, r = factorised(a.copy())
    np.testing.assert_allclose(q @ r, a, atol=1e-14)
    np.testing.assert_allclose(q.T @ q, np.eye(4), atol=1e-14)
    assert (np.diagonal(r) > 0).all()
    assert not np.tril(r, -1).any()
    assert condition_number(r) == pytest.approx(np.linalg.cond(r, 1), rel=1e-6)  # exact at this size
    assert condition_number(np.diag([1.0, 0.0])) == np.inf


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 3}, "`k` of `qr_exponents` must be in 1..2"),
        ({"k": 0}, "must be in 1..2"),
        ({"n_steps": 0}, "`n_steps` of `qr_exponents` must be >= 20, the number of batches, got 0"),
        ({"n_batches": 1}, "no error bar"),
        ({"interval": 0}, "`interval`"),
        ({"dt": 0.0}, "`dt`"),
        ({"max_condition": 1.0}, "`max_condition`"),
        ({"n_warm_up_steps": -1}, "`n_warm_up_steps`"),
    ],
)
def test_qr_refuses(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words.replace(".", r"\.")):
        qr_exponents(linear(np.eye(2)), 2, **{"n_steps": 100, **options})
    with pytest.raises(InputError, match="`n_rows`"):
        qr_exponents(linear(np.eye(2)), 0, n_steps=100)


# -- the tangent map of a network --------------------------------------------------------------------------------------


class SmoothMap:
    """The definition of a step with the spike smoothed around one trajectory: an oracle written from the listing alone.

    At the trajectory a spike is 0 or 1; away from it, it is that plus S(u) - S(u at the trajectory), with S' = g. The
    state is flat: v, I_exc, I_inh and what is under way in `n_slots` steps; `hard` gives the trajectory itself.
    """

    def __init__(self, network: Network, spikes: Spikes, gain: float) -> None:
        self.network, self.c, self.gain = network, coefficients(network, np.float64), gain
        self.drive, self.n = spikes.dense()[0], network.n_neurons
        self.n_slots = max(1, self.c.n_pending + 1)
        self.weights = np.zeros((2, self.n_slots, self.n, self.n))  # current, delay - 1, post, pre
        for j, i, w, d in zip(
            network.recurrent.pre(), network.recurrent.post, network.recurrent.weight, self.c.recurrent.delay,
            strict=True,
        ):  # fmt: skip
            self.weights[self.current(w), d - 1, i, j] += w
        self.given = np.zeros((2, self.n_slots, self.n, network.n_inputs))
        for j, i, w, d in zip(
            network.inputs.pre(), network.inputs.post, network.inputs.weight, self.c.inputs.delay, strict=True
        ):
            self.given[self.current(w), d - 1, i, j] += w
        self.states, self.held, self.vp, self.fired = self._hard()

    def current(self, weight: float) -> int:
        return 0 if self.network.synapse == "delta" or weight >= 0 else 1

    def reset(self, vp: Matrix, s: Matrix) -> Matrix:
        """Of the potential where s is 1, and in part where it is between."""
        p = self.c.neurons
        return vp - s * (p.v_th - p.v_reset) if self.network.reset == "subtract" else vp * (1 - s) + p.v_reset * s

    def integral(self, u: Matrix) -> Matrix:
        """S with S(0) = 0 and S' = g."""
        return self.gain * np.sign(u) / 10 * (1 - 1 / (1 + 10 * np.abs(u)))

    def _hard(self) -> tuple[Matrix, NDArray[np.bool_], Matrix, NDArray[np.bool_]]:
        state = np.zeros((3 + 2 * self.n_slots, self.n))
        state[0] = self.c.neurons.v_init
        ref = np.zeros(self.n, dtype=int)
        states, held, vps, fired = [], [], [], []
        for t in range(len(self.drive)):
            states.append(state)
            held.append(ref > 0)
            of_held = state[0] if self.network.reset == "subtract" else self.c.neurons.v_reset
            vp = np.where(ref > 0, of_held, self.potential(state))
            s = (vp >= self.c.neurons.v_th) & (ref == 0)
            ref = np.where(s, self.c.neurons.n_ref, np.maximum(ref - 1, 0))
            vps.append(vp)
            fired.append(s)
            state = self.after(state, self.reset(vp, s.astype(float)), s.astype(float), t)
        held.append(ref > 0)
        return np.array(states), np.array(held), np.array(vps), np.array(fired)

    def potential(self, state: Matrix) -> Matrix:
        p, (v, exc, inh) = self.c.neurons, state[:3]
        vp = p.v_rest + p.alpha * (v - p.v_rest) + p.drive
        return vp + exc if self.c.synapse == "delta" else vp + p.k_exc * exc + p.k_inh * inh

    def after(self, state: Matrix, v: Matrix, s: Matrix, t: int) -> Matrix:
        """The next state from the potential after the reset and the spikes, whole or in part."""
        p, pending = self.c.neurons, state[3:].reshape(2, self.n_slots, self.n).copy()
        pending += self.weights @ s
        pending += self.given @ self.drive[t]
        decay = np.zeros((2, self.n)) if self.c.synapse == "delta" else np.stack([p.beta_exc, p.beta_inh])
        currents = decay * state[1:3] + pending[:, 0]
        later = np.concatenate([pending[:, 1:], np.zeros((2, 1, self.n))], axis=1)
        return np.concatenate([v[None], currents, later.reshape(-1, self.n)])

    def smooth_step(self, vp: Matrix, state: Matrix, t: int) -> Matrix:
        p = self.c.neurons
        base = self.fired[t].astype(float)
        rise = self.integral(vp - p.v_th) - self.integral(self.vp[t] - p.v_th)
        s = base + np.where(self.held[t], 0, rise)
        return self.after(state, self.reset(vp, s), s, t)

    def flow(self, z: Matrix, first: int, last: int) -> Matrix:
        """What a tangent vector is of, after the steps first ... last - 1, from its value `z` before them."""
        state = self.states[first].copy()
        if self.c.synapse == "delta":  # z is vp of step `first`, and of step `last` in the end
            vp = z
            for t in range(first, last):
                state = self.smooth_step(vp, state, t)
                vp = np.where(self.held[t + 1], state[0], self.potential(state))
            return vp
        state[:3] = z.reshape(3, self.n)
        for t in range(first, last):
            vp = np.where(self.held[t], state[0], self.potential(state))
            state = self.smooth_step(vp, state, t)
        return state[:3].reshape(-1)

    def start(self, first: int) -> Matrix:
        return self.vp[first] if self.c.synapse == "delta" else self.states[first][:3].reshape(-1)

    def jacobian(self, first: int, last: int, h: float = 1e-6) -> Matrix:
        """Central differences: second-order, but a kink of g at the threshold that h does not cross."""
        z = self.start(first)
        columns = []
        for e in np.eye(z.size):
            columns.append((self.flow(z + h * e, first, last) - self.flow(z - h * e, first, last)) / (2 * h))
        return np.array(columns).T


def lively(synapse: str, longest_delay: int, n: int = 5, seed: int = 3) -> tuple[Network, Spikes]:
    rng = np.random.default_rng(seed)
    network = random_network(rng, n=n, n_inputs=4, density=0.7, synapse=synapse, longest_delay=longest_delay)
    return network, random_spikes(rng, network, n_samples=1, n_steps=60, rate=0.3)


def with_mixed_signs(network: Network, seed: int = 0) -> Network:
    """A third of the weights of every row turned round."""
    rng = np.random.default_rng(seed)
    turned = [
        table.weight * np.where(rng.random(len(table)) < 1 / 3, -1, 1) for table in (network.recurrent, network.inputs)
    ]
    return replace(network, dale=False).with_weights(turned[0], inputs=turned[1])


@pytest.mark.parametrize("gain", [1.0, 0.3])
@pytest.mark.parametrize("longest_delay", [1, 4])
@pytest.mark.parametrize("synapse", ["exp", "delta"])
@pytest.mark.parametrize("kind", ["", "subtract", "mixed", "subtract and mixed"])
def test_the_tangent_map_is_the_derivative_of_the_smooth_map(
    kind: str, synapse: str, longest_delay: int, gain: float
) -> None:
    network, spikes = lively(synapse, longest_delay)
    if "subtract" in kind:
        network = replace(network, reset="subtract")
    if "mixed" in kind:
        network = with_mixed_signs(network)
    oracle = SmoothMap(network, spikes, gain)
    assert oracle.fired.sum() > 20  # resets, clamps
    assert oracle.held.sum() > 20
    assert (network.neurons.sign < 0).any()
    assert np.abs(oracle.vp - network.neurons.v_th).min() > 1e-5  # no kink nearby
    z = oracle.start(10)
    reached = oracle.flow(z, 10, 25)
    np.testing.assert_allclose(reached, oracle.start(25), atol=1e-12)  # the smooth map follows the trajectory
    for first, last in ((7, 8), (8, 9), (10, 18), (30, 45)):
        tangent = NetworkTangent(network, spikes, gain, n_threads=1)
        tangent.skip(first)
        found = tangent(np.eye(tangent.n_rows, tangent.n_state, order="F"), last - first)
        np.testing.assert_allclose(found[: tangent.n_state], oracle.jacobian(first, last), atol=1e-6)


def test_the_derivative_of_the_smooth_spike_is_the_surrogate() -> None:
    u = np.linspace(-2, 2, 41) + 0.01
    network, spikes = lively("exp", 1)
    smooth = SmoothMap(network, spikes, 0.7).integral
    np.testing.assert_allclose((smooth(u + 1e-6) - smooth(u - 1e-6)) / 2e-6, surrogate(u, 0.7), rtol=1e-6)
    assert surrogate(np.zeros(1), 0.7).tolist() == [0.7]


@settings(max_examples=20, deadline=None)
@given(networks_with_spikes(most_samples=1, steps=(40,)), st.sampled_from([1, 3]))
def test_the_trajectory_is_that_of_the_engines(drawn: tuple[Network, Spikes], pieces: int) -> None:
    """The potentials that the tangent map is made at cross the threshold where `simulate` has spikes, and nowhere
    else; whatever the pieces it is asked for in."""
    network, spikes = drawn
    if spikes.n_samples == 0:
        return
    fired = simulate(network, spikes, record=Record(spikes=True), dtype=np.float64).spikes
    assert fired is not None
    c, live = coefficients(network, np.float64), stream(network, dtype=np.float64)
    raster = []
    for channels in spikes.dense()[0]:
        state = live.state
        vp = candidate_potential(c, state)
        raster.append((vp >= c.neurons.v_th) & (state.refractory[0] == 0))
        live.step(np.flatnonzero(channels))
    np.testing.assert_array_equal(raster, fired.dense()[0])
    tangent = NetworkTangent(network, spikes, 1.0, n_threads=1)
    parts = [tangent.linearised(n) for n in np.diff(np.linspace(0, 40, pieces + 1).astype(int))]
    held, held_next = (np.concatenate([getattr(p, name) for p in parts]) for name in ("held", "held_next"))
    np.testing.assert_array_equal(held_next[:-1], held[1:])
    reset = np.isclose(np.concatenate([p.factor for p in parts]), 1) & held
    np.testing.assert_array_equal(reset, held)  # the row factor is 1 while clamped
    assert not np.concatenate([p.gain for p in parts])[held].any()


def dense_steps(
    network: Network, spikes: Spikes, gain: float, first: int, n_steps: int, *, only_at_spikes: bool = False
) -> list[Matrix]:
    """J of each step as a matrix, from the tangent map one step and one unit vector at a time."""
    tangent = NetworkTangent(network, spikes, gain, n_threads=1, only_at_spikes=only_at_spikes)
    tangent.skip(first)
    return [tangent(np.eye(tangent.n_rows, order="F"), 1) for _ in range(n_steps)]


@pytest.mark.parametrize("synapse", ["exp", "delta"])
@pytest.mark.parametrize("longest_delay", [1, 3])
def test_many_columns_on_two_threads_are_products_of_matrices(synapse: str, longest_delay: int) -> None:
    network, spikes = lively(synapse, longest_delay, n=20)
    tangent = NetworkTangent(network, spikes, 1.0, n_threads=2)
    q = np.asfortranarray(np.random.default_rng(1).standard_normal((tangent.n_rows, 150)))  # two panels and a rest
    expected = np.linalg.multi_dot([*dense_steps(network, spikes, 1.0, 0, 5)[::-1], q])
    found = tangent(q, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert np.shares_memory(found, q)


@pytest.mark.parametrize("synapse", ["exp", "delta"])
@pytest.mark.parametrize("longest_delay", [1, 3, 9])
def test_kernels_for_spikes_alone_do_what_the_others_do(synapse: str, longest_delay: int) -> None:
    """On the same steps: spikes of the past, on their way at the end, and steps without any."""
    network, spikes = lively(synapse, longest_delay, n=20)
    at_spikes = NetworkTangent(network, spikes, 3.0, n_threads=2, only_at_spikes=True)
    every_row = NetworkTangent(network, spikes, 3.0, n_threads=1)
    q = np.asfortranarray(np.random.default_rng(1).standard_normal((at_spikes.n_rows, 150)))
    for n_steps in (1, 5, 12):
        steps = at_spikes.linearised(n_steps)
        expected = every_row.apply(steps, q.copy(order="F"))
        found = at_spikes.apply(steps, q)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        assert np.shares_memory(found, q)
        np.testing.assert_allclose(at_spikes.growth(steps), every_row.growth(steps), rtol=1e-12)


@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_one_neuron_at_spikes_alone(synapse: str) -> None:
    """It has a synapse on itself, over two steps."""
    neurons = neuron_table(1, tau_mem_ms=10.0, bias=3.0)
    loop = synapse_table([0], [0], n_pre=1, weight=0.5, delay_ms=2.0)
    network = Network(neurons, loop, synapse_table([], [], n_pre=1), dt_ms=1.0, synapse=synapse)  # type: ignore[arg-type]
    spikes = Spikes.empty(1, n_units=1, n_steps=30, dt_ms=1.0)
    at_spikes = NetworkTangent(network, spikes, 1.0, n_threads=1, only_at_spikes=True)
    steps = at_spikes.linearised(30)
    assert np.count_nonzero(steps.gain) > 2
    every_row = NetworkTangent(network, spikes, 1.0, n_threads=1)
    np.testing.assert_allclose(at_spikes.growth(steps), every_row.growth(steps), rtol=1e-12)


@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_at_spikes_alone_the_surrogate_has_no_tail(synapse: str) -> None:
    network, spikes = lively(synapse, 1, n=20)
    whole, cut = (
        NetworkTangent(network, spikes, 3.0, 1, only_at_spikes=only).linearised(spikes.n_steps)
        for only in (False, True)
    )  # fmt: skip
    fired = simulate(network, spikes, record=Record(spikes=True), dtype=np.float64).spikes
    assert fired is not None
    at_spikes = fired.dense()[0].astype(bool)
    assert at_spikes.any()
    np.testing.assert_array_equal(cut.gain, np.where(at_spikes, whole.gain, 0.0))
    np.testing.assert_array_equal(cut.factor[at_spikes], whole.factor[at_spikes])
    assert (cut.factor[~at_spikes] == 1).all()
    np.testing.assert_array_equal(cut.held, whole.held)
    spectra = [
        literal_spectrum(network, spikes, k=1, surrogate_gain=3.0, only_at_spikes=only, n_warm_up_steps=5, n_batches=2)
        for only in (False, True)
    ]
    assert [found.only_at_spikes for found in spectra] == [False, True]
    assert spectra[0].lyapunov_max_per_ms != spectra[1].lyapunov_max_per_ms


# -- the spectrum of a network -----------------------------------------------------------------------------------------


def plain_qr(steps: list[Matrix], k: int, n_warm_up: int, dt: float, seed: int) -> Matrix:
    """One factorisation per step, by NumPy, from the same first vectors: the oracle of the spectrum."""
    q = np.linalg.qr(random_stream(seed, "lyapunov").standard_normal((k, len(steps[0]))).T)[0]
    total = np.zeros(k)
    for t, jacobian in enumerate(steps):
        q, r = np.linalg.qr(jacobian @ q)
        total += (t >= n_warm_up) * np.log(np.abs(np.diagonal(r)))
    return np.sort(total / ((len(steps) - n_warm_up) * dt))[::-1]


@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_the_spectrum_is_that_of_dense_linear_algebra(synapse: str) -> None:
    rng = np.random.default_rng(4)
    network = random_network(rng, n=6, n_inputs=4, density=0.6, synapse=synapse, dt_ms=0.5)
    spikes = random_spikes(rng, network, n_samples=1, n_steps=300, rate=0.2)
    steps = dense_steps(network, spikes, 1.0, 0, 300)
    for options in ({"interval": 5}, {"interval": 1, "n_threads": 2, "seed": 1}):
        found = literal_spectrum(network, spikes, k=4, n_warm_up_steps=50, **options)  # type: ignore[arg-type]
        expected = plain_qr(steps, 4, 50, 0.5, options.get("seed", 0))
        np.testing.assert_allclose(found.exponents_per_ms, expected, rtol=1e-9)
        assert found.conditions.max() < 1e10
        assert found.warnings == ()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**20), st.sampled_from([0.1, 1.0]), st.sampled_from([1.0, 0.1]))
def test_the_sum_of_the_whole_spectrum_is_the_contraction_of_volume(seed: int, gain: float, dt_ms: float) -> None:
    """Exponential synapses: det J = prod (factor alpha or 1) prod beta, whatever the weights, by Schur's complement."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, n=7, density=0.5, dt_ms=dt_ms)
    spikes = random_spikes(rng, network, n_samples=1, n_steps=120)
    found = literal_spectrum(network, spikes, surrogate_gain=gain, n_warm_up_steps=20)
    if not found.surrogate_gain:
        return
    tangent = NetworkTangent(network, spikes, gain, n_threads=1)
    tangent.skip(20)
    steps, c = tangent.linearised(100), coefficients(network, np.float64).neurons
    contraction = np.log(np.abs(steps.factor)).sum() + np.where(steps.held, 0, np.log(c.alpha)).sum()
    contraction += 100 * (np.log(c.beta_exc).sum() + np.log(c.beta_inh).sum())
    expected = contraction / (100 * dt_ms)
    assert found.exponents_per_ms.sum() == pytest.approx(expected, rel=1e-6)  # digits go with conditions near 1e10
    assert found.node_exponents_per_ms.sum() == pytest.approx(found.exponents_per_ms.sum(), rel=1e-12)  # check 3
    np.testing.assert_allclose(found.node_weights, 3, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 5, 12])
def test_shares_of_neurons_add_up_to_the_exponents_that_were_asked_for(k: int) -> None:
    network, spikes = lively("delta", 2, n=12)
    found = literal_spectrum(network, spikes, k=k, n_warm_up_steps=10)
    assert found.node_exponents_per_ms.shape == (12,)
    assert found.node_exponents_per_ms.sum() == pytest.approx(found.exponents_per_ms.sum(), rel=1e-12)
    assert found.node_weights.sum() == pytest.approx(k, rel=1e-12)
    assert (found.node_weights > 0).all()


def uncoupled(synapse: str) -> tuple[Network, Spikes]:
    """Three neurons without synapses that spike on their bias, with different time constants."""
    neurons = neuron_table(3, tau_mem_ms=[8.0, 20.0, 50.0], bias=[1.5, 2.0, 3.0], t_ref_ms=[0.0, 2.0, 3.0])
    nothing = synapse_table([], [], n_pre=3)
    network = Network(neurons, nothing, synapse_table([], [], n_pre=1), dt_ms=1.0, synapse=synapse)  # type: ignore[arg-type]
    return network, Spikes.empty(1, n_units=1, n_steps=2100, dt_ms=1.0)


def growth_of_each(network: Network, spikes: Spikes, first: int) -> Matrix:
    """ln of the factor of v per step of neurons without synapses, (n_steps, N)."""
    tangent = NetworkTangent(network, spikes, 1.0, n_threads=1)
    tangent.skip(first)
    steps = tangent.linearised(spikes.n_steps - first)
    held = steps.held if network.synapse == "exp" else steps.held_next
    alpha = np.exp(-network.dt_ms / network.neurons.tau_mem_ms)
    return np.log(np.abs(steps.factor)) + np.where(held, 0, np.log(alpha))


@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_exponents_of_uncoupled_neurons_are_their_own(synapse: str) -> None:
    network, spikes = uncoupled(synapse)
    found = literal_spectrum(network, spikes, n_warm_up_steps=100)
    own = growth_of_each(network, spikes, 100).mean(axis=0)
    currents = [-1 / 3, -1 / 6] if synapse == "exp" else []
    expected = np.sort(np.concatenate([own, np.repeat(currents, 3)]))[::-1]
    # Vectors between two exponents that are close turn slowly, hence the tolerance; the sums are exact.
    np.testing.assert_allclose(found.exponents_per_ms, expected, atol=5e-3)
    np.testing.assert_allclose(found.node_exponents_per_ms, own + sum(currents), atol=5e-3)
    assert found.exponents_per_ms.sum() == pytest.approx(expected.sum(), rel=1e-9)


@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_local_exponents_of_uncoupled_neurons(synapse: str) -> None:
    network, spikes = uncoupled(synapse)
    found = literal_local(network, spikes, n_horizon_steps=7, n_times=30)
    growth = growth_of_each(network, spikes, 0)
    own = np.array([growth[t : t + 7].sum(axis=0) / 7 for t in found.start_steps])
    np.testing.assert_allclose(found.exponents_per_ms, own.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.standard_error_per_ms, own.std(axis=0, ddof=1) / np.sqrt(30), rtol=1e-9)
    assert (np.diff(found.start_steps) >= 7).all()
    assert found.start_steps[0] == 100
    assert found.start_steps[-1] + 7 <= 2100


@pytest.mark.parametrize("only_at_spikes", [False, True])
@pytest.mark.parametrize("longest_delay", [2, 8])
@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_local_exponents_are_columns_of_a_product(synapse: str, longest_delay: int, only_at_spikes: bool) -> None:
    """Also where delays are longer than the horizon."""
    network, spikes = lively(synapse, longest_delay, n=9)
    found = literal_local(
        network, spikes, n_horizon_steps=6, n_times=3, n_warm_up_steps=5, only_at_spikes=only_at_spikes
    )
    expected = []
    for t in found.start_steps.tolist():
        steps = dense_steps(network, spikes, 1.0, t, 6, only_at_spikes=only_at_spikes)
        product = np.linalg.multi_dot(steps[::-1])
        expected.append(np.log(np.linalg.norm(product[:, :9], axis=0)) / 6)
    np.testing.assert_allclose(found.exponents_per_ms, np.mean(expected, axis=0), rtol=1e-9)


def test_numbering_neurons_otherwise_permutes_their_exponents() -> None:
    """Local exponents do not know the number of a neuron."""
    network, spikes = lively("exp", 1, n=12)
    order = np.random.default_rng(0).permutation(12)
    place = np.argsort(order)  # neuron i becomes number place[i]
    tables = []
    for table, pre in ((network.recurrent, place[network.recurrent.pre()]), (network.inputs, network.inputs.pre())):
        columns = {name: getattr(table, name) for name in ("weight", "delay_ms", "w_max")}
        tables.append(synapse_table(pre, place[table.post], n_pre=table.n_pre, **columns))
    permuted = replace(network, neurons=network.neurons.select(order), recurrent=tables[0], inputs=tables[1])
    a, b = (literal_local(n, spikes, n_warm_up_steps=10, n_times=2) for n in (network, permuted))
    np.testing.assert_allclose(b.exponents_per_ms, a.exponents_per_ms[order], rtol=1e-9)


def test_a_neuron_without_synapses_changes_nothing_for_the_others() -> None:
    network, spikes = lively("exp", 1, n=12)
    table = network.recurrent
    isolated = network.keep_synapses((table.pre() != 11) & (table.post != 11))
    alone = isolated.keep_neurons(np.arange(12) != 11)
    a, b = (literal_local(n, spikes, n_warm_up_steps=10, n_times=2) for n in (isolated, alone))
    np.testing.assert_allclose(b.exponents_per_ms, a.exponents_per_ms[:11], rtol=1e-9)


@pytest.mark.parametrize("only_at_spikes", [False, True])
@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_the_number_of_threads_changes_no_bit(synapse: str, only_at_spikes: bool) -> None:
    network, spikes = lively(synapse, 1, n=80)
    options: dict[str, Any] = {"n_warm_up_steps": 10, "only_at_spikes": only_at_spikes}
    a, b = (literal_spectrum(network, spikes, n_threads=n, k=70, **options) for n in (1, 3))
    np.testing.assert_array_equal(a.exponents_per_ms, b.exponents_per_ms)
    np.testing.assert_array_equal(a.node_exponents_per_ms, b.node_exponents_per_ms)
    c, d = (literal_local(network, spikes, n_times=2, n_threads=n, **options) for n in (1, 3))
    np.testing.assert_array_equal(c.exponents_per_ms, d.exponents_per_ms)


# -- bad input, and what is documented for odd input -------------------------------------------------------------------


@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_a_silent_network_has_the_exponents_of_its_leak(synapse: str) -> None:
    """Also with strong synapses, which nothing travels along; here the drive has no events."""
    rng = np.random.default_rng(0)
    network = random_network(rng, n=8, synapse=synapse)
    network = replace(network, neurons=replace(network.neurons, v_th=np.full(8, 100.0)))
    quiet = Spikes.empty(1, n_units=network.n_inputs, n_steps=300, dt_ms=1.0)
    found = literal_spectrum(network, quiet)
    neurons = network.neurons
    rates = [-1 / neurons.tau_mem_ms]
    if synapse == "exp":
        rates += [-1 / neurons.tau_syn_exc_ms, -1 / neurons.tau_syn_inh_ms]
    np.testing.assert_allclose(found.exponents_per_ms, np.sort(np.concatenate(rates))[::-1], rtol=1e-12)
    np.testing.assert_allclose(found.node_exponents_per_ms, np.sum(rates, axis=0), rtol=1e-12)
    assert found.lyapunov_max_per_ms == pytest.approx(-1 / max(1 / -r for r in np.concatenate(rates)))
    assert not found.standard_error_per_ms.any()
    assert found.surrogate_gain == 0
    (sentence,) = found.warnings
    assert "8 of 8 neurons (100%)" in sentence
    assert "those of its leak" in sentence
    local = literal_local(network, quiet)
    np.testing.assert_allclose(local.exponents_per_ms, -1 / neurons.tau_mem_ms, rtol=1e-12)
    assert local.warnings == found.warnings
    leading = literal_spectrum(network, quiet, k=3)
    np.testing.assert_array_equal(leading.exponents_per_ms, found.exponents_per_ms[:3])
    assert leading.node_exponents_per_ms.sum() == pytest.approx(leading.exponents_per_ms.sum())
    assert leading.node_weights.sum() == 3


def test_the_leak_is_what_the_tangent_map_gives_without_synapses() -> None:
    """The closed form against the method: at rest and reset to rest, the surrogate acts through synapses alone."""
    neurons = neuron_table(4, tau_mem_ms=[5.0, 10.0, 20.0, 40.0], v_rest=0.1, v_reset=0.1, v_init=0.1, t_ref_ms=1.0)
    nothing = synapse_table([], [], n_pre=4)
    network = Network(neurons, nothing, synapse_table([], [], n_pre=1), dt_ms=1.0, synapse="exp")
    quiet = Spikes.empty(1, n_units=1, n_steps=2000, dt_ms=1.0)
    tangent = NetworkTangent(network, quiet, 1.0, n_threads=1)
    found = qr_exponents(tangent, 12, n_steps=1500, n_warm_up_steps=500)
    np.testing.assert_allclose(found.exponents, literal_spectrum(network, quiet).exponents_per_ms, atol=1e-3)
    assert found.exponents.sum() == pytest.approx(literal_spectrum(network, quiet).exponents_per_ms.sum(), rel=1e-9)


def test_the_share_of_silent_neurons_is_told() -> None:
    neurons = neuron_table(4, bias=[2.0, 2.0, 2.0, 0.0], t_ref_ms=1.0)
    network = Network(neurons, synapse_table([0], [1], n_pre=4), synapse_table([], [], n_pre=1), dt_ms=1.0)
    quiet = Spikes.empty(1, n_units=1, n_steps=300, dt_ms=1.0)
    found = literal_spectrum(network, quiet, k=2)
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("1 of 4 neurons (25%) never spike")
    assert found.surrogate_gain == 1
    assert found.rates_hz[3] == 0
    assert (found.rates_hz[:3] > 20).all()


def test_ill_conditioned_factors_are_told() -> None:
    """A neuron whose current decays by e^-25 per step: no interval helps."""
    neurons = neuron_table(2, bias=2.0, tau_syn_exc_ms=[0.04, 3.0], t_ref_ms=1.0)
    network = Network(neurons, synapse_table([0], [1], n_pre=2), synapse_table([], [], n_pre=1), dt_ms=1.0)
    found = literal_spectrum(network, Spikes.empty(1, n_units=1, n_steps=300, dt_ms=1.0))
    assert found.intervals.max() == 1
    assert "200 of 200 factorisations have a condition number above 1e+10" in found.warnings[0]
    assert found.exponents_per_ms[-1] == pytest.approx(-25, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"k": 37},
            "`k` of `lyapunov_spectrum` must be in 1..36, the dimension of the state with exp synapses, got 37",
        ),
        ({"k": 0}, "must be in 1..36"),
        (
            {"n_warm_up_steps": 60},
            "must have 20 steps or more beyond `n_warm_up_steps`, got 60 steps with 60 of warm-up",
        ),
        ({"n_warm_up_steps": 41}, "give a longer drive or a shorter warm-up"),
        ({"n_warm_up_steps": -1}, "`n_warm_up_steps` of `lyapunov_spectrum` must be >= 0"),
        ({"surrogate_gain": 0.0}, "`surrogate_gain` of `lyapunov_spectrum` must be > 0"),
        ({"surrogate_gain": np.nan}, "must be > 0 and finite"),
        ({"interval": 0}, "`interval`"),
        ({"n_batches": 1}, "no error bar"),
        ({"n_threads": 0}, "`n_threads`"),
    ],
)
def test_the_spectrum_refuses(options: dict[str, Any], words: str) -> None:
    network, spikes = lively("exp", 1, n=12)
    with pytest.raises(InputError, match=words.replace(".", r"\.").replace("+", r"\+")):
        literal_spectrum(network, spikes, **{"n_warm_up_steps": 10, **options})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_horizon_steps": 0}, "`n_horizon_steps`"),
        ({"n_times": 1}, "no error bar"),
        ({"n_horizon_steps": 26}, "must have 52 steps or more beyond"),
        ({"surrogate_gain": -1.0}, "`surrogate_gain` of `local_exponents`"),
    ],
)
def test_local_exponents_refuse(options: dict[str, Any], words: str) -> None:
    network, spikes = lively("exp", 1, n=12)
    with pytest.raises(InputError, match=words):
        literal_local(network, spikes, **{"n_warm_up_steps": 10, "n_times": 2, **options})


def test_one_drive_at_a_time() -> None:
    network, spikes = lively("exp", 1)
    two = Spikes.join([spikes, spikes])
    with pytest.raises(InputError, match=r"must hold one sample, got 2; .* spikes\.select"):
        literal_spectrum(network, two)
    with pytest.raises(InputError, match="dt_ms"):
        literal_spectrum(replace(network, dt_ms=0.5), spikes, n_warm_up_steps=0)


def test_a_network_cannot_hold_weights_that_are_not_numbers() -> None:
    """So exponents need not look for them."""
    network, _ = lively("exp", 1)
    weight = network.recurrent.weight.copy()
    weight[3] = np.nan
    with pytest.raises(InputError, match="must be finite, got nan at index 3"):
        network.with_weights(weight)


def test_delta_synapses_have_a_dimension_of_n() -> None:
    network, spikes = lively("delta", 1)
    with pytest.raises(InputError, match=r"1\.\.5, the dimension of the state with delta synapses"):
        literal_spectrum(network, spikes, k=6)
    assert literal_spectrum(network, spikes, n_warm_up_steps=10).dimension == 5


def test_rows_belong_to_neurons_in_turn() -> None:
    assert node_exponents(np.arange(6.0), 3).tolist() == [3.0, 5.0, 7.0]


def test_a_built_network() -> None:
    """What users have: heterogeneous, small-world, a Poisson drive. Rates are those of the measured part."""
    network = build(NetworkSpec(n_neurons=60, n_inputs=20, excitatory={"bias": 1.1}), seed=0)
    rng = np.random.default_rng(0)
    spikes = random_spikes(rng, network, n_samples=1, n_steps=400, rate=0.02)
    found = literal_spectrum(network, spikes, k=10)
    fired = simulate(network, spikes, record=Record(spikes=True), dtype=np.float64).spikes
    assert fired is not None
    expected = fired.dense()[0, 100:].sum(axis=0) / 0.3
    np.testing.assert_allclose(found.rates_hz, expected)
    assert (np.diff(found.exponents_per_ms) <= 0).all()
    assert np.isfinite(found.node_exponents_per_ms).all()
    assert (found.standard_error_per_ms > 0).all()
