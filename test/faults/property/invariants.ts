import type { SimulatedChain } from '../../../dev/simulatedChain.js';
import type { DecodedTransaction } from '../../../dev/simulatedChain/decodeTransaction.js';
import { publicKeyOf } from '../../../src/flow/keys.js';
import { withdrawnFrom } from '../../../src/flow/withdrawals.js';
import type { Vault } from '../../../src/secrets.js';
import type { Database } from '../../support/database.js';
import type { Shape } from './commands.js';
import { readCommitted, readSnapshot, type Snapshot } from './snapshot.js';
import { CONTRACTS } from './stage.js';

/** What is checked: an invariant by its number in the design, whether users are who the policy says, whether no more is made than wanted, whether the ledger has what was spent. */
export type Law = number | 'policy' | 'demand' | 'ledger';

/** A law that is broken. */
export class Violation extends Error {
  readonly invariant: Law;
  /** The command after which it was seen, from 0; null: on the way to rest. */
  after: number | null = null;
  constructor(invariant: Law, message: string) {
    super(`${typeof invariant === 'number' ? 'invariant ' : ''}${invariant}: ${message}`);
    this.invariant = invariant;
  }
}

export interface Invariants {
  /** At each broadcast, before the chain looks at it: what must be committed by then, seen from another connection. */
  onSend(transaction: DecodedTransaction, by: string): Promise<void>;
  /** After each command. Throws the first {@link Violation}. */
  check(): Promise<void>;
  /** At rest, all faults off: what must have become of everyone. */
  checkAtRest(): Promise<void>;
}

export interface InvariantOptions {
  readonly database: Database;
  readonly chain: SimulatedChain;
  readonly vault: Vault;
  readonly expiryBlocks: number;
  /** In 10^-8 FLOW: a wallet that has as much is in no need. */
  readonly threshold: bigint;
  readonly shape: Pick<Shape, 'poolSize' | 'provision'>;
  /** Users who ever signed up, where nothing goes wrong: with a full pool, nobody asks for more accounts than that. Null: something may, and more are made. */
  readonly users: (() => number) | null;
}

/** Blocks after its expiry before which no transaction is given up. */
const GIVE_UP_MARGIN = 60;

/** The public keys that a creation names. */
function namedKeys(transaction: DecodedTransaction): readonly string[] {
  return transaction.action.name === 'createWallets' ? transaction.action.publicKeys : [];
}

