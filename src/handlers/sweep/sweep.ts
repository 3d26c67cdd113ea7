import { endCycle, openCycle, readCycle, saveStep, type Cycle } from '../../journal/cycles.js';
import { pruneJournal } from '../../journal/prune.js';
import { restoreWallets } from '../../journal/users.js';
import type { UserSource } from '../../users/source.js';
import { checkFunders } from '../checkFunders.js';
import type { TransactionFollower } from '../followTransactions.js';
import type { Instance } from '../instance.js';
import { markOrphans } from '../markOrphans.js';
import { watchGivenUp } from '../watchGivenUp.js';
import { checkPool } from './checkPool.js';
import { SweepLost, whileSweeping, type Step } from './lease.js';
import { PATIENCE, type Patience } from './persevere.js';
import type { ScriptSize } from './scriptSize.js';
import type { SoundKeys } from './soundKeys.js';
import { createCounter } from './tally.js';
import { walkUsers } from './walk.js';

/** A creation that was given up is looked at in each sweep for so long. */
const WATCH_MS = 30 * 86_400_000;
const WATCHED = 500;

export interface SweepOptions {
  readonly reason: string;
  readonly signal: AbortSignal;
  readonly follower: TransactionFollower;
  readonly openUsers: () => Promise<UserSource>;
  readonly size: ScriptSize;
  /** Of a process that sweeps again. Default: each key is opened. */
  readonly soundKeys?: SoundKeys;
  /** Whether a cycle that was broken off is resumed. */
  readonly resumes: boolean;
  /** False: it is for one user, and leaves the pool, the funders and the journal's tidying to others. Default: true. */
  readonly isWhole?: boolean;
  /** How long it bears peers that don't answer. Default: two minutes. */
  readonly patience?: Patience;
  /** Whether it may go on sending: false while the service is paused, which breaks the sweep off. Default: always. */
  readonly mayWork?: () => boolean;
  /** Called once its record is open: from then on it can be resumed. */
  readonly onOpened?: () => void;
  /** Writes the configuration files, if this instance keeps any. */
  readonly exportConfig?: () => Promise<void>;
  /** Called where rows were made: their users wait. */
  readonly onRowsMade?: () => void;
  /** Called after each page with how many users have been looked at, of how many (null: not known). */
  readonly onProgress?: (done: number, of: number | null) => void;
}

/**
 * One pass over all users: every wallet compared with itself, the journal and the chain, and mended where a transaction can mend it; the
 * pool, the funders and the configuration files too. Its memory does not grow with the users. Null where another instance sweeps, or
 * took the sweep over, or it was stopped: its record then stays open, to be resumed.
 */
export async function sweep(instance: Instance, options: SweepOptions): Promise<Cycle | null> {
  try {
    return await whileSweeping(instance.journal, instance.id, (step) => pass(instance, options, step));
  } catch (thrown) {
    if (options.signal.aborted) return null;
    if (!(thrown instanceof SweepLost)) throw thrown;
    instance.log.warn('the sweep was taken over by another instance: this pass changes nothing more');
    return null;
  }
}

async function pass(instance: Instance, options: SweepOptions, step: Step): Promise<Cycle | null> {
  const { journal, log } = instance;
  const { reason, signal, size, patience = PATIENCE } = options;
  const users = await options.openUsers();
  const cycle = await step((db) => openCycle(db, { instanceId: instance.id, reason, source: users.name, resumes: options.resumes }));
  options.onOpened?.();
  if (cycle.cursor !== null) log.info({ cycle: cycle.id, looked: cycle.total_wallets }, 'sweep resumed');
  const restored = await step(restoreWallets);
  if (!(await walkUsers(instance, { ...options, patience, users, cycle, step }))) return null;

  const clock = createCounter();
  let setAside = 0;
  let orphans = { marked: 0, refused: 0 };
  if (options.isWhole ?? true) {
    orphans = await markOrphans(instance, users, step, signal);
    await pruneJournal(journal, { cycleDays: instance.settings.CYCLE_RETENTION, historyDays: instance.settings.HISTORY_RETENTION });
    setAside = await clock.timed('blockchain_state_check', () => checkPool(instance, { size, signal, step, patience, onCall: () => clock.call('script') }));
    await checkFunders(instance, signal);
    await watchGivenUp(instance, WATCH_MS, WATCHED);
  }
  if (signal.aborted) return null;
  await clock.timed('config_generation', async () => options.exportConfig?.());
  await step(async (db) => {
    await saveStep(db, cycle.id, clock.take(), null);
    await endCycle(db, cycle.id);
  });
  const ended = await readCycle(journal, cycle.id);
  instance.statistics.sweeps += 1;
  const durationMs = Date.now() - ended.started_at.getTime();
  for (const [stage, stageMs] of Object.entries(ended.stages)) instance.telemetry.emit({ kind: 'stage-done', stage, durationMs: stageMs });
  instance.telemetry.emit({ kind: 'sweep-done', cycle: ended.id, durationMs });
  log.info({ ...ended, restored, setAside, orphans, durationMs }, 'sweep done');
  return ended;
}
