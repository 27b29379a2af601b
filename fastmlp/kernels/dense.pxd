"""The three products of training on one thread's part: forward, hidden delta, weight gradient.

Each is the one product contract (tile.pxd) or its twin from lists of non-zeros (rows.pxd)
over this thread's rows of each panel, finished while the block is in cache: activation,
∘ f'(z), optimizer.  Whether lists are used is this thread's affair (`listed.used`); no bit
depends on it.  `blank` is a row of zeros.
"""
from libc.string cimport memcpy
from .activations cimport activate
from .ahead cimport MOST_STRETCHES, ahead, look_ahead, stretch
from .dropout cimport add_noise, blank_padding, draws, drop
from .panels cimport (cut, layer, own_vectors, padded, panel_columns, panel_count, panel_vectors,
                      transposed_from, transposed_panel)
from .rows cimport blocked_list_product, list_block, list_product
from .tile cimport blocked_product, dense_block, walk, product
from .updates cimport average, update, update_step
from .vector cimport PANEL_VECTORS, TILE_ROWS_4, WIDTH, lane_int, load, real, store, vec
from .workspace cimport GRADIENT_ROWS, level, scratch, skipping

cdef enum:
    OWN_BYTES = 1048576         # of a weight a thread: more of them do not stay in its L2

cdef struct gradient_target:    # where a batch's gradient goes
    real* parameters            # updated after the last chunk, unless step is NULL
    real* sums                  # Σ over the chunks so also, laid out like parameters; or NULL
    real* slots[2]              # the optimizer's state
    real* average               # of the parameters over the steps, or NULL
    real decay                  # of it
    const update_step* step
    bint first, last            # chunk of the batch


cdef struct share:              # what one thread computes of one panel, or of two at once
    Py_ssize_t first, last      # rows
    int n_vectors, n_panels


cdef inline share share_of(Py_ssize_t n_columns, Py_ssize_t n_rows, int panel, bint pairs,
                           int part, int n_parts) noexcept nogil:
    """Thread `part`'s rows of `panel`; with `pairs`, also of the next if both are full."""
    cdef share own
    own.first = cut(n_columns, n_rows, TILE_ROWS_4, panel, part, n_parts)
    own.last = cut(n_columns, n_rows, TILE_ROWS_4, panel, part + 1, n_parts)
    own.n_vectors = panel_vectors(n_columns, panel)
    own.n_panels = 1
    if (pairs and own.first < own.last and (panel + 2) * panel_columns() <= n_columns
            and own.first == cut(n_columns, n_rows, TILE_ROWS_4, panel + 1, part, n_parts)
            and own.last == cut(n_columns, n_rows, TILE_ROWS_4, panel + 1, part + 1, n_parts)):
        own.n_vectors = 2 * PANEL_VECTORS
        own.n_panels = 2
    return own


cdef inline walk walk_of(const layer* L, scratch* own, int n_parts) noexcept nogil:
    """What the products of a layer ask for while they run."""
    cdef walk also
    also.panel = also.start = also.c = panel_columns()
    also.next = &own.next
    also.streamed = L.n_in * L.n_out * <Py_ssize_t>sizeof(real) > n_parts * OWN_BYTES
    return also


