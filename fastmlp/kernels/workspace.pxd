"""The memory map of a pass through the network: one block, laid out once.

A chunk of at most n_rows examples passes at a time; nothing is allocated while it does.

    of each layer l      a(l) and δ(l), (n_rows, n) as batch matrices (matrices.pxd); δ(l)'s place
                         holds f'(z(l)) from the forward pass until the hidden delta overwrites it
    of each thread       scratch: blocks of products, one example, sparse rows
    of all threads       costs, a row of zeros, distorted images, norms, seconds by phase

Each thread compresses sparse rows for itself, since making them twice costs less than to fetch them
from the other core's cache.  For the same reason each thread gathers the whole input for itself,
unless products read it where it lies.  engine.pyx allocates the memory, zeroed, and calls
`lay_out`; the kernels only read the pointers.
"""
from libc.stdint cimport uint64_t
from .batch_norm cimport batch_norm_values
from .matrices cimport grouped, matrix, matrix_size, max_group_starts, row_stride, ungrouped
from .panels cimport layer, padded, panel_columns
from .prefetch cimport address_range, prefetch_queue
from .sparse_rows cimport sparse_rows
from .team cimport seconds_now
from .vector cimport SPARSE_BLOCK_BYTES, WIDTH, entry, real

cdef enum:
    GRADIENT_ROWS = 64          # rows of a weight panel whose gradient is formed at a time

cdef enum phase:                # what the time of thread 0 is recorded for
    GATHERING
    COMPRESSING
    FORWARD
    OUTPUT
    DELTA
    GRADIENT
    WAITING
    N_PHASES

cdef struct sparsity:           # one thread's sparse rows of a batch matrix
    bint possible               # zeros can occur, and the product that reads them is wide enough
    bint used                   # in the current batch
    sparse_rows rows, columns   # of the matrix, and of its transpose


cdef struct activation_layer:   # l = 0 (input) … n_layers (output), shared by all threads
    Py_ssize_t n                # units
    Py_ssize_t n_terms          # of the sums that make z: units of the layer below, 0 for the input
    matrix a, delta
    batch_norm_values norm      # where the layer is normalized


cdef struct scratch:            # of one thread
    activation_layer input      # layer 0 with an a(1) of the thread's own and the shared δ(1)
    real* packed                # a block of Wᵀ
    real* block                 # a block of δ or of a gradient, before it is finished
    real* row                   # one example
    real* columns               # rows of X before they are encoded: see encodings.pxd
    real* waves                 # (n_waves, wave_stride) outputs of periodic encodings
    Py_ssize_t wave_stride
    real* encoded               # e(x) of one column
    real* distortion            # for distorting an image
    real* example_weights       # (n_rows,) relative weights w: see batch_norm.pxd
    uint64_t* row_hashes        # (n_rows,) see `examples` in inputs.pxd
    const entry** cursors       # into sparse rows
    address_range* ranges       # where the rows of the next chunk lie, and
    prefetch_queue next_examples    # which of them are still to be prefetched
    entry** ends                # of the sparse rows of a transpose, while they are made
    sparsity* zeros             # of a(l), for each layer
    sparsity* delta_zeros       # of δ(l), for each layer


cdef struct workspace:
    Py_ssize_t n_rows           # capacity
    int n_layers, n_threads
    bint input_delta            # whether δ of the input is wanted
    Py_ssize_t n_columns, n_waves   # of X, where its columns are encoded: see encodings.pxd
    Py_ssize_t n_encoding       # numbers of the encodings' parameters
    real* encoding_sums         # their gradient, summed over a batch
    Py_ssize_t distortion_size  # numbers of scratch for distorting an image; 0: none is distorted
    activation_layer* activations
    scratch* threads
    sparsity* sparsity          # of every thread, one after the other
    Py_ssize_t* group_starts    # first columns of the groups of each layer: see matrices.pxd
    real* zeros                 # a row of zeros, two panels wide
    matrix images               # the distorted input, which all threads make together; or none
    real* squares               # for each column of each layer: see norms.pxd
    double* costs               # for each example
    int changed                 # OUT what the arrays' owner has changed: see inputs.pxd
    bint overflowed             # OUT running statistics are not finite any more
    double* laps                # seconds of thread 0 by phase and layer: see `lap`
    double lap_start


