"""Backpropagation as a rule of learning: what it reaches, what it goes on from, what it refuses."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import hrsnn
from fake_experiment import FAKE
from hrsnn._checks import InputError
from hrsnn.augmentation import Augmentation, changed_events
from hrsnn.augmentation import changed as all_changed
from hrsnn.config import from_tables, load_config
from hrsnn.data.dataset import Dataset
from hrsnn.experiments import run_unit
from hrsnn.learners import learner_of
from hrsnn.network import Network
from hrsnn.network_file import load_tensors
from hrsnn.progress import ProgressEvent, no_progress
from hrsnn.run_directory import RunDirectory
from hrsnn.runs import RunWork, resume_command
from hrsnn.spikes import Spikes
from hrsnn.tasks import shared_task
from hrsnn.torch import TensorBoard
from hrsnn.train import learn
from hrsnn.trainable import fit
from hrsnn.trainable.batches import batch_of, raster_of
from hrsnn.trainable.heads import AheadHead, Batch, ClassHead, counts_in_stretches
from hrsnn.trainable.held_out import divided
from hrsnn.trainable.standing import SCHEMA
from hrsnn.work.unit import Unit

N_INPUTS = 10


def network(n: int = 30, seed: int = 0) -> Network:
    """Mixed signs, exponential currents, no delays."""
    rng = np.random.default_rng(seed)
    w_rec = rng.normal(0, 0.1, (n, n)) * (rng.random((n, n)) < 0.3)
    return Network.from_arrays(
        w_rec, rng.normal(0.2, 0.6, (n, N_INPUTS)), dale=False, tau_mem_ms=rng.uniform(8, 30, n), tau_syn_exc_ms=5.0
    )


def task(n: int = 60, *, n_steps: int = 50) -> Dataset:
    """Two classes with the same counts in every channel: early and late channels change places."""
    rng = np.random.default_rng(5)
    labels = np.arange(n) % 2
    raster = np.zeros((n, n_steps, N_INPUTS), bool)
    half = n_steps // 2
    for k, label in enumerate(labels):
        early = np.arange(N_INPUTS) % 2 == label
        raster[k, :half, early] = rng.random((N_INPUTS // 2, half)) < 0.3
        raster[k, half:, ~early] = rng.random((N_INPUTS // 2, n_steps - half)) < 0.3
    return Dataset(Spikes.from_dense(raster, dt_ms=1.0), labels, ("even first", "odd first"), np.arange(n) % 6)


def backprop(**settings: Any) -> Any:
    return learner_of({"rule": "backprop", "batch_size": 10, "n_epochs": 3, **settings})


# -- what it reaches ---------------------------------------------------------------------------------------------------


def test_learns_an_order_that_one_count_cannot_tell() -> None:
    """The head has one bin, and classes the same counts of input: only what neurons make of time tells them apart."""
    events: list[ProgressEvent] = []
    found = learn(network(), task(), backprop(n_epochs=20, n_bins=1, learning_rate=0.01), progress=events.append)
    scores = [event.score for event in events if event.score is not None]
    assert len(scores) == 20
    assert max(scores) == 1.0
    assert re.fullmatch(
        r"learned by backpropagation on 50 recordings, epoch \d+ of 20", found.provenance["history"][-1]
    )


def test_foretells_an_input_without_classes() -> None:
    """A channel after the other, each for 5 ms: what is next follows from what is now. The score of the mean is -1."""
    steps = np.arange(200)
    raster = (steps[:, None] // 5 % N_INPUTS) == np.arange(N_INPUTS)
    rows = np.stack([np.roll(raster, 5 * shift, axis=0) for shift in range(8)])
    spikes = Spikes.from_dense(rows & (np.random.default_rng(0).random(rows.shape) < 0.8), dt_ms=1.0)
    events: list[ProgressEvent] = []
    table = backprop(n_epochs=25, ahead_ms=5.0, learning_rate=0.02, batch_size=1, validation_share=0.2)
    learn(network(), spikes, table, progress=events.append)
    scores = [event.score for event in events if event.score is not None]
    assert scores[0] < -0.95
    assert max(scores) > -0.8


def test_time_constants_and_thresholds_train_and_the_rest_stays() -> None:
    dense = network()
    found = learn(dense, task(), backprop(train=["tau_mem", "tau_syn", "v_th"]))
    for name in ("tau_mem_ms", "tau_syn_exc_ms", "v_th"):
        assert not np.array_equal(getattr(found.neurons, name), getattr(dense.neurons, name))
    assert found.recurrent == dense.recurrent
    assert found.inputs == dense.inputs
    assert np.array_equal(found.neurons.bias, dense.neurons.bias)


def test_the_epoch_that_was_best_is_kept(tmp_path: Path) -> None:
    """At a rate that is too high it is not the last; what is left has its weights, which the file holds."""
    table, file = backprop(n_epochs=6, learning_rate=0.3), tmp_path / "training.safetensors"
    events: list[ProgressEvent] = []
    found = learn(network(), task(), table, progress=events.append, checkpoint=file)
    scores = [event.score for event in events if event.score is not None]
    best = 1 + int(np.argmax(scores))
    assert best < 6
    assert f"epoch {best} of 6" in found.provenance["history"][-1]
    columns, facts = load_tensors(file, SCHEMA)
    assert (facts["epoch"], facts["best_epoch"]) == (6, best)
    assert np.array_equal(found.recurrent.weight, columns["best.recurrent"])
    assert not np.array_equal(found.recurrent.weight, columns["module.recurrent"])
    unbroken = learn(network(), task(), backprop(n_epochs=6, learning_rate=0.3, patience=1))
    ended = int(unbroken.provenance["history"][-1].split()[-1])
    assert ended == next((k + 1 for k in range(1, 6) if scores[k] <= max(scores[:k])), 6)


def test_a_validation_part_chooses_in_place_of_a_share(tmp_path: Path) -> None:
    """All of what is learned from is seen; the scores are of the 7 recordings that are given, and training that knows
    them as its own does not go on from such a checkpoint."""
    data, apart = task(), task().select(np.arange(7))
    events: list[ProgressEvent] = []
    file = tmp_path / "training.safetensors"
    found = learn(network(), data, backprop(), progress=events.append, validation=apart, checkpoint=file)
    assert "on 60 recordings, epoch" in found.provenance["history"][-1]
    scores = [event.score * 7 for event in events if event.score is not None]
    assert np.allclose(scores, np.round(scores))
    labels = np.concatenate([data.labels, apart.labels])
    whole = Dataset(Spikes.join([data.spikes, apart.spikes]), labels, data.class_names)
    again: list[ProgressEvent] = []
    learn(network(), whole, backprop(), progress=again.append, checkpoint=file)
    assert sum(event.score is not None for event in again) == 3
    plain = learn(network(), data.spikes, backprop(ahead_ms=5.0), validation=apart.spikes)
    assert "on 60 recordings" in plain.provenance["history"][-1]
    blind = learn(network(), data, backprop(validation_share=0.0), validation=apart)
    assert "epoch 3 of 3" in blind.provenance["history"][-1]
    other = Dataset(apart.spikes, apart.labels, tuple(name + "!" for name in apart.class_names))
    for part, learner, sentence in [
        (other, backprop(), "must have the classes of the data"),
        (apart.spikes, backprop(), "`validation` of `learn`"),
        (apart, None, "is not looked at by stdp"),
    ]:
        with pytest.raises(InputError, match=re.escape(sentence)):
            learn(network(), data, learner, validation=part)


@pytest.mark.parametrize("is_given", [True, False])
def test_nothing_that_is_held_out_is_mixed_in(is_given: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recordings of the last group alone have events in the last channel; what is learned from never gets one."""
    whole = task()
    raster = whole.spikes.dense()
    is_held = whole.groups == 5
    raster[:, :, -1] = is_held[:, None]
    whole = Dataset(Spikes.from_dense(raster, dt_ms=1.0), whole.labels, whole.class_names, whole.groups)
    seen: list[torch.Tensor] = []

    def spied(*given: Any) -> torch.Tensor:
        seen.append(raster_of(*given))
        return seen[-1]

    monkeypatch.setattr(fit, "raster_of", spied)
    table = backprop(n_epochs=2, augment={"blend_share": 1.0})
    if is_given:
        rest, held = whole.select(np.flatnonzero(~is_held)), whole.select(np.flatnonzero(is_held))
        learn(network(), rest, table, validation=held)
    else:
        rows = np.flatnonzero(~is_held), np.flatnonzero(is_held)
        monkeypatch.setattr(fit, "divided", lambda data, *_: (data, *rows))
        learn(network(), whole, table)
    assert len(seen) == 2 * 5
    assert not any(bool(one[:, :, -1].any()) for one in seen)
    assert all(bool(one.any()) for one in seen)


