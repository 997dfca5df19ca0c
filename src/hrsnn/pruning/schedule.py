"""The schedule: a network made smaller by any criterion, in many steps or in one, down to a target (method.md 12.7).

A criterion makes a network exactly the size that it is told. The schedule decides the sizes, restores firing rates
after each step, looks at what is left under the standard drive, and stops when that is dead, or the target is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import InputError, RunError, instance, real_number, require, whole_number
from hrsnn.analysis.cost import count_costs
from hrsnn.engine import simulate
from hrsnn.network import Network
from hrsnn.outcome import digest_of, plain_values
from hrsnn.pruning.criterion import Criterion, Size, Step, described, summary_of
from hrsnn.pruning.drive import DURATION_MS, on_grid_ms, rates_on, standard_drive, waking_rate_hz
from hrsnn.pruning.homeostasis import restore_rates
from hrsnn.pruning.spec import PruneSpec
from hrsnn.pruning.target import Target, sizes_on_the_way
from hrsnn.randomness import stream
from hrsnn.spikes import Spikes

LIVELY_HZ = (0.1, 200.0)  # mean rates outside are not those of a network that computes
QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
_PATIENCE = 3  # iterations outside of LIVELY_HZ
_MOST_PROBES = 12  # sizes tried for a target that has to be measured
_CLOSE_ENOUGH = 0.98  # of such a target
_TABLE = PruneSpec()  # its defaults are those of `prune`


# -- what comes out ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A network on the way, and what it does under the standard drive.

    index             iterations before it; 0 is the network that was given
    neurons           int64 (N,), the indices that its neurons had there
    mean_rate_hz      spikes per neuron and second
    synops_*_per_s    synaptic operations per second, recurrent and of the input
    footprint_bytes   memory, as in `analysis.cost.Costs`
    weight_quantiles  of |weight| of the recurrent synapses at `QUANTILES`: what 1 / p has made of them
    diagnostics       plain JSON values from the criterion and from what restored the rates
    """

    index: int
    network: Network
    neurons: NDArray[np.int64]
    mean_rate_hz: float
    synops_recurrent_per_s: float
    synops_input_per_s: float
    footprint_bytes: int
    weight_quantiles: tuple[float, ...]
    diagnostics: dict[str, Any]

    @property
    def size(self) -> Size:
        return Size.of(self.network)

    @property
    def synops_per_s(self) -> float:
        return self.synops_recurrent_per_s + self.synops_input_per_s

    def excess(self, target: Target) -> float:
        """The largest ratio of what is spent to what `target` allows: it is met at 1 and below.

        Infinite for a target of counts alone.
        """
        spent = (self.synops_per_s, target.synops_per_s), (self.footprint_bytes, target.n_bytes)
        return max((have / most for have, most in spent if most is not None), default=np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """Snapshots from the network that was given to the last one, and why that is not the target, if it is not.

    drive_hz   of every channel of the standard drive: see `drive.waking_rate_hz`
    """

    snapshots: tuple[Snapshot, ...]
    stopped: str | None
    drive_hz: float

    @property
    def network(self) -> Network:
        """The last one."""
        return self.snapshots[-1].network


class Keeper(Protocol):
    """Where snapshots are kept, so that a run that ended early goes on where it was."""

    def begin(self, plan: Mapping[str, Any]) -> list[Snapshot]:
        """Those of `plan` that are there already, in order from the first."""

    def write(self, snapshot: Snapshot) -> None: ...


# -- pruning -----------------------------------------------------------------------------------------------------------


def prune(
    network: Network,
    target: Target,
    criterion: Criterion,
    *,
    n_iterations: int = _TABLE.n_iterations,
    seed: int = 0,
    drive_ms: float = DURATION_MS,
    correct: bool = _TABLE.correct,
    data: Spikes | None = None,
    store: Keeper | None = None,
    on_snapshot: Callable[[Snapshot], object] = id,
) -> Trajectory:
    """`network` made smaller down to `target` by `criterion`, in `n_iterations` steps.

    n_iterations   1 is pruning in one shot
    seed           of all choices and of the standard drive
    drive_ms       of standard drive, under which rates and operations are measured; its channels have the rate that
                   wakes `network` up (`drive.waking_rate_hz`)
    correct        after each step the rate of every neuron is brought back to the one that it had in `network`, as far
                   as that goes (`restore_rates`), whatever the criterion: what a criterion reads from activity is then
                   that of the same regime in all steps. Left to itself the mean rate more than doubled on the way
                   (N = 300: 44 Hz at first, 100 Hz in between). Again after what a criterion does then (`settle`)
    data           recordings on which rates are brought back; None is the standard drive. What fires alike under one
                   input need not under another: networks of 500 neurons that were brought back under the standard drive
                   fired 2.4 times as much as the dense one on spoken digits
    store          where snapshots go, and from where a run that was stopped goes on; `snapshots.SnapshotFolder`
    on_snapshot    called with each snapshot as soon as it exists, also with those that the store had

    A target that has to be measured is met by the first snapshot of a schedule that is below it, and in one shot by a
    number of synapses that is searched for, pruning anew each time, up to 13 times. A schedule ends early, and says so
    in `stopped`, when the criterion cannot go on, or when the mean rate leaves 0.1-200 Hz for three iterations. Each
    iteration follows from the network before it, the seed and its number: the store changes nothing but the time.

    Raises `InputError` for a network without recurrent synapses, a target that is met already or out of reach, and
    where the criterion fails in the first step.
    """
    instance("prune", "network", network, Network)
    instance("prune", "target", target, Target)
    if data is not None:
        instance("prune", "data", data, Spikes)
    seed = whole_number("prune", "seed", seed, at_least=0)
    drive_ms = real_number("prune", "drive_ms", drive_ms, above=0)
    way = sizes_on_the_way(Size.of(network), target, n_iterations)
    walk = _Walk.of(network, criterion, n_iterations, seed, drive_ms, correct, data)
    first = walk.first()
    spends = f"the network spends {_spent(first)}"
    require(
        first.excess(target) > 1, "prune", "target", "must be below what the network spends", str(target), remedy=spends
    )
    done = [] if store is None else store.begin({"target": asdict(target), **walk.facts()})
    snapshots: list[Snapshot] = []

    def ended(why: str | None) -> Trajectory:
        return Trajectory(tuple(snapshots), why, walk.drive_hz)

    def reached(snapshot: Snapshot) -> None:
        if store is not None and len(snapshots) >= len(done):
            store.write(snapshot)
        snapshots.append(snapshot)
        on_snapshot(snapshot)

    reached(first)
    for index, size in enumerate(way, start=1):
        try:
            snapshot = done[index] if index < len(done) else walk.onward(snapshots[-1], size, target)
        except InputError as error:
            if index == 1:
                raise
            return ended(f"stopped after {index - 1} of {n_iterations} iterations: {error}")
        reached(snapshot)
        if snapshot.excess(target) <= 1:
            return ended(None)
        if _is_lifeless(snapshots):
            rates = ", ".join(f"{snapshot.mean_rate_hz:.3g}" for snapshot in snapshots[-_PATIENCE:])
            why = f"the mean rate left {LIVELY_HZ[0]:g}-{LIVELY_HZ[1]:g} Hz for {_PATIENCE} iterations: {rates} Hz"
            return ended(f"stopped after {index} of {n_iterations} iterations: {why}")
    missed = f"the target is not met after {n_iterations} iterations, with {_spent(snapshots[-1])}"
    return ended(missed if target.is_measured else None)


def _is_lifeless(snapshots: list[Snapshot]) -> bool:
    rates = [snapshot.mean_rate_hz for snapshot in snapshots[1:][-_PATIENCE:]]
    low, high = LIVELY_HZ
    return len(rates) == _PATIENCE and not any(low <= rate <= high for rate in rates)


def _spent(snapshot: Snapshot) -> str:
    return f"{snapshot.synops_per_s:.0f} operations per second and {snapshot.footprint_bytes} bytes"


@dataclass(frozen=True, slots=True)
class _Walk:
    """What all iterations share: the start, what it did under the drive, the criterion and how it is called."""

    start: Network
    rates_hz: NDArray[np.float64]
    drive_hz: float
    drive: Spikes
    criterion: Criterion
    n_iterations: int
    seed: int
    correct: bool
    data: Spikes | None

    @classmethod
    def of(
        cls, start: Network, criterion: Criterion, n_iterations: int, seed: int, drive_ms: float, correct: bool,
        data: Spikes | None,
    ) -> _Walk:  # fmt: skip
        duration_ms = on_grid_ms(drive_ms, start.dt_ms)
        drive_hz = waking_rate_hz(start, seed=seed, duration_ms=duration_ms)
        drive = standard_drive(start, duration_ms, seed=seed, rate_hz=drive_hz)
        rates_hz = rates_on(start, drive if data is None else data)
        return cls(start, rates_hz, drive_hz, drive, criterion, n_iterations, seed, correct, data)

    @property
    def drive_ms(self) -> float:
        return self.drive.n_steps * self.drive.dt_ms

    def facts(self) -> dict[str, Any]:
        """Everything that snapshots follow from, beside the target."""
        return {
            "network": self.start.hash, "criterion": described(self.criterion), "n_iterations": self.n_iterations,
            "seed": self.seed, "drive_ms": self.drive_ms, "correct": self.correct,
            **({} if self.data is None else {"rates_hz": digest_of(self.rates_hz.tobytes())}),
        }  # fmt: skip

    def first(self) -> Snapshot:
        return self._seen(0, self.start, np.arange(self.start.n_neurons), {})

    def onward(self, before: Snapshot, size: Size, target: Target) -> Snapshot:
        """The next snapshot, of this size; in one shot to a target that is measured, of the largest that meets it."""
        if self.n_iterations > 1 or not target.is_measured:
            return self.made(before, size)
        return self._largest(before, size, target)

    def made(self, before: Snapshot, size: Size) -> Snapshot:
        """`before` pruned to `size`, its rates restored."""
        index, name = before.index + 1, self.criterion.name
        seed = int(stream(self.seed, "prune.iteration", index).integers(2**31))
        step = Step(index, self.n_iterations, seed, self.start, self.drive_hz)
        network, told = self.criterion(before.network, size, step)
        if Size.of(network) != size:
            raise RunError(f"criterion {name} was asked for {size} and gave {Size.of(network)}")
        neurons = before.neurons[told.pop("neurons", slice(None))]
        network, told["correction"] = self._restored(network, neurons)
        network, settled = self.criterion.settle(network, step)
        if settled:
            network, told["correction"] = self._restored(network, neurons)
        told = {key: value for key, value in told.items() if value is not None}
        network = network.with_history(f"iteration {index} of {self.n_iterations} by {name} ended, seed {self.seed}")
        return self._seen(index, network, neurons, {**told, **settled})

    def _restored(self, network: Network, neurons: NDArray[np.int64]) -> tuple[Network, dict[str, Any] | None]:
        if not self.correct:
            return network, None
        network, restoring = restore_rates(
            network, self.rates_hz[neurons], seed=self.seed, duration_ms=self.drive_ms, drive_hz=self.drive_hz,
            data=self.data,
        )  # fmt: skip
        return network, summary_of(restoring)

    def _largest(self, before: Snapshot, least: Size, target: Target) -> Snapshot:
        """The one with the most synapses that meets the target, to 2 % of it, or to one synapse.

        What is spent is nearly linear in the synapses, so sizes are tried where the line through the ends meets it.
        """
        share = least.n_neurons / before.size.n_neurons
        most = round(before.size.n_synapses * share**3)
        fits, excess_there = self.made(before, least), before.excess(target)
        if fits.excess(target) > 1:
            remedy = f"the least that can be reached is {_spent(fits)}, with {least}"
            require(False, "prune", "target", "must be within reach", str(target), remedy=remedy)
        for _ in range(_MOST_PROBES):
            here, n = fits.excess(target), fits.size.n_synapses
            if here >= _CLOSE_ENOUGH or most - n <= 1:
                break
            between = n + ((1 + _CLOSE_ENOUGH) / 2 - here) / (excess_there - here) * (most - n)
            probe = self.made(before, replace(least, n_synapses=round(np.clip(between, n + 1, most - 1))))
            if probe.excess(target) <= 1:
                fits = probe
            else:
                most, excess_there = probe.size.n_synapses, probe.excess(target)
        return fits

    def _seen(self, index: int, network: Network, neurons: NDArray[np.int64], told: dict[str, Any]) -> Snapshot:
        recording = simulate(network, self.drive)
        costs, seconds = count_costs(network, self.drive, recording), self.drive_ms / 1000
        sizes = np.abs(network.recurrent.weight.astype(np.float64))
        return Snapshot(
            index=index,
            network=network,
            neurons=neurons,
            mean_rate_hz=costs.spikes / network.n_neurons / seconds,
            synops_recurrent_per_s=costs.synops_recurrent / seconds,
            synops_input_per_s=costs.synops_input / seconds,
            footprint_bytes=costs.footprint_bytes,
            weight_quantiles=tuple(np.quantile(sizes, QUANTILES).tolist()),
            diagnostics=plain_values(told),
        )
