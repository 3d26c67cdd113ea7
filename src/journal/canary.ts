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

/** Sends a NOTIFY that the instance's own LISTEN must hear. */
export async function sendHeartbeat(db: Db, nonce: string): Promise<void> {
  await db.query("select pg_notify('wallet_sync_heartbeat', $1)", [nonce]);
}
