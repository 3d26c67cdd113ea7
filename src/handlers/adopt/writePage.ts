import { writeAudit } from '../../journal/audit.js';
import { changeRows, type RowChange } from '../../journal/adopted.js';
import type { Db } from '../../journal/pool.js';
import { adoptWallets, unmarkCorrupted, type Stranger } from '../../journal/sweepPages.js';

/** One row with what becomes of it. */
export interface Planned {
  readonly id: string;
  readonly authId: string | null;
  /** Null: the row stays byte for byte. */
  readonly change: RowChange | null;
  /** As the row is afterwards; null: it does not come into the journal. */
  readonly stranger: Stranger | null;
}

/** What came of it: the rows that stand as planned, and the users whose wallets came into the journal. */
export interface Written {
  readonly changed: ReadonlySet<string>;
  readonly adopted: ReadonlyMap<string, number>;
}

/**
 * Writes a page in the caller's transaction: rows and their history, the journal's accounts, the audit log. Whoever comes again finds what is done already, and
 * a row that has changed meanwhile is left as it is.
 */
export async function writePage(db: Db, instanceId: string, planned: readonly Planned[]): Promise<Written> {
  const changes = planned.flatMap(({ change }) => (change === null ? [] : [change]));
  const changed = await changeRows(db, changes);
  const stand = planned.filter(({ id, change }) => change === null || changed.has(id));
  const strangers = stand.flatMap(({ stranger }) => (stranger === null ? [] : [stranger]));
  const emptied = stand.filter(({ change }) => change?.action === 'provisioned');
  // Before the accounts, as a sweep does: two who lock in other orders could wait for each other.
  await unmarkCorrupted(db, [...strangers, ...emptied].flatMap(({ authId }) => (authId === null ? [] : [authId])));
  const adopted = await adoptWallets(db, strangers);
  await writeAudit(
    db,
    instanceId,
    stand.flatMap(({ change, authId, id }) =>
      change === null ? [] : [{ kind: 'wallet-adopted', ...(authId === null ? {} : { authId }), detail: { action: change.action, row: id, old_address: change.oldAddress } } as const],
    ),
  );
  return { changed, adopted };
}
