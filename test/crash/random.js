/**
 * A small seeded generator (mulberry32): the same seed gives the same workload and the same plan of
 * kills on every machine. What a kill at a random instant meets depends on the machine.
 */
export function randomSource(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const random = {
    /** From 0 up to 1. */
    next,
    /** A whole number from low to high, both included. */
    whole: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)],
    /** One key of an object of weights. */
    weighted(weights) {
      const entries = Object.entries(weights);
      let left =
        next() * entries.reduce((total, [, weight]) => total + weight, 0);
      for (const [key, weight] of entries) {
        left -= weight;
        if (left < 0) return key;
      }
      return entries.at(-1)[0];
    },
    /** Another source, whose numbers do not depend on how many of this one's are used. */
    fork: () => randomSource(Math.floor(next() * 4294967296)),
  };
  return random;
}
