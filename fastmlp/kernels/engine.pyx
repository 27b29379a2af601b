"""Engine: the memory of one network and its compiled loops.

`train` runs batches without the GIL inside one parallel region; `forward`, `activations`,
`cost` and `gradients` pass over given examples.  Callers have validated every argument
(fastmlp/checks.py); the engine converts and copies nothing beyond a batch, but that training
packs rows with many zeros (inputs.pxd).
"""
from cython.parallel cimport parallel
from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint16_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import numpy as np

from .activations cimport RELU, activation_kind
from .break_even cimport break_even, trial
from .epoch cimport job, run_batches
from .inputs cimport (FLOAT32, FLOAT64, UINT8, count_rows, density, examples, number_size,
                      pack_rows, pack_scratch, packed_number_size, packed_size, targets)
from .losses cimport loss_kind
from .panels cimport layer, pack, padded, unpack
from .prediction cimport predict_part, prediction
from .step cimport network
from .team cimport omp_get_num_threads, omp_get_thread_num, seconds_now
from .tile cimport even_block
from .updates cimport n_slots, optimizer, optimizer_of
from .vector cimport REAL_IS_DOUBLE, WIDTH, real
from .workspace cimport lay_out, level, scratch, skipping, workspace

cdef extern from "memory.h" nogil:
    void* zeroed(size_t size, char** data)

cdef enum:
    CHUNK_ROWS = 128            # of a pass: a batch's activations and deltas stay in L2
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


cdef class Block:
    """Zeroed memory that begins on a cache line; untouched pages cost nothing (memory.h)."""
    cdef void* allocated
    cdef char* data
    cdef readonly Py_ssize_t size

    def __cinit__(self, Py_ssize_t size):
        self.allocated = zeroed(size, &self.data)
        if self.allocated == NULL:
            raise MemoryError(f"no room for {size} bytes")
        self.size = size

    def __dealloc__(self):
        free(self.allocated)


cdef double MEASURED = 0


cdef double measured_break_even() except -1:
    """The density up to which lists pay on this processor; measured at the first call."""
    global MEASURED
    cdef Block memory
    if MEASURED == 0:
        memory = Block(sizeof(trial))
        with nogil:
            MEASURED = break_even(<trial*>memory.data)
    return MEASURED


cdef class Data:
    """Examples, and perhaps their targets and weights, as the kernels read them.

    Keeps the arrays they lie in; made once for many passes.
    """
    cdef examples x
    cdef targets y
    cdef object kept
    cdef Block packed
    cdef readonly double density

    def __cinit__(self, Engine engine, X, y=None, sample_weight=None):
        self.kept = (X, y, sample_weight)
        for values in (X, y):
            if isinstance(values, np.ndarray) and not values.flags.c_contiguous:
                raise ValueError("the kernels read C-contiguous arrays")
        self.x.n_in = engine.sizes[0]
        self.x.scale = <real>engine.uint8_scale
        if isinstance(X, tuple):
            self.take_values(X[0])
            self.take_pointers(X[1], X[2])
        else:
            self.take_values(X.reshape(-1))
            self.x.n_rows = X.shape[0]
            self.x.most_in_row = self.x.n_in
        if y is not None:
            self.take_targets(y, sample_weight)
        self.density = density(&self.x, min(self.x.n_rows, <Py_ssize_t>LOOKED_ROWS))

    cdef int take_values(self, values) except -1:
        cdef const float[::1] floats
        cdef const double[::1] doubles
        cdef const unsigned char[::1] bytes_
        if values.dtype == np.float32:
            floats = values
            self.x.kind = FLOAT32
            self.x.values = &floats[0] if values.size else NULL
        elif values.dtype == np.float64:
            doubles = values
            self.x.kind = FLOAT64
            self.x.values = &doubles[0] if values.size else NULL
        else:
            bytes_ = values
            self.x.kind = UINT8
            self.x.values = &bytes_[0] if values.size else NULL
        return 0

    cdef int take_pointers(self, const int32_t[::1] indices,
                           const int64_t[::1] pointers) except -1:
        cdef Py_ssize_t r
        self.x.n_rows = pointers.shape[0] - 1
        self.x.pointers = &pointers[0]
        # a matrix without one stored number is CSR all the same
        self.x.indices = &indices[0] if indices.shape[0] else <const int32_t*>&pointers[0]
        for r in range(self.x.n_rows):
            self.x.most_in_row = max(self.x.most_in_row, <Py_ssize_t>(pointers[r + 1] - pointers[r]))
        return 0

    cdef int pack(self, int threads) except -1:
        """Dense rows as lists of their non-zeros, where these take less memory than the rows."""
        cdef examples* x = &self.x
        cdef Py_ssize_t r, n = x.n_rows, size = packed_number_size(x), place
        cdef Block memory, scratch
        cdef int64_t* pointers
        if (self.packed is not None or x.indices != NULL or x.n_in > MOST_PACKED
                or self.density * (2 + size) > number_size(x)):
            return 0
        memory = Block((n + 1) * <Py_ssize_t>sizeof(int64_t))
        pointers = <int64_t*>memory.data
        with nogil, parallel(num_threads=threads):
            count_rows(x, pointers, omp_get_thread_num(), omp_get_num_threads())
        for r in range(n):
            pointers[r + 1] += pointers[r]
        place = n + 1
        self.packed = Block(place * <Py_ssize_t>sizeof(int64_t)
                            + packed_size(pointers[n], size) + packed_size(pointers[n], 2))
        scratch = Block(threads * pack_scratch(x))
        memcpy(self.packed.data, pointers, place * sizeof(int64_t))
        pointers = <int64_t*>self.packed.data
        with nogil, parallel(num_threads=threads):
            pack_rows(x, pointers, scratch.data, omp_get_thread_num(), omp_get_num_threads())
        x.packed_pointers = pointers
        x.packed_values = pointers + place
        x.packed_indices = <uint16_t*>(<char*>x.packed_values
                                        + packed_size(pointers[n], size))
        return 0

    cdef int take_targets(self, y, sample_weight) except -1:
        cdef const int32_t[::1] labels
        cdef const real[::1] values
        if y.dtype == np.int32:
            labels = y
            self.y.labels = &labels[0] if y.size else NULL
        else:
            values = y.reshape(-1)
            self.y.values = &values[0] if y.size else NULL
        if sample_weight is not None:
            values = sample_weight
            self.y.weights = &values[0] if sample_weight.size else NULL
        return 0


