"""`hrsnn analyse`: measure a network."""

from __future__ import annotations

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
    StepMs,
    Verb,
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
    delays: Annotated[
        int | None,
        typer.Option(min=1, max=MOST, help="Longest delay of the memory, in input samples.", show_default="100"),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Input samples of the memory.", show_default="20 per neuron")
    ] = None,
    exponents: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Leading Lyapunov exponents.", show_default="64")
    ] = None,
    gain: Annotated[
        float | None, typer.Option(help="Of the surrogate spike of Lyapunov exponents.", show_default="3")
    ] = None,
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
    dt_ms: StepMs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Verb:
    """Measure memory, ranks, Lyapunov spectrum, efficiency and heterogeneity of a network; write analysis.html."""

    def do() -> int:
        stop_on_termination()
        from hrsnn import verbs
        from hrsnn.analysis.lyapunov import SURROGATE_GAIN
        from hrsnn.analysis.memory import N_DELAYS
        from hrsnn.console import Display, analysis_text
        from hrsnn.survey import Depth

        with Display(quiet=quiet) as display:
            document = verbs.analyse(
                network, arm=arm, set=set_ or (), seed=seed, surrogate_gain=SURROGATE_GAIN if gain is None else gain,
                importance=importance, jobs=jobs, out=out, force=force, data_dir=data_dir, dt_ms=dt_ms, say=display.say,
                depth=Depth(N_DELAYS if delays is None else delays, n_samples=samples, n_exponents=exponents),
            )  # fmt: skip
        page = verbs.write_analysis(document) if out is None else out / verbs.ANALYSIS_PAGE
        if as_json:
            print_json(document)
        else:
            print(f"{analysis_text(document)}\nReport: {page}")
        return OK

    return do
