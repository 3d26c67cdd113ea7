import { toAppError } from '../../errors.js';
import { isKeyOf, publicKeyOf } from '../../flow/keys.js';
import type { OldRow } from '../../journal/adopted.js';
import type { Adoption } from './adoption.js';
import { toReadKey, type ReadKey } from './classify.js';
import { readPlainKey, shapeOf } from './oldKeys.js';
import { readPublicKey } from './spelling.js';

/** Reads a row's private key, whoever wrote it. Never throws. */
export async function readKey({ instance, opener, blobs }: Pick<Adoption, 'instance' | 'opener' | 'blobs'>, row: OldRow): Promise<ReadKey> {
  const { privateKey: text } = row;
  // What the journal has is not read again: it may just be re-wrapped under another master key.
  if (text === null || row.hasAccount) return { kind: 'none' };
  const shape = shapeOf(text);
  if (shape === 'plaintext') return toReadKey(shape, readPlainKey(text));
  if (shape === 'old-blob') return toReadKey(shape, await blobs.read(text));
  if (shape === 'unknown') return { kind: 'fault', class: 'does-not-open', reason: 'it is in no form that is known' };
  const id = text.trim().split(':')[1] ?? '';
  if (/^[0-9a-f]{8}$/.test(id) && !instance.vault.keyIds.includes(id)) return { kind: 'fault', class: 'other-master-key', reason: `encrypted under master key ${id}, not ${instance.vault.keyIds.join(' or ')}` };
  const stated = row.publicKey ?? row.boundTo;
  const publicKey = stated === null ? null : readPublicKey(stated);
  if (publicKey === null) return { kind: 'fault', class: 'does-not-open', reason: 'it is bound to a public key, and the row has none' };
  try {
    const privateKey = opener.open(text.trim(), publicKey);
    // Bound to a wrong one, which was taken away: the right one follows from the key.
    if (row.publicKey === null) return { kind: 'key', shape: 'ours', privateKey, publicKey: publicKeyOf(privateKey) };
    if (!isKeyOf(privateKey, publicKey)) return { kind: 'fault', class: 'mismatch', reason: 'its public key does not belong to its private key' };
    return { kind: 'key', shape: 'ours', privateKey, publicKey };
  } catch (thrown) {
    return { kind: 'fault', class: 'does-not-open', reason: toAppError(thrown).message };
  }
}
