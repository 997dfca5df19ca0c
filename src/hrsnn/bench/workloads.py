"""The networks that are measured, as plain arrays: any simulator can build them, and hrsnn does in `network_of`.

One kind of network: N leaky integrate-and-fire neurons, the first 80 % excitatory, `v <- exp(-dt / tau_m) v + I`,
threshold 1, reset 0, no refractory time, tau_m uniform in 10..30 ms; every neuron receives from exactly K others, one
step after their spike, straight onto the potential; 700 Poisson channels reach a tenth of the neurons each. W1 runs it,
W2 lets recurrent synapses learn by STDP with four constants of their own each, W2-inputs the input synapses as well,
W3 runs 64 short samples. The generator's calls and their order are fixed: equal workloads are equal bit by bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn.network import Network
from hrsnn.spikes import Spikes
from hrsnn.tables import NeuronTable, StdpRule, SynapseTable

Plastic = Literal["none", "recurrent", "all"]
Arrays = dict[str, NDArray[Any]]

DT_MS = 1.0
N_INPUTS = 700
P_INPUT = 0.1
EXCITATORY_SHARE = 0.8
INHIBITION = 5.0  # |weight| of inhibitory over excitatory synapses
RATE_HZ = 15.0

# K -> mean weight of excitatory and of input synapses, for rates of 9 to 17 Hz; between and beyond by a power law.
_STRENGTHS = {100: (0.030, 0.0475), 1000: (0.0095, 0.052)}
_STDP_COLUMNS = ("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms")


@dataclass(frozen=True, slots=True)
class Workload:
    """What is simulated; times have steps of 1 ms.

    name                  "W1", "W2", ... as reported; "build", "save", "load" and "stream" measure other calls
    n_neurons             N
    synapses_per_neuron   K, the recurrent synapses onto each neuron
    n_steps, n_samples    length and number of the input samples
    plastic               which synapses learn
    input_rate_hz         rate of the Poisson inputs
    """

    name: str
    n_neurons: int = 1000
    synapses_per_neuron: int = 100
    n_steps: int = 10_000
    n_samples: int = 1
    plastic: Plastic = "none"
    input_rate_hz: float = RATE_HZ

    @property
    def size(self) -> str:
        """The size in words."""
        return f"N = {self.n_neurons}, K = {self.synapses_per_neuron}"


def arrays_of(workload: Workload) -> Arrays:
    """Network and input as named arrays, what a simulator's process is given.

    `tau_mem_ms` (N,); for `recurrent` and `inputs` the signed weights in compressed rows (`recurrent_ptr`,
    `recurrent_post`, `recurrent_weight`), the bound of their magnitudes `recurrent_w_max` and, where they learn, the
    four STDP columns; the input spikes `sample_ptr`, `step`, `unit`; the fields of the workload.
    """
    n, k = workload.n_neurons, workload.synapses_per_neuron
    rng = np.random.default_rng(0)
    w_excitatory, w_input = _strengths(k)
    tau_mem_ms = rng.uniform(10.0, 30.0, n).astype(np.float32)
    pre, post = _random_pairs(rng, n, k)
    spread = rng.uniform(0.5, 1.5, pre.size)
    excites = pre < int(EXCITATORY_SHARE * n)
    strength = np.where(excites, w_excitatory, INHIBITION * w_excitatory)
    weight = (np.where(excites, 1.0, -1.0) * strength * spread).astype(np.float32)
    stdp = _stdp_columns(rng, strength)
    input_pre, input_post = np.nonzero(rng.random((N_INPUTS, n)) < P_INPUT)
    input_weight = (w_input * rng.uniform(0.5, 1.5, input_pre.size)).astype(np.float32)
    input_strength = np.full(input_pre.size, w_input)
    input_stdp = _stdp_columns(rng, input_strength) if workload.plastic == "all" else {}
    return {
        **{name: np.asarray(getattr(workload, name)) for name in Workload.__dataclass_fields__},
        "n_inputs": np.asarray(N_INPUTS),
        "tau_mem_ms": tau_mem_ms,
        **_table("recurrent", n, pre, post, weight, strength, {} if workload.plastic == "none" else stdp),
        **_table("inputs", N_INPUTS, input_pre, input_post, input_weight, input_strength, input_stdp),
        **_input_spikes(workload),
    }


def network_of(arrays: Arrays) -> Network:
    """The network as hrsnn holds it; synapses that do not learn have STDP amplitudes of zero."""
    n = arrays["tau_mem_ms"].size
    zeros, ones = np.zeros(n), np.ones(n)
    neurons = NeuronTable(
        tau_mem_ms=arrays["tau_mem_ms"],
        v_th=ones,
        v_reset=zeros,
        v_rest=zeros,
        v_init=zeros,
        t_ref_ms=zeros,
        bias=zeros,
        tau_syn_exc_ms=ones,
        tau_syn_inh_ms=ones,
        sign=np.where(np.arange(n) < int(EXCITATORY_SHARE * n), 1, -1),
        population=np.zeros(n, dtype=np.int16),
        position=np.zeros((n, 3)),
    )
    recurrent, inputs = (_synapses(arrays, name) for name in ("recurrent", "inputs"))
    return Network(neurons, recurrent, inputs, dt_ms=DT_MS, synapse="delta", rule=StdpRule(normalise=False))


def spikes_of(arrays: Arrays) -> Spikes:
    """The input of a workload."""
    grid = (int(arrays["n_inputs"]), int(arrays["n_steps"]), DT_MS)
    return Spikes(arrays["sample_ptr"], arrays["step"], arrays["unit"], *grid)


def _strengths(k: int) -> tuple[float, float]:
    if k in _STRENGTHS:
        return _STRENGTHS[k]
    (few, at_few), (many, at_many) = _STRENGTHS.items()
    share = math.log(k / few) / math.log(many / few)
    excitatory, inputs = (a * (b / a) ** share for a, b in zip(at_few, at_many, strict=True))
    return excitatory, inputs


def _random_pairs(rng: np.random.Generator, n: int, k: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """K different presynaptic neurons for each, none its own, sorted by `pre`, then `post`."""
    pre = np.empty((n, k), np.int32)
    for j in range(n):
        others = rng.choice(n - 1, k, replace=False)
        others[others >= j] += 1
        pre[j] = others
    post = np.repeat(np.arange(n, dtype=np.int32), k)
    order = np.lexsort((post, pre.ravel()))
    return pre.ravel()[order], post[order]


def _stdp_columns(rng: np.random.Generator, strength: NDArray[np.float64]) -> Arrays:
    """About 1e-4 of the mean weight per pair of spikes, so that the firing rate stays where it is."""
    bounds = {"a_plus": (0.5, 1.5), "a_minus": (0.5, 1.5), "tau_plus_ms": (10.0, 30.0), "tau_minus_ms": (10.0, 30.0)}
    drawn = {name: rng.uniform(*bounds[name], strength.size) for name in _STDP_COLUMNS}
    scale = {"a_plus": 1e-4 * strength, "a_minus": 1e-4 * strength}
    return {name: (column * scale.get(name, 1.0)).astype(np.float32) for name, column in drawn.items()}


def _table(
    name: str,
    n_pre: int,
    pre: NDArray[Any],
    post: NDArray[Any],
    weight: NDArray[np.float32],
    strength: NDArray[np.float64],
    stdp: Arrays,
) -> Arrays:
    columns = {
        "ptr": np.concatenate([[0], np.cumsum(np.bincount(pre, minlength=n_pre))]),
        "post": post.astype(np.int32),
        "weight": weight,
        "w_max": (2.0 * strength).astype(np.float32),
        **stdp,
    }
    return {f"{name}_{column}": values for column, values in columns.items()}


def _input_spikes(workload: Workload) -> Arrays:
    batch = workload.n_samples > 1
    parts = []
    for sample in range(workload.n_samples):
        rng = np.random.default_rng(1001 + sample if batch else 1)
        raster = rng.random((workload.n_steps, N_INPUTS)) < workload.input_rate_hz * DT_MS / 1000
        parts.append([column.astype(np.int32) for column in np.nonzero(raster)])
    return {
        "sample_ptr": np.concatenate([[0], np.cumsum([step.size for step, _ in parts])]),
        "step": np.concatenate([step for step, _ in parts]),
        "unit": np.concatenate([unit for _, unit in parts]),
    }


def _synapses(arrays: Arrays, name: str) -> SynapseTable:
    ptr, post, weight, w_max = (arrays[f"{name}_{column}"] for column in ("ptr", "post", "weight", "w_max"))
    idle = {"a_plus": 0.0, "a_minus": 0.0, "tau_plus_ms": 20.0, "tau_minus_ms": 20.0}
    stdp = {c: arrays.get(f"{name}_{c}", np.full(post.size, value, np.float32)) for c, value in idle.items()}
    delay_ms = np.full(post.size, DT_MS, np.float32)
    return SynapseTable(ptr=ptr, post=post, weight=weight, delay_ms=delay_ms, w_max=w_max, **stdp)
