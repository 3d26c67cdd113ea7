import { describe, expect, it } from 'vitest';
import { createSoundKeys } from '../../../src/handlers/sweep/soundKeys.js';

const publicKeyOf = (i: number): string => i.toString(16).padStart(128, '0');
const sealedOf = (i: number): string => `v1:00000000:${i}`;

describe('sound keys', () => {
  it('knows a pair that was added, and neither half of it with another', () => {
    const soundKeys = createSoundKeys();
    expect(soundKeys.has(sealedOf(1), publicKeyOf(1))).toBe(false);
    soundKeys.add(sealedOf(1), publicKeyOf(1));
    expect(soundKeys.has(sealedOf(1), publicKeyOf(1))).toBe(true);
    expect(soundKeys.has(sealedOf(2), publicKeyOf(1))).toBe(false);
    expect(soundKeys.has(sealedOf(1), publicKeyOf(2))).toBe(false);
  });

  it('sweep after sweep, of 1,000,000 keys fewer than 2 in a hundred are opened again, and none is taken for another', () => {
    // A sixteenth of the table, and of the keys.
    const soundKeys = createSoundKeys((1 << 18) / 16);
    const COUNT = 1_000_000 / 16;
    const sweep = (): number => {
      let opened = 0;
      for (let i = 0; i < COUNT; i++) {
        if (soundKeys.has(sealedOf(i), publicKeyOf(i))) continue;
        opened += 1;
        soundKeys.add(sealedOf(i), publicKeyOf(i));
      }
      return opened / COUNT;
    };
    expect(sweep()).toBe(1);
    const again = [sweep(), sweep()];
    expect(Math.max(...again)).toBeLessThan(0.02);
    let mistaken = 0;
    for (let i = 0; i < COUNT; i += 10) if (soundKeys.has(sealedOf(i + 1), publicKeyOf(i))) mistaken += 1;
    expect(mistaken).toBe(0);
  });
});
