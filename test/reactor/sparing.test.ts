import { expect, test } from 'vitest';
import { sparing } from '../../src/reactor/sparing.js';

test('of failures in a row each third is thrown; one that ends well begins the count anew', async () => {
  const answers = 'xxxxxx.xx.xxx'.split('');
  const work = sparing(3, () => (answers.shift() === 'x' ? Promise.reject(new Error('failed')) : Promise.resolve()));
  const seen: string[] = [];
  while (answers.length > 0) seen.push(await work().then(() => '.', () => '!'));
  expect(seen.join('')).toBe('..!..!......!');
});
