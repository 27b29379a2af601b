"""Encodings of the columns of a table: what the first layer of weights sees of each column.

`MLP(…, encodings=[…])` has one encoding for each column of X.  The outputs of all columns, side by
side, are a(1).  The docstring of each class states its formula; kernels/encodings.pxd computes it
while a batch is gathered.  A new encoding is a class and an entry of `TABLE` here, and its kernel
there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar

import numpy as np

from .support import checks
from .support.values import Value

__all__ = [
    "TABLE",
    "Encoding",
    "Numeric",
    "OneHot",
    "PiecewiseLinear",
    "of_columns",
]

MOST_LEVELS = 1 << 24  # codes that float32 holds exactly


@dataclass(frozen=True, eq=False, repr=False)
class Encoding(Value):
    """Base class of encodings of one column."""

    name: ClassVar[str]
    categorical: ClassVar[bool] = False  # whether the column holds codes of categories

    @property
    def n_outputs(self) -> int:
        """The number of inputs of the first layer of weights that the column becomes."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """The number of bins or levels; 0 for an encoding without them."""
        return 0

    @property
    def constants(self) -> tuple[float, ...]:
        """The numbers that the kernel expects; empty if it needs none."""
        return ()

    def check(self, dtype: np.dtype[Any]) -> None:
        """Raise ValueError if a network of this dtype cannot hold the encoding's constants.

        Parameters
        ----------
        dtype : dtype
            That of the network.
        """


class Numeric(Encoding):
    """The number itself: e(x) = x, one output."""

    name = "numeric"

    @property
    def n_outputs(self) -> int:
        """1."""
        return 1


@dataclass(frozen=True, eq=False, repr=False)
class PiecewiseLinear(Encoding):
    """Piecewise-linear encoding in fixed bins (Gorishniy et al. 2022): one output for each bin.

    Of n bins with the edges b_0 < b_1 < … < b_n, output t = 1 … n is

    - e_t = 0 if x lies below bin t, except in the first bin,
    - e_t = 1 if x lies above bin t, except in the last bin,
    - e_t = (x − b_{t−1})/(b_t − b_{t−1}) otherwise.

    Below the first edge e_1 is therefore negative, and beyond the last edge e_n is larger than 1:
    both continue linearly.  To limit them, clip the column.

    Parameters
    ----------
    edges : sequence of float
        The edges, increasing, at least two.  Quantiles of the column are a good choice.

    Examples
    --------
    >>> encoding = fastmlp.encodings.PiecewiseLinear(np.quantile(X[:, 2], [0, 0.5, 1]))
    >>> encoding.n_outputs
    2
    """

    name = "piecewise_linear"
    edges: Sequence[float]

    def __post_init__(self) -> None:
        edges = checks.array("edges", self.edges)
        if edges.ndim != 1 or len(edges) < 2:
            raise ValueError(
                f"edges must be at least two numbers, one after the other; got shape {edges.shape}"
            )
        checks.finite("edges", edges, np.dtype(np.float64))
        object.__setattr__(self, "edges", tuple(edges.astype(np.float64).tolist()))
        self.check(np.dtype(np.float64))

    @property
    def n_outputs(self) -> int:
        """The number of bins."""
        return len(self.edges) - 1

    @property
    def size(self) -> int:
        """The number of bins."""
        return len(self.edges) - 1

    @property
    def constants(self) -> tuple[float, ...]:
        """The edges."""
        return tuple(self.edges)

    def check(self, dtype: np.dtype[Any]) -> None:
        """Raise ValueError unless the edges increase in this dtype too.

        Parameters
        ----------
        dtype : dtype
            That of the network.
        """
        checks.finite("edges", np.array(self.edges), dtype)
        with np.errstate(over="ignore"):
            widths = np.diff(np.array(self.edges, dtype))
        if not (np.isfinite(widths) & (widths >= np.finfo(dtype).smallest_normal)).all():
            i = int(np.argmin(widths))
            raise ValueError(
                f"edges must increase, by no more than a {dtype} number can hold, but edges[{i}] "
                f"is {self.edges[i]} and edges[{i + 1}] is {self.edges[i + 1]}; leave out edges "
                f"that are equal, as np.unique does"
            )


@dataclass(frozen=True, eq=False, repr=False)
class OneHot(Encoding):
    """One-hot encoding of a category: one output for each level, 1 for the code, 0 for the others.

    The column holds codes 0 … n_levels − 1.  The code −1 stands for a missing or unknown category,
    whose outputs are all 0.

    Parameters
    ----------
    n_levels : int
        The number of levels.
    """

    name = "one_hot"
    categorical = True
    n_levels: int

    def __post_init__(self) -> None:
        _check_levels(self)

    @property
    def n_outputs(self) -> int:
        """The number of levels."""
        return self.n_levels

    @property
    def size(self) -> int:
        """The number of levels."""
        return self.n_levels


def _check_levels(encoding: Any) -> None:
    """Check `n_levels`, and keep it as an int."""
    n_levels = checks.whole("n_levels", encoding.n_levels)
    if n_levels > MOST_LEVELS:
        raise ValueError(f"n_levels must be at most {MOST_LEVELS}, got {n_levels}")
    object.__setattr__(encoding, "n_levels", n_levels)


def of_columns(
    encodings: Encoding | Sequence[Encoding] | None,
    n_columns: int,
    dtype: np.dtype[Any],
) -> tuple[Encoding, ...]:
    """Return the encoding of each column, checked; none if the columns are the inputs as they are.

    Parameters
    ----------
    encodings : sequence of Encoding, Encoding or None
        An encoding for each column, or one for all.
    n_columns : int
        The number of columns of X.
    dtype : dtype
        That of the network.

    Returns
    -------
    tuple of Encoding
        One for each column.
    """
    if encodings is None:
        return ()
    found = checks.each("encodings", encodings, n_columns, _encoding, "columns")
    for j, one in enumerate(found):
        with checks.within(f"encodings[{j}]"):
            one.check(dtype)
    return found


def _encoding(name: str, value: object) -> Encoding:
    if not isinstance(value, Encoding) or value.name not in TABLE:
        raise TypeError(
            f"{name} must be an object of fastmlp.encodings such as OneHot(5) or Numeric(), got "
            f"{value!r}"
        )
    return value


def first_outputs(encodings: Sequence[Encoding]) -> list[int]:
    """Return the number of each column's first output in a(1), and the number of all outputs."""
    return list(accumulate((one.n_outputs for one in encodings), initial=0))


def n_levels_of(encodings: Sequence[Encoding]) -> Mapping[int, int]:
    """Return the number of levels of each column that holds codes of categories."""
    return {j: one.size for j, one in enumerate(encodings) if one.categorical}


TABLE: dict[str, type[Encoding]] = {
    kind.name: kind for kind in (Numeric, PiecewiseLinear, OneHot)
}
