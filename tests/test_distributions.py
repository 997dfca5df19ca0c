"""Laws of one parameter: moments, quantiles, draws, the TOML form, and the 2-Wasserstein distance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from hrsnn._checks import InputError
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
    wasserstein2,
)

# Kind, mean, variance, differential entropy by hand.
KNOWN: list[tuple[Distribution, float, float, float]] = [
    (Constant(3.0), 3.0, 0.0, -math.inf),
    (Uniform(1.0, 4.0), 2.5, 0.75, math.log(3)),
    (Normal(2.0, 3.0), 2.0, 9.0, 0.5 * math.log(2 * math.pi * math.e * 9)),
    # log of the median, and the entropy of the normal law of the logarithm, whose variance is ln 1.25
    (LogNormal(2.0, 1.0), 2.0, 1.0, math.log(2 / 1.25**0.5) + 0.5 * math.log(2 * math.pi * math.e * math.log(1.25))),
    (Gamma(2.0, 1.0), 2.0, 4.0, 1 + math.log(2)),  # the exponential law
    (Empirical((3.0, 1.0, 1.0, 3.0)), 2.0, 1.0, -math.inf),
    # half of it uniform on 0 to 1, half on 1 to 3: mean (0.5 + 2) / 2, second moment (1/3 + 13/3) / 2
    (Curve((0.0, 1.0, 3.0)), 1.25, 7 / 3 - 1.25**2, 0.5 * (math.log(2) + math.log(4))),
]  # fmt: skip
LAWS = [law for law, *_ in KNOWN]


def test_every_kind_is_known_here() -> None:
    assert {law.kind for law in LAWS} == set(KINDS)


@pytest.mark.parametrize(("law", "mean", "variance", "entropy"), KNOWN)
def test_moments_and_entropy(law: Distribution, mean: float, variance: float, entropy: float) -> None:
    assert law.mean == pytest.approx(mean, rel=1e-14)
    assert law.variance == pytest.approx(variance, rel=1e-12)
    assert law.entropy == pytest.approx(entropy, rel=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_draws_have_the_moments_and_depend_on_the_generator_alone(law: Distribution) -> None:
    n = 20_000
    draws = law.sample(np.random.default_rng(1), n)
    assert draws.shape == (n,)
    assert draws.dtype == np.float64
    # five standard errors of the mean; the variance within 10 %, wide enough for the heaviest tail here
    assert abs(draws.mean() - law.mean) <= 5 * math.sqrt(law.variance / n)
    assert draws.var() == pytest.approx(law.variance, rel=0.1)
    assert draws.min() >= law.support[0]
    assert draws.max() <= law.support[1]
    np.testing.assert_array_equal(draws, law.sample(np.random.default_rng(1), n))


@pytest.mark.parametrize("law", LAWS)
def test_quantiles_match_the_draws_and_the_upper_ones_mirror_the_lower(law: Distribution) -> None:
    u = np.array([[0.1, 0.3], [0.6, 0.9]])
    draws = law.sample(np.random.default_rng(2), 50_000)
    assert law.quantile(u).shape == u.shape
    # share of draws at or below the quantile: u within 5 standard errors of 50,000 draws (0.011), more at an atom
    assert ((draws[:, None, None] <= law.quantile(u)).mean(axis=0) >= u - 0.012).all()
    assert ((draws[:, None, None] < law.quantile(u)).mean(axis=0) <= u + 0.012).all()
    np.testing.assert_allclose(law.upper_quantile(u), law.quantile(1 - u), rtol=1e-12)


def test_upper_quantile_keeps_its_digits_in_the_tail() -> None:
    # 1 - exp(-x) = 1 - 1e-20: x = 20 ln 10, where quantile(1 - 1e-20) is infinite
    assert float(Gamma(1.0, 1.0).upper_quantile(1e-20)) == pytest.approx(20 * math.log(10), rel=1e-13)


@pytest.mark.parametrize("law", LAWS)
def test_homogenised_is_the_point_mass_at_the_mean(law: Distribution) -> None:
    assert law.homogenised() == Constant(law.mean)
    assert law.homogenised().homogenised() == law.homogenised()


def test_laws_are_values() -> None:
    assert Gamma(20, 3) == Gamma(20.0, 3.0)
    assert hash(Gamma(20, 3)) == hash(Gamma(20.0, 3.0))
    assert Gamma(20, 3) != LogNormal(20, 3)
    assert Empirical((2.0, 1.0)) == Empirical((1.0, 2.0))
    law = Gamma(20, 3)
    law.quantile(0.5)  # fills a cache that must not count
    assert law == Gamma(20, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(math.nan), "`value` of `Constant` must be a finite number, got nan"),
        (lambda: Constant("1"), "`value` of `Constant` must be a finite number"),  # type: ignore[arg-type]
        (lambda: Constant(True), "`value` of `Constant` must be a finite number"),
        (lambda: Uniform(1.0, 1.0), "`high` of `Uniform` must be > low = 1"),
        (lambda: Normal(0.0, 0.0), "`sd` of `Normal` must be > 0"),
        (lambda: LogNormal(0.0, 1.0), "`mean` of `LogNormal` must be > 0"),
        (lambda: LogNormal(1.0, -1.0), "`sd` of `LogNormal` must be > 0"),
        (lambda: Gamma(-1.0, 3.0), "`mean` of `Gamma` must be > 0, got -1.0"),
        (lambda: Gamma(1.0, 0.0), "`shape` of `Gamma` must be > 0"),
        (lambda: Gamma(1.0, math.inf), "`shape` of `Gamma` must be a finite number, got inf"),
        (lambda: Empirical(()), "`values` of `Empirical` must hold at least one value"),
        (lambda: Empirical((1.0, math.nan)), "`values` of `Empirical` must be finite, got nan at index 1"),
        (lambda: Empirical(("a",)), "`values` of `Empirical` must be real numbers"),  # type: ignore[arg-type]
    ],
)
def test_arguments_out_of_range(make: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("20", "must be a number or a table such as {gamma"),
        (True, "must be a number or a table"),
        ({}, "must be a number or a table"),
        ({"gamma": {}, "normal": {}}, "must be a number or a table"),
        ({"gama": {"mean": 1, "shape": 1}}, 'did you mean "gamma"?'),
        ({"gamma": 3}, "`arguments` of `gamma` must be a table of mean, shape, got 3"),
        ({"gamma": {"mean": 1, "shpe": 1}}, '`shpe` of `gamma` is not an argument, got 1; did you mean "shape"?'),
        ({"gamma": {"mean": 1}}, "`shape` of `gamma` must be given"),
        ({"gamma": {"mean": "1", "shape": 1}}, "`mean` of `gamma` must be a number, got 1"),
        ({"empirical": {"values": 1}}, "`values` of `empirical` must be a list of numbers"),
        ({"empirical": {"values": ["a"]}}, "`values` of `empirical` must be a list of numbers"),
        (math.nan, "must be a finite number"),
    ],
)
def test_toml_form_that_is_wrong(value: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        from_toml(value)
    assert message in str(caught.value)


# -- 2-Wasserstein distance: acceptance check 8 -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [0.7, 1.0, 3.0, 20.0, 100.0])
@pytest.mark.parametrize(("mean", "other"), [(20.0, 10.0), (1.0, 5.0), (0.01, 0.0105)])
def test_w2_of_gamma_laws_of_one_shape(shape: float, mean: float, other: float) -> None:
    closed = abs(mean - other) / shape * math.sqrt(shape * (shape + 1))
    # check 8 allows 1e-9 on the square of the distance, so half of it on the distance
    assert wasserstein2(Gamma(mean, shape), Gamma(other, shape)) == pytest.approx(closed, rel=5e-10)


def test_w2_of_gaussians_and_point_masses() -> None:
    assert wasserstein2(Normal(1.0, 2.0), Normal(-3.0, 5.0)) == pytest.approx(5.0, rel=1e-9)
    assert wasserstein2(Constant(1.0), Constant(-3.0)) == 4.0
    assert wasserstein2(Normal(1.0, 2.0), Constant(4.0)) == pytest.approx(math.sqrt(13), rel=1e-9)
    assert wasserstein2(Uniform(0.0, 1.0), Uniform(2.0, 5.0)) == pytest.approx(math.sqrt(9 + 1 / 3), rel=1e-9)
    law = LogNormal(20.0, 8.0)  # one law scaled by two: the second moment of the smaller
    assert wasserstein2(law, LogNormal(40.0, 16.0)) == pytest.approx(math.sqrt(law.variance + 400), rel=1e-9)


def test_w2_of_empirical_laws_is_that_of_pot() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=17), rng.gamma(2.0, size=12)  # sizes that do not divide each other
    ours = wasserstein2(Empirical(tuple(a)), Empirical(tuple(b)))
    cost = (a[:, None] - b[None, :]) ** 2
    plan = ot.emd(np.full(17, 1 / 17), np.full(12, 1 / 12), cost)
    assert ours == pytest.approx(math.sqrt((plan * cost).sum()), rel=1e-9)
    assert wasserstein2(Empirical(tuple(a)), Constant(2.0)) == pytest.approx(
        math.sqrt(np.mean((a - 2) ** 2)), rel=1e-12
    )


def test_w2_of_smooth_laws_is_that_of_pot_on_many_quantiles() -> None:
    p, q = Gamma(20.0, 3.0), LogNormal(15.0, 9.0)
    u = (np.arange(20_000) + 0.5) / 20_000
    oracle = math.sqrt(ot.wasserstein_1d(p.quantile(u), q.quantile(u), p=2))
    assert wasserstein2(p, q) == pytest.approx(oracle, rel=2e-3)  # the oracle cuts both tails at 1/40,000


def test_w2_of_an_empirical_and_a_smooth_law() -> None:
    n = 50
    middle = (np.arange(n) + 0.5) / n  # distance to U(0, 1): each cell is the variance of U(0, 1/n)
    found = wasserstein2(Empirical(tuple(middle)), Uniform(0.0, 1.0))
    assert found == pytest.approx(1 / n / math.sqrt(12), rel=0.2)  # the quadrature sees jumps only to its step


smooth = st.one_of(
    st.builds(Gamma, st.floats(0.5, 50), st.floats(1, 50)),
    st.builds(Normal, st.floats(-5, 5), st.floats(0.1, 5)),
    st.builds(Constant, st.floats(-5, 5)),
)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(smooth, smooth, smooth)
def test_w2_is_a_metric(p: Distribution, q: Distribution, r: Distribution) -> None:
    assert wasserstein2(p, p) == 0
    assert wasserstein2(p, q) == wasserstein2(q, p)
    assert wasserstein2(p, r) <= wasserstein2(p, q) + wasserstein2(q, r) + 1e-12
    # Jensen: never nearer than the means
    assert wasserstein2(p, q) >= abs(p.mean - q.mean) * (1 - 1e-9) - 1e-12


@pytest.mark.parametrize("smoothness", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("length_scale", [0.3, 3.0, 30.0])
def test_matern_functions_of_w2_are_positive_definite(smoothness: float, length_scale: float) -> None:
    """Check 9 of method.md 17: W2 of product laws is a distance in a Hilbert space, so Gram matrices have no eigenvalue
    below 0 but for rounding; two components, laws of several kinds."""
    rng = np.random.default_rng(9)
    makers: list[Any] = [
        lambda: Gamma(rng.uniform(1, 40), rng.uniform(0.5, 10)),
        lambda: Normal(rng.uniform(-5, 40), rng.uniform(0.1, 10)),
        lambda: Uniform(low := rng.uniform(0, 20), low + rng.uniform(0.1, 20)),
        lambda: Constant(rng.uniform(0, 40)),
    ]
    points = [[makers[k % 4](), makers[(k // 4) % 4]()] for k in range(32)]
    d = np.array([[math.hypot(*map(wasserstein2, p, q)) for q in points] for p in points])
    z = math.sqrt(2 * smoothness) * (d + d.T) / 2 / length_scale
    with np.errstate(invalid="ignore"):
        gram = 2 ** (1 - smoothness) / math.gamma(smoothness) * z**smoothness * special.kv(smoothness, z)
    gram[z == 0] = 1.0
    assert np.linalg.eigvalsh(gram).min() >= -1e-10
    assert gram.max() == 1.0
