"""What is wrong with `[learn]` is told, whatever the rule. What all rules keep to: test_contracts."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from hrsnn._checks import InputError
from hrsnn.config import load_config
from hrsnn.data.dataset import Dataset
from hrsnn.learners import KINDS, Learner, Stdp
from hrsnn.network import Network
from hrsnn.progress import Progress, ProgressEvent
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.train import learn
from hrsnn.wiring import build


class Halving(Learner):
    """Weights are multiplied by a factor."""

    rule: Literal["halving"] = "halving"
    factor: float = 0.5

    def learn(self, network: Network, data: Dataset | Spikes, *, seed: int, progress: Progress) -> Network:
        progress(ProgressEvent("learning", 1, 1))
        smaller = network.with_weights(self.factor * network.recurrent.weight)
        return smaller.with_history(f"weights times {self.factor:g}")


@pytest.fixture(autouse=True)
def with_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "halving", Halving)


def network() -> Network:
    inputs = {"subset_share": 1.0, "p_connect": 0.3, "weight_excitatory": 2.0}
    return build(NetworkSpec(n_neurons=40, n_inputs=8, input=inputs), seed=0)


def recordings() -> Spikes:
    return Spikes.from_dense(np.random.default_rng(0).random((4, 60, 8)) < 0.15, dt_ms=1.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["learn.rule=sdtp"], r'must be one of stdp, backprop, halving, got sdtp; did you mean "stdp"\?'),
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
