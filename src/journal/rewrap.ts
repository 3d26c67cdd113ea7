import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

const accountRow = z.object({ id: z.number(), public_key: z.string(), private_key: z.string() });
const walletRow = z.object({ at: z.string(), auth_id: z.string().nullable(), public_key: z.string().nullable(), private_key: z.string() });

/** An account's key as it is stored, locked. */
export interface SealedAccount {
  readonly accountId: number;
  readonly publicKey: string;
  readonly sealed: string;
}

/** A wallet row's copy of a key, locked. `at`: its place, good as long as the lock. `authId`: null where its user is gone. */
export interface SealedWallet {
  readonly at: string;
  readonly authId: string | null;
  readonly publicKey: string | null;
  readonly sealed: string;
}

/** Which accounts: by what their ciphertexts begin with (see sealedPrefix), those after an id, in its order. */
export interface AccountPage {
  readonly prefixes: readonly string[];
  readonly afterId: number;
  readonly limit: number;
  /** Only those that nobody has: in the pool, or on their way there. */
  readonly unassigned: boolean;
}

/**
 * Locks accounts until the transaction ends, but passes over those that others have locked: a sign-up waits for none of them, and two rotations share
 * the work.
 */
export async function lockAccounts(db: Db, page: AccountPage): Promise<SealedAccount[]> {
  const rows = await queryRows(
    db,
    accountRow,
    `select id, public_key, private_key from wallet_sync.account
     where id > $2 and left(private_key, 12) = any($1) ${page.unassigned ? "and state <> 'assigned'" : ''}
     order by id limit $3 for update skip locked`,
    [page.prefixes, page.afterId, page.limit],
  );
  return rows.map(toAccount);
}

const toAccount = (row: z.output<typeof accountRow>): SealedAccount => ({ accountId: row.id, publicKey: row.public_key, sealed: row.private_key });

/** A key's old ciphertext and its new one. */
export interface Rewrapped {
  readonly accountId: number;
  readonly old: string;
  readonly sealed: string;
}

/** A key that an adoption has kept in wallet_sync.adopted, locked. */
export interface KeptCiphertext {
  readonly id: number;
  readonly authId: string | null;
  readonly publicKey: string;
  readonly sealed: string;
}

const keptRow = z.object({ id: z.number(), auth_id: z.string().nullable(), public_key: z.string(), sealed_key: z.string() });

/** Locks keys that adoptions have kept, as {@link lockAccounts} locks accounts'. */
export async function lockKept(db: Db, page: Omit<AccountPage, 'unassigned'>): Promise<KeptCiphertext[]> {
  const rows = await queryRows(
    db,
    keptRow,
    `select id, auth_id, public_key, sealed_key from wallet_sync.adopted where id > $2 and left(sealed_key, 12) = any($1) order by id limit $3 for update skip locked`,
    [page.prefixes, page.afterId, page.limit],
  );
  return rows.map((row) => ({ id: row.id, authId: row.auth_id, publicKey: row.public_key, sealed: row.sealed_key }));
}

/** Puts new ciphertexts in their place, where the old ones still stand. Returns how many. */
export async function rewrapKept(db: Db, keys: readonly { readonly id: number; readonly old: string; readonly sealed: string }[]): Promise<number> {
  const result = await db.query(
    'update wallet_sync.adopted o set sealed_key = k.sealed from unnest($1::bigint[], $2::text[], $3::text[]) as k (id, old, sealed) where o.id = k.id and o.sealed_key = k.old',
    [keys.map((key) => key.id), keys.map((key) => key.old), keys.map((key) => key.sealed)],
  );
  return result.rowCount ?? 0;
}

/** Puts new ciphertexts in the place of old ones, where these still stand: both copies of a key in one statement. Returns how many of each. */
export async function rewrapAccounts(db: Db, keys: readonly Rewrapped[]): Promise<{ accounts: number; wallets: number }> {
  return queryOne(
    db,
    countRow,
    `with key as (
       select * from unnest($1::bigint[], $2::text[], $3::text[]) as k (account_id, old, sealed)
     ), accounts as (
       update wallet_sync.account a set private_key = k.sealed from key k where a.id = k.account_id and a.private_key = k.old
       returning a.auth_id, k.old, k.sealed
     ), wallets as (
       update public.wallet w set flow_private_key = a.sealed from accounts a where w.auth_id = a.auth_id and w.flow_private_key = a.old returning 1
     )
     select (select count(*) from accounts) as accounts, (select count(*) from wallets) as wallets`,
    [keys.map((key) => key.accountId), keys.map((key) => key.old), keys.map((key) => key.sealed)],
  );
}

const countRow = z.object({ accounts: z.number(), wallets: z.number() });

/** Where public.wallet still has keys with these beginnings, at most `limit`. One reading of the whole table: nothing there is an index for it. */
export async function findWallets(db: Db, prefixes: readonly string[], limit: number): Promise<string[]> {
  const rows = await queryRows(db, z.object({ at: z.string() }), 'select ctid::text as at from public.wallet where left(flow_private_key, 12) = any($1) limit $2', [prefixes, limit]);
  return rows.map((row) => row.at);
}

/** Locks those of these places that still hold such a key, and passes over those that others have locked. */
export async function lockWallets(db: Db, places: readonly string[], prefixes: readonly string[]): Promise<SealedWallet[]> {
  const rows = await queryRows(
    db,
    walletRow,
    `select ctid::text as at, auth_id, flow_public_key as public_key, flow_private_key as private_key from public.wallet
     where ctid = any($1::tid[]) and left(flow_private_key, 12) = any($2) for update skip locked`,
    [places, prefixes],
  );
  return rows.map((row) => ({ at: row.at, authId: row.auth_id, publicKey: row.public_key, sealed: row.private_key }));
}

/** The accounts with these public keys, locked. */
export async function lockAccountsOf(db: Db, publicKeys: readonly string[]): Promise<SealedAccount[]> {
  return (await queryRows(db, accountRow, 'select id, public_key, private_key from wallet_sync.account where public_key = any($1) order by id for update', [publicKeys])).map(toAccount);
}

/** A wallet row's new ciphertext, and its account's where that had the same old one. */
export interface RewrappedWallet {
  readonly at: string;
  readonly accountId: number | null;
  readonly old: string;
  readonly sealed: string;
}

/** As {@link rewrapAccounts}, for rows of public.wallet that are found by themselves: of users who are gone, without account, or changed. */
export async function rewrapWallets(db: Db, keys: readonly RewrappedWallet[]): Promise<{ accounts: number; wallets: number }> {
  return queryOne(
    db,
    countRow,
    `with key as (
       select * from unnest($1::tid[], $2::bigint[], $3::text[], $4::text[]) as k (at, account_id, old, sealed)
     ), wallets as (
       update public.wallet w set flow_private_key = k.sealed from key k where w.ctid = k.at and w.flow_private_key = k.old returning 1
     ), accounts as (
       update wallet_sync.account a set private_key = k.sealed from key k where a.id = k.account_id and a.private_key = k.old returning 1
     )
     select (select count(*) from accounts) as accounts, (select count(*) from wallets) as wallets`,
    [keys.map((key) => key.at), keys.map((key) => key.accountId), keys.map((key) => key.old), keys.map((key) => key.sealed)],
  );
}
