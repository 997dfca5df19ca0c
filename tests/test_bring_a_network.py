"""The functions of docs/how-to/bring-a-network.md, run as a reader copies them.

Each is held to the equations of its simulator, written down here in a few lines of NumPy, and to the simulator itself
where it can be imported: every spike the same. The equations are in double precision, simulators in their single one,
and potentials of the two differ by less than 1e-6; none comes as close as `CLOSEST` to a threshold, which is asserted,
so that no spike hangs on it.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import hrsnn
from hrsnn import Network, Spikes, simulate
from hrsnn.engine import Record

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "bring-a-network.md").read_text("utf-8")
N, N_IN, STEPS = 12, 8, 200
CLOSEST = 2e-6
FIRES = 0.02  # spikes of a neuron in a step that make a comparison worth while


@pytest.fixture(scope="module")
def page() -> SimpleNamespace:
    """What all Python of the page defines, in order."""
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.M | re.S):
        exec(compile(block, "bring-a-network.md", "exec"), names)
    return SimpleNamespace(**names)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(8)


def inputs(rng: np.random.Generator, n_steps: int = STEPS) -> Any:
    """Spikes of the input, (n_steps, N_IN)."""
    return rng.random((n_steps, N_IN)) < 0.2


def ours(network: Network, raster: Any, later: int = 0) -> Any:
    """Spikes of `network` (n_steps, N) with the first `later` steps left out, and as many more at the end."""
    longer = np.concatenate([raster, np.zeros((later, raster.shape[1]), dtype=bool)])
    spikes = Spikes.from_dense(longer[None], dt_ms=network.dt_ms)
    found = simulate(network, spikes, record=Record(spikes=True), dtype=np.float64, backend="reference").spikes
    assert found is not None
    dense = found.dense()[0]
    assert not dense[:later, network.neurons.population == 0].any()
    return dense[later:]


def fires(v: Any, threshold: Any) -> Any:
    """`v > threshold`, and nothing close enough to it that rounding would decide."""
    assert np.abs(v - threshold).min() > CLOSEST
    return v > threshold


def rounded(*shape: int, rng: np.random.Generator, low: float, high: float) -> Any:
    """Numbers of single precision, as states of torch and weights of hrsnn are, in double precision."""
    return rng.uniform(low, high, shape).astype(np.float32).astype(float)


# -- snnTorch --------------------------------------------------------------------------------------------------------


KINDS = ["Leaky", "RLeaky", "RLeaky-itself", "Synaptic", "RSynaptic"]


def snntorch_state(
    kind: str, reset: str, rng: np.random.Generator, n_in: int = N_IN, prefix: str = ""
) -> dict[str, Any]:
    """A state dictionary as snnTorch names it, every constant a vector."""
    state = {
        f"fc{prefix}.weight": rounded(N, n_in, rng=rng, low=-0.3, high=0.6),
        f"fc{prefix}.bias": rounded(N, rng=rng, low=-0.05, high=0.1),
        f"lif{prefix}.beta": rounded(N, rng=rng, low=0.5, high=0.95),
        f"lif{prefix}.threshold": rounded(N, rng=rng, low=0.8, high=1.2),
        f"lif{prefix}.reset_mechanism_val": np.array(["subtract", "zero"].index(reset)),
        f"lif{prefix}.graded_spikes_factor": np.array(1.0),
    }
    if kind.endswith("itself"):
        state |= {f"lif{prefix}.{key}": rounded(N, rng=rng, low=-0.5, high=0.3) for key in ("V",)}
        state[f"lif{prefix}.recurrent.V"] = state[f"lif{prefix}.V"]
    elif kind.startswith("R"):
        state[f"lif{prefix}.recurrent.weight"] = rounded(N, N, rng=rng, low=-0.5, high=0.4)
        state[f"lif{prefix}.recurrent.bias"] = rounded(N, rng=rng, low=-0.05, high=0.05)
    if "Synaptic" in kind:
        state[f"lif{prefix}.alpha"] = rounded(N, rng=rng, low=0.3, high=0.9)
        state[f"fc{prefix}.bias"] = np.zeros(N)
        state[f"fc{prefix}.weight"] *= 0.5
        if kind == "RSynaptic":
            state[f"lif{prefix}.recurrent.bias"] = np.zeros(N)
    return state


def snntorch_steps(state: dict[str, Any], kind: str, reset_delay: bool, raster: Any, prefix: str = "") -> Any:
    """The equations of its documentation: U[t+1] = beta U[t] + I[t+1] + V(S[t]) - reset, S = U > threshold."""
    lif = {key.partition(".")[2]: value for key, value in state.items() if key.startswith(f"lif{prefix}.")}
    beta, threshold, is_zero = lif["beta"], lif["threshold"], lif["reset_mechanism_val"] == 1
    w_rec = lif.get("recurrent.weight", np.diag(lif.get("V", np.zeros(beta.size))))
    n = beta.size
    u, current, s, out = np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool), []
    for x in raster:
        given = state[f"fc{prefix}.weight"] @ x + state[f"fc{prefix}.bias"] + w_rec @ s + lif.get("recurrent.bias", 0)
        if "alpha" in lif:
            current = lif["alpha"] * current + given
            given = current
        late = s & reset_delay
        if is_zero and kind == "Leaky":
            u = beta * np.where(late, 0, u) + given
        elif is_zero:
            u = np.where(late, 0, beta * u + given)
        else:
            u = beta * u + given - late * threshold
        s = fires(u, threshold)
        if not reset_delay:
            u = np.where(s, 0 if is_zero else u - threshold, u)
            assert (u <= threshold).all(), "snnTorch looks at what is left after a reset as if it were a spike"
        out.append(s)
    return np.array(out)


def snntorch_itself(state: dict[str, Any], kind: str, reset_delay: bool, raster: Any) -> Any:
    snn, torch = pytest.importorskip("snntorch"), pytest.importorskip("torch")
    n = state["lif.beta"].size
    options: dict[str, Any] = {key: torch.tensor(state[f"lif.{key}"]).float() for key in ("beta", "threshold")}
    if "Synaptic" in kind:
        options["alpha"] = torch.tensor(state["lif.alpha"]).float()
    if kind.startswith("R"):
        own = (
            {"all_to_all": False, "V": torch.tensor(state["lif.V"]).float()}
            if "itself" in kind
            else {"linear_features": n}
        )
        options |= own
    reset = ["subtract", "zero"][int(state["lif.reset_mechanism_val"])]
    cell = getattr(snn, kind.removesuffix("-itself"))(reset_mechanism=reset, reset_delay=reset_delay, **options)
    model = torch.nn.ModuleDict({"fc": torch.nn.Linear(N_IN, n), "lif": cell})
    model.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    n_states = 1 + kind.startswith("R") + ("Synaptic" in kind)
    states, out = [torch.zeros(1, n)] * n_states, []
    with torch.no_grad():
        for x in torch.tensor(raster).float():
            s, *states = cell(model["fc"](x[None]), *states)
            out.append(s[0].numpy() > 0)
            if kind.startswith("R"):
                states = [s, *states]
    return np.array(out), model


@pytest.mark.parametrize("reset_delay", [True, False])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("partner", ["equations", "snntorch"])
def test_snntorch(
    page: SimpleNamespace, rng: np.random.Generator, kind: str, reset: str, reset_delay: bool, partner: str
) -> None:
    state, raster = snntorch_state(kind, reset, rng), inputs(rng)
    if reset == "subtract" and not reset_delay:  # no potential above twice the threshold
        state["fc.weight"] *= 0.5
        state |= {key: 0.25 * state[key] for key in state if key.endswith(("recurrent.weight", "V"))}
    theirs = snntorch_steps(state, kind, reset_delay, raster)
    if partner == "snntorch":
        theirs, model = snntorch_itself(state, kind, reset_delay, raster)
        state = page.arrays_of(model)
        reset_delay |= kind == "RSynaptic"  # version 1.0.0 resets a step late whatever it is told
    network = page.from_snntorch(state, "fc", "lif", reset_delay=reset_delay)
    assert theirs.mean() > FIRES
    assert np.array_equal(ours(network, raster, later=1), theirs)


def test_snntorch_layers_are_a_stack(page: SimpleNamespace, rng: np.random.Generator) -> None:
    """The second layer answers two steps later, and its biases wait for it."""
    one = snntorch_state("RLeaky", "subtract", rng, prefix="1")
    two = snntorch_state("Leaky", "subtract", rng, n_in=N, prefix="2")
    raster = inputs(rng)
    first = snntorch_steps(one, "RLeaky", True, raster, "1")
    second = snntorch_steps(two, "Leaky", True, first, "2")
    network = page.from_snntorch_layers(one | two, [("fc1", "lif1"), ("fc2", "lif2")])
    found = ours(network, raster, later=2)
    layer = network.neurons.population
    assert second.mean() > FIRES
    assert np.array_equal(found[:, layer == 1], second)
    assert np.array_equal(found[:-1, layer == 0], first[1:])


def test_snntorch_back(page: SimpleNamespace, rng: np.random.Generator) -> None:
    state = snntorch_state("RLeaky", "subtract", rng)
    back = page.to_snntorch(page.from_snntorch(state, "fc", "lif"), "fc", "lif")
    for key, values in back.items():
        np.testing.assert_allclose(values, state[key], rtol=1e-12, err_msg=key)


@pytest.mark.parametrize("partner", ["equations", "snntorch"])
@pytest.mark.parametrize("method", ["magnitude", "lnp"])
def test_snntorch_pruned_and_back(page: SimpleNamespace, rng: np.random.Generator, method: str, partner: str) -> None:
    """Smaller, and with the same spikes there as here."""
    whole, raster = snntorch_state("RLeaky", "zero", rng), inputs(rng)
    whole |= {key: np.zeros(N) for key in ("fc.bias", "lif.recurrent.bias")}
    network = page.from_snntorch(whole, "fc", "lif")
    small = hrsnn.prune(network, keep_synapses=len(network.recurrent) // 4, method=method).network
    assert len(small.recurrent) == len(network.recurrent) // 4
    n = small.n_neurons
    state = {**whole, **page.to_snntorch(small, "fc", "lif"), "lif.threshold": small.neurons.v_th}
    state |= {key: np.zeros(n) for key in ("fc.bias", "lif.recurrent.bias")}
    steps = snntorch_itself if partner == "snntorch" else snntorch_steps
    theirs = steps(state, "RLeaky", True, raster)
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    assert theirs.mean() > 0.01
    assert np.array_equal(ours(small, raster, later=1), theirs)


# -- Norse -----------------------------------------------------------------------------------------------------------


NORSE = {"tau_mem_inv": 100.0, "tau_syn_inv": 200.0, "v_th": 1.0, "v_leak": 0.1, "v_reset": -0.1}


def norse_steps(state: dict[str, Any], p: dict[str, Any], dt: float, raster: Any) -> Any:
    """The equations of its documentation, by Euler's method: jump, membrane, decay of the current, spike, reset."""
    v, i, s, out = np.broadcast_to(p["v_leak"], N), np.zeros(N), np.zeros(N), []
    for x in raster:
        i = i + state["input_weights"] @ x + state["recurrent_weights"] @ s
        v = v + dt * p["tau_mem_inv"] * (p["v_leak"] - v + i)
        i = i - dt * p["tau_syn_inv"] * i
        s = fires(v, p["v_th"])
        v = np.where(s, p["v_reset"], v)
        out.append(s)
    return np.array(out)


