"""What runs, analyses and benchmarks look like in a terminal: progress on standard error, tables on standard output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeGuard

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from hrsnn import speed
from hrsnn.evaluation import Label
from hrsnn.outcome import Outcome
from hrsnn.progress import ProgressEvent, clock
from hrsnn.report import atlas, bench, pruning, reproduced, search, searches
from hrsnn.report.findings import explained, found, names_explained
from hrsnn.report.parts.words import plain, quantity
from hrsnn.report.pruned import Pruned, pruned_of, synops
from hrsnn.report.source import Estimate, Key, Results, Row
from hrsnn.runs import Watcher
from hrsnn.vocabulary import ATLAS, METRICS, REPRODUCTION, SEARCHES, baselines, label_of
from hrsnn.work.unit import Unit

if TYPE_CHECKING:
    from hrsnn.pruning.schedule import Snapshot

_PROFILE = "loihi"
_NOTHING = "–"


class Display(Watcher):
    """Follows a run on standard error: moving bars in a terminal, one line per finished unit elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.headline: Callable[[], str] | None = None  # asked for when the directory is ours
        self.path: Path | None = None
        self.n_units = self.n_done = 0
        self._quiet = quiet
        self._console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
        self._bars: Progress | None = None
        self._rows: dict[str, TaskID] = {}
        self._all: TaskID | None = None
        self._seeds: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.stop()

    def say(self, text: str) -> None:
        """One line, unless quiet."""
        if not self._quiet:
            self._console.print(text)

    def opened(self, path: Path, units: Sequence[Unit], n_done: int) -> None:
        self.path, self.n_units, self.n_done = path, len(units), n_done
        self._seeds = sorted({unit.seed for unit in units})
        if self.headline is not None and not self._quiet:
            self.say(self.headline())
        if 0 < n_done < len(units):
            self.say(f"{n_done} of {len(units)} units were finished before")
        if self._console.is_terminal and not self._quiet:
            self._bars = _bars(self._console)
            self._all = self._bars.add_task("all units", seed="", activity="", total=len(units), completed=n_done)
            self._bars.start()

    def progress(self, unit: Unit, event: ProgressEvent) -> None:
        if self._bars is None:
            return
        what = f"{event.phase:<10}  {_label(unit)}"
        if unit.name not in self._rows:
            self._rows[unit.name] = self._bars.add_task(what, seed=self._seed(unit), activity="")
        row = self._rows[unit.name]
        same = self._bars.tasks[self._bars.task_ids.index(row)].description == what
        if not same:
            self._bars.reset(row, total=event.total, description=what)
        self._bars.update(row, total=event.total, completed=event.done)
        if activity := _activity(event):  # fitting tells none: the last stays
            self._bars.update(row, activity=activity)

    def finished(self, unit: Unit, outcome: Outcome) -> None:
        self.n_done += 1
        if self._bars is not None and self._all is not None:
            if unit.name in self._rows:
                self._bars.remove_task(self._rows.pop(unit.name))
            self._bars.update(self._all, completed=self.n_done)
            return
        known = [(name, outcome.metrics.get(name)) for name in METRICS]
        facts = [f"{label_of(name)} {plain(value)[0]}" for name, value in known if _is_number(value)][:1]
        per_neuron = outcome.costs.get("spikes_per_neuron")
        if _is_number(per_neuron) and unit.kind not in baselines():
            facts.append(f"{per_neuron:.1f} spikes/neuron")
        count = f"{self.n_done} of {self.n_units}"
        self.say(f"{count}: {_label(unit)}, {self._seed(unit)}: {', '.join(facts)} ({outcome.wall_s:.1f} s)")

    def pruned(self, snapshot: Snapshot, n_iterations: int) -> None:
        """A network on the way of pruning: a bar in a terminal, elsewhere about twenty lines."""
        told = f"{snapshot.size.n_neurons:,} neurons   {snapshot.size.n_synapses:,} synapses"
        told += f"   {snapshot.mean_rate_hz:.1f} Hz"
        if self._console.is_terminal and not self._quiet:
            if self._bars is None:
                self._bars = _bars(self._console)
                self._all = self._bars.add_task("pruning", seed="", activity="", total=n_iterations)
                self._bars.start()
            assert self._all is not None
            self._bars.update(self._all, completed=snapshot.index, activity=told)
        elif snapshot.index % max(1, n_iterations // 20) == 0:
            self.say(f"{snapshot.index} of {n_iterations}: {told}")

    def _seed(self, unit: Unit) -> str:
        return f"seed {self._seeds.index(unit.seed) + 1} of {len(self._seeds)}"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _label(unit: Unit) -> str:
    label = Label.of(unit)
    return Key(label.arm, label.stage, label.method).plain.label


def _activity(event: ProgressEvent) -> str:
    parts = []
    if event.spikes_per_neuron is not None:
        parts.append(f"{event.spikes_per_neuron:.1f} spikes/neuron")
    if event.silent_share is not None:
        parts.append(f"{100 * event.silent_share:.0f} % silent")
    return "   ".join(parts)


class _TimeLeft(ProgressColumn):
    max_refresh = 0.5

    def __init__(self, suffix: str) -> None:
        super().__init__()
        self._suffix = suffix

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        if left is None or task.finished:
            return Text("")
        return Text(f"{clock(left)}{self._suffix}", no_wrap=True)


def _bars(console: Console) -> Progress:
    wide = console.width >= 100
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[seed]}", markup=False),
        *([BarColumn(bar_width=25 if console.width >= 120 else 10)] if wide else []),
        TextColumn("{task.percentage:>3.0f} %", markup=False),
        _TimeLeft(" left" if wide else ""),
        TextColumn("{task.fields[activity]}", markup=False),
    ]
    # Units take seconds to minutes: time left is estimated over a long stretch.
    return Progress(*columns, console=console, transient=True, speed_estimate_period=600.0)


