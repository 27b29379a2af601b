/* A square block of WIDTH×WIDTH numbers, transposed: target[j, i] = source[i, j].
 *
 * A vector consists of pieces of 16 bytes.  Rows i, i + PIECE, i + 2·PIECE… of one piece's columns
 * are loaded into one vector, which leaves PIECE×PIECE numbers to be transposed within each piece:
 * two stages in float, one in double, in which pairs of vectors are interleaved.
 */
#ifndef FASTMLP_TRANSPOSE_H
#define FASTMLP_TRANSPOSE_H

#include "vector.h"

#if VECTOR_BYTES > 0 && defined(__GNUC__) && !defined(__clang__)
#define PIECE ((int)(16 / sizeof(REAL)))
#if VECTOR_BYTES == 64
INLINE vec load_pieces(const real *p, ptrdiff_t row) {
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)p));
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + PIECE * row)), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + 2 * PIECE * row)), 2);
    return (vec)_mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + 3 * PIECE * row)), 3);
}
#elif VECTOR_BYTES == 32 && defined(X86)
INLINE vec load_pieces(const real *p, ptrdiff_t row) {
    __m256i x = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p));
    return (vec)_mm256_inserti128_si256(x, _mm_loadu_si128((const __m128i *)(p + PIECE * row)), 1);
}
#else
INLINE vec load_pieces(const real *p, ptrdiff_t row) {
    (void)row;
    return load(p);
}
#endif

/* h numbers of a and h of b in turn, from half number `half` of each piece of a and b. */
INLINE vec interleave(vec a, vec b, int h, int half) {
    vec_int chosen;
#pragma GCC unroll 16
    for (int lane = 0; lane < WIDTH; lane++) {
        int e = lane % PIECE;
        chosen[lane] = (e / h % 2 ? WIDTH : 0) + lane - e + half * (PIECE / 2) + e / (2 * h) * h
                       + e % h;
    }
    return __builtin_shuffle(a, b, chosen);
}

INLINE void transpose_block(const real *source, ptrdiff_t source_row, real *target,
                            ptrdiff_t target_row) {
#pragma GCC unroll 4
    for (int k = 0; k < WIDTH; k += PIECE) {
        vec row[PIECE];
#pragma GCC unroll 4
        for (int i = 0; i < PIECE; i++) row[i] = load_pieces(source + i * source_row + k, source_row);
        vec even = interleave(row[0], row[1], 1, 0), odd = interleave(row[0], row[1], 1, 1);
#if REAL_IS_DOUBLE
        store(target + k * target_row, even);
        store(target + (k + 1) * target_row, odd);
#else
        vec even_2 = interleave(row[2], row[3], 1, 0), odd_2 = interleave(row[2], row[3], 1, 1);
        store(target + k * target_row, interleave(even, even_2, 2, 0));
        store(target + (k + 1) * target_row, interleave(even, even_2, 2, 1));
        store(target + (k + 2) * target_row, interleave(odd, odd_2, 2, 0));
        store(target + (k + 3) * target_row, interleave(odd, odd_2, 2, 1));
#endif
    }
}
#else
INLINE void transpose_block(const real *source, ptrdiff_t source_row, real *target,
                            ptrdiff_t target_row) {
    for (int i = 0; i < WIDTH; i++)
        for (int j = 0; j < WIDTH; j++) target[j * target_row + i] = source[i * source_row + j];
}
#endif

/* ------------------------------------------------------------- a square block of 16×16 bytes
 * Rows i and i + 8 are interleaved into rows 2i and 2i + 1; four times, and the block is transposed:
 * each time one bit of a byte's row number changes places with one of its column number. */
#define BYTES 16
#if VECTOR_BYTES > 0
typedef unsigned char byte_vec __attribute__((vector_size(BYTES)));
#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (byte_vec){__VA_ARGS__})
#endif
INLINE void interleave_rows(const byte_vec *rows, byte_vec *result) {
#pragma GCC unroll 8
    for (int i = 0; i < BYTES / 2; i++) {
        byte_vec a = rows[i], b = rows[i + BYTES / 2];
        result[2 * i] = SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        result[2 * i + 1] =
            SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
}
#undef SHUFFLE

INLINE void transpose_bytes(const unsigned char *source, ptrdiff_t source_row,
                            unsigned char *target, ptrdiff_t target_row) {
    byte_vec rows[BYTES], other[BYTES];
    for (int i = 0; i < BYTES; i++) memcpy(&rows[i], source + i * source_row, BYTES);
    interleave_rows(rows, other);
    interleave_rows(other, rows);
    interleave_rows(rows, other);
    interleave_rows(other, rows);
    for (int i = 0; i < BYTES; i++) memcpy(target + i * target_row, &rows[i], BYTES);
}
#else
INLINE void transpose_bytes(const unsigned char *source, ptrdiff_t source_row,
                            unsigned char *target, ptrdiff_t target_row) {
    for (int i = 0; i < BYTES; i++)
        for (int j = 0; j < BYTES; j++) target[j * target_row + i] = source[i * source_row + j];
}
#endif

#endif
