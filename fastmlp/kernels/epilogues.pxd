"""What follows the products of a hidden layer, block by block:

    finish_layer      a(l) = f(z(l)), and f'(z(l)) for the hidden delta
    times_slope       δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l))

Other threads read a(l) and δ(l), and read W(l) in the hidden delta.  In the next batch a store to
such a cache line has to wait until the other cores have given it up, and few such stores overlap.
A wide store waits twice on Zen 4, so one number of each line is stored before all else
(`claim_lines`): then a line takes 5 ns instead of 7, or 15 instead of 27 if the cores do not share
a cache.  Storing past the caches takes 2 ns, and then all threads read the line from memory, in
order and therefore prefetched.  Which of both is faster depends on the distance of the cores and is
found by the clock (`past_caches` in workspace.pxd).  In a batch with it, z(l) lies in this thread's
scratch and f'(z(l)) in memory that no other thread reads, so that nothing but the final a(l), δ(l)
and W(l) is stored there.

Callers: dense.pxd; step.pxd for normalized layers, whose z(l) lies in a(l)'s place.
"""
from .activations cimport activate
from .dropout cimport add_noise, clear_padding_of_rows, drop, random_stream
from .matrices cimport at, group_end, matrix
from .panels cimport layer
from .prefetch cimport claim
from .vector cimport WIDTH, load, real, store, store_past_caches
from .workspace cimport activation_layer


cdef inline const matrix* slopes(const activation_layer* v, bint past_caches) noexcept nogil:
    """Where f'(z(l)) lies until δ(l) is computed: in δ(l)'s place, or in memory of its own."""
    return &v.slope if past_caches else &v.delta


cdef inline void claim_lines(const matrix* x, Py_ssize_t row, Py_ssize_t n_rows, Py_ssize_t first,
                             Py_ssize_t last) noexcept nogil:
    """Make this core's own the cache lines of columns first … last of n_rows rows."""
    cdef Py_ssize_t k = first, end, r
    while k < last:
        end = min(last, group_end(x, k))
        for r in range(n_rows):
            claim(at(x, row + r, k), end - k)
        k = end


cdef inline void copy_past_caches(const real* x, Py_ssize_t x_row, real* y, Py_ssize_t y_row,
                                  Py_ssize_t n_rows, int n_vectors) noexcept nogil:
    """y ← x, n_rows × n_vectors, of which y is read by other threads."""
    cdef Py_ssize_t r
    cdef int j
    for r in range(n_rows):
        for j in range(n_vectors):
            store_past_caches(y + r * y_row + j * WIDTH, load(x + r * x_row + j * WIDTH))


cdef inline void finish_layer(const layer* L, const random_stream* stream, Py_ssize_t row,
                              Py_ssize_t first, Py_ssize_t last,
                              real* block,              # IN z(l), or NULL: it lies in a(l)'s place
                              const matrix* slope,      # OUT f'(z(l))
                              activation_layer* v,      # OUT a(l), past the caches from a block
                              Py_ssize_t n_rows) noexcept nogil:
    """a = f(z) and f'(z) in the columns first … last of n_rows rows of a hidden layer.

    With a random stream, in training, also noise and dropout.
    """
    cdef Py_ssize_t k = first, end, z_row = v.a.stride if block == NULL else last - first
    cdef real* z
    cdef real* s
    cdef int n_vectors
    while k < last:
        end = min(last, group_end(&v.a, k))
        n_vectors = <int>((end - k) // WIDTH)
        z = at(&v.a, row, k) if block == NULL else block + k - first
        s = at(slope, row, k)
        if stream != NULL and L.noise != 0:
            add_noise(L, stream, row, k, z, z_row, n_rows, n_vectors)
        activate(L.activation, L.parameter, z, z_row, s, slope.stride, n_rows, n_vectors)
        if stream != NULL and stream.drop_threshold != 0:
            drop(stream, row, k, z, z_row, s, slope.stride, n_rows, n_vectors)
        if stream != NULL and (L.noise != 0 or L.dropout > 0):  # a schedule may drop nothing now
            clear_padding_of_rows(L.n_out, k, z, z_row, n_rows, n_vectors)
        if block != NULL:
            copy_past_caches(z, z_row, at(&v.a, row, k), v.a.stride, n_rows, n_vectors)
        k = end


cdef inline void times_slope(const matrix* slope,       # IN f'(z(l))
                             const matrix* delta,       # OUT δ(l), past the caches unless in place
                             Py_ssize_t row, Py_ssize_t first,
                             real* c,                   # IN W(l)ᵀ δ(l+1); is overwritten
                             Py_ssize_t n_rows, int n_vectors) noexcept nogil:
    """δ = c ∘ f'(z) in n_vectors of columns from `first` on."""
    cdef Py_ssize_t k = first, end, r, c_row = n_vectors * WIDTH
    cdef bint in_place = slope.values == delta.values
    cdef real* d
    cdef real* product
    cdef const real* s
    cdef int i
    while k < first + c_row:
        end = min(first + c_row, group_end(delta, k))
        product = c + k - first
        for r in range(n_rows):
            s = at(slope, row + r, k)
            d = at(delta, row + r, k) if in_place else product
            for i in range(<int>((end - k) // WIDTH)):
                store(d + i * WIDTH, load(product + i * WIDTH) * load(s + i * WIDTH))
            product += c_row
        if not in_place:
            copy_past_caches(c + k - first, c_row, at(delta, row, k), delta.stride, n_rows,
                             <int>((end - k) // WIDTH))
        k = end
