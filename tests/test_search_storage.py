"""Where a search is kept: a database, a journal, a server; in use, out of reach, or of something else."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from fake_experiment import wait_until
from hrsnn._checks import InputError, RunError
from hrsnn.optimisation.space import Scalar, Space
from hrsnn.optimisation.storage import ORIGIN, STUDY, shown
from hrsnn.optimisation.study import Searched, search
from search_objectives import SPACE, Distance

SECRET = "s3/cr:t@"
SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # where Debian puts them


def numbers(found: Searched) -> list[int]:
    """Of the trials that are finished."""
    return [t.number for t in found.study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]


@pytest.mark.parametrize("name", ["study.log", "own.db"])
def test_a_journal_and_a_database_of_ones_own(name: str, tmp_path: Path) -> None:
    where = str(tmp_path / name) if name.endswith(".log") else f"sqlite:///{tmp_path / name}"
    found = search(SPACE, Distance(), tmp_path / "out", n_trials=3, storage=where, jobs=1)
    assert not (tmp_path / "out" / "study.db").exists()
    assert numbers(found) == [0, 1, 2]
    attributes = [found.study.user_attrs, *(a for t in found.study.trials for a in (t.user_attrs, t.system_attrs))]
    assert max(len(json.dumps(value)) for some in attributes for value in some.values()) < 2046


LINE = """
import sys; sys.path.insert(0, sys.argv[1])
from search_objectives import SPACE, Distance
from hrsnn.optimisation.study import search
if __name__ == "__main__":
    search(SPACE, Distance(wait_s=0.3), sys.argv[2], n_trials=8, jobs=1, storage=sys.argv[3])
