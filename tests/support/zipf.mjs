// Keys drawn as popular things are: the k-th most popular with a probability that goes with 1 / k^s.

/**
 * Draws keys from 0 to `keys` - 1, the same in every run.
 *
 * @param {number} keys @param {number} s @param {number} [seed]
 * @returns {() => number}
 */
export function zipf(keys, s, seed = 1) {
  const sums = new Float64Array(keys);
  let sum = 0;
  for (let k = 0; k < keys; k += 1) {
    sum += (k + 1) ** -s;
    sums[k] = sum;
  }
  const random = numbers(seed);
  return () => {
    const drawn = random() * sum;
    let [low, high] = [0, keys - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (/** @type {number} */ (sums[middle]) < drawn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Numbers from 0 to 1, the same in every run (mulberry32). @param {number} seed @returns {() => number} */
export function numbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
