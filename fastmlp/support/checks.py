"""Every validation of an argument, and the message it fails with.

Public functions come here once, at the door; what they get back is what the kernels read, and the
kernels trust it.  An error names the argument, what came, what was expected and, where it helps,
what to do: TypeError for a wrong kind of thing, ValueError for a wrong value.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from numbers import Real
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import kernels

Array = NDArray[Any]
CSR = tuple[Array, NDArray[np.int32], NDArray[np.int64]]  # data, indices, indptr
Rows = Array | CSR
Part = TypeVar("Part")


class Sparse(Protocol):
    """A SciPy sparse matrix or array of any format."""

    def tocsr(self) -> Any:
        """The same in CSR format."""


Examples = ArrayLike | Sparse

CHUNK = 1 << 18  # numbers looked at together: they stay in L2 for the second look


# ------------------------------------------------------------------------------- plain numbers


def whole(name: str, value: object, least: int = 1) -> int:
    """An integer, at least `least`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number


def number(name: str, value: object, interval: str = "(-inf, inf)", otherwise: str = "") -> float:
    """A finite float in an interval written as in a textbook, "[0, 1)".

    `otherwise` is the end of the message, saying what else the argument takes.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number{otherwise}, got {value!r}")
    x = float(value)
    low, high = (float(end) for end in interval[1:-1].split(","))
    inside = (low <= x if interval[0] == "[" else low < x) and (
        x <= high if interval[-1] == "]" else x < high
    )
    if not (inside and math.isfinite(x)):
        raise ValueError(f"{name} must be in {interval}{otherwise}, got {value!r}")
    return x


def flag(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


# ---------------------------------------------------------------------------- names and parts


def named(name: str, value: object, table: dict[str, type[Part]], kind: type[Part]) -> Part:
    """What a table has under a name, with its defaults; an object of that kind as it is."""
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        if value in table:
            return table[value]()
        raise ValueError(f"unknown {name} {value!r}{nearest(value, table)}")
    example = next(iter(table.values())).__name__
    raise TypeError(
        f"{name} must be one of {', '.join(map(repr, table))}, or an object such as {example}(); "
        f"got {value!r}"
    )


@contextmanager
def within(name: str) -> Iterator[None]:
    """Begin the message of a failing check with the argument that the value came in."""
    try:
        yield
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def known(name: str, value: object, names: Collection[str]) -> str:
    """One of some names."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(map(repr, names))}; got {value!r}")
    if value not in names:
        raise ValueError(f"unknown {name} {value!r}{nearest(value, names)}")
    return value


