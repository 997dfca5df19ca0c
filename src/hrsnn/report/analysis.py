"""The page of `hrsnn analyse`: what one network remembers, separates and forgets, and what that costs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hrsnn.report import analysis_figures as figures
from hrsnn.report.measures import MEASURES, N_ERRORS, duration_ms, findings, of_largest, players_of
from hrsnn.report.parts.document import Part, Range
from hrsnn.report.parts.drawing import with_power
from hrsnn.report.parts.page import Page, Section, warnings_of
from hrsnn.report.parts.table import Cell, Table, named, table_of
from hrsnn.report.parts.words import quantity, within
from hrsnn.report.tables import energy_unit
from hrsnn.vocabulary import ANALYSIS, COSTS

MEMORY = {
    "input_only": ("memory of the readout alone", "input samples",
        "The control: the same readout on the input spikes themselves, without the network."),
    "at_zero": ("C(0)", "", "Squared correlation of the sample that is being shown; no part of C."),
    "bias_floor": ("bias floor", "input samples", "What C(τ) of independent data would add up to with no threshold."),
    "bound": ("bound", "input samples", "C cannot exceed it but by chance: the smaller of delays and rank."),
    "rank": ("rank of the states", "dimensions", "Eigenvalues λ of their covariance beyond rounding."),
    "participation_ratio": ("participation ratio", "dimensions",
        "(Σ λ)² / Σ λ² over these eigenvalues: how many share the variance."),
    "squared_correlation": ("squared correlation", "",
        "Mean over pairs of neurons of the squared correlation of their states; 0 where all tell different things."),
    "n_test": ("test samples", "", "What C is computed on; readouts are fitted to the samples before."),
}  # fmt: skip
SEPARATION = {
    "numerical": ("numerical rank", "dimensions", "Singular values beyond rounding, of different stimuli."),
    "entropy": ("entropy rank", "dimensions", "exp(−Σ p ln p) of their shares p of the sum: small ones count in part."),
    "generalisation": ("generalisation rank", "dimensions",
        "The 99 % rank of the states that jittered copies leave: the lower, the better they are taken for the same."),
    "computational": ("computational measure", "dimensions", "Separation rank minus generalisation rank."),
}  # fmt: skip
FIRING = {
    "mean_activation": ("mean activation", "spikes per step", "Spikes per neuron and time step."),
    "silent_share": ("silent neurons", "of all", "Share of neurons without a spike."),
    "interval_cv": ("CV of intervals", "",
        "Standard deviation over mean of the times between spikes: 0 is a clock, 1 a Poisson process."),
    "pairwise_correlation": ("pairwise correlation", "", "Mean correlation of the spike counts of two neurons."),
    "third_order": ("third-order correlation", "",
        "Mean size of the standardised co-moment of three neurons, whatever its sign."),
    "third_order_by_chance": ("the same by chance", "", "What it comes to for independent neurons."),
}  # fmt: skip
HETEROGENEITY = {
    "neurons": ("H of neurons", "nats per parameter", "Of time constant and threshold, over neurons."),
    "synapses": ("H of synapses", "nats per parameter", "Of the four constants of STDP, over synapses that learn."),
    "n_plastic": ("synapses that learn", "", ""),
    "epsilon": ("ε", "", "Keeps H finite where parameters do not differ."),
}
SETTINGS = {
    "seed": "seed of the drive", "n_delays": "delays", "n_samples": "input samples", "n_washout": "samples of start-up",
    "sample_ms": "length of a sample, ms", "mean_rate_hz": "mean rate of a channel, Hz",
    "peak_rate_hz": "peak rate of a channel, Hz", "input_spikes": "input spikes", "state": "state that is read",
    "tau_filter_ms": "time constant of its filter, ms",
}  # fmt: skip
SIZES = {
    "n_neurons": "neurons", "n_excitatory": "of them excitatory", "n_inputs": "input channels",
    "n_recurrent_synapses": "recurrent synapses", "n_input_synapses": "input synapses",
}  # fmt: skip


def page(document: Mapping[str, Any]) -> Page:
    """The page of a document of `hrsnn analyse`; raises `InputError` for a document of another schema."""
    whole = Part(ANALYSIS.checked(document), "analysis.json")
    memory, separation, lyapunov = (whole.part(name) for name in ("memory", "separation", "lyapunov"))
    network, detail, seed = whole.part("network"), whole.part("heterogeneity_detail"), document.get("seed")
    intervals = {"memory_capacity": memory.interval(), "lyapunov_max_per_ms": of_largest(whole)}
    exponents, n = lyapunov.numbers("exponents_per_ms"), quantity(lyapunov.number("dimension"))
    n_growing, worst = sum((y or 0.0) > 0 for y in exponents), lyapunov.number("max_condition")
    stimuli, jitter = (quantity(separation.number(name)) for name in ("n_stimuli", "jitter_ms"))
    correlation = quantity(lyapunov.number("node_rate_correlation"))
    settings = {SETTINGS.get(n, n): v for n, v in memory.part("settings").values.items() if n != "network"}
    sizes = [f"{count:,.0f} {words}" for name, words in SIZES.items() if (count := network.number(name)) is not None]
    method = (
        "The network ran with fixed weights through independent numbers from −1 to 1, each shown for "
        f"{quantity(duration_ms(whole))} ms as spikes of all input channels, without a break. Linear readouts, one for "
        "each delay, were fitted by ridge regression to the first half of the samples, the last quarter of which chose "
        "their penalties; C is computed on the second half, its interval by jackknife over blocks of it."
    )
    sections = [
        Section("measures", "The measures",
            "Memory, spikes and exponents are those under the white drive: independent numbers, each shown for a while "
            "by spikes of all input channels. Ranks are of Poisson stimuli.",
            tables=[_values(whole, MEASURES, intervals)], folded=False),
        Section("memory", "Memory",
            "C(τ) = cov²(x(t − τ), y(t)) / (var x · var y), with y the best linear reconstruction of the input x of τ "
            "samples ago from the state; C is the sum over τ ≥ 1. Filled marks count; open ones lie below the "
            "threshold, which independent data pass once in a hundred times, and count as 0. On the right, the step "
            "where the sum levels off is how far back the network reaches; the dashed line is what the readout holds "
            "by itself, without any network, the band the 95 % interval of C.",
            [figures.per_delay(memory), figures.running_sum(memory, whole.number("memory_capacity"))],
            [_values(memory, MEMORY)], small=True, folded=False),
        Section("separation", "Separation and generalisation",
            f"Singular values of the final states after {stimuli} stimuli, different ones and copies of one, their "
            f"spikes jittered by {jitter} ms. The large marks are at the 99 % rank, the least r for which λ₁ + … + λᵣ "
            "≥ 0.99 Σ λₖ: far right is good for different stimuli, far left for copies.",
            [figures.singular_values(whole)], [_values(separation, SEPARATION)]),
        Section("efficiency", "Efficiency plane",
            "Memory against its cost. Along a grey line the spike efficiency E = C / (spikes per neuron per sample) is "
            "the same: up is more memory, left is fewer spikes, a steeper line is more memory per spike.",
            [figures.plane(whole)]),
        Section("lyapunov", "Lyapunov spectrum",
            "λₖ = (1 / T) Σ ln Rₖₖ, the mean growth rate of the k-th fastest direction of a small change, from QR "
            "factorisations of the Jacobian along the run with a surrogate in place of the spike; the band is "
            f"{N_ERRORS} standard errors over equal parts of the run. Above the line changes grow, below it they die "
            "out. Flat stretches lie at −1 / τ of what only decays: synaptic currents, and neurons that hardly spike. "
            f"Here: {len(exponents):,} of {n} dimensions of the state, {n_growing or 'none'} of them above 0.",
            [figures.spectrum(lyapunov)]),
        Section("convergence", "Convergence of the largest exponent",
            "The estimate after each part of the run: it has to level off inside the band, which is its last value "
            f"within {N_ERRORS} standard errors. Condition numbers of R reach {with_power(worst) if worst else '–'}.",
            [figures.convergence(lyapunov)]),
        Section("gains", "The largest exponent against the surrogate",
            "A spike has no derivative; g(u) = γ / (1 + 10 |u|)² stands for it where a neuron spikes, and exponents "
            "depend on its gain γ. The ring is the gain of everything else on this page. A sign that is the same for "
            "all gains is the network’s; one that changes is the surrogate’s as well.", [figures.gains(lyapunov)]),
        Section("nodes", "Exponents of neurons",
            "The share of every neuron in these exponents, (1 / T) Σₜ Σₖ Q[i, k]² ln Rₖₖ, over the part that it takes "
            "in their directions, mean of Σₖ Q[i, k]², against its firing rate: where points lie on one line, "
            f"exponents only restate rates. Correlation with the rate: {correlation}.", [figures.nodes(lyapunov)]),
        Section("heterogeneity", "Heterogeneity",
            "Standard deviation over mean of each parameter, every value taken over the mean of its population. Blue "
            "ones are in H = (1 / n) ln det(Cov θ + ε I), grey ones are listed beside it.",
            [figures.cvs(detail.part("cvs").known())], [_values(detail, HETEROGENEITY)]),
        Section("importance", "What heterogeneity is worth",
            "Shapley values: what making a group of parameters heterogeneous adds, averaged over all orders in which "
            "the groups can be made so. They add up to the difference between the heterogeneous and the homogeneous "
            "network. A bar whose interval crosses zero is nothing measurable.",
            [figures.shapley(name, players) for name, players in players_of(whole).items()], small=True),
        Section("firing", "Firing",
            "How the recurrent neurons fire under the drive; correlations are of spike counts in bins.",
            tables=[_values(whole.part("firing"), FIRING)]),
        Section("costs", "Costs",
            "Counted operations, and energy computed from them with the named profile, not measured; updates of "
            "neurons, leakage and memory traffic are in none of these energies.",
            tables=[_energy(whole.part("energy_pj").known()), _costs(whole.part("costs").known())]),
        warnings_of(whole.items("warnings")),
        Section("method", "How it was measured", method, tables=[named(settings, "setting", "value")]),
    ]  # fmt: skip
    return Page(kind="hrsnn analyse", title=str(document.get("name") or "network"),
        created=str(document.get("created") or ""),
        facts=(" · ".join([*sizes, *([] if seed is None else [f"seed {seed}"])]),), found=findings(whole),
        sections=sections,
        key="Values in brackets are 95 % intervals. ▲ more than the control \u2002 ▼ less than the control \u2002 ○ "
        "nothing measurable \u2002 ? open", versions=whole.part("versions").values,
        again="The network of this hash, with the seed and the settings above, gives the same numbers:",
        code=str(network.values.get("hash") or ""))  # fmt: skip


# -- tables ------------------------------------------------------------------------------------------------------------


def _values(
    part: Part, names: Mapping[str, tuple[str, str, str]], intervals: Mapping[str, Range | None] | None = None
) -> Table | None:
    """A row for each of `names` that is known: the name with its explanation, the value with its unit."""
    known, given = part.known(), intervals or {}
    columns = {
        "measure": lambda name: Cell(names[name][0], names[name][2]),
        "value": lambda name: Cell(f"{quantity(known[name])} {within(given.get(name))}".rstrip(), names[name][1]),
    }
    return table_of([name for name in names if name in known], columns, title="values")


def _energy(energies: Mapping[str, float]) -> Table | None:
    scale, unit = energy_unit(energies.values())
    per_sample = f"energy per input sample, {unit}"
    columns = {"profile": lambda name: name, per_sample: lambda name: quantity(energies[name] / scale)}
    return table_of(energies, columns, title="energy")


def _costs(known: Mapping[str, float]) -> Table | None:
    columns = {"counted per sample": lambda name: COSTS[name].words, "": lambda name: quantity(known[name])}
    return table_of([name for name in COSTS if name in known], columns, title="operations", folded=True)
