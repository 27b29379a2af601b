/* The entries of sparse rows: the non-zero numbers of a row with their columns.
 *
 * A product of sparse rows is limited by its loads, so an entry is one word where a word holds
 * both of its parts.
 */
#ifndef FASTMLP_ENTRIES_H
#define FASTMLP_ENTRIES_H

#include "bits.h"

/* One non-zero of a sparse row: its column and its value. */
typedef struct {
    lane_int index;
    real value;
} entry;
#define LAST_INDEX ((lane_int)0x7fffffff) /* the index that ends every sparse row */

/* An entry in a register: one word where a word holds both, so that it takes one load, not two. */
#if !REAL_IS_DOUBLE && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
typedef uint64_t loaded_entry;
static inline loaded_entry load_entry(const entry *e) {
    uint64_t word;
    memcpy(&word, e, sizeof word);
    return word;
}
static inline lane_int index_of(loaded_entry word) { return (lane_int)(uint32_t)word; }
/* Store the entry with another index. */
static inline void store_entry(loaded_entry word, lane_int index, entry *e) {
    word = (word >> 32 << 32) | (uint32_t)index;
    memcpy(e, &word, sizeof word);
}
#else
typedef entry loaded_entry;
static inline loaded_entry load_entry(const entry *e) { return *e; }
static inline lane_int index_of(loaded_entry e) { return e.index; }
static inline void store_entry(loaded_entry word, lane_int index, entry *e) {
    e->index = index;
    e->value = word.value;
}
#endif

/* The value of an entry in every lane. */
INLINE vec value_of(loaded_entry e) {
#if REAL_IS_DOUBLE || !(defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
    return splat(e.value);
#elif VECTOR_BYTES > 0
    return (vec)((vec_int){0} + (lane_int)(e >> 32)); /* from an integer register */
#else
    uint32_t bits = (uint32_t)(e >> 32);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
#endif
}

