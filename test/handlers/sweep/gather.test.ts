import { expect, it } from 'vitest';
import { createGather } from '../../../src/handlers/sweep/gather.js';

/** A worker that answers each question with its double when told. */
function worker() {
  const batches: (readonly number[])[] = [];
  const finish: (() => void)[] = [];
  return {
    batches,
    /** Ends the oldest batch under way. */
    finishOne: () => finish.shift()?.(),
    work: (questions: readonly number[]): Promise<number[]> => {
      batches.push(questions);
      return new Promise((resolve) => finish.push(() => resolve(questions.map((question) => question * 2))));
    },
  };
}

it('sends a batch when it is full, and answers each question with its own answer', async () => {
  const { batches, finishOne, work } = worker();
  const gather = createGather(() => 2, work);
  const answers = [1, 2, 3].map((question) => gather.ask(question));
  expect(batches).toEqual([[1, 2]]);
  finishOne();
  expect(await Promise.all(answers.slice(0, 2))).toEqual([2, 4]);
  gather.drain();
  expect(batches).toEqual([[1, 2], [3]]);
  finishOne();
  expect(await answers[2]).toBe(6);
});

it('draining, sends what is not full only once nothing is under way, also what is asked later', async () => {
  const { batches, finishOne, work } = worker();
  const gather = createGather(() => 2, work);
  const first = [gather.ask(1), gather.ask(2), gather.ask(3)];
  gather.drain();
  expect(batches).toEqual([[1, 2]]);
  finishOne();
  await Promise.all(first.slice(0, 2));
  expect(batches).toEqual([[1, 2], [3]]);
  const late = gather.ask(4);
  finishOne();
  await first[2];
  expect(batches.at(-1)).toEqual([4]);
  finishOne();
  expect(await late).toBe(8);
});

it('a failed batch fails its questions alone', async () => {
  let isFirst = true;
  const gather = createGather<number, number>(
    () => 1,
    (questions) => {
      if (!isFirst) return Promise.resolve(questions);
      isFirst = false;
      return Promise.reject(new Error('the node is away'));
    },
  );
  await expect(gather.ask(1)).rejects.toThrow('the node is away');
  expect(await gather.ask(2)).toBe(2);
});

it('ended, fails what has gathered and whatever is asked later', async () => {
  const { work } = worker();
  const gather = createGather(() => 2, work);
  const waiting = gather.ask(1);
  gather.end(new Error('the sweep is over'));
  await expect(waiting).rejects.toThrow('the sweep is over');
  await expect(gather.ask(2)).rejects.toThrow('the sweep is over');
});
