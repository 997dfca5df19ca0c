"""What was found, in plain sentences: pure functions from results to text, used by the report and the command line.

A difference is told with its size, its 95 % interval and the number of paired seeds. An interval that contains zero
is told as "no measurable difference" or "nothing measurable", one seed as no finding. The questions are fixed
beforehand, in this table, not chosen by what came out, and so is the metric of each answer:

* the headline metric of the run, where it tells the two apart in any test recording or start;
* where it does not (both never wrong, both never right for a step), the next of `LADDERS` that does;
* of forecasts, beside a prediction time that is no finding or a better one, an error that is worse;
* nothing at all where no metric tells the two apart: one and the same thing under two names.

Tables, figures and sentences hold the same statistic: means over seeds and test recordings (or starts), and their
differences.
"""

from __future__ import annotations

from dataclasses import dataclass

from hrsnn.report.parts.words import Finding, capital, listed, plain, plural, signed, with_interval, within
from hrsnn.report.pruned import Pruned, gap_kept, of_equal_size, pruned_of
from hrsnn.report.source import Comparison, Key, Results
from hrsnn.vocabulary import CONTROLS, ERRORS, LADDERS, METRICS, NETWORKS, higher_is_better, kind_of, unit_of, words_of

SPIKES = ("spikes_per_sample", "spikes_per_neuron")
FEW_SEEDS = 5  # with fewer paired seeds an interval is told with a caution


@dataclass(frozen=True, slots=True)
class Question:
    """Does `subject` help? Asked of the first of `pairs` (a, b) that the run compares."""

    subject: str
    pairs: tuple[tuple[Key, Key], ...]
    plural: bool = False
    gains: str = "add"
    loses: str = "cost"
    against: str = ""
    differs: bool = False  # told as a difference where nothing is measurable, not as something added

    def verb(self, stem: str) -> str:
        return stem if self.plural else f"{stem}s"

    @property
    def nothing(self) -> str:
        if self.differs:
            return f"{self.verb('make')} no measurable difference"
        return f"{self.verb('add')} nothing measurable{self.against}"


def explained(metric: str | None) -> list[str]:
    """What a score means, in a sentence, where its name does not tell."""
    if metric is None or kind_of(metric) != "time":
        return []
    threshold, unit = "0.4" if metric.endswith("_04") else "0.1", ", in Lyapunov times" if "lyapunov" in metric else ""
    how_long = f"how long a forecast that is fed back stays closer to the series than {threshold}"
    return [f"Valid prediction{unit}: {how_long} of its standard deviation."]


def names_explained(results: Results) -> list[str]:
    """What the names of the four arms mean, where any of them is there, and what is said of one alone."""
    if not any(row.key.arm in NETWORKS[:4] for row in results.rows):
        return []
    own = results.own_values
    alike = "alike" if own else "at the mean"
    said = f"He is heterogeneous, every one its own, and Ho homogeneous, all {alike}"
    of = "N of neurons (time constants, thresholds), S of synapses (plasticity)"
    return [f"{said}: {of}."] + [f"Each with values of its own, as the config has them: {', '.join(own)}."] * bool(own)


def found(results: Results) -> list[Finding]:
    """The findings of a run, headline metric first, in the order they are told."""
    metric = results.headline
    if metric is None:
        return [Finding("plain", "This run holds no measured values.")]
    season, last = (results.row(Key(arm)).metrics for arm in ("SeasonalNaive", "Persistence"))
    asked = questions(results.reference)
    if season and season == last:  # no season: asked of the last value already
        asked = tuple(q for q in asked if all(b != Key("SeasonalNaive") for _, b in q.pairs))
    answers = [answer for q in asked for answer in answers_to(results, q, metric)]
    if not answers:
        answers = [Finding("plain", "This run compares no two arms, so it says nothing about what helps.")]
    told = [*_level(results, metric), *_seen(results), *answers, *_of_pruning(results, metric)]
    return [*told, *_caution(results, metric), *_costs(results)]


def questions(reference: Key | None) -> tuple[Question, ...]:
    """The questions put to a run whose most heterogeneous network is `reference`."""
    ho, hen, hes, both = Key("HoNHoS"), Key("HeNHoS"), Key("HoNHeS"), Key("HeNHeS")
    ref = reference or both
    neurons = (hen, ho), (both, hes), (Key("HeNB"), Key("HoNB"))
    learning = "Unsupervised learning" if ref.arm.endswith("S") else "Backpropagation"
    others = {f" against {control.asked}": Key(control.arm) for control in CONTROLS.values() if control.arm}
    return (
        Question("Heterogeneous neurons", neurons, plural=True, differs=True),
        Question("Heterogeneous plasticity", ((hes, ho), (both, hen)), differs=True),
        Question("Heterogeneity of neurons and plasticity together", ((both, ho),), differs=True),
        Question(learning, ((ref, Key(ref.arm, "control", "untrained")),)),
        Question("Recurrence", ((ref, ref.without_recurrence),)),
        *(Question("The network", ((ref, key),), False, "gain", "lose", against) for against, key in others.items()),
    )


