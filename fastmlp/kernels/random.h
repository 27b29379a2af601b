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

/* The low 32 bits of x · factor in every lane, for x of 32 bits. */
INLINE vec_bits low_product(vec_bits x, uint32_t factor) {
#if VECTOR_BYTES == 32 && defined(X86) && REAL_IS_DOUBLE /* has no product of 64-bit lanes */
    return (vec_bits)_mm256_mul_epu32((__m256i)x, _mm256_set1_epi64x(factor)) & LOW_32;
#else
    return (x * (lane_bits)factor) & LOW_32;
#endif
}

/* `bits_at` of the WIDTH columns from `column` on. */
INLINE vec_bits vector_bits(uint64_t key, uint32_t column) {
    vec_bits x;
    for (int i = 0; i < WIDTH; i++) x[i] = (lane_bits)i; /* a constant */
    x = (x + column) ^ (lane_bits)(uint32_t)key;
    x = low_product(x ^ (x >> 16), 0x21f0aaadu);
    x ^= (lane_bits)(key >> 32);
    x = low_product(x ^ (x >> 15), 0x735a2d97u);
    return x ^ (x >> 15);
}

/* Which lanes' random bits are `threshold` or more; and x there, zero in the other lanes. */
typedef vec_int lane_mask;
INLINE lane_mask bits_reach(uint64_t key, uint32_t column, uint32_t threshold) {
    return (lane_mask)(vector_bits(key, column) >= (lane_bits)threshold);
}
INLINE vec where(lane_mask chosen, vec x) { return (vec)(chosen & (vec_int)x); }

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
typedef int lane_mask;
INLINE lane_mask bits_reach(uint64_t key, uint32_t column, uint32_t threshold) {
    return bits_at(key, column) >= threshold;
}
INLINE vec where(lane_mask chosen, vec x) { return chosen ? x : 0; }
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
