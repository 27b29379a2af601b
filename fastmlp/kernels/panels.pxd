"""Where things lie: weights in panels, batches in padded rows.

A weight W(l), seen by users as (n_out, n_in), is kept input-major in panels of PANEL_VECTORS
vectors of output columns (the last panel may be narrower):

    panel p:  [n_in rows][columns of p]        W[j, k] at  p·COLUMNS·n_in + k·columns + j − p·COLUMNS

so one thread's columns are contiguous, a row of a panel is what a tile loads per step of its
sum, and no power-of-two stride meets the cache's sets.  Padding columns stay zero.

A batch matrix (a, δ) has one example a row; its stride is an odd number of cache lines.
"""
from libc.stdint cimport uint32_t
from .ahead cimport MOST_STRETCHES, stretch
from .vector cimport PANEL_VECTORS, WIDTH, real, transpose_block

cdef struct matrix:
    real* values
    Py_ssize_t stride           # numbers between rows


cdef struct layer:
    Py_ssize_t n_in, n_out
    Py_ssize_t weight, bias     # where they begin in the parameter buffer
    Py_ssize_t scale            # of batch norm, whose shift is the bias; 0: none
    Py_ssize_t statistics       # where the running ones begin in their buffer
    int activation
    real parameter
    uint32_t dropped            # of 2³² draws, so many drop a unit
    real kept_scale             # 1/(1 − p)
    real noise                  # σ, on z
    bint frozen
    real rate, l2               # multipliers of learning rate and λ


cdef inline Py_ssize_t padded(Py_ssize_t n) noexcept nogil:
    """n rounded up to whole vectors."""
    return (n + WIDTH - 1) // WIDTH * WIDTH


cdef inline Py_ssize_t panel_columns() noexcept nogil:
    return PANEL_VECTORS * WIDTH


cdef inline int panel_count(Py_ssize_t n) noexcept nogil:
    return <int>((n + panel_columns() - 1) // panel_columns())


cdef inline int panel_vectors(Py_ssize_t n, int panel) noexcept nogil:
    """Vectors in one row of panel number `panel` of a matrix with n columns."""
    return <int>min(PANEL_VECTORS, padded(n) // WIDTH - panel * PANEL_VECTORS)


cdef inline Py_ssize_t row_stride(Py_ssize_t n) noexcept nogil:
    """Stride of a batch matrix with n columns: whole panels' reads stay inside the row."""
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t lines = (padded(n) + line - 1) // line
    return (lines | 1) * line


cdef inline Py_ssize_t cut(Py_ssize_t n_columns, Py_ssize_t n_rows, Py_ssize_t unit, int panel,
                           int part, int n_parts) noexcept nogil:
    """The row of `panel` at which part number `part` of a matrix in panels begins.

    The matrix is read panel after panel, each in units of so many rows, weighed by its
    vectors, and cut into n_parts equal pieces: whole panels a thread where that divides,
    rows of a panel where it does not.  Part t is [cut(t), cut(t + 1)) of every panel.
    """
    cdef Py_ssize_t units = (n_rows + unit - 1) // unit
    cdef Py_ssize_t goal = padded(n_columns) // WIDTH * units * part // n_parts
    cdef Py_ssize_t before = <Py_ssize_t>panel * PANEL_VECTORS * units
    cdef Py_ssize_t place = max(goal - before, 0) // panel_vectors(n_columns, panel)
    return min(min(place, units) * unit, n_rows)


cdef inline Py_ssize_t own_vectors(Py_ssize_t n_columns, int part, int n_parts) noexcept nogil:
    """The vector of columns at which thread `part`'s whole columns begin."""
    return padded(n_columns) // WIDTH * part // n_parts


cdef inline bint cut_by_columns(Py_ssize_t n_columns, int n_parts) noexcept nogil:
    """Whether `cut` gives each thread all rows of the very columns that `own_vectors` does."""
    return padded(n_columns) // WIDTH % (PANEL_VECTORS * n_parts) == 0


cdef inline void pack(const real* source, Py_ssize_t n_out, Py_ssize_t n_in,
                      real* weight) noexcept nogil:
    """(n_out, n_in) rows into panels."""
    cdef Py_ssize_t j, k, columns
    cdef int p
    cdef real* panel
    for p in range(panel_count(n_out)):
        columns = panel_vectors(n_out, p) * WIDTH
        panel = weight + p * panel_columns() * n_in
        for k in range(n_in):
            for j in range(columns):
                panel[k * columns + j] = 0
        for j in range(p * panel_columns(), min(n_out, (p + 1) * panel_columns())):
            for k in range(n_in):
                panel[k * columns + j - p * panel_columns()] = source[j * n_in + k]


cdef inline void unpack(const real* weight, Py_ssize_t n_out, Py_ssize_t n_in,
                        real* target) noexcept nogil:
    """Panels into (n_out, n_in) rows."""
    cdef Py_ssize_t j, k, columns, p
    cdef const real* panel
    for j in range(n_out):
        p = j // panel_columns()
        columns = panel_vectors(n_out, <int>p) * WIDTH
        panel = weight + p * panel_columns() * n_in + j - p * panel_columns()
        for k in range(n_in):
            target[j * n_in + k] = panel[k * columns]


cdef inline const stretch* transposed_from(const real* weight, Py_ssize_t n_in,
                                           Py_ssize_t n_out, Py_ssize_t k0, Py_ssize_t k1,
                                           Py_ssize_t j0, Py_ssize_t j1,
                                           stretch* parts) noexcept nogil:
    """The stretches of memory, at most MOST_STRETCHES, that hold W[j0…j1, k0…k1]."""
    cdef Py_ssize_t p, columns
    cdef int n = 0
    for p in range(j0 // panel_columns(), (j1 + panel_columns() - 1) // panel_columns()):
        if n < MOST_STRETCHES:
            columns = panel_vectors(n_out, <int>p) * WIDTH
            parts[n].first = <const char*>(weight + p * panel_columns() * n_in + k0 * columns)
            parts[n].last = parts[n].first + (k1 - k0) * columns * sizeof(real)
            n += 1
    return parts + n


cdef inline void transposed_panel(const real* weight, Py_ssize_t n_in, Py_ssize_t n_out,
                                  Py_ssize_t k0, int n_vectors, Py_ssize_t j0, Py_ssize_t j1,
                                  real* target) noexcept nogil:
    """Wᵀ for the hidden delta: target[j − j0, k − k0] = W[j, k], one panel of inputs wide.

    j0 is a multiple of WIDTH; rows beyond n_in come out zero, rows from j1 to the next whole
    vector are written too.
    """
    cdef Py_ssize_t j, k, p, columns, r, c
    cdef Py_ssize_t target_row = n_vectors * WIDTH
    cdef const real* source
    j = j0
    while j < j1:
        p = j // panel_columns()
        columns = panel_vectors(n_out, <int>p) * WIDTH
        source = weight + p * panel_columns() * n_in + j - p * panel_columns()
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
