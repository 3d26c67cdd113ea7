import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

const oldRow = z.object({
  id: z.string(),
  auth_id: z.string().nullable(),
  address: z.string().nullable(),
  public_key: z.string().nullable(),
  private_key: z.string().nullable(),
  bound_to: z.string().nullable(),
  has_account: z.boolean(),
  as_recorded: z.boolean(),
});

/** A row of public.wallet as an older service may have left it. */
export interface OldRow {
  /** public.wallet's own, as text: an older table may count in another type. */
  readonly id: string;
  readonly authId: string | null;
  readonly address: string | null;
  readonly publicKey: string | null;
  /** In the clear, encrypted by the older service, or by this one. */
  readonly privateKey: string | null;
  /** The public key that an adoption bound this service's ciphertext to, where the row has none: an operator mends a wrong one by taking it away. */
  readonly boundTo: string | null;
  /** Its user has an account in the journal … */
  readonly hasAccount: boolean;
  /** … which the row shows exactly. */
  readonly asRecorded: boolean;
}

const COLUMNS = `w.id::text as id, w.auth_id, w.flow_address::text as address, w.flow_public_key::text as public_key, w.flow_private_key::text as private_key,
  case when w.flow_public_key is null and w.flow_private_key::text ~ '^\\s*v1:' then
    (select o.public_key from wallet_sync.adopted o where o.auth_id = w.auth_id and o.wallet_id = w.id::text and o.sealed_key is not null order by o.id desc limit 1) end as bound_to,
  a.id is not null as has_account, coalesce((a.address, a.private_key, a.public_key) = (w.flow_address, w.flow_private_key, w.flow_public_key), false) as as_recorded
  from public.wallet w left join wallet_sync.account a on a.auth_id = w.auth_id`;

/** Up to `limit` rows after the one named, in the order of their ids; null: from the first. */
export async function oldRowsAfter(db: Db, after: string | null, limit: number): Promise<OldRow[]> {
  const rows = after === null ? queryRows(db, oldRow, `select ${COLUMNS} order by w.id limit $1`, [limit]) : queryRows(db, oldRow, `select ${COLUMNS} where w.id > $2 order by w.id limit $1`, [limit, after]);
  return (await rows).map(toOldRow);
}

/** The rows of these users; who has none is left out. */
export async function oldRowsOf(db: Db, authIds: readonly string[]): Promise<OldRow[]> {
  return (await queryRows(db, oldRow, `select ${COLUMNS} where w.auth_id = any($1)`, [authIds])).map(toOldRow);
}

const toOldRow = (row: z.output<typeof oldRow>): OldRow => ({
  id: row.id,
  authId: row.auth_id,
  address: row.address,
  publicKey: row.public_key,
  privateKey: row.private_key,
  boundTo: row.bound_to,
  hasAccount: row.has_account,
  asRecorded: row.as_recorded,
});

/** How many rows there are. */
export async function countRows(db: Db): Promise<number> {
  return (await queryOne(db, z.object({ rows: z.number() }), 'select count(*) as rows from public.wallet')).rows;
}

/** A few texts that look as if an older service had encrypted them, and a few that it had, as re-wrapped by an earlier adoption. */
export async function someOldBlobs(db: Db, limit: number): Promise<{ readonly left: string[]; readonly done: string[] }> {
  const texts = async (sql: string): Promise<string[]> => (await queryRows(db, z.object({ text: z.string() }), sql, [limit])).map((row) => row.text);
  return {
    left: await texts(
      `select flow_private_key::text as text from public.wallet
       where flow_private_key::text ~ '^\\s*[A-Za-z0-9+/]{100,}={0,2}\\s*$' and flow_private_key::text !~ '^\\s*[0-9a-fA-F]+\\s*$' limit $1`,
    ),
    done: await texts("select old_private_key as text from wallet_sync.adopted where action = 're-wrapped' and old_private_key is not null order by id desc limit $1"),
  };
}

