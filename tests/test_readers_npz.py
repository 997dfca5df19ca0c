"""The reader of .npz files of events: what is read, which classes there are, damage of all kinds."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hrsnn._checks import FileError, InputError
from hrsnn.data.own import events_npz
from hrsnn.encode import pool_events

GOOD: dict[str, Any] = {
    "times_ms": [1.0, 4.5, 2.0], "units": [0, 7, 3], "sample": [0, 0, 1], "labels": np.array(["left", "right"]),
}  # fmt: skip


def write(tmp_path: Path, **change: Any) -> Path:
    arrays = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    np.savez(tmp_path / "e.npz", **arrays)
    return tmp_path / "e.npz"


def objects(*values: object) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


# -- what is read ----------------------------------------------------------------------------------------------------


def test_an_array_that_is_not_asked_for_spoils_nothing(tmp_path: Path) -> None:
    plain = events_npz(write(tmp_path))
    assert events_npz(write(tmp_path, meta=np.array({"rig": 2}, dtype=object), notes=["a"], polarity_=[1])) == plain


@pytest.mark.parametrize("name", list(GOOD))
def test_an_array_of_python_objects_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match=f"array `{name}` holds Python objects; it must be a plain array"):
        events_npz(write(tmp_path, **{name: objects([1.0, 4.5], [2.0])}))


def test_times_in_other_units(tmp_path: Path) -> None:
    plain = events_npz(write(tmp_path))
    for name, times in (("times_us", np.array([1000, 4500, 2000], np.uint32)), ("times_s", [0.001, 0.0045, 0.002])):
        assert events_npz(write(tmp_path, times_ms=None, **{name: times})) == plain
    with pytest.raises(InputError, match=r"`times_ms` .* must stand alone, got beside `times_us`"):
        events_npz(write(tmp_path, times_us=[1, 2, 3]))
    with pytest.raises(FileError, match="has no array `times_ms`"):
        events_npz(write(tmp_path, times_ms=None))
    with pytest.raises(InputError, match=r"`times_us` of `e\.npz` must not fall"):
        events_npz(write(tmp_path, times_ms=None, times_us=[4, 1, 2]))


@pytest.mark.parametrize("sensor", [None, [34, 34]])
def test_pixels_instead_of_units(tmp_path: Path, sensor: Any) -> None:
    pixels = {"x": [0, 33, 20], "y": [5, 33, 1], "polarity": [0, 1, 1]}
    found = events_npz(write(tmp_path, units=None, sensor=sensor, **pixels))
    x, y, on = (np.split(np.array(pixels[name]), [2]) for name in ("x", "y", "polarity"))
    assert found.spikes == pool_events([[1.0, 4.5], [2.0]], x, y, on, n_steps=5, dt_ms=1.0)
    assert found.spikes.n_units == 2 * 17 * 17
    del pixels["polarity"]
    assert events_npz(write(tmp_path, units=None, sensor=sensor, **pixels)).spikes.n_units == 17 * 17


def test_bad_pixels_are_named(tmp_path: Path) -> None:
    pixels = {"x": [0, 33, 20], "y": [5, 33, 1], "polarity": [-1, 1, 1], "units": None}
    for change, message in (
        ({"y": None}, "has no array `y`"),
        ({"units": [0, 1, 2]}, "`units` .* must stand alone, got beside `x`"),
        ({"sensor": [34, 30]}, "`x` of `e.npz` must be <= 29, got 33 at index 1"),
        ({"sensor": [34]}, "`sensor` of `e.npz` must have length 2"),
        ({"polarity": [0, -1, 1]}, "`polarity` of `e.npz` must be 0 or 1, or -1 or 1, got 0"),
        ({"x": [0, 1]}, "`x` of `e.npz` must have length 3"),
    ):
        with pytest.raises(InputError, match=message):
            events_npz(write(tmp_path, **{**pixels, **change}))
    with pytest.raises(InputError, match="must give 2048 channels, got 578; give the sensor's"):
        events_npz(write(tmp_path, **pixels), n_units=2048)


def test_a_path_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path).rename(tmp_path / "E.NPZ")
    assert events_npz("~/E.NPZ").n_samples == 2


# -- classes and groups ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [[0, 1], [1, 2], [101, 102], [30000, 70000], [20230101, 20230102], [0.0, 7.0]])
def test_classes_are_the_labels_that_occur(tmp_path: Path, labels: list[int]) -> None:
    found = events_npz(write(tmp_path, labels=labels))
    assert found.labels.tolist() == [0, 1]
    assert found.class_names == tuple(str(int(label)) for label in labels)


@pytest.mark.parametrize(
    "labels", [[0, 10**12], [0, 2**31], [-1, 1], [0.5, 1], [np.nan, 1], [[0], [1]], 1j * np.ones(2)]
)
def test_labels_that_are_no_classes_are_refused(tmp_path: Path, labels: Any) -> None:
    with pytest.raises(InputError, match=r"`labels` of `e\.npz` must"):
        events_npz(write(tmp_path, labels=labels))


def test_names_of_classes(tmp_path: Path) -> None:
    names = ["left", "right", "never"]
    assert events_npz(write(tmp_path, labels=[1, 0], class_names=names)).class_names == tuple(names)
    for change, message in (
        ({"labels": [1, 3]}, "`labels` of `e.npz` must be < 3, the number of class names, got 3 at index 1"),
        ({"class_names": ["a", "a"]}, "`class_names` of `e.npz` must differ"),
        ({"class_names": [1, 2]}, "`class_names` of `e.npz` must be text"),
    ):
        with pytest.raises(InputError, match=message):
            events_npz(write(tmp_path, **{"labels": [0, 1], "class_names": names, **change}))


def test_text_may_be_bytes(tmp_path: Path) -> None:
    found = events_npz(write(tmp_path, labels=[b"left", "fünf".encode()], groups=[b"b", b"a"]))
    assert (found.class_names, found.labels.tolist()) == (("fünf", "left"), [1, 0])
    assert found.groups is not None
    assert found.groups.tolist() == [1, 0]
    with pytest.raises(InputError, match=r"`labels` of `e\.npz` must be text, got bytes that are not UTF-8"):
        events_npz(write(tmp_path, labels=[b"left", b"\xff"]))


def test_groups_may_be_text_or_any_whole_numbers(tmp_path: Path) -> None:
    for groups, known in ((["theo", "anna"], [1, 0]), ([70000, -3], [70000, -3])):
        found = events_npz(write(tmp_path, groups=groups))
        assert found.groups is not None
        assert found.groups.tolist() == known


# -- damage ----------------------------------------------------------------------------------------------------------


def header(shape: str, *, end: str = "}") -> bytes:
    text = f"{{'descr':'<i8','fortran_order':False,'shape':{shape},{end}".encode()
    text += b" " * ((-len(text) - 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def member(name: str, content: bytes) -> bytes:
    """A good file in which one array is `content`."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for key, value in GOOD.items():
            one = io.BytesIO()
            np.save(one, np.asarray(value))
            archive.writestr(key + ".npy", content if key == name else one.getvalue())
    return whole.getvalue()