def norse_state(rng: np.random.Generator) -> dict[str, Any]:
    w_rec = rounded(N, N, rng=rng, low=-1, high=0.8) * (1 - np.eye(N))
    return {"input_weights": rounded(N, N_IN, rng=rng, low=-0.5, high=2), "recurrent_weights": w_rec}


@pytest.mark.parametrize("constants", [NORSE, {**NORSE, "tau_mem_inv": np.linspace(50, 200, N)}])
def test_norse(page: SimpleNamespace, rng: np.random.Generator, constants: dict[str, Any]) -> None:
    state, raster = norse_state(rng), inputs(rng)
    theirs = norse_steps(state, constants, 0.001, raster)
    network = page.from_norse(state, **constants)
    assert network.neurons.tau_syn_exc_ms[0] == pytest.approx(4.4814, abs=1e-4)
    assert theirs.mean() > FIRES
    assert np.array_equal(ours(network, raster, later=1), theirs)


def test_norse_itself(page: SimpleNamespace, rng: np.random.Generator) -> None:
    norse, torch = pytest.importorskip("norse.torch"), pytest.importorskip("torch")
    state, raster = norse_state(rng), inputs(rng)
    p = norse.LIFParameters(**{key: torch.tensor(value) for key, value in NORSE.items()})
    cell = norse.LIFRecurrentCell(N_IN, N, p=p, dt=0.001)
    cell.load_state_dict({key: torch.tensor(value).float() for key, value in state.items()})
    theirs, at = [], None
    with torch.no_grad():
        for x in torch.tensor(raster).float():
            s, at = cell(x[None], at)
            theirs.append(s[0].numpy() > 0)
    norse_steps(state, NORSE, 0.001, raster)  # asserts that nothing is close
    assert np.array_equal(ours(page.from_norse(page.arrays_of(cell), **NORSE), raster, later=1), theirs)


