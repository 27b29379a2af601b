"""Each kernel alone, on plain arrays: what steps.py calls, and the tests.

The same inline kernels as the engine's, on one thread and one layer, in memory made for the
call.  Arrays are C-contiguous of this build's type; results are fresh.  Callers have checked
the shapes.  `skip_zeros` takes the lists of non-zeros in place of the dense tile.
"""
from libc.stdint cimport int32_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import numpy as np

from .activations cimport activate as activate_block
from .activations cimport activation_kind
from .batch_norm cimport norm, normalize, normalize_delta
from .dense cimport forward as forward_part
from .dense cimport gradient_target
from .dense cimport hidden_delta as hidden_delta_part
from .dense cimport weight_gradient as weight_gradient_part
from .dropout cimport add_noise, draws, draws_of, drop_dense
from .losses cimport loss_kind, objective, output_delta
from .math cimport exp, expm1_negative, log1p_unit, normal_cdf, sigmoid, softplus, tanh
from .matrices cimport copy_row, matrix, plain, row_stride
from .panels cimport layer, pack, padded, unpack
from .random cimport mixed_key
from .sparse_rows cimport columns_from_rows, compress_row_of
from .updates cimport n_slots, optimizer, optimizer_of, prepare_update, update, update_step
from .vector cimport REAL_IS_DOUBLE, WIDTH, load, real, store, vec
from .workspace cimport lay_out, level, scratch, skipping, workspace

DTYPE = np.dtype(np.float64 if REAL_IS_DOUBLE else np.float32)


cdef class OneLayer:
    """A layer n_in → n_out for m examples: parameters, a(l), a(l+1), δ(l), δ(l+1)."""
    cdef layer L
    cdef workspace w
    cdef level levels[2]
    cdef scratch own
    cdef skipping zeros[1]      # of a(l)
    cdef skipping delta_zeros[1]
    cdef real* parameters       # weight panels, then biases
    cdef real* sums             # of the gradient
    cdef void* allocated
    cdef Py_ssize_t m, n_numbers

    def __cinit__(self, Py_ssize_t m, Py_ssize_t n_in, Py_ssize_t n_out):
        cdef Py_ssize_t size, wide, line = 64 // <Py_ssize_t>sizeof(real)
        cdef char* base
        self.m = m
        self.L.n_in = n_in
        self.L.n_out = n_out
        self.L.bias = (n_in * padded(n_out) + line - 1) // line * line
        self.n_numbers = self.L.bias + (padded(n_out) + line - 1) // line * line
        self.w.levels = self.levels
        self.w.threads = &self.own
        self.w.n_rows = m
        self.w.n_layers = self.w.n_threads = 1
        self.w.input_delta = True
        self.own.zeros = self.zeros
        self.own.delta_zeros = self.delta_zeros
        # room for the lists of δ(l+1) too, which the engine keeps with the layer above
        wide = max(padded(n_in), padded(n_out))
        self.zeros[0].possible = self.delta_zeros[0].possible = True
        size = lay_out(&self.w, &self.L, wide, True, NULL)
        self.allocated = calloc(size + 64 + 2 * self.n_numbers * sizeof(real), 1)
        if self.allocated == NULL:
            raise MemoryError("no room for a layer")
        base = <char*>((<uintptr_t>self.allocated + 63) & ~<uintptr_t>63)
        lay_out(&self.w, &self.L, wide, True, base)
        self.parameters = <real*>(base + size)
        self.sums = self.parameters + self.n_numbers

    def __dealloc__(self):
        free(self.allocated)

    cdef int put(self, matrix* target, const real[:, ::1] values) except -1:
        """A plain array into a batch matrix."""
        cdef Py_ssize_t r
        for r in range(values.shape[0]):
            memcpy(target.values + r * target.stride, &values[r, 0],
                   values.shape[1] * sizeof(real))
        return 0

    cdef object get(self, matrix* source, Py_ssize_t n):
        """A batch matrix as a plain array."""
        cdef Py_ssize_t r
        cdef real[:, ::1] into
        result = np.empty((self.m, n), DTYPE)
        into = result
        for r in range(self.m):
            copy_row(source, r, n, &into[r, 0])
        return result

    cdef void find_zeros(self, matrix* a, Py_ssize_t n, bint by_column):
        """The lists of a(l) or of δ(l+1)."""
        cdef Py_ssize_t r, n_nonzeros = 0
        cdef skipping* s = &self.zeros[0]
        s.used = True
        for r in range(self.m):
            n_nonzeros += compress_row_of(a, r, n, s.rows.entries + r * s.rows.capacity)
        s.rows.density = s.columns.density = <double>n_nonzeros / (self.m * n)
        if by_column:
            columns_from_rows(&s.rows, self.m, 0, n, self.own.fill, &s.columns)


