import { AppError } from '../errors.js';
import type { Block } from '../flow/accessNode.js';
import type { SignedTransaction } from '../flow/buildTransaction.js';
import type { Slot as SigningSlot } from '../flow/createAccounts.js';
import type { Signer } from '../flow/sign.js';
import type { Slot } from '../journal/slots.js';
import { recordTransaction, type LiveTransaction, type Member, type Payer, type TransactionKind } from '../journal/transactions.js';
import type { TransactionFollower } from './followTransactions.js';
import type { Sender } from './instance.js';

/** What a transaction is built and signed with. */
export interface Signing {
  readonly slot: SigningSlot;
  readonly signer: Signer;
  readonly reference: Block;
}

export interface Submission {
  readonly kind: TransactionKind;
  /** Leased by this instance. */
  readonly slot: Slot;
  /** Signs for the slot. Default: the funder whose slot it is. */
  readonly signer?: () => Signer;
  /** Default: the proposer. */
  readonly payer?: Payer;
  /** The cycle that it is for. Default: none. */
  readonly cycle?: number | null;
  readonly members: readonly Member[];
  readonly build: (signing: Signing) => Promise<SignedTransaction>;
}

/**
 * Signs a transaction with a leased slot, commits it to the journal and hands it to the follower, which broadcasts it. Whatever it
 * throws, nothing was broadcast; the commit's own lost answer is taken up by the next take-over.
 */
export async function submitTransaction(instance: Sender, follower: Pick<TransactionFollower, 'referenceBlock' | 'follow'>, submission: Submission): Promise<LiveTransaction> {
  const { kind, slot, members, payer, cycle = null } = submission;
  const signerOf = submission.signer ?? (() => funderSigner(instance, slot.address));
  const [sequenceNumber, reference] = await Promise.all([sequenceNumberOf(instance, slot), follower.referenceBlock()]);
  const transaction = await submission.build({ slot: { address: slot.address, keyIndex: slot.keyIndex, sequenceNumber }, signer: signerOf(), reference });
  const live = await recordTransaction(instance.journal, {
    instanceId: instance.id,
    kind,
    slot,
    ...(payer === undefined ? {} : { payer }),
    cycle,
    transaction,
    sequenceNumber,
    referenceHeight: reference.height,
    expiryBlocks: instance.settings.TRANSACTION_EXPIRY,
    members,
  });
  await instance.faultPoints.at('bytes stored');
  instance.log.info({ txId: live.id, kind, members: members.length, slot: `${slot.address}/${slot.keyIndex}` }, 'transaction recorded');
  instance.telemetry.emit({ kind: 'transaction-recorded', txId: live.id, does: kind, members: members.length });
  follower.follow(live);
  return live;
}

/** The signer of a funder. Throws `internal` where flow.json has none of that address. */
export function funderSigner(instance: Pick<Sender, 'network'>, address: string): Signer {
  const funder = instance.network.funders.find((candidate) => candidate.address === address);
  if (funder === undefined) throw new AppError('internal', `no signer for ${address}`);
  return funder.signer;
}

async function sequenceNumberOf(instance: Sender, slot: Slot): Promise<number> {
  if (slot.sequenceNumber !== null) return slot.sequenceNumber;
  const account = await instance.node.account(slot.address);
  const key = account?.keys.find((candidate) => candidate.index === slot.keyIndex);
  if (key === undefined) throw new AppError('data', `key ${slot.keyIndex} is not on chain`, { where: `funding account ${slot.address}` });
  return key.sequenceNumber;
}
