"""Softmax and the two cross-entropies, for one example each.

    cross_entropy          a = softmax z,  δ = a − y,  cost −Σ_j y_j log a_j
    group_cross_entropies  the same for each group of outputs; the cost is their sum
    binary_cross_entropy   a = sigmoid z,  δ = a − y,
                           cost −Σ_j (y_j log a_j + (1 − y_j) log(1 − a_j))

All costs are computed from z without overflow or cancellation.  Targets may be smoothed by s:
y ← given·y + uniform, with given = 1 − s and uniform = s/K for K classes, s/2 for binary targets.
Rows have n numbers and room for whole vectors; the numbers from n on are arbitrary on return.
losses.pxd calls these functions.  Group sizes are whole numbers, stored in the build's type.
"""
from libc.math cimport log
from .math cimport absolute, exp, log1p_unit, sigmoid
from .panels cimport clear_padding
from .vector cimport WIDTH, load, real, splat, store, vec


cdef inline real ordered_sum(const real* x, Py_ssize_t n) noexcept nogil:
    """Σ x by sixteen interleaved sums, whose order is the same for every vector width."""
    cdef real partial[16]
    cdef real total = 0
    cdef Py_ssize_t k = 0
    cdef int i
    for i in range(16):
        partial[i] = 0
    while k + 16 <= n:
        for i in range(16):
            partial[i] += x[k + i]
        k += 16
    for i in range(n - k):
        partial[i] += x[k + i]
    for i in range(min(n, <Py_ssize_t>16)):
        total += partial[i]
    return total


cdef inline real largest(const real* z, Py_ssize_t n) noexcept nogil:
    """max z, by four interleaved maxima without a branch.

    If some z is NaN the result is any number: exp(z − result) is NaN for that z all the same.
    """
    cdef real maximum[4]
    cdef Py_ssize_t j = 0
    cdef int i
    for i in range(4):
        maximum[i] = z[0]
    while j + 4 <= n:
        for i in range(4):
            maximum[i] = z[j + i] if z[j + i] > maximum[i] else maximum[i]
        j += 4
    for i in range(n - j):
        maximum[i] = z[j + i] if z[j + i] > maximum[i] else maximum[i]
    maximum[0] = maximum[2] if maximum[2] > maximum[0] else maximum[0]
    maximum[1] = maximum[3] if maximum[3] > maximum[1] else maximum[1]
    return maximum[1] if maximum[1] > maximum[0] else maximum[0]


cdef inline double log_sum_exp(const real* z, real* e, Py_ssize_t n, real* total) noexcept nogil:
    """e = exp(z − max z) and its sum; returns log Σ exp z."""
    cdef real maximum = largest(z, n)
    cdef Py_ssize_t j = 0
    cdef vec shift = splat(maximum)
    while j < n:
        store(e + j, exp(load(z + j) - shift))
        j += WIDTH
    total[0] = ordered_sum(e, n)
    return maximum + log(<double>total[0])


cdef inline void softmax_from(const real* e, real total, real* a, Py_ssize_t n) noexcept nogil:
    """a = e / Σ e"""
    cdef vec scale = splat(total)
    cdef Py_ssize_t j = 0
    while j < n:
        store(a + j, load(e + j) / scale)
        j += WIDTH


cdef inline double cross_entropy(real* a, real* delta, const real* y, Py_ssize_t label,
                                 real smoothing, Py_ssize_t n) noexcept nogil:
    """a = softmax z, δ = a − y; returns −Σ y log a = Σ y·(log Σ exp z − z).

    `y` is a row of probabilities, or NULL: then y is 1 at `label` and 0 elsewhere.
    """
    cdef real total, given = 1 - smoothing, uniform = smoothing / <real>n
    cdef double cost = 0, log_sum = log_sum_exp(a, delta, n, &total)
    cdef Py_ssize_t j
    if y == NULL:
        cost = given * (log_sum - a[label])
    else:
        for j in range(n):
            if y[j] != 0:
                cost += given * y[j] * (log_sum - a[j])
    if smoothing != 0:
        for j in range(n):
            cost += uniform * (log_sum - a[j])
    softmax_from(delta, total, a, n)
    for j in range(n):
        delta[j] = a[j] - uniform
    if y == NULL:
        delta[label] -= given
    else:
        for j in range(n):
            delta[j] -= given * y[j]
    return cost


