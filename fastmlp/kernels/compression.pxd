"""Sparse rows are made: of a row of numbers, and of the transpose of a sparse matrix.

Callers: inputs.pxd and step.pxd, for the network's input.
"""
from .sparse_rows cimport sparse_rows
from .vector cimport (LAST_INDEX, WIDTH, compress, entry, index_of, lane_int, load, load_entry,
                      loaded_entry, real, store_entry)


cdef inline Py_ssize_t compress_row(const real* values, Py_ssize_t n, entry* e) noexcept nogil:
    """The sparse row of n numbers, padded with zeros to whole vectors; returns its count."""
    cdef Py_ssize_t k = 0, n_nonzeros = 0
    while k < n:
        n_nonzeros += compress(load(values + k), <lane_int>k, e + n_nonzeros)
        k += WIDTH
    e[n_nonzeros].index = LAST_INDEX
    return n_nonzeros


cdef inline void columns_from_rows(const sparse_rows* rows,         # IN
                                   Py_ssize_t n_rows, Py_ssize_t first, Py_ssize_t last,
                                   entry** ends,                    # scratch for n_columns
                                   const sparse_rows* columns       # OUT
                                   ) noexcept nogil:
    """The columns first … last of a sparse matrix as the sparse rows of its transpose."""
    cdef Py_ssize_t r, k
    cdef const entry* e
    cdef entry* place
    cdef loaded_entry now
    for k in range(first, last):
        ends[k] = columns.entries + k * columns.capacity
    for r in range(n_rows):
        e = rows.entries + r * rows.capacity
        while e.index < first:
            e += 1
        now = load_entry(e)
        while index_of(now) < last:
            place = ends[index_of(now)]
            ends[index_of(now)] = place + 1
            store_entry(now, <lane_int>r, place)
            e += 1
            now = load_entry(e)
    for k in range(first, last):
        ends[k].index = LAST_INDEX
