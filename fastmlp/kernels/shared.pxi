# Part of engine.pyx: batches that several processes share, each with some of their rows.
#
# Every process computes the gradient of its rows; a Python object adds these up over the processes,
# piece by piece, while the layers below are still computed (epoch.pxd).  The thread that called
# `train` alone takes the GIL.  Then every process makes the same update from the same sums.

cdef class GradientSumCall:
    """The pieces of the gradient, the object that adds them up, and the error that it raised."""
    cdef object sum, error
    cdef list pieces            # an array for each layer of weights
    cdef object tail            # the numbers after the last piece, or None
    cdef const int64_t[::1] starts, places, n_rows
    cdef const double[::1] weights

    def __cinit__(self, share, Py_ssize_t n_own):
        cdef Py_ssize_t n
        self.sum = share.gradient_sum
        self.starts = share.starts
        self.places = share.places
        self.n_rows = share.n_rows
        self.weights = share.weights
        n = self.places.shape[0]
        if (self.starts.shape[0] != n + 1 or self.n_rows.shape[0] != n
                or self.weights.shape[0] != n or self.starts[n] != n_own):
            raise ValueError("starts, places, n_rows and weights do not fit the batches")

    cdef int attach(self, job* j) except -1:
        """Point the job to the share; the gradient's numbers are in `sums`, one piece a layer.

        What follows the last layer is its piece's too, unless parameters of encodings lie there:
        their gradient comes last.
        """
        cdef int l, n = j.net.n_layers
        cdef const layer* layers = j.net.layers
        cdef bint has_tail = trains_encoding(j.net.encoding)
        cdef Py_ssize_t first, end = j.n_numbers + 1
        j.n_batches = self.places.shape[0]
        j.starts = &self.starts[0]
        j.places = &self.places[0]
        j.n_rows = &self.n_rows[0]
        j.weights = &self.weights[0]
        j.gradient_sum = <void*>self
        j.add_gradients = add_gradients
        j.add_up = add_up_numbers
        if has_tail:
            self.tail = numbers_at(j.sums, j.net.encoding.first, end)
            end = j.net.encoding.first
        self.pieces = []
        for l in range(n - 1, -1, -1):      # the last one first
            first = layers[l].weight
            if layers[l].frozen:        # of the last layer there remains what follows it
                first = end if has_tail or l + 1 < n else j.n_numbers
            self.pieces.insert(0, numbers_at(j.sums, first, end))
            end = layers[l].weight
        return 0

    cdef int call(self, int l) except -1:
        if l != ALL_SUMS:
            self.sum.start(self.pieces[l])
            return 0
        if self.tail is not None:
            self.sum.start(self.tail)
        self.sum.finish()
        return 0

    cdef int raise_error(self) except -1:
        if self.error is not None:
            raise self.error
        return 0


cdef object numbers_at(real* numbers, Py_ssize_t first, Py_ssize_t end):
    """The numbers first … end as an array, which is not to outlive them."""
    return np.asarray(<real[:end - first]>(numbers + first)) if first < end else np.empty(0, DTYPE)


cdef void add_gradients(job* j, int l) noexcept with gil:
    """Denormal numbers count as long as Python computes.  After an error nothing more is added."""
    cdef unsigned long long flushing = flush_denormals()
    restore_denormals(j.denormals)
    sum_call = <GradientSumCall>j.gradient_sum
    try:
        if not j.failed:
            sum_call.call(l)
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
