"""Known answers, round trips and bad input of the encoders."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn._checks import InputError
from hrsnn.encode import (
    AudioCode,
    PopulationCode,
    audio,
    level_crossing,
    poisson_rate,
    pool_events,
    temporal_difference,
)

BAD_NUMBERS = [np.nan, np.inf, -np.inf]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- Poisson ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.1, 0.5, 1.0])
def test_poisson_rate_has_the_stated_probability(x: float) -> None:
    spikes = poisson_rate(np.full((200, 50), x), rng=rng())
    p = 1 - np.exp(-63.75 * x / 1000)
    n = 200 * 50 * 100
    assert abs(spikes.n_events - n * p) < 4.5 * np.sqrt(n * p * (1 - p))  # four and a half standard deviations


def test_poisson_is_silent_for_zero_and_after_the_duration() -> None:
    spikes = poisson_rate([[0.0, 1.0]], rng=rng(), f_max_hz=500.0, duration_ms=50, silence_ms=150, dt_ms=0.5)
    assert (spikes.n_steps, spikes.dt_ms) == (400, 0.5)
    assert set(spikes.unit.tolist()) == {1}
    assert spikes.step.max() < 100


def test_poisson_counts_of_a_unit_scatter_like_a_binomial() -> None:
    counts = poisson_rate(np.full((2000, 1), 1.0), rng=rng(), silence_ms=0).counts()[:, 0, 0]
    p = 1 - np.exp(-0.06375)
    assert abs(counts.var(ddof=1) / (100 * p * (1 - p)) - 1) < 4.5 * np.sqrt(2 / 2000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": [0.5]}, "shape"),
        ({"images": [[1.5]]}, "must lie in [0, 1], got 1.5 at index 0"),
        ({"images": [[-0.1]]}, "must lie in [0, 1]"),
        ({"images": [[0.0, np.nan]]}, "must be finite, got nan at index (0, 1)"),
        ({"f_max_hz": 0.0}, "`f_max_hz`"),
        ({"f_max_hz": np.nan}, "`f_max_hz`"),
        ({"duration_ms": 10.5}, "whole number"),
        ({"duration_ms": 0.0}, "`duration_ms`"),
        ({"silence_ms": -1.0}, "`silence_ms`"),
        ({"dt_ms": 0.0}, "`dt_ms`"),
        ({"dt_ms": np.inf}, "`dt_ms`"),
        ({"rng": 7}, "`rng`"),
        ({"rng": [rng(), rng()]}, "must hold 1 generators"),
    ],
)
def test_poisson_refuses(change: dict[str, Any], message: str) -> None:
    arguments = {"images": [[0.5]], "rng": rng(), **change}
    with pytest.raises(InputError, match=re.escape(message)):
        poisson_rate(arguments.pop("images"), **arguments)


# -- population ------------------------------------------------------------------------------------------------------

CODE = PopulationCode((0.0, -5.0), (1.0, 5.0), n_per_variable=13)


def test_population_has_the_stated_layout() -> None:
    assert CODE.n_units == 26
    np.testing.assert_allclose(CODE.centres, np.arange(-1, 12) / 10, atol=1e-15)
    assert CODE.width == pytest.approx(0.15)
    rates = CODE.rates_hz([[0.5, 5.0]])[0]
    assert rates[:13].argmax() == 6
    assert rates[13:].argmax() == 11
    assert rates[6] == pytest.approx(100.0)
    assert rates[7] == pytest.approx(100 * np.exp(-0.5 * (0.1 / 0.15) ** 2))


def test_regular_spikes_have_the_exact_count() -> None:
    values = np.full((1, 500, 2), [0.37, 1.2])
    spikes, phase = CODE.encode(values)
    charge = CODE.rates_hz([0.37, 1.2]) * 500 * 20 / 1000
    np.testing.assert_array_equal(spikes.counts()[0, 0], np.floor(charge + 1e-6))
    np.testing.assert_allclose(phase[0], charge % 1, atol=1e-6)


def test_regular_spikes_are_regular() -> None:
    code = PopulationCode((0.0,), (1.0,), n_per_variable=13, f_max_hz=100.0)
    spikes, _ = code.encode(np.full((1, 10, 1), 0.5))
    assert spikes.step[spikes.unit == 6].tolist() == list(range(9, 200, 10))  # the tenth step of every 10 ms


def test_a_series_in_pieces_gives_the_same_spikes() -> None:
    values = rng().normal(0.5, 0.4, (3, 40, 2))
    whole, last = CODE.encode(values)
    phase, steps, units = None, [], []
    for k in range(40):
        piece, phase = CODE.encode(values[:, k : k + 1], phase=phase)
        steps.append(piece.dense())
        units.append(piece.n_events)
    np.testing.assert_array_equal(np.concatenate(steps, axis=1), whole.dense())
    np.testing.assert_array_equal(phase, last)
    assert sum(units) == whole.n_events > 0


def test_random_spikes_in_pieces_are_the_same_with_a_generator_per_sample() -> None:
    values = rng().random((2, 6, 2))
    whole, phase = CODE.encode(values, [rng(1), rng(2)])
    generators = [rng(1), rng(2)]
    pieces = [CODE.encode(values[:, k : k + 1], generators)[0].dense() for k in range(6)]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole.dense())
    assert not phase.any()


def test_random_spikes_have_the_rate() -> None:
    spikes, _ = CODE.encode(np.full((50, 100, 2), 0.5), rng())
    n = 50 * 100 * 20
    p = -np.expm1(-CODE.rates_hz([0.5, 0.5]) / 1000)
    sd = np.sqrt(n * p * (1 - p)) + 1e-9
    assert (np.abs(spikes.counts().sum(axis=(0, 1)) - n * p) < 4.5 * sd + 1).all()


@settings(deadline=None, max_examples=25)
@given(st.floats(0.0, 1.0))
def test_the_centre_of_mass_of_the_spikes_gives_the_value_back(x: float) -> None:
    code = PopulationCode((0.0,), (1.0,), hold_ms=1000.0)
    spikes, _ = code.encode([[[x]]])
    counts = spikes.counts()[0, 0]
    assert abs(counts @ code.centres / counts.sum() - x) < 0.005  # a fifth of a spacing


def test_a_value_far_outside_is_silent_and_just_outside_is_not() -> None:
    counts = CODE.encode([[[1e300, 0.0]], [[1.05, 0.0]]])[0].counts()[:, 0, :13].sum(axis=1)
    assert counts[0] == 0
    assert counts[1] > 0


def test_fit_takes_the_range_of_the_series() -> None:
    code = PopulationCode.fit([[0.0, 3.0], [2.0, -1.0]])
    assert (code.lows, code.highs, code.n_units) == ((0.0, -1.0), (2.0, 3.0), 100)


@pytest.mark.parametrize("bad", BAD_NUMBERS)
def test_population_refuses_values_that_are_not_finite(bad: float) -> None:
    with pytest.raises(InputError, match=r"`values` .* must be finite, got .* at index \(0, 1, 0\)"):
        CODE.encode([[[0.0, 0.0], [bad, 0.0]]])
    with pytest.raises(InputError, match=r"`series` .* must be finite"):
        PopulationCode.fit([[0.0], [bad]])


def test_population_refuses() -> None:
    with pytest.raises(InputError, match=r"must vary in every variable, got 3.0 at index 1"):
        PopulationCode.fit([[0.0, 3.0], [1.0, 3.0]])
    with pytest.raises(InputError, match=r"`highs` .* above `lows`, got 0.0 at index 0"):
        PopulationCode((0.0,), (0.0,))
    with pytest.raises(InputError, match=r"`highs` .* must have length 2, got length 1"):
        PopulationCode((0.0, 0.0), (1.0,))
    with pytest.raises(InputError, match="`hold_ms`"):
        PopulationCode((0.0,), (1.0,), hold_ms=20.5)
    with pytest.raises(InputError, match="`f_max_hz`"):
        PopulationCode((0.0,), (1.0,), f_max_hz=2000.0)
    with pytest.raises(InputError, match="must have 2 variables"):
        CODE.encode([[[0.0]]])
    with pytest.raises(InputError, match=r"must have shape \(samples, values, variables\)"):
        CODE.encode([[0.0, 0.0]])
    with pytest.raises(InputError, match=r"`phase` .* must have shape \(1, 26\)"):
        CODE.encode([[[0.0, 0.0]]], phase=np.zeros((2, 26)))
    with pytest.raises(InputError, match=r"`phase` .* must lie in \[0, 1\)"):
        CODE.encode([[[0.0, 0.0]]], phase=np.ones((1, 26)))


# -- frames ----------------------------------------------------------------------------------------------------------


def test_one_brighter_and_one_darker_pixel() -> None:
    frames = np.full((1, 3, 2, 3), 0.5)
    frames[0, 1:, 0, 1] = 0.8
    frames[0, 2, 1, 2] = 0.35
    spikes = temporal_difference(frames, fps=25)
    assert (spikes.n_units, spikes.n_steps) == (12, 120)
    assert list(zip(spikes.step.tolist(), spikes.unit.tolist(), strict=True)) == [(40, 1), (80, 6 + 5)]


def test_a_change_of_exactly_the_threshold_counts_and_less_does_not() -> None:
    change = lambda x: temporal_difference([[[[0.5]], [[x]]]], fps=100).n_events  # noqa: E731
    assert (change(0.6), change(0.4), change(0.599), change(0.401)) == (1, 1, 0, 0)


def test_graded_spikes_are_spread_evenly() -> None:
    spikes = temporal_difference([[[[0.0]], [[0.4]]]], fps=50, graded=True)
    assert spikes.step.tolist() == [20, 25, 30, 35]
    full = temporal_difference([[[[0.0]], [[1.0]]]], fps=250, graded=True)
    assert full.step.tolist() == [4, 5, 6, 7]  # ten thresholds, four steps


def test_a_film_rate_that_is_no_whole_number_of_steps_keeps_its_mean() -> None:
    frames = np.zeros((1, 60, 1, 1))
    frames[0, 1::2] = 1.0
    spikes = temporal_difference(frames, fps=29.97)
    np.testing.assert_array_equal(spikes.step, np.floor(np.arange(1, 60) * 1000 / 29.97))
    assert spikes.n_steps == int(60 * 1000 / 29.97)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": np.zeros((2, 3, 4))}, "shape"),
        ({"frames": np.zeros((1, 1, 4, 4))}, "frames >= 2"),
        ({"frames": np.zeros((1, 2, 0, 4))}, "shape"),
        ({"frames": np.full((1, 2, 1, 1), 255.0)}, "must lie in [0, 1], got 255.0"),
        ({"frames": np.full((1, 2, 1, 1), np.nan)}, "must be finite"),
        ({"fps": 0}, "`fps`"),
        ({"fps": 2000}, "at least one step per frame"),
        ({"threshold": 0.0}, "`threshold`"),
        ({"dt_ms": np.nan}, "`dt_ms`"),
    ],
)
def test_temporal_difference_refuses(change: dict[str, Any], message: str) -> None:
    arguments = {"frames": np.zeros((1, 2, 2, 2)), "fps": 25, **change}
    with pytest.raises(InputError, match=re.escape(message)):
        temporal_difference(arguments.pop("frames"), **arguments)


# -- events ----------------------------------------------------------------------------------------------------------


def test_pooling_from_128_to_32_by_hand() -> None:
    spikes = pool_events(
        [[0.0, 0.2, 1.0, 2.9]], [[0, 3, 4, 127]], [[0, 3, 0, 127]], [[0, 0, 0, 1]], n_steps=3, dt_ms=1.0
    )
    assert spikes.n_units == 2048
    assert spikes.step.tolist() == [0, 1, 2]  # the first two fall on one unit and step
    assert spikes.unit.tolist() == [0, 1, 2047]


def test_pooling_refuses() -> None:
    event = {"times_ms": [[0.0]], "x": [[1]], "y": [[1]], "polarity": [[0]], "n_steps": 1, "dt_ms": 1.0}
    event["sensor"] = (128, 128)
    for change, message in (
        ({"x": [[128]]}, "`x` of `pool_events, recording 0` must be <= 127, got 128"),
        ({"y": [[-1]]}, "`y` .* must be >= 0"),
        ({"polarity": [[2]]}, "`polarity` .* must be <= 1"),
        (
            {"times_ms": [[0.0] * 2], "x": [[1] * 2], "y": [[1] * 2], "polarity": [[0, -1]]},
            "must be 0 or 1, or -1 or 1",
        ),
        ({"sensor": None, "x": [[33]], "y": [[33]], "grid": (32, 32)}, r"`grid` .* as large as the events reach, \(34"),
        ({"polarity": [[0, 1]]}, "must have length 1, got length 2"),
        ({"x": []}, "`x` .* must have 1 recordings, got 0"),
        ({"grid": (30, 32)}, "`grid` .* must divide the sensor"),
        ({"times_ms": [[5.0]]}, "end of the grid"),
        ({"times_ms": [[np.nan]]}, "must be finite"),
    ):
        with pytest.raises(InputError, match=message):
            pool_events(**{**event, **change})  # type: ignore[arg-type]
    assert pool_events(**{**event, "times_ms": [[5.0]], "late": "drop"}).n_events == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(34, 34), (128, 128), (180, 240), (260, 346), (720, 1280), (7, 30)])
def test_events_fill_the_grid_of_a_sensor_of_unknown_size(size: tuple[int, int]) -> None:
    height, width = size
    y, x = (a.reshape(-1) for a in np.indices(size))
    spikes = pool_events([np.zeros(x.size)], [x], [y], [x % 2 * 2 - 1], n_steps=1, dt_ms=1.0)
    assert spikes.n_events == spikes.n_units or (height < 32 and width < 32)  # every unit has an event
    assert spikes.n_units <= 2 * 32 * 32
    known = pool_events([np.zeros(x.size)], [x], [y], [x % 2], n_steps=1, dt_ms=1.0, sensor=size)
    assert known == spikes  # -1 and 1 are 0 and 1


def test_pixels_at_the_edge_without_an_event_do_not_move_the_others() -> None:
    inner = pool_events([[0.0] * 3], [[0, 64, 126]], [[0, 64, 126]], [[0, 0, 1]], n_steps=1, dt_ms=1.0)
    outer = pool_events([[0.0] * 4], [[0, 64, 126, 127]], [[0, 64, 126, 127]], [[0, 0, 1, 1]], n_steps=1, dt_ms=1.0)
    assert inner == outer
    assert inner.n_units == 2048


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.sampled_from([0.05, 0.3, 1.0]))
def test_level_crossing_gives_the_signal_back_within_one_threshold(seed: int, threshold: float) -> None:
    signal = np.cumsum(rng(seed).uniform(-threshold, threshold, (2, 60, 3)), axis=1)
    spikes = level_crossing(signal, threshold=threshold, dt_ms=1.0).dense().astype(int)
    back = signal[:, :1] + threshold * np.cumsum(spikes[..., :3] - spikes[..., 3:], axis=1)
    assert np.abs(back - signal).max() < threshold * (1 + 1e-6)


def test_level_crossing_catches_up_with_a_jump_one_spike_per_step() -> None:
    spikes = level_crossing(np.array([0, 3, 3, 3, 3, 3.0]).reshape(1, 6, 1), threshold=1.0, dt_ms=2.0)
    assert spikes.step.tolist() == [1, 2, 3]
    assert level_crossing(np.full((1, 6, 1), 2.5), threshold=1.0, dt_ms=2.0).n_events == 0


def test_level_crossing_refuses() -> None:
    with pytest.raises(InputError, match="`threshold`"):
        level_crossing(np.zeros((1, 2, 1)), threshold=0.0, dt_ms=1.0)
    with pytest.raises(InputError, match="must be finite, got nan"):
        level_crossing(np.full((1, 2, 1), np.nan), threshold=1.0, dt_ms=1.0)
    with pytest.raises(InputError, match="shape"):
        level_crossing(np.zeros((1, 0, 1)), threshold=1.0, dt_ms=1.0)
    with pytest.raises(InputError, match="`dt_ms`"):
        level_crossing(np.zeros((1, 2, 1)), threshold=1.0, dt_ms=0.0)


# -- audio -----------------------------------------------------------------------------------------------------------


def tone(hz: float, n: int = 8000, rate: float = 16000.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(n) / rate)


def test_centres_are_evenly_spaced_in_erb_rate() -> None:
    code = AudioCode(n_channels=20)
    assert code.centres_hz[[0, -1]] == pytest.approx([100.0, 7000.0])
    np.testing.assert_allclose(np.diff(np.log10(1 + 0.00437 * code.centres_hz), 2), 0, atol=1e-12)


@pytest.mark.parametrize("channel", [0, 5, 16, 31])
@pytest.mark.parametrize("compression", ["power", "log"])
def test_a_pure_tone_excites_its_channel_most(channel: int, compression: Any) -> None:
    code = AudioCode(n_channels=32, compression=compression)
    counts = code.encode([tone(code.centres_hz[channel])], 16000.0).counts()[0, 0]
    assert counts[channel] == counts.max() > 0
    assert abs(np.average(np.arange(32), weights=counts**4.0) - channel) < 2.5  # the bank is cut at its ends


def test_the_spikes_of_a_channel_are_those_of_the_closed_form() -> None:
    # One channel, tone at its centre: gain 1, so the mean rectified output is rms * sqrt(2) / pi once it has settled.
    code = AudioCode(n_channels=1, f_min_hz=1000.0, f_max_hz=1001.0, loudness=0.1, gain=10.0, tau_ms=20.0)
    spikes = code.encode([tone(1000.0, n=32000)], 16000.0)
    v_inf = 10.0 * (0.1 * np.sqrt(2) / np.pi) ** 0.3
    interval = np.ceil(-20.0 * np.log1p(-1.0 / v_inf))
    assert set(np.diff(spikes.step[spikes.step > 100]).tolist()) == {int(interval)}


def test_loudness_and_sampling_rate_do_not_matter_much() -> None:
    code = AudioCode(n_channels=16)
    one, quiet, slow = code.encode(
        [tone(1000), 0.01 * tone(1000), tone(1000, 4000, 8000.0)], [16000, 16000, 8000]
    ).counts()
    np.testing.assert_array_equal(one, quiet)
    assert np.abs(one - slow).max() <= 0.05 * one.max() + 3  # ringing of the resampler at the ends


def test_without_loudness_a_quiet_sound_has_fewer_spikes() -> None:
    counts = AudioCode(n_channels=16, loudness=None).encode([tone(1000), 0.01 * tone(1000)], 16000).counts()
    assert counts[0].sum() > counts[1].sum()


@pytest.mark.parametrize("neuron", ["lif", "level"])
def test_silence_and_short_signals(neuron: Any) -> None:
    code = AudioCode(n_channels=8, neuron=neuron)
    spikes = code.encode([np.zeros(4000), tone(500, 100)], 16000)
    assert (spikes.n_steps, spikes.n_units) == (250, code.n_units)
    assert np.diff(spikes.sample_ptr)[0] == 0
    assert code.encode([tone(500)], 16000, duration_ms=100.0).n_steps == 100


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**31), st.sampled_from([16000, 8000, 11025, 44100]), st.sampled_from(["lif", "level"]))
def test_a_recording_is_encoded_alike_whatever_lies_beside_it(seed: int, rate: int, neuron: Any) -> None:
    code = AudioCode(n_channels=4, neuron=neuron)
    draw = rng(seed)
    sounds = [draw.normal(size=int(n)) for n in draw.integers(1, 4000, 4)]
    order = draw.permutation(4)
    together = code.encode([sounds[k] for k in order], rate)
    for place, k in enumerate(order):
        alone = code.encode([sounds[k]], rate)
        assert replace(alone, n_steps=together.n_steps) == together.select([place])


@pytest.mark.parametrize("neuron", ["lif", "level"])
@pytest.mark.parametrize("rate", [16000, 8000, 44100])
def test_blocks_do_not_show_in_the_spikes(monkeypatch: pytest.MonkeyPatch, neuron: Any, rate: int) -> None:
    sound = rng(3).integers(-9, 10, 20000).astype(float)  # whole numbers: their sum does not depend on blocks
    code = AudioCode(n_channels=4, neuron=neuron, loudness=None)
    whole = code.encode([sound], rate)
    monkeypatch.setattr(audio, "_N_BLOCK", 3000)
    assert code.encode([sound], rate) == whole
    assert whole.n_events > 100


def test_a_constant_offset_of_sound_is_nothing() -> None:
    code = AudioCode(n_channels=8)
    alone, offset, constant = (code.encode([s], 16000) for s in (tone(500), tone(500) + 2.0, np.full(8000, 0.3)))
    assert np.abs(alone.counts() - offset.counts()).max() <= 1  # rounding of the sum
    assert constant.n_events == 0


def test_silence_beside_sound_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    filtered = []
    envelope = AudioCode._envelope
    monkeypatch.setattr(AudioCode, "_envelope", lambda *a: filtered.append(a[1].size) or envelope(*a))
    AudioCode(n_channels=2).encode([*[tone(500, 1600)] * 9, tone(500, 160000)], 16000)
    assert sum(filtered) == 9 * 1600 + 160000


def test_level_crossing_of_sound_begins_with_rises() -> None:
    code = AudioCode(n_channels=8, neuron="level", threshold=0.05)
    spikes = code.encode([tone(1000)], 16000)
    assert spikes.n_units == 16
    assert spikes.unit[0] < 8


@pytest.mark.parametrize(
    ("signal", "rate", "message"),
    [
        ([], 16000, "`signals` of `AudioCode, signal 0` must not be empty"),
        ([0.0, np.nan], 16000, "must be finite, got nan at index (1,)"),
        ([[0.0], [1.0]], 16000, "must have one dimension"),
        ([0.0, 1.0], 0.0, "`sample_rate_hz`"),
        ([0.0, 1.0], 4e9, "at most 1000 times the internal 16000"),
        ([0.0, 1.0], [16000, 8000], "must hold 1 rates"),
    ],
)
def test_audio_refuses(signal: Any, rate: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        AudioCode().encode([signal], rate)


@pytest.mark.parametrize(
    "change",
    [
        {"n_channels": 0}, {"f_min_hz": -1.0}, {"f_max_hz": 9000.0}, {"f_max_hz": 50.0}, {"compression": "cube"},
        {"neuron": "izhikevich"}, {"tau_ms": np.nan}, {"gain": 0.0}, {"loudness": 0.0}, {"dt_ms": 0.03},
        {"threshold": -1.0},
    ],
)  # fmt: skip
def test_an_impossible_audio_code_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"`{next(iter(change))}` of `AudioCode`"):
        AudioCode(**change)


def test_no_signal_at_all_is_an_error() -> None:
    with pytest.raises(InputError, match="must hold at least one signal"):
        AudioCode().encode([], 16000)
