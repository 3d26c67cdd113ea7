import { describe, expect, it } from 'vitest';
import { createComparedKeys } from '../../../src/handlers/sweep/comparedKeys.js';

const publicKeyOf = (i: number): string => i.toString(16).padStart(128, '0');
const sealedOf = (i: number): string => `v1:00000000:${i}`;

describe('compared keys', () => {
  it('knows a pair that was added, and neither half of it with another', () => {
    const compared = createComparedKeys();
    expect(compared.has(sealedOf(1), publicKeyOf(1))).toBe(false);
    compared.add(sealedOf(1), publicKeyOf(1));
    expect(compared.has(sealedOf(1), publicKeyOf(1))).toBe(true);
    expect(compared.has(sealedOf(2), publicKeyOf(1))).toBe(false);
    expect(compared.has(sealedOf(1), publicKeyOf(2))).toBe(false);
  });

  it('of 100,000 pairs forgets some and never takes one for another', () => {
    const compared = createComparedKeys();
    const COUNT = 100_000;
    for (let i = 0; i < COUNT; i++) compared.add(sealedOf(i), publicKeyOf(i));
    let known = 0;
    let mistaken = 0;
    for (let i = 0; i < COUNT; i++) {
      if (compared.has(sealedOf(i), publicKeyOf(i))) known += 1;
      if (compared.has(sealedOf(i + 1), publicKeyOf(i))) mistaken += 1;
    }
    expect(mistaken).toBe(0);
    // One of twenty falls on the slot of a later one.
    expect(known / COUNT).toBeGreaterThan(0.94);
  });
});
