"""Brian2 as judge of the engines: the same network and the same input in both simulators, in double precision.

What is compared. (1) 1000 neurons, 10 s of biological time, exponential synapses, heterogeneous tau_mem and v_th,
delays of 1 to 5 steps, refractory periods, no plasticity: every spike must be the same. (2) the same kind of network
with one-step delays and STDP with heterogeneous constants, 2 s: every spike the same, weights equal to 1e-5 of w_max.

How Brian2 is set up so that it means the same. Linear equations with `method="exact"`; delay (d - 1) dt, schedule
thresholds, resets, synapses, so that an arrival of delay d first acts d steps after emission; refractoriness
(n_ref + 1) dt, as Brian2 lets a neuron go in the step in which its time is over; `v` frozen `unless refractory`. STDP
in stages that keep coincident spikes from seeing each other's traces: deliver, sum up the change, apply, raise traces.
In (2) delays are one step, because Brian2 reads a weight when a spike arrives, and hrsnn when it is emitted.

(3) What networks of others bring, each alone and then all at once, on the network of (1) with thresholds that spikes
raise, reset by subtraction, weights of both signs from one neuron (made by `Network.from_arrays`), and short-term
dynamics of Tsodyks and Markram on recurrent and input synapses with constants of their own: 10 s, every spike the same.
Brian2 has `b` and the efficacies as equations of its own, solved exactly; hrsnn decays efficacies by a polynomial, so
they can differ in the last bit.

Weights are spread continuously, so sums in another order can differ in the last bit; nothing is rounded to hide that.

Brian2 is not a dependency of hrsnn (its version wants an older NumPy). In an environment of its own:

    python3 -m venv /tmp/brian2 && /tmp/brian2/bin/pip install . brian2 'numpy<2.4'
    /tmp/brian2/bin/python benchmarks/brian2_judge.py --out docs/results/brian2_judge.json
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np

from hrsnn.engine import Record, simulate, simulate_stdp
from hrsnn.network import Network
from hrsnn.spikes import Spikes
from hrsnn.tables import SHORT_TERM, NeuronTable, StdpRule, SynapseTable

N_NEURONS, N_EXCITATORY, N_INPUTS = 1000, 800, 200
DT_MS = 1.0
INPUT_RATE_HZ = 15.0


def make_network(seed: int, longest_delay: int) -> Network:
    """A sparse random network (100 targets per neuron on average) that fires at 5 to 20 Hz under `make_input`."""
    rng = np.random.default_rng(seed)
    n = N_NEURONS
    excites = np.arange(n) < N_EXCITATORY
    neurons = NeuronTable(
        tau_mem_ms=rng.uniform(10, 30, n),
        v_th=rng.uniform(0.8, 1.2, n),
        v_reset=rng.uniform(-0.1, 0.1, n),
        v_rest=np.zeros(n),
        v_init=rng.uniform(0, 0.7, n),
        t_ref_ms=np.where(excites, 3.0, 2.0),
        bias=rng.uniform(0, 0.3, n),
        tau_syn_exc_ms=np.full(n, 3.0),
        tau_syn_inh_ms=np.full(n, 6.0),
        sign=np.where(excites, 1, -1),
        population=np.zeros(n, dtype=np.int16),
        position=np.zeros((n, 3)),
    )

    def table(n_pre: int, density: float, strength: Any) -> SynapseTable:
        pre, post = np.nonzero(rng.random((n_pre, n)) < density)
        weight = strength[pre] * rng.uniform(0.5, 1.5, pre.size)
        scale = np.abs(strength[pre])
        return SynapseTable.from_edges(
            pre,
            post,
            n_pre=n_pre,
            weight=weight,
            delay_ms=rng.integers(1, longest_delay + 1, pre.size) * DT_MS,
            a_plus=0.03 * scale * rng.uniform(0.5, 1.5, pre.size),
            a_minus=0.0315 * scale * rng.uniform(0.5, 1.5, pre.size),
            tau_plus_ms=rng.uniform(10, 30, pre.size),
            tau_minus_ms=rng.uniform(10, 30, pre.size),
            w_max=1.6 * scale,
        )

    recurrent = table(n, 0.1, np.where(excites, 0.06, -0.15))
    inputs = table(N_INPUTS, 0.2, np.full(N_INPUTS, 0.45))
    return Network(neurons, recurrent, inputs, dt_ms=DT_MS, rule=StdpRule(normalise=False))


def make_input(seed: int, n_steps: int) -> Spikes:
    """Poisson spikes, one sample."""
    raster = np.random.default_rng(seed).random((1, n_steps, N_INPUTS)) < INPUT_RATE_HZ * DT_MS / 1000
    return Spikes.from_dense(raster, dt_ms=DT_MS)


# -- mechanisms of networks of others ----------------------------------------------------------------------------------


def with_mechanism(name: str, network: Network, rng: np.random.Generator) -> Network:
    """The network with one mechanism more, its constants spread over neurons or synapses."""
    arrays = network.to_arrays()
    n = network.n_neurons
    if name == "adaptive_thresholds":
        arrays |= {"adapt": rng.uniform(0.02, 0.2, n), "tau_adapt_ms": rng.uniform(20, 200, n)}
    elif name == "subtractive_reset":
        arrays["reset"] = "subtract"
    elif name == "mixed_signs":
        for weights in ("w_rec", "w_in"):
            matrix = arrays[weights]
            matrix.data = np.abs(matrix.data) * np.where(rng.random(matrix.data.size) < 0.15, -1, 1)
        arrays |= {"dale": False, "sign": None}
    else:
        for weights, table in (("w_rec", "recurrent"), ("w_in", "inputs")):
            for column, (low, high) in zip(SHORT_TERM, ((0.1, 0.7), (50, 500), (20, 300)), strict=True):
                matrix = arrays[weights].copy()
                matrix.data = rng.uniform(low, high, matrix.data.size)
                arrays[table][column] = matrix
            arrays[weights] = arrays[weights] * 5  # a share of it is delivered
    return Network.from_arrays(**arrays)


MECHANISMS = ("adaptive_thresholds", "subtractive_reset", "mixed_signs", "short_term_dynamics")


def make_foreign_network(seed: int, mechanisms: tuple[str, ...]) -> Network:
    """The network of case (1) with these mechanisms."""
    network = make_network(seed, 5)
    for name in mechanisms:
        network = with_mechanism(name, network, np.random.default_rng([seed, MECHANISMS.index(name)]))
    return network


# -- Brian2 ----------------------------------------------------------------------------------------------------------

NEURON = """
dv/dt = (v_rest - v + i_exc + i_inh + bias) / tau_mem : 1 (unless refractory)
di_exc/dt = -i_exc / tau_exc : 1
di_inh/dt = -i_inh / tau_inh : 1
tau_mem : second (constant)
tau_exc : second (constant)
tau_inh : second (constant)
t_hold : second (constant)
v_th : 1 (constant)
v_reset : 1 (constant)
v_rest : 1 (constant)
bias : 1 (constant)
"""

ADAPTATION = """
db/dt = -b / tau_adapt : 1
adapt : 1 (constant)
tau_adapt : second (constant)
"""

SYNAPSE = """
m : 1
excites : 1 (constant)
"""

EFFICACY = """
du/dt = -u / tau_fac : 1 (event-driven)
dr/dt = (1 - r) / tau_rec : 1 (event-driven)
share : 1 (constant)
tau_fac : second (constant)
tau_rec : second (constant)
"""

TRACES = """
dx/dt = -x / tau_plus : 1 (clock-driven)
dy/dt = -y / tau_minus : 1 (clock-driven)
change : 1
a_plus : 1 (constant)
a_minus : 1 (constant)
tau_plus : second (constant)
tau_minus : second (constant)
w_max : 1 (constant)
"""

DELIVER = "i_exc_post += m * excites; i_inh_post -= m * (1 - excites)"
DELIVER_SHARE = """
u = share + u * (1 - share)
i_exc_post += m * u * r * excites
i_inh_post -= m * u * r * (1 - excites)
r = r * (1 - u)
"""
APPLY = "m = clip(m + change, 0, w_max); change = 0"
ON_PRE = {"deliver": DELIVER, "depress": "change -= a_minus * y", "apply_pre": APPLY, "raise_x": "x += 1"}
ON_POST = {"potentiate": "change += a_plus * x", "apply_post": APPLY, "raise_y": "y += 1"}
STAGES = [{"depress", "potentiate"}, {"apply_pre", "apply_post"}, {"raise_x", "raise_y"}]


def run_brian2(network: Network, spikes: Spikes, plastic: bool) -> tuple[Spikes, dict[str, Any], float]:
    """Spikes, final weights by table (signed) and seconds of the run."""
    import brian2 as b2

    b2.start_scope()
    b2.defaultclock.dt = network.dt_ms * b2.ms
    table = network.neurons
    adapts = table.adapt is not None
    theta = "(v_th + b)" if adapts else "v_th"
    reset = "v = v_reset" if network.reset == "hard" else f"v -= {theta} - v_reset"
    cells = b2.NeuronGroup(
        network.n_neurons, NEURON + ADAPTATION * adapts, threshold=f"v >= {theta}",
        reset=reset + "; b += adapt" * adapts, refractory="t_hold", method="exact",
    )  # fmt: skip
    if adapts:
        cells.adapt = table.adapt
        cells.tau_adapt = table.tau_adapt_ms * b2.ms
    for ours, theirs in (("tau_mem_ms", "tau_mem"), ("tau_syn_exc_ms", "tau_exc"), ("tau_syn_inh_ms", "tau_inh")):
        setattr(cells, theirs, getattr(table, ours) * b2.ms)
    for name in ("v_th", "v_reset", "v_rest", "bias"):
        setattr(cells, name, getattr(table, name))
    cells.v = table.v_init
    cells.t_hold = (np.rint(table.t_ref_ms / network.dt_ms) + 1) * network.dt_ms * b2.ms
    source = b2.SpikeGeneratorGroup(network.n_inputs, spikes.unit, spikes.step * network.dt_ms * b2.ms)
    groups = {
        "recurrent": _synapses(b2, cells, cells, network.recurrent, network.dt_ms, plastic, 0),
        "inputs": _synapses(b2, source, cells, network.inputs, network.dt_ms, plastic, 1),
    }
    monitor = b2.SpikeMonitor(cells)
    net = b2.Network(cells, source, *groups.values(), monitor)
    net.schedule = ["start", "groups", "thresholds", "resets", "synapses", "end"]
    began = time.perf_counter()
    net.run(spikes.n_steps * network.dt_ms * b2.ms)
    seconds = time.perf_counter() - began
    step = np.rint(np.asarray(monitor.t / b2.ms) / network.dt_ms).astype(np.int64)
    order = np.lexsort((np.asarray(monitor.i), step))
    fired = Spikes(
        np.array([0, step.size]), step[order], np.asarray(monitor.i)[order],
        network.n_neurons, spikes.n_steps, network.dt_ms,
    )  # fmt: skip
    weights = {name: np.array(s.m) * np.where(np.array(s.excites) > 0, 1, -1) for name, s in groups.items()}
    return fired, weights, seconds


def _synapses(b2: Any, source: Any, cells: Any, table: SynapseTable, dt_ms: float, plastic: bool, order: int) -> Any:
    changes = table.u is not None
    model = SYNAPSE + TRACES * plastic + EFFICACY * changes
    on_pre = {**(ON_PRE if plastic else {}), "deliver": DELIVER_SHARE if changes else DELIVER}
    s = b2.Synapses(source, cells, model, on_pre=on_pre, on_post=ON_POST if plastic else None, method="exact")
    s.connect(i=table.pre(), j=table.post)
    assert (np.array(s.i) == table.pre()).all()
    assert (np.array(s.j) == table.post).all()
    s.m = np.abs(table.weight.astype(np.float64))
    s.excites = (~np.signbit(table.weight)).astype(float)
    s.deliver.delay = (table.delay_ms.astype(np.float64) - dt_ms) * b2.ms
    s.deliver.order = order
    if changes:
        s.share = table.u.astype(np.float64)
        s.tau_rec = table.tau_rec_ms.astype(np.float64) * b2.ms
        s.tau_fac = table.tau_fac_ms.astype(np.float64) * b2.ms
        s.u, s.r = 0, 1
    if plastic:
        for name in ("a_plus", "a_minus", "w_max"):
            setattr(s, name, getattr(table, name).astype(np.float64))
        s.tau_plus = table.tau_plus_ms.astype(np.float64) * b2.ms
        s.tau_minus = table.tau_minus_ms.astype(np.float64) * b2.ms
        for stage, names in enumerate(STAGES):
            for name in names:
                getattr(s, name).order = 10 + stage
    return s


# -- verdict ---------------------------------------------------------------------------------------------------------


def compare_spikes(ours: Spikes, theirs: Spikes) -> dict[str, Any]:
    """Counts of spikes, and where the first difference is."""
    a, b = (s.step.astype(np.int64) * s.n_units + s.unit for s in (ours, theirs))
    only_one = np.setxor1d(a, b)
    first = None if only_one.size == 0 else [int(x) for x in np.divmod(only_one[0], ours.n_units)]
    return {
        "spikes_hrsnn": ours.n_events,
        "spikes_brian2": theirs.n_events,
        "spikes_in_one_only": int(only_one.size),
        "first_difference_step_neuron": first,
        "mean_rate_hz": ours.n_events / ours.n_units / (ours.n_steps * ours.dt_ms / 1000),
        "identical": ours == theirs,
    }


def one_step(spikes: Spikes) -> Spikes:
    """The shortest input of the same kind."""
    return Spikes.empty(1, n_units=spikes.n_units, n_steps=1, dt_ms=spikes.dt_ms)


def judge_static(network: Network, seed: int, seconds: float) -> dict[str, Any]:
    """Cases 1 and 3: no plasticity, delays of 1 to 5 steps."""
    spikes = make_input(seed + 1, round(1000 * seconds / DT_MS))
    simulate(network, one_step(spikes), dtype=np.float64)  # compiles
    began = time.perf_counter()
    ours = simulate(network, spikes, record=Record(spikes=True), dtype=np.float64).spikes
    wall = time.perf_counter() - began
    assert ours is not None
    theirs, _, brian_wall = run_brian2(network, spikes, plastic=False)
    return {**_case(network, spikes, wall, brian_wall), **compare_spikes(ours, theirs)}


def judge_stdp(seed: int, seconds: float) -> dict[str, Any]:
    """Case 2: STDP on recurrent and input synapses, one-step delays."""
    network, spikes = make_network(seed, 1), make_input(seed + 2, round(1000 * seconds / DT_MS))
    simulate_stdp(network, one_step(spikes), dtype=np.float64)  # compiles
    began = time.perf_counter()
    trained, recording = simulate_stdp(network, spikes, record=Record(spikes=True), dtype=np.float64)
    wall = time.perf_counter() - began
    assert recording.spikes is not None
    theirs, weights, brian_wall = run_brian2(network, spikes, plastic=True)
    result = {**_case(network, spikes, wall, brian_wall), **compare_spikes(recording.spikes, theirs)}
    for name in ("recurrent", "inputs"):
        table: SynapseTable = getattr(trained, name)
        change = table.weight - getattr(network, name).weight
        result[f"{name}_largest_difference_over_w_max"] = float(
            np.max(np.abs(table.weight - weights[name]) / table.w_max)
        )
        result[f"{name}_mean_change_over_w_max"] = float(np.mean(np.abs(change) / table.w_max))
        result[f"{name}_share_of_weights_at_a_bound"] = float(
            np.mean((table.weight == 0) | (np.abs(table.weight) == table.w_max))
        )
    result["weights_equal_to_1e-5"] = max(v for k, v in result.items() if "largest_difference" in k) < 1e-5
    return result


def _case(network: Network, spikes: Spikes, wall: float, brian_wall: float) -> dict[str, Any]:
    return {
        "n_neurons": network.n_neurons,
        "n_recurrent_synapses": len(network.recurrent),
        "n_input_synapses": len(network.inputs),
        "longest_delay_steps": int(network.recurrent.delay_ms.max() / network.dt_ms),
        "biological_seconds": spikes.n_steps * spikes.dt_ms / 1000,
        "seconds_hrsnn": wall,
        "seconds_brian2_with_compilation": brian_wall,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the outcome as JSON")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--seconds", type=float, nargs=2, default=(10.0, 2.0), help="biological time without and with STDP"
    )
    parser.add_argument(
        "--target", default="auto", choices=["auto", "cython", "numpy"], help="Brian2's code generation"
    )
    options = parser.parse_args()
    import brian2

    brian2.prefs.codegen.target = options.target
    long, short = options.seconds
    cases = {"no_plasticity": judge_static(make_network(options.seed, 5), options.seed, long)}
    cases["stdp"] = judge_stdp(options.seed, short)
    for name, mechanisms in {**{name: (name,) for name in MECHANISMS}, "all_mechanisms": MECHANISMS}.items():
        cases[name] = judge_static(make_foreign_network(options.seed, mechanisms), options.seed, long)
    passed = all(case["identical"] for case in cases.values()) and cases["stdp"]["weights_equal_to_1e-5"]
    outcome = {
        "command": "python benchmarks/brian2_judge.py " + " ".join(sys.argv[1:]),
        "versions": {
            "python": platform.python_version(), "brian2": brian2.__version__, "numpy": np.__version__,
            "numba": numba.__version__,
        },
        "seed": options.seed,
        **cases,
        "passed": bool(passed),
    }  # fmt: skip
    text = json.dumps(outcome, indent=2)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
