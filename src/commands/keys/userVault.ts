import { randomUUID } from 'node:crypto';
import { createAuditedVault, type AuditedVault } from '../../handlers/auditedVault.js';
import { requireMasterKeys } from '../../handlers/requireMasterKeys.js';
import type { Db } from '../../journal/pool.js';
import { openMasterKeys } from '../../masterKey/openMasterKey.js';
import { pickSettings, type Environment } from '../../settings.js';

/** What opens the users' keys for a command. Throws `usage` where a master key is missing, wrong in form, or not the one that stored keys are under. */
export async function openUserVault(environment: Environment): Promise<(journal: Db) => Promise<AuditedVault>> {
  const masterKeys = await openMasterKeys(pickSettings(environment, ['WALLET_ENCRYPTION_KEY', 'WALLET_ENCRYPTION_KEY_NEXT']));
  return async (journal) => {
    const vault = createAuditedVault({ ...masterKeys, journal, instanceId: randomUUID() });
    await requireMasterKeys(journal, vault);
    return vault;
  };
}
