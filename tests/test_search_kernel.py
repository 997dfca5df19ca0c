"""Kernels on laws: distances with closed forms, positive definiteness, and the forms that are not."""

from __future__ import annotations

import math
from typing import Any

import gpytorch
import numpy as np
import ot
import pytest
import torch

from hrsnn._checks import InputError
from hrsnn.distributions import Curve, Gamma, wasserstein2
from hrsnn.optimisation.embedding import Embedding
from hrsnn.optimisation.kernel import WassersteinMatern, clipped, least_eigenvalue, matern, sinkhorn, sliced
from hrsnn.optimisation.space import Law, Scalar, Space, constants

LAWS = (
    Law("tau", mean=(5.0, 100.0), cv=(0.1, 1.0)),
    Law("a", mean=(0.1, 10.0), cv=(0.05, 2.0), family="lognormal"),
    Law("v", mean=(0.5, 2.0), family="free"),
)
SPACE = Space((*LAWS, Scalar("scale", 0.1, 10.0, log=True), Scalar("length", 0.5, 3.0)))
N = len(SPACE.coordinates)


def points(n: int, seed: int = 0) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).random((n, N)))


def named(x: torch.Tensor) -> dict[str, float]:
    """The coordinates of a point in their own units."""
    of = {}
    for value, c in zip(x.tolist(), SPACE.coordinates, strict=True):
        of[c.name] = c.low * (c.high / c.low) ** value if c.log else c.low + (c.high - c.low) * value
    return of


@pytest.mark.parametrize("k", range(len(SPACE.parts)))
def test_distances_of_vectors_are_those_of_laws(k: int) -> None:
    part = SPACE.parts[k]
    embedding = Embedding(SPACE, log=False)
    x = points(12, seed=k)
    vectors = embedding(x)[:, embedding.groups[k]].numpy()
    values = [constants(SPACE.values(named(row)))[part.name] for row in x]
    units = []
    for i in range(0, 12, 2):
        expected = wasserstein2(values[i], values[i + 1])
        if isinstance(part, Scalar) and part.log:
            expected = abs(math.log(values[i].mean / values[i + 1].mean))
        units.append(expected / np.linalg.norm(vectors[i] - vectors[i + 1]))
    assert units == pytest.approx([units[0]] * 6, rel=1e-4 if k == 2 else 1e-6)  # the prior's spread


def test_gamma_laws_of_one_shape_have_the_closed_form() -> None:
    """W2^2 = (theta - theta')^2 k (k + 1) of scales theta and shape k (method.md 11.3)."""
    space = Space((Law("tau", mean=(5.0, 100.0), cv=(0.1, 1.0)),))
    shape = 1 / 0.1 ** (2 * 0.5)
    u = torch.tensor([[0.2, 0.5], [0.7, 0.5]], dtype=torch.float64)
    means = 5.0 * 20.0 ** u[:, 0].numpy()
    vectors = Embedding(space, log=False)(u).numpy()
    ratio = math.log(20.0)
    sd = math.sqrt((100.0**2 - 5.0**2) / (2 * ratio) - (95.0 / ratio) ** 2)
    square = np.square(vectors[0] - vectors[1]).sum() * sd**2
    assert square == pytest.approx((means[0] - means[1]) ** 2 * (shape + 1) / shape, rel=1e-9)


def test_numbers_are_point_masses_and_their_logarithms() -> None:
    found = Embedding(Space((Scalar("x", 1.0, math.e, log=True),)))(torch.tensor([[0.0], [1.0]], dtype=torch.float64))
    assert float(found[1] - found[0]) == pytest.approx(math.sqrt(12))


def test_a_law_searched_as_a_curve_is_the_law_it_says() -> None:
    law = LAWS[2].value({"v.mean": 1.5, **{f"v.rise{k}": 0.5 * k for k in range(1, 6)}})
    assert isinstance(law, Curve)
    assert law.mean == pytest.approx(1.5)
    assert np.diff(law.values) == pytest.approx(np.arange(1, 6) * np.diff(law.values)[0])


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, 1.1, 4.0])
@pytest.mark.parametrize("log", [True, False])
def test_no_matrix_is_indefinite(nu: float, log: bool) -> None:
    """Laws drawn anywhere, many nearly the same, or along an edge of the box; short and long lengths."""
    embedding = Embedding(SPACE, log=log)
    rng = np.random.default_rng(1)
    near = points(1, 7) + 1e-5 * torch.as_tensor(rng.standard_normal((40, N)))
    edge = points(60, 8)
    edge[:, 0] = edge[:, 1] = 0.0
    for x in (points(80, 6), near.clamp(0, 1), edge):
        for length in (0.1, 1.0, 30.0):
            kernel = WassersteinMatern(embedding.groups, nu).double()
            kernel.length = torch.full((len(SPACE.parts),), length)
            assert least_eigenvalue(kernel(embedding(x)).to_dense().detach().numpy()) > -1e-10


