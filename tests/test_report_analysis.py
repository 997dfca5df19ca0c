"""The page of `hrsnn analyse`: what it shows, what it says, and what it does where something was left out."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hrsnn._checks import InputError
from hrsnn.report import write_document
from hrsnn.report.analysis import page
from hrsnn.report.parts.page import Section
from hrsnn.report.parts.words import Finding
from test_report import EVIL, Page

N_NEURONS, N_DELAYS, N_EXPONENTS = 40, 100, 30


def analysis_document(**changes: Any) -> dict[str, Any]:
    """The document of an invented network: memory that fades by a half per sample, a stable spectrum, five gains.

    `changes` replace values at the top.
    """
    raw = [0.9 * 0.5**tau + 1e-4 for tau in range(1, N_DELAYS + 1)]
    kept = [value if value > 0.002 else 0.0 for value in raw]
    exponents = [-0.02 - 0.01 * k for k in range(N_EXPONENTS)]
    rates = [float(i % 25) for i in range(N_NEURONS)]
    document = {
        "schema": "hrsnn.analysis/1",
        "created": "2026-11-21T18:00:00+00:00",
        "name": "HeNHeS",
        "versions": {"hrsnn": "0.3.0", "numpy": "2.4.0"},
        "seed": 0,
        "network": {
            "n_neurons": N_NEURONS, "n_excitatory": 32, "n_inputs": 70, "n_recurrent_synapses": 900,
            "n_input_synapses": 300, "hash": "e4bebde67f6f2e04",
        },
        "memory_capacity": sum(kept), "spike_efficiency": sum(kept) / 0.44, "separation_rank": 25,
        "lyapunov_max_per_ms": exponents[0], "heterogeneity": -3.2, "spikes_per_neuron": 0.44, "mean_rate_hz": 22.0,
        "energy_pj": {"loihi": 1.0e6, "45nm-add": 4.0e4},
        "memory": {
            "ci95": [0.85, 0.95], "per_delay": kept, "per_delay_raw": raw, "at_zero": 0.9, "threshold": 0.002,
            "bias_floor": 0.02, "rank": 38, "bound": 38, "participation_ratio": 11.0, "squared_correlation": 0.01,
            "n_samples": 10_000, "n_test": 5000, "input_only": 0.3,
            "settings": {"sample_ms": 20.0, "state": "filtered", "mean_rate_hz": 10.000000000001, "network": "e4be"},
        },
        "separation": {
            "effective": 25, "numerical": 38, "entropy": 21.2, "generalisation": 8, "computational": 17,
            "n_stimuli": N_NEURONS, "singular_values": [100 * 0.8**k for k in range(38)] + [0.0, 0.0],
            "generalisation_singular_values": [100 * 0.5**k for k in range(40)], "jitter_ms": 5.0,
        },
        "lyapunov": {
            "exponents_per_ms": exponents, "standard_error_per_ms": [0.001] * N_EXPONENTS,
            "running_max_per_ms": [-0.02 * (1 - 0.5 / b) for b in range(1, 21)],
            "running_steps": [50 * b for b in range(1, 21)], "node_rates_hz": rates,
            "node_exponents_per_ms": [-0.1 - 0.002 * rate for rate in rates], "node_rate_correlation": -1.0,
            "dimension": 3 * N_NEURONS, "surrogate_gain": 1.0,
            "gains": {"10.0": -0.01, "0.1": -0.05, "2.0": -0.015, "1.0": -0.02}, "dt_ms": 0.5, "n_steps": 1000,
            "max_condition": 2.9e8,
        },
        "heterogeneity_detail": {
            "neurons": -2.1, "synapses": -3.6, "n_plastic": 900, "epsilon": 1e-4,
            "cvs": {"tau_mem_ms": 0.57, "v_th": 0.2, "t_ref_ms": 0.0, "a_plus": None, "weight": 0.9},
        },
        "firing": {
            "interval_cv": 0.8, "pairwise_correlation": 0.01, "third_order": 0.02, "third_order_by_chance": 0.01,
            "mean_activation": 0.02, "silent_share": 0.025,
        },
        "importance": {
            "players": ["tau_mem", "v_th", "a"],
            "quantities": {
                "memory_capacity": {
                    "v_th": {"mean": 0.02, "ci95": [-0.01, 0.05]}, "tau_mem": {"mean": 0.3, "ci95": [0.2, 0.4]},
                    "a": {"mean": -0.1, "ci95": [-0.15, -0.05]},
                },
                "spikes_per_neuron": {"tau_mem": {"mean": 0.0, "ci95": [0.0, 0.0]}},
            },
            "n_seeds": 5,
        },
        "costs": {"spikes_per_neuron": 0.44, "synops_recurrent": 400.0, "energy_pj": {"loihi": 1.0e6}},
        "warnings": ["2.5 % of the neurons are silent."],
    }  # fmt: skip
    return {**document, **changes}


def with_part(part: str, **changes: Any) -> dict[str, Any]:
    """The document with other values in one of its tables."""
    document = analysis_document()
    return {**document, part: {**document[part], **changes}}


def page_of(document: dict[str, Any], path: Path) -> Page:
    return Page(write_document(json.loads(json.dumps(document, allow_nan=False)), path / "analysis.html"))


def findings(document: dict[str, Any]) -> Sequence[Finding]:
    return page(document).found


def sections(document: dict[str, Any]) -> Sequence[Section]:
    return page(document).sections


def told(document: dict[str, Any], about: str) -> tuple[str, str]:
    """Kind and text of the one finding that contains `about`."""
    (found,) = [finding for finding in findings(document) if about in finding.text]
    return found.kind, found.text


def figures(document: dict[str, Any]) -> dict[str, list[Any]]:
    """The plotly figures of every section by its id."""
    return {section.id: [json.loads(figure.json) for figure in section.figures] for section in sections(document)}


def caption(document: dict[str, Any], id: str) -> str:
    return next(section.caption for section in sections(document) if section.id == id)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(analysis_document(), tmp_path_factory.mktemp("full"))


# -- the page ----------------------------------------------------------------------------------------------------------


def test_all_sections_stand_in_their_order(full: Page) -> None:
    order = [attrs["id"] for tag, attrs in full.tags if tag == "section"]
    assert order == [
        "found", "measures", "memory", "separation", "efficiency", "lyapunov", "convergence", "gains", "nodes",
        "heterogeneity", "importance", "firing", "costs", "warnings", "method", "versions", "reproduce",
    ]  # fmt: skip
    assert len(full.figures) == 11


def test_every_axis_has_a_title_with_its_unit(full: Page) -> None:
    for name, figure in full.figures.items():
        axes = [figure["layout"][axis] for axis in ("xaxis", "yaxis")]
        titles = [axis["title"]["text"] for axis in axes if "ticktext" not in axis or axis["type"] == "log"]
        assert titles, name
        assert all(titles), name
    assert full.figures["figure-lyapunov-1"]["layout"]["yaxis"]["title"]["text"] == "exponent λₖ (per ms)"


def test_page_is_one_file_that_loads_nothing(tmp_path: Path) -> None:
    path = write_document(analysis_document(), tmp_path / "analysis.html")
    assert path == tmp_path / "analysis.html"
    assert [p.name for p in tmp_path.iterdir()] == ["analysis.html"]
    text, page = path.read_text(encoding="utf-8"), Page(path)
    assert path.stat().st_size < 1_000_000
    assert "default-src 'none'" in text
    for tag, attrs in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert not {"src", "href", "srcset"} & attrs.keys(), (tag, attrs)
    assert write_document(analysis_document(), tmp_path / "again.html").read_bytes() == path.read_bytes()


def test_hostile_texts_come_out_as_text(tmp_path: Path) -> None:
    evil = EVIL[0] + EVIL[1]
    document = analysis_document(
        name=evil, created=EVIL[1], seed=EVIL[0], versions={EVIL[0]: EVIL[1]}, warnings=[EVIL[1]],
        energy_pj={EVIL[0]: 1.0}, costs={EVIL[0]: 1.0},
        compare=[{"name": name, "memory_capacity": 1.0, "spikes_per_neuron": 0.5} for name in EVIL],
    )  # fmt: skip
    document["network"]["hash"] = EVIL[1]
    document["memory"]["settings"] |= {EVIL[0]: EVIL[1]}
    document["heterogeneity_detail"]["cvs"] = dict.fromkeys(EVIL, 0.5)
    values = {"mean": 1.0, "ci95": [0.5, 1.5]}
    document["importance"]["quantities"] = {EVIL[1]: dict.fromkeys(EVIL, values)}
    page = page_of(document, tmp_path)
    assert len(page.running) == 1
    assert not [tag for tag, _ in page.tags if tag in ("img", "b")]
    assert page.words.count("alert(1)") > 8
    for figure in page.figures.values():  # the only tags that plotly sees are ours
        for tag in re.findall(r"<[^>]*>?", json.dumps(figure, ensure_ascii=False)):
            assert tag in ("<br>", "<b>", "</b>", "<sub>", "</sub>", "<extra>", "</extra>"), tag


# -- what was left out -------------------------------------------------------------------------------------------------

OF_PART = {
    "memory": {"memory", "method"},
    "separation": {"separation"},
    "lyapunov": {"lyapunov", "convergence", "gains", "nodes"},
    "heterogeneity_detail": {"heterogeneity"},
    "firing": {"firing"},
    "importance": {"importance"},
    "memory_capacity": {"efficiency"},
    "warnings": {"warnings"},
    "versions": {"versions"},
}


@pytest.mark.parametrize("part", OF_PART)
@pytest.mark.parametrize("how", ["null", "missing"])
def test_a_part_that_was_left_out_takes_its_sections_with_it(part: str, how: str, full: Page, tmp_path: Path) -> None:
    document = analysis_document(**{part: None})
    if how == "missing":
        del document[part]
    assert page_of(document, tmp_path).ids == full.ids - OF_PART[part]


def test_a_document_of_nothing_is_a_page_of_one_sentence(tmp_path: Path) -> None:
    shown = page_of({"schema": "hrsnn.analysis/1"}, tmp_path)
    assert shown.ids == {"found"}
    assert "Nothing was measured." in shown.words
    assert "None" not in shown.words
    assert "plotly" not in (tmp_path / "analysis.html").read_text().lower()


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of everything in a document; of a list the first item only."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else []
    for name, item in inner:
        yield from leaves(item, (*path, name))


@pytest.mark.parametrize("path", [p for p in leaves(analysis_document()) if p != ("schema",)], ids=str)
def test_any_single_value_may_be_unknown(path: tuple[Any, ...]) -> None:
    document = copy.deepcopy(analysis_document())
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = None
    said = [finding.text for finding in findings(document)]
    shown = sections(document)
    assert said
    assert not [text for text in said if "None" in text or "nan" in text.split()]
    assert not [figure for section in shown for figure in section.figures if "NaN" in figure.json]


def test_figures_without_anything_to_draw_do_not_appear() -> None:
    silent = analysis_document(memory_capacity=0.0, spikes_per_neuron=0.0, spike_efficiency=None)
    silent["memory"] |= {"per_delay": [0.0] * 5, "per_delay_raw": [0.0] * 5, "ci95": [0.0, 0.0], "input_only": 0.0}
    silent["separation"] |= {"singular_values": [0.0] * 9, "generalisation_singular_values": [0.0] * 9}
    silent["lyapunov"] |= {"gains": {"1.0": -0.02}, "node_rates_hz": [0.0] * N_NEURONS}
    drawn = figures(silent)
    assert [len(drawn[name]) for name in ("memory", "separation", "efficiency", "gains", "nodes")] == [1, 0, 0, 0, 0]
    assert "NaN" not in json.dumps(drawn)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"schema": "hrsnn.bench/1"}, r"`schema` of `analysis\.json` must be hrsnn\.analysis/1, got hrsnn\.bench/1"),
        ({}, r"must be hrsnn\.analysis/1, got None"),
        (analysis_document(memory=3), "`memory` of `analysis.json` must be a table, got 3"),
        (with_part("memory", per_delay=3), "`memory.per_delay` .* must be a list, got 3"),
        (with_part("memory", per_delay_raw=[1.0]), "`memory.per_delay_raw` .* must have 100 values"),
        (
            with_part("lyapunov", node_rates_hz=[1.0]),
            "`lyapunov.node_rates_hz` .* must have 40 values, as many as those",
        ),
        (with_part("lyapunov", standard_error_per_ms=[1.0]), "`lyapunov.standard_error_per_ms` .* must have 30 values"),
        (with_part("lyapunov", gains={"one": 1.0}), "`lyapunov.gains` .* must have numbers for names"),
        (analysis_document(compare={"a": 1}), "`compare` .* must be a list, got"),
        (analysis_document(compare=[1]), r"`compare\[0\]` .* must be a table"),
    ],
)
def test_another_document_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        page(document)


# -- what is said ------------------------------------------------------------------------------------------------------


def test_memory_is_told_in_samples_and_milliseconds() -> None:
    kind, text = told(analysis_document(memory_capacity=5.31), "The state holds")
    assert kind == "plain"
    assert text == "The state holds 5.31 [0.85, 0.95] past input samples, 106 ms of input at 20 ms a sample."


@pytest.mark.parametrize(
    ("alone", "kind", "text"),
    [
        (0.3, "gain", "The network adds 0.6 [0.55, 0.65] to the 0.3 samples that the same readout recovers"),
        (1.0, "loss", "The network loses 0.1 [0.05, 0.15] of the 1 samples that the same readout recovers"),
        (0.9, "none", "The network adds no measurable memory: the interval contains the 0.9 samples that the same"),
        (0.85, "none", "The network adds no measurable memory"),
    ],
)
def test_memory_is_judged_against_the_readout_alone(alone: float, kind: str, text: str) -> None:
    document = with_part("memory", input_only=alone) | {"memory_capacity": 0.9}
    found = told(document, "the input spikes alone")
    assert found[0] == kind
    assert found[1].startswith(text)


def test_memory_without_an_interval_is_no_finding() -> None:
    assert told(with_part("memory", ci95=None), "the input spikes alone")[0] == "open"


@pytest.mark.parametrize(
    ("largest", "text"),
    [
        (-0.02, "Stable: the largest Lyapunov exponent is −0.02 [−0.022, −0.018] per ms, so small changes halve every "
                "34.7 ms (surrogate gain 1)."),
        (0.05, "Unstable: the largest Lyapunov exponent is 0.05 [0.048, 0.052] per ms, so small changes double every "
               "13.9 ms (surrogate gain 1)."),
        (0.001, "Neither stable nor unstable: the largest Lyapunov exponent is 0.001 [−0.001, 0.003] per ms, not told "
                "from 0 (surrogate gain 1)."),
    ],
)  # fmt: skip
def test_stability_is_told_with_the_gain_of_the_surrogate(largest: float, text: str) -> None:
    assert told(analysis_document(lyapunov_max_per_ms=largest), "largest Lyapunov exponent") == ("plain", text)


def test_a_silent_network_is_told_as_one() -> None:
    document = with_part("lyapunov", surrogate_gain=0.0, standard_error_per_ms=[0.0] * N_EXPONENTS)
    document |= {"spikes_per_neuron": 0.0, "spike_efficiency": None, "firing": {"silent_share": 1.0}}
    _, text = told(document, "Stable")
    assert "is −0.02 per ms, so small changes halve every 34.7 ms (no neuron spikes" in text
    assert told(document, "does not spike")[1] == "The network does not spike, so its memory has no efficiency."
    assert told(document, "silent")[1] == "100 % of the neurons are silent under the drive."


def test_a_sign_that_depends_on_the_surrogate_is_told() -> None:
    assert not [f for f in findings(analysis_document()) if "Undecided" in f.text]
    document = with_part("lyapunov", gains={"10.0": 0.3, "0.1": -0.05, "2.0": -0.01})
    text = "Undecided: the sign of the largest Lyapunov exponent depends on the surrogate ({}).".format
    assert told(document, "surrogate") == ("open", text("−0.05 per ms at gain 0.1 and 0.3 per ms at gain 10"))
    assert not [f for f in findings(document) if f.text.startswith(("Stable", "Unstable"))]
    document = with_part("lyapunov", gains={"0.1": -0.05, "2.0": 0.01, "10.0": -0.2})  # not at the ends
    assert told(document, "surrogate") == ("open", text("−0.2 per ms at gain 10 and 0.01 per ms at gain 2"))


def test_efficiency_separation_heterogeneity_and_silence_are_told() -> None:
    document = analysis_document(spike_efficiency=2.05)
    text = "It spends 0.44 spikes per neuron on a sample (22 Hz): 2.05 samples of memory per spike."
    assert told(document, "It spends")[1] == text
    text = "40 different stimuli fill 25 dimensions of the state (99 % rank), jittered copies of one stimulus 8."
    assert told(document, "stimuli")[1] == text
    assert told(document, "Heterogeneity H")[1].endswith("is −3.2 nats per parameter; −9.21 is a homogeneous network.")
    assert told(analysis_document(heterogeneity=math.log(1e-4)), "Homogeneous")[1].endswith("the least there is.")
    assert told(document, "silent")[1] == "2.5 % of the neurons are silent under the drive."
    assert told(with_part("firing", silent_share=0.0), "Every neuron")[1] == "Every neuron spikes under the drive."


def test_importance_is_told_with_intervals_the_largest_first() -> None:
    kind, text = told(analysis_document(), "memory capacity C:")
    assert kind == "plain"
    assert text == (
        "What heterogeneity adds to memory capacity C: membrane time constant +0.3 [0.2, 0.4], STDP amplitudes −0.1 "
        "[−0.15, −0.05]; nothing measurable for threshold (5 seeds)."
    )
    kind, text = told(analysis_document(), "spikes per neuron:")
    assert kind == "none"
    assert text.endswith("spikes per neuron: nothing measurable for membrane time constant (5 seeds).")


def test_importance_of_few_seeds_is_told_with_care() -> None:
    document = with_part("importance", n_seeds=3)
    assert "With only 3 seeds" in told(document, "With only")[1]
    one = {"memory_capacity": {"tau_mem": {"mean": 0.3, "ci95": None}}}
    kind, text = told(with_part("importance", n_seeds=1, quantities=one), "memory capacity C:")
    assert kind == "open"
    assert text.endswith("membrane time constant +0.3 (1 seed); without intervals this is not yet a finding.")


# -- what is shown -----------------------------------------------------------------------------------------------------


def named(figure: Any, name: str) -> Any:
    """The one trace of this name."""
    (trace,) = [trace for trace in figure["data"] if trace.get("name") == name]
    return trace


def test_delays_that_count_are_told_from_those_that_do_not() -> None:
    document = analysis_document()
    curve, total = figures(document)["memory"]
    kept = document["memory"]["per_delay"]
    n_kept = sum(value > 0 for value in kept)
    assert named(curve, "counts")["x"] == list(range(1, n_kept + 1))
    assert named(curve, "counts")["y"] == pytest.approx(kept[:n_kept], rel=1e-4)
    assert named(curve, "below")["x"] == list(range(n_kept + 1, N_DELAYS + 1))
    assert named(curve, "threshold")["y"] == [0.002, 0.002]
    assert named(total, "network")["y"][-1] == pytest.approx(document["memory_capacity"], rel=1e-4)
    assert named(total, "readout alone")["y"] == [0.3, 0.3]


def test_the_marks_of_the_singular_values_are_at_the_ranks() -> None:
    (figure,) = figures(analysis_document())["separation"]
    rings = [(trace["x"], trace["y"]) for trace in figure["data"] if trace["mode"] == "markers+text"]
    assert rings == [([25], [pytest.approx(100 * 0.8**24, rel=1e-4)]), ([8], [pytest.approx(100 * 0.5**7, rel=1e-4)])]
    assert figure["layout"]["yaxis"]["type"] == "log"


def test_networks_stand_in_the_plane_with_lines_of_equal_efficiency() -> None:
    others = [{"name": "HoNHoS", "memory_capacity": 0.5, "spikes_per_neuron": 0.3}, {"name": "x"}]
    (figure,) = figures(analysis_document(compare=others, memory_capacity=0.9))["efficiency"]
    points = {t["name"]: (t["x"], t["y"]) for t in figure["data"] if t["mode"] == "markers"}
    assert points == {"HoNHoS": ([0.3], [0.5]), "HeNHeS": ([0.44], [0.9])}
    lines = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert len(lines) == len(texts) >= 3
    for line, text in zip(lines, texts, strict=True):
        assert line["y"][1] / line["x"][1] == pytest.approx(float(text.removeprefix("E = ")), rel=1e-3)
        assert line["x"][0] == line["y"][0] == 0
    assert max(line["y"][1] for line in lines) <= figure["layout"]["yaxis"]["range"][1] * 1.001


def test_the_spectrum_has_a_band_of_two_standard_errors() -> None:
    (figure,) = figures(analysis_document())["lyapunov"]
    band, zero, line = figure["data"]
    assert line["y"][0] == -0.02
    assert band["y"][0] == pytest.approx(-0.022)
    assert band["y"][-1] == pytest.approx(-0.018)
    assert zero["y"] == [0, 0]
    assert "30 of 120 dimensions of the state, none of them above 0." in caption(analysis_document(), "lyapunov")
    assert "2 of them above 0." in caption(with_part("lyapunov", exponents_per_ms=[0.2, 0.1] + [0.0] * 28), "lyapunov")
    gap = with_part("lyapunov", exponents_per_ms=[-0.02, None, -0.5] + [None] * (N_EXPONENTS - 3))
    assert figures(gap)["lyapunov"][0]["data"][2]["x"] == [1, 3]


def test_convergence_is_over_time_and_gains_are_in_order() -> None:
    drawn = figures(analysis_document())
    (convergence,) = drawn["convergence"]
    assert convergence["data"][2]["x"][-1] == 500.0  # 1000 steps of 0.5 ms
    assert convergence["layout"]["xaxis"]["title"]["text"] == "measured time (ms)"
    (gains,) = drawn["gains"]
    assert gains["data"][1]["x"] == [0.1, 1.0, 2.0, 10.0]
    assert gains["data"][1]["y"] == [-0.05, -0.02, -0.015, -0.01]
    assert gains["data"][2]["x"] == [1.0]  # the ring


def test_unknown_cvs_have_no_bar() -> None:
    (figure,) = figures(analysis_document())["heterogeneity"]
    assert figure["data"][0]["x"] == [0.57, 0.2, 0.0, 0.9]
    assert figure["layout"]["yaxis"]["ticktext"] == [
        "membrane time constant",
        "threshold",
        "refractory period",
        "weight",
    ]


def test_shapley_bars_have_intervals() -> None:
    memory, spikes = figures(analysis_document())["importance"]
    assert memory["data"][0]["x"] == [0.3, -0.1, 0.02]
    assert memory["data"][0]["error_x"]["array"] == pytest.approx([0.1, 0.05, 0.03])
    assert memory["data"][0]["error_x"]["arrayminus"] == pytest.approx([0.1, 0.05, 0.03])
    assert spikes["layout"]["yaxis"]["ticktext"] == ["membrane time constant"]


def test_tables_hold_values_with_units_and_explanations(full: Page) -> None:
    assert "memory capacity C How many past input samples" in full.words
    assert "−0.02 [−0.022, −0.018] per ms" in full.words
    assert "energy per input sample, µJ" in full.words
    assert "mean rate of a channel, Hz 10 " in full.words
    assert "40 neurons · 32 of them excitatory · 70 input channels" in full.words
