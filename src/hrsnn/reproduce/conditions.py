"""What the atlas compares: kinds of heterogeneity and conditions, as tables of records; one more of either is one line.

A cell is a condition x a kind, and a kind says which laws have a spread and what membranes of different time constants
share (`network.gain`). Networks of a cell are paired with those of its twin, the same without the spread: positions,
wiring, input, order of recordings are the same numbers for the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# -- kinds of heterogeneity --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """Networks by what of them has a spread.

    label     over a column; `words` in a sentence: "with ..."
    spread    names of groups of laws (`hrsnn.vocabulary.GROUPS`) that have one; all other groups are at their means
    gain      `network.gain`
    learned   whether networks learn by STDP
    twin      the kind without spread that it is compared with; "" of those themselves
    """

    name: str
    label: str
    words: str
    spread: tuple[str, ...] = ()
    gain: Literal["resistance", "variance", "capacitance"] = "resistance"
    learned: bool = False
    twin: str = "HoN"


_TAU, _BOTH, _STDP = ("tau_mem",), ("tau_mem", "v_th"), ("a", "tau_stdp")
_R, _V, _C = "equal resistance", "equal variance", "equal capacitance"
KINDS = {
    kind.name: kind
    for kind in (
        Kind("HoN", "none", "homogeneous neurons", twin=""),
        Kind("tau-R", "τ, R", f"spread of time constants, {_R}", _TAU),
        Kind("tau-V", "τ, √", f"spread of time constants, {_V}", _TAU, "variance"),
        Kind("tau-C", "τ, C", f"spread of time constants, {_C}", _TAU, "capacitance"),
        Kind("v_th", "v_th", "spread of thresholds", ("v_th",)),
        Kind("both-R", "both, R", f"spread of both, {_R}", _BOTH),
        Kind("both-V", "both, √", f"spread of both, {_V}", _BOTH, "variance"),
        Kind("both-C", "both, C", f"spread of both, {_C}", _BOTH, "capacitance"),
        Kind("HoS", "none", "homogeneous plasticity", learned=True, twin=""),
        Kind("HeS", "STDP", "spread of the plasticity of synapses", _STDP, learned=True, twin="HoS"),
    )
}  # fmt: skip

# -- conditions --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Networks:
    """Which networks see which task; conditions that share them share their simulations.

    case         of `hrsnn.reproduce.atlas_tasks.CASES`
    tau          factor on the mean of all membrane time constants, their relative spread being kept
    drive        factor on all input weights
    calibrated   input weights by the rule of `[input] calibrate`, for each network
    size         factor on the number of neurons
    """

    case: str = "digits"
    tau: float = 1.0
    drive: float = 1.0
    calibrated: bool = False
    size: float = 1.0

    @property
    def name(self) -> str:
        """
        >>> Networks(tau=0.25).name, Networks("wind").name
        ('digits_tau0.25', 'wind')
        """
        factors = [f"{part}{value:g}" for part in ("tau", "drive", "size") if (value := getattr(self, part)) != 1]
        return "_".join([self.case, *factors, *(["calibrated"] if self.calibrated else [])])


@dataclass(frozen=True, slots=True)
class Condition:
    """What is scored of which networks.

    group, label   under which head, and as what, it stands on the map; `when` in a sentence: "when ..."
    readout    "bins" as the config of the task has it, "count" one count of each neuron, "filtered" the final state
    speed      at which the recordings of the test part are played; training keeps its own
    share      of the training and the validation part that the readout is fitted on
    metric     of `hrsnn.vocabulary.METRICS`
    learned    whether kinds that learn are compared as well
    """

    group: str
    label: str
    when: str
    of: Networks = Networks()
    readout: Literal["bins", "count", "filtered"] = "bins"
    speed: float = 1.0
    share: float = 1.0
    metric: str = "accuracy"
    learned: bool = False

    @property
    def name(self) -> str:
        """
        >>> Condition("speed", "×0.4", "...", speed=0.4).name
        'digits_speed0.4'
        """
        facts: list[str] = [self.readout] if self.readout != "bins" else []
        facts += [f"{part}{value:g}" for part in ("speed", "share") if (value := getattr(self, part)) != 1]
        plain = self.metric in ("accuracy", "rmse")
        return "_".join([self.of.name, *facts, *([] if plain else [self.metric])])

    def kinds(self) -> list[Kind]:
        """Those that are measured under it, twins among them."""
        return [kind for kind in KINDS.values() if self.learned or not kind.learned]


_MEMBRANE, _DRIVE, _SPEED = "mean time constant (digits)", "input weights (digits)", "speed of test recordings (digits)"
_READOUT, _TRAIN, _SIZE = "readout (digits)", "training recordings (digits)", "neurons (digits)"
_SPEAKERS, _SERIES, _DELAYED, _OWN = "speakers", "forecasts", "delayed answers", "labelled series"
_UNHEARD, _HEARD = "accuracy_unseen", "accuracy_seen"

CONDITIONS = (
    Condition(_READOUT, "time bins", "spikes are read out in time bins", learned=True),
    Condition(_READOUT, "one count", "the readout has one count of each neuron", readout="count"),
    Condition(_READOUT, "final state", "the readout sees the final filtered state alone", readout="filtered"),
    Condition(_MEMBRANE, "× 1/4", "membranes are four times too fast", Networks("digits-1ms", tau=0.25)),
    Condition(_MEMBRANE, "× 1/2", "membranes are twice too fast", Networks(tau=0.5)),
    Condition(_MEMBRANE, "× 2", "membranes are twice too slow", Networks(tau=2.0)),
    Condition(_MEMBRANE, "× 4", "membranes are four times too slow", Networks(tau=4.0)),
    Condition(_DRIVE, "× 1/4", "the input is four times too weak", Networks(drive=0.25)),
    Condition(_DRIVE, "× 1/2", "the input is half as strong as it should be", Networks(drive=0.5)),
    Condition(_DRIVE, "× 2", "the input is twice too strong", Networks(drive=2.0)),
    Condition(_DRIVE, "× 4", "the input is four times too strong", Networks(drive=4.0)),
    Condition(_DRIVE, "calibrated", "the input is calibrated to a rate", Networks(calibrated=True)),
    Condition(_SPEED, "× 0.4", "words are spoken at 0.4 of the speed in training", speed=0.4),
    Condition(_SPEED, "× 0.63", "words are spoken at 0.63 of the speed in training", speed=0.63),
    Condition(_SPEED, "× 1.6", "words are spoken 1.6 times as fast as in training", speed=1.6),
    Condition(_SPEED, "× 2.5", "words are spoken 2.5 times as fast as in training", speed=2.5),
    Condition(_TRAIN, "a tenth", "a tenth of the recordings train", share=0.1),
    Condition(_TRAIN, "a quarter", "a quarter of the recordings trains", share=0.25),
    Condition(_SIZE, "a quarter", "there are few neurons", Networks(size=0.25)),
    Condition(_SIZE, "twice", "there are twice as many neurons", Networks(size=2.0)),
    Condition(_SPEAKERS, "digits, heard", "speakers were heard in training", metric=_HEARD),
    Condition(_SPEAKERS, "digits, unheard", "speakers of the digits were never heard", metric=_UNHEARD),
    Condition(_SPEAKERS, "hd-spikes, unheard", "speakers of hd-spikes were never heard", Networks("hd-spikes"),
              metric=_UNHEARD),
    Condition(_SPEAKERS, "fsdd, unheard", "the speaker of fsdd was never heard", Networks("fsdd"), metric=_UNHEARD),
    Condition(_SERIES, "Lorenz-63", "Lorenz-63 is forecast", Networks("lorenz63"), metric="rmse", learned=True),
    Condition(_SERIES, "Lorenz-96", "Lorenz-96 of two scales is forecast", Networks("lorenz96"), metric="rmse"),
    Condition(_SERIES, "Mackey-Glass", "Mackey-Glass is forecast", Networks("mackey-glass"), metric="rmse"),
    Condition(_SERIES, "wind", "wind is forecast", Networks("wind"), metric="rmse"),
    Condition(_DELAYED, "recall, 150 ms", "a cue is recalled after 150 ms", Networks("recall-150"), learned=True),
    Condition(_DELAYED, "recall, 300 ms", "a cue is recalled after 300 ms", Networks("recall-300")),
    Condition(_DELAYED, "match, 150 ms", "two cues 150 ms apart are compared", Networks("match-150")),
    Condition(_DELAYED, "match, 300 ms", "two cues 300 ms apart are compared", Networks("match-300")),
    Condition(_OWN, "shapes", "labelled series are told apart by their shape", Networks("shapes"), learned=True),
)  # fmt: skip


def sharing(conditions: Sequence[Condition]) -> dict[Networks, list[Condition]]:
    """Conditions by the networks that they share, in order."""
    found: dict[Networks, list[Condition]] = {}
    for condition in conditions:
        found.setdefault(condition.of, []).append(condition)
    return found
