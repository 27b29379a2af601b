/* Threads: OpenMP where it is available, one thread where it is not, and a barrier.
 *
 * The barrier counts arrivals in a tree, four threads or nodes to a node, so that many threads do
 * not queue for one cache line; the last increments a generation number.  A waiting thread spins for
 * SPIN_SECONDS, which suffices while every thread has a core, even if one core is slower than the
 * others.  If there are fewer cores than threads or other processes are busy, the thread that it
 * waits for may need the same core; so then it sleeps (Linux) or yields.  Sleeping is better: a
 * scheduler often returns the core for milliseconds to a thread that only yields, and runs a thread
 * that slept as soon as it is woken.  Threads that sleep by turns, however, never look to the
 * scheduler as if they needed two cores: if two sleep on one core, the later moves.
 */
#ifndef FASTMLP_TEAM_H
#define FASTMLP_TEAM_H

#include <stdint.h>
#include <time.h>

#ifdef _OPENMP
#include <omp.h>
#define HAS_OPENMP 1
#define ATOMIC_ADD(p, x) __atomic_add_fetch(p, x, __ATOMIC_ACQ_REL)
#define ATOMIC_LOAD(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define ATOMIC_STORE(p, x) __atomic_store_n(p, x, __ATOMIC_SEQ_CST)
#define ATOMIC_OR(p, x) __atomic_fetch_or(p, x, __ATOMIC_RELAXED)
#define ATOMIC_COPY_FROM(p, copy) __atomic_load(p, copy, __ATOMIC_RELAXED) /* of any type */
#define ATOMIC_COPY_TO(p, copy) __atomic_store(p, copy, __ATOMIC_RELAXED)
#else
#define HAS_OPENMP 0
#define omp_get_num_threads() 1
#define omp_get_thread_num() 0
#define omp_get_max_threads() 1
#define omp_get_num_procs() 1
#define ATOMIC_ADD(p, x) (*(p) += (x))
#define ATOMIC_LOAD(p) (*(p))
#define ATOMIC_STORE(p, x) (*(p) = (x))
#define ATOMIC_OR(p, x) (*(p) |= (x))
#define ATOMIC_COPY_FROM(p, copy) (*(copy) = *(p))
#define ATOMIC_COPY_TO(p, copy) (*(p) = *(copy))
#endif

/* Set bits of a word of which other threads may be setting bits too. */
static inline void set_bits(int *word, int bits) { ATOMIC_OR(word, bits); }

/* Add to a number that other threads may read meanwhile; only one thread changes it. */
static inline void add_visibly(double *total, double x) {
    double sum = *total + x;
    ATOMIC_COPY_TO(total, &sum);
}

/* Such a number, as it is now. */
static inline double total_now(const double *total) {
    double sum;
    ATOMIC_COPY_FROM(total, &sum);
    return sum;
}

#if defined(_WIN32)
#include <windows.h>
#define give_way(t, generation, part, n_threads) SwitchToThread()
#define wake(t) ((void)0)
#elif defined(__linux__)
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <sched.h>
#define give_way(t, generation, part, n_threads) sched_yield()
#define wake(t) ((void)0)
#endif
#if defined(__x86_64__)
#define relax() __builtin_ia32_pause()
#elif defined(__aarch64__) && defined(__GNUC__)
#define relax() __asm__ volatile("yield")
#else
#define relax() ((void)0)
#endif

#if defined(__SSE2__)
#define order_stores() __builtin_ia32_sfence() /* those past the caches before later ones */
#else
#define order_stores() ((void)0)
#endif

/* Several times what it takes to wake a thread, about 50 µs on a virtual machine, and a twentieth of
 * the 4 ms for which a scheduler gives a core to another process. */
#define SPIN_SECONDS 200e-6
#define SPINS 64 /* between two looks at the clock */
#define MOST_IN_TEAM 512

#define CHILDREN 4
#define MOST_NODES 172 /* of a tree over MOST_IN_TEAM threads: 128 + 32 + 8 + 2 + 1, one spare */

typedef struct {
    int arrived;
    char pad[60];
} arrival_node;

typedef struct { /* each counter on a cache line of its own */
    arrival_node nodes[MOST_NODES];
    int generation;
    int sleepers;
    int64_t slept; /* nanoseconds that all threads together slept or yielded */
    int cores; /* how many threads have a core each, or, negative, have not; 0: not looked up */
    char pad2[44];
    int core[MOST_IN_TEAM]; /* 1 + the core on which each thread last slept; 0: not known */
} team;

#if defined(__linux__)
/* Move to another core if an earlier thread of the team sleeps on this one: the thread's affinity
 * is set to the other cores and then back. */