# -- sinabs ----------------------------------------------------------------------------------------------------------


def sinabs_state(rng: np.random.Generator, has_current: bool) -> dict[str, Any]:
    state = {
        "fc.weight": rounded(N, N_IN, rng=rng, low=-0.3, high=0.6),
        "fc.bias": rounded(N, rng=rng, low=-0.05, high=0.1),
        "lif.tau_mem": rounded(N, rng=rng, low=2, high=15),
        "lif.spike_threshold": np.array(1.0),
        "lif.rec_connect.weight": rounded(N, N, rng=rng, low=-0.2, high=0.1),
        "lif.rec_connect.bias": rounded(N, rng=rng, low=-0.05, high=0.05),
    }
    if has_current:
        state |= {"lif.tau_syn": rounded(N, rng=rng, low=1, high=5), "fc.bias": np.zeros(N)}
        state |= {"lif.rec_connect.bias": np.zeros(N), "fc.weight": 0.4 * state["fc.weight"]}
    return state


def sinabs_steps(state: dict[str, Any], norm_input: bool, raster: Any) -> Any:
    """The equations of its documentation, with one spike in a step at most, and the threshold subtracted."""
    alpha = np.exp(-1 / state["lif.tau_mem"])
    v, i, s, out = np.zeros(N), np.zeros(N), np.zeros(N), []
    for x in raster:
        given = state["fc.weight"] @ x + state["fc.bias"]
        given = given + state["lif.rec_connect.weight"] @ s + state["lif.rec_connect.bias"]
        if "lif.tau_syn" in state:
            given = i = np.exp(-1 / state["lif.tau_syn"]) * (i + given)
        v = alpha * v + (1 - alpha if norm_input else 1) * given
        s = fires(v, 1.0)
        v = v - s
        out.append(s)
    return np.array(out)


