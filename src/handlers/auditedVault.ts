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
export type KeyOpener = Pick<Vault, 'open'>;

/** The vault as the handlers have it: no key is opened before the audit log says that it will be, and why. */
export interface AuditedVault {
  readonly keyId: string;
  readonly seal: Vault['seal'];
  /** Writes an entry for each user or account named, one where none is, and only then gives what opens them. */
  openFor(use: KeyUse): Promise<KeyOpener>;
}

/** Throws the journal's error where the entry cannot be written: then no key is opened. */
export function createAuditedVault(options: { readonly masterKey: Buffer; readonly journal: Db; readonly instanceId: string }): AuditedVault {
  const vault = createVault(options.masterKey);
  return {
    keyId: vault.keyId,
    seal: (privateKey, publicKey) => vault.seal(privateKey, publicKey),
    async openFor({ why, authIds = [], accountIds = [], detail = {} }) {
      const entry = { kind: 'key-opened', detail: { why, ...detail } } as const;
      const named = [...authIds.map((authId) => ({ ...entry, authId })), ...accountIds.map((accountId) => ({ ...entry, accountId }))];
      await writeAudit(options.journal, options.instanceId, named.length === 0 ? [entry] : named);
      return vault;
    },
  };
}
