"""Your own sounds: a folder of WAV files, one sub-folder per class.

    python examples/own_wav_folder.py [FOLDER]

Without a folder it makes one: hums, hisses and rising tones of a third of a second.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.io import wavfile

import hrsnn
from hrsnn.tasks import TaskSpec

RATE_HZ = 8000


def make_sounds(folder: Path, n_files: int = 10) -> None:
    """Ten files of each of three classes, in `folder/<class>/<number>.wav`."""
    rng = np.random.default_rng(0)
    time = np.arange(RATE_HZ // 3) / RATE_HZ
    for k in range(n_files):
        pitch = rng.uniform(150, 300)
        sounds = {
            "hum": np.sin(2 * np.pi * pitch * time),
            "hiss": rng.normal(size=time.size),
            "rise": np.sin(2 * np.pi * (pitch + 2000 * time) * time),
        }
        for name, sound in sounds.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            samples = np.int16(8000 * sound / np.abs(sound).max())
            wavfile.write(folder / name / f"{k}.wav", RATE_HZ, samples)


def main(folder: str) -> None:
    task = hrsnn.load_task(TaskSpec(name="my-sounds", path=folder))
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
            make_sounds(Path(scratch))
            main(scratch)
