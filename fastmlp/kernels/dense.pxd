"""The three products of training on one thread's part: forward, hidden delta, weight gradient.

Each is the one product contract (tile.pxd) or its twin from lists of non-zeros (rows.pxd)
over this thread's rows of each panel, finished while the block is in cache: activation,
∘ f'(z), optimizer.  Whether lists are used is this thread's affair (`listed.used`); no bit
depends on it.  `blank` is a row of zeros.
"""
from libc.string cimport memcpy, memset
from .activations cimport activate
from .ahead cimport MOST_STRETCHES, ahead, look_ahead, stretch
from .dropout cimport add_noise, blank_padding, draws, drop
from .matrices cimport at, columns_from, group_end, matrix, rows_from
from .panels cimport (layer, padded, panel_count, panel_start, panel_vectors, transposed_from,
                      transposed_panel)
from .rows cimport blocked_list_product, list_block, list_product
from .shares cimport own_part, own_vectors, part_of, share, share_of
from .tile cimport blocked_product, dense_block, near_vectors, product, walk
from .updates cimport average, update, update_step
from .vector cimport TILE_ROWS_4, WIDTH, lane_int, load, real, store, vec
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


cdef inline walk walk_of(const layer* L, scratch* own, int n_parts) noexcept nogil:
    """What the products of a layer ask for while they run."""
    cdef walk also
    memset(&also, 0, sizeof(also))
    also.next = &own.next
    also.streamed = L.n_in * L.n_out * <Py_ssize_t>sizeof(real) > n_parts * OWN_BYTES
    return also


