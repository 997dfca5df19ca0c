"""The four steps together: exact sizes, branches of the ablation, what each option changes, what it is told."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import hrsnn
from hrsnn._checks import InputError
from hrsnn.network import Network
from hrsnn.pruning import lnp
from hrsnn.pruning.criterion import Size, Step
from hrsnn.pruning.lnp import LyapunovNoise
from hrsnn.pruning.timescales import match_timescales, spectrum_under_drive

QUICK = LyapunovNoise(timescales=False)
ONE_SHOT = Step(1, 1, seed=5)


@pytest.fixture(scope="module")
def network() -> Network:
    inputs = {"subset_share": 1.0, "p_connect": 0.35, "weight_excitatory": 1.0, "weight_inhibitory": 0.5}
    return hrsnn.build(hrsnn.NetworkSpec(n_neurons=80, n_inputs=40, input=inputs), seed=1)


BRANCHES = {
    "1": LyapunovNoise(nodes=False, edges="none", timescales=False),
    "1,2": LyapunovNoise(edges="none", timescales=False),
    "1,2,3": LyapunovNoise(timescales=False),
    "2": LyapunovNoise(noise=False, edges="none", timescales=False),
    "paper": LyapunovNoise(edges="paper", timescales=False),
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_every_branch_reaches_the_size(network: Network, branch: str) -> None:
    for size in (Size(80, len(network.recurrent) // 3), Size(60, len(network.recurrent) // 5)):
        pruned, told = BRANCHES[branch](network, size, ONE_SHOT)
        assert Size.of(pruned) == size
        assert pruned.neurons.sign.tolist() == network.neurons.sign[told.get("neurons", slice(None))].tolist()
        assert ("noise" in told) == (branch != "2")
        assert ("edges" in told) == (branch in ("1,2,3", "paper"))
        history, n_before = pruned.provenance["history"], len(network.provenance["history"])
        assert history[:n_before] == network.provenance["history"]
        assert history[-1] == f"pruned by lnp to {size}"
        assert any("neurons by betweenness" in line for line in history) == ("nodes" in told)
        assert any("synapses added" in line for line in history) == ("edges" in told)


def test_the_paper_adds_no_synapse_that_was_there() -> None:
    ring = hrsnn.NetworkSpec(n_neurons=80, n_inputs=40, synapses={"wiring": "small-world", "n_neighbours": 8})
    network = hrsnn.build(ring, seed=0)
    pruned, _ = LyapunovNoise(edges="paper", timescales=False)(network, Size(80, 400), ONE_SHOT)
    pairs, new = (
        set(zip(t.pre().tolist(), t.post.tolist(), strict=True)) for t in (network.recurrent, pruned.recurrent)
    )
    assert len(new - pairs) == 4


@pytest.mark.parametrize("edges", ["min-variance", "paper", "ipr"])
def test_what_cannot_be_added_is_kept_instead(edges: Any) -> None:
    """A chain of single synapses has few pairs two steps apart, a pair of neurons none."""
    small = hrsnn.build(hrsnn.NetworkSpec(n_neurons=6, n_inputs=4, synapses={"length_scale": 2.0}), seed=0)
    for n in range(1, len(small.recurrent) + 1):
        pruned, told = LyapunovNoise(edges=edges, timescales=False)(small, Size(6, n), ONE_SHOT)
        assert len(pruned.recurrent) == n
        assert "edges" not in told or told["edges"]


@pytest.mark.parametrize(
    "option", [{"mode": "hm"}, {"mode": "w"}, {"diagonal": "adjust"}, {"exponents": "qr"}, {"shot_noise": 1.0}]
)
def test_options_change_what_is_kept(network: Network, option: dict[str, Any]) -> None:
    size = Size(80, 150)
    pruned, told = replace(QUICK, **option)(network, size, ONE_SHOT)
    assert Size.of(pruned) == size
    assert pruned != QUICK(network, size, ONE_SHOT)[0]
    assert told["noise"]["abscissa"] < 0


def test_literal_means_are_those_of_sizes_where_all_exponents_are_negative(network: Network) -> None:
    silent = network.with_weights(inputs=0 * network.inputs.weight)  # -1 / tau
    literal, sizes = (replace(QUICK, mode=m)(silent, Size(80, 150), ONE_SHOT)[0] for m in ("literal", "hm"))  # type: ignore[arg-type]
    assert literal == sizes


def test_weights_alone_need_no_exponents(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(lnp, "local_exponents")
    replace(QUICK, mode="w")(network, Size(80, 150), ONE_SHOT)
    with pytest.raises(NameError):
        QUICK(network, Size(80, 150), ONE_SHOT)


def test_time_constants_are_matched_now_and_then(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(lnp, "spectrum_under_drive", lambda n, **drive: asked.append(n.hash) or np.zeros(3))
    monkeypatch.setattr(lnp, "match_timescales", lambda n, dense, **drive: (n, ONE_SHOT))
    criterion = LyapunovNoise()
    for index in (1, 9, 10, 20, 24, 25):
        told = criterion.settle(network, Step(index, 25, seed=0, start=network.keep_neurons(np.arange(80) < 60)))[1]
        assert ("timescales" in told) == (index in (10, 20, 25))
    assert set(asked) == {network.keep_neurons(np.arange(80) < 60).hash}  # the dense one, not the one at hand
    criterion.settle(network, ONE_SHOT)
    assert asked[-1] == network.hash


def test_step_four_runs(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    for function in (spectrum_under_drive, match_timescales):  # 64 exponents over 500 steps take too long for a test
        monkeypatch.setattr(lnp, function.__name__, partial(function, n_steps=20, n_exponents=8))
    pruned = LyapunovNoise()(network, Size(60, 300), ONE_SHOT)[0]
    told = LyapunovNoise().settle(pruned, replace(ONE_SHOT, start=network))[1]
    assert told["timescales"]["objective_after"] >= told["timescales"]["objective_before"]


def test_a_silent_network_is_pruned_by_its_leak(network: Network) -> None:
    silent = network.with_weights(inputs=0 * network.inputs.weight)
    assert Size.of(QUICK(silent, Size(70, 150), ONE_SHOT)[0]) == Size(70, 150)


@pytest.mark.parametrize("option", ["mode", "edges", "exponents", "diagonal"])
def test_unknown_options(option: str) -> None:
    with pytest.raises(InputError, match=f"`{option}` of `LyapunovNoise` must be one of"):
        LyapunovNoise(**{option: "all"})  # type: ignore[arg-type]


def test_sizes_out_of_reach(network: Network) -> None:
    with pytest.raises(InputError, match=r"`n_synapses` of `lnp` must be in 1\.\."):
        QUICK(network, Size(60, len(network.recurrent)), ONE_SHOT)
    assert len(QUICK(network, Size(80, 1), ONE_SHOT)[0].recurrent) == 1  # step I keeps one, step III adds none
