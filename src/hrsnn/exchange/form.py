"""How a graph is written: for which release of NIR, for which steps of time, for which partner."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from hrsnn._checks import among, did_you_mean, require

Flavour = Literal["current", "1.0.4"]
Decay = Literal["exact", "euler"]


@dataclass(frozen=True, slots=True)
class Partner:
    """What a framework reads of a graph, as its own reader of NIR says.

    flavour       the release of NIR that it reads
    decay         how its step decays: by exp(-dt/tau), or by 1 - dt/tau
    gain_in_r     its LIF wants `r` = tau/dt, or takes a spike as a jump by its weight whatever `r`; else `r` = 1
    leaks_to      whether its neurons have `v_leak`; else rest and bias become the bias of an Affine node
    has_linear    whether it has Linear nodes; else they are written as Affine with a bias of 0
    loop          how it runs recurrent weights: not at all, as nodes of the graph ("flat"), over one more node on the
                  way back ("detour": snnTorch sends the input through weights that lead straight back), or as a graph
                  within the graph ("nested")
    has_currents  whether it has CubaLIF
    ignores       columns of neurons that its reader leaves out or takes another way
    one_threshold whether all neurons must have one threshold
    subtracts     whether its neurons reset by subtraction
    sooner        steps by which it spikes sooner than here: 1 where input acts within the step it is given in
    """

    flavour: Flavour = "current"
    decay: Decay = "euler"
    gain_in_r: bool = True
    leaks_to: bool = False
    has_linear: bool = True
    loop: Literal["none", "flat", "detour", "nested"] = "flat"
    has_currents: bool = True
    ignores: tuple[str, ...] = ()
    one_threshold: bool = False
    subtracts: bool = False
    sooner: int = 1


PARTNERS: dict[str, Partner] = {
    "norse": Partner(gain_in_r=False, leaks_to=True, ignores=("v_reset",)),
    "sinabs": Partner(
        "1.0.4", "exact", has_linear=False, loop="none", has_currents=False, ignores=("v_reset",), subtracts=True
    ),
    "snntorch": Partner(ignores=("v_reset",), one_threshold=True, loop="detour"),
    "spyx": Partner(ignores=("v_reset",), one_threshold=True, loop="nested", subtracts=True, sooner=0),
}


@dataclass(frozen=True, slots=True)
class Form:
    """What `to_nir` is asked for; a graph of ours carries it, so that the graph can be made again and compared."""

    flavour: Flavour
    decay: Decay
    split_populations: bool
    partner: str | None

    @classmethod
    def of(cls, flavour: Any, decay: Any, split_populations: bool, partner: str | None) -> Form:
        """Checked; what is None is what the partner reads, "current" and "exact" without one."""
        if partner is not None:
            known = among(partner, PARTNERS)
            require(known, "to_nir", "partner", "must be a known one", partner, remedy=did_you_mean(partner, PARTNERS))
        reads = None if partner is None else PARTNERS[partner]
        flavour = flavour if flavour is not None else reads.flavour if reads else "current"
        decay = decay if decay is not None else reads.decay if reads else "exact"
        for name, value, kinds in (("flavour", flavour, Flavour), ("decay", decay, Decay)):
            known = among(value, get_args(kinds))
            require(known, "to_nir", name, f"must be one of {', '.join(get_args(kinds))}", value)
        ok = reads is None or flavour == reads.flavour
        require(ok, "to_nir", "flavour", f"must be {reads.flavour if reads else ''}, which {partner} reads", flavour)
        rule = "must be true or false"
        require(isinstance(split_populations, bool), "to_nir", "split_populations", rule, split_populations)
        return cls(flavour, decay, split_populations, partner)

    @property
    def reads(self) -> Partner | None:
        return None if self.partner is None else PARTNERS[self.partner]

    def plain(self) -> dict[str, Any]:
        """As JSON values; `Form.of` takes them."""
        return asdict(self)
