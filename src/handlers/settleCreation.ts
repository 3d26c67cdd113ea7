import { AppError } from '../errors.js';
import type { ChainEvent } from '../flow/accessNode.js';
import { MAX_COMPUTE } from '../flow/buildTransaction.js';
import { readCreatedAccounts, readFee, type CreatedAccount } from '../flow/createAccounts.js';
import { withdrawnFrom } from '../flow/withdrawals.js';
import { recordFailedCreation, recordGivenUpCreation, recordSealedCreation } from '../journal/creations.js';
import { payerOf, readMembers, type LiveTransaction } from '../journal/transactions.js';
import type { BatchSize } from './batchSize.js';
import { blamedBy, sayBlamed, withSolution } from './blame.js';
import type { Instance } from './instance.js';
import type { Pace } from './pace.js';
import { retryPolicy } from './retryPolicy.js';
import { sayEnded } from './sayEnded.js';
import { lastBlockOf, scanEvents } from './scanEvents.js';
import type { Settler } from './settler.js';

/** Turns the results of creations into journal states; the blame follows what a member can cause and what it can't. */
export function createCreationSettler(instance: Instance, batchSize: BatchSize, pace: Pace): Settler {
  const { journal, node, network, log, statistics } = instance;
  const keysOf = async (transaction: LiveTransaction): Promise<string[]> => (await readMembers(journal, transaction.id)).map((member) => member.publicKey);

  const recordSealed = async (transaction: LiveTransaction, created: readonly CreatedAccount[], events: readonly ChainEvent[], sealedHeight: number): Promise<boolean> => {
    const fee = readFee(events);
    const made = await recordSealedCreation(journal, {
      instanceId: instance.id,
      transaction,
      sealedHeight,
      created,
      fee: fee?.amount ?? null,
      executionEffort: fee?.executionEffort ?? null,
      withdrawn: withdrawnFrom(payerOf(transaction), events, network),
    });
    if (fee !== null) batchSize.noteEffort(created.length, fee.executionEffort, MAX_COMPUTE);
    pace.noteSuccess();
    statistics.accountsMade += made;
    statistics.transactionsSealed += 1;
    // None made: another instance has recorded it.
    if (made > 0) sayEnded(instance, transaction, 'sealed', { members: created.length });
    log.info({ txId: transaction.id, accounts: made, sealedHeight, durationMs: instance.now() - transaction.createdAt.getTime() }, 'accounts made');
    return true;
  };

  /**
   * Halved until one stands alone: there it is set apart (0), also where the cause may meet all. Kept, it would be tried first again
   * and again, and those who wait for sound keys would wait for ever.
   */
  const splitTo = (members: number, error: AppError): number => {
    if (members > 1) return Math.ceil(members / 2);
    pace.noteAlone(error);
    return 0;
  };

  return {
    async sealed(transaction, events, sealedHeight) {
      const keys = await keysOf(transaction);
      const created = readCreatedAccounts(events).filter((account) => keys.includes(account.publicKey));
      // An address is learned from the event, never guessed: an answer that lacks one is asked for again.
      if (created.length !== keys.length) throw new AppError('network', `the result shows ${created.length} of ${keys.length} keys`, { where: 'access node' });
      return recordSealed(transaction, created, events, sealedHeight);
    },

    async failed(transaction, error, events, sealedHeight) {
      const members = (await keysOf(transaction)).length;
      const { blames } = retryPolicy(error.kind);
      if (error.kind === 'computation') batchSize.noteTooLarge(members);
      if (blames !== 'member') pace.noteFailure(error);
      const batchMax = blames === 'member' ? splitTo(members, error) : null;
      const isOurs = await recordFailedCreation(journal, { instanceId: instance.id, transaction, sealedHeight, error: withSolution(error), fee: readFee(events)?.amount ?? null, blamed: blamedBy(transaction, error), batchMax });
      if (!isOurs) return true;
      sayBlamed(log, transaction, error);
      statistics.transactionsFailed += 1;
      statistics.lastError = { kind: error.kind, message: error.message, at: new Date(instance.now()).toISOString() };
      sayEnded(instance, transaction, 'failed', { members, error: error.kind });
      log.warn({ txId: transaction.id, kind: error.kind, reason: error.message, accounts: members, batchMax }, 'creation failed on chain');
      return true;
    },

    async giveUp(transaction) {
      const keys = new Set(await keysOf(transaction));
      const found = readCreatedAccounts(await scanEvents(node, 'flow.AccountKeyAdded', transaction)).filter((account) => keys.has(account.publicKey));
      // All of them or none: one transaction made them.
      if (found.length > 0 && found.length !== keys.size) throw new AppError('network', `the events show ${found.length} of ${keys.size} keys`, { where: 'access node' });
      if (found.length > 0) return recordSealed(transaction, found, [], lastBlockOf(transaction));
      const isOurs = await recordGivenUpCreation(journal, { instanceId: instance.id, transaction, error: new AppError('expired', 'no trace of it on chain after its expiry') });
      statistics.transactionsFailed += 1;
      if (isOurs) sayEnded(instance, transaction, 'given up', { members: keys.size, error: 'expired' });
      log.warn({ txId: transaction.id, referenceHeight: transaction.referenceHeight }, 'creation expired and given up');
      return true;
    },
  };
}
