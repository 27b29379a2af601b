"""Program of the ranks: sums that go on in a thread, and sums that begin when waited for."""

from functools import partial
from itertools import product

import numpy as np
from mpi4py import MPI

from fastmlp.distributed.bfloat16 import rounded, widened
from fastmlp.distributed.sums import CompressedSum, ExactSum, GradientSum

comm = MPI.COMM_WORLD
comms = comm.Dup(), comm.Dup()
SIZES = (1, 5, 0, 1_000, 100_000, 3)


def sum_of(every, compressed):
    """Return the sum of the ranks' arrays, in their order."""
    if not compressed:
        return sum(every)
    return widened(rounded(sum(widened(rounded(one)) for one in every)))


for dtype, compressed, overlap in product((np.float32, np.float64), (False, True), (False, True)):
    begin = partial(CompressedSum, comms) if compressed else partial(ExactSum, MPI, comms[0])
    sums = GradientSum(MPI, comm, begin, overlap)
    for step in range(2):
        every = [
            [np.random.default_rng([r, step]).normal(size=n).astype(dtype) for n in SIZES]
            for r in range(comm.size)
        ]
        arrays = [one.copy() for one in every[comm.rank]]
        for one in arrays:
            sums.start(one)
        now = np.full(3, comm.rank, dtype)
        sums.add_up(now)
        assert now.tolist() == [sum(range(comm.size))] * 3
        done = 0
        for count in (2, 0, len(SIZES) - 2):
            sums.finish(count)
            done += count
            for i in range(done):
                expected = sum_of([one[i] for one in every], compressed)
                np.testing.assert_allclose(arrays[i], expected, rtol=1e-5, atol=1e-6)
    sums.close()
print(f"rank {comm.rank}: right\n", end="", flush=True)
