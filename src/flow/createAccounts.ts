import { z } from 'zod';
import { AppError } from '../errors.js';
import type { ChainEvent } from './accessNode.js';
import { normalizeAddress } from './address.js';
import { isAddressOf } from './addressSpace.js';
import { parseAmount } from './amount.js';
import { amountArg, arrayArg, stringArg } from './args.js';
import { buildTransaction, type SignedTransaction } from './buildTransaction.js';
import type { Cadence } from './cadence.js';
import type { Network } from './network.js';
import { parseShape } from './shape.js';
import type { Signer } from './sign.js';

/** What one transaction may make: 30 fit into its computation (324 each of 9,999), and createWallets.cdc refuses more than 25. */
export const MAX_ACCOUNTS_PER_TRANSACTION = 25;

/** A funding account's key with the sequence number it signs next. */
export interface Slot {
  readonly address: string;
  readonly keyIndex: number;
  readonly sequenceNumber: number;
}

export interface CreateAccountsOptions {
  readonly network: Pick<Network, 'name'>;
  readonly cadence: Cadence;
  readonly slot: Slot;
  /** The slot's. */
  readonly signer: Signer;
  readonly reference: { readonly id: string };
  /** 64 bytes each, hex; 1 to 25, all different. */
  readonly publicKeys: readonly string[];
  /** For each account, in 10^-8 FLOW. */
  readonly fundingAmount: bigint;
}

const PublicKeys = z
  .array(z.string().regex(/^[0-9a-f]{128}$/, 'not a public key of 64 bytes in lower-case hex'))
  .min(1)
  .max(MAX_ACCOUNTS_PER_TRANSACTION)
  .refine((keys) => new Set(keys).size === keys.length, 'a public key comes twice');

/** Builds the transaction that makes a whole wallet for each public key, proposed and paid by one slot. Throws `data` for keys that are none, doubles, or a slot of another network. */
export async function buildCreateAccounts(options: CreateAccountsOptions): Promise<SignedTransaction> {
  const { slot, signer, reference } = options;
  checkSlot(slot, options.network);
  const publicKeys = parseShape(PublicKeys, options.publicKeys, 'public keys');
  const key = { address: slot.address, keyIndex: slot.keyIndex, signer };
  return buildTransaction({
    cadence: options.cadence.transaction('createWallets'),
    args: [arrayArg(publicKeys.map(stringArg)), amountArg(options.fundingAmount)],
    reference,
    proposer: { ...key, sequenceNumber: slot.sequenceNumber },
    payer: key,
    authorizers: [key],
  });
}

/** Throws `data` when the slot's address is not one of the network: signing for it can only be a mistake. */
export function checkSlot(slot: Slot, network: Pick<Network, 'name'>): void {
  if (!isAddressOf(slot.address, network.name)) throw new AppError('data', `${slot.address} is not an address of ${network.name}`, { where: 'slot' });
}

/** flow.AccountKeyAdded carries the key as raw bytes in a struct of its own, older nodes as an array. */
const KeyAdded = z.object({
  address: z.string(),
  publicKey: z.union([z.object({ publicKey: z.array(z.coerce.number().int().min(0).max(255)) }).transform((key) => key.publicKey), z.array(z.coerce.number().int().min(0).max(255))]),
});

export interface CreatedAccount {
  /** 64 bytes, hex. */
  readonly publicKey: string;
  readonly address: string;
}

/** Which address got which key, from a sealed transaction's events or from eventsInRange('flow.AccountKeyAdded', …). In the events' order. */
export function readCreatedAccounts(events: readonly ChainEvent[]): CreatedAccount[] {
  return events
    .filter((event) => event.type === 'flow.AccountKeyAdded')
    .map((event) => parseShape(KeyAdded, event.data, event.type))
    .map(({ address, publicKey }) => ({ publicKey: Buffer.from(publicKey).toString('hex'), address: normalizeAddress(address) }));
}

const FeesDeducted = z.object({ amount: z.string().transform(parseAmount), executionEffort: z.string().transform(parseAmount) });

export interface Fee {
  /** In 10^-8 FLOW. */
  readonly amount: bigint;
  /** In computation units, of the 9,999 that a transaction has. */
  readonly executionEffort: number;
}

/** What the transaction cost; null where no fee was taken (errors 1006 and 1007, or a chain without fees). */
export function readFee(events: readonly ChainEvent[]): Fee | null {
  const event = events.find((candidate) => /^A\.[0-9a-f]{16}\.FlowFees\.FeesDeducted$/.test(candidate.type));
  if (event === undefined) return null;
  const { amount, executionEffort } = parseShape(FeesDeducted, event.data, event.type);
  // The event gives the effort as a UFix64 of 10^-8 units: 0.00008100 for 8,100.
  return { amount, executionEffort: Number(executionEffort) };
}
