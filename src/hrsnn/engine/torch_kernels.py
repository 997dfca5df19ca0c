"""The steps of the batch engine in plain torch, for devices without Triton.

Every operation of torch rounds once, and they come in the order of `reference`.
"""

from __future__ import annotations

from typing import Any

import torch

from hrsnn.engine.batch_layout import Layout, Rule, Samples, Weights


class Kernels:
    """The parts of a step, bound to a network that lies on the device; all move `Samples` in place.

    active   (U, B) bool, the units that spike in step t: neurons, then input channels
    """

    def __init__(self, layout: Layout, weights: Weights) -> None:
        self._layout, self._weights = layout, weights
        self._neurons: Any = layout.neurons  # columns of torch
        sums, term = layout.sums, weights.weight[layout.sums.synapse]
        row = 2 * sums.source + term.signbit()  # of `signals`
        n_terms = sums.level.diff().tolist()
        self._levels = list(zip(row.split(n_terms), term[:, None].split(n_terms), strict=True))

    def advance(self, s: Samples, active: Any, counts: Any, t: int) -> None:
        """Advance neurons, write their spikes into `active` and add them to `counts` (N, B); decay the currents."""
        layout, n = self._layout, self._neurons
        fired = active[: len(s.v)]
        exc, inh = s.arrivals[0].split(len(s.v))
        v = n.v_rest + n.alpha * (s.v - n.v_rest)
        if layout.delta:
            v = v + exc + n.drive
        else:
            v = v + n.k_exc * exc + n.k_inh * inh + n.drive
        v = torch.where(s.refractory > 0, n.v_reset, v)
        refractory = (s.refractory - 1).clamp(min=0)
        fired[:] = (v >= n.v_th) & (refractory == 0)
        s.v = torch.where(fired, n.v_reset, v)
        s.refractory = torch.where(fired, n.n_ref, refractory)
        s.filtered = layout.factor * s.filtered + fired.to(v.dtype)
        counts += fired
        if layout.delta:
            exc.zero_()
        else:
            exc *= n.beta_exc
            inh *= n.beta_inh
        if len(s.arrivals) > 1:
            slot = s.arrivals[1 + t % (len(s.arrivals) - 1)]
            s.arrivals[0] += slot
            slot.zero_()

    def deliver(self, s: Samples, active: Any, t: int) -> None:
        """Add the weights of the spikes to currents and arrivals, each sum one term after the other.

        A unit that does not spike adds -0.0, which unlike 0.0 changes no bit of any number. It is the product of a
        weight and a zero of the other sign, and products are far quicker than a choice.
        """
        sums = self._layout.sums
        n_slots, n_targets, n_samples = s.arrivals.shape
        slot = torch.where(sums.later == 0, 0, 1 + (t + sums.later) % max(n_slots - 1, 1))
        place = (slot * n_targets + sums.target).long()
        one = active.to(s.arrivals.dtype)
        signals = torch.stack([torch.where(active, one, -0.0), one], dim=1).view(-1, n_samples)
        arrivals = s.arrivals.view(-1, n_samples)
        total = arrivals.index_select(0, place)
        for row, weight in self._levels:
            total[: len(row)] += weight * signals.index_select(0, row)
        arrivals.index_copy_(0, place, total)

    def learn(self, s: Samples, active: Any, t: int) -> None:
        """Add what STDP would change, and move on the traces of synapses with a spike on either side.

        Only what spikes is computed. To find it costs a wait for the device, which is less than computing it all.
        """
        r = self._layout.rule
        assert r is not None
        pre, post = active.index_select(0, r.pre), active.index_select(0, r.post)
        k, b = (pre | post).nonzero(as_tuple=True)
        pre, post = pre[k, b], post[k, b]
        x = s.x[k, b] * _decay(t - s.last[r.pre[k], b], r.rate_plus[k], r)
        y = s.y[k, b] * _decay(t - s.last[r.post[k], b], r.rate_minus[k], r)
        up = r.a_plus[k] * x * self._weights.soft_plus[k]
        down = r.a_minus[k] * y * self._weights.soft_minus[k]
        s.change[k, b] += torch.where(post, up, 0) - torch.where(pre, down, 0)
        s.x[k, b] = torch.where(pre, 1 if r.nearest else x + 1, s.x[k, b])
        s.y[k, b] = torch.where(post, 1 if r.nearest else y + 1, s.y[k, b])
        s.last.masked_fill_(active, t)


def _decay(n_steps: Any, rate: Any, r: Rule) -> Any:
    """`reference.decay`; the power of two is looked up, and times it is exact."""
    z = (-(n_steps.to(rate.dtype) * rate)).clamp(min=1 - len(r.halves))
    whole = z.floor()
    fraction = z - whole
    value = torch.full_like(z, 0) + r.polynomial[-1]
    for i in range(len(r.polynomial) - 2, -1, -1):
        value = value * fraction + r.polynomial[i]
    return value * r.halves[(-whole).long()]
