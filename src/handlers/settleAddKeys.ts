import { AppError } from '../errors.js';
import type { ChainEvent } from '../flow/accessNode.js';
import { readAddedKeys } from '../flow/addKeys.js';
import { readFee } from '../flow/createAccounts.js';
import { sayChanged } from '../journal/control.js';
import { registerSlots } from '../journal/slots.js';
import { settleTransaction, type LiveTransaction } from '../journal/transactions.js';
import { blamedBy, sayBlamed, withSolution } from './blame.js';
import type { Sender } from './instance.js';
import { sayEnded } from './sayEnded.js';
import { lastBlockOf, scanEvents } from './scanEvents.js';
import type { Settler } from './settler.js';

/** Turns the results of transactions that add keys into slots: what the chain shows as added proposes from then on, in every instance. */
export function createAddKeysSettler(instance: Sender): Settler {
  const { journal, node, log, statistics } = instance;

  const recordAdded = async (transaction: LiveTransaction, added: readonly number[], events: readonly ChainEvent[], sealedHeight: number): Promise<boolean> => {
    const { address } = transaction.slot;
    const fee = readFee(events);
    const recorded = await settleTransaction(
      journal,
      { instanceId: instance.id, transaction, sealedHeight, error: null, fee: fee?.amount ?? null, executionEffort: fee?.executionEffort ?? null },
      async (db) => {
        await registerSlots(db, added.map((keyIndex) => ({ address, keyIndex })));
        await sayChanged(db);
        return true;
      },
    );
    statistics.transactionsSealed += 1;
    if (recorded !== null) sayEnded(instance, transaction, 'sealed', { members: 0 });
    log.info({ txId: transaction.id, funder: address, keys: added, sealedHeight }, 'keys added');
    return true;
  };

  const recordNothing = async (transaction: LiveTransaction, error: AppError, sealedHeight: number | null, fee: bigint | null): Promise<boolean> => {
    const recorded = await settleTransaction(journal, { instanceId: instance.id, transaction, sealedHeight, error: withSolution(error), fee, executionEffort: null, blamed: blamedBy(transaction, error) }, () => Promise.resolve(true));
    if (recorded === null) return false;
    statistics.transactionsFailed += 1;
    sayEnded(instance, transaction, sealedHeight === null ? 'given up' : 'failed', { members: 0, error: error.kind });
    return true;
  };

  return {
    sealed(transaction, events, sealedHeight) {
      const added = readAddedKeys(events, transaction.slot.address);
      // It adds at least one: an answer without the event is asked for again.
      if (added.length === 0) throw new AppError('network', 'the result shows no added key', { where: 'access node' });
      return recordAdded(transaction, added, events, sealedHeight);
    },

    async failed(transaction, error, events, sealedHeight) {
      if (!(await recordNothing(transaction, error, sealedHeight, readFee(events)?.amount ?? null))) return true;
      sayBlamed(log, transaction, error);
      log.warn({ txId: transaction.id, funder: transaction.slot.address, kind: error.kind, reason: error.message }, 'adding keys failed on chain');
      return true;
    },

    async giveUp(transaction) {
      const ours = (await scanEvents(node, 'flow.AccountKeyAdded', transaction)).filter((event) => event.txId === transaction.id);
      if (ours.length > 0) return recordAdded(transaction, readAddedKeys(ours, transaction.slot.address), [], lastBlockOf(transaction));
      await recordNothing(transaction, new AppError('expired', 'no trace of it on chain after its expiry', { mend: 'add the keys again' }), null, null);
      log.warn({ txId: transaction.id, funder: transaction.slot.address, referenceHeight: transaction.referenceHeight }, 'adding keys expired and given up');
      return true;
    },
  };
}
