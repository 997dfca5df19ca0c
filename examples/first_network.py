"""Ten lines from recordings to predictions, on the spoken digits that come with the package.

    python examples/first_network.py

The README has the same lines with 500 neurons and all recordings; here both are cut down to run in seconds.
"""

import tempfile
from pathlib import Path

import hrsnn
from hrsnn.train import LearnSpec

task = hrsnn.load_task("spoken-digits")
net = hrsnn.build(hrsnn.recommended(task, "HeNHeS", n_neurons=100), seed=0)
net = hrsnn.calibrate(net, task.train)  # one gain per population on the input, so that neurons fire
net = hrsnn.learn(net, task.train, LearnSpec(n_samples=50))  # STDP, no labels; a new Network comes back
outcome, readout = hrsnn.evaluate(net, task)  # fits the readout on the training part, scores the test part once
print(f"accuracy {outcome.metrics['accuracy']:.3f}, {outcome.costs['spikes_per_neuron']:.1f} spikes per neuron")

words = hrsnn.predict(net, readout, task.test.spikes.select([0, 1, 2]))
print("heard:", ", ".join(task.class_names[k] for k in words))

with tempfile.TemporaryDirectory() as folder:
    hrsnn.save(net, Path(folder) / "digits.safetensors")
    assert hrsnn.load(Path(folder) / "digits.safetensors") == net
