"""What is recommended for own data: from Python, from a file that leaves things open, and from a path alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hrsnn
from hrsnn._checks import InputError
from hrsnn.config import load_config, to_toml
from hrsnn.spec import Constant
from hrsnn.tasks import load_task


@pytest.fixture
def events(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "events.npz"
    np.savez(
        path, times_ms=np.tile(np.sort(rng.uniform(0, 99, 40)), 40), units=rng.integers(0, 30, 1600),
        sample=np.repeat(np.arange(40), 40), labels=np.array(["a", "b"] * 20),
    )  # fmt: skip
    return path


@pytest.fixture
def series(tmp_path: Path) -> Path:
    path = tmp_path / "level.csv"
    path.write_text("level\n" + "\n".join(f"{np.sin(0.3 * k):.4f}" for k in range(400)) + "\n")
    return path


def test_a_path_alone_is_a_whole_run(events: Path) -> None:
    config = load_config(str(events))
    assert (config.task.name, config.task.path) == ("events", str(events))
    assert config.learn is not None
    assert config.network.input.calibrate
    assert config.network.input.tonotopic
    assert config.network.input.span == pytest.approx(12 / 30)
    assert config.readout.n_bins == [4, 6]
    assert load_config(None, [f"task.path={events}", "task.name=events"]) == config


def test_a_series_gets_the_network_and_controls_of_a_series(series: Path) -> None:
    config = load_config(str(series))
    assert config.readout.features == "filtered"
    assert "persistence" in config.task.controls
    assert config.network.input.calibrate


def test_what_a_file_says_wins_and_the_rest_is_recommended(events: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        f'[task]\npath = "{events}"\n[network]\nn_neurons = 40\nt_ref_ms = 1.0\n'
        '[input]\np_connect = 0.5\ncalibrate = false\n[readout]\nmodel = "logistic"\n'
    )
    config = load_config(file)
    assert config.network.n_neurons == 40
    assert config.network.excitatory.t_ref_ms == config.network.inhibitory.t_ref_ms == Constant(1.0)
    assert config.network.excitatory.tau_syn_exc_ms == Constant(10.0)
    assert (config.network.input.p_connect, config.network.input.calibrate) == (0.5, False)
    assert config.learn is None  # a stage that the file has not is off
    assert config.readout.regularisation == [0.01, 0.1]  # of another model


def test_the_written_config_is_complete_and_keeps_its_word(events: Path, tmp_path: Path) -> None:
    config = load_config(str(events), ["input.calibrate=false"])
    file = tmp_path / "config.toml"
    file.write_text(to_toml(config))
    assert load_config(file) == config


def test_wrong_keys_are_told_before_data_are_opened(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[task]\npath = "nowhere.npz"\n[network]\nn_neurons = -1\n')
    with pytest.raises(InputError, match=r"network\.n_neurons"):
        load_config(file)


def test_spec_and_readout_from_python_are_those_of_a_run(events: Path) -> None:
    config = load_config(str(events))
    task = load_task(config.task)
    assert hrsnn.recommended(task) == config.network.arm("HeNHeS")
    assert hrsnn.recommended(task, "HoNHoS", n_neurons=50).n_neurons == 50


def test_recipes_without_calibration_keep_their_plain_form() -> None:
    spec = hrsnn.NetworkSpec.preset("HeNHeS", n_inputs=4)
    assert "calibrate" not in spec.to_dict()["input"]
    changed = hrsnn.NetworkSpec.preset("HeNHeS", n_inputs=4, input={"calibrate": True, "target_hz": 9.0})
    assert hrsnn.NetworkSpec.from_dict(changed.to_dict()) == changed
