import { hostname } from 'node:os';
import { z } from 'zod';
import type { Db } from './pool.js';
import { queryRows } from './pool.js';

/** An instance not seen for this long is dead: its prepared accounts, slots and live transactions are taken over. */
export const INSTANCE_LEASE_MS = 10_000;

/** Says that this process lives, and renews its leases on slots and on the sweep. To be called several times within {@link INSTANCE_LEASE_MS}; the first call registers it. `httpUrl`: where it answers over HTTP; `masterKeys`: the ids of those that it holds; null leaves what it has said before. */
export async function heartbeat(db: Db, instanceId: string, statistics: unknown, { httpUrl = null, masterKeys = null }: { httpUrl?: string | null; masterKeys?: readonly string[] | null } = {}): Promise<void> {
  await db.query(
    `with seen as (
      insert into wallet_sync.instance as i (id, host, pid, statistics, http_url, master_keys) values ($1, $4, $5, $3, $6, $7)
      on conflict (id) do update set seen_at = clock_timestamp(), statistics = excluded.statistics, http_url = coalesce(excluded.http_url, i.http_url),
        master_keys = coalesce(excluded.master_keys, i.master_keys)
    ), swept as (
      -- A step of the sweep that holds the row renews the lease itself.
      update wallet_sync.sweeper set lease_until = clock_timestamp() + make_interval(secs => $2::double precision / 1000)
      where only_row in (select only_row from wallet_sync.sweeper where leased_by = $1 and lease_until > clock_timestamp() for update skip locked)
    )
    update wallet_sync.slot set lease_until = clock_timestamp() + make_interval(secs => $2::double precision / 1000)
    where leased_by = $1 and lease_until > clock_timestamp()`,
    [instanceId, INSTANCE_LEASE_MS, JSON.stringify(statistics), hostname(), process.pid, httpUrl, masterKeys],
  );
}

/** Says that this process has ended in order: what it held is free at once. Keeps its last statistics. */
export async function stopInstance(db: Db, instanceId: string, statistics: unknown): Promise<void> {
  await db.query(
    `with gone as (
      update wallet_sync.instance set stopped_at = clock_timestamp(), awake_until = null, statistics = $2 where id = $1
    ), swept as (
      update wallet_sync.sweeper set leased_by = null, lease_until = null where leased_by = $1
    )
    update wallet_sync.slot set leased_by = null, lease_until = null where leased_by = $1`,
    [instanceId, JSON.stringify(statistics)],
  );
}

const instanceRow = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.number(),
  http_url: z.string().nullable(),
  statistics: z.object({
    sources: z.record(z.string(), z.object({ state: z.string(), reason: z.string().nullable() })).default({}),
    accessNode: z.object({ state: z.string(), reason: z.string().nullable(), since: z.string() }).nullable().default(null),
    lastError: z.object({ kind: z.string(), message: z.string(), at: z.string() }).nullable().default(null),
  }),
});

export type LivingInstance = z.output<typeof instanceRow>;

/** The living instances, with what they last said of their sources. */
export async function livingInstances(db: Db): Promise<LivingInstance[]> {
  return queryRows(
    db,
    instanceRow,
    `select id, host, pid, http_url, statistics from wallet_sync.instance
     where stopped_at is null and seen_at > clock_timestamp() - make_interval(secs => $1::double precision / 1000) order by started_at`,
    [INSTANCE_LEASE_MS],
  );
}
