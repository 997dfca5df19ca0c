"""What a search makes of one point: a network of its laws, by what it is worth on validation data, per seed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hrsnn import tasks
from hrsnn._checks import did_you_mean, require
from hrsnn.analysis.memory import memory_capacity
from hrsnn.arms import Arm, Calibrate, Learn, Step
from hrsnn.config import Config, load_config
from hrsnn.distributions import Constant, Distribution
from hrsnn.network import Network
from hrsnn.optimisation.space import Law, Scalar, Space
from hrsnn.spec import NetworkSpec
from hrsnn.vocabulary import OBJECTIVES

Values = Mapping[str, Distribution | float]

RATES_HZ = (0.5, 200.0)  # outside a network is no candidate: dead, or firing without pause (method.md 11.5)


@dataclass(frozen=True, slots=True)
class Score:
    """What one seed of a point gave. `objectives`: larger is better; `limits`: above 0 the point is infeasible."""

    objectives: tuple[float, ...]
    limits: dict[str, float] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)


class Objective(Protocol):
    """A value that can be sent to another process, and is known by `facts`, plain values."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def facts(self) -> Any: ...
    def __call__(self, values: Values, seed: int) -> Score: ...


@dataclass(frozen=True, slots=True)
class OfNetworks:
    """Networks of an arm of a config, with laws and numbers of the search in their places.

    names         of `OBJECTIVES`: one, or two for a front
    data_sha256   of the data, where trials of other data are to be no trials of this search
    """

    config: Config
    arm: str
    names: tuple[str, ...] = ("task",)
    data_dir: Path | None = None
    data_sha256: str = ""

    def __post_init__(self) -> None:
        for name in self.names:
            known, remedy = ", ".join(OBJECTIVES), did_you_mean(str(name), OBJECTIVES)
            require(name in OBJECTIVES, "search", "objective", f"must be among {known}", name, remedy=remedy)
        rule = "must be one objective, or two different ones"
        require(len(set(self.names)) == len(self.names) in (1, 2), "search", "objective", rule, list(self.names))

    @property
    def title(self) -> str:
        return f"{self.config.task.name}, {self.arm}"

    @property
    def facts(self) -> Any:
        return [self.config.model_dump(mode="json"), self.arm, list(self.names), self.data_sha256]

    def __call__(self, values: Values, seed: int) -> Score:
        spec = with_values(self.config, values).network.arm(self.arm)
        found: dict[str, float] = {}
        limits: dict[str, float] = {}
        if {"task", "spikes"} & set(self.names):
            task = tasks.shared_task(self.config.task, self.data_dir)
            network = self._made(spec, task, seed)
            seen = tasks.validate_network(network, task, self.config.readout, seed=seed)
            found |= {"task": seen.score, "spikes": -seen.spikes_per_neuron}
            limits |= _limits("", seen.rate_hz)
        if {"memory", "efficiency"} & set(self.names):
            capacity = memory_capacity(Arm(self.arm, spec, ()).made(seed), seed=seed)
            spikes = capacity.spikes_per_neuron or 0.0
            efficiency = capacity.spike_efficiency
            found["memory"] = capacity.memory_capacity
            found["efficiency"] = math.log(efficiency) if efficiency else -math.inf
            limits |= _limits(" under the white drive", 1000 * spikes / capacity.settings["sample_ms"])
        objectives = tuple(found[name] for name in self.names)
        if not all(map(math.isfinite, objectives)):
            limits["finite"] = 1.0
            objectives = tuple(value if math.isfinite(value) else 0.0 for value in objectives)
        return Score(objectives, limits, found)

    def _made(self, spec: NetworkSpec, task: tasks.Task, seed: int) -> Network:
        steps: list[Step] = [Calibrate(task.train, spec.input, seed)] if spec.input.calibrate else []
        if self.config.learn is not None:
            steps.append(Learn(self.config.learn, task.train, seed))
        return Arm(self.arm, spec, tuple(steps)).made(seed)


def _limits(where: str, rate_hz: float) -> dict[str, float]:
    low, high = RATES_HZ
    return {f"dead{where}": low - rate_hz, f"exploding{where}": rate_hz - high}


def with_values(config: Config, values: Values) -> Config:
    """The config with laws and numbers in the places of their names, dotted as `--set` has them."""
    changes = [f"{name}={json.dumps(v) if not isinstance(v, Distribution) else _toml(v)}" for name, v in values.items()]
    return load_config(config, changes)


def _toml(law: Distribution) -> str:
    """A law as the value of a key in one line."""
    plain = law.to_toml()
    if not isinstance(plain, dict):
        return json.dumps(plain)
    ((kind, arguments),) = plain.items()
    inside = ", ".join(f"{name} = {json.dumps(value)}" for name, value in arguments.items())
    return f"{{{kind} = {{{inside}}}}}"


def space_of(config: Config, arm: str, *, family: str = "gamma", around: float = 4.0) -> Space:
    """What is searched where nothing else is asked for (method.md 5.2): the laws of an arm, and scales of its wiring.

    Means lie between 1/`around` and `around` times those of the config. A law that the arm has no spread in is a
    number. What a config does not use (plasticity without learning) is left out.
    """
    network = config.network
    parts: list[Law | Scalar] = []

    def add(name: str, law: Distribution, spread: bool, least: float = 1e-9) -> None:
        mean = max(float(law.mean), least)
        low, high = mean / around, mean * around
        parts.append(Law(name, (low, high), family=family) if spread else Scalar(name, low, high, log=True))

    of_neurons, of_synapses = not arm.startswith("HoN"), arm.endswith("HeS")
    for sign in ("excitatory", "inhibitory"):
        add(f"network.{sign}.tau_mem_ms", getattr(network, sign).tau_mem_ms, of_neurons)
        if not isinstance(getattr(network, sign).v_th, Constant):
            add(f"network.{sign}.v_th", getattr(network, sign).v_th, of_neurons)
    if config.learn is not None:
        for name in ("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms"):
            add(f"plasticity.{name}", getattr(network.plasticity, name), of_synapses)
    add("synapses.weight_scale", Constant(network.synapses.weight_scale), False)
    add("synapses.length_scale", Constant(network.synapses.length_scale), False)
    add("input.weight_excitatory", Constant(network.input.weight_excitatory), False)
    return Space(tuple(parts))
