import { adoptWallets, makeWallets, markAllCorrupted, sharedAddresses, unmarkCorrupted } from '../../journal/sweepPages.js';
import { endApart, setApart } from '../../journal/apart.js';
import { endCycle, openCycle, readCycle, saveStep, type Cycle, type Stage } from '../../journal/cycles.js';
import { pruneJournal } from '../../journal/prune.js';
import { restoreWallets } from '../../journal/users.js';
import type { UserPage, UserSource } from '../../users/source.js';
import { checkFunders } from '../checkFunders.js';
import { markOrphans } from '../markOrphans.js';
import type { TransactionFollower } from '../followTransactions.js';
import type { Instance } from '../instance.js';
import { watchGivenUp } from '../watchGivenUp.js';
import { checkPool } from './checkPool.js';
import { inOrder } from './inOrder.js';
import { SweepLost, whileSweeping, type Step } from './lease.js';
import { createLook, type Looked } from './look.js';
import { createMender, type Mendable } from './mend.js';
import { PATIENCE, type Patience } from './persevere.js';
import type { ScriptSize } from './scriptSize.js';
import { createCounter } from './tally.js';

/** A creation that was given up is looked at in each sweep for so long. */
const WATCH_MS = 30 * 86_400_000;
const WATCHED = 500;
/** Users under way at once, in scripts: enough for the limiter always to have one to send. */
export const SCRIPTS_UNDER_WAY = 5;
/** Addresses that several users have: more than anybody mends by hand. */
export const SHARED = 10_000;

export interface SweepOptions {
  readonly reason: string;
  readonly signal: AbortSignal;
  readonly follower: TransactionFollower;
  readonly openUsers: () => Promise<UserSource>;
  readonly size: ScriptSize;
  /** Whether a cycle that was broken off is resumed. */
  readonly resumes: boolean;
  /** False: it is for one user, and leaves the pool, the funders and the journal's tidying to others. Default: true. */
  readonly isWhole?: boolean;
  /** How long it bears peers that don't answer. Default: two minutes. */
  readonly patience?: Patience;
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
    instance.log.warn({ reason: thrown.message }, 'this pass changes nothing more');
    return null;
  }
}

async function pass(instance: Instance, options: SweepOptions, step: Step): Promise<Cycle | null> {
  const { journal, log } = instance;
  const { reason, signal, follower, size, patience = PATIENCE } = options;
  const users = await options.openUsers();
  const opened = await step((db) => openCycle(db, { instanceId: instance.id, reason, source: users.name, resumes: options.resumes }));
  if (opened.cursor !== null) log.info({ cycle: opened.id, looked: opened.total_wallets }, 'sweep resumed');
  const cycle = { id: opened.id, done: opened.total_wallets, total: await users.count() };
  const restored = await step(restoreWallets);
  const shared = new Set(await sharedAddresses(journal, SHARED));

  const look = createLook(instance, {
    size,
    signal,
    patience,
    shared,
    makeRows: async (authIds) => {
      const counter = createCounter();
      const made = await step(async (db) => {
        const count = await makeWallets(db, authIds);
        counter.count('wallets_created', count);
        await saveStep(db, cycle.id, counter.take(), null);
        return count;
      });
      if (made > 0) options.onRowsMade?.();
    },
  });
  /** However it ends, nothing is sent after it. */
  const over = new AbortController();
  const mender = createMender(instance, { follower, cycleId: cycle.id, step, signal: AbortSignal.any([signal, over.signal]), patience });
  const clock = createCounter();
  const timed = async <T>(stage: Stage, work: () => Promise<T>): Promise<T> => clock.timed(stage, work);

  const pages = inOrder(whileWanted(users.pages(opened.cursor, signal), signal), {
    work: (page) => look.page(page),
    weigh: (page) => page.users.length,
    room: () => SCRIPTS_UNDER_WAY * size.current(),
    onFull: (isFull) => look.noMorePages(isFull),
  });
  try {
    for await (const looked of pages) {
      const mendable = await save(step, cycle.id, looked);
      cycle.done += looked.users;
      options.onProgress?.(cycle.done, cycle.total);
      for (const each of looked.corrupted) log.warn({ authId: each.authId, reason: each.reason, mend: each.solution }, 'wallet corrupted');
      for (const each of looked.apart) log.warn({ authId: each.authId, address: each.address, reason: each.reason }, 'wallet cannot be checked: set apart');
      await mender.take(mendable);
      if (signal.aborted) return null;
    }
    if (signal.aborted) return null;
    await timed('funding_check', () => mender.finish());
  } finally {
    over.abort();
    // Where it fails too, as after another instance has taken the sweep over, what was not sent is not counted.
    await mender.stop().catch(() => undefined);
  }

  let setAside = 0;
  let orphans = { marked: 0, refused: 0 };
  if (options.isWhole ?? true) {
    orphans = await markOrphans(instance, users, step, signal);
    await pruneJournal(journal);
    setAside = await timed('blockchain_state_check', () => checkPool(instance, { size, signal, step, patience }));
    await checkFunders(instance, signal);
    await watchGivenUp(instance, WATCH_MS, WATCHED);
  }
  if (signal.aborted) return null;
  await timed('config_generation', async () => options.exportConfig?.());
  await step(async (db) => {
    await saveStep(db, cycle.id, clock.take(), null);
    await endCycle(db, cycle.id);
  });
  const ended = await readCycle(journal, cycle.id);
  instance.statistics.sweeps += 1;
  log.info({ ...ended, restored, setAside, orphans, durationMs: Date.now() - ended.started_at.getTime() }, 'sweep done');
  return ended;
}

/** The source's pages until the sweep is stopped. */
async function* whileWanted(pages: AsyncIterable<UserPage>, signal: AbortSignal): AsyncGenerator<UserPage, void> {
  for await (const page of pages) {
    if (signal.aborted) return;
    yield page;
  }
}

/** Writes what a page showed, with its counts and cursor, in one transaction. Returns what is to be mended. */
async function save(step: Step, cycleId: number, looked: Looked): Promise<Mendable[]> {
  return step(async (db) => {
    await markAllCorrupted(db, looked.corrupted);
    await unmarkCorrupted(db, looked.sound);
    for (const each of looked.apart) await setApart(db, each.work, each.address, each.reason);
    for (const work of ['check', 'repair'] as const) await endApart(db, work, looked.noLongerApart.filter((each) => each.work === work).map((each) => each.address));
    const adopted = await adoptWallets(db, looked.strangers);
    await saveStep(db, cycleId, looked.tally, looked.cursor);
    return looked.findings.flatMap((finding) => {
      const accountId = finding.accountId ?? adopted.get(finding.authId) ?? null;
      return accountId === null ? [] : [{ ...finding, accountId }];
    });
  });
}
