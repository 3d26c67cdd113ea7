import type { CheckedWallet } from '../../flow/checkWallets.js';
import type { WalletRow } from '../../journal/sweepPages.js';

/** What the chain says of a wallet whose row adds up. */
export type Verdict =
  /** The node is behind what we did last: what it shows says nothing. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'corrupted'; readonly reason: string; readonly solution: string }
  | {
      readonly kind: 'known';
      readonly lacksVault: boolean;
      /** A vault, or a capability that leads to it, is missing. */
      readonly needsRepair: boolean;
      /** Below the threshold. */
      readonly needsFlow: boolean;
      /** What is sent to it would not arrive. */
      readonly refusesFlow: boolean;
    };

/** What a wallet needs, from one check of it. `threshold` in 10^-8 FLOW. */
export function judge(row: Pick<WalletRow, 'depositHeight'>, height: number, wallet: CheckedWallet, threshold: bigint): Verdict {
  if (row.depositHeight !== null && height < row.depositHeight) return { kind: 'unknown' };
  if (!wallet.exists) return { kind: 'corrupted', reason: 'there is no account at its address', solution: 'compare the address with the chain, and NETWORK with the one it was made on' };
  if (!wallet.keyPresent) return { kind: 'corrupted', reason: "its key is not the account's, or is revoked", solution: 'the account is its owner\'s alone now: compare its keys on chain with flow_public_key' };
  return {
    kind: 'known',
    lacksVault: !wallet.vault,
    needsRepair: !wallet.vault || !wallet.receiverCapability || !wallet.balanceCapability,
    needsFlow: wallet.flowBalance < threshold,
    refusesFlow: !wallet.flowReceiver,
  };
}
