import { toAppError } from '../errors.js';
import type { AccessNode } from '../flow/accessNode.js';
import { readFee } from '../flow/createAccounts.js';
import { withdrawnFrom } from '../flow/withdrawals.js';
import { readUnreckoned, recordReckoning, type Unreckoned } from '../journal/reckonings.js';
import type { Journal } from '../journal/pool.js';
import type { Instance } from './instance.js';

/** What reckoning needs: an instance, or a command that compares the ledger. */
export type Reckoner = Pick<Instance, 'network' | 'log'> & { readonly journal: Journal; readonly node: Pick<AccessNode, 'result' | 'heightOf'> };

/**
 * Reads again the results of up to `atMost` settled transactions whose fee, or accounts' cost, the journal lacks: those whose end was told
 * by events alone, and those that show no fee, of which it is told that there was none. Returns how many it has learned.
 */
export async function reckon(instance: Reckoner, atMost: number): Promise<number> {
  const unreckoned = await readUnreckoned(instance.journal, atMost);
  const learned = await Promise.all(
    unreckoned.map((transaction) =>
      reckonOne(instance, transaction).catch((thrown: unknown) => {
        const error = toAppError(thrown);
        instance.log.debug({ txId: transaction.id, kind: error.kind, reason: error.message }, 'transaction not reckoned yet');
        return false;
      }),
    ),
  );
  return learned.filter(Boolean).length;
}

async function reckonOne({ journal, node, network }: Reckoner, transaction: Unreckoned): Promise<boolean> {
  const result = await node.result(transaction.id);
  if (result.status !== 'sealed' || result.blockId === null) return false;
  const withdrawn = withdrawnFrom(transaction.payer, result.events, network);
  // What sealed has paid for accounts or deposits: a result without those events says nothing yet, and a wrong entry would stay.
  if (withdrawn === null && result.failed === null && ['create', 'fund'].includes(transaction.kind)) return false;
  const height = await node.heightOf(result.blockId);
  await recordReckoning(journal, { transaction, height, fee: readFee(result.events)?.amount ?? 0n, withdrawn: withdrawn ?? 0n });
  return true;
}
