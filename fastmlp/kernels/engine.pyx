"""Engine: the memory of one network and its compiled loops.

    parameter_set.pxi   the numbers of a network at one moment, and the gate to them
    parameters.pxi      reading and writing these numbers: class Parameters
    flat_parameters.pxi all of them in one vector: class FlatParameters
    data.pxi            the user's examples: class Data
    encodings.pxi       the encodings of their columns: class InputEncoding
    custom.pxi          losses written in Python
    shared.pxi          batches that several processes share
    passes.pxi          passes without an update, gradients: class Passes
    predictions.pxi     prediction: class Predictions
    inverse_hessian.pxi what L-BFGS remembers of earlier steps: class InverseHessian
    optimizer_state.pxi the optimizer's numbers: class OptimizerState
    this file           training: class Engine
    row_order.h         the random order of an epoch's rows

`train` runs batches without the GIL inside one parallel region.  Only fastmlp/model/state.py
calls the engine; every argument has been validated before (fastmlp/support/checks).  What a call
of fit asks for comes with each call of `train` and leaves nothing behind.
"""
cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from cython.parallel cimport parallel
from libc.math cimport INFINITY, isfinite
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import numpy as np

from fastmlp.kernels.calls import Progress

from .activations cimport RELU, activation_kind
from .batch_norm cimport fold, normalization
from .choice cimport allow
from .distortion cimport distort_rows, distortion, distortion_scratch
from .encoding_gradients cimport SQUARES, trains_encoding
from .encodings cimport (EMBEDDING, NUMERIC, ONE_HOT, PERIODIC, PIECEWISE_LINEAR, column_encoding,
                         encoded_density, input_encoding, n_parameters_of)
from .epoch cimport run_batches
from .few_rows cimport record_call, team_choice
from .inputs cimport (CODES_CHANGED, COLUMNS_CHANGED, FLOAT32, FLOAT64, LABELS_CHANGED, NOT_FINITE,
                      UINT8, count_rows, density, examples, hash_rows, number_size, pack_rows,
                      pack_scratch, packed_number_size, packed_size, targets)
from .job cimport ALL_PIECES, job
from .losses cimport CUSTOM, SQUARED_ERROR, loss_of
from .norms cimport weight_squares
from .matrices cimport copy_row, max_group_starts
from .network cimport batch, network, row_of
from .panels cimport layer, pack, padded, unpack
from .periodic cimport whole_lines
from .pieces cimport piece_count, piece_start
from .prediction cimport predict_part, prediction
from .random cimport mixed_key
from .team cimport (omp_get_num_threads, omp_get_thread_num, pause_microseconds, seconds_now,
                   team, team_size, total_now)
from .tile cimport even_block
from .updates cimport n_slots, optimizer, optimizer_of
from .vector cimport REAL_IS_DOUBLE, WIDTH, flush_denormals, real, restore_denormals
from .workspace cimport activation_layer, lay_out, layer_choices, scratch, workspace

cdef extern from "memory.h" nogil:
    void* zeroed(size_t size, char** data)

cdef extern from "row_order.h" nogil:
    void row_order(const uint32_t* seed, int n_seed, uint64_t epoch, int64_t n, int64_t* order)

cdef enum:
    CHUNK_ROWS = 128            # of a pass: a batch's activations and deltas stay in L2
    NARROW_CHUNK_ROWS = 256     # where those of as many take no more than
    CHUNK_BYTES = 786432
    WIDE_CHUNK_ROWS = 512       # where the weights do not, so that each is read for more rows
    WIDE_PARAMETERS = 2000000
    MOST_PACKED = 65536         # columns that a 2-byte index can name
    SAMPLED_ROWS = 256          # of the input, to measure its density
    MOST_THREADS = 512
    MOST_LAYERS = 1000
    MIN_SPARSE_VECTORS = 4      # width of a product below which sparse rows do not pay
    MIN_SPARSE_COLUMNS = 32     # columns below which compressing rows does not pay

