"""The document of `hrsnn analyse`: its values, as they are read back, and what they say in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hrsnn._checks import require
from hrsnn.report.findings import FEW_SEEDS
from hrsnn.report.parts.document import Part, Range
from hrsnn.report.parts.words import Finding, Kind, listed, quantity, with_sign, within
from hrsnn.vocabulary import GROUPS

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


@dataclass(frozen=True, slots=True)
class Player:
    """The Shapley value of one group of parameters, `name` in words."""

    name: str
    mean: float
    within: Range | None

    @property
    def kind(self) -> Kind:
        if self.within is None:
            return "open"
        return "none" if self.within[0] <= 0 <= self.within[1] else "plain"

    @property
    def value(self) -> str:
        return f"{with_sign(self.mean)} {within(self.within)}".rstrip()


def findings(whole: Part) -> list[Finding]:
    """What the numbers mean, one sentence each."""
    about = (_memory, _efficiency, _separation, _stability, _heterogeneity, _silence, _importance)
    said = [finding for part in about for finding in part(whole)]
    return said or [Finding("plain", "Nothing was measured.")]


def _memory(whole: Part) -> Iterator[Finding]:
    capacity, memory = whole.number("memory_capacity"), whole.part("memory")
    interval, alone, sample_ms = memory.interval(), memory.number("input_only"), duration_ms(whole)
    if capacity is None:
        return
    what, lasts_ms = f"{quantity(capacity)} {within(interval)}".rstrip(), capacity * sample_ms if sample_ms else None
    span = f"{quantity(lasts_ms)} ms of input at {quantity(sample_ms)} ms a sample"
    yield Finding("plain", f"The state holds {what} past input samples, {span}.")
    control = f"the {quantity(alone)} samples that the same readout recovers from the input spikes alone"
    if interval is None or alone is None:
        yield Finding("open", f"Without an interval it cannot be told from {control}.")
        return
    low, high = interval[0] - alone, interval[1] - alone
    if low > 0:
        yield Finding("gain", f"The network adds {quantity(capacity - alone)} {within((low, high))} to {control}.")
    elif high < 0:
        yield Finding("loss", f"The network loses {quantity(alone - capacity)} {within((-high, -low))} of {control}.")
    else:
        yield Finding("none", f"The network adds no measurable memory: the interval contains {control}.")


def _efficiency(whole: Part) -> Iterator[Finding]:
    spikes, each, rate = (whole.number(n) for n in ("spikes_per_neuron", "spike_efficiency", "mean_rate_hz"))
    if spikes:
        spent = f"{quantity(spikes)} spikes per neuron on a sample ({quantity(rate)} Hz)"
        yield Finding("plain", f"It spends {spent}: {quantity(each)} samples of memory per spike.")
    elif spikes is not None:
        yield Finding("plain", "The network does not spike, so its memory has no efficiency.")


def _separation(whole: Part) -> Iterator[Finding]:
    rank, separation = whole.number("separation_rank"), whole.part("separation")
    n, copies = (quantity(separation.number(name)) for name in ("n_stimuli", "generalisation"))
    if rank is not None:
        text = f"{n} different stimuli fill {dimensions(rank)} of the state (99 % rank), "
        yield Finding("plain", f"{text}jittered copies of one stimulus {copies}.")


def _stability(whole: Part) -> Iterator[Finding]:
    largest, lyapunov, interval = whole.number("lyapunov_max_per_ms"), whole.part("lyapunov"), of_largest(whole)
    if largest is None:
        return
    value, gain = f"{quantity(largest)} {within(interval)}".rstrip(), lyapunov.number("surrogate_gain")
    how = "no neuron spikes, so this is the slowest leak" if gain == 0 else f"surrogate gain {quantity(gain)}"
    gains = by_gain(lyapunov)
    ends = [pick(gains, key=lambda point: point[1], default=(0.0, 0.0)) for pick in (min, max)]
    low, high = interval or (largest, largest)
    if ends[0][1] < 0 < ends[1][1]:
        told = " and ".join(f"{quantity(y)} per ms at gain {quantity(x)}" for x, y in ends)
        yield Finding(
            "open", f"Undecided: the sign of the largest Lyapunov exponent depends on the surrogate ({told})."
        )
    elif low <= 0 <= high:
        text = f"Neither stable nor unstable: the largest Lyapunov exponent is {value} per ms, not told from 0 ({how})."
        yield Finding("plain", text)
    else:
        word, fate = ("Stable", "halve") if high < 0 else ("Unstable", "double")
        text = f"{word}: the largest Lyapunov exponent is {value} per ms, so small changes {fate} every "
        yield Finding("plain", f"{text}{quantity(math.log(2) / abs(largest))} ms ({how}).")


def _heterogeneity(whole: Part) -> Iterator[Finding]:
    value, epsilon = whole.number("heterogeneity"), whole.part("heterogeneity_detail").number("epsilon")
    if value is None or not epsilon:
        return
    least = math.log(epsilon)
    if value <= least + 1e-6:
        yield Finding("plain", f"Homogeneous: H is {quantity(value)} nats per parameter, the least there is.")
    else:
        against = f"{quantity(least)} is a homogeneous network"
        yield Finding("plain", f"Heterogeneity H is {quantity(value)} nats per parameter; {against}.")


def _silence(whole: Part) -> Iterator[Finding]:
    share = whole.part("firing").number("silent_share")
    if share is not None:
        who = f"{quantity(100 * share)} % of the neurons are silent" if share else "Every neuron spikes"
        yield Finding("plain", f"{who} under the drive.")


def _importance(whole: Part) -> Iterator[Finding]:
    n_seeds, importance = whole.part("importance").number("n_seeds"), players_of(whole)
    seeds = "1 seed" if n_seeds == 1 else f"{quantity(n_seeds)} seeds"
    for name, players in importance.items():
        measurable = [f"{player.name} {player.value}" for player in players if player.kind != "none"]
        nothing = [player.name for player in players if player.kind == "none"]
        parts = filter(None, (", ".join(measurable), f"nothing measurable for {listed(nothing)}" if nothing else ""))
        kind: Kind = "open" if any(p.kind == "open" for p in players) else "plain" if measurable else "none"
        caution = "; without intervals this is not yet a finding" if kind == "open" else ""
        yield Finding(kind, f"What heterogeneity adds to {measure(name)}: {'; '.join(parts)} ({seeds}){caution}.")
    if importance and n_seeds is not None and 1 < n_seeds < FEW_SEEDS:
        few = f"With only {quantity(n_seeds)} seeds the intervals of importance are uncertain themselves"
        yield Finding("plain", f"{few}; use 5 or more.")


def of_largest(whole: Part) -> Range | None:
    """The interval of the largest exponent, per ms."""
    largest = whole.number("lyapunov_max_per_ms")
    error = next(iter(whole.part("lyapunov").numbers("standard_error_per_ms")), None)
    return (largest - N_ERRORS * error, largest + N_ERRORS * error) if largest is not None and error else None


def players_of(whole: Part) -> dict[str, list[Player]]:
    """The players of every quantity, the most important first."""
    quantities = whole.part("importance").part("quantities")
    found: dict[str, list[Player]] = {}
    for name, table in ((name, quantities.part(name)) for name in quantities.values):
        parts = [(GROUPS[group].words if group in GROUPS else group, table.part(group)) for group in table.values]
        players = [Player(p, mean, v.interval()) for p, v in parts if (mean := v.number("mean")) is not None]
        found[name] = sorted(players, key=lambda player: -abs(player.mean))
    return {name: players for name, players in found.items() if players}


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


def measure(name: str) -> str:
    return MEASURES[name][0] if name in MEASURES else name
