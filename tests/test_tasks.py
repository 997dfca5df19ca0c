"""Tasks: by name, from own files, stretched; evaluate and predict; options that do not fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

from hrsnn._checks import FileError, InputError
from hrsnn.controls import evaluate_control
from hrsnn.data.dataset import Splits
from hrsnn.forecast import ForecastSpec, ForecastTask
from hrsnn.readout import ReadoutSpec
from hrsnn.spec import NetworkSpec, validated
from hrsnn.spikes import Spikes
from hrsnn.tasks import (
    TaskSpec,
    evaluate,
    load_task,
    predict,
    shared_task,
)
from hrsnn.vocabulary import CONTROLS
from hrsnn.wiring import build
from small_tasks import N_CHANNELS, N_STEPS, events_file, splits

SPEC = ReadoutSpec(n_bins=[2], regularisation=[0.1])


def own(path: Path, **changes: Any) -> TaskSpec:
    return TaskSpec(name="mine", path=str(path), **changes)


@pytest.fixture
def series(tmp_path: Path) -> Path:
    rows = "\n".join(f"{np.sin(k / 3):.6f},{np.cos(k / 5):.6f}" for k in range(200))
    (tmp_path / "waves.csv").write_text("one,two\n" + rows + "\n")
    return tmp_path / "waves.csv"


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Ten low and ten high tones of 50 ms in two sub-folders."""
    for label, frequency in (("low", 300.0), ("high", 3000.0)):
        (tmp_path / "wav" / label).mkdir(parents=True)
        for k in range(10):
            tone = np.sin(2 * np.pi * (frequency + 10 * k) * np.arange(800) / 16000)
            wavfile.write(tmp_path / "wav" / label / f"{k}.wav", 16000, (20000 * tone).astype(np.int16))
    return tmp_path / "wav"


def test_spoken_digits_is_the_default() -> None:
    task = load_task()
    assert isinstance(task, Splits)
    assert task.description == (
        "1,120 recordings (200 validation, 360 test) · 20 classes · 140 channels · "
        f"{task.train.spikes.n_steps} steps of {task.train.spikes.dt_ms:g} ms · speakers 4, 5 unseen in training"
    )


def test_unknown_name() -> None:
    with pytest.raises(InputError, match="spoken-digits"):
        load_task("spoken-digit")


def test_events_of_ones_own(tmp_path: Path) -> None:
    task = load_task(own(events_file(tmp_path / "e.npz")))
    assert isinstance(task, Splits)
    assert (task.name, task.n_inputs, len(task.class_names)) == ("mine", N_CHANNELS, 2)
    assert [part.n_samples for part in (task.train, task.validation, task.test)] == [24, 8, 8]
    assert "unseen" not in task.description
    options = load_task(own(tmp_path / "e.npz", dt_ms=2.0, n_channels=20, max_ms=30.0))
    assert isinstance(options, Splits)
    assert options.train.spikes.grid == (20, 15, 2.0)


def test_sounds_of_ones_own(sounds: Path) -> None:
    task = load_task(own(sounds, n_channels=16, dt_ms=2.0, max_ms=40.0))
    assert isinstance(task, Splits)
    assert task.class_names == ("high", "low")
    assert task.train.spikes.grid == (16, 20, 2.0)
    readout = ReadoutSpec(n_bins=[1], regularisation=[0.1])
    outcome = evaluate_control("input-only", task, readout, seed=0, n_features=1).outcome
    assert outcome.metrics["accuracy"] == 1.0  # an octave lies between them


