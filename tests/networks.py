"""Small random networks and inputs for tests, as plain functions of a generator and as hypothesis strategies."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hrsnn.network import Network
from hrsnn.spikes import Spikes
from hrsnn.tables import NeuronTable, StdpRule, SynapseTable

DTYPES = [np.float32, np.float64]


def examples(n: int) -> Any:
    """`n` examples of hypothesis, the same in every run, whatever time they take."""
    return settings(
        max_examples=n, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays have the same type, shape and bits; None is the same as None alone."""
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def assert_same_fields(a: Any, b: Any) -> None:
    """Every field of two dataclasses of arrays has the same bits."""
    for f in fields(a):
        assert same_bits(getattr(a, f.name), getattr(b, f.name)), f.name


def neuron_table(n: int, **columns: Any) -> NeuronTable:
    """`n` equal neurons: tau_mem 20 ms, threshold 1, reset, rest and first potential 0, no refractory period, no bias,
    synaptic time constants 3 and 6 ms, excitatory; `columns` (numbers or arrays) replace any of these."""
    defaults = {
        "tau_mem_ms": 20.0, "v_th": 1.0, "v_reset": 0.0, "v_rest": 0.0, "v_init": 0.0, "t_ref_ms": 0.0, "bias": 0.0,
        "tau_syn_exc_ms": 3.0, "tau_syn_inh_ms": 6.0, "sign": 1, "population": 0,
    }  # fmt: skip
    table = {name: np.broadcast_to(value, n) for name, value in {**defaults, **columns}.items()}
    return NeuronTable(**table, position=np.zeros((n, 3)))


def synapse_table(pre: Any, post: Any, *, n_pre: int, **columns: Any) -> SynapseTable:
    """Edges with weight 0.5, delay 1 ms, a_plus = a_minus = 0.01, trace time constants 20 ms and w_max 1 where
    `columns` does not say otherwise."""
    defaults = {
        "weight": 0.5, "delay_ms": 1.0, "a_plus": 0.01, "a_minus": 0.01, "tau_plus_ms": 20.0, "tau_minus_ms": 20.0,
        "w_max": 1.0,
    }  # fmt: skip
    return SynapseTable.from_edges(np.asarray(pre, dtype=int), np.asarray(post, dtype=int), n_pre=n_pre, **{
        **defaults, **columns,
    })  # fmt: skip


