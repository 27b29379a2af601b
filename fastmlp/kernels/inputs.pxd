"""The user's examples as they lie in memory, and the reading of one row.

    read_dense     a row as n_in numbers of this build, padded with zeros to whole vectors
    read_sparse    a row as a sparse row: (index, value) of its non-zeros, then LAST_INDEX
    read_bytes     a row of bytes as it is

float32, float64, uint8 (times a scale) and CSR rows are converted when they are read, while a batch
is gathered (step.pxd).  `Engine.pack` packs dense rows with many zeros, if that takes less memory
than the rows themselves: every thread then reads less memory for its sparse rows.  engine.pyx
fills the structs from checked arrays, of which only large ones may hold numbers that are not finite,
which `is_finite` finds; CSR indices are ascending in each row, without duplicates.
"""
from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t
from libc.string cimport memcpy
from .prefetch cimport LINE, address_range
from .random cimport mixed_key
from .compression cimport compress_row
from .team cimport set_bits
from .vector cimport (LAST_INDEX, REAL_IS_DOUBLE, WIDTH, any_nan, compress_bytes, entry, fused, join,
                      lane_int, load, load_bytes, prefetch_line, real, splat, store, vec)

cdef extern from "memory.h" nogil:
    int32_t read_once(const int32_t* place)

cdef enum:                      # what the owner of the arrays has changed since they were checked
    COLUMNS_CHANGED = 1         # column indices of CSR: out of range, or not ascending in a row
    LABELS_CHANGED = 2          # labels out of range
    ROWS_CHANGED = 4            # the number of non-zeros of a dense row, while it was packed
    CODES_CHANGED = 8           # codes of categories out of range (encodings.pxd)
    NOT_FINITE = 16             # numbers of rows that were not checked before

cdef enum:
    FIRST_LINES = 16            # cache lines that `prefetch_row` requests

cdef enum:
    FLOAT32
    FLOAT64
    UINT8

cdef struct examples:
    int kind                    # element type of `values`
    const void* values          # (n_rows, n_in) in C order, or CSR's data
    const int32_t* indices      # of CSR; NULL: dense
    const int64_t* pointers
    # dense rows with many zeros, packed: as in CSR, but 2 bytes an index; NULL: not packed
    const uint16_t* packed_indices
    const void* packed_values   # uint8 if `values` are, else numbers of this build
    const int64_t* packed_pointers
    const uint64_t* row_hashes  # (n_rows,) equal for rows with equal numbers; or NULL
    bint unchecked              # dense rows are checked for finite numbers as they are read
    Py_ssize_t n_rows, n_in
    real scale                  # factor of uint8
    const real* table           # the number of each byte where products read bytes; or NULL
    Py_ssize_t max_in_row       # largest count of stored numbers in a row


cdef struct targets:
    const int32_t* labels       # (n_rows,) class of each example; or NULL, and
    const real* values          # (n_rows, n_columns)
    Py_ssize_t n_columns        # one for each output, or one for all quantiles of a target
    const real* weights         # (n_rows,) sample weights, or NULL: all 1


cdef inline real number(const examples* x, const void* values, Py_ssize_t place) noexcept nogil:
    """The number at a place of `values`, whose element type is that of x."""
    if x.kind == FLOAT32:
        return <real>(<const float*>values)[place]
    if x.kind == FLOAT64:
        return <real>(<const double*>values)[place]
    return <real>(<const unsigned char*>values)[place] * x.scale


cdef inline int own_kind() noexcept nogil:
    """The element type of this build."""
    return FLOAT64 if REAL_IS_DOUBLE else FLOAT32


cdef inline vec numbers(const examples* x, int kind, const void* values,
                        Py_ssize_t place) noexcept nogil:
    """A vector of numbers at a place of `values`, which has room for a whole vector there."""
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


cdef inline void read_bytes(const examples* x, Py_ssize_t row,
                            unsigned char* target) noexcept nogil:
    """One row of bytes as they are."""
    memcpy(target, <const unsigned char*>x.values + row * x.n_in, x.n_in)


