"""Outcome: what one finished unit of work found, as it stands in outcomes/*.json and results.json; files that tell when
they were changed."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from hrsnn._checks import RunError, instance, listed, require
from hrsnn._shown import Shown

Stage = Literal["trained", "pruned", "control", "trial"]


@dataclass(frozen=True, slots=True, repr=False)
class Outcome(Shown):
    """Metrics and costs of one arm, stage, method and seed (names: docs/reference/run-directory.md).

    metrics   name -> value; costs: name -> value, `energy_pj` a map from profile to value; network: counts and hash
    NaN and infinite values become None, so that the JSON form is valid.
    """

    arm: str
    stage: Stage
    method: str | None
    seed: int
    metrics: dict[str, Any]
    costs: dict[str, Any]
    network: dict[str, Any]
    wall_s: float
    warnings: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("metrics", "costs", "network"):
            object.__setattr__(self, name, plain_values(instance("Outcome", name, getattr(self, name), dict)))
        object.__setattr__(self, "warnings", tuple(listed("Outcome", "warnings", self.warnings)))

    def _glance(self) -> dict[str, object]:
        return {
            "label": self.label, "seed": self.seed,
            **{name: value for name, value in self.metrics.items() if isinstance(value, (int, float))},
            "warnings": len(self.warnings),
        }  # fmt: skip

    @property
    def label(self) -> str:
        """The arm, with `/stage/method` when it is not simply trained: the name used in comparisons."""
        if self.stage == "trained" and self.method is None:
            return self.arm
        return "/".join(part for part in (self.arm, self.stage, self.method) if part)

    @property
    def sort_key(self) -> tuple[str, str, str, int]:
        return self.arm, self.stage, self.method or "", self.seed

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values that `from_dict` reads back as an equal outcome."""
        return {**asdict(self), "warnings": list(self.warnings)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Outcome:
        """Raises `InputError` when a field is missing."""
        for f in fields(cls):
            given = f.name in values or f.name in ("warnings", "versions")
            require(given, "Outcome", f.name, "must be given", "nothing")
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


def plain_values(value: Any) -> Any:
    """`value` as what JSON can hold: NumPy arrays and scalars as lists and numbers, NaN and infinity as None.

    Raises `RunError` for anything else.

    >>> import numpy as np
    >>> plain_values({1: np.array([0.5, np.nan]), "n": np.int64(3), "t": ("a", None)})
    {'1': [0.5, None], 'n': 3, 't': ['a', None]}
    """
    if isinstance(value, dict):
        return {str(key): plain_values(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_values(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "tolist"):
        return plain_values(value.tolist())
    raise RunError(f"a result holds {value!r} of type {type(value).__name__}, which a JSON file cannot hold")


def as_json(value: Any) -> bytes:
    """Canonical JSON: sorted keys, shortest exact floats, never NaN."""
    return (json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def sealed(facts: dict[str, Any]) -> bytes:
    """`facts` as canonical JSON, with the digest of them as one more, "sha256"."""
    return as_json({**facts, "sha256": digest_of(as_json(facts))})


def unsealed(content: bytes) -> dict[str, Any]:
    """The facts that `sealed` wrote. Raises `ValueError` for anything else, and for what was changed.

    >>> unsealed(sealed({"a": 1}))
    {'a': 1}
    >>> unsealed(sealed({"a": 1}).replace(b"1", b"2", 1))
    Traceback (most recent call last):
        ...
    ValueError: it was changed since it was written
    """
    try:
        facts = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(facts, dict):
        raise ValueError("it holds no object")
    if facts.pop("sha256", None) != digest_of(as_json(facts)):
        raise ValueError("it was changed since it was written")
    return facts


def digest_of(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
