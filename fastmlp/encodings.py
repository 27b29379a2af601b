"""Encodings of the columns of a table: what the first layer of weights sees of each column.

`MLP(…, encodings=[…])` has one encoding for each column of X.  The outputs of all columns, side by
side, are a(1).  The docstring of each class states its formula; kernels/encodings.pxd computes it
while a batch is gathered.  A new encoding is a class and an entry of `TABLE` here, and its kernel
there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi, sqrt
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .support import checks
from .support.values import Value

if TYPE_CHECKING:  # NumPy loads its random module when the first network is made
    from numpy.random import Generator

__all__ = [
    "TABLE",
    "Embedding",
    "Encoding",
    "Numeric",
    "OneHot",
    "Periodic",
    "PiecewiseLinear",
]

Parameters = dict[str, NDArray[np.floating[Any]]]  # of one column, by name

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
        """The number of bins, levels or frequencies; 0 for an encoding without them."""
        return 0

    @property
    def constants(self) -> tuple[float, ...]:
        """The numbers that the kernel expects; empty if it needs none."""
        return ()

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The name and shape of each array of parameters; empty if nothing is learned."""
        return {}

    def sample(self, rng: Generator) -> Parameters:
        """Sample the initial parameters.

        Parameters
        ----------
        rng : numpy.random.Generator
            Random number generator of the column.

        Returns
        -------
        dict of str to ndarray
            The arrays of `shapes`.
        """
        return {}

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
    edges : sequence of float or ndarray
        The edges, increasing, at least two.  Quantiles of the column are a good choice.

    Examples
    --------
    >>> encoding = fastmlp.encodings.PiecewiseLinear(np.quantile(X[:, 2], [0, 0.5, 1]))
    >>> encoding.n_outputs
    2
    """

    name = "piecewise_linear"
    edges: Sequence[float] | NDArray[Any]

    def __post_init__(self) -> None:
        edges = checks.array("edges", self.edges)
        if edges.ndim == 0:
            raise ValueError(
                f"edges must be at least two numbers, got {edges}; of n bins they may be quantiles "
                f"of the column, np.quantile(column, np.linspace(0, 1, n + 1))"
            )
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


@dataclass(frozen=True, eq=False, repr=False)
class Embedding(Encoding):
    """Learned embedding of a category: the code's row of a table, which training changes.

    The column holds codes 0 … n_levels − 1; the outputs of the code −1, a missing or unknown
    category, are all 0.  The table is sampled from N(0, 1).

    Parameters
    ----------
    n_levels : int
        The number of levels.
    n_out : int, default 8
        The number of outputs.
    """

    name = "embedding"
    categorical = True
    n_levels: int
    n_out: int = 8

    def __post_init__(self) -> None:
        _check_levels(self)
        object.__setattr__(self, "n_out", checks.whole("n_out", self.n_out))

    @property
    def n_outputs(self) -> int:
        """`n_out`."""
        return self.n_out

    @property
    def size(self) -> int:
        """The number of levels."""
        return self.n_levels

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The table, (n_levels, n_out)."""
        return {"table": (self.n_levels, self.n_out)}

    def sample(self, rng: Generator) -> Parameters:
        """Sample the table from N(0, 1).

        Parameters
        ----------
        rng : numpy.random.Generator
            Random number generator of the column.

        Returns
        -------
        dict of str to ndarray
            "table".
        """
        return {"table": rng.normal(size=self.shapes["table"])}


@dataclass(frozen=True, eq=False, repr=False)
class Periodic(Encoding):
    """Learned periodic encoding of a number: e(x) = [x, V cos(2π w x + b) + c].

    Frequencies w, phases b and the linear layer (V, c) are learned for the column (Gorishniy et al.
    2022; in this form, "PBLD", Holzmüller et al. 2024).  At first w is sampled from N(0, σ²), b
    from U(−π, π), V and c from U(±1/√n_frequencies).  x should be about 1 in size.

    Parameters
    ----------
    n_frequencies : int, default 16
        The number of waves.
    n_out : int, default 3
        The number of outputs in addition to x itself.
    sigma : float, default 0.1
        Standard deviation σ > 0 of the initial frequencies.
    """

    name = "periodic"
    _intervals: ClassVar[Mapping[str, str]] = {"sigma": "(0, inf)"}
    n_frequencies: int = 16
    n_out: int = 3
    sigma: float = 0.1

    def __post_init__(self) -> None:
        for name in ("n_frequencies", "n_out"):
            object.__setattr__(self, name, checks.whole(name, getattr(self, name)))
        checks.constants(self)

    @property
    def n_outputs(self) -> int:
        """1 + `n_out`."""
        return 1 + self.n_out

    @property
    def size(self) -> int:
        """The number of frequencies."""
        return self.n_frequencies

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """w, b, V and c."""
        n, n_out = self.n_frequencies, self.n_out
        return {"frequencies": (n,), "phases": (n,), "weight": (n_out, n), "bias": (n_out,)}

    def sample(self, rng: Generator) -> Parameters:
        """Sample w, b, V and c.

        Parameters
        ----------
        rng : numpy.random.Generator
            Random number generator of the column.

        Returns
        -------
        dict of str to ndarray
            "frequencies", "phases", "weight" and "bias".
        """
        n, r = self.n_frequencies, 1 / sqrt(self.n_frequencies)
        return {
            "frequencies": rng.normal(0, self.sigma, n),
            "phases": rng.uniform(-pi, pi, n),
            "weight": rng.uniform(-r, r, (self.n_out, n)),
            "bias": rng.uniform(-r, r, self.n_out),
        }

    def check(self, dtype: np.dtype[Any]) -> None:
        """Raise ValueError if σ is 0 or infinite in this dtype.

        Parameters
        ----------
        dtype : dtype
            That of the network.
        """
        checks.constants(self, dtype)


def _check_levels(encoding: Any) -> None:
    """Check `n_levels`, and keep it as an int."""
    n_levels = checks.whole("n_levels", encoding.n_levels, most=MOST_LEVELS)
    object.__setattr__(encoding, "n_levels", n_levels)


TABLE: dict[str, type[Encoding]] = {
    kind.name: kind for kind in (Numeric, PiecewiseLinear, OneHot, Embedding, Periodic)
}