def nearest(value: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, and all of them."""
    from difflib import get_close_matches  # only a mistake pays for it

    known = list(known)
    close = get_close_matches(value.lower().replace("-", "_"), known, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else "."
    return f"{guess} Known: {', '.join(known)}"


# ------------------------------------------------------------------------------- the network


def sizes(value: object) -> tuple[int, ...]:
    """Layer sizes: input, hidden layers, output."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"sizes must be a sequence such as (784, 256, 10), got {value!r}")
    found = tuple(whole(f"sizes[{i}]", size) for i, size in enumerate(value))
    if len(found) < 2:
        raise ValueError(f"sizes needs at least an input and an output size, got {found}")
    return found


def real_dtype(value: DTypeLike) -> np.dtype[Any]:
    """float32 or float64."""
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = np.dtype(object)
    if value is None or dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {value!r}")
    return dtype


def seed(value: object) -> int:
    """A seed, ≥ 0; None draws one from the operating system."""
    if value is None:
        return int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
    return whole("seed", value, least=0)


def one_or_each(
    name: str, value: object, count: int, table: dict[str, type[Part]], kind: type[Part]
) -> tuple[Part, ...]:
    """One part for all hidden layers, or a sequence with one for each."""
    if not isinstance(value, (list, tuple)):
        return (named(name, value, table, kind),) * count
    if len(value) != count:
        raise ValueError(
            f"{name} has {len(value)} entries for {count} hidden layers; give one for each, or "
            f"one for all"
        )
    return tuple(named(f"{name}[{i}]", one, table, kind) for i, one in enumerate(value))


def each(
    name: str, value: object, count: int, check: Callable[[str, object], Part], of: str
) -> tuple[Part, ...]:
    """One value for all of `count` things (`of`), or a sequence with one for each."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        return (check(name, value),) * count
    if len(value) != count:
        raise ValueError(
            f"{name} has {len(value)} entries for {count} {of}; give one for each, or one for all"
        )
    return tuple(check(f"{name}[{i}]", one) for i, one in enumerate(value))


def layer_numbers(value: object, count: int) -> tuple[int, ...]:
    """Indices of layers, from 0, each once, ascending."""
    given = value if isinstance(value, (list, tuple, range, set, frozenset)) else [value]
    found = {whole("layers", one, least=0) for one in given}
    for one in found:
        if one >= count:
            raise ValueError(
                f"layers has {one}, but the network's {count} layers of weights are 0 … {count - 1}"
            )
    return tuple(sorted(found))


def parameters(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    sizes: tuple[int, ...],
    dtype: np.dtype[Any],
) -> list[tuple[Array, Array]]:
    """A (weight, bias) for each layer, in the network's dtype."""
    shapes = [(n_out, n_in) for n_in, n_out in pairwise(sizes)]
    return list(
        zip(
            arrays("weights", weights, shapes, dtype),
            arrays("biases", biases, [(n_out,) for n_out in sizes[1:]], dtype),
            strict=True,
        )
    )


def scales(
    value: Sequence[ArrayLike | None] | None,
    sizes: tuple[int, ...],
    batch_norm: Sequence[bool],
    dtype: np.dtype[Any],
) -> list[Array | None]:
    """γ (n_out,) for each normalized layer and None for the others; None: all None."""
    if value is None:
        return [None] * (len(sizes) - 1)
    if len(value) != len(sizes) - 1:
        raise ValueError(f"scales has {len(value)} entries for {len(sizes) - 1} layers")
    found: list[Array | None] = []
    for l, (one, normalized) in enumerate(zip(value, (*batch_norm, False), strict=True)):
        if one is None:
            found.append(None)
        elif normalized:
            found += arrays(f"scales[{l}]", [one], [(sizes[l + 1],)], dtype)
        else:
            raise ValueError(f"scales[{l}] must be None: layer {l} has no batch norm")
    return found


def arrays(
    name: str,
    given: Sequence[ArrayLike],
    shapes: Sequence[tuple[int, ...]],
    dtype: np.dtype[Any],
) -> list[Array]:
    """A list of finite arrays of these shapes."""
    if not isinstance(given, (list, tuple)) or len(given) != len(shapes):
        raise ValueError(f"{name} must be a list of {len(shapes)} arrays, one for each layer")
    found = [array(f"{name}[{i}]", one) for i, one in enumerate(given)]
    for i, (one, shape) in enumerate(zip(found, shapes, strict=True)):
        if one.shape != shape:
            raise ValueError(f"{name}[{i}] has shape {one.shape}; expected {shape}")
    return [reals(f"{name}[{i}]", one, dtype) for i, one in enumerate(found)]


def normal_batches(batch_norm: Sequence[bool], n_rows: int, batch_size: int) -> None:
    """No batch of one example where layers are normalized by their batch."""
    if any(batch_norm) and (batch_size == 1 or n_rows % batch_size == 1):
        raise ValueError(
            f"batch norm needs at least 2 examples in each batch; {n_rows} examples in batches of "
            f"{batch_size} leave one alone: choose another batch_size"
        )


def rates(found: Array, n_steps: int) -> NDArray[np.float64]:
    """What a schedule said for each step of an epoch; it may be a user's own."""
    found = np.asarray(found, np.float64)
    if found.shape != (n_steps,):
        raise ValueError(
            f"the schedule returned shape {found.shape} for {n_steps} steps; expected ({n_steps},)"
        )
    if not 0 <= found.min(initial=0.0) <= found.max(initial=0.0) < np.inf:  # false for NaN too
        raise ValueError("the schedule returned a rate that is negative, infinite or NaN")
    return np.ascontiguousarray(found)


# ---------------------------------------------------------------------------------- examples


def array(name: str, value: object) -> Array:
    """An array of numbers, of any shape."""
    if hasattr(value, "tocsr"):
        raise TypeError(f"{name} is sparse; give {name}.toarray()")
    if hasattr(value, "filled"):  # np.asarray would show what is masked
        raise TypeError(f"{name} is a masked array; fill in or leave out what is masked")
    try:
        found = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} is ragged: its rows have different lengths") from None
    if found.dtype.kind == "O":
        raise TypeError(
            f"{name} has dtype object; expected numbers. Look for text and missing values, then "
            f"convert: np.asarray({name}, dtype=np.float32)"
        )
    if found.dtype.kind not in "buif":
        raise TypeError(
            f"{name} has dtype {found.dtype}; expected real numbers. Names of classes become "
            f"labels by np.unique(names, return_inverse=True)"
        )
    return found


def reals(name: str, value: Array, dtype: np.dtype[Any]) -> Array:
    """Finite numbers in the network's dtype, in C order."""
    finite(name, value, dtype)
    return np.ascontiguousarray(value, dtype)


