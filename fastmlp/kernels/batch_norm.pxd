"""Batch normalization of a hidden layer, before its activation (Ioffe and Szegedy 2015).

    u = W(l) a(l)                    for every example of the batch, without bias
    μ = 1/m Σ w u,  σ² = 1/m Σ w (u − μ)²,  û = (u − μ)/√(σ² + ε)
    z(l+1) = γ ∘ û + b(l)            the bias is the shift; γ is the layer's scale

w = m·s/Σ s is the relative weight of an example with sample weight s, and 1 without weights: an
example of weight 2 counts like two examples.  With δ = ∂J/∂z for each example, which contains s;
J is here the sum of the examples' costs, not their mean:

    ∂J/∂γ = Σ δ ∘ û,  ∂J/∂b = Σ δ
    ∂J/∂u = γ/√(σ² + ε) ∘ (δ − w (1/m Σ δ + û ∘ 1/m Σ δ ∘ û))

∂J/∂u takes δ's place for the weight gradient and the hidden delta of the layer below
(docs/derivation.md).  In training the running statistics, which prediction uses, move by

    mean ← mean + ρ(μ − mean),  var ← var + ρ(n/(n−1)·σ² − var),  n = max(Σ s, 2)

A frozen layer normalizes by its running statistics and leaves them as they are.

What lies where, with m examples and n units:

    (m, n)   u, then z in its place: the layer's `a`;  δ, then ∂J/∂u: its `delta`;  û: `u_hat`
    (n,)     γ and b: in the parameters, at L.scale and L.bias
    (n,)     running mean, and after its padding the running variance: `statistics` at L.statistics
    (n,)     1/√(σ² + ε), Σ δ and Σ δ ∘ û of this batch: `batch_norm_values`

step.pxd calls `normalize` and `normalize_delta` in every thread, for the whole batch at once.  A
thread has whole columns; each sum runs over the rows in order, so no bit depends on the threads.

Of a batch that several processes share m is the number of rows of all of them.  Each process sums
over its own rows (`own_sums`, `own_square_sums`, `own_delta_sums`); step.pxd has the sums added up over
the processes, and passes them to `normalize` and `normalize_delta` as `sums`.
"""
from libc.math cimport sqrt
from .matrices cimport at, matrix
from .panels cimport layer, padded, panel_count, panel_start, panel_vectors
from .partition cimport first_vector
from .vector cimport WIDTH, any_nan, fused, load, real, root, splat, store, vec

cdef struct normalization:      # what all normalized layers of a network share
    real* statistics            # the running means and variances of every layer
    real momentum               # ρ
    real epsilon                # ε


cdef struct batch_norm_values:  # of one layer and batch
    matrix u_hat                # (m, n) û, laid out like the layer's `a`
    real* inverse               # (n,) 1/√(σ² + ε)
    real* sum_delta             # (n,) Σ δ = ∂J/∂b
    real* sum_delta_u_hat       # (n,) Σ δ ∘ û = ∂J/∂γ
    real* shared                # (2, n) sums over the processes that share the batch


cdef inline vec weighted_sum(const real* u, Py_ssize_t row, const real* weights,
                             Py_ssize_t m) noexcept nogil:
    """Σ w u of a vector of columns; the rows of u lie `row` numbers apart."""
    cdef Py_ssize_t r
    cdef vec total = splat(0)
    for r in range(m):
        total = fused(splat(weights[r]), load(u + r * row), total)
    return total


cdef inline vec weighted_squares(const real* u, Py_ssize_t row, vec mu, const real* weights,
                                 Py_ssize_t m) noexcept nogil:
    """Σ w (u − μ)² of a vector of columns."""
    cdef Py_ssize_t r
    cdef vec x
    cdef vec square = splat(0)
    for r in range(m):
        x = load(u + r * row) - mu
        square = fused(splat(weights[r]) * x, x, square)
    return square


