"""Locks of the processes that work on one study, released when their holder ends, however it ends.

The processes of one machine, or of machines with a shared disk, lock files; those that share a
database take the locks that its server has for applications.  Optuna's own locks remain for half a
minute when a process is killed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["DatabaseLock", "FileLock", "SharedLock"]

WAIT = 0.2  # seconds, after which Ctrl-C is handled
POLL = 0.02  # seconds from one attempt at a database's lock to the next
SHARERS = 256  # processes that may share a lock in MySQL
LONGEST_IDLE = 2_000_000  # seconds, which MySQL allows on all systems


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


class AdvisoryLock:
    """Attempts at an advisory lock of PostgreSQL, which ends with its connection.

    Parameters
    ----------
    name : str
        What the processes that use one database agree on.
    """

    def __init__(self, name: str) -> None:
        self._number = int.from_bytes(digest(name), "big", signed=True)

    def exclusive(self, connection: Connection) -> bool:
        """Try once to acquire the lock exclusively; return whether it is acquired."""
        return bool(scalar(connection, f"pg_try_advisory_lock({self._number})"))

    def shared(self, connection: Connection) -> bool:
        """Try once to acquire the lock together with others; return whether it is acquired."""
        return bool(scalar(connection, f"pg_try_advisory_lock_shared({self._number})"))


class NamedLock:
    """Attempts at a lock of MySQL or MariaDB, made of named locks, which end with their connection.

    A named lock is exclusive.  A process that shares the lock has one of SHARERS named locks; an
    exclusive one has the main named lock, and none of the others is in use.  Each attempt takes the
    main lock first, so that no other attempt comes between its steps.

    Parameters
    ----------
    name : str
        What the processes agree on that use one server.
    """

    def __init__(self, name: str) -> None:
        self._main = f"fastmlp {digest(name).hex()}"
        self._sharers = [f"{self._main} {number}" for number in range(SHARERS)]

    def exclusive(self, connection: Connection) -> bool:
        """Try once to acquire the lock exclusively; return whether it is acquired."""
        if not self._begin(connection):
            return False
        are_free = " AND ".join(f"IS_FREE_LOCK('{one}')" for one in self._sharers)
        if scalar(connection, are_free):
            return True
        scalar(connection, f"RELEASE_LOCK('{self._main}')")
        return False

    def shared(self, connection: Connection) -> bool:
        """Try once to acquire the lock together with others; return whether it is acquired."""
        if not self._begin(connection):
            return False
        found = any(scalar(connection, f"GET_LOCK('{one}', 0)") for one in self._sharers)
        scalar(connection, f"RELEASE_LOCK('{self._main}')")
        return found

    def _begin(self, connection: Connection) -> bool:
        from sqlalchemy import text

        # the server ends a connection that is idle for so long: by default eight hours
        connection.execute(text(f"SET SESSION wait_timeout = {LONGEST_IDLE}"))
        return bool(scalar(connection, f"GET_LOCK('{self._main}', 0)"))


def digest(name: str) -> bytes:
    """Return a name in eight bytes."""
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


def scalar(connection: Connection, expression: str) -> Any:
    """Return the value of an expression in SQL."""
    from sqlalchemy import text

    return connection.scalar(text(f"SELECT {expression}"))


class DatabaseLock:
    """A lock between the processes that use one database of PostgreSQL or MySQL.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Makes the connection whose end releases the lock.
    name : str
        What the processes agree on.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._database = engine
        if engine.dialect.name == "postgresql":
            self._attempts: AdvisoryLock | NamedLock = AdvisoryLock(name)
        else:
            self._attempts = NamedLock(f"{engine.url.database} {name}")
        self._connection: Connection | None = None

    def try_exclusive(self, wait: float = 0.0) -> bool:
        """Acquire the lock if no other process has it within `wait` seconds; return whether."""
        return self._try(self._attempts.exclusive, wait)

    def try_shared(self, wait: float = 0.0) -> bool:
        """Acquire the lock together with others, unless one has it exclusively."""
        return self._try(self._attempts.shared, wait)

    def release(self) -> None:
        """Release the lock, if this process has it."""
        if self._connection is not None:
            self._connection.invalidate()  # without a rollback, which fails if the server is gone
            self._connection.close()
            self._connection = None

    def _try(self, attempt: Callable[[Connection], bool], wait: float) -> bool:
        self.release()
        connection = self._database.connect().execution_options(isolation_level="AUTOCOMMIT")
        deadline = perf_counter() + wait
        while not attempt(connection):
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
