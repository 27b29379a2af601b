"""A group of processes that is given half a processor, as in a container."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("control groups are Linux's", allow_module_level=True)

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds, of which the group gets half
TRAINING = """
import os, sys
from pathlib import Path
import numpy as np
from fastmlp import MLP
group, n_threads = Path(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
X, y = rng.normal(size=(4000, 60)).astype(np.float32), rng.integers(3, size=4000)
expected = MLP((60, 80, 80, 3))
expected.fit(X, y, epochs=3, n_threads=1)
(group / "cgroup.procs").write_text(str(os.getpid()))
for _ in range(100):
    net = MLP((60, 80, 80, 3))
    net.fit(X, y, epochs=3, n_threads=n_threads)
    assert all((one == two).all() for one, two in zip(net.weights, expected.weights))
    assert (net.predict_proba(X) == expected.predict_proba(X)).all()
    figures = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    if int(figures["nr_throttled"]) >= 3:
        break
print(figures["nr_throttled"])
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """The folder of a new control group, of version 1 or 2, that has half a processor."""
    old = (ROOT / "cpu").is_dir()
    path = (ROOT / "cpu" if old else ROOT) / f"fastmlp-{os.getpid()}"
    try:
        path.mkdir()
        if old:
            (path / "cpu.cfs_period_us").write_text(str(PERIOD))
            (path / "cpu.cfs_quota_us").write_text(str(PERIOD // 2))
        else:
            (path / "cpu.max").write_text(f"{PERIOD // 2} {PERIOD}")
    except OSError as error:
        if path.is_dir():
            path.rmdir()
        pytest.skip(f"no control group can be made here: {error}")
    yield path
    path.rmdir()


@pytest.mark.parametrize("n_threads", [2, 64])
def test_a_fit_on_half_a_processor_gives_the_same_bits(group: Path, n_threads: int) -> None:
    command = [sys.executable, "-c", TRAINING, group, str(n_threads)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    if run.stdout.strip() == "0":
        pytest.skip("this machine is so busy that the group never had half a processor")
