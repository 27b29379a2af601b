"""The user's examples as they lie in memory, and one of them as a row of numbers or a list.

Nothing is converted ahead: float32, float64, uint8 (times a scale) and CSR rows become this
build's numbers while a batch is gathered.  Training packs dense rows with many zeros once,
when that takes less memory than the rows themselves: a list is then read in about half the
time, by every thread for itself.
"""
from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t
from libc.string cimport memcpy
from .prefetch cimport address_range
from .random cimport mixed_key
from .sparse_rows cimport compress_row
from .vector cimport (LAST_INDEX, REAL_IS_DOUBLE, WIDTH, entry, join, lane_int, load,
                      load_bytes, real, splat, store, vec)

cdef enum:
    FLOAT32
    FLOAT64
    UINT8

cdef struct examples:
    int kind                    # of `values`
    const void* values          # (n_rows, n_in) in C order, or CSR's data
    const int32_t* indices      # NULL: dense
    const int64_t* pointers
    # dense rows with many zeros, packed: as in CSR, but 2 bytes an index; NULL: not packed
    const uint16_t* packed_indices
    const void* packed_values   # bytes of bytes, else this build's numbers
    const int64_t* packed_pointers
    const uint64_t* contents    # a number for each row's content: equal rows', equal; or NULL
    Py_ssize_t n_rows, n_in
    real scale                  # of uint8
    Py_ssize_t most_in_row      # stored numbers in the fullest row


cdef struct targets:
    const int32_t* labels       # class of each example, or NULL and
    const real* values          # (n_rows, n_columns)
    Py_ssize_t n_columns        # one for each output, or for all quantiles of a target
    const real* weights         # of each example, or NULL


cdef inline real number(const examples* x, const void* values, Py_ssize_t place) noexcept nogil:
    if x.kind == FLOAT32:
        return <real>(<const float*>values)[place]
    if x.kind == FLOAT64:
        return <real>(<const double*>values)[place]
    return <real>(<const unsigned char*>values)[place] * x.scale


cdef inline int own_kind() noexcept nogil:
    """The kind of this build's numbers."""
    return FLOAT64 if REAL_IS_DOUBLE else FLOAT32


cdef inline vec numbers(const examples* x, int kind, const void* values,
                        Py_ssize_t place) noexcept nogil:
    """A vector of numbers of a kind; `values` has room for it behind `place`."""
    cdef real lanes[64]         # as many as any vector has
    cdef int i
    if kind == UINT8:
        return load_bytes(<const unsigned char*>values + place) * splat(x.scale)
    if kind == own_kind():
        return load(<const real*>values + place)
    for i in range(WIDTH):
        lanes[i] = number(x, values, place + i)
    return load(lanes)


cdef inline void read_dense(const examples* x, Py_ssize_t row, real* target) noexcept nogil:
    """One row, padded with zeros to whole vectors."""
    cdef Py_ssize_t k = 0, first = row * x.n_in
    while k + WIDTH <= x.n_in:
        store(target + k, numbers(x, x.kind, x.values, first + k))
        k += WIDTH
    while k < x.n_in:
        target[k] = number(x, x.values, first + k)
        k += 1
    while k % WIDTH:
        target[k] = 0
        k += 1


cdef inline Py_ssize_t read_list(const examples* x, Py_ssize_t row, real* scratch,
                                 entry* e) noexcept nogil:
    """The non-zeros of one row, with the end mark; their count."""
    cdef Py_ssize_t i, first, n = 0
    if x.packed_indices != NULL:
        first = x.packed_pointers[row]
        n = x.packed_pointers[row + 1] - first
        i = 0
        while i < n:
            join(x.packed_indices + first + i,
                 numbers(x, UINT8 if x.kind == UINT8 else own_kind(), x.packed_values,
                         first + i), e + i)
            i += WIDTH
        e[n].index = LAST_INDEX
        return n
    if x.indices == NULL:
        read_dense(x, row, scratch)
        return compress_row(scratch, x.n_in, e)
    for i in range(x.pointers[row], x.pointers[row + 1]):
        e[n].index = <lane_int>x.indices[i]
        e[n].value = number(x, x.values, i)
        n += e[n].value != 0
    e[n].index = LAST_INDEX
    return n


cdef inline Py_ssize_t count_row(const examples* x, Py_ssize_t row) noexcept nogil:
    """Non-zeros of a dense row."""
    cdef Py_ssize_t k, n = 0, first = row * x.n_in
    cdef const unsigned char* bytes_ = <const unsigned char*>x.values + first
    cdef const float* floats = <const float*>x.values + first
    cdef const double* doubles = <const double*>x.values + first
    if x.kind == UINT8:
        for k in range(x.n_in):
            n += bytes_[k] != 0
    elif x.kind == FLOAT32:
        for k in range(x.n_in):
            n += floats[k] != 0
    else:
        for k in range(x.n_in):
            n += doubles[k] != 0
    return n


cdef inline Py_ssize_t number_size(const examples* x) noexcept nogil:
    """Bytes of a number as it lies in `values`."""
    return 1 if x.kind == UINT8 else (4 if x.kind == FLOAT32 else 8)


