import { buildTransaction, type KeyOfAccount, type SignedTransaction } from './buildTransaction.js';
import type { Cadence } from './cadence.js';
import type { Signer } from './sign.js';

export interface RepairWalletOptions {
  readonly cadence: Cadence;
  readonly wallet: { readonly address: string; readonly keyIndex: number; readonly sequenceNumber: number; readonly signer: Signer };
  /** Pays the fee; needs no sequence number, so no slot is taken. */
  readonly payer: KeyOfAccount;
  readonly reference: { readonly id: string };
}

/** Builds the transaction that gives an existing wallet the vault and the capabilities it lacks, signed by the wallet itself. */
export async function buildRepairWallet(options: RepairWalletOptions): Promise<SignedTransaction> {
  return buildTransaction({
    cadence: options.cadence.transaction('createAllVault'),
    args: [],
    reference: options.reference,
    proposer: options.wallet,
    payer: options.payer,
    authorizers: [options.wallet],
  });
}
