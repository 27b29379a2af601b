"""Norms over whole columns: max-norm of weights, clipping of the gradient, the penalty on weights.

    max-norm   W_j ← W_j · min(1, c/‖W_j‖)     for the weights into each unit j
                                               (Srivastava et al. 2014)
    clipping   g ← g · min(1, c/‖g‖)           ‖g‖² over all trained parameters, λW included
                                               (Pascanu et al. 2013)
    penalty    λ/2 Σ W²                        in double precision

The weights into a unit are a column of a panel (panels.pxd).  Its sum of squares runs over the
inputs in order, and the columns are added in order, so no bit depends on panels or threads.
step.pxd calls the functions for clipping and max-norm in every thread, each for its whole columns;
engine.pyx calls `weight_squares`.
"""
from libc.math cimport sqrt
from .panels cimport layer, panel_count, panel_with_column, panel_start, panel_vectors
from .partition cimport first_vector
from .updates cimport update_average, update_step
from .vector cimport WIDTH, fused, load, real, splat, store, vec


cdef inline const real* column_of(const layer* L, const real* numbers, Py_ssize_t vector,
                                  Py_ssize_t* columns) noexcept nogil:
    """The address of vector number `vector` of the weight's columns, and the stride of its rows."""
    cdef int p = panel_with_column(L.n_out, vector * WIDTH)
    cdef Py_ssize_t first = panel_start(L.n_out, p)
    columns[0] = panel_vectors(L.n_out, p) * WIDTH
    return numbers + L.weight + first * L.n_in + vector * WIDTH - first


cdef inline void limit_norms(const layer* L,
                             real* parameters,      # IN OUT
                             real max_norm,
                             real* average,         # IN OUT of the parameters over steps, or NULL
                             real decay, int part, int n_parts) noexcept nogil:
    """‖W_j‖ ≤ max_norm for this thread's columns, then the average of their parameters."""
    cdef Py_ssize_t v, k, columns
    cdef real* w
    cdef real* w_average
    cdef vec x, square
    cdef real scales[64]        # as many as any vector has lanes
    cdef int i
    cdef bint any_larger
    for v in range(first_vector(L.n_out, L.n_terms, part, n_parts),
                   first_vector(L.n_out, L.n_terms, part + 1, n_parts)):
        w = <real*>column_of(L, parameters, v, &columns)
        square = splat(0)
        for k in range(L.n_in):
            x = load(w + k * columns)
            square = fused(x, x, square)
        store(scales, square)
        any_larger = False
        for i in range(WIDTH):
            if scales[i] > max_norm * max_norm:
                scales[i] = <real>(max_norm / sqrt(<double>scales[i]))
                any_larger = True
            else:
                scales[i] = 1
        if any_larger:
            for k in range(L.n_in):
                store(w + k * columns, load(w + k * columns) * load(scales))
        if average != NULL:
            w_average = <real*>column_of(L, average, v, &columns)
            for k in range(L.n_in):
                update_average(decay, w + k * columns, w_average + k * columns, 1)
            update_average(decay, parameters + L.bias + v * WIDTH, average + L.bias + v * WIDTH, 1)
            if L.scale > 0:
                update_average(decay, parameters + L.scale + v * WIDTH,
                               average + L.scale + v * WIDTH, 1)


cdef inline void gradient_squares(const layer* L, const update_step* u, const real* parameters,
                                  const real* sums, real* squares, int part,
                                  int n_parts) noexcept nogil:
    """Σ g² of each of this thread's columns: of its weights, bias and scale together.

    g is the mean gradient with λW, from the sums over the batch.
    """
    cdef Py_ssize_t v, k, columns
    cdef const real* w
    cdef const real* g
    cdef vec x, square
    for v in range(first_vector(L.n_out, L.n_terms, part, n_parts),
                   first_vector(L.n_out, L.n_terms, part + 1, n_parts)):
        w = column_of(L, parameters, v, &columns)
        g = column_of(L, sums, v, &columns)
        square = splat(0)
        for k in range(L.n_in):
            x = fused(splat(u.l2 * L.l2), load(w + k * columns),
                      load(g + k * columns) * splat(u.mean))
            square = fused(x, x, square)
        x = load(sums + L.bias + v * WIDTH) * splat(u.mean)
        square = fused(x, x, square)
        if L.scale > 0:
            x = load(sums + L.scale + v * WIDTH) * splat(u.mean)
            square = fused(x, x, square)
        store(squares + v * WIDTH, square)


cdef inline void column_squares(const layer* L, const real* parameters, real* squares, int part,
                                int n_parts) noexcept nogil:
    """Σ W² of each of this thread's columns."""
    cdef Py_ssize_t v, k, columns
    cdef const real* w
    cdef vec x, square
    for v in range(first_vector(L.n_out, L.n_terms, part, n_parts),
                   first_vector(L.n_out, L.n_terms, part + 1, n_parts)):
        w = column_of(L, parameters, v, &columns)
        square = splat(0)
        for k in range(L.n_in):
            x = load(w + k * columns)
            square = fused(x, x, square)
        store(squares + v * WIDTH, square)


cdef inline double weight_squares(const layer* L, const real* parameters) noexcept nogil:
    """Σ W² of the layer, in double precision."""
    cdef Py_ssize_t k, columns
    cdef int p, i
    cdef const real* w
    cdef double total = 0
    cdef double squares[64]     # as many as any panel has columns
    for p in range(panel_count(L.n_out)):
        w = parameters + L.weight + panel_start(L.n_out, p) * L.n_in
        columns = panel_vectors(L.n_out, p) * WIDTH
        for i in range(columns):
            squares[i] = 0
        for k in range(L.n_in):
            for i in range(columns):
                squares[i] += <double>w[i] * <double>w[i]
            w += columns
        for i in range(columns):
            total += squares[i]
    return total


cdef inline double total_of(const real* squares, Py_ssize_t n) noexcept nogil:
    cdef double total = 0
    cdef Py_ssize_t j
    for j in range(n):
        total += squares[j]
    return total
