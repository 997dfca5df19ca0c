"""Pictures of pages in a real browser, and what is wrong with them.

    python scripts/look.py FOLDER PAGE.html...
    python scripts/look.py --picture docs/images/report.png runs/spoken-digits-1/report.html

Every page is opened without a network at 390 and 1200 pixels, as it opens and with every folded part opened, and
printed as it opens. Writes FOLDER/<page>-<width>[-open].png and FOLDER/<page>.pdf. Exit code 1 when a page asks for
anything, reports an error, leaves a figure undrawn, is wider than the window, holds something that scrolls sideways,
is larger than 1 MB or longer than 6 printed pages.

The second line makes the picture in README.md: a page as it opens, without the table and what is below it.

Needs `pip install playwright` and a Chromium: its own, or the one of the system.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WIDTHS_PX = (390, 1200)
MAX_BYTES, MAX_PRINTED = 1_000_000, 6
WIDE = """() => [...document.querySelectorAll("body, body *")]
  .filter((e) => !e.closest(".plot") && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1)
  .map((e) => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + " " + e.scrollWidth + " > " + e.clientWidth)"""
OPEN = "() => document.querySelectorAll('details').forEach((part) => { part.open = true; })"
UNDRAWN = """() => [...document.querySelectorAll(".plot:not(.js-plotly-plot)")]
  .filter((plot) => !plot.closest("details:not([open])")).length"""


def faults(browser: Any, page_path: Path, folder: Path) -> Iterator[str]:
    """What is wrong with a page; pictures of it are left in `folder`."""
    size = page_path.stat().st_size
    if size > MAX_BYTES:
        yield f"{size:,} bytes"
    for width in WIDTHS_PX:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        page = context.new_page()
        said: list[str] = []
        page.on("request", lambda r, said=said: said.append(f"asks for {r.url}") if r.url[:4] == "http" else None)
        page.on("console", lambda m, said=said: said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.goto(page_path.resolve().as_uri())
        for state in ("", "-open"):
            if state:
                page.evaluate(OPEN)
            page.wait_for_timeout(2500)
            name = f"{page_path.parent.name}-{page_path.stem}-{width}{state}"
            page.screenshot(path=folder / f"{name}.png", full_page=True)
            undrawn = page.evaluate(UNDRAWN)
            said += [f"{undrawn} figures not drawn"] if undrawn else []
            said += [f"wider than it should be: {what}" for what in page.evaluate(WIDE)]
            if not state and width == WIDTHS_PX[-1]:
                printed = page.pdf(
                    path=folder / f"{page_path.parent.name}-{page_path.stem}.pdf", prefer_css_page_size=True
                )
                pages = len(re.findall(rb"/Type\s*/Page\b", printed))
                said += [f"{pages} printed pages"] if pages > MAX_PRINTED else []
        context.close()
        yield from (f"{width} px: {what}" for what in dict.fromkeys(said))


def picture(browser: Any, page_path: Path, out: Path) -> None:
    """A page as it opens, down to its first table."""
    page = browser.new_page(viewport={"width": 1040, "height": 900})
    page.goto(page_path.resolve().as_uri())
    page.wait_for_timeout(2500)
    below = page.locator("section:has(table)").first.bounding_box()
    page.screenshot(path=out, full_page=True, clip={"x": 0, "y": 0, "width": 1040, "height": below["y"] - 24})


def main(folder: str, *pages: str) -> int:
    from playwright.sync_api import sync_playwright

    if folder == "--picture":
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            picture(browser, Path(pages[1]), Path(pages[0]))
        return 0
    Path(folder).mkdir(parents=True, exist_ok=True)
    wrong = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in pages:
            found = list(faults(browser, Path(name), Path(folder)))
            print(f"{name}: {'; '.join(found) or 'nothing wrong'}")
            wrong += bool(found)
        browser.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} FOLDER PAGE.html... or --picture OUT.png PAGE.html")
    sys.exit(main(*sys.argv[1:]))
