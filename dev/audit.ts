import { connectAccessNode, MAX_EVENT_RANGE } from '../src/flow/accessNode.js';
import { readCreatedAccounts } from '../src/flow/createAccounts.js';
import { createLimiter } from '../src/flow/limiter.js';
import { createLog } from '../src/log.js';
import type { Postgres } from './postgres.js';

export interface Audit {
  /** Accounts that the chain shows, made since `fromHeight`. */
  readonly accountsOnChain: number;
  /** Keys that stand on more than one account of the chain: users who would have two. */
  readonly keysWithTwoAccounts: number;
  /** Addresses that two users have. */
  readonly addressesOfTwoUsers: number;
  /** Accounts of the chain that no row of the journal knows, by key and address. */
  readonly accountsUnknown: number;
  /** Wallets whose address has another key on chain, or none. */
  readonly walletsNotOnChain: number;
}

export interface AuditOptions {
  readonly postgres: Pick<Postgres, 'query'>;
  /** The access node itself, past every proxy. */
  readonly url: string;
  /** The first block to search; what the stack made before it is not ours. */
  readonly fromHeight: number;
}

/** Counts duplicates and strangers from the chain's own AccountCreated and AccountKeyAdded events, against public.wallet and the journal. */
export async function auditChain(options: AuditOptions): Promise<Audit> {
  const node = openNode(options.url);
  const { height } = await node.latestSealedBlock();
  const onChain: { publicKey: string; address: string }[] = [];
  const created = new Set<string>();
  for (let from = options.fromHeight; from <= height; from += MAX_EVENT_RANGE) {
    const to = Math.min(height, from + MAX_EVENT_RANGE - 1);
    onChain.push(...readCreatedAccounts(await node.eventsInRange('flow.AccountKeyAdded', from, to)));
    for (const event of await node.eventsInRange('flow.AccountCreated', from, to)) created.add(String(event.data['address']));
  }
  node.close();
  const journal = await options.postgres.query<{ public_key: string; address: string | null }>(
    'postgres',
    "select public_key, address from wallet_sync.account where address is not null or state = 'submitted'",
  );
  const wallets = await options.postgres.query<{ flow_address: string; flow_public_key: string }>(
    'postgres',
    'select flow_address, flow_public_key from public.wallet where flow_address is not null',
  );
  const known = new Map(journal.map((row) => [row.public_key, row.address]));
  const chain = new Map(onChain.map((account) => [account.address, account.publicKey]));
  return {
    accountsOnChain: created.size,
    keysWithTwoAccounts: onChain.length - new Set(onChain.map((account) => account.publicKey)).size,
    addressesOfTwoUsers: wallets.length - new Set(wallets.map((wallet) => wallet.flow_address)).size,
    // A row without an address yet is one whose seal the daemon is about to record.
    accountsUnknown: onChain.filter((account) => (known.has(account.publicKey) ? (known.get(account.publicKey) ?? account.address) !== account.address : true)).length + [...created].filter((address) => !chain.has(address)).length,
    walletsNotOnChain: wallets.filter((wallet) => chain.get(wallet.flow_address) !== wallet.flow_public_key).length,
  };
}

/** All of an audit's faults in one number; 0 is right. */
export function duplicatesOf(audit: Audit): number {
  return audit.keysWithTwoAccounts + audit.addressesOfTwoUsers + audit.accountsUnknown + audit.walletsNotOnChain;
}

/** The height to audit from: what comes after it is the daemon's. */
export async function sealedHeight(url: string): Promise<number> {
  const node = openNode(url);
  const { height } = await node.latestSealedBlock();
  node.close();
  return height;
}

function openNode(url: string) {
  return connectAccessNode({ url, log: createLog({ level: 'silent' }), limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
}
