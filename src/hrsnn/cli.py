"""The command `hrsnn`: parse, call, print, exit code. 0 done, 1 failed, 2 wrong usage or bad input, 130 interrupted.

Results go to standard output, progress and errors to standard error. Everything heavy is imported inside verbs. A
command of typer only parses: it returns what is to be done, which runs outside of typer's own handling of errors.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hrsnn._version import __version__

if TYPE_CHECKING:
    from hrsnn.data import Entry
    from hrsnn.network import Network
    from hrsnn.prune.spec import PruneSpec
    from hrsnn.spec import NetworkSpec

Verb = Callable[[], int]

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
_MOST = 10**6  # of what is counted: more would not end

app = typer.Typer(
    name="hrsnn",
    help="Heterogeneous recurrent spiking neural networks: train, compare, report.",
    add_completion=True,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="List, check and download data sets.", rich_markup_mode=None, no_args_is_help=False)
app.add_typer(data_app, name="data")

_DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where data sets lie; else $HRSNN_DATA, else the user cache.", show_default=False),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
_Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
_Network = Annotated[
    str | None,
    typer.Argument(
        metavar="NETWORK.safetensors | CONFIG.toml | NAME",
        help="A saved network, or a config whose network is built, not trained.",
        show_default="spoken-digits",
    ),
]
_Arm = Annotated[str | None, typer.Option(help="Of a config: which arm.", show_default="the last of task.arms")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before we began: a file that is opened next must not take its place
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        asked = app(words or ["--help"], prog_name="hrsnn", standalone_mode=False)
        code = asked() if callable(asked) else int(asked or OK)
        code = code if words else USAGE
        sys.stdout.flush()
    except KeyboardInterrupt:
        _complain("interrupted")
        code = INTERRUPTED
    except BrokenPipeError:  # `hrsnn ... | head`: the reader has what it wanted
        code = OK
    except Exception as error:
        code = _told(error)
    try:
        sys.stdout.flush()
    except OSError:  # what is left cannot be written; Python would complain once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _told(error: Exception) -> int:
    """Say in one sentence what went wrong; the exit code."""
    if hasattr(error, "format_message"):  # a usage error of typer, whose class differs between its versions
        _complain(f"{error.format_message()} (`hrsnn --help` and `hrsnn VERB --help` list what there is)")
        return USAGE
    from hrsnn._checks import HrsnnError, InputError, shortened, too_large

    if isinstance(error, HrsnnError):
        _complain(str(error))
        code = USAGE if isinstance(error, InputError) else FAILED
    elif isinstance(error, OSError):
        place = f"{shortened(str(error.filename))}: " if error.filename else ""
        _complain(f"{place}{error.strerror or error}")
        code = FAILED
    elif isinstance(error, (MemoryError, OverflowError)):
        _complain(too_large(error))
        code = USAGE
    else:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        _complain(f"internal error, please report it: {text}; HRSNN_DEBUG=1 shows the traceback")
        code = FAILED
    if os.environ.get("HRSNN_DEBUG"):
        traceback.print_exception(error)
    return code


def _complain(sentence: str) -> None:
    from hrsnn._checks import bounded

    print(f"hrsnn: {bounded(sentence)}", file=sys.stderr)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, sort_keys=True, allow_nan=False))


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> Verb | None:
    if version:
        print(f"hrsnn {__version__}")
        raise typer.Exit
    return None


# -- run ---------------------------------------------------------------------------------------------------------------


@app.command()
def run(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG.toml | NAME", help="A config file or a built-in config.", show_default="spoken-digits"
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="TABLE.KEY=VALUE", help="Change a value, e.g. network.tau_mem_ms=15. Repeatable."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="First seed.", show_default=False)] = None,
    seeds: Annotated[int | None, typer.Option(min=1, max=_MOST, help="Number of seeds.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help="Directory of the run.", show_default="runs/<task>-<k>")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Finish what was begun in --out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the run in --out.")] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="one per core")] = None,
    data_dir: _DataDir = None,
    as_json: _Json = False,
    quiet: _Quiet = False,
) -> Verb:
    """Train networks on a task, compare them, and write results.json and report.html."""

    def do() -> int:
        _stop_on_termination()
        from hrsnn import experiments, runs
        from hrsnn._checks import InputError, RunError
        from hrsnn.config import load_config
        from hrsnn.console import Display

        with Display(quiet=quiet) as display:
            try:
                settings = load_config(config, set_ or (), seed=seed, n_seeds=seeds, data_dir=data_dir)
                display.headline = lambda: f"{settings.task.name}   {experiments.describe_task(settings, data_dir)}"
                functions = runs.Experiment(experiments.plan, experiments.run_unit, experiments.summarise)
                finished = runs.execute(
                    settings, functions, out=out, data_dir=data_dir, jobs=jobs, resume=resume, force=force,
                    watcher=display,
                )  # fmt: skip
            except (KeyboardInterrupt, RunError, OSError) as error:
                display.close()
                if display.path is None:
                    raise
                line = runs.resume_command(display.path, data_dir=data_dir, jobs=jobs)
                kept = f"{display.n_done} of {display.n_units} units are finished; go on with:\n  {line}"
                interrupted = isinstance(error, KeyboardInterrupt)
                _complain("interrupted" if interrupted else str(error))
                print(kept, file=sys.stderr)
                return INTERRUPTED if interrupted else FAILED
            except InputError:
                raise
            except Exception as error:
                if display.path is None:
                    raise
                raise RunError(
                    f"internal error, please report it: {type(error).__name__}: {error}; the traceback is in "
                    f"{display.path / 'log.jsonl'}"
                ) from error
        if finished.was_complete:
            display.say(f"{finished.path} was complete already: {finished.n_units} units, nothing to do")
        if as_json:
            sys.stdout.write((finished.path / "results.json").read_text(encoding="utf-8"))
            return OK
        _print_summary(finished.path)
        return OK

    return do


def _print_summary(path: Path) -> None:
    from hrsnn.console import summary_text
    from hrsnn.report.source import read_run

    print(f"\n{summary_text(read_run(path))}")
    print(f"Report: {path / 'report.html'}")


def _stop_on_termination() -> None:
    """SIGTERM and a closed terminal end a run as Ctrl-C does."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, stop)


