"""Snapshots of a schedule in a folder, from which a run that was stopped goes on (method.md 12.6).

plan.json                  what all networks follow from: a digest of the start, target, criterion, seed
snapshot-003.safetensors   the network after the third iteration
snapshot-003.json          the rest of the snapshot, written last; this and the plan are units of `hrsnn.work.store`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn._checks import FileError, InputError, real_array, real_number, require
from hrsnn.network_file import load, save
from hrsnn.outcome import plain_values
from hrsnn.pruning.schedule import QUANTILES, Snapshot
from hrsnn.work.store import Store

SCHEMA = "hrsnn.snapshots/1"
_OWN_FILE = re.compile(r"plan\.json|snapshot-\d+\.(json|safetensors)|\.(plan|snapshot-\d+)\..*\.tmp")


@dataclass(frozen=True, slots=True)
class SnapshotFolder:
    """The `Keeper` of `prune` in a folder, which is made if need be. One process at a time.

    A snapshot that is damaged or was changed, which `say` is told, or that was not finished, is made again with all
    that come after it.
    """

    path: Path
    say: Callable[[str], None] = lambda _: None

    def begin(self, plan: Mapping[str, Any]) -> list[Snapshot]:
        """The snapshots of `plan` that are there, in order from the first.

        Raises `InputError` for a folder that holds something else, or snapshots of another plan, naming what differs.
        """
        facts = {"schema": SCHEMA, **plan}
        self.path.mkdir(parents=True, exist_ok=True)
        Store(self.path).sweep()
        if not Store(self.path).file("plan").exists():
            if any(self.path.iterdir()):
                raise InputError(f"{self.path} holds files but no snapshots of hrsnn; give another folder")
            Store(self.path).keep("plan", facts)
        self._check_same(facts)
        return self.read()

    def read(self) -> list[Snapshot]:
        """All snapshots, in order, up to the first that is missing or damaged."""
        found: list[Snapshot] = []
        try:
            while True:
                found.append(self._read(len(found)))
        except FileError as error:
            if Store(self.path).file(_name(len(found))).exists():
                self.say(f"{error}; it is made again, and all that come after it")
            return found

    def clear(self) -> None:
        """Remove the files of snapshots. Raises `InputError`, and removes nothing, where the folder holds others."""
        files = list(self.path.iterdir()) if self.path.is_dir() else []
        others = sorted(file.name for file in files if not _OWN_FILE.fullmatch(file.name))
        if others:
            shown = ", ".join([*others[:3], *(["..."] if len(others) > 3 else [])])
            raise InputError(f"{self.path} holds files that are not snapshots of hrsnn ({shown}); give another folder")
        for file in files:
            file.unlink()

    @property
    def is_begun(self) -> bool:
        """Snapshots of some plan were begun here."""
        return Store(self.path).found("plan", schema=SCHEMA) is not None

    def write(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; it is there whole or not at all."""
        facts = {f.name: getattr(snapshot, f.name) for f in fields(snapshot) if f.name != "network"}
        name = _name(snapshot.index)
        Store(self.path).keep(name, facts, {f"{name}.safetensors": partial(save, snapshot.network)})

    def _read(self, index: int) -> Snapshot:
        path = Store(self.path).file(_name(index))
        facts = Store(self.path).read(_name(index))
        try:
            facts["neurons"] = np.array(facts["neurons"], dtype=np.int64)
            quantiles = real_array("Snapshot", "weight_quantiles", facts["weight_quantiles"])
            require(quantiles.shape == (len(QUANTILES),), "Snapshot", "weight_quantiles", "must be one per quantile",
                    f"shape {quantiles.shape}")  # fmt: skip
            facts["weight_quantiles"] = tuple(facts["weight_quantiles"])
            for name in ("mean_rate_hz", "synops_recurrent_per_s", "synops_input_per_s", "footprint_bytes"):
                real_number("Snapshot", name, facts[name], at_least=0)
            snapshot = Snapshot(network=load(path.with_suffix(".safetensors")), **facts)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileError(f"{path} is damaged: {error}") from error
        if snapshot.index != index:
            raise FileError(f"{path} belongs to another network")
        return snapshot

    def _check_same(self, facts: Mapping[str, Any]) -> None:
        try:
            found = Store(self.path).read("plan")
        except FileError as error:
            raise FileError(f"{error}; give another folder") from error
        ours = plain_values(dict(facts))
        other = [name for name in sorted({*found, *ours}) if found.get(name) != ours.get(name)]
        if other:
            differences = "; ".join(f"{name} {found.get(name)!r} there, {ours.get(name)!r} here" for name in other)
            raise InputError(f"{self.path} holds snapshots of other pruning ({differences}); give another folder")


def _name(index: int) -> str:
    return f"snapshot-{index:03d}"
