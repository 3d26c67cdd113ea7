import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBatchSize } from '../../src/handlers/batchSize.js';

const LIMIT = 9_999;
/** Measured on the emulator: 324 for each account. */
const EFFORT_EACH = 324;

describe('the batch size', () => {
  it('begins with 25 and stays there at the measured effort', () => {
    const size = createBatchSize();
    expect(size.current()).toBe(25);
    size.noteEffort(25, 25 * EFFORT_EACH, LIMIT);
    expect(size.current()).toBe(25);
  });

  it('shrinks at once to what fits nine tenths of the limit where accounts cost more', () => {
    const size = createBatchSize();
    size.noteEffort(10, 10 * 900, LIMIT);
    expect(size.current()).toBe(9);
  });

  it('halves a batch that hit the limit, down to one', () => {
    const size = createBatchSize();
    const seen = [25, 12, 6, 3, 1, 1].map((members) => {
      size.noteTooLarge(members);
      return size.current();
    });
    expect(seen).toEqual([12, 6, 3, 1, 1, 1]);
  });

  it('does not grow because an older, larger batch hit the limit later', () => {
    const size = createBatchSize();
    size.noteTooLarge(6);
    size.noteTooLarge(25);
    expect(size.current()).toBe(3);
  });

  it('grows by one for each batch of the whole size that fitted, up to 25', () => {
    const size = createBatchSize();
    size.noteTooLarge(25);
    const seen = Array.from({ length: 15 }, () => {
      size.noteEffort(size.current(), size.current() * EFFORT_EACH, LIMIT);
      return size.current();
    });
    expect(seen).toEqual([13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 25, 25]);
  });

  it('does not grow on small batches: they prove nothing about a full one', () => {
    const size = createBatchSize();
    size.noteTooLarge(25);
    for (let seals = 0; seals < 100; seals += 1) size.noteEffort(1, EFFORT_EACH, LIMIT);
    expect(size.current()).toBe(12);
  });

  it('learns nothing from a batch without members or without an effort', () => {
    const size = createBatchSize();
    size.noteEffort(0, 500, LIMIT);
    size.noteEffort(25, 0, LIMIT);
    size.noteEffort(25, -1, LIMIT);
    expect(size.current()).toBe(25);
  });

  it('stays a whole number from 1 to 25, whatever the chain says', () => {
    const note = fc.oneof(
      fc.record({ members: fc.integer({ min: 0, max: 40 }), effort: fc.integer({ min: 0, max: 1_000_000 }), limit: fc.integer({ min: 1, max: 100_000 }) }),
      fc.record({ tooLarge: fc.integer({ min: 1, max: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(note, { maxLength: 50 }), (notes) => {
        const size = createBatchSize();
        for (const item of notes) {
          const before = size.current();
          if ('tooLarge' in item) size.noteTooLarge(item.tooLarge);
          else size.noteEffort(item.members, item.effort, item.limit);
          expect(Number.isInteger(size.current())).toBe(true);
          expect(size.current()).toBeGreaterThanOrEqual(1);
          expect(size.current()).toBeLessThanOrEqual(Math.min(25, before + 1));
        }
      }),
    );
  });

  it('finds the size that fits, for any cost of an account, without exceeding the limit for ever', () => {
    fc.assert(
      fc.property(fc.integer({ min: 50, max: 8_000 }), fc.integer({ min: 0, max: 900 }), (each, base) => {
        const size = createBatchSize();
        let tooLarge = 0;
        for (let batch = 0; batch < 200; batch += 1) {
          const members = size.current();
          const effort = base + members * each;
          if (effort > LIMIT) {
            tooLarge += 1;
            size.noteTooLarge(members);
          } else size.noteEffort(members, effort, LIMIT);
        }
        // From 25 it takes at most five halvings, and growth stops a tenth below the limit.
        expect(tooLarge).toBeLessThanOrEqual(5);
      }),
    );
  });
});
