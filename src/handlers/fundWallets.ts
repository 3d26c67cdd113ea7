import { toAppError } from '../errors.js';
import { buildFundWallets, MAX_DEPOSITS_PER_TRANSACTION } from '../flow/fundWallets.js';
import { leaseSlot, releaseSlot } from '../journal/slots.js';
import type { LiveTransaction } from '../journal/transactions.js';
import type { TransactionFollower } from './followTransactions.js';
import type { Instance } from './instance.js';
import { submitTransaction } from './submitTransaction.js';

/** A wallet that has too little FLOW, and the block that says so. */
export interface NeedyWallet {
  readonly accountId: number;
  readonly address: string;
  readonly balanceHeight: number;
}

/**
 * Sends FLOW_FUNDING_AMOUNT to each of up to 150 wallets in one transaction. Null where no slot is free. Throws where nothing was
 * sent: `data` where a wallet has had a deposit since its balance was read.
 */
export async function fundWallets(instance: Instance, follower: TransactionFollower, wallets: readonly NeedyWallet[]): Promise<LiveTransaction | null> {
  const { journal, network, settings } = instance;
  const batch = wallets.slice(0, MAX_DEPOSITS_PER_TRANSACTION);
  if (batch.length === 0) return null;
  const slot = await leaseSlot(journal, instance.id, network.funders.map((funder) => funder.address));
  if (slot === null) return null;
  try {
    return await submitTransaction(instance, follower, {
      kind: 'fund',
      slot,
      members: batch.map(({ accountId, balanceHeight }) => ({ accountId, balanceHeight })),
      build: ({ reference, ...signing }) =>
        buildFundWallets({ network, cadence: instance.cadence, ...signing, reference, deposits: batch.map(({ address }) => ({ address, amount: settings.FLOW_FUNDING_AMOUNT })) }),
    });
  } catch (thrown) {
    await releaseSlot(journal, instance.id, slot, null);
    throw toAppError(thrown);
  }
}
