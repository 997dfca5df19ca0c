"""What a run directory holds, read and checked: the only part of the report that touches files it did not write.

Every value of results.json and outcomes/*.json may be null or absent; what is present must have the right form, and
the first that has not is named with its file. Texts are kept as they are: escaping belongs to whoever shows them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from hrsnn._checks import FileError
from hrsnn.outcome import unsealed
from hrsnn.vocabulary import BASELINES, METRICS, MOST_HETEROGENEOUS, NETWORKS, RESULTS


@dataclass(frozen=True, slots=True)
class Key:
    """One row of every table and figure: an arm, its stage and its method.

    >>> Key.parse("HeNHeS/control/no-recurrence").label, Key.parse("InputOnly/control").label
    ('HeNHeS, no recurrence', 'InputOnly')
    """

    arm: str
    stage: str = "trained"
    method: str | None = None

    @classmethod
    def parse(cls, name: str) -> Key:
        """From the name used in `comparisons`; an arm that merely contains slashes stays whole."""
        for n_parts in (3, 2):
            parts = name.rsplit("/", n_parts - 1)
            if len(parts) == n_parts and parts[0] and parts[1] in ("trained", "pruned", "control", "trial"):
                return cls(*parts).plain
        return cls(name)

    @property
    def plain(self) -> Key:
        """The same row whichever way it was written: a baseline is its arm alone."""
        method = None if self.method in (None, "", "None", "null") else self.method
        baseline = self.arm in BASELINES and method is None
        return Key(self.arm, "trained" if baseline else self.stage, method)

    @property
    def label(self) -> str:
        if self.stage == "trained" and self.method is None:
            return self.arm
        if self.stage == "control" and self.method is not None:
            return f"{self.arm}, {self.method.replace('-', ' ')}"
        return f"{self.arm}, {self.stage}" + (f" ({self.method})" if self.method else "")


@dataclass(frozen=True, slots=True)
class Unit:
    """One finished unit of work; `details` is {} where outcomes/ holds none."""

    key: Key
    seed: int
    metrics: Mapping[str, float | None]
    costs: Mapping[str, float | None]
    energy_pj: Mapping[str, float | None]
    network: Mapping[str, Any]
    wall_s: float | None
    warnings: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    mean: float | None
    ci95: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The seeds of one key together; `ci95` is None with one seed."""

    key: Key
    n_seeds: int
    metrics: Mapping[str, Estimate]
    costs: Mapping[str, float | None]
    energy_pj: Mapping[str, float | None]

    def score(self, metric: str) -> Estimate:
        """The metric, without a mean where it was not measured."""
        return self.metrics.get(metric, Estimate(None))


@dataclass(frozen=True, slots=True)
class Comparison:
    """`diff` is metric(a) - metric(b); `ci95` is None when there is no interval to speak of."""

    a: Key
    b: Key
    metric: str
    diff: float | None
    ci95: tuple[float, float] | None
    n_pairs: int

    @property
    def swapped(self) -> Comparison:
        ci95 = None if self.ci95 is None else (-self.ci95[1], -self.ci95[0])
        return replace(self, a=self.b, b=self.a, diff=None if self.diff is None else -self.diff, ci95=ci95)


