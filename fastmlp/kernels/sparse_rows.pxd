"""The product of the three passes from sparse rows, in which zeros cost nothing:

    C[r, :] = start[r, :] + Σ_{(s, x) in row r} x · P[s, :]

A sparse row holds (index, value) of its non-zeros in ascending index and ends with LAST_INDEX.
C, start and P are those of tile.pxd, and so are the bits: the non-zero terms are added in the same
order with the same fused multiply-add, and adding a zero term changes no accumulator but the sign
of a zero, which both products give as +0 at the end.

The network's input is read so where it has many zeros (inputs.pxd).  compression.pxd makes sparse
rows; dense.pxd calls the product.
"""
from .operands cimport from_row, panel_pair
from .prefetch cimport LINE, prefetch_queue, prefetch_some
from .row_sums cimport add_term, load_sums, row_sums, store_sums
from .tile cimport even_block
from .vector cimport (SPARSE_BLOCK_BYTES, WIDTH, entry, index_of, inlined, lane_int, load_entry,
                      loaded_entry, prefetch_line, real, value_of)

cdef enum:
    # fewest entries of a row in one block, on average: below it a larger block of P costs less
    MIN_ENTRIES_PER_BLOCK = 20
    ROWS_AHEAD = 3              # whose entries are prefetched, and of each so many
    LINES_AHEAD = 4             # cache lines

cdef struct sparse_rows:
    entry* entries
    Py_ssize_t capacity         # row r begins at entries[r·capacity]
    double density              # non-zeros divided by all numbers of the matrix, about


cdef inline inlined sparse_row(const entry** cursor, lane_int end, panel_pair P, panel_pair start,
                               panel_pair C, int n_first, int n_second) noexcept nogil:
    """One row of C from the entries below index `end`; moves the cursor to the first one not used."""
    cdef const entry* e = cursor[0]
    cdef loaded_entry now = load_entry(e)
    cdef row_sums sums
    load_sums(&sums, start, n_first, n_second)
    while index_of(now) < end:
        add_term(&sums, value_of(now), index_of(now), P, n_first, n_second)
        e += 1
        now = load_entry(e)
    store_sums(&sums, C, n_first, n_second)
    cursor[0] = e


cdef inline inlined each_sparse_row(const entry** cursors, lane_int end, panel_pair P,
                                    panel_pair start, panel_pair C, Py_ssize_t n_rows,
                                    prefetch_queue* queue, int n_first,
                                    int n_second) noexcept nogil:
    cdef Py_ssize_t r
    cdef int i
    for r in range(n_rows):
        prefetch_some(queue)
        if r + ROWS_AHEAD < n_rows:
            for i in range(LINES_AHEAD):
                prefetch_line(<const char*>cursors[r + ROWS_AHEAD] + i * LINE)
        sparse_row(cursors + r, end, P, start, C, n_first, n_second)
        start = from_row(start, 1)
        C = from_row(C, 1)


cdef inline void sparse_product(const entry** cursors,      # IN OUT, the next entry of each row
                                lane_int end,
                                panel_pair P,               # IN
                                panel_pair start,           # IN, may be C
                                panel_pair C,               # OUT
                                Py_ssize_t n_rows, int n_vectors,
                                prefetch_queue* queue       # prefetched meanwhile, or NULL
                                ) noexcept nogil:
    """n_rows rows of C from the entries of each row from its cursor to index `end`."""
    if n_vectors == 8:
        each_sparse_row(cursors, end, P, start, C, n_rows, queue, 4, 4)
    elif n_vectors == 7:
        each_sparse_row(cursors, end, P, start, C, n_rows, queue, 4, 3)
    elif n_vectors == 6:
        each_sparse_row(cursors, end, P, start, C, n_rows, queue, 3, 3)
    elif n_vectors == 5:
        each_sparse_row(cursors, end, P, start, C, n_rows, queue, 3, 2)
    elif n_vectors == 4:
        each_sparse_row(cursors, end, P, start, C, n_rows, queue, 4, 0)
    elif n_vectors == 3:
        each_sparse_row(cursors, end, P, start, C, n_rows, queue, 3, 0)
    elif n_vectors == 2:
        each_sparse_row(cursors, end, P, start, C, n_rows, queue, 2, 0)
    else:
        each_sparse_row(cursors, end, P, start, C, n_rows, queue, 1, 0)


cdef inline Py_ssize_t sparse_block(Py_ssize_t n_sum, int n_vectors,
                                    double density) noexcept nogil:
    """Rows of P in one block of the sparse product.

    A block fits L1 unless a sparse row would have only a few entries in it: each block of each row
    ends in a mispredicted branch, which costs more than reading P from L2.
    """
    cdef Py_ssize_t rows = SPARSE_BLOCK_BYTES // (n_vectors * WIDTH * <int>sizeof(real))
    if density * rows < MIN_ENTRIES_PER_BLOCK:
        rows = <Py_ssize_t>min(2.0 * rows, MIN_ENTRIES_PER_BLOCK / max(density, 1e-9))
    return even_block(n_sum, rows)


cdef inline void start_cursors(const sparse_rows* x, Py_ssize_t first, Py_ssize_t n_rows,
                               const entry** cursors) noexcept nogil:
    """The first entry of each of n_rows rows from row `first` on."""
    cdef Py_ssize_t r
    for r in range(n_rows):
        cursors[r] = x.entries + (first + r) * x.capacity


cdef inline void blocked_sparse_product(const sparse_rows* x, Py_ssize_t first,
                                        const entry** cursors,      # scratch for n_rows
                                        Py_ssize_t n_sum, panel_pair P, panel_pair start,
                                        panel_pair C, Py_ssize_t n_rows, int n_vectors,
                                        prefetch_queue* queue) noexcept nogil:
    """n_rows rows of C from the sparse rows first, first + 1, …, the sum cut into blocks of P."""
    cdef Py_ssize_t s = 0, block = sparse_block(n_sum, n_vectors, x.density)
    start_cursors(x, first, n_rows, cursors)
    while True:
        s += block
        sparse_product(cursors, <lane_int>min(s, n_sum), P, start, C, n_rows, n_vectors, queue)
        if s >= n_sum:
            return
        start = C
