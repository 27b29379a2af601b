"""Shares of the work for threads of unequal speed.

Cores differ: some processors have two kinds, a virtual machine's host may slow one down, another
process may take part of one.  If parts are equal, every product takes as long as the slowest
thread.  So each thread's time of work, waits left out, is measured in every batch, and if it differs
for some time, the threads get shares of each product (partition.pxd) by which they work equally long.

A thread that is interrupted works longer in that batch alone: the shortest time of a window counts.
And cores that are slow by turns would always have the shares that suited them before: so shares
change by no more than what all of the last WINDOWS agree on.

No bit depends on shares.  Threads publish their time of work in `take_ways` (workspace.pxd), where
a batch begins; the first thread decides at the end of a batch, and new shares are taken where the
next one begins, between two barriers.
"""
from libc.math cimport INFINITY, fabs
from .partition cimport WHOLE, part_of, thread_part

cdef enum:
    WINDOWS = 6
    LEAST_BATCHES = 12          # of a window
    SETTLING = 2                # batches after a change that are not measured: the caches change

cdef extern from *:
    """
    #define LEAST_SECONDS 0.01 /* of a window: more than others take a core at a time */
    #define LARGEST_SHARE 1.6 /* times an equal one: memory is reserved for these */
    #define SMALLEST_SHARE 0.2
    /* Of a share.  Threads that both have rows of a panel take up to 12 % longer (partition.pxd). */
    #define LEAST_UNEQUAL 0.15
    #define SMALLEST_CHANGE 0.05
    """
    const double LEAST_SECONDS, LARGEST_SHARE, SMALLEST_SHARE, LEAST_UNEQUAL, SMALLEST_CHANGE

cdef struct thread_pace:
    double before               # seconds of work when last seen
    double shortest             # seconds of work in a batch of this window
    double least, most          # of the windows' right shares, times the one in force
    double next                 # share to be taken, as a part of 1

cdef struct load_balance:
    int n_parts                 # threads of the last batch
    int* shares                 # (n_parts + 1,) in force: see partition.pxd; NULL: equal
    int* kept                   # shares of teams of each size, zeroed at first: see `shares_of`
    thread_pace* paces          # (n_parts,)
    bint changed                # the next shares are to be taken
    int n_batches               # of this window, negative while settling
    int n_windows
    double started              # the clock when the window began


cdef inline double share_of(const load_balance* b, int t) noexcept nogil:
    """The share of thread t, as a part of 1."""
    if b.shares == NULL:
        return 1.0 / b.n_parts
    return (b.shares[t + 1] - b.shares[t]) / <double>WHOLE


cdef inline const int* shares_in_force(const load_balance* b, int n_parts) noexcept nogil:
    """NULL, equal parts, also for one thread, which leaves the shares of several as they are."""
    return b.shares if b.n_parts == n_parts else NULL


cdef inline thread_part own_part(const load_balance* b, Py_ssize_t n_columns, Py_ssize_t n_terms,
                                 Py_ssize_t n_rows, int part, int n_parts) noexcept nogil:
    """The part of thread number `part` by its share of a matrix (n_rows, n_columns) in panels."""
    return part_of(n_columns, n_terms, n_rows, part, n_parts, shares_in_force(b, n_parts))


cdef inline void begin_windows(load_balance* b) noexcept nogil:
    """Measure anew, after shares have changed."""
    cdef int t
    b.n_windows = 0
    b.started = 0
    b.n_batches = -SETTLING
    for t in range(b.n_parts):
        b.paces[t].shortest = b.paces[t].least = INFINITY
        b.paces[t].most = 0


cdef inline void see_work(load_balance* b, int t, double seconds) noexcept nogil:
    """Take into account how long thread t has worked in all batches before this one."""
    cdef thread_pace* p = &b.paces[t]
    if b.n_batches > 0:
        p.shortest = min(p.shortest, seconds - p.before)
    p.before = seconds


