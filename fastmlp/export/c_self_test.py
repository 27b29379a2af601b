"""The self-test of an exported C file: examples, the outputs that are expected, and a program.

The expected outputs are those of Python.  Bytes must be the same.  Floats may differ by rounding,
as far as the outputs of a float32 and a float64 network with the same parameters differ, with a
margin: the sums and elementary functions of C are rounded likewise.  Where encodings of columns,
which are floats, become bytes, a rounding may change a byte by one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..network import MLP
from ..support import checks
from . import c_templates as templates
from .c_text import C_TYPES, Array, array, filled
from .inference import inference_columns
from .integer_layers import InputScaling
from .integers import IntegerOnly
from .quantization import Quantized, float32_rows

__all__ = ["MARGIN", "change_of_bytes", "in_dtype", "self_test", "shifted"]

MARGIN = 32  # times the rounding that the examples show
SHIFT = 2.0**-12  # of a step of inputs: 16 times the rounding of a float that is 255 steps

TEST = """\
#ifdef NET_TEST
/* A program whose exit status is 0 if all examples have the outputs that Python gave, otherwise 1.
   Within a larger program: -Dmain=net_test, for example. */
HEADERS
ARRAYS
int main(void)
{
    const NET_FLASH REAL *from = NET_test_x, *expected = NET_test_h;
    REAL x[N_IN], h[N_OUT];
DECLARATIONS    int i, j, wrong = 0;

    for (i = 0; i < N_ROWS; i++) {
        for (j = 0; j < N_IN; j++)
            x[j] = *from++;
        NET_forward(x, h);
        for (j = 0; j < N_OUT; j++, expected++)
            wrong += DIFFERS;
PREDICTIONS    }
    return wrong > 0;
}
#endif
"""
SINGLE = """\
        wrong += NET_predict(x) != *labels++;
"""
SEVERAL = """\
        NET_predict(x, y);
        for (j = 0; j < N_LABELS; j++)
            wrong += y[j] != *labels++;
"""


def self_test(net: MLP | Quantized, name: str, dtype: np.dtype[Any], examples: ArrayLike) -> str:
    """Return the self-test, compiled where NAME_TEST is defined.

    Parameters
    ----------
    net : MLP or Quantized
        The network.
    name : str
        The beginning of all names.
    dtype : dtype
        Of x and h in C: int8, float32 or float64.
    examples : array-like, (m, n_in)
        Examples, as for `MLP.forward`, but not sparse.

    Raises
    ------
    ValueError
        If the examples do not fit the network.
    """
    x: Array
    with checks.within("examples"):
        if isinstance(net, Quantized):
            x = float32_rows(examples, net)
            h, y = net.forward(x), net.predict(x)
            tolerance = float(MARGIN * np.finfo(np.float32).eps * np.abs(h).max())
            if net.encodings:
                changed = [shifted(net, sign).forward(x) for sign in (-1, 1)]
                tolerance += change_of_bytes(h, changed)
        else:
            rows = net.state.spec.rows(checks.array("X", examples))
            assert not isinstance(rows, tuple)
            checks.finite("X", rows, dtype)
            scale = net.uint8_scale if rows.dtype == np.uint8 else 1
            x = (rows.astype(dtype) * scale).astype(dtype)
            h, y, tolerance = _expected(net, x)
    if isinstance(net, IntegerOnly):
        x, h = net.input_bytes(x), net.output_bytes(x)
    arrays = {"test_x": x, "test_h": h.astype(dtype)}
    declarations = predictions = ""
    if net.loss.classification:
        arrays["test_labels"] = y.astype(np.int32)
        declarations = "    const NET_FLASH int32_t *labels = NET_test_labels;\n"
        predictions = SINGLE
        if y.ndim > 1:
            declarations += "    int y[N_LABELS];\n"
            predictions = SEVERAL
    words = {
        "HEADERS": "#include <math.h>\n#include <stdint.h>\n" if dtype.kind == "f" else "",
        "ARRAYS": "\n".join(
            array(f"NET_{key}", values, "NET_FLASH ") for key, values in arrays.items()
        )
        + "\n",
        "DECLARATIONS": declarations,
        "PREDICTIONS": predictions,
        "REAL": C_TYPES[dtype.name],
        "DIFFERS": f"!(fabs((double)(h[j] - *expected)) <= {tolerance:.3g})"
        if dtype.kind == "f"
        else "h[j] != *expected",
        "N_ROWS": str(len(x)),
        "N_LABELS": str(y.shape[-1]),
    }
    text = filled(TEST, words)
    return templates.with_names(text, name, net.n_in, net.n_out).rstrip("\n")


def shifted(net: Quantized, sign: int) -> Quantized:
    """Return a network whose inputs are shifted by a small part of their step, up or down."""
    offset, inverse = net.input_scaling.offset, net.input_scaling.inverse
    by = np.divide(sign * SHIFT, inverse, out=np.zeros_like(inverse), where=inverse > 0)
    scaling = InputScaling(np.asarray(offset - by, np.float32), inverse)
    return dataclasses.replace(net, input_scaling=scaling)


def change_of_bytes(h: Array, changed: Sequence[Array]) -> float:
    """Return how much outputs may differ where encodings are rounded to other bytes.

    `changed` are the outputs of networks that are `shifted`.
    """
    return float(2 * max(np.abs(one - h).max() for one in changed))


def _expected(net: MLP, x: Array) -> tuple[Array, Array, float]:
    """Return outputs and labels in double precision, and how much C's may differ from them.

    The parameters are those that C has: rounded to the dtype of x.
    """
    exact = in_dtype(net, np.dtype(np.float64), x.dtype)
    h = exact.forward(x.astype(np.float64))
    rounded = in_dtype(net, np.dtype(np.float32), x.dtype).forward(x.astype(np.float32))
    relative = np.finfo(x.dtype).eps / np.finfo(np.float32).eps
    units = np.abs(rounded - h).max() + np.finfo(np.float32).eps * np.abs(h).max()
    return h, exact.predict(x.astype(np.float64)), float(MARGIN * units * relative)


def in_dtype(net: MLP, dtype: np.dtype[Any], rounded_to: np.dtype[Any]) -> MLP:
    """Return the inference network in a dtype, with parameters rounded to another before."""

    def rounded(values: Array) -> Array:
        return values.astype(rounded_to).astype(dtype)

    columns = inference_columns(net)
    twin = MLP(
        net.sizes,
        activation=net.activation,
        output_activation=net.output_activation,
        loss=net.loss,
        dtype=dtype,
        encodings=net.encodings or None,
        input_scaling=net.input_scaling,
    )
    weights, biases = net.folded
    twin.set_parameters(
        list(map(rounded, weights)),
        list(map(rounded, biases)),
        encoding_parameters=[
            {key: rounded(one) for key, one in own.items()} for own in columns.parameters
        ],
        input_scale=None if columns.scale is None else rounded(columns.scale),
    )
    return twin
