import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inOrder } from '../../../src/handlers/sweep/inOrder.js';

async function* source(items: readonly number[]): AsyncGenerator<number> {
  for (const item of items) {
    await turn();
    yield item;
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

it('gives results in the order of the items, however long each takes, with no more under way than there is room for', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(5), { maxLength: 40 }), fc.integer({ min: 1, max: 7 }), async (turns, room) => {
      let underWay = 0;
      let most = 0;
      const results = await collect(
        inOrder(source(turns.map((_, i) => i)), {
          work: async (i) => {
            most = Math.max(most, ++underWay);
            for (let left = turns[i] ?? 0; left > 0; left--) await turn();
            underWay -= 1;
            return i;
          },
          weigh: () => 1,
          room: () => room,
          onFull: () => undefined,
          onBrokenOff: () => undefined,
        }),
      );
      expect(results).toEqual(turns.map((_, i) => i));
      expect(most).toBeLessThanOrEqual(room);
    }),
  );
});

it('says when no more starts, and when more does', async () => {
  const said: boolean[] = [];
  await collect(inOrder(source([1, 2]), { work: (item) => Promise.resolve(item), weigh: () => 1, room: () => 2, onFull: (isFull) => said.push(isFull), onBrokenOff: () => said.push(true) }));
  expect(said).toEqual([true, false, true, false]);
});

it('after a failure starts no more, throws it in its turn, and waits for what is under way', async () => {
  const started: number[] = [];
  let isLastDone = false;
  const got: number[] = [];
  const brokenOff: boolean[] = [];
  const work = async (item: number): Promise<number> => {
    started.push(item);
    if (item === 1) throw new Error('page 1 is broken');
    for (let left = 5; left > 0; left--) await turn();
    if (item === 2) isLastDone = true;
    return item;
  };
  const run = async (): Promise<void> => {
    for await (const item of inOrder(source([0, 1, 2, 3, 4]), { work, weigh: () => 1, room: () => 3, onFull: () => undefined, onBrokenOff: () => brokenOff.push(true) })) got.push(item);
  };
  await expect(run()).rejects.toThrow('page 1 is broken');
  expect(got).toEqual([0]);
  expect(started).not.toContain(4);
  expect(isLastDone).toBe(true);
  expect(brokenOff, 'and says so, for what is under way may wait for others').toEqual([true]);
});
