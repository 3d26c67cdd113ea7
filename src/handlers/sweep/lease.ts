import type { Db, Journal } from '../../journal/pool.js';
import { asSweeper, leaseSweep, releaseSweep } from '../../journal/sweeper.js';

/** Thrown by a step once another instance sweeps: this pass changes nothing more. */
export class SweepLost extends Error {
  override readonly name = 'SweepLost';
  constructor() {
    super('the sweep was taken over by another instance');
  }
}

/** Runs a step in one transaction under the sweep's lease. Throws {@link SweepLost}, with nothing changed, once it is lost. */
export type Step = <T>(work: (db: Db) => Promise<T>) => Promise<T>;

/** Leases the sweep, runs `work` and gives it back. Null where another living instance sweeps. Each step renews the lease, and so does the instance's heartbeat. */
export async function whileSweeping<T>(journal: Journal, instanceId: string, work: (step: Step) => Promise<T>): Promise<T | null> {
  const epoch = await leaseSweep(journal, instanceId);
  if (epoch === null) return null;
  const lease = { instanceId, epoch };
  try {
    return await work(async (act) => {
      const done = await asSweeper(journal, lease, async (db) => ({ result: await act(db) }));
      if (done === null) throw new SweepLost();
      return done.result;
    });
  } finally {
    // Where this fails too, the lease runs out.
    await releaseSweep(journal, lease).catch(() => undefined);
  }
}
