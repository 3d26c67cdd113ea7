import { expect, it } from 'vitest';
import { createSharedRead } from '../../src/metrics/sharedRead.js';

/** A read that takes `costMs` of a clock that only the test moves. */
function clocked(costMs: number) {
  let [now, reads] = [0, 0];
  const read = createSharedRead(
    () => {
      now += costMs;
      return Promise.resolve((reads += 1));
    },
    { atLeastMs: 2_000, timesItsCost: 20, now: () => now },
  );
  return { read, pass: (ms: number) => (now += ms), reads: () => reads };
}

it('answers all who ask at once, and soon after, with one read', async () => {
  const { read, pass, reads } = clocked(1);
  expect(await Promise.all([read(), read(), read()])).toEqual([1, 1, 1]);
  pass(1_999);
  await read();
  expect(reads()).toBe(1);
  pass(1);
  expect(await read()).toBe(2);
});

it('gives an answer twenty times as long as it took to read', async () => {
  const { read, pass, reads } = clocked(500);
  await read();
  pass(9_999);
  await read();
  expect(reads()).toBe(1);
  pass(1);
  await read();
  expect(reads()).toBe(2);
});

it('asks no database again at once that has just failed', async () => {
  let [now, reads] = [0, 0];
  const read = createSharedRead(() => Promise.reject(new Error(`failure ${(reads += 1)}`)), { atLeastMs: 2_000, timesItsCost: 20, now: () => now });
  await expect(read()).rejects.toThrow('failure 1');
  await expect(read()).rejects.toThrow('failure 1');
  now = 2_000;
  await expect(read()).rejects.toThrow('failure 2');
});
