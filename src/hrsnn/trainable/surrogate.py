"""Surrogate derivatives: what backpropagation takes for the derivative of a spike by the potential (method.md 2.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from hrsnn._checks import among, real_number, require

Tensor = torch.Tensor
Kind = Literal["fast-sigmoid", "atan", "superspike"]

_SLOPES = {"fast-sigmoid": 10.0, "atan": 2.0, "superspike": 100.0}


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A step function of u, potential less threshold, whose derivative is a bell of a height of `height` at u = 0.

    kind     "fast-sigmoid" and "superspike": height / (1 + slope |u|)^2; "atan": height / (1 + (pi/2 slope u)^2)
    slope    > 0, in 1 / potential; None: what is customary, 10, 100 and 2
    height   > 0

    >>> u = torch.tensor([-0.1, 0.0, 0.1], requires_grad=True)
    >>> spikes = Surrogate()(u)
    >>> spikes.sum().backward()
    >>> spikes.tolist(), u.grad.tolist()
    ([0.0, 1.0, 1.0], [0.25, 1.0, 0.25])

    Raises `InputError` for what is none of these.
    """

    kind: Kind = "fast-sigmoid"
    slope: float | None = None
    height: float = 1.0

    def __post_init__(self) -> None:
        known = get_args(Kind)
        require(among(self.kind, known), "Surrogate", "kind", f"must be one of {', '.join(known)}", self.kind)
        slope = _SLOPES[self.kind] if self.slope is None else self.slope
        object.__setattr__(self, "slope", real_number("Surrogate", "slope", slope, above=0))
        object.__setattr__(self, "height", real_number("Surrogate", "height", self.height, above=0))

    def __call__(self, u: Tensor) -> Tensor:
        """1 where u >= 0, else 0, with the derivative of the surrogate."""
        spikes: Tensor = _Step.apply(u, self)
        return spikes

    def derivative(self, u: Tensor) -> Tensor:
        """What stands for the derivative at u; from 0 to `height`."""
        assert self.slope is not None
        if self.kind == "atan":
            return self.height / (1 + (math.pi / 2 * self.slope * u) ** 2)
        return self.height / (1 + self.slope * u.abs()) ** 2

    def integral(self, u: Tensor) -> Tensor:
        """The smooth function whose derivative it is, 0 at u = 0."""
        assert self.slope is not None
        if self.kind == "atan":
            width = math.pi / 2 * self.slope
            return self.height / width * torch.atan(width * u)
        return self.height * u / (1 + self.slope * u.abs())


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(u)
        ctx.surrogate = surrogate
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx: Any, *by_spikes: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return by_spikes[0] * ctx.surrogate.derivative(u), None
