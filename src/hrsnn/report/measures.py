"""The document of `hrsnn analyse`: its values, as they are read back, and what they say in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hrsnn._checks import require
from hrsnn.report.findings import FEW_SEEDS
from hrsnn.report.parts.document import Part, Range
from hrsnn.report.parts.words import Finding, Kind, listed, quantity, told, with_sign, within
from hrsnn.vocabulary import ANALYSIS

N_ERRORS = 2  # standard errors on either side of an exponent: about 95 %

# What a measure is called, what it is counted in, and what it says.
MEASURES = {
    "memory_capacity": ("memory capacity C", "input samples",
        "How many past input samples a linear readout recovers from the state: the sum over delays of the squared "
        "correlation of the sample with its reconstruction."),
    "spikes_per_neuron": ("spikes per neuron", "per input sample",
        "What that memory costs: spikes of one recurrent neuron while one input sample is shown, on average."),
    "spike_efficiency": ("spike efficiency E", "input samples per spike",
        "Memory capacity over spikes per neuron. A quiet network is efficient with little memory, so read it with C."),
    "separation_rank": ("separation rank", "dimensions",
        "Directions of the state that different stimuli use: singular values that make up 99 % of the sum of all."),
    "lyapunov_max_per_ms": ("largest Lyapunov exponent", "per ms",
        "How fast the fastest growing small change of the state grows under the same input; below 0 the network "
        "forgets where it started."),
    "heterogeneity": ("heterogeneity H", "nats per parameter",
        "How much neurons and synapses differ: ln det of the covariance of their parameters, each over its mean."),
    "mean_rate_hz": ("mean firing rate", "Hz", "Spikes of a recurrent neuron per second."),
}  # fmt: skip
PLAYERS = {
    "tau_mem": "membrane time constant",
    "v_th": "threshold",
    "a": "STDP amplitudes",
    "tau_stdp": "STDP time constants",
}


@dataclass(frozen=True, slots=True)
class Player:
    """The Shapley value of one group of parameters."""

    name: str
    mean: float
    within: Range | None

    @property
    def kind(self) -> Kind:
        if self.within is None:
            return "open"
        return "none" if self.within[0] <= 0 <= self.within[1] else "plain"


@dataclass(frozen=True, slots=True)
class Exponents:
    """The largest exponent with its interval, per ms; `gain` of the surrogate, 0 where the network was silent."""

    largest: float
    within: Range | None
    gain: float | None


def read(document: Mapping[str, Any]) -> Part:
    """The document of `hrsnn analyse --json`; raises `InputError` for another schema."""
    ANALYSIS.checked(document)
    return Part("", document)


# -- in sentences ------------------------------------------------------------------------------------------------------


def findings(document: Mapping[str, Any]) -> list[Finding]:
    """What the numbers mean, one sentence each; raises `InputError` for a document of another schema."""
    whole = read(document)
    said = [
        *_of_memory(whole),
        *_of_efficiency(whole),
        *_of_separation(whole),
        *_of_stability(whole),
        *_of_heterogeneity(whole),
        *_of_silence(whole),
        *_of_importance(whole.part("importance")),
    ]
    return said or [Finding("plain", "Nothing was measured.")]


def _of_memory(whole: Part) -> list[Finding]:
    capacity, memory = whole.number("memory_capacity"), whole.part("memory")
    if capacity is None:
        return []
    interval, alone, sample_ms = memory.interval("ci95"), memory.number("input_only"), duration_ms(whole)
    what = f"{told(capacity)} {within(interval)}".rstrip()
    span = "" if sample_ms is None else f", {told(capacity * sample_ms)} ms of input at {told(sample_ms)} ms a sample"
    said = [Finding("plain", f"The state holds {what} past input samples{span}.")]
    if alone is None:
        return said
    control = "the same readout recovers from the input spikes alone"
    if interval is None:
        text = f"Without an interval it cannot be told from the {told(alone)} samples that {control}."
        return [*said, Finding("open", text)]
    low, high = interval[0] - alone, interval[1] - alone
    if low > 0:
        more = f"{told(capacity - alone)} {within((low, high))}"
        return [*said, Finding("gain", f"The network adds {more} to the {told(alone)} samples that {control}.")]
    if high < 0:
        less = f"{told(alone - capacity)} {within((-high, -low))}"
        return [*said, Finding("loss", f"The network loses {less} of the {told(alone)} samples that {control}.")]
    text = f"The network adds no measurable memory: the interval contains the {told(alone)} samples that {control}."
    return [*said, Finding("none", text)]


def _of_efficiency(whole: Part) -> list[Finding]:
    efficiency, spikes, rate = (whole.number(n) for n in ("spike_efficiency", "spikes_per_neuron", "mean_rate_hz"))
    if spikes is None:
        return []
    if spikes == 0:
        return [Finding("plain", "The network does not spike, so its memory has no efficiency.")]
    at = "" if rate is None else f" ({told(rate)} Hz)"
    each = "" if efficiency is None else f": {told(efficiency)} samples of memory per spike"
    return [Finding("plain", f"It spends {told(spikes)} spikes per neuron on a sample{at}{each}.")]


def _of_separation(whole: Part) -> list[Finding]:
    rank, separation = whole.number("separation_rank"), whole.part("separation")
    n, copies = separation.number("n_stimuli"), separation.number("generalisation")
    if rank is None:
        return []
    stimuli = "Different stimuli" if n is None else f"{quantity(n)} different stimuli"
    text = f"{stimuli} fill {dimensions(rank)} of the state (99 % rank)"
    if copies is not None:
        text += f", jittered copies of one stimulus {quantity(copies)}"
    return [Finding("plain", f"{text}.")]


def _of_stability(whole: Part) -> list[Finding]:
    found = largest_exponent(whole)
    if found is None:
        return []
    low, high = found.within or (found.largest, found.largest)
    value = f"{told(found.largest)} {within(found.within)}".rstrip()
    if found.gain == 0:
        how = "no neuron spikes, so this is the slowest leak"
    else:
        how = "estimated with a surrogate" if found.gain is None else f"surrogate gain {told(found.gain)}"
    gains = by_gain(whole.part("lyapunov"))
    lowest, highest = (pick(gains, key=lambda point: point[1], default=(0.0, 0.0)) for pick in (min, max))
    if lowest[1] < 0 < highest[1]:
        ends = " and ".join(f"{told(y)} per ms at gain {told(x)}" for x, y in (lowest, highest))
        text = f"Undecided: the sign of the largest Lyapunov exponent depends on the surrogate ({ends})."
        return [Finding("open", text)]
    if low <= 0 <= high:
        text = f"Neither stable nor unstable: the largest Lyapunov exponent is {value} per ms, not told from 0 ({how})."
    else:
        word, fate = ("Stable", "halve") if high < 0 else ("Unstable", "double")
        period = f"{told(math.log(2) / abs(found.largest))} ms"
        text = f"{word}: the largest Lyapunov exponent is {value} per ms, so small changes {fate} every {period}"
        text += f" ({how})."
    return [Finding("plain", text)]


def _of_heterogeneity(whole: Part) -> list[Finding]:
    value, epsilon = whole.number("heterogeneity"), whole.part("heterogeneity_detail").number("epsilon")
    if value is None:
        return []
    least = None if epsilon is None or epsilon <= 0 else math.log(epsilon)
    if least is not None and value <= least + 1e-6:
        return [Finding("plain", f"Homogeneous: H is {told(value)} nats per parameter, the least there is.")]
    against = "" if least is None else f"; {told(least)} is a homogeneous network"
    return [Finding("plain", f"Heterogeneity H is {told(value)} nats per parameter{against}.")]


def _of_silence(whole: Part) -> list[Finding]:
    share = whole.part("firing").number("silent_share")
    if share is None:
        return []
    who = f"{told(100 * share)} % of the neurons are silent" if share else "Every neuron spikes"
    return [Finding("plain", f"{who} under the drive.")]


def _of_importance(importance: Part) -> list[Finding]:
    said, n_seeds = [], importance.number("n_seeds")
    seeds = "" if n_seeds is None else " (1 seed)" if n_seeds == 1 else f" ({quantity(n_seeds)} seeds)"
    for name, players in players_of(importance).items():
        told_ = [f"{called(p)} {with_sign(p.mean)} {within(p.within)}".rstrip() for p in players if p.kind != "none"]
        nothing = [called(p) for p in players if p.kind == "none"]
        parts = [", ".join(told_)] if told_ else []
        parts += [f"nothing measurable for {listed(nothing)}"] if nothing else []
        kind: Kind = "open" if any(p.kind == "open" for p in players) else "plain" if told_ else "none"
        caution = "; without intervals this is not yet a finding" if kind == "open" else ""
        said.append(Finding(kind, f"What heterogeneity adds to {measure(name)}: {'; '.join(parts)}{seeds}{caution}."))
    if said and n_seeds is not None and 1 < n_seeds < FEW_SEEDS:
        text = (
            f"With only {quantity(n_seeds)} seeds the intervals of importance are uncertain themselves; use 5 or more."
        )
        said.append(Finding("plain", text))
    return said


def largest_exponent(whole: Part) -> Exponents | None:
    largest, lyapunov = whole.number("lyapunov_max_per_ms"), whole.part("lyapunov")
    if largest is None:
        return None
    error = next(iter(lyapunov.numbers("standard_error_per_ms")), None)
    interval = None if not error else (largest - N_ERRORS * error, largest + N_ERRORS * error)
    return Exponents(largest, interval, lyapunov.number("surrogate_gain"))


def players_of(importance: Part) -> dict[str, list[Player]]:
    """The players of every quantity, the most important first."""
    quantities = importance.part("quantities")
    found: dict[str, list[Player]] = {}
    for name in quantities.values:
        table = quantities.part(name)
        parts = [(player, table.part(player)) for player in table.values]
        players = [Player(p, mean, v.interval()) for p, v in parts if (mean := v.number("mean")) is not None]
        if players:
            found[name] = sorted(players, key=lambda player: -abs(player.mean))
    return found


def by_gain(lyapunov: Part) -> list[tuple[float, float]]:
    """The largest exponent by gain, rising gains."""
    values = lyapunov.part("gains")
    try:
        return sorted((float(gain), y) for gain, y in values.known().items() if float(gain) > 0)
    except ValueError:
        require(False, "analysis.json", "lyapunov.gains", "must have numbers for names", list(values.values))
        raise


def duration_ms(whole: Part) -> float | None:
    return whole.part("memory").part("settings").number("sample_ms")


def dimensions(n: float) -> str:
    return "1 dimension" if n == 1 else f"{quantity(n)} dimensions"


def called(player: Player) -> str:
    return PLAYERS.get(player.name, player.name)


def measure(name: str) -> str:
    return MEASURES[name][0] if name in MEASURES else name
