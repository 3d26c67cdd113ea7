import { setTimeout as pause } from 'node:timers/promises';
import { AppError, toAppError } from '../errors.js';
import { buildAddKeys, readAddedKeys, readKeyCount } from '../flow/addKeys.js';
import { formatAmount } from '../flow/amount.js';
import type { Funder } from '../flow/network.js';
import { isPaused } from '../journal/control.js';
import { describeSlot, giveUpSlots, readEnding, readSlots, recentFee, renewSlots, unsealedAddKeys, type TransactionEnding } from '../journal/funders.js';
import { leaseSlot, releaseSlot, type Slot } from '../journal/slots.js';
import { takeOverTransactions } from '../journal/takeOver.js';
import type { LiveTransaction } from '../journal/transactions.js';
import { describeFunder, registerFunders, requireFunders } from './checkFunders.js';
import { createFollower } from './followTransactions.js';
import type { Sender } from './instance.js';
import { createAddKeysSettler } from './settleAddKeys.js';
import type { Settler, Settlers } from './settler.js';
import { submitTransaction } from './submitTransaction.js';

/** How long a slot of the funder is waited for. */
const SLOT_WITHIN_MS = 30_000;
/** Pause between looks at the journal. */
const LOOK_MS = 250;
/** Leases last 10 s. */
const RENEW_MS = 2_000;
/** A sequence number that another has used, or another run that was faster: so many tries in all. */
const ATTEMPTS = 3;
/** What the funder must have: a fee (0.00001 FLOW on the emulator for 100 keys) and the chain's minimum balance of 0.001, with room. */
const RESERVE = 1_000_000n;

/** What a run would find and cost. */
export interface KeysPlan {
  /** What transactions cost of late, in 10^-8 FLOW; null before the first. */
  readonly fee: bigint | null;
  /** Keys that an earlier run's transaction adds, which is not sealed yet; 0: there is none. */
  readonly unsealed: number;
}

/**
 * Looks whether keys can be added. Throws `usage` while paused or where the funder or its key is not on chain, `funds` where it
 * can't pay.
 */
export async function planKeys(sender: Sender, funder: Funder): Promise<KeysPlan> {
  const { journal, node } = sender;
  if (await isPaused(journal)) throw new AppError('usage', 'the service is paused: nothing is sent', { where: 'wallet_sync.control', mend: 'run `wallet-sync resume` first' });
  const network = { ...sender.network, funders: [funder] };
  await requireFunders({ node, network });
  const account = await node.account(funder.address);
  if (account !== null && account.balance < RESERVE) {
    throw new AppError('funds', `${formatAmount(account.balance)} FLOW is too little to pay for it`, { where: describeFunder(funder), mend: `send it at least ${formatAmount(RESERVE)} FLOW` });
  }
  await registerFunders(journal, network);
  const unsealed = await unsealedAddKeys(journal, funder.address);
  return { fee: await recentFee(journal), unsealed: unsealed === null ? 0 : readKeyCount(unsealed.body) };
}

export interface AddKeysRequest {
  readonly funder: Funder;
  /** 1 to 100. */
  readonly count: number;
  /** Told what is waited for, each time that changes or is looked at again. */
  readonly onProgress: (text: string) => void;
  /** Ends the waiting. What is recorded goes on without us. */
  readonly stop: AbortSignal;
}

/** A transaction that has added keys. */
export interface AddedKeys {
  readonly id: string;
  readonly count: number;
  /** Their indexes; empty where the access node no longer shows them. */
  readonly keyIndexes: readonly number[];
  /** In 10^-8 FLOW; null where none is known. */
  readonly fee: bigint | null;
  /** An earlier run's, which this one settled or saw settled. */
  readonly isEarlier: boolean;
}

/**
 * Adds keys to a funder, through the journal like every transaction. A repeat never adds twice what is not sealed yet: an earlier
 * run's transaction is waited for, or taken over, and its keys count. Throws what made it fail; then nothing was added by this run,
 * unless the error says that a transaction goes on.
 */
