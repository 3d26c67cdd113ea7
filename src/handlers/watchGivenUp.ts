import { toAppError } from '../errors.js';
import type { ChainEvent } from '../flow/accessNode.js';
import { readAddedKeys } from '../flow/addKeys.js';
import { readCreatedAccounts, readFee } from '../flow/createAccounts.js';
import { readDeposits } from '../flow/fundWallets.js';
import { withdrawnFrom } from '../flow/withdrawals.js';
import { sayChanged } from '../journal/control.js';
import { recordLateCreation } from '../journal/creations.js';
import { recordLateFunding } from '../journal/fundings.js';
import { givenUpTransactions, recordLateFailure, recordLateSeal, type LateSeal } from '../journal/givenUp.js';
import { registerSlots } from '../journal/slots.js';
import { payerOf, readMembers, type LiveTransaction } from '../journal/transactions.js';
import type { Instance } from './instance.js';
import { lacksEvents } from './settleFunding.js';

/**
 * Looks again at up to `atMost` transactions that were given up within the last `withinMs`: the nodes may have lied. A creation that sealed
 * after all gives its accounts to the pool; of any other, too, the ledger learns what it took. Returns how many accounts there are more.
 */
export async function watchGivenUp(instance: Instance, withinMs: number, atMost: number): Promise<number> {
  let late = 0;
  for (const transaction of await givenUpTransactions(instance.journal, withinMs, atMost)) {
    try {
      late += await lookAgain(instance, transaction);
    } catch (thrown) {
      const error = toAppError(thrown);
      instance.log.debug({ txId: transaction.id, kind: error.kind, reason: error.message }, 'given-up transaction not looked at');
    }
  }
  return late;
}

async function lookAgain(instance: Instance, transaction: LiveTransaction): Promise<number> {
  const { journal, node, log } = instance;
  const result = await node.result(transaction.id);
  if (result.status !== 'sealed' || result.blockId === null) return 0;
  const fee = readFee(result.events)?.amount ?? null;
  const sealedHeight = await node.heightOf(result.blockId);
  if (result.failed !== null) {
    if (await recordLateFailure(journal, { transaction, sealedHeight, fee: fee ?? 0n })) log.warn({ txId: transaction.id, kind: transaction.kind, fee: String(fee ?? 0n) }, 'a transaction that was given up has failed on chain: its fee is in the ledger');
    return 0;
  }
  return recordLate(instance, { transaction, sealedHeight, fee }, result.events);
}

async function recordLate({ id, journal, network, log }: Instance, late: LateSeal, events: readonly ChainEvent[]): Promise<number> {
  const { transaction } = late;
  if (transaction.kind === 'create') {
    const keys = new Set((await readMembers(journal, transaction.id)).map((member) => member.publicKey));
    const created = readCreatedAccounts(events).filter((account) => keys.has(account.publicKey));
    // All of them or none: a sealed result without its events says nothing yet.
    if (created.length !== keys.size) return 0;
    const made = await recordLateCreation(journal, { ...late, created, withdrawn: withdrawnFrom(payerOf(transaction), events, network) });
    if (made > 0) log.warn({ txId: transaction.id, accounts: made }, 'a creation that was given up has sealed after all: its accounts join the pool');
    return made;
  }
  if (transaction.kind === 'fund' && lacksEvents(events, network)) return 0;
  if (transaction.kind === 'fund') await recordLateFunding(journal, { ...late, instanceId: id, deposits: readDeposits(events, network) });
  else if (transaction.kind === 'repair') await recordLateSeal(journal, late, () => Promise.resolve());
  else {
    await recordLateSeal(journal, late, async (db) => {
      await registerSlots(db, readAddedKeys(events, transaction.slot.address).map((keyIndex) => ({ address: transaction.slot.address, keyIndex })));
      await sayChanged(db);
    });
  }
  log.warn({ txId: transaction.id, kind: transaction.kind }, 'a transaction that was given up has sealed after all: it is in the ledger');
  return 0;
}
