/* The vector type of one build, and the few operations that cannot be written in Cython.
 *
 * A build is one element type (REAL: float or double) on one instruction set (VECTOR_BYTES:
 * 64, 32, 16, or 0 for scalars).  Both are set by the wrapper that setup.py writes.  Fused
 * multiply-adds are written explicitly (`fused`) and the files are compiled with
 * -ffp-contract=off, so no compiler decides where a product is rounded: every instruction set with
 * a fused multiply-add gives the same bits.
 */
#ifndef FASTMLP_VECTOR_H
#define FASTMLP_VECTOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef REAL /* compiled alone, without a wrapper of setup.py */
#define REAL float
#define REAL_IS_DOUBLE 0
#define VECTOR_BYTES 0
#endif

#if VECTOR_BYTES > 0 && (defined(__x86_64__) || defined(_M_X64))
#include <immintrin.h>
#define X86 1
#elif VECTOR_BYTES > 0 && defined(__aarch64__)
#include <arm_neon.h>
#if !REAL_IS_DOUBLE
#define NEON_FLOATS 1 /* vectors of four */
#endif
#endif
#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

typedef REAL real;
#if REAL_IS_DOUBLE
typedef int64_t lane_int;
#else
typedef int32_t lane_int;
#endif

/* The maximum width of a panel, in vectors, and the rows of a tile for panels of 4, 3, 2 and 1
 * vectors: as many accumulators as the registers hold in addition to one row of the panel and a
 * broadcast number. */
#define PANEL_VECTORS 4
#if VECTOR_BYTES == 64 || defined(__aarch64__) /* 32 registers */
#define TILE_ROWS_4 5
#define TILE_ROWS_3 8
#define TILE_ROWS_2 10
#define TILE_ROWS_1 10
#else /* 16 registers */
#define TILE_ROWS_4 3
#define TILE_ROWS_3 4
#define TILE_ROWS_2 6
#define TILE_ROWS_1 10
#endif

/* Blocks along the sum of a product, in bytes of the one or two panels that it reads: they stay in
 * L1 while all rows pass.  `sparse_block` in sparse_rows.pxd may take larger ones. */
#define DENSE_BLOCK_BYTES 32768
#define SPARSE_BLOCK_BYTES 32768

/* The return type of a Cython function that must be inlined into its caller, where its counts of
 * rows and vectors are constants: otherwise its accumulators would lie in memory. */
#if defined(__GNUC__)
#define INLINED __attribute__((always_inline)) void
#else
#define INLINED void
#endif

/* ---------------------------------------------------------------- the type and its basics */
#if VECTOR_BYTES > 0
#define WIDTH ((int)(VECTOR_BYTES / sizeof(REAL)))
typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef real unaligned_vec
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
typedef lane_int vec_int __attribute__((vector_size(VECTOR_BYTES), may_alias));
#define INLINE static inline __attribute__((always_inline, unused))
INLINE vec load(const real *p) { return *(const unaligned_vec *)p; }
INLINE void store(real *p, vec x) { *(unaligned_vec *)p = x; }
INLINE vec splat(real x) { return x - (vec){0}; }
INLINE int any_nan(vec x) {
    int any = 0;
    for (int i = 0; i < WIDTH; i++) any |= x[i] != x[i];
    return any;
}
#else
#define WIDTH 1
typedef real vec;
#if defined(_MSC_VER)
#define INLINE static __inline
#else
#define INLINE static inline
#endif
INLINE vec load(const real *p) { return *p; }
INLINE void store(real *p, vec x) { *p = x; }
INLINE vec splat(real x) { return x; }
INLINE int any_nan(vec x) { return x != x; }
#endif

