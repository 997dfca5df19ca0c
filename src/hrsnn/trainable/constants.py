"""The coefficients of a step as functions of trained time constants and thresholds, exact where training begins.

A trained time constant is tau = tau_0 exp(p), p = 0 at first, so it stays positive, and decay of p leads back to the
network. Its coefficients are those of the engines plus what they have moved: c = c_0 + (f(tau) - f(tau_0)), f in
torch. At p = 0 that is c_0 in every bit, whatever exp() of torch and of NumPy make of the last one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

Tensor = torch.Tensor


class Taus(NamedTuple):
    """Time constants (N,) in steps: of the membrane and of the two synaptic currents."""

    mem: Tensor
    syn_exc: Tensor
    syn_inh: Tensor


def moved(first: dict[str, Tensor], taus_first: Taus, taus: Taus, bias: Tensor) -> dict[str, Tensor]:
    """The coefficients that hang on time constants, from `first`, those at `taus_first`.

    >>> one, two = torch.ones(1), torch.full((1,), 2.0)
    >>> start = {name: one for name in laws(Taus(one, one, one), one)}
    >>> moved(start, Taus(one, one, one), Taus(two, one, one), one)["beta_exc"]
    tensor([1.])
    """
    before, now = laws(taus_first, bias), laws(taus, bias)
    return {name: first[name] + (now[name] - before[name]) for name in now}


def laws(taus: Taus, bias: Tensor) -> dict[str, Tensor]:
    """The expressions of `hrsnn.engine.coefficients`, in torch."""
    to_rest = -torch.expm1(-1 / taus.mem)
    return {
        "alpha": torch.exp(-1 / taus.mem),
        "to_rest": to_rest,
        "drive": to_rest * bias,
        "beta_exc": torch.exp(-1 / taus.syn_exc),
        "beta_inh": torch.exp(-1 / taus.syn_inh),
        "k_exc": _kappa(taus.syn_exc, taus.mem),
        "k_inh": _kappa(taus.syn_inh, taus.mem),
    }


def _kappa(tau_syn: Tensor, tau_mem: Tensor) -> Tensor:
    """1/tau_m max(alpha, beta) (1 - exp(-x)) / x, x = |1/tau_m - 1/tau_s|: see `coefficients`.

    At x = 0 the halves of the derivative that torch takes of the maximum, and none of |.|, make the derivative of the
    limit. Near it the quotient is its series, whose derivative does not cancel.
    """
    x = (1 / tau_mem - 1 / tau_syn).abs()
    is_small = x < 1e-3
    safe = torch.where(is_small, torch.ones_like(x), x)  # no 0/0 on the side that is not taken, backwards as well
    ratio = torch.where(is_small, 1 - x / 2 + x**2 / 6 - x**3 / 24 + x**4 / 120, -torch.expm1(-safe) / safe)
    return 1 / tau_mem * torch.exp(-1 / torch.maximum(tau_mem, tau_syn)) * ratio
