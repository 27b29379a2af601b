"""Each kernel alone, on arrays: for steps.py and the tests.

These functions call the same inline kernels as the engine, on one thread and one layer, in memory
that is allocated for the call.  Arguments are C-contiguous arrays of this build's type, results are
new arrays.  Callers have checked the shapes; a size may be 0.  The three products take a `way`, with
the same bits: "dense" (tile.pxd), "skipping" (skipping.pxd) or "sparse" (sparse_rows.pxd).
"""
from libc.stdint cimport int32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import numpy as np

from .activations cimport activate as activate_block, activation_kind
from .batch_norm cimport batch_norm_values, normalization, normalize, normalize_delta
from .choice cimport allow, choice, choose
from .compression cimport columns_from_rows, compress_row
from .dense cimport forward as forward_part, gradient_target, hidden_delta as hidden_delta_part
from .dense cimport weight_gradient as weight_gradient_part
from .dropout cimport add_noise, drop_dense, random_stream, random_stream_of
from .few_rows cimport record_call, team_choice
from .losses cimport loss_function, loss_of, output_delta
from .math cimport exp, expm1_negative, log1p_unit, normal_cdf, sigmoid, softplus, tanh
from .matrices cimport at, byte_stride, copy_row, matrix, row_stride, ungrouped
from .panels cimport layer, pack, padded, unpack
from .partition cimport part_of, thread_part
from .random cimport mixed_key
from .sparse_rows cimport sparse_rows
from .updates cimport (BIASES, WEIGHTS, n_slots, optimizer, optimizer_of, prepare_update, update,
                       update_step)
from .vector cimport REAL_IS_DOUBLE, WIDTH, halves_fast, load, real, store, vec
from .workspace cimport activation_layer, lay_out, layer_choices, scratch, workspace

DTYPE = np.dtype(np.float64 if REAL_IS_DOUBLE else np.float32)

include "products.pxi"
include "choices.pxi"


def set_halves_fast(bint fast):
    """Compute one and a half vectors as three halves, or else as two whole ones.

    Returns which of both it was before.
    """
    global halves_fast
    before = halves_fast
    halves_fast = fast
    return bool(before)


cdef object vectors(const real[::1] x):
    """Return a copy with room after it for whole vectors."""
    padded_copy = np.zeros(padded(x.shape[0]) + WIDTH, DTYPE)
    padded_copy[:x.shape[0]] = x
    return padded_copy


