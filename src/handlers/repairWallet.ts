import { AppError, toAppError } from '../errors.js';
import type { AccountKey } from '../flow/accessNode.js';
import { FULL_WEIGHT } from '../flow/keys.js';
import { buildRepairWallet } from '../flow/repairWallet.js';
import { createSigner, type Signer } from '../flow/sign.js';
import { drawPayer, leaseWalletSlot, releaseSlot, removeIdleWalletSlots, type Slot } from '../journal/slots.js';
import { isFunderAtFloor } from '../journal/sqlErrors.js';
import type { LiveTransaction, Payer } from '../journal/transactions.js';
import { leaveAtFloor } from './checkFunders.js';
import type { TransactionFollower } from './followTransactions.js';
import type { Instance } from './instance.js';
import { funderSigner, submitTransaction } from './submitTransaction.js';

/** What users' keys are, and what they sign with. */
const ALGORITHMS = { signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' } as const;
/** A user's wallet that lacks its vault or a capability, as the journal has it. */
export interface BrokenWallet {
  readonly accountId: number;
  readonly address: string;
  readonly publicKey: string;
  readonly encryptedPrivateKey: string;
  /** It has no vault, as far as was seen. */
  readonly makesVault: boolean;
}

export interface RepairOptions {
  /** The cycle that counts it; null: none. */
  readonly cycle: number | null;
}

/**
 * Gives a wallet the vault and the capabilities that it lacks: the wallet itself proposes and signs, and any funder in rotation pays,
 * whose slots stay free. Throws where nothing was sent: `data` where the wallet's key can't sign, it has an unsealed transaction, or its
 * user is gone; `funds` where no funder is in rotation, the payer is at its floor, or a spending limit has no room; `network` where an application holds the account's row.
 */
export async function repairWallet(instance: Instance, follower: Pick<TransactionFollower, 'referenceBlock' | 'follow'>, wallet: BrokenWallet, options: RepairOptions): Promise<LiveTransaction> {
  const { journal, cadence, vault } = instance;
  const key = await readKey(instance, wallet);
  const payer = await findPayer(instance);
  const slot = await leaseWalletSlot(journal, instance.id, { address: wallet.address, keyIndex: key.index });
  if (slot === null) throw new AppError('data', 'its key carries a transaction that is not sealed yet', { where: describe(wallet), mend: 'nothing to do: the next sweep looks at it again' });
  try {
    // For the signature alone, when all else is at hand.
    const opener = await vault.openFor({ why: 'to sign its repair', accountIds: [wallet.accountId] });
    return await submitTransaction(instance, follower, {
      kind: 'repair',
      slot: { ...slot, sequenceNumber: key.sequenceNumber },
      signer: (): Signer => createSigner({ privateKey: opener.open(wallet.encryptedPrivateKey, wallet.publicKey), ...ALGORITHMS }),
      payer,
      cycle: options.cycle,
      members: [{ accountId: wallet.accountId, makesVault: wallet.makesVault }],
      build: ({ slot, signer, reference }) =>
        buildRepairWallet({ cadence, wallet: { ...slot, signer }, payer: { ...payer, signer: funderSigner(instance, payer.address) }, reference }),
    });
  } catch (thrown) {
    // Where even this does not succeed, the lease is taken for lost half a minute later.
    await giveBack(instance, slot).catch(() => undefined);
    const error = toAppError(thrown);
    if (isFunderAtFloor(error)) await leaveAtFloor(instance, payer.address);
    throw error;
  }
}

const describe = (wallet: BrokenWallet): string => `wallet ${wallet.address}`;

/** The wallet's key as the chain has it. Throws `data` where it can't sign alone. */
async function readKey({ node }: Instance, wallet: BrokenWallet): Promise<AccountKey> {
  const account = await node.account(wallet.address);
  const keys = account?.keys.filter((key) => key.publicKey === wallet.publicKey.toLowerCase()) ?? [];
  const key = keys.find((each) => !each.revoked && each.weight >= FULL_WEIGHT && each.signatureAlgorithm === ALGORITHMS.signatureAlgorithm && each.hashAlgorithm === ALGORITHMS.hashAlgorithm);
  if (key !== undefined) return key;
  const [other] = keys;
  const fault = account === null ? 'there is no such account on chain' : other === undefined ? 'its key is not on chain' : `its key ${other.index} on chain ${other.revoked ? 'is revoked' : 'cannot sign alone, or signs in another way'}`;
  throw new AppError('data', fault, { where: describe(wallet), mend: 'only its owner can give the account that key again' });
}

async function findPayer({ journal, network }: Instance): Promise<Payer> {
  const payer = await drawPayer(journal, network.funders.map((funder) => funder.address));
  if (payer === null) throw new AppError('funds', 'no funding account is in rotation to pay for it', { where: 'funding accounts', mend: '`wallet-sync status` tells why each is out' });
  return payer;
}

async function giveBack({ journal, id }: Instance, slot: Slot): Promise<void> {
  await releaseSlot(journal, id, slot, null);
  await removeIdleWalletSlots(journal);
}
