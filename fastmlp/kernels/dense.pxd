"""The three products of training, each on one thread's part: forward, hidden delta and gradient.

    forward           z(l+1) = W(l) a(l) + b(l),  a(l+1) = f(z(l+1))
    hidden_delta      δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l))
    weight_gradient   ∂J/∂W(l) = Σ δ(l+1) a(l)ᵀ over the examples, then the update

Each is the product C = start + x·P of tile.pxd, with a loop over the panels of this thread's part
around it.  With `skip` the zeros of x are skipped (skipping.pxd); with `sparse` not NULL, x is the
network's input in sparse rows (sparse_rows.pxd).  No bit depends on either.  What follows a product
is done while its block is in cache: activation, ∘ f'(z), the optimizer's update.

Batch matrices (a, z, δ) have one example a row (matrices.pxd), weights lie in panels (panels.pxd).
`below` is the layer's input a(l), δ(l), and `above` its output a(l+1), δ(l+1); `zeros` is a row of
zeros, two panels wide.  step.pxd calls these functions, in each thread at once, with a barrier
wherever a thread reads what another has written.
"""
from libc.string cimport memcpy
from .blocks cimport blocked_product
from .dropout cimport random_stream
from .epilogues cimport claim_lines, finish_layer, slopes, times_slope
from .gradient_rows cimport gradient_rows
from .matrices cimport at, group_end, matrix_panels, rows_from
from .operands cimport (adjacent_panels, from_row, from_x_row, operand, panel, panel_pair,
                        stacked_panels)
from .panels cimport (ends_in_half, layer, padded, panel_columns, panel_count, panel_start,
                      panel_vectors, transposed_panel, weight_panels, weight_ranges)
from .partition cimport first_vector, part_of, row_range, rows_of_panel, thread_part
from .prefetch cimport MAX_RANGES, address_range, prefetch_queue, start_prefetch
from .skipping cimport SKIPPING_BLOCK, skipping_product
from .sparse_rows cimport blocked_sparse_product, sparse_rows
from .tile cimport dense_block, product
from .updates cimport (BIASES, SCALES, WEIGHTS, parameter_kind, update, update_average,
                       update_step)
from .vector cimport SPARSE_BLOCK_BYTES, TILE_ROWS_4, WIDTH, load, real, store, vec
from .workspace cimport GRADIENT_ROWS, activation_layer, scratch

cdef enum:
    CACHED_WEIGHT_BYTES = 1048576       # of a weight, for each thread: more do not stay in its L2

cdef struct gradient_target:    # where a batch's gradient goes
    real* parameters            # updated after the last chunk, unless step is NULL
    real* sums                  # Σ over the chunks so far, laid out like parameters; or NULL
    real* slots[2]              # the optimizer's state
    real* average               # of the parameters over the steps, or NULL
    real decay                  # of that average
    const update_step* step
    bint first, last            # chunk of the batch


cdef inline bint outgrows_cache(const layer* L, int n_parts) noexcept nogil:
    """Whether the layer's weights are too large for the L2 caches of the threads."""
    return L.n_in * L.n_out * <Py_ssize_t>sizeof(real) > n_parts * CACHED_WEIGHT_BYTES


cdef inline void forward(const layer* L, const real* parameters, activation_layer* below,
                         activation_layer* above, const sparse_rows* sparse, bint skip,
                         scratch* own, const real* zeros, const random_stream* stream,
                         Py_ssize_t m, bint finish, const thread_part* mine,
                         int n_parts) noexcept nogil:
    """z(l+1) = a(l) Wᵀ + b;  a(l+1) = f(z(l+1)), and f'(z(l+1)) in δ(l+1)'s place.

    Without `finish` z is left as it is, for batch normalization or the output layer's loss.  A
    normalized layer gets a(l) Wᵀ without the bias.
    """
    cdef Py_ssize_t first, k, end, n_rows
    cdef int p = 0
    cdef panel_pair W, z, start
    cdef row_range rows
    cdef bint stream_W = outgrows_cache(L, n_parts) or own.past_caches
    cdef bint past_caches = finish and own.past_caches
    while p < panel_count(L.n_out):
        rows = rows_of_panel(mine, p, True)
        n_rows = rows.last - rows.first
        if n_rows > 0:
            first = panel_start(L.n_out, p)
            W = weight_panels(L, parameters, p)
            z = (adjacent_panels(own.block, rows.n_vectors * WIDTH, rows.n_vectors) if past_caches
                 else matrix_panels(&above.a, rows.first, L.n_out, p))
            start = adjacent_panels(zeros if L.scale > 0 else parameters + L.bias + first, 0,
                                    rows.n_vectors)
            if (n_parts > 1 and finish and not past_caches
                    and above.slope.values != above.delta.values):  # other threads read δ
                claim_lines(&above.delta, rows.first, n_rows, first,
                            first + rows.n_vectors * WIDTH)
            if sparse != NULL:  # z = a(l) Wᵀ + b
                blocked_sparse_product(sparse, rows.first, own.cursors, L.n_in, W, start, z,
                                       n_rows, rows.n_vectors, &own.next_examples)
            else:
                k = 0
                while k < L.n_in:       # the same, group by group of a(l)'s columns
                    end = min(L.n_in, group_end(&below.a, k))
                    blocked_product(rows_from(&below.a, rows.first, k), end - k, from_row(W, k),
                                    start, z, n_rows, rows.n_vectors, skip, &own.next_examples,
                                    stream_W)
                    start = z
                    k = end
            if finish:
                finish_layer(L, stream, rows.first, first, first + rows.n_vectors * WIDTH,
                             own.block if past_caches else NULL, slopes(above, past_caches), above,
                             n_rows)
        p += rows.n_panels


