"""The time for which this process has been running."""

from __future__ import annotations

import os
import time
from pathlib import Path

IMPORTED = time.perf_counter()


def process_seconds() -> tuple[float, str]:
    """Return the seconds since this process started, and a description of that moment.

    On Linux the start is known to a hundredth of a second. Elsewhere it is the import of this file.
    """
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22, counted from 1 with pid
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started, "the process started"
    except (OSError, AttributeError, ValueError, IndexError):
        return time.perf_counter() - IMPORTED, "fastmlp was imported"
