"""The words of the product, once: metrics, costs, arms, controls and the kinds of documents, as tables of records.

Whoever says one of them, sorts by it or judges by it reads it here. A metric or an arm that stands in no table is
called by its own name, and is neither better nor worse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hrsnn._checks import did_you_mean, require

# -- metrics -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Metric:
    """A score of the test part.

    words            what it is called in a sentence; `label` on an axis or over a column, where that differs
    unit             what its amounts are counted in
    kind             a share of 1, a time, an error (never negative, smaller is better) or a coefficient
    compared         whether arms are compared by it, recording by recording or start by start
    """

    name: str
    words: str
    kind: Literal["share", "time", "error", "coefficient"]
    unit: str = ""
    label: str = ""
    compared: bool = True

    @property
    def higher_is_better(self) -> bool:
        return self.kind != "error"


# In the order in which they are shown; the first of these that a run has is its headline metric.
METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", "share"),
        Metric("accuracy_seen", "accuracy on groups seen in training", "share", label="accuracy, seen"),
        Metric("accuracy_unseen", "accuracy on groups not seen in training", "share", label="accuracy, unseen"),
        Metric("vpt_lyapunov", "valid prediction time", "time", "Lyapunov times", "valid prediction (Lyapunov times)"),
        Metric(
            "vpt_lyapunov_04", "valid prediction time (threshold 0.4)", "time", "Lyapunov times",
            "valid prediction, threshold 0.4 (Lyapunov times)",
        ),
        Metric("vpt_steps", "valid prediction time", "time", "steps", "valid prediction (steps)"),
        Metric(
            "vpt_steps_04", "valid prediction time (threshold 0.4)", "time", "steps",
            "valid prediction, threshold 0.4 (steps)", compared=False,
        ),
        Metric("r2", "R²", "coefficient"),
        Metric("rmse", "RMSE", "error"),
        Metric("nrmse", "NRMSE", "error"),
        Metric("nrmse_one_step", "NRMSE of the next value", "error"),
        Metric("smape", "sMAPE", "error", compared=False),
    )
}  # fmt: skip
ERRORS = tuple(metric.name for metric in METRICS.values() if metric.kind == "error")

# What is asked next where a metric tells nothing apart.
LADDERS: Mapping[str, tuple[str, ...]] = {
    "accuracy": ("accuracy_unseen", "accuracy_seen"),
    "vpt_lyapunov": ERRORS,
    "vpt_steps": ERRORS,
}


def kind_of(metric: str) -> str | None:
    """The kind of a metric, None where it is not known.

    >>> kind_of("rmse"), kind_of("zeal")
    ('error', None)
    """
    return METRICS[metric].kind if metric in METRICS else None


def words_of(metric: str) -> str:
    return METRICS[metric].words if metric in METRICS else metric


def label_of(metric: str) -> str:
    """What stands over a column.

    >>> label_of("accuracy_seen"), label_of("rmse"), label_of("zeal")
    ('accuracy, seen', 'RMSE', 'zeal')
    """
    return METRICS[metric].label or METRICS[metric].words if metric in METRICS else metric


def unit_of(metric: str) -> str:
    """The unit as it follows a number, "" where there is none.

    >>> unit_of("vpt_steps"), unit_of("rmse")
    (' steps', '')
    """
    return f" {METRICS[metric].unit}" if metric in METRICS and METRICS[metric].unit else ""


def higher_is_better(metric: str) -> bool | None:
    """The direction of a metric, None where it is not known.

    >>> higher_is_better("accuracy"), higher_is_better("rmse"), higher_is_better("zeal")
    (True, False, None)
    """
    return METRICS[metric].higher_is_better if metric in METRICS else None


# -- costs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network spends per sample, counted; `label` over a column, "" where it has none of its own there."""

    name: str
    words: str
    label: str = ""
    is_share: bool = False


COSTS: Mapping[str, Cost] = {
    cost.name: cost
    for cost in (
        Cost("spikes_per_sample", "spikes"),
        Cost("spikes_per_neuron", "spikes per neuron", "spikes / neuron"),
        Cost("synops_recurrent", "synaptic operations, recurrent", "recurrent ops"),
        Cost("synops_input", "synaptic operations, input", "input ops"),
        Cost("synops_readout", "synaptic operations, readout", "readout ops"),
        Cost("neuron_updates", "neuron updates"),
        Cost("connection_sparsity", "connection sparsity", is_share=True),
        Cost("activation_sparsity", "activation sparsity", is_share=True),
        Cost("mean_activation", "mean activation", is_share=True),
        Cost("footprint_bytes", "footprint, bytes", "bytes"),
        Cost("footprint_bytes_neurons", "of it neurons"),
        Cost("footprint_bytes_synapses", "of it synapses"),
        Cost("footprint_bytes_state", "of it state"),
        Cost("footprint_bytes_readout", "of it readout"),
    )
}
SYNOPS = tuple(name for name in COSTS if name.startswith("synops_"))


def synops(costs: Mapping[str, float]) -> float:
    """All synaptic operations of one sample, of costs by name.

    >>> synops({"synops_input": 1.0, "synops_recurrent": 2.0, "synops_readout": 3.0, "footprint_bytes": 4.0})
    6.0
    """
    return sum(costs[name] for name in SYNOPS)


