"""The Hawkes model: event for event against a slow simulation that knows no states, rates and residuals of theory."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from hrsnn._checks import InputError, RunError
from hrsnn.analysis.hawkes import (
    HawkesModel,
    HawkesTrain,
    Kernel,
    Rates,
    SynapticHawkesModel,
    fixed_point_rates,
    growth_per_ms,
    simulate_hawkes,
    time_rescaling,
)
from hrsnn.metrics import interval_of_mean


def model_of(n: int, *, inhibition: float = 2.0) -> HawkesModel:
    """About 20 events per neuron and second; inhibition halves the intensity of A."""
    return HawkesModel(
        n, n, 0.02, 0.01,
        a_to_a=Kernel(0.05, 10.0), b_to_a=Kernel(inhibition, 8.0), b_to_b=Kernel(0.02, 12.0), a_to_b=Kernel(0.05, 9.0),
    )  # fmt: skip


def by_synapse(model: HawkesModel, alpha: Any | None = None) -> SynapticHawkesModel:
    """`model` with an alpha per pair; by default the same one that its neurons feel as a mean."""
    to_a = [np.full((model.n_a, model.n_a), model.a_to_a.alpha), np.full((model.n_a, model.n_b), model.b_to_a.alpha)]
    to_b = [np.full((model.n_b, model.n_a), model.a_to_b.alpha), np.full((model.n_b, model.n_b), model.b_to_b.alpha)]
    size = np.repeat([model.n_a, model.n_b], [model.n_a, model.n_b])
    return SynapticHawkesModel(
        model.n_a, model.n_b, model.mu_a_per_ms, model.mu_b_per_ms,
        alpha=np.block([to_a, to_b]) / size if alpha is None else alpha,
        tau_a_to_a_ms=model.a_to_a.tau_ms, tau_b_to_a_ms=model.b_to_a.tau_ms,
        tau_b_to_b_ms=model.b_to_b.tau_ms, tau_a_to_b_ms=model.a_to_b.tau_ms,
    )  # fmt: skip


def uneven(n: int, seed: int = 0) -> SynapticHawkesModel:
    """A model whose kernels are spread widely around those of `model_of`; a third of the synapses is absent."""
    rng = np.random.default_rng(seed)
    mean = by_synapse(model_of(n))
    return replace(
        mean, alpha=mean.alpha * rng.gamma(0.5, 2.0, mean.alpha.shape) * (rng.random(mean.alpha.shape) < 2 / 3)
    )


class Slow:
    """Intensities straight from the definition: every past event, every kernel, no state."""

    def __init__(self, model: SynapticHawkesModel) -> None:
        self.model = model
        self.events: list[tuple[float, int]] = []

    def intensity(self, i: int, at_ms: float, *, excited_ms: float | None = None) -> float:
        """Of neuron i; inhibition as at `at_ms`, excitation as at `excited_ms`."""
        m = self.model
        target_a = i < m.n_a
        sums = [0.0, 0.0]
        for when, j in self.events:
            if j < m.n_a:
                tau = m.tau_a_to_a_ms if target_a else m.tau_a_to_b_ms
            else:
                tau = m.tau_b_to_a_ms if target_a else m.tau_b_to_b_ms
            inhibits = j >= m.n_a and target_a
            seen = at_ms if inhibits or excited_ms is None else excited_ms
            sums[int(j >= m.n_a)] += m.alpha[i, j] * math.exp(-(seen - when) / tau)
        return (m.mu_a_per_ms + sums[0]) / (1 + sums[1]) if target_a else m.mu_b_per_ms + sums[0] + sums[1]

    def run(self, until_ms: float, rng: np.random.Generator) -> None:
        """The thinning of the module's docstring; fails where an intensity is above its bound."""
        neurons, now = range(self.model.n_a + self.model.n_b), 0.0
        while True:
            window = 2 / sum(self.intensity(i, now) for i in neurons)
            bound = sum(self.intensity(i, now + window, excited_ms=now) for i in neurons)
            wait = rng.standard_exponential() / bound
            if now + min(wait, window) >= until_ms:
                return
            now += min(wait, window)
            if wait > window:
                continue
            found = [self.intensity(i, now) for i in neurons]
            assert sum(found) <= bound * (1 + 1e-12)
            chosen = int(np.searchsorted(np.cumsum(found), rng.random() * bound, side="right"))
            if chosen < len(found):
                self.events.append((now, chosen))


def assert_same_events(train: HawkesTrain, slow: Slow) -> None:
    time_ms, neuron = zip(*slow.events, strict=True)
    assert train.neuron.tolist() == list(neuron)
    np.testing.assert_allclose(train.time_ms, time_ms, rtol=1e-9)  # sums of decays in another order


