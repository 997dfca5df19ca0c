"""Kernels on laws: Matérn functions of the 2-Wasserstein distance (method.md 11.2, 11.3), as kernels of GPyTorch.

On product laws of one-dimensional components the distance is that of a Hilbert space, the quantile functions, so that
a Matérn function of it is positive definite for every smoothness and length. That is false for W2 in more dimensions
and, above smoothness 1/2, for W1: `least_eigenvalue` tells, `clipped` mends a matrix and says by how much.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import gpytorch
import numpy as np
import torch
from gpytorch.constraints import Positive
from gpytorch.priors import LogNormalPrior
from numpy.typing import ArrayLike, NDArray
from scipy import special

from hrsnn._checks import real_number, require

Tensor = torch.Tensor

SMALLEST = 1e-20  # of squared distances: a root has no derivative at 0


class WassersteinMatern(gpytorch.kernels.Kernel):
    """Matérn kernel of smoothness `nu` on embedded search points, with one length for each group of entries.

    groups      entries of each part among those of the inputs, which are vectors of an `Embedding`
    nu          1/2, 3/2 and 5/2 have closed forms; any other number > 0 goes through Bessel's function

    Raises `InputError` for a `nu` that is not positive.
    """

    has_lengthscale = False

    def __init__(self, groups: Sequence[slice], nu: float = 2.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nu = real_number("WassersteinMatern", "nu", nu, above=0)
        n = len(groups)
        self._group_of_entry = torch.repeat_interleave(torch.tensor([group.stop - group.start for group in groups]))
        self.register_parameter("raw_length", torch.nn.Parameter(torch.zeros(*self.batch_shape, n)))
        self.register_constraint("raw_length", Positive())
        # Lengths grow with the root of the number of groups, as distances do.
        self.register_prior(
            "length_prior", LogNormalPrior(math.log(n) / 2 + math.sqrt(2), math.sqrt(3)),
            lambda kernel: kernel.length, lambda kernel, value: kernel._set_length(value),
        )  # fmt: skip
        self.length = torch.full((n,), math.sqrt(n) * 2.0)

    @property
    def length(self) -> Tensor:
        """Lengths of the groups, in units of the prior's spread of their means."""
        found: Tensor = self.raw_length_constraint.transform(self.raw_length)
        return found

    @length.setter
    def length(self, value: Tensor) -> None:
        self._set_length(value)

    def _set_length(self, value: Tensor) -> None:
        value = torch.as_tensor(value).to(self.raw_length)
        self.initialize(raw_length=self.raw_length_constraint.inverse_transform(value).expand_as(self.raw_length))

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **params: Any) -> Tensor:
        first, second = self._scaled(x1), self._scaled(x2)
        if diag:
            square = (first - second).square().sum(dim=-1)
        else:
            centre = first.reshape(-1, first.shape[-1]).mean(dim=0)
            first, second = first - centre, second - centre
            square = first.square().sum(dim=-1)[..., :, None] + second.square().sum(dim=-1)[..., None, :]
            square = square - 2 * first @ second.transpose(-1, -2)
        return matern(square.clamp_min(SMALLEST).sqrt(), self.nu)

    def _scaled(self, x: Tensor) -> Tensor:
        each = self.length[..., self._group_of_entry]
        return x / (each if each.dim() == 1 else each[..., None, :])


def matern(distance: Tensor, nu: float) -> Tensor:
    """The Matérn function of smoothness `nu` at distances in units of the length; 1 at 0.

    >>> matern(torch.tensor([0.0, 1.0]), 0.5)
    tensor([1.0000, 0.3679])
    """
    if nu == 0.5:
        return torch.exp(-distance)
    if nu == 1.5:
        x = math.sqrt(3) * distance
        return (1 + x) * torch.exp(-x)
    if nu == 2.5:
        x = math.sqrt(5) * distance
        return (1 + x + x.square() / 3) * torch.exp(-x)
    found: Tensor = _Bessel.apply(math.sqrt(2 * nu) * distance, nu)
    return found


def matern_slope(distance: Tensor, nu: float) -> Tensor:
    """The derivative of `matern` by the squared distance, at distances above 0.

    >>> matern_slope(torch.tensor([1.0]), 0.5)
    tensor([-0.1839])
    """
    if nu == 0.5:
        return -torch.exp(-distance) / (2 * distance)
    if nu == 1.5:
        return -1.5 * torch.exp(-math.sqrt(3) * distance)
    if nu == 2.5:
        x = math.sqrt(5) * distance
        return -5 / 6 * (1 + x) * torch.exp(-x)
    x = math.sqrt(2 * nu) * distance
    return -nu / x * _bessel(x, nu, nu - 1, at_zero=0.0)


