import { AppError } from '../errors.js';
import { sampleKeys, type SampledKey } from '../journal/keySample.js';
import { readMasterKeys, sealingKey, type MasterKey } from '../journal/masterKeys.js';
import type { Db } from '../journal/pool.js';
import { keyIdOf } from '../secrets.js';
import type { AuditedVault } from './auditedVault.js';

type Ring = Pick<AuditedVault, 'keyId' | 'keyIds' | 'recognizes'>;

/** The oldest and the newest so many of a master key: an id has 32 bits, so another key can have the same. */
const EACH = 5;
const WHERE = 'WALLET_ENCRYPTION_KEY';

/**
 * Every master key that stored keys are under must be held, or half of the work would fail and every wallet look broken. Throws `usage`
 * that names what is lacking and what to set. Writes nothing and opens no private key.
 */
export async function requireMasterKeys(db: Db, vault: Ring): Promise<void> {
  const known = await readMasterKeys(db);
  const needed = known.filter((key) => key.state !== 'retired');
  const lacking = needed.filter((key) => !vault.keyIds.includes(key.id));
  if (lacking.length > 0) throw lacks(lacking, needed, known, vault);
  if (needed.length === 0) return requireFirst(await sampleKeys(db, EACH), known, vault);
  for (const { id } of needed) requireOwn(await sampleKeys(db, EACH, id), vault);
}

/** Registers the master key that seals where the database knows none yet, and looks again: another instance may have been first, with another. */
export async function registerMasterKey(db: Db, vault: Ring): Promise<void> {
  if ((await sealingKey(db, vault.keyId)) !== vault.keyId) await requireMasterKeys(db, vault);
}

/** Where no master key is in use: none was registered yet, or the current one is lost and was retired by hand. Keys under retired ones then say nothing of this one. */
function requireFirst(sample: readonly SampledKey[], retired: readonly MasterKey[], vault: Ring): void {
  const isRetired = (id: string | null): boolean => retired.some((key) => key.id === id);
  if (isRetired(vault.keyId)) throw new AppError('usage', `master key ${vault.keyId} is retired, and no other one is current`, { where: WHERE, mend: 'make a new one with `wallet-sync keys generate`: a retired one never comes back. Nothing was changed' });
  requireOwn(sample.filter(({ encryptedPrivateKey }) => !isRetired(keyIdOf(encryptedPrivateKey))), vault);
}

/** One broken row is a matter for a sweep; where none of several is known, it is the master key that is wrong. */
function requireOwn(sample: readonly SampledKey[], vault: Ring): void {
  const sealed = sample.flatMap(({ encryptedPrivateKey, publicKey }) => {
    const id = keyIdOf(encryptedPrivateKey);
    return id === null ? [] : [{ id, encryptedPrivateKey, publicKey }];
  });
  if (sealed.length === 0 || sealed.some(({ encryptedPrivateKey, publicKey }) => vault.recognizes(encryptedPrivateKey, publicKey))) return;
  const ids = [...new Set(sealed.map(({ id }) => id))];
  throw new AppError('usage', `this is not the master key that the stored keys are encrypted under: none of ${sealed.length} that were tried is known to it, though their key id is ${ids.join(', ')} and its own ${vault.keyIds.join(' and ')}`, {
    where: WHERE,
    mend: 'set it to the key that was used before, from its backup. Nothing was changed',
  });
}

function lacks(lacking: readonly MasterKey[], needed: readonly MasterKey[], known: readonly MasterKey[], vault: Ring): AppError {
  const ids = lacking.map((key) => key.id).join(' and ');
  const retired = known.filter((key) => key.state === 'retired' && vault.keyIds.includes(key.id));
  const held = vault.keyIds.map((id) => {
    const since = retired.find((key) => key.id === id)?.since;
    return since === undefined ? id : `${id} (retired by a rotation at ${since.toISOString().slice(0, 19)}Z)`;
  });
  const mend =
    needed.length === 1
      ? `set WALLET_ENCRYPTION_KEY to the key with the id ${ids}`
      : `a rotation is under way: set WALLET_ENCRYPTION_KEY and WALLET_ENCRYPTION_KEY_NEXT to the keys with the ids ${needed.map((key) => key.id).join(' and ')} until \`wallet-sync keys rotate\` has ended it`;
  return new AppError('usage', `stored keys are encrypted under master key ${ids}, and the one that is set is ${held.join(' and ')}`, { where: WHERE, mend: `${mend}. Nothing was changed` });
}
