"""A script that runs when told, in a process of its own: the runs of two of them can alternate, each warm.

The script prints one line of JSON for each line that it reads. It is ended by the end of its input.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@contextmanager
def served(command: list[str], env: Mapping[str, str] | None = None) -> Iterator[Callable[[], dict[str, Any]]]:
    """A call that lets `command` run once more, with one thread and what `env` adds, and gives what it told."""
    environment = {**os.environ, **ONE_THREAD, **(env or {})}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        given, told = child.stdin, child.stdout

        def run() -> dict[str, Any]:
            print("run", file=given, flush=True)
            outcome: dict[str, Any] = json.loads(told.readline())
            return outcome

        yield run
        given.close()