cdef inline Py_ssize_t packed_number_size(const examples* x) noexcept nogil:
    return 1 if x.kind == UINT8 else sizeof(real)


cdef inline void pack_row(const examples* x, Py_ssize_t row, real* numbers_, entry* e,
                          uint16_t* indices, char* values) noexcept nogil:
    """The non-zeros of a dense row, at the start of `indices` and `values`; scratch before them."""
    cdef Py_ssize_t i, n
    cdef examples unscaled = x[0]
    unscaled.scale = 1
    read_dense(&unscaled, row, numbers_)
    n = compress_row(numbers_, x.n_in, e)
    for i in range(n):
        indices[i] = <uint16_t>e[i].index
    if x.kind == UINT8:
        for i in range(n):
            (<unsigned char*>values)[i] = <unsigned char>e[i].value
    else:
        for i in range(n):
            (<real*>values)[i] = e[i].value


cdef inline address_range* place_of(const examples* x, Py_ssize_t row, address_range* s) noexcept nogil:
    """Where a row lies: one range of memory or two; returns the place behind them."""
    cdef Py_ssize_t first = row * x.n_in, n = x.n_in, size = number_size(x)
    cdef const void* values = x.values
    if x.packed_indices != NULL:
        first = x.packed_pointers[row]
        n = x.packed_pointers[row + 1] - first
        values = x.packed_values
        size = packed_number_size(x)
        s.first = <const char*>(x.packed_indices + first)
        s.last = s.first + 2 * n
        s += 1
    elif x.indices != NULL:
        first = x.pointers[row]
        n = x.pointers[row + 1] - first
        s.first = <const char*>(x.indices + first)
        s.last = s.first + 4 * n
        s += 1
    s.first = <const char*>values + first * size
    s.last = s.first + n * size
    return s + 1


cdef inline double density(const examples* x, Py_ssize_t n_looked) noexcept nogil:
    """The fraction of non-zeros among n_looked rows spread evenly over all."""
    cdef Py_ssize_t i, n_nonzeros = 0
    if x.indices != NULL:
        return 0
    for i in range(n_looked):
        n_nonzeros += count_row(x, i * x.n_rows // n_looked)
    return <double>n_nonzeros / max(1, n_looked * x.n_in)


cdef inline void count_rows(const examples* x, int64_t* pointers, int part, int n_parts) noexcept nogil:
    """Non-zeros of this thread's rows, row r's at pointers[r + 1]."""
    cdef Py_ssize_t r
    for r in range(x.n_rows * part // n_parts, x.n_rows * (part + 1) // n_parts):
        pointers[r + 1] = count_row(x, r)


cdef inline uint64_t content_of(const examples* x, Py_ssize_t row, real* scratch,
                                entry* e) noexcept nogil:
    """A number that depends on the row's numbers and their columns, however they are stored."""
    cdef Py_ssize_t i
    cdef uint64_t bits = 0, total = 0
    for i in range(read_list(x, row, scratch, e)):
        memcpy(&bits, &e[i].value, sizeof(real))
        total += mixed_key(bits, e[i].index)
    return total


cdef inline void take_contents(const examples* x, uint64_t* contents, char* scratch, int part,
                               int n_parts) noexcept nogil:
    """The content of this thread's rows; `scratch` has `pack_scratch` bytes for each thread."""
    cdef entry* e = <entry*>(scratch + part * pack_scratch(x))
    cdef real* row = <real*>(e + x.n_in + 2 * WIDTH)
    cdef Py_ssize_t r
    for r in range(x.n_rows * part // n_parts, x.n_rows * (part + 1) // n_parts):
        contents[r] = content_of(x, r, row, e)


cdef inline Py_ssize_t packed_size(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    """Bytes of n packed numbers, with room behind them for a vector, a multiple of 8."""
    return ((n + WIDTH) * size + 7) // 8 * 8


cdef inline void pack_rows(const examples* x, const int64_t* pointers, char* scratch,
                           int part, int n_parts) noexcept nogil:
    """This thread's rows behind the pointers: first all values, then all indices.

    `scratch` has `pack_scratch` bytes for each thread.
    """
    cdef Py_ssize_t r, size = packed_number_size(x)
    cdef char* values = <char*>(pointers + x.n_rows + 1)
    cdef uint16_t* indices = <uint16_t*>(values + packed_size(pointers[x.n_rows], size))
    cdef entry* e = <entry*>(scratch + part * pack_scratch(x))
    cdef real* row = <real*>(e + x.n_in + 2 * WIDTH)
    for r in range(x.n_rows * part // n_parts, x.n_rows * (part + 1) // n_parts):
        pack_row(x, r, row, e, indices + pointers[r], values + pointers[r] * size)


cdef inline Py_ssize_t pack_scratch(const examples* x) noexcept nogil:
    """Bytes for one row as numbers and as entries."""
    return (x.n_in + 2 * WIDTH) * <Py_ssize_t>(sizeof(entry) + sizeof(real)) // 64 * 64 + 64
