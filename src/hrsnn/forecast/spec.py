"""The table `[task.forecast]`, and what it means for a series of a given length."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from hrsnn._checks import require
from hrsnn.spec import Table

Kind = Literal["none", "difference", "returns", "standardise"]
KINDS: tuple[Kind, ...] = ("none", "difference", "returns", "standardise")

VALIDATION_SHARE = 0.2  # of the training part, its end
_N_LEAST = 10  # values that are fitted
_N_TRAIN_MOST = 5_000  # that are taken without being asked for: more costs minutes and changes little
_TEST_SHARE = 0.3  # of a series at most, where n_train follows from its length

# What stands for [task.forecast] where a series is somebody's own: sizes from its length, transform by validation.
OWN_SERIES: dict[str, Any] = {"n_train": 0, "n_horizon": 0, "n_starts": 0, "n_warmup": 0, "transform": "auto"}


class ForecastSpec(Table):
    """The table `[task.forecast]`: how a series is encoded, split and forecast (method.md 6.5, 7.4).

    variables         names of those that are shown and forecast; none is all. The rest has to be told from the past
    dt, substeps      step of a computed series in its own time, 0 for its default; solver steps per dt
    n_train           values of the training part; the end of it chooses the penalty, then all of it is fitted
    n_washout         first values of the training part that are not fitted
    n_horizon         values forecast freely from each start
    n_starts          forecasts, from starts spread over what follows the training part
    n_warmup          true values that drive the system before each start
    transform         what is shown and forecast: the values ("none"), their differences, their returns (differences of
                      the logarithm) or the values less mean over spread of the `n_warmup` last ("standardise");
                      forecasts are turned back before they are scored. "auto": what validation chooses, for all arms
    period            values of one season, for SeasonalNaive; 0 finds it in the training part
    target            what the readout gives: the next "value" or its "increment" over the present one; with difference
                      and returns it gives the next of these
    n_per_variable, f_max_hz, hold_ms, step_ms   population code; regular spikes, or Poisson with `poisson`

    0 for n_train, n_horizon, n_starts or n_warmup takes what suits the length of the series (`fitted_to`).
    """

    variables: list[str] = []
    dt: Annotated[float, Field(ge=0)] = 0.0
    substeps: Annotated[int, Field(ge=1)] = 1
    n_train: Annotated[int, Field(ge=0)] = 500
    n_washout: Annotated[int, Field(ge=0)] = 50
    n_horizon: Annotated[int, Field(ge=0)] = 100
    n_starts: Annotated[int, Field(ge=0)] = 20
    n_warmup: Annotated[int, Field(ge=0)] = 50
    transform: Literal["auto", "none", "difference", "returns", "standardise"] = "none"
    period: Annotated[int, Field(ge=0)] = 0
    target: Literal["increment", "value"] = "increment"
    n_per_variable: Annotated[int, Field(ge=2)] = 50
    f_max_hz: Annotated[float, Field(gt=0)] = 100.0
    hold_ms: Annotated[float, Field(gt=0)] = 20.0
    step_ms: Annotated[float, Field(gt=0)] = 1.0
    poisson: bool = False

    @property
    def n_values(self) -> int:
        """Values a computed series needs: training, then starts one horizon apart."""
        return self.n_train + (self.n_starts + 1) * self.n_horizon

    @property
    def n_fit(self) -> int:
        """Values before the end of the training part that validates."""
        return round((1 - VALIDATION_SHARE) * self.n_train)

    def fitted_to(self, n_steps: int, name: str = "the series") -> ForecastSpec:
        """The same with every 0 replaced by what suits a series of `n_steps` values, and checked against it.

        n_horizon   a twentieth of the series, 100 at most
        n_starts    20
        n_train     what leaves room for the starts one horizon apart, or for as many as fit into 30 % of the series;
                    5,000 at most. The washout is then cut to a tenth of it
        n_warmup    a quarter of n_train, 50 at most

        Raises `InputError` where the protocol does not fit, naming what is left to fit.

        >>> s = ForecastSpec.model_validate(OWN_SERIES).fitted_to(200)
        >>> s.n_train, s.n_horizon, s.n_starts, s.n_washout, s.n_warmup
        (140, 10, 20, 14, 35)
        """
        n_horizon = self.n_horizon or min(100, max(1, n_steps // 20))
        n_starts = self.n_starts or 20
        n_train, n_washout = self.n_train, self.n_washout
        if not n_train:
            n_test = min((n_starts + 1) * n_horizon, max(round(_TEST_SHARE * n_steps), n_horizon))
            n_train = min(n_steps - n_test, _N_TRAIN_MOST)
            n_washout = min(n_washout, max(0, n_train) // 10)
            require(n_train >= 20, "ForecastSpec", "n_train", f"must be >= 20, and {name} has {n_steps} values",
                    n_train, remedy="give a longer series or a smaller n_horizon")  # fmt: skip
        fitted = self.model_copy(
            update={
                "n_train": n_train, "n_washout": n_washout, "n_horizon": n_horizon, "n_starts": n_starts,
                "n_warmup": self.n_warmup or min(50, max(1, n_train // 4)),
            }
        )  # fmt: skip
        fitted.require_room(n_steps, name)
        return fitted

    def require_room(self, n_steps: int, name: str) -> None:
        """Raise `InputError` unless a series of `n_steps` values has room for the protocol."""
        require(self.n_train >= 20, "ForecastSpec", "n_train", "must be >= 20, or 0 to follow from the series",
                self.n_train)  # fmt: skip
        needed = self.n_train + self.n_horizon
        require(needed <= n_steps, "ForecastSpec", "n_train + n_horizon",
                f"must be <= {n_steps}, the length of {name}", needed)  # fmt: skip
        left = max(0, self.n_fit - 1 - self.n_washout)
        rule = (
            f"must leave {_N_LEAST} values to fit of n_train = {self.n_train}, whose last "
            f"{self.n_train - self.n_fit} validate; it leaves {left}"
        )
        require(left >= _N_LEAST, "ForecastSpec", "n_washout", rule, self.n_washout)
        require(self.n_warmup <= self.n_fit, "ForecastSpec", "n_warmup",
                f"must be <= {self.n_fit}, the training part before its end that validates", self.n_warmup)  # fmt: skip
        require(self.period <= self.n_train, "ForecastSpec", "period", f"must be <= n_train = {self.n_train}",
                self.period)  # fmt: skip
