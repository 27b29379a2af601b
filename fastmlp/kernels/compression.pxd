"""When a batch matrix becomes sparse rows: step.pxd calls these functions, in each thread.

    compress_if_sparse      the rows of a(l) or δ(l), if there are enough zeros for the sparse product
    transpose_own_part      those of a(l)ᵀ, for the weight gradient

Which product is used is a question of time; no bit depends on it (sparse_rows.pxd).
"""
from .dense cimport own_rows_of_weight
from .matrices cimport matrix
from .panels cimport layer
from .sparse_rows cimport columns_from_rows, compress_row_of
from .workspace cimport scratch, sparsity

cdef enum:
    # a layer whose density was too high for sparse rows is measured again after so many batches
    BATCHES_BETWEEN_CHECKS = 16


cdef inline void compress_if_sparse(sparsity* sparse, const matrix* a, Py_ssize_t n, Py_ssize_t m,
                                    long long number, double max_density) noexcept nogil:
    """The sparse rows of a batch matrix, and whether to use them.

    The density is measured by making them; where it was too high, only in some batches.
    """
    cdef Py_ssize_t r, n_nonzeros = 0
    if not sparse.possible or not (sparse.used or number % BATCHES_BETWEEN_CHECKS == 0):
        return
    for r in range(m):
        n_nonzeros += compress_row_of(a, r, n, sparse.rows.entries + r * sparse.rows.capacity)
    sparse.rows.density = sparse.columns.density = <double>n_nonzeros / (m * n)
    sparse.used = sparse.rows.density < max_density


cdef inline void transpose_own_part(const layer* L, sparsity* sparse, scratch* own, Py_ssize_t m,
                                    int part, int n_parts) noexcept nogil:
    """Sparse rows of a(l)ᵀ, for this thread's part of the weight gradient."""
    cdef Py_ssize_t first, last
    if sparse.used:
        own_rows_of_weight(L, part, n_parts, &first, &last)
        columns_from_rows(&sparse.rows, m, first, last, own.ends, &sparse.columns)