cdef inline activation_layer* activations_of(workspace* w, int part, int l) noexcept nogil:
    """The activations of layer l as this thread sees them: its input may be its own."""
    return &w.threads[part].input if l == 0 else &w.activations[l]


cdef inline void lap(workspace* w, int part, phase p, int l) noexcept nogil:
    """Add the time since the last call to phase p of layer l, in thread 0."""
    cdef double now
    if part == 0:
        now = seconds_now()
        w.laps[<int>p * w.n_layers + l] += now - w.lap_start
        w.lap_start = now


cdef inline void* reserve(char* base, Py_ssize_t* used, Py_ssize_t size) noexcept nogil:
    """The next `size` bytes on cache lines of their own; NULL while only counting."""
    cdef Py_ssize_t place = used[0]
    used[0] += (size + 63) // 64 * 64
    return NULL if base == NULL else base + place


cdef inline sparse_rows lay_sparse_rows(char* base, Py_ssize_t* used, Py_ssize_t n,
                                        Py_ssize_t capacity) noexcept nogil:
    """Memory for n sparse rows of up to `capacity` entries, the end mark included."""
    cdef sparse_rows x
    x.capacity = capacity
    x.density = 1
    x.entries = <entry*>reserve(base, used, n * capacity * <Py_ssize_t>sizeof(entry))
    return x


cdef inline void lay_rows(matrix* x, Py_ssize_t n_rows, Py_ssize_t* used,
                          char* base) noexcept nogil:
    """Set the pointers to the rows of x, through which products read them."""
    cdef Py_ssize_t r
    x.rows = <const real**>reserve(base, used, n_rows * <Py_ssize_t>sizeof(real*))
    if base != NULL:
        for r in range(n_rows):
            x.rows[r] = x.values + r * x.stride


cdef inline void lay_thread(workspace* w, scratch* own, Py_ssize_t* used, Py_ssize_t widest,
                            Py_ssize_t max_in_row, bint backward, char* base) noexcept nogil:
    """One thread's scratch; `possible` of its sparse rows has been set."""
    cdef Py_ssize_t size = sizeof(real), n, rows = max(w.n_rows, <Py_ssize_t>GRADIENT_ROWS)
    cdef int l
    cdef sparsity* s
    own.packed = <real*>reserve(base, used,
                                2 * SPARSE_BLOCK_BYTES + WIDTH * 2 * panel_columns() * size)
    own.block = <real*>reserve(base, used, rows * 2 * panel_columns() * size)
    own.row = <real*>reserve(base, used, widest * size)
    own.columns = <real*>reserve(base, used, w.n_rows * padded(w.n_columns) * size)
    own.wave_stride = row_stride(w.n_rows)
    own.waves = <real*>reserve(base, used, w.n_waves * own.wave_stride * size)
    own.encoded = <real*>reserve(base, used, widest * size if w.n_columns > 0 else 0)
    own.distortion = <real*>reserve(base, used, w.distortion_size * size)
    own.example_weights = <real*>reserve(base, used, w.n_rows * size)
    own.row_hashes = <uint64_t*>reserve(base, used, w.n_rows * <Py_ssize_t>sizeof(uint64_t))
    own.input = w.activations[0]
    if w.distortion_size > 0:
        own.input.a = w.images
    elif not own.zeros[0].used:     # an input in sparse rows is never written out
        own.input.a.values = <real*>reserve(base, used, w.n_rows * own.input.a.stride * size)
        lay_rows(&own.input.a, w.n_rows, used, base)
    own.cursors = <const entry**>reserve(base, used, rows * <Py_ssize_t>sizeof(entry*))
    own.ranges = <address_range*>reserve(base, used, 2 * rows * <Py_ssize_t>sizeof(address_range))
    own.ends = <entry**>reserve(base, used, widest * <Py_ssize_t>sizeof(entry*))
    for l in range(w.n_layers):
        n = w.activations[l].n
        s = &own.zeros[l]
        if s.possible:
            # room for the vector that compress writes after the last entry
            s.rows = lay_sparse_rows(base, used, w.n_rows,
                               (max_in_row if l == 0 else padded(n)) + WIDTH + 1)
            if backward:
                s.columns = lay_sparse_rows(base, used, n, w.n_rows + 1)
        s = &own.delta_zeros[l]
        if s.possible and backward:
            s.rows = lay_sparse_rows(base, used, w.n_rows, padded(n) + WIDTH + 1)