cdef inline void group_exponentials(const real* group_sizes, Py_ssize_t n_groups,
                                    const real* z, real* e, Py_ssize_t n) noexcept nogil:
    """e = exp(z − max z), each group with a maximum of its own.

    Group by group only the maximum is subtracted, since a group may begin inside a vector.
    """
    cdef Py_ssize_t g, end, j = 0
    cdef real maximum
    for g in range(n_groups):
        end = j + <Py_ssize_t>group_sizes[g]
        maximum = largest(z + j, end - j)
        while j < end:
            e[j] = z[j] - maximum
            j += 1
    clear_padding(e, n)
    j = 0
    while j < n:
        store(e + j, exp(load(e + j)))
        j += WIDTH


cdef inline void group_softmax(const real* group_sizes, Py_ssize_t n_groups, real* a,
                               real* scratch, Py_ssize_t n) noexcept nogil:
    """a = softmax z, group by group."""
    cdef Py_ssize_t g, end, j = 0
    cdef real total
    group_exponentials(group_sizes, n_groups, a, scratch, n)
    for g in range(n_groups):
        end = j + <Py_ssize_t>group_sizes[g]
        total = ordered_sum(scratch + j, end - j)
        while j < end:
            a[j] = scratch[j] / total
            j += 1


cdef inline double group_cross_entropies(const real* group_sizes, Py_ssize_t n_groups, real* a,
                                         real* delta, const real* y, real smoothing,
                                         Py_ssize_t n) noexcept nogil:
    """`cross_entropy` of each group with the same bits; returns the sum of their costs.

    `y` is a row of probabilities.
    """
    cdef real total, uniform, given = 1 - smoothing
    cdef double log_sum, cost, sum_of_costs = 0
    cdef Py_ssize_t g, size, j, first = 0
    group_exponentials(group_sizes, n_groups, a, delta, n)
    for g in range(n_groups):
        size = <Py_ssize_t>group_sizes[g]
        total = ordered_sum(delta + first, size)
        log_sum = largest(a + first, size) + log(<double>total)
        uniform = smoothing / <real>size
        cost = 0
        for j in range(first, first + size):
            if y[j] != 0:
                cost += given * y[j] * (log_sum - a[j])
        if smoothing != 0:
            for j in range(first, first + size):
                cost += uniform * (log_sum - a[j])
        for j in range(first, first + size):
            a[j] = delta[j] / total
            delta[j] = a[j] - uniform
            delta[j] -= given * y[j]
        sum_of_costs += cost
        first += size
    return sum_of_costs


cdef inline double binary_cross_entropy(real* a, real* delta, const real* y, real smoothing,
                                        Py_ssize_t n) noexcept nogil:
    """a = sigmoid z, δ = a − y; returns Σ (max(z, 0) − y·z) + log(1 + e^−|z|).

    Nothing cancels in this form: max(z, 0) − y·z is exact where y is 0 or 1.
    """
    cdef vec z
    cdef real total, given = 1 - smoothing, uniform = smoothing / 2
    cdef Py_ssize_t j = 0
    while j < n:
        z = load(a + j)
        store(delta + j, log1p_unit(exp(-absolute(z))))
        j += WIDTH
    for j in range(n):
        delta[j] += max(a[j], <real>0) - (given * y[j] + uniform) * a[j]
    total = ordered_sum(delta, n)
    j = 0
    while j < n:
        z = load(a + j)
        store(a + j, sigmoid(z))
        j += WIDTH
    for j in range(n):
        delta[j] = a[j] - (given * y[j] + uniform)
    return total