/* ----------------------------------------------------- a·b + c, rounded once; roots; selection */
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
INLINE vec fused(vec a, vec b, vec c) { return _mm512_fmadd_pd(a, b, c); }
INLINE vec root(vec a) { return _mm512_sqrt_pd(a); }
INLINE vec select_gt(vec x, vec y, vec a, vec b) {
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(x, y, _CMP_GT_OQ), b, a);
}
#elif VECTOR_BYTES == 64
INLINE vec fused(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vec root(vec a) { return _mm512_sqrt_ps(a); }
INLINE vec select_gt(vec x, vec y, vec a, vec b) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_GT_OQ), b, a);
}
#elif VECTOR_BYTES == 32 && defined(X86) && REAL_IS_DOUBLE
INLINE vec fused(vec a, vec b, vec c) { return _mm256_fmadd_pd(a, b, c); }
INLINE vec root(vec a) { return _mm256_sqrt_pd(a); }
INLINE vec select_gt(vec x, vec y, vec a, vec b) {
    return _mm256_blendv_pd(b, a, _mm256_cmp_pd(x, y, _CMP_GT_OQ));
}
#elif VECTOR_BYTES == 32 && defined(X86)
INLINE vec fused(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vec root(vec a) { return _mm256_sqrt_ps(a); }
INLINE vec select_gt(vec x, vec y, vec a, vec b) {
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_GT_OQ));
}
#elif VECTOR_BYTES > 0
INLINE vec select_gt(vec x, vec y, vec a, vec b) {
    vec_int chosen = x > y;
    return (vec)((chosen & (vec_int)a) | (~chosen & (vec_int)b));
}
#if defined(__aarch64__) && REAL_IS_DOUBLE
INLINE vec fused(vec a, vec b, vec c) { return (vec)vfmaq_f64(c, a, b); }
INLINE vec root(vec a) { return (vec)vsqrtq_f64(a); }
#elif defined(__aarch64__)
INLINE vec fused(vec a, vec b, vec c) { return (vec)vfmaq_f32(c, a, b); }
INLINE vec root(vec a) { return (vec)vsqrtq_f32(a); }
#else /* x86-64's baseline has no fused multiply-add */
INLINE vec fused(vec a, vec b, vec c) { return a * b + c; }
#if REAL_IS_DOUBLE
INLINE vec root(vec a) { return _mm_sqrt_pd(a); }
#else
INLINE vec root(vec a) { return _mm_sqrt_ps(a); }
#endif
#endif
#else
INLINE vec fused(vec a, vec b, vec c) { return a * b + c; }
INLINE vec root(vec a) { return (real)sqrt((double)a); }
INLINE vec select_gt(vec x, vec y, vec a, vec b) { return x > y ? a : b; }
#endif

/* ------------------------------------------------------------------------- half a vector
 * Some processors compute half a 512-bit vector in half the time (halves.h).  So the last vector of
 * a row, of which at most half are columns and the others padding, may be computed as a half. */
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
#define HALVES 1
typedef __m256d half_vec;
INLINE half_vec load_half(const real *p) { return _mm256_loadu_pd(p); }
INLINE void store_half(real *p, half_vec x) { _mm256_storeu_pd(p, x); }
INLINE half_vec splat_half(real x) { return _mm256_set1_pd(x); }
INLINE half_vec first_half(vec a) { return _mm512_castpd512_pd256(a); }
INLINE half_vec fused_half(half_vec a, half_vec b, half_vec c) { return _mm256_fmadd_pd(a, b, c); }
#elif VECTOR_BYTES == 64
#define HALVES 1
typedef __m256 half_vec;
INLINE half_vec load_half(const real *p) { return _mm256_loadu_ps(p); }
INLINE void store_half(real *p, half_vec x) { _mm256_storeu_ps(p, x); }
INLINE half_vec splat_half(real x) { return _mm256_set1_ps(x); }
INLINE half_vec first_half(vec a) { return _mm512_castps512_ps256(a); }
INLINE half_vec fused_half(half_vec a, half_vec b, half_vec c) { return _mm256_fmadd_ps(a, b, c); }
#else /* whole vectors only */
#define HALVES 0
typedef vec half_vec;
INLINE half_vec load_half(const real *p) { return load(p); }
INLINE void store_half(real *p, half_vec x) { store(p, x); }
INLINE half_vec splat_half(real x) { return splat(x); }
INLINE half_vec first_half(vec a) { return a; }
INLINE half_vec fused_half(half_vec a, half_vec b, half_vec c) { return fused(a, b, c); }
#endif

/* -------------------------------------------------------------------------- powers of two
 * Adding 1.5·2^(mantissa bits) rounds a small x to the nearest whole number n and leaves n in
 * the low bits of the sum; shifted into the exponent's place they are 2ⁿ. */