def test_any_smoothness_agrees_with_the_closed_forms_and_its_gradient_is_right() -> None:
    x = torch.linspace(0, 9, 50, dtype=torch.float64)
    for nu in (0.5, 1.5, 2.5):
        torch.testing.assert_close(matern(x, nu), matern(x, nu + 1e-13), rtol=1e-9, atol=1e-9)
    x = torch.linspace(0.1, 6, 20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda at: matern(at, 1.7), (x,))
    assert float(matern(torch.zeros(1, dtype=torch.float64), 1.7)) == 1.0


def test_gradients_by_points_and_lengths_are_right() -> None:
    embedding = Embedding(SPACE)
    kernel = WassersteinMatern(embedding.groups).double()
    x = points(4, 3).requires_grad_()
    other = embedding(points(5, 4))
    assert torch.autograd.gradcheck(lambda at: kernel(embedding(at), other).to_dense(), (x,))
    kernel(embedding(x), other).to_dense().sum().backward()
    assert (kernel.raw_length.grad.abs() > 0).all()


def test_groups_that_matter_get_short_lengths() -> None:
    """A function of the mean of tau alone: its length is the shortest after the likelihood is maximised."""
    embedding = Embedding(SPACE)
    x = embedding(points(60, 5))
    y = torch.sin(6 * points(60, 5)[:, 0])
    likelihood = gpytorch.likelihoods.GaussianLikelihood().double()

    class Model(gpytorch.models.ExactGP):
        def __init__(self) -> None:
            super().__init__(x, y, likelihood)
            self.mean_module = gpytorch.means.ConstantMean()
            self.covar_module = WassersteinMatern(embedding.groups)

        def forward(self, at: Any) -> Any:
            return gpytorch.distributions.MultivariateNormal(self.mean_module(at), self.covar_module(at))

    model = Model().double()
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    marginal = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    for _ in range(30):
        optimiser.zero_grad()
        loss = -marginal(model(x), y)
        loss.backward()
        optimiser.step()
    assert int(model.covar_module.length.argmin()) == 0


# -- forms that are no kernels -----------------------------------------------------------------------------------------


def test_the_squared_exponential_of_w1_is_told_apart() -> None:
    """One-dimensional laws of three atoms: exp(-W1^2) reaches eigenvalues far below 0, W2 never does."""
    rng = np.random.default_rng(0)
    worst, sound = 0.0, 0.0
    for _ in range(200):
        atoms = np.sort(rng.exponential(size=(12, 3)) * rng.choice([0.3, 1, 3], size=(12, 1)), axis=1)
        w1 = np.abs(atoms[:, None] - atoms[None]).mean(axis=2)
        w2 = np.sqrt(np.square(atoms[:, None] - atoms[None]).mean(axis=2))
        worst = min(worst, least_eigenvalue(np.exp(-np.square(w1))))
        sound = min(sound, least_eigenvalue(np.exp(-np.square(w2))))
    assert worst < -0.01
    assert sound > -1e-10
    said: list[str] = []
    bad = next(
        gram
        for gram in (np.exp(-np.square(np.abs(a[:, None] - a[None]).mean(axis=2)))
                     for a in (np.sort(rng.exponential(size=(12, 3)), axis=1) for _ in range(500)))
        if least_eigenvalue(gram) < -1e-3
    )  # fmt: skip
    assert least_eigenvalue(clipped(bad, say=said.append)) > -1e-10
    assert said[0].startswith("this is no kernel: its matrix has the eigenvalue -0.")


