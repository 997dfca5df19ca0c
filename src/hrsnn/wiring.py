"""build: NetworkSpec and seed -> Network. Placement, wiring rules, weights, delays (method.md 3).

Every quantity is drawn from a random stream of its own: arms that differ in one law share all other draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import instance, require, whole_number
from hrsnn.distributions import Constant, Distribution
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.spec import GAINS, PAIRS, NetworkSpec, PlasticitySpec, ShortTermSpec, SynapseSpec
from hrsnn.tables import ADAPTATION, SHORT_TERM, NeuronTable, StdpRule, SynapseTable

Edges = tuple[NDArray[np.int64], NDArray[np.int64]]  # (pre, post)

# Shapes of the grid by number of neurons (method.md 3.2); any other number gets the most cubic box that holds it.
GRIDS = {100: (5, 5, 4), 135: (15, 3, 3), 500: (10, 10, 5), 1000: (10, 10, 10), 2000: (20, 10, 10), 5000: (25, 20, 10)}

# Pairs that are drawn at a time: few enough that their probabilities and random numbers stay in the cache.
_PAIRS_AT_A_TIME = 100_000


def build(spec: NetworkSpec, *, seed: int) -> Network:
    """The network of `spec` for `seed`: the same bits every time. Raises `InputError` if the spec contradicts itself.

    >>> from hrsnn.spec import NetworkSpec
    >>> net = build(NetworkSpec.preset("HeNHeS", n_inputs=20, n_neurons=100), seed=0)
    >>> net.n_neurons, net.n_excitatory, len(net.recurrent) > 0
    (100, 80, True)
    """
    instance("build", "spec", spec, NetworkSpec)
    seed = whole_number("build", "seed", seed, at_least=0)
    with np.errstate(over="ignore", invalid="ignore"):  # numbers beyond the tables are told by these
        return _built(spec, seed)


def _built(spec: NetworkSpec, seed: int) -> Network:
    neurons = _neurons(spec, seed)
    return Network(
        neurons=neurons,
        recurrent=_recurrent(spec, neurons, seed),
        inputs=_inputs(spec, neurons, seed),
        dt_ms=spec.dt_ms,
        synapse=spec.synapse,
        rule=StdpRule(spec.plasticity.pairing, spec.plasticity.soft_bound, spec.plasticity.normalise),
        provenance={"spec": spec.to_dict(), "seed": seed, "history": ["built"]},
        reset=spec.reset,
        dale=spec.dale,
    )


# -- neurons -------------------------------------------------------------------------------------------------------


def clipped_tau_mem_ms(tau_mem_ms: NDArray[np.float64], dt_ms: float) -> NDArray[np.float64]:
    """Membrane time constants, none below 2 steps or above 200 (method.md 2.3)."""
    return np.clip(tau_mem_ms, 2 * dt_ms, 200 * dt_ms)


def _neurons(spec: NetworkSpec, seed: int) -> NeuronTable:
    n = spec.n_neurons
    n_clusters = spec.synapses.n_clusters if spec.synapses.wiring == "clustered" else 1
    require(n >= n_clusters, "NetworkSpec", "n_neurons", f"must be >= {n_clusters}, the number of clusters", n)
    population = np.arange(n) * n_clusters // n
    sign = np.full(n, -1)
    sign[stream(seed, "sign").permutation(n)[: round(spec.excitatory_share * n)]] = 1
    columns = {name: np.empty(n) for name in type(spec.excitatory).model_fields}
    for population_spec, rows in ((spec.excitatory, sign > 0), (spec.inhibitory, sign < 0)):
        for name, column in columns.items():
            # Drawn for all neurons, used for those of the sign: laws of one sign do not move the draws of the other.
            label = f"{name}.{'excitatory' if population_spec is spec.excitatory else 'inhibitory'}"
            column[rows] = getattr(population_spec, name).sample(stream(seed, label), n)[rows]
    with np.errstate(over="ignore"):
        ladder = spec.cluster_tau_ratio ** np.arange(n_clusters)
        total = ladder.sum()
    rule = f"must have a power of {n_clusters - 1} that is a number, for the last of {n_clusters} clusters"
    require(np.isfinite(total), "NetworkSpec", "cluster_tau_ratio", rule, spec.cluster_tau_ratio)
    columns["tau_mem_ms"] *= (ladder / (total / n_clusters))[population]
    columns["tau_mem_ms"] = clipped_tau_mem_ms(columns["tau_mem_ms"], spec.dt_ms)
    if all(population_spec.adapt.support == (0, 0) for population_spec in (spec.excitatory, spec.inhibitory)):
        for name in ADAPTATION:
            del columns[name]
    return NeuronTable(
        sign=sign.astype(np.int8),
        population=population,  # type: ignore[arg-type]
        position=_positions(population, n_clusters),
        **columns,
    )


def _positions(population: NDArray[np.int64], n_clusters: int) -> NDArray[np.float64]:
    """Points of one grid per cluster; the grids stand side by side along the first axis."""
    position = np.empty((population.size, 3))
    first = 0  # clusters differ by one neuron where they do not divide N, and so may their grids
    for cluster in range(n_clusters):
        members = np.flatnonzero(population == cluster)
        shape = grid_shape(members.size)
        position[members] = np.stack(np.unravel_index(np.arange(members.size), shape), axis=1)
        position[members, 0] += first
        first += shape[0]
    return position


def grid_shape(n: int) -> tuple[int, int, int]:
    """The box of grid points for `n` neurons: that of `GRIDS`, else the smallest near-cubic one that holds them.

    >>> grid_shape(1000), grid_shape(30)
    ((10, 10, 10), (4, 3, 3))
    """
    if n in GRIDS:
        return GRIDS[n]
    short = max(1, math.floor(n ** (1 / 3) + 1e-9))
    middle = max(1, math.floor(math.sqrt(n / short) + 1e-9))
    return math.ceil(n / (short * middle)), middle, short


# -- recurrent synapses --------------------------------------------------------------------------------------------


def _recurrent(spec: NetworkSpec, neurons: NeuronTable, seed: int) -> SynapseTable:
    synapses = spec.synapses
    pre, post = _edges(synapses, neurons, stream(seed, "recurrent.edges"))
    mean = synapses.weight_scale * _by_pair(
        neurons, pre, post, synapses.weight_ee, synapses.weight_ei, synapses.weight_ie, synapses.weight_ii
    )
    mean *= _gain(spec, neurons)[post]
    sign = neurons.sign[pre] if spec.dale else _mixed(synapses.negative_share, stream(seed, "recurrent.sign"), pre.size)
    return _table(
        spec, "recurrent", seed, pre, post, mean,
        sign=sign, shape=synapses.weight_shape, delay=synapses.delay_ms, n_pre=len(neurons),
        short_term=_short_term(synapses.short_term, "recurrent", seed, _pair(neurons, pre, post)),
    )  # fmt: skip


def _edges(synapses: SynapseSpec, neurons: NeuronTable, rng: np.random.Generator) -> Edges:
    if synapses.wiring == "distance":
        return _distance_edges(synapses, neurons, np.arange(len(neurons)), rng)
    if synapses.wiring == "small-world":
        return _small_world_edges(synapses, np.arange(len(neurons)), rng)
    return _clustered_edges(synapses, neurons, rng)


def _distance_edges(
    synapses: SynapseSpec, neurons: NeuronTable, members: NDArray[np.int64], rng: np.random.Generator
) -> Edges:
    """P(j -> i) = C exp(-(D / lambda)^2), no autapses (method.md 3.3)."""
    # On a grid P depends only on the signs of the two neurons and the offset between their points. There are few
    # offsets and many pairs: P is computed for every offset, shape (2, 2, 2X - 1, 2Y - 1, 2Z - 1), and looked up.
    point = neurons.position[members].astype(np.int64)
    point -= point.min(axis=0)
    inhibitory = (neurons.sign[members] < 0).astype(np.int64)
    reach = point.max(axis=0)
    x, y, z = np.ogrid[tuple(slice(-r, r + 1) for r in reach)]
    squared = np.square(x) + np.square(y) + np.square(z)
    amplitude = np.array([[synapses.c_ee, synapses.c_ei], [synapses.c_ie, synapses.c_ii]])
    table = np.multiply.outer(amplitude, np.exp(-squared / synapses.length_scale**2) * (squared > 0))
    step = np.array(table.strides) // table.itemsize
    row = inhibitory * step[0] + (reach - point) @ step[2:]  # the place of a pair in the flat table is the sum of these
    column = inhibitory * step[1] + point @ step[2:]
    pre, post = _drawn(lambda rows: table.take(np.add.outer(row[rows], column)), (members.size, members.size), rng)
    return members[pre], members[post]


def _drawn(
    probability: Callable[[slice], NDArray[np.float64]], shape: tuple[int, int], rng: np.random.Generator
) -> Edges:
    """The pairs that are joined, sorted; `probability` gives that of each pair in some rows of the matrix.

    Random numbers are taken pair by pair in order, so the size of a block does not matter.
    """
    n_pre, n_post = shape
    n_rows = max(1, _PAIRS_AT_A_TIME // n_post)
    found = []
    for start in range(0, n_pre, n_rows):
        p = probability(slice(start, start + n_rows))
        found.append(np.flatnonzero(rng.random(p.shape) < p) + start * n_post)
    return np.divmod(np.concatenate(found), n_post)


def _small_world_edges(synapses: SynapseSpec, members: NDArray[np.int64], rng: np.random.Generator) -> Edges:
    """Directed Watts-Strogatz ring (method.md 3.6): k nearest out-neighbours, each moved with probability omega."""
    n, k = members.size, synapses.n_neighbours
    require(k < n, "SynapseSpec", "n_neighbours", f"must be < {n}, the neurons of the ring", k)
    steps = np.array([step for distance in range(1, k // 2 + 2) for step in (distance, -distance)])[:k]
    post = (np.arange(n)[:, None] + steps) % n
    moved = rng.random((n, k)) < synapses.rewiring
    for neuron in np.flatnonzero(moved.any(axis=1)):
        free = np.ones(n, dtype=bool)
        free[neuron] = False
        free[post[neuron, ~moved[neuron]]] = False
        post[neuron, moved[neuron]] = rng.choice(np.flatnonzero(free), size=moved[neuron].sum(), replace=False)
    return np.repeat(members, k), members[post.reshape(-1)]


def _clustered_edges(synapses: SynapseSpec, neurons: NeuronTable, rng: np.random.Generator) -> Edges:
    """Clusters wired inside by their own rule and sparsely between each other (CHRSNN, method.md 3.7)."""
    found: list[Edges] = []
    n_pairs_inside = 0
    for cluster in range(synapses.n_clusters):
        members = np.flatnonzero(neurons.population == cluster)
        n_pairs_inside += members.size * (members.size - 1)
        if synapses.cluster_wiring == "distance":
            found.append(_distance_edges(synapses, neurons, members, rng))
        else:
            found.append(_small_world_edges(synapses, members, rng))
    density = sum(pre.size for pre, _ in found) / max(1, n_pairs_inside)
    population = neurons.population
    p = synapses.p_inter * density
    n = population.size
    found.append(_drawn(lambda rows: np.where(np.not_equal.outer(population[rows], population), p, 0.0), (n, n), rng))
    return np.concatenate([pre for pre, _ in found]), np.concatenate([post for _, post in found])


def _by_pair(
    neurons: NeuronTable, pre: NDArray[np.int64], post: NDArray[np.int64], ee: float, ei: float, ie: float, ii: float
) -> NDArray[np.float64]:
    return np.array([ee, ei, ie, ii])[_pair(neurons, pre, post)]


def _pair(neurons: NeuronTable, pre: NDArray[np.int64], post: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place in `PAIRS` of the types of both neurons."""
    inhibitory = (neurons.sign < 0).astype(np.int64)
    return 2 * inhibitory[pre] + inhibitory[post]


