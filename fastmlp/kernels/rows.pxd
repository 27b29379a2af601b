"""The same product contract from lists of non-zeros: zeros cost nothing.

    C[r, :] = start[r, :] + Σ_{(s, x) in list r} x · P[s, :]

A list holds (index, value) in ascending index and ends with LAST_INDEX.  The non-zero terms
are summed in the same order, with the same fused multiply-add, as the dense tile sums all of
them; adding a product that is zero changes no accumulator, so both give the same bits.

Lists by row come from compressing a matrix (or from CSR input); lists by column, which the
weight gradient needs, from the lists by row.
"""
from .vector cimport (LAST_INDEX, LIST_BLOCK_BYTES, WIDTH, compress, entry, fused, lane_int,
                      load, real, splat, store, vec)
from .tile cimport even_block

cdef struct lists:
    entry* entries
    Py_ssize_t* first           # list r starts at entries[first[r]]


ctypedef const entry* (*list_product_t)(const entry* e, lane_int end, const real* panel,
                                        Py_ssize_t panel_row, const real* start,
                                        real* c) noexcept nogil


cdef inline const entry* list_product(const entry* e, lane_int end, const real* panel,
                                      Py_ssize_t panel_row, const real* start, real* c,
                                      int n_vectors) noexcept nogil:
    """One row of C from the entries below index `end`; returns the first entry not used."""
    cdef vec sums[4]
    cdef vec value
    cdef const real* row
    cdef int j
    for j in range(n_vectors):
        sums[j] = load(start + j * WIDTH)
    while e.index < end:
        row = panel + e.index * panel_row
        value = splat(e.value)
        for j in range(n_vectors):
            sums[j] = fused(value, load(row + j * WIDTH), sums[j])
        e += 1
    for j in range(n_vectors):
        store(c + j * WIDTH, sums[j])
    return e


cdef inline const entry* list_product_1(const entry* e, lane_int end, const real* panel,
                                        Py_ssize_t panel_row, const real* start,
                                        real* c) noexcept nogil:
    return list_product(e, end, panel, panel_row, start, c, 1)


cdef inline const entry* list_product_2(const entry* e, lane_int end, const real* panel,
                                        Py_ssize_t panel_row, const real* start,
                                        real* c) noexcept nogil:
    return list_product(e, end, panel, panel_row, start, c, 2)


cdef inline const entry* list_product_3(const entry* e, lane_int end, const real* panel,
                                        Py_ssize_t panel_row, const real* start,
                                        real* c) noexcept nogil:
    return list_product(e, end, panel, panel_row, start, c, 3)


cdef inline const entry* list_product_4(const entry* e, lane_int end, const real* panel,
                                        Py_ssize_t panel_row, const real* start,
                                        real* c) noexcept nogil:
    return list_product(e, end, panel, panel_row, start, c, 4)


cdef inline list_product_t list_product_of(int n_vectors) noexcept nogil:
    """The list product for a panel of so many vectors."""
    if n_vectors == 1:
        return list_product_1
    if n_vectors == 2:
        return list_product_2
    if n_vectors == 3:
        return list_product_3
    return list_product_4


cdef inline Py_ssize_t list_block(Py_ssize_t n_sum, int n_vectors) noexcept nogil:
    """Rows of P in one block of the list product."""
    return even_block(n_sum, LIST_BLOCK_BYTES // (n_vectors * WIDTH * <int>sizeof(real)))


cdef inline void blocked_list_product(list_product_t multiply, const entry* entries,
                                      const Py_ssize_t* lists_first, const entry** cursors,
                                      Py_ssize_t n_sum,
                                      const real* panel, Py_ssize_t panel_row,
                                      Py_ssize_t block,
                                      const real* start, Py_ssize_t start_row,
                                      real* c, Py_ssize_t c_row,
                                      Py_ssize_t n_rows) noexcept nogil:
    """n_rows rows of C; `cursors` (scratch) remember where each list's next block begins."""
    cdef Py_ssize_t r, s = 0
    for r in range(n_rows):
        cursors[r] = entries + lists_first[r]
    while True:
        s += block
        for r in range(n_rows):
            cursors[r] = multiply(cursors[r], <lane_int>min(s, n_sum), panel, panel_row,
                                  start + r * start_row, c + r * c_row)
        if s >= n_sum:
            return
        start = c
        start_row = c_row


cdef inline Py_ssize_t compress_row(const real* values, Py_ssize_t n, entry* e) noexcept nogil:
    """The non-zeros of one row of n numbers, padded with zeros to whole vectors; their count."""
    cdef Py_ssize_t k = 0, n_found = 0
    while k < n:
        n_found += compress(load(values + k), <lane_int>k, e + n_found)
        k += WIDTH
    e[n_found].index = LAST_INDEX
    return n_found


cdef inline const entry* seek(const entry* e, const entry* end, Py_ssize_t index) noexcept nogil:
    """The first entry of the list [e, end) whose index is not below `index`."""
    cdef const entry* middle
    while e < end:
        middle = e + (end - e) // 2
        if middle.index < index:
            e = middle + 1
        else:
            end = middle
    return e


cdef inline void columns_from_rows(lists* rows, const Py_ssize_t* n_entries, Py_ssize_t n_rows,
                                   Py_ssize_t k0, Py_ssize_t k1, const entry** cursors,
                                   Py_ssize_t* fill, lists* columns) noexcept nogil:
    """Lists k0…k1 by column from the lists by row: a counting sort, stable in the row.

    Their place begins after every entry (and end mark) of the columns before k0, so threads
    that own different columns write apart.  `cursors` and `fill` are scratch.
    """
    cdef Py_ssize_t r, k, place = k0
    cdef const entry* e
    for r in range(n_rows):
        e = rows.entries + rows.first[r]
        cursors[r] = seek(e, e + n_entries[r], k0)
        place += cursors[r] - e
    for k in range(k0, k1):
        fill[k] = 0
    for r in range(n_rows):
        e = cursors[r]
        while e.index < k1:
            fill[e.index] += 1
            e += 1
    for k in range(k0, k1):
        columns.first[k] = place
        place += fill[k] + 1
        fill[k] = columns.first[k]
    for r in range(n_rows):
        e = cursors[r]
        while e.index < k1:
            columns.entries[fill[e.index]].index = <lane_int>r
            columns.entries[fill[e.index]].value = e.value
            fill[e.index] += 1
            e += 1
    for k in range(k0, k1):
        columns.entries[fill[k]].index = LAST_INDEX
