"""The memory map of a pass through the network: one block, laid out once.

A chunk of at most n_rows examples passes at a time; nothing is allocated while it does.

    of each layer l      a(l) and δ(l), (n_rows, n) as batch matrices (matrices.pxd); δ(l)'s place
                         holds f'(z(l)) from the forward pass until the hidden delta overwrites it
    of each thread       scratch: blocks of products, one example, sparse rows
    of all threads       costs, a row of zeros, distorted images, norms, seconds by phase

Each thread gathers the whole input for itself, unless products read it where it lies: making it
twice costs less than fetching it from the other core's cache.  engine.pyx allocates the memory,
zeroed, and calls `lay_out`; the kernels only read the pointers.
"""
from libc.stdint cimport uint64_t
from .batch_norm cimport batch_norm_values
from .choice cimport choice, choose, in_trial, may_skip
from .load_balance cimport (balance, divide_among, load_balance, see_work, size_of_shares, take_next,
                            thread_pace)
from .matrices cimport (byte_stride, grouped, grouped_room, matrix, max_group_starts, row_stride,
                        ungrouped)
from .panels cimport layer, padded, panel_columns
from .prefetch cimport address_range, prefetch_queue
from .sparse_rows cimport sparse_rows
from .team cimport add_visibly, barrier, seconds_now, team
from .vector cimport BYTES, SPARSE_BLOCK_BYTES, WIDTH, entry, real

cdef enum:
    GRADIENT_ROWS = 64          # rows of a weight panel whose gradient is formed at a time

cdef enum phase:                # what a thread's time is recorded for
    GATHERING
    COMPRESSING                 # the sparse rows of a(1)ᵀ
    FORWARD
    OUTPUT
    DELTA
    GRADIENT
    WAITING
    N_PHASES

cdef struct layer_choices:      # whether products skip zeros: see choice.pxd
    choice forward              # those of a(l); at l = 0 in its gradient too
    choice gradient             # those of a(l)
    choice delta                # those of δ(l+1)


cdef struct layer_ways:         # the same, as chosen for a batch
    bint forward, gradient, delta


cdef struct activation_layer:   # l = 0 (input) … n_layers (output), shared by all threads
    Py_ssize_t n                # units
    Py_ssize_t n_terms          # see `layer`; 0 for the input
    matrix a, delta
    matrix slope                # see `slopes` in epilogues.pxd
    batch_norm_values norm      # where the layer is normalized


cdef struct scratch:            # of one thread
    activation_layer input      # layer 0 with an a(1) of the thread's own and the shared δ(1)
    sparse_rows input_rows, input_columns   # of a(1), and of its transpose
    unsigned char* byte_rows    # or as bytes, in rows of byte_stride(n)
    layer_ways* ways            # of each layer in this batch
    bint past_caches            # in this batch: see epilogues.pxd
    real* packed                # a block of Wᵀ
    real* block                 # a block of δ or of a gradient, before it is finished
    real* a_block               # a block of columns of a(l), or of rows of a(l)ᵀ, and
    const real** a_rows         # where its rows begin: see gradient_rows.pxd
    real* row                   # one example
    real* columns               # rows of X before they are encoded: see encodings.pxd
    real* waves                 # (n_waves, wave_stride) outputs of periodic encodings
    Py_ssize_t wave_stride
    real* encoded               # e(x) of one column
    real* distortion            # for distorting an image
    real* example_weights       # (n_rows,) relative weights w: see batch_norm.pxd
    uint64_t* row_hashes        # (n_rows,) see `examples` in inputs.pxd
    const entry** cursors       # into sparse rows
    address_range* ranges       # where the rows of the next chunk lie, and
    prefetch_queue next_examples    # which of them are still to be prefetched
    entry** ends                # of the sparse rows of a transpose, while they are made
    double lap_start            # the clock at its last call of `lap`
    double worked, seen         # seconds of all phases but waits: now, and where the batch began


cdef struct workspace:
    Py_ssize_t n_rows           # capacity
    int n_layers, n_threads
    bint input_delta            # whether δ of the input is wanted
    Py_ssize_t n_columns, n_waves   # of X, where its columns are encoded: see encodings.pxd
    Py_ssize_t n_encoding       # numbers of the encodings' parameters
    real* encoding_sums         # their gradient, summed over a batch
    Py_ssize_t distortion_size  # numbers of scratch for distorting an image; 0: none is distorted
    activation_layer* activations
    scratch* threads
    layer_choices* choices      # of each layer
    choice past_caches          # whether threads store what others read past the caches
    double input_density        # of a(1), about
    bint reads_bytes            # a(1) as bytes where zeros are skipped, else as sparse rows
    Py_ssize_t* group_starts    # first columns of the groups of each layer: see matrices.pxd
    real* zeros                 # a row of zeros, two panels wide
    matrix images               # the distorted input, which all threads make together; or none
    real* squares               # for each column of each layer: see norms.pxd
    double* costs               # for each example
    int changed                 # OUT what the arrays' owner has changed: see inputs.pxd
    bint overflowed             # OUT running statistics, or predictions, are not finite
    double* laps                # seconds of thread 0 by phase and layer: see `lap`
    load_balance balance