# -- input synapses ------------------------------------------------------------------------------------------------


def _inputs(spec: NetworkSpec, neurons: NeuronTable, seed: int) -> SynapseTable:
    """A random subset of neurons, each joined to the channels of its window with one probability (method.md 3.5)."""
    rng = stream(seed, "inputs.edges")
    n, n_inputs, rule = len(neurons), spec.n_inputs, spec.input
    subset = np.zeros(n, dtype=bool)
    subset[rng.permutation(n)[: round(rule.subset_share * n)]] = True
    listens = subset[None, :] & _within_window(spec, neurons, rng)
    pre, post = _drawn(lambda rows: np.where(listens[rows], rule.p_connect, 0.0), (n_inputs, n), rng)
    mean = np.where(neurons.sign[post] > 0, rule.weight_excitatory, rule.weight_inhibitory)
    mean = mean * _gain(spec, neurons)[post]
    share = 0.0 if spec.dale else rule.negative_share
    short_term = spec.synapses.short_term
    if short_term is not None and not short_term.inputs:
        short_term = None
    return _table(
        spec, "inputs", seed, pre, post, mean,
        sign=_mixed(share, stream(seed, "inputs.sign"), pre.size), shape=rule.weight_shape, delay=rule.delay_ms,
        n_pre=n_inputs, short_term=_short_term(short_term, "inputs", seed, (neurons.sign[post] < 0).astype(np.int64)),
    )  # fmt: skip


