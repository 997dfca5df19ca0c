"""Work in units: what is finished is whole, unchanged and follows from the same, or it is done again."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrsnn._checks import FileError
from hrsnn.work.store import Store, key_of


def kept(path: Path) -> Store:
    (path / "parts").mkdir()
    (path / "units").mkdir()
    store = Store(path, "units")
    store.keep("a", {"key": "k", "values": [1, 2]}, {"parts/a.bin": lambda file: file.write_bytes(b"part")})
    return store


def test_what_is_kept_is_read(tmp_path: Path) -> None:
    store = kept(tmp_path)
    assert store.read("a") == store.read("a", key="k") == {"key": "k", "values": [1, 2]}
    assert store.found("b") is None


def _edit(path: Path, old: bytes = b"1", new: bytes = b"3") -> None:
    path.write_bytes(path.read_bytes().replace(old, new, 1))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda path: _edit(path / "units/a.json"), "is damaged: it was changed"),
        (lambda path: (path / "units/a.json").write_bytes(b""), "is damaged"),
        (lambda path: (path / "units/a.json").write_bytes(b"[1]"), "is damaged"),
        (lambda path: (path / "units/a.json").unlink(), "does not exist"),
        (lambda path: _edit(path / "parts/a.bin", b"p", b"q"), "is missing or was changed"),
        (lambda path: (path / "parts/a.bin").unlink(), "is missing or was changed"),
    ],
)
def test_of_which_anything_is_missing_or_was_changed_is_none(tmp_path: Path, harm: object, sentence: str) -> None:
    store = kept(tmp_path)
    harm(tmp_path)  # type: ignore[operator]
    assert store.found("a") is None
    with pytest.raises(FileError, match=sentence):
        store.read("a")


def test_of_which_follows_from_something_else_is_none(tmp_path: Path) -> None:
    store = kept(tmp_path)
    with pytest.raises(FileError, match="another config"):
        store.read("a", key="other")
    assert key_of({"a": 1, "b": [2.0]}) == key_of({"b": [2.0], "a": 1}) != key_of({"a": 1, "b": [2.5]})


def test_once_is_done_once(tmp_path: Path) -> None:
    store, made = Store(tmp_path), list[int]()

    def make() -> dict[str, int]:
        made.append(1)
        return {"n": len(made)}

    assert [store.once("a", "k", make)["n"] for _ in range(3)] == [1, 1, 1]
    assert store.once("a", "other", make)["n"] == 2
    _edit(tmp_path / "a.json", b"2", b"5")
    assert store.once("a", "other", make)["n"] == 3


def test_what_was_not_finished_is_swept_away(tmp_path: Path) -> None:
    store = kept(tmp_path)
    for folder in ("units", "parts"):
        (tmp_path / folder / ".a.1.tmp").touch()
    store.sweep("units", "parts")
    assert not list(tmp_path.rglob(".*.tmp"))
    assert store.found("a") is not None
