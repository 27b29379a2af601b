"""The whole memory map of a pass: one block, laid out once, nothing allocated inside.

For a chunk of m examples and each layer l: a(l) and δ(l) as matrices (δ(l)'s place holds
f'(z(l)) from the forward pass until the hidden delta overwrites it).  Each thread has scratch
of its own, with its own lists of non-zeros where they can pay: to make them twice costs less
than to pull them over from the other core's cache.  For the same reason each gathers the whole
input for itself, where it has to be written out.  The memory comes zeroed.
"""
from libc.stdint cimport uint64_t
from .prefetch cimport prefetch_queue, address_range
from .matrices cimport grouped, matrix, matrix_size, most_starts, plain, row_stride
from .panels cimport layer, padded, panel_columns
from .sparse_rows cimport sparse_rows
from .team cimport seconds_now
from .vector cimport SPARSE_BLOCK_BYTES, WIDTH, entry, real

cdef enum:
    GRADIENT_ROWS = 64          # rows of a weight panel whose gradient is formed at a time

cdef enum phase:                # what thread 0's time is booked on
    GATHERING
    LISTING
    FORWARD
    OUTPUT
    DELTA
    GRADIENT
    WAITING
    N_PHASES

cdef struct skipping:           # one thread's lists of a batch matrix, and whether they pay
    bint possible               # zeros can occur and the product behind is wide enough
    bint used                   # by the last batch
    sparse_rows rows, columns


cdef struct level:              # l = 0 (input) … n_layers (output), shared by all threads
    Py_ssize_t n
    Py_ssize_t n_terms          # of the sums that make it: units of the level below
    matrix a, delta
    matrix normalized           # û, where the level is normalized, and of its columns
    real* inverse               # 1/√(σ² + ε)
    real* shift                 # Σ δ
    real* scale                 # Σ δ ∘ û


cdef struct scratch:            # of one thread
    level input                 # level 0 with an a(1) of its own, shared δ(1)
    real* packed                # a block of Wᵀ
    real* block                 # a block of δ or of a gradient, before it is finished
    real* row                   # one example
    real* warp                  # what distorting an image takes
    real* shares                # of each example in the batch, by weight: see batch_norm.pxd
    uint64_t* contents          # of each example: see `examples`
    const entry** cursors       # into lists
    address_range* ranges       # where the rows of the next chunk lie, and
    prefetch_queue next_examples    # which of them are still to be prefetched
    entry** fill
    skipping* zeros             # of a(l), by level
    skipping* delta_zeros       # of δ(l), by level


cdef struct workspace:
    Py_ssize_t n_rows           # capacity
    int n_layers, n_threads
    bint input_delta            # δ of the input is wanted too
    Py_ssize_t n_warp           # numbers for distorting an image; 0: images stay as they are
    level* levels
    scratch* threads
    skipping* lists             # every thread's, one behind the other
    Py_ssize_t* starts          # of the groups of columns of each level
    real* zeros                 # a row of two panels
    matrix images               # the distorted input, made by all threads together; or none
    real* squares               # of each column of each level: see norms.pxd
    double* costs               # of each example
    double* laps                # seconds of thread 0 by phase and layer: see `lap`
    double lap_start


cdef inline level* level_of(workspace* w, int part, int l) noexcept nogil:
    """Level l as this thread sees it."""
    return &w.threads[part].input if l == 0 else &w.levels[l]


cdef inline void lap(workspace* w, int part, phase p, int l) noexcept nogil:
    """Book the time since the last call on phase p of layer l."""
    cdef double now
    if part == 0:
        now = seconds_now()
        w.laps[<int>p * w.n_layers + l] += now - w.lap_start
        w.lap_start = now


cdef inline void* take(char* base, Py_ssize_t* used, Py_ssize_t size) noexcept nogil:
    """The next `size` bytes on cache lines of their own; NULL while only counting."""
    cdef Py_ssize_t place = used[0]
    used[0] += (size + 63) // 64 * 64
    return NULL if base == NULL else base + place


cdef inline sparse_rows lay_sparse_rows(char* base, Py_ssize_t* used, Py_ssize_t n,
                            Py_ssize_t capacity) noexcept nogil:
    cdef sparse_rows x
    x.capacity = capacity
    x.density = 1
    x.entries = <entry*>take(base, used, n * capacity * <Py_ssize_t>sizeof(entry))
    return x


cdef inline void lay_rows(matrix* x, Py_ssize_t n_rows, Py_ssize_t* used,
                          char* base) noexcept nogil:
    """Where the rows of x begin, for products to read them."""
    cdef Py_ssize_t r
    x.rows = <const real**>take(base, used, n_rows * <Py_ssize_t>sizeof(real*))
    if base != NULL:
        for r in range(n_rows):
            x.rows[r] = x.values + r * x.stride


