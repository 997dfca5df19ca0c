"""Ways in from the command line: kinds of files, groups, given parts, the chain for new recordings, the cache."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

from hrsnn._checks import FileError, InputError
from hrsnn.data import cache
from hrsnn.data.chain import Chain, EventGrid
from hrsnn.data.dataset import Splits
from hrsnn.data.parts import Recorded, divide
from hrsnn.data.readers import kind_of
from hrsnn.data.readers.folder import examples_in, folder_files
from hrsnn.data.readers.labelled import is_labelled, read_labelled
from hrsnn.encode.audio import AudioCode
from hrsnn.encode.values import ValueCode
from hrsnn.forecast import ForecastSpec, ForecastTask
from hrsnn.spec import validated
from hrsnn.tasks import TaskSpec, load_task
from small_tasks import N_STEPS, events_file


def task(path: Path, **changes: Any) -> Splits:
    loaded = load_task(TaskSpec(name="mine", path=str(path), **changes))
    assert isinstance(loaded, Splits)
    return loaded


def waves(n: int, *, n_values: int = 40, n_variables: int = 1, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """`n` recordings (n, n_values, n_variables), slow and quick waves in turn."""
    rng = np.random.default_rng(seed)
    labels = ["slow" if k % 2 == 0 else "quick" for k in range(n)]
    time = np.arange(n_values)[:, None] + 5 * rng.random((n, 1, n_variables))
    return np.sin(time * np.where(np.arange(n) % 2 == 0, 0.2, 0.7)[:, None, None]) + 0.1 * rng.random(
        time.shape
    ), labels


@pytest.fixture
def speakers(tmp_path: Path) -> Path:
    """Files `<class>_<speaker>_<k>.wav`, of 30 ms, six of each of two classes for each of three speakers."""
    (tmp_path / "wav").mkdir()
    for name in ("ann", "bob", "cyd"):
        for k in range(12):
            tone = np.sin(2 * np.pi * (400 + 2000 * (k % 2) + 10 * k) * np.arange(240) / 8000)
            file = tmp_path / "wav" / f"{'yn'[k % 2]}_{name}_{k}.WAV"
            wavfile.write(file, 8000, (20000 * tone).astype(np.int16))
    return tmp_path / "wav"


BY_SPEAKER = r"_(?P<speaker>[a-z]+)_"


# -- groups ----------------------------------------------------------------------------------------------------------


def test_a_named_speaker_is_held_out_and_told(speakers: Path) -> None:
    split = task(speakers, group_pattern=BY_SPEAKER, test_groups=["cyd"], n_channels=8)
    assert split.test.groups_called() == ["cyd"]
    assert split.train.groups_called() == split.validation.groups_called() == ["ann", "bob"]
    assert split.unseen is not None
    assert split.unseen.all()
    assert split.description == (
        "36 recordings (5 validation, 12 test: speaker cyd) · 2 classes · 8 channels · 30 steps of 1 ms · "
        "validation shares speakers with training"
    )


def test_validation_groups_are_named_too(speakers: Path) -> None:
    split = task(speakers, group_pattern=BY_SPEAKER, test_groups=["cyd"], validation_groups=["ann"], n_channels=8)
    called = [part.groups_called() for part in (split.train, split.validation, split.test)]
    assert called == [["bob"], ["ann"], ["cyd"]]
    assert "shares" not in split.description


@pytest.mark.parametrize("n_groups", [2, 3, 4, 5, 9])
def test_two_groups_suffice(n_groups: int) -> None:
    groups = np.repeat(np.arange(n_groups), 8)
    names = tuple(f"s{k}" for k in range(n_groups))
    known = Recorded(np.arange(groups.size) % 2, ("a", "b"), groups, names)
    parts = divide(known, seed=0)
    assert np.intersect1d(groups[parts.test], groups[np.r_[parts.train, parts.validation]]).size == 0
    assert parts.by_recordings == (n_groups < 5)
    assert parts.by_recordings or np.intersect1d(groups[parts.validation], groups[parts.train]).size == 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_division_is_one_and_every_class_trains(draw: st.DataObject) -> None:
    n_classes = draw.draw(st.integers(2, 6))
    sizes = draw.draw(st.lists(st.integers(3, 12), min_size=n_classes, max_size=n_classes))
    labels = np.repeat(np.arange(n_classes), sizes)
    given_test = draw.draw(st.booleans())
    parts = np.where(np.arange(labels.size) % 3 == 0, "test", "train").tolist() if given_test else None
    known = Recorded(labels, tuple(map(str, range(n_classes))), parts=parts)
    try:
        found = divide(known, seed=1)
    except InputError:
        assert given_test  # a class of three may have one left
        return
    rows = np.concatenate([found.train, found.validation, found.test])
    assert np.sort(rows).tolist() == list(range(labels.size))
    assert np.unique(labels[found.train]).size == np.unique(labels[found.validation]).size == n_classes
    assert parts is None or found.test.tolist() == [k for k, part in enumerate(parts) if part == "test"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group_pattern": "("}, "`task.group_pattern` is not a regular expression"),
        ({"group_pattern": "[a-z]+"}, "`group_pattern` of `task` must have one named group"),
        ({"group_pattern": "(?P<speaker>[0-9]{3})"}, "must be found in every name, got .* for n_ann_1.WAV"),
        ({"test_groups": ["ann"]}, "`task.test_groups` needs task.group_pattern"),
        ({"group_pattern": BY_SPEAKER, "test_groups": ["an"]}, 'speakers in the data, got an; did you mean "ann"'),
        ({"group_pattern": BY_SPEAKER, "test_groups": ["ann", "bob", "cyd"]}, "must leave some for training"),
        ({"group_pattern": "(?P<label>.)_(?P<group>.*)_", "test_groups": ["x"]}, "known: ann, bob, cyd"),
        ({"group_pattern": r"^(?P<group>\w)_"}, 'no recording of "[ny]" is in the training part'),
        ({"kind": "series"}, '`kind` of `task` must be "auto" or "recordings" for wav, got series'),
    ],
)
def test_groups_that_do_not_fit(speakers: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        task(speakers, **changes)


def test_keys_of_own_data_need_own_data() -> None:
    with pytest.raises(InputError, match=r"`test_groups` of `task` is for own data at task\.path"):
        load_task(TaskSpec(test_groups=["4"]))


# -- given parts -----------------------------------------------------------------------------------------------------


def test_folders_of_parts(speakers: Path, tmp_path: Path) -> None:
    for k, file in enumerate(sorted(speakers.iterdir())):
        part = ("Train", "test", "val")[min(k % 6, 2)]
        (tmp_path / "parts" / part / file.name[0]).mkdir(parents=True, exist_ok=True)
        file.rename(tmp_path / "parts" / part / file.name[0] / file.name)
    split = task(tmp_path / "parts", n_channels=8)
    assert split.class_names == ("n", "y")
    assert [part.n_samples for part in (split.train, split.validation, split.test)] == [6, 24, 6]
    with pytest.raises(InputError, match="`test_path` of `task` must be left out"):
        task(tmp_path / "parts", test_path=str(tmp_path / "parts" / "test"))


def test_parts_and_classes_of_a_folder_are_told_apart(tmp_path: Path) -> None:
    for name in ("train/a/x", "test/a/x", "noise/a/x"):  # three classes, two of which are called like parts
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / f"{name}.npy").touch()
    assert folder_files(tmp_path, examples_in(tmp_path)).labels == ["noise", "test", "train"]


def test_a_test_folder_apart(speakers: Path, tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    for file in sorted(speakers.glob("*_cyd_*")):
        file.rename(tmp_path / "later" / file.name)
    split = task(speakers, test_path=str(tmp_path / "later"), n_channels=8)
    assert (split.train.n_samples + split.validation.n_samples, split.test.n_samples) == (24, 12)
    wavfile.write(tmp_path / "later" / "maybe_cyd_0.wav", 8000, np.ones(100, dtype=np.int16))
    with pytest.raises(InputError, match='no recording of "maybe" is in the training part'):
        task(speakers, test_path=str(tmp_path / "later"), n_channels=8)
    with pytest.raises(FileError, match=r"`task.test_path` must name a file or folder that exists"):
        task(speakers, test_path=str(tmp_path / "never"))


def test_test_events_come_onto_the_grid_of_training(tmp_path: Path) -> None:
    late = {"times_ms": [1.0, 500.0], "units": [0, 1], "sample": [0, 1], "labels": [0, 1]}
    np.savez(tmp_path / "late.npz", **late)
    split = task(events_file(tmp_path / "e.npz"), test_path=str(tmp_path / "late.npz"))
    assert split.test.spikes.n_steps == N_STEPS
    assert split.test.spikes.n_events == 1


def test_classes_of_events_keep_their_order_and_those_without_recordings_go(tmp_path: Path) -> None:
    events = {"times_ms": np.arange(20.0) % 5, "units": np.zeros(20, int), "sample": np.arange(20)}
    names = np.array(["right", "never", "left"])
    np.savez(tmp_path / "e.npz", **events, labels=2 * (np.arange(20) % 2), class_names=names)
    assert task(tmp_path / "e.npz").class_names == ("right", "left")


def test_the_continuation_of_a_series(tmp_path: Path) -> None:
    for name, n in (("before", 120), ("after", 80)):
        (tmp_path / f"{name}.csv").write_text("x\n" + "\n".join(f"{np.sin(k / 3):.6f}" for k in range(n)) + "\n")
    forecast = {"n_horizon": 10, "n_starts": 3, "n_warmup": 20, "n_washout": 10}
    tables = {"name": "mine", "path": str(tmp_path / "before.csv"), "forecast": forecast}
    loaded = load_task(validated(TaskSpec, {**tables, "test_path": str(tmp_path / "after.csv")}))
    assert isinstance(loaded, ForecastTask)
    assert (loaded.series.n_steps, loaded.spec.n_train) == (200, 120)


# -- labelled series -------------------------------------------------------------------------------------------------

N = 20
N_DAMAGES = int(os.environ.get("N_DAMAGES", "15"))


def rows(values: np.ndarray, labels: list[str], mark: str) -> str:
    return "".join(mark.join([label, *map(str, x[:, 0])]) + "\n" for x, label in zip(values, labels, strict=True))


def ucr(path: Path) -> Path:
    values, labels = waves(N)
    (path / "w.tsv").write_text(rows(values, ["-1" if label == "slow" else "1.0000e+00" for label in labels], "\t"))
    return path / "w.tsv"


def ucr_csv(path: Path) -> Path:
    values, labels = waves(N)
    (path / "w.csv").write_text(rows(values, ["1" if label == "slow" else "2" for label in labels], ","))
    return path / "w.csv"


def named_csv(path: Path) -> Path:
    values, labels = waves(N)
    head = ";".join(["Class", *map(str, range(values.shape[1]))])
    (path / "w.csv").write_text("﻿" + head + "\n" + rows(values, labels, ";") + "\n\n")
    return path / "w.csv"


def text_last_csv(path: Path) -> Path:
    values, labels = waves(N)
    (path / "W.CSV").write_text(
        "".join(f"{','.join(map(str, x[:, 0]))},{y}\n" for x, y in zip(values, labels, strict=True))
    )
    return path / "W.CSV"


def ts(path: Path) -> Path:
    values, labels = waves(N, n_variables=2)
    lines = [":".join(",".join(map(str, v)) for v in x[: len(x) - k].T) for k, x in enumerate(values)]
    head = (
        "# a comment\n@problemName waves\n@timeStamps false\n@equalLength false\n@classLabel true slow quick\n@data\n"
    )
    (path / "w.ts").write_text(head + "".join(f"{line}:{y}\n" for line, y in zip(lines, labels, strict=True)))
    return path / "w.ts"


def arff(path: Path) -> Path:
    values, labels = waves(N, n_variables=2)
    lines = [r"\n".join(",".join(map(str, v)) for v in x.T) for x in values]
    body = "".join(f"'{line}',{y}\n" for line, y in zip(lines, labels, strict=True))
    (path / "w.arff").write_text(f"@relation w\n@attribute target {{slow,quick}}\n@data\n{body}")
    return path / "w.arff"


def npz(path: Path) -> Path:
    values, labels = waves(N, n_variables=3)
    np.savez(path / "w.npz", values=values.astype(np.float32), labels=np.array(labels))
    return path / "w.npz"


def folder(path: Path) -> Path:
    values, labels = waves(N, n_variables=2)
    for k, (x, label) in enumerate(zip(values, labels, strict=True)):
        (path / "w" / label / "deeper").mkdir(parents=True, exist_ok=True)
        text = "ax,ay\n" + "".join(f"{a},{b}\n" for a, b in x)
        (path / "w" / label / "deeper" / f"{k}.csv").write_text(text)
    (path / "w" / "README.txt").write_text("not an example")
    (path / "w" / ".hidden").mkdir()
    (path / "w" / ".hidden" / "0.csv").write_text("nothing")
    return path / "w"


def npy_folder(path: Path) -> Path:
    values, labels = waves(N)
    (path / "w").mkdir()
    for k, (x, label) in enumerate(zip(values, labels, strict=True)):
        np.save(path / "w" / f"{label}_{k}.npy", x[:, 0])
    return path / "w"


FORMS = [ucr, ucr_csv, named_csv, text_last_csv, ts, arff, npz, folder, npy_folder]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_labelled_series(tmp_path: Path, form: Callable[[Path], Path]) -> None:
    path = form(tmp_path)
    assert kind_of(path) == "labelled"
    split = task(path)
    assert [part.n_samples for part in (split.train, split.validation, split.test)] == [12, 4, 4]
    assert len(split.class_names) == 2
    assert split.chain is not None
    # Saved and read back, the chain gives the same spikes of the same recordings.
    names, spikes = Chain.from_dict(json.loads(json.dumps(split.chain.to_dict()))).read(str(path))
    assert len(set(names)) == N
    assert spikes.grid == split.chain.grid == split.train.spikes.grid
    parts = (split.train, split.validation, split.test)
    assert spikes.n_events == sum(part.spikes.n_events for part in parts)


def test_classes_of_numbers_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    values, _ = waves(30)
    (tmp_path / "w.txt").write_text(rows(values, [str((2, 10, 1)[k % 3]) for k in range(30)], "  "))
    assert task(tmp_path / "w.txt").class_names == ("1", "2", "10")


def test_train_and_test_files_of_an_archive(tmp_path: Path) -> None:
    (tmp_path / "Waves").mkdir()
    for part in ("TRAIN", "TEST"):
        ts(tmp_path).rename(tmp_path / "Waves" / f"Waves_{part}.ts")
        ucr(tmp_path).rename(tmp_path / "Waves" / f"Waves_{part}.tsv")
    split = task(tmp_path / "Waves")
    assert (split.n_inputs, split.train.n_samples, split.test.n_samples) == (68, 16, 20)
    apart = task(tmp_path / "Waves" / "Waves_TRAIN.ts", test_path=str(tmp_path / "Waves" / "Waves_TEST.ts"))
    assert apart.test == split.test


def test_groups_of_tables(tmp_path: Path) -> None:
    values, labels = waves(N)
    np.savez(tmp_path / "w.npz", values=values, labels=np.array(labels), groups=np.array(list("aabb") * 5))
    split = task(tmp_path / "w.npz", test_groups=["b"])
    assert split.description.startswith("20 recordings (2 validation, 10 test: group b) · 2 classes")


@pytest.mark.parametrize(
    ("text", "labelled"),
    [
        ("x,y\n1,2\n3,4\n", False),
        ("date,level\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n", False),
        ("day,level\nmon,1\ntue,2\nmon,3\ntue,2\n", None),
        ("label,t0,t1,t2\nup,1,2,3\ndown,3,2,1\nup,1,2,3\ndown,1,1,1\n", None),
        ("label," + ",".join("abcdefghi") + "\n" + "".join(f"{k % 2},1,2,3,4,5,6,7,8,9\n" for k in range(6)), True),
        ("".join(f"{k},1,2,3,4,5,6,7,8,{k}.5\n" for k in range(9)), False),  # a counter is no class
    ],
)
def test_which_csv_is_labelled(tmp_path: Path, text: str, labelled: bool | None) -> None:
    (tmp_path / "t.csv").write_text(text)
    if labelled is None:
        with pytest.raises(InputError, match=r'say what a row is, with task\.kind = "labelled"'):
            is_labelled(tmp_path / "t.csv")
        assert kind_of(tmp_path / "t.csv", "labelled") == "labelled"
    else:
        assert is_labelled(tmp_path / "t.csv") == labelled


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.ts", "@classLabel true a b\n@data\n1,?,3:a\n", r"line 3 must hold numbers, got '\?'; missing values"),
        ("t.ts", "@classLabel true a b\n@data\n1,2:1,2,3:a\n", r"line 3 has variables of different length, \[2, 3\]"),
        ("t.ts", "@timeStamps true\n@data\n", "line 1: values with time stamps cannot be read"),
        ("t.ts", "@classLabel false\n@data\n1,2\n", "tells no classes to learn"),
        ("t.ts", "1,2,3:a\n", "there is no line @data"),
        ("t.csv", "a,1,2\nb,1\n", "line 2 has 2 cells where the first has 3"),
        (
            "t.csv",
            "a;1,5;2,5\nb;2,5;3,5\na;1;2\nb;1;2\n",
            "must hold numbers, got '[12],5'; write decimal points",
        ),
        ("t.csv", "a,1,nan,2\nb,1,2,3\na,1,2,3\nb,1,2,3\n", "line 1 must hold numbers, got 'nan'"),
        ("t.csv", "1.5,2\n2.5,3\n", "no column of classes was found; name it with task.label_column"),
        ("t.arff", "@data\n1,2,x,a\n", "line 2 must hold numbers, got 'x'"),
        ("t.txt", "", "the file is empty"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_labelled(tmp_path / name)


def test_cells_of_nan_at_the_end_end_a_recording(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("a\t1\t2\tNaN\tNaN\nb\t1\t2\t3\tNaN\n" * 3)
    assert [len(x) for x in read_labelled(tmp_path / "t.tsv").values[:2]] == [2, 3]


def test_the_column_of_classes_may_be_named(tmp_path: Path) -> None:
    values, labels = waves(N)
    lines = [f"{','.join(map(str, x[:, 0]))},{y},{k}" for k, (x, y) in enumerate(zip(values, labels, strict=True))]
    head = ",".join([*(f"t{k}" for k in range(40)), "what", "order"])
    (tmp_path / "t.csv").write_text("\n".join([head, *lines]) + "\n")
    assert task(tmp_path / "t.csv", kind="labelled", label_column="what").class_names == ("quick", "slow")
    with pytest.raises(InputError, match=r"`task.label_column` of `t\.csv` must be a name of the first row"):
        task(tmp_path / "t.csv", kind="labelled", label_column="who")


@pytest.mark.parametrize("form", [ucr, named_csv, ts, arff, npz, npy_folder])
def test_damaged_files_are_told_in_a_sentence(tmp_path: Path, form: Callable[[Path], Path]) -> None:
    path = form(tmp_path)
    file = sorted(path.iterdir())[0] if path.is_dir() else path
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    told: list[str] = []
    for _ in range(N_DAMAGES):
        content = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            at, length = int(rng.integers(len(content))), int(rng.integers(1, 9))
            mark = rng.choice(np.frombuffer(b"\x00\xff\n,:?;\t'\"@-9eEnN. ", dtype=np.uint8), length).tobytes()
            content[at : at + length * int(rng.integers(2))] = mark
        if rng.random() < 0.2:
            del content[int(rng.integers(len(content))) :]
        file.write_bytes(bytes(content))
        try:
            task(path, kind="labelled")
        except InputError as error:
            told.append(str(error))
    assert [text for text in told if "\n" in text or len(text) > 600] == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 8, "`path` of `task` must hold recordings of two classes at least, got a"),
        (["a"] * 8 + ["b"], 'class "b" cannot be divided, it has 1 recording: each part needs one of every class'),
        (["a"] * 8 + ["b"] * 2, 'class "b" cannot be divided, it has 2 recordings'),
    ],
)
def test_too_few_recordings(tmp_path: Path, labels: list[str], message: str) -> None:
    np.savez(tmp_path / "w.npz", values=waves(len(labels))[0], labels=np.array(labels))
    with pytest.raises(InputError, match=message):
        task(tmp_path / "w.npz")


def test_few_recordings_of_many_classes_are_divided(tmp_path: Path) -> None:
    labels = np.arange(30) % 10
    np.savez(tmp_path / "w.npz", values=waves(30)[0], labels=labels)
    split = task(tmp_path / "w.npz")
    assert [np.unique(part.labels).size for part in (split.train, split.validation, split.test)] == [10, 10, 10]


# -- the code of values ----------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 40), st.sampled_from([1e-9, 1.0, 1e9]))
def test_recordings_last_some_hundred_steps_whatever_they_are(n_values: int, n_variables: int, size: float) -> None:
    values = size * (np.random.default_rng(0).normal(size=(2, n_values, n_variables)) + 3)
    code = ValueCode.fit(list(values))
    spikes = code.encode(list(values))
    assert 300 <= spikes.n_steps <= 1000
    assert spikes.n_units == code.n_units >= 10 * n_variables
    assert (np.diff(spikes.sample_ptr) > 0).all()


def test_a_recording_is_encoded_alike_whatever_lies_beside_it() -> None:
    values = [x[: len(x) - k] for k, x in enumerate(waves(40, n_variables=2)[0])]
    code = ValueCode.fit(values)
    together = code.encode(values)
    for k in (0, 17, 39):
        assert code.encode([values[k]], n_steps=together.n_steps) == together.select([k])


def test_ranges_come_from_training_and_outliers_do_not_set_them() -> None:
    values = list(waves(40)[0])
    spoiled = [*values[:-1], values[-1].copy()]
    spoiled[-1][3] = 1e6
    honest, robust = ValueCode.fit(values), ValueCode.fit(spoiled)
    assert np.allclose(honest.highs, robust.highs, atol=0.05)
    assert robust.encode(spoiled).n_units == honest.n_units  # and what lies beyond is shown at the end of the range


def test_units_of_a_variable_lie_beside_each_other() -> None:
    still = np.zeros((50, 3))
    loud = still.copy()
    loud[:, 1] = np.random.default_rng(0).normal(size=50)
    code = ValueCode.fit([still, loud])
    counts = code.encode([still, loud]).counts()[:, 0].reshape(2, 3, -1)
    assert (counts[0, [0, 2]] == counts[1, [0, 2]]).all()
    assert (counts[0, 1] != counts[1, 1]).any()


def test_envelopes_of_zero_mean_noise_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    code = ValueCode.fit([rng.normal(size=1000), 5 * rng.normal(size=1000)])
    deviation = slice(code.n_per_range, 2 * code.n_per_range)
    quiet, loud = (code.encode([size * rng.normal(size=1000)]).counts()[0, 0, deviation] for size in (1, 5))
    assert np.argmax(loud) > np.argmax(quiet) + 3


# -- the chain -------------------------------------------------------------------------------------------------------


def test_the_chain_of_sounds(speakers: Path) -> None:
    split = task(speakers, n_channels=8, stretch_ms=40.0, tail_ms=10.0)
    assert split.chain is not None
    chain = Chain.from_dict(json.loads(json.dumps(split.chain.to_dict())))
    assert chain == split.chain
    names, spikes = chain.read([speakers, speakers / "n_ann_1.WAV"])
    assert (len(names), spikes.grid) == (37, (8, 50, 1.0))
    assert spikes.select([36]) == spikes.select([names.index(names[36])])


def test_recordings_that_are_too_long_are_refused_or_cut(speakers: Path, tmp_path: Path) -> None:
    chain = task(speakers, n_channels=8).chain
    assert chain is not None
    rate, sound = wavfile.read(speakers / "n_ann_1.WAV")
    wavfile.write(tmp_path / "long.wav", rate, np.tile(sound, 3))
    files = [speakers / "n_ann_1.WAV", tmp_path / "long.wav"]
    with pytest.raises(InputError, match=r"long.wav has events up to \d+ ms, and .* end within 30 ms"):
        chain.read(files)
    chain.read(speakers)
    cutting = task(speakers, n_channels=8, max_ms=30.0).chain  # as those of training were
    assert cutting is not None
    assert cutting.read(files)[1].n_steps == 30


@pytest.mark.parametrize("form", [named_csv, text_last_csv, ts])
def test_rows_without_classes_are_read_too(tmp_path: Path, form: Callable[[Path], Path]) -> None:
    path = form(tmp_path)
    chain = task(path).chain
    assert chain is not None
    _, labelled = chain.read(path)
    text = re.sub(r"(?m)^(slow|quick|Class);|[,:](slow|quick)$", "", path.read_text("utf-8-sig"))
    path.write_text(text.replace("@classLabel true slow quick", "@classLabel false"))
    assert chain.read(path)[1] == labelled


def test_the_chain_of_events_needs_no_labels(tmp_path: Path) -> None:
    chain = task(events_file(tmp_path / "e.npz")).chain
    assert chain is not None
    np.savez(tmp_path / "new.npz", times_ms=[1.0, 2.0, 3.0], units=[0, 1, 0], sample=[0, 0, 2])
    names, spikes = chain.read(tmp_path / "new.npz")
    assert [name[-3:] for name in names] == ["[0]", "[1]", "[2]"]
    assert np.diff(spikes.sample_ptr).tolist() == [2, 0, 1]


def test_the_chain_of_the_catalogue() -> None:
    split = load_task(TaskSpec(stretch_ms=500.0, tail_ms=100.0))
    assert isinstance(split, Splits)
    assert split.chain == Chain(EventGrid(140, 1.0), split.class_names, None, 500.0, 100.0)
    assert split.chain.grid == split.train.spikes.grid


def test_what_a_chain_refuses(tmp_path: Path) -> None:
    chain = Chain(AudioCode(n_channels=4), ("a", "b"), 30)
    (tmp_path / "empty").mkdir()
    for path, message in (
        (tmp_path / "no.wav", "there is no such file or folder"),
        (events_file(tmp_path / "e.npz"), "must end in .wav, as what the network was trained on"),
        (tmp_path / "empty", "no file in this folder ends in .wav"),
    ):
        with pytest.raises(FileError, match=message):
            chain.read(path)
    for broken in ({}, {"kind": "smell"}, {**chain.to_dict(), "colour": 1}, {**chain.to_dict(), "code": {"x": 1}}, []):
        with pytest.raises(InputError, match="not a saved `Chain`"):
            Chain.from_dict(broken)  # type: ignore[arg-type]
    code = ValueCode.fit(list(waves(4)[0]))
    for change in ({"lows": [1.0, 2.0]}, {"n_hold": 0}, {"lows": [float("nan")]}, {"floors": [0.0]}, {"n_hold": "1"}):
        with pytest.raises(InputError):
            ValueCode.from_dict({**code.to_dict(), **change})


@pytest.mark.parametrize("name", ["sound.mp3", "table.xlsx", "file"])
def test_kinds_that_cannot_be_read_are_told_what_can(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=re.escape("must be a folder of WAV files or of one CSV")):
        kind_of(tmp_path / name)


def test_home_and_capitals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    events_file(tmp_path / "e.npz").rename(tmp_path / "E.NPZ")
    assert task(Path("~/E.NPZ")).name == "mine"


# -- the cache -------------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HRSNN_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def count_encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    from hrsnn.data import recordings

    done: list[int] = []
    encoded = recordings.encoded

    def counted(*args: Any, **options: Any) -> Any:
        done.append(1)
        return encoded(*args, **options)

    monkeypatch.setattr(recordings, "encoded", counted)
    return done


def test_the_second_time_nothing_is_encoded(speakers: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = count_encoded(monkeypatch)
    first = task(speakers, n_channels=8)
    by_speaker = task(speakers, n_channels=8, group_pattern=BY_SPEAKER)  # other parts of the same
    second = task(speakers, n_channels=8)
    assert len(done) == 1
    assert second == first
    assert by_speaker.test != first.test
    task(speakers, n_channels=9)
    assert len(done) == 2
    file = speakers / "n_ann_1.WAV"
    times = file.stat()
    file.write_bytes(file.read_bytes()[:-2] + b"\x01\x02")  # the same size, and the same age
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    task(speakers, n_channels=8)
    assert len(done) == 3
    assert len(list(kept.iterdir())) == 3


@pytest.mark.parametrize("damage", [lambda b: b[:-100], lambda b: b"", lambda b: b[:200] + b"\xff" * 8 + b[208:]])
def test_a_damaged_entry_is_made_again(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    done = count_encoded(monkeypatch)
    path = npz(tmp_path)
    first = task(path)
    (entry,) = kept.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    assert task(path) == first
    assert len(done) == 2
    assert entry.read_bytes() == whole


def test_no_directory_to_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for place in (str(tmp_path / "file" / "below"), "off"):
        monkeypatch.setenv("HRSNN_CACHE", place)
        assert task(npz(tmp_path)).train.n_samples == 12


def test_the_oldest_entries_go_first(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = npz(tmp_path)
    task(path)
    (first,) = kept.iterdir()
    monkeypatch.setattr(cache, "MAX_BYTES", 2 * first.stat().st_size + 1000)
    os.utime(first, (1, 1))
    task(path, dt_ms=2.0)
    task(path, dt_ms=0.5, max_ms=400.0)
    assert first not in kept.iterdir()
    assert 1 <= len(list(kept.iterdir())) <= 2


# -- recorded data ---------------------------------------------------------------------------------------------------


@pytest.mark.data
def test_basic_motions(data_dir: Path) -> None:
    split = task(data_dir / "imu_basicmotions")
    assert [part.n_samples for part in (split.train, split.validation, split.test)] == [32, 8, 40]
    assert split.class_names == ("Badminton", "Running", "Standing", "Walking")


def test_the_marks_of_a_series_are_said_where_they_leave_doubt(tmp_path: Path) -> None:
    rows = "\n".join(f'"1,{200 + k}"' for k in range(80))
    (tmp_path / "s.csv").write_text(f"level\n{rows}\n")
    forecast = ForecastSpec(n_train=60, n_horizon=5, n_starts=2, n_washout=5, n_warmup=5)
    for marks, first in (({"thousands": ","}, 1200.0), ({"decimal": ","}, 1.2)):
        given = TaskSpec(name="s", path=str(tmp_path / "s.csv"), forecast=forecast, **marks)
        assert load_task(given).series.values[0, 0] == first


def test_no_channel_listens_above_what_the_files_hold(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for k in range(6):
            noise = (3000 * rng.standard_normal(1600)).astype(np.int16)
            wavfile.write(tmp_path / label / f"{k}.wav", 8000, noise)
    split = load_task(TaskSpec(name="s", path=str(tmp_path), n_channels=16))
    assert isinstance(split, Splits)
    assert split.chain is not None
    assert split.chain.code.f_max_hz == 3600.0  # type: ignore[union-attr]
    assert np.bincount(split.train.spikes.unit, minlength=16).min() > 0
