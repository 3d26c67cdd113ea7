import { expect, it } from 'vitest';
import { alternate } from '../../bench/frame/rounds.js';

it('each contender is measured once in each round, another one first each time, and keeps its rounds in order', async () => {
  const turns: string[] = [];
  let made = 0;
  const measured = await alternate(3, { one: () => Promise.resolve([(made += 1)]), two: () => Promise.resolve([(made += 1)]) }, (name, round) => void turns.push(`${round} ${name}`));
  expect(turns).toEqual(['0 one', '0 two', '1 two', '1 one', '2 one', '2 two']);
  expect(measured).toEqual({ one: [[1], [4], [5]], two: [[2], [3], [6]] });
});
