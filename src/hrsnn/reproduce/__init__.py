"""Tables, figures and claims of the papers, made again by name: `hrsnn reproduce`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrsnn._checks import did_you_mean, require
from hrsnn.reproduce.scales import ATLAS_SCALES, PRUNING_SCALES, SCALES, SEARCH_SCALES, Order, Say, Sizes

__all__ = [
    "ATLAS_SCALES", "PRUNING_SCALES", "REPRODUCTIONS", "SCALES", "SEARCH_SCALES", "Reproduction", "reproduce",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What can be made again: what it is, at which scales, and the function that writes its files.

    `make` leaves `name`.html in the directory and gives the document, which is written last.
    """

    name: str
    description: str
    scales: Mapping[str, Sizes]
    make: Callable[[str, Order], dict[str, Any]]


def _claims(name: str, order: Order) -> dict[str, Any]:
    from hrsnn.network_file import write_atomically
    from hrsnn.report import write_document
    from hrsnn.report.claims import claims_markdown
    from hrsnn.reproduce.claims import claims_document

    document = claims_document(order)
    write_atomically(order.out / "CLAIMS.md", claims_markdown(document).encode())
    write_document(document, order.out / f"{name}.html")
    return document


def _atlas(name: str, order: Order) -> dict[str, Any]:
    from hrsnn.report import write_document
    from hrsnn.reproduce.atlas import atlas_document

    document = atlas_document(order)
    write_document(document, order.out / f"{name}.html")
    return document


def _pruning(name: str, order: Order) -> dict[str, Any]:
    from hrsnn.report import write_document
    from hrsnn.reproduce.designs import pruning_document

    document = pruning_document(name, order)
    write_document(document, order.out / f"{name}.html")
    return document


def _searches(name: str, order: Order) -> dict[str, Any]:
    from hrsnn.report import write_document
    from hrsnn.reproduce.searches import searches_document

    document = searches_document(name, order)
    write_document(document, order.out / f"{name}.html")
    return document


REPRODUCTIONS = {
    entry.name: entry
    for entry in (
        Reproduction("claims", "every published claim, the test run here, its effect and a verdict", SCALES, _claims),
        Reproduction("figure6", "convergence of the search, by laws and by samplers that know none", SEARCH_SCALES,
                     _searches),
        Reproduction("figure9", "score, memory and spikes of networks found for each objective, and of hand-set ones",
                     SEARCH_SCALES, _searches),
        Reproduction("figure10", "neurons, synapses and error while pruning goes on", PRUNING_SCALES, _pruning),
        Reproduction("figure11", "membrane time constants before and after pruning", PRUNING_SCALES, _pruning),
        Reproduction("figure12", "Lyapunov noise pruning without one or other of its steps", PRUNING_SCALES, _pruning),
        Reproduction("table5", "forecasts of four series by pruned networks, beside the published numbers",
                     PRUNING_SCALES, _pruning),
        Reproduction("atlas", "where heterogeneity pays: conditions, kinds of heterogeneity, and advice", ATLAS_SCALES,
                     _atlas),
    )
}  # fmt: skip


def reproduce(
    name: str,
    *,
    scale: str = "small",
    out: Path | None = None,
    n_seeds: int | None = None,
    data_dir: Path | None = None,
    n_jobs: int | None = None,
    executor: Executor | str | None = None,
    say: Say = lambda line: None,
) -> tuple[Path, dict[str, Any]]:
    """Make one of `REPRODUCTIONS` again; its directory and document.

    scale     "smoke" (seconds: a test), "small" (up to an hour on one core) or "paper" (sizes of the papers: days)
    out       None is reproduce/<name>-<scale>; what a run that was stopped left there is gone on with
    n_seeds   pairs of every comparison instead of those of the scale
    data_dir  where recorded data lie (else $HRSNN_DATA, else the user cache)
    n_jobs    processes; 1, or None, works in this one; no number depends on it
    executor  does the units instead: any executor, which is left running, or "dask://HOST:PORT"; its workers must see
              `out` and the data under the same names
    say       is told how it goes on

    Raises `InputError` for an unknown name or scale, `RunError` when something of it cannot be done.
    """
    from hrsnn.data import data_directory
    from hrsnn.network_file import write_atomically
    from hrsnn.outcome import as_json

    remedy = did_you_mean(name, REPRODUCTIONS)
    known = ", ".join(REPRODUCTIONS)
    require(name in REPRODUCTIONS, "hrsnn reproduce", "NAME", f"must be one of {known}", name, remedy=remedy)
    entry = REPRODUCTIONS[name]
    remedy, known = did_you_mean(scale, entry.scales), ", ".join(entry.scales)
    require(scale in entry.scales, "hrsnn reproduce", "--scale", f"must be one of {known}", scale, remedy=remedy)
    sizes = entry.scales[scale] if n_seeds is None else entry.scales[scale].with_seeds(n_seeds)
    folder = Path("reproduce") / f"{name}-{scale}" if out is None else out
    command = f"hrsnn reproduce {name} --scale {scale}" + (f" --seeds {n_seeds}" if n_seeds is not None else "")
    data = data_directory(data_dir).absolute()
    document = entry.make(name, Order(sizes, folder, command, data, n_jobs, executor, say))
    write_atomically(folder / f"{name}.json", as_json(document))  # last: its presence says complete
    return folder, document
