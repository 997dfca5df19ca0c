"""Make the built-in data set `spoken-digits` from `hd-spikes`.

    python scripts/make_spoken_digits.py DATA_DIR

DATA_DIR holds `hd_spikes/hd_spikes_train.h5.gz` and `hd_spikes_test.h5.gz`. Writes the packed file into the package and
prints its SHA-256, which belongs into `src/hrsnn/data/spoken_digits.py`, and the counts that the documentation states.
The choice is balanced: within a part every class has as many recordings, and so has every speaker up to the rest of the
division, which is spread evenly over classes. Recordings are chosen, and put in order, by one fixed seed.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrsnn.data import hd_spikes, spoken_digits
from hrsnn.data.dataset import Dataset
from hrsnn.spikes import Spikes

SEED = 20
GRID = {"dt_ms": 2.0, "n_channels": 140, "max_ms": 1000.0}
VALIDATION = hd_spikes.VALIDATION_SPEAKERS
UNSEEN = (4, 5)
N_TRAIN, N_VALIDATION, N_UNSEEN, N_SEEN = 28, 10, 12, 6  # per class


def choose(rng: np.random.Generator, data: Dataset, speakers: list[int], n_per_class: int) -> NDArray[np.int64]:
    """Indices of `n_per_class` recordings of every class, as equal as can be over `speakers`."""
    assert data.groups is not None
    chosen = []
    turn = 0
    order = rng.permutation(speakers).tolist()
    for label in range(data.n_classes):
        queues = {
            s: rng.permutation(np.flatnonzero((data.labels == label) & (data.groups == s))).tolist() for s in order
        }
        taken: list[int] = []
        while len(taken) < n_per_class:  # in turn, passing over a speaker with no recording left
            queue = queues[order[turn % len(order)]]
            turn += 1
            if queue:
                taken.append(queue.pop())
        chosen += taken
    return np.array(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    folder = parser.parse_args().data_dir / "hd_spikes"
    rng = np.random.default_rng(SEED)
    train_file = hd_spikes.read_recordings(folder / "hd_spikes_train.h5", **GRID)
    test_file = hd_spikes.read_recordings(folder / "hd_spikes_test.h5", **GRID)
    training = sorted(set(range(12)) - set(VALIDATION) - set(UNSEEN))
    pieces = [
        (0, train_file, choose(rng, train_file, training, N_TRAIN)),
        (1, train_file, choose(rng, train_file, list(VALIDATION), N_VALIDATION)),
        (2, test_file, np.concatenate([
            choose(rng, test_file, list(UNSEEN), N_UNSEEN), choose(rng, test_file, training, N_SEEN),
        ])),
    ]  # fmt: skip
    parts = [(k, data.select(rng.permutation(chosen))) for k, data, chosen in pieces]
    joined = Dataset(
        Spikes.join([d.spikes for _, d in parts]),
        np.concatenate([d.labels for _, d in parts]),
        train_file.class_names,
        np.concatenate([d.groups for _, d in parts if d.groups is not None]),
    )
    packed = spoken_digits.pack(joined, np.repeat([k for k, _ in parts], [d.n_samples for _, d in parts]))
    target = Path(spoken_digits.__file__).parent / "builtin" / spoken_digits.FILE
    target.write_bytes(packed)
    for k, d in parts:
        print(f"{spoken_digits.PARTS[k]:10} {d.n_samples} recordings, speakers", end=" ")
        print(dict(zip(*(a.tolist() for a in np.unique(d.groups, return_counts=True)), strict=True)))
    print(f"{joined.spikes.n_events} events, {len(packed)} bytes\nSHA256 = {hashlib.sha256(packed).hexdigest()!r}")
    # What the 1000 ms leave out, from the same choice on a grid that holds everything.
    n_late = n_recordings = 0
    long = {**GRID, "max_ms": 2000.0}
    for name, chosen in (
        ("train", np.concatenate([pieces[0][2], pieces[1][2]])),
        ("test", pieces[2][2]),
    ):
        whole = hd_spikes.read_recordings(folder / f"hd_spikes_{name}.h5", **long).select(chosen).spikes
        late = whole.step >= joined.spikes.n_steps
        n_late += int(late.sum())
        n_recordings += np.unique(whole.sample_of_event()[late]).size
    print(f"{n_late} events after {GRID['max_ms']:g} ms in {n_recordings} recordings are left out")


if __name__ == "__main__":
    main()
