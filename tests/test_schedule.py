"""Sizes on the way, targets that are counted and that are measured, early stops, snapshots in a folder and resuming."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hrsnn
from hrsnn._checks import FileError, InputError, RunError
from hrsnn.network import Network
from hrsnn.pruning.criteria import Activity, Magnitude, RandomGraph, Uniform
from hrsnn.pruning.criterion import Criterion, Size, Step, described, summary_of
from hrsnn.pruning.drive import excerpt, rates_on, standard_drive
from hrsnn.pruning.lnp import LyapunovNoise
from hrsnn.pruning.schedule import Snapshot, Trajectory, prune
from hrsnn.pruning.snapshots import SnapshotFolder
from hrsnn.pruning.target import Target, sizes_on_the_way
from hrsnn.spikes import Spikes
from networks import examples, neuron_table, synapse_table

SPEC = hrsnn.NetworkSpec(
    n_neurons=100,
    n_inputs=40,
    input={"subset_share": 1.0, "p_connect": 0.35, "weight_excitatory": 1.0, "weight_inhibitory": 0.5},
)


@pytest.fixture(scope="module")
def network() -> Network:
    return hrsnn.build(SPEC, seed=1)


def quick(network: Network, target: Target, criterion: Criterion = Uniform(), **changes: Any) -> Trajectory:  # noqa: B008
    """Pruned in four iterations with half a second of drive."""
    return prune(network, target, criterion, **{"n_iterations": 4, "drive_ms": 500.0, **changes})


def busy(network: Network) -> np.ndarray:
    return np.ones(network.n_neurons)


@dataclass(frozen=True, slots=True)
class Scripted(Criterion):
    """A criterion that runs `change` on what magnitude pruning gives."""

    change: Callable[[Network, Step], Network]
    name: str = "scripted"

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, dict[str, Any]]:
        pruned, told = Magnitude()(network, size, step)
        return self.change(pruned, step), told


# -- sizes -------------------------------------------------------------------------------------------------------------


@given(
    n=st.integers(60, 3000), e=st.integers(1000, 10**6), keep=st.floats(0.03, 0.99), n_iterations=st.integers(1, 120)
)
@examples(60)
def test_sizes_fall_steadily_to_the_target(n: int, e: int, keep: float, n_iterations: int) -> None:
    end = Size(max(50, round(n * keep**0.4)), max(1, round(e * keep)))
    way = sizes_on_the_way(Size(n, e), Target(end.n_neurons, end.n_synapses), n_iterations)
    assert len(way) == n_iterations
    assert way[-1] == end
    for before, after in zip((Size(n, e), *way), way, strict=False):
        assert after.n_neurons <= before.n_neurons
        assert after.n_synapses <= before.n_synapses
        assert abs(after.n_synapses - before.n_synapses * keep ** (1 / n_iterations)) < 2  # rounding, twice


def test_the_published_pace() -> None:
    """12.7: 95.06 % of the synapses in 100 iterations is 2.96 % in each, with 0.8 % of the neurons."""
    start = Size(2000, 200_000)
    way = sizes_on_the_way(start, Target(n_synapses=round(0.0494 * 200_000)), 100)
    assert 1 - way[0].n_synapses / start.n_synapses == pytest.approx(0.0296, abs=5e-5)
    assert 1 - way[0].n_neurons / start.n_neurons == pytest.approx(0.008, abs=1e-9)
    assert way[-1].n_neurons == round(2000 * 0.992**100)


def test_what_is_not_given() -> None:
    start = Size(1000, 50_000)
    assert sizes_on_the_way(start, Target(n_synapses=2500), 1) == (Size(1000, 2500),)
    assert sizes_on_the_way(start, Target(n_neurons=500), 1) == (Size(500, 6250),)
    assert sizes_on_the_way(start, Target(n_synapses=48_000), 10)[-1].n_neurons == round(1000 * 0.96 ** (1 / 3))
    assert sizes_on_the_way(start, Target(n_synapses=2500), 1000)[-1].n_neurons >= 50
    assert sizes_on_the_way(Size(30, 500), Target(n_synapses=100), 50)[-1] == Size(30, 100)


@pytest.mark.parametrize(
    ("target", "n_iterations", "words"),
    [
        ({"n_synapses": 1001}, 1, r"must be in 1\.\.1000, what a network of 100 neurons and 1000 recurrent"),
        ({"n_synapses": 1001}, 10, r"must be in 1\.\.1000"),
        ({"n_neurons": 49}, 10, r"must be in 50\.\.100"),
        ({"n_neurons": 101}, 10, r"must be in 50\.\.100"),
        ({"n_neurons": 100, "n_synapses": 1000}, 10, "is that small"),
        ({"n_synapses": 100}, 0, "n_iterations"),
    ],
)
def test_targets_out_of_reach(target: dict[str, int], n_iterations: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        sizes_on_the_way(Size(100, 1000), Target(**target), n_iterations)


@pytest.mark.parametrize(
    "target",
    [{}, {"n_synapses": 0}, {"n_bytes": -1}, {"synops_per_s": math.nan}, {"n_synapses": 10, "n_bytes": 100}],
)
def test_targets_that_are_none(target: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="of `Target`"):
        Target(**target)


# -- the way -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "criterion", [Uniform(), RandomGraph(), Activity(), LyapunovNoise(timescales=False)], ids=lambda c: c.name
)
@pytest.mark.parametrize("n_iterations", [1, 3])
def test_every_snapshot_is_what_it_says(network: Network, criterion: Criterion, n_iterations: int) -> None:
    target = Target(n_neurons=80, n_synapses=200)
    found = quick(network, target, criterion, n_iterations=n_iterations)
    assert found.stopped is None
    assert found.network is found.snapshots[-1].network
    way = sizes_on_the_way(Size.of(network), target, n_iterations)
    assert [s.size for s in found.snapshots] == [Size.of(network), *way]
    assert [s.index for s in found.snapshots] == list(range(n_iterations + 1))
    assert found.snapshots[0].network is network
    for snapshot in found.snapshots:
        seen = network.neurons.select(np.isin(np.arange(100), snapshot.neurons))
        np.testing.assert_array_equal(snapshot.network.neurons.v_th, seen.v_th)  # who is who survives all iterations
        sizes = np.abs(snapshot.network.recurrent.weight)
        assert snapshot.weight_quantiles[0] == pytest.approx(sizes.min())
        assert snapshot.weight_quantiles[-1] == pytest.approx(sizes.max())
        json.dumps(snapshot.diagnostics, allow_nan=False)
    history = found.network.provenance["history"]
    n_before = len(network.provenance["history"])
    assert history[:n_before] == network.provenance["history"]
    ends = [f"iteration {k} of {n_iterations} by {criterion.name} ended, seed 0" for k in range(1, n_iterations + 1)]
    assert [line for line in history if line.startswith("iteration")] == ends
    assert history[-1] == ends[-1]
    for size in way:  # what parts recorded is not lost on the way
        assert f"pruned by {criterion.name} to {size}" in history
    assert any(line.startswith("rates restored") for line in history)


def test_costs_are_per_second_of_drive(network: Network) -> None:
    short, long = (quick(network, Target(n_synapses=300), drive_ms=ms).snapshots[0] for ms in (1000.0, 4000.0))
    assert short.synops_input_per_s == pytest.approx(long.synops_input_per_s, rel=0.1)
    assert short.mean_rate_hz == pytest.approx(long.mean_rate_hz, rel=0.2)
    in_degree = len(network.inputs) / network.n_inputs
    assert long.synops_input_per_s == pytest.approx(10 * network.n_inputs * in_degree, rel=0.1)


def test_rates_come_back_where_asked(network: Network) -> None:
    """Magnitude pruning takes input away; the correction gives it back, up to what its own test says."""
    target = Target(n_synapses=len(network.recurrent) // 20)
    literal, corrected = (
        quick(network, target, Magnitude(), n_iterations=1, correct=c, drive_ms=2000.0).snapshots[-1]
        for c in (False, True)
    )  # fmt: skip
    dense = quick(network, target, n_iterations=1).snapshots[0].mean_rate_hz
    assert abs(math.log(corrected.mean_rate_hz / dense)) <= abs(math.log(literal.mean_rate_hz / dense)) + 0.01
    assert "correction" in corrected.diagnostics
    assert "correction" not in literal.diagnostics


def test_rates_come_back_on_data(network: Network) -> None:
    """The mean rate on recordings, that the standard drive says nothing of, also after what a criterion does last."""

    class Settling(Uniform):
        def settle(self, network: Network, step: Step) -> tuple[Network, dict[str, Any]]:
            return network.with_weights(2 * network.recurrent.weight), {"doubled": True}

    data = standard_drive(network, 300.0, seed=5, rate_hz=60.0)
    target = Target(n_synapses=len(network.recurrent) // 5)
    dense = rates_on(network, data).mean()
    for criterion in (Uniform(), Settling()):
        found = quick(network, target, criterion, n_iterations=1, data=data)
        assert rates_on(found.network, data).mean() == pytest.approx(dense, rel=0.05)


def test_an_excerpt_of_data(network: Network) -> None:
    single = standard_drive(network, 30_000.0, seed=5)
    short = excerpt(single)
    assert (short.n_samples, short.n_steps * short.dt_ms) == (1, 20_000.0)
    assert short.n_events == np.count_nonzero(single.step < short.n_steps)
    assert excerpt(short) == short
    several = Spikes.join([short, short, short])
    assert excerpt(several) == several
    assert excerpt(Spikes.join([several] * 20)).n_samples == 32


def test_steps_have_seeds_of_their_own_and_know_the_start(network: Network) -> None:
    steps: list[Step] = []

    def noted(pruned: Network, step: Step) -> Network:
        steps.append(step)
        return pruned

    quick(network, Target(n_synapses=200), Scripted(noted))
    assert [(s.index, s.n_steps) for s in steps] == [(k, 4) for k in (1, 2, 3, 4)]
    assert len({s.seed for s in steps}) == 4
    assert all(s.start is network for s in steps)


def test_a_criterion_must_keep_to_the_size(network: Network) -> None:
    one_less = Scripted(lambda pruned, step: pruned.keep_synapses(np.arange(len(pruned.recurrent)) > 0))
    with pytest.raises(RunError, match="criterion scripted was asked for"):
        quick(network, Target(n_synapses=200), one_less)


@pytest.mark.parametrize("criterion", [Activity(), LyapunovNoise(timescales=False)], ids=lambda c: c.name)
def test_any_step_of_time(criterion: Criterion) -> None:
    """Four seconds, over which rates are measured by default, are not a whole number of 0.3 ms."""
    network = hrsnn.build(SPEC.model_copy(update={"dt_ms": 0.3, "n_neurons": 60}), seed=1)
    assert Size.of(prune(network, Target(n_synapses=200), criterion, n_iterations=1).network) == Size(60, 200)


# -- targets that are measured -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_iterations", [1, 8])
@pytest.mark.parametrize("measure", ["synops_per_s", "n_bytes"])
def test_measured_targets_are_met_and_not_by_far(network: Network, measure: str, n_iterations: int) -> None:
    spent: Callable[[Snapshot], float] = lambda s: s.footprint_bytes if measure == "n_bytes" else s.synops_per_s  # noqa: E731
    full, least = (
        quick(network, Target(n_synapses=n), n_iterations=1).snapshots[-1]
        for n in (len(network.recurrent) - 1, len(network.recurrent) // 40)
    )
    wanted = round((spent(full) + spent(least)) / 2)
    found = quick(network, Target(**{measure: wanted}), n_iterations=n_iterations)
    assert found.stopped is None
    assert spent(found.snapshots[-1]) <= wanted
    if n_iterations == 1:
        assert spent(found.snapshots[-1]) >= 0.95 * wanted  # to 2 %, or the search ran out of tries
        assert len(found.snapshots) == 2
    else:
        assert all(spent(s) > wanted for s in found.snapshots[:-1])


def test_measured_targets_out_of_reach(network: Network) -> None:
    with pytest.raises(InputError, match="must be below what the network spends, got n_bytes 1000000000;"):
        quick(network, Target(n_bytes=10**9))
    with pytest.raises(InputError, match="the least that can be reached is"):
        quick(network, Target(synops_per_s=1.0), n_iterations=1)
    found = quick(network, Target(synops_per_s=1.0))
    assert found.stopped is not None
    assert "the target is not met after 4 iterations" in found.stopped


# -- early stops -------------------------------------------------------------------------------------------------------


def test_dead_networks_end_the_schedule(network: Network) -> None:
    out_of_reach = replace(network.neurons, v_th=np.full(100, 1e6))
    silenced = Scripted(lambda pruned, step: replace(pruned, neurons=out_of_reach))
    found = quick(network, Target(100, 200), silenced, n_iterations=8, correct=False)
    assert len(found.snapshots) == 4
    assert (
        found.stopped == "stopped after 3 of 8 iterations: the mean rate left 0.1-200 Hz for 3 iterations: 0, 0, 0 Hz"
    )


def test_a_criterion_that_cannot_go_on_ends_the_schedule(network: Network) -> None:
    def failing(first: int) -> Scripted:
        def change(pruned: Network, step: Step) -> Network:
            if step.index >= first:
                raise InputError("`network` of `prune_by_noise` must need a shift of the leak below 1, got 1.3")
            return pruned

        return Scripted(change)

    found = quick(network, Target(n_synapses=200), failing(3))
    assert len(found.snapshots) == 3
    assert found.stopped is not None
    assert found.stopped.startswith("stopped after 2 of 4 iterations: `network` of `prune_by_noise` must need a shift")
    with pytest.raises(InputError, match="shift"):
        quick(network, Target(n_synapses=200), failing(1))


def test_networks_that_cannot_be_pruned() -> None:
    one = Network(neuron_table(1), synapse_table([], [], n_pre=1), synapse_table([0], [0], n_pre=1), dt_ms=1.0)
    with pytest.raises(InputError, match="must have recurrent synapses"):
        quick(one, Target(n_synapses=1))


# -- folders -----------------------------------------------------------------------------------------------------------


def same(a: Snapshot, b: Snapshot) -> bool:
    return a.network == b.network and np.array_equal(a.neurons, b.neurons) and summary_of(a) == summary_of(b)


def interrupted(after: int) -> Callable[[Snapshot], None]:
    def stop(snapshot: Snapshot) -> None:
        if snapshot.index == after:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("criterion", [Uniform(), LyapunovNoise(timescales=False)], ids=lambda c: c.name)
def test_resuming_gives_the_same_networks(network: Network, tmp_path: Path, criterion: Criterion) -> None:
    target = Target(n_neurons=80, n_synapses=200)
    whole = quick(network, target, criterion)
    store = SnapshotFolder(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        quick(network, target, criterion, store=store, on_snapshot=interrupted(2))
    calls: list[int] = []
    resumed = quick(network, target, criterion, store=store, on_snapshot=lambda s: calls.append(s.index))
    assert calls == [0, 1, 2, 3, 4]
    assert all(map(same, whole.snapshots, resumed.snapshots))
    assert all(map(same, whole.snapshots, store.read()))
    assert whole.snapshots[2].diagnostics == store.read()[2].diagnostics


def test_finished_snapshots_are_not_made_again(network: Network, tmp_path: Path) -> None:
    store, target = SnapshotFolder(tmp_path), Target(n_synapses=200)
    whole = quick(network, target, store=store)
    times = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    again = quick(network, target, store=store)
    assert all(map(same, whole.snapshots, again.snapshots))
    assert times == {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}


def test_damaged_snapshots_are_made_again(network: Network, tmp_path: Path) -> None:
    store, target = SnapshotFolder(tmp_path), Target(n_synapses=200)
    whole = quick(network, target, store=store)
    (tmp_path / "snapshot-003.json").write_text("{")
    (tmp_path / ".snapshot-004.json.abc.tmp").write_text("left over")
    assert len(store.read()) == 3
    assert all(map(same, whole.snapshots, quick(network, target, store=store).snapshots))
    shuffled = (tmp_path / "snapshot-001.safetensors").read_bytes()
    (tmp_path / "snapshot-002.safetensors").write_bytes(shuffled)
    assert len(store.read()) == 2
    assert not list(tmp_path.glob(".*"))


def test_changed_snapshots_are_told_and_made_again(network: Network, tmp_path: Path) -> None:
    told: list[str] = []
    store, target = SnapshotFolder(tmp_path, told.append), Target(n_synapses=200)
    whole = quick(network, target, store=store)
    file = tmp_path / "snapshot-002.json"
    file.write_text(file.read_text().replace('"mean_rate_hz": ', '"mean_rate_hz": 1'))
    assert all(map(same, whole.snapshots, quick(network, target, store=store).snapshots))
    (sentence,) = told
    assert sentence.startswith(f"{file} is damaged: it was changed since it was written; it is made again")
    assert len(store.read()) == 5


def test_only_snapshots_are_cleared(network: Network, tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    SnapshotFolder(folder).clear()
    quick(network, Target(n_synapses=200), store=SnapshotFolder(folder))
    (folder / "holiday.jpg").write_text("mine")
    before = sorted(folder.iterdir())
    with pytest.raises(InputError, match=r"not snapshots of hrsnn \(holiday.jpg\)"):
        SnapshotFolder(folder).clear()
    assert sorted(folder.iterdir()) == before
    (folder / "holiday.jpg").unlink()
    SnapshotFolder(folder).clear()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 3}, "seed 0 there, 3 here"),
        ({"target": Target(n_synapses=201)}, "target .*200.*there.*201.* here"),
        ({"criterion": Magnitude()}, "criterion {'name': 'uniform'} there, {'name': 'magnitude'} here"),
        ({"network": hrsnn.build(SPEC, seed=2)}, "network '[0-9a-f]+' there"),
        ({"correct": False}, "correct True there, False here"),
        ({"n_iterations": 5}, "n_iterations 4 there, 5 here"),
    ],
)
def test_another_plan_in_the_folder(network: Network, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    arguments = {"network": network, "target": Target(n_synapses=200), "criterion": Uniform(), **change}
    store = SnapshotFolder(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        quick(network, Target(n_synapses=200), store=store, on_snapshot=interrupted(0))
    with pytest.raises(InputError, match=f"holds snapshots of other pruning \\({words}"):
        quick(**arguments, store=store)


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_a_damaged_plan_in_the_folder(network: Network, tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(FileError, match=r"plan\.json is damaged"):
        quick(network, Target(n_synapses=200), store=SnapshotFolder(tmp_path))


def test_an_edited_plan_does_not_make_other_snapshots_fit(network: Network, tmp_path: Path) -> None:
    store, target = SnapshotFolder(tmp_path), Target(n_synapses=200)
    quick(network, target, store=store)
    plan = tmp_path / "plan.json"
    plan.write_text(plan.read_text().replace('"seed": 0', '"seed": 3'))
    with pytest.raises(FileError, match=r"plan\.json is damaged: it was changed since it was written; give another"):
        quick(network, target, store=store, seed=3)


def test_a_folder_of_something_else(network: Network, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files but no snapshots"):
        quick(network, Target(n_synapses=200), store=SnapshotFolder(tmp_path))


_ENDLESS = """
import sys; sys.path.insert(0, {tests!r})
import time
from pathlib import Path
import hrsnn
from hrsnn.pruning.criteria import Uniform
from hrsnn.pruning.schedule import prune
from hrsnn.pruning.snapshots import SnapshotFolder
from hrsnn.pruning.target import Target
from test_schedule import SPEC
def slow(snapshot):
    print(snapshot.index, flush=True)
    time.sleep(60 if snapshot.index == 2 else 0)
prune(hrsnn.build(SPEC, seed=1), Target(n_synapses=200), Uniform(), n_iterations=4, drive_ms=500.0,
      store=SnapshotFolder(Path({folder!r})), on_snapshot=slow)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_killed_and_resumed(network: Network, tmp_path: Path) -> None:
    code = _ENDLESS.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "2" not in process.stdout.readline():
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
    resumed = quick(network, Target(n_synapses=200), store=SnapshotFolder(tmp_path))
    assert all(map(same, quick(network, Target(n_synapses=200)).snapshots, resumed.snapshots))


def test_criteria_in_words() -> None:
    assert described(LyapunovNoise(mode="w"))["mode"] == "w"
    assert described(Activity(activity=busy))["activity"] == "test_schedule.busy"
    assert described(Activity())["retrain"] is None
    assert described(replace(LyapunovNoise(), edges="none")) != described(LyapunovNoise())
    assert described(replace(LyapunovNoise(), n_threads=2)) == described(LyapunovNoise())
