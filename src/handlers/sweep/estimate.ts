import { MAX_DEPOSITS_PER_TRANSACTION } from '../../flow/fundWallets.js';
import { COUNTER_NAMES, type Counters } from '../../journal/cycles.js';
import { averageFees } from '../../journal/fees.js';
import type { Corruption } from '../../journal/sweepPages.js';
import type { UserSource } from '../../users/source.js';
import type { Instance } from '../instance.js';
import type { Finding } from './digest.js';
import { openLook } from './look.js';
import { PATIENCE } from './persevere.js';
import type { ScriptSize } from './scriptSize.js';

/** What a wallet lacks, for an operator. */
export interface ListedFinding {
  readonly authId: string;
  readonly address: string | null;
  readonly finding: 'corrupted' | 'no vault' | 'no capability' | 'low FLOW' | 'set apart';
  readonly reason: string | null;
}

/** What a sweep would find and do. */
export interface Estimate {
  /** As a sweep would count them; what it would send has neither succeeded nor failed. */
  readonly counters: Counters;
  readonly waiting: number;
  readonly transactions: { readonly fund: number; readonly repair: number };
  /** In 10^-8 FLOW: what the wallets would be given, and fees as they were lately. */
  readonly flow: { readonly deposits: bigint; readonly fees: bigint };
  /** Scripts that looking took, and that a sweep would take again. */
  readonly scripts: number;
}

export interface EstimateOptions {
  readonly users: UserSource;
  readonly size: ScriptSize;
  readonly signal: AbortSignal;
  readonly onFinding: (finding: ListedFinding) => void;
  readonly onProgress: (done: number, of: number | null) => void;
}

/** Looks at all users as a sweep does, and sends and writes nothing, but for the audit log's entries on the keys it opens. */
export async function estimate(instance: Instance, options: EstimateOptions): Promise<Estimate> {
  const { journal, settings } = instance;
  const { users, size, signal, onFinding } = options;
  const counters = Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as Counters;
  let rowsToMake = 0;
  let waiting = 0;
  let scripts = 0;
  let toFund = 0;
  let toRepair = 0;
  let done = 0;

  const look = await openLook(instance, {
    size,
    signal,
    patience: PATIENCE,
    use: { why: 'a dry run compares each key with its public key' },
    makeRows: (authIds) => {
      rowsToMake += authIds.length;
      return Promise.resolve();
    },
  });
  const total = await users.count();
  for await (const looked of look.all(users.pages(null, signal))) {
    for (const name of COUNTER_NAMES) counters[name] += looked.tally.counts[name] ?? 0;
    waiting += looked.tally.counts.waiting ?? 0;
    scripts += looked.tally.calls['script'] ?? 0;
    done += looked.users;
    options.onProgress(done, total);
    for (const each of listed(looked.corrupted, looked.findings)) onFinding(each);
    for (const each of looked.apart) onFinding({ authId: each.authId, address: each.address, finding: 'set apart', reason: each.reason });
    toFund += looked.findings.filter((finding) => finding.needsFlow).length;
    toRepair += looked.findings.filter((finding) => finding.needsRepair).length;
  }
  await look.recordOpened();
  counters.wallets_created += rowsToMake;
  counters.flow_funding_needed += toFund;
  const transactions = { fund: Math.ceil(toFund / MAX_DEPOSITS_PER_TRANSACTION), repair: toRepair };
  const fees = await averageFees(journal);
  return {
    counters,
    waiting,
    transactions,
    flow: { deposits: BigInt(toFund) * settings.FLOW_FUNDING_AMOUNT, fees: BigInt(transactions.fund) * fees.fund + BigInt(transactions.repair) * fees.repair },
    scripts,
  };
}

function* listed(corrupted: readonly Corruption[], findings: readonly Finding[]): Generator<ListedFinding> {
  for (const each of corrupted) yield { authId: each.authId, address: null, finding: 'corrupted', reason: each.reason };
  for (const { authId, address, needsRepair, lacksVault, needsFlow } of findings) {
    if (needsRepair) yield { authId, address, finding: lacksVault ? 'no vault' : 'no capability', reason: null };
    if (needsFlow) yield { authId, address, finding: 'low FLOW', reason: null };
  }
}