cdef inline activation_layer* activations_of(workspace* w, int part, int l) noexcept nogil:
    """The activations of layer l as this thread sees them: its input may be its own."""
    return &w.threads[part].input if l == 0 else &w.activations[l]


cdef inline void take_ways(workspace* w, int part, int n_parts) noexcept nogil:
    """Set which products of this thread skip zeros in the next batch, as has been chosen.

    The first thread chooses anew while others are still in their batch.
    """
    cdef int l
    cdef scratch* own = &w.threads[part]
    cdef layer_ways* ways = own.ways
    own.seen = own.worked
    own.past_caches = w.past_caches.way and n_parts > 1
    for l in range(w.n_layers):
        ways[l].forward = w.choices[l].forward.way
        ways[l].gradient = w.choices[l].gradient.way
        ways[l].delta = w.choices[l].delta.way
    if w.reads_bytes:
        ways[0].gradient = ways[0].forward


cdef inline void regroup(workspace* w, matrix* x, const matrix* shape) noexcept nogil:
    """Give a batch matrix other groups, and set the pointers to its rows anew."""
    cdef Py_ssize_t r
    x.stride = shape.stride
    x.group = shape.group
    for r in range(w.n_rows):
        x.rows[r] = x.values + r * x.stride


cdef inline void divide_columns(workspace* w) noexcept nogil:
    """Give the columns that each thread writes by its share rows of their own."""
    cdef int l, t
    cdef activation_layer* v
    cdef matrix shape
    for l in range(1 - w.input_delta, w.n_layers):
        v = &w.activations[l]
        shape = grouped(v.n, v.n_terms, w.n_rows, w.balance.n_parts, w.balance.shares,
                        w.group_starts + l * max_group_starts(w.n_threads))
        regroup(w, &v.delta, &shape)
        v.slope.stride = v.norm.u_hat.stride = shape.stride
        v.slope.group = v.norm.u_hat.group = shape.group
        if l > 0:
            regroup(w, &v.a, &shape)
    for t in range(w.n_threads):
        w.threads[t].input.delta = w.activations[0].delta
        w.threads[t].input.slope = w.activations[0].slope


cdef inline void take_shares(workspace* w, team* threads, int part, int n_parts) noexcept nogil:
    """Before a batch: take the shares that `balance` has found, or divide among other threads."""
    if n_parts == 1 or w.balance.n_parts == n_parts and not w.balance.changed:
        return
    barrier(threads, part, n_parts)
    if part == 0:
        if w.balance.n_parts != n_parts:
            divide_among(&w.balance, n_parts)
        else:
            take_next(&w.balance)
        divide_columns(w)
    barrier(threads, part, n_parts)


cdef inline double clock_of(const workspace* w, phase p, int l) noexcept nogil:
    """The seconds of thread 0 in phase p of layer l."""
    return w.laps[<int>p * w.n_layers + l]


cdef inline void choose_ways(workspace* w, Py_ssize_t n, int n_parts) noexcept nogil:
    """By the times of a batch of n examples, which products skip zeros in the next one.

    And whether threads store past the caches, by the time of the whole batch: tried only in
    batches in which no product is.
    """
    cdef int l, p, t
    cdef bint trying = n_parts == 1
    cdef double total = 0
    cdef double input = (clock_of(w, GATHERING, 0) + clock_of(w, COMPRESSING, 0)
                         + clock_of(w, GRADIENT, 0))
    for l in range(w.n_layers):
        for p in range(<int>N_PHASES):
            total += w.laps[p * w.n_layers + l]
        trying |= (in_trial(&w.choices[l].forward) or in_trial(&w.choices[l].gradient)
                   or in_trial(&w.choices[l].delta))
        choose(&w.choices[l].forward, clock_of(w, FORWARD, l) + (input if l == 0 else 0), n)
        choose(&w.choices[l].gradient, clock_of(w, GRADIENT, l), n)
        choose(&w.choices[l].delta, clock_of(w, DELTA, l), n)
    if trying:
        w.past_caches.before = total
    else:
        choose(&w.past_caches, total, n)
    if n_parts > 1 and w.balance.n_parts == n_parts:
        for t in range(n_parts):
            see_work(&w.balance, t, w.threads[t].seen)
        balance(&w.balance, total)


