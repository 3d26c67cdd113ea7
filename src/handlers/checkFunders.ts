import { AppError, toAppError } from '../errors.js';
import type { AccountKey } from '../flow/accessNode.js';
import { formatAmount } from '../flow/amount.js';
import { MAX_ACCOUNTS_PER_TRANSACTION } from '../flow/createAccounts.js';
import { FULL_WEIGHT } from '../flow/keys.js';
import type { Funder } from '../flow/network.js';
import { saveBalances, type Balance } from '../journal/balances.js';
import type { Db } from '../journal/pool.js';
import { keyIndexesOf, registerSlots, setRotation } from '../journal/slots.js';
import type { Settings } from '../settings.js';
import type { Instance } from './instance.js';

/** A funder that can't pay for this many full batches leaves the rotation. */
const BATCHES_IN_RESERVE = 2n;
const MEMBERS_OF_A_BATCH = BigInt(MAX_ACCOUNTS_PER_TRANSACTION);
/** What an account costs beside its funding, and a transaction's fee, generously: 0.001 and 0.01 FLOW. Without a floor nothing is refused, and no more need be there than is paid. */
const ACCOUNT_COST = 100_000n;
const FEE = 1_000_000n;
/** With a floor the highest fee is reserved above it, 0.41 FLOW, as wallet_sync.fee_bound() has it (sql/020): less would be refused in the rotation. */
const RESERVED_FEE = 41_000_000n;

/** Below this a funder leaves the rotation, in 10^-8 FLOW: above FUNDER_FLOOR by what the batches under way can take. */
export const lowWaterMark = ({ FLOW_FUNDING_AMOUNT: fundingAmount, FUNDER_FLOOR: floor }: Pick<Settings, 'FLOW_FUNDING_AMOUNT' | 'FUNDER_FLOOR'>): bigint =>
  floor + BATCHES_IN_RESERVE * (MEMBERS_OF_A_BATCH * (fundingAmount + ACCOUNT_COST) + (floor > 0n ? RESERVED_FEE : FEE));

/** What is wrong with a funder's key on chain; null where it can sign. */
export function faultOfKey(funder: Funder, key: AccountKey | undefined): string | null {
  if (key === undefined) return 'missing';
  if (key.revoked) return 'revoked';
  if (key.weight < FULL_WEIGHT) return `of weight ${key.weight}: it cannot sign alone`;
  const { publicKey, signatureAlgorithm, hashAlgorithm } = funder.signer;
  if (key.publicKey !== publicKey) return 'another one';
  // The access node takes a signature of other algorithms; only the chain, a fee later, does not.
  if (key.signatureAlgorithm === signatureAlgorithm && key.hashAlgorithm === hashAlgorithm) return null;
  return `of ${key.signatureAlgorithm} with ${key.hashAlgorithm}, not ${signatureAlgorithm} with ${hashAlgorithm}`;
}

/** A funder as the chain has it. Throws `usage` where there is no such account. */
async function readFunder(instance: Pick<Instance, 'node'>, funder: Funder) {
  const account = await instance.node.account(funder.address);
  if (account === null) throw new AppError('usage', 'does not exist on chain', { where: describeFunder(funder), mend: 'correct its address in flow.json, or take it out of FUNDING_ACCOUNTS' });
  const faultAt = (index: number): string | null => {
    const fault = faultOfKey(funder, account.keys.find((key) => key.index === index));
    return fault === null ? null : `its key ${index} on chain is ${fault}`;
  };
  return { balance: account.balance, faultAt };
}

/** How errors name it. */
export const describeFunder = (funder: Funder): string => `funding account ${funder.name} (${funder.address})`;

/** At start: every funder must exist with the keys that flow.json names; throws on the first that doesn't. Returns what they have. */
export async function requireFunders(instance: Pick<Instance, 'node' | 'network'>): Promise<Balance[]> {
  return Promise.all(
    instance.network.funders.map(async (funder) => {
      const { balance, faultAt } = await readFunder(instance, funder);
      const fault = funder.keyIndexes.map(faultAt).find((found) => found !== null);
      if (fault != null) throw new AppError('usage', fault, { where: describeFunder(funder), mend: 'name in flow.json the key that the account has, with its algorithms' });
      return { address: funder.address, balance };
    }),
  );
}

/** Makes sure that each key that flow.json names has its slot. */
export async function registerFunders(db: Db, network: Instance['network']): Promise<void> {
  await registerSlots(db, network.funders.flatMap((funder) => funder.keyIndexes.map((keyIndex) => ({ address: funder.address, keyIndex }))));
}

/**
 * Compares every slot with the chain: a funder too poor for two batches, and a key that can't sign, leave the rotation and say so; what
 * was mended comes back. Returns how many slots' standing changed.
 */
export async function checkFunders(instance: Instance, signal: AbortSignal): Promise<number> {
  let changed = 0;
  for (const funder of instance.network.funders) {
    if (signal.aborted) break;
    try {
      changed += await checkFunder(instance, funder);
    } catch (thrown) {
      if (signal.aborted) break;
      const error = toAppError(thrown);
      // Only the chain's own word takes it out; a node that doesn't answer says nothing about it.
      if (error.kind === 'usage') changed += await setRotation(instance.journal, funder.address, error.message);
      instance.log.error({ funder: funder.name, kind: error.kind, reason: error.message, mend: error.mend }, 'funder not usable');
    }
  }
  return changed;
}

async function checkFunder(instance: Instance, funder: Funder): Promise<number> {
  const { settings, journal, log } = instance;
  const lowWater = lowWaterMark(settings);
  const askedAt = performance.now();
  const { balance, faultAt } = await readFunder(instance, funder);
  await saveBalances(journal, [{ address: funder.address, balance }], performance.now() - askedAt);
  const isLow = balance < lowWater;
  let changed = 0;
  for (const keyIndex of await keyIndexesOf(journal, funder.address)) {
    changed += await setRotation(journal, funder.address, isLow ? `below ${formatAmount(lowWater)} FLOW` : faultAt(keyIndex), keyIndex);
  }
  if (changed === 0) return 0;
  if (isLow) log.error({ funder: funder.name, balance: formatAmount(balance), lowWater: formatAmount(lowWater), mend: 'send FLOW to it' }, 'funder is low and leaves the rotation');
  else log.info({ funder: funder.name, balance: formatAmount(balance), slots: changed }, "funder's slots compared with the chain");
  return changed;
}

/** The journal has refused a transaction that would have left a funder with less than its floor: it leaves the rotation until its balance is seen to be higher. */
export async function leaveAtFloor({ journal, settings, log }: Pick<Instance, 'journal' | 'settings' | 'log'>, address: string): Promise<void> {
  const changed = await setRotation(journal, address, `at its floor of ${formatAmount(settings.FUNDER_FLOOR)} FLOW`);
  if (changed > 0) log.error({ funder: address, floor: formatAmount(settings.FUNDER_FLOOR), mend: 'send FLOW to it, or lower FUNDER_FLOOR' }, 'funder is at its floor and leaves the rotation');
}
