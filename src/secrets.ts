import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { AppError } from './errors.js';

const VERSION = 'v1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const PRIVATE_KEY = /^[0-9a-fA-F]{64}$/;
const KEY_ID = /^[0-9a-f]{8}$/;
/** Both parts are 60 bytes: nonce, 32 bytes, tag. */
const SEALED = /^v1:([0-9a-f]{8}):[A-Za-z0-9+/]{80}:[A-Za-z0-9+/]{80}$/;

/**
 * Seals and opens users' private keys with a ring of master keys, which stay inside its closure. Which one a ciphertext needs is
 * written in it.
 */
export interface Vault {
  /** Names the first master key, which seals where none is named. Not a secret. */
  readonly keyId: string;
  /** Names all master keys that are held: what is sealed under one of them opens. */
  readonly keyIds: readonly string[];
  /**
   * Encrypts a private key (32 bytes in hex) under the master key `keyId` (default: the first) and binds it to its public key: swapped rows
   * don't open. Throws `data` where it is no such key, `usage` where that master key is not held.
   */
  seal(privateKey: string, publicKey: string, keyId?: string): string;
  /** The private key (lower-case hex). Throws `data` where the ciphertext is broken, another's, or of a master key that is not held. */
  open(sealed: string, publicKey: string): string;
  /** Whether the master key that it names is held and wrapped its data key. Opens no private key. */
  recognizes(sealed: string, publicKey: string): boolean;
}

/** The id of the master key that a sealed private key names; null where the text is none. */
export function keyIdOf(sealed: string): string | null {
  return SEALED.exec(sealed)?.[1] ?? null;
}

/** What a ciphertext under this master key begins with. */
export const sealedPrefix = (keyId: string): string => `${VERSION}:${keyId}:`;

/**
 * Envelope encryption: each private key has a random data key of its own (AES-256-GCM), which a master key wraps (AES-256-GCM).
 * Format: `v1:<key id>:<base64 of nonce|wrapped data key|tag>:<base64 of nonce|ciphertext|tag>`; associated data of both
 * layers is version, key id and public key. Each master key has 32 bytes; the first seals, all open.
 */
export function createVault(masterKey: Buffer, ...further: readonly Buffer[]): Vault {
  const ring = createRing([masterKey, ...further]);
  const keyIds = [...ring.keys()];
  const keyId = keyIds[0] as string;
  const dataKeyOf = (sealed: string, publicKey: string): { id: string; dataKey: Buffer; body: string } => {
    const [version, id, wrapped, body, ...rest] = sealed.split(':');
    if (version !== VERSION || id === undefined || !KEY_ID.test(id) || wrapped === undefined || body === undefined || rest.length > 0) throw new AppError('data', 'not an encrypted key of this program', { where: 'flow_private_key' });
    const key = ring.get(id);
    if (key === undefined) throw new AppError('data', `encrypted under master key ${id}, not ${keyIds.join(' or ')}`, { where: 'flow_private_key', mend: 'set WALLET_ENCRYPTION_KEY (or, while keys are rotated, WALLET_ENCRYPTION_KEY_NEXT) to the key it was encrypted with' });
    return { id, dataKey: decrypt(key, decodeBase64(wrapped), bind(id, publicKey)), body };
  };

  return {
    keyId,
    keyIds,
    seal(privateKey, publicKey, id = keyId) {
      // Buffer.from stops at the first character that is not hex, so a malformed key would be sealed short, and lost.
      if (!PRIVATE_KEY.test(privateKey)) throw new AppError('data', 'a private key is 32 bytes in hex', { where: 'flow_private_key' });
      const key = ring.get(id);
      if (key === undefined) throw new AppError('usage', `keys are encrypted under master key ${id} now, and this instance holds ${keyIds.join(' and ')}`, { where: 'WALLET_ENCRYPTION_KEY', mend: `set WALLET_ENCRYPTION_KEY to the key with the id ${id} and restart` });
      const dataKey = randomBytes(KEY_BYTES);
      const wrapped = encrypt(key, dataKey, bind(id, publicKey));
      const body = encrypt(dataKey, Buffer.from(privateKey, 'hex'), bind(id, publicKey));
      return [VERSION, id, wrapped.toString('base64'), body.toString('base64')].join(':');
    },
    open(sealed, publicKey) {
      const { id, dataKey, body } = dataKeyOf(sealed, publicKey);
      return decrypt(dataKey, decodeBase64(body), bind(id, publicKey)).toString('hex');
    },
    recognizes(sealed, publicKey) {
      try {
        dataKeyOf(sealed, publicKey);
        return true;
      } catch {
        return false;
      }
    },
  };
}

const bind = (keyId: string, publicKey: string): Buffer => Buffer.from(`${VERSION}:${keyId}:${publicKey}`);

/** The keys by their ids, in their order. The same key twice is one. */
function createRing(masterKeys: readonly Buffer[]): ReadonlyMap<string, Buffer> {
  const ring = new Map<string, Buffer>();
  for (const key of masterKeys) {
    if (key.length !== KEY_BYTES) throw new AppError('usage', 'a master key has 32 bytes', { where: 'WALLET_ENCRYPTION_KEY' });
    const id = masterKeyId(key);
    if (ring.get(id)?.equals(key) === false) throw new AppError('usage', `two master keys have the same id ${id}`, { where: 'WALLET_ENCRYPTION_KEY_NEXT', mend: 'make another one with `wallet-sync keys generate`' });
    ring.set(id, key);
  }
  return ring;
}

/** What a master key is called in ciphertexts, in the database and in messages: the first 32 bits of a hash of it. Not a secret. */
export const masterKeyId = (masterKey: Buffer): string => createHash('sha256').update('wallet-sync key id').update(masterKey).digest('hex').slice(0, 8);

function encrypt(key: Buffer, plain: Buffer, associated: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(associated);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Exactly what Buffer writes: its reader skips what it doesn't know, so altered texts would open. */
function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw doesNotOpen();
  return bytes;
}

function doesNotOpen(): AppError {
  return new AppError('data', 'the encrypted key does not open: it was changed, or belongs to another public key', { where: 'flow_private_key' });
}

function decrypt(key: Buffer, sealed: Buffer, associated: Buffer): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(associated);
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    // The cause would say nothing more, and could carry key material.
    throw doesNotOpen();
  }
}
