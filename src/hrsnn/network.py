"""Network: a recurrent spiking network as a value, two tables of synapses over one table of neurons.

Convention: `pre` is the presynaptic, `post` the postsynaptic index. Synapses are kept in compressed rows by `pre`:
row j of a table is `ptr[j]:ptr[j + 1]`. Time is in milliseconds, potentials are dimensionless (mean threshold gap 1).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import copy, deepcopy
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import (
    InputError,
    among,
    as_array,
    check_all,
    check_column,
    instance,
    real_number,
    require,
    shortened,
    time_step,
    whole_number,
)
from hrsnn._shown import Shown

SynapseModel = Literal["exp", "delta"]
Pairing = Literal["all-to-all", "nearest"]

SCHEMA = "hrsnn.network/1"
UNITS = {"time": "ms", "potential": "mean threshold gap"}

# Delays are stored in single precision: a multiple of dt up to this share of one step counts as a multiple.
_DELAY_TOLERANCE_STEPS = 1e-3
_STEPS_END = 2**31  # delays and refractory periods are counted in 32 bits

# Engines compute in single precision, which ends at 3.4e38: up to here sums over all synapses and differences of
# potentials stay inside it, and time constants stay above zero.
LARGEST, _SHORTEST_MS = 1e30, 1e-30


@dataclass(frozen=True, slots=True)
class StdpRule:
    """What the plasticity columns of the synapses mean (method.md 4.2, 4.5).

    pairing       "all-to-all" adds 1 to a trace at a spike, "nearest" sets it to 1
    soft_bound    exponent mu in [0, 1] of the soft bounds; 0 is additive STDP with hard bounds
    normalise     rescale incoming excitatory recurrent and input weights to their first L1 norms after each sample
    """

    pairing: Pairing = "all-to-all"
    soft_bound: float = 0.0
    normalise: bool = True

    def __post_init__(self) -> None:
        known = get_args(Pairing)
        require(among(self.pairing, known), "StdpRule", "pairing", f"must be one of {', '.join(known)}", self.pairing)
        soft_bound = real_number("StdpRule", "soft_bound", self.soft_bound)
        require(0 <= soft_bound <= 1, "StdpRule", "soft_bound", "must be in [0, 1]", soft_bound)
        require(
            isinstance(self.normalise, (bool, np.bool_)),
            "StdpRule",
            "normalise",
            "must be true or false",
            self.normalise,
        )
        object.__setattr__(self, "soft_bound", soft_bound)
        object.__setattr__(self, "normalise", bool(self.normalise))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NeuronTable(Shown):
    """One row per neuron; all columns have length N.

    tau_mem_ms, tau_syn_exc_ms, tau_syn_inh_ms   time constants of membrane and of the two synaptic currents, > 0
    v_th, v_reset, v_rest, v_init                threshold, reset (< v_th), rest and first potential
    t_ref_ms     refractory period, >= 0
    bias         constant drive in units of potential
    sign         int8, +1 excitatory, -1 inhibitory
    population   int16, the cluster a neuron belongs to
    position     (N, 3), grid coordinates

    Real columns are float64.
    """

    tau_mem_ms: NDArray[np.float64]
    v_th: NDArray[np.float64]
    v_reset: NDArray[np.float64]
    v_rest: NDArray[np.float64]
    v_init: NDArray[np.float64]
    t_ref_ms: NDArray[np.float64]
    bias: NDArray[np.float64]
    tau_syn_exc_ms: NDArray[np.float64]
    tau_syn_inh_ms: NDArray[np.float64]
    sign: NDArray[np.int8]
    population: NDArray[np.int16]
    position: NDArray[np.float64]

    def __post_init__(self) -> None:
        n = as_array("NeuronTable", "tau_mem_ms", self.tau_mem_ms).size
        require(n >= 1, "NeuronTable", "tau_mem_ms", "must hold at least one neuron", "none")
        lasts = {"above": 0, "at_least": _SHORTEST_MS}
        bounds: dict[str, dict[str, Any]] = {
            **dict.fromkeys(("tau_mem_ms", "tau_syn_exc_ms", "tau_syn_inh_ms"), lasts),
            **{name: {"at_least": -LARGEST} for name in ("v_th", "v_reset", "v_rest", "v_init", "bias")},
            "t_ref_ms": {"at_least": 0},
            "sign": {"dtype": np.int8},
            "population": {"dtype": np.int16, "at_least": 0},
        }
        for f in fields(self):
            values = as_array("NeuronTable", f.name, getattr(self, f.name))
            if f.name == "position":
                require(values.shape == (n, 3), "NeuronTable", "position", f"must have shape ({n}, 3)", values.shape)
                flat = check_column("NeuronTable", "position", values.reshape(-1), dtype=np.float64)
                object.__setattr__(self, "position", flat.reshape(n, 3))
                continue
            rules = {"dtype": np.float64, "at_most": LARGEST, **bounds[f.name]}
            object.__setattr__(self, f.name, check_column("NeuronTable", f.name, values, length=n, **rules))
        check_all("NeuronTable", "sign", "must be +1 or -1", self.sign, np.abs(self.sign) == 1)
        check_all("NeuronTable", "v_reset", "must be < v_th", self.v_reset, self.v_reset < self.v_th)

    def __len__(self) -> int:
        return self.tau_mem_ms.size

    def _glance(self) -> dict[str, object]:
        return {"n_neurons": len(self)}

    def __eq__(self, other: object) -> bool:
        return _same_columns(self, other)

    def select(self, keep: NDArray[np.bool_]) -> NeuronTable:
        """The rows where `keep` is true."""
        return NeuronTable(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SynapseTable(Shown):
    """Synapses in compressed rows by presynaptic unit; all columns but `ptr` have length n_synapses.

    ptr            int64 (n_pre + 1,), rises from 0 to n_synapses
    post           int32, target neuron
    weight         float32, signed
    delay_ms       float32, > 0, a multiple of the network's dt
    a_plus, a_minus          float32, >= 0, change of |weight| per pair, potentiation and depression
    tau_plus_ms, tau_minus_ms   float32, > 0, time constants of the presynaptic and the postsynaptic trace
    w_max          float32, >= 0, upper bound of |weight| under STDP
    """

    ptr: NDArray[np.int64]
    post: NDArray[np.int32]
    weight: NDArray[np.float32]
    delay_ms: NDArray[np.float32]
    a_plus: NDArray[np.float32]
    a_minus: NDArray[np.float32]
    tau_plus_ms: NDArray[np.float32]
    tau_minus_ms: NDArray[np.float32]
    w_max: NDArray[np.float32]

    def __post_init__(self) -> None:
        post = check_column("SynapseTable", "post", self.post, dtype=np.int32, at_least=0)
        ptr = check_column("SynapseTable", "ptr", self.ptr, dtype=np.int64)
        rises = ptr.size >= 1 and ptr[0] == 0 and ptr[-1] == post.size and bool((np.diff(ptr) >= 0).all())
        require(rises, "SynapseTable", "ptr", f"must rise from 0 to the number of synapses {post.size}", ptr)
        object.__setattr__(self, "post", post)
        object.__setattr__(self, "ptr", ptr)
        bounds: dict[str, dict[str, Any]] = {
            "weight": {"at_least": -LARGEST},
            "delay_ms": {"above": 0},
            "a_plus": {"at_least": 0},
            "a_minus": {"at_least": 0},
            "tau_plus_ms": {"above": 0},
            "tau_minus_ms": {"above": 0},
            "w_max": {"at_least": 0},
        }
        for name, rules in bounds.items():
            values = getattr(self, name)
            rules = {"dtype": np.float32, "length": post.size, "at_most": LARGEST, **rules}
            column = check_column("SynapseTable", name, values, **rules)
            object.__setattr__(self, name, column)

    @classmethod
    def from_edges(cls, pre: ArrayLike, post: ArrayLike, *, n_pre: int, **columns: ArrayLike) -> SynapseTable:
        """From a list of edges in any order; rows come out sorted by `pre`, then `post`.

        Every other column is an array along the edges or one number for all of them.
        """
        n_pre = whole_number("SynapseTable", "n_pre", n_pre, at_least=0, below=2**31)
        sources = check_column("SynapseTable", "pre", pre, dtype=np.int32, at_least=0, at_most=n_pre - 1)
        targets = check_column("SynapseTable", "post", post, dtype=np.int32, length=sources.size, at_least=0)
        edge = sources.astype(np.int64) << 32 | targets
        is_sorted = bool((edge[1:] >= edge[:-1]).all())  # the usual case, and then nothing need be moved
        order = slice(None) if is_sorted else np.argsort(edge, kind="stable")
        ptr = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=n_pre))])
        table: dict[str, Any] = {name: _along(name, values, sources.size)[order] for name, values in columns.items()}
        return cls(ptr=ptr, post=targets[order], **table)

    def __len__(self) -> int:
        return self.post.size

    def _glance(self) -> dict[str, object]:
        return {"n_synapses": len(self), "n_pre": self.n_pre}

    def __eq__(self, other: object) -> bool:
        return _same_columns(self, other)

    @property
    def n_pre(self) -> int:
        return self.ptr.size - 1

    @property
    def out_degree(self) -> NDArray[np.int64]:
        """Synapses per presynaptic unit, shape `(n_pre,)`."""
        return np.diff(self.ptr)

    def pre(self) -> NDArray[np.int32]:
        """Presynaptic unit of every synapse, shape `(n_synapses,)`."""
        return np.repeat(np.arange(self.n_pre, dtype=np.int32), self.out_degree)

    def with_weight(self, weight: ArrayLike) -> SynapseTable:
        """The table with other signed weights."""
        table = copy(self)
        column = check_column(
            "SynapseTable", "weight", weight, dtype=np.float32, length=len(self), at_least=-LARGEST, at_most=LARGEST
        )  # fmt: skip
        object.__setattr__(table, "weight", column)
        return table

    def scaled(self, factor: NDArray[np.float64] | float) -> SynapseTable:
        """The table with each weight, and its bound `w_max`, times a factor >= 0, one for all or one per synapse."""
        return replace(self, weight=self.weight * factor, w_max=self.w_max * factor)

    def select(self, keep: NDArray[np.bool_]) -> SynapseTable:
        """The synapses where `keep` is true; `n_pre` stays."""
        kept_before = np.concatenate([[0], np.cumsum(keep)])
        columns = {f.name: getattr(self, f.name)[keep] for f in fields(self) if f.name != "ptr"}
        return SynapseTable(ptr=kept_before[self.ptr], **columns)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Network(Shown):
    """A recurrent spiking network: immutable, checked when made, equal when every column is equal.

    neurons     the neuron table, N rows
    recurrent   synapses between neurons, `recurrent.n_pre == N`
    inputs      synapses from `n_inputs` excitatory input channels
    dt_ms       step of time the network is made for; delays are multiples of it
    synapse     "exp": a spike adds its weight to a current that decays; "delta": to the potential (method.md 2.2)
    rule        how the plasticity columns are used
    provenance  plain JSON values that say where the network came from: spec, seed, history; copied, tuples to lists

    Weights of a presynaptic neuron have its sign (Dale's law); input weights are >= 0.
    """

    neurons: NeuronTable
    recurrent: SynapseTable
    inputs: SynapseTable
    dt_ms: float
    synapse: SynapseModel = "exp"
    rule: StdpRule = StdpRule()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in (("neurons", NeuronTable), ("recurrent", SynapseTable), ("inputs", SynapseTable)):
            instance("Network", name, getattr(self, name), kind)
        instance("Network", "rule", self.rule, StdpRule)
        n = len(self.neurons)
        object.__setattr__(self, "dt_ms", time_step("Network", self.dt_ms))
        known = get_args(SynapseModel)
        require(among(self.synapse, known), "Network", "synapse", f"must be one of {', '.join(known)}", self.synapse)
        require(self.recurrent.n_pre == n, "Network", "recurrent", f"must have {n} rows", self.recurrent.n_pre)
        require(self.inputs.n_pre >= 1, "Network", "inputs", "must have at least one channel", self.inputs.n_pre)
        for name, table in (("recurrent", self.recurrent), ("inputs", self.inputs)):
            check_all("Network", f"{name}.post", f"must be < {n}, the number of neurons", table.post, table.post < n)
            self._check_signs(name, table)
            with np.errstate(over="ignore"):
                steps = np.divide(table.delay_ms, self.dt_ms, dtype=np.float64)
            # Of long delays the rounding to single precision alone is more than that.
            tolerance = np.maximum(_DELAY_TOLERANCE_STEPS, np.minimum(steps * 2.0**-22, 0.25))
            whole = (np.rint(steps) >= 1) & (np.abs(steps - np.rint(steps)) <= tolerance) & (steps < _STEPS_END - 1)
            rule = f"must be a multiple of dt_ms = {self.dt_ms:g}, at least one step and less than {_STEPS_END}"
            check_all("Network", f"{name}.delay_ms", rule, table.delay_ms, whole)
        with np.errstate(over="ignore"):
            fits = self.neurons.t_ref_ms / self.dt_ms < _STEPS_END - 1
        rule = f"must be less than {_STEPS_END} steps of dt_ms = {self.dt_ms:g}"
        check_all("Network", "neurons.t_ref_ms", rule, self.neurons.t_ref_ms, fits)
        object.__setattr__(self, "provenance", _plain_json(self.provenance))

    def _check_signs(self, name: str, table: SynapseTable) -> None:
        sign = np.repeat(self.neurons.sign, table.out_degree) if name == "recurrent" else np.int8(1)
        rule = "must have the sign of its presynaptic neuron"
        check_all("Network", f"{name}.weight", rule, table.weight, table.weight * sign >= 0)

    def _glance(self) -> dict[str, object]:
        return {
            "n_neurons": self.n_neurons, "n_excitatory": self.n_excitatory, "n_inputs": self.n_inputs,
            "n_recurrent_synapses": len(self.recurrent), "n_input_synapses": len(self.inputs), "dt_ms": self.dt_ms,
            "synapse": self.synapse,
        }  # fmt: skip

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return NotImplemented
        return all(getattr(self, f.name) == getattr(other, f.name) for f in fields(self))

    # -- counts ----------------------------------------------------------------------------------------------------

    @property
    def n_neurons(self) -> int:
        return len(self.neurons)

    @property
    def n_excitatory(self) -> int:
        return int(np.count_nonzero(self.neurons.sign > 0))

    @property
    def n_inputs(self) -> int:
        return self.inputs.n_pre

    @property
    def hash(self) -> str:
        """SHA-256 over names, dtypes, shapes and bytes of every column, and everything that is not a column.

        It is the digest in the network's file (docs/reference/network-file.md).
        """
        return digest(columns_of(self), facts_of(self))

    # -- changed ---------------------------------------------------------------------------------------------------

    def keep_neurons(self, keep: ArrayLike) -> Network:
        """The network of the neurons where the boolean `keep` (N,) is true, with the synapses between them."""
        mask = _mask("keep_neurons", keep, self.n_neurons)
        require(mask.any(), "Network.keep_neurons", "keep", "must keep at least one neuron", "none")
        new_index = (np.cumsum(mask) - 1).astype(np.int32)
        kept = self.recurrent.select(mask[self.recurrent.pre()] & mask[self.recurrent.post])
        rows = np.concatenate([[True], mask])  # a dropped row is empty by now: its end equals its start
        recurrent = replace(kept, ptr=kept.ptr[rows], post=new_index[kept.post])
        inputs = self.inputs.select(mask[self.inputs.post])
        return replace(
            self,
            neurons=self.neurons.select(mask),
            recurrent=recurrent,
            inputs=replace(inputs, post=new_index[inputs.post]),
        )

    def keep_synapses(self, recurrent: ArrayLike | None = None, *, inputs: ArrayLike | None = None) -> Network:
        """The network with only the synapses where the boolean masks are true; None keeps all of a table."""
        changed: dict[str, Any] = {}
        for name, keep in (("recurrent", recurrent), ("inputs", inputs)):
            if keep is not None:
                table: SynapseTable = getattr(self, name)
                changed[name] = table.select(_mask("keep_synapses", keep, len(table)))
        return replace(self, **changed)

    def with_weights(self, recurrent: ArrayLike | None = None, *, inputs: ArrayLike | None = None) -> Network:
        """The network with these signed weights, one per synapse in table order; None keeps those of a table."""
        network = copy(self)  # what stays has been checked, which takes longer than learning does in a short run
        for name, weight in (("recurrent", recurrent), ("inputs", inputs)):
            if weight is not None:
                table = getattr(self, name).with_weight(weight)
                self._check_signs(name, table)
                object.__setattr__(network, name, table)
        object.__setattr__(network, "provenance", deepcopy(self.provenance))
        return network

    def with_history(self, entry: str) -> Network:
        """The network with one more line in its provenance that says what was done to it."""
        history = [*self.provenance.get("history", []), entry]
        return replace(self, provenance={**self.provenance, "history": history})


def columns_of(network: Network) -> dict[str, NDArray[Any]]:
    """Every column of the three tables under a dotted name such as `recurrent.weight`."""
    return {
        f"{table}.{f.name}": getattr(getattr(network, table), f.name)
        for table in ("neurons", "recurrent", "inputs")
        for f in fields(getattr(network, table))
    }


def facts_of(network: Network) -> dict[str, Any]:
    """Everything of a network file that is neither a column nor the digest, as plain JSON values."""
    rule = {f.name: getattr(network.rule, f.name) for f in fields(network.rule)}
    return {
        "schema": SCHEMA, "units": UNITS, "dt_ms": network.dt_ms, "synapse": network.synapse, "rule": rule,
        "provenance": dict(network.provenance),
    }  # fmt: skip


def digest(columns: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) over sorted columns and facts: the identity of a network."""
    sha = hashlib.sha256()
    for name in sorted(columns):
        column = np.ascontiguousarray(columns[name])
        sha.update(f"{name}:{column.dtype.str}:{column.shape};".encode())
        sha.update(column.reshape(-1).view(np.uint8).data)
    sha.update(json.dumps(facts, sort_keys=True, allow_nan=False).encode())
    return sha.hexdigest()


def _mask(owner: str, keep: ArrayLike, length: int) -> NDArray[np.bool_]:
    mask = as_array(f"Network.{owner}", "keep", keep)
    ok = mask.dtype == bool and mask.shape == (length,)
    require(ok, f"Network.{owner}", "keep", f"must be {length} booleans", f"{mask.dtype} of shape {mask.shape}")
    return mask


def _along(name: str, values: ArrayLike, length: int) -> NDArray[Any]:
    array = as_array("SynapseTable", name, values)
    if array.ndim == 0:
        return np.full(length, array)
    require(array.shape == (length,), "SynapseTable", name, f"must have length {length}", f"shape {array.shape}")
    return array


def _same_columns(a: Any, b: object) -> bool:
    return type(a) is type(b) and all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(b))  # type: ignore[arg-type]


def _plain_json(provenance: Mapping[str, Any]) -> Any:
    require(isinstance(provenance, Mapping), "Network", "provenance", "must be a table", provenance)
    try:
        plain = json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        sentence = f"`provenance` of `Network` must hold plain JSON values: {shortened(str(error))}"
        raise InputError(sentence) from error
    history = plain.get("history", [])
    ok = isinstance(history, list) and all(isinstance(entry, str) for entry in history)
    require(ok, "Network", "provenance.history", "must be a list of sentences", history)
    return plain
