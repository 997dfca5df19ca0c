"""The page of figure 6 or 9, searches compared: drawn from its document alone (`hrsnn reproduce`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.drawing import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, VERMILION, Figure, Trace
from hrsnn.report.parts.page import Page, Section
from hrsnn.report.parts.table import Cell, Table, table_of
from hrsnn.report.parts.words import Finding, Kind, capital, plural, quantity, signed, with_interval
from hrsnn.vocabulary import OBJECTIVES, SEARCHES

METHODS = {"laws": "search on laws", "tpe": "TPE", "sobol": "Sobol points"}
LOOKS = {
    ("task", "HeNHeS", "laws"): (BLUE, "circle"), ("task", "HeNHeS", "tpe"): (ORANGE, "square"),
    ("task", "HeNHeS", "sobol"): (GREY, "diamond"), ("task", "HoNHoS", "laws"): (VERMILION, "triangle-up"),
    ("memory", "HeNHeS", "laws"): (GREEN, "square"), ("spikes", "HeNHeS", "laws"): (PURPLE, "diamond"),
    ("efficiency", "HeNHeS", "laws"): (VERMILION, "triangle-up"),
    ("", "HoNHoS", "hand"): (INK, "circle-open"), ("", "HeNHoS", "hand"): (INK, "square-open"),
    ("", "HoNHeS", "hand"): (INK, "diamond-open"), ("", "HeNHeS", "hand"): (INK, "star"),
}  # fmt: skip
QUANTITIES = {
    "accuracy": "test accuracy", **{name: one.quantity for name, one in OBJECTIVES.items()},
    "course": "best so far, mean over the search", "pace": "trials to 90 % of the way",
}  # fmt: skip
PLANES = (("spikes", "accuracy"), ("spikes", "memory"), ("efficiency", "accuracy"))
SIDES = {"below": "less", "above": "more", "same": "the same"}
KINDS: dict[str, Kind] = {"supports": "gain", "against": "loss", "not shown": "none"}

Document = Mapping[str, Any]
Entry = Mapping[str, Any]


def page(document: Document) -> Page:
    """The page of a document of `hrsnn reproduce`; raises `InputError` for a document of another schema."""
    SEARCHES.checked(document)
    scale, converges = document["scale"], document["name"] == "figure6"
    sections = [
        Section("convergence", "The best so far", "Validation score of the best feasible trial, mean over repeats with "
            f"bands of one standard deviation. The first {scale['n_startup']} trials are drawn before any model. Each "
            "value is the largest of many: what it is worth stands in the table below. A point that is tried again "
            "counts by its mean, so a line can fall.",
            list(_convergence(document)) if converges else [], folded=False),
        Section("planes", "Score, memory and spikes", "Each small mark is a design found by one search, each large one "
            "a mean; networks set by hand are black. All with fresh seeds. Memory is that of networks before they "
            "learn, under white input.", [] if converges else list(_planes(document)), small=True, folded=False),
        Section("found", "What was found, with fresh seeds",
            "Means over repeats ± one standard deviation. 'Seen' is the best value of the search, 'expected' what it "
            "says of the design that it recommends (without a model the best value), 'fresh' the same quantity of that "
            "design with seeds that the search has not seen, in units of the objective (minus spikes, logarithm of "
            "efficiency). Seen − fresh is the winner's curse. Test accuracy is read once for each fresh seed.",
            tables=tables(document), folded=False),
        Section("comparisons", "Compared by seed", "Differences a − b over repeats with 95 % t-intervals, each for "
            "itself, and the side that is claimed.", tables=[_comparisons(document)]),
        Section("method", "How it was made", paragraphs=_method(document)),
    ]  # fmt: skip
    sizes = ", ".join(map(str, scale["n_neurons"]))
    return Page(kind=f"hrsnn reproduce {document['name']}", title=document["title"], created=document["created"],
        facts=(f"scale {scale['name']} · {sizes} neurons · {plural(scale['n_seeds'], 'repeat')} of "
               f"{plural(scale['n_trials'], 'trial')}",),
        found=findings(document), sections=sections, key="▲ as claimed \u2002 ▼ the opposite \u2002 ○ nothing "
        "measurable", versions=document["versions"], again="Stopped and started again, it goes on where "
        "it was, and gives the same numbers:", code=document["command"])  # fmt: skip


def _method(document: Document) -> tuple[str, ...]:
    scale = document["scale"]
    n_searched = sum(bool(way["objective"]) for way in document["ways"]) * scale["n_seeds"]
    n_networks = n_searched * scale["n_trials"] + len(document["units"]) * scale["n_fresh"]
    return (
        "The task is the built-in spoken digits, the networks are those of its config in another size; the ones set by "
        "hand have its laws, which were chosen for 500 neurons. STDP learns from "
        f"{plural(scale['n_recordings'], 'recording')}. A trial is one network of one seed, and one that is dead or "
        "fires without pause is infeasible. All methods look through the same box, that of `hrsnn search`: for HeNHeS "
        "laws of time constants, thresholds and plasticity by mean and spread, for HoNHoS their means, and three "
        "scales of the wiring; plasticity only where networks are taught before they are judged. The Bayesian search "
        "tries its best points up to four times.",
        f"Cost: {n_searched} searches and {n_networks:,} networks drawn and measured, "
        f"{plural(scale['n_fresh'], 'fresh seed')} for each design among them.",
    )


# -- in words ----------------------------------------------------------------------------------------------------------


def findings(document: Document) -> list[Finding]:
    """What the paired comparisons say, one sentence each."""
    return [_answer(document, one) for one in document["comparisons"]] or [Finding("plain", "Nothing was compared.")]


def _answer(document: Document, one: Entry) -> Finding:
    size = f", {one['n_neurons']} neurons" if len(document["scale"]["n_neurons"]) > 1 else ""
    question = f"{_words(document, one['a'])} against {_words(document, one['b'])}{size}, {QUANTITIES[one['quantity']]}"
    if one["ci95"] is None:
        return Finding("open", f"{capital(question)}: too few repeats for an interval.")
    said = f"{with_interval(signed, one['effect'], one['ci95'])}, claimed {SIDES[one['claimed']]}"
    return Finding(KINDS[one["reading"]], f"{capital(question)}: {said}.")


def _words(document: Document, way: Entry) -> str:
    """How a network was found: by which method, or for which objective."""
    if not way["objective"]:
        return f"{way['arm']} set by hand"
    by_method = document["name"] == "figure6"
    return (
        f"{way['arm']} by {METHODS[way['method']]}"
        if by_method
        else f"{way['arm']} for {_OBJECTIVES[way['objective']]}"
    )


_OBJECTIVES = {"task": "score", "memory": "memory", "spikes": "few spikes", "efficiency": "efficiency"}


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(document: Document) -> list[Table]:
    """For each size what the searches said, and what the designs are worth."""
    found = []
    for n in document["scale"]["n_neurons"]:
        ways = [way for way in document["ways"] if way["n_neurons"] == n]
        found += [_said(document, [way for way in ways if way["objective"]], n), _worth(document, ways, n)]
    return [table for table in found if table is not None]


Columns = dict[str, Callable[[Entry], Cell]]


def _said(document: Document, ways: Sequence[Entry], n_neurons: int) -> Table | None:
    columns: Columns = {
        f"{n_neurons} neurons": lambda way: Cell(_words(document, way)),
        "seen": lambda way: _spread(way["seen"]),
        "expected": lambda way: _spread(way["expected"]),
        "fresh": lambda way: _spread(way["fresh"]),
        "seen − fresh": lambda way: _gap(way["gap_of_seen"]),
        "expected − fresh": lambda way: _gap(way["gap_of_expected"]),
    }
    return table_of(ways, columns, title=f"{n_neurons} neurons: objectives")


def _worth(document: Document, ways: Sequence[Entry], n_neurons: int) -> Table | None:
    columns: Columns = {f"{n_neurons} neurons": lambda way: Cell(_words(document, way))}
    for name in ("accuracy", "spikes", "memory", "efficiency"):
        columns[QUANTITIES[name]] = lambda way, name=name: _spread(way["quantities"].get(name))  # type: ignore[misc]
    return table_of(ways, columns, title=f"{n_neurons} neurons: with fresh seeds")


def _spread(found: Entry | None) -> Cell:
    if found is None or found["mean"] is None:
        return Cell("–")
    return Cell(quantity(found["mean"]), "" if found["sd"] is None else f"± {quantity(found['sd'])}")


def _gap(found: Entry) -> Cell:
    if found["mean"] is None:
        return Cell("–")
    text, _, interval = with_interval(signed, found["mean"], found["ci95"]).partition(" ")
    return Cell(text, interval)


def _comparisons(document: Document) -> Table | None:
    columns: Columns = {
        "a against b": lambda one: Cell(_words(document, one["a"]), f"against {_words(document, one['b'])}"),
        "quantity": lambda one: Cell(QUANTITIES[one["quantity"]], f"claimed {SIDES[one['claimed']]}"),
        "reading": lambda one: Cell(one["reading"]),
        "a − b": lambda one: Cell("–" if one["effect"] is None else with_interval(signed, one["effect"], one["ci95"])),
        "neurons": lambda one: Cell(str(one["n_neurons"])),
        "repeats": lambda one: Cell(str(one["n"])),
    }
    return table_of(document["comparisons"], columns, n_names=3, title="comparisons")


# -- figures -----------------------------------------------------------------------------------------------------------


def _look(way: Entry) -> tuple[str, str]:
    return LOOKS.get((way["objective"], way["arm"], way["method"]), (SKY, "circle"))


def _convergence(document: Document) -> Iterator[Figure | None]:
    """One figure for each size: a line with its band for each way."""
    for n in document["scale"]["n_neurons"]:
        data: list[Trace] = []
        for way in (way for way in document["ways"] if way["n_neurons"] == n and way["objective"]):
            known = [(k + 1, at) for k, at in enumerate(way["course"]) if at["mean"] is not None]
            x, means, (colour, _) = [k for k, _ in known], [at["mean"] for _, at in known], _look(way)
            low, high = ([at["mean"] + sign * (at["sd"] or 0.0) for _, at in known] for sign in (-1, 1))
            words = f"{way['arm']}, {METHODS[way['method']]}"
            line = draw.curve(x, means, colour, name=words, hover=f"{words}, trial %{{x}}: %{{y:.4g}}")
            line["line"]["shape"] = "hv"
            data += [draw.band(x, low, high, colour, 0.12), line]
        begin = draw.upright(document["scale"]["n_startup"] + 0.5)
        begin["line"] |= {"color": GREY, "dash": "dot"}
        label = f"best validation score after each trial, {n} neurons"
        yield draw.chart(data, "trial", "best validation score so far", label, 420, title=f"{n} neurons",
                         shapes=[begin])  # fmt: skip


def _planes(document: Document) -> Iterator[Figure | None]:
    """For each size and each pair of quantities, designs and their means."""
    for n in document["scale"]["n_neurons"]:
        ways = [way for way in document["ways"] if way["n_neurons"] == n]
        for x, y in PLANES:
            data = [trace for way in ways for trace in _marks(way, x, y)]
            title = f"{capital(QUANTITIES[y])} against {QUANTITIES[x]}"
            yield draw.chart(data, draw.axis_from_zero(QUANTITIES[x]), QUANTITIES[y], f"{title}, {n} neurons", 420,
                             narrow_height_px=520)  # fmt: skip


def _marks(way: Entry, x: str, y: str) -> list[Trace]:
    (colour, symbol), name = _look(way), _brief(way)
    small = [(one[x], one[y]) for one in way["designs"] if x in one and y in one] if way["objective"] else []
    means = [way["quantities"].get(of, {}).get("mean") for of in (x, y)]
    if None in means:
        return []
    tip = f"{name}<br>{QUANTITIES[x]} {quantity(means[0])}<br>{QUANTITIES[y]} {quantity(means[1])}"
    large = {"color": colour, "symbol": symbol, "size": 12, "line": {"width": 1.5, "color": colour}}
    each = draw.marks([a for a, _ in small], [b for _, b in small], hoverinfo="x+y",
                      marker={"color": draw.faded(colour, 0.5), "symbol": symbol, "size": 6})  # fmt: skip
    mean = draw.marks([means[0]], [means[1]], marker=large, hovertext=[tip], name=name, showlegend=True)
    return [each, mean] if small else [mean]


def _brief(way: Entry) -> str:
    """In a legend."""
    return f"for {_OBJECTIVES[way['objective']]}" if way["objective"] else f"{way['arm']} by hand"
