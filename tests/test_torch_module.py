"""Networks as modules of torch: the spikes of the reference, gradients against differences and by hand, and back."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hrsnn
from hrsnn._checks import InputError
from hrsnn.engine.coefficients import coefficients
from hrsnn.network import Network
from hrsnn.spikes import Spikes
from hrsnn.torch import SpikingModule, SpikingState, Surrogate, module_of, network_of
from networks import neuron_table, random_network, random_spikes, same_bits, synapse_table

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("one_torch_thread")

CLOSEST = 1e-9  # to a threshold, far above the 1e-12 that states may differ by
EVERYTHING = ("recurrent", "inputs", "tau_mem", "v_th")
KINDS = [
    dict(zip(("synapse", "reset", "mixed", "adapts", "longest_delay"), kind, strict=True))
    for kind in product(("exp", "delta"), ("hard", "subtract"), (False, True), (False, True), (1, 4))
]


def dense(spikes: Spikes, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """[T, B, N_in]"""
    return torch.tensor(spikes.dense().transpose(1, 0, 2), dtype=dtype)


def reference(network: Network, spikes: Spikes, current: Any = None, dtype: Any = np.float64) -> Any:
    """Spikes [T, B, N] of the definition, and its state."""
    record = hrsnn.Record(spikes=True, state=True)
    found = hrsnn.simulate(network, spikes, record=record, dtype=dtype, backend="reference", current=current)
    assert found.spikes is not None
    return found.spikes.dense().transpose(1, 0, 2), found.state


def frozen(network: Network, spikes: Spikes, dtype: torch.dtype = torch.float64, **inputs: Any) -> Any:
    train = [*EVERYTHING, *["tau_syn"] * (network.synapse == "exp"), *["adapt"] * (network.neurons.adapt is not None)]
    module = module_of(network, dtype=dtype, train=train).eval()
    with torch.no_grad():
        return module(dense(spikes, dtype), **inputs)


def nearest_to_threshold(network: Network, spikes: Spikes, current: Any) -> float:
    """The smallest |vp - theta| there is."""
    module, seen = module_of(network, dtype=torch.float64), []

    class Seen(Surrogate):
        __slots__ = ()

        def __call__(self, u: torch.Tensor) -> torch.Tensor:
            seen.append(u.abs().min().item())
            return (u >= 0).to(u.dtype)

    module.surrogate = Seen()
    with torch.no_grad():
        module(dense(spikes), current=torch.tensor(current.transpose(1, 0, 2)))
    return min(seen)


# -- spikes of the definition ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_spikes_are_those_of_the_reference(kind: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    network = random_network(rng, n=12, dt_ms=0.5, **kind)
    spikes = random_spikes(rng, network, n_samples=3, n_steps=60)
    current = rng.normal(0, 1, (3, 60, 12))
    expected, state = reference(network, spikes, current)
    found, left = frozen(network, spikes, current=torch.tensor(current.transpose(1, 0, 2)))
    assert nearest_to_threshold(network, spikes, current) > CLOSEST  # so no spike hangs on rounding
    assert 0.01 < expected.mean() < 0.6  # there is something to compare
    np.testing.assert_array_equal(found.numpy(), expected)
    # Of currents of some 20 arrivals, below 100, the order of sums moves few units of the last place.
    for name in ("v", "current_exc", "current_inh"):
        np.testing.assert_allclose(getattr(left, name).numpy(), getattr(state, name), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(left.refractory.numpy(), state.refractory)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reset", ["hard", "subtract"])
def test_every_bit_is_that_of_the_reference_where_sums_are_exact(reset: str, dtype: torch.dtype) -> None:
    """Delta synapses add up weights alone; with multiples of 1/64 the order of sums means nothing."""
    rng = np.random.default_rng(5)
    network = random_network(rng, n=20, synapse="delta", reset=reset, mixed=True, adapts=True, longest_delay=3)
    weights = {n: np.round(getattr(network, n).weight * 128) / 64 for n in ("recurrent", "inputs")}
    network = network.with_weights(**weights)
    spikes = random_spikes(rng, network, n_samples=2, n_steps=80)
    np_dtype = np.float32 if dtype == torch.float32 else np.float64
    expected, state = reference(network, spikes, dtype=np_dtype)
    found, left = frozen(network, spikes, dtype)
    assert expected.mean() > 0.02
    np.testing.assert_array_equal(found.numpy(), expected)
    for name in ("v", "current_exc", "adaptation"):
        np.testing.assert_array_equal(getattr(left, name).numpy(), getattr(state, name))


def test_every_bit_is_that_of_the_reference_with_one_arrival_at_a_time() -> None:
    """One synapse for each neuron: no sums but that of the decayed current and one weight."""
    rng = np.random.default_rng(6)
    network = random_network(rng, n=10, n_inputs=10, density=0.0)
    network = Network(
        network.neurons, network.recurrent, synapse_table(range(10), range(10), n_pre=10, weight=0.37), dt_ms=1.0
    )
    spikes = random_spikes(rng, network, n_steps=100)
    for dtype, np_dtype in ((torch.float32, np.float32), (torch.float64, np.float64)):
        expected, state = reference(network, spikes, dtype=np_dtype)
        found, left = frozen(network, spikes, dtype)
        np.testing.assert_array_equal(found.numpy(), expected)
        assert same_bits(left.v.numpy(), state.v)
        assert same_bits(left.current_exc.numpy(), state.current_exc)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_coefficients_are_those_of_the_engines_in_every_bit(dtype: torch.dtype) -> None:
    network = random_network(np.random.default_rng(1), n=50, adapts=True)
    module = module_of(network, dtype=dtype, train=[*EVERYTHING, "tau_syn", "adapt"])
    c = coefficients(network, np.float32 if dtype == torch.float32 else np.float64).neurons
    for name, values in module.constants().items():
        assert same_bits(values.detach().numpy(), getattr(c, name)), name


def test_coefficients_of_moved_constants_are_those_of_the_network_that_comes_back() -> None:
    network = random_network(np.random.default_rng(1), n=50, adapts=True)
    module = module_of(network, dtype=torch.float64, train=["tau_mem", "tau_syn", "v_th", "adapt"])
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += torch.linspace(-0.7, 0.7, 50)
        module.log_tau_syn_exc += torch.log((module.tau_ms("tau_mem") / module.tau_ms("tau_syn_exc")) + 1e-9)
    c = coefficients(network_of(module), np.float64).neurons
    for name, values in module.constants().items():
        # tau_mem is 1e-9 from tau_syn_exc, the place of 0/0; absolute, as coefficients move by sums
        np.testing.assert_allclose(values.detach().numpy(), getattr(c, name), rtol=1e-12, atol=1e-15, err_msg=name)


def test_two_synapses_of_the_same_ends_add_up_and_a_state_goes_on() -> None:
    rng = np.random.default_rng(2)
    inputs = synapse_table([0, 0, 1], [0, 0, 1], n_pre=2, weight=[0.9, 0.4, 1.5], delay_ms=[1, 3, 2])
    network = Network(neuron_table(2), synapse_table([0], [1], n_pre=2, weight=3.0, delay_ms=4.0), inputs, dt_ms=1.0)
    spikes = random_spikes(rng, network, n_samples=2, n_steps=60, rate=0.5)
    expected, state = reference(network, spikes)
    module, given = module_of(network, dtype=torch.float64), dense(spikes)
    one, between = module(given[:23])
    two, left = module(given[23:], between.detach())
    assert expected.sum() > 5
    np.testing.assert_array_equal(torch.cat([one, two]).detach().numpy(), expected)
    np.testing.assert_allclose(left.pending_exc.detach().numpy().transpose(1, 0, 2), state.pending_exc, atol=1e-15)


# -- gradients ---------------------------------------------------------------------------------------------------------


class Smooth(Surrogate):
    """Spikes are the integral of the surrogate, so that autograd has a function to agree with."""

    __slots__ = ()

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        return self.integral(u)


@pytest.mark.parametrize("kind", ["fast-sigmoid", "atan"])
@pytest.mark.parametrize("reset", ["hard", "subtract"])
@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_gradients_are_those_of_central_differences(kind: Any, reset: str, synapse: str) -> None:
    rng = np.random.default_rng(4)
    network = random_network(rng, n=4, n_inputs=3, synapse=synapse, reset=reset, adapts=True, longest_delay=3)
    train = [*EVERYTHING, "adapt", *["tau_syn"] * (synapse == "exp")]
    module = module_of(network, dtype=torch.float64, train=train)
    module.surrogate = Smooth(kind)
    given, seen = torch.tensor(rng.random((12, 2, 3))), torch.tensor(rng.normal(size=(12, 2, 4)))

    def loss() -> torch.Tensor:
        spikes, state = module(given)
        return (spikes * seen).sum() + state.v.square().sum()

    loss().backward()
    n_checked = 0
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        flat = parameter.data.view(-1)
        for i in range(0, len(flat), 3):
            at, step = flat[i].item(), 1e-6
            flat[i] = at + step
            above = loss().item()
            flat[i] = at - step
            below = loss().item()
            flat[i] = at
            # Differences of a function of order 1: rounding 1e-16 / 1e-6, curvature 1e-12.
            assert parameter.grad.view(-1)[i].item() == pytest.approx(
                (above - below) / (2 * step), rel=1e-5, abs=1e-7
            ), (name, i)
            n_checked += 1
    assert n_checked >= 10


def test_gradients_of_one_neuron_in_three_steps_are_those_by_hand() -> None:
    """v' = alpha v + D, D = w x; vp_1 = 0, vp_2 = w, vp_3 = alpha (1 - s_2) vp_2 + w, reset to 0."""
    w, alpha, x = 0.8, float(np.exp(-1 / 10)), torch.ones(3, 1, 1, dtype=torch.float64)
    network = Network.from_arrays([[0.0]], [[w]], tau_mem_ms=10.0, synapse="delta")
    w = float(network.inputs.weight[0])
    module = module_of(network, dtype=torch.float64, train=["inputs", "tau_mem", "v_th"])
    spikes, _ = module(x)
    assert spikes.flatten().tolist() == [0, 0, 1]
    spikes.sum().backward()

    def g(u: float) -> float:
        return 1 / (1 + 10 * abs(u)) ** 2

    vp_2, vp_3 = w, alpha * w + w
    g_1, g_2, g_3 = g(0 - 1), g(vp_2 - 1), g(vp_3 - 1)
    back = -alpha * vp_2 * g_2  # of vp_3 by vp_2 through s_2
    by_w = g_2 + g_3 * (alpha + 1 + back)
    by_alpha = g_3 * vp_2
    # s_t falls with the threshold by g_t; s_2 falls, so less is reset
    by_threshold = -g_1 - g_2 + g_3 * (-1 + alpha * vp_2 * g_2)
    assert module.inputs.grad.item() == pytest.approx(by_w, rel=1e-12)
    assert module.log_tau_mem.grad.item() == pytest.approx(by_alpha * alpha / 10, rel=1e-12)
    assert module.log_gap.grad.item() == pytest.approx(by_threshold, rel=1e-12)