cdef class Workspace:
    """The memory of a pass (workspace.pxd), for so many rows and threads."""
    cdef workspace w
    cdef Block memory
    cdef readonly tuple key

    def __cinit__(self, Engine engine, Py_ssize_t n_rows, int n_threads, bint backward,
                  Py_ssize_t most_in_row, bint list_input, bint input_delta=False):
        cdef int t, n_layers = engine.net.n_layers
        self.w.n_rows = n_rows
        self.w.n_layers = n_layers
        self.w.n_threads = n_threads
        self.w.input_delta = input_delta
        self.w.levels = <level*>calloc(n_layers + 1, sizeof(level))
        self.w.threads = <scratch*>calloc(n_threads, sizeof(scratch))
        self.w.lists = <skipping*>calloc(2 * n_threads * n_layers, sizeof(skipping))
        if self.w.levels == NULL or self.w.threads == NULL or self.w.lists == NULL:
            raise MemoryError("no room for a workspace")
        for t in range(n_threads):
            self.w.threads[t].zeros = self.w.lists + 2 * t * n_layers
            self.w.threads[t].delta_zeros = self.w.lists + (2 * t + 1) * n_layers
            engine.expect_zeros(&self.w.threads[t], list_input)
        self.memory = Block(lay_out(&self.w, engine.net.layers, most_in_row, backward, NULL))
        lay_out(&self.w, engine.net.layers, most_in_row, backward, self.memory.data)

    def __dealloc__(self):
        free(self.w.levels)
        free(self.w.threads)
        free(self.w.lists)


cdef inline bint can_be_zero(int activation) noexcept nogil:
    """Whether many of an activation's values are exactly zero."""
    return activation == RELU


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


