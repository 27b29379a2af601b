"""One training batch: steps 1 to 6 of backpropagation, in order.

    1  forward_pass     a(l+1) = f(W(l) a(l) + b(l))              of every layer
    2  output_deltas    δ(nl) = −(y − a(nl)) ∘ f'(z(nl))          or what the loss makes of it
    3  hidden_deltas    δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l))
    4  gradients        ∂J/∂W(l) = Σ δ(l+1) a(l)ᵀ,  ∂J/∂b(l) = Σ δ(l+1)
    5                   their mean over the batch, + λW(l)
    6                   W(l) ← W(l) − α ∂J/∂W(l)                  or what the optimizer makes of it

(Tao Hu, "A technical report about Deep Learning".)  epoch.pxd and prediction.pxd call these
functions, in every thread at once: each computes its part (partition.pxd), and a barrier stands
wherever a thread reads what another has written.  A batch larger than the workspace passes in
chunks of rows; its gradient is continued in the same accumulators, so that no bit depends on them.
`done` is the number of examples in earlier chunks, m that of this chunk.
"""
from .batch_norm cimport normalize, normalize_delta, own_delta_sums, own_square_sums, own_sums
from .choice cimport may_skip
from .compression cimport columns_from_rows, compress_row
from .dense cimport (finish_layer, forward, gradient_target, hidden_delta, norm_gradient,
                     own_rows_of_weight, weight_gradient)
from .distortion cimport distort
from .dropout cimport drop_dense, drop_sparse, random_stream, random_stream_of, row_key
from .encodings cimport column_stride, encode, encode_sparse, make_waves
from .few_outputs cimport few_outputs, few_outputs_gradient
from .inputs cimport (LABELS_CHANGED, NOT_FINITE, is_finite, own_kind, prefetch_row, read_bytes,
                      read_dense, read_once, read_sparse, row_ranges)
from .load_balance cimport own_part, shares_in_force
from .losses cimport limited_cost, output_delta
from .matrices cimport byte_stride
from .network cimport batch, network, row_of
from .panels cimport layer, padded, panel_count
from .partition cimport first_vector, parts_are_columns, row_range, rows_of_panel, thread_part
from .pieces cimport part_of_piece
from .prefetch cimport address_range, start_prefetch
from .sparse_rows cimport sparse_rows
from .team cimport barrier, set_bits, team
from .updates cimport for_layer, update_step
from .vector cimport WIDTH, entry, prefetch_line, real
from .workspace cimport (COMPRESSING, DELTA, FORWARD, GATHERING, GRADIENT, OUTPUT, activation_layer,
                         activations_of, lap, scratch, wait_for_all, workspace)

cdef enum:
    # the number by which the random stream of distortions differs from those of the layers
    DISTORTION_STREAM = 1 << 20
    ROWS_AHEAD = 2              # a row is prefetched so many rows before it is read
    PREFETCHES_PER_ROW = 8      # calls of prefetch_some in a step, for each example, at least about


