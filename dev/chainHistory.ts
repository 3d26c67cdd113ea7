import { z } from 'zod';
import type { AccessNode, RangeEvent } from '../src/flow/accessNode.js';
import { normalizeAddress } from '../src/flow/address.js';
import { parseAmount } from '../src/flow/amount.js';
import { readCreatedAccounts } from '../src/flow/createAccounts.js';
import { readDeposits } from '../src/flow/fundWallets.js';
import { parseShape } from '../src/flow/shape.js';

/** Where every emulator has it. */
const FLOW_TOKEN = '0x0ae53cb6e3f42a79';

export interface CreatedOnChain {
  readonly height: number;
  /** Every key that was ever added to it: 64 bytes each, hex. */
  readonly keys: ReadonlySet<string>;
}

export interface FundingOnChain {
  readonly txId: string;
  readonly height: number;
}

/** What the chain's events tell of a range of blocks. */
export interface ChainHistory {
  /** Accounts made in it, by address. */
  readonly accounts: ReadonlyMap<string, CreatedOnChain>;
  /** By address: each time that it got exactly the funding amount out of a funder's vault. */
  readonly fundings: ReadonlyMap<string, readonly FundingOnChain[]>;
}

export interface HistoryRange {
  /** Both included. */
  readonly from: number;
  readonly to: number;
  readonly funders: ReadonlySet<string>;
  /** In 10^-8 FLOW. */
  readonly fundingAmount: bigint;
}

/** An access node gives 250, but a burst's blocks have 50 accounts each, of 2.5 kB, and an answer ends at 32 MB. */
const BLOCKS_A_CALL = 50;

/** Reads AccountCreated, AccountKeyAdded, TokensWithdrawn and TokensDeposited events. */
export async function readChainHistory(node: AccessNode, range: HistoryRange): Promise<ChainHistory> {
  const events = async (type: string): Promise<RangeEvent[]> => {
    const found: RangeEvent[] = [];
    for (let from = range.from; from <= range.to; from += BLOCKS_A_CALL) found.push(...(await node.eventsInRange(type, from, Math.min(range.to, from + BLOCKS_A_CALL - 1))));
    return found;
  };
  const flowToken = `A.${FLOW_TOKEN.slice(2)}.FlowToken`;
  const created = await events('flow.AccountCreated');
  const keys = new Map<string, Set<string>>();
  for (const { address, publicKey } of readCreatedAccounts(await events('flow.AccountKeyAdded'))) keys.set(address, (keys.get(address) ?? new Set()).add(publicKey));
  const paying = payingTransactions(await events(`${flowToken}.TokensWithdrawn`), range);
  const fundings = new Map<string, FundingOnChain[]>();
  for (const event of await events(`${flowToken}.TokensDeposited`)) {
    if (!paying.has(event.txId)) continue;
    for (const { address, amount } of readDeposits([event], { contracts: { FlowToken: FLOW_TOKEN } })) {
      if (amount === range.fundingAmount) fundings.set(address, [...(fundings.get(address) ?? []), { txId: event.txId, height: event.height }]);
    }
  }
  return {
    accounts: new Map(
      created.map((event) => {
        const address = normalizeAddress(String(event.data['address']));
        return [address, { height: event.height, keys: keys.get(address) ?? new Set<string>() }];
      }),
    ),
    fundings,
  };
}

const TokensWithdrawn = z.object({ amount: z.string().transform(parseAmount), from: z.string().nullable() });

/** Transactions in which a funder gave the funding amount: others may move the same sum as they like. */
function payingTransactions(withdrawals: readonly RangeEvent[], range: HistoryRange): Set<string> {
  const paying = withdrawals.filter((event) => {
    const { amount, from } = parseShape(TokensWithdrawn, event.data, event.type);
    return amount === range.fundingAmount && from !== null && range.funders.has(normalizeAddress(from));
  });
  return new Set(paying.map((event) => event.txId));
}
