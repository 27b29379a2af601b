"""The density below which the sparse product is faster than the dense one, measured.

The dense tile runs at the rate of the fused multiply-adds, the sparse product at that of the loads
from L1, and processors differ in the ratio of the two: 0.79 on one with one 512-bit multiply-add a
cycle (Zen 4), 0.6 on one with two (Zen 5).  Both products are timed here once on the same small
block: x of ROWS × INPUTS, P of two panels.  engine.pyx calls `break_even` at its first use.
"""
from .operands cimport adjacent_panels, operand, panel_pair, stacked_panels
from .sparse_rows cimport blocked_sparse_product, sparse_rows
from .team cimport seconds_now
from .tile cimport product
from .vector cimport LAST_INDEX, PANEL_VECTORS, WIDTH, entry, lane_int, real

cdef enum:
    ROWS = 60                   # a multiple of the rows of every tile
    INPUTS = 64
    REPEATS = 30

cdef extern from *:
    """
    #define COMPRESSION_FACTOR 0.8 /* making sparse rows takes a fifth of the product's time */
    """
    const double COMPRESSION_FACTOR

cdef struct trial:              # memory for vectors of up to 64 numbers
    real x[ROWS * INPUTS]
    const real* x_rows[ROWS]
    real panels[2 * INPUTS * 64 * 4]
    real c[ROWS * 64 * 8]
    entry entries[ROWS * (INPUTS + 1)]
    const entry* cursors[ROWS]
    real zeros[64 * 8]


cdef inline Py_ssize_t random_sparse_rows(sparse_rows* x, unsigned int* state) noexcept nogil:
    """Rows of which about half the numbers are 1 and the others 0; returns the count of ones."""
    cdef Py_ssize_t r, k, n_nonzeros = 0
    cdef entry* e
    for r in range(ROWS):
        e = x.entries + r * x.capacity
        for k in range(INPUTS):
            state[0] = state[0] * 1664525 + 1013904223
            if state[0] >> 31:
                e.index = <lane_int>k
                e.value = 1
                e += 1
                n_nonzeros += 1
        e.index = LAST_INDEX
    return n_nonzeros


cdef inline double break_even(trial* t) noexcept nogil:
    """That density, between 0 and 1; `t` is zeroed memory."""
    cdef int n_vectors = 2 * PANEL_VECTORS
    cdef panel_pair P = stacked_panels(t.panels, INPUTS, n_vectors)
    cdef panel_pair start = adjacent_panels(t.zeros, 0, n_vectors)
    cdef panel_pair C = adjacent_panels(t.c, n_vectors * WIDTH, n_vectors)
    cdef double began, dense_time = 1e9, sparse_time = 1e9      # of one multiply-add of rows of P
    cdef unsigned int state = 1
    cdef Py_ssize_t r, k, n_nonzeros
    cdef operand x
    cdef sparse_rows sparse
    sparse.entries = t.entries
    sparse.capacity = INPUTS + 1
    sparse.density = 0.5
    for k in range(INPUTS * n_vectors * WIDTH):     # so that each page of P is in memory
        t.panels[k] = <real>0.5
    for k in range(ROWS * INPUTS):
        t.x[k] = 1
    for r in range(ROWS):
        t.x_rows[r] = t.x + r * INPUTS
    x.rows = t.x_rows
    x.column = 0
    x.transposed = False
    for k in range(REPEATS):
        # another pattern each time, or the branch predictor would learn it
        n_nonzeros = random_sparse_rows(&sparse, &state)
        began = seconds_now()
        product(x, INPUTS, P, start, C, ROWS, n_vectors, NULL)
        dense_time = min(dense_time, (seconds_now() - began) / (ROWS * INPUTS))
        began = seconds_now()
        blocked_sparse_product(&sparse, 0, t.cursors, INPUTS, P, start, C, ROWS, n_vectors, NULL)
        sparse_time = min(sparse_time, (seconds_now() - began) / n_nonzeros)
    return min(1.0, COMPRESSION_FACTOR * dense_time / sparse_time)
