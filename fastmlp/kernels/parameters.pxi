# Part of engine.pyx: the parameters of a network, and how they are read and written whole.

# of batch norm's running statistics (ρ) and below its root (ε); PyTorch's
NORM_MOMENTUM = 0.1
NORM_EPSILON = 1e-5


cdef row_out(const real* source, Py_ssize_t n):
    """n numbers as an array of their own."""
    cdef real[::1] into
    result = np.empty(n, DTYPE)
    into = result
    memcpy(&into[0], source, n * sizeof(real))
    return result


cdef inline Py_ssize_t on_lines(Py_ssize_t n) noexcept nogil:
    """n numbers rounded up to whole cache lines."""
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real)
    return (n + line - 1) // line * line


cdef class Parameters:
    """The layers of one network and its current set of numbers (parameter_set.pxi)."""
    cdef network net                # the layers as they train
    cdef network inference          # as they predict: nothing is normalized, dropped or noisy
    cdef ParameterSet current
    cdef Block spare_numbers        # of the last copy, used again once no snapshot has it
    cdef Block spare_average
    cdef Gate gate
    cdef bint in_step               # a slice of training is under way
    cdef Py_ssize_t n_numbers, n_statistics
    cdef double uint8_scale
    cdef uint64_t key               # of all random numbers
    cdef readonly tuple sizes       # of a(1), …; X has as many columns as a(1) without encodings
    cdef InputEncoding encoding     # or None
    cdef object custom              # a loss written in Python, or None
    cdef real[::1] loss_constants

    def __cinit__(self, sizes, activations, loss, double uint8_scale, hidden=None,
                  double input_dropout=0, uint64_t seed=0, loss_constants=(), custom=None,
                  encodings=(), bint input_scaling=False):
        cdef int l
        cdef Py_ssize_t place = 0
        cdef layer* L
        self.sizes = tuple(sizes)
        self.uint8_scale = uint8_scale
        self.key = seed
        self.gate = Gate()
        self.net.n_layers = len(self.sizes) - 1
        if self.net.n_layers > MOST_LAYERS:
            raise ValueError(f"at most {MOST_LAYERS} layers can be compiled, got "
                             f"{self.net.n_layers}")
        self.custom = custom
        self.loss_constants = np.array(tuple(loss_constants) or (0,), DTYPE)
        self.net.loss = loss_of(loss, &self.loss_constants[0], len(loss_constants))
        self.net.input_dropout = input_dropout
        self.net.normalization.momentum = <real><double>NORM_MOMENTUM
        self.net.normalization.epsilon = <real><double>NORM_EPSILON
        self.net.layers = <layer*>calloc(self.net.n_layers, sizeof(layer))
        self.inference.layers = <layer*>calloc(self.net.n_layers, sizeof(layer))
        if self.net.layers == NULL or self.inference.layers == NULL:
            raise MemoryError("no memory for the layers")
        for l in range(self.net.n_layers):
            L = &self.net.layers[l]
            L.n_in = self.sizes[l]
            L.n_out = self.sizes[l + 1]
            L.n_terms = max(self.sizes[l:l + 3:2])
            L.activation = activation_kind(activations[l][0])
            L.parameter = <real><double>activations[l][1]
            L.rate = L.l2 = L.bias_rate = 1
            L.weight = place
            place += on_lines(L.n_in * padded(L.n_out))
            L.bias = place
            place += on_lines(padded(L.n_out))
            if hidden is not None and l + 1 < self.net.n_layers:
                normalized, dropout, noise = hidden[l]
                if normalized:
                    L.scale = place
                    place += on_lines(padded(L.n_out))
                    L.statistics = self.n_statistics
                    self.n_statistics += on_lines(2 * padded(L.n_out))
                L.dropout = dropout
                L.noise = <real><double>noise
        if len(encodings) > 0:
            self.encoding = InputEncoding(encodings, input_scaling, place)
            self.net.encoding = &self.encoding.e
            place = self.encoding.e.last
        self.n_numbers = place
        self.current = ParameterSet()
        self.current.layout = (self.sizes, [one[0] for one in hidden or ()],
                               [one[:3] for one in encodings], input_scaling)
        self.current.folded_is_stale = True
        self.current.numbers = Block((place + self.n_statistics) * <Py_ssize_t>sizeof(real))
        self.describe_inference()

    def __dealloc__(self):
        free(self.net.layers)
        free(self.inference.layers)

    cdef void describe_inference(self) noexcept:
        cdef int l
        cdef layer* layers = self.inference.layers
        self.inference = self.net
        self.inference.layers = layers
        self.inference.input_dropout = 0
        for l in range(self.net.n_layers):
            layers[l] = self.net.layers[l]
            layers[l].scale = 0
            layers[l].dropout = 0
            layers[l].noise = 0

    # --------------------------------------------------------------------------- reading

    cdef ParameterSet reading(self):
        """The current set, whole: after the slice of training or the change that is under way."""
        cdef ParameterSet found = None
        with cython.critical_section(self.gate):
            if not self.gate.writing or self.gate.is_mine():
                return self.current
            self.gate.waiting += 1
        try:
            self.gate.acquire()
            found = self.current
            PyThread_release_lock(self.gate.lock)
        finally:
            with cython.critical_section(self.gate):
                self.gate.waiting -= 1
        return found

    def snapshot(self):
        """The current set, which no writer changes any more."""
        cdef ParameterSet found = self.reading(), copy
        if not self.gate.is_mine():
            return found
        copy = found.sharing()      # this thread is writing: in a loss written in Python
        copy.numbers = copied(found.numbers)
        copy.average = copied(found.average)
        return copy

    def paused(self):
        """Return a context in which no other thread changes parameters or optimizer state."""
        cdef Paused pause = Paused()
        pause.gate = self.gate
        return pause

    def renew(self):
        """Make ready in a process made by fork, where no other thread has come along."""
        self.gate.renew()

    cdef Block inference_numbers(self, ParameterSet of, network* net):
        """The inference network with its numbers; the block that these lie in."""
        cdef Block source = of.source(False)
        net[0] = self.inference
        if self.n_statistics > 0:
            with cython.critical_section(of):
                if of.folded is None or of.folded_is_stale:
                    if of.folded is None or Py_REFCNT(<PyObject*>of.folded) > 1:
                        of.folded = Block(self.n_numbers * <Py_ssize_t>sizeof(real))
                    self.fold_into(<real*>of.folded.data, <const real*>source.data,
                                   self.statistics_of(of))
                    of.folded_is_stale = False
                source = of.folded
        net.parameters = <real*>source.data
        return source

    cdef const real* statistics_of(self, ParameterSet of) noexcept:
        """The running statistics of all normalized layers."""
        return <const real*>of.numbers.data + self.n_numbers

    cdef void fold_into(self, real* folded, const real* source, const real* statistics) noexcept:
        """Weights and biases of every layer as they predict."""
        cdef int l
        cdef const layer* L
        cdef normalization shared = self.net.normalization
        shared.statistics = <real*>statistics
        for l in range(self.net.n_layers):
            L = &self.net.layers[l]
            if L.scale > 0:
                fold(&shared, L, source, folded)
            else:
                memcpy(folded + L.weight, source + L.weight,
                       (L.bias + padded(L.n_out) - L.weight) * sizeof(real))
        if self.encoding is not None:
            memcpy(folded + self.encoding.e.first, source + self.encoding.e.first,
                   (self.encoding.e.last - self.encoding.e.first) * sizeof(real))

    cdef tuple layer_out(self, const real* numbers, int l):
        """One layer of a buffer laid out like the parameters: weight, bias, and scale if any."""
        cdef const layer* L = &self.net.layers[l]
        cdef real[:, ::1] weight
        W = np.empty((L.n_out, L.n_in), DTYPE)
        weight = W
        with nogil:
            unpack(numbers + L.weight, L.n_out, L.n_in, &weight[0, 0])
        found = (W, row_out(numbers + L.bias, L.n_out))
        return found + (row_out(numbers + L.scale, L.n_out),) if L.scale > 0 else found

    cdef list layers_out(self, const real* numbers):
        """Every layer's arrays, then those of the encodings' parameters, if there are any."""
        layers = [self.layer_out(numbers, l) for l in range(self.net.n_layers)]
        return layers if self.encoding is None else layers + self.encoding.out(numbers)

    def get_layers(self, ParameterSet of=None):
        cdef Block numbers = (self.reading() if of is None else of).source(True)
        return self.layers_out(<real*>numbers.data)

    def get_average(self, ParameterSet of=None):
        cdef ParameterSet source = self.reading() if of is None else of
        cdef Block average = source.average
        return None if average is None else self.layers_out(<real*>average.data)

    def get_folded(self, ParameterSet of=None):
        cdef network net
        cdef Block numbers = self.inference_numbers(self.reading() if of is None else of, &net)
        return [self.layer_out(<real*>numbers.data, l)[:2] for l in range(self.net.n_layers)]

    def get_statistics(self, ParameterSet of=None):
        cdef int l
        cdef const layer* L
        cdef const real* mean
        cdef Block numbers = (self.reading() if of is None else of).source(True)
        found = []
        for l in range(self.net.n_layers):
            L = &self.net.layers[l]
            mean = <const real*>numbers.data + self.n_numbers + L.statistics
            found.append(None if L.scale == 0 else (
                row_out(mean, L.n_out), row_out(mean + padded(L.n_out), L.n_out)))
        return found

    def weight_squares(self, bint training=False, ParameterSet of=None):
        cdef Block source = (self.reading() if of is None else of).source(training)
        return [weight_squares(&self.net.layers[l], <const real*>source.data)
                for l in range(self.net.n_layers)]

    # --------------------------------------------------------------------------- writing

    cdef int enter_gate(self) except -1:
        if self.in_step and self.gate.is_mine():
            raise RuntimeError("a loss function cannot change the parameters of the network that "
                               "it is computed for")
        self.gate.enter()
        return 0

    cdef int begin_writing(self) except -1:
        """Enter the gate, and see to it that nobody else holds what is written from here on."""
        cdef ParameterSet shared, writer
        self.enter_gate()
        try:
            if Py_REFCNT(<PyObject*>self.current) > 1:
                shared = self.current
                writer = shared.sharing()
                self.prepare_spares(shared)
                shared.disown(writer, self.spare_numbers, self.spare_average)
                if writer.numbers is self.spare_numbers:
                    self.spare_numbers = None
                if writer.average is self.spare_average:
                    self.spare_average = None
                with cython.critical_section(self.gate):
                    self.current = writer
            else:
                self.current.own()
        except BaseException:
            self.gate.leave()
            raise
        return 0

    cdef int prepare_spares(self, ParameterSet of) except -1:
        """Memory for a copy of a set: the last one's, where nobody has that any more.

        A fit takes a snapshot in each epoch: fresh memory costs a page fault for every 4 KiB.
        """
        if (self.spare_numbers is None or self.spare_numbers.size != of.numbers.size
                or Py_REFCNT(<PyObject*>self.spare_numbers) > 1):
            self.spare_numbers = Block(of.numbers.size)
        if of.average is not None and (
                self.spare_average is None or self.spare_average.size != of.average.size
                or Py_REFCNT(<PyObject*>self.spare_average) > 1):
            self.spare_average = Block(of.average.size)
        return 0

    cdef void end_writing(self) noexcept:
        self.current.folded_is_stale = True
        self.gate.leave()

    cdef int layer_in(self, real* numbers, int l, const real[:, ::1] weight,
                      const real[::1] bias, const real[::1] scale=None) except -1:
        cdef const layer* L = &self.net.layers[l]
        if weight.shape[0] != L.n_out or weight.shape[1] != L.n_in or bias.shape[0] != L.n_out:
            raise ValueError("the parameters do not fit the layer")
        with nogil:
            pack(&weight[0, 0], L.n_out, L.n_in, numbers + L.weight)
            memcpy(numbers + L.bias, &bias[0], L.n_out * sizeof(real))
        if L.scale > 0 and scale is not None:
            if scale.shape[0] != L.n_out:
                raise ValueError("the scale does not fit the layer")
            memcpy(numbers + L.scale, &scale[0], L.n_out * sizeof(real))
        return 0

    cdef int layers_in(self, real* numbers, layers) except -1:
        cdef int l
        for l in range(self.net.n_layers):
            self.layer_in(numbers, l, layers[l][0], layers[l][1],
                          layers[l][2] if len(layers[l]) > 2 else None)
        if len(layers) > self.net.n_layers:
            self.encoding.take(numbers, layers[self.net.n_layers])
        return 0

    def set_layers(self, layers, statistics=None):
        self.begin_writing()
        try:
            self.layers_in(<real*>self.current.numbers.data, layers)
            if statistics is not None:
                self.statistics_in(statistics)
        finally:
            self.end_writing()

    cdef int statistics_in(self, statistics) except -1:
        cdef int l
        cdef const layer* L
        cdef real* place
        cdef const real[::1] mean, variance
        for l in range(self.net.n_layers):
            L = &self.net.layers[l]
            if L.scale == 0 or statistics[l] is None:
                continue
            mean, variance = statistics[l]
            if mean.shape[0] != L.n_out or variance.shape[0] != L.n_out:
                raise ValueError("the running statistics do not fit the layer")
            place = <real*>self.current.numbers.data + self.n_numbers + L.statistics
            memcpy(place, &mean[0], L.n_out * sizeof(real))
            memcpy(place + padded(L.n_out), &variance[0], L.n_out * sizeof(real))
        return 0

    def restore(self, ParameterSet snapshot not None):
        if snapshot.layout != self.current.layout:
            raise ValueError("the snapshot is of another network")
        self.enter_gate()
        try:
            self.take(snapshot)
        finally:
            self.gate.leave()

    cdef int take(self, ParameterSet snapshot) except -1:
        """Make the numbers of a snapshot the current ones; this thread is the writer."""
        with cython.critical_section(self.gate):
            self.current = snapshot.sharing()
        return 0

    def start_average(self):
        self.begin_writing()
        try:
            if self.current.average is None:
                self.current.average = Block(self.n_numbers * <Py_ssize_t>sizeof(real))
                memcpy(self.current.average.data, self.current.numbers.data,
                       self.current.average.size)
                self.current.averaged = 0
        finally:
            self.end_writing()

    def set_average(self, layers, int64_t averaged):
        self.start_average()
        self.begin_writing()
        try:
            self.layers_in(<real*>self.current.average.data, layers)
            self.current.averaged = averaged
        finally:
            self.end_writing()

    def drop_average(self):
        if self.current.average is None:
            return
        self.begin_writing()
        self.current.average = None
        self.current.averaged = 0
        self.current.use_average = False
        self.end_writing()

    cdef int go_on_averaging(self, bint wanted) except -1:
        """Begin the average if a fit wants one and there is none; drop one that it does not want.

        A callback may have called `set_parameters`, which drops the average, or `restore`.
        """
        if not wanted:
            self.drop_average()
        elif self.current.average is None:
            self.start_average()
            self.current.use_average = True
        return 0

    @property
    def use_average(self):
        return self.current.use_average

    @use_average.setter
    def use_average(self, bint wanted):
        self.begin_writing()
        self.current.use_average = wanted
        self.end_writing()
