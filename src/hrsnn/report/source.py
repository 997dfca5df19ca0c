"""What a run directory holds, read and checked: the only part of the report that touches files it did not write.

Every value of results.json and outcomes/*.json may be null or absent; what is present must have the right form, and
the first that has not is named with its file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from hrsnn._checks import FileError
from hrsnn.outcome import Stage, unsealed
from hrsnn.report.parts.document import Part, Range, number
from hrsnn.report.parts.words import Kind
from hrsnn.vocabulary import METRICS, MOST_HETEROGENEOUS, NETWORKS, RESULTS, baselines, higher_is_better

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
    def rest(self) -> str:
        """The label without the arm: what was done to it, "" where it was only trained."""
        if self.stage == "control" and self.method is not None:
            return self.method.replace("-", " ")
        method = f" ({self.method})" if self.method else ""
        return f"{self.stage}{method}" if self.stage != "trained" or method else ""

    @property
    def label(self) -> str:
        return f"{self.arm}, {self.rest}" if self.rest else self.arm

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
class Repeat:
    """One seed of a row: the outcome as it stands in results.json, or in outcomes/ with its details."""

    key: Key
    seed: int
    outcome: Part

    @property
    def details(self) -> Part:
        return self.outcome.part("details")

    @property
    def network(self) -> Part:
        return self.outcome.part("network")

    @property
    def warnings(self) -> list[str]:
        return [str(warning) for warning in self.outcome.items("warnings")]

    @property
    def scores(self) -> list[Mapping[str, Any]]:
        return [self.outcome.part(name).values for name in ("metrics", "costs")]


@dataclass(frozen=True, slots=True)
class Estimate:
    mean: float | None
    ci95: Range | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The seeds of one key together; `ci95` is None with one seed."""

    key: Key
    n_seeds: int = 0
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    costs: Numbers = field(default_factory=dict)
    energy_pj: Numbers = field(default_factory=dict)

    def score(self, metric: str) -> Estimate:
        """The metric, without a mean where it was not measured."""
        return self.metrics.get(metric, Estimate(None))

    def mean(self, metric: str) -> float | None:
        return self.score(metric).mean


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
    def reading(self) -> Kind:
        """How it reads: the kind of finding it is, for a metric of known direction or (gain = higher) not.

        >>> Comparison(Key("A"), Key("B"), "nrmse", diff=-0.2, ci95=(-0.3, -0.1), n_pairs=5).reading
        'gain'
        """
        if self.ci95 is None or self.diff is None:
            return "open"
        low, high = self.ci95
        if low <= 0 <= high:
            return "none"
        return "gain" if (low > 0) == (higher_is_better(self.metric) is not False) else "loss"

    @property
    def tied(self) -> bool:
        """Whether it tells its two arms apart in no recording and no start.

        >>> Comparison(Key("A"), Key("B"), "vpt_steps", diff=0.0, ci95=(0.0, 0.0), n_pairs=5).tied
        True
        """
        return self.diff == 0 and self.ci95 in (None, (0.0, 0.0))

    @property
    def words(self) -> str:
        """In a few words."""
        if self.diff is None:
            return "no value"
        if self.ci95 is None:
            return "one seed, no interval" if self.n_pairs == 1 else "no interval"
        if self.reading == "none":
            return "no measurable difference"
        judged = {"gain": " (better)", "loss": " (worse)"}[self.reading] if self.metric in METRICS else ""
        return ("higher" if self.ci95[0] > 0 else "lower") + judged

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
    units: tuple[Repeat, ...]
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    own_values: tuple[str, ...] = ()

    def row(self, key: Key | None) -> Row:
        """The row of `key`, one without numbers where there is none."""
        return next((row for row in self.rows if row.key == key), Row(key or Key("")))

    def compared(self, a: Key, b: Key, metric: str) -> Comparison | None:
        """The comparison of `a` with `b`, turned round if it was written the other way; None for identical things."""
        if self.identical(a, b):
            return None
        both_ways = ((c, c.swapped) for c in self.comparisons if c.metric == metric)
        return next((c for ways in both_ways for c in ways if (c.a, c.b) == (a, b)), None)

    def identical(self, a: Key, b: Key) -> bool:
        """Whether two rows are one and the same: every seed of both has equal scores and equal costs."""
        first, second = ({one.seed: one.scores for one in self.units_of(key)} for key in (a, b))
        return bool(first) and first == second

    @property
    def told(self) -> list[Comparison]:
        """The comparisons of things that differ."""
        return [c for c in self.comparisons if not self.identical(c.a, c.b)]

    @property
    def metrics(self) -> list[str]:
        """Those that have a value, the known ones first."""
        found = {name for row in self.rows for name in row.metrics if row.mean(name) is not None}
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

    def units_of(self, key: Key | None) -> list[Repeat]:
        return sorted((one for one in self.units if one.key == key), key=lambda one: one.seed)

    def ratio(self, a: Key, b: Key, *costs: str) -> float | None:
        """How many times as much `a` spends as `b`, of the first of the costs that both know."""
        spent = ([self.row(key).costs.get(cost) for key in (a, b)] for cost in costs)
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
    whole = Part(values, owner, remedy=_AGAIN)
    whole.check(whole.values.get("schema") == RESULTS.text, "schema", f'must be "{RESULTS.text}"')
    return Results(
        task=str(whole.values.get("task") or "unnamed task"),
        created=str(whole.values.get("created") or ""),
        data=_data_line(whole.values.get("data")),
        versions={str(k): str(v) for k, v in whole.part("versions").values.items() if v is not None},
        units=tuple(_repeat(part) for part in whole.parts("outcomes")),
        rows=tuple(sorted(map(_row, whole.parts("summary")), key=lambda row: row.key.rank)),
        comparisons=tuple(_comparison(part) for part in whole.parts("comparisons")),
        own_values=tuple(str(arm) for arm in whole.values.get("own_values") or ()),
    )


