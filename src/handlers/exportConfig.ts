import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { toAppError } from '../errors.js';
import { closeToOthers } from '../files/checkKeyFiles.js';
import { lockFolder, type FolderLock } from '../files/folderLock.js';
import { compareFlowProduction, mergeFlowProduction, type Corrupt } from '../files/flowProduction.js';
import type { EntrySource, FileAccount, Merged } from '../files/mergeEntries.js';
import { prepareFolder, requireOwnFolder } from '../files/ownFolder.js';
import { accountsByUser, assignmentsAfter, EXPORT_START, exportEnd, exportStart, type ExportCursor } from '../journal/exports.js';
import { createKeyFiles, type ExportInstance } from './exportKeys.js';

/** Accounts read at once: 2,000 of them are half a megabyte. */
const PAGE = 2_000;
/** The file is rewritten when this share of its entries is new … */
const PENDING_SHARE = 0.05;
/** … or when nothing more has come for this long. */
const QUIET_MS = 60_000;
/** The writer's lock is renewed; one of a killed process is free after this. */
const LOCK_STALE_MS = 10_000;
/** What a stop still merges may take so long: 150,000 entries. The reactor waits 3 s for all of it. */
const CLOSING_MS = 2_500;
/** After failures the next try waits, from 1 s doubling to 60 s; flush and close try at once. */
const RETRY_MS = 1_000;
const RETRY_CAP_MS = 60_000;

export interface ConfigExport {
  /** Follows the assignments up to now: key files at once, the configuration when enough is pending. */
  follow(): Promise<void>;
  /** Follows, and writes what is pending. */
  flush(): Promise<void>;
  /** Flushes, for at most 2.5 s, and gives the folder's lock back. */
  close(): Promise<void>;
}

export interface ConfigExportOptions {
  /** Milliseconds without a change after which the file is written. Default 60,000. */
  readonly quietMs?: number;
  /** Milliseconds after which the lock of a killed process is free; at least 2,000. Default 10,000. */
  readonly lockStaleMs?: number;
}

/**
 * Keeps flow-production.json and pkeys/ for the Flow CLI: a projection of the journal that follows the assignment cursor, so it
 * sees what any instance has given. One writer a folder; who doesn't hold its lock tries again at each call. Nothing of the accounts is kept in memory:
 * once after taking the lock all are compared with the files, from then on only what is new is read, and a write merges file and journal as streams.
 */
