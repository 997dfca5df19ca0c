"""CONTRIBUTING.md shows how to add one of each: what stands there is added by its one line, and then used for real."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hrsnn import learners, report, vocabulary
from hrsnn._checks import InputError
from hrsnn.cli import main
from hrsnn.config import first_difference, load_config, to_toml
from hrsnn.data import readers
from hrsnn.network_file import load
from hrsnn.pruning import methods
from hrsnn.pruning.methods import criterion_of
from hrsnn.testing import criteria, encoders
from hrsnn.testing import learners as of_learners
from hrsnn.testing import readers as of_readers
from hrsnn.vocabulary import ControlArm

PAGE = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text("utf-8")
NEW = ["A rule of learning", "A criterion of pruning", "A reader of files", "An encoder", "A control", "A document"]


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """Every example of the page as a module from a file of its own, each in its table by one line."""
    new = {what: module_of(what, tmp_path, monkeypatch) for what in NEW}
    monkeypatch.setitem(learners.KINDS, "mine", new["A rule of learning"].Mine)
    monkeypatch.setitem(methods.KINDS, "mine", new["A criterion of pruning"].Mine)
    monkeypatch.setitem(vocabulary.CONTROLS, "most-frequent", ControlArm("most-frequent", "MostFrequent"))
    monkeypatch.setitem(sys.modules, "hrsnn.controls.most_frequent", new["A control"])
    monkeypatch.setitem(report.DOCUMENTS, "mine/1", "mine")
    monkeypatch.setitem(sys.modules, "hrsnn.report.mine", new["A document"])
    readers.READERS.append(new["A reader of files"].Mine())
    yield new
    readers.READERS.pop()


def module_of(what: str, folder: Path, patch: pytest.MonkeyPatch) -> ModuleType:
    """The first Python of the paragraph that begins with `what`, written to a file and imported."""
    found = re.search(rf"^\*\*{what}\.\*\*.*?^```python\n(.*?)^```$", PAGE, flags=re.M | re.S)
    assert found, what
    name = f"one_of_each_{what.split()[-1]}"
    (folder / f"{name}.py").write_text(found[1], "utf-8")
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    patch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def json_lines(path: Path, n: int = 24) -> Path:
    rows = [{"label": "ab"[k % 2], "values": np.sin(np.arange(30) * (1 + k % 2) / 3 + k).tolist()} for k in range(n)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def test_each_keeps_to_its_contract(added: dict[str, ModuleType], tmp_path: Path) -> None:
    of_learners.check(added["A rule of learning"].Mine(factor=0.25))
    criteria.check(criterion_of("mine"))
    (tmp_path / "scratch").mkdir()
    of_readers.check(readers.READERS[-1], json_lines(tmp_path / "w.jsonl"), tmp_path / "scratch")
    latency = added["An encoder"].latency
    samples = [np.array([0, 1, 1]), np.array([1, 0, 0])]
    encoders.check(encoders.Example("latency", lambda x, rng: latency(x), samples, np.zeros(3)))


CONFIG = """
[task]
name = "one-of-each"
path = "mine.jsonl"
n_seeds = 1
arms = ["HeNHeS"]
controls = ["most-frequent"]

[network]
n_neurons = 60

[learn]
rule = "mine"
factor = 0.75

[prune]
methods = ["mine"]
keep_synapses = 0.3
"""


def test_each_does_its_work_in_a_run(
    added: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    json_lines(tmp_path / "mine.jsonl")
    Path("mine.toml").write_text(CONFIG)
    assert main(["run", "mine.toml", "--out", "run", "--jobs", "1", "--quiet"]) == 0
    results = json.loads(Path("run/results.json").read_text())
    arms = {(outcome["arm"], outcome["method"]) for outcome in results["outcomes"]}
    assert arms == {("HeNHeS", None), ("HeNHeS", "mine"), ("MostFrequent", None)}
    (pruned,) = Path("run/networks").glob("*mine*")
    history = load(pruned).provenance["history"]
    assert any(line.startswith("pruned by mine to 60 neurons") for line in history)
    assert history[-1] == "recurrent weights times 0.75"
    capsys.readouterr()
    assert main(["predict", "run", "mine.jsonl", "--arm", "HeNHeS/pruned/mine", "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("mine.jsonl[0]")


def test_a_document_gets_its_page(added: dict[str, ModuleType], tmp_path: Path) -> None:
    document = {"schema": "mine/1", "populations": [{"name": "<E>", "rate_hz": 12.345}]}
    text = report.write_document(document, tmp_path / "rates.html").read_text("utf-8")
    assert "&lt;E&gt;" in text
    assert "12.3" in text
    with pytest.raises(InputError, match=r"`populations\[0\]` of `rates.json` must be a table"):
        report.write_document({**document, "populations": [3]}, tmp_path / "rates.html")


def test_each_is_known_to_the_config(added: dict[str, ModuleType], tmp_path: Path) -> None:
    """With its keys, in what is written, compared and told."""
    grid = ["network.n_inputs=8", "network.dt_ms=1.0", "learn.rule=mine", 'prune.methods=["mine", "lnp"]']
    config = load_config("lorenz63", grid)
    (tmp_path / "c.toml").write_text(to_toml(config))
    assert load_config(tmp_path / "c.toml") == config
    assert first_difference(config, load_config("lorenz63", [*grid, "learn.factor=1.5"])) == (
        "learn.factor",
        "0.5",
        "1.5",
    )
    assert config.model_dump(mode="json")["learn"] == {"rule": "mine", "factor": 0.5}
