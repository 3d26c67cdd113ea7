import { AppError } from '../errors.js';
import { readFee } from '../flow/createAccounts.js';
import { recordFailedRepair, recordSealedRepair } from '../journal/repairs.js';
import { blamedBy, sayBlamed, withSolution } from './blame.js';
import type { Instance } from './instance.js';
import { sayEnded } from './sayEnded.js';
import type { Settler } from './settler.js';

/** Turns the results of repairs into journal states. What became of the wallet is read from the chain, by who looks at it next. */
export function createRepairSettler(instance: Instance): Settler {
  const { journal, log, statistics, id: instanceId } = instance;

  return {
    async sealed(transaction, events, sealedHeight) {
      const fee = readFee(events);
      const isOurs = await recordSealedRepair(journal, { instanceId, transaction, sealedHeight, fee: fee?.amount ?? null, executionEffort: fee?.executionEffort ?? null });
      if (!isOurs) return true;
      statistics.transactionsSealed += 1;
      sayEnded(instance, transaction, 'sealed', { members: 1 });
      log.info({ txId: transaction.id, address: transaction.slot.address, sealedHeight }, 'wallet repaired');
      return true;
    },

    async failed(transaction, error, events, sealedHeight) {
      const fee = readFee(events);
      const isOurs = await recordFailedRepair(journal, { instanceId, transaction, sealedHeight, error: withSolution(error), fee: fee?.amount ?? null, executionEffort: fee?.executionEffort ?? null, blamed: blamedBy(transaction, error) });
      if (!isOurs) return true;
      sayBlamed(log, transaction, error);
      statistics.transactionsFailed += 1;
      sayEnded(instance, transaction, 'failed', { members: 1, error: error.kind });
      log.warn({ txId: transaction.id, address: transaction.slot.address, kind: error.kind, reason: error.message }, 'repair failed on chain');
      return true;
    },

    // No events are scanned: there is nothing to be learned from them, and one that seals all the same only makes the next one find
    // nothing to do.
    async giveUp(transaction) {
      const error = new AppError('expired', 'no trace of it after its expiry', { mend: 'nothing to do: the next sweep looks at the wallet again' });
      if (!(await recordFailedRepair(journal, { instanceId, transaction, sealedHeight: null, error, fee: null, executionEffort: null }))) return true;
      statistics.transactionsFailed += 1;
      sayEnded(instance, transaction, 'given up', { members: 1, error: error.kind });
      log.warn({ txId: transaction.id, address: transaction.slot.address, referenceHeight: transaction.referenceHeight }, 'repair expired and given up');
      return true;
    },
  };
}
