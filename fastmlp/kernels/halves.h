/* Whether this processor computes half a 512-bit vector in less time than a whole one.
 *
 * Zen 4, and Intel processors with one 512-bit unit, make 256-bit multiply-adds twice as fast;
 * others make as many of either a cycle.  So it is measured while the module is loaded.  No bit
 * depends on it.
 */
#ifndef FASTMLP_HALVES_H
#define FASTMLP_HALVES_H

#include "team.h"
#include "vector.h"

static int halves_fast = 0;

#if HALVES
enum {
    CHAINS = 10, /* independent multiply-adds: two units with a latency of up to 5 cycles */
    CHAIN_STEPS = 1000,
    RUNS = 20 /* 2 µs each; the first ones wake the units for wide vectors */
};

#define CHAINS_OF(name, type, splat_of, fused_of)                                          \
    static __attribute__((noinline)) double name(void) {                                  \
        type sums[CHAINS], factor = splat_of((real)0.5);                                  \
        for (int i = 0; i < CHAINS; i++) sums[i] = splat_of((real)i);                     \
        double start = seconds_now();                                                     \
        for (int step = 0; step < CHAIN_STEPS; step++)                                    \
            for (int i = 0; i < CHAINS; i++) sums[i] = fused_of(sums[i], factor, factor); \
        for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "v"(sums[i]));           \
        return seconds_now() - start;                                                     \
    }
CHAINS_OF(seconds_of_wholes, vec, splat, fused)
CHAINS_OF(seconds_of_halves, half_vec, splat_half, fused_half)

static void __attribute__((constructor)) measure_halves(void) {
    double wholes = 1, halves = 1;
    for (int run = 0; run < RUNS; run++) {
        double whole = seconds_of_wholes(), half = seconds_of_halves();
        wholes = whole < wholes ? whole : wholes;
        halves = half < halves ? half : halves;
    }
    halves_fast = halves < 0.75 * wholes; /* 0.5 or 1, but for noise */
}
#endif

#endif