def test_a_run_chooses_on_its_validation_part() -> None:
    """None of the training part is held out."""
    config = load_config("spoken-digits", ["learn.rule=backprop", "learn.n_epochs=1", "network.n_neurons=20"])
    n = shared_task(config.task).train_spikes.n_samples
    made = run_unit(config, Unit("HeNB", 0)).network
    assert made is not None
    assert f"on {n} recordings" in made.provenance["history"][-1]


def test_a_penalty_lowers_the_rate() -> None:
    def spikes_per_neuron(**settings: Any) -> float:
        events: list[ProgressEvent] = []
        learn(network(), task(), backprop(n_epochs=10, learning_rate=0.01, **settings), progress=events.append)
        assert events[-1].spikes_per_neuron is not None
        return events[-1].spikes_per_neuron

    assert spikes_per_neuron(rate_penalty=10.0, rate_hz=5.0) < 0.7 * spikes_per_neuron()


# -- curves ------------------------------------------------------------------------------------------------------------


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder))
    read.Reload()
    return {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def test_curves_for_tensorboard(tmp_path: Path) -> None:
    """All that progress tells; what is told again from somewhere on takes the place of what was there."""
    events: list[ProgressEvent] = []
    board = TensorBoard(tmp_path)

    def both(event: ProgressEvent) -> None:
        events.append(event)
        board(event)

    learn(network(), task(), backprop(), progress=both)
    seen = curves(tmp_path)
    assert set(seen) == {f"learning/{name}" for name in ("loss", "score", "spikes_per_neuron", "silent_share")}
    assert seen["learning/loss"] == [(e.done, pytest.approx(e.loss)) for e in events]
    assert seen["learning/score"] == [(e.done, pytest.approx(e.score)) for e in events if e.score is not None]
    TensorBoard(tmp_path)(ProgressEvent("learning", 100, 100, loss=7.0))  # the last is on disk at once
    assert curves(tmp_path)["learning/loss"] == [p for p in seen["learning/loss"] if p[0] < 100] + [(100, 7.0)]


def test_a_run_keeps_curves_and_clears_them(tmp_path: Path) -> None:
    out = tmp_path / "run"
    how = ["learn.rule=backprop", "learn.n_epochs=2", "network.n_neurons=20", 'task.arms=["HeNB"]', "task.controls=[]"]
    hrsnn.run("spoken-digits", set=[*how, "prune=false"], n_seeds=1, out=out, jobs=1, tensorboard=True)
    assert len(curves(out / "tensorboard" / "HeNB-s0")["learning/score"]) == 2
    (out / "tensorboard" / "mine.txt").write_text("kept")
    RunDirectory(out).clear()
    assert [file.name for file in (out / "tensorboard").iterdir()] == ["mine.txt"]
    line = resume_command(out, jobs=2, tensorboard=True)
    assert "--tensorboard" in line


# -- going on ----------------------------------------------------------------------------------------------------------


class Stop(Exception):
    pass


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.2, "truncate_ms": 20.0, "train": ["recurrent", "tau_mem"]}])
def test_goes_on_to_the_same_numbers(tmp_path: Path, settings: dict[str, Any]) -> None:
    table = backprop(n_epochs=4, augment={"shift_channels": 1, "blend_share": 0.5}, **settings)
    file = tmp_path / "training.safetensors"

    def stop(event: ProgressEvent) -> None:
        if event.done > 120:  # amid the third epoch
            raise Stop

    with pytest.raises(Stop):
        learn(network(), task(), table, checkpoint=file, progress=stop)
    events: list[ProgressEvent] = []
    found = learn(network(), task(), table, checkpoint=file, progress=events.append)
    assert events[0].done == 110
    assert found == learn(network(), task(), table)
    again = learn(network(), task(), table, checkpoint=file, progress=events.append)
    assert again == found


