"""The data types, the built-in set, the readers of files, the catalogue, and your own data."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import io
import threading
import wave
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hrsnn import data
from hrsnn._checks import FileError, InputError, RunError
from hrsnn.data import Dataset, Series, Splits, hd_spikes, own, spoken_digits
from hrsnn.encode import AudioCode
from hrsnn.spikes import Spikes


def dataset(n: int = 4, *, groups: Any = None, n_classes: int = 2) -> Dataset:
    spikes = Spikes.from_times([[float(k)] for k in range(n)], [[0]] * n, n_units=3, n_steps=n, dt_ms=1.0)
    return Dataset(spikes, np.arange(n) % n_classes, tuple(f"class {k}" for k in range(n_classes)), groups)


# -- types -----------------------------------------------------------------------------------------------------------


def test_select_takes_spikes_labels_and_groups_along() -> None:
    chosen = dataset(groups=[5, 6, 7, 8]).select([2, 0])
    assert chosen.labels.tolist() == [0, 0]
    assert chosen.groups is not None
    assert chosen.groups.tolist() == [7, 5]
    assert chosen.spikes.step.tolist() == [2, 0]
    assert dataset(groups=[5, 6, 7, 8]).select([2, 0]) == chosen != dataset().select([2, 0])


def test_a_dataset_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        dataset().labels[0] = 1


@pytest.mark.parametrize(
    ("labels", "names", "groups", "message"),
    [
        ([0, 1, 0], ("a", "b"), None, "3 labels for 4 recordings"),
        ([0, 1, 0, 2], ("a", "b"), None, "`labels` of `Dataset` must be <= 1, got 2 at index 3"),
        ([0, -1, 0, 0], ("a", "b"), None, "must be >= 0, got -1 at index 1"),
        ([0, 0.5, 0, 0], ("a", "b"), None, "whole numbers"),
        ([0, np.nan, 0, 0], ("a", "b"), None, "must be finite"),
        ([0, 1, 0, 1], ("a", "b"), [1, 2], "2 groups for 4 recordings"),
        ([0, 0, 0, 0], (), None, "`class_names`"),
        ([0, 0, 0, 0], (1,), None, "`class_names`"),
    ],
)
def test_dataset_refuses(labels: Any, names: Any, groups: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Dataset(dataset().spikes, labels, names, groups)


def test_seen_and_unseen_groups() -> None:
    whole = dataset(6, groups=[0, 1, 2, 0, 1, 3])
    splits = Splits(whole.select([0, 3]), whole.select([1]), whole.select([2, 3, 4, 5]), "n", "l", "s")
    assert splits.seen is not None
    assert splits.unseen is not None
    assert splits.seen.tolist() == [False, True, False, False]
    assert splits.unseen.tolist() == [True, False, False, True]
    bare = dataset()
    assert Splits(bare, bare, bare, "n", "l", "s").unseen is None


def test_splits_refuse_parts_that_do_not_fit() -> None:
    a = dataset(groups=[0, 0, 1, 1])
    with pytest.raises(InputError, match=r"must not share groups with training, got \[1\]"):
        Splits(a, a.select([2]), a, "n", "l", "s")
    with pytest.raises(InputError, match=r"`test` .* must be on the grid"):
        Splits(dataset(), dataset(), dataset(5), "n", "l", "s")
    with pytest.raises(InputError, match=r"`test` .* must have the classes"):
        Splits(dataset(), dataset(), dataset(n_classes=3), "n", "l", "s")
    with pytest.raises(InputError, match="groups exactly if"):
        Splits(dataset(), dataset(), a, "n", "l", "s")


def test_series_refuses() -> None:
    with pytest.raises(InputError, match="must be finite, got nan at step 1, variable 0"):
        Series([[0.0, 1.0], [np.nan, 1.0]], 1.0, "s", ("x", "y"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="got -inf at step 0, variable 1"):
        Series([[0.0, -np.inf]], 1.0, "s", ("x", "y"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="shape"):
        Series([0.0, 1.0], 1.0, "s", ("x",))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least one value"):
        Series(np.zeros((0, 1)), 1.0, "s", ("x",))
    with pytest.raises(InputError, match="1 names for 2 variables"):
        Series(np.zeros((3, 2)), 1.0, "s", ("x",))
    for dt in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="`dt`"):
            Series(np.zeros((3, 1)), dt, "s", ("x",))


# -- the built-in set ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> Splits:
    splits = data.load("spoken-digits")
    assert isinstance(splits, Splits)
    return splits


def test_spoken_digits_is_balanced(digits: Splits) -> None:
    parts = (digits.train, digits.validation, digits.test)
    assert [p.n_samples for p in parts] == [560, 200, 360]
    for part, per_class in zip(parts, (28, 10, 18), strict=True):
        assert np.bincount(part.labels).tolist() == [per_class] * 20
    assert digits.train.spikes.grid == (140, 1000, 1.0)
    assert (digits.train.spikes.step % 2 == 0).all()  # stored in steps of 2 ms
    assert sum(p.spikes.n_events for p in parts) == 3_810_457
    assert digits.class_names[:2] + digits.class_names[-2:] == ("zero", "one", "acht", "neun")


def test_spoken_digits_on_other_steps(digits: Splits) -> None:
    stored = data.load("spoken-digits", dt_ms=2.0)
    assert isinstance(stored, Splits)
    assert stored.train.spikes.grid == (140, 500, 2.0)
    assert np.array_equal(stored.train.spikes.step * 2, digits.train.spikes.step)
    coarse = data.load("spoken-digits", dt_ms=5.0)
    assert isinstance(coarse, Splits)
    assert coarse.train.spikes.grid == (140, 200, 5.0)
    assert np.array_equal(
        coarse.train.spikes.dense()[0], digits.train.spikes.select([0]).dense().reshape(200, 5, 140).max(axis=1)
    )


def test_spoken_digits_keeps_speakers_apart(digits: Splits) -> None:
    train, validation, test = (set(p.groups.tolist()) for p in (digits.train, digits.validation, digits.test))  # type: ignore[union-attr]
    assert validation == {1, 8}
    assert not train & validation
    assert test - train == {4, 5}
    assert digits.seen is not None
    assert digits.unseen is not None
    assert (digits.seen.sum(), digits.unseen.sum()) == (120, 240)
    for mask, per_class in ((digits.seen, 6), (digits.unseen, 12)):
        assert np.bincount(digits.test.labels[mask]).tolist() == [per_class] * 20


def test_spoken_digits_holds_every_recording_once(digits: Splits) -> None:
    prints = {
        hashlib.sha256(part.select([k]).spikes.unit.tobytes() + part.select([k]).spikes.step.tobytes()).digest()
        for part in (digits.train, digits.validation, digits.test)
        for k in range(part.n_samples)
    }
    assert len(prints) == 1120


def test_spoken_digits_can_be_told_apart_by_counts_alone(digits: Splits) -> None:
    from sklearn.linear_model import RidgeClassifier

    features = [np.sqrt(p.spikes.counts(10).reshape(p.n_samples, -1)) for p in (digits.train, digits.validation)]
    score = RidgeClassifier(1000.0).fit(features[0], digits.train.labels).score(features[1], digits.validation.labels)
    assert score > 0.35  # chance is 0.05, where a wrong decoding would sit; this finds 0.44


def test_the_packed_form_gives_the_same_back() -> None:
    rng = np.random.default_rng(0)
    raster = rng.random((5, 40, 30)) < 0.01
    raster[[0, 2, 4]] = False  # empty first, in the middle and last
    raster[3, -1, -1] = raster[1, 0, 0] = True
    whole = Dataset(Spikes.from_dense(raster, dt_ms=0.5), np.array([0, 1, 2, 1, 0]), ("a", "ü", "<b>"), np.arange(5))
    back, part = spoken_digits.unpack(spoken_digits.pack(whole, np.array([0, 1, 2, 1, 0])))
    assert back == whole
    assert part.tolist() == [0, 1, 2, 1, 0]


@pytest.mark.parametrize("cut", [0, 5, 100, -1])
def test_a_cut_packed_file_is_an_error(cut: int) -> None:
    packed = spoken_digits.pack(dataset(groups=[0, 1, 2, 3]), np.zeros(4, int))
    with pytest.raises(FileError):
        spoken_digits.unpack(packed[:cut])


def test_a_packed_file_of_another_version_or_length_is_an_error() -> None:
    import lzma

    text = lzma.decompress(spoken_digits.pack(dataset(groups=[0, 1, 2, 3]), np.zeros(4, int)))
    with pytest.raises(FileError, match="must have format"):
        spoken_digits.unpack(lzma.compress(text.replace(b"recordings/1", b"recordings/2")))
    with pytest.raises(FileError, match="ends inside `gaps`"):
        spoken_digits.unpack(lzma.compress(text[:-1]))


def test_a_changed_built_in_file_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spoken_digits, "SHA256", "0" * 64)
    with pytest.raises(FileError, match="missing or damaged"):
        data.load("spoken-digits")
    with pytest.raises(FileError, match="missing or damaged"):
        data.check("spoken-digits")


# -- files in the layout of the Heidelberg digits --------------------------------------------------------------------


def write_h5(path: Path, *, times: Any = None, units: Any = None, speakers: Any = None, without: str = "") -> Path:
    times = [[0.0005, 0.0015, 0.5], [0.0015, 0.0016, 1.2], [], [0.25]] if times is None else times
    units = [[0, 699, 5], [10, 11, 3], [], [350]] if units is None else units
    n = len(times)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, rows, kind in (("spikes/times", times, np.float16), ("spikes/units", units, np.uint16)):
            column = file.create_dataset(name, (len(rows),), dtype=h5py.vlen_dtype(kind))
            for k, row in enumerate(rows):
                column[k] = np.array(row, dtype=kind)
        file["labels"] = np.arange(n, dtype=np.uint16) % 20
        file["extra/speaker"] = (
            np.arange(n, dtype=np.uint16) if speakers is None else np.array(speakers, dtype=np.uint16)
        )
        if without:
            del file[without]
    return path


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("dt_ms", [1.0, 2.0, 0.5])
def test_seconds_of_whole_steps_are_those_steps_in_every_type(tmp_path: Path, kind: Any, dt_ms: float) -> None:
    steps = np.arange(0, 400 if kind == np.float16 and dt_ms < 1 else 1000)
    seconds = (steps * (dt_ms / 1000)).astype(kind)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name, column in (("times", seconds), ("units", np.zeros(steps.size, np.uint16))):
            file.create_dataset(f"spikes/{name}", (1,), dtype=h5py.vlen_dtype(column.dtype))[0] = column
        file["labels"] = file["extra/speaker"] = np.zeros(1, np.uint16)
    read = hd_spikes.read_recordings(path, dt_ms=dt_ms, max_ms=steps.size * dt_ms).spikes
    assert read.step.tolist() == steps.tolist()


def test_seconds_in_half_precision_between_steps_are_taken_at_their_word(tmp_path: Path) -> None:
    """0.9995 s is stored as 0.99951, and its grid is finer than the steps: the last half unit is not given away."""
    path = write_h5(tmp_path / "a.h5", times=[[0.1234, 0.9995]], units=[[0, 1]])
    assert hd_spikes.read_recordings(path, max_ms=1100.0).spikes.step.tolist() == [123, 999]


def gzipped(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


def test_reading_bins_and_pools(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5")
    read = hd_spikes.read_recordings(path, dt_ms=1.0, n_channels=140, max_ms=1000.0)
    assert read.spikes.grid == (140, 1000, 1.0)
    assert np.diff(read.spikes.sample_ptr).tolist() == [3, 1, 0, 1]  # two fall together, one is after 1000 ms
    assert read.spikes.step.tolist() == [0, 1, 500, 1, 250]
    assert read.spikes.unit.tolist() == [0, 139, 1, 2, 70]
    assert read.groups is not None
    assert read.groups.tolist() == [0, 1, 2, 3]
    assert read.class_names == hd_spikes.CLASS_NAMES
    assert hd_spikes.read_recordings(path, max_ms=1300.0).spikes.n_events == 7
    assert hd_spikes.read_recordings(gzipped(path), dt_ms=1.0, n_channels=140) == read


@pytest.mark.parametrize("name", ["shd", "hd-spikes"])
def test_validation_speakers_are_held_out(tmp_path: Path, name: str) -> None:
    stem = name.replace("-", "_")
    for part in ("train", "test"):
        write_h5(tmp_path / stem / f"{stem}_{part}.h5", speakers=[1, 2, 3, 1] if part == "train" else [1, 3, 4, 2])
    gzipped(tmp_path / stem / f"{stem}_test.h5")  # packed and unpacked files may be mixed
    splits = data.load(name, data_dir=tmp_path, validation_speakers=[2], n_channels=70)
    assert isinstance(splits, Splits)
    assert splits.train.groups is not None
    assert splits.train.groups.tolist() == [1, 3, 1]
    assert splits.validation.labels.tolist() == [1]
    assert splits.unseen is not None
    assert splits.unseen.tolist() == [False, False, True, False]
    for wrong in ([7], [], [1, 2, 3]):
        with pytest.raises(InputError, match=r"`validation_speakers` .* training speakers \[1, 2, 3\]"):
            data.load(name, data_dir=tmp_path, validation_speakers=wrong)


@pytest.mark.parametrize("member", ["spikes/times", "spikes/units", "labels", "extra/speaker"])
def test_a_missing_member_is_named(tmp_path: Path, member: str) -> None:
    with pytest.raises(FileError, match=f"has no `{member}`"):
        hd_spikes.read_recordings(write_h5(tmp_path / "a.h5", without=member))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": [[0.1]], "units": [[700]]}, "recording 0 has unit 700"),
        ({"times": [[0.1], [np.nan]], "units": [[1], [1]]}, "recording 1 has a time that is negative or not a number"),
        ({"times": [[-0.1]], "units": [[1]]}, "recording 0 has a time"),
        ({"times": [[0.1, 0.2]], "units": [[1]]}, "recording 0 has 2 times for 1 units"),
        ({"times": [[0.1]], "units": [[1], [2]]}, "`spikes/units` has 2 entries for 1 recordings"),
        ({"times": [[0.1]], "units": [[1]], "speakers": [1, 2]}, "`extra/speaker` has 2 entries for 1 recordings"),
    ],
)
def test_bad_contents_are_named(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(FileError, match=message):
        hd_spikes.read_recordings(write_h5(tmp_path / "a.h5", **change))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    packed = gzipped(write_h5(tmp_path / "a.h5"))
    whole = packed.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"not gzip at all", b"", whole[:200] + b"\xff" * 50 + whole[250:]):
        packed.write_bytes(damaged)
        with pytest.raises(FileError, match=r"a\.h5\.gz: the file is damaged or incomplete"):
            hd_spikes.read_recordings(packed)
    plain = tmp_path / "b.h5"
    plain.write_bytes(gzip.decompress(whole)[:-500])
    with pytest.raises(FileError, match=r"b\.h5: the file is damaged or incomplete"):
        hd_spikes.read_recordings(plain)
    with pytest.raises(FileError, match="no such file"):
        hd_spikes.read_recordings(tmp_path / "c.h5")


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("labels", np.array([b"a"] * 4)), ("labels", 3), ("labels", np.array([0, 1, 2, 20])),
        ("labels", np.array([0, 1, 2, -1])), ("labels", np.array([0.0, np.nan, 1.0, 2.0])),
        ("labels", np.eye(4, dtype=int)),
        ("extra/speaker", np.array([b"theo"] * 4)), ("extra/speaker", 7), ("extra/keys", np.arange(20)),
        ("extra/keys", np.array([b"\xff\xfe"] * 20)), ("extra/keys", 5), ("spikes/times", np.zeros(4)),
        ("spikes/times", np.array([b"a"] * 4)), ("spikes/units", 3.0),
    ],
)  # fmt: skip
def test_members_of_another_kind_are_an_error_of_the_file(tmp_path: Path, member: str, content: Any) -> None:
    path = write_h5(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        if member in file:
            del file[member]
        file[member] = content
    with pytest.raises(FileError, match=r"a\.h5: "):
        hd_spikes.read_recordings(path)


def test_any_changed_byte_of_an_h5_file_is_read_or_refused(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        changed = bytearray(whole)
        for place in rng.integers(0, min(2500, len(whole)), 2):
            changed[place] = rng.integers(0, 256)
        path.write_bytes(changed)
        with contextlib.suppress(FileError):
            hd_spikes.read_recordings(path)


def test_times_beyond_all_steps_are_left_out(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        del file["spikes/times"]
        column = file.create_dataset("spikes/times", (4,), dtype=h5py.vlen_dtype(np.float64))
        for k, row in enumerate([[0.0005, 0.0015, 1e300], [0.0015, 0.0016, 1e18], [], [0.25]]):
            column[k] = row
    assert np.diff(hd_spikes.read_recordings(path).spikes.sample_ptr).tolist() == [2, 2, 0, 1]


@pytest.mark.parametrize(
    ("change", "name"),
    [({"n_channels": 99}, "n_channels"), ({"n_channels": 0}, "n_channels"), ({"dt_ms": 0.0}, "dt_ms"),
     ({"dt_ms": np.nan}, "dt_ms"), ({"max_ms": 0.5}, "max_ms"), ({"max_ms": np.inf}, "max_ms")],
)  # fmt: skip
def test_an_impossible_grid_is_named(tmp_path: Path, change: Any, name: str) -> None:
    with pytest.raises(InputError, match=f"`{name}`"):
        hd_spikes.read_recordings(write_h5(tmp_path / "a.h5"), **change)


# -- the catalogue ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", [e for e in data.catalogue() if not e.files], ids=lambda e: e.name)
def test_what_needs_no_file_loads(entry: data.Entry, tmp_path: Path) -> None:
    short = {"n_steps": 20, "n_discard": 0} if entry.kind == "forecast" else {}
    loaded = data.load(entry.name, data_dir=tmp_path, **short)
    assert isinstance(loaded, Splits if entry.kind == "classification" else Series)
    assert loaded.name == entry.name
    assert data.check(entry.name, tmp_path) == []


@pytest.mark.parametrize("entry", [e for e in data.catalogue() if e.files], ids=lambda e: e.name)
def test_missing_files_are_told_with_path_and_what_to_do(entry: data.Entry, tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        data.load(entry.name, data_dir=tmp_path)
    assert str(tmp_path / entry.files[0][0]) in str(caught.value)
    hint = f"hrsnn data download {entry.name}" if entry.availability == "download" else "$HRSNN_DATA"
    assert hint in str(caught.value)
    assert [state.state for state in data.check(entry.name, tmp_path)] == ["missing"] * len(entry.files)


def test_the_data_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HRSNN_DATA", str(tmp_path / "from variable"))
    assert data.data_directory() == tmp_path / "from variable"
    assert data.data_directory(tmp_path) == tmp_path
    monkeypatch.delenv("HRSNN_DATA")
    assert "hrsnn" in str(data.data_directory())


def test_unknown_names_and_options() -> None:
    with pytest.raises(InputError, match='did you mean "spoken-digits"'):
        data.load("spoken-digit")
    with pytest.raises(InputError, match=r'`n_step` of `lorenz63` .* did you mean "n_steps"'):
        data.load("lorenz63", n_step=3)
    with pytest.raises(InputError, match=r"`max_ms` of `spoken-digits` is not an option"):
        data.load("spoken-digits", max_ms=500.0)
    for name, option, value in (
        ("lorenz63", "n_steps", 3.5), ("lorenz63", "dt", "0.1"), ("lorenz63", "start", [1, "a", 2]),
        ("lorenz63", "dt", True), ("shd", "validation_speakers", [1.5]), ("google-stock", "column", 3),
    ):  # fmt: skip
        with pytest.raises(InputError, match=f"`{option}` of `{name}` must be"):
            data.load(name, **{option: value})
    assert data.load("lorenz63", n_steps=4, start=[1, 2, 3]).values[0].tolist() == [1, 2, 3]  # type: ignore[union-attr]


def test_check_tells_damaged_from_unchecked(tmp_path: Path) -> None:
    packed = gzipped(write_h5(tmp_path / "hd_spikes" / "hd_spikes_train.h5"))
    write_h5(tmp_path / "hd_spikes" / "hd_spikes_test.h5")
    assert [s.state for s in data.check("hd-spikes", tmp_path)] == ["damaged", "not checked"]
    assert data.check("hd-spikes", tmp_path)[0].path == packed


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder served over HTTP on this machine in the place of the publisher of SHD."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    folder = tmp_path / "publisher"
    for part in ("train", "test"):
        gzipped(write_h5(folder / f"shd_{part}.h5", speakers=[0, 1, 8, 2]))
    lines = [
        f"{hashlib.md5((folder / f).read_bytes()).hexdigest()}  {f}" for f in ("shd_train.h5.gz", "shd_test.h5.gz")
    ]
    (folder / "md5sums.txt").write_text("\n".join(lines) + "\n")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(data, "SHD_URL", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield folder
    server.shutdown()
    server.server_close()


def test_download_then_check_then_load(publisher: Path, tmp_path: Path) -> None:
    target = tmp_path / "data"
    paths = data.download("shd", target)
    assert [p.relative_to(target).as_posix() for p in paths] == ["shd/shd_train.h5.gz", "shd/shd_test.h5.gz"]
    assert [s.state for s in data.check("shd", target)] == ["ok", "ok"]
    assert data.load("shd", data_dir=target).train.n_samples == 2  # type: ignore[union-attr]
    assert sorted(p.name for p in (target / "shd").iterdir()) == ["md5sums.txt", "shd_test.h5.gz", "shd_train.h5.gz"]
    paths[0].write_bytes(b"damage")
    assert [s.state for s in data.check("shd", target)] == ["damaged", "ok"]
    data.download("shd", target)
    assert [s.state for s in data.check("shd", target)] == ["ok", "ok"]


def test_a_download_that_differs_from_its_sum_is_refused(publisher: Path, tmp_path: Path) -> None:
    (publisher / "shd_test.h5.gz").write_bytes(b"something else")
    with pytest.raises(RunError, match=r"could not download .*shd_test\.h5\.gz"):
        data.download("shd", tmp_path / "data")
    assert not (tmp_path / "data" / "shd" / "shd_test.h5.gz").exists()
    (publisher / "md5sums.txt").write_text("")
    with pytest.raises(RunError, match=r"holds no sum for shd_train\.h5\.gz"):
        data.download("shd", tmp_path / "data")
    (publisher / "md5sums.txt").unlink()
    with pytest.raises(RunError, match=r"could not download .*md5sums\.txt"):
        data.download("shd", tmp_path / "data")


@pytest.mark.parametrize("name", ["spoken-digits", "lorenz63", "hd-spikes", "google-stock"])
def test_what_cannot_be_downloaded_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"cannot be downloaded, got {name}; "):
        data.download(name, tmp_path)


# -- CSV -------------------------------------------------------------------------------------------------------------


def test_csv_columns_are_chosen_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('day,price,volume\n1/2/12,1.5,"1,000.5"\n1/3/12,-2e1,"7"\n')
    series = own.csv_series(path, ["volume", "price"], dt=0.5, thousands=",")
    assert series.values.tolist() == [[1000.5, 1.5], [7.0, -20.0]]
    assert (series.variable_names, series.name, series.dt, series.solver) == (("volume", "price"), "a", 0.5, "recorded")


def test_csv_without_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1;2\n3;4\n")
    assert own.csv_series(path, header=False, delimiter=";").values.tolist() == [[1, 2], [3, 4]]
    with pytest.warns(UserWarning, match=r"first row holds no names but \['1', '2'\].*header=True"):
        assert own.csv_series(path).values.tolist() == [[1, 2], [3, 4]]
    assert own.csv_series(path, header=True).variable_names == ("1", "2")


@pytest.mark.parametrize("cell", ["n/a", "", "nan", "inf", '"1,5"', "1.5.2"])
def test_a_cell_that_is_no_number_is_named(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"x,y\n1,2\n3,{cell}\n")
    with pytest.raises(InputError, match=r'column "y" must hold numbers, got .* in row 2 \(line 3\)'):
        own.csv_series(path)


def test_other_bad_csv_files(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("price,volume\n1,2\n3\n")
    with pytest.raises(InputError, match=r'column "volume" must hold numbers, got \'\' in row 2'):
        own.csv_series(path)
    with pytest.raises(InputError, match='got pric; did you mean "price"'):
        own.csv_series(path, ["pric"])
    path.write_text("price\n")
    with pytest.raises(InputError, match="at least one row of values"):
        own.csv_series(path)
    path.write_bytes(b"price\n\xff\xfe1\n")
    with pytest.raises(FileError, match="cannot be read as CSV"):
        own.csv_series(path, encoding="utf-8")
    with pytest.raises(FileError, match="cannot be read as CSV"):
        own.csv_series(tmp_path / "none.csv")


# -- WAV -------------------------------------------------------------------------------------------------------------

CODE = AudioCode(n_channels=8, sample_rate_hz=8000.0, f_max_hz=3500.0)


def write_wav(path: Path, *, n: int = 1600, hz: float = 440.0, channels: int = 1, rate: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = (20000 * np.sin(2 * np.pi * hz * np.arange(n) / rate)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(sound, channels).tobytes())
    return path


def test_a_folder_per_label(tmp_path: Path) -> None:
    for label in ("yes", "no <b>", "a&b"):
        for k in range(2):
            write_wav(tmp_path / label / f"{k}.WAV", n=800 * (k + 1))
    found = own.wav_folder(tmp_path, CODE)
    assert found.class_names == ("a&b", "no <b>", "yes")
    assert np.bincount(found.labels).tolist() == [2, 2, 2]
    assert (found.spikes.n_steps, found.spikes.n_units, found.groups) == (200, 8, None)
    assert own.wav_folder(tmp_path, CODE, max_ms=50.0).spikes.n_steps == 50


def test_labels_and_groups_from_names(tmp_path: Path) -> None:
    for name in ("7_theo_0", "7_anna_0", "3_theo_1"):
        write_wav(tmp_path / f"{name}.wav")
    plain = own.wav_folder(tmp_path, CODE)
    assert (plain.class_names, plain.labels.tolist()) == (("3", "7"), [0, 1, 1])
    found = own.wav_folder(tmp_path, CODE, pattern=r"(?P<label>\d)_(?P<group>[a-z]+)_\d")
    assert found.groups is not None
    assert found.groups.tolist() == [1, 0, 1]
    assert found == Dataset(plain.spikes, plain.labels, plain.class_names, found.groups)


def test_stereo_is_averaged_and_rates_may_differ(tmp_path: Path) -> None:
    write_wav(tmp_path / "a_0.wav")
    write_wav(tmp_path / "a_1.wav", channels=2)
    write_wav(tmp_path / "a_2.wav", rate=16000, n=3200)
    counts = own.wav_folder(tmp_path, CODE).spikes.counts()[:, 0]
    np.testing.assert_array_equal(counts[0], counts[1])
    assert counts[0].argmax() == counts[2].argmax()


def test_bad_wav_folders(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no WAV file"):
        own.wav_folder(tmp_path, CODE)
    good = write_wav(tmp_path / "a" / "1.wav")
    empty = write_wav(tmp_path / "a" / "2.wav", n=0)
    with pytest.raises(InputError, match=r"2\.wav: the recording has no samples"):
        own.wav_folder(tmp_path, CODE)
    for damaged in (b"", b"no wav", good.read_bytes()[:30], good.read_bytes()[:-700]):
        empty.write_bytes(damaged)
        with pytest.raises(FileError, match=r"2\.wav: cannot be read as WAV"):
            own.wav_folder(tmp_path, CODE)
    empty.unlink()
    write_wav(tmp_path / "stray_1.wav")
    with pytest.raises(InputError, match="files or sub-folders, not both"):
        own.wav_folder(tmp_path, CODE)
    with pytest.raises(InputError, match="must match every name"):
        own.wav_folder(tmp_path, CODE, pattern=r"(?P<label>[a-z]+)_")
    with pytest.raises(InputError, match="not a regular expression"):
        own.wav_folder(tmp_path, CODE, pattern="(")
    with pytest.raises(InputError, match=r"must have a group \(\?P<label>"):
        own.wav_folder(tmp_path, CODE, pattern="a")
    write_wav(tmp_path / "flat" / "x.wav")
    with pytest.raises(InputError, match=r'label before "_", got x.wav'):
        own.wav_folder(tmp_path / "flat", CODE)


# -- events ----------------------------------------------------------------------------------------------------------

EVENTS = {"times_ms": [0.5, 2.0, 1.0], "units": [0, 3, 1], "sample": [0, 0, 2], "labels": [1, 0, 1]}


def write_npz(tmp_path: Path, **change: Any) -> Path:
    arrays = {k: np.asarray(v) for k, v in {**EVENTS, **change}.items() if v is not None}
    np.savez(tmp_path / "events.npz", **arrays)  # type: ignore[arg-type]
    return tmp_path / "events.npz"


def test_events_of_an_npz(tmp_path: Path) -> None:
    found = own.events_npz(write_npz(tmp_path))
    assert found.spikes.grid == (4, 3, 1.0)
    assert np.diff(found.spikes.sample_ptr).tolist() == [2, 0, 1]
    assert (found.class_names, found.labels.tolist(), found.groups) == (("0", "1"), [1, 0, 1], None)
    found = own.events_npz(
        write_npz(tmp_path, labels=["b", "../a", "b"], groups=[7, 7, 9]), dt_ms=0.5, n_units=10, max_ms=1.5
    )
    assert found.spikes.grid == (10, 3, 0.5)
    assert found.spikes.n_events == 2
    assert (found.class_names, found.labels.tolist()) == (("../a", "b"), [1, 0, 1])
    assert found.groups is not None
    named = own.events_npz(write_npz(tmp_path, class_names=["left", "right", "never"]))
    assert named.class_names == ("left", "right", "never")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": None}, "has no array `units`"),
        ({"labels": None}, "has no array `labels`"),
        ({"labels": [0, 1]}, "`sample` of `events.npz` must be <= 1, got 2"),
        ({"labels": [0, -1, 0]}, "`labels` of `events.npz` must be >= 0"),
        (
            {"labels": [0, 1, 2], "class_names": ["a", "b"]},
            "`labels` .* must be < 2, the number of class names, got 2",
        ),
        ({"groups": [1, 2]}, "2 groups for 3 recordings"),
        ({"sample": [0, 2, 0]}, "`sample` of `events.npz` must not fall, got 0 at index 2"),
        (
            {"times_ms": [2.0, 0.5, 1.0]},
            "`times_ms` of `events.npz` must not fall within a recording, got 0.5 at index 1",
        ),
        ({"times_ms": [0.5, np.nan, 1.0]}, "must be finite, got nan"),
        ({"times_ms": [-0.5, 0.0, 1.0]}, "must be >= 0"),
        ({"times_ms": [0.5, 2.0]}, "`units` of `events.npz` must have length 2, got length 3"),
        ({"units": [0, -1, 0]}, "must be >= 0, got -1"),
        ({"units": [0, 0.5, 0]}, "whole numbers"),
        ({"labels": [], "times_ms": [], "units": [], "sample": []}, "at least one recording"),
    ],
)
def test_bad_events_are_named(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        own.events_npz(write_npz(tmp_path, **change))


def test_a_file_that_is_no_npz_or_hides_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"no zip")
    with pytest.raises(FileError, match=r"cannot be read as .npz"):
        own.events_npz(path)
    np.savez(path, **{k: np.array(v, dtype=object) for k, v in EVENTS.items()})  # type: ignore[arg-type]
    with pytest.raises(FileError, match=r"cannot be read as .npz"):
        own.events_npz(path)


# -- split -----------------------------------------------------------------------------------------------------------


def test_split_is_stratified_and_complete() -> None:
    whole = dataset(100, n_classes=5)
    splits = own.split(whole, seed=3)
    parts = (splits.train, splits.validation, splits.test)
    assert [np.bincount(p.labels).tolist() for p in parts] == [[12] * 5, [4] * 5, [4] * 5]
    assert sorted(np.concatenate([p.spikes.step for p in parts]).tolist()) == list(range(100))
    assert own.split(whole, seed=3).test == splits.test != own.split(whole, seed=4).test


def test_split_holds_out_groups() -> None:
    whole = dataset(200, groups=np.repeat(np.arange(10), 20))
    splits = own.split(whole, seed=0)
    groups = [set(p.groups.tolist()) for p in (splits.train, splits.validation, splits.test)]  # type: ignore[union-attr]
    assert [len(g) for g in groups] == [6, 2, 2]
    assert set.union(*groups) == set(range(10))
    assert splits.unseen is not None
    assert splits.unseen.all()
    assert own.split(whole, seed=0, by_groups=False).train.groups is None


def test_split_refuses() -> None:
    whole = dataset(20)
    with pytest.raises(InputError, match="`test_share`"):
        own.split(whole, seed=0, test_share=0.0)
    with pytest.raises(InputError, match="must sum to < 1"):
        own.split(whole, seed=0, test_share=0.6, validation_share=0.4)
    with pytest.raises(InputError, match="needs groups, the data set has none"):
        own.split(whole, seed=0, by_groups=True)
    with pytest.raises(InputError, match="must tell at least 2 groups, to hold one out, got 1"):
        own.split(dataset(20, groups=np.zeros(20, dtype=int)), seed=0)
    with pytest.raises(InputError, match="cannot be divided"):
        own.split(dataset(20, n_classes=20), seed=0)


# -- recorded data ---------------------------------------------------------------------------------------------------


@pytest.mark.data
def test_hd_spikes_as_recorded(data_dir: Path) -> None:
    assert [s.state for s in data.check("hd-spikes", data_dir)] == ["ok", "ok"]
    splits = data.load("hd-spikes", data_dir=data_dir, dt_ms=4.0, n_channels=70)
    assert isinstance(splits, Splits)
    assert [p.n_samples for p in (splits.train, splits.validation, splits.test)] == [6409, 1620, 1860]
    assert splits.seen is not None
    assert splits.unseen is not None
    assert (splits.seen.sum(), splits.unseen.sum()) == (276, 1463)
    assert (len(splits.class_names), splits.class_names[0], splits.class_names[-1]) == (20, "zero", "neun")
    # The validation speakers are the two whose recordings are nearest to half English.
    labels = np.concatenate([splits.train.labels, splits.validation.labels])
    speakers = np.concatenate([splits.train.groups, splits.validation.groups])  # type: ignore[list-item]
    known = np.unique(speakers)
    off = [abs(np.mean(labels[speakers == s] < 10) - 0.5) for s in known]
    assert set(known[np.argsort(off)[:2]].tolist()) == set(hd_spikes.VALIDATION_SPEAKERS)


@pytest.mark.data
def test_the_built_in_test_part_comes_from_the_test_file(data_dir: Path) -> None:
    digits = data.load("spoken-digits", dt_ms=2.0)
    assert isinstance(digits, Splits)
    whole = hd_spikes.read_recordings(data_dir / "hd_spikes" / "hd_spikes_test.h5", dt_ms=2.0, n_channels=140)
    known = {}
    for k in range(whole.n_samples):
        events = slice(whole.spikes.sample_ptr[k], whole.spikes.sample_ptr[k + 1])
        known[whole.spikes.step[events].tobytes() + whole.spikes.unit[events].tobytes()] = k
    for k in range(digits.test.n_samples):
        one = digits.test.select([k])
        found = known[one.spikes.step.tobytes() + one.spikes.unit.tobytes()]
        assert whole.labels[found] == one.labels[0]
        assert whole.groups is not None
        assert one.groups is not None
        assert whole.groups[found] == one.groups[0]


@pytest.mark.data
def test_google_stock_as_recorded(data_dir: Path) -> None:
    series = data.load("google-stock", data_dir=data_dir)
    assert isinstance(series, Series)
    assert series.values.shape == (1258, 1)
    assert series.values[0, 0] == 325.25
    assert data.load("google-stock", data_dir=data_dir, column="Volume").values.min() > 1000  # type: ignore[union-attr]
    with pytest.raises(InputError, match=r'column "Date" must hold numbers, got .* in row 1'):
        data.load("google-stock", data_dir=data_dir, column="Date")


@pytest.mark.data
def test_spoken_digits_of_fsdd_as_wav_files(data_dir: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO((data_dir / "fsdd" / "recordings.zip").read_bytes())) as archive:
        for name in archive.namelist():
            if name.endswith(("_0.wav", "_1.wav")):
                (tmp_path / Path(name).name).write_bytes(archive.read(name))
    found = own.wav_folder(tmp_path, CODE, pattern=r"(?P<label>\d)_(?P<group>[a-z]+)_\d+")
    assert found.n_samples == 80
    assert found.class_names == tuple("0123456789")
    assert found.groups is not None
    assert np.bincount(found.groups).tolist() == [20] * 4
    assert (np.diff(found.spikes.sample_ptr) > 20).all()
    splits = own.split(found, seed=0, test_share=0.25, validation_share=0.25)
    assert splits.test.n_samples == splits.validation.n_samples == 20
