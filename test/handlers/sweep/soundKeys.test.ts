import { describe, expect, it } from 'vitest';
import { createSoundKeys, type SoundKeys } from '../../../src/handlers/sweep/soundKeys.js';

const publicKeyOf = (i: number): string => i.toString(16).padStart(128, '0');
const sealedOf = (i: number): string => `v1:00000000:${i}`;
const add = (soundKeys: SoundKeys, sealed: string, publicKey: string): boolean => soundKeys.isSound(sealed, publicKey, () => true);
/** Whether it is known without being compared. */
const has = (soundKeys: SoundKeys, sealed: string, publicKey: string): boolean => soundKeys.isSound(sealed, publicKey, () => false);

describe('sound keys', () => {
  it('knows a pair that was added, and neither half of it with another', () => {
    const soundKeys = createSoundKeys();
    expect(has(soundKeys, sealedOf(1), publicKeyOf(1))).toBe(false);
    expect(add(soundKeys, sealedOf(1), publicKeyOf(1))).toBe(true);
    expect(has(soundKeys, sealedOf(1), publicKeyOf(1))).toBe(true);
    expect(has(soundKeys, sealedOf(2), publicKeyOf(1))).toBe(false);
    expect(has(soundKeys, sealedOf(1), publicKeyOf(2))).toBe(false);
  });

  it('throws what comparing throws, and remembers nothing then', () => {
    const soundKeys = createSoundKeys();
    const fail = (): boolean => {
      throw new Error('does not open');
    };
    for (let i = 0; i < 2; i++) expect(() => soundKeys.isSound(sealedOf(1), publicKeyOf(1), fail)).toThrow('does not open');
    expect(has(soundKeys, sealedOf(1), publicKeyOf(1))).toBe(false);
  });

  it('sweep after sweep, of 1,000,000 keys fewer than 2 in a hundred are opened again, and none is taken for another', () => {
    // A sixteenth of the table, and of the keys.
    const soundKeys = createSoundKeys((1 << 18) / 16);
    const COUNT = 1_000_000 / 16;
    const sweep = (): number => {
      let opened = 0;
      for (let i = 0; i < COUNT; i++) soundKeys.isSound(sealedOf(i), publicKeyOf(i), () => (opened++, true));
      return opened / COUNT;
    };
    expect(sweep()).toBe(1);
    const again = [sweep(), sweep()];
    expect(Math.max(...again)).toBeLessThan(0.02);
    let mistaken = 0;
    for (let i = 0; i < COUNT; i += 10) if (has(soundKeys, sealedOf(i + 1), publicKeyOf(i))) mistaken += 1;
    expect(mistaken).toBe(0);
  });
});
