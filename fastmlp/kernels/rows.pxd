"""The same product contract from lists of non-zeros: zeros cost nothing.

    C[r, :] = start[r, :] + Σ_{(s, x) in list r} x · P[s, :]

A list holds (index, value) in ascending index and ends with LAST_INDEX.  The non-zero terms
are summed in the same order, with the same fused multiply-add, as the dense tile sums all of
them; adding a product that is zero changes no accumulator but the sign of a zero, which both give
as +0 in the end: they agree in every bit.

Lists by row come from compressing a matrix (or from CSR input); lists by column, which the
weight gradient needs, from the lists by row.
"""
from .ahead cimport ask
from .matrices cimport at, group_end, matrix
from .tile cimport even_block, second, walk
from .vector cimport (LAST_INDEX, LIST_BLOCK_BYTES, WIDTH, compress, entry, fused, inlined,
                      lane_int, load, moved, opaque, real, splat, store, vec)

cdef enum:
    ENTRIES_A_BLOCK = 20        # of a list: below them a larger block of P costs less

cdef struct lists:
    entry* entries
    Py_ssize_t room             # list r begins at entries[r·room]
    double density              # of the matrix listed


cdef inline inlined list_row(const entry** cursor, lane_int end, const real* panel,
                             Py_ssize_t panel_row, const real* start, real* c, const second* far,
                             int n_vectors, int n_far) noexcept nogil:
    """One row of C from the entries below index `end`; leaves the cursor at the first not used.

    The vectors of the panel and of a second one are constants where it is called: their sums, five
    to eight, hide the latency of two fused multiply-adds a cycle.
    """
    cdef const entry* e = cursor[0]
    cdef vec sums[4]
    cdef vec far_sums[4]
    cdef vec value
    cdef const real* row
    cdef const real* far_row
    cdef Py_ssize_t apart = far.panel - panel   # of rows of panels as wide as one another
    cdef int j
    for j in range(n_vectors):
        sums[j] = load(start + j * WIDTH)
    for j in range(n_far):
        far_sums[j] = load(far.start + j * WIDTH)
    while e.index < end:
        row = opaque(panel + e.index * panel_row)
        far_row = opaque(row + apart if n_far == n_vectors
                         else far.panel + e.index * far.panel_row)
        value = splat(e.value)
        for j in range(n_vectors):
            sums[j] = fused(value, load(row + j * WIDTH), sums[j])
        for j in range(n_far):
            far_sums[j] = fused(value, load(far_row + j * WIDTH), far_sums[j])
        e += 1
    for j in range(n_vectors):
        store(c + j * WIDTH, sums[j] + splat(0))
    for j in range(n_far):
        store(far.c + j * WIDTH, far_sums[j] + splat(0))
    cursor[0] = e


cdef inline inlined list_rows(const entry** cursors, lane_int end, const real* panel,
                              Py_ssize_t panel_row, const real* start, Py_ssize_t start_row,
                              real* c, Py_ssize_t c_row, Py_ssize_t n_rows, walk also,
                              int n_vectors, int n_far) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(n_rows):
        ask(also.next)
        list_row(cursors + r, end, panel, panel_row, start, c, &also.far, n_vectors, n_far)
        start += start_row
        c += c_row
        also.far.start += also.far.start_row
        also.far.c += also.far.c_row


cdef inline void list_product(const entry** cursors, lane_int end, const real* panel,
                              Py_ssize_t panel_row, const real* start, Py_ssize_t start_row,
                              real* c, Py_ssize_t c_row, Py_ssize_t n_rows, walk also,
                              int n_vectors) noexcept nogil:
    """n_rows rows of C from the entries below `end`, each list from its cursor on."""
    if n_vectors == 8:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 4, 4)
    elif n_vectors == 7:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 4, 3)
    elif n_vectors == 6:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 3, 3)
    elif n_vectors == 5:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 3, 2)
    elif n_vectors == 4:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 4, 0)
    elif n_vectors == 3:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 3, 0)
    elif n_vectors == 2:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 2, 0)
    else:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 1, 0)


