"""Run directories made of invented numbers, for the tests of the report only: nothing here was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLASSES = [f"{word}-{i}" for i in (1, 2) for word in WORDS]
ACCURACY = {
    ("InputOnly", "trained", None): 0.56,
    ("RandomFeatures", "trained", None): 0.585,
    ("HoNHoS", "trained", None): 0.66,
    ("HeNHoS", "trained", None): 0.695,
    ("HoNHeS", "trained", None): 0.664,
    ("HeNHeS", "trained", None): 0.708,
    ("HeNHeS", "control", "no-recurrence"): 0.64,
    ("HeNHeS", "control", "untrained"): 0.702,
}
PRUNED = {
    ("HeNHeS", "pruned", "lnp"): 0.70,
    ("HeNHeS", "pruned", "random"): 0.655,
    ("HeNHeS", "pruned", "weight-proportional"): 0.69,
}
N_SYNAPSES_LEFT = 950
VPT = {
    ("Persistence", "trained", None): 0.2,
    ("InputOnly", "trained", None): 0.9,
    ("ESN-100", "trained", None): 3.4,
    ("NVAR", "trained", None): 4.1,
    ("HoNHoS", "trained", None): 2.4,
    ("HeNHoS", "trained", None): 3.1,
    ("HoNHeS", "trained", None): 2.5,
    ("HeNHeS", "trained", None): 3.2,
}
PAIRS = (
    ("HeNHoS", "HoNHoS"), ("HoNHeS", "HoNHoS"), ("HeNHeS", "HoNHoS"), ("HeNHeS", "HeNHeS/control/untrained"),
    ("HeNHeS", "HeNHeS/control/no-recurrence"), ("HeNHeS", "InputOnly"), ("HeNHeS", "RandomFeatures"),
    ("HeNHeS", "Persistence"), ("HeNHeS", "ESN-100"), ("HeNHeS", "NVAR"),
    *((f"HeNHeS/pruned/{method}", "HeNHeS") for *_, method in PRUNED),
    *((f"HeNHeS/pruned/{method}", "HeNHeS/control/no-recurrence") for *_, method in PRUNED),
    *(("HeNHeS/pruned/lnp", f"HeNHeS/pruned/{method}") for method in ("random", "weight-proportional")),
)  # fmt: skip


def write_run(
    run_dir: Path,
    *,
    n_seeds: int = 5,
    forecast: bool = False,
    classes: list[str] | None = None,
    details: bool = True,
    pruned: bool = False,
) -> Path:
    """Write a plausible complete run directory of invented numbers into `run_dir`; returns it."""
    rng = np.random.default_rng(7)
    values, metric = (VPT, "vpt_lyapunov") if forecast else (ACCURACY, "accuracy")
    values = {**values, **(PRUNED if pruned else {})}
    outcomes = [
        _outcome(rng, key, seed, level, metric, classes or CLASSES, details)
        for key, level in sorted(values.items(), key=lambda item: str(item[0]))
        for seed in range(n_seeds)
    ]
    (run_dir / "outcomes").mkdir(parents=True)
    for o in outcomes:
        name = "-".join(str(p) for p in (o["arm"], o["stage"], o["method"], o["seed"])) + ".json"
        (run_dir / "outcomes" / name).write_text(json.dumps(o))
    bare = [{k: v for k, v in o.items() if k != "details"} for o in outcomes]
    (run_dir / "results.json").write_text(json.dumps(results_of(bare, metric, forecast), indent=1))
    (run_dir / "config.toml").write_text(
        '[task]\nname = "synthetic"\n\n[network]\nn_neurons = 500\ntau_mem_ms = {gamma = {mean = 20, shape = 3}}\n'
    )
    return run_dir


def results_of(outcomes: list[dict[str, Any]], metric: str, forecast: bool = False) -> dict[str, Any]:
    """The object of results.json for these outcomes (t-intervals; the paired ones from seeds alone)."""
    groups: dict[tuple[str, str, str | None], list[dict[str, Any]]] = {}
    for o in outcomes:
        groups.setdefault((o["arm"], o["stage"], o["method"]), []).append(o)
    summary = [
        {
            "arm": arm, "stage": stage, "method": method, "n_seeds": len(group),
            "metrics": {name: _estimate([o["metrics"][name] for o in group]) for name in group[0]["metrics"]},
            "costs": {
                name: {"mean": float(np.mean([o["costs"][name] for o in group])), "sd": 0.0}
                for name in group[0]["costs"] if name != "energy_pj"
            } | {"energy_pj": {
                name: {"mean": float(np.mean([o["costs"]["energy_pj"][name] for o in group]))}
                for name in group[0]["costs"].get("energy_pj", ())
            }},
        }
        for (arm, stage, method), group in groups.items()
    ]  # fmt: skip
    by_label = {"/".join(p for p in (a, s if s != "trained" else None, m) if p): g for (a, s, m), g in groups.items()}
    comparisons = []
    metrics = [metric] if forecast else [metric, "accuracy_unseen"]
    for a, b, name in ((a, b, name) for a, b in PAIRS for name in metrics):
        if a in by_label and b in by_label:
            pairs = zip(by_label[a], by_label[b], strict=True)
            estimate = _estimate([x["metrics"][name] - y["metrics"][name] for x, y in pairs])
            n_pairs = len(by_label[a])
            row = {"a": a, "b": b, "metric": name, "diff": estimate["mean"], "ci95": estimate["ci95"]}
            comparisons.append({**row, "n_pairs": n_pairs})
    return {
        "schema": "hrsnn.results/1", "task": "synthetic-forecast" if forecast else "synthetic-digits",
        "created": "2026-03-01T09:30:00+00:00", "versions": {"hrsnn": "0.0", "numpy": np.__version__},
        "data": {"name": "invented numbers", "licence": "none needed"},
        "outcomes": outcomes, "summary": summary, "comparisons": comparisons,
    }  # fmt: skip


def _estimate(values: list[float]) -> dict[str, Any]:
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
    half = None if sd is None else 2.776 * sd / len(values) ** 0.5
    return {"mean": mean, "sd": sd, "ci95": None if half is None else [mean - half, mean + half]}


def _outcome(
    rng: np.random.Generator,
    key: tuple[str, str, str | None],
    seed: int,
    level: float,
    metric: str,
    classes: list[str],
    details: bool,
) -> dict[str, Any]:
    arm, stage, method = key
    sizes = {"n_neurons": 500, "n_recurrent_synapses": 19_000 + seed, "n_input_synapses": 7_000, "hash": "0" * 64}
    if stage == "pruned":
        sizes |= {"n_neurons": 450, "n_recurrent_synapses": N_SYNAPSES_LEFT + seed}
    is_network = arm[:2] in ("Ho", "He")
    value = float(level + rng.normal(0, 0.012 if metric == "accuracy" else 0.25))
    metrics = {metric: value}
    if metric == "accuracy":
        metrics |= {"accuracy_seen": value + 0.05, "accuracy_unseen": value - 0.08}
    else:
        metrics |= {"nrmse": 1.2 / (1 + value), "vpt_lyapunov_04": value * 0.9}
    busy = {"Ho": 12.4, "He": 11.1}.get(arm[:2], 0.0) * (0.6 if method == "no-recurrence" else 1.0)
    costs: dict[str, Any] = {}
    if is_network:
        recurrent = 0.0 if method == "no-recurrence" else busy * 500 * (2 if stage == "pruned" else 38)
        costs = {"spikes_per_neuron": busy, "spikes_per_sample": busy * 500, "synops_recurrent": recurrent}
        costs |= {
            "synops_input": 41_200.0,
            "energy_pj": {"loihi": (recurrent + 41_200) * 23.6, "45nm": recurrent * 0.9},
        }
    return {
        "arm": arm, "stage": stage, "method": method, "seed": seed, "metrics": metrics, "costs": costs,
        "network": sizes if is_network else {}, "wall_s": 12.5,
        "warnings": ["3 % of the neurons never fired"] if is_network and seed == 1 else [],
        **({"details": _details(rng, is_network, seed, value, metric, classes)} if details else {}),
    }  # fmt: skip


def _details(
    rng: np.random.Generator, is_network: bool, seed: int, value: float, metric: str, classes: list[str]
) -> dict[str, Any]:
    tried = [
        {"n_bins": bins, "transform": t, "regularisation": r, "validation_accuracy": float(rng.uniform(0.5, 0.72))}
        for bins in (1, 5, 10) for t in ("none", "sqrt") for r in (0.001, 0.01, 0.1)
    ]  # fmt: skip
    best = max(tried, key=lambda t: t["validation_accuracy"])
    found: dict[str, Any] = {"readout": {**best, "model": "logistic", "tried": tried}}
    if metric == "accuracy":
        labels = rng.integers(0, len(classes), 300)
        near = (labels + 10 * (rng.random(300) < 0.5)) % len(classes)
        said = np.where(rng.random(300) < value, labels, np.where(rng.random(300) < 0.6, near, rng.permutation(labels)))
        found |= {"labels": labels.tolist(), "predictions": said.tolist(), "class_names": classes}
        found["seen"] = (rng.random(300) < 0.6).tolist()
    else:
        found["forecast"] = _forecast(rng)
        found["by_start"] = {metric: np.clip(rng.normal(value, 0.7, 10), 0, None).tolist()}
    if is_network:
        found["histograms"] = {
            "tau_mem_ms_excitatory": _histogram(rng.gamma(3, 20 / 3, 400)),
            "tau_mem_ms_inhibitory": _histogram(rng.gamma(3, 10 / 3, 100)),
            "v_th": _histogram(rng.normal(1, 0.15, 500)),
            "a_plus": _histogram(rng.gamma(4, 0.0025, 19_000)),
            "tau_plus_ms": _histogram(rng.gamma(5, 4, 19_000)),
            "weight_recurrent_before": _histogram(rng.gamma(2, 0.04, 19_000)),
            "weight_recurrent_after": _histogram(np.r_[rng.gamma(1, 0.02, 9_000), rng.normal(0.3, 0.05, 10_000)]),
            "weight_input_before": _histogram(rng.uniform(0, 1, 7_000)),
            "weight_input_after": _histogram(rng.beta(0.6, 0.6, 7_000)),
            "rate_hz": _histogram(rng.lognormal(2.2, 0.8, 500)),
        }
        samples = np.arange(0, 820, 20)
        found["learning"] = {
            "sample": samples.tolist(),
            "spikes_per_neuron": (11 + 5 * np.exp(-samples / 150) + rng.normal(0, 0.4, samples.size)).tolist(),
            "silent_share": (0.03 + 0.1 * np.exp(-samples / 200) + rng.normal(0, 0.004, samples.size)).tolist(),
        }
        if seed == 0 and metric == "accuracy":
            found["raster"] = _raster(rng)
    return found


def _histogram(values: np.ndarray) -> dict[str, Any]:
    counts, edges = np.histogram(values, bins=40)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _raster(rng: np.random.Generator) -> dict[str, Any]:
    times = np.sort(np.clip(rng.normal(350, 150, 5_500), 0, 899))
    input_times = np.sort(np.clip(rng.normal(300, 110, 1_400), 0, 899))
    return {
        "time_ms": np.floor(times).tolist(), "unit": rng.integers(0, 500, times.size).tolist(), "n_excitatory": 400,
        "n_neurons": 500, "duration_ms": 900, "label": "seven", "input_time_ms": np.floor(input_times).tolist(),
        "input_unit": np.clip(40 + 0.1 * input_times + rng.normal(0, 20, 1_400), 0, 139).astype(int).tolist(),
        "n_inputs": 140,
    }  # fmt: skip


def _forecast(rng: np.random.Generator) -> dict[str, Any]:
    """Lorenz's equations, and the same with a small error, so that the curves part."""

    def course(start: np.ndarray) -> np.ndarray:
        states, x = [], start
        for _ in range(600):
            for _ in range(10):
                slope = [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]
                x = x + 0.002 * np.array(slope)
            states.append(x)
        return np.array(states)

    start = np.array([-5.0, -6.0, 22.0])
    return {
        "dt": 0.02, "lyapunov_exponent": 0.906, "variable_names": ["x", "y", "z"], "truth": course(start).tolist(),
        "prediction": course(start + 0.02).tolist(),
    }  # fmt: skip