def forward(const real[:, ::1] a, const real[:, ::1] W, const real[::1] b, bint skip_zeros=False,
            int part=0, int n_parts=1):
    """z = a Wᵀ + b, (m, n_out).  With n_parts only that part of z; the rest is zero."""
    cdef OneLayer one = OneLayer(a.shape[0], W.shape[1], W.shape[0])
    if a.shape[0]:
        pack(&W[0, 0], one.L.n_out, one.L.n_in, one.parameters)
        memcpy(one.parameters + one.L.bias, &b[0], one.L.n_out * sizeof(real))
        one.put(&one.own.input.a, a)
        if skip_zeros:
            one.find_zeros(&one.own.input.a, one.L.n_in, False)
        forward_part(&one.L, one.parameters, &one.own.input, &one.levels[1], one.zeros,
                     &one.own, one.w.zeros, NULL, one.m, False, part, n_parts)
    return one.get(&one.levels[1].a, one.L.n_out)


def hidden_delta(const real[:, ::1] delta, const real[:, ::1] W, bint skip_zeros=False):
    """Wᵀ δ of every example, (m, n_in): the hidden delta before ∘ f'(z)."""
    cdef OneLayer one = OneLayer(delta.shape[0], W.shape[1], W.shape[0])
    cdef Py_ssize_t i
    if delta.shape[0]:
        pack(&W[0, 0], one.L.n_out, one.L.n_in, one.parameters)
        one.put(&one.levels[1].delta, delta)
        for i in range(one.m * one.levels[0].delta.stride):
            one.levels[0].delta.values[i] = 1
        if skip_zeros:
            one.find_zeros(&one.levels[1].delta, one.L.n_out, False)
        hidden_delta_part(&one.L, one.parameters, &one.own.input, &one.levels[1], one.zeros,
                          &one.own, one.w.zeros, one.m, 0, 1)
    return one.get(&one.levels[0].delta, one.L.n_in)


cdef OneLayer summed_gradient(const real[:, ::1] a, const real[:, ::1] delta, bint skip_zeros):
    cdef OneLayer one = OneLayer(a.shape[0], a.shape[1], delta.shape[1])
    cdef gradient_target g
    memset(&g, 0, sizeof(g))
    g.parameters = one.parameters
    g.sums = one.sums
    g.first = g.last = True
    if a.shape[0]:
        one.put(&one.own.input.a, a)
        one.put(&one.levels[1].delta, delta)
        if skip_zeros:
            one.find_zeros(&one.own.input.a, one.L.n_in, True)
        weight_gradient_part(&one.L, &one.own.input, &one.levels[1], one.zeros, &one.own,
                             one.w.zeros, one.m, &g, 0, 1)
    return one


def weight_gradient(const real[:, ::1] a, const real[:, ::1] delta, bint skip_zeros=False):
    """Σ over the examples of δ aᵀ, (n_out, n_in)."""
    cdef OneLayer one = summed_gradient(a, delta, skip_zeros)
    cdef real[:, ::1] into
    result = np.empty((one.L.n_out, one.L.n_in), DTYPE)
    into = result
    unpack(one.sums, one.L.n_out, one.L.n_in, &into[0, 0])
    return result