def test_w2_in_more_dimensions_is_told_apart() -> None:
    """Laws of two atoms among the corners of a hexagon: exp(-W2^2 / 2) is indefinite, the sliced distance is not."""
    angle = np.arange(6) * np.pi / 3
    corners = np.column_stack([np.cos(angle), np.sin(angle)])
    laws = np.array([[corners[i], corners[j]] for i in range(6) for j in range(i, 6)])
    square = np.array([[min(np.square(a - b).sum(), np.square(a - b[::-1]).sum()) / 2 for b in laws] for a in laws])
    assert least_eigenvalue(np.exp(-square / 2)) == pytest.approx(-0.176, abs=1e-3)
    assert least_eigenvalue(matern(torch.as_tensor(np.sqrt(square)), 2.5)) < -1e-3
    vectors = sliced(laws, n_directions=50)
    square = np.square(vectors[:, None] - vectors[None]).sum(axis=2)
    assert least_eigenvalue(np.exp(-square)) > -1e-10


def test_correlation_counts_in_the_sliced_distance() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 2))
    tied = np.column_stack([x[:, 0], 0.9 * x[:, 0] + math.sqrt(1 - 0.81) * x[:, 1]])
    apart, again, joined = sliced([x, rng.standard_normal((4000, 2)), tied])
    assert np.linalg.norm(apart - joined) > 5 * np.linalg.norm(apart - again)


def test_the_divergence_of_sinkhorn_is_that_of_pot() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((20, 2)), rng.standard_normal((15, 2)) + 1.0
    costs = ot.dist(x, y)
    epsilon = 0.2 * float(np.median(costs))

    def entropic(a: Any, b: Any) -> float:
        """Cost of the plan, and its entropy against that of independence."""
        m, uniform = ot.dist(a, b), (np.full(len(a), 1 / len(a)), np.full(len(b), 1 / len(b)))
        plan = ot.sinkhorn(*uniform, m, epsilon, method="sinkhorn_log", numItermax=20_000, stopThr=1e-12)
        independent = np.outer(*uniform)
        return float((plan * m).sum() + epsilon * (plan * np.log(np.maximum(plan, 1e-300) / independent)).sum())

    expected = entropic(x, y) - 0.5 * (entropic(x, x) + entropic(y, y))
    assert sinkhorn(x, y, share=0.2, tolerance=1e-9) == pytest.approx(expected, rel=1e-3)
    assert abs(sinkhorn(x, x)) < 1e-9


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Space(()), "`parts` of `Space` must hold at least one law or number"),
        (lambda: Space((Scalar("x", 0, 1), Scalar("x", 0, 2))), "`parts` of `Space` must have different names, got x"),
        (lambda: Scalar("x", 2, 1), "`x` of `Scalar` must rise from its low to its high bound, got 2 to 1"),
        (lambda: Scalar("x", 0, 1, log=True), "`x` of `Scalar` must have bounds > 0, for equal ratios"),
        (lambda: Law("t", mean=(1.0, 2.0), family="normal"), "must be one of gamma, lognormal, free"),
        (lambda: Law("t", mean=(2.0, 1.0)), "`t.mean` of `Law` must rise"),
        (lambda: Embedding(Space((Law("t", mean=(1.0, 2.0), cv=(0.1, 3.0)),))), "must be at most 2 for gamma laws"),
        (lambda: WassersteinMatern(Embedding(SPACE).groups, nu=0.0), "`nu` of `WassersteinMatern` must be > 0"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(make: Any, message: str) -> None:
    with pytest.raises(InputError) as told:
        make()
    assert message in str(told.value)


def test_shapes_of_gamma_laws_are_resolved() -> None:
    """Polynomials in ln cv give the quantiles of any shape in the box."""
    space = Space((Law("t", mean=(1.0, 2.0), cv=(0.05, 2.0)),))
    embedding = Embedding(space, log=False)
    for cv in (0.05, 0.11, 0.5, 1.0, 1.7, 2.0):
        u = math.log(cv / 0.05) / math.log(40)
        a, b = embedding(torch.tensor([[0.0, u], [1.0, u]], dtype=torch.float64))
        ratio = float((b - a).square().sum().sqrt() * _sd(1.0, 2.0)) / wasserstein2(
            Gamma(1.0, 1 / cv**2), Gamma(2.0, 1 / cv**2)
        )
        assert ratio == pytest.approx(1.0, rel=1e-6)


def _sd(low: float, high: float) -> float:
    ratio = math.log(high / low)
    return math.sqrt((high**2 - low**2) / (2 * ratio) - ((high - low) / ratio) ** 2)
