"""`hrsnn prune`: make a network smaller."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    Verb,
    complain,
    is_saved,
    network_of,
    print_json,
    stop_on_termination,
)

if TYPE_CHECKING:
    from hrsnn.network import Network
    from hrsnn.pruning.spec import PruneSpec


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
    as_json: Json = False,
    quiet: Quiet = False,
) -> Verb:
    """Make a network smaller without looking at a task; write it with the way there and pruning.html."""

    def do() -> int:
        stop_on_termination()
        from hrsnn.console import Display, pruning_text
        from hrsnn.pruning.session import NETWORK, REPORT, prune_into
        from hrsnn.report import write_document

        budget = max_synops is not None or max_bytes is not None
        options = {
            "methods": None if method is None else json.dumps([method]),
            "keep_synapses": 0 if budget and keep_synapses is None else keep_synapses, "keep_neurons": keep_neurons,
            "max_synops_per_s": max_synops, "max_bytes": max_bytes, "n_iterations": iterations,
        }  # fmt: skip
        overrides = [*(set_ or ()), *(f"prune.{key}={value}" for key, value in options.items() if value is not None)]
        name, dense, spec = _to_prune(network, arm=arm, overrides=overrides, seed=seed, data_dir=data_dir)
        with Display(quiet=quiet) as display:
            try:
                document = prune_into(
                    out, dense, spec, name=name, seed=seed, resume=resume, force=force, n_threads=os.cpu_count() or 1,
                    on_snapshot=lambda one: display.pruned(one, spec.n_iterations), say=display.say,
                )  # fmt: skip
            except KeyboardInterrupt:
                display.close()
                complain("interrupted")
                line = _prune_command(network, arm=arm, overrides=overrides, seed=seed, out=out, data_dir=data_dir)
                print(f"what is finished is kept; go on with:\n  {line}", file=sys.stderr)
                return INTERRUPTED
        report = write_document(document, out / REPORT)
        if as_json:
            print_json(document)
        else:
            print(f"{pruning_text(document)}\nNetwork: {out / NETWORK}\nReport: {report}")
        return OK

    return do


def _to_prune(
    source: str | None, *, arm: str | None, overrides: Sequence[str], seed: int, data_dir: Path | None
) -> tuple[str, Network, PruneSpec]:
    """What to call it, the network, and the table `[prune]`; a saved network has no other table."""
    from hrsnn.config import load_config, prune_table
    from hrsnn.pruning.spec import PruneSpec

    if is_saved(source):
        spec = prune_table(overrides)
        name, network, _ = network_of("hrsnn prune", source, arm=arm, overrides=(), seed=seed, data_dir=data_dir)
        return name, network, spec
    name, network, _ = network_of("hrsnn prune", source, arm=arm, overrides=overrides, seed=seed, data_dir=data_dir)
    return name, network, load_config(source, overrides, data_dir=data_dir).prune or PruneSpec()


def _prune_command(
    source: str | None, *, arm: str | None, overrides: Sequence[str], seed: int, out: Path, data_dir: Path | None
) -> str:
    """The line that goes on where pruning was interrupted."""
    words = ["hrsnn", "prune", *([source] if source else []), *(["--arm", arm] if arm else [])]
    words += [word for override in overrides for word in ("--set", override)]
    words += ["--seed", str(seed), "--out", str(out), *(["--data-dir", str(data_dir)] if data_dir else [])]
    return shlex.join([*words, "--resume"])
