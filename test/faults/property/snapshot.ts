import type { Database } from '../../support/database.js';

export interface Snapshot {
  readonly accounts: readonly { id: number; state: string; public_key: string; address: string | null; auth_id: string | null; has_reason: boolean }[];
  /** In the order of their making. */
  readonly transactions: readonly { id: string; kind: string; state: string; proposer_address: string; proposer_key_index: number; reference_height: number }[];
  /** In the order of their transactions. */
  readonly members: readonly { transaction_id: string; account_id: number }[];
  readonly wallets: readonly { id: number; auth_id: string | null; flow_address: string | null; flow_private_key: string | null; flow_public_key: string | null }[];
  readonly users: readonly { id: string; is_deleted: boolean; is_confirmed: boolean; is_anonymous: boolean }[];
  /** What the ledger says that each transaction took, by its id, in 10^-8 FLOW; null where it is not known yet. */
  readonly ledger: Readonly<Record<string, string | null>>;
  readonly staleWrites: readonly string[];
}

const list = (select: string): string => `(select coalesce(json_agg(row), '[]') from (${select}) row)`;

const SNAPSHOT = `select
  ${list('select id, state, public_key, address, auth_id, error is not null and solution is not null as has_reason from wallet_sync.account order by id')} as accounts,
  ${list('select id, kind, state, proposer_address, proposer_key_index, reference_height from wallet_sync.transaction order by made')} as transactions,
  ${list('select m.transaction_id, m.account_id from wallet_sync.member m join wallet_sync.transaction t on t.id = m.transaction_id order by t.made, m.account_id')} as members,
  ${list('select id, auth_id, flow_address, flow_private_key, flow_public_key from public.wallet order by id')} as wallets,
  ${list('select u.id, u.deleted_at is not null as is_deleted, u.email_confirmed_at is not null as is_confirmed, u.is_anonymous from auth.users u order by u.id')} as users,
  (select coalesce(json_object_agg(l.tx_id, l.taken), '{}') from (
     select tx_id, case when bool_and(amount is not null and fee is not null) then sum(amount + fee)::text end as taken from wallet_sync.ledger group by 1) l) as ledger,
  (select coalesce(json_agg(w.writer || ' wrote ' || w.what order by w.id), '[]') from simulated.stale_write w) as "staleWrites"`;

/** Everything that is committed, in one statement, past row level security. */
export async function readSnapshot(database: Database): Promise<Snapshot> {
  const [snapshot] = await database.postgres.query<Snapshot & Record<string, unknown>>('supabase_admin', SNAPSHOT);
  if (snapshot === undefined) throw new Error('no snapshot');
  return snapshot;
}

/** What is committed of a transaction and of the keys that it names: its bytes (null: no row), and the encrypted private key by public key. */
export async function readCommitted(database: Database, txId: string, publicKeys: readonly string[]): Promise<{ body: string | null; keys: ReadonlyMap<string, string> }> {
  const [found] = await database.postgres.query<{ body: string | null; keys: Record<string, string> }>(
    'supabase_admin',
    `select (select body from wallet_sync.transaction where id = $1) as body,
       (select coalesce(json_object_agg(public_key, private_key), '{}') from wallet_sync.account where public_key = any($2)) as keys`,
    [txId, publicKeys],
  );
  return { body: found?.body ?? null, keys: new Map(Object.entries(found?.keys ?? {})) };
}
