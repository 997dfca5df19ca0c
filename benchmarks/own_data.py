"""Data that hrsnn was not made on, as their owners have them, through one command each.

For every set the script writes files as an owner would have them (a folder of WAV files, tables, an .npz of events)
from the recorded data in $HRSNN_DATA, runs `hrsnn run PATH` with what the owner knows (who spoke, which file is the
test part, which column is meant) and nothing tuned, and reads off:

* active: the smallest share of neurons, over arms, controls and seeds, that fire on the test part
* accuracy of HeNHeS and HoNHoS beside InputOnly, the same readout on the input alone; for series, RMSE in units of the
  standard deviation beside persistence
* beside a model that needs no spikes: for sound the log of 40 mel bands in 8 time bins, for everything else 500 random
  convolution kernels (Dempster, Petitjean and Webb 2020, doi:10.1007/s10618-020-00701-z: maximum and share of positive
  values of each), both with ridge regression, the penalty chosen on the validation part
* CPU seconds of all processes of the command, for which the load of the machine matters less than for the time it takes

    HRSNN_DATA=... python benchmarks/own_data.py --work /tmp/own-data --out docs/results/own_data.json [NAME ...]
    python benchmarks/own_data.py --table docs/results/own_data.json > docs/results/own_data.md

Sound in FLAC (hd_audio) is read by soundfile (`pip install soundfile`), which hrsnn itself does not need.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

HOME = Path(os.environ.get("HRSNN_DATA", "../shared/data"))


@dataclass(frozen=True)
class Set:
    """One run: what makes the files, what is given to `hrsnn run` beside the path, and what is told of it."""

    make: Callable[[Path], Path]  # folder to work in -> path to give
    what: str
    given: dict[str, Any] = field(default_factory=dict)


# -- files as owners have them -----------------------------------------------------------------------------------------


def fsdd(work: Path) -> Path:
    folder = work / "recordings"
    if not folder.exists():
        zipfile.ZipFile(HOME / "fsdd/recordings.zip").extractall(work)
    return folder


def long_file(work: Path) -> Path:
    """Thirty short recordings of two words, and one of a minute."""
    from scipy.io import wavfile

    folder = work / "words"
    for digit, word in ((0, "zero"), (1, "one")):
        (folder / word).mkdir(parents=True, exist_ok=True)
        for k in range(15):
            with zipfile.ZipFile(HOME / "fsdd/recordings.zip") as archive:
                (folder / word / f"{k}.wav").write_bytes(archive.read(f"recordings/{digit}_jackson_{k}.wav"))
    rate, sound = wavfile.read(folder / "zero" / "0.wav")
    wavfile.write(folder / "zero" / "minute.wav", rate, np.tile(sound, 1 + 60 * rate // sound.size)[: 60 * rate])
    return folder


def hd_audio(work: Path) -> Path:
    """Folders train and test of WAV files, one sub-folder per digit and language."""
    import io

    import soundfile

    folder = work / "digits"
    if not folder.exists():
        for part in ("train", "test"):
            with zipfile.ZipFile(HOME / f"hd_audio/{part}.zip") as archive:
                for name in archive.namelist():
                    sound, rate = soundfile.read(io.BytesIO(archive.read(name)))
                    stem = Path(name).stem  # lang-english_speaker-00_trial-1_digit-1
                    label = f"{stem.split('_')[0][5:]}-{stem.rsplit('-', 1)[1]}"
                    (folder / part / label).mkdir(parents=True, exist_ok=True)
                    soundfile.write(folder / part / label / f"{stem}.wav", sound, rate)
    return folder


def imu(work: Path) -> Path:
    return HOME / "imu_basicmotions"


def beats(work: Path) -> Path:
    """Windows of 250 values around each atrial premature beat and ten times as many normal ones, two leads."""
    raw = np.fromfile(HOME / "ecg_mitbih/100.dat", np.uint8).reshape(-1, 3).astype(int)
    leads = np.stack([((raw[:, 1] & 15) << 8) | raw[:, 0], ((raw[:, 1] >> 4) << 8) | raw[:, 2]], axis=1)
    leads[leads > 2047] -= 4096
    words = np.fromfile(HOME / "ecg_mitbih/100.atr", "<u2")
    at, beats, k = 0, [], 0
    while k < words.size and words[k]:
        kind, step = words[k] >> 10, int(words[k] & 1023)
        if kind == 59:  # a long distance in the next two words, high one first
            at += (int(words[k + 1]) << 16) + int(words[k + 2])
            k += 3
            continue
        if kind == 63:  # text
            k += 1 + (step + 1) // 2
            continue
        if kind < 59:
            at += step
            if kind in (1, 8):
                beats.append((at, "normal" if kind == 1 else "premature"))
        k += 1
    whole = [(at, label) for at, label in beats if 125 <= at < len(leads) - 125]
    early = [beat for beat in whole if beat[1] == "premature"]
    normal = [beat for beat in whole if beat[1] == "normal"][:: len(whole) // (10 * len(early))]
    chosen = early + normal
    values = np.stack([(leads[at - 125 : at + 125] - 1024) / 200 for at, _ in chosen])
    path = work / "beats.npz"
    np.savez(path, values=values, labels=np.array([label for _, label in chosen]))
    return path


def waves(part: str) -> Callable[[Path], Path]:
    """Stretches of one wave each, as events of two leads, up and down, at 250 Hz; the first of each from every ECG."""

    def make(work: Path) -> Path:
        from scipy.io import loadmat

        names = np.array(["P", "PQ", "QR", "RS", "ST", "TP"])
        mat = loadmat(HOME / f"ecg_qtdb/QTDB_{part}.mat")
        times, units, sample, labels = [], [], [], []
        for x, y in zip(mat["x"], mat["y"], strict=True):
            label = np.where(y.sum(axis=-1) > 0, y.argmax(axis=-1), -1)
            edges = np.flatnonzero(np.diff(label, prepend=-2, append=-2))
            seen = dict.fromkeys(range(len(names)), 0)
            for start, stop in pairwise(edges):
                kind = int(label[start])
                if kind < 0 or stop - start < 5 or seen[kind] == 1:
                    continue
                seen[kind] += 1
                step, lead = np.nonzero(x[start:stop])
                times.append(step * 4.0)
                units.append(2 * lead + (x[start:stop][step, lead] < 0))
                sample.append(np.full(step.size, len(labels)))
                labels.append(names[kind])
        path = work / f"waves_{part}.npz"
        joined = [np.concatenate(column) for column in (times, units, sample)]
        np.savez(path, times_ms=joined[0], units=joined[1], sample=joined[2], labels=np.array(labels))
        return path

    return make


def nmnist(part: str) -> Callable[[Path], Path]:
    def make(work: Path) -> Path:
        with zipfile.ZipFile(HOME / "nmnist_small/NMNISTsmall.zip") as archive:
            rows = [line.split() for line in archive.read(f"NMNISTsmall/{part}.txt").decode().splitlines()[1:]]
            columns: dict[str, list[Any]] = {name: [] for name in ("times_us", "x", "y", "polarity", "sample")}
            for k, (number, _) in enumerate(rows):
                b = np.frombuffer(archive.read(f"NMNISTsmall/{number}.bs2"), np.uint8).astype(int)
                time_us = ((b[2::5] & 127) << 16) | (b[3::5] << 8) | b[4::5]
                order = np.argsort(time_us, kind="stable")
                found = (time_us, b[0::5], b[1::5], b[2::5] >> 7, np.full(time_us.size, k))
                for column, values in zip(columns.values(), found, strict=True):
                    column.append(values[order])
        path = work / f"nmnist_{part}.npz"
        joined = {name: np.concatenate(column) for name, column in columns.items()}
        np.savez(path, **joined, labels=np.array([int(label) for _, label in rows]))
        return path

    return make


def emg(work: Path) -> Path:
    """One table per repetition, eight electrodes at 200 Hz, in a folder per gesture; the session in the name."""
    gestures = ("neutral", "radial", "flexion", "ulnar", "extension", "closed", "open")
    folder = work / "gestures"
    if folder.exists():
        return folder
    with zipfile.ZipFile(HOME / "myo_emg/myo.zip") as archive:
        for name in archive.namelist():
            if not name.endswith(".dat"):
                continue
            person, session, file = name.split("/")[-3:]
            k = int(file.removeprefix("classe_").removesuffix(".dat"))
            place = folder / gestures[k % 7]
            place.mkdir(parents=True, exist_ok=True)
            values = np.frombuffer(archive.read(name), "<i2").reshape(-1, 8)
            header = ",".join(f"e{j}" for j in range(8))
            np.savetxt(
                place / f"{person}_{session}_{k}.csv", values, fmt="%d", delimiter=",", header=header, comments=""
            )
    return folder


def table(name: str) -> Callable[[Path], Path]:
    return lambda work: HOME / name


def daily_wind(work: Path) -> Path:
    """The column of the wind alone, without its one empty first day."""
    rows = [line.split(",")[:2] for line in (HOME / "wind/wind_dataset.csv").read_text().splitlines()]
    path = work / "wind.csv"
    path.write_text("\n".join(",".join(row) for row in rows if row[1]) + "\n")
    return path


def _of(column: str) -> dict[str, Any]:
    return {"task.forecast.variables": [column]}


def _apart(make: Callable[[str], Callable[[Path], Path]]) -> dict[str, Any]:
    return {"task.test_path": make("test")}


def _held_out(speaker: str) -> Set:
    given = {"task.group_pattern": r"_(?P<speaker>[a-z]+)_", "task.test_groups": [speaker]}
    return Set(fsdd, f"fsdd: digits by WAV file, {speaker} held out", given)


_SPEAKERS = {"task.group_pattern": r"speaker-(?P<speaker>\d+)"}
_SESSIONS = {"task.group_pattern": r"_(?P<session>training0|Test0|Test1)_", "task.test_groups": ["Test1"]}
_STOCK = "google_stock/Google_Stock_Price_Train.csv"

SETS: dict[str, Set] = {
    **{f"fsdd-{speaker}": _held_out(speaker) for speaker in ("george", "jackson", "nicolas", "theo")},
    "long-file": Set(long_file, "thirty WAV files of half a second and one of a minute"),
    "hd-audio": Set(hd_audio, "hd_audio: folders train and test of WAV files", _SPEAKERS),
    "imu": Set(imu, "imu_basicmotions: ARFF, with a test part"),
    "beats": Set(beats, "ecg_mitbih: beats as .npz of values"),
    "waves": Set(waves("train"), "ecg_qtdb: waves as .npz of events, with a test part", _apart(waves)),
    "nmnist": Set(nmnist("train"), "nmnist_small: .npz of x, y, polarity, with a test part", _apart(nmnist)),
    "emg": Set(emg, "myo_emg: a CSV per recording, session Test1 held out", _SESSIONS),
    "google-stock": Set(table(_STOCK), "google_stock: opening price, dates beside it", _of("Open")),
    "wind-turbine": Set(table("wind/T1.csv"), "wind T1.csv: ten-minute wind, rows missing", _of("Wind Speed (m/s)")),
    "wind-daily": Set(daily_wind, "wind_dataset.csv: daily wind", _of("WIND")),
}  # fmt: skip


# -- one set -----------------------------------------------------------------------------------------------------------


def measured(name: str, work: Path, n_seeds: int, n_jobs: int) -> dict[str, Any]:
    one = SETS[name]
    folder = work / name.split("-")[0]
    folder.mkdir(parents=True, exist_ok=True)
    path = one.make(folder)
    given = {key: str(value(folder)) if callable(value) else value for key, value in one.given.items()}
    words = [f"{key}={json.dumps(value)}" for key, value in given.items()]
    out = work / "runs" / name
    command = [
        str(Path(sys.executable).with_name("hrsnn")),
        "run",
        str(path),
        *(w for s in words for w in ("--set", s)),
    ]
    command += ["--seeds", str(n_seeds), "--out", str(out), "--force", "--jobs", str(n_jobs), "--quiet"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    wall_s = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = sum(getattr(after, name) - getattr(before, name) for name in ("ru_utime", "ru_stime"))
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    results = json.loads((out / "results.json").read_text())
    units = [json.loads(file.read_text()) for file in sorted((out / "outcomes").glob("*.json"))]
    active = {}
    for unit in units:
        if "active_share" in unit["details"]:
            arm = "/".join(p for p in (unit["arm"], unit["stage"] if unit["method"] else None, unit["method"]) if p)
            active[arm] = min(active.get(arm, 1.0), unit["details"]["active_share"])
    return {
        "name": name, "what": one.what, "data": results["data"]["description"],
        "wall_s": round(wall_s, 1), "cpu_s": round(cpu_s, 1),
        "n_seeds": n_seeds, "given": {key: "..." if callable(value) else value for key, value in one.given.items()},
        "active": active, "summary": results["summary"], "comparisons": results["comparisons"],
        "warnings": sorted({warning for unit in units for warning in unit["warnings"]}),
        "said": [line for line in done.stdout.splitlines() if line and not line.startswith((" ", "Report"))],
        "baseline": baseline(out / "config.toml"),
    }  # fmt: skip


# -- a model without spikes --------------------------------------------------------------------------------------------


def baseline(config_file: Path) -> dict[str, Any] | None:
    """Accuracy on the same parts of log-mel bands (sound) or random kernels (all else), with ridge regression."""
    from sklearn.linear_model import RidgeClassifier

    from hrsnn.config import load_config
    from hrsnn.data.dataset import Splits
    from hrsnn.data.parts import divide
    from hrsnn.data.readers import Found, Wanted, reader_of
    from hrsnn.data.recordings import _known
    from hrsnn.tasks import load_task

    spec = load_config(config_file).task
    reader = reader_of(Path(spec.path), spec.kind)
    kind = reader.kind
    task = load_task(spec)
    if not isinstance(task, Splits):
        return None
    started = time.monotonic()
    if kind == "events":
        parts = [(_kernel_features(_binned(p.spikes)), p.labels) for p in (task.train, task.validation, task.test)]
    else:
        wanted = Wanted(**{key: getattr(spec, key) for key in ("label_column", "group_pattern")})
        found = reader.read(Path(spec.path), wanted)
        assert isinstance(found, Found)
        known = _known(found)
        division = divide(known, seed=0, test_groups=spec.test_groups, validation_groups=spec.validation_groups)
        x = _log_mel(found.content) if kind == "recordings" else _kernel_features(found.content)
        parts = [(x[rows], known.labels[rows]) for rows in (division.train, division.validation, division.test)]
    (train, y), (validation, z), (test, t) = parts
    scale = train.std(axis=0) + 1e-9

    def fitted(alpha: float, x: Any, y: Any) -> Any:
        return RidgeClassifier(alpha=alpha).fit((x - train.mean(axis=0)) / scale, y)

    def score(model: Any, x: Any, y: Any) -> float:
        return float(np.mean(model.predict((x - train.mean(axis=0)) / scale) == y))

    alphas = 10.0 ** np.arange(-1, 6)
    best = max(alphas, key=lambda alpha: score(fitted(alpha, train, y), validation, z))
    model = fitted(best, np.concatenate([train, validation]), np.concatenate([y, z]))
    name = "log-mel + ridge" if kind == "recordings" else "500 random kernels + ridge"
    return {"name": name, "accuracy": score(model, test, t), "wall_s": round(time.monotonic() - started, 1)}


def _log_mel(files: list[Path]) -> Any:
    """Logarithms of 40 mel bands from 100 Hz on, 25 ms every 10 ms; their means in 8 equal parts of each recording."""
    from scipy.io import wavfile

    rows = []
    for file in files:
        rate, raw = wavfile.read(file)
        sound = raw / 32768.0
        size, hop = round(0.025 * rate), round(0.01 * rate)
        padded = np.pad(sound - sound.mean(), (0, max(0, 8 * hop + size - sound.size)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * np.hanning(size)
        power = np.abs(np.fft.rfft(frames, 512 if size <= 512 else 2048)) ** 2
        mel = np.linspace(*(1127 * np.log1p(np.array([100.0, min(7000.0, rate / 2)]) / 700)), 42)
        edges = 700 * np.expm1(mel / 1127)
        f = np.fft.rfftfreq(2 * (power.shape[1] - 1), 1 / rate)
        low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        bank = np.maximum(0, np.minimum((f - low) / (middle - low), (high - f) / (high - middle)))
        logs = np.log(power @ bank.T + 1e-10)
        rows.append(np.concatenate([part.mean(axis=0) for part in np.array_split(logs, 8)]))
    return np.array(rows)


def _binned(spikes: Any) -> list[Any]:
    """Counts of at most 32 pools of neighbouring channels in 64 bins, one (64, pools) array per recording."""
    counts = spikes.counts(min(64, spikes.n_steps))
    edges = np.unique(np.linspace(0, spikes.n_units, 33)[:-1].astype(int))
    return list(np.add.reduceat(counts, edges, axis=2).astype(float))


def _kernel_features(recordings: list[Any], n_kernels: int = 500) -> Any:
    """Maximum and share of positive values of convolutions with random dilated kernels, (n, 2 * n_kernels)."""
    rng = np.random.default_rng(0)
    longest, n_channels = max(map(len, recordings)), recordings[0].shape[1]
    standard = np.zeros((len(recordings), longest, n_channels), dtype=np.float32)
    for k, x in enumerate(recordings):
        standard[k, : len(x)] = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)
    columns = []
    for _ in range(n_kernels):
        length = int(rng.choice([7, 9, 11]))
        weights = rng.standard_normal((length, int(rng.integers(1, min(n_channels, length) + 1)))).astype(np.float32)
        weights -= weights.mean(axis=0)
        chosen = rng.choice(n_channels, weights.shape[1], replace=False)
        bias = rng.uniform(-1, 1)
        dilation = int(2 ** rng.uniform(0, max(0.0, np.log2((longest - 1) / (length - 1)))))
        reach = (length - 1) * dilation
        padding = reach // 2 if rng.random() < 0.5 else 0
        x = np.pad(standard[:, :, chosen], ((0, 0), (padding, padding + max(0, reach + 1 - longest)), (0, 0)))
        n = x.shape[1] - reach
        total = bias + sum(x[:, k * dilation : k * dilation + n] @ weights[k] for k in range(length))
        columns.append(np.stack([total.max(axis=1), (total > 0).mean(axis=1)], axis=1))
    return np.concatenate(columns, axis=1)


# -- the table ---------------------------------------------------------------------------------------------------------


def as_table(document: dict[str, Any]) -> str:
    """docs/results/own_data.md."""
    lines = [
        "| data | seeds | score | HeNHeS | HoNHoS | control | HeNHeS − control | no spikes | active | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in document["rows"]:
        means = {
            one["arm"]: one["metrics"] for one in row["summary"] if one["stage"] == "trained" and not one["method"]
        }
        score = next(name for name in ("accuracy_unseen", "accuracy", "nrmse") if name in means["HeNHeS"])
        control = "InputOnly" if "accuracy" in score else "Persistence"
        cells = [_cell(means[arm].get(score)) for arm in ("HeNHeS", "HoNHoS", control)]
        pairs = [c for c in row["comparisons"] if (c["a"], c["b"], c["metric"]) == ("HeNHeS", control, score)]
        cells += [_cell({"mean": c["diff"], "ci95": c["ci95"]}) for c in pairs[:1]]
        other = row["baseline"]
        cells += [f"{other['accuracy']:.3f} ({other['name']})" if other else f"{_cell(means['AR'].get(score))} (AR)"]
        active = f"{min(row['active'].values()):.0%}"
        facts = [row["what"], str(row["n_seeds"]), score, *cells, active, f"{row['cpu_s']:.0f}"]
        lines.append(f"| {' | '.join(facts)} |")
    lines += ["", "What the command says first:", ""]
    for row in document["rows"]:
        first = next((line for line in row["said"] if line.startswith("HeNHeS: ")), "")
        lines.append(f"* {row['what']}: {first}")
    return "\n".join(lines)


def _cell(spread: dict[str, Any] | None) -> str:
    if not spread or spread["mean"] is None:
        return "–"
    low, high = spread["ci95"] or (None, None)
    return f"{spread['mean']:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SETS)}; all if none is given")
    parser.add_argument("--work", type=Path, default=Path("own-data"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--table", type=Path, help="print the table of stored results, and do nothing else")
    asked = parser.parse_args()
    if asked.table:
        print(as_table(json.loads(asked.table.read_text())))
        return
    rows = json.loads(asked.out.read_text())["rows"] if asked.out and asked.out.exists() else []
    for name in asked.names or SETS:
        row = measured(name, asked.work, asked.seeds, asked.jobs)
        rows = sorted([r for r in rows if r["name"] != name] + [row], key=lambda r: list(SETS).index(r["name"]))
        if asked.out:
            asked.out.write_text(json.dumps({"schema": "hrsnn.own-data/1", "rows": rows}, indent=1) + "\n")
        print(name, row["wall_s"], "s; active", min(row["active"].values()), flush=True)


if __name__ == "__main__":
    main()
