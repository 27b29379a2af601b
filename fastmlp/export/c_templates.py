"""The functions of an exported C file, as text for c.py.

They are written in single precision for a network named NET with N_IN inputs and N_OUT outputs;
`in_double` and `with_names` adapt them.
"""

from __future__ import annotations

import re
from typing import Any

from ..activations import Activation, Softmax
from ..losses import Quantile

__all__ = [
    "BYTE",
    "BYTE_LAYER",
    "CODE",
    "ENCODINGS",
    "LAYER",
    "OUTPUT_LAYER",
    "SOFTMAX",
    "SOFTMAX_IN_DOUBLE",
    "SUM",
    "WIDE_LAYER",
    "activation",
    "in_double",
    "predict",
    "with_names",
]

# f(z) of each activation but softmax; P is its parameter.  NaN passes through.
FORMULAS = {
    "identity": "z",
    "sigmoid": "1.0f / (1.0f + expf(-z))",
    "relu": "z < 0.0f ? 0.0f : z",
    "leaky_relu": "z > 0.0f ? z : P * z",
    "tanh": "tanhf(z)",
    "softplus": "(z > 0.0f ? z : 0.0f) + log1pf(expf(-fabsf(z)))",
    "elu": "z > 0.0f ? z : P * expm1f(z)",
    "selu": "1.0507009873554805f * (z > 0.0f ? z : 1.6732632423543772f * expm1f(z))",
    "silu": "z / (1.0f + expf(-z))",
    "gelu": "0.5f * z * erfcf(z * -0.7071067811865475f)",
    "mish": "z * tanhf(log1pf(expf(z)))",
    "exponential": "expf(z)",
}

LAYER = """\
/* h = f(W a + b), W row by row; four partial sums have less rounding error than one */
static void NET_layer(const float *a, int n_in, const NET_FLASH float *w,
        const NET_FLASH float *b, int n_out, float (*f)(float), float *h)
{
    int i, j;

    for (j = 0; j < n_out; j++, w += n_in) {
        float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
        for (i = 0; i + 3 < n_in; i += 4) {
            s0 += w[i] * a[i];
            s1 += w[i + 1] * a[i + 1];
            s2 += w[i + 2] * a[i + 2];
            s3 += w[i + 3] * a[i + 3];
        }
        for (; i < n_in; i++)
            s0 += w[i] * a[i];
        h[j] = f((s0 + s1) + (s2 + s3) + b[j]);
    }
}
"""

# Its weights are laid out by c_float.blocks_of_outputs.  The sums of a block stay in registers, and
# each output has a sum of its own, so compilers may use vectors without reordering a sum.
WIDE_LAYER = """\
/* The same of a large layer: W in blocks of BLOCK outputs, where the weights of an input stand side
   by side; the rows of the other outputs follow. Inputs that are 0 are skipped. */
static void NET_wide_layer(const float *a, int n_in, const NET_FLASH float *w,
        const NET_FLASH float *b, int n_out, float (*f)(float), float *h)
{
    int i, j, k;

    for (j = 0; j + BLOCK <= n_out; j += BLOCK) {
        float s[BLOCK];
        for (k = 0; k < BLOCK; k++)
            s[k] = b[j + k];
        for (i = 0; i < n_in; i++, w += BLOCK)
            if (a[i] != 0.0f)
                for (k = 0; k < BLOCK; k++)
                    s[k] += w[k] * a[i];
        for (k = 0; k < BLOCK; k++)
            h[j + k] = f(s[k]);
    }
    NET_layer(a, n_in, w, b + j, n_out - j, f, h + j);
}
"""

SOFTMAX = """\
static void NET_softmax(float *h, int n)
{
    float largest = h[0], total = 0.0f;
    int j;

    for (j = 1; j < n; j++)
        if (h[j] > largest)
            largest = h[j];
    for (j = 0; j < n; j++) {
        h[j] = expf(h[j] - largest);
        total += h[j];
    }
    for (j = 0; j < n; j++)
        h[j] /= total;
}
"""

