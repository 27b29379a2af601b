# Part of engine.pyx: the encodings of the columns of X (encodings.pxd).

cdef dict ENCODINGS = {
    "numeric": NUMERIC, "piecewise_linear": PIECEWISE_LINEAR, "one_hot": ONE_HOT,
}


cdef class InputEncoding:
    """The encodings of all columns, and the memory that their descriptions lie in."""
    cdef input_encoding e
    cdef Block columns, constants

    def __cinit__(self, columns):
        """Each column has (name, outputs, bins or levels, edges)."""
        cdef Py_ssize_t j, first = 0, n = len(columns)
        cdef column_encoding* c
        cdef real* constants
        self.columns = Block(n * <Py_ssize_t>sizeof(column_encoding))
        self.constants = Block(sum(len(one[3]) for one in columns) * <Py_ssize_t>sizeof(real))
        constants = <real*>self.constants.data
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
            first += c.n_out
        self.e.n_columns = n
        self.e.n_out = first
        self.e.columns = <const column_encoding*>self.columns.data
