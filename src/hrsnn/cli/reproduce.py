"""`hrsnn reproduce`: make a result of the papers again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hrsnn.cli.app import (
    INTERRUPTED,
    MOST,
    OK,
    DataDir,
    Executor,
    Jobs,
    Json,
    Quiet,
    Verb,
    complain,
    print_json,
    stop_on_termination,
)


def reproduce(
    name: Annotated[
        str | None, typer.Argument(help="What to make again; --list names all.", show_default=False)
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List what can be made again.")] = False,
    scale: Annotated[str, typer.Option(metavar="smoke | small | paper", help="Sizes and numbers of seeds.")] = "small",
    seeds: Annotated[
        int | None, typer.Option(min=2, max=MOST, help="Seeds of every comparison.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the results.", show_default="reproduce/<name>-<scale>")
    ] = None,
    jobs: Jobs = None,
    executor: Executor = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Verb:
    """Make a result of the papers again, such as `table5`. Stopped and started again, it goes on where it was."""

    def do() -> int:
        stop_on_termination()
        from hrsnn._checks import require
        from hrsnn.console import Display, aligned, reproduction_text
        from hrsnn.reproduce import REPRODUCTIONS
        from hrsnn.reproduce import reproduce as make
        from hrsnn.work.pool import usable_cpus

        if list_:
            if as_json:
                print_json({entry.name: entry.description for entry in REPRODUCTIONS.values()})
            else:
                for line in aligned([[entry.name, entry.description] for entry in REPRODUCTIONS.values()], to_right=()):
                    print(line)
            return OK
        remedy = "`hrsnn reproduce --list` lists all"
        require(name is not None, "hrsnn reproduce", "NAME", "must be given", "nothing", remedy=remedy)
        try:
            with Display(quiet=quiet) as display:
                folder, document = make(
                    str(name), scale=scale, out=out, n_seeds=seeds, data_dir=data_dir,
                    n_jobs=jobs if jobs or executor else usable_cpus(), executor=executor, say=display.say,
                )  # fmt: skip
        except KeyboardInterrupt:
            complain("interrupted; what is finished is kept, and the same command goes on from there")
            return INTERRUPTED
        if as_json:
            print_json(document)
        else:
            print(f"{reproduction_text(document)}\nReport: {folder / f'{name}.html'}")
        return OK

    return do
