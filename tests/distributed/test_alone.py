"""One process, with MPI and without."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

import fastmlp
from fastmlp import distributed


def test_without_mpi4py_the_error_says_what_to_install(monkeypatch, classes):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)
    net = fastmlp.MLP((6, 4, 3))
    with pytest.raises(ImportError, match=r'pip install "fastmlp\[mpi\]"'):
        distributed.fit(net, *classes)


Run = Callable[..., str]


@pytest.fixture
def run(run_ranks: object) -> Run:
    """Return a function that runs a program without mpiexec; skips where MPI is missing."""

    def run_alone(program: str, **variables: str) -> str:
        found = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **variables},
            check=False,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    return run_alone


ALONE = """
import fastmlp
X, y = fastmlp.datasets.digits()
nets = [fastmlp.MLP((64, 20, 10), batch_norm=True, dropout=0.2, uint8_scale=1 / 16) for _ in "ab"]
nets[0].fit(X, y, epochs=2, validation_data=0.1)
history = fastmlp.distributed.fit(nets[1], X, y, epochs=2, validation_data=0.1)
print(history.epochs, nets[0].snapshot().tobytes() == nets[1].snapshot().tobytes())
"""

OTHER_MPI = """
import fastmlp
try:
    fastmlp.distributed.fit(fastmlp.MLP((2, 3)), [[0, 1]], [0])
except RuntimeError as error:
    print(error)
"""


def test_an_ensemble_is_refused_without_mpiexec_too(run: Run) -> None:
    program = """
import fastmlp
try:
    fastmlp.distributed.fit(fastmlp.Ensemble([fastmlp.MLP((2, 3))]), [[0, 1]], [0])
except TypeError as error:
    print(error)
"""
    assert run(program).startswith("net must be an MLP, got Ensemble(")


def test_without_mpiexec_it_is_fit(run: Run) -> None:
    assert run(ALONE).split() == ["2", "True"]


def test_the_mpiexec_of_another_mpi_is_noticed(run: Run) -> None:
    found = run(OTHER_MPI, OMPI_COMM_WORLD_SIZE="4")
    assert "mpiexec has started 4 processes (OMPI_COMM_WORLD_SIZE)" in found
    assert "different MPI installations" in found


def test_importing_the_package_imports_no_mpi(run: Run) -> None:
    program = "import sys, fastmlp; fastmlp.distributed; print('mpi4py' in sys.modules)"
    assert run(program).strip() == "False"


def test_threads_are_the_processors_divided_by_the_ranks(run: Run) -> None:
    program = """
import os, fastmlp
from fastmlp.distributed.communication import Ranks
fastmlp.set_num_threads(64)
print(Ranks().threads() == len(os.sched_getaffinity(0)))
"""
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("the system does not say on which processors a process may run")
    assert run(program).strip() == "True"
