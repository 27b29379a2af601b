# Part of engine.pyx: passes over examples that update nothing, and the memory of a pass.

from .load_balance cimport limit_shares, share_of

cdef enum input_ways:           # how the network's input is read
    DENSE_INPUT
    SPARSE_INPUT
    EITHER_INPUT                # as is faster


cdef class Workspace:
    """The memory of a pass (workspace.pxd) through layers first … end."""
    cdef workspace w
    cdef team threads               # of a prediction that they make together
    cdef Block memory
    cdef readonly tuple key

    def __cinit__(self, Passes engine, Py_ssize_t n_rows, int n_threads, bint backward,
                  Py_ssize_t max_in_row, input_ways input, double input_density=1,
                  bint input_delta=False, bint training=False, int first=0, int end=0,
                  Py_ssize_t n_distortion=0, bint reads_bytes=False):
        cdef int n_layers = (end if end > 0 else engine.net.n_layers) - first
        cdef const layer* layers = (engine.net.layers if training
                                    else engine.inference.layers) + first
        self.w.n_rows = n_rows
        self.w.n_layers = n_layers
        self.w.n_threads = n_threads
        self.w.input_delta = input_delta
        self.w.input_density = input_density
        self.w.distortion_size = n_distortion
        self.w.reads_bytes = reads_bytes
        if engine.encoding is not None and first == 0:
            self.w.n_columns = engine.encoding.e.n_columns
            self.w.n_waves = engine.encoding.e.n_waves
            self.w.n_encoding = engine.encoding.e.last - engine.encoding.e.first
        self.w.activations = <activation_layer*>calloc(n_layers + 1, sizeof(activation_layer))
        self.w.threads = <scratch*>calloc(n_threads, sizeof(scratch))
        self.w.choices = <layer_choices*>calloc(n_layers, sizeof(layer_choices))
        self.w.group_starts = <Py_ssize_t*>calloc(n_layers * max_group_starts(n_threads),
                                                  sizeof(Py_ssize_t))
        if (self.w.activations == NULL or self.w.threads == NULL or self.w.choices == NULL
                or self.w.group_starts == NULL):
            raise MemoryError("no memory for a workspace")
        engine.allow_skipping(&self.w, input, layers, backward)
        self.memory = Block(lay_out(&self.w, layers, max_in_row, backward, NULL))
        lay_out(&self.w, layers, max_in_row, backward, self.memory.data)

    def __dealloc__(self):
        free(self.w.activations)
        free(self.w.threads)
        free(self.w.choices)
        free(self.w.group_starts)

    @property
    def shares(self):
        """The shares of the last team of several threads, as parts of 1; none if there was none."""
        return [share_of(&self.w.balance, t) for t in range(self.w.balance.n_parts)]

    @shares.setter
    def shares(self, values):
        """Begin the next batch with these; from then on they follow the threads' speed."""
        cdef int t
        if len(values) != self.w.balance.n_parts:
            raise ValueError(f"need {self.w.balance.n_parts} shares, got {len(values)}")
        if not abs(sum(values) - 1) < 1e-6:     # memory is reserved for no larger ones
            raise ValueError(f"the sum of all shares must be 1, got {sum(values)}")
        for t, value in enumerate(values):
            self.w.balance.paces[t].next = value
        limit_shares(&self.w.balance)
        self.w.balance.changed = True


cdef inline bint can_be_zero(const layer* L) noexcept nogil:
    """Whether many of the layer's activations are exactly zero."""
    return L.activation == RELU or L.dropout > 0


cdef inline bint pays(Py_ssize_t n_sum, Py_ssize_t n_columns) noexcept nogil:
    """Whether a product of this size may be faster if zeros are skipped."""
    return n_sum >= MIN_SPARSE_COLUMNS and padded(n_columns) >= MIN_SPARSE_VECTORS * WIDTH


