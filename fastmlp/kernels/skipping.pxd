"""The product of tile.pxd from dense rows of x, but its zeros are skipped:

    C[r, :] = start[r, :] + Σ_s x[r, s] · P[s, :]          over the s with x[r, s] ≠ 0

Activations and deltas behind ReLU or dropout are dense rows with many zeros.  Each row of x is
compressed to a short sparse row, on the stack, just before it is used: while the multiply-adds of
one row wait for their operands, the core compresses the next.  Nothing is written that another
thread reads, since fetching a line from another core's cache takes longer than compressing it.

The operands and the bits are those of tile.pxd and sparse_rows.pxd.  Callers: blocks.pxd and
dense.pxd.
"""
from .compression cimport compress_row
from .operands cimport from_row, operand, panel_pair
from .prefetch cimport prefetch_queue, prefetch_some, prefetch_terms
from .sparse_rows cimport sparse_row
from .vector cimport SPARSE_BLOCK_BYTES, WIDTH, entry, inlined, lane_int, real

cdef enum:
    MOST_TERMS = 128            # of a sum in one block: the length of a compressed row
    ROWS_AHEAD = 4              # that are prefetched: another thread may have written them


cdef inline inlined each_row(operand x, Py_ssize_t n_sum, panel_pair P, panel_pair start,
                             panel_pair C, Py_ssize_t n_rows, prefetch_queue* queue, int n_first,
                             int n_second) noexcept nogil:
    cdef entry compressed[2][128 + 64 + 1]      # MOST_TERMS, a vector, and the end mark
    cdef const entry* cursor
    cdef Py_ssize_t r
    if n_rows > 0:
        compress_row(x.rows[0] + x.column, n_sum, compressed[0])
    for r in range(n_rows):
        prefetch_some(queue)
        if r + ROWS_AHEAD < n_rows:
            prefetch_terms(x.rows[r + ROWS_AHEAD] + x.column, n_sum)
        if r + 1 < n_rows:
            compress_row(x.rows[r + 1] + x.column, n_sum, compressed[(r + 1) & 1])
        cursor = compressed[r & 1]
        sparse_row(&cursor, <lane_int>n_sum, P, start, C, n_first, n_second)
        start = from_row(start, 1)
        C = from_row(C, 1)


cdef inline void skipping_product(operand x,            # IN not transposed; zeros to a whole vector
                                  Py_ssize_t n_sum,     # at most MOST_TERMS
                                  panel_pair P,         # IN
                                  panel_pair start,     # IN, may be C
                                  panel_pair C,         # OUT
                                  Py_ssize_t n_rows, int n_vectors,
                                  prefetch_queue* queue # prefetched meanwhile, or NULL
                                  ) noexcept nogil:
    """The product above in one pass over the sum, for one panel or two."""
    if n_vectors == 8:
        each_row(x, n_sum, P, start, C, n_rows, queue, 4, 4)
    elif n_vectors == 7:
        each_row(x, n_sum, P, start, C, n_rows, queue, 4, 3)
    elif n_vectors == 6:
        each_row(x, n_sum, P, start, C, n_rows, queue, 3, 3)
    elif n_vectors == 5:
        each_row(x, n_sum, P, start, C, n_rows, queue, 3, 2)
    elif n_vectors == 4:
        each_row(x, n_sum, P, start, C, n_rows, queue, 4, 0)
    elif n_vectors == 3:
        each_row(x, n_sum, P, start, C, n_rows, queue, 3, 0)
    elif n_vectors == 2:
        each_row(x, n_sum, P, start, C, n_rows, queue, 2, 0)
    else:
        each_row(x, n_sum, P, start, C, n_rows, queue, 1, 0)


cdef inline Py_ssize_t skipping_block(int n_vectors) noexcept nogil:
    """Rows of P in one block, whole vectors of x."""
    cdef Py_ssize_t rows = SPARSE_BLOCK_BYTES // (n_vectors * WIDTH * <int>sizeof(real))
    return max(min(rows, <Py_ssize_t>MOST_TERMS) // WIDTH, <Py_ssize_t>1) * WIDTH
