"""Dropout and Gaussian noise of a layer in training.

    noise    z ← z + σ·N(0, 1)                          before the activation
    dropout  a ← a·r/(1 − p),  f'(z) ← f'(z)·r/(1 − p)  r is 0 with probability p, else 1

This is inverted dropout, so that prediction needs no factor (Srivastava et al. 2014).  δ(l) is
multiplied by f'(z), so a dropped unit has no delta either: it is an exact zero in both matrices,
and sparse rows leave it out.

The random numbers of an example and unit depend on the batch's key, the layer, the example and the
unit, never on a thread (random.h).  A unit is dropped if its 32 random bits, as a number, are less
than p·2³² rounded down: p has a resolution of 2⁻³².  The example is identified by its row in the
batch or by the hash of its numbers (`row_hashes`): then an example that occurs twice gets the same
random numbers both times, like one example of weight 2.  Rows are padded to whole vectors.
dense.pxd calls these functions for hidden layers, step.pxd for the input.
"""
from libc.stdint cimport uint32_t, uint64_t
from .panels cimport clear_padding, layer
from .random cimport bits_at, bits_reach, lane_mask, mixed_key, normal, where
from .vector cimport LAST_INDEX, WIDTH, entry, fused, lane_int, load, real, splat, store, vec

cdef struct random_stream:      # of one layer in one chunk of a batch
    uint64_t key
    uint32_t drop_threshold     # a unit is dropped by this many of 2³² random numbers
    real keep_scale             # 1/(1 − p)
    Py_ssize_t row              # number in the batch of the chunk's first row
    const uint64_t* row_hashes  # of each row of the chunk, in place of its number; or NULL


cdef inline random_stream random_stream_of(uint64_t batch_key, int layer_number, double p,
                                           Py_ssize_t row,
                                           const uint64_t* row_hashes) noexcept nogil:
    cdef random_stream stream
    stream.key = mixed_key(batch_key, layer_number)
    stream.drop_threshold = <uint32_t>(p * 4294967296.0)
    stream.keep_scale = <real>(1 / (1 - p))
    stream.row = row
    stream.row_hashes = row_hashes
    return stream


cdef inline uint64_t row_key(uint64_t key, const random_stream* stream,
                             Py_ssize_t row) noexcept nogil:
    """The key of a row of the chunk, mixed from `key`."""
    return mixed_key(key, stream.row + row if stream.row_hashes == NULL
                     else stream.row_hashes[row])


cdef inline void add_noise(const layer* L, const random_stream* stream, Py_ssize_t row,
                           Py_ssize_t column,
                           real* z, Py_ssize_t z_row,       # IN OUT
                           Py_ssize_t n_rows, int n_vectors) noexcept nogil:
    """z ← z + σ·N(0, 1) over n_rows × n_vectors from (row, column) of the layer on."""
    cdef Py_ssize_t r
    cdef int j
    cdef uint64_t key
    for r in range(n_rows):
        key = row_key(mixed_key(stream.key, 1), stream, row + r)
        for j in range(n_vectors):
            store(z + j * WIDTH, fused(normal(key, <uint32_t>(column + j * WIDTH)),
                                       splat(L.noise), load(z + j * WIDTH)))
        z += z_row


cdef inline void drop(const random_stream* stream, Py_ssize_t row, Py_ssize_t column,
                      real* a, Py_ssize_t a_row,            # IN OUT
                      real* slope, Py_ssize_t slope_row,    # IN OUT f'(z)
                      Py_ssize_t n_rows, int n_vectors) noexcept nogil:
    """a and f'(z), both times r/(1 − p)."""
    cdef Py_ssize_t r
    cdef int j
    cdef uint64_t key
    cdef lane_mask kept
    cdef vec scale = splat(stream.keep_scale)
    for r in range(n_rows):
        key = row_key(stream.key, stream, row + r)
        for j in range(n_vectors):
            kept = bits_reach(key, <uint32_t>(column + j * WIDTH), stream.drop_threshold)
            store(a + j * WIDTH, where(kept, load(a + j * WIDTH) * scale))
            store(slope + j * WIDTH, where(kept, load(slope + j * WIDTH) * scale))
        a += a_row
        slope += slope_row


cdef inline void clear_padding_of_rows(Py_ssize_t n, Py_ssize_t column, real* a,
                                       Py_ssize_t a_row, Py_ssize_t n_rows,
                                       int n_vectors) noexcept nogil:
    """Zeros after the last of the layer's n columns, where sparse rows would find non-zeros.

    `a` begins at `column`.
    """
    cdef Py_ssize_t r
    if column + n_vectors * WIDTH > n:
        for r in range(n_rows):
            clear_padding(a + r * a_row, n - column)


cdef inline void drop_dense(const random_stream* stream, Py_ssize_t row,
                            real* a,                        # IN OUT
                            Py_ssize_t n) noexcept nogil:
    """Dropout of one row of the input."""
    cdef uint64_t key = row_key(stream.key, stream, row)
    cdef lane_mask kept
    cdef Py_ssize_t k = 0
    while k < n:
        kept = bits_reach(key, <uint32_t>k, stream.drop_threshold)
        store(a + k, where(kept, load(a + k) * splat(stream.keep_scale)))
        k += WIDTH


cdef inline Py_ssize_t drop_sparse(const random_stream* stream, Py_ssize_t row,
                                   entry* e                 # IN OUT
                                   ) noexcept nogil:
    """Dropout of one sparse row of the input; returns how many entries are left."""
    cdef uint64_t key = row_key(stream.key, stream, row)
    cdef Py_ssize_t i = 0, n = 0
    cdef lane_int index
    while e[i].index != LAST_INDEX:
        index = e[i].index
        e[n].index = index
        e[n].value = e[i].value * stream.keep_scale
        n += bits_at(key, <uint32_t>index) >= stream.drop_threshold
        i += 1
    e[n].index = LAST_INDEX
    return n