# -- report ------------------------------------------------------------------------------------------------------------


@app.command()
def report(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="Directory of a finished run.", show_default=False)
    ],
    as_json: _Json = False,
) -> Verb:
    """Build report.html of a finished run again."""

    def do() -> int:
        from hrsnn.report import write_report
        from hrsnn.run_directory import RunDirectory

        RunDirectory(run_dir).require_own_results()
        path = write_report(run_dir)
        if as_json:
            _print_json({"report": str(path)})
        else:
            _print_summary(run_dir)
        return OK

    return do


# -- predict -----------------------------------------------------------------------------------------------------------


@app.command()
def predict(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="Directory of a finished run.", show_default=False)
    ],
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDINGS...",
            help="Files and folders of the kind that the run was trained on, or - for lines of standard input.",
            show_default=False,
        ),
    ],
    arm: Annotated[
        str | None,
        typer.Option(help="Which network, e.g. HeNHeS or HeNHeS/pruned/lnp.", show_default="the last of task.arms"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the network.", show_default="the first of the run")
    ] = None,
    as_json: _Json = False,
    quiet: _Quiet = False,
) -> Verb:
    """Tell new recordings by the network of a run: name, class and margin of each, as they are read."""

    def do() -> int:
        _stop_on_termination()
        from hrsnn._checks import require
        from hrsnn.predictor import load_run

        live = "-" in recordings
        rule = "must stand alone: lines of standard input are all that is read then"
        require(not live or len(recordings) == 1, "hrsnn predict", "-", rule, recordings)
        rule = "must be open: lines of it are to be read"
        require(not live or sys.stdin is not None, "hrsnn predict", "standard input", rule, "none")
        run = load_run(run_dir, arm=arm, seed=seed)
        if not quiet:
            print(f"{run.name}, of {run_dir}", file=sys.stderr)
        found = run.follow(sys.stdin) if live else run.predict(recordings)
        if as_json and not live:
            _print_json(
                {"schema": "hrsnn.predictions/1", "network": run.name, "predictions": [p.to_dict() for p in found]}
            )
            return OK
        for one in found:
            print(json.dumps(one.to_dict()) if as_json else one.to_text(), flush=live)
        return OK

    return do


# -- analyse -----------------------------------------------------------------------------------------------------------