@dataclass(frozen=True, slots=True)
class Results:
    task: str
    created: str
    data: str
    versions: Mapping[str, str]
    units: tuple[Unit, ...]
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]

    def row(self, key: Key) -> Row | None:
        return next((row for row in self.rows if row.key == key), None)

    def compared(self, a: Key, b: Key, metric: str) -> Comparison | None:
        """The comparison of `a` with `b`, turned round if it was written the other way; None for identical things."""
        if self.identical(a, b):
            return None
        for c in self.comparisons:
            if c.metric == metric and (c.a, c.b) == (a, b):
                return c
            if c.metric == metric and (c.a, c.b) == (b, a):
                return c.swapped
        return None

    def identical(self, a: Key, b: Key) -> bool:
        """Whether two rows are one and the same: every seed of both has equal scores and equal costs."""
        first, second = ({u.seed: (u.metrics, u.costs) for u in self.units if u.key == key} for key in (a, b))
        return bool(first) and first == second

    def of_identical(self, metric: str | None) -> list[Comparison]:
        """The comparisons of one metric that compare a thing with itself, which are not told."""
        return [c for c in self.comparisons if c.metric == metric and self.identical(c.a, c.b)]

    @property
    def told(self) -> list[Comparison]:
        """The comparisons of things that differ."""
        return [c for c in self.comparisons if not self.identical(c.a, c.b)]

    @property
    def headline(self) -> str | None:
        """The metric the report speaks about: the first known one that has a value, else any that has."""
        found = {name for row in self.rows for name, e in row.metrics.items() if e.mean is not None}
        return next((name for name in [*METRICS, *sorted(found)] if name in found), None)

    @property
    def reference(self) -> Key | None:
        """The arm that details are shown for: the most heterogeneous network of the run."""
        networks = [row.key for row in self.rows if row.key == Key(row.key.arm) and row.key.arm not in BASELINES]
        preferred = [key for arm in MOST_HETEROGENEOUS for key in networks if key.arm == arm]
        return next(iter([*preferred, *networks]), None)

    def units_of(self, key: Key | None) -> list[Unit]:
        return sorted((u for u in self.units if u.key == key), key=lambda u: u.seed)


# -- reading -----------------------------------------------------------------------------------------------------------


def read_run(run_dir: Path, values: Mapping[str, Any] | None = None) -> Results:
    """The results of a run directory with the details of its outcomes; `values` stand for results.json if given.

    Raises `FileError` naming the file and what to do: results.json missing or damaged, an outcome damaged, or missing
    although results.json lists it. Without a folder outcomes/ the results are returned without details.
    """
    if not run_dir.is_dir():
        raise FileError(f"{run_dir} is not a directory; give the directory of a finished run")
    path = run_dir / "results.json"
    if values is None and not path.exists():
        again = f"finish it with `hrsnn run {run_dir / 'config.toml'} --out {run_dir} --resume`"
        raise FileError(f"{path} is missing, so this is not a finished run; {again}")
    results = parse_results(read_json(path) if values is None else values, str(path))
    folder = run_dir / "outcomes"
    return _with_details(results, folder) if folder.is_dir() else results


def parse_results(values: Any, owner: str = "results.json") -> Results:
    """`Results` from the object of results.json (docs/reference/run-directory.md); `owner` is named in errors."""
    _need(isinstance(values, Mapping), owner, "must hold an object", type(values).__name__)
    schema = values.get("schema")
    _need(schema == RESULTS.text, owner, f'must have schema "{RESULTS.text}"', schema)
    units = tuple(_unit(v, f"{owner}, outcomes[{i}]") for i, v in enumerate(_list(values, "outcomes", owner)))
    summary = [_row(v, f"{owner}, summary[{i}]") for i, v in enumerate(_list(values, "summary", owner))]
    rows = _completed(summary, units)
    return Results(
        task=str(values.get("task") or "unnamed task"),
        created=str(values.get("created") or ""),
        data=_data_line(values.get("data")),
        versions={str(k): str(v) for k, v in _map(values, "versions", owner).items() if v is not None},
        units=units,
        rows=tuple(sorted(rows, key=_rank)),
        comparisons=tuple(
            _comparison(v, f"{owner}, comparisons[{i}]") for i, v in enumerate(_list(values, "comparisons", owner))
        ),
    )


def read_json(path: Path) -> Any:
    """The JSON value in `path`; NaN and infinity, which are no JSON, become None."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except FileNotFoundError as error:
        raise FileError(f"{path} is missing; rebuild it with `hrsnn run --resume`") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is damaged: {error}; delete it and run again with `--resume`") from error


def number(value: Any) -> float | None:
    """`value` as a finite float, or None.

    >>> number(3), number(True), number("3"), number(float("nan"))
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond every float
        return None


def detail(unit: Unit, *path: str) -> Any:
    """The value at `path` inside the details of `unit`, or None where any step is absent."""
    value: Any = unit.details
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def column(unit: Unit, *path: str) -> list[float | None] | None:
    """The list of numbers at `path` inside the details of `unit`; None when absent or empty.

    Raises `FileError` when something else stands there.
    """
    value = detail(unit, *path)
    if value is None or value == []:
        return None
    damaged(unit, ".".join(path), "must be a list", isinstance(value, list))
    return [number(v) for v in value]


