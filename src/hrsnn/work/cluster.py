"""Executors that are asked for by address: `dask://HOST:PORT` is the scheduler of a Dask cluster."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

from hrsnn._checks import InputError, RunError, as_text, extra

_ADDRESS = re.compile(r"dask://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_SECONDS_TO_ANSWER = 10.0  # of a scheduler that is being started, too


def executor_of(
    asked: Executor | str | None, *, jobs: int | None, say: Callable[[str], None]
) -> AbstractContextManager[Executor | None]:
    """The executor that was asked for, while the context lasts: one of the caller's, of a cluster, or none.

    say   told when a cluster has no workers yet

    Raises `InputError` for processes beside an executor and for an address that is none, `RunError` when nothing
    answers there, `MissingExtraError` without distributed.
    """
    if asked is not None and jobs is not None:
        raise InputError("--executor says where units are done and --jobs how many processes here; give one of them")
    if asked is None or isinstance(asked, Executor):
        return nullcontext(asked)
    address = _ADDRESS.fullmatch(asked) if isinstance(asked, str) else None
    if address is None or not 0 < int(address["port"]) < 2**16:
        raise InputError(f"--executor must be dask://HOST:PORT, the scheduler of a Dask cluster, got {as_text(asked)}")
    return _cluster(address["host"], address["port"], say)


def places(executor: Executor) -> int:
    """How many units an executor does at a time now, as far as it tells; never less than two.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> places(ThreadPoolExecutor(5))
    5
    """
    client = getattr(executor, "_client", None)  # of Dask
    return max(2, getattr(executor, "_max_workers", 0) if client is None else sum(client.nthreads().values()))


@contextmanager
def _cluster(host: str, port: str, say: Callable[[str], None]) -> Iterator[Executor]:
    with extra("cluster", "an executor dask://...", "distributed"):
        from distributed import Client
    with _quiet():
        try:
            if not _answers(host.strip("[]"), int(port)):
                raise TimeoutError
            client = Client(f"tcp://{host}:{port}", timeout=_SECONDS_TO_ANSWER, set_as_default=False, name="hrsnn")
        except Exception as error:
            raise RunError(
                f"no scheduler of Dask answers at {host}:{port}; start one there with `dask scheduler --port {port}`, "
                "or mend --executor"
            ) from error
        with client:
            if not client.nthreads():
                say(f"the cluster at {host}:{port} has no workers yet; units wait for the first")
            executor = client.get_executor()
            try:
                yield executor
            finally:
                executor.shutdown(wait=False)


def _answers(host: str, port: int) -> bool:
    """Whether something speaks there, as a scheduler does at once; a client would wait for ever for what is silent."""
    end = time.monotonic() + _SECONDS_TO_ANSWER
    while (left_s := end - time.monotonic()) > 0:
        with suppress(OSError), socket.create_connection((host, port), timeout=left_s) as connection:
            if connection.recv(1):
                return True
        time.sleep(min(0.2, left_s))
    return False


@contextmanager
def _quiet() -> Iterator[None]:
    """What goes wrong is told in a sentence; the logs of a client say it in hundreds."""
    import distributed  # noqa: F401 - gives its loggers their levels

    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("distributed", "tornado")]
    loggers = [logger for logger in map(logging.getLogger, names) if not logger.disabled]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger in loggers:
            logger.disabled = False
