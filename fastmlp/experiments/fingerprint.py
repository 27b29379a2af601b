"""A hash that identifies the data of an experiment."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ..support import checks

__all__ = ["fingerprint"]

SIZE = 8  # bytes


def fingerprint(*arrays: checks.Examples) -> str:
    """Return a hash of arrays: of the dtype, the shape and the values of each, in order.

    Parameters
    ----------
    *arrays : array-like or SciPy sparse matrix
        The arrays.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    found = hashlib.blake2b(digest_size=SIZE)
    for given in arrays:
        kind, parts = _parts(given)
        found.update(kind.encode())
        for part in parts:
            found.update(f"{part.dtype.str}{part.shape}".encode())
            found.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _parts(given: Any) -> tuple[str, list[Any]]:
    """A description of an array or a sparse matrix, and the arrays that it consists of."""
    if hasattr(given, "tocsr"):
        rows = given.tocsr()
        return f"csr{rows.shape}", [rows.data, rows.indices, rows.indptr]
    return "dense", [checks.array("data", given)]
