"""Numbers that point into docs/reference/method.md point at something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
METHOD = (ROOT / "docs/reference/method.md").read_text(encoding="utf-8")
ITEMS = set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?)\b", METHOD, flags=re.MULTILINE))
CHECKS = set(re.findall(r"^\| (\d+) \|", METHOD[METHOD.index("## 17.") :], flags=re.MULTILINE))

_NUMBER = r"\d+(?:\.\d+)?"
_GAP = r"[\s#*]+"  # a citation may go on in the next line of a comment
_CITATION = re.compile(rf"method\.md{_GAP}({_NUMBER}(?:(?:,{_GAP}|{_GAP}and{_GAP}|-){_NUMBER})*)")
_CHECK = re.compile(
    r"acceptance checks? (\d+)|check (\d+) of (?:method\.md )?17|method\.md 17, check (\d+)", re.IGNORECASE
)
_KEPT_ELSEWHERE = re.compile(r"\b(?:MATH|DESIGN|STYLE)\.md\b")

FILES = sorted(
    path
    for folder in ("src", "tests", "docs", "benchmarks", "examples", "scripts")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".md", ".toml", ".json"} and "_build" not in path.parts and path != Path(__file__)
)
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in [*FILES, *ROOT.glob("*.md")]}


def cited(text: str) -> list[str]:
    """Numbers of items that a text cites; of a range both ends."""
    return [number for found in _CITATION.finditer(text) for number in re.findall(_NUMBER, found[1])]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("the rule (method.md 4.2).", ["4.2"]),
        ("method.md 2.5, 3.3-3.5, 4.4 and 5.2.", ["2.5", "3.3", "3.5", "4.4", "5.2"]),
        ("docs/reference/method.md 15.7, G1", ["15.7"]),
        ("# as in method.md\n    # 12.1, E", ["12.1"]),
        ("see method.md", []),
    ],
)
def test_citations_are_found(text: str, numbers: list[str]) -> None:
    assert cited(text) == numbers


def test_cited_items_exist() -> None:
    missing = [(name, number) for name, text in TEXTS.items() for number in cited(text) if number not in ITEMS]
    assert not missing
    assert sum(len(cited(text)) for text in TEXTS.values()) > 100


def test_items_of_the_map_exist() -> None:
    rows = re.findall(r"^\| (\d[\d., F]*) \|", TEXTS["docs/PAPER_MAP.md"], flags=re.MULTILINE)
    numbers = [number for row in rows for number in re.findall(rf"(?<!F){_NUMBER}", row)]
    assert len(rows) > 50
    assert set(numbers) <= ITEMS


def test_cited_checks_exist() -> None:
    found = [number for text in TEXTS.values() for groups in _CHECK.findall(text) for number in groups if number]
    assert len(found) > 10
    assert set(found) <= CHECKS


def test_items_stand_once_and_in_order() -> None:
    numbers = re.findall(r"^#{2,3} (\d+(?:\.\d+)?)\b", METHOD, flags=re.MULTILINE)
    assert numbers == sorted(set(numbers), key=lambda number: [int(part) for part in number.split(".")])


def test_nothing_refers_to_what_is_not_here() -> None:
    assert not [(name, found[0]) for name, text in TEXTS.items() for found in _KEPT_ELSEWHERE.finditer(text)]