@pytest.mark.parametrize("other", ["seed", "table", "damage"])
def test_what_is_of_another_training_is_not_gone_on_from(tmp_path: Path, other: str) -> None:
    file = tmp_path / "training.safetensors"
    learn(network(), task(), backprop(n_epochs=1), checkpoint=file)
    if other == "damage":
        file.write_bytes(file.read_bytes()[:-20])
    table = backprop(n_epochs=2 if other == "table" else 1)
    seed = 1 if other == "seed" else 0
    events: list[ProgressEvent] = []
    found = learn(network(), task(), table, seed=seed, checkpoint=file, progress=events.append)
    assert events[0].done == 10
    assert found == learn(network(), task(), table, seed=seed)


def test_a_unit_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    config = load_config(
        "spoken-digits",
        ["learn.rule=backprop", "learn.n_epochs=1", "network.n_neurons=40", "synapses.delay_ms=0.0", "task.n_seeds=1",
         "learn.batch_size=100", "readout.n_bins=[4]", "task.controls=[]"],
    )  # fmt: skip
    assert config.task.arms == ["HoNB", "HeNB"]
    file = tmp_path / "HeNB-s0.safetensors"
    first = run_unit(config, Unit("HeNB", 0), checkpoint=file)
    assert file.exists()
    assert first.network is not None
    assert "backpropagation" in first.network.provenance["history"][-1]
    assert first.details["learning"]["score"][-1] is not None
    assert run_unit(config, Unit("HeNB", 0), checkpoint=file).network == first.network


