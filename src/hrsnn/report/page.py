"""A page: one self-contained HTML file of findings, sections with figures and tables, and what a template adds.

Everything in a page that may run is plotly.js and the few lines of `DRAW`; a content security policy with their digests
keeps any other script from running and the page from loading anything. Templates extend page.html.j2.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from hrsnn._checks import RunError
from hrsnn.network_file import write_atomically
from hrsnn.report.drawing import Figure
from hrsnn.report.findings import Finding
from hrsnn.report.tables import Table

DRAW = """
(() => {
  const plots = [...document.querySelectorAll("div.plot")];
  const config = {responsive: true, displaylogo: false,
                  modeBarButtons: [["toImage", "zoomIn2d", "zoomOut2d", "resetScale2d"]]};
  for (const plot of plots) {
    const spec = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    Plotly.newPlot(plot, spec.data, spec.layout, config);
  }
  const fit = (sizes) => plots.forEach((plot) => Plotly.relayout(plot, sizes(plot)));
  addEventListener("beforeprint", () => {
    document.body.classList.add("printing");
    fit((plot) => ({autosize: false, width: plot.clientWidth, height: plot.clientHeight}));
  });
  addEventListener("afterprint", () => {
    document.body.classList.remove("printing");
    fit(() => ({autosize: true, width: null, height: null}));
  });
})();
"""


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with what stands under it; a section with nothing under it does not appear."""

    id: str
    title: str
    caption: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    small: bool = False

    @property
    def empty(self) -> bool:
        return not (self.figures or self.tables)


def render_page(
    template: str, *, title: str, created: str, findings: Sequence[Finding], sections: Sequence[Section], **more: Any
) -> str:
    """The page as text; empty sections do not appear, `more` is for the template alone."""
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=FunctionLoader(_text), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    plotly_js: str = get_plotlyjs()
    shown = [section for section in sections if not section.empty]
    return environment.get_template(template).render(
        title=title,
        created=_when(created),
        findings=findings,
        sections=shown,
        has_figures=any(section.figures for section in shown),
        style=Markup(_text("style.css")),
        plotly_js=Markup(plotly_js),
        draw=Markup(DRAW),
        script_digests=Markup(" ".join(_digest(script) for script in (plotly_js, DRAW))),
        markup=Markup,
        **more,
    )


def replace_file(path: Path, page: str) -> Path:
    """Write `page` to `path` in one step; raises `RunError` when it cannot be written."""
    try:
        write_atomically(path, page.encode("utf-8", errors="replace"))  # a lone surrogate in a name becomes "?"
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}); make room or check permissions") from error
    return path


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _when(created: str) -> str:
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return created
    zone = moment.strftime(" %Z") if moment.tzinfo else ""
    return f"{moment.day} {moment.strftime('%B %Y, %H:%M')}{zone}"


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
