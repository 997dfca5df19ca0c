"""One loop for all work: ask which units may begin, keep what is finished, do the rest, ask again when a unit ends."""

from __future__ import annotations

import math
import os
import pickle
import queue
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from hrsnn._checks import InputError, RunError, shortened, too_large
from hrsnn._version import __version__
from hrsnn.progress import Progress, ProgressEvent, no_progress
from hrsnn.work.pool import lone_processes, tell_parent
from hrsnn.work.store import cannot_write
from hrsnn.work.unit import Unit

_SECONDS_BETWEEN_EVENTS = 0.1
_SECONDS_TO_SEE = 30.0  # what another machine wrote: network file systems show a new file late
_SAME_FILES = "workers must see the same file system under the same names"


class Work(Protocol):
    """What is to be done in units, as a value that can be sent to another process."""

    @property
    def path(self) -> Path:
        """The directory that units leave their files in."""

    def plan(self, done: Mapping[str, Any]) -> Sequence[Unit]:
        """The units that may begin when those in `done`, name -> value, are finished; begun ones may be among them.

        A unit that was named once is done. The work is complete when nothing is being done and no other is named.
        """

    def read(self, unit: Unit) -> Any | None:
        """The value of a finished unit from its files; None where it is to be done."""

    def do(self, unit: Unit, progress: Progress) -> None:
        """Do one unit and write its files."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a unit could not be finished; `known` when the message alone says it."""

    message: str
    is_input: bool = False
    known: bool = True
    traceback: str = ""

    def error(self, unit: Unit, *, hint: str = "") -> InputError | RunError:
        """What is raised for it; `hint` says more of what is not known."""
        if self.is_input:
            return InputError(f"{self.message} (unit {unit.name})")
        return RunError(f"unit {unit.name} failed: {self.message}{'' if self.known else hint}")


_KILLED_TWICE = Failure(
    "its worker process was killed twice, the second time with no other at work, often for lack of memory; try a "
    "smaller --jobs, or a smaller network or data"
)
_GIVEN_UP = Failure(
    "workers of the cluster were killed while they did it, also with no other at work, often for lack of memory; give "
    "them more, or make the network or the data smaller"
)

Tell = Callable[[Unit, ProgressEvent], None]
_Begun = Future[Failure | None]


def to_do(work: Work, done: dict[str, Any], begun: Collection[str] = ()) -> list[Unit]:
    """The units that may begin now; what is finished in the files of the work is added to `done`."""
    absent: dict[str, Unit] = {}
    while True:
        named = {unit.name: unit for unit in work.plan(done)}
        new = [unit for name, unit in named.items() if not (name in done or name in begun or name in absent)]
        found = {unit.name: value for unit in new if (value := work.read(unit)) is not None}
        absent.update((unit.name, unit) for unit in new if unit.name not in found)
        if not found:
            return list(absent.values())
        done.update(found)


def finished(
    work: Work,
    done: dict[str, Any],
    *,
    tell: Tell,
    say: Callable[[str], None],
    n_jobs: int = 1,
    executor: Executor | None = None,
) -> Generator[tuple[Unit, Any], None, None]:
    """Do all that is to do; each unit as it ends, with its value, which is in `done` then, or with its `Failure`.

    done       name -> value of finished units; what the files of the work hold beside them is added
    tell       is called as units go on, in this thread, and never about a unit that has ended; not with an executor
    say        is told in a sentence what is done again
    n_jobs     processes, 1 works in this one
    executor   does the units instead, and is left running

    A unit whose process is killed is done again with no other beside it; killed a second time, it is a `Failure`.
    Closing this stops the rest; what an executor has begun may still end. Raises `RunError` when the executor cannot do
    a unit, or a unit ended without files.
    """
    begun: set[str] = set()
    waiting: deque[Unit] = deque()
    killed: set[Unit] = set()  # once; all others wait for them
    running: dict[_Begun, Unit] = {}
    # One queue for what processes say and for units that end: a watcher is told in the thread that it works in.
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with _workers(n_jobs, executor, inbox.put, tell) as (begin, n_at_once):
        try:
            while True:
                waiting.extend(to_do(work, done, begun))
                begun.update(unit.name for unit in waiting)
                while waiting and len(running) < (1 if killed else n_at_once):
                    unit = waiting.popleft()
                    ended = begin(work, unit)
                    running[ended] = unit
                    ended.add_done_callback(inbox.put)
                if not running:
                    return
                while not isinstance(ended := inbox.get(), Future):
                    unit, event = ended  # comes another way than the end of a unit, and may come after it
                    if unit in running.values():
                        tell(unit, event)
                unit = running.pop(ended)
                try:
                    value = ended.result() if executor is None else _result_of_others(ended, unit)
                except BrokenProcessPool:  # another unit of the same worker may be why
                    if unit not in killed:
                        killed.add(unit)
                        waiting.appendleft(unit)
                        say(f"the process of unit {unit.name} was killed; it is done again, with no other beside it")
                        continue
                    value = _KILLED_TWICE if executor is None else _GIVEN_UP
                except (pickle.PicklingError, AttributeError, TypeError) as error:  # units raise nothing
                    raise RunError(
                        f"unit {unit.name} cannot be sent to another process ({shortened(str(error))}); let what it "
                        "is made of stand in modules, or do it in this process with --jobs 1"
                    ) from error
                killed.discard(unit)
                if value is None:
                    value = done[unit.name] = _written(work, unit, 0.0 if executor is None else _SECONDS_TO_SEE)
                yield unit, value
        finally:
            for ended in running:
                ended.cancel()


