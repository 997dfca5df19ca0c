"""What pruning leaves: networks with few of their recurrent synapses, on tasks on which recurrence matters.

    python benchmarks/pruning_quality.py --first-seed 40 --seeds 20 --out docs/results/lnp.json
    python benchmarks/pruning_quality.py --first-seed 40 --seeds 20 --share 0.1 --settings spoken-digits \
        --methods lnp random weight-proportional uniform --out docs/results/lnp_10_percent.json
    python benchmarks/pruning_quality.py --first-seed 40 --seeds 20 --methods lnp random magnitude untrained \
        --settings "delayed-recall, backprop" "digit-pairs, backprop" --out docs/results/lnp_backprop.json

For every setting and seed the network, the same without recurrent synapses, and the network pruned by each method are
evaluated on the test part. All pruned networks have exactly the same neurons and synapses, their rates are restored in
the same way, all learn as much after it, and no method but activity pruning sees the task. Statements are about paired
differences over seeds, with 95 % t-intervals.

Units of work go to `--units` (a folder), one file each, and are not done again. How the method was chosen, on
validation data and other seeds: docs/explanation/pruning.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from hrsnn.arms import Arm, CutRecurrence, Learn, Step, pruning
from hrsnn.config import Config, load_config
from hrsnn.evaluation import Label, versions
from hrsnn.metrics import interval_of_mean
from hrsnn.network_file import write_atomically
from hrsnn.pruning.methods import KINDS
from hrsnn.pruning.schedule import Trajectory
from hrsnn.pruning.spec import LnpSpec, PruneSpec
from hrsnn.pruning.timescales import spectrum_under_drive
from hrsnn.tasks import evaluate_network, shared_task, validation_of
from hrsnn.work.store import Store, key_of

SHARE = 0.05  # of the recurrent synapses, if nothing else is asked for
SMALL_WORLD = [
    "network.excitatory.tau_mem_ms={gamma={mean=40.0, shape=3.0}}",
    "network.inhibitory.tau_mem_ms={gamma={mean=20.0, shape=3.0}}", "network.v_init={uniform={low=0.0, high=1.0}}",
    "network.bias=0.3", "network.tau_syn_exc_ms=11.0", "network.tau_syn_inh_ms=10.0", "input.tonotopic=false",
    "input.span=1.0", "input.p_connect=0.25", "input.weight_excitatory=1.23", "input.weight_inhibitory=0.615",
    'synapses.wiring="small-world"', "synapses.n_neighbours=120", "synapses.weight_scale=1.0",
    "synapses.weight_ee=0.1065", "synapses.weight_ei=0.1065", "synapses.weight_ie=0.963", "synapses.weight_ii=0.963",
    "synapses.delay_ms={uniform={low=0.0, high=100.0}}",
]  # fmt: skip
SETTINGS: dict[str, tuple[str, list[str]]] = {
    "delayed-recall": ("delayed-recall", []),
    "delayed-recall, small-world": ("delayed-recall", SMALL_WORLD),
    "delayed-match": ("delayed-match", []),
    "digit-pairs": ("digit-pairs", []),
    "lorenz63-x": ("lorenz63-x", []),
    "mackey-glass": ("mackey-glass-recurrent", []),
    "spoken-digits": ("spoken-digits", ["network.gain=resistance"]),
}
BACKPROP = [
    "learn.rule=backprop", "learn.n_epochs=8", "learn.batch_size=16", "learn.learning_rate=0.004", "arms={}",
    "network.n_neurons=250",
]  # fmt: skip
FINE_TUNED = {f"{name}, backprop": (name, BACKPROP) for name in ("delayed-recall", "digit-pairs")}
METHODS = tuple(KINDS)
UNPRUNED, BARE, UNTRAINED = "unpruned", "no-recurrence", "untrained"


def config_of(setting: str) -> Config:
    name, overrides = (SETTINGS | FINE_TUNED)[setting]
    return load_config(name, overrides)


def unit_of(setting: str, seed: int, method: str, share: float) -> dict[str, Any]:
    """One network, pruned to `share` of its synapses by one method, evaluated: plain values."""
    with threadpool_limits(1):
        config = config_of(setting)
        task = shared_task(config.task)
        name, ways = config.task.arms[-1], list[Trajectory]()
        learner, validation = config.learn, validation_of(task)
        untaught = learner is None or method == UNTRAINED
        learning = None if untaught else Learn(learner, task.train, seed, validation=validation)
        steps: list[Step] = [CutRecurrence()] if method == BARE else []
        if method not in (UNPRUNED, BARE, UNTRAINED):
            # Without step IV: delays make the tangent space of these networks eighty times as large.
            spec = PruneSpec(keep_synapses=share, drive="standard", lnp=LnpSpec(timescales=False))
            train = task.train_spikes
            steps.append(
                pruning(method, spec, train, learning=learning, seed=seed, on_end=lambda way, data: ways.append(way))
            )
        started = time.process_time()
        network = Arm(name, config.network.arm(name), tuple(steps)).made(seed)
        facts: dict[str, Any] = {}
        for walk in ways:
            seen = walk.snapshots
            facts = {
                "rate_hz": [one.mean_rate_hz for one in seen],
                "synops_recurrent_per_s": [one.synops_recurrent_per_s for one in seen],
                "synops_input_per_s": [one.synops_input_per_s for one in seen],
                "lyapunov_max_per_ms": [
                    float(spectrum_under_drive(one.network, seed=seed, n_exponents=1, drive_hz=walk.drive_hz)[0])
                    for one in (seen if method == "lnp" else [])
                ],
            }
        facts["pruning_s"] = time.process_time() - started
        if learning is not None:
            network = learning(network)
        label = Label(name, "pruned" if facts else "trained", method, seed)
        outcome = evaluate_network(network, task, config.readout, label=label).outcome
        costs = {name: outcome.costs[name] for name in ("synops_recurrent", "synops_input", "spikes_per_neuron")}
        sizes = {name: outcome.network[name] for name in ("n_neurons", "n_recurrent_synapses")}
        return {"metrics": outcome.metrics, "costs": costs, "network": sizes, "pruning": facts}


def done(setting: str, seed: int, method: str, share: float, folder: Path) -> dict[str, Any]:
    """`unit_of`, once."""
    words = [setting, f"s{seed}", method, *([] if method in (UNPRUNED, BARE) or share == SHARE else [f"{share:g}"])]
    name = "-".join(words).replace(", ", "-").replace(" ", "-")
    key = key_of(name, share, config_of(setting).model_dump(mode="json"), versions())
    unit = Store(folder).once(name, key, lambda: unit_of(setting, seed, method, share))
    return {"setting": setting, "seed": seed, "method": method, **unit}


# -- all together ------------------------------------------------------------------------------------------------------


def document_of(units: Sequence[dict[str, Any]], methods: Sequence[str], share: float) -> dict[str, Any]:
    """Raw scores by setting, method and seed, and what follows from them."""
    settings: dict[str, Any] = {}
    for setting in SETTINGS | FINE_TUNED:
        of = {(unit["method"], unit["seed"]): unit for unit in units if unit["setting"] == setting}
        everybody = [UNPRUNED, BARE, *methods]
        seeds = sorted({seed for _, seed in of if all((method, seed) in of for method in everybody)})
        if len(seeds) < 2:
            continue
        metric = next(name for name in ("accuracy", "rmse") if name in of[UNPRUNED, seeds[0]]["metrics"])
        side = 1 if metric == "accuracy" else -1
        score = {m: [of[m, seed]["metrics"][metric] for seed in seeds] for m in everybody}
        settings[setting] = {
            "metric": metric, "seeds": seeds, "scores": score,
            "raw": {m: [without_names(of[m, seed]) for seed in seeds] for m in everybody},
            "summary": summary_of(score, side, {m: [of[m, seed] for seed in seeds] for m in everybody}),
        }  # fmt: skip
    return {"schema": "hrsnn.pruning-quality/1", "share": share, "versions": versions(), "settings": settings}


def without_names(unit: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in unit.items() if name not in ("setting", "method", "seed")}


def summary_of(score: dict[str, list[float]], side: int, units: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Means, and paired differences that are positive where the first is better."""

    def better(a: str, b: str) -> dict[str, Any]:
        differences = side * np.subtract(score[a], score[b])
        return {"mean": float(differences.mean()), "ci95": interval_of_mean(differences)}

    def ratio(costs: Sequence[str]) -> float:
        totals = [sum(np.mean([unit["costs"][c] for unit in units[m]]) for c in costs) for m in (UNPRUNED, "lnp")]
        return float(totals[0] / totals[1])

    gap = better(UNPRUNED, BARE)
    pruned = [method for method in score if method not in (UNPRUNED, BARE)]
    others = [method for method in pruned if method != "lnp"]
    lnp = [unit["pruning"] for unit in units["lnp"]]
    rates, exponents = (np.array([facts[name] for facts in lnp]) for name in ("rate_hz", "lyapunov_max_per_ms"))
    near = np.abs(exponents[:, 1] - exponents[:, 0]) <= np.maximum(0.2 * np.abs(exponents[:, 0]), 0.01)
    return {
        "mean": {method: float(np.mean(values)) for method, values in score.items()},
        "gap": gap,
        "share_of_gap_kept": {m: better(m, BARE)["mean"] / gap["mean"] for m in pruned},
        "lnp_minus_unpruned": better("lnp", UNPRUNED),
        "lnp_better_than": {method: better("lnp", method) for method in others},
        "synops_ratio": {
            "recurrent": ratio(["synops_recurrent"]), "with_input": ratio(["synops_recurrent", "synops_input"])
        },
        "rate_ratio": [float(q) for q in np.quantile(rates[:, 1] / rates[:, 0], (0, 0.5, 1))],
        "lyapunov_max_per_ms": {
            "unpruned": float(exponents[:, 0].mean()), "lnp": float(exponents[:, 1].mean()),
            "share_near_unpruned": float(near.mean()), "share_negative": float((exponents[:, 1] < 0).mean()),
        },
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--settings", nargs="*", choices=[*SETTINGS, *FINE_TUNED], default=list(SETTINGS))
    parser.add_argument("--methods", nargs="*", choices=[*METHODS, UNTRAINED], default=METHODS, help="lnp among them")
    parser.add_argument("--share", type=float, default=SHARE, help="of the recurrent synapses, to keep")
    parser.add_argument("--units", type=Path, default=Path("pruning-quality"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    arguments.units.mkdir(parents=True, exist_ok=True)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        waiting = [
            pool.submit(done, setting, seed, method, arguments.share, arguments.units)
            for seed in seeds
            for setting in arguments.settings
            for method in (UNPRUNED, BARE, *arguments.methods)
        ]
        document = document_of([future.result() for future in waiting], arguments.methods, arguments.share)
    for setting, found in document["settings"].items():
        print(setting, json.dumps(found["summary"], indent=1))
    if arguments.out is not None:
        write_atomically(arguments.out, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


if __name__ == "__main__":
    main()
