"""Which build is chosen at import, what FASTMLP_ISA may ask for, and how it is refused.

Each choice is made in a process of its own, since a process makes it once.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastmlp import kernels

# What the processor can run, and which builds are installed, may be pretended.
PRETEND = """
import importlib.util, sys, types
supported, built = {supported!r}, {built!r}
if supported is not None:
    cpu = types.ModuleType("fastmlp.kernels.cpu")
    cpu.supported = lambda: supported
    cpu.OPENMP, cpu.omp_threads, cpu.csr_fault = True, lambda: 2, None
    sys.modules["fastmlp.kernels.cpu"] = cpu
if built is not None:
    def find_spec(name, found=importlib.util.find_spec):
        kind = name.split("_")
        return found(name) if "engine" not in kind or kind[2] in built else None
    importlib.util.find_spec = find_spec
from fastmlp import kernels
print(kernels.isa, *kernels.isas())
"""


def choose(
    forced: str | None,
    supported: tuple[str, ...] | None = None,
    built: tuple[str, ...] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Import the kernels with FASTMLP_ISA set; None: not set, the processor's and ours own."""
    environment = {name: value for name, value in os.environ.items() if name != "FASTMLP_ISA"}
    environment["PYTHONPATH"] = str(Path(kernels.__file__).parents[2])
    if forced is not None:
        environment["FASTMLP_ISA"] = forced
    code = PRETEND.format(supported=supported, built=built)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60
    )


def test_builds_are_listed_best_first():
    order = [kernels.KNOWN.index(name) for name in kernels.isas()]
    assert order == sorted(order) and kernels.isas()[-1] == "baseline"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("isa", kernels.isas())
def test_every_build_has_its_dtype(isa, dtype):
    assert kernels.engine(dtype, isa).DTYPE == kernels.operations(dtype, isa).DTYPE == dtype


@pytest.mark.parametrize("forced", [None, ""])
def test_the_best_build_is_taken_where_none_is_forced(forced):
    assert choose(forced).stdout.split() == [kernels.isas()[0], *kernels.isas()]


@pytest.mark.parametrize("isa", kernels.isas())
def test_a_build_can_be_forced(isa):
    assert choose(isa).stdout.split() == [isa, *kernels.isas()]


@pytest.mark.parametrize("forced", ["avx2", "V3", " v3", "native"])
def test_an_unknown_name_is_refused_with_the_known_ones(forced):
    failed = choose(forced)
    assert failed.returncode != 0 and failed.stdout == ""
    last = failed.stderr.splitlines()[-1]
    assert last.startswith(f"ValueError: FASTMLP_ISA is {forced!r}")
    assert all(name in last for name in kernels.KNOWN)


def test_a_processor_without_the_best_takes_the_next():
    assert choose(None, supported=("baseline",)).stdout.split() == ["baseline", "baseline"]


def test_a_forced_build_that_the_processor_cannot_run_is_refused():
    """Never a silent step down from what was asked for."""
    best = kernels.isas()[0]
    if best == "baseline":
        pytest.skip("only the baseline is built here, and every processor runs that")
    failed = choose(best, supported=("baseline",))
    last = failed.stderr.splitlines()[-1]
    assert last == f"ImportError: FASTMLP_ISA is {best!r}, which this processor cannot run"


def test_a_forced_build_that_is_not_installed_is_refused_in_other_words():
    failed = choose("v4", built=("baseline",))
    last = failed.stderr.splitlines()[-1]
    assert last == "ImportError: FASTMLP_ISA is 'v4', a build that is not installed here"


def test_a_build_that_is_not_installed_is_passed_over():
    assert choose(None, built=("baseline",)).stdout.split() == ["baseline", "baseline"]
