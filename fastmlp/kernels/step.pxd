"""One training batch: steps 1 to 6 of the report, numbered, in order.

Every thread runs these functions on its part; a barrier stands wherever one thread reads what
another wrote.  A batch larger than the workspace passes in chunks of rows, its gradient
carried on in the same accumulators, so the chunks leave no trace in the bits.
"""
from libc.math cimport sqrt
from libc.stdint cimport uint32_t, uint64_t
from .prefetch cimport start_prefetch, address_range
from .batch_norm cimport norm, normalize, normalize_delta
from .dense cimport (finish_level, forward, gradient_target, hidden_delta, norm_gradient,
                     own_inputs, update_layer, weight_gradient)
from .distortion cimport distort, distortion
from .dropout cimport draws, draws_of, drop_dense, drop_list, row_key
from .inputs cimport examples, own_kind, place_of, read_dense, read_list, targets
from .losses cimport objective, output_delta
from .few_outputs cimport few_outputs, few_outputs_gradient
from .norms cimport gradient_squares, limit_norms, total_of
from .matrices cimport matrix
from .panels cimport layer, padded, panel_count
from .sparse_rows cimport columns_from_rows, compress_row_of
from .partition cimport first_vector, part_of, parts_are_columns, row_range, rows_of_panel, thread_part
from .team cimport barrier, team
from .updates cimport for_layer, update_step
from .vector cimport WIDTH, entry, real
from .workspace cimport (DELTA, FORWARD, GATHERING, GRADIENT, LISTING, OUTPUT, WAITING, lap, level, level_of,
                         scratch, skipping, workspace)

cdef enum:
    DISTORTING = 1 << 20        # its draws' place among those of the levels
    PREFETCHES_PER_ROW = 8              # and example, in the products of a step, at least about
    REMEASURE = 16              # a matrix found dense is looked at again after so many batches

cdef struct network:
    int n_layers
    layer* layers
    real* parameters
    objective loss
    int first                   # number of the first of these layers in the whole network
    uint32_t input_dropped      # of 2³² draws, so many drop an input
    real input_scale            # 1/(1 − p)
    norm normalization
    const distortion* distortion    # of input images in training, or NULL
    double most_density         # up to which lists of non-zeros cost less than the dense tile


cdef struct batch:              # the examples first … first + n of a pass
    const examples* x
    const targets* y
    const long long* order      # the pass's row numbers, or NULL: the rows as they lie
    Py_ssize_t first, n
    double weight               # Σ s of these examples
    Py_ssize_t n_pass           # examples in the whole pass
    bint training               # normalize by the batch, drop units, smooth targets
    uint64_t key                # of the batch's draws
    real smoothing


cdef inline Py_ssize_t row_of(const batch* b, Py_ssize_t i) noexcept nogil:
    """The row of x and y that holds example i of the batch."""
    return b.first + i if b.order == NULL else b.order[b.first + i]


