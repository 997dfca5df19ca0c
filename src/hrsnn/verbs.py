"""What the verbs of the command do, as functions that give the same: `hrsnn.run`, `hrsnn.prune`, and so on."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hrsnn._checks import among, as_path, as_text, did_you_mean, extra, require
from hrsnn.analysis.drive import WhiteDrive
from hrsnn.analysis.importance import require_shapiq
from hrsnn.analysis.lyapunov import SURROGATE_GAIN
from hrsnn.config import Config, load_config, prune_table, to_toml
from hrsnn.exchange import PARTNERS, Form, is_network_file, read_network, to_nir, write_graph
from hrsnn.exchange.files import SUFFIX
from hrsnn.exchange.form import Decay, Flavour
from hrsnn.network import Network
from hrsnn.network_file import write_atomically
from hrsnn.pruning.schedule import Snapshot
from hrsnn.pruning.session import REPORT, Pruned, prune_by_table, prune_into
from hrsnn.pruning.spec import PruneSpec
from hrsnn.report import write_document
from hrsnn.run_directory import RunDirectory
from hrsnn.spec import PRESETS, NetworkSpec, known_arm
from hrsnn.survey import Depth, document_of, importance_of
from hrsnn.wiring import build
from hrsnn.work.pool import process_pool, usable_cpus

if TYPE_CHECKING:
    from hrsnn.optimisation.space import Space
    from hrsnn.optimisation.study import Searched
    from hrsnn.runs import Finished, Watcher

Place = str | PathLike[str]
Source = Network | NetworkSpec | Config | Place | None
Say = Callable[[str], None]

ANALYSIS, ANALYSIS_PAGE = "analysis.json", "analysis.html"
FOUND, SEARCH_PAGE = "found.toml", "search.html"


# -- run ---------------------------------------------------------------------------------------------------------------


def run(
    config: Config | Place | None = None,
    *,
    set: Sequence[str] = (),
    seed: int | None = None,
    n_seeds: int | None = None,
    out: Place | None = None,
    data_dir: Place | None = None,
    jobs: int | None = None,
    executor: Executor | str | None = None,
    resume: bool = False,
    force: bool = False,
    tensorboard: bool = False,
    watcher: Watcher | None = None,
) -> Finished:
    """Train networks on a task and compare them, as `hrsnn run` does; the finished run, with its path and results.

    config           a config, the path of one, a built-in name, or data of one's own; None is spoken-digits
    set              changes "table.key=value", in order
    seed, n_seeds    first seed, and how many; None leaves those of the config
    out              directory of the run; None is the next free `runs/<task>-<k>`
    data_dir         where data sets lie; else $HRSNN_DATA, else the user cache
    jobs             processes; None is one per usable core, 1 works in this one. No number depends on it. A script has
                     `if __name__ == "__main__":` around the call where there are more: they import it
    executor         does the work instead of processes here: any executor, which is left running, or
                     "dask://HOST:PORT"; its workers must see `out` and the data under the same names
    resume, force    finish what was begun in `out`, or start over
    tensorboard      keeps the course of learning of each network for TensorBoard, in `tensorboard` of the run
    watcher          is told how it goes (`hrsnn.runs.Watcher`)

    Raises `InputError` for a config or directory that cannot be used, `RunError` when a part fails; what is finished is
    kept.
    """
    from hrsnn import experiments, runs, summary

    _require_own_process("run")
    data = _path("run", "data_dir", data_dir)
    settings = load_config(config, _changes("run", set), seed=seed, n_seeds=n_seeds, data_dir=data)
    functions = runs.Experiment(experiments.plan, experiments.run_unit, summary.summarise, experiments.data_digest)
    return runs.execute(
        settings, functions, out=_path("run", "out", out), data_dir=data, jobs=jobs, executor=executor,
        resume=resume, force=force, tensorboard=tensorboard, watcher=watcher,
    )  # fmt: skip


# -- search ------------------------------------------------------------------------------------------------------------


def search(
    config: Config | Place | None = None,
    *,
    arm: str | None = None,
    objective: str | Sequence[str] = "task",
    n_trials: int = 80,
    n_seeds: int = 1,
    max_replicates: int = 4,
    family: str = "gamma",
    space: Space | None = None,
    profile: str = "",
    budget: Mapping[str, float] | None = None,
    pruned: str = "",
    set: Sequence[str] = (),
    seed: int = 0,
    out: Place | None = None,
    storage: str | None = None,
    data_dir: Place | None = None,
    jobs: int | None = None,
    executor: Executor | str | None = None,
    say: Say = lambda line: None,
) -> Searched:
    """Find the laws of a network's parameters, as `hrsnn search` does: Bayesian optimisation on validation data alone.

    config           as of `run`
    arm              which of its networks; None is the last of `task.arms`
    objective        a key of `hrsnn.vocabulary.OBJECTIVES`, or two for a front; larger is better
    n_trials         in all; those that `out` holds are among them
    n_seeds          of each point at first; the best ones are tried with up to `max_replicates`
    family           of the laws: "gamma", "lognormal" or "free"; `space` is what to search instead
    profile          device of the objective "energy": a name of `hrsnn.analysis.cost.ENERGY_PROFILES`
    budget           the most per sample of a cost, by its name in `hrsnn.vocabulary.BUDGETS`: more is infeasible
    pruned           a method, by which networks are pruned before they learn as `[prune]` has it; "" prunes none
    seed             of the points; networks of trials have seeds from 1,000,000 on, so that those of a run are fresh
    out              its directory; None is `searches/<task>-<arm>`. A search that was stopped goes on there
    storage          URL of a database, or a path ending in .log; None is a database in `out`
    data_dir, jobs, executor   as of `run`
    say              told in a line of each trial

    `.best` holds what was found, `out`/found.toml is the config with it, for `run`.

    Raises `InputError` for what is none or another search in `out`, `RunError` where nothing can be measured or kept,
    `MissingExtraError` without optuna or botorch.
    """
    from hrsnn.experiments import data_digest
    from hrsnn.optimisation.objective import OfNetworks, with_values
    from hrsnn.runs import seen_from_anywhere

    with extra("search", "a search", "optuna and botorch"):
        import hrsnn.optimisation.sampler  # noqa: F401 - which that imports later
        from hrsnn.optimisation.study import search as carried_out
    _require_own_process("search")
    data = _path("search", "data_dir", data_dir)
    changes = _changes("search", set) + _pruned_by(pruned)
    settings = load_config(config, changes, data_dir=data)
    name = settings.task.arms[-1] if arm is None else known_arm(arm)
    names = (objective,) if isinstance(objective, str) else tuple(objective)
    folder = _path("search", "out", out) or Path("searches") / f"{settings.task.name}-{name}"
    spends = tuple((budget or {}).items())
    digest = data_digest(settings, data)
    data_dir, own_data = seen_from_anywhere(settings, data)  # workers of a cluster stand elsewhere
    measured = OfNetworks(settings, name, names, data_dir, digest, profile, spends, pruned, own_data)
    found = carried_out(
        space or measured.space(family=family), measured, folder,
        n_trials=n_trials, n_seeds=n_seeds, max_replicates=max_replicates, seed=seed, storage=storage, jobs=jobs,
        executor=executor, say=say,
    )  # fmt: skip
    if found.best is not None:
        write_atomically(folder / FOUND, to_toml(with_values(measured.config, found.best)).encode())
    write_document(found.document, folder / SEARCH_PAGE)
    return found


def search_arms(
    config: Config | Place | None = None,
    *,
    arms: Sequence[str] | None = None,
    set: Sequence[str] = (),
    out: Place | None = None,
    data_dir: Place | None = None,
    say: Say = lambda line: None,
    **options: Any,
) -> dict[str, Searched]:
    """Search several arms with the same budget each, as `hrsnn search --arm all` does.

    arms      None are those of `task.arms`
    out       its directory, a search for each arm in it; None is `searches/<task>`
    options   and the rest: of `search`, the same for all; no `storage`, each search has a database of its own

    `out`/found.toml is the config in which every arm has what was found for it (`[arms.NAME]`), where anything was (of
    two objectives nothing is): `hrsnn.run` of it, or `hrsnn run --from-search`, compares them with fresh seeds. Raises
    what `search` raises.
    """
    from hrsnn.optimisation.objective import with_values

    rule = "must not be given for several arms: each search has a database of its own in its directory"
    require(options.get("storage") is None, "search", "storage", rule, options.get("storage"))
    changes = _changes("search", set)
    asked = changes + _pruned_by(options.get("pruned", ""))
    settings = load_config(config, asked, data_dir=_path("search", "data_dir", data_dir))
    folder = _path("search", "out", out) or Path("searches") / settings.task.name
    found: dict[str, Searched] = {}
    best = settings
    for name in settings.task.arms if arms is None else arms:

        def told(line: str, name: str = name) -> None:
            say(f"{name}, {line}")

        found[name] = search(config, arm=name, set=changes, out=folder / name, data_dir=data_dir, say=told, **options)
        values = found[name].best
        if values is None:
            told("no best point, so it keeps what the config says")
        else:
            best = with_values(best, values, arm=name)
    if any(one.best is not None for one in found.values()):
        write_atomically(folder / FOUND, to_toml(best).encode())
    return found


def _pruned_by(method: str) -> list[str]:
    """The change of a config that makes this the method by which its networks are pruned; "" changes nothing."""
    return [f"prune.methods={json.dumps([method])}"] if method else []


def found_by(search_dir: Place, *, beside: object = None) -> Path:
    """The config that a search left in its directory; raises `InputError` where there is none, or a config `beside`."""
    path = as_path("run", "from_search", search_dir) / FOUND
    rule = "must not stand beside a config: the search has one"
    require(beside is None, "run", "from_search", rule, as_text(beside))
    rule, remedy = f"must hold {FOUND}, which a search with a feasible trial leaves", "give the --out of `hrsnn search`"
    require(path.is_file(), "run", "from_search", rule, str(search_dir), remedy=remedy)
    return path


# -- prune -------------------------------------------------------------------------------------------------------------


def prune(
    network: Source = None,
    *,
    keep_synapses: float | str | None = None,
    keep_neurons: float | str | None = None,
    max_synops_per_s: float | None = None,
    max_bytes: int | None = None,
    method: str | None = None,
    n_iterations: int | None = None,
    set: Sequence[str] = (),
    arm: str | None = None,
    seed: int = 0,
    out: Place | None = None,
    resume: bool = False,
    force: bool = False,
    data_dir: Place | None = None,
    dt_ms: float | None = None,
    on_snapshot: Callable[[Snapshot, int], object] = lambda one, n: None,
    say: Say = lambda line: None,
) -> Pruned:
    """A network made smaller without looking at a task, as `hrsnn prune` does it.

    network           a network, the path of a saved one or of a NIR graph, or what it is built from, untrained: a
                      `NetworkSpec`, a config, its path or built-in name; None is spoken-digits
    keep_synapses, keep_neurons, max_synops_per_s, max_bytes, n_iterations
                      keys of the table `[prune]`: a whole number is a count, another one a share. None leaves them to
                      the config; where nothing says how far, 5 % of the recurrent synapses are kept
    method            a key of `hrsnn.pruning.methods.KINDS`; None is the first of the config, or "lnp"
    set               more changes "table.key=value", such as "prune.lnp.edges=none"; of other tables for a config alone
    arm               of a config or spec: which; None is the last of `task.arms`
    seed              of the choice, the drive, and a network to build
    out               directory for the network, the way there and a page; None writes nothing
    resume, force     finish what was begun in `out`, or replace it
    data_dir          where data sets lie
    dt_ms             step of a NIR graph that says none
    on_snapshot       called with each network on the way and the number of steps
    say               told in a line what comes next

    The network that comes out is `.network`, the document of `hrsnn prune --json` is `.document`. For criteria of one's
    own there is `hrsnn.pruning.schedule.prune`.

    Raises `InputError` for what cannot be pruned that far, or a directory that may not be used.

    >>> from hrsnn.wiring import build
    >>> dense = build(NetworkSpec(n_neurons=60, n_inputs=10, input={"p_connect": 0.5}), seed=0)
    >>> small = prune(dense, keep_synapses=100, method="uniform")
    >>> len(small.network.recurrent), small.document["after"]["n_recurrent_synapses"]
    (100, 100)
    """
    if keep_synapses is None and (max_synops_per_s is not None or max_bytes is not None):
        keep_synapses = 0
    given = {
        "keep_synapses": keep_synapses, "keep_neurons": keep_neurons, "max_synops_per_s": max_synops_per_s,
        "max_bytes": max_bytes, "n_iterations": n_iterations,
    }  # fmt: skip
    changes = _changes("prune", set)
    changes += [] if method is None else [f"prune.methods={json.dumps([method])}"]
    changes += [f"prune.{key}={_text(value)}" for key, value in given.items() if value is not None]
    of_config = _is_config(network)
    table = PruneSpec() if of_config else prune_table(changes)
    subject = subject_of(
        "prune", network, arm=arm, changes=changes if of_config else (), seed=seed, data_dir=data_dir, dt_ms=dt_ms
    )
    if subject.config is not None:
        table = subject.config.prune or table
    how: dict[str, Any] = {
        "name": subject.name, "seed": seed, "n_threads": usable_cpus(), "say": say,
        "on_snapshot": lambda one: on_snapshot(one, table.n_iterations),
    }  # fmt: skip
    if out is None:
        return prune_by_table(subject.network, table, **how)
    folder = as_path("prune", "out", out)
    pruned = prune_into(folder, subject.network, table, resume=resume, force=force, **how)
    write_document(pruned.document, folder / REPORT)
    return pruned


# -- analyse -----------------------------------------------------------------------------------------------------------


def analyse(
    network: Source = None,
    *,
    name: str | None = None,
    seed: int = 0,
    depth: Depth = Depth(),  # noqa: B008 - frozen
    drive: WhiteDrive = WhiteDrive(),  # noqa: B008 - frozen
    surrogate_gain: float = SURROGATE_GAIN,
    importance: int | None = None,
    jobs: int | None = None,
    set: Sequence[str] = (),
    arm: str | None = None,
    out: Place | None = None,
    force: bool = False,
    data_dir: Place | None = None,
    dt_ms: float | None = None,
    n_threads: int | None = None,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Memory, ranks, Lyapunov spectrum, efficiency, heterogeneity, firing statistics and costs of a network.

    network         a network, the path of a saved one or of a NIR graph, or what it is built from, untrained: a
                    `NetworkSpec`, a config, its path or built-in name; None is spoken-digits
    name            what it is called in the document; None is after where it is from
    seed            of the drive, its spikes and the stimuli, and of a network to build
    depth           how much is measured (`hrsnn.survey.Depth`)
    drive           the input (`hrsnn.analysis.drive.WhiteDrive`)
    surrogate_gain  of the Lyapunov exponents, which depend on it; the surrogate counts at spikes alone
    importance      seeds for the Shapley importance of what is heterogeneous; of a config or spec, minutes
    jobs            processes for `importance`; None is one per usable core. See `hrsnn.run`
    set             changes "table.key=value" of a config
    arm             of a config or spec: which; None is the last of `task.arms`
    out             directory for analysis.json and analysis.html; None writes nothing
    force           replace the analysis in `out`
    data_dir        where data sets lie
    dt_ms           step of a NIR graph that says none
    n_threads       for stimuli; None is one per usable core. No number depends on it
    say             told in a line what comes next

    Returns the document of `hrsnn analyse --json` (docs/how-to/analyse.md): plain JSON values, None where a quantity
    does not exist. Raises `InputError` for a drive too short for the delays, more exponents than dimensions, and a
    network with fewer than two input channels; `MissingExtraError` for importance without shapiq.

    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=10), seed=0)
    >>> found = analyse(network, depth=Depth(n_delays=3, n_exponents=2, exponent_ms=100, firing_ms=500))
    >>> sorted(found)[:4], len(found["lyapunov"]["exponents_per_ms"])
    (['costs', 'created', 'energy_pj', 'firing'], 2)
    """
    if out is not None:
        require_free(out, force=force)
    if importance is not None:
        _require_own_process("analyse")
    subject = subject_of(
        "analyse", network, arm=arm, changes=_changes("analyse", set), seed=seed, data_dir=data_dir, dt_ms=dt_ms
    )
    spec = subject.spec
    if importance is not None:
        remedy = "give the config that the network was built from"
        require(spec is not None, "analyse", "importance", "needs a config", subject.name, remedy=remedy)
        require_shapiq()
    document = document_of(
        subject.network, name=subject.name if name is None else name, seed=seed, depth=depth, drive=drive,
        surrogate_gain=surrogate_gain, n_threads=n_threads or usable_cpus(), say=say,
    )  # fmt: skip
    if importance is not None and spec is not None:
        say(f"importance: 16 networks for each of {importance} seeds")
        with process_pool(jobs or usable_cpus()) as pool:
            document["importance"] = importance_of(spec, n_seeds=importance, seed=seed, depth=depth, executor=pool)
    if out is not None:
        write_analysis(document, out)
    return document


