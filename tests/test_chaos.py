"""Known points, order of convergence and bad arguments of the integrators and systems."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hrsnn._checks import InputError
from hrsnn.data import chaos


def test_lorenz63_second_point_is_the_published_one() -> None:
    series = chaos.lorenz63(2)
    assert series.values[0].tolist() == [-8.0, 7.0, 27.0]
    np.testing.assert_allclose(series.values[1], [-6.5810, 6.8147, 25.7931], atol=5e-5)  # four digits are published


def test_lorenz63_states_solver_and_exponent() -> None:
    series = chaos.lorenz63(2, dt=0.02, substeps=4)
    assert series.solver == "RK4, step 0.005 (4 per value)"
    assert series.lyapunov_exponent == 0.906
    assert chaos.lorenz63(2, rho=20.0).lyapunov_exponent is None


def test_rk4_on_a_polynomial_of_degree_four_is_exact() -> None:
    # The state carries time as its second variable; d/dt t^4 = 4 t^3, and RK4 integrates cubics exactly (Simpson).
    field = lambda u: np.array([4.0 * u[1] ** 3, 1.0])  # noqa: E731
    end = chaos.integrate(field, [0.0, 0.0], n_steps=3, dt=0.5)[-1]
    np.testing.assert_allclose(end, [1.0, 1.0], rtol=1e-15)


def test_rk4_error_falls_by_sixteen_when_the_step_is_halved() -> None:
    field = lambda u: np.array([u[1], -u[0]])  # noqa: E731  harmonic oscillator
    errors = [
        np.abs(chaos.integrate(field, [1.0, 0.0], n_steps=2, dt=5.0, substeps=n)[-1] - [np.cos(5), -np.sin(5)]).max()
        for n in (20, 40, 80, 160)
    ]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(orders[-1], 4.0, atol=0.05)


def test_lorenz63_converges_with_order_four() -> None:
    ends = [chaos.lorenz63(2, dt=1.0, substeps=n).values[-1] for n in (400, 800, 1600, 3200)]
    differences = [np.abs(b - a).max() for a, b in pairwise(ends)]
    assert 3.9 < np.log2(differences[1] / differences[2]) < 4.3


def test_rossler_converges_with_order_four() -> None:
    ends = [chaos.rossler(2, dt=10.0, substeps=n).values[-1] for n in (500, 1000, 2000)]
    differences = [np.abs(b - a).max() for a, b in pairwise(ends)]
    assert 3.7 < np.log2(differences[0] / differences[1]) < 4.3


def test_lorenz96_without_coupling_is_the_system_of_one_scale() -> None:
    def field(x: np.ndarray) -> np.ndarray:
        return np.array([x[k - 1] * (x[(k + 1) % 8] - x[k - 2]) - x[k] + 8.0 for k in range(8)])

    plain = chaos.integrate(field, [8.08] + [8.0] * 7, n_steps=400, dt=0.005)
    np.testing.assert_allclose(chaos.lorenz96(400, forcing=8.0, coupling=0.0, n_discard=0).values, plain, rtol=1e-9)


def test_lorenz96_couples_the_scales_as_in_the_equations() -> None:
    # The first slope of X by hand, from the known start: dX_k = advection - X_k + F - h sum_j Y_jk.
    h = 1e-6
    first, second = chaos.lorenz96(2, dt=h, n_discard=0).values
    y = 0.01 * np.sin(np.arange(64)).reshape(8, 8)
    hand = [first[k - 1] * (first[(k + 1) % 8] - first[k - 2]) - first[k] + 20.0 - y[k].sum() for k in range(8)]
    np.testing.assert_allclose((second - first) / h, hand, atol=1e-3)  # a difference quotient over h


def test_lorenz96_converges_with_order_four() -> None:
    ends = [chaos.lorenz96(2, dt=0.2, substeps=n, n_discard=0).values[-1] for n in (100, 200, 400)]
    differences = [np.abs(b - a).max() for a, b in pairwise(ends)]
    assert 3.7 < np.log2(differences[0] / differences[1]) < 4.3


def test_mackey_glass_up_to_tau_is_the_exact_exponential() -> None:
    # While it looks back on the constant past c, x' = k - gamma x with k = beta c / (1 + c^10).
    c, gamma = 0.8, 0.1
    k = 0.2 * c / (1 + c**10)
    t = np.arange(18.0)
    exact = k / gamma + (c - k / gamma) * np.exp(-gamma * t)
    found = chaos.mackey_glass(18, start=c, substeps=20, n_discard=0).values[:, 0]
    np.testing.assert_allclose(found, exact, rtol=1e-10)  # RK4 local error (0.005)^5 / 120


def test_mackey_glass_converges_with_order_four_beyond_several_delays() -> None:
    ends = [chaos.mackey_glass(101, substeps=n, n_discard=0).values[-1, 0] for n in (2, 4, 8, 16)]
    differences = np.abs(np.diff(ends))
    np.testing.assert_allclose(np.log2(differences[:-1] / differences[1:]), 4.0, atol=0.1)


def test_mackey_glass_with_one_step_per_delay() -> None:
    coarse = chaos.mackey_glass(10, dt=17.0, substeps=1, n_discard=0)
    assert np.isfinite(coarse.values).all()


def test_mackey_glass_stays_in_its_known_range() -> None:
    values = chaos.mackey_glass(3000).values
    assert 0.4 < values.min() < 0.45
    assert 1.3 < values.max() < 1.35


def test_substeps_and_discard_only_shift_and_refine() -> None:
    whole = chaos.lorenz63(30)
    np.testing.assert_array_equal(chaos.lorenz63(20, n_discard=10).values, whole.values[10:])
    np.testing.assert_array_equal(chaos.lorenz63(15, dt=0.02, substeps=2).values, whole.values[::2])
    late = chaos.mackey_glass(5, n_discard=20)
    np.testing.assert_array_equal(late.values, chaos.mackey_glass(25, n_discard=0).values[20:])


def test_a_start_on_a_fixed_point_stays_there() -> None:
    c = np.sqrt(8 / 3 * 27)
    values = chaos.lorenz63(50, start=(c, c, 27.0)).values
    np.testing.assert_allclose(values, np.tile([c, c, 27.0], (50, 1)), rtol=1e-10)


@pytest.mark.parametrize("name", ["n_steps", "dt", "substeps", "n_discard"])
@pytest.mark.parametrize("system", [chaos.lorenz63, chaos.rossler, chaos.mackey_glass])
def test_a_negative_argument_is_named(system, name: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=f"`{name}`.*got -1"):
        system(**{name: -1})


def test_a_delay_between_the_points_of_the_grid_is_refused() -> None:
    with pytest.raises(InputError, match="`tau` of `mackey_glass` must be a whole number of integration steps"):
        chaos.mackey_glass(10, tau=17.05, substeps=10)


def test_a_solution_that_runs_away_is_an_error_with_its_step() -> None:
    with pytest.raises(InputError, match=r"must be finite, got .* at step"):
        chaos.lorenz63(50, dt=1.0)


def test_a_start_of_the_wrong_length_is_an_error() -> None:
    with pytest.raises(InputError, match="`start` of `lorenz63` must hold three values"):
        chaos.lorenz63(2, start=(1.0, 2.0))
