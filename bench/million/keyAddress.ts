import { NETWORK_WORDS, PARITY_CHECK_COLUMNS } from '../../src/flow/addressSpace.js';

/** Bits of a Flow address that can be chosen, above its 19 check bits. */
const CHECK_BITS = 19;
const HIGH_WORD = Number(NETWORK_WORDS.emulator >> 32n);
const LOW_WORD = Number(NETWORK_WORDS.emulator & 0xffff_ffffn);

/**
 * The rule of the simulated chain: a key's address is the first 45 bits of the public key (64 bytes, hex) as a word of the emulator's address
 * space. So the node knows a million accounts without holding one, and tells a wrong key from the right one. 0x and 16 digits; 0.4 µs.
 */
export function addressOfKey(publicKey: string): string {
  const high = Number.parseInt(publicKey.slice(0, 8), 16);
  const low = (Number.parseInt(publicKey.slice(8, 12), 16) >>> 3) << CHECK_BITS;
  let checks = 0;
  for (let bit = CHECK_BITS; bit < 32; bit++) if (((low >>> bit) & 1) === 1) checks ^= PARITY_CHECK_COLUMNS[bit] ?? 0;
  for (let bit = 0; bit < 32; bit++) if (((high >>> bit) & 1) === 1) checks ^= PARITY_CHECK_COLUMNS[bit + 32] ?? 0;
  return `0x${toHex(high ^ HIGH_WORD)}${toHex((low | checks) ^ LOW_WORD)}`;
}

const toHex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