# What a budget can be set for: every cost of which less is cheaper, and all synaptic operations together.
BUDGETS: Mapping[str, str] = {
    "synops_per_sample": "synaptic operations",
    **{cost.name: cost.words for cost in COSTS.values() if not cost.name.endswith("_sparsity")},
}

# -- arms and controls -------------------------------------------------------------------------------------------------

# Homogeneous or heterogeneous neurons and synapses, the least heterogeneous first; the last two learn by gradients.
NETWORKS = ("HoNHoS", "HeNHoS", "HoNHeS", "HeNHeS", "HoNB", "HeNB")
# Of several networks the one that details are shown of.
MOST_HETEROGENEOUS = ("HeNHeS", "HeNB", "HeNHoS", "HoNHeS")


@dataclass(frozen=True, slots=True)
class ControlArm:
    """What a network is compared with; what it does is the module of its name in `hrsnn.controls`.

    name     in `task.controls`
    arm      its name in results; "" where it is a network of the run that something was taken from
    asked    as in "... against `asked`", of what the network gains over it
    place    among the rows of a table that stand before the networks
    """

    name: str
    arm: str = ""
    asked: str = ""
    place: int = 0


# In the order in which they are asked about.
CONTROLS: dict[str, ControlArm] = {
    control.name: control
    for control in (
        ControlArm("untrained"),
        ControlArm("no-recurrence"),
        ControlArm("input-only", "InputOnly", "the same readout on the encoded input alone", 3),
        ControlArm(
            "random-features", "RandomFeatures", "a static random projection of the input with as many features", 4
        ),
        ControlArm("persistence", "Persistence", "repeating the last value", 0),
        ControlArm("seasonal-naive", "SeasonalNaive", "repeating the last season", 1),
        ControlArm("ar", "AR", "a linear autoregression (AR)", 2),
        ControlArm("esn-100", "ESN-100", "an echo state network of 100 units", 6),
        ControlArm("nvar", "NVAR", "nonlinear vector autoregression (NVAR)", 5),
    )
}


def known_control(name: str) -> str:
    """`name`, where it stands in the table; else raises `InputError`."""
    known, remedy = ", ".join(CONTROLS), did_you_mean(str(name), CONTROLS)
    require(name in CONTROLS, "task", "controls", f"must be among {known}", name, remedy=remedy)
    return name


def baselines() -> tuple[str, ...]:
    """Arms without a network, in the order in which tables show them, before the networks."""
    return tuple(c.arm for c in sorted(CONTROLS.values(), key=lambda c: c.place) if c.arm)


# -- groups of parameters ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters that are made heterogeneous together, by their words in a sentence and their symbol in a figure."""

    words: str
    symbol: str


GROUPS: Mapping[str, Group] = {
    "tau_mem": Group("membrane time constant", "τ_m"),
    "v_th": Group("threshold", "v_th"),
    "a": Group("STDP amplitudes", "A±"),
    "tau_stdp": Group("STDP time constants", "τ±"),
}


# -- objectives of a search --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Objective:
    """What a search makes as large as it can, in words, and the `quantity` behind it, which is `of` it."""

    name: str
    words: str
    quantity: str
    of: Literal["itself", "minus", "logarithm", "minus decimal logarithm"] = "itself"

    def as_read(self, value: float) -> float:
        """The quantity of a value.

        >>> OBJECTIVES["spikes"].as_read(-8.5), OBJECTIVES["energy"].as_read(6.0)
        (8.5, 1.0)
        """
        if self.of == "logarithm":
            return math.exp(value)
        return {"itself": value, "minus": -value, "minus decimal logarithm": 10 ** (6 - value)}[self.of]


OBJECTIVES: Mapping[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("task", "score on the validation part", "validation score"),
        Objective("memory", "memory capacity", "memory capacity"),
        Objective("spikes", "minus the spikes per neuron, on the validation part", "spikes per neuron", "minus"),
        Objective("efficiency", "logarithm of memory capacity per spike", "memory capacity per spike", "logarithm"),
        Objective(
            "energy", "minus the decimal logarithm of the energy per sample (J), on the validation part",
            "energy per sample (µJ)", "minus decimal logarithm",
        ),
    )
}  # fmt: skip

# -- documents ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Schema:
    """A kind of document: the value of its key `schema`, and the file that it is usually in."""

    text: str
    file: str

    def checked(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The document; raises `InputError` for one of another kind.

        >>> RESULTS.checked({"schema": "hrsnn.bench/1"})
        Traceback (most recent call last):
            ...
        hrsnn._checks.InputError: `schema` of `results.json` must be hrsnn.results/1, got hrsnn.bench/1
        """
        found = document.get("schema")
        require(found == self.text, self.file, "schema", f"must be {self.text}", found)
        return document


RESULTS = Schema("hrsnn.results/1", "results.json")
CHAIN = Schema("hrsnn.chain/1", "chain.json")
ANALYSIS = Schema("hrsnn.analysis/1", "analysis.json")
SEARCH = Schema("hrsnn.search/1", "search.json")
PRUNING = Schema("hrsnn.pruning/1", "trajectory.json")
BENCH = Schema("hrsnn.bench/1", "bench.json")
CLAIMS = Schema("hrsnn.claims/1", "claims.json")
ATLAS = Schema("hrsnn.atlas/1", "atlas.json")
REPRODUCTION = Schema("hrsnn.reproduction/1", "reproduction")
SEARCHES = Schema("hrsnn.searches/1", "searches")
