"""One training batch: steps 1 to 6 of the report, numbered, in order.

Every thread runs these functions on its part; a barrier stands wherever one thread reads what
another wrote.  A batch larger than the workspace passes in chunks of rows, its gradient
carried on in the same accumulators, so the chunks leave no trace in the bits.
"""
from .dense cimport forward, gradient_target, hidden_delta, weight_gradient
from .inputs cimport examples, prefetch_row, read_dense, read_list, targets
from .losses cimport output_activation, output_delta
from .panels cimport cut, layer, matrix, panel_count
from .rows cimport columns_from_rows, compress_row
from .team cimport barrier, team
from .vector cimport TILE_ROWS_4, real
from .workspace cimport level, skipping, workspace

cdef enum:
    REMEASURE = 16              # a matrix found dense is looked at again after so many batches

# Lists cost less than the dense tile up to here (measured break-even 0.79; see README.md).
cdef extern from *:
    """
    #define MOST_DENSITY 0.75
    """
    const double MOST_DENSITY


cdef struct network:
    int n_layers
    layer* layers
    real* parameters
    int loss


cdef struct batch:              # the examples first … first + n of a pass
    const examples* x
    const targets* y
    const long long* order      # the pass's row numbers, or NULL: the rows as they lie
    Py_ssize_t first, n
    Py_ssize_t n_pass           # examples in the whole pass
    long long number            # of the batch


cdef inline Py_ssize_t row_of(const batch* b, Py_ssize_t i) noexcept nogil:
    """The row of x and y that holds example i of the batch."""
    return b.first + i if b.order == NULL else b.order[b.first + i]


cdef inline void gather(workspace* w, const batch* b, Py_ssize_t done, Py_ssize_t m,
                        int part, int n_parts) noexcept nogil:
    """a(1): this thread's rows of the chunk; rows of the chunk after it are asked for."""
    cdef Py_ssize_t r, ahead
    cdef level* v = &w.levels[0]
    for r in range(m * part // n_parts, m * (part + 1) // n_parts):
        if v.zeros.used:
            v.zeros.n_entries[r] = read_list(b.x, row_of(b, done + r), w.threads[part].row,
                                             v.zeros.rows.entries + v.zeros.rows.first[r])
        else:
            read_dense(b.x, row_of(b, done + r), v.a.values + r * v.a.stride)
        ahead = done + r + m
        if b.first + ahead < b.n_pass:
            prefetch_row(b.x, row_of(b, ahead))


cdef inline void find_zeros(skipping* s, const matrix* a, Py_ssize_t n, Py_ssize_t m,
                            long long number, team* threads, int part,
                            int n_parts) noexcept nogil:
    """Lists of a batch matrix by row, where they pay; measured by making them.

    All threads reach the same answer: the counts are complete after the barrier.
    """
    cdef Py_ssize_t r, n_found = 0
    if not s.possible or not (s.used or number % REMEASURE == 0):
        return
    for r in range(m * part // n_parts, m * (part + 1) // n_parts):
        s.n_entries[r] = compress_row(a.values + r * a.stride, n,
                                      s.rows.entries + s.rows.first[r])
    barrier(threads, n_parts)
    for r in range(m):
        n_found += s.n_entries[r]
    s.used = n_found < MOST_DENSITY * m * n


cdef inline void list_columns(level* v, workspace* w, Py_ssize_t m, int part,
                              int n_parts) noexcept nogil:
    """Lists of a(l) by column, for the weight gradient: this thread's columns."""
    if v.zeros.used:
        columns_from_rows(&v.zeros.rows, v.zeros.n_entries, m, v.n * part // n_parts,
                          v.n * (part + 1) // n_parts, w.threads[part].cursors,
                          v.zeros.fill, &v.zeros.columns)


cdef inline void forward_pass(const network* net, workspace* w, Py_ssize_t m, bint backward,
                              long long number, team* threads, int part,
                              int n_parts) noexcept nogil:
    """Step 1: z(l+1) = W(l) a(l) + b(l), a(l+1) = f(z(l+1)); the output layer's z is left."""
    cdef int l
    for l in range(net.n_layers):
        if l > 0:
            find_zeros(&w.levels[l].zeros, &w.levels[l].a, w.levels[l].n, m, number, threads,
                       part, n_parts)
        if backward:
            list_columns(&w.levels[l], w, m, part, n_parts)
        forward(&net.layers[l], net.parameters, &w.levels[l], &w.levels[l + 1],
                &w.threads[part], m, l + 1 < net.n_layers, part, n_parts)
        if l + 1 < net.n_layers or panel_count(net.layers[l].n_out) > 1:
            barrier(threads, n_parts)


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


cdef inline void hidden_deltas(const network* net, workspace* w, Py_ssize_t m, int lowest,
                               long long number, team* threads, int part,
                               int n_parts) noexcept nogil:
    """Step 3: δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l)), from the last hidden level down to `lowest`."""
    cdef int l
    for l in range(net.n_layers - 1, lowest - 1, -1):
        find_zeros(&w.levels[l + 1].delta_zeros, &w.levels[l + 1].delta, w.levels[l + 1].n, m,
                   number, threads, part, n_parts)
        hidden_delta(&net.layers[l], net.parameters, &w.levels[l], &w.levels[l + 1],
                     &w.threads[part], w.zeros, m, part, n_parts)
        barrier(threads, n_parts)


cdef inline bint gradients(const network* net, workspace* w, Py_ssize_t m, gradient_target* g,
                           int part, int n_parts) noexcept nogil:
    """Steps 4 to 6: Σ δ(l+1) a(l)ᵀ over the examples, their mean + λW, the update."""
    cdef int l
    cdef bint bad = False
    for l in range(net.n_layers):
        bad |= weight_gradient(&net.layers[l], &w.levels[l], &w.levels[l + 1],
                               &w.threads[part], w.zeros, m, g, part, n_parts)
    return bad