def test_series_of_ones_own(series: Path) -> None:
    forecast = {"n_train": 100, "n_horizon": 10, "n_starts": 3, "n_warmup": 20, "dt": 0.5, "n_washout": 10}
    task = load_task(validated(TaskSpec, {"name": "mine", "path": str(series), "forecast": forecast}))
    assert isinstance(task, ForecastTask)
    assert (task.series.n_steps, task.series.dt, task.series.variable_names) == (200, 0.5, ("one", "two"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no.csv", "cannot be read as CSV"),
        ("no.npz", "cannot be read as .npz"),
        ("no", "must be a folder of WAV files"),
    ],
)
def test_path_that_does_not_exist(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_task(own(tmp_path / name))


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no WAV file"):
        load_task(own(tmp_path))


@pytest.mark.parametrize("option", ["dt_ms", "n_channels", "max_ms", "stretch_ms"])
def test_options_of_recordings_on_a_series(series: Path, option: str) -> None:
    with pytest.raises(InputError, match=f"`{option}` of `task` is for recordings, and mine is a series, got 10"):
        load_task(own(series, **{option: 10}))


def test_label_count_mismatch(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", times_ms=[1.0, 2.0], units=[0, 0], sample=[0, 2], labels=[0, 1])
    with pytest.raises(InputError, match=re.escape("`sample` of `bad.npz` must be <= 1, got 2")):
        load_task(own(tmp_path / "bad.npz"))


def test_stretched(tmp_path: Path) -> None:
    task = load_task(own(events_file(tmp_path / "e.npz"), stretch_ms=30.0, tail_ms=10.0))
    assert isinstance(task, Splits)
    for part in (task.train, task.validation, task.test):
        assert part.spikes.n_steps == 40
        assert part.spikes.step.max() < 30
    with pytest.raises(InputError, match="`tail_ms` of `task` needs stretch_ms, got 10"):
        load_task(own(tmp_path / "e.npz", tail_ms=10.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": []}, "`arms`: list should have at least 1 item"),
        ({"arms": ["HeNHes"]}, 'must be a known arm, got HeNHes; did you mean "HeNHeS"?'),
        ({"controls": ["none"]}, "`controls.0`: `controls` of `task` must be among untrained, no-recurrence"),
        ({"n_seeds": 0}, "`n_seeds`: input should be greater than or equal to 1"),
        ({"seed": -1}, "`seed`: input should be greater than or equal to 0"),
        ({"stretch": 1}, 'unknown key `stretch`; did you mean "stretch_ms"?'),
    ],
)
def test_spec_that_is_wrong(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        validated(TaskSpec, change)


def test_evaluate_then_predict() -> None:
    task = splits()
    inputs = {"subset_share": 1.0, "p_connect": 0.3, "weight_excitatory": 2.0}
    network = build(NetworkSpec.from_dict({"n_neurons": 40, "n_inputs": N_CHANNELS, "input": inputs}), seed=0)
    outcome, readout = evaluate(network, task, SPEC)
    classes = predict(network, readout, task.test.spikes)
    assert (classes.dtype, classes.shape) == (np.int64, (30,))
    assert outcome.metrics["accuracy"] == np.mean(classes == task.test.labels)
    assert predict(network, readout, Spikes.empty(0, n_units=N_CHANNELS, n_steps=N_STEPS, dt_ms=1.0)).size == 0
    # an empty recording is legal: it gets a class
    assert predict(network, readout, Spikes.empty(1, n_units=N_CHANNELS, n_steps=N_STEPS, dt_ms=1.0)).size == 1
    with pytest.raises(InputError):  # of another step of time
        predict(network, readout, Spikes.empty(1, n_units=N_CHANNELS, n_steps=N_STEPS, dt_ms=2.0))


def test_controls_of_forecasts_are_none_of_classification() -> None:
    for control in ("persistence", "esn-100", "nvar"):
        with pytest.raises(InputError, match=f"must not hold {control}: it is a control of forecasts"):
            evaluate_control(control, splits(), SPEC, seed=0, n_features=3)
    for control in ("input-only", "random-features"):
        outcome = evaluate_control(control, splits(), SPEC, seed=4, n_features=3).outcome
        assert (outcome.arm, outcome.seed, outcome.stage) == (CONTROLS[control].arm, 4, "trained")


def test_a_file_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    spec = TaskSpec(name="own", path=str(path), forecast=ForecastSpec(n_train=60, n_horizon=5, n_washout=5, n_warmup=5))
    found = []
    for shift in (0.0, 1.0):
        path.write_text("x\n" + "\n".join(str(np.sin(k / 3) + shift) for k in range(100)))
        found += [load_task(spec), shared_task(spec)]
    values = [task.series.values[0, 0] for task in found if isinstance(task, ForecastTask)]
    assert values == [0.0, 0.0, 1.0, 1.0]