@pytest.mark.parametrize("partner", ["equations", "sinabs"])
@pytest.mark.parametrize(("has_current", "norm_input"), [(False, False), (False, True), (True, False), (True, True)])
def test_sinabs(
    page: SimpleNamespace, rng: np.random.Generator, has_current: bool, norm_input: bool, partner: str
) -> None:
    state, raster = sinabs_state(rng, has_current), inputs(rng)
    if norm_input:
        gain = 9 if has_current else 6
        state |= {key: gain * state[key] for key in ("fc.weight", "lif.rec_connect.weight")}
    theirs = sinabs_steps(state, norm_input, raster)
    if partner == "sinabs":
        torch, layers = pytest.importorskip("torch"), pytest.importorskip("sinabs.layers")
        single = pytest.importorskip("sinabs.activation").SingleSpike
        constants = {key: torch.tensor(state[f"lif.{key}"]) for key in ("tau_mem", "tau_syn") if f"lif.{key}" in state}
        cell = layers.LIFRecurrent(
            rec_connect=torch.nn.Linear(N, N), spike_fn=single, norm_input=norm_input, **constants
        )
        model = torch.nn.ModuleDict({"fc": torch.nn.Linear(N_IN, N), "lif": cell})
        model.load_state_dict({key: torch.tensor(value) for key, value in state.items()}, strict=False)
        with torch.no_grad():
            theirs = cell(model["fc"](torch.tensor(raster[None]).float()))[0].numpy() > 0
        state = page.arrays_of(model)
    network = page.from_sinabs(state, "fc", "lif", norm_input=norm_input)
    assert theirs.mean() > FIRES
    assert np.array_equal(ours(network, raster, later=1), theirs)


