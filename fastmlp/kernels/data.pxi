# Part of engine.pyx: the examples that a user passed, as the kernels read them.

cdef int require_unchanged(int changed) except -1:
    """Raise if the arrays were changed while they were in use, and no longer fit."""
    if changed & LABELS_CHANGED:
        raise ValueError("y holds labels that are none of the network's classes: it was changed "
                         "after it had been checked, while it was in use; pass a copy, y.copy()")
    if changed & COLUMNS_CHANGED:
        raise ValueError("the columns of the sparse X are out of range or out of order: X was "
                         "changed after it had been checked, while it was in use; pass a copy, "
                         "X.copy()")
    if changed & CODES_CHANGED:
        raise ValueError("X holds codes of categories that are none of the network's levels: it was "
                         "changed after it had been checked, while it was in use; pass a copy, "
                         "X.copy()")
    if changed & NOT_FINITE:
        raise ValueError("X holds numbers that are not finite")
    if changed:
        raise ValueError("the zeros of X have changed while it was read; pass a copy, X.copy()")
    return 0


cdef class Data:
    """Examples, and perhaps their targets and weights, as the kernels read them.

    Keeps the arrays they lie in; made once for many passes.
    """
    cdef examples x
    cdef targets y
    cdef object kept
    cdef Block packed, row_hashes
    cdef real table[256]
    cdef readonly double density
    cdef readonly int first     # the layer whose input they are
    cdef InputEncoding encoding # of the columns of X, or None

    def __cinit__(self, Parameters engine, X, y=None, sample_weight=None, int first=0):
        cdef Py_ssize_t n_sampled
        self.kept = (X, y, sample_weight)
        self.first = first
        if engine is not None:
            self.x.n_in = engine.sizes[first]
            self.x.scale = <real>engine.uint8_scale
            if first == 0 and engine.encoding is not None:
                self.encoding = engine.encoding
                self.x.n_in = self.encoding.e.n_columns
        else:
            self.x.n_in = X.shape[1]
            self.x.scale = 1
        if isinstance(X, tuple):
            self.take_values(X[0].reshape(1, -1))
            self.take_pointers(X[1], X[2])
        else:
            self.take_values(X)
            self.x.max_in_row = self.x.n_in if self.encoding is None else self.encoding.e.n_out
        if y is not None:
            self.take_targets(y, sample_weight,
                              engine is not None and engine.net.loss.kind == CUSTOM)
        n_sampled = min(self.x.n_rows, <Py_ssize_t>SAMPLED_ROWS)
        if self.encoding is None:
            self.density = density(&self.x, n_sampled)
            self.make_table()
        else:
            self.density = encoded_density(&self.encoding.e, &self.x, n_sampled)

    cdef int take_values(self, values) except -1:
        cdef const float[:, ::1] floats
        cdef const double[:, ::1] doubles
        cdef const unsigned char[:, ::1] bytes_
        if values.dtype == FLOAT32_TYPE:
            floats = values
            self.x.kind = FLOAT32
            self.x.n_rows = floats.shape[0]
            self.x.values = &floats[0, 0] if floats.shape[0] * floats.shape[1] > 0 else NULL
        elif values.dtype == FLOAT64_TYPE:
            doubles = values
            self.x.kind = FLOAT64
            self.x.n_rows = doubles.shape[0]
            self.x.values = &doubles[0, 0] if doubles.shape[0] * doubles.shape[1] > 0 else NULL
        else:
            bytes_ = values
            self.x.kind = UINT8
            self.x.n_rows = bytes_.shape[0]
            self.x.values = &bytes_[0, 0] if bytes_.shape[0] * bytes_.shape[1] > 0 else NULL
        return 0

    cdef int take_pointers(self, const int32_t[::1] indices,
                           const int64_t[::1] pointers) except -1:
        cdef Py_ssize_t r
        self.x.n_rows = pointers.shape[0] - 1
        self.x.pointers = &pointers[0]
        # a matrix without one stored number is CSR all the same
        self.x.indices = &indices[0] if indices.shape[0] else <const int32_t*>&pointers[0]
        for r in range(self.x.n_rows):
            self.x.max_in_row = max(self.x.max_in_row, <Py_ssize_t>(pointers[r + 1] - pointers[r]))
        return 0

    @property
    def unchecked(self):
        """Whether rows are still to be checked for finite numbers, as training reads them."""
        return self.x.unchecked

    @unchecked.setter
    def unchecked(self, bint unchecked):
        self.x.unchecked = unchecked

    cdef void make_table(self) noexcept:
        """The number of each byte, for products that read bytes."""
        cdef int i
        if self.x.kind == UINT8 and self.x.indices == NULL and self.density >= SPARSEST_BYTES:
            for i in range(256):
                self.table[i] = i * self.x.scale
            self.x.table = self.table

    cdef int pack(self, int threads) except -1:
        """Pack dense rows as sparse rows, where these take less memory than the rows."""
        cdef examples* x = &self.x
        cdef Py_ssize_t r, n = x.n_rows, size = packed_number_size(x), place
        cdef Block memory, scratch, packed
        cdef int64_t* pointers
        cdef int changed = 0
        if (self.packed is not None or self.encoding is not None or x.indices != NULL
                or x.table != NULL or x.n_in > MOST_PACKED
                or self.density * (2 + size) > number_size(x)):
            return 0
        threads = team_size(threads)
        memory = Block((n + 1) * <Py_ssize_t>sizeof(int64_t))
        pointers = <int64_t*>memory.data
        with nogil, parallel(num_threads=threads):
            count_rows(x, pointers, omp_get_thread_num(), omp_get_num_threads())
        for r in range(n):
            pointers[r + 1] += pointers[r]
        place = n + 1
        packed = Block(place * <Py_ssize_t>sizeof(int64_t)
                       + packed_size(pointers[n], size) + packed_size(pointers[n], 2))
        scratch = Block(threads * pack_scratch(x))
        memcpy(packed.data, pointers, place * sizeof(int64_t))
        pointers = <int64_t*>packed.data
        with nogil, parallel(num_threads=threads):
            pack_rows(x, pointers, scratch.data, &changed, omp_get_thread_num(),
                      omp_get_num_threads())
        require_unchanged(changed)
        with cython.critical_section(self):
            if self.packed is None:     # several fits may share the data: the first packed it
                self.packed = packed
                x.packed_values = pointers + place
                x.packed_indices = <uint16_t*>(<char*>x.packed_values
                                                + packed_size(pointers[n], size))
                x.packed_pointers = pointers
        return 0

    cdef const uint64_t* hash_rows(self, int threads) except NULL:
        """A hash of each row's numbers, on which its random numbers depend; made once."""
        cdef Block scratch, hashes
        if self.row_hashes is None:
            threads = team_size(threads)
            scratch = Block(threads * pack_scratch(&self.x))
            hashes = Block(self.x.n_rows * <Py_ssize_t>sizeof(uint64_t))
            with nogil, parallel(num_threads=threads):
                hash_rows(&self.x, <uint64_t*>hashes.data, scratch.data,
                              omp_get_thread_num(), omp_get_num_threads())
            with cython.critical_section(self):
                if self.row_hashes is None:     # as above
                    self.row_hashes = hashes
        return <uint64_t*>self.row_hashes.data

    cdef int take_targets(self, y, sample_weight, bint unread) except -1:
        cdef const int32_t[::1] labels
        cdef const real[::1] values
        if unread:      # by the kernels: a loss written in Python gets them as they are
            pass
        elif y.dtype == np.int32:
            labels = y
            self.y.labels = &labels[0] if y.size else NULL
        else:
            if not y.flags.c_contiguous:        # `reshape` would return a copy
                raise ValueError("the kernels read C-contiguous arrays")
            values = y.reshape(-1)
            self.y.values = &values[0] if y.size else NULL
            self.y.n_columns = y.shape[1] if y.ndim > 1 else 1
        if sample_weight is not None:
            values = sample_weight
            self.y.weights = &values[0] if sample_weight.size else NULL
        return 0


