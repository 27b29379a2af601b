"""The batches of one call of `train`, or the one of `gradients`: step 7's inner loop.

Every thread runs `run_batches`; they share one `job` and meet at its barriers.
"""
from libc.math cimport NAN, isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset
from .dense cimport gradient_target
from .dropout cimport drop_dense, random_stream
from .encoding_gradients cimport encoding_gradients, update_encoding
from .encodings cimport input_encoding
from .inputs cimport examples, targets
from .losses cimport CUSTOM
from .matrices cimport at, copy_row, group_end
from .norms cimport column_squares, total_of
from .panels cimport padded
from .random cimport mixed_key
from .step cimport (add_up_t, batch, forward_pass, gather, gradients, hidden_deltas, layer_delta,
                    layer_gradient, network, normalize_layer, normalize_layer_delta, output_deltas,
                    stream_in)
from .team cimport barrier, seconds_now, team
from .tile cimport even_block
from .updates cimport optimizer, prepare_update, update_step
from .vector cimport flush_denormals, real, restore_denormals
from .whole_update cimport limit_weights, update_from_sums
from .workspace cimport (GRADIENT, WAITING, activation_layer, choose_ways, lap, scratch, take_ways,
                         workspace)

cdef struct job


# multiplies costs and f'(z) of a batch by what a loss written in Python says; False: it failed
ctypedef bint (*call_loss_t)(job* j, const batch* b) noexcept nogil


# runs Python's signal handlers; True: one of them raised
ctypedef bint (*check_signals_t)(job* j) noexcept nogil


# of a batch that several processes share: starts adding up one layer's gradient over them, or with
# ALL_SUMS waits until all sums are there
ctypedef void (*add_gradients_t)(job* j, int l) noexcept nogil


cdef enum:
    ALL_SUMS = -1
    SIGNAL_CHECKS_A_SECOND = 20         # for Ctrl-C, within a batch


cdef struct job:                # one call of train: what its threads share
    network* net
    workspace* w
    const examples* x
    const targets* y
    const optimizer* rule       # NULL: gradients only, no update
    real* slots[2]
    real* sums                  # gradient of a batch in chunks, or of `gradients`
    Py_ssize_t n_numbers        # parameters, so many numbers of `sums`
    real* input_gradient        # (n_pass, n_in), or NULL
    const int64_t* order
    Py_ssize_t n_pass, batch_size
    int64_t first, next         # batch numbers, from 0 in `order`
    int64_t n_batches
    # of batches that several processes share, each NULL otherwise:
    const int64_t* starts       # (n_batches + 1,) where this process's rows of each begin
    const int64_t* places       # rows of each that other processes have before these
    const int64_t* n_rows       # of each, in all processes
    const double* weights       # Σ s of each
    add_gradients_t add_gradients
    add_up_t add_up             # called with this job
    void* gradient_sum          # with what it is called
    int64_t before              # batches that the epoch has had before it
    const double* rates
    const double* weight_decays # of each batch, or NULL: the rule's own
    const double* dropout       # factors of each batch, or NULL: 1
    double l2, deadline
    bint l2_per_weight          # λ / Σ s of a batch in place of λ
    int64_t steps               # updates made before batch `first`
    uint64_t key                # of the epoch's draws
    bint training               # see `batch`
    bint every_layer            # gradients of frozen layers too
    double smoothing, max_norm, clip_norm   # 0: none
    double max_cost             # 0: none
    double* batch_sums          # (batches of the epoch, 2): see calls.py; or NULL
    real* average               # of the parameters, or NULL
    double ema                  # its decay
    int64_t averaged            # steps it has seen before batch `first`
    double cost, weight         # Σ s·cost and Σ s over the examples run
    bint stop, not_finite
    call_loss_t call_loss                   # how a loss written in Python is called, and
    void* loss_call              # with what
    bint failed                 # it has, or Ctrl-C came: this batch updates nothing
    check_signals_t check_signals
    double signals_checked               # for signals last, seconds
    uint64_t denormals          # state of the master thread outside
    team threads


