"""Write a network in 8-bit integers as C without floating point, which needs only <stdint.h>.

    comment ── sizes ── declarations ── constants ── functions ── NET_forward ── NET_predict

The arithmetic is that of integers.py.  Reals become bytes in NET_quantize, which is compiled only
where NET_FLOAT is defined.
"""

from __future__ import annotations

import re

from . import c_comment
from . import c_templates as templates
from .c_float import buffers
from .c_source import Layout, Source
from .c_text import Array, array, class_names, filled, function, literals, macros
from .integers import FINE, MIDDLE, IntegerOnly

__all__ = ["integer_source"]

FORWARD = "void NET_forward(const int8_t x[N_IN], int8_t h[N_OUT])"
LAST_LAYER = "static void NET_logits(const int8_t *x, int32_t *z)"

SUM = """\
static int32_t NET_sum(const int8_t *a, int n_in, const NET_FLASH int8_t *w, int32_t sum)
{
    int i;

    for (i = 0; i < n_in; i++)
        sum += (int32_t)w[i] * a[i];
    return sum;
}
"""

SCALED = """\
/* sum factor / 2^shift, rounded; right shifts of negative numbers are arithmetic, as with GCC,
   Clang, IAR and Arm's compilers */
static int32_t NET_scaled(int32_t sum, int32_t factor, int shift)
{
    int64_t p = ((int64_t)sum * factor + ((int64_t)1 << (shift - 1))) >> shift;

    return p > INT32_MAX ? INT32_MAX : p < -INT32_MAX ? -INT32_MAX : (int32_t)p;
}
"""

BYTE = """\
/* table[k], or k - MIDDLE, with k = p - low, p clipped to low ... high */
static int8_t NET_byte(int32_t p, int32_t low, int32_t high, const NET_FLASH int8_t *table)
{
    int32_t k = (p < low ? low : p > high ? high : p) - low;

    return table ? table[k] : (int8_t)(k - MIDDLE);
}
"""

LAYER = """\
/* p of a layer */
static void NET_layer(const int8_t *a, int n_in, const NET_FLASH int8_t *w,
        const NET_FLASH int32_t *b, const NET_FLASH int32_t *factor,
        const NET_FLASH uint8_t *shift, int n_out, int32_t *p)
{
    int j;

    for (j = 0; j < n_out; j++, w += n_in)
        p[j] = NET_scaled(NET_sum(a, n_in, w, b[j]), factor[j], shift[j]);
}
"""

# With CMSIS-NN a unit without a table is one call; with MVE the library reads b as its kernel_sum.
HIDDEN = """\
#ifdef NET_CMSIS_NN /* the same bytes if the library has CMSIS_NN_USE_SINGLE_ROUNDING */
#include <arm_nnsupportfunctions.h>
#endif

/* a layer from bytes to bytes */
static void NET_byte_layer(const int8_t *a, int n_in, const NET_FLASH int8_t *w,
        const NET_FLASH int32_t *b, const NET_FLASH int32_t *factor,
        const NET_FLASH uint8_t *shift, int n_out, int32_t low, int32_t high,
        const NET_FLASH int8_t *table, int8_t *h)
{
    int32_t p;
    int j;

    for (j = 0; j < n_out; j++, w += n_in) {
#ifdef NET_CMSIS_NN
        if (!table) {
            arm_nn_vec_mat_mult_t_s8(a, w, b + j, b + j, h + j, 0, -low - MIDDLE, factor[j],
                    31 - shift[j], n_in, 1, -MIDDLE, high - low - MIDDLE, 1, 0);
            continue;
        }
#endif
        NET_layer(a, n_in, w, b + j, factor + j, shift + j, 1, &p);
        h[j] = NET_byte(p, low, high, table);
    }
}
"""

QUANTIZED = "void NET_quantize(const float x[N_IN], int8_t q[N_IN])"
QUANTIZE = """\
#ifdef NET_FLOAT
#include <math.h>

ARRAYS
QUANTIZED
{
    int i;

    for (i = 0; i < N_IN; i++) {
        float p = SCALED;
        q[i] = (int8_t)(p >= HIGH ? 127 : p > LOW ? (int)lrintf(p) + SHIFT : -128);
    }
}
#endif
"""

