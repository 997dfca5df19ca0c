"""Calibration: rates are reached, ratios of weights stay, the history tells, and what cannot be done is said."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn
from hrsnn.spikes import Spikes


def recordings(rate_hz: float, *, n: int = 6, n_units: int = 12, n_steps: int = 300, pad: int = 0) -> Spikes:
    raster = np.random.default_rng(1).random((n, n_steps, n_units)) < rate_hz / 1000
    silence = np.zeros((n, pad, n_units), dtype=bool)
    return Spikes.from_dense(np.concatenate([raster, silence], axis=1), dt_ms=1.0)


def network(**input_changes: object) -> hrsnn.Network:
    inputs = {"subset_share": 1.0, "p_connect": 0.5, **input_changes}
    return hrsnn.build(hrsnn.NetworkSpec.preset("HeNHeS", n_inputs=12, n_neurons=60, input=inputs), seed=0)


def rates_hz(net: hrsnn.Network, spikes: Spikes) -> list[float]:
    last = np.array([spikes.step[spikes.sample_ptr[k + 1] - 1] for k in range(spikes.n_samples)]) + 1
    counts = hrsnn.simulate(net, spikes).spike_counts.sum(axis=0) / (last.sum() / 1000)
    return [float(counts[rows].mean()) for rows in (net.neurons.sign > 0, net.neurons.sign < 0)]


@pytest.mark.parametrize("rate_hz", [5, 40, 300])
def test_rates_are_reached_whatever_the_rate_of_the_input(rate_hz: float) -> None:
    spikes = recordings(rate_hz)
    excitatory, inhibitory = rates_hz(hrsnn.calibrate(network(), spikes, 12.0, inhibitory_ratio=2.0), spikes)
    assert excitatory == pytest.approx(12, rel=0.1)
    assert inhibitory == pytest.approx(24, rel=0.1)


def test_silence_after_the_last_event_changes_nothing() -> None:
    short, padded = (hrsnn.calibrate(network(), recordings(40, pad=pad)) for pad in (0, 900))
    assert rates_hz(padded, recordings(40)) == pytest.approx(rates_hz(short, recordings(40)), rel=0.15)


def test_one_gain_per_population_keeps_ratios_and_bounds_and_is_told() -> None:
    before = network()
    after = hrsnn.calibrate(before, recordings(40))
    gain = after.inputs.weight / before.inputs.weight
    onto_excitatory = before.neurons.sign[before.inputs.post] > 0
    for rows in (onto_excitatory, ~onto_excitatory):
        assert np.ptp(gain[rows]) < 1e-5 * gain[rows].mean()
    np.testing.assert_allclose(after.inputs.w_max / before.inputs.w_max, gain, rtol=1e-6)
    assert after.recurrent == before.recurrent
    assert after.provenance["history"][-1].startswith("calibrated to 15 Hz: input times")


def test_same_data_and_seed_give_the_same_bits() -> None:
    spikes = recordings(40, n=8)
    first, again = (hrsnn.calibrate(network(), spikes, n_recordings=3, seed=4) for _ in range(2))
    assert first == again


def test_recurrent_weights_give_way_where_no_input_gain_leads_to_the_target() -> None:
    spec = hrsnn.NetworkSpec.preset(
        "HeNHeS", n_inputs=12, n_neurons=60, input={"subset_share": 1.0, "p_connect": 0.5},
        synapses={"weight_ei": 9.0, "weight_ee": 9.0, "weight_ie": 0.1, "c_ee": 1.0, "length_scale": 9.0},
    )  # fmt: skip
    wild = hrsnn.build(spec, seed=0)
    calm = hrsnn.calibrate(wild, recordings(40), 8.0)
    assert np.abs(calm.recurrent.weight).sum() < np.abs(wild.recurrent.weight).sum()
    assert "recurrent weights times" in calm.provenance["history"][-1]


def test_what_has_no_input_stays_as_it_is_and_says_so() -> None:
    empty = Spikes.empty(2, n_units=12, n_steps=50, dt_ms=1.0)
    assert hrsnn.calibrate(network(), empty).provenance["history"][-1].startswith("not calibrated")
    deaf = network(p_connect=0.0)
    assert hrsnn.calibrate(deaf, recordings(40)).inputs == deaf.inputs


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target_hz": 0.0}, "target_hz"), ({"target_hz": float("nan")}, "target_hz"),
        ({"inhibitory_ratio": -1.0}, "inhibitory_ratio"), ({"n_recordings": 0}, "n_recordings"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_told(changes: dict[str, float], words: str) -> None:
    with pytest.raises(hrsnn.InputError, match=words):
        hrsnn.calibrate(network(), recordings(40), **changes)  # type: ignore[arg-type]
