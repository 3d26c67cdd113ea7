import fc from 'fast-check';
import { expect, it } from 'vitest';
import { chooseWindow } from '../../src/users/window.js';

const SEED = 20_261_127;

it('holds the place with its overlap, in a page that is not too large', () => {
  fc.assert(
    fc.property(fc.nat(1_500_000), fc.integer({ min: 25, max: 1_000 }), (place, largest) => {
      const overlap = Math.max(3, largest >> 3);
      const { page, size } = chooseWindow(place, overlap, largest);
      expect(size).toBeLessThanOrEqual(largest);
      expect(page).toBeGreaterThanOrEqual(1);
      const [start, end] = [(page - 1) * size, page * size];
      expect(start).toBeLessThan(Math.max(1, place));
      expect(end).toBeGreaterThanOrEqual(place + overlap);
    }),
    { seed: SEED, numRuns: 2_000 },
  );
});

it('wins at least a fifth of the largest page, wherever the place is, up to 1,500,000 users', () => {
  for (const largest of [50, 100, 1_000]) {
    let worst = largest;
    for (let place = largest; place <= 1_500_000; place += largest === 1_000 ? 997 : 101) {
      const { page, size } = chooseWindow(place, largest >> 3, largest);
      worst = Math.min(worst, place - (page - 1) * size);
    }
    expect(worst, `pages of ${largest}`).toBeGreaterThanOrEqual(largest / 5);
  }
});

it('is page 1, and the largest, where that holds the place', () => {
  expect(chooseWindow(0, 6, 50)).toEqual({ page: 1, size: 50 });
  expect(chooseWindow(44, 6, 50)).toEqual({ page: 1, size: 50 });
});
