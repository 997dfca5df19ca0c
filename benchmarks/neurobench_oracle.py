"""NeuroBench as judge of the costs: the same networks and inputs in hrsnn and in NeuroBench's own harness.

What is compared. Random networks with exponential and with delta synapses, heterogeneous neurons, one-step delays and a
fifth of the synapses at weight zero, on Poisson input. Each becomes a torch model: a `Linear` from the input, one from
the excitatory and one from the inhibitory neurons, a module that spikes (the step of docs/NUMERICS.md, in double
precision) and a `Linear` readout of mean rates (counts that all happen to be 0 or 1 NeuroBench would take for spikes).
First its spikes must be those of hrsnn, every one. Then NeuroBench's `Benchmark` measures the model, and its values
must be those of `hrsnn.analysis.cost.neurobench_metrics`: synaptic operations and bytes as equal integers, connection
sparsity as equal numbers, activation sparsity to 1e-12, since NeuroBench averages it over batches. Delays do not change
any of the counts, but a `Linear` has none: hence one step.

Footprint is measured of two modules. One stores what hrsnn counts, compressed rows, and must have
`Costs.footprint_bytes`. The other is the model above in single precision, with dense weights. MembraneUpdates has no
counterpart that follows from counts; it is shown beside `Costs.neuron_updates`, which must not be below it.

NeuroBench is not a dependency of hrsnn. It runs in an environment of its own, made here where it is missing, without
torchaudio and the readers of recordings, which its metrics do not use:

    python benchmarks/neurobench_oracle.py --environment /tmp/neurobench --out docs/results/neurobench.json

Exit code 1 where a value differs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

INSTALLS = (
    ("torch==2.13.0", "numpy==2.3.5", "tqdm==4.70.1"),
    ("--no-deps", "neurobench==2.3.0", "snntorch==1.0.0"),
)
N_OUTPUTS = 7
BATCH_SIZE = 5  # of NeuroBench; the samples make two batches, the second one smaller
DTYPE = "float64"


@dataclass(frozen=True, slots=True)
class Case:
    """One network and its input."""

    name: str
    seed: int
    synapse: str
    n_neurons: int
    n_inputs: int
    n_samples: int
    n_steps: int
    rate_hz: float
    weight_scale: float


CASES = (
    Case("exp-50", 0, "exp", 50, 20, 8, 100, 100.0, 1.0),
    Case("exp-300", 1, "exp", 300, 80, 8, 200, 40.0, 1.0),
    Case("exp-loud", 2, "exp", 120, 60, 8, 100, 300.0, 1.0),
    Case("exp-silent", 3, "exp", 80, 40, 8, 50, 1.0, 1.0),
    Case("delta-50", 4, "delta", 50, 20, 8, 100, 150.0, 0.3),
    Case("delta-300", 5, "delta", 300, 80, 8, 200, 60.0, 0.3),
)


# -- in the environment of hrsnn -------------------------------------------------------------------------------------


def of_hrsnn(case: Case, folder: Path) -> dict[str, Any]:
    """What hrsnn counts; what the judge needs to build the same network goes to `folder`."""
    from hrsnn.analysis.cost import count_costs, neurobench_metrics
    from hrsnn.engine import Record, simulate
    from hrsnn.engine.coefficients import coefficients
    from hrsnn.spec import NetworkSpec
    from hrsnn.spikes import Spikes
    from hrsnn.wiring import build

    spec = NetworkSpec.from_dict(
        {
            "n_neurons": case.n_neurons, "n_inputs": case.n_inputs, "synapse": case.synapse,
            "input": {"p_connect": 0.3, "subset_share": 0.8},
            "synapses": {"weight_scale": case.weight_scale, "length_scale": 3.0},
        }
    )  # fmt: skip
    network = build(spec, seed=case.seed)
    rng = np.random.default_rng(case.seed)
    dead = [rng.random(len(table)) < 0.2 for table in (network.recurrent, network.inputs)]
    network = network.with_weights(
        np.where(dead[0], 0, network.recurrent.weight), inputs=np.where(dead[1], 0, network.inputs.weight)
    )
    raster = rng.random((case.n_samples, case.n_steps, case.n_inputs)) < case.rate_hz / 1000
    spikes = Spikes.from_dense(raster, dt_ms=network.dt_ms)
    recording = simulate(network, spikes, record=Record(spikes=True), dtype=DTYPE, backend="reference")
    features = recording.spike_counts  # zero where a mean rate is
    n_weights = N_OUTPUTS * network.n_neurons
    costs = count_costs(
        network, spikes, recording,
        synops_readout=int(np.count_nonzero(features)) * N_OUTPUTS, readout_bytes=4 * n_weights,
    )  # fmt: skip

    def dense(table: Any) -> np.ndarray:
        weights = np.zeros((table.n_pre, network.n_neurons))
        np.add.at(weights, (table.pre(), table.post), table.weight.astype(np.float64))
        return weights.T

    def stored(table: Any) -> dict[str, np.ndarray]:
        live = table.select(table.weight != 0)
        return {"ptr": live.ptr.astype(np.int32), "post": live.post, "weight": live.weight}

    neurons = coefficients(network, DTYPE).neurons
    columns = {name: getattr(neurons, name) for name in neurons.__dataclass_fields__}
    fired = recording.spikes
    assert fired is not None
    np.savez(
        folder / f"{case.name}.npz",
        raster=raster, fired=fired.counts(case.n_steps),
        inputs=dense(network.inputs), recurrent=dense(network.recurrent),
        readout=rng.normal(size=(N_OUTPUTS, network.n_neurons)), excites=network.neurons.sign > 0,
        **{f"neuron_{name}": column for name, column in columns.items()},
        **{f"stored_{which}_{name}": column for which in ("recurrent", "inputs")
           for name, column in stored(getattr(network, which)).items()},
    )  # fmt: skip
    return {
        **neurobench_metrics(costs, readout_weights=n_weights),
        "neuron_updates": costs.neuron_updates / costs.n_samples,
        "spikes": costs.spikes,
        "n_synapses": costs.n_nonzero_weights,
    }


# -- in the environment of NeuroBench --------------------------------------------------------------------------------


def of_neurobench(case: Case, folder: Path) -> dict[str, Any]:
    """What NeuroBench measures of the same network, and whether its spikes are the same."""
    import snntorch
    import torch
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
    from neurobench.models import TorchModel
    from torch.utils.data import DataLoader, TensorDataset

    given = dict(np.load(folder / f"{case.name}.npz"))
    column = {k.removeprefix("neuron_"): torch.tensor(v) for k, v in given.items() if k.startswith("neuron_")}

    class Cells(snntorch.SpikingNeuron):  # NeuroBench looks into `mem` of this class
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)  # that of SpikingNeuron has buffers of its own, which would be counted
            self.init_hidden, self.output = True, False
            for name in column:
                if name != "v_init":
                    self.register_buffer(name, column[name])
            self.register_buffer("v", column["v_init"])
            for name in ("exc", "inh"):
                self.register_buffer(name, torch.zeros_like(column["v_init"]))
            self.register_buffer("refractory", torch.zeros_like(column["n_ref"]))

        def start(self, n_samples: int) -> None:
            self.mem = self.v.expand(n_samples, -1)
            self.currents = [self.exc.expand(n_samples, -1), self.inh.expand(n_samples, -1)]
            self.held = self.refractory.expand(n_samples, -1)

        def forward(self, arrivals: tuple[Any, Any]) -> Any:
            """The step of the reference; `arrivals` are those of the step before."""
            exc, inh = arrivals
            if case.synapse == "exp":
                self.currents = [self.beta_exc * self.currents[0] + exc, self.beta_inh * self.currents[1] + inh]
                v = self.v_rest + self.alpha * (self.mem - self.v_rest)
                v = v + self.k_exc * self.currents[0] + self.k_inh * self.currents[1] + self.drive
            else:
                v = self.v_rest + self.alpha * (self.mem - self.v_rest) + (exc + inh) + self.drive
            v = torch.where(self.held > 0, self.v_reset, v)
            held = torch.clamp(self.held - 1, min=0)
            fired = (v >= self.v_th) & (held == 0)
            self.mem = torch.where(fired, self.v_reset, v)
            self.held = torch.where(fired, self.n_ref, held)
            return fired.to(v.dtype)

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.excites = given["excites"]
            recurrent = given["recurrent"]
            self.inputs = self._linear(given["inputs"])
            self.exc = self._linear(recurrent[:, self.excites])
            self.inh = self._linear(recurrent[:, ~self.excites])
            self.cells = Cells()
            self.readout = self._linear(given["readout"])

        @staticmethod
        def _linear(weights: np.ndarray) -> torch.nn.Linear:
            layer = torch.nn.Linear(weights.shape[1], weights.shape[0], bias=False, dtype=torch.float64)
            layer.weight.data = torch.tensor(weights, dtype=torch.float64)
            return layer

        def forward(self, batch: Any) -> Any:
            """(samples, steps, channels) -> (samples, outputs)"""
            n_samples, n_steps, _ = batch.shape
            self.cells.start(n_samples)
            arrivals = (torch.zeros(1, dtype=batch.dtype), torch.zeros(1, dtype=batch.dtype))
            trains = []
            for t in range(n_steps):
                spikes = self.cells(arrivals)
                exc, inh = self.exc(spikes[:, self.excites]), self.inh(spikes[:, ~self.excites])
                arrivals = (exc + self.inputs(batch[:, t]), inh)
                trains.append(spikes)
            self.trains = torch.stack(trains, dim=1)
            return self.readout(self.trains.mean(dim=1))

    class Stored(torch.nn.Module):
        """What hrsnn counts as the memory of the network: compressed rows, single precision."""

        def __init__(self) -> None:
            super().__init__()
            for name, values in given.items():
                if name.startswith("stored_"):
                    self.register_buffer(name, torch.tensor(values))
            for k in range(14):  # ten parameters and four states of a neuron
                self.register_buffer(f"neuron_{k}", torch.zeros(case.n_neurons))
            self.register_buffer("readout", torch.tensor(given["readout"], dtype=torch.float32))

    with torch.no_grad():
        model = Model()
        raster = torch.tensor(given["raster"], dtype=torch.float64)
        model(raster)
        same = bool((model.trains.numpy().astype(bool) == given["fired"].astype(bool)).all())
        wrapped = TorchModel(model)
        wrapped.add_activation_module(Cells)
        loader = DataLoader(TensorDataset(raster, torch.zeros(case.n_samples)), batch_size=BATCH_SIZE)
        metrics = [[ConnectionSparsity], [ActivationSparsity, SynapticOperations, MembraneUpdates]]
        with contextlib.redirect_stdout(sys.stderr):
            found = Benchmark(wrapped, loader, [], [], metrics).run(quiet=True)
        return {
            **found,
            "Footprint": Footprint()(TorchModel(Stored())),
            "Footprint of dense weights": Footprint()(TorchModel(Model().float())),
            "same spikes": same,
        }


def measure(folder: Path) -> None:
    """Write what NeuroBench says of every case to `folder`."""
    from importlib.metadata import version

    packages = {name: version(name) for name in ("neurobench", "snntorch", "torch", "numpy")}
    values = {case.name: of_neurobench(case, folder) for case in CASES}
    (folder / "neurobench.json").write_text(json.dumps({"versions": packages, "values": values}))


# -- judgement -------------------------------------------------------------------------------------------------------


def judged(case: Case, ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Both values of every metric and whether they are equal."""
    pairs = {name: (theirs[name], ours[name]) for name in ("Footprint", "ConnectionSparsity", "ActivationSparsity")}
    for name in ("Effective_MACs", "Effective_ACs", "Dense"):
        pairs[name] = (theirs["SynapticOperations"][name], ours["SynapticOperations"][name])
    rows = {
        name: {"neurobench": a, "hrsnn": b, "equal": a == b if name != "ActivationSparsity" else abs(a - b) < 1e-12}
        for name, (a, b) in pairs.items()
    }
    dense_bytes = 4 * case.n_neurons * (case.n_neurons + case.n_inputs + N_OUTPUTS) + 4 * 14 * case.n_neurons
    found = theirs["Footprint of dense weights"]
    rows["Footprint of dense weights"] = {"neurobench": found, "hrsnn": dense_bytes, "equal": found == dense_bytes}
    updates = {"neurobench": theirs["MembraneUpdates"], "hrsnn": ours["neuron_updates"]}
    rows["MembraneUpdates, at most"] = {**updates, "holds": updates["neurobench"] <= updates["hrsnn"]}
    facts = {name: getattr(case, name) for name in ("synapse", "n_neurons", "n_inputs", "n_samples", "n_steps", "seed")}
    return {
        "network": {**facts, "n_synapses": ours["n_synapses"], "spikes": ours["spikes"]},
        "same_spikes": theirs["same spikes"],
        "metrics": rows,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment", type=Path, default=Path("/tmp/neurobench"), help="folder; made if missing")
    parser.add_argument("--out", type=Path, help="JSON file for the outcome")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # the part that runs in the environment
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return 0

    from hrsnn import __version__
    from make_peers import Recipe, make

    make(options.environment, Recipe(INSTALLS, "from neurobench.benchmarks import Benchmark"))
    python = options.environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = {case.name: of_hrsnn(case, folder) for case in CASES}
        subprocess.run([str(python), str(Path(__file__).resolve()), "--measure", str(folder)], check=True)
        theirs = json.loads((folder / "neurobench.json").read_text())
    cases = {case.name: judged(case, ours[case.name], theirs["values"][case.name]) for case in CASES}
    equal = all(
        case["same_spikes"] and all(row.get("equal", row.get("holds")) for row in case["metrics"].values())
        for case in cases.values()
    )
    versions = {"hrsnn": __version__, "python": platform.python_version(), **theirs["versions"]}
    outcome = {"schema": "hrsnn.neurobench/1", "equal": equal, "versions": versions, "cases": cases}
    text = json.dumps(outcome, indent=2)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
