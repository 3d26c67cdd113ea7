import { connectAccessNode } from '../src/flow/accessNode.js';
import { createLimiter } from '../src/flow/limiter.js';
import { createLog } from '../src/log.js';
import { readChainHistory, type ChainHistory, type FundingOnChain } from './chainHistory.js';
import type { Postgres } from './postgres.js';

/** What should be zero, at any time but for `inFlight`. */
export interface AuditFaults {
  /** Keys that stand on more than one account of the chain: users who would have two. */
  readonly keysWithTwoAccounts: number;
  /** Addresses that two users have. */
  readonly addressesOfTwoUsers: number;
  /** Wallets whose address has another key on chain, or none. */
  readonly walletsNotOnChain: number;
  /** Accounts of the chain that no row owns: without a row, or whose row is not assigned, free or set aside. */
  readonly stranded: number;
  /** Rows assigned, free or set aside whose address and key the chain doesn't show. */
  readonly missingOnChain: number;
  /** Addresses that got the funding amount from our funders more than once, refills left out: a refill is one deposit of a funding in the journal that has the wallet as its member. */
  readonly fundedTwice: number;
  /** Rows assigned, free or set aside that never got it. */
  readonly neverFunded: number;
  /** Accounts of the chain whose seal is not recorded yet: their row is submitted and its transaction live. None at rest. */
  readonly inFlight: number;
}

export interface Audit extends AuditFaults {
  /** Accounts that the chain shows, made since `fromHeight`. */
  readonly accountsOnChain: number;
  /** Rows assigned, free or set aside. At rest as many as on chain (the account equation). */
  readonly accountsOwned: number;
}

export interface AuditOptions {
  readonly postgres: Pick<Postgres, 'query'>;
  /** The access node itself, past every proxy. */
  readonly url: string;
  /** The first block to search; what the stack made before it is not ours. */
  readonly fromHeight: number;
  /** FLOW_FUNDING_AMOUNT, in 10^-8 FLOW; 0: wallets get nothing. Default 10,000,000 (0.1 FLOW). */
  readonly fundingAmount?: bigint;
}

/**
 * Counts duplicates and strangers from the chain's own events, against public.wallet and the journal. Exact while daemons are at
 * work too: the journal is read between two heights, and what the chain shows at the lower must be in the journal, what the journal
 * owns must be on chain at the upper.
 */
export async function auditChain(options: AuditOptions): Promise<Audit> {
  const node = openNode(options.url);
  try {
    const { height: before } = await node.latestSealedBlock();
    const journal = await readJournal(options.postgres);
    const { height: after } = await node.latestSealedBlock();
    const fundingAmount = options.fundingAmount ?? 10_000_000n;
    const history = await readChainHistory(node, { from: options.fromHeight, to: after, funders: new Set(journal.funders), fundingAmount });
    return compare(journal, history, before, fundingAmount > 0n);
  } finally {
    node.close();
  }
}

/** How often each address got the funding amount from our funders since `fromHeight`, by the chain's own events. */
export async function fundingsOnChain(options: AuditOptions): Promise<ReadonlyMap<string, number>> {
  const node = openNode(options.url);
  try {
    const { height: to } = await node.latestSealedBlock();
    const { funders } = await readJournal(options.postgres);
    const { fundings } = await readChainHistory(node, { from: options.fromHeight, to, funders: new Set(funders), fundingAmount: options.fundingAmount ?? 10_000_000n });
    return new Map([...fundings].map(([address, each]) => [address, each.length]));
  } finally {
    node.close();
  }
}

/** The faults that are not zero, by name: empty is right at rest. */
export function faultsOf(audit: Audit): Partial<AuditFaults> {
  return Object.fromEntries(Object.entries(audit).filter(([name, count]) => count !== 0 && name !== 'accountsOnChain' && name !== 'accountsOwned'));
}

/** All of an audit's faults in one number, without what is in flight; 0 is right at any time. */
export function duplicatesOf(audit: Audit): number {
  return Object.values(faultsOf({ ...audit, inFlight: 0 })).reduce((sum, count) => sum + count, 0);
}

/** The height to audit from: what comes after it is the daemon's. */
export async function sealedHeight(url: string): Promise<number> {
  const node = openNode(url);
  const { height } = await node.latestSealedBlock();
  node.close();
  return height;
}