cdef inline void distort_batch(const network* net, workspace* w, const batch* b,
                               Py_ssize_t done, Py_ssize_t m, team* threads, int part,
                               int n_parts) noexcept nogil:
    """Distort the images of the chunk and drop inputs: this thread's rows, then wait for all."""
    cdef Py_ssize_t r, k, row, label
    cdef real* target
    cdef scratch* own = &w.threads[part]
    cdef random_stream dropout = stream_in(b, own, 0, net.input_dropout, done)
    cdef random_stream distorting = stream_in(b, own, DISTORTION_STREAM, 0, done)
    for r in range(m * part // n_parts, m * (part + 1) // n_parts):
        row = row_of(b, done + r)
        target = w.images.values + r * w.images.stride
        read_dense(b.x, row, own.row)
        label = read_once(b.y.labels + row) if b.y.labels != NULL else -1
        distort(net.distortion, row_key(distorting.key, &distorting, r), label, own.row, target,
                own.distortion)
        for k in range(b.x.n_in, padded(b.x.n_in)):
            target[k] = 0
        if dropout.drop_threshold != 0:
            drop_dense(&dropout, r, target, b.x.n_in)
    wait_for_all(w, threads, part, n_parts, GATHERING, 0)


cdef inline void weigh_rows(const network* net, const batch* b, scratch* own, Py_ssize_t done,
                            Py_ssize_t m) noexcept nogil:
    """Set the relative weight and the hash of each row of the chunk, where they are needed."""
    cdef bint weighted = b.y.weights != NULL and b.weight > 0
    cdef Py_ssize_t r, row
    if not any_normalized(net) and b.x.row_hashes == NULL:
        return
    for r in range(m):
        row = row_of(b, done + r)
        own.example_weights[r] = <real>(b.n_rows * (b.y.weights[row] / b.weight)) if weighted else 1
        if b.x.row_hashes != NULL:
            own.row_hashes[r] = b.x.row_hashes[row]


cdef inline bint any_normalized(const network* net) noexcept nogil:
    cdef int l
    for l in range(net.n_layers):
        if net.layers[l].scale > 0:
            return True
    return False


cdef inline random_stream stream_in(const batch* b, const scratch* own, int number, double p,
                                    Py_ssize_t done) noexcept nogil:
    """The random numbers of layer `number`, with dropout p, or of distortions, in the chunk."""
    return random_stream_of(b.key, number, p * b.dropout, b.place + done,
                            own.row_hashes if b.x.row_hashes != NULL else NULL)


cdef inline void gather(const network* net, workspace* w, const batch* b, Py_ssize_t done,
                        Py_ssize_t m, team* threads, int part, int n_parts) noexcept nogil:
    """a(1), the rows of the chunk: in every thread, which gathers them all for itself.

    They become sparse rows or are copied as bytes; or pointers to where they lie, if that is as the
    products read them; or they are copied, converted and encoded.  Then the rows of the next chunk
    are queued for prefetching.  Weights may evict them from L2 before they are read, so each is
    prefetched again just before.
    """
    cdef Py_ssize_t r
    cdef scratch* own = &w.threads[part]
    cdef activation_layer* v = &own.input
    cdef address_range* end = own.ranges
    cdef bint distorting = b.training and net.distortion != NULL
    cdef random_stream dropout = stream_in(b, own, 0, net.input_dropout, done)
    cdef bint dropping = b.training and dropout.drop_threshold != 0 and not distorting
    cdef bint encoding = net.encoding != NULL
    cdef bint as_it_lies = (b.x.kind == own_kind() and not distorting and not dropping
                            and not encoding)
    cdef bint reading = (not distorting and not encoding    # rows of X in the loop below
                         and (own.ways[0].forward or not as_it_lies))
    cdef bint as_bytes = own.ways[0].forward and w.reads_bytes
    cdef unsigned char* bytes_
    cdef entry* e
    cdef real* row
    weigh_rows(net, b, own, done, m)
    if distorting:
        distort_batch(net, w, b, done, m, threads, part, n_parts)
    if encoding:
        for r in range(m):
            read_dense(b.x, row_of(b, done + r), own.columns + r * column_stride(net.encoding))
        make_waves(net.encoding, net.parameters, own, m)
    v.a.table = b.x.table if as_bytes else NULL
    for r in range(m):
        row = v.a.values + r * v.a.stride
        if reading and r + ROWS_AHEAD < m:
            prefetch_row(b.x, row_of(b, done + r + ROWS_AHEAD))
        if as_bytes:
            bytes_ = own.byte_rows + r * byte_stride(v.n)
            read_bytes(b.x, row_of(b, done + r), bytes_)
            v.a.rows[r] = <const real*>bytes_
        elif own.ways[0].forward:
            e = own.input_rows.entries + r * own.input_rows.capacity
            if distorting:
                compress_row(w.images.values + r * w.images.stride, v.n, e)
            elif encoding:
                encode_sparse(net.encoding, net.parameters, own, r, e, &w.changed)
            else:
                read_sparse(b.x, row_of(b, done + r), own.row, e, &w.changed)
            if dropping:
                drop_sparse(&dropout, r, e)
        else:
            if as_it_lies:
                v.a.rows[r] = <const real*>b.x.values + row_of(b, done + r) * b.x.n_in
            elif not distorting:
                if encoding:
                    encode(net.encoding, net.parameters, own, r, row, &w.changed)
                else:
                    read_dense(b.x, row_of(b, done + r), row)
                v.a.rows[r] = row
            if b.x.unchecked and not is_finite(v.a.rows[r], v.n):
                set_bits(&w.changed, NOT_FINITE)
            if dropping:
                drop_dense(&dropout, r, row, v.n)
    if b.y.labels != NULL:      # for `output_deltas`: they lie anywhere too
        for r in range(m):
            prefetch_line(b.y.labels + row_of(b, done + r))
    for r in range(done + m, min(done + 2 * m, b.n_pass - b.first)):
        end = row_ranges(b.x, row_of(b, r), end)
    start_prefetch(&own.next_examples, own.ranges, end, PREFETCHES_PER_ROW * m)
    lap(w, part, GATHERING, 0)


cdef inline void add_up(const batch* b, real* numbers, Py_ssize_t n, team* threads, int part,
                        int n_parts) noexcept nogil:
    """Replace numbers that all threads have written by their sums over the processes."""
    barrier(threads, part, n_parts)
    if part == 0:
        b.add_up(b.job, numbers, n)
    barrier(threads, part, n_parts)


cdef inline const real* shared_moments(const layer* L, activation_layer* v, const batch* b,
                                       Py_ssize_t m, const real* weights, team* threads, int part,
                                       int n_parts) noexcept nogil:
    """Σ w u and Σ w (u − μ)² of a layer over all processes; NULL where this one needs no others."""
    cdef Py_ssize_t wide = padded(L.n_out)
    if b.add_up == NULL or L.frozen:
        return NULL
    own_sums(L, &v.a, &v.norm, m, weights, part, n_parts)
    add_up(b, v.norm.shared, wide, threads, part, n_parts)
    own_square_sums(L, &v.a, &v.norm, m, b.n_rows, weights, part, n_parts)
    add_up(b, v.norm.shared + wide, wide, threads, part, n_parts)
    return v.norm.shared


cdef inline bint writes_own_columns(const workspace* w, Py_ssize_t n, Py_ssize_t n_terms,
                                    int n_parts) noexcept nogil:
    """Whether each thread has computed those of n columns that `first_vector` gives it."""
    return (shares_in_force(&w.balance, n_parts) == NULL
            and parts_are_columns(n, n_terms, n_parts))


cdef inline void normalize_layer(const network* net, int l, workspace* w, const batch* b,
                                 const random_stream* stream, Py_ssize_t m,
                                 double n_counted, team* threads, int part,
                                 int n_parts) noexcept nogil:
    """Batch normalization and activation of layer l + 1, in whose `a` lies a(l) Wᵀ."""
    cdef const layer* L = &net.layers[l]
    cdef activation_layer* v = &w.activations[l + 1]
    cdef const real* weights = w.threads[part].example_weights
    cdef const real* sums
    cdef Py_ssize_t first = first_vector(L.n_out, L.n_terms, part, n_parts)
    cdef Py_ssize_t last = first_vector(L.n_out, L.n_terms, part + 1, n_parts)
    if not writes_own_columns(w, L.n_out, L.n_terms, n_parts):
        wait_for_all(w, threads, part, n_parts, FORWARD, l)
    sums = shared_moments(L, v, b, m, weights, threads, part, n_parts)
    if not normalize(&net.normalization, L, net.parameters, &v.a, &v.norm, m, b.n_rows, weights,
                     sums, n_counted, part, n_parts):
        set_bits(<int*>&w.overflowed, True)
    finish_layer(L, stream, 0, first * WIDTH, last * WIDTH, NULL, &v.delta, v, m)


cdef inline const sparse_rows* sparse_input(const scratch* own, int l) noexcept nogil:
    """The sparse rows of a(l), which only the input has; or NULL."""
    cdef bint sparse = l == 0 and own.ways[0].forward and own.input.a.table == NULL
    return &own.input_rows if sparse else NULL


cdef inline const sparse_rows* transposed_input(const layer* L, int l, scratch* own, Py_ssize_t m,
                                                const thread_part* mine) noexcept nogil:
    """Sparse rows of a(l)ᵀ for this thread's part of the weight gradient, of the input; or NULL."""
    cdef Py_ssize_t first, last
    if sparse_input(own, l) == NULL:
        return NULL
    own_rows_of_weight(L, mine, &first, &last)
    columns_from_rows(&own.input_rows, m, first, last, own.ends, &own.input_columns)
    return &own.input_columns


cdef inline void forward_pass(const network* net, workspace* w, const batch* b, Py_ssize_t done,
                              Py_ssize_t m, bint remember, team* threads, int part,
                              int n_parts) noexcept nogil:
    """Step 1: z(l+1) = W(l) a(l) + b(l), a(l+1) = f(z(l+1)); z itself in the output layer.

    With `remember` the running statistics of normalized layers move.
    """
    cdef int l
    cdef bint hidden
    cdef random_stream numbers
    cdef const random_stream* stream
    cdef const layer* L
    cdef thread_part mine
    cdef scratch* own = &w.threads[part]
    for l in range(net.n_layers):
        L = &net.layers[l]
        hidden = l + 1 < net.n_layers
        numbers = stream_in(b, own, net.first + l + 1, L.dropout, done)
        stream = &numbers if b.training else NULL
        mine = own_part(&w.balance, L.n_out, L.n_terms, m, part, n_parts)
        forward(L, net.parameters, activations_of(w, part, l), &w.activations[l + 1],
                sparse_input(own, l), own.ways[l].forward, own, w.zeros, stream, m,
                hidden and L.scale == 0, &mine, n_parts)
        if L.scale > 0:
            normalize_layer(net, l, w, b, stream, m, b.weight if remember else 0, threads, part,
                            n_parts)
        if hidden or panel_count(L.n_out) > 1:
            wait_for_all(w, threads, part, n_parts, FORWARD, l)
        else:
            lap(w, part, FORWARD, l)


cdef inline void output_deltas(const network* net, workspace* w, const batch* b,
                               Py_ssize_t done, Py_ssize_t m, int part,
                               int n_parts) noexcept nogil:
    """Step 2: δ(nl) = −(y − a(nl)) ∘ f'(z(nl)) and the cost of each example, times its weight."""
    cdef const layer* L = &net.layers[net.n_layers - 1]
    cdef activation_layer* v = &w.activations[net.n_layers]
    # the rows whose z this thread has computed itself, if the output is one panel
    cdef thread_part whole = own_part(&w.balance, 1, L.n_terms, m, part, n_parts)
    cdef row_range mine = rows_of_panel(&whole, 0, False)
    cdef Py_ssize_t r, j, row
    cdef real* delta
    cdef real weight
    cdef const real* y = NULL   # stays so for a loss written in Python
    cdef Py_ssize_t label = 0
    for r in range(mine.first, mine.last):
        row = row_of(b, done + r)
        delta = v.delta.values + r * v.delta.stride
        if b.y.labels != NULL:
            label = read_once(b.y.labels + row)
            if not 0 <= label < L.n_out:
                set_bits(&w.changed, LABELS_CHANGED)
                label = 0
        elif b.y.values != NULL:
            y = b.y.values + row * b.y.n_columns
        w.costs[r] = output_delta(&net.loss, L.activation, L.parameter,
                                  v.a.values + r * v.a.stride, delta, y, label, b.smoothing,
                                  L.n_out)
        if b.max_cost > 0 and w.costs[r] > b.max_cost / 2:
            w.costs[r] = limited_cost(&net.loss, w.costs[r], v.a.values + r * v.a.stride, y,
                                      b.max_cost, L.n_out)
        if b.y.weights != NULL:
            weight = b.y.weights[row]
            w.costs[r] *= weight
            for j in range(L.n_out):
                delta[j] *= weight
    lap(w, part, OUTPUT, net.n_layers - 1)


cdef inline void normalize_layer_delta(const network* net, workspace* w, const batch* b, int l,
                                       Py_ssize_t m, team* threads, int part,
                                       int n_parts) noexcept nogil:
    """∂J/∂u of layer l, which is normalized, in the place of its δ."""
    cdef const layer* L = &net.layers[l - 1]
    cdef activation_layer* v = &w.activations[l]
    cdef const real* sums = NULL
    if b.add_up != NULL and not L.frozen:
        own_delta_sums(L, &v.delta, &v.norm, m, part, n_parts)
        add_up(b, v.norm.shared, 2 * padded(L.n_out), threads, part, n_parts)
        sums = v.norm.shared
    normalize_delta(L, net.parameters, &v.delta, &v.norm, m, b.n_rows,
                    w.threads[part].example_weights, sums, part, n_parts)


cdef inline void layer_delta(const network* net, workspace* w, const batch* b, int l, Py_ssize_t m,
                             team* threads, int part, int n_parts) noexcept nogil:
    """Step 3 of one layer: δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l)); ends with a barrier."""
    cdef activation_layer* below = activations_of(w, part, l)
    cdef scratch* own = &w.threads[part]
    cdef thread_part mine = own_part(&w.balance, below.n, below.n_terms, m, part, n_parts)
    hidden_delta(&net.layers[l], net.parameters, below, &w.activations[l + 1],
                 own.ways[l].delta, own, w.zeros, m, &mine, n_parts)
    if l > 0 and net.layers[l - 1].scale > 0:
        if not writes_own_columns(w, below.n, below.n_terms, n_parts):
            wait_for_all(w, threads, part, n_parts, DELTA, l)
        normalize_layer_delta(net, w, b, l, m, threads, part, n_parts)
    wait_for_all(w, threads, part, n_parts, DELTA, l)


cdef inline void hidden_deltas(const network* net, workspace* w, const batch* b, Py_ssize_t m,
                               int lowest, team* threads, int part, int n_parts) noexcept nogil:
    """Step 3 of all layers, from the last hidden layer down to `lowest`."""
    cdef int l
    for l in range(net.n_layers - 1, lowest - 1, -1):
        layer_delta(net, w, b, l, m, threads, part, n_parts)


cdef inline bint layer_gradient(const network* net, workspace* w, int l, Py_ssize_t m,
                                const gradient_target* g, int piece, int n_pieces, int part,
                                int n_parts) noexcept nogil:
    """Steps 4 to 6 of one layer: Σ δ(l+1) a(l)ᵀ over the examples, their mean + λW, the update.

    Of n_pieces pieces of W it computes one; `piece_count` is how many there may be.  Returns
    whether a parameter is not finite afterwards.
    """
    cdef bint bad
    cdef scratch* own = &w.threads[part]
    cdef gradient_target target = g[0]
    cdef update_step step
    cdef const layer* L = &net.layers[l]
    cdef thread_part mine = part_of_piece(L.n_out, L.n_terms, L.n_in, piece, n_pieces, part,
                                          n_parts, shares_in_force(&w.balance, n_parts))
    cdef const sparse_rows* columns
    cdef activation_layer* below = activations_of(w, part, l)
    if g.step != NULL:
        step = for_layer(g.step, L.rate, L.l2, L.bias_rate)
        step.shared = n_parts > 1 and (l > 0 or w.input_delta)      # which `layer_delta` reads
        step.past_caches = own.past_caches and step.shared
        target.step = &step
    if few_outputs(L, below, may_skip(&w.choices[l].gradient), &target):
        bad = few_outputs_gradient(L, below, &w.activations[l + 1], own, w.zeros, m, &target,
                                   part, n_parts)
    else:
        columns = transposed_input(L, l, own, m, &mine)
        lap(w, part, COMPRESSING, l)
        bad = weight_gradient(L, below, &w.activations[l + 1], columns, own.ways[l].gradient, own,
                              w.zeros, m, &target, &mine, n_parts)
    if L.scale > 0 and piece + 1 == n_pieces:
        bad |= norm_gradient(L, &w.activations[l + 1], &target, part, n_parts)
    lap(w, part, GRADIENT, l)
    return bad


cdef inline bint gradients(const network* net, workspace* w, Py_ssize_t m,
                           const gradient_target* g, bint every_layer, int part,
                           int n_parts) noexcept nogil:
    """Steps 4 to 6 of the layers that are not frozen, or of every layer."""
    cdef int l
    cdef bint bad = False
    for l in range(net.n_layers):
        if every_layer or not net.layers[l].frozen:
            bad |= layer_gradient(net, w, l, m, g, 0, 1, part, n_parts)
    return bad
