import { AppError } from '../../errors.js';
import type { Shared } from '../../journal/adopted.js';
import { sealingKey } from '../../journal/masterKeys.js';
import type { Db } from '../../journal/pool.js';
import type { AuditedVault, KeyOpener } from '../auditedVault.js';
import type { Instance } from '../instance.js';
import type { BlobReader } from './oldKeys.js';
import type { Reporter } from './report.js';

export interface AdoptOptions {
  /** Only look: nothing is written but the audit log's entries that keys were opened. */
  readonly isDryRun: boolean;
  /** What becomes of addresses that have no account. */
  readonly missing: 'leave' | 'provision';
  /** The older service's WALLET_ENCRYPTION_KEY, as text. */
  readonly passphrase: string;
  /** Go on where none of the older service's blobs opens. */
  readonly withoutBlobs: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, of: number | null) => void;
}

/** What the steps of an adoption share. */
export interface Adoption {
  readonly instance: Instance;
  readonly options: AdoptOptions;
  readonly reporter: Reporter;
  readonly opener: KeyOpener;
  readonly blobs: BlobReader;
  readonly shared: Shared;
  /** Calls a peer, again where the failure passes. */
  readonly call: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Held until the caller's transaction ends: no key goes under a master key that a rotation has made the old one meanwhile. Throws `data` where it has.
 */
export async function holdMasterKey(db: Db, { keyId }: Pick<AuditedVault, 'keyId'>): Promise<void> {
  if ((await sealingKey(db, keyId)) === keyId) return;
  throw new AppError('data', `master key ${keyId} is not the current one any more`, { where: 'adopt', mend: 'end the rotation (`wallet-sync keys rotate`), set WALLET_ENCRYPTION_KEY to the new one, and start this again: what is done stays done' });
}

export const stopped = (): AppError => new AppError('data', 'stopped before its end', { where: 'adopt', mend: 'start it again: what is done stays done, and the rest is taken up' });
