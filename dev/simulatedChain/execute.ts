import type { ChainEvent } from '../../src/flow/accessNode.js';
import { MINIMUM_BALANCE, type Accounts } from './accounts.js';
import type { Action, DecodedTransaction } from './decodeTransaction.js';
import type { Events } from './events.js';

/** Computation of a transaction that does nothing, and of each thing that ours do (facts, measured on the emulator). */
const BASE_EFFORT = 30;
const EFFORT_PER_DEPOSIT = 54;
const EFFORT_PER_KEY = 10;
/** What createWallets.cdc allows. */
const MOST_ACCOUNTS = 25;
/** A fee for each transaction and for each unit of computation, in 10^-8 FLOW. */
const INCLUSION_FEE = 1_000n;
const EFFORT_FEE = 5n;

/** What the chain's weather changes. */
export interface Conditions {
  /** Of one account of a creation. */
  readonly effortPerAccount: number;
  /** Public keys that make any creation fail that names them. */
  readonly badKeys: ReadonlySet<string>;
}

export interface CreatedOnChain {
  readonly publicKey: string;
  readonly address: string;
}

export interface DepositOnChain {
  readonly address: string;
  /** In 10^-8 FLOW, as is the next. */
  readonly amount: bigint;
  readonly balanceBefore: bigint;
}

/** What one transaction did. */
export interface Execution {
  /** The node's words; empty where it did not fail. */
  readonly errorMessage: string;
  readonly events: readonly ChainEvent[];
  readonly created: readonly CreatedOnChain[];
  /** Of a funding. */
  readonly deposits: readonly DepositOnChain[];
}

/** Executes a transaction in the block at `height`: all or nothing, but for fee and sequence number. */
export function execute(transaction: DecodedTransaction, height: number, chain: { accounts: Accounts; events: Events; conditions: Conditions }): Execution {
  const { accounts, events, conditions } = chain;
  const { proposer, payer, action } = transaction;
  const key = accounts.at(proposer.address)?.keys.find((each) => each.index === proposer.keyIndex && !each.revoked);
  if (key === undefined) return fail(`[Error Code: 1006] error caused by: invalid proposal key: public key ${proposer.keyIndex} on account ${proposer.address} does not have a valid signature`);
  if (key.sequenceNumber !== proposer.sequenceNumber) {
    return fail(`[Error Code: 1007] error caused by: invalid proposal key: public key ${proposer.keyIndex} on account ${proposer.address} has sequence number ${key.sequenceNumber}, but given ${proposer.sequenceNumber}`);
  }
  accounts.update(proposer.address, height, (account) => ({
    keys: account.keys.map((each) => (each.index === proposer.keyIndex ? { ...each, sequenceNumber: each.sequenceNumber + 1 } : each)),
  }));

  const wanted = effortOf(action, conditions);
  const effort = Math.min(wanted, transaction.computeLimit);
  const fee = INCLUSION_FEE + EFFORT_FEE * BigInt(effort);
  const available = (accounts.at(payer)?.balance ?? 0n) - MINIMUM_BALANCE;
  if (available < fee) return fail(`[Error Code: 1118] payer ${payer} has insufficient balance to attempt transaction execution`);
  pay(accounts, payer, fee, height);
  const feeEvents = [events.withdrawn(payer, fee), events.feesDeducted(fee, effort)];
  const refusal = refusalOf(action, wanted > transaction.computeLimit, available - fee, conditions);
  if (refusal !== null) return fail(refusal, feeEvents);
  const done = perform(action, payer, height, accounts, events);
  return { errorMessage: '', ...done, events: [...done.events, ...feeEvents] };
}

function fail(errorMessage: string, events: readonly ChainEvent[] = []): Execution {
  return { errorMessage, events, created: [], deposits: [] };
}

