"""Files of studies, which several processes may share and a killed process cannot damage.

A killed process leaves its trial in the state of running, and perhaps an incomplete line at the end
of a journal.  The next process that opens the file while no other one works on it corrects this.
For this, and to write one after the other, processes use locks that the operating system releases
when their holder ends, however it ends; Optuna's own locks remain for half a minute then.
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

__all__ = ["SharedLock", "opened"]

SQLITE = (".db", ".sqlite", ".sqlite3")
MAX_JOURNAL = 1 << 30  # bytes
WAIT = 0.2  # seconds, after which Ctrl-C is handled
DATABASE = b"SQLite format 3\0"  # the beginning of every database
FIRST = b'{"op_code":'  # the beginning of every line of Optuna's journals
# what Optuna raises for a journal's line that is not one of its own
NONSENSE = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)


class ProcessLock:
    """A lock between processes: SQLite's, because it works alike on all systems.

    Parameters
    ----------
    path : path-like
        A file that is used for the lock only, and stays empty.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None  # while this process has the lock

    def try_exclusive(self, wait: float = 0.0) -> bool:
        """Acquire the lock if no other process has it within `wait` seconds; return whether."""
        return self._begin(["BEGIN EXCLUSIVE"], wait)

    def try_shared(self, wait: float = 0.0) -> bool:
        """Acquire the lock together with others, unless one has it exclusively."""
        return self._begin(["BEGIN", "SELECT * FROM sqlite_master"], wait)

    def acquire(self) -> bool:
        """Acquire the lock exclusively, however long it takes: the interface of Optuna's locks."""
        while not self.try_exclusive(WAIT):
            pass
        return True

    def release(self) -> None:
        """Release the lock, if this process has it."""
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
        except sqlite3.DatabaseError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise OSError(f"{self._path} cannot be locked: {error}") from None
            return False
        self._connection = connection
        return True


class SharedLock:
    """A lock that every process has which works on a file, to find out whether others do.

    Parameters
    ----------
    path : path-like
        The file that the processes share.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._lock = ProcessLock(f"{path}.workers")
        self._turn = ProcessLock(f"{path}.turn")

    def try_exclusive(self) -> bool:
        """Return whether no other process has the lock.

        If so, no other one gets it before this process calls `share` or `release`.
        """
        return self._lock.try_exclusive()

    def share(self) -> None:
        """Have the lock together with others."""
        while not self._lock.try_shared(WAIT):
            pass

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other process is in such a context, and keep others from it."""
        self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()


@contextmanager
def opened(
    place: str | PathLike[str] | None,
) -> Iterator[tuple[BaseStorage | None, SharedLock | None]]:
    """Open a storage, created if it does not exist, and correct what a killed process left.

    If no other process works on it, this one has the lock exclusively until it calls `share`, so
    that it can correct the trials too.

    Parameters
    ----------
    place : path-like or None
        A journal; a SQLite database if the name ends in .db, .sqlite or .sqlite3, or is a URL
        sqlite:///PATH.  None: no storage and no lock.
    """
    if place is None:
        yield None, None
        return
    path = _path(place)
    path.open("ab").close()  # raises OSError if the file cannot be written
    lock = SharedLock(path)
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

    if path.stat().st_size > MAX_JOURNAL:
        raise ValueError(f"{path}: the journal has more than {MAX_JOURNAL:,} bytes")
    with path.open("r+b") as file:
        beginning = file.read(len(FIRST))
        if not FIRST.startswith(beginning):
            raise ValueError(f"{path} exists and is not a journal of Optuna")
        if alone:
            content = beginning + file.read()
            file.truncate(content.rfind(b"\n") + 1)
    lock: Any = ProcessLock(f"{path}.lock")  # Optuna's base class for locks is not public
    try:
        return JournalStorage(JournalFileBackend(str(path), lock))
    except NONSENSE as error:
        raise ValueError(f"{path} is not a journal of Optuna: {error!r}") from None


@contextmanager
def _sqlite(path: Path) -> Iterator[BaseStorage]:
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    if path.exists():
        with path.open("rb") as file:
            beginning = file.read(len(DATABASE))
        if beginning not in (b"", DATABASE):  # Optuna would leave a connection to it open
            raise ValueError(f"{path} is not a database of Optuna: it is not a SQLite file")
    wait = {"connect_args": {"timeout": 60}}  # seconds, for the writes of other processes
    try:
        storage = RDBStorage(f"sqlite:///{path}", engine_kwargs=wait)
    except (SQLAlchemyError, RuntimeError) as error:
        raise ValueError(f"{path} is not a database of Optuna: {error}") from None
    try:
        yield storage
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise OSError(f"{path}: {reason}") from error
    finally:  # a later access to the study connects again
        storage.remove_session()
        storage.engine.dispose()
