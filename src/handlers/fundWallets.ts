import { toAppError } from '../errors.js';
import { buildFundWallets, MAX_DEPOSITS_PER_TRANSACTION } from '../flow/fundWallets.js';
import { leaseSpareSlot, releaseSlot } from '../journal/slots.js';
import { isFunderAtFloor } from '../journal/sqlErrors.js';
import type { LiveTransaction } from '../journal/transactions.js';
import { leaveAtFloor } from './checkFunders.js';
import type { TransactionFollower } from './followTransactions.js';
import type { Instance } from './instance.js';
import { submitTransaction } from './submitTransaction.js';

/** A wallet that has too little FLOW, and the block that says so. */
export interface NeedyWallet {
  readonly accountId: number;
  readonly address: string;
  readonly balanceHeight: number;
}

export interface FundOptions {
  /** The cycle that counts it; null: none. */
  readonly cycle: number | null;
}

/**
 * Sends FLOW_FUNDING_AMOUNT to each of up to 150 wallets in one transaction. Null where no slot is free, or a user waits, who comes
 * first. Throws where nothing was sent: `data` where a wallet has had a deposit since its balance was read, has an unsealed
 * transaction, or its user is gone; `network` where an application holds an account's row.
 */
export async function fundWallets(instance: Instance, follower: Pick<TransactionFollower, 'referenceBlock' | 'follow'>, wallets: readonly NeedyWallet[], options: FundOptions): Promise<LiveTransaction | null> {
  const { journal, network, settings } = instance;
  const batch = wallets.slice(0, MAX_DEPOSITS_PER_TRANSACTION);
  if (batch.length === 0) return null;
  const slot = await leaseSpareSlot(journal, instance.id, network.funders.map((funder) => funder.address));
  if (slot === null) return null;
  try {
    return await submitTransaction(instance, follower, {
      kind: 'fund',
      slot,
      cycle: options.cycle,
      members: batch.map(({ accountId, balanceHeight }) => ({ accountId, balanceHeight, amount: settings.FLOW_FUNDING_AMOUNT })),
      build: ({ reference, ...signing }) =>
        buildFundWallets({ network, cadence: instance.cadence, ...signing, reference, deposits: batch.map(({ address }) => ({ address, amount: settings.FLOW_FUNDING_AMOUNT })) }),
    });
  } catch (thrown) {
    // Where even this does not succeed, the lease is taken for lost half a minute later.
    await releaseSlot(journal, instance.id, slot, null).catch(() => undefined);
    const error = toAppError(thrown);
    // Fewer may still fit above its floor: only one that has no room for a single wallet is out.
    if (isFunderAtFloor(error) && batch.length === 1) await leaveAtFloor(instance, slot.address);
    throw error;
  }
}
