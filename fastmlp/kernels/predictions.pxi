# Part of engine.pyx: prediction.
#
# Threads divide the rows among them.  Of a few rows they divide the columns instead, and meet after
# each layer, where that is faster (few_rows.pxd).  But a short pass is made so only in a call that
# follows the last one of its Python thread at once: then the second thread, which waits in a loop
# for a few milliseconds after a call (libgomp), need not be woken.

cdef enum:
    PREDICT_ROWS = 120          # a multiple of every tile's rows
    PIECE_NUMBERS = 400000000   # rows × parameters a thread between two looks for Ctrl-C
    LEAST_ROWS_A_THREAD = 4
    # New pages of memory take the system's time.  So workspaces are kept for the next prediction of
    # their kind if they have few rows, or take at most a few times the memory of the parameters.
    MOST_KEPT_ROWS = 64
    MOST_KEPT_TIMES = 4         # the memory of the parameters
    MOST_KEPT_KINDS = 8         # of predictions
    TOGETHER_NUMBERS = 2000000  # rows × parameters, from which on waking a thread does not matter
    TOGETHER_CALLS = 2          # threads of calls that follow one another at once
cdef double AT_ONCE = 5e-5      # seconds between the end of a call and the next one


cdef class PredictionMemory:
    """What is kept for predictions of one kind: of so many rows, read in this way."""
    cdef list apart                 # the workspace of each thread that passes rows of its own
    cdef Workspace together         # that of threads that pass the same rows, or None
    cdef team_choice choice         # whether threads do that with a few rows

    cdef Py_ssize_t size(self) noexcept:
        """The bytes of all workspaces."""
        cdef Py_ssize_t total = 0 if self.together is None else self.together.memory.size
        for space in self.apart:
            total += (<Workspace>space).memory.size
        return total


