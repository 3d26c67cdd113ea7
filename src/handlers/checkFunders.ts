import { AppError, toAppError } from '../errors.js';
import { formatAmount } from '../flow/amount.js';
import type { Funder } from '../flow/network.js';
import { setRotation } from '../journal/slots.js';
import type { Instance } from './instance.js';

/** A funder that can't pay for this many full batches leaves the rotation. */
const BATCHES_IN_RESERVE = 2n;
const MEMBERS_OF_A_BATCH = 25n;

/** Compares a funder with the chain. Throws `usage` where the account or its key is missing there. */
async function readFunder(instance: Pick<Instance, 'node'>, funder: Funder): Promise<bigint> {
  const account = await instance.node.account(funder.address);
  const where = `funding account ${funder.name} (${funder.address})`;
  if (account === null) throw new AppError('usage', 'does not exist on chain', { where, mend: 'correct its address in flow.json, or take it out of FUNDING_ACCOUNTS' });
  for (const index of funder.keyIndexes) {
    const key = account.keys.find((candidate) => candidate.index === index);
    if (key === undefined || key.revoked || key.publicKey !== funder.signer.publicKey) {
      throw new AppError('usage', `its key ${index} on chain is ${key === undefined ? 'missing' : key.revoked ? 'revoked' : 'another one'}`, { where, mend: 'point its key file in flow.json at the key that the account has' });
    }
  }
  return account.balance;
}

/** At start: every funder must exist with its keys; throws on the first that doesn't. */
export async function requireFunders(instance: Pick<Instance, 'node' | 'network'>): Promise<void> {
  await Promise.all(instance.network.funders.map((funder) => readFunder(instance, funder)));
}

/** In each sweep: a funder too poor for two batches leaves the rotation and says so; one that was refilled comes back. */
export async function checkFunders(instance: Instance, signal: AbortSignal): Promise<void> {
  const { settings, network, journal, log } = instance;
  const lowWater = BATCHES_IN_RESERVE * MEMBERS_OF_A_BATCH * settings.FLOW_FUNDING_AMOUNT;
  for (const funder of network.funders) {
    if (signal.aborted) return;
    try {
      const balance = await readFunder(instance, funder);
      const isLow = balance < lowWater;
      await setRotation(journal, funder.address, isLow ? `below ${formatAmount(lowWater)} FLOW` : null);
      if (isLow) log.error({ funder: funder.name, balance: formatAmount(balance), lowWater: formatAmount(lowWater), mend: 'send FLOW to it' }, 'funder is low and leaves the rotation');
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toAppError(thrown);
      // Only the chain's own word takes it out; a node that doesn't answer says nothing about it.
      if (error.kind === 'usage') await setRotation(journal, funder.address, error.message);
      log.error({ funder: funder.name, kind: error.kind, reason: error.message, mend: error.mend }, 'funder not usable');
    }
  }
}