interface AccountRow {
  readonly publicKey: string;
  readonly address: string | null;
  readonly state: string;
  /** A member of a live transaction. */
  readonly live: boolean;
}

interface JournalView {
  readonly accounts: readonly AccountRow[];
  readonly wallets: readonly { readonly address: string; readonly publicKey: string }[];
  readonly funders: readonly string[];
  /** Fundings that are sealed or may be, each with one member. */
  readonly refills: readonly { readonly txId: string; readonly address: string }[];
}

/** One statement: all of it is of one moment. */
async function readJournal(postgres: Pick<Postgres, 'query'>): Promise<JournalView> {
  const [row] = await postgres.query<{ view: JournalView }>(
    'postgres',
    `select jsonb_build_object(
       'accounts', coalesce((select jsonb_agg(jsonb_build_object('publicKey', a.public_key, 'address', a.address, 'state', a.state, 'live', exists (
         select from wallet_sync.member m join wallet_sync.transaction t on t.id = m.transaction_id where m.account_id = a.id and t.state = 'live'))) from wallet_sync.account a), '[]'),
       'wallets', coalesce((select jsonb_agg(jsonb_build_object('address', flow_address, 'publicKey', flow_public_key)) from public.wallet where flow_address is not null), '[]'),
       'funders', coalesce((select jsonb_agg(distinct address) from wallet_sync.slot where role = 'funder'), '[]'),
       'refills', coalesce((select jsonb_agg(jsonb_build_object('txId', t.id, 'address', a.address)) from wallet_sync.transaction t
         join wallet_sync.member m on m.transaction_id = t.id join wallet_sync.account a on a.id = m.account_id
         where t.kind = 'fund' and t.state in ('live', 'sealed')), '[]')) as view`,
  );
  if (row === undefined) throw new Error('the journal gave no row');
  return row.view;
}

const OWNED = ['assigned', 'free', 'set_aside'];

function compare(journal: JournalView, history: ChainHistory, before: number, isFunded: boolean): Audit {
  const owned = journal.accounts.filter((row) => OWNED.includes(row.state));
  const onChain = (address: string | null, publicKey: string): boolean => history.accounts.get(address ?? '')?.keys.has(publicKey) ?? false;
  const owners = new Map(owned.filter((row) => onChain(row.address, row.publicKey)).map((row) => [row.address, row]));
  const waiting = new Set(journal.accounts.filter((row) => row.state === 'submitted' && row.live).map((row) => row.publicKey));

  const refills = new Set(journal.refills.map(({ txId, address }) => `${txId} ${address}`));
  /** What is sealed at `before` was recorded before the journal was read. */
  const isFundedTwice = (address: string, fundings: readonly FundingOnChain[]): boolean => {
    const known = fundings.filter((each) => each.height <= before);
    const refilled = new Set(known.map((each) => each.txId).filter((txId) => refills.has(`${txId} ${address}`)));
    return known.length - refilled.size > 1;
  };

  const strangers = [...history.accounts].filter(([address, account]) => account.height <= before && !owners.has(address));
  const inFlight = strangers.filter(([, account]) => [...account.keys].some((key) => waiting.has(key)));
  const keysOfAccounts = [...history.accounts.values()].flatMap((account) => [...account.keys]);
  return {
    accountsOnChain: history.accounts.size,
    accountsOwned: owned.length,
    keysWithTwoAccounts: keysOfAccounts.length - new Set(keysOfAccounts).size,
    addressesOfTwoUsers: journal.wallets.length - new Set(journal.wallets.map((wallet) => wallet.address)).size,
    walletsNotOnChain: journal.wallets.filter((wallet) => !onChain(wallet.address, wallet.publicKey)).length,
    stranded: strangers.length - inFlight.length,
    missingOnChain: owned.length - owners.size,
    fundedTwice: [...history.fundings].filter(([address, fundings]) => isFundedTwice(address, fundings)).length,
    neverFunded: isFunded ? [...owners.keys()].filter((address) => !history.fundings.has(address ?? '')).length : 0,
    inFlight: inFlight.length,
  };
}

function openNode(url: string) {
  return connectAccessNode({ url, log: createLog({ level: 'silent' }), limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
}
