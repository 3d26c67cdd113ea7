import { hash, randomBytes, randomInt } from 'node:crypto';

/** 16 MiB, however many users there are. Of a million keys each sweep opens one in a hundred again, for their buckets are full; of two million one in five. */
const BUCKETS = 1 << 18;
const IN_A_BUCKET = 8;

/**
 * Which encrypted private keys this process has opened and found to be those of their public keys. The answer follows from the two texts
 * and the master keys, which do not change while it runs: a sweep need not open again what stands as it stood.
 */
export interface SoundKeys {
  /** Whether this pair was found sound before, or `compare` finds it so now, which is then remembered. Throws what that throws. */
  isSound(sealed: string, publicKey: string, compare: () => boolean): boolean;
}

/** Remembers 64 bits of a salted hash of each pair: nobody who writes to the database can make a text that passes for one that was found sound. */
export function createSoundKeys(buckets = BUCKETS): SoundKeys {
  const salt = randomBytes(16).toString('hex');
  const marks = new BigUint64Array(buckets * IN_A_BUCKET);
  return {
    isSound(sealed, publicKey, compare) {
      // A public key has 128 digits, which is checked before: no two pairs make one text.
      const digest = hash('sha256', `${salt}${publicKey}${sealed}`, 'buffer');
      const start = (digest.readUInt32LE(0) % buckets) * IN_A_BUCKET;
      const bucket = marks.subarray(start, start + IN_A_BUCKET);
      const mark = digest.readBigUInt64LE(4);
      if (bucket.includes(mark)) return true;
      if (!compare()) return false;
      const free = bucket.indexOf(0n);
      // In a full one by chance: sweeps come in one order, in which the oldest is the one that is asked for next.
      bucket[free === -1 ? randomInt(IN_A_BUCKET) : free] = mark;
      return true;
    },
  };
}
