"""The definition of a simulation in code: plain NumPy, slow, obvious (method.md 2.3 and 4.2).

One function per line of the definition; every other engine must give the same bits. Step t does, in this order:

    vp    = v_rest + alpha (v - v_rest) + k_exc I_exc + k_inh I_inh + drive     (left to right; delta: + D + drive)
    vp    = vp + (1 - alpha) current                                            (analogue input, where there is one)
    vp    = v_reset where refractory > 0                                        (reset by subtraction: v, as it was)
    b     = rho b;                         theta = v_th + b                     (adaptive thresholds; else b = 0)
    s     = vp >= theta and refractory == 0;   refractory = max(refractory - 1, 0)
    v     = v_reset where s, else vp;      refractory = n_ref where s           (subtraction: vp - (theta - v_reset))
    b     = b + adapt where s
    I     = beta I                                                              (delta: D = 0)
    I    += what was under way and joins at the end of this step
    I    += weights of this step's spikes: recurrent by ascending pre, then input; delay d joins at the end of t + d - 1
    y     = f y + s
    w     : STDP, with the weights that were delivered above as the old ones

A synapse feeds the current of the sign of its own weight. Under short-term dynamics it delivers m u r instead of m: at
a spike of its pre unit, d steps after the one before, first

    u     = U + u (1 - U) decay(d, rate_fac);   r = 1 + (r - 1) decay(d, rate_rec)    (first spike: u = U, r = 1)

and r (1 - u) is left when it has delivered.

Plasticity acts on the magnitude m of a weight. Every synapse has a trace x right after the last spike of its pre unit
and a trace y right after the last spike of its post unit; at step t they are x_t = x decay(t - last_pre) and
y_t = y decay(t - last_post):

    dm = [post spiked] a_plus x_t (1 - m/w_max)^mu  -  [pre spiked] a_minus y_t (m/w_max)^mu,   traces before this step
    m  = clip(m + dm, 0, w_max)
    x  = x_t + 1 where pre spiked (nearest: 1);   y = y_t + 1 where post spiked (nearest: 1)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.engine.coefficients import Coefficients, Exp2, Floats, SynapseCoefficients
from hrsnn.engine.record import Record

Magnitudes = tuple[Floats, Floats]  # |weight| of the recurrent and of the input synapses

LONG_AGO = 2**30  # steps; a spike of a presynaptic unit that is further back is as far as this


@dataclass(slots=True)
class Live:
    """The dynamic state of one sample; the fields are one row each of those of `State`. A run changes it in place."""

    v: Floats
    current_exc: Floats
    current_inh: Floats
    refractory: NDArray[np.int32]
    pending_exc: Floats
    pending_inh: Floats
    filtered: Floats
    adaptation: Floats | None = None
    recurrent_u: Floats | None = None
    recurrent_r: Floats | None = None
    recurrent_since: NDArray[np.int32] | None = None
    inputs_u: Floats | None = None
    inputs_r: Floats | None = None
    inputs_since: NDArray[np.int32] | None = None
    outputs: Floats | None = None  # moved when the spikes of a run are known


@dataclass(frozen=True, slots=True)
class Drive:
    """The input of one sample: events sorted by step, then unit; analogue currents (n_steps, N), or None."""

    step: NDArray[np.int32]
    unit: NDArray[np.int32]
    n_steps: int
    current: Floats | None = None


@dataclass(frozen=True, slots=True)
class Trains:
    """What a run of one sample leaves: counts (n_bins, N), filtered and v (n_windows, N) or None, events or None."""

    counts: NDArray[np.int32]
    filtered: Floats | None
    v: Floats | None
    step: NDArray[np.int32] | None
    unit: NDArray[np.int32] | None


def run(
    c: Coefficients, magnitudes: Magnitudes, drive: Drive, live: Live, record: Record, factor: Any, plastic: bool,
    changes: Magnitudes | None = None,
) -> Trains:  # fmt: skip
    """Simulate one sample from `live`, which is moved to the end of it; `magnitudes` change in place if `plastic`.

    `factor` is that of the filtered trains (`filter_factor`). With `changes` the magnitudes stay, and the sums of the
    changes, not clipped, are added up there: a part of a mini-batch.
    """
    counts = np.zeros((record.n_bins, c.n_neurons), dtype=np.int32)
    windows, potentials, events = [], [], []
    tables = (c.recurrent, c.inputs)
    signs = [table.signs() for table in tables]
    learning = [_Traces(table, c) for table in tables]
    short_term = _ShortTerm.of(c, live)
    for t in range(drive.n_steps):
        fired = _advance_neurons(c, live, None if drive.current is None else drive.current[t])
        given = np.zeros(c.inputs.n_pre, dtype=bool)
        given[drive.unit[drive.step == t]] = True
        _decay_and_join(c, live, t)
        for table, sign, m, active, dynamics in zip(tables, signs, magnitudes, (fired, given), short_term, strict=True):
            _deliver(c, table, sign, m if dynamics is None else dynamics.used(m, active, t), active, live, t)
        live.filtered[:] = factor * live.filtered + fired.astype(c.dtype)
        counts[t * record.n_bins // drive.n_steps] += fired
        events.append(np.flatnonzero(fired))
        if record.filtered_every is not None and (t + 1) % record.filtered_every == 0:
            windows.append(live.filtered.copy())
        if record.v is not None and (t + 1) % record.v == 0:
            potentials.append(live.v.copy())
        if plastic:
            for i, active in enumerate((fired, given)):
                learning[i].learn(magnitudes[i], active, fired, t, None if changes is None else changes[i])
    _unroll(live, drive.n_steps)
    for dynamics in short_term:
        if dynamics is not None:
            dynamics.since[:] = np.minimum(dynamics.since.astype(np.int64) + drive.n_steps, LONG_AGO)
    return Trains(
        counts=counts,
        filtered=_stacked(windows, c) if record.filtered_every is not None else None,
        v=_stacked(potentials, c) if record.v is not None else None,
        step=np.repeat(np.arange(drive.n_steps, dtype=np.int32), [e.size for e in events]) if record.spikes else None,
        unit=np.concatenate(events).astype(np.int32) if record.spikes else None,
    )


def normalised(m: Floats, post: NDArray[np.int32], first: NDArray[np.float64], w_max: Floats) -> Floats:
    """Magnitudes scaled so that their sums per target are `first` again, then clipped to [0, w_max] (method.md 4.5).

    Sums are in float64 in table order; a target whose sum is 0 is left as it is.
    """
    sums = incoming(m, post, first.size)
    scale = np.divide(first, sums, out=np.ones_like(sums), where=sums > 0)
    scaled: Floats = np.clip((m * scale[post]).astype(m.dtype), 0, w_max)
    return scaled


def incoming(m: Floats, post: NDArray[np.int32], n_neurons: int) -> NDArray[np.float64]:
    """Sum of magnitudes per target in float64, added up in table order, shape (N,)."""
    sums: NDArray[np.float64] = np.bincount(post, weights=m, minlength=n_neurons).astype(np.float64)
    return sums  # the cast is for an empty table, whose sums come as integers


def decay(n_steps: NDArray[np.int32], rate: Floats, exp2: Exp2) -> Floats:
    """2**(-n_steps rate) by floor, polynomial of the fraction, and power of two; never below 2**`exp2.lowest`."""
    z = np.maximum(-(n_steps.astype(rate.dtype) * rate), exp2.lowest)
    whole = np.floor(z)
    fraction = z - whole
    value = np.full_like(z, exp2.polynomial[-1])
    for coefficient in exp2.polynomial[-2::-1]:
        value = value * fraction + coefficient
    scaled: Floats = np.ldexp(value, whole.astype(np.int32))
    return scaled


def _advance_neurons(c: Coefficients, live: Live, current: Floats | None) -> NDArray[np.bool_]:
    n = c.neurons
    v = n.v_rest + n.alpha * (live.v - n.v_rest)
    if c.synapse == "exp":
        v = v + n.k_exc * live.current_exc + n.k_inh * live.current_inh + n.drive
    else:
        v = v + live.current_exc + n.drive
    if current is not None:
        v = v + n.to_rest * current
    v = np.where(live.refractory > 0, live.v if c.subtracts else n.v_reset, v)
    refractory = np.maximum(live.refractory - 1, 0)
    threshold = n.v_th
    if live.adaptation is not None:
        live.adaptation[:] = n.rho * live.adaptation
        threshold = n.v_th + live.adaptation
    fired: NDArray[np.bool_] = (v >= threshold) & (live.refractory == 0)
    live.v[:] = np.where(fired, v - (threshold - n.v_reset) if c.subtracts else n.v_reset, v)
    live.refractory[:] = np.where(fired, n.n_ref, refractory)
    if live.adaptation is not None:
        live.adaptation[:] = np.where(fired, live.adaptation + n.adapt, live.adaptation)
    return fired


def _decay_and_join(c: Coefficients, live: Live, t: int) -> None:
    if c.synapse == "exp":
        live.current_exc[:] = c.neurons.beta_exc * live.current_exc
        live.current_inh[:] = c.neurons.beta_inh * live.current_inh
    else:
        live.current_exc[:] = 0
    if c.n_pending:
        slot = t % c.n_pending
        for current, pending in ((live.current_exc, live.pending_exc), (live.current_inh, live.pending_inh)):
            current += pending[slot]
            pending[slot] = 0


def _deliver(
    c: Coefficients, table: SynapseCoefficients, sign: NDArray[np.int8], m: Floats, active: NDArray[np.bool_],
    live: Live, t: int,
) -> None:  # fmt: skip
    for unit in np.flatnonzero(active):
        row = slice(table.ptr[unit], table.ptr[unit + 1])
        post, delay, weight = table.post[row], table.delay[row], m[row] * sign[row].astype(c.dtype)
        excites = (sign[row] > 0) | (c.synapse == "delta")
        for chosen, current, pending in (
            (excites, live.current_exc, live.pending_exc), (~excites, live.current_inh, live.pending_inh),
        ):  # fmt: skip
            if not chosen.any():
                continue
            now, later = chosen & (delay == 1), chosen & (delay > 1)
            np.add.at(current, post[now], weight[now])  # one after the other, also for repeated targets
            if later.any():
                np.add.at(pending, ((t + delay[later] - 1) % c.n_pending, post[later]), weight[later])


@dataclass(slots=True)
class _ShortTerm:
    """Short-term dynamics of the synapses of a table: u and r right after the last spike of the pre unit, and `since`,
    steps from that spike to the start, below 0 after it, (n_pre,). The arrays are those of `Live`."""

    table: SynapseCoefficients
    exp2: Exp2
    u: Floats
    r: Floats
    since: NDArray[np.int32]

    @classmethod
    def of(cls, c: Coefficients, live: Live) -> list[_ShortTerm | None]:
        """Of both tables; None where synapses are static."""
        found: list[_ShortTerm | None] = []
        for table, u, r, since in (
            (c.recurrent, live.recurrent_u, live.recurrent_r, live.recurrent_since),
            (c.inputs, live.inputs_u, live.inputs_r, live.inputs_since),
        ):
            is_dynamic = u is not None and r is not None and since is not None
            found.append(cls(table, c.exp2, u, r, since) if is_dynamic else None)  # type: ignore[arg-type]
        return found

    def used(self, m: Floats, active: NDArray[np.bool_], t: int) -> Floats:
        """What the magnitudes deliver at step t, for the synapses of `active` units, whose dynamics go on."""
        law, pre = self.table.short_term, self.table.pre()
        assert law is not None
        steps, on = np.minimum(t + self.since.astype(np.int64), LONG_AGO)[pre], active[pre]
        u = law.u + self.u * (1 - law.u) * decay(steps, law.rate_fac, self.exp2)
        r = 1 + (self.r - 1) * decay(steps, law.rate_rec, self.exp2)
        self.u[on], self.r[on] = u[on], (r * (1 - u))[on]
        self.since[active] = -t
        used: Floats = m * u * r
        return used


class _Traces:
    """Traces of every synapse of a table right after the last spikes, and the steps of those."""

    def __init__(self, table: SynapseCoefficients, c: Coefficients) -> None:
        self.table, self.c, self.pre = table, c, table.pre()
        self.x = np.zeros(len(table), dtype=c.dtype)
        self.y = np.zeros(len(table), dtype=c.dtype)
        self.last_pre = np.zeros(len(table), dtype=np.int32)
        self.last_post = np.zeros(len(table), dtype=np.int32)

    def learn(
        self, m: Floats, pre_active: NDArray[np.bool_], post_active: NDArray[np.bool_], t: int, total: Floats | None
    ) -> None:
        """Change the magnitudes `m`; or leave them and add the change to `total`."""
        table, c = self.table, self.c
        pre, post = pre_active[self.pre], post_active[table.post]
        x = self.x * decay(t - self.last_pre, table.rate_plus, c.exp2)
        y = self.y * decay(t - self.last_post, table.rate_minus, c.exp2)
        up, down = table.a_plus * x, table.a_minus * y
        if c.soft_bound:
            share = np.divide(m, table.w_max, out=np.zeros_like(m), where=table.w_max > 0)
            up, down = up * power(1 - share, c.soft_bound), down * power(share, c.soft_bound)
        change = np.where(post, up, 0) - np.where(pre, down, 0)
        if total is None:
            m[:] = np.where(pre | post, np.clip(m + change, 0, table.w_max), m)
        else:
            total += change  # 0 where neither spiked
        self.x = np.where(pre, 1 if c.nearest else x + 1, self.x).astype(c.dtype)
        self.y = np.where(post, 1 if c.nearest else y + 1, self.y).astype(c.dtype)
        self.last_pre[pre] = t
        self.last_post[post] = t


def power(base: Floats, exponent: float) -> Floats:
    """base**exponent for 0 < exponent <= 1 through the C library in float64, which compiled code calls as well."""
    if exponent == 1:
        return base
    return np.array([math.pow(b, exponent) for b in base], dtype=base.dtype)


def _unroll(live: Live, n_steps: int) -> None:
    """Put the ring of arrivals under way in the order of coming steps."""
    for pending in (live.pending_exc, live.pending_inh):
        if len(pending):
            pending[:] = np.roll(pending, -(n_steps % len(pending)), axis=0)


def _stacked(windows: list[Floats], c: Coefficients) -> Floats:
    return np.array(windows, dtype=c.dtype).reshape(len(windows), c.n_neurons)
