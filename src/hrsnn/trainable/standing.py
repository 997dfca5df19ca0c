"""Where training stands: after which epoch, the best so far, and both as a file to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hrsnn._checks import FileError, InputError, require
from hrsnn.network import Network
from hrsnn.network_file import load_tensors, save_tensors
from hrsnn.outcome import digest_of
from hrsnn.spikes import Spikes
from hrsnn.trainable.settings import Settings
from hrsnn.work.store import key_of

SCHEMA = "hrsnn.training/1"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of each parameter, as AdamW keeps them

Parts = Mapping[str, Any]  # "module" and "head" with their parameters, "optimiser" of both


@dataclass(slots=True)
class Standing:
    """Training after `epoch` epochs; `best` are the parameters of the module after `best_epoch`.

    Of epochs that are equally good the first is the best. Without a score to choose by the last is.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -float("inf")
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    chooses: bool = True

    def after(self, score: float, parts: Parts) -> None:
        """One more epoch, with this score."""
        self.epoch += 1
        if not self.chooses or score > self.best_score or not self.best:
            self.best_epoch, self.best_score = self.epoch, score
            self.best = {name: p.detach().clone() for name, p in parts["module"].named_parameters()}

    def is_over(self, patience: int) -> bool:
        return bool(patience) and self.epoch - self.best_epoch >= patience

    def restore_best(self, parts: Parts) -> None:
        parts["module"].load_state_dict(self.best, strict=False)

    def write(self, path: Path | None, key: str, parts: Parts) -> None:
        """Everything that what comes hangs on, atomically; nowhere if there is no path."""
        if path is None:
            return
        columns = {f"best.{name}": _array(value) for name, value in self.best.items()}
        for part in ("module", "head"):
            columns |= {f"{part}.{name}": _array(p) for name, p in parts[part].named_parameters()}
        for number, moments in parts["optimiser"].state_dict()["state"].items():
            columns |= {f"moments.{number}.{name}": _array(moments[name]) for name in _MOMENTS}
        facts = {"epoch": self.epoch, "best_epoch": self.best_epoch, "best_score": self.best_score}
        save_tensors(path, columns, {"schema": SCHEMA, "key": key, **facts})

    @classmethod
    def read(cls, path: Path | None, key: str, parts: Parts, *, chooses: bool = True) -> Standing:
        """What a file says of this training, whose parts then stand where it stood; the beginning where none does.

        Raises `InputError` where the file is another one, or cannot be written.
        """
        if path is None:
            return cls(chooses=chooses)
        require(path.parent.is_dir(), "learn", "checkpoint", "must lie in a folder that exists", path)
        require(not path.is_dir(), "learn", "checkpoint", "must be a file", path)
        if not path.exists():
            return cls(chooses=chooses)
        try:
            columns, facts = load_tensors(path, SCHEMA)
        except FileError as error:
            if not _is_ours(path):
                raise InputError(
                    f"`checkpoint` of `learn` must not be a file of something else, which would be lost, got {path}; "
                    "give another path"
                ) from error
            return cls(chooses=chooses)  # of an older version, or damaged: training begins anew
        if facts.get("key") != key:
            return cls(chooses=chooses)
        tensors = {name: torch.from_numpy(np.array(column)) for name, column in columns.items()}
        for part in ("module", "head"):
            parts[part].load_state_dict(_below(f"{part}.", tensors), strict=False)
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in _below("moments.", tensors).items():
            number, _, moment = name.partition(".")
            state.setdefault(int(number), {})[moment] = value
        groups = parts["optimiser"].state_dict()["param_groups"]
        parts["optimiser"].load_state_dict({"state": state, "param_groups": groups})
        best = _below("best.", tensors)
        return cls(facts["epoch"], facts["best_epoch"], facts["best_score"], best, chooses)


def _is_ours(path: Path) -> bool:
    """Whether a file that cannot be read begins as one that training keeps, of any version; or has nothing in it."""
    with path.open("rb") as file:
        head = file.read(2**16)
    return not head or SCHEMA.split("/")[0].encode() in head


def key_of_training(
    network: Network, spikes: Spikes, labels: NDArray[np.int64] | None, n_classes: int, chosen: NDArray[np.int64],
    table: Settings, seed: int,
) -> str:  # fmt: skip
    """A digest of all that training follows from; `chosen` are the rows that are learned from."""
    columns: list[NDArray[Any]] = [spikes.sample_ptr, spikes.step, spikes.unit, chosen]
    columns += [] if labels is None else [labels]
    of_data = [digest_of(column.tobytes()) for column in columns]
    return key_of(network.hash, of_data, n_classes, spikes.grid, table.model_dump(mode="json"), seed, torch.__version__)


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    return array
