"""What a run directory holds, read and checked: the only part of the report that touches files it did not write.

Every value of results.json and outcomes/*.json may be null or absent; what is present must have the right form, and
the first that has not is named with its file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

from hrsnn._checks import FileError
from hrsnn.outcome import Stage, unsealed
from hrsnn.report.parts.document import Part, Range, number
from hrsnn.vocabulary import METRICS, MOST_HETEROGENEOUS, NETWORKS, RESULTS, baselines

_AGAIN = "run again, or read it with the hrsnn that wrote it"
_RESUME = "delete {} and run again with `--resume`"
Numbers = Mapping[str, float | None]


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
            if len(parts) == n_parts and parts[0] and parts[1] in get_args(Stage):
                return cls(*parts).plain
        return cls(name)

    @property
    def plain(self) -> Key:
        """The same row whichever way it was written: a baseline is its arm alone."""
        method = None if self.method in (None, "", "None", "null") else self.method
        baseline = self.arm in baselines() and method is None
        return Key(self.arm, "trained" if baseline else self.stage, method)

    @property
    def label(self) -> str:
        if self.stage == "trained" and self.method is None:
            return self.arm
        if self.stage == "control" and self.method is not None:
            return f"{self.arm}, {self.method.replace('-', ' ')}"
        return f"{self.arm}, {self.stage}" + (f" ({self.method})" if self.method else "")

    @property
    def without_recurrence(self) -> Key:
        return Key(self.arm, "control", "no-recurrence")

    @property
    def rank(self) -> tuple[int, int, int]:
        """Baselines, then networks, then controls and pruned networks."""
        if self.arm in baselines():
            return 0, baselines().index(self.arm), 0
        position = NETWORKS.index(self.arm) if self.arm in NETWORKS else len(NETWORKS)
        stages = ("trained", "control", "pruned")
        stage = stages.index(self.stage) if self.stage in stages else len(stages)
        return (1, position, 0) if stage == 0 else (2, position, stage)


@dataclass(frozen=True, slots=True)
class Unit:
    """One finished unit of work; `details` is empty where outcomes/ holds none."""

    key: Key
    seed: int
    metrics: Numbers
    costs: Numbers
    energy_pj: Numbers
    network: Part
    wall_s: float | None
    warnings: tuple[str, ...]
    details: Part

    @property
    def scores(self) -> tuple[Numbers, Numbers, Numbers]:
        return self.metrics, self.costs, self.energy_pj


@dataclass(frozen=True, slots=True)
class Estimate:
    mean: float | None
    ci95: Range | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The seeds of one key together; `ci95` is None with one seed."""

    key: Key
    n_seeds: int
    metrics: Mapping[str, Estimate]
    costs: Numbers
    energy_pj: Numbers

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
    ci95: Range | None
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

    def row(self, key: Key | None) -> Row | None:
        return next((row for row in self.rows if row.key == key), None)

    def compared(self, a: Key, b: Key, metric: str) -> Comparison | None:
        """The comparison of `a` with `b`, turned round if it was written the other way; None for identical things."""
        if self.identical(a, b):
            return None
        both_ways = ((c, c.swapped) for c in self.comparisons if c.metric == metric)
        return next((c for ways in both_ways for c in ways if (c.a, c.b) == (a, b)), None)

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
    def metrics(self) -> list[str]:
        """Those that have a value, the known ones first."""
        found = {name for row in self.rows for name, e in row.metrics.items() if e.mean is not None}
        return [*(name for name in METRICS if name in found), *sorted(found - METRICS.keys())]

    @property
    def headline(self) -> str | None:
        """The metric the report speaks about: the first known one that has a value, else any that has."""
        return next(iter(self.metrics), None)

    @property
    def reference(self) -> Key | None:
        """The arm that details are shown for: the most heterogeneous network of the run."""
        networks = [row.key for row in self.rows if row.key == Key(row.key.arm) and row.key.arm not in baselines()]
        preferred = [key for arm in MOST_HETEROGENEOUS for key in networks if key.arm == arm]
        return next(iter([*preferred, *networks]), None)

    def units_of(self, key: Key | None) -> list[Unit]:
        return sorted((u for u in self.units if u.key == key), key=lambda u: u.seed)

    def ratio(self, a: Key, b: Key, *costs: str) -> float | None:
        """How many times as much `a` spends as `b`, of the first of the costs that both know."""
        rows = self.row(a), self.row(b)
        spent = ([row.costs.get(cost) if row else None for row in rows] for cost in costs)
        return next((over / under for over, under in spent if over is not None and under), None)


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
    whole = Part.of(values, "", owner, _AGAIN)
    whole.check(whole.values.get("schema") == RESULTS.text, "schema", f'must be "{RESULTS.text}"')
    units = tuple(_unit(part) for part in whole.parts("outcomes"))
    rows = _completed([_row(part) for part in whole.parts("summary")], units)
    return Results(
        task=str(whole.values.get("task") or "unnamed task"),
        created=str(whole.values.get("created") or ""),
        data=_data_line(whole.values.get("data")),
        versions={str(k): str(v) for k, v in whole.part("versions").values.items() if v is not None},
        units=units,
        rows=tuple(sorted(rows, key=lambda row: row.key.rank)),
        comparisons=tuple(_comparison(part) for part in whole.parts("comparisons")),
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
        raise FileError(f"{path} is damaged: {error}; {_RESUME.format('it')}") from error


def _unit(part: Part) -> Unit:
    costs = part.part("costs")
    return Unit(
        key=_key(part),
        seed=int(part.number("seed") or 0),
        metrics=part.part("metrics").floats(),
        costs={name: value for name, value in costs.floats().items() if name != "energy_pj"},
        energy_pj=costs.part("energy_pj").floats(),
        network=part.part("network"),
        wall_s=part.number("wall_s"),
        warnings=tuple(str(warning) for warning in part.items("warnings")),
        details=replace(part, values={}),
    )


def _row(part: Part) -> Row:
    n_seeds, costs, metrics = part.whole("n_seeds"), part.part("costs"), part.part("metrics")
    estimates = {str(name): metrics.part(name) for name in metrics.values}
    return Row(
        key=_key(part),
        n_seeds=n_seeds,
        metrics={n: Estimate(e.number("mean"), e.interval() if n_seeds != 1 else None) for n, e in estimates.items()},
        costs={name: mean for name, mean in _means_in(costs).items() if name != "energy_pj"},
        energy_pj={n: mean for n, mean in _means_in(costs.part("energy_pj")).items() if n not in ("mean", "sd")},
    )


def _means_in(part: Part) -> dict[str, float | None]:
    each = {
        str(name): value.get("mean") if isinstance(value, Mapping) else value for name, value in part.values.items()
    }
    return {name: number(value) for name, value in each.items()}


def _comparison(part: Part) -> Comparison:
    names = [part.text(name, None) for name in ("a", "b", "metric")]
    for name, value in zip(("a", "b", "metric"), names, strict=True):
        part.check(value is not None, name, "must be a text")
    a, b, metric = map(str, names)
    n_pairs = part.whole("n_pairs")
    interval = part.interval() if n_pairs > 1 else None
    return Comparison(Key.parse(a), Key.parse(b), metric, part.number("diff"), interval, n_pairs)


def _key(part: Part) -> Key:
    arm = part.text("arm")
    part.check(arm, "arm", "must be a text")
    return Key(str(arm), str(part.text("stage", "trained")), part.text("method", None)).plain


def _completed(summary: list[Row], units: Iterable[Unit]) -> list[Row]:
    """The rows of the summary, each with the costs it lacks, and one row per key the summary forgot."""
    by_key: dict[Key, list[Unit]] = {}
    for unit in units:
        by_key.setdefault(unit.key, []).append(unit)
    rows = {row.key: row for row in summary}
    for key, members in by_key.items():
        row = rows.get(key) or Row(key, len(members), {}, {}, {})
        metrics, costs, energy_pj = (_means(each) for each in zip(*(unit.scores for unit in members), strict=True))
        rows[key] = replace(
            row,
            n_seeds=row.n_seeds or len(members),
            metrics={**{name: Estimate(mean) for name, mean in metrics.items()}, **row.metrics},
            costs={**costs, **{name: value for name, value in row.costs.items() if value is not None}},
            energy_pj={**energy_pj, **{name: value for name, value in row.energy_pj.items() if value is not None}},
        )
    return list(rows.values())


def _means(maps: Iterable[Numbers]) -> dict[str, float | None]:
    found: dict[str, list[float]] = {}
    for values in maps:
        for name, value in values.items():
            found.setdefault(name, []).extend([] if value is None else [value])
    return {name: fmean(values) if values else None for name, values in found.items()}


def _with_details(results: Results, folder: Path) -> Results:
    found: dict[tuple[Key, int], tuple[Unit, Part]] = {}
    listed = folder.parent / "results.json"
    for path in sorted(folder.glob("*.json")):
        values = read_json(path)
        unit = _unit(whole := Part.of(values, "", str(path), _RESUME.format("that outcome")))
        if "sha256" in values:
            try:
                unsealed(path.read_bytes())
            except ValueError as error:
                raise FileError(f"{path} is damaged: {error}; {_RESUME.format('it')}") from error
        found[unit.key, unit.seed] = unit, whole.part("details")
    units = []
    for unit in results.units:
        who = f"{unit.key.label}, seed {unit.seed}"
        if (unit.key, unit.seed) not in found:
            remedy = f"put the file back, or {_RESUME.format('results.json')}"
            raise FileError(f"{folder} holds no outcome of {who}, which {listed} lists; {remedy}")
        stored, details = found[unit.key, unit.seed]
        if stored.scores != unit.scores:
            remedy = _RESUME.format("results.json")
            raise FileError(f"{listed} has other numbers for {who} than {details.owner}; {remedy}")
        units.append(replace(unit, details=details))
    return replace(results, units=tuple(units))


_SAYS_NOTHING = ("", "not stated", "own recordings")  # what own data come with unless their owner says more


def _data_line(data: Any) -> str:
    """One line about the data and their licence from whatever the task said about them."""
    if isinstance(data, Mapping):
        parts = {str(name): _data_line(value) for name, value in data.items()}
        plain = ("name", "description")
        told = {name: text for name, text in parts.items() if text not in _SAYS_NOTHING}
        return " · ".join(text if name in plain else f"{name}: {text}" for name, text in told.items())
    if isinstance(data, list):
        return ", ".join(_data_line(value) for value in data)
    return "" if data is None else str(data)
