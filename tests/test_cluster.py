"""Units done by a Dask cluster of two processes: the numbers of one process, also when one of the two is killed."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import fake_experiment
from adaptive_work import Killed, Steps, complete
from fake_experiment import FAKE, N_UNITS, n_outcomes, no_partial_files, numbers, wait_until
from hrsnn import experiments, summary
from hrsnn._checks import InputError, MissingExtraError, RunError
from hrsnn.cli import main
from hrsnn.config import load_config
from hrsnn.optimisation.study import search
from hrsnn.run_directory import RunDirectory
from hrsnn.runs import Experiment, RunWork, Watcher, execute, resume_command
from hrsnn.work import cluster, loop
from search_objectives import SPACE, Distance

distributed = pytest.importorskip("distributed")

REAL = Experiment(experiments.plan, experiments.run_unit, summary.summarise, experiments.data_digest)


@pytest.fixture(autouse=True)
def _small_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hrsnn.report.write_report", lambda path, results: (path / "report.html").write_text("report"))


@pytest.fixture(scope="module")
def pids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a file for every process that has begun a unit."""
    return tmp_path_factory.mktemp("pids")


@pytest.fixture(scope="module")
def address(pids: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:  # what processes of the cluster see, this one does not
        patch.setenv("FAKE_SECONDS", "0.2")
        patch.setenv("FAKE_PIDS", str(pids))
        started = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs="CRITICAL"
        )  # fmt: skip
    with started:
        yield started.scheduler_address.replace("tcp", "dask")


def test_a_worker_is_killed_and_all_units_are_finished(address: str, pids: Path, tmp_path: Path) -> None:
    config, out = load_config(fake_experiment.TINY), tmp_path / "a"
    killed: list[int] = []

    def kill() -> None:
        wait_until(lambda: n_outcomes(out) >= 3)
        killed.append(max(int(file.name) for file in pids.iterdir()))
        os.kill(killed[0], signal.SIGKILL)  # it has a unit of 0.2 s in hand

    killer = threading.Thread(target=kill)
    killer.start()
    finished = execute(config, FAKE, out=out, executor=address)
    killer.join()
    assert (finished.n_units, finished.n_kept, n_outcomes(out)) == (N_UNITS, 0, N_UNITS)
    assert killed[0] != os.getpid()
    assert fake_experiment.calls == []  # none was done here
    assert no_partial_files(out)
    execute(config, FAKE, out=tmp_path / "b", jobs=1)
    assert numbers(out) == numbers(tmp_path / "b")
    assert execute(config, FAKE, out=out, executor=address, resume=True).was_complete


def test_the_numbers_of_real_units(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(fake_experiment.TINY, n_seeds=1)
    monkeypatch.chdir(tmp_path)  # workers stand elsewhere
    execute(config, REAL, out=Path("a"), executor=address)
    execute(config, REAL, out=Path("b"), jobs=1)
    assert numbers(tmp_path / "a") == numbers(tmp_path / "b")


def test_work_whose_plan_depends_on_values(address: str, tmp_path: Path) -> None:
    here, there = Steps(tmp_path / "here", n=6), Steps(tmp_path / "there", n=6)
    here.path.mkdir()
    there.path.mkdir()
    with cluster.executor_of(address, jobs=None, say=print) as executor:
        assert complete(there, executor=executor) == complete(here)


def test_paths_are_sent_as_they_are_seen_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HRSNN_DATA", "data")
    config = load_config(fake_experiment.TINY)
    own = config.model_copy(update={"task": config.task.model_copy(update={"path": "mine", "test_path": "~/others"})})
    job = RunWork(own, FAKE, RunDirectory(Path("a")), None).for_others()
    assert (job.path, job.data_dir) == (tmp_path / "a", tmp_path / "data")
    assert job.own_data == {"path": str(tmp_path / "mine"), "test_path": str(Path.home() / "others")}
    assert job.config == own  # by which units are known


def test_a_cluster_without_workers_is_told_once_and_waited_for(tmp_path: Path) -> None:
    class Saying(Watcher):
        said: list[str] = []

        def say(self, text: str) -> None:
            self.said.append(text)
            started.scale(1)

    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0",
        silence_logs="CRITICAL",
    ) as started:  # fmt: skip
        address = started.scheduler_address
        execute(load_config(fake_experiment.TINY), FAKE, out=tmp_path, executor=address.replace("tcp", "dask"),
                watcher=Saying())  # fmt: skip
    assert [text.partition(" has ")[2] for text in Saying.said] == ["no workers yet; units wait for the first"]


