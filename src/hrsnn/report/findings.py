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

from hrsnn.report.parts.words import Finding, Kind, listed, plain, plural, signed
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
    threshold = "0.4" if metric.endswith("_04") else "0.1"
    unit = ", in Lyapunov times" if "lyapunov" in metric else ""
    return [
        f"Valid prediction{unit}: how long a forecast that is fed back stays closer to the series than {threshold} of "
        "its standard deviation."
    ]


def names_explained(results: Results) -> list[str]:
    """What the names of the four arms mean, where any of them is there."""
    if not any(row.key.arm in NETWORKS[:4] for row in results.rows):
        return []
    return [
        "He is heterogeneous, every one its own, and Ho homogeneous, all at the mean: N of neurons (time constants, "
        "thresholds), S of synapses (plasticity)."
    ]


def found(results: Results) -> list[Finding]:
    """The findings of a run, headline metric first, in the order they are told."""
    metric = results.headline
    if metric is None:
        return [Finding("plain", "This run holds no measured values.")]
    asked = questions(results.reference)
    if _same_scores(results, Key("SeasonalNaive"), Key("Persistence")):  # no season: asked of the last value already
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
    return (
        Question(
            "Heterogeneous neurons", ((hen, ho), (both, hes), (Key("HeNB"), Key("HoNB"))), plural=True, differs=True
        ),
        Question("Heterogeneous plasticity", ((hes, ho), (both, hen)), differs=True),
        Question("Heterogeneity of neurons and plasticity together", ((both, ho),), differs=True),
        Question("Unsupervised learning", ((ref, Key(ref.arm, "control", "untrained")),)),
        Question("Recurrence", ((ref, ref.without_recurrence),)),
        *(
            Question("The network", ((ref, Key(c.arm)),), gains="gain", loses="lose", against=f" against {c.asked}")
            for c in CONTROLS.values()
            if c.arm
        ),
    )


def answers_to(results: Results, question: Question, metric: str) -> list[Finding]:
    """What this run answers to `question`, by the rules at the top; empty when it was not asked or has no answer."""
    for a, b in question.pairs:
        comparison = results.compared(a, b, metric)
        if comparison is not None:
            return _answers(results, question, comparison)
    return []


def tied(comparison: Comparison | None) -> bool:
    """Whether a comparison tells its two arms apart in no recording and no start.

    >>> tied(Comparison(Key("A"), Key("B"), "vpt_steps", diff=0.0, ci95=(0.0, 0.0), n_pairs=5))
    True
    """
    return comparison is not None and comparison.diff == 0 and comparison.ci95 in (None, (0.0, 0.0))


def alike(results: Results, a: Key, b: Key) -> bool:
    """Whether nothing that the run compares tells `a` and `b` apart: there is nothing to say about them."""
    rows = [c for c in results.comparisons if (c.a, c.b) in ((a, b), (b, a)) and c.diff is not None]
    return bool(rows) and all(tied(c) or _negligible(results, c) for c in rows)


def _negligible(results: Results, c: Comparison) -> bool:
    """Whether a whole interval of an error lies within a thousandth of it."""
    row = results.row(c.b)
    level = row.metrics.get(c.metric) if row else None
    if c.metric not in ERRORS or c.ci95 is None or level is None or level.mean is None:
        return False
    return max(abs(bound) for bound in c.ci95) < 1e-3 * level.mean


def _same_scores(results: Results, a: Key, b: Key) -> bool:
    rows = results.row(a), results.row(b)
    return None not in rows and rows[0].metrics == rows[1].metrics  # type: ignore[union-attr]


def _answers(results: Results, question: Question, first: Comparison) -> list[Finding]:
    ladder = LADDERS.get(first.metric, ())
    if tied(first):
        if alike(results, first.a, first.b):
            return _both_at_the_bound(results, question, first)
        others = (results.compared(first.a, first.b, name) for name in ladder)
        following = next((c for c in others if c is not None and c.diff is not None and not tied(c)), first)
        return [_answer(results, question, following)]
    told = [_answer(results, question, first)]
    if "rmse" in ladder and reading(first) in ("none", "gain"):
        error = results.compared(first.a, first.b, "rmse")
        if error is not None and reading(error) == "loss":
            told.append(_answer(results, question, error))
    return told


