import { createECDH, createHash } from 'node:crypto';
import { addressOfKey } from './keyAddress.js';

/** Of every key and user: the same in each run. */
const SEED = 'flow-wallet-sync bench 1';

/** Encrypts the keys of the bench and nothing else. 32 bytes. */
export const BENCH_MASTER_KEY: Buffer = digest('master key', 0);

export interface UserKey {
  /** 32 bytes, hex. */
  readonly privateKey: string;
  /** 64 bytes, hex. */
  readonly publicKey: string;
  /** Where the simulated chain has it. */
  readonly address: string;
}

/** The id of the user with this number, a version 4 UUID. Ids are spread evenly, as those of the Auth server are. */
export function authIdOf(user: number): string {
  const bytes = digest('user', user);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** Gives the real P-256 key pair of the user with a number: 34 µs each, where generating one takes 70. Funders have the numbers below zero. */
export function createKeySource(): (user: number) => UserKey {
  const curve = createECDH('prime256v1');
  return (user) => {
    const privateKey = digest('key', user);
    curve.setPrivateKey(privateKey);
    const publicKey = curve.getPublicKey('hex').slice(2);
    return { privateKey: privateKey.toString('hex'), publicKey, address: addressOfKey(publicKey) };
  };
}

function digest(what: string, number: number): Buffer {
  return createHash('sha256').update(`${SEED} ${what} ${number}`).digest();
}
