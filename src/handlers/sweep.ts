import { openCycle, saveCycle, zeroCounters, type Counters } from '../journal/cycles.js';
import type { Db } from '../journal/pool.js';
import { asSweeper, leaseSweep, releaseSweep } from '../journal/sweeper.js';
import { pruneJournal } from '../journal/prune.js';
import { addMissingWallets, countWallets, restoreWallets } from '../journal/users.js';
import { checkFunders } from './checkFunders.js';
import { checkPool } from './checkPool.js';
import type { Instance } from './instance.js';
import { watchGivenUp } from './watchGivenUp.js';

/** A creation that was given up is looked at in each sweep for so long. */
const WATCH_MS = 30 * 86_400_000;
const WATCHED = 500;

export interface SweepResult {
  readonly cycle: number;
  readonly counters: Counters;
}

/**
 * One pass over all users: a wallet row for each who lacks one, emptied rows filled from the home of record, the pool and the funders
 * compared with the chain. Pages by user id, so its memory does not grow with the users. What it writes about users and accounts carries the sweep's epoch. Null
 * where another instance sweeps, or took the sweep over from one that froze, or the pass was stopped; its record then stays open.
 */
export async function sweep(instance: Instance, reason: string, signal: AbortSignal): Promise<SweepResult | null> {
  const epoch = await leaseSweep(instance.journal, instance.id);
  if (epoch === null) return null;
  const lease = { instanceId: instance.id, epoch };
  try {
    return await pass(instance, reason, signal, (step) => asSweeper(instance.journal, lease, step));
  } finally {
    await releaseSweep(instance.journal, lease);
  }
}

/** Runs a step under the sweep's lease; null once it is lost. */
type Step = <T>(step: (db: Db) => Promise<T>) => Promise<T | null>;

async function pass(instance: Instance, reason: string, signal: AbortSignal, step: Step): Promise<SweepResult | null> {
  const { journal, settings, log } = instance;
  const startedAt = instance.now();
  const counters = zeroCounters();
  const cycle = await step((db) => openCycle(db, instance.id, reason));
  if (cycle === null) return lost(instance, null);
  let after: string | null = null;
  for (;;) {
    if (signal.aborted) return null;
    const page: Awaited<ReturnType<typeof addMissingWallets>> | null = await step(async (db) => {
      const added = await addMissingWallets(db, after, settings.PAGE_SIZE);
      counters.wallets_created += added.added;
      await saveCycle(db, { id: cycle, counters, lastUser: added.lastId ?? after, ended: false });
      return added;
    });
    if (page === null) return lost(instance, cycle);
    if (page.lastId === null) break;
    after = page.lastId;
  }
  const restored = await step(restoreWallets);
  if (restored === null) return lost(instance, cycle);
  await pruneJournal(journal);
  const setAside = await checkPool(instance, { signal, write: async (write) => (await step(async (db) => (await write(db), true))) === true });
  await checkFunders(instance, signal);
  await watchGivenUp(instance, WATCH_MS, WATCHED);
  if (signal.aborted) return null;
  const wallets = await countWallets(journal);
  counters.total_wallets = wallets.total;
  counters.synced_wallets = wallets.ready;
  counters.corrupted_wallets = wallets.broken;
  const saved = await step(async (db) => (await saveCycle(db, { id: cycle, counters, lastUser: after, ended: true }), true));
  if (saved === null) return lost(instance, cycle);
  instance.statistics.sweeps += 1;
  log.info({ cycle, reason, restored, setAside, durationMs: instance.now() - startedAt, ...counters }, 'sweep done');
  return { cycle, counters };
}

function lost(instance: Instance, cycle: number | null): null {
  instance.log.warn({ cycle }, 'the sweep was taken over by another instance: this pass changes nothing more');
  return null;
}