cdef inline void finish_level(const layer* L, const draws* d, Py_ssize_t row, Py_ssize_t first,
                              Py_ssize_t last, level* v, Py_ssize_t n_rows) noexcept nogil:
    """a = f(z) and f'(z) in columns first … last of n_rows rows of a hidden level.

    In training (`d`) with noise and dropout.
    """
    cdef Py_ssize_t k = first, end, z_row = v.a.stride, slope_row = v.delta.stride
    cdef real* z
    cdef real* slope
    cdef int n_vectors
    while k < last:
        end = min(last, group_end(&v.a, k))
        n_vectors = <int>((end - k) // WIDTH)
        z = at(&v.a, row, k)
        slope = at(&v.delta, row, k)
        if d != NULL and L.noise != 0:
            add_noise(L, d, row, k, z, z_row, n_rows, n_vectors)
        activate(L.activation, L.parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
        if d != NULL and L.dropped != 0:
            drop(L, d, row, k, z, z_row, slope, slope_row, n_rows, n_vectors)
        if d != NULL and (L.noise != 0 or L.dropped != 0):
            blank_padding(L.n_out, k, z, z_row, n_rows, n_vectors)
        k = end


cdef inline void forward(const layer* L, const real* parameters, level* below, level* above,
                         const skipping* listed, scratch* own, const real* blank,
                         const draws* d, Py_ssize_t m, bint finish,
                         int part, int n_parts) noexcept nogil:
    """z(l+1) = a(l) Wᵀ + b;  a(l+1) = f(z(l+1)), f'(z(l+1)) in δ(l+1)'s place.

    Without `finish` z is left as it is: the output layer's loss takes it from there.  A level that
    is normalized gets a(l) Wᵀ alone.
    """
    cdef const real* panel
    cdef const real* start
    cdef real* z
    cdef Py_ssize_t first, columns, far_columns, k, end, start_row, z_row = above.a.stride
    cdef int p = 0
    cdef share s
    cdef part_of mine = own_part(L.n_out, L.n_in, m, part, n_parts)
    cdef walk also = walk_of(L, own, n_parts)
    while p < panel_count(L.n_out):
        s = share_of(&mine, p, True)
        first = panel_start(L.n_out, p)
        columns = panel_vectors(L.n_out, p) * WIDTH
        far_columns = s.n_vectors * WIDTH - columns
        p += s.n_panels
        if s.first >= s.last:
            continue
        panel = parameters + L.weight + first * L.n_in
        start = blank if L.scale > 0 else parameters + L.bias + first
        start_row = 0
        z = at(&above.a, s.first, first)
        also.far.panel = panel + columns * L.n_in
        also.far.panel_row = far_columns
        also.far.start = start + columns
        also.far.start_row = 0
        also.far.c = at(&above.a, s.first, first + columns)
        also.far.c_row = z_row
        if listed.used:
            blocked_list_product(&listed.rows, s.first, own.cursors, L.n_in, panel, columns, start,
                                 0, z, z_row, s.last - s.first, also, s.n_vectors)
        else:
            k = 0
            while k < L.n_in:
                end = min(L.n_in, group_end(&below.a, k))
                blocked_product(rows_from(&below.a, s.first, k), end - k, panel + k * columns,
                                columns, start, start_row, z, z_row, s.last - s.first, also,
                                s.n_vectors)
                start = z
                start_row = z_row
                also.far.panel += (end - k) * far_columns
                also.far.start = also.far.c
                also.far.start_row = z_row
                k = end
        if finish:
            finish_level(L, d, s.first, first, first + s.n_vectors * WIDTH, above,
                         s.last - s.first)


cdef inline void times_slope(const matrix* delta, Py_ssize_t row, Py_ssize_t first, const real* c,
                             Py_ssize_t n_rows, int n_vectors) noexcept nogil:
    """δ ← c ∘ f'(z), which lies in δ's place, in n_vectors of columns from `first` on."""
    cdef Py_ssize_t k = first, end, r
    cdef real* d
    cdef const real* source
    cdef int i
    while k < first + n_vectors * WIDTH:
        end = min(first + n_vectors * WIDTH, group_end(delta, k))
        d = at(delta, row, k)
        source = c + k - first
        for r in range(n_rows):
            for i in range(<int>((end - k) // WIDTH)):
                store(d + i * WIDTH, load(source + i * WIDTH) * load(d + i * WIDTH))
            d += delta.stride
            source += n_vectors * WIDTH
        k = end


cdef inline void hidden_delta(const layer* L, const real* parameters, level* below,
                              level* above, const skipping* listed, scratch* own,
                              const real* blank, Py_ssize_t m,
                              int part, int n_parts) noexcept nogil:
    """δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l)), which lies in δ(l)'s place.

    Wᵀ is formed block by block, in this thread's cache, just before it is used.
    """
    cdef Py_ssize_t columns, block, j, n, r, k, start_row
    cdef int p = 0
    cdef const real* start
    cdef share s
    cdef part_of mine = own_part(L.n_in, below.n_terms, m, part, n_parts)
    cdef ahead soon
    cdef stretch parts[MOST_STRETCHES]
    cdef const stretch* end
    cdef walk also = walk_of(L, own, n_parts)
    while p < panel_count(L.n_in):
        s = share_of(&mine, p, listed.used)
        k = panel_start(L.n_in, p)
        p += s.n_panels
        if s.first >= s.last:
            continue
        columns = s.n_vectors * WIDTH
        also.far.panel_row = also.far.c_row = columns
        also.far.start = blank
        also.far.start_row = 0
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
            if not listed.used:
                n = min(n, group_end(&above.delta, j) - j)
            if also.streamed:
                also.next = &soon
                end = transposed_from(parameters + L.weight, L.n_in, L.n_out, k,
                                      min(k + columns, L.n_in), j + n,
                                      min(j + n + block, L.n_out), parts)
                look_ahead(&soon, parts, end, (s.last - s.first) // TILE_ROWS_4)
            transposed_panel(parameters + L.weight, L.n_in, L.n_out, k, s.n_vectors, j, j + n,
                             own.packed)
            if listed.used:
                also.far.panel = own.packed - j * columns + near_vectors(s.n_vectors) * WIDTH
                also.far.c = own.block + near_vectors(s.n_vectors) * WIDTH
                list_product(own.cursors, <lane_int>(j + n), own.packed - j * columns, columns,
                             start, start_row, own.block, columns, s.last - s.first, also,
                             s.n_vectors)
            else:
                product(rows_from(&above.delta, s.first, j), n, own.packed, columns, start,
                        start_row, own.block, columns, s.last - s.first, also, s.n_vectors)
            start = own.block
            start_row = columns
            also.far.start = also.far.c
            also.far.start_row = columns
            j += n
        times_slope(&below.delta, s.first, k, own.block, s.last - s.first, s.n_vectors)


cdef inline void own_inputs(const layer* L, int part, int n_parts, Py_ssize_t* first,
                            Py_ssize_t* last) noexcept nogil:
    """The inputs first … last of the layer that this thread's part of ∂J/∂W reads."""
    cdef share s
    cdef part_of mine = own_part(L.n_out, L.n_in, L.n_in, part, n_parts)
    cdef int p
    first[0] = L.n_in
    last[0] = 0
    for p in range(panel_count(L.n_out)):
        s = share_of(&mine, p, False)
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


cdef inline const stretch* parameters_of(const gradient_target* g, Py_ssize_t place, Py_ssize_t n,
                                         Py_ssize_t far_place, Py_ssize_t far_n,
                                         stretch* parts) noexcept nogil:
    """What the update of n parameters, and of far_n in the next panel, reads."""
    cdef const real* bases[3]
    cdef int i
    bases[0] = g.parameters
    bases[1] = g.slots[0]
    bases[2] = g.slots[1]
    for i in range(3):
        if bases[i] != NULL:
            parts.first = <const char*>(bases[i] + place)
            parts.last = parts.first + n * sizeof(real)
            parts += 1
            if far_n > 0:
                parts.first = <const char*>(bases[i] + far_place)
                parts.last = parts.first + far_n * sizeof(real)
                parts += 1
    return parts


cdef inline bint bias_gradient(const layer* L, level* above, scratch* own, const real* blank,
                               Py_ssize_t m, gradient_target* g, int p) noexcept nogil:
    """∂J/∂b(l) = Σ δ(l+1), of the columns of panel p."""
    cdef int i, n_vectors = panel_vectors(L.n_out, p)
    cdef Py_ssize_t r, first = panel_start(L.n_out, p), place = L.bias + first
    cdef real* sums = own.block if g.sums == NULL else g.sums + place
    cdef const real* delta = at(&above.delta, 0, first)
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
    cdef Py_ssize_t first = own_vectors(L.n_out, L.n_in, part, n_parts)
    cdef Py_ssize_t n = own_vectors(L.n_out, L.n_in, part + 1, n_parts) - first
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
    cdef part_of mine = own_part(L.n_out, L.n_in, L.n_in, part, n_parts)
    cdef int p
    for p in range(panel_count(L.n_out)):
        s = share_of(&mine, p, False)
        if s.first < s.last:
            columns = s.n_vectors * WIDTH
            place = L.weight + panel_start(L.n_out, p) * L.n_in + s.first * columns
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
    cdef Py_ssize_t k, n, first, columns, far_columns, place, far_place, start_row
    cdef int p = 0, i
    cdef real* sums
    cdef const real* start
    cdef const real* delta
    cdef share s
    cdef part_of mine = own_part(L.n_out, L.n_in, L.n_in, part, n_parts)
    cdef ahead soon
    cdef stretch parts[MOST_STRETCHES]
    cdef walk also = walk_of(L, own, n_parts)
    cdef bint streamed = also.streamed and g.last and g.step != NULL
    also.streamed = False       # δ, which is walked, is not
    while p < panel_count(L.n_out):
        s = share_of(&mine, p, listed.used)
        first = panel_start(L.n_out, p)
        columns = panel_vectors(L.n_out, p) * WIDTH
        far_columns = s.n_vectors * WIDTH - columns
        delta = at(&above.delta, 0, first)
        also.far.panel_row = above.delta.stride
        also.far.c_row = far_columns
        if s.first == 0 and s.last > 0 and L.scale == 0:
            for i in range(s.n_panels):
                bad |= bias_gradient(L, above, own, blank, m, g, p + i)
        k = s.first
        while k < s.last:
            n = min(<Py_ssize_t>GRADIENT_ROWS, s.last - k)
            if not listed.used:
                n = min(n, group_end(&below.a, k) - k)
            place = L.weight + first * L.n_in + k * columns
            far_place = L.weight + (first + columns) * L.n_in + k * far_columns
            if g.sums == NULL:
                sums = own.block
                also.far.c = sums + n * columns
            else:
                sums = g.sums + place
                also.far.c = g.sums + far_place
            start = blank if g.first else sums
            start_row = 0 if g.first else columns
            also.far.panel = at(&above.delta, 0, first + columns)
            also.far.start = blank if g.first else also.far.c
            also.far.start_row = 0 if g.first else far_columns
            if streamed:
                also.next = &soon
                look_ahead(&soon, parts, parameters_of(g, place, n * columns, far_place,
                                                       n * far_columns, parts),
                           n // TILE_ROWS_4)
            if listed.used:
                blocked_list_product(&listed.columns, k, own.cursors, m, delta,
                                     above.delta.stride, start, start_row, sums, columns, n, also,
                                     s.n_vectors)
            else:
                blocked_product(columns_from(&below.a, k), m, delta, above.delta.stride, start,
                                start_row, sums, columns, n, also, s.n_vectors)
            if g.last and g.step != NULL:
                bad |= finish_gradient(g, True, place, sums, n * columns // WIDTH)
                if far_columns > 0:
                    bad |= finish_gradient(g, True, far_place, also.far.c,
                                           n * far_columns // WIDTH)
            k += n
        p += s.n_panels
    return bad
