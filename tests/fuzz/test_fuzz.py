"""The fuzzer for a moment, always with the same inputs; tests/fuzz/fuzz.py runs it for longer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the fuzzer limits its memory and time as Linux does", allow_module_level=True)

from targets import TARGETS

EXECUTIONS = os.environ.get("FASTMLP_EXAMPLES", "60")


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_file_is_an_error_or_is_read(name: str, tmp_path: Path) -> None:
    for one in TARGETS[name].needs:
        pytest.importorskip(one)
    program = Path(__file__).with_name("fuzz.py")
    command = [sys.executable, program, name, "--seconds", "600", "--executions", EXECUTIONS]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
