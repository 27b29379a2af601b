"""The optimizers: step 6, the update of a block of parameters.

    g = (1/m) Σ ∂J/∂W + λW           the gradient that every optimizer uses
    gradient descent  W ← W − α g
      with momentum   v ← μ v + g;  W ← W − α v,  Nesterov: W ← W − α (g + μ v)
    Adam, AdamW       m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²
                      W ← (1 − αω)W − α/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)      ω = 0 in Adam
                      with ε/√(1−β₂ᵗ) in place of ε if epsilon_hat is set
    RMSprop           s ← ρ s + (1−ρ)g²;  v ← μ v + g/(√s + ε);  W ← W − α v

Kingma & Ba 2015 (Adam), Loshchilov & Hutter 2019 (AdamW), Sutskever et al. 2013 (Nesterov),
Tieleman & Hinton 2012 (RMSprop), each in PyTorch's form.  Roots and divisions are exactly rounded.

`update` is called from dense.pxd for each block whose summed gradient is complete.  The parameters,
their gradient and the optimizer's state are contiguous and have the same layout (panels.pxd).
"""
from libc.math cimport pow, sqrt
from libc.string cimport memset
from .prefetch cimport claim
from .vector cimport (WIDTH, any_nan, fused, load, real, root, splat, store,
                      store_past_caches, vec)

cdef enum:
    GRADIENT_DESCENT
    ADAM
    RMSPROP

cdef enum parameter_kind:       # what a block of parameters is
    SCALES                      # γ of batch normalization; parameters of encodings
    WEIGHTS                     # which alone have λ and ω
    BIASES                      # which have a learning rate of their own

cdef struct optimizer:
    int kind
    double momentum, beta_1, beta_2, epsilon, weight_decay
    bint nesterov, epsilon_hat


cdef inline optimizer optimizer_of(name, constants) except *:
    """An optimizer by its public name, with its constants in the order of its comment."""
    cdef optimizer rule
    memset(&rule, 0, sizeof(rule))
    if name == "gradient_descent":      # momentum, nesterov
        rule.kind = GRADIENT_DESCENT
        rule.momentum, rule.nesterov = constants
    elif name == "rmsprop":             # ρ, ε, momentum
        rule.kind = RMSPROP
        rule.beta_2, rule.epsilon, rule.momentum = constants
    else:       # adam: β₁, β₂, ε;  adamw: β₁, β₂, ε, ω;  then 1 for epsilon_hat, or nothing
        rule.kind = ADAM
        rule.beta_1, rule.beta_2, rule.epsilon, *rest = constants
        rule.weight_decay = rest.pop(0) if name == "adamw" else 0.0
        rule.epsilon_hat = len(rest) > 0
    return rule


cdef struct update_step:        # the constants of one step
    int kind
    bint nesterov, has_momentum
    bint shared, past_caches    # whether other threads read W, and how it is stored: epilogues.pxd
    real rate, momentum, beta_1, one_minus_beta_1, beta_2, one_minus_beta_2, epsilon
    real root_scale             # 1/√(1−β₂ᵗ)
    real mean                   # 1/m, or 1/Σ of the sample weights
    real l2, keep               # λ and 1 − αω, for weights; biases use 0 and 1
    real bias_rate              # α of biases


cdef inline int n_slots(const optimizer* o) noexcept nogil:
    """Numbers of state that the optimizer needs for each parameter."""
    if o.kind == GRADIENT_DESCENT:
        return 1 if o.momentum != 0 else 0
    return 2


cdef inline update_step prepare_update(const optimizer* o, double rate, double l2, double mean,
                                       long long step) noexcept nogil:
    """The constants of update number `step` = 1, 2, …"""
    cdef update_step u
    cdef double alpha = rate, t = <double>step
    u.kind = o.kind
    u.nesterov = o.nesterov
    u.has_momentum = o.momentum != 0
    u.shared = u.past_caches = False
    u.root_scale = 1
    if o.kind == ADAM:
        alpha = rate / (1 - pow(o.beta_1, t))
        u.root_scale = <real>(1 / sqrt(1 - pow(o.beta_2, t)))
    u.rate = u.bias_rate = <real>alpha
    u.momentum = <real>o.momentum
    u.beta_1 = <real>o.beta_1
    u.one_minus_beta_1 = <real>(1 - o.beta_1)
    u.beta_2 = <real>o.beta_2
    u.one_minus_beta_2 = <real>(1 - o.beta_2)
    u.epsilon = <real>(o.epsilon * (u.root_scale if o.epsilon_hat else 1))
    u.mean = <real>mean
    u.l2 = <real>l2
    u.keep = <real>(1 - rate * o.weight_decay)
    return u


cdef inline update_step for_layer(const update_step* u, real rate, real l2,
                                  real bias_rate) noexcept nogil:
    """The step with the layer's multipliers: of α, of λ and ω, and another one of the α of b."""
    cdef update_step own = u[0]
    own.rate = u.rate * rate
    own.bias_rate = own.rate * bias_rate
    if rate * l2 != 1:
        own.keep = 1 - rate * l2 * (1 - u.keep)
    own.l2 = u.l2 * l2
    return own


