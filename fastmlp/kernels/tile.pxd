"""The one product contract, dense:

    C[r, :] = start[r, :] + Σ_s x[r, s] · P[s, :]          r < n_rows, s < n_sum

C and P are one panel wide (1 to 4 vectors).  `x` is read one number at a time from rows that lie
anywhere, so the same tile serves the forward pass (x = a), the hidden delta (x = δ) and the weight
gradient (x = aᵀ, transposed), and input examples are read where the user's array holds them.
`start` is the bias (`start_row` 0), zeros, or C itself when a sum is carried from block to block.

Every element is one accumulator, summed in ascending s with a fused multiply-add: how the
rows, the panels or the sum are cut never changes a bit.

    ┌──────────── P, n_sum × panel ────────────┐
    │ s:  [ vec 0 ][ vec 1 ][ vec 2 ][ vec 3 ] │ one row of P in registers
    └───────────────────────────────────────────┘
    x[r0..r0+5, s] ─ broadcast ─► 5 × 4 accumulators ─► C[r0..r0+5]
"""
from .ahead cimport ahead, ask, look_ahead, stretch
from .vector cimport (DENSE_BLOCK_BYTES, PANEL_VECTORS, TILE_ROWS_1, TILE_ROWS_2, TILE_ROWS_3,
                      TILE_ROWS_4, WIDTH, fused, inlined, load, real, splat, store, vec)

cdef struct operand:            # x[r, s] = rows[r][column + s]; transposed: rows[s][column + r]
    const real** rows
    Py_ssize_t column
    bint transposed


cdef struct second:             # of two panels side by side, the wider one first
    const real* panel
    const real* start
    real* c
    Py_ssize_t panel_row, start_row, c_row


cdef struct walk:               # what goes with every product
    second far
    ahead* next                 # what to ask for meanwhile
    bint streamed               # P lies beyond L2: ask for its blocks instead


cdef inline operand from_row(const operand* x, Py_ssize_t r) noexcept nogil:
    """x from its row r on."""
    cdef operand rest = x[0]
    if x.transposed:
        rest.column += r
    else:
        rest.rows += r
    return rest


cdef inline operand from_term(const operand* x, Py_ssize_t s) noexcept nogil:
    """x from its term s of each sum on."""
    cdef operand rest = x[0]
    if x.transposed:
        rest.rows += s
    else:
        rest.column += s
    return rest


cdef inline inlined tile(operand x, Py_ssize_t n_sum, const real* panel, Py_ssize_t panel_row,
                         const real* start, Py_ssize_t start_row, real* c, Py_ssize_t c_row,
                         bint transposed, int n_rows, int n_vectors) noexcept nogil:
    """`n_rows` × `n_vectors` accumulators; they and `transposed` are constants where it is called."""
    cdef vec sums[10][4]
    cdef vec row[4]
    cdef vec value
    cdef const real* of_x[10]
    cdef const real* terms = NULL
    cdef int r, j
    cdef Py_ssize_t s
    for r in range(n_rows):
        if not transposed:
            of_x[r] = x.rows[r] + x.column
        for j in range(n_vectors):
            sums[r][j] = load(start + r * start_row + j * WIDTH)
    for s in range(n_sum):
        for j in range(n_vectors):
            row[j] = load(panel + j * WIDTH)
        if transposed:
            terms = x.rows[s] + x.column
        for r in range(n_rows):
            value = splat(terms[r] if transposed else of_x[r][s])
            for j in range(n_vectors):
                sums[r][j] = fused(value, row[j], sums[r][j])
        panel += panel_row
    for r in range(n_rows):
        for j in range(n_vectors):
            # −0 + 0 = +0: lists, which skip products that are zero, must not differ in its sign
            store(c + r * c_row + j * WIDTH, sums[r][j] + splat(0))


cdef inline inlined tiles(const operand* x, Py_ssize_t n_sum, const real* panel,
                          Py_ssize_t panel_row, const real* start, Py_ssize_t start_row,
                          real* c, Py_ssize_t c_row, Py_ssize_t n_rows, ahead* next,
                          bint transposed, int tile_rows, int n_vectors) noexcept nogil:
    """All rows: full tiles, then the rest in tiles of 4, 2 and 1 rows."""
    cdef Py_ssize_t r = 0
    while r + tile_rows <= n_rows:
        ask(next)
        tile(from_row(x, r), n_sum, panel, panel_row, start + r * start_row, start_row,
             c + r * c_row, c_row, transposed, tile_rows, n_vectors)
        r += tile_rows
    while tile_rows > 4 and r + 4 <= n_rows:
        tile(from_row(x, r), n_sum, panel, panel_row, start + r * start_row, start_row,
             c + r * c_row, c_row, transposed, 4, n_vectors)
        r += 4
    if tile_rows > 2 and r + 2 <= n_rows:
        tile(from_row(x, r), n_sum, panel, panel_row, start + r * start_row, start_row,
             c + r * c_row, c_row, transposed, 2, n_vectors)
        r += 2
    if r < n_rows:
        tile(from_row(x, r), n_sum, panel, panel_row, start + r * start_row, start_row,
             c + r * c_row, c_row, transposed, 1, n_vectors)


