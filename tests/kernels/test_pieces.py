"""Gradients that several processes add up in pieces of a megabyte (pieces.pxd, shared.pxi)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp.kernels.calls import Batches, BatchShare, Progress, TrainingOptions

SIZES = (1300, 700, 3)
M, BATCH = 12, 4


class TwoAlike:
    """Adds up as if another process had the same rows: every number is doubled."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, int]] = []  # where each begins, in bytes, and its size
        self.waiting = self.waited = 0

    def start(self, numbers: NDArray[Any]) -> None:
        self.pieces.append((numbers.ctypes.data, numbers.nbytes))
        self.waiting += 1
        numbers *= 2

    def finish(self, count: int) -> None:
        self.waiting -= count
        self.waited += count

    def add_up(self, numbers: NDArray[Any]) -> None:
        numbers *= 2


@pytest.fixture
def trained(build, engine, rng):
    """Train a network with a wide layer; return the bits of its parameters."""
    X = rng.normal(size=(M, SIZES[0])).astype(build.dtype)
    y = rng.normal(size=(M, SIZES[-1])).astype(build.dtype)

    def trained(gradient_sum: Any = None, threads: int = 1) -> bytes:
        made = engine(SIZES, "relu", optimizer=("adam", 0.9, 0.999, 1e-8))
        n = M // BATCH
        batches = Batches(np.arange(M), BATCH, np.full(n, 0.01))
        if gradient_sum is not None:
            starts = np.arange(0, M + 1, BATCH)
            whole = np.full(n, 2 * BATCH)
            share = BatchShare(starts, np.zeros(n, np.int64), whole, whole.astype(float),
                               gradient_sum)  # fmt: skip
            batches = batches._replace(share=share)
        data = build.engine.Data(made, X, y)
        made.train(data, batches, TrainingOptions(), Progress(), threads, 60.0)
        return made.snapshot().tobytes()

    return trained


@pytest.mark.parametrize("threads", [1, 2])
def test_a_gradient_in_pieces_trains_to_the_bits_of_a_whole_one(build, trained, threads):
    two = TwoAlike()
    assert trained(two, threads) == trained()
    itemsize = np.dtype(build.dtype).itemsize
    n_pieces = len(two.pieces) // (M // BATCH)
    assert n_pieces >= 1300 * 700 * itemsize >> 20
    assert (two.waiting, two.waited) == (0, len(two.pieces))
    (begin, size), *others = sorted(two.pieces[:n_pieces])  # of the first batch
    for place, n_bytes in others:
        assert place == begin + size  # no gap, and no number twice
        begin, size = place, n_bytes


def test_an_error_of_the_sum_ends_training_and_is_raised(trained):
    class Broken(TwoAlike):
        def start(self, numbers: NDArray[Any]) -> None:
            if len(self.pieces) == 2:
                raise ConnectionError("the other process is gone")
            super().start(numbers)

    broken = Broken()
    with pytest.raises(ConnectionError, match="the other process is gone"):
        trained(broken)
    assert len(broken.pieces) == 2  # nothing is added up any more


def test_parts_that_do_not_fit_the_batches_are_refused(build, engine):
    made = engine((2, 2))
    data = build.engine.Data(made, np.ones((4, 2), build.dtype), np.ones((4, 2), build.dtype))
    one = np.ones(1, np.int64)
    share = BatchShare(np.array([0, 3]), 0 * one, one, np.ones(1), TwoAlike())
    batches = Batches(np.arange(4), 4, np.ones(1), share=share)
    with pytest.raises(ValueError, match="starts, places, n_rows and weights do not fit"):
        made.train(data, batches, TrainingOptions(), Progress(), 1, 60.0)
