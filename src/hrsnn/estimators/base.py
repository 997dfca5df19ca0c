"""What the estimators share: settings and values checked, a network drawn, calibrated and taught."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from hrsnn._checks import InputError, among, did_you_mean, instance, require, whole_number
from hrsnn.arms import Arm, steps_of
from hrsnn.data.dataset import Dataset
from hrsnn.data.readers import Kind
from hrsnn.distributions import Distribution
from hrsnn.learners import Learner, learner_of
from hrsnn.network import Network, columns_of
from hrsnn.readout import Readout, ReadoutSpec
from hrsnn.recommendation import fields_of_spec
from hrsnn.spec import NetworkSpec, arm_names, validated
from hrsnn.spikes import Spikes

Values = NDArray[np.float64]  # (n_samples, n_steps, n_channels)


class SpikingEstimator(BaseEstimator):
    """A network with its code and its readout, as scikit-learn wants it.

    After `fit`: `network_` (`hrsnn.Network`), `readout_` (`hrsnn.readout.Readout`), `code_`, which brings values to
    spikes, and `n_features_in_`, of recordings and windows the number of their steps.
    """

    n_neurons: int
    arm: str | None
    rule: str | Learner | None
    tau_mem_ms: Distribution | float | None
    spec: Mapping[str, Any] | None
    readout: str | ReadoutSpec
    dt_ms: float
    random_state: Any

    _axis_of_tables: ClassVar[int]  # what a row of a table has one of: 1 a step, 2 a channel
    _of_targets: ClassVar[Mapping[str, bool]] = {}  # how scikit-learn shall check `y`

    network_: Network
    readout_: Readout
    _shape: tuple[int, ...]  # of a sample, as it was given

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        return tags

    def encode(self, X: ArrayLike) -> Spikes:
        """The spikes that the network is shown for `X`, one sample for each row: `hrsnn.Spikes`."""
        check_is_fitted(self)
        return self._encoded(self._checked(X, reset=False))

    def __setstate__(self, state: Any) -> None:
        """Columns that were pickled can be written to, and kernels would be compiled anew for those."""
        super().__setstate__(state)
        if hasattr(self, "network_"):
            for column in columns_of(self.network_).values():
                column.flags.writeable = False

    @abstractmethod
    def _encoded(self, values: Values) -> Spikes:
        """`encode`, of values that were checked."""

    @abstractmethod
    def _read(self, network: Network, spikes: Spikes, values: Values, targets: NDArray[Any], seed: int) -> None:
        """Take `network`, and fit a readout of its activity on `spikes`, which `values` became."""

    @abstractmethod
    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """`y` as `_read` wants it, like that of `fit`."""

    def with_network(self, network: Network, X: ArrayLike, y: ArrayLike) -> Self:
        """A copy of this estimator with `network` in place of its own, and a readout fitted anew to `X` and `y`.

        For what was pruned or taught by other means. The code stays, so the network needs the same channels and step of
        time. Raises `InputError` for others.
        """
        check_is_fitted(self)
        instance(self._name, "network", network, Network)
        for name, fitted in (("n_inputs", self.network_.n_inputs), ("dt_ms", self.network_.dt_ms)):
            given = getattr(network, name)
            rule = f"must be {fitted:g} as in the network that was fitted"
            require(given == fitted, self._name, f"network.{name}", rule, given)
        other = copy.copy(self)
        values, targets = other._checked(X, y, reset=False)
        other._read(network, other._encoded(values), values, other._targets(targets), self._seed())
        return other

    # -- what was given ------------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _checked(self, X: Any, y: Any = None, *, reset: bool) -> Any:
        """`X`, and `y` where it is given or needed, as scikit-learn checks them: `X` becomes (n, n_steps, n_channels),
        and `_shape` is what it must keep to. Raises ValueErrors and TypeErrors."""
        if not reset:
            self._require_shape(getattr(X, "shape", ()))
        needed = reset or y is not None
        given = (X, y) if needed else (X,)
        how = {"ensure_min_samples": 2 if reset else 1, **(self._of_targets if needed else {})}
        with _one_sentence(self._name):
            found = validate_data(self, *given, reset=reset, allow_nd=True, dtype=np.float64, **how)
        values, targets = found if needed else (found, None)
        rule = "must have shape (n_samples, n_features) or (n_samples, n_steps, n_channels) with at least one of each"
        require(values.ndim <= 3 and values.size, self._name, "X", rule, f"shape {values.shape}")
        if reset:
            self._shape = values.shape[1:]
        self._require_shape(values.shape)
        values = np.expand_dims(values, self._axis_of_tables) if values.ndim == 2 else values
        return (values, targets) if needed else values

    def _require_shape(self, shape: tuple[int, ...]) -> None:
        """Of two tables that differ in their features scikit-learn tells in its own words."""
        if len(shape) > 2 or (len(shape) == 2 and len(self._shape) == 2):
            rule = f"must have shape (n_samples, {', '.join(map(str, self._shape))}) as in fit"
            require(tuple(shape[1:]) == self._shape, self._name, "X", rule, f"shape {tuple(shape)}")

    # -- what it is made of --------------------------------------------------------------------------------------------

    def _seed(self) -> int:
        """A whole number is the seed itself, of everything that is drawn."""
        given = self.random_state
        if isinstance(given, Integral):
            return whole_number(self._name, "random_state", given, at_least=0)
        return int(check_random_state(given).randint(2**31 - 1))

    def _learner(self) -> Learner | None:
        if self.rule is None or isinstance(self.rule, Learner):
            return self.rule
        readout = self.readout if isinstance(self.readout, ReadoutSpec) else ReadoutSpec()
        return learner_of({"rule": self.rule}, readout_last_ms=readout.last_ms)

    def _drawn(
        self,
        kind: Kind,
        data: Dataset | Spikes,
        own: Mapping[str, Any],
        seed: int,
        held_out: Callable[[], tuple[NDArray[np.int64], NDArray[np.int64]]] | None = None,
    ) -> Network:
        """The network recommended for `data`, with what is `own` to an estimator, calibrated and taught.

        held_out   rows that fit the readout and rows that choose it: a rule that reads labels must not learn from those
        """
        learner = self._learner()
        known = arm_names() if learner is None else arm_names(learner.letter)
        arm = known[-1] if self.arm is None else self.arm
        remedy = did_you_mean(arm, known)
        require(among(arm, known), self._name, "arm", f"must be one of {', '.join(known)}", arm, remedy=remedy)
        spikes = data.spikes if isinstance(data, Dataset) else data
        tables = fields_of_spec(kind, n_inputs=spikes.n_units, dt_ms=spikes.dt_ms)
        constants = {} if self.tau_mem_ms is None else {"tau_mem_ms": self.tau_mem_ms}
        given = {} if self.spec is None else instance(self._name, "spec", self.spec, Mapping)  # type: ignore[type-abstract]
        changes = (own, {"n_neurons": self.n_neurons, "excitatory": constants, "inhibitory": constants}, given)
        for change in changes:
            tables = _under(tables, change)
        spec = validated(NetworkSpec, tables).arm(arm)
        validation = None
        if held_out is not None and isinstance(data, Dataset) and learner is not None and learner.reads_labels:
            fits, chooses = held_out()
            if chooses.size:
                data, validation = data.select(fits), data.select(chooses)
        return Arm(arm, spec, steps_of(spec.input, learner, data, seed=seed, validation=validation)).made(seed)

    def _readout_spec(self, given: Any, known: Mapping[str, ReadoutSpec]) -> ReadoutSpec:
        if isinstance(given, ReadoutSpec):
            rule, n_copies = (
                "must be 0 in an estimator, which fits its readout to samples as they are",
                given.augment.n_copies,
            )
            require(not n_copies, self._name, "readout.augment.n_copies", rule, n_copies)
            return given
        rule = f"must be one of {', '.join(known)}, or a ReadoutSpec"
        require(among(given, known), self._name, "readout", rule, given, remedy=did_you_mean(str(given), known))
        return known[given]


def _under(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`tables` with `changes`; a table that is given in part keeps the rest."""
    merged = {**tables, **changes}
    for name, given in changes.items():
        if isinstance(given, Mapping) and isinstance(tables.get(name), Mapping):
            merged[name] = {**tables[name], **given}
    return merged


@contextmanager
def _one_sentence(owner: str) -> Iterator[None]:
    """What scikit-learn says in a paragraph, in a sentence; what it says in one stays."""
    try:
        yield
    except ValueError as error:
        first, _, rest = str(error).partition("\n")
        if "contains NaN" in first:
            raise InputError(f"{first.rstrip('.')}; fill missing values, or leave their rows out") from error
        if "Reshape your data" in rest:
            shapes = "(n_samples, n_features) or (n_samples, n_steps, n_channels)"
            raise InputError(
                f"`X` of `{owner}` must have shape {shapes}, got one dimension or none. Reshape your data: X[:, None] "
                "where it is one feature, X[None] where it is one sample"
            ) from error
        raise
