"""The three products of training on one thread's part: forward, hidden delta, weight gradient.

Each is the one product contract (tile.pxd) or its twin from lists of non-zeros (rows.pxd)
over this thread's rows of each panel, finished while the block is in cache: activation,
∘ f'(z), optimizer.  Whether lists are used is read from the batch matrix; the bits do not
depend on it.
"""
from .activations cimport activate
from .losses cimport clear_padding
from .panels cimport (cut, layer, padded, panel_columns, panel_count, panel_vectors,
                      transposed_panel)
from .rows cimport blocked_list_product, list_block, list_product_of
from .tile cimport blocked_product, dense_block, product_of
from .updates cimport update, update_step
from .vector cimport TILE_ROWS_4, WIDTH, lane_int, load, real, store, vec
from .workspace cimport GRADIENT_ROWS, level, scratch

cdef struct gradient_target:    # where a batch's gradient goes
    real* parameters            # updated after the last chunk, unless step is NULL
    real* sums                  # Σ over the chunks so far, laid out like parameters; or NULL
    real* slots[2]              # the optimizer's state
    const update_step* step
    bint first, last            # chunk of the batch


cdef inline void forward(const layer* L, const real* parameters, level* below, level* above,
                         scratch* own, Py_ssize_t m, bint finish,
                         int part, int n_parts) noexcept nogil:
    """z(l+1) = a(l) Wᵀ + b;  a(l+1) = f(z(l+1)), f'(z(l+1)) in δ(l+1)'s place.

    Without `finish` z is left as it is: the output layer's loss takes it from there.
    """
    cdef const real* panel
    cdef const real* bias
    cdef real* z
    cdef Py_ssize_t first, last, r, columns, stride = above.a.stride
    cdef int p, n_vectors
    for p in range(panel_count(L.n_out)):
        first = cut(L.n_out, m, TILE_ROWS_4, p, part, n_parts)
        last = cut(L.n_out, m, TILE_ROWS_4, p, part + 1, n_parts)
        if first >= last:
            continue
        n_vectors = panel_vectors(L.n_out, p)
        columns = n_vectors * WIDTH
        panel = parameters + L.weight + p * panel_columns() * L.n_in
        bias = parameters + L.bias + p * panel_columns()
        z = above.a.values + p * panel_columns()
        if below.zeros.used:
            blocked_list_product(list_product_of(n_vectors), below.zeros.rows.entries,
                                 below.zeros.rows.first + first, own.cursors, L.n_in,
                                 panel, columns, list_block(L.n_in, n_vectors), bias, 0,
                                 z + first * stride, stride, last - first)
        else:
            blocked_product(product_of(n_vectors), below.a.values + first * below.a.stride,
                            below.a.stride, 1, L.n_in, panel, columns,
                            dense_block(L.n_in, n_vectors), bias, 0,
                            z + first * stride, stride, last - first)
        if not finish:
            continue
        activate(L.activation, L.parameter, z + first * stride, stride,
                 above.delta.values + p * panel_columns() + first * above.delta.stride,
                 above.delta.stride, last - first, n_vectors)
        if L.n_out < p * panel_columns() + columns:
            for r in range(first, last):
                clear_padding(above.a.values + r * stride, L.n_out)


cdef inline void hidden_delta(const layer* L, const real* parameters, level* below,
                              level* above, scratch* own, const real* zeros, Py_ssize_t m,
                              int part, int n_parts) noexcept nogil:
    """δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l)), which lies in δ(l)'s place.

    Wᵀ is formed block by block, in this thread's cache, just before it is used.
    """
    cdef Py_ssize_t first, last, columns, block, j, n, r, start_row
    cdef int p, n_vectors, i
    cdef const real* start
    cdef real* delta
    cdef const real* c
    for p in range(panel_count(L.n_in)):
        first = cut(L.n_in, m, TILE_ROWS_4, p, part, n_parts)
        last = cut(L.n_in, m, TILE_ROWS_4, p, part + 1, n_parts)
        if first >= last:
            continue
        n_vectors = panel_vectors(L.n_in, p)
        columns = n_vectors * WIDTH
        if above.delta_zeros.used:
            block = list_block(L.n_out, n_vectors)
            for r in range(last - first):
                own.cursors[r] = (above.delta_zeros.rows.entries
                                  + above.delta_zeros.rows.first[first + r])
        else:
            block = dense_block(L.n_out, n_vectors)
        block = padded(block)
        start = zeros
        start_row = 0
        j = 0
        while j < L.n_out:
            n = min(block, L.n_out - j)
            transposed_panel(parameters + L.weight, L.n_in, L.n_out, p * panel_columns(),
                             n_vectors, j, j + n, own.packed)
            if above.delta_zeros.used:
                for r in range(last - first):
                    own.cursors[r] = list_product_of(n_vectors)(
                        own.cursors[r], <lane_int>(j + n), own.packed - j * columns, columns,
                        start + r * start_row, own.block + r * columns)
            else:
                product_of(n_vectors)(above.delta.values + first * above.delta.stride + j,
                                      above.delta.stride, 1, n, own.packed, columns,
                                      start, start_row, own.block, columns, last - first)
            start = own.block
            start_row = columns
            j += n
        for r in range(first, last):
            delta = below.delta.values + r * below.delta.stride + p * panel_columns()
            c = own.block + (r - first) * columns
            for i in range(n_vectors):
                store(delta + i * WIDTH, load(c + i * WIDTH) * load(delta + i * WIDTH))


