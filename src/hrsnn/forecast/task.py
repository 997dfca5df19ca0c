"""A series with its protocol: what is shown, where the parts begin, and the units of every error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import InputError, require
from hrsnn.data.dataset import Series
from hrsnn.encode import PopulationCode
from hrsnn.forecast.choice import chosen_transform
from hrsnn.forecast.season import period_of
from hrsnn.forecast.spec import ForecastSpec
from hrsnn.forecast.transforms import Limits, Transform
from hrsnn.outcome import digest_of
from hrsnn.randomness import stream
from hrsnn.readout import Grid
from hrsnn.spec import validated
from hrsnn.spikes import Spikes
from hrsnn.vocabulary import CHAIN

_LARGEST = 1e100  # of values; their inverse is the least spread
_OUTSIDE_TOLD = 0.01  # share of the values after the training part that may leave the code without a word


@dataclass(frozen=True, slots=True)
class ForecastTask:
    """A series with its protocol.

    spec    fitted to the series: no 0 that follows from its length, no transform "auto"
    shown   (T, D), the series as arms and controls see it: `transform.shown` of its values
    code    of what is shown, with the range of the training part
    spread  (D,), standard deviation of each variable over the training part: the unit of every error
    limits  between which every forecast is kept
    """

    series: Series
    spec: ForecastSpec
    transform: Transform
    shown: NDArray[np.float64]
    code: PopulationCode
    spread: NDArray[np.float64]
    limits: Limits

    @classmethod
    def of(cls, series: Series, spec: ForecastSpec) -> ForecastTask:
        """The task of `series`, with what `spec` leaves open taken from its training part.

        Raises `InputError` when the series is too short for the protocol, has not the variables or does not allow the
        transform.
        """
        if spec.variables:
            series = series.select(spec.variables)
        spec = spec.fitted_to(series.n_steps, series.name)
        training = series.values[: spec.n_train]
        _check_scale(series, training)
        if spec.transform == "auto":
            spec = spec.model_copy(update={"transform": chosen_transform(training, spec)})
        assert spec.transform != "auto"
        transform = Transform.fit(spec.transform, training, target=spec.target, window=spec.n_warmup)
        shown = transform.shown(series.values)
        code = PopulationCode.fit(
            shown[: spec.n_train], n_per_variable=spec.n_per_variable, f_max_hz=spec.f_max_hz,
            hold_ms=spec.hold_ms, dt_ms=spec.step_ms,
        )  # fmt: skip
        limits = Limits(training.min(axis=0), training.max(axis=0))
        return cls(series, spec, transform, shown, code, training.std(axis=0), limits)

    @property
    def name(self) -> str:
        return self.series.name

    @property
    def n_inputs(self) -> int:
        return self.code.n_units

    @property
    def class_names(self) -> tuple[str, ...]:
        """None: values are forecast, not classes."""
        return ()

    @property
    def dt_ms(self) -> float:
        return self.code.dt_ms

    @property
    def grid(self) -> Grid:
        """What a readout of this task belongs to."""
        code = {**asdict(self.code), "transform": self.transform.kind}
        return Grid(self.code.n_units, self.code.n_hold_steps, self.code.dt_ms, code=code)

    @property
    def training_values(self) -> NDArray[np.float64]:
        """(n_train, D)."""
        return self.series.values[: self.spec.n_train]

    @property
    def training_shown(self) -> NDArray[np.float64]:
        """(n_train, D), the training part as it is shown."""
        return self.shown[: self.spec.n_train]

    @property
    def period(self) -> int:
        """Values of one season: given, or found in the training part; 0 where there is none."""
        return self.spec.period or period_of(self.training_values)

    @property
    def train(self) -> Spikes:
        """The training part as spikes, cut into samples of 50 values: what unsupervised learning sees."""
        length = min(50, self.spec.n_train)
        n = self.spec.n_train // length
        values = self.training_shown[: n * length].reshape(n, length, -1)
        return self.code.encode(values, sample_streams(n, "learn") if self.spec.poisson else None)[0]

    @property
    def train_spikes(self) -> Spikes:
        return self.train

    @property
    def digest(self) -> str:
        """Of all values of the series."""
        return digest_of(self.series.values.tobytes())

    @property
    def chain_facts(self) -> dict[str, Any]:
        """What the values to go on from are brought to the task by, plain values: its spec and what that is fitted to.

        The code and all else is fitted to the training part, so that is what has to be kept.
        """
        series, n = self.series, self.spec.n_train + self.spec.n_horizon
        facts = {"dt": series.dt, "name": series.name, "variable_names": list(series.variable_names)}
        kept = {**facts, "values": series.values[:n].tolist()}
        return {"schema": CHAIN.text, "kind": "forecast", "spec": self.spec.model_dump(mode="json"), "series": kept}

    @classmethod
    def from_chain(cls, facts: Mapping[str, Any]) -> ForecastTask:
        """The task that ends soon after its training part; the inverse of `chain_facts`.

        Raises `InputError` for anything else.
        """
        try:
            return cls.of(Series(**facts["series"]), validated(ForecastSpec, facts["spec"], place="chain.spec"))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not a saved forecast: {type(error).__name__} {error}") from error

    @property
    def starts(self) -> NDArray[np.int64]:
        """Index of the first value of each test forecast, rising, all after the training part."""
        last = self.series.n_steps - self.spec.n_horizon
        return np.unique(np.linspace(self.spec.n_train, last, self.spec.n_starts).astype(np.int64))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is told of every arm that is shown spikes: values after the training part that the code cannot say."""
        outside = self.code.outside(self.shown[self.spec.n_train :]).any(axis=1)
        share = float(outside.mean())
        if share <= _OUTSIDE_TOLD:
            return ()
        others = [kind for kind in ("difference", "standardise") if kind != self.spec.transform]
        return (
            f"{share:.0%} of the values after the training part lie outside its range, where the code has few spikes "
            f'or none; train on more of the series or take task.forecast.transform = "{others[0]}"',
        )

    @property
    def description(self) -> str:
        """One line for people."""
        s, p = self.series, self.spec
        transform = "" if p.transform == "none" else f" · shown as {_WORDS[p.transform]}"
        names = ", ".join(s.variable_names) if s.n_variables <= _N_NAMED else ""
        variables = f"{s.n_variables} variable{'s' * (s.n_variables != 1)}{names and f' ({names})'}"
        grid = "" if s.solver == "recorded" and s.dt == 1 else f"dt {s.dt:g} ({s.solver}) · "
        return (
            f"{s.n_steps:,} values of {variables} · {grid}"
            f"{p.n_train:,} to train, {len(self.starts)} forecasts of {p.n_horizon}{transform}"
        )


_N_NAMED = 4


def _check_scale(series: Series, training: NDArray[np.float64]) -> None:
    """Squares of values are summed up, and errors divided by the spread of the training part."""
    for k, name in enumerate(series.variable_names):
        owner = f"{series.name}, variable {name}"
        largest = float(np.abs(series.values[:, k]).max())
        require(largest <= _LARGEST, owner, "series", f"must be at most {_LARGEST:g} in size", largest)
        least, most = float(training[:, k].min()), float(training[:, k].max())
        remedy = "leave the variable out (task.forecast.variables), or train on more values (task.forecast.n_train)"
        rule = "must vary in every variable of the training part"
        require(most > least, owner, "series", rule, f"{least:g} everywhere", remedy=remedy)
        rule = f"must vary by more than {1 / _LARGEST:g}"
        require(float(training[:, k].std()) > 1 / _LARGEST, owner, "series", rule, most - least)


_WORDS = {
    "difference": "changes from value to value",
    "returns": "changes of the logarithm",
    "standardise": "distances from the rolling mean in units of the rolling spread",
}


def sample_streams(n: int, label: str, seed: int = 0) -> list[np.random.Generator]:
    return [stream(seed, label, sample) for sample in range(n)]