"""


@pytest.mark.slow
def test_a_journal_is_of_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, storage = tmp_path / "a", str(tmp_path / "study.log")
    line = [sys.executable, "-c", LINE, str(Path(__file__).parent), str(out), storage]
    with subprocess.Popen(line, env=dict(os.environ)) as process:
        wait_until(lambda: any((out / "trials").glob("*.json")))
        for directory, message in (
            (tmp_path / "b", "searching with the storage .*study.log; "),
            (out, "searching in "),
        ):
            with pytest.raises(RunError, match=f"another hrsnn process is {message}"):
                search(SPACE, Distance(wait_s=0.3), directory, n_trials=8, jobs=1, storage=storage)
        assert process.wait() == 0
    Path(f"{storage}.lock").symlink_to(storage)  # as a process leaves it that is killed while it writes
    monkeypatch.chdir(tmp_path.parent)
    storage = f"{tmp_path.name}/study.log"
    assert numbers(search(SPACE, Distance(), tmp_path / "b", n_trials=9, jobs=1, storage=storage)) == list(range(9))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL of our own."""
    if not SERVERS:
        pytest.skip("no server of PostgreSQL in /usr/lib/postgresql; `apt-get install postgresql` brings one")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home = Path(tempfile.mkdtemp())
    (home / "password").write_text(SECRET)
    user = None
    if os.geteuid() == 0:  # which the server refuses
        user = "nobody"
        for place in (home, home / "password"):
            shutil.chown(place, user)

    def run(program: str, *words: str) -> None:
        line = [str(SERVERS[-1] / program), "-D", str(home / "data"), *words]
        subprocess.run(line, user=user, cwd=home, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    run("initdb", "-U", "me", "-A", "scram-sha-256", f"--pwfile={home / 'password'}", "-N", "-E", "UTF8", "--locale=C")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run("pg_ctl", "-w", "-o", options, "-l", str(home / "log"), "start")
    try:
        yield f"postgresql://me:{SECRET.replace('/', '%2F').replace('@', '%40')}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(home)


@pytest.mark.slow
def test_a_server_of_postgresql_and_four_workers(server: str, tmp_path: Path) -> None:
    said: list[str] = []
    found = search(SPACE, Distance(wait_s=0.5), tmp_path / "a", n_trials=10, jobs=4, storage=server, say=said.append)
    points = [trial.params for trial in found.study.trials]
    assert numbers(found) == list(range(10))
    assert len({point["tau.mean"] for point in points}) == 10
    files = [json.loads(file.read_text()) for file in (tmp_path / "a" / "trials").glob("*.json")]
    assert len(files) == 10
    assert len({file["values"]["facts"]["pid"] for file in files}) == 4
    again = search(SPACE, Distance(), tmp_path / "a", n_trials=11, jobs=1, storage=server, say=said.append)
    assert [trial.params for trial in again.study.trials][:10] == points
    assert numbers(again) == list(range(len(said))) == list(range(11))
    with pytest.raises(InputError, match=r"is of another search, of distance: `objective` is not the same") as caught:
        search(SPACE, Distance(noise=1.0), tmp_path / "b", n_trials=2, jobs=1, storage=server)
    with pytest.raises(RunError, match="password authentication failed") as refused:
        search(SPACE, Distance(), tmp_path / "c", n_trials=2, jobs=1, storage=server.replace("s3", "s4"))
    told = [*said, str(caught.value), str(refused.value), json.dumps(again.document)]
    told += [file.read_text(errors="replace") for file in tmp_path.rglob("*") if file.is_file()]
    assert not [text for text in told if "cr:t" in text]
    assert "postgresql://me:***@127.0.0.1" in str(refused.value)


# -- what cannot be used -----------------------------------------------------------------------------------------------


def test_passwords_are_not_shown() -> None:
    assert shown("mysql://host/db?user=me&password=a%20b&x=1") == "mysql://host/db?user=me&password=***&x=1"
    assert shown("sqlite:////a/b.db?timeout=1") == "sqlite:////a/b.db?timeout=1"
    assert shown("postgresql://me@host/db") == "postgresql://me@host/db"


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("sqlite:////nowhere/at/all.db", r"sqlite:////nowhere/at/all.db cannot be used \(FileNotFoundError: .*No such"),
        ("/nowhere/at/all.log", r"/nowhere/at/all.log cannot be used \(FileNotFoundError: .*No such"),
        ("postgresql://me:secret@127.0.0.1:1/x", r"me:\*\*\*@127.0.0.1:1/x cannot be used \(ConnectionRefusedError"),
        ("mysql://me:secret@127.0.0.1:1/x", r"me:\*\*\*@127.0.0.1:1/x needs a driver \(No module named 'MySQLdb'\)"),
        ("nosuch://me:secret@host/x", r"me:\*\*\*@host/x cannot be used \(NoSuchModuleError"),
        ("://me:secret@host", r"the storage ://me:\*\*\*@host cannot be used"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_told(storage: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=message) as caught:
        search(SPACE, Distance(), tmp_path, n_trials=2, storage=storage, jobs=1)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("storage", ["study.db", "", 5])
def test_a_storage_that_is_none_is_refused(storage: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"`storage` of `search` must be the URL of a database, or a path ending in"):
        search(SPACE, Distance(), tmp_path / "out", n_trials=2, storage=storage, jobs=1)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_storage_is_told(tmp_path: Path) -> None:
    for name, storage in (("a.log", str(tmp_path / "a.log")), ("a.db", f"sqlite:///{tmp_path / 'a.db'}")):
        (tmp_path / name).write_text("not\na study\n")
        with pytest.raises(RunError, match=f"{name} cannot be used"):
            search(SPACE, Distance(), tmp_path / "out", n_trials=2, storage=storage, jobs=1)
        assert (tmp_path / name).read_text() == "not\na study\n"


def test_a_locked_storage_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'a.db'}?timeout=0.1"
    said: list[str] = []

    def lock_once(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            other.execute("BEGIN EXCLUSIVE")

    with sqlite3.connect(tmp_path / "a.db", isolation_level=None) as other:
        for _ in range(2):  # while it goes on, and at the beginning
            with pytest.raises(RunError, match=r"is locked by another process; .* the same command goes on"):
                search(SPACE, Distance(), tmp_path / "out", n_trials=6, storage=storage, jobs=1, say=lock_once)
        other.execute("ROLLBACK")
        found = search(SPACE, Distance(), tmp_path / "out", n_trials=6, storage=storage, jobs=1, say=said.append)
    assert (numbers(found), len(said)) == (list(range(6)), 6)


def test_another_search_in_the_same_place_is_refused(tmp_path: Path) -> None:
    search(SPACE, Distance(), tmp_path, n_trials=2, jobs=1)
    wider = Space((*SPACE.parts, Scalar("more", 0.0, 1.0)))
    for space, objective, seed, what in (
        (wider, Distance(), 0, "`space` is not the same"),
        (SPACE, Distance(noise=1.0), 0, "`objective` is not the same"),
        (SPACE, Distance(names=("a", "b")), 0, "`title` is distance there and a, b here"),
        (SPACE, Distance(), 7, "`seed` is 0 there and 7 here"),
    ):
        with pytest.raises(
            InputError, match=f"of another search, of distance: {what}; give another --out or --storage"
        ):
            search(space, objective, tmp_path, n_trials=2, jobs=1, seed=seed)
    assert numbers(search(SPACE, Distance(), tmp_path, n_trials=2, jobs=1)) == [0, 1]


def test_what_another_program_or_another_version_wrote_is_refused(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(study_name=STUDY, storage=storage)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(InputError, match=r"study.db is of another program: hrsnn did not make it"):
        search(SPACE, Distance(), tmp_path, n_trials=2, jobs=1)
    optuna.delete_study(study_name=STUDY, storage=storage)
    found = search(SPACE, Distance(), tmp_path, n_trials=2, jobs=1)
    origin = found.study.user_attrs[ORIGIN]
    for name, value, message in (
        (
            "schema",
            "hrsnn.search/9",
            "was written as hrsnn.search/9 by another version of hrsnn, and hrsnn.search/1 is",
        ),
        ("version of numpy", "1.0", "`version of numpy` is 1.0 there and .* here"),
    ):
        found.study.set_user_attr(ORIGIN, {**origin, name: value})
        with pytest.raises(InputError, match=message):
            search(SPACE, Distance(), tmp_path, n_trials=2, jobs=1)
    found.study.set_user_attr(ORIGIN, origin)
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v9.0.0.a'")
    with pytest.raises(RunError, match=r"another version of Optuna: .* table schema .*; trials that are finished"):
        search(SPACE, Distance(), tmp_path, n_trials=2, jobs=1)
