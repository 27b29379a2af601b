"""Dropout and Gaussian noise of a level in training.

    noise    z ← z + σ·N(0, 1)                          before the activation
    dropout  a ← a·r/(1 − p),  f'(z) ← f'(z)·r/(1 − p)  r is 0 with probability p, else 1

Inverted dropout: nothing is left to do in prediction (Srivastava et al. 2014).  Since δ(l) takes
its factor from f'(z) as it finds it, a dropped unit has no delta either: an exact zero in both
matrices, which lists of non-zeros skip.  Draws depend on the batch's key, the level, the example
and the unit, never on a thread (random.h).  The example is told by its row in the batch, or by
its content: then a repeated one draws what one with a weight does.
"""
from libc.stdint cimport uint32_t, uint64_t
from .losses cimport clear_padding
from .panels cimport layer
from .random cimport bits_at, kept, mixed_key, normal
from .vector cimport LAST_INDEX, WIDTH, entry, fused, lane_int, load, real, splat, store

cdef struct draws:              # of one level in one batch
    uint64_t key
    Py_ssize_t row              # in the batch of the level's first row
    const uint64_t* contents    # a number for each of the level's rows, in place of that; or NULL


cdef inline draws draws_of(uint64_t batch_key, int level, Py_ssize_t row,
                           const uint64_t* contents) noexcept nogil:
    cdef draws d
    d.key = mixed_key(batch_key, level)
    d.row = row
    d.contents = contents
    return d


cdef inline uint64_t row_key(uint64_t key, const draws* d, Py_ssize_t row) noexcept nogil:
    """The key of a row of the level."""
    return mixed_key(key, d.row + row if d.contents == NULL else d.contents[row])


cdef inline void add_noise(const layer* L, const draws* d, Py_ssize_t row, Py_ssize_t column,
                           real* z, Py_ssize_t z_row, Py_ssize_t n_rows,
                           int n_vectors) noexcept nogil:
    """z ← z + σ·N(0, 1) over n_rows × n_vectors from (row, column) of the level on."""
    cdef Py_ssize_t r
    cdef int j
    cdef uint64_t key
    for r in range(n_rows):
        key = row_key(mixed_key(d.key, 1), d, row + r)
        for j in range(n_vectors):
            store(z + j * WIDTH, fused(normal(key, <uint32_t>(column + j * WIDTH)),
                                       splat(L.noise), load(z + j * WIDTH)))
        z += z_row


cdef inline void drop(const layer* L, const draws* d, Py_ssize_t row, Py_ssize_t column,
                      real* a, Py_ssize_t a_row, real* slope, Py_ssize_t slope_row,
                      Py_ssize_t n_rows, int n_vectors) noexcept nogil:
    """a and f'(z) ← the same times r/(1 − p)."""
    cdef Py_ssize_t r
    cdef int j
    cdef uint64_t key
    cdef uint32_t place
    for r in range(n_rows):
        key = row_key(d.key, d, row + r)
        for j in range(n_vectors):
            place = <uint32_t>(column + j * WIDTH)
            store(a + j * WIDTH, kept(load(a + j * WIDTH), key, place, L.dropped, L.kept_scale))
            store(slope + j * WIDTH,
                  kept(load(slope + j * WIDTH), key, place, L.dropped, L.kept_scale))
        a += a_row
        slope += slope_row


cdef inline void blank_padding(Py_ssize_t n, Py_ssize_t column, real* a, Py_ssize_t a_row,
                               Py_ssize_t n_rows, int n_vectors) noexcept nogil:
    """Zeros behind the last of n columns, where lists would look for non-zeros."""
    cdef Py_ssize_t r
    if column + n_vectors * WIDTH > n:
        for r in range(n_rows):
            clear_padding(a + r * a_row, n - column)


cdef inline void drop_dense(uint32_t dropped, real kept_scale, const draws* d, Py_ssize_t row,
                            real* a, Py_ssize_t n) noexcept nogil:
    """One row of the input, padded to whole vectors."""
    cdef uint64_t key = row_key(d.key, d, row)
    cdef Py_ssize_t k = 0
    while k < n:
        store(a + k, kept(load(a + k), key, <uint32_t>k, dropped, kept_scale))
        k += WIDTH


cdef inline Py_ssize_t drop_list(uint32_t dropped, real kept_scale, const draws* d,
                                 Py_ssize_t row, entry* e) noexcept nogil:
    """One row of the input as a list; how many entries are left."""
    cdef uint64_t key = row_key(d.key, d, row)
    cdef Py_ssize_t i = 0, n = 0
    cdef lane_int index
    while e[i].index != LAST_INDEX:
        index = e[i].index
        e[n].index = index
        e[n].value = e[i].value * kept_scale
        n += bits_at(key, <uint32_t>index) >= dropped
        i += 1
    e[n].index = LAST_INDEX
    return n
