"""The fuzzer for a moment, always with the same inputs; tests/fuzz/fuzz.py runs it for longer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the fuzzer limits its memory and time as Linux does", allow_module_level=True)

from targets import TARGETS

EXECUTIONS = os.environ.get("FASTMLP_EXAMPLES", "60")


def installed(package: str) -> bool:
    return find_spec(package.partition(".")[0]) is not None


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the fuzzer says of all targets whose packages are installed; it imports them once.

    But for what reads tables by pandas, perhaps with PyArrow, whose allocator has no memory left in
    a copy of the process with a limit.
    """
    names = [name for name in TARGETS if all(map(installed, TARGETS[name].needs))]
    tables = [name for name in names if {"pandas", "pyarrow"} & set(TARGETS[name].needs)]
    program = Path(__file__).with_name("fuzz.py")
    said = ""
    for group in ([name for name in names if name not in tables], *([name] for name in tables)):
        command = [sys.executable, program, *group, "--seconds", "600", "--executions", EXECUTIONS]
        folder = tmp_path_factory.mktemp("fuzz")
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        said += run.stdout + run.stderr
    return said


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_file_is_an_error_or_is_read(name: str, said: str) -> None:
    for one in TARGETS[name].needs:
        pytest.importorskip(one)
    assert re.search(rf"^{name}: {EXECUTIONS} executions, .*, 0 failures, ", said, re.M), said
