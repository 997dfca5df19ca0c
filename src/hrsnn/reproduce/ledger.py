"""The claims: what was published, how it is read here, the test, and what would count as holding.

Written down before the numbers were seen. Conditions are part of a claim from the beginning: "holds only when" can name
nothing else. Statements are in our words; S0 is the summary paper (arXiv 2407.06452), S1 arXiv 2211.04297, S2 arXiv
2302.11618.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hrsnn.reproduce import pairs
from hrsnn.reproduce.units import AS_DRAWN, WHITE_DRIVE
from hrsnn.reproduce.verdict import Side


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison: a minus b, and the side of zero on which the claim puts its mean."""

    what: str
    side: Side
    pairs: pairs.PairsOf


Conditions = Mapping[str, tuple[Test, ...]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A condition, by its name, holds when all its tests support it.

    `also` is measured and told, without a part in the verdict; `caution` is what a reader must know beside it.
    """

    id: str
    title: str
    source: str
    published: str
    reading: str
    test: str
    networks: str
    holds_if: str
    conditions: Conditions
    also: tuple[Test, ...] = ()
    caution: str = ""


# -- the table ---------------------------------------------------------------------------------------------------------

_PAIRED = "matched means, the same seed for wiring, weights and input within a pair"
_DRIVE = "white drive, STDP on 500 ms recordings of another white drive, then frozen"
_DIGITS = "spoken digits (the built-in task), STDP on its training part, then frozen"
_TWO_RULES = (
    "The two kinds of networks differ in more than their input: under the white drive weights learn with hard bounds, "
    "on spoken digits with soft bounds and some thirty times more slowly."
)
_STATES = {"read from filtered spikes": "", "read from spike counts": "_counts"}  # and the ends of their quantities


def _learned(what: str, side: Side, quantity: str, a: str, b: str = "HoNHoS") -> Test:
    """Two arms after learning under the white drive."""
    return Test(f"{what}, {a} − {b}", side, pairs.learned(quantity, a, b))


def _on_digits(what: str, side: Side, quantity: str, a: str, less: str = "") -> Test:
    """An arm against HoNHoS on spoken digits."""
    return Test(f"{what}, {a} − HoNHoS", side, pairs.on_digits(quantity, a, "HoNHoS", less))


def _correlated(x: str, y: str, side: Side, end: str = "", words: str = "") -> Test:
    """Two quantities over the networks of a seed."""
    names = {"memory": "C", "log_participation": "log 1/J", "cv": "CV", "rate_hz": "the firing rate"}
    of, with_ = (names.get(name, name.replace("_", " ")) for name in (x, y))
    found = pairs.correlation(*(name if name == "cv" else f"{name}{end}" for name in (y, x)))
    return Test(f"correlation of {of} with {with_}{words}", side, found)


def _of_states(*tests: Callable[[str], Test]) -> Conditions:
    """The same tests for both kinds of state; each is given the end of the names of its quantities."""
    return {name: tuple(test(end) for test in tests) for name, end in _STATES.items()}


_SETTINGS = {  # a condition of claims about mechanisms: where, what is compared, and its words
    "in memory capacity": (WHITE_DRIVE, "memory", "C"),
    "on delayed recall": ("delayed-recall", "accuracy", "accuracy"),
    "on delayed match": ("delayed-match", "accuracy", "accuracy"),
}
_MECHANISM_NETWORKS = (
    "heterogeneous neurons, no learning: white drive; and the built-in configs delayed-recall and delayed-match, "
    "without what a search found for each arm"
)
_GIVEN_BACK = (
    "a difference could be one of gain. What the mechanism takes is given back by a rule that was fixed beforehand and "
    "looks at rates on training data alone (10 s of another white drive): {}. Unmatched networks stand below, without "
    "a part in the verdict."
)
_NOT_TUNED = (
    "The networks of the tasks were chosen with static synapses and fixed thresholds, and not again for the mechanism; "
    "the readout alone is trained."
)


def _mechanism(mechanism: str, name: str, against: str) -> dict[str, Any]:
    """Conditions and `also` of a claim about a mechanism: with what it takes made up for, and as it is drawn."""
    as_drawn = f"{mechanism}{AS_DRAWN}"
    conditions, rates, unmatched = {}, [], []
    for setting, (where, quantity, words) in _SETTINGS.items():
        what, of = f"{words}, {name} − {against}", pairs.with_mechanism
        conditions[setting] = (Test(what, "above", of(quantity, where, mechanism)),)
        rates.append(Test(f"{setting}: mean rate (Hz), matched", "same", of("rate_hz", where, mechanism)))
        unmatched.append(Test(f"{setting}: {what}, unmatched", "above", of(quantity, where, as_drawn)))
        unmatched.append(Test(f"{setting}: mean rate (Hz), unmatched", "below", of("rate_hz", where, as_drawn)))
    return {"conditions": conditions, "also": (*rates, *unmatched)}


_FIXED, _TRAINED = "with time constants fixed", "with time constants trained"


def _by_backprop(
    what: str, a: tuple[str, str], b: tuple[str, str], quantity: str = "accuracy", side: Side = "above"
) -> Test:
    return Test(what, side, pairs.by_backprop(quantity, a, b))


def _most_important(quantity: str, groups: tuple[str, ...], other: str) -> Test:
    names = {"tau_mem": "τ_m", "v_th": "v_th", "a": "A±", "tau_stdp": "τ±"}
    together = " + ".join(names[group] for group in groups)
    return Test(f"|{together}| − |{names[other]}|", "above", pairs.larger_importance(quantity, groups, other))


_BACKPROP_NETWORKS = (
    'spoken digits (the built-in task), its network in the size of this scale, `[learn] rule = "backprop"` with its '
    "defaults; the epoch is chosen on training speakers held out, the readout on the validation part"
)
_BACKPROP_CAUTION = (
    "560 recordings to learn from, networks far smaller than those of the papers, settings that were not searched for; "
    "the intervals are over seeds, the 360 test recordings are the same in all."
)

CLAIMS = (
    Claim(
        "s1-t1-rank", "Heterogeneous networks separate more inputs", "S1, theorem 1 (method.md 8, 16.5)",
        published="For a finite set of inputs, the rank of the states of a heterogeneous network is at least that of a "
        "homogeneous one.",
        reading="The numerical rank is full in both, so it is the effective rank (0.99 of the sum of singular values) "
        "of the states after N Poisson stimuli of 500 ms; and no single pair but the mean over pairs, for single draws "
        "can go either way.",
        test=f"Effective rank, heterogeneous minus homogeneous, paired by seed; {_PAIRED}.", networks=_DRIVE,
        holds_if="The mean difference is above 0, before learning (neurons alone) and after (neurons and STDP).",
        conditions={
            "before learning": (Test("effective rank, HeN − HoN", "above", pairs.untrained("rank")),),
            "after learning": (_learned("effective rank", "above", "rank", "HeNHeS"),),
        },
    ),
    Claim(
        "s2-t1-memory", "Heterogeneous neurons remember more", "S2, theorem 1 (method.md 9.6, 16.6)",
        published="At equal size, the memory capacity of a network with heterogeneous neurons is at least that of one "
        "with homogeneous neurons.",
        reading="A statement about the dynamics of neurons, so networks are untrained. A reservoir without noise "
        "remembers as much whatever its spread, so noise is a condition: Poisson or regular input spikes; so is the "
        "memory of the filter that the states are read with.",
        test=f"C over delays up to 100 samples, heterogeneous minus homogeneous neurons, paired by seed; {_PAIRED}.",
        networks="white drive, untrained",
        holds_if="The mean difference is above 0 for both kinds of input and both kinds of state.",
        conditions={
            f"{state}, {noise} input": (
                Test("C, heterogeneous − homogeneous neurons", "above", pairs.untrained(f"memory{of_state}{of_noise}")),
            )
            for noise, of_noise in (("Poisson", ""), ("regular", "_regular"))
            for state, of_state in _STATES.items()
        },
    ),
    Claim(
        "s2-t1-mechanism", "Heterogeneity raises memory by decorrelating states",
        "S2, proof of theorem 1 (method.md 9.6, 16.6)",
        published="More heterogeneity makes the states covary less, and the less they covary, the larger the memory.",
        reading="Correlations in place of covariances, which grow with the rate. Three links: C rises with log 1/J, "
        "the evenness of the spectrum of the states; C falls with the mean squared correlation of different neurons; "
        "and that correlation falls with the CV of the membrane time constants.",
        test="Networks that differ in the CV of τ_m alone (gamma laws, CV from 0 to 1, same means): the correlation "
        "over the networks of one seed, averaged over seeds. Pooled regressions over all networks are in the document.",
        networks="white drive, untrained, thresholds homogeneous",
        holds_if="All three correlations have the claimed sign.",
        conditions=_of_states(
            lambda end: _correlated("memory", "log_participation", "above", end),
            lambda end: _correlated("memory", "squared_correlation", "below", end),
            lambda end: _correlated("squared_correlation", "cv", "below", end),
        ),
        also=(
            _correlated("memory", "cv", "above", words=" (filtered spikes)"),
            _correlated("rate_hz", "cv", "above"),
        ),
        caution="The CV of τ_m moves the firing rate too, and C moves with the rate: this is a correlation, no proof "
        "of the mechanism.",
    ),
    Claim(
        "lemma-3-2-1-spikes", "Heterogeneous STDP leads to fewer spikes", "S2, lemma 3.2.1 (method.md 10.3, 16.7)",
        published="With heterogeneity in the dynamics of STDP alone, the mean firing rate after learning is lower.",
        reading="An empirical claim, not a theorem, for a network of integrate-and-fire neurons: HoNHeS against HoNHoS "
        "from the same initial weights.",
        test=f"Mean rate after learning, HoNHeS minus HoNHoS; {_PAIRED}.",
        networks=f"{_DRIVE}; and {_DIGITS}, rates on its test part",
        holds_if="The mean difference is below 0 under both kinds of input.",
        conditions={
            "under the white drive": (_learned("mean rate (Hz)", "below", "rate_hz", "HoNHeS"),),
            "on spoken digits": (_on_digits("mean rate (Hz)", "below", "rate_hz", "HoNHeS"),),
        },
        also=(
            Test("CV of interspike intervals", "above", pairs.learned("interval_cv", "HoNHeS", "HoNHoS")),
            Test("pairwise correlation", "below", pairs.learned("pairwise_correlation", "HoNHeS", "HoNHoS")),
            Test("third-order co-moment", "below", pairs.learned("third_order", "HoNHeS", "HoNHoS")),
        ),
        caution=_TWO_RULES,
    ),
    Claim(
        "s2-t2-efficiency", "Heterogeneous networks remember more per spike", "S2, theorem 2 (method.md 10.4)",
        published="At equal size, memory capacity per spike is at least as large in a heterogeneous network.",
        reading="E is C over the spikes per neuron and input sample; heterogeneous is HeNHeS, homogeneous HoNHoS. Its "
        "two factors, C and the spikes, are told apart from it.",
        test=f"E after learning, HeNHeS minus HoNHoS; {_PAIRED}.", networks=_DRIVE,
        holds_if="The mean difference is above 0 for both kinds of state.",
        conditions=_of_states(lambda end: _learned("E", "above", f"efficiency{end}", "HeNHeS")),
        also=(
            Test("first factor: C (filtered spikes)", "above", pairs.learned("memory", "HeNHeS", "HoNHoS")),
            Test("first factor: C (spike counts)", "above", pairs.learned("memory_counts", "HeNHeS", "HoNHoS")),
            Test("second factor: spikes per neuron and sample", "below", pairs.learned("spikes", "HeNHeS", "HoNHoS")),
        ),
    ),
    Claim(
        "headline-1-neurons", "Heterogeneity of neurons raises memory", "S2, first headline claim (method.md 10.5)",
        published="Heterogeneity in neuronal dynamics raises memory capacity.",
        reading="After learning, with either kind of STDP.",
        test=f"C after learning, heterogeneous minus homogeneous neurons; {_PAIRED}.", networks=_DRIVE,
        holds_if="The mean difference is above 0 with homogeneous and with heterogeneous STDP.",
        conditions={
            "with homogeneous STDP": (_learned("C", "above", "memory", "HeNHoS"),),
            "with heterogeneous STDP": (_learned("C", "above", "memory", "HeNHeS", "HoNHeS"),),
        },
        also=(
            _learned("C from spike counts", "above", "memory_counts", "HeNHoS"),
            _learned("C from spike counts", "above", "memory_counts", "HeNHeS", "HoNHeS"),
        ),
    ),
    Claim(
        "headline-2-synapses", "Heterogeneity of STDP saves spikes and leaves memory as it is",
        "S2, second headline claim (method.md 10.5)",
        published="Heterogeneity in synaptic dynamics lowers the number of spikes without changing memory capacity.",
        reading="Unchanged is a difference in C that is certain to be within 10 % of the C it is compared with.",
        test=f"Spikes and C after learning, heterogeneous minus homogeneous STDP; {_PAIRED}.", networks=_DRIVE,
        holds_if="Fewer spikes, and C inside the margin, with both kinds of neurons.",
        conditions={
            f"with {words} neurons": (
                _learned("spikes per neuron and sample", "below", "spikes", f"{neurons}HeS", f"{neurons}HoS"),
                _learned("C", "same", "memory", f"{neurons}HeS", f"{neurons}HoS"),
            )
            for neurons, words in (("HoN", "homogeneous"), ("HeN", "heterogeneous"))
        },
    ),
    Claim(
        "headline-3-both", "Both kinds of heterogeneity together give most memory per spike",
        "S2, third headline claim (method.md 10.5)",
        published="Heterogeneity of neurons and of STDP together give the highest spike efficiency.",
        reading="E of HeNHeS is above that of each of the three other arms.",
        test=f"E after learning, HeNHeS minus each other arm; {_PAIRED}.", networks=_DRIVE,
        holds_if="All three mean differences are above 0, for both kinds of state.",
        conditions=_of_states(
            lambda end: _learned("E", "above", f"efficiency{end}", "HeNHeS", "HoNHoS"),
            lambda end: _learned("E", "above", f"efficiency{end}", "HeNHeS", "HeNHoS"),
            lambda end: _learned("E", "above", f"efficiency{end}", "HeNHeS", "HoNHeS"),
        ),
    ),
    Claim(
        "sage-memory", "For memory, the spread of membrane time constants matters most",
        "S2, figure 4 of S0 (method.md 10.5)",
        published="Of all heterogeneous parameters, the membrane time constant matters most for memory capacity.",
        reading="Importance is the size of the Shapley value of making a group of parameters heterogeneous, in the "
        "game whose value is C of the network itself after learning; SAGE is the same value for a fitted model.",
        test="|Shapley value| of τ_m minus that of each other group; one exact game of 16 networks per seed.",
        networks=_DRIVE,
        holds_if="All mean differences are above 0: among the paper's parameters, and with thresholds among them.",
        conditions={
            words: tuple(_most_important("memory", ("tau_mem",), other) for other in others)
            for words, others in (
                ("among the paper's parameters", ("a", "tau_stdp")),
                ("with thresholds among them", ("v_th", "a", "tau_stdp")),
            )
        },
        caution="Noise of C makes the size of small values look larger, which works against any order.",
    ),
    Claim(
        "sage-spikes", "For spikes, the spread of STDP parameters matters most", "S2, figure 4 of S0 (method.md 10.5)",
        published="Of all heterogeneous parameters, those of STDP matter most for the number of spikes.",
        reading="The Shapley values of A± and τ± together, as the paper speaks of STDP as one, against each group of "
        "neurons.",
        test="|Shapley value| of A± and τ± together minus that of τ_m, and that of v_th; one exact game per seed.",
        networks=_DRIVE,
        holds_if="All mean differences are above 0: among the paper's parameters, and with thresholds among them.",
        conditions={
            words: tuple(_most_important("spikes", ("a", "tau_stdp"), other) for other in others)
            for words, others in (
                ("among the paper's parameters", ("tau_mem",)),
                ("with thresholds among them", ("tau_mem", "v_th")),
            )
        },
    ),
    Claim(
        "f7-rank-peak", "Rank peaks at an intermediate density", "S1, figure 7 of S0 (method.md 15.7)",
        published="Over the map of length scale λ and weight scale, the effective rank is highest at an intermediate "
        "density of connections.",
        reading="Density is set by λ. The middle third of λ (0.5 to 4.5) against the shortest and the longest third, "
        "averaged over the weight scale (0.1 to 10).",
        test="Mean effective rank, middle third minus each other third, by seed.",
        networks=f"{_DIGITS}; rank of states after N Poisson stimuli",
        holds_if="Both mean differences are above 0, in both arms.",
        conditions={
            arm: (
                Test("effective rank, middle − short λ", "above", pairs.thirds_of_rank(arm, "first")),
                Test("effective rank, middle − long λ", "above", pairs.thirds_of_rank(arm, "last")),
            )
            for arm in ("HoNHoS", "HeNHeS")
        },
        caution="Five seeds, and networks far smaller than those of the paper.",
    ),
    Claim(
        "f7-long-range", "Long connections are poor for every weight scale", "S1, figure 7 of S0 (method.md 15.7)",
        published="Large λ gives poor accuracy for all weight scales.",
        reading="Accuracy at the largest λ against the mean over all other λ, both arms together: on average over the "
        "weight scale; and at the weight scale where the largest λ does best in comparison, which is what 'all' asks.",
        test="Accuracy on the test part, largest λ minus the others, by seed.", networks=_DIGITS,
        holds_if="The mean difference is below 0 under both conditions.",
        conditions={
            name: (Test("accuracy, longest − other λ", "below", pairs.largest_length(everywhere)),)
            for name, everywhere in (("on average over the weight scale", False), ("at every weight scale", True))
        },
        caution="Five seeds. The weight scale of the second condition is chosen from these seeds, against the claim.",
    ),
    Claim(
        "f7-fewer-synapses", "Heterogeneous networks peak with fewer synapses", "S1, figure 7 of S0 (method.md 15.7)",
        published="HeNHeS reaches its peak with fewer connections than HoNHoS.",
        reading="The number of recurrent synapses at the best point of the map of a seed.",
        test="Synapses at the peak, HeNHeS minus HoNHoS, by seed.", networks=_DIGITS,
        holds_if="The mean difference is below 0 for the peak of accuracy and for that of rank.",
        conditions={
            f"at the peak of {peak}": (Test("synapses, HeNHeS − HoNHoS", "below", pairs.synapses_at_peak(peak)),)
            for peak in ("accuracy", "rank")
        },
        caution="Five seeds, and the best of 81 single networks is a noisy place.",
    ),
    Claim(
        "f5-small-networks", "Heterogeneity gains most in small networks", "S1, figure 5 of S0 (method.md 15.7)",
        published="The gain in accuracy of HeNHeS over HoNHoS widens as the network becomes smaller.",
        reading="There is a gain in the smallest network, and it is larger than that in a larger one. The paper goes "
        "from 2000 to 100 neurons on gestures and actions.",
        test="Gain in the smallest network; and that gain minus the gain in the middle and in the largest network; by "
        "seed.",
        networks=_DIGITS, holds_if="Both are above 0, against the largest and against the middle size.",
        conditions={
            f"against the {words} network": (
                Test("gain in the smallest network", "above", pairs.gain({"size": 0})),
                Test(f"gain, smallest − {words} network", "above", pairs.gain({"size": 0}, {"size": place})),
            )
            for words, place in (("largest", -1), ("middle", 1))
        },
        also=(Test("gain in the largest network", "above", pairs.gain({"size": -1})),),
        caution="The intervals are over seeds; the 360 test recordings are the same in all.",
    ),
    Claim(
        "f8-limited-data", "Heterogeneity gains most with little training data", "S1, figure 8 of S0 (method.md 15.7)",
        published="HeNHeS keeps its accuracy with less training data than HoNHoS.",
        reading="There is a gain with little data, and it is larger than that with all of it. STDP and the readout see "
        "the same share.",
        test="Gain with a share of the recordings of every class; and that gain minus the gain with all; by seed.",
        networks=_DIGITS, holds_if="Both are above 0, for a tenth and for a quarter of the data.",
        conditions={
            f"with {words} of the data": (
                Test(f"gain with {words}", "above", pairs.gain({"share": share})),
                Test(f"gain, {words} − all", "above", pairs.gain({"share": share}, {"share": 1.0})),
            )
            for words, share in (("a tenth", 0.1), ("a quarter", 0.25))
        },
        caution="The intervals are over seeds; the 360 test recordings are the same in all.",
    ),
    Claim(
        "g1-generalisation", "Heterogeneous STDP helps to generalise", "S0, without numbers (method.md 15.7, G1)",
        published="The gap between training and test is smaller in heterogeneous networks; STDP heterogeneity helps.",
        reading="HoNHeS against HoNHoS, and HeNHeS against HoNHoS. The gap is accuracy on the training part minus that "
        "on the test part; the second is accuracy on speakers heard in training minus that on speakers never heard.",
        test=f"Gap, heterogeneous minus homogeneous, by seed; {_PAIRED}.", networks=_DIGITS,
        holds_if="The gap is smaller with STDP heterogeneity alone and with both, for either kind of gap.",
        conditions={
            words: tuple(_on_digits("gap", "below", quantity, arm, less) for arm in ("HoNHeS", "HeNHeS"))
            for words, quantity, less in (
                ("from training to test recordings", "accuracy_train", "accuracy"),
                ("from heard to unheard speakers", "accuracy_seen", "accuracy_unseen"),
            )
        },
        also=(_on_digits("accuracy", "above", "accuracy", "HeNHeS"),),
        caution="A linear readout of many features fits its training part almost without error, so the first gap is "
        "close to the error on the test part.",
    ),
    Claim(
        "higher-order", "Heterogeneous STDP leads to fewer higher-order correlations",
        "S2, proof of lemma 3.2.1 (method.md 10.3)",
        published="Heterogeneous STDP decorrelates spike trains, in higher orders too.",
        reading="The mean |standardised third-order co-moment| of triples of neurons in bins of 20 ms.",
        test=f"Third order after learning, heterogeneous minus homogeneous STDP; {_PAIRED}.", networks=_DRIVE,
        holds_if="The mean difference is below 0 with both kinds of neurons.",
        conditions={
            "with homogeneous neurons": (_learned("third order", "below", "third_order", "HoNHeS"),),
            "with heterogeneous neurons": (_learned("third order", "below", "third_order", "HeNHeS", "HeNHoS"),),
        },
        also=(
            _learned("third order", "below", "third_order", "HeNHeS"),
            _learned("pairwise correlation", "below", "pairwise_correlation", "HeNHeS"),
        ),
        caution="Neurons share their input, which correlates them whatever STDP does.",
    ),
    Claim(
        "mean-activation", "Heterogeneous networks are less active",
        "S1, table with average neuronal activation (method.md 15.3)",
        published="At 2000 neurons, HeNHeS has a much lower mean activation than HoNHoS.",
        reading="Spikes per neuron and time step after learning, in the sizes of this scale.",
        test=f"Mean activation, HeNHeS minus HoNHoS; {_PAIRED}.", networks=f"{_DRIVE}; and {_DIGITS}, on its test part",
        holds_if="The mean difference is below 0 under both kinds of input.",
        conditions={
            "under the white drive": (_learned("mean activation", "below", "mean_activation", "HeNHeS"),),
            "on spoken digits": (_on_digits("mean rate (Hz)", "below", "rate_hz", "HeNHeS"),),
        },
        caution=_TWO_RULES,
    ),
    Claim(
        "dynamic-synapses-memory", "Dynamic synapses raise memory", "MNM; S1 on W_scale (method.md 3.4)",
        published="Synapses that depress and facilitate, with constants that differ, are a source of the fading memory "
        "of a recurrent circuit.",
        reading="Recurrent synapses with short-term dynamics, the published constants by pair of types with standard "
        "deviations of half the means, against static ones. A dynamic synapse delivers a part of its weight, so "
        + _GIVEN_BACK.format(
            "weights of each pair of types are divided by what its synapses deliver of them, in the mean over the "
            "spikes of a regular train as long as a recording, at the rates of the static network; then one factor on "
            "all excitatory recurrent weights makes the mean rate that of the static network"
        ),
        test="C (filtered spikes, delays up to 100 samples), and accuracy on the test part, dynamic minus static "
        "synapses, paired by seed: neurons, wiring, input, and weights up to these factors are the same.",
        networks=_MECHANISM_NETWORKS, holds_if="The mean difference is above 0 under all three conditions.",
        caution=_NOT_TUNED, **_mechanism("dynamic", "dynamic", "static"),
    ),
    Claim(
        "adaptive-thresholds-memory", "Adaptive thresholds raise memory",
        "Yin, Corradi and Bohté 2020; Bellec et al. 2018 (method.md 2.3)",
        published="Neurons whose thresholds adapt give recurrent networks a longer memory, and a higher accuracy on "
        "tasks in time.",
        reading="Every spike of an excitatory neuron raises its threshold by a tenth of the mean distance of "
        "thresholds from rest, for 200 ms, both with standard deviations of half the means, against thresholds that "
        "stay. The papers train all weights, here the readout alone is trained. Adaptation lowers rates, so "
        + _GIVEN_BACK.format(
            "thresholds of excitatory neurons come nearer to rest, all by one factor, found by bisection, that makes "
            "the mean rate that of the network with fixed thresholds"
        ),
        test="C (filtered spikes, delays up to 100 samples), and accuracy on the test part, adaptive minus fixed "
        "thresholds, paired by seed: wiring, weights, input, and thresholds up to this factor are the same.",
        networks=_MECHANISM_NETWORKS, holds_if="The mean difference is above 0 under all three conditions.",
        caution=_NOT_TUNED, **_mechanism("adaptive", "adaptive", "fixed"),
    ),
    Claim(
        "backprop-heterogeneous-start", "Heterogeneous neurons help networks trained by backpropagation",
        "S0, table 2 (HeNB above HoNB; method.md 15.3); Perez-Nieves et al. 2021",
        published="Networks whose neurons are drawn with a spread are more accurate than homogeneous ones when both "
        "are trained by backpropagation: 96.8 against 94.9 and 98.1 against 97.1 % on actions and gestures; 73.7 "
        "against 71.7 % on spoken digits as spikes, with time constants as they were drawn.",
        reading="Weights are trained, membrane time constants are not or are as well, one per neuron. HeNB has spreads "
        "of time constants and of thresholds.",
        test="Accuracy on the test part, HeNB minus HoNB, paired by seed: wiring, first weights, order of recordings "
        "and what is held out are the same.",
        networks=_BACKPROP_NETWORKS, holds_if="The mean difference is above 0 under both conditions.",
        conditions={
            words: (_by_backprop("accuracy, HeNB − HoNB", ("HeNB", trained), ("HoNB", trained)),)
            for words, trained in ((_FIXED, "weights"), (_TRAINED, "weights+tau"))
        },
        also=tuple(
            _by_backprop(f"{words}: mean rate (Hz)", ("HeNB", trained), ("HoNB", trained), "rate_hz", "same")
            for words, trained in ((_FIXED, "weights"), (_TRAINED, "weights+tau"))
        ),
        caution=_BACKPROP_CAUTION,
    ),
    Claim(
        "backprop-trained-time-constants", "Training the time constants helps", "Perez-Nieves et al. 2021",
        published="Training one membrane time constant per neuron along with the weights raises accuracy by far more "
        "than a heterogeneous start: from 71.7 and 73.7 to 82.7 % on spoken digits as spikes.",
        reading="Weights and time constants against weights alone, from a homogeneous and from a heterogeneous start.",
        test="Accuracy on the test part, time constants trained minus fixed, paired by seed as above.",
        networks=_BACKPROP_NETWORKS, holds_if="The mean difference is above 0 from either start.",
        conditions={
            words: (_by_backprop("accuracy, trained − fixed", (arm, "weights+tau"), (arm, "weights")),)
            for words, arm in (("from a homogeneous start", "HoNB"), ("from a heterogeneous start", "HeNB"))
        },
        also=tuple(
            Test(
                f"{arm}: accuracy, trained weights − as drawn", "above",
                pairs.by_backprop("accuracy", (arm, "weights"), (arm, "weights"), less="accuracy_untrained"),
            )
            for arm in ("HoNB", "HeNB")
        ),
        caution=_BACKPROP_CAUTION,
    ),
)  # fmt: skip
