import type { Instance } from '../instance.js';
import { refuse, type AdoptClass } from './classes.js';

/** A node further behind may not know yet an account that its user has used today. Mainnet's sealed blocks are 10 to 20 s old. */
const MOST_BEHIND_S = 60;

/** Who asks. */
export interface Asker {
  readonly instance: Pick<Instance, 'node' | 'network' | 'now'>;
  readonly call: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * For addresses that a script found no account at, of each why it is not believed, or null. A row is emptied for a new account on this alone: so the account's own
 * answer is asked too, of a node that knows the newest blocks.
 */
export async function doubtsOfMissing({ instance, call }: Asker, addresses: readonly string[]): Promise<(string | null)[]> {
  if (addresses.length === 0) return [];
  const { timestamp } = await call(() => instance.node.latestSealedBlock());
  const behind = Math.round((instance.now() - timestamp.getTime()) / 1_000);
  // An emulator makes a block when there is something to put into it.
  if (instance.network.name !== 'emulator' && behind > MOST_BEHIND_S) return addresses.map(() => `the access node is ${behind} s behind: it may not know the account yet`);
  const doubts: (string | null)[] = [];
  for (const address of addresses) doubts.push((await call(() => instance.node.account(address))) === null ? null : 'the access node gives two answers about its account');
  return doubts;
}

/** Leaves each as it is whose absence is doubted. */
export async function confirmMissing(asker: Asker, missing: readonly { readonly each: { class: AdoptClass; reason: string }; readonly address: string }[]): Promise<void> {
  const doubts = await doubtsOfMissing(asker, missing.map(({ address }) => address));
  for (const [i, { each }] of missing.entries()) {
    const doubt = doubts[i] ?? null;
    if (doubt !== null) refuse(each, doubt);
  }
}
