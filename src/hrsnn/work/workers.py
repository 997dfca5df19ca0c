"""Units of work, done in this process or in a pool of spawned ones that compute on one thread each.

Processes of a pool end with the process that started them, however that ends, and leave Ctrl-C to it.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from hrsnn._checks import InputError, RunError, too_large
from hrsnn.progress import Progress, ProgressEvent
from hrsnn.work.store import cannot_write
from hrsnn.work.unit import Unit

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_SECONDS_BETWEEN_EVENTS = 0.1


class Work(Protocol):
    """What is done with every unit, as a value that can be sent to another process."""

    @property
    def path(self) -> Path:
        """The directory that units leave their files in."""

    def do(self, unit: Unit, progress: Progress) -> None:
        """Do one unit and write its files."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a unit could not be finished; `known` when the message alone says it."""

    message: str
    is_input: bool
    known: bool
    traceback: str


Attempts = Generator[tuple[Unit, Failure | None], None, None]
Tell = Callable[[Unit, ProgressEvent], None]


def attempts(work: Work, pending: list[Unit], *, tell: Tell, n_jobs: int) -> Attempts:
    """Each unit as it ends, with None when its files are written; closing this stops the rest.

    tell      is called as units go on, in this thread, and never about a unit that has ended
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


def _attempt(work: Work, unit: Unit, progress: Progress) -> Failure | None:
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


def _in_process(work: Work, pending: list[Unit], tell: Tell) -> Attempts:
    for unit in pending:
        yield unit, _attempt(work, unit, lambda event, unit=unit: tell(unit, event))  # type: ignore[misc]


def _in_pool(work: Work, pending: list[Unit], tell: Tell, n_jobs: int) -> Attempts:
    """Units in fresh processes, as they finish. The processes end with this one, however it ends."""
    # One queue for what processes say and for units that end: a watcher is told in the thread that it works in.
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    left = {unit.name: unit for unit in pending}
    with process_pool(n_jobs, heard=inbox.put) as pool:
        with _signals_held_back():
            names = {pool.submit(_attempt_in_pool, work, unit): unit.name for unit in pending}
        for future in names:
            future.add_done_callback(inbox.put)
        while left:
            message = inbox.get()
            if isinstance(message, Future):
                yield left.pop(names[message]), message.result()
            elif message[0] in left:  # progress comes another way than results, and may come after them
                tell(left[message[0]], message[1])


@contextmanager
def process_pool(n_jobs: int, *, heard: Callable[[Any], object] = id) -> Iterator[ProcessPoolExecutor]:
    """Processes that compute on one thread each, see no signal of a terminal, and end with this process.

    heard   called, in a thread, with what they send; `id` does nothing with it

    Raises `RunError` when one of them is killed.
    """
    context = multiprocessing.get_context("spawn")
    with _signals_held_back():
        resource_tracker.ensure_running()  # outlives this process; killed by a hang-up, its successor would complain
    with ExitStack() as at_end, _one_thread_each():
        with _signals_held_back():
            ear, mouth = context.Pipe(duplex=False)
            receiver, held_open = context.Pipe(duplex=False)  # processes end when `held_open` is closed
            listener = threading.Thread(target=_listen, args=(ear, heard), daemon=True)
            listener.start()
            initial = (mouth, context.Lock(), receiver)
            pool = ProcessPoolExecutor(n_jobs, context, initializer=_start_process, initargs=initial)
            for end in (receiver.close, ear.close, listener.join, mouth.close):  # the other way round; the listener
                at_end.callback(end)  # ends with the last mouth, when it has heard everything
            at_end.callback(pool.shutdown, cancel_futures=True)
            at_end.callback(held_open.close)
            for _ in range(n_jobs):  # one starts with each
                pool.submit(int)
        try:
            yield pool
            pool.shutdown()
        except BrokenProcessPool as error:
            raise RunError(
                "a worker process was killed by the system, often for lack of memory; try a smaller --jobs"
            ) from error


def _listen(ear: Connection, heard: Callable[[Any], object]) -> None:
    with suppress(EOFError, OSError):
        while True:
            heard(ear.recv())


_mouth: Connection  # in a worker: progress goes to the parent through it, one at a time
_turn: Any


def _start_process(mouth: Connection, turn: Any, receiver: Connection) -> None:
    global _mouth, _turn
    _mouth, _turn = mouth, turn
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(receiver,), daemon=True).start()


def _end_with_parent(receiver: Connection) -> None:
    parent = multiprocessing.parent_process()
    wait_for_any([receiver, *([parent.sentinel] if parent else [])])
    os._exit(1)


def _attempt_in_pool(work: Work, unit: Unit) -> Failure | None:
    last_sent, last_phase = 0.0, ""

    def progress(event: ProgressEvent) -> None:
        nonlocal last_sent, last_phase
        now = time.monotonic()
        if event.phase != last_phase or event.done >= event.total or now - last_sent >= _SECONDS_BETWEEN_EVENTS:
            last_sent, last_phase = now, event.phase
            with _turn:
                _mouth.send((unit.name, event))

    return _attempt(work, unit, progress)


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
    """Processes started inside never see Ctrl-C, SIGTERM or SIGHUP, which go to a whole group: the parent stops them.

    Here they take effect at the end of the block. The mask is what processes and threads started inside inherit; a
    signal that another thread of this process takes meanwhile is kept by the handler.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {n: signal.signal(n, lambda number, frame: kept.append(number)) for n in numbers}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for number in kept:
            signal.raise_signal(number)
