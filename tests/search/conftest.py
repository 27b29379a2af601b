"""A small search that several files run, and servers of databases."""

from __future__ import annotations

import functools
import getpass
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]
Search = Callable[..., fastmlp.search.Result]

SMALL: dict[str, Any] = {
    "hidden": [(4,), (16,), (8, 8)],
    "activation": ["relu", "tanh"],
    "learning_rate": (1e-3, 1e-1, "log"),
    "batch_size": (16, 64),
}


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """What this process stores is not forced to the disk: a killed process loses nothing by it.

    Optuna reads its scripts for the conversion of old databases, which do not change, once.
    """
    sqlalchemy = pytest.importorskip("sqlalchemy")

    def connected(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    from alembic.script import ScriptDirectory

    head, heads = ScriptDirectory.get_current_head, {}

    def once(scripts: ScriptDirectory) -> str | None:
        if scripts.dir not in heads:
            heads[scripts.dir] = head(scripts)
        return heads[scripts.dir]

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", connected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        patch.setattr(ScriptDirectory, "get_current_head", once)
        yield
    sqlalchemy.event.remove(sqlalchemy.Engine, "connect", connected)


@pytest.fixture
def search(classes: tuple[Array, Array]) -> Search:
    """Searches on `classes` for the best of a few trials, but for what it is given."""

    def run(space: dict[str, Any] | None = None, **options: Any) -> fastmlp.search.Result:
        X, y = options.pop("examples", classes)
        options = {"n_trials": 6, "epochs": 5, "validation_data": 0.3, **options}
        return fastmlp.search.minimize(X, y, SMALL if space is None else space, **options)

    return run


@pytest.fixture(params=["study.journal", "study.db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file of a study, a journal or a database."""
    return tmp_path / request.param


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The file of a study, a journal."""
    return tmp_path / "study.journal"


def stored_in(name: str, program: str, folders: str) -> Path:
    """Return the folder of a server's programs, which Debian keeps off the path, or skip a test."""
    found = [Path(one).parent for one in (shutil.which(program),) if one]
    found += sorted(Path("/usr").glob(folders), reverse=True)
    own = next((one for one in found if (one / program).exists()), None)
    if own is None or os.name == "nt":  # where the servers have no sockets in files
        pytest.skip(f"{name} is not installed")
    return own


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty database of a server that is started for the tests."""
    pytest.importorskip("psycopg", reason="needs the extra postgresql")
    programs = stored_in("PostgreSQL (Debian's postgresql)", "initdb", "lib/postgresql/*/bin")
    user: dict[str, Any] = {}
    if os.getuid() == 0:  # as whom the server does not run
        import pwd  # which Windows does not have

        if "postgres" not in {one.pw_name for one in pwd.getpwall()}:
            pytest.skip("there is no user postgres, as whom root could start PostgreSQL's server")
        user = {"user": "postgres", "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="fastmlp-") as name:  # a short one, for the socket
        folder = Path(name)
        if user:
            shutil.chown(folder, "postgres")
        run = functools.partial(subprocess.run, check=True, capture_output=True, cwd=folder, **user)
        run([programs / "initdb", "-D", folder / "data", "-U", "fastmlp", "--auth=trust", "-N"])
        server = f"-k {folder} -c listen_addresses='' -c fsync=off"
        control = [programs / "pg_ctl", "-D", folder / "data", "-w"]
        run([*control, "-l", folder / "log", "-o", server, "start"])
        try:
            yield f"postgresql://fastmlp@/postgres?host={folder}"
        finally:
            run([*control, "-m", "immediate", "stop"])


@pytest.fixture(scope="session")
def mysql() -> Iterator[str]:
    """The URL of an empty database of MariaDB's server, started for the tests."""
    pytest.importorskip("pymysql", reason="needs the extra mysql")
    program = stored_in("MariaDB (Debian's mariadb-server-core)", "mariadbd", "sbin") / "mariadbd"
    shared = program.parents[1] / "share" / "mysql"
    tables = [shared / f"mysql_system_tables{one}.sql" for one in ("", "_data")]
    if not tables[0].exists():
        pytest.skip(f"{tables[0]}, which creates MariaDB's own tables, is missing")
    with tempfile.TemporaryDirectory(prefix="fastmlp-") as name:  # a short one, for the socket
        folder = Path(name)
        (folder / "data" / "mysql").mkdir(parents=True)
        server = [
            program, "--no-defaults", f"--basedir={program.parents[1]}",
            f"--datadir={folder / 'data'}", f"--lc-messages-dir={shared}",
            f"--user={getpass.getuser()}",
        ]  # fmt: skip
        beginning = "use mysql;\n" + "".join(one.read_text() for one in tables)
        beginning += "create database studies;\n"
        subprocess.run(
            [*server, "--bootstrap"], input=beginning, text=True, check=True, capture_output=True
        )
        socket = folder / "socket"
        options = [f"--socket={socket}", "--skip-networking", "--skip-grant-tables"]
        with (folder / "log").open("wb") as log, subprocess.Popen(
            [*server, *options], stdout=log, stderr=log
        ) as running:
            try:
                while not socket.exists():
                    assert running.poll() is None, (folder / "log").read_text()
                yield f"mysql://fastmlp@/studies?unix_socket={socket}"
            finally:
                running.terminate()


@pytest.fixture(params=["postgresql", "mysql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a database of each kind of server."""
    url: str = request.getfixturevalue(request.param)
    return url
