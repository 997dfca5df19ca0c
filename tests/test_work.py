"""Work in units: what is finished is whole, unchanged and follows from the same, or it is done again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adaptive_work import Killed, Steps, complete
from hrsnn._checks import FileError, RunError
from hrsnn.work.loop import Failure, finished, to_do
from hrsnn.work.store import Store, key_of
from hrsnn.work.unit import Unit


def kept(path: Path) -> Store:
    (path / "parts").mkdir()
    (path / "units").mkdir()
    store = Store(path, "units")
    store.keep("a", {"key": "k", "values": [1, 2]}, {"parts/a.bin": lambda file: file.write_bytes(b"part")})
    return store


def test_what_is_kept_is_read(tmp_path: Path) -> None:
    store = kept(tmp_path)
    assert store.read("a") == store.read("a", key="k") == {"key": "k", "values": [1, 2]}
    assert store.found("b") is None


def _edit(path: Path, old: bytes = b"1", new: bytes = b"3") -> None:
    path.write_bytes(path.read_bytes().replace(old, new, 1))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda path: _edit(path / "units/a.json"), "is damaged: it was changed"),
        (lambda path: (path / "units/a.json").write_bytes(b""), "is damaged"),
        (lambda path: (path / "units/a.json").write_bytes(b"[1]"), "is damaged"),
        (lambda path: (path / "units/a.json").unlink(), "does not exist"),
        (lambda path: _edit(path / "parts/a.bin", b"p", b"q"), "is missing or was changed"),
        (lambda path: (path / "parts/a.bin").unlink(), "is missing or was changed"),
    ],
)
def test_of_which_anything_is_missing_or_was_changed_is_none(tmp_path: Path, harm: object, sentence: str) -> None:
    store = kept(tmp_path)
    harm(tmp_path)  # type: ignore[operator]
    assert store.found("a") is None
    with pytest.raises(FileError, match=sentence):
        store.read("a")


def test_of_which_follows_from_something_else_is_none(tmp_path: Path) -> None:
    store = kept(tmp_path)
    with pytest.raises(FileError, match="another config"):
        store.read("a", key="other")
    assert key_of({"a": 1, "b": [2.0]}) == key_of({"b": [2.0], "a": 1}) != key_of({"a": 1, "b": [2.5]})


def test_once_is_done_once(tmp_path: Path) -> None:
    store, made = Store(tmp_path), list[int]()

    def make() -> dict[str, int]:
        made.append(1)
        return {"n": len(made)}

    assert [store.once("a", "k", make)["n"] for _ in range(3)] == [1, 1, 1]
    assert store.once("a", "other", make)["n"] == 2
    _edit(tmp_path / "a.json", b"2", b"5")
    assert store.once("a", "other", make)["n"] == 3


def test_what_was_not_finished_is_swept_away(tmp_path: Path) -> None:
    store = kept(tmp_path)
    for folder in ("units", "parts"):
        (tmp_path / folder / ".a.1.tmp").touch()
    store.sweep("units", "parts")
    assert not list(tmp_path.rglob(".*.tmp"))
    assert store.found("a") is not None


# -- the loop ----------------------------------------------------------------------------------------------------------


def nothing(*told: object) -> None:
    pass


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.glob("*.json")}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, bytes]]:
    path = tmp_path_factory.mktemp("unbroken")
    return complete(Steps(path)), files(path)


def test_the_plan_is_asked_again_when_a_unit_has_ended(unbroken: Any) -> None:
    done, written = unbroken
    assert len(done) == len(written) == 24
    third = next(name for name in done if name.startswith("a") and name.endswith("-2"))
    assert third == f"a-s{(7 * done['a-s1-0']['x'] + done['a-s2-1']['x']) % 10007}-2"


@pytest.mark.parametrize("n_jobs", ["1", "2"])
def test_killed_anywhere_and_gone_on_with_it_is_the_same_sequence(
    n_jobs: str, unbroken: Any, tmp_path: Path
) -> None:  # fmt: skip
    rng = np.random.default_rng()
    script = Path(__file__).with_name("adaptive_work.py")
    words = [sys.executable, str(script), str(tmp_path), n_jobs, "0.02"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    for more in (2, 5):  # kills after so many further units, and a random moment
        process = subprocess.Popen(words, env=environment)
        n_before, end = len(files(tmp_path)), time.monotonic() + 60
        while len(files(tmp_path)) < n_before + more and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.wait()
    time.sleep(0.5 if n_jobs == "2" else 0)  # processes of a pool end with their parent
    n_kept = len(files(tmp_path))
    assert 7 <= n_kept < 24
    work = Steps(tmp_path)
    done: dict[str, Any] = {}
    to_do(work, done)
    assert len(done) == n_kept
    Store(tmp_path).sweep()
    assert complete(work) == unbroken[0]
    assert files(tmp_path) == unbroken[1]


def test_a_changed_unit_is_done_again_and_what_follows_is_kept(unbroken: Any, tmp_path: Path) -> None:
    complete(Steps(tmp_path))
    _edit(tmp_path / "a-s1-0.json", b'"x": ', b'"x": 1')
    times = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.json")}
    assert complete(Steps(tmp_path)) == unbroken[0]
    again = [file.name for file, before in times.items() if file.stat().st_mtime_ns != before]
    assert again == ["a-s1-0.json"]


def test_any_executor_does_the_same(unbroken: Any, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as executor:
        assert complete(Steps(tmp_path), executor=executor) == unbroken[0]
        assert executor.submit(int).result() == 0  # is the caller's to end
    assert files(tmp_path) == unbroken[1]


@dataclass(frozen=True)
class Failing(Steps):
    """The first unit of b fails."""

    def do(self, unit: Unit, progress: Any) -> None:
        if unit.name == "b-s1-0":
            raise KeyError("b")
        Steps.do(self, unit, progress)


def test_a_unit_that_fails_is_told_and_not_done_again(tmp_path: Path) -> None:
    ended = list(finished(Failing(tmp_path), done := {}, tell=nothing, say=nothing))
    failures = [value for _, value in ended if isinstance(value, Failure)]
    assert [failure.message for failure in failures] == ["KeyError: 'b'"]
    assert (len(ended), len(done)) == (14, 13)  # all of a, and the second of b


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_costs_what_it_was_doing(unbroken: Any, tmp_path: Path) -> None:
    n_threads, said, done = threading.active_count(), list[str](), dict[str, Any]()
    work = Killed(tmp_path, pause_s=0.02, once=("a-s2-1", "b-s1-0"), always=("a-s1-0",))
    ended = list(finished(work, done, tell=nothing, say=said.append, n_jobs=2))
    begun = (tmp_path / "begun").read_text().split()
    twice = {"a-s1-0", "a-s2-1", "b-s1-0"}
    assert {name for name in begun if begun.count(name) == 2} == twice  # nothing else was begun again
    assert len(begun) == len(set(begun)) + 3
    assert {line.split()[4] for line in said} == twice
    failed = {unit.name: value.message for unit, value in ended if isinstance(value, Failure)}
    assert list(failed) == ["a-s1-0"]
    assert "process was killed twice" in failed["a-s1-0"]
    assert done == {name: value for name, value in unbroken[0].items() if name[0] == "b" or name == "a-s2-1"}
    assert threading.active_count() == n_threads


def test_closing_stops_the_rest(tmp_path: Path) -> None:
    work = Steps(tmp_path, pause_s=0.05)
    with (
        ThreadPoolExecutor(1) as executor,
        closing(finished(work, {}, tell=nothing, say=nothing, executor=executor)) as ended,
    ):
        next(ended)
    assert len(files(tmp_path)) < 4


def test_what_cannot_be_sent_to_a_process_is_told(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Here(Steps):
        pass

    with pytest.raises(RunError, match=r"unit a-s\d-\d cannot be sent to another process \(.*Here.*--jobs 1"):
        complete(Here(tmp_path), n_jobs=2)


@dataclass(frozen=True)
class Elsewhere(Steps):
    """Files that others write are not seen here."""

    def do(self, unit: Unit, progress: Any) -> None:
        pass


def test_files_that_are_not_seen_here_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hrsnn.work.loop._SECONDS_TO_SEE", 0.2)
    sentence = "unit a-s1-0 has ended, but its files are not in .*; workers must see the same file system"
    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(RunError, match=sentence):
            complete(Elsewhere(tmp_path), executor=executor)
        gone = next(finished(Steps(tmp_path / "gone"), {}, tell=nothing, say=nothing, executor=executor))[1]
    assert gone.message.startswith("a worker does not see")


def test_an_executor_that_does_nothing_any_more_is_told(tmp_path: Path) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(RunError, match=r"the executor could not do unit a-s1-0 \(RuntimeError: cannot schedule"):
        complete(Steps(tmp_path), executor=executor)
