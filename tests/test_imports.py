"""What imports what: the contracts of import-linter, and how little is loaded before it is needed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import hrsnn

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
HEAVY = ("numpy", "scipy", "numba", "sklearn", "pydantic", "h5py", "jinja2", "pooch")


def loaded_by(code: str) -> set[str]:
    """Top-level packages in a fresh interpreter after `code`."""
    code = f"import sys\n{code}\nsys.stdout = sys.__stdout__\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    return set(done.stdout.splitlines()[-1].split())


def test_imports_point_downwards() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'src'); {code}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_hrsnn_loads_nothing_heavy() -> None:
    assert loaded_by("import hrsnn; hrsnn.__version__; dir(hrsnn)").isdisjoint(HEAVY)


def test_data_and_networks_need_no_learning_machinery() -> None:
    loaded = loaded_by("import hrsnn; hrsnn.NetworkSpec, hrsnn.Spikes, hrsnn.build, hrsnn.save")
    assert loaded.isdisjoint({"sklearn", "numba", "jinja2", "h5py", "typer", "pooch"})


@pytest.mark.parametrize("name", hrsnn.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(hrsnn, name) is not None
    assert name in dir(hrsnn)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Netwrok'"):
        hrsnn.Netwrok  # noqa: B018


def test_public_names_are_the_same_for_people_and_type_checkers() -> None:
    source = (ROOT / "src" / "hrsnn" / "__init__.py").read_text("utf-8")
    pairs = re.findall(r"from hrsnn\.([\w.]+) import \w+ as (\w+)", source)
    assert {name: home for home, name in pairs} == hrsnn._HOME


def test_every_module_can_be_imported_alone() -> None:
    names = sorted(
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "src" / "hrsnn").rglob("*.py")
    )
    for name in names:
        import_module(name)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_requirement_is_pinned_within_its_range() -> None:
    from packaging.requirements import Requirement

    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    extras = PROJECT["optional-dependencies"]
    for text in [*PROJECT["dependencies"], *(line for lines in extras.values() for line in lines)]:
        requirement = Requirement(text)
        assert normal(requirement.name) in pins, f"{requirement.name} is not in constraints.txt"
        assert requirement.specifier.contains(pins[normal(requirement.name)]), text
    assert pins["torch"] == "2.13.0"


def test_the_version_stands_in_one_place_and_the_citation() -> None:
    assert f"version: {hrsnn.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
