"""Config: everything a run depends on, as one file in tables (docs/reference/config.md).

`[task] [network] [network.excitatory] [network.inhibitory] [input] [synapses] [plasticity] [learn] [readout] [prune]
[arms.NAME]`

For own data, at `task.path`, what a file leaves out is what is recommended for data of that kind
(`hrsnn.recommendation`), not the general defaults; a file that says `network.n_inputs` is complete and keeps its word.

A key of a population under `[network]` sets both populations, under `[network.excitatory]` one, and the specific
wins. Under `[arms.HoNHoS]` stands what is another value for that arm, each key with its table before it:
`network.tau_mem_ms = 30.0`. An absent `[learn]` is a run without learning, an absent `[prune]` one without pruning.
`network.n_inputs` and `network.dt_ms` may be absent from a file: they follow from the task. `to_toml` writes the
complete, resolved text; it reads back as an equal config.
"""

from __future__ import annotations

import codecs
import copy
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import BeforeValidator, SerializeAsAny

from hrsnn._checks import FileError, InputError, as_path, as_text, did_you_mean, instance, require, shortened
from hrsnn.data.readers import kind_of, may_be_data
from hrsnn.distributions import KINDS as LAWS
from hrsnn.learners import KINDS as LEARNERS
from hrsnn.learners import Learner, learner_of
from hrsnn.pruning.spec import PruneSpec
from hrsnn.readout import ReadoutSpec
from hrsnn.recommendation import tables_of
from hrsnn.spec import (
    PRESETS,
    InputSpec,
    NetworkSpec,
    PlasticitySpec,
    PopulationSpec,
    SynapseSpec,
    Table,
    arm_names,
    validated,
)
from hrsnn.tasks import TaskSpec, shared_task

DEFAULT_PRESET = "spoken-digits"

# Tables of the file that are parts of NetworkSpec, beside [network] itself.
_OF_NETWORK: dict[str, type[Table]] = {"input": InputSpec, "synapses": SynapseSpec, "plasticity": PlasticitySpec}
_POPULATIONS = ("excitatory", "inhibitory")
_OPTIONAL = ("learn", "prune")  # absent means that the stage is off
_ARMS = "arms"
_OF_AN_ARM = ("network", *_OF_NETWORK, "learn")  # what may be another value for one
_FROM_TASK = ("n_inputs", "dt_ms")
_RULE = ["learn", "rule"]
_MODELS: dict[str, type[Table]] = {
    "task": TaskSpec, "network": NetworkSpec, **_OF_NETWORK, "learn": Learner, "readout": ReadoutSpec,
    "prune": PruneSpec,
}  # fmt: skip
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


_Learner = Annotated[SerializeAsAny[Learner], BeforeValidator(lambda t: learner_of(t) if isinstance(t, Mapping) else t)]


