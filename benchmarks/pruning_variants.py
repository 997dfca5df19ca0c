"""What made the difference: variants of Lyapunov noise pruning, on validation data and seeds of their own.

    python benchmarks/pruning_variants.py --seeds 10 --out docs/results/lnp_variants.json

Settings, share of synapses and units as in pruning_quality.py; no statement reads the test part. Every variant differs
from the form of the product, `LyapunovNoise()` in one shot, in one thing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from hrsnn import build
from hrsnn.arms import CutRecurrence
from hrsnn.evaluation import Label, versions
from hrsnn.metrics import interval_of_mean
from hrsnn.network import Network
from hrsnn.network_file import write_atomically
from hrsnn.pruning.criteria import WeightProportional
from hrsnn.pruning.criterion import Criterion, Size, Step
from hrsnn.pruning.lnp import LyapunovNoise
from hrsnn.pruning.noise import prune_by_noise
from hrsnn.pruning.sampling import chosen, rescaled
from hrsnn.pruning.schedule import prune
from hrsnn.pruning.target import Target
from hrsnn.tasks import evaluate_network, shared_task
from hrsnn.work.store import Store, key_of
from pruning_quality import BARE, SHARE, UNPRUNED, config_of

SETTINGS = ("delayed-recall", "delayed-recall, small-world", "delayed-match", "digit-pairs")
FIRST_SEED = 100


@dataclass(frozen=True, slots=True)
class DrawnFreely(Criterion):
    """Step I with the weight alone, and its synapses drawn without regard to the neuron that they lead to."""

    name: ClassVar[str] = "drawn freely"

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, dict[str, Any]]:
        nothing = np.zeros(network.n_neurons)
        told = prune_by_noise(
            network, nothing, n_keep=size.n_synapses, seed=step.seed, mode="w", diagonal="keep"
        )[1]  # fmt: skip
        kept = chosen(told.probabilities, size.n_synapses, seed=step.seed)
        return rescaled(network, kept, told.probabilities), {}


# criterion, iterations, whether rates are restored
VARIANTS: dict[str, tuple[Callable[[], Criterion], int, bool]] = {
    "product": (lambda: LyapunovNoise(timescales=False), 1, True),
    "weight alone (w)": (lambda: LyapunovNoise(mode="w", timescales=False), 1, True),
    "exponents alone (hm)": (lambda: LyapunovNoise(mode="hm", timescales=False), 1, True),
    "signed exponents alone (literal)": (lambda: LyapunovNoise(mode="literal", timescales=False), 1, True),
    "w, drawn freely": (DrawnFreely, 1, True),
    "rates not restored": (lambda: LyapunovNoise(timescales=False), 1, False),
    "leak adjusted": (lambda: LyapunovNoise(diagonal="adjust", timescales=False), 1, True),
    "noise of spikes": (lambda: LyapunovNoise(shot_noise=1.0, timescales=False), 1, True),
    "no step III": (lambda: LyapunovNoise(edges="none", timescales=False), 1, True),
    "20 iterations": (lambda: LyapunovNoise(timescales=False), 20, True),
    "weight-proportional": (WeightProportional, 1, True),
}


def score_of(setting: str, seed: int, variant: str) -> dict[str, float | None]:
    """Accuracy on validation data and, where pruned, the rates before and after under the standard drive."""
    with threadpool_limits(1):
        config = config_of(setting)
        task = shared_task(config.task)
        network = build(config.network.arm(config.task.arms[-1]), seed=seed)
        ratio = None
        if variant == BARE:
            network = CutRecurrence()(network)
        elif variant != UNPRUNED:
            criterion, n_iterations, correct = VARIANTS[variant]
            # the neurons stay, also in 20 iterations
            target = Target(n_neurons=network.n_neurons, n_synapses=round(SHARE * len(network.recurrent)))
            walk = prune(network, target, criterion(), n_iterations=n_iterations, seed=seed, correct=correct)
            network, ratio = walk.network, walk.snapshots[-1].mean_rate_hz / walk.snapshots[0].mean_rate_hz
        details = evaluate_network(network, task, config.readout, label=Label(seed=seed)).details
        return {"accuracy": float(details["readout"]["validation_accuracy"]), "rate_ratio": ratio}


def done(setting: str, seed: int, variant: str, folder: Path) -> dict[str, Any]:
    """`score_of`, once."""
    safe = "".join(c if c.isalnum() else "-" for c in f"{setting}-s{seed}-{variant}")
    key = key_of(safe, config_of(setting).model_dump(mode="json"), versions())
    unit = Store(folder).once(safe, key, lambda: score_of(setting, seed, variant))
    return {"setting": setting, "seed": seed, "variant": variant, **unit}


def document_of(units: list[dict[str, Any]]) -> dict[str, Any]:
    settings = {}
    for setting in SETTINGS:
        by_variant: dict[str, list[dict[str, Any]]] = {}
        for unit in units:
            if unit["setting"] == setting:
                by_variant.setdefault(unit["variant"], []).append(unit)
        raw = {name: [unit["accuracy"] for unit in found] for name, found in by_variant.items()}
        ratios = {name: [unit["rate_ratio"] for unit in found] for name, found in by_variant.items()}
        settings[setting] = {
            "accuracy": raw,
            "rate_ratio": {name: values for name, values in ratios.items() if values[0] is not None},
            "mean": {name: float(np.mean(values)) for name, values in raw.items()},
            "minus_product": {
                name: {"mean": float(np.mean(d)), "ci95": interval_of_mean(d)}
                for name, values in raw.items()
                if (d := np.subtract(values, raw["product"])).any()
            },
        }
    seeds = sorted({unit["seed"] for unit in units})
    return {"schema": "hrsnn.pruning-variants/1", "seeds": seeds, "versions": versions(), "settings": settings}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--units", type=Path, default=Path("pruning-variants"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    arguments.units.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        waiting = [
            pool.submit(done, setting, seed, variant, arguments.units)
            for seed in range(FIRST_SEED, FIRST_SEED + arguments.seeds)
            for setting in SETTINGS
            for variant in (UNPRUNED, BARE, *VARIANTS)
        ]
        document = document_of([future.result() for future in waiting])
    for setting, found in document["settings"].items():
        print(setting, *(f"  {name:34s} {mean:.3f}" for name, mean in found["mean"].items()), sep="\n")
    if arguments.out is not None:
        write_atomically(arguments.out, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


if __name__ == "__main__":
    main()