def test_other_versions_are_told(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "__version__", "0.0.1")
    config = load_config(fake_experiment.TINY)
    with pytest.raises(RunError, match=r"a worker has hrsnn .*, and 0.0.1 is here; install the same version"):
        execute(config, FAKE, out=tmp_path, executor=address)


def test_a_search_and_a_worker_that_is_killed(address: str, tmp_path: Path) -> None:
    """In a journal, which shared file systems keep whole."""
    objective, storage = Distance(wait_s=0.1, grave=str(tmp_path / "grave")), str(tmp_path / "study.log")
    found = search(SPACE, objective, tmp_path / "out", n_trials=10, executor=address, storage=storage)
    assert [(t.number, t.state.name) for t in found.study.trials] == [(k, "COMPLETE") for k in range(10)]
    assert Path(objective.grave).exists()
    assert len({trial.params["tau.mean"] for trial in found.study.trials}) == 10


def test_as_many_trials_at_a_time_as_there_are_workers(address: str) -> None:
    with cluster.executor_of(address, jobs=None, say=print) as executor:
        assert executor is not None
        assert cluster.places(executor) == 2
    with ThreadPoolExecutor(7) as threads:
        assert cluster.places(threads) == 7


def test_a_unit_that_kills_every_worker_is_given_up(address: str, tmp_path: Path) -> None:
    with cluster.executor_of(address, jobs=None, say=print) as executor:
        work = Killed(tmp_path, n=3, always=("a-s1-0",))
        ended = list(loop.finished(work, done := {}, tell=lambda *_: None, say=print, executor=executor))
    assert [value.message.partition(" while")[0] for _, value in ended if isinstance(value, loop.Failure)] == [
        "workers of the cluster were killed"
    ]
    assert len(done) == 4


# -- what cannot be asked for ------------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of something that is no scheduler."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_nothing_that_answers_is_one_sentence(
    silent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "_SECONDS_TO_ANSWER", 0.5)
    monkeypatch.chdir(tmp_path)
    closed, verbs = f"127.0.0.1:{free_port()}", (["run", str(fake_experiment.TINY)], ["reproduce", "claims"])
    for place, verb in zip((silent, closed), verbs, strict=True):
        assert main([*verb, "--executor", f"dask://{place}"]) == 1
        out, err = capfd.readouterr()
        assert (out, err) == ("", f"hrsnn: {sentence(place)}\n")
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def sentence(place: str) -> str:
    start = f"start one there with `dask scheduler --port {place.rpartition(':')[2]}`"
    return f"no scheduler of Dask answers at {place}; {start}, or mend --executor"


@pytest.mark.parametrize(
    "asked", ["dask://", "dask://host", "dask://host:0", "dask://host:99999", "tcp://host:1", "dask://a b:1", "", 5]
)
def test_what_is_no_address_is_refused(asked: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--executor must be dask://HOST:PORT, the scheduler of a Dask cluster, got"):
        execute(load_config(fake_experiment.TINY), FAKE, out=tmp_path / "a", executor=asked)
    assert not (tmp_path / "a").exists()


def test_processes_and_an_executor_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--executor .* --jobs .*; give one of them"):
        execute(load_config(fake_experiment.TINY), FAKE, out=tmp_path / "a", executor="dask://host:1", jobs=2)
    assert main(["run", str(fake_experiment.TINY), "--executor", "dask://host:1", "--jobs", "2"]) == 2


def test_without_distributed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hrsnn\[cluster\]'"):
        cluster.executor_of("dask://host:1", jobs=None, say=print).__enter__()


def test_the_line_that_goes_on_names_the_executor() -> None:
    line = resume_command(Path("a"), executor="dask://host:8786")
    assert line == "hrsnn run a/config.toml --out a --resume --executor dask://host:8786"
