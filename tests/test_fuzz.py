"""Hundreds of wrong inputs: every one is taken, or refused in one sentence; none hangs, eats memory or is a traceback.

The inputs are valid ones with something changed in them, drawn with a fixed seed. `HRSNN_FUZZ_SEED` and
`HRSNN_FUZZ_N` look at others and at more of them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import struct
import sys
import traceback
import warnings
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hrsnn
from hostile import Rng, damaged, misspelt, mutated, other_json
from hrsnn import cli, forecast
from hrsnn._checks import HrsnnError, among, listed
from hrsnn.config import load_config, to_toml
from hrsnn.data import own
from hrsnn.data.dataset import Dataset, Series, Splits
from hrsnn.data.hd_spikes import read_recordings
from hrsnn.distributions import from_toml
from hrsnn.encode.audio import AudioCode
from hrsnn.encode.duration import regrid, stretch
from hrsnn.encode.events import level_crossing, pool_events
from hrsnn.encode.frames import temporal_difference
from hrsnn.encode.rates import PopulationCode, poisson_rate
from hrsnn.encode.values import ValueCode
from hrsnn.engine import engines, simulate_stdp
from hrsnn.network_file import load_tensors, save_tensors
from hrsnn.outcome import Outcome, sealed
from hrsnn.pruning.document import course_of
from hrsnn.pruning.methods import criterion_of
from hrsnn.pruning.schedule import Trajectory, prune
from hrsnn.pruning.session import prune_into
from hrsnn.pruning.snapshots import SnapshotFolder
from hrsnn.pruning.spec import PruneSpec
from hrsnn.pruning.target import Target
from hrsnn.readout import Readout, ReadoutSpec
from hrsnn.spec import NetworkSpec
from hrsnn.tables import NeuronTable, StdpRule, SynapseTable
from hrsnn.tasks import TaskSpec, chain_from, load_task
from hrsnn.train import LearnSpec
from networks import random_network, random_spikes
from small_tasks import N_CHANNELS, events_file, splits

SEED, N = int(os.environ.get("HRSNN_FUZZ_SEED", "0")), int(os.environ.get("HRSNN_FUZZ_N", "500"))
LONGEST_SENTENCE = 2000
TINY = Path(__file__).with_name("tiny.toml")
SECONDS, BYTES = 20, 6 << 30  # one input may take so long, and the process so much address space more than before

Call = Callable[[], Any]


class Hang(BaseException):
    """Past everything that catches exceptions."""


# -- the rule ----------------------------------------------------------------------------------------------------------


def ending(call: Call) -> str:
    """How it ends: "done", "refused", or in other words what is wrong."""

    def alarm(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, alarm)
    signal.alarm(SECONDS)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", r"(overflow|invalid value|divide by zero|underflow) encountered")
            call()
        return "done"
    except HrsnnError as error:
        return (
            "refused" if len(str(error)) <= LONGEST_SENTENCE else f"a sentence of {len(str(error))}: {str(error)[:100]}"
        )
    except OSError as error:  # of a place that cannot be written to, which the command line tells
        return "refused" if error.errno is not None else f"OSError: {error}"
    except MemoryError as error:  # of NumPy, before anything is made; the command line tells it
        return "refused" if "Unable to allocate" in str(error) else f"MemoryError: {error}"
    except Hang:
        return "hang"
    except Exception as error:
        own_frames = [f for f in traceback.extract_tb(error.__traceback__) if "/hrsnn/" in f.filename]
        place = (
            f"{Path(own_frames[-1].filename).name}:{own_frames[-1].lineno} {own_frames[-1].name}" if own_frames else "?"
        )
        return f"{type(error).__name__} at {place}: {str(error)[:120]}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def on_command_line(*words: object) -> Call:
    """The command: exit code 0, 1 or 2, and a short sentence that is no internal error."""

    def call() -> None:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = cli.main([str(word) for word in words])
        text = said.getvalue()
        assert code in (0, 1, 2), f"exit code {code}"
        for fault in ("internal error", "Traceback", "RuntimeWarning"):
            assert fault not in text, text[-300:]
        assert len(text) <= 3 * LONGEST_SENTENCE, f"{len(text)} characters: {text[:100]}"

    return call


# -- valid things ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Valid:
    """What is mutated: made once."""

    folder: Path
    network: hrsnn.Network
    spikes: hrsnn.Spikes
    task: Splits
    series_task: Any
    readout: Readout
    runs: tuple[Path, ...]
    pruned: Path


SMALL = [
    "--set",
    "network.n_neurons=12",
    "--set",
    "task.n_seeds=1",
    "--set",
    'task.arms=["HeNHeS"]',
    "--jobs",
    "1",
    "--quiet",
]
FORECAST = ["--set", "task.controls=[]"]
EVENTS = [
    "--set",
    "input.calibrate=false",
    "--set",
    "task.controls=[]",
    "--set",
    "readout.regularisation=[0.1]",
    "--set",
    "readout.n_bins=[2]",
    "--set",
    'readout.transform=["none"]',
    "--set",
    "task.max_ms=60",
]


def made(folder: Path) -> Valid:
    rng = np.random.default_rng(3)
    network = random_network(rng, n=6, n_inputs=N_CHANNELS)
    task = splits()
    small = Splits(
        *(part.select(slice(0, 12)) for part in (task.train, task.validation, task.test)),
        name="small",
        licence="",
        source="",
    )
    _, readout = hrsnn.evaluate(network, small, ReadoutSpec(n_bins=[2], regularisation=[0.1]))
    series = Series(np.sin(np.arange(140) / 3)[:, None], 1.0, "sine", ("x",))
    series_task = forecast.ForecastTask.of(series, load_config(TINY).task.forecast)
    events_file(folder / "events.npz")
    runs = folder / "forecast", folder / "events"
    assert cli.main(["run", str(TINY), *SMALL, *FORECAST, "--out", str(runs[0])]) == 0
    assert cli.main(["run", str(folder / "events.npz"), *SMALL, *EVENTS, "--out", str(runs[1])]) == 0
    pruned = folder / "pruned"
    prune_into(pruned, network, PruneSpec(methods=["magnitude"], keep_synapses=3, correct=False), name="n")
    _files(folder)
    return Valid(folder, network, random_spikes(rng, network), small, series_task, readout, runs, pruned)


def _files(folder: Path) -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(12, 20)).round(3)
    t = np.arange(90)
    table = np.stack([np.sin(t / 3), np.cos(t / 5)], axis=1).round(4)
    (folder / "series.csv").write_text(
        "date,x,y\n" + "".join(f"2020-01-01T{k // 60:02}:{k % 60:02},{a},{b}\n" for k, (a, b) in enumerate(table))
    )
    (folder / "comma.csv").write_text("x;y\n" + "".join(f"{a};{b}\n".replace(".", ",") for a, b in table))
    (folder / "labelled.csv").write_text(
        ",".join([*(f"v{k}" for k in range(20)), "label"])
        + "\n"
        + "".join(",".join(map(str, row)) + f",{'ab'[k % 2]}\n" for k, row in enumerate(rows))
    )
    (folder / "rows.tsv").write_text(
        "".join(f"{k % 2}\t" + "\t".join(map(str, row)) + "\n" for k, row in enumerate(rows))
    )
    (folder / "uea.ts").write_text(
        "@problemName x\n@timestamps false\n@univariate false\n@classLabel true a b\n@data\n"
        + "".join(
            ",".join(map(str, row[:10])) + ":" + ",".join(map(str, row[10:])) + f":{'ab'[k % 2]}\n"
            for k, row in enumerate(rows)
        )
    )
    (folder / "uea.arff").write_text(
        "@relation x\n"
        + "".join(f"@attribute v{k} numeric\n" for k in range(20))
        + "@attribute class {a,b}\n@data\n"
        + "".join(",".join(map(str, row)) + f",{'ab'[k % 2]}\n" for k, row in enumerate(rows))
    )
    np.savez(folder / "values.npz", values=rows, labels=np.arange(12) % 2)
    for k in range(12):
        for kind in ("txt", "wav", "npy"):
            place = folder / f"{kind}s" / "ab"[k % 2]
            place.mkdir(parents=True, exist_ok=True)
            if kind == "txt":
                np.savetxt(place / f"{k}.txt", rows[k : k + 1].T)
            elif kind == "npy":
                np.save(place / f"{k}.npy", rows[k])
            else:
                with wave.open(str(place / f"{k}.wav"), "wb") as file:
                    file.setparams((1, 2, 8000, 0, "NONE", ""))
                    file.writeframes((3000 * np.sin(np.arange(400) * (k % 2 + 1))).astype("<i2").tobytes())
    import h5py

    with h5py.File(folder / "shd.h5", "w") as file:
        for name in ("times", "units"):
            made = file.create_dataset(
                f"spikes/{name}", (6,), dtype=h5py.vlen_dtype(np.float32 if name == "times" else np.int64)
            )
            for k in range(6):
                made[k] = np.sort(rng.random(9)) if name == "times" else rng.integers(0, 700, 9)
        file["labels"], file["extra/speaker"] = np.arange(6) % 2, np.arange(6) % 3
        file["extra/keys"] = np.array([b"a", b"b"])


# -- API ---------------------------------------------------------------------------------------------------------------


def _columns(table: Any) -> dict[str, Any]:
    return {f.name: getattr(table, f.name) for f in fields(table)}


def api(valid: Valid) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Functions and valid arguments, by keyword."""
    net, spikes, task = valid.network, valid.spikes, valid.task
    edges = {"pre": net.recurrent.pre(), **{k: v for k, v in _columns(net.recurrent).items() if k != "ptr"}, "n_pre": 6}
    times = [np.array([0.5, 3.0, 7.2]), np.array([1.0])]
    units = [np.array([0, 2, 1]), np.array([1])]
    waves = [np.sin(np.arange(60) / 3), np.cos(np.arange(50) / 5)]
    spec = NetworkSpec(n_neurons=10, n_inputs=N_CHANNELS)
    law = {"gamma": {"mean": 20.0, "shape": 3.0}}
    recorded = hrsnn.simulate(net, spikes, record=hrsnn.Record(state=True, n_bins=2), backend="reference")
    state = recorded.state
    assert state is not None
    outcome = hrsnn.Outcome("HeNHeS", "trained", None, 0, {"accuracy": 0.5}, {"energy_pj": {"a": 1.0}}, {}, 1.0)
    flat: dict[str, Any] = {"network": net, "spikes": spikes, "backend": "reference"}

    def from_state(**columns: Any) -> Any:
        return hrsnn.simulate(net, spikes, state=hrsnn.State(**columns), backend="reference")

    def network_of(**columns: Any) -> Any:
        neurons = NeuronTable(**columns)
        return hrsnn.simulate(hrsnn.Network(neurons, net.recurrent, net.inputs, net.dt_ms), spikes, backend="reference")

    def synapses_of(**columns: Any) -> Any:
        return hrsnn.simulate(
            hrsnn.Network(net.neurons, SynapseTable(**columns), net.inputs, 1.0), spikes, backend="reference"
        )

    def spikes_of(**columns: Any) -> Any:
        found = hrsnn.Spikes(**columns)
        return found.select([0]), repr(found), found == found, hrsnn.simulate(net, found, backend="reference")

    def spec_of(**tables: Any) -> Any:
        found = NetworkSpec.from_dict(tables)
        return hrsnn.build(found, seed=0) if found.n_neurons * found.n_inputs < 1e5 and found.n_neurons < 500 else None

    def stepped(channels: Any, **options: Any) -> Any:
        live = hrsnn.stream(net, **options)
        for step in listed("stream", "channels", channels):
            live.step(step)
        return live.state

    def read_out(windows: Any, **columns: Any) -> Any:
        found = Readout(**columns)
        return found.classes(windows), found.count_synops(windows), repr(found)

    def values_encoded(recordings: Any, encode: Any, **options: Any) -> Any:
        return ValueCode.fit(recordings, **options).encode(encode)

    def code_of(recordings: Any, **columns: Any) -> Any:
        return ValueCode(**columns).encode(recordings)

    def populated(series: Any, values: Any, **options: Any) -> Any:
        return PopulationCode.fit(series, **options).encode(values)

    def sounds(signals: Any, sample_rate_hz: Any, duration_ms: Any, **options: Any) -> Any:
        return AudioCode(**options).encode(signals, sample_rate_hz, duration_ms=duration_ms)

    def outcome_of(**values: Any) -> Any:
        return Outcome.from_dict(values).to_dict()

    def pruned(target: Any, method: Any, **options: Any) -> Any:
        return prune(
            target=Target(**target) if isinstance(target, dict) else target,
            criterion=criterion_of(method),
            **options,
        )

    def law_of(value: Any, n: Any) -> Any:
        law = from_toml(value)
        return law.sample(np.random.default_rng(0), n), law.to_toml(), law.variance, law.homogenised()

    def masks(keep_neurons: Any, keep_synapses: Any, weights: Any) -> Any:
        return net.keep_synapses(keep_synapses), net.with_weights(weights), net.keep_neurons(keep_neurons)

    def datasets(samples: Any, **columns: Any) -> Any:
        return Dataset(**columns).select(samples)

    def series_of(variables: Any, **columns: Any) -> Any:
        return Series(**columns).select(variables)

    def task_of(**tables: Any) -> Any:
        spec = TaskSpec(**tables)
        return load_task(spec) if spec.path else None

    chain = json.loads((valid.runs[1] / "chain.json").read_bytes())
    forecast_chain = json.loads((valid.runs[0] / "chain.json").read_bytes())
    value_code = ValueCode.fit(waves).to_dict()
    code = {k: tuple(v) if isinstance(v, list) else v for k, v in value_code.items()}
    return {
        "Spikes": (spikes_of, _columns(spikes)),
        "from_times": (
            hrsnn.Spikes.from_times,
            {"times_ms": times, "units": units, "n_units": 3, "n_steps": 10, "dt_ms": 1.0, "late": "drop"},
        ),
        "from_dense": (hrsnn.Spikes.from_dense, {"raster": spikes.dense(), "dt_ms": 1.0}),
        "empty": (hrsnn.Spikes.empty, {"n_samples": 3, "n_units": 3, "n_steps": 5, "dt_ms": 1.0}),
        "join": (hrsnn.Spikes.join, {"parts": [spikes, spikes]}),
        "select": (spikes.select, {"samples": np.array([0, 1])}),
        "counts": (spikes.counts, {"n_bins": 2}),
        "NeuronTable": (network_of, _columns(net.neurons)),
        "SynapseTable": (synapses_of, _columns(net.recurrent)),
        "from_edges": (SynapseTable.from_edges, edges),
        "Network": (hrsnn.Network, {**_columns(net), "provenance": {"history": ["built"], "seed": 0}}),
        "masks": (
            masks,
            {
                "keep_neurons": np.arange(6) < 4,
                "keep_synapses": net.recurrent.weight > 0,
                "weights": net.recurrent.weight,
            },
        ),
        "StdpRule": (StdpRule, {"pairing": "all-to-all", "soft_bound": 0.0, "normalise": False}),
        "law": (law_of, {"value": law, "n": 5}),
        "Empirical": (law_of, {"value": {"empirical": {"values": [1.0, 2.0, 3.0]}}, "n": 5}),
        "spec": (spec_of, json.loads(json.dumps(spec.to_dict()))),
        "preset": (NetworkSpec.preset, {"name": "HeNHeS", "n_inputs": 4, "n_neurons": 20, "input": {"p_connect": 0.5}}),
        "build": (hrsnn.build, {"spec": spec, "seed": 0}),
        "simulate": (
            hrsnn.simulate,
            {**flat, "record": hrsnn.Record(), "state": state, "dtype": np.float32, "n_threads": 1},
        ),
        "Record": (
            lambda **r: hrsnn.simulate(net, spikes, record=hrsnn.Record(**r), backend="reference"),
            _columns(hrsnn.Record(spikes=True, v=3, state=True, filtered_every=4)),
        ),
        "State": (from_state, _columns(state)),
        "simulate_stdp": (
            simulate_stdp,
            {**flat, "record": hrsnn.Record(), "dtype": np.float64, "batch_size": 2, "n_threads": 1, "progress": None},
        ),
        "learn": (
            hrsnn.learn,
            {"network": net, "data": spikes, "spec": LearnSpec(), "seed": 0, "progress": False, "dtype": np.float32},
        ),
        "stream": (
            stepped,
            {
                "channels": [[0, 2], [], np.array([1])],
                "state": None,
                "backend": "reference",
                "dtype": np.float32,
                "tau_filter_ms": 30.0,
            },
        ),
        "Dataset": (datasets, {"samples": [0, 1], **_columns(task.train)}),
        "Series": (
            series_of,
            {
                "variables": ["x"],
                "values": np.ones((4, 2)),
                "dt": 1.0,
                "name": "s",
                "variable_names": ("x", "y"),
                "lyapunov_exponent": None,
                "solver": "r",
            },
        ),
        "Splits": (Splits, _columns(task)),
        "split": (
            own.split,
            {"dataset": task.train, "seed": 0, "test_share": 0.2, "validation_share": 0.2, "by_groups": False},
        ),
        "evaluate": (hrsnn.evaluate, {"network": net, "task": task, "readout": ReadoutSpec(regularisation=[0.1])}),
        "evaluate series": (
            hrsnn.evaluate,
            {"network": net, "task": valid.series_task, "readout": ReadoutSpec(features="filtered", model="ridge")},
        ),
        "ReadoutSpec": (ReadoutSpec, ReadoutSpec().model_dump()),
        "LearnSpec": (LearnSpec, LearnSpec(n_epochs=2).model_dump()),
        "PruneSpec": (PruneSpec, PruneSpec().model_dump()),
        "TaskSpec": (task_of, TaskSpec(path=str(valid.folder / "series.csv")).model_dump()),
        "Readout": (read_out, {"windows": recorded.counts, **_columns(valid.readout)}),
        "predict": (hrsnn.predict, {"network": net, "readout": valid.readout, "spikes": task.test.spikes}),
        "calibrate": (
            hrsnn.calibrate,
            {"network": net, "data": spikes, "target_hz": 20.0, "inhibitory_ratio": 2.0, "n_recordings": 2, "seed": 0},
        ),
        "poisson_rate": (
            poisson_rate,
            {
                "images": np.array([[0.1, 0.9]]),
                "rng": np.random.default_rng(0),
                "f_max_hz": 60.0,
                "duration_ms": 10.0,
                "silence_ms": 0.0,
                "dt_ms": 1.0,
            },
        ),
        "PopulationCode": (
            populated,
            {
                "series": np.array([[0.0], [1.0]]),
                "values": np.full((1, 5, 1), 0.5),
                "n_per_variable": 5,
                "f_max_hz": 100.0,
                "hold_ms": 20.0,
                "dt_ms": 1.0,
            },
        ),
        "level_crossing": (level_crossing, {"signals": np.ones((1, 4, 2)), "threshold": 0.5, "dt_ms": 1.0}),
        "pool_events": (
            pool_events,
            {
                "times_ms": times,
                "x": units,
                "y": units,
                "polarity": [np.array([0, 1, 1]), np.array([0])],
                "n_steps": 8,
                "dt_ms": 1.0,
                "sensor": (4, 4),
                "grid": (2, 2),
                "late": "drop",
            },
        ),
        "temporal_difference": (
            temporal_difference,
            {"frames": np.zeros((1, 3, 2, 2)), "fps": 100.0, "threshold": 0.1, "dt_ms": 1.0, "graded": True},
        ),
        "ValueCode": (values_encoded, {"recordings": waves, "encode": waves, "dt_ms": 1.0, "n_target_steps": 50}),
        "ValueCode fields": (code_of, {"recordings": waves, **code}),
        "AudioCode": (
            sounds,
            {
                "signals": [np.sin(np.arange(800) / 3)],
                "sample_rate_hz": 16000.0,
                "duration_ms": None,
                "n_channels": 4,
                "f_min_hz": 100.0,
                "f_max_hz": 7000.0,
                "dt_ms": 1.0,
                "loudness": 0.05,
                "exponent": 0.3,
                "neuron": "lif",
                "gain": 10.0,
            },
        ),
        "stretch": (stretch, {"spikes": spikes, "duration_ms": 20.0, "tail_ms": 5.0}),
        "regrid": (regrid, {"spikes": spikes, "dt_ms": 0.5}),
        "prune": (
            pruned,
            {
                "target": {"n_synapses": 5},
                "method": "magnitude",
                "network": net,
                "n_iterations": 1,
                "seed": 0,
                "drive_ms": 50.0,
                "correct": False,
                "data": None,
            },
        ),
        "Outcome": (outcome_of, outcome.to_dict()),
        "chain": (chain_from, {"facts": chain}),
        "forecast chain": (chain_from, {"facts": forecast_chain}),
        "csv_series": (
            own.csv_series,
            {
                "path": valid.folder / "series.csv",
                "columns": ["x"],
                "dt": 1.0,
                "delimiter": ",",
                "decimal": ".",
                "thousands": "",
                "header": True,
                "encoding": "utf-8",
            },
        ),
        "events_npz": (
            own.events_npz,
            {"path": valid.folder / "events.npz", "dt_ms": 1.0, "n_units": 8, "max_ms": 60.0},
        ),
        "wav_folder": (
            own.wav_folder,
            {
                "folder": valid.folder / "wavs",
                "code": AudioCode(n_channels=4, f_max_hz=3000.0),
                "pattern": None,
                "max_ms": 40.0,
            },
        ),
        "load": (hrsnn.load, {"path": valid.pruned / "pruned.safetensors"}),
        "save": (
            lambda network, name: hrsnn.save(
                network, valid.folder / name if isinstance(name, str) and name and "/" not in name else name
            ),
            {"network": net, "name": "n.safetensors"},
        ),
        "load_run": (hrsnn.load_run, {"run_dir": valid.runs[1], "arm": "HeNHeS", "seed": 0}),
        "recommended": (hrsnn.recommended, {"task": task, "arm": "HeNHeS"}),
    }