class Config(Table):
    """A run, described completely. `learn` is None when nothing is learned, `prune` when nothing is pruned.

    arms   tables of what is another value for an arm, by its name: `of_arm` puts them in
    """

    task: TaskSpec
    network: NetworkSpec
    learn: _Learner | None = None
    readout: ReadoutSpec = ReadoutSpec()
    prune: PruneSpec | None = None
    arms: dict[str, dict[str, Any]] = {}

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether units keep how far they are."""
        return self.learn is not None and self.learn.keeps_checkpoints

    def of_arm(self, name: str) -> Config:
        """The config that this arm is made of, with no `arms` of its own.

        >>> config = load_config("spoken-digits", ["arms.HoNHoS.synapses.weight_scale=2.0"])
        >>> config.of_arm("HoNHoS").network.synapses.weight_scale, config.of_arm("HeNHeS").network.synapses.weight_scale
        (2.0, 1.0)
        """
        if not self.arms:
            return self
        plain = {key: table for key, table in to_tables(self).items() if key != _ARMS}
        return from_tables(_of_arm(plain, self.arms.get(name, {})))


# -- reading -----------------------------------------------------------------------------------------------------------


def load_config(
    source: Config | str | PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    *,
    seed: int | None = None,
    n_seeds: int | None = None,
    data_dir: Path | None = None,
) -> Config:
    """The config in a file or of a built-in name, with the overrides applied before it is checked.

    source      a config, the path of a .toml file, a name from `preset_names()`, or None for spoken-digits. A bare name
                that is both is the built-in one; write `./name` for the file. Another file, or a folder, is own data:
                everything is as recommended for data of that kind, learning included
    overrides   "table.key=value" each, the value in TOML or a bare word; later ones and deeper ones win.
                "learn=false" takes that stage out, "learn=true" puts it in
    seed, n_seeds   of `[task]`
    data_dir    where data sets lie; read only when the file leaves `network.n_inputs` or `network.dt_ms` to the task

    Raises `InputError` saying in one sentence what is wrong and where; `FileError` when the file cannot be read.
    """
    tables = _read(source)
    if source is None and any(text.replace(" ", "").startswith("task.path=") for text in overrides):
        tables = {"task": {}, "learn": {}}  # own data, not the demonstration
    _apply(tables, overrides)
    _let_arms_follow(tables, overrides)
    tables = {name: content for name, content in tables.items() if content is not None}
    for name, value in (("seed", seed), ("n_seeds", n_seeds)):
        if value is not None:
            _as_table(tables, "task")[name] = value
    return from_tables(tables, data_dir=data_dir)


def from_tables(tables: Mapping[str, Any], *, data_dir: Path | None = None) -> Config:
    """The config of the tables of a file. See `load_config`."""
    of_arms = tables.get(_ARMS, {})
    tables = {name: table for name, table in tables.items() if name != _ARMS}
    for name, value in _keys_given(tables):
        _require_known(name)
        if isinstance(value, str) and "\0" in value:
            raise InputError(f"`{name}` must be text without zero characters, got {value!r}")
    task = validated(TaskSpec, dict(tables.get("task", {})), place="task")
    if task.path and "n_inputs" not in tables.get("network", {}):
        given = {**tables, "network": {**tables.get("network", {}), "n_inputs": 1, "dt_ms": 1.0}}
        _validated(given, task, data_dir)  # what was given is checked before data is opened for the rest
        tables = _with_recommended(tables, task, data_dir)
        task = validated(TaskSpec, tables["task"], place="task")
    config = _validated(tables, task, data_dir)
    if not of_arms:
        return config
    _check_arms(config, of_arms)
    return config.model_copy(update={_ARMS: of_arms})


def _check_arms(config: Config, of_arms: Any) -> None:
    """Raises `InputError` for an arm that is none, and for what cannot stand in its place."""
    known = arm_names() if config.learn is None else arm_names(config.learn.letter)
    require(isinstance(of_arms, Mapping), "config", _ARMS, "must be tables by the names of arms", of_arms)
    for arm, content in of_arms.items():
        remedy = did_you_mean(arm, known)
        require(arm in known, "config", _ARMS, f"must be of {', '.join(known)}", arm, remedy=remedy)
        rule = f"must hold keys of {', '.join(_OF_AN_ARM)}, such as network.tau_mem_ms = 30.0"
        ok = isinstance(content, Mapping) and all(name in _OF_AN_ARM for name in content)
        require(ok, "config", f"{_ARMS}.{arm}", rule, content)
        try:
            for name, _ in _keys_given(content):
                _require_known(name)
            from_tables(_of_arm(to_tables(config), content))
        except InputError as error:
            raise InputError(f"{error} (in {_ARMS}.{arm})") from error


def _of_arm(tables: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Complete tables with what is another value for an arm."""
    changed = copy.deepcopy(dict(tables))
    _put(changed, [(name.split("."), value) for name, value in _flat(content)])
    return changed


def _validated(tables: Mapping[str, Any], task: TaskSpec, data_dir: Path | None) -> Config:
    readout = validated(ReadoutSpec, dict(tables.get("readout", {})), place="readout")
    learner = learner_of(tables["learn"], readout_last_ms=readout.last_ms) if "learn" in tables else None
    if learner is not None:
        known = arm_names(learner.letter)
        other = next((arm for arm in task.arms if arm not in known), None)
        require(other is None, "task", "arms", f"must be of {', '.join(known)}, which {learner.rule} teaches", other)
    return Config(
        task=task,
        network=_network(tables, task, data_dir),
        learn=learner,
        readout=readout,
        prune=validated(PruneSpec, dict(tables["prune"]), place="prune") if "prune" in tables else None,
    )


