"""Periodic encoding of a number x: waves whose frequencies, phases and mixture are learned.

    p = V cos(2π w x + b) + c           w, b: (n,)   V: (n_out, n)   c: (n_out,)

(Gorishniy et al. 2022; with x itself beside it, Holzmüller et al. 2024).  The parameters lie one
after the other, w, b, the rows of V, and c, each on whole cache lines; the padding is zero.  The
forward pass has the examples in the lanes of a vector, the gradient has the frequencies, so nothing
is summed across lanes.  encodings.pxd and encoding_gradients.pxd call these functions.
"""
from .math cimport absolute
from .vector cimport ROUNDING_SHIFT, WIDTH, fused, load, real, select_gt, splat, store, vec

cdef struct periodic_parameters:
    const real* w
    const real* b
    const real* V
    const real* c
    Py_ssize_t n, n_out, stride     # stride: of the rows of V


cdef inline Py_ssize_t whole_lines(Py_ssize_t n) noexcept nogil:
    """n numbers rounded up to whole cache lines."""
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real)
    return (n + line - 1) // line * line


cdef inline Py_ssize_t n_periodic(Py_ssize_t n, Py_ssize_t n_out) noexcept nogil:
    """The numbers that the parameters take."""
    return (2 + n_out) * whole_lines(n) + whole_lines(n_out)


cdef inline periodic_parameters periodic_place(const real* first, Py_ssize_t n,
                                               Py_ssize_t n_out) noexcept nogil:
    """The parameters, or their gradients, that begin at an address."""
    cdef periodic_parameters P
    P.n = n
    P.n_out = n_out
    P.stride = whole_lines(n)
    P.w = first
    P.b = first + P.stride
    P.V = P.b + P.stride
    P.c = P.V + n_out * P.stride
    return P


cdef inline void sine_and_cosine(vec turns, vec* sine, vec* cosine) noexcept nogil:
    """sin 2πu and cos 2πu; of u too large to have a fraction, sin 0 and cos 0.

    With q the nearest whole number to 4u, the angle θ = 2π(u − q/4) is in [−π/4, π/4], where the
    Taylor series to θ¹⁷ are exact to rounding; then it is turned by q quarters.
    """
    cdef vec most = splat(ROUNDING_SHIFT * <real>0.0625)
    cdef vec u, whole, quarter, theta, square, s, c, sin_part, cos_part
    u = select_gt(most, absolute(turns), turns, splat(0))
    whole = u + splat(ROUNDING_SHIFT)
    whole = whole - splat(ROUNDING_SHIFT)
    u = u - whole                                   # in [−½, ½]
    quarter = u * splat(4) + splat(ROUNDING_SHIFT)
    quarter = quarter - splat(ROUNDING_SHIFT)       # −2 … 2
    theta = fused(quarter, splat(<real>-0.25), u) * splat(<real>6.283185307179586476925)
    square = theta * theta
    s = splat(<real>2.8114572543455207632e-15)
    s = fused(s, square, splat(<real>-7.6471637318198164759e-13))
    s = fused(s, square, splat(<real>1.6059043836821614599e-10))
    s = fused(s, square, splat(<real>-2.5052108385441718775e-8))
    s = fused(s, square, splat(<real>2.7557319223985890653e-6))
    s = fused(s, square, splat(<real>-1.9841269841269841270e-4))
    s = fused(s, square, splat(<real>8.3333333333333333333e-3))
    s = fused(s, square, splat(<real>-0.16666666666666666667))
    s = fused(s * square, theta, theta)
    c = splat(<real>4.7794773323873852974e-14)
    c = fused(c, square, splat(<real>-1.1470745597729724714e-11))
    c = fused(c, square, splat(<real>2.0876756987868098979e-9))
    c = fused(c, square, splat(<real>-2.7557319223985890653e-7))
    c = fused(c, square, splat(<real>2.4801587301587301587e-5))
    c = fused(c, square, splat(<real>-1.3888888888888888889e-3))
    c = fused(c, square, splat(<real>4.1666666666666666667e-2))
    c = fused(c, square, splat(<real>-0.5))
    c = fused(c, square, splat(1))
    # by an odd number of quarters sine and cosine change places
    u = absolute(absolute(quarter) - splat(1))
    sin_part = select_gt(splat(<real>0.5), u, c, s)
    cos_part = select_gt(splat(<real>0.5), u, s, c)
    sine[0] = select_gt(splat(<real>-0.5), quarter, -sin_part, sin_part)
    sine[0] = select_gt(quarter, splat(<real>1.5), -sin_part, sine[0])
    cosine[0] = select_gt(quarter, splat(<real>0.5), -cos_part, cos_part)
    cosine[0] = select_gt(splat(<real>-1.5), quarter, -cos_part, cosine[0])


