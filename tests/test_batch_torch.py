"""The batch engine gives the bits of the reference, sample by sample: in plain torch, in Triton, on a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn._checks import InputError, MissingExtraError
from hrsnn.engine import Record, batch_torch, reference
from hrsnn.engine.coefficients import Coefficients, coefficients, filter_factor
from hrsnn.engine.reference import Drive, Live
from hrsnn.network import Network
from hrsnn.spikes import Spikes
from hrsnn.tables import StdpRule
from networks import (
    DTYPES,
    assert_same_fields,
    examples,
    networks_with_spikes,
    random_network,
    random_spikes,
    same_bits,
)

# -- against the judge -------------------------------------------------------------------------------------------------


def random_live(c: Coefficients, rng: np.random.Generator) -> Live:
    """A state in the middle of things, with numbers that are easily got wrong: -0.0 and the smallest there are."""

    def numbers(*shape: int) -> Any:
        odd = rng.choice([0.0, -0.0, -np.finfo(c.dtype).smallest_subnormal, -1.0], shape)
        return np.where(rng.random(shape) < 0.5, odd, rng.normal(0, 0.3, shape)).astype(c.dtype)

    n, ring = c.n_neurons, (c.n_pending, c.n_neurons)
    refractory = rng.integers(0, 3, n).astype(np.int32)
    return Live(numbers(n), numbers(n), numbers(n), refractory, numbers(*ring), numbers(*ring), numbers(n))


def check(network: Network, spikes: Spikes, dtype: type, device: str, learns: bool) -> None:
    """Assert that `run_batch` leaves the bits of the reference in all it gives and changes."""
    c = coefficients(network, dtype)
    few = min(7, spikes.n_steps)
    record = Record(n_bins=min(3, few), filtered_every=few, tau_filter_ms=9.0, spikes=True, v=few)
    factor = filter_factor(network.dt_ms, record.tau_filter_ms, dtype)
    m = (np.abs(network.recurrent.weight).astype(dtype), np.abs(network.inputs.weight).astype(dtype))
    drives = []
    for s in range(spikes.n_samples):
        events = slice(spikes.sample_ptr[s], spikes.sample_ptr[s + 1])
        drives.append(Drive(spikes.step[events], spikes.unit[events], spikes.n_steps))
    rng = np.random.default_rng(spikes.n_events)
    lives = [random_live(c, rng) for _ in drives]
    changes = [(np.zeros_like(m[0]), np.zeros_like(m[1])) for _ in drives] if learns else None

    expected_lives, expected_changes, before = deepcopy((lives, changes, m))
    expected = [
        reference.run(c, m, drive, live, record, factor, learns, None if changes is None else expected_changes[i])
        for i, (drive, live) in enumerate(zip(drives, expected_lives, strict=True))
    ]
    found = batch_torch.run_batch(c, m, drives, lives, record, factor, changes, device)
    assert len(found) == len(drives)
    for pair in [*zip(expected, found, strict=True), *zip(expected_lives, lives, strict=True)]:
        assert_same_fields(*pair)
    for a, b in zip([*before, *(expected_changes or [])], [*m, *(changes or [])], strict=True):
        assert all(map(same_bits, a, b)) if isinstance(a, tuple) else same_bits(a, b)


# -- in plain torch --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("synapse", ["exp", "delta"])
@pytest.mark.parametrize("longest_delay", [1, 6])
@examples(20)
@given(data=st.data())
def test_static(dtype: type, synapse: str, longest_delay: int, data: st.DataObject) -> None:
    network, spikes = data.draw(networks_with_spikes(synapse=synapse, longest_delay=longest_delay))
    check(network, spikes, dtype, "cpu", learns=False)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("synapse", ["exp", "delta"])
@pytest.mark.parametrize("longest_delay", [1, 6])
@examples(20)
@given(data=st.data(), pairing=st.sampled_from(["all-to-all", "nearest"]), soft_bound=st.sampled_from([0.0, 0.3, 1.0]))
def test_changes(
    dtype: type, synapse: str, longest_delay: int, data: st.DataObject, pairing: Any, soft_bound: float
) -> None:
    rule = StdpRule(pairing, soft_bound)
    network, spikes = data.draw(networks_with_spikes(synapse=synapse, longest_delay=longest_delay, rule=rule))
    check(network, spikes, dtype, "cpu", learns=True)


# -- in Triton ---------------------------------------------------------------------------------------------------------


def check_some(device: str, n: int) -> None:
    """`check` on `n` samples of a few networks that between them have every choice."""
    rng = np.random.default_rng(1)
    for dtype, synapse, longest_delay, rule in (
        (np.float32, "exp", 6, StdpRule("all-to-all", 0.3)),
        (np.float32, "delta", 1, StdpRule("nearest", 0.0)),
        (np.float64, "exp", 1, StdpRule("nearest", 1.0)),
        (np.float64, "delta", 6, StdpRule("all-to-all", 0.0)),
    ):
        network = random_network(rng, n=9, density=0.3, synapse=synapse, longest_delay=longest_delay, rule=rule)
        check(network, random_spikes(rng, network, n_samples=n, n_steps=11), dtype, device, learns=True)


@pytest.mark.slow
def test_triton_in_its_interpreter() -> None:
    """In a process of its own: whether Triton compiles or interprets is settled when its kernels are imported."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=False, env={
        **os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path),
    })  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agrees" in done.stdout


