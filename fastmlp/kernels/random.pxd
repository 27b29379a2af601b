"""Uniform random numbers from counters (random.h), and normally distributed ones from them.

dropout.pxd and distortion.pxd use them, and engine.pyx for its keys.
"""
from libc.stdint cimport uint32_t, uint64_t
from .math cimport absolute, log1p_unit
from .vector cimport fused, real, root, splat, vec

cdef extern from "random.h" nogil:
    uint64_t mixed_key(uint64_t key, uint64_t number)
    uint32_t bits_at(uint64_t key, uint32_t column)
    ctypedef int lane_mask
    lane_mask bits_reach(uint64_t key, uint32_t column, uint32_t threshold)
    vec where(lane_mask chosen, vec x)
    vec uniform(uint64_t key, uint32_t column)
    vec mantissa(vec x)
    vec exponent(vec x)


cdef inline vec cosine_of_turn(vec u) noexcept nogil:
    """cos 2πu for u in (0, 1), to 2·10⁻⁶: enough for a random number.

    With t = |u − ½| in [0, ½]: cos 2πu = −cos 2πt = sin(2π(t − ¼)), by Taylor's series of the
    sine to the power 11 on [−π/2, π/2].
    """
    cdef vec t = absolute(u - splat(<real>0.5))
    cdef vec x = (t - splat(<real>0.25)) * splat(<real>6.283185307179586)
    cdef vec square = x * x
    cdef vec sine = splat(<real>-2.505210838544172e-8)
    sine = fused(sine, square, splat(<real>2.7557319223985893e-6))
    sine = fused(sine, square, splat(<real>-1.984126984126984e-4))
    sine = fused(sine, square, splat(<real>8.333333333333333e-3))
    sine = fused(sine, square, splat(<real>-0.16666666666666666))
    sine = fused(sine, square, splat(1))
    return sine * x


cdef inline vec normal(uint64_t key, uint32_t column) noexcept nogil:
    """N(0, 1) by Box and Muller 1958: √(−2 ln u) cos 2πv, u and v uniform."""
    cdef vec u = uniform(key, column)
    cdef vec v = uniform(mixed_key(key, 1), column)
    cdef vec minus_log = fused(exponent(u), splat(<real>-0.6931471805599453),
                               -log1p_unit(mantissa(u) - splat(1)))
    return root(minus_log + minus_log) * cosine_of_turn(v)
