/* The random order of an epoch's rows: that of NumPy's Generator.
 *
 *     order = numpy.arange(n)
 *     numpy.random.default_rng([seed, epoch]).shuffle(order)
 *
 * The same numbers in the same order, without the GIL and without NumPy's objects, which take
 * longer than a short epoch of a small network.  It consists of NumPy's SeedSequence, which mixes
 * the 32-bit words of (seed, epoch) into a pool of four words (O'Neill's seed_seq), of the
 * generator PCG64 (O'Neill 2014: a 128-bit linear congruence, XSL-RR output) and of the shuffle of
 * Fisher and Yates, whose row numbers are sampled by rejection.
 */
#ifndef FASTMLP_ROW_ORDER_H
#define FASTMLP_ROW_ORDER_H

#include <stdint.h>

enum { POOL_WORDS = 4 };

typedef struct { uint64_t high, low; } uint128;    /* not every compiler has such a type */

typedef struct {
    uint128 state, increment;
    uint32_t spare;     /* the upper half of the last 64 bits, if `has_spare` */
    int has_spare;
} row_generator;

static inline uint128 sum_128(uint128 x, uint128 y) {
    uint128 sum;
    sum.low = x.low + y.low;
    sum.high = x.high + y.high + (sum.low < x.low);
    return sum;
}

/* The upper 64 bits of a product, from products of the 32-bit halves. */
static inline uint64_t high_product(uint64_t x, uint64_t y) {
    const uint64_t x_low = (uint32_t)x, x_high = x >> 32, y_low = (uint32_t)y, y_high = y >> 32;
    const uint64_t middle = x_high * y_low + ((x_low * y_low) >> 32);
    return x_high * y_high + (middle >> 32) + (((uint32_t)middle + x_low * y_high) >> 32);
}

static inline uint32_t hashed_word(uint32_t value, uint32_t* constant, uint32_t factor) {
    value ^= *constant;
    *constant *= factor;
    value *= *constant;
    return value ^ (value >> 16);
}

static inline uint32_t mixed_words(uint32_t x, uint32_t y) {
    uint32_t mixed = 0xca01f9ddu * x - 0x4973f715u * y;
    return mixed ^ (mixed >> 16);
}

static inline uint32_t entropy_word(const uint32_t* seed, int n_seed, uint64_t epoch, int i) {
    if (i < n_seed)
        return seed[i];
    return i == n_seed ? (uint32_t)epoch : i == n_seed + 1 ? (uint32_t)(epoch >> 32) : 0;
}

static inline void step_generator(row_generator* g) {
    const uint64_t high = 0x2360ed051fc65da4u, low = 0x4385df649fccf645u;
    uint128 product;
    product.low = g->state.low * low;
    product.high = high_product(g->state.low, low) + g->state.high * low + g->state.low * high;
    g->state = sum_128(product, g->increment);
}

/* The generator of numpy.random.default_rng([seed, epoch]); seed in words, the lowest first. */
static inline row_generator seeded_rows(const uint32_t* seed, int n_seed, uint64_t epoch) {
    uint32_t pool[POOL_WORDS], words[2 * POOL_WORDS], constant = 0x43b0d7e5u;
    uint64_t pairs[POOL_WORDS];
    uint128 start;
    row_generator g;
    const int n_words = n_seed + (epoch >> 32 ? 2 : 1);
    int i, k;
    for (i = 0; i < POOL_WORDS; i++)
        pool[i] = hashed_word(entropy_word(seed, n_seed, epoch, i), &constant, 0x931e8875u);
    for (i = 0; i < POOL_WORDS; i++)
        for (k = 0; k < POOL_WORDS; k++)
            if (i != k)
                pool[k] = mixed_words(pool[k], hashed_word(pool[i], &constant, 0x931e8875u));
    for (i = POOL_WORDS; i < n_words; i++)
        for (k = 0; k < POOL_WORDS; k++)
            pool[k] = mixed_words(pool[k], hashed_word(entropy_word(seed, n_seed, epoch, i),
                                                       &constant, 0x931e8875u));
    constant = 0x8b51f9ddu;
    for (i = 0; i < 2 * POOL_WORDS; i++)
        words[i] = hashed_word(pool[i % POOL_WORDS], &constant, 0x58f38dedu);
    for (i = 0; i < POOL_WORDS; i++)
        pairs[i] = ((uint64_t)words[2 * i + 1] << 32) | words[2 * i];
    g.increment.high = (pairs[2] << 1) | (pairs[3] >> 63);
    g.increment.low = (pairs[3] << 1) | 1;
    g.state.high = g.state.low = 0;
    g.spare = 0;
    g.has_spare = 0;
    step_generator(&g);
    start.high = pairs[0];
    start.low = pairs[1];
    g.state = sum_128(g.state, start);
    step_generator(&g);
    return g;
}

static inline uint64_t random_64(row_generator* g) {
    uint64_t folded;
    unsigned rotation;
    step_generator(g);
    folded = g->state.high ^ g->state.low;
    rotation = (unsigned)(g->state.high >> 58);
    return (folded >> rotation) | (folded << (-rotation & 63));
}

static inline uint32_t random_32(row_generator* g) {
    uint64_t bits;
    if (g->has_spare) {
        g->has_spare = 0;
        return g->spare;
    }
    bits = random_64(g);
    g->spare = (uint32_t)(bits >> 32);
    g->has_spare = 1;
    return (uint32_t)bits;
}

/* A whole number from 0 to `most`, by rejection: `mask` has the bits of `most` and all below. */
static inline uint64_t random_up_to(row_generator* g, uint64_t most, uint64_t mask) {
    uint64_t value;
    do
        value = (most <= UINT32_MAX ? random_32(g) : random_64(g)) & mask;
    while (value > most);
    return value;
}

/* The order of n rows in an epoch. */
static inline void row_order(const uint32_t* seed, int n_seed, uint64_t epoch, int64_t n,
                             int64_t* order /* OUT (n,) */) {
    row_generator g = seeded_rows(seed, n_seed, epoch);
    uint64_t mask = UINT64_MAX;
    int64_t i, k, moved;
    for (i = 0; i < n; i++)
        order[i] = i;
    for (i = n - 1; i > 0; i--) {
        while (mask >> 1 >= (uint64_t)i)
            mask >>= 1;
        k = (int64_t)random_up_to(&g, (uint64_t)i, mask);
        moved = order[k];
        order[k] = order[i];
        order[i] = moved;
    }
}

#endif
