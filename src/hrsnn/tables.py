"""The tables of a network: neurons, synapses in compressed rows, and what the columns of plasticity mean.

A mechanism that a network does not use has no columns: they are None, and no engine computes it (`optional`).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import among, as_array, check_all, check_column, real_number, require, whole_number
from hrsnn._shown import Shown

Pairing = Literal["all-to-all", "nearest"]

# Engines compute in single precision, which ends at 3.4e38: up to here sums over all synapses and differences of
# potentials stay inside it, and time constants stay above zero.
LARGEST, _SHORTEST_MS = 1e30, 1e-30

ADAPTATION = ("adapt", "tau_adapt_ms")
SHORT_TERM = ("u", "tau_rec_ms", "tau_fac_ms")

Columns = dict[str, NDArray[Any]]


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


class _Table(Shown):
    """Columns that are read-only arrays; those of a mechanism that is not there are None."""

    __slots__ = ()

    def columns(self) -> Columns:
        """Every column that there is, by name."""
        return {f.name: column for f in fields(self) if (column := getattr(self, f.name)) is not None}  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        one, two = self.columns(), other.columns()
        return one.keys() == two.keys() and all(_are_same(one[name], two[name]) for name in one)

    def _check(
        self, owner: str, bounds: Mapping[str, Mapping[str, Any]], *, optional: tuple[str, ...] = (), dtype: type,
        length: int,
    ) -> None:  # fmt: skip
        """Make columns what they are to be; `optional` ones are there together, or None."""
        absent = [name for name in optional if getattr(self, name) is None]
        rule = f"must be given with {', '.join(optional)}"
        require(len(absent) in (0, len(optional)), owner, absent[0] if absent else "", rule, "none")
        for f in fields(self):  # type: ignore[arg-type]
            if f.name in bounds and f.name not in absent:
                rules = {"dtype": dtype, "length": length, "at_most": LARGEST, **bounds[f.name]}
                object.__setattr__(self, f.name, check_column(owner, f.name, getattr(self, f.name), **rules))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NeuronTable(_Table):
    """One row per neuron; all columns have length N.

    tau_mem_ms, tau_syn_exc_ms, tau_syn_inh_ms   time constants of membrane and of the two synaptic currents, > 0
    v_th, v_reset, v_rest, v_init                threshold, reset (< v_th), rest and first potential
    t_ref_ms     refractory period, >= 0
    bias         constant drive in units of potential
    sign         int8, +1 excitatory, -1 inhibitory; of a network without Dale's law a label, not a rule
    population   int16, the cluster a neuron belongs to
    position     (N, 3), grid coordinates
    adapt, tau_adapt_ms   both or neither: each spike raises the threshold by `adapt`, which decays with
                          `tau_adapt_ms` > 0 (method.md 2.3)

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
    adapt: NDArray[np.float64] | None = None
    tau_adapt_ms: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = as_array("NeuronTable", "tau_mem_ms", self.tau_mem_ms).size
        require(n >= 1, "NeuronTable", "tau_mem_ms", "must hold at least one neuron", "none")
        lasts = {"above": 0, "at_least": _SHORTEST_MS}
        bounds: dict[str, dict[str, Any]] = {
            **dict.fromkeys(("tau_mem_ms", "tau_syn_exc_ms", "tau_syn_inh_ms", "tau_adapt_ms"), lasts),
            **{name: {"at_least": -LARGEST} for name in ("v_th", "v_reset", "v_rest", "v_init", "bias")},
            "t_ref_ms": {"at_least": 0},
            "adapt": {"at_least": 0},
            "sign": {"dtype": np.int8},
            "population": {"dtype": np.int16, "at_least": 0},
        }
        self._check("NeuronTable", bounds, optional=ADAPTATION, dtype=np.float64, length=n)
        position = as_array("NeuronTable", "position", self.position)
        require(position.shape == (n, 3), "NeuronTable", "position", f"must have shape ({n}, 3)", position.shape)
        flat = check_column("NeuronTable", "position", position.reshape(-1), dtype=np.float64)
        object.__setattr__(self, "position", flat.reshape(n, 3))
        check_all("NeuronTable", "sign", "must be +1 or -1", self.sign, np.abs(self.sign) == 1)
        check_all("NeuronTable", "v_reset", "must be < v_th", self.v_reset, self.v_reset < self.v_th)

    def __len__(self) -> int:
        return self.tau_mem_ms.size

    def _glance(self) -> dict[str, object]:
        return {"n_neurons": len(self)}

    def select(self, keep: NDArray[np.bool_]) -> NeuronTable:
        """The rows where `keep` is true."""
        return NeuronTable(**{name: column[keep] for name, column in self.columns().items()})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SynapseTable(_Table):
    """Synapses in compressed rows by presynaptic unit; all columns but `ptr` have length n_synapses.

    ptr            int64 (n_pre + 1,), rises from 0 to n_synapses
    post           int32, target neuron
    weight         float32, signed
    delay_ms       float32, > 0, a multiple of the network's dt
    a_plus, a_minus          float32, >= 0, change of |weight| per pair, potentiation and depression
    tau_plus_ms, tau_minus_ms   float32, > 0, time constants of the presynaptic and the postsynaptic trace
    w_max          float32, >= 0, upper bound of |weight| under STDP
    u, tau_rec_ms, tau_fac_ms   float32, all or none: short-term dynamics of Tsodyks and Markram (method.md 3.4), the
                   share `u` in (0, 1] of what is available that the first spike uses, and the time constants > 0 of
                   recovery and of facilitation
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
    u: NDArray[np.float32] | None = None
    tau_rec_ms: NDArray[np.float32] | None = None
    tau_fac_ms: NDArray[np.float32] | None = None

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
            "u": {"above": 0, "at_most": 1},
            "tau_rec_ms": {"above": 0},
            "tau_fac_ms": {"above": 0},
        }
        self._check("SynapseTable", bounds, optional=SHORT_TERM, dtype=np.float32, length=post.size)

    @classmethod
    def from_edges(cls, pre: ArrayLike, post: ArrayLike, *, n_pre: int, **columns: ArrayLike | None) -> SynapseTable:
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
        table: dict[str, Any] = {
            name: _along(name, values, sources.size)[order] for name, values in columns.items() if values is not None
        }
        return cls(ptr=ptr, post=targets[order], **table)

    def __len__(self) -> int:
        return self.post.size

    def _glance(self) -> dict[str, object]:
        return {"n_synapses": len(self), "n_pre": self.n_pre}

    def edge_columns(self) -> Columns:
        """Every column that there is but the ends: what `from_edges` takes beside them."""
        return {name: column for name, column in self.columns().items() if name not in ("ptr", "post")}

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
        columns = {name: column[keep] for name, column in self.columns().items() if name != "ptr"}
        return SynapseTable(ptr=kept_before[self.ptr], **columns)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OutputTable(_Table):
    """Leaky units that do not spike, driven by the spikes of all neurons: a readout that is part of the network.

    weight    float32 (n_outputs, N), what a spike adds to the potential of a unit in its own step
    tau_ms    (n_outputs,), time constant of the potential, > 0
    bias      (n_outputs,), potential at rest

    y(t) = exp(-dt/tau) y(t-1) + (1 - exp(-dt/tau)) bias + sum of the weights of the neurons that spike at t, from 0.
    """

    weight: NDArray[np.float32]
    tau_ms: NDArray[np.float64]
    bias: NDArray[np.float64]

    def __post_init__(self) -> None:
        weight = as_array("OutputTable", "weight", self.weight)
        rule = "must be a matrix (n_outputs, n_neurons) with a row at least"
        require(weight.ndim == 2 and len(weight) > 0, "OutputTable", "weight", rule, f"shape {weight.shape}")
        limits: dict[str, Any] = {"at_least": -LARGEST, "at_most": LARGEST}
        flat = check_column("OutputTable", "weight", weight.reshape(-1), dtype=np.float32, **limits)
        object.__setattr__(self, "weight", flat.reshape(weight.shape))
        bounds = {"tau_ms": {"above": 0, "at_least": _SHORTEST_MS}, "bias": {"at_least": -LARGEST}}
        self._check("OutputTable", bounds, dtype=np.float64, length=len(weight))

    def __len__(self) -> int:
        return len(self.weight)

    def _glance(self) -> dict[str, object]:
        return {"n_outputs": len(self), "n_neurons": self.weight.shape[1]}

    def select(self, keep: NDArray[np.bool_]) -> OutputTable:
        """The outputs of a network with the neurons where `keep` is true."""
        return replace(self, weight=self.weight[:, keep])


def _along(name: str, values: ArrayLike, length: int) -> NDArray[Any]:
    array = as_array("SynapseTable", name, values)
    if array.ndim == 0:
        return np.full(length, array)
    require(array.shape == (length,), "SynapseTable", name, f"must have length {length}", f"shape {array.shape}")
    return array


def _are_same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Equal, and 0 of one sign: a weight of -0.0 acts as a negative one."""
    return np.array_equal(a, b) and (a.dtype.kind != "f" or np.array_equal(np.signbit(a), np.signbit(b)))
