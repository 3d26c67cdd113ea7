import { hash, randomBytes } from 'node:crypto';

/** 8 MiB, however many users there are. Where two fall on one slot the later one stays, and the other is opened again. */
const SLOTS = 1 << 20;

/**
 * Which encrypted private keys this process has opened and found to be those of their public keys. The answer follows from the two texts
 * and the master keys, which do not change while it runs: a sweep need not open again what stands as it stood.
 */
export interface ComparedKeys {
  has(sealed: string, publicKey: string): boolean;
  add(sealed: string, publicKey: string): void;
}

/** Remembers 64 bits of a salted hash of each pair: nobody who writes to the database can make a text that passes for one that was compared. */
export function createComparedKeys(): ComparedKeys {
  const salt = randomBytes(16).toString('hex');
  const marks = new BigUint64Array(SLOTS);
  // A public key has 128 digits, which is checked before: no two pairs make one text.
  const locate = (sealed: string, publicKey: string): { slot: number; mark: bigint } => {
    const digest = hash('sha256', `${salt}${publicKey}${sealed}`, 'buffer');
    return { slot: digest.readUInt32LE(0) % SLOTS, mark: digest.readBigUInt64LE(4) };
  };
  return {
    has(sealed, publicKey) {
      const { slot, mark } = locate(sealed, publicKey);
      return marks[slot] === mark;
    },
    add(sealed, publicKey) {
      const { slot, mark } = locate(sealed, publicKey);
      marks[slot] = mark;
    },
  };
}
