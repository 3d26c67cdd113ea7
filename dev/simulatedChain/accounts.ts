import type { ChainAccount } from '../../src/flow/accessNode.js';
import { AppError } from '../../src/errors.js';
import { addressOf } from './addresses.js';

/** What lies on every new account, and is never to be spent: 0.001 FLOW. */
export const MINIMUM_BALANCE = 100_000n;

/** The accounts of the chain, with their past: a node that lags shows an older state. */
export interface Accounts {
  create(publicKeys: readonly string[], balance: bigint, height: number): ChainAccount;
  /** As it was at a height (default: now); null where there was none. */
  at(address: string, height?: number): ChainAccount | null;
  /** Puts the account into another state from `height` on. Throws where there is no such account. */
  update(address: string, height: number, change: (account: ChainAccount) => Partial<ChainAccount>): void;
  all(): ChainAccount[];
}

/** An empty set of accounts. */
export function createAccounts(): Accounts {
  /** By address: every state with the height from which it held, oldest first. */
  const states = new Map<string, { from: number; account: ChainAccount }[]>();
  const latest = (address: string): ChainAccount | undefined => states.get(address)?.at(-1)?.account;

  const put = (account: ChainAccount, height: number): void => {
    const past = states.get(account.address) ?? [];
    if (past.at(-1)?.from === height) past.pop();
    states.set(account.address, [...past, { from: height, account }]);
  };

  return {
    create(publicKeys, balance, height) {
      const keys = publicKeys.map((publicKey, index) => ({ index, publicKey, sequenceNumber: 0, weight: 1000, revoked: false, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }));
      const account = { address: addressOf(states.size + 1), balance, keys };
      put(account, height);
      return account;
    },
    at: (address, height = Infinity) => states.get(address)?.findLast((state) => state.from <= height)?.account ?? null,
    update(address, height, change) {
      const account = latest(address);
      if (account === undefined) throw new AppError('internal', `the simulated chain has no account ${address}`);
      put({ ...account, ...change(account) }, height);
    },
    all: () => [...states.keys()].flatMap((address) => latest(address) ?? []),
  };
}
