"""`hrsnn analyse`: measure a network."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from hrsnn.cli.app import (
    MOST,
    OK,
    ArmName,
    DataDir,
    Json,
    NetworkSource,
    Quiet,
    Verb,
    network_of,
    print_json,
    stop_on_termination,
)


def analyse(
    network: NetworkSource = None,
    arm: ArmName = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Of a config: change a value. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the drive and stimuli, and of a network to build.")] = 0,
    delays: Annotated[int, typer.Option(min=1, max=MOST, help="Longest delay of the memory, in input samples.")] = 100,
    samples: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Input samples of the memory.", show_default="20 per neuron")
    ] = None,
    exponents: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Leading Lyapunov exponents.", show_default="64")
    ] = None,
    gain: Annotated[float, typer.Option(help="Of the surrogate spike of Lyapunov exponents.")] = 3.0,
    importance: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST, help="Of a config: Shapley importance over this many seeds (minutes).", show_default="off"
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes, for importance.", show_default="one per core")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where analysis.json and analysis.html go.", show_default="analysis/<name>-<k>"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the analysis in --out.")] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Verb:
    """Measure memory, ranks, Lyapunov spectrum, efficiency and heterogeneity of a network; write analysis.html."""

    def do() -> int:
        stop_on_termination()
        from hrsnn._checks import require
        from hrsnn.analysis.importance import require_shapiq
        from hrsnn.console import Display, analysis_text
        from hrsnn.network_file import write_atomically
        from hrsnn.report import write_document
        from hrsnn.run_directory import RunDirectory
        from hrsnn.survey import Depth, importance_of
        from hrsnn.survey import analyse as measure
        from hrsnn.work.workers import process_pool, usable_cpus

        if out is not None:
            require(not out.is_file(), "hrsnn analyse", "--out", "must be a directory", str(out))
            given = force or not any((out / file).exists() for file in ("analysis.json", "analysis.html"))
            remedy = "give another --out, or --force to replace it"
            require(given, "hrsnn analyse", "--out", "must not hold an analysis", str(out), remedy=remedy)
        name, subject, spec = network_of(
            "hrsnn analyse", network, arm=arm, overrides=set_ or (), seed=seed, data_dir=data_dir
        )
        depth = Depth(n_delays=delays, n_samples=samples, n_exponents=exponents)
        given, remedy = importance is None or spec is not None, "give the config that the network was built from"
        require(given, "hrsnn analyse", "--importance", "needs a config", network, remedy=remedy)
        if importance is not None:
            require_shapiq()
        with Display(quiet=quiet) as display:
            document = measure(
                subject, name=name, seed=seed, depth=depth, surrogate_gain=gain, n_threads=os.cpu_count() or 1,
                say=display.say,
            )  # fmt: skip
            if importance is not None and spec is not None:
                display.say(f"importance: 16 networks for each of {importance} seeds")
                with process_pool(jobs or usable_cpus()) as pool:
                    shares = importance_of(spec, n_seeds=importance, seed=seed, depth=depth, executor=pool)
                document["importance"] = shares
        folder = RunDirectory.next_free(name, Path("analysis")).path if out is None else out
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "analysis.json", (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
        report = write_document(document, folder / "analysis.html")
        if as_json:
            print_json(document)
        else:
            print(f"{analysis_text(document)}\nReport: {report}")
        return OK

    return do
