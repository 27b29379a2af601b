"""The comment at the top of an exported C file of a model of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..tabular.classifier import TabularClassifier
from ..tabular.digest import table_digest
from ..version import __version__
from .c_comment import LONGEST_NAMES, block, layers_note, names_note, safe
from .c_source import Layout
from .c_table_row import Row
from .c_text import Array, string
from .table_quantization import QuantizedTable

__all__ = ["comment"]

MOST_MEMBERS = 12  # of the example
LONGEST_LEVEL = 40  # characters

HOW_TO = {  # by whether there is a header
    False: (
        "Include this file in one source file of your program, in C99 or in C++, or compile it by "
        "itself and copy the struct and the declarations into a header (for C++ within "
        'extern "C" {{ }}). Link with -lm where the mathematical functions are in a library of '
        "their own. Example:"
    ),
    True: (
        "Include this file, in C99 or in C++, and compile {file} with your program, with -lm where "
        "the mathematical functions are in a library of their own. Example:"
    ),
}
ROW = (
    "one member for each of the {n} columns that the model uses, in the table's order; the struct "
    "has a comment on each. Numbers are finite, NAN if missing; of a time difference the seconds, "
    'of a time of day those since midnight. {dates}Categories are text in UTF-8, NULL or "" if '
    "missing; booleans are True or False, and whole numbers have no decimal point. Blanks of ASCII "
    "at either end do not count. A text that is not among the levels counts as missing."
)
DATES = "Dates are seconds since 1970-01-01 in UTC, as {name}_seconds returns them. "
MEMORY = (
    "{size:,} bytes of constants, and on the stack {stack:,} bytes. Nothing is allocated and no "
    "state is kept, so several threads may call the functions at once."
)
VALUE = "the value in the target's unit, within the range of the training set"
ACCURACY = (
    "Columns are encoded and the networks' outputs averaged in double, as in Python; the networks "
    "compute in float. Their sums are added in another order than in Python, and the elementary "
    "functions are those of the C library. In all measurements probabilities differed by less than "
    "1e-6, values by less than 1e-6 of the target's standard deviation."
)

QUANTIZED_ACCURACY = (
    "Columns are encoded and the networks' outputs averaged in floating point; weights and layers "
    "are in 8 bits: {summary}. fastmlp.export.quantize_table returns the same model in Python, to "
    "measure its accuracy on other examples."
)


def comment(
    given: Any,
    row: Row,
    declarations: Sequence[str],
    arrays: Mapping[str, Array],
    stack: int,
    layout: Layout,
) -> str:
    """Return the comment.

    Parameters
    ----------
    given : TabularClassifier, TabularRegressor or QuantizedTable
        The model.
    row : Row
        Its columns.
    declarations : sequence of str
        What a program calls.
    arrays : mapping
        All constants but texts.
    stack : int
        Bytes on the stack.
    layout : Layout
        The names of the files.
    """
    is_quantized = isinstance(given, QuantizedTable)
    model = given.model if is_quantized else given
    name = row.name
    texts = sum(len(level.encode("utf-8", "surrogatepass")) + 1 for level in row.levels())
    size = sum(values.nbytes for values in arrays.values()) + texts
    dates = DATES.format(name=name) if row.has_dates else ""
    if isinstance(model, TabularClassifier):
        classes = names_note([str(label) for label in model.classes_], numbered=True)
        outputs = {
            "predict": f"the number of the most probable class{classes}; {name}_classes has their "
            f"names",
            "p": "the probability of each class",
        }
    else:
        outputs = {"predict": VALUE}
    networks = Counter(
        f"with numbers encoded as {encoding}: "
        + layers_note(net, sum(one.n_outputs for one in net.encodings))
        for net, encoding in zip(model.networks_, model.encodings_, strict=True)
    )
    notes = {
        "row": ROW.format(n=len(row.members), dates=dates),
        **outputs,
        "networks": "; ".join(f"{count} {one}" for one, count in networks.items()),
        "memory": MEMORY.format(size=size, stack=stack),
        "accuracy": QUANTIZED_ACCURACY.format(summary=given.summary().replace("²", "2"))
        if is_quantized
        else ACCURACY,
        "digest": given.digest if is_quantized else table_digest(model),
    }
    how_to = HOW_TO[layout.with_header].format(file=safe(layout.path.name, LONGEST_NAMES))
    included = (layout.header or layout.path).name
    title = (
        f"{name}: a {type(model).__name__} of {len(model.networks_)} networks, by fastmlp "
        f"{__version__}"
    )
    return block(title, declarations, [how_to, _example(model, row, included)], notes)


def _example(model: Any, row: Row, file: str) -> str:
    """Return a program that predicts one row."""
    name = row.name
    values = [f"    row.{row.members[column]} = {_value(row, column)};" for column in row.members]
    if len(values) > MOST_MEMBERS:
        values[MOST_MEMBERS:] = ["    ... and all other members"]
    if isinstance(model, TabularClassifier):
        variables = [f"    float p[{len(model.classes_)}];", "    int best;"]
        calls = [
            f"    {name}_predict_proba(&row, p);",
            f"    best = {name}_predict(&row);",
            f'    printf("%s with probability %g\\n", {name}_classes[best], p[best]);',
        ]
    else:
        variables = []
        calls = [f'    printf("%g\\n", {name}_predict(&row));']
    lines = [
        "#include <stdio.h>",
        f'#include "{safe(file, len(file))}"',
        "",
        "int main(void)",
        "{",
        f"    {name}_row row;",
        *variables,
        "",
        *values,
        *calls,
        "    return 0;",
        "}",
    ]
    return "\n".join(f"    {line}" for line in lines)


def _value(row: Row, column: Any) -> str:
    """Return a value of a column for the example."""
    kind = row.encoder.kinds[column]
    if kind == "date":
        year, month, day = row.encoder.origins[column][:10].split("-")
        return f"{row.name}_seconds({int(year)}, {int(month)}, {int(day)}, 0, 0, 0.0)"
    if kind == "number":
        return repr(next(one.median for one in row.encoder.numbers if one.source == column))
    level = next(one.levels[0] for one in row.texts if one.source == column)
    plain = level == safe(level, LONGEST_LEVEL)
    return string(level) if plain else '""'
