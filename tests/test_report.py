from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from hrsnn._checks import FileError
from hrsnn.report import found, parse_results, write_report
from hrsnn.report.figures import shown
from hrsnn.report.source import Key, read_run
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
    def figures(self) -> dict[str, Any]:
        """The plotly figures by id."""
        return {a["id"] or "": json.loads(text) for a, text in self.scripts if a.get("type") == "application/json"}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(write_run(tmp_path_factory.mktemp("full") / "run")))


def edited(run_dir: Path, edit: Any) -> Path:
    """`run_dir` after `edit` was applied to the object of its results.json."""
    path = run_dir / "results.json"
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))
    return run_dir


# -- the page ----------------------------------------------------------------------------------------------------------


def test_all_sections_stand_in_their_order(full: Page) -> None:
    order = [attrs["id"] for tag, attrs in full.tags if tag == "section"]
    assert order == [
        "found", "arms", "metric", "comparisons", "costs", "raster", "laws", "weights", "rates", "learning",
        "confusion", "readout", "warnings", "config", "versions", "reproduce",
    ]  # fmt: skip


def test_page_loads_nothing_and_embeds_plotly_once(tmp_path: Path) -> None:
    path = write_report(write_run(tmp_path / "run", n_seeds=2))
    text, page = path.read_text(encoding="utf-8"), Page(path)
    assert text.count(get_plotlyjs()) == 1
    assert path.stat().st_size < 6_000_000
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
    running = [text for attrs, text in full.scripts if attrs.get("type") != "application/json"]
    policy = next(a["content"] or "" for t, a in full.tags if t == "meta" and "http-equiv" in a)
    assert len(running) == 2
    assert policy.count("'sha256-") == 2
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe" not in policy


def test_page_is_for_phones_and_paper_too(full: Page) -> None:
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in full.tags
    tables = [i for i, (tag, _) in enumerate(full.tags) if tag == "table"]
    assert tables
    assert all(full.tags[i - 1][1].get("class") == "scroll" for i in tables)


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
    running = [text for attrs, text in page.scripts if attrs.get("type") != "application/json"]
    assert len(running) == 2
    assert not [tag for tag, _ in page.tags if tag in ("img", "b")]
    assert page.words.count("alert(1)") > 5
    labels = page.figures["figure-confusion-1"]["layout"]["yaxis"]["ticktext"]
    assert labels[0].startswith("&lt;img")
    assert labels[2] == "../../x"
    for _, text in page.scripts:
        if text not in running:
            assert not set("<>&") & set(text)
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
        "found", "arms", "metric", "comparisons", "costs", "warnings", "config", "versions", "reproduce",
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
        ("[1]", "must hold an object"),
        (results.replace("results/1", "results/9", 1), 'must have schema "hrsnn.results/1", got'),
        ('{"schema": "hrsnn.results/1", "outcomes": 3}', "outcomes must be a list, got 3"),
        ('{"schema": "hrsnn.results/1", "summary": [{"arm": 3}]}', r"summary\[0\].arm must be a text, got 3"),
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
    with pytest.raises(FileError, match=r"`details\.histograms\.v_th` of .*None-0\.json .* one edge more than counts"):
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
    with pytest.raises(FileError, match=r"outcomes\[0\] must be an object, got 1e\+308"):
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


@pytest.mark.parametrize("ci95", [[-0.01, 0.02], [0.0, 0.02], [-0.02, 0.0], [0.0, 0.0]])
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
    assert "on speakers never heard" in texts[1]


def test_nothing_compared_is_said() -> None:
    assert told()[1] == ("plain", "This run compares no two arms, so it says nothing about what helps.")
    assert found(parse_results({"schema": "hrsnn.results/1"}))[0].text == "This run holds no measured values."


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
