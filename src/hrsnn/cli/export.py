"""`hrsnn export`: write a network for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hrsnn.cli.app import OK, ArmName, DataDir, Json, NetworkSource, Quiet, StepMs, Verb, print_json

export_app = typer.Typer(help="Write a network for other tools.", rich_markup_mode=None, no_args_is_help=True)


@export_app.callback()  # a single command would be the group itself otherwise
def _export() -> None:
    pass


@export_app.command("nir")
def export_nir(
    network: NetworkSource = None,
    flavour: Annotated[
        str | None,
        typer.Option(
            metavar="current | 1.0.4", help="Release of NIR.", show_default="what the partner reads, or current"
        ),
    ] = None,
    decay: Annotated[
        str | None,
        typer.Option(
            metavar="exact | euler",
            help="Time constants as they are, or for steps that decay by 1 - dt/tau.",
            show_default="what the partner steps by, or exact",
        ),
    ] = None,
    split_populations: Annotated[
        bool, typer.Option("--split-populations", help="A node of neurons for each population.")
    ] = False,
    partner: Annotated[
        str | None,
        typer.Option("--for", metavar="PARTNER", help="norse, sinabs, snntorch or spyx, whose ways the graph follows."),
    ] = None,
    check: Annotated[
        str | None, typer.Option(metavar="PARTNER", help="Write for this partner, run it there, compare spikes.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The file.", show_default="<name>.nir")] = None,
    arm: ArmName = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Of a config: change a value. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of a network to build.")] = 0,
    data_dir: DataDir = None,
    dt_ms: StepMs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Verb:
    """Write a network as a NIR graph, which other frameworks of spiking networks read; say what they do not see."""

    def do() -> int:  # there is no progress that `quiet` could leave out
        from hrsnn import verbs
        from hrsnn._checks import require
        from hrsnn.console import export_text

        ok = check is None or partner is None or check == partner
        require(ok, "export", "--for", f"must be the partner of --check, {check}", partner)
        done = verbs.export(
            "nir", network, flavour=flavour, decay=decay, split_populations=split_populations,  # type: ignore[arg-type]
            partner=check or partner, check=check is not None, out=out, arm=arm, set=set_ or (), seed=seed,
            data_dir=data_dir, dt_ms=dt_ms,
        )  # fmt: skip
        if as_json:
            print_json(done.document)
        else:
            print(export_text(done.document))
        return OK

    return do
