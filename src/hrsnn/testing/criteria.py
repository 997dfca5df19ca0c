"""What every criterion of pruning keeps to (`hrsnn.pruning.criterion`)."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hrsnn.network import Network
from hrsnn.outcome import plain_values
from hrsnn.pruning.criterion import Criterion, Size, Step, described
from hrsnn.pruning.options import Options
from hrsnn.testing.claims import claim, refuses, sentence_of
from hrsnn.testing.examples import network, odd_networks, with_one_inhibitory_neuron

ONE_SHOT = Step(1, 1, seed=7)


def check(criterion: Criterion) -> None:
    """Hold `criterion` to all `CHECKS`; raises `AssertionError` for the first rule that it breaks."""
    for one in CHECKS:
        one(criterion)


def is_a_value(criterion: Criterion) -> None:
    """It has a name, can be told as JSON, and comes back equal from another process."""
    claim(isinstance(criterion.name, str) and criterion.name, "a criterion", "must have a name", criterion.name)
    told = described(criterion)
    claim(json.loads(json.dumps(told)) == told, criterion.name, "must be described in plain values", told)
    claim(pickle.loads(pickle.dumps(criterion)) == criterion, criterion.name, "must come back equal from a pickle")


def is_made_of_options(criterion: Criterion) -> None:
    """Of what a run offers it takes what it needs; without anything it works, and threads change nothing."""
    kind, dense, size = type(criterion), network(), Size(50, 200)
    one, two = (kind.of(Options(n_threads=n)) for n in (1, 2))
    claim(one.name == kind.of(Options()).name == criterion.name, criterion.name, "must be made with its own name")
    same = one(dense, size, ONE_SHOT)[0] == two(dense, size, ONE_SHOT)[0]
    claim(same, criterion.name, "must prune alike on any number of threads")
    offered = Options(activity=_equal_activity, retrain=_no_training)
    _pruned(kind.of(offered), dense, size)


def _equal_activity(network: Network) -> NDArray[np.float64]:
    return np.ones(network.n_neurons)


def _no_training(network: Network) -> Network:
    return network


def reaches_exact_sizes(criterion: Criterion) -> None:
    """Neurons that stay are those they were, no pair is joined twice, and weights keep within the bounds of STDP."""
    dense = network()
    n = len(dense.recurrent)
    for size in (Size(60, n // 5), Size(60, n // 2), Size(55, n // 8), Size(50, 20)):
        pruned, kept = _pruned(criterion, dense, size)
        stays = np.isin(np.arange(60), kept)
        claim(pruned.neurons == dense.neurons.select(stays), criterion.name, "must tell the neurons that are left")
        table = pruned.recurrent
        pairs = table.pre().astype(np.int64) * size.n_neurons + table.post
        claim(np.unique(pairs).size == pairs.size, criterion.name, "must join no two neurons twice")
        within = np.abs(table.weight) <= table.w_max * (1 + 1e-6)
        claim(within.all(), criterion.name, "must keep |weight| <= w_max, that STDP can go on")


def leaves_a_line(criterion: Criterion) -> None:
    """Of its name, below all that was done before; another call adds to it."""
    dense = network().with_history("looked at")
    once, _ = criterion(dense, Size(50, 300), ONE_SHOT)
    twice, _ = criterion(once, Size(50, 200), Step(2, 2, seed=8, start=dense))
    for before, after in ((dense, once), (once, twice)):
        old, new = before.provenance["history"], after.provenance["history"]
        claim(new[: len(old)] == old, criterion.name, "must keep the history", new)
        claim(len(new) > len(old) and criterion.name in new[-1], criterion.name, "must leave a line of its name", new)


def depends_on_the_seed_alone(criterion: Criterion) -> None:
    """The same bits for the same seed; for others different ones exactly if it draws by chance."""
    dense, size = network(), Size(50, 200)
    first, again, *others = (criterion(dense, size, Step(1, 1, seed=seed))[0] for seed in (7, 7, 8, 9, 10))
    claim(first == again, criterion.name, "must prune alike with the same seed")
    differs = any(other != first for other in others)
    word = "differ" if criterion.by_chance else "be the same"
    claim(differs == criterion.by_chance, criterion.name, f"says by_chance, so must {word} with other seeds", differs)


def keeps_the_last_inhibitory_neuron(criterion: Criterion) -> None:
    dense, one = with_one_inhibitory_neuron()
    _, kept = _pruned(criterion, dense, Size(50, 50))
    claim(one in kept, criterion.name, "must keep the last inhibitory neuron", kept)


def takes_odd_networks(criterion: Criterion) -> None:
    """Any network is pruned to the size, or told to have no such size."""
    for words, odd in odd_networks().items():
        n = max(1, odd.n_neurons - 10)
        for size in (Size(n, 60), Size(n, 1), Size(odd.n_neurons, 1)):
            said = sentence_of(criterion.name, f"{size} {words}", partial(_pruned, criterion, odd, size))
            claim(said is None or not len(odd.recurrent), criterion.name, f"must reach {size} {words}", said)


def refuses_impossible_sizes(criterion: Criterion) -> None:
    dense = network()
    for size in (Size(60, 60 * 60), Size(60, 0), Size(60, -1), Size(61, 100), Size(0, 100), Size(-3, 100)):
        refuses(criterion.name, str(size), partial(criterion, dense, size, ONE_SHOT), "must be")


def settles_without_changing_size(criterion: Criterion) -> None:
    """And without changing what it is given, from the pruning before on."""
    dense = network()
    before = dense.hash
    pruned, _ = criterion(dense, Size(50, 150), ONE_SHOT)
    kept = pruned.hash
    settled, told = criterion.settle(pruned, Step(1, 1, seed=7, start=dense))
    ok = Size.of(settled) == Size.of(pruned)
    claim(ok, criterion.name, "must keep the size when it settles", str(Size.of(settled)))
    json.dumps(plain_values(told), allow_nan=False)
    claim((dense.hash, pruned.hash) == (before, kept), criterion.name, "must leave networks that it is given alone")


def _pruned(criterion: Criterion, dense: Network, size: Size) -> tuple[Network, list[int]]:
    """The pruned network, which is `size` exactly, and the neurons that are left."""
    pruned, told = criterion(dense, size, ONE_SHOT)
    claim(Size.of(pruned) == size, criterion.name, f"must make a network of {size}", str(Size.of(pruned)))
    plain = plain_values(told)
    claim(json.loads(json.dumps(plain, allow_nan=False)) == plain, criterion.name, "must tell plain values", told)
    kept = plain.get("neurons", list(range(dense.n_neurons)))
    ok = len(set(kept)) == size.n_neurons == len(kept)
    claim(ok, criterion.name, f"must tell the {size.n_neurons} neurons that are left", kept)
    return pruned, kept


CHECKS: tuple[Callable[[Criterion], None], ...] = (
    is_a_value,
    is_made_of_options,
    reaches_exact_sizes,
    leaves_a_line,
    depends_on_the_seed_alone,
    keeps_the_last_inhibitory_neuron,
    takes_odd_networks,
    refuses_impossible_sizes,
    settles_without_changing_size,
)
