"""The activation functions of hidden and output layers: f(z) and f'(z), a vector at a time.

`activate` replaces a block of z(l) by a(l) = f(z(l)) and writes f'(z(l)) to another block, usually
to δ(l)'s place, where the hidden delta is multiplied by it later.  Both blocks have rows of whole
vectors, each with a stride of its own.  NaN gives NaN.  Callers are dense.pxd and losses.pxd.
"""
from .math cimport exp, expm1_negative, normal_cdf, sigmoid, softplus, tanh
from .vector cimport WIDTH, fused, load, real, select_gt, splat, store, vec

cdef enum:
    IDENTITY
    SIGMOID
    RELU
    LEAKY_RELU
    TANH
    SOFTPLUS
    ELU
    SELU
    SILU
    GELU
    MISH
    EXPONENTIAL
    SOFTMAX                     # at the output only: losses.pxd


cdef inline int activation_kind(name) except -1:
    """An activation by its public name."""
    return {
        "identity": IDENTITY, "sigmoid": SIGMOID, "relu": RELU, "leaky_relu": LEAKY_RELU,
        "tanh": TANH, "softplus": SOFTPLUS, "elu": ELU, "selu": SELU, "silu": SILU,
        "gelu": GELU, "mish": MISH, "exponential": EXPONENTIAL, "softmax": SOFTMAX,
    }[name]


# Returns f(z) and sets the slope f'(z); `parameter` is the slope of leaky ReLU or α of ELU.
ctypedef vec (*activation_t)(vec z, vec parameter, vec* slope) noexcept nogil


cdef inline vec identity(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = z,  f' = 1"""
    slope[0] = splat(1)
    return z


cdef inline vec logistic(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = 1 / (1 + e⁻ᶻ),  f' = a(1 − a)"""
    cdef vec a = sigmoid(z)
    slope[0] = a * (splat(1) - a)
    return a


cdef inline vec relu(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = max(z, 0),  f' = [z > 0]"""
    slope[0] = select_gt(z, splat(0), splat(1), splat(0))
    return select_gt(splat(0), z, splat(0), z)


cdef inline vec leaky_relu(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = z for z > 0, else parameter·z"""
    slope[0] = select_gt(z, splat(0), splat(1), parameter)
    return z * slope[0]


cdef inline vec hyperbolic_tangent(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = tanh z,  f' = 1 − a²"""
    cdef vec a = tanh(z)
    slope[0] = fused(-a, a, splat(1))
    return a


cdef inline vec soft_plus(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = log(1 + eᶻ),  f' = sigmoid(z)"""
    slope[0] = sigmoid(z)
    return softplus(z)


cdef inline vec scaled_elu(vec z, vec scale, vec alpha, vec* slope) noexcept nogil:
    """f(z) = scale·z for z > 0, else scale·α(eᶻ − 1);  f' = scale, else f(z) + scale·α"""
    cdef vec low = expm1_negative(select_gt(z, splat(0), splat(0), z)) * alpha * scale
    slope[0] = select_gt(z, splat(0), scale, fused(scale, alpha, low))
    return select_gt(z, splat(0), scale * z, low)


cdef inline vec elu(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = z for z > 0, else α(eᶻ − 1)"""
    return scaled_elu(z, splat(1), parameter, slope)


cdef inline vec selu(vec z, vec parameter, vec* slope) noexcept nogil:
    """ELU with the constants of Klambauer et al. 2017, which keep mean 0 and variance 1."""
    return scaled_elu(z, splat(<real>1.0507009873554804934193349852946),
                      splat(<real>1.6732632423543772848170429916717), slope)


cdef inline vec silu(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = z·σ(z),  f' = σ(1 + z(1 − σ))"""
    cdef vec s = sigmoid(z)
    slope[0] = s * fused(z, splat(1) - s, splat(1))
    return z * s


cdef inline vec gelu(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = z·Φ(z),  f' = Φ + z·φ, φ(z) = e^(−z²/2)/√(2π)"""
    cdef vec cumulative = normal_cdf(z)
    cdef vec density = exp(z * z * splat(<real>-0.5)) * splat(<real>0.39894228040143267794)
    slope[0] = fused(z, density, cumulative)
    return z * cumulative


cdef inline vec mish(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = z·t,  f' = t + z(1 − t²)σ(z), t = tanh(log(1 + eᶻ))

    With u = eᶻ and n = u(u + 2): t = n/(n + 2) and (1 − t²)σ(z) = 4u(1 + u)/(n + 2)².  From z = 40
    on, f(z) is rounded to z and f'(z) to 1; there u stays e⁴⁰, so that n is finite in float32.
    """
    cdef vec u = exp(select_gt(z, splat(40), splat(40), z))
    cdef vec n = u * (u + splat(2))
    cdef vec inverse = splat(1) / (n + splat(2))
    cdef vec t = n * inverse
    cdef vec t_slope = (u * inverse) * ((u + splat(1)) * inverse) * splat(4)
    slope[0] = fused(z, t_slope, t)
    return z * t


cdef inline vec exponential(vec z, vec parameter, vec* slope) noexcept nogil:
    """f(z) = eᶻ = f'(z)"""
    slope[0] = exp(z)
    return slope[0]


cdef inline void apply(activation_t f, real parameter, real* z, Py_ssize_t z_row, real* slope,
                       Py_ssize_t slope_row, Py_ssize_t n_rows, int n_vectors) noexcept nogil:
    cdef vec a, derivative, constant = splat(parameter)
    cdef Py_ssize_t r
    cdef int j
    for r in range(n_rows):
        for j in range(n_vectors):
            a = f(load(z + j * WIDTH), constant, &derivative)
            store(z + j * WIDTH, a)
            store(slope + j * WIDTH, derivative)
        z += z_row
        slope += slope_row


cdef inline void activate(int kind, real parameter,
                          real* z, Py_ssize_t z_row,                # IN z(l), OUT a(l)
                          real* slope, Py_ssize_t slope_row,        # OUT f'(z(l))
                          Py_ssize_t n_rows, int n_vectors) noexcept nogil:
    """a = f(z), slope = f'(z) over n_rows × n_vectors."""
    if kind == RELU:
        apply(relu, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    elif kind == SIGMOID:
        apply(logistic, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    elif kind == LEAKY_RELU:
        apply(leaky_relu, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    elif kind == TANH:
        apply(hyperbolic_tangent, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    elif kind == SOFTPLUS:
        apply(soft_plus, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    elif kind == ELU:
        apply(elu, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    elif kind == SELU:
        apply(selu, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    elif kind == SILU:
        apply(silu, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    elif kind == GELU:
        apply(gelu, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    elif kind == MISH:
        apply(mish, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    elif kind == EXPONENTIAL:
        apply(exponential, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
    else:
        apply(identity, parameter, z, z_row, slope, slope_row, n_rows, n_vectors)
