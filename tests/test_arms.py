"""Arms: names, steps, histories; what all that are compared have in common."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

import hrsnn
from hrsnn._checks import InputError
from hrsnn.arms import Arm, Calibrate, CutRecurrence, Learn, Step, pruning
from hrsnn.config import load_config
from hrsnn.learners import KINDS as LEARNERS
from hrsnn.learners import Stdp
from hrsnn.network import Network
from hrsnn.pruning.methods import KINDS as METHODS
from hrsnn.pruning.schedule import Trajectory
from hrsnn.pruning.spec import PruneSpec
from hrsnn.spec import PRESETS, InputSpec, NetworkSpec, arm_names
from hrsnn.spikes import Spikes

SPEC = NetworkSpec(n_neurons=60, n_inputs=8, input=InputSpec(subset_share=1.0, p_connect=0.4, weight_excitatory=2.0))
SPIKES = Spikes.from_dense(np.random.default_rng(0).random((4, 100, 8)) < 0.1, dt_ms=1.0)
LEARN = Learn(Stdp(n_samples=3), SPIKES, seed=2)
KEPT = PruneSpec(keep_synapses=0.3, n_iterations=2, correct=False, lnp={"timescales": False})  # type: ignore[arg-type]
STEPS: dict[str, Step] = {
    "no-recurrence": CutRecurrence(),
    "calibrate": Calibrate(SPIKES, InputSpec(target_hz=10.0), seed=0),
    "learn by stdp": LEARN,
    **{f"prune by {m}": pruning(m, KEPT, SPIKES, learning=LEARN, seed=1) for m in METHODS},
}


@pytest.mark.parametrize("name", STEPS)
def test_every_step_is_a_value_that_leaves_a_line(name: str) -> None:
    step, network = STEPS[name], hrsnn.build(SPEC, seed=0)
    assert step.name == name
    after = step(network)
    history = network.provenance["history"]
    assert after.provenance["history"][: len(history)] == history
    assert len(after.provenance["history"]) > len(history)
    assert pickle.loads(pickle.dumps(step))(network) == after  # it can be sent to another process


def test_an_arm_is_its_steps_one_after_the_other() -> None:
    arm = Arm("HeNHeS", SPEC, (STEPS["calibrate"], LEARN))
    drawn, calibrated, learned = arm.walk(5)
    assert drawn == hrsnn.build(SPEC, seed=5)
    assert calibrated == arm.steps[0](drawn)
    assert learned == LEARN(calibrated) == arm.made(5)
    assert Arm("HeNHeS", SPEC).made(5) == drawn


@pytest.mark.parametrize("method", METHODS)
def test_all_learn_alike_after_the_last_cut(method: str) -> None:
    """And activity pruning alone before each."""
    told: list[Trajectory] = []
    cut = replace(pruning(method, KEPT, SPIKES, learning=LEARN, seed=1), on_end=lambda way, data: told.append(way))
    history = Arm("HeNHeS", SPEC, (cut, LEARN)).made(0).provenance["history"]
    kinds = ["cut" if "pruned by" in line else "learn" if "learned by" in line else "" for line in history]
    lesson = ["learn"] if method == "activity" else []
    assert [kind for kind in kinds if kind] == [*lesson, "cut", *lesson, "cut", "learn"]
    assert told[0].snapshots[-1].size.n_synapses == round(0.3 * told[0].snapshots[0].size.n_synapses)


def test_names_are_made_of_neurons_plasticity_and_learner() -> None:
    assert PRESETS == ("HoNHoS", "HeNHoS", "HoNHeS", "HeNHeS")
    laws = {name: SPEC.arm(name) for name in (*PRESETS, *arm_names("B"))}
    assert laws["HoNB"] == laws["HoNHoS"]  # what a rule does not use has no spread
    assert laws["HeNB"] == laws["HeNHoS"]
    for name in ("HeN", "HeNS", "HeNHeB", "henhes", "HeNHeS "):
        with pytest.raises(InputError, match="must be a known arm"):
            SPEC.arm(name)


def test_a_rule_teaches_the_arms_of_its_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    class Taught(Stdp):
        letter = "B"
        rule: str = "taught"  # type: ignore[assignment]

        def learn(self, network: Network, data: object, **_: object) -> Network:  # type: ignore[override]
            return network.with_history("taught")

    monkeypatch.setitem(LEARNERS, "taught", Taught)
    assert load_config("lorenz63", ["learn.rule=taught", 'task.arms=["HoNB", "HeNB"]']).task.arms == ["HoNB", "HeNB"]
    assert load_config("lorenz63", ["learn.rule=taught"]).task.arms == ["HoNB", "HeNB"]
    with pytest.raises(InputError, match=r"`arms` of `task` must be of HoNB, HeNB, which taught teaches, got HoNHoS"):
        load_config("lorenz63", ["learn.rule=taught", 'task.arms=["HoNHoS"]'])
    with pytest.raises(InputError, match=r"which stdp teaches, got HeNB"):
        load_config("lorenz63", ['task.arms=["HeNB"]'])
    with pytest.raises(InputError, match="must be a known arm"):
        load_config("lorenz63", ['task.arms=["HeNHet"]'])
