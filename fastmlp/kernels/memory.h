/* Zeroed memory for arrays that are walked at random or are larger than the caches.
 *
 * A large block begins on a huge page and asks for more of them (Linux): one address
 * translation then serves 2 MB, and first touching them costs 500 times fewer page faults.
 */
#ifndef FASTMLP_MEMORY_H
#define FASTMLP_MEMORY_H

#include <stdint.h>
#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#define CACHE_LINE 64
#define HUGE_PAGE ((size_t)2 << 20)

/* A number that its owner may change at any time is read once, then checked and used. */
static inline int32_t read_once(const int32_t *place) { return *(const volatile int32_t *)place; }

/* `size` bytes from *data on; returns what is to be freed, or NULL. */
static inline void *zeroed(size_t size, char **data) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    size_t unit = size >= HUGE_PAGE / 2 ? HUGE_PAGE : CACHE_LINE;
#else
    size_t unit = CACHE_LINE;
#endif
    size_t whole = (size + unit - 1) / unit * unit;
    if (whole < size || whole + unit < whole) return NULL;
    char *allocated = calloc(whole + unit, 1);
    if (allocated == NULL) return NULL;
    *data = (char *)(((uintptr_t)allocated + unit - 1) & ~(uintptr_t)(unit - 1));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (unit == HUGE_PAGE) madvise(*data, whole, MADV_HUGEPAGE); /* a wish: it may be refused */
#endif
    return allocated;
}

#endif