# -- against the definition ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inhibition", [0.0, 2.0, 200.0])
@pytest.mark.parametrize("n", [1, 4])
def test_event_for_event_as_the_definition(n: int, inhibition: float) -> None:
    model = model_of(n, inhibition=inhibition)
    train = simulate_hawkes(model, 1600.0 / n, rng=np.random.default_rng(n))
    slow = Slow(by_synapse(model))
    slow.run(1600.0 / n, np.random.default_rng(n))
    assert train.time_ms.size > 25
    assert_same_events(train, slow)


def test_event_for_event_with_kernels_of_synapses() -> None:
    model = replace(uneven(4), n_a=5, n_b=3)
    train = simulate_hawkes(model, 400.0, rng=np.random.default_rng(7))
    slow = Slow(model)
    slow.run(400.0, np.random.default_rng(7))
    assert train.time_ms.size > 40
    assert_same_events(train, slow)


def test_equal_synapses_are_the_model_of_means() -> None:
    model = replace(model_of(20), n_b=10)
    means, synapses = (simulate_hawkes(m, 2000.0, rng=np.random.default_rng(3)) for m in (model, by_synapse(model)))
    assert means.time_ms.size > 1000
    assert np.array_equal(means.neuron, synapses.neuron)
    np.testing.assert_allclose(means.time_ms, synapses.time_ms, rtol=1e-9)


def test_long_runs_are_put_together_from_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = simulate_hawkes(model_of(5), 2000.0, rng=np.random.default_rng(1))
    monkeypatch.setattr("hrsnn.analysis.hawkes._CHUNK", 7)
    pieces = simulate_hawkes(model_of(5), 2000.0, rng=np.random.default_rng(1))
    assert np.array_equal(whole.time_ms, pieces.time_ms)
    assert np.array_equal(whole.neuron, pieces.neuron)
    assert whole.n_candidates == pieces.n_candidates >= whole.time_ms.size > 100


def test_without_kernels_it_is_a_poisson_process() -> None:
    nothing = Kernel(0.0, 10.0)
    model = HawkesModel(3, 2, 0.02, 0.05, nothing, nothing, nothing, nothing)
    train = simulate_hawkes(model, 50_000.0, rng=np.random.default_rng(0))
    assert train.n_candidates == train.time_ms.size  # nothing decays: every bound is met
    counts = np.bincount(train.neuron, minlength=5)
    expected = 50_000 * np.array([0.02, 0.02, 0.02, 0.05, 0.05])
    assert stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 0.01
    assert abs(counts.sum() - expected.sum()) < 3 * np.sqrt(expected.sum())
    residuals = np.diff(train.time_ms[train.in_a], prepend=0) * 3 * 0.02
    np.testing.assert_allclose(time_rescaling(model, train).residuals_a, residuals, rtol=1e-9, atol=1e-12)


# -- acceptance check 14 ---------------------------------------------------------------------------------------------


def test_rates_are_those_of_the_fixed_point() -> None:
    """Acceptance check 14, first half: the fixed point lies in the 99 % interval over 20 runs of large populations."""
    model = model_of(1000)
    expected = fixed_point_rates(model)
    assert growth_per_ms(model, expected) < -0.01  # no limit cycle, and rest is forgotten within 1 s
    runs = [
        simulate_hawkes(model, 2000.0, rng=np.random.default_rng([14, s])).rates(since_ms=1000.0) for s in range(20)
    ]
    for name in ("a_per_ms", "b_per_ms"):
        interval = interval_of_mean([getattr(rates, name) for rates in runs], level=0.99)
        assert interval is not None
        assert interval[0] <= getattr(expected, name) <= interval[1]
        assert (interval[1] - interval[0]) < 0.02 * getattr(expected, name)  # and it says something


def test_rates_converge_as_one_over_the_root_of_n() -> None:
    """Acceptance check 14: root mean square deviation over 60 runs of 300 ms falls with the power -1/2 of N."""
    sizes = [40, 160, 640, 2560]
    expected = fixed_point_rates(model_of(1))
    deviations = []
    for n in sizes:
        runs = [
            simulate_hawkes(model_of(n), 400.0, rng=np.random.default_rng([15, n, s])).rates(since_ms=100.0)
            for s in range(60)
        ]
        of_a = [r.a_per_ms / expected.a_per_ms - 1 for r in runs]
        of_b = [r.b_per_ms / expected.b_per_ms - 1 for r in runs]
        deviations.append([np.sqrt(np.mean(np.square(of_a))), np.sqrt(np.mean(np.square(of_b)))])
    powers = np.polyfit(np.log(sizes), np.log(deviations), 1)[0]
    # A deviation is known to 1 / sqrt(120) = 9 %, a power to 0.03; three of these.
    assert np.abs(powers + 0.5).max() < 0.1