REALS = (
    "Where the inputs are reals, define {name}_FLOAT: there is then also the function void "
    "{name}_quantize(const float x[{n_in}], int8_t q[{n_in}]), which needs <math.h>."
)
INPUTS = {
    True: "{n} signed bytes, column i in steps of its own: {name}_quantize has their formula",
    False: "{n} signed bytes: x = round(value / {step}) {zero}, clipped to -128 ... 127",
}
OUTPUTS = {
    True: (
        "{n} signed bytes, z of the output layer, whose {f} are the probabilities: "
        "z = {step} (h {zero})"
    ),
    False: "{n} signed bytes, the values of Python's forward: value = {step} (h {zero})",
}
ACCURACY = (
    "Weights and layers in 8 bits, no floating point; hidden layers with {ranges}: {summary}. "
    "fastmlp.export.quantize(..., "
    "integer_only=True) returns the same network in Python, bit for bit, to measure its accuracy "
    "on other examples."
)


def integer_source(net: IntegerOnly, name: str, layout: Layout) -> Source:
    """Return the parts of the program of a network without floating point.

    Parameters
    ----------
    net : IntegerOnly
        The network.
    name : str
        The beginning of all names.
    layout : Layout
        The names of the files, for the comment.
    """
    arrays, statements = _layers(net)
    declared, stack = buffers("int8_t", net.sizes[1:-1])
    stack += 4 * net.n_out * net.loss.classification
    predict = templates.predict(net, c_comment.kind_of_prediction(net))
    predict = predict.replace("float z[", "int32_t z[").replace("0.0f", "0")
    predict = re.sub(r"\bfloat\b", "int8_t", predict)

    def finished(text: str) -> str:
        return templates.with_names(text, name, net.n_in, net.n_out)

    declarations = [finished(one) for one in (predict.partition("\n")[0], FORWARD)]
    declared_classes, classes = class_names(name, net.metadata.get("classes"), net.n_out)
    functions = [SUM, SCALED, BYTE, LAYER]
    if len(net.layers) > 1 or not net.loss.classification:
        functions.append(HIDDEN)
    if net.loss.classification:
        ends = f"{net.output_rounding.low}, {net.output_rounding.high}"
        functions.append(f"/* z of the output layer, in 1/{FINE} of the step of h */")
        functions.append(function(LAST_LAYER, declared, statements))
        rounded = [
            "NET_logits(x, z);",
            "for (j = 0; j < N_OUT; j++)",
            f"    h[j] = NET_byte(NET_scaled(z[j], 1, 16), {ends}, 0);",
        ]
        functions.append(function(FORWARD, ["int32_t z[N_OUT];", "int j;"], rounded))
    else:
        functions.append(function(FORWARD, declared, statements))
    functions += [predict, _quantize_function(net, name).rstrip("\n")]
    return Source(
        name=name,
        comment=_comment(net, name, declarations, arrays, stack, layout),
        interface_headers=["stdint.h"],
        headers=[],
        interface=[
            macros(name, net.n_in, net.n_out, net.digest),
            *(f"{declaration};" for declaration in declarations),
            *declared_classes,
            finished(f"#ifdef NET_FLOAT\n{QUANTIZED};\n#endif"),
        ],
        definitions=classes,
        constants=list(arrays.items()),
        functions=[finished(text.replace("MIDDLE", str(MIDDLE))) for text in functions],
    )


