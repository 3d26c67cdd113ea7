import { createHash } from 'node:crypto';

/** The first 32 bits of the SHA-256 of the value and what it is for: enough to tell two apart, nothing to find it by. */
export function fingerprint(name: string, value: string | Buffer): string {
  return createHash('sha256').update(`wallet-sync fingerprint of ${name}\n`).update(value).digest('hex').slice(0, 8);
}
