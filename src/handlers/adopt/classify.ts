import type { NetworkName } from '../../flow/addressSpace.js';
import type { KeyOnChain } from '../../flow/checkKeys.js';
import type { OldRow, Shared } from '../../journal/adopted.js';
import type { AdoptClass } from './classes.js';
import { digestOf, type KeyShape, type OldKey } from './oldKeys.js';
import { readAddress, readPublicKey } from './spelling.js';

/** A row's private key as it was read. */
export type ReadKey =
  | { readonly kind: 'none' }
  | { readonly kind: 'fault'; readonly class: 'does-not-open' | 'other-master-key' | 'mismatch'; readonly reason: string }
  | { readonly kind: 'key'; readonly shape: Exclude<KeyShape, 'unknown'>; readonly privateKey: string; readonly publicKey: string };

/** What a row says, before the chain is asked. */
export type Claimed =
  /** Nothing more is asked about it. `isSealed`: its key is read and can be encrypted whatever else is wrong. */
  | { readonly kind: 'decided'; readonly class: AdoptClass; readonly reason: string; readonly isSealed: boolean }
  /** Its address and key belong together as far as it shows. */
  | { readonly kind: 'claim'; readonly address: string; readonly publicKey: string };

const decided = (name: AdoptClass, reason: string, isSealed = false): Claimed => ({ kind: 'decided', class: name, reason, isSealed });

/** Compares a row with itself. */
export function claimOf(row: OldRow, key: ReadKey, network: NetworkName): Claimed {
  const { address, publicKey, privateKey } = row;
  if (row.hasAccount) return row.asRecorded ? decided('encrypted', 'in the journal') : decided('conflict', 'it differs from the account that the user was given');
  if (address === null && privateKey === null && publicKey === null) return decided('waiting', 'no address and no key');
  if (key.kind === 'none') return decided('no-key', address === null ? 'a public key alone' : 'an address without a private key');
  if (key.kind === 'fault') return decided(key.class, key.reason);
  const stated = publicKey === null ? key.publicKey : readPublicKey(publicKey);
  // Bound to a public key that is none it could never be opened with the row again.
  if (stated === null) return decided('mismatch', 'its public key is not 64 bytes in hex');
  if (address === null) return decided('no-address', 'a key without an address', true);
  if (stated !== key.publicKey) return decided('mismatch', 'its public key does not belong to its private key', true);
  const place = readAddress(address, network);
  if (place.kind === 'no address') return decided('other-network', 'its address is no Flow address', true);
  if (place.kind === 'of another') return decided('other-network', `its address is one of ${place.network}`, true);
  if (place.kind === 'of none') return decided('missing-on-chain', 'no network has such an address', true);
  return { kind: 'claim', address: place.address, publicKey: stated };
}

/** Compares what a row claims with the chain, and with the other users. */
export function judgeClaim(row: Pick<OldRow, 'authId'>, key: ReadKey & { readonly kind: 'key' }, claim: { readonly address: string; readonly publicKey: string }, onChain: KeyOnChain, others: { readonly shared: Shared; readonly isContested: boolean }): { readonly class: AdoptClass; readonly reason: string } {
  if (onChain === 'no account') return { class: 'missing-on-chain', reason: `there is no account at ${claim.address}` };
  if (others.isContested || others.shared.addresses.has(claim.address.slice(2))) return { class: 'shared', reason: 'its address or key is another user\'s too' };
  if (others.shared.publicKeys.has(claim.publicKey) || others.shared.keyDigests.has(digestOf(key.privateKey))) return { class: 'shared', reason: 'its key is another user\'s too' };
  if (onChain === 'other keys') return { class: 'mismatch', reason: 'the account at its address has not its key' };
  if (onChain === 'cannot sign') return { class: 'mismatch', reason: 'its key on chain is revoked, has not full weight, or is not ECDSA_P256 with SHA3_256' };
  if (row.authId === null) return { class: 'no-user', reason: 'its auth_id is null' };
  return { class: key.shape === 'ours' ? 'encrypted' : key.shape, reason: '' };
}

/** A key that was read from a text of a certain shape. */
export function toReadKey(shape: 'plaintext' | 'old-blob', key: OldKey): ReadKey {
  return 'fault' in key ? { kind: 'fault', class: 'does-not-open', reason: key.fault } : { kind: 'key', shape, ...key };
}
