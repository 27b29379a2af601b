# Part of operations.pyx: what is chosen by the clock, and how threads divide a matrix.

from .load_balance cimport (balance, divide_among, load_balance, see_work, share_of, size_of_shares,
                            take_next, thread_pace)
from .matrices cimport grouped, grouped_room, max_group_starts


def choices(const double[:, ::1] seconds):
    """Return the way of each batch, True: zeros are skipped, if row i is what the ways take in batch i.

    The columns are the dense product and the one that skips zeros (choice.pxd).
    """
    cdef choice c
    cdef double clock = 0
    cdef Py_ssize_t i
    ways = []
    allow(&c, True, True)
    for i in range(seconds.shape[0]):
        ways.append(bool(c.way))
        clock += seconds[i, c.way]
        choose(&c, clock, 1)
    return ways


def team_choices(const double[:, ::1] seconds):
    """Return the way of each call, True: several threads, if row i is what the ways take in call i.

    The columns are one thread and several threads that pass a few rows together (few_rows.pxd).
    """
    cdef team_choice c
    cdef Py_ssize_t i
    ways = []
    memset(&c, 0, sizeof(team_choice))
    for i in range(seconds.shape[0]):
        ways.append(bool(c.together))
        record_call(&c, seconds[i, c.together])
    return ways


def shares(const double[:, ::1] slowness):
    """Return the shares of the threads after each batch, (batches, threads).

    Thread t takes share × slowness[i, t] seconds for its part of batch i (load_balance.pxd).
    """
    cdef int n = <int>slowness.shape[1], t
    cdef Py_ssize_t i
    cdef double clock = 0
    cdef load_balance b
    cdef int[::1] kept = np.zeros(size_of_shares(n), np.intc)
    cdef double[::1] worked = np.zeros(n)
    paces = bytearray(n * sizeof(thread_pace))
    cdef unsigned char[::1] room = paces
    found = np.empty((slowness.shape[0], n))
    cdef double[:, ::1] into = found
    b.kept = &kept[0]
    b.paces = <thread_pace*>&room[0]
    divide_among(&b, n)
    for i in range(slowness.shape[0]):
        for t in range(n):
            see_work(&b, t, worked[t])
            worked[t] += share_of(&b, t) * slowness[i, t]
        clock += max([share_of(&b, t) * slowness[i, t] for t in range(n)])
        balance(&b, clock)
        if b.changed:
            take_next(&b)
        for t in range(n):
            into[i, t] = share_of(&b, t)
    return found


def groups(Py_ssize_t n, Py_ssize_t n_terms, Py_ssize_t n_rows, int[::1] starts):
    """Return the numbers that a batch matrix with n columns takes, and those reserved for it.

    Its columns are sums of n_terms, divided among threads by the shares that begin at `starts`, of
    65,536 (partition.pxd, matrices.pxd).
    """
    cdef int n_parts = <int>starts.shape[0] - 1
    cdef Py_ssize_t[::1] first = np.zeros(max_group_starts(n_parts), np.intp)
    cdef matrix x = grouped(n, n_terms, n_rows, n_parts, &starts[0], &first[0])
    cdef int g = 0
    while first[g] < n and g < first.shape[0] - 1:
        g += 1
    return g * n_rows * x.stride, grouped_room(n, n_rows, n_parts)
