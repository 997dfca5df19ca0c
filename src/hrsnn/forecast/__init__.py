"""Forecasts of a series: drive a dynamic system with it, read out the next value, feed the forecast back.

A `Drive` is whatever turns values into features: a spiking network, the encoded input alone, an echo state network.
All of them share one protocol, one ridge readout, one transform of the series and one score, so that only the features
differ. Forecasts without features (the last value again, the last season again) go through the same score.

Every forecast of every method is kept within limits around its start (`Limits`): one that runs away is scored as far
off, not as infinite. How many values were cut is told beside the score.

Shapes: B starts forecast side by side, T values, D variables, F features.
"""

from hrsnn.forecast.drives import (
    EchoStateDrive,
    InputDrive,
    LagDrive,
    NetworkDrive,
    NvarDrive,
    order_of,
)
from hrsnn.forecast.live import continued, followed
from hrsnn.forecast.protocol import (
    check_readout,
    evaluate_network,
    forecast_by,
    repeated,
    validate_network,
    without_noise,
)
from hrsnn.forecast.running import Drive
from hrsnn.forecast.season import period_of
from hrsnn.forecast.spec import OWN_SERIES, ForecastSpec
from hrsnn.forecast.task import ForecastTask
from hrsnn.forecast.transforms import Limits, Transform

__all__ = [
    "OWN_SERIES",
    "Drive",
    "EchoStateDrive",
    "ForecastSpec",
    "ForecastTask",
    "InputDrive",
    "LagDrive",
    "Limits",
    "NetworkDrive",
    "NvarDrive",
    "Transform",
    "check_readout",
    "continued",
    "evaluate_network",
    "followed",
    "forecast_by",
    "order_of",
    "period_of",
    "repeated",
    "validate_network",
    "without_noise",
]