CODE = """\
/* the level that x is the code of; -1 if it is the code of none */
static int NET_code(float x, int n) { return x >= 0.0f && x < (float)n ? (int)x : -1; }
"""

# e(x) of a column by its encoding (encodings.py), n its size; numbers are copied by c_float.py
ENCODINGS = {
    "piecewise_linear": """\
/* a bin of the edges b[0] < ... < b[n] has 0 below it, 1 above it; the ends continue linearly */
static void NET_piecewise_linear(float x, const NET_FLASH float *b, int n, float *e)
{
    int j, k = 0;

    while (k + 1 < n && b[k + 1] <= x)
        k++;
    for (j = 0; j < n; j++)
        e[j] = j < k ? 1.0f : 0.0f;
    e[k] = (x - b[k]) / (b[k + 1] - b[k]);
}
""",
    "one_hot": """\
static void NET_one_hot(float x, int n, float *e)
{
    int j, k = NET_code(x, n);

    for (j = 0; j < n; j++)
        e[j] = j == k ? 1.0f : 0.0f;
}
""",
    "embedding": """\
/* row k of a table for the code k */
static void NET_embedding(float x, const NET_FLASH float *table, int n, int n_out,
        float *e)
{
    int j, k = NET_code(x, n);

    for (j = 0; j < n_out; j++)
        e[j] = k < 0 ? 0.0f : table[k * n_out + j];
}
""",
    "periodic": """\
/* x, V cos(2 pi w x + b) + c; p has w, b, the rows of V, and c */
static void NET_periodic(float x, const NET_FLASH float *p, int n, int n_out, float *e)
{
    const NET_FLASH float *b = p + n, *v = b + n, *c = v + n_out * n;
    int j, k;

    *e++ = x;
    for (j = 0; j < n_out; j++)
        e[j] = c[j];
    for (k = 0; k < n; k++) {
        float turns = p[k] * x + b[k] * 0.15915494309189535f, wave;
        turns -= floorf(turns + 0.5f);
        wave = cosf(6.283185307179586f * turns);
        for (j = 0; j < n_out; j++)
            e[j] += v[j * n + k] * wave;
    }
}
""",
}

# The 8-bit form, with the arithmetic of quantization.py: ByteRounding, IntegerLayer
BYTE = """\
/* table[k], or k, with k = round(p) - low, p clipped to low ... high */
static uint8_t NET_byte(float p, int low, int high, const NET_FLASH uint8_t *table)
{
    int k = 0; /* also where p is NaN */

    if (p >= (float)high)
        k = high - low;
    else if (p > (float)low)
        k = (int)lrintf(p) - low;
    return table ? table[k] : (uint8_t)k;
}
"""

SUM = """\
static float NET_sum(const uint8_t *a, int n_in, const NET_FLASH int8_t *w, int32_t sum)
{
    int i;

    for (i = 0; i < n_in; i++)
        sum += (int32_t)w[i] * a[i];
    return (float)sum;
}
"""

BYTE_LAYER = """\
/* a hidden layer, from bytes to bytes */
static void NET_layer(const uint8_t *a, int n_in, const NET_FLASH int8_t *w,
        const NET_FLASH int32_t *b, const NET_FLASH float *m, int n_out, int low, int high,
        const NET_FLASH uint8_t *table, uint8_t *h)
{
    int j;

    for (j = 0; j < n_out; j++, w += n_in)
        h[j] = NET_byte(NET_sum(a, n_in, w, b[j]) * m[j], low, high, table);
}
"""

OUTPUT_LAYER = """\
/* z of the output layer */
static void NET_output(const uint8_t *a, int n_in, const NET_FLASH int8_t *w,
        const NET_FLASH int32_t *b, const NET_FLASH float *m, int n_out, float *z)
{
    int j;

    for (j = 0; j < n_out; j++, w += n_in)
        z[j] = NET_sum(a, n_in, w, b[j]) * m[j];
}
"""