def read_json(path: Path) -> Any:
    """The JSON value in `path`; NaN and infinity, which are no JSON, become None."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is damaged: {error}; {_RESUME.format('it')}") from error


def _repeat(part: Part) -> Repeat:
    return Repeat(_key(part), part.whole("seed"), part)


def _row(part: Part) -> Row:
    n_seeds, costs, metrics = part.whole("n_seeds"), part.part("costs"), part.part("metrics")
    parts = {str(name): metrics.part(name) for name in metrics.values}
    scores = {n: Estimate(e.number("mean"), e.interval() if n_seeds != 1 else None) for n, e in parts.items()}
    return Row(_key(part), n_seeds, scores, _means(costs), _means(costs.part("energy_pj")))


def _means(part: Part) -> dict[str, float | None]:
    """Of the tables in a table."""
    each = {str(name): value for name, value in part.values.items() if isinstance(value, Mapping)}
    return {name: number(value.get("mean")) for name, value in each.items() if name != "energy_pj"}


def _comparison(part: Part) -> Comparison:
    a, b, metric = (_text(part, name) for name in ("a", "b", "metric"))
    interval, n_pairs = part.interval() if part.whole("n_pairs") > 1 else None, part.whole("n_pairs")
    return Comparison(Key.parse(a), Key.parse(b), metric, part.number("diff"), interval, n_pairs)


def _key(part: Part) -> Key:
    return Key(_text(part, "arm"), str(part.text("stage", "trained")), part.text("method", None)).plain


def _text(part: Part, name: str) -> str:
    part.check(part.text(name), name, "must be a text")
    return str(part.text(name))


def _with_details(results: Results, folder: Path) -> Results:
    found: dict[tuple[Key, int], Repeat] = {}
    listed = folder.parent / "results.json"
    for path in sorted(folder.glob("*.json")):
        values = read_json(path)
        one = _repeat(Part(values, str(path), remedy=_RESUME.format("that outcome")))
        if "sha256" in values:
            try:
                unsealed(path.read_bytes())
            except ValueError as error:
                raise FileError(f"{path} is damaged: {error}; {_RESUME.format('it')}") from error
        found[one.key, one.seed] = one
    for one in results.units:
        who, stored = f"{one.key.label}, seed {one.seed}", found.get((one.key, one.seed))
        if stored is None:
            remedy = f"put the file back, or {_RESUME.format('results.json')}"
            raise FileError(f"{folder} holds no outcome of {who}, which {listed} lists; {remedy}")
        if stored.scores != one.scores:
            remedy = _RESUME.format("results.json")
            raise FileError(f"{listed} has other numbers for {who} than {stored.outcome.owner}; {remedy}")
    return replace(results, units=tuple(found[one.key, one.seed] for one in results.units))


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