cdef inline double limit_shares(load_balance* b) noexcept nogil:
    """Move the next shares toward equal ones until all are within their limits.

    Returns the largest distance from an equal one, as a part of it.
    """
    cdef int t
    cdef double equal = 1.0 / b.n_parts, moved = 1, unequal = 0, off
    for t in range(b.n_parts):
        off = b.paces[t].next / equal - 1
        if off > LARGEST_SHARE - 1:
            moved = min(moved, (LARGEST_SHARE - 1) / off)
        elif off < SMALLEST_SHARE - 1:
            moved = min(moved, (SMALLEST_SHARE - 1) / off)
    for t in range(b.n_parts):
        b.paces[t].next = equal + moved * (b.paces[t].next - equal)
        unequal = max(unequal, fabs(b.paces[t].next / equal - 1))
    return unequal


cdef inline void end_window(load_balance* b) noexcept nogil:
    """By how much each share would have to change for equal times of work."""
    cdef int t
    cdef double total = 0, right
    for t in range(b.n_parts):
        b.paces[t].next = share_of(b, t) / max(b.paces[t].shortest, 1e-9)   # the thread's speed
        total += b.paces[t].next
    for t in range(b.n_parts):
        right = b.paces[t].next / total / share_of(b, t)
        b.paces[t].least = min(b.paces[t].least, right)
        b.paces[t].most = max(b.paces[t].most, right)
        b.paces[t].shortest = INFINITY


cdef inline void balance(load_balance* b, double clock) noexcept nogil:
    """At the end of a batch, after `see_work`: whether other shares are better, and which."""
    cdef int t
    cdef double total = 0, change, largest = 0, unequal
    b.n_batches += 1
    if b.n_batches <= 1:
        b.started = clock
    if b.n_batches <= LEAST_BATCHES or clock < b.started + LEAST_SECONDS:
        return
    end_window(b)
    b.n_batches = 1
    b.started = clock
    b.n_windows += 1
    if b.n_windows < WINDOWS:
        return
    for t in range(b.n_parts):
        change = max(b.paces[t].least - 1, 0) + min(b.paces[t].most - 1, 0)
        largest = max(largest, fabs(change))
        b.paces[t].next = share_of(b, t) * (1 + change)
        total += b.paces[t].next
    for t in range(b.n_parts):
        b.paces[t].next /= total
    unequal = limit_shares(b)
    if unequal < LEAST_UNEQUAL:
        for t in range(b.n_parts):
            b.paces[t].next = 1.0 / b.n_parts
    b.changed = largest >= SMALLEST_CHANGE and (unequal >= LEAST_UNEQUAL or b.shares != NULL)
    begin_windows(b)


cdef inline Py_ssize_t size_of_shares(int n_threads) noexcept nogil:
    """The numbers of `kept` for up to n_threads."""
    return (n_threads + 1) * (n_threads + 2) // 2


cdef inline int* shares_of(const load_balance* b, int n_parts) noexcept nogil:
    """Where the shares of a team of n_parts threads are kept; their end is 0 if they are equal."""
    return b.kept + size_of_shares(n_parts - 1)


cdef inline void divide_among(load_balance* b, int n_parts) noexcept nogil:
    """Go on with n_parts threads, by the shares that as many had last, at first equal ones."""
    cdef int* shares = shares_of(b, n_parts)
    b.n_parts = n_parts
    b.shares = shares if shares[n_parts] == WHOLE else NULL
    b.changed = False
    begin_windows(b)


cdef inline void take_next(load_balance* b) noexcept nogil:
    """Set the shares that `balance` has found."""
    cdef int t
    cdef int* shares = shares_of(b, b.n_parts)
    cdef double sum = 0
    cdef bint equal = True
    for t in range(b.n_parts):
        shares[t] = <int>min(sum * WHOLE, <double>WHOLE)
        sum += b.paces[t].next
        equal &= b.paces[t].next == b.paces[0].next
    shares[b.n_parts] = 0 if equal else WHOLE
    divide_among(b, b.n_parts)