cdef inline bint is_finite(const real* numbers, Py_ssize_t n) noexcept nogil:
    """Whether all of n numbers are finite: 0 · number is NaN where that is not."""
    cdef vec sums[4]
    cdef real rest = 0
    cdef Py_ssize_t k = 0
    cdef int i
    for i in range(4):
        sums[i] = splat(0)
    while k + 4 * WIDTH <= n:
        for i in range(4):
            sums[i] = fused(load(numbers + k + i * WIDTH), splat(0), sums[i])
        k += 4 * WIDTH
    while k + WIDTH <= n:
        sums[0] = fused(load(numbers + k), splat(0), sums[0])
        k += WIDTH
    while k < n:
        rest += 0 * numbers[k]
        k += 1
    return rest == 0 and not any_nan(sums[0] + sums[1] + sums[2] + sums[3])


cdef inline Py_ssize_t read_sparse(const examples* x, Py_ssize_t row, real* scratch,
                                   entry* e, int* changed) noexcept nogil:
    """One row as a sparse row; returns its count of non-zeros.  `scratch` has room for a row.

    The arrays of CSR belong to their user: each index is checked where it is read, so that a row
    has at most n_in entries, each of a column, whatever the arrays hold by now.
    """
    cdef Py_ssize_t i, first, n = 0
    cdef int32_t index, before = -1
    if x.packed_indices != NULL:
        first = x.packed_pointers[row]
        n = x.packed_pointers[row + 1] - first
        i = 0
        while i < n:
            join(x.packed_indices + first + i,
                 numbers(x, UINT8 if x.kind == UINT8 else own_kind(), x.packed_values, first + i),
                 e + i)
            i += WIDTH
        e[n].index = LAST_INDEX
        return n
    if x.indices == NULL and x.kind == UINT8:
        n = compress_bytes(<const unsigned char*>x.values + row * x.n_in, x.n_in, x.scale, e)
        e[n].index = LAST_INDEX
        return n
    if x.indices == NULL:
        read_dense(x, row, scratch)
        if x.unchecked and not is_finite(scratch, x.n_in):
            set_bits(changed, NOT_FINITE)
        return compress_row(scratch, x.n_in, e)
    for i in range(x.pointers[row], x.pointers[row + 1]):
        index = read_once(x.indices + i)
        if not before < index < x.n_in:
            set_bits(changed, COLUMNS_CHANGED)
            continue
        before = index
        e[n].index = <lane_int>index
        e[n].value = number(x, x.values, i)
        n += e[n].value != 0
    e[n].index = LAST_INDEX
    return n


cdef inline Py_ssize_t count_row(const examples* x, Py_ssize_t row) noexcept nogil:
    """The count of non-zeros of a dense row."""
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
    """Bytes of one number of `values`."""
    return 1 if x.kind == UINT8 else (4 if x.kind == FLOAT32 else 8)


cdef inline Py_ssize_t packed_number_size(const examples* x) noexcept nogil:
    """Bytes of one number of `packed_values`."""
    return 1 if x.kind == UINT8 else sizeof(real)


cdef inline bint pack_row(const examples* x, Py_ssize_t row, real* numbers_, entry* e,
                          uint16_t* indices, char* values, Py_ssize_t room) noexcept nogil:
    """Pack the non-zeros of a dense row into `indices`, `values`; `numbers_`, `e` are scratch.

    False, and nothing is packed, if they are not `room` any more.
    """
    cdef Py_ssize_t i, n
    if x.kind == UINT8:
        n = compress_bytes(<const unsigned char*>x.values + row * x.n_in, x.n_in, 1, e)
    else:
        read_dense(x, row, numbers_)
        n = compress_row(numbers_, x.n_in, e)
    if n != room:
        return False
    for i in range(n):
        indices[i] = <uint16_t>e[i].index
    if x.kind == UINT8:
        for i in range(n):
            (<unsigned char*>values)[i] = <unsigned char>e[i].value
    else:
        for i in range(n):
            (<real*>values)[i] = e[i].value
    return True


cdef inline address_range* row_ranges(const examples* x, Py_ssize_t row,
                                      address_range* r) noexcept nogil:
    """Where a row lies, as one address range or two from r on; returns their end."""
    cdef Py_ssize_t first = row * x.n_in, n = x.n_in, size = number_size(x)
    cdef const void* values = x.values
    if x.packed_indices != NULL:
        first = x.packed_pointers[row]
        n = x.packed_pointers[row + 1] - first
        values = x.packed_values
        size = packed_number_size(x)
        r.first = <const char*>(x.packed_indices + first)
        r.last = r.first + 2 * n
        r += 1
    elif x.indices != NULL:
        first = x.pointers[row]
        n = x.pointers[row + 1] - first
        r.first = <const char*>(x.indices + first)
        r.last = r.first + 4 * n
        r += 1
    r.first = <const char*>values + first * size
    r.last = r.first + n * size
    return r + 1


