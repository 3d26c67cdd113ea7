import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

const pageRow = z.object({
  auth_id: z.string(),
  has_row: z.boolean(),
  address: z.string().nullable(),
  private_key: z.string().nullable(),
  public_key: z.string().nullable(),
  account_id: z.number().nullable(),
  as_recorded: z.boolean(),
  deposit_height: z.number().nullable(),
  taken: z.boolean(),
  state: z.string().nullable(),
  reason: z.string().nullable(),
});

/** One user's wallet as public.wallet and the journal have it. */
export interface WalletRow {
  readonly authId: string;
  /** Whether public.wallet has a row for him. */
  readonly hasRow: boolean;
  readonly address: string | null;
  /** Encrypted. */
  readonly privateKey: string | null;
  readonly publicKey: string | null;
  /** His account in the journal; null: none. */
  readonly accountId: number | null;
  /** Address and keys are those of that account. */
  readonly asRecorded: boolean;
  /** Below this block the chain does not show what we did last; null: not known. */
  readonly depositHeight: number | null;
  /** The address or the public key is that of another account of the journal. */
  readonly isTaken: boolean;
  /** As he was marked before: held, corrupted, orphaned. */
  readonly state: string | null;
  readonly reason: string | null;
}

/** The wallets of these users, in their order. */
export async function readWallets(db: Db, authIds: readonly string[]): Promise<WalletRow[]> {
  const rows = await queryRows(
    db,
    pageRow,
    `select u.id as auth_id, w.auth_id is not null as has_row, w.flow_address as address, w.flow_private_key as private_key, w.flow_public_key as public_key,
       a.id as account_id, a.deposit_height, s.state, s.reason,
       coalesce((a.address, a.private_key, a.public_key) = (w.flow_address, w.flow_private_key, w.flow_public_key), false) as as_recorded,
       exists (select from wallet_sync.account o where o.address = w.flow_address and o.auth_id is distinct from u.id)
         or exists (select from wallet_sync.account o where o.public_key = w.flow_public_key and o.auth_id is distinct from u.id) as taken
     from unnest($1::uuid[]) with ordinality as u (id, place)
     left join public.wallet w on w.auth_id = u.id
     left join wallet_sync.account a on a.auth_id = u.id
     left join wallet_sync.user_state s on s.auth_id = u.id
     order by u.place`,
    [authIds],
  );
  return rows.map((row) => ({
    authId: row.auth_id,
    hasRow: row.has_row,
    address: row.address,
    privateKey: row.private_key,
    publicKey: row.public_key,
    accountId: row.account_id,
    asRecorded: row.as_recorded,
    depositHeight: row.deposit_height,
    isTaken: row.taken,
    state: row.state,
    reason: row.reason,
  }));
}

/** Makes the wallet rows that some of these users lack. Returns how many. */
export async function makeWallets(db: Db, authIds: readonly string[]): Promise<number> {
  return (await queryOne(db, z.object({ made: z.number() }), 'select wallet_sync.make_wallets($1) as made', [authIds])).made;
}

/** Addresses that more than one user's row has, at most `limit`; each as 16 lower-case digits. */
export async function sharedAddresses(db: Db, limit: number): Promise<string[]> {
  const rows = await queryRows(
    db,
    z.object({ address: z.string() }),
    `select right(lower(flow_address), 16) as address from public.wallet where auth_id is not null and flow_address is not null
     group by 1 having count(*) > 1 limit $1`,
    [limit],
  );
  return rows.map((row) => row.address);
}

/** A user whose wallet does not add up, and why. */
export interface Corruption {
  readonly authId: string;
  readonly reason: string;
  readonly solution: string;
}

/** Marks these users corrupted, with why; who is marked already keeps the time since when. */
export async function markAllCorrupted(db: Db, found: readonly Corruption[]): Promise<void> {
  if (found.length === 0) return;
  await db.query(
    `insert into wallet_sync.user_state as s (auth_id, state, reason, solution)
     select f.auth_id, 'corrupted', f.reason, f.solution from unnest($1::uuid[], $2::text[], $3::text[]) as f (auth_id, reason, solution)
     order by f.auth_id
     on conflict (auth_id) do update set reason = excluded.reason, solution = excluded.solution,
       since = case when s.state = 'corrupted' then s.since else clock_timestamp() end, state = 'corrupted'`,
    [found.map((each) => each.authId), found.map((each) => each.reason), found.map((each) => each.solution)],
  );
}

/** Takes the mark from users whose wallets add up again. */
export async function unmarkCorrupted(db: Db, authIds: readonly string[]): Promise<void> {
  if (authIds.length === 0) return;
  // In the order in which all lock several of them.
  await db.query("with marked as (select auth_id from wallet_sync.user_state where auth_id = any($1) and state = 'corrupted' order by auth_id for update) delete from wallet_sync.user_state s using marked m where s.auth_id = m.auth_id", [authIds]);
}

/** A wallet that was there before this service, as it was found sound. */
export interface Stranger {
  readonly authId: string;
  readonly address: string;
  readonly publicKey: string;
  /** Encrypted. */
  readonly privateKey: string;
}

/**
 * Takes wallets that were there before this service into the journal, as accounts that are assigned: what their rows say has been
 * compared with the chain. Returns their accounts by user. None is made where the row has changed since or somebody holds it, where its key is under a master key that is retired, or its address or key has become another account's.
 */
export async function adoptWallets(db: Db, strangers: readonly Stranger[]): Promise<Map<string, number>> {
  if (strangers.length === 0) return new Map();
  const rows = await queryRows(
    db,
    z.object({ id: z.number(), auth_id: z.string() }),
    `insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assigned_at, assignment, assigned_xid, delivered_by)
     select 'assigned', w.flow_public_key, w.flow_private_key, w.flow_address, w.auth_id, clock_timestamp(), nextval('wallet_sync.assignment'), pg_current_xact_id(), 'adopted'
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as s (auth_id, address, public_key, private_key)
     join public.wallet w on (w.auth_id, w.flow_address, w.flow_public_key, w.flow_private_key) = (s.auth_id, s.address, s.public_key, s.private_key)
     where not exists (select from wallet_sync.master_key k where k.state = 'retired' and left(w.flow_private_key, 12) = 'v1:' || k.id || ':')
     order by s.auth_id
     for share of w skip locked
     on conflict do nothing returning id, auth_id`,
    [strangers.map((each) => each.authId), strangers.map((each) => each.address), strangers.map((each) => each.publicKey), strangers.map((each) => each.privateKey)],
  );
  return new Map(rows.map((row) => [row.auth_id, row.id]));
}
