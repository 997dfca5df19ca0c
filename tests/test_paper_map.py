"""docs/PAPER_MAP.md names functions and tests that exist."""

from __future__ import annotations

import re
from functools import reduce
from importlib import import_module
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LINES = [line for line in (TESTS.parent / "docs/PAPER_MAP.md").read_text().splitlines() if line.startswith("|")]
TESTS_NAMED = sorted({found for line in LINES for found in re.findall(r"`(test_\w+\.py)::(\w+)`", line)})
NAMES = sorted({name for line in LINES for name in re.findall(r"`([a-z_]+(?:\.\w+)+)`", line) if name[-3:] != ".py"})


def exists(name: str) -> bool:
    parts = name.split(".")
    for n_packages in range(len(parts), 0, -1):
        try:
            module = import_module(".".join(["hrsnn", *parts[:n_packages]]))
        except ModuleNotFoundError:
            continue
        missing = object()
        return reduce(lambda of, part: getattr(of, part, missing), parts[n_packages:], module) is not missing
    return False


@pytest.mark.parametrize("name", NAMES)
def test_functions_exist(name: str) -> None:
    assert exists(name)


@pytest.mark.parametrize(("file", "name"), TESTS_NAMED)
def test_tests_exist(file: str, name: str) -> None:
    assert f"def {name}(" in (TESTS / file).read_text()


def test_the_map_was_read() -> None:
    assert len(NAMES) > 50
    assert len(TESTS_NAMED) > 50
    assert not exists("pruning.nothing.of_this_name")
