# Part of engine.pyx: the encodings of the columns of X, and their parameters (encodings.pxd).

cdef dict ENCODINGS = {
    "numeric": NUMERIC, "piecewise_linear": PIECEWISE_LINEAR, "one_hot": ONE_HOT,
    "embedding": EMBEDDING, "periodic": PERIODIC,
}


cdef class InputEncoding:
    """The encodings of all columns, and the memory that their descriptions lie in."""
    cdef input_encoding e
    cdef Block columns, constants
    cdef list arrays    # (place, shape, stride of rows) of each array of parameters

    def __cinit__(self, columns, bint scaling, Py_ssize_t place):
        """Each column has (name, outputs, size, edges); parameters begin at `place`."""
        cdef Py_ssize_t j, first = 0, n = len(columns)
        cdef column_encoding* c
        cdef real* constants
        self.arrays = []
        self.columns = Block(n * <Py_ssize_t>sizeof(column_encoding))
        self.constants = Block(sum(len(one[3]) for one in columns) * <Py_ssize_t>sizeof(real))
        constants = <real*>self.constants.data
        self.e.n_columns = n
        self.e.first = place
        self.e.rate = self.e.scale_rate = 1
        for j, (name, n_out, size, edges) in enumerate(columns):
            c = <column_encoding*>self.columns.data + j
            c.kind = ENCODINGS[name]
            c.first = first
            c.n_out = n_out
            c.n = size
            c.edges = constants
            for edge in edges:
                constants[0] = <real><double>edge
                constants += 1
            c.place = place
            c.n_numbers = on_lines(n_parameters_of(c))
            c.wave = self.e.n_waves
            if c.kind == PERIODIC:
                self.e.n_waves += n_out - 1
            self.add_arrays(c)
            place += c.n_numbers
            first += c.n_out
        self.e.n_out = first
        self.e.columns = <const column_encoding*>self.columns.data
        self.e.scale = place
        if scaling:
            self.arrays.append((place, (first,), first))
            place += on_lines(first)
        # a whole number of sums of squares (encoding_gradients.pxd)
        self.e.last = self.e.first + (place - self.e.first + SQUARES - 1) // SQUARES * SQUARES
        if not scaling:
            self.e.scale = self.e.last

    cdef void add_arrays(self, const column_encoding* c):
        """The arrays of a column: an embedding's table, or w, b, V, c of a periodic encoding."""
        cdef Py_ssize_t n_out = c.n_out - 1, stride = whole_lines(c.n), place = c.place
        if c.kind == EMBEDDING:
            self.arrays.append((place, (c.n, c.n_out), c.n_out))
        if c.kind == PERIODIC:
            self.arrays += [
                (place, (c.n,), stride),
                (place + stride, (c.n,), stride),
                (place + 2 * stride, (n_out, c.n), stride),
                (place + (2 + n_out) * stride, (n_out,), n_out),
            ]

    cdef list out(self, const real* numbers):
        """The parameters as one more entry after those of the layers; none if nothing is learned."""
        cdef Py_ssize_t r, place, stride, n
        cdef real[:, ::1] into
        found = []
        for place, shape, stride in self.arrays:
            result = np.empty(shape, DTYPE)
            n = shape[len(shape) - 1]
            into = result.reshape(-1, n)
            for r in range(into.shape[0]):
                memcpy(&into[r, 0], numbers + place + r * stride, n * sizeof(real))
            found.append(result)
        return [tuple(found)] if found else []

    cdef int take(self, real* numbers, arrays) except -1:
        """Set the parameters from the arrays that `out` returned."""
        cdef Py_ssize_t r, place, stride, n
        cdef const real[:, ::1] source
        for (place, shape, stride), array in zip(self.arrays, arrays, strict=True):
            if array.shape != shape:
                raise ValueError("the parameters do not fit the encodings")
            n = shape[len(shape) - 1]
            source = array.reshape(-1, n)
            for r in range(source.shape[0]):
                memcpy(numbers + place + r * stride, &source[r, 0], n * sizeof(real))
        return 0

    cdef input_encoding with_options(self, options):
        """The encodings as they train under these options."""
        cdef input_encoding e = self.e
        e.frozen = options.frozen_encoding
        e.rate = <real><double>options.encoding_rate_multiplier
        e.scale_rate = <real><double>options.scaling_rate_multiplier
        e.scale_decay = <real><double>options.scaling_decay_multiplier
        return e
