"""Networks pruned in every way that figures 10 to 12 and table 5 compare, trained, and scored on the way.

A unit is one method on one task, for one seed. It depends on its name and on the sizes of the scale, on nothing else.

The networks
* Forecasts: those of the built-in configs of the series, that of Lorenz-63 for Rössler and that of the stock for the
  wind, with the start graph of the papers, a directed small world (method.md 3.6) or four of them for CHRSNN (3.7), and
  the protocol of the papers, 500 values to train and the next 100 to forecast.
* Spoken digits: those of the built-in config, other sizes of the same.

The size at the end is 4.94 % of the recurrent synapses, as published, and 45 % of the neurons: 0.8 % of them go in each
of 100 iterations. The published 6 % of the neurons cannot hold so many synapses (method.md 12.7, 16.16). All methods
leave exactly the same size after each iteration, and rates are restored after each, for all alike.

Learning is STDP without labels, on what was pruned; activity pruning alone also learns before each iteration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any, Literal

from hrsnn import tasks
from hrsnn._checks import InputError
from hrsnn.arms import Arm, CutRecurrence, Learn
from hrsnn.config import Config, load_config
from hrsnn.evaluation import Label
from hrsnn.forecast import ForecastTask
from hrsnn.network import Network
from hrsnn.pruning.criteria import Activity, RandomGraph
from hrsnn.pruning.criterion import Criterion, Size, described
from hrsnn.pruning.drive import counts_on
from hrsnn.pruning.lnp import LyapunovNoise
from hrsnn.pruning.nodes import N_MIN
from hrsnn.pruning.schedule import prune
from hrsnn.pruning.target import Target, sizes_on_the_way
from hrsnn.reproduce.measurements import digit_task
from hrsnn.reproduce.scales import PruningScale
from hrsnn.reproduce.store import Measuring
from hrsnn.reproduce.units import Values
from hrsnn.work.unit import Unit

# Of what units measure: raised for the methods for which it changes, so that older files are no units any more.
_EDITION, _EDITIONS = 1, {"activity": 2}
_KEPT = {"neurons": 0.45, "synapses": 0.0494}
_KEPT_COSTS = ("spikes_per_neuron", "synops_input", "synops_recurrent", "synops_readout", "footprint_bytes")

# -- tasks and networks ------------------------------------------------------------------------------------------------

DIGITS = "spoken-digits"
# The built-in config that a task starts from, and what makes it another task.
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "lorenz63": ("lorenz63", ()),
    "rossler": ("lorenz63", ("task.name=rossler", "task.forecast.dt=0.03")),
    "google-stock": ("google-stock", ()),
    "wind": ("google-stock", ("task.name=wind",)),
    DIGITS: (DIGITS, ("network.gain=resistance",)),  # one resistance for all, as in the papers
}
_SHARE_INSIDE = 1 / 1.3  # of the neighbours in a cluster: p_inter adds 0.3 times as many between four clusters


@lru_cache(maxsize=16)
def config_of(case: str, model: str, scale: PruningScale, data_dir: Path | None = None) -> Config:
    """Task, network, learning and readout of one task, for the model "HRSNN" or "CHRSNN".

    Raises `FileError` where the data are missing.
    """
    preset, changes = CASES[case]
    given = [*changes, f"network.n_neurons={scale.n_neurons}", "prune=false"]
    if case == DIGITS:
        return load_config(preset, given)  # they are built in, wherever others lie
    given += [f"task.forecast.{name}={getattr(scale, name)}" for name in ("n_train", "n_horizon", "n_starts")]
    n, wiring = scale.n_neighbours, ["synapses.wiring=small-world"]
    if model == "CHRSNN":
        n, wiring = round(_SHARE_INSIDE * n), ["synapses.wiring=clustered", "synapses.cluster_wiring=small-world"]
    return load_config(preset, [*given, *wiring, f"synapses.n_neighbours={n}"], data_dir=data_dir)


@lru_cache(maxsize=2)
def task_of(case: str, model: str, scale: PruningScale, data_dir: Path | None = None) -> tasks.Task:
    """The data of a task; of a recorded series what follows the training part within two horizons.

    Raises `FileError` where they are missing.
    """
    if case == DIGITS:
        return digit_task(scale.n_digit_recordings)
    task = tasks.load_task(config_of(case, model, scale, data_dir).task, data_dir=data_dir)
    assert isinstance(task, ForecastTask)
    if task.series.solver != "recorded":
        return task
    n = task.spec.n_train + 2 * task.spec.n_horizon
    return ForecastTask.of(replace(task.series, values=task.series.values[:n]), task.spec)


# -- methods -----------------------------------------------------------------------------------------------------------

# Lyapunov noise pruning as the papers have it, where they say: everything else that a product would add is off.
PUBLISHED = LyapunovNoise(mode="hm", diagonal="adjust", shot_noise=0.0, edges="paper", timescales=True)


def _steps(*steps: int) -> LyapunovNoise:
    """A branch of the ablation: these of the four published steps; what they leave open goes by chance."""
    edges: Literal["paper", "none"] = "paper" if 3 in steps else "none"
    return replace(PUBLISHED, noise=1 in steps, nodes=2 in steps, edges=edges, timescales=4 in steps)


@dataclass(frozen=True, slots=True)
class Method:
    """A way of pruning: words for people, the criterion (None prunes nothing), and whether it takes one step."""

    words: str
    criterion: Criterion | None = None
    in_one_step: bool = False


METHODS: Mapping[str, Method] = {
    "unpruned": Method("unpruned"),
    "no-recurrence": Method("no recurrence"),
    "activity": Method("activity pruning", Activity()),
    "random": Method("random graph", RandomGraph()),
    "lnp-published": Method("LNP as published", PUBLISHED),
    "lnp": Method("LNP as shipped", LyapunovNoise(), in_one_step=True),
    "step-1": Method("step I", _steps(1)),
    "step-2": Method("step II", _steps(2)),
    "steps-12": Method("steps I, II", _steps(1, 2)),
    "steps-123": Method("steps I, II, III", _steps(1, 2, 3)),
    "steps-124": Method("steps I, II, IV", _steps(1, 2, 4)),
    "steps-1234": Method("steps I to IV", _steps(1, 2, 3, 4)),
    "random-1": Method("all by chance", _steps()),
}

# -- experiments -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PruningExperiment:
    """The units of one figure or table.

    cases, models, methods   names of `CASES`, "HRSNN" or "CHRSNN", names of `METHODS`
    scored     networks that are trained and tested: those along the "way", at its "end", or "none"
    data_dir   where recorded data lie
    """

    scale: PruningScale
    cases: tuple[str, ...]
    models: tuple[str, ...]
    methods: tuple[str, ...]
    scored: Literal["way", "end", "none"] = "way"
    data_dir: Path | None = None

    def work(self, out: Path) -> Measuring:
        """The units, kept in `out`/units."""
        return Measuring(out / "units", self.plan, self.facts, self.measure)

    def plan(self) -> list[Unit]:
        options = list(product(self.cases, self.models, self.methods))
        return [Unit("pruned", seed, each) for seed in range(self.scale.n_seeds) for each in options]

    def facts(self, unit: Unit) -> Any:
        criterion = self._method(unit).criterion
        config = config_of(unit.options[0], unit.options[1], self.scale, self.data_dir)
        told = None if criterion is None else described(criterion)
        edition = _EDITIONS.get(unit.options[2], _EDITION)
        return [edition, self.scale.sizes(), self.scored, _KEPT, config.model_dump(mode="json"), told]

    def measure(self, unit: Unit) -> Values:
        """The way of one method: sizes after each iteration, scores of networks on it, time constants at its end.

        course         lists over iterations from 0 on: n_neurons, n_synapses, mean_rate_hz (standard drive)
        points         of each scored network: iteration, metrics, costs per sample, rate_hz on the test part
        tau_mem_ms     of the last network, by sign
        stopped        why the way ends early, None where it does not
        """
        case, model, name = unit.options
        config = config_of(case, model, self.scale, self.data_dir)
        task = task_of(case, model, self.scale, self.data_dir)
        learning = Learn(config.learn, task.train_spikes, unit.seed)
        method = self._method(unit)
        if isinstance(method.criterion, Activity):
            activity = partial(counts_on, spikes=task.train_spikes)
            method = replace(method, criterion=Activity(activity, retrain=learning))
        spec = config.of_arm("HeNHeS").network
        drawn = Arm(name, spec, (CutRecurrence(),) if name == "no-recurrence" else ()).made(unit.seed)
        scored = self.scale.scored if self.scored == "way" else self.scale.scored[-1:]
        wanted = (0,) if method.criterion is None else scored
        way, stopped = _way(drawn, method, self.scale, wanted, unit.seed)
        points = []
        for iteration in sorted(way.keys() & wanted) if self.scored != "none" else ():
            network = learning(way[iteration][0])
            label = Label("HeNHeS", "trained" if method.criterion is None else "pruned", name, unit.seed)
            found = tasks.evaluate_network(network, task, config.readout, label=label)
            points.append(
                {
                    "iteration": iteration,
                    **asdict(Size.of(network)),
                    "metrics": dict(found.outcome.metrics),
                    "costs": {cost: found.outcome.costs[cost] for cost in _KEPT_COSTS},
                    "rate_hz": float(found.details["rate_hz"].mean()),
                }
            )
        networks, rates = zip(*way.values(), strict=True)
        course = {
            "iteration": list(way),
            "n_neurons": [network.n_neurons for network in networks],
            "n_synapses": [len(network.recurrent) for network in networks],
            "mean_rate_hz": list(rates),
        }
        return {"course": course, "points": points, "tau_mem_ms": _tau(networks[-1]), "stopped": stopped}

    def _method(self, unit: Unit) -> Method:
        method = METHODS[unit.options[2]]
        if isinstance(method.criterion, LyapunovNoise) and not self.scale.fits_timescales:
            return replace(method, criterion=replace(method.criterion, timescales=False))
        return method


# -- one way -----------------------------------------------------------------------------------------------------------


_Way = dict[int, tuple[Network, float | None]]  # iteration -> network after it, and its rate under the standard drive


def _way(
    dense: Network, method: Method, scale: PruningScale, wanted: tuple[int, ...], seed: int
) -> tuple[_Way, str | None]:
    """Every iteration, or the dense network and the sizes that are wanted, each straight from it; why it ends early."""
    if method.criterion is None:
        return {0: (dense, None)}, None
    n_synapses = max(1, round(_KEPT["synapses"] * len(dense.recurrent)))
    target = Target(max(N_MIN, round(_KEPT["neurons"] * dense.n_neurons)), n_synapses)
    sizes = sizes_on_the_way(Size.of(dense), target, scale.n_iterations)
    way: _Way = {}
    try:
        if not method.in_one_step:
            found = prune(dense, target, method.criterion, n_iterations=len(sizes), seed=seed)
            return {s.index: (s.network, s.mean_rate_hz) for s in found.snapshots}, found.stopped
        for index in wanted:
            aim = Target(sizes[index - 1].n_neurons, sizes[index - 1].n_synapses)
            snapshots = prune(dense, aim, method.criterion, n_iterations=1, seed=seed).snapshots
            way |= {k: (s.network, s.mean_rate_hz) for k, s in ((0, snapshots[0]), (index, snapshots[-1]))}
    except InputError as error:
        return {0: (dense, None)}, f"could not begin: {error}"
    return way, None


def _tau(network: Network) -> dict[str, list[float]]:
    tau, sign = network.neurons.tau_mem_ms.astype(float), network.neurons.sign
    return {name: tau[sign == s].round(4).tolist() for name, s in (("excitatory", 1), ("inhibitory", -1))}
