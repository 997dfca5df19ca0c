"""Spawned processes that compute on one thread each, end with this one, however it ends, and leave Ctrl-C to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from typing import Any

from hrsnn._checks import RunError

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def usable_cpus() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def process_pool(n_jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that compute on one thread each, see no signal of a terminal, and end with this process.

    Raises `RunError` when one of them is killed.
    """
    with _starting() as start:
        try:
            yield start(n_jobs, id)
        except BrokenProcessPool as error:
            raise RunError(
                "a worker process was killed by the system, often for lack of memory; try a smaller --jobs"
            ) from error


@contextmanager
def lone_processes(n_jobs: int, *, heard: Callable[[Any], object]) -> Iterator[Callable[..., Future[Any]]]:
    """`submit` to so many processes as in `process_pool`, of which one that is killed takes nothing else with it.

    heard   called, in a thread, with what they send by `tell_parent`

    A process does one thing at a time, and at most `n_jobs` may be submitted that have not ended. What a killed one was
    doing ends with `BrokenProcessPool`; another takes its place.
    """
    with _starting() as start:
        idle = deque(start(1, heard) for _ in range(n_jobs))

        def submit(fn: Callable[..., Any], *args: Any) -> Future[Any]:
            process = idle.popleft()
            try:
                ended = process.submit(fn, *args)
            except BrokenProcessPool:
                process.shutdown()
                process = start(1, heard)
                ended = process.submit(fn, *args)
            ended.add_done_callback(lambda _: idle.append(process))
            return ended

        yield submit


class _Pool(ProcessPoolExecutor):
    """Starts its processes, which may be at any submission, with signals held back, and hears what they tell."""

    def __init__(self, n_jobs: int, heard: Callable[[Any], object], receiver: Connection) -> None:
        context = multiprocessing.get_context("spawn")
        ear, self._mouth = context.Pipe(duplex=False)
        self._listener = threading.Thread(target=_listen, args=(ear, heard), daemon=True)
        self._listener.start()
        initial = (self._mouth, context.Lock(), receiver)
        super().__init__(n_jobs, context, initializer=_start_process, initargs=initial)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with _signals_held_back():
            return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._mouth.close()
        self._listener.join()  # ends with the last mouth, when it has heard everything


@contextmanager
def _starting() -> Iterator[Callable[[int, Callable[[Any], object]], _Pool]]:
    """How pools are started that end with the context: when all is done, or at once when something is raised."""
    with _signals_held_back():
        resource_tracker.ensure_running()  # outlives this process; killed by a hang-up, its successor would complain
    receiver, held_open = multiprocessing.Pipe(duplex=False)  # processes end when `held_open` is closed
    pools: list[_Pool] = []

    def start(n_jobs: int, heard: Callable[[Any], object]) -> _Pool:
        with _signals_held_back():
            pools.append(pool := _Pool(n_jobs, heard, receiver))
        for _ in range(n_jobs):  # one starts with each
            pool.submit(int)
        return pool

    with receiver, _one_thread_each():
        try:
            with held_open:
                yield start
                with ThreadPoolExecutor(len(pools)) as threads:  # all at a time
                    list(threads.map(_Pool.shutdown, pools))
        finally:
            for pool in pools:
                pool.shutdown(cancel_futures=True)


def _listen(ear: Connection, heard: Callable[[Any], object]) -> None:
    with ear, suppress(EOFError, OSError):
        while True:
            heard(ear.recv())


_mouth: Connection  # in a worker: messages go to the parent through it, one at a time
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


def tell_parent(message: Any) -> None:
    """Send this, from a process of a pool, to what `lone_processes` was given as `heard`."""
    with _turn:
        _mouth.send(message)


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
