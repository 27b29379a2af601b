"""The losses: cost of one example, output activation a(nl) and output delta δ(nl), from z(nl).

    squared_error         ½ Σ_j (a_j − y_j)²               δ = (a − y) ∘ f'(z)
    absolute_error, huber, quantile
                          Σ_j ρ(a_j − y_j)                 δ = ρ'(a − y) ∘ f'(z)
    cross_entropy         −Σ_j y_j log a_j, a = softmax z  δ = a − y        (Σ_j y_j = 1)
                          or the sum of that over groups of outputs, each with a softmax of its own
    binary_cross_entropy  −Σ_j (y_j log a_j + (1 − y_j) log(1 − a_j)), a = sigmoid z
                                                           δ = a − y
    poisson               Σ_j (a_j − y_j log a_j), a = eᶻ  δ = a − y
    gamma                 Σ_j (y_j/a_j + log a_j), a = eᶻ  δ = 1 − y/a

In the last four the derivative of the cost with respect to a and f'(z) cancel.  In training the
targets of the two cross-entropies may be smoothed by s: y ← (1 − s)·y + s/K with K classes, or s/2
for a binary target (Szegedy et al. 2016).

`output_delta` and `output_activation` are called for each example by step.pxd and prediction.pxd.
A row has n_out numbers and is padded to whole vectors: the row `a` holds z(nl) on entry and a(nl)
on return, the row `delta` receives δ(nl), and the padding of both is zero on return.  A loss has
named constants, which `loss_of` sets from the numbers that the Python class of the loss passes;
callers have checked them.
"""
from libc.math cimport log
from .activations cimport activate
from .cross_entropy cimport (binary_cross_entropy, cross_entropy, group_cross_entropies,
                             group_softmax, log_sum_exp, softmax_from)
from .math cimport exp
from .panels cimport clear_padding
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
    CUSTOM                      # written in Python: custom.pxi calls it


cdef struct loss_function:
    int kind
    real huber_delta            # δ of HUBER
    const real* quantiles       # of QUANTILE: each target has n_quantiles outputs, one for each
    Py_ssize_t n_quantiles
    const real* group_sizes     # of CROSS_ENTROPY: outputs in each of n_groups groups
    Py_ssize_t n_groups         # 0: the outputs are one group


cdef inline loss_function loss_of(name, const real* constants, Py_ssize_t n_constants) except *:
    """A loss by its public name; `constants` must stay in memory as long as the loss is used."""
    cdef loss_function loss
    loss.kind = {
        "squared_error": SQUARED_ERROR, "cross_entropy": CROSS_ENTROPY,
        "binary_cross_entropy": BINARY_CROSS_ENTROPY, "absolute_error": ABSOLUTE_ERROR,
        "huber": HUBER, "quantile": QUANTILE, "poisson": POISSON, "gamma": GAMMA,
        "custom": CUSTOM,
    }[name]
    loss.huber_delta = 0
    loss.quantiles = loss.group_sizes = NULL
    loss.n_quantiles = loss.n_groups = 0
    if loss.kind == HUBER:
        loss.huber_delta = constants[0]
    elif loss.kind == QUANTILE:
        loss.quantiles = constants
        loss.n_quantiles = n_constants
    elif loss.kind == CROSS_ENTROPY:
        loss.group_sizes = constants
        loss.n_groups = n_constants
    return loss


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


# ρ(r) of a residual r = a − y and its slope ρ'(r); k is the loss's constant
ctypedef real (*residual_cost_t)(real r, real k, real* slope) noexcept nogil


cdef inline real absolute_value(real r, real k, real* slope) noexcept nogil:
    """ρ(r) = |r|,  ρ'(0) = 0; k is not used."""
    slope[0] = <real>((r > 0) - (r < 0))
    return slope[0] * r


cdef inline real huber(real r, real k, real* slope) noexcept nogil:
    """ρ(r) = ½ r² for |r| ≤ k, else k(|r| − ½ k), k being Huber's δ.

    As one formula: s(r − ½ s) with s = ρ'(r), which is r limited to ±k.
    """
    slope[0] = min(max(r, -k), k)
    return slope[0] * (r - slope[0] / 2)


