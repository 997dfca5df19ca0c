"""Arms: networks that are compared, as values. An arm is how a network is drawn and what is done to it, step by step.

A step is a value with a name that is called with a network and gives one whose history says what was done. Names of
arms are those of `hrsnn.spec.arm_names`: neurons × plasticity × learner. Controls and pruned networks are arms with
other steps; arms that are drawn with one seed share all that their specs have in common.

Every arm learns as much after its last cut as any other: `Learn` is the last step, once. Activity pruning needs a
network that has learned to choose by, so it alone also learns before each cut (`pruning`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from hrsnn.calibration import calibrate
from hrsnn.data.dataset import Dataset
from hrsnn.learners import Learner
from hrsnn.network import Network
from hrsnn.progress import Progress, no_progress
from hrsnn.pruning.criterion import Criterion
from hrsnn.pruning.drive import counts_on, excerpt
from hrsnn.pruning.methods import criterion_of
from hrsnn.pruning.options import Options
from hrsnn.pruning.schedule import Snapshot, Trajectory, prune
from hrsnn.pruning.spec import PruneSpec
from hrsnn.pruning.target import target_of
from hrsnn.spec import InputSpec, NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.train import learn
from hrsnn.wiring import build


class Step(Protocol):
    """From a network to one that has one more line in its history, at least. A value; fields are what it depends on."""

    @property
    def name(self) -> str: ...
    def __call__(self, network: Network, /) -> Network: ...


@dataclass(frozen=True, slots=True)
class Arm:
    """How a network is drawn, and what is done to it then.

    >>> spec = NetworkSpec.preset("HeNHeS", n_inputs=4, n_neurons=50)
    >>> Arm("HeNHeS", spec, (CutRecurrence(),)).made(seed=0).provenance["history"]
    ['built', 'all recurrent synapses cut']
    """

    name: str
    spec: NetworkSpec
    steps: tuple[Step, ...] = ()

    def walk(self, seed: int) -> Iterator[Network]:
        """The network as it is drawn, then as each step leaves it."""
        network = build(self.spec, seed=seed)
        yield network
        for step in self.steps:
            network = step(network)
            yield network

    def made(self, seed: int) -> Network:
        """The network after all steps."""
        *_, network = self.walk(seed)
        return network


# -- steps -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CutRecurrence:
    """All recurrent synapses go: the control that recurrence is held against."""

    name: ClassVar[str] = "no-recurrence"

    def __call__(self, network: Network) -> Network:
        bare = network.keep_synapses(np.zeros(len(network.recurrent), dtype=bool))
        return bare.with_history("all recurrent synapses cut")


@dataclass(frozen=True, slots=True)
class Calibrate:
    """Gains on the input as `[input] calibrate` has them, found on `data`."""

    data: Dataset | Spikes
    rule: InputSpec
    seed: int
    name: ClassVar[str] = "calibrate"

    def __call__(self, network: Network) -> Network:
        rule = self.rule
        return calibrate(
            network, self.data, rule.target_hz, inhibitory_ratio=rule.inhibitory_ratio, seed=self.seed
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Learn:
    """What the learner makes of `data`. `checkpoint`: where it may keep how far it is, if it does.

    validation   what a learner that chooses may choose by
    """

    learner: Learner | None
    data: Dataset | Spikes
    seed: int
    progress: Progress = no_progress
    checkpoint: Path | None = None
    validation: Dataset | None = None

    @property
    def name(self) -> str:
        return "learn" if self.learner is None else f"learn by {self.learner.rule}"

    def __call__(self, network: Network) -> Network:
        learner = self.learner
        return learn(
            network, self.data, learner, seed=self.seed, progress=self.progress,
            checkpoint=self.checkpoint if learner is not None and learner.keeps_checkpoints else None,
            validation=self.validation if learner is not None and learner.chooses else None,
        )  # fmt: skip


OnEnd = Callable[[Trajectory, Spikes], object]


def _nothing(way: Trajectory, data: Spikes) -> None: ...


@dataclass(frozen=True, slots=True)
class Prune:
    """Made smaller by a criterion, as far and in as many steps as a table `[prune]` says.

    data          recordings on which rates are brought back, where the table does not say the standard drive
    on_snapshot   called with each network on the way
    on_end        called with the whole way, and `data`
    """

    criterion: Criterion
    spec: PruneSpec
    seed: int
    data: Spikes
    on_snapshot: Callable[[Snapshot], object] = id
    on_end: OnEnd = _nothing

    @property
    def name(self) -> str:
        return f"prune by {self.criterion.name}"

    def __call__(self, network: Network) -> Network:
        way = prune(
            network, target_of(self.spec, network), self.criterion, n_iterations=self.spec.n_iterations,
            seed=self.seed, correct=self.spec.correct, data=self.data if self.spec.drive == "data" else None,
            on_snapshot=self.on_snapshot,
        )  # fmt: skip
        self.on_end(way, self.data)
        return way.network


def steps_of(
    rule: InputSpec,
    learner: Learner | None,
    data: Dataset | Spikes,
    *,
    seed: int,
    validation: Dataset | None = None,
    pruned_by: str | None = None,
    table: PruneSpec | None = None,
    progress: Progress = no_progress,
    course: Progress = no_progress,
    on_snapshot: Callable[[Snapshot], object] = id,
    on_end: OnEnd = _nothing,
    checkpoint: Path | None = None,
) -> tuple[Step, ...]:
    """What is done to every network of a run or a search: calibrated, pruned before it learns, taught.

    data       of the training part; `validation` of that which chooses, where there is one
    pruned_by  a method of the table `[prune]`, None prunes nothing
    progress   is told of learning before a cut, `course` of that at the end, which may keep a `checkpoint`
    """
    steps: list[Step] = [Calibrate(data, rule, seed)] if rule.calibrate else []
    learning = None if learner is None else Learn(learner, data, seed, progress, validation=validation)
    if pruned_by is not None and table is not None:
        spikes = data.spikes if isinstance(data, Dataset) else data
        steps.append(
            pruning(pruned_by, table, spikes, learning=learning, seed=seed, on_snapshot=on_snapshot, on_end=on_end)
        )
    return tuple(steps) if learning is None else (*steps, replace(learning, progress=course, checkpoint=checkpoint))


def pruning(
    method: str,
    spec: PruneSpec,
    data: Spikes,
    *,
    learning: Learn | None,
    seed: int,
    on_snapshot: Callable[[Snapshot], object] = id,
    on_end: OnEnd = _nothing,
) -> Prune:
    """The step of a method, by name, on a task whose training part is `data`.

    learning   what activity pruning does before each cut; None where nothing is learned. Activity is that on `data`
    """
    criterion = criterion_of(method, Options(spec.lnp, activity=partial(counts_on, spikes=data), retrain=learning))
    return Prune(criterion, spec, seed, excerpt(data), on_snapshot, on_end)
