"""The gradients of the encodings' parameters, from δ(1) = W(1)ᵀ δ(2), and their update.

    ∂J/∂s = Σ δ(1) ∘ e(x)          over the examples, in their order
    ∂J/∂p = Σ (δ(1) ∘ s)ᵀ ∂e/∂p    for the parameters p of a column

Each column is one thread's, so no sum is divided and no bit depends on the number of threads.  The
sums go on through all chunks of a batch.  A barrier divides them from the update, which is shared
out by place: every parameter of the encodings is in one range of memory.  epoch.pxd and step.pxd
call these functions in every thread.
"""
from libc.string cimport memset
from .dense cimport finish_gradient, gradient_target
from .encodings cimport (EMBEDDING, ONE_HOT, PERIODIC, code_of, column_encoding, column_stride,
                         encode_column, input_encoding)
from .matrices cimport at, group_end, matrix
from .norms cimport total_of
from .periodic cimport clear_periodic_padding, periodic_gradient, periodic_place
from .updates cimport (SCALES, WEIGHTS, for_layer, parameter_kind, update_average,
                       update_step)
from .vector cimport WIDTH, fused, load, real, splat, store, vec
from .workspace cimport scratch

cdef enum:
    SQUARES = 64                # sums of squares, whatever the width of a vector


cdef inline bint trains_encoding(const input_encoding* E) noexcept nogil:
    """Whether training changes parameters of the encodings."""
    return E != NULL and E.first < E.last and not E.frozen


cdef inline void copy_columns(const matrix* x, Py_ssize_t r, Py_ssize_t first, Py_ssize_t n,
                              real* target) noexcept nogil:
    """x[r, first : first + n]"""
    cdef Py_ssize_t k = first, end, i
    cdef const real* source
    while k < first + n:
        end = min(first + n, group_end(x, k))
        source = at(x, r, k)
        for i in range(end - k):
            target[k - first + i] = source[i]
        k = end


cdef inline void column_gradient(const input_encoding* E, Py_ssize_t j, const real* parameters,
                                 scratch* own, const matrix* delta, Py_ssize_t m,
                                 real* sums             # IN OUT of all encodings
                                 ) noexcept nogil:
    """Add the gradients of m examples for the parameters and the factors s of column j."""
    cdef const column_encoding* c = &E.columns[j]
    cdef real* own_sums = sums + c.place - E.first
    cdef real* scale_sums = sums + E.scale - E.first + c.first
    cdef const real* s = parameters + E.scale + c.first
    cdef bint scaled = E.scale < E.last
    cdef Py_ssize_t r, k, code
    cdef real* d = own.row
    cdef real x
    cdef int changed = 0        # the forward pass has found it
    for r in range(m):
        x = own.columns[r * column_stride(E) + j]
        if c.kind == ONE_HOT:
            code = code_of(c, x, &changed)
            if code >= 0:
                scale_sums[code] += at(delta, r, c.first + code)[0]
            continue
        copy_columns(delta, r, c.first, c.n_out, d)
        if scaled:
            encode_column(c, parameters, own, r, x, own.encoded, &changed)
            for k in range(c.n_out):
                scale_sums[k] += d[k] * own.encoded[k]
                d[k] *= s[k]
        if c.kind == PERIODIC:
            periodic_gradient(periodic_place(parameters + c.place, c.n, c.n_out - 1), x, d + 1,
                              own_sums)
        elif c.kind == EMBEDDING:
            code = code_of(c, x, &changed)
            if code >= 0:
                for k in range(c.n_out):
                    own_sums[code * c.n_out + k] += d[k]
    if c.kind == PERIODIC:
        clear_periodic_padding(own_sums, c.n, c.n_out - 1)


cdef inline void encoding_gradients(const input_encoding* E, const real* parameters, scratch* own,
                                    const matrix* delta, Py_ssize_t m, bint first_chunk,
                                    real* sums,         # IN OUT of all encodings
                                    int part, int n_parts) noexcept nogil:
    """Step 4 for the encodings of this thread's columns: their sums over the chunk."""
    cdef Py_ssize_t j
    cdef const column_encoding* c
    cdef bint scaled = E.scale < E.last
    for j in range(E.n_columns):
        c = &E.columns[j]
        if c.first * n_parts // E.n_out != part or not (scaled or c.n_numbers > 0):
            continue
        if first_chunk:
            memset(sums + c.place - E.first, 0, c.n_numbers * sizeof(real))
            if scaled:
                memset(sums + E.scale - E.first + c.first, 0, c.n_out * sizeof(real))
        column_gradient(E, j, parameters, own, delta, m, sums)


cdef inline double encoding_squares(const input_encoding* E, const real* sums,
                                    real mean) noexcept nogil:
    """Σ g² over the encodings' parameters; every thread computes all of it."""
    cdef real squares[SQUARES]
    cdef Py_ssize_t i, k
    cdef vec x
    for k in range(SQUARES):
        squares[k] = 0
    for i in range((E.last - E.first) // SQUARES):
        k = 0
        while k < SQUARES:
            x = load(sums + i * SQUARES + k) * splat(mean)
            store(squares + k, fused(x, x, load(squares + k)))
            k += WIDTH
    return total_of(squares, SQUARES)


cdef inline bint update_range(gradient_target* g, parameter_kind kind, const real* sums,
                              Py_ssize_t first, Py_ssize_t last, int part,
                              int n_parts) noexcept nogil:
    """Step 6 for this thread's part of the parameters first … last."""
    cdef Py_ssize_t n = (last - first) // WIDTH, begin = n * part // n_parts
    cdef Py_ssize_t end = n * (part + 1) // n_parts
    return finish_gradient(g, kind, first + begin * WIDTH, sums + begin * WIDTH, end - begin)


cdef inline bint update_encoding(const input_encoding* E, const gradient_target* g,
                                 const update_step* u, const real* sums, double factor, int part,
                                 int n_parts) noexcept nogil:
    """Step 6 with the gradient times `factor`; whether a parameter is not finite afterwards.

    Only s decays, as weights do; λ is of the layers' weights alone.
    """
    cdef gradient_target target = g[0]
    cdef update_step step = for_layer(u, E.rate, 1, 1)
    cdef bint bad
    target.step = &step
    step.mean = <real>(step.mean * factor)
    bad = update_range(&target, SCALES, sums, E.first, E.scale, part, n_parts)
    step = for_layer(u, E.scale_rate, E.scale_decay, 1)
    step.mean = <real>(step.mean * factor)
    step.l2 = 0
    return bad | update_range(&target, WEIGHTS, sums + E.scale - E.first, E.scale, E.last, part,
                              n_parts)


cdef inline void average_encoding(const input_encoding* E, const real* parameters, real* average,
                                  real decay, int part, int n_parts) noexcept nogil:
    """The average of this thread's part of the parameters."""
    cdef Py_ssize_t n = (E.last - E.first) // WIDTH, begin = n * part // n_parts
    cdef Py_ssize_t place = E.first + begin * WIDTH
    update_average(decay, parameters + place, average + place,
                   n * (part + 1) // n_parts - begin)
