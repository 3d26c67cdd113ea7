import { writeAudit } from '../journal/audit.js';
import type { Db } from '../journal/pool.js';
import { createVault, type Vault } from '../secrets.js';

/** Why keys are opened, and whose. Without users and accounts: all keys that are met, as in a sweep. */
export interface KeyUse {
  readonly why: string;
  readonly authIds?: readonly string[];
  readonly accountIds?: readonly number[];
  /** More that the entry tells. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** What opens keys once the log says why. */
export type KeyOpener = Pick<Vault, 'open' | 'keyIds'>;

/** The vault as the handlers have it: no key is opened before the audit log says that it will be, and why. */
export interface AuditedVault {
  readonly keyId: string;
  readonly keyIds: readonly string[];
  readonly seal: Vault['seal'];
  /** Opens no private key, so the log tells nothing of it. */
  readonly recognizes: Vault['recognizes'];
  /** Writes an entry for each user or account named, one where none is, and only then gives what opens them. */
  openFor(use: KeyUse): Promise<KeyOpener>;
}

export interface AuditedVaultOptions {
  readonly masterKey: Buffer;
  /** A second one that opens too, and seals where it is named. */
  readonly nextMasterKey?: Buffer | undefined;
  readonly journal: Db;
  readonly instanceId: string;
}

/** Throws the journal's error where the entry cannot be written: then no key is opened. */
export function createAuditedVault(options: AuditedVaultOptions): AuditedVault {
  const vault = createVault(options.masterKey, ...(options.nextMasterKey === undefined ? [] : [options.nextMasterKey]));
  return {
    keyId: vault.keyId,
    keyIds: vault.keyIds,
    seal: vault.seal,
    recognizes: vault.recognizes,
    async openFor({ why, authIds = [], accountIds = [], detail = {} }) {
      const entry = { kind: 'key-opened', detail: { why, ...detail } } as const;
      const named = [...authIds.map((authId) => ({ ...entry, authId })), ...accountIds.map((accountId) => ({ ...entry, accountId }))];
      await writeAudit(options.journal, options.instanceId, named.length === 0 ? [entry] : named);
      return vault;
    },
  };
}