SOFTMAX_IN_DOUBLE = """\
/* in double, so that every C library gives the same float */
static void NET_softmax(float *h, int n)
{
    double largest = (double)h[0], total = 0.0;
    int j;

    for (j = 1; j < n; j++)
        if ((double)h[j] > largest)
            largest = (double)h[j];
    for (j = 0; j < n; j++)
        total += exp((double)h[j] - largest);
    for (j = 0; j < n; j++)
        h[j] = (float)(exp((double)h[j] - largest) / total);
}
"""

# NET_predict by what it returns: a class, of all outputs or of each group, and a label 0 or 1, of
# one output or of each, all by comparing z; a value or values; quantiles
PREDICT = {
    "class": """\
int NET_predict(const float x[N_IN])
{
    float z[N_OUT];
    int j, best = 0;

    NET_logits(x, z);
    for (j = 1; j < N_OUT; j++)
        if (z[j] > z[best])
            best = j;
    return best;
}
""",
    "group_classes": """\
void NET_predict(const float x[N_IN], int y[N_GROUPS])
{
    static const int ends[N_GROUPS] = {ENDS};
    float z[N_OUT];
    int i, j, best, first = 0;

    NET_logits(x, z);
    for (i = 0; i < N_GROUPS; i++) {
        best = first;
        for (j = first + 1; j < ends[i]; j++)
            if (z[j] > z[best])
                best = j;
        y[i] = best - first;
        first = ends[i];
    }
}
""",
    "label": """\
int NET_predict(const float x[N_IN])
{
    float z[1];

    NET_logits(x, z);
    return z[0] > 0.0f;
}
""",
    "labels": """\
void NET_predict(const float x[N_IN], int y[N_OUT])
{
    float z[N_OUT];
    int j;

    NET_logits(x, z);
    for (j = 0; j < N_OUT; j++)
        y[j] = z[j] > 0.0f;
}
""",
    "value": """\
float NET_predict(const float x[N_IN])
{
    float h[1];

    NET_forward(x, h);
    return h[0];
}
""",
    "values": """\
void NET_predict(const float x[N_IN], float y[N_OUT])
{
    NET_forward(x, y);
}
""",
    "quantiles": """\
void NET_predict(const float x[N_IN], float y[N_OUT])
{
    int i, j, k;

    NET_forward(x, y);
    for (k = 0; k < N_OUT; k += N_QUANTILES)
        for (i = k + 1; i < k + N_QUANTILES; i++) {
            float value = y[i];
            for (j = i; j > k && y[j - 1] > value; j--)
                y[j] = y[j - 1];
            y[j] = value;
        }
}
""",
}


def predict(net: Any, kind: str) -> str:
    """Return the function NET_predict of a network, whose prediction is of this kind."""
    text = PREDICT[kind]
    if isinstance(net.loss, Quantile):
        text = text.replace("N_QUANTILES", str(len(net.loss.quantiles)))
    if isinstance(net.output_activation, Softmax):
        spans = net.output_activation.spans
        text = text.replace("N_GROUPS", str(len(spans)))
        text = text.replace("ENDS", ", ".join(str(end) for _, end in spans))
    return text


def activation(name: str, f: Activation) -> str:
    """Return a function NET_<name> of one z."""
    formula = re.sub(r"\bP\b", f"{f.parameter!r}f", FORMULAS[f.name])
    return f"static float NET_{name}(float z) {{ return {formula}; }}\n"


def in_double(text: str) -> str:
    """Return the same code in double precision."""
    text = re.sub(r"\bfloat\b", "double", text)
    text = re.sub(r"\b(exp|expm1|log1p|tanh|erfc|fabs|floor|cos)f\b", r"\1", text)
    return re.sub(r"(?<=\d)f\b", "", text)


def with_names(text: str, name: str, n_in: int, n_out: int) -> str:
    """Return the code with the network's name and sizes."""
    text = text.replace("N_IN", str(n_in)).replace("N_OUT", str(n_out))
    return re.sub(r"\bNET_", f"{name}_", text)
