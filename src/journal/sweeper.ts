import { z } from 'zod';
import { INSTANCE_LEASE_MS } from './instances.js';
import { queryRows, type Db, type Journal } from './pool.js';

const epochRow = z.object({ epoch: z.number() });

/** Leases the sweep; null where another living instance sweeps. The epoch moves with each lease. */
export async function leaseSweep(db: Db, instanceId: string): Promise<number | null> {
  const rows = await queryRows(
    db,
    epochRow,
    `update wallet_sync.sweeper
     set leased_by = $1, epoch = epoch + 1, lease_until = clock_timestamp() + make_interval(secs => $2::double precision / 1000)
     where leased_by is null or lease_until < clock_timestamp()
     returning epoch`,
    [instanceId, INSTANCE_LEASE_MS],
  );
  return rows[0]?.epoch ?? null;
}

/**
 * Runs one step of a sweep in one transaction and renews its lease. Null, and nothing changed, once the lease has run out or moved: an
 * instance that froze in mid-sweep and wakes up can do no harm.
 */
export async function asSweeper<T>(journal: Journal, lease: { instanceId: string; epoch: number }, step: (db: Db) => Promise<T>): Promise<T | null> {
  return journal.transaction(async (db) => {
    const renewed = await db.query(
      `update wallet_sync.sweeper set lease_until = clock_timestamp() + make_interval(secs => $3::double precision / 1000)
       where leased_by = $1 and epoch = $2 and lease_until > clock_timestamp()`,
      [lease.instanceId, lease.epoch, INSTANCE_LEASE_MS],
    );
    return renewed.rowCount === 1 ? step(db) : null;
  });
}

/** Gives the sweep back. Changes nothing once the epoch has moved. */
export async function releaseSweep(db: Db, lease: { instanceId: string; epoch: number }): Promise<void> {
  await db.query('update wallet_sync.sweeper set leased_by = null, lease_until = null where leased_by = $1 and epoch = $2', [lease.instanceId, lease.epoch]);
}
