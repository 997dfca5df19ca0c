"""Print the means and the paired comparisons of a results.json, or other results, as Markdown, as docs/ has them.

python scripts/results_tables.py docs/results/hd-spikes.json [METRIC ...]
python scripts/results_tables.py docs/results/atlas.json
python scripts/results_tables.py docs/results/arms_searched.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

COSTS = ("spikes_per_neuron", "synops_input", "synops_recurrent")


def label(row: dict[str, Any]) -> str:
    return "/".join(part for part in (row["arm"], row["method"] and f"{row['stage']}/{row['method']}") if part)


def with_interval(value: float | None, interval: list[float] | None, digits: int = 3) -> str:
    if value is None:
        return "–"
    bounds = "" if interval is None else f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
    return f"{value:.{digits}f}{bounds}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def means(results: dict[str, Any], metrics: list[str]) -> str:
    costs = [cost for cost in COSTS if any(cost in row["costs"] for row in results["summary"])]
    rows = []
    for row in results["summary"]:
        found = [row["metrics"].get(metric, {"mean": None, "ci95": None}) for metric in metrics]
        spent = [row["costs"].get(cost, {"mean": None})["mean"] for cost in costs]
        rows.append(
            [label(row), *(with_interval(m["mean"], m["ci95"]) for m in found)]
            + ["–" if value is None else f"{value:,.1f}" for value in spent]
        )
    return table(["arm", *metrics, *costs], rows)


def comparisons(results: dict[str, Any], metrics: list[str]) -> str:
    rows = [
        [f"{c['a']} − {c['b']}", c["metric"], with_interval(c["diff"], c["ci95"]), str(c["n_pairs"])]
        for c in results["comparisons"]
        if c["metric"] in metrics
    ]
    return table(["difference", "metric", "mean [95 %]", "seeds"], rows)


def atlas(document: dict[str, Any]) -> str:
    """The advice as a list, and the map: effects, half the width of their intervals, in bold what is certain."""
    from hrsnn.report.atlas import findings

    cells = {(cell["condition"], cell["kind"]): cell for cell in document["cells"]}
    kinds = [kind for kind in document["kinds"] if any(kind["name"] == of for _, of in cells)]

    def written(cell: dict[str, Any] | None) -> str:
        if cell is None or cell["verdict"] == "no answer":
            return "" if cell is None else "–"
        (low, high), effect = cell["shown"]["ci95"], f"{round(cell['shown']['effect'], 1) + 0.0:+.1f}".replace("-", "−")
        return f"{f'**{effect}**' if cell['survives_holm'] else effect} ± {(high - low) / 2:.1f}"

    rows = [
        [f"{one['group']}: {one['label']}", *(written(cells.get((one["name"], kind["name"]))) for kind in kinds)]
        for one in document["conditions"]
    ]
    advice = "\n".join(f"* {one.text}" for one in findings(document))
    return f"{advice}\n\n{table(['condition', *(kind['label'] for kind in kinds)], rows)}"


def searched(document: dict[str, Any]) -> str:
    """Of arms that were each searched: what was found against what the config has, and against the homogeneous one."""
    rows = []
    for task, told in document["tasks"].items():
        metric = told["metric"]
        for arm, found in told["found"].items():
            score, spikes, before = found[metric], found["spikes_per_neuron"], told["hand-set"][arm][metric]
            nothing = {"mean": None, "ci95": None}
            more, chosen = (found[name]["minus_HoNHoS"] or nothing for name in (metric, "validation"))
            rows.append([
                task, arm, with_interval(before["mean"], before["ci95"]), with_interval(score["mean"], score["ci95"]),
                with_interval(more["mean"], more["ci95"]), with_interval(chosen["mean"], chosen["ci95"]),
                ", ".join(f"{one:.3f}" for one in told["expected_of_searches"][arm]), f"{spikes['mean']:.1f}",
                f"{told['gap'][arm]:+.3f}, {told['gap_of_expected'][arm]:+.3f}",
            ])  # fmt: skip
    columns = [
        "as it was",
        "found",
        "found − HoNHoS found",
        "the same on validation",
        "expected of each search",
        "spikes per neuron",
        "gap of its trial, of what is expected",
    ]
    return table(["task", "arm", *columns], rows)


def main() -> None:
    path, *metrics = sys.argv[1:]
    results = json.loads(Path(path).read_text())
    if "cells" in results:
        print(atlas(results))
        return
    if "tasks" in results:
        print(searched(results))
        return
    wanted = metrics or [name for name in results["summary"][0]["metrics"] if name.startswith("accuracy")]
    print(means(results, wanted), comparisons(results, wanted), sep="\n\n")


if __name__ == "__main__":
    main()
