"""A search: what is found, on any executor; killed and gone on with; what is wrong in one sentence."""

from __future__ import annotations

import json
import multiprocessing
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from hrsnn._checks import InputError, RunError
from hrsnn.cli import main
from hrsnn.config import load_config
from hrsnn.distributions import Gamma
from hrsnn.experiments import run_unit
from hrsnn.optimisation.objective import OfNetworks, space_of, with_values
from hrsnn.optimisation.sampler import distributions
from hrsnn.optimisation.space import Law, Scalar, Space
from hrsnn.optimisation.study import Searched, search
from hrsnn.runs import seen_from_anywhere
from hrsnn.tasks import shared_task, validate_network
from hrsnn.work.store import Store
from hrsnn.work.unit import Unit
from search_objectives import SPACE, Distance

optuna.logging.set_verbosity(optuna.logging.ERROR)
TINY = str(Path(__file__).parent / "tiny.toml")


def points(found: Searched) -> list[tuple[dict[str, float], float | None]]:
    return [(t.params, t.value) for t in found.study.get_trials(deepcopy=False)]


def test_what_is_found_is_near_the_best_and_is_kept(tmp_path: Path) -> None:
    said: list[str] = []
    found = search(SPACE, Distance(), tmp_path, n_trials=20, jobs=1, say=said.append)
    assert found.study.best_value > -0.1
    assert found.best is not None
    assert isinstance(found.best["tau"], Gamma)
    assert len(said) == 20
    assert re.fullmatch(r"trial 19 of 20: \S+( \(large\))?, best so far \S+, 0:00:0\d left", said[18])
    assert said[19].endswith(f"best so far {found.study.best_value:.4g}")
    before = points(found)
    again = search(SPACE, Distance(), tmp_path, n_trials=20, jobs=1, say=said.append)
    assert points(again) == before
    assert len(said) == 20  # nothing was done again
    more = search(SPACE, Distance(), tmp_path, n_trials=21, jobs=1)
    assert points(more)[:20] == before
    assert len(points(more)) == 21


def search_until_killed(out: str) -> None:
    search(SPACE, Distance(noise=0.01, wait_s=0.05), Path(out), n_trials=14, jobs=1, max_replicates=3)


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_with_the_same_points(tmp_path: Path) -> None:
    """Kills at ten moments, in whatever is done then; nothing is lost or doubled."""
    whole = search(SPACE, Distance(noise=0.01), tmp_path / "whole", n_trials=14, jobs=1, max_replicates=3)
    out, forking = tmp_path / "killed", multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["hrsnn.optimisation.sampler", "hrsnn.optimisation.study"])  # loaded once, for all
    for k in range(10):
        process = forking.Process(target=search_until_killed, args=(str(out),))
        process.start()
        begun, n_before = time.monotonic(), len(list((out / "trials").glob("*.json")))
        while process.is_alive() and time.monotonic() - begun < 60:
            if len(list((out / "trials").glob("*.json"))) > n_before:
                time.sleep(0.013 * k)
                break
            time.sleep(0.01)
        process.kill()
        process.join()
    killed = search(SPACE, Distance(noise=0.01), out, n_trials=14, jobs=1, max_replicates=3)
    assert points(killed) == points(whole)
    assert len(list((out / "trials").glob("*.json"))) == 14


@pytest.mark.slow
def test_two_workers_search_as_well_and_one_that_is_killed_costs_its_trial(tmp_path: Path) -> None:
    said: list[str] = []
    objective = Distance(wait_s=0.2, grave=str(tmp_path / "grave"))
    found = search(SPACE, objective, tmp_path / "two", n_trials=16, jobs=2, say=said.append)
    trials = found.study.get_trials(deepcopy=False)
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 16
    assert found.study.best_value > -0.3
    files = [json.loads(p.read_text()) for p in sorted((tmp_path / "two" / "trials").glob("*.json"))]
    assert len({f["values"]["facts"]["pid"] for f in files}) == 3
    again = [line for line in said if "was killed" in line]
    assert again == ["the process of unit trial-s5 was killed; it is done again, with no other beside it"]
    assert len(said) == 16 + 1


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_an_objective_that_always_fails_is_told_and_one_that_sometimes_does_is_searched(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"failed: ZeroDivisionError: no; every trial failed so far"):
        search(SPACE, Distance(fails="always"), tmp_path / "a", n_trials=9, jobs=1)
    found = search(SPACE, Distance(fails="sometimes"), tmp_path / "b", n_trials=9, jobs=1)
    states = [t.state for t in found.study.get_trials(deepcopy=False)]
    assert states.count(TrialState.FAIL) == 3
    for fails, message in (
        ("nan", r"must give finite numbers, got \[nan\]"),
        ("number", "must be of the class Score, got float"),
        ("two", r"must give a number for each of its 1 names, got \[1.0, 2.0\]"),
    ):
        with pytest.raises(InputError, match=rf"`objective` of `search` {message} \(unit trial-s4\)"):
            search(SPACE, Distance(fails=fails), tmp_path / fails, n_trials=9, jobs=1)


