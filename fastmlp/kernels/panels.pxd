"""The layout of the parameters: weights lie in panels.

A weight W(l), which users see as (n_out, n_in), is stored input-major in panels of output columns.
There are as few panels as PANEL_VECTORS vectors a panel allow, and they are equally wide, but that
the first ones may be one vector wider than the others:

    panel p:  [n_in rows][columns of p]        W[j, k] at  first·n_in + k·columns + j − first

So a thread's columns are contiguous, a row of a panel is what a tile loads for one term of its sum,
and no power-of-two stride meets the cache's sets.  The padding columns are zero and stay zero.
Biases, scales and batch statistics are rows padded to whole vectors.  Gradients and the optimizer's
state have the layout of the parameters.
"""
from .operands cimport panel_at, panel_pair
from .prefetch cimport MAX_RANGES, address_range
from .vector cimport HALVES, PANEL_VECTORS, WIDTH, halves_fast, real, transpose_block

cdef struct layer:
    Py_ssize_t n_in, n_out
    Py_ssize_t n_terms          # of the longer of the sums that make z(l+1) and δ(l+1)
    Py_ssize_t weight, bias     # where they begin in the parameters
    Py_ssize_t scale            # where γ of batch normalization begins; 0: not normalized
    Py_ssize_t statistics       # where its running mean and variance begin in their own buffer
    int activation              # see activations.pxd, for its parameter too
    real parameter
    double dropout              # the probability p that a unit is dropped
    real noise                  # σ of the noise that is added to z
    bint frozen
    real rate, l2               # multipliers of the learning rate and of λ
    real bias_rate              # of the learning rate of b, in addition to `rate`


cdef inline Py_ssize_t padded(Py_ssize_t n) noexcept nogil:
    """n rounded up to whole vectors."""
    return (n + WIDTH - 1) // WIDTH * WIDTH


cdef inline void clear_padding(real* row, Py_ssize_t n) noexcept nogil:
    """Zeros from n to the next whole vector."""
    while n % WIDTH:
        row[n] = 0
        n += 1


cdef inline Py_ssize_t panel_columns() noexcept nogil:
    return PANEL_VECTORS * WIDTH


