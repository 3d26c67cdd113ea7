import { z } from 'zod';
import { AppError } from '../errors.js';
import type { ChainEvent } from './accessNode.js';
import { bareAddress, normalizeAddress } from './address.js';
import { parseAmount } from './amount.js';
import { addressArg, amountArg, arrayArg } from './args.js';
import { buildTransaction, type SignedTransaction } from './buildTransaction.js';
import type { Cadence } from './cadence.js';
import { checkSlot, type Slot } from './createAccounts.js';
import type { Network } from './network.js';
import { parseShape } from './shape.js';
import type { Signer } from './sign.js';

/** A deposit costs about 54 computation of a transaction's 9,999 (measured: 100 take 5,457, 200 fail): 150 leave room. */
export const MAX_DEPOSITS_PER_TRANSACTION = 150;

export interface Deposit {
  readonly address: string;
  /** In 10^-8 FLOW. */
  readonly amount: bigint;
}

export interface FundWalletsOptions {
  readonly network: Pick<Network, 'name'>;
  readonly cadence: Cadence;
  readonly slot: Slot;
  readonly signer: Signer;
  readonly reference: { readonly id: string };
  readonly deposits: readonly Deposit[];
}

/** Builds the transaction that sends FLOW to many wallets. Throws `internal` for an empty or too long list, a zero amount or an address that comes twice, `data` for a slot of another network. */
export async function buildFundWallets(options: FundWalletsOptions): Promise<SignedTransaction> {
  const { slot, signer, deposits } = options;
  checkSlot(slot, options.network);
  if (deposits.length === 0 || deposits.length > MAX_DEPOSITS_PER_TRANSACTION) throw new AppError('internal', `a funding has 1 to ${MAX_DEPOSITS_PER_TRANSACTION} wallets, not ${deposits.length}`);
  if (deposits.some((deposit) => deposit.amount <= 0n)) throw new AppError('internal', 'a funding is above zero');
  if (new Set(deposits.map((deposit) => normalizeAddress(deposit.address))).size !== deposits.length) throw new AppError('internal', 'an address comes twice in one funding');
  const key = { address: slot.address, keyIndex: slot.keyIndex, signer };
  return buildTransaction({
    cadence: options.cadence.transaction('fundWallets'),
    args: [arrayArg(deposits.map((deposit) => addressArg(deposit.address))), arrayArg(deposits.map((deposit) => amountArg(deposit.amount)))],
    reference: options.reference,
    proposer: { ...key, sequenceNumber: slot.sequenceNumber },
    payer: key,
    authorizers: [key],
  });
}

const TokensDeposited = z.object({ amount: z.string().transform(parseAmount), to: z.string().nullable() });

/** The full type of FlowToken's deposit event: a contract of the same name elsewhere can emit what it likes. Throws `usage` where flow.json names no FlowToken. */
export function depositEventType(network: { readonly contracts: Readonly<Record<string, string>> }): string {
  const flowToken = network.contracts['FlowToken'];
  if (flowToken === undefined) throw new AppError('usage', 'FlowToken has no address', { where: 'flow.json' });
  return `A.${bareAddress(flowToken)}.FlowToken.TokensDeposited`;
}

/**
 * Who got FLOW, from a sealed transaction's events; a wallet that was passed over is missing. Other deposits of the transaction
 * (the fee's, an account's minimum balance) are among them: look up the addresses that were meant.
 */
export function readDeposits(events: readonly ChainEvent[], network: { readonly contracts: Readonly<Record<string, string>> }): Deposit[] {
  const type = depositEventType(network);
  return events
    .filter((event) => event.type === type)
    .map((event) => parseShape(TokensDeposited, event.data, event.type))
    .flatMap(({ amount, to }) => (to === null ? [] : [{ address: normalizeAddress(to), amount }]));
}