@pytest.mark.parametrize("dtype", ["fp32", "fp64"])
@pytest.mark.parametrize("kernel", ["_advance", "_deliver", "_learn"])
def test_triton_for_cuda_multiplies_and_adds_apart(
    dtype: str, kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Triton compiles for a device that is not there; a fused multiply-add would round once instead of twice."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget

    from hrsnn.engine import triton_kernels

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    function = getattr(triton_kernels, kernel)
    launch = triton_kernels._tiles(100, 20)[1]
    fixed = {"delta": False, "delays": True, "nearest": False, "n_coefficients": 7, "lowest": -100, **launch}
    fixed = {name: value for name, value in fixed.items() if name in function.arg_names}
    integers = {"refractory", "counts", "n_ref", "later", "target", "n_terms", "level", "source", "last", "pre", "post"}
    numbers = {"slot", "t", "n_neurons", "n_samples", "n_pending", "n_targets", "n_sums", "n_synapses"}

    def kind(name: str) -> str:
        if name in fixed:
            return "constexpr"
        if name in numbers:
            return "i32"
        return "*i1" if name == "active" else "*i32" if name in integers else f"*{dtype}"

    source = triton.compiler.ASTSource(function, {name: kind(name) for name in function.arg_names}, fixed)
    target, options = GPUTarget("cuda", 80, 32), {"enable_fp_fusion": launch["enable_fp_fusion"]}
    ptx = triton.compile(source, target=target, options=options).asm["ptx"]
    assert f"add.f{dtype[2:]}" in ptx or f"add.rn.f{dtype[2:]}" in ptx
    assert "fma" not in ptx


@pytest.mark.gpu
@pytest.mark.parametrize("triton", [True, False])
def test_gpu(triton: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if batch_torch.available_device() is None:
        pytest.skip("torch finds no CUDA device")
    from hrsnn.engine import torch_kernels

    if not triton:
        monkeypatch.setattr(batch_torch, "_kernels", lambda device: torch_kernels.Kernels)
    check_some("cuda", 70)


# -- limits and errors -----------------------------------------------------------------------------------------------


def test_a_batch_is_split_when_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_torch, "_MEMORY_BYTES", 1)
    check_some("cpu", 3)


def test_chunks_of_steps_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_torch, "_STEPS_PER_CHUNK", 5)
    check_some("cpu", 3)


def test_a_device_that_is_not_there() -> None:
    c = coefficients(random_network(np.random.default_rng(0)), np.float32)
    with pytest.raises(InputError, match="`device` of `run_batch` must be cpu, or cuda"):
        batch_torch.run_batch(c, (np.zeros(0), np.zeros(0)), [], [], Record(), 0.5, None, "abacus")


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert batch_torch.available_device() is None
    c = coefficients(random_network(np.random.default_rng(0)), np.float32)
    with pytest.raises(MissingExtraError, match=r"pip install 'hrsnn\[torch\]'"):
        batch_torch.run_batch(c, (np.zeros(0), np.zeros(0)), [], [], Record(), 0.5, None, "cpu")


if __name__ == "__main__":
    from hrsnn.engine import triton_kernels

    batch_torch._kernels = lambda device: triton_kernels.Kernels
    triton_kernels._TILE, triton_kernels._WIDEST = 16, 2  # more than one tile, the last of them not full
    check_some("cpu", 3)
    print("Triton agrees")
