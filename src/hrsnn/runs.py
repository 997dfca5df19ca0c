"""A run: which units of work are to do, doing them, and the results made from them.

A run is a list of units (arm, stage, method, seed); a unit is done again exactly when something of it is missing in the
run directory or was changed. results.json is made from the files of the units alone, whoever wrote them and when: it is
the same for any number of processes, and for a run that was killed and resumed.
"""

from __future__ import annotations

import os
import re
import shlex
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hrsnn._checks import FileError, HrsnnError, InputError, RunError, extra
from hrsnn.config import Config, first_difference, load_config
from hrsnn.outcome import Outcome
from hrsnn.progress import Progress, ProgressEvent
from hrsnn.run_directory import Log, RunDirectory, StoredUnit, UnitResult, as_results, versions
from hrsnn.work.cluster import executor_of
from hrsnn.work.loop import Failure, finished, to_do
from hrsnn.work.pool import usable_cpus
from hrsnn.work.store import cannot_write, key_of
from hrsnn.work.unit import Unit

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Experiment:
    """The functions a run consists of. They go to other processes by name, so they are functions of a module.

    plan        config -> units
    run_unit    (config, unit, data_dir=, progress=, checkpoint=) -> UnitResult; the same numbers in any order
    summarise   (config, [(outcome, details)], data_dir=) -> results.json but its schema, date and versions
    data_digest (config, data_dir=) -> a digest of the data; another one makes other units
    """

    plan: Callable[[Config], Sequence[Unit]]
    run_unit: Callable[..., UnitResult]
    summarise: Callable[..., dict[str, Any]]
    data_digest: Callable[..., str] = lambda config, data_dir: ""


@dataclass(frozen=True, slots=True)
class RunWork:
    """The `Work` of a run: what its units have in common. `own_data` are keys of `[task]` for units alone.

    source   a digest of data and versions of packages, which the numbers follow from beside the config
    """

    config: Config
    experiment: Experiment
    directory: RunDirectory
    data_dir: Path | None
    own_data: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    tensorboard: bool = False

    @property
    def path(self) -> Path:
        return self.directory.path

    def plan(self, done: Mapping[str, Any]) -> Sequence[Unit]:
        return self.experiment.plan(self.config)

    def read(self, unit: Unit) -> StoredUnit | None:
        with suppress(FileError):
            return self.directory.read_unit(unit, self.config, self.source)
        return None

    def do(self, unit: Unit, progress: Progress) -> None:
        task = self.config.task.model_copy(update=self.own_data)
        config = self.config.model_copy(update={"task": task}) if self.own_data else self.config
        checkpoint = self.directory.checkpoint_of(unit) if config.keeps_checkpoints else None
        if self.tensorboard:
            progress = _both(progress, _board(self.directory.curves_of(unit)))
        result = self.experiment.run_unit(
            config, unit, data_dir=self.data_dir, progress=progress, checkpoint=checkpoint
        )  # fmt: skip
        self.directory.write_unit(unit, result, self.config, self.source)
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)  # the folder stays for units that learn beside this one

    def for_others(self) -> RunWork:
        """The same for processes that stand in another directory and have other variables."""
        data_dir, own_data = seen_from_anywhere(self.config, self.data_dir)
        directory = RunDirectory(self.path.absolute())
        return replace(self, directory=directory, data_dir=data_dir, own_data=own_data)


def _both(first: Progress, second: Progress) -> Progress:
    def told(event: ProgressEvent) -> None:
        first(event)
        second(event)

    return told


def _board(folder: Path) -> Progress:
    with extra("tensorboard", "--tensorboard", "torch and tensorboard"):
        from hrsnn.trainable.board import TensorBoard
    return TensorBoard(folder)


def seen_from_anywhere(config: Config, data_dir: Path | None) -> tuple[Path, dict[str, str]]:
    """Where data sets lie, and keys of `[task]` that name files, in any directory and with any variables."""
    from hrsnn.data import data_directory

    given = {name: getattr(config.task, name) for name in ("path", "test_path")}
    own_data = {name: str(Path(path).expanduser().absolute()) for name, path in given.items() if path}
    return data_directory(data_dir).absolute(), own_data