def api_input(rng: Rng, valid: Valid, table: dict[str, Any]) -> tuple[str, Call]:
    name = list(table)[rng.integers(len(table))]
    function, arguments = table[name]
    changed = dict(arguments)
    said = []
    for _ in range(1 + (rng.random() < 0.2)):
        key = list(arguments)[rng.integers(len(arguments))]
        changed[key] = mutated(rng, changed[key])
        said.append(f"{key}={_told(changed[key])}")
    if name == "poisson_rate" and "rng" not in " ".join(said):
        changed["rng"] = np.random.default_rng(0)
    return f"api {name}({', '.join(said)})", lambda: function(**changed)


def _told(value: object) -> str:
    try:
        return repr(value)[:90]
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"


# -- config ------------------------------------------------------------------------------------------------------------

_LITERALS = (
    "nan",
    "inf",
    "-1",
    "0",
    "1e400",
    "1e308",
    "1e-320",
    "2147483648",
    "9223372036854775807",
    "1" + "0" * 400,
    '""',
    '"x"',
    '"' + "é" * 3000 + '"',
    "[]",
    "[[]]",
    "{}",
    "true",
    "1979-05-27",
    "{gamma = {mean = 20, shape = 3}}",
    "{gamma = {mean = -1, shape = 1e300}}",
    "{normal = {mean = 1, sd = inf}}",
    "{empirical = {values = []}}",
    "{uniform = {low = 2, high = 1}}",
    "[" * 3000,
    '"\\u0000"',
    "[1, 2, 3]",
    '["none", "none"]',
    "0.5",
    "3",
    '{gamma = "x"}',
    "{a = 1, b = 2}",
)