cdef class Predictions(Passes):
    """Predictions and costs of one network."""
    cdef dict predicting            # the memories of recent kinds that are not in use
    cdef double few_ended           # when the last prediction of a few rows ended
    cdef unsigned long few_caller   # the Python thread that made it

    def __cinit__(self, *args, **kwargs):
        self.predicting = {}

    cdef PredictionMemory take_memory(self, tuple kind):
        """The memory of this kind, or an empty one if there is none or another call uses it."""
        cdef PredictionMemory memory
        with cython.critical_section(self):
            memory = self.predicting.pop(kind, None)
        if memory is None:
            memory = PredictionMemory()
            memory.apart = []
        return memory

    cdef void put_memory(self, tuple kind, PredictionMemory memory):
        """Keep a memory for the next prediction of its kind."""
        with cython.critical_section(self):
            if len(self.predicting) == MOST_KEPT_KINDS:
                self.predicting.clear()
            self.predicting[kind] = memory

    cdef bint may_pass_together(self, Py_ssize_t m) noexcept:
        """Whether several threads may pass a few rows."""
        if m * self.n_numbers >= TOGETHER_NUMBERS:
            return True
        # else the second thread sleeps, or is that of another Python thread
        return (seconds_now() - self.few_ended <= AT_ONCE
                and self.few_caller == PyThread_get_thread_ident())

    cdef Workspace prediction_space(self, Data data, Py_ssize_t n_rows, int threads, int end):
        """A new workspace for so many rows, which so many threads pass together."""
        return Workspace(self, n_rows, threads, False, data.x.max_in_row,
                         self.ways_of_input(data), data.density, end=end,
                         reads_bytes=self.reads_bytes(data))

    cdef void no_outputs(self, real** outs) noexcept:
        """No array for any layer's activations."""
        memset(outs, 0, (self.net.n_layers + 1) * sizeof(real*))

    cdef int run_prediction(self, Data data, int threads, ParameterSet of, real** outs,
                            double* costs, int end=0, bint by_trained=False) except -1:
        """Every layer's activations into its array of `outs`, each example's cost into `costs`.

        With `end` that layer is the last; `by_trained` passes over the average.  Returns whether an
        output is not finite, which it does not look for if it computes costs.
        """
        cdef Py_ssize_t m = data.x.n_rows, n_rows = m
        cdef bint few = m < 2 * LEAST_ROWS_A_THREAD, together = False, choosing = False
        cdef workspace* spaces[MOST_THREADS]
        cdef PredictionMemory memory
        cdef network part
        cdef prediction p
        cdef ParameterSet source = self.reading() if of is None else of
        cdef Block held
        cdef double started = seconds_now()
        cdef int t, overflowed
        if m == 0:
            return 0
        if by_trained and source.use_average:
            source = source.sharing()
            source.use_average = False
        held = self.inference_numbers(source, &part)
        if end > 0:     # the loss knows nothing of a hidden layer: f alone
            part.n_layers = end
            part.loss.kind = SQUARED_ERROR
        if not few:
            threads = team_size(<int>min(min(threads, MOST_THREADS), m // LEAST_ROWS_A_THREAD))
            n_rows = even_block((m + threads - 1) // threads, PREDICT_ROWS)
        kind = (n_rows, self.ways_of_input(data), self.reads_bytes(data), data.x.max_in_row, self.use_sparse, end)
        memory = self.take_memory(kind)
        if few:
            choosing = threads > 1 and self.may_pass_together(m)
            together = choosing and memory.choice.together
            if m * self.n_numbers < TOGETHER_NUMBERS:
                threads = min(threads, TOGETHER_CALLS)
            threads = team_size(min(threads, MOST_THREADS)) if together else 1
        if together:
            if memory.together is None or memory.together.w.n_threads != threads:
                memory.together = self.prediction_space(data, n_rows, threads, end)
            spaces[0] = &memory.together.w
        else:
            while len(memory.apart) < threads:
                memory.apart.append(self.prediction_space(data, n_rows, 1, end))
            for t in range(threads):
                spaces[t] = &(<Workspace>memory.apart[t]).w
        p.net = &part
        p.spaces = spaces
        p.threads = &memory.together.threads if together else NULL
        p.x = &data.x
        p.y = &data.y
        p.outs = outs
        p.costs = costs
        overflowed = self.run_pieces(&p, m, threads)
        if few:
            self.few_ended = seconds_now()
            self.few_caller = PyThread_get_thread_ident()
        if choosing:
            record_call(&memory.choice, self.few_ended - started)
        if (n_rows * threads <= MOST_KEPT_ROWS
                or memory.size() <= (MOST_KEPT_TIMES * self.n_numbers
                                     * <Py_ssize_t>sizeof(real))):
            self.put_memory(kind, memory)
        return overflowed

    cdef int run_pieces(self, prediction* p, Py_ssize_t m, int threads) except -1:
        """All rows, in pieces between which Ctrl-C is noticed; whether an output is not finite."""
        cdef Py_ssize_t piece = PIECE_NUMBERS // max(1, self.n_numbers)
        cdef int t, changed, overflowed = False
        piece = max(<Py_ssize_t>PREDICT_ROWS, piece // PREDICT_ROWS * PREDICT_ROWS)
        p.first = 0
        while p.first < m:
            p.last = min(m, p.first + threads * piece)
            if threads == 1:
                with nogil:
                    predict_part(p, 0, 1)
            else:
                with nogil, parallel(num_threads=threads):
                    predict_part(p, omp_get_thread_num(), omp_get_num_threads())
            p.first = p.last
            for t in range(1 if p.threads != NULL else threads):
                overflowed |= p.spaces[t].overflowed
                changed, p.spaces[t].changed = p.spaces[t].changed, 0
                p.spaces[t].overflowed = False
                require_unchanged(changed)
            PyErr_CheckSignals()
        return overflowed

    def forward(self, Data data, int threads, ParameterSet of=None, bint require_finite=False):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        result = np.empty((data.x.n_rows, self.sizes[self.net.n_layers]), DTYPE)
        into = result
        self.no_outputs(outs)
        outs[self.net.n_layers] = &into[0, 0] if result.size else NULL
        if self.run_prediction(data, threads, of, outs, NULL) and require_finite:
            raise FloatingPointError("outputs are not finite")
        return result

    def layer_activations(self, Data data, int level, int threads, ParameterSet of=None,
                          bint training=False):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        result = np.empty((data.x.n_rows, self.sizes[level]), DTYPE)
        into = result
        self.no_outputs(outs)
        outs[level] = &into[0, 0] if result.size else NULL
        self.run_prediction(data, threads, of, outs, NULL, level, training)
        return result

    def activations(self, Data data, int threads, ParameterSet of=None):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        self.no_outputs(outs)
        results = [np.empty((data.x.n_rows, n), DTYPE) for n in self.sizes[1:]]
        for l, result in enumerate(results):
            into = result
            outs[<int>l + 1] = &into[0, 0] if result.size else NULL
        self.run_prediction(data, threads, of, outs, NULL)
        return results

    def evaluate(self, Data data, int threads, ParameterSet of=None):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        cdef Block costs = Block(data.x.n_rows * <Py_ssize_t>sizeof(double))
        cdef double* cost = <double*>costs.data
        cdef double total = 0, weight = 0
        cdef Py_ssize_t r
        result = np.empty((data.x.n_rows, self.sizes[self.net.n_layers]), DTYPE)
        into = result
        self.no_outputs(outs)
        outs[self.net.n_layers] = &into[0, 0] if result.size else NULL
        self.run_prediction(data, threads, of, outs, NULL if self.custom is not None else cost)
        if self.custom is not None:
            take_costs(self.custom, result, data, cost)
        for r in range(data.x.n_rows):
            total += cost[r]
            weight += data.y.weights[r] if data.y.weights != NULL else 1
        return total, weight, result
