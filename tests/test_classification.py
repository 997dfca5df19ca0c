"""Evaluation of classifiers: the test part is only scored; seen and unseen speakers; controls; costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hrsnn import classification
from hrsnn._checks import InputError
from hrsnn.analysis.cost import count_costs
from hrsnn.augmentation import Copies
from hrsnn.controls import evaluate_control, input_only, random_features
from hrsnn.data.dataset import Dataset, Splits
from hrsnn.engine import Record, simulate
from hrsnn.evaluation import Evaluation, Label, facts_of_network, versions, warnings_of_activity
from hrsnn.network import Network
from hrsnn.progress import ProgressEvent
from hrsnn.readout import ReadoutSpec
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.wiring import build
from small_tasks import N_CHANNELS, N_STEPS, splits

SPEC = ReadoutSpec(n_bins=[2], regularisation=[0.1])
LABEL = Label("HeNHeS", seed=3)


def network(n: int = 40) -> Network:
    inputs = {"subset_share": 1.0, "p_connect": 0.3, "weight_excitatory": 2.0}
    return build(NetworkSpec.from_dict({"n_neurons": n, "n_inputs": N_CHANNELS, "input": inputs}), seed=0)


def evaluate(kind: str, task: Splits, spec: ReadoutSpec = SPEC) -> Evaluation:
    if kind == "network":
        return classification.evaluate_network(network(), task, spec, label=LABEL)
    if kind == "input":
        return input_only.on_recordings(task, spec, label=LABEL, n_features=50)
    return random_features.on_recordings(task, spec, label=LABEL, n_features=50)


KINDS = ["network", "input", "random"]


def with_test_part(task: Splits, **changes: Any) -> Splits:
    return replace(task, test=replace(task.test, **changes))


@pytest.mark.parametrize("kind", KINDS)
def test_what_separates_the_classes_is_found(kind: str) -> None:
    evaluation = evaluate(kind, splits())
    assert evaluation.outcome.metrics["accuracy"] > 0.75
    assert (evaluation.outcome.arm, evaluation.outcome.seed) == ("HeNHeS", 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_readout_never_sees_the_test_part(kind: str) -> None:
    """Turned test labels, or other test recordings, leave readout and choice as they are, bit for bit."""
    task = splits()
    spec = ReadoutSpec(n_bins=[1, 2, 3], transform=["none", "sqrt"], regularisation=[0.01, 1.0])
    first = evaluate(kind, task, spec)
    turned = evaluate(kind, with_test_part(task, labels=1 - task.test.labels), spec)
    assert turned.readout == first.readout
    assert turned.details["readout"] == first.details["readout"]
    assert turned.details["predictions"] == first.details["predictions"]
    assert turned.outcome.costs == first.outcome.costs
    assert turned.outcome.metrics["accuracy"] == pytest.approx(1 - first.outcome.metrics["accuracy"])
    few = evaluate(kind, replace(task, test=task.test.select([0, 1])), spec)
    assert few.readout == first.readout


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_twice(kind: str) -> None:
    first, second = (evaluate(kind, splits()) for _ in range(2))
    assert first.readout == second.readout
    first.details.pop("rate_hz", None)
    second.details.pop("rate_hz", None)  # an array, checked with the costs below
    assert first.details == second.details
    assert replace(first.outcome, wall_s=0.0) == replace(second.outcome, wall_s=0.0)


def test_seen_is_in_training_unseen_in_neither_part() -> None:
    task = splits()
    evaluation = evaluate("input", task)
    right = np.array(evaluation.details["predictions"]) == task.test.labels
    groups = task.test.groups
    metrics = evaluation.outcome.metrics
    assert metrics["accuracy"] == right.mean()
    assert metrics["accuracy_seen"] == right[groups == 1].mean()
    assert metrics["accuracy_unseen"] == right[groups == 4].mean()  # speaker 3 of the validation part is neither
    assert evaluation.details["seen"] == (groups == 1).tolist()
    assert evaluation.details["unseen"] == (groups == 4).tolist()


def test_accuracies_of_known_predictions() -> None:
    task = splits()
    groups, labels = task.test.groups, task.test.labels
    assert groups is not None
    right = (groups == 1) | ((groups == 4) & (np.arange(30) % 4 < 2))  # speaker 3 never, 1 always, 4 at times
    predictions = np.where(right, labels, 1 - labels)
    assert classification.accuracies(predictions, task) == {
        "accuracy": right.mean(), "accuracy_seen": 1.0, "accuracy_unseen": right[groups == 4].mean(),
    }  # fmt: skip
    assert 0 < right[groups == 4].mean() < 1


def test_without_speakers_there_is_one_accuracy() -> None:
    evaluation = evaluate("input", splits(speakers=False))
    assert list(evaluation.outcome.metrics) == ["accuracy"]
    assert "seen" not in evaluation.details
    known = splits()
    evaluation = evaluate("input", replace(known, test=known.test.select(known.seen)))
    assert list(evaluation.outcome.metrics) == ["accuracy", "accuracy_seen"]


def test_costs_of_a_network_are_those_of_the_test_part() -> None:
    task, net = splits(), network()
    outcome = evaluate("network", task).outcome
    readout = evaluate("network", task).readout
    assert readout is not None
    recording = simulate(net, task.test.spikes, record=Record(n_bins=2))
    expected = count_costs(
        net, task.test.spikes, recording, synops_readout=readout.count_synops(recording.counts),
        readout_bytes=readout.n_bytes,
    )  # fmt: skip
    assert outcome.costs == expected.to_dict()
    assert outcome.network == facts_of_network(net)
    rate = evaluate("network", task).details["rate_hz"]
    np.testing.assert_allclose(rate, recording.spike_counts.sum(axis=0) / task.test.n_samples * 1000 / N_STEPS)


def test_a_control_without_a_network_costs_its_readout() -> None:
    outcome = evaluate("input", splits()).outcome
    assert outcome.costs["synops_recurrent"] == outcome.costs["spikes_per_sample"] == 0
    assert outcome.costs["synops_readout"] > 0
    assert outcome.network["hash"] is None
    assert outcome.network["n_neurons"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_filtered_states_as_features(kind: str) -> None:
    """Controls have no filtered states: they read counts in the bins of the spec."""
    evaluation = evaluate(kind, splits(), SPEC.model_copy(update={"features": "filtered"}))
    assert evaluation.readout is not None
    assert evaluation.readout.features == ("filtered" if kind == "network" else "counts")
    assert evaluation.readout.n_bins == (2 if kind == "input" else 1)  # a projection mixes all bins
    assert evaluation.outcome.metrics["accuracy"] > 0.6


def test_channels_may_be_pooled_for_the_input() -> None:
    spec = ReadoutSpec(n_bins=[1], regularisation=[0.1], channel_pools=[1, 3])
    for kind in ("input", "random"):
        chosen = evaluate(kind, splits(), spec).details["readout"]
        assert [t["pool"] for t in chosen["tried"]] == [1, 3]
        assert chosen["pool"] == 1  # neighbours fire for different classes here
    counts = splits().test.spikes.counts(2)
    pooled = classification.pooled_counts(splits().test.spikes, 2, 3)
    expected = np.stack([counts[..., :3].sum(-1), counts[..., 3:6].sum(-1), counts[..., 6:].sum(-1)], axis=-1)
    np.testing.assert_array_equal(pooled, expected)


def test_a_readout_is_fitted_on_changed_copies_as_well() -> None:
    """Of the training part alone: for the network and for what it is compared with. None change nothing."""
    task = splits()
    none = SPEC.model_copy(update={"augment": Copies(shift_channels=2)})
    two = SPEC.model_copy(update={"augment": Copies(n_copies=2, shift_channels=2, drop_share=0.3)})
    assert classification.with_copies(task, none, 0) is task
    more = classification.with_copies(task, two, 0)
    n = task.train.n_samples
    assert more.train.select(np.arange(n)) == task.train
    assert more.train.labels.tolist() == 3 * task.train.labels.tolist()
    assert (more.validation, more.test) == (task.validation, task.test)
    first, second = more.train.spikes.select(slice(n, 2 * n)), more.train.spikes.select(slice(2 * n, None))
    assert first.n_events < task.train.spikes.n_events
    assert first != second
    assert classification.with_copies(task, two, 0) == more != classification.with_copies(task, two, 1)
    with pytest.raises(InputError, match="must be 0 where nothing is changed, got 1; say how"):
        Copies(n_copies=1)
    for name in ("input-only", "random-features"):
        plain, fitted = (evaluate_control(name, task, spec, n_features=50).readout for spec in (none, two))
        assert plain is not None
        assert fitted is not None
        assert not np.array_equal(plain.mean, fitted.mean)
    plain, fitted = evaluate("network", task, none), evaluate("network", task, two)
    assert plain.readout == evaluate("network", task).readout != fitted.readout
    assert plain.outcome.costs["spikes_per_neuron"] == fitted.outcome.costs["spikes_per_neuron"]
    chosen = classification.validate_network(network(), task, two, seed=LABEL.seed).score
    assert chosen == fitted.details["readout"]["validation_accuracy"]


def test_random_features_are_a_projection_drawn_by_the_seed() -> None:
    task = splits()
    readout = evaluate("random", task).readout
    assert readout is not None
    assert readout.units.size == 100  # as many as 50 neurons in two bins
    other = random_features.on_recordings(task, SPEC, label=Label(seed=4), n_features=50).readout
    assert other != readout  # the seed draws the projection
    # alternatives of bins are each projected and all told
    spec = ReadoutSpec(n_bins=[1, 3], regularisation=[0.1, 1.0])
    assert [t["n_bins"] for t in evaluate("random", task, spec).details["readout"]["tried"]] == [1, 1, 3, 3]


def test_activity_for_new_samples_is_that_of_the_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    task, net = splits(), network()
    for spec in (SPEC, SPEC.model_copy(update={"features": "filtered", "tau_filter_ms": 7.0})):
        evaluation = classification.evaluate_network(net, task, spec, label=LABEL)
        assert evaluation.readout is not None
        found = classification.activity(net, task.test.spikes, evaluation.readout)
        assert evaluation.readout.classes(found).tolist() == evaluation.details["predictions"]
        monkeypatch.setattr(classification, "_SAMPLES_AT_A_TIME", 7)  # chunks do not matter
        np.testing.assert_array_equal(classification.activity(net, task.test.spikes, evaluation.readout), found)
        nothing = classification.activity(net, task.test.spikes.select([]), evaluation.readout)
        assert nothing.shape == (0, *found.shape[1:])
        assert evaluation.readout.classes(nothing).tolist() == []


def test_progress_reaches_its_total_in_every_phase() -> None:
    seen: list[ProgressEvent] = []
    classification.evaluate_network(network(), splits(), SPEC, label=LABEL, progress=seen.append)
    assert [(e.done, e.total) for e in seen if e.phase == "simulating"] == [(40, 40), (20, 20), (30, 30)]
    assert [(e.done, e.total) for e in seen if e.phase == "fitting"] == [(0, 1), (1, 1)]


def test_network_and_task_must_fit() -> None:
    task = splits()
    with pytest.raises(InputError):
        classification.evaluate_network(network().keep_synapses(), with_channels(task, 9), SPEC, label=LABEL)


def with_channels(task: Splits, n: int) -> Splits:
    def of(part: Dataset) -> Dataset:
        return replace(part, spikes=replace(part.spikes, n_units=n))

    return replace(task, train=of(task.train), validation=of(task.validation), test=of(task.test))


def test_warnings_about_activity() -> None:
    assert warnings_of_activity(np.array([0.0, 0.0, 1.0]), 1000.0) == (
        "67% of the neurons never fired; raise the input weights or lower the thresholds",
    )
    assert warnings_of_activity(np.full(3, 201.0), 1000.0) == (
        "the mean rate is 201 Hz; lower the weights or raise the inhibition",
    )
    assert warnings_of_activity(np.full(3, 20.0), 1000.0) == ()


def test_versions_name_what_can_move_a_number() -> None:
    assert set(versions()) == {"hrsnn", "numpy", "scipy", "numba", "scikit-learn"}


# -- a readout that sees the end alone ---------------------------------------------------------------------------------

LAST = ReadoutSpec(n_bins=[2], regularisation=[0.1], last_ms=20.0)


def test_the_end_of_a_recording_is_what_the_whole_simulation_has_there() -> None:
    """A third of 60 steps in 2 bins: bins 4 and 5 of 6; spikes and operations are those of the whole recording."""
    task, net = splits(), network()
    evaluation = evaluate("network", task, LAST)
    assert evaluation.readout is not None
    windows = classification.activity(net, task.test.spikes, evaluation.readout)
    np.testing.assert_array_equal(windows, simulate(net, task.test.spikes, record=Record(n_bins=6)).counts[:, 4:])
    whole = evaluate("network", task)
    of_readout = {"synops_readout", "footprint_bytes", "energy_pj"}
    for name in evaluation.outcome.costs.keys() - of_readout:
        assert evaluation.outcome.costs[name] == whole.outcome.costs[name]
    np.testing.assert_array_equal(evaluation.details["rate_hz"], whole.details["rate_hz"])
    everything = evaluate("network", task, LAST.model_copy(update={"last_ms": float(N_STEPS)}))
    assert everything.details["predictions"] == whole.details["predictions"]


@pytest.mark.parametrize("kind", ["input", "random"])
def test_controls_see_no_more_than_the_end(kind: str) -> None:
    """What comes before it may be anything."""
    task = splits()

    def cut(part: Dataset) -> Dataset:
        dense = part.spikes.dense()
        dense[:, :40] = 0
        return replace(part, spikes=Spikes.from_dense(dense, dt_ms=1.0))

    silent_before = replace(task, train=cut(task.train), validation=cut(task.validation), test=cut(task.test))
    assert evaluate(kind, task, LAST).readout == evaluate(kind, silent_before, LAST).readout
    assert evaluate(kind, task, LAST).details == evaluate(kind, silent_before, LAST).details
    assert evaluate(kind, task).readout != evaluate(kind, silent_before).readout


@pytest.mark.parametrize("kind", KINDS)
def test_an_end_longer_than_the_recordings_is_told(kind: str) -> None:
    with pytest.raises(InputError, match=r"`last_ms` of `(readout|split_before_last)` must be .*at most 60"):
        evaluate(kind, splits(), LAST.model_copy(update={"last_ms": 61.0}))
