"""How many processors' time this process may use: the quota of its control groups (Linux).

A container whose limit is two processors still sees all processors of its machine.  If each of them
had a thread, the system would stop all threads for most of the time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

__all__ = ["processor_quota"]

GROUPS = Path("/sys/fs/cgroup")  # where systems mount the file systems of control groups
OWN_GROUPS = Path("/proc/self/cgroup")  # a line for each hierarchy: "number:controllers:/path"


@cache
def processor_quota() -> float:
    """Return the least quota of the process's groups and their parents, in processors, or inf.

    It is read once: at the first call.
    """
    try:
        lines = OWN_GROUPS.read_text("utf-8").splitlines()
    except (OSError, ValueError):  # another system, or none that says so
        return math.inf
    return min((quota for line in lines for quota in _quotas(line)), default=math.inf)


def _quotas(line: str) -> Iterator[float]:
    """Yield the quotas of one hierarchy, from the process's group up to the root that it sees.

    Inside a container the path may be that on the machine outside, of which only the root exists.
    """
    _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
    unified = controllers == ""
    if not unified and "cpu" not in controllers.split(","):
        return
    group = PurePosixPath(path.lstrip("/"))
    for place in ("", "unified") if unified else (controllers,):
        for one in (group, *group.parents):
            if ".." not in one.parts:
                yield _quota(GROUPS / place / one, unified=unified)


def _quota(group: Path, *, unified: bool) -> float:
    """Return the quota of one group; inf if it has none."""
    try:
        if unified:  # cpu.max: "50000 100000", or "max 100000"
            time, period = (group / "cpu.max").read_text("utf-8").split()
        else:  # -1 without a quota
            time = (group / "cpu.cfs_quota_us").read_text("utf-8")
            period = (group / "cpu.cfs_period_us").read_text("utf-8")
        quota = float(time) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no number
        return math.inf
    return quota if quota > 0 else math.inf
