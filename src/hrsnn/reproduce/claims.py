"""The ledger of claims: measure, judge, and say what was found as one JSON document."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from hrsnn.analysis.importance import require_shapiq
from hrsnn.config import to_tables
from hrsnn.metrics import interval_of_mean
from hrsnn.outcome import plain_values
from hrsnn.report.parts.words import quantity, with_sign, within
from hrsnn.reproduce import measurements
from hrsnn.reproduce.ledger import CLAIMS, Claim, Test
from hrsnn.reproduce.measurements import (
    backprop_config,
    delayed_config,
    digit_spec,
    drive_spec,
    map_axes,
    mechanism_spec,
)
from hrsnn.reproduce.pairs import Observations
from hrsnn.reproduce.scales import Order, Scale
from hrsnn.reproduce.store import Measuring, document_head, measured
from hrsnn.reproduce.units import ARMS, MECHANISM_TASKS, PLAIN, Values, digit_unit, plan
from hrsnn.reproduce.verdict import LEVEL, MARGIN, judge, surviving_holm, verdict_of
from hrsnn.vocabulary import CLAIMS as CLAIMS_SCHEMA
from hrsnn.work.unit import Unit

_ACTIVITY = ("rate_hz", "silent_share", "memory", "memory_counts")
_EDITION = 1  # of what units measure: raised when it changes, so that older files are no units any more


def claims_document(order: Order) -> dict[str, Any]:
    """Measure what `out`/units lacks, and judge all claims; the document of claims.json.

    Raises `MissingExtraError` without shapiq, `RunError` when a unit fails or a file cannot be written; finished units
    are kept.
    """
    require_shapiq()
    values = measured(work_of(order.sizes, order.out), order.say, n_jobs=order.n_jobs, executor=order.executor)
    return document_of(order.sizes, values, command=order.command)


def work_of(scale: Scale, out: Path) -> Measuring:
    """The units behind the claims at a scale, kept in `out`/units."""
    measure = partial(measurements.measure, scale=scale)
    return Measuring(out / "units", partial(plan, scale), partial(_facts, scale), measure)


def _facts(scale: Scale, unit: Unit) -> list[Any]:
    specs = [drive_spec(scale.n_neurons).to_dict(), digit_spec(scale.n_digit_neurons).to_dict()]
    if unit.kind == "backprop":
        config = backprop_config(unit.options[1], scale.n_backprop_neurons, scale.n_backprop_epochs)
        specs += [to_tables(config)]
    if unit.kind == "mechanism":
        where, variant = unit.options
        specs += [mechanism_spec(where, variant, scale).to_dict()]
        specs += [delayed_config(where).readout.model_dump(mode="json")] if where in MECHANISM_TASKS else []
    return [_EDITION, scale.sizes(), specs]


def document_of(scale: Scale, values: Mapping[str, Values], *, command: str) -> dict[str, Any]:
    """The document from the values of all units."""
    found = Observations(values, scale)
    document = {
        **document_head(CLAIMS_SCHEMA.text, scale, command),
        "rule": {"level": LEVEL, "margin_of_sameness": MARGIN},
        "claims": [measured_claim(claim, found) for claim in CLAIMS],
        "activity": _activity(found),
        "importance": found.importance.to_dict(),
        "regression": _regression(found),
        "map": _map(found),
        "networks": networks_of(scale),
    }
    return judged(plain_values(document))


def networks_of(scale: Scale) -> dict[str, Any]:
    """The fully heterogeneous networks behind all units, as plain values."""
    specs = {"white-drive": drive_spec(scale.n_neurons), "spoken-digits": digit_spec(scale.n_digit_neurons)}
    specs |= {task: mechanism_spec(task, PLAIN, scale) for task in MECHANISM_TASKS}
    return {name: spec.model_dump(mode="json") for name, spec in specs.items()}


def judged(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with everything that follows from its raw pairs made anew: effects, intervals, verdicts, sentences.

    A claim of the document is left as it is but for these; nothing is measured.
    """
    claims = [_judged_claim(claim) for claim in document["claims"]]
    deciding = [test for claim in claims for condition in claim["conditions"] for test in condition["tests"]]
    for test, survives in zip(deciding, surviving_holm([test["p"] for test in deciding]), strict=True):
        test["survives_holm"] = survives
    for claim in claims:
        claim["sentence"] = _sentence(claim)
    n_surviving = sum(test["survives_holm"] for test in deciding)
    return {**document, "claims": claims, "n_tests": len(deciding), "n_surviving_holm": n_surviving}


# -- one claim ---------------------------------------------------------------------------------------------------------


def measured_claim(claim: Claim, found: Observations) -> dict[str, Any]:
    """Words and raw pairs, without what `judged` makes of them."""

    def raw(tests: Iterable[Test]) -> list[dict[str, Any]]:
        pairs = ((test, test.pairs(found)) for test in tests)
        return [
            {"what": test.what, "claimed": test.side, "seeds": [*of], "pairs": [*of.values()]} for test, of in pairs
        ]

    words = {f.name: getattr(claim, f.name) for f in fields(claim)}
    conditions = [{"name": name, "tests": raw(tests)} for name, tests in claim.conditions.items()]
    return {**words, "conditions": conditions, "also": raw(claim.also)}


