/* Which of the builds this processor (and its operating system) can run, and a check of numbers. */
#ifndef FASTMLP_CPU_H
#define FASTMLP_CPU_H

#include <float.h>
#include <math.h>
#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__)
static int supports_v3(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
static int supports_v4(void) {
    return supports_v3() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
static int supports_v3(void) { return 0; }
static int supports_v4(void) { return 0; }
#endif

/* Whether none of n numbers is NaN or infinite; a NaN fails every comparison. */
static int floats_are_finite(const float *x, ptrdiff_t n) {
    int wrong = 0;
    for (ptrdiff_t i = 0; i < n; i++) wrong |= !(fabsf(x[i]) <= FLT_MAX);
    return !wrong;
}
static int doubles_are_finite(const double *x, ptrdiff_t n) {
    int wrong = 0;
    for (ptrdiff_t i = 0; i < n; i++) wrong |= !(fabs(x[i]) <= DBL_MAX);
    return !wrong;
}

#endif
