"""`hrsnn prune`: make a network smaller."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from hrsnn.cli.app import (
    INTERRUPTED,
    MOST,
    OK,
    ArmName,
    DataDir,
    Json,
    NetworkSource,
    Quiet,
    StepMs,
    Verb,
    complain,
    print_json,
    stop_on_termination,
)


def prune(
    network: NetworkSource = None,
    keep_synapses: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE | N", help="Recurrent synapses to keep: 0.05 is a share, 500 a count.", show_default="0.05"
        ),
    ] = None,
    keep_neurons: Annotated[
        str | None, typer.Option(metavar="SHARE | N", help="Neurons to keep.", show_default=False)
    ] = None,
    max_synops: Annotated[
        float | None,
        typer.Option(min=1, help="Synaptic operations per second under the standard drive.", show_default=False),
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(min=1, max=2**53, help="Memory on a device.", show_default=False)
    ] = None,
    method: Annotated[str | None, typer.Option(help="How synapses are chosen.", show_default="lnp")] = None,
    iterations: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Steps to the target; 1 goes there at once.", show_default="1")
    ] = None,
    arm: ArmName = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change a value, e.g. prune.lnp.edges=none. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice, the drive, and a network to build.")] = 0,
    out: Annotated[Path, typer.Option(help="Where pruned.safetensors, trajectory.json and pruning.html go.")] = Path(
        "pruned"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Finish what was begun in --out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what is in --out.")] = False,
    data_dir: DataDir = None,
    dt_ms: StepMs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Verb:
    """Make a network smaller without looking at a task; write it with the way there and pruning.html."""

    def do() -> int:
        stop_on_termination()
        from hrsnn import verbs
        from hrsnn.console import Display, pruning_text
        from hrsnn.pruning.session import NETWORK, REPORT

        with Display(quiet=quiet) as display:
            try:
                document = verbs.prune(
                    network, keep_synapses=keep_synapses, keep_neurons=keep_neurons, max_synops_per_s=max_synops,
                    max_bytes=max_bytes, method=method, n_iterations=iterations, set=set_ or (), arm=arm, seed=seed,
                    out=out, resume=resume, force=force, data_dir=data_dir, dt_ms=dt_ms, on_snapshot=display.pruned,
                    say=display.say,
                ).document  # fmt: skip
            except KeyboardInterrupt:
                display.close()
                complain("interrupted")
                options = {
                    "--keep-synapses": keep_synapses, "--keep-neurons": keep_neurons, "--max-synops": max_synops,
                    "--max-bytes": max_bytes, "--method": method, "--iterations": iterations, "--arm": arm,
                    "--seed": seed, "--out": out, "--data-dir": data_dir, "--dt-ms": dt_ms,
                }  # fmt: skip
                line = _resume_line(network, set_ or (), options)
                print(f"what is finished is kept; go on with:\n  {line}", file=sys.stderr)
                return INTERRUPTED
        if as_json:
            print_json(document)
        else:
            print(f"{pruning_text(document)}\nNetwork: {out / NETWORK}\nReport: {out / REPORT}")
        return OK

    return do


def _resume_line(network: str | None, set_: Sequence[str], options: Mapping[str, object]) -> str:
    """The line that goes on where pruning was interrupted."""
    words = ["hrsnn", "prune", *([network] if network else [])]
    words += [word for change in set_ for word in ("--set", change)]
    words += [word for option, value in options.items() if value is not None for word in (option, str(value))]
    return shlex.join([*words, "--resume"])
