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

from hrsnn import arrays
from hrsnn._checks import InputError, among, as_array, check_all, instance, require, shortened, time_step
from hrsnn._shown import Shown
from hrsnn.tables import ADAPTATION, SHORT_TERM, NeuronTable, OutputTable, StdpRule, SynapseTable

SynapseModel = Literal["exp", "delta"]
Reset = Literal["hard", "subtract"]

SCHEMA, SCHEMA_2 = "hrsnn.network/1", "hrsnn.network/2"  # the second is that of networks that use what it brought
UNITS = {"time": "ms", "potential": "mean threshold gap"}

# Delays are stored in single precision: a multiple of dt up to this share of one step counts as a multiple.
_DELAY_TOLERANCE_STEPS = 1e-3
_STEPS_END = 2**31  # delays and refractory periods are counted in 32 bits


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Network(Shown):
    """A recurrent spiking network: immutable, checked when made, equal when every column is equal, signs of 0 included.

    neurons     the neuron table, N rows
    recurrent   synapses between neurons, `recurrent.n_pre == N`
    inputs      synapses from `n_inputs` input channels
    dt_ms       step of time the network is made for; delays are multiples of it
    synapse     "exp": a spike adds its weight to a current that decays; "delta": to the potential (method.md 2.2)
    rule        how the plasticity columns are used
    provenance  plain JSON values that say where the network came from: spec, seed, history; copied, tuples to lists
    reset       of the potential at a spike: "hard" puts it to `v_reset`, "subtract" lowers it by the threshold less
                `v_reset`; it stays where it is while the neuron is refractory
    dale        Dale's law: weights of a presynaptic neuron have its sign, input weights are >= 0. Without it weights
                have any sign. A synapse feeds the current of the sign of its own weight; a weight of -0.0 is negative
    outputs     leaky units that read the spikes and do not spike, or None
    """

    neurons: NeuronTable
    recurrent: SynapseTable
    inputs: SynapseTable
    dt_ms: float
    synapse: SynapseModel = "exp"
    rule: StdpRule = field(default_factory=StdpRule)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    reset: Reset = "hard"
    dale: bool = True
    outputs: OutputTable | None = None

    def __post_init__(self) -> None:
        for name, kind in (("neurons", NeuronTable), ("recurrent", SynapseTable), ("inputs", SynapseTable)):
            instance("Network", name, getattr(self, name), kind)
        instance("Network", "rule", self.rule, StdpRule)
        n = len(self.neurons)
        object.__setattr__(self, "dt_ms", time_step("Network", self.dt_ms))
        for name, value, kinds in (("synapse", self.synapse, SynapseModel), ("reset", self.reset, Reset)):
            known = get_args(kinds)
            require(among(value, known), "Network", name, f"must be one of {', '.join(known)}", value)
        require(isinstance(self.dale, (bool, np.bool_)), "Network", "dale", "must be true or false", self.dale)
        object.__setattr__(self, "dale", bool(self.dale))
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
        if self.outputs is not None:
            n_read = instance("Network", "outputs", self.outputs, OutputTable).weight.shape[1]
            require(n_read == n, "Network", "outputs.weight", f"must have {n} columns, one for each neuron", n_read)
        object.__setattr__(self, "provenance", _plain_json(self.provenance))

    @classmethod
    def from_arrays(
        cls,
        w_rec: Any,
        w_in: Any,
        *,
        tau_mem_ms: ArrayLike,
        v_th: ArrayLike = 1.0,
        v_reset: ArrayLike = 0.0,
        v_rest: ArrayLike = 0.0,
        v_init: ArrayLike = 0.0,
        t_ref_ms: ArrayLike = 0.0,
        bias: ArrayLike = 0.0,
        delay_ms: Any = None,
        synapse: SynapseModel = "exp",
        tau_syn_exc_ms: ArrayLike = 3.0,
        tau_syn_inh_ms: ArrayLike = 6.0,
        adapt: ArrayLike | None = None,
        tau_adapt_ms: ArrayLike | None = None,
        reset: Reset = "hard",
        dale: bool = False,
        dt_ms: float = 1.0,
        sign: ArrayLike | None = None,
        population: ArrayLike = 0,
        position: ArrayLike | None = None,
        rule: StdpRule | None = None,
        recurrent: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        w_out: Any = None,
        tau_out_ms: ArrayLike | None = None,
        bias_out: ArrayLike | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> Network:
        """A network from matrices of weights and numbers or vectors for its neurons.

        w_rec        (N, N), w_in (N, n_inputs): weights `W[post, pre]`, dense or of scipy.sparse. What is 0 in a dense
                     matrix is no synapse; a sparse one has a synapse for every entry it stores (of blocks and
                     diagonals: that is not 0), those of the same place added up
        tau_mem_ms   and all that follows: a number for all neurons or a vector (N,), as in `NeuronTable`; times in
                     milliseconds
        delay_ms     of all synapses; a matrix: of the recurrent ones; None: one step. A multiple of `dt_ms`
        sign         the types of neurons, +1 or -1; None: -1 where every weight that leaves a neuron is negative
        recurrent    further columns of the recurrent synapses, name -> number or matrix like `w_rec`: `delay_ms`,
                     `a_plus`, `a_minus`, `tau_plus_ms`, `tau_minus_ms`, `w_max`, `u`, `tau_rec_ms`, `tau_fac_ms`.
                     Without them synapses do not learn (`a_plus` and `a_minus` 0, `w_max` |weight|)
        inputs       the same for the input synapses
        rule         of STDP; None: without normalisation
        w_out        (n_outputs, N), weights of leaky output units with `tau_out_ms` and `bias_out` (`OutputTable`),
                     None: 20 ms and 0

        Raises `InputError` for shapes that do not fit (`w_in` the wrong way round is named), for numbers that break a
        rule of `Network`. Warns where all membrane time constants are below 1 ms: they may be seconds.

        >>> net = Network.from_arrays([[0.0, -0.5], [0.8, 0.0]], [[1.2], [0.0]], tau_mem_ms=[10.0, 20.0])
        >>> net.n_neurons, net.n_inputs, net.recurrent.weight.tolist()
        (2, 1, [0.800000011920929, -0.5])
        """
        neurons, between, given = arrays.tables(
            w_rec, w_in, {
                "tau_mem_ms": tau_mem_ms, "v_th": v_th, "v_reset": v_reset, "v_rest": v_rest, "v_init": v_init,
                "t_ref_ms": t_ref_ms, "bias": bias, "tau_syn_exc_ms": tau_syn_exc_ms, "tau_syn_inh_ms": tau_syn_inh_ms,
                "adapt": adapt, "tau_adapt_ms": tau_adapt_ms, "sign": sign, "population": population,
                "position": position,
            },
            delay_ms=delay_ms, dt_ms=time_step("Network", dt_ms), recurrent=recurrent, inputs=inputs,
        )  # fmt: skip
        if provenance is None:
            provenance = {"history": [f"made from arrays of {len(neurons)} neurons"]}
        return cls(
            neurons, between, given, dt_ms=dt_ms, synapse=synapse, provenance=provenance, reset=reset, dale=dale,
            rule=StdpRule(normalise=False) if rule is None else rule,
            outputs=arrays.outputs(w_out, tau_ms=tau_out_ms, bias=bias_out),
        )  # fmt: skip

    def to_arrays(self, *, dense: bool = False) -> dict[str, Any]:
        """What `from_arrays` makes this network of: `Network.from_arrays(**network.to_arrays()) == network`.

        Matrices are those of scipy.sparse, which keep synapses of weight 0; `dense` ones lose them. Raises `InputError`
        where two synapses have the same ends.

        >>> net = Network.from_arrays([[0.0, -0.5], [0.8, 0.0]], [[1.2], [0.0]], tau_mem_ms=[10.0, 20.0])
        >>> net.to_arrays(dense=True)["w_rec"].tolist()
        [[0.0, -0.5], [0.800000011920929, 0.0]]
        """
        n = self.n_neurons
        recurrent = arrays.matrices("recurrent", self.recurrent, n, dense=dense)
        inputs = arrays.matrices("inputs", self.inputs, n, dense=dense)
        read = self.outputs
        outputs = {} if read is None else {"w_out": read.weight, "tau_out_ms": read.tau_ms, "bias_out": read.bias}
        return {
            "w_rec": recurrent.pop("weight"), "w_in": inputs.pop("weight"), **self.neurons.columns(),
            "recurrent": recurrent, "inputs": inputs, "dt_ms": self.dt_ms, "synapse": self.synapse, "rule": self.rule,
            "provenance": deepcopy(self.provenance), "reset": self.reset, "dale": self.dale,
            **outputs,
        }  # fmt: skip

    def _check_signs(self, name: str, table: SynapseTable) -> None:
        if not self.dale:
            return
        sign = np.repeat(self.neurons.sign, table.out_degree) if name == "recurrent" else np.int8(1)
        rule, remedy = "must have the sign of its presynaptic neuron", "networks of mixed signs have dale = false"
        check_all("Network", f"{name}.weight", rule, table.weight, table.weight * sign >= 0, remedy=remedy)

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

    def excites(self, table: Literal["recurrent", "inputs"] = "recurrent") -> NDArray[np.bool_]:
        """Which synapses of a table excite, bool (n_synapses,): with Dale's law those of excitatory neurons, and all of
        the input; without it those whose weight is not negative.

        >>> net = Network.from_arrays([[0.0, -0.5], [0.8, 0.7]], [[1.2], [-0.1]], tau_mem_ms=10.0)
        >>> net.recurrent.weight.tolist(), net.excites().tolist(), net.excites("inputs").tolist()
        ([0.800000011920929, -0.5, 0.699999988079071], [True, False, True], [True, False])
        """
        synapses = self.recurrent if table == "recurrent" else self.inputs
        if not self.dale:
            return ~np.signbit(synapses.weight)
        if table == "inputs":
            return np.ones(len(synapses), dtype=bool)
        return np.repeat(self.neurons.sign > 0, synapses.out_degree)

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
            outputs=None if self.outputs is None else self.outputs.select(mask),
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
    """Every column of the tables under a dotted name such as `recurrent.weight`."""
    tables = {name: getattr(network, name) for name in TABLES}
    return {
        f"{name}.{column}": values
        for name, table in tables.items()
        if table is not None
        for column, values in table.columns().items()
    }


def facts_of(network: Network) -> dict[str, Any]:
    """Everything of a network file that is neither a column nor the digest, as plain JSON values."""
    rule = {f.name: getattr(network.rule, f.name) for f in fields(network.rule)}
    later = {name: getattr(network, name) for name, default in LATER.items() if getattr(network, name) != default}
    is_later = bool(later) or bool(mechanisms(network)) or network.outputs is not None
    return {
        "schema": SCHEMA_2 if is_later else SCHEMA, "units": UNITS, "dt_ms": network.dt_ms, "synapse": network.synapse,
        "rule": rule, "provenance": dict(network.provenance), **later,
    }  # fmt: skip


TABLES = {"neurons": NeuronTable, "recurrent": SynapseTable, "inputs": SynapseTable, "outputs": OutputTable}

# What the second schema brought, with what a file that does not tell it means.
LATER: dict[str, Any] = {"reset": "hard", "dale": True}


def mechanisms(network: Network) -> list[str]:
    """Names of the columns that only networks with more than the first mechanisms have.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> mechanisms(build(NetworkSpec(n_neurons=5, n_inputs=4), seed=0))
    []
    """
    has = [name for name in ADAPTATION if getattr(network.neurons, name) is not None]
    tables = (("recurrent", network.recurrent), ("inputs", network.inputs))
    return has + [f"{t}.{name}" for t, table in tables for name in SHORT_TERM if getattr(table, name) is not None]


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
