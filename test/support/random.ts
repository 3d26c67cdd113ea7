/** A number in [0, 1) from a seed. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What every fuzz test begins with, so that a run can be repeated; FUZZ_SEED=… begins elsewhere. */
export const FUZZ_SEED = Number(process.env['FUZZ_SEED'] ?? 20_260_117);
