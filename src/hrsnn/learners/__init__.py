"""Rules of learning, one file each, and the table of them: `[learn] rule` is a key of `KINDS`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hrsnn._checks import did_you_mean, require
from hrsnn.learners.backprop import Backprop
from hrsnn.learners.learner import Learner
from hrsnn.learners.stdp import Stdp
from hrsnn.spec import validated

__all__ = ["KINDS", "Backprop", "Learner", "Stdp", "learner_of"]

KINDS: dict[str, type[Learner]] = {"stdp": Stdp, "backprop": Backprop}


def learner_of(table: Mapping[str, Any], *, readout_last_ms: float = 0.0) -> Learner:
    """The learner that a table `[learn]` describes; without `rule` it is STDP.

    readout_last_ms   how much of the end of recordings the readout reads: a rule that reads them, and is not told how
                      much (`last_ms`), reads the same

    Raises `InputError` for an unknown rule, and for a key or a value that the rule does not take.

    >>> learner_of({"n_epochs": 2})
    Stdp(rule='stdp', n_epochs=2, n_samples=0, batch_size=0)
    """
    rule = table.get("rule", "stdp")
    known = isinstance(rule, str) and rule in KINDS
    require(known, "learn", "rule", f"must be one of {', '.join(KINDS)}", rule, remedy=did_you_mean(str(rule), KINDS))
    follows = readout_last_ms and "last_ms" in KINDS[rule].model_fields
    return validated(KINDS[rule], {**({"last_ms": readout_last_ms} if follows else {}), **table}, place="learn")
