"""Encodings of the columns of X: a(1) = s ∘ e(x), made while a batch is gathered.

    numeric            e = x
    piecewise linear   e_t = (x − b_t)/(b_{t+1} − b_t) in the bin t that holds x, the first and the
                       last of which have no end; 1 in the bins below it, 0 in those above
    one-hot            e_k = 1 for the code k, otherwise 0; all 0 for the code −1
    embedding          e = row k of a learned table; 0 for the code −1
    periodic           e = [x, V cos(2π w x + b) + c] with learned w, b, V, c (periodic.pxd)

Column j of X becomes the columns first … first + n_out of a(1).  Of each chunk of a batch, step.pxd
first reads X into the thread's scratch (inputs.pxd) and calls `make_waves`, then for each example
`encode` for a dense row or `encode_sparse` for a sparse row.  Both give the same numbers; the sparse
row is made without touching the zeros.  The codes of categories are checked here too, because X
belongs to its user: whatever it holds by now, no index leaves the levels.

The learned parameters lie after those of the layers, in the same order on every instruction set:
those of each column, then the factors s.  encoding_gradients.pxd has their gradients.
"""
from libc.string cimport memcpy, memset
from .inputs cimport CODES_CHANGED, examples, number
from .panels cimport clear_padding, padded
from .periodic cimport n_periodic, periodic, periodic_place
from .team cimport set_bits
from .vector cimport LAST_INDEX, WIDTH, entry, lane_int, load, real, store
from .workspace cimport scratch

cdef enum:
    NUMERIC
    PIECEWISE_LINEAR
    ONE_HOT
    EMBEDDING
    PERIODIC

cdef struct column_encoding:
    int kind
    Py_ssize_t first, n_out     # its columns of a(1)
    Py_ssize_t n                # bins, levels or frequencies
    const real* edges           # (n + 1,) of the bins, increasing
    Py_ssize_t place, n_numbers     # where its parameters begin, and how many numbers they take
    Py_ssize_t wave             # its first row of the scratch `waves`


cdef struct input_encoding:
    Py_ssize_t n_columns        # of X
    Py_ssize_t n_out            # of a(1)
    Py_ssize_t n_waves          # outputs of periodic encodings but x itself
    const column_encoding* columns
    Py_ssize_t first, last      # where the parameters of all encodings lie; equal: there are none
    Py_ssize_t scale            # where s begins among them; `last`: there is no s
    bint frozen
    real rate, scale_rate, scale_decay  # factors of the learning rate, and of the decay of s


cdef inline Py_ssize_t column_stride(const input_encoding* E) noexcept nogil:
    """Numbers from one row of the scratch `columns` to the next."""
    return padded(E.n_columns)


cdef inline Py_ssize_t code_of(const column_encoding* c, real x, int* changed) noexcept nogil:
    """The level that x is the code of; −1 if it is the code of none."""
    if 0 <= x < c.n:            # false for NaN
        return <Py_ssize_t>x
    if x != -1:
        set_bits(changed, CODES_CHANGED)
    return -1


cdef inline Py_ssize_t bin_of(const column_encoding* c, real x) noexcept nogil:
    """The bin of x: the number of edges between two bins that are at most x; 0 for NaN."""
    cdef Py_ssize_t low = 0, high = c.n - 1, middle
    while low < high:
        middle = (low + high + 1) // 2
        if c.edges[middle] <= x:
            low = middle
        else:
            high = middle - 1
    return low


cdef inline real place_in_bin(const column_encoding* c, Py_ssize_t t, real x) noexcept nogil:
    """(x − b_t)/(b_{t+1} − b_t)"""
    return (x - c.edges[t]) / (c.edges[t + 1] - c.edges[t])


cdef inline void make_waves(const input_encoding* E, const real* parameters, scratch* own,
                            Py_ssize_t m) noexcept nogil:
    """V cos(2π w x + b) + c of m rows, for every column with a periodic encoding."""
    cdef Py_ssize_t j
    cdef const column_encoding* c
    for j in range(E.n_columns):
        c = &E.columns[j]
        if c.kind == PERIODIC:
            periodic(periodic_place(parameters + c.place, c.n, c.n_out - 1), own.columns + j,
                     column_stride(E), m, own.waves + c.wave * own.wave_stride, own.wave_stride)