cdef inline vec turns_of(vec w, vec b, vec x) noexcept nogil:
    """The angle 2π w x + b in whole turns."""
    return fused(w, x, b * splat(<real>0.15915494309189533577))


cdef inline void periodic(periodic_parameters P,
                          const real* x, Py_ssize_t x_row,      # IN the column, n_rows numbers
                          Py_ssize_t n_rows,
                          real* waves, Py_ssize_t stride        # OUT (n_out, stride)
                          ) noexcept nogil:
    """V cos(2π w x + b) + c; the numbers to the next whole vector of rows are written too."""
    cdef real lanes[64]         # as many as any vector has
    cdef Py_ssize_t r = 0, k, o
    cdef int i
    cdef vec value, sine, cosine
    while r < n_rows:
        for i in range(WIDTH):
            lanes[i] = x[min(r + i, n_rows - 1) * x_row]
        value = load(lanes)
        for o in range(P.n_out):
            store(waves + o * stride + r, splat(P.c[o]))
        for k in range(P.n):
            sine_and_cosine(turns_of(splat(P.w[k]), splat(P.b[k]), value), &sine, &cosine)
            for o in range(P.n_out):
                store(waves + o * stride + r, fused(splat(P.V[o * P.stride + k]), cosine,
                                                    load(waves + o * stride + r)))
        r += WIDTH


cdef inline void periodic_gradient(periodic_parameters P, real x,
                                   const real* delta,           # IN (n_out,)
                                   real* sums                   # IN OUT laid out like P
                                   ) noexcept nogil:
    """Add one example's gradients:

    ∂J/∂V = δ cos(2π w x + b)ᵀ,  ∂J/∂b = −(Vᵀ δ) ∘ sin(2π w x + b),  ∂J/∂w = 2π x ∂J/∂b,  ∂J/∂c = δ
    """
    cdef periodic_parameters S = periodic_place(sums, P.n, P.n_out)
    cdef real* place
    cdef Py_ssize_t k = 0, o
    cdef vec sine, cosine, mixed
    while k < P.n:
        sine_and_cosine(turns_of(load(P.w + k), load(P.b + k), splat(x)), &sine, &cosine)
        mixed = splat(0)
        for o in range(P.n_out):
            place = <real*>S.V + o * P.stride + k
            store(place, fused(splat(delta[o]), cosine, load(place)))
            mixed = fused(splat(delta[o]), load(P.V + o * P.stride + k), mixed)
        mixed = -(mixed * sine)
        store(<real*>S.b + k, load(S.b + k) + mixed)
        store(<real*>S.w + k, fused(splat(<real>6.283185307179586476925 * x), mixed, load(S.w + k)))
        k += WIDTH
    for o in range(P.n_out):
        (<real*>S.c)[o] += delta[o]


cdef inline void clear_periodic_padding(real* sums, Py_ssize_t n, Py_ssize_t n_out) noexcept nogil:
    """Zeros after the n numbers of each row of ∂J/∂V."""
    cdef periodic_parameters S = periodic_place(sums, n, n_out)
    cdef Py_ssize_t k, o
    for o in range(n_out):
        for k in range(n, S.stride):
            (<real*>S.V)[o * S.stride + k] = 0
