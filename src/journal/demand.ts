import { z } from 'zod';
import { INSTANCE_LEASE_MS } from './instances.js';
import { sealingKey } from './masterKeys.js';
import { queryOne, queryRows, type Db, type Journal } from './pool.js';
import type { Slot } from './slots.js';

const demandRow = z.object({ waiting: z.number(), free: z.number(), being_made: z.number(), demand: z.number(), quiet_ms: z.number().nullable() });

export interface Demand {
  /** At most 100 more than free and being made: more need not be counted to know that the next batch is full. */
  readonly waiting: number;
  readonly free: number;
  readonly beingMade: number;
  /** waiting + pool size - free - being made; at most 0: nothing to make. */
  readonly demand: number;
  /** Milliseconds since the last account was given, by whomever; Infinity where none ever was. */
  readonly quietMs: number;
}

/** An account that waits for its transaction. The private key is encrypted. */
export interface PreparedAccount {
  readonly id: number;
  readonly publicKey: string;
}

export interface NewKey {
  readonly publicKey: string;
  readonly encryptedPrivateKey: string;
}

/** Counts how many accounts must be made. A glance without a lock: {@link prepareAccounts} counts again under it. */
export async function readDemand(db: Db, poolSize: number): Promise<Demand> {
  const row = await queryOne(db, demandRow, 'select * from wallet_sync.demand($1, make_interval(secs => $2::double precision / 1000))', [poolSize, INSTANCE_LEASE_MS]);
  return { waiting: row.waiting, free: row.free, beingMade: row.being_made, demand: row.demand, quietMs: row.quiet_ms ?? Number.POSITIVE_INFINITY };
}

export interface PrepareRequest {
  readonly instanceId: string;
  readonly poolSize: number;
  readonly maxAccounts: number;
  /** Decides, from the demand counted under the lock, how many to make now. */
  readonly decide: (demand: Demand) => number;
  /** How many more accounts the spending limits allow, those of no transaction yet not counted. Asked under the lock. */
  readonly room: (db: Db) => Promise<number>;
  /** The master key that seals where none is registered yet. */
  readonly masterKey?: string;
  /** Makes key pairs and encrypts the private keys, under that master key. */
  readonly makeKeys: (count: number, masterKey: string | undefined) => Promise<NewKey[]>;
}

/**
 * Takes over prepared accounts of dead instances, or else stores new key pairs, and returns them: committed before
 * any transaction can name them. Counting and storing happen under one advisory lock, so that several instances
 * together never make more than the demand. Returns an empty list where nothing is to be made.
 */
export async function prepareAccounts(journal: Journal, request: PrepareRequest): Promise<PreparedAccount[]> {
  return journal.transaction(async (db) => {
    await db.query('select pg_advisory_xact_lock(7420031551003)');
    const demanded = Math.min(request.maxAccounts, request.decide(await readDemand(db, request.poolSize)));
    if (demanded <= 0) return [];
    const wanted = Math.min(demanded, (await request.room(db)) - (await preparedByOthers(db, request.instanceId)));
    if (wanted <= 0) return [];
    const { accounts: taken, areBounded } = await takeStranded(db, request.instanceId, wanted);
    // Held until the keys are committed: so none is stored under a master key that a rotation has made the old one meanwhile.
    const keys = areBounded || taken.length === wanted ? [] : await request.makeKeys(wanted - taken.length, await sealingKey(db, request.masterKey));
    if (keys.length === 0) return taken;
    const stored = await queryRows(
      db,
      preparedRow,
      `insert into wallet_sync.account (public_key, private_key, prepared_by)
       select k.public_key, k.private_key, $1 from unnest($2::text[], $3::text[]) as k (public_key, private_key)
       returning id, public_key`,
      [request.instanceId, keys.map((key) => key.publicKey), keys.map((key) => key.encryptedPrivateKey)],
    );
    return [...taken, ...stored.map(toPrepared)];
  });
}

/** Accounts that other living instances have prepared and that no transaction names yet: each of them will take room of the limits. */
async function preparedByOthers(db: Db, instanceId: string): Promise<number> {
  const { count } = await queryOne(
    db,
    z.object({ count: z.number() }),
    `select count(*) from wallet_sync.account a join wallet_sync.instance i on i.id = a.prepared_by
     where a.state = 'prepared' and a.prepared_by <> $1 and i.stopped_at is null and i.seen_at > clock_timestamp() - make_interval(secs => $2::double precision / 1000)`,
    [instanceId, INSTANCE_LEASE_MS],
  );
  return count;
}

const preparedRow = z.object({ id: z.number(), public_key: z.string() });
const toPrepared = (row: z.output<typeof preparedRow>): PreparedAccount => ({ id: row.id, publicKey: row.public_key });

/**
 * Prepared accounts whose instance is dead, or that were given up ({@link releaseUnused}), keep their key and are used first. Those
 * with a bound on their batch come before all, the tightest bound first, and among themselves: so a batch that one member spoils is
 * split until that member stands alone, and nobody else is drawn in.
 */
async function takeStranded(db: Db, instanceId: string, count: number): Promise<{ accounts: PreparedAccount[]; areBounded: boolean }> {
  const rows = await queryRows(
    db,
    preparedRow.extend({ batch_max: z.number().nullable() }),
    `with stranded as materialized (
       select p.id, p.batch_max from wallet_sync.account p
       where p.state = 'prepared' and not exists (
         select from wallet_sync.instance i
         where i.id = p.prepared_by and i.stopped_at is null and i.seen_at > clock_timestamp() - make_interval(secs => $3::double precision / 1000))
     ), tightest as (select min(batch_max) as batch_max from stranded)
     update wallet_sync.account a set prepared_by = $1
     where a.id in (
       select p.id from wallet_sync.account p join stranded s on s.id = p.id, tightest t
       where p.state = 'prepared' and (t.batch_max is null or s.batch_max = t.batch_max)
       order by p.id limit least($2, (select batch_max from tightest)) for update of p skip locked)
     returning a.id, a.public_key, a.batch_max`,
    [instanceId, count, INSTANCE_LEASE_MS],
  );
  return { accounts: rows.map(toPrepared), areBounded: rows.some((row) => row.batch_max !== null) };
}

/**
 * Gives up what a batch that was not recorded has held: this instance's prepared accounts (their keys stay, for the next batch), and the
 * batch's slot, whose sequence number is to be read again. Other slots of the instance may be building something else at this moment.
 * To be called only while no batch of this instance is being built.
 */
export async function releaseUnused(db: Db, instanceId: string, slot: Slot | null): Promise<void> {
  await db.query(
    `with accounts as (
       update wallet_sync.account set prepared_by = null where prepared_by = $1 and state = 'prepared'
     )
     update wallet_sync.slot s set leased_by = null, lease_until = null, sequence_number = null
     where s.address = $2 and s.key_index = $3 and s.leased_by = $1 and s.epoch = $4 and not exists (
       select from wallet_sync.transaction t
       where t.proposer_address = s.address and t.proposer_key_index = s.key_index and t.state = 'live')`,
    [instanceId, slot?.address ?? null, slot?.keyIndex ?? null, slot?.epoch ?? null],
  );
}
