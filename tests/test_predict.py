"""New recordings: a readout brings each to what it was fitted on, or refuses; nothing else in the batch matters."""

from __future__ import annotations

import io
import json
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.io import wavfile

from hrsnn import cli, forecast
from hrsnn._checks import FileError, InputError
from hrsnn.data.chain import Chain, EventGrid
from hrsnn.data.dataset import Dataset, Series, Splits
from hrsnn.encode.duration import stretch
from hrsnn.forecast import ForecastSpec, ForecastTask
from hrsnn.network import Network
from hrsnn.network_file import load, load_tensors, save_tensors
from hrsnn.predictor import Classifier, Forecaster, Step, load_run
from hrsnn.readout import SCHEMA, Grid, Readout, ReadoutSpec
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.tasks import TaskSpec, chain_from, evaluate, load_task, predict
from hrsnn.vocabulary import CHAIN
from hrsnn.wiring import build
from small_tasks import N_CHANNELS, N_STEPS, events_file, recordings, splits

FEATURES: tuple[dict[str, Any], ...] = ({}, {"features": "filtered"}, {"last_ms": 20.0})
STRETCHED = (45.0, 5.0)
examples = settings(max_examples=25, deadline=None, derandomize=True, database=None)


@cache
def network() -> Network:
    inputs = {"subset_share": 1.0, "p_connect": 0.3, "weight_excitatory": 2.0}
    return build(NetworkSpec.from_dict({"n_neurons": 30, "n_inputs": N_CHANNELS, "input": inputs}), seed=0)


