"""Sphinx: `pip install '.[docs]' && sphinx-build -W docs docs/_build`."""

from __future__ import annotations

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
    app.connect("autodoc-process-docstring", plain_docstring)
    app.add_html_math_renderer("mathml", inline_renderers=(mathml, None), block_renderers=(mathml, None))
