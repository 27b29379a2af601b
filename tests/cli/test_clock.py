"""The time for which the process has been running, with and without the numbers of Linux."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from fastmlp.cli.clock import IMPORTED, process_seconds


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the system is not Linux")
def test_on_linux_the_time_counts_from_the_start_of_the_process() -> None:
    before = time.perf_counter() - IMPORTED
    seconds, since = process_seconds()
    assert since == "the process started"
    assert seconds > before - 0.02  # the start is known to a hundredth of a second


def test_the_start_is_field_22_of_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """See proc_pid_stat(5); the program's name, field 2, may have spaces and parentheses."""
    fields = ["7", "(a) b)", "S", *map(str, range(4, 22)), "50000", "23", "24"]
    monkeypatch.setattr(Path, "read_text", lambda path: " ".join(fields))
    monkeypatch.setattr(os, "sysconf", lambda name: 100, raising=False)
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 7, raising=False)
    monkeypatch.setattr(time, "clock_gettime", lambda clock: 600.0, raising=False)
    assert process_seconds() == (100.0, "the process started")


def test_elsewhere_it_counts_from_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown, raising=False)
    before = time.perf_counter() - IMPORTED
    seconds, since = process_seconds()
    assert since == "fastmlp was imported"
    assert before <= seconds <= time.perf_counter() - IMPORTED
