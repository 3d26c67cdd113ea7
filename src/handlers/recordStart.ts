import { hostname } from 'node:os';
import { writeAudit } from '../journal/audit.js';
import { recordSettings } from '../settingsRecord.js';
import type { Instance } from './instance.js';

/** Writes to the audit log that this instance starts, where, and with which settings; secrets as fingerprints. */
export async function recordStart({ journal, id, settings, vault }: Pick<Instance, 'journal' | 'id' | 'settings' | 'vault'>): Promise<void> {
  await writeAudit(journal, id, [{ kind: 'started', detail: { host: hostname(), pid: process.pid, master_key: vault.keyId, settings: recordSettings(settings) } }]);
}
