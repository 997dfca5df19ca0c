"""`hrsnn prune` as a function: a directory with the pruned network, the way there, and what to go on from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrsnn._checks import InputError
from hrsnn.network import Network
from hrsnn.network_file import save, write_atomically
from hrsnn.pruning.document import document_of
from hrsnn.pruning.methods import criterion_of
from hrsnn.pruning.options import Options
from hrsnn.pruning.schedule import Keeper, Snapshot, Trajectory, prune
from hrsnn.pruning.snapshots import SnapshotFolder
from hrsnn.pruning.spec import PruneSpec
from hrsnn.pruning.target import target_of
from hrsnn.vocabulary import PRUNING

NETWORK, DOCUMENT, REPORT, SNAPSHOTS = "pruned.safetensors", "trajectory.json", "pruning.html", "snapshots"


@dataclass(frozen=True, slots=True, eq=False)
class Pruned:
    """A network made smaller: the way there, and the document of `hrsnn prune --json`, plain values."""

    trajectory: Trajectory
    document: dict[str, Any]

    @property
    def network(self) -> Network:
        """The smaller one."""
        return self.trajectory.network


def prune_by_table(
    dense: Network,
    spec: PruneSpec,
    *,
    name: str,
    seed: int,
    n_threads: int,
    on_snapshot: Callable[[Snapshot], object],
    say: Callable[[str], None],
    store: Keeper | None = None,
) -> Pruned:
    """`dense` pruned by the first method of `spec`, under the standard drive. Arguments as of `prune_into`."""
    method = spec.methods[0]
    steps = "one step" if spec.n_iterations == 1 else f"{spec.n_iterations} steps"
    say(f"{name}: pruned by {method} in {steps}, then looked at before and after")
    trajectory = prune(
        dense,
        target_of(spec, dense),
        criterion_of(method, Options(spec.lnp, n_threads=n_threads)),
        n_iterations=spec.n_iterations,
        seed=seed,
        correct=spec.correct,
        store=store,
        on_snapshot=on_snapshot,
    )
    settings = {**spec.model_dump(exclude={"methods"}), "drive": "standard"}
    document = document_of(dense, trajectory, name=name, method=method, settings=settings, seed=seed, say=say)
    return Pruned(trajectory, document)


def prune_into(
    out: Path,
    dense: Network,
    spec: PruneSpec,
    *,
    name: str = "network",
    seed: int = 0,
    resume: bool = False,
    force: bool = False,
    n_threads: int = 1,
    on_snapshot: Callable[[Snapshot], object] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Pruned:
    """`prune_by_table`, which leaves pruned.safetensors, trajectory.json and snapshots in `out`.

    name          of the network, for the document
    seed          of the choices and of the drive
    resume        go on from the snapshots in `out`, which must be of the same network, table and seed
    force         remove what an earlier call left in `out`
    n_threads     no number depends on it
    on_snapshot   called with each snapshot; `say` with a line on what comes next

    Raises `InputError` for a directory that may not be used, and as `prune`.
    """
    if resume and force:
        raise InputError("--resume keeps what is there and --force clears it; give one of them")
    _make_ready(out, resume=resume, force=force)
    pruned = prune_by_table(
        dense, spec, name=name, seed=seed, n_threads=n_threads, on_snapshot=on_snapshot, say=say,
        store=SnapshotFolder(out / SNAPSHOTS, say),
    )  # fmt: skip
    save(pruned.network, out / NETWORK)
    write_atomically(out / DOCUMENT, (json.dumps(pruned.document, indent=1, allow_nan=False) + "\n").encode())
    return pruned


def _make_ready(out: Path, *, resume: bool, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a directory")
    if force:
        names = [name for name in (DOCUMENT, NETWORK, REPORT) if (out / name).exists()]
        if names and not (_holds_document(out) or SnapshotFolder(out / SNAPSHOTS).is_begun):
            raise InputError(f"--out {out} holds {' and '.join(names)}, but not from pruning; give another directory")
        SnapshotFolder(out / SNAPSHOTS).clear()
        for name in names:
            (out / name).unlink()
    elif not resume:
        if (out / DOCUMENT).exists():
            raise InputError(f"{out} holds a pruned network; give another --out, or --force to replace it")
        if any((out / SNAPSHOTS).glob("*")):
            raise InputError(
                f"{out} holds pruning that was not finished; add --resume to go on, or --force to start over"
            )


def _holds_document(out: Path) -> bool:
    try:
        document = json.loads((out / DOCUMENT).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("schema") == PRUNING.text