# -- the end -----------------------------------------------------------------------------------------------------------


def summary_text(results: Results) -> str:
    """The final table and the findings below it, without markup.

    One row per arm; metric as mean and 95 % interval over seeds; costs per sample, and for pruned networks how many
    times less than the unpruned one they spend.
    """
    measured = {name for row in results.rows for name, e in row.metrics.items() if e.mean is not None}
    headline = results.headline
    metrics = [name for name in (headline, *_beside(headline)) if name in measured]
    head = ["", *(label_of(name) for name in metrics)]
    head += ["spikes/neuron", "synaptic ops/sample", "pJ (Loihi)"]
    table = [head, *(_row(row, metrics) for row in results.rows)]
    pruned = {one.key: one for one in pruned_of(results)}
    if pruned:
        savings = [["fewer recurrent ops", "fewer ops"], *(_savings(pruned.get(row.key)) for row in results.rows)]
        table = [[*cells, *more] for cells, more in zip(table, savings, strict=True)]
    lines = aligned(table)
    words = [*names_explained(results), *explained(headline)]
    told = [*(finding.text for finding in found(results)), *_warned(results)]
    return "\n".join([*lines, "", *([*words, ""] if words else []), *told])


def _warned(results: Results) -> list[str]:
    """One line for all warnings, with the first of them; the report has the rest."""
    units = [unit for unit in results.units if unit.warnings]
    if not units:
        return []
    first = units[0]
    share = f"{len(units)} of {len(results.units)} networks and controls have warnings"
    return [f"Warning: {share}, the first {first.key.label}, seed {first.seed}: {first.warnings[0]}."]


def _beside(headline: str | None) -> tuple[str, ...]:
    """What a forecast is told by, beside its headline metric."""
    return {"vpt_lyapunov": ("vpt_lyapunov_04", "rmse"), "vpt_steps": ("rmse",)}.get(headline or "", ())


def _row(row: Row, metrics: list[str]) -> list[str]:
    cells = [row.key.label, *(_estimate(row.metrics.get(name)) for name in metrics)]
    if row.key.arm in baselines():
        return [*cells, _NOTHING, _NOTHING, _NOTHING]
    per_neuron = row.costs.get("spikes_per_neuron")
    operations = synops(row)
    energy = row.energy_pj.get(_PROFILE)
    return [
        *cells,
        _NOTHING if per_neuron is None else f"{per_neuron:.1f}",
        _NOTHING if operations is None else f"{operations:,.0f}",
        _NOTHING if energy is None else f"{energy:,.0f}",
    ]