def config_input(rng: Rng, valid: Valid, text: str, keys: list[str], run_share: float = 0.15) -> tuple[str, Call]:
    literal = _LITERALS[rng.integers(len(_LITERALS))]
    out = valid.folder / "fuzzed"
    if rng.random() < 0.6:
        key = keys[rng.integers(len(keys))]
        key = [key, key.split(".")[0], key + ".x", key.upper(), "network.excitatory." + key.split(".")[-1]][
            rng.choice(5, p=[0.84, 0.04, 0.04, 0.04, 0.04])
        ]
        override = f"{key}={literal}" if rng.random() < 0.9 else f"{key}{literal}"
        words: list[str] = [str(TINY), *SMALL, *FORECAST, "--set", override]
        said = override
    else:
        content = (misspelt if rng.random() < 0.7 else damaged)(rng, text.encode())
        path = valid.folder / "fuzzed.toml"
        path.write_bytes(content)
        words, said = [str(path), *SMALL, *FORECAST], "the text of a config"

    def run() -> None:
        shutil.rmtree(out, ignore_errors=True)
        on_command_line("run", *words, "--out", out)()

    def read() -> None:
        overrides = [words[k + 1] for k, word in enumerate(words) if word == "--set"]
        load_config(words[0], overrides)

    # What is left of a damaged text may be a whole config of much work; it is read alone.
    return f"config {said[:150]}", run if rng.random() < run_share and words[0] == str(TINY) else read


