/* Faults of the system, injected by LD_PRELOAD into one process.

   arm_faults(name, n) names a fault and which call of its kind, counted from 1, it comes to:
     malloc       the n-th allocation of at least 4 kB fails
     write-short  the n-th write to a file takes half of the bytes
     write-ENOSPC, write-EIO, write-EINTR   it fails with this error
     fsync-EIO    the n-th fsync fails
     clock        the monotonic clock is an hour later from its n-th reading on
     wall-later, wall-earlier   the time of day is a day later or earlier from its n-th reading on
     fork         the n-th allocation of at least 4 kB forks a child, which exits
   disarm_faults() ends this and returns how many calls of the kind there were. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_long place = -1;  /* of the fault; -1: not armed */
static atomic_long seen;
static char fault[32];

void arm_faults(const char* name, long n) {
    strncpy(fault, name, sizeof fault - 1);
    atomic_store(&seen, 0);
    atomic_store(&place, n);
}

long disarm_faults(void) {
    atomic_store(&place, -1);
    return atomic_load(&seen);
}

static int is_now(const char* kind) {
    if (atomic_load(&place) < 0 || strncmp(fault, kind, strlen(kind)) != 0)
        return 0;
    return atomic_fetch_add(&seen, 1) + 1 == atomic_load(&place);
}

/* Whether an allocation is one of NumPy's without the interpreter's lock, such as the buffers of its
   iterators: NumPy itself crashes where they fail, because it raises the error without the lock. */
static int is_unlocked(void* caller) {
    static int (*has_lock)(void);
    Dl_info of;
    if (has_lock == NULL)
        has_lock = (int (*)(void))dlsym(RTLD_DEFAULT, "PyGILState_Check");
    if (has_lock == NULL || has_lock())
        return 0;
    return !(dladdr(caller, &of) && strstr(of.dli_fname, "fastmlp/kernels"));
}

static int fails(size_t size, void* caller) {
    if (size < 4096 || atomic_load(&place) < 0 || is_unlocked(caller))
        return 0;
    if (is_now("fork")) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        int status;
        waitpid(child, &status, 0);
    }
    if (!is_now("malloc"))
        return 0;
    errno = ENOMEM;
    return 1;
}

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) {
    return fails(size, __builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void* calloc(size_t n, size_t size) {
    return fails(n * size, __builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void* realloc(void* old, size_t size) {
    return fails(size, __builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
    void* caller = __builtin_return_address(0);
    return fails(size, caller) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void** result, size_t alignment, size_t size) {
    void* caller = __builtin_return_address(0);
    void* found = fails(size, caller) ? NULL : __libc_memalign(alignment, size);
    if (found == NULL)
        return ENOMEM;
    *result = found;
    return 0;
}

ssize_t write(int file, const void* data, size_t size) {
    static ssize_t (*next)(int, const void*, size_t);
    if (next == NULL)
        next = (ssize_t (*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
    if (file > 2 && is_now("write")) {
        const char* kind = fault + strlen("write-");
        if (strcmp(kind, "short") == 0)
            return next(file, data, size > 1 ? size / 2 : size);
        errno = strcmp(kind, "ENOSPC") == 0 ? ENOSPC : strcmp(kind, "EIO") == 0 ? EIO : EINTR;
        return -1;
    }
    return next(file, data, size);
}

int fsync(int file) {
    static int (*next)(int);
    if (next == NULL)
        next = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (is_now("fsync")) {
        errno = EIO;
        return -1;
    }
    return next(file);
}

static int time_of(clockid_t clock, struct timespec* result) {
    static int (*next)(clockid_t, struct timespec*);
    static atomic_long hours, days;
    if (next == NULL)
        next = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
    int status = next(clock, result);
    if (clock == CLOCK_MONOTONIC) {
        if (is_now("clock"))
            atomic_fetch_add(&hours, 1);
        result->tv_sec += 3600 * atomic_load(&hours);
    } else if (clock == CLOCK_REALTIME) {
        if (is_now("wall"))
            atomic_fetch_add(&days, strcmp(fault, "wall-later") == 0 ? 1 : -1);
        result->tv_sec += 86400 * atomic_load(&days);
    }
    return status;
}

int clock_gettime(clockid_t clock, struct timespec* result) { return time_of(clock, result); }

int gettimeofday(struct timeval* restrict result, void* restrict zone) {
    struct timespec now;
    (void)zone;
    time_of(CLOCK_REALTIME, &now);
    result->tv_sec = now.tv_sec;
    result->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t* result) {
    struct timespec now;
    time_of(CLOCK_REALTIME, &now);
    if (result != NULL)
        *result = now.tv_sec;
    return now.tv_sec;
}
