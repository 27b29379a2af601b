"""Numbers that float64 cannot tell apart, and values by which rows are sorted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .frames import dates, is_number, is_span, kind_of, numbers, without_arrow
from .levels import codes_in

__all__ = ["ADVICE", "blurred", "sortable"]

Array = NDArray[Any]

LARGEST = 2**53  # up to which float64 has all whole numbers
SHARE = 0.9  # of the different numbers of a column, below which float64 has too few of them
ADVICE = (
    "float64, in which models compute, takes many of them for equal; subtract a "
    "number from all, such as the least, or make them text if they are codes"
)


def blurred(column: pd.Series) -> bool:
    """Return whether float64 takes many different numbers of a column for the same."""
    column = without_arrow(column).dropna()
    if pd.api.types.is_float_dtype(column.dtype) or not _may_be_large(column):
        return False
    _, uniques = pd.factorize(column)
    exact = [one for one in uniques if is_number(one) or is_span(one)]
    cells = pd.Series(exact, dtype=object, name=column.name).infer_objects()
    return len(np.unique(numbers(cells))) < SHARE * len(exact)


def _whole(cell: Any) -> int:
    """Return the number of a code of digits, however many; Python's `int` reads 4,300 at most."""
    return cell if isinstance(cell, int) else int(Decimal(str(cell).replace(" ", "")))


def _may_be_large(column: pd.Series) -> bool:
    if not pd.api.types.is_integer_dtype(column.dtype):
        return True
    return len(column) > 0 and max(-int(column.min()), int(column.max())) > LARGEST


def sortable(column: pd.Series) -> Array | None:
    """Return numbers, dates or codes of digits as values to sort rows by; None for other text."""
    kind = kind_of(column)
    if kind == "date":
        moments: Array = dates(column).to_numpy()
        return moments
    if kind == "category":
        if not codes_in(column):
            return None
        column = column.astype(object).map(_whole)
    if blurred(column):
        ranks: Array = without_arrow(column).rank(method="dense").to_numpy(np.float64)
        return ranks
    return numbers(column)