def _judged_claim(claim: Mapping[str, Any]) -> dict[str, Any]:
    def judged(tests: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{**test, **asdict(judge(test["pairs"], test["claimed"]))} for test in tests]

    conditions = [{**condition, "tests": judged(condition["tests"])} for condition in claim["conditions"]]
    for condition in conditions:
        condition["holds"] = all(test["reading"] == "supports" for test in condition["tests"])
    verdict, holding = verdict_of({condition["name"]: condition["holds"] for condition in conditions})
    return {
        **claim,
        "conditions": conditions,
        "also": judged(claim["also"]),
        "verdict": verdict,
        "when": list(holding) if verdict == "holds only when" else [],
        "n_pairs": max(test["n"] for condition in conditions for test in condition["tests"]),
    }


# -- words -------------------------------------------------------------------------------------------------------------


def _sentence(claim: Mapping[str, Any]) -> str:
    """What was found, by rule: the conditions that support the claim with their effects, and why the others do not."""
    supporting = "; ".join(_told(c) for c in claim["conditions"] if c["holds"])
    failing = "; ".join(f"{c['name']}, {_why_not(c)}" for c in claim["conditions"] if not c["holds"])
    if not supporting:
        return f"{failing[0].upper()}{failing[1:]}."
    holding = [c for c in claim["conditions"] if c["holds"]]
    alone = not any(all(test["survives_holm"] for test in c["tests"]) for c in holding)
    caution = " That support does not survive the correction for all tests." if alone else ""
    return f"Supported: {supporting}.{caution}" + (f" But {failing}." if failing else "")


def _why_not(condition: Mapping[str, Any]) -> str:
    """In words: the first test that speaks against the claim, else the first that does not support it."""
    failing = [test for test in condition["tests"] if test["reading"] != "supports"]
    test = next((test for test in failing if test["reading"] == "against"), failing[0])
    what = test["what"]
    if test["n"] < 2:
        return f"{what} could not be measured"
    effect = _effect(test)
    if test["claimed"] == "same":
        percent = f"{100 * MARGIN:g} % margin (±{quantity(test['margin'])})"
        if test["reading"] == "against":
            return f"{what} is {effect}, outside the {percent}"
        return f"{what} is {effect}, not certain to be inside the {percent}"
    if test["reading"] == "against":
        return f"the opposite was measured: {what} is {effect}"
    low, high = test["ci95"]
    most = high if test["claimed"] == "above" else low
    return f"no effect could be measured: {what} is {effect}, which leaves room for {with_sign(most)} at most"


def _told(condition: Mapping[str, Any]) -> str:
    """A condition that holds, with the effects of all its tests."""
    effects = "; ".join(f"{test['what']}: {_effect(test)}" for test in condition["tests"])
    return f"{condition['name']} ({effects})"


def _effect(test: Mapping[str, Any]) -> str:
    return f"{with_sign(test['effect'])} {within(test['ci95'] or (math.nan, math.nan), with_sign)}"


# -- what stands beside the claims -------------------------------------------------------------------------------------


def _activity(found: Observations) -> list[dict[str, Any]]:
    """Means over seeds: how alive the networks are, and what they remember at all, beside the input itself."""
    scale = found.scale
    seeds, digit_seeds = range(scale.n_seeds), range(scale.n_digit_seeds)
    networks = {
        f"{arm}, {kind}, white drive": [Unit(kind, seed, (arm,)) for seed in seeds]
        for kind, arms in (("untrained", ("HoN", "HeN")), ("learned", tuple(ARMS)))
        for arm in arms
    }
    networks["the input of the white drive, no network"] = [Unit("input", seed) for seed in seeds]
    for arm in ARMS:
        units = [digit_unit(seed, arm, scale.n_digit_neurons, 1.0) for seed in digit_seeds]
        networks[f"{arm}, learned, spoken digits"] = units
    rows = []
    for words, units in networks.items():
        columns = {n: np.array([found.values[unit.name].get(n) for unit in units], dtype=float) for n in _ACTIVITY}
        means, rates = {name: column.mean() for name, column in columns.items()}, columns["rate_hz"]
        interval = None if np.isnan(rates).any() else interval_of_mean(rates)
        rows.append({"networks": words, "n": len(units), **means, "rate_ci95": interval})
    return rows


def _regression(found: Observations) -> dict[str, Any]:
    """C against evenness and correlation of the states over all networks of the spread, pooled (method.md 9.6)."""
    names = ("cv", "memory", "log_participation", "squared_correlation", "rate_hz")
    columns, lines = {name: found.spread(name).ravel() for name in names}, {}
    for x in ("log_participation", "squared_correlation"):
        known = ~np.isnan(columns[x] + columns["memory"])
        a, b = columns[x][known], columns["memory"][known]
        if len(a) > 2 and a.std() > 0:
            line = stats.linregress(a, b)
            half = float(stats.t.ppf(0.5 + LEVEL / 2, len(a) - 2)) * line.stderr
            lines[x] = {
                "slope": line.slope, "ci95": [line.slope - half, line.slope + half], "intercept": line.intercept,
                "r": line.rvalue, "n_networks": len(a),
            }  # fmt: skip
    return {"lines": lines, "points": columns}


def _map(found: Observations) -> dict[str, Any]:
    """Means over seeds; rows are length scales, columns weight scales."""
    lengths, weights = map_axes(found.scale.n_map_points)
    means: dict[str, dict[str, Any]] = {"HoNHoS": {}, "HeNHeS": {}}
    for (arm, name), values in found.maps.items():
        means[arm][name] = values.mean(axis=0)
    return {"length_scale": lengths, "weight_scale": weights, "n_seeds": found.scale.n_map_seeds, "mean": means}
