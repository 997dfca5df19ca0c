"""A page: one self-contained HTML file of what was found, its sections, and the figures and tables in them.

plotly.js (its bundle of cartesian charts) and the figures are in the page as gzip in base64; the browser unpacks them.
What may run is plotly.js and the few lines of `DRAW`: a content security policy with their digests keeps any other
script from running and the page from loading anything.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from hrsnn._checks import RunError
from hrsnn.network_file import write_atomically
from hrsnn.report.parts.drawing import Figure
from hrsnn.report.parts.table import Cell, Table, named
from hrsnn.report.parts.words import Finding

PLOTLY = "plotly-cartesian.min.js.gz"  # NOTICE tells where it is from

# A figure in a folded section is drawn when the section is opened: before, it has no size.
DRAW = """
(async () => {
  const unpacked = async (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const plotly = document.createElement("script");
  plotly.textContent = await unpacked("plotly");
  document.head.append(plotly);
  const specs = JSON.parse(await unpacked("figures"));
  const phone = matchMedia("(max-width: 600px)");
  const config = {responsive: true, displaylogo: false,
                  modeBarButtons: [["toImage", "zoomIn2d", "zoomOut2d", "resetScale2d"]]};
  const draw = (plot) => {
    const {data, layout, narrow} = specs[plot.dataset.figure];
    Plotly.react(plot, data, {...layout, ...(phone.matches ? narrow : {})}, config);
  };
  const drawn = () => [...document.querySelectorAll(".js-plotly-plot")];
  const within = (part) => part.querySelectorAll(".plot:not(.js-plotly-plot)").forEach(
    (plot) => plot.closest("details:not([open])") || draw(plot));
  within(document);
  document.querySelectorAll("details").forEach((part) => part.addEventListener("toggle", () => within(part)));
  phone.addEventListener("change", () => drawn().forEach(draw));
  const fit = (sizes) => drawn().forEach((plot) => Plotly.relayout(plot, sizes(plot)));
  addEventListener("beforeprint", () => {
    document.body.classList.add("printing");
    fit((plot) => ({autosize: false, width: plot.clientWidth, height: plot.clientHeight}));
  });
  addEventListener("afterprint", () => {
    document.body.classList.remove("printing");
    fit(() => ({autosize: true, width: null, height: null}));
  });
})().catch(() => document.body.classList.add("undrawn"));
"""


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with what stands under it; a section with nothing but a caption under it does not appear.

    `folded` ones show their title alone until they are opened; `small` figures stand beside each other; figures and
    tables that are None do not appear; `items` is a list, `code` a text to be typed or read as it is, `paragraphs`
    stand before all these.
    """

    id: str
    title: str
    caption: str = ""
    figures: Iterable[Figure | None] = ()
    tables: Iterable[Table | None] = ()
    small: bool = False
    paragraphs: Sequence[str] = ()
    items: Sequence[Cell] = ()
    findings: Sequence[Finding] = ()
    code: str = ""
    folded: bool = True

    def __post_init__(self) -> None:
        for name in ("figures", "tables"):
            object.__setattr__(self, name, tuple(one for one in getattr(self, name) if one is not None))

    @property
    def empty(self) -> bool:
        return not (self.figures or self.tables or self.paragraphs or self.items or self.findings or self.code)


@dataclass(frozen=True, slots=True)
class Page:
    """The whole of it: `kind` is the command, `facts` are lines below the title, `key` explains marks.

    `verdict` are sentences in large type, `found` a list of findings; a page has the one or the other. `again` is what
    is said of `code`, which gives the same numbers with these `versions`.
    """

    kind: str
    title: str
    sections: Sequence[Section]
    created: str = ""
    facts: Sequence[str] = ()
    verdict: Sequence[str] = ()
    found: Sequence[Finding] = ()
    key: str = ""
    versions: Mapping[str, Any] = field(default_factory=dict)
    again: str = ""
    code: str = ""

    @property
    def lines(self) -> list[str]:
        """The facts, the first after the date."""
        first, *rest = self.facts or ("",)
        return [line for line in (" · ".join(filter(None, (_when(self.created), first))), *rest) if line]

    @property
    def shown(self) -> list[Section]:
        """The sections that hold something, at the end versions and what to type for the same numbers."""
        versions = Section("versions", "Versions", tables=[named(self.versions, "package", "version")])
        end = versions, Section("reproduce", "How to reproduce", self.again, code=self.code)
        return [section for section in (*self.sections, *end) if not section.empty]


def warnings_of(sentences: Sequence[Any], title: str = "Warnings") -> Section:
    """The section of warnings, which tells their number while it is folded."""
    items = tuple(one if isinstance(one, Cell) else Cell(str(one)) for one in sentences)
    return Section("warnings", f"{title} ({len(items)})", items=items)


def render_page(page: Page) -> str:
    """The page as text; empty sections do not appear."""
    environment = Environment(
        loader=FunctionLoader(_text), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    figures = [figure for section in page.shown for figure in section.figures if figure]
    script, packed = _plotly() if figures else ("", "")
    marked = {
        "style": _text("style.css"), "plotly": packed, "draw": DRAW,
        "figures": _packed(f"[{','.join(figure.json for figure in figures)}]".encode()) if figures else "",
        "script_digests": " ".join(_digest(script) for script in (script, DRAW)),
    }  # fmt: skip
    return environment.get_template("page.html.j2").render(
        page=page, sections=page.shown, number_of=[id(figure) for figure in figures].index, id=id,
        **{name: Markup(text) for name, text in marked.items()},
    )  # fmt: skip


def write_page(page: Page, path: Path) -> Path:
    """Write `page` to `path` in one step; raises `RunError` when it cannot be written."""
    try:
        # a lone surrogate in a name becomes "?"
        write_atomically(path, render_page(page).encode("utf-8", errors="replace"))
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}); make room or check permissions") from error
    return path


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _plotly() -> tuple[str, str]:
    """The script as it runs, and as it stands in the page."""
    packed = resources.files(__package__).joinpath(PLOTLY).read_bytes()
    return gzip.decompress(packed).decode(), base64.b64encode(packed).decode()


def _packed(text: bytes) -> str:
    return base64.b64encode(gzip.compress(text, mtime=0)).decode()


def _when(created: str) -> str:
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return created
    zone = moment.strftime(" %Z") if moment.tzinfo else ""
    return f"{moment.day} {moment.strftime('%B %Y, %H:%M')}{zone}"


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
