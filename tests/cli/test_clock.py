"""The time for which the process has been running, with and without the numbers of Linux."""

from __future__ import annotations

import os
import time

import pytest

from fastmlp.cli.clock import IMPORTED, process_seconds


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the system is not Linux")
def test_on_linux_the_time_counts_from_the_start_of_the_process() -> None:
    before = time.perf_counter() - IMPORTED
    seconds, since = process_seconds()
    assert since == "the process started"
    assert seconds > before - 0.02  # the start is known to a hundredth of a second


def test_elsewhere_it_counts_from_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown, raising=False)
    before = time.perf_counter() - IMPORTED
    seconds, since = process_seconds()
    assert since == "fastmlp was imported"
    assert before <= seconds <= time.perf_counter() - IMPORTED
