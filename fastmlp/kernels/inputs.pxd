"""The user's examples as they lie in memory, and one of them as a row of numbers or a list.

Nothing is converted ahead: float32, float64, uint8 (times a scale) and CSR rows become this
build's numbers while a batch is gathered.
"""
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy
from .rows cimport compress_row
from .vector cimport (LAST_INDEX, REAL_IS_DOUBLE, WIDTH, entry, lane_int, load, load_bytes,
                      prefetch, real, splat, store, vec)

cdef enum:
    FLOAT32
    FLOAT64
    UINT8

cdef struct examples:
    int kind                    # of `values`
    const void* values          # (n_rows, n_in) in C order, or CSR's data
    const int32_t* indices      # NULL: dense
    const int64_t* pointers
    Py_ssize_t n_rows, n_in
    real scale                  # of uint8
    Py_ssize_t most_in_row      # stored numbers in the fullest row


cdef struct targets:
    const int32_t* labels       # class of each example, or NULL and
    const real* values          # (n_rows, n_out)
    const real* weights         # of each example, or NULL


cdef inline real number(const examples* x, Py_ssize_t place) noexcept nogil:
    if x.kind == FLOAT32:
        return <real>(<const float*>x.values)[place]
    if x.kind == FLOAT64:
        return <real>(<const double*>x.values)[place]
    return <real>(<const unsigned char*>x.values)[place] * x.scale


cdef inline void read_dense(const examples* x, Py_ssize_t row, real* target) noexcept nogil:
    """One row, padded with zeros to whole vectors."""
    cdef Py_ssize_t k = 0, n = x.n_in, first = row * x.n_in
    cdef const float* floats
    cdef const double* doubles
    cdef const unsigned char* bytes_
    if x.kind == UINT8:
        bytes_ = <const unsigned char*>x.values + first
        while k + WIDTH <= n:
            store(target + k, load_bytes(bytes_ + k) * splat(x.scale))
            k += WIDTH
        while k < n:
            target[k] = <real>bytes_[k] * x.scale
            k += 1
    elif x.kind == FLOAT32:
        floats = <const float*>x.values + first
        for k in range(n):
            target[k] = <real>floats[k]
    else:
        doubles = <const double*>x.values + first
        for k in range(n):
            target[k] = <real>doubles[k]
    k = n
    while k % WIDTH:
        target[k] = 0
        k += 1


cdef inline Py_ssize_t read_list(const examples* x, Py_ssize_t row, real* scratch,
                                 entry* e) noexcept nogil:
    """The non-zeros of one row, with the end mark; their count."""
    cdef Py_ssize_t i, n = 0
    if x.indices == NULL:
        read_dense(x, row, scratch)
        return compress_row(scratch, x.n_in, e)
    for i in range(x.pointers[row], x.pointers[row + 1]):
        e[n].index = <lane_int>x.indices[i]
        e[n].value = number(x, i)
        n += e[n].value != 0
    e[n].index = LAST_INDEX
    return n


cdef inline void read_sparse(const examples* x, Py_ssize_t row, real* target) noexcept nogil:
    """A CSR row, written out."""
    cdef Py_ssize_t i
    for i in range(x.n_in):
        target[i] = 0
    for i in range(x.pointers[row], x.pointers[row + 1]):
        target[x.indices[i]] += number(x, i)


cdef inline void prefetch_row(const examples* x, Py_ssize_t row) noexcept nogil:
    """Ask for a row that will be read soon."""
    cdef Py_ssize_t size = 1 if x.kind == UINT8 else (4 if x.kind == FLOAT32 else 8)
    cdef Py_ssize_t first, last
    if x.indices == NULL:
        first, last = row * x.n_in, (row + 1) * x.n_in
    else:
        first, last = x.pointers[row], x.pointers[row + 1]
    cdef const char* p = <const char*>x.values + first * size
    cdef const char* end = <const char*>x.values + last * size
    while p < end:
        prefetch(p)
        p += 64


cdef inline double density(const examples* x, Py_ssize_t n_looked) noexcept nogil:
    """The fraction of non-zeros among n_looked rows spread evenly over all."""
    cdef Py_ssize_t i, k, row, n_found = 0
    if x.indices != NULL:
        return 0
    for i in range(n_looked):
        row = i * x.n_rows // n_looked
        for k in range(row * x.n_in, (row + 1) * x.n_in):
            n_found += number(x, k) != 0
    return <double>n_found / max(1, n_looked * x.n_in)
