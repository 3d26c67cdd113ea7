import { z } from 'zod';
import { AppError } from '../errors.js';
import type { ChainEvent } from './accessNode.js';
import { normalizeAddress } from './address.js';
import { buildTransaction, type SignedTransaction } from './buildTransaction.js';
import type { Cadence } from './cadence.js';
import { checkSlot, type Slot } from './createAccounts.js';
import type { Network } from './network.js';
import { JsonPayload } from './restAnswers.js';
import { parseShape } from './shape.js';
import type { Signer } from './sign.js';

/** What addKeys.cdc allows. A key costs about 10 computation of a transaction's 9,999 (measured: 100 take 978), so a tenth of it. */
export const MAX_KEYS_PER_TRANSACTION = 100;

export interface AddKeysOptions {
  readonly network: Pick<Network, 'name'>;
  readonly cadence: Cadence;
  /** Proposes, pays, authorises, and is the key that is copied. */
  readonly slot: Slot;
  readonly signer: Signer;
  readonly reference: { readonly id: string };
  /** 1 to 100. */
  readonly count: number;
}

/**
 * Builds the transaction that adds copies of the slot's own key to its account. The key that signs is the one that is copied, so what
 * is added can be signed for. Throws `internal` for a count out of range, `data` for a slot of another network.
 */
export async function buildAddKeys(options: AddKeysOptions): Promise<SignedTransaction> {
  const { slot, signer, count } = options;
  checkSlot(slot, options.network);
  if (!Number.isInteger(count) || count < 1 || count > MAX_KEYS_PER_TRANSACTION) throw new AppError('internal', `a transaction adds 1 to ${MAX_KEYS_PER_TRANSACTION} keys, not ${count}`);
  const key = { address: slot.address, keyIndex: slot.keyIndex, signer };
  return buildTransaction({
    cadence: options.cadence.transaction('addKeys'),
    args: [
      { type: 'Int', value: `${slot.keyIndex}` },
      { type: 'Int', value: `${count}` },
    ],
    reference: options.reference,
    proposer: { ...key, sequenceNumber: slot.sequenceNumber },
    payer: key,
    authorizers: [key],
  });
}

const JsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'not JSON' });
    return z.NEVER;
  }
});
const Body = z.object({ arguments: z.tuple([z.string(), z.string()]) });
const IntArg = z.object({ type: z.literal('Int'), value: z.coerce.number().int().positive() });

/** How many keys a transaction of {@link buildAddKeys} adds, from its bytes. Throws `data` where it is none. */
export function readKeyCount(body: string): number {
  const where = 'transaction that adds keys';
  const [, count] = parseShape(JsonText.pipe(Body), body, where).arguments;
  return parseShape(JsonPayload.pipe(IntArg), count, where).value;
}

const KeyAdded = z.object({ address: z.string(), keyIndex: z.coerce.number().int().nonnegative() });

/** The indexes of the keys that one account got, from a sealed transaction's events, in their order. */
export function readAddedKeys(events: readonly ChainEvent[], address: string): number[] {
  return events
    .filter((event) => event.type === 'flow.AccountKeyAdded')
    .map((event) => parseShape(KeyAdded, event.data, event.type))
    .filter((added) => normalizeAddress(added.address) === normalizeAddress(address))
    .map((added) => added.keyIndex);
}