def damaged(unit: Unit, name: str, rule: str, ok: object) -> None:
    """Raise `FileError` for the detail `name` of `unit` unless `ok`."""
    if not ok:
        where = f"{unit.file or 'results'} ({unit.key.label}, seed {unit.seed})"
        raise FileError(f"`details.{name}` of {where} {rule}; delete that outcome and run again with `--resume`")


def _unit(values: Any, owner: str) -> Unit:
    _need(isinstance(values, Mapping), owner, "must be an object", values)
    costs = _map(values, "costs", owner)
    return Unit(
        key=_key(values, owner),
        seed=int(number(values.get("seed")) or 0),
        metrics={str(k): number(v) for k, v in _map(values, "metrics", owner).items()},
        costs={str(k): number(v) for k, v in costs.items() if k != "energy_pj"},
        energy_pj={str(k): number(v) for k, v in _map(costs, "energy_pj", owner).items()},
        network=_map(values, "network", owner),
        wall_s=number(values.get("wall_s")),
        warnings=tuple(str(w) for w in _list(values, "warnings", owner)),
    )


def _row(values: Any, owner: str) -> Row:
    key = _key(values, owner)
    costs = _map(values, "costs", owner)
    n_seeds = int(number(values.get("n_seeds")) or 0)
    metrics = {}
    for name, estimate in _map(values, "metrics", owner).items():
        if estimate is None:
            estimate = {}
        _need(isinstance(estimate, Mapping), f"{owner}.metrics.{name}", "must be an object", estimate)
        ci95 = _interval(estimate.get("ci95"), f"{owner}.metrics.{name}") if n_seeds != 1 else None
        metrics[str(name)] = Estimate(number(estimate.get("mean")), ci95)
    return Row(
        key=key,
        n_seeds=n_seeds,
        metrics=metrics,
        costs={str(k): _mean_of(v) for k, v in costs.items() if k != "energy_pj"},
        energy_pj={str(k): _mean_of(v) for k, v in _map(costs, "energy_pj", owner).items() if k not in ("mean", "sd")},
    )


def _comparison(values: Any, owner: str) -> Comparison:
    _need(isinstance(values, Mapping), owner, "must be an object", values)
    for name in ("a", "b", "metric"):
        _need(isinstance(values.get(name), str), f"{owner}.{name}", "must be a text", values.get(name))
    n_pairs = int(number(values.get("n_pairs")) or 0)
    return Comparison(
        a=Key.parse(values["a"]),
        b=Key.parse(values["b"]),
        metric=values["metric"],
        diff=number(values.get("diff")),
        ci95=_interval(values.get("ci95"), owner) if n_pairs > 1 else None,
        n_pairs=n_pairs,
    )


def _completed(summary: list[Row], units: Iterable[Unit]) -> list[Row]:
    """The rows of the summary, each with the costs it lacks, and one row per key the summary forgot."""
    by_key: dict[Key, list[Unit]] = {}
    for unit in units:
        by_key.setdefault(unit.key, []).append(unit)
    rows = {row.key: row for row in summary}
    for key, members in by_key.items():
        row = rows.get(key) or Row(key, len(members), {}, {}, {})
        metrics = {name: Estimate(mean) for name, mean in _means(u.metrics for u in members).items()}
        rows[key] = replace(
            row,
            n_seeds=row.n_seeds or len(members),
            metrics={**metrics, **row.metrics},
            costs={**_means(u.costs for u in members), **_present(row.costs)},
            energy_pj={**_means(u.energy_pj for u in members), **_present(row.energy_pj)},
        )
    return list(rows.values())


def _means(maps: Iterable[Mapping[str, float | None]]) -> dict[str, float | None]:
    found: dict[str, list[float]] = {}
    for values in maps:
        for name, value in values.items():
            found.setdefault(name, []).extend([] if value is None else [value])
    return {name: fmean(values) if values else None for name, values in found.items()}