class _Bessel(torch.autograd.Function):
    """2^(1-nu) / Gamma(nu) x^nu K_nu(x), with the derivative -2^(1-nu) / Gamma(nu) x^nu K_(nu-1)(x)."""

    @staticmethod
    def forward(context: Any, x: Tensor, nu: float) -> Tensor:
        context.save_for_backward(x)
        context.nu = nu
        return _bessel(x, nu, nu, at_zero=1.0)

    @staticmethod
    def backward(context: Any, *given: Tensor) -> tuple[Tensor, None]:
        (x,) = context.saved_tensors
        return -given[0] * _bessel(x, context.nu, context.nu - 1, at_zero=0.0), None


def _bessel(x: Tensor, nu: float, order: float, *, at_zero: float) -> Tensor:
    """2^(1-nu) / Gamma(nu) x^nu K_order(x): large x by the scaled function, 0 by its limit."""
    values = x.detach().double().numpy()
    with np.errstate(all="ignore"):
        log = (1 - nu) * math.log(2) - special.gammaln(nu) + nu * np.log(values) - values
        found = np.exp(log) * special.kve(order, values)
    found = np.where(values > 1e-9, found, at_zero)
    return torch.as_tensor(found).to(x)


# -- laws that are not products, and matrices that are no kernels ------------------------------------------------------


def sliced(draws: Sequence[ArrayLike], *, n_directions: int = 200, n_nodes: int = 64, seed: int = 0) -> NDArray[Any]:
    """Joint laws, each given by draws (n_draws, n_components), as vectors of sliced 2-Wasserstein distance.

    Quantiles of the projections on `n_directions` fixed directions, which are the same for all: float64
    (n_laws, n_directions * n_nodes), to be held against each other by Euclidean distance. Correlation counts.
    """
    laws = [np.asarray(one, dtype=np.float64) for one in draws]
    for k, law in enumerate(laws):
        ok = law.ndim == 2 and law.shape[1] == laws[0].shape[1] and np.isfinite(law).all() and len(law) > 0
        require(ok, "sliced", "draws", "must be finite, (n_draws, n_components)", law.shape, place=f"in law {k}")
    directions = np.random.default_rng(seed).standard_normal((laws[0].shape[1], n_directions))
    directions /= np.linalg.norm(directions, axis=0)
    levels = (np.arange(n_nodes) + 0.5) / n_nodes
    found = [np.quantile(law @ directions, levels, axis=0).ravel() for law in laws]
    return np.array(found) / math.sqrt(n_directions * n_nodes)


def sinkhorn(a: ArrayLike, b: ArrayLike, *, share: float = 0.01, tolerance: float = 1e-6) -> float:
    """The debiased Sinkhorn divergence of two laws given by draws (n_draws, n_components), squared Euclidean cost.

    `share` of the median cost is the strength of the entropy. The literal reading of the papers: no metric, and no
    kernel follows from it (method.md 11.3), so matrices made of it have to go through `clipped`.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    epsilon = share * float(np.median(_costs(x, y)))
    if epsilon <= 0:
        return 0.0
    parts = [_entropic(_costs(p, q), epsilon, tolerance) for p, q in ((x, y), (x, x), (y, y))]
    return parts[0] - 0.5 * (parts[1] + parts[2])


def least_eigenvalue(gram: ArrayLike) -> float:
    """The smallest eigenvalue of a symmetric matrix, in units of its largest diagonal entry: below 0 for no kernel."""
    matrix = np.asarray(gram, dtype=np.float64)
    return float(np.linalg.eigvalsh(0.5 * (matrix + matrix.T))[0] / matrix.diagonal().max())


def clipped(gram: ArrayLike, *, say: Callable[[str], object] = id, tolerance: float = 1e-8) -> NDArray[np.float64]:
    """The nearest positive semidefinite matrix; `say` is told where one has an eigenvalue below -`tolerance`."""
    matrix = np.asarray(gram, dtype=np.float64)
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    if values[0] >= -tolerance * matrix.diagonal().max():
        return matrix
    say(f"this is no kernel: its matrix has the eigenvalue {values[0]:.3g}; negative ones were set to 0")
    return np.asarray((vectors * np.maximum(values, 0)) @ vectors.T)


def _costs(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.square(x[:, None, :] - y[None, :, :]).sum(axis=2))


def _entropic(costs: NDArray[np.float64], epsilon: float, tolerance: float, most: int = 10_000) -> float:
    """Entropic transport cost of equal masses, by Sinkhorn's iteration in the log domain."""
    n, m = costs.shape
    f, g = np.zeros(n), np.zeros(m)
    for _ in range(most):
        before = f
        f = -epsilon * (special.logsumexp((g[None, :] - costs) / epsilon, axis=1) - math.log(m))
        g = -epsilon * (special.logsumexp((f[:, None] - costs) / epsilon, axis=0) - math.log(n))
        if np.abs(f - before).max() <= tolerance * epsilon:
            break
    return float(f.mean() + g.mean())
