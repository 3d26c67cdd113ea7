import { normalizeAddress } from '../../flow/address.js';
import { isAddressOf, NETWORK_WORDS, type NetworkName } from '../../flow/addressSpace.js';

/** A public key as this service writes it (64 bytes, lower-case hex), from one with 0x, with the leading 04, or in upper case. Null where it is none. */
export function readPublicKey(text: string): string | null {
  return /^(?:0x)?(?:04)?([0-9a-f]{128})$/i.exec(text.trim())?.[1]?.toLowerCase() ?? null;
}

/** Where an address belongs, by its text alone. */
export type AddressKind =
  | { readonly kind: 'of this network'; readonly address: string }
  /** No network has it: somebody invented it. */
  | { readonly kind: 'of none' }
  | { readonly kind: 'of another'; readonly network: NetworkName }
  /** Not 16 hex digits at all. */
  | { readonly kind: 'no address' };

/** Flow's addresses are words of a code: of random ones one in 500,000 is an address of a network. */
export function readAddress(text: string, network: NetworkName): AddressKind {
  const trimmed = text.trim();
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(trimmed)) return { kind: 'no address' };
  const address = normalizeAddress(trimmed);
  if (isAddressOf(address, network)) return { kind: 'of this network', address };
  const other = (Object.keys(NETWORK_WORDS) as NetworkName[]).find((each) => isAddressOf(address, each));
  return other === undefined ? { kind: 'of none' } : { kind: 'of another', network: other };
}
