"""One row of C in registers, while terms x[r, s] · P[s, :] are added to it.

    load_sums, add_term, store_sums

The vectors of the two panels, n_first and n_second, are constants where these are called.  Five to
eight accumulators hide the latency of two fused multiply-adds a cycle.  Callers: skipping.pxd and
sparse_rows.pxd, whose terms are those that are not zero.
"""
from .operands cimport panel_pair
from .vector cimport WIDTH, fused, inlined, load, opaque, real, splat, store, vec

cdef struct row_sums:
    vec first[4]
    vec second[4]


cdef inline inlined load_sums(row_sums* sums, panel_pair start, int n_first,
                              int n_second) noexcept nogil:
    cdef int j
    for j in range(n_first):
        sums.first[j] = load(start.first.values + j * WIDTH)
    for j in range(n_second):
        sums.second[j] = load(start.second.values + j * WIDTH)


cdef inline inlined add_term(row_sums* sums, vec value, Py_ssize_t s, panel_pair P, int n_first,
                             int n_second) noexcept nogil:
    """Add value · P[s, :]."""
    cdef int j
    # between the panels, whose strides are equal if their widths are
    cdef Py_ssize_t distance = P.second.values - P.first.values
    cdef const real* first_row = opaque(P.first.values + s * P.first.stride)
    cdef const real* second_row = opaque(first_row + distance if n_second == n_first
                                         else P.second.values + s * P.second.stride)
    for j in range(n_first):
        sums.first[j] = fused(value, load(first_row + j * WIDTH), sums.first[j])
    for j in range(n_second):
        sums.second[j] = fused(value, load(second_row + j * WIDTH), sums.second[j])


cdef inline inlined store_sums(row_sums* sums, panel_pair C, int n_first,
                               int n_second) noexcept nogil:
    """Store the row, −0 as +0."""
    cdef int j
    for j in range(n_first):
        store(C.first.values + j * WIDTH, sums.first[j] + splat(0))
    for j in range(n_second):
        store(C.second.values + j * WIDTH, sums.second[j] + splat(0))