cdef inline Py_ssize_t list_block(Py_ssize_t n_sum, int n_vectors,
                                  double density) noexcept nogil:
    """Rows of P in one block of the list product.

    A block fits L1, unless a list would have but a few entries in it: each block of each list
    ends in a mispredicted branch, which costs more than rows from L2 do.
    """
    cdef Py_ssize_t rows = LIST_BLOCK_BYTES // (n_vectors * WIDTH * <int>sizeof(real))
    if density * rows < ENTRIES_A_BLOCK:
        rows = <Py_ssize_t>min(2.0 * rows, ENTRIES_A_BLOCK / max(density, 1e-9))
    return even_block(n_sum, rows)


cdef inline void blocked_list_product(const lists* x, Py_ssize_t first,
                                      const entry** cursors, Py_ssize_t n_sum,
                                      const real* panel, Py_ssize_t panel_row,
                                      const real* start, Py_ssize_t start_row,
                                      real* c, Py_ssize_t c_row, Py_ssize_t n_rows,
                                      walk also, int n_vectors) noexcept nogil:
    """n_rows rows of C from the lists first, first + 1, …"""
    cdef Py_ssize_t r, s = 0, block = list_block(n_sum, n_vectors, x.density)
    for r in range(n_rows):
        cursors[r] = x.entries + (first + r) * x.room
    while True:
        s += block
        list_product(cursors, <lane_int>min(s, n_sum), panel, panel_row, start, start_row,
                     c, c_row, n_rows, also, n_vectors)
        if s >= n_sum:
            return
        start = c
        start_row = c_row
        also.far.start = also.far.c
        also.far.start_row = also.far.c_row


cdef inline Py_ssize_t compress_columns(const real* values, Py_ssize_t first, Py_ssize_t last,
                                        entry* e) noexcept nogil:
    """The non-zeros among the columns first … last of a row; their count."""
    cdef Py_ssize_t k = first, n_found = 0
    while k < last:
        n_found += compress(load(values + k - first), <lane_int>k, e + n_found)
        k += WIDTH
    return n_found


cdef inline Py_ssize_t compress_row(const real* values, Py_ssize_t n, entry* e) noexcept nogil:
    """The non-zeros of one row of n numbers, padded with zeros to whole vectors; their count."""
    cdef Py_ssize_t n_found = compress_columns(values, 0, n, e)
    e[n_found].index = LAST_INDEX
    return n_found


cdef inline Py_ssize_t compress_row_of(const matrix* x, Py_ssize_t r, Py_ssize_t n,
                                       entry* e) noexcept nogil:
    """The same of row r of a batch matrix."""
    cdef Py_ssize_t k = 0, end, n_found = 0
    while k < n:
        end = min(n, group_end(x, k))
        n_found += compress_columns(at(x, r, k), k, end, e + n_found)
        k = end
    e[n_found].index = LAST_INDEX
    return n_found


cdef inline void columns_from_rows(const lists* rows, Py_ssize_t n_rows, Py_ssize_t k0,
                                   Py_ssize_t k1, entry** fill, lists* columns) noexcept nogil:
    """Lists k0 … k1 by column from the lists by row; `fill` is scratch for n_columns."""
    cdef Py_ssize_t r, k
    cdef const entry* e
    cdef entry* place
    for k in range(k0, k1):
        fill[k] = columns.entries + k * columns.room
    for r in range(n_rows):
        e = rows.entries + r * rows.room
        while e.index < k0:
            e += 1
        while e.index < k1:
            place = fill[e.index]
            fill[e.index] = place + 1
            place[0] = moved(e, <lane_int>r)
            e += 1
    for k in range(k0, k1):
        fill[k].index = LAST_INDEX
