"""The whole memory map of a pass: one block, laid out once, nothing allocated inside.

For a chunk of m examples and each layer l: a(l) and δ(l) as matrices (δ(l)'s place holds
f'(z(l)) from the forward pass until the hidden delta overwrites it), and, where zeros can be
skipped, their lists of non-zeros by row and by column.  Each thread has scratch of its own.
"""
from libc.string cimport memset
from .inputs cimport examples
from .panels cimport layer, matrix, padded, panel_columns, row_stride
from .rows cimport lists
from .vector cimport LIST_BLOCK_BYTES, WIDTH, entry, real

cdef enum:
    GRADIENT_ROWS = 64          # rows of a weight panel whose gradient is formed at a time

cdef struct skipping:           # the lists of one batch matrix, and whether they pay
    bint possible               # zeros can occur and the product behind is wide enough
    bint used                   # by the last batch
    lists rows, columns
    Py_ssize_t* n_entries       # of each row
    Py_ssize_t* fill            # scratch of the counting sort


cdef struct level:              # l = 0 (input) … n_layers (output)
    Py_ssize_t n
    matrix a, delta
    skipping zeros              # of a(l)
    skipping delta_zeros        # of δ(l)


cdef struct scratch:            # of one thread
    real* packed                # a block of Wᵀ
    real* block                 # a block of δ or of a gradient, before it is finished
    real* row                   # one example
    const entry** cursors


cdef struct workspace:
    Py_ssize_t n_rows           # capacity
    int n_layers, n_threads
    bint input_delta            # δ of the input is wanted too
    level* levels
    scratch* threads
    real* zeros                 # one panel row
    double* costs               # of each example


cdef inline void* take(char* base, Py_ssize_t* used, Py_ssize_t size) noexcept nogil:
    """The next `size` bytes on cache lines of their own; NULL while only counting."""
    cdef Py_ssize_t place = used[0]
    used[0] += (size + 63) // 64 * 64
    return NULL if base == NULL else base + place


cdef inline void lay_lists(skipping* s, char* base, Py_ssize_t* used, Py_ssize_t n_rows,
                           Py_ssize_t n_columns, Py_ssize_t most_in_row,
                           bint by_column) noexcept nogil:
    cdef Py_ssize_t r, room = most_in_row + WIDTH + 1
    s.rows.entries = <entry*>take(base, used, n_rows * room * <Py_ssize_t>sizeof(entry))
    s.rows.first = <Py_ssize_t*>take(base, used, n_rows * <Py_ssize_t>sizeof(Py_ssize_t))
    s.n_entries = <Py_ssize_t*>take(base, used, n_rows * <Py_ssize_t>sizeof(Py_ssize_t))
    if base != NULL:
        for r in range(n_rows):
            s.rows.first[r] = r * room
    if by_column:
        s.columns.entries = <entry*>take(
            base, used, (n_rows * most_in_row + n_columns) * <Py_ssize_t>sizeof(entry))
        s.columns.first = <Py_ssize_t*>take(base, used, n_columns * <Py_ssize_t>sizeof(Py_ssize_t))
        s.fill = <Py_ssize_t*>take(base, used, n_columns * <Py_ssize_t>sizeof(Py_ssize_t))


cdef inline Py_ssize_t lay_out(workspace* w, const layer* layers, int n_layers,
                               Py_ssize_t n_rows, int n_threads, Py_ssize_t most_in_row,
                               bint backward, char* base) noexcept nogil:
    """Set every pointer into `base` (NULL: only count); returns the bytes needed.

    `possible` and `used` of the levels and `w.input_delta` are set before.
    """
    cdef Py_ssize_t used = 0, n, widest = 0, size = sizeof(real)
    cdef int l, t
    cdef level* v
    w.n_rows = n_rows
    w.n_layers = n_layers
    w.n_threads = n_threads
    for l in range(n_layers + 1):
        v = &w.levels[l]
        n = layers[0].n_in if l == 0 else layers[l - 1].n_out
        v.n = n
        widest = max(widest, row_stride(n))
        v.a.stride = v.delta.stride = row_stride(n)
        if l > 0 or not v.zeros.used:   # an input read as lists is never written out
            v.a.values = <real*>take(base, &used, n_rows * v.a.stride * size)
        if l > 0 or w.input_delta:
            v.delta.values = <real*>take(base, &used, n_rows * v.delta.stride * size)
        if v.zeros.possible:
            lay_lists(&v.zeros, base, &used, n_rows, n,
                      most_in_row if l == 0 else padded(n), backward)
        if backward and v.delta_zeros.possible:
            lay_lists(&v.delta_zeros, base, &used, n_rows, n, padded(n), False)
    w.zeros = <real*>take(base, &used, panel_columns() * size)
    w.costs = <double*>take(base, &used, n_rows * <Py_ssize_t>sizeof(double))
    for t in range(n_threads):
        w.threads[t].packed = <real*>take(base, &used,
                                          LIST_BLOCK_BYTES + WIDTH * panel_columns() * size)
        w.threads[t].block = <real*>take(
            base, &used, max(n_rows, <Py_ssize_t>GRADIENT_ROWS) * panel_columns() * size)
        w.threads[t].row = <real*>take(base, &used, widest * size)
        w.threads[t].cursors = <const entry**>take(
            base, &used, max(n_rows, <Py_ssize_t>GRADIENT_ROWS) * <Py_ssize_t>sizeof(entry*))
    if base != NULL:
        memset(w.zeros, 0, panel_columns() * size)
    return used