cdef inline int panel_count(Py_ssize_t n) noexcept nogil:
    return <int>((n + panel_columns() - 1) // panel_columns())


cdef inline int panel_vectors(Py_ssize_t n, int panel) noexcept nogil:
    """Vectors in one row of panel number `panel` of a matrix with n columns."""
    cdef int vectors = <int>(padded(n) // WIDTH), count = panel_count(n)
    return vectors // count + (panel < vectors % count)


cdef inline Py_ssize_t panel_start(Py_ssize_t n, int panel) noexcept nogil:
    """The first column of panel number `panel`, or of as many as there are."""
    cdef int vectors = <int>(padded(n) // WIDTH), count = panel_count(n)
    cdef Py_ssize_t before = panel * (vectors // count) + min(panel, vectors % count)
    return before * WIDTH


cdef inline bint ends_in_half(Py_ssize_t n, int panel) noexcept nogil:
    """Whether a half is computed of a panel's last vector, whose second half is padding.

    One and a half vectors would be three halves, which take longer than two whole vectors unless a
    half takes half the time.
    """
    return (HALVES and panel == panel_count(n) - 1 and 0 < n % WIDTH <= WIDTH // 2
            and (halves_fast or panel_vectors(n, panel) != 2))


cdef inline int panel_with_column(Py_ssize_t n, Py_ssize_t column) noexcept nogil:
    """The number of the panel that holds a column."""
    cdef Py_ssize_t vectors = padded(n) // WIDTH, v = column // WIDTH
    cdef int count = panel_count(n)
    cdef Py_ssize_t narrow = vectors // count, wide = vectors % count
    if v < wide * (narrow + 1):
        return <int>(v // (narrow + 1))
    return <int>(wide + (v - wide * (narrow + 1)) // narrow)


cdef inline void pack(const real* source, Py_ssize_t n_out, Py_ssize_t n_in,
                      real* weight) noexcept nogil:
    """Copy the rows of (n_out, n_in) into panels."""
    cdef Py_ssize_t j, k, first, columns
    cdef int p
    cdef real* panel
    for p in range(panel_count(n_out)):
        first = panel_start(n_out, p)
        columns = panel_vectors(n_out, p) * WIDTH
        panel = weight + first * n_in
        for k in range(n_in):
            for j in range(columns):
                panel[k * columns + j] = 0
        for j in range(first, min(n_out, first + columns)):
            for k in range(n_in):
                panel[k * columns + j - first] = source[j * n_in + k]


cdef inline void unpack(const real* weight, Py_ssize_t n_out, Py_ssize_t n_in,
                        real* target) noexcept nogil:
    """Copy panels into the rows of (n_out, n_in)."""
    cdef Py_ssize_t j, k, first, columns
    cdef int p
    cdef const real* panel
    for j in range(n_out):
        p = panel_with_column(n_out, j)
        first = panel_start(n_out, p)
        columns = panel_vectors(n_out, p) * WIDTH
        panel = weight + first * n_in + j - first
        for k in range(n_in):
            target[j * n_in + k] = panel[k * columns]


cdef inline panel_pair weight_panels(const layer* L, const real* numbers, int p) noexcept nogil:
    """Panels p and p + 1 of a weight, or of a buffer laid out like the parameters."""
    cdef Py_ssize_t columns = panel_vectors(L.n_out, p) * WIDTH
    cdef const real* first = numbers + L.weight + panel_start(L.n_out, p) * L.n_in
    cdef panel_pair W
    W.first = panel_at(first, columns)
    W.second = panel_at(first + columns * L.n_in, panel_vectors(L.n_out, p + 1) * WIDTH)
    W.first.half = ends_in_half(L.n_out, p)
    W.second.half = ends_in_half(L.n_out, p + 1)
    return W


cdef inline const address_range* weight_ranges(const real* weight, Py_ssize_t n_in,
                                               Py_ssize_t n_out, Py_ssize_t k0, Py_ssize_t k1,
                                               Py_ssize_t j0, Py_ssize_t j1,
                                               address_range* ranges) noexcept nogil:
    """The address ranges, at most MAX_RANGES, of W[j0…j1, k0…k1]; returns their end."""
    cdef Py_ssize_t columns
    cdef int p, n = 0
    if j0 >= j1:
        return ranges
    for p in range(panel_with_column(n_out, j0), panel_with_column(n_out, j1 - 1) + 1):
        if n < MAX_RANGES:
            columns = panel_vectors(n_out, p) * WIDTH
            ranges[n].first = <const char*>(weight + panel_start(n_out, p) * n_in + k0 * columns)
            ranges[n].last = ranges[n].first + (k1 - k0) * columns * sizeof(real)
            n += 1
    return ranges + n


cdef inline void transposed_panel(const real* weight, Py_ssize_t n_in, Py_ssize_t n_out,
                                  Py_ssize_t k0, int n_vectors, Py_ssize_t j0, Py_ssize_t j1,
                                  real* target) noexcept nogil:
    """Wᵀ for the hidden delta: target[j − j0, k − k0] = W[j, k], one panel of inputs wide.

    j0 is a multiple of WIDTH.  Columns from n_in on are set to zero; rows from j1 to the next
    whole vector are written too.
    """
    cdef Py_ssize_t j, k, first, columns, r, c
    cdef Py_ssize_t target_row = n_vectors * WIDTH
    cdef int p
    cdef const real* source
    j = j0
    while j < j1:
        p = panel_with_column(n_out, j)
        first = panel_start(n_out, p)
        columns = panel_vectors(n_out, p) * WIDTH
        source = weight + first * n_in + j - first
        k = k0
        while k < k0 + target_row:
            if k + WIDTH <= n_in:
                transpose_block(source + k * columns, columns,
                                target + (j - j0) * target_row + k - k0, target_row)
            else:
                for r in range(WIDTH):
                    for c in range(WIDTH):
                        target[(j - j0 + r) * target_row + k - k0 + c] = (
                            source[(k + c) * columns + r] if k + c < n_in else 0)
            k += WIDTH
        j += WIDTH
