/* Which of up to 64 numbers are not zero: a word with a bit for each, the first number's lowest. */
#ifndef FASTMLP_BITS_H
#define FASTMLP_BITS_H

#include "vector.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
INLINE int lowest_bit(uint64_t bits) {
    unsigned long place;
    _BitScanForward64(&place, bits);
    return (int)place;
}
#else
/* The place of the lowest bit that is set. */
INLINE int lowest_bit(uint64_t bits) { return __builtin_ctzll(bits); }
#endif
INLINE uint64_t without_lowest(uint64_t bits) { return bits & (bits - 1); }

/* The lanes of a vector that are not zero.  NaN is not zero. */
INLINE unsigned nonzero_lanes(vec x) {
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
    return _mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_NEQ_UQ);
#elif VECTOR_BYTES == 64
    return _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
#elif VECTOR_BYTES == 32 && defined(X86) && REAL_IS_DOUBLE
    return (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_NEQ_UQ));
#elif VECTOR_BYTES == 32 && defined(X86)
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ));
#elif VECTOR_BYTES == 16 && defined(X86) && REAL_IS_DOUBLE
    return (unsigned)_mm_movemask_pd(_mm_cmpneq_pd((__m128d)x, _mm_setzero_pd()));
#elif VECTOR_BYTES == 16 && defined(X86)
    return (unsigned)_mm_movemask_ps(_mm_cmpneq_ps((__m128)x, _mm_setzero_ps()));
#elif defined(NEON_FLOATS)
    const uint32x4_t bits = {1, 2, 4, 8};
    return vaddvq_u32(vbicq_u32(bits, vceqzq_f32((float32x4_t)x)));
#elif VECTOR_BYTES > 0
    unsigned lanes = 0;
    for (int lane = 0; lane < WIDTH; lane++) lanes |= (unsigned)(x[lane] != 0) << lane;
    return lanes;
#else
    return x != 0;
#endif
}

/* Those of n numbers, 1 to 64, padded with zeros to whole vectors. */
INLINE uint64_t nonzero_numbers(const real *x, ptrdiff_t n) {
    uint64_t bits = 0;
    for (ptrdiff_t k = 0; k < n; k += WIDTH) bits |= (uint64_t)nonzero_lanes(load(x + k)) << k;
    return bits;
}

/* Those of n bytes, 1 to 64, where 64 can be read. */
INLINE uint64_t nonzero_bytes(const unsigned char *x, ptrdiff_t n) {
#if VECTOR_BYTES == 64
    __m512i bytes = _mm512_loadu_si512(x);
    uint64_t bits = _mm512_test_epi8_mask(bytes, bytes);
#else
    uint64_t bits = 0;
#if VECTOR_BYTES > 0 && defined(X86)
    for (int k = 0; k < 64; k += 16) {
        __m128i zeros = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(x + k)),
                                       _mm_setzero_si128());
        bits |= (uint64_t)(uint16_t)~_mm_movemask_epi8(zeros) << k;
    }
#elif defined(NEON_FLOATS)
    const uint8x8_t places = {1, 2, 4, 8, 16, 32, 64, 128};
    for (int k = 0; k < 64; k += 8) {
        uint8x8_t bytes = vld1_u8(x + k);
        bits |= (uint64_t)vaddv_u8(vand_u8(places, vtst_u8(bytes, bytes))) << k;
    }
#else
    for (int k = 0; k < 64; k++) bits |= (uint64_t)(x[k] != 0) << k;
#endif
#endif
    return n < 64 ? bits & (((uint64_t)1 << n) - 1) : bits;
}

#endif