cdef void run_job(job* j, int threads) noexcept nogil:
    """All batches of the job, in one parallel region."""
    if j.first >= j.n_batches:
        return
    threads = team_size(threads)
    if threads == 1:
        run_batches(j, 0, 1)
    else:
        with parallel(num_threads=threads):
            run_batches(j, omp_get_thread_num(), omp_get_num_threads())


cdef class Passes(FlatParameters):
    """Gradients of given examples, and what passes have in common."""
    cdef public bint use_sparse     # skip zeros where that is faster; no bit depends on it
    cdef readonly Workspace passing     # of `gradients`, kept between calls

    def __cinit__(self, *args, **kwargs):
        self.use_sparse = True

    cdef Block layers_as(self, options):
        """The layers as they train under these options."""
        cdef int l, n = self.net.n_layers
        cdef Block block = Block(n * <Py_ssize_t>sizeof(layer))
        cdef layer* layers = <layer*>block.data
        frozen, rates, l2s = options.frozen, options.rate_multipliers, options.l2_multipliers
        bias_rates = options.bias_rate_multipliers
        memcpy(layers, self.net.layers, n * sizeof(layer))
        for l in range(n):
            if frozen:
                layers[l].frozen = frozen[l]
            if rates:
                layers[l].rate = <real><double>rates[l]
            if bias_rates:
                layers[l].bias_rate = <real><double>bias_rates[l]
            if l2s:
                layers[l].l2 = <real><double>l2s[l]
        return block

    cdef input_encoding encoding_as(self, options, int first, network* net):
        """The encodings as they train under these options; none for the input of a later layer."""
        cdef input_encoding encoding
        memset(&encoding, 0, sizeof(input_encoding))
        if self.encoding is None or first > 0:
            net.encoding = NULL
            return encoding
        return self.encoding.with_options(options)

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

    cdef void allow_skipping(self, workspace* w, input_ways input, const layer* layers,
                             bint backward) noexcept:
        """Which products may skip zeros: those of ReLU or dropout, if wide enough."""
        cdef int l
        cdef bint possible
        cdef const layer* L
        allow(&w.past_caches, backward and w.n_threads > 1, True)
        allow(&w.choices[0].forward, input != DENSE_INPUT, input != SPARSE_INPUT)
        for l in range(w.n_layers):
            L = &layers[l]
            possible = l > 0 and self.use_sparse and can_be_zero(&layers[l - 1])
            if l > 0:
                allow(&w.choices[l].forward, possible and pays(L.n_in, L.n_out), True)
            allow(&w.choices[l].gradient, possible and backward and pays(L.n_in, L.n_out), True)
            # δ(l+1) is dense at the output, and behind normalization
            allow(&w.choices[l].delta, self.use_sparse and backward and l > 0
                  and l + 1 < w.n_layers and can_be_zero(L) and L.scale == 0
                  and pays(L.n_out, L.n_in), True)

    cdef input_ways ways_of_input(self, Data data) noexcept:
        """How the input is read: dense, as sparse rows, or as is faster."""
        cdef const layer* L = &self.net.layers[data.first]
        if data.x.indices != NULL:
            return SPARSE_INPUT
        if not self.use_sparse or not pays(L.n_in, L.n_out) or data.density > MOST_SPARSE:
            return DENSE_INPUT
        return SPARSE_INPUT if data.density < SURELY_SPARSE else EITHER_INPUT

    cdef bint reads_bytes(self, Data data) noexcept:
        """Whether bytes are read as they are where their zeros are skipped."""
        return data.x.table != NULL and (data.first > 0 or self.net.input_dropout == 0)

    cdef void prepare(self, job* j, network* net, Data data, Workspace space, Py_ssize_t n_pass,
                      Py_ssize_t batch_size) noexcept:
        memset(j, 0, sizeof(job))
        j.net = net
        j.w = &space.w
        j.x = &data.x
        j.y = &data.y
        j.n_numbers = self.n_numbers
        j.n_pass = n_pass
        j.batch_size = batch_size
        if n_pass > 0:
            j.n_batches = (n_pass + batch_size - 1) // batch_size

    # -------------------------------------------------------- gradients of given examples

    cdef Workspace passing_space(self, Data data, bint input_delta, bint training, int threads):
        """The workspace of `gradients`, which puts it back: another Python thread makes its own."""
        cdef input_ways input = self.ways_of_input(data)
        cdef Py_ssize_t n_rows = self.chunk_rows(data.x.n_rows, training)
        cdef bint reads_bytes = self.reads_bytes(data)
        cdef Workspace space
        with cython.critical_section(self):
            space = self.passing
            self.passing = None
        key = (n_rows, input, reads_bytes, data.x.max_in_row, self.use_sparse, input_delta,
               training)
        if space is None or space.key != key or space.w.n_threads < threads:
            space = Workspace(self, n_rows, threads, True, data.x.max_in_row, input, data.density,
                              input_delta, training, reads_bytes=reads_bytes)
            space.key = key
        return space

    def gradients(self, Data data, options, int threads, bint wrt_input=False,
                  bint training=False, uint64_t epoch=0, ParameterSet of=None,
                  bint wrt_encoding=False, bint flat=False):
        cdef Py_ssize_t m = data.x.n_rows
        cdef Block sums = Block(self.n_numbers * <Py_ssize_t>sizeof(real))
        cdef Workspace space = self.passing_space(data, wrt_input or wrt_encoding, training,
                                                  threads)
        cdef PythonLossCall loss_call = PythonLossCall(self.custom, data)
        cdef ParameterSet source = self.reading() if of is None else of
        cdef Block numbers = source.source(training), layers = self.layers_as(options)
        cdef Block held = numbers
        cdef network net = self.net
        cdef real[:, ::1] into
        cdef int changed
        cdef job j
        if training:
            net.layers = <layer*>layers.data
            net.parameters = <real*>numbers.data
            net.normalization.statistics = net.parameters + self.n_numbers
        else:
            held = self.inference_numbers(source, &net)
        self.prepare(&j, &net, data, space, m, m)
        loss_call.attach(&j)
        j.training = training
        j.key = mixed_key(self.key, epoch)
        j.smoothing = options.label_smoothing if training else 0
        j.max_cost = options.max_cost
        j.every_layer = True
        j.sums = <real*>sums.data       # Σ s·∂cost/∂W, ∂b
        if wrt_input:
            result = np.empty((m, self.sizes[0]), DTYPE)
            into = result
            j.input_gradient = &into[0, 0] if m else NULL
        with nogil:
            run_job(&j, threads)
        changed, space.w.changed = space.w.changed, 0
        require_unchanged(changed)
        loss_call.raise_error(&j)
        if space.w.n_rows <= WIDE_CHUNK_ROWS:   # not one for all rows of a batch as a whole
            with cython.critical_section(self):
                self.passing = space
        mean = DTYPE.type(1 / j.weight if j.weight > 0 else 0)
        progress = Progress(0, j.cost, j.weight, None, 1e-9 * j.threads.slept)
        if flat:
            return progress, self.flat_gradient(<real*>sums.data, <real*>numbers.data, mean,
                                                options.l2)
        if wrt_input:
            return progress, result * mean
        if wrt_encoding:
            return progress, [mean * g for g in self.encoding.out(j.sums)[0]]
        found = []
        l2 = DTYPE.type(options.l2)
        statistics = self.get_statistics(source)
        for l in range(self.net.n_layers):
            dW, *rest = [mean * g for g in self.layer_out(j.sums, l)]
            W, b, *scale = self.layer_out(<real*>numbers.data, l)
            if scale and not training:      # dW and db are those of the folded weights
                average, variance = statistics[l]
                inverse = 1 / np.sqrt(variance + self.net.normalization.epsilon)
                rest[1] = (np.einsum("jk,jk->j", dW, W) - rest[0] * average) * inverse
                dW = dW * (scale[0] * inverse)[:, None]
            found.append((dW + l2 * W, *rest))
        return progress, found
