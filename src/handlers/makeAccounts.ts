import { toAppError, type AppError } from '../errors.js';
import { buildCreateAccounts } from '../flow/createAccounts.js';
import { generateKeyPair } from '../flow/keys.js';
import { prepareAccounts, readDemand, releaseUnused, type Demand, type NewKey, type PreparedAccount } from '../journal/demand.js';
import { leaseSlot, releaseSlot, type Slot } from '../journal/slots.js';
import { isFunderAtFloor, isLimitReached, isSchemaMissing } from '../journal/sqlErrors.js';
import type { BatchSize } from './batchSize.js';
import type { TransactionFollower } from './followTransactions.js';
import type { Instance } from './instance.js';
import { createAccountLimits } from './limits.js';
import { leaveAtFloor } from './checkFunders.js';
import type { Pace } from './pace.js';
import { submitTransaction } from './submitTransaction.js';

/** A pool that is only short, with nobody waiting, is filled when nobody was given an account for this long. */
const QUIET_MS = 10_000;

/** Others have prepared accounts for the last room or demand; what they record shows, or they die. */
const OTHERS_MS = 1_000;

/** After a refusal that the look before it had not foreseen. */
const REFUSED_MS = 250;

export interface Maker {
  /** Starts as many batches as demand and slots allow now. Resolves when they are recorded and handed to the follower. */
  startBatches(): Promise<void>;
  /** No timer calls it again. Resolves once the batch that is being built, if any, is recorded and followed, or given up. */
  stop(): Promise<void>;
}

export interface MakerOptions {
  readonly follower: TransactionFollower;
  readonly batchSize: BatchSize;
  readonly pace: Pace;
  readonly mayWork: () => boolean;
  /** Called when it is time to look at the demand again. */
  readonly lookAgain: () => void;
}

/**
 * Making accounts ahead of need, in batches of one transaction each. Keys are committed before any transaction names them,
 * the signed transaction before it is broadcast. While all slots are busy nothing is started: arrivals collect, and the next
 * free slot takes as many as fit.
 */
export function createMaker(instance: Instance, options: MakerOptions): Maker {
  const { settings, journal, network, log } = instance;
  const addresses = network.funders.map((funder) => funder.address);
  const limits = createAccountLimits(instance);
  /** The slot of the batch that is being built. */
  let leased: Slot | null = null;
  /** Set while that slot, or prepared accounts, may be held though no batch is being built. */
  let leftBehind = false;
  let timer: NodeJS.Timeout | undefined;

  const lookAgainIn = (delayMs: number): void => {
    clearTimeout(timer);
    timer = setTimeout(options.lookAgain, delayMs);
  };

  /** Users waiting: at once, any size. Only the pool short: by half a batch, or after quiet. */
  const decide = (demand: Demand): number => {
    if (demand.demand <= 0) return 0;
    if (demand.waiting > demand.free + demand.beingMade) return demand.demand;
    const half = Math.min(options.batchSize.current(), settings.POOL_SIZE) / 2;
    return demand.demand >= half || demand.quietMs >= QUIET_MS ? demand.demand : 0;
  };

  const makeKeys = (count: number, masterKey: string | undefined): Promise<NewKey[]> =>
    Promise.resolve(
      Array.from({ length: Math.max(0, count) }, () => {
        const { privateKey, publicKey } = generateKeyPair();
        return { publicKey, encryptedPrivateKey: instance.vault.seal(privateKey, publicKey, masterKey) };
      }),
    );

  const submit = (slot: Slot, accounts: readonly PreparedAccount[]) =>
    submitTransaction(instance, options.follower, {
      kind: 'create',
      slot,
      members: accounts.map((account) => ({ accountId: account.id, amount: settings.FLOW_FUNDING_AMOUNT })),
      build: (signing) =>
        buildCreateAccounts({ network, cadence: instance.cadence, ...signing, publicKeys: accounts.map((account) => account.publicKey), fundingAmount: settings.FLOW_FUNDING_AMOUNT }),
    });

  /** Something went wrong before the record, so nothing was sent: what is held is given up, at the next look if not now. */
  const giveBack = async (error: AppError): Promise<void> => {
    leftBehind = true;
    if (isLimitReached(error) || isFunderAtFloor(error)) return waitForRoom(error);
    const delayMs = options.pace.noteFailure(error);
    log.warn({ kind: error.kind, reason: error.message, where: error.where, mend: error.mend, retryInMs: delayMs }, 'creation not started');
    lookAgainIn(delayMs);
    await release();
  };

  /** Another took the room between the look and the record, or the funder has come down to its floor: no failure, and the keys stay for the next batch. */
  const waitForRoom = async (error: AppError): Promise<void> => {
    log.debug({ reason: error.message }, 'creation waits for room');
    limits.noteRefused();
    const slot = leased;
    await release();
    if (isFunderAtFloor(error) && slot !== null) await leaveAtFloor(instance, slot.address);
    lookAgainIn(REFUSED_MS);
  };

  const release = async (): Promise<void> => {
    await releaseUnused(journal, instance.id, leased);
    leased = null;
    leftBehind = false;
  };

  /** One batch, if there is demand and a slot. Throws only where the schema is missing. */
  const startOne = async (): Promise<boolean> => {
    const pauseMs = options.pace.notBefore() - instance.now();
    if (pauseMs > 0) {
      lookAgainIn(pauseMs);
      return false;
    }
    try {
      if (leftBehind) await release();
      const demand = await readDemand(journal, settings.POOL_SIZE);
      if (decide(demand) <= 0) {
        if (demand.demand > 0) lookAgainIn(QUIET_MS);
        return false;
      }
      const waitMs = await limits.wait();
      if (waitMs > 0) {
        lookAgainIn(waitMs);
        return false;
      }
      const slot = (leased = await leaseSlot(journal, instance.id, addresses));
      if (slot === null) return false;
      const accounts = await prepareAccounts(journal, { instanceId: instance.id, poolSize: settings.POOL_SIZE, maxAccounts: options.batchSize.current(), decide, room: limits.room, masterKey: instance.vault.keyId, makeKeys });
      if (accounts.length === 0) {
        await releaseSlot(journal, instance.id, slot, slot.sequenceNumber);
        leased = null;
        lookAgainIn(OTHERS_MS);
        return false;
      }
      await instance.faultPoints.at('key stored');
      await submit(slot, accounts);
      leased = null;
      return true;
    } catch (thrown) {
      const error = toAppError(thrown);
      // No failure of a creation, after which the next one waits: once the schema is back, users wait for it.
      if (isSchemaMissing(error)) {
        leftBehind = true;
        throw error;
      }
      await giveBack(error).catch(() => undefined);
      return false;
    }
  };

  const startAll = async (): Promise<void> => {
    while (options.mayWork() && (await startOne()));
  };
  let starting: Promise<void> = Promise.resolve();

  return {
    startBatches: () => (starting = startAll()),
    stop() {
      clearTimeout(timer);
      return starting.catch(() => undefined);
    },
  };
}
