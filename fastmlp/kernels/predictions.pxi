# Part of engine.pyx: prediction.
#
# Threads divide the rows among them.  Of a few rows they divide the columns instead, and meet after
# each layer: if the pass is long, or if calls of a Python thread follow one another at once.  Its
# second thread, which waits in a loop for a few milliseconds after a call (libgomp), then need not
# be woken.

cdef enum:
    PREDICT_ROWS = 120          # a multiple of every tile's rows
    PIECE_NUMBERS = 400000000   # rows × parameters a thread between two looks for Ctrl-C
    LEAST_ROWS_A_THREAD = 4
    MOST_KEPT_ROWS = 32         # of a prediction whose workspace is kept for the next
    TOGETHER_NUMBERS = 2000000  # rows × parameters, from which on waking a thread does not matter
    TOGETHER_CALLS = 2          # threads of calls that follow one another at once
    LATE_CALLS = 6              # in a row, after which one thread predicts alone
    ALONE_CALLS = 10000         # for so many calls
cdef double AT_ONCE = 5e-5      # seconds between the end of a call and the next one


cdef class Predictions(Passes):
    """Predictions and costs of one network."""
    cdef Workspace predicting       # of few rows, kept between calls
    cdef double predicted           # when the last prediction of few rows ended
    cdef unsigned long caller       # the Python thread that made it
    cdef int late, alone            # calls in a row in which a thread slept; calls left of one thread

    cdef int threads_together(self, Py_ssize_t n_rows, int threads) noexcept:
        """The number of threads that pass a few rows together, of at most so many; 1: none."""
        if n_rows * self.n_numbers >= TOGETHER_NUMBERS:
            return threads
        if self.alone > 0:
            self.alone -= 1
            return 1
        if (self.caller != PyThread_get_thread_ident()     # whose second thread is another one
                or seconds_now() - self.predicted > AT_ONCE):
            return 1
        return min(threads, TOGETHER_CALLS)

    cdef void end_few_rows(self, Workspace space, long long slept) noexcept:
        """Note when the call ended, and whether a thread had to wait for another one's core."""
        self.late = self.late + 1 if space.threads.slept > slept else 0
        if self.late >= LATE_CALLS:
            self.late = 0
            self.alone = ALONE_CALLS
        self.caller = PyThread_get_thread_ident()
        self.predicted = seconds_now()

    cdef Workspace predicting_space(self, Data data, Py_ssize_t n_rows, int threads, int end):
        """A workspace for so many threads: that of the last prediction, if it is free and fits."""
        cdef input_ways input = self.ways_of_input(data)
        cdef Workspace space
        with cython.critical_section(self):
            space = self.predicting
            self.predicting = None
        key = (n_rows, input, data.x.max_in_row, self.use_sparse, end, threads)
        if space is None or space.key != key:
            space = Workspace(self, n_rows, threads, False, data.x.max_in_row, input, data.density,
                              end=end)
            space.key = key
        return space

    cdef int run_prediction(self, Data data, int threads, ParameterSet of, real** outs,
                            double* costs, int end=0, bint by_trained=False) except -1:
        """Every layer's activations into its array of `outs`, each example's cost into `costs`.

        With `end` that layer is the last; `by_trained` passes over the average.
        """
        cdef network part
        cdef ParameterSet source = self.reading() if of is None else of
        cdef Block held
        if by_trained and source.use_average:
            source = source.sharing()
            source.use_average = False
        held = self.inference_numbers(source, &part)
        cdef Py_ssize_t m = data.x.n_rows
        cdef workspace* spaces[MOST_THREADS]
        cdef Workspace space
        cdef prediction p
        cdef Py_ssize_t piece
        cdef long long slept
        cdef bint few = m < 2 * LEAST_ROWS_A_THREAD, together
        cdef int t, changed
        if m == 0:
            return 0
        threads = min(threads, MOST_THREADS)
        if few and threads > 1:
            threads = self.threads_together(m, threads)
        elif not few:
            threads = <int>min(<Py_ssize_t>threads, m // LEAST_ROWS_A_THREAD)
        threads = team_size(threads)
        together = few and threads > 1
        kept = []
        for t in range(1 if together else threads):
            space = self.predicting_space(
                data, even_block(m if together else (m + threads - 1) // threads, PREDICT_ROWS),
                threads if together else 1, end)
            kept.append(space)
            spaces[t] = &space.w
        p.threads = &space.threads if together else NULL
        slept = space.threads.slept
        if end > 0:     # the loss knows nothing of a hidden level: f alone
            part.n_layers = end
            part.loss.kind = SQUARED_ERROR
        p.net = &part
        p.spaces = spaces
        p.x = &data.x
        p.y = &data.y
        p.outs = outs
        p.costs = costs
        p.first = 0
        piece = max(<Py_ssize_t>PREDICT_ROWS, PIECE_NUMBERS // max(1, self.n_numbers))
        piece = piece // PREDICT_ROWS * PREDICT_ROWS
        while p.first < m:      # in pieces, between which Ctrl-C is noticed
            p.last = min(m, p.first + threads * piece)
            if threads == 1:
                with nogil:
                    predict_part(&p, 0, 1)
            else:
                with nogil, parallel(num_threads=threads):
                    predict_part(&p, omp_get_thread_num(), omp_get_num_threads())
            p.first = p.last
            for t in range(len(kept)):
                changed, spaces[t].changed = spaces[t].changed, 0
                require_unchanged(changed)
            PyErr_CheckSignals()
        if few:
            self.end_few_rows(space, slept)
        if space.w.n_rows <= MOST_KEPT_ROWS:
            with cython.critical_section(self):
                self.predicting = space
        return 0

    def forward(self, Data data, int threads, ParameterSet of=None, bint require_finite=False):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        cdef real zero = 0
        cdef Py_ssize_t i, j
        result = np.empty((data.x.n_rows, self.sizes[self.net.n_layers]), DTYPE)
        into = result
        memset(outs, 0, sizeof(outs))
        outs[self.net.n_layers] = &into[0, 0] if result.size else NULL
        self.run_prediction(data, threads, of, outs, NULL)
        if require_finite:
            for i in range(into.shape[0]):
                for j in range(into.shape[1]):
                    zero += 0 * into[i, j]      # NaN once an output is not finite
            if zero != 0:
                raise FloatingPointError("outputs are not finite")
        return result

    def layer_activations(self, Data data, int level, int threads, ParameterSet of=None,
                          bint training=False):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        result = np.empty((data.x.n_rows, self.sizes[level]), DTYPE)
        into = result
        memset(outs, 0, sizeof(outs))
        outs[level] = &into[0, 0] if result.size else NULL
        self.run_prediction(data, threads, of, outs, NULL, level, training)
        return result

    def activations(self, Data data, int threads, ParameterSet of=None):
        cdef real[:, ::1] into
        cdef real* outs[MOST_LAYERS + 1]
        memset(outs, 0, sizeof(outs))
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
        memset(outs, 0, sizeof(outs))
        outs[self.net.n_layers] = &into[0, 0] if result.size else NULL
        self.run_prediction(data, threads, of, outs, NULL if self.custom is not None else cost)
        if self.custom is not None:
            take_costs(self.custom, result, data, cost)
        for r in range(data.x.n_rows):
            total += cost[r]
            weight += data.y.weights[r] if data.y.weights != NULL else 1
        return total, weight, result
