"""Write a network as C99 that needs only the C library.

c_networks.py has networks in floating point and in 8-bit integers, c_integers.py those without
floating point, c_tables.py models of tables, and c_source.py the files.  Numbers are written with
the fewest digits that are read back as the same bits, so the files lose nothing of the network.
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..network import MLP
from ..support import checks
from ..support.atomic_files import whole_text
from ..support.paths import as_text
from .c_integers import integer_source
from .c_networks import float_program, network_source, quantized_program
from .c_self_test import self_test
from .c_source import Layout, Source
from .calibration import quantized_if_requested
from .inference import is_table_model
from .integers import IntegerOnly
from .quantization import Quantized, refuse_float64
from .table_quantization import QuantizedTable, quantized_table_if_requested

if TYPE_CHECKING:
    from ..tabular import TabularClassifier, TabularRegressor

__all__ = ["to_c"]


def to_c(
    net: MLP | Quantized | TabularClassifier | TabularRegressor | QuantizedTable,
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    dtype: DTypeLike | None = None,
    quantized: bool = False,
    calibration: ArrayLike | None = None,
    integer_only: bool = False,
    ranges: str = "minmax",
    examples: ArrayLike | None = None,
    header: bool = False,
    weights_file: bool = False,
) -> None:
    """Write a network, or a model of a table, as C99: one file, or with a header.

    The program allocates no memory, stores all numbers as constants, may be called by several
    threads at once and needs only the headers of the C library.  The comment at its top says how to
    call the functions, what they take and return, how much memory they need and how accurate they
    are.

    Parameters
    ----------
    net : MLP, Quantized, TabularClassifier, TabularRegressor or QuantizedTable
        A trained network, whose functions are `forward` and `predict`; batch norm is folded in, and
        averaged parameters are used if the network predicts with them.  A fitted model of a table
        becomes `predict` and, of a classifier, `predict_proba` of a struct with the raw columns;
        see Notes.
    path : path-like
        The file, such as ``digits.c``.  Each file appears as a whole or not at all.
    name : str, optional
        The beginning of the functions' names, a C identifier.  Default: the name of the file
        without its extension, with underscores for other characters than letters and digits.
    dtype : {"float32", "float64"}, optional
        Compute in float or in double.  Default: the network's dtype.  The networks of a model of a
        table compute in float32.
    quantized : bool, default False
        Compute in 8-bit integers, with a quarter of the memory: see `quantize` and, for models of
        tables, `quantize_table`.  Encodings of columns stay in floating point.
    calibration : array-like, (m, n_in), or DataFrame, optional
        With ``quantized=True``: a few hundred examples like those that the model will see.
    integer_only : bool, default False
        With ``quantized=True``: take and return signed bytes and use no floating point at all, nor
        anything but <stdint.h>; see `IntegerOnly`.  Models of tables and networks whose columns
        have encodings have no such form, because encodings are computed in floating point.
    ranges : {"minmax", "percentile", "kl"}, default "minmax"
        With ``quantized=True``: how the ranges of hidden layers come from calibration, see
        `quantize`.
    examples : array-like, (m, n_in), or DataFrame, optional
        A few examples, such as ``X[:5]``, for a self-test: where ``NAME_TEST`` is defined, the file
        is a program that compares their outputs with those of Python and has the exit status 0 if
        they agree, otherwise 1.
    header : bool, default False
        Write the declarations and the comment to a header beside the file, such as ``digits.h``,
        for C and C++.
    weights_file : bool, default False
        Write the constants to a file of their own beside it, such as ``digits_weights.h``, which
        the C file includes.

    Raises
    ------
    TypeError
        If net is neither, for example an ensemble: write its networks one by one.
    ValueError
        If name is not a C identifier; if a parameter is beyond the range of dtype; if calibration
        is missing or was not requested; if calibration or examples do not fit the network; if a
        model of a table is not fitted, or its networks have been replaced by ones with other
        encodings; if C cannot include a file of this name, or path has the name of its header.
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
    >>> fastmlp.export.to_c(net, "digits.c", header=True)
    >>> fastmlp.export.to_c(net, "digits8.c", quantized=True, calibration=X[:500])
    """
    path = as_text(path)
    name = _prefix(name, path)
    layout = Layout(
        Path(path), checks.flag("header", header), checks.flag("weights_file", weights_file)
    )
    layout.check()
    if is_table_model(net) or isinstance(net, QuantizedTable):
        _check_table_options(net, dtype, integer_only)
        net = quantized_table_if_requested(net, quantized, calibration, ranges)
        from .c_tables import table_source  # imports pandas

        _write(table_source(net, name, layout, examples), layout)
        return
    net = quantized_if_requested(net, quantized, calibration, integer_only, ranges)
    real: np.dtype[Any]  # of x and h
    if isinstance(net, Quantized):
        refuse_float64(dtype)
        if isinstance(net, IntegerOnly):
            real, source = np.dtype(np.int8), integer_source(net, name, layout)
        else:
            program = quantized_program(net)
            real, source = np.dtype(np.float32), network_source(net, program, name, layout)
    else:
        real = net.dtype if dtype is None else checks.real_dtype(dtype)
        source = network_source(net, float_program(net, real), name, layout)
    if examples is not None:
        test = self_test(net, name, real, examples)
        source = dataclasses.replace(source, functions=[*source.functions, f"\n{test}"])
    _write(source, layout)


def _write(source: Source, layout: Layout) -> None:
    """Write the files of a program."""
    for path, parts in source.files(layout).items():
        with whole_text(path) as file:
            file.writelines(f"{part}\n" for part in parts)


def _check_table_options(model: Any, dtype: Any, integer_only: Any) -> None:
    """Raise ValueError at an option that models of tables do not have."""
    what = f"a {type(model).__name__}"
    if checks.flag("integer_only", integer_only):
        raise ValueError(
            f"the columns of {what} are encoded in floating point; leave out integer_only, and "
            f"only the layers are in integers, or train an MLP on columns that are numbers"
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
