"""The steps of the batch engine in Triton: what `torch_kernels` does, the same bits, in one launch per part of a step.

A program holds a tile of neurons, sums or synapses by samples, and neighbouring lanes read neighbouring samples.
Contraction to fused multiply-adds, which round once where the reference rounds twice, is switched off at every launch.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

from hrsnn.engine.batch_layout import Layout, Samples, Weights

_TILE = 256  # elements of a tile: two per thread with Triton's default of four warps
_WIDEST = 64  # samples of a tile at most; with fewer samples a tile takes more rows


class Kernels:
    """See `torch_kernels.Kernels`."""

    def __init__(self, layout: Layout, weights: Weights) -> None:
        self._layout, self._weights = layout, weights
        self._term = weights.weight[layout.sums.synapse]

    def advance(self, s: Samples, active: Any, counts: Any, t: int) -> None:
        n, layout = self._layout.neurons, self._layout
        grid, tile = _tiles(*s.v.shape)
        n_pending = len(s.arrivals) - 1
        _advance[grid](
            s.v, s.filtered, s.refractory, s.arrivals, active, counts, n.alpha, n.k_exc, n.k_inh, n.beta_exc,
            n.beta_inh, n.drive, n.v_rest, n.v_th, n.v_reset, n.n_ref, layout.factor,
            1 + t % max(n_pending, 1), *s.v.shape, delta=layout.delta, delays=n_pending > 0, **tile,
        )  # fmt: skip

    def deliver(self, s: Samples, active: Any, t: int) -> None:
        n_slots, n_targets, n_samples = s.arrivals.shape
        sums = self._layout.sums
        n_sums = len(sums.target)
        if n_sums:
            grid, tile = _tiles(n_sums, n_samples)
            _deliver[grid](
                s.arrivals, active, sums.later, sums.target, sums.n_terms, sums.level, sums.source, self._term,
                t, max(n_slots - 1, 1), n_targets, n_sums, n_samples, **tile,
            )  # fmt: skip

    def learn(self, s: Samples, active: Any, t: int) -> None:
        r, w = self._layout.rule, self._weights
        assert r is not None
        n_synapses, n_samples = s.change.shape
        if n_synapses:
            grid, tile = _tiles(n_synapses, n_samples)
            _learn[grid](
                s.x, s.y, s.change, s.last, active, r.pre, r.post, r.a_plus, r.a_minus, w.soft_plus, w.soft_minus,
                r.rate_plus, r.rate_minus, r.polynomial, r.halves, t, n_synapses, n_samples, nearest=r.nearest,
                n_coefficients=len(r.polynomial), lowest=1 - len(r.halves), **tile,
            )  # fmt: skip
        s.last.masked_fill_(active, t)


def _tiles(n_rows: int, n_samples: int) -> tuple[tuple[int, int], dict[str, Any]]:
    """Grid, and how to launch: the shape of the tiles, and no fused multiply-add."""
    samples = min(_WIDEST, triton.next_power_of_2(n_samples))
    rows = _TILE // samples
    grid = triton.cdiv(n_rows, rows), triton.cdiv(n_samples, samples)
    return grid, {"tile_rows": rows, "tile_samples": samples, "enable_fp_fusion": False}


@triton.jit(do_not_specialize=["slot"])
def _advance(
    v, filtered, refractory, arrivals, active, counts, alpha, k_exc, k_inh, beta_exc,
    beta_inh, drive, v_rest, v_th, v_reset, n_ref, factor,
    slot, n_neurons, n_samples, delta: tl.constexpr, delays: tl.constexpr,
    tile_rows: tl.constexpr, tile_samples: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile_rows + tl.arange(0, tile_rows)[:, None]
    sample = tl.program_id(1) * tile_samples + tl.arange(0, tile_samples)[None, :]
    is_row = row < n_neurons
    inside = is_row & (sample < n_samples)
    place = row * n_samples + sample
    all_exc = n_neurons * n_samples  # numbers in one half of a slot
    exc = tl.load(arrivals + place, mask=inside, other=0)
    inh = tl.load(arrivals + all_exc + place, mask=inside, other=0)

    rest = tl.load(v_rest + row, mask=is_row, other=0)
    reset = tl.load(v_reset + row, mask=is_row, other=0)
    bias = tl.load(drive + row, mask=is_row, other=0)
    now = rest + tl.load(alpha + row, mask=is_row, other=0) * (tl.load(v + place, mask=inside, other=0) - rest)
    if delta:
        now = now + exc + bias
    else:
        from_exc = tl.load(k_exc + row, mask=is_row, other=0) * exc
        from_inh = tl.load(k_inh + row, mask=is_row, other=0) * inh
        now = now + from_exc + from_inh + bias
    clamped = tl.load(refractory + place, mask=inside, other=0)
    now = tl.where(clamped > 0, reset, now)
    clamped = tl.maximum(clamped - 1, 0)
    fired = (now >= tl.load(v_th + row, mask=is_row, other=0)) & (clamped == 0)
    tl.store(v + place, tl.where(fired, reset, now), mask=inside)
    tl.store(refractory + place, tl.where(fired, tl.load(n_ref + row, mask=is_row, other=0), clamped), mask=inside)
    tl.store(active + place, fired, mask=inside)
    train = tl.load(factor) * tl.load(filtered + place, mask=inside, other=0)
    tl.store(filtered + place, train + fired.to(train.dtype), mask=inside)
    tl.store(counts + place, tl.load(counts + place, mask=inside, other=0) + fired.to(tl.int32), mask=inside)

    if delta:
        exc = tl.zeros_like(exc)
    else:
        exc = tl.load(beta_exc + row, mask=is_row, other=0) * exc
        inh = tl.load(beta_inh + row, mask=is_row, other=0) * inh
    if delays:
        joining = arrivals + slot * 2 * all_exc + place
        exc = exc + tl.load(joining, mask=inside, other=0)
        inh = inh + tl.load(joining + all_exc, mask=inside, other=0)
        tl.store(joining, tl.zeros_like(exc), mask=inside)
        tl.store(joining + all_exc, tl.zeros_like(inh), mask=inside)
    tl.store(arrivals + place, exc, mask=inside)
    tl.store(arrivals + all_exc + place, inh, mask=inside)


@triton.jit(do_not_specialize=["t"])
def _deliver(
    arrivals, active, later, target, n_terms, level, source, weight,
    t, n_pending, n_targets, n_sums, n_samples,
    tile_rows: tl.constexpr, tile_samples: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile_rows + tl.arange(0, tile_rows)
    sample = tl.program_id(1) * tile_samples + tl.arange(0, tile_samples)
    is_row, is_sample = row < n_sums, sample < n_samples
    steps = tl.load(later + row, mask=is_row, other=0)
    slot = tl.where(steps == 0, 0, 1 + (t + steps) % n_pending)
    place = (slot * n_targets + tl.load(target + row, mask=is_row, other=0))[:, None] * n_samples + sample[None, :]
    inside = is_row[:, None] & is_sample[None, :]
    total = tl.load(arrivals + place, mask=inside, other=0)
    terms = tl.load(n_terms + row, mask=is_row, other=0)
    for k in range(tl.max(terms, axis=0)):
        has = k < terms
        entry = tl.load(level + k) + row
        unit = tl.load(source + entry, mask=has, other=0)
        term = tl.load(weight + entry, mask=has, other=0)
        lit = has[:, None] & is_sample[None, :]
        spiked = tl.load(active + unit[:, None] * n_samples + sample[None, :], mask=lit, other=0)
        total = tl.where(spiked != 0, total + term[:, None], total)
    tl.store(arrivals + place, total, mask=inside)


@triton.jit
def _decay(n_steps, rate, polynomial, halves, n_coefficients: tl.constexpr, lowest: tl.constexpr):
    """`reference.decay`; the power of two is looked up, and times it is exact."""
    z = tl.maximum(-(n_steps.to(rate.dtype) * rate), lowest)
    whole = tl.floor(z)
    fraction = z - whole
    value = tl.zeros_like(z) + tl.load(polynomial + n_coefficients - 1)
    for i in tl.static_range(2, n_coefficients + 1):
        value = value * fraction + tl.load(polynomial + n_coefficients - i)
    return value * tl.load(halves + (-whole).to(tl.int32))


@triton.jit(do_not_specialize=["t"])
def _learn(
    x, y, change, last, active, pre, post, a_plus, a_minus, soft_plus, soft_minus, rate_plus, rate_minus,
    polynomial, halves, t, n_synapses, n_samples,
    nearest: tl.constexpr, n_coefficients: tl.constexpr, lowest: tl.constexpr,
    tile_rows: tl.constexpr, tile_samples: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile_rows + tl.arange(0, tile_rows)
    sample = tl.program_id(1) * tile_samples + tl.arange(0, tile_samples)
    is_row = row < n_synapses
    inside = is_row[:, None] & (sample < n_samples)[None, :]
    of_pre = tl.load(pre + row, mask=is_row, other=0)[:, None] * n_samples + sample[None, :]
    of_post = tl.load(post + row, mask=is_row, other=0)[:, None] * n_samples + sample[None, :]
    pre_spiked = tl.load(active + of_pre, mask=inside, other=0) != 0
    post_spiked = tl.load(active + of_post, mask=inside, other=0) != 0
    touched = pre_spiked | post_spiked  # all else stays as it is and is not read
    place = row[:, None] * n_samples + sample[None, :]

    since_pre = t - tl.load(last + of_pre, mask=touched, other=0)
    plus = tl.load(rate_plus + row, mask=is_row, other=0)[:, None]
    x_now = tl.load(x + place, mask=touched, other=0) * _decay(
        since_pre, plus, polynomial, halves, n_coefficients, lowest
    )
    since_post = t - tl.load(last + of_post, mask=touched, other=0)
    minus = tl.load(rate_minus + row, mask=is_row, other=0)[:, None]
    y_now = tl.load(y + place, mask=touched, other=0) * _decay(
        since_post, minus, polynomial, halves, n_coefficients, lowest
    )

    up = tl.load(a_plus + row, mask=is_row, other=0)[:, None] * x_now
    up = up * tl.load(soft_plus + row, mask=is_row, other=0)[:, None]
    down = tl.load(a_minus + row, mask=is_row, other=0)[:, None] * y_now
    down = down * tl.load(soft_minus + row, mask=is_row, other=0)[:, None]
    step = tl.where(post_spiked, up, 0.0) - tl.where(pre_spiked, down, 0.0)
    total = tl.load(change + place, mask=touched, other=0)
    tl.store(change + place, total + step, mask=touched)
    tl.store(x + place, tl.zeros_like(x_now) + 1 if nearest else x_now + 1, mask=pre_spiked)
    tl.store(y + place, tl.zeros_like(y_now) + 1 if nearest else y_now + 1, mask=post_spiked)