@pytest.mark.parametrize("kind", ["fast-sigmoid", "atan", "superspike"])
def test_surrogates_are_the_derivatives_of_their_integrals(kind: Any) -> None:
    surrogate = Surrogate(kind, height=0.7)
    u = torch.tensor([-1e300, -2.0, -0.01, 0.0, 0.03, 1.0, 1e300], dtype=torch.float64, requires_grad=True)
    surrogate(u).sum().backward()
    bell = surrogate.derivative(u).detach()
    assert torch.equal(u.grad, bell)  # type: ignore[arg-type]
    assert bell[3] == 0.7
    assert bell[0] == bell[-1] == 0
    inner = u.detach()[1:-1].clone().requires_grad_()
    surrogate.integral(inner).sum().backward()
    torch.testing.assert_close(inner.grad, bell[1:-1])


def test_gradients_are_numbers_where_time_constants_are_equal_or_far_apart() -> None:
    taus = {"tau_mem_ms": [3.0, 3.0, 1e-3, 1e6, 200.0], "tau_syn_exc_ms": [3.0, 3.0 + 1e-7, 50.0, 0.01, 1e-3]}
    network = Network.from_arrays(np.full((5, 5), 0.3), np.ones((5, 2)), bias=1.5, v_init=1.0, **taus)  # type: ignore[arg-type]
    module = module_of(network, dtype=torch.float64, train=["recurrent", "inputs", "tau_mem", "tau_syn", "v_th"])
    spikes, state = module(torch.ones(20, 2, 2, dtype=torch.float64))
    (spikes.sum() + state.v.sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())
    k = module.constants()["k_exc"]
    (by_tau,) = torch.autograd.grad(k[0], module.log_tau_mem, retain_graph=True)
    # d/dp of kappa = a exp(-(a + b)/2) at a = b = dt/tau, a falls by a dp: -a exp(-a) (1 - a/2)
    assert by_tau[0].item() == pytest.approx(-np.exp(-1 / 3) / 3 * (1 - 1 / 6), rel=1e-12)


