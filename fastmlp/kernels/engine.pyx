"""Engine: the memory of one network and its compiled loops.

`train` runs batches without the GIL inside one parallel region; `forward`, `activations`,
`cost` and `gradients` pass over given examples.  Callers have validated every argument
(fastmlp/checks.py); the engine converts and copies nothing beyond a batch, but that training
packs rows with many zeros (inputs.pxd).
"""
cimport cython
from cython.parallel cimport parallel
from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import numpy as np

from .activations cimport RELU, activation_kind
from .batch_norm cimport fold
from .break_even cimport break_even, trial
from .distortion cimport distort_rows, distortion, distortion_scratch
from .epoch cimport job, run_batches
from .inputs cimport (FLOAT32, FLOAT64, UINT8, count_rows, density, examples, hash_rows,
                      number_size, pack_rows, pack_scratch, packed_number_size, packed_size,
                      targets)
from .losses cimport CUSTOM, SQUARED_ERROR, loss_of
from .norms cimport weight_squares
from .matrices cimport copy_row, max_group_starts
from .panels cimport layer, pack, padded, unpack
from .prediction cimport predict_part, prediction
from .random cimport mixed_key
from .step cimport batch, network, row_of
from .team cimport omp_get_num_threads, omp_get_thread_num, seconds_now
from .tile cimport even_block
from .updates cimport n_slots, optimizer, optimizer_of
from .vector cimport (REAL_IS_DOUBLE, WIDTH, flush_denormals, real,
                     restore_denormals)
from .workspace cimport activation_layer, lay_out, scratch, sparsity, workspace

cdef extern from "memory.h" nogil:
    void* zeroed(size_t size, char** data)

cdef enum:
    CHUNK_ROWS = 128            # of a pass: a batch's activations and deltas stay in L2
    NARROW_CHUNK_ROWS = 256     # where those of as many take no more than
    CHUNK_BYTES = 786432
    WIDE_CHUNK_ROWS = 512       # where the weights do not, so that each is read for more rows
    WIDE_PARAMETERS = 2000000
    MOST_PACKED = 65536         # columns that a 2-byte index can name
    LOOKED_ROWS = 256           # of the input, to measure its density
    PREDICT_ROWS = 120          # a multiple of every tile's rows
    LEAST_ROWS_A_THREAD = 16
    MOST_THREADS = 512
    MOST_LAYERS = 1000
    LEAST_VECTORS = 4           # width of a product below which lists do not pay
    LEAST_SKIPPED = 32          # columns below which lists are not worth their making

DTYPE = np.dtype(np.float64 if REAL_IS_DOUBLE else np.float32)
PHASES = ("gather", "lists", "forward", "output", "delta", "gradient", "wait")


include "data.pxi"
include "parameters.pxi"
include "custom.pxi"


cdef class Workspace:
    """The memory of a pass (workspace.pxd) through layers first … end, for so many rows and threads."""
    cdef workspace w
    cdef Block memory
    cdef readonly tuple key

    def __cinit__(self, Engine engine, Py_ssize_t n_rows, int n_threads, bint backward,
                  Py_ssize_t max_in_row, bint list_input, bint input_delta=False,
                  bint training=False, int first=0, int end=0, Py_ssize_t n_warp=0):
        cdef int t, n_layers = (end if end > 0 else engine.net.n_layers) - first
        cdef const layer* layers = (engine.net.layers if training else engine.plain.layers) + first
        self.w.n_rows = n_rows
        self.w.n_layers = n_layers
        self.w.n_threads = n_threads
        self.w.input_delta = input_delta
        self.w.distortion_size = n_warp
        self.w.activations = <activation_layer*>calloc(n_layers + 1, sizeof(activation_layer))
        self.w.threads = <scratch*>calloc(n_threads, sizeof(scratch))
        self.w.sparsity = <sparsity*>calloc(2 * n_threads * n_layers, sizeof(sparsity))
        self.w.group_starts = <Py_ssize_t*>calloc(n_layers * max_group_starts(n_threads),
                                                  sizeof(Py_ssize_t))
        if (self.w.activations == NULL or self.w.threads == NULL or self.w.sparsity == NULL
                or self.w.group_starts == NULL):
            raise MemoryError("no room for a workspace")
        for t in range(n_threads):
            self.w.threads[t].zeros = self.w.sparsity + 2 * t * n_layers
            self.w.threads[t].delta_zeros = self.w.sparsity + (2 * t + 1) * n_layers
            engine.expect_zeros(&self.w.threads[t], list_input, layers, n_layers)
        self.memory = Block(lay_out(&self.w, layers, max_in_row, backward, NULL))
        lay_out(&self.w, layers, max_in_row, backward, self.memory.data)

    def __dealloc__(self):
        free(self.w.activations)
        free(self.w.threads)
        free(self.w.sparsity)
        free(self.w.group_starts)