/* ------------------------------------------------------------------- entries from vectors
 * WIDTH entries from a vector of indices and one of values. */
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
INLINE void store_entries(__m512i indices, vec values, entry *e) {
    const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    __m512i v = _mm512_castpd_si512(values);
    _mm512_storeu_si512(e, _mm512_permutex2var_epi64(indices, low, v));
    _mm512_storeu_si512(e + 4, _mm512_permutex2var_epi64(indices, high, v));
}
#elif VECTOR_BYTES == 64
INLINE void store_entries(__m512i indices, vec values, entry *e) {
    const __m512i low =
        _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    __m512i v = _mm512_castps_si512(values);
    _mm512_storeu_si512(e, _mm512_permutex2var_epi32(indices, low, v));
    _mm512_storeu_si512(e + 8, _mm512_permutex2var_epi32(indices, high, v));
}
#elif VECTOR_BYTES == 32 && defined(X86)
INLINE void store_entries(__m256i indices, vec values, entry *e) {
    __m256i v = (__m256i)values;
#if REAL_IS_DOUBLE
    __m256i even = _mm256_unpacklo_epi64(indices, v); /* entries 0 and 2 */
    __m256i odd = _mm256_unpackhi_epi64(indices, v);
#else
    __m256i even = _mm256_unpacklo_epi32(indices, v); /* entries 0, 1 and 4, 5 */
    __m256i odd = _mm256_unpackhi_epi32(indices, v);
#endif
    _mm256_storeu_si256((__m256i *)e, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256((__m256i *)(e + WIDTH / 2), _mm256_permute2x128_si256(even, odd, 0x31));
}
#elif defined(NEON_FLOATS)
INLINE void store_entries(uint32x4_t indices, vec values, entry *e) {
    vst2q_u32((uint32_t *)e, ((uint32x4x2_t){{indices, (uint32x4_t)values}}));
}
#endif

#if VECTOR_BYTES == 32 && defined(X86) || defined(NEON_FLOATS)
/* Which lanes a mask of WIDTH bits chooses, the first ones first, a byte each.  AVX2 and
 * NEON do not compress; pext would make this number, but takes hundreds of cycles on Zen 1 and 2. */
#define LANE(mask, i) \
    ((uint64_t)((mask) >> (i) & 1) * (i) << 8 * __builtin_popcount((mask) & ((1 << (i)) - 1)))
#define LANES(mask)                                                                          \
    (LANE(mask, 1) | LANE(mask, 2) | LANE(mask, 3) | LANE(mask, 4) | LANE(mask, 5) |         \
     LANE(mask, 6) | LANE(mask, 7))
#define LANES_4(m) LANES(m), LANES((m) + 1), LANES((m) + 2), LANES((m) + 3)
#define LANES_16(m) LANES_4(m), LANES_4((m) + 4), LANES_4((m) + 8), LANES_4((m) + 12)
#define LANES_64(m) LANES_16(m), LANES_16((m) + 16), LANES_16((m) + 32), LANES_16((m) + 48)
static const uint64_t chosen_lanes[] = {
#if REAL_IS_DOUBLE || defined(NEON_FLOATS)
    LANES_16(0)
#else
    LANES_64(0), LANES_64(64), LANES_64(128), LANES_64(192)
#endif
};
#endif

/* ------------------------------------------------------------- the non-zeros of one vector
 * Writes (index + lane, value) of every lane that is not zero to `e`, which has room for WIDTH
 * entries in any case; returns how many there were.  NaN is not zero. */
INLINE int compress(vec x, lane_int index, entry *e) {
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
    __mmask8 nonzero = (__mmask8)nonzero_lanes(x);
    __m512i lanes = _mm512_add_epi64(_mm512_set1_epi64(index),
                                     _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    store_entries(_mm512_maskz_compress_epi64(nonzero, lanes),
                  _mm512_maskz_compress_pd(nonzero, x), e);
    return __builtin_popcount(nonzero);
#elif VECTOR_BYTES == 64
    __mmask16 nonzero = (__mmask16)nonzero_lanes(x);
    __m512i lanes = _mm512_add_epi32(
        _mm512_set1_epi32(index),
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    store_entries(_mm512_maskz_compress_epi32(nonzero, lanes),
                  _mm512_maskz_compress_ps(nonzero, x), e);
    return __builtin_popcount(nonzero);
#elif VECTOR_BYTES == 32 && defined(X86) && REAL_IS_DOUBLE
    unsigned nonzero = nonzero_lanes(x);
    __m256i lanes = _mm256_cvtepu8_epi64(_mm_cvtsi64_si128((long long)chosen_lanes[nonzero]));
    __m256i halves = _mm256_slli_epi64(lanes, 1); /* of a lane: 2·lane, 2·lane + 1 */
    halves |= (halves | _mm256_set1_epi64x(1)) << 32;
    __m256i values = _mm256_permutevar8x32_epi32((__m256i)x, halves);
    store_entries(_mm256_add_epi64(lanes, _mm256_set1_epi64x(index)), (vec)values, e);
    return __builtin_popcount(nonzero);
#elif VECTOR_BYTES == 32 && defined(X86)
    unsigned nonzero = nonzero_lanes(x);
    __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)chosen_lanes[nonzero]));
    store_entries(_mm256_add_epi32(lanes, _mm256_set1_epi32(index)),
                  _mm256_permutevar8x32_ps(x, lanes), e);
    return __builtin_popcount(nonzero);
#elif defined(NEON_FLOATS)
    unsigned nonzero = nonzero_lanes(x);
    uint16x8_t bytes = vmovl_u8(vcreate_u8(chosen_lanes[nonzero]));
    uint32x4_t lanes = vmovl_u16(vget_low_u16(bytes));
    uint32x4_t places = vmlaq_n_u32(vdupq_n_u32(0x03020100), lanes, 0x04040404); /* of bytes */
    uint8x16_t values = vqtbl1q_u8((uint8x16_t)x, (uint8x16_t)places);
    store_entries(vaddq_u32(lanes, vdupq_n_u32((uint32_t)index)), (vec)values, e);
    return __builtin_popcount(nonzero);
#elif VECTOR_BYTES > 0
    int n = 0;
    for (int lane = 0; lane < WIDTH; lane++) {
        e[n].index = index + lane;
        e[n].value = x[lane];
        n += x[lane] != 0;
    }
    return n;
#else
    e->index = index;
    e->value = x;
    return x != 0;
#endif
}

/* ------------------------------------------------------------- the non-zeros of a row of bytes
 * Writes (column, x · scale) of every byte that is not 0 to `e`, which has room for a vector after
 * them; returns how many there were. */
INLINE ptrdiff_t compress_bytes(const unsigned char *x, ptrdiff_t n, real scale, entry *e) {
    ptrdiff_t k = 0, count = 0;
    for (; k + WIDTH <= n; k += WIDTH)
        count += compress(load_bytes(x + k) * splat(scale), (lane_int)k, e + count);
    for (; k < n; k++) {
        e[count].index = (lane_int)k;
        e[count].value = (real)x[k] * scale;
        count += x[k] != 0;
    }
    return count;
}

/* Entries from WIDTH indices and values nonzero apart. */
INLINE void join(const uint16_t *indices, vec values, entry *e) {
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
    store_entries(_mm512_cvtepu16_epi64(_mm_loadu_si128((const __m128i *)indices)), values, e);
#elif VECTOR_BYTES == 64
    store_entries(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)indices)), values, e);
#elif VECTOR_BYTES == 32 && defined(X86) && REAL_IS_DOUBLE
    store_entries(_mm256_cvtepu16_epi64(_mm_loadl_epi64((const __m128i *)indices)), values, e);
#elif VECTOR_BYTES == 32 && defined(X86)
    store_entries(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)indices)), values, e);
#elif defined(NEON_FLOATS)
    store_entries(vmovl_u16(vld1_u16(indices)), values, e);
#elif VECTOR_BYTES > 0
    for (int lane = 0; lane < WIDTH; lane++) {
        e[lane].index = indices[lane];
        e[lane].value = values[lane];
    }
#else
    e->index = *indices;
    e->value = values;
#endif
}

#endif
