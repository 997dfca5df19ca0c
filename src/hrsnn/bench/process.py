"""A process that is measured: started, asked, ended. The other end of the conversation is `peers.protocol`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hrsnn._checks import RunError
from hrsnn.bench.simulators import Engine

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# Of our own environment a peer gets what names its libraries otherwise than its own interpreter would.
_NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP")


@dataclass(frozen=True, slots=True)
class Answer:
    """One measurement. `events` and `plastic_events` are synaptic deliveries; None is unknown or does not apply."""

    user_s: float
    wall_s: float
    peak_mb: float | None = None
    spikes: int | None = None
    events: int | None = None
    plastic_events: int | None = None
    more: dict[str, float] = field(default_factory=dict)
    load: float | None = None

    @property
    def events_per_s(self) -> float | None:
        """Events per second of CPU time in user mode, of all threads together."""
        return self.events / self.user_s if self.events and self.user_s > 0 else None


class Process:
    """`with Process(engine, file) as process:` then `process.run()` as often as wanted, each from the initial state.

    `compile_s` and `versions` are known once it has started. What fails raises `RunError` with one sentence that names
    the engine and the last line it wrote to standard error.
    """

    def __init__(self, engine: Engine, workload_file: Path, *, patience_s: float = 1800.0) -> None:
        self._engine, self._patience_s = engine, patience_s
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        environment = {k: v for k, v in os.environ.items() if k not in _NOT_PASSED_ON}
        environment |= dict.fromkeys(_THREADS, str(engine.threads)) | engine.environment
        try:
            self._process = subprocess.Popen(
                [*engine.command, str(workload_file), str(engine.threads)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment,
                cwd=workload_file.parent, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._errors.close()
            raise RunError(f"{engine.name} could not be started ({error})") from error
        try:
            first = self._next_line()
            self.compile_s = self._number(first, "compile_s")
            self.versions = {str(name): str(version) for name, version in dict(first.get("versions", {})).items()}
        except BaseException:
            self.close(at_once=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(at_once=kind is not None)

    def run(self) -> Answer:
        """One measurement."""
        self._say("run")
        told = self._next_line()
        counts = {name: told.pop(name, None) for name in ("spikes", "events", "plastic_events")}
        peak_mb = told.pop("peak_mb", None)
        user_s, wall_s = (self._number(told, name) for name in ("user_s", "wall_s"))
        more = {name: float(value) for name, value in told.items() if name not in ("user_s", "wall_s")}
        return Answer(user_s, wall_s, peak_mb, **counts, more=more, load=_load())

    def close(self, *, at_once: bool = False) -> None:
        """End it, with force if it does not go by itself; nothing of it is left, its own children included."""
        if at_once:
            self._kill()
        try:
            self._say("quit")
            self._process.communicate(timeout=10)
        except (RunError, OSError, ValueError, subprocess.TimeoutExpired):
            self._kill()
            self._process.communicate()
        self._errors.close()

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise RunError(f"{self._engine.name} has ended{self._last_words()}") from error

    def _next_line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        too_late = threading.Timer(self._patience_s, self._kill)
        too_late.start()
        try:
            line = self._process.stdout.readline()
        finally:
            too_late.cancel()
        if not line:
            raise RunError(f"{self._engine.name} ended without an answer{self._last_words()}")
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise RunError(f"{self._engine.name} answered {line.strip()[:100]!r}, which is no JSON object")
        return told

    def _number(self, told: dict[str, Any], name: str) -> float:
        value = told.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
            raise RunError(f"`{name}` in the answer of {self._engine.name} must be a number >= 0, got {value!r}")
        return float(value)

    def _last_words(self) -> str:
        self._errors.flush()
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return f"; its last words: {lines[-1].strip()[:300]}" if lines else ""

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (AttributeError, OSError):  # Windows has no groups; or it is gone
            self._process.kill()


def _load() -> float | None:
    """How many processes wanted to run on average over the last minute."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
