"""The protocol that networks and controls share: fit, choose, forecast freely, score."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.evaluation import (
    Evaluation,
    Label,
    Validation,
    facts_of_network,
    versions,
    warnings_of_activity,
)
from hrsnn.forecast.choice import validation_starts
from hrsnn.forecast.drives import NetworkDrive
from hrsnn.forecast.running import Drive, Forecast, Outputs, Start, free_run, segments, start_at
from hrsnn.forecast.season import last_season
from hrsnn.forecast.task import ForecastTask
from hrsnn.metrics import nrmse, rmse_course, smape, valid_prediction_steps
from hrsnn.network import Network
from hrsnn.outcome import Outcome
from hrsnn.progress import Progress, ProgressEvent, no_progress
from hrsnn.readout import Choice, Readout, ReadoutSpec, fit_regression, units_read

VPT_THRESHOLDS = {"": 0.1, "_04": 0.4}  # suffix of the metric -> error that ends a valid prediction
_PENALTIES_WITHOUT_NOISE = [1e-8, 1e-6]  # alternatives for features that are not spikes, beside those of the readout


def check_readout(readout: ReadoutSpec) -> None:
    """Raises `InputError` for what a forecast does not have."""
    rule = "must be 0 for a forecast, which reads filtered spike trains"
    require(not readout.last_ms, "ReadoutSpec", "last_ms", rule, readout.last_ms)
    n_copies = readout.augment.n_copies
    require(not n_copies, "ReadoutSpec", "augment.n_copies", rule, n_copies)


def evaluate_network(
    network: Network,
    task: ForecastTask,
    readout: ReadoutSpec,
    *,
    label: Label,
    drawn: bool = False,
    progress: Progress = no_progress,
) -> Evaluation:
    """Forecasts by the readout of `network`'s filtered spike trains; of forecasts no more is drawn than all tell."""
    drive = NetworkDrive(network, task, readout, label.seed)
    evaluation = forecast_by(
        drive, task, readout, label=label, units=units_read(network, readout), network=network, progress=progress,
        warnings=task.warnings,
    )  # fmt: skip
    evaluation.details["rate_hz"] = 1000 * drive.spikes_per_value / task.spec.hold_ms
    evaluation.details["active_share"] = float(np.mean(drive.spikes_per_value > 0))
    return evaluation


def validate_network(network: Network, task: ForecastTask, readout: ReadoutSpec, *, seed: int = 0) -> Validation:
    """Free forecasts inside the end of the training part, by the readout that they chose."""
    drive = NetworkDrive(network, task, readout, seed)
    features = drive.run(task.training_shown[None], None)[0][0]
    spikes_per_value = drive.spikes_per_value
    choice = _fit(drive, features, task, readout, units_read(network, readout), seed)
    costs = _costs(drive, choice)
    return Validation.of(choice.chosen["validation_score"], spikes_per_value, task.spec.hold_ms, costs)


def without_noise(readout: ReadoutSpec) -> ReadoutSpec:
    """For features that are no spikes: validation chooses among smaller penalties as well."""
    penalties = sorted({*readout.regularisation, *_PENALTIES_WITHOUT_NOISE})
    return readout.model_copy(update={"regularisation": penalties})


def repeated(task: ForecastTask, period: int, *, label: Label, warnings: tuple[str, ...] = ()) -> Evaluation:
    """The last `period` values again and again: nothing is fitted."""
    started = time.perf_counter()
    values, starts = task.series.values, task.starts
    season = last_season(values, starts, period, task.spec.n_horizon)
    forecast = Forecast.within(season, task.limits, values[starts - 1])
    return _scored(forecast, task, label=label, started=started, warnings=warnings)


def forecast_by(
    drive: Drive,
    task: ForecastTask,
    readout: ReadoutSpec,
    *,
    label: Label,
    units: NDArray[np.int64] | None = None,
    network: Network | None = None,
    progress: Progress = no_progress,
    warnings: tuple[str, ...] = (),
) -> Evaluation:
    """What a drive can forecast: fitted on the training part, chosen inside its end, tested from every start once."""
    started = time.perf_counter()
    check_readout(readout)
    progress(ProgressEvent("simulating", 0, 3))
    features = drive.run(task.training_shown[None], None)[0][0]
    choice = _fit(drive, features, task, readout, units, label.seed)
    progress(ProgressEvent("simulating", 1, 3))
    start = _start(drive, task.starts, task)
    progress(ProgressEvent("simulating", 2, 3))
    forecast = _free_run(drive, choice.readout, start, task, task.spec.n_horizon)
    progress(ProgressEvent("simulating", 3, 3))
    return _scored(
        forecast, task, label=label, started=started, choice=choice, network=network,
        drive=drive if isinstance(drive, NetworkDrive) else None, warnings=(*warnings, *choice.warnings),
    )  # fmt: skip