export function createConfigExport(instance: ExportInstance, options: ConfigExportOptions = {}): ConfigExport {
  const { settings, journal, log } = instance;
  const folder = settings.ACCOUNTS_DIR;
  const path = join(folder, 'flow-production.json');
  const keys = createKeyFiles(instance);
  const quietMs = options.quietMs ?? QUIET_MS;
  let lock: FolderLock | null = null;
  /** Whether all accounts were compared with the files since the lock was taken. */
  let isCompared = false;
  let cursor: ExportCursor = EXPORT_START;
  /** Assignments that were taken already and lie above where the next look begins: place and user, for a journal made anew gives its places again. */
  const taken = new Map<number, string>();
  let entries = 0;
  let pending = 0;
  let gone = 0;
  let isClosing = false;
  /** The time to close is over: what is under way ends without an effect. */
  let isOver = false;
  let failures = 0;
  let reported = '';
  let retryAt = 0;
  let quiet: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  const onCorrupt = ({ reason, setAsideAs }: Corrupt): void =>
    log.warn({ path, setAsideAs, reason, mend: 'nothing to do for wallets; entries made by hand are in the file set aside' }, 'configuration file is corrupt and is rebuilt');

  const pass = async (accounts: number): Promise<void> => {
    for (; accounts > 0; accounts -= 1) await instance.faultPoints.at('assigned');
  };

  /** All accounts in pages; ends where the process does. */
  async function* accounts(): AsyncGenerator<Iterable<FileAccount>> {
    for await (const page of accountsByUser(journal, PAGE)) {
      if (isOver) throw new Stopped();
      yield page;
    }
  }

  /** The folder's lock, and what the files lack. False where another holds it. */
  const open = async (mustWrite: boolean): Promise<boolean> => {
    if (lock === null || lock.isLost()) {
      isCompared = false;
      await prepareFolder(folder);
      await prepareFolder(join(folder, 'pkeys'));
      lock = await lockFolder(folder, options.lockStaleMs ?? LOCK_STALE_MS, (reason) => log.warn({ path: folder, reason }, 'configuration lock lost'));
      if (lock === null) return false;
      for (const file of [path, `${path}.backup`]) if (closeToOthers(file)) log.warn({ path: file }, 'configuration file that others could read was closed to them');
    } else {
      // Prepared when the lock was taken; nothing is written where one has become a link since.
      requireOwnFolder(folder);
      requireOwnFolder(join(folder, 'pkeys'));
    }
    // Nobody tells when somebody takes the file away.
    if (!isCompared || (mustWrite && entries > 0 && !existsSync(path))) await compare();
    return true;
  };

  /** Reads all accounts once: key files that are missing are written, entries that are missing are pending. */
  const compare = async (): Promise<void> => {
    const end = await exportEnd(journal);
    const names = await keys.names();
    /** Key files that were there before the entry: of this account, or of one that the user had in another journal. */
    let doubted: string[] = [];
    async function* pages(): AsyncGenerator<Iterable<FileAccount>> {
      for await (const page of accounts()) {
        const missing: string[] = [];
        if (names !== null) for (const { authId } of page) if (!names.has(authId)) missing.push(authId);
        await pass(missing.length);
        await keys.ensure(missing);
        yield page;
        await keys.ensure(doubted);
        doubted = [];
      }
    }
    const mayJoin = ({ authId }: FileAccount): boolean => {
      if (!keys.has(authId)) return false;
      if (names?.has(authId)) doubted.push(authId);
      return true;
    };
    const found = await compareFlowProduction(path, () => ({ pages: pages(), mayJoin }), { onCorrupt });
    learn(found);
    pending = found.added + found.changed;
    entries = found.entries - found.added;
    cursor = end;
    taken.clear();
    isCompared = true;
    if (pending > 0) startQuiet();
  };

  const learn = (merged: Merged): void => {
    entries = merged.entries;
    if (merged.gone !== gone) log.info({ path, gone: merged.gone }, 'entries of users who are gone are kept');
    gone = merged.gone;
  };

  /** Key files for what was given since the last look. */
  const takeNew = async (): Promise<void> => {
    const start = await exportStart(journal, cursor);
    for (const place of taken.keys()) if (place <= start.place) taken.delete(place);
    let { place } = start;
    for (;;) {
      const page = await assignmentsAfter(journal, place, PAGE);
      const fresh = page.filter(({ assignment, authId }) => taken.get(assignment) !== authId);
      await pass(fresh.length);
      await keys.ensure(fresh.map(({ authId }) => authId));
      const joining = fresh.filter(({ authId }) => keys.has(authId)).length;
      pending += joining;
      if (joining > 0) startQuiet();
      for (const { assignment, authId } of fresh) taken.set(assignment, authId);
      place = page.at(-1)?.assignment ?? place;
      if (page.length < PAGE) break;
      if (isOver) throw new Stopped();
    }
    cursor = { ...start, place };
  };

  const startQuiet = (): void => {
    clearTimeout(quiet);
    if (!isClosing) quiet = setTimeout(() => void queue(true), quietMs);
  };

  const write = async (): Promise<void> => {
    clearTimeout(quiet);
    const startedAt = instance.now();
    const held = lock;
    const mayJoin = ({ authId }: FileAccount): boolean => keys.has(authId);
    const source = (): EntrySource => ({ pages: accounts(), mayJoin });
    const merged = await mergeFlowProduction(path, source, { onCorrupt, mayReplace: () => !isOver && held?.isLost() === false });
    if (merged === null) return;
    await instance.faultPoints.at('files written');
    learn(merged);
    log.debug({ entries: merged.entries, added: merged.added, changed: merged.changed, durationMs: instance.now() - startedAt }, 'configuration written');
    pending = 0;
  };

  const follow = async (mustWrite: boolean): Promise<void> => {
    if (isOver || (!mustWrite && instance.now() < retryAt)) return;
    if (!(await open(mustWrite))) return;
    await takeNew();
    if (pending > 0 && (mustWrite || pending >= Math.max(1, (entries + pending) * PENDING_SHARE))) await write();
  };

  /** One at a time, in order. A failure is reported and leaves the files as they were. */
  const queue = (mustWrite: boolean): Promise<void> => {
    running = running.then(() => follow(mustWrite)).then(succeed, fail);
    return running;
  };
  const succeed = (): void => {
    if (failures > 0) log.info({ path, pending }, 'configuration files can be written again');
    failures = 0;
    reported = '';
    retryAt = 0;
  };
  /** Told once for each cause: it is tried again every few seconds. */
  const fail = (thrown: unknown): void => {
    if (isOver || thrown instanceof Stopped) return;
    const error = toAppError(thrown);
    failures += 1;
    retryAt = instance.now() + Math.min(RETRY_CAP_MS, RETRY_MS * 2 ** Math.min(failures - 1, 10));
    if (pending > 0) startQuiet();
    if (reported === error.message) return;
    reported = error.message;
    log.error({ path, kind: error.kind, where: error.where ?? path, reason: error.message, mend: error.mend }, 'configuration not written');
  };

  return {
    follow: () => queue(false),
    flush: () => queue(true),
    async close() {
      isClosing = true;
      const last = queue(true);
      const isDone = await Promise.race([last.then(() => true), pause(CLOSING_MS, false, { ref: false })]);
      clearTimeout(quiet);
      isOver = true;
      if (!isDone || pending > 0) log.warn({ path, pending, mend: 'nothing is lost: the next start writes it' }, 'configuration file is behind');
      // Who may still be writing keeps the lock until that ends; so does the process's end.
      if (isDone) await lock?.release();
      else void last.then(() => lock?.release());
    },
  };
}

/** Ends what is under way when the process stops. */
class Stopped extends Error {
  override readonly name = 'Stopped';
}
