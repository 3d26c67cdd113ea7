import { AppError } from '../errors.js';
import type { ChainEvent } from '../flow/accessNode.js';
import { readFee } from '../flow/createAccounts.js';
import { depositEventType, readDeposits } from '../flow/fundWallets.js';
import { recordSealedFunding, recordUnfunded } from '../journal/fundings.js';
import { readMembers, type LiveTransaction } from '../journal/transactions.js';
import { blamedBy, sayBlamed, withSolution } from './blame.js';
import type { Instance } from './instance.js';
import { sayEnded } from './sayEnded.js';
import { lastBlockOf, scanEvents } from './scanEvents.js';
import type { Settler } from './settler.js';

/** Whether a sealed funding's events show nothing that it did: they were not in the answer. */
export const lacksEvents = (events: readonly ChainEvent[], network: Instance['network']): boolean => readFee(events) === null && readDeposits(events, network).length === 0;

/** Turns the results of fundings into journal states. What the chain shows as deposited is what counts. */
export function createFundingSettler(instance: Instance): Settler {
  const { journal, node, network, log, statistics } = instance;

  const countMembers = async (transaction: LiveTransaction): Promise<number> => (await readMembers(journal, transaction.id)).length;

  const recordSealed = async (transaction: LiveTransaction, deposits: readonly ChainEvent[], events: readonly ChainEvent[], sealedHeight: number): Promise<boolean> => {
    const fee = readFee(events);
    const members = await countMembers(transaction);
    const wallets = await recordSealedFunding(journal, {
      instanceId: instance.id,
      transaction,
      sealedHeight,
      deposits: readDeposits(deposits, network),
      fee: fee?.amount ?? null,
      executionEffort: fee?.executionEffort ?? null,
    });
    if (wallets === null) return true;
    statistics.transactionsSealed += 1;
    sayEnded(instance, transaction, 'sealed', { members });
    log.info({ txId: transaction.id, wallets, sealedHeight }, 'wallets funded');
    return true;
  };

  return {
    async sealed(transaction, events, sealedHeight) {
      // A member that takes no FLOW is passed over, but then the fee shows: an answer without both lacks its events, and is asked for again.
      if (lacksEvents(events, network)) throw new AppError('network', 'the result shows neither a deposit nor a fee', { where: 'access node' });
      return recordSealed(transaction, events, events, sealedHeight);
    },

    async failed(transaction, error, events, sealedHeight) {
      const members = await countMembers(transaction);
      const isOurs = await recordUnfunded(journal, { instanceId: instance.id, transaction, sealedHeight, error: withSolution(error), fee: readFee(events)?.amount ?? null, lastHeight: sealedHeight, blamed: blamedBy(transaction, error) });
      if (!isOurs) return true;
      sayBlamed(log, transaction, error);
      statistics.transactionsFailed += 1;
      sayEnded(instance, transaction, 'failed', { members, error: error.kind });
      log.warn({ txId: transaction.id, kind: error.kind, reason: error.message }, 'funding failed on chain');
      return true;
    },

    async giveUp(transaction) {
      const ours = (await scanEvents(node, depositEventType(network), transaction)).filter((event) => event.txId === transaction.id);
      const lastHeight = lastBlockOf(transaction);
      if (ours.length > 0) return recordSealed(transaction, ours, [], lastHeight);
      const members = await countMembers(transaction);
      const isOurs = await recordUnfunded(journal, { instanceId: instance.id, transaction, sealedHeight: null, error: new AppError('expired', 'no trace of it on chain after its expiry'), fee: null, lastHeight });
      statistics.transactionsFailed += 1;
      if (isOurs) sayEnded(instance, transaction, 'given up', { members, error: 'expired' });
      log.warn({ txId: transaction.id, referenceHeight: transaction.referenceHeight }, 'funding expired and given up');
      return true;
    },
  };
}