def _savings(pruned: Pruned | None) -> list[str]:
    ratios = (pruned.fewer_recurrent, pruned.fewer_synops) if pruned else (None, None)
    return ["" if ratio is None else f"{quantity(ratio)}×" for ratio in ratios]


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None or estimate.mean is None:
        return _NOTHING
    if estimate.ci95 is None:
        return plain(estimate.mean)[0]
    mean, low, high = plain(estimate.mean, *estimate.ci95)
    return f"{mean} [{low}, {high}]"


def bench_text(measurements: speed.Measurements) -> str:
    """The tables of `hrsnn bench` and what was found below them, without markup; medians over the rounds."""
    head = ["", "M events/s", "of limit", "hrsnn faster by", "CPU s", "clock s", "MB"]
    lines: list[str] = []
    for place in measurements.places:
        rows = [
            [
                row.label, quantity(row.events_per_s and row.events_per_s / 1e6), quantity(row.ratio_to_limit),
                bench.times(row.hrsnn_ratio, row.hrsnn_ratio_range), quantity(row.user_s), quantity(row.wall_s),
                quantity(row.peak_mb),
            ]
            for row in measurements.at(place)
        ]  # fmt: skip
        lines += [f"{bench.size(place)}: {speed.SIMULATIONS[place[0]]}", *aligned([head, *rows]), ""]
    calls = [row for row in measurements.rows if row.workload in speed.CALLS]
    if calls:
        named = [
            [speed.CALLS[row.workload], bench.learning_of(row), quantity(row.wall_s), bench.more_of(row)]
            for row in calls
        ]
        lines += [*aligned([["", "", "clock s", ""], *named], to_right=(2,)), ""]
    lines += [*(finding.text for finding in bench.findings(measurements)), *bench.growth_sentences(measurements)]
    return "\n".join([*lines, *(f"Left out: {sentence}" for sentence in measurements.failures)])


def analysis_text(document: Mapping[str, Any]) -> str:
    """The table of `hrsnn analyse` and its warnings, without markup."""
    memory, separation, firing = document["memory"], document["separation"], document["firing"]
    sample_ms = memory["settings"]["sample_ms"]
    interval = " to ".join(quantity(bound) for bound in memory["ci95"])
    rows = [
        ("memory capacity", quantity(document["memory_capacity"]),
         f"{interval} samples of {sample_ms:g} ms; of the readout alone {quantity(memory['input_only'])}"),
        ("spike efficiency", quantity(document["spike_efficiency"]),
         f"memory capacity over {quantity(document['spikes_per_neuron'])} spikes per neuron and sample"),
        ("separation rank", quantity(document["separation_rank"]),
         f"of {separation['n_stimuli']} stimuli; generalisation rank {separation['generalisation']}"),
        *_largest_exponent(document),
        ("heterogeneity", quantity(document["heterogeneity"]), "nats per parameter; -9.21 is homogeneous"),
        ("mean rate", f"{quantity(document['mean_rate_hz'])} Hz", f"{100 * firing['silent_share']:.3g} % silent"),
        ("correlation of pairs", quantity(firing["pairwise_correlation"]), "of spike counts"),
        ("irregularity", quantity(firing["interval_cv"]), "CV of intervals; a Poisson process has 1"),
        ("energy", f"{quantity(document['energy_pj'][_PROFILE])} pJ", "per sample, synaptic operations on Loihi"),
    ]  # fmt: skip
    facts = document["network"]
    counts = f"{facts['n_neurons']:,} neurons, {facts['n_recurrent_synapses']:,} recurrent synapses"
    table = aligned([list(row) for row in rows], to_right=(1,))
    return "\n".join([f"{document['name']}: {counts}", "", *table, *(f"Warning: {w}" for w in document["warnings"])])


