import { endApart, setApart } from '../../journal/apart.js';
import { saveStep, type Cycle } from '../../journal/cycles.js';
import { adoptWallets, makeWallets, markAllCorrupted, sharedAddresses, unmarkCorrupted } from '../../journal/sweepPages.js';
import type { UserPage, UserSource } from '../../users/source.js';
import type { TransactionFollower } from '../followTransactions.js';
import type { Instance } from '../instance.js';
import { inOrder } from './inOrder.js';
import type { Step } from './lease.js';
import { createLook, type Looked } from './look.js';
import { createMender, type Mendable } from './mend.js';
import type { Patience } from './persevere.js';
import type { ScriptSize } from './scriptSize.js';
import { createCounter } from './tally.js';

/** Users under way at once, in scripts: enough for the limiter always to have one to send. */
export const SCRIPTS_UNDER_WAY = 5;
/** Addresses that several users have: more than anybody mends by hand. */
export const SHARED = 10_000;

export interface WalkOptions {
  readonly users: UserSource;
  readonly cycle: Cycle;
  readonly step: Step;
  readonly signal: AbortSignal;
  readonly size: ScriptSize;
  readonly patience: Patience;
  readonly follower: TransactionFollower;
  readonly mayWork?: () => boolean;
  readonly onRowsMade?: () => void;
  readonly onProgress?: (done: number, of: number | null) => void;
}

/** Looks at all users from the cycle's cursor on, saves page after page, and has what is missing mended. False where it was stopped. */
export async function walkUsers(instance: Instance, options: WalkOptions): Promise<boolean> {
  const { journal, log } = instance;
  const { users, cycle, step, size, patience, follower } = options;
  /** However it ends, nothing is asked or sent after it. */
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const mayGoOn = (): boolean => !signal.aborted && (options.mayWork?.() ?? true);
  const total = await users.count();
  let done = cycle.total_wallets;

  const look = createLook(instance, {
    size,
    signal,
    patience,
    shared: new Set(await sharedAddresses(journal, SHARED)),
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
  const mender = createMender(instance, { follower, cycleId: cycle.id, step, signal, patience, mayWork: mayGoOn });
  const clock = createCounter();
  const pages = inOrder(whileWanted(users.pages(cycle.cursor, signal), signal), {
    work: (page) => look.page(page),
    weigh: (page) => page.users.length,
    room: () => SCRIPTS_UNDER_WAY * size.current(),
    onFull: (isFull) => look.noMorePages(isFull),
    onBrokenOff: () => {
      over.abort();
      look.end();
    },
  });
  try {
    for await (const looked of pages) {
      const mendable = await save(step, cycle.id, looked);
      done += looked.users;
      options.onProgress?.(done, total);
      for (const each of looked.corrupted) log.warn({ authId: each.authId, reason: each.reason, mend: each.solution }, 'wallet corrupted');
      for (const each of looked.apart) log.warn({ authId: each.authId, address: each.address, reason: each.reason }, 'wallet cannot be checked: set apart');
      await mender.take(mendable);
      if (!mayGoOn()) return false;
    }
    await clock.timed('funding_check', () => mender.finish());
    if (!mayGoOn()) return false;
    await step((db) => saveStep(db, cycle.id, clock.take(), null));
    return true;
  } finally {
    over.abort();
    // Where it fails too, as after another instance has taken the sweep over, what was not sent is not counted.
    await mender.stop().catch(() => undefined);
  }
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
    for (const work of ['check', 'fund', 'repair'] as const) await endApart(db, work, looked.noLongerApart.filter((each) => each.work === work).map((each) => each.address));
    const adopted = await adoptWallets(db, looked.strangers);
    await saveStep(db, cycleId, looked.tally, looked.cursor);
    return looked.findings.flatMap((finding) => {
      const accountId = finding.accountId ?? adopted.get(finding.authId) ?? null;
      return accountId === null ? [] : [{ ...finding, accountId }];
    });
  });
}