def test_what_fails_later_and_always_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="failed: ZeroDivisionError: no; the last 10 trials failed"):
        search(SPACE, Distance(fails="later"), tmp_path, n_trials=40, jobs=1)
    found = search(SPACE, Distance(fails="later"), tmp_path, n_trials=13, jobs=1)  # what was found is kept
    assert found.best is not None


def test_a_study_that_was_lost_is_made_again_from_what_was_written(tmp_path: Path) -> None:
    whole = search(SPACE, Distance(), tmp_path, n_trials=9, jobs=1).document
    (tmp_path / "study.db").unlink()
    again = search(SPACE, Distance(), tmp_path, n_trials=9, jobs=1).document
    assert [t["params"] for t in again["trials"]] == [t["params"] for t in whole["trials"]]
    assert again["best"] == whole["best"]


def test_a_storage_of_another_directory_is_told(tmp_path: Path) -> None:
    found = search(SPACE, Distance(), tmp_path, n_trials=2, jobs=1)
    found.study.ask(distributions(SPACE))  # as a search leaves it that is killed
    asked = Store(tmp_path, "asked")
    asked.keep("trial-s2", {"key": asked.read("trial-s1")["key"], "params": asked.read("trial-s1")["params"]})
    with pytest.raises(RunError, match=r"trial 2 of the study has another point than .*asked says: the storage"):
        search(SPACE, Distance(), tmp_path, n_trials=3, jobs=1)


