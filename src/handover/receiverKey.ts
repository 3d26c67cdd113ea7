import { createHash, createPrivateKey, createPublicKey, ECDH, type KeyObject } from 'node:crypto';
import { AppError } from '../errors.js';
import type { KeyForm } from './hpke.js';

/** The public key of who is given a user's key. */
export interface ReceiverKey {
  readonly form: KeyForm;
  /** As RFC 9180 writes it: 32 bytes of X25519, 65 (04, x, y) of P-256. */
  readonly bytes: Buffer;
  /** SHA-256 of these bytes, in hex: names the key in the audit log and the envelope. */
  readonly fingerprint: string;
}

/** The private key that opens what was encrypted to its public key. */
export interface ReceiverPrivateKey {
  readonly form: KeyForm;
  readonly bytes: Buffer;
  readonly publicKey: ReceiverKey;
}

const HOW = 'give a public key of X25519 or P-256: a PEM file (openssl pkey -in receiver.pem -pubout), or its bytes in base64 or hex (32 of X25519, 65 of P-256)';

/**
 * A receiver's public key from the text of a PEM, or from base64 or hex of its bytes (or of its DER). Throws `usage`, never with the
 * text: it may be a private key, which is refused where it can be told (32 bare bytes cannot).
 */
export function readReceiverKey(text: string, where: string): ReceiverKey {
  const refuse = (message: string): AppError => new AppError('usage', message, { where, mend: HOW });
  const trimmed = text.trim();
  const isPem = trimmed.startsWith('-----BEGIN');
  const bytes = isPem ? null : decode(trimmed);
  if (holdsPrivateKey(trimmed, bytes)) {
    throw new AppError('usage', 'is a private key; nothing was encrypted', { where, mend: `it stays with its owner, who gives away the public key alone; treat it as known to whoever can read this machine's process list and shell history. ${HOW}` });
  }
  if (isPem) return fromObject(parse(() => createPublicKey(trimmed)), refuse);
  if (bytes === null) throw refuse('is no public key');
  if (bytes.length === 32) return receiverKey('X25519', bytes);
  if (bytes.length === 65 && bytes[0] === 4) return fromPoint(bytes, refuse);
  return fromObject(parse(() => createPublicKey({ key: bytes, format: 'der', type: 'spki' })), refuse);
}

/** A receiver's private key from the text of a PEM (PKCS #8, or SEC 1 of P-256). Throws `usage`, never with the text. */
export function readReceiverPrivateKey(text: string, where: string): ReceiverPrivateKey {
  const refuse = (message: string): AppError => new AppError('usage', message, { where, mend: 'give a private key of X25519 or P-256 as PEM, as `openssl genpkey -algorithm X25519` makes it' });
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(text)) throw new AppError('usage', 'is encrypted with a passphrase', { where, mend: 'decrypt it into a file of mode 0600 (openssl pkey -in receiver.pem -out plain.pem), and remove that file afterwards' });
  const key = parse(() => createPrivateKey(text));
  const publicKey = fromObject(key === null ? null : createPublicKey(key), refuse);
  const { d } = (key as KeyObject).export({ format: 'jwk' });
  if (d === undefined) throw refuse('is no private key');
  return { form: publicKey.form, bytes: Buffer.from(d, 'base64url'), publicKey };
}

function receiverKey(form: KeyForm, bytes: Buffer): ReceiverKey {
  return { form, bytes, fingerprint: createHash('sha256').update(bytes).digest('hex') };
}

function fromObject(key: KeyObject | null, refuse: (message: string) => AppError): ReceiverKey {
  if (key === null) throw refuse('is no key that can be read');
  const { asymmetricKeyType: type } = key;
  const isP256 = type === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (type !== 'x25519' && !isP256) throw refuse(`is a key of ${type === 'ec' ? (key.asymmetricKeyDetails?.namedCurve ?? 'another curve') : (type ?? 'another kind')}`);
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  const bytes = Buffer.from(x, 'base64url');
  return isP256 ? receiverKey('P-256', Buffer.concat([Buffer.from([4]), bytes, Buffer.from(y, 'base64url')])) : receiverKey('X25519', bytes);
}

/** A point that is not on the curve would make the private key of who opens it guessable. */
function fromPoint(bytes: Buffer, refuse: (message: string) => AppError): ReceiverKey {
  if (parse(() => ECDH.convertKey(bytes, 'prime256v1')) === null) throw refuse('is no point of P-256');
  return receiverKey('P-256', bytes);
}

function holdsPrivateKey(text: string, bytes: Buffer | null): boolean {
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text) || /"d"\s*:/.test(text)) return true;
  if (bytes === null) return false;
  return (['pkcs8', 'sec1', 'pkcs1'] as const).some((type) => parse(() => createPrivateKey({ key: bytes, format: 'der', type })) !== null);
}

/** Null where OpenSSL refuses: its errors can quote what they were given. */
function parse<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}

/** Base64 (either alphabet, padded or not, broken into lines or not) or hex. Null: neither. */
function decode(text: string): Buffer | null {
  const joined = text.replace(/\s+/g, '');
  if (/^(?:[0-9a-f]{2})+$/i.test(joined)) return Buffer.from(joined, 'hex');
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(joined) ? Buffer.from(joined, 'base64') : null;
}