def _fit(
    drive: Drive,
    features: NDArray[Any],
    task: ForecastTask,
    readout: ReadoutSpec,
    units: NDArray[np.int64] | None,
    seed: int,
) -> Choice:
    """The readout of features at k for value k + 1; alternatives are judged by their free forecasts."""
    spec = task.spec
    target = task.transform.targets(task.training_values)
    windows = features[:-1, None, :]
    starts, horizon = validation_starts(spec)
    start = _start(drive, starts, task)
    truth = segments(task.series.values, starts, horizon)

    def score(fitted: Readout) -> NDArray[np.float64]:
        """Per start, minus the mean error, each step's cut at 1, the error of knowing nothing."""
        course = rmse_course(_free_run(drive, fitted, start, task, horizon).values, truth, task.spread)
        return np.asarray(-np.minimum(course, 1.0).mean(axis=1))

    fit, rest = slice(spec.n_washout, spec.n_fit - 1), slice(spec.n_fit - 1, None)
    filtered = readout.model_copy(
        update={"features": "filtered", "model": "ridge" if readout.model == "logistic" else readout.model}
    )
    return fit_regression(
        windows[fit], target[fit], windows[rest], target[rest], filtered, units=units, score=score, seed=seed
    )


def _start(drive: Drive, starts: NDArray[np.int64], task: ForecastTask) -> Start:
    return start_at(drive, starts, task.series.values, task.shown, task.transform, task.spec.n_warmup)


def _free_run(drive: Drive, readout: Outputs, start: Start, task: ForecastTask, n_steps: int) -> Forecast:
    return free_run(drive, readout, start, task.transform, task.limits, n_steps)


def _scored(
    forecast: Forecast,
    task: ForecastTask,
    *,
    label: Label,
    started: float,
    choice: Choice | None = None,
    network: Network | None = None,
    drive: NetworkDrive | None = None,
    warnings: tuple[str, ...] = (),
) -> Evaluation:
    """Every metric is the mean over the starts of what `by_start` in the details holds."""
    series, horizon, values = task.series, task.spec.n_horizon, forecast.values
    truth = segments(series.values, task.starts, horizon)
    course = rmse_course(values, truth, task.spread)
    by_start = {"rmse": course.mean(axis=1), "nrmse": nrmse(values, truth, task.spread), "smape": smape(values, truth),
                "nrmse_one_step": nrmse(values[:, :1], truth[:, :1], task.spread)}  # fmt: skip
    for suffix, threshold in VPT_THRESHOLDS.items():
        steps = valid_prediction_steps(course, threshold)
        by_start[f"vpt_steps{suffix}"] = steps.astype(float)
        if series.lyapunov_exponent is not None:
            by_start[f"vpt_lyapunov{suffix}"] = steps * series.dt * series.lyapunov_exponent
    metrics = {name: float(v.mean()) for name, v in by_start.items()}
    by_start["cut"] = forecast.cut.mean(axis=(1, 2))
    activity = () if drive is None else warnings_of_activity(drive.spikes_per_value, task.spec.hold_ms)
    outcome = Outcome(
        arm=label.arm, stage=label.stage, method=label.method, seed=label.seed, metrics=metrics,
        costs=_costs(drive, choice), network=facts_of_network(network), wall_s=time.perf_counter() - started,
        warnings=(*activity, *warnings, *_told_of_cuts(float(by_start["cut"].mean()))), versions=versions(),
    )  # fmt: skip
    details: dict[str, Any] = {
        "by_start": {name: v.tolist() for name, v in by_start.items()},
        "forecast": {
            "dt": series.dt, "lyapunov_exponent": series.lyapunov_exponent,
            "variable_names": list(series.variable_names), "transform": task.transform.kind,
            "truth": truth[0].tolist(), "prediction": values[0].tolist(),
            "vpt_lyapunov_by_start": by_start.get("vpt_lyapunov_04", by_start["vpt_steps_04"]).tolist(),
            "cut_share": float(by_start["cut"].mean()),
        },
    }  # fmt: skip
    if choice is not None:
        details["readout"] = {**choice.chosen, "tried": choice.tried}
    fitted = None if choice is None else replace(choice.readout, grid=task.grid)
    return Evaluation(outcome, fitted, details)


def _told_of_cuts(share: float) -> tuple[str, ...]:
    if not share:
        return ()
    how_many = "less than 1 %" if share < 0.01 else f"{100 * share:.0f} %"
    return (
        f"{how_many} of the forecast values ran away and were cut to the limits, the training range and the last "
        "known value widened by half the range, which hold for every method",
    )


def _costs(drive: NetworkDrive | None, choice: Choice | None) -> dict[str, Any]:
    """Costs per value shown to the network, over all that were, with one application of the readout each."""
    if choice is None:
        return {}
    synops_readout = sum(weight.size for weight, _ in choice.readout.layers)
    if drive is None:
        return {"synops_readout": synops_readout, "footprint_bytes": choice.readout.n_bytes}
    return drive.costs(synops_readout, choice.readout.n_bytes)
