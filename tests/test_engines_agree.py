"""The engines give the same bits: spikes, counts, filtered trains, state and weights, in both precisions.

`reference` is the judge. It keeps traces per synapse only, so agreement with the per-neuron kernels on networks whose
synapses share their time constants is also acceptance check 11 of MATH.md 17.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrsnn.engine import Record, Recording, State, simulate, simulate_stdp
from hrsnn.network import Network, StdpRule
from hrsnn.spikes import Spikes
from networks import networks_with_spikes

DTYPES = [np.float32, np.float64]


def everything(spikes: Spikes) -> Record:
    """A record of all there is; windows that do and that do not divide the sample."""
    return Record(
        n_bins=min(3, spikes.n_steps), filtered_every=min(7, spikes.n_steps), tau_filter_ms=9.0, spikes=True, state=True
    )


def assert_same(a: Recording, b: Recording) -> None:
    np.testing.assert_array_equal(a.counts, b.counts)
    assert a.spikes == b.spikes
    assert a.filtered is not None
    assert b.filtered is not None
    assert same_bits(a.filtered, b.filtered)
    for f in fields(State):
        assert same_bits(getattr(a.state, f.name), getattr(b.state, f.name)), f.name


def same_bits(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def examples(n: int) -> Any:
    """`n` examples, the same in every run."""
    return settings(
        max_examples=n, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("synapse", ["exp", "delta"])
@pytest.mark.parametrize("longest_delay", [1, 6])
@examples(15)
@given(data=st.data())
def test_static(dtype: type, synapse: str, longest_delay: int, data: st.DataObject) -> None:
    network, spikes = data.draw(networks_with_spikes(synapse=synapse, longest_delay=longest_delay))
    record = everything(spikes)
    first = simulate(network, spikes, record=record, dtype=dtype, backend="reference")
    assert_same(first, simulate(network, spikes, record=record, dtype=dtype, backend="cpu"))
    assert_same(first, simulate(network, spikes, record=record, dtype=dtype, backend="cpu", n_threads=2))
    onward = {b: simulate(network, spikes, record=record, state=first.state, dtype=dtype, backend=b) for b in ENGINES}
    assert_same(*onward.values())


ENGINES = ("reference", "cpu")

# dtype, synapse, longest delay, one tau for all recurrent, for all input synapses: every pair of choices occurs
PLASTIC = [
    (np.float32, "exp", 1, False, False),
    (np.float32, "exp", 5, True, True),
    (np.float32, "delta", 1, True, False),
    (np.float32, "delta", 5, False, True),
    (np.float64, "exp", 5, False, False),
    (np.float64, "exp", 1, True, False),
    (np.float64, "delta", 1, True, True),
    (np.float64, "exp", 1, False, True),
]


@pytest.mark.parametrize(("dtype", "synapse", "longest_delay", "one_tau_recurrent", "one_tau_inputs"), PLASTIC)
@examples(10)
@given(
    data=st.data(),
    pairing=st.sampled_from(["all-to-all", "nearest"]),
    soft_bound=st.sampled_from([0.0, 0.3, 1.0]),
    normalise=st.booleans(),
)
def test_plastic(
    dtype: type, synapse: str, longest_delay: int, one_tau_recurrent: bool, one_tau_inputs: bool,
    data: st.DataObject, pairing: Any, soft_bound: float, normalise: bool,
) -> None:  # fmt: skip
    network, spikes = data.draw(
        networks_with_spikes(
            synapse=synapse,
            longest_delay=longest_delay,
            one_tau_recurrent=one_tau_recurrent,
            one_tau_inputs=one_tau_inputs,
            rule=StdpRule(pairing, soft_bound, normalise),
        )
    )
    seen: dict[str, list[tuple[int, list[int]]]] = {engine: [] for engine in ENGINES}
    trained: dict[str, Network] = {}
    left: dict[str, Recording] = {}
    for engine in ENGINES:
        trained[engine], left[engine] = simulate_stdp(
            network, spikes, record=everything(spikes), dtype=dtype, backend=engine,  # type: ignore[arg-type]
            progress=lambda i, counts, engine=engine: seen[engine].append((i, counts.tolist())),
        )  # fmt: skip
    assert_same(*left.values())
    for table in ("recurrent", "inputs"):
        weights = [getattr(trained[engine], table).weight for engine in ENGINES]
        assert same_bits(*weights), table
    assert seen["reference"] == seen["cpu"]
    assert [i for i, _ in seen["cpu"]] == list(range(spikes.n_samples))
