"""The row of a table in C: the struct NET_row, and the function that reads it.

    NET_read: row ── numbers x, NaN where missing
                  └─ codes k of categories, −1 where missing or unknown

as `TableEncoder.read` (fastmlp/tabular/columns.py) reads a table.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from ..tabular.columns import DATE_PARTS, Category, Number, TableEncoder
from .c_comment import safe
from .c_text import function, identifiers

__all__ = ["Row"]

LONGEST = 200  # characters, of a column's name or levels in the comment of its member
C_TYPES = {"number": "double ", "date": "double ", "category": "const char *"}


@dataclass(frozen=True)
class Row:
    """The columns that a model of a table uses.

    Parameters
    ----------
    encoder : TableEncoder
        How columns become numbers and codes.
    name : str
        The beginning of all names in the file.
    members : dict
        The member of the struct for each column.
    """

    encoder: TableEncoder
    name: str
    members: dict[Any, str]

    @classmethod
    def of(cls, encoder: TableEncoder, name: str) -> Self:
        """Return the row of an encoder's columns."""
        columns = list(encoder.kinds)
        members = identifiers([str(column) for column in columns])
        return cls(encoder, name, dict(zip(columns, members, strict=True)))

    @property
    def has_dates(self) -> bool:
        """Whether a column has dates."""
        return "date" in self.encoder.kinds.values()

    @property
    def has_gaps(self) -> bool:
        """Whether networks have an input for missing values of a number."""
        return any(one.missing for one in self.encoder.numbers)

    @property
    def texts(self) -> list[Category]:
        """The categories that are columns."""
        return [one for one in self.encoder.categories if not one.part]

    @property
    def cycles(self) -> list[Category]:
        """The categories that are parts of dates."""
        return [one for one in self.encoder.categories if one.part]

    def levels(self) -> list[str]:
        """Return the levels of all `texts`; "", which is not found, for one that C cannot hold."""
        return ["" if "\0" in level else level for one in self.texts for level in one.levels]

    def part_levels(self) -> list[float]:
        """Return the levels of all `cycles`."""
        return [float(level) for one in self.cycles for level in one.levels]

    def with_columns(self, numbers: str, categories: str) -> list[str]:
        """Return two texts, each of them only if the table has such columns or parts of dates."""
        return [numbers] * bool(self.encoder.numbers) + [categories] * bool(self.encoder.categories)

    def struct(self) -> str:
        """Return the struct, with a comment on each member."""
        levels = {one.source: one.levels for one in self.texts}
        lines = ["typedef struct {"]
        for column, kind in self.encoder.kinds.items():
            note = f"{safe(str(column), LONGEST)}, a {kind}"
            if kind == "category":
                note += f": {safe(', '.join(levels[column]), LONGEST)}"
            lines += textwrap.wrap(
                f"{note} */", 96, initial_indent="    /* ", subsequent_indent="       "
            )
            lines.append(f"    {C_TYPES[kind]}{self.members[column]};")
        return "\n".join(lines) + f"\n}} {self.name}_row;\n"

    def read_function(self) -> str:
        """Return the function NET_read."""
        of_column: dict[Any, list[str]] = {column: [] for column in self.encoder.kinds}
        for i, number in enumerate(self.encoder.numbers):
            of_column[number.source].append(f"x[{i}] = {self._value(number)};")
        places = {"levels": 0, "part_levels": 0}  # where the levels of the next category begin
        for i, one in enumerate(self.encoder.categories):
            array, function_ = ("part_levels", "number_level") if one.part else ("levels", "level")
            levels = f"{self.name}_{array} + {places[array]}".removesuffix(" + 0")
            of_column[one.source].append(
                f"k[{i}] = {self.name}_{function_}({self._value(one)}, {levels}, "
                f"{len(one.levels)});"
            )
            places[array] += len(one.levels)
        statements = []
        for column, own in of_column.items():
            if self.encoder.kinds[column] == "date":
                first = float(pd.Timestamp(self.encoder.origins[column]).timestamp())  # in UTC
                statements.append(
                    f"{self.name}_date_parts(row->{self.members[column]}, {first!r}, part);"
                )
            statements += own
        row = f"const {self.name}_row *row"
        parameters = ", ".join([row, *self.with_columns("double *x", "int *k")])
        head = f"static void {self.name}_read({parameters})"
        return function(head, [f"double part[{len(DATE_PARTS)}];"] * self.has_dates, statements)

    def _value(self, one: Number | Category) -> str:
        """Return the expression of a column's value, or of a part of a date."""
        if one.part:
            return f"part[{DATE_PARTS.index(one.part)}]"
        return f"row->{self.members[one.source]}"
