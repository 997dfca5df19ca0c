"""Sphinx: `pip install '.[docs]' && sphinx-build -W docs docs/_build`."""

from __future__ import annotations

from typing import Any

from hrsnn import __version__

project = "hrsnn"
author = "The hrsnn developers"
copyright = "The hrsnn developers"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"hrsnn {release}"

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True


def plain_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text for people: the first paragraph as it is, the rest with its line breaks."""
    end = lines.index("") if "" in lines else len(lines)
    head, rest = lines[:end], lines[end:]
    while rest and not rest[-1].strip():
        rest.pop()
    lines[:] = [line.replace("`", "``").replace("*", r"\*").replace("|", r"\|") for line in head]
    if rest:
        lines += ["", "::", "", *(f"    {line}" for line in rest)]
    lines.append("")


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", plain_docstring)
