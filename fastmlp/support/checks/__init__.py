"""Validation of arguments, and the messages of failed validation.

Public functions check their arguments here, once; what the checks return is what the kernels read,
and the kernels do not check it again.  A message names the argument, the value that was passed,
what was expected and, where it helps, what to do.  A wrong type raises TypeError, a wrong value
ValueError.
"""

from ...kernels import ready
from .arrays import Array, array, arrays, finite, no_dates, reals
from .choices import (
    NAMING,
    column,
    columns,
    each,
    items,
    known,
    named,
    nearest,
    one_or_each,
    within,
)
from .examples import (
    CSR,
    Examples,
    Rows,
    Sparse,
    codes,
    finite_outputs,
    is_read_as_it_lies,
    n_rows,
    rows,
    shape,
)
from .networks import (
    factors,
    layer_numbers,
    no_network,
    normal_batches,
    parameters,
    rates,
    real_dtype,
    scales,
    seed,
    sizes,
)
from .scalars import constants, flag, number, whole
from .targets import distributions, labels, length, sample_weight, values

__all__ = [
    "CSR",
    "NAMING",
    "Array",
    "Examples",
    "Rows",
    "Sparse",
    "array",
    "arrays",
    "codes",
    "column",
    "columns",
    "constants",
    "distributions",
    "each",
    "factors",
    "finite",
    "finite_outputs",
    "flag",
    "is_read_as_it_lies",
    "items",
    "known",
    "labels",
    "layer_numbers",
    "length",
    "n_rows",
    "named",
    "nearest",
    "no_dates",
    "no_network",
    "normal_batches",
    "number",
    "one_or_each",
    "parameters",
    "rates",
    "real_dtype",
    "ready",
    "reals",
    "rows",
    "sample_weight",
    "scales",
    "seed",
    "shape",
    "sizes",
    "values",
    "whole",
    "within",
]
