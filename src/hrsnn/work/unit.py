"""Unit: one piece of work that is done, kept and resumed as a whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """What is done, for which seed, and what sets it apart from others of its kind.

    In a run the kind is an arm, and the options of one that is not simply trained are its stage and its method.

    >>> Unit("HeNHeS", 0, ("control", "untrained")).name, Unit("HeNHeS", 0).name
    ('HeNHeS-s0-control-untrained', 'HeNHeS-s0')
    """

    kind: str
    seed: int
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The stem of its files; no two units of one piece of work share it."""
        return "-".join([self.kind, f"s{self.seed}", *self.options])
