"""What every verb of the command shares: the application, its exit codes, error sentences, types of options.

Results go to standard output, progress and errors to standard error. A command of typer only parses: it returns what
is to be done, which runs outside of typer's own handling of errors.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hrsnn._version import __version__

Verb = Callable[[], int]

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130  # done; failed; wrong usage or bad input; Ctrl-C
MOST = 10**6  # of what is counted: more would not end

app = typer.Typer(
    name="hrsnn",
    help="Heterogeneous recurrent spiking neural networks: train, compare, report.",
    add_completion=True,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where data sets lie; else $HRSNN_DATA, else the user cache.", show_default=False),
]
Executor = Annotated[
    str | None,
    typer.Option(metavar="dask://HOST:PORT", help="A cluster, instead of --jobs.", show_default=False),
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="one per core")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
ConfigSource = Annotated[
    str | None,
    typer.Argument(
        metavar="CONFIG.toml | NAME", help="A config file or a built-in config.", show_default="spoken-digits"
    ),
]
NetworkSource = Annotated[
    str | None,
    typer.Argument(
        metavar="NETWORK.safetensors | NETWORK.nir | CONFIG.toml | NAME",
        help="A saved network, or a config whose network is built, not trained.",
        show_default="spoken-digits",
    ),
]
StepMs = Annotated[
    float | None, typer.Option("--dt-ms", help="Step of a NIR graph that says none, in ms.", show_default=False)
]
ArmName = Annotated[str | None, typer.Option(help="Of a config: which arm.", show_default="the last of task.arms")]


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
        complain("interrupted")
        code = INTERRUPTED
    except BrokenPipeError:  # `hrsnn ... | head`: the reader has what it wanted
        code = OK
    except Exception as error:
        code = told(error)
    try:
        sys.stdout.flush()
    except OSError:  # what is left cannot be written; Python would complain once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def told(error: Exception) -> int:
    """Say in one sentence what went wrong; the exit code."""
    if hasattr(error, "format_message"):  # a usage error of typer, whose class differs between its versions
        complain(f"{error.format_message()} (`hrsnn --help` and `hrsnn VERB --help` list what there is)")
        return USAGE
    from hrsnn._checks import HrsnnError, InputError, shortened, too_large

    if isinstance(error, HrsnnError):
        complain(str(error))
        code = USAGE if isinstance(error, InputError) else FAILED
    elif isinstance(error, OSError):
        place = f"{shortened(str(error.filename))}: " if error.filename else ""
        complain(f"{place}{error.strerror or error}")
        code = FAILED
    elif isinstance(error, (MemoryError, OverflowError)):
        complain(too_large(error))
        code = USAGE
    else:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        complain(f"internal error, please report it: {text}; HRSNN_DEBUG=1 shows the traceback")
        code = FAILED
    if os.environ.get("HRSNN_DEBUG"):
        traceback.print_exception(error)
    return code


def complain(sentence: str) -> None:
    from hrsnn._checks import bounded

    print(f"hrsnn: {bounded(sentence)}", file=sys.stderr)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, sort_keys=True, allow_nan=False))


def stop_on_termination() -> None:
    """SIGTERM and a closed terminal end a run as Ctrl-C does."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, stop)


def print_summary(path: Path) -> None:
    from hrsnn.console import summary_text
    from hrsnn.report.source import read_run

    print(f"\n{summary_text(read_run(path))}")
    print(f"Report: {path / 'report.html'}")


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> Verb | None:
    if version:
        print(f"hrsnn {__version__}")
        raise typer.Exit
    return None