def test_the_folder_of_checkpoints_is_there_while_units_learn(tmp_path: Path) -> None:
    """A unit that ends takes its own file alone: another may have begun and not have written yet."""
    config = load_config("spoken-digits", ["learn.rule=backprop"])
    directory = RunDirectory(tmp_path)
    work = RunWork(config, FAKE, directory, None)
    directory.begin(config)
    other = directory.checkpoint_of(Unit("HoNB", 0))
    directory.checkpoint_of(Unit("HeNB", 0)).write_bytes(b"where it stands")
    work.do(Unit("HeNB", 0), no_progress)
    assert other.parent.is_dir()
    assert list(other.parent.iterdir()) == []
    directory.clear_partial()
    assert not other.parent.exists()
    directory.checkpoint_of(Unit("HoNB", 0)).write_bytes(b"where it stands")
    directory.clear_partial()
    assert other.exists()


def test_a_truncation_longer_than_the_recordings_truncates_nothing() -> None:
    whole = learn(network(), task(), backprop())
    assert learn(network(), task(), backprop(truncate_ms=50.0)).hash != learn(
        network(), task(), backprop(truncate_ms=10.0)
    ).hash  # fmt: skip
    assert learn(network(), task(), backprop(truncate_ms=500.0)).recurrent == whole.recurrent


# -- parts -------------------------------------------------------------------------------------------------------------


def test_counts_of_pieces_are_those_of_the_whole() -> None:
    spikes = torch.tensor(np.random.default_rng(0).random((20, 3, 4)) < 0.3, dtype=torch.float32)
    batch = Batch(torch.zeros(20, 3, 1), torch.tensor([0, 1, 0]))
    head = ClassHead(4, 2, n_bins=5, start=0, dropout=0.0, smoothing=0.0)
    _, whole = head.read(spikes, 0, batch, None, None)
    _, half = head.read(spikes[:7], 0, batch, None, None)
    _, both = head.read(spikes[7:], 7, batch, half, None)
    torch.testing.assert_close(both, whole)
    of_bins = spikes.unflatten(0, (5, 4)).sum(1) / 2  # over the square root of the 4 steps of a bin
    torch.testing.assert_close(whole, of_bins.transpose(0, 1).flatten(1))


def test_a_head_may_read_the_end_alone() -> None:
    spikes = torch.tensor(np.random.default_rng(0).random((20, 3, 4)) < 0.3, dtype=torch.float32)
    batch = Batch(torch.zeros(20, 3, 1), torch.tensor([0, 1, 0]))
    head = ClassHead(4, 2, n_bins=2, start=12, dropout=0.0, smoothing=0.0)
    _, whole = head.read(spikes, 0, batch, None, None)
    torch.testing.assert_close(whole, (spikes[12:].unflatten(0, (2, 4)).sum(1) / 2).transpose(0, 1).flatten(1))
    memory = None
    for first in (0, 5, 10, 15):
        _, memory = head.read(spikes[first : first + 5], first, batch, memory, None)
    torch.testing.assert_close(memory, whole)


