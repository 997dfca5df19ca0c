"""Reports: self-contained HTML pages of what a command measured, one module for each kind of document.

Such a module has a function `page`, from the document to a `Page`, and stands in `DOCUMENTS`; what pages are made of is
`parts`. The report of a run: what is read is `source`, what is said `verdict` and `findings`, what is shown `figures`,
`tradeoff` and `tables`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from hrsnn._checks import require
from hrsnn.report.findings import found
from hrsnn.report.parts.page import write_page
from hrsnn.report.parts.words import Finding
from hrsnn.report.run import write_report
from hrsnn.report.source import parse_results
from hrsnn.vocabulary import ANALYSIS, ATLAS, BENCH, CLAIMS, PRUNING, REPRODUCTION, RESULTS, SEARCH, SEARCHES

__all__ = ["DOCUMENTS", "Finding", "found", "parse_results", "write_document", "write_report"]

DOCUMENTS = {
    RESULTS.text: "run", ANALYSIS.text: "analysis", PRUNING.text: "pruning", BENCH.text: "bench", CLAIMS.text: "claims",
    REPRODUCTION.text: "reproduced", SEARCH.text: "search", SEARCHES.text: "searches", ATLAS.text: "atlas",
}  # fmt: skip


def write_document(document: Mapping[str, Any], path: Path) -> Path:
    """Write the page of a document that a command gives with `--json` to `path`, complete in itself; return the path.

    Raises `InputError` for a document of another schema, `RunError` when the page cannot be written.
    """
    schema = document.get("schema")
    require(schema in DOCUMENTS, "write_document", "schema", f"must be one of {', '.join(DOCUMENTS)}", schema)
    return write_page(import_module(f"hrsnn.report.{DOCUMENTS[str(schema)]}").page(document), path)
