"""Units of work, done in this process or in a pool of spawned ones that compute on one thread each.

Processes of a pool end with the process that started them, however that ends, and leave Ctrl-C to it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any, Protocol, TypeVar

from threadpoolctl import threadpool_limits

from hrsnn._checks import InputError, RunError, too_large
from hrsnn.config import Config
from hrsnn.run_directory import RunDirectory, Unit, UnitResult, cannot_write
from hrsnn.train import Progress, ProgressEvent

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_SECONDS_BETWEEN_EVENTS = 0.1


class Named(Protocol):
    @property
    def name(self) -> str: ...


class Work(Protocol):
    """What is done with every unit, as a value that can be sent to another process."""

    @property
    def path(self) -> Path:
        """The directory that units leave their files in."""

    def do(self, unit: Any, progress: Progress) -> None:
        """Do one unit and write its files."""


@dataclass(frozen=True, slots=True)
class Job:
    """The `Work` of a run: what its units have in common; `run_unit` is that of `hrsnn.runs.Experiment`."""

    config: Config
    run_unit: Callable[..., UnitResult]
    directory: RunDirectory
    data_dir: Path | None

    @property
    def path(self) -> Path:
        return self.directory.path

    def do(self, unit: Unit, progress: Progress) -> None:
        result = self.run_unit(self.config, unit, data_dir=self.data_dir, progress=progress)
        self.directory.write_unit(unit, result, self.config)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a unit could not be finished; `known` when the message alone says it."""

    message: str
    is_input: bool
    known: bool
    traceback: str


_U = TypeVar("_U", bound=Named)
Attempts = Generator[tuple[_U, Failure | None], None, None]
Tell = Callable[[_U, ProgressEvent], None]


def attempts(work: Work, pending: list[_U], *, tell: Tell[_U], n_jobs: int) -> Attempts[_U]:
    """Each unit as it ends, with None when its files are written; closing this stops the rest.

    tell      is called as units go on, with `n_jobs` > 1 from another thread
    n_jobs    processes, 1 works in this one

    Raises `RunError` when a process is killed.
    """
    return _in_pool(work, pending, tell, n_jobs) if n_jobs > 1 else _in_process(work, pending, tell)


def usable_cpus() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# -- one unit ----------------------------------------------------------------------------------------------------------


def _attempt(work: Work, unit: Named, progress: Progress) -> Failure | None:
    """Do one unit and write its files; None when all is well."""
    try:
        with threadpool_limits(1):
            work.do(unit, progress)
    except OSError as error:
        return Failure(cannot_write(work.path, error), False, True, traceback.format_exc())
    except (InputError, RunError) as error:
        return Failure(str(error), isinstance(error, InputError), True, traceback.format_exc())
    except (MemoryError, OverflowError) as error:
        return Failure(too_large(error), True, True, traceback.format_exc())
    except Exception as error:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return Failure(text, False, False, traceback.format_exc())
    return None


# -- processes ---------------------------------------------------------------------------------------------------------


def _in_process(work: Work, pending: list[_U], tell: Tell[_U]) -> Attempts[_U]:
    for unit in pending:
        yield unit, _attempt(work, unit, lambda event, unit=unit: tell(unit, event))  # type: ignore[misc]


def _in_pool(work: Work, pending: list[_U], tell: Tell[_U], n_jobs: int) -> Attempts[_U]:
    """Units in fresh processes, as they finish. The processes end with this one, however it ends."""
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    events.cancel_join_thread()
    receiver, held_open = context.Pipe(duplex=False)  # processes end when `held_open` is closed
    listener = threading.Thread(target=_listen, args=(events, tell, pending), daemon=True)
    listener.start()
    with _one_thread_each():
        pool = ProcessPoolExecutor(n_jobs, context, initializer=_start_process, initargs=(events, receiver))
        try:
            with _signals_held_back():
                futures: dict[Future[Failure | None], _U] = {
                    pool.submit(_attempt_in_pool, work, unit): unit for unit in pending
                }
            waiting = set(futures)
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in sorted(finished, key=lambda f: futures[f].name):
                    yield futures[future], future.result()
            pool.shutdown()
        except BrokenProcessPool as error:
            raise RunError(
                "a worker process was killed by the system, often for lack of memory; try a smaller --jobs"
            ) from error
        finally:
            held_open.close()
            pool.shutdown(cancel_futures=True)
            events.put(None)
            listener.join(timeout=1.0)
            receiver.close()


_events: Any = None  # in a worker: the queue on which progress goes to the parent


def _start_process(events: Any, receiver: Connection) -> None:
    global _events
    _events = events
    events.cancel_join_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(receiver,), daemon=True).start()


def _end_with_parent(receiver: Connection) -> None:
    parent = multiprocessing.parent_process()
    wait_for_any([receiver, *([parent.sentinel] if parent else [])])
    os._exit(1)


def _attempt_in_pool(work: Work, unit: Named) -> Failure | None:
    last_sent, last_phase = 0.0, ""

    def progress(event: ProgressEvent) -> None:
        nonlocal last_sent, last_phase
        now = time.monotonic()
        if event.phase != last_phase or event.done >= event.total or now - last_sent >= _SECONDS_BETWEEN_EVENTS:
            last_sent, last_phase = now, event.phase
            _events.put((unit.name, event))

    return _attempt(work, unit, progress)


def _listen(events: Any, tell: Tell[_U], units: list[_U]) -> None:
    by_name = {unit.name: unit for unit in units}
    with suppress(EOFError, OSError):
        while (message := events.get()) is not None:
            name, event = message
            tell(by_name[name], event)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside compute on one thread; libraries read these variables when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Processes started inside never see Ctrl-C or SIGTERM, which a terminal sends to all: the parent stops them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