def test_a_run_trains_on_what_its_readout_reads() -> None:
    given = {"n_inputs": 4, "dt_ms": 1.0}, {"rule": "backprop"}, {"last_ms": 20.0}
    tables = dict(zip(("network", "learn", "readout"), given, strict=True))
    config = from_tables({"task": {"arms": ["HeNB"]}, **tables})
    assert config.learn.last_ms == 20.0
    assert load_config(config, ["readout.last_ms=30.0"]).learn.last_ms == 30.0
    tables["learn"]["last_ms"] = 0.0
    assert from_tables({"task": {"arms": ["HeNB"]}, **tables}).learn.last_ms == 0.0


def test_the_next_input_is_foretold_from_filtered_spikes() -> None:
    rng = np.random.default_rng(0)
    spikes = torch.tensor(rng.random((12, 2, 4)) < 0.3, dtype=torch.float64)
    batch = Batch(torch.tensor(rng.random((12, 2, 3)) < 0.3, dtype=torch.float64), None)
    counts = counts_in_stretches(batch.inputs, 4)
    decay = 0.9
    head = AheadHead(4, torch.zeros(3), torch.ones(3), 4, decay, 0.0).double()
    head.linear.weight.data = torch.tensor(rng.normal(size=(3, 4)))
    trace, told = torch.zeros(2, 4, dtype=torch.float64), []
    for s in spikes:
        trace = decay * trace + s
        told.append(trace)
    wanted = (head.linear((1 - decay) ** 0.5 * torch.stack([told[3], told[7]])) - counts[1:]).square().mean()
    assert head.read(spikes, 0, batch, None, None)[0].loss.item() == pytest.approx(wanted.item())
    first, memory = head.read(spikes[:4], 0, batch, None, None)
    second, memory = head.read(spikes[4:], 4, batch, memory, None)
    assert (first.loss.item() + second.loss.item()) / 2 == pytest.approx(wanted.item())
    torch.testing.assert_close(memory, trace)


@given(st.integers(1, 60), st.floats(0, 0.9), st.integers(0, 4), st.integers(0, 100))
def test_what_is_held_out(n: int, share: float, n_groups: int, seed: int) -> None:
    spikes = Spikes.empty(n, n_units=1, n_steps=1, dt_ms=1.0)
    groups = np.arange(n) % n_groups if n_groups else None
    data = Dataset(spikes, np.arange(n) % 3, ("a", "b", "c"), groups)
    same, chosen, held = divided(data, None, share, seed)
    assert same is data
    assert np.array_equal(np.sort(np.concatenate([chosen, held])), np.arange(n))
    assert held.size == 0 if share == 0 or n < 2 else held.size >= 1
    if groups is not None and n_groups > 1 and held.size and share < 0.3 and n >= 4 * n_groups:
        assert not set(groups[held]) & set(groups[chosen])
    if groups is None and held.size >= 3:
        counts = np.bincount(data.labels[held], minlength=3)
        possible = np.bincount(data.labels, minlength=3)
        assert all(counts[i] >= min(counts.max() - 1, possible[i]) for i in range(3))


