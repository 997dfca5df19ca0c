"""Dataset, Splits, Series: recordings with labels, and recorded or computed time series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import (
    InputError,
    as_array,
    check_column,
    chosen_rows,
    did_you_mean,
    instance,
    listed,
    real_array,
    real_number,
    require,
)
from hrsnn._shown import Shown
from hrsnn.outcome import digest_of
from hrsnn.spikes import Spikes
from hrsnn.vocabulary import CHAIN

_N_GROUPS_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset(Shown):
    """Spike recordings with one label each.

    spikes       one sample per recording
    labels       int64 (n_samples,)   index into `class_names`
    class_names  tuple of str         carried verbatim: escape them where they are shown
    groups       int64 (n_samples,)   who or what a recording came from (the speaker), or None
    group_names  tuple of str         what groups are called, `groups` being indices into it, or None: by their numbers

    >>> spikes = Spikes.empty(2, n_units=3, n_steps=5, dt_ms=1.0)
    >>> Dataset(spikes, [0, 1], ("yes", "no")).select([1]).labels.tolist()
    [1]
    """

    spikes: Spikes
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    groups: NDArray[np.int64] | None = None
    group_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        instance("Dataset", "spikes", self.spikes, Spikes)
        names = tuple(listed("Dataset", "class_names", self.class_names))
        ok = len(names) > 0 and all(isinstance(name, str) for name in names)
        require(ok, "Dataset", "class_names", "must hold at least one name, all of them text", list(names))
        object.__setattr__(self, "class_names", names)
        if self.group_names is not None:
            object.__setattr__(self, "group_names", tuple(listed("Dataset", "group_names", self.group_names)))
        for column in ("labels", "groups"):
            values = getattr(self, column)
            if column == "groups" and values is None:
                continue
            values = as_array("Dataset", column, values)
            n = values.size
            require(
                n == self.spikes.n_samples, "Dataset", column, "must hold one value per recording",
                f"{n} {column} for {self.spikes.n_samples} recordings",
            )  # fmt: skip
            limits: dict[str, Any] = {"at_least": 0, "at_most": len(names) - 1} if column == "labels" else {}
            if column == "groups" and self.group_names is not None:
                limits = {"at_least": 0, "at_most": len(self.group_names) - 1}
            object.__setattr__(self, column, check_column("Dataset", column, values, dtype=np.int64, **limits))
        if self.group_names is not None:
            require(self.groups is not None, "Dataset", "group_names", "needs groups", list(self.group_names))

    def _glance(self) -> dict[str, object]:
        return {
            "n_samples": self.n_samples, "n_classes": self.n_classes, "n_units": self.spikes.n_units,
            "n_steps": self.spikes.n_steps, "dt_ms": self.spikes.dt_ms,
            "n_groups": None if self.groups is None else np.unique(self.groups).size,
        }  # fmt: skip

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dataset):
            return NotImplemented
        if (self.groups is None) != (other.groups is None) or self.class_names != other.class_names:
            return False
        if self.group_names != other.group_names:
            return False
        same_groups = self.groups is None or np.array_equal(self.groups, other.groups)  # type: ignore[arg-type]
        return same_groups and np.array_equal(self.labels, other.labels) and self.spikes == other.spikes

    @property
    def n_samples(self) -> int:
        return self.spikes.n_samples

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    def select(self, samples: Any) -> Dataset:
        """The recordings with these indices (or this boolean mask, or slice), in this order."""
        chosen = chosen_rows("Dataset.select", "samples", self.n_samples, samples)
        groups = None if self.groups is None else self.groups[chosen]
        return Dataset(self.spikes.select(chosen), self.labels[chosen], self.class_names, groups, self.group_names)

    def groups_called(self, rows: Any = slice(None)) -> list[str]:
        """What the groups of these recordings are called, each once, in order; [] without groups."""
        if self.groups is None:
            return []
        found = np.unique(self.groups[rows]).tolist()
        return [str(group) if self.group_names is None else self.group_names[group] for group in found]


class Encoding(Protocol):
    """How recordings were brought to a grid, for new ones to follow them: `hrsnn.data.chain.Chain`."""

    @property
    def grid(self) -> tuple[int, int, float]: ...
    @property
    def stretch_ms(self) -> float: ...
    @property
    def tail_ms(self) -> float: ...
    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, repr=False)
class Splits(Shown):
    """A classification data set in its three parts, all on one grid and with one list of classes.

    Train fits, validation chooses, test is read once. When recordings carry a group, no group of the validation
    part may occur in training, unless `validation_by_recordings` says that it was divided without regard to groups.

    chain       how the recordings were encoded, for new ones to follow them; None where there is no file to read
    group_word  what a group is: speaker, session, ...
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    name: str
    licence: str
    source: str
    chain: Encoding | None = None
    group_word: str = "group"
    validation_by_recordings: bool = False

    def __post_init__(self) -> None:
        for part in ("train", "validation", "test"):
            instance("Splits", part, getattr(self, part), Dataset)
        ok = isinstance(self.validation_by_recordings, (bool, np.bool_))
        require(ok, "Splits", "validation_by_recordings", "must be true or false", self.validation_by_recordings)
        if self.chain is not None:
            require(hasattr(self.chain, "grid"), "Splits", "chain", "must be a Chain", type(self.chain).__name__)
            rule = f"must lead to the grid of the training part {self.train.spikes.grid}"
            require(self.chain.grid == self.train.spikes.grid, "Splits", "chain", rule, self.chain.grid)
        for part, dataset in (("validation", self.validation), ("test", self.test)):
            require(
                dataset.spikes.grid == self.train.spikes.grid, "Splits", part,
                f"must be on the grid of the training part {self.train.spikes.grid}", dataset.spikes.grid,
            )  # fmt: skip
            require(
                dataset.class_names == self.train.class_names, "Splits", part,
                f"must have the classes of the training part {list(self.train.class_names)}", list(dataset.class_names),
            )  # fmt: skip
            require(
                (dataset.groups is None) == (self.train.groups is None), "Splits", part,
                "must have groups exactly if the training part has", "the other",
            )  # fmt: skip
        for part, dataset in (("validation", self.validation), ("test", self.test)):
            require(
                dataset.group_names == self.train.group_names, "Splits", part,
                f"must have the group_names of the training part {self.train.group_names}", dataset.group_names,
            )  # fmt: skip
        together = self.validation_by_recordings
        if self.train.groups is not None and self.validation.groups is not None and not together:
            shared = np.intersect1d(self.train.groups, self.validation.groups)
            require(shared.size == 0, "Splits", "validation", "must not share groups with training", shared.tolist())

    def _glance(self) -> dict[str, object]:
        return {
            "name": self.name, "n_train": self.train.n_samples, "n_validation": self.validation.n_samples,
            "n_test": self.test.n_samples, "n_classes": self.train.n_classes, "n_inputs": self.n_inputs,
        }  # fmt: skip

    @property
    def n_inputs(self) -> int:
        return self.train.spikes.n_units

    @property
    def dt_ms(self) -> float:
        return self.train.spikes.dt_ms

    @property
    def train_spikes(self) -> Spikes:
        """Those of the training part, without its labels."""
        return self.train.spikes

    @property
    def description(self) -> str:
        """One line for people: how much of what."""
        spikes, unseen = self.train.spikes, self.unseen
        n = sum(part.n_samples for part in (self.train, self.validation, self.test))
        all_unseen = unseen is not None and bool(unseen.all())
        tested = f"{self.test.n_samples:,} test"
        if all_unseen:
            tested += f": {self._named(self.test.groups_called())}"
        words = [
            f"{n:,} recordings ({self.validation.n_samples:,} validation, {tested})",
            f"{len(self.class_names)} classes", f"{spikes.n_units} channels",
            f"{spikes.n_steps} steps of {spikes.dt_ms:g} ms",
        ]  # fmt: skip
        if unseen is not None and unseen.any() and not all_unseen:
            words.append(f"{self._named(self.test.groups_called(unseen))} unseen in training")
        if self.validation_by_recordings:
            words.append(f"validation shares {self.group_word}s with training")
        return " · ".join(words)

    def _named(self, groups: Sequence[str]) -> str:
        """Groups by name, the first few of many."""
        word = self.group_word + "s" * (len(groups) != 1)
        shown = ", ".join(groups[:_N_GROUPS_SHOWN])
        n_more = len(groups) - _N_GROUPS_SHOWN
        return f"{word} {shown}" + (f" and {n_more} more" if n_more > 0 else "")

    @property
    def chain_facts(self) -> dict[str, Any] | None:
        """What brings new recordings to the task, plain values; None where a task made by hand does not tell it."""
        return None if self.chain is None else {"schema": CHAIN.text, **self.chain.to_dict()}

    @property
    def digest(self) -> str:
        """Of all spikes, labels and groups of the three parts."""
        parts = (self.train, self.validation, self.test)
        columns = [x for p in parts for x in (p.spikes.step, p.spikes.unit, p.spikes.sample_ptr, p.labels, p.groups)]
        return digest_of(b"".join(digest_of(x.tobytes()).encode() for x in columns if x is not None))

    @property
    def stretched(self) -> tuple[float, float] | None:
        """(duration_ms, tail_ms) where every recording was stretched to last `duration_ms`, then silent; else None."""
        chain = self.chain
        return (chain.stretch_ms, chain.tail_ms) if chain is not None and chain.stretch_ms else None

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.train.class_names

    @property
    def seen(self) -> NDArray[np.bool_] | None:
        """Per test recording: its group occurs in training. None without groups."""
        if self.test.groups is None or self.train.groups is None:
            return None
        return np.isin(self.test.groups, self.train.groups)

    @property
    def unseen(self) -> NDArray[np.bool_] | None:
        """Per test recording: its group occurs in neither training nor validation. None without groups.

        A test recording of a validation group is neither seen nor unseen.
        """
        if self.test.groups is None or self.train.groups is None or self.validation.groups is None:
            return None
        return ~np.isin(self.test.groups, np.concatenate([self.train.groups, self.validation.groups]))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Series(Shown):
    """Values at equal distances in time, of one variable or several.

    values             float64 (n_steps, n_variables)
    dt                 time between values, in the unit of the system (not milliseconds)
    lyapunov_exponent  largest exponent of the true system per unit of its time, where the literature has one
    solver             method and step, or "recorded"

    >>> Series([[0.0], [1.0]], dt=0.5, name="ramp", variable_names=("x",)).n_steps
    2
    """

    values: NDArray[np.float64]
    dt: float
    name: str
    variable_names: tuple[str, ...]
    lyapunov_exponent: float | None = None
    solver: str = "recorded"

    def __post_init__(self) -> None:
        values = real_array("Series", "values", self.values).copy()
        require(
            values.ndim == 2 and values.size > 0, "Series", "values",
            "must have shape (n_steps, n_variables) with at least one value", f"shape {values.shape}",
        )  # fmt: skip
        bad = np.argwhere(~np.isfinite(values))
        if bad.size:
            step, variable = bad[0].tolist()
            raise InputError(
                f"`values` of `Series` must be finite, got {values[step, variable]} at step {step}, "
                f"variable {variable} ({len(bad)} of {values.size} values)"
            )
        object.__setattr__(self, "dt", real_number("Series", "dt", self.dt, above=0))
        names = tuple(listed("Series", "variable_names", self.variable_names))
        named = all(isinstance(name, str) for name in names)
        require(named, "Series", "variable_names", "must be text", list(names))
        require(
            len(names) == values.shape[1], "Series", "variable_names", "must hold one name per variable",
            f"{len(names)} names for {values.shape[1]} variables",
        )  # fmt: skip
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "variable_names", names)

    def _glance(self) -> dict[str, object]:
        return {
            "name": self.name, "n_steps": self.n_steps, "variable_names": self.variable_names, "dt": self.dt,
        }  # fmt: skip

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Series):
            return NotImplemented
        same = all(
            getattr(self, f) == getattr(other, f)
            for f in ("dt", "name", "variable_names", "lyapunov_exponent", "solver")
        )
        return same and np.array_equal(self.values, other.values)

    def select(self, variables: Sequence[str]) -> Series:
        """The series of these variables, in this order. Raises `InputError` for a name it does not have, or has twice.

        >>> Series([[0.0, 5.0]], dt=1.0, name="s", variable_names=("x", "y")).select(["y"]).values.tolist()
        [[5.0]]
        """
        names = self.variable_names
        variables = [variables] if isinstance(variables, str) else listed(self.name, "variables", variables)
        for name in variables:
            known = f"must be among {', '.join(names)}"
            require(name in names, self.name, "variables", known, name, remedy=did_you_mean(name, names))
        require(len(set(variables)) == len(variables), self.name, "variables", "must differ", list(variables))
        columns = [names.index(name) for name in variables]
        return replace(self, values=self.values[:, columns], variable_names=tuple(variables))

    @property
    def n_steps(self) -> int:
        return int(self.values.shape[0])

    @property
    def n_variables(self) -> int:
        return int(self.values.shape[1])