function effortOf(action: Action, conditions: Conditions): number {
  switch (action.name) {
    case 'createWallets':
      return BASE_EFFORT + action.publicKeys.length * conditions.effortPerAccount;
    case 'fundWallets':
      return BASE_EFFORT + action.deposits.length * EFFORT_PER_DEPOSIT;
    case 'addKeys':
      return BASE_EFFORT + action.count * EFFORT_PER_KEY;
    case 'other':
      return BASE_EFFORT;
  }
}

/** FLOW that leaves the payer, the fee not counted. */
function costOf(action: Action): bigint {
  switch (action.name) {
    case 'createWallets':
      return BigInt(action.publicKeys.length) * (MINIMUM_BALANCE + action.amount);
    case 'fundWallets':
      return action.deposits.reduce((sum, deposit) => sum + deposit.amount, 0n);
    case 'addKeys':
    case 'other':
      return 0n;
  }
}

/** Why the whole transaction reverts, in the chain's words; null where it does not. */
function refusalOf(action: Action, exceedsLimit: boolean, available: bigint, conditions: Conditions): string | null {
  const panic = (words: string): string => `[Error Code: 1101] error caused by: 1 error occurred:\n\t* transaction execute failed: [Error Code: 1101] cadence runtime error: Execution failed:\nerror: ${words}\n`;
  if (exceedsLimit) return '[Error Code: 1110] error caused by: computation exceeds limit (9999)';
  if (action.name === 'createWallets') {
    if (action.publicKeys.length > MOST_ACCOUNTS) return panic('assertion failed: createWallets: more than 25 public keys');
    const bad = action.publicKeys.find((publicKey) => conditions.badKeys.has(publicKey));
    if (bad !== undefined) return panic(`invalid public key: ${bad}`);
  }
  if (costOf(action) > available) return panic('pre-condition failed: Cannot withdraw tokens! The amount requested to be withdrawn is greater than the balance of the Vault');
  return null;
}

function perform(action: Action, payer: string, height: number, accounts: Accounts, events: Events): Omit<Execution, 'errorMessage'> {
  const seen: ChainEvent[] = [];
  const created: CreatedOnChain[] = [];
  const deposits: DepositOnChain[] = [];
  pay(accounts, payer, costOf(action), height);
  if (action.name === 'createWallets') {
    for (const publicKey of action.publicKeys) {
      const { address } = accounts.create([publicKey], MINIMUM_BALANCE + action.amount, height);
      created.push({ publicKey, address });
      seen.push(events.withdrawn(payer, MINIMUM_BALANCE), events.accountCreated(address), events.deposited(address, MINIMUM_BALANCE), events.keyAdded(address, publicKey, 0));
      if (action.amount > 0n) seen.push(events.withdrawn(payer, action.amount), events.deposited(address, action.amount));
    }
  }
  if (action.name === 'fundWallets') {
    for (const { address, amount } of action.deposits) {
      const balanceBefore = accounts.at(address)?.balance;
      // Passed over, as fundWallets.cdc does; its FLOW stays with the payer.
      if (balanceBefore === undefined) {
        pay(accounts, payer, -amount, height);
        continue;
      }
      pay(accounts, address, -amount, height);
      deposits.push({ address, amount, balanceBefore });
      seen.push(events.withdrawn(payer, amount), events.deposited(address, amount));
    }
  }
  if (action.name === 'addKeys') {
    accounts.update(payer, height, (account) => {
      const copied = account.keys.find((each) => each.index === action.keyIndex);
      if (copied === undefined) return {};
      const added = Array.from({ length: action.count }, (_, i) => ({ ...copied, index: account.keys.length + i, sequenceNumber: 0 }));
      for (const key of added) seen.push(events.keyAdded(payer, key.publicKey, key.index));
      return { keys: [...account.keys, ...added] };
    });
  }
  return { events: seen, created, deposits };
}

/** Takes FLOW from an account; below zero gives. */
function pay(accounts: Accounts, address: string, amount: bigint, height: number): void {
  accounts.update(address, height, (account) => ({ balance: account.balance - amount }));
}
