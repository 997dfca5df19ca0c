"""learn: what comes out depends on network, recordings and seed alone; what is told on the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hrsnn._checks import InputError
from hrsnn.data.dataset import Dataset
from hrsnn.network import Network
from hrsnn.progress import ProgressEvent
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.train import LearnSpec, learn
from hrsnn.wiring import build


def lively(arm: str = "HeNHeS", **tables: object) -> Network:
    inputs = {"subset_share": 1.0, "p_connect": 0.3, "weight_excitatory": 2.0}
    spec = NetworkSpec.from_dict({"n_neurons": 40, "n_inputs": 8, "input": inputs, **tables})
    return build(spec.arm(arm), seed=0)  # type: ignore[arg-type]


def recordings(n: int = 6, n_steps: int = 60) -> Spikes:
    return Spikes.from_dense(np.random.default_rng(0).random((n, n_steps, 8)) < 0.15, dt_ms=1.0)


def weights(network: Network) -> list[np.ndarray]:
    return [network.recurrent.weight, network.inputs.weight]


def same(a: Network, b: Network) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def test_only_weights_and_history_change() -> None:
    before = lively()
    after = learn(before, recordings())
    assert not same(after, before)
    assert after.with_weights(before.recurrent.weight, inputs=before.inputs.weight).neurons == before.neurons
    restored = after.with_weights(before.recurrent.weight, inputs=before.inputs.weight)
    assert replace(restored, provenance=before.provenance) == before
    assert after.provenance["history"] == ["built", "learned by STDP on 6 recordings"]
    assert (np.abs(after.recurrent.weight) <= after.recurrent.w_max * (1 + 1e-6)).all()


def test_deterministic_and_ordered_by_the_seed() -> None:
    network, spikes = lively(), recordings()
    first = learn(network, spikes, seed=1)
    assert learn(network, spikes, seed=1) == first
    assert not same(learn(network, spikes, seed=2), first)


def test_labels_are_not_used() -> None:
    network, spikes = lively(), recordings()
    datasets = [Dataset(spikes, np.array(labels), ("a", "b")) for labels in ([0, 1] * 3, [1, 1, 1, 0, 0, 0])]
    assert learn(network, datasets[0]) == learn(network, datasets[1]) == learn(network, spikes)


def test_epochs_and_samples() -> None:
    network, spikes = lively(), recordings()
    seen: list[ProgressEvent] = []
    learned = learn(network, spikes, LearnSpec(n_epochs=3, n_samples=4), progress=seen.append)
    assert learned.provenance["history"][-1] == "learned by STDP on 12 recordings"
    assert [(event.phase, event.done, event.total) for event in seen] == [("learning", k + 1, 12) for k in range(12)]
    # more than there are: all of them, once per epoch
    assert learn(network, spikes, LearnSpec(n_samples=100)) == learn(network, spikes)
    # the second pass is in another order than the first, and goes on from its weights
    assert not same(learn(network, spikes, LearnSpec(n_epochs=2)), learn(learn(network, spikes), spikes))


def test_every_epoch_and_every_seed_has_an_order_of_its_own() -> None:
    order = LearnSpec(n_epochs=2).order(50, 0)
    first, second = order[:50], order[50:]
    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()
    assert LearnSpec().order(50, 1).tolist() != first.tolist()
    assert LearnSpec(n_samples=7).order(50, 0).tolist() == first[:7].tolist()


def test_one_pass_over_one_recording_is_one_pass_of_the_engine() -> None:
    from hrsnn.engine import simulate_stdp

    network, spikes = lively(), recordings(n=1)
    assert same(learn(network, spikes), simulate_stdp(network, spikes)[0])


def test_mini_batches_are_those_of_the_engine() -> None:
    from hrsnn.engine import simulate_stdp

    network, spikes = lively(), recordings(n=7)
    spec = LearnSpec(n_epochs=2, batch_size=3)
    seen: list[ProgressEvent] = []
    learned = learn(network, spikes, spec, progress=seen.append)
    expected, _ = simulate_stdp(network, spikes.select(spec.order(7, 0)), batch_size=3)
    assert same(learned, expected)
    assert not same(learned, learn(network, spikes, LearnSpec(n_epochs=2)))
    assert learned.provenance["history"][-1] == "learned by STDP on 14 recordings in batches of 3"
    assert [event.done for event in seen] == list(range(1, 15))


def test_progress_tells_how_alive_the_network_is() -> None:
    silent = lively(input={"weight_excitatory": 0.0, "weight_inhibitory": 0.0}, excitatory={"v_init": 0.0},
                    inhibitory={"v_init": 0.0})  # fmt: skip
    seen: list[ProgressEvent] = []
    learn(silent, recordings(n=2), progress=seen.append)
    assert [(e.spikes_per_neuron, e.silent_share) for e in seen] == [(0.0, 1.0)] * 2
    seen.clear()
    learn(lively(), recordings(n=2), progress=seen.append)
    assert seen[0].spikes_per_neuron is not None
    assert seen[0].spikes_per_neuron > 0.5
    assert seen[0].silent_share is not None
    assert 0 <= seen[0].silent_share < 0.5


def test_an_interrupt_from_progress_ends_learning() -> None:
    def stop(event: ProgressEvent) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(lively(), recordings(), progress=stop)


def test_rates_of_zero_leave_the_weights() -> None:
    network = lively(plasticity={"a_plus": 0.0, "a_minus": 0.0, "normalise": False})
    with pytest.warns(RuntimeWarning, match="no synapse of this network learns"):
        assert same(learn(network, recordings()), network)
    with pytest.warns(RuntimeWarning, match="no synapse of this network learns"):
        normalised = learn(lively(plasticity={"a_plus": 0.0, "a_minus": 0.0}), recordings())
    for found, before in zip(weights(normalised), weights(network), strict=True):
        np.testing.assert_allclose(found, before, rtol=1e-6)  # scaled back to sums of single precision, six times


def test_homogeneous_learns_as_heterogeneous_without_spread() -> None:
    """Acceptance check 12 for learning: constants, and draws from a law with one value."""
    one = {name: {"empirical": {"values": [value] * 2}} for name, value in
           (("a_plus", 0.01), ("a_minus", 0.0105), ("tau_plus_ms", 20.0), ("tau_minus_ms", 20.0))}  # fmt: skip
    networks = [lively("HeNHoS"), lively("HeNHeS", plasticity=one)]
    assert same(*networks)
    assert same(*(learn(network, recordings()) for network in networks))


def test_nothing_to_learn_from() -> None:
    with pytest.raises(InputError, match="`data` of `learn` must hold at least one recording"):
        learn(lively(), recordings().select([]))
