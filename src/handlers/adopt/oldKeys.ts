import { createDecipheriv, createHash, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { publicKeyOf } from '../../flow/keys.js';

const derive = promisify(pbkdf2);
const ROUNDS = 100_000;
const [SALT, NONCE, TAG, KEY] = [16, 12, 16, 32];
/** Derived keys that are kept: an older service may have used one salt for all, or for many. */
const KEPT = 64;
const PLAIN = /^(?:0x)?([0-9a-f]{64})$/i;
/** What is too short to hold a salt, a nonce, a tag and a byte is no blob. */
const BLOB = /^[A-Za-z0-9+/]{60,4096}={0,2}$/;

/** A private key's text in a row of an older service, by its shape alone. */
export type KeyShape = 'ours' | 'plaintext' | 'old-blob' | 'unknown';

/** A key that was read: 32 bytes in lower-case hex, with its public key (64 bytes, lower-case hex); or why there is none. */
export type OldKey = { readonly privateKey: string; readonly publicKey: string } | { readonly fault: string };

/** What kind of text it is. Says nothing about whether it opens. */
export function shapeOf(text: string): KeyShape {
  const trimmed = text.trim();
  if (trimmed.startsWith('v1:')) return 'ours';
  if (PLAIN.test(trimmed)) return 'plaintext';
  return BLOB.test(trimmed) ? 'old-blob' : 'unknown';
}

/** Reads a key in plain hex: 64 digits of either case, with or without 0x. Never throws. */
export function readPlainKey(text: string): OldKey {
  const hex = PLAIN.exec(text.trim())?.[1]?.toLowerCase();
  return hex === undefined ? { fault: 'it is not 64 hex digits' } : toKey(hex);
}

/** Reads the blobs of one passphrase. */
export interface BlobReader {
  /** The key in base64(salt 16 | nonce 12 | ciphertext and tag): 32 raw bytes, or hex text. Never throws. */
  read(text: string): Promise<OldKey>;
}

/**
 * AES-256-GCM under PBKDF2-HMAC-SHA256 of the passphrase, 100,000 rounds: 30 to 60 ms a salt, on the thread pool. The passphrase stays inside the
 * closure, and so do the last 64 derived keys.
 */
export function createBlobReader(passphrase: string): BlobReader {
  const derived = new Map<string, Promise<Buffer>>();
  const keyFor = (salt: Buffer): Promise<Buffer> => {
    const name = salt.toString('hex');
    const known = derived.get(name);
    if (known !== undefined) return known;
    const oldest = derived.keys().next();
    if (derived.size >= KEPT && oldest.done !== true) derived.delete(oldest.value);
    const key = derive(passphrase, salt, ROUNDS, KEY, 'sha256');
    derived.set(name, key);
    return key;
  };
  return {
    async read(text) {
      const bytes = Buffer.from(text.trim(), 'base64');
      if (!BLOB.test(text.trim()) || bytes.length <= SALT + NONCE + TAG) return { fault: 'it is no base64 of salt, nonce, ciphertext and tag' };
      const plain = open(await keyFor(bytes.subarray(0, SALT)), bytes.subarray(SALT));
      if (plain === null) return { fault: 'the passphrase does not open it, or it was changed' };
      if (plain.length === KEY) return toKey(plain.toString('hex'));
      const key = readPlainKey(plain.toString('latin1'));
      return 'fault' in key && key.fault.startsWith('it is not 64') ? { fault: `it opens, and what is inside is no key (${plain.length} bytes)` } : key;
    },
  };
}

/** The digest by which a text is compared in SQL: a plaintext key must not be a statement's parameter, which a server may log. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

function open(key: Buffer, sealed: Buffer): Buffer | null {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE), { authTagLength: TAG });
    decipher.setAuthTag(sealed.subarray(-TAG));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE, -TAG)), decipher.final()]);
  } catch {
    return null;
  }
}

function toKey(privateKey: string): OldKey {
  try {
    return { privateKey, publicKey: publicKeyOf(privateKey) };
  } catch {
    return { fault: 'it is no private key of ECDSA_P256' };
  }
}
