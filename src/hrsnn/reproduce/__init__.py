"""Tables, figures and claims of the papers, made again by name: `hrsnn reproduce`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrsnn._checks import did_you_mean, require
from hrsnn.reproduce.scales import SCALES, Scale, scale_named

__all__ = ["REPRODUCTIONS", "SCALES", "Reproduction", "reproduce"]

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What can be made again: its name, what it is, and the function that writes its files and gives the document."""

    name: str
    description: str
    make: Callable[[Scale, Path, str, Say], dict[str, Any]]


def _claims(scale: Scale, out: Path, command: str, say: Say) -> dict[str, Any]:
    from hrsnn.network_file import write_atomically
    from hrsnn.report.claims import claims_markdown, write_claims_page
    from hrsnn.reproduce.claims import claims_document
    from hrsnn.run_directory import as_json

    document = claims_document(scale, out, command=command, say=say)
    write_atomically(out / "CLAIMS.md", claims_markdown(document).encode())
    write_claims_page(document, out / "claims.html")
    write_atomically(out / "claims.json", as_json(document))  # last: its presence says complete
    return document


REPRODUCTIONS = {
    "claims": Reproduction("claims", "every published claim, the test run here, its effect and a verdict", _claims),
}


def reproduce(
    name: str,
    *,
    scale: str = "small",
    out: Path | None = None,
    n_seeds: int | None = None,
    say: Say = lambda line: None,
) -> tuple[Path, dict[str, Any]]:
    """Make one of `REPRODUCTIONS` again; its directory and document.

    scale     "smoke" (seconds: a test), "small" (half an hour on one core) or "paper" (sizes of the papers: days)
    out       None is reproduce/<name>-<scale>; what a run that was stopped left there is gone on with
    n_seeds   pairs of every comparison instead of those of the scale
    say       is told how it goes on

    Raises `InputError` for an unknown name or scale, `RunError` when something of it cannot be done.
    """
    remedy = did_you_mean(name, REPRODUCTIONS)
    known = ", ".join(REPRODUCTIONS)
    require(name in REPRODUCTIONS, "hrsnn reproduce", "NAME", f"must be one of {known}", name, remedy=remedy)
    sizes = scale_named(scale)
    sizes = sizes if n_seeds is None else sizes.with_seeds(n_seeds)
    folder = Path("reproduce") / f"{name}-{scale}" if out is None else out
    command = f"hrsnn reproduce {name} --scale {scale}" + (f" --seeds {n_seeds}" if n_seeds is not None else "")
    return folder, REPRODUCTIONS[name].make(sizes, folder, command, say)
