import { z } from 'zod';
import { AppError } from '../errors.js';
import { INSTANCE_LEASE_MS } from './instances.js';
import { queryOne, queryRows, type Db } from './pool.js';

const masterKeyRow = z.object({ id: z.string(), state: z.enum(['next', 'current', 'retiring', 'retired']), registered_at: z.date(), since: z.date() });

/** A master key as the database knows it: by its id, and what it is used for. Since when, too. */
export type MasterKey = z.output<typeof masterKeyRow>;

/** All that were ever registered, the oldest first. */
export async function readMasterKeys(db: Db): Promise<MasterKey[]> {
  return queryRows(db, masterKeyRow, 'select id, state, registered_at, since from wallet_sync.master_key order by registered_at, id');
}

/**
 * The id of the master key to seal with. It stays that until the transaction of `db` ends. Where none is registered yet, `held` is, and
 * is given back; undefined where there is none either.
 */
export async function sealingKey(db: Db, held: string | undefined): Promise<string | undefined> {
  const { id } = await queryOne(db, z.object({ id: z.string().nullable() }), 'select wallet_sync.sealing_key($1) as id', [held ?? null]);
  return id ?? undefined;
}

/** Says that a rotation moves keys to this one: from now on every start needs it. False where it is said already. */
export async function registerNext(db: Db, id: string): Promise<boolean> {
  return (await db.query("insert into wallet_sync.master_key (id, state) values ($1, 'next') on conflict do nothing", [id])).rowCount === 1;
}

/** Makes the next master key the current one, and the current one retiring. Waits for who is storing keys. False where it was done already. */
export async function makeCurrent(db: Db, id: string): Promise<boolean> {
  // Another rotation that does the same waits here.
  const found = await queryRows(db, z.object({ id: z.string() }), "select id from wallet_sync.master_key where id = $1 and state = 'next' for update", [id]);
  if (found.length === 0) return false;
  await db.query("update wallet_sync.master_key set state = 'retiring', since = clock_timestamp() where state = 'current'");
  await db.query("update wallet_sync.master_key set state = 'current', since = clock_timestamp() where id = $1", [id]);
  return true;
}

/**
 * Retires the retiring master keys, waiting for who stores keys under them; from then on nobody does. To be called in a transaction
 * that then counts what is left under them, and is rolled back where there is anything. Returns their ids.
 */
export async function retire(db: Db): Promise<string[]> {
  return (await queryRows(db, z.object({ id: z.string() }), "update wallet_sync.master_key set state = 'retired', since = clock_timestamp() where state = 'retiring' returning id")).map((row) => row.id);
}

const countRow = z.object({ id: z.string(), accounts: z.number(), wallets: z.number(), kept: z.number() });

/** Keys stored under a master key: in wallet_sync.account, in public.wallet, and kept by adoptions in wallet_sync.adopted. */
export type KeyCount = z.output<typeof countRow>;

/** How many keys are stored under each master key. Reads the tables whole: about a second for a million. */
export async function countKeys(db: Db): Promise<KeyCount[]> {
  return queryRows(
    db,
    countRow,
    `select id, sum(accounts)::bigint as accounts, sum(wallets)::bigint as wallets, sum(kept)::bigint as kept from (
       select substr(private_key, 4, 8) as id, count(*) as accounts, 0 as wallets, 0 as kept from wallet_sync.account where private_key ~ '^v1:[0-9a-f]{8}:' group by 1
       union all
       select substr(flow_private_key, 4, 8), 0, count(*), 0 from public.wallet where flow_private_key ~ '^v1:[0-9a-f]{8}:' group by 1
       union all
       select substr(sealed_key, 4, 8), 0, 0, count(*) from wallet_sync.adopted where sealed_key ~ '^v1:[0-9a-f]{8}:' group by 1) counted
     group by id order by id`,
  );
}

const lackingRow = z.object({ id: z.string(), host: z.string(), pid: z.number() });

/** Throws `data` that names the living instances which don't hold this master key: they could not open what is moved to it. */
export async function requireEveryInstanceHolds(db: Db, masterKey: string): Promise<void> {
  const lacking = await queryRows(
    db,
    lackingRow,
    `select id, host, pid from wallet_sync.instance
     where stopped_at is null and seen_at > clock_timestamp() - make_interval(secs => $2::double precision / 1000) and not coalesce($1 = any (master_keys), false)
     order by started_at`,
    [masterKey, INSTANCE_LEASE_MS],
  );
  if (lacking.length === 0) return;
  const names = lacking.map(({ host, pid, id }) => `${host}:${pid} (${id})`).join(', ');
  throw new AppError('data', `${lacking.length === 1 ? 'an instance does' : `${lacking.length} instances do`} not hold master key ${masterKey}: ${names}`, {
    where: 'wallet_sync.instance',
    mend: `set WALLET_ENCRYPTION_KEY_NEXT there too and restart, then run this again (one that was killed counts as running for ${INSTANCE_LEASE_MS / 1_000} s)`,
  });
}
