import { randomUUID } from 'node:crypto';
import { toAppError } from '../../errors.js';
import { isKeyOf } from '../../flow/keys.js';
import { createAuditedVault } from '../../handlers/auditedVault.js';
import { requireMasterKeys } from '../../handlers/requireMasterKeys.js';
import { sampleKeys } from '../../journal/keySample.js';
import { openMasterKeys } from '../../masterKey/openMasterKey.js';
import { defineCheck, fail, failOf, ok } from '../check.js';

/** The oldest and the newest so many: a key that was changed once shows in one of both. */
const EACH = 5;

/** The master key opens the users' stored keys, and they are what they should be. */
export const storedKeysCheck = defineCheck({
  name: 'master key',
  needs: ['migrations'],
  settings: ['DATABASE_URL', 'WALLET_ENCRYPTION_KEY', 'WALLET_ENCRYPTION_KEY_NEXT'],
  async examine({ journal }, masterKeys) {
    const vault = createAuditedVault({ ...(await openMasterKeys(masterKeys)), journal: journal(), instanceId: randomUUID() });
    try {
      await requireMasterKeys(journal(), vault);
    } catch (thrown) {
      const error = toAppError(thrown);
      return failOf(error, error.mend ?? '');
    }
    const keys = await sampleKeys(journal(), EACH);
    const opener = await vault.openFor({ why: 'doctor tries the master key', accountIds: keys.map(({ accountId }) => accountId) });
    for (const { accountId, encryptedPrivateKey, publicKey } of keys) {
      try {
        if (!isKeyOf(opener.open(encryptedPrivateKey, publicKey), publicKey)) return fail(`the key of account ${accountId} is not that of its public key`, 'restore table wallet_sync.account from a backup: the row was changed');
      } catch (thrown) {
        const { kind, message, mend } = toAppError(thrown);
        return failOf(toAppError({ message: `account ${accountId}: ${message}` }), mend ?? (kind === 'data' ? 'restore table wallet_sync.account from a backup: the row was changed' : 'set WALLET_ENCRYPTION_KEY to the key it was encrypted with'));
      }
    }
    const ring = vault.keyIds.join(' and ');
    return ok(keys.length === 0 ? `${ring}; no key is stored yet` : `${ring} opens the ${keys.length} stored keys that were tried`);
  },
});