# -- Brian2, and files -----------------------------------------------------------------------------------------------


def brian2_steps(w_rec: Any, w_in: Any, delays: Any, t_ref: int, raster: Any) -> Any:
    """dv/dt = (i - v) / 10 ms (unless refractory), di/dt = -i / 5 ms; then threshold, synapses, reset."""
    alpha, beta = np.exp(-1 / 10), np.exp(-1 / 5)
    v, i, last, out = np.zeros(N), np.zeros(N), np.full(N, -1000), []
    arriving = np.zeros((len(raster) + 10, N))
    for t, x in enumerate(raster):
        free = t - last >= t_ref
        v, i = np.where(free, alpha * v + 5 / (5 - 10) * (beta - alpha) * i, v), beta * i
        s = fires(v, 1.0) & free
        last = np.where(s, t, last)
        for unit in np.flatnonzero(s):
            np.add.at(arriving, (t + delays[:, unit], np.arange(N)), w_rec[:, unit])
        i = i + arriving[t] + w_in @ x
        v = np.where(s, 0, v)
        out.append(s)
    return np.array(out)


def test_brian2(page: SimpleNamespace, rng: np.random.Generator) -> None:
    w_rec, w_in = rounded(N, N, rng=rng, low=-0.5, high=0.4), rounded(N, N_IN, rng=rng, low=-0.3, high=1.2)
    w_rec[rng.random((N, N)) < 0.5] = 0
    delays, raster = rng.integers(0, 4, (N, N)), inputs(rng)
    theirs = brian2_steps(w_rec, w_in, delays, 3, raster)
    (rec_j, rec_i), (in_j, in_i) = np.nonzero(w_rec), np.nonzero(w_in)
    network = page.from_brian2(
        (rec_i, rec_j, w_rec[rec_j, rec_i], delays[rec_j, rec_i].astype(float)), (in_i, in_j, w_in[in_j, in_i], 0.0),
        n=N, n_inputs=N_IN, dt_ms=1.0, t_ref_ms=3.0, tau_mem_ms=10.0, tau_syn_exc_ms=5.0, tau_syn_inh_ms=5.0,
        v_th=page.above(1.0),
    )  # fmt: skip
    assert theirs.mean() > FIRES
    assert np.array_equal(ours(network, raster), theirs)