class Watcher:
    """Is told how a run goes, in the thread that runs it; this one does nothing."""

    def say(self, text: str) -> None:
        """A line for people."""

    def opened(self, path: Path, units: Sequence[Unit], n_done: int) -> None:
        """The directory is ours and this many units are finished in it already."""

    def progress(self, unit: Unit, event: ProgressEvent) -> None:
        """A unit went on that is not finished."""

    def finished(self, unit: Unit, outcome: Outcome) -> None:
        """A unit is on disk."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A complete run directory. `n_kept` units of `n_units` were there before; `was_complete`: nothing was to do."""

    path: Path
    results: dict[str, Any]
    n_units: int
    n_kept: int
    was_complete: bool


def execute(
    config: Config,
    experiment: Experiment,
    *,
    out: Path | None = None,
    data_dir: Path | None = None,
    jobs: int | None = None,
    executor: Executor | str | None = None,
    resume: bool = False,
    force: bool = False,
    tensorboard: bool = False,
    watcher: Watcher | None = None,
) -> Finished:
    """Run all units of `config` and leave a complete run directory.

    out       the directory; None is the next free `runs/<task>-<k>`
    jobs      processes, 1 runs in this one; None is one per usable core
    executor  does the units instead of processes here: any executor, which is left running, or "dask://HOST:PORT"; its
              workers must see `out` and the data under the same names
    resume    keep the units finished in `out` under the same config; force: start over, removing only files of a run
    tensorboard   keeps the course of each unit for TensorBoard, in the folder `tensorboard` of the run

    Raises `InputError` when `out` may not be used, `RunError` when a unit fails or a file cannot be written (finished
    units are kept). `KeyboardInterrupt` passes through when all processes are stopped.
    """
    if resume and force:
        raise InputError("--resume keeps what is there and --force clears it; give one of them")
    if resume and out is None:
        raise InputError("--resume needs the directory to go on in; give it with --out")
    if jobs is not None and jobs < 1:
        raise InputError(f"--jobs must be >= 1, got {jobs}")
    units = _checked(experiment.plan(config))
    source = key_of(versions(), experiment.data_digest(config, data_dir=data_dir))
    if tensorboard:
        _board(Path())  # says what is missing before anything is done
    watcher = watcher or Watcher()
    with ExitStack() as at_end:
        workers = at_end.enter_context(executor_of(executor, jobs=jobs, say=watcher.say))
        directory = RunDirectory(out) if out else RunDirectory.next_free(config.task.name)
        try:
            log = at_end.enter_context(directory.claimed())
            job = RunWork(config, experiment, directory, data_dir, source=source, tensorboard=tensorboard)
            run = _Run(job if workers is None else job.for_others(), directory, workers, log, watcher)
            done = _prepare(run, units, resume=resume, force=force)
            try:
                watcher.opened(directory.path, units, len(done))
                return _complete(run, units, done, jobs)
            except Exception as error:
                if not isinstance(error, (HrsnnError, OSError)):
                    log("failed", error=repr(error), traceback=traceback.format_exc())
                raise
        except OSError as error:
            raise RunError(cannot_write(directory.path, error)) from error


def resume_command(
    path: Path,
    *,
    data_dir: Path | None = None,
    jobs: int | None = None,
    executor: str | None = None,
    tensorboard: bool = False,
) -> str:
    """The line that finishes the run in `path`.

    >>> resume_command(Path("my runs/a"), jobs=2)
    "hrsnn run 'my runs/a/config.toml' --out 'my runs/a' --resume --jobs 2"
    """
    words = ["hrsnn", "run", str(path / "config.toml"), "--out", str(path), "--resume"]
    words += ["--tensorboard"] if tensorboard else []
    options = {"--data-dir": data_dir, "--jobs": jobs, "--executor": executor}
    return shlex.join([*words, *(word for name, value in options.items() if value for word in (name, str(value)))])


# -- what is to do -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same while a run goes on."""

    job: RunWork
    directory: RunDirectory
    executor: Executor | None
    log: Log
    watcher: Watcher


def _checked(units: Sequence[Unit]) -> list[Unit]:
    names = [unit.name for unit in units]
    unsafe = next((name for name in names if not _SAFE_NAME.fullmatch(name)), None)
    if not names or unsafe is not None or len(set(names)) != len(names):
        what = "no unit" if not names else f"unsafe name {unsafe!r}" if unsafe is not None else "a name twice"
        raise InputError(f"the plan of a run must hold units with distinct names that are safe in files, got {what}")
    return list(units)


