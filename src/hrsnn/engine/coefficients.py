"""Everything the engines need that follows from a network and a dtype, computed once, in float64, and then cast.

Symbols (method.md 2.3): alpha = exp(-dt/tau_mem), beta = exp(-dt/tau_syn), kappa = share of a synaptic current that
reaches the potential within one step. Both engines read these numbers and compute none of their own: that is half of
why they agree bit for bit; the other half is that both do the same operations in the same order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import check_all, require
from hrsnn.engine.outputs import OutputCoefficients
from hrsnn.network import Network
from hrsnn.tables import NeuronTable, SynapseTable

Floats = NDArray[Any]  # in the dtype of the engine, float32 or float64

# Places for arrivals under way, of one sign, with what engines add to the row of a step at most: they are counted in 32
# bits, and a gigabyte of them is more than anybody meant.
_ARRIVALS_END, _SPARE = 2**28, 16


@dataclass(frozen=True, slots=True)
class Exp2:
    """How 2**z, z <= 0, is computed: z is raised to `lowest`, and 2**fraction is a polynomial, constant term first."""

    lowest: Any
    polynomial: tuple[Any, ...]


# 2**f on [0, 1) as 1 + f q(f), with q through the Chebyshev nodes; solved with 60 decimal digits. The largest relative
# error of the polynomials is 5.3e-9 and 8.7e-18, so what remains is rounding. `lowest` keeps products of traces with
# small rates clear of the subnormal numbers, which are slow, and is zero for every purpose.
_EXP2 = {
    np.dtype(np.float32): (
        -100.0,
        (1.0, 0.6931471708649766, 0.24022720418109816, 0.05549602356402293, 0.009652195056014735,
         0.0012692166069140853, 0.00020817915043540744),
    ),
    np.dtype(np.float64): (
        -900.0,
        (1.0, 0.6931471805599453, 0.24022650695909673, 0.05550410866498067, 0.009618129105151757,
         0.001333355834393728, 0.00015403521219107733, 1.5252998899728418e-05, 1.3210583477765189e-06,
         1.0236023803275179e-07, 6.634445866251414e-09, 6.123092916826388e-10),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NeuronCoefficients:
    """One entry per neuron, shape (N,). The four of the synaptic currents are unused with delta synapses.

    v' = v_rest + alpha (v - v_rest) + k_exc I_exc + k_inh I_inh + drive,   I' = beta I

    `to_rest` is 1 - alpha, for analogue input; `adapt` and `rho` are None without adaptive thresholds.
    """

    alpha: Floats
    k_exc: Floats
    k_inh: Floats
    beta_exc: Floats
    beta_inh: Floats
    drive: Floats
    v_rest: Floats
    v_th: Floats
    v_reset: Floats
    v_init: Floats
    to_rest: Floats
    n_ref: NDArray[np.int32]
    adapt: Floats | None = None
    rho: Floats | None = None


@dataclass(frozen=True, slots=True)
class ShortTermCoefficients:
    """Short-term dynamics of a synapse table, (n_synapses,): U, and decays per step in powers of two."""

    u: Floats
    rate_rec: Floats
    rate_fac: Floats


@dataclass(frozen=True, slots=True)
class SynapseCoefficients:
    """One synapse table for an engine.

    ptr, post                 rows by presynaptic unit
    sign                      (n_pre,) int8, +1 or -1, of all synapses of a presynaptic unit; None where they differ
    delay                     (n_synapses,) int32, in steps, >= 1
    a_plus, a_minus, w_max    (n_synapses,)
    rate_plus, rate_minus     (n_synapses,), decay of the traces per step in powers of two: dt log2(e) / tau
    mixed                     (n_synapses,) int8, the sign of each synapse where those of a unit differ, else None
    short_term                None without
    """

    ptr: NDArray[np.int64]
    post: NDArray[np.int32]
    sign: NDArray[np.int8] | None
    delay: NDArray[np.int32]
    a_plus: Floats
    a_minus: Floats
    w_max: Floats
    rate_plus: Floats
    rate_minus: Floats
    mixed: NDArray[np.int8] | None = None
    short_term: ShortTermCoefficients | None = None

    def __len__(self) -> int:
        return self.post.size

    @property
    def n_pre(self) -> int:
        return self.ptr.size - 1

    def pre(self) -> NDArray[np.int32]:
        """Presynaptic unit of every synapse."""
        return np.repeat(np.arange(self.n_pre, dtype=np.int32), np.diff(self.ptr))

    def signs(self) -> NDArray[np.int8]:
        """Sign of every synapse."""
        if self.sign is None:
            assert self.mixed is not None
            return self.mixed
        return np.repeat(self.sign, np.diff(self.ptr))


@dataclass(frozen=True, slots=True)
class Coefficients:
    """A network as an engine sees it.

    synapse      "exp" or "delta"
    n_pending    steps an arrival can be under way beyond the first: longest delay - 1
    nearest      traces are set to 1 at a spike, not raised by 1
    soft_bound   exponent mu; 0 means none
    subtracts    reset by subtraction
    outputs      of the output units, or None
    """

    dtype: np.dtype[Any]
    synapse: str
    neurons: NeuronCoefficients
    recurrent: SynapseCoefficients
    inputs: SynapseCoefficients
    n_pending: int
    nearest: bool
    soft_bound: float
    exp2: Exp2
    subtracts: bool = False
    outputs: OutputCoefficients | None = None

    @property
    def n_neurons(self) -> int:
        return self.neurons.alpha.size


def coefficients(network: Network, dtype: Any) -> Coefficients:
    """The coefficients of `network`, computed in float64 and cast to `dtype` (float32 or float64)."""
    dtype = np.dtype(dtype)
    signs = network.neurons.sign, np.ones(network.n_inputs, dtype=np.int8)
    recurrent, inputs = (
        _of_synapses(table, sign if network.dale else _signs_of_rows(table), network.dt_ms, dtype)
        for table, sign in zip((network.recurrent, network.inputs), signs, strict=True)
    )
    lowest, polynomial = _EXP2[dtype]
    longest = max(int(table.delay.max(initial=1)) for table in (recurrent, inputs))
    n_arrivals = longest * (len(network.neurons) + _SPARE)
    rule = f"must have less than {_ARRIVALS_END} steps of the longest delay times neurons and {_SPARE}"
    require(longest == 1 or n_arrivals < _ARRIVALS_END, "Network", "delay_ms", rule, n_arrivals)
    return Coefficients(
        dtype=dtype,
        synapse=network.synapse,
        neurons=_of_neurons(network.neurons, network.dt_ms, dtype),
        recurrent=recurrent,
        inputs=inputs,
        n_pending=longest - 1,
        nearest=network.rule.pairing == "nearest",
        soft_bound=float(network.rule.soft_bound),
        exp2=Exp2(dtype.type(lowest), tuple(dtype.type(c) for c in polynomial)),
        subtracts=network.reset == "subtract",
        outputs=None if network.outputs is None else OutputCoefficients.of(network.outputs, network.dt_ms, dtype),
    )


def filter_factor(dt_ms: float, tau_filter_ms: float, dtype: Any) -> Any:
    """exp(-dt/tau_filter), the factor of the filtered spike trains, as a scalar of `dtype`."""
    return np.dtype(dtype).type(math.exp(-dt_ms / tau_filter_ms))


def _of_neurons(table: NeuronTable, dt_ms: float, dtype: np.dtype[Any]) -> NeuronCoefficients:
    to_rest = -np.expm1(-dt_ms / table.tau_mem_ms)  # 1 - alpha, without cancellation
    columns = {
        "alpha": np.exp(-dt_ms / table.tau_mem_ms),
        "k_exc": _kappa(table.tau_syn_exc_ms, table.tau_mem_ms, dt_ms),
        "k_inh": _kappa(table.tau_syn_inh_ms, table.tau_mem_ms, dt_ms),
        "beta_exc": np.exp(-dt_ms / table.tau_syn_exc_ms),
        "beta_inh": np.exp(-dt_ms / table.tau_syn_inh_ms),
        "drive": to_rest * table.bias,
        "v_rest": table.v_rest,
        "v_th": table.v_th,
        "v_reset": table.v_reset,
        "v_init": table.v_init,
        "to_rest": to_rest,
    }
    if table.adapt is not None and table.tau_adapt_ms is not None:
        columns |= {"adapt": table.adapt, "rho": np.exp(-dt_ms / table.tau_adapt_ms)}
    cast = {name: column.astype(dtype) for name, column in columns.items()}
    rule = f"must stay < v_th in {dtype.name}, use float64"
    check_all("NeuronTable", "v_reset", rule, table.v_reset, cast["v_reset"] < cast["v_th"])
    return NeuronCoefficients(**cast, n_ref=np.rint(table.t_ref_ms / dt_ms).astype(np.int32))


def _kappa(tau_syn_ms: NDArray[np.float64], tau_mem_ms: NDArray[np.float64], dt_ms: float) -> NDArray[np.float64]:
    """tau_s / (tau_s - tau_m) (beta - alpha), with R = 1 and its limit at tau_s = tau_m.

    Computed as dt/tau_m max(alpha, beta) (1 - exp(-|x|)) / |x|, x = dt (1/tau_m - 1/tau_s): no cancellation where the
    two constants are close (method.md 2.3), no overflow where they are far apart.
    """
    x = np.abs(dt_ms / tau_mem_ms - dt_ms / tau_syn_ms)
    ratio = np.divide(-np.expm1(-x), x, out=np.ones_like(x), where=x != 0)
    return dt_ms / tau_mem_ms * np.exp(-dt_ms / np.maximum(tau_mem_ms, tau_syn_ms)) * ratio


def _signs_of_rows(table: SynapseTable) -> NDArray[np.int8] | None:
    """The sign of the weights of each row, +1 of empty ones; None where a row has both."""
    before = np.zeros(len(table) + 1, np.int32)
    np.cumsum(np.signbit(table.weight), out=before[1:])
    n_negative = np.diff(before[table.ptr])
    if not ((n_negative == 0) | (n_negative == table.out_degree)).all():
        return None
    return np.where(n_negative > 0, -1, 1).astype(np.int8)


def _of_synapses(
    table: SynapseTable, sign: NDArray[np.int8] | None, dt_ms: float, dtype: np.dtype[Any]
) -> SynapseCoefficients:
    def rate(tau_ms: NDArray[np.float32]) -> Floats:  # rounded once, and no column of float64 in between
        out, per_step = np.empty(tau_ms.size, dtype), dt_ms * math.log2(math.e)
        # A trace that is gone after one step is gone, however short its time constant; the rate stays finite.
        some = np.maximum(tau_ms, np.float32(per_step / 1e30))
        return np.divide(per_step, some, out=out, dtype=np.float64, casting="same_kind")

    short_term = None
    if table.u is not None and table.tau_rec_ms is not None and table.tau_fac_ms is not None:
        short_term = ShortTermCoefficients(
            table.u.astype(dtype, copy=False), rate(table.tau_rec_ms), rate(table.tau_fac_ms)
        )
    return SynapseCoefficients(
        ptr=table.ptr,
        post=table.post,
        sign=sign,
        delay=np.rint(np.divide(table.delay_ms, dt_ms, dtype=np.float64)).astype(np.int32),
        a_plus=table.a_plus.astype(dtype, copy=False),
        a_minus=table.a_minus.astype(dtype, copy=False),
        w_max=table.w_max.astype(dtype, copy=False),
        rate_plus=rate(table.tau_plus_ms),
        rate_minus=rate(table.tau_minus_ms),
        mixed=1 - 2 * np.signbit(table.weight).view(np.int8) if sign is None else None,
        short_term=short_term,
    )
