"""A product in blocks of its sum: the rows of P in a block stay in L1 while all rows of x pass.

The blocks are products of tile.pxd, or of skipping.pxd where the zeros of x are skipped; no bit
depends on either.  Callers: dense.pxd and few_outputs.pxd.
"""
from .operands cimport first_vectors, from_row, from_term, operand, panel_pair
from .prefetch cimport address_range, prefetch_queue, start_prefetch
from .skipping cimport SKIPPING_BLOCK, skipping_product
from .tile cimport dense_block, product


cdef inline const address_range* panel_ranges(panel_pair P, Py_ssize_t n_rows, int n_vectors,
                                              address_range* ranges) noexcept nogil:
    """The one or two address ranges of n_rows rows of P; returns their end."""
    cdef int i, n_panels = 2 if first_vectors(n_vectors) < n_vectors else 1
    for i in range(n_panels):
        ranges[i].first = <const char*>P.first.values
        ranges[i].last = <const char*>(P.first.values + n_rows * P.first.stride)
        P.first = P.second
    return ranges + n_panels


cdef inline void blocked_product(operand x, Py_ssize_t n_sum, panel_pair P, panel_pair start,
                                 panel_pair C, Py_ssize_t n_rows, int n_vectors,
                                 bint skip,     # zeros of x, which is not transposed
                                 prefetch_queue* queue,
                                 bint stream    # P lies beyond L2: prefetch its blocks instead
                                 ) noexcept nogil:
    """The product, its sum cut into blocks.

    With two panels each block of x is read for both while it is in L2.
    """
    cdef Py_ssize_t s = 0, n
    cdef Py_ssize_t block = SKIPPING_BLOCK if skip else dense_block(n_sum, n_vectors)
    cdef prefetch_queue next_block
    cdef address_range ranges[2]
    while True:
        n = min(block, n_sum - s)
        if stream:
            queue = &next_block
            start_prefetch(queue, ranges, panel_ranges(from_row(P, n), min(block, n_sum - s - n),
                                                       n_vectors, ranges), n_rows // 2)
        if skip:
            skipping_product(from_term(&x, s), n, P, start, C, n_rows, n_vectors, queue)
        else:
            product(from_term(&x, s), n, P, start, C, n_rows, n_vectors, queue)
        s += n
        if s >= n_sum:
            return
        P = from_row(P, n)
        start = C
