"""Where a study is kept: a file that processes share, and that a kill at any moment leaves whole.

A process that is killed leaves its trial in the state of running, and perhaps half a line at the
end of a journal.  Who comes when no other process works on the study puts that right.  To know it,
and to write one after the other, processes have locks that the system opens when their holder ends,
however it ends; Optuna's own stay closed for half a minute then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..support.checks import known

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = ["Company", "opened"]

SQLITE = (".db", ".sqlite", ".sqlite3")
WAIT = 0.2  # seconds, after which Ctrl-C has its turn
DATABASE = b"SQLite format 3\0"  # the beginning of each
FIRST = b'{"op_code":'  # every line of Optuna's journals begins so


class Lock:
    """A lock between processes: SQLite's, because that is the same on all systems.

    Parameters
    ----------
    path : path-like
        A file for it alone, which stays empty.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None  # while this process has the lock

    def try_alone(self, wait: float = 0.0) -> bool:
        """Take the lock for oneself if it becomes free within `wait` seconds; whether it did."""
        return self._begin(["BEGIN EXCLUSIVE"], wait)

    def try_shared(self, wait: float = 0.0) -> bool:
        """Take the lock together with others."""
        return self._begin(["BEGIN", "SELECT * FROM sqlite_master"], wait)

    def acquire(self) -> bool:
        """Take the lock for oneself, as Optuna asks its own."""
        while not self.try_alone(WAIT):
            pass
        return True

    def release(self) -> None:
        """Open the lock, if this process has it."""
        if self._connection is not None:
            self._connection.close()  # there is nothing to commit
            self._connection = None

    def _begin(self, statements: list[str], wait: float) -> bool:
        self.release()
        connection = sqlite3.connect(
            self._path, timeout=wait, isolation_level=None, check_same_thread=False
        )
        try:
            for statement in statements:
                connection.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        self._connection = connection
        return True


class Company:
    """Whether other processes work on a file: who does shares a lock, so who has it alone is alone.

    Parameters
    ----------
    path : path-like
        The file that processes share.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._lock = Lock(f"{path}.workers")

    def alone(self) -> bool:
        """Whether nobody else works on the file; if so, nobody begins to before `join`."""
        return self._lock.try_alone()

    def join(self) -> None:
        """Be one of those who work on the file."""
        while not self._lock.try_shared(WAIT):
            pass

    def leave(self) -> None:
        """Work on it no more."""
        self._lock.release()


@contextmanager
def opened(
    place: str | PathLike[str] | None,
) -> Iterator[tuple[BaseStorage | None, Company | None]]:
    """Open a storage, made if it is not there, and put right what a killed process left.

    A process that is alone on it has the company's lock for itself until it joins, so that it can
    put the trials right, too.

    Parameters
    ----------
    place : path-like or None
        A journal; a SQLite database where it ends in .db, .sqlite or .sqlite3, or is a URL
        sqlite:///PATH.  None: no storage and no company.
    """
    if place is None:
        yield None, None
        return
    path = _path(place)
    path.open("ab").close()  # fails with the reason why if this is no place for it
    company = Company(path)
    try:
        if not (alone := company.alone()):
            company.join()
        if path.suffix in SQLITE:
            with _sqlite(path) as storage:
                yield storage, company
        else:
            yield _journal(path, alone), company
    finally:
        company.leave()


def _path(place: str | PathLike[str]) -> Path:
    text = str(place)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Path(place)
    known("kind of storage", scheme, ("sqlite",))
    path = Path(rest.removeprefix("/"))
    if path.suffix not in SQLITE:
        raise ValueError(f"storage must end in {', '.join(SQLITE)} to be a database, got {text!r}")
    return path


def _journal(path: Path, alone: bool) -> BaseStorage:
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    with path.open("r+b") as file:
        beginning = file.read(len(FIRST))
        if not FIRST.startswith(beginning):
            raise ValueError(f"{path} is there already and is not a journal of Optuna")
        if alone:
            content = beginning + file.read()
            file.truncate(content.rfind(b"\n") + 1)
    lock: Any = Lock(f"{path}.lock")  # Optuna's base class for locks is not public
    try:
        return JournalStorage(JournalFileBackend(str(path), lock))
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} is not a journal of Optuna: {error}") from None


@contextmanager
def _sqlite(path: Path) -> Iterator[BaseStorage]:
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    if path.exists():
        with path.open("rb") as file:
            beginning = file.read(len(DATABASE))
        if beginning not in (b"", DATABASE):  # Optuna would leave its connection to it open
            raise ValueError(f"{path} is not a database of Optuna: it is no SQLite file")
    wait = {"connect_args": {"timeout": 60}}  # seconds, for the writes of other processes
    try:
        storage = RDBStorage(f"sqlite:///{path}", engine_kwargs=wait)
    except (SQLAlchemyError, RuntimeError) as error:
        raise ValueError(f"{path} is not a database of Optuna: {error}") from None
    try:
        yield storage
    finally:  # who looks at the study later connects anew
        storage.remove_session()
        storage.engine.dispose()