# -- files -------------------------------------------------------------------------------------------------------------

_DATA = (
    "events.npz",
    "values.npz",
    "series.csv",
    "comma.csv",
    "labelled.csv",
    "rows.tsv",
    "uea.ts",
    "uea.arff",
    "txts",
    "wavs",
    "npys",
    "shd.h5",
)


def data_input(rng: Rng, valid: Valid) -> tuple[str, Call]:
    name = _DATA[rng.integers(len(_DATA))]
    source = valid.folder / name
    place = valid.folder / "changed" / name
    shutil.rmtree(place.parent, ignore_errors=True)
    place.parent.mkdir()
    if source.is_dir():
        shutil.copytree(source, place)
        files = sorted(path for path in place.rglob("*") if path.is_file())
        file = files[rng.integers(len(files))]
    else:
        shutil.copy(source, place)
        file = place
    how = "bytes"
    if file.suffix == ".npz" and rng.random() < 0.7:
        with np.load(file) as arrays:
            held = dict(arrays)
        how = "arrays"
        held = mutated(rng, held)
        if isinstance(held, dict):
            with contextlib.suppress(Exception):
                np.savez(file, **{str(k).replace("\0", "").replace("/", "")[:50] or "_": v for k, v in held.items()})
    elif file.suffix == ".npy" and rng.random() < 0.6:
        how = "array"
        with contextlib.suppress(Exception):
            np.save(file, _array_like(mutated(rng, np.load(file))))
    elif file.suffix == ".wav" and rng.random() < 0.6:
        how = "header"
        content = bytearray(file.read_bytes())
        at, form = [
            (4, "<I"),
            (16, "<I"),
            (20, "<H"),
            (22, "<H"),
            (24, "<I"),
            (28, "<I"),
            (32, "<H"),
            (34, "<H"),
            (40, "<I"),
        ][rng.integers(9)]
        most = 2**16 if form == "<H" else 2**32
        struct.pack_into(form, content, at, int([0, 1, 3, most - 1, most // 2, rng.integers(most)][rng.integers(6)]))
        file.write_bytes(content)
    elif file.suffix == ".h5" and rng.random() < 0.6:
        how = "members"
        _change_h5(rng, file)
    elif file.suffix in (".csv", ".tsv", ".ts", ".arff", ".txt") and rng.random() < 0.7:
        how = "text"
        content = file.read_bytes()
        for _ in range(rng.integers(1, 4)):
            content = misspelt(rng, content)
        file.write_bytes(content)
    else:
        file.write_bytes(damaged(rng, file.read_bytes()))
    said = f"file {name}, {how}"
    if file.suffix == ".h5":
        return said, lambda: read_recordings(file)
    classifier = valid.runs[1] if name == "events.npz" else None
    if classifier and rng.random() < 0.3:
        return f"{said}, predict", on_command_line("predict", classifier, place)
    return said, lambda: load_task(TaskSpec(name="own", path=str(place)))


def _array_like(value: Any) -> np.ndarray:
    return np.asarray(value)


def _change_h5(rng: Rng, path: Path) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        name = ["labels", "spikes", "spikes/times", "spikes/units", "extra/speaker", "extra/keys", "extra"][
            rng.integers(7)
        ]
        del file[name]
        with contextlib.suppress(Exception):
            file[name] = [
                np.arange(6) - 1,
                np.float64("nan"),
                np.zeros((6, 2)),
                "x",
                np.array([b"\xff"] * 6),
                np.full(6, 2**62),
                np.zeros(0),
                np.full(6, np.nan),
            ][rng.integers(8)]


def tensors_input(rng: Rng, valid: Valid) -> tuple[str, Call]:
    """Networks and readouts, whole and damaged, and with a right digest over something wrong."""
    is_network = bool(rng.integers(2))
    source = sorted((valid.runs[1] / ("networks" if is_network else "readouts")).iterdir())[0]
    path = valid.folder / f"changed-{'network' if is_network else 'readout'}.safetensors"
    how = "bytes"
    if rng.random() < 0.7:
        how = "columns or facts"
        columns, facts = load_tensors(source, "hrsnn.network/1" if is_network else "hrsnn.readout/3")
        if rng.random() < 0.5:
            columns = mutated(rng, columns)
        else:
            facts = mutated(rng, facts)
        try:
            plain = json.loads(json.dumps(facts, default=lambda _: None, skipkeys=True))
            save_tensors(path, {str(k): np.ascontiguousarray(v) for k, v in columns.items()}, plain)
        except Exception:
            path.write_bytes(source.read_bytes()[:-8])
    else:
        path.write_bytes(damaged(rng, source.read_bytes()))

    def read() -> None:
        if is_network:
            network = hrsnn.load(path)
            if network.n_inputs == N_CHANNELS and network.dt_ms == 1.0:
                hrsnn.simulate(network, valid.spikes, backend="reference")
            _ = repr(network), network.hash
        else:
            readout = Readout.load(path)
            _ = repr(readout), readout == readout
            hrsnn.predict(hrsnn.load(sorted((valid.runs[1] / "networks").iterdir())[0]), readout, valid.spikes)

    if is_network and rng.random() < 0.1:
        out = valid.folder / "pruned-again"
        return f"file {path.name}, {how}, prune", on_command_line(
            "prune", path, "--method", "magnitude", "--force", "--out", out, "--quiet", "--set", "prune.correct=false"
        )
    return f"file {path.name}, {how}", read


def run_input(rng: Rng, valid: Valid) -> tuple[str, Call]:
    """A run directory, or one of pruning, in which one file is another."""
    which = int(rng.integers(3))
    source = (*valid.runs, valid.pruned)[which]
    place = valid.folder / "changed-run"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(source, place)
    files = sorted(
        path
        for path in place.rglob("*")
        if path.is_file() and path.suffix in (".json", ".jsonl", ".toml", ".safetensors")
    )
    weights = np.array([1.0 if path.suffix == ".safetensors" else 3.0 for path in files])
    file = files[rng.choice(len(files), p=weights / weights.sum())]
    content = file.read_bytes()
    how = "bytes"
    if file.suffix == ".json" and rng.random() < 0.75:
        how = "values"
        is_sealed = b'"sha256"' in content and rng.random() < 0.8
        changed = other_json(rng, content, sealed if is_sealed else None)
        if file.name == "results.json" and rng.random() < 0.7:  # as a log that tells the same
            (place / "log.jsonl").unlink()
    elif file.suffix in (".toml", ".jsonl", ".json"):
        changed = misspelt(rng, content)
    else:
        changed = damaged(rng, content)
    if rng.random() < 0.05:
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(changed)
    said = f"run {source.name}/{file.relative_to(place)}, {how}"
    if which == 2:
        spec = PruneSpec(methods=["magnitude"], keep_synapses=3, correct=False)
        if rng.random() < 0.1:
            return f"{said}, resume", lambda: prune_into(place, valid.network, spec, name="n", resume=True)
        return f"{said}, snapshots", lambda: _course(place)
    verb = ["report", "predict", "resume"][rng.choice(3, p=[0.4, 0.4, 0.2])]
    if verb == "report":
        return f"{said}, report", on_command_line("report", place)
    if verb == "predict":
        told = valid.folder / ("series.csv" if which == 0 else "events.npz")
        return f"{said}, predict", on_command_line("predict", place, told)
    return f"{said}, resume", on_command_line(
        "run", place / "config.toml", "--out", place, "--resume", "--quiet", "--jobs", "1"
    )


def _course(place: Path) -> None:
    snapshots = SnapshotFolder(place / "snapshots").read()
    if snapshots:
        course_of(Trajectory(tuple(snapshots), None, 50.0))


# -- all of it ---------------------------------------------------------------------------------------------------------


def inputs(valid: Valid, seed: int, n: int) -> Iterator[tuple[str, Call]]:
    table = api(valid)
    config = load_config(TINY, ["prune.keep_synapses=0.5"])
    text = to_toml(config)
    keys = _dotted(config.model_dump())
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        kind = rng.choice(5, p=[0.46, 0.16, 0.18, 0.08, 0.12])
        if kind == 0:
            said, call = api_input(rng, valid, table)
        elif kind == 1:
            said, call = config_input(rng, valid, text, keys)
        else:
            said, call = (data_input, tensors_input, run_input)[kind - 2](rng, valid)
        yield f"[{seed}, {k}] {said}", call


def _dotted(tables: dict[str, Any], above: str = "") -> list[str]:
    found = []
    for key, value in tables.items():
        name = f"{above}{key}"
        found.append(name)
        if isinstance(value, dict) and key not in ("gamma", "normal"):
            found += _dotted(value, f"{name}.")
    return [
        name.replace("network.input.", "input.")
        .replace("network.synapses.", "synapses.")
        .replace("network.plasticity.", "plasticity.")
        for name in found
    ]


def outcomes_of(valid: Valid, seed: int, n: int) -> tuple[Counter[str], list[str]]:
    """How many of each kind end how, and what is wrong."""
    counts: Counter[str] = Counter()
    faults = []
    for said, call in inputs(valid, seed, n):
        end = ending(call)
        kind = said.split("] ")[1].split(" ")[0]
        counts[f"{kind} {end if end in ('done', 'refused') else 'fault'}"] += 1
        if end not in ("done", "refused"):
            faults.append(f"{said}: {end}")
    return counts, faults


@contextlib.contextmanager
def limited_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def reference_engine() -> Iterator[None]:
    """The engine that takes no time to compile; the others give the same numbers (`test_engines_agree`)."""
    chosen = engines._chosen
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            engines,
            "_chosen",
            lambda owner, backend: chosen(owner, "reference" if among(backend, ("auto",)) else backend),
        )
        yield


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SIGALRM and RLIMIT_AS")
def test_wrong_inputs_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with reference_engine(), limited_memory():
        counts, faults = outcomes_of(made(tmp_path), SEED, N)
    print(*sorted(counts.items()), sep="\n")
    assert not faults, "\n".join(faults)
