"""Random distortions of square images: affine and elastic, sampled bilinearly.

A pixel p of the result, measured from the middle, takes its value at

    A p + t + α·G_σ * n(p)          A = R(θ)·(1 κ; 0 1)·diag(s_x, s_y)

of the image: rotation θ, shear κ, scales s and translation t uniform within their limits, and n
uniform in [−1, 1] for each pixel and axis, smoothed by a Gaussian (Simard et al. 2003; Cireşan
et al. 2010).  Outside the image everything is zero, before smoothing and before sampling, so a
pixel with only zeros around it stays exactly zero.  An image is side × side numbers in C order.
Random numbers depend on the key alone (random.h), and sums have one order for every vector width.
step.pxd calls `distort` for each example of a batch, engine.pyx `distort_rows` for whole data sets.
"""
from libc.stdint cimport uint32_t, uint64_t
from .inputs cimport examples, read_dense, read_once, targets
from .panels cimport padded
from .random cimport bits_at, mixed_key
from .vector cimport WIDTH, fused, load, real, splat, store, vec

cdef struct distortion:
    Py_ssize_t side             # of the images, in pixels
    real rotation               # largest |θ|, radians
    real reduced_rotation       # the same for the classes with reduced rotation
    const unsigned char* rotates_less   # (n_classes,) whether a class is one of them, or NULL
    Py_ssize_t n_classes
    real shear                  # largest |κ|
    real scale                  # largest |s − 1|
    real translation            # largest |t|, pixels
    real alpha                  # α, pixels; 0: no elastic part
    Py_ssize_t radius           # of the Gaussian filter
    const real* taps            # (2·radius + 1,) the filter's coefficients, whose sum is 1


cdef inline real signed_uniform(uint64_t key, uint32_t place) noexcept nogil:
    """Uniform in (−1, 1), one of 2²⁴ values."""
    return (<real><int>(bits_at(key, place) >> 8) - <real>8388607.5) * <real>1.1920929665620834e-7


cdef inline void sine_and_cosine(real angle, real* sine, real* cosine) noexcept nogil:
    """sin and cos by Taylor's series, exact to rounding for |angle| ≤ π.

    The C library's functions may give different bits on different systems.
    """
    cdef double x = angle, square = x * x, term = 1, total = 1
    cdef int k
    for k in range(1, 16):
        term = -term * square / ((2 * k - 1) * (2 * k))
        total += term
    cosine[0] = <real>total
    term = total = x
    for k in range(1, 16):
        term = -term * square / ((2 * k) * (2 * k + 1))
        total += term
    sine[0] = <real>total


cdef inline Py_ssize_t field_row(const distortion* d) noexcept nogil:
    """Numbers in a row of a noise field: those of the image, and the radius on both sides."""
    return padded(d.side) + 2 * d.radius + WIDTH


cdef inline Py_ssize_t distortion_scratch(const distortion* d) noexcept nogil:
    """Numbers of scratch that `distort` needs."""
    return d.side * (field_row(d) + 3 * padded(d.side))


cdef inline void smooth_noise(const distortion* d, uint64_t key, real* wide,
                              real* field) noexcept nogil:
    """field = α·G_σ * n, (side, padded(side)); `wide` is (side, field_row).

    The noise is smoothed along the columns first, then along the rows.
    """
    cdef Py_ssize_t y, x, k, first, last, row = field_row(d), width = padded(d.side)
    cdef Py_ssize_t r = d.radius
    cdef vec total
    for y in range(d.side):
        for x in range(width):
            field[y * width + x] = (
                signed_uniform(key, <uint32_t>(y * d.side + x)) * d.alpha if x < d.side else 0)
        for x in range(row):
            wide[y * row + x] = 0
    for y in range(d.side):
        first = max(y - r, 0)
        last = min(y + r + 1, d.side)
        x = 0
        while x < width:
            total = splat(0)
            for k in range(first, last):
                total = fused(splat(d.taps[k - y + r]), load(field + k * width + x), total)
            store(wide + y * row + r + x, total)
            x += WIDTH
    for y in range(d.side):
        x = 0
        while x < width:
            total = splat(0)
            for k in range(2 * r + 1):
                total = fused(splat(d.taps[k]), load(wide + y * row + x + k), total)
            store(field + y * width + x, total)
            x += WIDTH