cdef inline void encode_column(const column_encoding* c, const real* parameters,
                               const scratch* own, Py_ssize_t r, real x,
                               real* e,                     # OUT (n_out,)
                               int* changed) noexcept nogil:
    """e(x) of one column of row r of the chunk."""
    cdef Py_ssize_t k, code
    if c.kind == NUMERIC:
        e[0] = x
    elif c.kind == PIECEWISE_LINEAR:
        code = bin_of(c, x)
        for k in range(code):
            e[k] = 1
        e[code] = place_in_bin(c, code, x)
        for k in range(code + 1, c.n):
            e[k] = 0
    elif c.kind == PERIODIC:
        e[0] = x
        for k in range(c.n_out - 1):
            e[1 + k] = own.waves[(c.wave + k) * own.wave_stride + r]
    else:
        code = code_of(c, x, changed)
        if code >= 0 and c.kind == EMBEDDING:
            memcpy(e, parameters + c.place + code * c.n_out, c.n_out * sizeof(real))
            return
        memset(e, 0, c.n_out * sizeof(real))
        if code >= 0:
            e[code] = 1


cdef inline void encode(const input_encoding* E, const real* parameters, const scratch* own,
                        Py_ssize_t r,
                        real* a,                        # OUT (n_out,) and zeros to a whole vector
                        int* changed) noexcept nogil:
    """Row r of a(1)."""
    cdef Py_ssize_t j, k = 0
    cdef const real* x = own.columns + r * column_stride(E)
    for j in range(E.n_columns):
        encode_column(&E.columns[j], parameters, own, r, x[j], a + E.columns[j].first, changed)
    clear_padding(a, E.n_out)
    if E.scale < E.last:
        while k < E.n_out:
            store(a + k, load(a + k) * load(parameters + E.scale + k))
            k += WIDTH


cdef inline Py_ssize_t put(entry* e, Py_ssize_t index, real value, const real* s) noexcept nogil:
    """Write an entry of a sparse row, times s; returns 1, or 0 if the value is zero."""
    if s != NULL:
        value = value * s[index]
    e.index = <lane_int>index
    e.value = value
    return value != 0


cdef inline Py_ssize_t encode_sparse(const input_encoding* E, const real* parameters,
                                     const scratch* own, Py_ssize_t r,
                                     entry* e,                  # OUT
                                     int* changed) noexcept nogil:
    """Row r of a(1) as a sparse row; returns its count of non-zeros."""
    cdef Py_ssize_t j, k, code, n = 0
    cdef const column_encoding* c
    cdef const real* columns = own.columns + r * column_stride(E)
    cdef const real* s = parameters + E.scale if E.scale < E.last else NULL
    cdef real x
    for j in range(E.n_columns):
        c = &E.columns[j]
        x = columns[j]
        if c.kind == NUMERIC:
            n += put(e + n, c.first, x, s)
        elif c.kind == PIECEWISE_LINEAR:
            code = bin_of(c, x)
            for k in range(code):
                n += put(e + n, c.first + k, 1, s)
            n += put(e + n, c.first + code, place_in_bin(c, code, x), s)
        elif c.kind == PERIODIC:
            n += put(e + n, c.first, x, s)
            for k in range(c.n_out - 1):
                n += put(e + n, c.first + 1 + k, own.waves[(c.wave + k) * own.wave_stride + r], s)
        else:
            code = code_of(c, x, changed)
            if code >= 0 and c.kind == ONE_HOT:
                n += put(e + n, c.first + code, 1, s)
            elif code >= 0:
                for k in range(c.n_out):
                    n += put(e + n, c.first + k, parameters[c.place + code * c.n_out + k], s)
    e[n].index = LAST_INDEX
    return n


cdef inline double encoded_density(const input_encoding* E, const examples* x,
                                   Py_ssize_t n_sampled) noexcept nogil:
    """The fraction of non-zeros of a(1) for n_sampled rows of X, evenly spaced."""
    cdef Py_ssize_t i, j, n_nonzeros = 0
    cdef const column_encoding* c
    cdef real value
    cdef int changed = 0        # the pass that follows finds it too
    for i in range(n_sampled):
        for j in range(E.n_columns):
            c = &E.columns[j]
            value = number(x, x.values, i * x.n_rows // n_sampled * x.n_in + j)
            if c.kind == NUMERIC:
                n_nonzeros += value != 0
            elif c.kind == PIECEWISE_LINEAR:
                n_nonzeros += bin_of(c, value) + 1
            elif c.kind == PERIODIC:
                n_nonzeros += c.n_out
            elif code_of(c, value, &changed) >= 0:
                n_nonzeros += 1 if c.kind == ONE_HOT else c.n_out
    return <double>n_nonzeros / max(1, n_sampled * E.n_out)


cdef inline Py_ssize_t n_parameters_of(const column_encoding* c) noexcept nogil:
    """The numbers that the column's parameters take."""
    if c.kind == EMBEDDING:
        return c.n * c.n_out
    return n_periodic(c.n, c.n_out - 1) if c.kind == PERIODIC else 0
