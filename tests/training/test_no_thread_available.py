"""Training where the system grants no further thread."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, resource
import numpy as np
import fastmlp

X = np.random.default_rng(0).normal(size=(4000, 100)).astype("float32")
net = fastmlp.MLP((100, 256, 256, 5))
# imports what a fit needs while the files can be read
net.fit(X, np.arange(4000) % 5, epochs=1, n_threads=1)
if os.getuid() == 0:  # the limit does not hold for root
    os.setgid(12345)
    os.setuid(12345)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
net.fit(X, np.arange(4000) % 5, epochs=1, n_threads=2)
print("trained")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_NPROC counts threads on Linux")
def test_a_fit_goes_on_with_fewer_threads_where_no_more_can_be_had():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "trained\n"
