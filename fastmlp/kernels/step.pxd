"""One training batch: steps 1 to 6 of the report, numbered, in order.

Every thread runs these functions on its part; a barrier stands wherever one thread reads what
another wrote.  A batch larger than the workspace passes in chunks of rows, its gradient
carried on in the same accumulators, so the chunks leave no trace in the bits.
"""
from .ahead cimport look_ahead, stretch
from .dense cimport forward, gradient_target, hidden_delta, own_inputs, weight_gradient
from .inputs cimport examples, place_of, read_dense, read_list, targets
from .losses cimport output_delta
from .panels cimport cut, layer, matrix, panel_count
from .rows cimport columns_from_rows, compress_row
from .team cimport barrier, team
from .vector cimport TILE_ROWS_4, real
from .workspace cimport (DELTA, FORWARD, GATHERING, GRADIENT, LISTING, OUTPUT, WAITING, lap, level, level_of,
                         scratch, skipping, workspace)

cdef enum:
    ASKS_A_ROW = 8              # and example, in the products of a step, at least about
    REMEASURE = 16              # a matrix found dense is looked at again after so many batches

cdef struct network:
    int n_layers
    layer* layers
    real* parameters
    int loss
    double most_density         # up to which lists of non-zeros cost less than the dense tile


cdef struct batch:              # the examples first … first + n of a pass
    const examples* x
    const targets* y
    const long long* order      # the pass's row numbers, or NULL: the rows as they lie
    Py_ssize_t first, n
    Py_ssize_t n_pass           # examples in the whole pass


cdef inline Py_ssize_t row_of(const batch* b, Py_ssize_t i) noexcept nogil:
    """The row of x and y that holds example i of the batch."""
    return b.first + i if b.order == NULL else b.order[b.first + i]


cdef inline void gather(workspace* w, const batch* b, Py_ssize_t done, Py_ssize_t m,
                        int part) noexcept nogil:
    """a(1), the rows of the chunk, as lists or written out: every thread for itself."""
    cdef Py_ssize_t r, n_found = 0
    cdef scratch* own = &w.threads[part]
    cdef skipping* s = &own.zeros[0]
    cdef level* v = &own.input
    cdef stretch* end = own.stretches
    for r in range(m):
        if s.used:
            n_found += read_list(b.x, row_of(b, done + r), own.row,
                                 s.rows.entries + r * s.rows.room)
        else:
            read_dense(b.x, row_of(b, done + r), v.a.values + r * v.a.stride)
    if s.used:
        s.rows.density = s.columns.density = <double>n_found / (m * v.n)
    # the products will ask for the chunk behind it
    for r in range(done + m, min(done + 2 * m, b.n_pass - b.first)):
        end = place_of(b.x, row_of(b, r), end)
    look_ahead(&own.next, own.stretches, end, ASKS_A_ROW * m)
    lap(w, part, GATHERING, 0)


cdef inline void find_zeros(skipping* s, const matrix* a, Py_ssize_t n, Py_ssize_t m,
                            long long number, double most_density) noexcept nogil:
    """Lists of a batch matrix by row, where they pay; measured by making them."""
    cdef Py_ssize_t r, n_found = 0
    if not s.possible or not (s.used or number % REMEASURE == 0):
        return
    for r in range(m):
        n_found += compress_row(a.values + r * a.stride, n, s.rows.entries + r * s.rows.room)
    s.rows.density = s.columns.density = <double>n_found / (m * n)
    s.used = s.rows.density < most_density


cdef inline void list_columns(const layer* L, skipping* s, scratch* own, Py_ssize_t m,
                              int part, int n_parts) noexcept nogil:
    """Lists of a(l) by column, for this thread's part of the weight gradient."""
    cdef Py_ssize_t first, last
    if s.used:
        own_inputs(L, part, n_parts, &first, &last)
        columns_from_rows(&s.rows, m, first, last, own.fill, &s.columns)


cdef inline void forward_pass(const network* net, workspace* w, Py_ssize_t m,
                              long long number, team* threads, int part,
                              int n_parts) noexcept nogil:
    """Step 1: z(l+1) = W(l) a(l) + b(l), a(l+1) = f(z(l+1)); the output layer's z is left."""
    cdef int l
    cdef scratch* own = &w.threads[part]
    for l in range(net.n_layers):
        if l > 0:
            find_zeros(&own.zeros[l], &w.levels[l].a, w.levels[l].n, m, number,
                       net.most_density)
            lap(w, part, LISTING, l)
        forward(&net.layers[l], net.parameters, level_of(w, part, l), &w.levels[l + 1],
                &own.zeros[l], own, m, l + 1 < net.n_layers, part, n_parts)
        lap(w, part, FORWARD, l)
        if l + 1 < net.n_layers or panel_count(net.layers[l].n_out) > 1:
            barrier(threads, part, n_parts)
            lap(w, part, WAITING, l)


cdef inline void output_deltas(const network* net, workspace* w, const batch* b,
                               Py_ssize_t done, Py_ssize_t m, int part,
                               int n_parts) noexcept nogil:
    """Step 2: δ(nl) = −(y − a(nl)) ∘ f'(z(nl)), times the example's weight; its cost beside it."""
    cdef const layer* L = &net.layers[net.n_layers - 1]
    cdef level* v = &w.levels[net.n_layers]
    cdef Py_ssize_t r, j, row
    cdef real* delta
    cdef real weight
    cdef const real* y = NULL
    cdef Py_ssize_t label = 0
    # the rows whose z this thread has made itself, when the output is one panel
    for r in range(cut(1, m, TILE_ROWS_4, 0, part, n_parts),
                   cut(1, m, TILE_ROWS_4, 0, part + 1, n_parts)):
        row = row_of(b, done + r)
        delta = v.delta.values + r * v.delta.stride
        if b.y.labels != NULL:
            label = b.y.labels[row]
        else:
            y = b.y.values + row * L.n_out
        w.costs[r] = output_delta(net.loss, L.activation, L.parameter,
                                  v.a.values + r * v.a.stride, delta, y, label, L.n_out)
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
        lap(w, part, DELTA, l)
        barrier(threads, part, n_parts)
        lap(w, part, WAITING, l)


cdef inline bint gradients(const network* net, workspace* w, Py_ssize_t m, gradient_target* g,
                           int part, int n_parts) noexcept nogil:
    """Steps 4 to 6: Σ δ(l+1) a(l)ᵀ over the examples, their mean + λW, the update."""
    cdef int l
    cdef bint bad = False
    cdef scratch* own = &w.threads[part]
    for l in range(net.n_layers):
        list_columns(&net.layers[l], &own.zeros[l], own, m, part, n_parts)
        lap(w, part, LISTING, l)
        bad |= weight_gradient(&net.layers[l], level_of(w, part, l), &w.levels[l + 1],
                               &own.zeros[l], own, w.zeros, m, g, part, n_parts)
        lap(w, part, GRADIENT, l)
    return bad
