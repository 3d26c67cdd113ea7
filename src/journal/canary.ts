import type { Db } from './pool.js';

/** Writes a row that Realtime must deliver back, and forgets this instance's earlier ones. */
export async function sendCanary(db: Db, instanceId: string, nonce: string): Promise<void> {
  await db.query(
    `with old as (
      delete from wallet_sync.canary where instance = $1 or created_at < clock_timestamp() - interval '10 minutes'
    )
    insert into wallet_sync.canary (instance, nonce) values ($1, $2)`,
    [instanceId, nonce],
  );
}

/** Forgets an instance's canaries: of one that writes no more. */
export async function forgetCanaries(db: Db, instanceId: string): Promise<void> {
  await db.query('delete from wallet_sync.canary where instance = $1', [instanceId]);
}

/** What heartbeats are sent on; all instances hear all of them. */
export const HEARTBEAT_CHANNEL = 'wallet_sync_heartbeat';

/** Sends a NOTIFY that the instance's own LISTEN must hear. */
export async function sendHeartbeat(db: Db, nonce: string): Promise<void> {
  await db.query('select pg_notify($1, $2)', [HEARTBEAT_CHANNEL, nonce]);
}
