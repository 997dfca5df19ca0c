"""What a search makes of one point: a network of its laws, by what it is worth on validation data, per seed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hrsnn import tasks
from hrsnn._checks import did_you_mean, real_number, require
from hrsnn.analysis.cost import ENERGY_PROFILES
from hrsnn.analysis.memory import memory_capacity
from hrsnn.arms import Arm, Step, pruning, steps_of
from hrsnn.config import Config, load_config
from hrsnn.distributions import Constant, Distribution
from hrsnn.evaluation import Validation
from hrsnn.network import Network
from hrsnn.optimisation.space import Law, Scalar, Space
from hrsnn.pruning.methods import known_method
from hrsnn.pruning.spec import PruneSpec
from hrsnn.vocabulary import BUDGETS, OBJECTIVES, synops

Values = Mapping[str, Distribution | float]

RATES_HZ = (0.5, 200.0)  # outside a network is no candidate: dead, or firing without pause (method.md 11.5)
OF_DRIVE = frozenset({"memory", "efficiency"})  # objectives under the white drive, before learning; others see the task


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
    profile       of `ENERGY_PROFILES`: the device of the objective "energy"
    budget        pairs of a name of `BUDGETS` and the most of it per sample, on the validation part, that is feasible
    pruned        method of the table `[prune]` by which networks are pruned before they learn; "" prunes none
    own_data      keys of `[task]` for trials alone: where its files lie
    """

    config: Config
    arm: str
    names: tuple[str, ...] = ("task",)
    data_dir: Path | None = None
    data_sha256: str = ""
    profile: str = ""
    budget: tuple[tuple[str, float], ...] = ()
    pruned: str = ""
    own_data: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.names:
            known, remedy = ", ".join(OBJECTIVES), did_you_mean(str(name), OBJECTIVES)
            require(name in OBJECTIVES, "search", "objective", f"must be among {known}", name, remedy=remedy)
        rule = "must be one objective, or two different ones"
        require(len(set(self.names)) == len(self.names) in (1, 2), "search", "objective", rule, list(self.names))
        profiles = [profile.name for profile in ENERGY_PROFILES]
        if "energy" in self.names:
            rule, remedy = f"must be one of {', '.join(profiles)}", did_you_mean(self.profile, profiles)
            require(self.profile in profiles, "search", "profile", rule, self.profile or "nothing", remedy=remedy)
        else:
            require(not self.profile, "search", "profile", "is for the objective energy", self.profile)
        for name, most in self.budget:
            known, remedy = ", ".join(BUDGETS), did_you_mean(str(name), BUDGETS)
            require(name in BUDGETS, "search", "budget", f"must be of one of {known}", name, remedy=remedy)
            real_number("search", f"budget of {name}", most, above=0)
        if self.pruned:
            known_method(self.pruned)
        object.__setattr__(self, "config", self.config.of_arm(self.arm))

    @property
    def title(self) -> str:
        return f"{self.config.task.name}, {self.arm}"

    @property
    def settings(self) -> dict[str, str]:
        """What was asked for beside the objectives, as people read it."""
        budget = ", ".join(f"{most:,g} {BUDGETS[name]}" for name, most in self.budget)
        given = {"energy profile": self.profile, "budget per sample": budget, "pruned by": self.pruned}
        return {name: value for name, value in given.items() if value}

    @property
    def facts(self) -> Any:
        asked = [list(self.names), self.profile, [list(pair) for pair in self.budget], self.pruned]
        return [self.config.model_dump(mode="json"), self.arm, *asked, self.data_sha256]

    @property
    def sees_task(self) -> bool:
        """Whether networks are taught and validated; else they are measured as they are drawn."""
        return bool(set(self.names) - OF_DRIVE or self.budget)

    def space(self, *, family: str = "gamma") -> Space:
        """`space_of` the arm, without plasticity where nothing is taught."""
        config = self.config if self.sees_task else self.config.model_copy(update={"learn": None})
        return space_of(config, self.arm, family=family)

    def __call__(self, values: Values, seed: int) -> Score:
        found: dict[str, float] = {}
        limits: dict[str, float] = {}
        if self.sees_task:
            task = self._task
            tasks.check_readout(task, self.config.readout)
            seen = tasks.validate_network(self.made(values, seed), task, self.config.readout, seed=seed)
            found |= {"task": seen.score, "spikes": -seen.spikes_per_neuron}
            found |= {"energy": _of_energy(seen.costs["energy_pj"][self.profile])} if self.profile else {}
            found["rate_hz"] = seen.rate_hz
            limits |= _limits("", seen.rate_hz) | self._over_budget(seen)
        if OF_DRIVE & set(self.names):
            capacity = memory_capacity(self.made(values, seed, taught=False), seed=seed)
            spikes = capacity.spikes_per_neuron or 0.0
            efficiency = capacity.spike_efficiency
            found["memory"] = capacity.memory_capacity
            found["efficiency"] = math.log(efficiency) if efficiency else -math.inf
            rate_hz = 1000 * spikes / capacity.settings["sample_ms"]
            found.setdefault("rate_hz", rate_hz)
            limits |= _limits(" under the white drive", rate_hz)
        objectives = tuple(found[name] for name in self.names)
        if not all(map(math.isfinite, objectives)):
            limits["finite"] = 1.0
            objectives = tuple(value if math.isfinite(value) else 0.0 for value in objectives)
        return Score(objectives, limits, {name: value for name, value in found.items() if math.isfinite(value)})

    def made(self, values: Values, seed: int, *, taught: bool = True) -> Network:
        """The network of a point: drawn, as a run does it calibrated, pruned and taught, or (not `taught`) pruned."""
        spec = with_values(self.config, values).network.arm(self.arm)
        table, steps = self.config.prune or PruneSpec(), tuple[Step, ...]()
        if taught:
            task = self._task
            steps = steps_of(
                spec.input, self.config.learn, task.train, seed=seed, validation=tasks.validation_of(task),
                pruned_by=self.pruned or None, table=table,
            )  # fmt: skip
        elif self.pruned:
            spikes = self._task.train_spikes
            steps = (pruning(self.pruned, table, spikes, learning=None, seed=seed),)
        return Arm(self.arm, spec, steps).made(seed)

    @property
    def _task(self) -> tasks.Task:
        return tasks.shared_task(self.config.task.model_copy(update=self.own_data), self.data_dir)

    def _over_budget(self, seen: Validation) -> dict[str, float]:
        """Shares by which a network spends more than it may."""
        spent = {**seen.costs, "synops_per_sample": synops(seen.costs)}
        return {f"over its budget of {name}": spent[name] / most - 1 for name, most in self.budget}


