import { AppError, type ErrorKind } from '../errors.js';
import { bareAddress } from '../flow/address.js';
import type { Blamed, LiveTransaction, Payer } from '../journal/transactions.js';
import type { Log } from '../log.js';
import { retryPolicy } from './retryPolicy.js';

/** The error as the journal keeps it: with what mends it. */
export function withSolution(error: AppError): AppError {
  return new AppError(error.kind, error.message, { mend: error.mend ?? retryPolicy(error.kind).solution });
}

/** What a failed transaction takes out of the rotation with it, so that the next ones don't meet its cause: its funder, its key, or nothing. */
export function blamedBy(transaction: LiveTransaction, error: AppError): Blamed | null {
  const { blames } = retryPolicy(error.kind);
  const payer = payerToBlame(transaction, error);
  if (payer === null) return null;
  if (blames === 'funder') return { address: payer.address, reason: 'no FLOW left' };
  return blames === 'slot' ? { address: payer.address, keyIndex: payer.keyIndex, reason: error.message } : null;
}

/** The payer's signature is not valid. */
const PAYER_SIGNATURE = 1009;
/** An account's storage needs more FLOW than it has. */
const STORAGE = 1103;

/**
 * The funder's key whose fault it can be. Where the funder only pays, keys (1006, 1008) and storage are the wallet's, unless the
 * chain names the payer: null.
 */
function payerToBlame({ slot, payer }: LiveTransaction, error: AppError): Payer | null {
  if (payer === null) return slot;
  if (error.kind === 'data') return error.chainCode === PAYER_SIGNATURE ? payer : null;
  return error.chainCode === STORAGE && !error.message.includes(bareAddress(payer.address)) ? null : payer;
}

/** Whether a failed transaction's end, as the journal keeps it, was brought about by a member, so that it would recur: not by who pays, nor by nobody. */
export function blamesMember({ payer }: LiveTransaction, end: { readonly errorKind: string | null; readonly error: string | null }): boolean {
  const kind = (end.errorKind ?? 'internal') as ErrorKind;
  if (retryPolicy(kind).blames === 'member') return true;
  // Of a repair, its own storage; its own key is the next check's to see.
  return payer !== null && kind === 'funds' && (end.error ?? '').includes(`[Error Code: ${STORAGE}]`) && !(end.error ?? '').includes(bareAddress(payer.address));
}

/** Tells of it, once it is recorded. */
export function sayBlamed(log: Log, transaction: LiveTransaction, error: AppError): void {
  const { blames, solution } = retryPolicy(error.kind);
  const payer = payerToBlame(transaction, error);
  if (payer === null) return;
  const { address, keyIndex } = payer;
  if (blames === 'funder') log.error({ funder: address, mend: solution }, 'funder is empty and leaves the rotation');
  if (blames === 'slot') log.error({ slot: `${address}/${keyIndex}`, reason: error.message, mend: error.mend ?? solution }, 'slot leaves the rotation');
}
