"""The self-test of an exported C file of a model of a table: rows, and what Python predicts.

Predictions may differ from Python's by rounding, as far as those of float32 and float64 networks
differ, with the margin of c_self_test.py.  In 8 bits the encoding of a column may be rounded to the
next byte, so that predictions may also differ as far as they change when all inputs are shifted by
a small part of their step.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd

from ..support import checks
from ..tabular.classifier import TabularClassifier
from ..tabular.frames import dates, numbers
from ..tabular.levels import known_codes, texts
from . import c_templates as templates
from .c_self_test import MARGIN, change_of_bytes, in_dtype, shifted
from .c_table_row import Row
from .c_text import Array, array, filled, string
from .table_quantization import QuantizedTable

__all__ = ["table_self_test"]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

TEST = """\
#ifdef NET_TEST
/* A program whose exit status is 0 if all rows have the predictions of Python, otherwise 1. Within
   a larger program: -Dmain=NET_test, for example. */
static const NET_row NET_test_rows[N_ROWS] = {
STRUCTS};
EXPECTED
int main(void)
{
DECLARATIONS    int i, wrong = 0;

    for (i = 0; i < N_ROWS; i++) {
COMPARISONS    }
    return wrong > 0;
}
#endif
"""
CLASSES = """\
        NET_predict_proba(&NET_test_rows[i], p);
        for (j = 0; j < N_OUT; j++)
            wrong += !(fabs((double)(p[j] - NET_test_p[i * N_OUT + j])) <= TOLERANCE);
        wrong += NET_predict(&NET_test_rows[i]) != NET_test_classes[i];
"""
VALUE = """\
        wrong += !(fabs(NET_predict(&NET_test_rows[i]) - NET_test_values[i]) <= TOLERANCE);
"""


def table_self_test(given: Any, row: Row, examples: Any) -> str:
    """Return the self-test, compiled where NAME_TEST is defined.

    Parameters
    ----------
    given : TabularClassifier, TabularRegressor or QuantizedTable
        The model.
    row : Row
        Its columns.
    examples : DataFrame or array-like, (m, n)
        Rows, as for `predict`.

    Raises
    ------
    ValueError
        If the rows do not fit the model, or a text has a zero byte, which no text of C has.
    """
    model = given.model if isinstance(given, QuantizedTable) else given
    with checks.within("examples"):
        table = model._table(examples, reset=False)
        structs = _structs(row, table)
    expected, tolerance = _expected(given, model, table)
    words = {"DECLARATIONS": "", "COMPARISONS": VALUE}
    arrays, n_out = {"test_values": expected}, 1
    if isinstance(model, TabularClassifier):
        words = {"DECLARATIONS": "    float p[N_OUT];\n    int j;\n", "COMPARISONS": CLASSES}
        classes = np.searchsorted(model.classes_, given.predict(table)).astype(np.int32)
        arrays = {"test_p": expected.astype(np.float32), "test_classes": classes}
        n_out = len(model.classes_)
    words |= {
        "EXPECTED": "\n".join(array(f"NET_{key}", one) for key, one in arrays.items()) + "\n",
        "TOLERANCE": f"{tolerance:.3g}",
        "N_ROWS": str(len(table)),
    }
    text = templates.with_names(filled(TEST, words), row.name, 0, n_out).rstrip("\n")
    return text.replace("STRUCTS", "".join(f"    {one},\n" for one in structs))  # texts last


def _structs(row: Row, table: pd.DataFrame) -> list[str]:
    """Return the rows of a table as initializers of the struct."""
    levels = {one.source: one.levels for one in row.texts}
    columns = []
    for name, kind in row.encoder.kinds.items():
        if kind == "category":
            columns.append(_text_literals(table[name], levels[name]))
        elif kind == "date":
            since = dates(table[name]) - pd.Timestamp("1970-01-01")
            columns.append(_number_literals(since.dt.total_seconds().to_numpy(np.float64)))
        else:
            columns.append(_number_literals(numbers(table[name])))
    return ["{" + ", ".join(cells) + "}" for cells in zip(*columns, strict=True)]


def _number_literals(values: Array) -> list[str]:
    """Return numbers as C has them."""
    return ["(double)NAN" if np.isnan(x) else repr(float(x)) for x in values]


def _text_literals(column: pd.Series, known: tuple[str, ...]) -> list[str]:
    """Return the cells of a category as C has them: levels, other texts, or none."""
    codes, names = texts(column)
    found = []
    for place, code in zip(known_codes(column, known), codes, strict=True):
        text = known[place] if place >= 0 else names[code] if code >= 0 else None
        if text is not None and "\0" in text:
            raise ValueError(
                f"column {column.name!r} has a text with a zero byte, which no text of C has"
            )
        found.append("0" if text is None else string(text))
    return found


def _expected(given: Any, model: Any, table: pd.DataFrame) -> tuple[Array, float]:
    """Return what Python predicts, and how much C's predictions may differ from it."""

    def predicted(networks: list[Any]) -> Array:
        twin = copy.copy(model)
        twin.networks_ = networks
        found: Array = twin._predictions(table)
        return found

    unit = np.finfo(np.float32).eps * getattr(model, "target_deviation_", 1.0)
    if isinstance(given, QuantizedTable):
        expected = predicted(given.networks)
        changed = [predicted([shifted(net, sign) for net in given.networks]) for sign in (-1, 1)]
        return expected, float(MARGIN * unit + change_of_bytes(expected, changed))
    exact = predicted([in_dtype(net, FLOAT64, FLOAT32) for net in model.networks_])
    units = np.abs(predicted(model.networks_) - exact).max() + unit
    return exact, float(MARGIN * units)
