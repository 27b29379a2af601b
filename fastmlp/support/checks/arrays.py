"""Checks of arrays of numbers, whatever they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...kernels import ready
from ..text import quoted, shown

Array = NDArray[Any]

REAL = "buif"  # kinds of dtypes
AS_NUMBERS = "Convert them: np.asarray({name}, dtype=np.float32)"
OF_ROWS = "Put them into one array: np.stack({name})"
OF_NAMES = "Names of classes become labels by classes, labels = np.unique(y, return_inverse=True)"
OF_TEXT = "Digits become numbers by np.asarray({name}, dtype=np.float32)"
TEXTS = {  # what to do with text, by the argument
    "X": f"{OF_TEXT}; for columns of text use the estimators of fastmlp.tabular",
    "y": f"{OF_NAMES}; digits become numbers by np.asarray(y, dtype=np.float32)",
}
HINTS = {  # what to do with other dtypes, by their kinds
    **dict.fromkeys("UST", OF_TEXT),  # for X and y: `TEXTS`
    "M": "Dates become numbers by ({name} - {name}.min()) / np.timedelta64(1, 'D')",
    "m": "Time differences become numbers by {name} / np.timedelta64(1, 'D')",
    "c": "Pass {name}.real, {name}.imag or abs({name})",
    "V": "Records become rows by np.lib.recfunctions.structured_to_unstructured({name})",
}
MISSING = ("NoneType", "NAType", "NaTType")  # types of missing values, of pandas too
OF_EXAMPLES = ("X", "y", "sample_weight")  # arguments with an entry for each example
SHOWN = 3  # columns that a message names
CHUNK = 1 << 18  # numbers that are checked together: they stay in the L2 cache between two passes


def array(name: str, value: object) -> Array:
    """Return an array of real numbers, of any shape.

    An array of the user's is returned as a view: its numbers may change, its shape and dtype not.
    """
    if hasattr(value, "tocsr"):
        raise TypeError(f"{name} is sparse; give {name}.toarray()")
    if hasattr(value, "filled"):  # np.asarray would drop the mask
        raise TypeError(f"{name} is a masked array; fill in or leave out what is masked")
    try:
        found = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} is ragged: its rows have different lengths") from None
    except (TypeError, RuntimeError) as error:  # of a tensor on a GPU, or that needs gradients
        raise TypeError(
            f"{name} cannot become a NumPy array: {error}; give {name} as a NumPy array of numbers"
        ) from None
    if found.ndim == 0 and found.dtype.kind not in REAL:
        raise TypeError(f"{name} must be an array of numbers, got {shown(value)}")
    if found is value:
        found = found.view()
    if found.dtype.kind == "O":
        found = _mixed_columns(name, value, found)
    if found.dtype.kind not in REAL:
        of_another_package = found.dtype.kind == "V" and found.dtype.names is None  # bfloat16
        hint = AS_NUMBERS.format(name=name) if of_another_package else ""
        raise TypeError(
            f"{name} has dtype {found.dtype}; expected real numbers. "
            f"{hint or _hint(name, found.dtype.kind)}"
        )
    return found


def no_dates(name: str, value: Any) -> None:
    """Raise TypeError for an array, a list or a table with dates or time differences.

    A conversion to floats would take them as numbers in the unit that they happen to have: days,
    microseconds, nanoseconds.
    """
    if hasattr(value, "columns") and hasattr(value, "dtypes"):
        each = [(f"{name}[{column!r}]", dtype) for column, dtype in zip(
            value.columns, value.dtypes, strict=True
        )]  # fmt: skip
    else:
        if isinstance(value, (list, tuple)):
            value = _as_array(value)
        each = [(name, getattr(value, "dtype", None))]
    for i, (part, dtype) in enumerate(each):
        kind = getattr(dtype, "kind", None)
        if kind is None and hasattr(dtype, "is_temporal") and dtype.is_temporal():  # of polars
            kind = "m" if str(dtype).startswith("Duration") else "M"
        if kind in ("m", "M"):
            raise TypeError(
                f"{part} has dtype {dtype}; expected real numbers. {_hint(part, kind)}"
            )
        if kind == "O":
            column = value.iloc[:, i] if hasattr(value, "iloc") and value.ndim == 2 else value
            _no_dates_among(part, np.asarray(column, object))


def _as_array(value: Any) -> Array | None:
    """Return what NumPy makes of a list; None if its rows have different lengths."""
    try:
        return np.asarray(value)
    except ValueError:
        return None


def _no_dates_among(name: str, objects: Array) -> None:
    """Raise TypeError for Python objects of which one is a date or a time difference."""
    for one in objects.flat:
        if isinstance(one, (np.datetime64, date)):
            kind, dtype = "M", "datetime64[us]"
        elif isinstance(one, (np.timedelta64, timedelta)):
            kind, dtype = "m", "timedelta64[us]"
        else:
            continue
        raise TypeError(
            f"{name} holds {shown(one)}; expected real numbers. {_hint(name, kind)}, once "
            f"they have dtype {dtype}"
        )


def _hint(name: str, kind: str) -> str:
    """What to do with an array of a dtype of this kind."""
    hint = TEXTS.get(name, OF_TEXT) if HINTS[kind] is OF_TEXT else HINTS[kind]
    return hint.format(name=name)


def _mixed_columns(name: str, value: Any, found: Array) -> Array:
    """Return a table of pandas, or a column, of which NumPy makes Python objects, as numbers.

    These are columns of different dtypes, such as numbers beside booleans, and those of the dtypes
    in which pandas has missing values; a missing value becomes NaN.  `found` is what NumPy made.
    """
    if not hasattr(value, "iloc"):
        raise _no_numbers(name, found)
    columns = dict(enumerate(value.dtypes)) if value.ndim == 2 else {0: value.dtype}
    others = [i for i, dtype in columns.items() if getattr(dtype, "kind", "O") not in REAL]
    if not others:
        return np.asarray(value.to_numpy(np.float64, na_value=np.nan))
    if value.ndim == 1:
        raise _no_numbers(name, found)
    some = ", ".join(f"{value.columns[i]!r} ({columns[i]})" for i in others[:SHOWN])
    more = ", …" if len(others) > SHOWN else ""
    raise TypeError(
        f"{name} has dtype object; expected numbers, but {len(others)} of {len(columns)} columns "
        f"hold others: {some}{more}. Leave these columns out or make them numbers, or use "
        f"fastmlp.tabular, whose estimators take such tables as they are"
    )


def _no_numbers(name: str, objects: Array) -> TypeError:
    """Return the error of an array of Python objects."""
    others = [one for one in objects.flat if not isinstance(one, Real)]
    kind = type(others[0]).__name__ if others else ""
    if not others:
        found = AS_NUMBERS.format(name=name)
    elif isinstance(others[0], str):
        found = f"It has text, such as {quoted(others[0])}. {_hint(name, 'U')}"
    elif kind in MISSING:
        found = f"It has missing values ({others[0]}): fill them in or leave them out"
    else:
        of_rows = isinstance(others[0], (list, tuple)) or hasattr(others[0], "shape")
        remedy = OF_ROWS if of_rows else AS_NUMBERS
        found = f"It has entries of type {kind}. {remedy.format(name=name)}"
    return TypeError(f"{name} has dtype object; expected numbers. {found}")


def arrays(
    name: str,
    given: Sequence[ArrayLike],
    shapes: Sequence[tuple[int, ...]],
    dtype: np.dtype[Any],
) -> list[Array]:
    """Return a list of finite arrays of these shapes, in the network's dtype."""
    if not isinstance(given, (list, tuple)) or len(given) != len(shapes):
        got = len(given) if isinstance(given, (list, tuple)) else shown(given)
        raise ValueError(
            f"{name} must be a list of {len(shapes)} arrays, one for each layer, got {got}"
        )
    found = [array(f"{name}[{i}]", one) for i, one in enumerate(given)]
    for i, (one, shape) in enumerate(zip(found, shapes, strict=True)):
        if one.shape != shape:
            remedy = f"; give {name}[{i}].T" if len(shape) == 2 and one.shape == shape[::-1] else ""
            raise ValueError(f"{name}[{i}] has shape {one.shape}; expected {shape}{remedy}")
    return [reals(f"{name}[{i}]", one, dtype) for i, one in enumerate(found)]


