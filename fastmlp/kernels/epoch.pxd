"""The batches of one call of `train`, or the one of `gradients`: step 7's inner loop.

Every thread runs `run_batches`; they share one `job` and meet at its barriers.
"""
from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.string cimport memcpy
from .dense cimport gradient_target
from .dropout cimport drop_dense, random_stream
from .encoding_gradients cimport encoding_gradients, update_encoding
from .encodings cimport input_encoding
from .job cimport job
from .losses cimport CUSTOM
from .matrices cimport at, copy_row, group_end
from .network cimport batch, network
from .norms cimport column_squares, total_of
from .panels cimport padded
from .random cimport mixed_key
from .shared_batch cimport add_nothing, average_when_due, finish_sums, shared_gradients
from .step cimport forward_pass, gather, gradients, hidden_deltas, output_deltas, stream_in
from .team cimport barrier, seconds_now, set_bits, team
from .tile cimport even_block
from .updates cimport optimizer, prepare_update, update_step
from .vector cimport flush_denormals, real, restore_denormals
from .whole_update cimport limit_weights, update_from_sums
from .workspace cimport (GRADIENT, WAITING, activation_layer, choose_ways, lap, scratch,
                         take_shares, take_ways, workspace)

cdef enum:
    SIGNAL_CHECKS_A_SECOND = 20         # for Ctrl-C, within a batch


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
    take_shares(w, &j.threads, part, n_parts)
    take_ways(w, part, n_parts)
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
        g.step = &u
        bad |= finish_sums(j, &g, part, n_parts)
        if j.failed:
            return False
    elif j.rule != NULL and j.clip_norm > 0 and b.n > 0:
        g.step = &u
        bad |= update_from_sums(net, w, &g, j.clip_norm, &j.threads, part, n_parts)
    if j.max_norm > 0:
        limit_weights(net, j.max_norm, j.average, g.decay, &j.threads, part, n_parts)
    if bad or w.overflowed:
        set_bits(<int*>&j.not_finite, True)
    if j.local_steps > 0:
        barrier(&j.threads, part, n_parts)
    if part == 0:
        if b.n == j.batch_size:
            choose_ways(w, b.n, n_parts)
        j.weight += own_weight
        j.next = number + 1
        if j.local_steps > 0:
            average_when_due(j)
        j.stop = (not isfinite(j.cost) or number + 1 >= j.n_batches
                  or seconds_now() >= j.deadline)
    barrier(&j.threads, part, n_parts)
    lap(w, part, WAITING, 0)
    return not (j.stop or j.not_finite or j.failed)


cdef inline void run_batches(job* j, int part, int n_parts) noexcept nogil:
    """One thread's share of the batches from j.first on."""
    cdef unsigned long long state = flush_denormals()
    cdef int64_t number = j.first
    j.w.threads[part].lap_start = seconds_now()
    if part == 0:
        j.signals_checked = j.w.threads[part].lap_start
        j.denormals = state
    while run_batch(j, number, part, n_parts):
        number += 1
    restore_denormals(state)
