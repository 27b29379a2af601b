# Part of engine.pyx: batches, or a network, that several processes share (shared_batch.pxd).
#
# A Python object adds up numbers over the processes, or averages them.  The thread that called
# `train` alone takes the GIL.  Afterwards every process has the same numbers.

cdef class GradientSumCall:
    """The numbers to add up or average, what does so, and the error that it raised."""
    cdef object sum, parameter_average, error
    cdef list ranges            # [first, end) of each layer's numbers; then of the encodings, if any
    cdef list pieces            # of the gradient: a list of arrays for each of these ranges
    cdef const int64_t[::1] starts, places, n_rows
    cdef const double[::1] weights

    def __cinit__(self, share, Py_ssize_t n_own):
        cdef Py_ssize_t n
        self.sum = share.gradient_sum
        self.parameter_average = share.average
        self.starts = share.starts
        self.places = share.places
        self.n_rows = share.n_rows
        self.weights = share.weights
        n = self.places.shape[0]
        if (self.starts.shape[0] != n + 1 or self.n_rows.shape[0] != n
                or self.weights.shape[0] != n or self.starts[n] != n_own):
            raise ValueError("starts, places, n_rows and weights do not fit the batches")

    cdef int attach(self, job* j, int64_t local_steps) except -1:
        """Point the job to the share."""
        cdef int l, n = j.net.n_layers
        j.n_batches = self.places.shape[0]
        j.starts = &self.starts[0]
        j.places = &self.places[0]
        j.gradient_sum = <void*>self
        self.ranges = [self.range_of(j, l) for l in range(n + trains_encoding(j.net.encoding))]
        if local_steps > 0:
            j.local_steps = local_steps
            j.average_parameters = average_parameters
            return 0
        j.n_rows = &self.n_rows[0]
        j.weights = &self.weights[0]
        j.add_gradients = add_gradients
        j.add_up = add_up_numbers
        self.pieces = [self.pieces_of(j, l) for l in range(len(self.ranges))]
        return 0

    cdef object range_of(self, job* j, int l):
        """Where the trained numbers of layer l, or of the encodings, lie in the parameters."""
        cdef int n = j.net.n_layers
        cdef bint has_encoding = trains_encoding(j.net.encoding)
        cdef Py_ssize_t end = j.n_numbers, first
        if l < n and has_encoding:
            end = j.net.encoding.first
        if l + 1 < n:
            end = j.net.layers[l + 1].weight
        first = j.net.encoding.first if l == n else j.net.layers[l].weight
        return (end if l < n and j.net.layers[l].frozen else first, end)

    cdef list pieces_of(self, job* j, int l):
        """The gradient's pieces in `sums`; to the last of all belongs one more number."""
        cdef int piece, n_pieces = 1 if l == j.net.n_layers else piece_count(&j.net.layers[l])
        cdef Py_ssize_t first, end
        first, end = self.ranges[l]
        end += l == len(self.ranges) - 1
        edges = [first, *[piece_start(&j.net.layers[l], piece, n_pieces)
                          for piece in range(1, n_pieces)], end]
        return [numbers_at(j.sums, first, end) for first, end in zip(edges, edges[1:])]

    cdef int call(self, int l, int piece) except -1:
        """Start the sum of a piece, or wait for those of all pieces of layer l."""
        if piece == ALL_PIECES:
            self.sum.finish(len(self.pieces[l]))
        else:
            self.sum.start(self.pieces[l][piece])
        return 0

    cdef list numbers_of(self, real* numbers):
        """The trained numbers in a buffer laid out like the parameters; none if there is none."""
        if numbers == NULL:
            return []
        return [numbers_at(numbers, first, end) for first, end in self.ranges if first < end]

    cdef bint average(self, job* j) except -1:
        """Average the parameters; after the last batch also what has been made of gradients."""
        cdef bint finite = isfinite(j.cost) and not j.not_finite
        cdef int l
        cdef const layer* L
        cdef real* statistics = j.net.normalization.statistics
        found = self.numbers_of(j.net.parameters)
        for l in range(j.net.n_layers):
            L = &j.net.layers[l]
            if L.scale > 0 and not L.frozen:
                found.append(numbers_at(statistics, L.statistics,
                                        L.statistics + 2 * padded(L.n_out)))
        if not self.parameter_average(found, finite):
            return False
        if j.next == j.n_batches:
            found = self.numbers_of(j.slots[0]) + self.numbers_of(j.slots[1])
            self.parameter_average(found + self.numbers_of(j.average), True)
        return True

    cdef int raise_error(self) except -1:
        if self.error is not None:
            raise self.error
        return 0


cdef object numbers_at(real* numbers, Py_ssize_t first, Py_ssize_t end):
    """The numbers first … end as an array, which is not to outlive them."""
    return np.asarray(<real[:end - first]>(numbers + first)) if first < end else np.empty(0, DTYPE)


cdef void add_gradients(job* j, int l, int piece) noexcept with gil:
    """Denormal numbers count as long as Python computes.  After an error nothing more is added."""
    cdef unsigned long long flushing = flush_denormals()
    restore_denormals(j.denormals)
    sum_call = <GradientSumCall>j.gradient_sum
    try:
        if not j.failed:
            sum_call.call(l, piece)
    except BaseException as error:
        sum_call.error = error
        j.failed = True
    finally:
        restore_denormals(flushing)


cdef void add_up_numbers(void* of, real* numbers, Py_ssize_t n) noexcept with gil:
    """Likewise, of the sums of a normalized layer."""
    cdef job* j = <job*>of
    cdef unsigned long long flushing = flush_denormals()
    restore_denormals(j.denormals)
    sum_call = <GradientSumCall>j.gradient_sum
    try:
        if not j.failed:
            sum_call.sum.add_up(numbers_at(numbers, 0, n))
    except BaseException as error:
        sum_call.error = error
        j.failed = True
    finally:
        restore_denormals(flushing)


cdef bint average_parameters(job* j) noexcept with gil:
    """Likewise; whether the cost and the parameters of all processes are finite."""
    cdef unsigned long long flushing = flush_denormals()
    restore_denormals(j.denormals)
    sum_call = <GradientSumCall>j.gradient_sum
    try:
        return sum_call.average(j)
    except BaseException as error:
        sum_call.error = error
        j.failed = True
        return True
    finally:
        restore_denormals(flushing)
