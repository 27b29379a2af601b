"""Cost of one example beside its output delta, from z(nl).

    squared_error         ½ Σ_j (a_j − y_j)²               δ = (a − y) ∘ f'(z)
    absolute_error, huber, quantile
                          Σ_j ρ(a_j − y_j)                 δ = ρ'(a − y) ∘ f'(z)
    cross_entropy         −Σ_j y_j log a_j, a = softmax z  δ = a − y        (Σ_j y_j = 1)
                          or the sum of that over groups of outputs, each with its own softmax
    binary_cross_entropy  −Σ_j (y_j log a_j + (1 − y_j) log(1 − a_j)), a = sigmoid z
                                                           δ = a − y
    poisson               Σ_j (a_j − y_j log a_j), a = eᶻ  δ = a − y
    gamma                 Σ_j (y_j/a_j + log a_j), a = eᶻ  δ = 1 − y/a
The last four hold since the derivative of the cost by a and f' cancel.  In training targets of
the cross-entropies may be smoothed by s: y ← (1 − s)·y + s/K over K classes, or s/2 for yes or no
(Szegedy et al. 2016).  A row of `a` holds z on entry and a(nl) on return; the padding behind n_out
is left zero in both rows.
"""
from libc.math cimport log
from .activations cimport activate
from .math cimport absolute, exp, log1p_unit, sigmoid
from .vector cimport WIDTH, load, real, splat, store, vec

cdef enum:
    SQUARED_ERROR
    CROSS_ENTROPY
    BINARY_CROSS_ENTROPY
    ABSOLUTE_ERROR
    HUBER
    QUANTILE
    POISSON
    GAMMA
    CUSTOM                      # written in Python: see epoch.pxd


cdef struct objective:          # a loss
    int kind
    # Huber's δ, the quantiles of each target or the sizes of a cross-entropy's groups; else 0
    const real* constants
    Py_ssize_t n_constants      # at least 1


cdef inline int loss_kind(name) except -1:
    """The kernel of a loss's public name."""
    return {
        "squared_error": SQUARED_ERROR, "cross_entropy": CROSS_ENTROPY,
        "binary_cross_entropy": BINARY_CROSS_ENTROPY, "absolute_error": ABSOLUTE_ERROR,
        "huber": HUBER, "quantile": QUANTILE, "poisson": POISSON, "gamma": GAMMA,
        "custom": CUSTOM,
    }[name]


cdef inline real ordered_sum(const real* x, Py_ssize_t n) noexcept nogil:
    """Σ x in sixteen interleaved sums: vectorizable, and the same order on every vector width."""
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


cdef inline void clear_padding(real* row, Py_ssize_t n) noexcept nogil:
    """Zeros from n to the next whole vector."""
    while n % WIDTH:
        row[n] = 0
        n += 1