def bias_gradient(const real[:, ::1] delta):
    """Σ over the examples of δ, (n_out,)."""
    cdef OneLayer one = summed_gradient(np.zeros((delta.shape[0], 1), DTYPE), delta, False)
    cdef real[::1] into
    result = np.empty(one.L.n_out, DTYPE)
    into = result
    memcpy(&into[0], one.sums + one.L.bias, one.L.n_out * sizeof(real))
    return result


cdef object vectors(const real[::1] x):
    """A copy with room behind it for whole vectors."""
    padded_copy = np.zeros(padded(x.shape[0]) + WIDTH, DTYPE)
    padded_copy[:x.shape[0]] = x
    return padded_copy


def activate(z, name, double parameter=0.0):
    """f(z) and f'(z), each shaped like z."""
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
    """Output activation, output delta (both like z) and cost (m,) of every example.

    `y` is int32 labels (m,), but not for groups, or real rows, like z but for the quantile loss.
    """
    cdef Py_ssize_t r, m = z.shape[0], n = z.shape[1]
    cdef int f = activation_kind(activation)
    cdef real[::1] of_loss = np.array(tuple(constants) or (0,), DTYPE)
    cdef objective kind
    cdef const int32_t[::1] labels
    cdef const real[:, ::1] values
    cdef bint labelled = y.dtype == np.int32
    cdef const real* target = NULL
    cdef Py_ssize_t label = 0
    cdef real[:, ::1] a, delta
    cdef double[::1] cost
    kind.kind = loss_kind(name)
    kind.constants = &of_loss[0]
    kind.n_constants = of_loss.shape[0]
    outputs = np.zeros((m, row_stride(n)), DTYPE)
    outputs[:, :n] = z
    deltas = np.zeros_like(outputs)
    costs = np.zeros(m)
    a = outputs
    delta = deltas
    cost = costs
    if labelled:
        labels = y
    else:
        values = y
    for r in range(m):
        if labelled:
            label = labels[r]
        else:
            target = &values[r, 0]
        cost[r] = output_delta(&kind, f, <real>parameter, &a[r, 0], &delta[r, 0], target, label,
                               <real>smoothing, n)
    return outputs[:, :n].copy(), deltas[:, :n].copy(), costs


cdef object padded_rows(const real[:, ::1] x):
    """A copy whose rows are a batch matrix's."""
    rows = np.zeros((x.shape[0], row_stride(x.shape[1])), DTYPE)
    rows[:, :x.shape[1]] = x
    return rows


cdef class OneNorm:
    """A normalized level of n units for m examples."""
    cdef layer L
    cdef level v
    cdef norm shared
    cdef object arrays
    cdef real[::1] parameters, columns

    def __cinit__(self, Py_ssize_t n, double epsilon):
        cdef Py_ssize_t wide = padded(n)
        self.L.n_out = n
        self.L.scale = wide
        self.parameters = np.zeros(2 * wide, DTYPE)     # shift, scale
        self.columns = np.zeros(5 * wide, DTYPE)        # statistics, then what the level keeps
        self.shared.statistics = &self.columns[0]
        self.shared.epsilon = <real>epsilon
        self.v.inverse = &self.columns[2 * wide]
        self.v.shift = &self.columns[3 * wide]
        self.v.scale = &self.columns[4 * wide]

    cdef matrix rows(self, real[:, ::1] values):
        return plain(&values[0, 0], values.shape[1])


def batch_norm(const real[:, ::1] u, const real[::1] scale, const real[::1] shift,
               double epsilon, const real[::1] shares):
    """z = γ ∘ û + β, û = (u − μ)/√(σ² + ε), both like u, and 1/√(σ² + ε), (n,)."""
    cdef Py_ssize_t m = u.shape[0], n = u.shape[1], wide = padded(n)
    cdef OneNorm one = OneNorm(n, epsilon)
    z = padded_rows(u)
    hat = np.zeros_like(z)
    one.v.a = one.rows(z)
    one.v.normalized = one.rows(hat)
    one.parameters[:n] = shift
    one.parameters[wide:wide + n] = scale
    normalize(&one.shared, &one.L, &one.parameters[0], &one.v, m, &shares[0], 0, 0, 1)
    return (z[:, :n].copy(), hat[:, :n].copy(),
            np.asarray(one.columns)[2 * wide:2 * wide + n].copy())


