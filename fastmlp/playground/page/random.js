// Random numbers from a seed, the same in every browser.
"use strict";

// Return a function that returns numbers in [0, 1), 32 bits each: Tommy Ettinger's mulberry32.
function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Return a generator for one purpose; each purpose and seed has a sequence of its own.
function generator(seed, purpose) {
  const next = uniform(seed);
  const other = uniform(Math.floor(2 ** 32 * next()) ^ Math.imul(purpose + 1, 0x9e3779b1));
  return {
    uniform: (low = 0, high = 1) => low + (high - low) * other(),
    // A normal random number, by Box and Muller's method.
    normal: (mean = 0, deviation = 1) =>
      mean +
      deviation * Math.sqrt(-2 * Math.log(1 - other())) * Math.cos(2 * Math.PI * other()),
  };
}

// Return 0 … n−1 in random order (Fisher and Yates).
function shuffled(n, random) {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random.uniform(0, i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