cdef inline void lap(workspace* w, int part, phase p, int l) noexcept nogil:
    """Add the time since the thread's last call to phase p of layer l."""
    cdef scratch* own = &w.threads[part]
    cdef double now = seconds_now()
    if p != WAITING:
        own.worked += now - own.lap_start
    if part == 0:
        add_visibly(&w.laps[<int>p * w.n_layers + l], now - own.lap_start)
    own.lap_start = now


cdef inline void wait_for_all(workspace* w, team* threads, int part, int n_parts, phase p,
                              int l) noexcept nogil:
    """End phase p of layer l with a barrier."""
    lap(w, part, p, l)
    barrier(threads, part, n_parts)
    lap(w, part, WAITING, l)


cdef inline void* reserve(char* base, Py_ssize_t* used, Py_ssize_t size) noexcept nogil:
    """The next `size` bytes on cache lines of their own; NULL while only counting."""
    cdef Py_ssize_t place = used[0]
    used[0] += (size + 63) // 64 * 64
    return NULL if base == NULL else base + place


cdef inline sparse_rows lay_sparse_rows(char* base, Py_ssize_t* used, Py_ssize_t n,
                                        Py_ssize_t capacity) noexcept nogil:
    """Memory for n sparse rows of up to `capacity` entries, the end mark included."""
    cdef sparse_rows x
    x.capacity = capacity
    x.density = 1
    x.entries = <entry*>reserve(base, used, n * capacity * <Py_ssize_t>sizeof(entry))
    return x


cdef inline void lay_rows(matrix* x, Py_ssize_t n_rows, Py_ssize_t* used,
                          char* base) noexcept nogil:
    """Set the pointers to the rows of x, through which products read them."""
    cdef Py_ssize_t r
    x.rows = <const real**>reserve(base, used, n_rows * <Py_ssize_t>sizeof(real*))
    if x.values != NULL:
        for r in range(n_rows):
            x.rows[r] = x.values + r * x.stride


cdef inline void lay_thread(workspace* w, scratch* own, Py_ssize_t* used, Py_ssize_t widest,
                            Py_ssize_t max_in_row, bint backward, char* base) noexcept nogil:
    """One thread's scratch; what the products of the input may be has been set."""
    cdef Py_ssize_t size = sizeof(real), rows = max(w.n_rows, <Py_ssize_t>GRADIENT_ROWS), room
    cdef const choice* input = &w.choices[0].forward
    own.row = <real*>reserve(base, used, widest * size)
    own.columns = <real*>reserve(base, used, w.n_rows * padded(w.n_columns) * size)
    own.wave_stride = row_stride(w.n_rows)
    own.waves = <real*>reserve(base, used, w.n_waves * own.wave_stride * size)
    own.encoded = <real*>reserve(base, used, widest * size if w.n_columns > 0 else 0)
    own.distortion = <real*>reserve(base, used, w.distortion_size * size)
    own.example_weights = <real*>reserve(base, used, w.n_rows * size)
    own.row_hashes = <uint64_t*>reserve(base, used, w.n_rows * <Py_ssize_t>sizeof(uint64_t))
    own.input = w.activations[0]
    if w.distortion_size > 0:
        own.input.a = w.images
    else:
        if input.possible or not input.way:     # else it is never written out
            own.input.a.values = <real*>reserve(base, used, w.n_rows * own.input.a.stride * size)
        lay_rows(&own.input.a, w.n_rows, used, base)
    own.cursors = <const entry**>reserve(base, used, rows * <Py_ssize_t>sizeof(entry*))
    own.ranges = <address_range*>reserve(base, used, 2 * rows * <Py_ssize_t>sizeof(address_range))
    own.ways = <layer_ways*>reserve(base, used, w.n_layers * <Py_ssize_t>sizeof(layer_ways))
    if may_skip(input) and w.reads_bytes:
        own.byte_rows = <unsigned char*>reserve(
            base, used, (w.n_rows + BYTES) * byte_stride(own.input.n))      # whole blocks
    elif may_skip(input):
        # room for the vector that compress writes after the last entry
        own.input_rows = lay_sparse_rows(base, used, w.n_rows, max_in_row + WIDTH + 1)
        if backward:
            own.input_columns = lay_sparse_rows(base, used, own.input.n, w.n_rows + 1)
        own.input_rows.density = own.input_columns.density = w.input_density
    if backward:
        own.packed = <real*>reserve(base, used,
                                    2 * SPARSE_BLOCK_BYTES + WIDTH * 2 * panel_columns() * size)
        own.block = <real*>reserve(base, used, rows * 2 * panel_columns() * size)
        own.ends = <entry**>reserve(base, used, widest * <Py_ssize_t>sizeof(entry*))
        room = max(row_stride(GRADIENT_ROWS), <Py_ssize_t>GRADIENT_ROWS + WIDTH)
        own.a_block = <real*>reserve(base, used, max(room * padded(w.n_rows) * size,
                                                     (GRADIENT_ROWS + BYTES)
                                                     * byte_stride(w.n_rows)))
        own.a_rows = <const real**>reserve(base, used, rows * <Py_ssize_t>sizeof(real*))


