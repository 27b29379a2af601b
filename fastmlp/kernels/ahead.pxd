"""Rows of the next batch, asked for while this one is worked on.

A row drawn at random lies in memory beyond the caches, and only a dozen or two lines can be on
their way at a time: asked for all together they are waited for.  So the products ask for a few
lines now and then.
"""
from .vector cimport prefetch

cdef enum:
    LINE = 64

cdef struct stretch:            # of memory, from an address to one behind it
    const char* first
    const char* last


cdef struct ahead:
    stretch now                 # being asked for
    stretch* waiting            # behind it
    stretch* end


cdef inline void ask(ahead* a, int n_lines) noexcept nogil:
    """Ask for the next lines, at most so many."""
    cdef int i
    for i in range(n_lines):
        if a.now.first >= a.now.last:
            if a.waiting == a.end:
                return
            a.now = a.waiting[0]
            a.waiting += 1
        prefetch(a.now.first)
        a.now.first += LINE