@pytest.mark.parametrize("model", [model_of(50), model_of(3, inhibition=50.0), by_synapse(model_of(5)), uneven(10)])
def test_rescaled_intervals_are_exponential(model: HawkesModel | SynapticHawkesModel) -> None:
    """Acceptance check 14, second half."""
    train = simulate_hawkes(model, 200_000.0 / (model.n_a + model.n_b), rng=np.random.default_rng(16))
    found = time_rescaling(model, train)
    assert min(found.residuals_a.size, found.residuals_b.size) > 400
    assert found.p_value_a is not None
    assert found.p_value_b is not None
    assert min(found.p_value_a, found.p_value_b) > 0.01
    # and independent of each other: no correlation of neighbours beyond chance
    for r in (found.residuals_a, found.residuals_b):
        assert abs(np.corrcoef(r[1:], r[:-1])[0, 1]) < 3.5 / np.sqrt(r.size)


@pytest.mark.parametrize(
    ("wrong", "seen_in"),
    [
        ({"a_to_a": Kernel(0.0, 10.0)}, "p_value_a"),
        ({"b_to_a": Kernel(1.0, 8.0)}, "p_value_a"),
        ({"a_to_b": Kernel(0.03, 9.0)}, "p_value_b"),
        ({"b_to_b": Kernel(0.05, 12.0)}, "p_value_b"),
    ],
)
def test_another_model_is_found_out(wrong: dict[str, Kernel], seen_in: str) -> None:
    model = model_of(50)
    train = simulate_hawkes(model, 4000.0, rng=np.random.default_rng(16))
    assert getattr(time_rescaling(replace(model, **wrong), train), seen_in) < 1e-6


def test_the_compensator_is_the_integral_of_the_intensity() -> None:
    """Against adaptive quadrature of intensities taken from the definition."""
    model = uneven(3)
    train = simulate_hawkes(model, 150.0, rng=np.random.default_rng(2))
    slow, total, compensator = Slow(model), 0.0, []
    edges = np.concatenate([[0.0], train.time_ms])
    for left, right, neuron in zip(edges, edges[1:], train.neuron, strict=False):
        total += integrate.quad(lambda t: sum(slow.intensity(i, t) for i in range(3)), left, right, epsabs=1e-13)[0]
        slow.events.append((right, int(neuron)))
        if neuron < 3:
            compensator.append(total)
    found = time_rescaling(model, train).residuals_a
    assert found.size > 3
    np.testing.assert_allclose(np.cumsum(found), compensator, rtol=1e-9)


# -- fixed point -----------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(
    st.floats(1e-4, 0.1),
    st.floats(0, 0.1),
    st.floats(0, 3),
    st.floats(0.01, 50),
    st.floats(0, 0.95),
    st.floats(0.01, 2),
)
def test_the_fixed_point_is_the_root_of_the_quadratic(
    mu_a: float, mu_b: float, k1: float, k2: float, k3: float, k4: float
) -> None:
    """Eliminating m_B leaves c m^2 + d m - mu_a = 0 with one positive root."""
    model = HawkesModel(1, 1, mu_a, mu_b, Kernel(k1 / 10, 10), Kernel(k2 / 5, 5), Kernel(k3 / 7, 7), Kernel(k4 / 3, 3))
    rates = fixed_point_rates(model)
    c, d = k2 * k4 / (1 - k3), 1 + k2 * mu_b / (1 - k3) - k1
    root = (
        2 * mu_a / (d + math.sqrt(d * d + 4 * c * mu_a)) if d > 0 else (math.sqrt(d * d + 4 * c * mu_a) - d) / (2 * c)
    )
    assert rates.a_per_ms == pytest.approx(root, rel=1e-9)
    assert rates.b_per_ms == pytest.approx((mu_b + k4 * root) / (1 - k3), rel=1e-9)


