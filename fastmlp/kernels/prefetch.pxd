"""Prefetching: memory that is needed soon is requested a few cache lines at a time.

The next batch's examples lie at random addresses beyond the caches, and the weights of wide layers
lie beyond L2.  A core can have only a dozen or two cache lines on their way at once and waits for
the memory if more are requested together.  So a queue holds the address ranges that will be needed,
and the products call `prefetch_some` once for every tile or sparse row.  The lines are
requested for L2: other products run before they are needed, whose operands they would displace
from L1.

Prefetching is optional: it changes no result, and a product called with NULL for its queue
requests nothing.
"""
from .vector cimport inlined, prefetch_line, prefetch_to_l2, real, touch

cdef enum:
    LINE = 64                   # bytes of a cache line
    MAX_RANGES = 8              # for one block of a weight and of the optimizer's state

cdef inline void prefetch_terms(const real* x, Py_ssize_t n) noexcept nogil:
    """Request n numbers of a row."""
    cdef Py_ssize_t k = 0
    while k < n:
        prefetch_line(x + k)
        k += LINE // <int>sizeof(real)


cdef inline void claim(real* x, Py_ssize_t n) noexcept nogil:
    """Store one number of each line of x (n,), so that these lines become this core's own."""
    cdef Py_ssize_t k = 0
    while k < n:
        touch(x + k)
        k += LINE // <int>sizeof(real)


cdef struct address_range:      # first ≤ address < last
    const char* first
    const char* last


cdef struct prefetch_queue:
    address_range current       # what is left of the range being prefetched
    const address_range* next   # the ranges after it
    const address_range* end
    Py_ssize_t lines_per_call


cdef inline void start_prefetch(prefetch_queue* queue, const address_range* first,
                                const address_range* end, Py_ssize_t n_calls) noexcept nogil:
    """Replace the queue by the ranges from `first` to `end`, to be prefetched in n_calls calls.

    The ranges are not copied: they must stay in place while the queue is in use.
    """
    cdef Py_ssize_t size = 0
    cdef const address_range* r = first
    while r < end:
        size += r.last - r.first
        r += 1
    queue.current.first = queue.current.last = NULL
    queue.next = first
    queue.end = end
    queue.lines_per_call = size // (LINE * max(n_calls, 1)) + 1


cdef inline void request_lines(prefetch_queue* queue) noexcept nogil:
    """Request the next lines_per_call lines of the queue, or those that are left."""
    cdef Py_ssize_t left = queue.lines_per_call
    cdef const char* line = queue.current.first
    while left > 0:
        if line < queue.current.last:
            prefetch_to_l2(line)
            line += LINE
            left -= 1
        elif queue.next < queue.end:
            queue.current = queue.next[0]
            queue.next += 1
            line = queue.current.first
        else:
            queue.lines_per_call = left = 0
    queue.current.first = line


cdef inline inlined prefetch_some(prefetch_queue* queue) noexcept nogil:
    """Request the next few lines of the queue; nothing if it is NULL or exhausted."""
    if queue != NULL and queue.lines_per_call > 0:
        request_lines(queue)