def test_augmentation_does_what_it_says() -> None:
    data = task()
    rows = np.arange(20)
    plain = batch_of(data.spikes, rows, torch.float32)

    def changed(**how: Any) -> torch.Tensor:
        return batch(data, Augmentation(**how))

    def batch(data: Dataset, how: Augmentation) -> torch.Tensor:
        rng, everyone = np.random.default_rng(3), np.arange(data.n_samples)
        events = changed_events(data.spikes, data.labels, rows, how, rng, among=everyone)
        return raster_of(events, rows.size, data.spikes, torch.float32)

    assert torch.equal(changed(), plain)
    how = Augmentation(shift_channels=2, warp_share=0.2, drop_share=0.1, blend_share=0.5)
    first = data.select(rows)  # a recording by itself is changed as in a batch
    alone = all_changed(first.spikes, first.labels, how, np.random.default_rng(3))
    assert np.array_equal(alone.dense().transpose(1, 0, 2), batch(first, how).numpy())
    assert np.array_equal(plain.numpy(), data.spikes.dense()[rows].transpose(1, 0, 2))
    shifted = changed(shift_channels=2)
    shifts = set()
    for k in range(20):
        fits = [s for s in range(-2, 3) if torch.equal(shifted[:, k], _shifted(plain[:, k], s))]
        assert len(fits) == 1
        shifts.add(fits[0])
    assert shifts == {-2, -1, 0, 1, 2}
    dropped = changed(drop_share=0.3)
    assert ((plain - dropped) >= 0).all()
    assert float(dropped.sum() / plain.sum()) == pytest.approx(0.7, abs=0.03)
    warped = changed(warp_share=0.2)
    assert warped.shape == plain.shape
    assert torch.equal(warped[:40].sum((0, 2)) > 0, plain.sum((0, 2)) > 0)
    blended = changed(blend_share=1.0)
    assert 0.88 < float(blended.sum() / plain.sum()) < 1.02  # less where the halves have an event at one place
    early = blended[:20].sum(0).unflatten(1, (-1, 2)).sum(1)  # spikes of even and odd channels: of the same class still
    assert torch.equal(early.argmax(1), torch.tensor(data.labels[rows]))


def _shifted(raster: torch.Tensor, by: int) -> torch.Tensor:
    moved = torch.zeros_like(raster)
    n = raster.shape[1]
    moved[:, max(0, by) : n + min(0, by)] = raster[:, max(0, -by) : n - max(0, by)]
    return moved


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_and_keeps_the_epoch_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "training.safetensors"
    table = backprop(n_epochs=2, learning_rate=1e25, clip_norm=0.0, warm_up_share=0.0)
    with pytest.raises(
        InputError, match=r"training left the numbers: .* in epoch \d, batch \d; lower learn.learning_rate"
    ):
        learn(network(), task(), table, checkpoint=file)
    assert not file.exists()  # no epoch was whole
    read, n_calls = ClassHead.read, [0]

    def spoiled(head: ClassHead, *given: Any) -> Any:
        n_calls[0] += 1
        told, memory = read(head, *given)
        is_late = n_calls[0] > 8  # five batches and what is held out, then the third batch of the second epoch
        return told._replace(loss=told.loss * float("nan")) if is_late else told, memory

    with monkeypatch.context() as patch:
        patch.setattr(ClassHead, "read", spoiled)
        with pytest.raises(InputError, match="the loss became nan in epoch 2, batch 3"):
            learn(network(), task(), backprop(n_epochs=2), checkpoint=file)
    assert load_tensors(file, SCHEMA)[1]["epoch"] == 1
    whole = learn(network(), task(), backprop(n_epochs=2))
    assert learn(network(), task(), backprop(n_epochs=2), checkpoint=file) == whole


def test_a_network_that_is_silent_where_it_is_read_is_told() -> None:
    short = task(n_steps=20)
    data = Dataset(dataclasses.replace(short.spikes, n_steps=200), short.labels, short.class_names)
    alone = network().keep_synapses(np.zeros(len(network().recurrent), dtype=bool))
    with pytest.warns(RuntimeWarning, match="no neuron spikes in the last 20 ms of the first batch, which"):
        learn(alone, data, backprop(last_ms=20.0))