def test_what_is_no_search_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for wrong in ({"n_trials": 0}, {"n_seeds": 1.5}, {"max_replicates": 0}, {"seed": -1}, {"jobs": -1}):
        (name,) = wrong
        with pytest.raises(InputError, match=f"`{name}` of `search` must be a whole number"):
            search(SPACE, Distance(), tmp_path / "out", **wrong)
    with pytest.raises(InputError, match="`space` of `search` must be of the class Space, got tuple"):
        search(SPACE.parts, Distance(), tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


# -- networks ----------------------------------------------------------------------------------------------------------


def test_what_is_searched_of_an_arm_is_what_it_has() -> None:
    config = load_config("spoken-digits")
    kinds = {arm: [type(part).__name__ for part in space_of(config, arm)] for arm in ("HoNHoS", "HeNHoS", "HeNHeS")}
    assert set(kinds["HoNHoS"]) == {"Scalar"}
    assert kinds["HeNHeS"].count("Law") > kinds["HeNHoS"].count("Law") > 0
    assert [p.name for p in space_of(config, "HoNHoS")] == [p.name for p in space_of(config, "HeNHeS")]


def test_values_stand_in_the_config() -> None:
    config = load_config("spoken-digits")
    values: dict[str, Any] = {"network.excitatory.tau_mem_ms": Gamma(33.0, 2.0), "synapses.weight_scale": 1.5}
    changed = with_values(config, values)
    assert changed.network.excitatory.tau_mem_ms == Gamma(33.0, 2.0)
    assert changed.network.synapses.weight_scale == 1.5
    with pytest.raises(InputError, match="weight_scal"):
        with_values(config, {"synapses.weight_scal": 1.5})


@pytest.mark.slow
def test_networks_are_searched_on_validation_data(tmp_path: Path) -> None:
    config = load_config(TINY)
    space = Space((Law("network.excitatory.tau_mem_ms", mean=(5.0, 50.0)), Scalar("input.weight_excitatory", 0.5, 4.0)))
    found = search(space, OfNetworks(config, "HeNHeS", ("task", "spikes")), tmp_path, n_trials=3, jobs=1)
    for trial in found.study.trials:
        assert -1 <= trial.values[0] <= 1  # minus an error that is cut at 1, or an accuracy
        assert trial.values[1] <= 0
        assert set(trial.constraints) == {"dead", "exploding"}


def test_trials_find_their_data_wherever_they_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("x\n" + "".join(f"{np.sin(0.3 * k):.4f}\n" for k in range(400)))
    few = ("n_train=60", "n_horizon=10", "n_starts=2", "n_washout=5", "n_warmup=5")
    changes = ["network.n_neurons=20", "input.calibrate=false", *(f"task.forecast.{words}" for words in few)]
    config = load_config(Path("mine.csv"), changes).model_copy(update={"learn": None})
    data_dir, own_data = seen_from_anywhere(config, None)
    measured = OfNetworks(config, "HeNHeS", ("task",), data_dir, own_data=own_data)
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    assert -1 <= measured({"input.weight_excitatory": 3.0}, 0).objectives[0] < 0
    assert measured.facts == OfNetworks(config, "HeNHeS").facts  # the same search, wherever its data lies


def test_objectives_that_are_none() -> None:
    config = load_config(TINY)
    with pytest.raises(InputError, match="must be among task, memory, spikes, efficiency, energy, got acuracy"):
        OfNetworks(config, "HeNHeS", ("acuracy",))
    with pytest.raises(InputError, match="must be one objective, or two different ones"):
        OfNetworks(config, "HeNHeS", ("task", "task"))
    with pytest.raises(InputError, match=r"`profile` of `search` must be one of loihi, .* got nothing"):
        OfNetworks(config, "HeNHeS", ("energy",))
    with pytest.raises(InputError, match="`profile` of `search` is for the objective energy, got loihi"):
        OfNetworks(config, "HeNHeS", ("task",), profile="loihi")
    with pytest.raises(InputError, match=r"got synops_per_sampl; did you mean .synops_per_sample"):
        OfNetworks(config, "HeNHeS", budget=(("synops_per_sampl", 1.0),))
    with pytest.raises(InputError, match="`budget of spikes_per_neuron` of `search` must be > 0, got 0"):
        OfNetworks(config, "HeNHeS", budget=(("spikes_per_neuron", 0.0),))
    with pytest.raises(InputError, match="must be a known method, got magnitud"):
        OfNetworks(config, "HeNHeS", pruned="magnitud")


def test_plasticity_is_searched_where_networks_are_taught() -> None:
    config = load_config("spoken-digits")
    names = {kind: [part.name for part in OfNetworks(config, "HeNHeS", (kind,)).space()] for kind in ("task", "memory")}
    rest = [name for name in names["task"] if not name.startswith("plasticity.")]
    assert names["memory"] == rest != names["task"]
    by_gradients = load_config("spoken-digits", ["learn.rule=backprop"])
    assert not any(name.startswith("plasticity") for name, _ in space_of(by_gradients, "HeNB").start)


def test_networks_of_a_search_are_those_of_a_run() -> None:
    """Pruned and taught by the same steps, from the same seed."""
    config = load_config(TINY, ["input.weight_excitatory=8", "prune.methods=['random']"])
    run = run_unit(config, Unit("HeNHeS", 3, ("pruned", "random"))).network
    assert run is not None
    made = OfNetworks(config, "HeNHeS", pruned="random").made({}, 3)
    dense = OfNetworks(config, "HeNHeS").made({}, 3)
    assert made.hash == run.hash != dense.hash
    assert len(made.recurrent) < len(dense.recurrent)
    drawn = OfNetworks(config, "HeNHeS", pruned="random").made({}, 3, taught=False)
    assert len(drawn.recurrent) == len(made.recurrent)


def test_energy_and_budgets_are_of_counted_operations() -> None:
    config = load_config(TINY, ["input.weight_excitatory=8"])
    free = OfNetworks(config, "HeNHeS", ("energy",), profile="loihi")
    score = free({}, 3)
    task = shared_task(config.task)
    costs = validate_network(free.made({}, 3), task, config.readout, seed=3).costs
    n_synops = sum(costs[f"synops_{kind}"] for kind in ("input", "recurrent", "readout"))
    assert n_synops > 0
    assert 10 ** -score.objectives[0] == pytest.approx(23.6e-12 * n_synops)
    other = OfNetworks(config, "HeNHeS", ("energy",), profile="45nm-add")({}, 3)
    assert other.objectives[0] - score.objectives[0] == pytest.approx(np.log10(23.6 / 0.9))
    assert free.settings == {"energy profile": "loihi"}
    told = OfNetworks(config, "HeNHeS", budget=(("synops_per_sample", 2e5),), pruned="random").settings
    assert told == {"budget per sample": "200,000 synaptic operations", "pruned by": "random"}
    for share in (0.5, 2.0):
        held = OfNetworks(config, "HeNHeS", budget=(("synops_per_sample", share * n_synops),))({}, 3)
        assert held.limits["over its budget of synops_per_sample"] == pytest.approx(1 / share - 1)


@pytest.mark.slow
def test_the_verb_finds_a_config_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = [
        "search",
        TINY,
        "--arm",
        "HoNHoS",
        "--budget",
        "footprint_bytes=1e9",
        "--trials",
        "3",
        "--out",
        "s",
        "--set",
        "input.weight_excitatory=8",
        "--jobs",
        "1",
        "--quiet",
    ]
    assert main([*line, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [trial["number"] for trial in document["trials"]] == [0, 1, 2]
    first, config = document["trials"][0]["params"], load_config(TINY)
    assert first["synapses.weight_scale"] == config.network.synapses.weight_scale
    assert first["network.excitatory.tau_mem_ms"] == config.network.excitatory.tau_mem_ms.mean
    assert document == json.loads(Path("s/search.json").read_text())
    assert "How the search went" in Path("s/search.html").read_text()
    found = load_config(Path("s/found.toml"))
    best = document["best"]["values"]
    assert found.network.synapses.weight_scale == best["synapses.weight_scale"]
    assert main(line) == 0
    assert capsys.readouterr().out.startswith("The best of 3 trials is number ")
    assert main(["run", "--from-search", "s", "--out", "r", "--jobs", "1", "--quiet"]) == 0
    assert load_config(Path("r/config.toml")).network == found.network
    assert main([*line, "--budget", "footprint_bytes"]) == 2
    assert "must have the form cost=most" in capsys.readouterr().err
    assert main(["run", "--from-search", "nowhere", "--quiet"]) == 2
    assert "must hold found.toml" in capsys.readouterr().err


@pytest.mark.slow
def test_arms_searched_alike_are_compared_each_as_it_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    changes = ["--set", "input.weight_excitatory=8", "--set", "task.arms=['HoNHoS', 'HeNHeS']"]
    line = ["search", TINY, "--arm", "all", "--trials", "2", "--out", "s", *changes, "--jobs", "1", "--quiet"]
    assert main(line) == 0
    table, config = capsys.readouterr().out, load_config("s/found.toml")
    for arm in ("HoNHoS", "HeNHeS"):
        best = json.loads(Path("s", arm, "search.json").read_text())["best"]
        assert f"{arm}   " in table
        assert config.of_arm(arm).network.synapses.weight_scale == best["values"]["synapses.weight_scale"]
    assert config.of_arm("HoNHoS").network != config.of_arm("HeNHeS").network
    assert main(["run", "--from-search", "s", "--out", "r", "--jobs", "1", "--quiet"]) == 0
    assert load_config(Path("r/config.toml")).arms == config.arms
    assert "Each with values of its own, as the config has them: HoNHoS, HeNHeS." in Path("r/report.html").read_text()
    capsys.readouterr()
    assert main([*line, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"HoNHoS", "HeNHeS"}
    assert main([*line, "--pruned", "random", "--trials", "1", "--out", "p"]) == 0
    assert load_config("p/found.toml").prune.methods == ["random"]
    capsys.readouterr()
    assert main([*line, "--storage", "study.log"]) == 2
    assert "`storage` of `search` must not be given for several arms" in capsys.readouterr().err
    front = ["--objective", "task", "--objective", "spikes", "--trials", "1"]
    assert main([*line[:4], *front, "--out", "f", *changes, "--jobs", "1", "--quiet"]) == 0
    assert "Config: " not in capsys.readouterr().out
    assert not Path("f/found.toml").exists()


def test_without_its_libraries_a_search_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "hrsnn.optimisation.study")
    assert main(["search", TINY, "--out", str(tmp_path / "s")]) == 1
    said = capsys.readouterr().err
    assert "a search needs optuna and botorch" in said
    assert said.strip().endswith("`pip install 'hrsnn[search]'` installs them")
    assert not (tmp_path / "s").exists()
