"""Encodings of the columns of X: a(1) = s ∘ e(x), made while a batch is gathered.

    numeric            e = x
    piecewise linear   e_t = (x − b_t)/(b_{t+1} − b_t) in the bin t that holds x, the first and the
                       last of which have no end; 1 in the bins below it, 0 in those above
    one-hot            e_k = 1 for the code k, otherwise 0; all 0 for the code −1

Column j of X becomes the columns first … first + n_out of a(1).  X is read as for a network without
encodings (inputs.pxd); step.pxd calls `encode` for a dense row
of a batch or `encode_sparse` for a sparse row.  Both give the same numbers; the sparse row is made
without touching the zeros.  The codes of categories are checked here too, because X belongs to its
user: whatever it holds by now, no index leaves the levels.
"""
from .inputs cimport CODES_CHANGED, examples, number
from .panels cimport clear_padding
from .vector cimport LAST_INDEX, entry, lane_int, real

cdef enum:
    NUMERIC
    PIECEWISE_LINEAR
    ONE_HOT

cdef struct column_encoding:
    int kind
    Py_ssize_t first, n_out     # its columns of a(1)
    Py_ssize_t n                # bins or levels
    const real* edges           # (n + 1,) of the bins, increasing


cdef struct input_encoding:
    Py_ssize_t n_columns        # of X
    Py_ssize_t n_out            # of a(1)
    const column_encoding* columns


cdef inline Py_ssize_t code_of(const column_encoding* c, real x, int* changed) noexcept nogil:
    """The level that x is the code of; −1 if it is the code of none."""
    if 0 <= x < c.n:            # false for NaN
        return <Py_ssize_t>x
    if x != -1:
        changed[0] |= CODES_CHANGED
    return -1


cdef inline Py_ssize_t bin_of(const column_encoding* c, real x) noexcept nogil:
    """The bin of x: the number of edges between two bins that are at most x; 0 for NaN."""
    cdef Py_ssize_t low = 0, high = c.n - 1, middle
    while low < high:
        middle = (low + high + 1) // 2
        if c.edges[middle] <= x:
            low = middle
        else:
            high = middle - 1
    return low


cdef inline real place_in_bin(const column_encoding* c, Py_ssize_t t, real x) noexcept nogil:
    """(x − b_t)/(b_{t+1} − b_t)"""
    return (x - c.edges[t]) / (c.edges[t + 1] - c.edges[t])


cdef inline void encode(const input_encoding* E,
                        const real* columns,            # IN (n_columns,) one row of X
                        real* a,                        # OUT (n_out,) and zeros to a whole vector
                        int* changed) noexcept nogil:
    """One row of a(1)."""
    cdef Py_ssize_t j, k, code
    cdef const column_encoding* c
    cdef real* e
    for j in range(E.n_columns):
        c = &E.columns[j]
        e = a + c.first
        if c.kind == NUMERIC:
            e[0] = columns[j]
        elif c.kind == PIECEWISE_LINEAR:
            code = bin_of(c, columns[j])
            for k in range(code):
                e[k] = 1
            e[code] = place_in_bin(c, code, columns[j])
            for k in range(code + 1, c.n):
                e[k] = 0
        else:
            for k in range(c.n_out):
                e[k] = 0
            code = code_of(c, columns[j], changed)
            if code >= 0:
                e[code] = 1
    clear_padding(a, E.n_out)


cdef inline Py_ssize_t put(entry* e, Py_ssize_t index, real value) noexcept nogil:
    """Write an entry of a sparse row; returns 1, or 0 if the value is zero."""
    e.index = <lane_int>index
    e.value = value
    return value != 0


cdef inline Py_ssize_t encode_sparse(const input_encoding* E,
                                     const real* columns,       # IN (n_columns,) one row of X
                                     entry* e,                  # OUT
                                     int* changed) noexcept nogil:
    """One row of a(1) as a sparse row; returns its count of non-zeros."""
    cdef Py_ssize_t j, k, code, n = 0
    cdef const column_encoding* c
    for j in range(E.n_columns):
        c = &E.columns[j]
        if c.kind == NUMERIC:
            n += put(e + n, c.first, columns[j])
        elif c.kind == PIECEWISE_LINEAR:
            code = bin_of(c, columns[j])
            for k in range(code):
                n += put(e + n, c.first + k, 1)
            n += put(e + n, c.first + code, place_in_bin(c, code, columns[j]))
        else:
            code = code_of(c, columns[j], changed)
            if code >= 0:
                n += put(e + n, c.first + code, 1)
    e[n].index = LAST_INDEX
    return n


cdef inline double encoded_density(const input_encoding* E, const examples* x,
                                   Py_ssize_t n_sampled) noexcept nogil:
    """The fraction of non-zeros of a(1) for n_sampled rows of X, evenly spaced."""
    cdef Py_ssize_t i, j, n_nonzeros = 0
    cdef const column_encoding* c
    cdef real value
    cdef int changed = 0        # the pass that follows finds it too
    for i in range(n_sampled):
        for j in range(E.n_columns):
            c = &E.columns[j]
            value = number(x, x.values, i * x.n_rows // n_sampled * x.n_in + j)
            if c.kind == NUMERIC:
                n_nonzeros += value != 0
            elif c.kind == PIECEWISE_LINEAR:
                n_nonzeros += bin_of(c, value) + 1
            else:
                n_nonzeros += code_of(c, value, &changed) >= 0
    return <double>n_nonzeros / max(1, n_sampled * E.n_out)
