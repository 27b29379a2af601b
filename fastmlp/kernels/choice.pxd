"""The faster of two ways, found by the clock while training runs: skipping zeros or not, storing
past the caches or not.

No bit depends on the way (skipping.pxd, epilogues.pxd), so both can be tried in batches that count:
each product of each layer by its own clock, storing past the caches by the time of the batch.  The
faster one goes on, and the other is tried again from time to time, the more rarely the slower it
was, but soon where the times have changed.

The first thread measures and decides for all, between the barriers at the end of a batch.
workspace.pxd keeps the choices.  "Skipping" below is the first of the two ways, whichever they are.
"""
from libc.stdint cimport int64_t

cdef enum:
    TRIAL = 3                   # batches of a trial: in the first, memory may be out of the caches
    # A way that costs c times as much as the other is tried again after
    # SHORTEST_PAUSE + PAUSE·(c − 1) batches, so that its trials cost less than TRIAL/PAUSE of the
    # time, half a percent.
    PAUSE = 600
    SHORTEST_PAUSE = 48
    # … and after so many where times have changed: a way was left without a trial of the other, or
    # took longer in its trial than before
    CONFIRM = 12

cdef extern from *:
    """
    #define SLOWEST_RISE 1.03125 /* of a way's time in one batch: an interruption is no finding */
    """
    const double SLOWEST_RISE

cdef struct choice:
    bint possible               # else `way` stays as it is
    bint way                    # of the next batch; True: skipping
    int left                    # batches of the trial that are left
    double before               # the clock at the end of the last batch
    double fastest              # batch of the trial so far, in seconds an example
    double seconds[2]           # an example, by way; 0: not tried yet
    int64_t batches             # until the other way is tried again


cdef inline void try_way(choice* c, bint way) noexcept nogil:
    """Take a way for the next few batches."""
    c.way = way
    c.left = TRIAL
    c.fastest = 1e9


cdef inline void allow(choice* c, bint skipping, bint dense) noexcept nogil:
    """Begin anew with one of the ways or with both, skipping first."""
    c.possible = skipping and dense
    c.seconds[0] = c.seconds[1] = 0
    c.before = 0
    c.batches = 0
    try_way(c, skipping)


cdef inline bint may_skip(const choice* c) noexcept nogil:
    """Whether the product skips zeros in any batch."""
    return c.possible or c.way


cdef inline bint in_trial(const choice* c) noexcept nogil:
    """Whether the last batch is part of a trial."""
    return c.possible and c.left > 0


cdef inline void choose(choice* c, double clock, Py_ssize_t n) noexcept nogil:
    """Take the time of a batch of n examples into account, and set the way of the next batch.

    `clock` is the time that the product has taken in all batches so far, in seconds.
    """
    cdef double seconds = max((clock - c.before) / n, 1e-12)
    cdef bint way = c.way, after_trial = c.left == 1, changed = False
    c.before = clock
    if not c.possible:
        return
    c.batches -= 1
    if c.left > 0:
        c.left -= 1
        c.fastest = min(c.fastest, seconds)
        if c.left > 0:
            return
        changed = 0 < c.seconds[way] * SLOWEST_RISE < c.fastest
        c.seconds[way] = c.fastest
    elif seconds < c.seconds[way]:
        c.seconds[way] = seconds
    else:
        c.seconds[way] = min(seconds, c.seconds[way] * SLOWEST_RISE)
    if c.seconds[not way] == 0:
        try_way(c, not way)
        return
    way = c.seconds[1] < c.seconds[0]
    if changed or way != c.way and not after_trial:
        c.batches = CONFIRM
    elif after_trial:
        c.batches = SHORTEST_PAUSE + <int64_t>(PAUSE * (c.seconds[not way] / c.seconds[way] - 1))
    c.way = way
    if c.batches <= 0:
        try_way(c, not way)
