"""Rows of a(l)ᵀ, as the weight gradient's product takes them: see dense.pxd.

    columns_from        (matrices.pxd) where they lie: a(l) itself, read by columns
    copied_columns      from a copy of these columns
    transposed_columns  as dense rows, whose zeros can be skipped
    transposed_bytes    the same of a(1) in bytes, as rows of bytes

The product reads them once for each panel of outputs.  The rows of the user's own array are
scattered in memory, so a block of their columns is copied first.
"""
from libc.string cimport memcpy
from .matrices cimport at, byte_stride, columns_from, matrix, row_stride
from .operands cimport operand
from .panels cimport clear_padding, padded
from .vector cimport BYTES, WIDTH, real, transpose_block, transpose_bytes
from .workspace cimport scratch


cdef inline operand transposed_columns(const matrix* a, Py_ssize_t k, Py_ssize_t n, Py_ssize_t m,
                                       scratch* own) noexcept nogil:
    """Rows k … k + n of aᵀ, of one group of a's columns, as dense rows in this thread's scratch."""
    cdef Py_ssize_t first = k // WIDTH * WIDTH, stride = padded(m), i, r, j
    cdef real* block = own.a_block
    cdef operand x
    i = first
    while i < k + n:
        r = 0
        while r + WIDTH <= m:
            transpose_block(at(a, r, i), a.stride, block + r, stride)
            r += WIDTH
        for j in range(WIDTH):  # the rows that fill no block, and zeros to a whole vector
            for r in range(m // WIDTH * WIDTH, m):
                block[j * stride + r] = at(a, r, i)[j]
            clear_padding(block + j * stride, m)
        block += WIDTH * stride
        i += WIDTH
    for i in range(n):
        own.a_rows[i] = own.a_block + (k - first + i) * stride
    x.rows = own.a_rows
    x.column = 0
    x.transposed = False
    x.table = NULL
    return x


cdef inline operand transposed_bytes(const matrix* a, Py_ssize_t k, Py_ssize_t n, Py_ssize_t m,
                                     scratch* own) noexcept nogil:
    """Rows k … k + n of aᵀ, of the network's input in bytes (`byte_rows` of `scratch`)."""
    cdef Py_ssize_t first = k // BYTES * BYTES, stride = byte_stride(m), i, r = 0
    cdef Py_ssize_t source_stride = byte_stride(own.input.n)
    cdef const unsigned char* source = own.byte_rows + first
    cdef unsigned char* block = <unsigned char*>own.a_block
    cdef operand x
    while r < m:
        i = 0
        while first + i < k + n:
            transpose_bytes(source + i, source_stride, block + i * stride + r, stride)
            i += BYTES
        source += BYTES * source_stride
        r += BYTES
    for i in range(n):
        own.a_rows[i] = <const real*>(block + (k - first + i) * stride)
    x.rows = own.a_rows
    x.column = 0
    x.transposed = False
    x.table = a.table
    return x


cdef inline operand copied_columns(const matrix* a, Py_ssize_t k, Py_ssize_t n, Py_ssize_t m,
                                   scratch* own) noexcept nogil:
    """Rows k … k + n of aᵀ, where a's rows lie anywhere, from a copy of a's columns."""
    cdef Py_ssize_t r, stride = row_stride(n)
    cdef operand x
    for r in range(m):
        own.a_rows[r] = own.a_block + r * stride
        memcpy(own.a_block + r * stride, a.rows[r] + k, n * sizeof(real))
    x.rows = own.a_rows
    x.column = 0
    x.transposed = True
    x.table = NULL
    return x


cdef inline operand gradient_rows(const matrix* a, Py_ssize_t k, Py_ssize_t n, Py_ssize_t m,
                                  bint skip, scratch* own) noexcept nogil:
    """Rows k … k + n of aᵀ, of one group of a's columns, as the product takes them."""
    if a.table != NULL:
        return transposed_bytes(a, k, n, m, own)
    if skip:
        return transposed_columns(a, k, n, m, own)
    if a.rows[0] != a.values:   # the user's own array
        return copied_columns(a, k, n, m, own)
    return columns_from(a, k)
