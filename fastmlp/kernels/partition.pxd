"""How a product is divided among threads.

A matrix in panels is divided in the order (panel, row), each panel in units of TILE_ROWS_4 rows
that count by the vectors of the panel, into one part for each thread: into equal ones, or by
`shares` that load_balance.pxd finds for threads of unequal speed.  A part begins at a row of a
panel, or at the edge of a panel where that is as balanced or nearly so.  A panel of which two
threads have rows costs them 3 to 7 µs in a step of 200 rows, since both want its cache lines; an
unbalanced part costs the more, the more terms each sum has.

Who calls: the products (step.pxd, few_outputs.pxd), whatever passes over whole columns, always in
equal parts (batch_norm.pxd, norms.pxd), and matrices.pxd, which gives each part's columns rows of
their own.  Parts depend on sizes and shares, never on the data, and no bit depends on parts.
"""
from .panels cimport padded, panel_count, panel_start, panel_vectors, panel_with_column
from .vector cimport TILE_ROWS_4, WIDTH

cdef enum:
    # A part may begin at the edge of a panel if that changes its size by at most
    # 1/MAX_IMBALANCE of it and by at most MAX_EXTRA_TERMS vectors × terms of a sum.
    MAX_IMBALANCE = 6
    MAX_EXTRA_TERMS = 64
    WHOLE = 1 << 16             # thread t has shares[t] … shares[t + 1] of it

cdef struct thread_part:        # of a matrix in panels
    Py_ssize_t n_columns, n_rows
    Py_ssize_t first, last      # in units × vectors


cdef struct row_range:          # the rows that one thread computes of one panel, or of two at once
    Py_ssize_t first, last
    int n_vectors, n_panels


cdef inline Py_ssize_t divided(Py_ssize_t n, int part, int n_parts,
                               const int* shares) noexcept nogil:
    """Where part number `part` of n equal things begins; `shares` NULL: in equal parts."""
    return n * part // n_parts if shares == NULL else n * shares[part] // WHOLE


cdef inline Py_ssize_t panel_edge(Py_ssize_t n_columns, Py_ssize_t n_terms, int part, int n_parts,
                                  const int* shares) noexcept nogil:
    """The column at which part number `part` begins if that is the edge of a panel, else −1.

    The columns are computed by sums of n_terms.
    """
    cdef Py_ssize_t whole = n_parts if shares == NULL else WHOLE
    cdef Py_ssize_t vectors = padded(n_columns) // WIDTH, start, off
    cdef Py_ssize_t goal = vectors * (part if shares == NULL else shares[part])
    cdef int p = panel_with_column(n_columns, goal // whole * WIDTH)
    start = panel_start(n_columns, p)
    if part == n_parts:
        return vectors * WIDTH
    if panel_start(n_columns, p + 1) // WIDTH * whole - goal < goal - start // WIDTH * whole:
        start = panel_start(n_columns, p + 1)
    off = start // WIDTH * whole - goal         # `whole` times the vectors
    if off < 0:
        off = -off
    if (off * MAX_IMBALANCE * n_parts <= vectors * whole
            and off * n_terms <= MAX_EXTRA_TERMS * whole):
        return start
    return -1


cdef inline Py_ssize_t units_of(Py_ssize_t n_rows) noexcept nogil:
    return (n_rows + TILE_ROWS_4 - 1) // TILE_ROWS_4


cdef inline Py_ssize_t part_start(Py_ssize_t n_columns, Py_ssize_t n_terms, Py_ssize_t n_rows,
                                  int part, int n_parts, const int* shares) noexcept nogil:
    """Where part number `part` begins, in units × vectors."""
    cdef Py_ssize_t column = panel_edge(n_columns, n_terms, part, n_parts, shares)
    cdef Py_ssize_t units = units_of(n_rows)
    if column >= 0:
        return column // WIDTH * units
    return divided(padded(n_columns) // WIDTH * units, part, n_parts, shares)


cdef inline thread_part part_of(Py_ssize_t n_columns, Py_ssize_t n_terms, Py_ssize_t n_rows,
                                int part, int n_parts, const int* shares) noexcept nogil:
    """Part number `part` of a matrix (n_rows, n_columns) in panels."""
    cdef thread_part own
    own.n_columns = n_columns
    own.n_rows = n_rows
    own.first = part_start(n_columns, n_terms, n_rows, part, n_parts, shares)
    own.last = part_start(n_columns, n_terms, n_rows, part + 1, n_parts, shares)
    return own


cdef inline Py_ssize_t row_at(const thread_part* own, int panel, Py_ssize_t place) noexcept nogil:
    """The row of `panel` at a place in units × vectors: 0 before the panel, n_rows after it."""
    cdef Py_ssize_t units = units_of(own.n_rows)
    place -= panel_start(own.n_columns, panel) // WIDTH * units
    place = max(place, 0) // panel_vectors(own.n_columns, panel)
    return min(min(place, units) * TILE_ROWS_4, own.n_rows)


cdef inline row_range rows_of_panel(const thread_part* own, int panel,
                                    bint pairs) noexcept nogil:
    """The part's rows of `panel`; with `pairs`, also of the next panel if they are the same."""
    cdef row_range rows
    rows.first = row_at(own, panel, own.first)
    rows.last = row_at(own, panel, own.last)
    rows.n_vectors = panel_vectors(own.n_columns, panel)
    rows.n_panels = 1
    if (pairs and rows.first < rows.last and panel + 1 < panel_count(own.n_columns)
            and rows.first == row_at(own, panel + 1, own.first)
            and rows.last == row_at(own, panel + 1, own.last)):
        rows.n_vectors += panel_vectors(own.n_columns, panel + 1)
        rows.n_panels = 2
    return rows


cdef inline bint parts_are_columns(Py_ssize_t n_columns, Py_ssize_t n_terms,
                                   int n_parts) noexcept nogil:
    """Whether each equal part is all rows of whole panels: those that `first_vector` gives."""
    cdef int part
    for part in range(1, n_parts):
        if panel_edge(n_columns, n_terms, part, n_parts, NULL) < 0:
            return False
    return True


cdef inline Py_ssize_t first_vector(Py_ssize_t n_columns, Py_ssize_t n_terms, int part,
                                    int n_parts) noexcept nogil:
    """Where part number `part` begins if only whole columns are divided, in vectors of columns."""
    if parts_are_columns(n_columns, n_terms, n_parts):
        return panel_edge(n_columns, n_terms, part, n_parts, NULL) // WIDTH
    return padded(n_columns) // WIDTH * part // n_parts
