"""`hrsnn bench`: measure speed against the limit of the machine and other simulators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hrsnn.cli.app import MOST, OK, Json, Quiet, Verb, print_json, stop_on_termination


def bench(
    workload: Annotated[
        list[str] | None, typer.Option(help="Only this one, e.g. W1. Repeatable.", show_default="all")
    ] = None,
    neurons: Annotated[
        list[int] | None,
        typer.Option(min=1, max=MOST, help="Number of neurons. Repeatable.", show_default="1000, 2000, 5000"),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Rounds.", show_default="5, with --quick 3")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One size, no growth.")] = False,
    peers: Annotated[
        Path | None,
        typer.Option(help="Environments of other simulators; else $HRSNN_PEERS, else ./.peers.", show_default=False),
    ] = None,
    no_peers: Annotated[bool, typer.Option("--no-peers", help="hrsnn and the limit alone.")] = False,
    out: Annotated[Path, typer.Option(help="Where bench.json and bench.html go.")] = Path("bench-results"),
    as_json: Json = False,
    quiet: Quiet = False,
) -> Verb:
    """Measure the speed of hrsnn against the machine's limit and other simulators; write bench.json and bench.html."""

    def do() -> int:
        stop_on_termination()
        from hrsnn import bench
        from hrsnn._checks import require
        from hrsnn.console import Display, bench_text
        from hrsnn.network_file import write_atomically
        from hrsnn.report import write_document
        from hrsnn.speed import read

        require(not (peers and no_peers), "hrsnn bench", "--peers", "must not stand beside --no-peers", str(peers))
        folder = None if no_peers else bench.peer_folder(peers)
        steps = bench.plan(workload or (), peers=folder, neurons=neurons or (), quick=quick)
        out.mkdir(parents=True, exist_ok=True)
        with Display(quiet=quiet) as display:
            document = bench.run_suite(steps, rounds=rounds or (3 if quick else 5), say=display.say)
        write_atomically(out / "bench.json", (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
        report = write_document(document, out / "bench.html")
        if as_json:
            print_json(document)
        else:
            print(f"{bench_text(read(document))}\nReport: {report}")
        return OK

    return do