cdef class Engine:
    """Memory and compiled loops of one network."""
    cdef network net
    cdef optimizer rule
    cdef Block parameters, kept, state, sums
    cdef Workspace training
    cdef Py_ssize_t n_numbers
    cdef double uint8_scale
    cdef readonly tuple sizes
    cdef public int64_t steps
    cdef readonly double slept      # seconds in the last `train` that threads slept at barriers
    cdef public bint skip_zeros     # take lists of non-zeros where they pay; no bit depends on it

    def __cinit__(self, sizes, activations, loss, double uint8_scale):
        cdef int l
        cdef Py_ssize_t place = 0
        cdef layer* L
        self.sizes = tuple(sizes)
        self.uint8_scale = uint8_scale
        self.skip_zeros = True
        self.net.most_density = measured_break_even()
        self.net.n_layers = len(self.sizes) - 1
        if self.net.n_layers > MOST_LAYERS:
            raise ValueError(f"at most {MOST_LAYERS} layers can be compiled, got "
                             f"{self.net.n_layers}")
        self.net.loss = loss_kind(loss)
        self.net.layers = <layer*>calloc(self.net.n_layers, sizeof(layer))
        if self.net.layers == NULL:
            raise MemoryError("no room for the layers")
        for l in range(self.net.n_layers):
            L = &self.net.layers[l]
            L.n_in = self.sizes[l]
            L.n_out = self.sizes[l + 1]
            L.activation = activation_kind(activations[l][0])
            L.parameter = <real><double>activations[l][1]
            L.weight = place
            place += on_lines(L.n_in * padded(L.n_out))
            L.bias = place
            place += on_lines(padded(L.n_out))
        self.n_numbers = place
        self.parameters = Block(place * <Py_ssize_t>sizeof(real))
        self.net.parameters = <real*>self.parameters.data

    def __dealloc__(self):
        free(self.net.layers)

    # ------------------------------------------------------------------------- parameters

    cdef tuple layer_out(self, const real* numbers, int l):
        """One layer of a buffer laid out like the parameters, as (weight, bias)."""
        cdef const layer* L = &self.net.layers[l]
        cdef real[:, ::1] weight
        cdef real[::1] bias
        W = np.empty((L.n_out, L.n_in), DTYPE)
        b = np.empty(L.n_out, DTYPE)
        weight = W
        bias = b
        with nogil:
            unpack(numbers + L.weight, L.n_out, L.n_in, &weight[0, 0])
            memcpy(&bias[0], numbers + L.bias, L.n_out * sizeof(real))
        return W, b

    cdef int layer_in(self, real* numbers, int l, const real[:, ::1] weight,
                      const real[::1] bias) except -1:
        cdef const layer* L = &self.net.layers[l]
        with nogil:
            pack(&weight[0, 0], L.n_out, L.n_in, numbers + L.weight)
            memcpy(numbers + L.bias, &bias[0], L.n_out * sizeof(real))
        return 0

    def get_layer(self, int layer):
        return self.layer_out(self.net.parameters, layer)

    def set_layer(self, int layer, weight, bias):
        self.layer_in(self.net.parameters, layer, weight, bias)

    def snapshot(self):
        return self.parameters.data[:self.parameters.size]

    def restore(self, bytes snapshot):
        memcpy(self.parameters.data, <const char*>snapshot,
               min(<Py_ssize_t>len(snapshot), self.parameters.size))

    def keep(self):
        if self.kept is None:
            self.kept = Block(self.parameters.size)
        memcpy(self.kept.data, self.parameters.data, self.parameters.size)

    def recall(self):
        if self.kept is not None:
            memcpy(self.parameters.data, self.kept.data, self.parameters.size)

    # -------------------------------------------------------------------------- optimizer

    def set_optimizer(self, name, constants):
        self.rule = optimizer_of(name, constants)
        self.steps = 0
        self.state = Block(n_slots(&self.rule) * self.parameters.size)

    cdef real* slot(self, int i) noexcept:
        if self.state is None or i >= n_slots(&self.rule):
            return NULL
        return <real*>self.state.data + i * self.n_numbers

    def get_state(self):
        return [[self.layer_out(self.slot(i), l) for l in range(self.net.n_layers)]
                for i in range(n_slots(&self.rule))]

    def set_state(self, slots, int64_t steps):
        for i, layers in enumerate(slots):
            for l, (weight, bias) in enumerate(layers):
                self.layer_in(self.slot(i), l, weight, bias)
        self.steps = steps

    # --------------------------------------------------------------------------- training

    cdef Py_ssize_t chunk_rows(self, Py_ssize_t n_rows) noexcept:
        return even_block(n_rows, WIDE_CHUNK_ROWS if self.n_numbers > WIDE_PARAMETERS
                          else CHUNK_ROWS)

    cdef void expect_zeros(self, scratch* own, bint list_input) noexcept:
        """Where one thread may make lists: after a ReLU, before a product of some width."""
        cdef int l
        cdef const layer* L
        own.zeros[0].possible = own.zeros[0].used = list_input
        for l in range(1, self.net.n_layers):
            L = &self.net.layers[l]
            if (self.skip_zeros and can_be_zero(self.net.layers[l - 1].activation)
                    and L.n_in >= LEAST_SKIPPED):
                own.zeros[l].possible = padded(L.n_out) >= LEAST_VECTORS * WIDTH
                own.delta_zeros[l].possible = (
                    l > 1 and padded(self.sizes[l - 1]) >= LEAST_VECTORS * WIDTH)

    cdef bint list_input(self, Data data) noexcept:
        """Whether the input is read as lists of its non-zeros."""
        cdef const layer* L = &self.net.layers[0]
        if data.x.indices != NULL:
            return True
        if not self.skip_zeros or L.n_in < LEAST_SKIPPED or padded(L.n_out) < LEAST_VECTORS * WIDTH:
            return False
        return data.density < self.net.most_density

    cdef void prepare(self, job* j, Data data, Workspace space, Py_ssize_t n_pass,
                      Py_ssize_t batch_size) noexcept:
        memset(j, 0, sizeof(job))
        j.net = &self.net
        j.w = &space.w
        j.x = &data.x
        j.y = &data.y
        j.n_pass = n_pass
        j.batch_size = batch_size

    cdef Workspace training_space(self, Data data, Py_ssize_t batch_size, int threads):
        """The training workspace, kept from call to call while nothing about it changes."""
        cdef bint listed = self.list_input(data)
        if listed:
            data.pack(threads)
        key = (batch_size, listed, data.x.most_in_row, self.skip_zeros)
        if (self.training is None or self.training.key != key
                or self.training.w.n_threads < threads):
            self.training = None
            self.training = Workspace(self, self.chunk_rows(batch_size), threads, True,
                                      data.x.most_in_row, listed)
            self.training.key = key
        return self.training

    def train(self, Data data, const int64_t[::1] order, Py_ssize_t batch_size, int64_t first,
              const double[::1] rates, double l2, int threads, double seconds,
              double cost=0, double weight=0):
        cdef Py_ssize_t size = min(batch_size, order.shape[0])
        cdef Workspace space = self.training_space(data, size, threads)
        cdef job j
        self.prepare(&j, data, space, order.shape[0], batch_size)
        j.rule = &self.rule
        j.order = &order[0] if order.shape[0] else NULL
        j.first = j.next = first
        j.rates = &rates[0] if rates.shape[0] else NULL
        j.l2 = l2
        j.steps = self.steps
        j.slots[0] = self.slot(0)
        j.slots[1] = self.slot(1)
        j.deadline = seconds_now() + seconds
        j.cost = cost
        j.weight = weight
        if size > space.w.n_rows:
            if self.sums is None:
                self.sums = Block(self.parameters.size)
            j.sums = <real*>self.sums.data
        run_job(&j, threads)
        self.steps += j.next - first
        self.slept = 1e-9 * j.threads.slept
        failed = j.next - 1 if j.not_finite or not isfinite(j.cost) else -1
        return j.next, j.cost, j.weight, failed

    @property
    def most_density(self):
        return self.net.most_density

    def phase_seconds(self):
        """Where thread 0's time went since the training workspace was made, by phase and layer."""
        if self.training is None:
            return {}
        cdef workspace* w = &self.training.w
        return {(name, l): w.laps[p * w.n_layers + l]
                for p, name in enumerate(PHASES) for l in range(w.n_layers)}

    def workspace_bytes(self, Py_ssize_t batch_size, int threads=1):
        return Workspace(self, self.chunk_rows(batch_size), threads, True, self.sizes[0],
                         True).memory.size

    # -------------------------------------------------------- gradients of given examples

    def gradients(self, Data data, double l2, int threads, bint wrt_input=False):
        cdef Py_ssize_t m = data.x.n_rows
        cdef Workspace space = Workspace(self, self.chunk_rows(m), threads, True,
                                         data.x.most_in_row, self.list_input(data), wrt_input)
        cdef Block sums = Block(self.parameters.size)
        cdef real[:, ::1] into
        cdef job j
        self.prepare(&j, data, space, m, m)
        j.sums = <real*>sums.data
        if wrt_input:
            result = np.empty((m, self.sizes[0]), DTYPE)
            into = result
            j.input_gradient = &into[0, 0]
        run_job(&j, threads)
        mean = DTYPE.type(1 / j.weight if j.weight > 0 else 0)
        if wrt_input:
            return result * mean
        found = []
        for l in range(self.net.n_layers):
            dW, db = self.layer_out(j.sums, l)
            found.append((dW * mean + DTYPE.type(l2) * self.get_layer(l)[0], db * mean))
        return found

    # ------------------------------------------------------------------------- prediction

    cdef int run_prediction(self, Data data, int threads, real** outs, double* costs) except -1:
        """Every level's activations into its array of `outs`, each example's cost into `costs`."""
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
                              False, data.x.most_in_row, self.list_input(data))
            kept.append(space)
            spaces[t] = &space.w
        p.net = &self.net
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
        self.run_prediction(data, threads, outs, cost)
        for r in range(data.x.n_rows):
            total += cost[r]
            weight += data.y.weights[r] if data.y.weights != NULL else 1
        return total, weight, result

    def cost(self, Data data, int threads):
        return self.evaluate(data, threads)[:2]


cdef inline Py_ssize_t on_lines(Py_ssize_t n) noexcept nogil:
    """n numbers rounded up to whole cache lines."""
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real)
    return (n + line - 1) // line * line
