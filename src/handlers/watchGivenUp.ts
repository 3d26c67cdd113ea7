import { toAppError } from '../errors.js';
import { readCreatedAccounts, readFee } from '../flow/createAccounts.js';
import { givenUpCreations, recordLateCreation } from '../journal/creations.js';
import { readMembers, type LiveTransaction } from '../journal/transactions.js';
import type { Instance } from './instance.js';


/**
 * Looks again at up to `atMost` creations that were given up within the last `withinMs`: the nodes may have lied. One that sealed after all gives
 * its accounts to the pool. Returns how many accounts that were.
 */
export async function watchGivenUp(instance: Instance, withinMs: number, atMost: number): Promise<number> {
  let late = 0;
  for (const transaction of await givenUpCreations(instance.journal, withinMs, atMost)) {
    try {
      late += await lookAgain(instance, transaction);
    } catch (thrown) {
      const error = toAppError(thrown);
      instance.log.debug({ txId: transaction.id, kind: error.kind, reason: error.message }, 'given-up transaction not looked at');
    }
  }
  return late;
}

async function lookAgain({ journal, node, log }: Instance, transaction: LiveTransaction): Promise<number> {
  const result = await node.result(transaction.id);
  if (result.status !== 'sealed' || result.failed !== null || result.blockId === null) return 0;
  const keys = new Set((await readMembers(journal, transaction.id)).map((member) => member.publicKey));
  const created = readCreatedAccounts(result.events).filter((account) => keys.has(account.publicKey));
  // All of them or none: a sealed result without its events says nothing yet.
  if (created.length !== keys.size) return 0;
  const made = await recordLateCreation(journal, {
    transaction,
    created,
    sealedHeight: await node.heightOf(result.blockId),
    fee: readFee(result.events)?.amount ?? null,
  });
  if (made > 0) log.warn({ txId: transaction.id, accounts: made }, 'a creation that was given up has sealed after all: its accounts join the pool');
  return made;
}
