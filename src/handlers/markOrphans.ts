import { toAppError } from '../errors.js';
import { markOrphaned, readAsked, readGoneUsers, readOrphanGuard, refuseOrphans, saveAskedAfter, unmarkFound, unmarkOrphans } from '../journal/orphans.js';
import type { Db } from '../journal/pool.js';
import type { UserSource } from '../users/source.js';
import type { Instance } from './instance.js';

const PAGE = 1_000;
/** Where only the Auth server can tell, so many users are asked for in one sweep: those who are gone by all signs, any, and orphans who may be back. */
const ASKED = { rowless: 150, next: 50, back: 50 } as const;

/** After so many questions that aren't answered, no more are asked in this sweep. */
const MOST_FAILURES = 3;

/** Fewer orphans are marked whatever their share: a small project loses a few users too. */
const ALWAYS_TOO_FEW = 5;

/** Whether so many orphans of so many users, orphans included, are more than a sweep believes: 5 or more, and more than 1 %. */
export const areTooMany = (orphans: number, users: number): boolean => orphans >= ALWAYS_TOO_FEW && orphans * 100 > users;

/** The most orphans that are not too many of so many users. */
const mostOf = (users: number): number => Math.max(ALWAYS_TOO_FEW - 1, Math.floor(users / 100));

export interface OrphansMarked {
  /** Users marked as orphaned in this sweep. */
  readonly marked: number;
  /** Orphans found and not marked, because they are too many. */
  readonly refused: number;
}

type Write = <T>(step: (db: Db) => Promise<T>) => Promise<T | null>;

/**
 * Marks users who have an account and are no longer in auth.users as orphaned: nothing is given or sent to them again. Orphans who are back are users again.
 * Where more than 1 % (and at least 5) would be marked, none is: rather a wrong database, a restored one, or rights that were lost, than so many deletions.
 * An operator allows it with `wallet-sync orphans accept`. `write` runs a step under the sweep's lease; null: it is lost, and nothing more is changed.
 * Memory: the ids of 1 % of the users, and of those accepted.
 */
export async function markOrphans(instance: Pick<Instance, 'journal' | 'log'>, source: UserSource, write: Write, signal: AbortSignal): Promise<OrphansMarked> {
  const { log } = instance;
  const found = source.isGone === undefined ? await findInPostgres(instance, write, signal) : await findByAsking(instance, source.isGone, write, signal);
  if (found === null || signal.aborted || found.gone === 0) return { marked: 0, refused: 0 };
  if (found.ids === null) {
    await write((db) => refuseOrphans(db, found.gone));
    log.error({ orphans: found.gone, users: found.users, mend: 'if so many users were deleted: `wallet-sync orphans accept`' }, 'too many users seem to be deleted: none is marked as orphaned');
    return { marked: 0, refused: found.gone };
  }
  const ids = found.ids;
  const marked = (await write((db) => markOrphaned(db, ids))) ?? 0;
  if (marked > 0) log.info({ marked }, 'users were deleted: their wallets are orphaned');
  return { marked, refused: 0 };
}

/** `ids` null: they are too many. */
interface Found {
  readonly users: number;
  readonly gone: number;
  readonly ids: readonly string[] | null;
}

async function findInPostgres({ journal, log }: Pick<Instance, 'journal' | 'log'>, write: Write, signal: AbortSignal): Promise<Found | null> {
  sayUnmarked(log, await write(unmarkFound));
  const { users, accepted } = await readOrphanGuard(journal);
  const most = mostOf(users) + accepted;
  const ids: string[] = [];
  let gone = 0;
  for (let after: string | null = null; ; ) {
    if (signal.aborted) return null;
    const page: Awaited<ReturnType<typeof readGoneUsers>> = await readGoneUsers(journal, after, PAGE);
    gone += page.gone.length;
    if (gone <= most) ids.push(...page.gone);
    if (page.lastId === null) break;
    after = page.lastId;
  }
  return { users, gone, ids: areTooMany(gone - accepted, users) ? null : ids };
}

async function findByAsking({ journal, log }: Pick<Instance, 'journal' | 'log'>, isGone: NonNullable<UserSource['isGone']>, write: Write, signal: AbortSignal): Promise<Found | null> {
  const { users, accepted, askedAfter } = await readOrphanGuard(journal);
  const asked = await readAsked(journal, { ...ASKED, rowless: ASKED.rowless + accepted, after: askedAfter });
  const answers = new Map<string, boolean>();
  let failures = 0;
  /** Who is gone of them, as far as the server answers: another answer than that it knows no such user says nothing. */
  async function goneOf(ids: readonly string[]): Promise<string[]> {
    for (const id of ids) {
      if (failures >= MOST_FAILURES || signal.aborted) break;
      try {
        if (!answers.has(id)) answers.set(id, await isGone(id, signal));
      } catch (thrown) {
        failures += 1;
        if (!signal.aborted) log.warn({ authId: id, reason: toAppError(thrown).message }, 'the Auth server does not say whether a user is gone');
      }
    }
    return ids.filter((id) => answers.get(id) === true);
  }
  const rowless = await goneOf(asked.rowless);
  await goneOf(asked.back);
  const known = new Set([...asked.rowless, ...asked.orphans]);
  const others = asked.next.filter((id) => !known.has(id));
  await goneOf(asked.next);
  const goneOthers = await goneOf(others);
  if (signal.aborted) return null;

  const there = [...answers].filter(([, isGone]) => !isGone).map(([id]) => id);
  sayUnmarked(log, there.length === 0 ? 0 : await write((db) => unmarkOrphans(db, there)));
  const last = asked.next.filter((id) => answers.has(id)).at(-1);
  if (last !== undefined) await write((db) => saveAskedAfter(db, last));
  // A part of too many is too many: those who show the same sign and were not asked for count, and those drawn by their id stand for all.
  const unasked = rowless.length === 0 ? 0 : asked.allRowless - asked.rowless.length;
  const gone = rowless.length + goneOthers.length + unasked;
  const isTooMuch = areTooMany(gone - accepted, users) || areTooMany(goneOthers.length - accepted, others.length);
  return { users, gone, ids: isTooMuch ? null : [...rowless, ...goneOthers] };
}

function sayUnmarked(log: Instance['log'], unmarked: number | null): void {
  if (unmarked !== null && unmarked > 0) log.info({ unmarked }, 'orphans are users again');
}