def _with_recommended(tables: Mapping[str, Any], task: TaskSpec, data_dir: Path | None) -> dict[str, Any]:
    """The tables of own data, with what they leave open as it is recommended for data of their kind."""
    path = as_path("task", "path", task.path)
    kind = kind_of(path, task.kind)
    named = {} if "name" in tables.get("task", {}) else {"name": path.stem or "own"}
    given_task = {**named, **tables.get("task", {})}
    own = validated(TaskSpec, _under(tables_of(kind)["task"], given_task), place="task")
    recommended = tables_of(kind, n_inputs=shared_task(own, data_dir).n_inputs)
    network, readout = recommended["network"], recommended["readout"]
    for key in set(tables.get("network", {})) & set(PopulationSpec.model_fields):  # given for both populations
        for sign in _POPULATIONS:
            network[sign] = {name: law for name, law in network.get(sign, {}).items() if name != key}
    if "model" in tables.get("readout", {}):
        readout = {key: value for key, value in readout.items() if key != "regularisation"}  # another model's penalties
    rules = {table.get("rule", "stdp") for table in (recommended["learn"], tables.get("learn", {}))}
    learn = recommended["learn"] if len(rules) == 1 else {}  # of another rule
    wanted = {**recommended, "network": network, "readout": readout, "learn": learn}
    stages = [name for name in wanted if name not in _OPTIONAL or name in tables]
    completed = {name: _under(wanted[name], tables.get(name, {})) for name in stages}
    return {**tables, **completed, "task": _under(recommended["task"], given_task)}


