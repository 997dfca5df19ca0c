"""Pruning in reports: the section of a run, its table and sentences, and the page of `hrsnn prune`."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hrsnn._checks import InputError
from hrsnn.console import pruning_text, summary_text
from hrsnn.report import found, write_document, write_report
from hrsnn.report.parts.page import render_page
from hrsnn.report.pruned import gap_kept, of_equal_size, pruned_of
from hrsnn.report.pruning import findings, page
from hrsnn.report.source import Key, Results, read_run
from synthetic_run import write_run
from test_report import EVIL, Page, edited

LNP = Key("HeNHeS", "pruned", "lnp")
N_ITERATIONS = 10


def results_of(path: Path, edit: Any = None, **options: Any) -> Results:
    run = write_run(path / "run", pruned=True, **options)
    values = json.loads((run / "results.json").read_text())
    if edit is not None:
        edit(values)
    return read_run(run, values)


def texts(results: Results) -> list[str]:
    return [finding.text for finding in found(results)]


# -- the report of a run -----------------------------------------------------------------------------------------------


def test_ratios_are_dense_over_pruned(tmp_path: Path) -> None:
    one = pruned_of(results_of(tmp_path))[0]
    assert one.key == LNP
    assert one.dense == Key("HeNHeS")
    assert one.n_neurons == (500.0, 450.0)
    assert one.n_synapses == (19_002.0, 952.0)
    assert one.fewer_recurrent == pytest.approx(38 / 2)
    recurrent = 11.1 * 500  # per synapse of a neuron, see synthetic_run
    assert one.fewer_synops == pytest.approx((38 * recurrent + 41_200) / (2 * recurrent + 41_200))


def test_findings_tell_size_operations_cost_and_what_recurrence_keeps(tmp_path: Path) -> None:
    results = results_of(tmp_path)
    said = texts(results)
    (size,) = [text for text in said if "keeps 450 of 500 neurons" in text]
    assert "952 of 19,002 recurrent synapses" in size
    assert "19 times fewer recurrent operations" in size
    assert size.endswith("Random and weight-proportional left exactly as many neurons and synapses.")
    assert any(text.startswith("Pruning (lnp) ") for text in said)
    (rather,) = [text for text in said if text.startswith("Pruning by lnp rather than random gains ")]
    assert "HeNHeS, pruned (lnp) against HeNHeS, pruned (random); 5 paired seeds" in rather
    share = gap_kept(results, pruned_of(results)[0], "accuracy")
    means = {row.key: row.metrics["accuracy"].mean or 0.0 for row in results.rows}
    none = means[Key("HeNHeS", "control", "no-recurrence")]
    assert share == pytest.approx((means[LNP] - none) / (means[Key("HeNHeS")] - none))
    assert any(f"keep on average: lnp {100 * (share or 0):.0f} %, random" in text for text in said)


def test_where_recurrence_adds_nothing_pruning_is_not_judged(tmp_path: Path) -> None:
    def without_gap(values: Any) -> None:
        for c in values["comparisons"]:
            if (c["a"], c["b"]) == ("HeNHeS", "HeNHeS/control/no-recurrence"):
                c.update(diff=0.001, ci95=[-0.02, 0.02])

    results = results_of(tmp_path, without_gap)
    assert gap_kept(results, pruned_of(results)[0], "accuracy") is None
    assert "Recurrence adds nothing measurable here, so this task cannot tell good pruning from bad." in texts(results)
    assert not any("keep on average" in text for text in texts(results))


def test_the_first_method_of_the_config_is_held_against_the_others(tmp_path: Path) -> None:
    def reordered(values: Any) -> None:
        others = ("HeNHeS/pruned/lnp", "HeNHeS/pruned/weight-proportional")
        pruned = [c for c in values["comparisons"] if c["a"] == "HeNHeS/pruned/random"]
        values["comparisons"] = [
            *pruned,
            *({**pruned[0], "b": other} for other in others),
            *(c for c in values["comparisons"] if not (c["a"] in others and "pruned" in c["b"]) and c not in pruned),
        ]

    results = results_of(tmp_path, reordered)
    assert [str(one.key.method) for one in pruned_of(results)] == ["random", "lnp", "weight-proportional"]
    said = texts(results)
    assert any(text.startswith("Pruning by random rather than lnp ") for text in said)
    assert any(text.startswith("Pruning by random rather than weight-proportional ") for text in said)


def test_another_size_is_told(tmp_path: Path) -> None:
    def smaller(values: Any) -> None:
        for o in values["outcomes"]:
            if o["method"] == "random":
                o["network"]["n_recurrent_synapses"] -= 1

    results = read_run(edited(write_run(tmp_path / "run", pruned=True), smaller))
    assert not of_equal_size(results, LNP, Key("HeNHeS", "pruned", "random"))
    said = texts(results)
    assert any("Weight-proportional left exactly as many" in text for text in said)
    assert any("rather than random gains" in text and "whose size is another" in text for text in said)


def test_the_section_stands_in_the_report_only_where_something_was_pruned(tmp_path: Path) -> None:
    page = Page(write_report(write_run(tmp_path / "with", pruned=True)))
    order = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    assert order.index("pruning") == order.index("comparisons") + 1
    figure = page.figures["figure-pruning-1"]
    names = [note["text"] for note in figure["layout"]["annotations"]]
    assert names == ["unpruned", "lnp", "random", "weight-proportional"]
    assert [trace["x"][0] for trace in figure["data"]] == [pytest.approx(11.1 * 500 * n) for n in (38, 2, 2, 2)]
    assert [shape["type"] for shape in figure["layout"]["shapes"]] == ["rect", "line"]  # without recurrence
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert "pruning" not in Page(write_report(write_run(tmp_path / "without"))).ids


def test_with_one_seed_and_without_details_it_still_stands(tmp_path: Path) -> None:
    page = Page(write_report(write_run(tmp_path / "run", pruned=True, n_seeds=1, details=False)))
    assert "pruning" in page.ids
    assert "keep on average" not in page.words  # without an interval nothing is known of recurrence


def test_the_table_on_standard_output_has_the_savings(tmp_path: Path) -> None:
    lines = summary_text(results_of(tmp_path)).splitlines()
    assert lines[0].rstrip().endswith("fewer recurrent ops   fewer ops")
    (lnp,) = [line for line in lines if line.startswith("HeNHeS, pruned (lnp)  ")]
    assert lnp.split()[-2:] == ["19×", "4.82×"]
    (dense,) = [line for line in lines if line.startswith("HeNHeS  ")]
    assert "×" not in dense
    plain = summary_text(read_run(write_run(tmp_path / "plain")))
    assert "fewer" not in plain.splitlines()[0]


# -- the page of hrsnn prune -------------------------------------------------------------------------------------------


def pruning_document(**changes: Any) -> dict[str, Any]:
    """The document of an invented network that was pruned in ten iterations to a twentieth of its synapses."""
    rng = np.random.default_rng(0)
    share = np.arange(N_ITERATIONS + 1) / N_ITERATIONS
    n_synapses = np.round(10_600 * 0.05**share).astype(int).tolist()
    before = portrait(500, 10_600, rate=15.0, exponent=-0.021)
    after = portrait(400, 530, rate=17.0, exponent=-0.023)
    tau = histogram(rng.gamma(2, 10, 400), rng.gamma(2, 9, 320))
    weight = {**histogram(rng.normal(-1, 0.4, 8000), rng.normal(0.3, 0.4, 400)), "log10": True}
    document = {
        "schema": "hrsnn.pruning/1", "created": "2026-11-21T18:00:00+00:00", "name": "HeNHeS",
        "versions": {"hrsnn": "0.3.0"}, "seed": 0, "drive_hz": 20.0, "method": "lnp",
        "settings": {"keep_synapses": 0.05},
        "stopped": None, "before": before, "after": after,
        "trajectory": {
            "n_neurons": np.round(500 * 0.8**share).astype(int).tolist(), "n_synapses": n_synapses,
            "mean_rate_hz": (15 + 2 * share).tolist(), "synops_recurrent_per_s": [15.0 * n for n in n_synapses],
            "synops_input_per_s": (36_000 * 0.8**share).tolist(),
            "weight_quantiles": {q: (w * 20**share).tolist() for q, w in (("0.25", 0.05), ("0.5", 0.3), ("0.95", 1.0))},
        },
        "lyapunov": {
            "before_per_ms": [-0.021 - 0.001 * k for k in range(64)],
            "after_per_ms": [-0.023 - 0.001 * k for k in range(50)], "surrogate_gain": 3.0,
        },
        "histograms": {
            "tau_mem_ms_excitatory": tau, "tau_mem_ms_inhibitory": tau, "weight_excitatory": weight,
            "rate_hz": histogram(rng.lognormal(2, 1, 500), rng.lognormal(2, 1, 400)),
        },
        "warnings": ["Something odd"],
    }  # fmt: skip
    return {**document, **changes}


def portrait(n_neurons: int, n_synapses: int, *, rate: float, exponent: float) -> dict[str, Any]:
    recurrent = n_synapses * rate
    return {
        "n_neurons": n_neurons, "n_excitatory": 400, "n_recurrent_synapses": n_synapses, "n_input_synapses": 3575,
        "hash": f"{n_synapses:064x}", "mean_rate_hz": rate, "silent_share": 0.1, "synops_recurrent_per_s": recurrent,
        "synops_input_per_s": 36_000.0, "synops_per_s": recurrent + 36_000, "footprint_bytes": 8 * n_synapses,
        "lyapunov_max_per_ms": exponent,
    }  # fmt: skip


def histogram(before: Any, after: Any) -> dict[str, Any]:
    edges = np.histogram_bin_edges(np.concatenate([before, after]), bins=40)
    counts = {name: np.histogram(v, edges)[0].tolist() for name, v in (("before", before), ("after", after))}
    return {"edges": edges.tolist(), **counts}


def said_of(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding.kind, finding.text) for finding in findings(document)]


def test_page_has_its_sections_and_loads_nothing(tmp_path: Path) -> None:
    path = write_document(pruning_document(), tmp_path / "pruning.html")
    page = Page(path)
    order = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    assert order == [
        "found", "before-and-after", "trajectory", "along", "spectra", "time-constants", "weights", "warnings",
        "settings", "versions", "reproduce",
    ]  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["pruning.html"]
    assert "default-src 'none'" in path.read_text("utf-8")
    assert "on every input channel, 20 Hz" in path.read_text("utf-8")
    assert not [attrs for _, attrs in page.tags if {"src", "href"} & attrs.keys()]
    for figure in page.figures.values():
        assert figure["layout"]["xaxis"]["title"]["text"]
        assert figure["layout"]["yaxis"]["title"]["text"]


def test_the_trajectory_is_drawn_in_shares_of_the_start() -> None:
    figures = {s.id: [json.loads(f.json) for f in s.figures] for s in page(pruning_document()).sections}
    neurons, synapses = figures["trajectory"][0]["data"]
    assert neurons["y"][0] == synapses["y"][0] == 1.0
    assert (neurons["y"][-1], synapses["y"][-1]) == (pytest.approx(0.8), pytest.approx(0.05))
    assert synapses["customdata"][-1] == 530
    low, high = figures["trajectory"][0]["layout"]["yaxis"]["range"]
    assert low < math.log10(0.05) < 0 < high
    _, dense, pruned = figures["spectra"][0]["data"]
    assert (dense["name"], len(dense["x"]), pruned["name"], len(pruned["x"])) == ("dense", 64, "pruned", 50)
    before, after = figures["weights"][0]["data"]
    widths = np.diff(before["x"][1:])
    assert np.dot(before["y"][1:-1], widths) == pytest.approx(1.0, rel=1e-3)  # equal areas
    assert np.dot(after["y"][1:-1], widths) == pytest.approx(1.0, rel=1e-3)


def test_what_is_as_it_should_be_and_what_is_not() -> None:
    said = said_of(pruning_document())
    assert ("plain", "400 of 500 neurons and 530 of 10,600 recurrent synapses are left.") in said
    assert any("fall 17.6 times for recurrent ones, 4.33 times for all" in text for _, text in said)
    assert all(kind == "plain" for kind, _ in said)
    silent = pruning_document(after=portrait(400, 530, rate=2.0, exponent=0.01), stopped="the rate left 0.1-200 Hz.")
    kinds = [kind for kind, _ in said_of(silent)]
    assert kinds == ["plain", "plain", "loss", "loss", "open"]


def test_one_step_is_no_way() -> None:
    course = {name: [value[0], value[-1]] for name, value in pruning_document()["trajectory"].items() if name[0] != "w"}
    shown = {s.id for s in page(pruning_document(trajectory=course)).sections if not s.empty}
    assert shown == {"before-and-after", "spectra", "time-constants", "weights", "warnings", "settings"}


def test_settings_are_told_under_their_dotted_names() -> None:
    shown = render_page(page(pruning_document(settings={"keep_synapses": 0.05, "lnp": {"mode": "hm*w"}})))
    assert '<th scope="row">lnp.mode</th>' in shown


def test_nothing_is_needed_but_the_schema(tmp_path: Path) -> None:
    assert Page(write_document({"schema": "hrsnn.pruning/1"}, tmp_path / "p.html")).ids == {"found"}
    with pytest.raises(InputError, match=r"must be hrsnn\.pruning/1"):
        page({"schema": "hrsnn.pruning/2"})


@pytest.mark.parametrize("part", ["before", "after", "trajectory", "lyapunov", "histograms", "settings", "versions"])
def test_any_part_may_be_left_out(part: str) -> None:
    document = pruning_document()
    del document[part]
    render_page(page(document))


@pytest.mark.parametrize("text", EVIL)
def test_texts_cannot_run(text: str, tmp_path: Path) -> None:
    document = pruning_document(name=text, method=text, warnings=[text], settings={text: text}, stopped=text)
    page = Page(write_document(copy.deepcopy(document), tmp_path / "p.html"))
    assert not [attrs for tag, attrs in page.tags if tag in ("img", "b") or "onerror" in attrs]
    assert len(page.running) == 1


def test_the_table_of_the_verb() -> None:
    lines = pruning_text(pruning_document()).splitlines()
    assert lines[0] == "HeNHeS, pruned (lnp)"
    rows = {line.partition("  ")[0]: line.split() for line in lines[2:]}
    assert rows["recurrent synapses"][-3:] == ["10,600", "530", "20×"]
    assert rows["mean rate"][2:] == ["15", "17", "0.882×", "Hz"]
    assert rows["largest exponent"][2:5] == ["−0.021", "−0.023", "–"]
    assert lines[-1] == "Warning: Something odd."