def _present(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _rank(row: Row) -> tuple[int, int, int]:
    """Baselines, then networks, then controls and pruned networks; the order of the file decides between equals."""
    key = row.key
    if key.arm in BASELINES:
        return 0, BASELINES.index(key.arm), 0
    position = NETWORKS.index(key.arm) if key.arm in NETWORKS else len(NETWORKS)
    stages = ("trained", "control", "pruned")
    stage = stages.index(key.stage) if key.stage in stages else len(stages)
    return (1, position, 0) if stage == 0 else (2, position, stage)


def _with_details(results: Results, folder: Path) -> Results:
    found: dict[tuple[Key, int], tuple[Unit, Mapping[str, Any], str]] = {}
    for path in sorted(folder.glob("*.json")):
        values = read_json(path)
        unit = _unit(values, str(path))
        if "sha256" in values:
            try:
                unsealed(path.read_bytes())
            except ValueError as error:
                raise FileError(f"{path} is damaged: {error}; delete it and run again with `--resume`") from error
        found[unit.key, unit.seed] = (unit, _map(values, "details", str(path)), str(path))
    units = []
    for unit in results.units:
        if (unit.key, unit.seed) not in found:
            what = f"{unit.key.label}, seed {unit.seed}, which {folder.parent / 'results.json'} lists"
            remedy = "put the file back, or delete results.json and run again with `--resume`"
            raise FileError(f"{folder} holds no outcome of {what}; {remedy}")
        stored, details, file = found[unit.key, unit.seed]
        same = all(getattr(stored, name) == getattr(unit, name) for name in ("metrics", "costs", "energy_pj"))
        if not same:
            raise FileError(
                f"{folder.parent / 'results.json'} has other numbers for {unit.key.label}, seed {unit.seed} than "
                f"{file}; delete results.json and run again with `--resume`"
            )
        units.append(replace(unit, details=details, file=file))
    return replace(results, units=tuple(units))


def _key(values: Any, owner: str) -> Key:
    _need(isinstance(values, Mapping), owner, "must be an object", values)
    arm, stage, method = values.get("arm"), values.get("stage"), values.get("method")
    _need(isinstance(arm, str) and arm, f"{owner}.arm", "must be a text", arm)
    _need(stage is None or isinstance(stage, str), f"{owner}.stage", "must be a text", stage)
    _need(method is None or isinstance(method, str), f"{owner}.method", "must be a text or null", method)
    return Key(arm, stage or "trained", method).plain


def _map(values: Mapping[str, Any], name: str, owner: str) -> Mapping[str, Any]:
    value = values.get(name)
    _need(value is None or isinstance(value, Mapping), f"{owner}.{name}", "must be an object", value)
    return value or {}


def _list(values: Mapping[str, Any], name: str, owner: str) -> list[Any]:
    value = values.get(name)
    _need(value is None or isinstance(value, list), f"{owner}.{name}", "must be a list", value)
    return value or []


def _interval(value: Any, owner: str) -> tuple[float, float] | None:
    if value is None:
        return None
    _need(isinstance(value, list) and len(value) == 2, f"{owner}.ci95", "must be null or two numbers", value)
    low, high = number(value[0]), number(value[1])
    if low is None or high is None:
        return None
    _need(low <= high, f"{owner}.ci95", "must rise", value)
    return low, high


def _mean_of(value: Any) -> float | None:
    return number(value.get("mean")) if isinstance(value, Mapping) else number(value)


def _data_line(data: Any) -> str:
    """One line about the data and their licence from whatever the task said about them."""
    if isinstance(data, Mapping):
        parts = {str(name): _data_line(value) for name, value in data.items()}
        plain = ("name", "description")
        return " · ".join(text if name in plain else f"{name}: {text}" for name, text in parts.items() if text)
    if isinstance(data, list):
        return ", ".join(_data_line(value) for value in data)
    return "" if data is None else str(data)


def _need(ok: object, where: str, rule: str, value: Any) -> None:
    if not ok:
        shown = repr(value)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        raise FileError(f"{where} {rule}, got {shown}; run again, or read it with the hrsnn that wrote it")
