import { describe, expect, it } from 'vitest';
import { createSharedRead } from '../src/sharedRead.js';

function world(takesMs: number) {
  let now = 0;
  let reads = 0;
  const shared = createSharedRead(
    () => {
      reads += 1;
      const mine = reads;
      return Promise.resolve().then(() => {
        now += takesMs;
        return mine;
      });
    },
    1_000,
    () => now,
  );
  return { shared, reads: () => reads, pass: (ms: number) => void (now += ms) };
}

describe('a shared read', () => {
  it('is one for all who ask at once, and while it is fresh', async () => {
    const { shared, reads, pass } = world(10);
    expect(await Promise.all(Array.from({ length: 50 }, () => shared.read()))).toEqual(Array.from({ length: 50 }, () => 1));
    pass(900);
    expect(await shared.read()).toBe(1);
    pass(100);
    expect(await shared.read()).toBe(2);
    expect(reads()).toBe(2);
  });

  it('that takes long is made at most a twentieth of the time', async () => {
    const { shared, reads, pass } = world(600);
    await shared.read();
    pass(11_000);
    expect(await shared.read()).toBe(1);
    pass(500);
    expect(await shared.read()).toBe(2);
    expect(reads()).toBe(2);
  });

  it('is made anew once it is forgotten, also while one is under way', async () => {
    const { shared } = world(1);
    const under = shared.read();
    shared.forget();
    expect(await shared.read()).toBe(2);
    expect(await under).toBe(1);
    expect(await shared.read()).toBe(2);
  });

  it('that failed is asked for again when an answer would not be fresh any more, however long the failure took', async () => {
    let [now, reads] = [0, 0];
    const shared = createSharedRead(
      () => {
        now += 30_000;
        return Promise.reject(new Error(`failure ${(reads += 1)}`));
      },
      1_000,
      () => now,
    );
    await expect(shared.read()).rejects.toThrow('failure 1');
    await expect(shared.read()).rejects.toThrow('failure 1');
    now += 1_000;
    await expect(shared.read()).rejects.toThrow('failure 2');
  });

  it('of 0 ms is shared by those who ask at once alone', async () => {
    let reads = 0;
    const shared = createSharedRead(() => Promise.resolve((reads += 1)), 0, () => 0);
    expect(await Promise.all([shared.read(), shared.read()])).toEqual([1, 1]);
    expect(await shared.read()).toBe(2);
  });
});
