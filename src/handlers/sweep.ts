import { openCycle, saveCycle, tryToSweep, zeroCounters, type Counters } from '../journal/cycles.js';
import { addMissingWallets, countWallets, restoreWallets } from '../journal/users.js';
import { checkFunders } from './checkFunders.js';
import type { Instance } from './instance.js';

export interface SweepResult {
  readonly cycle: number;
  readonly counters: Counters;
}

/**
 * One pass over all users: a wallet row for each who lacks one, emptied rows filled from the home of record, funders looked
 * at. Pages by user id, so its memory does not grow with the users. Null where another instance sweeps or the pass was
 * stopped; its record then stays open.
 */
export async function sweep(instance: Instance, reason: string, signal: AbortSignal): Promise<SweepResult | null> {
  const { journal, settings, log } = instance;
  // The lock lives in a transaction of its own while the pages go through other connections.
  return journal.transaction(async (lock) => {
    if (!(await tryToSweep(lock))) return null;
    await lock.query("set local idle_in_transaction_session_timeout = '120s'");
    const startedAt = Date.now();
    const counters = zeroCounters();
    const cycle = await openCycle(journal, instance.id, reason);
    let after: string | null = null;
    for (;;) {
      if (signal.aborted) return null;
      const page = await addMissingWallets(journal, after, settings.PAGE_SIZE);
      if (page.lastId === null) break;
      counters.wallets_created += page.added;
      after = page.lastId;
      await saveCycle(journal, { id: cycle, counters, lastUser: after, ended: false });
      // Shows the server that the holder of the lock lives.
      await lock.query('select 1');
    }
    const restored = await restoreWallets(journal);
    await checkFunders(instance, signal);
    if (signal.aborted) return null;
    const wallets = await countWallets(journal);
    counters.total_wallets = wallets.total;
    counters.synced_wallets = wallets.ready;
    counters.corrupted_wallets = wallets.broken;
    await saveCycle(journal, { id: cycle, counters, lastUser: after, ended: true });
    instance.statistics.sweeps += 1;
    log.info({ cycle, reason, restored, durationMs: Date.now() - startedAt, ...counters }, 'sweep done');
    return { cycle, counters };
  });
}
