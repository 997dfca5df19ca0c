"""The page of `hrsnn prune`: the network before and after, and the way between.

The dense network is grey and dotted, the pruned one coloured and solid, in every figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.document import Part
from hrsnn.report.parts.drawing import BLUE, GREY, ORANGE, VERMILION, Axis, Figure, Trace
from hrsnn.report.parts.page import Page, Section, warnings_of
from hrsnn.report.parts.table import Cell, Table, named, table_of
from hrsnn.report.parts.words import Finding, quantity
from hrsnn.vocabulary import PRUNING

Points = list[tuple[int, float]]
MAX_MARKED = 40  # iterations that are marked one by one
DENSE, PRUNED = (GREY, "dot"), (VERMILION, "solid")
# What is told of the network before and after: name -> words, unit, what it is; with a ratio where that says something.
QUANTITIES = {
    "n_neurons": ("neurons", "", "", True), "n_recurrent_synapses": ("recurrent synapses", "", "", True),
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
HISTOGRAMS = {  # the first two are of time constants
    "tau_mem_ms_excitatory": ("excitatory neurons", "membrane time constant (ms)"),
    "tau_mem_ms_inhibitory": ("inhibitory neurons", "membrane time constant (ms)"),
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
    histograms = [(*words, whole.part("histograms").part(name)) for name, words in HISTOGRAMS.items()]
    sections = [
        Section("before-and-after", "Before and after",
            "Counted under the standard drive: Poisson spikes on every input channel, "
            f"{quantity(whole.number('drive_hz'))} Hz, no task.", tables=[comparison(whole)], folded=False),
        Section("trajectory", "Neurons and synapses per iteration", "Each iteration takes the same share of what is "
            "left, so that both lines are straight where nothing interferes.", [shrinking(way)], folded=False),
        Section("along", "Along the way", "The grey band is half to twice the rate of the dense network: outside of it "
            "the network is another one. Synapses that stay grow by as much as others are missing, so weights rise "
            "while synapses fall.", along(way), small=True),
        Section("spectra", "Lyapunov spectra", "Growth rates of the fastest directions of small changes, per ms, dense "
            f"and pruned, under the same drive with surrogate gain {quantity(lyapunov.number('surrogate_gain'))}: look "
            "whether the pruned line begins where the dense one does, and whether it stays below 0. A smaller network "
            "has fewer slow directions, so its line falls earlier.", [spectra(lyapunov)]),
        Section("time-constants", "Time constants", "Neurons keep their rank when their time constants are fitted: "
            "look whether the filled outline is the dotted one moved or squeezed, or only fewer neurons of the same "
            "kind.", before_and_after(histograms[:2]), small=True),
        Section("weights", "Weights and rates", "Weights are drawn in powers of ten. Of the rates look for neurons "
            "that fell silent, at the left end.", before_and_after(histograms[2:]), small=True),
        warnings_of(whole.items("warnings")),
        Section("settings", "Settings", tables=[named(_flat(whole.part("settings").values), "setting", "value")]),
    ]  # fmt: skip
    return Page(kind="hrsnn prune", title=str(document.get("name") or "network"),
        created=str(document.get("created") or ""),
        facts=(" · ".join(filter(None, (str(method or ""), "" if seed is None else f"seed {seed}"))),),
        found=findings(document), sections=sections, key="▼ not as it should be \u2002 ? stopped early",
        versions=whole.part("versions").values, again="The first network, with the seed and the settings above, gives "
        "the second:", code="\n".join(map(str, hashes)) if all(hashes) else "")  # fmt: skip


def read(document: Mapping[str, Any]) -> Part:
    """The document of `hrsnn prune --json`; raises `InputError` for another schema."""
    return Part(PRUNING.checked(document), "trajectory.json")


# -- in words ----------------------------------------------------------------------------------------------------------


def findings(document: Mapping[str, Any]) -> list[Finding]:
    """What the numbers say, one sentence each; raises `InputError` for a document of another schema."""
    whole = read(document)
    before, after = whole.part("before").known(), whole.part("after").known()
    both = {name: (before[name], after[name]) for name in before if name in after}
    said = []
    counted = [(*both[name], QUANTITIES[name][0]) for name in ("n_neurons", "n_recurrent_synapses") if name in both]
    if kept := [f"{quantity(pruned)} of {quantity(dense)} {words}" for dense, pruned, words in counted]:
        said.append(Finding("plain", f"{' and '.join(kept)} are left."))
    spent = {"synops_recurrent_per_s": "recurrent ones", "synops_per_s": "all with the input"}
    ratios = {words: _ratio(*both[name], " times") for name, words in spent.items() if both.get(name, (0, 0))[1]}
    if fewer := [f"{ratio} for {words}" for words, ratio in ratios.items()]:
        said.append(Finding("plain", f"Synaptic operations fall {', '.join(fewer)}."))
    if "mean_rate_hz" in both:
        dense, pruned = both["mean_rate_hz"]
        alive = dense > 0 and 0.5 <= pruned / dense <= 2
        first, last = ("stays alive", "within") if alive else ("is not the one it was", "more than")
        change = f"the mean rate goes from {quantity(dense)} to {quantity(pruned)} Hz, {last} a factor of two"
        said.append(Finding("plain" if alive else "loss", f"The network {first}: {change}."))
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


# -- figures -----------------------------------------------------------------------------------------------------------


def shrinking(course: Part) -> Figure | None:
    """Neurons and recurrent synapses after each iteration, in shares of what there was."""
    data, looks = [], {"n_neurons": ("neurons", BLUE, "dash"), "n_synapses": ("recurrent synapses", VERMILION, "solid")}
    for name, (words, colour, dash) in looks.items():
        found = _per_iteration(course, name)
        if found and found[0][1] > 0:
            hover = f"after %{{x}}: %{{customdata:,}} {words}<br>%{{y:.1%}}"
            line = _line(found, colour, dash, words, hover, over=found[0][1])
            data.append({**line, "customdata": [draw.short(value) for _, value in found]})
    axis = _log_axis("kept", data)
    axis["ticktext"] = [f"{100 * tick:g} %" for tick in axis["tickvals"]]
    return draw.chart(data, _iterations(course), axis, "neurons and synapses per iteration", 320)


def along(course: Part) -> Iterator[Figure | None]:
    """Mean rate, synaptic operations, and quantiles of recurrent weights over the first median."""
    rates, quantiles = _per_iteration(course, "mean_rate_hz"), course.part("weight_quantiles")
    stripes = [draw.stripe(rate / 2, 2 * rate, 0.1) for _, rate in rates[:1]]
    line = _line(rates, BLUE, "solid", "", "after %{x}: %{y:.3g} Hz")
    axis, label = draw.axis_from_zero("mean rate (Hz)"), "mean rate per iteration"
    yield _over_iterations([line], course, axis, label, "Mean rate", shapes=stripes)
    lines = []
    for name, look in (("recurrent", (VERMILION, "solid")), ("input", (GREY, "dash"))):
        points = _per_iteration(course, f"synops_{name}_per_s", 0)
        lines.append(_line(points, *look, name, f"after %{{x}}: %{{y:,.0f}} {name}"))
    label, title = "synaptic operations per iteration", "Synaptic operations"
    yield _over_iterations(lines, course, _log_axis("operations per second", lines), label, title)
    lines = [
        _line(_per_iteration(quantiles, q, 0), ORANGE, dash, words, f"after %{{x}}: {words} %{{y:.3g}}", over=start)
        for _, start in _per_iteration(quantiles, "0.5", 0)[:1]
        for q, words, dash in (("0.25", "25 %", "dot"), ("0.5", "median", "solid"), ("0.95", "95 %", "dash"))
    ]
    axis = _log_axis("over the first median", lines)
    yield _over_iterations(lines, course, axis, "weights per iteration", "Recurrent weights")


def spectra(lyapunov: Part) -> Figure | None:
    """The leading exponents of the dense and the pruned network."""
    data: list[Trace] = []
    for name, words, look in (("before_per_ms", "dense", DENSE), ("after_per_ms", "pruned", PRUNED)):
        found = [(k, y) for k, y in enumerate(lyapunov.numbers(name), 1) if y is not None]
        hover = f"{words}<br>λ<sub>%{{x}}</sub> = %{{y:.4g}} per ms"
        ks, ys = [k for k, _ in found], [y for _, y in found]
        data += [draw.curve(ks, ys, *look, name=words, hover=hover)] if found else []
    n = max((line["x"][-1] for line in data), default=0)
    data = [draw.level(0, n + 1), *data] if data else []
    x, label = draw.number_axis("index k", range=[0, n + 1]), "Lyapunov spectra of the dense and the pruned network"
    return draw.chart(data, x, "exponent λₖ (per ms)", label, 360)


def before_and_after(histograms: Iterable[tuple[str, str, Part]]) -> Iterator[Figure | None]:
    """One small figure for each histogram (title, axis, values): dense outlined, pruned filled."""
    for title, axis, part in histograms:
        edges = [edge for edge in part.numbers("edges") if edge is not None]
        data = [
            draw.outline(edges, draw.density(edges, counts), look, words, fill=words == "pruned")
            for key, words, look in (("before", "dense", DENSE), ("after", "pruned", PRUNED))
            if (counts := [count or 0.0 for count in part.numbers(key)]) and len(edges) == len(counts) + 1
        ]
        x = draw.number_axis(axis, **_powers(edges, part.values.get("log10") is True and bool(data)))
        yield draw.chart(data, x, draw.axis_from_zero("density", showticklabels=False), title, 280, title=title)


def _per_iteration(course: Part, name: str, above: float = -math.inf) -> Points:
    """Iteration (0 is the dense network) and value, where there is one above `above`."""
    return [(k, value) for k, value in enumerate(course.numbers(name)) if value is not None and value > above]


def _line(points: Points, colour: str, dash: str, name: str, hover: str, over: float = 1.0) -> Trace:
    mark = "circle" if len(points) <= MAX_MARKED else ""
    ks, values = [k for k, _ in points], [value / over for _, value in points]
    return draw.curve(ks, values, colour, dash, name=name, hover=hover, mark=mark)


def _log_axis(title: str, lines: Sequence[Trace]) -> Axis:
    return draw.log_axis(title, *draw.span(lines, above=1.15))


def _over_iterations(lines: list[Trace], course: Part, y: Axis, label: str, title: str, **layout: Any) -> Figure | None:
    """Those of the lines that have two points at least."""
    data = [line for line in lines if len(line["x"]) > 1]
    return draw.chart(data, _iterations(course), y, label, 290, title=title, **layout)


def _iterations(course: Part) -> Axis:
    return draw.iterations_axis(max(len(course.numbers("n_neurons")) - 1, 1))


def _powers(edges: Sequence[float], logarithmic: bool) -> dict[str, Any]:
    """Ticks of an axis that is drawn in powers of ten."""
    if not logarithmic:
        return {}
    powers = range(math.ceil(edges[0]), math.floor(edges[-1]) + 1)
    return {"tickvals": list(powers), "ticktext": [f"{10.0**power:g}" for power in powers]}