def test_a_checkpoint_does_not_replace_another_file(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    hrsnn.save(network(), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"must not be a file of something else.*small.safetensors; give another path"):
        learn(network(), task(), backprop(), checkpoint=path)
    assert path.read_bytes() == before
    for wrong, rule in ((tmp_path, "must be a file"), (tmp_path / "no" / "file", "must lie in a folder that exists")):
        with pytest.raises(InputError, match=f"`checkpoint` of `learn` {rule}"):
            learn(network(), task(), backprop(), checkpoint=wrong)


def test_pieces_that_are_not_read_have_no_weight() -> None:
    """Truncated or not, the loss of a head that has learned nothing is that of guessing."""
    for truncate_ms in (0.0, 10.0):
        events: list[ProgressEvent] = []
        table = backprop(last_ms=10.0, truncate_ms=truncate_ms, n_epochs=1, learning_rate=1e-9)
        learn(network(), task(), table, progress=events.append)
        assert events[-1].loss == pytest.approx(np.log(2), rel=1e-3)
    head = ClassHead(4, 2, n_bins=2, start=12, dropout=0.0, smoothing=0.0)
    assert [head.share(first, 5, 20) for first in (0, 5, 10, 15)] == [0, 0, 3 / 8, 5 / 8]


def test_a_silent_network_is_told() -> None:
    dense = network()
    silent = dense.with_weights(inputs=1e-6 * dense.inputs.weight)
    with pytest.raises(InputError, match=r"must spike on the recordings .*100% of the neurons.*gradients are"):
        learn(silent, task(), backprop())
    weight = dense.inputs.weight.copy()
    weight[dense.inputs.post >= 8] *= 1e-6
    mostly = dense.with_weights(0 * dense.recurrent.weight, inputs=weight)
    with pytest.warns(RuntimeWarning, match="% of the neurons are silent in the first batch"):
        learn(mostly, task(), backprop(n_epochs=1))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"train": []}, "`learn.train`"),
        ({"train": ["weights"]}, "`learn.train"),
        ({"train": ["inputs", "inputs"]}, "must name each once"),
        ({"validation_share": 0.0, "patience": 2}, "must be > 0 where training ends by patience"),
        ({"device": "tpu"}, "`learn.device`"),
        ({"augment": {"drop_share": 1.0}}, "`learn.augment.drop_share`"),
        ({"augment": {"shift": 1}}, "learn.augment.shift"),
        ({"learning_rate": 0.0}, "`learn.learning_rate`"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        backprop(**settings)


def test_data_that_do_not_fit_are_told() -> None:
    other = Spikes.from_dense(np.ones((2, 20, 3), bool), dt_ms=1.0)
    with pytest.raises(InputError, match="`data` of `learn` must have the 10 channels of the network, got 3"):
        learn(network(), other, backprop())
    coarse = Spikes.from_dense(np.ones((2, 20, N_INPUTS), bool), dt_ms=2.0)
    with pytest.raises(InputError, match="must have the time step of the network, 1 ms, got 2"):
        learn(network(), coarse, backprop())
    with pytest.raises(InputError, match="`n_bins` of `learn` must be at most 50"):
        learn(network(), task(), backprop(n_bins=51))
    with pytest.raises(InputError, match="`n_bins` of `learn` must be at most 4, the steps that are read"):
        learn(network(), task(), backprop(last_ms=4.0))
    with pytest.raises(InputError, match="`last_ms` of `learn` must be at most 50, the duration of the recordings"):
        learn(network(), task(), backprop(last_ms=51.0))
    with pytest.raises(InputError, match="`ahead_ms` of `learn` must be at most half of the recordings"):
        learn(network(), task().spikes, backprop(ahead_ms=26.0))
    with pytest.raises(InputError, match="without adaptive thresholds must do without adapt"):
        learn(network(), task(), backprop(train=["adapt"]))
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="must be one that is there, got cuda"):
            learn(network(), task(), backprop(device="cuda"))


def test_checkpoints_are_kept_by_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`checkpoint` of `learn` is not kept by stdp"):
        learn(network(), task(), learner_of({}), checkpoint=tmp_path / "file")


def test_another_rule_brings_its_arms() -> None:
    assert load_config("lorenz63", ["learn.rule=backprop"]).task.arms == ["HoNB", "HeNB"]
    assert load_config("lorenz63", ["learn.rule=backprop", "task.arms=['HeNB']"]).task.arms == ["HeNB"]
    with pytest.raises(InputError, match="must be of HoNB, HeNB, which backprop teaches"):
        load_config("lorenz63", ["learn.rule=backprop", "task.arms=['HeNHeS']"])


def test_the_reference_tells_the_defaults() -> None:
    text = (Path(__file__).parents[1] / "docs" / "reference" / "config.md").read_text(encoding="utf-8")
    (block,) = (part for part in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if 'rule = "backprop"' in part)
    told = tomllib.loads(block)["learn"]
    assert told == learner_of({"rule": "backprop"}).model_dump()


def test_threads_of_torch_are_left_as_they_were() -> None:
    before = torch.get_num_threads()
    learn(network(), task(), backprop(n_epochs=1, n_threads=1), progress=no_progress)
    assert torch.get_num_threads() == before
