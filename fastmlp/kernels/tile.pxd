"""The product of the three passes, dense:

    C[r, :] = start[r, :] + Σ_s x[r, s] · P[s, :]          r < n_rows, s < n_sum

in the operands of operands.pxd.  C, start and P are one panel wide (1 to 4 vectors), or two (5 to
8).  If the last vector is half padding (`P.first.half`, `P.second.half`), a half is computed of it.
x is read one number at a time, so one tile serves the forward pass (x = a), the hidden delta
(x = δ) and the weight gradient (x = aᵀ, transposed), and input examples are read in the user's own
array.
`start` is the bias (stride 0), zeros, or C itself when a sum is continued.

Each element of C is one accumulator, summed in ascending s by fused multiply-adds: no cut of the
rows, the panels or the sum changes a bit.  kernels/README.md states the contract with a drawing.
Callers: blocks.pxd and dense.pxd.
"""
from .operands cimport (first_vectors, from_panel_row, from_x_row, operand, panel, panel_pair)
from .prefetch cimport prefetch_queue, prefetch_some, prefetch_terms
from .vector cimport (DENSE_BLOCK_BYTES, HALVES, TILE_ROWS_1, TILE_ROWS_2, TILE_ROWS_3,
                      TILE_ROWS_4, WIDTH, first_half, fused, fused_half, half_vec, inlined, load,
                      load_half, real, splat, splat_half, store, store_half, vec)


cdef inline inlined tile(operand x, Py_ssize_t n_sum, panel P, panel start, panel C,
                         bint transposed, int n_rows, int n_vectors, bint half) noexcept nogil:
    """n_rows × n_vectors accumulators.

    These two, `transposed`, which is x.transposed, and `half`, which is P.half, are constants where
    the tile is called.  Of one and a half vectors three halves are computed: whole and half vectors
    by turns take a tenth longer on Zen 4.  (Where three halves take longer than two whole vectors,
    `half` is not set: see `ends_in_half` in panels.pxd.)
    """
    cdef vec sums[10][4]
    cdef vec row[4]
    cdef vec value
    cdef half_vec half_sums[10][3]
    cdef half_vec half_row[3]
    cdef half_vec half_value
    cdef int n_halves = 0 if not half else 3 if n_vectors == 2 else 1
    cdef int n = n_vectors - (n_halves + 1) // 2        # whole vectors, then the halves
    cdef int halves_at = n * WIDTH, half_width = WIDTH // 2
    cdef const real* x_rows[10]
    cdef const real* terms = NULL
    cdef real number
    cdef real* C_row
    cdef int r, j
    cdef Py_ssize_t s
    for r in range(n_rows):
        if not transposed:
            x_rows[r] = x.rows[r] + x.column
        for j in range(n):
            sums[r][j] = load(start.values + r * start.stride + j * WIDTH)
        for j in range(n_halves):
            half_sums[r][j] = load_half(start.values + r * start.stride + halves_at
                                        + j * half_width)
    for s in range(n_sum):
        for j in range(n):
            row[j] = load(P.values + j * WIDTH)
        for j in range(n_halves):
            half_row[j] = load_half(P.values + halves_at + j * half_width)
        if transposed:
            terms = x.rows[s] + x.column
        for r in range(n_rows):
            number = terms[r] if transposed else x_rows[r][s]
            value = splat(number)
            half_value = first_half(value)
            if n == 0:
                half_value = splat_half(number)
            for j in range(n):
                sums[r][j] = fused(value, row[j], sums[r][j])
            for j in range(n_halves):
                half_sums[r][j] = fused_half(half_value, half_row[j], half_sums[r][j])
        P.values += P.stride
    for r in range(n_rows):
        C_row = C.values + r * C.stride
        for j in range(n):
            # −0 + 0 = +0: the sparse product, which leaves zero terms out, gives the same zero
            store(C_row + j * WIDTH, sums[r][j] + splat(0))
        for j in range(n_halves):
            store_half(C_row + halves_at + j * half_width, half_sums[r][j] + splat_half(0))
        if half:
            store_half(C_row + halves_at + n_halves * half_width, splat_half(0))