def batch_norm_delta(const real[:, ::1] delta, const real[:, ::1] normalized,
                     const real[::1] scale, const real[::1] inverse, const real[::1] shares):
    """∂J/∂u of every example, Σ δ ∘ û and Σ δ, from δ = ∂J/∂z."""
    cdef Py_ssize_t m = delta.shape[0], n = delta.shape[1], wide = padded(n)
    cdef OneNorm one = OneNorm(n, 1)
    below = padded_rows(delta)
    hat = padded_rows(normalized)
    one.v.delta = one.rows(below)
    one.v.normalized = one.rows(hat)
    one.parameters[wide:wide + n] = scale
    one.columns[2 * wide:2 * wide + n] = inverse
    normalize_delta(&one.L, &one.parameters[0], &one.v, m, &shares[0], 0, 1)
    columns = np.asarray(one.columns)
    return (below[:, :n].copy(), columns[4 * wide:4 * wide + n].copy(),
            columns[3 * wide:3 * wide + n].copy())


def dropout_factors(Py_ssize_t m, Py_ssize_t n, double p, uint64_t seed, uint64_t epoch,
                    uint64_t batch, int level):
    """r/(1 − p) of every example of a batch and unit of a level (0: the input), (m, n)."""
    cdef draws d = draws_of(mixed_key(mixed_key(seed, epoch), batch), level, 0, NULL)
    cdef Py_ssize_t r
    cdef real[:, ::1] rows
    factors = np.ones((m, row_stride(n)), DTYPE)
    rows = factors
    for r in range(m):
        drop_dense(<uint32_t>(p * 4294967296.0), <real>(1 / (1 - p)), &d, r, &rows[r, 0], n)
    return factors[:, :n].copy()


def noise(Py_ssize_t m, Py_ssize_t n, double sigma, uint64_t seed, uint64_t epoch,
          uint64_t batch, int level):
    """σ·N(0, 1) of every example of a batch and unit of a level, (m, n)."""
    cdef draws d = draws_of(mixed_key(mixed_key(seed, epoch), batch), level, 0, NULL)
    cdef layer L
    cdef real[:, ::1] rows
    values = np.zeros((m, row_stride(n)), DTYPE)
    rows = values
    L.noise = <real>sigma
    add_noise(&L, &d, 0, 0, &rows[0, 0], rows.shape[1], m, <int>(padded(n) // WIDTH))
    return values[:, :n].copy()


def update_step_on(W, gradient, slots, name, constants, double rate, double l2=0.0,
                   double mean=1.0, long long step=1, bint is_weight=True):
    """Step 6 on one array: the new W and state slots, given the summed gradient."""
    cdef optimizer rule = optimizer_of(name, constants)
    cdef update_step u = prepare_update(&rule, rate, l2, mean, step)
    cdef Py_ssize_t n = W.size
    cdef real[::1] w = vectors(W.reshape(-1)), g = vectors(gradient.reshape(-1))
    cdef real[:, ::1] s = np.zeros((2, w.shape[0]), DTYPE)
    for i, slot in enumerate(slots):
        np.asarray(s)[i, :n] = slot.reshape(-1)
    update(&u, is_weight, &w[0], &g[0], &s[0, 0], &s[1, 0], padded(n) // WIDTH)
    return (np.asarray(w)[:n].reshape(W.shape),
            [np.asarray(s)[i, :n].reshape(W.shape) for i in range(n_slots(&rule))])


ctypedef vec (*function_t)(vec x) noexcept nogil


def evaluate(name, x):
    """One of math.pxd's functions over an array."""
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
