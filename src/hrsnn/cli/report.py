"""`hrsnn report`: build the page of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hrsnn.cli.app import OK, Json, Verb, print_json, print_summary


def report(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="Directory of a finished run.", show_default=False)
    ],
    as_json: Json = False,
) -> Verb:
    """Build report.html of a finished run again."""

    def do() -> int:
        from hrsnn.report import write_report
        from hrsnn.run_directory import RunDirectory

        RunDirectory(run_dir).require_own_results()
        path = write_report(run_dir)
        if as_json:
            print_json({"report": str(path)})
        else:
            print_summary(run_dir)
        return OK

    return do
