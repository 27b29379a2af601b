"""What a library offers to take part: the base of those in contenders.py.

A contender gets the arrays of `cases.make_data` and a number of threads.  What is not the work
itself (conversion of the data, building, compiling) is done before anything is timed:

    Contender(case, data, threads)    load and convert
    tune(run)                         choose between ways of working, if there are several
    reset()                           back to the first parameters and a new optimizer state
    train(n, shuffle)                 at least about n steps → (steps done, cost of each pass)
    predict(n)                        n calls, results left where they are
    labels()                          of all rows, as NumPy array
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from .cases import Array, Case

__all__ = ["Contender", "csr", "real_rows"]

ROWS_A_CALL = (1_000, 10_000, 60_000)  # bulk prediction: who likes smaller pieces may have them


class Contender:
    """What all have in common: the case, the parameters, the order of batches."""

    needs: ClassVar[tuple[str, ...]]  # modules

    def __init__(self, case: Case, data: dict[str, Array], threads: int | None) -> None:
        self.case, self.threads = case, threads
        self.layers = [(data[f"W{l}"], data[f"b{l}"]) for l in range(len(case.sizes) - 1)]
        self.y = data["y"]
        self.expected = data.get("labels")
        self.chunk = case.batch  # rows of a call in prediction
        self.calls = 0
        self.units = 1  # steps or calls of a turn
        self.rng = np.random.default_rng(0)
        self.prepare(data)

    def prepare(self, data: dict[str, Array]) -> None:
        raise NotImplementedError

    def tune(self, run: Callable[[], float]) -> None:
        """Take the way for which `run`, seconds for some work, is shortest."""
        if self.case.predicts and self.case.batch > 1:
            found = {}
            for self.chunk in ROWS_A_CALL:
                found[run()] = self.chunk
            self.chunk = found[min(found)]

    def reset(self) -> None:
        """Nothing to go back to, in prediction."""

    def train(self, n: int, shuffle: bool = True) -> tuple[int, list[float]]:
        raise NotImplementedError

    def predict(self, n: int) -> int:
        for _ in range(n):
            if self.case.batch == 1:
                self.predict_rows(self.calls % self.case.rows, 1)
            else:
                for first in range(0, self.case.rows, self.chunk):
                    self.predict_rows(first, self.chunk)
            self.calls += 1
        return n

    def labels(self) -> Array:
        size = min(self.case.rows, self.chunk)
        parts = [self.predict_rows(first, size) for first in range(0, self.case.rows, size)]
        return np.concatenate([np.asarray(part).ravel() for part in parts])

    def predict_rows(self, first: int, count: int) -> Any:
        """Labels of these rows, in the library's own kind of array."""
        raise NotImplementedError

    def epochs(self, n: int, shuffle: bool) -> Iterator[Array]:
        """Row numbers (batches, batch), epoch by epoch, n batches in all."""
        used = self.case.batches * self.case.batch
        while n > 0:
            order = self.rng.permutation(used) if shuffle else np.arange(used)
            yield order.reshape(-1, self.case.batch)[:n]
            n -= self.case.batches

    def whole_epochs(self, n: int) -> tuple[int, int]:
        """(rows, epochs) for libraries that train by epochs: some of the data once, or all."""
        batches = min(n, self.case.batches)
        return batches * self.case.batch, max(1, n // self.case.batches)


def real_rows(case: Case, data: dict[str, Array]) -> Array:
    """X as the network's numbers; uint8 is divided by 255."""
    if data["X"].dtype == np.uint8:
        return data["X"].astype(case.dtype) / np.asarray(255, case.dtype)
    return np.array(data["X"], case.dtype)


def csr(data: dict[str, Array]) -> Any:
    from scipy.sparse import csr_matrix

    m, n_in = len(data["pointers"]) - 1, data["W0"].shape[1]
    return csr_matrix((data["values"], data["columns"], data["pointers"]), shape=(m, n_in))
