"""Heterogeneous recurrent spiking neural networks: design, train, analyse and deploy them.

>>> import hrsnn
>>> spec = hrsnn.NetworkSpec.preset("HeNHeS", n_inputs=20, n_neurons=100)
>>> hrsnn.build(spec, seed=0).n_neurons
100

Names are imported at first use, so that `import hrsnn` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hrsnn._version import __version__

if TYPE_CHECKING:
    from hrsnn import plot as plot
    from hrsnn import torch as torch
    from hrsnn._checks import HrsnnError as HrsnnError
    from hrsnn._checks import InputError as InputError
    from hrsnn.analysis.cost import Costs as Costs
    from hrsnn.calibration import calibrate as calibrate
    from hrsnn.distributions import Constant as Constant
    from hrsnn.distributions import Curve as Curve
    from hrsnn.distributions import Distribution as Distribution
    from hrsnn.distributions import Empirical as Empirical
    from hrsnn.distributions import Gamma as Gamma
    from hrsnn.distributions import LogNormal as LogNormal
    from hrsnn.distributions import Normal as Normal
    from hrsnn.distributions import Uniform as Uniform
    from hrsnn.engine import Record as Record
    from hrsnn.engine import Recording as Recording
    from hrsnn.engine import State as State
    from hrsnn.engine import Stream as Stream
    from hrsnn.engine import simulate as simulate
    from hrsnn.engine import stream as stream
    from hrsnn.estimators import HRSNNClassifier as HRSNNClassifier
    from hrsnn.estimators import HRSNNForecaster as HRSNNForecaster
    from hrsnn.exchange import from_nir as from_nir
    from hrsnn.exchange import to_nir as to_nir
    from hrsnn.layers import stack as stack
    from hrsnn.layers import unstack as unstack
    from hrsnn.network import Network as Network
    from hrsnn.network_file import load as load
    from hrsnn.network_file import save as save
    from hrsnn.outcome import Outcome as Outcome
    from hrsnn.predictor import load_run as load_run
    from hrsnn.recommendation import recommended as recommended
    from hrsnn.spec import NetworkSpec as NetworkSpec
    from hrsnn.spikes import Spikes as Spikes
    from hrsnn.tables import StdpRule as StdpRule
    from hrsnn.tasks import evaluate as evaluate
    from hrsnn.tasks import load_task as load_task
    from hrsnn.tasks import predict as predict
    from hrsnn.train import learn as learn
    from hrsnn.verbs import analyse as analyse
    from hrsnn.verbs import export as export
    from hrsnn.verbs import prune as prune
    from hrsnn.verbs import run as run
    from hrsnn.verbs import search as search
    from hrsnn.verbs import search_arms as search_arms
    from hrsnn.wiring import build as build

_HOME = {
    "HrsnnError": "_checks",
    "InputError": "_checks",
    "Costs": "analysis.cost",
    "calibrate": "calibration",
    "Constant": "distributions",
    "Curve": "distributions",
    "Distribution": "distributions",
    "Empirical": "distributions",
    "Gamma": "distributions",
    "LogNormal": "distributions",
    "Normal": "distributions",
    "Uniform": "distributions",
    "Record": "engine",
    "Recording": "engine",
    "State": "engine",
    "Stream": "engine",
    "simulate": "engine",
    "stream": "engine",
    "HRSNNClassifier": "estimators",
    "HRSNNForecaster": "estimators",
    "from_nir": "exchange",
    "to_nir": "exchange",
    "stack": "layers",
    "unstack": "layers",
    "Network": "network",
    "StdpRule": "tables",
    "load": "network_file",
    "save": "network_file",
    "Outcome": "outcome",
    "load_run": "predictor",
    "recommended": "recommendation",
    "NetworkSpec": "spec",
    "Spikes": "spikes",
    "evaluate": "tasks",
    "load_task": "tasks",
    "predict": "tasks",
    "learn": "train",
    "analyse": "verbs",
    "export": "verbs",
    "prune": "verbs",
    "run": "verbs",
    "search": "verbs",
    "search_arms": "verbs",
    "build": "wiring",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name in ("plot", "torch"):  # modules, with libraries of their own
        return import_module(f"hrsnn.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'hrsnn' has no attribute {name!r}")
    value = getattr(import_module(f"hrsnn.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, "plot", "torch"})