cdef inline bint can_be_zero(const layer* L) noexcept nogil:
    """Whether many of the layer's activations are exactly zero."""
    return L.activation == RELU or L.drop_threshold > 0


cdef void run_job(job* j, int threads) noexcept:
    """All batches of the job, in one parallel region."""
    if j.first * j.batch_size >= j.n_pass:
        return
    if threads == 1:
        with nogil:
            run_batches(j, 0, 1)
    else:
        with nogil, parallel(num_threads=threads):
            run_batches(j, omp_get_thread_num(), omp_get_num_threads())


cdef class Engine(Parameters):
    """Memory and compiled loops of one network."""
    cdef network rest               # its layers from the one on that `train` was given input for
    cdef optimizer rule
    cdef Block state, sums
    cdef Workspace training, passing    # of `train` and of `gradients`, kept between calls
    cdef Warp warp                  # of images in training, or None
    cdef public int64_t steps
    cdef readonly double slept      # seconds in the last job that threads slept at barriers
    cdef public bint skip_zeros     # take lists of non-zeros where they pay; no bit depends on it
    cdef public double label_smoothing, max_norm, clip_norm, ema
    cdef public bint shared_l2      # in training λ/Σ s of a batch in place of λ
    cdef public bint draws_by_content   # in training by each example's numbers, not its place

    def __cinit__(self, *args, **kwargs):
        self.skip_zeros = True

    def set_warp(self, Warp warp):
        self.warp = warp

    # -------------------------------------------------------------------------- optimizer

    def set_optimizer(self, name, constants):
        cdef optimizer rule = optimizer_of(name, constants)
        cdef Block state = Block(n_slots(&rule) * self.n_numbers * <Py_ssize_t>sizeof(real))
        with cython.critical_section(self):
            self.rule = rule
            self.state = state
            self.steps = 0

    cdef real* slot(self, Block state, int i) noexcept:
        """The optimizer's i-th number of each parameter; NULL where it keeps fewer."""
        if state is None or (i + 1) * self.n_numbers * <Py_ssize_t>sizeof(real) > state.size:
            return NULL
        return <real*>state.data + i * self.n_numbers

    def get_state(self):
        cdef Block state
        cdef int n
        with cython.critical_section(self):
            state = self.state
            n = n_slots(&self.rule)
        return [[self.layer_out(self.slot(state, i), l) for l in range(self.net.n_layers)]
                for i in range(n)]

    def set_state(self, slots, int64_t steps):
        for i, layers in enumerate(slots):
            for l, parameters in enumerate(layers):
                self.layer_in(self.slot(self.state, i), l, parameters[0], parameters[1],
                              parameters[2] if len(parameters) > 2 else None)
        self.steps = steps

    # --------------------------------------------------------------------------- training

    cdef Py_ssize_t chunk_rows(self, Py_ssize_t n_rows, bint training) noexcept:
        """Rows that pass at a time: all where something is asked of the batch as a whole."""
        cdef Py_ssize_t n, most = WIDE_CHUNK_ROWS, row = 0
        if training and self.n_statistics > 0 or self.net.loss.kind == CUSTOM:
            return max(n_rows, 1)
        if self.n_numbers <= WIDE_PARAMETERS:
            for n in self.sizes:
                row += 2 * n * <Py_ssize_t>sizeof(real)
            most = NARROW_CHUNK_ROWS if NARROW_CHUNK_ROWS * row <= CHUNK_BYTES else CHUNK_ROWS
        return even_block(n_rows, most)

    cdef void expect_zeros(self, scratch* own, bint list_input, const layer* layers,
                           int n_layers) noexcept:
        """Where one thread may make lists: of what a ReLU or dropout has zeroed, if wide enough."""
        cdef int l
        cdef const layer* L
        own.zeros[0].possible = own.zeros[0].used = list_input
        for l in range(1, n_layers):
            L = &layers[l]
            if (self.skip_zeros and can_be_zero(&layers[l - 1])
                    and L.n_in >= LEAST_SKIPPED):
                own.zeros[l].possible = padded(L.n_out) >= LEAST_VECTORS * WIDTH
                own.delta_zeros[l].possible = (
                    l > 1 and padded(layers[l - 1].n_in) >= LEAST_VECTORS * WIDTH)

    cdef bint list_input(self, Data data) noexcept:
        """Whether the input is read as lists of its non-zeros."""
        cdef const layer* L = &self.net.layers[data.first]
        if data.x.indices != NULL:
            return True
        if not self.skip_zeros or L.n_in < LEAST_SKIPPED or padded(L.n_out) < LEAST_VECTORS * WIDTH:
            return False
        return data.density < self.net.max_density

    cdef void prepare(self, job* j, network* net, Data data, Workspace space, Py_ssize_t n_pass,
                      Py_ssize_t batch_size) noexcept:
        memset(j, 0, sizeof(job))
        j.net = net
        j.w = &space.w
        j.x = &data.x
        j.y = &data.y
        j.n_pass = n_pass
        j.batch_size = batch_size

    cdef Workspace training_space(self, Data data, Py_ssize_t batch_size, int threads):
        """The training workspace, kept from call to call while nothing about it changes."""
        cdef bint listed = self.list_input(data)
        cdef Py_ssize_t most = data.x.max_in_row, n_warp = 0
        if self.warp is not None:       # which fills what was empty, and reads whole rows
            n_warp = distortion_scratch(&self.warp.d)
            most = data.x.n_in
        elif listed:
            data.pack(threads)
        if self.draws_by_content:
            data.take_contents(threads)
        key = (batch_size, listed, most, self.skip_zeros, data.first, n_warp)
        if (self.training is None or self.training.key != key
                or self.training.w.n_threads < threads):
            self.training = None
            self.training = Workspace(self, self.chunk_rows(batch_size, True), threads, True,
                                      most, listed, False, True, data.first, 0, n_warp)
            self.training.key = key
        return self.training

    def train(self, Data data, const int64_t[::1] order, Py_ssize_t batch_size, int64_t first,
              const double[::1] rates, double l2, int threads, double seconds,
              double cost=0, double weight=0, uint64_t epoch=0, int64_t before=0):
        cdef Py_ssize_t size = min(batch_size, order.shape[0])
        cdef Workspace space = self.training_space(data, size, threads)
        cdef job j
        cdef Question question
        cdef Block mean, state = self.state
        self.rest = self.net
        self.rest.distortion = NULL if self.warp is None else &self.warp.d
        if data.first > 0:
            self.rest.first = data.first
            self.rest.layers += data.first
            self.rest.n_layers -= data.first
            self.rest.input_drop_threshold = 0
        self.prepare(&j, &self.rest, data, space, order.shape[0], batch_size)
        question = Question(self.custom, data)
        question.put(&j)
        j.rule = &self.rule
        j.training = True
        j.key = mixed_key(self.key, epoch)
        j.smoothing = self.label_smoothing
        j.max_norm = self.max_norm
        j.clip_norm = self.clip_norm
        if self.ema > 0:
            mean = self.averaging()
            j.average = <real*>mean.data
            j.ema = self.ema
            j.averaged = self.averaged
        j.order = &order[0] if order.shape[0] else NULL
        j.first = j.next = first
        j.before = before
        j.rates = &rates[0] if rates.shape[0] else NULL
        j.l2 = l2
        j.shared_l2 = self.shared_l2
        j.steps = self.steps
        j.slots[0] = self.slot(state, 0)
        j.slots[1] = self.slot(state, 1)
        j.deadline = seconds_now() + seconds
        j.cost = cost
        j.weight = weight
        if size > space.w.n_rows or self.clip_norm > 0:
            if self.sums is None:
                self.sums = Block(self.n_numbers * <Py_ssize_t>sizeof(real))
            j.sums = <real*>self.sums.data
        run_job(&j, threads)
        self.steps += j.next - first
        if self.ema > 0:
            self.averaged += j.next - first
        self.changed()
        self.slept = 1e-9 * j.threads.slept
        question.answer(&j)
        failed = j.next - 1 if j.not_finite or not isfinite(j.cost) else -1
        return j.next, j.cost, j.weight, failed

    @property
    def most_density(self):
        return self.net.max_density

    def phase_seconds(self):
        """Where thread 0's time went since the training workspace was made, by phase and layer."""
        if self.training is None:
            return {}
        cdef workspace* w = &self.training.w
        return {(name, l): w.laps[p * w.n_layers + l]
                for p, name in enumerate(PHASES) for l in range(w.n_layers)}

    def workspace_bytes(self, Py_ssize_t batch_size, int threads=1):
        return Workspace(self, self.chunk_rows(batch_size, True), threads, True, self.sizes[0],
                         True, False, True).memory.size

    # -------------------------------------------------------- gradients of given examples

    cdef Workspace passing_space(self, Data data, bint input_delta, bint training, int threads):
        """The workspace of `gradients`, which puts it back: another Python thread makes its own."""
        cdef bint listed = self.list_input(data)
        cdef Py_ssize_t n_rows = self.chunk_rows(data.x.n_rows, training)
        cdef Workspace space
        with cython.critical_section(self):
            space = self.passing
            self.passing = None
        key = (n_rows, listed, data.x.max_in_row, self.skip_zeros, input_delta, training)
        if space is None or space.key != key or space.w.n_threads < threads:
            space = Workspace(self, n_rows, threads, True, data.x.max_in_row, listed, input_delta,
                              training)
            space.key = key
        return space

    def gradients(self, Data data, double l2, int threads, bint wrt_input=False,
                  bint training=False, uint64_t epoch=0):
        cdef Py_ssize_t m = data.x.n_rows
        cdef Block sums = Block(self.n_numbers * <Py_ssize_t>sizeof(real))
        cdef Workspace space = self.passing_space(data, wrt_input, training, threads)
        cdef Question question = Question(self.custom, data)
        cdef Block held = None, source = self.source(training)
        cdef network net = self.net
        cdef real[:, ::1] into
        cdef job j
        if not training:
            held = self.predicting(&net)
        self.prepare(&j, &net, data, space, m, m)
        question.put(&j)
        j.training = training
        j.key = mixed_key(self.key, epoch)
        j.smoothing = self.label_smoothing if training else 0
        j.every_layer = True
        j.sums = <real*>sums.data       # Σ s·∂cost/∂W, ∂b
        if wrt_input:
            result = np.empty((m, self.sizes[0]), DTYPE)
            into = result
            j.input_gradient = &into[0, 0]
        run_job(&j, threads)
        question.answer(&j)
        if space.w.n_rows <= WIDE_CHUNK_ROWS:   # not one for all rows of a batch as a whole
            with cython.critical_section(self):
                self.passing = space
        self.slept = 1e-9 * j.threads.slept
        mean = DTYPE.type(1 / j.weight if j.weight > 0 else 0)
        if wrt_input:
            return j.cost, j.weight, result * mean
        found = []
        for l in range(self.net.n_layers):
            dW, *rest = [mean * g for g in self.layer_out(j.sums, l)]
            W, b, *scale = self.layer_out(<real*>source.data, l)
            if scale and not training:      # dW and db are those of the folded weights
                average, variance = self.get_statistics(l)
                inverse = 1 / np.sqrt(variance + self.net.normalization.epsilon)
                rest[1] = (np.einsum("jk,jk->j", dW, W) - rest[0] * average) * inverse
                dW = dW * (scale[0] * inverse)[:, None]
            found.append((dW + DTYPE.type(l2) * W, *rest))
        return j.cost, j.weight, found

    # ------------------------------------------------------------------------- prediction

    cdef int run_prediction(self, Data data, int threads, real** outs, double* costs,
                            int end=0) except -1:
        """Every level's activations into its array of `outs`, each example's cost into `costs`.

        With `end` that level is the last.
        """
        cdef network part
        cdef Block held = self.predicting(&part)
        cdef Py_ssize_t m = data.x.n_rows
        cdef workspace* spaces[MOST_THREADS]
        cdef Workspace space
        cdef prediction p
        cdef int t
        if m == 0:
            return 0
        threads = <int>max(1, min(min(threads, MOST_THREADS), m // LEAST_ROWS_A_THREAD))
        kept = []
        for t in range(threads):
            space = Workspace(self, even_block((m + threads - 1) // threads, PREDICT_ROWS), 1,
                              False, data.x.max_in_row, self.list_input(data), False, False, 0,
                              end)
            kept.append(space)
            spaces[t] = &space.w
        if end > 0:     # the loss knows nothing of a hidden level: f alone
            part.n_layers = end
            part.loss.kind = SQUARED_ERROR
        p.net = &part
        p.spaces = spaces
        p.x = &data.x
        p.y = &data.y
        p.outs = outs
        p.costs = costs
        if threads == 1:
            with nogil:
                predict_part(&p, 0, 1)
        else:
            with nogil, parallel(num_threads=threads):
                predict_part(&p, omp_get_thread_num(), omp_get_num_threads())
        return 0

    def forward(self, Data data, int threads):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        result = np.empty((data.x.n_rows, self.sizes[self.net.n_layers]), DTYPE)
        into = result
        memset(outs, 0, sizeof(outs))
        outs[self.net.n_layers] = &into[0, 0]
        self.run_prediction(data, threads, outs, NULL)
        return result

    def level(self, Data data, int level, int threads):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        result = np.empty((data.x.n_rows, self.sizes[level]), DTYPE)
        into = result
        memset(outs, 0, sizeof(outs))
        outs[level] = &into[0, 0]
        self.run_prediction(data, threads, outs, NULL, level)
        return result

    def activations(self, Data data, int threads):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        memset(outs, 0, sizeof(outs))
        results = [np.empty((data.x.n_rows, n), DTYPE) for n in self.sizes[1:]]
        for l, result in enumerate(results):
            into = result
            outs[<int>l + 1] = &into[0, 0]
        self.run_prediction(data, threads, outs, NULL)
        return results

    def evaluate(self, Data data, int threads):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        cdef Block costs = Block(data.x.n_rows * <Py_ssize_t>sizeof(double))
        cdef double* cost = <double*>costs.data
        cdef double total = 0, weight = 0
        cdef Py_ssize_t r
        result = np.empty((data.x.n_rows, self.sizes[self.net.n_layers]), DTYPE)
        into = result
        memset(outs, 0, sizeof(outs))
        outs[self.net.n_layers] = &into[0, 0]
        self.run_prediction(data, threads, outs, NULL if self.custom is not None else cost)
        if self.custom is not None:
            take_costs(self.custom, result, data, cost)
        for r in range(data.x.n_rows):
            total += cost[r]
            weight += data.y.weights[r] if data.y.weights != NULL else 1
        return total, weight, result

    def cost(self, Data data, int threads):
        return self.evaluate(data, threads)[:2]
