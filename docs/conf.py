"""Sphinx: `pip install '.[docs]' && sphinx-build -W docs docs/_build`."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util.logging import getLogger

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
html_math_renderer = "mathml"

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True


ENTRY = re.compile(r"(\S.*?)\s{2,}(\S.*)")  # a line of a table of arguments: name, some spaces, what it is
PLAIN = re.compile(r"`([^`]+)`|(?:docs/([\w/-]+)|(?<![/\w])method)\.md|[*|_\\`]")


def docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text for people; here they become reStructuredText, block by block."""
    blocks = [block.splitlines() for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))]
    lines[:] = [line for block in blocks for line in [*as_markup(block), ""]]


def as_markup(block: list[str]) -> list[str]:
    """An example or a formula as it is, a table of arguments as definitions, a list, or a paragraph."""
    if block[0].startswith(">>>"):
        return block
    if block[0].startswith("  "):
        return [".. code-block:: text", "", *(f"    {line}" for line in block)]
    items: list[str] = []
    for line in block:
        if line.startswith(" ") or not (ENTRY.fullmatch(line) or line.startswith("* ") or not items):
            items[-1] += f" {line.strip()}"
        else:
            items.append(line)
    markup = []
    for item in items:
        if entry := ENTRY.fullmatch(item):
            markup += [f"``{entry[1]}``", f"    {escaped(entry[2])}", ""]
        elif item.startswith("* "):
            markup.append(f"* {escaped(item[2:])}")
        else:
            markup += [escaped(item), ""]
    return markup


def escaped(text: str) -> str:
    """Plain text in which names in backticks are code and pages of the documentation are links."""

    def marked(found: re.Match[str]) -> str:
        if found[1]:
            return rf"\ ``{found[1]}``\ "
        if found[0].endswith(".md"):
            return rf"\ :doc:`{found[0]} </{found[2] or 'reference/method'}>`\ "
        return rf"\{found[0]}"

    return PLAIN.sub(marked, " ".join(text.split()))


def mathml(translator: Any, node: nodes.Element) -> None:
    """A formula as MathML, which browsers draw by themselves: pages open without a network, and without scripts."""
    block = isinstance(node, nodes.math_block)
    try:
        formula = tex2mathml(node.astext(), as_block=block)
    except MathError as error:
        getLogger("mathml").warning("no MathML of %s: %s", node.astext(), error, location=node)
        formula = escape(node.astext())
    translator.body.append(f'<div style="overflow-x: auto; padding: 0.5em 0">{formula}</div>' if block else formula)
    raise nodes.SkipNode


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", docstring)
    app.add_html_math_renderer("mathml", inline_renderers=(mathml, None), block_renderers=(mathml, None))
