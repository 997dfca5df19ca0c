"""Everything the repository shows, works: examples/, the Python and TOML of the README, its quick commands."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

import fake_experiment
import hrsnn
from hrsnn import verbs
from hrsnn.cli import main
from hrsnn.config import Config, load_config, to_toml
from hrsnn.pruning import session
from hrsnn.pruning.criteria import Uniform
from hrsnn.pruning.spec import PruneSpec
from hrsnn.spec import NetworkSpec
from hrsnn.survey import Depth
from hrsnn.tasks import TaskSpec
from hrsnn.train import LearnSpec
from hrsnn.wiring import build

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]

INSTALL_AND_RUN = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt . && .venv/bin/hrsnn run"
INSTALL_AND_TEST = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt '.[test]' && .venv/bin/pytest"


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language in a page, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """Lines of its bash blocks that begin with hrsnn."""
    lines = [line for block in blocks(text, "bash") for line in block.splitlines()]
    return [line for line in lines if line.startswith("hrsnn ")]


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory with what the snippets call their own: recordings/, events.npz, gestures.npz and others."""
    scripts = {path.stem: SimpleNamespace(**runpy.run_path(str(path))) for path in EXAMPLES if "own" in path.stem}
    scripts["own_wav_folder"].make_sounds(tmp_path / "recordings")
    scripts["own_events"].make_events(tmp_path / "events.npz")
    scripts["own_series"].make_series(tmp_path / "series.csv")
    waves = np.sin(np.arange(50) * (1 + np.arange(20) % 2)[:, None] / 5)
    np.savez(tmp_path / "gestures.npz", values=waves, labels=np.arange(20) % 2)
    (tmp_path / "speakers").mkdir()
    for k, (speaker, word) in enumerate(itertools.product(("anna", "ben", "dora"), ("yes", "no") * 3)):
        wavfile.write(tmp_path / "speakers" / f"{speaker}_{word}_{k}.wav", 8000, np.int16(9000 * waves[k]))
    (tmp_path / "mine.toml").write_text(blocks(README, "toml")[0], "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind"


NOT_RUN = "<!-- not run by the tests: "


def run_blocks(page: str, language: str) -> list[str]:
    """The blocks of a page, but those below a comment that says why they are not run."""
    text = (ROOT / page).read_text("utf-8")
    return blocks(re.sub(rf"^{NOT_RUN}.*?-->\n```{language}\n.*?^```$", "", text, flags=re.M | re.S), language)


def snippets() -> list[Any]:
    """The Python blocks of every page."""
    found = [(page, block) for page in PAGES for block in run_blocks(page, "python")]
    return [pytest.param(page, block, id=f"{page}-{k}") for k, (page, block) in enumerate(found)]


@pytest.mark.parametrize(("page", "block"), snippets())
def test_python_of_the_pages_runs(page: str, block: str, own_data: Path) -> None:
    exec(compile(block, page, "exec"), {})


@pytest.mark.parametrize("page", PAGES)
def test_toml_of_the_pages_is_a_config(page: str, own_data: Path) -> None:
    for k, block in enumerate(blocks((ROOT / page).read_text("utf-8"), "toml")):
        (own_data / f"{k}.toml").write_text(block, "utf-8")
        load_config(own_data / f"{k}.toml")


def test_own_data_runs_and_predicts_from_the_command_line(own_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = (line for line in commands(README) if "mine.toml" in line)
    assert main([*shlex.split(line)[1:], "--out", "runs/recordings-1", "--quiet", "--jobs", "1"]) == 0
    assert (own_data / "runs" / "recordings-1" / "report.html").is_file()
    assert "HeNHeS" in capsys.readouterr().out
    shutil.copytree(own_data / "recordings" / "hum", own_data / "new-recordings")
    (line,) = (line for line in commands(README) if "hrsnn predict" in line)
    assert main(shlex.split(line)[1:]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 10


@pytest.mark.parametrize("line", [line for line in commands(README) if line.split()[1] not in ("run", "predict")])
def test_quick_commands_of_the_readme_run(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(line)[1:]) == 0
    assert capsys.readouterr().out


def lines_of_guides() -> list[Any]:
    """Lines of the bash blocks of how-to and tutorial."""
    guides = [page for page in PAGES if page.startswith(("docs/how-to/", "docs/tutorial/"))]
    lines = [line for page in guides for block in run_blocks(page, "bash") for line in block.splitlines()]
    return [pytest.param(line, id=line) for line in lines if line]


def with_fake_units(patch: pytest.MonkeyPatch) -> None:
    """Runs do invented units, whether the real ones were imported before or not."""
    patch.setitem(sys.modules, "hrsnn.experiments", fake_experiment)
    patch.setattr(hrsnn, "experiments", fake_experiment, raising=False)


@pytest.fixture(scope="module")
def a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/spoken-digits-1: networks of the demonstration, invented numbers."""
    folder = tmp_path_factory.mktemp("guides")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with_fake_units(patch)
        assert main(["run", "--seeds", "1", "--jobs", "1", "--quiet"]) == 0
    return folder


@pytest.mark.parametrize("line", lines_of_guides())
def test_commands_of_the_guides_run(line: str, a_run: Path, own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand, with less work inside: fake units of runs, a short look by analyse, no rates brought back."""
    shutil.copytree(a_run, own_data, dirs_exist_ok=True)
    with_fake_units(monkeypatch)
    monkeypatch.setattr(fake_experiment, "build", lambda spec, seed: build(NetworkSpec(n_neurons=20), seed=seed))
    monkeypatch.setattr("hrsnn.report.write_report", lambda *_: None)
    shallow = Depth(n_delays=3, n_samples=300, n_exponents=2, n_stimuli=10, exponent_ms=50, firing_ms=500)
    monkeypatch.setattr(verbs, "document_of", partial(ignoring, verbs.document_of, depth=shallow))
    monkeypatch.setattr(session, "prune", partial(ignoring, session.prune, correct=False, drive_ms=500.0))
    monkeypatch.setattr(session, "criterion_of", lambda *_, **__: Uniform())
    monkeypatch.setattr(session, "document_of", lambda *_, **__: {"schema": "hrsnn.pruning/1"})
    monkeypatch.setattr("hrsnn.console.pruning_text", lambda *_: "")
    command, *arguments = shlex.split(line)
    assert command == "hrsnn"
    assert main([*arguments, "--quiet"]) == 0


def ignoring(function: Any, *given: Any, **options: Any) -> Any:
    """`function` where what is fixed stands over what the caller gives."""
    return function(*given, **options)


@pytest.mark.slow
def test_the_source_distribution_is_whole(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    tree = tmp_path / "tree"
    left_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "runs")
    shutil.copytree(ROOT, tree, ignore=left_out)
    program = "from setuptools.build_meta import build_sdist; print(build_sdist('..'))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tree, capture_output=True, text=True, check=True)
    with tarfile.open(tmp_path / done.stdout.splitlines()[-1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    folders = ("src/hrsnn", "tests", "docs", "examples", "benchmarks", "scripts")
    files = [path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files = [path for path in files if not {"__pycache__", "_build"} & set(path.parts)]
    tops = ("README.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "NOTICE", "constraints.txt")
    missing = {*map(str, files), *tops, "pyproject.toml", ".ci/run"} - names
    assert {name for name in missing if not name.endswith((".pyc", ".nbi", ".nbc"))} == set()


def test_the_two_lines_of_the_readme_stand_alone_in_code_blocks() -> None:
    lines = [line for block in blocks(README, "bash") for line in block.splitlines()]
    for line in (INSTALL_AND_RUN, INSTALL_AND_TEST):
        assert lines.count(line) == 1


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    missing = [f"{page.relative_to(ROOT)}: {link}" for page in pages for link in links(page) if not points(page, link)]
    assert missing == []


def links(page: Path) -> list[str]:
    """Targets of Markdown links that are files, without those to the web."""
    found = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    return [link for link in found if "://" not in link and not link.startswith("mailto:")]


def points(page: Path, link: str) -> Any:
    return (page.parent / link).exists()


def test_the_map_of_the_papers_names_what_exists() -> None:
    page = (ROOT / "docs" / "PAPER_MAP.md").read_text("utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ") and line.count(" | ") == 4]
    functions = [name for row in rows for name in re.findall(r"`([a-z_]+(?:\.\w+)+)`", row[3])]
    tests = [name for row in rows for name in re.findall(r"`(test_\w+\.py::\w+)`", row[4])]
    assert len(functions) > 20
    assert len(tests) > 20
    assert [name for name in functions if not is_there(name)] == []
    missing = []
    for name in tests:
        file, _, function = name.partition("::")
        path = ROOT / "tests" / file
        if not path.is_file() or f"def {function}(" not in path.read_text("utf-8"):
            missing.append(name)
    assert missing == []


def is_there(name: str) -> bool:
    """Whether a dotted name below hrsnn leads to something: a module as far as there is one, then attributes."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        with contextlib.suppress(ImportError):
            found: Any = importlib.import_module(".".join(["hrsnn", *parts[:k]]))
            for part in parts[k:]:
                found = getattr(found, part, None)
            return found is not None
    return False


def test_the_page_of_the_config_holds_every_key_with_its_default(tmp_path: Path) -> None:
    block, _ = blocks((ROOT / "docs" / "reference" / "config.md").read_text("utf-8"), "toml")  # the other: backprop
    (tmp_path / "page.toml").write_text(block, "utf-8")
    defaults = Config(task=TaskSpec(), network=NetworkSpec(n_inputs=140), learn=LearnSpec(), prune=PruneSpec())
    assert tomllib.loads(block) == tomllib.loads(to_toml(defaults))
    assert load_config(tmp_path / "page.toml") == defaults