def flagged(content: bytes, *, at: int, value: int) -> bytes:
    """All entries of the archive's directory with another byte `at` its place."""
    changed = bytearray(content)
    place = changed.find(b"PK\x01\x02")
    while place >= 0:
        changed[place + at] = value
        place = changed.find(b"PK\x01\x02", place + 4)
    return bytes(changed)


def single() -> bytes:
    one = io.BytesIO()
    np.save(one, np.arange(5.0))
    return one.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK\x03\x04", b"no zip", single(), single()[:40], member("units", b""), member("units", header("(3,)")),
        member("units", header("(10**15,)")), member("units", header("(1000000000000000,)")),
        member("units", header("(9999999999999999999999,)")), member("units", header("(-3,)")),
        member("units", header("(3,)", end="")), flagged(member("", b""), at=8, value=1),
        flagged(member("", b""), at=10, value=99), member("", b"")[:-30],
    ],
)  # fmt: skip
def test_damage_is_an_error_of_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "e.npz"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"e\.npz: cannot be read as \.npz") as told:
        events_npz(path)
    assert len(str(told.value)) < 400 + len(str(tmp_path))


def test_any_changed_byte_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    np.savez_compressed(path, **GOOD)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(whole)
        for place in rng.integers(0, len(whole), 2):
            changed[place] = rng.integers(0, 256)
        path.write_bytes(changed)
        with contextlib.suppress(InputError):
            events_npz(path)
