import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

/** A key pair with its address as one table has it. Anything can stand in public.wallet. */
export interface KeyCopy {
  readonly address: string | null;
  /** Encrypted. */
  readonly privateKey: string | null;
  readonly publicKey: string | null;
}

/** A key of the journal, or one that public.wallet alone has. */
export interface StoredKey extends KeyCopy {
  /** Null: the journal does not know it. */
  readonly accountId: number | null;
  readonly authId: string | null;
  /** Below this block the chain does not show what we did last; null: not known. */
  readonly wholeFrom: number | null;
  /** What public.wallet has of it; null: no row. */
  readonly copy: KeyCopy | null;
  /** The key itself came with another page: only the copy is new here. */
  readonly isCopyOnly: boolean;
  /** An adoption has kept it (wallet_sync.adopted): it may be the only copy, and of an account that never was. */
  readonly isKept?: boolean;
}

/** One step through a table: how many of its rows were read, and the keys among them. */
export interface KeyPage {
  readonly rows: number;
  readonly keys: readonly StoredKey[];
}

/** Only this user's. */
export interface KeyFilter {
  readonly authId?: string;
}

/** The rows that {@link storedKeys} reads, as of now. */
export async function countStoredKeys(db: Db, { authId }: KeyFilter): Promise<number> {
  const one = authId === undefined ? '' : ' where auth_id = $1';
  const { rows } = await queryOne(
    db,
    z.object({ rows: z.number() }),
    `select (select count(*) from wallet_sync.account${one}) + (select count(*) from public.wallet${one})
       + (select count(*) from wallet_sync.adopted where sealed_key is not null${authId === undefined ? '' : ' and auth_id = $1'}) as rows`,
    authId === undefined ? [] : [authId],
  );
  return rows;
}

/**
 * Every stored key, page by page: first the journal's in every state, each with the copy that its user's row has, then what public.wallet
 * has besides: rows of deleted users, and wallets that the journal does not know; then what adoptions have kept. A page is one statement, so a key and its copy are of
 * one moment. `pageSize` is read for each page.
 */
export async function* storedKeys(db: Db, filter: KeyFilter, pageSize: () => number): AsyncGenerator<KeyPage> {
  yield* journalKeys(db, filter, pageSize);
  yield* otherCopies(db, filter, pageSize);
  yield* keptKeys(db, filter, pageSize);
}

const text = z.string().nullable();
const journalRow = z.object({
  id: z.number(), auth_id: text, address: text, private_key: text, public_key: text, deposit_height: z.number().nullable(),
  has_copy: z.boolean(), copy_address: text, copy_private_key: text, copy_public_key: text,
});