# -- there and back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mixed", [False, True])
def test_a_network_that_was_not_trained_comes_back_with_every_bit(mixed: bool, dtype: torch.dtype) -> None:
    network = random_network(np.random.default_rng(7), mixed=mixed, adapts=True, longest_delay=3)
    back = network_of(module_of(network, dtype=dtype, train=[*EVERYTHING, "tau_syn", "adapt"]))
    for name in ("neurons", "recurrent", "inputs"):
        before, after = getattr(network, name).columns(), getattr(back, name).columns()
        assert before.keys() == after.keys()
        assert all(same_bits(before[column], after[column]) for column in before), name
    assert back.provenance["history"] == ["back from torch: nothing changed"]


@pytest.mark.parametrize("train", [["tau_mem"], ["v_th", "recurrent"]])
def test_a_module_that_was_moved_to_another_precision_has_not_changed(train: list[str]) -> None:
    network = random_network(np.random.default_rng(7), adapts=True)
    back = network_of(module_of(network, dtype=torch.float64, train=train).float())
    assert back.provenance["history"] == ["back from torch: nothing changed"]
    assert (back.neurons, back.recurrent, back.inputs) == (network.neurons, network.recurrent, network.inputs)


def test_what_is_trained_comes_back_with_its_spikes_and_dales_law() -> None:
    rng = np.random.default_rng(8)
    network = random_network(rng, n=15, adapts=True)
    train = [*EVERYTHING, "tau_syn", "adapt"]
    module = module_of(network, dtype=torch.float64, train=train)
    optimiser, given = torch.optim.SGD(module.parameters(), lr=0.02), dense(random_spikes(rng, network, n_samples=4))
    for _ in range(3):
        optimiser.zero_grad()
        module(given)[0].mean((0, 1)).sub(0.05).square().sum().mul(100).backward()
        optimiser.step()
    with torch.no_grad():  # as after too large a step: some magnitudes have crossed 0
        module.recurrent[::4] -= 10
        module.recurrent.copy_(module.recurrent.float())  # networks have single precision
        module.inputs.copy_(module.inputs.float())
    back = network_of(module)
    assert back.dale
    history = back.provenance["history"][-1]
    for name in ("recurrent", "inputs", "tau_mem_ms", "tau_syn_exc_ms", "tau_syn_inh_ms", "v_th", "adapt"):
        assert name in history
    spikes = random_spikes(rng, network)
    expected, _ = reference(back, spikes)
    with torch.no_grad():
        np.testing.assert_array_equal(module(dense(spikes))[0].numpy(), expected)
    same = module_of(network, dtype=torch.float64, train=train)
    same.load_state_dict(module.state_dict())
    assert network_of(same) == back


