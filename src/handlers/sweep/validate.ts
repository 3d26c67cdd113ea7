import { isAddressOf, type NetworkName } from '../../flow/addressSpace.js';
import { isKeyOf } from '../../flow/keys.js';
import type { WalletRow } from '../../journal/sweepPages.js';
import { toAppError } from '../../errors.js';
import { keyIdOf } from '../../secrets.js';
import type { KeyOpener } from '../auditedVault.js';
import type { SoundKeys } from './soundKeys.js';

/** What public.wallet and the journal say of a user, before the chain is asked. */
export type Validity =
  | { readonly kind: 'waiting' }
  /** Held by a policy, or orphaned: left alone. */
  | { readonly kind: 'left-alone' }
  /** Its key is encrypted under a master key that this instance does not hold: it says nothing of the row, so that is left alone. */
  | { readonly kind: 'not-ours-to-open'; readonly masterKey: string }
  | { readonly kind: 'corrupted'; readonly reason: string; readonly solution: string }
  | { readonly kind: 'plausible'; readonly address: string; readonly publicKey: string };

const MEND_ROW = 'compare the row of public.wallet with wallet_sync.account, which keeps address and keys as they were made, and mend it by hand';

export interface ValidateOptions {
  readonly network: NetworkName;
  readonly vault: KeyOpener;
  /** Keys that need not be opened again; those that are found sound are added. */
  readonly soundKeys?: SoundKeys | undefined;
  /** Addresses that more than one user has, as 16 digits. */
  readonly shared: ReadonlySet<string>;
}

/** Whether a row adds up in itself and with the journal. Nothing is changed, whatever it says. */
export function validate(row: WalletRow, options: ValidateOptions): Validity {
  if (row.state === 'held' || row.state === 'orphaned') return { kind: 'left-alone' };
  const { address, privateKey, publicKey } = row;
  // Marked by who tried to give him an account: the row refuses it.
  if (address === null && privateKey === null && publicKey === null) {
    return row.state === 'corrupted' ? { kind: 'corrupted', reason: row.reason ?? 'marked before', solution: MEND_ROW } : { kind: 'waiting' };
  }
  const fault = faultOf(row, options);
  if (fault !== null) return { kind: 'corrupted', ...fault };
  const masterKey = keyIdOf(privateKey ?? '');
  if (masterKey !== null && !options.vault.keyIds.includes(masterKey)) return { kind: 'not-ours-to-open', masterKey };
  const keyFault = keyFaultOf(privateKey ?? '', publicKey ?? '', options);
  if (keyFault !== null) return { kind: 'corrupted', ...keyFault };
  return { kind: 'plausible', address: address ?? '', publicKey: publicKey ?? '' };
}

interface Fault {
  readonly reason: string;
  readonly solution: string;
}

const byHand = (reason: string): Fault => ({ reason, solution: MEND_ROW });

/** What the row shows without opening its key. */
function faultOf(row: WalletRow, { network, shared }: ValidateOptions): Fault | null {
  const { address, privateKey, publicKey } = row;
  if (address === null) return byHand('a key without an address');
  if (privateKey === null) return byHand('an address without a private key');
  if (publicKey === null) return byHand('an address without a public key');
  if (!/^0x[0-9a-f]{16}$/.test(address)) return byHand('its address is not 0x and 16 lower-case hex digits');
  if (!isAddressOf(address, network)) return byHand(`its address is none of ${network}`);
  if (!/^[0-9a-f]{128}$/.test(publicKey)) return byHand('its public key is not 64 bytes in lower-case hex');
  if (row.accountId !== null && !row.asRecorded) return byHand('it differs from the account that the user was given');
  if (row.isTaken) return byHand('its address or public key is that of another account');
  if (row.accountId === null && shared.has(address.slice(2))) return byHand('another user has the same address');
  return null;
}

function keyFaultOf(privateKey: string, publicKey: string, { vault, soundKeys }: ValidateOptions): Fault | null {
  // The text binds it to its public key; a pair that never belonged together can still have been bound.
  const compare = (): boolean => isKeyOf(vault.open(privateKey, publicKey), publicKey);
  try {
    const isSound = soundKeys?.isSound(privateKey, publicKey, compare) ?? compare();
    return isSound ? null : byHand('its public key does not belong to its private key');
  } catch (thrown) {
    const error = toAppError(thrown);
    return { reason: `its private key does not open: ${error.message}`, solution: error.mend ?? MEND_ROW };
  }
}