cdef inline double batch_weight(const batch* b) noexcept nogil:
    """Σ of the batch's sample weights; its size without them."""
    cdef Py_ssize_t i
    cdef double total = 0
    if b.y.weights == NULL:
        return <double>b.n
    for i in range(b.n):
        total += b.y.weights[b.first + i if b.order == NULL else b.order[b.first + i]]
    return total


cdef inline void own_squares(const job* j, int part, int n_parts) noexcept nogil:
    """Σ W² of each of this thread's columns, of all layers, into the workspace."""
    cdef int l
    cdef Py_ssize_t place = 0
    for l in range(j.net.n_layers):
        column_squares(&j.net.layers[l], j.net.parameters, j.w.squares + place, part, n_parts)
        place += padded(j.net.layers[l].n_out)


cdef inline double sum_of_squares(const job* j) noexcept nogil:
    """Σ W² of all layers, from every thread's `own_squares`."""
    cdef int l
    cdef double total = 0
    cdef Py_ssize_t place = 0
    for l in range(j.net.n_layers):
        total += total_of(j.w.squares + place, j.net.layers[l].n_out)
        place += padded(j.net.layers[l].n_out)
    return total


cdef inline void slopes_of_input(const network* net, workspace* w, const batch* b,
                                 Py_ssize_t done, Py_ssize_t m, int part,
                                 int n_parts) noexcept nogil:
    """What δ(1) is multiplied by, in its place: 1, or in training the factor of dropout."""
    cdef Py_ssize_t r, k, end
    cdef activation_layer* v = &w.activations[0]
    cdef scratch* own = &w.threads[part]
    cdef random_stream dropout = stream_in(b, own, 0, net.input_dropout, done)
    for r in range(m * part // n_parts, m * (part + 1) // n_parts):
        for k in range(padded(v.n)):
            own.row[k] = 1
        if b.training and dropout.drop_threshold != 0:
            drop_dense(&dropout, r, own.row, v.n)
        k = 0
        while k < padded(v.n):
            end = min(padded(v.n), group_end(&v.delta, k))
            memcpy(at(&v.delta, r, k), own.row + k, (end - k) * sizeof(real))
            k = end


cdef inline void take_input_delta(workspace* w, real* target, Py_ssize_t m, int part,
                           int n_parts) noexcept nogil:
    """This thread's rows of the input's delta into a plain (m, n_in) array."""
    cdef Py_ssize_t r
    cdef activation_layer* v = &w.activations[0]
    for r in range(m * part // n_parts, m * (part + 1) // n_parts):
        copy_row(&v.delta, r, v.n, target + r * v.n)


cdef inline bint encoding_step(const network* net, workspace* w, const gradient_target* g,
                               Py_ssize_t m, team* threads, int part, int n_parts) noexcept nogil:
    """Steps 4 to 6 for the encodings' parameters, as `gradients` does for the layers."""
    cdef const input_encoding* E = net.encoding
    cdef real* sums = w.encoding_sums if g.sums == NULL else g.sums + E.first
    encoding_gradients(E, net.parameters, &w.threads[part], &w.activations[0].delta, m, g.first,
                       sums, part, n_parts)
    if not g.last or g.step == NULL:
        return False
    barrier(threads, part, n_parts)
    return update_encoding(E, g, g.step, sums, 1, part, n_parts)


cdef inline int lowest_delta(const job* j) noexcept nogil:
    """The lowest level whose δ a gradient or the caller wants."""
    cdef int l = 0
    if j.w.input_delta:
        return 0
    while not j.every_layer and l < j.net.n_layers and j.net.layers[l].frozen:
        l += 1
    return l + 1


cdef inline double decay_of(const job* j, int64_t number) noexcept nogil:
    """EMA's decay, smaller while few steps are averaged: min(decay, (1 + t)/(10 + t))."""
    cdef double t = <double>(j.averaged + number - j.first)
    return min(j.ema, (1 + t) / (10 + t))


cdef inline bint waits_for_sums(const job* j) noexcept nogil:
    """Whether the update needs the gradient of the whole batch."""
    return j.clip_norm > 0 or j.add_gradients != NULL


cdef inline void start_sum(job* j, int l, int part) noexcept nogil:
    """Start adding up layer l's gradient over the processes.

    After the last layer's gradient lies one more number, NaN if the cost is not finite: then every
    process finds it so in the same batch.
    """
    if part == 0:
        if l == j.net.n_layers - 1:
            j.sums[j.n_numbers] = 0 if isfinite(j.cost) else <real>NAN
        j.add_gradients(j, l)


cdef inline void shared_gradients(job* j, const batch* b, Py_ssize_t m, const gradient_target* g,
                                  int lowest, int part, int n_parts) noexcept nogil:
    """Steps 3 and 4 of the last chunk of a batch that several processes share.

    Layer by layer from the output: the sum over the processes of a layer's gradient starts before
    those of the layers below are computed.
    """
    cdef int l
    cdef int output = j.net.n_layers - 1
    for l in range(output, -1, -1):
        if not j.net.layers[l].frozen:
            layer_gradient(j.net, j.w, l, m, g, part, n_parts)
            barrier(&j.threads, part, n_parts)
        if not j.net.layers[l].frozen or l == output:
            start_sum(j, l, part)
        if l >= lowest:
            layer_delta(j.net, j.w, b, l, m, &j.threads, part, n_parts)


cdef inline void add_nothing(job* j, const batch* b, int lowest, int part,
                             int n_parts) noexcept nogil:
    """The sums of a batch of which this process has no row, in the order of the other processes.

    The running statistics of normalized layers move as in these.
    """
    cdef int l
    cdef const network* net = j.net
    if part == 0:
        memset(j.sums, 0, j.n_numbers * sizeof(real))
    for l in range(net.n_layers):
        if net.layers[l].scale > 0:
            normalize_layer(net, l, j.w, b, NULL, 0, b.weight, &j.threads, part, n_parts)
    for l in range(net.n_layers - 1, -1, -1):
        if not net.layers[l].frozen or l == net.n_layers - 1:
            start_sum(j, l, part)
        if l >= lowest and l > 0 and net.layers[l - 1].scale > 0:
            normalize_layer_delta(net, j.w, b, l, 0, &j.threads, part, n_parts)


cdef inline bint run_batch(job* j, int64_t number, int part, int n_parts) noexcept nogil:
    """Steps 1 to 6 on one batch, chunk after chunk; ends with a barrier.

    Returns whether the next batch follows, which every thread must decide alike.  What they decide
    it by is written before a barrier and not again before the next one.  `w.changed` is read here
    only: another thread that gathers the next batch already may set it.
    """
    cdef network* net = j.net
    cdef workspace* w = j.w
    cdef batch b
    cdef gradient_target g
    cdef optimizer rule
    cdef update_step u
    cdef Py_ssize_t done = 0, m, r, chunk
    cdef double own_weight
    cdef int lowest = lowest_delta(j)
    cdef bint bad = False
    b.x = j.x
    b.y = j.y
    b.order = <const long long*>j.order
    b.number = number
    b.first = number * j.batch_size if j.starts == NULL else j.starts[number]
    b.n = (min(j.batch_size, j.n_pass - b.first) if j.starts == NULL
           else j.starts[number + 1] - b.first)
    b.place = 0 if j.places == NULL else j.places[number]
    b.n_rows = b.n if j.n_rows == NULL else j.n_rows[number]
    b.add_up = j.add_up
    b.job = j
    b.n_pass = j.n_pass
    b.training = j.training
    b.key = mixed_key(j.key, j.before + number)
    b.smoothing = <real>j.smoothing
    b.dropout = 1 if j.dropout == NULL else j.dropout[number]
    b.max_cost = j.max_cost
    chunk = even_block(b.n, w.n_rows)
    own_weight = batch_weight(&b)
    b.weight = own_weight if j.weights == NULL else j.weights[number]
    g.parameters = net.parameters
    g.slots[0] = j.slots[0]
    g.slots[1] = j.slots[1]
    g.average = NULL if j.max_norm > 0 else j.average
    g.decay = <real>decay_of(j, number)
    if j.rule == NULL:
        g.sums = j.sums
        g.step = NULL
    else:
        rule = j.rule[0]
        if j.weight_decays != NULL:
            rule.weight_decay = j.weight_decays[number]
        u = prepare_update(&rule, j.rates[number],
                           j.l2 / b.weight if j.l2_per_weight and b.weight > 0 else j.l2,
                           1 / b.weight if b.weight > 0 else 0,
                           j.steps + number - j.first + 1)
        g.sums = j.sums if b.n > chunk or waits_for_sums(j) else NULL
        g.step = NULL if waits_for_sums(j) else &u
    if j.batch_sums != NULL:
        own_squares(j, part, n_parts)
    take_ways(w, part)
    while done < b.n:
        m = min(chunk, b.n - done)
        g.first = done == 0
        g.last = done + m == b.n
        gather(net, w, &b, done, m, &j.threads, part, n_parts)
        forward_pass(net, w, &b, done, m, j.rule != NULL, &j.threads, part, n_parts)
        output_deltas(net, w, &b, done, m, part, n_parts)
        barrier(&j.threads, part, n_parts)
        lap(w, part, WAITING, net.n_layers - 1)
        if w.changed:
            return False
        if net.loss.kind == CUSTOM:     # its batch passes whole
            if part == 0:
                j.failed |= not j.call_loss(j, &b)
            barrier(&j.threads, part, n_parts)
            if j.failed:
                return False
        if part == 0:
            if j.batch_sums != NULL and done == 0:
                j.batch_sums[2 * (j.before + number)] = 0
                j.batch_sums[2 * (j.before + number) + 1] = sum_of_squares(j)
            for r in range(m):
                j.cost += w.costs[r]
                if j.batch_sums != NULL:
                    j.batch_sums[2 * (j.before + number)] += w.costs[r]
        if w.input_delta:
            slopes_of_input(net, w, &b, done, m, part, n_parts)
            barrier(&j.threads, part, n_parts)    # written by rows, read by panels
        if g.last and j.add_gradients != NULL:
            shared_gradients(j, &b, m, &g, lowest, part, n_parts)
        else:
            hidden_deltas(net, w, &b, m, lowest, &j.threads, part, n_parts)
            bad |= gradients(net, w, m, &g, j.every_layer, part, n_parts)
        if j.input_gradient != NULL:
            take_input_delta(w, j.input_gradient + done * w.activations[0].n, m, part, n_parts)
        if w.input_delta and net.encoding != NULL:
            bad |= encoding_step(net, w, &g, m, &j.threads, part, n_parts)
            lap(w, part, GRADIENT, 0)
        done += m
        if done < b.n:
            if part == 0 and seconds_now() > j.signals_checked + 1.0 / SIGNAL_CHECKS_A_SECOND:
                j.signals_checked = seconds_now()
                j.failed = j.check_signals(j)
            barrier(&j.threads, part, n_parts)
            lap(w, part, WAITING, 0)
            if j.failed:
                return False
    if j.add_gradients != NULL:
        if b.n == 0:
            add_nothing(j, &b, lowest, part, n_parts)
        barrier(&j.threads, part, n_parts)
        if part == 0:
            j.add_gradients(j, ALL_SUMS)
        barrier(&j.threads, part, n_parts)
        lap(w, part, WAITING, 0)
        if j.failed:
            return False
        bad |= not isfinite(j.sums[j.n_numbers])
    if j.rule != NULL and waits_for_sums(j):
        g.step = &u
        bad |= update_from_sums(net, w, &g, j.clip_norm, &j.threads, part, n_parts)
    if j.max_norm > 0:
        limit_weights(net, j.max_norm, j.average, g.decay, &j.threads, part, n_parts)
    if bad or w.overflowed:
        j.not_finite = True
    if part == 0:
        if b.n == j.batch_size:
            choose_ways(w, b.n)
        j.weight += own_weight
        j.next = number + 1
        j.stop = (not isfinite(j.cost) or number + 1 >= j.n_batches
                  or seconds_now() >= j.deadline)
    barrier(&j.threads, part, n_parts)
    lap(w, part, WAITING, 0)
    return not (j.stop or j.not_finite)


cdef inline void run_batches(job* j, int part, int n_parts) noexcept nogil:
    """One thread's share of the batches from j.first on."""
    cdef unsigned long long state = flush_denormals()
    cdef int64_t number = j.first
    if part == 0:
        j.w.lap_start = j.signals_checked = seconds_now()
        j.denormals = state
    while run_batch(j, number, part, n_parts):
        number += 1
    restore_denormals(state)
