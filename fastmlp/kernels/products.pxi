# Part of operations.pyx: the three products of a layer.

cdef class OneLayer:
    """A layer n_in → n_out with m examples: its parameters, a(l), a(l+1), δ(l) and δ(l+1)."""
    cdef layer L
    cdef workspace w
    cdef activation_layer activations[2]
    cdef scratch own
    cdef layer_choices choices[1]
    cdef real table[256]        # the number of a byte: itself
    cdef real* parameters       # weight panels, then biases
    cdef real* sums             # the gradient, laid out like the parameters
    cdef void* allocated
    cdef Py_ssize_t m, n_numbers

    def __cinit__(self, Py_ssize_t m, Py_ssize_t n_in, Py_ssize_t n_out, way="dense"):
        cdef Py_ssize_t i, size, line = 64 // <Py_ssize_t>sizeof(real)
        cdef char* base
        self.m = m
        self.L.n_in = self.L.n_terms = n_in
        self.L.n_out = n_out
        self.L.bias = (n_in * padded(n_out) + line - 1) // line * line
        self.n_numbers = self.L.bias + (padded(n_out) + line - 1) // line * line
        self.w.activations = self.activations
        self.w.threads = &self.own
        self.w.n_rows = m
        self.w.n_layers = self.w.n_threads = 1
        self.w.input_delta = True
        self.w.choices = self.choices
        self.w.input_density = 0.5
        self.w.reads_bytes = way == "bytes"
        for i in range(256):
            self.table[i] = i
        self.choices[0].forward.possible = True
        size = lay_out(&self.w, &self.L, n_in, True, NULL)
        self.allocated = calloc(size + 64 + 2 * self.n_numbers * sizeof(real), 1)
        if self.allocated == NULL:
            raise MemoryError("no room for a layer")
        base = <char*>((<uintptr_t>self.allocated + 63) & ~<uintptr_t>63)
        lay_out(&self.w, &self.L, n_in, True, base)
        self.parameters = <real*>(base + size)
        self.sums = self.parameters + self.n_numbers

    def __dealloc__(self):
        free(self.allocated)

    cdef int put(self, matrix* target, const real[:, ::1] values) except -1:
        """Copy an array into a batch matrix."""
        cdef Py_ssize_t r
        for r in range(values.shape[0]):
            memcpy(target.values + r * target.stride, &values[r, 0],
                   values.shape[1] * sizeof(real))
        return 0

    cdef object get(self, matrix* source, Py_ssize_t n):
        """Return a batch matrix as an array."""
        cdef Py_ssize_t r
        cdef real[:, ::1] values
        result = np.empty((self.m, n), DTYPE)
        values = result
        for r in range(self.m):
            copy_row(source, r, n, &values[r, 0])
        return result

    cdef void take_bytes(self):
        """Make rows of bytes of a(l), which holds whole numbers from 0 to 255."""
        cdef Py_ssize_t r, k
        cdef unsigned char* row = self.own.byte_rows
        for r in range(self.m):
            for k in range(self.L.n_in):
                row[k] = <unsigned char>at(&self.own.input.a, r, 0)[k]
            self.own.input.a.rows[r] = <const real*>row
            row += byte_stride(self.L.n_in)
        self.own.input.a.table = self.table

    cdef void compress_input(self, bint by_column):
        """Make the sparse rows of a(l), perhaps those of its transpose too."""
        cdef Py_ssize_t r
        for r in range(self.m):
            compress_row(at(&self.own.input.a, r, 0), self.L.n_in,
                         self.own.input_rows.entries + r * self.own.input_rows.capacity)
        if by_column:
            columns_from_rows(&self.own.input_rows, self.m, 0, self.L.n_in, self.own.ends,
                              &self.own.input_columns)


