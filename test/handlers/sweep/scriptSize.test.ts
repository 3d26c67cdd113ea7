import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createScriptSize } from '../../../src/handlers/sweep/scriptSize.js';

/** Looks at so many wallets through a node that bears `limitAt(done)` a script. Returns how many scripts that took. */
function sweepOver(wallets: number, limitAt: (done: number) => number): number {
  const size = createScriptSize();
  let scripts = 0;
  let done = 0;
  const look = (count: number): void => {
    scripts += 1;
    if (count <= limitAt(done)) {
      size.notePassed(count);
      done += count;
      return;
    }
    size.noteTooLarge(count);
    look(Math.ceil(count / 2));
    look(Math.floor(count / 2));
  };
  while (done < wallets) look(Math.min(size.current(), wallets - done));
  return scripts;
}

it('begins with 1,000 wallets, grows while scripts pass, and never beyond 2,000', () => {
  const size = createScriptSize();
  expect(size.current()).toBe(1_000);
  for (let i = 0; i < 20; i++) size.notePassed(size.current());
  expect(size.current()).toBe(2_000);
});

it('a script that was not full says nothing of full ones', () => {
  const size = createScriptSize();
  size.notePassed(999);
  expect(size.current()).toBe(1_000);
});

it('1,000,000 wallets take at most 1,050 scripts where a node bears 1,600 and from the middle on 1,200', () => {
  const scripts = sweepOver(1_000_000, (done) => (done < 500_000 ? 1_600 : 1_200));
  expect(scripts).toBeLessThanOrEqual(1_050);
});

it('whatever a node bears and however that changes, it takes at most two and a half times the fewest scripts', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 60, max: 4_000 }), { minLength: 1, maxLength: 4 }), (limits) => {
      const wallets = 400_000;
      const limitAt = (done: number): number => limits[Math.min(limits.length - 1, Math.floor((done / wallets) * limits.length))] as number;
      const least = limits.reduce((sum, limit) => sum + wallets / limits.length / Math.min(2_000, limit), 0);
      // It halves on the way down, and comes back by a tenth each 100 scripts.
      expect(sweepOver(wallets, limitAt)).toBeLessThanOrEqual(2.5 * least + 40 * limits.length);
    }),
  );
});