cdef inline void lay_thread(workspace* w, scratch* own, Py_ssize_t* used, Py_ssize_t widest,
                            Py_ssize_t most_in_row, bint backward, char* base) noexcept nogil:
    """One thread's scratch; `possible` of its lists is set beforehand."""
    cdef Py_ssize_t size = sizeof(real), n, rows = max(w.n_rows, <Py_ssize_t>GRADIENT_ROWS)
    cdef int l
    cdef skipping* s
    own.packed = <real*>take(base, used, 2 * SPARSE_BLOCK_BYTES + WIDTH * 2 * panel_columns() * size)
    own.block = <real*>take(base, used, rows * 2 * panel_columns() * size)
    own.row = <real*>take(base, used, widest * size)
    own.warp = <real*>take(base, used, w.n_warp * size)
    own.shares = <real*>take(base, used, w.n_rows * size)
    own.contents = <uint64_t*>take(base, used, w.n_rows * <Py_ssize_t>sizeof(uint64_t))
    own.input = w.levels[0]
    if w.n_warp > 0:
        own.input.a = w.images
    elif not own.zeros[0].used:     # an input read as lists is never written out
        own.input.a.values = <real*>take(base, used, w.n_rows * own.input.a.stride * size)
        lay_rows(&own.input.a, w.n_rows, used, base)
    own.cursors = <const entry**>take(base, used, rows * <Py_ssize_t>sizeof(entry*))
    own.ranges = <address_range*>take(base, used, 2 * rows * <Py_ssize_t>sizeof(address_range))
    own.fill = <entry**>take(base, used, widest * <Py_ssize_t>sizeof(entry*))
    for l in range(w.n_layers):
        n = w.levels[l].n
        s = &own.zeros[l]
        if s.possible:
            # room for the vector that compress writes behind the last entry
            s.rows = lay_sparse_rows(base, used, w.n_rows,
                               (most_in_row if l == 0 else padded(n)) + WIDTH + 1)
            if backward:
                s.columns = lay_sparse_rows(base, used, n, w.n_rows + 1)
        s = &own.delta_zeros[l]
        if s.possible and backward:
            s.rows = lay_sparse_rows(base, used, w.n_rows, padded(n) + WIDTH + 1)


cdef inline Py_ssize_t lay_out(workspace* w, const layer* layers, Py_ssize_t most_in_row,
                               bint backward, char* base) noexcept nogil:
    """Set every pointer into `base` (NULL: only count); returns the bytes needed.

    Capacity, counts, flags, `starts` and each thread's `possible` and `used` are set beforehand.
    """
    cdef Py_ssize_t used = 0, n, room, widest = 0, n_squares = 0, size = sizeof(real)
    cdef int l, t
    cdef level* v
    for l in range(w.n_layers + 1):
        v = &w.levels[l]
        n = layers[0].n_in if l == 0 else layers[l - 1].n_out
        v.n = n
        v.n_terms = layers[l - 1].n_in if l > 0 else 0
        widest = max(widest, row_stride(n))
        if 0 < l < w.n_layers and w.n_threads > 1:      # the threads write it by columns
            v.a = grouped(n, v.n_terms, w.n_rows, w.n_threads,
                          w.starts + l * most_starts(w.n_threads))
        else:
            v.a = plain(NULL, n)
        v.delta = v.normalized = v.a
        room = matrix_size(&v.a, w.n_rows) * size
        if l > 0:
            v.a.values = <real*>take(base, &used, room)
            lay_rows(&v.a, w.n_rows, &used, base)
        if l > 0 or w.input_delta:
            v.delta.values = <real*>take(base, &used, room)
            lay_rows(&v.delta, w.n_rows, &used, base)
        if l > 0 and layers[l - 1].scale > 0 and backward:
            v.normalized.values = <real*>take(base, &used, room)
            v.inverse = <real*>take(base, &used, padded(n) * size)
            v.shift = <real*>take(base, &used, padded(n) * size)
            v.scale = <real*>take(base, &used, padded(n) * size)
        n_squares += padded(n)
    w.zeros = <real*>take(base, &used, 2 * panel_columns() * size)
    w.images = plain(NULL, layers[0].n_in)
    if w.n_warp > 0:
        w.images.values = <real*>take(base, &used, w.n_rows * w.images.stride * size)
        lay_rows(&w.images, w.n_rows, &used, base)
    w.squares = <real*>take(base, &used, n_squares * size)
    w.costs = <double*>take(base, &used, w.n_rows * <Py_ssize_t>sizeof(double))
    w.laps = <double*>take(base, &used, N_PHASES * w.n_layers * <Py_ssize_t>sizeof(double))
    for t in range(w.n_threads):
        lay_thread(w, &w.threads[t], &used, widest, most_in_row, backward, base)
    return used