def forward(const real[:, ::1] a, const real[:, ::1] W, const real[::1] b, way="dense",
            int part=0, int n_parts=1, int[::1] shares=None):
    """Return z = a Wᵀ + b, (m, n_out).

    With n_parts only the elements that thread `part` of so many computes; the others are zero.  The
    parts are equal, or as `shares` say (partition.pxd).
    The way is "dense", "skipping" zeros, from "sparse" rows, or "bytes" for whole numbers to 255.
    """
    cdef OneLayer one
    cdef const sparse_rows* rows = NULL
    cdef thread_part mine
    if not (a.size and W.size):
        return np.zeros((a.shape[0], W.shape[0]), DTYPE) + np.asarray(b)
    one = OneLayer(a.shape[0], W.shape[1], W.shape[0], way)
    mine = part_of(one.L.n_out, one.L.n_in, one.m, part, n_parts,
                   NULL if shares is None else &shares[0])
    pack(&W[0, 0], one.L.n_out, one.L.n_in, one.parameters)
    memcpy(one.parameters + one.L.bias, &b[0], one.L.n_out * sizeof(real))
    one.put(&one.own.input.a, a)
    if way == "sparse":
        one.compress_input(False)
        rows = &one.own.input_rows
    elif way == "bytes":
        one.take_bytes()
    forward_part(&one.L, one.parameters, &one.own.input, &one.activations[1], rows,
                 way in ("skipping", "bytes"), &one.own, one.w.zeros, NULL, one.m, False, &mine,
                 n_parts)
    return one.get(&one.activations[1].a, one.L.n_out)


def hidden_delta(const real[:, ::1] delta, const real[:, ::1] W, way="dense"):
    """Return Wᵀ δ of every example, (m, n_in): the hidden delta without its factor f'(z).

    δ is never in sparse rows or bytes: these mean "skipping".
    """
    cdef OneLayer one
    cdef Py_ssize_t i
    cdef thread_part whole
    if not (delta.size and W.size):
        return np.zeros((delta.shape[0], W.shape[1]), DTYPE)
    one = OneLayer(delta.shape[0], W.shape[1], W.shape[0])
    whole = part_of(one.L.n_in, 0, one.m, 0, 1, NULL)
    pack(&W[0, 0], one.L.n_out, one.L.n_in, one.parameters)
    one.put(&one.activations[1].delta, delta)
    for i in range(one.m * one.activations[0].delta.stride):
        one.activations[0].delta.values[i] = 1
    hidden_delta_part(&one.L, one.parameters, &one.own.input, &one.activations[1],
                      way != "dense", &one.own, one.w.zeros, one.m, &whole, 1)
    return one.get(&one.activations[0].delta, one.L.n_in)


cdef OneLayer summed_gradient(const real[:, ::1] a, const real[:, ::1] delta, way):
    """A layer whose `sums` are its gradient."""
    cdef const sparse_rows* columns = NULL
    cdef OneLayer one = OneLayer(a.shape[0], a.shape[1], delta.shape[1], way)
    cdef gradient_target g
    cdef thread_part whole = part_of(one.L.n_out, one.L.n_in, one.L.n_in, 0, 1, NULL)
    memset(&g, 0, sizeof(g))
    g.parameters = one.parameters
    g.sums = one.sums
    g.first = g.last = True
    one.put(&one.own.input.a, a)
    one.put(&one.activations[1].delta, delta)
    if way == "sparse":
        one.compress_input(True)
        columns = &one.own.input_columns
    elif way == "bytes":
        one.take_bytes()
    weight_gradient_part(&one.L, &one.own.input, &one.activations[1], columns,
                         way in ("skipping", "bytes"), &one.own, one.w.zeros, one.m, &g, &whole, 1)
    return one


def weight_gradient(const real[:, ::1] a, const real[:, ::1] delta, way="dense"):
    """Return Σ δ aᵀ over the examples, (n_out, n_in)."""
    cdef OneLayer one
    cdef real[:, ::1] values
    if not (a.size and delta.size):
        return np.zeros((delta.shape[1], a.shape[1]), DTYPE)
    one = summed_gradient(a, delta, way)
    result = np.empty((one.L.n_out, one.L.n_in), DTYPE)
    values = result
    unpack(one.sums, one.L.n_out, one.L.n_in, &values[0, 0])
    return result


def bias_gradient(const real[:, ::1] delta):
    """Return Σ δ over the examples, (n_out,)."""
    cdef OneLayer one
    cdef real[::1] values
    if not delta.size:
        return np.zeros(delta.shape[1], DTYPE)
    one = summed_gradient(np.zeros((delta.shape[0], 1), DTYPE), delta, "dense")
    result = np.empty(one.L.n_out, DTYPE)
    values = result
    memcpy(&values[0], one.sums + one.L.bias, one.L.n_out * sizeof(real))
    return result
