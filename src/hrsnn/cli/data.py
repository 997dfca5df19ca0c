"""`hrsnn data`: list, check and download data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrsnn.cli.app import FAILED, OK, DataDir, Json, Verb, print_json

if TYPE_CHECKING:
    from hrsnn.data import Entry

data_app = typer.Typer(help="List, check and download data sets.", rich_markup_mode=None, no_args_is_help=False)


@data_app.callback(invoke_without_command=True)
def _data(context: typer.Context) -> Verb | None:
    return data_list() if context.invoked_subcommand is None else None


@data_app.command("list")
def data_list(data_dir: DataDir = None, as_json: Json = False) -> Verb:
    """List the data sets by name."""

    def do() -> int:
        from hrsnn.console import aligned
        from hrsnn.data import catalogue, data_directory

        directory = data_directory(data_dir)
        entries = [(entry, _state(entry, directory)) for entry in catalogue()]
        if as_json:
            fields = ("name", "kind", "description", "size", "licence", "availability")
            rows = [{**{f: getattr(entry, f) for f in fields}, "state": state} for entry, state in entries]
            print_json({"directory": str(directory), "data_sets": rows})
            return OK
        table = [[e.name, e.size, state, e.licence, e.description] for e, state in entries]
        for line in aligned([["name", "size", "state", "licence", "what it is"], *table], to_right=()):
            print(line)
        print(f"Data directory: {directory}")
        return OK

    return do


@data_app.command("check")
def data_check(
    name: Annotated[str | None, typer.Argument(help="A data set; all when absent.", show_default=False)] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> Verb:
    """Compare the files of a data set with their checksums.

    Exit code 1 when a file is damaged, or missing from the data set that was named.
    """

    def do() -> int:
        from hrsnn.data import catalogue, check

        names = [name] if name else [entry.name for entry in catalogue()]
        found = {n: check(n, data_dir) for n in names}
        if as_json:
            states = {n: [{"path": str(f.path), "state": f.state, "detail": f.detail} for f in found[n]] for n in names}
            print_json(states)
        else:
            for n in names:
                for file in found[n]:
                    print(f"{n}: {file.path}: {file.state}" + (f" ({file.detail})" if file.detail else ""))
                if not found[n]:
                    print(f"{n}: ok (needs no file)")
        bad = {"damaged", "missing"} if name else {"damaged"}
        return FAILED if any(file.state in bad for files in found.values() for file in files) else OK

    return do


@data_app.command("download")
def data_download(
    name: Annotated[str, typer.Argument(help="A data set.", show_default=False)],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> Verb:
    """Download a data set from its publisher into the data directory."""

    def do() -> int:
        from hrsnn.data import download

        paths = [str(path) for path in download(name, data_dir)]
        if as_json:
            print_json({"files": paths})
        else:
            print("\n".join(paths))
        return OK

    return do


def _state(entry: Entry, directory: Path) -> str:
    if not entry.files:
        return entry.availability
    forms = [{directory / path, directory / path.removesuffix(".gz")} for path, _ in entry.files]
    if all(any(form.is_file() for form in either) for either in forms):
        return "there"
    return "can be downloaded" if entry.availability == "download" else "not there"
