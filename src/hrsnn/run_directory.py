"""Run directory: files that are whole or absent and tell when they were changed (docs/reference/run-directory.md).

A finished unit is its file in outcomes/ (`hrsnn.work.store`), to which a network, a readout and the chain belong.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO

from hrsnn._checks import FileError, InputError, RunError
from hrsnn._version import __version__
from hrsnn.config import Config, to_toml
from hrsnn.evaluation import Label
from hrsnn.evaluation import versions as versions_of_packages
from hrsnn.network import Network
from hrsnn.network_file import save, write_atomically
from hrsnn.outcome import Outcome, as_json, digest_of, plain_values
from hrsnn.vocabulary import RESULTS
from hrsnn.work.store import Store, cannot_write, hold
from hrsnn.work.unit import Unit

_MARK = "# Written by hrsnn"
_UNIT_FILE = re.compile(r"[^/]+-s\d+(-[^/]+)?\.(json|safetensors)")
_TOP_FILES = ("results.json", "report.html", "chain.json", "config.toml")
_FOLDERS = ("outcomes", "networks", "readouts")
_CHECKPOINTS = "checkpoints"  # there while units learn that keep where they stand
_CURVES = "tensorboard"  # a folder for each unit, where that is wanted


class Saveable(Protocol):
    def save(self, path: Path, /) -> object: ...


@dataclass(frozen=True, slots=True)
class UnitResult:
    """What a unit leaves: its outcome, what the report draws (plain values), and the trained things, where it has them.

    `chain` is what brings new recordings to the task, for the trained things to predict.
    """

    outcome: Outcome
    details: dict[str, Any]
    network: Network | None
    readout: Saveable | None
    chain: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class StoredUnit:
    """A finished unit, read from its files."""

    outcome: Outcome
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of a run: their names, and what is read from and written to them."""

    path: Path

    @classmethod
    def next_free(cls, task: str, base: Path = Path("runs")) -> RunDirectory:
        """Make `<base>/<task>-<k>` with the smallest k that is free."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", task).strip(".-") or "run"
        k = 1
        try:
            base.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    (base / f"{stem}-{k}").mkdir()
                    return cls(base / f"{stem}-{k}")
                except FileExistsError:
                    k += 1
        except OSError as error:
            raise RunError(cannot_write(base, error)) from error

    @property
    def config_file(self) -> Path:
        return self.path / "config.toml"

    @property
    def chain_file(self) -> Path:
        """What brings new recordings to the task; the same for all units, written with each."""
        return self.path / "chain.json"

    @property
    def log_file(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def results_file(self) -> Path:
        return self.path / "results.json"

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    def outcome_file(self, unit: Unit) -> Path:
        return self._store.file(unit.name)

    @property
    def _store(self) -> Store:
        return Store(self.path, "outcomes")

    @property
    def is_begun(self) -> bool:
        """A run was started here."""
        return self.config_file.exists() or self.results_file.exists() or any(self._unit_files("outcomes"))

    @contextmanager
    def claimed(self) -> Iterator[Log]:
        """Make the directory if need be and hold it: no other process can run in it meanwhile.

        The lock is on log.jsonl and ends with the process. Raises `InputError` for a directory that is something
        else, `RunError` when another process holds it.
        """
        self._require_usable()
        self.path.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("a+", encoding="utf-8") as file:
            hold(file, f"working in {self.path}", "give another --out")
            yield Log(file)

    def _require_usable(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise InputError(f"--out {self.path} is a file; give a directory")
        names = {entry.name for entry in self.path.iterdir()}
        if not names or "log.jsonl" in names:
            return
        if "config.toml" in names:
            with self.config_file.open("rb") as file:
                if file.readline().startswith(_MARK.encode()):
                    return
        raise InputError(f"--out {self.path} holds files but no run of hrsnn; give another directory")

    def begin(self, config: Config) -> None:
        """Write config.toml where there is none, and make the folders."""
        if not self.config_file.exists():
            write_atomically(self.config_file, _config_text(config).encode())
        for folder in _FOLDERS:
            (self.path / folder).mkdir(exist_ok=True)

    def clear(self) -> None:
        """Remove the files of a run, nothing else; the mark that it is complete goes first, the log is emptied."""
        self.results_file.unlink(missing_ok=True)
        for folder in (*_FOLDERS, _CHECKPOINTS):
            for file in self._unit_files(folder):
                file.unlink()
            with suppress(OSError):
                (self.path / folder).rmdir()
        for file in (self.path / _CURVES).glob("*/events.out.tfevents.*"):
            file.unlink()
            with suppress(OSError):  # not empty yet
                file.parent.rmdir()
        with suppress(OSError):
            (self.path / _CURVES).rmdir()
        self.clear_partial()
        for name in _TOP_FILES:
            (self.path / name).unlink(missing_ok=True)
        os.truncate(self.log_file, 0)

    def clear_partial(self) -> None:
        """Remove files that a process had not finished writing when it ended, and what has nothing in it any more."""
        self._store.sweep(".", *_FOLDERS, _CHECKPOINTS)
        with suppress(OSError):  # it holds where units stand that are not finished
            (self.path / _CHECKPOINTS).rmdir()

    def checkpoint_of(self, unit: Unit) -> Path:
        """Where a unit may keep how far it is, in a folder that is there then."""
        folder = self.path / _CHECKPOINTS
        folder.mkdir(exist_ok=True)
        return folder / f"{unit.name}.safetensors"

    def curves_of(self, unit: Unit) -> Path:
        """Where TensorBoard finds the course of a unit."""
        return self.path / _CURVES / unit.name

    def write_unit(self, unit: Unit, result: UnitResult, config: Config, source: str = "") -> None:
        """Write the files of a unit; the outcome comes last and holds the digests of all others.

        source   a digest of what the numbers follow from beside the config
        """
        outcome = result.outcome
        if _label_of(outcome) != Label.of(unit):
            raise RunError(f"the outcome of unit {unit.name} says that it is {outcome.label}, seed {outcome.seed}")
        files: dict[str, Callable[[Path], object]] = {}
        if result.network is not None:
            files[f"networks/{unit.name}.safetensors"] = partial(save, result.network)
        if result.readout is not None:
            files[f"readouts/{unit.name}.safetensors"] = result.readout.save
        if result.chain is not None:
            files[self.chain_file.name] = partial(write_atomically, content=as_json(result.chain))
        facts = {**outcome.to_dict(), "details": result.details, "config_sha256": _config_digest(config)}
        facts |= {"source_sha256": source} if source else {}
        self._store.keep(unit.name, facts, files)

    def read_unit(self, unit: Unit, config: Config, source: str = "") -> StoredUnit:
        """Read a finished unit back; raises `FileError` when anything of it is missing or was changed.

        With a `source` also where it would follow from something else today.
        """
        path = self.outcome_file(unit)
        facts = self._store.read(unit.name, config_sha256=_config_digest(config))
        if source and facts.get("source_sha256") != source:
            raise FileError(f"{path} was made from other data, or by other versions of packages")
        try:
            details, outcome = facts["details"], Outcome.from_dict(facts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileError(f"{path} is damaged: {error}") from error
        if _label_of(outcome) != Label.of(unit):
            raise FileError(f"{path} was made under another config")
        return StoredUnit(outcome, details)

    def write_results(self, results: dict[str, Any]) -> str:
        """Write results.json; its presence says that the run is complete. The digest of it is for the log."""
        content = as_json(results)
        write_atomically(self.results_file, content)
        return digest_of(content)

    def read_results(self) -> dict[str, Any] | None:
        """What results.json holds; None when it is missing, or not what the log says was written last."""
        try:
            content = self.results_file.read_bytes()
            results = json.loads(content)
        except (OSError, ValueError, RecursionError):
            return None
        was_written = digest_of(content) == self._digest_of_results()
        return results if was_written and results.get("schema") == RESULTS.text else None

    def require_own_results(self) -> None:
        """Raises `FileError` when results.json was changed after a run wrote it; no log, no objection."""
        written = self._digest_of_results()
        if written is None or not self.results_file.is_file():
            return
        if digest_of(self.results_file.read_bytes()) != written:
            again = shlex.join(["hrsnn", "run", str(self.config_file), "--out", str(self.path), "--resume"])
            raise FileError(
                f"{self.results_file} was changed since it was written; make it again from outcomes/ with `{again}`"
            )

    def _digest_of_results(self) -> str | None:
        """That of results.json as it was written last; None where the log does not tell."""
        found = None
        with suppress(OSError):
            for line in self.log_file.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError, RecursionError):
                    entry = json.loads(line)
                    if isinstance(entry, dict) and entry.get("event") == "results":
                        found = entry.get("sha256")
        return found if isinstance(found, str) else None

    def _unit_files(self, folder: str) -> Iterator[Path]:
        place = self.path / folder
        if place.is_dir():
            yield from (file for file in place.iterdir() if _UNIT_FILE.fullmatch(file.name))


@dataclass(frozen=True, slots=True)
class Log:
    """log.jsonl: one JSON object per event."""

    file: TextIO

    def __call__(self, event: str, **facts: Any) -> None:
        """Append one event."""
        line = json.dumps({"time": _now(), "event": event, **facts}, default=str)
        self.file.write(("" if self._ends_whole() else "\n") + line + "\n")
        self.file.flush()

    def _ends_whole(self) -> bool:
        """False after a process was killed within a line."""
        size = self.file.seek(0, os.SEEK_END)
        if size == 0:
            return True
        with open(self.file.fileno(), "rb", closefd=False, buffering=0) as raw:
            raw.seek(-1, os.SEEK_END)
            return raw.read(1) == b"\n"


def as_results(summary: dict[str, Any]) -> dict[str, Any]:
    """What results.json holds: `summary` as plain values, with schema, date and versions."""
    results: dict[str, Any] = plain_values(summary)
    return {**results, "schema": RESULTS.text, "created": _now(), "versions": versions()}


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {"python": platform.python_version(), **versions_of_packages()}


def _label_of(outcome: Outcome) -> Label:
    return Label(outcome.arm, outcome.stage, outcome.method, outcome.seed)


def _config_text(config: Config) -> str:
    return f"{_MARK} {__version__}: complete, `hrsnn run` with this file gives the same numbers.\n\n{to_toml(config)}"


_digest_of_last: tuple[Config, str] | None = None


def _config_digest(config: Config) -> str:
    """Kept for the config that was asked for last, which is asked for with every unit.

    An interrupt amid pydantic's writing of a config comes out as an error of its own kind, and no interrupt.
    """
    global _digest_of_last
    if _digest_of_last is None or _digest_of_last[0] is not config:
        _digest_of_last = config, digest_of(to_toml(config).encode())
    return _digest_of_last[1]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