def _within_window(spec: NetworkSpec, neurons: NeuronTable, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which channel each neuron may listen to, shape (n_inputs, N)."""
    centre = rng.random(len(neurons))  # drawn in any case: the pairs drawn later do not depend on the choice
    if spec.input.span == 1:
        return np.ones((spec.n_inputs, len(neurons)), dtype=bool)
    if spec.input.tonotopic:
        along = neurons.position[:, 0]
        centre = (along + centre) / (along.max() + 1)  # anywhere in the neuron's share of the axis
    channel = (np.arange(spec.n_inputs) + 0.5) / spec.n_inputs
    return np.asarray(np.abs(channel[:, None] - centre[None, :]) < spec.input.span / 2)


def _gain(spec: NetworkSpec, neurons: NeuronTable) -> NDArray[np.float64]:
    """What weights onto each neuron are multiplied with, (N,): 1 for all where none is slower than another (2.7)."""
    excitatory, inhibitory = spec.excitatory.tau_mem_ms.mean, spec.inhibitory.tau_mem_ms.mean
    mean_ms = clipped_tau_mem_ms(np.where(neurons.sign > 0, excitatory, inhibitory), spec.dt_ms)
    return np.asarray((neurons.tau_mem_ms / mean_ms) ** GAINS[spec.gain])


# -- columns of both tables ----------------------------------------------------------------------------------------


def _table(
    spec: NetworkSpec,
    name: str,
    seed: int,
    pre: NDArray[np.int64],
    post: NDArray[np.int64],
    mean: NDArray[np.float64],
    *,
    sign: NDArray[np.int8],
    shape: float,
    delay: Distribution,
    n_pre: int,
    short_term: dict[str, NDArray[np.float64]],
) -> SynapseTable:
    """Weights of gamma law around `mean` cut at `w_max`, delays on the grid, plasticity by the laws of the spec."""
    w_max = spec.synapses.w_max_factor * mean
    weight = np.minimum(mean * stream(seed, f"{name}.weight").gamma(shape, 1 / shape, pre.size), w_max)
    plasticity: PlasticitySpec = spec.plasticity

    def draw(column: str) -> NDArray[np.float64]:
        law: Distribution = getattr(plasticity, column)
        return law.sample(stream(seed, f"{name}.{column}"), pre.size)

    return SynapseTable.from_edges(
        pre, post, n_pre=n_pre,
        weight=sign * weight,
        delay_ms=_delays(delay, stream(seed, f"{name}.delay_ms"), pre.size, spec.dt_ms, name),
        a_plus=draw("a_plus") * w_max,
        a_minus=draw("a_minus") * w_max,
        tau_plus_ms=draw("tau_plus_ms"),
        tau_minus_ms=draw("tau_minus_ms"),
        w_max=w_max,
        **short_term,
    )  # fmt: skip


def _mixed(negative_share: float, rng: np.random.Generator, n: int) -> NDArray[np.int8]:
    """Signs of `n` synapses, each -1 with a probability."""
    return np.where(rng.random(n) < negative_share, -1, 1).astype(np.int8)


def _short_term(
    rules: ShortTermSpec | None, name: str, seed: int, pair: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Columns of the short-term dynamics by the pair of each synapse, a place in `PAIRS`; none of static ones."""
    if rules is None:
        return {}
    columns = {column: np.empty(pair.size) for column in SHORT_TERM}
    for k, of_pair in enumerate(PAIRS):
        rows = pair == k
        for column, values in columns.items():
            # Drawn for all synapses, used for those of the pair, as with the laws of neurons.
            draws = rules.law(of_pair, column).sample(stream(seed, f"{name}.{column}.{of_pair}"), pair.size)
            values[rows] = draws[rows]
    columns["u"] = np.minimum(columns["u"], 1.0)
    return columns


def _delays(law: Distribution, rng: np.random.Generator, n: int, dt_ms: float, name: str) -> NDArray[np.float64]:
    """Draws rounded to whole steps, at least one. A constant is not rounded: off the grid it is an error."""
    steps = law.sample(rng, n) / dt_ms
    if isinstance(law, Constant):
        on_grid = abs(law.value / dt_ms - round(law.value / dt_ms)) < 1e-6
        require(on_grid, "NetworkSpec", f"{name} delay_ms", f"must be a multiple of dt_ms = {dt_ms:g}", law.value)
    return np.maximum(np.rint(steps), 1) * dt_ms
