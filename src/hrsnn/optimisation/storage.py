"""Where a study of Optuna is kept: a database by its URL, or a journal; of one search, and of one process at a time."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from hrsnn._checks import HrsnnError, InputError, RunError, require, shortened
from hrsnn.work.store import hold

STUDY, ORIGIN = "hrsnn", "hrsnn"  # names of the study, and of its attribute that says what it follows from
_PASSWORD = re.compile(r"(?<=://)([^:/@?]*:)(.*)@|([?&]password=)([^&#]*)")
_SECONDS_OF_A_LOCK = 3  # on a journal, taken for milliseconds: an older one was left by a process that was killed
_GO_ON = "trials that are finished are kept, and the same command goes on"


def checked(storage: str) -> str:
    """`storage`, which must be a URL or a path ending in .log."""
    ok = isinstance(storage, str) and ("://" in storage or storage.endswith(".log"))
    require(ok, "search", "storage", "must be the URL of a database, or a path ending in .log", shown(str(storage)))
    return storage


def shown(storage: str) -> str:
    """`storage` without its password.

    >>> shown("postgresql+pg8000://me:p@ss:w/rd@host:5432/searches")
    'postgresql+pg8000://me:***@host:5432/searches'
    """
    return _PASSWORD.sub(lambda found: f"{found[1]}***@" if found[1] else f"{found[3]}***", storage)


def _url(storage: str) -> str:
    """A PostgreSQL of no named driver is spoken to by psycopg, as SQLAlchemy would, or by what is installed with us."""
    return storage if find_spec("psycopg") else re.sub("^postgresql://", "postgresql+pg8000://", storage)


@contextmanager
def held(out: Path, storage: str) -> Iterator[None]:
    """Hold a directory and a storage for this process; `RunError` when another one does."""
    with ExitStack() as at_end:
        hold(at_end.enter_context((out / ".searching").open("a")), f"searching in {out}", "give another --out")
        doing, remedy = f"searching with the storage {shown(storage)}", "give another --storage"
        with told(storage, OSError):
            if storage.startswith("postgresql"):
                _hold_database(storage, at_end, doing, remedy)
            elif "://" not in storage or storage.startswith("sqlite:///"):
                file = Path(storage.removeprefix("sqlite:///").partition("?")[0])
                hold(at_end.enter_context(file.with_name(f".{file.name}.searching").open("a")), doing, remedy)
        yield


def _hold_database(storage: str, at_end: ExitStack, doing: str, remedy: str) -> None:
    """A lock that PostgreSQL ends with the connection, and so with the process."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(_url(storage), poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT")
    connection = at_end.enter_context(engine.connect())
    if not connection.scalar(sqlalchemy.text("SELECT pg_try_advisory_lock(hashtext('hrsnn'))")):
        raise RunError(f"another hrsnn process is {doing}; wait for it, stop it, or {remedy}")


def study(
    storage: str, origin: Mapping[str, Any], sampler: optuna.samplers.BaseSampler, n_objectives: int
) -> optuna.Study:  # fmt: skip
    """The study of the search that follows from `origin`, made where there is none.

    Raises `InputError` where it follows from something else, the first of which is named; `RunError` for a storage that
    cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with told(storage, Exception), warnings.catch_warnings():  # of drivers, and of files that are none
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        found = optuna.create_study(
            storage=_url(storage) if "://" in storage else _journal(storage), sampler=sampler, study_name=STUDY,
            directions=[optuna.study.StudyDirection.MAXIMIZE] * n_objectives, load_if_exists=True,
        )  # fmt: skip
        theirs = found.user_attrs.get(ORIGIN)
        if theirs is None and not found.get_trials(deepcopy=False):
            found.set_user_attr(ORIGIN, theirs := dict(origin))
    if theirs != origin:
        raise InputError(f"the study in {shown(storage)} {_other(theirs, origin)}")
    return found


def _journal(path: str) -> JournalStorage:
    """Read before anything is written to it, so that another file stays as it is."""
    file = str(Path(path).absolute())  # the lock is a link to it, and of one that leads nowhere the age is not seen
    lock = JournalFileSymlinkLock(file, grace_period=_SECONDS_OF_A_LOCK)
    journal = JournalStorage(JournalFileBackend(file, lock_obj=lock))
    journal.get_all_studies()
    return journal


def _other(theirs: Any, ours: Mapping[str, Any]) -> str:
    """What study it is, and by what it differs."""
    anew = "give another --out or --storage"
    if not isinstance(theirs, dict):
        return f"is of another program: hrsnn did not make it; {anew}"
    name = next(name for name in (*ours, *theirs) if theirs.get(name) != ours.get(name))
    there, here = theirs.get(name), ours.get(name)
    if name == "schema":
        return f"was written as {there} by another version of hrsnn, and {here} is read here; use that, or {anew}"
    differs = f"`{name}` is {there} there and {here} here"
    if len(str(there)) == len(str(here)) == 64:  # digests
        differs = f"`{name}` is not the same"
    return f"is of another search, of {theirs.get('title')}: {differs}; {anew}"


@contextmanager
def told(storage: str, *others: type[Exception]) -> Iterator[None]:
    """Raises `RunError` for what a storage raises, and for `others`."""
    from sqlalchemy.exc import SQLAlchemyError

    raised: tuple[type[Exception], ...] = (
        optuna.exceptions.StorageInternalError,
        SQLAlchemyError,
        ImportError,
        *others,
    )
    try:
        yield
    except HrsnnError:
        raise
    except raised as error:
        raise _unusable(storage, error) from error


def _unusable(storage: str, error: BaseException) -> RunError:
    first: BaseException = error
    while (cause := first.__cause__ or first.__context__) is not None:
        first = cause
    told_as_map = first.args[0] if first.args and isinstance(first.args[0], dict) else {}  # by pg8000
    said = str(told_as_map.get("M", first)).strip().partition("\n")[0].replace(storage, shown(storage))
    for _, secret, _, in_query in _PASSWORD.findall(storage):
        said = said.replace(secret or in_query or storage, "***")
    if "is locked" in said:
        why = "is locked by another process; wait for it, or stop it"
    elif isinstance(first, ImportError):
        why = f"needs a driver ({said}); `pip install 'hrsnn[postgresql]'` installs that of postgresql://"
    elif "compatible with the table schema" in said:
        why = f"was made by another version of Optuna: {said} Or give another --storage"
    else:
        why = f"cannot be used ({type(first).__name__}: {shortened(said)})"
    return RunError(f"the storage {shown(storage)} {why}; {_GO_ON}")
