"""Reports: self-contained HTML pages of what a command measured, one module for each kind of document.

What they are made of: `parts`. The report of a run: what is read is `source`, what is said `verdict` and `findings`,
what is shown `figures` and `tables`.
"""

from hrsnn.report.findings import found
from hrsnn.report.parts.words import Finding
from hrsnn.report.run import write_report
from hrsnn.report.source import parse_results

__all__ = ["Finding", "found", "parse_results", "write_report"]