def test_what_is_zero_can_grow() -> None:
    network = Network(
        neuron_table(1), synapse_table([], [], n_pre=1), synapse_table([0], [0], n_pre=1, weight=0.0), 1.0
    )
    module = module_of(network)
    module(torch.ones(3, 1, 1))[1].v.sum().backward()
    assert module.inputs.grad.item() > 0
    assert module.recurrent.numel() == 0


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.zeros(4, 3), r"must have the shape \[T, B, N_in\] = \[any, any, 3\], got \[4, 3\]"),
        (torch.zeros(4, 1, 2), r"must have the shape \[T, B, N_in\] = \[any, any, 3\], got \[4, 1, 2\]"),
        (torch.zeros(0, 1, 3), "one step at least, got T = 0"),
        (torch.zeros(4, 1, 3, dtype=torch.float64), "must be of torch.float32, got torch.float64"),
        (torch.zeros(4, 1, 3, device="meta"), "must be on the device cpu, got meta$"),
        (np.zeros((4, 1, 3)), "must be of the class Tensor, got ndarray"),
    ],
)
def test_spikes_that_do_not_fit_are_told(given: Any, message: str) -> None:
    module = module_of(random_network(np.random.default_rng(0), n=2, n_inputs=3))
    with pytest.raises(InputError, match=f"`spikes` of `SpikingModule` .*{message}"):
        module(given)


