import { expect, it } from 'vitest';
import { AppError } from '../../src/errors.js';
import { parseInstant } from '../../src/users/instant.js';
import { faultOf } from '../support/faultOf.js';

it.each([
  ['1970-01-01T00:00:00Z', 0],
  ['1970-01-01T00:00:00.000001Z', 1],
  ['1970-01-01T00:00:00.88Z', 880_000],
  ['1970-01-01T00:00:00.885446Z', 885_446],
  ['1970-01-01T00:00:00.885446999Z', 885_446],
  ['1970-01-01T02:00:01.5+02:00', 1_500_000],
  ['2026-11-24T00:13:28.885446Z', 1_795_479_208_885_446],
])('%s is %d microseconds', (text, micros) => {
  expect(parseInstant(text)).toBe(micros);
});

it('compares as time what as text compares otherwise', () => {
  expect('2026-11-24T00:13:28Z' > '2026-11-24T00:13:28.5Z').toBe(true);
  expect(parseInstant('2026-11-24T00:13:28Z')).toBeLessThan(parseInstant('2026-11-24T00:13:28.5Z'));
});

it.each(['', 'yesterday', '2026-11-24', '2026-13-24T00:00:00Z', '2026-11-24T00:13:28.Z', '2026-11-24T00:13:28'])('%j is no time', (text) => {
  const fault = faultOf(() => parseInstant(text));
  expect(fault).toBeInstanceOf(AppError);
  expect(fault.kind).toBe('data');
});