cdef inline double squared_error(int activation, real parameter, real* a, real* delta,
                                 const real* y, Py_ssize_t n) noexcept nogil:
    """a = f(z), δ = (a − y) ∘ f'(z); returns ½ Σ (a − y)²."""
    cdef real partial[16]
    cdef real total = 0
    cdef Py_ssize_t j
    activate(activation, parameter, a, 0, delta, 0, 1, <int>((n + WIDTH - 1) // WIDTH))
    for j in range(16):
        partial[j] = 0
    for j in range(n):
        partial[j % 16] += (a[j] - y[j]) * (a[j] - y[j])
        delta[j] = (a[j] - y[j]) * delta[j]
    for j in range(16):
        total += partial[j]
    return 0.5 * total


# ρ(r) and its slope ρ'(r); k is Huber's δ or the quantile
ctypedef real (*residual_cost_t)(real r, real k, real* slope) noexcept nogil


cdef inline real absolute_value(real r, real k, real* slope) noexcept nogil:
    """ρ(r) = |r|,  ρ'(0) = 0"""
    slope[0] = <real>((r > 0) - (r < 0))
    return slope[0] * r


cdef inline real huber(real r, real k, real* slope) noexcept nogil:
    """ρ(r) = ½ r² for |r| ≤ k, else k(|r| − ½ k): s(r − ½ s) with s = ρ'(r), r cut off at ±k."""
    slope[0] = min(max(r, -k), k)
    return slope[0] * (r - slope[0] / 2)


cdef inline real pinball(real r, real k, real* slope) noexcept nogil:
    """ρ(r) = (1 − k) r for r > 0, else −k r;  ρ'(0) = 0"""
    slope[0] = 0 if r == 0 else <real>(r > 0) - k
    return slope[0] * r


cdef inline double residual_costs(residual_cost_t rho, const objective* loss, int activation,
                                  real parameter, real* a, real* delta, const real* y,
                                  Py_ssize_t n) noexcept nogil:
    """a = f(z), δ = ρ'(a − y) ∘ f'(z); returns Σ ρ(a − y).  Each y has n_constants outputs."""
    cdef real partial[16]
    cdef real slope, total = 0
    cdef Py_ssize_t j, k = 0
    activate(activation, parameter, a, 0, delta, 0, 1, <int>((n + WIDTH - 1) // WIDTH))
    for j in range(16):
        partial[j] = 0
    for j in range(n):
        partial[j % 16] += rho(a[j] - y[0], loss.constants[k], &slope)
        delta[j] *= slope
        k += 1
        if k == loss.n_constants:
            k = 0
            y += 1
    for j in range(16):
        total += partial[j]
    return total


cdef inline double exponential_costs(int kind, real* a, real* delta, const real* y,
                                     Py_ssize_t n) noexcept nogil:
    """a = eᶻ.  Poisson: returns Σ (a − y z), δ = a − y.  Gamma: Σ (y e⁻ᶻ + z), δ = 1 − y e⁻ᶻ."""
    cdef vec sign = splat(-1 if kind == GAMMA else 1)
    cdef real partial[16]
    cdef real total = 0
    cdef Py_ssize_t j = 0
    while j < n:
        store(delta + j, exp(load(a + j) * sign))
        j += WIDTH
    for j in range(16):
        partial[j] = 0
    if kind == GAMMA:
        for j in range(n):
            delta[j] *= y[j]
            partial[j % 16] += delta[j] + a[j]
            delta[j] = 1 - delta[j]
    else:
        for j in range(n):
            partial[j % 16] += delta[j] - y[j] * a[j]
            delta[j] -= y[j]
    j = 0
    while j < n:
        store(a + j, exp(load(a + j)))
        j += WIDTH
    for j in range(16):
        total += partial[j]
    return total


cdef inline real largest(const real* z, Py_ssize_t n) noexcept nogil:
    """max z, in four interleaved maxima and without a branch.

    Any number if one is NaN: exp(z − it) is NaN there all the same, and so is their sum.
    """
    cdef real most[4]
    cdef Py_ssize_t j = 0
    cdef int i
    for i in range(4):
        most[i] = z[0]
    while j + 4 <= n:
        for i in range(4):
            most[i] = z[j + i] if z[j + i] > most[i] else most[i]
        j += 4
    for i in range(n - j):
        most[i] = z[j + i] if z[j + i] > most[i] else most[i]
    most[0] = most[2] if most[2] > most[0] else most[0]
    most[1] = most[3] if most[3] > most[1] else most[1]
    return most[1] if most[1] > most[0] else most[0]


cdef inline double log_sum_exp(const real* z, real* e, Py_ssize_t n, real* total) noexcept nogil:
    """e = exp(z − max z) and its sum; returns log Σ exp z."""
    cdef real most = largest(z, n)
    cdef Py_ssize_t j = 0
    cdef vec shift = splat(most)
    while j < n:
        store(e + j, exp(load(z + j) - shift))
        j += WIDTH
    total[0] = ordered_sum(e, n)
    return most + log(<double>total[0])


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
    cdef real total, kept = 1 - smoothing, even = smoothing / <real>n
    cdef double cost = 0, bound = log_sum_exp(a, delta, n, &total)
    cdef Py_ssize_t j
    if y == NULL:
        cost = kept * (bound - a[label])
    else:
        for j in range(n):
            if y[j] != 0:
                cost += kept * y[j] * (bound - a[j])
    if smoothing != 0:
        for j in range(n):
            cost += even * (bound - a[j])
    softmax_from(delta, total, a, n)
    for j in range(n):
        delta[j] = a[j] - even
    if y == NULL:
        delta[label] -= kept
    else:
        for j in range(n):
            delta[j] -= kept * y[j]
    return cost


cdef inline bint in_groups(const objective* loss) noexcept nogil:
    return loss.constants[0] != 0


cdef inline void group_exponentials(const objective* loss, const real* z, real* e,
                                    Py_ssize_t n) noexcept nogil:
    """e = exp(z − max z), each group with its own max: a group begins anywhere in a vector."""
    cdef Py_ssize_t g, end, j = 0
    cdef real most
    for g in range(loss.n_constants):
        end = j + <Py_ssize_t>loss.constants[g]
        most = largest(z + j, end - j)
        while j < end:
            e[j] = z[j] - most
            j += 1
    clear_padding(e, n)
    j = 0
    while j < n:
        store(e + j, exp(load(e + j)))
        j += WIDTH


cdef inline void group_softmax(const objective* loss, real* a, real* scratch,
                               Py_ssize_t n) noexcept nogil:
    """a = softmax z, group by group."""
    cdef Py_ssize_t g, end, j = 0
    cdef real total
    group_exponentials(loss, a, scratch, n)
    for g in range(loss.n_constants):
        end = j + <Py_ssize_t>loss.constants[g]
        total = ordered_sum(scratch + j, end - j)
        while j < end:
            a[j] = scratch[j] / total
            j += 1


cdef inline double group_cross_entropies(const objective* loss, real* a, real* delta,
                                         const real* y, real smoothing,
                                         Py_ssize_t n) noexcept nogil:
    """`cross_entropy` of each group, the same bits; returns their sum.  `y` is probabilities."""
    cdef real total, even, kept = 1 - smoothing
    cdef double bound, cost, sum_of_costs = 0
    cdef Py_ssize_t g, size, j, first = 0
    group_exponentials(loss, a, delta, n)
    for g in range(loss.n_constants):
        size = <Py_ssize_t>loss.constants[g]
        total = ordered_sum(delta + first, size)
        bound = largest(a + first, size) + log(<double>total)
        even = smoothing / <real>size
        cost = 0
        for j in range(first, first + size):
            if y[j] != 0:
                cost += kept * y[j] * (bound - a[j])
        if smoothing != 0:
            for j in range(first, first + size):
                cost += even * (bound - a[j])
        for j in range(first, first + size):
            a[j] = delta[j] / total
            delta[j] = a[j] - even
            delta[j] -= kept * y[j]
        sum_of_costs += cost
        first += size
    return sum_of_costs


cdef inline double binary_cross_entropy(real* a, real* delta, const real* y, real smoothing,
                                        Py_ssize_t n) noexcept nogil:
    """a = sigmoid z, δ = a − y; returns Σ (max(z, 0) − y·z) + log(1 + e^−|z|).

    Grouped so, nothing cancels: the first bracket is exact where y is 0 or 1.
    """
    cdef vec z
    cdef real total, kept = 1 - smoothing, even = smoothing / 2
    cdef Py_ssize_t j = 0
    while j < n:
        z = load(a + j)
        store(delta + j, log1p_unit(exp(-absolute(z))))
        j += WIDTH
    for j in range(n):
        delta[j] += max(a[j], <real>0) - (kept * y[j] + even) * a[j]
    total = ordered_sum(delta, n)
    j = 0
    while j < n:
        z = load(a + j)
        store(a + j, sigmoid(z))
        j += WIDTH
    for j in range(n):
        delta[j] = a[j] - (kept * y[j] + even)
    return total


cdef inline double output_delta(const objective* loss, int activation, real parameter,
                                real* a,                # IN z(nl), OUT a(nl)
                                real* delta,            # OUT δ(nl)
                                const real* y,          # IN, NULL with labels
                                Py_ssize_t label, real smoothing,
                                Py_ssize_t n) noexcept nogil:
    """One example: its cost, its output activation and its output delta.

    Of a loss written in Python 1 and f'(z), to be multiplied by what that says.
    """
    cdef double cost = 1
    if loss.kind == CROSS_ENTROPY:
        if in_groups(loss):
            cost = group_cross_entropies(loss, a, delta, y, smoothing, n)
        else:
            cost = cross_entropy(a, delta, y, label, smoothing, n)
    elif loss.kind == BINARY_CROSS_ENTROPY:
        cost = binary_cross_entropy(a, delta, y, smoothing, n)
    elif loss.kind == SQUARED_ERROR:
        cost = squared_error(activation, parameter, a, delta, y, n)
    elif loss.kind == ABSOLUTE_ERROR:
        cost = residual_costs(absolute_value, loss, activation, parameter, a, delta, y, n)
    elif loss.kind == HUBER:
        cost = residual_costs(huber, loss, activation, parameter, a, delta, y, n)
    elif loss.kind == QUANTILE:
        cost = residual_costs(pinball, loss, activation, parameter, a, delta, y, n)
    elif loss.kind == CUSTOM:
        activate(activation, parameter, a, 0, delta, 0, 1, <int>((n + WIDTH - 1) // WIDTH))
    else:
        cost = exponential_costs(loss.kind, a, delta, y, n)
    clear_padding(a, n)
    clear_padding(delta, n)
    return cost


cdef inline void output_activation(const objective* loss, int activation, real parameter,
                                   real* a,             # IN z(nl), OUT a(nl)
                                   real* scratch, Py_ssize_t n) noexcept nogil:
    """One example without a target."""
    cdef real total
    if loss.kind == CROSS_ENTROPY and in_groups(loss):
        group_softmax(loss, a, scratch, n)
    elif loss.kind == CROSS_ENTROPY:
        log_sum_exp(a, scratch, n, &total)
        softmax_from(scratch, total, a, n)
    else:
        activate(activation, parameter, a, 0, scratch, 0, 1, <int>((n + WIDTH - 1) // WIDTH))
