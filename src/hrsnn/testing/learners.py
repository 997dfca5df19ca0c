"""What every rule of learning keeps to (`hrsnn.learners.learner`)."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial

import numpy as np

from hrsnn.learners import KINDS, Learner, learner_of
from hrsnn.network import Network
from hrsnn.progress import ProgressEvent, no_progress
from hrsnn.tables import SynapseTable
from hrsnn.testing.claims import claim, refuses
from hrsnn.testing.examples import network, recordings
from hrsnn.train import learn


def check(learner: Learner) -> None:
    """Hold `learner`, whose rule is in the table, to all `CHECKS`; raises `AssertionError` for the first it breaks."""
    for one in CHECKS:
        one(learner)


def stands_in_its_table(learner: Learner) -> None:
    """Its rule is the key of its class; as plain values, and from another process, it comes back equal."""
    claim(KINDS.get(learner.rule) is type(learner), learner.rule, "must be the key of its class in KINDS")
    claim(learner_of(learner.model_dump(mode="json")) == learner, learner.rule, "must be read back from its table")
    claim(pickle.loads(pickle.dumps(learner)) == learner, learner.rule, "must come back equal from a pickle")


def tells_unknown_keys(learner: Learner) -> None:
    """With what was meant, where it is near."""
    name = max(type(learner).model_fields, key=len)
    table = {**learner.model_dump(mode="json"), f"{name}_": 1}
    refuses(learner.rule, "an unknown key", partial(learner_of, table), f'did you mean "{name}"')


def changes_weights_alone(learner: Learner) -> None:
    """Neurons, synapses, their delays and rules stay; what it is given stays too."""
    dense, data = network(), recordings()
    before, raster = dense.hash, data.spikes.dense()
    learned = _learned(learner, dense)
    for name in ("dt_ms", "synapse", "rule"):
        claim(getattr(learned, name) == getattr(dense, name), learner.rule, f"must leave `{name}` as it was")
    for name in (f.name for f in fields(dense.neurons) if f.name not in learner.changes):
        old, new = (getattr(n.neurons, name) for n in (dense, learned))
        claim(np.array_equal(old, new), learner.rule, f"must leave `{name}` of neurons as it was")
    for name in ("recurrent", "inputs"):
        old, new = getattr(dense, name), getattr(learned, name)
        claim(_but_weights(new) == _but_weights(old), learner.rule, f"must leave all of `{name}` but weights as it was")
        claim(np.isfinite(new.weight).all(), learner.rule, "must give finite weights")
    claim(dense.hash == before, learner.rule, "must leave the network it is given as it was")
    claim((data.spikes.dense() == raster).all(), learner.rule, "must leave the data as they were")


def leaves_a_line(learner: Learner) -> None:
    """One, below all that was done before."""
    dense = network().with_history("looked at")
    old, new = (n.provenance["history"] for n in (dense, _learned(learner, dense)))
    claim(new[: len(old)] == old and len(new) == len(old) + 1, learner.rule, "must add one line to the history", new)


def gives_the_same_bits(learner: Learner) -> None:
    """For the same arguments, by the function and by the method, from a pickle too."""
    dense = network()
    again = pickle.loads(pickle.dumps(learner)).learn(dense, recordings(), seed=1, progress=no_progress)
    claim(_learned(learner, dense) == again, learner.rule, "must give the same bits for the same arguments")


def tells_how_far_it_is(learner: Learner) -> None:
    """`done` rises up to `total`, in the phase of learning."""
    seen: list[ProgressEvent] = []
    learn(network(), recordings(), learner, seed=1, progress=seen.append)
    claim(len(seen) > 0, learner.rule, "must tell how far it is")
    done = [event.done for event in seen]
    rises = done == sorted(done) and {event.phase for event in seen} == {"learning"}
    claim(rises, learner.rule, "must tell a rising count", done)
    claim(seen[-1].done == seen[-1].total, learner.rule, "must come to its end", seen[-1])


def needs_labels_or_ignores_them(learner: Learner) -> None:
    """As `needs_labels` says."""
    dense, data = network(), recordings()
    if learner.reads_labels:
        learn(dense, data.spikes, learner, seed=1)
        return
    if learner.needs_labels:
        refuses(learner.rule, "spikes without labels", partial(learn, dense, data.spikes, learner), "label")
        return
    others = replace(data, labels=1 - data.labels)
    without = [learn(dense, given, learner, seed=1) for given in (others, data.spikes)]
    same = without == [_learned(learner, dense)] * 2
    claim(same, learner.rule, "says that it needs no labels, so must give the same bits without them")


def refuses_no_data(learner: Learner) -> None:
    refuses(learner.rule, "no recording", partial(learn, network(), recordings(0), learner), "at least one")


def _learned(learner: Learner, dense: Network) -> Network:
    return learn(dense, recordings(), learner, seed=1)


def _but_weights(table: SynapseTable) -> list[bytes]:
    return [np.asarray(getattr(table, f.name)).tobytes() for f in fields(table) if f.name != "weight"]


CHECKS: tuple[Callable[[Learner], None], ...] = (
    stands_in_its_table,
    tells_unknown_keys,
    changes_weights_alone,
    leaves_a_line,
    gives_the_same_bits,
    tells_how_far_it_is,
    needs_labels_or_ignores_them,
    refuses_no_data,
)