export async function addKeys(sender: Sender, request: AddKeysRequest): Promise<AddedKeys[]> {
  const { journal } = sender;
  const { funder } = request;
  const follower = createFollower(sender, settlersOf(sender), { maySend: () => true, onSettled: () => undefined });
  const renewing = setInterval(() => void renewSlots(journal, sender.id).catch(() => undefined), RENEW_MS);

  const untilEnded = async (id: string, text: string): Promise<TransactionEnding> => {
    for (;;) {
      request.onProgress(text);
      const ending = await readEnding(journal, id);
      if (ending.state !== 'live') return ending;
      if (request.stop.aborted) {
        throw new AppError('network', `interrupted while transaction ${id} is not sealed`, { where: describeFunder(funder), mend: 'nothing to do: a running instance settles it, or the next `wallet-sync funders add-keys`' });
      }
      for (const transaction of await takeOverTransactions(journal, sender.id, follower.unsettled(), id)) follower.follow(transaction);
      await pause(LOOK_MS);
    }
  };

  /** Leases a slot and records the transaction; null where another run's was faster. */
  const submit = async (count: number): Promise<LiveTransaction | null> => {
    const slot = await leaseOne(sender, request);
    try {
      return await submitTransaction(sender, follower, { kind: 'add-keys', slot, members: [], build: (signing) => buildAddKeys({ network: sender.network, cadence: sender.cadence, count, ...signing }) });
    } catch (thrown) {
      await releaseSlot(journal, sender.id, slot, null);
      const error = toAppError(thrown);
      // One such transaction a funder, by unique index.
      if (error.where === 'postgres 23505') return null;
      throw error;
    }
  };

  try {
    const added: AddedKeys[] = [];
    for (let attempt = 1; ; attempt += 1) {
      const earlier = await unsealedAddKeys(journal, funder.address);
      if (earlier !== null) {
        const ending = await untilEnded(earlier.id, `waiting for an earlier transaction of ${funder.name}`);
        if (ending.state === 'sealed') added.push({ ...(await read(sender, funder, earlier.id)), count: readKeyCount(earlier.body), fee: toFee(ending), isEarlier: true });
      }
      const left = request.count - added.reduce((sum, each) => sum + each.count, 0);
      if (left <= 0) return added;
      const live = await submit(left);
      const ending = live === null ? null : await untilEnded(live.id, `waiting for ${left === 1 ? 'the key' : `${left} keys`} of ${funder.name} to be sealed`);
      if (live !== null && ending?.state === 'sealed') return [...added, { ...(await read(sender, funder, live.id)), count: left, fee: toFee(ending), isEarlier: false }];
      if (attempt === ATTEMPTS || (ending !== null && ending.error_kind !== 'sequence')) throw toFailure(funder, ending);
    }
  } finally {
    clearInterval(renewing);
    follower.stop();
    await giveUpSlots(journal, sender.id).catch(() => undefined);
  }
}

const toFee = (ending: TransactionEnding): bigint | null => (ending.fee === null ? null : BigInt(ending.fee));

function toFailure(funder: Funder, ending: TransactionEnding | null): AppError {
  const where = describeFunder(funder);
  if (ending === null) return new AppError('data', 'other runs of the command add keys to it', { where, mend: 'run the command once more when they have ended' });
  const error = `no key was added: ${ending.error ?? 'the chain refused'}`;
  if (ending.error_kind === 'computation') return new AppError('computation', error, { where, mend: 'ask for fewer keys' });
  if (ending.error_kind === 'funds') return new AppError('funds', error, { where, mend: 'send FLOW to it' });
  if (ending.state === 'given_up') return new AppError('expired', error, { where, mend: 'run the command again' });
  return new AppError('chain-state', error, { where, mend: 'run the command again when the cause is mended' });
}

/** Waits for a slot of the funder. Throws where none is free in time, or all are out of rotation, with what each of them does. */
async function leaseOne(sender: Sender, request: AddKeysRequest): Promise<Slot> {
  const { funder, stop, onProgress } = request;
  const deadline = sender.now() + SLOT_WITHIN_MS;
  for (;;) {
    const slot = await leaseSlot(sender.journal, sender.id, [funder.address]);
    if (slot !== null) return slot;
    const slots = (await readSlots(sender.journal)).filter((each) => each.address === funder.address);
    const areOut = slots.every((each) => each.outOfRotation !== null);
    if (areOut || sender.now() > deadline) {
      const states = slots.map((each) => `\n  key ${each.keyIndex} ${describeSlot(each)}`).join('');
      throw new AppError('data', `${areOut ? 'none of its slots is in rotation' : `none of its slots came free within ${SLOT_WITHIN_MS / 1_000} s`}${states}`, {
        where: describeFunder(funder),
        mend: areOut ? 'mend what the reasons name; the next look of a running instance takes the slots back' : 'run the command again when fewer transactions are under way',
      });
    }
    if (stop.aborted) throw new AppError('network', 'interrupted: nothing was sent', { where: describeFunder(funder) });
    onProgress(`waiting for a free slot of ${funder.name}`);
    await pause(LOOK_MS);
  }
}

/** The indexes that a sealed transaction has added, as the access node shows them now. */
async function read(sender: Sender, funder: Funder, id: string): Promise<{ id: string; keyIndexes: number[] }> {
  const result = await sender.node.result(id).catch(() => null);
  return { id, keyIndexes: result === null ? [] : readAddedKeys(result.events, funder.address) };
}

/** Only what adds keys is followed here. */
function settlersOf(sender: Sender): Settlers {
  const refuse = (): Promise<boolean> => Promise.reject(new AppError('internal', 'only keys are added here'));
  const none: Settler = { sealed: refuse, failed: refuse, giveUp: refuse };
  return { create: none, fund: none, repair: none, 'add-keys': createAddKeysSettler(sender) };
}
