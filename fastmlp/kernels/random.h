/* Random numbers from counters: each depends on its key and its column alone.
 *
 * There is no sequence, so any thread can compute any number, and training that is resumed at a
 * batch gets the numbers that it would have had.  A key is mixed from (seed, epoch, batch), the
 * layer and the row by SplitMix64 (Steele, Lea and Flood 2014); the bits of a column are mixed from
 * the row's key by the 32-bit function lowbias32 (Wellons 2018), which takes in one half of the key
 * before each of its multiplications.  float and double builds use the same bits.
 */
#ifndef FASTMLP_RANDOM_H
#define FASTMLP_RANDOM_H

#include "vector.h"

/* The key of item `number` under another key. */
static inline uint64_t mixed_key(uint64_t key, uint64_t number) {
    uint64_t x = key + (number + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* 32 random bits of one column. */
static inline uint32_t bits_at(uint64_t key, uint32_t column) {
    uint32_t x = column ^ (uint32_t)key;
    x = (x ^ (x >> 16)) * 0x21f0aaadu;
    x ^= (uint32_t)(key >> 32);
    x = (x ^ (x >> 15)) * 0x735a2d97u;
    return x ^ (x >> 15);
}

#if VECTOR_BYTES > 0
#if REAL_IS_DOUBLE
typedef uint64_t lane_bits;
#else
typedef uint32_t lane_bits;
#endif
typedef lane_bits vec_bits __attribute__((vector_size(VECTOR_BYTES), may_alias));
#define LOW_32 ((lane_bits)0xffffffffu) /* a 64-bit lane holds a number of 32 bits */

/* The same for the WIDTH columns from `column` on. */
INLINE vec_bits vector_bits(uint64_t key, uint32_t column) {
    vec_bits x = {0};
    for (int i = 0; i < WIDTH; i++) x[i] = (uint32_t)(column + (uint32_t)i);
    x ^= (lane_bits)(uint32_t)key;
    x = ((x ^ (x >> 16)) * (lane_bits)0x21f0aaadu) & LOW_32;
    x ^= (lane_bits)(key >> 32);
    x = ((x ^ (x >> 15)) * (lane_bits)0x735a2d97u) & LOW_32;
    return x ^ (x >> 15);
}

/* Dropout: x · scale where a lane's random bits are `threshold` or more, else zero. */
INLINE vec dropped(vec x, uint64_t key, uint32_t column, uint32_t threshold, real scale) {
    vec_int chosen = (vec_int)(vector_bits(key, column) >= (lane_bits)threshold);
    return (vec)(chosen & (vec_int)(x * scale));
}

/* Uniform in (0, 1): the middles of 2²³ equal intervals. */
INLINE vec uniform(uint64_t key, uint32_t column) {
    vec_int bits = (vec_int)(vector_bits(key, column) >> 9);
    return (__builtin_convertvector(bits, vec) + (real)0.5) * (real)1.1920928955078125e-7;
}

/* x = m·2ᵉ with m in [1, 2), for normal x > 0. */
INLINE vec mantissa(vec x) {
    const lane_int one = (lane_int)EXPONENT_BIAS << MANTISSA_BITS;
    return (vec)(((vec_int)x & (((lane_int)1 << MANTISSA_BITS) - 1)) | one);
}
INLINE vec exponent(vec x) {
    return __builtin_convertvector(((vec_int)x >> MANTISSA_BITS) - EXPONENT_BIAS, vec);
}
#else
INLINE vec dropped(vec x, uint64_t key, uint32_t column, uint32_t threshold, real scale) {
    return bits_at(key, column) >= threshold ? x * scale : 0;
}
INLINE vec uniform(uint64_t key, uint32_t column) {
    return ((real)(bits_at(key, column) >> 9) + (real)0.5) * (real)1.1920928955078125e-7;
}
INLINE vec mantissa(vec x) {
    int e;
    return (real)(2 * frexp((double)x, &e));
}
INLINE vec exponent(vec x) {
    int e;
    frexp((double)x, &e);
    return (real)(e - 1);
}
#endif

#endif