/** An address or key, and whose it is to be. */
export interface Claim {
  /** Null: nobody's, as of a user who was deleted. */
  readonly authId: string | null;
  readonly address: string;
  readonly publicKey: string;
}

/**
 * Of these claims, the places of those whose address or public key is another user's too, in the journal or in public.wallet. By the texts as
 * they stand there, whatever their case and prefix.
 */
export async function contested(db: Db, claims: readonly Claim[]): Promise<Set<number>> {
  if (claims.length === 0) return new Set();
  const rows = await queryRows(
    db,
    z.object({ place: z.number() }),
    `select c.place::integer as place from unnest($1::uuid[], $2::text[], $3::text[]) with ordinality as c (auth_id, address, public_key, place)
     where exists (select from wallet_sync.account a where a.address = c.address and a.auth_id is distinct from c.auth_id)
       or exists (select from wallet_sync.account a where a.public_key = c.public_key and a.auth_id is distinct from c.auth_id)`,
    [claims.map((claim) => claim.authId), claims.map((claim) => claim.address), claims.map((claim) => claim.publicKey)],
  );
  return new Set(rows.map((row) => row.place - 1));
}

/** Addresses, public keys and digests of plaintext keys that several users' rows have. At most `limit` of each: more than anybody mends by hand. */
export interface Shared {
  /** 16 lower-case digits. */
  readonly addresses: ReadonlySet<string>;
  /** 128 lower-case digits. */
  readonly publicKeys: ReadonlySet<string>;
  /** SHA-256, hex, of the 64 lower-case digits. The keys themselves don't leave the database for it. */
  readonly keyDigests: ReadonlySet<string>;
}

/** What several users' rows share. `addresses`: as {@link sharedAddresses} gives them. */
export async function sharedKeys(db: Db, limit: number): Promise<Omit<Shared, 'addresses'>> {
  const texts = async (sql: string): Promise<Set<string>> => new Set((await queryRows(db, z.object({ text: z.string() }), sql, [limit])).map((row) => row.text));
  return {
    publicKeys: await texts(
      `select right(lower(trim(flow_public_key::text)), 128) as text from public.wallet where auth_id is not null and flow_public_key is not null group by 1 having count(*) > 1 limit $1`,
    ),
    keyDigests: await texts(
      `select encode(sha256(convert_to(right(lower(trim(flow_private_key::text)), 64), 'UTF8')), 'hex') as text from public.wallet
       where auth_id is not null and trim(flow_private_key::text) ~* '^(0x)?[0-9a-f]{64}$' group by 1 having count(*) > 1 limit $1`,
    ),
  };
}

export type AdoptAction = 'encrypted' | 're-wrapped' | 'respelled' | 'provisioned' | 'from-file';

/** A change of one row: what it was when it was looked at, and what it becomes. */
export interface RowChange {
  readonly id: string;
  readonly action: AdoptAction;
  readonly oldAddress: string | null;
  readonly oldPublicKey: string | null;
  /** SHA-256, hex, of the old private key's text; null where there was none. */
  readonly oldDigest: string | null;
  /** All three null: the row is emptied. */
  readonly address: string | null;
  readonly publicKey: string | null;
  readonly privateKey: string | null;
  /** For the history: the key under this service's master key, and the public key it is bound to. */
  readonly sealedKey: string | null;
  readonly sealedFor: string | null;
}

/**
 * Changes rows where all three old texts still stand, and writes what they were into the history: one statement, so both or neither. An emptied row only
 * where its user may have a wallet, and none of them where he has an account. Rows that somebody holds are passed over. Returns the ids of those changed.
 */
