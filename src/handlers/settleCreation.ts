import { AppError } from '../errors.js';
import type { ChainEvent } from '../flow/accessNode.js';
import { readCreatedAccounts, readFee, type CreatedAccount } from '../flow/createAccounts.js';
import { MAX_COMPUTE } from '../flow/buildTransaction.js';
import { setRotation } from '../journal/slots.js';
import { memberKeys, recordFailedCreation, recordGivenUp, recordSealedCreation, type LiveTransaction } from '../journal/transactions.js';
import type { BatchSize } from './batchSize.js';
import type { Instance } from './instance.js';
import { retryPolicy } from './retryPolicy.js';

/** Blocks an access node searches for events in one call. */
const EVENT_RANGE = 250;

/** Records how a creation ended. Each returns false where the end can't be told yet. */
export interface Settler {
  sealed(transaction: LiveTransaction, events: readonly ChainEvent[], sealedHeight: number): Promise<boolean>;
  failed(transaction: LiveTransaction, error: AppError, events: readonly ChainEvent[], sealedHeight: number): Promise<boolean>;
  giveUp(transaction: LiveTransaction): Promise<boolean>;
}

/** Turns results into journal states; the blame follows what a member can cause and what it can't. */
export function createSettler(instance: Instance, batchSize: BatchSize): Settler {
  const { journal, node, log, statistics } = instance;

  const recordSealed = async (transaction: LiveTransaction, created: readonly CreatedAccount[], events: readonly ChainEvent[], sealedHeight: number): Promise<boolean> => {
    const fee = readFee(events);
    const made = await recordSealedCreation(journal, {
      instanceId: instance.id,
      transaction,
      sealedHeight,
      created,
      fee: fee?.amount ?? null,
      executionEffort: fee?.executionEffort ?? null,
    });
    if (fee !== null) batchSize.noteEffort(created.length, fee.executionEffort, MAX_COMPUTE);
    statistics.accountsMade += made;
    statistics.transactionsSealed += 1;
    log.info({ txId: transaction.id, accounts: made, sealedHeight, durationMs: Date.now() - transaction.createdAt.getTime() }, 'accounts made');
    return true;
  };

  return {
    async sealed(transaction, events, sealedHeight) {
      const keys = await memberKeys(journal, transaction.id);
      const created = readCreatedAccounts(events).filter((account) => keys.includes(account.publicKey));
      // An address is learned from the event, never guessed: an answer that lacks one is asked for again.
      if (created.length !== keys.length) throw new AppError('network', `the result shows ${created.length} of ${keys.length} keys`, { where: 'access node' });
      return recordSealed(transaction, created, events, sealedHeight);
    },

    async failed(transaction, error, events, sealedHeight) {
      const members = (await memberKeys(journal, transaction.id)).length;
      if (error.kind === 'computation') batchSize.noteTooLarge(members);
      if (error.kind === 'funds') {
        await setRotation(journal, transaction.slot.address, 'no FLOW left');
        log.error({ funder: transaction.slot.address, mend: retryPolicy('funds').solution }, 'funder is empty and leaves the rotation');
      }
      // Only what a member can cause is ever a member's fault, and only when it stands alone.
      const fault = members === 1 && (error.kind === 'computation' || error.kind === 'chain-state');
      if (error.kind === 'chain-state') batchSize.noteTooLarge(members);
      await recordFailedCreation(journal, {
        instanceId: instance.id,
        transaction,
        sealedHeight,
        error: new AppError(error.kind, error.message, { mend: retryPolicy(error.kind).solution }),
        fee: readFee(events)?.amount ?? null,
        fault,
      });
      statistics.transactionsFailed += 1;
      log.warn({ txId: transaction.id, kind: error.kind, reason: error.message, accounts: members }, 'creation failed on chain');
      return true;
    },

    async giveUp(transaction) {
      const keys = new Set(await memberKeys(journal, transaction.id));
      const last = transaction.referenceHeight + transaction.expiryBlocks + 1;
      for (let from = transaction.referenceHeight; from <= last; from += EVENT_RANGE) {
        const events = await node.eventsInRange('flow.AccountKeyAdded', from, Math.min(last, from + EVENT_RANGE - 1));
        const found = readCreatedAccounts(events).filter((account) => keys.has(account.publicKey));
        if (found.length > 0) return recordSealed(transaction, found, [], last);
      }
      await recordGivenUp(journal, { instanceId: instance.id, transaction, error: new AppError('expired', 'no trace of it on chain after its expiry') });
      statistics.transactionsFailed += 1;
      log.warn({ txId: transaction.id, referenceHeight: transaction.referenceHeight }, 'creation expired and given up');
      return true;
    },
  };
}
