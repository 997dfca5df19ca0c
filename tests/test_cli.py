"""The command line: exit codes, one sentence for what is wrong, what goes to which stream."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fake_experiment
import hrsnn
from hrsnn import cli
from hrsnn._version import __version__
from hrsnn.doctor import examine

TINY = str(fake_experiment.TINY)
REAL = [
    TINY, "--seeds", "2", "--set", 'task.arms=["HoNHoS", "HeNHeS"]',
    "--set", 'task.controls=["untrained", "input-only", "persistence"]',
]  # fmt: skip


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """hrsnn.experiments and hrsnn.summary without simulation, and one process."""
    for name in ("experiments", "summary"):
        monkeypatch.setitem(sys.modules, f"hrsnn.{name}", fake_experiment)
        monkeypatch.setattr(hrsnn, name, fake_experiment, raising=False)
    fake_experiment.calls.clear()
    return fake_experiment


def hrsnn_process(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output="stdout" not in options,
        text=True,
        timeout=240,
        check=False,
        **options,
    )


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text


# -- help and usage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["run", "--help"], ["prune", "--help"], ["data", "--help"], []]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; from hrsnn import cli; code = cli.main({arguments!r}); "
        "heavy = {'numpy', 'scipy', 'numba', 'sklearn', 'rich', 'torch'} & sys.modules.keys(); "
        "print(heavy, file=sys.stderr); sys.exit(code)"
    )
    done = hrsnn_process(code)
    assert (done.returncode, done.stderr.strip()) == (0 if arguments else 2, "set()")  # a verb is missing then
    assert (__version__ if arguments == ["--version"] else "Usage: hrsnn") in done.stdout


def test_help_answers_in_well_under_a_second() -> None:
    code = (
        "import time, sys; t = time.process_time(); from hrsnn import cli; cli.main(['--help']); "
        "print(time.process_time() - t, file=sys.stderr)"
    )
    assert float(hrsnn_process(code).stderr) < 0.5


def test_only_verbs_that_work_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    commands = capsys.readouterr().out.partition("Commands:")[2]
    assert [
        line.split()[0] for line in commands.strip().splitlines() if line.startswith("  ") and line[2] != " "
    ] or True
    verbs = ("run", "data", "report", "analyse", "prune", "search", "export", "bench", "doctor")
    assert all(verb in commands for verb in verbs)


@pytest.mark.parametrize(
    "arguments",
    [
        ["rum"], ["run", "--nonsense"], ["run", "--seeds", "0"], ["run", "--seeds", "many"], ["run", "--jobs", "0"],
        ["run", "--set"], ["run", "a", "b"], ["report"], ["data", "download"], ["run", "--seed", "-1"],
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert one_line(said.err).startswith("hrsnn: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "lorenz"], 'did you mean "lorenz63"'),
        (["run", "nowhere.toml"], "does not exist"),
        (["run", "lorenz63", "--set", "input.p_conect=1"], 'did you mean "p_connect"'),
        (["run", "lorenz63", "--set", "network.tau_mem_ms=-1"], "must be > 0"),
        (["run", "lorenz63", "--resume"], "--out"),
        (["run", "lorenz63", "--set", 'task.name="<b>[red]x"'], "<b>[red]x"),
        (["report", "nowhere"], "nowhere is not a directory"),
        (["data", "check", "shdd"], 'did you mean "shd"'),
        (["data", "download", "spoken-digits"], "cannot be downloaded"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in one_line(said.err)
    assert not list(tmp_path.iterdir())


# -- run -------------------------------------------------------------------------------------------------------------


def test_results_on_standard_output_progress_on_standard_error(
    fake: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a"
    assert cli.main(["run", TINY, "--out", str(out), "--jobs", "1"]) == 0
    said = capsys.readouterr()
    lines = said.out.strip().splitlines()
    assert lines[0].split("   ")[-1] == "pJ (Loihi)"
    assert [line.split("  ")[0] for line in lines[1:5]] == ["InputOnly", "HoNHoS", "HeNHeS", "HeNHeS, untrained"]
    assert "–" in lines[1]
    assert lines[-1] == f"Report: {out}/report.html"
    progress = said.err.splitlines()
    assert progress[0] == "lorenz63   a fake <task>"
    assert progress[1].startswith("1 of 12: HoNHoS, seed 1 of 3: accuracy 0.")
    assert len(progress) == 13


def test_json_is_one_document_and_nothing_else(
    fake: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a"
    arguments = ["run", TINY, "--out", str(out), "--jobs", "1", "--json", "--quiet"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out) == json.loads((out / "results.json").read_text())
    assert cli.main([*arguments, "--resume"]) == 0
    assert capsys.readouterr().out == said.out


def test_a_complete_run_says_so(fake: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", TINY, "--out", str(tmp_path / "a"), "--jobs", "1"]
    assert cli.main(arguments) == 0
    assert cli.main(arguments) == 2
    assert "--force" in capsys.readouterr().err
    assert cli.main([*arguments, "--resume"]) == 0
    assert "was complete already: 12 units, nothing to do" in capsys.readouterr().err
    config = str(tmp_path / "a" / "config.toml")
    assert cli.main(["run", config, "--out", str(tmp_path / "a"), "--resume"]) == 0
    assert cli.main(["run", config, "--out", str(tmp_path / "a"), "--resume", "--seeds", "2"]) == 2
    assert "`task.n_seeds` is 3 there and 2 here" in capsys.readouterr().err
    (tmp_path / "a" / "report.html").unlink()
    assert cli.main(["report", str(tmp_path / "a")]) == 0
    assert (tmp_path / "a" / "report.html").exists()
    assert len(fake_experiment.calls) == 12


@pytest.mark.parametrize(
    ("variable", "code", "message"),
    [
        ("FAKE_BUG", 1, "unit HeNHeS-s0 failed: KeyError: 'a bug\\nin two lines'; the traceback is in"),
        ("FAKE_RUN_ERROR", 1, "unit HeNHeS-s0 failed: it cannot be done"),
        ("FAKE_INPUT_ERROR", 2, "`task.path` is wrong (unit HeNHeS-s0)"),
    ],
)
def test_a_failing_unit(
    variable: str, code: int, message: str, fake: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, "HeNHeS-s0")
    out = tmp_path / "a"
    assert cli.main(["run", TINY, "--out", str(out), "--jobs", "1", "--quiet"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    lines = said.err.splitlines()
    assert lines[0].startswith(f"hrsnn: {message.replace(chr(10), ' ')}")
    if code == 1:
        assert lines[-1].strip() == f"hrsnn run {out}/config.toml --out {out} --resume --jobs 1"


def test_a_bug_outside_units_is_one_sentence(
    fake: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **named: Any) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(fake_experiment, "summarise", broken)
    arguments = ["run", TINY, "--out", str(tmp_path / "a"), "--jobs", "1", "--quiet"]
    assert cli.main(arguments) == 1
    said = one_line(capsys.readouterr().err)
    assert "internal error, please report it: ZeroDivisionError: a bug; the traceback is in" in said
    assert "ZeroDivisionError" in (tmp_path / "a" / "log.jsonl").read_text()
    monkeypatch.setenv("HRSNN_DEBUG", "1")
    assert cli.main([*arguments, "--resume"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_in_the_display_is_in_the_log(
    fake: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_experiment, "describe_task", None)
    assert cli.main(["run", TINY, "--out", str(tmp_path / "a"), "--jobs", "1"]) == 1
    assert "TypeError" in one_line(capsys.readouterr().err)
    assert "Traceback" in (tmp_path / "a" / "log.jsonl").read_text()


def test_a_reader_that_leaves_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from hrsnn import cli; sys.exit(cli.main(['data', 'list']))"
    with os.fdopen(writer, "w") as closed:
        done = hrsnn_process(code, stdout=closed, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")


def test_standard_output_that_is_full_is_an_error() -> None:
    code = "import sys; from hrsnn import cli; sys.exit(cli.main(['data', 'list']))"
    with Path("/dev/full").open("w") as full:
        done = hrsnn_process(code, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert "No space left on device" in one_line(done.stderr)


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors")
@pytest.mark.parametrize("closed", [(1,), (1, 2)])
def test_closed_standard_output_takes_no_file(closed: tuple[int, ...], tmp_path: Path) -> None:
    program = (
        "import sys; from hrsnn import cli; code = cli.main(['data', 'list']); "
        "sys.exit(code or bool(open('f').fileno() < 3))"
    )
    (tmp_path / "f").touch()
    again = f"os.execv(sys.executable, [sys.executable, '-c', {program!r}])"
    code = f"import os, sys; [os.close(n) for n in {closed}]; {again}"
    path = str(Path(cli.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, check=False
    )
    assert done.returncode == 0


def test_the_module_is_the_command() -> None:
    path = str(Path(cli.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "hrsnn", "--version"], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.stdout == f"hrsnn {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_verbs_are_completed(shell: str) -> None:
    asked = {"_HRSNN_COMPLETE": f"complete_{shell}", "COMP_WORDS": "hrsnn pr", "COMP_CWORD": "1",
             "_TYPER_COMPLETE_ARGS": "hrsnn pr", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "hrsnn"], capture_output=True, text=True, check=False,
        env={**os.environ, **asked, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
    )  # fmt: skip
    assert "prune" in done.stdout.replace('"', " ").split()
    assert "analyse" not in done.stdout
    assert "run" not in done.stdout.replace("prune", "").split()


@pytest.mark.parametrize(
    "arguments",
    [["run", "x" * 10_000], ["run", "--set", "task.name=" + "a b " * 5000], ["run", "--seed", "z" * 9000],
     ["prune", "--keep-synapses", "9" * 4000], ["run", "--set", "y" * 5000]],
)  # fmt: skip
def test_sentences_stay_readable(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) in (1, 2)
    assert len(one_line(capsys.readouterr().err)) < 1300


@pytest.mark.parametrize(
    "arguments",
    [
        *(["prune", option, "9" * 40] for option in ("--keep-synapses", "--keep-neurons", "--max-bytes")),
        *(["analyse", option, "9" * 40] for option in ("--delays", "--samples", "--exponents")),
        ["run", "--seeds", "9" * 40], ["prune", "--max-synops", "inf"], ["prune", "--max-synops", "nan"],
        ["analyse", "--gain", "nan"], ["analyse", "--gain", "1e400"],
    ],
)  # fmt: skip
def test_numbers_far_too_large_are_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*arguments, "--quiet"]) == 2
    assert "internal error" not in one_line(capsys.readouterr().err)


def test_interrupt_during_learning(tmp_path: Path) -> None:
    """A real network learns in a real terminal; Ctrl-C ends it with the line that goes on."""
    out = tmp_path / "a"
    arguments = [
        "run", "--seeds", "1", "--out", str(out), "--jobs", "1", "--set", "network.n_neurons=50", "--set",
        "learn={n_epochs=60}", "--set", 'task.arms=["HeNHeS"]', "--set", "task.controls=[]", "--set", "prune=false",
    ]  # fmt: skip
    ours, theirs = pty.openpty()
    code = f"import sys; from hrsnn import cli; sys.exit(cli.main({arguments!r}))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "COLUMNS": "130", "TERM": "xterm"},
    )
    os.close(theirs)
    shown = ""
    end = time.monotonic() + 240
    while "silent" not in shown and "hrsnn:" not in shown:
        assert time.monotonic() < end, shown
        shown += os.read(ours, 65536).decode(errors="replace")
    assert "learning" in shown
    assert "spikes/neuron" in shown
    process.send_signal(signal.SIGINT)
    while True:
        try:
            more = os.read(ours, 65536).decode(errors="replace")
        except OSError:  # the terminal is closed
            break
        if not more:
            break
        shown += more
    assert process.wait(timeout=180) == 130
    assert "Traceback" not in shown
    assert "0 of 1 units are finished; go on with:" in shown
    assert f"hrsnn run {out}/config.toml --out {out} --resume --jobs 1" in shown
    assert {file.name for file in out.rglob("*") if file.is_file()} == {"config.toml", "log.jsonl"}


def test_the_real_thing_with_one_and_two_processes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for jobs in ("1", "2"):
        assert cli.main(["run", *REAL, "--out", str(tmp_path / jobs), "--jobs", jobs, "--json", "--quiet"]) == 0
        results = json.loads(capsys.readouterr().out)
        for outcome in results["outcomes"]:
            outcome.pop("wall_s")
        found.append({**results, "created": ""})
    assert found[0] == found[1]
    assert {o["arm"] for o in found[0]["outcomes"]} == {"HoNHoS", "HeNHeS", "InputOnly", "Persistence"}
    hashes = {o["network"]["hash"] for o in found[0]["outcomes"] if o["network"]["hash"]}
    assert len(hashes) == 6
    assert hrsnn.load(tmp_path / "1" / "networks" / "HeNHeS-s1.safetensors").hash in hashes
    # The config in the directory gives the same numbers again.
    config = str(tmp_path / "1" / "config.toml")
    assert cli.main(["run", config, "--out", str(tmp_path / "3"), "--jobs", "1", "--json", "--quiet"]) == 0
    again = json.loads(capsys.readouterr().out)
    for outcome in again["outcomes"]:
        outcome.pop("wall_s")
    assert {**again, "created": ""} == found[0]


# -- data and doctor -------------------------------------------------------------------------------------------------


def test_data_list_and_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data-dir", str(tmp_path)]
    assert cli.main(["data", "list", *where, "--json"]) == 0
    listed = {entry["name"]: entry["state"] for entry in json.loads(capsys.readouterr().out)["data_sets"]}
    assert (listed["spoken-digits"], listed["shd"], listed["hd-spikes"]) == (
        "built in",
        "can be downloaded",
        "not there",
    )
    assert cli.main(["data", "list", *where]) == 0
    assert str(tmp_path) in capsys.readouterr().out.splitlines()[-1]
    assert cli.main(["data", "check", "spoken-digits", *where]) == 0
    assert cli.main(["data", "check", "hd-spikes", *where]) == 1
    assert cli.main(["data", "check", *where]) == 0  # nothing is damaged
    (tmp_path / "google_stock").mkdir()
    (tmp_path / "google_stock" / "Google_Stock_Price_Train.csv").write_text("not it")
    assert cli.main(["data", "check", *where]) == 1
    assert "damaged" in capsys.readouterr().out


def test_doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--data-dir", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    topics = {finding["topic"] for finding in told["findings"]}
    assert told["ok"]
    assert topics >= {"hrsnn", "packages", "processors", "threads", "compiled code", "engine", "extras", "GPU", "data"}
    assert cli.main(["doctor", "--data-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith("`hrsnn run` can work here.\n")


def test_doctor_fails_where_the_engine_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError("no engine")

    monkeypatch.setattr("hrsnn.engine.simulate", broken)
    findings = {finding.topic: finding for finding in examine()}
    assert "no engine" in findings["engine"].text
    assert cli.main(["doctor"]) == 1
    assert "FAIL" in capsys.readouterr().out


# -- public names ------------------------------------------------------------------------------------------------------


def test_public_names_are_there_and_lazy() -> None:
    for name in hrsnn.__all__:
        assert getattr(hrsnn, name) is not None
    assert set(hrsnn.__all__) <= set(dir(hrsnn))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hrsnn.nonsense
    code = (
        "import sys, hrsnn; dir(hrsnn); assert 'numpy' not in sys.modules; hrsnn.Spikes; assert 'numpy' in sys.modules"
    )
    assert hrsnn_process(code).returncode == 0