cdef inline void finish_level(const layer* L, const draws* d, Py_ssize_t row, Py_ssize_t column,
                              real* z, Py_ssize_t z_row, real* slope, Py_ssize_t slope_row,
                              Py_ssize_t n_rows, int n_vectors) noexcept nogil:
    """a = f(z) and f'(z) of a block of a hidden level; in training (`d`) noise and dropout too."""
    if d != NULL and L.noise != 0:
        add_noise(L, d, row, column, z, z_row, n_rows, n_vectors)
    activate(L.activation, L.parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    if d != NULL and L.dropped != 0:
        drop(L, d, row, column, z, z_row, slope, slope_row, n_rows, n_vectors)
    if d != NULL and (L.noise != 0 or L.dropped != 0):
        blank_padding(L.n_out, column, z, z_row, n_rows, n_vectors)


cdef inline void forward(const layer* L, const real* parameters, level* below, level* above,
                         const skipping* listed, scratch* own, const real* blank,
                         const draws* d, Py_ssize_t m, bint finish,
                         int part, int n_parts) noexcept nogil:
    """z(l+1) = a(l) Wᵀ + b;  a(l+1) = f(z(l+1)), f'(z(l+1)) in δ(l+1)'s place.

    Without `finish` z is left as it is: the output layer's loss takes it from there.  A level that
    is normalized gets a(l) Wᵀ alone.
    """
    cdef const real* panel
    cdef const real* bias
    cdef real* z
    cdef real* slope
    cdef Py_ssize_t columns, column, a_row = below.a.stride, z_row = above.a.stride
    cdef int p = 0
    cdef share s
    cdef walk also = walk_of(L, own, n_parts)
    also.panel = panel_columns() * L.n_in
    while p < panel_count(L.n_out):
        s = share_of(L.n_out, m, p, True, part, n_parts)
        columns = panel_vectors(L.n_out, p) * WIDTH
        panel = parameters + L.weight + p * panel_columns() * L.n_in
        bias = blank if L.scale > 0 else parameters + L.bias + p * panel_columns()
        z = above.a.values + p * panel_columns() + s.first * z_row
        slope = above.delta.values + p * panel_columns() + s.first * above.delta.stride
        column = p * panel_columns()
        p += s.n_panels
        if s.first >= s.last:
            continue
        if listed.used:
            blocked_list_product(&listed.rows, s.first, own.cursors, L.n_in, panel, columns, bias, 0, z, z_row,
                                 s.last - s.first, also, s.n_vectors)
        else:
            blocked_product(below.a.values + s.first * a_row, a_row, 1, L.n_in, panel, columns,
                            bias, 0, z, z_row, s.last - s.first, also, s.n_vectors)
        if not finish:
            continue
        finish_level(L, d, s.first, column, z, z_row, slope, above.delta.stride,
                     s.last - s.first, s.n_vectors)


cdef inline void hidden_delta(const layer* L, const real* parameters, level* below,
                              level* above, const skipping* listed, scratch* own,
                              const real* blank, Py_ssize_t m,
                              int part, int n_parts) noexcept nogil:
    """δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l)), which lies in δ(l)'s place.

    Wᵀ is formed block by block, in this thread's cache, just before it is used.
    """
    cdef Py_ssize_t columns, block, j, n, r, k, start_row, row = above.delta.stride
    cdef int p = 0, i
    cdef const real* start
    cdef real* delta
    cdef const real* c
    cdef share s
    cdef ahead soon
    cdef stretch parts[MOST_STRETCHES]
    cdef const stretch* end
    cdef walk also = walk_of(L, own, n_parts)
    while p < panel_count(L.n_in):
        s = share_of(L.n_in, m, p, listed.used, part, n_parts)
        k = p * panel_columns()
        p += s.n_panels
        if s.first >= s.last:
            continue
        columns = s.n_vectors * WIDTH
        if listed.used:
            block = padded(list_block(L.n_out, s.n_vectors, listed.rows.density))
            for r in range(s.last - s.first):
                own.cursors[r] = listed.rows.entries + (s.first + r) * listed.rows.room
        else:
            block = padded(dense_block(L.n_out, s.n_vectors))
        start = blank
        start_row = 0
        j = 0
        while j < L.n_out:
            n = min(block, L.n_out - j)
            if also.streamed:
                also.next = &soon
                end = transposed_from(parameters + L.weight, L.n_in, L.n_out, k,
                                      min(k + columns, L.n_in), j + n,
                                      min(j + n + block, L.n_out), parts)
                look_ahead(&soon, parts, end, (s.last - s.first) // TILE_ROWS_4)
            transposed_panel(parameters + L.weight, L.n_in, L.n_out, k, s.n_vectors, j, j + n,
                             own.packed)
            if listed.used:
                list_product(own.cursors, <lane_int>(j + n), own.packed - j * columns, columns,
                             start, start_row, own.block, columns, s.last - s.first, also,
                             s.n_vectors)
            else:
                product(above.delta.values + s.first * row + j, row, 1, n, own.packed, columns,
                        start, start_row, own.block, columns, s.last - s.first, also,
                        s.n_vectors)
            start = own.block
            start_row = columns
            j += n
        for r in range(s.last - s.first):
            delta = below.delta.values + (s.first + r) * below.delta.stride + k
            c = own.block + r * columns
            for i in range(s.n_vectors):
                store(delta + i * WIDTH, load(c + i * WIDTH) * load(delta + i * WIDTH))


cdef inline void own_inputs(const layer* L, int part, int n_parts, Py_ssize_t* first,
                            Py_ssize_t* last) noexcept nogil:
    """The inputs first … last of the layer that this thread's part of ∂J/∂W reads."""
    cdef share s
    cdef int p
    first[0] = L.n_in
    last[0] = 0
    for p in range(panel_count(L.n_out)):
        s = share_of(L.n_out, L.n_in, p, False, part, n_parts)
        if s.first < s.last:
            first[0] = min(first[0], s.first)
            last[0] = max(last[0], s.last)


cdef inline bint finish_gradient(gradient_target* g, bint is_weight,
                                 Py_ssize_t place, const real* sums,
                                 Py_ssize_t n_vectors) noexcept nogil:
    """Step 6 for the parameters at `place`; whether one of them is not finite now."""
    cdef bint bad = update(g.step, is_weight, g.parameters + place, sums,
                           NULL if g.slots[0] == NULL else g.slots[0] + place,
                           NULL if g.slots[1] == NULL else g.slots[1] + place, n_vectors)
    if g.average != NULL:
        average(g.decay, g.parameters + place, g.average + place, n_vectors)
    return bad


cdef inline const stretch* parameters_of(const gradient_target* g, const layer* L,
                                         Py_ssize_t place, Py_ssize_t n, int n_panels,
                                         stretch* parts) noexcept nogil:
    """What the update of n parameters, or of as many in each of two panels, reads."""
    cdef const real* bases[3]
    cdef int i, p
    bases[0] = g.parameters
    bases[1] = g.slots[0]
    bases[2] = g.slots[1]
    for i in range(3):
        for p in range(n_panels):
            if bases[i] != NULL:
                parts.first = <const char*>(bases[i] + place + p * panel_columns() * L.n_in)
                parts.last = parts.first + n * sizeof(real)
                parts += 1
    return parts


cdef inline bint bias_gradient(const layer* L, level* above, scratch* own, const real* blank,
                               Py_ssize_t m, gradient_target* g, int p) noexcept nogil:
    """∂J/∂b(l) = Σ δ(l+1), of the columns of panel p."""
    cdef int i, n_vectors = panel_vectors(L.n_out, p)
    cdef Py_ssize_t r, place = L.bias + p * panel_columns()
    cdef real* sums = own.block if g.sums == NULL else g.sums + place
    cdef const real* delta = above.delta.values + p * panel_columns()
    cdef vec total
    for i in range(n_vectors):
        total = load((blank if g.first else sums) + i * WIDTH)
        for r in range(m):
            total = total + load(delta + r * above.delta.stride + i * WIDTH)
        store(sums + i * WIDTH, total)
    if g.last and g.step != NULL:
        return finish_gradient(g, False, place, sums, n_vectors)
    return False


cdef inline bint norm_gradient(const layer* L, level* above, gradient_target* g, int part,
                               int n_parts) noexcept nogil:
    """∂J/∂γ = Σ δ ∘ û and ∂J/∂b = Σ δ of this thread's columns, as batch_norm.pxd found them."""
    cdef Py_ssize_t first = own_vectors(L.n_out, part, n_parts)
    cdef Py_ssize_t n = own_vectors(L.n_out, part + 1, n_parts) - first
    cdef Py_ssize_t scale = L.scale + first * WIDTH, bias = L.bias + first * WIDTH
    cdef size_t size = n * WIDTH * sizeof(real)
    if g.sums != NULL:
        memcpy(g.sums + scale, above.scale + first * WIDTH, size)
        memcpy(g.sums + bias, above.shift + first * WIDTH, size)
    if g.step == NULL:
        return False
    return (finish_gradient(g, False, scale, above.scale + first * WIDTH, n)
            | finish_gradient(g, False, bias, above.shift + first * WIDTH, n))


cdef inline bint update_layer(const layer* L, gradient_target* g, int part,
                              int n_parts) noexcept nogil:
    """Step 6 alone, from finished sums: this thread's weights, and the rest by the first thread."""
    cdef bint bad = False
    cdef Py_ssize_t columns, place, n = padded(L.n_out) // WIDTH
    cdef share s
    cdef int p
    for p in range(panel_count(L.n_out)):
        s = share_of(L.n_out, L.n_in, p, False, part, n_parts)
        if s.first < s.last:
            columns = s.n_vectors * WIDTH
            place = L.weight + p * panel_columns() * L.n_in + s.first * columns
            bad |= finish_gradient(g, True, place, g.sums + place,
                                   (s.last - s.first) * s.n_vectors)
    if part == 0:
        bad |= finish_gradient(g, False, L.bias, g.sums + L.bias, n)
        if L.scale > 0:
            bad |= finish_gradient(g, False, L.scale, g.sums + L.scale, n)
    return bad


cdef inline bint weight_gradient(const layer* L, level* below, level* above,
                                 const skipping* listed, scratch* own, const real* blank,
                                 Py_ssize_t m, gradient_target* g,
                                 int part, int n_parts) noexcept nogil:
    """∂J/∂W(l) = Σ δ(l+1) a(l)ᵀ over the batch, then the update, a block at a time.

    The block is GRADIENT_ROWS inputs × one panel; its sum runs over the examples, through all
    chunks of the batch in the same accumulators.
    """
    cdef bint bad = False
    cdef Py_ssize_t k, n, columns, place, start_row
    cdef int p = 0, i
    cdef real* sums
    cdef const real* start
    cdef const real* delta
    cdef share s
    cdef ahead soon
    cdef stretch parts[MOST_STRETCHES]
    cdef walk also = walk_of(L, own, n_parts)
    cdef bint streamed = also.streamed and g.last and g.step != NULL
    also.streamed = False       # δ, which is walked, is not
    while p < panel_count(L.n_out):
        s = share_of(L.n_out, L.n_in, p, listed.used, part, n_parts)
        columns = panel_vectors(L.n_out, p) * WIDTH
        delta = above.delta.values + p * panel_columns()
        if s.first == 0 and s.last > 0 and L.scale == 0:
            for i in range(s.n_panels):
                bad |= bias_gradient(L, above, own, blank, m, g, p + i)
        k = s.first
        while k < s.last:
            n = min(<Py_ssize_t>GRADIENT_ROWS, s.last - k)
            place = L.weight + p * panel_columns() * L.n_in + k * columns
            if g.sums == NULL:
                sums = own.block
                also.c = n * columns
            else:
                sums = g.sums + place
                also.c = panel_columns() * L.n_in
            start = blank if g.first else sums
            start_row = 0 if g.first else columns
            also.start = 0 if g.first else also.c
            if streamed:
                also.next = &soon
                look_ahead(&soon, parts, parameters_of(g, L, place, n * columns, s.n_panels,
                                                       parts), n // TILE_ROWS_4)
            if listed.used:
                blocked_list_product(&listed.columns, k, own.cursors, m, delta, above.delta.stride, start, start_row,
                                     sums, columns, n, also, s.n_vectors)
            else:
                blocked_product(below.a.values + k, 1, below.a.stride, m, delta,
                                above.delta.stride, start, start_row, sums, columns, n,
                                also, s.n_vectors)
            if g.last and g.step != NULL:
                for i in range(s.n_panels):
                    bad |= finish_gradient(g, True, place + i * panel_columns() * L.n_in,
                                           sums + i * also.c, n * columns // WIDTH)
            k += n
        p += s.n_panels
    return bad