def answers_to(results: Results, question: Question, metric: str) -> list[Finding]:
    """What this run answers to `question`, by the rules at the top; empty when it was not asked or has no answer."""
    asked = (results.compared(a, b, metric) for a, b in question.pairs)
    first = next((c for c in asked if c is not None), None)
    if first is None:
        return []
    ladder = LADDERS.get(first.metric, ())
    others = [c for name in ladder if (c := results.compared(first.a, first.b, name)) is not None]
    if first.tied:
        if alike(results, first.a, first.b):
            return _never_wrong(results, question, first)
        following = next((c for c in others if c.diff is not None and not c.tied), first)
        return [_answer(results, question, following)]
    hidden = [c for c in others if c.metric == "rmse" and c.reading == "loss" and first.reading in ("none", "gain")]
    return [_answer(results, question, c) for c in (first, *hidden)]


def alike(results: Results, a: Key, b: Key) -> bool:
    """Whether nothing that the run compares tells `a` and `b` apart: there is nothing to say about them."""
    rows = [c for c in results.comparisons if (c.a, c.b) in ((a, b), (b, a)) and c.diff is not None]
    return bool(rows) and all(c.tied or _negligible(results, c) for c in rows)


def _negligible(results: Results, c: Comparison) -> bool:
    """Whether a whole interval of an error lies within a thousandth of it."""
    level = results.row(c.b).mean(c.metric)
    if c.metric not in ERRORS or c.ci95 is None or level is None:
        return False
    return max(abs(bound) for bound in c.ci95) < 1e-3 * level


def _never_wrong(results: Results, question: Question, c: Comparison) -> list[Finding]:
    """Two networks that are never wrong differ by what they spend; two that are wrong alike are one thing."""
    spent = _at_cost(results, c)
    if c.metric != "accuracy" or results.row(c.a).mean("accuracy") != 1 or not spent:
        return []
    text = f"{question.subject}: accuracy is {plain(1.0)[0]} either way, so it cannot tell them apart;{spent}"
    return [Finding("plain", f"{text} ({c.a.label} against {c.b.label}; {plural(c.n_pairs, 'paired seed')}).")]


def _answer(results: Results, question: Question, c: Comparison) -> Finding:
    name, unit = words_of(c.metric), unit_of(c.metric)
    versus = f"{c.a.label} against {c.b.label}"
    seeds = "one seed" if c.n_pairs == 1 else plural(c.n_pairs, "paired seed")
    if c.diff is None:
        return Finding("open", f"{question.subject}: this run has no value of {name} for {versus}.")
    if c.ci95 is None:
        change = f"{name} differs by {signed(c.diff)[0]}{unit} ({versus}; {seeds})"
        return Finding("open", f"{question.subject}: {change}. There is no interval, so this is not yet a finding.")
    at_cost, evidence = _at_cost(results, c), f"({versus}; {seeds})"
    if c.reading == "none":
        diff, *ends = signed(c.diff, *c.ci95)
        change = f"{name} differs by {diff}{unit}, 95 % interval {within(ends, str)}, which contains zero"
        spent = f",{at_cost}" if at_cost else ""
        return Finding("none", f"{question.subject} {question.nothing}: {change}{spent} {evidence}.")
    rises = c.ci95[0] > 0
    amount = f"{with_interval(plain, abs(c.diff), sorted(map(abs, c.ci95)))}{unit}"
    if higher_is_better(c.metric) is True:
        verb = question.verb(question.gains if rises else question.loses)
        noun = "of valid prediction" if unit else name
        return Finding(c.reading, f"{question.subject} {verb} {amount} {noun}{question.against}{at_cost} {evidence}.")
    known = c.metric in METRICS
    judged = f", which is {'better' if c.reading == 'gain' else 'worse'}" if known else ""
    text = f"{question.subject} {question.verb('raise' if rises else 'lower')} {name} by {amount}{question.against}"
    return Finding(c.reading if known else "plain", f"{text}{at_cost}{judged} {evidence}.")


def _level(results: Results, metric: str) -> list[Finding]:
    row = results.row(results.reference)
    mean, ends = row.mean(metric), row.score(metric).ci95
    if mean is None:
        return []
    if mean == 0 and "rmse" in LADDERS.get(metric, ()) and "rmse" in row.metrics:
        return _level(results, "rmse")
    over = "one seed, which gives no interval" if row.n_seeds == 1 else f"{row.n_seeds} seeds"
    chance = _chance(results) if metric == "accuracy" else ""
    text = f"{row.key.label}: {words_of(metric)} {with_interval(plain, mean, ends)}{unit_of(metric)} over {over}"
    return [Finding("plain", f"{text}{chance}.")]


