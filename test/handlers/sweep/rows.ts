import { generateKeyPair } from '../../../src/flow/keys.js';
import type { CheckedWallet } from '../../../src/flow/checkWallets.js';
import type { WalletRow } from '../../../src/journal/sweepPages.js';
import { createVault } from '../../../src/secrets.js';

export const vault = createVault(Buffer.alloc(32, 1));
export const pair = generateKeyPair();
/** The emulator's service account. */
export const ADDRESS = '0xf8d6e0586b0a20c7';

/** The row of a sound wallet of the emulator, changed as asked. */
export const rowOf = (changes: Partial<WalletRow> = {}): WalletRow => ({
  authId: '00000000-0000-4000-8000-000000000001',
  hasRow: true,
  address: ADDRESS,
  privateKey: vault.seal(pair.privateKey, pair.publicKey),
  publicKey: pair.publicKey,
  accountId: 1,
  asRecorded: true,
  depositHeight: 100,
  isTaken: false,
  state: null,
  reason: null,
  ...changes,
});

/** A whole wallet as the chain has it, changed as asked. */
export const checkedOf = (changes: Partial<CheckedWallet> = {}): CheckedWallet => ({
  address: ADDRESS,
  publicKey: pair.publicKey,
  exists: true,
  keyPresent: true,
  flowBalance: 10_000_000n,
  flowReceiver: true,
  vault: true,
  receiverCapability: true,
  balanceCapability: true,
  ...changes,
});