def _written(work: Work, unit: Unit, patience_s: float) -> Any:
    """The value of a unit that has ended."""
    end = time.monotonic() + patience_s
    while (value := work.read(unit)) is None:
        if time.monotonic() >= end:
            raise RunError(f"unit {unit.name} has ended, but its files are not in {work.path}; {_SAME_FILES}")
        time.sleep(min(0.5, patience_s))
        for _ in os.walk(work.path):  # listed, a folder of a network file system is looked at anew
            pass
    return value


# -- where units are done ----------------------------------------------------------------------------------------------


@contextmanager
def _workers(
    n_jobs: int, executor: Executor | None, heard: Callable[[Any], object], tell: Tell
) -> Iterator[tuple[Callable[[Work, Unit], _Begun], float]]:
    """How a unit is begun, and how many are at a time."""
    if executor is not None:
        yield partial(_begun_elsewhere, executor), math.inf
    elif n_jobs > 1:
        with lone_processes(n_jobs, heard=heard) as submit:
            yield partial(submit, _attempt_in_process), n_jobs
    else:
        yield partial(_begun_here, tell), 1


def _attempt(work: Work, unit: Unit, progress: Progress) -> Failure | None:
    """Do one unit and write its files, on one thread; None when all is well."""
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


def _begun_here(tell: Tell, work: Work, unit: Unit) -> _Begun:
    """What has ended when it is given back."""
    ended: _Begun = Future()
    ended.set_result(_attempt(work, unit, partial(tell, unit)))
    return ended


def _attempt_in_process(work: Work, unit: Unit) -> Failure | None:
    last_sent, last_phase = 0.0, ""

    def progress(event: ProgressEvent) -> None:
        nonlocal last_sent, last_phase
        now = time.monotonic()
        if event.phase != last_phase or event.done >= event.total or now - last_sent >= _SECONDS_BETWEEN_EVENTS:
            last_sent, last_phase = now, event.phase
            tell_parent((unit, event))

    return _attempt(work, unit, progress)


def _begun_elsewhere(executor: Executor, work: Work, unit: Unit) -> _Begun:
    with _told(unit):
        packed = pickle.dumps((work, unit, os.urandom(8)))  # never twice the same: Dask remembers what it was asked
        return executor.submit(_attempt_elsewhere, __version__, str(work.path), packed)


def _result_of_others(ended: _Begun, unit: Unit) -> Failure | None:
    with _told(unit):
        try:
            return ended.result()
        except Exception as error:
            if type(error).__name__ != "KilledWorker":  # of Dask
                raise
            broken = BrokenProcessPool(str(error))
    raise broken


def _attempt_elsewhere(version: str, path: str, packed: bytes) -> Failure | None:
    if version != __version__:
        return Failure(f"a worker has hrsnn {__version__}, and {version} is here; install the same version everywhere")
    if not Path(path).is_dir():
        return Failure(f"a worker does not see {path}; {_SAME_FILES}")
    work, unit, _ = pickle.loads(packed)
    return _attempt(work, unit, no_progress)


@contextmanager
def _told(unit: Unit) -> Iterator[None]:
    """Raises `RunError` for what an executor raises: units raise nothing."""
    try:
        yield
    except Exception as error:
        said = f": {shortened(str(error))}" if str(error) else ""
        raise RunError(
            f"the executor could not do unit {unit.name} ({type(error).__name__}{said}); it and its workers must be "
            "alive, with memory enough and the same hrsnn as here; finished units are kept"
        ) from error
