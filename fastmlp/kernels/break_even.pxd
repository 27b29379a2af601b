"""The density up to which a list of non-zeros costs less than the dense tile, measured.

The dense tile runs at the rate of the fused multiply-adds, the lists at that of the loads from
L1, and processors differ in the ratio of the two: 0.79 on one with a 512-bit multiply-add a
cycle (Zen 4), 0.6 on one with two (Zen 5).  Both products are timed here on the same small block, once.
"""
from libc.string cimport memset
from .ahead cimport ahead
from .rows cimport blocked_list_product, lists
from .team cimport seconds_now
from .tile cimport operand, product, walk
from .vector cimport LAST_INDEX, PANEL_VECTORS, WIDTH, entry, lane_int, real

cdef enum:
    ROWS = 60                   # a multiple of every tile's rows
    INPUTS = 64
    REPEATS = 30

cdef extern from *:
    """
    #define LIST_MAKING 0.8 /* to make the lists takes up to a fifth of the product's time */
    """
    const double LIST_MAKING

cdef struct trial:              # two panels of P, and C two panels wide
    real x[ROWS * INPUTS]
    const real* rows[ROWS]
    real panels[2 * INPUTS * 64 * 4]
    real c[ROWS * 64 * 8]
    entry entries[ROWS * (INPUTS + 1)]
    const entry* cursors[ROWS]
    real blank[64 * 8]


cdef inline double break_even(trial* t) noexcept nogil:
    """The density, between 0 and 1; `t` is zeroed memory."""
    cdef Py_ssize_t columns = PANEL_VECTORS * WIDTH, far_panel = INPUTS * columns
    cdef double began, dense = 1e9, listed = 1e9
    cdef unsigned int state = 1
    cdef Py_ssize_t r, k, n_found = 0
    cdef int i
    cdef entry* e
    cdef walk also
    cdef operand of_x
    cdef ahead nothing
    cdef lists x
    x.entries = t.entries
    x.room = INPUTS + 1
    x.density = 0.5
    also.far.panel = t.panels + far_panel
    also.far.panel_row = columns
    also.far.start = t.blank
    also.far.start_row = 0
    also.far.c = t.c + columns
    also.far.c_row = 2 * columns
    memset(&nothing, 0, sizeof(nothing))
    also.next = &nothing
    also.streamed = False
    # written, so that each page of P is a page of its own
    for k in range(2 * far_panel):
        t.panels[k] = <real>0.5
    for k in range(ROWS * INPUTS):
        t.x[k] = 1
    for r in range(ROWS):
        t.rows[r] = t.x + r * INPUTS
    of_x.rows = t.rows
    of_x.column = 0
    of_x.transposed = False
    for i in range(REPEATS):
        n_found = 0
        for r in range(ROWS):   # another pattern each time, or the processor learns it
            e = t.entries + r * x.room
            for k in range(INPUTS):
                state = state * 1664525 + 1013904223
                if state >> 31:
                    e.index = <lane_int>k
                    e.value = 1
                    e += 1
                    n_found += 1
            e.index = LAST_INDEX
        began = seconds_now()
        product(of_x, INPUTS, t.panels, columns, t.blank, 0, t.c, 2 * columns, ROWS,
                also, 2 * PANEL_VECTORS)
        dense = min(dense, (seconds_now() - began) / (ROWS * INPUTS))
        began = seconds_now()
        blocked_list_product(&x, 0, t.cursors, INPUTS, t.panels, columns, t.blank, 0, t.c,
                             2 * columns, ROWS, also, 2 * PANEL_VECTORS)
        listed = min(listed, (seconds_now() - began) / n_found)
    return min(1.0, LIST_MAKING * dense / listed)