def _prepare(run: _Run, units: list[Unit], *, resume: bool, force: bool) -> dict[str, StoredUnit]:
    """Make the directory ready for the config; the finished units in it, by name."""
    directory, config = run.directory, run.job.config
    path = directory.path
    if directory.is_begun and force:
        directory.clear()
    if directory.is_begun and not resume:
        if directory.results_file.exists():
            raise InputError(f"{path} holds a complete run; give another --out, or --force to replace it")
        raise InputError(f"{path} holds an unfinished run; finish it with `{resume_command(path)}`, or add --force")
    if directory.is_begun and directory.config_file.exists():
        difference = first_difference(load_config(directory.config_file), config)
        if difference:
            key, theirs, ours = difference
            raise InputError(
                f"{path} was made by another config: `{key}` is {theirs} there and {ours} here; "
                "give another --out, or --force to start over"
            )
    directory.clear_partial()
    directory.begin(config)
    done: dict[str, StoredUnit] = {}
    for unit in to_do(run.job, done):
        if directory.outcome_file(unit).exists():
            try:
                directory.read_unit(unit, config, run.job.source)
            except FileError as error:
                run.log("redo", unit=unit.name, reason=str(error))
    return done


# -- doing it ----------------------------------------------------------------------------------------------------------


def _complete(run: _Run, units: list[Unit], done: dict[str, StoredUnit], jobs: int | None) -> Finished:
    directory, log = run.directory, run.log
    pending = [unit for unit in units if unit.name not in done]
    results = None if pending else directory.read_results()
    if results is None and not pending and directory.results_file.exists():
        log("redo", file="results.json", reason="it was changed since it was written, or is damaged")
    was_complete = results is not None
    n_kept = len(done)
    report_failure: Exception | None = None
    if results is None:
        directory.results_file.unlink(missing_ok=True)
        directory.report_file.unlink(missing_ok=True)
        n_jobs = max(1, min(jobs or usable_cpus(), len(pending)))
        by = {"jobs": n_jobs} if run.executor is None else {"executor": type(run.executor).__name__}
        log("start", pid=os.getpid(), units=len(units), kept=n_kept, **by, versions=versions())
        started = time.monotonic()
        try:
            _finish_units(run, done, n_jobs)
            results = _summarised(run, [done[unit.name] for unit in units])
            report_failure = _report(run, results)  # first, so that the presence of results.json says complete
            written = directory.write_results(results)
            directory.clear_partial()  # of a worker that died while another did its unit
        except BaseException as error:
            directory.clear_partial()
            with suppress(OSError):
                kind = "interrupted" if isinstance(error, KeyboardInterrupt) else "stopped"
                log(kind, finished=len(done), units=len(units), reason=str(error) or type(error).__name__)
            raise
        log("results", wall_s=round(time.monotonic() - started, 3), sha256=written)
    elif not directory.report_file.exists():
        report_failure = _report(run, results)
    if report_failure is not None:
        again = f"build it again with `{shlex.join(['hrsnn', 'report', str(directory.path)])}`"
        raise RunError(f"results.json is complete, but report.html could not be written: {report_failure}; {again}")
    if not was_complete:
        log("complete")
    return Finished(directory.path, results, len(units), n_kept, was_complete)


def _finish_units(run: _Run, done: dict[str, StoredUnit], n_jobs: int) -> None:
    """Do what is to do; each unit goes into `done` when it is on disk."""
    hint = f"; the traceback is in {run.directory.log_file}"
    watcher = run.watcher
    work = finished(run.job, done, tell=watcher.progress, say=watcher.say, n_jobs=n_jobs, executor=run.executor)
    with closing(work) as ended:
        for unit, value in ended:
            if isinstance(value, Failure):
                with suppress(OSError):  # on a full disk the sentence below still comes
                    run.log("failed", unit=unit.name, error=value.message, traceback=value.traceback)
                raise value.error(unit, hint=hint)
            run.log("unit", unit=unit.name, wall_s=value.outcome.wall_s)
            watcher.finished(unit, value.outcome)


def _summarised(run: _Run, finished: list[StoredUnit]) -> dict[str, Any]:
    ordered = sorted(finished, key=lambda stored: stored.outcome.sort_key)
    pairs = [(stored.outcome, stored.details) for stored in ordered]
    return as_results(run.job.experiment.summarise(run.job.config, pairs, data_dir=run.job.data_dir))


def _report(run: _Run, results: dict[str, Any]) -> Exception | None:
    """Write report.html; what went wrong is given back, for it must not lose the results."""
    try:
        from hrsnn.report import write_report

        write_report(run.directory.path, results)
    except Exception as error:
        with suppress(OSError):
            run.log("failed", file="report.html", error=str(error), traceback=traceback.format_exc())
        return error
    return None