cdef inline void distort_batch(const network* net, workspace* w, const batch* b,
                               Py_ssize_t done, Py_ssize_t m, team* threads, int part,
                               int n_parts) noexcept nogil:
    """The rows of the chunk as distorted images, inputs dropped: this thread's, then all."""
    cdef Py_ssize_t r, k, row, label
    cdef real* target
    cdef scratch* own = &w.threads[part]
    cdef draws d = draws_in(b, own, 0, done)
    cdef draws distorting = draws_in(b, own, DISTORTING, done)
    for r in range(m * part // n_parts, m * (part + 1) // n_parts):
        row = row_of(b, done + r)
        target = w.images.values + r * w.images.stride
        read_dense(b.x, row, own.row)
        label = b.y.labels[row] if b.y.labels != NULL else -1
        distort(net.distortion, row_key(distorting.key, &distorting, r), label, own.row, target,
                own.warp)
        for k in range(b.x.n_in, padded(b.x.n_in)):
            target[k] = 0
        if net.input_dropped != 0:
            drop_dense(net.input_dropped, net.input_scale, &d, r, target, b.x.n_in)
    barrier(threads, part, n_parts)


cdef inline void number_rows(const network* net, const batch* b, scratch* own, Py_ssize_t done,
                             Py_ssize_t m) noexcept nogil:
    """What batch norm and draws have to know of each row of the chunk."""
    cdef bint weighted = b.y.weights != NULL and b.weight > 0
    cdef Py_ssize_t r, row
    if not any_normalized(net) and b.x.contents == NULL:
        return
    for r in range(m):
        row = row_of(b, done + r)
        own.shares[r] = <real>(b.n * (b.y.weights[row] / b.weight)) if weighted else 1
        if b.x.contents != NULL:
            own.contents[r] = b.x.contents[row]


cdef inline bint any_normalized(const network* net) noexcept nogil:
    cdef int l
    for l in range(net.n_layers):
        if net.layers[l].scale > 0:
            return True
    return False


cdef inline draws draws_in(const batch* b, const scratch* own, int level,
                           Py_ssize_t done) noexcept nogil:
    """A level's draws in the chunk."""
    return draws_of(b.key, level, done, own.contents if b.x.contents != NULL else NULL)


cdef inline void gather(const network* net, workspace* w, const batch* b, Py_ssize_t done,
                        Py_ssize_t m, team* threads, int part, int n_parts) noexcept nogil:
    """a(1), the rows of the chunk: every thread for itself.

    As lists, or where they lie if that is as products read them, or written out.
    """
    cdef Py_ssize_t r, n, n_nonzeros = 0
    cdef scratch* own = &w.threads[part]
    cdef skipping* s = &own.zeros[0]
    cdef level* v = &own.input
    cdef address_range* end = own.ranges
    cdef bint distorting = b.training and net.distortion != NULL
    cdef bint dropping = b.training and net.input_dropped != 0 and not distorting
    cdef bint as_it_lies = b.x.kind == own_kind() and not distorting and not dropping
    cdef draws d
    cdef entry* e
    cdef real* row
    number_rows(net, b, own, done, m)
    d = draws_in(b, own, 0, done)
    if distorting:
        distort_batch(net, w, b, done, m, threads, part, n_parts)
    for r in range(m):
        row = v.a.values + r * v.a.stride
        if s.used:
            e = s.rows.entries + r * s.rows.capacity
            if distorting:
                n = compress_row_of(&w.images, r, v.n, e)
            else:
                n = read_list(b.x, row_of(b, done + r), own.row, e)
            if dropping:
                n = drop_list(net.input_dropped, net.input_scale, &d, r, e)
            n_nonzeros += n
        else:
            if as_it_lies:
                v.a.rows[r] = <const real*>b.x.values + row_of(b, done + r) * b.x.n_in
            elif not distorting:
                read_dense(b.x, row_of(b, done + r), row)
                v.a.rows[r] = row
            if dropping:
                drop_dense(net.input_dropped, net.input_scale, &d, r, row, v.n)
    if s.used:
        s.rows.density = s.columns.density = <double>n_nonzeros / (m * v.n)
    # the products will ask for the chunk behind it
    for r in range(done + m, min(done + 2 * m, b.n_pass - b.first)):
        end = place_of(b.x, row_of(b, r), end)
    start_prefetch(&own.next_examples, own.ranges, end, PREFETCHES_PER_ROW * m)
    lap(w, part, GATHERING, 0)


cdef inline void find_zeros(skipping* s, const matrix* a, Py_ssize_t n, Py_ssize_t m,
                            long long number, double most_density) noexcept nogil:
    """Lists of a batch matrix by row, where they pay; measured by making them."""
    cdef Py_ssize_t r, n_nonzeros = 0
    if not s.possible or not (s.used or number % REMEASURE == 0):
        return
    for r in range(m):
        n_nonzeros += compress_row_of(a, r, n, s.rows.entries + r * s.rows.capacity)
    s.rows.density = s.columns.density = <double>n_nonzeros / (m * n)
    s.used = s.rows.density < most_density


cdef inline void compress_columns_of(const layer* L, skipping* s, scratch* own, Py_ssize_t m,
                              int part, int n_parts) noexcept nogil:
    """Lists of a(l) by column, for this thread's part of the weight gradient."""
    cdef Py_ssize_t first, last
    if s.used:
        own_inputs(L, part, n_parts, &first, &last)
        columns_from_rows(&s.rows, m, first, last, own.fill, &s.columns)


cdef inline void normalize_level(const network* net, int l, workspace* w, const draws* d,
                                 Py_ssize_t m, double n_counted, team* threads, int part,
                                 int n_parts) noexcept nogil:
    """Batch norm and activation of level l + 1, whose a(l) Wᵀ lies there."""
    cdef const layer* L = &net.layers[l]
    cdef level* v = &w.levels[l + 1]
    cdef Py_ssize_t first = first_vector(L.n_out, L.n_in, part, n_parts)
    cdef Py_ssize_t last = first_vector(L.n_out, L.n_in, part + 1, n_parts)
    if not parts_are_columns(L.n_out, L.n_in, n_parts):
        barrier(threads, part, n_parts)
    normalize(&net.normalization, L, net.parameters, v, m, w.threads[part].shares, n_counted, part,
              n_parts)
    finish_level(L, d, 0, first * WIDTH, last * WIDTH, v, m)


cdef inline void forward_pass(const network* net, workspace* w, const batch* b, Py_ssize_t done,
                              Py_ssize_t m, bint remember, long long number, team* threads,
                              int part, int n_parts) noexcept nogil:
    """Step 1: z(l+1) = W(l) a(l) + b(l), a(l+1) = f(z(l+1)); the output layer's z is left."""
    cdef int l
    cdef bint hidden
    cdef draws d
    cdef const draws* drawn
    cdef scratch* own = &w.threads[part]
    for l in range(net.n_layers):
        if l > 0:
            find_zeros(&own.zeros[l], &w.levels[l].a, w.levels[l].n, m, number,
                       net.most_density)
            lap(w, part, LISTING, l)
        hidden = l + 1 < net.n_layers
        d = draws_in(b, own, net.first + l + 1, done)
        drawn = &d if b.training else NULL
        forward(&net.layers[l], net.parameters, level_of(w, part, l), &w.levels[l + 1],
                &own.zeros[l], own, w.zeros, drawn, m, hidden and net.layers[l].scale == 0, part,
                n_parts)
        if net.layers[l].scale > 0:
            normalize_level(net, l, w, drawn, m, b.weight if remember else 0, threads, part, n_parts)
        lap(w, part, FORWARD, l)
        if hidden or panel_count(net.layers[l].n_out) > 1:
            barrier(threads, part, n_parts)
            lap(w, part, WAITING, l)


cdef inline void output_deltas(const network* net, workspace* w, const batch* b,
                               Py_ssize_t done, Py_ssize_t m, int part,
                               int n_parts) noexcept nogil:
    """Step 2: δ(nl) = −(y − a(nl)) ∘ f'(z(nl)), times the example's weight; its cost beside it."""
    cdef const layer* L = &net.layers[net.n_layers - 1]
    cdef level* v = &w.levels[net.n_layers]
    # the rows whose z this thread has made itself, when the output is one panel
    cdef thread_part whole = part_of(1, L.n_in, m, part, n_parts)
    cdef row_range mine = rows_of_panel(&whole, 0, False)
    cdef Py_ssize_t r, j, row
    cdef real* delta
    cdef real weight
    cdef const real* y = NULL      # also to a loss written in Python
    cdef Py_ssize_t label = 0
    for r in range(mine.first, mine.last):
        row = row_of(b, done + r)
        delta = v.delta.values + r * v.delta.stride
        if b.y.labels != NULL:
            label = b.y.labels[row]
        elif b.y.values != NULL:
            y = b.y.values + row * b.y.n_columns
        w.costs[r] = output_delta(&net.loss, L.activation, L.parameter,
                                  v.a.values + r * v.a.stride, delta, y, label, b.smoothing, L.n_out)
        if b.y.weights != NULL:
            weight = b.y.weights[row]
            w.costs[r] *= weight
            for j in range(L.n_out):
                delta[j] *= weight
    lap(w, part, OUTPUT, net.n_layers - 1)


cdef inline void hidden_deltas(const network* net, workspace* w, Py_ssize_t m, int lowest,
                               long long number, team* threads, int part,
                               int n_parts) noexcept nogil:
    """Step 3: δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l)), from the last hidden level down to `lowest`."""
    cdef int l
    cdef const skipping* listed
    cdef scratch* own = &w.threads[part]
    for l in range(net.n_layers - 1, lowest - 1, -1):
        if l + 1 < net.n_layers:
            find_zeros(&own.delta_zeros[l + 1], &w.levels[l + 1].delta, w.levels[l + 1].n, m,
                       number, net.most_density)
            lap(w, part, LISTING, l)
            listed = &own.delta_zeros[l + 1]
        else:
            listed = &own.delta_zeros[0]    # never used: every output has its delta
        hidden_delta(&net.layers[l], net.parameters, level_of(w, part, l), &w.levels[l + 1],
                     listed, own, w.zeros, m, part, n_parts)
        if l > 0 and net.layers[l - 1].scale > 0:
            if not parts_are_columns(w.levels[l].n, w.levels[l].n_terms, n_parts):
                barrier(threads, part, n_parts)
            normalize_delta(&net.layers[l - 1], net.parameters, &w.levels[l], m, own.shares, part,
                            n_parts)
        lap(w, part, DELTA, l)
        barrier(threads, part, n_parts)
        lap(w, part, WAITING, l)


cdef inline bint gradients(const network* net, workspace* w, Py_ssize_t m, gradient_target* g,
                           bint every_layer, int part, int n_parts) noexcept nogil:
    """Steps 4 to 6: Σ δ(l+1) a(l)ᵀ over the examples, their mean + λW, the update.

    Of the layers that are not frozen, or of `every_layer`.
    """
    cdef int l
    cdef bint bad = False
    cdef scratch* own = &w.threads[part]
    cdef gradient_target target = g[0]
    cdef update_step step
    cdef const layer* L
    cdef level* below
    for l in range(net.n_layers):
        L = &net.layers[l]
        if L.frozen and not every_layer:
            continue
        if g.step != NULL:
            step = for_layer(g.step, L.rate, L.l2)
            target.step = &step
        below = level_of(w, part, l)
        if few_outputs(L, below, &own.zeros[l], &target):
            bad |= few_outputs_gradient(L, below, &w.levels[l + 1], own, w.zeros, m, &target, part,
                                   n_parts)
        else:
            compress_columns_of(L, &own.zeros[l], own, m, part, n_parts)
            lap(w, part, LISTING, l)
            bad |= weight_gradient(L, below, &w.levels[l + 1], &own.zeros[l], own, w.zeros, m,
                                   &target, part, n_parts)
        if L.scale > 0:
            bad |= norm_gradient(L, &w.levels[l + 1], &target, part, n_parts)
        lap(w, part, GRADIENT, l)
    return bad


cdef inline bint clipped_update(const network* net, workspace* w, gradient_target* g,
                                double most, team* threads, int part,
                                int n_parts) noexcept nogil:
    """Step 6 from whole sums, g · min(1, most/‖g‖)."""
    cdef int l
    cdef bint bad = False
    cdef double total = 0, factor = 1
    cdef Py_ssize_t place = 0
    cdef gradient_target target = g[0]
    cdef update_step step
    cdef const layer* L
    barrier(threads, part, n_parts)
    for l in range(net.n_layers):
        L = &net.layers[l]
        if not L.frozen:
            gradient_squares(L, g.step, g.parameters, g.sums, w.squares + place, part, n_parts)
        place += padded(L.n_out)
    barrier(threads, part, n_parts)
    place = 0
    for l in range(net.n_layers):
        if not net.layers[l].frozen:
            total += total_of(w.squares + place, net.layers[l].n_out)
        place += padded(net.layers[l].n_out)
    if total > most * most:
        factor = most / sqrt(total)
    for l in range(net.n_layers):
        L = &net.layers[l]
        if not L.frozen:
            step = for_layer(g.step, L.rate, L.l2)
            step.mean = <real>(step.mean * factor)
            step.l2 = <real>(step.l2 * factor)
            target.step = &step
            bad |= update_layer(L, &target, part, n_parts)
    return bad


cdef inline void limit_weights(const network* net, double most, real* mean, real decay,
                               team* threads, int part, int n_parts) noexcept nogil:
    """‖W_j‖ ≤ most for every unit of every trained layer, after the update; then the average."""
    cdef int l
    barrier(threads, part, n_parts)
    for l in range(net.n_layers):
        if not net.layers[l].frozen:
            limit_norms(&net.layers[l], net.parameters, <real>most, mean, decay, part, n_parts)
