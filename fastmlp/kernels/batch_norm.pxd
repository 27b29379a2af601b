"""Batch normalization of a hidden level, before its activation (Ioffe and Szegedy 2015).

    u = W(l) a(l)                    of every example of the batch, without bias
    μ = 1/m Σ w u,  σ² = 1/m Σ w (u − μ)²,  û = (u − μ)/√(σ² + ε)
    z(l+1) = γ ∘ û + b(l)            the bias is what shifts; γ is the layer's scale

w = m·s/Σ s is the example's share of the batch by its sample weight s, 1 without weights: an
example of weight 2 counts as two of them.  With δ = ∂J/∂z of each example, s in it, as the layer
above gives it:

    ∂J/∂γ = Σ δ ∘ û,  ∂J/∂b = Σ δ
    ∂J/∂u = γ/√(σ² + ε) ∘ (δ − w (1/m Σ δ + û ∘ 1/m Σ δ ∘ û))

which takes δ's place for the weight gradient and the level below (docs/derivation.md).  Beside
it run the statistics for prediction: mean ← mean + ρ(μ − mean), var ← var + ρ(n/(n−1)·σ² − var)
with n = Σ s, or 2 if that is less.  A frozen layer normalizes by those and leaves them.

A thread has whole columns.  Each sum runs over the rows in order, so no bit depends on threads
or vectors.
"""
from libc.math cimport sqrt
from .matrices cimport at
from .panels cimport layer, padded, panel_count, panel_start, panel_vectors
from .partition cimport first_vector
from .vector cimport WIDTH, fused, load, real, root, splat, store, vec
from .workspace cimport level

cdef struct norm:               # what all normalized layers share
    real* statistics            # each layer's running means, then its variances
    real momentum               # ρ
    real epsilon                # ε


cdef inline void normalize(const norm* shared, const layer* L, const real* parameters,
                           level* v, Py_ssize_t m, const real* shares,
                           double n_counted,       # n; 0: the running statistics stay
                           int part, int n_parts) noexcept nogil:
    """z = γ ∘ û + b in u's place, û beside it; the running statistics move."""
    cdef Py_ssize_t c, j, r, row = v.a.stride, wide = padded(L.n_out)
    cdef real* mean = shared.statistics + L.statistics
    cdef real* variance = mean + wide
    cdef real* u
    cdef real* hat
    cdef vec total, mu, square, inverse, gamma, beta, x
    cdef vec mean_of = splat(<real>1 / <real>m)
    cdef real n = max(<real>n_counted, <real>2)
    for c in range(first_vector(L.n_out, L.n_in, part, n_parts),
                   first_vector(L.n_out, L.n_in, part + 1, n_parts)):
        j = c * WIDTH
        u = at(&v.a, 0, j)
        hat = at(&v.normalized, 0, j)
        if L.frozen:
            mu = load(mean + j)
            square = load(variance + j)
        else:
            total = splat(0)
            for r in range(m):
                total = fused(splat(shares[r]), load(u + r * row), total)
            mu = total * mean_of
            square = splat(0)
            for r in range(m):
                x = load(u + r * row) - mu
                square = fused(splat(shares[r]) * x, x, square)
            square = square * mean_of
        if n_counted > 0 and not L.frozen:
            store(mean + j, fused(splat(shared.momentum), mu - load(mean + j), load(mean + j)))
            x = square * splat(n / (n - 1)) - load(variance + j)
            store(variance + j, fused(splat(shared.momentum), x, load(variance + j)))
        inverse = splat(1) / root(square + splat(shared.epsilon))
        store(v.inverse + j, inverse)
        gamma = load(parameters + L.scale + j)
        beta = load(parameters + L.bias + j)
        for r in range(m):
            x = (load(u + r * row) - mu) * inverse
            store(hat + r * row, x)
            store(u + r * row, fused(gamma, x, beta))


cdef inline void normalize_delta(const layer* L, const real* parameters, level* v,
                                 Py_ssize_t m, const real* shares, int part,
                                 int n_parts) noexcept nogil:
    """∂J/∂u in the place of δ = ∂J/∂z; Σ δ and Σ δ ∘ û beside it."""
    cdef Py_ssize_t c, j, r, row = v.delta.stride
    cdef real* delta
    cdef const real* hat
    cdef vec shift, scale, factor, x
    cdef vec mean_of = splat(<real>1 / <real>m)
    for c in range(first_vector(L.n_out, L.n_in, part, n_parts),
                   first_vector(L.n_out, L.n_in, part + 1, n_parts)):
        j = c * WIDTH
        delta = at(&v.delta, 0, j)
        hat = at(&v.normalized, 0, j)
        shift = splat(0)
        scale = splat(0)
        for r in range(m):
            x = load(delta + r * row)
            shift = shift + x
            scale = fused(x, load(hat + r * row), scale)
        store(v.shift + j, shift)
        store(v.scale + j, scale)
        factor = load(parameters + L.scale + j) * load(v.inverse + j)
        if L.frozen:            # the statistics are constants
            shift = scale = splat(0)
        shift = shift * mean_of
        scale = scale * mean_of
        for r in range(m):
            x = fused(load(hat + r * row), scale, shift)
            x = load(delta + r * row) - splat(shares[r]) * x
            store(delta + r * row, factor * x)


cdef inline void fold(const norm* shared, const layer* L, const real* parameters,
                      real* folded) noexcept nogil:
    """W and b that give z from a at once, by the running statistics, in a buffer laid out alike.

    z = γ/√(var + ε) ∘ (W a − mean) + b.  The scale's place gets the factor of each row of W.
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