def _under(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`base` where nothing is given; laws and lists are taken whole."""
    merged = {**base, **given}
    for name in ("forecast", *_POPULATIONS):
        if isinstance(base.get(name), Mapping) and isinstance(given.get(name), Mapping):
            merged[name] = {**base[name], **given[name]}
    return merged


def _is_data(path: Path) -> bool:
    """A file or folder that is not a config, nor the directory of a run."""
    place = as_path("hrsnn run", "CONFIG", path)
    if place.is_dir():
        return not (place / "config.toml").exists()
    return place.is_file() and may_be_data(place)


def prune_table(overrides: Sequence[str] = ()) -> PruneSpec:
    """The table `[prune]` alone, for a network that has no config; overrides as in `load_config`.

    >>> prune_table(["prune.keep_synapses=0.1"]).keep_synapses
    0.1
    """
    tables: dict[str, Any] = {}
    _apply(tables, overrides)
    others = [name for name in tables if name != "prune"]
    if others:
        raise InputError(
            f"--set {others[0]}... is for networks that are built from a config; give one, or leave it out"
        )
    return validated(PruneSpec, dict(tables.get("prune") or {}), place="prune")


def preset_names() -> list[str]:
    """Names of the built-in configs."""
    files = resources.files("hrsnn").joinpath("presets").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def _read(source: Config | str | PathLike[str] | None) -> dict[str, Any]:
    if isinstance(source, Config):
        return to_tables(source)
    names = preset_names()
    if source is None or (isinstance(source, str) and source in names):
        name = source or DEFAULT_PRESET
        content = resources.files("hrsnn").joinpath("presets", f"{name}.toml").read_bytes()
        return _parsed(content, f"the built-in config {name}")
    instance("hrsnn run", "CONFIG", source, str, PathLike)
    path = Path(source)
    if _is_data(path):
        return {"task": {"name": path.stem or "own", "path": str(path)}, "learn": {}}
    if path.is_dir():
        inside = path / "config.toml"
        remedy = f"give {inside}" if inside.is_file() else "give a .toml file"
        raise FileError(f"config {path} is a directory; {remedy}")
    if not path.is_file():
        near = did_you_mean(path.name.removesuffix(".toml"), names)
        is_file = path.suffix == ".toml" or len(path.parts) > 1
        missing = "is no file of text" if path.exists() else "does not exist"
        what = f"config {path} {missing}" if is_file else f'config "{path}" is neither a file nor a built-in name'
        raise FileError(f"{what}; {near}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"config {path} cannot be read ({error.strerror}); check its permissions") from error
    return _parsed(content, str(path))


def _parsed(content: bytes, place: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.removeprefix(codecs.BOM_UTF8).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FileError(f"{place} is not text in UTF-8 (byte {error.start}); save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FileError(f"{place} is not valid TOML: {error}") from error


def _keys_given(tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every key of the file under its dotted name, down to the keys of tables; laws and lists stay whole."""
    for table, content in tables.items():
        if not isinstance(content, Mapping):
            if table in _MODELS:
                raise InputError(
                    f"`{table}` must be a table, got {as_text(content, quotes=True)}; write [{table}] and its keys "
                    "below"
                )
            yield table, content
            continue
        if table not in _MODELS:
            yield f"{table}.", content
        for key, value in content.items():
            if table == "network" and key in _POPULATIONS:
                if not isinstance(value, Mapping):
                    raise InputError(f"`network.{key}` must be a table, got {as_text(value, quotes=True)}")
                yield from ((f"network.{key}.{inner}", law) for inner, law in value.items())
            else:
                yield f"{table}.{key}", value


def _known_keys(table: str) -> list[str]:
    if table == "network":
        own = set(NetworkSpec.model_fields) - set(_OF_NETWORK)
        return sorted(own | set(PopulationSpec.model_fields))
    if table in (f"network.{sign}" for sign in _POPULATIONS):
        return sorted(PopulationSpec.model_fields)
    if table == "learn":  # each rule has its own; which of them goes with the given one is told by `learner_of`
        return sorted({name for kind in LEARNERS.values() for name in kind.model_fields})
    return sorted(_MODELS[table].model_fields)


def _require_known(name: str) -> None:
    table, _, key = name.rpartition(".")
    top = name.split(".")[0]
    known = [*_MODELS, _ARMS] if top not in _MODELS or not table else _known_keys(table)
    if key in known:
        return
    kind, wrong, word = ("table", top, top) if top not in _MODELS and table else ("key", name, key)
    hint = did_you_mean(word, known)
    elsewhere = [f"{other}.{key}" for other in _MODELS if key in _known_keys(other)]
    if elsewhere and not hint.startswith("did you mean"):
        hint = f'did you mean "{elsewhere[0]}"?'
    if table and key in _MODELS:
        hint = f"[{key}] is a table of its own"
    raise InputError(f"unknown {kind} `{shortened(wrong)}`; {hint}")


def _network(tables: Mapping[str, Any], task: TaskSpec, data_dir: Path | None) -> NetworkSpec:
    given = dict(tables.get("network", {}))
    own = {sign: dict(given.pop(sign, {})) for sign in _POPULATIONS}
    shared = {name: given.pop(name) for name in PopulationSpec.model_fields if name in given}
    validated(PopulationSpec, shared, place="network")  # so that a wrong shared key is told by the name it was given
    parts: dict[str, Any] = {}
    for sign in _POPULATIONS:
        defaults: PopulationSpec = NetworkSpec.model_fields[sign].default
        of_sign = {name: getattr(defaults, name) for name in PopulationSpec.model_fields}
        parts[sign] = validated(PopulationSpec, {**of_sign, **shared, **own[sign]}, place=f"network.{sign}")
    for name, model in _OF_NETWORK.items():
        parts[name] = validated(model, dict(tables.get(name, {})), place=name)
    missing = [name for name in _FROM_TASK if name not in given]
    if missing:
        # What was given is checked before data is opened for the rest.
        validated(NetworkSpec, {**dict.fromkeys(missing, 1), **given, **parts}, place="network")
        loaded = shared_task(task, data_dir)
        given |= {name: getattr(loaded, name) for name in missing}
    return validated(NetworkSpec, {**given, **parts}, place="network")


# -- overrides ---------------------------------------------------------------------------------------------------------


def _apply(tables: dict[str, Any], overrides: Sequence[str]) -> None:
    """Change `tables` by each "a.b=c"."""
    _put(tables, [_override(text) for text in overrides])


def _put(tables: dict[str, Any], given: Sequence[tuple[list[str], Any]]) -> None:
    """Set each path to its value; deeper ones after shallower ones, a rule before its settings, else as given."""
    for path, value in sorted(given, key=lambda item: (len(item[0]), item[0] != _RULE)):
        if path[0] in _OPTIONAL and len(path) == 1 and isinstance(value, bool):
            tables[path[0]] = tables.get(path[0], {}) if value else None
            continue
        if path[0] != _ARMS:  # what stands there is checked where it is put in
            _require_known(".".join(path[: 3 if path[:2] in _populations() else 2]))
        inner = tables
        for depth, part in enumerate(path[:-1], start=1):
            inner = _as_table(inner, part, ".".join(path[:depth]))
        if path[0] == "network" and len(path) == 2 and path[1] in PopulationSpec.model_fields:
            for sign in _POPULATIONS:  # set for both after the file set it for one
                inner[sign] = {k: v for k, v in _as_table(inner, sign).items() if k != path[1]}
        if path == _RULE and value != inner.get("rule", "stdp"):
            inner.clear()  # what else stands there are the settings of another rule
        inner[path[-1]] = value


def _let_arms_follow(tables: dict[str, Any], overrides: Sequence[str]) -> None:
    """Arms that were not given, or not with another rule that was, are those that the rule teaches."""
    given = [_override(text)[0] for text in overrides]
    task, learn = (tables.get(name) or {} for name in ("task", "learn"))
    if not (isinstance(task, Mapping) and isinstance(learn, Mapping)):
        return  # what is wrong is told where tables are read
    rule = LEARNERS.get(str(learn.get("rule", "stdp")))
    arms = task.get("arms", PRESETS)
    chosen = ["task", "arms"] in given or ("arms" in task and _RULE not in given)
    if rule is None or chosen or not isinstance(arms, (list, tuple)) or not all(isinstance(arm, str) for arm in arms):
        return
    known = arm_names(rule.letter)
    if not all(arm in known for arm in arms):
        neurons = list(dict.fromkeys(arm[:3] for arm in arms))
        fitting = [arm for start in neurons for arm in known if arm.startswith(start)]
        tables["task"] = {**task, "arms": fitting or list(arms)}


def _populations() -> list[list[str]]:
    return [["network", sign] for sign in _POPULATIONS]


def _override(text: str) -> tuple[list[str], Any]:
    name, equals, value = text.partition("=")
    path = [part.strip() for part in name.split(".")]
    if not equals or not all(_BARE_KEY.fullmatch(part) for part in path):
        raise InputError(
            f"--set {as_text(text, quotes=True)} must have the form table.key=value, for example network.tau_mem_ms=15"
        )
    value = value.strip()
    try:
        parsed = tomllib.loads(f"value = {value}")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        if not value or value[0] in "{[\"'":
            raise InputError(f"--set {name}: {as_text(value, quotes=True)} is not a TOML value: {error}") from error
        return path, value
    return path, (parsed["value"] if parsed.keys() == {"value"} else value)


def _as_table(tables: dict[str, Any], name: str, full_name: str = "") -> dict[str, Any]:
    inner = tables[name] = {} if tables.get(name) is None else tables[name]
    if not isinstance(inner, dict):
        raise InputError(f"`{full_name or name}` is {as_text(inner, quotes=True)}, not a table with keys of its own")
    return inner


# -- writing -----------------------------------------------------------------------------------------------------------


def to_tables(config: Config) -> dict[str, Any]:
    """The tables of the file: plain values, every default written out; absent is what is None or follows another."""
    network = config.network.model_dump()  # all keys: what is absent may mean what is recommended
    parts = {name: network.pop(name) for name in _OF_NETWORK}
    populations = {sign: network.pop(sign) for sign in _POPULATIONS}
    tables = {"task": config.task.model_dump(), "network": {**network, **populations}, **parts}
    stages = {"learn": config.learn, "readout": config.readout, "prune": config.prune}
    tables |= {name: stage.model_dump() for name, stage in stages.items() if stage is not None}
    if tables.get("learn", {}).get("last_ms") == config.readout.last_ms:
        del tables["learn"]["last_ms"]  # it follows the readout, also where that is changed later
    return _without_none(tables | ({_ARMS: config.arms} if config.arms else {}))


def to_toml(config: Config) -> str:
    """The complete text of a config file, laws on one line; `load_config` reads it back as an equal config."""
    lines: list[str] = []
    tables = to_tables(config)
    of_arms = tables.pop(_ARMS, {})
    for name, table in tables.items():
        lines += _lines(name, table)
    for arm, content in of_arms.items():
        lines += ["", f"[{_ARMS}.{arm}]", *(f"{name} = {_shown(value)}" for name, value in _flat(content))]
    return "\n".join(lines).lstrip("\n") + "\n"


def _lines(name: str, table: Mapping[str, Any]) -> list[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping) and not _is_law(value)}
    lines = ["", f"[{name}]", *(f"{key} = {_shown(value)}" for key, value in table.items() if key not in inner)]
    for key, value in inner.items():
        lines += _lines(f"{name}.{key}", value)
    return lines


def _is_law(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in LAWS


def first_difference(a: Config, b: Config) -> tuple[str, str, str] | None:
    """Dotted name of the first key that differs, with both values as text ("absent" where there is none)."""
    ours, theirs = (dict(_flat(to_tables(config))) for config in (a, b))
    for name in [*ours, *theirs]:
        if ours.get(name) != theirs.get(name):
            shown = [_shown(values[name]) if name in values else "absent" for values in (ours, theirs)]
            return name, shown[0], shown[1]
    return None


def _flat(tables: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value under its dotted name; laws stay whole."""
    for key, value in tables.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and not _is_law(value):
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _without_none(tables: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null: an absent key stands for None."""
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in tables.items()
        if value is not None
    }


def _shown(value: Any) -> str:
    """A value as it stands in a file, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_shown(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_shown(inner) for inner in value) + "]"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").rstrip("\n")