async function* journalKeys(db: Db, { authId }: KeyFilter, pageSize: () => number): AsyncGenerator<KeyPage> {
  let after = 0;
  for (;;) {
    const limit = pageSize();
    const rows = await queryRows(
      db,
      journalRow,
      `select a.id, a.auth_id, a.address, a.private_key, a.public_key, a.deposit_height,
         w.auth_id is not null as has_copy, w.flow_address as copy_address, w.flow_private_key as copy_private_key, w.flow_public_key as copy_public_key
       from wallet_sync.account a left join public.wallet w on w.auth_id = a.auth_id
       where a.id > $1 ${authId === undefined ? '' : 'and a.auth_id = $3'} order by a.id limit $2`,
      [after, limit, ...(authId === undefined ? [] : [authId])],
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    yield {
      rows: rows.length,
      keys: rows.map((row) => ({
        accountId: row.id,
        authId: row.auth_id,
        address: row.address,
        privateKey: row.private_key,
        publicKey: row.public_key,
        wholeFrom: row.deposit_height,
        copy: row.has_copy ? { address: row.copy_address, privateKey: row.copy_private_key, publicKey: row.copy_public_key } : null,
        isCopyOnly: false,
      })),
    };
    if (rows.length < limit) return;
    after = last.id;
  }
}

const copyRow = z.object({
  last: text, rows: z.number(), found: z.boolean().nullable(),
  auth_id: text, flow_address: text, flow_private_key: text, flow_public_key: text,
  id: z.number().nullable(), account_user: text, address: text, private_key: text, public_key: text, deposit_height: z.number().nullable(),
});

/** An older table's id can be of any type, and stand twice: it is compared as what it is, and a page ends with all rows of its last one. */
async function* otherCopies(db: Db, { authId }: KeyFilter, pageSize: () => number): AsyncGenerator<KeyPage> {
  let after: string | null = null;
  for (;;) {
    const limit = pageSize();
    const values: unknown[] = [limit];
    const where = ['true'];
    if (authId !== undefined) where.push(`w.auth_id = $${values.push(authId)}`);
    if (after !== null) where.push(`w.id > $${values.push(after)}`);
    const rows: z.output<typeof copyRow>[] = await queryRows(
      db,
      copyRow,
      `with page as (
         select w.id, w.auth_id, w.flow_address, w.flow_private_key, w.flow_public_key from public.wallet w
         where ${where.join(' and ')} order by w.id fetch first ($1::integer) rows with ties
       )
       select l.last, l.rows, o.* from
         (select (select id::text from page order by id desc limit 1) as last, count(*)::integer as rows from page) l
         left join (
           select true as found, p.auth_id, p.flow_address, p.flow_private_key, p.flow_public_key,
             a.id, a.auth_id as account_user, a.address, a.private_key, a.public_key, a.deposit_height
           from page p left join wallet_sync.account a on a.public_key = p.flow_public_key
           where (p.flow_private_key is not null or p.flow_public_key is not null)
             and not exists (select from wallet_sync.account b where b.auth_id = p.auth_id)
         ) o on true`,
      values,
    );
    const [first] = rows;
    if (first === undefined || first.rows === 0) return;
    yield { rows: first.rows, keys: rows.filter((row) => row.found === true).map(toKey) };
    after = first.last;
    if (after === null || first.rows < limit) return;
  }
}

const keptRow = z.object({ id: z.number(), auth_id: text, old_address: text, sealed_key: text, public_key: text });

async function* keptKeys(db: Db, { authId }: KeyFilter, pageSize: () => number): AsyncGenerator<KeyPage> {
  let after = 0;
  for (;;) {
    const limit = pageSize();
    const rows = await queryRows(
      db,
      keptRow,
      `select id, auth_id, old_address, sealed_key, public_key from wallet_sync.adopted
       where sealed_key is not null and id > $1 ${authId === undefined ? '' : 'and auth_id = $3'} order by id limit $2`,
      [after, limit, ...(authId === undefined ? [] : [authId])],
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    const keys = rows.map((row) => ({ accountId: null, authId: row.auth_id, address: row.old_address, privateKey: row.sealed_key, publicKey: row.public_key, wholeFrom: null, copy: null, isCopyOnly: false, isKept: true }));
    yield { rows: rows.length, keys };
    if (rows.length < limit) return;
    after = last.id;
  }
}

function toKey(row: z.output<typeof copyRow>): StoredKey {
  const inWallet = { address: row.flow_address, privateKey: row.flow_private_key, publicKey: row.flow_public_key };
  if (row.id === null) return { ...inWallet, accountId: null, authId: row.auth_id, wholeFrom: null, copy: null, isCopyOnly: false };
  const { address, private_key: privateKey, public_key: publicKey } = row;
  return { accountId: row.id, authId: row.auth_id ?? row.account_user, address, privateKey, publicKey, wholeFrom: row.deposit_height, copy: inWallet, isCopyOnly: true };
}

/** How an operator names a wallet. */
export type WalletName = { readonly authId: string } | { readonly accountId: number } | { readonly address: string };

const namedRow = z.object({ id: z.number().nullable(), state: text, auth_id: text, address: text, private_key: text, public_key: text });

/** A wallet that an operator named. */
export interface NamedKey extends KeyCopy {
  readonly accountId: number | null;
  readonly authId: string | null;
  /** The account's; null: the journal has none. */
  readonly state: string | null;
}

/** The key of a wallet by any of its names: from the journal, the home of record, else from public.wallet. Null: nobody knows it. */
export async function findKey(db: Db, name: WalletName): Promise<NamedKey | null> {
  const [column, inWallet, value] = 'authId' in name ? ['auth_id', 'auth_id', name.authId] : 'address' in name ? ['address', 'flow_address', name.address] : ['id', null, name.accountId];
  const [row] = await queryRows(
    db,
    namedRow,
    `select id, state::text, auth_id, address, private_key, public_key from wallet_sync.account where ${column} = $1
     ${inWallet === null ? '' : `union all (select null, null, auth_id, flow_address, flow_private_key, flow_public_key from public.wallet where ${inWallet} = $1 and flow_private_key is not null)`}
     order by id nulls last limit 1`,
    [value],
  );
  return row === undefined ? null : { accountId: row.id, authId: row.auth_id, state: row.state, address: row.address, privateKey: row.private_key, publicKey: row.public_key };
}
