"""What a method of pruning is: a criterion, which makes a network exactly the size that it is told (method.md 12.7)."""

from __future__ import annotations

from dataclasses import Field, dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from hrsnn.network import Network
from hrsnn.outcome import plain_values
from hrsnn.pruning.drive import DRIVE_HZ
from hrsnn.pruning.options import Options


@dataclass(frozen=True, slots=True)
class Size:
    """Neurons and recurrent synapses."""

    n_neurons: int
    n_synapses: int

    @classmethod
    def of(cls, network: Network) -> Size:
        return cls(network.n_neurons, len(network.recurrent))

    def __str__(self) -> str:
        return f"{self.n_neurons} neurons and {self.n_synapses} recurrent synapses"


@dataclass(frozen=True, slots=True)
class Step:
    """Where in a schedule a criterion is called.

    index, n_steps   counts from 1; pruning in one shot is n_steps == 1
    seed             of this step alone: no two steps of a schedule share it
    start            the network before the first step; None where that is the one given
    drive_hz         of every channel of the standard drive
    """

    index: int
    n_steps: int
    seed: int
    start: Network | None = None
    drive_hz: float = DRIVE_HZ


class Criterion(Protocol):
    """What goes and what stays: a method of pruning. A value without state; fields are its options.

    A kind is a class in a file, with `name: ClassVar[str] = "its name"`, and one line in `hrsnn.pruning.methods.KINDS`.
    `by_chance` is false where no seed changes what is left. `hrsnn.testing.criteria` holds it to what is said here.
    """

    by_chance: ClassVar[bool] = True

    @property
    def name(self) -> str: ...
    @classmethod
    def of(cls, options: Options) -> Self:
        """The criterion with what it takes of `options`: for most, nothing."""
        return cls()

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, dict[str, Any]]:
        """`network` made exactly `size`; beside it plain diagnostics (JSON values).

        Where neurons went, `neurons` among them holds the indices of those that are left. Raises `InputError` where
        the size cannot be reached; no schedule asks for fewer neurons than `hrsnn.pruning.nodes.N_MIN`.
        """

    def settle(self, network: Network, step: Step) -> tuple[Network, dict[str, Any]]:
        """What is left to do with the pruned network when its rates have been restored: for most, nothing."""
        return network, {}


# -- in words ----------------------------------------------------------------------------------------------------------


def described(criterion: Criterion) -> dict[str, Any]:
    """Name and options of a criterion as plain JSON values, without `n_threads`; functions by their name.

    >>> from hrsnn.pruning.criteria import Uniform
    >>> described(Uniform())
    {'name': 'uniform'}
    """
    options: tuple[Field[Any], ...] = fields(criterion) if is_dataclass(criterion) else ()
    return {
        "name": criterion.name,
        **{f.name: _described(getattr(criterion, f.name)) for f in options if f.name != "n_threads"},
    }


def _described(value: Any) -> Any:
    if not callable(value):
        return plain_values(value)
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def summary_of(told: Any) -> dict[str, Any]:
    """The numbers, flags and words among the fields of a dataclass, and the means of its arrays of real numbers."""
    values = {f.name: getattr(told, f.name) for f in fields(told)}
    for name, value in values.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
            values[name] = value.mean().item()
    return {name: value for name, value in values.items() if isinstance(value, (bool, int, float, str))}