@app.command()
def analyse(
    network: _Network = None,
    arm: _Arm = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Of a config: change a value. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the drive and stimuli, and of a network to build.")] = 0,
    delays: Annotated[int, typer.Option(min=1, max=_MOST, help="Longest delay of the memory, in input samples.")] = 100,
    samples: Annotated[
        int | None, typer.Option(min=1, max=_MOST, help="Input samples of the memory.", show_default="20 per neuron")
    ] = None,
    exponents: Annotated[
        int | None, typer.Option(min=1, max=_MOST, help="Leading Lyapunov exponents.", show_default="64")
    ] = None,
    gain: Annotated[float, typer.Option(help="Of the surrogate spike of Lyapunov exponents.")] = 3.0,
    importance: Annotated[
        int | None,
        typer.Option(
            min=1, max=_MOST, help="Of a config: Shapley importance over this many seeds (minutes).", show_default="off"
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes, for importance.", show_default="one per core")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where analysis.json and analysis.html go.", show_default="analysis/<name>-<k>"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the analysis in --out.")] = False,
    data_dir: _DataDir = None,
    as_json: _Json = False,
    quiet: _Quiet = False,
) -> Verb:
    """Measure memory, ranks, Lyapunov spectrum, efficiency and heterogeneity of a network; write analysis.html."""

    def do() -> int:
        _stop_on_termination()
        from hrsnn._checks import require
        from hrsnn.analysis.importance import require_shapiq
        from hrsnn.console import Display, analysis_text
        from hrsnn.network_file import write_atomically
        from hrsnn.report.analysis import write_analysis_report
        from hrsnn.run_directory import RunDirectory
        from hrsnn.survey import Depth, importance_of
        from hrsnn.survey import analyse as measure
        from hrsnn.work.workers import process_pool, usable_cpus

        if out is not None:
            require(not out.is_file(), "hrsnn analyse", "--out", "must be a directory", str(out))
            given = force or not any((out / file).exists() for file in ("analysis.json", "analysis.html"))
            remedy = "give another --out, or --force to replace it"
            require(given, "hrsnn analyse", "--out", "must not hold an analysis", str(out), remedy=remedy)
        name, subject, spec = _network_of(
            "hrsnn analyse", network, arm=arm, overrides=set_ or (), seed=seed, data_dir=data_dir
        )
        depth = Depth(n_delays=delays, n_samples=samples, n_exponents=exponents)
        given, remedy = importance is None or spec is not None, "give the config that the network was built from"
        require(given, "hrsnn analyse", "--importance", "needs a config", network, remedy=remedy)
        if importance is not None:
            require_shapiq()
        with Display(quiet=quiet) as display:
            document = measure(
                subject, name=name, seed=seed, depth=depth, surrogate_gain=gain, n_threads=os.cpu_count() or 1,
                say=display.say,
            )  # fmt: skip
            if importance is not None and spec is not None:
                display.say(f"importance: 16 networks for each of {importance} seeds")
                with process_pool(jobs or usable_cpus()) as pool:
                    shares = importance_of(spec, n_seeds=importance, seed=seed, depth=depth, executor=pool)
                document["importance"] = shares
        folder = RunDirectory.next_free(name, Path("analysis")).path if out is None else out
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "analysis.json", (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
        report = write_analysis_report(document, folder / "analysis.html")
        if as_json:
            _print_json(document)
        else:
            print(f"{analysis_text(document)}\nReport: {report}")
        return OK

    return do


def _network_of(
    verb: str, source: str | None, *, arm: str | None, overrides: Sequence[str], seed: int, data_dir: Path | None
) -> tuple[str, Network, NetworkSpec | None]:
    """What to call it, a saved network or the one that a config describes, and its spec if it has one."""
    from hrsnn._checks import did_you_mean, require
    from hrsnn.config import load_config
    from hrsnn.network_file import load
    from hrsnn.spec import PRESETS
    from hrsnn.wiring import build

    if source is not None and _is_saved(source):
        remedy = "leave it out, it is for networks that are built from a config"
        require(arm is None, verb, "--arm", "must not stand beside a saved network", arm, remedy=remedy)
        require(not overrides, verb, "--set", "must not stand beside a saved network", overrides, remedy=remedy)
        return Path(source).stem, load(source), None
    config = load_config(source, overrides, data_dir=data_dir)
    name = config.task.arms[-1] if arm is None else arm
    require(name in PRESETS, verb, "--arm", "must be a known arm", name, remedy=did_you_mean(name, PRESETS))
    spec = config.network.arm(name)
    return f"{config.task.name}, {name}, untrained", build(spec, seed=seed), spec


def _is_saved(source: str | None) -> bool:
    return source is not None and source.endswith(".safetensors")


# -- prune -------------------------------------------------------------------------------------------------------------


@app.command()
def prune(
    network: _Network = None,
    keep_synapses: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE | N", help="Recurrent synapses to keep: 0.05 is a share, 500 a count.", show_default="0.05"
        ),
    ] = None,
    keep_neurons: Annotated[
        str | None, typer.Option(metavar="SHARE | N", help="Neurons to keep.", show_default=False)
    ] = None,
    max_synops: Annotated[
        float | None,
        typer.Option(min=1, help="Synaptic operations per second under the standard drive.", show_default=False),
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(min=1, max=2**53, help="Memory on a device.", show_default=False)
    ] = None,
    method: Annotated[str | None, typer.Option(help="How synapses are chosen.", show_default="lnp")] = None,
    iterations: Annotated[
        int | None, typer.Option(min=1, max=_MOST, help="Steps to the target; 1 goes there at once.", show_default="1")
    ] = None,
    arm: _Arm = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change a value, e.g. prune.lnp.edges=none. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice, the drive, and a network to build.")] = 0,
    out: Annotated[Path, typer.Option(help="Where pruned.safetensors, trajectory.json and pruning.html go.")] = Path(
        "pruned"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Finish what was begun in --out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what is in --out.")] = False,
    data_dir: _DataDir = None,
    as_json: _Json = False,
    quiet: _Quiet = False,
) -> Verb:
    """Make a network smaller without looking at a task; write it with the way there and pruning.html."""

    def do() -> int:
        _stop_on_termination()
        from hrsnn.console import Display, pruning_text
        from hrsnn.prune.session import NETWORK, REPORT, prune_into
        from hrsnn.report.pruning import write_pruning_report

        budget = max_synops is not None or max_bytes is not None
        options = {
            "methods": None if method is None else json.dumps([method]),
            "keep_synapses": 0 if budget and keep_synapses is None else keep_synapses, "keep_neurons": keep_neurons,
            "max_synops_per_s": max_synops, "max_bytes": max_bytes, "n_iterations": iterations,
        }  # fmt: skip
        overrides = [*(set_ or ()), *(f"prune.{key}={value}" for key, value in options.items() if value is not None)]
        name, dense, spec = _to_prune(network, arm=arm, overrides=overrides, seed=seed, data_dir=data_dir)
        with Display(quiet=quiet) as display:
            try:
                document = prune_into(
                    out, dense, spec, name=name, seed=seed, resume=resume, force=force, n_threads=os.cpu_count() or 1,
                    on_snapshot=lambda one: display.pruned(one, spec.n_iterations), say=display.say,
                )  # fmt: skip
            except KeyboardInterrupt:
                display.close()
                _complain("interrupted")
                line = _prune_command(network, arm=arm, overrides=overrides, seed=seed, out=out, data_dir=data_dir)
                print(f"what is finished is kept; go on with:\n  {line}", file=sys.stderr)
                return INTERRUPTED
        report = write_pruning_report(document, out / REPORT)
        if as_json:
            _print_json(document)
        else:
            print(f"{pruning_text(document)}\nNetwork: {out / NETWORK}\nReport: {report}")
        return OK

    return do


def _to_prune(
    source: str | None, *, arm: str | None, overrides: Sequence[str], seed: int, data_dir: Path | None
) -> tuple[str, Network, PruneSpec]:
    """What to call it, the network, and the table `[prune]`; a saved network has no other table."""
    from hrsnn.config import load_config, prune_table
    from hrsnn.prune.spec import PruneSpec

    if _is_saved(source):
        spec = prune_table(overrides)
        name, network, _ = _network_of("hrsnn prune", source, arm=arm, overrides=(), seed=seed, data_dir=data_dir)
        return name, network, spec
    name, network, _ = _network_of("hrsnn prune", source, arm=arm, overrides=overrides, seed=seed, data_dir=data_dir)
    return name, network, load_config(source, overrides, data_dir=data_dir).prune or PruneSpec()


def _prune_command(
    source: str | None, *, arm: str | None, overrides: Sequence[str], seed: int, out: Path, data_dir: Path | None
) -> str:
    """The line that goes on where pruning was interrupted."""
    words = ["hrsnn", "prune", *([source] if source else []), *(["--arm", arm] if arm else [])]
    words += [word for override in overrides for word in ("--set", override)]
    words += ["--seed", str(seed), "--out", str(out), *(["--data-dir", str(data_dir)] if data_dir else [])]
    return shlex.join([*words, "--resume"])


# -- reproduce ---------------------------------------------------------------------------------------------------------


@app.command()
def reproduce(
    name: Annotated[
        str | None, typer.Argument(help="What to make again; --list names all.", show_default=False)
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List what can be made again.")] = False,
    scale: Annotated[str, typer.Option(metavar="smoke | small | paper", help="Sizes and numbers of seeds.")] = "small",
    seeds: Annotated[
        int | None, typer.Option(min=2, max=_MOST, help="Seeds of every comparison.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the results.", show_default="reproduce/<name>-<scale>")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="one per core")] = None,
    data_dir: _DataDir = None,
    as_json: _Json = False,
    quiet: _Quiet = False,
) -> Verb:
    """Make a result of the papers again, such as `table5`. Stopped and started again, it goes on where it was."""

    def do() -> int:
        _stop_on_termination()
        from hrsnn._checks import require
        from hrsnn.console import Display, aligned, reproduction_text
        from hrsnn.reproduce import REPRODUCTIONS
        from hrsnn.reproduce import reproduce as make
        from hrsnn.work.workers import usable_cpus

        if list_:
            if as_json:
                _print_json({entry.name: entry.description for entry in REPRODUCTIONS.values()})
            else:
                for line in aligned([[entry.name, entry.description] for entry in REPRODUCTIONS.values()], to_right=()):
                    print(line)
            return OK
        remedy = "`hrsnn reproduce --list` lists all"
        require(name is not None, "hrsnn reproduce", "NAME", "must be given", "nothing", remedy=remedy)
        try:
            with Display(quiet=quiet) as display:
                folder, document = make(
                    str(name), scale=scale, out=out, n_seeds=seeds, data_dir=data_dir, n_jobs=jobs or usable_cpus(),
                    say=display.say,
                )  # fmt: skip
        except KeyboardInterrupt:
            _complain("interrupted; what is finished is kept, and the same command goes on from there")
            return INTERRUPTED
        if as_json:
            _print_json(document)
        else:
            print(f"{reproduction_text(document)}\nReport: {folder / f'{name}.html'}")
        return OK

    return do


# -- bench -------------------------------------------------------------------------------------------------------------


@app.command()
def bench(
    workload: Annotated[
        list[str] | None, typer.Option(help="Only this one, e.g. W1. Repeatable.", show_default="all")
    ] = None,
    neurons: Annotated[
        list[int] | None,
        typer.Option(min=1, max=_MOST, help="Number of neurons. Repeatable.", show_default="1000, 2000, 5000"),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=_MOST, help="Rounds.", show_default="5, with --quick 3")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One size, no growth.")] = False,
    peers: Annotated[
        Path | None,
        typer.Option(help="Environments of other simulators; else $HRSNN_PEERS, else ./.peers.", show_default=False),
    ] = None,
    no_peers: Annotated[bool, typer.Option("--no-peers", help="hrsnn and the limit alone.")] = False,
    out: Annotated[Path, typer.Option(help="Where bench.json and bench.html go.")] = Path("bench-results"),
    as_json: _Json = False,
    quiet: _Quiet = False,
) -> Verb:
    """Measure the speed of hrsnn against the machine's limit and other simulators; write bench.json and bench.html."""

    def do() -> int:
        _stop_on_termination()
        from hrsnn import bench
        from hrsnn._checks import require
        from hrsnn.console import Display, bench_text
        from hrsnn.network_file import write_atomically
        from hrsnn.report.bench import write_bench_report
        from hrsnn.speed import read

        require(not (peers and no_peers), "hrsnn bench", "--peers", "must not stand beside --no-peers", str(peers))
        folder = None if no_peers else bench.peer_folder(peers)
        steps = bench.plan(workload or (), peers=folder, neurons=neurons or (), quick=quick)
        out.mkdir(parents=True, exist_ok=True)
        with Display(quiet=quiet) as display:
            document = bench.run_suite(steps, rounds=rounds or (3 if quick else 5), say=display.say)
        write_atomically(out / "bench.json", (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
        report = write_bench_report(document, out / "bench.html")
        if as_json:
            _print_json(document)
        else:
            print(f"{bench_text(read(document))}\nReport: {report}")
        return OK

    return do


# -- data --------------------------------------------------------------------------------------------------------------


@data_app.callback(invoke_without_command=True)
def _data(context: typer.Context) -> Verb | None:
    return data_list() if context.invoked_subcommand is None else None


@data_app.command("list")
def data_list(data_dir: _DataDir = None, as_json: _Json = False) -> Verb:
    """List the data sets by name."""

    def do() -> int:
        from hrsnn.console import aligned
        from hrsnn.data import catalogue, data_directory

        directory = data_directory(data_dir)
        entries = [(entry, _state(entry, directory)) for entry in catalogue()]
        if as_json:
            fields = ("name", "kind", "description", "size", "licence", "availability")
            rows = [{**{f: getattr(entry, f) for f in fields}, "state": state} for entry, state in entries]
            _print_json({"directory": str(directory), "data_sets": rows})
            return OK
        table = [[e.name, e.size, state, e.licence, e.description] for e, state in entries]
        for line in aligned([["name", "size", "state", "licence", "what it is"], *table], to_right=()):
            print(line)
        print(f"Data directory: {directory}")
        return OK

    return do


@data_app.command("check")
def data_check(
    name: Annotated[str | None, typer.Argument(help="A data set; all when absent.", show_default=False)] = None,
    data_dir: _DataDir = None,
    as_json: _Json = False,
) -> Verb:
    """Compare the files of a data set with their checksums.

    Exit code 1 when a file is damaged, or missing from the data set that was named.
    """

    def do() -> int:
        from hrsnn.data import catalogue, check

        names = [name] if name else [entry.name for entry in catalogue()]
        found = {n: check(n, data_dir) for n in names}
        if as_json:
            states = {n: [{"path": str(f.path), "state": f.state, "detail": f.detail} for f in found[n]] for n in names}
            _print_json(states)
        else:
            for n in names:
                for file in found[n]:
                    print(f"{n}: {file.path}: {file.state}" + (f" ({file.detail})" if file.detail else ""))
                if not found[n]:
                    print(f"{n}: ok (needs no file)")
        bad = {"damaged", "missing"} if name else {"damaged"}
        return FAILED if any(file.state in bad for files in found.values() for file in files) else OK

    return do


@data_app.command("download")
def data_download(
    name: Annotated[str, typer.Argument(help="A data set.", show_default=False)],
    data_dir: _DataDir = None,
    as_json: _Json = False,
) -> Verb:
    """Download a data set from its publisher into the data directory."""

    def do() -> int:
        from hrsnn.data import download

        paths = [str(path) for path in download(name, data_dir)]
        if as_json:
            _print_json({"files": paths})
        else:
            print("\n".join(paths))
        return OK

    return do


def _state(entry: Entry, directory: Path) -> str:
    if not entry.files:
        return entry.availability
    forms = [{directory / path, directory / path.removesuffix(".gz")} for path, _ in entry.files]
    if all(any(form.is_file() for form in either) for either in forms):
        return "there"
    return "can be downloaded" if entry.availability == "download" else "not there"


# -- doctor ------------------------------------------------------------------------------------------------------------


@app.command()
def doctor(data_dir: _DataDir = None, as_json: _Json = False) -> Verb:
    """Say what this installation can do: versions, threads, extras, GPU, data. Exit code 1 if `run` cannot work."""

    def do() -> int:
        from hrsnn.console import aligned
        from hrsnn.doctor import examine

        findings = examine(data_dir)
        works = all(finding.ok for finding in findings if finding.needed)
        if as_json:
            rows = [{"topic": f.topic, "ok": f.ok, "needed": f.needed, "text": f.text} for f in findings]
            _print_json({"ok": works, "findings": rows})
        else:
            marks = {True: "ok", False: "-"}
            table = [["FAIL" if f.needed and not f.ok else marks[f.ok], f.topic, f.text] for f in findings]
            print("\n".join(aligned(table, to_right=())))
            print("`hrsnn run` can work here." if works else "`hrsnn run` cannot work here; see FAIL above.")
        return OK if works else FAILED

    return do


if __name__ == "__main__":
    sys.exit(main())