cdef inline inlined panel_product(const operand* x, Py_ssize_t n_sum, const real* panel,
                                  Py_ssize_t panel_row, const real* start, Py_ssize_t start_row,
                                  real* c, Py_ssize_t c_row, Py_ssize_t n_rows, ahead* next,
                                  bint transposed, int n_vectors) noexcept nogil:
    if n_vectors == 1:
        tiles(x, n_sum, panel, panel_row, start, start_row, c, c_row, n_rows, next, transposed,
              TILE_ROWS_1, 1)
    elif n_vectors == 2:
        tiles(x, n_sum, panel, panel_row, start, start_row, c, c_row, n_rows, next, transposed,
              TILE_ROWS_2, 2)
    elif n_vectors == 3:
        tiles(x, n_sum, panel, panel_row, start, start_row, c, c_row, n_rows, next, transposed,
              TILE_ROWS_3, 3)
    else:
        tiles(x, n_sum, panel, panel_row, start, start_row, c, c_row, n_rows, next, transposed,
              TILE_ROWS_4, 4)


cdef inline int near_vectors(int n_vectors) noexcept nogil:
    """Of those of two panels side by side the first one's."""
    return (n_vectors + 1) // 2


cdef inline void product(operand x, Py_ssize_t n_sum, const real* panel, Py_ssize_t panel_row,
                         const real* start, Py_ssize_t start_row, real* c, Py_ssize_t c_row,
                         Py_ssize_t n_rows, walk also, int n_vectors) noexcept nogil:
    """The contract above, for a panel of 1 to 4 vectors, or the 5 to 8 of two."""
    cdef const second* far = &also.far
    if n_vectors > PANEL_VECTORS:
        product(x, n_sum, panel, panel_row, start, start_row, c, c_row, n_rows, also,
                near_vectors(n_vectors))
        product(x, n_sum, far.panel, far.panel_row, far.start, far.start_row, far.c, far.c_row,
                n_rows, also, n_vectors - near_vectors(n_vectors))
    elif x.transposed:
        panel_product(&x, n_sum, panel, panel_row, start, start_row, c, c_row, n_rows, also.next,
                      True, n_vectors)
    else:
        panel_product(&x, n_sum, panel, panel_row, start, start_row, c, c_row, n_rows, also.next,
                      False, n_vectors)


cdef inline void ask_for_rows(ahead* soon, stretch* parts, const real* panel,
                              Py_ssize_t panel_row, const second* far, Py_ssize_t n_rows,
                              int n_vectors, Py_ssize_t n_asks) noexcept nogil:
    """So many rows of a panel, or of two, are needed next."""
    parts[0].first = <const char*>panel
    parts[0].last = <const char*>(panel + n_rows * panel_row)
    if n_vectors > PANEL_VECTORS:
        parts[1].first = <const char*>far.panel
        parts[1].last = <const char*>(far.panel + n_rows * far.panel_row)
    look_ahead(soon, parts, parts + (2 if n_vectors > PANEL_VECTORS else 1), n_asks)


cdef inline void blocked_product(operand x, Py_ssize_t n_sum, const real* panel,
                                 Py_ssize_t panel_row, const real* start, Py_ssize_t start_row,
                                 real* c, Py_ssize_t c_row, Py_ssize_t n_rows, walk also,
                                 int n_vectors) noexcept nogil:
    """The same product, its sum cut into blocks of P that stay in L1 for all rows.

    Of two panels each block of x is read for both while it is in L2.
    """
    cdef Py_ssize_t s = 0, n, block = dense_block(n_sum, n_vectors)
    cdef ahead soon
    cdef stretch parts[2]
    cdef second following
    if also.streamed:
        also.next = &soon
    while True:
        n = min(block, n_sum - s)
        if also.streamed:
            following = also.far
            following.panel += n * following.panel_row
            ask_for_rows(&soon, parts, panel + n * panel_row, panel_row, &following,
                         min(block, n_sum - s - n), n_vectors, n_rows // 2)
        product(from_term(&x, s), n, panel, panel_row, start, start_row, c, c_row, n_rows, also,
                n_vectors)
        panel += n * panel_row
        also.far.panel += n * also.far.panel_row
        s += n
        if s >= n_sum:
            return
        start = c
        start_row = c_row
        also.far.start = also.far.c
        also.far.start_row = also.far.c_row


cdef inline Py_ssize_t even_block(Py_ssize_t n_sum, Py_ssize_t most) noexcept nogil:
    """The length that cuts n_sum into as few blocks of at most `most` as evenly as can be."""
    if n_sum <= most:
        return max(n_sum, 1)
    cdef Py_ssize_t n_blocks = (n_sum + most - 1) // most
    return (n_sum + n_blocks - 1) // n_blocks


cdef inline Py_ssize_t dense_block(Py_ssize_t n_sum, int n_vectors) noexcept nogil:
    """Rows of P in one block of the dense product."""
    return even_block(n_sum, DENSE_BLOCK_BYTES // (min(n_vectors, 4) * WIDTH * <int>sizeof(real)))
