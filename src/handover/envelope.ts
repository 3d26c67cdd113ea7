import { z } from 'zod';
import { AppError } from '../errors.js';
import { SUITES } from './hpke.js';
import type { ReceiverKey, ReceiverPrivateKey } from './receiverKey.js';

/** A wallet and its private key, as they are handed to somebody. */
export interface HandedKey {
  readonly user: string;
  /** 0x and 16 lower-case digits. */
  readonly address: string;
  /** 64 bytes, lower-case hex. */
  readonly publicKey: string;
  /** 32 bytes, lower-case hex. */
  readonly privateKey: string;
}

const FORMAT = 'flow-wallet-sync key export';
const VERSION = 1;
const KEY_BYTES = 32;
const base64 = z.base64();

const Envelope = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  suite: z.enum([SUITES.X25519.name, SUITES['P-256'].name]),
  receiver: z.string().regex(/^[0-9a-f]{64}$/),
  user: z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  address: z.string().regex(/^0x[0-9a-f]{16}$/),
  public_key: z.string().regex(/^[0-9a-f]{128}$/),
  enc: base64,
  ciphertext: base64,
});

/** What the receiver is sent: docs/operations.md describes each field. */
export type Envelope = z.output<typeof Envelope>;

/**
 * What HPKE binds: the purpose, the user, the address and the public key. An envelope whose words were changed does not open, so one
 * user's key cannot be passed off as another's. No part can hold a line break.
 */
function infoOf({ user, address, public_key: publicKey }: Pick<Envelope, 'user' | 'address' | 'public_key'>): Uint8Array {
  return Buffer.from([`${FORMAT} v${VERSION}`, user, address, publicKey].join('\n'), 'utf8');
}

/** Encrypts a key to the receiver (HPKE base mode, RFC 9180), fresh each time. Throws `usage` where the receiver's key is a point that no secret comes from. */
export async function sealEnvelope(key: HandedKey, receiver: ReceiverKey): Promise<Envelope> {
  const { name, cipher } = SUITES[receiver.form];
  const head = { user: key.user, address: key.address, public_key: key.publicKey };
  try {
    const to = await cipher.DeserializePublicKey(Uint8Array.from(receiver.bytes));
    const { encapsulatedSecret, ciphertext } = await cipher.Seal(to, Buffer.from(key.privateKey, 'hex'), { info: infoOf(head) });
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    return { format: FORMAT, version: VERSION, suite: name, receiver: receiver.fingerprint, ...head, enc: text(encapsulatedSecret), ciphertext: text(ciphertext) };
  } catch {
    // The cause could carry key material.
    throw new AppError('usage', "nothing can be encrypted to the receiver's public key: it is no valid point", { where: '--to', mend: 'ask the receiver for another one' });
  }
}

/** Opens an envelope from its JSON. Throws `data` where it is none, was changed, or is somebody else's. It proves nothing about who made it. */
export async function openEnvelope(json: string, key: ReceiverPrivateKey, where: string): Promise<HandedKey> {
  const envelope = parseEnvelope(json, where);
  const { name, cipher } = SUITES[key.form];
  if (envelope.receiver !== key.publicKey.fingerprint || envelope.suite !== name) {
    throw new AppError('data', `is encrypted to the key ${envelope.receiver.slice(0, 16)}…, and this one is ${key.publicKey.fingerprint.slice(0, 16)}…`, { where, mend: 'open it with the private key whose public key was given to --to' });
  }
  const opened = await open().catch(() => null);
  if (opened?.length !== KEY_BYTES) throw new AppError('data', 'does not open: it was changed on its way', { where, mend: 'have it made and sent again' });
  return { user: envelope.user, address: envelope.address, publicKey: envelope.public_key, privateKey: Buffer.from(opened).toString('hex') };

  async function open(): Promise<Uint8Array> {
    // Extractable: without it the library asks for the public key beside it.
    const from = await cipher.DeserializePrivateKey(Uint8Array.from(key.bytes), true);
    return cipher.Open(from, Buffer.from(envelope.enc, 'base64'), Buffer.from(envelope.ciphertext, 'base64'), { info: infoOf(envelope) });
  }
}

function parseEnvelope(json: string, where: string): Envelope {
  let value: unknown = null;
  try {
    value = JSON.parse(json);
  } catch {
    // Said below: JSON's own error quotes the text.
  }
  const parsed = Envelope.safeParse(value);
  if (parsed.success) return parsed.data;
  const fields = [...new Set(parsed.error.issues.map((issue) => issue.path.join('.')))].filter((path) => path !== '');
  throw new AppError('data', `is no envelope of \`wallet-sync keys export --to\`${fields.length === 0 ? '' : `: ${fields.join(', ')}`}`, { where, mend: 'give the file as it was received' });
}
