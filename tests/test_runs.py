"""Run directories: whole files or none, resume, processes that die. Killing is real: subprocesses and signals."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fake_experiment
from fake_experiment import FAKE, N_UNITS, n_outcomes, no_partial_files, numbers, wait_until
from hrsnn import runs
from hrsnn._checks import InputError, RunError
from hrsnn.config import Config, load_config
from hrsnn.console import Display
from hrsnn.network_file import load
from hrsnn.outcome import plain_values
from hrsnn.run_directory import RunDirectory
from hrsnn.runs import Experiment, Finished, execute
from hrsnn.work import pool
from hrsnn.work.unit import Unit

TESTS = Path(__file__).parent


@pytest.fixture(autouse=True)
def _small_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report has tests of its own; subprocesses here write real ones."""
    monkeypatch.setattr("hrsnn.report.write_report", lambda path, results: (path / "report.html").write_text("report"))
    fake_experiment.calls.clear()


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(fake_experiment.TINY)


def run(config: Config, out: Path, **options: Any) -> Finished:
    return execute(config, FAKE, out=out, **{"jobs": 1, **options})


def log_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines() if line]


# -- what is written -----------------------------------------------------------------------------------------------


def test_a_run_leaves_the_directory_of_the_contract(config: Config, tmp_path: Path) -> None:
    finished = run(config, tmp_path / "a")
    assert (finished.n_units, finished.n_kept, finished.was_complete) == (N_UNITS, 0, False)
    names = {str(file.relative_to(finished.path)) for file in finished.path.rglob("*") if file.is_file()}
    units = [unit.name for unit in fake_experiment.plan(config)]
    trained = [name for name in units if not name.startswith("InputOnly")]
    assert names == {
        "config.toml", "log.jsonl", "results.json", "report.html",
        *(f"outcomes/{name}.json" for name in units),
        *(f"networks/{name}.safetensors" for name in trained),
        *(f"readouts/{name}.safetensors" for name in trained),
    }  # fmt: skip
    assert load_config(finished.path / "config.toml") == config
    assert load(finished.path / "networks" / "HeNHeS-s0.safetensors").n_neurons == 20


def test_json_has_sorted_keys_and_null_for_nan(config: Config, tmp_path: Path) -> None:
    finished = run(config, tmp_path / "a")
    text = (finished.path / "results.json").read_text()
    results = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert text == json.dumps(results, sort_keys=True, indent=1) + "\n"
    assert results["schema"] == "hrsnn.results/1"
    assert results["created"].endswith("+00:00")
    assert {"hrsnn", "python", "numpy"} <= results["versions"].keys()
    assert results["outcomes"][0]["metrics"]["r2"] is None
    assert results["data"]["labels"] == 2 * N_UNITS
    outcome = json.loads((finished.path / "outcomes" / "HeNHeS-s0.json").read_text())
    assert outcome["details"] == {"labels": [0, 1], "scores": {"1": [None, 0.1]}, "what": ["a", 0.5]}
    assert finished.results == results


def test_what_json_cannot_hold_is_an_error() -> None:
    assert plain_values({"a": (np.float32(np.inf), np.bool_(True), [np.int8(3)])}) == {"a": [None, True, [3]]}
    with pytest.raises(RunError, match="of type object, which a JSON file cannot hold"):
        plain_values({"a": object()})


