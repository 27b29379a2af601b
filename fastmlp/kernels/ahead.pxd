"""Memory that will be needed soon, asked for while the products run.

The next batch's rows lie at random beyond the caches, the weights of wide layers beyond L2; and
only a dozen or two lines can be on their way at a time: asked for all together they are waited
for.  So the products ask for a few lines every now and then, by the way.
"""
from .vector cimport prefetch

cdef enum:
    LINE = 64
    MOST_STRETCHES = 8          # of one block of a weight and of the optimizer's state

cdef struct stretch:            # of memory, from an address to one behind it
    const char* first
    const char* last


cdef struct ahead:
    stretch now                 # being asked for
    const stretch* waiting      # to be asked for after it
    const stretch* end
    Py_ssize_t pace             # lines at a time


cdef inline void look_ahead(ahead* a, const stretch* first, const stretch* end,
                            Py_ssize_t n_asks) noexcept nogil:
    """Begin with new stretches, to be asked for in about n_asks portions."""
    cdef Py_ssize_t size = 0
    cdef const stretch* s = first
    while s < end:
        size += s.last - s.first
        s += 1
    a.now.first = a.now.last = NULL
    a.waiting = first
    a.end = end
    a.pace = size // (LINE * max(n_asks, 1)) + 1


cdef inline void ask(ahead* a) noexcept nogil:
    """The next portion."""
    cdef Py_ssize_t left = a.pace
    cdef const char* line = a.now.first
    while left > 0:
        if line < a.now.last:
            prefetch(line)
            line += LINE
            left -= 1
        elif a.waiting < a.end:
            a.now = a.waiting[0]
            a.waiting += 1
            line = a.now.first
        else:
            a.pace = left = 0
    a.now.first = line
