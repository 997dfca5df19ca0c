"""What is recommended for data that no network was tuned for: network and readout of the demonstrations.

Recordings get the tonotopic sheet of spoken-digits, its windows fitted to the number of channels; series get the
network of google-stock. How strongly channels spike differs from data to data, so input weights are calibrated.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from hrsnn._checks import instance
from hrsnn.data.dataset import Splits
from hrsnn.data.readers import Kind
from hrsnn.forecast import ForecastTask
from hrsnn.forecast.spec import OWN_SERIES
from hrsnn.readout import ReadoutSpec
from hrsnn.spec import NetworkSpec, PopulationSpec, validated

Tables = dict[str, dict[str, Any]]

_CHANNELS_HEARD = 12  # by a neuron of the sheet: of so many neighbours
_SYNAPSES_HEARD = 7.2  # that it has on the average; both as in the demonstration, 12 of 140 channels with p = 0.6
_OWN_INPUT: dict[str, Any] = {"calibrate": True}
_SERIES_INPUT: dict[str, Any] = {"calibrate": True, "target_hz": 60.0, "inhibitory_ratio": 1.5}
_OF_DATA = ("name", "n_seeds", "arms", "dt_ms", "n_channels", "max_ms", "stretch_ms", "tail_ms")


def recommended(task: Splits | ForecastTask, arm: str = "HeNHeS", **changes: Any) -> NetworkSpec:
    """The network that is recommended for a task, as one of the four arms; `changes` are fields of the spec.

    Input weights are to be calibrated (`hrsnn.calibrate`) once it is built; a run does that by itself.

    >>> import hrsnn
    >>> spec = recommended(hrsnn.load_task("spoken-digits"), "HeNHoS", n_neurons=100)
    >>> spec.n_inputs, spec.dt_ms, round(spec.input.span, 3), spec.input.calibrate
    (140, 1.0, 0.086, True)
    """
    instance("recommended", "task", task, Splits, ForecastTask)
    kind: Kind = "series" if isinstance(task, ForecastTask) else "recordings"
    fields = fields_of_spec(kind, n_inputs=task.n_inputs, dt_ms=task.dt_ms)
    return validated(NetworkSpec, {**fields, **changes}).arm(arm)


def recommended_readout(task: Splits | ForecastTask) -> ReadoutSpec:
    """The readout that is recommended for a task.

    >>> import hrsnn
    >>> recommended_readout(hrsnn.load_task("spoken-digits")).n_bins
    [4, 6]
    """
    instance("recommended_readout", "task", task, Splits, ForecastTask)
    kind: Kind = "series" if isinstance(task, ForecastTask) else "recordings"
    return validated(ReadoutSpec, tables_of(kind)["readout"])


def fields_of_spec(kind: Kind, *, n_inputs: int, dt_ms: float) -> dict[str, Any]:
    """The fields of `NetworkSpec`, plain tables, that are recommended for data of a kind.

    >>> fields = fields_of_spec("labelled", n_inputs=24, dt_ms=1.0)
    >>> fields["input"]["span"], fields["input"]["calibrate"], fields["inhibitory"]["t_ref_ms"]
    (0.5, True, 2.0)
    """
    tables = tables_of(kind, n_inputs=n_inputs)
    network: dict[str, Any] = dict(tables["network"])
    network |= {name: tables[name] for name in ("input", "synapses", "plasticity") if name in tables}
    shared = {name: network.pop(name) for name in list(network) if name in PopulationSpec.model_fields}
    for sign in ("excitatory", "inhibitory"):
        network[sign] = {**shared, **network.get(sign, {})}
    return {**network, "n_inputs": n_inputs, "dt_ms": dt_ms}


def tables_of(kind: Kind, *, n_inputs: int | None = None) -> Tables:
    """The tables of a config for own data of a kind, but what belongs to the data themselves.

    With `n_inputs` the windows and the number of input synapses are those for so many channels.
    """
    series = kind == "series"
    tables = {name: dict(table) for name, table in _preset("google-stock" if series else "spoken-digits").items()}
    tables.pop("prune", None)
    task = {name: value for name, value in tables["task"].items() if name not in _OF_DATA}
    if series:
        task["forecast"] = {
            name: value for name, value in task["forecast"].items() if name not in OWN_SERIES
        } | OWN_SERIES
        task["controls"] = list(dict.fromkeys([*task["controls"], "seasonal-naive", "ar"]))
        tables["input"] |= _SERIES_INPUT
    else:
        if kind == "recordings":  # of sounds; events and labelled series have a grid of their own
            task |= {name: tables["task"][name] for name in ("dt_ms", "stretch_ms", "tail_ms")}
        tables["input"] |= _OWN_INPUT
        if n_inputs is not None:
            span = min(1.0, _CHANNELS_HEARD / n_inputs)
            tables["input"] |= {"span": span, "p_connect": min(1.0, _SYNAPSES_HEARD / (span * n_inputs))}
    tables["task"] = task
    return tables


@lru_cache(maxsize=2)
def _preset(name: str) -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(resources.files("hrsnn").joinpath("presets", f"{name}.toml").read_text("utf-8"))