#if REAL_IS_DOUBLE
#define ROUNDING_SHIFT 6755399441055744.0 /* 1.5·2^52 */
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#else
#define ROUNDING_SHIFT 12582912.0f /* 1.5·2^23 */
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#endif
#if VECTOR_BYTES > 0
INLINE vec power_of_two(vec shifted) { /* 2ⁿ from n + ROUNDING_SHIFT */
    return (vec)(((vec_int)shifted + EXPONENT_BIAS) << MANTISSA_BITS);
}
#else
INLINE vec power_of_two(vec shifted) {
#if REAL_IS_DOUBLE
    uint64_t bits;
#else
    uint32_t bits;
#endif
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + EXPONENT_BIAS) << MANTISSA_BITS;
    memcpy(&shifted, &bits, sizeof bits);
    return shifted;
}
#endif

/* WIDTH bytes as numbers 0…255. */
#if VECTOR_BYTES == 64
INLINE vec bytes_as_numbers(__m128i bytes) {
#if REAL_IS_DOUBLE
    return _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(bytes));
#else
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
#endif
}
#endif
INLINE vec load_bytes(const unsigned char *p) {
#if VECTOR_BYTES == 64 && !REAL_IS_DOUBLE
    return bytes_as_numbers(_mm_loadu_si128((const __m128i *)p));
#elif VECTOR_BYTES == 64
    return bytes_as_numbers(_mm_loadl_epi64((const __m128i *)p));
#elif VECTOR_BYTES == 32 && defined(X86) && !REAL_IS_DOUBLE
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
#elif VECTOR_BYTES == 32 && defined(X86)
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four)));
#elif defined(NEON_FLOATS)
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return (vec)vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four)))));
#elif VECTOR_BYTES > 0
    vec x = {0};
    for (int i = 0; i < WIDTH; i++) x[i] = (real)p[i];
    return x;
#else
    return (real)*p;
#endif
}

/* The same address, hidden from the compiler, so that it stays in one register instead of being
 * computed again for each use. */
INLINE const real *opaque(const real *p) {
#if defined(__GNUC__)
    __asm__("" : "+r"(p));
#endif
    return p;
}

/* Request a cache line for L1, where it is read soon, or for L2 alone, where much else is read
 * before it. */
#if defined(__GNUC__)
INLINE void prefetch_line(const void *p) { __builtin_prefetch(p); }
INLINE void prefetch_to_l2(const void *p) { __builtin_prefetch(p, 0, 2); }
#else
INLINE void prefetch_line(const void *p) { (void)p; }
INLINE void prefetch_to_l2(const void *p) { (void)p; }
#endif

/* Store a number where it lies, so that its cache line becomes this core's own. */
INLINE void touch(real *p) {
    volatile real *place = p;
    *place = *place;
}

/* Store a vector in memory instead of the caches, at an address that is a multiple of its size: a
 * line that other cores have read is then written without waiting until they have given it up.  The
 * barrier makes it visible to them. */
INLINE void store_past_caches(real *p, vec x) {
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
    _mm512_stream_pd(p, x);
#elif VECTOR_BYTES == 64
    _mm512_stream_ps(p, x);
#elif VECTOR_BYTES == 32 && defined(X86) && REAL_IS_DOUBLE
    _mm256_stream_pd(p, x);
#elif VECTOR_BYTES == 32 && defined(X86)
    _mm256_stream_ps(p, x);
#elif VECTOR_BYTES > 0 && defined(X86) && REAL_IS_DOUBLE
    _mm_stream_pd(p, x);
#elif VECTOR_BYTES > 0 && defined(X86)
    _mm_stream_ps(p, x);
#else
    store(p, x);
#endif
}

/* ------------------------------------------------------------------------ denormal numbers
 * Adam's moments decay into denormals, which cost about 150 cycles each; as zeros they are
 * free.  Returns the state to pass to `restore_denormals`. */
INLINE uint64_t flush_denormals(void) {
#if defined(__SSE2__) || defined(_M_X64)
    unsigned old = _mm_getcsr();
    _mm_setcsr(old | 0x8040); /* flush to zero, denormals are zero */
    return old;
#elif defined(__aarch64__) && defined(__GNUC__)
    uint64_t old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" : : "r"(old | (1u << 24)));
    return old;
#else
    return 0;
#endif
}

INLINE void restore_denormals(uint64_t old) {
#if defined(__SSE2__) || defined(_M_X64)
    _mm_setcsr((unsigned)old);
#elif defined(__aarch64__) && defined(__GNUC__)
    __asm__ volatile("msr fpcr, %0" : : "r"(old));
#else
    (void)old;
#endif
}

#endif
