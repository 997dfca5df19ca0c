"""The table `[prune]` of a config: how small a network is made, and by which methods."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hrsnn.pruning.methods import known_method
from hrsnn.pruning.options import LnpSpec
from hrsnn.spec import NonNegative, Table

__all__ = ["DEFAULT_SHARE", "Amount", "LnpSpec", "Method", "PruneSpec"]

Method = Annotated[str, AfterValidator(known_method)]

DEFAULT_SHARE = 0.05  # of the recurrent synapses, where nothing says how far to go
_MOST_COUNT = 2**31 - 1  # of neurons or synapses, and more than any network has
_TARGETS = ("keep_synapses", "keep_neurons", "max_synops_per_s", "max_bytes")


def _amount(value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= (1 if isinstance(value, float) else _MOST_COUNT):
        raise ValueError("must be a share up to 1, written with a point, or a count")
    return value


Amount = Annotated[int | float, BeforeValidator(_amount)]


class PruneSpec(Table):
    """The table `[prune]`: the last arm is also pruned before it learns, once by each method, all to the same size.

    methods            keys of `hrsnn.pruning.methods.KINDS`; what others are compared with comes first
    keep_synapses      recurrent synapses to keep: a share, written with a point, or a count; 0: left open
    keep_neurons       the same of neurons; open: the schedule decides (`hrsnn.pruning.schedule.sizes_on_the_way`)
    max_synops_per_s   recurrent and input operations per second under the standard drive
    max_bytes          of the network in single precision, as a device would hold it
    n_iterations       1 goes to the target in one step
    correct            after each step recurrent weights are scaled, neuron by neuron, until firing rates are back
    drive              "data": those on training recordings, in a run; "standard": those under the standard drive, as
                       always where there are no data, in `hrsnn prune`

    Where nothing says how far, 5 % of the recurrent synapses are kept.

    >>> PruneSpec().keep_synapses, PruneSpec(max_bytes=10_000).keep_synapses
    (0.05, 0)
    """

    methods: Annotated[list[Method], Field(min_length=1)] = ["lnp"]
    keep_synapses: Amount = 0
    keep_neurons: Amount = 0
    max_synops_per_s: NonNegative = 0.0
    max_bytes: Annotated[int, Field(ge=0, le=2**53)] = 0
    n_iterations: Annotated[int, Field(ge=1, le=10**6)] = 1
    correct: bool = True
    drive: Literal["data", "standard"] = "data"
    lnp: LnpSpec = LnpSpec()

    @model_validator(mode="before")
    @classmethod
    def _fill_target(cls, table: Any) -> Any:
        if not isinstance(table, dict) or any(table.get(name) for name in _TARGETS):
            return table
        return {**table, "keep_synapses": DEFAULT_SHARE}
