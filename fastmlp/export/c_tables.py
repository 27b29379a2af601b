"""Write a model of a table as C that computes everything from a row of the raw columns.

    NET_row ── NET_read: numbers x, codes k ── NET_columns_…: a network's X ── NET_network_1, …
            ── NET_mean ── probabilities, class, or value

`NET_columns_…` are `TableEncoder.inputs` (fastmlp/tabular/columns.py) and compute in double;
networks with their encodings come from c_float.py.  NET_row and NET_read are in c_table_row.py, the
other functions in c_table_templates.py, and the comment is in c_table_comment.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..network import MLP
from ..tabular.classifier import LEAST_PROBABILITY, TabularClassifier
from ..tabular.columns import DATE_PARTS
from ..tabular.digest import table_digest
from . import c_table_comment, c_table_templates
from . import c_templates as templates
from .c_bytes import bytes_code
from .c_float import Code, networks_code
from .c_source import Layout, Source
from .c_table_row import Row
from .c_table_self_test import table_self_test
from .c_text import Array, filled, function, string, string_array
from .inference import table_networks
from .table_quantization import QuantizedTable

__all__ = ["table_source"]

FLOAT32 = np.dtype(np.float32)
OF_SCALED = ("raw", "piecewise_linear")  # encodings that begin with z, the scaled number
SAME_COLUMNS = {"periodic": "quantile"}  # encodings whose networks have the columns of another


def table_source(given: Any, name: str, layout: Layout, examples: Any = None) -> Source:
    """Return the parts of a fitted model's program.

    Parameters
    ----------
    given : TabularClassifier, TabularRegressor or QuantizedTable
        The model.
    name : str
        The beginning of all names.
    layout : Layout
        The names of the files, for the comment.
    examples : DataFrame or array-like, optional
        Rows of a self-test.
    """
    is_quantized = isinstance(given, QuantizedTable)
    model = given.model if is_quantized else given
    networks = table_networks(model)
    digest = given.digest if is_quantized else table_digest(model)
    _require_encodings_of_columns(model, networks)
    row = Row.of(model.encoder_, name)
    n_out = networks[0].n_out
    n_columns = max(net.n_in for net in networks)
    prefixes = [f"net{i}_" for i in range(1, len(networks) + 1)]
    if is_quantized:
        functions, codes = bytes_code(given.networks, prefixes)
    else:
        functions, codes = networks_code(networks, FLOAT32, prefixes)
    encodings = [SAME_COLUMNS.get(one, one) for one in model.encodings_]
    levels = row.levels()
    arrays = _column_arrays(row, set(encodings))
    for code in codes:
        arrays |= code.arrays

    def finished(text: str) -> str:
        text = text.replace("NET_FLASH ", "")
        return templates.with_names(text, name, n_columns, n_out)

    public = [*_predict_functions(model), *[c_table_templates.SECONDS] * row.has_dates]
    declarations = [finished(text.partition("\n")[0]) for text in public]
    definitions = []
    if isinstance(model, TabularClassifier):
        classes = f"const char *const {name}_classes"
        declarations.append(f"extern {classes}[{n_out}]")
        definitions.append(string_array(classes, [str(label) for label in model.classes_]))
    if levels:
        definitions.append(string_array(f"static const char *const {name}_levels", levels))
    stack = _stack(row, codes, n_columns, n_out)
    reading = [finished(text) for text in _reading_functions(row, set(encodings))]
    reading += [*map(finished, functions), row.read_function()]
    texts = [
        *(_columns_function(row, encoding) for encoding in dict.fromkeys(encodings)),
        *(_network_function(i, code) for i, code in enumerate(codes, start=1)),
        _mean_function(row, encodings),
        "\n".join(public).rstrip("\n"),
    ]
    test = [] if examples is None else [f"\n{table_self_test(given, row, examples)}"]
    return Source(
        name=name,
        comment=c_table_comment.comment(given, row, declarations, arrays, stack, layout),
        interface_headers=["math.h"],
        headers=["stdint.h", *["string.h"] * bool(levels)],
        interface=[
            f"#define {name}_DIGEST {string(digest)}\n",
            row.struct(),
            *(f"{declaration};" for declaration in declarations),
        ],
        definitions=definitions,
        constants=list(arrays.items()),
        functions=[*reading, *map(finished, texts), *test],
        uses_flash=False,
    )


def _require_encodings_of_columns(model: Any, networks: Sequence[MLP]) -> None:
    """Raise ValueError if the encodings of a network are not those of the table's columns."""
    for i, (net, encoding) in enumerate(zip(networks, model.encodings_, strict=True), start=1):
        if net.encodings != tuple(model.encoder_.encodings(encoding)):
            raise ValueError(
                f"network {i} of the model has encodings that are not those of the table's columns "
                f"by {encoding!r}; C is written of models as fit or load returns them"
            )