cdef inline real pixel(const real* image, Py_ssize_t side, Py_ssize_t y,
                       Py_ssize_t x) noexcept nogil:
    """The image at (y, x); zero outside."""
    return image[y * side + x] if 0 <= y < side and 0 <= x < side else 0


cdef inline real sample(const real* image, Py_ssize_t side, real y, real x) noexcept nogil:
    """The image at (y, x), interpolated bilinearly; zero outside."""
    cdef Py_ssize_t y0, x0
    cdef real fy, fx, upper, lower
    cdef const real* p
    if not (y > -1 and x > -1 and y < side and x < side):
        return 0
    y0 = <Py_ssize_t>(y + 1) - 1        # floor, y + 1 being positive
    x0 = <Py_ssize_t>(x + 1) - 1
    fy = y - <real>y0
    fx = x - <real>x0
    if 0 <= y0 < side - 1 and 0 <= x0 < side - 1:
        p = image + y0 * side + x0
        upper = p[0] + fx * (p[1] - p[0])
        lower = p[side] + fx * (p[side + 1] - p[side])
    else:
        upper = pixel(image, side, y0, x0)
        upper = upper + fx * (pixel(image, side, y0, x0 + 1) - upper)
        lower = pixel(image, side, y0 + 1, x0)
        lower = lower + fx * (pixel(image, side, y0 + 1, x0 + 1) - lower)
    return upper + fy * (lower - upper)


cdef inline void distort(const distortion* d, uint64_t key, Py_ssize_t label,
                         const real* image,             # IN (side, side)
                         real* target,                  # OUT (side, side)
                         real* scratch) noexcept nogil:
    """Distort one image; `label` is its class, or −1."""
    cdef Py_ssize_t y, x, side = d.side, width = padded(side)
    cdef bint elastic = d.alpha != 0
    cdef real* across = scratch + side * field_row(d)
    cdef real* down = across + side * width
    cdef real limit = d.rotation, sine, cosine, shear, scale_x, scale_y, dx, dy
    cdef real a, b, c, e, middle = <real>0.5 * <real>(side - 1), source_x, source_y
    if 0 <= label < d.n_classes and d.rotates_less != NULL and d.rotates_less[label]:
        limit = d.reduced_rotation
    sine_and_cosine(limit * signed_uniform(key, 0), &sine, &cosine)
    shear = d.shear * signed_uniform(key, 1)
    scale_x = 1 + d.scale * signed_uniform(key, 2)
    scale_y = 1 + d.scale * signed_uniform(key, 3)
    dx = d.translation * signed_uniform(key, 4)
    dy = d.translation * signed_uniform(key, 5)
    # A = (a b; c e), x before y
    a = cosine * scale_x
    b = (cosine * shear - sine) * scale_y
    c = sine * scale_x
    e = (sine * shear + cosine) * scale_y
    if elastic:
        smooth_noise(d, mixed_key(key, 1), scratch, across)
        smooth_noise(d, mixed_key(key, 2), scratch, down)
    for y in range(side):
        for x in range(side):
            source_x = a * (<real>x - middle) + b * (<real>y - middle) + dx + middle
            source_y = c * (<real>x - middle) + e * (<real>y - middle) + dy + middle
            if elastic:
                source_x = source_x + across[y * width + x]
                source_y = source_y + down[y * width + x]
            target[y * side + x] = sample(image, side, source_y, source_x)


cdef inline void distort_rows(const distortion* d, const examples* x, const targets* y,
                              uint64_t key, real* target, real* scratch, int part,
                              int n_parts) noexcept nogil:
    """Distort this thread's rows of all examples into `target`, (n_rows, n_in).

    `scratch` has room for one row and for `distort`, for each thread.
    """
    cdef Py_ssize_t r, label, n_in = x.n_in
    cdef real* row = scratch + part * (padded(n_in) + distortion_scratch(d))
    for r in range(x.n_rows * part // n_parts, x.n_rows * (part + 1) // n_parts):
        read_dense(x, r, row)
        label = read_once(y.labels + r) if y.labels != NULL else -1
        distort(d, mixed_key(key, r), label, row, target + r * n_in, row + padded(n_in))
