import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { AppError } from './errors.js';

const VERSION = 'v1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const PRIVATE_KEY = /^[0-9a-fA-F]{64}$/;
const KEY_ID = /^[0-9a-f]{8}$/;

/** Seals and opens users' private keys. The master key stays inside its closure. */
export interface Vault {
  /** Names the master key in each ciphertext, so that a rotation can tell old from new. Not a secret. */
  readonly keyId: string;
  /** Encrypts a private key (32 bytes in hex) and binds it to its public key: swapped rows don't open. Throws `data` where it is no such key. */
  seal(privateKey: string, publicKey: string): string;
  /** The private key (lower-case hex). Throws `data` where the ciphertext is broken, another's, or of another master key. */
  open(sealed: string, publicKey: string): string;
}

/**
 * Envelope encryption: each private key has a random data key of its own (AES-256-GCM), which the master key wraps (AES-256-GCM).
 * Format: `v1:<key id>:<base64 of nonce|wrapped data key|tag>:<base64 of nonce|ciphertext|tag>`; associated data of both
 * layers is version, key id and public key. `masterKey`: 32 bytes.
 */
export function createVault(masterKey: Buffer): Vault {
  if (masterKey.length !== KEY_BYTES) throw new AppError('usage', 'a master key has 32 bytes', { where: 'WALLET_ENCRYPTION_KEY' });
  const keyId = createHash('sha256').update('wallet-sync key id').update(masterKey).digest('hex').slice(0, 8);
  const bind = (publicKey: string): Buffer => Buffer.from(`${VERSION}:${keyId}:${publicKey}`);

  return {
    keyId,
    seal(privateKey, publicKey) {
      // Buffer.from stops at the first character that is not hex, so a malformed key would be sealed short, and lost.
      if (!PRIVATE_KEY.test(privateKey)) throw new AppError('data', 'a private key is 32 bytes in hex', { where: 'flow_private_key' });
      const dataKey = randomBytes(KEY_BYTES);
      const wrapped = encrypt(masterKey, dataKey, bind(publicKey));
      const body = encrypt(dataKey, Buffer.from(privateKey, 'hex'), bind(publicKey));
      return [VERSION, keyId, wrapped.toString('base64'), body.toString('base64')].join(':');
    },
    open(sealed, publicKey) {
      const [version, id, wrapped, body, ...rest] = sealed.split(':');
      if (version !== VERSION || id === undefined || !KEY_ID.test(id) || wrapped === undefined || body === undefined || rest.length > 0) throw new AppError('data', 'not an encrypted key of this program', { where: 'flow_private_key' });
      if (id !== keyId) throw new AppError('data', `encrypted under master key ${id}, not ${keyId}`, { where: 'flow_private_key', mend: 'set WALLET_ENCRYPTION_KEY to the key it was encrypted with' });
      const dataKey = decrypt(masterKey, decodeBase64(wrapped), bind(publicKey));
      return decrypt(dataKey, decodeBase64(body), bind(publicKey)).toString('hex');
    },
  };
}

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
