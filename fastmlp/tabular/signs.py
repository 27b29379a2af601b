"""Signs of percent and currencies, which numbers of a file may have and those of the next may lack.

Reading leaves the signs out: 12.5% is 12.5.  So the shares 12.5% and 0.125 become different numbers
in two files, and prices in dollars and in euros look alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..support.user_warnings import warn_user
from .frames import Kind

__all__ = ["signs_of", "warn_of_other_signs"]

PERCENT = "%"


def signs_of(table: pd.DataFrame) -> dict[str, str] | None:
    """Return the signs of columns of a table that was read from text; None of other tables."""
    signs: dict[str, str] | None = table.attrs.get("signs")
    return signs


def warn_of_other_signs(
    table: pd.DataFrame, known: Mapping[str, str] | None, kinds: Mapping[str, Kind]
) -> None:
    """Warn of each column of numbers whose sign is not that of the training set.

    A currency without its sign is no other unit; percent is.

    Parameters
    ----------
    table : DataFrame (m, n)
        The rows to predict from.
    known : mapping or None
        The signs of the training set, by columns; None if it was not read from text.
    kinds : mapping
        The kinds of the columns of the training set that are used.
    """
    signs = signs_of(table)
    if known is None or signs is None:
        return
    for name, kind in kinds.items():
        here, before = signs.get(name, ""), known.get(name, "")
        of_other_unit = PERCENT in (here, before) or (here and before)
        if here == before or not of_other_unit or kind != "number" or table[name].isna().all():
            continue
        warn_user(
            f"the numbers of column {name!r} have {_shown(here)} here and {_shown(before)} in the "
            f"training set; signs are left out (12.5% is read as 12.5), so write the numbers in "
            f"the unit of the training set"
        )


def _shown(sign: str) -> str:
    return f"the sign {sign!r}" if sign else "no sign"
