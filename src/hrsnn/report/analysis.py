"""The page of `hrsnn analyse`: what one network remembers, separates and forgets, and what that costs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from hrsnn.report import measures
from hrsnn.report.figures import style
from hrsnn.report.measures import MEASURES, N_ERRORS, Player
from hrsnn.report.parts import drawing as draw
from hrsnn.report.parts.document import Part, Range
from hrsnn.report.parts.drawing import BLUE, GREY, INK, ORANGE, PALE, VERMILION, Axis, Figure, Trace, shown, with_power
from hrsnn.report.parts.page import Page, Section, warnings_of
from hrsnn.report.parts.table import Cell, Table, named, table_of
from hrsnn.report.parts.words import quantity, within
from hrsnn.report.source import Key
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
MAX_COMPARED = 12
LARGEST = "largest exponent (per ms)"
X, Y = "spikes_per_neuron", "memory_capacity"  # of the plane of networks

# In H, or beside it.
PARAMETERS = {
    "tau_mem_ms": ("membrane time constant", True), "v_th": ("threshold", True), "a_plus": ("STDP amplitude a₊", True),
    "a_minus": ("STDP amplitude a₋", True), "tau_plus_ms": ("STDP time constant τ₊", True),
    "tau_minus_ms": ("STDP time constant τ₋", True), "t_ref_ms": ("refractory period", False),
    "adapt": ("step of adaptation", False), "tau_adapt_ms": ("decay of adaptation", False),
    "u": ("share used at first", False), "tau_rec_ms": ("recovery", False), "tau_fac_ms": ("facilitation", False),
    "weight": ("weight", False), "delay_ms": ("delay", False),
}  # fmt: skip


def page(document: Mapping[str, Any]) -> Page:
    """The page of a document of `hrsnn analyse`; raises `InputError` for a document of another schema."""
    whole = Part(ANALYSIS.checked(document), "analysis.json")
    memory, separation, lyapunov = (whole.part(name) for name in ("memory", "separation", "lyapunov"))
    network, detail, seed = whole.part("network"), whole.part("heterogeneity_detail"), document.get("seed")
    intervals = {"memory_capacity": memory.interval(), "lyapunov_max_per_ms": measures.of_largest(whole)}
    exponents, n = lyapunov.numbers("exponents_per_ms"), quantity(lyapunov.number("dimension"))
    n_growing, worst = sum((y or 0.0) > 0 for y in exponents), lyapunov.number("max_condition")
    stimuli, jitter = (quantity(separation.number(name)) for name in ("n_stimuli", "jitter_ms"))
    correlation = quantity(lyapunov.number("node_rate_correlation"))
    settings = {SETTINGS.get(n, n): v for n, v in memory.part("settings").values.items() if n != "network"}
    sizes = [f"{count:,.0f} {words}" for name, words in SIZES.items() if (count := network.number(name)) is not None]
    method = (
        "The network ran with fixed weights through independent numbers from −1 to 1, each shown for "
        f"{quantity(measures.duration_ms(whole))} ms as spikes of all input channels, without a break. Linear "
        "readouts, one for each delay, were fitted by ridge regression to the first half of the samples, the last "
        "quarter of which chose their penalties; C is computed on the second half, its interval by jackknife over "
        "blocks of it."
    )
    sections = [
        Section("measures", "The measures", "Memory, spikes and exponents are those under the white drive: independent "
            "numbers, each shown for a while by spikes of all input channels. Ranks are of Poisson stimuli.",
            tables=[_values(whole, MEASURES, intervals)], folded=False),
        Section("memory", "Memory", "C(τ) = cov²(x(t − τ), y(t)) / (var x · var y), with y the best linear "
            "reconstruction of the input x of τ samples ago from the state; C is the sum over τ ≥ 1. Filled marks "
            "count; open ones lie below the threshold, which independent data pass once in a hundred times, and count "
            "as 0. On the right, the step where the sum levels off is how far back the network reaches; the dashed "
            "line is what the readout holds by itself, without any network, the band the 95 % interval of C.",
            [_per_delay(memory), _running_sum(memory, whole.number("memory_capacity"))], [_values(memory, MEMORY)],
            small=True, folded=False),
        Section("separation", "Separation and generalisation", f"Singular values of the final states after {stimuli} "
            f"stimuli, different ones and copies of one, their spikes jittered by {jitter} ms. The large marks are at "
            "the 99 % rank, the least r for which λ₁ + … + λᵣ ≥ 0.99 Σ λₖ: far right is good for different stimuli, "
            "far left for copies.", [_singular_values(whole)], [_values(separation, SEPARATION)]),
        Section("efficiency", "Efficiency plane", "Memory against its cost. Along a grey line the spike efficiency E = "
            "C / (spikes per neuron per sample) is the same: up is more memory, left is fewer spikes, a steeper line "
            "is more memory per spike.", [_plane(whole)]),
        Section("lyapunov", "Lyapunov spectrum", "λₖ = (1 / T) Σ ln Rₖₖ, the mean growth rate of the k-th fastest "
            "direction of a small change, from QR factorisations of the Jacobian along the run with a surrogate in "
            f"place of the spike; the band is {N_ERRORS} standard errors over equal parts of the run. Above the line "
            "changes grow, below it they die out. Flat stretches lie at −1 / τ of what only decays: synaptic currents, "
            f"and neurons that hardly spike. Here: {len(exponents):,} of {n} dimensions of the state, "
            f"{n_growing or 'none'} of them above 0.", [_spectrum(lyapunov)]),
        Section("convergence", "Convergence of the largest exponent", "The estimate after each part of the run: it has "
            f"to level off inside the band, which is its last value within {N_ERRORS} standard errors. Condition "
            f"numbers of R reach {with_power(worst) if worst else '–'}.", [_convergence(lyapunov)]),
        Section("gains", "The largest exponent against the surrogate",
            "A spike has no derivative; g(u) = γ / (1 + 10 |u|)² stands for it where a neuron spikes, and exponents "
            "depend on its gain γ. The ring is the gain of everything else on this page. A sign that is the same for "
            "all gains is the network’s; one that changes is the surrogate’s as well.", [_gains(lyapunov)]),
        Section("nodes", "Exponents of neurons",
            "The share of every neuron in these exponents, (1 / T) Σₜ Σₖ Q[i, k]² ln Rₖₖ, over the part that it takes "
            "in their directions, mean of Σₖ Q[i, k]², against its firing rate: where points lie on one line, "
            f"exponents only restate rates. Correlation with the rate: {correlation}.", [_nodes(lyapunov)]),
        Section("heterogeneity", "Heterogeneity", "Standard deviation over mean of each parameter, every value taken "
            "over the mean of its population. Blue ones are in H = (1 / n) ln det(Cov θ + ε I), grey ones are listed "
            "beside it.", [_cvs(detail.part("cvs").known())], [_values(detail, HETEROGENEITY)]),
        Section("importance", "What heterogeneity is worth",
            "Shapley values: what making a group of parameters heterogeneous adds, averaged over all orders in which "
            "the groups can be made so. They add up to the difference between the heterogeneous and the homogeneous "
            "network. A bar whose interval crosses zero is nothing measurable.",
            [_shapley(name, players) for name, players in measures.players_of(whole).items()], small=True),
        Section("firing", "Firing", "How the recurrent neurons fire under the drive; correlations are of spike counts "
            "in bins.", tables=[_values(whole.part("firing"), FIRING)]),
        Section("costs", "Costs", "Counted operations, and energy computed from them with the named profile, not "
            "measured; updates of neurons, leakage and memory traffic are in none of these energies.",
            tables=[_energy(whole.part("energy_pj").known()), _costs(whole.part("costs").known())]),
        warnings_of(whole.items("warnings")),
        Section("method", "How it was measured", method, tables=[named(settings, "setting", "value")]),
    ]  # fmt: skip
    return Page(kind="hrsnn analyse", title=str(document.get("name") or "network"),
        created=str(document.get("created") or ""),
        facts=(" · ".join([*sizes, *([] if seed is None else [f"seed {seed}"])]),), found=measures.findings(whole),
        sections=sections, key="Values in brackets are 95 % intervals. ▲ more than the control \u2002 ▼ less than the "
        "control \u2002 ○ nothing measurable \u2002 ? open", versions=whole.part("versions").values,
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


# -- figures -----------------------------------------------------------------------------------------------------------


def _per_delay(memory: Part) -> Figure | None:
    rows = memory.columns("per_delay", "per_delay_raw")
    known = ((tau, raw, kept) for tau, (kept, raw) in enumerate(rows, 1) if kept is not None and raw is not None)
    points = [(tau, raw, kept > 0) for tau, raw, kept in known if raw > 0]
    if not points:
        return None
    threshold = memory.number("threshold")
    lowest = (threshold or min(value for _, value, _ in points)) / 30
    data = []
    for counts, name, colour, symbol, size in (
        (True, "counts", BLUE, "circle", 7), (False, "below", PALE, "circle-open", 5)
    ):  # fmt: skip
        some = [(tau, value) for tau, value, is_counted in points if is_counted == counts]
        tips = [f"τ = {tau}<br>C(τ) = {quantity(value)}" for tau, value in some]
        parts: dict[str, Any] = {"name": name, "marker": {"color": colour, "symbol": symbol, "size": size}}
        parts |= {"showlegend": True, "cliponaxis": True, "hovertext": tips}
        data += [draw.marks(*zip(*some, strict=True), **parts)] if some else []
    if threshold:
        data.append(draw.level(1, len(rows), threshold, GREY, "dot", name="threshold", width=2))
    y, title = draw.decades_axis("C(τ)", lowest, 1.6), "Squared correlation at each delay"
    return draw.chart(data, _delay_axis(len(rows)), y, "squared correlation per delay", 330, title=title)


def _running_sum(memory: Part, capacity: float | None) -> Figure | None:
    kept = [value or 0.0 for value in memory.numbers("per_delay")]
    if not kept:
        return None
    n, interval, alone = len(kept), memory.interval("ci95"), memory.number("input_only")
    sums = list(accumulate(kept))
    data = [draw.band([1, n], [interval[0]] * 2, [interval[1]] * 2, BLUE)] if interval else []
    data += [draw.curve(range(1, n + 1), sums, BLUE, name="network", hover="Σ C up to τ = %{x}: %{y:.3g}")]
    data += [] if alone is None else [draw.level(1, n, alone, GREY, "dash", name="readout alone", width=2)]
    top = max(sums[-1], capacity or 0.0, alone or 0.0, interval[1] if interval else 0.0)
    y = draw.number_axis("sum of C up to τ (samples)", range=[0, 1.08 * top or 1.0])
    return draw.chart(data, _delay_axis(n), y, "memory summed over delays", 330, title="Summed up to each delay")


def _singular_values(whole: Part) -> Figure | None:
    separation, drawn = whole.part("separation"), list[list[float]]()
    data: list[Trace] = []
    for name, stem, rank_name, colour, dash, symbol, place in (
        ("different stimuli", "", "effective", BLUE, "solid", "circle", "top right"),
        ("jittered copies", "generalisation_", "generalisation", ORANGE, "dash", "square", "bottom left"),
    ):
        found = [value for value in separation.numbers(f"{stem}singular_values") if value and value > 0]
        if not found:
            continue
        drawn.append(found)
        hover = f"{name}<br>λ<sub>%{{x}}</sub> = %{{y:.3g}}"
        data.append(draw.curve(range(1, len(found) + 1), found, colour, dash, name=name, hover=hover))
        rank = int(separation.number(rank_name) or 0)
        if 1 <= rank <= len(found):
            ring = {"color": "#ffffff", "symbol": symbol, "size": 11, "line": {"color": colour, "width": 2.5}}
            written = {"text": [f"<b>{rank}</b>"], "textposition": place, "textfont": {"color": colour, "size": 12}}
            tip = f"{name}<br>{measures.dimensions(rank)} make up 99 %"
            data.append(draw.curve([rank] * 2, [found[rank - 1], 1e-30], colour, "dot"))
            at = draw.marks([rank], [found[rank - 1]], mode="markers+text", marker=ring, hovertext=[tip], **written)
            data.append(at)
    if not data:
        return None
    highest = max(map(max, drawn))
    lowest = max(min(map(min, drawn)), 1e-6 * highest)  # below are the roundings of single precision
    length = max(sum(value >= lowest for value in found) for found in drawn)
    x = draw.number_axis("index k", range=[0, 1.08 * length + 1])
    y = draw.decades_axis("singular value λₖ", lowest / 2, 3 * highest)
    return draw.chart(data, x, y, "singular values of the states", 380)


def _plane(whole: Part) -> Figure | None:
    networks = [*whole.parts("compare")[:MAX_COMPARED], whole]
    each = [(str(one.values.get("name") or "network"), one.number(X), one.number(Y)) for one in networks]
    points = [(name, x, y) for name, x, y in each if x is not None and y is not None]
    widest = 1.35 * max((x for _, x, _ in points), default=0.0)
    highest = 1.35 * max((y for *_, y in points), default=0.0)
    if widest <= 0 or highest <= 0:
        return None
    data, notes = [], []
    for efficiency in draw.round_numbers(0.2 * highest / widest, 6 * highest / widest):
        x = min(widest, highest / efficiency)
        data.append(draw.curve([0, x], [0, x * efficiency], PALE, width=1))
        look = {"showarrow": False, "bgcolor": "#ffffff", "borderpad": 1, "font": {"size": 11, "color": GREY}}
        place = {"x": draw.short(0.9 * x), "y": draw.short(0.9 * x * efficiency)}
        notes.append({**place, "text": f"E = {quantity(efficiency)}", **look})
    for i, (name, x, y) in enumerate(points):
        own = i == len(points) - 1
        colour, symbol, _ = style(Key(name))
        per_spike = f"<br>E = {quantity(y / x)}" if x else ""
        border = {"color": INK, "width": 1.5 if own else 0}
        marker = {"color": colour, "symbol": symbol, "size": 14 if own else 10, "line": border}
        tip = f"{shown(name)}<br>C = {quantity(y)}<br>{quantity(x)} spikes per neuron{per_spike}"
        data.append(draw.marks([x], [y], marker=marker, name=shown(name), showlegend=True, hovertext=[tip]))
    across = draw.number_axis("spikes per neuron per input sample", range=[0, widest])
    up = draw.number_axis("memory capacity C (input samples)", range=[0, highest])
    label, height_px = "memory capacity against spikes", 400 + 14 * len(points)
    return draw.chart(data, across, up, label, height_px, annotations=notes)


def _spectrum(lyapunov: Part) -> Figure | None:
    rows = lyapunov.columns("exponents_per_ms", "standard_error_per_ms")
    found = [(k, y, N_ERRORS * (error or 0.0)) for k, (y, error) in enumerate(rows, 1) if y is not None]
    if not found:
        return None
    ks, ys = [k for k, *_ in found], [y for _, y, _ in found]
    low, high = ([y + sign * e for _, y, e in found] for sign in (-1, 1))
    mark = "circle" if len(found) <= 60 else ""
    line = draw.curve(ks, ys, BLUE, hover="λ<sub>%{x}</sub> = %{y:.4g} per ms", mark=mark, size=5)
    data = [draw.band(ks, low, high, BLUE), draw.level(0, len(rows) + 1), line]
    x = draw.number_axis("index k", range=[0, len(rows) + 1])
    return draw.chart(data, x, "exponent λₖ (per ms)", "Lyapunov spectrum", 360)


def _convergence(lyapunov: Part) -> Figure | None:
    points, dt_ms = lyapunov.pairs("running_steps", "running_max_per_ms"), lyapunov.number("dt_ms")
    if not points or dt_ms is None:
        return None
    xs, ys = [x * dt_ms for x, _ in points], [y for _, y in points]
    half = N_ERRORS * (next(iter(lyapunov.numbers("standard_error_per_ms")), None) or 0.0)
    band = draw.band([0.0, xs[-1]], [ys[-1] - half] * 2, [ys[-1] + half] * 2, BLUE)
    line = draw.curve(xs, ys, BLUE, hover="after %{x:,.0f} ms<br>%{y:.4g} per ms", mark="circle")
    data, x = [band, draw.level(0.0, xs[-1]), line], draw.number_axis("measured time (ms)", range=[0, 1.02 * xs[-1]])
    return draw.chart(data, x, LARGEST, "convergence of the largest exponent", 300)


def _gains(lyapunov: Part) -> Figure | None:
    points = measures.by_gain(lyapunov)
    if len(points) < 2:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = xs[0] / 1.2, xs[-1] * 1.2
    line = draw.curve(xs, ys, BLUE, hover="gain %{x}<br>%{y:.4g} per ms", mark="circle", size=8)
    ring = {"color": "rgba(0,0,0,0)", "size": 17, "line": {"color": VERMILION, "width": 2}}
    used = [(x, y) for x, y in points if x == lyapunov.number("surrogate_gain")]
    data = [draw.level(low, high), line, *(draw.marks([x], [y], marker=ring, hoverinfo="skip") for x, y in used)]
    x_axis = draw.log_axis("surrogate gain γ", low, high, xs) | {"ticktext": [quantity(x) for x in xs]}
    return draw.chart(data, x_axis, LARGEST, "largest exponent against surrogate gain", 300)


def _nodes(lyapunov: Part) -> Figure | None:
    points = lyapunov.pairs("node_rates_hz", "node_exponents_per_ms")
    if not any(rate for rate, _ in points):  # without a spike there is nothing to compare with
        return None
    look = {"color": BLUE, "size": 6, "opacity": 0.55}
    tips = [f"{quantity(x)} Hz<br>{quantity(y)} per ms" for x, y in points]
    data = [draw.marks(*zip(*points, strict=True), marker=look, hovertext=tips)]
    x, y = draw.axis_from_zero("firing rate (Hz)"), "exponent of the neuron λᵢ (per ms)"
    return draw.chart(data, x, y, "exponents of neurons against firing rates", 360)


def _cvs(cvs: Mapping[str, float]) -> Figure | None:
    if not cvs:
        return None
    names, inside = zip(*(PARAMETERS.get(name, (name, False)) for name in cvs), strict=True)
    values, texts = list(cvs.values()), [quantity(round(value, 6)) for value in cvs.values()]
    data = [draw.bars(values, [BLUE if of_h else GREY for of_h in inside], texts=texts)]
    x = draw.number_axis("coefficient of variation", range=[0, 1.12 * max(values) or 1.0])
    y = draw.names_axis([shown(name) for name in names])
    return draw.chart(data, x, y, "coefficients of variation", 90 + 26 * len(values), bargap=0.4)


def _shapley(name: str, players: Sequence[Player]) -> Figure | None:
    colours = [GREY if player.kind == "none" else BLUE if player.mean >= 0 else VERMILION for player in players]
    tips = [f"{shown(player.name)}<br>{player.value}" for player in players]
    data = [draw.bars([p.mean for p in players], colours, tips=tips, ranges=[p.within for p in players])]
    unit, title = MEASURES[name][1] if name in MEASURES else "", measures.measure(name)
    x = draw.axis_from_zero(f"adds ({unit})" if unit else "adds")
    y = draw.names_axis([shown(player.name) for player in players])
    more: dict[str, Any] = {"shapes": [draw.upright()], "bargap": 0.45}
    return draw.chart(data, x, y, f"importance for {title}", 100 + 34 * len(players), title=title, **more)


def _delay_axis(n: int) -> Axis:
    """Delays 1 to `n`, logarithmic: what a network remembers ends early."""
    ticks = [tick for tick in draw.round_numbers(1, n) if tick == int(tick)]
    axis = draw.log_axis("delay τ (input samples)", 0.9, 1.1 * max(n, 2), ticks)
    return {**axis, "ticktext": [f"{tick:,.0f}" for tick in ticks]}
