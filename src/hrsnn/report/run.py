"""The report of a run: one self-contained HTML file made from a run directory.

It begins with a verdict, one figure and one table; everything else is folded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hrsnn._checks import FileError
from hrsnn.report import figures, tables, tradeoff
from hrsnn.report.findings import explained, found, names_explained
from hrsnn.report.parts.page import Page, Section, warnings_of, write_page
from hrsnn.report.parts.words import capital, listed, plural
from hrsnn.report.source import Key, Repeat, Results, parse_results, read_run
from hrsnn.report.verdict import leading, sample_name, verdict
from hrsnn.vocabulary import higher_is_better, kind_of, label_of

LAWS = {
    "tau_mem_ms_excitatory": ("membrane time constant, excitatory", "ms"),
    "tau_mem_ms_inhibitory": ("membrane time constant, inhibitory", "ms"), "v_th": ("threshold", "potential"),
    "a_plus": ("STDP amplitude a₊", "weight"), "tau_plus_ms": ("STDP time constant τ₊", "ms"),
}  # fmt: skip
# Captions with and without intervals.
LARGE_MARKS = (
    "Large marks are means with 95 % intervals, the small circles below them single seeds: look whether the intervals "
    "are narrow against the distances between arms."
)
ONE_SEED = "One seed each, so without intervals: take no distance between arms for a finding."
PAIRED = (
    "Paired differences between two arms with 95 % intervals: a bar that crosses the line at zero is no measurable "
    "difference. They are not corrected for their number: one of twenty misses zero by chance."
)
UNPAIRED = "Differences between two arms, without intervals: chance alone may have made them."


def write_report(run_dir: Path, results: Mapping[str, Any] | None = None) -> Path:
    """Write `run_dir`/report.html from results.json, outcomes/*.json and config.toml; return its path.

    `results` is the object of results.json where that file is yet to be written. The report is complete in itself (no
    request is made when it opens) and is replaced in one step. Raises `FileError` naming the file and what to do when
    results.json or an outcome it lists is missing or damaged, `RunError` when the report cannot be written.
    """
    run_dir = Path(run_dir)
    found = read_run(run_dir, results)
    return write_page(_page(found, _config(run_dir), f" ({run_dir.resolve().name})"), run_dir / "report.html")


def page(document: Mapping[str, Any]) -> Page:
    """The page of results.json alone, without what outcomes/ and config.toml add."""
    return _page(parse_results(document))


def _page(results: Results, config: str = "", run_name: str = "") -> Page:
    return Page(kind="hrsnn report", title=results.task, created=results.created,
        facts=(_subtitle(results), f"Data: {results.data}" if results.data else ""), verdict=verdict(results),
        sections=[*_first_screen(results), *_sections(results), warnings_of(tables.warnings(results)),
            Section("config", "Configuration", code=config)], key="Values in brackets are 95 % intervals. ▲ better "
        "\u2002 ▼ worse \u2002 ○ nothing measurable \u2002 ? no interval, so open", versions=results.versions,
        again=f"In the directory of this run{run_name}, with the versions above, the first line gives the same "
        "numbers; the second makes this page again from the stored results.", code="hrsnn run config.toml --out "
        "again\nhrsnn report .")  # fmt: skip


def _first_screen(results: Results) -> list[Section]:
    """The one figure and the one table that stand unfolded below the verdict."""
    metric = leading(results)
    if metric is None:
        return []
    sample, reference = sample_name(results), results.reference
    n_seeds = sorted({row.n_seeds for row in results.rows})
    several = n_seeds[-1:] > [1]
    interval = f"bars are 95 % intervals over {listed([str(n) for n in n_seeds])} seeds"
    caption = [
        f"{'Higher' if higher_is_better(metric) else 'Lower'} is better, further left is cheaper; operations are those "
        f"of input, network and readout together; {interval if several else 'one seed gives no interval'}.",
        *([f"Open marks are controls of {reference.label}."] if reference is not None else []),
        *explained(metric),
    ]

    def short(key: Key) -> str:
        """Controls and pruned networks of the reference without its name, which they all would repeat."""
        return key.rest or key.label if reference is not None and key.arm == reference.arm else key.label

    figure = tradeoff.against_operations(results.rows, metric, f"synaptic operations per {sample}", short)
    title = f"{capital(label_of(metric))} against operations"
    brackets = ["Brackets hold 95 % intervals."] if several else []
    words, table = " ".join([*brackets, *names_explained(results)]), tables.first(results, metric, sample)
    return [
        Section("tradeoff", title, " ".join(caption), [figure], folded=False),
        Section("table", "The arms", words, tables=[table], folded=False),
    ]


def _sections(results: Results) -> list[Section]:
    """Everything between the first screen and the warnings, in order; empty sections included."""
    metric = results.headline
    side = {True: "right", False: "left", None: ""}[higher_is_better(metric) if metric else None]
    better = f" Further {side} is better." if side else ""
    reference = results.reference
    who = reference.label if reference else ""
    single = any(row.n_seeds == 1 for row in results.rows)
    intervals = any(estimate.ci95 for row in results.rows for estimate in row.metrics.values())
    alike = [c for c in results.comparisons if c.metric == metric and results.identical(c.a, c.b)]
    pairs = listed([f"{c.a.label} and {c.b.label}" for c in alike])
    same = f" Identical here, so not compared: {pairs}." if pairs else ""
    return [
        Section("answers", "Every question that was asked", "The questions are fixed before a run, not chosen by what "
            "came out.", findings=found(results) if metric else ()),
        Section("arms", "Every score and cost",
            ("Means over seeds with 95 % intervals. Operations are counted per sample; energy is computed from the "
                "counts with the named profile, not measured." + (" One seed gives no interval." if single else "")),
            tables=tables.everything(results)),
        Section("metric", f"{capital(label_of(metric) if metric else '')} per arm",
            f"{LARGE_MARKS if intervals else ONE_SEED}{better}",
            [figures.metric_per_arm(results, metric) if metric else None]),
        Section("comparisons", "What differs",
            f"{PAIRED if any(c.ci95 for c in results.comparisons) else UNPAIRED}{same}",
            [figures.comparisons(results, metric) if metric else None], [tables.comparisons(results)]),
        tradeoff.pruned_networks(results, metric),
        Section("costs", "Spikes and operations", "What each arm spends on one sample: look whether a better result "
            "was bought with more spikes.", figures.costs_per_arm(results), small=True),
        *_inside(results, reference),
        Section("rates", "Firing rates",
            "How often neurons fire over the test part: look for neurons that never fire (left end) and for a few that "
            "fire always (right end).", [figures.rates(_one_per_network(results, "histograms"))]),
        Section("learning", "Course of learning",
            "Activity while networks learn: look whether it settles and whether neurons fall silent.",
            figures.learning(_one_per_network(results, "learning")), small=True),
        Section("confusion", "Confusions", f"{who} over all seeds, each row one class that was meant: look for dark "
            "cells off the diagonal, classes taken for one another.", [figures.confusion(results.units_of(reference))]),
        *_forecast(results, reference),
        Section("vpt", "Valid prediction time per start",
            "Each mark is one start, the upright bar the mean: look how far single starts lie from it.",
            [figures.vpt_per_start(results, metric) if metric and kind_of(metric) == "time" else None]),
        Section("readout", "Choice of the readout",
            "Chosen on validation data, for each seed by itself (×3: by three seeds): look whether the input alone was "
            "given as careful a choice as the network.", tables=tables.readouts(results)),
    ]  # fmt: skip


def _inside(results: Results, reference: Key | None) -> list[Section]:
    """What the reference network does with a sample, what it is made of, and what learning made of it."""
    sections = []
    for unit in _first(results, reference, "raster"):
        figure, label = figures.raster(unit), unit.details.part("raster").values.get("label")
        sections.append(Section("raster", "One sample", f"One sample{'' if label is None else f' of “{label}”'} in "
            f"{_who(unit)}: each dash is a spike, input channels above, neurons below; look how long activity outlasts "
            f"its input.{figure.note if figure else ''}", [figure]))  # fmt: skip
    for unit in _first(results, reference, "histograms"):  # fmt: skip
        sections += [
            Section("laws", "Time constants and thresholds",
                f"Drawn for {_who(unit)}, before anything was learned: look at the spread, which the homogeneous arms "
                "replace by its mean.", figures.histograms(unit, LAWS), small=True),
            Section("weights", "Weights",
                f"{_who(unit)}: look how far learning (filled) moved the weights from where they began (dotted). Both "
                "outlines enclose the same area.", figures.weights(unit), small=True),
        ]  # fmt: skip
    return sections


def _forecast(results: Results, reference: Key | None) -> list[Section]:
    how = "running on its own output: look where the dashed prediction leaves the true course."
    drawn = [(unit, figures.forecast(unit)) for unit in _first(results, reference, "forecast")]
    captions = [(f"{_who(unit)}, {how}{figure.note}", figure) for unit, figure in drawn if figure]
    return [Section("forecast", "Truth and prediction", caption, [figure]) for caption, figure in captions]


def _who(unit: Repeat) -> str:
    return f"{unit.key.label}, seed {unit.seed}"


def _first(results: Results, key: Key | None, part: str) -> list[Repeat]:
    """The first seed with these details, where there is one."""
    return [unit for unit in results.units_of(key) if unit.details.part(part).values][:1]


def _one_per_network(results: Results, part: str) -> list[Repeat]:
    """The first seed with these details of every trained network, in the order of the table."""
    return [unit for row in results.rows if row.key.stage == "trained" for unit in _first(results, row.key, part)]


def _subtitle(results: Results) -> str:
    """The size of the run in one line."""
    sizes = [unit.network for unit in results.units_of(results.reference)]
    parts = [plural(len(results.rows), "arm"), plural(len({unit.seed for unit in results.units}), "seed")]
    for name in ("n_neurons", "n_recurrent_synapses", "n_input_synapses"):
        words = name.removeprefix("n_").replace("_", " ")
        counts = [n for size in sizes if (n := size.number(name)) is not None]
        if any(counts):
            about = "" if len(set(counts)) == 1 else "about "
            parts.append(f"{about}{round(sum(counts) / len(counts)):,} {words}")
    if seconds := sum(unit.outcome.number("wall_s") or 0.0 for unit in results.units):
        parts.append(f"{seconds / 60:.1f} minutes of work" if seconds >= 60 else f"{seconds:.1f} s of work")
    return " · ".join(parts)


def _config(run_dir: Path) -> str:
    path = run_dir / "config.toml"
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path} cannot be read as text ({error}); restore it or run again") from error