def _largest_exponent(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Its row, where there is one: networks with adaptation or short-term dynamics have none."""
    exponents = document["lyapunov"]
    if not exponents:
        return []
    error = quantity(exponents["standard_error_per_ms"][0])
    gains = [value for value in exponents["gains"].values() if value is not None]
    undecided = "; undecided, its sign depends on it" if min(gains, default=0) < 0 < max(gains, default=0) else ""
    value, gain = f"{quantity(document['lyapunov_max_per_ms'])} /ms", f"{exponents['surrogate_gain']:g}"
    return [("largest Lyapunov exponent", value, f"± {error}, with surrogate gain {gain}{undecided}")]


def pruning_text(document: Mapping[str, Any]) -> str:
    """The table of `hrsnn prune`, what it says in sentences, and its warnings, without markup."""
    table = pruning.comparison(pruning.read(document))
    lines = [f"{document['name']}, pruned ({document['method']})", ""]
    if table is not None:
        head = [*table.columns, ""]
        rows = [[words.text, *(cell.text for cell in cells), cells[0].note] for words, *cells in table.rows]
        lines += [*aligned([head, *rows], to_right=(1, 2, 3)), ""]
    lines += [finding.text for finding in pruning.findings(document)]
    return "\n".join([*lines, *(f"Warning: {sentence}." for sentence in document["warnings"])])


def export_text(document: Mapping[str, Any]) -> str:
    """What `hrsnn export nir` wrote, what readers do not see of it, and what a partner made of it, without markup."""
    network, found = document["network"], document["check"]
    lines = [f"{document['name']}: {network['n_neurons']} neurons, {network['n_inputs']} inputs, in {document['file']}"]
    if document["dropped"]:
        unseen = ", ".join(f"{one['column']} ({one['n']} {one['of']})" for one in document["dropped"])
        lines.append(f"Only hrsnn sees: {unseen}.")
    if found is None:
        return "\n".join(lines)
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items()) or found["partner"]
    lines.append(
        f"{versions}: {found['n_spikes']} spikes here, {found['n_spikes_partner']} there in {found['n_steps']} steps; "
        f"{found['lost']} lost, {found['gained']} gained"
        + ("." if found["first_difference"] is None else f", from step {found['first_difference']} on.")
    )
    if found["potential_bound"]:
        share = quantity(100 * found["potential_bound"])
        lines.append(f"Its decay differs: between spikes a potential is off by up to {share} % of its height.")
    return "\n".join(lines)


def search_text(document: Mapping[str, Any]) -> str:
    """What `hrsnn search` found in sentences, and the laws and numbers of its best trial, without markup."""
    lines = [finding.text for finding in search.findings(document)]
    table = search.found_table(document)
    rows = [] if table is None else [[cell.text for cell in row] for row in table.rows]
    if table is not None:
        lines += ["", *aligned([list(table.columns), *rows], to_right=())]
    return "\n".join(lines)


def searches_text(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """What searches of several arms found, an arm in a row, without markup."""
    rows = [["arm", "best of validation", "expected of it", "trial", "trials"]]
    for arm, document in documents.items():
        best = document["best"] or {}
        told = [f"{best[key]:.4g}" if key in best else "-" for key in ("value", "expected")]
        rows.append([arm, *told, str(best["number"] + 1) if best else "-", str(len(document["trials"]))])
    return "\n".join(aligned(rows))


def reproduction_text(document: Mapping[str, Any]) -> str:
    """The verdicts of `hrsnn reproduce claims`, or the tables and findings of any other, without markup."""
    if "claims" in document:
        verdicts = ((f"{claim['title']}: {claim['verdict']}", "; ".join(claim["when"])) for claim in document["claims"])
        return "\n".join(" ".join(words).rstrip() for words in verdicts)
    made = {ATLAS.text: atlas, SEARCHES.text: searches, REPRODUCTION.text: reproduced}[document["schema"]]
    lines = [document["title"], ""]
    for table in made.tables(document):
        rows = [[f"{cell.text} ({cell.note})" if cell.note else cell.text for cell in row] for row in table.rows]
        lines += [*aligned([list(table.columns), *rows]), ""]
    return "\n".join([*lines, *(finding.text for finding in made.findings(document))])


def aligned(rows: list[list[str]], *, to_right: Sequence[int] | None = None) -> list[str]:
    """Columns as wide as their widest cell; those in `to_right` (None: all but the first) end at one edge.

    >>> aligned([["a", "10"], ["long", "2"]])
    ['a      10', 'long    2']
    """
    right = range(1, len(rows[0])) if to_right is None else to_right
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "   ".join(
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
