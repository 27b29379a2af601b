"""The product of tile.pxd from dense rows of x, but its zeros are skipped:

    C[r, :] = start[r, :] + Σ_s x[r, s] · P[s, :]          over the s with x[r, s] ≠ 0

Activations and deltas behind ReLU or dropout are dense rows with many zeros, and so are images in
bytes, whose numbers stand in a table.  A word of bits tells which terms of a row are not zero; it is
made while the multiply-adds of the row before wait for their operands.  Nothing is written that
another thread reads, since fetching a line from another core's cache takes longer than looking at
the row again.

The operands and the bits are those of tile.pxd and sparse_rows.pxd.  Callers: blocks.pxd and
dense.pxd.
"""
from .operands cimport from_row, operand, panel_pair
from .prefetch cimport prefetch_queue, prefetch_some, prefetch_terms
from .row_sums cimport add_term, load_sums, row_sums, store_sums
from .vector cimport (inlined, lowest_bit, nonzero_bytes, nonzero_numbers, prefetch_line, real, splat,
                      without_lowest, word)

cdef enum:
    SKIPPING_BLOCK = 64         # terms of a sum in one block: the bits of a word
    ROWS_AHEAD = 4              # that are prefetched: another thread may have written them


cdef inline const unsigned char* bytes_at(const operand* x, Py_ssize_t r) noexcept nogil:
    """Where a row of bytes begins."""
    return <const unsigned char*>x.rows[r] + x.column


cdef inline inlined prefetch_x(const operand* x, Py_ssize_t r, Py_ssize_t n_sum,
                               bint of_bytes) noexcept nogil:
    if of_bytes:
        prefetch_line(bytes_at(x, r))
    else:
        prefetch_terms(x.rows[r] + x.column, n_sum)


cdef inline word nonzero_terms(const operand* x, Py_ssize_t r, Py_ssize_t n_sum,
                               bint of_bytes) noexcept nogil:
    """Which terms of row r are not zero."""
    if of_bytes:
        return nonzero_bytes(bytes_at(x, r), n_sum)
    return nonzero_numbers(x.rows[r] + x.column, n_sum)


cdef inline inlined one_row(const operand* x, Py_ssize_t r, word terms, panel_pair P,
                            panel_pair start, panel_pair C, bint of_bytes, int n_first,
                            int n_second) noexcept nogil:
    """One row of C from these terms."""
    cdef row_sums sums
    cdef const real* numbers = x.rows[r] + x.column
    cdef const unsigned char* bytes_ = bytes_at(x, r)
    cdef int s
    load_sums(&sums, start, n_first, n_second)
    while terms != 0:
        s = lowest_bit(terms)
        terms = without_lowest(terms)
        add_term(&sums, splat(x.table[bytes_[s]] if of_bytes else numbers[s]), s, P, n_first,
                 n_second)
    store_sums(&sums, C, n_first, n_second)


cdef inline inlined each_row(operand x, Py_ssize_t n_sum, panel_pair P, panel_pair start,
                             panel_pair C, Py_ssize_t n_rows, prefetch_queue* queue,
                             bint of_bytes, int n_first, int n_second) noexcept nogil:
    cdef Py_ssize_t r
    cdef word now, next_terms = 0
    cdef bint continuing = start.first.values == C.first.values     # C holds the sums so far
    if n_rows > 0:
        next_terms = nonzero_terms(&x, 0, n_sum, of_bytes)
    for r in range(n_rows):
        prefetch_some(queue)
        if r + ROWS_AHEAD < n_rows:
            prefetch_x(&x, r + ROWS_AHEAD, n_sum, of_bytes)
        now = next_terms
        if r + 1 < n_rows:
            next_terms = nonzero_terms(&x, r + 1, n_sum, of_bytes)
        if now != 0 or not continuing:
            one_row(&x, r, now, P, start, C, of_bytes, n_first, n_second)
        start = from_row(start, 1)
        C = from_row(C, 1)


cdef inline inlined by_width(operand x, Py_ssize_t n_sum, panel_pair P, panel_pair start,
                             panel_pair C, Py_ssize_t n_rows, int n_vectors,
                             prefetch_queue* queue, bint of_bytes) noexcept nogil:
    if n_vectors == 8:
        each_row(x, n_sum, P, start, C, n_rows, queue, of_bytes, 4, 4)
    elif n_vectors == 7:
        each_row(x, n_sum, P, start, C, n_rows, queue, of_bytes, 4, 3)
    elif n_vectors == 6:
        each_row(x, n_sum, P, start, C, n_rows, queue, of_bytes, 3, 3)
    elif n_vectors == 5:
        each_row(x, n_sum, P, start, C, n_rows, queue, of_bytes, 3, 2)
    elif n_vectors == 4:
        each_row(x, n_sum, P, start, C, n_rows, queue, of_bytes, 4, 0)
    elif n_vectors == 3:
        each_row(x, n_sum, P, start, C, n_rows, queue, of_bytes, 3, 0)
    elif n_vectors == 2:
        each_row(x, n_sum, P, start, C, n_rows, queue, of_bytes, 2, 0)
    else:
        each_row(x, n_sum, P, start, C, n_rows, queue, of_bytes, 1, 0)


cdef inline void skipping_product(operand x,            # IN not transposed: numbers, zeros to a
                                                        # whole vector, or bytes, 64 can be read
                                  Py_ssize_t n_sum,     # at most SKIPPING_BLOCK
                                  panel_pair P,         # IN
                                  panel_pair start,     # IN, may be C
                                  panel_pair C,         # OUT
                                  Py_ssize_t n_rows, int n_vectors,
                                  prefetch_queue* queue # prefetched meanwhile, or NULL
                                  ) noexcept nogil:
    """The product above in one pass over the sum, for one panel or two."""
    if x.table != NULL:
        by_width(x, n_sum, P, start, C, n_rows, n_vectors, queue, True)
    else:
        by_width(x, n_sum, P, start, C, n_rows, n_vectors, queue, False)