/** The judge: knows the chain's ledger and the database, and nothing of handlers. */
export function createInvariants(options: InvariantOptions): Invariants {
  const { database, vault } = options;
  const { chain } = options;
  const found: Violation[] = [];
  /** Private keys that were opened and compared. */
  const opened = new Set<string>();
  /** What each transaction was first sent as, and which of them named a key last. */
  const bodies = new Map<string, string>();
  const namedBy = new Map<string, string>();
  /** Filled wallet rows, and who has which account, as they were first seen. */
  const filled = new Map<number, string>();
  const owners = new Map<number, string>();
  const givenUp = new Set<string>();
  let executedChecked = 0;

  const report = (invariant: Law, message: string): void => void found.push(new Violation(invariant, message));

  const checkKeys = (committed: ReadonlyMap<string, string>, transaction: DecodedTransaction): void => {
    for (const publicKey of namedKeys(transaction)) {
      const privateKey = committed.get(publicKey);
      if (privateKey === undefined) {
        report(1, `${transaction.id} names a key that is not committed`);
        continue;
      }
      if (opened.has(publicKey)) continue;
      opened.add(publicKey);
      if (publicKeyOf(vault.open(privateKey, publicKey)) !== publicKey) report(1, `the private key stored with ${publicKey} is another's`);
    }
  };

  /** A key may be named again only where the transaction before has sealed as failed. What is sent again names nothing anew: one that woke up late may send what has long failed. */
  const checkKeyUse = (transaction: DecodedTransaction): void => {
    if (bodies.has(transaction.id)) return;
    for (const publicKey of namedKeys(transaction)) {
      const before = namedBy.get(publicKey);
      if (before !== undefined && chain.fateOf(before) !== 'failed') report(1, `a key is named by ${before}, which is ${chain.fateOf(before) ?? 'unknown'}, and by ${transaction.id}`);
      namedBy.set(publicKey, transaction.id);
    }
  };

  const checkTransactions = (snapshot: Snapshot): void => {
    const live = new Map<string, string>();
    for (const transaction of snapshot.transactions) {
      const { id, state } = transaction;
      const slot = `${transaction.proposer_address}/${transaction.proposer_key_index}`;
      // Never sent: nothing of it can seal once it has expired.
      const fate = chain.fateOf(id) ?? (chain.height() > transaction.reference_height + options.expiryBlocks ? 'dead' : 'open');
      if (state === 'live') {
        const other = live.get(slot);
        if (other !== undefined) report(6, `slot ${slot} carries ${other} and ${id}`);
        live.set(slot, id);
        continue;
      }
      if (fate === 'open') report(state === 'given_up' ? 3 : 6, `${id} is ${state} and can still be executed`);
      if (state === 'sealed' && fate !== 'done') report(3, `${id} is recorded as sealed and is ${fate}`);
      if (state === 'failed' && fate !== 'failed') report(3, `${id} is recorded as failed and is ${fate}`);
      if (state === 'given_up' && !givenUp.has(id)) {
        givenUp.add(id);
        const first = transaction.reference_height + options.expiryBlocks + GIVE_UP_MARGIN + 1;
        if (chain.sealedHeight() < first) report(3, `${id} was given up at ${chain.sealedHeight()}, before ${first}`);
      }
    }
  };

  /** While a transaction is not sealed, its members are in no other. */
  const checkMembers = (snapshot: Snapshot): void => {
    const byAccount = new Map<number, { id: string; state: string; kind: string }[]>();
    const transactions = new Map(snapshot.transactions.map((each) => [each.id, each]));
    for (const member of snapshot.members) {
      const transaction = transactions.get(member.transaction_id);
      if (transaction !== undefined) byAccount.set(member.account_id, [...(byAccount.get(member.account_id) ?? []), transaction]);
    }
    for (const [account, all] of byAccount) {
      const live = all.filter((transaction) => transaction.state === 'live');
      if (live.length > 1) report(3, `account ${account} is a member of ${live.map((each) => each.id).join(' and ')}`);
      const creations = all.filter((transaction) => transaction.kind === 'create');
      for (const earlier of creations.slice(0, -1)) if (chain.fateOf(earlier.id) !== 'failed') report(1, `account ${account} was in ${earlier.id}, which did not seal as failed, and is in another creation`);
    }
  };

  const checkAccounts = (snapshot: Snapshot): void => {
    const onChain = new Map(chain.ledger.executed.flatMap((each) => each.created.map((created) => [created.publicKey, created.address])));
    const users = new Map<string, number>();
    for (const account of snapshot.accounts) {
      const { id, state, address, auth_id: user } = account;
      // The chain's accounts are always whole here, and one account alone is never too much for a transaction.
      if (state === 'set_aside') report(8, `account ${id} is set aside, and nothing is wrong with it`);
      if (state === 'failed' && !chain.isBadKey(account.public_key)) report(8, `account ${id} is blamed for what its key did not cause`);
      if (state === 'failed' && !account.has_reason) report(8, `account ${id} has failed without an error and a solution`);
      if (address !== null && onChain.get(account.public_key) !== address) report(4, `account ${id} has ${address}, the chain ${onChain.get(account.public_key) ?? 'none'}`);
      if (user !== null) {
        if (users.has(user)) report(5, `user ${user} has accounts ${users.get(user) ?? ''} and ${id}`);
        users.set(user, id);
      }
      const owner = owners.get(id);
      if (owner !== undefined && owner !== user) report(5, `account ${id} left user ${owner} and is ${state}`);
      if (state === 'assigned' && user !== null) owners.set(id, user);
    }
    const known = new Map(snapshot.accounts.map((account) => [account.public_key, account]));
    for (const [publicKey, address] of onChain) {
      const account = known.get(publicKey);
      if (account === undefined) report(13, `${address} has no row`);
      else if (account.address === null && account.state !== 'submitted' && account.state !== 'expired') report(13, `${address} is on chain and its row ${account.id} is ${account.state}`);
    }
  };

  const checkWallets = (snapshot: Snapshot): void => {
    const addresses = new Map<string, number>();
    for (const wallet of snapshot.wallets) {
      const { flow_address: address } = wallet;
      const content = [address, wallet.flow_public_key, wallet.flow_private_key].join(' ');
      const before = filled.get(wallet.id);
      if (before !== undefined && before !== content) report(9, `wallet ${wallet.id} had ${before} and has ${content}`);
      if (address === null) continue;
      filled.set(wallet.id, content);
      if (addresses.has(address)) report(5, `wallets ${addresses.get(address) ?? ''} and ${wallet.id} have ${address}`);
      addresses.set(address, wallet.id);
      const account = snapshot.accounts.find((each) => each.address === address);
      if (account?.state !== 'assigned' || account.public_key !== wallet.flow_public_key || (wallet.auth_id !== null && account.auth_id !== wallet.auth_id)) {
        report(5, `wallet ${wallet.id} has ${address} of account ${account?.id ?? 'unknown'}, which is ${account?.state ?? 'nowhere'}`);
      }
    }
  };

  const meetsPolicy = (user: Snapshot['users'][number]): boolean =>
    options.shape.provision === 'all' || (options.shape.provision === 'confirmed' ? user.is_confirmed : !user.is_anonymous);

  /** Who is given an account meets the policy. A deletion can come after the gift. */
  const checkPolicy = (snapshot: Snapshot): void => {
    const users = new Map(snapshot.users.map((user) => [user.id, user]));
    for (const { id, auth_id: authId } of snapshot.accounts) {
      const user = authId === null ? undefined : users.get(authId);
      if (user !== undefined && !user.is_deleted && !meetsPolicy(user)) report('policy', `account ${id} is given to user ${user.id}, who does not meet the policy`);
    }
  };

  const checkDemand = (snapshot: Snapshot): void => {
    if (options.users === null) return;
    const wanted = options.users() + options.shape.poolSize;
    if (snapshot.accounts.length > wanted) report('demand', `${snapshot.accounts.length} accounts for ${wanted}`);
  };

  const checkFundings = (): void => {
    const { executed } = chain.ledger;
    for (const { transaction, deposits } of executed.slice(executedChecked)) {
      for (const { address, balanceBefore } of deposits) if (balanceBefore >= options.threshold) report(7, `${transaction.id} funds ${address}, which had ${balanceBefore}`);
    }
    executedChecked = executed.length;
  };

  /** Each executed transaction is in the ledger with exactly what its events say that it took, and nothing else is. */
  const checkLedger = (snapshot: Snapshot): void => {
    const taken = new Map(chain.ledger.executed.map(({ transaction, events }) => [transaction.id, withdrawnFrom(transaction.payer, events, { contracts: CONTRACTS }) ?? 0n]));
    for (const [id, amount] of taken) if ((snapshot.ledger[id] ?? (id in snapshot.ledger ? 'unknown' : '0')) !== `${amount}`) report('ledger', `${id} took ${amount}, the ledger has ${snapshot.ledger[id] ?? 'nothing that is known'}`);
    for (const id of Object.keys(snapshot.ledger)) if (!taken.has(id)) report('ledger', `the ledger has ${id}, which was never executed`);
  };

  const raise = (): void => {
    const [first] = found.splice(0);
    if (first !== undefined) throw first;
  };

  const check = async (): Promise<Snapshot> => {
    const snapshot = await readSnapshot(database);
    for (const what of snapshot.staleWrites) report(6, what);
    checkTransactions(snapshot);
    checkMembers(snapshot);
    checkAccounts(snapshot);
    checkWallets(snapshot);
    checkPolicy(snapshot);
    checkDemand(snapshot);
    checkFundings();
    raise();
    return snapshot;
  };

  return {
    async onSend(transaction, by) {
      const { body, keys } = await readCommitted(database, transaction.id, namedKeys(transaction));
      checkKeys(keys, transaction);
      checkKeyUse(transaction);
      if (body === null) report(2, `${by} sends ${transaction.id}, which is not committed`);
      else if (body !== transaction.body) report(2, `${by} sends other bytes as ${transaction.id} than are committed`);
      if ((bodies.get(transaction.id) ?? transaction.body) !== transaction.body) report(3, `${by} sends other bytes as ${transaction.id} than before`);
      bodies.set(transaction.id, transaction.body);
    },
    check: async () => void (await check()),
    async checkAtRest() {
      const snapshot = await check();
      const onChain = chain.ledger.executed.flatMap((each) => each.created);
      const withAddress = snapshot.accounts.filter((account) => account.address !== null);
      if (withAddress.length !== onChain.length) report(13, `${onChain.length} accounts on chain, ${withAddress.length} assigned, free or set aside`);
      for (const user of snapshot.users) {
        if (user.is_deleted || !meetsPolicy(user)) continue;
        const account = snapshot.accounts.find((each) => each.auth_id === user.id);
        const wallet = snapshot.wallets.find((each) => each.auth_id === user.id);
        if (account?.address == null || wallet?.flow_address !== account.address) report(5, `user ${user.id} has account ${account?.id ?? 'none'}, wallet ${wallet?.flow_address ?? 'none'}`);
      }
      const open = snapshot.transactions.filter((each) => each.state === 'live');
      if (open.length > 0) report(3, `${open.length} transactions are still live: ${open.map((each) => each.id).join(', ')}`);
      const free = snapshot.accounts.filter((account) => account.state === 'free').length;
      checkLedger(snapshot);
      if (free < options.shape.poolSize) report(5, `the pool has ${free} of ${options.shape.poolSize}`);
      raise();
    },
  };
}
