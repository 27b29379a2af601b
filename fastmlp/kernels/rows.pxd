"""The same product contract from lists of non-zeros: zeros cost nothing.

    C[r, :] = start[r, :] + Σ_{(s, x) in list r} x · P[s, :]

A list holds (index, value) in ascending index and ends with LAST_INDEX.  The non-zero terms
are summed in the same order, with the same fused multiply-add, as the dense tile sums all of
them; adding a product that is zero changes no accumulator but the sign of a zero, which both give
as +0 in the end: they agree in every bit.

Lists by row come from compressing a matrix (or from CSR input); lists by column, which the
weight gradient needs, from the lists by row.
"""
from .vector cimport (LAST_INDEX, LIST_BLOCK_BYTES, WIDTH, compress, entry, fused, lane_int,
                      load, moved, opaque, real, splat, store, vec)
from .ahead cimport ask
from .tile cimport even_block, walk

cdef enum:
    ENTRIES_A_BLOCK = 20        # of a list: below them a larger block of P costs less

cdef struct lists:
    entry* entries
    Py_ssize_t room             # list r begins at entries[r·room]
    double density              # of the matrix listed


cdef inline const entry* list_row(const entry* e, lane_int end, const real* panel,
                                  Py_ssize_t panel_row, const real* start, real* c, walk also,
                                  int n_vectors) noexcept nogil:
    """One row of C from the entries below index `end`; returns the first entry not used.

    `n_vectors` is a constant where it is called: one panel's, or the eight of two full panels
    (`also`), whose eight sums hide the latency of two fused multiply-adds a cycle.
    """
    cdef vec sums[8]
    cdef vec value
    cdef const real* row
    cdef const real* far_row
    cdef int j
    for j in range(n_vectors):
        sums[j] = load(start + (j * WIDTH if j < 4 else also.start + (j - 4) * WIDTH))
    while e.index < end:
        row = opaque(panel + e.index * panel_row)
        far_row = opaque(row + also.panel)
        value = splat(e.value)
        for j in range(n_vectors):
            sums[j] = fused(value, load(row + j * WIDTH if j < 4
                                        else far_row + (j - 4) * WIDTH), sums[j])
        e += 1
    for j in range(n_vectors):
        store(c + (j * WIDTH if j < 4 else also.c + (j - 4) * WIDTH), sums[j] + splat(0))
    return e


cdef inline void list_rows(const entry** cursors, lane_int end, const real* panel,
                           Py_ssize_t panel_row, const real* start, Py_ssize_t start_row,
                           real* c, Py_ssize_t c_row, Py_ssize_t n_rows, walk also,
                           int n_vectors) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(n_rows):
        ask(also.next)
        cursors[r] = list_row(cursors[r], end, panel, panel_row, start, c, also, n_vectors)
        start += start_row
        c += c_row


cdef inline void list_product(const entry** cursors, lane_int end, const real* panel,
                              Py_ssize_t panel_row, const real* start, Py_ssize_t start_row,
                              real* c, Py_ssize_t c_row, Py_ssize_t n_rows, walk also,
                              int n_vectors) noexcept nogil:
    """n_rows rows of C from the entries below `end`, each list from its cursor on."""
    if n_vectors == 8:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 8)
    elif n_vectors == 4:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 4)
    elif n_vectors == 3:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 3)
    elif n_vectors == 2:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 2)
    else:
        list_rows(cursors, end, panel, panel_row, start, start_row, c, c_row, n_rows, also, 1)


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
        also.start = also.c


cdef inline Py_ssize_t compress_row(const real* values, Py_ssize_t n, entry* e) noexcept nogil:
    """The non-zeros of one row of n numbers, padded with zeros to whole vectors; their count."""
    cdef Py_ssize_t k = 0, n_found = 0
    while k < n:
        n_found += compress(load(values + k), <lane_int>k, e + n_found)
        k += WIDTH
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
