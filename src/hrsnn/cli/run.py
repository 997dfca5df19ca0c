"""`hrsnn run`: train networks, compare them, write a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hrsnn.cli.app import (
    FAILED,
    INTERRUPTED,
    MOST,
    OK,
    ConfigSource,
    DataDir,
    Executor,
    Jobs,
    Json,
    Quiet,
    Verb,
    complain,
    print_summary,
    stop_on_termination,
)


def run(
    config: ConfigSource = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="TABLE.KEY=VALUE", help="Change a value, e.g. network.tau_mem_ms=15. Repeatable."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="First seed.", show_default=False)] = None,
    seeds: Annotated[int | None, typer.Option(min=1, max=MOST, help="Number of seeds.", show_default=False)] = None,
    from_search: Annotated[
        Path | None,
        typer.Option(help="Directory of a search: the config with the laws it found.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory of the run.", show_default="runs/<task>-<k>")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Finish what was begun in --out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the run in --out.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Keep the course of learning for TensorBoard, in the directory.")
    ] = False,
    jobs: Jobs = None,
    executor: Executor = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Verb:
    """Train networks on a task, compare them, and write results.json and report.html."""

    def do() -> int:
        stop_on_termination()
        from hrsnn import experiments, runs, verbs
        from hrsnn._checks import InputError, RunError
        from hrsnn.config import load_config
        from hrsnn.console import Display

        with Display(quiet=quiet) as display:
            try:
                source = config if from_search is None else verbs.found_by(from_search, beside=config)
                settings = load_config(source, set_ or (), seed=seed, n_seeds=seeds, data_dir=data_dir)
                display.headline = lambda: f"{settings.task.name}   {experiments.describe_task(settings, data_dir)}"
                finished = verbs.run(
                    settings, out=out, data_dir=data_dir, jobs=jobs, executor=executor, resume=resume, force=force,
                    tensorboard=tensorboard, watcher=display,
                )  # fmt: skip
            except (KeyboardInterrupt, RunError, OSError) as error:
                display.close()
                if display.path is None:
                    raise
                line = runs.resume_command(
                    display.path, data_dir=data_dir, jobs=jobs, executor=executor, tensorboard=tensorboard
                )
                kept = f"{display.n_done} of {display.n_units} units are finished; go on with:\n  {line}"
                interrupted = isinstance(error, KeyboardInterrupt)
                complain("interrupted" if interrupted else str(error))
                print(kept, file=sys.stderr)
                return INTERRUPTED if interrupted else FAILED
            except InputError:
                raise
            except Exception as error:
                if display.path is None:
                    raise
                raise RunError(
                    f"internal error, please report it: {type(error).__name__}: {error}; the traceback is in "
                    f"{display.path / 'log.jsonl'}"
                ) from error
        if finished.was_complete:
            display.say(f"{finished.path} was complete already: {finished.n_units} units, nothing to do")
        if as_json:
            sys.stdout.write((finished.path / "results.json").read_text(encoding="utf-8"))
            return OK
        print_summary(finished.path)
        return OK

    return do