def require_free(out: Place, *, force: bool) -> None:
    """Raises `InputError` unless an analysis may be written to this directory."""
    folder = as_path("analyse", "out", out)
    require(not folder.is_file(), "analyse", "out", "must be a directory", str(out))
    ok = force or not any((folder / file).exists() for file in (ANALYSIS, ANALYSIS_PAGE))
    remedy = "give another --out, or --force to replace it"
    require(ok, "analyse", "out", "must not hold an analysis", str(out), remedy=remedy)


def write_analysis(document: dict[str, Any], out: Place | None = None) -> Path:
    """Write analysis.json and analysis.html to `out`; the page. None is the next free `analysis/<name>-<k>`."""
    if out is None:
        folder = RunDirectory.next_free(document["name"], Path("analysis")).path
    else:
        folder = as_path("analyse", "out", out)
        folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / ANALYSIS, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    return write_document(document, folder / ANALYSIS_PAGE)


# -- export ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exported:
    """Where the network was written to, and the document of `hrsnn export --json`."""

    path: Path
    document: dict[str, Any]


def export(
    kind: Literal["nir"],
    network: Source = None,
    *,
    flavour: Flavour | None = None,
    decay: Decay | None = None,
    split_populations: bool = False,
    partner: str | None = None,
    check: bool = False,
    out: Place | None = None,
    arm: str | None = None,
    set: Sequence[str] = (),
    seed: int = 0,
    data_dir: Place | None = None,
    dt_ms: float | None = None,
) -> Exported:
    """A network written for other tools, as `hrsnn export` does it.

    kind       "nir": a NIR graph
    network    a network, the path of a saved one or of a NIR graph, or what it is built from, as of `prune`
    flavour, decay, split_populations, partner   as of `to_nir`
    check      also run the graph in the partner's own environment, and compare spikes with those here
    out        the file; None is the name of the network with the suffix of the kind, here
    arm, set, seed, data_dir   of a config, as of `prune`
    dt_ms      step of a NIR graph that says none

    Raises `InputError` for what the kind or the partner cannot have, `RunError` when the partner fails; the file is
    written before.
    """
    from hrsnn.exchange.check import check as checked

    require(among(kind, ("nir",)), "export", "kind", "must be nir", kind)
    rule = f"must be given with check: one of {', '.join(PARTNERS)}"
    require(partner is not None or not check, "export", "partner", rule, partner)
    form = Form.of(flavour, decay, split_populations, partner)
    subject = subject_of("export", network, arm=arm, changes=_changes("export", set), seed=seed, data_dir=data_dir,
                         dt_ms=dt_ms)  # fmt: skip
    written = to_nir(subject.network, **form.plain())
    path = _path("export", "out", out) or Path(f"{subject.name.replace(', ', '-')}.{kind}")
    write_graph(written.graph, path, flavour=form.flavour)
    document = {
        "schema": "hrsnn.export/1", "kind": kind, "file": str(path), "name": subject.name,
        "network": {"n_neurons": subject.network.n_neurons, "n_inputs": subject.network.n_inputs,
                    "hash": subject.network.hash},
        **form.plain(), "dropped": [asdict(one) for one in written.dropped],
        "check": checked(subject.network, written, form) if check else None,
    }  # fmt: skip
    return Exported(path, document)