static inline void leave_shared_core(team *t, int part, int n_threads) {
    int here = sched_getcpu(), shared = 0;
    cpu_set_t all, others;
    for (int k = 0; k < part; k++) shared |= ATOMIC_LOAD(&t->core[k]) == here + 1;
    ATOMIC_STORE(&t->core[part], shared ? 0 : here + 1);
    if (!shared || sched_getaffinity(0, sizeof all, &all) || CPU_COUNT(&all) < n_threads) return;
    others = all;
    CPU_CLR(here, &others);
    if (sched_setaffinity(0, sizeof others, &others)) return;
    cpu_set_t now; /* whoever sets it from outside meanwhile is obeyed */
    if (!sched_getaffinity(0, sizeof now, &now) && CPU_EQUAL(&now, &others))
        sched_setaffinity(0, sizeof all, &all);
}

/* Sleep while the generation is unchanged, which the system's kernel compares once more.  A sleeper
 * is counted before that, and the generation is incremented before the count is read, both
 * sequentially consistent, so no wake-up is lost. */
static inline void give_way(team *t, int generation, int part, int n_threads) {
    leave_shared_core(t, part, n_threads);
    __atomic_add_fetch(&t->sleepers, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &t->generation, FUTEX_WAIT_PRIVATE, generation, NULL, NULL, 0);
    __atomic_sub_fetch(&t->sleepers, 1, __ATOMIC_SEQ_CST);
}

static inline void wake(team *t) {
    if (__atomic_load_n(&t->sleepers, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, &t->generation, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
#endif

static inline double seconds_now(void) {
#if defined(_WIN32)
    LARGE_INTEGER count, rate;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&rate);
    return (double)count.QuadPart / (double)rate.QuadPart;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
#endif
}

/* OpenMP ends the process when the system grants it no more threads.  So before a team larger than
 * the last one of this thread is made, the missing threads are made here, where that can fail. */
#if defined(_OPENMP) && !defined(_WIN32)
#include <pthread.h>

static __thread int last_team = 1; /* threads that OpenMP keeps for this one, itself included */

static void *wait_for_all(void *gate) {
    pthread_mutex_lock((pthread_mutex_t *)gate);
    pthread_mutex_unlock((pthread_mutex_t *)gate);
    return NULL;
}

/* The size of the next team: n_threads, or fewer if there are not as many to be had. */
static inline int team_size(int n_threads) {
    if (n_threads > last_team) {
        pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
        pthread_t made[MOST_IN_TEAM];
        int n = 0, missing = n_threads - last_team;
        pthread_mutex_lock(&gate); /* all of them at once, as in a team */
        while (n < missing && pthread_create(&made[n], NULL, wait_for_all, &gate) == 0) n++;
        pthread_mutex_unlock(&gate);
        for (int k = 0; k < n; k++) pthread_join(made[k], NULL);
        n_threads = last_team + n;
    }
    if (n_threads > 1) last_team = n_threads; /* a smaller team lets the others go */
    return n_threads;
}
#else
#define team_size(n_threads) (n_threads)
#endif

/* Give other threads so much time. */
static inline void pause_microseconds(int microseconds) {
#if defined(_WIN32)
    Sleep((DWORD)((microseconds + 999) / 1000));
#else
    struct timespec pause = {0, 1000L * microseconds};
    nanosleep(&pause, NULL);
#endif
}

/* Count this thread's arrival; true for the last of all.  The last at a node goes on to the node
 * above, and leaves zero behind for the next barrier. */
static inline int arrive_last(team *t, int part, int n_threads) {
    arrival_node *level = t->nodes;
    for (;;) {
        int nodes = (n_threads + CHILDREN - 1) / CHILDREN, here = part / CHILDREN;
        int children = here + 1 < nodes ? CHILDREN : n_threads - CHILDREN * here;
        if (ATOMIC_ADD(&level[here].arrived, 1) < children) return 0;
        ATOMIC_STORE(&level[here].arrived, 0);
        if (nodes == 1) return 1;
        level += nodes;
        part = here;
        n_threads = nodes;
    }
}

/* Whether each thread may have a core of its own. */
static inline int has_enough_cores(team *t, int n_threads) {
    int cores = ATOMIC_LOAD(&t->cores);
    if (cores != n_threads && cores != -n_threads) { /* whoever looks it up finds the same */
        cores = n_threads <= omp_get_num_procs() ? n_threads : -n_threads;
        ATOMIC_STORE(&t->cores, cores);
    }
    return cores > 0;
}

static inline void barrier(team *t, int part, int n_threads) {
    if (n_threads == 1) return;
    order_stores();
    int generation = ATOMIC_LOAD(&t->generation);
    if (arrive_last(t, part, n_threads)) {
        ATOMIC_STORE(&t->generation, generation + 1);
        wake(t);
        return;
    }
    double started = 0, asleep = 0; /* when it began to spin and to sleep */
    for (int spins = 1; ATOMIC_LOAD(&t->generation) == generation; spins++) {
        relax();
        if (spins % SPINS) continue;
        double now = seconds_now();
        if (started == 0) started = now;
        if (now - started < SPIN_SECONDS && has_enough_cores(t, n_threads)) continue;
        if (asleep == 0) asleep = now;
        give_way(t, generation, part, n_threads);
    }
    if (asleep != 0) ATOMIC_ADD(&t->slept, (int64_t)(1e9 * (seconds_now() - asleep)));
}

#endif
