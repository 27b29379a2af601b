"""Trains for a given time in all ways, and watches memory, threads and descriptors.

    python tests/soak/soak.py --minutes 60 [--record soak.csv] [--warm-up 0.2] [--seed 0]

A round runs every job of soak_jobs.py once, in random order, with random shapes, options, threads
and chunks.  After DIFFERENT_ROUNDS the same rounds come again, so that a larger shape than ever
before is no reason for more memory.  After each round, free memory is given back to the system, and
the resident memory, the threads and the open descriptors of the process are recorded.  The exit
status is 1 if one of them grew after the warm-up, which is a fraction of the time: memory by more
than 1 %, threads and descriptors at all.  Needs Linux with glibc 2.33 or later.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import gc
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from soak_jobs import JOBS

DIFFERENT_ROUNDS = 20
MAX_GROWTH = 0.01

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


class Sample(NamedTuple):
    """What the process occupies after a round."""

    seconds: float
    resident: int  # bytes
    allocated: int  # bytes, by the C library's malloc
    blocks: int  # of Python's own allocator
    threads: int
    descriptors: int


class MallocInfo(ctypes.Structure):
    """The C library's `struct mallinfo2`."""

    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost",
    )]  # fmt: skip


def return_free_memory() -> None:
    """Have glibc return free memory to the system wherever it is.

    By default the limits grow with the arrays that are freed, and malloc_trim does not reach the
    free ends of the arenas of threads: sooner or later each of these would keep ten megabytes.
    """
    libc = ctypes.CDLL(None)
    for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        libc.mallopt(parameter, 128 * 1024)


def sample(seconds: float) -> Sample:
    """Return what this process occupies, once its free memory is given back."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = MallocInfo
    gc.collect()
    libc.malloc_trim(0)
    malloc = libc.mallinfo2()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return Sample(
        seconds,
        int(status["VmRSS"].split()[0]) * 1024,
        malloc.uordblks + malloc.hblkhd,
        sys.getallocatedblocks(),
        int(status["Threads"]),
        len(os.listdir("/proc/self/fd")),
    )


def after_warm_up(samples: list[Sample], warm_up: float) -> list[Sample]:
    """Return the samples after this fraction of the time."""
    return [one for one in samples if one.seconds >= warm_up * samples[-1].seconds]


def growth(samples: list[Sample], warm_up: float) -> list[str]:
    """Return what grew, a sentence for each, between the halves of the samples after the warm-up.

    Memory is compared by the medians of the halves, threads and descriptors by the largest numbers.
    """
    after = after_warm_up(samples, warm_up)
    halves = after[: len(after) // 2], after[len(after) // 2 :]
    before, later = (np.median([one.resident for one in half]) for half in halves)
    found = []
    if later > before * (1 + MAX_GROWTH):
        found.append(f"resident memory grew from {before / 2**20:.1f} to {later / 2**20:.1f} MiB")
    for name in ("threads", "descriptors"):
        before, later = (max(getattr(one, name) for one in half) for half in halves)
        if later > before:
            found.append(f"{name}: {later}, {before} before")
    return found


def main(arguments: list[str] | None = None) -> int:
    form = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--record", type=Path, help="CSV file for what was recorded")
    parser.add_argument("--warm-up", type=float, default=0.2, help="fraction of the time")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    return_free_memory()
    start = time.monotonic()
    samples: list[Sample] = []
    while time.monotonic() - start < 60 * given.minutes or len(samples) < 4:
        rng = np.random.default_rng((given.seed, len(samples) % DIFFERENT_ROUNDS))
        for i in rng.permutation(len(JOBS)):
            with tempfile.TemporaryDirectory() as folder:
                JOBS[i](rng, Path(folder))
        samples.append(sample(time.monotonic() - start))
        if given.record:
            with given.record.open("w", newline="") as file:
                csv.writer(file).writerows([Sample._fields, *samples])
    grown = growth(samples, given.warm_up)
    after = after_warm_up(samples, given.warm_up)
    resident = [one.resident / 2**20 for one in after]
    print(
        f"{len(samples)} rounds of {len(JOBS)} jobs in {samples[-1].seconds / 60:.1f} minutes; "
        f"after the warm-up {min(resident):.1f} to {max(resident):.1f} MiB, "
        f"at most {max(one.threads for one in after)} threads and "
        f"{max(one.descriptors for one in after)} descriptors"
    )
    for one in grown:
        print(one)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
