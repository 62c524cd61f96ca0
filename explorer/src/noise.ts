/** Noise of the gradient, as from mini-batches: drawn by counting, so that every rule meets the same. */

/** Two normal numbers (mean 0, standard deviation 1) for a step; the same seed and step give the same. */
export function normalPair(seed: number, step: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(uniform(seed, step, 0)));
  const angle = 2 * Math.PI * uniform(seed, step, 1);
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** A number above 0 and at most 1. */
function uniform(seed: number, step: number, place: number): number {
  const word = mixed(mixed(mixed(seed) ^ step) ^ place);
  return (word + 1) / 2 ** 32;
}

/** The finalizer of MurmurHash3: every bit of the result depends on every bit of `word`. */
function mixed(word: number): number {
  let x = (word + 0x9e3779b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
