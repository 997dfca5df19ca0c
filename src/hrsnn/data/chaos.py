"""Chaotic systems as `Series`, solved by own integrators of fourth order with fixed steps.

Each function gives the values at 0, dt, 2 dt, ..., the first being `start` unless `n_discard` leaves some out.
`substeps` integration steps lie between two values. The solver stands in `Series.solver`: the error of a loose solver
acts on a forecaster like noise, so a score means little without it.

Lyapunov exponents are stated for the standard parameters only, from: Lorenz-63 Sprott 2003, "Chaos and Time-Series
Analysis" (0.9056); Rössler with c = 10 Wolf et al. 1985, Physica D 16 (0.13 bits per unit of time); Mackey-Glass with
tau = 17 Farmer 1982, Physica D 4 (about 0.006 per unit of time, one digit).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import require
from hrsnn.data.dataset import Series

Field = Callable[[NDArray[np.float64]], NDArray[np.float64]]

LORENZ63_EXPONENT = 0.906
ROSSLER_EXPONENT = 0.13 * math.log(2)
MACKEY_GLASS_EXPONENT = 0.006


_MOST_STEPS = 10**8  # taken one by one: more would not end


def rk4_step(field: Field, state: NDArray[np.float64], h: float) -> NDArray[np.float64]:
    """The state after time `h` of dy/dt = field(y), by the classical Runge-Kutta method of order 4.

    >>> y = rk4_step(lambda y: -y, np.array([1.0]), 0.1)
    >>> bool(abs(y[0] - np.exp(-0.1)) < 1e-7)
    True
    """
    k1 = field(state)
    k2 = field(state + (0.5 * h) * k1)
    k3 = field(state + (0.5 * h) * k2)
    k4 = field(state + h * k3)
    return state + (h / 6.0) * (k1 + 2.0 * (k2 + k3) + k4)


def integrate(
    field: Field, start: ArrayLike, *, n_steps: int, dt: float, substeps: int = 1, n_discard: int = 0
) -> NDArray[np.float64]:
    """`n_steps` states at distances `dt`, shape `(n_steps, n_variables)`; see the head of the module."""
    _check_grid("integrate", n_steps, dt, substeps, n_discard)
    state = np.array(start, dtype=np.float64)
    states = np.empty((n_steps, state.size))
    h = dt / substeps
    with np.errstate(over="ignore", invalid="ignore"):  # a solution that runs away shows as an error of `Series`
        for step in range(-n_discard, n_steps):
            if step >= 0:
                states[step] = state
            for _ in range(substeps):
                state = rk4_step(field, state, h)
    return states


def lorenz63(
    n_steps: int = 5000,
    *,
    dt: float = 0.01,
    start: Sequence[float] = (-8.0, 7.0, 27.0),
    sigma: float = 10.0,
    rho: float = 28.0,
    beta: float = 8.0 / 3.0,
    substeps: int = 1,
    n_discard: int = 0,
) -> Series:
    """dx/dt = sigma (y - x), dy/dt = x (rho - z) - y, dz/dt = x y - beta z (method.md 15.1).

    The defaults are those of the published forecasting data, one step of 0.01 per value.

    >>> lorenz63(2).values[1].round(4).tolist()
    [-6.581, 6.8147, 25.7931]
    """

    def field(state: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y, z = state.tolist()
        return np.array([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])

    standard = (sigma, rho, beta) == (10.0, 28.0, 8.0 / 3.0)
    return _series("lorenz63", field, start, n_steps, dt, substeps, n_discard, LORENZ63_EXPONENT if standard else None)


def rossler(
    n_steps: int = 5000,
    *,
    dt: float = 0.03,
    start: Sequence[float] = (1.0, 1.0, 1.0),
    a: float = 0.15,
    b: float = 0.2,
    c: float = 10.0,
    substeps: int = 1,
    n_discard: int = 0,
) -> Series:
    """dx/dt = -y - z, dy/dt = x + a y, dz/dt = b + z (x - c) (method.md 15.1)."""

    def field(state: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y, z = state.tolist()
        return np.array([-y - z, x + a * y, b + z * (x - c)])

    standard = (a, b, c) == (0.15, 0.2, 10.0)
    return _series("rossler", field, start, n_steps, dt, substeps, n_discard, ROSSLER_EXPONENT if standard else None)


def lorenz96(
    n_steps: int = 5000,
    *,
    dt: float = 0.005,
    forcing: float = 20.0,
    coupling: float = 1.0,
    n_scales: int = 3,
    substeps: int = 1,
    n_discard: int = 2000,
) -> Series:
    """The 8 large variables of the Lorenz-96 system of three scales, 8 x 8 and 8 x 8 x 8 (method.md 15.1).

    With `n_scales` 2 the smallest scale is left out, as in Lorenz's own system. `coupling` is h of the equations; at 0
    the large variables are the Lorenz-96 system of one scale. Each of the lower scales is one ring. The start is
    X = forcing with X_1 one percent above, and small waves below; `n_discard` values are left out.
    """
    require(n_scales in (2, 3), "lorenz96", "n_scales", "must be 2 or 3", n_scales)
    n, ratio = 8, 10.0  # I = J = K, and b = c = d = e = g_Z

    def advection(x: NDArray[np.float64], direction: int) -> NDArray[np.float64]:
        """x_{k-1} (x_{k+1} - x_{k-2}) for direction 1, x_{k+1} (x_{k-1} - x_{k+2}) for -1, on a ring."""
        return np.asarray(np.roll(x, direction) * (np.roll(x, -direction) - np.roll(x, 2 * direction)))

    def field(state: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y, z = state[:n], state[n : n + n**2], state[n + n**2 :]
        # With equal constants the couplings h c / b and h e / d are both h.
        dx = advection(x, 1) - x + forcing - coupling * y.reshape(n, n).sum(axis=1)
        dy = ratio**2 * advection(y, -1) - ratio * y + coupling * np.repeat(x, n)
        if n_scales == 2:
            return np.concatenate([dx, dy])
        dy = dy - coupling * z.reshape(n**2, n).sum(axis=1)
        dz = ratio**2 * advection(z, 1) - ratio**2 * z + coupling * np.repeat(y, n)
        return np.concatenate([dx, dy, dz])

    wave = np.sin(np.arange(sum(n**k for k in range(2, n_scales + 1))))
    start = np.concatenate([np.full(n, forcing), 0.01 * wave])
    start[0] *= 1.01
    values = integrate(field, start, n_steps=n_steps, dt=dt, substeps=substeps, n_discard=n_discard)[:, :n]
    names = tuple(f"X{k + 1}" for k in range(n))
    return Series(values, dt, "lorenz96", names, None, f"RK4, step {dt / substeps:g} ({substeps} per value)")


def mackey_glass(
    n_steps: int = 5000,
    *,
    dt: float = 1.0,
    tau: float = 17.0,
    beta: float = 0.2,
    gamma: float = 0.1,
    exponent: float = 10.0,
    start: float = 1.2,
    substeps: int = 10,
    n_discard: int = 1000,
) -> Series:
    """dx/dt = beta x(t - tau) / (1 + x(t - tau)^exponent) - gamma x, with x = `start` at all times up to 0.

    Method of steps: Runge-Kutta of order 4 on a grid that holds tau, with the delayed value between two points of the
    grid from the cubic through values and slopes (Hermite). A kink of the solution at 0 moves through multiples of tau,
    which are points of the grid, so the order is 4. tau must be a whole number of steps `dt / substeps`.
    """
    _check_grid("mackey_glass", n_steps, dt, substeps, n_discard)
    h = dt / substeps
    lag = round(tau / h)
    ok = lag >= 1 and abs(lag * h - tau) < 1e-9 * tau
    require(ok, "mackey_glass", "tau", f"must be a whole number of integration steps of {h:g}", tau)
    n = (n_discard + n_steps - 1) * substeps + 1

    def slope(x: float, delayed: float) -> float:
        return float(beta * delayed / (1.0 + delayed**exponent) - gamma * x)

    # Entry i is time (i - lag) h. The past is constant: its slopes are 0, also the one to the left of time 0.
    values, slopes = [float(start)] * (lag + 1), [0.0] * lag
    for i in range(lag, lag + n - 1):
        x = values[i]
        before, after = values[i - lag], values[i - lag + 1]
        k1 = slope(x, before)
        slopes.append(k1)
        middle = 0.5 * (before + after)
        if i >= 2 * lag:  # else the interval looked back on lies in the constant past
            middle += 0.125 * h * (slopes[i - lag] - slopes[i - lag + 1])
        k2 = slope(x + 0.5 * h * k1, middle)
        k3 = slope(x + 0.5 * h * k2, middle)
        k4 = slope(x + h * k3, after)
        values.append(x + h / 6.0 * (k1 + 2.0 * (k2 + k3) + k4))
    kept = np.array(values[lag:])[::substeps][n_discard:]
    standard = (tau, beta, gamma, exponent) == (17.0, 0.2, 0.1, 10.0)
    solver = f"RK4 with cubic Hermite delay, step {h:g} ({substeps} per value)"
    return Series(kept[:, None], dt, "mackey-glass", ("x",), MACKEY_GLASS_EXPONENT if standard else None, solver)


def _series(
    name: str,
    field: Field,
    start: Sequence[float],
    n_steps: int,
    dt: float,
    substeps: int,
    n_discard: int,
    lyapunov_exponent: float | None,
) -> Series:
    require(len(start) == 3, name, "start", "must hold three values", list(start))
    values = integrate(field, start, n_steps=n_steps, dt=dt, substeps=substeps, n_discard=n_discard)
    solver = f"RK4, step {dt / substeps:g} ({substeps} per value)"
    return Series(values, dt, name, ("x", "y", "z"), lyapunov_exponent, solver)


def _check_grid(owner: str, n_steps: int, dt: float, substeps: int, n_discard: int) -> None:
    require(n_steps >= 1, owner, "n_steps", "must be >= 1", n_steps)
    total = (n_steps + n_discard) * substeps
    rule = f"must give at most {_MOST_STEPS:,} steps of the integrator, with substeps and n_discard"
    require(total <= _MOST_STEPS, owner, "n_steps", rule, total)
    require(math.isfinite(dt) and dt > 0, owner, "dt", "must be > 0", dt)
    require(substeps >= 1, owner, "substeps", "must be >= 1", substeps)
    require(n_discard >= 0, owner, "n_discard", "must be >= 0", n_discard)