def finite(
    name: str,
    value: Array,
    dtype: np.dtype[Any],
    position: Callable[[int], tuple[Any, ...]] | None = None,
) -> None:
    """ValueError at the first NaN, infinity or number beyond the range of `dtype`.

    `position` turns a place in memory into what the user would index with.  Least and greatest of
    a chunk, the second from cache, cost less than any test of each number, and a NaN fails every
    comparison.
    """
    if value.dtype.kind != "f":
        return
    limit = np.finfo(dtype).max
    flat = value.reshape(-1)
    for first in range(0, flat.size, CHUNK):
        chunk = flat[first : first + CHUNK]
        if -limit <= chunk.min() and chunk.max() <= limit:
            continue
        place = first + int(np.argmin(np.abs(chunk) <= limit))
        index = position(place) if position else np.unravel_index(place, value.shape)
        found = f"{name}[{', '.join(str(i) for i in index)}] is {flat[place]}"
        if np.isfinite(flat[place]):
            raise ValueError(f"{found}, too large for a {dtype} network")
        raise ValueError(f"{name} must be finite, but {found}; fill in or leave out such examples")


def rows(X: object, n_in: int, dtype: np.dtype[Any]) -> Rows:
    """Examples as the kernels read them: (m, n_in) in C order, or CSR.

    float32, float64 and uint8 stay what they are, without a copy where they lie in C order;
    other numbers become the network's dtype.
    """
    if hasattr(X, "tocsr"):
        return sparse_rows(X, n_in, dtype)
    X = array("X", X)
    shape(X, n_in)
    if X.dtype not in (np.float32, np.float64, np.uint8) or not X.dtype.isnative:
        X = X.astype(dtype)
    X = np.ascontiguousarray(X)
    finite("X", X, dtype)
    return X


def reshaping(X: Array, n_in: int) -> str:
    """The end of a message about X with another number of axes than 2."""
    if X.ndim == 1 and X.size == n_in:
        return "; for one example give X.reshape(1, -1)"
    if X.ndim == 1 and n_in == 1:
        return "; give X.reshape(-1, 1)"
    if X.ndim > 2 and X[0].size == n_in:
        return "; give X.reshape(len(X), -1)"
    return ""


def shape(X: Any, n_in: int) -> None:
    """At least one row, and as many columns as the network has inputs."""
    if len(X.shape) != 2:
        raise ValueError(
            f"X has shape {X.shape}; expected (m, {n_in}), one example a row{reshaping(X, n_in)}"
        )
    if X.shape[1] != n_in:
        raise ValueError(f"X has {X.shape[1]} columns; this network has {n_in} inputs")
    if X.shape[0] == 0:
        raise ValueError("X is empty; expected at least one example")


def sparse_rows(X: Any, n_in: int, dtype: np.dtype[Any]) -> CSR:
    """A SciPy matrix or array of any format as CSR's (data, indices, indptr).

    Only its attributes are used, so SciPy need not be there, and no flag that it may have cached.
    The pointers are a copy; the kernels check each index where they use it.
    """
    csr = X.tocsr()
    shape(csr, n_in)
    data, indices, pointers, fault = _csr_parts(csr, n_in)
    if fault == "order":
        data, indices, pointers = _canonical(data, indices, pointers)
    elif fault:
        raise ValueError(
            "X is a damaged sparse matrix: its indices or indptr do not fit its shape; make it "
            "anew from its entries, for example scipy.sparse.csr_array(X.tocoo())"
        )
    if data.dtype not in (np.float32, np.float64, np.uint8) or not data.dtype.isnative:
        data = data.astype(dtype)
    finite(
        "X",
        data,
        dtype,
        lambda place: (np.searchsorted(pointers, place, side="right") - 1, indices[place]),
    )
    return np.ascontiguousarray(data), indices, pointers


def _canonical(data: Array, indices: Array, pointers: Array) -> CSR:
    """Rows with ascending columns; numbers of one place are summed in the order in which they lie.

    As `toarray` sums them.
    """
    n_stored = int(pointers[-1])
    rows = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    order = np.lexsort((indices[:n_stored], rows))  # stable
    rows, columns = rows[order], indices[:n_stored][order]
    new = np.append(True, (np.diff(rows) != 0) | (np.diff(columns) != 0))
    sums = np.zeros(int(new.sum()), data.dtype)
    np.add.at(sums, np.cumsum(new) - 1, data[:n_stored][order])
    counts = np.bincount(rows[new], minlength=len(pointers) - 1)
    return sums, columns[new], np.append(0, np.cumsum(counts)).astype(np.int64)


