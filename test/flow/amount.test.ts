import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAmount, MAX_AMOUNT, parseAmount } from '../../src/flow/amount.js';

const amounts = fc.bigInt({ min: 0n, max: MAX_AMOUNT });

describe('amounts', () => {
  it('come back the same after being written and read, for every UFix64', () => {
    fc.assert(fc.property(amounts, (amount) => parseAmount(formatAmount(amount)) === amount));
  });

  it('are written with all 8 decimals, as the chain does', () => {
    fc.assert(fc.property(amounts, (amount) => /^\d+\.\d{8}$/.test(formatAmount(amount))));
  });

  it('keep their order as text of the same length', () => {
    fc.assert(
      fc.property(amounts, amounts, (a, b) => {
        const [x, y] = [formatAmount(a).padStart(21, '0'), formatAmount(b).padStart(21, '0')];
        return a < b ? x < y : a > b ? x > y : x === y;
      }),
    );
  });

  it.each([
    ['0.075', 7_500_000n],
    ['0.1', 10_000_000n],
    ['1', 100_000_000n],
    ['0.00000001', 1n],
    ['00.5', 50_000_000n],
    ['184467440737.09551615', MAX_AMOUNT],
  ])('reads %s exactly', (text, amount) => {
    expect(parseAmount(text)).toBe(amount);
  });

  it.each(['', '.5', '1.', '-1', '+1', '1e3', '0x1', '0.000000001', ' 1', '1 ', '1,5', 'NaN', 'Infinity', '184467440737.09551616', '٣'])('refuses %j', (text) => {
    expect(() => parseAmount(text)).toThrow(expect.objectContaining({ kind: 'data' }));
  });

  it.each([-1n, MAX_AMOUNT + 1n])('does not write %s', (amount) => {
    expect(() => formatAmount(amount)).toThrow(expect.objectContaining({ kind: 'data' }));
  });
});
