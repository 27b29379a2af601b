"""exp, expm1, log(1 + u), tanh, sigmoid, softplus and the normal distribution's Φ, for one vector.

The C library's functions are not used, so that every instruction set with a fused multiply-add
gives the same bits.  Largest errors, in units in the last place (tests/kernels/test_math.py
measures them): exp 2, expm1 3, log1p 3, tanh 4, sigmoid 4, softplus 4; Φ 5 + z²/2, since
e^(−z²/2) inherits the rounding of z².  An infinite argument gives the function's limit, NaN gives
NaN.  activations.pxd and the losses call these functions.
"""
from .vector cimport ROUNDING_SHIFT, fused, power_of_two, real, select_gt, splat, vec

cdef extern from "math_tables.h" nogil:
    const real LN2_HIGH
    const real LN2_LOW
    const real EXP_MOST
    const real EXP_LEAST
    const int EXP_DEGREE
    const int ATANH_TERMS
    const int ERFC_DEGREE
    const real* INVERSE_FACTORIAL
    const real* INVERSE_ODD
    const real* SCALED_ERFC


cdef inline vec absolute(vec x) noexcept nogil:
    return select_gt(splat(0), x, -x, x)


cdef inline vec polynomial(const real* coefficients, int degree, vec x) noexcept nogil:
    """Horner's rule: Σ_k coefficients[k]·xᵏ."""
    cdef vec total = splat(coefficients[degree])
    cdef int k
    for k in range(degree - 1, -1, -1):
        total = fused(total, x, splat(coefficients[k]))
    return total


cdef inline vec reduce_exponent(vec x, vec* shifted) noexcept nogil:
    """r = x − n·ln 2 with n = round(x / ln 2), |r| ≤ ln(2)/2; `shifted`: n + ROUNDING_SHIFT."""
    cdef vec n, r
    shifted[0] = fused(x, splat(<real>1.4426950408889634074), splat(ROUNDING_SHIFT))
    n = shifted[0] - splat(ROUNDING_SHIFT)
    r = fused(n, splat(-LN2_HIGH), x)
    return fused(n, splat(-LN2_LOW), r)


cdef inline vec exp(vec x) noexcept nogil:
    """eˣ = 2ⁿ eʳ; zero below √2 times the smallest normal number."""
    cdef vec shifted, r, p
    x = select_gt(x, splat(EXP_MOST), splat(EXP_MOST), x)
    x = select_gt(splat(EXP_LEAST), x, splat(EXP_LEAST), x)
    r = reduce_exponent(x, &shifted)
    p = polynomial(INVERSE_FACTORIAL, EXP_DEGREE, r)
    # 2ⁿ in two factors: n may be one beyond the largest exponent
    return (p + p) * power_of_two(shifted - splat(1))


cdef inline vec expm1_negative(vec x) noexcept nogil:
    """eˣ − 1 for x ≤ 0, without cancellation: 2ⁿ(eʳ − 1) + (2ⁿ − 1)."""
    cdef vec shifted, r, q, scale
    x = select_gt(splat(EXP_LEAST), x, splat(EXP_LEAST), x)
    r = reduce_exponent(x, &shifted)
    q = r * polynomial(INVERSE_FACTORIAL + 1, EXP_DEGREE - 1, r)
    scale = power_of_two(shifted)
    return fused(scale, q, scale - splat(1))


cdef inline vec log1p_unit(vec u) noexcept nogil:
    """log(1 + u) for 0 ≤ u ≤ 1, as 2·atanh(s) with s = u/(2 + u) ≤ 1/3."""
    cdef vec s = u / (u + splat(2))
    cdef vec p = polynomial(INVERSE_ODD, ATANH_TERMS - 1, s * s)
    return (s + s) * p


cdef inline vec sigmoid(vec z) noexcept nogil:
    """1 / (1 + e⁻ᶻ); an infinite e⁻ᶻ gives the right value, 0."""
    return splat(1) / (splat(1) + exp(-z))


cdef inline vec tanh(vec z) noexcept nogil:
    """sign(z)·(1 − e⁻²ᵘ)/(1 + e⁻²ᵘ), u = |z|."""
    cdef vec e = expm1_negative(absolute(z) * splat(-2))
    cdef vec t = e / (e + splat(2))
    return select_gt(z, splat(0), -t, t)


cdef inline vec softplus(vec z) noexcept nogil:
    """log(1 + eᶻ) = max(z, 0) + log(1 + e^−|z|)."""
    cdef vec rest = log1p_unit(exp(-absolute(z)))
    return select_gt(splat(0), z, splat(0), z) + rest


cdef inline vec normal_cdf(vec z) noexcept nogil:
    """Φ(z) = ½ erfc(−z/√2), from erfc(y) = t·e^(−y²)·p(2t − 1), y = |z|/√2, t = 1/(1 + y/2)."""
    cdef vec y = absolute(z) * splat(<real>0.70710678118654752440)
    cdef vec t = splat(1) / fused(y, splat(<real>0.5), splat(1))
    cdef vec p = polynomial(SCALED_ERFC, ERFC_DEGREE, t + t - splat(1))
    cdef vec tail = exp(z * z * splat(<real>-0.5)) * p * t * splat(<real>0.5)
    return select_gt(z, splat(0), splat(1) - tail, tail)