def reals(name: str, value: Array, dtype: np.dtype[Any]) -> Array:
    """Return finite numbers in the network's dtype and in C order."""
    finite(name, value, dtype)
    return np.ascontiguousarray(value, dtype)


def finite(
    name: str,
    value: Array,
    dtype: np.dtype[Any],
    position: Callable[[int], tuple[Any, ...]] | None = None,
) -> None:
    """Raise ValueError at the first number that is NaN, infinite or beyond the range of `dtype`.

    `position` turns a position in memory into the index that a user would write.  Of numbers that
    are not `ready`, the minimum and the maximum of a chunk, the second of them computed from cache,
    cost less than a test of each number; a NaN fails every comparison.
    """
    if value.dtype.kind != "f" or ready(value, dtype):
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
        remedy = "; fill in or leave out such examples" if name in OF_EXAMPLES else ""
        raise ValueError(f"{name} must be finite, but {found}{remedy}")


def without_subnormals(value: Array, dtype: np.dtype[Any]) -> Array:
    """Return float32 numbers as float64 if a float64 network would lose some of them.

    The kernels take subnormal numbers as 0, also when they convert float32 to float64, where the
    subnormal numbers of float32 are normal numbers.
    """
    if dtype != np.float64 or value.dtype != np.float32:
        return value
    bits = value.reshape(-1).view(np.uint32)
    for first in range(0, bits.size, CHUNK):
        magnitude = bits[first : first + CHUNK] & 0x7FFFFFFF
        magnitude -= 1  # 0 becomes the largest integer; subnormal numbers have no exponent bits
        if magnitude.min() < 0x007FFFFF:
            return value.astype(np.float64)
    return value