cdef inline bint finish_gradient(const layer* L, gradient_target* g, bint is_weight,
                                 Py_ssize_t place, const real* sums,
                                 Py_ssize_t n_vectors) noexcept nogil:
    """Step 6 for the parameters at `place`; whether one of them is not finite now."""
    return update(g.step, is_weight, g.parameters + place, sums,
                  NULL if g.slots[0] == NULL else g.slots[0] + place,
                  NULL if g.slots[1] == NULL else g.slots[1] + place, n_vectors)


cdef inline bint bias_gradient(const layer* L, level* above, scratch* own, const real* zeros,
                               Py_ssize_t m, gradient_target* g, int p) noexcept nogil:
    """∂J/∂b(l) = Σ δ(l+1), of the columns of panel p."""
    cdef int i, n_vectors = panel_vectors(L.n_out, p)
    cdef Py_ssize_t r, place = L.bias + p * panel_columns()
    cdef real* sums = own.block if g.sums == NULL else g.sums + place
    cdef const real* delta = above.delta.values + p * panel_columns()
    cdef vec total
    for i in range(n_vectors):
        total = load((zeros if g.first else sums) + i * WIDTH)
        for r in range(m):
            total = total + load(delta + r * above.delta.stride + i * WIDTH)
        store(sums + i * WIDTH, total)
    if g.last and g.step != NULL:
        return finish_gradient(L, g, False, place, sums, n_vectors)
    return False


cdef inline bint weight_gradient(const layer* L, level* below, level* above, scratch* own,
                                 const real* zeros, Py_ssize_t m, gradient_target* g,
                                 int part, int n_parts) noexcept nogil:
    """∂J/∂W(l) = Σ δ(l+1) a(l)ᵀ over the batch, then the update, a block at a time.

    The block is GRADIENT_ROWS inputs × one panel; its sum runs over the examples, through all
    chunks of the batch in the same accumulators.
    """
    cdef bint bad = False
    cdef Py_ssize_t first, last, k, n, columns, place, start_row
    cdef int p, n_vectors
    cdef real* sums
    cdef const real* start
    cdef const real* delta
    for p in range(panel_count(L.n_out)):
        first = cut(L.n_out, L.n_in, TILE_ROWS_4, p, part, n_parts)
        last = cut(L.n_out, L.n_in, TILE_ROWS_4, p, part + 1, n_parts)
        if first >= last:
            continue
        n_vectors = panel_vectors(L.n_out, p)
        columns = n_vectors * WIDTH
        delta = above.delta.values + p * panel_columns()
        if first == 0:
            bad |= bias_gradient(L, above, own, zeros, m, g, p)
        k = first
        while k < last:
            n = min(<Py_ssize_t>GRADIENT_ROWS, last - k)
            place = L.weight + p * panel_columns() * L.n_in + k * columns
            sums = own.block if g.sums == NULL else g.sums + place
            start = zeros if g.first else sums
            start_row = 0 if g.first else columns
            if below.zeros.used:
                blocked_list_product(list_product_of(n_vectors), below.zeros.columns.entries,
                                     below.zeros.columns.first + k, own.cursors, m,
                                     delta, above.delta.stride, list_block(m, n_vectors),
                                     start, start_row, sums, columns, n)
            else:
                blocked_product(product_of(n_vectors), below.a.values + k, 1, below.a.stride,
                                m, delta, above.delta.stride, dense_block(m, n_vectors),
                                start, start_row, sums, columns, n)
            if g.last and g.step != NULL:
                bad |= finish_gradient(L, g, True, place, sums, n * n_vectors)
            k += n
    return bad