def _both_at_the_bound(results: Results, question: Question, c: Comparison) -> list[Finding]:
    """Two networks that are never wrong differ by what they spend; two that are wrong alike are one thing."""
    row = results.row(c.a)
    estimate = row.metrics.get(c.metric) if row else None
    spent = _at_cost(results, c)
    if c.metric != "accuracy" or estimate is None or estimate.mean != 1 or not spent:
        return []
    text = f"{question.subject}: accuracy is {plain(1.0)[0]} either way, so it cannot tell them apart;{spent}"
    return [Finding("plain", f"{text} ({c.a.label} against {c.b.label}; {plural(c.n_pairs, 'paired seed')}).")]


def reading(comparison: Comparison) -> Kind:
    """How a comparison reads: the kind of finding it is, for a metric of known direction or (gain = higher) not.

    >>> c = Comparison(Key("A"), Key("B"), "nrmse", diff=-0.2, ci95=(-0.3, -0.1), n_pairs=5)
    >>> reading(c)
    'gain'
    """
    if comparison.ci95 is None or comparison.diff is None:
        return "open"
    low, high = comparison.ci95
    if low <= 0 <= high:
        return "none"
    return "gain" if (low > 0) == (higher_is_better(comparison.metric) is not False) else "loss"


def _answer(results: Results, question: Question, c: Comparison) -> Finding:
    kind = reading(c)
    name, unit = words_of(c.metric), unit_of(c.metric)
    versus = f"{c.a.label} against {c.b.label}"
    if c.diff is None:
        return Finding("open", f"{question.subject}: this run has no value of {name} for {versus}.")
    if c.ci95 is None:
        seeds = "one seed" if c.n_pairs == 1 else plural(c.n_pairs, "paired seed")
        change = f"{name} differs by {signed(c.diff)[0]}{unit} ({versus}; {seeds})"
        return Finding("open", f"{question.subject}: {change}. There is no interval, so this is not yet a finding.")
    evidence = f"({versus}; {plural(c.n_pairs, 'paired seed')})"
    low, high = c.ci95
    at_cost = _at_cost(results, c)
    if kind == "none":
        diff, *interval = signed(c.diff, low, high)
        change = f"{name} differs by {diff}{unit}, 95 % interval [{', '.join(interval)}], which contains zero"
        spent = f",{at_cost}" if at_cost else ""
        return Finding("none", f"{question.subject} {question.nothing}: {change}{spent} {evidence}.")
    sign = 1 if low > 0 else -1
    size, *interval = plain(sign * c.diff, *sorted((sign * low, sign * high)))
    amount = f"{size} [{', '.join(interval)}]{unit}"
    if higher_is_better(c.metric) is True:
        verb = question.verb(question.gains if kind == "gain" else question.loses)
        noun = "of valid prediction" if unit else name
        return Finding(kind, f"{question.subject} {verb} {amount} {noun}{question.against}{at_cost} {evidence}.")
    verb = question.verb("raise" if low > 0 else "lower")
    known = c.metric in METRICS
    judged = (", which is better" if kind == "gain" else ", which is worse") if known else ""
    text = f"{question.subject} {verb} {name} by {amount}{question.against}{at_cost}{judged} {evidence}."
    return Finding(kind if known else "plain", text)


def _level(results: Results, metric: str) -> list[Finding]:
    row = results.row(results.reference)
    estimate = row.metrics.get(metric) if row else None
    if row is None or estimate is None or estimate.mean is None:
        return []
    if estimate.mean == 0 and "rmse" in LADDERS.get(metric, ()) and "rmse" in row.metrics:
        return _level(results, "rmse")
    name, unit = words_of(metric), unit_of(metric)
    value, *interval = plain(estimate.mean, *(estimate.ci95 or ()))
    within = f" [{', '.join(interval)}]" if interval else ""
    over = "one seed, which gives no interval" if row.n_seeds == 1 else f"{row.n_seeds} seeds"
    chance = _chance(results) if metric == "accuracy" else ""
    return [Finding("plain", f"{row.key.label}: {name} {value}{within}{unit} over {over}{chance}.")]


def _of_pruning(results: Results, metric: str) -> list[Finding]:
    """What was cut away, what it cost, and whether another choice of the same size would have cost as much."""
    methods = pruned_of(results)
    if not methods:
        return []
    first, *others = methods
    asked = [Question(f"Pruning ({first.key.method})", ((first.key, first.dense),), differs=True)]
    for other in others:
        subject = f"Pruning by {first.key.method} rather than {other.key.method}"
        equal = "" if of_equal_size(results, first.key, other.key) else ", whose size is another"
        asked.append(
            Question(subject, ((first.key, other.key),), gains="gain", loses="lose", against=equal, differs=True)
        )
    answers = [answer for question in asked for answer in answers_to(results, question, metric)]
    return [*_size(results, first, others), *answers, *_recurrence_kept(results, methods, metric)]


