import { AppError } from '../errors.js';
import { setRotation } from '../journal/slots.js';
import type { LiveTransaction } from '../journal/transactions.js';
import type { Instance } from './instance.js';
import { retryPolicy } from './retryPolicy.js';

/** The error as the journal keeps it: with what mends it. */
export function withSolution(error: AppError): AppError {
  return new AppError(error.kind, error.message, { mend: error.mend ?? retryPolicy(error.kind).solution });
}

/** A transaction that failed for its funder's reason, or its key's, takes that out of the rotation, so that the next ones don't meet it. */
export async function blameSlot(instance: Pick<Instance, 'journal' | 'log'>, transaction: LiveTransaction, error: AppError): Promise<void> {
  const { blames, solution } = retryPolicy(error.kind);
  const { address, keyIndex } = transaction.slot;
  if (blames === 'funder') {
    await setRotation(instance.journal, address, 'no FLOW left');
    instance.log.error({ funder: address, mend: solution }, 'funder is empty and leaves the rotation');
  } else if (blames === 'slot') {
    await setRotation(instance.journal, address, error.message, keyIndex);
    instance.log.error({ slot: `${address}/${keyIndex}`, reason: error.message, mend: error.mend ?? solution }, 'slot leaves the rotation');
  }
}