def test_growth_tells_a_fixed_point_from_a_limit_cycle() -> None:
    """Where quick excitation meets slow inhibition the fixed point repels, and activity comes in waves."""
    nothing = Kernel(0.0, 10.0)
    calm = HawkesModel(1, 1, 0.02, 0.01, Kernel(0.03, 10), nothing, nothing, nothing)
    assert growth_per_ms(calm, fixed_point_rates(calm)) == pytest.approx(0.03 - 0.1)  # alpha - 1 / tau
    waves = HawkesModel(4000, 4000, 0.002, 0.0, Kernel(3.0, 2), Kernel(0.3, 60), nothing, Kernel(0.3, 30))
    rates = fixed_point_rates(waves)
    assert growth_per_ms(waves, rates) > 0.005
    for model, least, most in ((waves, 0.5, math.inf), (model_of(4000), 0.0, 0.1)):
        train = simulate_hawkes(model, 2000.0, rng=np.random.default_rng(0))
        per_bin = np.histogram(train.time_ms[train.in_a], np.arange(500, 2001, 20))[0]
        assert least < per_bin.std() / per_bin.mean() < most


def test_where_nothing_holds_the_rates() -> None:
    model = model_of(10)
    with pytest.raises(InputError, match="`b_to_b` of `fixed_point_rates` must have an integral alpha tau < 1"):
        fixed_point_rates(replace(model, b_to_b=Kernel(0.1, 10.0)))
    nothing = Kernel(0.0, 1.0)
    alone = replace(model, a_to_a=Kernel(0.2, 10.0), b_to_a=nothing, a_to_b=nothing)
    with pytest.raises(InputError, match="`a_to_a` of `fixed_point_rates` must be held by inhibition"):
        fixed_point_rates(alone)
    with pytest.raises(RunError, match=r"more than max_events = 5000 events by .* lower the alpha"):
        simulate_hawkes(alone, 1e6, rng=np.random.default_rng(0), max_events=5000)
    assert simulate_hawkes(model, 20.0, rng=np.random.default_rng(0), max_events=50).time_ms.size <= 50


def test_a_population_without_drive_is_silent() -> None:
    model = replace(model_of(5), mu_a_per_ms=0.0, mu_b_per_ms=0.0)
    train = simulate_hawkes(model, 100.0, rng=np.random.default_rng(0))
    assert train.time_ms.size == 0
    assert train.rates() == fixed_point_rates(model) == Rates(0.0, 0.0)
    found = time_rescaling(model, train)
    assert (found.p_value_a, found.p_value_b, found.residuals_a.size) == (None, None, 0)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="`alpha` of `Kernel` must be >= 0, got -1"):
        Kernel(-1.0, 10.0)
    with pytest.raises(InputError, match="`tau_ms` of `Kernel` must be > 0, got 0"):
        Kernel(1.0, 0.0)
    with pytest.raises(InputError, match="`n_b` of `HawkesModel` must be a whole number >= 1, got 0"):
        replace(model_of(3), n_b=0)
    with pytest.raises(InputError, match=r"`n_a` of `HawkesModel` must be a whole number >= 1, got 2.5"):
        replace(model_of(3), n_a=2.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="`mu_a_per_ms` of `HawkesModel` must be >= 0, got nan"):
        replace(model_of(3), mu_a_per_ms=math.nan)
    with pytest.raises(InputError, match=r"`alpha` of `SynapticHawkesModel` must have shape \(6, 6\), got \(6, 5\)"):
        by_synapse(model_of(3), np.zeros((6, 5)))
    with pytest.raises(InputError, match=r"must be finite and >= 0, got -0.5 at index 8 \(1 of 36 values\)"):
        by_synapse(model_of(3), np.where(np.arange(36).reshape(6, 6) == 8, -0.5, 0.0))
    with pytest.raises(InputError, match="`duration_ms` of `simulate_hawkes` must be > 0, got inf"):
        simulate_hawkes(model_of(3), math.inf, rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="`rng` of `simulate_hawkes` must be a NumPy Generator, got int"):
        simulate_hawkes(model_of(3), 10.0, rng=0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"`time_ms` of `HawkesTrain` must rise, got 1.0 at index 1"):
        HawkesTrain(np.array([2.0, 1.0]), np.array([0, 1]), 1, 1, 10.0)
    with pytest.raises(InputError, match=r"`neuron` of `HawkesTrain` must be <= 1, got 2 at index 1"):
        HawkesTrain(np.array([1.0, 2.0]), np.array([0, 2]), 1, 1, 10.0)
    train = simulate_hawkes(model_of(3), 10.0, rng=np.random.default_rng(0))
    with pytest.raises(InputError, match=r"`since_ms` of `HawkesTrain` must lie in \[0, 10\), got 10"):
        train.rates(since_ms=10)
    with pytest.raises(InputError, match="`train` of `time_rescaling` must be of 4 and 4 neurons, got 3 and 3"):
        time_rescaling(model_of(4), train)
