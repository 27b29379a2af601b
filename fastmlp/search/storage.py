"""Storages of studies, which several processes may share and a killed process cannot damage.

A killed process leaves its trial in the state of running, and perhaps an incomplete line at the end
of a journal.  The next process that opens the study while no other one works on it corrects this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..support.atomic_files import require_writable
from ..support.checks import known
from ..support.paths import as_text
from .locks import FileLock, SharedLock

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = ["opened"]

DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql"}  # packages, by the scheme of a URL
SQLITE = (".db", ".sqlite", ".sqlite3")
MAX_JOURNAL = 1 << 30  # bytes
DATABASE = b"SQLite format 3\0"  # the beginning of every database
FIRST = b'{"op_code":'  # the beginning of every line of Optuna's journals
# what Optuna raises for a journal's line that is not one of its own
NONSENSE = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)


@contextmanager
def opened(
    place: str | PathLike[str] | None, study: str = "fastmlp"
) -> Iterator[tuple[BaseStorage | None, SharedLock | None]]:
    """Open a storage, created if it does not exist, and correct what a killed process left.

    If no other process works on it, this one has the lock exclusively until it calls `share`, so
    that it can correct the trials too.

    Parameters
    ----------
    place : path-like or None
        A journal; a SQLite database if the name ends in .db, .sqlite or .sqlite3, or is a URL
        sqlite:///PATH; a database of PostgreSQL, MySQL or MariaDB by a URL
        postgresql://USER@HOST/NAME or mysql://USER@HOST/NAME.  None: no storage and no lock.
    study : str
        The name of the study, which the processes that use one server share.
    """
    if not isinstance(study, str):
        raise TypeError(f"study_name must be text, got {study!r}")
    if place is None:
        yield None, None
        return
    place = as_text(place, "storage")
    if scheme_of(place) in DRIVERS:
        with _on_server(str(place), study) as both:
            yield both
        return
    path = _path(place)
    require_writable(path)  # its locks are files beside it
    path.open("ab").close()
    lock = SharedLock.of_file(path)
    try:
        if not (alone := lock.try_exclusive()):
            lock.share()
        if path.suffix in SQLITE:
            with _sqlite(path) as storage:
                yield storage, lock
        else:
            yield _journal(path, alone), lock
    finally:
        lock.release()


def scheme_of(place: str | PathLike[str]) -> str | None:
    """Return the kind of database that a URL names; None for the name of a file."""
    scheme, separator, _ = str(place).partition("://")
    return known("kind of storage", scheme, ("sqlite", *DRIVERS)) if separator else None


def _path(place: str | PathLike[str]) -> Path:
    if scheme_of(place) is None:
        return Path(place)
    text = str(place)
    path = Path(text.partition("://")[2].removeprefix("/"))
    if path.suffix not in SQLITE:
        raise ValueError(f"storage must end in {', '.join(SQLITE)} to be a database, got {text!r}")
    return path


def _journal(path: Path, alone: bool) -> BaseStorage:
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    if path.stat().st_size > MAX_JOURNAL:
        raise ValueError(f"{path}: the journal has more than {MAX_JOURNAL:,} bytes")
    with path.open("r+b") as file:
        beginning = file.read(len(FIRST))
        if not FIRST.startswith(beginning):
            raise ValueError(f"{path} exists and is not a journal of Optuna")
        if alone:
            content = beginning + file.read()
            file.truncate(content.rfind(b"\n") + 1)
    lock: Any = FileLock(f"{path}.lock")  # Optuna's base class for locks is not public
    try:
        return JournalStorage(JournalFileBackend(str(path), lock))
    except NONSENSE as error:
        raise ValueError(f"{path} is not a journal of Optuna: {error!r}") from None


@contextmanager
def _sqlite(path: Path) -> Iterator[BaseStorage]:
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy import NullPool
    from sqlalchemy.exc import SQLAlchemyError

    if path.exists():
        with path.open("rb") as file:
            beginning = file.read(len(DATABASE))
        if beginning not in (b"", DATABASE):  # Optuna would leave a connection to it open
            raise ValueError(f"{path} is not a database of Optuna: it is not a SQLite file")
    engine = {
        "connect_args": {"timeout": 60},  # seconds, for the writes of other processes
        "poolclass": NullPool,  # no connection outlives an access, also a later one to the study
    }
    try:
        storage = RDBStorage(f"sqlite:///{path}", engine_kwargs=engine)
    except (SQLAlchemyError, RuntimeError) as error:
        raise ValueError(f"{path} is not a database of Optuna: {error}") from None
    try:
        yield storage
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise OSError(f"{path}: {reason}") from error
    finally:
        storage.remove_session()


@contextmanager
def _on_server(url: str, study: str) -> Iterator[tuple[BaseStorage, SharedLock]]:
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    server = url.partition("://")[0]
    driver = DRIVERS[server]
    try:
        import_module(driver)
    except ImportError:
        raise ImportError(
            f'a study in {server} needs {driver}: pip install "fastmlp[{server}]"', name=driver
        ) from None
    url = url.replace(server, f"{server}+{driver}", 1)
    try:
        engine = create_engine(url, poolclass=NullPool)  # a lock ends with its connection
    except (ArgumentError, ValueError):  # the latter at a port that is no number
        raise ValueError(f"storage must be a URL such as {server}://USER@HOST/NAME") from None
    lock = SharedLock.of_database(engine, study)
    try:
        with lock.turn():  # two processes that create the same tables would fail
            storage = RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        if not lock.try_exclusive():
            lock.share()
        try:
            yield storage, lock
        finally:  # a later access to the study connects again
            storage.remove_session()
            storage.engine.dispose()
    except (SQLAlchemyError, StorageInternalError) as error:
        place = engine.url.render_as_string(hide_password=True)
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise OSError(f"{place.replace(f'+{driver}', '')}: {reason}") from error
    finally:
        lock.release()
