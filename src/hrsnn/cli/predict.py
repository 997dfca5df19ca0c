"""`hrsnn predict`: tell new recordings by the network of a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hrsnn.cli.app import OK, Json, Quiet, Verb, print_json, stop_on_termination


def predict(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="Directory of a finished run.", show_default=False)
    ],
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDINGS...",
            help="Files and folders of the kind that the run was trained on, or - for lines of standard input.",
            show_default=False,
        ),
    ],
    arm: Annotated[
        str | None,
        typer.Option(help="Which network, e.g. HeNHeS or HeNHeS/pruned/lnp.", show_default="the last of task.arms"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the network.", show_default="the first of the run")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Verb:
    """Tell new recordings by the network of a run: name, class and margin of each, as they are read."""

    def do() -> int:
        stop_on_termination()
        from hrsnn._checks import require
        from hrsnn.predictor import load_run

        live = "-" in recordings
        rule = "must stand alone: lines of standard input are all that is read then"
        require(not live or len(recordings) == 1, "hrsnn predict", "-", rule, recordings)
        rule = "must be open: lines of it are to be read"
        require(not live or sys.stdin is not None, "hrsnn predict", "standard input", rule, "none")
        run = load_run(run_dir, arm=arm, seed=seed)
        if not quiet:
            print(f"{run.name}, of {run_dir}", file=sys.stderr)
        found = run.follow(sys.stdin) if live else run.predict(recordings)
        if as_json and not live:
            print_json(
                {"schema": "hrsnn.predictions/1", "network": run.name, "predictions": [p.to_dict() for p in found]}
            )
            return OK
        for one in found:
            print(json.dumps(one.to_dict()) if as_json else one.to_text(), flush=live)
        return OK

    return do
