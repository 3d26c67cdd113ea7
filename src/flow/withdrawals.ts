import { z } from 'zod';
import { AppError } from '../errors.js';
import type { ChainEvent } from './accessNode.js';
import { bareAddress, normalizeAddress } from './address.js';
import { parseAmount } from './amount.js';
import { parseShape } from './shape.js';

/** FLOW that left an account's vault. */
export interface Withdrawal {
  readonly address: string;
  /** In 10^-8 FLOW. */
  readonly amount: bigint;
}

const TokensWithdrawn = z.object({ amount: z.string().transform(parseAmount), from: z.string().nullable() });

/** The full type of FlowToken's withdrawal event. Throws `usage` where flow.json names no FlowToken. */
export function withdrawalEventType(network: { readonly contracts: Readonly<Record<string, string>> }): string {
  const flowToken = network.contracts['FlowToken'];
  if (flowToken === undefined) throw new AppError('usage', 'FlowToken has no address', { where: 'flow.json' });
  return `A.${bareAddress(flowToken)}.FlowToken.TokensWithdrawn`;
}

/**
 * What left whose vault, in the events' order: deposits, an account's cost (0.001 FLOW on the emulator) and the fee alike. Measured: each
 * is one event that names the payer; what is split on its way is withdrawn from a vault that lies nowhere, whose `from` is nil, and nothing
 * left an account by that.
 */
export function readWithdrawals(events: readonly ChainEvent[], network: { readonly contracts: Readonly<Record<string, string>> }): Withdrawal[] {
  const type = withdrawalEventType(network);
  return events
    .filter((event) => event.type === type)
    .map((event) => parseShape(TokensWithdrawn, event.data, event.type))
    .flatMap(({ amount, from }) => (from === null || amount === 0n ? [] : [{ address: normalizeAddress(from), amount }]));
}

/** All that left one account in a transaction, in 10^-8 FLOW; null where its events show nothing, as where they were not read. */
export function withdrawnFrom(address: string, events: readonly ChainEvent[], network: { readonly contracts: Readonly<Record<string, string>> }): bigint | null {
  const own = readWithdrawals(events, network).filter((each) => each.address === normalizeAddress(address));
  return own.length === 0 ? null : own.reduce((sum, each) => sum + each.amount, 0n);
}
