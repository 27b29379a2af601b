"""Instructions that each thread executes in a training step: `python -m benchmarks.instructions`.

Counts by callgrind (valgrind) of a step of the report's network on pixels of MNIST's density, for
several numbers of threads, which need not be as many cores.  Two runs of different length are
subtracted, so that what a run costs once is left out.  Valgrind knows no AVX-512: the AVX2 build
runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

THREADS = (1, 2, 4, 8, 16)
SHORT, LONG = 4, 12  # steps of the two runs
TRAINING = """
import sys
import numpy as np
import fastmlp
from fastmlp.support.threads import AdaptiveTeam

AdaptiveTeam.size = lambda self, n_threads: n_threads
n_threads, n_steps = int(sys.argv[1]), int(sys.argv[2])
fastmlp.set_num_threads(n_threads)
rng = np.random.default_rng(0)
X = (rng.integers(1, 256, (1200, 784)) * (rng.random((1200, 784)) < 0.19)).astype(np.uint8)
y = rng.integers(0, 10, 1200)
net = fastmlp.MLP((784, 256, 256, 10), seed=0, uint8_scale=1 / 255)
net.fit(X[: 100 * n_steps], y[: 100 * n_steps], epochs=1, batch_size=100, n_threads=n_threads,
        optimizer=fastmlp.GradientDescent(0.01))
"""


def counted(n_threads: int, n_steps: int, folder: Path) -> list[int]:
    """Return the instructions of each thread of a run."""
    out = folder / f"{n_threads}-{n_steps}"
    subprocess.run(
        ["valgrind", "--tool=callgrind", "--separate-threads=yes",
         f"--callgrind-out-file={out}", sys.executable, "-c", TRAINING, str(n_threads),
         str(n_steps)],
        check=True, capture_output=True,
        env={**os.environ, "FASTMLP_ISA": "v3", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    totals = []
    for path in sorted(folder.glob(f"{out.name}-*")):
        line = next(x for x in path.read_text().splitlines() if x.startswith("totals:"))
        totals.append(int(line.split()[1]))
    return totals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=THREADS)
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed; on Debian: apt install valgrind")
    print("| threads | million instructions a step, first thread and the mean of the others |")
    print("|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for n_threads in arguments.threads:
            short, long = (counted(n_threads, n, Path(folder)) for n in (SHORT, LONG))
            each = [(b - a) / (LONG - SHORT) / 1e6 for a, b in zip(short, long, strict=True)]
            others = f", {sum(each[1:]) / len(each[1:]):.2f}" if len(each) > 1 else ""
            print(f"| {n_threads} | {each[0]:.2f}{others} |", flush=True)


if __name__ == "__main__":
    main()