def random_network(
    rng: np.random.Generator,
    *,
    n: int = 10,
    n_inputs: int = 5,
    density: float = 0.4,
    dt_ms: float = 1.0,
    synapse: str = "exp",
    longest_delay: int = 1,
    one_tau_recurrent: bool = False,
    one_tau_inputs: bool = False,
    zero: Collection[str] = (),
    mixed: bool = False,
    adapts: bool = False,
    reset: str = "hard",
    dynamic: Collection[str] = (),
    learns: Collection[str] = ("recurrent", "inputs"),
    rule: StdpRule = StdpRule(),  # noqa: B008 - frozen
) -> Network:
    """A network in which every column is random, with weights strong enough for lively spiking.

    `longest_delay` is in steps; `one_tau_*` give all synapses of a table the same trace time constants. `zero` names
    columns of the neurons that are 0 for all; without it one neuron at least has a refractory period. Tables that are
    not in `learns` have STDP amplitudes of 0. With `mixed` weights have any sign; `adapts` gives adaptive thresholds,
    `dynamic` names the tables with short-term dynamics.
    """
    sign = np.where(rng.random(n) < 0.75, 1, -1)
    v_th = rng.uniform(0.5, 1.5, n)
    columns = {
        "tau_mem_ms": rng.uniform(5, 30, n),
        "v_th": v_th,
        "v_reset": v_th - rng.uniform(0.3, 1.5, n),
        "v_rest": rng.uniform(-0.2, 0.2, n),
        "v_init": rng.uniform(-0.5, 1, n),
        "t_ref_ms": dt_ms * (rng.integers(0, 4, n) | (np.arange(n) == 0)),
        "bias": rng.uniform(-0.2, 0.6, n),
        "tau_syn_exc_ms": rng.uniform(1, 8, n),
        "tau_syn_inh_ms": rng.uniform(1, 8, n),
    }
    if adapts:
        columns |= {"adapt": rng.uniform(0, 0.3, n), "tau_adapt_ms": rng.uniform(10, 200, n)}
    neurons = neuron_table(n, sign=sign, **{**columns, **dict.fromkeys(zero, 0.0)})
    strength = 1.0 if synapse == "delta" else 4.0 / dt_ms

    def table(n_pre: int, row_sign: Any, one_tau: bool, name: str) -> SynapseTable:
        is_plastic = name in learns
        pre, post = np.nonzero(rng.random((n_pre, n)) < density)
        size = strength * rng.uniform(0, 1, pre.size)
        taus = rng.uniform(5, 30, (2, 1 if one_tau else pre.size)) * np.ones(pre.size)
        return SynapseTable.from_edges(
            pre,
            post,
            n_pre=n_pre,
            weight=size * (rng.choice([-1.0, 1.0], pre.size) if mixed else row_sign[pre]),
            delay_ms=dt_ms * rng.integers(1, longest_delay + 1, pre.size),
            a_plus=is_plastic * strength * rng.uniform(0, 0.1, pre.size),
            a_minus=is_plastic * strength * rng.uniform(0, 0.1, pre.size),
            tau_plus_ms=taus[0],
            tau_minus_ms=taus[1],
            w_max=strength * rng.uniform(1, 1.5, pre.size) * (rng.random(pre.size) < 0.9) + size,
            **(dynamics(pre.size) if name in dynamic else {}),
        )

    def dynamics(n: int) -> dict[str, Any]:
        tau_ms = rng.uniform(10, 300, (2, n))
        return {"u": rng.uniform(0.05, 1, n), "tau_rec_ms": tau_ms[0], "tau_fac_ms": tau_ms[1]}

    recurrent = table(n, sign, one_tau_recurrent, "recurrent")
    inputs = table(n_inputs, np.ones(n_inputs), one_tau_inputs, "inputs")
    own: dict[str, Any] = {"reset": reset, "dale": not mixed}
    return Network(neurons, recurrent, inputs, dt_ms=dt_ms, synapse=synapse, rule=rule, **own)  # type: ignore[arg-type]


def random_spikes(
    rng: np.random.Generator, network: Network, *, n_samples: int = 2, n_steps: int = 40, rate: float = 0.2
) -> Spikes:
    """Each channel spikes in each step with probability `rate`; the first of several samples is empty."""
    raster = rng.random((n_samples, n_steps, network.n_inputs)) < rate
    if n_samples > 1:
        raster[0] = False
    return Spikes.from_dense(raster, dt_ms=network.dt_ms)


@st.composite
def networks_with_spikes(
    draw: st.DrawFn, *, most_samples: int = 3, steps: Collection[int] = (1, 2, 17, 40), **fixed: Any
) -> tuple[Network, Spikes]:
    """A random network and input for it, the odd sizes included; `fixed` goes to `random_network`."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    choices = {
        "n": draw(st.sampled_from([1, 2, 3, 7, 12, 20, 64, 70])),
        "n_inputs": draw(st.integers(1, 8)),
        "density": draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])),
        "dt_ms": draw(st.sampled_from([1.0, 0.5, 0.1])),
    }
    network = random_network(rng, **{**choices, **fixed})
    n_samples, n_steps = draw(st.integers(0, most_samples)), draw(st.sampled_from(list(steps)))
    return network, random_spikes(
        rng, network, n_samples=n_samples, n_steps=n_steps, rate=draw(st.sampled_from([0.0, 0.05, 0.3]))
    )
