"""Refused memory, full and failing disks, jumping clocks, forks and stops: nothing is lost.

Each fault comes to one place of a call after another.  The environment variable FASTMLP_FAULTS is
the number of places for each call and fault.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("faults are injected by LD_PRELOAD", allow_module_level=True)

FOLDER = Path(__file__).parent
MOST = os.environ.get("FASTMLP_FAULTS", "6")
FAULTS = {
    "memory": [f"{call}:malloc" for call in ("fit", "predict", "save", "load", "export")],
    "memory of a table's training": ["table:malloc"],
    "disk": [f"{call}:{fault}" for call in ("save", "export")
             for fault in ("write-ENOSPC", "write-EIO", "write-EINTR", "write-short", "fsync-EIO")],
    "clock": ["fit:clock", "limited:clock"],
    "clock of a table's training": ["limited_table:clock"],
    "time of day": [f"{call}:{fault}" for call in ("fit", "limited", "save")
                    for fault in ("wall-later", "wall-earlier")],
    "fork": ["fit:fork", "predict:fork"],
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("NO FAULTS WERE INJECTED: there is no C compiler for tests/faults/faults.c")
    path = tmp_path_factory.mktemp("faults") / "faults.so"
    options = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path]
    subprocess.run([compiler, *options, FOLDER / "faults.c", "-ldl"], check=True)
    return path


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_an_error_or_changes_no_bit_and_the_next_call_is_whole(
    kind: str, library: Path
) -> None:
    if "table" in kind:
        pytest.importorskip("pandas")
        pytest.importorskip("sklearn")
    command = [sys.executable, "-X", "faulthandler", FOLDER / "driver.py", MOST, *FAULTS[kind]]
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    counts = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(counts) == len(FAULTS[kind])
    for one in counts:
        if kind == "time of day":
            assert one["injected"] == 0, "a result must not depend on the time of day"
        elif one["fault"] != "fsync-EIO":
            assert one["injected"] > 0
    print(run.stdout)


STOPPED = """
import sys
import numpy as np
from fastmlp import MLP
rng = np.random.default_rng(0)
X, y = rng.normal(size=(4000, 60)).astype(np.float32), rng.integers(3, size=4000)
nets = [MLP((60, 80, 80, 3)) for _ in range(2)]
nets[0].fit(X, y, epochs=3, n_threads=1)
print("begins", flush=True)
nets[1].fit(X, y, epochs=3, n_threads=64)
sys.exit(any((one != two).any() for one, two in zip(nets[0].weights, nets[1].weights)))
"""


def test_a_fit_of_64_threads_that_is_stopped_and_continued_gives_the_same_bits() -> None:
    child = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    stops = 0
    status = None
    while status is None or os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
        stop = status is None or os.WIFCONTINUED(status)
        os.kill(child.pid, signal.SIGSTOP if stop else signal.SIGCONT)
        _, status = os.waitpid(child.pid, os.WUNTRACED | os.WCONTINUED)
        stops += os.WIFSTOPPED(status)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    assert child.returncode == 0
    assert stops > 0


FORKING = """
import os, signal, sys, threading
import numpy as np
from fastmlp import MLP
rng = np.random.default_rng(0)
X, y = rng.normal(size=(2000, 60)).astype(np.float32), rng.integers(3, size=2000)
options = {"epochs": 3, "n_threads": 2}
expected, small = MLP((60, 80, 3)), MLP((60, 9, 3))
expected.fit(X, y, **options)
wanted = expected.predict_proba(X).tobytes()
forks, ends = 0, []

def fork(net):
    global forks
    while trainer.is_alive():
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # ends a child that hangs
            net.fit(X, y, epochs=1)
            ok = np.isfinite(net.predict_proba(X)).all()
            other = MLP((60, 80, 3))
            other.fit(X, y, **options)
            os._exit(0 if ok and other.predict_proba(X).tobytes() == wanted else 1)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        forks += 1

while forks < int(sys.argv[1]):
    net = MLP((60, 80, 3))
    trainer = threading.Thread(target=net.fit, args=(X, y), kwargs=options)
    trainer.start()
    fork(net)
    trainer.join()
    assert net.predict_proba(X).tobytes() == wanted
print(forks, set(ends))
sys.exit(any(ends))
"""


def test_forks_at_any_moment_of_a_fit_leave_parent_and_child_whole() -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", FORKING, MOST]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    print(run.stdout)
