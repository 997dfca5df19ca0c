"""Estimators of scikit-learn: `fit`, `predict` and `score` around a network and its readout.

They bring arrays to spikes and back, and use for all between what the library has: the recommended recipe, calibration,
the rules of learning, the readouts that held-out training data choose. `network_` is a `Network` like any other.
"""

from hrsnn.estimators.classifier import HRSNNClassifier
from hrsnn.estimators.forecaster import HRSNNForecaster
from hrsnn.estimators.series import windows

__all__ = ["HRSNNClassifier", "HRSNNForecaster", "windows"]