def test_without_a_directory_the_next_free_one_is_made(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/lorenz63-1").mkdir(parents=True)
    assert execute(config, FAKE, jobs=1).path == Path("runs/lorenz63-2")
    assert RunDirectory.next_free("../a b/<x>").path == Path("runs/a-b-x-1")


def test_the_log_holds_one_object_per_event(config: Config, tmp_path: Path) -> None:
    run(config, tmp_path / "a")
    events = [entry["event"] for entry in log_of(tmp_path / "a")]
    assert events == ["start", *["unit"] * N_UNITS, "results", "complete"]


def test_the_log_goes_on_after_half_a_line(config: Config, tmp_path: Path) -> None:
    run(config, tmp_path / "a")
    log = tmp_path / "a" / "log.jsonl"
    log.write_text(log.read_text() + '{"event": "ha')
    (tmp_path / "a" / "results.json").unlink()
    run(config, tmp_path / "a", resume=True)
    lines = log.read_text().splitlines()
    broken = [line for line in lines if line == '{"event": "ha']
    assert len(broken) == 1
    assert json.loads(lines[-1])["event"] == "complete"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a\nb", ".hidden"])
def test_units_with_unsafe_names_are_refused(name: str, config: Config, tmp_path: Path) -> None:
    experiment = Experiment(lambda c: [Unit(name, 0)], FAKE.run_unit, FAKE.summarise)
    with pytest.raises(InputError, match="safe in files"):
        execute(config, experiment, out=tmp_path / "a", jobs=1)
    assert not (tmp_path / "a").exists()


# -- directories that exist ------------------------------------------------------------------------------------------


def test_a_complete_directory_is_refused_kept_or_replaced(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "a"
    run(config, out)
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match=r"holds a complete run.*--force"):
        run(config, out)
    again = run(config, out, resume=True)
    assert (again.was_complete, again.n_kept) == (True, N_UNITS)
    assert {file: file.read_bytes() for file in before} == before
    fake_experiment.calls.clear()
    assert not run(config, out, force=True).was_complete
    assert len(fake_experiment.calls) == N_UNITS


def test_force_removes_only_files_of_a_run(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "a"
    run(load_config(fake_experiment.TINY, n_seeds=4), out)
    mine = [out / "notes.txt", out / "networks" / "mine.safetensors", out / "outcomes" / "notes.json"]
    for file in mine:
        file.write_text("mine")
    with pytest.raises(InputError, match="complete"):
        run(config, out)
    (out / "outcomes" / "notes.json").rename(out / "outcomes" / "notes")
    run(config, out, force=True)
    assert [file.read_text() for file in mine[:2]] == ["mine", "mine"]
    assert not list(out.rglob("*-s3*"))
    assert [entry["event"] for entry in log_of(out)].count("start") == 1


def test_the_report_is_built_again_when_it_is_missing(config: Config, tmp_path: Path) -> None:
    run(config, tmp_path / "a")
    (tmp_path / "a" / "report.html").unlink()
    assert run(config, tmp_path / "a", resume=True).was_complete
    assert (tmp_path / "a" / "report.html").exists()
    assert len(fake_experiment.calls) == N_UNITS


def test_a_directory_of_another_config_is_refused_by_the_key(config: Config, tmp_path: Path) -> None:
    run(config, tmp_path / "a")
    other = load_config(fake_experiment.TINY, ["network.excitatory.v_th=2"])
    law = r"\{gamma = \{mean = 1.0, shape = 25.0\}\}"
    with pytest.raises(InputError, match=rf"another config: `network.excitatory.v_th` is {law} there and 2.0 here"):
        run(other, tmp_path / "a", resume=True)


def test_foreign_directories_and_files_are_refused(config: Config, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for options in ({}, {"resume": True}, {"force": True}):
        with pytest.raises(InputError, match="holds files but no run"):
            run(config, tmp_path, **options)
    (tmp_path / "config.toml").write_text("[task]\nname = 'mine'\n")
    with pytest.raises(InputError, match="holds files but no run"):
        run(config, tmp_path, force=True)
    with pytest.raises(InputError, match="is a file"):
        run(config, tmp_path / "notes.txt")
    assert {file.name for file in tmp_path.iterdir()} == {"notes.txt", "config.toml"}


def test_contradicting_options_are_refused(config: Config, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give one of them"):
        run(config, tmp_path / "a", resume=True, force=True)
    with pytest.raises(InputError, match="--out"):
        execute(config, FAKE, resume=True)
    with pytest.raises(InputError, match="--jobs must be >= 1, got 0"):
        run(config, tmp_path / "a", jobs=0)


def test_two_processes_cannot_work_in_one_directory(config: Config, tmp_path: Path) -> None:
    run(config, tmp_path / "a")
    with (tmp_path / "a" / "log.jsonl").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="another hrsnn process is working in"):
            run(config, tmp_path / "a", resume=True)
    assert run(config, tmp_path / "a", resume=True).was_complete


# -- damage and resume -----------------------------------------------------------------------------------------------


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def change_a_digit(file: Path) -> None:
    text = file.read_text()
    i = text.index('"accuracy": 0.') + len('"accuracy": 0.')
    file.write_text(text[:i] + str((int(text[i]) + 1) % 10) + text[i + 1 :])


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


KINDS_OF_FILE = ("outcomes/HeNHeS-s1.json", "networks/HeNHeS-s1.safetensors", "readouts/HeNHeS-s1.safetensors")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, damage) for name in KINDS_OF_FILE for damage in (flip, halve, Path.unlink)),
        (KINDS_OF_FILE[0], change_a_digit),
        (KINDS_OF_FILE[0], lambda file: file.write_text("[]")),
    ],
)
def test_damaged_units_and_only_they_are_done_again(
    name: str, damage: Callable[[Path], Any], config: Config, tmp_path: Path
) -> None:
    out = tmp_path / "a"
    run(config, out)
    expected = numbers(out)
    damage(out / name)
    fake_experiment.calls.clear()
    again = run(config, out, resume=True)
    assert fake_experiment.calls == ["HeNHeS-s1"]
    assert (again.was_complete, again.n_kept) == (False, N_UNITS - 1)
    assert numbers(out) == expected


