import { endApart, setApart } from '../../journal/apart.js';
import { saveStep, type Cycle } from '../../journal/cycles.js';
import { adoptWallets, makeWallets, markAllCorrupted, unmarkCorrupted } from '../../journal/sweepPages.js';
import type { UserSource } from '../../users/source.js';
import type { TransactionFollower } from '../followTransactions.js';
import type { Instance } from '../instance.js';
import type { Step } from './lease.js';
import { openLook, type Looked } from './look.js';
import { createMender, type Mendable } from './mend.js';
import type { Patience } from './persevere.js';
import type { ScriptSize } from './scriptSize.js';
import type { SoundKeys } from './soundKeys.js';
import { createCounter } from './tally.js';

export interface WalkOptions {
  readonly users: UserSource;
  readonly cycle: Cycle;
  readonly step: Step;
  readonly signal: AbortSignal;
  readonly size: ScriptSize;
  readonly soundKeys?: SoundKeys;
  readonly patience: Patience;
  readonly follower: TransactionFollower;
  readonly mayWork?: () => boolean;
  readonly onRowsMade?: () => void;
  readonly onProgress?: (done: number, of: number | null) => void;
}

/** Looks at all users from the cycle's cursor on, saves page after page, and has what is missing mended. False where it was stopped. */
export async function walkUsers(instance: Instance, options: WalkOptions): Promise<boolean> {
  const { log } = instance;
  const { users, cycle, step, size, soundKeys, patience, follower } = options;
  /** However it ends, nothing is asked or sent after it. */
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const mayGoOn = (): boolean => !signal.aborted && (options.mayWork?.() ?? true);
  const total = await users.count();
  let done = cycle.total_wallets;

  const look = await openLook(instance, {
    size,
    soundKeys,
    signal,
    patience,
    use: { why: 'a sweep compares keys with their public keys, those that it has not found sound before', detail: { cycle: cycle.id } },
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
  const pages = look.all(users.pages(cycle.cursor, signal), () => over.abort());
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
    // That they were opened is in the log since before the first.
    await look.recordOpened().catch(() => undefined);
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
