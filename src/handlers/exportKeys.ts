import { join } from 'node:path';
import pLimit from 'p-limit';
import { toAppError } from '../errors.js';
import { checkKeyFiles } from '../files/checkKeyFiles.js';
import { hasKeyFile, holdsKey, placeKeyFile } from '../files/keyFiles.js';
import { readKeyNames, type KeyNames } from '../files/keyNames.js';
import { requireOwnFolder } from '../files/ownFolder.js';
import { syncFolder } from '../files/writePartial.js';
import { writeAudit } from '../journal/audit.js';
import { keysOf, type SealedKey } from '../journal/exports.js';
import type { Settings } from '../settings.js';
import type { KeyOpener } from './auditedVault.js';
import type { Instance } from './instance.js';

/** Keys asked for at once. */
const BATCH = 500;
/** Files written at once: as many as Node has threads for files, so that one's fsync doesn't hold up all. */
const WRITERS = 4;
/** Of keys that don't open, so many are remembered as told. */
const TOLD = 1_000;

/** What the files are made from. */
export type ExportInstance = Pick<Instance, 'id' | 'journal' | 'vault' | 'log' | 'faultPoints' | 'now'> & { readonly settings: Pick<Settings, 'ACCOUNTS_DIR' | 'pkeyFiles'> };

/** The key files, pkeys/<auth_id>.pkey. */
export interface KeyFiles {
  /** Sees to it that each of these users has his key file, with the account's key in it. Up to 500 at a time, durable on return. */
  ensure(authIds: readonly string[]): Promise<void>;
  /** Whether a user's key file is there. Where none are to be written, all count as there. */
  has(authId: string): boolean;
  /** Those that are there now, for comparing with all accounts, once all have been looked at: what others could read is closed to them. Null where none are to be written. */
  names(): Promise<KeyNames | null>;
}

/** A key that does not open is reported and left out: one broken row must not hold up the others. Throws the system's error. */
export function createKeyFiles(instance: ExportInstance): KeyFiles {
  const { settings, journal, vault, log } = instance;
  const folder = join(settings.ACCOUNTS_DIR, 'pkeys');
  if (!settings.pkeyFiles) return { ensure: () => Promise.resolve(), has: () => true, names: () => Promise.resolve(null) };
  const told = new Set<string>();
  const limit = pLimit(WRITERS);

  const open = (vault: KeyOpener, { authId, encryptedPrivateKey, publicKey }: SealedKey): string | null => {
    try {
      return vault.open(encryptedPrivateKey, publicKey);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (!told.has(authId)) log.error({ authId, kind: error.kind, reason: error.message, mend: error.mend }, 'key does not open: left out of the configuration');
      if (told.size < TOLD) told.add(authId);
      return null;
    }
  };
  const ensureBatch = async (authIds: readonly string[]): Promise<void> => {
    const sealed = await keysOf(journal, authIds);
    if (sealed.length === 0) return;
    // Before a key is opened: the folder may have become a link since it was prepared.
    requireOwnFolder(folder);
    const opener = await vault.openFor({ why: 'its key file for the Flow CLI', authIds: sealed.map((key) => key.authId) });
    const placed: string[] = [];
    const failures: unknown[] = [];
    const ensureOne = async (key: SealedKey): Promise<void> => {
      if (failures.length > 0) return;
      try {
        const { authId } = key;
        const privateKey = open(opener, key);
        if (privateKey === null || (await holdsKey(folder, authId, privateKey))) return;
        await placeKeyFile(folder, authId, privateKey);
        placed.push(authId);
      } catch (error) {
        failures.push(error);
      }
    };
    // Each ends before the first failure is thrown: nothing is written any more by then.
    await Promise.all(sealed.map((key) => limit(ensureOne, key)));
    if (placed.length > 0) await syncFolder(folder);
    await writeAudit(journal, instance.id, placed.map((authId) => ({ kind: 'key-exported', authId, detail: { to: 'key file' } })));
    if (failures.length > 0) throw failures[0];
  };

  return {
    async ensure(authIds) {
      for (let from = 0; from < authIds.length; from += BATCH) await ensureBatch(authIds.slice(from, from + BATCH));
    },
    has: (authId) => hasKeyFile(folder, authId),
    async names() {
      const { tightened, foreign } = await checkKeyFiles(folder);
      if (tightened > 0) log.warn({ path: folder, files: tightened, mend: 'who could read them has the keys of those wallets' }, 'key files that others could read were closed to them');
      const [authId] = foreign;
      if (authId !== undefined) log.warn({ path: folder, files: foreign.size, authId, mend: 'see who put them there' }, 'key files that are links or of another user are not read, and replaced');
      const names = await readKeyNames(folder);
      return { count: names.count, has: (name) => !foreign.has(name) && names.has(name) };
    },
  };
}