def _of_pruning(results: Results, metric: str) -> list[Finding]:
    """What was cut away, what it cost, and whether another choice of the same size would have cost as much."""
    methods = pruned_of(results)
    if not methods:
        return []
    first, *others = methods
    equal = [str(other.key.method) for other in others if of_equal_size(results, first.key, other.key)]
    asked = [Question(f"Pruning ({first.key.method})", ((first.key, first.dense),), differs=True)]
    for other in others:
        subject = f"Pruning by {first.key.method} rather than {other.key.method}"
        size = "" if other.key.method in equal else ", whose size is another"
        asked.append(Question(subject, ((first.key, other.key),), False, "gain", "lose", size, differs=True))
    answers = [answer for question in asked for answer in answers_to(results, question, metric)]
    return [*_size(first, equal), *answers, *_recurrence_kept(results, methods, metric)]


def _size(first: Pruned, equal: list[str]) -> list[Finding]:
    """What the first method left; the others in `equal` left as much."""
    sizes = ((first.n_neurons, "neurons"), (first.n_synapses, "recurrent synapses"))
    kept = [f"{size[1]:,.0f} of {size[0]:,.0f} {words}" for size, words in sizes if size is not None]
    if not kept:
        return []
    all_words = "in all, input and readout included,"
    ratios = ((first.fewer_recurrent, "recurrent operations"), (first.fewer_synops, all_words))
    spent = [f"{ratio:.3g} times fewer {words}" for ratio, words in ratios if ratio is not None]
    text = f"{first.key.label} keeps {' and '.join(kept)}"
    text += f", and spends {' and '.join(spent)} than {first.dense.label}" if spent else ""
    also = f" {capital(listed(equal))} left exactly as many neurons and synapses." if equal else ""
    return [Finding("plain", f"{text}.{also}")]


def _recurrence_kept(results: Results, methods: list[Pruned], metric: str) -> list[Finding]:
    """Pruning can be judged only where recurrence matters."""
    recurrence = results.compared(methods[0].dense, methods[0].dense.without_recurrence, metric)
    if recurrence is None or recurrence.ci95 is None:
        return []
    shares = [(one.key.method, share) for one in methods if (share := gap_kept(results, one, metric)) is not None]
    kept = ", ".join(f"{method} {100 * share:.0f} %" for method, share in shares)
    none = "Recurrence adds nothing measurable here, so this task cannot tell good pruning from bad."
    text = f"Of what recurrence adds here, pruned networks keep on average: {kept}."
    return [Finding("plain", text if kept else none)]


def _chance(results: Results) -> str:
    """What naming the most frequent class of the test part would give, where the labels are known."""
    for unit in results.units_of(results.reference):
        if labels := unit.details.items("labels"):
            share = max(labels.count(label) for label in set(labels)) / len(labels)
            return f"; naming the most frequent class every time would give {plain(share)[0]}"
    return ""


def group_word(results: Results, key: Key) -> str:
    """What a group of recordings is on this task: speaker, session, ..."""
    return next((word for unit in results.units_of(key) if (word := unit.details.text("group_word"))), "group")


def _seen(results: Results) -> list[Finding]:
    row = results.row(results.reference)
    seen, unseen = (row.mean(name) for name in ("accuracy_seen", "accuracy_unseen"))
    if seen is None or unseen is None:
        return []
    (known, unknown), word = plain(seen, unseen), group_word(results, row.key)
    text = f"{row.key.label} has accuracy {known} on {word}s seen in training and {unknown} on {word}s that were not."
    return [Finding("plain", text)]


def _caution(results: Results, metric: str) -> list[Finding]:
    n = min((c.n_pairs for c in results.comparisons if c.metric == metric and c.ci95 is not None), default=FEW_SEEDS)
    text = f"With only {n} paired seeds the intervals themselves are uncertain; use 5 or more."
    return [Finding("plain", text)] if n < FEW_SEEDS else []


def _costs(results: Results) -> list[Finding]:
    """Spikes and synaptic operations of the reference network over those of the homogeneous one."""
    reference = results.reference
    homogeneous = Key("HoNB" if reference == Key("HeNB") else "HoNHoS")
    if reference is None or reference == homogeneous:
        return []
    counted = {"spikes": SPIKES, "recurrent synaptic operations": ("synops_recurrent",)}
    ratios = {words: results.ratio(reference, homogeneous, *costs) for words, costs in counted.items()}
    parts = [f"{ratio:.2f} times the {words}" for words, ratio in ratios.items() if ratio is not None]
    text = f"{reference.label} spends {' and '.join(parts)} of {homogeneous.label} (counted, not estimated)."
    return [Finding("plain", text)] if parts else []


def _at_cost(results: Results, c: Comparison) -> str:
    ratio = results.ratio(c.a, c.b, *SPIKES)
    return f" at {ratio:.2f} times the spikes" if ratio else ""