cdef inline void prefetch_row(const examples* x, Py_ssize_t row) noexcept nogil:
    """Prefetch the first cache lines of a row; the hardware prefetcher follows with the rest."""
    cdef address_range ranges[2]
    cdef const address_range* end = row_ranges(x, row, ranges)
    cdef const address_range* r = ranges
    cdef const char* line
    while r < end:
        line = r.first
        while line < min(r.last, r.first + FIRST_LINES * LINE):
            prefetch_line(line)
            line += LINE
        r += 1


cdef inline double density(const examples* x, Py_ssize_t n_sampled) noexcept nogil:
    """The fraction of non-zeros among n_sampled rows, evenly spaced."""
    cdef Py_ssize_t i, n_nonzeros = 0
    if x.indices != NULL:
        return 0
    for i in range(n_sampled):
        n_nonzeros += count_row(x, i * x.n_rows // n_sampled)
    return <double>n_nonzeros / max(1, n_sampled * x.n_in)


cdef inline void count_rows(const examples* x, int64_t* pointers, int part,
                            int n_parts) noexcept nogil:
    """The count of non-zeros of each of this thread's rows r, into pointers[r + 1]."""
    cdef Py_ssize_t r
    for r in range(x.n_rows * part // n_parts, x.n_rows * (part + 1) // n_parts):
        pointers[r + 1] = count_row(x, r)


cdef inline Py_ssize_t pack_scratch(const examples* x) noexcept nogil:
    """Bytes for one row as numbers and as a sparse row."""
    return (x.n_in + 2 * WIDTH) * <Py_ssize_t>(sizeof(entry) + sizeof(real)) // 64 * 64 + 64


cdef inline uint64_t row_hash(const examples* x, Py_ssize_t row, real* scratch,
                              entry* e) noexcept nogil:
    """A hash of the row's non-zeros and their columns, however they are stored."""
    cdef Py_ssize_t i
    cdef uint64_t bits = 0, total = 0
    cdef int changed = 0        # the pass that follows finds it too
    for i in range(read_sparse(x, row, scratch, e, &changed)):
        memcpy(&bits, &e[i].value, sizeof(real))
        total += mixed_key(bits, e[i].index)
    return total


cdef inline void hash_rows(const examples* x, uint64_t* hashes, char* scratch, int part,
                           int n_parts) noexcept nogil:
    """The hashes of this thread's rows; `scratch` has `pack_scratch` bytes for each thread."""
    cdef entry* e = <entry*>(scratch + part * pack_scratch(x))
    cdef real* row = <real*>(e + x.n_in + 2 * WIDTH)
    cdef Py_ssize_t r
    for r in range(x.n_rows * part // n_parts, x.n_rows * (part + 1) // n_parts):
        hashes[r] = row_hash(x, r, row, e)


cdef inline Py_ssize_t packed_size(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    """Bytes of n packed numbers with room for a vector after them, a multiple of 8."""
    return ((n + WIDTH) * size + 7) // 8 * 8


cdef inline void pack_rows(const examples* x, const int64_t* pointers, char* scratch,
                           int* changed, int part, int n_parts) noexcept nogil:
    """Pack this thread's rows into the memory after the pointers: all values, then all indices.

    `scratch` has `pack_scratch` bytes for each thread.
    """
    cdef Py_ssize_t r, size = packed_number_size(x)
    cdef char* values = <char*>(pointers + x.n_rows + 1)
    cdef uint16_t* indices = <uint16_t*>(values + packed_size(pointers[x.n_rows], size))
    cdef entry* e = <entry*>(scratch + part * pack_scratch(x))
    cdef real* row = <real*>(e + x.n_in + 2 * WIDTH)
    for r in range(x.n_rows * part // n_parts, x.n_rows * (part + 1) // n_parts):
        if not pack_row(x, r, row, e, indices + pointers[r], values + pointers[r] * size,
                        pointers[r + 1] - pointers[r]):
            set_bits(changed, ROWS_CHANGED)
