"""Your own events: an .npz file with the events of all recordings, as an event camera or any spike sorter leaves them.

    python examples/own_events.py [FILE.npz]

Without a file it makes one: 60 recordings of bursts that run up or down over 20 channels.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import hrsnn
from hrsnn.tasks import TaskSpec

N_CHANNELS = 20


def make_events(path: Path, n_recordings: int = 60) -> None:
    """`times_ms`, `units` and `sample` hold one entry per event, `labels` one per recording."""
    rng = np.random.default_rng(0)
    times, units, sample, labels = [], [], [], []
    for k in range(n_recordings):
        upwards = k % 2 == 0
        time = np.sort(rng.uniform(0, 200, 80))
        channel = time / 200 * N_CHANNELS + rng.normal(0, 2, time.size)
        channel = np.clip(channel, 0, N_CHANNELS - 1).astype(int)
        times.append(time)
        units.append(channel if upwards else N_CHANNELS - 1 - channel)
        sample.append(np.full(time.size, k))
        labels.append("up" if upwards else "down")
    np.savez(
        path, times_ms=np.concatenate(times), units=np.concatenate(units), sample=np.concatenate(sample),
        labels=np.array(labels),
    )  # fmt: skip


def main(path: str) -> None:
    task = hrsnn.load_task(TaskSpec(name="my-events", path=path, dt_ms=1.0))
    net = hrsnn.build(hrsnn.recommended(task, n_neurons=100), seed=0)
    net = hrsnn.calibrate(net, task.train)  # one gain per population on the input, so that neurons fire
    net = hrsnn.learn(net, task.train)
    outcome, _ = hrsnn.evaluate(net, task)
    print(f"{', '.join(task.class_names)}: accuracy {outcome.metrics['accuracy']:.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as scratch:
            make_events(Path(scratch) / "events.npz")
            main(str(Path(scratch) / "events.npz"))
