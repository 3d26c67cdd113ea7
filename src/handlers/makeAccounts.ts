import { AppError, toAppError } from '../errors.js';
import { buildCreateAccounts } from '../flow/createAccounts.js';
import { generateKeyPair } from '../flow/keys.js';
import { prepareAccounts, readDemand, releaseUnused, type Demand, type NewKey, type PreparedAccount } from '../journal/demand.js';
import { leaseSlot, releaseSlot, type Slot } from '../journal/slots.js';
import { isSchemaMissing } from '../journal/sqlErrors.js';
import { recordCreation } from '../journal/transactions.js';
import type { BatchSize } from './batchSize.js';
import type { TransactionFollower } from './followTransactions.js';
import type { Instance } from './instance.js';
import { retryDelayMs } from './retryPolicy.js';

/** A pool that is only short, with nobody waiting, is filled when this long has passed without a sign-up. */
const QUIET_MS = 10_000;

export interface Maker {
  /** Starts as many batches as demand and slots allow now. Resolves when they are recorded and handed to the follower. */
  startBatches(): Promise<void>;
  /** Says that somebody signed up: the pool waits for quiet before it is filled by less than half a batch. */
  noteSignUp(): void;
  stop(): void;
}

export interface MakerOptions {
  readonly follower: TransactionFollower;
  readonly batchSize: BatchSize;
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
  let lastSignUp = 0;
  let failures = 0;
  /** Set while this instance may hold a slot or prepared accounts that no batch uses. */
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
    return demand.demand >= half || Date.now() - lastSignUp >= QUIET_MS ? demand.demand : 0;
  };

  const makeKeys = (count: number): Promise<NewKey[]> =>
    Promise.resolve(
      Array.from({ length: Math.max(0, count) }, () => {
        const { privateKey, publicKey } = generateKeyPair();
        return { publicKey, encryptedPrivateKey: instance.vault.seal(privateKey, publicKey) };
      }),
    );

  const sequenceNumberOf = async (slot: Slot): Promise<number> => {
    if (slot.sequenceNumber !== null) return slot.sequenceNumber;
    const account = await instance.node.account(slot.address);
    const key = account?.keys.find((candidate) => candidate.index === slot.keyIndex);
    if (key === undefined) throw new AppError('data', `key ${slot.keyIndex} is not on chain`, { where: `funding account ${slot.address}` });
    return key.sequenceNumber;
  };

  const signAndRecord = async (slot: Slot, accounts: readonly PreparedAccount[]): Promise<void> => {
    const funder = network.funders.find((candidate) => candidate.address === slot.address);
    if (funder === undefined) throw new Error(`no signer for ${slot.address}`);
    const [sequenceNumber, reference] = await Promise.all([sequenceNumberOf(slot), options.follower.referenceBlock()]);
    const transaction = await buildCreateAccounts({
      network,
      cadence: instance.cadence,
      slot: { address: slot.address, keyIndex: slot.keyIndex, sequenceNumber },
      signer: funder.signer,
      reference,
      publicKeys: accounts.map((account) => account.publicKey),
      fundingAmount: settings.FLOW_FUNDING_AMOUNT,
    });
    const live = await recordCreation(journal, {
      instanceId: instance.id,
      slot,
      transaction,
      sequenceNumber,
      referenceHeight: reference.height,
      expiryBlocks: settings.TRANSACTION_EXPIRY,
      accountIds: accounts.map((account) => account.id),
    });
    log.info({ txId: live.id, accounts: accounts.length, slot: `${slot.address}/${slot.keyIndex}` }, 'creation recorded');
    options.follower.follow(live);
  };

  /** Something went wrong before the record, so nothing was sent: what is held is given up, at the next look if not now. */
  const giveBack = async (error: AppError): Promise<void> => {
    failures += 1;
    const delayMs = retryDelayMs(error, failures);
    log.warn({ kind: error.kind, reason: error.message, where: error.where, mend: error.mend, retryInMs: delayMs }, 'creation not started');
    lookAgainIn(delayMs);
    leftBehind = true;
    await releaseUnused(journal, instance.id);
    leftBehind = false;
  };

  /** One batch, if there is demand and a slot. Throws only where the schema is missing. */
  const startOne = async (): Promise<boolean> => {
    try {
      if (leftBehind) await releaseUnused(journal, instance.id);
      leftBehind = false;
      const demand = await readDemand(journal, settings.POOL_SIZE);
      if (decide(demand) <= 0) {
        if (demand.demand > 0) lookAgainIn(QUIET_MS);
        return false;
      }
      const slot = await leaseSlot(journal, instance.id, addresses);
      if (slot === null) return false;
      const accounts = await prepareAccounts(journal, { instanceId: instance.id, poolSize: settings.POOL_SIZE, maxAccounts: options.batchSize.current(), decide, makeKeys });
      if (accounts.length === 0) {
        await releaseSlot(journal, instance.id, slot, slot.sequenceNumber);
        return false;
      }
      await signAndRecord(slot, accounts);
      failures = 0;
      return true;
    } catch (thrown) {
      const error = toAppError(thrown);
      await giveBack(error).catch(() => undefined);
      if (isSchemaMissing(error)) throw error;
      return false;
    }
  };

  return {
    async startBatches() {
      while (options.mayWork() && (await startOne()));
    },
    noteSignUp() {
      lastSignUp = Date.now();
    },
    stop: () => clearTimeout(timer),
  };
}
