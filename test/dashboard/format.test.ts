import { describe, expect, it } from 'vitest';
import { bytes, compact, count, duration, flow, milliseconds, percent, plural } from '../../dashboard/format.js';

it.each([
  [0.4, '0.4 ms'],
  [3.26, '3.26 ms'],
  [420.4, '420 ms'],
  [999.4, '999 ms'],
  [999.6, '1 s'],
  [2_140, '2.14 s'],
  [59_940, '59.9 s'],
  [59_960, '1 min'],
  [180_000, '3 min'],
  [null, '–'],
])('%s ms reads %s', (ms, text) => expect(milliseconds(ms)).toBe(text));

it.each([
  [0, '0 s'],
  [-3, '0 s'],
  [59.4, '59 s'],
  [59.6, '1 min'],
  [3_599, '1 h'],
  [7_500, '2 h 5 min'],
  [86_399, '1 d'],
  [273_600, '3 d 4 h'],
  [undefined, '–'],
])('%s seconds read %s', (seconds, text) => expect(duration(seconds)).toBe(text));

it.each([
  [0, '0 B'],
  [1_023, '1,020 B'],
  [1_024, '1 KiB'],
  [184_549_376, '176 MiB'],
  [5 * 1_024 ** 4, '5 TiB'],
])('%s bytes read %s', (value, text) => expect(bytes(value)).toBe(text));

describe('counts', () => {
  it('have separators, and are exact as long as they are short', () => {
    expect(count(1_204)).toBe('1,204');
    expect(compact(99_999)).toBe('99,999');
    expect(compact(1_250_000)).toBe('1.25M');
  });

  it('of one thing have no plural', () => expect([plural(1, 'user'), plural(0, 'user'), plural(1_204, 'user')]).toEqual(['1 user', '0 users', '1,204 users']));
});

it('FLOW is rounded to four places, shares to one', () => {
  expect(flow('812.50000000')).toBe('812.5 FLOW');
  expect(flow('0.00012345')).toBe('0.0001 FLOW');
  expect(flow(null)).toBe('–');
  expect(percent(0.0734)).toBe('7.3%');
});