# -- what they work on -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subject:
    """A network, what to call it, and the spec and config that it was built from, as far as there are any."""

    name: str
    network: Network
    spec: NetworkSpec | None = None
    config: Config | None = None


def subject_of(
    owner: str,
    source: Source = None,
    *,
    arm: str | None = None,
    changes: Sequence[str] = (),
    seed: int = 0,
    data_dir: Place | None = None,
    dt_ms: float | None = None,
) -> Subject:
    """The network that is given, saved, or described; `arm` and `changes` are for one that is described alone.

    `dt_ms` is the step of a NIR graph that says none.
    """
    is_graph = is_network_file(source) and str(source).endswith(SUFFIX)
    rule = "must not stand beside what is no NIR graph: it says its own step"
    require(dt_ms is None or is_graph, owner, "dt_ms", rule, dt_ms)
    if not _is_config(source):
        remedy = "leave it out, it is for networks that are built from a config"
        require(not changes, owner, "set", "must not stand beside a network or spec", list(changes), remedy=remedy)
        if isinstance(source, NetworkSpec):
            spec = source if arm is None else source.arm(_known(owner, arm))
            return Subject("network", build(spec, seed=seed), spec)
        require(arm is None, owner, "arm", "must not stand beside a network", arm, remedy=remedy)
        if isinstance(source, Network):
            return Subject("network", source)
        return Subject(Path(source).stem, read_network(source, dt_ms=dt_ms))  # type: ignore[arg-type]
    config = load_config(source, changes, data_dir=_path(owner, "data_dir", data_dir))  # type: ignore[arg-type]
    name = _known(owner, config.task.arms[-1] if arm is None else arm)
    spec = config.of_arm(name).network.arm(name)
    return Subject(f"{config.task.name}, {name}, untrained", build(spec, seed=seed), spec, config)


