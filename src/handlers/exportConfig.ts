import { join } from 'node:path';
import { lock } from 'proper-lockfile';
import { toAppError } from '../errors.js';
import { prepareFolder, writeKeyFile } from '../files/keyFiles.js';
import { readFlowProduction, toEntry, writeFlowProduction, type FlowProduction } from '../files/flowProduction.js';
import { assignmentsAfter, EXPORT_START, exportStart, type AssignedAccount, type ExportCursor } from '../journal/assignments.js';
import type { Instance } from './instance.js';

const PAGE = 1_000;
/** The file is rewritten when this share of its entries is new … */
const PENDING_SHARE = 0.05;
/** … or when nothing more has come for this long. */
const QUIET_MS = 60_000;
/** The writer's lock is renewed; one of a killed process is free after this. */
const LOCK_STALE_MS = 10_000;

export interface ConfigExport {
  /** Follows the assignments up to now: key files at once, the configuration when enough is pending. */
  follow(): Promise<void>;
  /** Follows, and writes what is pending. */
  flush(): Promise<void>;
  /** Flushes and gives the folder's lock back. */
  close(): Promise<void>;
}

/**
 * Keeps flow-production.json and pkeys/ for the Flow CLI: a projection of the journal that follows the assignment cursor, so it
 * sees what any instance has given. One writer a folder; who doesn't hold its lock tries again at each call.
 */
export function createConfigExport(instance: Instance): ConfigExport {
  const { settings, journal, vault, log } = instance;
  const folder = settings.ACCOUNTS_DIR;
  const path = join(folder, 'flow-production.json');
  let release: (() => Promise<void>) | null = null;
  let content: FlowProduction = { accounts: {} };
  let cursor: ExportCursor = EXPORT_START;
  let pending = 0;
  let closing = false;
  let quiet: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  /** The folder's lock, and the file as it is; the cursor begins at the start, for entries that are there already cost nothing. */
  const open = async (): Promise<boolean> => {
    if (release !== null) return true;
    await prepareFolder(folder);
    await prepareFolder(join(folder, 'pkeys'));
    try {
      release = await lock(folder, {
        stale: LOCK_STALE_MS,
        onCompromised: (error) => {
          log.warn({ reason: error.message }, 'configuration lock lost');
          release = null;
        },
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return false;
      throw error;
    }
    const read = await readFlowProduction(path);
    if (read.corrupt !== null) log.warn({ path, setAsideAs: `${path}.corrupt`, reason: read.corrupt }, 'configuration file is corrupt and is rebuilt');
    content = read.content;
    cursor = EXPORT_START;
    pending = 0;
    return true;
  };

  const take = async (account: AssignedAccount): Promise<void> => {
    const entry = content.accounts[account.authId];
    cursor = { ...cursor, place: account.assignment };
    const isKnown = typeof entry === 'object' && entry !== null && 'address' in entry && entry.address === account.address;
    if (!isKnown) {
      await instance.faultPoints.at('assigned');
      if (settings.pkeyFiles && !(await writeKey(account))) return;
      content.accounts[account.authId] = toEntry(account.authId, account.address);
      pending += 1;
    }
  };

  /** False, and logged, where the key does not open: one broken row must not hold up the others. */
  const writeKey = async (account: AssignedAccount): Promise<boolean> => {
    let privateKey: string;
    try {
      privateKey = vault.open(account.encryptedPrivateKey, account.publicKey);
    } catch (thrown) {
      const error = toAppError(thrown);
      log.error({ authId: account.authId, reason: error.message, mend: error.mend }, 'key does not open: left out of the configuration');
      return false;
    }
    await writeKeyFile(join(folder, 'pkeys'), account.authId, privateKey);
    return true;
  };

  const write = async (): Promise<void> => {
    clearTimeout(quiet);
    if (pending === 0) return;
    await writeFlowProduction(path, content);
    await instance.faultPoints.at('files written');
    log.debug({ entries: Object.keys(content.accounts).length, added: pending }, 'configuration written');
    pending = 0;
  };

  const follow = async (mustWrite: boolean): Promise<void> => {
    if (!(await open())) return;
    cursor = await exportStart(journal, cursor);
    for (;;) {
      const page = await assignmentsAfter(journal, cursor.place, PAGE);
      for (const account of page) await take(account);
      if (page.length < PAGE || closing) break;
    }
    if (mustWrite || pending >= Math.max(1, Object.keys(content.accounts).length * PENDING_SHARE)) return write();
    clearTimeout(quiet);
    if (pending > 0) quiet = setTimeout(() => void queue(true).catch(() => undefined), QUIET_MS);
  };

  /** One at a time, in order. A failure is reported and leaves the files as they were. */
  const queue = (mustWrite: boolean): Promise<void> => {
    const next = running.then(() => follow(mustWrite)).catch((thrown: unknown) => {
      const error = toAppError(thrown);
      log.error({ path, kind: error.kind, reason: error.message }, 'configuration not written');
    });
    running = next;
    return next;
  };

  return {
    follow: () => queue(false),
    flush: () => queue(true),
    async close() {
      closing = true;
      await queue(true);
      clearTimeout(quiet);
      await release?.().catch(() => undefined);
      release = null;
    },
  };
}
