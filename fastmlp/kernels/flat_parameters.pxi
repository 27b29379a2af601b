# Part of engine.pyx: all weights and biases in one vector, for minimizers such as L-BFGS.
#
# The order is W(0) row after row, b(0), W(1), …, the same in every build.


cdef class FlatParameters(Parameters):
    """The parameters of a network without batch norm and encodings as one vector."""

    cdef Py_ssize_t n_flat(self) noexcept:
        """The number of weights and biases."""
        cdef int l
        cdef Py_ssize_t n = 0
        for l in range(self.net.n_layers):
            n += (self.net.layers[l].n_in + 1) * self.net.layers[l].n_out
        return n

    def get_flat(self):
        cdef Block numbers = self.reading().source(True)
        return self.flat_out(<real*>numbers.data)

    def set_flat(self, const real[::1] vector):
        cdef int l
        cdef const layer* L
        cdef const real* place = &vector[0]
        cdef real* numbers
        if vector.shape[0] != self.n_flat():
            raise ValueError("the vector does not fit the parameters")
        self.begin_writing()
        numbers = <real*>self.current.numbers.data
        for l in range(self.net.n_layers):
            L = &self.net.layers[l]
            pack(place, L.n_out, L.n_in, numbers + L.weight)
            memcpy(numbers + L.bias, place + L.n_in * L.n_out, L.n_out * sizeof(real))
            place += (L.n_in + 1) * L.n_out
        self.end_writing()

    cdef flat_out(self, const real* numbers):
        """Weights and biases of a buffer laid out like the parameters in one vector."""
        cdef const layer* L
        cdef real[::1] into
        cdef real* place
        cdef int l
        result = np.empty(self.n_flat(), DTYPE)
        into = result
        place = &into[0]
        for l in range(self.net.n_layers):
            L = &self.net.layers[l]
            unpack(numbers + L.weight, L.n_out, L.n_in, place)
            memcpy(place + L.n_in * L.n_out, numbers + L.bias, L.n_out * sizeof(real))
            place += (L.n_in + 1) * L.n_out
        return result

    cdef flat_gradient(self, real* sums, const real* numbers, double mean, double l2):
        """mean · sums + λW in one vector like that of `get_flat`; `sums` is overwritten."""
        cdef const layer* L
        cdef Py_ssize_t i
        cdef int l
        for i in range(self.n_numbers):
            sums[i] *= <real>mean
        for l in range(self.net.n_layers):
            L = &self.net.layers[l]
            for i in range(L.weight, L.weight + L.n_in * padded(L.n_out)):
                sums[i] += <real>l2 * numbers[i]
        return self.flat_out(sums)
