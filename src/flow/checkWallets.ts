import { z } from 'zod';
import { AppError } from '../errors.js';
import type { AccessNode } from './accessNode.js';
import { normalizeAddress } from './address.js';
import { parseAmount } from './amount.js';
import { addressArg, arrayArg, stringArg } from './args.js';
import type { Cadence } from './cadence.js';
import { parseShape } from './shape.js';

/** A wallet as the journal knows it. */
export interface WalletToCheck {
  readonly address: string;
  /** 64 bytes, hex. */
  readonly publicKey: string;
}

/** The same wallet as the chain has it. */
export interface CheckedWallet {
  readonly address: string;
  readonly publicKey: string;
  /** There is an account at the address. */
  readonly exists: boolean;
  /** The key is the account's, not revoked, with full weight. */
  readonly keyPresent: boolean;
  /** In the account's own vault, in 10^-8 FLOW; not what the account publishes, which can lead to another vault. */
  readonly flowBalance: bigint;
  /** What is sent to the account's public receiver arrives in that vault. False: funding it is in vain. */
  readonly flowReceiver: boolean;
  readonly vault: boolean;
  readonly receiverCapability: boolean;
  readonly balanceCapability: boolean;
}

export interface CheckedWallets {
  /** The block that all of it was read at. */
  readonly height: number;
  /** In the order of the question. */
  readonly wallets: readonly CheckedWallet[];
}

/** The bits of a wallet's byte, as checkWallets.cdc names them. */
const BITS = { exists: 1, keyPresent: 2, flowReceiver: 4, vault: 8, receiverCapability: 16, balanceCapability: 32 } as const;

const Answer = z.object({
  height: z.string().regex(/^\d{1,20}$/).transform(Number).refine(Number.isSafeInteger, 'too large'),
  flags: z.string().regex(/^([0-9a-f]{2})*$/),
  balances: z.array(z.string()),
});

/**
 * Looks at many wallets with one script. An address without an account fails nothing. Throws `computation` when they are too many
 * (halve the list), `chain-state` when one of them makes the script fail (halve it too, until it stands alone).
 */
export async function checkWallets(options: {
  readonly accessNode: Pick<AccessNode, 'script'>;
  readonly cadence: Cadence;
  readonly wallets: readonly WalletToCheck[];
  readonly priority?: number;
}): Promise<CheckedWallets> {
  const { wallets } = options;
  const answer = await options.accessNode.script(
    options.cadence.script('checkWallets'),
    [arrayArg(wallets.map((wallet) => addressArg(wallet.address))), arrayArg(wallets.map((wallet) => stringArg(wallet.publicKey.toLowerCase())))],
    options.priority === undefined ? {} : { priority: options.priority },
  );
  const { height, flags, balances } = parseShape(Answer, answer, 'checkWallets.cdc');
  if (flags.length !== wallets.length * 2 || balances.length !== wallets.length) {
    throw new AppError('data', `asked for ${wallets.length} wallets, the script answered ${flags.length / 2} and ${balances.length}`, { where: 'checkWallets.cdc' });
  }
  const found = Buffer.from(flags, 'hex');
  return {
    height,
    wallets: wallets.map((wallet, i) => {
      const has = (bit: number): boolean => ((found[i] ?? 0) & bit) !== 0;
      return {
        address: normalizeAddress(wallet.address),
        publicKey: wallet.publicKey,
        exists: has(BITS.exists),
        keyPresent: has(BITS.keyPresent),
        flowBalance: parseAmount(balances[i] ?? ''),
        flowReceiver: has(BITS.flowReceiver),
        vault: has(BITS.vault),
        receiverCapability: has(BITS.receiverCapability),
        balanceCapability: has(BITS.balanceCapability),
      };
    }),
  };
}
