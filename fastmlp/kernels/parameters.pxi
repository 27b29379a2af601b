# Part of engine.pyx: the parameters, in all the forms that a network has them in.

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


cdef inline uint32_t draws_dropped(double p) noexcept nogil:
    """Of 2³² draws, how many drop a unit with probability p."""
    return <uint32_t>(p * 4294967296.0)


cdef inline Py_ssize_t on_lines(Py_ssize_t n) noexcept nogil:
    """n numbers rounded up to whole cache lines."""
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real)
    return (n + line - 1) // line * line


cdef class Parameters:
    """The numbers of one network: as it trains, averaged, and as it predicts.

    Others may predict meanwhile, also without the interpreter's lock.  So whatever replaces
    `folded`, `mean`, the optimizer's state or the workspace of `gradients`, and whoever takes them,
    does so in a critical section, and keeps the block as long as it reads.
    """
    cdef network net                # as it trains
    cdef network plain              # as it predicts: normalization folded into the weights
    cdef Block parameters           # with the running statistics behind them
    cdef Block folded, mean, kept, kept_mean
    cdef Py_ssize_t n_numbers, n_statistics
    cdef bint stale                 # the folded weights are older than the others
    cdef bint by_average
    cdef double uint8_scale
    cdef uint64_t key               # of all draws
    cdef readonly tuple sizes
    cdef object custom              # a loss written in Python: its call, or None
    cdef real[::1] loss_constants
    cdef public int64_t averaged    # steps that the average has seen

    def __cinit__(self, sizes, activations, loss, double uint8_scale, hidden=None,
                  double input_dropout=0, uint64_t seed=0, loss_constants=(), custom=None):
        cdef int l
        cdef Py_ssize_t place = 0
        cdef layer* L
        self.sizes = tuple(sizes)
        self.uint8_scale = uint8_scale
        self.key = seed
        self.stale = True
        self.net.max_density = measured_break_even()
        self.net.n_layers = len(self.sizes) - 1
        if self.net.n_layers > MOST_LAYERS:
            raise ValueError(f"at most {MOST_LAYERS} layers can be compiled, got "
                             f"{self.net.n_layers}")
        self.custom = custom
        self.loss_constants = np.array(tuple(loss_constants) or (0,), DTYPE)
        self.net.loss = loss_of(loss, &self.loss_constants[0], len(loss_constants))
        self.net.input_drop_threshold = draws_dropped(input_dropout)
        self.net.input_scale = <real>(1 / (1 - input_dropout))
        self.net.normalization.momentum = <real><double>NORM_MOMENTUM
        self.net.normalization.epsilon = <real><double>NORM_EPSILON
        self.net.layers = <layer*>calloc(self.net.n_layers, sizeof(layer))
        self.plain.layers = <layer*>calloc(self.net.n_layers, sizeof(layer))
        if self.net.layers == NULL or self.plain.layers == NULL:
            raise MemoryError("no room for the layers")
        for l in range(self.net.n_layers):
            L = &self.net.layers[l]
            L.n_in = self.sizes[l]
            L.n_out = self.sizes[l + 1]
            L.activation = activation_kind(activations[l][0])
            L.parameter = <real><double>activations[l][1]
            L.rate = L.l2 = L.keep_scale = 1
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
                L.drop_threshold = draws_dropped(dropout)
                L.keep_scale = <real>(1 / (1 - <double>dropout))
                L.noise = <real><double>noise
        self.n_numbers = place
        self.parameters = Block((place + self.n_statistics) * <Py_ssize_t>sizeof(real))
        self.net.parameters = <real*>self.parameters.data
        self.net.normalization.statistics = self.net.parameters + place
        self.plain_layers()

    def __dealloc__(self):
        free(self.net.layers)
        free(self.plain.layers)

    # ------------------------------------------------------------------- as it predicts

    cdef void plain_layers(self) noexcept:
        """`plain` with layers that neither normalize nor draw."""
        cdef int l
        cdef layer* layers = self.plain.layers
        self.plain = self.net
        self.plain.layers = layers
        self.plain.input_drop_threshold = 0
        for l in range(self.net.n_layers):
            layers[l] = self.net.layers[l]
            layers[l].scale = 0
            layers[l].drop_threshold = 0
            layers[l].noise = 0
            layers[l].frozen = False

    cdef Block chosen(self, bint training):
        """The memory of the parameters, in prediction perhaps of their average; in a section."""
        if self.by_average and self.mean is not None and not training:
            return self.mean
        return self.parameters

    cdef Block source(self, bint training):
        with cython.critical_section(self):
            return self.chosen(training)

    cdef Block predicting(self, network* plain):
        """The network as it predicts, brought up to date; returns the memory of its numbers."""
        cdef Block source, found
        with cython.critical_section(self):
            source = found = self.chosen(False)
            if self.n_statistics > 0:
                if self.folded is None:
                    self.folded = Block(self.n_numbers * <Py_ssize_t>sizeof(real))
                found = self.folded
                if self.stale:
                    self.fold_into(<real*>found.data, <const real*>source.data)
                self.stale = False
            plain[0] = self.plain
        plain.parameters = <real*>found.data
        return found

    cdef void fold_into(self, real* folded, const real* source) noexcept:
        """Weights and biases of every layer as they predict."""
        cdef int l
        cdef const layer* L
        for l in range(self.net.n_layers):
            L = &self.net.layers[l]
            if L.scale > 0:
                fold(&self.net.normalization, L, source, folded)
            else:
                memcpy(folded + L.weight, source + L.weight,
                       (L.bias + padded(L.n_out) - L.weight) * sizeof(real))

    cdef void changed(self) noexcept:
        """The folded weights are those of earlier parameters."""
        with cython.critical_section(self):
            self.stale = True

    @property
    def use_average(self):
        return self.by_average

    @use_average.setter
    def use_average(self, bint wanted):
        with cython.critical_section(self):
            self.by_average = wanted
            self.stale = True

    def get_folded_layer(self, int layer):
        cdef network plain
        cdef Block held = self.predicting(&plain)
        return self.layer_out(<real*>held.data, layer)[:2]

    # ------------------------------------------------------------------------- parameters

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

    cdef int layer_in(self, real* numbers, int l, const real[:, ::1] weight,
                      const real[::1] bias, const real[::1] scale=None) except -1:
        cdef const layer* L = &self.net.layers[l]
        with nogil:
            pack(&weight[0, 0], L.n_out, L.n_in, numbers + L.weight)
            memcpy(numbers + L.bias, &bias[0], L.n_out * sizeof(real))
        if L.scale > 0 and scale is not None:
            memcpy(numbers + L.scale, &scale[0], L.n_out * sizeof(real))
        return 0

    def get_layer(self, int layer):
        return self.layer_out(self.net.parameters, layer)

    def set_layer(self, int layer, weight, bias, scale=None):
        self.layer_in(self.net.parameters, layer, weight, bias, scale)
        self.changed()

    def weight_squares(self, bint training=False):
        cdef Block source = self.source(training)
        return [weight_squares(&self.net.layers[l], <const real*>source.data)
                for l in range(self.net.n_layers)]

    def get_statistics(self, int l):
        cdef const layer* L = &self.net.layers[l]
        cdef const real* mean = self.net.normalization.statistics + L.statistics
        if L.scale == 0:
            return None
        return row_out(mean, L.n_out), row_out(mean + padded(L.n_out), L.n_out)

    def set_statistics(self, int l, const real[::1] mean, const real[::1] variance):
        cdef const layer* L = &self.net.layers[l]
        cdef real* place = self.net.normalization.statistics + L.statistics
        memcpy(place, &mean[0], L.n_out * sizeof(real))
        memcpy(place + padded(L.n_out), &variance[0], L.n_out * sizeof(real))
        self.changed()

    def snapshot(self):
        cdef Block mean = self.average()
        own = self.parameters.data[:self.parameters.size]
        return own if mean is None else own + mean.data[:mean.size]

    def restore(self, bytes snapshot):
        cdef Py_ssize_t size = self.parameters.size
        cdef Block mean = self.average()
        memcpy(self.parameters.data, <const char*>snapshot, min(<Py_ssize_t>len(snapshot), size))
        if mean is not None and len(snapshot) == size + mean.size:
            memcpy(mean.data, <const char*>snapshot + size, mean.size)
        self.changed()

    def keep(self):
        cdef Block mean = self.average()
        if self.kept is None:
            self.kept = Block(self.parameters.size)
        memcpy(self.kept.data, self.parameters.data, self.parameters.size)
        if mean is not None:
            if self.kept_mean is None:
                self.kept_mean = Block(mean.size)
            memcpy(self.kept_mean.data, mean.data, mean.size)

    def recall(self):
        cdef Block mean = self.average()
        if self.kept is not None:
            memcpy(self.parameters.data, self.kept.data, self.parameters.size)
        if mean is not None and self.kept_mean is not None:
            memcpy(mean.data, self.kept_mean.data, mean.size)
        self.changed()

    # -------------------------------------------------------- average of the parameters

    cdef Block average(self):
        """The average's memory, or None."""
        with cython.critical_section(self):
            return self.mean

    cdef Block averaging(self):
        """The average's memory; if there is none yet it begins with the parameters as they are."""
        cdef Block mean = self.average()
        if mean is None:
            mean = Block(self.n_numbers * <Py_ssize_t>sizeof(real))
            memcpy(mean.data, self.net.parameters, mean.size)
            with cython.critical_section(self):
                self.mean = mean
                self.averaged = 0
        self.changed()
        return mean

    def start_average(self):
        self.averaging()

    def drop_average(self):
        with cython.critical_section(self):
            self.mean = None
            self.averaged = 0
            self.by_average = False
            self.stale = True

    def get_average(self, int layer):
        cdef Block mean = self.average()
        return None if mean is None else self.layer_out(<real*>mean.data, layer)

    def set_average(self, int layer, weight, bias, scale=None):
        cdef Block mean = self.averaging()
        self.layer_in(<real*>mean.data, layer, weight, bias, scale)

    # ------------------------------------------------------------ what each layer does

    def set_layers(self, frozen, rates, l2s):
        cdef int l
        for l in range(self.net.n_layers):
            self.net.layers[l].frozen = frozen[l]
            self.net.layers[l].rate = <real><double>rates[l]
            self.net.layers[l].l2 = <real><double>l2s[l]