cdef inline inlined tiles(const operand* x, Py_ssize_t n_sum, panel P, panel start, panel C,
                          Py_ssize_t n_rows, prefetch_queue* queue,
                          bint transposed, int tile_rows, int n_vectors,
                          bint half) noexcept nogil:
    """All rows: tiles of tile_rows rows, then tiles of 4, 2 and 1 rows for the remainder."""
    cdef Py_ssize_t r = 0, k
    while r + tile_rows <= n_rows:
        prefetch_some(queue)
        if not transposed:      # rows of the next tile, which another thread may have written
            for k in range(r + tile_rows, min(r + 2 * tile_rows, n_rows)):
                prefetch_terms(x.rows[k] + x.column, n_sum)
        tile(from_x_row(x, r), n_sum, P, from_panel_row(start, r), from_panel_row(C, r),
             transposed, tile_rows, n_vectors, half)
        r += tile_rows
    while tile_rows > 4 and r + 4 <= n_rows:
        tile(from_x_row(x, r), n_sum, P, from_panel_row(start, r), from_panel_row(C, r),
             transposed, 4, n_vectors, half)
        r += 4
    if tile_rows > 2 and r + 2 <= n_rows:
        tile(from_x_row(x, r), n_sum, P, from_panel_row(start, r), from_panel_row(C, r),
             transposed, 2, n_vectors, half)
        r += 2
    if r < n_rows:
        tile(from_x_row(x, r), n_sum, P, from_panel_row(start, r), from_panel_row(C, r),
             transposed, 1, n_vectors, half)


cdef inline inlined tiles_of_width(const operand* x, Py_ssize_t n_sum, panel P, panel start,
                                   panel C, Py_ssize_t n_rows, int n_vectors,
                                   prefetch_queue* queue, bint transposed,
                                   bint half) noexcept nogil:
    if n_vectors == 1:
        tiles(x, n_sum, P, start, C, n_rows, queue, transposed, TILE_ROWS_1, 1, half)
    elif n_vectors == 2:
        tiles(x, n_sum, P, start, C, n_rows, queue, transposed,
              TILE_ROWS_3 if half else TILE_ROWS_2, 2, half)
    elif n_vectors == 3:
        tiles(x, n_sum, P, start, C, n_rows, queue, transposed, TILE_ROWS_3, 3, half)
    else:
        tiles(x, n_sum, P, start, C, n_rows, queue, transposed, TILE_ROWS_4, 4, half)


cdef inline void product(operand x,                 # IN
                         Py_ssize_t n_sum,
                         panel_pair P,              # IN
                         panel_pair start,          # IN, may be C
                         panel_pair C,              # OUT
                         Py_ssize_t n_rows, int n_vectors,
                         prefetch_queue* queue      # prefetched meanwhile, or NULL
                         ) noexcept nogil:
    """The product above in one pass over the sum, for one panel or two."""
    cdef int n = first_vectors(n_vectors)
    while n_vectors > 0:        # the first panel, then the second
        if HALVES and P.first.half:
            if x.transposed:
                tiles_of_width(&x, n_sum, P.first, start.first, C.first, n_rows, n, queue, True,
                               True)
            else:
                tiles_of_width(&x, n_sum, P.first, start.first, C.first, n_rows, n, queue, False,
                               True)
        elif x.transposed:
            tiles_of_width(&x, n_sum, P.first, start.first, C.first, n_rows, n, queue, True, False)
        else:
            tiles_of_width(&x, n_sum, P.first, start.first, C.first, n_rows, n, queue, False,
                           False)
        P.first = P.second
        start.first = start.second
        C.first = C.second
        n_vectors -= n
        n = n_vectors


cdef inline Py_ssize_t even_block(Py_ssize_t n_sum, Py_ssize_t longest) noexcept nogil:
    """The length that cuts n_sum evenly into as few blocks as `longest` allows."""
    if n_sum <= longest:
        return max(n_sum, 1)
    cdef Py_ssize_t n_blocks = (n_sum + longest - 1) // longest
    return (n_sum + n_blocks - 1) // n_blocks


cdef inline Py_ssize_t dense_block(Py_ssize_t n_sum, int n_vectors) noexcept nogil:
    """Rows of P in one block of the dense product."""
    return even_block(n_sum, DENSE_BLOCK_BYTES // (min(n_vectors, 4) * WIDTH * <int>sizeof(real)))
