import { z } from 'zod';
import { nameActor, writeOperatorActs } from './audit.js';
import { queryOne, queryRows, type Db, type Journal } from './pool.js';
import { lookAgainAt } from './users.js';

const failedAccountRow = z.object({ id: z.number(), error_kind: z.string().nullable(), error: z.string().nullable(), solution: z.string().nullable(), since: z.date().nullable() });
const corruptedUserRow = z.object({ auth_id: z.string(), reason: z.string(), solution: z.string().nullable(), since: z.date() });

export type FailedAccount = z.output<typeof failedAccountRow>;
export type CorruptedUser = z.output<typeof corruptedUserRow>;

const apartRow = z.object({ auth_id: z.string().nullable(), address: z.string(), work: z.string(), reason: z.string(), attempts: z.number(), since: z.date(), next_at: z.date() });
export type ApartWallet = z.output<typeof apartRow>;

/** What waits for an operator: accounts that alone made their creation fail, users who were set apart, and wallets whose check or repair failed standing alone. */
export interface Failures {
  readonly accounts: readonly FailedAccount[];
  readonly users: readonly CorruptedUser[];
  readonly wallets: readonly ApartWallet[];
}

/** All failures, the oldest first. */
export async function readFailures(db: Db): Promise<Failures> {
  return {
    accounts: await queryRows(
      db,
      failedAccountRow,
      `select a.id, a.error_kind, a.error, a.solution,
         (select max(h.at) from wallet_sync.account_history h where h.account_id = a.id and h.to_state = 'failed') as since
       from wallet_sync.account a where a.state = 'failed' order by a.id`,
    ),
    users: await queryRows(db, corruptedUserRow, "select auth_id, reason, solution, since from wallet_sync.user_state where state = 'corrupted' order by since, auth_id"),
    wallets: await queryRows(
      db,
      apartRow,
      `select a.auth_id, p.address, p.work, p.reason, p.attempts, p.since, p.next_at from wallet_sync.apart p
       left join wallet_sync.account a on a.address = p.address order by p.since, p.address`,
    ),
  };
}

/** What became of one that was asked for: retried, or its state where that is no failure; null where nobody knows it. */
export type Retried = { readonly retried: true } | { readonly retried: false; readonly state: string } | null;

const RETRY_ACCOUNTS = `update wallet_sync.account set state = 'prepared', prepared_by = null, batch_max = 1 where state = 'failed'`;

/**
 * Lets a failed account be tried again, alone in its transaction. Its error stays until it succeeds. Whoever makes accounts next
 * takes it first. `by`: who asks, for the audit log.
 */
export async function retryAccount(journal: Journal, accountId: number, by?: string): Promise<Retried> {
  return journal.transaction(async (db) => {
    const { rowCount } = await db.query(`${RETRY_ACCOUNTS} and id = $1`, [accountId]);
    if (rowCount === 1) {
      await nameActor(db, by);
      await writeOperatorActs(db, [{ kind: 'retried', accountId }]);
      return { retried: true };
    }
    const rows = await queryRows(db, z.object({ state: z.string() }), 'select state::text from wallet_sync.account where id = $1', [accountId]);
    return rows[0] === undefined ? null : { retried: false, state: rows[0].state };
  });
}

const userRow = z.object({ known: z.boolean(), ready: z.boolean(), state: z.string().nullable() });

/** Lets a user who was set apart be looked at again; the missing wallet row is made, the emptied one filled. */
export async function retryUser(journal: Journal, authId: string, by?: string): Promise<Retried> {
  return journal.transaction(async (db) => {
    const before = await readUser(db, authId);
    await lookAgainAt(db, authId);
    if (before.state === 'corrupted') {
      await nameActor(db, by);
      await writeOperatorActs(db, [{ kind: 'retried', authId }]);
      return { retried: true };
    }
    // Looking again makes the row of a user who signed up without one.
    const now = await readUser(db, authId);
    if (!now.known) return null;
    return { retried: false, state: now.state ?? (now.ready ? 'ready' : 'waiting') };
  });
}

const readUser = (db: Db, authId: string): Promise<z.output<typeof userRow>> =>
  queryOne(
    db,
    userRow,
    `select
       exists (select from public.wallet where auth_id = $1) or exists (select from wallet_sync.account where auth_id = $1)
         or exists (select from wallet_sync.user_state where auth_id = $1) as known,
       exists (select from public.wallet where auth_id = $1 and flow_address is not null) as ready,
       (select state from wallet_sync.user_state where auth_id = $1) as state`,
    [authId],
  );

/** Lets all of them be tried again. */
export async function retryAllFailed(journal: Journal, by?: string): Promise<{ accounts: number[]; users: string[]; wallets: string[] }> {
  return journal.transaction(async (db) => {
    const accounts = await queryRows(db, z.object({ id: z.number() }), `${RETRY_ACCOUNTS} returning id`);
    const wallets = await queryRows(db, z.object({ address: z.string() }), 'delete from wallet_sync.apart returning address');
    const users = await queryRows(db, z.object({ auth_id: z.string() }), "delete from wallet_sync.user_state where state = 'corrupted' returning auth_id");
    await nameActor(db, by);
    await writeOperatorActs(db, [
      ...accounts.map(({ id }) => ({ kind: 'retried', accountId: id }) as const),
      ...users.map(({ auth_id: authId }) => ({ kind: 'retried', authId }) as const),
      ...wallets.map(({ address }) => ({ kind: 'retried', detail: { address } }) as const),
    ]);
    return { accounts: accounts.map((row) => row.id).sort((a, b) => a - b), users: users.map((row) => row.auth_id).sort(), wallets: [...new Set(wallets.map((row) => row.address))].sort() };
  });
}
