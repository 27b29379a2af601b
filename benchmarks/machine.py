"""What the machine can do at this moment, to hold a benchmark's figures against.

The peak is that of multiply-adds on registers alone: as many independent chains as hide their
latency, at the width of the widest vectors that the compiler knows for this processor.  The
latency is that of a cache line between two cores, half the time of a ball's way there and back.
Both come from the C below, compiled on the spot; without a compiler they are unknown.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["CPUS", "cpu_name", "latency", "peak"]

CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

CHAINS = 12  # 4 cycles × 2 units need 8 on recent cores, 5 × 2 need 10
START = 100  # by then both threads are awake
SOURCE = f"""
#include <sched.h>
#include <time.h>

#if defined(__AVX512F__)
enum {{ BYTES = 64 }};
#elif defined(__AVX__)
enum {{ BYTES = 32 }};
#else
enum {{ BYTES = 16 }};
#endif

#define PEAK(real)                                                                        \\
    typedef real vec_##real __attribute__((vector_size(BYTES)));                          \\
    int width_##real(void) {{ return BYTES / sizeof(real); }}                             \\
    real peak_##real(long n)                                                              \\
    {{                                                                                    \\
        vec_##real x = (vec_##real){{0}} + (real)0.5, y = x, sums[{CHAINS}];              \\
        for (int i = 0; i < {CHAINS}; i++) sums[i] = y + (real)i;                         \\
        __asm__ volatile("" : "+m"(x), "+m"(y)); /* nothing is known of them */           \\
        for (long step = 0; step < n; step++)                                             \\
            for (int i = 0; i < {CHAINS}; i++) sums[i] = sums[i] * x + y;                 \\
        for (int i = 1; i < {CHAINS}; i++) sums[0] += sums[i];                            \\
        return sums[0][0];                                                                \\
    }}
PEAK(float)
PEAK(double)

static int ball __attribute__((aligned(128)));
double bounced; /* seconds of side 0 from its ball number {START} to the end */

void bounce(int side, int n)
{{
    struct timespec start, end;
    for (int i = 0; i < n; i++) {{
        for (int spins = 1; __atomic_load_n(&ball, __ATOMIC_ACQUIRE) != 2 * i + side; spins++)
            if (spins % 16384 == 0) sched_yield(); /* both on one core, then */
        if (side == 0 && i == {START}) clock_gettime(CLOCK_MONOTONIC, &start);
        __atomic_store_n(&ball, (2 * i + side + 1) % (2 * n), __ATOMIC_RELEASE);
    }}
    if (side != 0) return;
    clock_gettime(CLOCK_MONOTONIC, &end);
    bounced = end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
}}
"""


@cache
def compiled() -> ctypes.CDLL | None:
    """The C above, or None where it cannot be compiled."""
    wanted = os.environ.get("CC")
    names = [wanted] if wanted else ["cc", "gcc", "clang"]
    compiler = next((name for name in names if shutil.which(shlex.split(name)[0])), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "machine.c"), Path(folder, "machine.so")
        source.write_text(SOURCE)
        for target in ("-march=native", "-mcpu=native"):  # x86 and GCC; Clang on ARM
            built = subprocess.run(
                [
                    *shlex.split(compiler),
                    *("-O3", "-ffp-contract=fast", target, "-fPIC", "-shared"),
                    *(str(source), "-o", str(library)),
                ],
                capture_output=True,
            )
            if built.returncode == 0:
                found = ctypes.CDLL(str(library))
                found.peak_float.restype = ctypes.c_float
                found.peak_double.restype = ctypes.c_double
                found.peak_float.argtypes = found.peak_double.argtypes = [ctypes.c_long]
                return found
    return None


def together(work: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> float:
    """Seconds from the first's start to the last's end, each call in a thread on a core of its own.

    Left to the system, threads as short as these may share a core to the end.
    """
    line, spans = threading.Barrier(len(arguments)), []

    def run(number: int, values: tuple[Any, ...]) -> None:
        if len(arguments) > 1 and hasattr(os, "sched_setaffinity"):  # of this thread alone
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[number]})
        line.wait()
        start = time.perf_counter()
        work(*values)
        spans.append((start, time.perf_counter()))

    threads = [threading.Thread(target=run, args=one) for one in enumerate(arguments)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(end for _, end in spans) - min(start for start, _ in spans)


def peak(dtype: str, threads: int) -> float:
    """Multiply-adds of all threads together, in operations (two each) a second; NaN if unknown."""
    library = compiled()
    if library is None:
        return math.nan
    real = {"float32": "float", "float64": "double"}[dtype]
    work, width = getattr(library, f"peak_{real}"), getattr(library, f"width_{real}")()
    steps = 1_000_000  # about 1.5 ms
    seconds = min(together(work, [(steps,)] * threads) for _ in range(5))
    return 2.0 * width * CHAINS * steps * threads / seconds


def latency() -> float:
    """Seconds for a cache line from one core to another; NaN if unknown or there is one core."""
    library = compiled()
    if library is None or CPUS < 2:
        return math.nan
    n, found = START + 1_000, []
    for _ in range(9):
        together(library.bounce, [(0, n), (1, n)])
        found.append(ctypes.c_double.in_dll(library, "bounced").value / (2 * (n - START)))
    return min(found)  # whatever else runs on the machine can only add to it


def cpu_name() -> str:
    """The processor, as the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    known = {key.strip(): value.strip() for key, value in fields.items()}
    name = known.get("model name", platform.machine())
    if "cpu family" in known:  # virtual machines call every generation the same
        name += f" (family {known['cpu family']}, model {known.get('model', '?')})"
    return name