cdef inline real pinball(real r, real k, real* slope) noexcept nogil:
    """ρ(r) = (1 − k) r for r > 0, else −k r,  ρ'(0) = 0, k being the quantile."""
    slope[0] = 0 if r == 0 else <real>(r > 0) - k
    return slope[0] * r


cdef inline double residual_costs(residual_cost_t rho, const real* constants,
                                  Py_ssize_t n_constants, int activation, real parameter,
                                  real* a, real* delta, const real* y,
                                  Py_ssize_t n) noexcept nogil:
    """a = f(z), δ = ρ'(a − y) ∘ f'(z); returns Σ ρ(a − y).

    Each target has n_constants outputs, one for each constant in turn.
    """
    cdef real partial[16]
    cdef real slope, total = 0
    cdef Py_ssize_t j, k = 0
    activate(activation, parameter, a, 0, delta, 0, 1, <int>((n + WIDTH - 1) // WIDTH))
    for j in range(16):
        partial[j] = 0
    for j in range(n):
        partial[j % 16] += rho(a[j] - y[0], constants[k], &slope)
        delta[j] *= slope
        k += 1
        if k == n_constants:
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


cdef inline double output_delta(const loss_function* loss, int activation, real parameter,
                                real* a,                # IN z(nl), OUT a(nl)
                                real* delta,            # OUT δ(nl)
                                const real* y,          # IN, NULL with labels
                                Py_ssize_t label, real smoothing,
                                Py_ssize_t n) noexcept nogil:
    """One example: its cost, its output activation and its output delta.

    A loss written in Python gets the cost 1 and the delta f'(z): custom.pxi multiplies them by what
    the loss returns.
    """
    cdef double cost = 1
    cdef real no_constant = 0
    if loss.kind == CROSS_ENTROPY:
        if loss.n_groups > 0:
            cost = group_cross_entropies(loss.group_sizes, loss.n_groups, a, delta, y,
                                         smoothing, n)
        else:
            cost = cross_entropy(a, delta, y, label, smoothing, n)
    elif loss.kind == BINARY_CROSS_ENTROPY:
        cost = binary_cross_entropy(a, delta, y, smoothing, n)
    elif loss.kind == SQUARED_ERROR:
        cost = squared_error(activation, parameter, a, delta, y, n)
    elif loss.kind == ABSOLUTE_ERROR:
        cost = residual_costs(absolute_value, &no_constant, 1, activation, parameter, a, delta, y,
                              n)
    elif loss.kind == HUBER:
        cost = residual_costs(huber, &loss.huber_delta, 1, activation, parameter, a, delta, y, n)
    elif loss.kind == QUANTILE:
        cost = residual_costs(pinball, loss.quantiles, loss.n_quantiles, activation, parameter, a,
                              delta, y, n)
    elif loss.kind == CUSTOM:
        activate(activation, parameter, a, 0, delta, 0, 1, <int>((n + WIDTH - 1) // WIDTH))
    else:
        cost = exponential_costs(loss.kind, a, delta, y, n)
    clear_padding(a, n)
    clear_padding(delta, n)
    return cost


cdef inline double limited_cost(const loss_function* loss, double cost, const real* a, const real* y,
                                double most, Py_ssize_t n) noexcept nogil:
    """The cost of one example by a(nl) if no −log of a probability counts as more than `most`.

    1 − a is rounded as scikit-learn rounds it, which shows where a is almost 1.
    """
    cdef double total = 0
    cdef real p
    cdef Py_ssize_t j
    if loss.kind != BINARY_CROSS_ENTROPY:
        return min(cost, most)
    for j in range(n):
        p = a[j] if y[j] > <real>0.5 else 1 - a[j]
        total += min(most, -log(<double>p))
    return total


cdef inline void output_activation(const loss_function* loss, int activation, real parameter,
                                   real* a,             # IN z(nl), OUT a(nl)
                                   real* scratch, Py_ssize_t n) noexcept nogil:
    """One example without a target."""
    cdef real total
    if loss.kind == CROSS_ENTROPY and loss.n_groups > 0:
        group_softmax(loss.group_sizes, loss.n_groups, a, scratch, n)
    elif loss.kind == CROSS_ENTROPY:
        log_sum_exp(a, scratch, n, &total)
        softmax_from(scratch, total, a, n)
    else:
        activate(activation, parameter, a, 0, scratch, 0, 1, <int>((n + WIDTH - 1) // WIDTH))
