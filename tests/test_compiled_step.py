"""The compiled step of modules of torch: the bits of the engines, and the gradients of the plain form."""

from __future__ import annotations

import copy
import subprocess
import sys
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

import hrsnn
from hrsnn._checks import InputError
from hrsnn.network import Network
from hrsnn.torch import SpikingState, Surrogate, module_of
from networks import neuron_table, random_network, random_spikes, synapse_table

pytestmark = pytest.mark.usefixtures("one_torch_thread")

N, N_STEPS, N_SAMPLES = 12, 30, 19  # more samples than are computed side by side, and not a multiple of that
KINDS = [
    dict(zip(("synapse", "reset", "mixed", "adapts", "longest_delay", "density"), kind, strict=True))
    for kind in product(("exp", "delta"), ("hard", "subtract"), (False, True), (False, True), (1, 4), (0.15, 1.0))
]


def everything(network: Network) -> list[str]:
    of_kind = ["tau_syn"] * (network.synapse == "exp") + ["adapt"] * (network.neurons.adapt is not None)
    return ["recurrent", "inputs", "tau_mem", "v_th", *of_kind]


def drawn(seed: int, **kind: Any) -> tuple[Network, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A network, spikes for it [T, B, N_in], a current and what to multiply its spikes by [T, B, N]."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, n=N, dt_ms=0.5, **kind)
    spikes = random_spikes(rng, network, n_samples=N_SAMPLES, n_steps=N_STEPS)
    current, seen = torch.tensor(rng.normal(0, 1, (2, N_STEPS, N_SAMPLES, N)))
    return network, torch.tensor(spikes.dense().transpose(1, 0, 2), dtype=torch.float64), current, seen


def gradients(module: Any, x: torch.Tensor, current: torch.Tensor | None, seen: torch.Tensor, cut: int = 17) -> Any:
    """Spikes, the last state, and gradients by all there is, in two calls of which one goes on from the other."""
    x = x.clone().requires_grad_()
    current = None if current is None else current.clone().requires_grad_()
    two = (None, None) if current is None else (current[:cut], current[cut:])
    first, state = module(x[:cut], current=two[0])
    second, state = module(x[cut:], state, current=two[1])
    spikes = torch.cat([first, second])
    ends = [(i + 1) * part.square().sum() for i, part in enumerate(state) if part.is_floating_point()]
    named = {"x": x, **({} if current is None else {"current": current}), **dict(module.named_parameters())}
    found = torch.autograd.grad((spikes * seen).sum() + sum(ends), list(named.values()), allow_unused=True)
    return spikes.detach(), state.detach(), dict(zip(named, found, strict=True))


def assert_close(found: Any, expected: Any, tolerance: float) -> None:
    """Gradients of the same norm and direction, each to `tolerance` of its own norm."""
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert gradient is not None, name
        assert float((found[name] - gradient).norm()) <= tolerance * float(gradient.norm()), name


# -- forwards ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_spikes_and_states_have_the_bits_of_the_engines(kind: dict[str, Any], dtype: torch.dtype) -> None:
    network, x, current, _ = drawn(3, **kind)
    x, current = x.to(dtype), current.to(dtype)
    module = module_of(network, dtype=dtype, train=everything(network))
    assert module.step == "compiled"
    with torch.no_grad():
        first, between = module(x[:23], current=current[:23])
        second, state = module(x[23:], between, current=current[23:])
    given = hrsnn.Spikes.from_dense(x.numpy().transpose(1, 0, 2) != 0, dt_ms=0.5)
    record = hrsnn.Record(spikes=True, state=True)
    np_dtype = np.float32 if dtype == torch.float32 else np.float64
    expected = hrsnn.simulate(
        network, given, record=record, dtype=np_dtype, backend="reference", current=current.numpy().transpose(1, 0, 2)
    )
    assert expected.spikes is not None
    assert expected.state is not None
    raster = torch.cat([first, second]).numpy().transpose(1, 0, 2)
    assert raster.mean() > 0.005
    np.testing.assert_array_equal(raster, expected.spikes.dense())
    # Equal numbers are equal bits, but for the sign of 0, which a sum with a synapse that is not there can change.
    for name in ("v", "current_exc", "current_inh", "refractory", *["adaptation"] * kind["adapts"]):
        np.testing.assert_array_equal(getattr(state, name).numpy(), getattr(expected.state, name), err_msg=name)
    np.testing.assert_array_equal(state.pending_exc.numpy().transpose(1, 0, 2), expected.state.pending_exc)


def test_input_that_is_not_0_or_1_multiplies_weights() -> None:
    network, x, _, seen = drawn(4, mixed=True, longest_delay=2)
    x = x * torch.linspace(-1, 2, x.numel(), dtype=x.dtype).view_as(x)
    compare(network, x, None, seen)


# -- backwards ---------------------------------------------------------------------------------------------------------


def compare(network: Network, x: Any, current: Any, seen: Any, tolerance: float = 1e-9, **options: Any) -> None:
    """The compiled step against the plain one, with and without keeping everything."""
    given = {"dtype": x.dtype, "train": everything(network), **options}
    spikes, state, expected = gradients(module_of(network, step="plain", **given), x, current, seen)
    for checkpoint_steps in (None, 7):
        module = module_of(network, step="compiled", checkpoint_steps=checkpoint_steps, **given)
        found, left, by = gradients(module, x, current, seen)
        assert torch.equal(found, spikes)
        for a, b in zip(left, state, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
        assert_close(by, expected, tolerance)


@pytest.mark.parametrize("seed", [5])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_gradients_are_those_of_the_plain_form(kind: dict[str, Any], seed: int) -> None:
    """By weights, constants, input, current and the state in between; 1e-9 is far below the 1e-5 that is promised."""
    network, x, current, seen = drawn(seed, **kind)
    compare(network, x, current, seen)


@pytest.mark.parametrize("surrogate", ["fast-sigmoid", "atan", "superspike"])
@pytest.mark.parametrize("longest_delay", [1, 3])
def test_gradients_of_every_surrogate_with_its_slope_and_height(surrogate: Any, longest_delay: int) -> None:
    network, x, current, seen = drawn(7, adapts=True, longest_delay=longest_delay)
    compare(network, x, current, seen, surrogate=surrogate, slope=3.0, height=0.7)


@pytest.mark.parametrize("kind", KINDS[::5], ids=str)
def test_gradients_in_single_precision(kind: dict[str, Any]) -> None:
    """Against those in double precision where the spikes are the same; sums of some thousand terms of 6e-8."""
    network, x, _, seen = drawn(8, **kind)
    spikes, _, expected = gradients(module_of(network, dtype=torch.float64, train=everything(network)), x, None, seen)
    single = module_of(network, train=everything(network))
    found, _, by = gradients(single, x.float(), None, seen.float())
    assert torch.equal(found.double(), spikes)
    assert_close({name: g.double() for name, g in by.items()}, {n: g.double() for n, g in expected.items()}, 1e-4)


@pytest.mark.parametrize("zero", [(), ("t_ref_ms", "v_rest", "bias")])
def test_two_synapses_of_the_same_ends_and_units_without_any(zero: tuple[str, ...]) -> None:
    inputs = synapse_table([0, 0, 0, 2], [0, 0, 1, 1], n_pre=3, weight=[0.9, 0.4, 1.5, 3.0], delay_ms=[1, 1, 3, 2])
    neurons = neuron_table(2, **dict.fromkeys(zero, 0.0))
    network = Network(neurons, synapse_table([], [], n_pre=2), inputs, dt_ms=1.0)
    rng = np.random.default_rng(2)
    x = torch.tensor((rng.random((60, 2, 3)) < 0.5).astype(float))
    seen = torch.tensor(rng.normal(size=(60, 2, 2)))
    spikes, _, expected = gradients(module_of(network, dtype=torch.float64, step="plain"), x, None, seen)
    found, _, by = gradients(module_of(network, dtype=torch.float64), x, None, seen)
    assert spikes.sum() > 5
    assert torch.equal(found, spikes)
    assert by["recurrent"].numel() == 0
    assert_close(by, expected, 1e-9)


def test_a_mean_over_time_and_tensors_that_do_not_lie_in_order() -> None:
    network, x, current, _ = drawn(9, longest_delay=2)
    x, current = x.transpose(0, 1).contiguous().transpose(0, 1), current.flip(2).flip(2)[:, ::1]
    for given in (x, x[::2]):
        found = {}
        for step in ("plain", "compiled"):
            module = module_of(network, dtype=torch.float64, step=step)  # type: ignore[arg-type]
            fired, _ = module(given, current=current[: len(given)])
            fired.mean(0).square().sum().backward()
            found[step] = {name: p.grad for name, p in module.named_parameters()}
        assert_close(found["compiled"], found["plain"], 1e-9)


def test_a_state_that_is_cut_off_passes_no_gradient_and_a_graph_serves_twice() -> None:
    network, x, _, _ = drawn(10)
    module = module_of(network, dtype=torch.float64)
    _, state = module(x[:10])
    spikes, left = module(x[10:], state.detach())
    loss = spikes.sum() + left.v.sum()
    one = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)
    two = torch.autograd.grad(loss, list(module.parameters()))
    plain = module_of(network, dtype=torch.float64, step="plain")
    spikes, left = plain(x[10:], SpikingState(*(part.clone() for part in state.detach())))
    expected = torch.autograd.grad(spikes.sum() + left.v.sum(), list(plain.parameters()))
    for a, b, c in zip(one, two, expected, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a, c, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS[1::7], ids=str)
def test_gradients_of_gradients_are_those_of_the_plain_form(kind: dict[str, Any]) -> None:
    network, x, current, seen = drawn(11, **kind)
    found = {}
    for step in ("plain", "compiled"):
        module = module_of(network, dtype=torch.float64, train=everything(network), step=step)  # type: ignore[arg-type]
        spikes, state = module(x, current=current)
        first = torch.autograd.grad((spikes * seen).sum() + state.v.square().sum(), module.recurrent, create_graph=True)
        loss = first[0].square().sum()
        found[step] = torch.autograd.grad(loss, [module.recurrent, module.inputs])
    for a, b in zip(found["compiled"], found["plain"], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


# -- threads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS[::6], ids=str)
def test_no_bit_hangs_on_the_number_of_threads_or_on_what_is_kept(kind: dict[str, Any]) -> None:
    network, x, current, seen = drawn(12, **kind)
    found = []
    for n_threads, checkpoint_steps in ((1, None), (2, None), (3, 11)):
        torch.set_num_threads(n_threads)
        module = module_of(
            network, dtype=torch.float64, train=everything(network), checkpoint_steps=checkpoint_steps
        )  # fmt: skip
        found.append(gradients(module, x, current, seen))
    for _, state, by in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(state, found[0][1], strict=True))
        assert all(torch.equal(by[name], found[0][2][name]) for name in by)


# -- which form --------------------------------------------------------------------------------------------------------


class Other(Surrogate):
    """A surrogate of one's own."""

    __slots__ = ()


def test_the_plain_form_is_taken_where_the_other_cannot_be() -> None:
    network, x, _, _ = drawn(13)
    module = module_of(network, dtype=torch.float64)
    assert module.step == "compiled"
    assert copy.deepcopy(module).step == "compiled"
    assert module_of(network, step="plain").step == "plain"
    module.surrogate = Other()
    assert module.step == "plain"
    assert module(x)[0].grad_fn is not None
    assert module_of(network).to("meta").step == "plain"
    assert module_of(network).half().step == "plain"


def test_what_cannot_be_is_told_in_a_sentence() -> None:
    network, x, _, _ = drawn(13)
    module = module_of(network, dtype=torch.float64, step="compiled")
    module.surrogate = Other()
    with pytest.raises(
        InputError,
        match=r"`step` of `SpikingModule` must do without the compiled step, got a surrogate of the class Other",
    ):
        module(x)
    meta = module_of(network, dtype=torch.float64, step="compiled").to("meta")
    with pytest.raises(InputError, match="got a module on the device meta"):
        meta(x.to("meta"))
    with pytest.raises(InputError, match="`step` of `module_of` must be one of auto, compiled, plain, got fast"):
        module_of(network, step="fast")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"`checkpoint_steps` of `module_of` must be .*>= 1"):
        module_of(network, checkpoint_steps=0)
    with pytest.raises(InputError, match="must be None with the plain step, got 5"):
        module_of(network, step="plain", checkpoint_steps=5)


