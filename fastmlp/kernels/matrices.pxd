"""Batch matrices: a(l), z(l), δ(l) and û(l), one example a row, with their columns in groups.

    x[r, k] at  values + r·stride + g·group + k − starts[g]        g: the group that holds column k

The stride is an odd number of cache lines, so that no power of two meets the cache's sets.  Where
several threads write a matrix, the columns that each writes are a group and have rows of their own.
If two threads wrote to one row, each core's prefetcher would take cache lines that the other is
writing, and writing them would take twenty times as long (docs/performance.md).  Other matrices are
one group.  workspace.pxd allocates the matrices; all kernels read and write them.
"""
from cpython.pyport cimport PY_SSIZE_T_MAX
from libc.string cimport memcpy
from .operands cimport operand, panel_at, panel_pair
from .panels cimport ends_in_half, padded, panel_columns, panel_start, panel_with_column
from .partition cimport divided, panel_edge
from .vector cimport WIDTH, real

cdef struct matrix:
    real* values
    const real** rows           # pointers to the rows, through which products read; or NULL
    const real* table           # see `operand`
    Py_ssize_t stride           # numbers from one row to the next
    Py_ssize_t group            # numbers from one group to the next
    const Py_ssize_t* starts    # first column of each group, then PY_SSIZE_T_MAX; NULL: one group


cdef inline Py_ssize_t row_stride(Py_ssize_t n) noexcept nogil:
    """Stride of a batch matrix with n columns, with room for whole vectors."""
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t lines = (padded(n) + line - 1) // line
    return (lines | 1) * line


cdef inline Py_ssize_t byte_stride(Py_ssize_t n) noexcept nogil:
    """Stride of rows of n bytes, of which 64 can be read from any multiple of 64 on."""
    return ((n + 63) // 64 | 1) * 64


cdef inline int max_group_starts(int n_parts) noexcept nogil:
    """Most numbers that `find_groups` writes."""
    return 2 * n_parts + 1


cdef inline int find_groups(Py_ssize_t n_columns, Py_ssize_t n_terms, int n_parts,
                            const int* shares, Py_ssize_t* starts) noexcept nogil:
    """Set the first columns of the groups that n_parts threads write; returns their number.

    A panel whose rows are divided among threads is a group of its own.
    """
    cdef Py_ssize_t n = padded(n_columns), start
    cdef int part, p, k, n_groups = 0
    starts[0] = 0
    for part in range(1, n_parts):
        start = panel_edge(n_columns, n_terms, part, n_parts, shares)
        p = panel_with_column(n_columns, start if start >= 0
                              else divided(n // WIDTH, part, n_parts, shares) * WIDTH)
        for k in range(p, p + (1 if start >= 0 else 2)):
            if starts[n_groups] < panel_start(n_columns, k) < n:
                n_groups += 1
                starts[n_groups] = panel_start(n_columns, k)
    starts[n_groups + 1] = PY_SSIZE_T_MAX
    return n_groups + 1


cdef inline matrix ungrouped(real* values, Py_ssize_t n) noexcept nogil:
    """A matrix with n columns in one group, without pointers to its rows."""
    cdef matrix x
    x.values = values
    x.rows = NULL
    x.table = NULL
    x.stride = row_stride(n)
    x.group = 0
    x.starts = NULL
    return x


cdef inline matrix grouped(Py_ssize_t n, Py_ssize_t n_terms, Py_ssize_t n_rows, int n_parts,
                           const int* shares, Py_ssize_t* starts) noexcept nogil:
    """A matrix with n columns in the groups that n_parts threads write, without memory yet."""
    cdef matrix x
    cdef Py_ssize_t widest = 0
    cdef int g
    for g in range(find_groups(n, n_terms, n_parts, shares, starts)):
        widest = max(widest, min(starts[g + 1], n) - starts[g])
    x.values = NULL
    x.rows = NULL
    x.table = NULL
    x.stride = row_stride(widest)
    x.group = n_rows * x.stride
    x.starts = starts
    return x


cdef inline Py_ssize_t grouped_room(Py_ssize_t n, Py_ssize_t n_rows, int n_threads) noexcept nogil:
    """The most numbers that a `grouped` matrix takes, by whatever shares of up to n_threads.

    No share is larger than LARGEST_SHARE, and rounding to the edge of a panel adds 1/MAX_IMBALANCE
    of an equal part on either side; so no group is wider than twice an equal part and a panel.
    """
    cdef Py_ssize_t most = 0, columns
    cdef int parts
    for parts in range(1, n_threads + 1):
        columns = min(padded(n), 2 * padded(n) // parts + panel_columns())
        most = max(most, (2 * parts - 1) * n_rows * row_stride(columns))
    return most


cdef inline int group_of(const matrix* x, Py_ssize_t k) noexcept nogil:
    """The group that holds column k."""
    cdef int g = 0
    if x.starts != NULL:
        while x.starts[g + 1] <= k:
            g += 1
    return g


cdef inline Py_ssize_t group_end(const matrix* x, Py_ssize_t k) noexcept nogil:
    """Where the group that holds column k ends."""
    return PY_SSIZE_T_MAX if x.starts == NULL else x.starts[group_of(x, k) + 1]


cdef inline Py_ssize_t place_of_column(const matrix* x, Py_ssize_t k) noexcept nogil:
    """The distance of column k from the beginning of any row."""
    cdef int g = group_of(x, k)
    return k if x.starts == NULL else g * x.group + k - x.starts[g]


cdef inline real* at(const matrix* x, Py_ssize_t r, Py_ssize_t k) noexcept nogil:
    """The address of x[r, k]."""
    return x.values + r * x.stride + place_of_column(x, k)


cdef inline operand rows_from(const matrix* x, Py_ssize_t r, Py_ssize_t k) noexcept nogil:
    """x from row r and column k on, to the end of k's group, as an operand of a product."""
    cdef operand rest
    rest.rows = x.rows + r
    rest.column = place_of_column(x, k)
    rest.transposed = False
    rest.table = x.table
    return rest


cdef inline operand columns_from(const matrix* x, Py_ssize_t k) noexcept nogil:
    """xᵀ from column k of x on, to the end of k's group."""
    cdef operand rest = rows_from(x, 0, k)
    rest.transposed = True
    return rest


cdef inline panel_pair matrix_panels(const matrix* x, Py_ssize_t r, Py_ssize_t n,
                                     int p) noexcept nogil:
    """Panels p and p + 1 of the n columns of x, from row r on."""
    cdef panel_pair panels
    panels.first = panel_at(at(x, r, panel_start(n, p)), x.stride)
    panels.second = panel_at(at(x, r, panel_start(n, p + 1)), x.stride)
    panels.first.half = ends_in_half(n, p)
    panels.second.half = ends_in_half(n, p + 1)
    return panels


cdef inline void copy_row(const matrix* x, Py_ssize_t r, Py_ssize_t n, real* target) noexcept nogil:
    """Copy x[r, :n] into a contiguous row."""
    cdef Py_ssize_t k = 0, end
    while k < n:
        end = min(n, group_end(x, k))
        memcpy(target + k, at(x, r, k), (end - k) * sizeof(real))
        k = end
