import { AppError } from '../errors.js';

/** A UFix64 has 8 decimals: amounts are whole numbers of 10^-8 FLOW, never floats. */
export const UNITS_PER_FLOW = 100_000_000n;

/** The largest UFix64, in 10^-8: 184467440737.09551615. */
export const MAX_AMOUNT = 2n ** 64n - 1n;

/** 12 digits before the point are all that a UFix64 has; a text of a million would take seconds. */
const DECIMAL = /^(\d{1,20})(?:\.(\d{1,8}))?$/;

/** Reads a decimal such as "0.075" as 10^-8 units. Throws `data` for anything that is not a UFix64 (sign, exponent, ninth decimal, too large). */
export function parseAmount(text: string): bigint {
  const match = DECIMAL.exec(text);
  if (match === null) throw new AppError('data', `not an amount with at most 8 decimals: ${JSON.stringify(text.slice(0, 40))}`);
  const [, whole = '0', fraction = ''] = match;
  const amount = BigInt(whole) * UNITS_PER_FLOW + BigInt(fraction.padEnd(8, '0'));
  if (amount > MAX_AMOUNT) throw new AppError('data', `an amount is at most ${formatAmount(MAX_AMOUNT)}`);
  return amount;
}

/** Writes 10^-8 units as the chain does, with all 8 decimals: 7500000n is "0.07500000". Throws `data` below zero or above UFix64. */
export function formatAmount(amount: bigint): string {
  if (amount < 0n || amount > MAX_AMOUNT) throw new AppError('data', 'an amount is between 0 and 2^64 - 1 units of 10^-8');
  const digits = amount.toString().padStart(9, '0');
  return `${digits.slice(0, -8)}.${digits.slice(-8)}`;
}