# -- memory ------------------------------------------------------------------------------------------------------------

LONG = """
import resource, sys
import numpy as np, torch, hrsnn, hrsnn.torch
rng = np.random.default_rng(0)
dense = lambda shape: rng.uniform(0, 0.08, shape) * (rng.random(shape) < 0.05)
network = hrsnn.Network.from_arrays(
    dense((1000, 1000)) - 0.05 * (rng.random((1000, 1000)) < 0.03), 100 * dense((1000, 100)),
    tau_mem_ms=rng.uniform(10, 30, 1000), t_ref_ms=2.0,
)
train = ["recurrent", "inputs", "tau_mem", "tau_syn"]
module = hrsnn.torch.module_of(network, train=train, checkpoint_steps=eval(sys.argv[1]))
x = (torch.rand(10_000, 4, 100) < 0.02).float()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
spikes, _ = module(x)
rate = spikes.detach().mean()
spikes.mean(0).square().sum().backward()
assert 0.001 < rate < 0.3, rate
assert module.recurrent.grad.norm() > 0
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) / 1024, after / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("checkpoint_steps", "most_mb"), [(None, 1000), (100, 500)])
def test_ten_thousand_steps_of_a_thousand_neurons_train_in_little_memory(
    checkpoint_steps: int | None, most_mb: float
) -> None:
    """Spikes take 160 MB in single precision, potentials as much, and currents, for `tau_syn`, twice that."""
    done = subprocess.run(
        [sys.executable, "-c", LONG, str(checkpoint_steps)], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    grown_mb, whole_mb = map(float, done.stdout.split())
    assert grown_mb < most_mb
    assert whole_mb < 4096
