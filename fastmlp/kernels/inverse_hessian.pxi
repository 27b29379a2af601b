# Part of engine.pyx: the approximation of the inverse Hessian by which L-BFGS chooses directions.
#
#     H ≈ (∂²J/∂x²)⁻¹   from the last steps s = x' − x and the changes y = g' − g of the gradient
#
# (Nocedal, "Updating quasi-Newton matrices with limited storage", 1980).  fastmlp/sklearn/minimize.py
# calls it; its vectors are those of `flat_parameters`.

cdef enum:
    N_SUMS = 16         # of a dot product, in every build, so that no bit depends on it


cdef double dot(const real* a, const real* b, Py_ssize_t n) noexcept nogil:
    """Σ a b."""
    cdef double sums[N_SUMS]
    cdef double total = 0
    cdef Py_ssize_t i = 0
    cdef int k
    for k in range(N_SUMS):
        sums[k] = 0
    while i + N_SUMS <= n:
        for k in range(N_SUMS):
            sums[k] += <double>a[i + k] * b[i + k]
        i += N_SUMS
    while i < n:
        sums[0] += <double>a[i] * b[i]
        i += 1
    for k in range(N_SUMS):
        total += sums[k]
    return total


cdef void add_multiple(double factor, const real* a, real* total, Py_ssize_t n) noexcept nogil:
    """total ← total + factor · a."""
    cdef Py_ssize_t i
    for i in range(n):
        total[i] += <real>(factor * a[i])


cdef class InverseHessian:
    """H from the last pairs (s, y), the oldest of which make room for new ones."""
    cdef Block memory           # s and y of each pair, on lines of their own
    cdef Py_ssize_t n, stride
    cdef int capacity, oldest
    cdef readonly int n_pairs
    cdef double[:, ::1] products    # sᵀy and yᵀy of each pair

    def __cinit__(self, Py_ssize_t n, int capacity):
        self.n = n
        self.stride = on_lines(n)
        self.capacity = capacity
        self.memory = Block(2 * capacity * self.stride * <Py_ssize_t>sizeof(real))
        self.products = np.zeros((capacity, 2))

    cdef int place(self, int age) noexcept nogil:
        """Where pair number `age` lies; 0 is the oldest."""
        return (self.oldest + age) % self.capacity

    cdef real* step(self, int place) noexcept nogil:
        return <real*>self.memory.data + 2 * place * self.stride

    cdef real* change(self, int place) noexcept nogil:
        return self.step(place) + self.stride

    def clear(self):
        """Forget all pairs: H = I."""
        self.n_pairs = self.oldest = 0

    def add(self, const real[::1] step, const real[::1] change, double least):
        """Add the pair (s, y) if sᵀy > least, in place of the oldest one if there is no room."""
        cdef int place
        cdef double product
        if step.shape[0] != self.n or change.shape[0] != self.n:
            raise ValueError("the vectors do not fit the approximation")
        product = dot(&step[0], &change[0], self.n)
        if not product > least:
            return
        if self.n_pairs < self.capacity:
            self.n_pairs += 1
        else:
            self.oldest = self.place(1)
        place = self.place(self.n_pairs - 1)
        memcpy(self.step(place), &step[0], self.n * sizeof(real))
        memcpy(self.change(place), &change[0], self.n * sizeof(real))
        self.products[place, 0] = product
        self.products[place, 1] = dot(&change[0], &change[0], self.n)

    def direction(self, const real[::1] gradient):
        """d = −H g, from the newest pair to the oldest and back, and gᵀd."""
        cdef real[::1] d
        cdef Py_ssize_t i
        cdef int age, place
        cdef double scale = 1
        cdef double[::1] factors = np.empty(self.capacity)
        if gradient.shape[0] != self.n:
            raise ValueError("the gradient does not fit the approximation")
        result = np.empty(self.n, DTYPE)
        d = result
        with nogil:
            for i in range(self.n):
                d[i] = -gradient[i]
            for age in range(self.n_pairs - 1, -1, -1):
                place = self.place(age)
                factors[age] = dot(self.step(place), &d[0], self.n) / self.products[place, 0]
                add_multiple(-factors[age], self.change(place), &d[0], self.n)
            if self.n_pairs > 0:
                place = self.place(self.n_pairs - 1)
                scale = self.products[place, 0] / self.products[place, 1]
            for i in range(self.n):
                d[i] = <real>(d[i] * scale)
            for age in range(self.n_pairs):
                place = self.place(age)
                add_multiple(factors[age] - dot(self.change(place), &d[0], self.n)
                             / self.products[place, 0], self.step(place), &d[0], self.n)
        return result, dot(&gradient[0], &d[0], self.n)
