"""The page of `hrsnn prune`: the network before and after, and the way between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hrsnn.report import pruning_figures as figures
from hrsnn.report.parts.document import Part
from hrsnn.report.parts.drawing import Figure
from hrsnn.report.parts.page import Page, Section, warnings_of
from hrsnn.report.parts.table import Cell, Table, named, table_of
from hrsnn.report.parts.words import Finding, quantity
from hrsnn.vocabulary import PRUNING

# What is told of the network before and after: name -> words, unit, what it is; with a ratio where that says something.
QUANTITIES = {
    "n_neurons": ("neurons", "", "", True),
    "n_recurrent_synapses": ("recurrent synapses", "", "", True),
    "n_input_synapses": ("input synapses", "", "", True),
    "mean_rate_hz": ("mean rate", "Hz", "Spikes of a recurrent neuron per second.", True),
    "silent_share": ("silent neurons", "of all", "Neurons without a spike.", False),
    "synops_recurrent_per_s": (
        "recurrent operations", "per second", "Spikes of neurons times the synapses they go over.", True),
    "synops_input_per_s": (
        "input operations", "per second", "Spikes of channels times the synapses they go over.", True),
    "synops_per_s": ("operations in all", "per second", "", True),
    "lyapunov_max_per_ms": (
        "largest exponent", "per ms", "Growth rate of small changes; below 0 they die out.", False),
    "footprint_bytes": ("memory", "bytes", "Neurons and live synapses in single precision.", True),
}  # fmt: skip
TIME_CONSTANTS = {
    "tau_mem_ms_excitatory": ("excitatory neurons", "membrane time constant (ms)"),
    "tau_mem_ms_inhibitory": ("inhibitory neurons", "membrane time constant (ms)"),
}
WEIGHTS = {
    "weight_excitatory": ("excitatory synapses", "size of the weight"),
    "weight_inhibitory": ("inhibitory synapses", "size of the weight"),
    "rate_hz": ("firing rates", "rate of a neuron (Hz)"),
}


def page(document: Mapping[str, Any]) -> Page:
    """The page of a document of `hrsnn prune`; raises `InputError` for a document of another schema."""
    whole = read(document)
    method, seed = document.get("method"), document.get("seed")
    hashes = [whole.part(when).values.get("hash") for when in ("before", "after")]
    course, lyapunov = whole.part("trajectory"), whole.part("lyapunov")
    way = course if len(course.numbers("n_neurons")) > 2 else Part({})  # one step is no way
    sections = [
        Section("before-and-after", "Before and after",
            "Counted under the standard drive: Poisson spikes on every input channel, "
            f"{quantity(whole.number('drive_hz'))} Hz, no task.", tables=[comparison(whole)], folded=False),
        Section("trajectory", "Neurons and synapses per iteration",
            "Each iteration takes the same share of what is left, so that both lines are straight where nothing "
            "interferes.", [figures.shrinking(way)], folded=False),
        Section("along", "Along the way",
            "The grey band is half to twice the rate of the dense network: outside of it the network is another one. "
            "Synapses that stay grow by as much as others are missing, so weights rise while synapses fall.",
            figures.along(way), small=True),
        Section("spectra", "Lyapunov spectra",
            "Growth rates of the fastest directions of small changes, per ms, dense and pruned, under the same drive "
            f"with surrogate gain {quantity(lyapunov.number('surrogate_gain'))}: look whether the pruned line begins "
            "where the dense one does, and whether it stays below 0. A smaller network has fewer slow directions, so "
            "its line falls earlier.", [figures.spectra(lyapunov)]),
        Section("time-constants", "Time constants",
            "Neurons keep their rank when their time constants are fitted: look whether the filled outline is the "
            "dotted one moved or squeezed, or only fewer neurons of the same kind.", _histograms(whole, TIME_CONSTANTS),
            small=True),
        Section("weights", "Weights and rates",
            "Weights are drawn in powers of ten. Of the rates look for neurons that fell silent, at the left end.",
            _histograms(whole, WEIGHTS), small=True),
        warnings_of(whole.items("warnings")),
        Section("settings", "Settings", tables=[named(_flat(whole.part("settings").values), "setting", "value")]),
    ]  # fmt: skip
    return Page(kind="hrsnn prune", title=str(document.get("name") or "network"),
        created=str(document.get("created") or ""),
        facts=(" · ".join(filter(None, (str(method or ""), "" if seed is None else f"seed {seed}"))),),
        found=findings(document), sections=sections, key="▼ not as it should be \u2002 ? stopped early",
        versions=whole.part("versions").values,
        again="The first network, with the seed and the settings above, gives the second:",
        code="\n".join(map(str, hashes)) if all(hashes) else "")  # fmt: skip


def read(document: Mapping[str, Any]) -> Part:
    """The document of `hrsnn prune --json`; raises `InputError` for another schema."""
    return Part(PRUNING.checked(document), "trajectory.json")


def _histograms(whole: Part, names: Mapping[str, tuple[str, str]]) -> Iterable[Figure | None]:
    histograms = whole.part("histograms")
    return figures.before_and_after((*words, histograms.part(name)) for name, words in names.items())


# -- in words ----------------------------------------------------------------------------------------------------------


def findings(document: Mapping[str, Any]) -> list[Finding]:
    """What the numbers say, one sentence each; raises `InputError` for a document of another schema."""
    whole = read(document)
    before, after = whole.part("before").known(), whole.part("after").known()
    both = {name: (before[name], after[name]) for name in before if name in after}
    said = []
    counted = (("n_neurons", "neurons"), ("n_recurrent_synapses", "recurrent synapses"))
    if kept := [
        f"{quantity(both[name][1])} of {quantity(both[name][0])} {words}" for name, words in counted if name in both
    ]:
        said.append(Finding("plain", f"{' and '.join(kept)} are left."))
    spent = (("synops_recurrent_per_s", "recurrent ones"), ("synops_per_s", "all with the input"))
    if fewer := [
        f"{_ratio(*both[name], ' times')} for {words}" for name, words in spent if name in both and both[name][1]
    ]:
        said.append(Finding("plain", f"Synaptic operations fall {', '.join(fewer)}."))
    if "mean_rate_hz" in both:
        dense, pruned = both["mean_rate_hz"]
        alive = dense > 0 and 0.5 <= pruned / dense <= 2
        first = "The network stays alive" if alive else "The network is not the one it was"
        last = "within a factor of two" if alive else "more than a factor of two"
        change = f"the mean rate goes from {quantity(dense)} to {quantity(pruned)} Hz"
        said.append(Finding("plain" if alive else "loss", f"{first}: {change}, {last}."))
    if "lyapunov_max_per_ms" in both:
        dense, pruned = both["lyapunov_max_per_ms"]
        change = f"the largest exponent goes from {quantity(dense)} to {quantity(pruned)} per ms"
        fate = "die out" if pruned < 0 else "grow"
        text = f"Small changes {fate} after pruning: {change}."
        said.append(Finding("loss" if dense < 0 <= pruned else "plain", text))
    if document.get("stopped"):
        said.append(Finding("open", f"Stopped before the target: {document['stopped']}"))
    return said or [Finding("plain", "Nothing was measured.")]


def _ratio(before: float | None, after: float | None, unit: str = "×") -> str:
    """How many times more there was before."""
    return "–" if before is None or not after else f"{quantity(before / after)}{unit}"


# -- tables ------------------------------------------------------------------------------------------------------------


def comparison(whole: Part) -> Table | None:
    """Before, after and how many times less."""
    before, after = whole.part("before").known(), whole.part("after").known()
    columns: dict[str, Callable[[Any], Cell | str]] = {
        "": lambda row: Cell(row[1], row[3]),
        "dense": lambda row: Cell(quantity(before.get(row[0])), row[2]),
        "pruned": lambda row: Cell(quantity(after.get(row[0])), row[2]),
        "dense / pruned": lambda row: _ratio(before.get(row[0]), after.get(row[0])) if row[4] else "–",
    }
    shown = [(name, *words) for name, words in QUANTITIES.items() if name in {*before, *after}]
    return table_of(shown, columns)


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Every value under its dotted name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return found