cdef inline Py_ssize_t lay_out(workspace* w, const layer* layers, Py_ssize_t max_in_row,
                               bint backward, char* base) noexcept nogil:
    """Set every pointer of the workspace into `base`; returns the bytes needed.

    With `base` NULL the bytes are only counted.  The capacity, counts, flags, `group_starts` and
    the ways of the input have been set.  With `backward` there is room for training.
    """
    cdef Py_ssize_t used = 0, n, room, widest = 0, n_squares = 0, size = sizeof(real)
    cdef int l, t
    cdef activation_layer* v
    for l in range(w.n_layers + 1):
        v = &w.activations[l]
        n = layers[0].n_in if l == 0 else layers[l - 1].n_out
        v.n = n
        v.n_terms = layers[l - 1].n_terms if l > 0 else 0
        widest = max(widest, row_stride(n))
        v.a = v.delta = ungrouped(NULL, n)
        room = w.n_rows * v.delta.stride * size
        if l < w.n_layers and w.n_threads > 1:      # the threads write it by columns
            v.delta = grouped(n, v.n_terms, w.n_rows, w.n_threads, NULL,
                              w.group_starts + l * max_group_starts(w.n_threads))
            room = grouped_room(n, w.n_rows, w.n_threads) * size
        if l > 0:       # but a(1) is read or made as a whole
            v.a = v.delta
        v.norm.u_hat = v.a
        if l > 0:
            v.a.values = <real*>reserve(base, &used, room)
            lay_rows(&v.a, w.n_rows, &used, base)
        if l > 0 or w.input_delta:
            v.delta.values = <real*>reserve(base, &used, room)
            lay_rows(&v.delta, w.n_rows, &used, base)
        v.slope = v.delta
        if 1 - w.input_delta < l < w.n_layers and w.past_caches.possible:
            v.slope.values = <real*>reserve(base, &used, room)
        if l > 0 and layers[l - 1].scale > 0 and backward:
            v.norm.u_hat.values = <real*>reserve(base, &used, room)
            v.norm.inverse = <real*>reserve(base, &used, padded(n) * size)
            v.norm.sum_delta = <real*>reserve(base, &used, padded(n) * size)
            v.norm.sum_delta_u_hat = <real*>reserve(base, &used, padded(n) * size)
            v.norm.shared = <real*>reserve(base, &used, 2 * padded(n) * size)
        n_squares += padded(n)
    if w.n_threads > 1 and backward:
        w.balance.kept = <int*>reserve(base, &used,
                                       size_of_shares(w.n_threads) * <Py_ssize_t>sizeof(int))
        w.balance.paces = <thread_pace*>reserve(base, &used,
                                                w.n_threads * <Py_ssize_t>sizeof(thread_pace))
        if base != NULL:
            divide_among(&w.balance, w.n_threads)
    w.zeros = <real*>reserve(base, &used, 2 * panel_columns() * size)
    w.images = ungrouped(NULL, layers[0].n_in)
    if w.distortion_size > 0:
        w.images.values = <real*>reserve(base, &used, w.n_rows * w.images.stride * size)
        lay_rows(&w.images, w.n_rows, &used, base)
    w.squares = <real*>reserve(base, &used, n_squares * size)
    w.encoding_sums = <real*>reserve(base, &used, w.n_encoding * size if backward else 0)
    w.costs = <double*>reserve(base, &used, w.n_rows * <Py_ssize_t>sizeof(double))
    w.laps = <double*>reserve(base, &used, N_PHASES * w.n_layers * <Py_ssize_t>sizeof(double))
    for t in range(w.n_threads):
        lay_thread(w, &w.threads[t], &used, widest, max_in_row, backward, base)
    return used
