"""The command `hrsnn`, one file per verb: parse, call, print, exit code.

Everything heavy is imported inside verbs, at the moment of use.
"""

from __future__ import annotations

from hrsnn.cli import analyse, bench, data, doctor, export, predict, prune, report, reproduce, run, search
from hrsnn.cli.app import app
from hrsnn.cli.app import main as main

for _verb in (
    run.run, search.search, report.report, predict.predict, analyse.analyse, prune.prune, reproduce.reproduce,
    bench.bench, doctor.doctor,
):  # fmt: skip
    app.command()(_verb)
app.add_typer(data.data_app, name="data")
app.add_typer(export.export_app, name="export")