cdef class Distortion:
    """Limits of random distortions of square images (distortion.pxd)."""
    cdef distortion d
    cdef object kept

    def __cinit__(self, Py_ssize_t side, double rotation, double gentle_rotation, gentle,
                  double shear, double scale, double translation, double alpha, taps):
        cdef const unsigned char[::1] classes = np.asarray(gentle, np.uint8)
        cdef const real[::1] weights = np.asarray(taps, DTYPE)
        self.kept = (classes, weights)
        self.d.side = side
        self.d.rotation = <real>rotation
        self.d.reduced_rotation = <real>gentle_rotation
        self.d.rotates_less = &classes[0] if classes.shape[0] else NULL
        self.d.n_classes = classes.shape[0]
        self.d.shear = <real>shear
        self.d.scale = <real>scale
        self.d.translation = <real>translation
        self.d.alpha = <real>alpha
        self.d.radius = weights.shape[0] // 2
        self.d.taps = &weights[0]

    def images(self, X, labels, uint64_t seed, uint64_t epoch, int threads):
        """All rows of a dense X, distorted: row r by random numbers of seed, epoch and r."""
        cdef Data data = Data(None, X, labels)
        cdef int n_threads = team_size(threads)
        cdef Py_ssize_t size = padded(data.x.n_in) + distortion_scratch(&self.d)
        cdef Block scratch = Block(n_threads * size * <Py_ssize_t>sizeof(real))
        cdef real[:, ::1] into
        cdef uint64_t key = mixed_key(seed, epoch)
        result = np.empty((data.x.n_rows, data.x.n_in), DTYPE)
        into = result
        if data.x.n_rows:
            with nogil, parallel(num_threads=n_threads):
                distort_rows(&self.d, &data.x, &data.y, key, &into[0, 0], <real*>scratch.data,
                             omp_get_thread_num(), omp_get_num_threads())
        return result