def activate(z, name, double parameter=0.0):
    """Return f(z) and f'(z), both with the shape of z."""
    cdef Py_ssize_t n = z.size
    cdef real[::1] a, slope
    if name == "softmax":
        raise ValueError("softmax is not a function of one number: see `loss`")
    values = vectors(z.reshape(-1))
    slopes = np.zeros_like(values)
    a = values
    slope = slopes
    activate_block(activation_kind(name), <real>parameter, &a[0], 0, &slope[0], 0, 1,
                   <int>(padded(n) // WIDTH))
    return values[:n].reshape(z.shape), slopes[:n].reshape(z.shape)


def loss(const real[:, ::1] z, y, name, activation="identity", double parameter=0.0,
         double smoothing=0.0, constants=()):
    """Return a(nl) and δ(nl), both (m, n_out), and the cost of every example, (m,).

    `y` is int32 labels (m,), which groups do not have, or real (m, n_out); the quantile loss has
    one column for each target.  `constants` are those of the loss: δ, quantiles or group sizes.
    """
    cdef Py_ssize_t r, m = z.shape[0], n = z.shape[1]
    cdef int f = activation_kind(activation)
    cdef real[::1] numbers = np.array((*constants, 0), DTYPE)   # one more, for there may be none
    cdef loss_function kernel = loss_of(name, &numbers[0], len(constants))
    cdef const int32_t[::1] labels
    cdef const real[:, ::1] values
    cdef bint has_labels = y.dtype == np.int32
    cdef const real* target = NULL
    cdef Py_ssize_t label = 0
    cdef real[:, ::1] a, delta
    cdef double[::1] cost
    outputs = np.zeros((m, row_stride(n)), DTYPE)
    outputs[:, :n] = z
    deltas = np.zeros_like(outputs)
    costs = np.zeros(m)
    a = outputs
    delta = deltas
    cost = costs
    if has_labels:
        labels = y
    else:
        values = y
    for r in range(m if n else 0):
        if has_labels:
            label = labels[r]
        else:
            target = &values[r, 0]
        cost[r] = output_delta(&kernel, f, <real>parameter, &a[r, 0], &delta[r, 0], target, label,
                               <real>smoothing, n)
    return outputs[:, :n].copy(), deltas[:, :n].copy(), costs


cdef object padded_rows(const real[:, ::1] x):
    """Return a copy with the row stride of a batch matrix."""
    rows = np.zeros((x.shape[0], row_stride(x.shape[1])), DTYPE)
    rows[:, :x.shape[1]] = x
    return rows


cdef class NormalizedLayer:
    """A normalized layer of n units: see batch_norm.pxd."""
    cdef layer L
    cdef batch_norm_values values
    cdef normalization shared
    cdef real[::1] parameters, statistics, inverse, sum_delta, sum_delta_u_hat

    def __cinit__(self, Py_ssize_t n, double epsilon):
        cdef Py_ssize_t wide = padded(n)
        self.L.n_out = n
        self.L.scale = wide
        self.parameters = np.zeros(2 * wide, DTYPE)     # b, γ
        self.statistics = np.zeros(2 * wide, DTYPE)     # running mean and variance
        self.inverse = np.zeros(wide, DTYPE)
        self.sum_delta = np.zeros(wide, DTYPE)
        self.sum_delta_u_hat = np.zeros(wide, DTYPE)
        self.shared.statistics = &self.statistics[0]
        self.shared.epsilon = <real>epsilon
        self.values.inverse = &self.inverse[0]
        self.values.sum_delta = &self.sum_delta[0]
        self.values.sum_delta_u_hat = &self.sum_delta_u_hat[0]

    cdef matrix rows(self, real[:, ::1] values):
        """The rows of `padded_rows` as a batch matrix."""
        return ungrouped(&values[0, 0], values.shape[1])


def batch_norm(const real[:, ::1] u, const real[::1] scale, const real[::1] shift,
               double epsilon, const real[::1] weights):
    """Return z = γ ∘ û + b and û = (u − μ)/√(σ² + ε), both (m, n), and 1/√(σ² + ε), (n,).

    `weights` are the examples' relative weights w, whose mean is 1.
    """
    cdef Py_ssize_t m = u.shape[0], n = u.shape[1], wide = padded(n)
    cdef NormalizedLayer one
    cdef matrix a
    z = padded_rows(u)
    u_hat = np.zeros_like(z)
    if not u.size:      # without examples the mean and the variance are 0
        return z[:, :n], u_hat[:, :n], np.full(n, epsilon ** -0.5, DTYPE)
    one = NormalizedLayer(n, epsilon)
    a = one.rows(z)
    one.values.u_hat = one.rows(u_hat)
    one.parameters[:n] = shift
    one.parameters[wide:wide + n] = scale
    normalize(&one.shared, &one.L, &one.parameters[0], &a, &one.values, m, m, &weights[0], NULL, 0,
              0, 1)
    return z[:, :n].copy(), u_hat[:, :n].copy(), np.array(one.inverse[:n])


def batch_norm_delta(const real[:, ::1] delta, const real[:, ::1] normalized,
                     const real[::1] scale, const real[::1] inverse, const real[::1] weights):
    """Return ∂J/∂u, (m, n), Σ δ ∘ û and Σ δ, both (n,), from δ = ∂J/∂z and û."""
    cdef Py_ssize_t m = delta.shape[0], n = delta.shape[1], wide = padded(n)
    cdef NormalizedLayer one
    cdef matrix d
    if not delta.size:
        return np.zeros((m, n), DTYPE), np.zeros(n, DTYPE), np.zeros(n, DTYPE)
    one = NormalizedLayer(n, 1)
    result = padded_rows(delta)
    u_hat = padded_rows(normalized)
    d = one.rows(result)
    one.values.u_hat = one.rows(u_hat)
    one.parameters[wide:wide + n] = scale
    one.inverse[:n] = inverse
    normalize_delta(&one.L, &one.parameters[0], &d, &one.values, m, m, &weights[0], NULL, 0, 1)
    return (result[:, :n].copy(), np.array(one.sum_delta_u_hat[:n]), np.array(one.sum_delta[:n]))


def dropout_factors(Py_ssize_t m, Py_ssize_t n, double p, uint64_t seed, uint64_t epoch,
                    uint64_t batch, int layer_number):
    """Return r/(1 − p) of every example of a batch and unit of a layer (0: the input), (m, n)."""
    cdef random_stream stream = random_stream_of(mixed_key(mixed_key(seed, epoch), batch),
                                                 layer_number, p, 0, NULL)
    cdef Py_ssize_t r
    cdef real[:, ::1] rows
    factors = np.ones((m, row_stride(n)), DTYPE)
    rows = factors
    for r in range(m):
        drop_dense(&stream, r, &rows[r, 0], n)
    return factors[:, :n].copy()


def noise(Py_ssize_t m, Py_ssize_t n, double sigma, uint64_t seed, uint64_t epoch,
          uint64_t batch, int layer_number):
    """Return σ·N(0, 1) of every example of a batch and unit of a layer, (m, n)."""
    cdef random_stream stream = random_stream_of(mixed_key(mixed_key(seed, epoch), batch),
                                                 layer_number, 0, 0, NULL)
    cdef layer L
    cdef real[:, ::1] rows
    values = np.zeros((m, row_stride(n)), DTYPE)
    rows = values
    L.noise = <real>sigma
    if m:
        add_noise(&L, &stream, 0, 0, &rows[0, 0], rows.shape[1], m, <int>(padded(n) // WIDTH))
    return values[:, :n].copy()


def update_step_on(W, gradient, slots, name, constants, double rate, double l2=0.0,
                   double mean=1.0, long long step=1, bint is_weight=True):
    """Return the new W and optimizer state after step 6 on one array.

    `gradient` is summed over the examples and is multiplied by `mean`.
    """
    cdef optimizer rule = optimizer_of(name, constants)
    cdef update_step u = prepare_update(&rule, rate, l2, mean, step)
    cdef Py_ssize_t n = W.size
    cdef real[::1] w = vectors(W.reshape(-1)), g = vectors(gradient.reshape(-1))
    cdef real[:, ::1] s = np.zeros((2, w.shape[0]), DTYPE)
    for i, slot in enumerate(slots):
        np.asarray(s)[i, :n] = slot.reshape(-1)
    update(&u, WEIGHTS if is_weight else BIASES, &w[0], &g[0], &s[0, 0], &s[1, 0],
           padded(n) // WIDTH)
    return (np.asarray(w)[:n].reshape(W.shape),
            [np.asarray(s)[i, :n].reshape(W.shape) for i in range(n_slots(&rule))])


ctypedef vec (*function_t)(vec x) noexcept nogil


def evaluate(name, x):
    """Return a function of math.pxd over an array, by the function's name."""
    cdef Py_ssize_t i, n = x.size
    cdef real[::1] values
    cdef function_t f
    if name == "exp":
        f = exp
    elif name == "expm1_negative":
        f = expm1_negative
    elif name == "log1p_unit":
        f = log1p_unit
    elif name == "sigmoid":
        f = sigmoid
    elif name == "tanh":
        f = tanh
    elif name == "softplus":
        f = softplus
    else:
        f = normal_cdf
    result = vectors(x.reshape(-1))
    values = result
    i = 0
    while i < n:
        store(&values[i], f(load(&values[i])))
        i += WIDTH
    return result[:n].reshape(x.shape)
