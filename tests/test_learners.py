"""Every rule of learning is held to the same contract by one line; one's own is a class and an entry of the table."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from hrsnn import learners
from hrsnn._checks import InputError
from hrsnn.config import first_difference, load_config, to_toml
from hrsnn.data.dataset import Dataset
from hrsnn.experiments import plan, run_unit
from hrsnn.learners import KINDS, Learner, Stdp, learner_of
from hrsnn.network import Network
from hrsnn.progress import Progress, ProgressEvent, no_progress
from hrsnn.pruning.criterion import Size
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.train import learn
from hrsnn.wiring import build

GRID = ["network.n_inputs=8", "network.dt_ms=1.0"]


class Halving(Learner):
    """Weights are multiplied by a factor: a rule of one's own."""

    rule: Literal["halving"] = "halving"
    factor: float = 0.5

    def learn(self, network: Network, data: Dataset | Spikes, *, seed: int, progress: Progress) -> Network:
        progress(ProgressEvent("learning", 1, 1))
        smaller = network.with_weights(self.factor * network.recurrent.weight)
        return smaller.with_history(f"weights times {self.factor:g}")


EXAMPLES: dict[str, Learner] = {"stdp": Stdp(n_epochs=2, n_samples=3), "halving": Halving()}


@pytest.fixture(autouse=True)
def with_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "halving", Halving)


def network() -> Network:
    inputs = {"subset_share": 1.0, "p_connect": 0.3, "weight_excitatory": 2.0}
    return build(NetworkSpec(n_neurons=40, n_inputs=8, input=inputs), seed=0)


def recordings() -> Spikes:
    return Spikes.from_dense(np.random.default_rng(0).random((4, 60, 8)) < 0.15, dt_ms=1.0)


def test_every_rule_has_an_example() -> None:
    assert set(EXAMPLES) == set(learners.KINDS)


@pytest.mark.parametrize("rule", EXAMPLES)
def test_the_contract(rule: str, tmp_path: Path) -> None:
    learner, dense, spikes = EXAMPLES[rule], network(), recordings()
    assert learner.rule == rule
    seen: list[ProgressEvent] = []
    learned = learn(dense, spikes, learner, seed=1, progress=seen.append)
    # weights and history change, nothing else; the history grows by what was done
    assert Size.of(learned) == Size.of(dense)
    assert learned.neurons == dense.neurons
    assert learned.provenance["history"][:1] == dense.provenance["history"]
    assert len(learned.provenance["history"]) == 2
    assert (seen[-1].phase, seen[-1].done) == ("learning", seen[-1].total)
    # the same bits each time, by the function and by the method, in this process or another
    again = pickle.loads(pickle.dumps(learner))
    assert again == learner
    assert again.learn(dense, spikes, seed=1, progress=no_progress) == learned
    # it stands in a config with all its keys, and comes back equal
    (tmp_path / "c.toml").write_text(to_toml(load_config("lorenz63", [f"learn.rule={rule}", *GRID])))
    assert type(load_config(tmp_path / "c.toml").learn) is type(learner)
    assert learner_of(json.loads(learner.model_dump_json())) == learner


def test_a_rule_of_ones_own_in_a_run() -> None:
    small = ["network.n_neurons=40", "task.n_seeds=1", "learn.rule=halving", "learn.factor=0.25"]
    config = load_config("lorenz63", small)
    other = load_config("lorenz63", [*small, "learn.factor=0.5"])
    assert first_difference(config, other) == ("learn.factor", "0.25", "0.5")
    assert config.model_dump(mode="json")["learn"] == {"rule": "halving", "factor": 0.25}
    unit = next(unit for unit in plan(config) if unit.kind == "HeNHeS")
    found = run_unit(config, unit)
    assert found.network is not None
    assert found.network.provenance["history"][-1] == "weights times 0.25"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["learn.rule=sdtp"], r'`rule` of `learn` must be one of stdp, halving, got sdtp; did you mean "stdp"\?'),
        (["learn.rule=3"], "`rule` of `learn` must be one of"),
        (["learn.rule=halving", "learn.n_epochs=2"], "unknown key `learn.n_epochs`"),
        (["learn.factor=0.1"], "unknown key `learn.factor`"),
        (["learn.rate=0.1"], "unknown key `learn.rate`"),
        (["learn.n_epochs=0"], "`learn.n_epochs`"),
    ],
)
def test_what_is_wrong_is_told(changes: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_config("lorenz63", changes)


def test_precision_is_chosen_for_stdp_alone() -> None:
    double = learn(network(), recordings(), Stdp(), dtype=np.float64)
    assert not np.array_equal(double.recurrent.weight, learn(network(), recordings()).recurrent.weight)
    with pytest.raises(InputError, match="STDP alone"):
        learn(network(), recordings(), Halving(), dtype=np.float64)