cdef inline void hidden_delta(const layer* L, const real* parameters, activation_layer* below,
                              activation_layer* above, bint skip, scratch* own,
                              const real* zeros, Py_ssize_t m, const thread_part* mine,
                              int n_parts) noexcept nogil:
    """δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l)), where f'(z(l)) lies in δ(l)'s place.

    Wᵀ is formed block by block, in this thread's cache, just before it is used.
    """
    cdef Py_ssize_t columns, block, j, n, k, n_rows
    cdef int p = 0
    cdef panel_pair Wt, C, start
    cdef row_range rows
    cdef bint stream_W = outgrows_cache(L, n_parts) or own.past_caches
    cdef bint past_caches = own.past_caches and below.norm.inverse == NULL
    cdef prefetch_queue next_block
    cdef prefetch_queue* queue = &next_block if stream_W else &own.next_examples
    cdef address_range ranges[MAX_RANGES]
    while p < panel_count(L.n_in):
        rows = rows_of_panel(mine, p, skip)
        n_rows = rows.last - rows.first
        k = panel_start(L.n_in, p)
        columns = rows.n_vectors * WIDTH
        Wt = adjacent_panels(own.packed, columns, rows.n_vectors)
        Wt.first.half = ends_in_half(L.n_in, p)
        Wt.second.half = ends_in_half(L.n_in, p + 1)
        p += rows.n_panels
        if n_rows <= 0:
            continue
        C = adjacent_panels(own.block, columns, rows.n_vectors)
        start = adjacent_panels(zeros, 0, rows.n_vectors)
        block = SKIPPING_BLOCK if skip else padded(dense_block(L.n_out, rows.n_vectors))
        j = 0
        while j < L.n_out:
            n = min(block, min(L.n_out, group_end(&above.delta, j)) - j)
            if stream_W:
                start_prefetch(queue, ranges,
                               weight_ranges(parameters + L.weight, L.n_in, L.n_out, k,
                                             min(k + columns, L.n_in), j + n,
                                             min(j + n + block, L.n_out), ranges),
                               n_rows // TILE_ROWS_4)
            transposed_panel(parameters + L.weight, L.n_in, L.n_out, k, rows.n_vectors, j, j + n,
                             own.packed)
            if skip:            # C = δ(l+1) W, in blocks of the outputs j
                skipping_product(rows_from(&above.delta, rows.first, j), n, Wt, start, C, n_rows,
                                 rows.n_vectors, queue)
            else:
                product(rows_from(&above.delta, rows.first, j), n, Wt, start, C, n_rows,
                        rows.n_vectors, queue)
            start = C
            j += n
        times_slope(slopes(below, past_caches), &below.delta, rows.first, k, own.block, n_rows,
                    rows.n_vectors)


cdef inline void own_rows_of_weight(const layer* L, const thread_part* mine, Py_ssize_t* first,
                                    Py_ssize_t* last) noexcept nogil:
    """The rows first … last of the panels of W, which are inputs, in this thread's part."""
    cdef row_range rows
    cdef int p
    first[0] = L.n_in
    last[0] = 0
    for p in range(panel_count(L.n_out)):
        rows = rows_of_panel(mine, p, False)
        if rows.first < rows.last:
            first[0] = min(first[0], rows.first)
            last[0] = max(last[0], rows.last)


cdef inline bint finish_gradient(gradient_target* g, parameter_kind kind,
                                 Py_ssize_t place, const real* sums,
                                 Py_ssize_t n_vectors) noexcept nogil:
    """Step 6 for n_vectors of parameters at `place`, from their summed gradient.

    Returns whether one of them is not finite afterwards.
    """
    cdef bint bad = update(g.step, kind, g.parameters + place, sums,
                           NULL if g.slots[0] == NULL else g.slots[0] + place,
                           NULL if g.slots[1] == NULL else g.slots[1] + place, n_vectors)
    if g.average != NULL:
        update_average(g.decay, g.parameters + place, g.average + place, n_vectors)
    return bad


cdef inline address_range* parameter_ranges(const gradient_target* g, Py_ssize_t place,
                                            Py_ssize_t n, address_range* r) noexcept nogil:
    """Where the n parameters at `place` and their state lie, from r on; returns the ranges' end."""
    cdef const real* bases[3]
    cdef int i
    bases[0] = g.parameters
    bases[1] = g.slots[0]
    bases[2] = g.slots[1]
    for i in range(3):
        if bases[i] != NULL:
            r.first = <const char*>(bases[i] + place)
            r.last = r.first + n * sizeof(real)
            r += 1
    return r


cdef inline bint bias_gradient(const layer* L, activation_layer* above, scratch* own,
                               const real* zeros, Py_ssize_t m, gradient_target* g,
                               int p) noexcept nogil:
    """∂J/∂b(l) = Σ δ(l+1) for the columns of panel p, then their update."""
    cdef int i, n_vectors = panel_vectors(L.n_out, p)
    cdef Py_ssize_t r, first = panel_start(L.n_out, p), place = L.bias + first
    cdef real* sums = own.block if g.sums == NULL else g.sums + place
    cdef const real* delta = at(&above.delta, 0, first)
    cdef vec total
    for i in range(n_vectors):
        total = load((zeros if g.first else sums) + i * WIDTH)
        for r in range(m):
            total = total + load(delta + r * above.delta.stride + i * WIDTH)
        store(sums + i * WIDTH, total)
    if g.last and g.step != NULL:
        return finish_gradient(g, BIASES, place, sums, n_vectors)
    return False


cdef inline bint norm_gradient(const layer* L, activation_layer* above, gradient_target* g,
                               int part, int n_parts) noexcept nogil:
    """∂J/∂γ = Σ δ ∘ û and ∂J/∂b = Σ δ of this thread's columns, then their update.

    `normalize_delta` in batch_norm.pxd has computed both sums.
    """
    cdef Py_ssize_t first = first_vector(L.n_out, L.n_terms, part, n_parts)
    cdef Py_ssize_t n = first_vector(L.n_out, L.n_terms, part + 1, n_parts) - first
    cdef Py_ssize_t scale = L.scale + first * WIDTH, bias = L.bias + first * WIDTH
    cdef size_t size = n * WIDTH * sizeof(real)
    if g.sums != NULL:
        memcpy(g.sums + scale, above.norm.sum_delta_u_hat + first * WIDTH, size)
        memcpy(g.sums + bias, above.norm.sum_delta + first * WIDTH, size)
    if g.step == NULL:
        return False
    return (finish_gradient(g, SCALES, scale, above.norm.sum_delta_u_hat + first * WIDTH, n)
            | finish_gradient(g, BIASES, bias, above.norm.sum_delta + first * WIDTH, n))


cdef inline bint update_layer(const layer* L, gradient_target* g, int part,
                              int n_parts) noexcept nogil:
    """Step 6 from sums over the whole batch: this thread's weights; bias and scale by thread 0."""
    cdef bint bad = False
    cdef Py_ssize_t columns, place, n = padded(L.n_out) // WIDTH
    cdef row_range rows
    cdef thread_part mine = part_of(L.n_out, L.n_terms, L.n_in, part, n_parts, NULL)
    cdef int p
    for p in range(panel_count(L.n_out)):
        rows = rows_of_panel(&mine, p, False)
        if rows.first < rows.last:
            columns = rows.n_vectors * WIDTH
            place = L.weight + panel_start(L.n_out, p) * L.n_in + rows.first * columns
            bad |= finish_gradient(g, WEIGHTS, place, g.sums + place,
                                   (rows.last - rows.first) * rows.n_vectors)
    if part == 0:
        bad |= finish_gradient(g, BIASES, L.bias, g.sums + L.bias, n)
        if L.scale > 0:
            bad |= finish_gradient(g, SCALES, L.scale, g.sums + L.scale, n)
    return bad


cdef inline bint update_rows(gradient_target* g, Py_ssize_t place, Py_ssize_t k, Py_ssize_t n,
                             panel sums) noexcept nogil:
    """Step 6 for rows k … k + n of the panel of W at `place`; see `finish_gradient`."""
    return finish_gradient(g, WEIGHTS, place + k * sums.stride, sums.values,
                           n * sums.stride // WIDTH)


cdef inline bint gradient_block(const layer* L, activation_layer* above, const operand* x,
                                const sparse_rows* sparse, bint skip, scratch* own,
                                const real* zeros, Py_ssize_t m, gradient_target* g, int p,
                                const row_range* rows, bint stream_W) noexcept nogil:
    """∂J/∂W(l) of a block, at most GRADIENT_ROWS `rows` of panel p or two panels, then the update.

    x holds these rows of a(l)ᵀ, or if `sparse` is not NULL, that holds all rows.  Returns whether a
    parameter is not finite afterwards.
    """
    cdef bint updating = g.last and g.step != NULL, bad = False
    cdef Py_ssize_t k = rows.first, n = rows.last - rows.first
    cdef Py_ssize_t place = L.weight + panel_start(L.n_out, p) * L.n_in
    cdef Py_ssize_t second_place = L.weight + panel_start(L.n_out, p + 1) * L.n_in
    cdef panel_pair delta = matrix_panels(&above.delta, 0, L.n_out, p), C, start
    cdef prefetch_queue parameters
    cdef prefetch_queue* queue = &parameters if stream_W else &own.next_examples
    cdef address_range ranges[MAX_RANGES]
    cdef address_range* end
    if g.sums == NULL:
        C = stacked_panels(own.block, n, rows.n_vectors)
    else:
        C = from_row(weight_panels(L, g.sums, p), k)
    start = adjacent_panels(zeros, 0, rows.n_vectors) if g.first else C
    if stream_W:
        end = parameter_ranges(g, place + k * C.first.stride, n * C.first.stride, ranges)
        if rows.n_panels == 2:
            end = parameter_ranges(g, second_place + k * C.second.stride, n * C.second.stride, end)
        start_prefetch(queue, ranges, end, n // TILE_ROWS_4)
    if sparse != NULL:  # C = a(l)ᵀ δ(l+1)
        blocked_sparse_product(sparse, k, own.cursors, m, delta, start, C, n, rows.n_vectors, queue)
    else:
        blocked_product(x[0], m, delta, start, C, n, rows.n_vectors, skip, queue, False)
    if updating:
        bad |= update_rows(g, place, k, n, C.first)
        if rows.n_panels == 2:
            bad |= update_rows(g, second_place, k, n, C.second)
    return bad


cdef inline bint weight_gradient(const layer* L, activation_layer* below, activation_layer* above,
                                 const sparse_rows* sparse, bint skip, scratch* own,
                                 const real* zeros, Py_ssize_t m, gradient_target* g,
                                 const thread_part* mine, int n_parts) noexcept nogil:
    """∂J/∂W(l) = Σ δ(l+1) a(l)ᵀ over the batch, then the update, block by block.

    This thread computes the rows `mine` of W's panels.  A block is GRADIENT_ROWS inputs × one panel
    or two of outputs; its sums run over the examples, through all chunks of the batch in the same
    accumulators.  Dense: a block of inputs stays in L1 while it is multiplied by each panel of δ.
    Sparse: a panel of δ stays in L1, or two if both fit, while all inputs are multiplied by it.
    Returns whether a parameter is not finite afterwards.
    """
    cdef bint bad = False
    cdef bint pairs = skip or (sparse != NULL and m * 2 * panel_columns() * <int>sizeof(real)
                               <= SPARSE_BLOCK_BYTES)
    cdef bint stream_W = outgrows_cache(L, n_parts) and g.last and g.step != NULL
    cdef Py_ssize_t k, end, first, last
    cdef int p, i
    cdef operand x, block_x
    cdef row_range rows, block  # of W's panels: the inputs
    own_rows_of_weight(L, mine, &first, &last)
    k = first
    while k < last:
        end = last
        if sparse == NULL:
            end = min(min(k + GRADIENT_ROWS, last), group_end(&below.a, k))
            x = gradient_rows(&below.a, k, end - k, m, skip, own)
        p = 0
        while p < panel_count(L.n_out):
            rows = rows_of_panel(mine, p, pairs)
            if k == rows.first == 0 and rows.last > 0 and L.scale == 0:
                for i in range(rows.n_panels):
                    bad |= bias_gradient(L, above, own, zeros, m, g, p + i)
            rows.last = min(rows.last, end)
            block = rows
            block.first = max(rows.first, k)
            while block.first < rows.last:
                block.last = min(block.first + GRADIENT_ROWS, rows.last)
                if sparse == NULL:
                    block_x = from_x_row(&x, block.first - k)
                bad |= gradient_block(L, above, &block_x, sparse, skip, own, zeros, m, g, p, &block,
                                      stream_W)
                block.first = block.last
            p += rows.n_panels
        k = end
    return bad
