"""The pieces in which processes that share a batch add up the gradient of a weight.

The sum of a piece starts as soon as it has been computed, before the next piece is (epoch.pxd).  A
piece is a row range of W in the order (panel, row), as a thread's part is, so that its numbers are
contiguous.  The pieces depend on the layer alone, not on the number of threads, which may be
another one in each process.
"""
from .panels cimport layer, padded, panel_count, panel_start, panel_vectors
from .partition cimport divided, part_of, row_at, thread_part
from .vector cimport WIDTH, real

cdef enum:
    PIECE_BYTES = 1048576


cdef inline int piece_count(const layer* L) noexcept nogil:
    """The number of pieces, each of about PIECE_BYTES; 1 where the gradient cannot be divided."""
    if L.frozen or panel_count(L.n_out) == 1:   # few_outputs.pxd divides one panel otherwise
        return 1
    return <int>max(1, L.n_in * padded(L.n_out) * <Py_ssize_t>sizeof(real) // PIECE_BYTES)


cdef inline Py_ssize_t piece_start(const layer* L, int piece, int n_pieces) noexcept nogil:
    """Where piece number `piece` of W lies in the parameters."""
    cdef thread_part own = part_of(L.n_out, L.n_terms, L.n_in, piece, n_pieces, NULL)
    cdef Py_ssize_t row
    cdef int p = 0
    while row_at(&own, p, own.first) == L.n_in:
        p += 1
    row = row_at(&own, p, own.first)
    return (L.weight + panel_start(L.n_out, p) * L.n_in
            + row * panel_vectors(L.n_out, p) * WIDTH)


cdef inline thread_part part_of_piece(Py_ssize_t n_columns, Py_ssize_t n_terms, Py_ssize_t n_rows,
                                      int piece, int n_pieces, int part, int n_parts,
                                      const int* shares) noexcept nogil:
    """Part number `part` of one of n_pieces pieces; the pieces do not depend on n_parts."""
    cdef thread_part own
    cdef Py_ssize_t first, n
    if n_pieces == 1:
        return part_of(n_columns, n_terms, n_rows, part, n_parts, shares)
    own = part_of(n_columns, n_terms, n_rows, piece, n_pieces, NULL)
    first = own.first
    n = own.last - first
    own.first = first + divided(n, part, n_parts, shares)
    own.last = first + divided(n, part + 1, n_parts, shares)
    return own
