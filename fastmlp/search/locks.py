"""Locks of the processes that work on one study, released when their holder ends, however it ends.

The processes of one machine, or of machines with a shared disk, lock files; those that share a
database lock numbers in it.  Optuna's own locks remain for half a minute when a process is killed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["DatabaseLock", "FileLock", "SharedLock"]

WAIT = 0.2  # seconds, after which Ctrl-C is handled
POLL = 0.02  # seconds from one attempt at a database's lock to the next


class Lock(Protocol):
    """A lock that one process has exclusively, or several have together."""

    def try_exclusive(self, wait: float = 0.0) -> bool:
        """Acquire the lock if no other process has it within `wait` seconds; return whether."""

    def try_shared(self, wait: float = 0.0) -> bool:
        """Acquire the lock together with others, unless one has it exclusively."""

    def release(self) -> None:
        """Release the lock, if this process has it."""


class FileLock:
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


class DatabaseLock:
    """A lock between the processes that use one database: an advisory lock of PostgreSQL.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Makes the connection whose end releases the lock.
    name : str
        What the processes agree on.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._database = engine
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        self._number = int.from_bytes(digest, "big", signed=True)
        self._connection: Any = None

    def try_exclusive(self, wait: float = 0.0) -> bool:
        """Acquire the lock if no other process has it within `wait` seconds; return whether."""
        return self._try("pg_try_advisory_lock", wait)

    def try_shared(self, wait: float = 0.0) -> bool:
        """Acquire the lock together with others, unless one has it exclusively."""
        return self._try("pg_try_advisory_lock_shared", wait)

    def release(self) -> None:
        """Release the lock, if this process has it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _try(self, function: str, wait: float) -> bool:
        from sqlalchemy import text

        self.release()
        connection = self._database.connect().execution_options(isolation_level="AUTOCOMMIT")
        deadline = perf_counter() + wait
        while not connection.scalar(text(f"SELECT {function}({self._number})")):
            if perf_counter() >= deadline:
                connection.close()
                return False
            sleep(POLL)
        self._connection = connection
        return True


class SharedLock:
    """A lock that every process has which works on a study, to find out whether others do.

    Parameters
    ----------
    workers, turn : Lock
        The lock itself, and that of `SharedLock.turn`.
    """

    def __init__(self, workers: Lock, turn: Lock) -> None:
        self._lock, self._turn = workers, turn

    @classmethod
    def of_file(cls, path: str | PathLike[str]) -> Self:
        """Return the lock of the processes that share a file."""
        return cls(FileLock(f"{path}.workers"), FileLock(f"{path}.turn"))

    @classmethod
    def of_database(cls, engine: Engine, study: str) -> Self:
        """Return the lock of the processes that share a study in a database."""
        return cls(
            DatabaseLock(engine, f"fastmlp.search workers {study}"),
            DatabaseLock(engine, f"fastmlp.search turn {study}"),
        )

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
        while not self._turn.try_exclusive(WAIT):
            pass
        try:
            yield
        finally:
            self._turn.release()