def edit(change: Callable[[Any], Any]) -> Callable[[Path], Any]:
    return lambda file: file.write_text(json.dumps(change(json.loads(file.read_text()))))


@pytest.mark.parametrize(
    "damage",
    [
        halve, flip, change_a_digit, Path.unlink, lambda file: file.write_text("[" * 100_000),
        lambda file: file.write_text(""), edit(lambda results: {"schema": results["schema"]}),
        edit(lambda results: {**results, "schema": "other"}), edit(lambda results: results["summary"]),
        edit(lambda results: {**results, "comparisons": [{"a": "x"}]}), edit(lambda results: results["outcomes"][:-1]),
    ],
)  # fmt: skip
def test_damaged_results_are_made_again_from_the_outcomes(
    damage: Callable[[Path], Any], config: Config, tmp_path: Path
) -> None:
    out = tmp_path / "a"
    run(config, out)
    expected = numbers(out)
    damage(out / "results.json")
    fake_experiment.calls.clear()
    run(config, out, resume=True)
    assert fake_experiment.calls == []
    assert numbers(out) == expected


def test_an_edited_config_makes_old_units_count_for_nothing(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "a"
    run(config, out)
    file = out / "config.toml"
    file.write_text(file.read_text().replace("n_epochs = 1", "n_epochs = 2"))
    fake_experiment.calls.clear()
    run(load_config(file), out, resume=True)
    assert len(fake_experiment.calls) == N_UNITS


@pytest.mark.parametrize("what", ["data", "versions"])
def test_units_of_other_data_or_versions_are_done_again(
    what: str, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(config, tmp_path / "a")
    fake_experiment.calls.clear()
    assert run(config, tmp_path / "a", resume=True).was_complete
    now: dict[str, Experiment] = {"data": replace(FAKE, data_digest=lambda config, data_dir: "other"), "versions": FAKE}
    if what == "versions":
        monkeypatch.setattr(runs, "versions", lambda: {"numpy": "99"})
    finished = execute(config, now[what], out=tmp_path / "a", jobs=1, resume=True)
    assert (finished.n_kept, len(fake_experiment.calls)) == (0, N_UNITS)
    told = [entry["reason"] for entry in log_of(tmp_path / "a") if entry["event"] == "redo"]
    assert len(told) == N_UNITS
    assert told[0].endswith("was made from other data, or by other versions of packages")


def test_a_failing_unit_keeps_the_others(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a"
    monkeypatch.setenv("FAKE_BUG", "HeNHeS-s1")
    with pytest.raises(RunError, match=r"unit HeNHeS-s1 failed: KeyError: .*; the traceback is in .*log.jsonl"):
        run(config, out)
    failed = next(entry for entry in log_of(out) if entry["event"] == "failed")
    assert 'raise KeyError("a bug' in failed["traceback"]
    assert not (out / "results.json").exists()
    with pytest.raises(InputError, match=r"unfinished run; finish it with `hrsnn run .*config.toml --out .* --resume`"):
        run(config, out)
    monkeypatch.delenv("FAKE_BUG")
    assert run(config, out, resume=True).n_kept == 5


@pytest.mark.parametrize(("variable", "kind"), [("FAKE_INPUT_ERROR", InputError), ("FAKE_RUN_ERROR", RunError)])
@pytest.mark.parametrize("jobs", [1, 2])
def test_errors_on_purpose_come_through_processes(
    variable: str, kind: type[Exception], jobs: int, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "HoNHoS-s1")
    with pytest.raises(kind) as caught:
        run(config, tmp_path / "a", jobs=jobs)
    assert not isinstance(caught.value, InputError if kind is RunError else RunError)
    assert "traceback" not in str(caught.value)


def test_a_worker_that_dies_is_told(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_DEATH", "HeNHeS-s1")
    with pytest.raises(RunError, match=r"unit HeNHeS-s1 failed: its worker process was killed twice.*--jobs"):
        run(config, tmp_path / "a", jobs=2)
    monkeypatch.delenv("FAKE_DEATH")
    run(config, tmp_path / "a", jobs=1, resume=True)
    run(config, tmp_path / "b")
    assert numbers(tmp_path / "a") == numbers(tmp_path / "b")


@pytest.mark.parametrize("victim", ["config.toml", "networks/HeNHeS-s0", "outcomes/HeNHeS-s0.json", "results.json"])
def test_a_full_disk_leaves_nothing_that_looks_whole(
    victim: str, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a"
    real = os.fsync

    def full(descriptor: int) -> None:
        folder, _, stem = victim.rpartition("/")
        if Path(f"/proc/self/fd/{descriptor}").readlink().match(f"{folder or 'a'}/.{stem}*"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match=r"No space left on device.*check the space"):
            run(config, out)
    assert not list(out.glob(f"{victim}*"))
    assert not (out / "results.json").exists()
    assert no_partial_files(out)
    run(config, out, resume=True)
    run(config, tmp_path / "b")
    assert numbers(out) == numbers(tmp_path / "b")


def test_a_report_that_fails_does_not_lose_the_run(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, results: object) -> None:
        raise ValueError("no picture")

    with monkeypatch.context() as patch:
        patch.setattr("hrsnn.report.write_report", broken)
        with pytest.raises(RunError, match=r"results.json is complete, but .*no picture; .*`hrsnn report"):
            run(config, tmp_path / "a")
    assert run(config, tmp_path / "a", resume=True).was_complete


# -- processes ---------------------------------------------------------------------------------------------------------


def test_one_and_two_processes_give_the_same_numbers(config: Config, tmp_path: Path) -> None:
    run(config, tmp_path / "a")
    run(config, tmp_path / "b", jobs=2)
    assert numbers(tmp_path / "a") == numbers(tmp_path / "b")


def test_progress_comes_from_other_processes(config: Config, tmp_path: Path) -> None:
    class Watcher(runs.Watcher):
        """Works in one thread, as a display does, and is not told of a unit that it has left."""

        def __init__(self) -> None:
            self.seen: list[str] = []
            self.thread = threading.get_ident()

        def opened(self, path: Path, units: Any, n_done: int) -> None:
            self.seen.append(f"opened {n_done}")

        def progress(self, unit: Any, event: Any) -> None:
            assert threading.get_ident() == self.thread
            assert f"finished {unit.name}" not in self.seen
            self.seen.append(f"{unit.name} {event.done}")

        def finished(self, unit: Any, outcome: Any) -> None:
            self.seen.append(f"finished {unit.name}")

    watcher = Watcher()
    run(config, tmp_path / "a", jobs=2, watcher=watcher)
    assert watcher.seen[0] == "opened 0"
    assert any(line.endswith(" 10") for line in watcher.seen)
    assert {f"finished {unit.name}" for unit in fake_experiment.plan(config)} <= set(watcher.seen)


def test_bars_of_tiny_units_in_two_processes(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Display() as display:
        run(config, tmp_path / "a", jobs=2, watcher=display)
        assert display._bars is not None
        assert [task.description for task in display._bars.tasks] == ["all units"]
    assert "Traceback" not in capsys.readouterr().err


def test_signals_wait_for_the_end_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "raise_signal", (raised := []).append)
    before = signal.getsignal(signal.SIGTERM)
    other = threading.Event()
    thread = threading.Thread(target=other.wait)  # takes the signal that this thread does not
    thread.start()
    with pool._signals_held_back():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        assert raised == []
    other.set()
    thread.join()
    assert raised == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == before


class Started:
    """`hrsnn run` with the fake experiment in a process group of its own."""

    def __init__(self, arguments: list[str], **variables: str) -> None:
        path = os.pathsep.join(str(place) for place in (TESTS, TESTS.parent / "src"))
        environment = {**os.environ, "PYTHONPATH": path, **variables}
        self.process = subprocess.Popen(
            [sys.executable, "-c", fake_experiment.MAIN, *arguments],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=180)
        return self.process.returncode, out, err


def arguments(out: Path, *more: str) -> list[str]:
    return ["run", str(fake_experiment.TINY), "--out", str(out), *more]


def is_alive(pid: int) -> bool:
    """Runs still, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_run_goes_on_to_the_same_numbers(jobs: str, config: Config, tmp_path: Path) -> None:
    out, pids = tmp_path / "a", tmp_path / "pids"
    pids.mkdir()
    started = Started(arguments(out, "--jobs", jobs), FAKE_SECONDS="0.3", FAKE_PIDS=str(pids))
    wait_until(lambda: n_outcomes(out) >= 3)
    os.kill(started.process.pid, signal.SIGKILL)
    started.ended()
    workers = [int(file.name) for file in pids.iterdir()]
    assert len(workers) >= int(jobs)
    wait_until(lambda: not any(is_alive(pid) for pid in workers), 10.0)  # they end with their parent
    kept = {file: file.stat().st_mtime_ns for file in (out / "outcomes").glob("*.json")}
    assert 3 <= len(kept) < N_UNITS
    assert not (out / "results.json").exists()
    again = run(config, out, resume=True)
    assert again.n_kept == len(kept)
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    run(config, tmp_path / "b")
    assert numbers(out) == numbers(tmp_path / "b")
    assert no_partial_files(out)


@pytest.mark.parametrize(
    ("jobs", "number", "whole_group"),
    [
        ("1", signal.SIGINT, True),
        ("2", signal.SIGINT, True),
        ("2", signal.SIGTERM, True),
        ("2", signal.SIGHUP, True),
        ("2", signal.SIGTERM, False),
    ],
)
def test_an_interrupted_run_says_the_line_that_goes_on(
    jobs: str, number: signal.Signals, whole_group: bool, config: Config, tmp_path: Path
) -> None:
    out, pids = tmp_path / "my run", tmp_path / "pids"
    pids.mkdir()
    started = Started(arguments(out, "--jobs", jobs), FAKE_SECONDS="0.5", FAKE_PIDS=str(pids))
    wait_until(lambda: n_outcomes(out) >= 1)
    if whole_group:  # as Ctrl-C in a terminal
        os.killpg(started.process.pid, number)
    else:
        os.kill(started.process.pid, number)
    code, stdout, stderr = started.ended()
    assert (code, stdout) == (130, "")
    assert "Traceback" not in stderr
    assert not any(is_alive(int(file.name)) for file in pids.iterdir())
    assert no_partial_files(out)
    assert not (out / "results.json").exists()
    assert log_of(out)[-1]["event"] == "interrupted"
    line = stderr.splitlines()[-1].strip()
    assert line == f"hrsnn run '{out}/config.toml' --out '{out}' --resume --jobs {jobs}"
    if jobs == "1":  # the line does what it says; once is enough, a process takes seconds
        code, _, stderr = Started(shlex.split(line)[1:]).ended()
        assert (code, "units were finished before" in stderr) == (0, True)
    else:
        assert run(config, out, resume=True).n_kept >= 1
    run(config, tmp_path / "b")
    assert numbers(out) == numbers(tmp_path / "b")


def test_workers_compute_on_one_thread(config: Config, tmp_path: Path) -> None:
    before = dict(os.environ)
    with pool._one_thread_each():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["NUMBA_NUM_THREADS"] == "1"
    assert dict(os.environ) == before


def test_a_pool_whose_process_dies_is_told() -> None:
    with (
        pytest.raises(RunError, match=r"a worker process was killed by the system.*--jobs"),
        pool.process_pool(2) as two,
    ):
        two.submit(os._exit, 9).result()
