"""A small search that several files run, and a server of PostgreSQL."""

from __future__ import annotations

import functools
import os
import shutil
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


@pytest.fixture
def search(classes: tuple[Array, Array]) -> Search:
    """Searches on `classes` for the best of a few trials, but for what it is given."""

    def run(space: dict[str, Any] | None = None, **options: Any) -> fastmlp.search.Result:
        X, y = options.pop("examples", classes)
        options = {"n_trials": 6, "epochs": 5, "validation_data": 0.3, **options}
        return fastmlp.search.minimize(X, y, SMALL if space is None else space, **options)

    return run



def server_programs() -> Path | None:
    """Return the folder of PostgreSQL's server, which Debian keeps off the path."""
    found = [Path(one).parent for one in (shutil.which("initdb"),) if one]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in found if (one / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty database of a server that is started for the tests."""
    pytest.importorskip("psycopg", reason="needs the extra postgresql")
    programs = server_programs()
    if programs is None or os.name == "nt":  # where the server has no sockets in files
        pytest.skip("PostgreSQL's server is not installed (Debian's package postgresql)")
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