cdef inline void delta_sums(const matrix* delta, batch_norm_values* v, Py_ssize_t j,
                            Py_ssize_t m) noexcept nogil:
    """Σ δ and Σ δ ∘ û over m rows, of the vector of columns from j on."""
    cdef Py_ssize_t r, row = delta.stride
    cdef const real* d = at(delta, 0, j)
    cdef const real* u_hat = at(&v.u_hat, 0, j)
    cdef vec x
    cdef vec shift = splat(0)
    cdef vec scale = splat(0)
    for r in range(m):
        x = load(d + r * row)
        shift = shift + x
        scale = fused(x, load(u_hat + r * row), scale)
    store(v.sum_delta + j, shift)
    store(v.sum_delta_u_hat + j, scale)


cdef inline void own_sums(const layer* L, const matrix* a, batch_norm_values* v, Py_ssize_t m,
                          const real* weights, int part, int n_parts) noexcept nogil:
    """Σ w u of this process's m rows in this thread's columns: the first row of `shared`."""
    cdef Py_ssize_t c
    for c in range(first_vector(L.n_out, L.n_in, part, n_parts),
                   first_vector(L.n_out, L.n_in, part + 1, n_parts)):
        store(v.shared + c * WIDTH, weighted_sum(at(a, 0, c * WIDTH), a.stride, weights, m))


cdef inline void own_square_sums(const layer* L, const matrix* a, batch_norm_values* v,
                                Py_ssize_t m, Py_ssize_t n_rows, const real* weights, int part,
                                int n_parts) noexcept nogil:
    """Σ w (u − μ)² likewise, with μ of the whole batch's n_rows: the second row of `shared`."""
    cdef Py_ssize_t c, wide = padded(L.n_out)
    cdef vec mu
    for c in range(first_vector(L.n_out, L.n_in, part, n_parts),
                   first_vector(L.n_out, L.n_in, part + 1, n_parts)):
        mu = load(v.shared + c * WIDTH) * splat(<real>1 / <real>n_rows)
        store(v.shared + wide + c * WIDTH,
              weighted_squares(at(a, 0, c * WIDTH), a.stride, mu, weights, m))


cdef inline void own_delta_sums(const layer* L, const matrix* delta, batch_norm_values* v,
                                Py_ssize_t m, int part, int n_parts) noexcept nogil:
    """Σ δ and Σ δ ∘ û of this process's m rows in this thread's columns, also into `shared`."""
    cdef Py_ssize_t c, j, wide = padded(L.n_out)
    for c in range(first_vector(L.n_out, L.n_in, part, n_parts),
                   first_vector(L.n_out, L.n_in, part + 1, n_parts)):
        j = c * WIDTH
        delta_sums(delta, v, j, m)
        store(v.shared + j, load(v.sum_delta + j))
        store(v.shared + wide + j, load(v.sum_delta_u_hat + j))


cdef inline bint normalize(const normalization* shared, const layer* L,
                           const real* parameters,      # IN γ, b
                           matrix* a,                   # IN u, OUT z
                           batch_norm_values* v,        # OUT u_hat, inverse
                           Py_ssize_t m,
                           Py_ssize_t n_rows,           # of the whole batch
                           const real* weights,         # IN (m,) w
                           const real* sums,            # IN (2, n) over all processes; or NULL
                           double n_counted,            # Σ s; 0: the running statistics stay
                           int part, int n_parts) noexcept nogil:
    """z = γ ∘ û + b in this thread's columns, and the running statistics' next values.

    Whether these are finite.
    """
    cdef Py_ssize_t c, j, r, row = a.stride, wide = padded(L.n_out)
    cdef real* mean = shared.statistics + L.statistics
    cdef real* variance = mean + wide
    cdef real* u
    cdef real* u_hat
    cdef vec mu, square, inverse, gamma, beta, x
    cdef vec mean_of = splat(<real>1 / <real>n_rows)
    cdef real n = max(<real>n_counted, <real>2)
    cdef vec zero = splat(0)    # 0 × the statistics: NaN once one of them is not finite
    for c in range(first_vector(L.n_out, L.n_in, part, n_parts),
                   first_vector(L.n_out, L.n_in, part + 1, n_parts)):
        j = c * WIDTH
        u = at(a, 0, j)
        u_hat = at(&v.u_hat, 0, j)
        if L.frozen:
            mu = load(mean + j)
            square = load(variance + j)
        elif sums != NULL:
            mu = load(sums + j) * mean_of
            square = load(sums + wide + j) * mean_of
        else:
            mu = weighted_sum(u, row, weights, m) * mean_of
            square = weighted_squares(u, row, mu, weights, m) * mean_of
        if n_counted > 0 and not L.frozen:
            store(mean + j, fused(splat(shared.momentum), mu - load(mean + j), load(mean + j)))
            x = square * splat(n / (n - 1)) - load(variance + j)
            store(variance + j, fused(splat(shared.momentum), x, load(variance + j)))
            zero = zero + splat(0) * load(mean + j) + splat(0) * load(variance + j)
        inverse = splat(1) / root(square + splat(shared.epsilon))
        store(v.inverse + j, inverse)
        gamma = load(parameters + L.scale + j)
        beta = load(parameters + L.bias + j)
        for r in range(m):
            x = (load(u + r * row) - mu) * inverse
            store(u_hat + r * row, x)
            store(u + r * row, fused(gamma, x, beta))
    return not any_nan(zero)


