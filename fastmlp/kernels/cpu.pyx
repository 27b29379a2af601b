"""What this processor can run, and on how many threads; checks of arrays.  Built for the baseline."""
from cpython.buffer cimport (PyBUF_STRIDES, PyBuffer_IsContiguous, PyBuffer_Release,
                             PyObject_GetBuffer)
from libc.stdint cimport int32_t, int64_t

cdef extern from "cpu.h" nogil:
    bint supports_v3()
    bint supports_v4()
    bint floats_are_finite(const float* x, Py_ssize_t n)
    bint doubles_are_finite(const double* x, Py_ssize_t n)

cdef extern from "team.h" nogil:
    const bint HAS_OPENMP
    int omp_get_max_threads()

OPENMP = bool(HAS_OPENMP)


def supported() -> tuple[str, ...]:
    """Instruction sets of this processor that fastmlp has builds for, the best first."""
    names = []
    if supports_v4():
        names.append("v4")
    if supports_v3():
        names.append("v3")
    return (*names, "baseline")


def omp_threads() -> int:
    """OpenMP's own thread limit: OMP_NUM_THREADS, or what threadpoolctl has set since."""
    return omp_get_max_threads()


def ready(value, dtype) -> bool:
    """Whether an array of float32 or float64 has this dtype, is in C order and is finite."""
    cdef Py_buffer numbers
    cdef Py_ssize_t n
    cdef bint found
    if value.dtype != dtype:
        return False
    PyObject_GetBuffer(value, &numbers, PyBUF_STRIDES)
    found = PyBuffer_IsContiguous(&numbers, b"C")
    if found:
        n = numbers.len // numbers.itemsize
        with nogil:
            if numbers.itemsize == sizeof(float):
                found = floats_are_finite(<const float*>numbers.buf, n)
            else:
                found = doubles_are_finite(<const double*>numbers.buf, n)
    PyBuffer_Release(&numbers)
    return found


def csr_fault(const int32_t[::1] indices, const int64_t[::1] indptr, int64_t n_columns) -> str:
    """What is wrong with the rows of a CSR matrix, or "": "indptr", "range" or "order".

    "indptr": it does not begin at 0, descends, or ends beyond the indices; "range": an index is no
    column; "order": the indices of a row do not ascend strictly, so that SciPy would have to sort
    them or to sum duplicates.  The cached flags of SciPy are not asked.
    """
    cdef Py_ssize_t r, n_rows = indptr.shape[0] - 1
    cdef int64_t k, first, end
    cdef int32_t before
    cdef bint in_range = True, in_order = True
    if n_rows < 0 or indptr[0] != 0:
        return "indptr"
    with nogil:
        for r in range(n_rows):
            first = indptr[r]
            end = indptr[r + 1]
            if end < first or end > indices.shape[0]:
                with gil:
                    return "indptr"
            before = -1
            for k in range(first, end):
                in_range &= 0 <= indices[k] < n_columns
                in_order &= indices[k] > before
                before = indices[k]
    return "range" if not in_range else "" if in_order else "order"
