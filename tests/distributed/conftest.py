"""Programs of several ranks, run by mpiexec."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TIMEOUT = 600  # seconds, of a program that hangs; three ranks on two busy processors take minutes
# Open MPI refuses to run as root, or more ranks than processors, unless it is told to
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}
# a waiting rank yields its processor at once: there may be fewer processors than ranks
MPICH = {"MPIR_CVAR_POLLS_BEFORE_YIELD": "1"}
RunRanks = Callable[..., "subprocess.CompletedProcess[str]"]


def mpiexec() -> str | None:
    """Return the mpiexec of this environment, or the one on the path."""
    own = Path(sys.executable).parent
    return shutil.which("mpiexec", path=str(own)) or shutil.which("mpiexec")


@pytest.fixture(scope="session")
def run_ranks() -> RunRanks:
    """Return a function that runs a program with so many ranks, and returns what it printed."""
    program = mpiexec()
    if program is None or importlib.util.find_spec("mpi4py") is None:
        pytest.skip('mpi4py or mpiexec is missing: pip install "fastmlp[mpi]"')

    def run(
        path: Path, n_ranks: int, *arguments: object, succeeds: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = [program, "-n", str(n_ranks), sys.executable, str(path), *map(str, arguments)]
        found = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env={**os.environ, **OPEN_MPI, **MPICH, "OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert (found.returncode == 0) is succeeds, found.stdout + found.stderr
        return found

    return run
