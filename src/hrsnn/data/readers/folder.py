"""Which files of a folder are recordings, what class each is of, who it belongs to, and which part it is given to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hrsnn._checks import FileError, InputError, require

SOUNDS = (".wav",)
EXAMPLES = (".csv", ".tsv", ".txt", ".npy")  # one recording per file
TABLES = (".ts", ".arff", ".tsv", ".csv", ".txt", ".npz")  # may hold many recordings

# First level of folders that are given parts, not classes.
_PARTS = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "validation": "validation", "val": "validation", "valid": "validation",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Files of one folder with their class; groups and parts are None where nothing tells them."""

    files: list[Path]
    labels: list[str]
    groups: list[str] | None
    parts: list[str] | None
    group_word: str


def files_in(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files of a folder and its sub-folders that end so, in capitals too, sorted.

    Hidden names are left out and links followed. Raises `FileError` for a link to nothing and a folder that cannot be
    read.
    """
    return sorted(_walk(folder, (), suffixes))


def _walk(place: Path, above: tuple[str, ...], suffixes: Sequence[str]) -> Iterator[Path]:
    real = os.path.realpath(place)
    if real in above:  # a link to a folder that it lies in
        return
    try:
        inside = sorted(entry for entry in place.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise FileError(f"{place}: cannot be read as a folder ({error})") from error
    for entry in inside:
        if entry.is_dir():
            yield from _walk(entry, (*above, real), suffixes)
        elif entry.suffix.lower() in suffixes:
            if not entry.exists():
                raise FileError(f"{entry}: a link to a file that is not there")
            yield entry


def examples_in(folder: Path) -> list[Path]:
    """The files of one recording each: those of the commonest kind, so that a README.txt beside them is none."""
    files = files_in(folder, EXAMPLES)
    suffixes = [file.suffix.lower() for file in files]
    commonest = max(EXAMPLES, key=suffixes.count)
    return [file for file, suffix in zip(files, suffixes, strict=True) if suffix == commonest]


def folder_files(folder: Path, files: list[Path], group_pattern: str = "") -> FolderFiles:
    """What the names of the `files` of a folder tell of them.

    Sub-folders `train` and `test` (and `validation` or `val`) at the first level, with nothing else beside them, are
    given parts. Within the folder, or within each part, the first level of sub-folders is the class; where there are
    none, the name of a file up to the first "_" is. `group_pattern`, a regular expression that is searched in the path
    below the folder, has one named group that tells who a recording belongs to, of whatever name (`group`, `speaker`),
    and may have a group `label` that tells the class.
    """
    if not files:
        raise FileError(f"{folder}: there is no recording in this folder or its sub-folders")
    inside = [path.relative_to(folder) for path in files]
    parts = _parts(inside)
    below = [Path(*path.parts[1:]) if parts else path for path in inside]
    expression, group_word = _expression(group_pattern)
    labels: list[str] | None = None
    groups: list[str] | None = None
    if expression is not None:
        found = [_searched(expression, path.as_posix()) for path in inside]
        if "label" in expression.groupindex:
            labels = [match["label"] for match in found]
        if group_word:
            groups = [match[group_word] for match in found]
    return FolderFiles(files, labels or _labels(folder, below), groups, parts, group_word or "group")


def pair_in(folder: Path) -> tuple[Path, Path] | None:
    """The files `X_TRAIN.*` and `X_TEST.*` of a folder that holds one such pair of tables, or None."""
    files = [path for path in files_in(folder, TABLES) if path.parent == folder]
    pairs = [
        (train, test)
        for train in files
        for test in files
        if train.stem.lower().endswith("train")
        and test.name.lower() == train.stem[:-5].lower() + "test" + train.suffix.lower()
    ]
    for suffix in TABLES:  # the archives give each set in several forms
        of_kind = [pair for pair in pairs if pair[0].suffix.lower() == suffix]
        if len(of_kind) == 1 and sum(path.suffix.lower() == suffix for path in files) == 2:
            return of_kind[0]
    return None


def _parts(inside: Sequence[Path]) -> list[str] | None:
    first = [path.parts[0].lower() if len(path.parts) > 1 else "" for path in inside]
    parts = [_PARTS.get(name, "") for name in first]
    return parts if all(parts) and {"train", "test"} <= set(parts) else None


def _labels(folder: Path, below: Sequence[Path]) -> list[str]:
    deep = [len(path.parts) > 1 for path in below]
    if all(deep):
        return [path.parts[0] for path in below]
    stray = below[deep.index(False)]
    require(not any(deep), str(folder), "task.path", "must hold files or a sub-folder per class, not both", str(stray))
    for path in below:
        require(
            "_" in path.stem, str(folder), "task.path",
            'must hold a sub-folder per class, or names with a class before "_"', path.name,
            remedy="or give task.group_pattern a group (?P<label>...)",
        )  # fmt: skip
    return [path.stem.split("_")[0] for path in below]


def _expression(pattern: str) -> tuple[re.Pattern[str] | None, str]:
    """The compiled pattern, and the name of the group that tells who a recording belongs to."""
    if not pattern:
        return None, ""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(f"`task.group_pattern` is not a regular expression: {error}; got {pattern}") from error
    names = [name for name in expression.groupindex if name != "label"]
    require(
        len(names) == 1 or (not names and "label" in expression.groupindex), "task", "group_pattern",
        "must have one named group that tells who a recording belongs to, such as (?P<group>[a-z]+)", pattern,
    )  # fmt: skip
    return expression, names[0] if names else ""


def _searched(expression: re.Pattern[str], name: str) -> re.Match[str]:
    match = expression.search(name)
    ok = match is not None and all(match[group] is not None for group in expression.groupindex)
    require(ok, "task", "group_pattern", "must be found in every name", expression.pattern, place=f"for {name}")
    assert match is not None
    return match
