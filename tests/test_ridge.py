"""Ridge regression from sums: scikit-learn on the data themselves is the judge."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge

from hrsnn.analysis.ridge import PENALTIES, Frame, Moments, fit


def data(seed: int, n: int = 300, n_features: int = 8, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Features of different sizes around a large mean; targets with signal, with less of it, with none."""
    rng = np.random.default_rng(seed)
    x = 1000 + rng.standard_normal((n, n_features)) * rng.uniform(0.1, 10, n_features)
    signal = (x[:, 0] - 1000) / 10 + (x[:, 1] - 1000)
    y = np.stack([signal + noise * rng.standard_normal(n), signal + 30 * rng.standard_normal(n), rng.random(n)], axis=1)
    return x, y


def moments_of(x: np.ndarray, y: np.ndarray, origin: np.ndarray, n_pieces: int = 1) -> Moments:
    found = Moments(origin, y.shape[1])
    for rows in np.array_split(np.arange(len(x)), n_pieces):
        found.add(x[rows], y[rows])
    return found


def test_it_is_scikit_learn_with_these_penalties() -> None:
    x, y = data(0)
    ridge = fit(moments_of(x[:200], y[:200], x[0]), moments_of(x[200:], y[200:], x[0], 3))
    size = x.var(axis=0).mean()
    for target in range(3):
        judge = SklearnRidge(alpha=ridge.penalties[target] * len(x) * size, solver="svd").fit(x, y[:, target])
        assert np.allclose(ridge(x)[:, target], judge.predict(x), rtol=0, atol=1e-6 * y[:, target].std())


def test_each_target_has_the_penalty_with_the_least_validation_error() -> None:
    x, y = data(1)
    ridge = fit(moments_of(x[:200], y[:200], x[0]), moments_of(x[200:], y[200:], x[0]))
    size = x[:200].var(axis=0).mean()
    for target in range(3):
        errors = []
        for penalty in PENALTIES:
            judge = SklearnRidge(alpha=penalty * 200 * size, solver="svd").fit(x[:200], y[:200, target])
            errors.append(np.mean((judge.predict(x[200:]) - y[200:, target]) ** 2))
        chosen = errors[PENALTIES.tolist().index(ridge.penalties[target])]
        assert chosen == pytest.approx(min(errors), rel=1e-7)
    assert ridge.penalties[2] > ridge.penalties[0]  # where there is nothing to learn


def test_moments_in_another_frame_are_those_of_the_shifted_data() -> None:
    x, y = data(2)
    frame = Frame.of(moments_of(x[:100], y[:100], x[0]))
    xx, xy, yy = moments_of(x[100:], y[100:], x[0], 4).within(frame)
    u = (x[100:] - x[:100].mean(axis=0)) / np.sqrt(x[:100].var(axis=0).mean())
    v = y[100:] - y[:100].mean(axis=0)
    assert np.allclose(xx, u.T @ u / 200, rtol=1e-9, atol=1e-9)
    assert np.allclose(xy, u.T @ v / 200, rtol=1e-9, atol=1e-9)
    assert np.allclose(yy, np.mean(v**2, axis=0), rtol=1e-9)


def test_equal_and_constant_features_change_no_prediction() -> None:
    x, y = data(3)
    more = np.concatenate([x, x[:, :3], np.full((len(x), 2), 7.5)], axis=1)

    def fitted(features: np.ndarray) -> tuple[np.ndarray, int]:
        ridge = fit(moments_of(features[:200], y[:200], features[0]), moments_of(features[200:], y[200:], features[0]))
        assert np.isfinite(ridge.weights).all()
        return ridge(features), ridge.rank

    # Equal features share their weight, so they are penalised less: equal predictions where the penalty is small.
    (plain, rank), (singular, rank_singular) = fitted(x), fitted(more)
    assert rank == rank_singular == 8
    assert np.allclose(plain[:, 0], singular[:, 0], rtol=0, atol=0.02 * y[:, 0].std())


def test_features_that_never_change_get_no_weight() -> None:
    y = data(4)[1]
    x = np.full((300, 2), 0.1)
    ridge = fit(moments_of(x[:200], y[:200], x[0]), moments_of(x[200:], y[200:], x[0]))
    assert ridge.rank == 0
    assert not ridge.weights.any()
    assert np.allclose(ridge(x), y.mean(axis=0))
