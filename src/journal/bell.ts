import { z } from 'zod';
import { queryOne, type Db, type Journal } from './pool.js';

/** While awake, sign-ups do not ring. A killed instance silences nobody longer than this. */
export const AWAKE_LEASE_MS = 2_000;

/** Says that this instance looks at the backlog by itself for the next {@link AWAKE_LEASE_MS}; it must look again after this returns. */
export async function stayAwake(db: Db, instanceId: string): Promise<void> {
  await db.query(
    'update wallet_sync.instance set awake_until = clock_timestamp() + make_interval(secs => $2::double precision / 1000) where id = $1',
    [instanceId, AWAKE_LEASE_MS],
  );
}

/** Ends it at once: sign-ups that begin now ring. Those under way may have seen us awake; without {@link tryToSleep} nobody has looked for them. */
export async function leaveAwake(db: Db, instanceId: string): Promise<void> {
  await db.query('update wallet_sync.instance set awake_until = null where id = $1', [instanceId]);
}

/**
 * Tries to go to sleep: after it returns true, every sign-up rings again. False where a sign-up is under way (it holds
 * the bell's lock shared and may have seen us awake) or `look` found somebody: stay awake and look again.
 * Neither side ever waits for the other.
 */
export async function tryToSleep(journal: Journal, instanceId: string, look: (db: Db) => Promise<number>): Promise<boolean> {
  return journal.transaction(async (db) => {
    const { granted } = await queryOne(db, z.object({ granted: z.boolean() }), 'select pg_try_advisory_xact_lock(wallet_sync.bell_lock()) as granted');
    if (!granted) return false;
    if ((await look(db)) > 0) return false;
    await leaveAwake(db, instanceId);
    return true;
  });
}
