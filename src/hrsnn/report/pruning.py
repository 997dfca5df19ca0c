"""The page of `hrsnn prune`: the network before and after, and the way between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hrsnn.report import pruning_figures as figures
from hrsnn.report.parts.document import Part
from hrsnn.report.parts.drawing import Figure
from hrsnn.report.parts.page import Page, Section, closing, render_page, replace_file, warnings_of
from hrsnn.report.parts.table import Cell, Table, named, table_of
from hrsnn.report.parts.words import Finding, told
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


def write_pruning_report(document: Mapping[str, Any], path: Path) -> Path:
    """Write the page of a document of `hrsnn prune --json` to `path`, complete in itself; return the path.

    Raises `InputError` for a document of another schema, `RunError` when the page cannot be written.
    """
    return replace_file(path, render(document))


def render(document: Mapping[str, Any]) -> str:
    """The whole page as text; raises `InputError` for a document of another schema."""
    whole = read(document)
    method, seed = document.get("method"), document.get("seed")
    hashes = [whole.part(when).values.get("hash") for when in ("before", "after")]
    end = closing(
        "The first network, with the seed and the settings above, gives the second:",
        "\n".join(map(str, hashes)) if all(hashes) else "",
        whole.part("versions").values,
        warnings_of(whole.items("warnings")),
        Section("settings", "Settings", tables=[named(_flat(whole.part("settings").values), ("setting", "value"))]),
    )
    return render_page(
        Page(
            kind="hrsnn prune",
            title=str(document.get("name") or "network"),
            created=str(document.get("created") or ""),
            facts=(" · ".join(filter(None, (str(method or ""), "" if seed is None else f"seed {seed}"))),),
            found=findings(document),
            sections=[*sections(document), *end],
            key="▼ not as it should be \u2002 ? stopped early",
        )
    )


def read(document: Mapping[str, Any]) -> Part:
    """The document of `hrsnn prune --json`; raises `InputError` for another schema."""
    PRUNING.checked(document)
    return Part("", document, "trajectory.json")


def sections(document: Mapping[str, Any]) -> list[Section]:
    """Everything between the findings and the warnings, in order; empty sections included."""
    whole = read(document)
    course, lyapunov = whole.part("trajectory"), whole.part("lyapunov")
    way = course if len(course.numbers("n_neurons")) > 2 else Part("", {}, whole.owner)  # one step is no way
    return [
        Section(
            "before-and-after",
            "Before and after",
            "Counted under the standard drive: Poisson spikes on every input channel, "
            f"{told(whole.number('drive_hz'))} Hz, no task.",
            tables=[comparison(whole)],
            folded=False,
        ),
        Section(
            "trajectory",
            "Neurons and synapses per iteration",
            "Each iteration takes the same share of what is left, so that both lines are straight where nothing "
            "interferes.",
            [figures.shrinking(way)],
            folded=False,
        ),
        Section(
            "along",
            "Along the way",
            "The grey band is half to twice the rate of the dense network: outside of it the network is another one. "
            "Synapses that stay grow by as much as others are missing, so weights rise while synapses fall.",
            [figures.rate(way), figures.operations(way), figures.weights_on_the_way(way)],
            small=True,
        ),
        Section(
            "spectra",
            "Lyapunov spectra",
            "Growth rates of the fastest directions of small changes, per ms, dense and pruned, under the same drive "
            f"with surrogate gain {told(lyapunov.number('surrogate_gain'))}: look whether the pruned line begins where "
            "the dense one does, and whether it stays below 0. A smaller network has fewer slow directions, so its "
            "line falls earlier.",
            [figures.spectra(lyapunov)],
        ),
        Section(
            "time-constants",
            "Time constants",
            "Neurons keep their rank when their time constants are fitted: look whether the filled outline is the "
            "dotted one moved or squeezed, or only fewer neurons of the same kind.",
            _histograms(whole, TIME_CONSTANTS),
            small=True,
        ),
        Section(
            "weights",
            "Weights and rates",
            "Weights are drawn in powers of ten. Of the rates look for neurons that fell silent, at the left end.",
            _histograms(whole, WEIGHTS),
            small=True,
        ),
    ]


def _histograms(whole: Part, names: Mapping[str, tuple[str, str]]) -> Iterable[Figure | None]:
    histograms = whole.part("histograms")
    return figures.before_and_after((*words, histograms.part(name)) for name, words in names.items())


# -- in words ----------------------------------------------------------------------------------------------------------


def findings(document: Mapping[str, Any]) -> list[Finding]:
    """What the numbers say, one sentence each; raises `InputError` for a document of another schema."""
    whole = read(document)
    before, after = whole.part("before"), whole.part("after")
    said = [*_of_size(before, after), *_of_operations(before, after), *_of_rate(before, after)]
    said += _of_stability(before, after)
    stopped = document.get("stopped")
    if stopped:
        said.append(Finding("open", f"Stopped before the target: {stopped}"))
    return said or [Finding("plain", "Nothing was measured.")]


def ratio(before: float | None, after: float | None) -> float | None:
    """How many times more there was before."""
    return None if before is None or not after else before / after


def _of_size(before: Part, after: Part) -> list[Finding]:
    kept = [
        f"{after.count(name)} of {before.count(name)} {words}"
        for name, words in (("n_neurons", "neurons"), ("n_recurrent_synapses", "recurrent synapses"))
        if before.number(name) is not None and after.number(name) is not None
    ]
    return [Finding("plain", f"{' and '.join(kept)} are left.")] if kept else []


def _of_operations(before: Part, after: Part) -> list[Finding]:
    ratios = [
        (words, ratio(before.number(name), after.number(name)))
        for name, words in (("synops_recurrent_per_s", "recurrent ones"), ("synops_per_s", "all with the input"))
    ]
    shown = [f"{told(value)} times for {words}" for words, value in ratios if value is not None]
    return [Finding("plain", f"Synaptic operations fall {', '.join(shown)}.")] if shown else []


def _of_rate(before: Part, after: Part) -> list[Finding]:
    rates = [part.number("mean_rate_hz") for part in (before, after)]
    if rates[0] is None or rates[1] is None:
        return []
    change = f"the mean rate goes from {told(rates[0])} to {told(rates[1])} Hz"
    if rates[0] > 0 and 0.5 <= rates[1] / rates[0] <= 2:
        return [Finding("plain", f"The network stays alive: {change}, within a factor of two.")]
    return [Finding("loss", f"The network is not the one it was: {change}, more than a factor of two.")]


def _of_stability(before: Part, after: Part) -> list[Finding]:
    largest = [part.number("lyapunov_max_per_ms") for part in (before, after)]
    if largest[0] is None or largest[1] is None:
        return []
    change = f"the largest exponent goes from {told(largest[0])} to {told(largest[1])} per ms"
    if largest[1] < 0:
        return [Finding("plain", f"Small changes die out after pruning: {change}.")]
    return [Finding("loss" if largest[0] < 0 else "plain", f"Small changes grow after pruning: {change}.")]


# -- tables ------------------------------------------------------------------------------------------------------------


def comparison(whole: Part) -> Table | None:
    """Before, after and how many times less."""
    before, after = whole.part("before"), whole.part("after")
    rows = [
        (words, note, unit, a, b, ratio(a, b) if has_ratio else None)
        for name, (words, unit, note, has_ratio) in QUANTITIES.items()
        if (a := before.number(name)) is not None or after.number(name) is not None
        for b in (after.number(name),)
    ]
    return table_of(
        rows,
        {
            "": lambda row: Cell(row[0], row[1]),
            "dense": lambda row: Cell(told(row[3]), row[2]),
            "pruned": lambda row: Cell(told(row[4]), row[2]),
            "dense / pruned": lambda row: "–" if row[5] is None else f"{told(row[5])}×",
        },
    )


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Every value under its dotted name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return found
