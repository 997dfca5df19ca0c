from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn._checks import FileError
from hrsnn.report import found, parse_results, tables, write_report
from hrsnn.report.parts.drawing import shown
from hrsnn.report.parts.labels import Box, Spot, placed
from hrsnn.report.source import Key, read_run
from hrsnn.report.verdict import verdict
from synthetic_run import write_run

EVIL = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "../../x",
    "<b>bold</b> & $x$ %{y}",
    "<!--<script>",
    "\ud800lone",
]


class Page(HTMLParser):
    """Tags with their attributes, the text of every script by its type, and the visible text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.cdata_elem == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        else:
            self.text.append(data)

    @property
    def ids(self) -> set[str]:
        return {attrs["id"] or "" for tag, attrs in self.tags if tag == "section"}

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    @property
    def running(self) -> list[str]:
        """The scripts that the browser runs."""
        return [text for attrs, text in self.scripts if "type" not in attrs]

    def unpacked(self, id: str) -> str:
        """The text that stands packed in the page."""
        (packed,) = [text for attrs, text in self.scripts if attrs.get("id") == id]
        return gzip.decompress(base64.b64decode(packed)).decode()

    @property
    def figures(self) -> dict[str, Any]:
        """The plotly figures by their section and place in it."""
        figures, found, section, places = json.loads(self.unpacked("figures")), {}, "", Counter[str]()
        for tag, attrs in self.tags:
            section = attrs["id"] or "" if tag == "section" else section
            if "data-figure" in attrs:
                places[section] += 1
                found[f"figure-{section}-{places[section]}"] = figures[int(attrs["data-figure"] or "")]
        return found

    @property
    def folded(self) -> set[str]:
        """The sections that are closed when the page opens."""
        return {a["id"] or "" for tag, a in self.tags if tag == "section" and a.get("class") == "folded"}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(write_run(tmp_path_factory.mktemp("full") / "run")))


def edited(run_dir: Path, edit: Any) -> Path:
    """`run_dir` after `edit` was applied to the object of its results.json."""
    path = run_dir / "results.json"
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))
    for row in values["outcomes"]:
        outcome = run_dir / "outcomes" / ("-".join(str(row[n]) for n in ("arm", "stage", "method", "seed")) + ".json")
        if outcome.exists():
            outcome.write_text(json.dumps({**json.loads(outcome.read_text()), **row}))
    return run_dir


# -- the page ----------------------------------------------------------------------------------------------------------


def test_all_sections_stand_in_their_order(full: Page) -> None:
    order = [attrs["id"] for tag, attrs in full.tags if tag == "section"]
    assert order == [
        "found", "tradeoff", "table", "answers", "arms", "metric", "comparisons", "costs", "raster",
        "laws", "weights", "rates", "learning",
        "confusion", "readout", "warnings", "config", "versions", "reproduce",
    ]  # fmt: skip


def test_a_verdict_a_figure_and_a_table_come_first_and_the_rest_is_folded(full: Page) -> None:
    assert full.ids - full.folded == {"found", "tradeoff", "table"}
    verdict = [a for tag, a in full.tags if tag == "p" and a.get("class") == "verdict"]
    assert 1 <= len(verdict) <= 3
    folded = [i for i, (tag, a) in enumerate(full.tags) if tag == "section" and a.get("class") == "folded"]
    assert all([tag for tag, _ in full.tags[i + 1 : i + 4]] == ["details", "summary", "h2"] for i in folded)
    assert not any("open" in attrs for tag, attrs in full.tags if tag == "details")


@pytest.mark.parametrize("forecast", [False, True])
def test_page_loads_nothing_and_is_small(tmp_path: Path, forecast: bool) -> None:
    path = write_report(write_run(tmp_path / "run", forecast=forecast, pruned=not forecast))
    text, page = path.read_text(encoding="utf-8"), Page(path)
    assert path.stat().st_size < 1_000_000
    for tag, attrs in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert not {"src", "href", "srcset"} & attrs.keys(), (tag, attrs)
        assert not [name for name in attrs if name.startswith("on")], (tag, attrs)
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert "default-src 'none'" in text


def test_only_the_two_scripts_named_by_their_digests_may_run(full: Page) -> None:
    policy = next(a["content"] or "" for t, a in full.tags if t == "meta" and "http-equiv" in a)
    (drawing,) = full.running
    for script in (full.unpacked("plotly"), drawing):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.count("'sha256-") == 2
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe" not in policy


def test_page_is_for_phones_and_paper_too(full: Page) -> None:
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in full.tags
    cells = [attrs for tag, attrs in full.tags if tag == "td"]
    assert cells
    assert all("data-name" in attrs for attrs in cells)  # what a cell is, where the head of its column is not shown


def test_hostile_texts_come_out_as_text(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", n_seeds=2, classes=EVIL)
    (run_dir / "config.toml").write_text("# </pre>" + EVIL[1])

    def edit(values: dict[str, Any]) -> None:
        values |= {"task": EVIL[0] + EVIL[1], "created": EVIL[1], "data": {EVIL[0]: EVIL[1]}}
        values["versions"] = {EVIL[0]: EVIL[1]}
        values["comparisons"].append({"a": EVIL[1], "b": EVIL[2], "metric": "accuracy", "diff": 0.1, "n_pairs": 2})
        values["summary"][0]["metrics"][EVIL[0]] = {"mean": 1.0, "ci95": None}
        values["summary"][0]["costs"]["energy_pj"] = {EVIL[0]: {"mean": 1.0}}
        for row in values["outcomes"] + values["summary"]:
            row["arm"] = EVIL[0] if row["arm"] == "HoNHeS" else row["arm"]
        for row in values["outcomes"]:
            row["warnings"] = [EVIL[1]]

    edited(run_dir, edit)
    for path in (run_dir / "outcomes").iterdir():
        values = json.loads(path.read_text())
        values["arm"] = EVIL[0] if values["arm"] == "HoNHeS" else values["arm"]
        values["details"]["readout"][EVIL[0]] = EVIL[1]
        if "raster" in values["details"]:
            values["details"]["raster"]["label"] = EVIL[0]
        path.write_text(json.dumps(values))
    page = Page(write_report(run_dir))
    assert len(page.running) == 1
    assert not [tag for tag, _ in page.tags if tag in ("img", "b")]
    assert page.words.count("alert(1)") > 5
    labels = page.figures["figure-confusion-1"]["layout"]["yaxis"]["ticktext"]
    assert labels[0].startswith("&lt;img")
    assert labels[2] == "../../x"
    for figure in page.figures.values():  # the only tags plotly sees are ours
        for tag in re.findall(r"<[^>]*>?", json.dumps(figure, ensure_ascii=False)):
            assert re.fullmatch(r"<br>|<span style=\\\"color:#6b6b6b;font-size:11px\\\">|</span>", tag), tag


def test_labels_are_short_escaped_and_no_mathematics() -> None:
    assert shown("<b>" * 20, 5) == "&lt;b&gt;&lt;…"
    assert shown("a\n b $x$") == "a b &#36;x&#36;"


def test_names_that_look_like_numbers_stay_names(tmp_path: Path) -> None:
    page = Page(write_report(write_run(tmp_path / "run", n_seeds=1, classes=["1", "1e3", "2026-01-01", "nan"])))
    axis = page.figures["figure-confusion-1"]["layout"]["xaxis"]
    assert axis["tickvals"] == [0, 1, 2, 3]
    assert axis["ticktext"] == ["1", "1e3", "2026-01-01", "nan"]


def test_confusion_rows_are_shares_summed_over_seeds(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", n_seeds=2)
    for path in (run_dir / "outcomes").glob("HeNHeS-trained*"):
        values = json.loads(path.read_text())
        values["details"] |= {"labels": [0, 0, 1], "predictions": [0, 1, 1], "class_names": ["a", "b", "c"]}
        path.write_text(json.dumps(values))
    heat = Page(write_report(run_dir)).figures["figure-confusion-1"]["data"][0]
    assert heat["z"] == [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [None, None, None]]
    assert heat["hovertext"][0][1].endswith("2 of 4")


def test_forecast_has_its_own_sections(tmp_path: Path) -> None:
    page = Page(write_report(write_run(tmp_path / "run", n_seeds=2, forecast=True)))
    assert {"forecast", "vpt"} <= page.ids
    assert not {"confusion", "raster"} & page.ids
    curves = page.figures["figure-forecast-1"]
    assert curves["layout"]["xaxis"]["title"]["text"] == "time (Lyapunov times)"
    assert curves["data"][0]["x"][-1] == pytest.approx(599 * 0.02 * 0.906, rel=1e-4)
    assert "valid prediction time" in page.words


def test_sections_without_data_do_not_appear(tmp_path: Path) -> None:
    page = Page(write_report(write_run(tmp_path / "bare", details=False, n_seeds=2)))
    assert page.ids == {
        "found", "tradeoff", "table", "answers", "arms", "metric", "comparisons", "costs", "warnings", "config",
        "versions", "reproduce",
    }  # fmt: skip
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "results.json").write_text('{"schema": "hrsnn.results/1"}')
    page = Page(write_report(empty))
    assert page.ids == {"found", "reproduce"}
    assert "plotly" not in (empty / "report.html").read_text().lower()


def test_nulls_nans_and_unknown_metrics_are_no_trouble(tmp_path: Path) -> None:
    def edit(values: dict[str, Any]) -> None:
        for row in values["summary"]:
            row["metrics"] |= {"accuracy_seen": None, "novel": {"mean": 2.0, "sd": None, "ci95": None}}
            row["costs"]["synops_recurrent"] = {"mean": None, "sd": None}
        for row in values["outcomes"]:
            row["metrics"] |= {"accuracy": None, "novel": float("nan")}
            row |= {"wall_s": None, "warnings": None, "network": None}
        values["comparisons"][0] |= {"diff": None, "ci95": None}
        values["comparisons"][1]["ci95"] = [None, None]

    run_dir = edited(write_run(tmp_path / "run", n_seeds=2), edit)
    for path in (run_dir / "outcomes").iterdir():
        values = json.loads(path.read_text())
        values["details"] = {**values["details"], "learning": None, "histograms": {"v_th": None}, "labels": []}
        path.write_text(json.dumps(values))
    page = Page(write_report(run_dir))
    assert "novel" in page.words
    assert not {"learning", "laws", "confusion"} & page.ids
    assert "NaN" not in json.dumps(page.figures)


def test_one_seed_has_no_interval_anywhere(tmp_path: Path) -> None:
    page = Page(write_report(write_run(tmp_path / "run", n_seeds=1)))
    assert "One seed gives no interval." in page.words
    assert "not yet a finding" in page.words
    assert "no interval, so no finding" in page.words
    assert not any(d["error_x"]["visible"] for d in page.figures["figure-comparisons-1"]["data"])


def test_report_is_replaced_in_one_step_and_the_same_each_time(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", n_seeds=1)
    first = write_report(run_dir).read_bytes()
    assert write_report(run_dir).read_bytes() == first
    assert sorted(p.name for p in run_dir.iterdir()) == ["config.toml", "outcomes", "report.html", "results.json"]


# -- what is wrong with a directory is said ----------------------------------------------------------------------------


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is not a directory; give"):
        write_report(tmp_path / "nowhere")
    run_dir = write_run(tmp_path / "run", n_seeds=1)
    results = (run_dir / "results.json").read_text()
    (run_dir / "results.json").unlink()
    with pytest.raises(FileError, match=r"results\.json is missing, so this is not a finished run; finish it with"):
        write_report(run_dir)
    for text, said in (
        (results[:500], "is damaged"),
        ("[1]", "must be a table"),
        (results.replace("results/1", "results/9", 1), '`schema` of .* must be "hrsnn.results/1", got'),
        ('{"schema": "hrsnn.results/1", "outcomes": 3}', "`outcomes` of .* must be a list, got 3"),
        ('{"schema": "hrsnn.results/1", "summary": [{"arm": 3}]}', r"`summary\[0\].arm` of .* must be a text, got 3"),
        ("[" * 100_000, "is damaged"),
    ):
        (run_dir / "results.json").write_text(text)
        with pytest.raises(FileError, match=said) as caught:
            write_report(run_dir)
        assert str(run_dir / "results.json") in str(caught.value)
    assert not (run_dir / "report.html").exists()


def test_missing_and_damaged_outcomes_are_named(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", n_seeds=1)
    path = run_dir / "outcomes" / "HeNHeS-trained-None-0.json"
    whole = path.read_text()
    path.write_text(whole[:100])
    with pytest.raises(FileError, match=r"HeNHeS-trained-None-0\.json is damaged.*delete it and run again"):
        write_report(run_dir)
    values = json.loads(whole)
    values["details"]["histograms"]["v_th"]["counts"].append(1)
    path.write_text(json.dumps(values))
    with pytest.raises(
        FileError, match=r"`details\.histograms\.v_th\.edges` of .*None-0\.json` must have one edge more than counts"
    ):
        write_report(run_dir)
    path.unlink()
    with pytest.raises(FileError, match=r"holds no outcome of HeNHeS, seed 0, which .* lists; put the file back"):
        write_report(run_dir)


def test_numbers_that_disagree_are_told(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", n_seeds=1)
    results = json.loads((run_dir / "results.json").read_text())
    for name, value in (("metrics", {"accuracy": 0.123}), ("costs", {"synops_input": 1.0})):
        changed = {**results, "outcomes": [{**outcome, name: value} for outcome in results["outcomes"]]}
        (run_dir / "results.json").write_text(json.dumps(changed))
        with pytest.raises(FileError, match=r"results\.json has other numbers for HeNHeS, .*, seed 0 than .*outcomes"):
            write_report(run_dir)
    (run_dir / "results.json").write_text(json.dumps({**results, "outcomes": [1e308]}))
    with pytest.raises(FileError, match=r"`outcomes\[0\]` of .* must be a table, got 1e\+308"):
        write_report(run_dir)
    (run_dir / "results.json").write_text(json.dumps(results))
    path = run_dir / "outcomes" / "HeNHeS-trained-None-0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sha256": "00"}))
    with pytest.raises(FileError, match=r"None-0\.json is damaged: it was changed since it was written; delete it"):
        write_report(run_dir)


# -- what is said ------------------------------------------------------------------------------------------------------


def told(*comparisons: dict[str, Any], metric: str = "accuracy", **more: Any) -> list[tuple[str, str]]:
    """Kind and text of the findings of a run that holds these comparisons and HeNHeS with mean 0.7."""
    estimate = {"mean": 0.7, "sd": 0.01, "ci95": [0.69, 0.71]}
    rows = [{"arm": "HeNHeS", "stage": "trained", "method": None, "n_seeds": 5, "metrics": {metric: estimate}}]
    values = {"schema": "hrsnn.results/1", "summary": rows, "comparisons": list(comparisons), **more}
    return [(f.kind, f.text) for f in found(parse_results(values))]


def compared(a: str, b: str, diff: float, ci95: Any, n_pairs: int = 5, metric: str = "accuracy") -> dict[str, Any]:
    return {"a": a, "b": b, "metric": metric, "diff": diff, "ci95": ci95, "n_pairs": n_pairs}


def test_a_gain_is_told_with_size_interval_and_pairs() -> None:
    level, gain = told(compared("HeNHoS", "HoNHoS", 0.031, [0.012, 0.05]))
    assert level == ("plain", "HeNHeS: accuracy 0.700 [0.690, 0.710] over 5 seeds.")
    text = "Heterogeneous neurons add 0.031 [0.012, 0.050] accuracy (HeNHoS against HoNHoS; 5 paired seeds)."
    assert gain == ("gain", text)


def test_a_loss_is_told_as_a_loss() -> None:
    text = "Heterogeneous plasticity costs 0.031 [0.012, 0.050] accuracy (HoNHeS against HoNHoS; 5 paired seeds)."
    assert told(compared("HoNHeS", "HoNHoS", -0.031, [-0.05, -0.012]))[1] == ("loss", text)


def test_the_order_in_which_a_pair_was_written_changes_nothing() -> None:
    straight = told(compared("HeNHeS", "InputOnly", 0.1, [0.05, 0.2]))
    assert told(compared("InputOnly/control", "HeNHeS", -0.1, [-0.2, -0.05])) == straight
    assert straight[1][1].startswith("The network gains 0.100 [0.050, 0.200] accuracy against the same readout on the")


@pytest.mark.parametrize("ci95", [[-0.01, 0.02], [0.0, 0.02], [-0.02, 0.0]])
def test_an_interval_that_contains_zero_is_nothing_measurable(ci95: list[float]) -> None:
    pairs = (
        compared("HeNHeS", "HoNHoS", 0.005, ci95),
        compared("HeNHeS", "HeNHeS/control/untrained", 0.005, ci95),
        compared("HeNHeS", "HeNHeS/control/no-recurrence", 0.005, ci95),
    )
    _, both, learning, recurrence = told(*pairs)
    assert {both[0], learning[0], recurrence[0]} == {"none"}
    assert "neurons and plasticity together makes no measurable difference: accuracy differs by +0.005" in both[1]
    assert "contains zero (HeNHeS against HoNHoS; 5 paired seeds)" in both[1]
    assert learning[1].startswith("Unsupervised learning adds nothing measurable")
    assert recurrence[1].startswith("Recurrence adds nothing measurable")


def test_one_seed_is_no_finding_even_if_an_interval_is_given() -> None:
    for ci95 in (None, [0.01, 0.05]):
        kind, text = told(compared("HeNHoS", "HoNHoS", 0.03, ci95, n_pairs=1))[1]
        assert kind == "open"
        assert text == (
            "Heterogeneous neurons: accuracy differs by +0.030 (HeNHoS against HoNHoS; one seed). "
            "There is no interval, so this is not yet a finding."
        )


def test_few_seeds_are_told_with_a_caution() -> None:
    texts = [text for _, text in told(compared("HeNHoS", "HoNHoS", 0.03, [0.01, 0.05], n_pairs=3))]
    assert "With only 3 paired seeds the intervals themselves are uncertain; use 5 or more." in texts


def test_lower_is_better_for_errors() -> None:
    better = told(compared("HeNHeS", "NVAR", -0.2, [-0.3, -0.1], metric="nrmse"), metric="nrmse")[1]
    assert better[0] == "gain"
    assert "The network lowers NRMSE by 0.200 [0.100, 0.300] against nonlinear" in better[1]
    assert "which is better" in better[1]
    worse = told(compared("HeNHeS", "NVAR", 0.2, [0.1, 0.3], metric="nrmse"), metric="nrmse")[1]
    assert worse[0] == "loss"
    assert "raises NRMSE" in worse[1]
    assert "which is worse" in worse[1]


ZERO = [0.0, 0.0]


def test_where_the_headline_tells_nothing_apart_the_next_score_speaks() -> None:
    """A prediction time of 0 for both: the error says who is better; the level is told by the error too."""
    pair = ("HeNHeS", "Persistence")
    rows = [compared(*pair, 0.0, ZERO, metric="vpt_steps"), compared(*pair, 37.5, [10.8, 63.1], metric="rmse")]
    metrics = {"vpt_steps": {"mean": 0.0, "ci95": ZERO}, "rmse": {"mean": 40.0, "ci95": [20.0, 70.0]}}
    summary = [{"arm": "HeNHeS", "stage": "trained", "n_seeds": 5, "metrics": metrics}]
    level, worse = told(*rows, metric="vpt_steps", summary=summary)
    assert level[1].startswith("HeNHeS: RMSE 40.000 [20.000, 70.000] over 5 seeds")
    assert worse[0] == "loss"
    assert worse[1].startswith("The network raises RMSE by 37.500 [10.800, 63.100] against repeating the last value")
    exact = [compared(*pair, 0.0, ZERO, metric="vpt_steps"), compared(*pair, 0.0, ZERO, metric="rmse")]
    following = told(*exact, compared(*pair, -0.1, [-0.2, -0.05], metric="nrmse_one_step"), metric="vpt_steps")
    assert "lowers NRMSE of the next value by 0.100" in following[1][1]


def test_a_worse_error_is_told_beside_a_prediction_time_that_hides_it() -> None:
    pair = ("HeNHeS", "Persistence")
    worse = compared(*pair, 37.5, [10.8, 63.1], metric="rmse")
    for diff, ci95, kind in ((0.1, [-0.5, 0.7], "none"), (0.5, [0.1, 0.9], "gain")):
        answers = told(compared(*pair, diff, ci95, metric="vpt_steps"), worse, metric="vpt_steps")[1:]
        assert [k for k, _ in answers] == [kind, "loss"]
        assert "raises RMSE by 37.500 [10.800, 63.100]" in answers[1][1]
    loss = compared(*pair, -0.5, [-0.9, -0.1], metric="vpt_steps")
    assert [k for k, _ in told(loss, worse, metric="vpt_steps")[1:]] == ["loss"]
    better = compared(*pair, -37.5, [-63.1, -10.8], metric="rmse")
    fine = compared(*pair, 0.1, [-0.5, 0.7], metric="vpt_steps")
    assert [k for k, _ in told(fine, better, metric="vpt_steps")[1:]] == ["none"]


@pytest.mark.parametrize("ci95", [ZERO, None])
def test_comparisons_of_identical_things_are_not_told(ci95: Any) -> None:
    n = 5 if ci95 else 1
    pair = ("HeNHeS", "HeNHeS/control/untrained")
    assert [k for k, _ in told(compared(*pair, 0.0, ci95, n))][1:2] == ["plain"]  # compares no two arms
    also = compared("HeNHoS", "HoNHoS", 0.031, [0.012, 0.05])
    texts = [text for _, text in told(compared(*pair, 0.0, ci95, n), also)]
    assert not [text for text in texts if "Unsupervised learning" in text]
    assert [text for text in texts if "Heterogeneous neurons add 0.031" in text]


def test_a_difference_of_a_thousandth_is_none_to_tell_and_no_season_is_told_once() -> None:
    def row(arm: str, rmse: float) -> dict[str, Any]:
        metrics = {"vpt_steps": {"mean": 2.0}, "rmse": {"mean": rmse}}
        return {"arm": arm, "stage": "trained", "n_seeds": 5, "metrics": metrics}

    summary = [row("HeNHoS", 0.2), row("HoNHoS", 0.2), row("Persistence", 0.3), row("SeasonalNaive", 0.3)]
    pairs = [
        ("HeNHoS", "HoNHoS", [-1e-7, 1e-6]),
        *(("HeNHoS", b, [-0.2, -0.1]) for b in ("Persistence", "SeasonalNaive")),
    ]
    rows = [compared(a, b, 0.0, ZERO, metric="vpt_steps") for a, b, _ in pairs]
    rows += [compared(a, b, sum(ci95) / 2, ci95, metric="rmse") for a, b, ci95 in pairs]
    texts = [text for _, text in told(*rows, metric="vpt_steps", summary=summary)]
    assert not [text for text in texts if "Heterogeneous neurons" in text]
    assert len([text for text in texts if "lowers RMSE by 0.150" in text]) == 1
    summary[-1] = row("SeasonalNaive", 0.31)
    assert len([text for _, text in told(*rows, metric="vpt_steps", summary=summary) if "lowers RMSE" in text]) == 2


def test_two_that_are_never_wrong_differ_by_what_they_spend() -> None:
    def row(arm: str, spikes: float) -> dict[str, Any]:
        metrics, costs = {"accuracy": {"mean": 1.0}}, {"spikes_per_sample": {"mean": spikes}}
        return {"arm": arm, "stage": "trained", "n_seeds": 5, "metrics": metrics, "costs": costs}

    rows = [row("HeNHeS", 50), row("HoNHoS", 100)]
    (kind, text), *_ = told(compared("HeNHeS", "HoNHoS", 0.0, ZERO), summary=rows)[1:]
    assert kind == "plain"
    assert "accuracy is 1.000 either way, so it cannot tell them apart; at 0.50 times the spikes" in text


def test_a_metric_of_unknown_direction_is_not_judged() -> None:
    kind, text = told(compared("HeNHoS", "HoNHoS", 2.0, [1.0, 3.0], metric="novel"), metric="novel")[1]
    assert kind == "plain"
    assert text.startswith("Heterogeneous neurons raise novel by 2.000 [1.000, 3.000] (HeNHoS")


def test_a_small_bound_is_not_rounded_to_zero() -> None:
    text = told(compared("HeNHoS", "HoNHoS", 0.01, [0.0004, 0.02]))[1][1]
    assert "0.0100 [0.0004, 0.0200]" in text


def test_spikes_and_operations_are_told_as_ratios() -> None:
    def row(arm: str, spikes: float, synops: float) -> dict[str, Any]:
        costs = {"spikes_per_sample": {"mean": spikes}, "synops_recurrent": {"mean": synops}}
        return {"arm": arm, "stage": "trained", "n_seeds": 5, "metrics": {"accuracy": {"mean": 0.5}}, "costs": costs}

    summary = [row("HeNHeS", 90, 300), row("HoNHoS", 100, 200)]
    texts = [text for _, text in told(compared("HeNHeS", "HoNHoS", 0.03, [0.01, 0.05]), summary=summary)]
    assert "adds 0.030 [0.010, 0.050] accuracy at 0.90 times the spikes (HeNHeS" in texts[1]
    assert texts[2].startswith(
        "HeNHeS spends 0.90 times the spikes and 1.50 times the recurrent synaptic operations of"
    )


def test_chance_and_speakers_are_told(tmp_path: Path) -> None:
    texts = [f.text for f in found(read_run(write_run(tmp_path / "run", n_seeds=2)))]
    assert "naming the most frequent class every time would give 0." in texts[0]
    assert "on groups seen in training and 0." in texts[1]


def test_nothing_compared_is_said() -> None:
    assert told()[1] == ("plain", "This run compares no two arms, so it says nothing about what helps.")
    assert found(parse_results({"schema": "hrsnn.results/1"}))[0].text == "This run holds no measured values."


# -- the verdict -------------------------------------------------------------------------------------------------------


def sentences(run_dir: Path) -> list[str]:
    return verdict(read_run(run_dir))


def test_the_verdict_tells_unseen_data_first_then_the_cost_then_pruning(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", pruned=True)
    for path in (run_dir / "outcomes").iterdir():
        values = json.loads(path.read_text())
        values["details"] |= {"unseen": [True, False, True], "unseen_groups": ["ann", "<b>"], "group_word": "speaker"}
        path.write_text(json.dumps(values))
    level, cost, pruning = sentences(run_dir)
    assert level.startswith("On 2 recordings of speakers ann and <b>, not seen in training (5 seeds), HeNHeS has a")
    assert "on recordings of speakers seen in training." in level
    assert cost.startswith("The same readout without a network has 0.")
    assert re.search(r"HeNHeS is 0\.\d+ \[0\.\d+, 0\.\d+\] better than that, for 5,600 spikes and .* a recording", cost)
    assert pruning.startswith("Pruned (lnp) to 952 of 19,002 recurrent synapses it has 0.")
    assert "times fewer operations; " in pruning
    assert re.search(
        r"; among cuts of the same size it is 0\.\d+ \[.*\] better than random and not to be told from", pruning
    )
    page = Page(write_report(run_dir))
    assert level in page.words
    assert not [tag for tag, _ in page.tags if tag == "b"]


def test_a_forecast_is_told_against_repeating_the_last_value(tmp_path: Path) -> None:
    level, cost = sentences(write_run(tmp_path / "run", forecast=True))
    assert re.search(
        r"HeNHeS has valid prediction time 3\.\d+ \[.*\] Lyapunov times, .* better than repeating the", level
    )
    assert "spikes and" in cost
    assert "a value" in cost


def test_models_without_spikes_that_are_better_are_named_at_once_best_first(tmp_path: Path) -> None:
    def beaten(values: dict[str, Any]) -> None:
        for c in values["comparisons"]:
            if c["b"] in ("NVAR", "ESN-100"):
                c |= {"diff": -1.0, "ci95": [-1.5, -0.5]}
        for row in values["summary"]:
            if row["arm"] in ("NVAR", "ESN-100"):
                row["metrics"]["vpt_lyapunov"] = {"mean": 9.0 if row["arm"] == "NVAR" else 8.0, "ci95": None}

    run_dir = write_run(tmp_path / "run", forecast=True)
    level, *_ = sentences(edited(run_dir, beaten))
    assert level.endswith("; NVAR (9.000) and ESN-100 (8.000) are better without a spiking network.")
    assert "without a spiking network" not in " ".join(sentences(write_run(tmp_path / "other")))


@pytest.mark.parametrize("metric", ["vpt_steps", "vpt_lyapunov"])
def test_starts_are_drawn_in_the_unit_and_with_the_mean_of_the_table(metric: str, tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", forecast=True, n_seeds=2)
    for path in [run_dir / "results.json", *(run_dir / "outcomes").iterdir()]:
        path.write_text(path.read_text().replace("vpt_lyapunov", metric))
    figure = Page(write_report(run_dir)).figures["figure-vpt-1"]
    (bar, *_) = (curve for curve in figure["data"] if curve["mode"] == "lines")
    first = read_run(run_dir).units_of(read_run(run_dir).rows[0].key)
    starts = [value for unit in first for value in unit.details.part("by_start").numbers(metric)]
    assert bar["x"][0] == pytest.approx(sum(starts) / len(starts))
    assert ("steps" if metric == "vpt_steps" else "Lyapunov") in figure["layout"]["xaxis"]["title"]["text"]


def test_what_says_nothing_is_left_out(tmp_path: Path) -> None:
    def own(values: dict[str, Any]) -> None:
        values["data"] = {"description": "9 recordings", "licence": "not stated", "source": "own recordings"}
        for row in values["summary"]:  # everybody tested is unseen
            row["metrics"]["accuracy_unseen"] = row["metrics"]["accuracy"]
        for row in values["outcomes"]:
            row["metrics"]["accuracy_unseen"] = row["metrics"]["accuracy"] = 1.0

    run_dir = edited(write_run(tmp_path / "run", n_seeds=1), own)
    results = read_run(run_dir)
    assert results.data == "9 recordings"
    assert "accuracy, all" not in tables.first(results, "accuracy_unseen", "recording").columns


def test_without_seeds_without_network_without_scores_the_verdict_says_so(tmp_path: Path) -> None:
    assert "(no interval, so no finding) against that" in sentences(write_run(tmp_path / "run", n_seeds=1))[1]
    assert verdict(parse_results({"schema": "hrsnn.results/1"})) == ["This run holds no measured values."]
    rows = [{"arm": "NVAR", "stage": "trained", "n_seeds": 2, "metrics": {"rmse": {"mean": 0.1}}}]
    alone = verdict(parse_results({"schema": "hrsnn.results/1", "summary": rows}))
    assert alone == ["This run holds no network with a score."]


def test_a_score_that_is_the_same_for_all_gives_way_to_the_next(tmp_path: Path) -> None:
    def saturated(values: dict[str, Any]) -> None:
        for row in values["summary"]:
            row["metrics"]["vpt_lyapunov"] = {"mean": 0.0, "ci95": [0.0, 0.0]}
        for row in values["outcomes"]:
            row["metrics"]["vpt_lyapunov"] = 0.0

    level, *_ = sentences(edited(write_run(tmp_path / "run", forecast=True, n_seeds=2), saturated))
    assert "HeNHeS has NRMSE 0." in level


def test_what_is_identical_is_not_compared(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")

    def same(values: dict[str, Any]) -> None:
        first = {row["seed"]: row for row in values["outcomes"] if row["arm"] == "HoNHoS"}
        for row in values["outcomes"]:
            if row["arm"] == "HeNHoS":
                row |= {"metrics": first[row["seed"]]["metrics"], "costs": first[row["seed"]]["costs"]}
        for c in values["comparisons"]:
            if (c["a"], c["b"]) == ("HeNHoS", "HoNHoS"):
                c |= {"diff": 0.0, "ci95": [0.0, 0.0]}

    results = read_run(edited(run_dir, same))
    assert not [f.text for f in found(results) if "HeNHoS against HoNHoS" in f.text]
    page = Page(write_report(run_dir))
    assert "Identical here, so not compared: HeNHoS and HoNHoS." in page.words
    names = page.figures["figure-comparisons-1"]["layout"]["yaxis"]["ticktext"]
    assert not [name for name in names if name.startswith("HeNHoS")]


# -- names beside points -----------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 800), st.floats(0, 360), st.integers(4, 20)), min_size=1, max_size=12))
def test_no_name_covers_a_point_or_another_name_where_there_is_room(points: list[tuple[float, float, int]]) -> None:
    spots = [Spot(x, y, "m" * n, y, y) for x, y, n in points]
    boxes = []
    for spot, (dx, dy) in zip(spots, placed(spots, 840, 400), strict=True):
        half = len(spot.name) * 3.3
        boxes.append(Box(spot.x + dx - half, spot.y + dy - 7, spot.x + dx + half, spot.y + dy + 7))
    assert all(box.left >= -4 and box.right <= 844 and box.top >= -1 and box.bottom <= 401 for box in boxes)
    apart = [a.overlap(b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert sum(apart) == 0


def test_a_row_that_spends_nothing_stands_at_the_end_of_the_axis(tmp_path: Path) -> None:
    figure = Page(write_report(write_run(tmp_path / "run", n_seeds=2))).figures["figure-tradeoff-1"]
    axis, xs = figure["layout"]["xaxis"], [trace["x"][0] for trace in figure["data"]]
    assert (axis["type"], axis["ticktext"][0], axis["tickvals"][0]) == ("log", "none", pytest.approx(min(xs), rel=1e-3))
    assert len(figure["layout"]["annotations"]) == len(figure["narrow"]["annotations"]) == len(xs) == 8


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("HeNHeS", Key("HeNHeS")),
        ("HeNHeS/pruned/lnp", Key("HeNHeS", "pruned", "lnp")),
        ("InputOnly/control", Key("InputOnly")),
        ("InputOnly", Key("InputOnly")),
        ("../../x", Key("../../x")),
        ("a/b/control/untrained", Key("a/b", "control", "untrained")),
    ],
)
def test_names_of_rows(name: str, key: Key) -> None:
    assert Key.parse(name) == key
