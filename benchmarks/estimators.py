"""The estimators with their defaults beside plain models of scikit-learn on the same columns.

    python benchmarks/estimators.py --out docs/results/estimators.json

Classifiers: mean accuracy over the folds of a stratified cross-validation, with the network drawn anew in each.
Forecasters: R^2 and normalised error of the last 30 % of a series, for one seed after the other, beside the last value
repeated and a ridge regression on the same windows, whose penalty leave-one-out error chooses. The few defaults were
chosen on the same tables and series with other divisions and seeds, from 100 on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_blobs, make_moons
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hrsnn import HRSNNClassifier, HRSNNForecaster
from hrsnn.data.chaos import lorenz63, mackey_glass
from hrsnn.estimators import windows
from hrsnn.evaluation import versions

N_FOLDS = 3
N_LAGS = 20
TEST_SHARE = 0.3
RULES = {"learned": "stdp", "untrained": None}


def tables() -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    loaded = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
    return {
        **{name: load(return_X_y=True) for name, load in loaded.items()},
        "blobs": make_blobs(300, n_features=4, centers=4, cluster_std=2.0, random_state=0),
        "moons": make_moons(300, noise=0.2, random_state=0),
    }


def series() -> dict[str, NDArray[np.float64]]:
    return {
        "mackey-glass": mackey_glass(n_steps=1500, dt=1.0, substeps=10).values[:, 0],
        "lorenz63, x alone": lorenz63(n_steps=1500, dt=0.05).values[:, 0],
    }


def accuracies(X: NDArray[Any], y: NDArray[Any], seed: int) -> dict[str, Any]:
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    models = {name: HRSNNClassifier(rule=rule, random_state=seed) for name, rule in RULES.items()}
    found: dict[str, Any] = {"n_samples": len(y), "n_features": X.shape[1]}
    for name, model in {**models, "LogisticRegression": line}.items():
        started = time.perf_counter()
        found[name] = cross_val_score(model, X, y, cv=folds).tolist()
        found[f"{name}, s per fold"] = (time.perf_counter() - started) / N_FOLDS
    return found


def errors(values: NDArray[np.float64], horizon: int, n_seeds: int, first_seed: int) -> dict[str, Any]:
    X, y = windows(values, N_LAGS, horizon)
    n = round((1 - TEST_SHARE) * len(y))
    gap = N_LAGS + horizon  # no value of a test window is in training
    train, test = (X[: n - gap], y[: n - gap]), (X[n:], y[n:])
    line = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-8, 4, 25))).fit(*train)
    found: dict[str, Any] = {
        "n_train": len(train[1]), "n_test": len(test[1]),
        "Ridge": r2_score(test[1], line.predict(test[0])), "last value": r2_score(test[1], test[0][:, -1]),
    }  # fmt: skip
    for name, rule in RULES.items():
        started = time.perf_counter()
        made = [HRSNNForecaster(rule=rule, random_state=first_seed + k).fit(*train) for k in range(n_seeds)]
        found[name] = [model.score(*test) for model in made]
        found[f"{name}, s"] = (time.perf_counter() - started) / n_seeds
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3, help="of forecasts")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    started = time.perf_counter()
    accuracy, r2 = {}, {}
    for name, (X, y) in tables().items():
        accuracy[name] = accuracies(X, y, options.seed)
        print(name, {key: np.round(np.mean(value), 3) for key, value in accuracy[name].items()}, flush=True)
    for name, values in series().items():
        for horizon in (1, 6):
            r2[f"{name}, {horizon} ahead"] = errors(values, horizon, options.seeds, options.seed)
            told = {key: np.round(np.mean(value), 5) for key, value in r2[f"{name}, {horizon} ahead"].items()}
            print(name, horizon, told, flush=True)
    document = {"versions": versions(), "wall_s": time.perf_counter() - started, "accuracy": accuracy, "r2": r2}
    if options.out is not None:
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