def raw_task() -> Splits:
    """Recordings that fill a half up to the whole of the grid: half of the durations are less than half of it."""
    task = splits()

    def shortened(part: Dataset) -> Dataset:
        last = np.random.default_rng(1).integers(N_STEPS // 6, N_STEPS, part.n_samples)
        keep = part.spikes.step <= last[part.spikes.sample_of_event()]
        ptr = np.concatenate([[0], np.cumsum(keep)])[part.spikes.sample_ptr]
        cut = replace(part.spikes, sample_ptr=ptr, step=part.spikes.step[keep], unit=part.spikes.unit[keep])
        return replace(part, spikes=cut)

    return replace(task, train=shortened(task.train), validation=shortened(task.validation), test=shortened(task.test))


@cache
def fitted(kind: int, stretched: bool) -> Readout:
    task = raw_task()
    if stretched:
        parts = {
            name: replace(part, spikes=stretch(part.spikes, duration_ms=STRETCHED[0], tail_ms=STRETCHED[1]))
            for name, part in (("train", task.train), ("validation", task.validation), ("test", task.test))
        }
        chain = Chain(EventGrid(N_CHANNELS, 1.0), task.class_names, None, *STRETCHED)
        task = replace(task, **parts, chain=chain)  # type: ignore[arg-type]
    spec = ReadoutSpec(**{"n_bins": [2], "regularisation": [0.1], **FEATURES[kind]})
    return evaluate(network(), task, spec)[1]


def classes(spikes: Spikes, *, kind: int = 0, stretched: bool = False) -> NDArray[np.int64]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return predict(network(), fitted(kind, stretched), spikes)


# -- a class depends on its recording alone ----------------------------------------------------------------------------


@pytest.mark.parametrize("stretched", [False, True])
@pytest.mark.parametrize("kind", range(len(FEATURES)))
@examples
@given(data=st.data())
def test_order_batches_and_padding_never_change_a_class(kind: int, stretched: bool, data: st.DataObject) -> None:
    spikes = raw_task().test.spikes
    once = stretch(spikes, duration_ms=STRETCHED[0], tail_ms=STRETCHED[1]) if stretched else spikes
    expected = classes(once, kind=kind, stretched=stretched)
    order = np.array(data.draw(st.permutations(range(spikes.n_samples))))
    cuts = sorted(data.draw(st.sets(st.integers(1, spikes.n_samples - 1), max_size=4)))
    for batch in np.split(order, cuts):
        # some as they are, some stretched already, in one batch on a grid of any length that holds their events
        which = data.draw(st.sampled_from([spikes, once]) if stretched else st.just(spikes))
        part = which.select(batch)
        shortest = int(part.step.max(initial=0)) + 1
        padded = replace(part, n_steps=shortest + data.draw(st.integers(0, 3 * N_STEPS)))
        assert classes(padded, kind=kind, stretched=stretched).tolist() == expected[batch].tolist()


def test_recordings_stretched_and_not_may_lie_side_by_side() -> None:
    raw = raw_task().test.spikes
    once = stretch(raw, duration_ms=STRETCHED[0], tail_ms=STRETCHED[1])
    together = Spikes.join([raw, replace(once, n_steps=N_STEPS)])
    found = classes(together, stretched=True).reshape(2, -1)
    assert found[0].tolist() == found[1].tolist()


# -- what does not belong to the readout is refused --------------------------------------------------------------------


@pytest.mark.parametrize("kind", range(len(FEATURES)))
def test_an_event_after_the_end_is_refused_with_both_durations(kind: int) -> None:
    good = raw_task().test.spikes
    long = Spikes.from_times([[1.0, 99.0]], [[0, 1]], n_units=N_CHANNELS, n_steps=100, dt_ms=1.0)
    batch = Spikes.join([replace(good, n_steps=100), long])
    message = r"within 60 ms, the duration .* fitted on, got events up to 99 ms in sample 30 \(1 of 31 .*max_ms = 60"
    with pytest.raises(InputError, match=message):
        classes(batch, kind=kind)
    assert classes(batch, stretched=True).size == good.n_samples + 1  # a readout of stretched ones takes any length


@pytest.mark.parametrize("stretched", [False, True])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dt_ms": 0.5}, "`spikes.dt_ms` of `predict` must be 1 as in .* fitted on, got 0.5"),
        ({"n_units": N_CHANNELS + 1}, "`spikes.n_units` of `predict` must be 8 as in .* fitted on, got 9"),
    ],
)
def test_another_step_or_other_channels_are_refused(stretched: bool, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        classes(replace(raw_task().test.spikes, **change), stretched=stretched)


# -- the file ----------------------------------------------------------------------------------------------------------


def test_the_grid_is_kept_with_the_readout(tmp_path: Path) -> None:
    for stretched, grid in (
        (False, Grid(N_CHANNELS, N_STEPS, 1.0)), (True, Grid(N_CHANNELS, 50, 1.0, stretched=STRETCHED)),
    ):  # fmt: skip
        readout = fitted(0, stretched)
        readout.save(tmp_path / "r.safetensors")
        back = Readout.load(tmp_path / "r.safetensors")
        assert (back.grid, back) == (grid, readout)
    assert replace(readout, grid=None) != readout


def test_a_file_of_the_version_before_predicts_and_says_what_it_does_not_know(tmp_path: Path) -> None:
    path, readout, spikes = tmp_path / "r.safetensors", fitted(0, False), raw_task().test.spikes
    readout.save(path)
    columns, facts = load_tensors(path, SCHEMA)
    del facts["grid"]
    save_tensors(path, columns, {**facts, "schema": "hrsnn.readout/2"})
    old = Readout.load(path)
    assert old == replace(readout, grid=None)
    with pytest.warns(UserWarning, match="does not tell what it was fitted on"):
        found = predict(network(), old, spikes)
    assert found.tolist() == classes(spikes).tolist()


def test_the_chain_of_splits_leads_to_their_grid() -> None:
    with pytest.raises(
        InputError, match=r"`chain` of `Splits` must lead to the grid .* \(8, 60, 1.0\), got \(8, 50, 1.0"
    ):
        replace(splits(), chain=Chain(EventGrid(N_CHANNELS, 1.0), ("a",), None, *STRETCHED))


# -- a run directory ---------------------------------------------------------------------------------------------------

CONFIG = """
[task]
name = "mine"
path = "events.npz"
arms = ["HoNHoS", "HeNHeS"]
controls = ["input-only"]
n_seeds = 2
{task}

[network]
n_neurons = 20

[input]
subset_share = 1.0
p_connect = 0.3
weight_excitatory = 2.0

[readout]
n_bins = [2]
regularisation = [0.1]
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two finished runs, `plain` and `stretched`, and the file of events they were trained on."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        events_file(Path("events.npz"))
        for name, task in (("plain", ""), ("stretched", "stretch_ms = 90.0\ntail_ms = 10.0")):
            Path(f"{name}.toml").write_text(CONFIG.format(task=task))
            assert cli.main(["run", f"{name}.toml", "--out", name, "--jobs", "1", "--quiet"]) == 0
        yield folder


def lines_of(spikes: Spikes) -> list[list[str]]:
    """The events of every sample as `hrsnn predict RUN -` reads them."""
    return [
        [f"{t + 0.5} {u}\n" for t, u in zip(one.step, one.unit, strict=True)]
        for one in (spikes.select([k]) for k in range(spikes.n_samples))
    ]


@pytest.mark.parametrize("name", ["plain", "stretched"])
def test_a_saved_chain_gives_the_classes_of_the_run(runs: Path, name: str, tmp_path: Path) -> None:
    run = load_run(runs / name)
    assert isinstance(run, Classifier)
    assert run.name == "HeNHeS, seed 0"
    together = list(run.predict(runs / "events.npz"))
    network, readout = load(runs / name / "networks/HeNHeS-s0.safetensors"), run.readout
    assert run.chain.grid == (N_CHANNELS, 60 if name == "plain" else 100, 1.0)
    spikes = recordings(40).spikes
    expected = [f"{k}" for k in predict(network, readout, spikes)]
    assert [p.class_name for p in together] == expected
    assert [p.name for p in together] == [f"{runs / 'events.npz'}[{k}]" for k in range(40)]
    for one in together:
        assert sorted(one.scores.values())[-1] - sorted(one.scores.values())[-2] == one.margin >= 0
        assert max(one.scores, key=lambda label: one.scores[label]) == one.class_name
    # a file for each, in another order, some longer than others; and as lines
    for k in range(40):
        one = spikes.select([k])
        np.savez(tmp_path / f"{39 - k:02}.npz", times_ms=one.step + 0.5, units=one.unit, sample=one.sample_of_event())
    apart = list(run.predict([tmp_path]))
    assert [p.class_name for p in apart] == expected[::-1]
    assert [p.scores for p in apart] == [p.scores for p in together][::-1]  # to the last bit
    assert [p.name for p in apart[:2]] == [str(tmp_path / "00.npz"), str(tmp_path / "01.npz")]
    lines = [line for block in lines_of(spikes) for line in [*block, "\n"]]
    assert [p.class_name for p in run.follow(lines)] == expected


def test_a_line_of_standard_input_is_answered_before_the_next_recording(runs: Path) -> None:
    run = load_run(runs / "plain")
    first, second, *_ = lines_of(recordings(40).spikes)
    read: list[str] = []

    def lines() -> Iterator[str]:
        for line in [*first, "\n", *second]:
            read.append(line)
            yield line

    found = run.follow(lines())
    assert next(found).to_dict()["name"] == "recording 0"
    assert len(read) == len(first) + 1
    assert [p.to_dict()["name"] for p in found] == ["recording 1"]
    assert list(run.follow(["\n", "\n"])) == []


def test_memory_does_not_grow_with_the_number_of_files(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hrsnn.predictor._FILES_AT_A_TIME", 3)
    run, sizes, read = load_run(runs / "plain"), [], Chain.read

    def counted(chain: Any, paths: Any) -> Any:
        sizes.append(len(paths))
        return read(chain, paths)

    monkeypatch.setattr("hrsnn.data.chain.Chain.read", counted)
    assert len(list(run.predict([runs / "events.npz"] * 7))) == 280
    assert sizes == [3, 3, 1]


def test_which_network_is_chosen(runs: Path) -> None:
    assert load_run(runs / "plain", arm="HoNHoS", seed=1).name == "HoNHoS, seed 1"
    with pytest.raises(
        InputError, match=r'`--arm` of .* must be a network of the run, got HeNHoS; did you mean "HoNHoS"'
    ):
        load_run(runs / "plain", arm="HeNHoS")
    with pytest.raises(InputError, match="must be a network of the run, got InputOnly"):
        load_run(runs / "plain", arm="InputOnly")
    with pytest.raises(InputError, match=r"`--seed` of .* must be one of the run, 0, 1, got 7"):
        load_run(runs / "plain", seed=7)


def test_the_verb(runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["predict", str(runs / "plain")]
    run = load_run(runs / "plain")
    assert isinstance(run, Classifier)
    expected = list(run.predict(runs / "events.npz"))
    assert cli.main([*words, str(runs / "events.npz")]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [p.to_text() for p in expected]
    assert out.split("\n")[0].split("\t")[:2] == [f"{runs / 'events.npz'}[0]", expected[0].class_name]
    assert err == f"HeNHeS, seed 0, of {runs / 'plain'}\n"
    assert cli.main([*words, str(runs / "events.npz"), "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["predictions"], err) == ([p.to_dict() for p in expected], "")
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(lines_of(recordings(40).spikes)[0])))
    assert cli.main([*words, "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**expected[0].to_dict(), "name": "recording 0"}


def test_a_class_without_training_recordings_has_no_score_in_json() -> None:
    chain = Chain(EventGrid(N_CHANNELS, 1.0), ("yes", "no"), N_STEPS)
    run = Classifier("made by hand", network(), fitted(0, False), chain)
    one = run._prediction("a", np.array([1.0, -np.inf]))
    assert (one.margin, one.to_dict()["margin"], one.to_dict()["scores"]) == (np.inf, None, {"yes": 1.0, "no": None})


# -- what cannot be predicted is one sentence and exit code 2 ----------------------------------------------------------


def long_file(folder: Path) -> Path:
    np.savez(folder / "long.npz", times_ms=[1.0, 99.0], units=[0, 1], sample=[0, 0])
    return folder / "long.npz"


def other_channels(folder: Path) -> Path:
    np.savez(folder / "wide.npz", times_ms=[1.0], units=[8], sample=[0])
    return folder / "wide.npz"


def text_file(folder: Path) -> Path:
    (folder / "a.txt").write_text("no recording")
    return folder / "a.txt"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (long_file, "has events up to 99 ms, and the recordings it shall be like end within 60 ms"),
        (other_channels, "must be <= 7, got 8"),
        (text_file, "must end in .npz"),
        (lambda folder: folder / "nothing.npz", "no such file"),
        (lambda folder: folder, "no file in this folder ends in .npz"),
    ],
)
def test_recordings_that_cannot_be_read(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Any, message: str
) -> None:
    assert cli.main(["predict", str(runs / "plain"), str(make(tmp_path)), "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert (out, message in err, err.count("\n")) == ("", True, 1), err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.0 2 3\n", "`event` of `line 1` must be `time_ms channel`, got 3 numbers"),
        ("1.0 2\n3.0 x\n", "`values` of `line 2` must be finite numbers, got 3.0 x"),
        ("1.0 2\n3.0\n", "`values` of `line 2` must be 2 as in line 1, got 1"),
        ("\n1.0 2\nnan 2\n", "`values` of `line 3` must be finite numbers"),
        ("1.0 9\n", "must be <= 7, got 9"),
        ("1.0 2.5\n", "must be whole numbers"),
        ("-1.0 2\n", "must be >= 0"),
        ("1e30 2\n", "the end of the grid, got 1e+30"),
        ("99.0 2\n", "recording 0 has events up to 99 ms"),
    ],
)
def test_lines_that_are_wrong(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert cli.main(["predict", str(runs / "plain"), "-", "--quiet"]) == 2
    err = capsys.readouterr().err
    assert (message in err, err.count("\n")) == (True, 1), err


def without(run: Path, name: str) -> None:
    (run / name).unlink()


def spoiled(run: Path, name: str) -> None:
    (run / name).write_bytes((run / name).read_bytes()[:-3])


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (without, "results.json", "is not finished; finish it with `hrsnn run"),
        (without, "config.toml", "is not the directory of a run: it holds no config.toml"),
        (without, "chain.json", "chain.json is missing or was changed"),
        (spoiled, "chain.json", "chain.json is missing or was changed"),
        (without, "readouts/HeNHeS-s0.safetensors", "is missing or was changed"),
        (spoiled, "networks/HeNHeS-s0.safetensors", "is missing or was changed"),
        (without, "outcomes/HeNHeS-s0.json", "does not exist"),
    ],
)
def test_directories_that_cannot_predict(runs: Path, tmp_path: Path, change: Any, name: str, message: str) -> None:
    shutil.copytree(runs / "plain", tmp_path / "run")
    change(tmp_path / "run", name)
    with pytest.raises(FileError, match=message):
        load_run(tmp_path / "run")


def test_no_directory_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path, tmp_path / "none"):
        assert cli.main(["predict", str(path), "a.npz"]) == 2
        assert "is not the directory of a run" in capsys.readouterr().err


# -- forecasts ---------------------------------------------------------------------------------------------------------

SERIES_CONFIG = """
[task]
name = "waves"
path = "waves.csv"
arms = ["HeNHeS"]
controls = ["persistence"]
n_seeds = 1
forecast = {n_train = 100, n_horizon = 6, n_starts = 2, n_washout = 10, n_warmup = 20, poisson = POISSON, dt = 0.5}

[network]
n_neurons = 20

[input]
subset_share = 1.0
p_connect = 0.3
weight_excitatory = 2.0

[readout]
features = "filtered"
model = "ridge"
regularisation = [0.01]
"""


def waves(path: Path, n: int, order: tuple[str, ...] = ("one", "two")) -> Path:
    columns = {"one": [np.sin(k / 3) for k in range(n)], "two": [np.cos(k / 5) for k in range(n)]}
    rows = [",".join(order), *(",".join(repr(float(columns[name][k])) for name in order) for k in range(n))]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def forecasts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished run of forecasts, with regular and with Poisson spikes."""
    folder = tmp_path_factory.mktemp("forecasts")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        waves(Path("waves.csv"), 130)
        for name, poisson in (("regular", "false"), ("poisson", "true")):
            Path(f"{name}.toml").write_text(SERIES_CONFIG.replace("POISSON", poisson))
            assert cli.main(["run", f"{name}.toml", "--out", name, "--jobs", "1", "--quiet"]) == 0
        yield folder


@pytest.mark.parametrize("name", ["regular", "poisson"])
def test_a_series_goes_on_as_in_the_evaluation(forecasts: Path, tmp_path: Path, name: str) -> None:
    """What follows the values before the first start of a test forecast is that forecast."""
    run = load_run(forecasts / name)
    assert isinstance(run, Forecaster)
    (found,) = run.predict(waves(tmp_path / "new.csv", 100, ("two", "one")))
    details = json.loads((forecasts / name / "outcomes/HeNHeS-s0.json").read_text())["details"]
    # The evaluation forecasts from two starts at once: the last bits of a product of matrices depend on its shape.
    np.testing.assert_allclose(found.values, details["forecast"]["prediction"], rtol=1e-9)
    assert (found.variable_names, found.values.shape) == (("one", "two"), (6, 2))


def test_lines_of_a_series_are_answered_one_by_one(forecasts: Path, tmp_path: Path) -> None:
    run = load_run(forecasts / "regular")
    lines = waves(tmp_path / "new.csv", 40).read_text().splitlines(keepends=True)
    read: list[str] = []

    def counted() -> Iterator[str]:
        for line in lines:
            read.append(line)
            yield line

    found = run.follow(counted())
    first = next(found)
    assert isinstance(first, Step)
    assert (first.line, len(read), sorted(first.values)) == (21, 21, ["one", "two"])  # a header and 20 of warm-up
    steps = [first, *found]
    assert [step.line for step in steps] == list(range(21, 42))
    # after exactly the warm-up it is the first value of the free forecast
    (free,) = run.predict(waves(tmp_path / "short.csv", 20))
    assert list(first.values.values()) == free.values[0].tolist()
    without_names = list(run.follow([*lines[1:], "\n"]))
    assert [step.values for step in without_names] == [step.values for step in steps]


def test_the_verb_on_a_series(
    forecasts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["predict", str(forecasts / "regular")]
    path = waves(tmp_path / "new.csv", 40)
    assert cli.main([*words, str(path)]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert (rows[0], len(rows)) == ("one,two", 7)
    assert cli.main([*words, str(path), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["predictions"]
    np.testing.assert_allclose(found["values"], [[float(x) for x in row.split(",")] for row in rows[1:]], rtol=1e-9)
    monkeypatch.setattr("sys.stdin", path.open())
    assert cli.main([*words, "-"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 21


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one,two\n1,2\n", "must be at least 20, which drive a network"),
        ("one,three\n1,2\n", "two"),
        ("one,two\n1,x\n", "must hold numbers"),
    ],
)
def test_series_that_cannot_go_on(
    forecasts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "bad.csv").write_text(text)
    assert cli.main(["predict", str(forecasts / "regular"), str(tmp_path / "bad.csv"), "--quiet"]) == 2
    err = capsys.readouterr().err
    assert (message in err, "bad.csv" in err, err.count("\n")) == (True, True, 1), err


def test_a_readout_of_forecasts_belongs_to_its_code(forecasts: Path) -> None:
    run = load_run(forecasts / "regular")
    assert isinstance(run, Forecaster)
    task = replace(run.task, code=replace(run.task.code, hold_ms=10.0))
    with pytest.raises(InputError, match="`readout` of `forecast` must belong to"):
        forecast.continued(run.network, run.readout, task, run.task.training_values)
    with pytest.raises(InputError, match="must tell classes, got a readout of forecasts"):
        predict(run.network, run.readout, Spikes.empty(1, n_units=100, n_steps=20, dt_ms=1.0))


def test_a_chain_that_does_not_fit_is_told() -> None:
    for facts in ({}, {"schema": CHAIN.text}, {"schema": CHAIN.text, "kind": "forecast", "spec": {}}):
        with pytest.raises(InputError, match=r"must be hrsnn.chain/1|not a saved"):
            chain_from(facts)


@pytest.mark.parametrize("transform", ["none", "difference", "returns", "standardise"])
@pytest.mark.parametrize("target", ["increment", "value"])
def test_rows_one_by_one_are_what_the_whole_gives(transform: str, target: str) -> None:
    values = 3 + np.stack([np.sin(np.arange(130) / 3), np.cos(np.arange(130) / 5)], axis=1)
    spec = ForecastSpec(n_train=100, n_horizon=6, n_starts=2, n_washout=10, n_warmup=20, n_per_variable=4,
                        transform=transform, target=target)  # type: ignore[arg-type]  # fmt: skip
    task = ForecastTask.of(Series(values, 1.0, "waves", ("one", "two")), spec)
    readout = evaluate(network(), task, ReadoutSpec(features="filtered", model="ridge"))[1]
    found = list(forecast.followed(network(), readout, task, values[:25]))
    assert len(found) == 6
    expected = forecast.continued(network(), readout, task, values[:20])
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
    # what is saved of the task is enough to go on
    saved = chain_from(json.loads(json.dumps(task.chain_facts)))
    assert isinstance(saved, ForecastTask)
    np.testing.assert_array_equal(forecast.continued(network(), readout, saved, values[:20]), expected)


# -- other kinds of recordings -----------------------------------------------------------------------------------------


def classifier_of(task: Any) -> Classifier:
    inputs = {"subset_share": 1.0, "p_connect": 0.3, "weight_excitatory": 2.0}
    net = build(NetworkSpec.from_dict({"n_neurons": 20, "n_inputs": task.n_inputs, "input": inputs}), seed=0)
    return Classifier("by hand", net, evaluate(net, task, ReadoutSpec(n_bins=[2], regularisation=[0.1]))[1], task.chain)


@pytest.mark.parametrize("stretch_ms", [0.0, 200.0])
def test_labelled_series_from_a_file_and_line_by_line(tmp_path: Path, stretch_ms: float) -> None:
    rng = np.random.default_rng(0)
    for name, frequency in (("slow", 0.1), ("fast", 0.5)):
        (tmp_path / "all" / name).mkdir(parents=True)
        for k in range(8):
            wave = np.sin(frequency * np.arange(30 + k) + rng.uniform(0, 6))
            np.savetxt(tmp_path / "all" / name / f"{k}.csv", np.stack([wave, -wave], axis=1), delimiter=",")
    task = load_task(TaskSpec(name="waves", path=str(tmp_path / "all"), stretch_ms=stretch_ms))
    run = classifier_of(task)
    found = list(run.predict(tmp_path / "all"))
    files = [Path(one.name) for one in found]
    assert sum(path.parent.name == one.class_name for path, one in zip(files, found, strict=True)) >= 12
    lines = [line for path in files for line in [*path.read_text().splitlines(), ""]]
    assert [one.scores for one in run.follow(lines)] == [one.scores for one in found]


def test_sounds_together_and_apart(tmp_path: Path) -> None:
    for name, frequency in (("low", 300.0), ("high", 3000.0)):
        (tmp_path / name).mkdir()
        for k in range(6):
            tone = np.sin(2 * np.pi * (frequency + 10 * k) * np.arange(800 + 80 * k) / 16000)
            wavfile.write(tmp_path / name / f"{k}.wav", 16000, (20000 * tone).astype(np.int16))
    for stretch_ms in (0.0, 80.0):
        run = classifier_of(load_task(TaskSpec(name="tones", path=str(tmp_path), n_channels=16, stretch_ms=stretch_ms)))
        together = list(run.predict([tmp_path]))
        apart = [next(run.predict(one.name)) for one in together]
        assert [one.scores for one in apart] == [one.scores for one in together]
        with pytest.raises(InputError, match="cannot read sound"):
            next(run.follow(["1 2"]))
