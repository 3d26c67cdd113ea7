import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSeenAddresses } from '../../bench/million/seenAddresses.js';

describe('createSeenAddresses', () => {
  it('remembers what a set remembers, and nothing of strangers', () => {
    const addresses = fc.uniqueArray(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 40 });
    fc.assert(
      fc.property(addresses, fc.array(fc.nat(60)), (known, picks) => {
        const seen = createSeenAddresses(BigUint64Array.from(known.slice(0, 30)));
        const expected = new Set<bigint>();
        for (const pick of picks) {
          const address = known[pick];
          if (address === undefined) continue;
          seen.add(address);
          if (pick < 30) expected.add(address);
        }
        for (const address of known) expect(seen.has(address)).toBe(expected.has(address));
      }),
      { seed: 20_261_127, numRuns: 200 },
    );
  });
});
