import { toAppError } from '../errors.js';
import { isAddressOf, type NetworkName } from '../flow/addressSpace.js';
import type { CheckedWallet } from '../flow/checkWallets.js';
import { isKeyOf } from '../flow/keys.js';
import type { KeyCopy, StoredKey } from '../journal/storedKeys.js';
import type { KeyOpener } from './auditedVault.js';

/** What can be wrong with a stored key, in the order in which it is told. */
export const KEY_FAULTS = ['not-opening', 'other-public-key', 'copy-differs', 'not-on-chain', 'key-not-present', 'not-compared'] as const;
export type KeyFaultKind = (typeof KEY_FAULTS)[number];

/** What is wrong with one key, and what mends it. */
export interface KeyFault {
  readonly fault: KeyFaultKind;
  readonly reason: string;
  readonly mend: string;
}

export interface OpenedKey {
  /** The key opened and is that of its public key. */
  readonly isSound: boolean;
  readonly faults: readonly KeyFault[];
}

const RESTORE = 'restore the row of wallet_sync.account from a backup: it was changed after it was written';
const RESTORE_WALLET = 'restore the row of public.wallet from a backup: the journal does not know this wallet';
const RESTORE_KEPT = 'restore the row of wallet_sync.adopted from a backup: it was changed after it was written';
const COMPARE = 'compare the row of public.wallet with wallet_sync.account, which keeps address and keys as they were made, and mend it by hand';

/** Opens a stored key and its copy and compares both with the public key. Never throws: what does not open is a fault. */
export function compareKey(key: StoredKey, vault: KeyOpener): OpenedKey {
  const own = open(key, vault);
  const copy = compareCopy(key, own, vault);
  if (key.isCopyOnly) return { isSound: false, faults: copy };
  const restore = key.isKept === true ? RESTORE_KEPT : key.accountId === null ? RESTORE_WALLET : RESTORE;
  if (own.kind === 'broken') return { isSound: false, faults: [{ fault: 'not-opening', reason: own.reason, mend: own.mend ?? mendByCopy(key, vault) ?? restore }, ...copy] };
  if (own.kind === 'other') return { isSound: false, faults: [{ fault: 'other-public-key', reason: 'its public key does not belong to its private key', mend: restore }, ...copy] };
  return { isSound: true, faults: copy };
}

type Opening = { readonly kind: 'sound'; readonly privateKey: string } | { readonly kind: 'other' } | { readonly kind: 'broken'; readonly reason: string; readonly mend: string | undefined };

function open({ privateKey, publicKey }: KeyCopy, vault: KeyOpener): Opening {
  if (privateKey === null) return { kind: 'broken', reason: 'a public key without a private key', mend: undefined };
  if (publicKey === null) return { kind: 'broken', reason: 'a private key without a public key', mend: undefined };
  try {
    const opened = vault.open(privateKey, publicKey);
    // The text binds it to its public key; a pair that never belonged together can still have been bound.
    return isKeyOf(opened, publicKey) ? { kind: 'sound', privateKey: opened } : { kind: 'other' };
  } catch (thrown) {
    const { message, mend } = toAppError(thrown);
    return { kind: 'broken', reason: message, mend };
  }
}

/** An emptied row holds no copy; applications read address and public key too, so these must be the account's. */
function compareCopy(key: StoredKey, own: Opening, vault: KeyOpener): KeyFault[] {
  const { copy } = key;
  if (copy === null || (copy.address === null && copy.privateKey === null && copy.publicKey === null)) return [];
  const differs = (reason: string): KeyFault[] => [{ fault: 'copy-differs', reason, mend: COMPARE }];
  if (copy.publicKey !== key.publicKey) return differs('public.wallet has another public key than the account');
  if (copy.address !== key.address) return differs('public.wallet has another address than the account');
  if (copy.privateKey === key.privateKey) return [];
  const opened = open(copy, vault);
  if (opened.kind === 'sound' && (own.kind !== 'sound' || own.privateKey === opened.privateKey)) return [];
  return differs(opened.kind === 'broken' ? `the private key in public.wallet does not open: ${opened.reason}` : 'public.wallet has another private key than the account');
}

/** A row that was changed can have its right text in the other table still. */
function mendByCopy(key: StoredKey, vault: KeyOpener): string | null {
  if (key.copy === null || key.copy.publicKey !== key.publicKey || open(key.copy, vault).kind !== 'sound') return null;
  return "the copy in public.wallet opens: put its flow_private_key into the account's private_key";
}

/** Where the chain can be asked about a key: the question, or what is wrong already. Null: it has no address yet, or an adoption has kept it, which says nothing of the chain. */
export function questionOf(key: StoredKey, network: NetworkName): { readonly address: string; readonly publicKey: string } | KeyFault | null {
  const { address, publicKey } = key;
  if (key.isCopyOnly || key.isKept === true || publicKey === null || !/^[0-9a-f]{128}$/.test(publicKey)) return null;
  if (address === null) return key.accountId === null ? { fault: 'not-on-chain', reason: 'a key without an address', mend: COMPARE } : null;
  if (!/^0x[0-9a-f]{16}$/.test(address)) return { fault: 'not-on-chain', reason: 'its address is not 0x and 16 lower-case hex digits', mend: COMPARE };
  if (!isAddressOf(address, network)) return { fault: 'not-on-chain', reason: `its address is none of ${network}`, mend: 'compare NETWORK with the network on which it was made' };
  return { address, publicKey };
}

/** What the chain says against a key; null: nothing. A node that is behind what we did last says nothing at all. */
export function chainFaultOf(key: StoredKey, height: number, wallet: Pick<CheckedWallet, 'exists' | 'keyPresent'>): KeyFault | null {
  if (wallet.exists && wallet.keyPresent) return null;
  if (key.wholeFrom !== null && height < key.wholeFrom) return { fault: 'not-compared', reason: `the access node is at block ${height}, before this account was whole`, mend: 'run it again, or use another FLOW_ACCESS_NODE' };
  if (!wallet.exists) return { fault: 'not-on-chain', reason: 'there is no account at its address', mend: 'compare the address with the chain, and NETWORK with the one it was made on' };
  return { fault: 'key-not-present', reason: "its key is not among the account's, or is revoked", mend: 'compare the keys on chain with the public key: its owner has changed them, or the row was changed' };
}
