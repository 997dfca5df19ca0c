"""One training step of the network of `bptt.py` in one simulator, in a process that runs when told (see `served.py`).

    python benchmarks/bptt_peers.py NAME DENSITY INPUT_SCALE

All have v = a v (1 - z) + x W_in + z W, z = (v >= 1), a trained `a` for each neuron where they can, a readout of the
mean spike count, cross entropy, AdamW in its fastest form, the surrogate 1 / (1 + 25 |v - 1|)^2 where they let one
choose, and an input that needs no gradient. Rows of the input are taken by `unbind`, as an index of a tensor with a
gradient costs one of zeros of all steps, for each of them. What differs, because a simulator has it so: snnTorch resets
a step late, SpikingJelly has one time constant for all and another surrogate, Norse has synaptic currents (here so
short that they are gone in a step) and multiplies the input in every step, Spyx subtracts at a spike. hrsnn's input
arrives a step later, and its gradient goes through the reset as well, which PyTorch, Norse and JAX leave out.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

N, N_INPUTS, N_STEPS, N_SAMPLES, N_CLASSES = 1000, 700, 250, 32, 20
INPUT_SHARE, LEAST_INPUT_DENSITY, RATE, SLOPE = 0.015, 0.1, 1e-5, 25.0
Step = Callable[[], float]  # one training step; the share of neurons that spiked in a step


# -- what all are given ------------------------------------------------------------------------------------------------


def weights(density: float, input_scale: float) -> tuple[Any, Any, Any]:
    """(N, N) and (N_INPUTS, N), from rows to columns, and the decays (N,), in single precision."""
    rng = np.random.default_rng(0)
    size = 3 * rng.uniform(0.5, 1.5, (N, N)) / (density * N) * (rng.random((N, N)) < density)
    w = np.where(np.arange(N)[:, None] < 0.8 * N, size, -5 * size)
    given = rng.random((N_INPUTS, N)) < max(density, LEAST_INPUT_DENSITY)
    w_in = input_scale * given * rng.uniform(0.5, 1.5, (N_INPUTS, N)) / (given.mean() * N_INPUTS * INPUT_SHARE)
    return w.astype(np.float32), w_in.astype(np.float32), np.exp(-1 / rng.uniform(10, 30, N)).astype(np.float32)


def data() -> tuple[Any, Any, Any]:
    """Input (N_STEPS, N_SAMPLES, N_INPUTS), labels (N_SAMPLES,) and the weights of the readout (N, N_CLASSES)."""
    rng = np.random.default_rng(1)
    x = (rng.random((N_STEPS, N_SAMPLES, N_INPUTS)) < INPUT_SHARE).astype(np.float32)
    return x, rng.integers(0, N_CLASSES, N_SAMPLES), rng.normal(0, 0.05, (N, N_CLASSES)).astype(np.float32)


def steps_of_torch(parameters: list[Any], spikes_of: Callable[[Any], Any]) -> Step:
    import torch

    x, labels, w_out = (torch.tensor(part) for part in data())
    out = torch.nn.Parameter(w_out)
    optimiser = torch.optim.AdamW([*parameters, out], lr=RATE, fused=True)

    def step() -> float:
        optimiser.zero_grad(set_to_none=True)
        counts = spikes_of(x).sum(0)
        torch.nn.functional.cross_entropy(counts / N_STEPS @ out * 10, labels).backward()
        optimiser.step()
        return float(counts.detach().mean()) / N_STEPS

    return step


# -- simulators --------------------------------------------------------------------------------------------------------


def hrsnn(density: float, input_scale: float, *, dense_from: float | None = None, form: Any = "compiled") -> Step:
    import hrsnn as library
    import hrsnn.torch
    from hrsnn.trainable import layout

    if dense_from is not None:
        layout.DENSE_FROM = dense_from
    w, w_in, a = weights(density, input_scale)
    network = library.Network.from_arrays(w.T, w_in.T, synapse="delta", tau_mem_ms=-1 / np.log(a.astype(float)))
    module = hrsnn.torch.module_of(network, train=["recurrent", "inputs", "tau_mem"], slope=SLOPE, step=form)
    return steps_of_torch(list(module.parameters()), lambda x: module(x)[0])


def torch_eager(density: float, input_scale: float, *, compiles: bool = False) -> Step:
    import torch

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, u: Any) -> Any:
            ctx.save_for_backward(u)
            return (u >= 0).float()

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (u,) = ctx.saved_tensors
            return g / (1 + SLOPE * u.abs()) ** 2

    w, w_in, a = (torch.nn.Parameter(torch.tensor(part)) for part in weights(density, input_scale))

    def cell(v: Any, z: Any, i: Any) -> tuple[Any, Any]:
        v = a * v * (1 - z.detach()) + i + z @ w
        return v, Spike.apply(v - 1)

    # The loop over all steps is too long to be compiled: the step is.
    used = torch.compile(cell) if compiles else cell

    def spikes_of(x: Any) -> Any:
        v = z = torch.zeros(N_SAMPLES, N)
        log = []
        for i in (x @ w_in).unbind(0):
            v, z = used(v, z, i)
            log.append(z)
        return torch.stack(log)

    return steps_of_torch([w, w_in, a], spikes_of)


def snntorch(density: float, input_scale: float) -> Step:
    import snntorch as library
    import torch

    w, w_in, a = (torch.tensor(part) for part in weights(density, input_scale))
    given = torch.nn.Parameter(w_in)
    cell = library.RLeaky(
        beta=a, linear_features=N, learn_beta=True, reset_mechanism="zero",
        spike_grad=library.surrogate.fast_sigmoid(SLOPE),
    )  # fmt: skip
    cell.recurrent.bias = None
    cell.recurrent.weight.data = w.T.contiguous()

    def spikes_of(x: Any) -> Any:
        z = v = torch.zeros(N_SAMPLES, N)
        log = []
        for i in (x @ given).unbind(0):
            z, v = cell(i, z, v)
            log.append(z)
        return torch.stack(log)

    return steps_of_torch([given, *cell.parameters()], spikes_of)


def norse(density: float, input_scale: float) -> Step:
    import norse.torch as library
    import torch

    w, w_in, a = (torch.tensor(part) for part in weights(density, input_scale))
    inverse = torch.nn.Parameter((1 - a) / 0.001)
    p = library.LIFParameters(
        tau_syn_inv=torch.tensor(1000.0), tau_mem_inv=inverse, v_th=torch.tensor(1.0), alpha=torch.tensor(SLOPE)
    )
    cell = library.LIFRecurrentCell(N_INPUTS, N, p=p, dt=0.001, autapses=True)
    gain = (1 / (1 - a))[:, None]  # a current of 1 moves the potential by 1 - a
    cell.load_state_dict({"input_weights": gain * w_in.T, "recurrent_weights": gain * w.T})

    def spikes_of(x: Any) -> Any:
        state, log = None, []
        for i in x.unbind(0):
            z, state = cell(i, state)
            log.append(z)
        return torch.stack(log)

    return steps_of_torch([*cell.parameters(), inverse], spikes_of)


def spikingjelly(density: float, input_scale: float) -> Step:
    import torch
    from spikingjelly.activation_based import functional, neuron, surrogate

    w, w_in, _ = (torch.nn.Parameter(torch.tensor(part)) for part in weights(density, input_scale))
    node = neuron.ParametricLIFNode(
        init_tau=20.0, decay_input=False, v_threshold=1.0, v_reset=0.0, detach_reset=True,
        surrogate_function=surrogate.ATan(),
    )  # fmt: skip

    def spikes_of(x: Any) -> Any:
        functional.reset_net(node)
        z, log = torch.zeros(N_SAMPLES, N), []
        for i in (x @ w_in).unbind(0):
            z = node(i + z @ w)
            log.append(z)
        return torch.stack(log)

    return steps_of_torch([w, w_in, *node.parameters()], spikes_of)


def steps_of_jax(parameters: dict[str, Any], spikes_of: Callable[[Any, Any], Any]) -> Step:
    import jax
    import jax.numpy as jnp
    import optax

    x, labels, w_out = (jnp.asarray(part) for part in data())
    parameters = {**parameters, "out": w_out}
    optimiser = optax.adamw(RATE)
    state = optimiser.init(parameters)

    def loss(p: Any) -> tuple[Any, Any]:
        counts = spikes_of(p, x).sum(0)
        scores = counts / N_STEPS @ p["out"] * 10
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean(), counts.mean() / N_STEPS

    @jax.jit
    def update(p: Any, state: Any) -> tuple[Any, Any, Any]:
        (_, share), g = jax.value_and_grad(loss, has_aux=True)(p)
        changes, state = optimiser.update(g, state, p)
        return optax.apply_updates(p, changes), state, share

    def step() -> float:
        nonlocal parameters, state
        parameters, state, share = jax.block_until_ready(update(parameters, state))
        return float(share)

    return step


def jax_scan(density: float, input_scale: float) -> Step:
    import jax
    import jax.numpy as jnp

    @jax.custom_vjp
    def spike(u: Any) -> Any:
        return (u >= 0).astype(jnp.float32)

    spike.defvjp(lambda u: (spike(u), u), lambda u, g: (g / (1 + SLOPE * jnp.abs(u)) ** 2,))
    parameters = dict(zip(("w", "w_in", "a"), map(jnp.asarray, weights(density, input_scale)), strict=True))

    def spikes_of(p: Any, x: Any) -> Any:
        def cell(state: Any, i: Any) -> tuple[Any, Any]:
            v, z = state
            v = p["a"] * v * (1 - jax.lax.stop_gradient(z)) + i + z @ p["w"]
            z = spike(v - 1)
            return (v, z), z

        zeros = jnp.zeros((N_SAMPLES, N), jnp.float32)
        return jax.lax.scan(cell, (zeros, zeros), x @ p["w_in"])[1]

    return steps_of_jax(parameters, spikes_of)


def spyx(density: float, input_scale: float) -> Step:
    import jax.numpy as jnp
    import spyx as library
    from flax import nnx

    w, w_in, a = map(jnp.asarray, weights(density, input_scale))
    cell = library.nn.RLIF((N,), rngs=nnx.Rngs(0))
    cell.recurrent_w[...], cell.beta[...] = w, a
    kind, values = nnx.split(cell)

    def spikes_of(p: Any, x: Any) -> Any:
        return library.nn.run(nnx.merge(kind, p["cell"]), x @ p["w_in"])[0]

    return steps_of_jax({"cell": values, "w_in": w_in}, spikes_of)


SIMULATORS: dict[str, tuple[Callable[..., Step], dict[str, Any], str]] = {
    "hrsnn": (hrsnn, {}, "hrsnn"),
    "hrsnn, rows of synapses": (hrsnn, {"dense_from": float("inf")}, "hrsnn"),
    "hrsnn, whole rows": (hrsnn, {"dense_from": 0.0}, "hrsnn"),
    "hrsnn, plain step": (hrsnn, {"form": "plain"}, "hrsnn"),
    "torch": (torch_eager, {}, "torch"),
    "torch.compile": (torch_eager, {"compiles": True}, "torch"),
    "snntorch": (snntorch, {}, "snntorch"),
    "norse": (norse, {}, "norse"),
    "spikingjelly": (spikingjelly, {}, "spikingjelly"),
    "jax": (jax_scan, {}, "jax"),
    "spyx": (spyx, {}, "spyx"),
}


# -- when told ---------------------------------------------------------------------------------------------------------


def main() -> None:
    """Three steps to warm up, then for each line of standard input one step, told as a line of JSON."""
    make, options, package = SIMULATORS[sys.argv[1]]
    n_threads = int(os.environ["OMP_NUM_THREADS"])
    if package not in ("jax", "spyx"):
        import torch

        torch.set_num_threads(n_threads)
    elif n_threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    step = make(float(sys.argv[2]), float(sys.argv[3]), **options)
    before_mb = _status_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the steps from here on
    for _ in range(3):
        step()
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        share = step()
        told = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "share": share}
        told |= {"grown_mb": _status_mb("VmHWM") - before_mb, "version": importlib.metadata.version(package)}
        told["whole_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(told), flush=True)


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


if __name__ == "__main__":
    main()
