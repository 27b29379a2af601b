"""A table of numbers and categories, and the encodings of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp.encodings import Encoding, Numeric, OneHot, PiecewiseLinear

Array = NDArray[Any]
EDGES = [-1.5, -0.5, 0.0, 0.25, 1.0]


@dataclass(frozen=True)
class Table:
    """Rows, labels of three classes, and for each column an encoding and its reference."""

    X: Array
    y: Array
    encodings: list[Encoding]
    reference: list[tuple[Any, ...]]  # as `fastmlp.reference.Network` takes them


@pytest.fixture
def table(rng: np.random.Generator) -> Table:
    """300 rows: a number, a category of five, a number in bins, a category of forty.

    The codes include −1; the numbers lie in every bin, beyond both ends, and on edges.
    """
    m = 300
    numbers = rng.normal(size=(m, 2))
    numbers[: len(EDGES), 1] = EDGES
    X = np.column_stack(
        [numbers[:, 0], rng.integers(-1, 5, m), numbers[:, 1], rng.integers(-1, 40, m)]
    )
    y = (X[:, 1] + np.floor(X[:, 2]) + X[:, 3]).astype(int) % 3
    encodings = [Numeric(), OneHot(5), PiecewiseLinear(EDGES), OneHot(40)]
    constants = [("numeric",), ("one_hot", 5), ("piecewise_linear", *EDGES), ("one_hot", 40)]
    return Table(X, y, encodings, constants)
