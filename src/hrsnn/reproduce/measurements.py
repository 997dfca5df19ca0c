"""The experiments behind the claims: what is measured of one network.

A unit depends on its name, on the sizes of the scale and on the networks below, on nothing else; so units can be done
in any order, kept and found again.

The networks
* `drive_spec`, under the white drive of method.md 9.1. The defaults of a spec are nearly silent under it (5 % of 100
  channels at 10 Hz reach 30 % of the neurons), and a silent network says nothing about any claim. Its input is
  therefore that of method.md 3.4, whose rates are known: 35 input synapses onto every neuron, of mean weight 1 onto
  excitatory and 0.5 onto inhibitory ones, each 10 times a second. Nothing else is changed, and no claim was looked at.
* `digit_config`, the built-in config of the spoken digits, other sizes of the same.
* `backprop_config`, the same config with backpropagation in place of STDP.
* `delayed_config`, the built-in configs of the delayed tasks, without what a search found for each arm.

Learning is unsupervised STDP: under the white drive on recordings of 500 ms of another white drive with the same
channels, on spoken digits on the recordings of the training part. Labels are only used by readouts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import get_args

import numpy as np

from hrsnn import tasks
from hrsnn.analysis.drive import WhiteDrive
from hrsnn.analysis.firing import firing_statistics
from hrsnn.analysis.importance import GROUPS, with_homogeneous
from hrsnn.analysis.memory import StateKind, input_memory_capacity, memory_capacity
from hrsnn.analysis.separation import separation_rank
from hrsnn.arms import Arm, Learn
from hrsnn.config import Config, from_tables, load_config, to_tables
from hrsnn.data.dataset import Dataset, Splits
from hrsnn.distributions import Constant, Gamma
from hrsnn.engine import Record, simulate
from hrsnn.evaluation import Label
from hrsnn.learners import Stdp
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.reproduce.mechanisms import MECHANISMS, matched, with_mechanism
from hrsnn.reproduce.scales import Scale
from hrsnn.reproduce.units import AS_DRAWN, PLAIN, WHITE_DRIVE, Values
from hrsnn.spec import InputSpec, NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.wiring import build
from hrsnn.work.unit import Unit

STATES: tuple[StateKind, ...] = get_args(StateKind)
_SAMPLES_PER_RECORDING = 25  # of 20 ms
_SAMPLES_TO_MATCH = 500
_RECORDINGS_TO_MATCH = 16
_BETWEEN_DRIVES = 1_000_000  # what is learned from, or matched on, has the seed of the pair plus this


# -- networks ----------------------------------------------------------------------------------------------------------


def drive_spec(n_neurons: int) -> NetworkSpec:
    """The fully heterogeneous network under the white drive; every other one has some of its laws at their means."""
    inputs = InputSpec(subset_share=1.0, p_connect=0.35, weight_excitatory=1.0, weight_inhibitory=0.5)
    return NetworkSpec(n_neurons=n_neurons, n_inputs=100, input=inputs)


def coalition_spec(spec: NetworkSpec, coalition: str) -> NetworkSpec:
    """`spec` with the groups of the coalition heterogeneous and all others at the means of their laws."""
    return with_homogeneous(spec, [group for group in GROUPS if group.name not in coalition.split("+")])


def spread_spec(spec: NetworkSpec, cv: float) -> NetworkSpec:
    """Everything homogeneous but the membrane time constants, gamma laws of this coefficient of variation."""
    spec, changes = spec.arm("HoNHoS"), {}
    for sign in ("excitatory", "inhibitory"):
        population = getattr(spec, sign)
        mean = population.tau_mem_ms.mean
        law = Gamma(mean, 1 / cv**2) if cv > 0 else Constant(mean)
        changes[sign] = population.model_copy(update={"tau_mem_ms": law})
    return spec.model_copy(update=changes)


@lru_cache(maxsize=1)
def digit_config() -> Config:
    return load_config("spoken-digits", ["network.gain=resistance"])  # one resistance for all, as in the papers


@lru_cache
def backprop_config(trained: str, n_neurons: int, n_epochs: int) -> Config:
    """Of networks trained by backpropagation, `trained` being one of `units.TRAINED`."""
    parameters = ["recurrent", "inputs", *(["tau_mem"] if trained == "weights+tau" else [])]
    learn = {"rule": "backprop", "train": parameters, "n_epochs": n_epochs}
    tables = to_tables(digit_config())
    task = {**tables["task"], "arms": ["HoNB", "HeNB"]}
    return from_tables(
        {**tables, "task": task, "network": {**tables["network"], "n_neurons": n_neurons}, "learn": learn}
    )


def digit_spec(n_neurons: int) -> NetworkSpec:
    return digit_config().network.model_copy(update={"n_neurons": n_neurons})


@lru_cache
def delayed_config(task: str) -> Config:
    return load_config(task, ["arms={}"])


def mechanism_spec(where: str, variant: str, scale: Scale) -> NetworkSpec:
    """Under the white drive or on a task, with or without a mechanism: heterogeneous neurons, no learning."""
    spec = drive_spec(scale.n_neurons) if where == WHITE_DRIVE else delayed_config(where).network
    if where != WHITE_DRIVE:
        spec = spec.model_copy(update={"n_neurons": scale.n_delayed_neurons})
    spec = spec.arm("HeNHoS")
    return spec if variant == PLAIN else with_mechanism(spec, variant.removesuffix(AS_DRAWN))


def map_axes(n_points: int) -> tuple[list[float], list[float]]:
    """length_scale (linear, 0.5 to 4.5) and weight_scale (logarithmic, 0.1 to 10) of the map (method.md 15.7).

    >>> map_axes(3)
    ([0.5, 2.5, 4.5], [0.1, 1.0, 10.0])
    """
    return np.linspace(0.5, 4.5, n_points).tolist(), np.logspace(-1, 1, n_points).round(12).tolist()


# -- one unit ----------------------------------------------------------------------------------------------------------


def measure(unit: Unit, scale: Scale) -> Values:
    """Do one unit: quantity -> number, None where it does not exist."""
    return _MEASURES[unit.kind](unit, scale)


def _untrained(unit: Unit, scale: Scale) -> Values:
    arm = "HeNHoS" if unit.options[0] == "HeN" else "HoNHoS"
    network = build(drive_spec(scale.n_neurons).arm(arm), seed=unit.seed)
    regular = _capacity(network, unit, scale, *STATES, regular=True)
    return {**_capacity(network, unit, scale, *STATES), **regular, **_rank(network, unit)}


def _learned(unit: Unit, scale: Scale) -> Values:
    network = _learned_network(drive_spec(scale.n_neurons).arm(unit.options[0]), unit, scale)
    return {**_capacity(network, unit, scale, *STATES), **_rank(network, unit), **_firing(network, unit, scale)}


def _input(unit: Unit, scale: Scale) -> Values:
    """The control of all capacities: the same readout on the input spikes, without a network."""
    network = build(drive_spec(scale.n_neurons), seed=unit.seed)
    return {
        f"memory{condition_suffix(state)}": input_memory_capacity(
            network, seed=unit.seed, n_delays=scale.n_delays, n_samples=scale.n_samples, state=state
        ).memory_capacity
        for state in STATES
    }


def _game(unit: Unit, scale: Scale) -> Values:
    spec = coalition_spec(drive_spec(scale.n_neurons), unit.options[0])
    return _capacity(_learned_network(spec, unit, scale), unit, scale, "filtered")


def _spread(unit: Unit, scale: Scale) -> Values:
    spec = spread_spec(drive_spec(scale.n_neurons), float(unit.options[0]))
    return _capacity(build(spec, seed=unit.seed), unit, scale, *STATES)


def _digits(unit: Unit, scale: Scale) -> Values:
    arm, n_neurons, share = unit.options
    config, task = digit_config(), digit_task(scale.n_digit_recordings)
    if float(share) < 1:
        task = replace(task, train=task.train.select(rows_of_share(task.train, float(share), unit.seed)))
    learning = Learn(config.learn, task.train, unit.seed)
    network = Arm(arm, digit_spec(int(n_neurons)).arm(arm), (learning,)).made(unit.seed)
    evaluation = tasks.evaluate_network(network, task, config.readout, label=Label(arm, seed=unit.seed))
    assert evaluation.readout is not None
    right = tasks.predict(network, evaluation.readout, task.train.spikes) == task.train.labels
    return {
        **evaluation.outcome.metrics,
        "accuracy_train": float(right.mean()),
        "n_train": task.train.n_samples,
        "rate_hz": float(evaluation.details["rate_hz"].mean()),
        "silent_share": float(np.mean(evaluation.details["rate_hz"] == 0)),
    }


def _map(unit: Unit, scale: Scale) -> Values:
    arm, i, j = unit.options
    lengths, weights = map_axes(scale.n_map_points)
    config, task = digit_config(), digit_task(scale.n_digit_recordings)
    spec = digit_spec(scale.n_map_neurons).arm(arm)
    changes = {"length_scale": lengths[int(i)], "weight_scale": weights[int(j)]}
    spec = spec.model_copy(update={"synapses": spec.synapses.model_copy(update=changes)})
    learning = Learn(Stdp(n_samples=min(scale.n_map_recordings, task.train.n_samples)), task.train, unit.seed)
    network = Arm(arm, spec, (learning,)).made(unit.seed)
    one_readout = config.readout.model_copy(update={"n_bins": config.readout.n_bins[:1], "transform": ["sqrt"]})
    evaluation = tasks.evaluate_network(network, task, one_readout, label=Label(arm, seed=unit.seed))
    return {
        "accuracy": evaluation.outcome.metrics["accuracy"],
        "active_share": float(np.mean(evaluation.details["rate_hz"] > 0)),
        "rate_hz": float(evaluation.details["rate_hz"].mean()),
        "n_synapses": len(network.recurrent),
        **_rank(network, unit),
    }


def _mechanism(unit: Unit, scale: Scale) -> Values:
    where, variant = unit.options
    network = build(mechanism_spec(where, variant, scale), seed=unit.seed)
    if variant in MECHANISMS:
        partner = build(mechanism_spec(where, PLAIN, scale), seed=unit.seed)
        network = matched(network, partner, _matching_data(partner, unit, scale), seed=unit.seed)
    if where == WHITE_DRIVE:
        return _capacity(network, unit, scale, *STATES)
    config, task = delayed_config(where), delayed_task(where, scale.n_delayed_recordings)
    evaluation = tasks.evaluate_network(network, task, config.readout, label=Label(variant, seed=unit.seed))
    rates = evaluation.details["rate_hz"]
    silent_share = float(np.mean(rates == 0))
    return {**evaluation.outcome.metrics, "rate_hz": float(rates.mean()), "silent_share": silent_share}


def _matching_data(network: Network, unit: Unit, scale: Scale) -> Spikes:
    """What rates are matched on: some of the training part, or 10 s of a white drive that nothing is measured under."""
    where, _ = unit.options
    if where == WHITE_DRIVE:
        return WhiteDrive().recordings(
            1, _SAMPLES_TO_MATCH, n_inputs=network.n_inputs, dt_ms=network.dt_ms, seed=_BETWEEN_DRIVES + unit.seed
        )  # fmt: skip
    spikes = delayed_task(where, scale.n_delayed_recordings).train.spikes
    return spikes.select(np.arange(min(_RECORDINGS_TO_MATCH, spikes.n_samples)))


def _backprop(unit: Unit, scale: Scale) -> Values:
    """The unit of a run that has this config."""
    arm, trained = unit.options
    config = backprop_config(trained, scale.n_backprop_neurons, scale.n_backprop_epochs)
    task = digit_task(None)
    learning = Learn(config.learn, task.train, unit.seed)
    drawn, network = Arm(arm, config.network.arm(arm), (learning,)).walk(unit.seed)
    evaluation = tasks.evaluate_network(network, task, config.readout, label=Label(arm, seed=unit.seed))
    untrained = tasks.evaluate_network(drawn, task, config.readout, label=Label(arm, seed=unit.seed))
    return {
        **evaluation.outcome.metrics,
        "accuracy_untrained": untrained.outcome.metrics["accuracy"],
        "rate_hz": float(evaluation.details["rate_hz"].mean()),
        "silent_share": float(np.mean(evaluation.details["rate_hz"] == 0)),
    }


_MEASURES: dict[str, Callable[[Unit, Scale], Values]] = {
    "untrained": _untrained, "learned": _learned, "input": _input, "game": _game, "spread": _spread,
    "digits": _digits, "map": _map, "mechanism": _mechanism, "backprop": _backprop,
}  # fmt: skip


def _learned_network(spec: NetworkSpec, unit: Unit, scale: Scale) -> Network:
    learning = Learn(None, learning_stream(spec, scale.n_recordings, seed=unit.seed), unit.seed)
    return Arm(unit.kind, spec, (learning,)).made(unit.seed)


def learning_stream(spec: NetworkSpec, n_recordings: int, *, seed: int) -> Spikes:
    """The white drive in recordings of 500 ms, independent of the one that is measured under."""
    return WhiteDrive().recordings(
        n_recordings, _SAMPLES_PER_RECORDING, n_inputs=spec.n_inputs, dt_ms=spec.dt_ms, seed=_BETWEEN_DRIVES + seed
    )


def _capacity(network: Network, unit: Unit, scale: Scale, *states: StateKind, regular: bool = False) -> Values:
    values: dict[str, float | None] = {}
    for state in states:
        found = memory_capacity(
            network, seed=unit.seed, n_delays=scale.n_delays, n_samples=scale.n_samples, state=state,
            drive=WhiteDrive(regular=regular),
        )  # fmt: skip
        assert found.spikes_per_neuron is not None
        evenness = math.log(found.participation_ratio) if found.participation_ratio > 0 else None
        of_state = {
            "memory": found.memory_capacity,
            "spikes": found.spikes_per_neuron,
            "efficiency": found.spike_efficiency,
            "rate_hz": found.spikes_per_neuron / (found.settings["sample_ms"] / 1000),
            "silent_share": found.silent_share,
            "log_participation": evenness,
            "squared_correlation": found.squared_correlation.mean,
        }
        values |= {f"{name}{condition_suffix(state, regular)}": value for name, value in of_state.items()}
    return values


def condition_suffix(state: str, regular: bool = False) -> str:
    return ("" if state == "filtered" else f"_{state}") + ("_regular" if regular else "")


def _rank(network: Network, unit: Unit) -> Values:
    return {"rank": separation_rank(network, seed=unit.seed).effective}


def _firing(network: Network, unit: Unit, scale: Scale) -> Values:
    drive = WhiteDrive()
    n_samples = scale.n_samples or 20 * scale.n_neurons
    values = drive.values(n_samples, seed=unit.seed)
    spikes = drive.spikes(values, n_inputs=network.n_inputs, dt_ms=network.dt_ms, seed=unit.seed)
    fired = simulate(network, spikes, record=Record(spikes=True)).spikes
    assert fired is not None
    found = firing_statistics(fired, seed=unit.seed)
    names = ("mean_activation", "interval_cv", "pairwise_correlation", "third_order", "third_order_by_chance")
    return {name: getattr(found, name) for name in names}


@lru_cache(maxsize=1)
def digit_task(n_recordings: int | None) -> Splits:
    """The spoken digits; of every part at most so many recordings, evenly over it."""
    task = tasks.shared_task(digit_config().task)
    assert isinstance(task, Splits)
    return fewer_recordings(task, n_recordings)


@lru_cache
def delayed_task(name: str, n_recordings: int | None) -> Splits:
    """A delayed task; of every part at most so many recordings, evenly over it."""
    task = tasks.shared_task(delayed_config(name).task)
    assert isinstance(task, Splits)
    return fewer_recordings(task, n_recordings)


def fewer_recordings(task: Splits, n_recordings: int | None) -> Splits:
    """Of every part at most so many recordings, evenly over it; None is all."""
    if n_recordings is None:
        return task
    fewer = {}
    for part in ("train", "validation", "test"):
        data = getattr(task, part)
        fewer[part] = data.select(np.unique(np.linspace(0, data.n_samples - 1, n_recordings).astype(int)))
    return replace(task, **fewer)


def rows_of_share(data: Dataset, share: float, seed: int) -> list[int]:
    """Rows of a share of the recordings of every class, at least one; a smaller share is part of a larger one."""
    order = stream(seed, "claims.share").permutation(data.n_samples)
    labels = data.labels[order]
    classes = [order[labels == label] for label in range(data.n_classes)]
    return sorted(k for of_class in classes for k in of_class[: math.ceil(share * of_class.size)].tolist())
