import { randomUUID } from 'node:crypto';
import { createAuditedVault, type AuditedVault } from '../../handlers/auditedVault.js';
import type { Db } from '../../journal/pool.js';
import { pickSettings, type Environment } from '../../settings.js';

/** What opens the users' keys for a command. Throws `usage` where the master key is missing or wrong in form. */
export function openUserVault(environment: Environment): (journal: Db) => AuditedVault {
  const { WALLET_ENCRYPTION_KEY: masterKey } = pickSettings(environment, ['WALLET_ENCRYPTION_KEY']);
  return (journal) => createAuditedVault({ masterKey, journal, instanceId: randomUUID() });
}