export async function changeRows(db: Db, changes: readonly RowChange[]): Promise<Set<string>> {
  if (changes.length === 0) return new Set();
  const column = <Key extends keyof RowChange>(key: Key): RowChange[Key][] => changes.map((change) => change[key]);
  const rows = await queryRows(
    db,
    z.object({ id: z.string() }),
    `with given as (
      select * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
        as g (id, action, old_address, old_public_key, old_digest, address, public_key, private_key, sealed_key, sealed_for)
    ), held as (
      select w.id, w.auth_id, w.flow_private_key::text as old_private_key, g.action, g.old_address, g.old_public_key, g.address, g.public_key, g.private_key, g.sealed_key, g.sealed_for
      from public.wallet w join given g on g.id = w.id::text
      where w.id = any($1)
        and w.flow_address::text is not distinct from g.old_address and w.flow_public_key::text is not distinct from g.old_public_key
        and encode(sha256(convert_to(w.flow_private_key::text, 'UTF8')), 'hex') is not distinct from g.old_digest
        and not exists (select from wallet_sync.account a where a.auth_id = w.auth_id)
        and (g.action <> 'provisioned' or exists (select from wallet_sync.provisioned_user p where p.id = w.auth_id offset 0))
      order by w.id for update of w skip locked
    ), kept as (
      insert into wallet_sync.adopted (wallet_id, auth_id, action, old_address, old_public_key, old_private_key, public_key, sealed_key)
      select h.id::text, h.auth_id, h.action, h.old_address, h.old_public_key, case when h.old_private_key !~* '[0-9a-f]{64}|^\\s*v1:' then h.old_private_key end, h.sealed_for, h.sealed_key
      from held h order by h.id
    )
    update public.wallet w set flow_address = h.address, flow_public_key = h.public_key, flow_private_key = h.private_key
    from held h where w.id = h.id returning w.id::text as id`,
    [column('id'), column('id'), column('action'), column('oldAddress'), column('oldPublicKey'), column('oldDigest'), column('address'), column('publicKey'), column('privateKey'), column('sealedKey'), column('sealedFor')],
  );
  return new Set(rows.map((row) => row.id));
}

/** A key file's content that did not go into the table. */
export interface KeptKey {
  readonly authId: string;
  readonly address: string | null;
  readonly publicKey: string;
  readonly sealedKey: string;
}

/** Keeps keys of files in the history, each once. Returns how many are new there. */
export async function keepFileKeys(db: Db, keys: readonly KeptKey[]): Promise<number> {
  if (keys.length === 0) return 0;
  const result = await db.query(
    `insert into wallet_sync.adopted (auth_id, action, old_address, public_key, sealed_key)
     select k.auth_id, 'kept-from-file', k.address, k.public_key, k.sealed_key from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as k (auth_id, address, public_key, sealed_key)
     where not exists (
       select from wallet_sync.adopted o where o.auth_id = k.auth_id and o.action = 'kept-from-file' and o.public_key = k.public_key and o.old_address is not distinct from k.address)`,
    [keys.map((key) => key.authId), keys.map((key) => key.address), keys.map((key) => key.publicKey), keys.map((key) => key.sealedKey)],
  );
  return result.rowCount ?? 0;
}

/** Of these claims, the places of those whose address or public key is in another user's row. Reads the whole table once. */
export async function inOthersRows(db: Db, claims: readonly (Claim & { readonly authId: string })[]): Promise<Set<number>> {
  if (claims.length === 0) return new Set();
  const rows = await queryRows(
    db,
    z.object({ place: z.number() }),
    `with c as materialized (select * from unnest($1::uuid[], $2::text[], $3::text[]) with ordinality as c (auth_id, address, public_key, place))
     select c.place::integer as place from c join public.wallet w on right(lower(trim(w.flow_address::text)), 16) = c.address where w.auth_id is distinct from c.auth_id
     union
     select c.place::integer from c join public.wallet w on right(lower(trim(w.flow_public_key::text)), 128) = c.public_key where w.auth_id is distinct from c.auth_id`,
    [claims.map((claim) => claim.authId), claims.map((claim) => claim.address.slice(2)), claims.map((claim) => claim.publicKey)],
  );
  return new Set(rows.map((row) => row.place - 1));
}