def test_brian2_itself(page: SimpleNamespace, rng: np.random.Generator) -> None:
    b2 = pytest.importorskip("brian2")
    b2.prefs.codegen.target = "numpy"
    b2.start_scope()
    b2.defaultclock.dt = 1 * b2.ms
    raster = inputs(rng)
    model = "dv/dt = (c - v) / (10*ms) : 1 (unless refractory)\ndc/dt = -c / (5*ms) : 1"
    cells = b2.NeuronGroup(N, model, threshold="v > 1", reset="v = 0", refractory=3 * b2.ms, method="exact")
    step, unit = np.nonzero(raster)
    source = b2.SpikeGeneratorGroup(N_IN, unit, step * b2.ms)
    tables = {}
    for name, group, n_pre, low, high in (("recurrent", cells, N, -0.5, 0.4), ("inputs", source, N_IN, -0.3, 1.2)):
        s = b2.Synapses(group, cells, "w : 1", on_pre="c_post += w")
        s.connect(p=0.7)
        s.w = rounded(len(s), rng=rng, low=low, high=high)
        s.delay = rng.integers(0, 4, len(s)) * b2.ms
        assert n_pre == s.N_pre
        tables[name] = s
    monitor = b2.SpikeMonitor(cells)
    b2.Network(cells, source, *tables.values(), monitor).run(STEPS * b2.ms)
    theirs = np.zeros((STEPS, N), dtype=bool)
    theirs[np.rint(np.array(monitor.t / b2.ms)).astype(int), np.array(monitor.i)] = True
    edges = [(np.array(s.i), np.array(s.j), np.array(s.w), np.rint(s.delay / b2.ms)) for s in tables.values()]
    network = page.from_brian2(
        *edges, n=N, n_inputs=N_IN, dt_ms=1.0, t_ref_ms=3.0, tau_mem_ms=10.0, tau_syn_exc_ms=5.0, tau_syn_inh_ms=5.0,
        v_th=page.above(1.0),
    )  # fmt: skip
    assert theirs.mean() > FIRES
    assert np.array_equal(ours(network, raster), theirs)


def test_brian2_of_several_synapses_between_two_neurons_is_refused(page: SimpleNamespace) -> None:
    twice = (np.array([0, 0]), np.array([1, 1]), np.ones(2), 0.0)
    with pytest.raises(AssertionError, match="several synapses"):
        page.from_brian2(twice, twice, n=2, n_inputs=2, dt_ms=1.0, tau_mem_ms=10.0)


@pytest.mark.parametrize("is_transposed", [False, True])
def test_paper(page: SimpleNamespace, rng: np.random.Generator, tmp_path: Path, is_transposed: bool) -> None:
    w_rec, w_in = rng.normal(size=(N, N)), rng.normal(size=(N, N_IN))
    tau_mem_ms = rng.uniform(5, 20, N)
    turned = (w_rec.T, w_in.T) if is_transposed else (w_rec, w_in)
    np.savez(tmp_path / "paper.npz", w_rec=turned[0], w_in=turned[1], tau_mem_ms=tau_mem_ms)
    network = page.from_paper(tmp_path / "paper.npz", is_transposed=is_transposed, synapse="delta", v_th=0.5)
    assert network == Network.from_arrays(w_rec, w_in, tau_mem_ms=tau_mem_ms, synapse="delta", v_th=0.5)


@pytest.mark.parametrize(("membrane", "current"), [(0.9, 0.8), (0.5, 0.95), (0.9, 0.9), (0.9, 0.9 + 1e-12)])
def test_share_is_that_of_the_engines(page: SimpleNamespace, membrane: float, current: float) -> None:
    """A single spike of weight 1 through a current lifts the potential by it in the first step."""
    network = Network.from_arrays(
        [[0.0]], [[1.0]], tau_mem_ms=page.tau_ms(membrane), tau_syn_exc_ms=page.tau_ms(current), v_th=10.0
    )
    spikes = Spikes.from_dense([[[1], [0]]], dt_ms=1.0)
    v = simulate(network, spikes, record=Record(v=1), dtype=np.float64, backend="reference").v
    assert v is not None
    assert v[0, 1, 0] == pytest.approx(page.share(membrane, current), rel=1e-10)
