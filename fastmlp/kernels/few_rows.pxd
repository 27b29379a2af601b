"""Whether one thread or several pass a few rows: the faster, found by the clock from call to call.

Several threads divide the columns of each layer and meet after it.  Where another process wants a
core, one of them comes late, and a call takes milliseconds instead of microseconds.  No bit depends
on the choice, so both ways are tried in calls that count, and each call's time is compared with that
of one thread, which is measured anew from time to time: the mean of a few calls, since on a virtual
machine whose host stops a core for microseconds every few calls, the shortest is one without a stop.

Calls of several threads have a credit: the seconds that they have gained, up to a limit, less those
that they have lost.  So an interruption now and then changes nothing.  When the credit is used up,
one thread goes on for a pause of `factor` times what was lost, and then several are tried again with
a small credit.  The factor doubles with each failure up to LONGEST_PAUSE, so that trials cost about
1/LONGEST_PAUSE of the time on a machine that stays crowded, and halves with each full credit gained.

predictions.pxi keeps a choice for each kind of call.
"""
cdef enum:
    LONGEST_PAUSE = 32
    ALONE_CALLS = 8             # to measure one thread, after
    COLD_CALLS = 4              # in which its caches lack half of W
    MOST_OF_SHORTEST = 2        # times the shortest: what a call counts at most, however late it was
    # Calls of several threads until one thread is measured anew: few at first, since one thread may
    # have been measured while its caches or its processor were cold, and twice as many each time
    # that several go on.
    LEAST_TOGETHER_CALLS = 128
    MOST_TOGETHER_CALLS = 4096

cdef extern from *:
    """
    #define TRIAL_CREDIT 2e-4 /* seconds: waking a thread and filling its caches is no failure */
    #define MOST_CREDIT 8e-3 /* two of the slices of time for which a system takes a core away */
    """
    const double TRIAL_CREDIT, MOST_CREDIT

cdef struct team_choice:        # zeroed at first
    bint together               # whether several threads make the next call
    int calls                   # made in this way since it was taken
    int most                    # calls of several threads until one is measured; 0: the least
    int factor                  # see above; 0 is 1
    double last[ALONE_CALLS]    # seconds of the last calls of one thread, and
    double alone                # their mean, when it was last taken
    double credit               # seconds
    double gained               # seconds beyond a full credit
    double pause                # seconds of calls of one thread before several are tried again


cdef inline double usual_time(const double* seconds) noexcept nogil:
    """The mean of the last calls of one thread, each at most MOST_OF_SHORTEST times the shortest."""
    cdef double shortest = seconds[0], total = 0
    cdef int i
    for i in range(1, ALONE_CALLS):
        shortest = min(shortest, seconds[i])
    for i in range(ALONE_CALLS):
        total += min(seconds[i], MOST_OF_SHORTEST * shortest)
    return total / ALONE_CALLS


cdef inline void record_call(team_choice* c, double seconds) noexcept nogil:
    """Take the time of a call into account, and choose the way of the next one."""
    c.calls += 1
    if c.together:
        c.credit += c.alone - seconds
        if c.credit > MOST_CREDIT:
            c.gained += c.credit - MOST_CREDIT
            c.credit = MOST_CREDIT
            if c.gained > MOST_CREDIT:
                c.gained = 0
                c.factor //= 2
        c.most = max(c.most, LEAST_TOGETHER_CALLS)
        if c.credit >= 0 and c.calls < c.most:
            return
        c.pause = 0
        c.most = min(2 * c.most, MOST_TOGETHER_CALLS) if c.credit >= 0 else LEAST_TOGETHER_CALLS
        if c.credit < 0:
            c.factor = max(1, c.factor)
            c.pause = c.factor * (TRIAL_CREDIT - c.credit)
            c.factor = min(2 * c.factor, LONGEST_PAUSE)
            c.gained = 0
    else:
        c.last[c.calls % ALONE_CALLS] = seconds
        c.pause -= seconds
        if c.calls < COLD_CALLS + ALONE_CALLS or c.pause > 0:
            return
        c.alone = usual_time(c.last)
        c.credit = max(c.credit, TRIAL_CREDIT)
    c.together = not c.together
    c.calls = 0