def _of_energy(pj: float) -> float:
    return -math.log10(1e-12 * pj) if pj else math.inf


def _limits(where: str, rate_hz: float) -> dict[str, float]:
    low, high = RATES_HZ
    return {f"dead{where}": low - rate_hz, f"exploding{where}": rate_hz - high}


def with_values(config: Config, values: Values, *, arm: str = "") -> Config:
    """The config with laws and numbers in the places of their names, dotted as `--set` has them; those of one `arm`."""
    above = f"arms.{arm}." if arm else ""
    texts = {name: _toml(v) if isinstance(v, Distribution) else json.dumps(v) for name, v in values.items()}
    return load_config(config, [f"{above}{name}={text}" for name, text in texts.items()])


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
    number. What a config does not use (plasticity without learning, or with backpropagation) is left out. The search
    begins with what the config has, but for free curves. Where the config calibrates its input, gains undo a factor of
    the weights, and the rate that they are found for is searched instead.
    """
    network = config.network
    parts: list[Law | Scalar] = []
    start: dict[str, float] = {}

    def add(name: str, law: Distribution, spread: bool, least: float = 1e-9) -> None:
        mean = max(float(law.mean), least)
        low, high = mean / around, mean * around
        parts.append(Law(name, (low, high), family=family) if spread else Scalar(name, low, high, log=True))
        start.update({f"{name}.mean": mean, f"{name}.cv": law.variance**0.5 / mean} if spread else {name: mean})

    of_neurons, of_synapses = not arm.startswith("HoN"), arm.endswith("HeS")
    for sign in ("excitatory", "inhibitory"):
        add(f"network.{sign}.tau_mem_ms", getattr(network, sign).tau_mem_ms, of_neurons)
        if not isinstance(getattr(network, sign).v_th, Constant):
            add(f"network.{sign}.v_th", getattr(network, sign).v_th, of_neurons)
    if config.learn is not None and config.learn.letter == "S":
        for name in ("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms"):
            add(f"plasticity.{name}", getattr(network.plasticity, name), of_synapses)
    add("synapses.weight_scale", Constant(network.synapses.weight_scale), False)
    add("synapses.length_scale", Constant(network.synapses.length_scale), False)
    drive = "target_hz" if network.input.calibrate else "weight_excitatory"
    add(f"input.{drive}", Constant(getattr(network.input, drive)), False)
    return Space(tuple(parts), () if family == "free" else tuple(start.items()))
