"""Who computes what: a matrix in panels, cut into one part a thread.

The matrix is read panel after panel, each in units of TILE_ROWS_4 rows, weighed by its vectors,
and cut into equal parts: by rows of a panel, or at the edge of one where that is as good or
nearly.  A panel of which two threads have rows costs them 3 to 7 µs a step of 200 rows, since both
want its lines; to do more than one's part takes the longer the more terms each sum has.
"""
from .panels cimport padded, panel_count, panel_of, panel_start, panel_vectors
from .vector cimport TILE_ROWS_4, WIDTH

cdef enum:
    # so that a panel stays whole its vectors may go to a neighbour: a sixth of a part, if these
    # times the terms of a sum are no more than
    SIXTH = 6
    LEAST_CUT = 64

cdef struct part_of:            # of a matrix in panels, one thread's
    Py_ssize_t n_columns, n_rows
    Py_ssize_t first, last      # in units × vectors


cdef struct share:              # what one thread computes of one panel, or of two at once
    Py_ssize_t first, last      # rows
    int n_vectors, n_panels


cdef inline Py_ssize_t edge(Py_ssize_t n_columns, Py_ssize_t n_terms, int part,
                            int n_parts) noexcept nogil:
    """The column at which part number `part` begins, if a panel does so there or nearly; else −1.

    What the columns are computed from are sums of n_terms.
    """
    cdef Py_ssize_t vectors = padded(n_columns) // WIDTH, goal = vectors * part, start, off
    cdef int p = panel_of(n_columns, goal // n_parts * WIDTH)
    start = panel_start(n_columns, p)
    if part == n_parts:
        return vectors * WIDTH
    if panel_start(n_columns, p + 1) // WIDTH * n_parts - goal < goal - start // WIDTH * n_parts:
        start = panel_start(n_columns, p + 1)
    off = start // WIDTH * n_parts - goal       # n_parts times the vectors
    if off < 0:
        off = -off
    return start if off * SIXTH <= vectors and off * n_terms <= LEAST_CUT * n_parts else -1


cdef inline Py_ssize_t units_of(Py_ssize_t n_rows) noexcept nogil:
    return (n_rows + TILE_ROWS_4 - 1) // TILE_ROWS_4


cdef inline Py_ssize_t cut(Py_ssize_t n_columns, Py_ssize_t n_terms, Py_ssize_t n_rows, int part,
                           int n_parts) noexcept nogil:
    """Where part number `part` begins, in units × vectors."""
    cdef Py_ssize_t column = edge(n_columns, n_terms, part, n_parts), units = units_of(n_rows)
    if column >= 0:
        return column // WIDTH * units
    return padded(n_columns) // WIDTH * units * part // n_parts


cdef inline part_of own_part(Py_ssize_t n_columns, Py_ssize_t n_terms, Py_ssize_t n_rows, int part,
                             int n_parts) noexcept nogil:
    cdef part_of own
    own.n_columns = n_columns
    own.n_rows = n_rows
    own.first = cut(n_columns, n_terms, n_rows, part, n_parts)
    own.last = cut(n_columns, n_terms, n_rows, part + 1, n_parts)
    return own


cdef inline Py_ssize_t row_at(const part_of* own, int panel, Py_ssize_t place) noexcept nogil:
    """The row of a panel that a place in the matrix stands at; none of them or all if another's."""
    cdef Py_ssize_t units = units_of(own.n_rows)
    place -= panel_start(own.n_columns, panel) // WIDTH * units
    place = max(place, 0) // panel_vectors(own.n_columns, panel)
    return min(min(place, units) * TILE_ROWS_4, own.n_rows)


cdef inline share share_of(const part_of* own, int panel, bint pairs) noexcept nogil:
    """The part's rows of `panel`; with `pairs`, also of the next if they are the same."""
    cdef share s
    s.first = row_at(own, panel, own.first)
    s.last = row_at(own, panel, own.last)
    s.n_vectors = panel_vectors(own.n_columns, panel)
    s.n_panels = 1
    if (pairs and s.first < s.last and panel + 1 < panel_count(own.n_columns)
            and s.first == row_at(own, panel + 1, own.first)
            and s.last == row_at(own, panel + 1, own.last)):
        s.n_vectors += panel_vectors(own.n_columns, panel + 1)
        s.n_panels = 2
    return s


cdef inline bint cut_by_columns(Py_ssize_t n_columns, Py_ssize_t n_terms,
                                int n_parts) noexcept nogil:
    """Whether each part is whole panels: all rows of the very columns that `own_vectors` gives."""
    cdef int part
    for part in range(1, n_parts):
        if edge(n_columns, n_terms, part, n_parts) < 0:
            return False
    return True


cdef inline Py_ssize_t own_vectors(Py_ssize_t n_columns, Py_ssize_t n_terms, int part,
                                   int n_parts) noexcept nogil:
    """The vector of columns at which thread `part`'s whole columns begin."""
    if cut_by_columns(n_columns, n_terms, n_parts):
        return edge(n_columns, n_terms, part, n_parts) // WIDTH
    return padded(n_columns) // WIDTH * part // n_parts