def _csr_parts(csr: Any, n_in: int) -> tuple[Array, NDArray[np.int32], NDArray[np.int64], str]:
    """Data, indices and pointers in the kernels' dtypes, and what is wrong with them."""
    data, indices = array("X.data", csr.data), array("X.indices", csr.indices)
    pointers = np.array(array("X.indptr", csr.indptr), np.int64)
    fits = data.ndim == indices.ndim == pointers.ndim == 1 and len(pointers) == csr.shape[0] + 1
    if not fits or (indices.dtype != np.int32 and np.any((indices < 0) | (indices >= n_in))):
        return data, indices, pointers, "range"
    indices = np.ascontiguousarray(indices, np.int32)
    fault = kernels.csr_fault(indices, pointers, n_in)
    if not fault and pointers[-1] > len(data):
        fault = "indptr"
    return data, indices, pointers, fault


def finite_outputs(h: Array) -> None:
    """No output of a network is infinite or NaN."""
    wrong = ~np.isfinite(h).all(axis=1)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise FloatingPointError(
            f"the network's output for X[{i}] is not finite, got {h[i].tolist()}: the example is "
            f"too large for the network's parameters and dtype; scale X so that its columns are "
            f"about 1 in size"
        )


def n_rows(X: Rows) -> int:
    """The number of examples in checked rows."""
    return len(X[2]) - 1 if isinstance(X, tuple) else len(X)


# ------------------------------------------------------------------------ targets and weights


def length(name: str, value: Array, n_rows: int) -> None:
    """One entry for each example."""
    if value.ndim == 0 or len(value) != n_rows:
        found = len(value) if value.ndim else "no"
        raise ValueError(f"{name} has {found} entries for {n_rows} examples in X")


def labels(name: str, y: Array, n_rows: int, n_out: int) -> NDArray[np.int32]:
    """Class labels 0 … n_out − 1, one for each example."""
    length(name, y, n_rows)
    if y.ndim != 1:
        raise ValueError(
            f"{name} has shape {y.shape}; expected labels ({n_rows},) or probabilities "
            f"({n_rows}, {n_out})" + (f"; give {name}.ravel()" if y.size == n_rows else "")
        )
    if y.dtype.kind == "f":
        finite(name, y, np.dtype(np.float64))
        fractional = y != np.floor(y)
        if fractional.any():
            i = int(np.argmax(fractional))
            raise ValueError(f"{name} must hold whole labels, but {name}[{i}] is {y[i]}")
    if y.min() < 0 or y.max() >= n_out:
        i = int(np.argmax((y < 0) | (y >= n_out)))
        raise ValueError(
            f"{name} must hold labels from 0 to {n_out - 1}, one for each output, but {name}[{i}] "
            f"is {y[i]}" + (f"; give {name} - 1" if y.min() == 1 and y.max() == n_out else "")
        )
    return np.ascontiguousarray(y, np.int32)


def values(
    name: str,
    y: object,
    n_rows: int,
    n_out: int,
    dtype: np.dtype[Any],
    interval: tuple[float, float] | None = None,
) -> Array:
    """A target for each output of each example, perhaps from an interval."""
    y = array(name, y)
    length(name, y, n_rows)
    if y.ndim == 1 and n_out == 1:
        y = y[:, np.newaxis]
    if y.shape != (n_rows, n_out):
        raise ValueError(
            f"{name} has shape {y.shape}; expected ({n_rows}, {n_out}), a value for each output"
        )
    y = reals(name, y, dtype)
    if interval is not None and (y.min() < interval[0] or y.max() > interval[1]):
        low, high = interval
        i, j = np.argwhere((y < low) | (y > high))[0]
        raise ValueError(f"{name} must be from {low} to {high}, but {name}[{i}, {j}] is {y[i, j]}")
    return y


def distributions(name: str, y: Array, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
    """Each row the probabilities of the classes."""
    y = values(name, y, n_rows, n_out, dtype, (0, 1))
    wrong = np.abs(y.sum(axis=1) - 1) > 1e-3  # float16 rows pass
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"{name} must hold probabilities, each row with sum 1, but {name}[{i}] has sum "
            f"{y[i].sum():g}"
        )
    return y


def sample_weight(value: object, n_rows: int, dtype: np.dtype[Any], part: bool = False) -> Array:
    """Sample weights ≥ 0, not all zero, unless they are a part of all."""
    found = array("sample_weight", value)
    length("sample_weight", found, n_rows)
    if found.ndim != 1:
        raise ValueError(f"sample_weight has shape {found.shape}; expected ({n_rows},)")
    found = reals("sample_weight", found, dtype)
    if found.min() < 0:
        i = int(np.argmin(found))
        raise ValueError(f"sample_weight must be ≥ 0, but sample_weight[{i}] is {found[i]}")
    if found.max() == 0 and not part:
        raise ValueError("sample_weight is zero for every example")
    return found