cdef inline void normalize_delta(const layer* L,
                                 const real* parameters,    # IN γ
                                 matrix* delta,             # IN δ = ∂J/∂z, OUT ∂J/∂u
                                 batch_norm_values* v,      # IN u_hat, inverse; OUT both sums
                                 Py_ssize_t m,
                                 Py_ssize_t n_rows,         # of the whole batch
                                 const real* weights,       # IN (m,) w
                                 const real* sums,          # IN (2, n) over all processes; or NULL
                                 int part, int n_parts) noexcept nogil:
    """∂J/∂u, Σ δ and Σ δ ∘ û in this thread's columns.

    With `sums`, those of the processes, the sums of this one have been formed before.
    """
    cdef Py_ssize_t c, j, r, row = delta.stride, wide = padded(L.n_out)
    cdef real* d
    cdef const real* u_hat
    cdef vec shift, scale, factor, x
    cdef vec mean_of = splat(<real>1 / <real>n_rows)
    for c in range(first_vector(L.n_out, L.n_in, part, n_parts),
                   first_vector(L.n_out, L.n_in, part + 1, n_parts)):
        j = c * WIDTH
        d = at(delta, 0, j)
        u_hat = at(&v.u_hat, 0, j)
        if sums == NULL:
            delta_sums(delta, v, j, m)
            shift = load(v.sum_delta + j)
            scale = load(v.sum_delta_u_hat + j)
        else:
            shift = load(sums + j)
            scale = load(sums + wide + j)
        factor = load(parameters + L.scale + j) * load(v.inverse + j)
        if L.frozen:            # μ and σ do not depend on u
            shift = scale = splat(0)
        shift = shift * mean_of
        scale = scale * mean_of
        for r in range(m):
            x = fused(load(u_hat + r * row), scale, shift)
            x = load(d + r * row) - splat(weights[r]) * x
            store(d + r * row, factor * x)


cdef inline void fold(const normalization* shared, const layer* L, const real* parameters,
                      real* folded) noexcept nogil:
    """Fold the running statistics into W and b, so that z = W a + b in prediction.

        z = γ/√(var + ε) ∘ (W a − mean) + b

    `folded` is laid out like the parameters; the scale's place gets the factor of each row of W.
    """
    cdef Py_ssize_t j, k, first, columns, wide = padded(L.n_out)
    cdef int p
    cdef const real* mean = shared.statistics + L.statistics
    cdef const real* source
    cdef real* target
    cdef real factor
    for j in range(wide):
        factor = parameters[L.scale + j] / <real>sqrt(<double>(mean[wide + j] + shared.epsilon))
        folded[L.scale + j] = factor
        folded[L.bias + j] = parameters[L.bias + j] - mean[j] * factor
    for p in range(panel_count(L.n_out)):
        first = panel_start(L.n_out, p)
        columns = panel_vectors(L.n_out, p) * WIDTH
        source = parameters + L.weight + first * L.n_in
        target = folded + L.weight + first * L.n_in
        for k in range(L.n_in):
            for j in range(columns):
                target[k * columns + j] = source[k * columns + j] * folded[L.scale + first + j]