def _column_arrays(row: Row, encodings: set[str]) -> dict[str, Array]:
    """Return the constants of the table's columns that networks with these encodings need."""
    numbers, categories = row.encoder.numbers, row.encoder.categories
    arrays: dict[str, Array] = {}
    if row.part_levels():
        arrays["part_levels"] = np.array(row.part_levels(), np.float64)
    if categories:
        arrays["n_levels"] = np.array([len(one.levels) for one in categories], np.int32)
    if not numbers:
        return arrays
    if row.has_gaps:
        arrays["gaps"] = np.array([one.missing for one in numbers], np.uint8)
    if encodings & set(OF_SCALED):
        arrays["medians"] = np.array([one.median for one in numbers], np.float64)
        arrays["factors"] = np.array([one.factor for one in numbers], np.float64)
    if "piecewise_linear" in encodings:
        ends = [(one.edges[0], one.edges[-1]) if one.edges else (0.0, 0.0) for one in numbers]
        arrays["lowest"], arrays["highest"] = np.array(ends, np.float32).T
    if "quantile" in encodings:
        counts = [len(one.knots) for one in numbers]
        arrays["first"] = np.cumsum([0, *counts]).astype(np.int32)
        arrays["knots"] = np.array([x for one in numbers for x in one.knots], np.float64)
        arrays["scores"] = np.array([q for one in numbers for q in one.scores], np.float64)
    return arrays


def _reading_functions(row: Row, encodings: set[str]) -> list[str]:
    """Return the functions that are called on the way from a row to columns of networks."""
    own = c_table_templates
    return [
        *[own.LEVEL] * bool(row.texts),
        *[own.NUMBER_LEVEL] * bool(row.cycles),
        *[own.DATE_PARTS] * row.has_dates,
        *[own.SCALED] * bool(row.encoder.numbers and encodings & set(OF_SCALED)),
        *[own.INTERPOLATED] * bool(row.encoder.numbers and "quantile" in encodings),
    ]


def _columns_function(row: Row, encoding: str) -> str:
    """Return the function that writes the X of networks with an encoding, see `TableEncoder`."""
    own = c_table_templates
    parameters = ", ".join([*row.with_columns("const double *x", "const int *k"), "float *a"])
    text = f"static void NET_columns_{encoding}({parameters})\n{{\n    int i;\n\n"
    if row.encoder.numbers:
        of_number = own.COLUMNS[encoding].replace("GAPS", own.GAPS if row.has_gaps else "")
        z = own.Z if encoding in OF_SCALED else ""
        text += f"    for (i = 0; i < {len(row.encoder.numbers)}; i++) {{\n{z}{of_number}    }}\n"
    if row.encoder.categories:
        text += own.CATEGORIES.replace("N_CATEGORIES", str(len(row.encoder.categories)))
    return f"{text}}}\n"


def _network_function(i: int, code: Code) -> str:
    """Return the function of network i, from its X to its outputs."""
    head = f"static void NET_network_{i}(const float *x, float *h)"
    return function(head, [*code.declarations, *code.index], [*code.logits, *code.output])


def _mean_function(row: Row, encodings: Sequence[str]) -> str:
    """Return the function from a row to the mean of the networks' outputs."""
    n_numbers, n_categories = len(row.encoder.numbers), len(row.encoder.categories)
    declarations = row.with_columns(f"double x[{n_numbers}];", f"int k[{n_categories}];")
    arguments = row.with_columns("x", "k")
    statements = [f"NET_read({', '.join(['row', *arguments])});"]
    for encoding in dict.fromkeys(encodings):
        statements.append(f"NET_columns_{encoding}({', '.join([*arguments, 'a'])});")
        statements += [
            f"NET_network_{i + 1}(a, out[{i}]);"
            for i, one in enumerate(encodings)
            if one == encoding
        ]
    text = c_table_templates.MEAN.replace("N_NETWORKS", str(len(encodings)))
    for place, lines in (("DECLARATIONS", declarations), ("STATEMENTS", statements)):
        text = text.replace(place, "".join(f"    {line}\n" for line in lines))
    return text


def _predict_functions(model: Any) -> list[str]:
    """Return the functions that predict."""
    own = c_table_templates
    if isinstance(model, TabularClassifier):
        proba = own.PREDICT_PROBA.replace("LEAST", repr(LEAST_PROBABILITY))
        return [own.PREDICT_CLASS, proba.replace("TEMPERATURE", repr(float(model.temperature_)))]
    low, high = model.target_range_
    values = {
        "DEVIATION": model.target_deviation_, "MEAN": model.target_mean_, "LOWEST": low,
        "HIGHEST": high,
    }  # fmt: skip
    return [filled(own.PREDICT_VALUE, {word: repr(float(one)) for word, one in values.items()})]


def _stack(row: Row, codes: Sequence[Code], n_columns: int, n_out: int) -> int:
    """Return the bytes of all buffers that are in use at once."""
    numbers, codes_of_levels = len(row.encoder.numbers), len(row.encoder.categories)
    outputs = 4 * len(codes) * n_out + 8 * n_out
    parts = 8 * len(DATE_PARTS) * row.has_dates
    return (
        8 * numbers
        + 4 * codes_of_levels
        + 4 * n_columns
        + outputs
        + max(parts, *(code.stack for code in codes))
    )