def test_states_and_currents_that_do_not_fit_are_told() -> None:
    module, given = module_of(random_network(np.random.default_rng(0), n=2, n_inputs=3)), torch.zeros(4, 1, 3)
    _, state = module(given)
    with pytest.raises(InputError, match=r"`current` .* \[T, B, N\] = \[4, 1, 2\], got \[4, 1, 3\]"):
        module(given, current=given)
    with pytest.raises(InputError, match=r"`state.v` .* \[B, N\] = \[2, 2\], got \[1, 2\]"):
        module(torch.zeros(4, 2, 3), state)
    with pytest.raises(InputError, match=r"`state` .* must be of the class SpikingState, got tuple"):
        module(given, tuple(state))
    with pytest.raises(InputError, match=r"`state.refractory` .* must be of torch.int32"):
        module(given, state._replace(refractory=state.v))
    with pytest.raises(InputError, match=r"`name` .* must be one of recurrent, inputs"):
        module.weight("outputs")
    with pytest.raises(InputError, match=r"`name` .* must be one of tau_mem"):
        module.tau_ms("tau")
    assert isinstance(state, SpikingState)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": torch.float16}, "`dtype` of `module_of` must be torch.float32 or torch.float64"),
        ({"train": ["recurent"]}, 'must name what can be trained, got recurent; did you mean "recurrent"?'),
        ({"train": "inputs"}, "`train` of `module_of` must be a list"),
        ({"train": ["adapt"]}, "without adaptive thresholds must do without adapt"),
        ({"train": ["tau_syn"]}, "delta synapses must do without tau_syn"),
        ({"surrogate": "relu"}, "`kind` of `Surrogate` must be one of"),
        ({"slope": 0}, "`slope` of `Surrogate` must be > 0"),
        ({"height": -1.0}, "`height` of `Surrogate` must be > 0"),
    ],
)
def test_options_that_are_not_there_are_told(options: dict[str, Any], message: str) -> None:
    network = random_network(np.random.default_rng(0), synapse="delta")
    with pytest.raises(InputError, match=re.escape(message)):
        module_of(network, **options)


def test_what_no_module_or_network_can_be_is_told() -> None:
    dynamic = random_network(np.random.default_rng(0), dynamic=["inputs"])
    with pytest.raises(InputError, match=r"must have no short-term dynamics, .*some of the inputs synapses"):
        module_of(dynamic)
    with pytest.raises(InputError, match="`network` of `module_of` must be of the class Network"):
        module_of(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="`module` of `network_of` must be of the class SpikingModule"):
        network_of(torch.nn.Linear(1, 1))  # type: ignore[arg-type]
    module = module_of(random_network(np.random.default_rng(0)))
    with torch.no_grad():
        module.recurrent[0] = torch.nan
    with pytest.raises(InputError, match="`weight` of `SynapseTable` must be finite"):
        network_of(module)


def test_without_torch_the_extra_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; import hrsnn; hrsnn.torch"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", capture_output=True, text=True, check=False)
    told = done.stderr.splitlines()[-1]
    assert "MissingExtraError: `hrsnn.torch` needs torch (import of torch halted" in told
    assert told.endswith("; `pip install 'hrsnn[torch]'` installs it")


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_example_of_the_page_learns() -> None:
    page = (ROOT / "docs" / "how-to" / "train-with-torch.md").read_text("utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", page, flags=re.M | re.S):
        exec(compile(block, "train-with-torch.md", "exec"), names)
    assert names["before"] < 0.5
    assert names["after"] > 0.8
    assert isinstance(names["module"], SpikingModule)
    assert isinstance(names["trained"], Network)
