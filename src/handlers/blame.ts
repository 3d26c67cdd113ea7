import { AppError } from '../errors.js';
import type { Blamed, LiveTransaction } from '../journal/transactions.js';
import type { Log } from '../log.js';
import { retryPolicy } from './retryPolicy.js';

/** The error as the journal keeps it: with what mends it. */
export function withSolution(error: AppError): AppError {
  return new AppError(error.kind, error.message, { mend: error.mend ?? retryPolicy(error.kind).solution });
}

/** What a failed transaction takes out of the rotation with it, so that the next ones don't meet its cause: its funder, its key, or nothing. */
export function blamedBy(transaction: LiveTransaction, error: AppError): Blamed | null {
  const { blames } = retryPolicy(error.kind);
  if (blames === 'funder') return { reason: 'no FLOW left' };
  return blames === 'slot' ? { reason: error.message, keyIndex: transaction.slot.keyIndex } : null;
}

/** Tells of it, once it is recorded. */
export function sayBlamed(log: Log, transaction: LiveTransaction, error: AppError): void {
  const { blames, solution } = retryPolicy(error.kind);
  const { address, keyIndex } = transaction.slot;
  if (blames === 'funder') log.error({ funder: address, mend: solution }, 'funder is empty and leaves the rotation');
  if (blames === 'slot') log.error({ slot: `${address}/${keyIndex}`, reason: error.message, mend: error.mend ?? solution }, 'slot leaves the rotation');
}
