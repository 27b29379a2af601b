"""Write a network as C: one file of C99 that needs only the C library.

    comment ── declarations ── constants ── functions ── NET_forward ── NET_predict

The layers in floating point come from c_float.py, the functions from c_templates.py, the comment
from c_comment.py; c_tables.py has the models of tables.  Numbers are written with the fewest digits
that are read back as the same bits, so the file loses nothing of the network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..activations import Identity, Softmax
from ..losses import Quantile
from ..network import MLP
from ..support import atomic_files, checks
from . import c_comment, c_float
from . import c_templates as templates
from .c_comment import Program
from .c_float import Code
from .c_integers import integer_parts
from .c_text import C_TYPES, Array, array, class_names, function, literals, sizes
from .calibration import quantize
from .inference import is_table_model, metadata_of, require_mlp
from .integers import IntegerOnly
from .quantization import Quantized

if TYPE_CHECKING:
    from ..tabular import TabularClassifier, TabularRegressor

__all__ = ["to_c"]


def to_c(
    net: MLP | Quantized | TabularClassifier | TabularRegressor,
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    dtype: DTypeLike | None = None,
    quantized: bool = False,
    calibration: ArrayLike | None = None,
    integer_only: bool = False,
) -> None:
    """Write a network, or a model of a table, as one file of C99.

    The file allocates no memory, stores all numbers as constants, may be called by several threads
    at once and needs only the headers of the C library.  The comment at its top says how to call
    the functions, what they take and return, how much memory they need and how accurate they are.

    Parameters
    ----------
    net : MLP, Quantized, TabularClassifier or TabularRegressor
        A trained network, whose functions are `forward` and `predict`; batch norm is folded in, and
        averaged parameters are used if the network predicts with them.  A fitted model of a table
        becomes `predict` and, of a classifier, `predict_proba` of a struct with the raw columns;
        see Notes.
    path : path-like
        The file, which appears as a whole or not at all.
    name : str, optional
        The beginning of the functions' names, a C identifier.  Default: the name of the file
        without its extension, with underscores for other characters than letters and digits.
    dtype : {"float32", "float64"}, optional
        Compute in float or in double.  Default: the network's dtype.  The networks of a model of a
        table compute in float32.
    quantized : bool, default False
        Compute in 8-bit integers, with a quarter of the memory: see `quantize`.  Models of tables
        and networks whose columns have encodings have no such form.
    calibration : array-like, (m, n_in), optional
        With ``quantized=True``: a few hundred examples like those that the network will see.
    integer_only : bool, default False
        With ``quantized=True``: take and return signed bytes and use no floating point at all, nor
        anything but <stdint.h>; see `IntegerOnly`.

    Raises
    ------
    TypeError
        If net is neither, for example an ensemble: write its networks one by one.
    ValueError
        If name is not a C identifier; if a parameter is beyond the range of dtype; if calibration
        is missing, was not requested, or does not fit the network; if a model of a table is not
        fitted, or its networks have been replaced by ones with other encodings.
    OSError
        If the file cannot be written.

    Warns
    -----
    UserWarning
        With ``quantized=True``, for the reasons of `quantize`.

    See Also
    --------
    quantize : The 8-bit form in Python, to measure its accuracy.

    Notes
    -----
    The struct of a model of a table has one member for each column that the model uses, in the
    table's order: double for numbers (NAN: missing) and for dates (seconds since 1970 in UTC, NAN:
    missing), and strings for categories (NULL or "": missing), in UTF-8, as
    `pandas.Series.astype(str)` writes text, booleans and whole numbers.  Unknown categories count
    as missing.  Predictions are those of `predict_proba` and `predict` up to the rounding of
    float32, since sums are added in another order.

    Examples
    --------
    >>> fastmlp.export.to_c(net, "digits.c")
    >>> fastmlp.export.to_c(net, "digits8.c", quantized=True, calibration=X[:500])
    """
    name = _prefix(name, path)
    if is_table_model(net):
        _only_float(net, dtype, quantized or integer_only, calibration)
        from .c_tables import table_parts  # imports pandas

        _write(path, table_parts(net, name, Path(path).name))
        return
    if not isinstance(net, Quantized):
        net = require_mlp(net)
    if checks.flag("quantized", quantized):
        if isinstance(net, Quantized):
            raise ValueError("net is quantized already; leave out quantized=True")
        if calibration is None:
            raise ValueError("quantized=True needs calibration, such as X_train[:1000]")
        net = quantize(net, calibration, integer_only=integer_only)
    elif checks.flag("integer_only", integer_only):
        raise ValueError("integer_only=True needs quantized=True and calibration")
    elif calibration is not None:
        raise ValueError("calibration needs quantized=True")
    if isinstance(net, Quantized):
        if dtype is not None and checks.real_dtype(dtype) != np.float32:
            raise ValueError(f"a quantized network takes and returns float32, got dtype {dtype!r}")
        if isinstance(net, IntegerOnly):
            _write(path, integer_parts(net, name))
            return
        program = _quantized_program(net)
    else:
        program = _float_program(net, net.dtype if dtype is None else checks.real_dtype(dtype))
    _write(path, _parts(net, program, name))


def _write(path: str | os.PathLike[str], parts: Iterable[str]) -> None:
    """Write the parts of a file, each with the end of a line."""
    with atomic_files.whole(path) as file:
        for part in parts:
            file.write(f"{part}\n".encode())


def _only_float(model: Any, dtype: Any, quantized: Any, calibration: Any) -> None:
    """Raise ValueError at an option that models of tables do not have."""
    what = f"a {type(model).__name__}"
    if checks.flag("quantized", quantized) or calibration is not None:
        raise ValueError(
            f"{what} is written in float only; leave out quantized and calibration, which are for "
            f"single networks"
        )
    if dtype is not None and checks.real_dtype(dtype) != np.float32:
        raise ValueError(
            f"the networks of {what} compute in float32, got dtype {dtype!r}; leave it out"
        )


def _prefix(name: str | None, path: str | os.PathLike[str]) -> str:
    """Return the beginning of the functions' names, checked or made from the file's name."""
    if name is None:
        stem = re.sub(r"\W", "_", Path(path).stem, flags=re.ASCII)
        return stem if stem[:1].isalpha() else f"net_{stem}"
    if not isinstance(name, str):
        raise TypeError(f"name must be a C identifier such as 'digits', got {name!r}")
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise ValueError(
            f"name must be a C identifier, a letter followed by letters, digits and underscores, "
            f"got {name!r}"
        )
    return name


def _float_program(net: MLP, dtype: np.dtype[Any]) -> Program:
    """Return a network in floating point."""
    functions, (code,) = c_float.networks_code([net], dtype, [""])
    return Program(
        real=C_TYPES[dtype.name],
        headers=("math.h",),
        functions=functions,
        code=code,
        accuracy=c_comment.float_accuracy(net.dtype, dtype),
        not_finite=c_comment.FLOAT_NOT_FINITE,
    )


def _quantized_program(net: Quantized) -> Program:
    """Return a network in 8-bit integers."""
    output, scaling, first = net.output_activation, net.input_scaling, net.roundings[0]
    buffers, units = c_float.buffers("uint8_t", net.sizes[:-1])
    arrays: dict[str, Array] = {}
    if scaling.inverse.ndim:
        arrays |= {"offset": scaling.offset, "inverse": scaling.inverse}
        scaled = "(x[i] - NET_offset[i]) * NET_inverse[i]"
    else:
        scaled = f"x[i] * {literals(scaling.inverse)[0]}"
    calls = [
        "for (i = 0; i < N_IN; i++)",
        f"    u[i] = NET_byte({scaled}, {first.low}, {first.high}, 0);",
    ]
    for l, layer in enumerate(net.layers, start=1):
        arrays |= {f"W{l}": layer.weight, f"b{l}": layer.bias, f"m{l}": layer.multiplier}
        n_out, n_in = layer.weight.shape
        arguments = f"{'vu'[l % 2]}, {n_in}, NET_W{l}, NET_b{l}, NET_m{l}, {n_out}"
        if l == len(net.layers):
            calls.append(f"NET_output({arguments}, h);")
        else:
            rounding, table = net.roundings[l], "0"
            if rounding.table is not None:
                arrays[f"table{l}"], table = rounding.table, f"NET_table{l}"
            ends = f"{rounding.low}, {rounding.high}"
            calls.append(f"NET_layer({arguments}, {ends}, {table}, {'uv'[l % 2]});")
    if isinstance(output, Softmax):
        activation = templates.SOFTMAX_IN_DOUBLE
    elif output == Identity():
        activation = ""
    else:
        activation = templates.in_double(templates.activation(output.name, output))
    return Program(
        real="float",
        headers=("math.h", "stdint.h"),
        functions=[
            templates.BYTE,
            templates.SUM,
            *[templates.BYTE_LAYER] * (len(net.layers) > 1),
            templates.OUTPUT_LAYER,
            *[activation] * bool(activation),
        ],
        code=Code(
            arrays,
            [*buffers, "int i;"],
            calls,
            c_float.output_statements(output, f"h[j] = (float)NET_{output.name}((double)h[j]);"),
            units,
        ),
        accuracy=c_comment.quantized_accuracy(net),
        not_finite=c_comment.QUANTIZED_NOT_FINITE,
    )


def _parts(net: MLP | Quantized, program: Program, name: str) -> Iterator[str]:
    """Yield the file's text from top to bottom."""
    code = program.code
    predict = templates.PREDICT[c_comment.kind_of_prediction(net)]
    if isinstance(net.loss, Quantile):
        predict = predict.replace("N_QUANTILES", str(len(net.loss.quantiles)))
    if isinstance(net.output_activation, Softmax):
        spans = net.output_activation.spans
        predict = predict.replace("N_GROUPS", str(len(spans)))
        predict = predict.replace("ENDS", ", ".join(str(end) for _, end in spans))
    forward = "void NET_forward(const float x[N_IN], float h[N_OUT])"
    declarations = [predict.partition("\n")[0], forward]

    def finished(text: str) -> str:
        text = text if program.real == "float" else templates.in_double(text)
        return templates.with_names(text, name, net.n_in, net.n_out)

    yield c_comment.comment(net, program, [finished(one) for one in declarations], name)
    yield "".join(f"#include <{header}>\n" for header in program.headers)
    metadata = net.metadata if isinstance(net, Quantized) else metadata_of(net)
    declared_classes, classes = class_names(name, metadata.get("classes"))
    yield sizes(name, net.n_in, net.n_out)
    yield finished("".join(f"{declaration};\n" for declaration in declarations)) + declared_classes
    if classes:
        yield classes
    for array_name, values in code.arrays.items():
        yield array(f"{name}_{array_name}", values)
    yield ""
    for text in program.functions:
        yield templates.with_names(text, name, net.n_in, net.n_out)
    if net.loss.classification:
        logits = "static void NET_logits(const float *x, float *h)"
        yield "/* z of the output layer */"
        yield finished(function(logits, code.declarations, code.logits))
        yield finished(function(forward, code.index, ["NET_logits(x, h);", *code.output]))
    else:
        declared = [*code.declarations, *code.index]
        yield finished(function(forward, declared, [*code.logits, *code.output]))
    yield finished(predict).rstrip("\n")