FLOAT32_TYPE, FLOAT64_TYPE = np.dtype(np.float32), np.dtype(np.float64)
DTYPE = FLOAT64_TYPE if REAL_IS_DOUBLE else FLOAT32_TYPE
cdef extern from *:
    """
    /* Of the input.  Where its density is below the first, no processor's dense product is the
     * faster one; above the second, no product of sparse rows is. */
    #define SURELY_SPARSE 0.25
    #define MOST_SPARSE 0.8
    #define SPARSEST_BYTES 0.0625 /* 4 numbers of 64: sparser bytes become sparse rows */
    """
    const double SURELY_SPARSE, MOST_SPARSE, SPARSEST_BYTES

PHASES = ("gather", "lists", "forward", "output", "delta", "gradient", "wait")

include "parameter_set.pxi"
include "encodings.pxi"
include "parameters.pxi"
include "flat_parameters.pxi"
include "data.pxi"
include "custom.pxi"
include "shared.pxi"
include "passes.pxi"
include "predictions.pxi"
include "inverse_hessian.pxi"
include "optimizer_state.pxi"


cdef class Engine(OptimizerState):
    """Training: batch after batch of steps 1 to 6."""
    cdef Block sums                 # of a gradient in chunks
    cdef readonly Workspace training    # kept between calls
    cdef readonly TrainingLock training_lock

    def __cinit__(self, *args, **kwargs):
        self.training_lock = TrainingLock()

    # --------------------------------------------------------------------------- training

    def pack(self, Data data, int threads):
        """Pack rows that training reads as sparse rows, where that takes less memory than X."""
        if self.ways_of_input(data) != DENSE_INPUT:
            data.pack(threads)

    cdef Workspace training_space(self, Data data, Distortion distortion,
                                  const input_encoding* encoding, Py_ssize_t batch_size,
                                  int threads):
        """The training workspace, kept from call to call while nothing about it changes."""
        cdef input_ways input = self.ways_of_input(data)
        cdef Py_ssize_t most = data.x.max_in_row, n_distortion = 0
        cdef bint input_delta = trains_encoding(encoding), reads_bytes = self.reads_bytes(data)
        if distortion is not None:      # which fills what was empty, and reads whole rows
            n_distortion = distortion_scratch(&distortion.d)
            most = data.x.n_in
            reads_bytes = False
        key = (batch_size, input, reads_bytes, most, self.use_sparse, data.first, n_distortion,
               input_delta)
        if (self.training is None or self.training.key != key
                or self.training.w.n_threads < threads):
            self.training = None
            self.training = Workspace(self, self.chunk_rows(batch_size, True), threads, True,
                                      most, input, data.density, input_delta, True, data.first, 0,
                                      n_distortion, reads_bytes)
            self.training.key = key
        return self.training

    cdef int set_batches(self, job* j, batches, progress) except -1:
        """Point the job to the rows of the batches and to what follows schedules in them."""
        cdef const int64_t[::1] order = batches.order
        cdef const double[::1] rates = batches.rates, weight_decays = batches.weight_decays
        cdef const double[::1] dropout_factors = batches.dropout_factors
        j.first = j.next = progress.batch
        j.before = batches.before
        j.cost = progress.cost
        j.weight = progress.weight
        if order.shape[0] > 0:      # in a shared batch there may be rows of other processes only
            j.order = &order[0]
        if rates.shape[0] == 0:
            return 0
        j.rates = &rates[0]
        if weight_decays is not None:
            j.weight_decays = &weight_decays[0]
        if dropout_factors is not None:
            j.dropout = &dropout_factors[0]
        return 0

    cdef int set_options(self, job* j, options, Py_ssize_t n_batches) except -1:
        """Set what is the same in all steps, and where sums of n_batches batches are written."""
        cdef double[:, ::1] batch_sums
        j.rule = &self.rule
        j.smoothing = options.label_smoothing
        j.max_norm = options.max_norm
        j.clip_norm = options.clip_norm
        j.l2 = options.l2
        j.l2_per_weight = options.l2_per_weight
        j.max_cost = options.max_cost
        if options.batch_sums is not None and n_batches > 0:
            batch_sums = options.batch_sums
            if batch_sums.shape[0] < n_batches or batch_sums.shape[1] != 2:
                raise ValueError("batch_sums must have two columns and a row for each batch")
            j.batch_sums = &batch_sums[0, 0]
        return 0

    cdef int lend_state(self, job* j, double ema) except -1:
        """Point the job to the parameters and the optimizer's state, which it changes in place."""
        j.net.parameters = <real*>self.current.numbers.data
        j.net.normalization.statistics = j.net.parameters + self.n_numbers
        if ema > 0:
            j.average = <real*>self.current.average.data
            j.ema = ema
            j.averaged = self.current.averaged
        j.steps = self.steps
        j.slots[0] = self.slot(0)
        j.slots[1] = self.slot(1)
        return 0

    def train(self, Data data, batches, options, progress, int threads, double seconds,
              ParameterSet good=None):
        cdef bint several = batches.n_epochs > 0
        cdef Py_ssize_t n_pass = data.x.n_rows if several else len(batches.order)
        cdef Py_ssize_t batch_size = batches.batch_size, size = min(batch_size, n_pass)
        cdef int64_t n_done = 0
        cdef Distortion distortion = options.distortion
        cdef network net = self.net
        cdef input_encoding encoding = self.encoding_as(options, data.first, &net)
        cdef Workspace space = self.training_space(data, distortion, &encoding, size, threads)
        cdef Block layers = self.layers_as(options), undo
        cdef bint diverged
        cdef PythonLossCall loss_call = PythonLossCall(self.custom, data)
        cdef GradientSumCall sum_call = None
        cdef examples x = data.x
        cdef int changed = 0
        cdef double ema = options.ema
        cdef double[:, ::1] into
        cdef job j
        x.row_hashes = data.hash_rows(threads) if options.by_row_hash else NULL
        net.layers = <layer*>layers.data + data.first
        if net.encoding != NULL:
            net.encoding = &encoding
        net.distortion = NULL if distortion is None else &distortion.d
        if data.first > 0:
            net.first = data.first
            net.n_layers -= data.first
            net.input_dropout = 0
        self.prepare(&j, &net, data, space, n_pass, batch_size)
        j.x = &x
        j.training = True
        j.key = mixed_key(self.key, batches.epoch)
        loss_call.attach(&j)
        self.set_batches(&j, batches, progress)
        self.set_options(&j, options, batches.before + max(1, batches.n_epochs) * j.n_batches)
        if size > space.w.n_rows or j.clip_norm > 0 or batches.share is not None:
            if self.sums is None:
                self.sums = Block((self.n_numbers + 1) * <Py_ssize_t>sizeof(real))
            j.sums = <real*>self.sums.data
        if batches.share is not None:
            sum_call = GradientSumCall(batches.share, len(batches.order))
            sum_call.attach(&j, batches.share.local_steps)
        if several:
            epochs = np.empty((batches.n_epochs, 3 + self.net.n_layers))
            into = epochs
            undo = Block(2 * self.current.numbers.size)     # as many for the average
        self.begin_writing()
        try:
            self.go_on_averaging(ema > 0)
            self.in_step = True
            self.lend_state(&j, ema)
            j.deadline = seconds_now() + seconds
            if several:
                self.run_epochs(&j, batches, undo, into, &n_done, threads)
            else:
                with nogil:
                    run_job(&j, threads)
            self.steps = j.steps + j.next - j.first
            if ema > 0:
                self.current.averaged = j.averaged + j.next - j.first
            diverged = j.not_finite or not isfinite(j.cost)
            if diverged:    # here, where Ctrl-C cannot come between
                if good is not None:
                    self.take(good)
                self.begin_anew()
        finally:
            self.in_step = False
            self.end_writing()
            changed, space.w.changed = space.w.changed, 0
            space.w.overflowed = False
        require_unchanged(changed)
        loss_call.raise_error(&j)
        if sum_call is not None:
            sum_call.raise_error()
        return Progress(
            j.next, j.cost, j.weight,
            j.next - 1 if diverged else None,
            1e-9 * j.threads.slept, None if not several else epochs[:n_done],
        )

    cdef int run_epochs(self, job* j, batches, Block undo, double[:, ::1] epochs,
                        int64_t* n_done, int threads) except -1:
        """Whole epochs, until all are done or the time is up.

        An epoch whose cost or parameters cease to be finite is undone and ends them.
        """
        cdef const uint32_t[::1] seed = batches.seed
        cdef int l, n_seed = 0 if seed is None else <int>seed.shape[0]
        cdef Py_ssize_t n = j.n_pass, n_batches = j.n_batches
        cdef Py_ssize_t next_order = n if n_seed == 0 and len(batches.order) > n else 0
        cdef Py_ssize_t number_bytes = self.current.numbers.size, average_bytes = 0
        cdef Block order = Block(n * <Py_ssize_t>sizeof(int64_t) if n_seed > 0 else 0)
        cdef uint64_t epoch = batches.epoch, key = self.key
        cdef double deadline = j.deadline, started
        cdef real* parameters = j.net.parameters
        if j.average != NULL:
            average_bytes = self.current.average.size
        if n_seed > 0:
            j.order = <const int64_t*>order.data
        j.deadline = INFINITY
        with nogil:
            while n_done[0] < epochs.shape[0]:
                started = seconds_now()
                if n_done[0] > 0:
                    if started >= deadline:
                        break
                    j.steps += n_batches
                    j.averaged += n_batches
                    j.rates += n_batches
                    j.order += next_order
                    if j.batch_sums != NULL:
                        j.batch_sums += 2 * n_batches
                    if j.weight_decays != NULL:
                        j.weight_decays += n_batches
                    if j.dropout != NULL:
                        j.dropout += n_batches
                memcpy(undo.data, parameters, number_bytes)
                if average_bytes > 0:
                    memcpy(undo.data + number_bytes, j.average, average_bytes)
                if n_seed > 0:
                    row_order(&seed[0], n_seed, epoch + n_done[0], n, <int64_t*>order.data)
                j.key = mixed_key(key, epoch + n_done[0])
                j.next = 0
                j.cost = j.weight = 0
                j.stop = False
                run_job(j, threads)
                if j.w.changed or j.failed:
                    break
                if j.not_finite or not isfinite(j.cost):
                    memcpy(parameters, undo.data, number_bytes)
                    if average_bytes > 0:
                        memcpy(j.average, undo.data + number_bytes, average_bytes)
                    j.averaged -= j.next
                    break
                epochs[n_done[0], 0] = j.cost
                epochs[n_done[0], 1] = j.weight
                epochs[n_done[0], 2] = seconds_now() - started
                for l in range(self.net.n_layers):
                    epochs[n_done[0], 3 + l] = weight_squares(&self.net.layers[l], parameters)
                n_done[0] += 1
        return 0

    def release_workspace(self):
        """Free the training workspace, which the next call of `train` makes anew."""
        self.training = None

    def row_order(self, const uint32_t[::1] seed, uint64_t epoch, Py_ssize_t n_rows):
        """The random order of an epoch's rows; the seed in words of 32 bits, the lowest first."""
        order = np.empty(n_rows, np.int64)
        cdef int64_t[::1] into = order
        if n_rows > 0:
            with nogil:
                row_order(&seed[0], <int>seed.shape[0], epoch, n_rows, &into[0])
        return order

    def phase_seconds(self):
        """Where thread 0's time went since the training workspace was made, by phase and layer."""
        if self.training is None:
            return {}
        cdef workspace* w = &self.training.w
        return {(name, l): total_now(&w.laps[p * w.n_layers + l])
                for p, name in enumerate(PHASES) for l in range(w.n_layers)}

    def workspace_bytes(self, Py_ssize_t batch_size, int threads=1):
        cdef Py_ssize_t m = self.chunk_rows(batch_size, True)
        return Workspace(self, m, threads, True, self.sizes[0], EITHER_INPUT).memory.size