def _layers(net: IntegerOnly) -> tuple[dict[str, Array], list[str]]:
    """Return the constants of the layers, and the statements that compute them."""
    arrays: dict[str, Array] = {}
    statements = []
    roundings = [*net.roundings[1:], None if net.loss.classification else net.output_rounding]
    biases = net.signed_biases()
    for l, (layer, by, rounding) in enumerate(
        zip(net.layers, net.fixed_points, roundings, strict=True), start=1
    ):
        arrays |= {f"W{l}": layer.weight, f"b{l}": biases[l - 1]}
        arrays |= {f"factor{l}": by.factor, f"shift{l}": by.shift}
        n_out, n_in = layer.weight.shape
        source, target = "x" if l == 1 else "vu"[l % 2 == 0], "uv"[l % 2 == 0]
        arguments = f"{source}, {n_in}, NET_W{l}, NET_b{l}, NET_factor{l}, NET_shift{l}, {n_out}"
        if rounding is None:
            statements.append(f"NET_layer({arguments}, z);")
            continue
        table = "0"
        if rounding.table is not None:
            table = f"NET_table{l}"
            arrays[f"table{l}"] = (rounding.table.astype("int16") - MIDDLE).astype("int8")
        target = "h" if l == len(net.layers) else target
        ends = f"{rounding.low}, {rounding.high}"
        statements.append(f"NET_byte_layer({arguments}, {ends}, {table}, {target});")
    return arrays, statements


def _quantize_function(net: IntegerOnly, name: str) -> str:
    """Return the function from reals to the bytes of the inputs."""
    scaling, first = net.input_scaling, net.roundings[0]
    constants, scaled = "", f"x[i] * {literals(scaling.inverse)[0]}"
    if scaling.inverse.ndim:
        own = {"offset": scaling.offset, "inverse": scaling.inverse}
        constants = "".join(
            array(f"{name}_{key}", one, "NET_FLASH ") + "\n" for key, one in own.items()
        )
        scaled = "(x[i] - NET_offset[i]) * NET_inverse[i]"
    words = {
        "ARRAYS\n": constants,
        "QUANTIZED": QUANTIZED,
        "SCALED": scaled,
        "HIGH": f"{first.high}.0f",
        "LOW": f"{first.low}.0f",
        "+ SHIFT": _plus(-first.low - MIDDLE),
    }
    return filled(QUANTIZE, words)


def _plus(number: int) -> str:
    """Return what adds a number."""
    return f"{'-' if number < 0 else '+'} {abs(number)}"


def _comment(
    net: IntegerOnly,
    name: str,
    declarations: list[str],
    arrays: dict[str, Array],
    stack: int,
    layout: Layout,
) -> str:
    """Return the comment at the top of the file."""
    scaling, first = net.input_scaling, net.roundings[0]
    inputs = INPUTS[bool(scaling.inverse.ndim)].format(
        n=net.n_in, name=name, step=str(1 / scaling.inverse.ravel()[0]),
        zero=_plus(-first.low - MIDDLE),
    )  # fmt: skip
    outputs = OUTPUTS[net.loss.classification].format(
        n=net.n_out, f=net.output_activation.name, step=f"{net.output_step:.9g}",
        zero=_plus(-net.output_zero),
    )  # fmt: skip
    meaning = c_comment.MEANINGS[c_comment.kind_of_prediction(net)][0]
    classes = c_comment.names_note(net.metadata.get("classes"), numbered=True)
    size = sum(one.nbytes for one in arrays.values())
    functions = (*net.activation, net.output_activation)
    notes = {
        "x": inputs + c_comment.names_note(net.metadata.get("columns")),
        "h": outputs,
        "predict": meaning + classes,
        "layers": f"{net.n_in} inputs, "
        + ", ".join(f"{n} {f.name}" for n, f in zip(net.sizes[1:], functions, strict=True)),
        **c_comment.memory_notes(size, stack),
        "time": f"{sum(one.weight.size for one in net.layers):,} multiply-adds of bytes",
        "accuracy": ACCURACY.format(
            summary=net.summary().replace("²", "2"), ranges=c_comment.RANGES[net.ranges]
        ),
        "digest": net.digest,
    }
    title = c_comment.title(net, name)
    how_to = c_comment.how_to(layout, ", integers alone")
    how_to += " " + REALS.format(name=name, n_in=net.n_in)
    return c_comment.block(title, declarations, [how_to], notes)