def _size(results: Results, first: Pruned, others: list[Pruned]) -> list[Finding]:
    kept = [
        f"{after:,.0f} of {before:,.0f} {words}"
        for sizes, words in ((first.n_neurons, "neurons"), (first.n_synapses, "recurrent synapses"))
        if sizes is not None
        for before, after in (sizes,)
    ]
    spent = [
        f"{ratio:.3g} times fewer {words}"
        for ratio, words in (
            (first.fewer_recurrent, "recurrent operations"),
            (first.fewer_synops, "in all, input and readout included,"),
        )
        if ratio is not None
    ]
    if not kept:
        return []
    text = f"{first.key.label} keeps {' and '.join(kept)}"
    text += f", and spends {' and '.join(spent)} than {first.dense.label}" if spent else ""
    equal = [str(other.key.method) for other in others if of_equal_size(results, first.key, other.key)]
    who = listed(equal)
    also = f" {who[:1].upper()}{who[1:]} left exactly as many neurons and synapses." if equal else ""
    return [Finding("plain", f"{text}.{also}")]


def _recurrence_kept(results: Results, methods: list[Pruned], metric: str) -> list[Finding]:
    """Pruning can be judged only where recurrence matters."""
    recurrence = results.compared(methods[0].dense, methods[0].dense.without_recurrence, metric)
    if recurrence is None or recurrence.ci95 is None:
        return []
    shares = [
        (method.key.method, share) for method in methods if (share := gap_kept(results, method, metric)) is not None
    ]
    if not shares:
        text = "Recurrence adds nothing measurable here, so this task cannot tell good pruning from bad."
        return [Finding("plain", text)]
    kept = ", ".join(f"{method} {100 * share:.0f} %" for method, share in shares)
    return [Finding("plain", f"Of what recurrence adds here, pruned networks keep on average: {kept}.")]


def _chance(results: Results) -> str:
    """What naming the most frequent class of the test part would give, where the labels are known."""
    for unit in results.units_of(results.reference):
        labels = unit.details.items("labels")
        if labels and all(isinstance(label, int) for label in labels):
            share = max(labels.count(label) for label in set(labels)) / len(labels)
            return f"; naming the most frequent class every time would give {plain(share)[0]}"
    return ""


def group_word(results: Results, key: Key) -> str:
    """What a group of recordings is on this task: speaker, session, ..."""
    return next((word for unit in results.units_of(key) if (word := unit.details.text("group_word"))), "group")


def _seen(results: Results) -> list[Finding]:
    row = results.row(results.reference)
    scores = [row.score(name).mean if row else None for name in ("accuracy_seen", "accuracy_unseen")]
    if row is None or scores[0] is None or scores[1] is None:
        return []
    known, unknown = plain(scores[0], scores[1])
    word = group_word(results, row.key)
    text = f"{row.key.label} has accuracy {known} on {word}s seen in training and {unknown} on {word}s that were not."
    return [Finding("plain", text)]


def _caution(results: Results, metric: str) -> list[Finding]:
    pairs = [c.n_pairs for c in results.comparisons if c.metric == metric and c.ci95 is not None]
    if not pairs or min(pairs) >= FEW_SEEDS:
        return []
    return [
        Finding("plain", f"With only {min(pairs)} paired seeds the intervals themselves are uncertain; use 5 or more.")
    ]


def _costs(results: Results) -> list[Finding]:
    """Spikes and synaptic operations of the reference network over those of the homogeneous one."""
    reference = results.reference
    homogeneous = Key("HoNB" if reference == Key("HeNB") else "HoNHoS")
    if reference is None or reference == homogeneous:
        return []
    ratios = {
        "spikes": results.ratio(reference, homogeneous, *SPIKES),
        "recurrent synaptic operations": results.ratio(reference, homogeneous, "synops_recurrent"),
    }
    parts = [f"{ratio:.2f} times the {words}" for words, ratio in ratios.items() if ratio is not None]
    text = f"{reference.label} spends {' and '.join(parts)} of {homogeneous.label} (counted, not estimated)."
    return [Finding("plain", text)] if parts else []


def _at_cost(results: Results, c: Comparison) -> str:
    ratio = results.ratio(c.a, c.b, *SPIKES)
    return f" at {ratio:.2f} times the spikes" if ratio else ""
