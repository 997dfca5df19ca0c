"""Print the tables of docs/explanation/pruning.md, as Markdown.

python scripts/pruning_tables.py docs/results/lnp.json [docs/results/lnp_variants.json]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from results_tables import table, with_interval

Found = dict[str, Any]


def name_of(setting: str) -> str:
    name, _, how = setting.partition(", ")
    name = {"mackey-glass": "mackey-glass-recurrent"}.get(name, name)
    return f"`{name}`" + (f", {how}" if how else "")


def signed(difference: Found) -> str:
    return with_interval(difference["mean"], difference["ci95"]).replace("-", "−")


def marked(difference: Found) -> str:
    """Bold where the interval is above zero."""
    text = signed(difference)
    return f"**{text}**" if difference["ci95"][0] > 0 else text


def recurrent_operations(found: Found, method: str) -> float:
    return float(np.mean([unit["costs"]["synops_recurrent"] for unit in found["raw"][method]]))


def tables_of(document: Found) -> Iterable[str]:
    """What recurrence is worth and what is kept, scores, differences, costs and rates, operations of each method."""
    settings = document["settings"]
    others = list(next(iter(settings.values()))["summary"]["lnp_better_than"])
    rows = {name_of(setting): (found, found["summary"]) for setting, found in settings.items()}
    yield table(
        ["setting", "seeds", "gap of recurrence", "kept by lnp", "lnp − unpruned"],
        [
            [name, str(len(found["seeds"])), signed(s["gap"]), f"{100 * s['share_of_gap_kept']['lnp']:.0f} %",
             signed(s["lnp_minus_unpruned"])]
            for name, (found, s) in rows.items()
        ],
    )  # fmt: skip
    methods = ["unpruned", "no-recurrence", "lnp", *others]
    yield table(
        ["setting", "score", "unpruned", "no recurrence", "lnp", *others],
        [
            [name, {"rmse": "RMSE"}.get(found["metric"], found["metric"]), *(f"{s['mean'][m]:.3f}" for m in methods)]
            for name, (found, s) in rows.items()
        ],
    )
    yield table(
        ["setting", *others],
        [[name, *(marked(s["lnp_better_than"][m]) for m in others)] for name, (_, s) in rows.items()],
    )
    yield table(
        ["setting", "recurrent operations", "with the input", "rate, pruned / unpruned (least, median, most)",
         "largest exponent unpruned, lnp (per ms)", "within the bound", "below 0"],
        [
            [name, f"{s['synops_ratio']['recurrent']:.1f}×", f"{s['synops_ratio']['with_input']:.1f}×",
             ", ".join(f"{q:.2f}" for q in s["rate_ratio"]),
             f"{e['unpruned']:.4f}, {e['lnp']:.4f}".replace("-", "−"),
             f"{100 * e['share_near_unpruned']:.0f} %", f"{100 * e['share_negative']:.0f} %"]
            for name, (_, s) in rows.items()
            for e in [s["lyapunov_max_per_ms"]]
        ],
    )  # fmt: skip
    yield table(
        ["setting", *others],
        [
            [name, *(f"{recurrent_operations(found, m) / recurrent_operations(found, 'lnp'):.2f}" for m in others)]
            for name, (found, _) in rows.items()
        ],
    )


def table_of_variants(document: Found) -> str:
    settings = document["settings"]
    variants = next(iter(settings.values()))["mean"]
    return table(
        ["form", *(name_of(setting) for setting in settings)],
        [[variant, *(f"{found['mean'][variant]:.3f}" for found in settings.values())] for variant in variants],
    )


def main() -> None:
    for path in sys.argv[1:]:
        document = json.loads(Path(path).read_text())
        of_variants = document["schema"].startswith("hrsnn.pruning-variants")
        for text in [table_of_variants(document)] if of_variants else tables_of(document):
            print(text, end="\n\n")


if __name__ == "__main__":
    main()