cdef inline void update_average(real decay,
                                const real* w,          # IN
                                real* average,          # IN OUT
                                Py_ssize_t n_vectors) noexcept nogil:
    """average ← average + (1 − decay)(w − average)"""
    cdef Py_ssize_t i
    cdef vec x, rest = splat(1 - decay)
    for i in range(n_vectors):
        x = load(average + i * WIDTH)
        store(average + i * WIDTH, fused(rest, load(w + i * WIDTH) - x, x))


cdef inline void store_weight(bint past_caches, real* w, vec x) noexcept nogil:
    if past_caches:
        store_past_caches(w, x)
    else:
        store(w, x)


cdef inline bint update_descent(const update_step* u, real alpha, real l2, real* w, const real* g,
                                real* v, Py_ssize_t n_vectors) noexcept nogil:
    cdef vec x, gradient, velocity, bad = splat(0), rate = splat(-alpha)
    cdef bint past_caches = u.past_caches
    cdef Py_ssize_t i
    for i in range(n_vectors):
        x = load(w + i * WIDTH)
        gradient = fused(splat(l2), x, load(g + i * WIDTH) * splat(u.mean))
        if u.has_momentum:
            velocity = fused(splat(u.momentum), load(v + i * WIDTH), gradient)
            store(v + i * WIDTH, velocity)
            gradient = fused(splat(u.momentum), velocity, gradient) if u.nesterov else velocity
        x = fused(rate, gradient, x)
        bad = fused(x, splat(0), bad)
        store_weight(past_caches, w + i * WIDTH, x)
    return any_nan(bad)


cdef inline bint update_adam(const update_step* u, real alpha, real l2, real keep, real* w,
                             const real* g, real* m, real* v, Py_ssize_t n_vectors) noexcept nogil:
    cdef vec x, gradient, first, second, bad = splat(0), rate = splat(-alpha)
    cdef bint past_caches = u.past_caches
    cdef Py_ssize_t i
    for i in range(n_vectors):
        x = load(w + i * WIDTH)
        gradient = fused(splat(l2), x, load(g + i * WIDTH) * splat(u.mean))
        first = fused(splat(u.beta_1), load(m + i * WIDTH), splat(u.one_minus_beta_1) * gradient)
        second = fused(splat(u.beta_2), load(v + i * WIDTH),
                       splat(u.one_minus_beta_2) * gradient * gradient)
        store(m + i * WIDTH, first)
        store(v + i * WIDTH, second)
        first = first / fused(root(second), splat(u.root_scale), splat(u.epsilon))
        x = fused(rate, first, x * splat(keep))
        bad = fused(x, splat(0), bad)
        store_weight(past_caches, w + i * WIDTH, x)
    return any_nan(bad)


cdef inline bint update_rmsprop(const update_step* u, real alpha, real l2, real* w, const real* g,
                                real* s, real* v, Py_ssize_t n_vectors) noexcept nogil:
    cdef vec x, gradient, square, velocity, bad = splat(0), rate = splat(-alpha)
    cdef bint past_caches = u.past_caches
    cdef Py_ssize_t i
    for i in range(n_vectors):
        x = load(w + i * WIDTH)
        gradient = fused(splat(l2), x, load(g + i * WIDTH) * splat(u.mean))
        square = fused(splat(u.beta_2), load(s + i * WIDTH),
                       splat(u.one_minus_beta_2) * gradient * gradient)
        velocity = gradient / (root(square) + splat(u.epsilon))
        velocity = fused(splat(u.momentum), load(v + i * WIDTH), velocity)
        x = fused(rate, velocity, x)
        bad = fused(x, splat(0), bad)
        store(s + i * WIDTH, square)
        store(v + i * WIDTH, velocity)
        store_weight(past_caches, w + i * WIDTH, x)
    return any_nan(bad)


cdef inline bint update(const update_step* u, parameter_kind kind,
                        real* w,                            # IN OUT
                        const real* g,                      # IN, summed over the batch
                        real* state_1, real* state_2,       # IN OUT, the slots in use
                        Py_ssize_t n_vectors) noexcept nogil:
    """W ← W − α g or the optimizer's rule; returns whether a parameter is not finite afterwards.

    Each new parameter times zero is added to a sum that is NaN if one of them is not finite.
    """
    cdef real alpha = u.bias_rate if kind == BIASES else u.rate
    cdef real l2 = u.l2 if kind == WEIGHTS else 0
    cdef real keep = u.keep if kind == WEIGHTS else 1
    if u.shared and not u.past_caches and kind == WEIGHTS:
        claim(w, n_vectors * WIDTH)
    if u.kind == ADAM:
        return update_adam(u, alpha, l2, keep, w, g, state_1, state_2, n_vectors)
    if u.kind == RMSPROP:
        return update_rmsprop(u, alpha, l2, w, g, state_1, state_2, n_vectors)
    return update_descent(u, alpha, l2, w, g, state_1, n_vectors)