def _is_config(source: Source) -> bool:
    """What a network is built from, and more than a spec."""
    return not (is_network_file(source) or isinstance(source, (Network, NetworkSpec)))


def _known(owner: str, arm: str) -> Any:
    require(arm in PRESETS, owner, "arm", "must be a known arm", arm, remedy=did_you_mean(arm, PRESETS))
    return arm


def _changes(owner: str, given: Sequence[str]) -> list[str]:
    rule = 'must be a list of texts "table.key=value"'
    require(not isinstance(given, str) and all(isinstance(c, str) for c in given), owner, "set", rule, given)
    return list(given)


def _text(value: object) -> str:
    """A value as it stands after "table.key="; text as it is."""
    if isinstance(value, (bool, str)):
        return str(value).lower() if isinstance(value, bool) else value
    if isinstance(value, Integral):
        return str(int(value))
    return repr(float(value)) if isinstance(value, Real) else as_text(value)


def _path(owner: str, name: str, place: Place | None) -> Path | None:
    return None if place is None else as_path(owner, name, place)


def _require_own_process(owner: str) -> None:
    """A process that is still being started imports the script that asked for it, and comes by here without a guard."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(
            f"hrsnn: hrsnn.{owner} starts processes, which import this script: put the call below "
            '`if __name__ == "__main__":`, or give jobs=1'
        )
