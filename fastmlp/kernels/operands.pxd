"""The operands of a product C = start + x·P, as pointers and strides.

    x        left operand: rows that lie anywhere, or the transpose of such a matrix
    P        right operand: rows of one panel, or of two panels side by side
    start, C like P

A panel has 1 to 4 vectors of columns.  Two panels have 5 to 8 in all, the first as many as the
second or one more; they need not be adjacent in memory nor have the same stride.  With one panel
`second` is ignored.  `from_row` and `from_term` give the same operand from a later row or term of
the sum on: a loop over blocks moves its operands by them and calculates no address itself.
"""
from .vector cimport PANEL_VECTORS, WIDTH, real

cdef struct operand:            # x[r, s] = rows[r][column + s]; transposed: rows[s][column + r]
    const real** rows
    Py_ssize_t column
    bint transposed
    const real* table           # not NULL: the rows are bytes, x[r, s] = table[rows[r][column + s]]


cdef struct panel:              # row r begins at values + r·stride; stride 0: all rows are the same
    real* values
    Py_ssize_t stride
    bint half                   # whether at most half of its last vector are columns (panels.pxd)


cdef struct panel_pair:
    panel first, second


cdef inline operand from_x_row(const operand* x, Py_ssize_t r) noexcept nogil:
    """x from its row r on."""
    cdef operand rest = x[0]
    if x.transposed:
        rest.column += r
    else:
        rest.rows += r
    return rest


cdef inline operand from_term(const operand* x, Py_ssize_t s) noexcept nogil:
    """x from term s of each sum on."""
    cdef operand rest = x[0]
    if x.transposed:
        rest.rows += s
    else:
        rest.column += s
    return rest


cdef inline panel panel_at(const real* values, Py_ssize_t stride) noexcept nogil:
    """The panel that begins at an address; a panel that is only read may be constant."""
    cdef panel p
    p.values = <real*>values
    p.stride = stride
    p.half = False
    return p


cdef inline panel from_panel_row(panel p, Py_ssize_t r) noexcept nogil:
    """The panel from its row r on."""
    p.values += r * p.stride
    return p


cdef inline panel_pair from_row(panel_pair p, Py_ssize_t r) noexcept nogil:
    """Both panels from their row r on."""
    p.first.values += r * p.first.stride
    p.second.values += r * p.second.stride
    return p


cdef inline int first_vectors(int n_vectors) noexcept nogil:
    """Of n_vectors, those of the first panel."""
    return n_vectors if n_vectors <= PANEL_VECTORS else (n_vectors + 1) // 2


cdef inline panel_pair adjacent_panels(const real* values, Py_ssize_t stride,
                                       int n_vectors) noexcept nogil:
    """Panels side by side: each row has n_vectors, without a gap between the panels."""
    cdef panel_pair p
    p.first = panel_at(values, stride)
    p.second = panel_at(values + first_vectors(n_vectors) * WIDTH, stride)
    return p


cdef inline panel_pair stacked_panels(const real* values, Py_ssize_t n_rows,
                                      int n_vectors) noexcept nogil:
    """Panels of n_rows rows one after the other, as those of a weight lie in memory."""
    cdef Py_ssize_t columns = first_vectors(n_vectors) * WIDTH
    cdef panel_pair p
    p.first = panel_at(values, columns)
    p.second = panel_at(values + n_rows * columns, n_vectors * WIDTH - columns)
    return p