cdef inline Py_ssize_t lay_out(workspace* w, const layer* layers, Py_ssize_t max_in_row,
                               bint backward, char* base) noexcept nogil:
    """Set every pointer of the workspace into `base`; returns the bytes needed.

    With `base` NULL the bytes are only counted.  The capacity, counts, flags, `group_starts` and
    each thread's `possible` and `used` have been set.  With `backward` there is room for training.
    """
    cdef Py_ssize_t used = 0, n, room, widest = 0, n_squares = 0, size = sizeof(real)
    cdef int l, t
    cdef activation_layer* v
    for l in range(w.n_layers + 1):
        v = &w.activations[l]
        n = layers[0].n_in if l == 0 else layers[l - 1].n_out
        v.n = n
        v.n_terms = layers[l - 1].n_in if l > 0 else 0
        widest = max(widest, row_stride(n))
        v.a = v.delta = ungrouped(NULL, n)
        if l < w.n_layers and w.n_threads > 1:      # the threads write it by columns
            v.delta = grouped(n, v.n_terms, w.n_rows, w.n_threads,
                              w.group_starts + l * max_group_starts(w.n_threads))
        if l > 0:       # but a(1) is read or made as a whole
            v.a = v.delta
        v.norm.u_hat = v.a
        room = matrix_size(&v.delta, w.n_rows) * size
        if l > 0:
            v.a.values = <real*>reserve(base, &used, room)
            lay_rows(&v.a, w.n_rows, &used, base)
        if l > 0 or w.input_delta:
            v.delta.values = <real*>reserve(base, &used, room)
            lay_rows(&v.delta, w.n_rows, &used, base)
        if l > 0 and layers[l - 1].scale > 0 and backward:
            v.norm.u_hat.values = <real*>reserve(base, &used, room)
            v.norm.inverse = <real*>reserve(base, &used, padded(n) * size)
            v.norm.sum_delta = <real*>reserve(base, &used, padded(n) * size)
            v.norm.sum_delta_u_hat = <real*>reserve(base, &used, padded(n) * size)
        n_squares += padded(n)
    w.zeros = <real*>reserve(base, &used, 2 * panel_columns() * size)
    w.images = ungrouped(NULL, layers[0].n_in)
    if w.distortion_size > 0:
        w.images.values = <real*>reserve(base, &used, w.n_rows * w.images.stride * size)
        lay_rows(&w.images, w.n_rows, &used, base)
    w.squares = <real*>reserve(base, &used, n_squares * size)
    w.encoding_sums = <real*>reserve(base, &used, w.n_encoding * size if backward else 0)
    w.costs = <double*>reserve(base, &used, w.n_rows * <Py_ssize_t>sizeof(double))
    w.laps = <double*>reserve(base, &used, N_PHASES * w.n_layers * <Py_ssize_t>sizeof(double))
    for t in range(w.n_threads):
        lay_thread(w, &w.threads[t], &used, widest, max_in_row, backward, base)
    return used
